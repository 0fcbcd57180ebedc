"""The specification curve: order, choices, shares and what moves them, against brute force; repeated points."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigcube.analysis import robustness, specification_curve
from sigcube.errors import SpecError
from tests.results import kept_result, small_result


@st.composite
def rates(draw: st.DrawFn) -> xr.DataArray:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    values = draw(arrays(np.float64, shape, elements=st.sampled_from([0.1, 0.4, 0.5, 0.6, 0.9, np.nan])))
    values.flat[0] = 0.45
    dims = ("window", "k", "A")[: len(shape)]
    coords = {dim: [f"{dim}{i}" for i in range(n)] for dim, n in zip(dims, shape, strict=True)}
    return xr.DataArray(values, coords, dims, name="win_rate", attrs={"best": "largest", "units": ""})


@pytest.mark.slow
@given(array=rates(), chunked=st.booleans())
def test_the_curve_is_every_finite_value_in_order(array: xr.DataArray, chunked: bool) -> None:
    found = specification_curve(array.chunk(2) if chunked else array, threshold=0.5)
    finite = array.values[np.isfinite(array.values)]
    np.testing.assert_array_equal(found.value, np.sort(finite)[::-1])
    assert found.attrs["n_missing"] == array.size - finite.size
    # The choices lead back to the values, each point once.
    points = {str(dim): found.choice.sel(axis=dim).variable for dim in array.dims}
    np.testing.assert_array_equal(array.isel(points).values, found.value)
    assert len(set(zip(*(each.values.tolist() for each in points.values()), strict=True))) == finite.size
    assert float(found.share) == (finite > 0.5).mean()
    np.testing.assert_array_equal(found.holds, found.value > 0.5)
    for dim in array.dims:
        shares = {
            label: (each.values[np.isfinite(each.values)] > 0.5).mean()
            for label, each in array.groupby(dim, squeeze=False)
            if np.isfinite(each.values).any()
        }
        here = found.sel(axis=dim)
        assert float(here.lowest) == min(shares.values())
        assert float(here.moves) == max(shares.values()) - min(shares.values())
        assert shares[here.highest_at.item()] == max(shares.values())


@pytest.mark.parametrize(
    ("best", "threshold", "holds"),
    [
        # a win rate above, an RMS below
        ("largest", 0.5, [False, False, False, True]),
        ("smallest", 0.5, [True, True, False, False]),
        # a bias nearer to zero, a ratio nearer to one
        ("zero", 0.5, [False, True, False, False]),
        ("one", 0.4, [False, False, True, True]),
    ],
)
def test_better_is_what_the_summary_says(best: str, threshold: float, holds: list[bool]) -> None:
    array = xr.DataArray([-2.0, 0.25, 0.5, 1.5], dims="A", name="s", attrs={"best": best})
    found = specification_curve(array, threshold=threshold)
    in_order = found.sortby("value")
    expected = [each for each, value in zip(holds, array.values, strict=True) if best != "one" or value > 0]
    np.testing.assert_array_equal(in_order.holds, expected)


def test_any_statement_can_be_asked() -> None:
    found = specification_curve(small_result().rms_mean, holds=lambda values: (values > 11) & (values < 12))
    rms = found.value.values
    assert float(found.share) == ((rms > 11) & (rms < 12)).mean()


def test_without_a_statement_means_are_moved() -> None:
    array = xr.DataArray(
        [[1.0, 2.0], [3.0, 8.0]], dims=["x", "y"], coords={"x": ["a", "b"], "y": [0.5, 2.0]}, name="rms"
    )
    found = specification_curve(array)
    assert "share" not in found
    np.testing.assert_array_equal(found.moves, [5.5 - 1.5, 5.0 - 2.0])
    assert list(found.highest_at.values) == ["b", "2"]


def test_points_along_an_axis_that_a_label_does_not_use_count_once() -> None:
    array = kept_result().rms_mean
    found = specification_curve(array)
    # `geometric` has no k: 4 specifications instead of 12.
    assert (found.sizes["specification"], found.attrs["n_repeated"]) == (12 + 4, 8)
    window = array.window.values[found.choice.sel(axis="window").values]
    np.testing.assert_array_equal(found.free.sel(axis="k"), window == "geometric")
    assert not found.free.sel(axis=["window", "A"]).any()
    # Equal values alone do not make a repetition.
    plain = array.assign_coords(k=("k", array.k.values))
    assert specification_curve(plain).sizes["specification"] == 24


def test_a_specification_says_which_labels_make_no_difference() -> None:
    coords = {
        "window": ["power", "none"],
        "scale": ["peak", "third"],
        "section": (("window", "scale"), [[0, 1], [2, 2]]),
    }
    found = specification_curve(
        xr.DataArray([[1.0, 2.0], [3.0, 3.0]], dims=("window", "scale"), coords=coords, name="rms")
    )
    assert found.free.sel(axis="scale").values.tolist() == [False, False, True]
    assert not found.free.sel(axis="window").any()


def test_one_specification() -> None:
    found = specification_curve(xr.DataArray(0.7, name="win_rate", attrs={"best": "largest"}), threshold=0.5)
    assert (found.value.values.tolist(), float(found.share), found.sizes["axis"]) == ([0.7], 1.0, 0)


@pytest.mark.parametrize("threshold", ["x", np.nan, [0.5, 0.6]])
def test_a_threshold_is_a_finite_number(threshold: Any) -> None:
    with pytest.raises(SpecError, match="nothing is better or worse than this"):
        specification_curve(kept_result().rms_mean, threshold=threshold)


def first_is_nan(result: xr.Dataset) -> xr.DataArray:
    """A summary without values where the first of A is."""
    return result.rms_mean.where(result.A > result.A[0])


def test_all_roles_are_counted_in_one_way() -> None:
    array = kept_result().rms_mean
    for name, role in (("window", "arbitrary"), ("k", "arbitrary"), ("A", "physical")):
        array[name].attrs["role"] = role
    # The one place of A that weighs: its weights change no share over the other two axes, nor does uniform weight.
    threshold = float(array.isel(A=0).median())
    given = robustness(array, threshold=threshold, weights={"A": [1, 0, 0, 0]})
    uniform = robustness(array, threshold=threshold, weights={"A": np.full(4, 0.25)})
    empty = robustness(array, threshold=threshold, weights={})
    once = robustness(array, threshold=threshold)
    np.testing.assert_array_equal(given.weight, [1.0, 1.0, 1.0])
    assert float(given.share.sel(role="arbitrary")) == float(uniform.share.sel(role="arbitrary"))
    xr.testing.assert_allclose(uniform.share, empty.share)
    # `geometric` has no k, so that points which repeat it have weight, but are not counted.
    assert (float(once.weight.sel(role="arbitrary")), float(once.weight.sel(role="all"))) == (4.0, 16.0)
    assert [each.attrs["weights"] for each in (given, empty, once)] == [
        "given along A, uniform otherwise",
        "weighted, uniform",
        "uniform",
    ]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: specification_curve(r.rms), "a specification has one value"),
        (lambda r: specification_curve(r.rms_mean * np.nan), "no specification has a finite value"),
        (lambda r: specification_curve(r.rms_mean, threshold=1.0, holds=np.isfinite), "one statement at a time"),
        (lambda r: specification_curve(r.rms_mean, holds=lambda v: True), "does not tell for each value"),
        (lambda r: specification_curve(r), "one array of numbers"),
        (lambda r: specification_curve(r.rms_mean, threshold=np.nan), "nothing is better or worse than this"),
        (lambda r: specification_curve(r.rms_mean, threshold=-np.inf), "nothing is better or worse than this"),
        (lambda r: robustness(r.rms_mean, threshold=float("nan")), "nothing is better or worse than this"),
        (lambda r: robustness(r.rms_mean, threshold=1.0, weights={"A": "much"}), "weights are numbers"),
        (lambda r: robustness(r.rms_mean, threshold=1.0, weights={"A": [[0.5], [0.2, 0.3]]}), "weights are numbers"),
        (lambda r: robustness(r.rms_mean, threshold=1.0, weights={"A": [object()] * 4}), "weights are numbers"),
        (
            lambda r: robustness(first_is_nan(r), threshold=1.0, weights={"A": [1, 0, 0, 0]}),
            "finite value and a weight",
        ),
        (lambda r: specification_curve(first_is_nan(r), weights={"A": [1, 0, 0, 0]}), "finite value and a weight"),
    ],
)
def test_bad_questions_get_one_clear_error(ask: Callable[[Any], object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ask(kept_result())
