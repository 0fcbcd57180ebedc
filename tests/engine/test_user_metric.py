"""A metric of one's own, of any number of sums and with variables of its systems, goes where a registered one goes."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import select
from sigcube.errors import DataError, SpecError
from sigcube.model.metrics import METRICS, Metric
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record
from sigcube.rerun import rerun
from tests.sweeping import assert_same_bits, planned, whole


def residual_cubed(residual: float, residual_sq: float) -> float:
    """Δ³."""
    return residual * residual_sq


def skewness_at(n: float, total: float, total_sq: float, total_cubed: float, distance: float) -> float:
    """Skewness of the residuals over the distance in Mpc: what no registered metric is."""
    mean = total / n
    spread = np.sqrt(total_sq / n - mean * mean)
    return (total_cubed / n - 3.0 * mean * spread * spread - mean * mean * mean) / (spread * spread * spread) / distance


SKEWNESS = Metric(
    "skewness_at",
    "skewness of the residuals over distance",
    ("residual", "residual_sq", "residual_cubed"),
    skewness_at,
    "system",
    "1/Mpc",
    best="zero",
    system_variables=("distance",),
    terms={"residual_cubed": residual_cubed},
)

AXES = {"A": [0.5, 1.0, 1.5], "upsilon_disk": [0.4, 0.6]}


@pytest.fixture(scope="module")
def cube(mock_cube: xr.Dataset) -> xr.Dataset:
    return mock_cube.isel(galaxy=slice(0, 8))


@pytest.mark.slow
@pytest.mark.parametrize("keep", [[], ["galaxy"]], ids=str)
def test_it_is_what_numpy_makes_of_the_residuals(cube: xr.Dataset, keep: list[str]) -> None:
    plan, packed = planned(
        cube, kernel="sigma", axes=AXES, metrics=["rms", SKEWNESS], keep=keep, dtype="float64", reference="mond"
    )
    assert "distance" in packed.per_system
    found = whole(plan, packed)
    kept = select(cube, sample="unflagged")
    dims = {name: xr.DataArray(values, dims=name) for name, values in AXES.items()}
    residual = sigcube.kernels["sigma"].predict(kept, **dims) - kept.v_obs
    spread = residual - residual.mean("radius")
    expected = (spread**3).mean("radius") / (spread**2).mean("radius") ** 1.5 / kept.distance
    expected = expected.sel(galaxy=list(packed.systems)).transpose("galaxy", *AXES).values
    if keep:
        np.testing.assert_allclose(found["skewness_at"], expected, rtol=1e-9)
    np.testing.assert_allclose(found["skewness_at_mean"], expected.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found["skewness_at_median"], np.median(expected, axis=0), rtol=1e-9)
    alone, data = planned(
        cube, kernel="sigma", axes=AXES, metrics=["rms"], keep=keep, dtype="float64", reference="mond"
    )
    assert_same_bits(whole(alone, data), {name: found[name] for name in whole(alone, data)})


@pytest.mark.cluster
def is_near_by_number(n: float, total: float) -> int:
    """1 where the mean square is small, else 0."""
    return 1 if total / n < 1600.0 else 0


def is_near(n: float, total: float) -> bool:
    """Whether the mean square is small."""
    return total / n < 1600.0


@pytest.mark.parametrize("finish", [is_near_by_number, is_near])
def test_a_metric_of_whole_numbers_has_their_mean_and_median(cube: xr.Dataset, finish: object) -> None:
    near = Metric("near", "near", ("residual_sq",), finish, "system", "")
    options = {"kernel": "mond", "axes": {"a0": [1e-10, 3e-10]}, "keep": ["galaxy"], "dtype": "float64"}
    found = sigcube.Sweep(cube, metrics=["rms", near], **options).compute()
    expected = (found.rms**2 < 1600.0).astype(float)
    assert 0.0 < float(expected.mean()) < 1.0
    np.testing.assert_array_equal(found.near, expected)
    np.testing.assert_array_equal(found.near_median, expected.median("galaxy"))
    np.testing.assert_allclose(found.near_mean, expected.mean("galaxy"), rtol=1e-15)


def test_it_runs_on_workers_and_a_store_remembers_it(cube: xr.Dataset, tmp_path: Path) -> None:
    sweep = sigcube.Sweep(cube, kernel="newton", axes={"upsilon_disk": [0.4, 0.6]}, metrics=[SKEWNESS])
    path = tmp_path / "own.zarr"
    result = sweep.run(path, workers=1)
    np.testing.assert_array_equal(result.skewness_at_mean, sweep.compute().skewness_at_mean)
    assert result.skewness_at_mean.attrs["units"] == "1/Mpc"
    with pytest.raises(SpecError, match="the sweep has a metric that sigcube does not: 'skewness_at'"):
        sigcube.Sweep.from_result(path)
    assert rerun(path, own_metrics={"skewness_at": SKEWNESS}, workers=1).identical


def test_a_change_of_its_formula_or_of_its_terms_is_another_sweep(cube: xr.Dataset) -> None:
    def source(metric: Metric) -> str:
        return planned(cube, kernel="newton", axes={"upsilon_disk": [0.5]}, metrics=[metric])[0].identity["metrics"]

    terms = {"residual_cubed": lambda residual: residual}
    others = [replace(SKEWNESS, finish=lambda n, a, b, c, d: a / d), replace(SKEWNESS, terms=terms)]
    assert len({source(metric) for metric in (SKEWNESS, *others)}) == 3


def test_its_record_comes_back_when_it_is_handed_in() -> None:
    spec = make_spec(kernel="sigma", kind="galaxy", axes={"A": [1.0]}, metrics=["rms", SKEWNESS])
    assert spec_from_record(spec_to_record(spec), own_metrics={"skewness_at": SKEWNESS}) == spec


def test_what_it_lacks_is_named(cube: xr.Dataset) -> None:
    message = r"metric 'skewness_at' needs 'distance', which the cube does not have for each system\n  where: metrics"
    with pytest.raises(DataError, match=message):
        planned(cube.drop_vars("distance"), kernel="newton", axes={"upsilon_disk": [0.5]}, metrics=[SKEWNESS])
    with pytest.raises(DataError, match="metric 'skewness_at' needs 'v_obs', which the cube does not have for each"):
        planned(
            cube,
            kernel="newton",
            axes={"upsilon_disk": [0.5]},
            metrics=[replace(SKEWNESS, system_variables=("v_obs",))],
        )


REFUSED = [
    # names that a result has already
    (lambda: replace(SKEWNESS, name="rms"), "there is a metric 'rms' already\n  where: metrics"),
    (lambda: replace(SKEWNESS, name="rms_mean"), "a metric cannot be called 'rms_mean'"),
    (lambda: replace(SKEWNESS, name="loglike_sum"), "a metric cannot be called 'loglike_sum'"),
    (lambda: replace(SKEWNESS, name="status"), "a metric cannot be called 'status'"),
    (lambda: replace(SKEWNESS, name="section"), "a metric cannot be called 'section'"),
    # all systems together are at no distance
    (lambda: replace(SKEWNESS, scope="pooled"), "metric 'skewness_at' is of all points"),
    # terms under names of others
    (lambda: replace(SKEWNESS, terms={"pull": math.sqrt}), "metric 'skewness_at': there is a term 'pull' already"),
    (lambda: replace(SKEWNESS, terms={"boost": residual_cubed}), "a metric cannot call a term 'boost'"),
    # a sum of nothing that is known, and of what is no term
    (lambda: replace(SKEWNESS, terms={}), "adds up 'residual_cubed', which is no term"),
    (
        lambda: replace(SKEWNESS, sums=("observed", "residual", "residual_sq")),
        "adds up 'observed', which is a value of the model",
    ),
    # what the engine could not call or compile
    (lambda: replace(SKEWNESS, sums=()), "metric 'skewness_at' adds nothing up"),
    (
        lambda: replace(SKEWNESS, finish=lambda n, total: total),
        "finish does not take what the metric gives it\n  where: metrics\n  found: finish(n, total)\n"
        "  expected: finish(n, residual, residual_sq, residual_cubed, distance)",
    ),
    (lambda: replace(SKEWNESS, finish=max), "metric 'skewness_at': finish is not a plain function"),
    (
        lambda: replace(SKEWNESS, finish=lambda n, a, b, c, distance: distance.unknown),
        "\n  found: Unknown attribute 'unknown' of type float64",
    ),
    (
        lambda: replace(SKEWNESS, finish=lambda n, a, b, c, distance: (a, b)),
        "metric 'skewness_at': finish returns no number\n",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_refused(cube: xr.Dataset, make: object, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        planned(cube, kernel="newton", axes={"upsilon_disk": [0.5]}, metrics=[make()])  # type: ignore[operator]
    assert "skewness_at" not in METRICS


@pytest.mark.slow
def test_a_fit_measures_it_at_the_best_model(cube: xr.Dataset, tmp_path: Path) -> None:
    axes = {"A": sigcube.linspace(0.01, 5.0, 11)}
    fit = sigcube.Fit(cube, sample="unflagged", kernel="sigma", free=axes, metrics=[SKEWNESS])
    found = fit.run(tmp_path / "fit.zarr")
    best = {"A": ("case", [float(found.A[0])])}
    swept = sigcube.Sweep(cube, sample="unflagged", kernel="sigma", axes=best, metrics=[SKEWNESS], keep=["galaxy"])
    np.testing.assert_allclose(found.skewness_at[0], swept.compute().skewness_at[0, 0], rtol=1e-5)
    assert found.skewness_at.attrs["units"] == "1/Mpc"
