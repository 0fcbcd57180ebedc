import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigcube.cube import KINDS, fingerprint, open_cube, save_cube
from sigcube.cube.streaming import Late, Pieces, stream_cube
from sigcube.errors import DataError
from tests.synthetic_cubes import STAR_ATTRS

STAR = KINDS["star"]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of seven stars, and five identifiers compared at a time."""
    monkeypatch.setattr("sigcube.cube.storage._CHUNK_BYTES", 56)
    monkeypatch.setattr("sigcube.cube.streaming._SORTED", 5)


def stars(n: int, *, seed: int = 1) -> xr.Dataset:
    """All that a star cube needs but the dispersion."""
    rng = np.random.default_rng(seed)
    variables = {}
    for variable in STAR.variables:
        if variable.required and variable.name != "sigma_r":
            values = np.abs(rng.normal(size=n)) if variable.dtype == "float64" else np.zeros(n)
            values = rng.permutation(np.arange(n) + 2**60) if variable.name == "source_id" else values
            variables[variable.name] = ("star", values.astype(variable.dtype), variable.attrs(source="a test"))
    return xr.Dataset(variables)


LATE = Late("sigma_r", "r", lambda r: 2.0 * r, STAR.variable("sigma_r").attrs(source="a test"))


def cut(ds: xr.Dataset, lengths: list[int]) -> Iterator[xr.Dataset]:
    """Divide stars into pieces of such lengths, and the rest."""
    start = 0
    for length in [*lengths, ds.sizes["star"]]:
        yield ds.isel(star=slice(start, start + length))
        start += length


def save(ds: xr.Dataset, path: Path, *lengths: int, **rest: Any) -> Path:
    pieces = Pieces(cut(ds, list(lengths)), "star", late=(LATE,), unique="source_id", place=lambda i: f"row {i + 1}")
    return stream_cube(pieces, path, attrs=STAR_ATTRS, **rest)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 40), lengths=st.lists(st.integers(0, 20), max_size=6))
def test_a_cube_in_pieces_is_the_cube_saved_at_once(n: int, lengths: list[int], tmp_path: Path) -> None:
    ds = stars(n)
    streamed = open_cube(save(ds, tmp_path / "pieces.zarr", *lengths, overwrite=True))
    whole = ds.assign(sigma_r=("star", 2.0 * ds.r.values, dict(LATE.attrs))).assign_attrs(
        {**STAR_ATTRS, "kind": "star"}
    )
    xr.testing.assert_identical(streamed, open_cube(save_cube(whole, tmp_path / "whole.zarr", overwrite=True)))
    assert streamed.attrs["fingerprint"] == fingerprint(whole)


@pytest.mark.slow
def test_pieces_of_another_byte_order_are_the_same_cube(tmp_path: Path) -> None:
    ds = stars(30)
    turned = ds.assign({name: array.astype(array.dtype.newbyteorder()) for name, array in ds.data_vars.items()})
    xr.testing.assert_identical(
        open_cube(save(turned, tmp_path / "turned.zarr", 4, 9)), open_cube(save(ds, tmp_path / "cube.zarr", 4, 9))
    )


@pytest.mark.slow
def test_the_store_is_in_chunks_of_one_length(tmp_path: Path) -> None:
    path = save(stars(30), tmp_path / "cube.zarr", 4, 9)
    for name in ("r", "source_id", "point_flag", "sigma_r"):
        array = zarr.open_array(str(path / name))
        assert (array.shape, array.chunks) == ((30,), (7,)), name


def test_late_variables_are_made_after_the_last_piece(tmp_path: Path) -> None:
    seen: list[float] = []

    def pieces() -> Iterator[xr.Dataset]:
        for piece in cut(stars(20), [5, 5]):
            seen.append(float(piece.r.max()) if piece.r.size else 0.0)
            yield piece

    late = Late("sigma_r", "r", lambda r: np.full_like(r, max(seen)), LATE.attrs)
    cube = open_cube(stream_cube(Pieces(pieces(), "star", late=(late,)), tmp_path / "cube.zarr", attrs=STAR_ATTRS))
    assert (cube.sigma_r == cube.r.max()).all()


@pytest.mark.slow
@pytest.mark.parametrize("twin", [1, 6, 7, 29], ids=lambda n: f"row {n + 1}")
def test_the_same_star_twice_is_told_by_its_places(twin: int, tmp_path: Path) -> None:
    ds = stars(30)
    ds.source_id[twin] = ds.source_id[0]
    message = rf"source_id {int(ds.source_id[0])} is there 2 times\n  where: source_id, row 1, row {twin + 1}"
    with pytest.raises(DataError, match=message):
        save(ds, tmp_path / "cube.zarr", 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_many_twins_are_one_error_that_tells_of_twenty(tmp_path: Path) -> None:
    ds = stars(60)
    ds["source_id"] = ("star", np.repeat(np.arange(30), 2), ds.source_id.attrs)
    with pytest.raises(DataError, match="20 faults") as caught:
        save(ds, tmp_path / "cube.zarr")
    assert len(re.findall("is there 2 times", str(caught.value))) == 20


def _nan(ds: xr.Dataset) -> None:
    ds.v_phi[16] = np.nan


def _unknown_flag(ds: xr.Dataset) -> None:
    ds.point_flag[16] = 128


def _negative(ds: xr.Dataset) -> None:
    ds.r[16] = -1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_nan, r"NaN or infinite without a flag\n  where: .*, variable 'v_phi', star 16"),
        (_unknown_flag, "a bit without a meaning"),
        (_negative, r"out of range\n  where: .*, variable 'r', star 16"),
    ],
)
def test_each_piece_is_validated(spoil: Callable[[xr.Dataset], None], message: str, tmp_path: Path) -> None:
    ds = stars(30)
    spoil(ds)
    with pytest.raises(DataError, match=message):
        save(ds, tmp_path / "cube.zarr")
    assert list(tmp_path.iterdir()) == []


def test_late_variables_are_validated(tmp_path: Path) -> None:
    late = Late("sigma_r", "r", lambda r: np.full_like(r, np.nan), LATE.attrs)
    with pytest.raises(DataError, match=r"variable 'sigma_r', star 0 and 6 more"):
        stream_cube(Pieces([stars(30)], "star", late=(late,)), tmp_path / "cube.zarr", attrs=STAR_ATTRS)


def test_a_variable_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\n  where: .*variable 'sigma_r'"):
        stream_cube(Pieces([stars(3)], "star"), tmp_path / "cube.zarr", attrs=STAR_ATTRS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pieces", [[], [stars(0)]], ids=["no pieces", "an empty piece"])
def test_no_points_are_no_cube(pieces: list[xr.Dataset], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no star\n  where: synthetic stars of a test"):
        stream_cube(Pieces(pieces, "star", late=(LATE,)), tmp_path / "cube.zarr", attrs=STAR_ATTRS)


def test_a_fault_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    path = save(stars(5), tmp_path / "cube.zarr")

    def broken() -> Iterator[xr.Dataset]:
        yield stars(10)
        raise DataError("line 11 is wrong")

    with pytest.raises(DataError, match="line 11 is wrong"):
        stream_cube(Pieces(broken(), "star", late=(LATE,)), path, attrs=STAR_ATTRS, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["cube.zarr"]
    assert open_cube(path).sizes["star"] == 5


def test_a_cube_is_not_overwritten_unasked_and_nothing_is_read_for_it(tmp_path: Path) -> None:
    path = save(stars(5), tmp_path / "cube.zarr")

    def never() -> Iterator[xr.Dataset]:
        raise AssertionError("read")
        yield

    with pytest.raises(DataError, match="there is already something here"):
        stream_cube(Pieces(never(), "star"), path, attrs=STAR_ATTRS)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    asked: list[int] = []

    def fsync(handle: int) -> None:
        asked.append(handle)
        if len(asked) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DataError, match=r"the cube could not be saved\n  where: .*cube.zarr\n  found: .*No space left"):
        save(stars(30), tmp_path / "cube.zarr")
    assert list(tmp_path.iterdir()) == []
