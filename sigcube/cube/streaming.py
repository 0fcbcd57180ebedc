"""Cubes that come piece by piece: saved without ever being in memory as a whole, and whole or not at all."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from sigcube.chunks import ChunkFiles
from sigcube.cube.fingerprints import RunningFingerprint
from sigcube.cube.kinds import KINDS
from sigcube.cube.schema import Kind
from sigcube.cube.storage import chunk_length, consolidate, open_lazily, write, write_store
from sigcube.cube.validation import validate_form, validate_values
from sigcube.errors import DataError, Fault, error_from
from sigcube.files import path_of

__all__ = ["Late", "Pieces", "prefetch", "stream_cube"]

# Identifiers are compared in parts of about this many, so many parts at once; so many repeated ones are reported.
_SORTED = 1 << 22
_SORTS = 2
_SHOWN = 20
# Threads that compress, write and digest the chunks of different variables.
_THREADS = 3

_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class Late:
    """A variable that can be computed only when all pieces are known.

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
        The variable of integers that identifies a point: no two may be equal.
    place : callable
        From the index of a point, the file and row that it is from.
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
    path = path_of(path, what="a cube")
    with write_store(path, overwrite=overwrite) as draft:
        writer = _Writer(draft, KINDS[pieces.kind], dict(attrs))
        with prefetch(pieces.pieces) as arriving:
            for batch in _batches(arriving, writer.dim, chunk_length()):
                writer.append(batch)
        if not writer.length:
            raise DataError(f"there is no {writer.dim}", where=str(attrs.get("title", draft)))
        writer.resize()
        with ThreadPoolExecutor(max_workers=1) as pool:
            completed = pool.submit(writer.complete, pieces.late)
            if pieces.unique is not None:
                _refuse_repeated(writer, pieces.unique, pieces.place)
            completed.result()
        writer.finish()
    return path


class _Writer:
    """A store that is being written."""

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
        """Add the late variables of all points."""
        for late in variables:
            for start in range(0, self.length, chunk_length()):
                flags = {name: (self.dim, self._read(name, start)) for name in self.kind.flags}
                values = late.make(self._read(late.given, start))
                piece = xr.Dataset({**flags, late.name: (self.dim, values, dict(late.attrs))})
                self._put(piece, start, only=late.name)

    def resize(self) -> None:
        """Give the arrays their final length; doing so with every chunk took as long as compressing it."""
        group = self._group()
        for name in self._files:
            array: Any = group[name]
            if array.shape != (self.length,):
                array.resize((self.length,))

    def chunks(self, name: str) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield the values of a variable in chunks, each with the index of its first point."""
        for start in range(0, self.length, chunk_length()):
            yield start, self._read(name, start)

    def finish(self) -> None:
        """Complete the metadata."""
        self.resize()
        self._group().attrs.update({**self._attrs, "fingerprint": self._running.hexdigest()})
        consolidate(self.draft)
        validate_form(open_lazily(self.draft))

    def _group(self) -> zarr.Group:
        return zarr.open_group(str(self.draft), mode="r+", use_consolidated=False)

    def _read(self, name: str, start: int) -> npt.NDArray[Any]:
        array: Any = self._group()[name]
        return np.asarray(array[start : start + chunk_length()])

    def _put(self, piece: xr.Dataset, start: int, *, only: str | None = None) -> None:
        """Validate, digest and write a chunk of all variables, or of one beside what validating it needs."""
        piece = piece.assign_attrs(self._attrs)
        validate_values(piece, start=start)
        variables = {str(name): array.variable for name, array in piece.items() if only in (None, name)}

        def digest() -> None:
            for name, variable in variables.items():
                self._running.add(name, variable)

        # Digests take as long as writing does, and a variable's chunk need not wait for that of another.
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            digested = pool.submit(digest)
            if start:
                region = (slice(start, start + piece.sizes[self.dim]),)
                for name in variables.keys() - self._files.keys():
                    array: Any = self._group()[name]
                    self._files[name] = ChunkFiles.of(array, self.draft / name)
                for _ in pool.map(lambda name: self._files[name].write(region, variables[name].values), variables):
                    pass
            else:
                write(piece[list(variables)], self.draft)
            digested.result()


def _batches(pieces: Iterable[xr.Dataset], dim: str, length: int) -> Iterator[xr.Dataset]:
    """Gather pieces into batches of one length, the last one shorter; each is valid until the next is asked for."""
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


def _refuse_repeated(writer: _Writer, name: str, place: Callable[[int], str]) -> None:
    """Refuse identifiers that several points have; they are compared a part at a time."""
    # A power of two, so that bits select a part: a remainder takes longer than all else.
    bits = math.ceil(math.log2(max(1.0, writer.length / _SORTED)))

    def repeated_in(part: int) -> npt.NDArray[Any]:
        chunks = (values[_part_of(values, bits) == part] for _, values in writer.chunks(name))
        ordered = np.sort(np.concatenate(list(chunks)))
        return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])

    with ThreadPoolExecutor(max_workers=_SORTS) as pool:
        repeated = np.concatenate(list(pool.map(repeated_in, range(1 << bits))))[:_SHOWN]
    if not repeated.size:
        return
    found: dict[int, list[int]] = {int(each): [] for each in repeated}
    for start, values in writer.chunks(name):
        for index in np.flatnonzero(np.isin(values, repeated)):
            found[int(values[index])].append(start + int(index))
    faults = [
        Fault(f"{name} {each} is there {len(indices)} times", ", ".join(place(index) for index in indices[:2]))
        for each, indices in found.items()
    ]
    raise error_from(DataError, faults, what=f"the same {writer.dim} is there twice", where=name)


def _part_of(values: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint64]:
    """Spread identifiers evenly over 2**bits parts, whatever their pattern (Fibonacci hashing)."""
    spread = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    # In two steps: a shift by all 64 bits would leave the value as it is.
    return np.asarray((spread >> np.uint64(1)) >> np.uint64(63 - bits))


@contextmanager
def prefetch(pieces: Iterable[_Piece]) -> Iterator[Iterator[_Piece]]:
    """Make pieces in a background thread, one or two before they are asked for.

    What is raised there is raised again here; at the end of the block the thread is stopped.

    Examples
    --------
    >>> with prefetch(range(3)) as arriving:
    ...     list(arriving)
    [0, 1, 2]
    """
    waiting: Queue[_Piece | _End] = Queue(maxsize=1)
    stopped = Event()

    def put(piece: _Piece | _End) -> None:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put(piece, timeout=0.1)
                return

    def make() -> None:
        try:
            for piece in pieces:
                put(piece)
                if stopped.is_set():
                    return
            put(_End(None))
        except BaseException as error:
            put(_End(error))
        finally:
            # What a generator holds, such as a thread of its own, is released now and not when it is collected.
            if isinstance(pieces, Generator):
                pieces.close()

    def arriving() -> Iterator[_Piece]:
        while not isinstance(piece := waiting.get(), _End):
            yield piece
        if piece.error is not None:
            raise piece.error

    thread = Thread(target=make, name="sigcube-pieces", daemon=True)
    thread.start()
    try:
        yield arriving()
    finally:
        stopped.set()
        thread.join()


@dataclass(frozen=True)
class _End:
    """The end of the pieces, and the error that ended them."""

    error: BaseException | None
