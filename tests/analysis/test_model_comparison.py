"""Models held against each other: counts known by construction, and the tests of scipy under known hypotheses."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube import Fit, Sweep, geomspace, linspace
from sigcube.analysis import bootstrap_win_rate, model_summary, paired_tests, wins
from sigcube.errors import SpecError
from sigcube.readers.mock import mock_survey


def result(a: list[float], b: list[float]) -> xr.Dataset:
    """As much of a fit as a comparison needs."""
    values = np.array([a, b])
    figure = {"units": "", "long_name": "reduced χ²", "best": "smallest"}
    return xr.Dataset(
        {
            "chi2_red": (("model", "galaxy"), values, figure),
            "n_points": (("model", "galaxy"), np.full(values.shape, 9)),
        },
        {"model": ["one", "other"], "galaxy": [f"G{i}" for i in range(values.shape[1])]},
    )


@given(pairs=st.lists(st.tuples(*[st.sampled_from([1.0, 1.0 + 1e-9, 2.0, 3.5, np.nan])] * 2), min_size=1))
def test_wins_and_ties_add_up_and_are_antisymmetric(pairs: list[tuple[float, float]]) -> None:
    a, b = (list(column) for column in zip(*pairs, strict=True))
    there = [(x, y) for x, y in pairs if np.isfinite([x, y]).all()]
    forth, back = (wins(result(a, b), *names, by="chi2_red") for names in (("one", "other"), ("other", "one")))
    assert forth.n == len(there)
    assert forth.first_wins == back.second_wins == sum(x < y - 1e-6 for x, y in there)
    assert forth.ties == back.ties == sum(abs(x - y) <= 1e-6 for x, y in there)
    if there:
        assert forth.rate + back.rate == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("margin", "counts"),
    [
        (0.0, (2, 1, 1)),  # differences −3, −1, 0.5 and none
        (0.5, (2, 0, 2)),  # the margin itself is a tie
        (2.0, (1, 0, 3)),
        (9.0, (0, 0, 4)),
    ],
)
def test_a_margin_makes_ties(margin: float, counts: tuple[int, int, int]) -> None:
    found = wins(result([1, 1, 2, 4], [4, 2, 1.5, 4]), "one", "other", margin=margin)
    assert (found.first_wins, found.second_wins, found.ties) == counts
    assert f"{counts[0]} : {counts[1]}, {counts[2]} ties" in str(found)


def test_a_relative_margin_is_a_share_of_the_second() -> None:
    data = result([1.04, 10.4, 104.0, 96.0, 0.94], [1.0, 10.0, 100.0, 100.0, 1.0])
    found, absolute = wins(data, "one", "other", relative=0.05), wins(data, "one", "other", margin=0.05)
    assert (found.first_wins, found.second_wins, found.ties) == (1, 0, 4)
    assert (absolute.first_wins, absolute.second_wins, absolute.ties) == (2, 2, 1)
    assert bootstrap_win_rate(data, "one", "other", relative=0.05).rate == pytest.approx(found.rate)
    assert paired_tests(data, "one", "other", relative=0.05).binomial_p == 1.0


def test_the_bootstrap_is_seeded_and_has_the_binomial_error() -> None:
    rng = np.random.default_rng(0)
    data = result(*np.where(rng.random(171) < 97 / 171, [[1.0], [2.0]], [[2.0], [1.0]]).tolist())
    found = bootstrap_win_rate(data, "one", "other", n_resamples=4000)
    assert found == bootstrap_win_rate(data, "one", "other", n_resamples=4000)
    assert found != bootstrap_win_rate(data, "one", "other", n_resamples=4000, seed=1)
    share = wins(data, "one", "other").rate
    assert found.rate == pytest.approx(share)
    # What SI §15.2 prints as the half width of a 95 % interval is one standard error of 171 galaxies.
    assert found.standard_error == pytest.approx(np.sqrt(share * (1 - share) / 171), rel=0.05)
    assert found.high - found.low == pytest.approx(4 * found.standard_error, rel=0.1)
    assert "95% interval" in str(found)


def test_a_model_that_wins_everywhere_has_no_spread() -> None:
    found = bootstrap_win_rate(result([1, 1, 1], [2, 3, 4]), "one", "other")
    assert (found.rate, found.standard_error, found.low, found.high) == (1.0, 0.0, 1.0, 1.0)


def test_paired_tests_see_a_shift_and_no_other() -> None:
    rng = np.random.default_rng(5)
    base, noise = rng.exponential(3.0, 100), rng.normal(0.0, 0.2, 100)
    same = paired_tests(result(base.tolist(), (base + noise).tolist()), "one", "other", n_resamples=999)
    shifted = paired_tests(result(base.tolist(), (base + noise + 0.3).tolist()), "one", "other", n_resamples=999)
    assert min(same.wilcoxon_p, same.permutation_p, same.binomial_p) > 0.05
    assert max(shifted.wilcoxon_p, shifted.permutation_p, shifted.binomial_p) < 0.01
    assert shifted.median_difference == pytest.approx(-0.3, abs=0.1)
    assert "signed ranks" in str(shifted)
    equal = paired_tests(result([1, 2], [1, 2]), "one", "other")
    assert (equal.wilcoxon_p, equal.binomial_p) == (1.0, 1.0)


@pytest.mark.slow
def test_a_summary_is_the_means_and_counts_of_the_systems() -> None:
    models = {
        "sigma": {
            "kernel": "sigma",
            "fixed": {"window": "free_scale"},
            "free": {"A": linspace(0.5, 5, 7), "xi": geomspace(0.1, 50, 7)},
        },
        "burr": {"kernel": "burr", "free": {"A": linspace(0, 5, 7)}},
    }
    fitted = Fit(mock_survey(n_galaxies=3, seed=2), models=models, sample="unflagged", metrics=["scatter_g"]).run()
    found = model_summary(fitted)
    np.testing.assert_allclose(found.chi2_red_median, np.median(fitted.chi2_red.values, axis=1))
    np.testing.assert_allclose(found.aic_sum, fitted.aic.values.sum(axis=1))
    np.testing.assert_array_equal(found.scatter_g, fitted.scatter_g)
    assert found.n_systems.values.tolist() == [3, 3]
    # The mock is Newtonian: the amplitude ends at the lower bound.
    assert int(found.n_lower.sel(model="sigma", parameter="A")) == 3
    assert all(array.attrs["long_name"] for array in found.data_vars.values())
    assert {name: array.attrs.get("units", "") for name, array in found.data_vars.items()} == {
        **dict.fromkeys(found.data_vars, ""),
        **{"rms_mean": "km/s", "rms_median": "km/s", "scatter_g": "dex"},
    }
    alone = model_summary(fitted.sel(model="burr"))
    assert alone.rms_mean.item() == pytest.approx(found.rms_mean.sel(model="burr").item())


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        (("one", "othr"), {}, "did you mean 'other'"),
        (("one", "other"), {"by": "chi2_rod"}, "did you mean 'chi2_red'"),
    ],
)
def test_what_is_not_there_is_refused(names: tuple[str, str], given: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        wins(result([1, 2], [2, 1]), *names, **given)


def test_a_figure_that_is_best_at_zero_has_no_winner() -> None:
    data = result([-5, -5], [0, 0]).rename(chi2_red="bias")
    data["bias"].attrs["best"] = "zero"
    with pytest.raises(SpecError, match="of which the smallest or the largest is best"):
        wins(data, "one", "other", by="bias")


def swept(**changes: Any) -> xr.Dataset:
    """A sweep of two models over an amplitude and a window, with the values of each galaxy."""
    models = {"mond": "mond", "disc": "sigma"}
    axes = {"upsilon_disk": [0.5, 0.6], "window": ["geometric", "none"]}
    spec = {"models": models, "axes": axes, "metrics": ["rms", "bias"], "keep": ["galaxy"], **changes}
    return Sweep(mock_survey(n_galaxies=6, seed=2), sample="unflagged", **spec).compute()


@pytest.mark.slow
def test_a_sweep_is_compared_at_a_point_of_its_grid() -> None:
    point = swept().isel(upsilon_disk=1, window=[1])
    found = wins(point, "mond", "disc", by="rms")
    mond, disc = (point.rms.sel(model=name).squeeze().values.astype(float) for name in ("mond", "disc"))
    assert (found.first_wins, found.second_wins) == (int((mond < disc).sum()), int((disc < mond).sum()))
    assert bootstrap_win_rate(point, "mond", "disc", by="rms").rate == found.rate
    assert paired_tests(point, "mond", "disc", by="rms").mean_difference == pytest.approx((mond - disc).mean())
    # The labels of any other axis, and its numbers.
    disc_alone = swept().sel(model="disc")
    labels = wins(disc_alone.isel(upsilon_disk=0), "none", "geometric", by="rms", along="window")
    assert (labels.first, labels.n) == ("none", 6)
    assert wins(disc_alone.sel(window="none"), 0.6, 0.5, by="rms", along="upsilon_disk").n == 6


@pytest.mark.slow
def test_what_a_sweep_lacks_for_a_comparison_is_said() -> None:
    whole = swept()
    point = whole.isel(upsilon_disk=0, window=0)
    refused: list[tuple[xr.Dataset, dict[str, Any], str]] = [
        (whole, {"by": "rms"}, r"at one point of a grid(.|\n)*found: 2 values of upsilon_disk, 2 values of window"),
        (point, {}, r"no metric 'chi2_red' of its systems(.|\n)*valid: rms"),
        (point, {"by": "rms_mean"}, r"no metric 'rms_mean' of its systems(.|\n)*valid: rms"),
        (point, {"by": "bias"}, "of which the smallest or the largest is best"),
        (point, {"by": "rms", "along": "windw"}, "no dimension 'windw', along which the compared models lie"),
        (point.sel(model="mond"), {"by": "rms"}, r"no dimension 'model'(.|\n)*ask for several models"),
        (swept(keep=[]), {"by": "rms"}, r"no values of each system to compare(.|\n)*keep = \['galaxy'\]"),
    ]
    for data, how, said in refused:
        for compare in (wins, bootstrap_win_rate, paired_tests):
            with pytest.raises(SpecError, match=said):
                compare(data, "mond", "disc", **how)
    with pytest.raises(SpecError, match="there is no model 'mnd' in the result"):
        wins(point, "mnd", "disc", by="rms")
    with pytest.raises(SpecError, match="this is not the result of a fit"):
        model_summary(whole)


def test_one_system_cannot_be_resampled() -> None:
    with pytest.raises(SpecError, match="too few systems to resample"):
        bootstrap_win_rate(result([1.0], [2.0]), "one", "other")
