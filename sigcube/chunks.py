"""The chunks of a Zarr array, each encoded as its metadata say and put on the disk as one file.

Zarr's own way to a chunk, through an event loop and a pool of threads, took a tenth of the time of a sweep.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec, BytesCodec, Endian

from sigcube.errors import StoreError
from sigcube.files import make_folder, sync, write_file

__all__ = ["ChunkFiles", "Region"]

Region = tuple[slice, ...]

_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


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
        What stands in a chunk beyond the end of the array.
    key : callable
        Name of the file of a chunk, from its place among the chunks.
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
        """Take from an open array what its files are like.

        Raises
        ------
        StoreError
            Its chunks are encoded in a way that sigcube does not write.
        """
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
        """Write the values of a region of whole chunks; they are on the disk on return.

        Raises
        ------
        OSError
            The disk is full or gone.
        """
        folders = {self._write_chunk(chunk, values[_within(chunk, region)]) for chunk in _cut(region, self.chunks)}
        for folder in folders:
            sync(folder)

    def _write_chunk(self, chunk: Region, values: np.ndarray[Any, Any]) -> Path:
        place = tuple(each.start // unit for each, unit in zip(chunk, self.chunks, strict=True))
        path = self.folder / self.key(place)
        if path.parent != self.folder:
            make_folder(path.parent)
        write_file(path, self._encode(values))
        return path.parent

    def _encode(self, values: np.ndarray[Any, Any]) -> bytes | memoryview:
        if values.shape != self.chunks:
            whole = np.full(self.chunks, self.fill, dtype=self.dtype)
            whole[tuple(slice(0, length) for length in values.shape)] = values
            values = whole
        data = np.ascontiguousarray(values, dtype=self.dtype).reshape(-1).view(np.uint8)
        encoded: bytes | memoryview = data.data if self.compressor is None else self.compressor.encode(data)
        return encoded


def _compressor(array: zarr.Array[Any], folder: Path) -> Blosc | None:
    codecs = (*array.filters, array.serializer, *array.compressors)
    if array.shards is not None or not _is_plain(*codecs):
        raise StoreError(
            "the array is encoded in a way that sigcube does not write",
            where=str(folder),
            found=", ".join(type(codec).__name__ for codec in codecs) + (", in shards" if array.shards else ""),
            expected="numbers in little-endian bytes, as they are or compressed by Blosc",
        )
    compressor: Any = codecs[-1]
    if isinstance(compressor, BytesCodec):
        return None
    settings = compressor.to_dict()["configuration"]
    return Blosc(**{**settings, "shuffle": _SHUFFLES[settings["shuffle"]]})


def _is_plain(first: object, *rest: object) -> bool:
    return (
        isinstance(first, BytesCodec)
        and first.endian in (None, Endian.little)
        and [type(codec) for codec in rest] in ([], [BloscCodec])
    )


def _cut(region: Region, chunks: tuple[int, ...]) -> Iterator[Region]:
    """Cut a region of whole chunks into these."""
    cuts = (
        [slice(start, min(start + unit, each.stop)) for start in range(each.start, each.stop, unit)]
        for each, unit in zip(region, chunks, strict=True)
    )
    return product(*cuts)


def _within(part: Region, region: Region) -> Region:
    return tuple(
        slice(each.start - around.start, each.stop - around.start) for each, around in zip(part, region, strict=True)
    )
