"""The best points of a result: what is best, where it is, and which axes matter there."""

import re
from collections.abc import Callable
from importlib import import_module
from math import prod
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigcube.analysis import best, profile
from sigcube.analysis.best import best_index, best_points, default_summary, far_from_best, summaries
from sigcube.errors import SpecError
from tests.results import BEST, kept_result, small_result


def test_best_points_name_the_axes_that_matter() -> None:
    points = {point["window"]: point for point in best_points(small_result())}
    assert points["power"]["k"] == BEST["k"]
    assert points["power"]["xi_scale"] == pytest.approx(BEST["xi_scale"])
    assert points["power"]["A"] == pytest.approx(BEST["A"])
    assert points["geometric"]["k"] is None
    assert (points["none"]["k"], points["none"]["xi_scale"]) == (None, None)
    assert points["none"]["rms_mean"] == pytest.approx(11.0)


def test_an_axis_that_another_summary_depends_on_is_not_any() -> None:
    result = small_result()
    result["loglike_sum"] = result["k"] - result["rms_mean"]
    result["chi2_mean"] = np.nan * result["rms_mean"] * result["A"]
    points = {point["window"]: point for point in best_points(result, value="rms_mean")}
    # ln L is that of this k, and other elsewhere.
    assert points["geometric"]["k"] == result["k"].values[0]
    assert points["geometric"]["loglike_sum"] == pytest.approx(
        -points["geometric"]["rms_mean"] + points["geometric"]["k"]
    )


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


def sides(found: xr.Dataset) -> dict[str, str]:
    """Where the best value of each axis lies, in words."""
    words = found.at_bound.attrs["flag_meanings"].split()
    return {axis: words[flag] for axis, flag in zip(found.axis.values, found.at_bound.values, strict=True)}


def test_the_best_point_says_where_it_is_how_good_and_how_flat() -> None:
    found = best(small_result())
    assert (found.window.item(), found.k.item()) == ("geometric", 0.5)
    assert (found.xi_scale.item(), found.A.item()) == pytest.approx((BEST["xi_scale"], BEST["A"]))
    assert (found.rms_mean.item(), found.win_rate.item()) == pytest.approx((10.0, 1 / (1 + np.exp(-1))))
    # 40 (x − 0.2)² ≤ 0.1 on steps of 0.02, 20 (a − 1.1)² ≤ 0.1 on steps of 0.025; under `power` k = 2 is as good.
    assert (found.xi_scale_low.item(), found.xi_scale_high.item()) == pytest.approx((0.16, 0.24))
    assert (found.A_low.item(), found.A_high.item()) == pytest.approx((1.05, 1.15))
    assert (found.k_low.item(), found.k_high.item()) == (0.5, 2.0)
    assert found.window_within.item() == "geometric, power"
    assert sides(found) == {"window": "inside", "k": "any", "xi_scale": "inside", "A": "inside"}
    wider = best(small_result(), within=0.1)
    assert wider.window_within.item() == "geometric, power, none"


@pytest.mark.parametrize(
    ("cut", "side"), [({"A": slice(0, 20)}, "upper"), ({"A": slice(30, 41)}, "lower"), ({"A": [4]}, "any")]
)
def test_a_best_value_at_the_end_of_an_axis_is_flagged(cut: dict[str, slice], side: str) -> None:
    assert sides(best(small_result().isel(cut)))["A"] == side


def test_the_box_of_the_largest_win_rate_is_below_it() -> None:
    found = best(small_result(), by="win_rate", within=0.05)
    inside = small_result().win_rate >= found.win_rate.item() * 0.95
    values = inside.A.values[inside.any(["window", "k", "xi_scale"]).values]
    assert (found.A_low.item(), found.A_high.item()) == (values.min(), values.max())


@pytest.mark.parametrize("level", [-2e4, 0.0, 30.0])
def test_the_box_of_ln_l_is_a_difference(level: float) -> None:
    """A share of ln L would depend on how many points there are, and on their units."""
    x = np.arange(0.0, 10.5, 0.5)
    attrs = {"best": "largest", "scale": "logarithm"}
    array = xr.DataArray(level - 0.5 * (x - 5.0) ** 2, {"A": x}, "A", attrs=attrs)
    result = xr.Dataset({"loglike_sum": array}, attrs={"kind": "result"})
    assert [best(result)[f"A_{end}"].item() for end in ("low", "high")] == [3.0, 7.0]
    assert [best(result, within=4.5)[f"A_{end}"].item() for end in ("low", "high")] == [2.0, 8.0]
    assert best(result).attrs["within"] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize("per_chunk", [None, 2])
def test_each_galaxy_has_the_best_point_that_it_has_alone(per_chunk: int | None) -> None:
    result = kept_result()
    result["rms"][5] = np.nan
    held = result if per_chunk is None else result.chunk(per_chunk)
    for by in ("rms", "bias"):
        found = best(held, by=by, per="galaxy", within=0.02)
        for name in result.galaxy.values:
            own, here = result[[by]].sel(galaxy=name), found.sel(galaxy=name)
            if name == "G5" and by == "rms":
                assert np.isnan(here.rms)
                assert (here.window.item(), set(sides(here).values())) == ("", {"no_value"})
                continue
            alone = best(own.drop_vars("galaxy"), by=by, within=0.02)
            xr.testing.assert_equal(here[list(alone.data_vars)].drop_vars("galaxy"), alone)


@given(array=surfaces(), part=st.integers(1, 40))
def test_a_profile_is_the_best_over_the_other_axes(array: xr.DataArray, part: int) -> None:
    array = array.assign_coords({dim: np.arange(n) / 2 for dim, n in array.sizes.items()}).rename("f")
    bare = array.drop_vars(list(array.coords))
    for keep in array.dims:
        np.testing.assert_array_equal(profile(bare, keep).f, profile(array, keep).f)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sigcube.analysis.labelled._PART", part)
            found = profile(array, keep)
        for i in range(array.sizes[keep]):
            at = best_index(array.isel({keep: i}))
            if at is None:
                assert np.isnan(found.f[i])
                continue
            assert found.f[i] == array.isel({keep: i, **at})
            assert {dim: found[dim][i].item() * 2 for dim in at} == at


def test_the_profile_of_a_tilted_bowl_is_a_parabola_along_its_valley() -> None:
    # The least of x² + x a + a² over x is ¾ a², at x = −a/2.
    x, a = (
        xr.DataArray(np.arange(-n, n + 1) / 10, dims=d, coords={d: np.arange(-n, n + 1) / 10})
        for d, n in (("x", 9), ("a", 6))
    )
    found = profile((x**2 + x * a + a**2).rename("bowl").isel(a=slice(None, None, 2)), "a")
    np.testing.assert_allclose(found.bowl, 0.75 * found.a**2, atol=1e-15)
    np.testing.assert_allclose(found.x, -found.a / 2, atol=1e-15)


def test_a_profile_along_two_axes_and_of_each_galaxy() -> None:
    rms = kept_result().rms
    found = profile(rms, "k", "window")
    assert found.rms.dims == ("galaxy", "window", "k")
    np.testing.assert_array_equal(found.rms, rms.min("A"))
    np.testing.assert_array_equal(found.A, rms.A.values[rms.argmin("A")])
    xr.testing.assert_equal(found, profile(rms.chunk(2), "k", "window"))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: profile(r.rms_mean, "q"), "there is no axis 'q' here"),
        (lambda r: profile(r.rms_mean.sel(window="power"), "window"), "it is held at power"),
        (lambda r: profile(r.rms_mean), "a profile is along an axis"),
        (lambda r: profile(r, "k"), "one array of numbers"),
        (lambda r: best(r, by="rms_men"), "did you mean 'rms_mean'"),
        (lambda r: best(r, by="rms"), "the result has no summary 'rms'"),
        (lambda r: best(r, by="rms_mean", per="galaxy"), "ask for 'rms'"),
        (lambda r: best(r, by="scatter_g", per="galaxy"), "of all points together"),
        (lambda r: best(r.drop_vars("rms"), per="galaxy"), r'keep = \["galaxy"\]'),
        (lambda r: best(r, per="cluster"), "per='galaxy'"),
        (lambda r: best(r * np.nan), "no grid point has a finite rms_mean"),
        (lambda r: best(r, within=-0.1), "0 or more"),
        (lambda r: best(r.rms_mean), "asked of the result of a sweep"),
        (lambda r: best(r.assign_attrs(kind="fit")), "a fit"),
        (lambda r: best(r.sel(galaxy="G1")), r"lost its dimension(.|\n)*found: 'G1'(.|\n)*\.sel\(galaxy=\[...\]\)"),
        (lambda r: best(r.isel(galaxy=0, drop=True)), "lost its dimension 'galaxy'"),
        (lambda r: best(r.where(r.galaxy != "G1")), r"spread over systems(.|\n)*analysis\.reselect"),
        (lambda r: best(r.assign_attrs(n_systems=7).isel(galaxy=[2, 4])), r"found: 2\n.*expected: 7\n.*reselect"),
    ],
)
def test_bad_questions_get_one_clear_error(ask: Callable[[xr.Dataset], object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ask(kept_result())
    assert re.search(words, str(caught.value))
