"""The recipes and specs that come with sigcube, found by name, and the tables that lie beside them."""

from collections.abc import Iterator, Mapping
from importlib.resources import files as package_files
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["shipped", "shipped_folder"]


class _Texts(Mapping[str, str]):
    """The texts of files, each read when it is asked for: of dozens most are wanted for their names alone."""

    def __init__(self, files: Mapping[str, Traversable]) -> None:
        self._files = files

    def __getitem__(self, name: str) -> str:
        return self._files[name].read_text(encoding="utf-8")

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def shipped(folder: str) -> Mapping[str, str]:
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
    return _Texts({entry.name.removesuffix(".toml"): entry for entry in entries})


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
