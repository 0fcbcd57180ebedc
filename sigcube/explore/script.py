"""The scripts of pages, which lie beside the modules."""

from importlib.resources import files

__all__ = ["script"]


def script(name: str) -> str:
    """Return the text of a script."""
    return files("sigcube.explore").joinpath(name).read_text(encoding="utf-8")
