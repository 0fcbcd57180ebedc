"""ln L of sweeps over the real SPARC galaxies, against NumPy and SciPy; and what a result does with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube import analysis
from sigcube.cube import select
from sigcube.errors import StoreMismatch
from sigcube.kernels import KERNELS
from sigcube.model.likelihood import over_scale, scale_prior
from sigcube.model.normal_regression import log_scale_prior
from sigcube.rerun import rerun
from tests.scaled_density import scaled_density

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

BOTH = {"distance": True, "inclination": True}
AXES = {"a0": [0.8e-10, 1.2e-10, 1.6e-10], "upsilon_disk": [0.4, 0.6]}


def swept(cube: xr.Dataset, **given: Any) -> sigcube.Sweep:
    usual = {"sample": "paper171", "kernel": "mond", "metrics": ["loglike"], "keep": ["galaxy"], "dtype": "float64"}
    return sigcube.Sweep(cube, **{**usual, **given})


@pytest.fixture(scope="module")
def result(sparc_cube: xr.Dataset) -> xr.Dataset:
    return swept(sparc_cube, axes=AXES, errors=BOTH, reference="newton").compute()


def points(cube: xr.Dataset, kernel: str, factor: xr.DataArray | float = 1.0, **settings: Any) -> xr.Dataset:
    """Predicted and observed velocities with their errors, NaN where the sample has no point."""
    known = select(cube, sample="paper171").v_obs.notnull()
    v = KERNELS[kernel].predict(cube, **settings) * factor
    return xr.Dataset({"v": v, "o": cube.v_obs, "e": np.maximum(cube.e_v_obs, 0.1)}).where(known)


def log_l(at: xr.Dataset) -> xr.DataArray:
    return (-0.5 * ((at.v - at.o) / at.e) ** 2 - 0.5 * np.log(2.0 * np.pi * at.e**2)).sum("radius")


def test_every_galaxy_is_a_gaussian_with_the_covariance_of_a_common_scale(
    sparc_cube: xr.Dataset, result: xr.Dataset
) -> None:
    """With Υ as an axis: ln L against the determinant and the inverse of diag σ² + τ² V Vᵀ."""
    at = points(sparc_cube, "mond", a0=1.2e-10, upsilon_disk=0.6)
    found = result.loglike.sel(a0=1.2e-10, upsilon_disk=0.6)
    for name in result.galaxy.values[::17]:
        one, about = at.sel(galaxy=name).dropna("radius"), sparc_cube.sel(galaxy=name)
        v, o, e = (one[key].values for key in ("v", "o", "e"))
        given = [about[[key]].to_array().values for key in ("distance", "e_distance", "inclination", "e_inclination")]
        shift, variance, skew = (float(each[0]) for each in scale_prior(distance=True, inclination=True)(*given))
        expected = scaled_density(v, o, np.diag(e**2), shift=shift, variance=variance, skew=skew)
        assert found.sel(galaxy=name).item() == pytest.approx(expected, rel=1e-9)


def test_it_is_summed_over_the_sample_and_the_largest_is_best(result: xr.Dataset) -> None:
    assert [name for name in result.data_vars if "loglike" in str(name)] == [
        "loglike",
        "loglike_sum",
        "loglike_mean",
        "loglike_median",
    ]
    np.testing.assert_allclose(result.loglike_sum, result.loglike.sum("galaxy"), rtol=1e-13)
    at = result.loglike_sum.argmax(...)
    best = analysis.best(result)
    assert best.attrs["by"] == "loglike_sum"
    assert best.loglike_sum.item() == result.loglike_sum.isel(at).item() == result.loglike_sum.max().item()


def test_a_reference_is_beaten_by_a_larger_ln_l(sparc_cube: xr.Dataset, result: xr.Dataset) -> None:
    newton = swept(sparc_cube, kernel="newton", axes={"upsilon_disk": AXES["upsilon_disk"]}, errors=BOTH).compute()
    expected = (result.loglike > newton.loglike).mean("galaxy")
    np.testing.assert_allclose(result.win_rate, expected.transpose(*result.win_rate.dims), rtol=1e-12)
    assert result.win_rate.attrs["long_name"] == "fraction of systems with a larger ln L than newton"


def test_models_are_compared_by_it(sparc_cube: xr.Dataset) -> None:
    both = swept(sparc_cube, kernel=None, models={"mond": "mond", "newton": "newton"}).compute()
    found = analysis.wins(both, "mond", "newton", by="loglike")
    assert found.first_wins == (both.loglike.sel(model="mond") > both.loglike.sel(model="newton")).sum()


def test_questions_know_the_sum(result: xr.Dataset) -> None:
    some = analysis.reselect(result.drop_vars("win_rate"), list(result.galaxy.values[:9]))
    np.testing.assert_allclose(some.loglike_sum, result.loglike[:9].sum("galaxy"), rtol=1e-13)
    drawn = analysis.bootstrap(result, "loglike_sum", n=50)
    np.testing.assert_allclose(drawn.estimate, result.loglike_sum)
    assert drawn.share_best.sum() == 1.0


@pytest.mark.parametrize(("kernel", "settings"), [("mond", {}), ("nfw", {"log_m200": 11.5})])
def test_shifts_are_cubes_at_another_distance_and_inclination(
    sparc_cube: xr.Dataset, kernel: str, settings: dict[str, float]
) -> None:
    axes = {"distance_shift": [-1.0, 0.0], "inclination_shift": [0.0, 1.5]}
    found = swept(sparc_cube, kernel=kernel, fixed=settings, axes=axes).compute()
    as_quoted = swept(sparc_cube, kernel=kernel, fixed=settings).compute()
    np.testing.assert_array_equal(found.loglike.sel(distance_shift=0.0, inclination_shift=0.0), as_quoted.loglike)
    factor = 1.0 - sparc_cube.e_distance / sparc_cube.distance
    powers = {"r": 1.0, "v_gas": 0.5, "v_disk": 0.5, "v_bul": 0.5}
    moved = {
        name: (sparc_cube[name] * factor**power).transpose(*sparc_cube[name].dims).assign_attrs(sparc_cube[name].attrs)
        for name, power in powers.items()
    }
    tilted = np.radians(sparc_cube.inclination + 1.5 * sparc_cube.e_inclination)
    sines = abs(np.sin(tilted)) / np.sin(np.radians(sparc_cube.inclination))
    expected = log_l(points(sparc_cube.assign(moved), kernel, sines, **settings)).sel(galaxy=found.galaxy)
    np.testing.assert_allclose(found.loglike.sel(distance_shift=-1.0, inclination_shift=1.5), expected, rtol=1e-9)
    assert "distance_quoted" not in found.coords


def test_an_axis_of_scatter_is_the_scatter_that_is_held(sparc_cube: xr.Dataset) -> None:
    along = swept(sparc_cube, axes={"intrinsic_scatter": [0.0, 0.1]}).compute()
    held = swept(sparc_cube, errors={"scatter": 0.1}).compute()
    np.testing.assert_array_equal(along.loglike.sel(intrinsic_scatter=0.1), held.loglike)
    at = points(sparc_cube, "mond")
    wide = at.assign(e=np.sqrt(at.e**2 + (at.v * 0.05 * np.log(10.0)) ** 2))
    np.testing.assert_allclose(held.loglike, log_l(wide).sel(galaxy=held.galaxy), rtol=1e-9)


TRUE_G_BAR = {"g_bar_mean": -10.6, "g_bar_width": 0.7}


def regressed(at: xr.Dataset, x: xr.DataArray, e_x: float, scatter: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Residuals and variances of log₁₀ g_obs given log₁₀ g_bar, for MOND's ν, whose slope has a closed form."""
    root = np.sqrt(10.0**x / 1.2e-10)
    slope = 1.0 - 0.5 * root / np.expm1(root)
    mu, w_sq = TRUE_G_BAR["g_bar_mean"], TRUE_G_BAR["g_bar_width"] ** 2
    # Of a bivariate Gaussian, what x tells of y: cov/var of x.
    var_x, cov, var_y = w_sq + e_x**2, slope * w_sq, slope**2 * w_sq + scatter**2
    var_y = var_y + (2.0 * at.e / (at.o * np.log(10.0))) ** 2
    mean = 2.0 * np.log10(at.v) + slope * (mu - x) + cov / var_x * (x - mu)
    return mean - 2.0 * np.log10(at.o), var_y - cov**2 / var_x


@pytest.mark.parametrize("systems", [{}, BOTH], ids=["alone", "with errors of the galaxy"])
def test_errors_of_g_bar_make_it_a_regression(sparc_cube: xr.Dataset, systems: dict[str, bool]) -> None:
    """As a density of V_obs, for every galaxy; a common factor on the model adds to all residuals of a galaxy alike."""
    errors = {**systems, "g_bar": 0.04, "scatter": 0.03}
    axes = {"upsilon_disk": [0.4, 0.5], "g_bar_error": [0.04, 0.1]}
    found = swept(sparc_cube, errors=errors, fixed=TRUE_G_BAR, axes=axes).compute().loglike
    for upsilon, e_x in ((0.5, 0.04), (0.4, 0.1)):
        at = points(sparc_cube, "mond", upsilon_disk=upsilon)
        v_sq = sparc_cube.v_gas * abs(sparc_cube.v_gas) + upsilon * sparc_cube.v_disk**2 + 0.7 * sparc_cube.v_bul**2
        x = np.log10((v_sq * 1e6 / (sparc_cube.r * 3.086e19)).where(at.o.notnull()))
        residual, variance = regressed(at, x, e_x, 0.03)
        # What a factor on the model adds to all residuals of a galaxy: 2 log₁₀ s.
        per_ln_s = 2.0 / np.log(10.0)
        deviance = residual**2 / variance + np.log(2.0 * np.pi * variance) - 2.0 * np.log(per_ln_s / at.o)
        of_points = (deviance, per_ln_s * residual / variance, per_ln_s**2 / variance + 0.0 * residual)
        sums = [each.where(at.o.notnull()).sum("radius").sel(galaxy=found.galaxy) for each in of_points]
        expected = -0.5 * sums[0].values
        if systems:
            about = sparc_cube.sel(galaxy=found.galaxy)
            quoted = (about[f"{e}{name}"].values for name in systems for e in ("", "e_"))
            rows = zip(*(each.values for each in sums), *log_scale_prior(**systems)(*quoted), strict=True)
            expected = np.array([over_scale(0.0, *row) for row in rows])
        there = found.sel(upsilon_disk=upsilon, g_bar_error=e_x)
        np.testing.assert_allclose(there, expected, rtol=1e-8, atol=1e-6)


def test_errors_of_g_bar_go_along_with_shifts(sparc_cube: xr.Dataset) -> None:
    """Neither x nor the slope depends on the distance of a MONDian galaxy, and V_mod goes as √D."""
    errors, axes = {"g_bar": 0.04}, {"distance_shift": [0.0, 1.0], "inclination_shift": [-0.5]}
    shifted = swept(sparc_cube, errors=errors, fixed=TRUE_G_BAR, axes=axes).compute()
    at = points(sparc_cube, "mond")
    v_sq = sparc_cube.v_gas * abs(sparc_cube.v_gas) + 0.5 * sparc_cube.v_disk**2 + 0.7 * sparc_cube.v_bul**2
    x = np.log10((v_sq * 1e6 / (sparc_cube.r * 3.086e19)).where(at.o.notnull()))
    tilted = abs(np.sin(np.radians(sparc_cube.inclination - 0.5 * sparc_cube.e_inclination)))
    scale = tilted / np.sin(np.radians(sparc_cube.inclination))
    scale = scale * np.sqrt(1.0 + sparc_cube.e_distance / sparc_cube.distance)
    y, var = regressed(at.assign(v=at.v * scale), x, 0.04, 0.0)
    density = -0.5 * y**2 / var - 0.5 * np.log(2.0 * np.pi * var) + np.log(2.0 / (at.o * np.log(10.0)))
    found = shifted.loglike.sel(distance_shift=1.0, inclination_shift=-0.5)
    np.testing.assert_allclose(found, density.sum("radius").sel(galaxy=found.galaxy), rtol=1e-8)


def test_a_result_with_errors_of_g_bar_is_like_any_other(sparc_cube: xr.Dataset, tmp_path: Path) -> None:
    """Resumed, made again, verified and extended; refused under another error."""
    path, errors = tmp_path / "r.zarr", {"distance": True, "g_bar": 0.04, "scatter": 0.03}
    axes = {"a0": [0.8e-10, 1.2e-10], "g_bar_mean": [-11.0, -10.0]}
    given = {"fixed": {"g_bar_width": 0.7}}
    result = swept(sparc_cube, axes=axes, errors=errors, **given).run(path, workers=0)
    said = (
        "g_bar of each point with an error, 0.04 dex, and true values of mean an axis, in dex(m/s2) and width 0.7 dex"
    )
    assert said in result.attrs["errors"]
    assert rerun(path, workers=0).identical
    assert sigcube.verify(path).sound
    again = swept(sparc_cube, axes=axes, errors=errors, **given).run(path, workers=0)
    np.testing.assert_array_equal(again.loglike, result.loglike)
    with pytest.raises(StoreMismatch, match=r"made by another sweep: .*errors"):
        swept(sparc_cube, axes=axes, errors={**errors, "g_bar": 0.05}, **given).run(path, workers=0)
    wider = {**axes, "a0": [0.8e-10, 1.0e-10, 1.2e-10]}
    extended = swept(sparc_cube, axes=wider, errors=errors, **given).extend(path, workers=0)
    np.testing.assert_array_equal(extended.loglike.isel(a0=[0, 2]), result.loglike)


def test_a_result_holds_its_errors(sparc_cube: xr.Dataset, tmp_path: Path) -> None:
    """Made again, verified and extended from what it holds; refused under other errors."""
    path, axes = tmp_path / "r.zarr", {"a0": [0.8e-10, 1.2e-10], "distance_shift": [-1.0, 1.0]}
    errors = {"inclination": True, "scatter": 0.05}
    sweep = swept(sparc_cube, axes=axes, errors=errors)
    result = sweep.run(path, workers=0)
    said = "inclination of each system marginalised; distance of each system shifted by parts of its error"
    assert result.attrs["errors"] == f"{said}; intrinsic scatter 0.05 dex"
    again = sigcube.Sweep.from_result(path)
    assert again.plan(probe=False).identity == sweep.plan(probe=False).identity
    assert rerun(path, workers=0).identical
    assert sigcube.verify(path).sound
    with pytest.raises(StoreMismatch, match="made by another sweep: kernel record, errors, metrics differ"):
        swept(sparc_cube, axes=axes, errors={"inclination": True}).run(path, workers=0)
    wider = {**axes, "a0": [0.8e-10, 1.0e-10, 1.2e-10]}
    extended = swept(sparc_cube, axes=wider, errors=errors).extend(path, workers=0)
    np.testing.assert_array_equal(extended.loglike_sum.isel(a0=[0, 2]), result.loglike_sum)
