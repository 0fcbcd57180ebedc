"""The chunks of a Zarr array, each encoded as the array's metadata say and written to the disk as one file.

Zarr's own way to write a chunk, through an event loop and a pool of threads, took a tenth of the time of a sweep.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec, BytesCodec, Endian

from sigcube.errors import StoreError
from sigcube.files import clear, make_folder, write_file, write_files

__all__ = ["ChunkFiles", "Region", "empty_pages"]

Region = tuple[slice, ...]

_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


def empty_pages(shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray[Any, Any]:
    """Return an array that begins on a page, so that its chunks can often be written without a copy."""
    size = prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + mmap.PAGESIZE, dtype=np.uint8)
    start = -room.ctypes.data % mmap.PAGESIZE
    return room[start : start + size].view(dtype).reshape(shape)


@dataclass(frozen=True)
class ChunkFiles:
    """The files of one array.

    Parameters
    ----------
    folder : Path
        The array.
    shape, chunks : tuple of int
        Of the array, and of each of its chunks.
    dtype : numpy.dtype
        Of its values, little-endian; others are cast to it.
    fill : object
        The value in a chunk beyond the end of the array.
    key : callable
        File name of a chunk, from its indices.
    compressor : numcodecs.Blosc or None
        How its bytes are compressed.
    """

    folder: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    key: Callable[[tuple[int, ...]], str]
    compressor: Blosc | None

    @classmethod
    def of(cls, array: zarr.Array[Any], folder: Path) -> Self:
        """Return the files of an open array.

        Raises
        ------
        StoreError
            Its chunks are encoded in a way that sigcube does not write.
        """
        # First: what it refuses may have a type without a byte order.
        compressor = _compressor(array, folder)
        return cls(
            folder=folder,
            shape=array.shape,
            chunks=array.chunks,
            dtype=array.dtype.newbyteorder("<"),
            fill=array.fill_value,
            key=array.metadata.encode_chunk_key,
            compressor=compressor,
        )

    def write(self, region: Region, values: np.ndarray[Any, Any]) -> None:
        """Write the values of a region; they are on the disk on return.

        What else is in a chunk of which the region is a part stays as it is. Of two writers of one chunk at the same
        time, one would lose its values.

        Raises
        ------
        ValueError
            A chunk of which the region is a part is not what `write` makes.
        OSError
            The disk is full or gone.
        """
        write_files(self.encode(region, values))

    def encode(self, region: Region, values: np.ndarray[Any, Any]) -> Iterator[tuple[Path, bytes | memoryview]]:
        """Yield what `write` writes, file by file."""
        for part in self._parts(region):
            if part.path.parent != self.folder:
                make_folder(part.path.parent)
            yield part.path, self._encode(values[part.outside] if part.whole else self._merged(part, values))

    def is_whole(self, region: Region) -> bool:
        """Tell whether nothing else lies in the chunks of a region."""
        return all(part.whole for part in self._parts(region))

    def read(self, region: Region) -> np.ndarray[Any, Any]:
        """Read the values of a region.

        Raises
        ------
        ValueError
            A chunk has no file, or one that is not what `write` makes.
        OSError
            The disk is gone.
        """
        values = np.empty(tuple(each.stop - each.start for each in region), dtype=self.dtype)
        for part in self._parts(region):
            values[part.outside] = self._decode(part.path)[part.inside]
        return values

    def remove(self, region: Region) -> None:
        """Give a region the array's fill value: files of chunks that lie in it, and damaged ones, are removed."""
        fill = np.broadcast_to(np.array(self.fill, self.dtype), [each.stop - each.start for each in region])
        for part in self._parts(region):
            if not os.path.lexists(part.path):
                continue
            if not part.whole:
                try:
                    data = self._encode(self._merged(part, fill))
                    if data != part.path.read_bytes():
                        write_file(part.path, data)
                    continue
                except (ValueError, IsADirectoryError):
                    pass
            clear(part.path)

    def _parts(self, region: Region) -> Iterator["_Part"]:
        """Yield, chunk by chunk, where the parts of a region lie."""
        chunks = [
            range(each.start // length, -(-each.stop // length))
            for each, length in zip(region, self.chunks, strict=True)
        ]
        for indices in product(*chunks):
            outside, inside, whole = [], [], True
            for index, length, size, each in zip(indices, self.chunks, self.shape, region, strict=True):
                first, last = index * length, (index + 1) * length
                start, stop = max(first, each.start), min(last, each.stop)
                outside.append(slice(start - each.start, stop - each.start))
                inside.append(slice(start - first, stop - first))
                # An array that still grows may be shorter than what is written.
                whole &= start == first and stop >= min(last, size)
            # With the ellipsis, what is found there is an array also where it has no dimension.
            yield _Part(self.folder / self.key(indices), (..., *outside), (..., *inside), whole)

    def _merged(self, part: "_Part", values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a chunk with new values in a part of it."""
        chunk = np.full(self.chunks, self.fill, dtype=self.dtype)
        if part.path.exists():
            chunk[...] = self._decode(part.path)
        chunk[part.inside] = values[part.outside]
        return chunk

    def _encode(self, values: np.ndarray[Any, Any]) -> bytes | memoryview:
        if values.shape != self.chunks:
            whole = np.full(self.chunks, self.fill, dtype=self.dtype)
            whole[tuple(slice(0, length) for length in values.shape)] = values
            values = whole
        data = np.ascontiguousarray(values, dtype=self.dtype).reshape(-1).view(np.uint8)
        encoded: bytes | memoryview = data.data if self.compressor is None else self.compressor.encode(data)
        return encoded

    def _decode(self, path: Path) -> np.ndarray[Any, Any]:
        # Each array has a chunk of that name.
        name = f"{path.parent.name}/{path.name}"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ValueError(f"{name} is missing") from None
        size = prod(self.chunks) * self.dtype.itemsize
        if self.compressor is not None:
            # What Blosc allocates for the values is what the file says, which may be anything.
            said = int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:16], "little")
            if said != (size, len(data)):
                raise ValueError(f"{name} is not a chunk of {size} bytes")
            try:
                data = self.compressor.decode(data)
            except RuntimeError as error:
                raise ValueError(f"{name} cannot be decompressed") from error
        if len(data) != size:
            raise ValueError(f"{name} has {len(data)} bytes, not {size}")
        return np.frombuffer(data, dtype=self.dtype).reshape(self.chunks)


@dataclass(frozen=True)
class _Part:
    """What a chunk and a region have in common: an index of the region's values, and one of the chunk's."""

    path: Path
    outside: tuple[Any, ...]
    inside: tuple[Any, ...]
    whole: bool
    """Whether it is all of the chunk that lies in the array."""


def _compressor(array: zarr.Array[Any], folder: Path) -> Blosc | None:
    first, *rest = codecs = (*array.filters, array.serializer, *array.compressors)
    is_plain = isinstance(first, BytesCodec) and first.endian in (None, Endian.little)
    if array.shards is not None or not is_plain or [type(codec) for codec in rest] not in ([], [BloscCodec]):
        raise StoreError(
            "the array is encoded in a way that sigcube does not write",
            where=str(folder),
            found=", ".join(type(codec).__name__ for codec in codecs) + (", in shards" if array.shards else ""),
            expected="numbers in little-endian bytes, as they are or compressed by Blosc",
        )
    if not rest:
        return None
    blosc: Any = rest[0]
    settings = blosc.to_dict()["configuration"]
    return Blosc(**{**settings, "shuffle": _SHUFFLES[settings["shuffle"]]})
