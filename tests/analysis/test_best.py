"""The best points of a result: what is best, where it is, and which axes matter there."""

from importlib import import_module
from math import prod
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigcube.analysis.best import best_index, best_points, default_summary, far_from_best, summaries
from tests.results import BEST, small_result


def test_best_points_name_the_axes_that_matter() -> None:
    points = {point["window"]: point for point in best_points(small_result())}
    assert points["power"]["k"] == BEST["k"]
    assert points["power"]["xi_scale"] == pytest.approx(BEST["xi_scale"])
    assert points["power"]["A"] == pytest.approx(BEST["A"])
    assert points["geometric"]["k"] is None
    assert (points["none"]["k"], points["none"]["xi_scale"]) == (None, None)
    assert points["none"]["rms_mean"] == pytest.approx(11.0)


def test_a_combination_of_labels_without_a_finite_value_is_left_out() -> None:
    result = small_result()
    result["rms_mean"][0] = np.nan
    assert [point["window"] for point in best_points(result)] == ["power", "none"]


@st.composite
def surfaces(draw: st.DrawFn) -> xr.DataArray:
    """A summary of few different values, some of them not finite, as if read from chunks of any shape."""
    shape = tuple(draw(st.lists(st.integers(1, 7), max_size=3)))
    values = draw(arrays(np.float64, shape, elements=st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, np.nan, np.inf])))
    array = xr.DataArray(values, dims=("k", "x", "A")[: len(shape)])
    array.attrs["best"] = draw(st.sampled_from(["smallest", "largest", "zero", "one"]))
    array.encoding["preferred_chunks"] = {dim: draw(st.integers(1, n)) for dim, n in array.sizes.items()}
    return array


@given(array=surfaces(), part=st.integers(1, 40))
def test_the_best_of_parts_is_the_best_of_the_whole(array: xr.DataArray, part: int) -> None:
    distance = far_from_best(array)
    index = np.unravel_index(int(distance.argmin()), distance.shape)
    whole = dict(zip(array.dims, map(int, index), strict=True)) if np.isfinite(distance.min()) else None
    sizes = []

    def measured(piece: xr.DataArray) -> np.ndarray:
        sizes.append(piece.size)
        return far_from_best(piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigcube.analysis.labelled._PART", part)
        patch.setattr(import_module("sigcube.analysis.best"), "far_from_best", measured)
        assert best_index(array) == whole
    # Each value is read once, a chunk or so at a time.
    assert sum(sizes) == array.size
    assert max(sizes) <= max(part, prod(array.encoding["preferred_chunks"].values()))


def test_the_axes_that_matter_are_found_however_far_they_begin_to(tmp_path: Path) -> None:
    rms = np.ones((2, 1000))
    rms[1, 999] = 2.0
    coords = {"k": [1.0, 2.0], "A": np.arange(1000.0)}
    made = xr.Dataset({"rms_mean": (("k", "A"), rms), "status": (("k", "A"), np.ones((2, 1000)))}, coords)
    made.chunk(k=1, A=300).to_zarr(tmp_path / "r.zarr", consolidated=False)
    result = xr.open_zarr(tmp_path / "r.zarr", chunks=None, consolidated=False)
    assert [best_points(result.isel(k=[k]))[0]["A"] for k in (0, 1)] == [None, 0.0]


def test_ties_go_to_the_first() -> None:
    assert best_index(small_result()["rms_mean"].isel(window=2) * 0) == {"k": 0, "xi_scale": 0, "A": 0}


@pytest.mark.parametrize(
    ("best", "values", "index"),
    [
        # an RMS
        ("smallest", [3.0, 1.0, 2.0], 1),
        # a win rate
        ("largest", [0.3, 0.1, 0.6], 2),
        # a bias of either sign
        ("zero", [-0.5, -2.0, 1.0], 0),
        # half as much is as far off as twice
        ("one", [0.4, 1.9, 3.0], 1),
        # what is not finite is no candidate
        ("one", [np.nan, np.inf, 30.0], 2),
        # A model that predicts the opposite is not a good one.
        ("one", [-1.0, 0.5, 3.0], 1),
    ],
)
def test_what_is_best_is_for_the_summary_to_say(best: str, values: list[float], index: int) -> None:
    assert best_index(xr.DataArray(values, dims="A", attrs={"best": best})) == {"A": index}


def test_a_summary_has_one_value_at_each_grid_point() -> None:
    result = small_result()
    per_system = result["rms_mean"].expand_dims(galaxy=["NGC1"])
    result = result.assign(rms=per_system)
    assert "rms" not in summaries(result)
    assert "status" not in summaries(result)
    assert default_summary(result) == "rms_mean"
    assert default_summary(result.drop_vars("rms_mean")) == "win_rate"


def test_what_is_not_finite_is_infinitely_far_from_the_best() -> None:
    values = xr.DataArray([np.nan, -np.inf, -1.0, 0.0, 0.5, 2.0], dims="A", attrs={"best": "one"})
    np.testing.assert_allclose(far_from_best(values), [np.inf, np.inf, np.inf, np.inf, np.log(2.0), np.log(2.0)])


def test_a_single_value_is_the_best_unless_it_is_not_finite() -> None:
    assert best_index(xr.DataArray(1.0)) == {}
    assert best_index(xr.DataArray(np.nan)) is None
    assert best_index(xr.DataArray([np.nan, np.inf], dims="A")) is None
