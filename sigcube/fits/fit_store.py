"""Results of fits on disk: written whole or not at all."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from sigcube.cube.storage import consolidate, write_store
from sigcube.errors import DataError

__all__ = ["refuse_existing", "save_fit"]


def save_fit(result: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save the result of a fit as a Zarr store, whole or not at all.

    Raises
    ------
    DataError
        If there is something at ``path`` and ``overwrite`` is false, if what is there is no fit, or if the disk does
        not take it.
    """
    path = Path(path)
    plain = result.drop_encoding()
    for name, coord in result.coords.items():
        if coord.dtype.kind in "OUT":
            items = np.array([str(item) for item in coord.values.ravel()], dtype=object).reshape(coord.shape)
            plain = plain.assign_coords({name: (coord.dims, items, coord.attrs)})
    with write_store(path, overwrite=overwrite, may_replace=is_fit, what="fit") as draft:
        plain.to_zarr(draft, mode="w", zarr_format=3, consolidated=False)
        consolidate(draft)
    return path


def refuse_existing(path: str | Path, *, overwrite: bool) -> None:
    """Refuse a path where a fit could not be saved, before it is made: there is something, or it is not writable.

    Raises
    ------
    DataError
        As `save_fit`.
    """
    if Path(path).exists() and not overwrite:
        hint = "ask for it to be overwritten, or choose another path"
        raise DataError("there is already something here", where=str(path), hint=hint)
    if Path(path).exists() and not is_fit(Path(path)):
        hint = "choose another path"
        raise DataError("what is here is not a fit, so it is not overwritten", where=str(path), hint=hint)
    folder = next(each for each in Path(path).absolute().parents if each.exists())
    try:
        TemporaryDirectory(prefix=".", suffix=".partial", dir=folder).cleanup()
    except OSError as error:
        raise DataError("a fit could not be saved here", where=str(path), found=str(error)) from error


def is_fit(path: Path) -> bool:
    """Whether a folder says that it is the result of a fit."""
    try:
        return bool(json.loads((path / "zarr.json").read_bytes())["attributes"]["kind"] == "fit")
    except (OSError, ValueError, KeyError, TypeError):
        return False
