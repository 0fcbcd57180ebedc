"""Ablations: what is compared with what, system by system, and the statistics of it."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sigcube.analysis import ablation
from sigcube.analysis.best import best_index
from sigcube.errors import SpecError
from tests.results import kept_result

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


def labelled_result(**options: Any) -> xr.Dataset:
    """A result with three windows and two laws, numbers k and A besides."""
    result = kept_result(**options)
    third = (result.isel(window=1) + 0.5).assign_coords(window="cubic")
    windows = xr.concat([result, third], dim="window", combine_attrs="override", data_vars="minimal")
    laws = [windows, windows * 1.1 - windows.rms_mean * 0.02]
    both = xr.concat(laws, dim="law", combine_attrs="override").assign_coords(law=["constant", "unified"])
    both["rms"] = both.rms.transpose("galaxy", "law", "window", "k", "A").assign_attrs(best="smallest", units="km/s")
    both["rms_mean"] = both.rms.mean("galaxy").assign_attrs(best="smallest", units="km/s")
    return both


@pytest.mark.parametrize("profiled", [(), ("k", "A")])
def test_each_label_is_compared_with_the_baseline_galaxy_by_galaxy(profiled: tuple[str, ...]) -> None:
    result = labelled_result(n_galaxies=20)
    result["rms"][3, 1] = np.nan
    found = ablation(result, baseline={"window": "power"}, profiled=profiled, n_resamples=999)
    base = {"window": 1, **best_index(result.rms_mean.isel(window=1))}
    place = {dim: result[dim].values[i] for dim, i in base.items()}
    assert {dim: found[dim].item() for dim in place} == place
    law = place["law"]
    other = "constant" if law == "unified" else "unified"
    assert list(zip(found.axis.values, found.label.values, strict=True)) == [
        ("law", other),
        ("window", "geometric"),
        ("window", "cubic"),
    ]
    ours = result.rms.sel(place)
    assert float(found.baseline) == pytest.approx(float(ours.mean()), nan_ok=True)
    p_values = []
    for i in range(3):
        change = found.isel(change=i)
        labels = {"law": law, "window": "power", change.axis.item(): change.label.item()}
        at = {"k": place["k"], "A": place["A"]}
        if profiled:
            index = best_index(result.rms_mean.sel(labels))
            at = {dim: result[dim].values[j] for dim, j in index.items()}
        theirs = result.rms.sel(labels | at)
        d = (theirs - ours).dropna("galaxy").values
        assert int(change.n_systems) == d.size
        assert float(change.difference) == pytest.approx(d.mean())
        assert (int(change.better), int(change.worse)) == ((d < 0).sum(), (d > 0).sum())
        assert float(change.p_value) == pytest.approx(stats.wilcoxon(d).pvalue)
        p_values.append(float(change.p_value))
        interval = stats.bootstrap((d,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(0))
        assert (float(change.low), float(change.high)) == pytest.approx(tuple(interval.confidence_interval))
    assert found.attrs["n_compared"] == 3
    # Holm: the smallest p times three, the next times two, never less than one before.
    ordered, running = np.argsort(p_values), 0.0
    for rank, i in enumerate(ordered):
        running = max(running, min(1.0, p_values[i] * (3 - rank)))
        assert float(found.p_adjusted[i]) == pytest.approx(running)


def test_axes_of_numbers_are_compared_when_named() -> None:
    found = ablation(kept_result(), baseline={"window": "power", "k": 1.0 + 1e-13}, over="k")
    assert list(found.axis.values) == ["k", "k"]
    assert list(found.label.values) == ["0.5", "2"]


def test_a_label_that_makes_no_difference_is_worth_nothing() -> None:
    result = kept_result()
    result["rms"][:, 1] = result["rms"][:, 0]
    found = ablation(result, baseline={"window": "geometric"}).isel(change=0)
    assert [float(found[name]) for name in ("difference", "low", "high", "p_value", "p_adjusted")] == [0, 0, 0, 1, 1]
    assert (int(found.better), int(found.worse), int(found.n_systems)) == (0, 0, 7)


def test_one_galaxy_has_a_difference_but_no_interval() -> None:
    result = kept_result().isel(galaxy=[0])
    found = ablation(result, baseline={"window": "geometric"}).isel(change=0)
    assert np.isfinite(found.difference)
    assert np.isnan([float(found[name]) for name in ("low", "high", "p_value", "p_adjusted")]).all()


def test_a_bias_is_better_where_it_is_nearer_to_zero() -> None:
    result = kept_result()
    found = ablation(result, baseline={"window": "geometric"}, by="bias").isel(change=0)
    at = {dim: found[dim].item() for dim in ("k", "A")}
    ours, theirs = (result.bias.sel(at).sel(window=window) for window in ("geometric", "power"))
    assert int(found.better) == int((abs(theirs) < abs(ours)).sum())


def test_chunks_make_no_difference() -> None:
    result = labelled_result()
    xr.testing.assert_identical(ablation(result), ablation(result.chunk(2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": {"window": "geometrical"}}, "window has no label 'geometrical'.*did you mean 'geometric'"),
        ({"baseline": {"A": 1.25}}, "A has no value 1.25.*0.5 to 2 in 4.*the nearest: 1"),
        ({"baseline": {"A": "1"}}, "A takes numbers"),
        ({"baseline": {"windw": "none"}}, "there is no axis 'windw'.*did you mean 'window'"),
        ({"over": ["q"]}, "there is no axis 'q'"),
        ({"by": "rms_median"}, "not by medians"),
        ({"by": "scatter_g"}, "of all points together"),
        ({"profiled": "window"}, "is treated in two ways"),
    ],
)
def test_bad_questions_get_one_clear_error(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ablation(kept_result(), **options)
    assert re.search(words, str(caught.value), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.isel(window=0), "there are no labels to compare"),
        (lambda r: r.assign_attrs(n_systems=7).isel(galaxy=[2, 4]), "and not of those selected"),
        (lambda r: r.drop_vars("rms"), r'keep = \["galaxy"\]'),
        (lambda r: r.assign(rms_mean=r.rms_mean * np.nan), "no point of the baseline has a finite value"),
    ],
)
def test_results_that_cannot_answer_say_so(change: Callable[[xr.Dataset], xr.Dataset], words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        ablation(change(kept_result()))
    assert caught.value.where


def test_a_baseline_is_a_table() -> None:
    given: Any = "window=none"
    with pytest.raises(SpecError, match="a baseline names its axes"):
        ablation(kept_result(), baseline=given)


def test_a_baseline_cannot_lie_at_two_places_of_one_dimension() -> None:
    result = kept_result().assign_coords(B=("A", [1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(SpecError, match="B does not have this value there"):
        ablation(result, baseline={"A": 0.5, "B": 2.0})
