"""Fits of synthetic data: the truth comes out, bounds hold, order does not matter, and files hold what was found."""

import json
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

import sigcube
from sigcube import Fit, geomspace, linspace
from sigcube.cube import KINDS, save_cube
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS
from sigcube.model.metrics import Metric
from sigcube.readers.mock import mock_survey
from sigcube.store.result import open_result
from sigcube.sweep import Sweep
from tests.synthetic_cubes import synthetic_cube

FREE = {"window": "free_scale"}
AXES = {"A": linspace(0.01, 5.0, 21), "xi": geomspace(0.1, 50.0, 21)}
HALO = {"log_m200": linspace(6.0, 14.0, 21), "c": geomspace(1.0, 50.0, 21)}


def noiseless(kernel: str, *, n: int = 3, seed: int = 4, **truth: Any) -> xr.Dataset:
    """Galaxies that move exactly as a model says."""
    cube = mock_survey(n_galaxies=n, seed=seed, points=(8, 12))
    exact = sigcube.kernels[kernel].predict(cube, **truth)
    return cube.assign(v_obs=cube.v_obs.copy(data=exact.transpose(*cube.v_obs.dims).values))


@pytest.mark.slow
@given(A=st.floats(0.3, 4.5), xi=st.floats(0.3, 20.0))
@settings(max_examples=15)
def test_the_truth_comes_out_of_data_without_noise(A: float, xi: float) -> None:
    found = Fit(noiseless("sigma", A=A, xi=xi, **FREE), kernel="sigma", free=AXES, fixed=FREE).run()
    np.testing.assert_allclose(found.A, A, rtol=1e-4)
    np.testing.assert_allclose(found.xi, xi, rtol=1e-4)
    assert (found.chi2 < 1e-6).all()
    assert (found.at_bound == 0).all()
    assert found.converged.all()


@pytest.mark.slow
@given(log_m200=st.floats(9.0, 13.0), c=st.floats(3.0, 30.0))
@settings(max_examples=10)
def test_a_halo_comes_out_too_by_rms_and_for_the_whole_sample(log_m200: float, c: float) -> None:
    cube = noiseless("nfw", log_m200=log_m200, c=c)
    each = Fit(cube, kernel="nfw", free=HALO, objective="rms").run()
    np.testing.assert_allclose(each.log_m200, log_m200, rtol=1e-4)
    together = Fit(cube, kernel="nfw", free=HALO, scope="sample").run()
    assert together.c.dims == ()
    np.testing.assert_allclose(together.c, c, rtol=1e-3)
    assert int(together.n_points) == int(each.n_points.sum())


@pytest.mark.slow
@given(low=st.floats(0.1, 3.0), width=st.floats(0.1, 2.0), truth=st.floats(0.3, 4.5))
@settings(max_examples=15)
def test_bounds_are_respected_and_reported(low: float, width: float, truth: float) -> None:
    high = low + width
    cube = noiseless("sigma", A=truth, xi=2.0, **FREE)
    found = Fit(cube, kernel="sigma", free={"A": linspace(low, high, 7)}, fixed={**FREE, "xi": 2.0}).run()
    assert ((found.A >= low) & (found.A <= high)).all()
    side = 1 if truth < low else 2 if truth > high else 0
    if min(abs(truth - low), abs(truth - high)) > 1e-3:
        assert (found.at_bound.sel(parameter="A") == side).all()
        np.testing.assert_allclose(found.A, np.clip(truth, low, high), rtol=1e-5)
        assert bool(np.isnan(found.A_error).all()) is bool(side)


@pytest.mark.slow
def test_the_order_of_systems_does_not_matter() -> None:
    cube = mock_survey(n_galaxies=6, seed=9)
    forth = Fit(cube, kernel="sigma", free=AXES, fixed=FREE, sample="unflagged").run()
    back = Fit(cube.isel(galaxy=slice(None, None, -1)), kernel="sigma", free=AXES, fixed=FREE, sample="unflagged")
    again = back.run().sel(galaxy=forth.galaxy)
    for name in ("A", "xi", "A_error", "chi2", "rms", "covariance", "at_bound", "n_minima"):
        np.testing.assert_array_equal(forth[name], again[name])


@pytest.mark.slow
def test_the_order_of_an_axis_does_not_matter() -> None:
    cube = mock_survey(n_galaxies=2, seed=9)
    down = {"A": AXES["A"][::-1], "xi": AXES["xi"][::-1]}
    one, other = (Fit(cube, kernel="sigma", free=axes, fixed=FREE).run() for axes in (AXES, down))
    np.testing.assert_allclose(one.A, other.A, rtol=1e-9)


@pytest.mark.slow
def test_values_errors_and_covariance_are_those_of_scipys_curve_fit() -> None:
    exact = noiseless("sigma", n=4, A=1.5, xi=2.0, **FREE)
    noise = np.random.default_rng(7).normal(size=exact.v_obs.shape)
    cube = exact.assign(v_obs=exact.v_obs + exact.e_v_obs * noise)
    found = Fit(cube, kernel="sigma", free=AXES, fixed=FREE).run()
    free = [name for name in found.galaxy.values if (found.at_bound.sel(galaxy=name) == 0).all()]
    assert free
    for name in free:
        here = cube.sel(galaxy=[name])
        kept = np.isfinite(here.v_obs.values[0])

        def curve(_: Any, A: float, xi: float, here: xr.Dataset = here, kept: Any = kept) -> Any:
            return sigcube.kernels["sigma"].predict(here, A=float(A), xi=float(xi), **FREE).values[0][kept]

        v, e = here.v_obs.values[0][kept], np.maximum(here.e_v_obs.values[0][kept], 0.1)
        mine = found.sel(galaxy=name)
        best, covariance = curve_fit(
            curve, v, v, p0=[float(mine.A) * 1.05, float(mine.xi) * 1.05], sigma=e, absolute_sigma=True
        )
        np.testing.assert_allclose([mine.A, mine.xi], best, rtol=1e-4)
        np.testing.assert_allclose(mine.covariance, covariance, rtol=2e-3)
        np.testing.assert_allclose([mine.A_error, mine.xi_error], np.sqrt(np.diag(covariance)), rtol=1e-3)


@pytest.mark.slow
def test_what_is_measured_is_what_a_sweep_measures_there() -> None:
    cube = mock_survey(n_galaxies=3, seed=3)
    fit = Fit(cube, kernel="sigma", free=AXES, fixed=FREE, sample="unflagged", metrics=["bias", "scatter_g"])
    found = fit.run()
    for name in found.galaxy.values:
        at = {"A": [float(found.A.sel(galaxy=name))], "xi": [float(found.xi.sel(galaxy=name))]}
        sweep = Sweep(
            cube, kernel="sigma", axes=at, fixed=FREE, sample="unflagged", dtype="float64", keep=["galaxy"],
            metrics=["chi2", "chi2_red", "rms", "bias"], n_fitted=2,
        )  # fmt: skip
        there = sweep.compute().sel(galaxy=name).squeeze()
        for metric in ("chi2", "chi2_red", "rms", "bias"):
            np.testing.assert_allclose(found[metric].sel(galaxy=name), there[metric], rtol=1e-10)
    k, n = 2, found.n_points
    np.testing.assert_allclose(found.aic, found.chi2 + 2 * k)
    np.testing.assert_allclose(found.bic, found.chi2 + k * np.log(n))
    assert 0.0 < float(found.scatter_g) < 1.0


@pytest.mark.slow
def test_the_mean_rms_of_a_sample_is_at_the_best_of_a_fine_sweep() -> None:
    cube = mock_survey(n_galaxies=5, seed=5)
    given = {"kernel": "sigma", "sample": "unflagged"}
    found = Fit(cube, free={"A": linspace(0, 5, 11)}, fixed=FREE, scope="sample", objective="rms", **given).run()
    fine = Sweep(cube, axes={"A": linspace(0, 5, 5001)}, fixed=FREE, **given).compute().rms_mean
    assert float(found.rms) <= float(fine.min()) * (1 + 1e-12)
    assert abs(float(found.A) - float(fine.A[fine.values.argmin()])) <= 1e-3
    assert np.isnan([found.A_error, found.aic, found.bic]).all()


@pytest.mark.slow
def test_a_metric_that_reads_its_system_is_a_mean_over_systems() -> None:
    cube = noiseless("sigma", A=1.0, xi=2.0, **FREE)
    metric = Metric(
        "length", "scale length", ("chi_sq",), lambda n, total, d: d, "system", "kpc", system_variables=("r_disk",)
    )
    fixed = {**FREE, "xi": 2.0}
    fit = Fit(cube, kernel="sigma", free={"A": linspace(0, 5, 5)}, fixed=fixed, scope="sample", metrics=[metric])
    assert fit.run().length.item() == pytest.approx(float(cube.r_disk.mean()), rel=1e-12)


@pytest.mark.slow
def test_several_models_stand_side_by_side(tmp_path: Path) -> None:
    cube = mock_survey(n_galaxies=3, seed=2)
    models = {
        "disc": {"kernel": "sigma", "free": AXES, "fixed": FREE},
        "halo": {"kernel": "nfw", "free": HALO},
    }
    fit = Fit(cube, models=models, sample="unflagged")
    calls: list[tuple[str, int, int]] = []
    found = fit.run(tmp_path / "fit.zarr", on_progress=lambda *each: calls.append(each))
    assert calls == [(name, i + 1, 3) for name in models for i in range(3)]
    assert found.A.dims == ("model", "galaxy")
    assert np.isnan(found.A.sel(model="halo")).all()
    assert (found.at_bound.sel(model="halo", parameter="A") == 3).all()
    assert found.covariance.dims == ("model", "galaxy", "parameter", "parameter_")
    alone = Fit(cube, kernel="nfw", free=HALO, sample="unflagged").run()
    np.testing.assert_array_equal(found.c.sel(model="halo"), alone.c)
    opened = open_result(tmp_path / "fit.zarr").load()
    xr.testing.assert_identical(opened.drop_attrs(), found.drop_attrs())
    assert opened.attrs == found.attrs
    assert opened.attrs["kind"] == "fit"
    assert opened.attrs["synthetic"] == 1
    titles = ", ".join(KERNELS[model["kernel"]].title for model in models.values())
    assert opened.attrs["title"].startswith(f"{titles} over ")
    np.testing.assert_array_equal(opened.inclination, cube.inclination)
    assert opened.n_points.dims == ("model", "galaxy")
    assert opened.window.item() == "free_scale"
    record = json.loads(opened.attrs["spec"])
    assert [model["kernel"] for model in record["models"]] == ["sigma", "nfw"]
    assert record["models"][0]["free"]["A"] == list(AXES["A"])
    for name, variable in opened.data_vars.items():
        u.Unit(variable.attrs.get("units", ""))
        assert variable.attrs["long_name"], name
    with pytest.raises(SpecError, match="this is a result of a fit, not a result of a sweep"):
        Sweep.from_result(tmp_path / "fit.zarr")


@pytest.mark.slow
def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    cube = mock_survey(n_galaxies=1, seed=2)
    fit = Fit(cube, kernel="sigma", free={"A": linspace(0, 5, 5)})
    fit.run(tmp_path / "fit.zarr")
    with pytest.raises(DataError, match="there is already something here"):
        fit.run(tmp_path / "fit.zarr")
    fit.run(tmp_path / "fit.zarr", overwrite=True)
    save_cube(cube, tmp_path / "cube.zarr")
    with pytest.raises(DataError, match="what is here is not a fit, so it is not overwritten"):
        fit.run(tmp_path / "cube.zarr", overwrite=True)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["star", "cluster", "landmark"])
def test_cubes_of_every_kind_can_be_fitted(kind: str) -> None:
    cube = synthetic_cube(KINDS[kind], systems=8)
    found = Fit(cube, kernel="sigma", free={"g_dagger": geomspace(1e-12, 1e-8, 9)}, scope="sample", objective="rms")
    result = found.run()
    assert result.g_dagger.dims == ()
    assert np.isfinite(result.g_dagger)
    assert 1e-12 <= float(result.g_dagger) <= 1e-8


@pytest.mark.slow
def test_a_system_without_a_finite_value_has_none_and_the_others_theirs() -> None:
    cube = noiseless("sigma", A=1.0, xi=2.0, **FREE)
    broken = cube.assign(v_obs=cube.v_obs.where(cube.galaxy != cube.galaxy[1], -np.inf).where(cube.v_obs.notnull()))
    found = Fit(broken, kernel="sigma", free={"A": linspace(0, 5, 11)}, fixed={**FREE, "xi": 2.0}).run()
    np.testing.assert_array_equal(found.converged, [True, False, True])
    np.testing.assert_array_equal(found.n_minima, [1, 0, 1])
    assert np.isnan(found.A[1])
    np.testing.assert_allclose(found.A[[0, 2]], 1.0, rtol=1e-6)
    none = cube.assign(v_obs=cube.v_obs * np.inf)
    with pytest.raises(DataError, match="sigma has no finite chi2 for any system"):
        Fit(none, kernel="sigma", free={"A": linspace(0, 5, 11)}).run()
    unknown = cube.assign(e_v_obs=cube.e_v_obs * np.nan)
    with pytest.raises(DataError, match=r"do: no e_v_obs at \d+ points of 3 galaxies.*where = 'e_v_obs > 0'"):
        Fit(unknown, kernel="sigma", free={"A": linspace(0, 5, 11)}).run()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"free": {"B": [1.0, 2.0]}}, r"no parameter 'B'(.|\n)*where: model.free.B of sigma"),
        ({"free": {"xi_scal": [1.0, 2.0]}}, "did you mean 'xi_scale'"),
        ({"free": {"window": ["none", "geometric"]}}, "'window' is a choice, not a number that can be fitted"),
        ({"free": {"A": [-1.0, 2.0]}}, r"A is out of bounds(.|\n)*model.free.A(.|\n)*0 to 100"),
        ({"free": {"A": [1.0]}}, "the axis of 'A' must span its bounds"),
        ({"free": {"A": ["one", "two"]}}, "parameter 'A' takes numbers"),
        ({"free": {"A": ("x", [1.0, 2.0]), "k": ("x", [1.0, 2.0])}}, "cannot be told apart"),
        ({"free": {}}, "a fit needs at least one parameter"),
        ({"free": {"k": [1.0, 2.0]}}, r"no reading of sigma in this fit uses 'k'"),
        ({"fixed": {"windw": "none"}}, r"model.fixed of sigma(.|\n)*did you mean 'window'"),
        ({"fixed": {"A": 1.0}}, "both an axis and held fixed"),
        ({"sample": "unflaged"}, "did you mean 'unflagged'"),
        ({"scope": "galaxy"}, "there is no scope 'galaxy'"),
        ({"objective": "chi"}, "did you mean 'chi2'"),
        ({"metrics": ["rsm"]}, "did you mean 'rms'"),
        ({"kernel": "sigmo"}, "did you mean 'sigma'"),
        ({"metrics": "rms"}, "metrics must be a list"),
        ({"metrics": 3}, "metrics must be a list(.|\n)*found: 3"),
        ({"metrics": [["rms"]]}, "metrics must be a list"),
        ({"kernel": None}, "either a kernel or several models"),
        ({"kernel": None, "free": None, "models": {}}, "either a kernel or several models"),
        ({"models": {"a": {"kernel": "nfw"}}}, "either a kernel or several models"),
        ({"free": {name: [0.5, 1.5] for name in ("A", "upsilon_disk", "upsilon_bulge", "coherence", "z")}
          | {"coherence": [0.5, 1.0]}}, r"too few points to fit 5 parameters of sigma(.|\n)*found: 5 in"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_message(given: dict[str, Any], said: str) -> None:
    cube = mock_survey(n_galaxies=2, seed=2, points=(5, 5))
    with pytest.raises(SpecError, match=said):
        Fit(cube, **{"kernel": "sigma", "free": {"A": [0.0, 1.0, 2.0]}, **given})


def test_a_cube_without_its_dimension_of_systems_is_refused() -> None:
    one = mock_survey(n_galaxies=2, seed=2).isel(galaxy=0)
    with pytest.raises(DataError, match=r"lost its dimension 'galaxy'(.|\n)*\.sel\(galaxy="):
        Fit(one, kernel="sigma", free={"A": [0.0, 1.0]})


def test_models_that_cannot_share_a_result_are_refused() -> None:
    cube = mock_survey(n_galaxies=1, seed=2)
    with pytest.raises(SpecError, match="model 'a' is not a table of kernel, free and fixed"):
        Fit(cube, models={"a": {"kernle": "nfw"}})
    with pytest.raises(SpecError, match="each model has what is free"):
        Fit(cube, models={"a": {"kernel": "nfw"}}, free=HALO)
    clash = sigcube.Parameter("rms", "x", 1.0, "", (0.0, 9.0), "fixed", "a test", "clash")
    rms = sigcube.Kernel("clash", "a clash", "a test", {"boost": lambda rms: 1.0 + rms}, (clash,))
    with pytest.raises(SpecError, match="a fitted parameter cannot be called 'rms'"):
        Fit(cube, kernel=rms, free={"rms": [0.0, 1.0, 2.0]})
    models = {}
    for name, unit in (("a", "kpc"), ("b", "")):
        parameter = sigcube.Parameter("x", "x", 1.0, unit, (0.0, 9.0), "fixed", "a test", "a parameter")
        kernel = sigcube.Kernel(name, "a kernel", "a test", {"boost": lambda x: 1.0 + x}, (parameter,))
        models[name] = {"kernel": kernel, "free": {"x": [0.0, 1.0, 2.0]}}
    with pytest.raises(SpecError, match="two models give 'x' in different units"):
        Fit(cube, models=models)


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["system", "sample"])
@pytest.mark.parametrize("objective", ["rms", "chi2"])
def test_a_condition_on_points_changes_what_is_fitted_and_not_the_model(scope: str, objective: str) -> None:
    """Data that a model of whole curves gives are fitted exactly, also by a part of their points."""
    labels = {"velocity": "baryonic", "dispersion": "parameter"}
    cube = noiseless("roughness", K_0=1.3, **labels)
    how: dict[str, Any] = {"fixed": labels, "scope": scope, "objective": objective}
    fit = Fit(cube, kernel="roughness", free={"K_0": linspace(0.1, 5.0, 8)}, where="r < 4 or r > 10", **how)
    found = fit.run()
    assert int(found.n_points.sum()) < int((cube.point_flag == 0).sum())
    np.testing.assert_allclose(found.K_0, 1.3, rtol=1e-5)
    assert float(found.rms.max()) < 1e-4
