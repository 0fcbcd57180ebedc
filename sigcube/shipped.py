"""The recipes and specs that come with sigcube, found by name."""

from importlib.resources import files as package_files
from pathlib import Path

__all__ = ["shipped"]


def shipped(folder: str) -> dict[str, str]:
    """Return the text of each TOML file of a folder by its name: of the installed package, or beside it in a checkout.

    Parameters
    ----------
    folder : {"ingest", "sweeps"}
        The recipes, or the specs.

    Examples
    --------
    >>> "sparc" in shipped("ingest")
    True
    """
    package = package_files("sigcube")
    installed = package.joinpath("_shipped", folder)
    there = installed if installed.is_dir() else Path(str(package)).parent / folder
    entries = [entry for entry in there.iterdir() if entry.name.endswith(".toml")] if there.is_dir() else []
    return {entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8") for entry in entries}
