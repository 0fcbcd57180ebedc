"""Cubes that come piece by piece: saved without ever being in memory as a whole, and whole or not at all."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from sigcube.chunks import ChunkFiles
from sigcube.cube.ahead import ahead
from sigcube.cube.fingerprints import RunningFingerprint
from sigcube.cube.kinds import KINDS
from sigcube.cube.schema import Kind
from sigcube.cube.storage import chunk_length, consolidate, open_lazily, write, write_store
from sigcube.cube.validation import validate_form, validate_values
from sigcube.errors import DataError, Fault, error_from

__all__ = ["Late", "Pieces", "stream_cube"]

# Identifiers compared at a time, of so many as there may be, and how many times at once.
_SORTED = 1 << 22
_SORTS = 2
_TOLD = 20
# Chunks of different variables that are compressed and written at a time, and one of them digested.
_BESIDE = 3


@dataclass(frozen=True)
class Late:
    """A variable that can be told only when all pieces are known.

    Attributes
    ----------
    name : str
        The variable.
    given : str
        The variable of the same points that it follows from.
    make : callable
        From values of that, to values of this; called after the last piece.
    attrs : Mapping
        Its attributes.
    """

    name: str
    given: str
    make: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
    attrs: Mapping[str, Any]


@dataclass(frozen=True)
class Pieces:
    """A cube of a kind without padding, in pieces.

    Attributes
    ----------
    pieces : iterable of Dataset
        The points in order, each piece with the same variables.
    kind : str
        The kind of cube.
    late : tuple of Late
        The variables that the pieces lack.
    unique : str or None
        The variable of whole numbers that no two points have the same of.
    place : callable
        Names where a point is from, by its index.
    """

    pieces: Iterable[xr.Dataset]
    kind: str
    late: tuple[Late, ...] = ()
    unique: str | None = None
    place: Callable[[int], str] = str


def stream_cube(pieces: Pieces, path: str | Path, *, attrs: Mapping[str, Any], overwrite: bool = False) -> Path:
    """Save a cube that comes in pieces, whole or not at all.

    Memory does not depend on the number of points: they are gathered into chunks, and each chunk is validated, added to
    the fingerprint and written beside ``path``, which it replaces in the end.

    Parameters
    ----------
    pieces : Pieces
        The cube.
    path : path-like
        The folder to make.
    attrs : Mapping
        Attributes of the cube.
    overwrite : bool
        Whether a cube that is already there may be replaced.

    Raises
    ------
    DataError
        If there are no points, two points have the same identifier, the points are not a valid cube, there is something
        at ``path`` and ``overwrite`` is false, or the disk does not take it.
    """
    path = Path(path)
    with write_store(path, overwrite=overwrite) as draft:
        writer = _Writer(draft, KINDS[pieces.kind], dict(attrs))
        with ahead(pieces.pieces) as arriving:
            for batch in _batches(arriving, writer.dim, chunk_length()):
                writer.append(batch)
        writer.refuse_none()
        writer.settle()
        with ThreadPoolExecutor(max_workers=1) as beside:
            completed = beside.submit(writer.complete, pieces.late)
            if pieces.unique is not None:
                _refuse_twice(writer, pieces.unique, pieces.place)
            completed.result()
        writer.finish()
    return path


class _Writer:
    """A store in the making."""

    def __init__(self, draft: Path, kind: Kind, attrs: dict[str, Any]) -> None:
        self.draft, self.kind = draft, kind
        self.dim = kind.dims[0]
        self.length = 0
        self._attrs = {**attrs, "kind": kind.name}
        self._running = RunningFingerprint()
        self._files: dict[str, ChunkFiles] = {}

    def append(self, batch: xr.Dataset) -> None:
        """Add points."""
        self._put(batch, self.length)
        self.length += batch.sizes[self.dim]

    def complete(self, variables: Iterable[Late]) -> None:
        """Add variables of all points, once these are there."""
        for late in variables:
            for start in range(0, self.length, chunk_length()):
                flags = {name: (self.dim, self.read(name, start)) for name in self.kind.flags}
                values = late.make(self.read(late.given, start))
                piece = xr.Dataset({**flags, late.name: (self.dim, values, dict(late.attrs))})
                self._put(piece, start, only=late.name)

    def settle(self) -> None:
        """Give the arrays the length that is known now; to do so with every chunk took as long as compressing it."""
        group = self._group()
        for name in self._files:
            array: Any = group[name]
            if array.shape != (self.length,):
                array.resize((self.length,))

    def read(self, name: str, start: int) -> npt.NDArray[Any]:
        """Return one chunk of a variable."""
        array: Any = self._group()[name]
        return np.asarray(array[start : start + chunk_length()])

    def refuse_none(self) -> None:
        """Refuse a cube without points."""
        if not self.length:
            raise DataError(f"there is no {self.dim}", where=str(self._attrs.get("title", self.draft)))

    def finish(self) -> None:
        """Make a whole cube of it."""
        self.settle()
        self._group().attrs.update({**self._attrs, "fingerprint": self._running.hexdigest()})
        consolidate(self.draft)
        validate_form(open_lazily(self.draft))

    def _group(self) -> zarr.Group:
        return zarr.open_group(str(self.draft), mode="r+", use_consolidated=False)

    def _put(self, piece: xr.Dataset, start: int, *, only: str | None = None) -> None:
        piece = piece.assign_attrs(self._attrs)
        validate_values(piece, start=start)
        piece = piece if only is None else piece[[only]]
        # Digests take as long as writing does, and a variable's chunk need not wait for that of another.
        with ThreadPoolExecutor(max_workers=_BESIDE) as beside:
            digested = beside.submit(self._digest, piece)
            if start:
                self._extend(piece, start, beside)
            else:
                write(piece, self.draft)
            digested.result()

    def _digest(self, piece: xr.Dataset) -> None:
        for name, variable in piece.variables.items():
            self._running.add(str(name), variable)

    def _extend(self, piece: xr.Dataset, start: int, beside: Executor) -> None:
        region = (slice(start, start + piece.sizes[self.dim]),)
        files = {name: self._files_of(name) for name in map(str, piece.variables)}
        for _ in beside.map(lambda name: files[name].write(region, piece.variables[name].values), files):
            pass

    def _files_of(self, name: str) -> ChunkFiles:
        if name not in self._files:
            array: Any = self._group()[name]
            self._files[name] = ChunkFiles.of(array, self.draft / name)
        return self._files[name]


def _batches(pieces: Iterable[xr.Dataset], dim: str, length: int) -> Iterator[xr.Dataset]:
    """Gather pieces into batches of one length, the last one shorter; each lasts until the next is asked for."""
    gathered: dict[str, npt.NDArray[Any]] = {}
    attrs: dict[str, dict[str, Any]] = {}
    filled = 0

    def batch() -> xr.Dataset:
        return xr.Dataset({name: (dim, values[:filled], attrs[name]) for name, values in gathered.items()})

    for piece in pieces:
        if not gathered:
            gathered = {str(name): np.empty(length, dtype=array.dtype) for name, array in piece.data_vars.items()}
            attrs = {str(name): array.attrs for name, array in piece.data_vars.items()}
        taken = 0
        while taken < piece.sizes[dim]:
            some = min(length - filled, piece.sizes[dim] - taken)
            for name, values in gathered.items():
                values[filled : filled + some] = piece[name].values[taken : taken + some]
            filled, taken = filled + some, taken + some
            if filled == length:
                yield batch()
                filled = 0
    if filled:
        yield batch()


def _refuse_twice(writer: _Writer, name: str, place: Callable[[int], str]) -> None:
    """Refuse identifiers that several points have; they are compared a part at a time."""
    # Halves of halves, to tell parts apart by bits: a remainder takes longer than all else of it.
    bits = math.ceil(math.log2(max(1.0, writer.length / _SORTED)))
    with ThreadPoolExecutor(max_workers=_SORTS) as beside:
        repeated = beside.map(lambda part: _repeated(writer, name, part, bits), range(1 << bits))
        twice = np.concatenate(list(repeated))[:_TOLD]
    if twice.size:
        faults = [
            Fault(f"{name} {each} is there {len(found)} times", ", ".join(place(index) for index in found[:2]))
            for each, found in _places(writer, name, twice).items()
        ]
        raise error_from(DataError, faults, what=f"the same {writer.dim} is there twice", where=name)


def _repeated(writer: _Writer, name: str, part: int, bits: int) -> npt.NDArray[Any]:
    chunks = (values[_part_of(values, bits) == part] for values, _ in _chunks(writer, name))
    ordered = np.sort(np.concatenate(list(chunks)))
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _part_of(values: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint64]:
    """Spread identifiers over 2**bits parts, evenly however they were given out (Fibonacci hashing)."""
    spread = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    # In two steps, since a shift by all 64 bits is none.
    return np.asarray((spread >> np.uint64(1)) >> np.uint64(63 - bits))


def _places(writer: _Writer, name: str, wanted: npt.NDArray[Any]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {int(each): [] for each in wanted}
    for values, start in _chunks(writer, name):
        for index in np.flatnonzero(np.isin(values, wanted)):
            found[int(values[index])].append(start + int(index))
    return found


def _chunks(writer: _Writer, name: str) -> Iterator[tuple[npt.NDArray[Any], int]]:
    for start in range(0, writer.length, chunk_length()):
        yield writer.read(name, start), start
