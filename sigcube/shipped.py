"""The recipes and specs that come with sigcube, found by name, and the tables that lie beside them."""

from importlib.resources import files as package_files
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["shipped", "shipped_folder"]


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
    there = _find(folder)
    entries = [entry for entry in there.iterdir() if entry.name.endswith(".toml")] if there.is_dir() else []
    return {entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8") for entry in entries}


def shipped_folder(folder: str) -> Path:
    """Return where the files of a folder lie: in the installed package, or beside it in a checkout.

    Parameters
    ----------
    folder : {"ingest", "sweeps"}
        The recipes, or the specs.

    Examples
    --------
    >>> (shipped_folder("ingest") / "sparc.toml").is_file()
    True
    """
    return Path(str(_find(folder)))


def _find(folder: str) -> Traversable:
    package = package_files("sigcube")
    installed = package.joinpath("_shipped", folder)
    return installed if installed.is_dir() else Path(str(package)).parent / folder
