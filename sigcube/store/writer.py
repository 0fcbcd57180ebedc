"""Blocks on the disk: a worker checks that one fits, writes whole chunks, and digests the bytes; both ways."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
import zarr

from sigcube.chunks import ChunkFiles, Region
from sigcube.errors import StoreError
from sigcube.files import write_files
from sigcube.plan.values import Block, PointStatus
from sigcube.store.faults import damaged_store, disk_fault
from sigcube.store.template import STATUS, StoreLayout, read_layout, stamp

__all__ = [
    "Written",
    "digest_of",
    "mark_block",
    "read_block",
    "read_status",
    "remove_block",
    "shares_chunks",
    "write_block",
]


@dataclass(frozen=True)
class Written:
    """What a worker reports of a written block.

    Parameters
    ----------
    digest : str
        XXH3 digest over the regions, and the names, types and bytes of its arrays.
    n_invalid : int
        Grid points at which the model is not finite.
    """

    digest: str
    n_invalid: int


def write_block(path: str, block: Block, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Written:
    """Write the arrays of one block.

    Parameters
    ----------
    path : str
        The store, as an absolute path.
    block : Block
        Its regions of the grid; each takes all the values, repeated along the dimensions in which they have length one.
    arrays : mapping of str to ndarray
        One array for each result array of the store, of its dtype.

    Returns
    -------
    Written
        Digest and count; writing the same arrays again gives the same.

    Raises
    ------
    StoreError
        An array is missing, of another shape or type, not on whole chunks, or the disk is full.
    """
    targets = _targets(path)
    if set(arrays) != set(targets.arrays):
        raise StoreError(
            "the block's arrays are not those of the store",
            where=path,
            found=", ".join(sorted(arrays)),
            expected=", ".join(sorted(targets.arrays)),
        )
    # The status comes last, so that a reader who sees it also sees the values it speaks of.
    names = sorted(targets.arrays, key=lambda name: name == STATUS)
    regions = [(name, targets.region(name, region)) for name in names for region in block.regions]
    for name, region in regions:
        targets.check(name, region, arrays[name], block=block.index)
    targets.write([(name, region, arrays[name]) for name, region in regions])
    return Written(digest_of(arrays, block.regions), int(np.count_nonzero(arrays[STATUS] == PointStatus.INVALID)))


def read_block(path: str, block: Block) -> dict[str, np.ndarray[Any, Any]]:
    """Read the arrays of one block again, as they were given to `write_block`.

    Raises
    ------
    ValueError
        A chunk is missing or damaged, or values that must repeat do not.
    """
    targets = _targets(path)
    arrays = {}
    for name in targets.arrays:
        found = [targets.read(name, region, shape=block.shape) for region in block.regions]
        if any(other.tobytes() != found[0].tobytes() for other in found[1:]):
            raise ValueError(f"{name} differs between regions that repeat one another")
        arrays[name] = found[0]
    return arrays


def read_status(path: str, block: Block) -> np.ndarray[Any, Any]:
    """Read the status of each grid point in all regions of one block, flat.

    Raises
    ------
    ValueError
        A chunk is missing or damaged.
    """
    targets = _targets(path)
    return np.concatenate([targets.arrays[STATUS].read(region).reshape(-1) for region in block.regions])


def shares_chunks(path: str, block: Block) -> bool:
    """Tell whether other blocks write to chunks of this one, too: some that an extension added do."""
    targets = _targets(path)
    if not targets.layout.stages:
        return False
    status = targets.arrays[STATUS]
    return any(
        each.start % unit or (each.stop % unit and each.stop != size)
        for region in block.regions
        for each, unit, size in zip(region, status.chunks, status.shape, strict=True)
    )


def remove_block(path: str, block: Block) -> None:
    """Remove what was written of one block: its values are NaN from then on, its status is todo."""
    targets = _targets(path)
    for name in targets.arrays:
        for region in block.regions:
            targets.arrays[name].remove(targets.region(name, region))


def mark_block(path: str, block: Block, status: PointStatus) -> None:
    """Give every grid point of a block one status."""
    targets = _targets(path)
    values = np.full((1,) * len(targets.layout.dims), status, dtype=targets.arrays[STATUS].dtype)
    for region in block.regions:
        targets.check(STATUS, region, values, block=block.index)
        targets.write([(STATUS, region, values)])


def digest_of(arrays: Mapping[str, np.ndarray[Any, Any]], regions: Sequence[Region]) -> str:
    """Digest the arrays of a block, little-endian, and the regions of the grid in which they lie.

    XXH3 finds every accident at the speed of memory, where sha256 would cost a tenth of the sweep; it is no proof
    against forgery.

    Examples
    --------
    >>> digest_of({"a": np.zeros(2)}, [(slice(0, 2),)])[:16]
    'bad46adfb20ea88e'
    """
    digest = xxhash.xxh3_128(repr([[(each.start, each.stop) for each in region] for region in regions]).encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Targets:
    """The result arrays of one store, open."""

    path: str
    layout: StoreLayout
    arrays: Mapping[str, ChunkFiles]

    def region(self, name: str, region: Region) -> Region:
        """Find a region of the grid in a result array: its slice along a grid dimension, the whole of any other."""
        own = dict(zip(self.layout.dims, region, strict=True))
        sizes = zip(self.layout.arrays[name], self.arrays[name].shape, strict=True)
        return tuple(own.get(dim, slice(0, size)) for dim, size in sizes)

    def check(self, name: str, region: Region, values: np.ndarray[Any, Any], *, block: int) -> None:
        """Raise unless values have the type of the array, and repeat into the region, which is of whole chunks."""
        target, shape = self.arrays[name], _shape(region)
        fits = len(values.shape) == len(shape) and all(
            own in (1, n) for own, n in zip(values.shape, shape, strict=True)
        )
        if values.dtype != target.dtype or not fits:
            raise StoreError(
                f"the block's {name!r} does not fit its region",
                where=f"{self.path}, block {block}",
                found=f"{values.dtype} {values.shape}",
                expected=f"{target.dtype} {shape}",
            )
        for dim, each, unit, size in zip(self.layout.arrays[name], region, target.chunks, target.shape, strict=True):
            ends = {size, *self.layout.ends.get(dim, ())}
            if any(end % unit and end not in ends for end in (each.start, each.stop)):
                raise StoreError(
                    f"the block's {name!r} is not on whole chunks, and would overwrite a neighbour",
                    where=f"{self.path}, block {block}",
                    found=f"{dim} {each.start}:{each.stop}",
                    expected=f"multiples of {unit}, or the end at {size}",
                )

    def write(self, pieces: Sequence[tuple[str, Region, np.ndarray[Any, Any]]]) -> None:
        """Write values into regions of arrays, repeated to fill them, in this order."""
        # One piece may read again what another has written, if a chunk holds more than one.
        together = all(self.arrays[name].is_whole(region) for name, region, _ in pieces)
        for batch in [pieces] if together else ([piece] for piece in pieces):
            try:
                write_files(chain.from_iterable(map(self._encode, batch)))
            except OSError as error:
                raise disk_fault(error, Path(self.path)) from error
            except ValueError as error:
                raise damaged_store(f"{self.path}, {batch[0][0]}", str(error)) from error

    def _encode(self, piece: tuple[str, Region, np.ndarray[Any, Any]]) -> Iterator[tuple[Path, bytes | memoryview]]:
        name, region, values = piece
        return self.arrays[name].encode(region, np.broadcast_to(values, _shape(region)))

    def read(self, name: str, region: Region, *, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Read the values of a region, once along the dimensions of the grid in which `shape` has length one."""
        whole = self.arrays[name].read(self.region(name, region))
        repeats = [length == 1 for length in shape]
        of_systems = whole.ndim - len(shape)
        once = whole[(..., *(slice(0, 1) if repeat else slice(None) for repeat in repeats))]
        if once.shape != whole.shape and np.broadcast_to(once, whole.shape).tobytes() != whole.tobytes():
            dims = [dim for dim, repeat in zip(self.layout.arrays[name][of_systems:], repeats, strict=True) if repeat]
            raise ValueError(f"{name} differs along {', '.join(dims)}, along which it repeats")
        return once


def _targets(path: str) -> Targets:
    try:
        return _open(path, stamp(path))
    except OSError as error:
        raise disk_fault(error, Path(path)) from error


@lru_cache(maxsize=4)
def _open(path: str, _: tuple[int, int]) -> Targets:
    """Open the result arrays once a process: opening costs more than writing a small block."""
    layout, root = read_layout(path), zarr.open_group(path, mode="r")
    arrays = {}
    for name in layout.arrays:
        array = root[name]
        assert isinstance(array, zarr.Array)
        arrays[name] = ChunkFiles.of(array, Path(path, name))
    return Targets(path, layout, arrays)


def _shape(region: Region) -> tuple[int, ...]:
    return tuple(each.stop - each.start for each in region)
