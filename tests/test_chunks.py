"""Chunks that sigcube writes are read back by zarr, bit for bit, whatever the array is like."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, TransposeCodec, ZstdCodec

from sigcube.chunks import ChunkFiles
from sigcube.errors import StoreError

BLOSC = BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")


def array_of(folder: Path, **how: Any) -> zarr.Array[Any]:
    given = {"shape": (7, 5), "chunks": (3, 2), "dtype": "f8", "compressors": None, "fill_value": 0, **how}
    return zarr.create_array(folder / "a", overwrite=True, **given)


@pytest.mark.slow
@settings(max_examples=5 * settings.default.max_examples)
@given(
    shape=st.lists(st.integers(0, 9), max_size=3),
    chunk=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    dtype=st.sampled_from(["f8", "f4", "i8", "i2", "u1", "bool"]),
    blosc=st.booleans(),
    separator=st.sampled_from([".", "/"]),
    layout=st.sampled_from(["plain", "fortran", "reversed", "other byte order"]),
    seed=st.integers(0, 99),
)
def test_zarr_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    shape: list[int],
    chunk: list[int],
    dtype: str,
    blosc: bool,
    separator: str,
    layout: str,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    keys: Any = {"name": "default", "separator": separator}
    array = array_of(
        folder,
        shape=tuple(shape),
        chunks=tuple(chunk[: len(shape)]),
        dtype=dtype,
        compressors=BLOSC if blosc else None,
        chunk_key_encoding=keys,
    )
    values = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
    forms = {
        "plain": values,
        "fortran": np.asarray(values, order="F"),
        "reversed": np.flip(np.flip(values).copy()),
        "other byte order": values.astype(values.dtype.newbyteorder()),
    }
    ChunkFiles.of(array, folder / "a").write(tuple(slice(0, n) for n in shape), forms[layout])
    found = np.asarray(zarr.open_array(folder / "a", mode="r")[...])
    assert found.tobytes() == values.tobytes()
    assert found.dtype == values.dtype


def test_a_part_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    array = array_of(tmp_path)
    array[...] = np.arange(35.0).reshape(7, 5)
    ChunkFiles.of(array, tmp_path / "a").write((slice(3, 6), slice(2, 4)), np.full((3, 2), -1.0))
    expected = np.arange(35.0).reshape(7, 5)
    expected[3:6, 2:4] = -1.0
    np.testing.assert_array_equal(array[...], expected)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({"compressors": ZstdCodec()}, "BytesCodec, ZstdCodec"),
        ({"compressors": [BLOSC, ZstdCodec()]}, "BytesCodec, BloscCodec, ZstdCodec"),
        ({"filters": [TransposeCodec(order=(1, 0))]}, "TransposeCodec, BytesCodec"),
        ({"shards": (6, 4)}, "BytesCodec, in shards"),
        ({"serializer": BytesCodec(endian="big")}, "BytesCodec"),
        ({"dtype": "str", "fill_value": ""}, "VLenUTF8Codec"),
    ],
    ids=["another compressor", "two compressors", "a filter", "shards", "big-endian", "text"],
)
def test_an_encoding_that_is_not_written_is_refused(tmp_path: Path, how: dict[str, Any], found: str) -> None:
    array = array_of(tmp_path, **how)
    with pytest.raises(StoreError, match=f"a way that sigcube does not write\n(.|\n)*found: {found}\n"):
        ChunkFiles.of(array, tmp_path / "a")
