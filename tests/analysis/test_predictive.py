"""What the models that remain predict, and a posterior as ArviZ has it."""

import json
import sys
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.analysis import leave_one_out, posterior, predict, to_arviz
from sigcube.analysis.predictive import _quantiles
from sigcube.analysis.prior_weights import quadrature
from sigcube.cube import flag_masks, select
from sigcube.errors import SpecError
from sigcube.readers.mock import mock_survey

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

PRIOR = {"upsilon_disk": sigcube.lognormal(0.5, 0.1)}


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return mock_survey(n_galaxies=6, seed=5, points=(6, 12))


@pytest.fixture(scope="module")
def result(cube: xr.Dataset) -> xr.Dataset:
    """A sweep over two labels and two numbers; ln L as if errors were six times as large, so that bands are wide."""
    swept = sigcube.Sweep(
        cube,
        sample="unflagged",
        models={"sigma": {"kernel": "sigma", "fixed": {"window": "none"}}, "mond": "mond"},
        axes={"A": sigcube.linspace(0.0, 0.4, 9), "upsilon_disk": sigcube.linspace(0.3, 0.8, 11)},
        metrics=["chi2"],
        keep=["galaxy"],
        dtype="float64",
        roles={"nuisance": ["upsilon_disk"]},
    ).compute()
    return swept.assign(loglike=(-0.5 * swept.chi2 / 36).assign_attrs(best="largest"))


def test_a_metric_of_ones_own_is_not_needed(cube: xr.Dataset, result: xr.Dataset) -> None:
    name = str(result.galaxy.values[0])
    record = json.loads(result.attrs["spec"])
    record["metrics"] = [*record["metrics"], "mine"]
    own = result.assign_attrs(spec=json.dumps(record))
    assert predict(own, cube, systems=[name], prior=PRIOR).identical(predict(result, cube, systems=[name], prior=PRIOR))


def test_a_curve_is_the_weighted_quantile_of_all_models(cube: xr.Dataset, result: xr.Dataset) -> None:
    name = str(result.galaxy.values[2])
    found = predict(result, cube, systems=[name], prior=PRIOR)
    post = posterior(result, prior=PRIOR)
    # One model at a time, by the kernels themselves.
    total = result.loglike.sum("galaxy").transpose("model", "A", "upsilon_disk").values
    y = result.upsilon_disk.values
    rules = [np.array([3 / 8, 7 / 6, 23 / 24, *[1.0] * (n - 6), 23 / 24, 7 / 6, 3 / 8]) for n in (9, 11)]
    weights = (
        np.exp(total - total.max()) * rules[0][:, None] * (rules[1] * np.exp(PRIOR["upsilon_disk"].log_density(y)))
    )
    curves = []
    one = cube.sel(galaxy=[name])
    for model, settings in (("sigma", {"window": "none"}), ("mond", {})):
        for a in result.A.values:
            for u in y:
                own = {"A": a} if model == "sigma" else {}
                curves.append(sigcube.kernels[model].predict(one, **settings, **own, upsilon_disk=u).values[0])
    flat = weights.ravel() / weights.sum()
    order = np.argsort(-flat)
    kept = order[: np.searchsorted(np.cumsum(flat[order]), 1 - 1e-6) + 1]
    expected = _quantiles(
        np.array(curves)[kept], flat[kept] / flat[kept].sum(), np.array([0.5, 0.16, 0.025, 0.84, 0.975])
    )
    got = [found.predicted, *(found[end].sel(level=level) for end in ("low", "high") for level in (0.68, 0.95))]
    for row, each in zip(expected, got, strict=True):
        np.testing.assert_allclose(each.values[0], row, rtol=1e-5)
    assert found.attrs["share"] > 1 - 2e-6
    assert float(post["p_model"].sum()) == pytest.approx(1.0)
    assert found.observed.values[0] == pytest.approx(one.v_obs.values[0], nan_ok=True)


@pytest.mark.parametrize("where", [None, "r < 6"])
def test_a_curve_is_that_of_the_sweep_also_where_terms_go_over_whole_systems(
    cube: xr.Dataset, where: str | None
) -> None:
    """The sample leaves a point out, which would be part of a galaxy's mean velocity; a condition does not."""
    flagged = cube.copy(deep=True)
    flagged.point_flag.values[2, 0] |= flag_masks(flagged.point_flag)["nonpositive_v_obs"]
    swept = sigcube.Sweep(
        flagged, sample="unflagged", where=where, kernel="roughness", fixed={"exposure": "mean"}, metrics=["loglike"]
    )
    name = str(flagged.galaxy.values[2])
    found = predict(swept.compute(), flagged, systems=[name]).predicted.sel(galaxy=name)
    expected = sigcube.kernels["roughness"].predict(select(flagged, sample="unflagged"), exposure="mean")
    other = sigcube.kernels["roughness"].predict(flagged, exposure="mean").sel(galaxy=name)
    kept = expected.sel(galaxy=name).notnull()
    np.testing.assert_allclose(found.where(kept), expected.sel(galaxy=name), rtol=1e-12)
    assert abs(found / other - 1).max() > 1e-6


def test_errors_of_observation_make_bands_wider(cube: xr.Dataset, result: xr.Dataset) -> None:
    name = str(result.galaxy.values[0])
    model = predict(result, cube, systems=[name], prior=PRIOR)
    new = predict(result, cube, systems=[name], prior=PRIOR, noise=True)
    wide = (new.high - new.low).sel(level=0.95) / new.error
    # Of the model alone the band is narrow, so that two errors either way remain.
    assert (wide.values[np.isfinite(wide)] > 1.95 * 2 * 0.97).all()
    there = np.isfinite(model.predicted.values)
    assert (new.high - new.low).values[there].min() > (model.high - model.low).values[there].min()
    np.testing.assert_allclose(new.predicted.values[there], model.predicted.values[there], rtol=0.02)


def test_a_system_with_nuisances_of_its_own_has_its_own_posterior_of_them(cube: xr.Dataset, result: xr.Dataset) -> None:
    name = str(result.galaxy.values[1])
    found = predict(result.sel(model="mond").isel(A=[0]), cube, systems=[name], nuisances=PRIOR)
    alone = predict(result.sel(model="mond", galaxy=[name]).isel(A=[0]), cube, systems=[name], prior=PRIOR)
    # With nothing in common, the others do not matter.
    xr.testing.assert_allclose(found, alone, rtol=1e-6)


def test_a_distance_that_is_not_as_quoted_scales_the_curve(cube: xr.Dataset) -> None:
    name = str(cube.galaxy.values[3])
    errors = cube.assign(e_distance=(0.1 * cube.distance).assign_attrs(units="Mpc", long_name="e", source="test"))
    shifts = [-2.0, -1.0, 0.0, 1.0, 2.0]
    axes = {"distance_shift": shifts}
    given = {"sample": "unflagged", "metrics": ["loglike"], "keep": ["galaxy"], "dtype": "float64"}
    result = sigcube.Sweep(errors, kernel="newton", axes=axes, **given).compute()
    # Held at one place each, V goes as the root of the distance.
    weights = [[float(shift == each) for each in shifts] for shift in shifts]
    curves = [predict(result, errors, systems=[name], prior={"distance_shift": each}).predicted for each in weights]
    for shift, curve in zip(shifts, curves, strict=True):
        np.testing.assert_allclose(curve, curves[2] * np.sqrt(1 + 0.1 * shift), rtol=1e-12)


def test_what_a_model_holds_fixed_is_no_axis_of_it(cube: xr.Dataset) -> None:
    name, fixed = str(cube.galaxy.values[1]), {"a0": 3e-10, "nu": "simple"}
    result = sigcube.Sweep(
        cube,
        sample="unflagged",
        models={"held": {"kernel": "mond", "fixed": fixed}, "free": "mond"},
        axes={"a0": [1e-10, 2e-10], "nu": ["rar", "standard"]},
        metrics=["loglike"],
        keep=["galaxy"],
    ).compute()
    for model, expected in (("held", fixed), ("free", {"a0": 1e-10, "nu": "rar"})):
        found = predict(result.sel(model=[model], nu="rar").isel(a0=[0]), cube, systems=[name])
        own = sigcube.kernels["mond"].predict(cube.sel(galaxy=[name]), **expected)
        np.testing.assert_allclose(found.predicted, own, rtol=1e-12)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"systems": ["SYN00001", "UGC1"]}, "the cube has no galaxy 'UGC1'"),
        ({"systems": ["SYN00001"], "prior": None}, "upsilon_disk is a nuisance, and has no prior"),
    ],
)
def test_what_cannot_be_predicted_is_refused(cube: xr.Dataset, result: xr.Dataset, how: Any, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        predict(result, cube, **({"prior": PRIOR} | how))
    with pytest.raises(SpecError, match="does not say which model made it"):
        predict(result.drop_attrs(), cube, systems=["SYN00001"], prior=PRIOR)


def test_arviz_finds_nearly_what_is_exact_here(result: xr.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz

        data = to_arviz(result.sel(model="mond"), prior=PRIOR, n_draws=2000)
        found = arviz.loo(data)
        ranked = arviz.compare({"mond": data, "sigma": to_arviz(result.sel(model="sigma"), prior=PRIOR, n_draws=2000)})
    exact = leave_one_out(result.sel(model="mond"), prior=PRIOR)
    assert data.log_likelihood.loglike.shape == (1, 2000, 6)
    assert found.elpd_loo == pytest.approx(float(exact["elpd_loo"]), abs=0.3 + 0.5 * abs(float(exact["p_loo"])))
    # Values of the grid are drawn, so that what is drawn has the moments of these.
    x = result["upsilon_disk"].values
    shares = posterior(result.sel(model="mond"), prior=PRIOR)["p_upsilon_disk"].values * quadrature(x, in_logs=False)
    mean, drawn = shares @ x, data.posterior.upsilon_disk
    assert float(drawn.mean()) == pytest.approx(mean, abs=1e-3)
    assert float(drawn.std()) == pytest.approx(np.sqrt(shares @ (x - mean) ** 2), rel=0.02, abs=1e-12)
    assert sorted(ranked.index) == ["mond", "sigma"]
    assert "no Markov chain" in data.posterior.attrs["sampling"]


def test_without_arviz_one_is_told_how_to_get_it(result: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(SpecError, match=r"ArviZ is not installed(.|\n)*pip install"):
        to_arviz(result, prior=PRIOR)
