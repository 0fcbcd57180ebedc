"""Cubes on disk: opened whole and checked, saved whole or not at all."""

import glob
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from sigcube.cube.kinds import kind_of
from sigcube.cube.validation import validate
from sigcube.errors import DataError, SigcubeError

__all__ = ["fingerprint", "open_cube", "save_cube"]

_CHUNK_BYTES = 4 << 20
# Others, such as the store of a sweep, keep drafts of other names.
_DRAFT = re.compile(r"(?P<host>.+)\.(?P<pid>\d+)\.[^.]+\.partial")


def fingerprint(ds: xr.Dataset) -> str:
    """Return the SHA-256 of a cube's content.

    It covers name, dimensions, type, shape and bytes of every variable and coordinate, and no attribute.
    """
    digest = hashlib.sha256()
    for name in sorted(map(str, ds.variables)):
        variable = ds.variables[name]
        values = np.asarray(variable.values)
        if values.dtype.kind in "OUT":
            dtype, content = "string", json.dumps([str(item) for item in values.ravel()]).encode()
        else:
            little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            dtype, content = little.dtype.str, little.tobytes()
        head = [name, [str(dim) for dim in variable.dims], dtype, list(values.shape), len(content)]
        digest.update(json.dumps(head).encode())
        digest.update(content)
    return digest.hexdigest()


def open_cube(path: str | Path) -> xr.Dataset:
    """Open a cube.

    Parameters
    ----------
    path : path-like
        A folder that `save_cube` wrote.

    Returns
    -------
    Dataset
        Loaded and validated; names are `str`.

    Raises
    ------
    DataError
        If there is no cube, or its content is not what the schema and its own fingerprint say.
    """
    path = Path(path)
    with reading(path):
        ds = open_lazily(path).load()
    refuse_invalid(ds, path)
    return ds


def open_lazily(path: Path) -> xr.Dataset:
    """Open a cube without a look at its content: values are read when asked for, and not kept."""
    if not path.exists():
        raise DataError("there is no cube here", where=str(path), hint=_hint_where_missing(path))
    with reading(path):
        ds = _with_plain_strings(xr.open_dataset(path, engine="zarr", chunks=None, cache=False))
    return _in_order(ds)


def refuse_invalid(ds: xr.Dataset, path: Path) -> None:
    """Refuse content that is not what the schema and the cube's own fingerprint say."""
    try:
        validate(ds)
    except DataError as error:
        raise DataError(
            error.what, where=f"{path}, {error.where}", found=error.found, expected=error.expected, hint=error.hint
        ) from None
    if (found := fingerprint(ds)) != ds.attrs.get("fingerprint"):
        raise DataError(
            "the cube was altered or damaged after it was saved",
            where=str(path),
            found=f"fingerprint {found}",
            expected=f"fingerprint {ds.attrs.get('fingerprint')}",
            hint="ingest it again",
        )


def save_cube(ds: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save a cube, whole or not at all.

    It is written beside ``path`` and then renamed, so a full disk or a kill leaves what was there before.

    Parameters
    ----------
    ds : Dataset
        A cube; its fingerprint is made anew.
    path : path-like
        The folder to make.
    overwrite : bool
        Whether a cube that is already there may be replaced.

    Raises
    ------
    DataError
        If the dataset is not a valid cube, if there is something at ``path`` and ``overwrite`` is false, or if the disk
        does not take it.
    """
    ds = _with_plain_strings(ds).drop_encoding()
    ds = ds.assign_attrs(fingerprint=fingerprint(ds))
    validate(ds)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _tidy(path)
        _refuse_existing(path, overwrite)
        with tempfile.TemporaryDirectory(prefix=_prefix(path), suffix=".partial", dir=path.parent) as folder:
            _write(ds, Path(folder) / "next")
            _replace(Path(folder), path, overwrite)
    except OSError as error:
        raise DataError("the cube could not be saved", where=str(path), found=str(error)) from error
    return path


def _hint_where_missing(path: Path) -> str:
    for folder in _unfinished(path):
        if (folder / "previous").exists():
            return f"a save was interrupted; the cube as it was is {folder / 'previous'}"
    return "make it with `sigcube ingest`"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a damaged store makes zarr, its codecs or xarray raise, which they do not say, into one error."""
    try:
        yield
    except SigcubeError:
        raise
    except Exception as error:
        raise DataError(
            "this is not a readable cube", where=str(path), found=f"{type(error).__name__}: {error}"
        ) from error


def _in_order(ds: xr.Dataset) -> xr.Dataset:
    """Put the declared variables first, in the order of the schema: a store has none."""
    declared = [variable.name for variable in kind_of(ds).variables]
    first = [name for name in declared if name in ds.data_vars]
    return ds[[*first, *(name for name in ds.data_vars if name not in declared)]]


def _with_plain_strings(ds: xr.Dataset) -> xr.Dataset:
    """Hold text as `str` objects: Zarr v3 has a stable type for those, and none for NumPy's fixed width."""
    plain = {}
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OUT":
            items = np.array([str(item) for item in variable.values.ravel()], dtype=object)
            plain[name] = xr.Variable(variable.dims, items.reshape(variable.shape), variable.attrs)
    return ds.assign_coords({name: plain.pop(name) for name in ds.coords if name in plain}).assign(plain)


def _write(ds: xr.Dataset, draft: Path) -> None:
    encoding = {str(name): {"chunks": _chunks(ds, array)} for name, array in ds.variables.items() if array.ndim}
    ds.to_zarr(draft, zarr_format=3, consolidated=False, encoding=encoding)
    with warnings.catch_warnings():
        # Not in the Zarr v3 specification yet, but without it a plain `xarray.open_zarr` warns; others pass over it.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=ZarrUserWarning)
        zarr.consolidate_metadata(str(draft))
    for each in [*draft.rglob("*"), draft]:
        _sync(each)


def _chunks(ds: xr.Dataset, variable: xr.Variable) -> tuple[int, ...]:
    first, *rest = kind_of(ds).dims
    length = max(1, _CHUNK_BYTES // (8 * max(1, *(ds.sizes[dim] for dim in rest), 1)))
    return tuple(min(size, length) if dim == first else size for dim, size in variable.sizes.items())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(folder: Path, path: Path, overwrite: bool) -> None:
    """Put ``folder/next`` at ``path``; what was there goes to ``folder/previous``, and back if that fails."""
    previous = folder / "previous"
    try:
        if overwrite and path.exists():
            path.rename(previous)
        (folder / "next").rename(path)
    except BaseException:
        # An interrupt too: the folder is about to be removed, with what was there in it.
        if previous.exists() and not path.exists():
            previous.rename(path)
        raise
    _sync(path.parent)


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise DataError(
            "there is already something here",
            where=str(path),
            hint="ask for it to be overwritten, or choose another path",
        )
    if path.exists() and not (path / "zarr.json").is_file():
        raise DataError(
            "what is here is not a Zarr store, so it is not overwritten", where=str(path), hint="choose another path"
        )


def _prefix(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}.{os.getpid()}."


def _unfinished(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.partial"))


def _tidy(path: Path) -> None:
    """Clear up after saves whose process is gone, first putting back a cube that one of them had moved aside."""
    for folder in _unfinished(path):
        draft = _DRAFT.fullmatch(folder.name.removeprefix(f".{path.name}."))
        if draft is None or draft["host"] != socket.gethostname() or psutil.pid_exists(int(draft["pid"])):
            continue
        if (folder / "previous").exists() and not path.exists():
            (folder / "previous").rename(path)
        shutil.rmtree(folder, ignore_errors=True)
