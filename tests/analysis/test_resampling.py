"""Results over other systems: the bits of a sweep of that sample, held-out and drawn systems against brute force."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.analysis import best, bootstrap, holdout, reselect, sensitivity
from sigcube.analysis.best import best_index
from sigcube.analysis.system_values import check_stored
from sigcube.errors import SpecError, StoreMismatch
from sigcube.sweep import Sweep
from tests.own_kernels import FRAGILE
from tests.results import kept_result

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

SWEEP = {
    "kernel": "mond",
    "sample": "unflagged",
    "axes": {
        "nu": ["rar", "simple"],
        "constants": ["paper", "codata"],
        "upsilon_disk": ("mass_to_light", [0.3, 0.5, 0.4]),
        "upsilon_bulge": ("mass_to_light", [0.5, 0.7, 0.9]),
        "a0": [1e-12, 1.2e-10],
    },
    "metrics": ["rms", "bias", "scatter_g"],
    "reference": "newton",
    "keep": ["galaxy"],
}


@pytest.fixture(scope="module")
def survey(mock_cube: xr.Dataset) -> xr.Dataset:
    return mock_cube.isel(galaxy=slice(0, 12))


@pytest.fixture(scope="module")
def swept(survey: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """A result that was opened from its store, and keeps float64."""
    return Sweep(survey, **SWEEP, dtype="float64").run(tmp_path_factory.mktemp("r") / "r.zarr", workers=0)


def test_other_systems_give_the_bits_of_their_own_sweep(survey: xr.Dataset, swept: xr.Dataset) -> None:
    chosen = survey.inclination > survey.inclination.median()
    found = reselect(swept, chosen)
    sweep = Sweep(survey.isel(galaxy=np.flatnonzero(chosen)), **SWEEP, dtype="float64")
    expected = sweep.compute()
    # Some systems win, and others lose.
    assert np.unique(expected.win_rate).size >= 4
    assert found.attrs["left_out"] == "scatter_g"
    assert found.attrs["sample"] == "6 of the 12 systems of unflagged"
    for name in expected.data_vars:
        if name != "scatter_g":
            assert found[name].dims == expected[name].dims
            np.testing.assert_array_equal(found[name], expected[name], err_msg=str(name))
    # A part of the grid has a part of these values, from the store or in memory with its sweep.
    part = {"nu": "simple", "constants": "codata"}
    names = ["rms_mean", "rms_median", "win_rate", "status"]
    whole = Sweep(survey, **SWEEP, dtype="float64")
    for held, given in ((swept, None), (whole.compute(), whole)):
        some = reselect(held.sel(part).isel(mass_to_light=[2, 0]), list(expected.galaxy.values), sweep=given)
        xr.testing.assert_equal(some[names], expected[names].sel(part).isel(mass_to_light=[2, 0]))
    with pytest.raises(SpecError, match="not the sweep that made the result"):
        reselect(whole.compute(), list(expected.galaxy.values), sweep=sweep)
    again = reselect(found, found.galaxy == found.galaxy)
    np.testing.assert_array_equal(again.win_rate, expected.win_rate)


def test_values_kept_as_float32_give_means_to_their_rounding(survey: xr.Dataset, swept: xr.Dataset) -> None:
    kept = swept.assign(rms=swept.rms.astype(np.float32).assign_attrs(swept.rms.attrs))
    found = reselect(kept, survey.inclination > 0)
    np.testing.assert_allclose(found.rms_mean, swept.rms_mean, rtol=6e-8)
    np.testing.assert_allclose(found.rms_median, swept.rms_median, rtol=6e-8)
    assert "float32" in found.rms_mean.attrs["comment"]
    # No win comes or goes: what is that close is evaluated again.
    np.testing.assert_array_equal(found.win_rate, swept.win_rate)
    assert "comment" not in found.win_rate.attrs
    assert "comment" not in found.bias_mean.attrs


TIED = {
    "kernel": "mond",
    "reference": "mond",
    "axes": {
        "nu": ["rar", "simple"],
        "upsilon_disk": [0.4, 0.5],
        "a0": [1.1e-10, 1.2e-10, 1.3e-10],
        "upsilon_bulge": [0.6, 0.7],
    },
    "keep": ["galaxy"],
}


@pytest.mark.parametrize("lazy", [False, True])
def test_no_rounding_decides_where_model_and_reference_are_equal(survey: xr.Dataset, lazy: bool) -> None:
    sweep = Sweep(survey, **TIED)
    result = sweep.compute()
    assert result.rms.dtype == np.float32
    # On a plane of the grid the model is the reference: nobody wins, whichever way its RMS was rounded.
    a0 = float(result.a0[1])
    assert float(result.win_rate.sel(nu="rar", a0=a0).max()) == 0.0
    given = result.chunk(a0=1, galaxy=5) if lazy else result
    found = reselect(given, survey.inclination > 0, sweep=sweep)
    np.testing.assert_array_equal(found.win_rate, result.win_rate)
    chosen = np.flatnonzero(survey.inclination > survey.inclination.median())
    names = list(survey.galaxy.values[chosen][::-1])
    expected = Sweep(survey.isel(galaxy=chosen), **TIED).compute()
    assert np.unique(expected.win_rate).size >= 2
    np.testing.assert_array_equal(reselect(given, names, sweep=sweep).win_rate, expected.win_rate)
    # In another order, and with an axis held.
    part = given.isel(a0=[1, 2], upsilon_disk=0, nu=[1, 0]).transpose("a0", ...)
    again = reselect(part, names, sweep=sweep)
    there = expected.win_rate.isel(a0=[1, 2], upsilon_disk=0, nu=[1, 0])
    xr.testing.assert_equal(again.win_rate, there.transpose("a0", ...))
    np.testing.assert_array_equal(bootstrap(given, "win_rate", n=5, sweep=sweep).estimate, result.win_rate)
    assert float(holdout(given, by="win_rate", folds=3, sweep=sweep).in_sample) == float(result.win_rate.max())


def test_a_summary_of_some_systems_says_how_many_and_answers_for_them(survey: xr.Dataset, swept: xr.Dataset) -> None:
    names = [str(name) for name in survey.galaxy.values[[1, 4, 5]]]
    found = reselect(swept, names)
    assert (swept.attrs["n_systems"], found.attrs["n_systems"]) == (12, 3)
    assert float(best(found).rms_mean) == float(found.rms_mean.min())
    with pytest.raises(SpecError, match="and not of those selected"):
        best(swept.sel(galaxy=names))


def test_a_copy_by_xarray_asks_for_its_sweep(survey: xr.Dataset, swept: xr.Dataset, tmp_path: Path) -> None:
    swept.to_zarr(tmp_path / "copy.zarr", consolidated=False)
    copy = xr.open_zarr(tmp_path / "copy.zarr", consolidated=False)
    names = [str(name) for name in survey.galaxy.values[:4]]
    with pytest.raises(SpecError, match="name the sweep that made it: sweep="):
        reselect(copy, names)
    again = reselect(copy, names, sweep=Sweep(survey, **SWEEP, dtype="float64"))
    np.testing.assert_array_equal(again.win_rate, reselect(swept, names).win_rate)


def test_a_result_of_a_kernel_of_ones_own_asks_for_its_sweep(survey: xr.Dataset, tmp_path: Path) -> None:
    sweep = Sweep(
        survey, kernel=FRAGILE, sample="unflagged", axes={"A": [0.5, 1.0]}, reference="newton", keep=["galaxy"]
    )
    result = sweep.run(tmp_path / "r.zarr", workers=0)
    with pytest.raises(SpecError) as caught:
        reselect(result, survey.inclination > 0)
    assert "'fragile'" in str(caught.value)
    assert caught.value.hint == "name the sweep that made the result: sweep="
    np.testing.assert_array_equal(reselect(result, survey.inclination > 0, sweep=sweep).win_rate, result.win_rate)


@pytest.mark.parametrize("size", [1.0, 1e-11])
def test_stored_values_of_any_size_are_compared_by_their_digits(size: float) -> None:
    stored = size * np.array([3.0, -2.0, 1e-12])
    check_stored(stored, stored * (1 + 1e-12) + 1e-12 * size, "bias_mean", rtol=1e-9)
    with pytest.raises(StoreMismatch, match="other values now than when the result was written"):
        check_stored(stored, 1.1 * stored, "bias_mean", rtol=1e-9)


def test_win_rates_that_are_not_those_of_the_result_are_refused(survey: xr.Dataset) -> None:
    sweep = Sweep(survey, **TIED)
    result = sweep.compute()
    other = result.assign(win_rate=result.win_rate + 0.25)
    with pytest.raises(StoreMismatch, match="other values now than when the result was written"):
        reselect(other, survey.inclination > 0, sweep=sweep)


def test_a_point_is_invalid_only_where_a_system_that_is_left_has_no_value() -> None:
    result = kept_result()
    result["rms"][2, 1, 1, 1] = np.nan
    result["status"][1, 1, 1] = 2
    result["status"][0, 0, 0] = 3
    names = [str(name) for name in result.galaxy.values]
    with_gap, without = reselect(result, names[1:4]), reselect(result, names[3:])
    assert np.isnan(with_gap.rms_mean[1, 1, 1])
    assert (int(with_gap.status[1, 1, 1]), int(without.status[1, 1, 1])) == (2, 1)
    # What failed stays so.
    assert int(without.status[0, 0, 0]) == 3
    assert np.isfinite(without.rms_mean).all()


def test_only_the_summaries_of_the_result_are_formed_again() -> None:
    result = kept_result().rename(rms="goodness").drop_vars(["rms_mean", "rms_median"])
    result["goodness"] = (-result.goodness).assign_attrs(best="largest")
    result["goodness_sum"] = result.goodness.sum("galaxy").assign_attrs(best="largest")
    result["goodness"][2, 1, 1, 1] = np.nan
    found = reselect(result, ["G1", "G2", "G3"])
    assert set(found.data_vars) == set(result.data_vars) - {"scatter_g"}
    assert found.goodness_sum.attrs["best"] == "largest"
    np.testing.assert_allclose(found.goodness_sum, found.goodness.sum("galaxy", skipna=False))
    with pytest.raises(SpecError, match="the result has no summary 'goodness_mean'"):
        best(found, by="goodness_mean")
    # Whether a point is valid is told without its mean.
    assert int(found.status[1, 1, 1]) == 2
    assert int(found.status.sum()) == found.status.size + 1


def test_one_system_is_its_own_mean_and_median() -> None:
    result = kept_result()
    found = reselect(result.chunk(2), ["G3"])
    assert found.sizes["galaxy"] == 1
    np.testing.assert_array_equal(found.rms_mean, result.rms.sel(galaxy="G3"))
    np.testing.assert_array_equal(found.bias_median, result.bias.sel(galaxy="G3"))


def test_a_single_point_has_answers_too() -> None:
    point = kept_result().isel(window=0, k=0, A=0)
    assert (
        float(best(point).rms_mean)
        == float(holdout(point, folds=7).in_sample)
        == pytest.approx(float(point.rms.mean()))
    )
    np.testing.assert_array_equal(best(point, per="galaxy").rms, point.rms)
    np.testing.assert_array_equal(sensitivity(point.rms).variance, np.zeros(7))
    assert float(reselect(point, ["G1"]).rms_mean) == float(point.rms[1])
    assert float(bootstrap(point, "rms", n=50).share_best) == 1.0


@pytest.mark.parametrize("by", ["rms", "rms_median", "bias"])
@pytest.mark.parametrize("chunked", [False, True])
def test_held_out_systems_are_scored_where_the_others_are_best(by: str, chunked: bool) -> None:
    result = kept_result()
    found = holdout(result.chunk(2) if chunked else result, by=by, folds=3, seed=4)
    metric, median = by.removesuffix("_median"), by.endswith("_median")

    def summary(values: xr.DataArray) -> xr.DataArray:
        made = values.median("galaxy") if median else values.mean("galaxy")
        return made.assign_attrs(result[metric].attrs)

    # The folds are a division of the systems into parts of nearly one size.
    np.testing.assert_array_equal(np.sort(np.bincount(found.fold_of)), [2, 2, 3])
    np.testing.assert_array_equal(found.n_test, np.bincount(found.fold_of))
    for fold in range(3):
        out = (found.fold_of == fold).values
        at = best_index(summary(result[metric].isel(galaxy=~out)))
        assert {dim: found[dim].values[fold] for dim in at} == {dim: result[dim].values[i] for dim, i in at.items()}
        there = result[metric].isel(at)
        assert float(found.train[fold]) == pytest.approx(float(summary(there.isel(galaxy=~out))))
        assert float(found.test[fold]) == pytest.approx(float(summary(there.isel(galaxy=out))))
        np.testing.assert_array_equal(found.held_out.values[out], there.values[out])
    whole = summary(result[metric])
    assert float(found.in_sample) == pytest.approx(float(whole.isel(best_index(whole))))
    assert float(found.out_of_sample) == pytest.approx(float(summary(found.held_out)))


def test_the_seed_decides_the_folds_and_the_draws() -> None:
    result = kept_result()
    xr.testing.assert_identical(holdout(result, folds=4, seed=1), holdout(result, folds=4, seed=1))
    assert (holdout(result, folds=4, seed=1).fold_of != holdout(result, folds=4, seed=2).fold_of).any()
    xr.testing.assert_identical(bootstrap(result, "rms", n=50), bootstrap(result, "rms", n=50, seed=0))
    assert (bootstrap(result, "rms", n=50, seed=1).low != bootstrap(result, "rms", n=50, seed=2).low).any()


@pytest.mark.parametrize("by", ["rms", "rms_median"])
def test_a_point_without_a_value_for_those_held_out_is_not_chosen(by: str) -> None:
    result = kept_result()
    # Better than all others, but for one system not there.
    result["rms"][:, 1, 2, 3] = 0.0
    result["rms"][4, 1, 2, 3] = np.nan
    found = holdout(result, by=by, folds=7)
    assert np.isfinite(found[["train", "test", "held_out", "out_of_sample"]].to_array()).all()
    assert float(found.in_sample) > 0.0
    assert (found.train > 0.0).all()


@pytest.mark.parametrize("folds", ["x", 2.5, True, 1])
def test_a_number_of_folds_is_a_whole_number(folds: Any) -> None:
    with pytest.raises(SpecError, match="folds hold out a part of the systems"):
        holdout(kept_result(), folds=folds)
    of_numpy: Any = np.int64(4)
    xr.testing.assert_identical(holdout(kept_result(), folds=of_numpy), holdout(kept_result(), folds=4))


def test_as_many_folds_as_systems_leave_out_one_at_a_time() -> None:
    result = kept_result()
    found = holdout(result, folds=7)
    np.testing.assert_array_equal(np.sort(found.fold_of), range(7))
    assert float(found.test.mean()) == pytest.approx(float(found.out_of_sample))


@pytest.mark.parametrize("by", ["rms", "rms_median"])
def test_a_bootstrap_has_the_summaries_of_its_draws(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = kept_result()
    result["rms"][0, 1, 2, 3] = np.nan
    n, confidence = 200, 0.9
    # A few points at a time.
    monkeypatch.setattr("sigcube.analysis.resampling._SUMMARIES", 5 * n)
    found = bootstrap(result.chunk(A=3), by, n=n, seed=9, confidence=confidence)
    counts = np.random.default_rng(9).multinomial(7, np.full(7, 1 / 7), size=n)
    values = result.rms.values.reshape(7, -1)
    middle = np.median if by.endswith("_median") else np.mean
    draws = np.stack([middle(np.repeat(values, row, axis=0), axis=0) for row in counts])
    shape = result.rms.shape[1:]
    np.testing.assert_allclose(found.estimate, middle(values, axis=0).reshape(shape))
    np.testing.assert_allclose(found.standard_error, draws.std(axis=0, ddof=1).reshape(shape))
    for name, share in (("low", 0.05), ("high", 0.95)):
        np.testing.assert_allclose(found[name], np.quantile(draws, share, axis=0).reshape(shape))
    assert np.isnan(found.low[1, 2, 3])
    finite = np.where(np.isfinite(draws), draws, np.inf)
    first = np.array([np.flatnonzero(np.isclose(row, row.min(), rtol=1e-14))[0] for row in finite])
    np.testing.assert_array_equal(found.share_best.values.ravel(), np.bincount(first, minlength=24) / n)


def test_win_rates_are_drawn_and_held_out_as_wins_are(swept: xr.Dataset) -> None:
    drawn = bootstrap(swept, "win_rate", n=100)
    np.testing.assert_array_equal(drawn.estimate, swept.win_rate)
    rate = swept.win_rate
    np.testing.assert_allclose(drawn.standard_error, np.sqrt(rate * (1 - rate) / 12), atol=0.03)
    scored = holdout(swept, by="win_rate", folds=3)
    assert float(scored.in_sample) == float(rate.max())
    assert set(scored.held_out.values) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: reselect(r, ["G1", "G99"]), "the result has no galaxy 'G99'"),
        (lambda r: reselect(r, []), "no system is left"),
        (lambda r: reselect(r, r.galaxy == "nobody"), "no system is left"),
        (lambda r: reselect(r, r.galaxy[:3] == "G1"), "does not say whether it holds for 'G3'"),
        (lambda r: reselect(r, r.rms_mean > 0), "a condition on each galaxy"),
        (lambda r: reselect(r.drop_vars(["rms", "bias"]), ["G1"]), r'sweep again with keep = \["galaxy"\]'),
        (lambda r: reselect(r.assign(win_rate=r.rms_mean), ["G1"]), "needs the RMS of the reference"),
        (lambda r: holdout(r, by="scatter_g"), "of all points together"),
        (lambda r: holdout(r, by="rsm"), "did you mean 'rms'"),
        (lambda r: holdout(r, folds=1), "folds hold out a part of the systems"),
        (lambda r: holdout(r, folds=8), "2 to 7"),
        (lambda r: holdout(r * np.nan, folds=2), "no grid point has a finite rms_mean"),
        (lambda r: bootstrap(r, "win_rate"), "the result has no summary 'win_rate'"),
        (lambda r: bootstrap(r, "rms", n=10**9), "cannot be drawn that often"),
        (lambda r: bootstrap(r, "rms", confidence=95), "no level of confidence"),
        (lambda r: bootstrap(r.isel(galaxy=[0]), "rms"), "there is nothing to draw from"),
    ],
)
def test_bad_questions_get_one_clear_error(ask: Callable[[xr.Dataset], object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ask(kept_result())
    assert re.search(words, str(caught.value))
