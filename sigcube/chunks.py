"""The chunks of a Zarr array, each encoded as the array's metadata say and written to the disk as one file.

Zarr's own way to write a chunk, through an event loop and a pool of threads, took a tenth of the time of a sweep.
"""

from collections.abc import Callable
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
        """Write the values of a region of whole chunks; they are on the disk on return.

        Raises
        ------
        OSError
            The disk is full or gone.
        """
        chunks = [
            range(each.start // length, -(-each.stop // length))
            for each, length in zip(region, self.chunks, strict=True)
        ]
        folders = set()
        for indices in product(*chunks):
            path = self.folder / self.key(indices)
            if path.parent != self.folder:
                make_folder(path.parent)
            part = tuple(
                slice(index * length - each.start, (index + 1) * length - each.start)
                for index, length, each in zip(indices, self.chunks, region, strict=True)
            )
            write_file(path, self._encode(values[part]))
            folders.add(path.parent)
        for folder in folders:
            sync(folder)

    def _encode(self, values: np.ndarray[Any, Any]) -> bytes | memoryview:
        if values.shape != self.chunks:
            whole = np.full(self.chunks, self.fill, dtype=self.dtype)
            whole[tuple(slice(0, length) for length in values.shape)] = values
            values = whole
        data = np.ascontiguousarray(values, dtype=self.dtype).reshape(-1).view(np.uint8)
        encoded: bytes | memoryview = data.data if self.compressor is None else self.compressor.encode(data)
        return encoded


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
