"""Cubes on disk: opened and checked, saved whole or not at all."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.abc.buffer import Buffer
from zarr.codecs import BloscCodec
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from sigcube.cube.fingerprints import RunningFingerprint, fingerprint, slabs
from sigcube.cube.kinds import KINDS, kind_of
from sigcube.cube.validation import validate, validate_form, validate_values
from sigcube.errors import DataError, SigcubeError, SpecError, StoreError, shown
from sigcube.files import find_previous, path_of, write_folder
from sigcube.shipped import shipped

__all__ = [
    "chunk_length",
    "consolidate",
    "fingerprint",
    "made_in_memory",
    "open_cube",
    "open_lazily",
    "reading",
    "refuse_invalid",
    "refuse_other_store",
    "save_cube",
    "store_at",
    "write",
    "write_store",
]

_CHUNK_BYTES = 4 << 20
# A larger cube stays on disk when it is opened, and is checked in pieces of this many values.
_EAGER_BYTES = 256 << 20
_PIECE = 1 << 23
# A smaller cube is made in memory before it is written.
_AT_ONCE = 32 << 20
# What sigcube writes, in words, and what takes it.
_STORES = {
    "cube": ("a cube", "`sigcube check` and `sigcube show` tell what is in it"),
    "result": ("a result of a sweep", "`sigcube status`, `verify`, `rerun` and `map` take it"),
    "fit": ("a result of a fit", "open it in Python, with sigcube.open_result"),
    "joint": ("a joint result of several datasets", "name one of them, as PATH/NAME, or use sigcube.open_joint"),
}


def open_cube(path: str | Path) -> xr.Dataset:
    """Open a cube.

    Parameters
    ----------
    path : path-like
        A folder that `save_cube` wrote.

    Returns
    -------
    Dataset
        The validated cube; texts are `str`. Up to 256 MB are loaded; a larger cube is read from disk as needed.

    Raises
    ------
    DataError
        There is no cube, or its content does not match the schema and its own fingerprint.
    SpecError
        There is something else at the path.
    """
    ds = open_lazily(path)
    with reading(path):
        if ds.nbytes <= _EAGER_BYTES:
            ds = ds.load()
        refuse_invalid(ds, path)
    return ds


def open_lazily(path: str | Path) -> xr.Dataset:
    """Open a cube without checks: values are read whenever they are needed."""
    path = path_of(path, what="a cube")
    if not path.exists():
        previous = find_previous(path)
        dataset = f" {path.stem}" if path.stem in shipped("ingest") else ""
        aside = f"a save was interrupted; the cube as it was is {previous}"
        hint = aside if previous else f"make it with `sigcube ingest{dataset}`"
        raise DataError("there is no cube here", where=str(path), hint=hint)
    refuse_other_store(path, "cube")
    with reading(path):
        ds = _with_plain_strings(xr.open_dataset(path, engine="zarr", chunks=None, cache=False))
    # A store has no order: the declared variables come first, in that of the schema.
    declared = [variable.name for variable in kind_of(ds).variables]
    first = [name for name in declared if name in ds.data_vars]
    return ds[[*first, *(name for name in ds.data_vars if name not in declared)]]


def refuse_invalid(ds: xr.Dataset, path: str | Path) -> None:
    """Refuse content that is not what the schema and the cube's own fingerprint say; it is read once, in pieces."""
    try:
        found = _examine(ds)
    except DataError as error:
        raise error.at(f"{path}, {error.where}") from None
    if found != ds.attrs.get("fingerprint"):
        raise DataError(
            "the cube was altered or damaged after it was saved",
            where=str(path),
            found=f"fingerprint {found}",
            expected=f"fingerprint {ds.attrs.get('fingerprint')}",
            hint="ingest it again",
        )


def _examine(ds: xr.Dataset) -> str:
    """Validate a cube, and return its fingerprint."""
    validate_form(ds)
    first, running = kind_of(ds).dims[0], RunningFingerprint()
    along = [str(name) for name, variable in ds.variables.items() if variable.dims[:1] == (first,)]
    rows = ds[along]
    for slab in slabs(ds.sizes[first], sum(variable.size for variable in rows.variables.values()), most=_PIECE):
        piece = rows.isel({first: slab}).load()
        validate_values(piece, start=slab.start)
        for name in along:
            running.add(name, piece.variables[name])
    for name in set(map(str, ds.variables)) - set(along):
        running.add(name, ds.variables[name])
    return running.hexdigest()


def save_cube(ds: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save a cube, whole or not at all.

    It is written beside ``path`` and then renamed, so that a full disk or a kill leaves what was there before.

    Parameters
    ----------
    ds : Dataset
        A cube; its fingerprint is computed again.
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
    path = path_of(path, what="a cube")
    with write_store(path, overwrite=overwrite) as draft:
        if ds.nbytes > _AT_ONCE:
            write(ds, draft)
            consolidate(draft)
        else:
            with made_in_memory(draft) as store:
                write(ds, store)
                consolidate(store)
    return path


@contextmanager
def write_store(path: Path, *, overwrite: bool, what: str = "cube") -> Iterator[Path]:
    """Give a path to write a Zarr store at; if the block succeeds, the store appears at ``path``.

    With ``overwrite`` it may replace a store of the same sort, ``what``, in the words of `store_at`.

    Raises
    ------
    DataError
        If there is something at ``path`` that may not be replaced, or the disk does not take the store.
    """
    try:
        with write_folder(path_of(path, what=f"a {what}"), overwrite=overwrite) as draft:
            if path.exists() and store_at(path) != what:
                raise DataError(
                    f"what is here is not a {what}, so it is not overwritten",
                    where=str(path),
                    hint="choose another path",
                )
            yield draft
    except FileExistsError as error:
        hint = (
            "choose another path"
            if overwrite
            else "overwrite it by --overwrite, in Python overwrite=True, or choose another path"
        )
        raise DataError("there is already something here", where=str(path), hint=hint) from error
    except OSError as error:
        raise DataError(f"the {what} could not be saved", where=str(path), found=str(error)) from error


def store_at(path: Path) -> str:
    """Tell what is here: a ``cube``, the ``result`` of a sweep, a ``fit``, a ``joint`` result, or none of them."""
    try:
        attrs = json.loads((path / "zarr.json").read_bytes())["attributes"]
        # Results have a kind too, but no fingerprint of their own.
        is_cube = attrs["kind"] in KINDS and "fingerprint" in attrs
        return "cube" if is_cube else attrs["kind"] if attrs["kind"] in _STORES else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def refuse_other_store(given: str | Path, *wanted: str) -> None:
    """Refuse a path at which there is certainly something else than is wanted, by the words of `store_at`, or nothing.

    Raises
    ------
    SpecError
        With what is there, and the command for it.
    StoreError
        If there is nothing.
    """
    names = " or ".join(_STORES[each][0] for each in wanted)
    path = path_of(given, what=names)
    there = store_at(path)
    if there in wanted:
        return
    if there:
        what, hint = _STORES[there]
        raise SpecError(f"this is {what}, not {names}", where=str(path), hint=f"{hint}; to write, choose another path")
    if not (path / "zarr.json").is_file():
        if not path.exists():
            hint = "make it first, or name another path"
            raise StoreError("there is nothing here", where=str(path.absolute()), expected=names, hint=hint)
        found = "a folder" if path.is_dir() else "a file"
        raise SpecError(f"what is here is not {names}", where=str(path), found=found, hint="name another path")


@contextmanager
def made_in_memory(draft: Path) -> Iterator[MemoryStore]:
    """Give a store in memory, and write its files into a folder: there most would be made two or three times."""
    files: dict[str, Buffer] = {}
    yield MemoryStore(files)
    for name, content in files.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.to_bytes())


def write(ds: xr.Dataset, draft: Path | MemoryStore) -> None:
    """Write variables as a new Zarr store, or beside those of a store that is there."""
    first, *rest = kind_of(ds).dims
    length = chunk_length(max([1, *(ds.sizes[dim] for dim in rest)]))
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in ds.variables.items():
        if variable.ndim:
            chunks = tuple(min(size, length) if dim == first else size for dim, size in variable.sizes.items())
            encoding[str(name)] = {"chunks": chunks}
            if variable.dtype.kind in "fiub":
                # Measured digits hardly compress but for their exponents: with the bytes sorted by place, this is a
                # little smaller than zstd, written two and read three times as fast.
                codec = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
                encoding[str(name)]["compressors"] = (codec,)
    ds.to_zarr(draft, mode="a", zarr_format=3, consolidated=False, encoding=encoding)


def consolidate(draft: Path | MemoryStore) -> None:
    """Write the metadata of all variables in one place."""
    with warnings.catch_warnings():
        # Not in the Zarr v3 specification yet, but without it a plain `xarray.open_zarr` warns; others ignore it.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=ZarrUserWarning)
        zarr.consolidate_metadata(draft)


def chunk_length(width: int = 1) -> int:
    """Return how many systems or points go into one chunk, each with so many values of a variable."""
    return max(1, _CHUNK_BYTES // (8 * max(1, width)))


@contextmanager
def reading(path: str | Path, *, what: str = "cube") -> Iterator[None]:
    """Raise one error for whatever zarr, its codecs or xarray raise on a damaged store; they do not document it."""
    try:
        yield
    except (SigcubeError, MemoryError):
        raise
    except Exception as error:
        raise DataError(
            f"this is not a readable {what}", where=str(path), found=f"{type(error).__name__}: {error}"
        ) from error


def _with_plain_strings(ds: xr.Dataset) -> xr.Dataset:
    """Hold text as `str` objects: Zarr v3 has a stable type for those, and none for NumPy's fixed width."""
    plain = {}
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OUT":
            items = variable.values.astype(object)
            if variable.dtype.kind == "O":
                # Missing texts, which pandas has as None, NaN or NA, are empty.
                items[variable.isnull().values] = ""
                if others := [item for item in items.ravel() if not isinstance(item, str)]:
                    raise DataError(
                        "a column of objects holds something that is no text",
                        where=f"variable {name!r}",
                        found=shown(others[0]),
                        expected="texts, or numbers as float64 with NaN where one is missing",
                    )
            items = np.array([str(item) for item in items.ravel()], dtype=object)
            plain[name] = xr.Variable(variable.dims, items.reshape(variable.shape), variable.attrs)
    return ds.assign_coords({name: plain.pop(name) for name in ds.coords if name in plain}).assign(plain)
