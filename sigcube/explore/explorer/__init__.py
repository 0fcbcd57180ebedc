"""A result explored live in the browser: one view, and everything on the page follows it."""

from sigcube.explore.explorer.explorer import Explorer

__all__ = ["Explorer"]
