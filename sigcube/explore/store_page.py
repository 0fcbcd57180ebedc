"""The page of whatever is at a path: a cube, the result of a sweep, or that of a fit."""

import json
from pathlib import Path

from sigcube.cube import KINDS
from sigcube.errors import SpecError, StoreError
from sigcube.explore.cube_page import cube_page
from sigcube.explore.fit_page import fit_page
from sigcube.explore.result_page import result_page
from sigcube.store.joint import results_in
from sigcube.store.result import open_result

__all__ = ["store_page"]


def store_page(
    store: str | Path, out: str | Path, *, x: str | None = None, y: str | None = None, value: str | None = None
) -> Path:
    """Write the page of a cube, a result or a fit; see `result_page` for ``x``, ``y`` and ``value``.

    Raises
    ------
    SpecError
        If something else is at the path, or axes are given for something without axes.
    DataError, StoreError
        If the store is damaged, nothing is at the path, or the page cannot be written.
    """
    store, kind = Path(store), _kind(Path(store))
    if kind == "result":
        return result_page(open_result(store), out, x=x, y=y, value=value)
    if given := [name for name, word in (("x", x), ("y", y), ("value", value)) if word is not None]:
        what = "the result of a fit" if kind == "fit" else "a cube"
        raise SpecError(
            f"this is {what}, which has no axes to choose", where=str(store), found=", ".join(f"--{n}" for n in given)
        )
    if kind == "fit":
        return fit_page(open_result(store), out)
    cube_page(store, out)
    return Path(out)


def _kind(store: Path) -> str:
    """Return what a store says that it is; refuse what is none of the three, saying what it is."""
    hint, expected = None, "a cube, the result of a sweep, or that of a fit"
    if not store.exists():
        hint = "make it first, or name another path"
        raise StoreError("there is nothing here", where=str(store.absolute()), expected=expected, hint=hint)
    if not store.is_dir():
        found = "a file"
    else:
        try:
            attributes = json.loads((store / "zarr.json").read_bytes()).get("attributes", {})
            kind = str(attributes["kind"])
        except FileNotFoundError:
            found = "a folder that is no Zarr store"
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found = "a Zarr store that does not say what kind it is"
        else:
            if kind in ("result", "fit", *KINDS):
                return kind
            found = f"a Zarr store of kind {kind!r}"
            if kind == "joint":
                found = "a joint result of several datasets"
                hint = f"name one of them: {', '.join(str(path) for path in results_in(store).values())}"
    raise SpecError("there is nothing here to show", where=str(store), found=found, expected=expected, hint=hint)
