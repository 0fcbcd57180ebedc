"""The field of what is around: limits of its formulas, and galaxies for which it is not known."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import sigcube
from sigcube import analysis, kernels
from sigcube.cube import KINDS, select
from sigcube.errors import DataError, SpecError
from sigcube.kernels.reference import (
    nu_in_field,
    nu_rar,
    nu_simple,
    nu_standard,
    rar_slope,
    simple_slope,
    standard_slope,
)
from sigcube.recipes import ingest, load_recipe

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

A0 = 1.2e-10
NUS = {"rar": nu_rar, "simple": nu_simple, "standard": nu_standard}


def with_field(cube: xr.Dataset, field: np.ndarray) -> xr.Dataset:
    attrs = KINDS["galaxy"].variable("g_environment").attrs(source="synthetic")
    return cube.assign(g_environment=("galaxy", field, attrs))


def slope(label: str, g: float) -> float:
    if label == "rar":
        return rar_slope(g, A0)
    return {"simple": simple_slope, "standard": standard_slope}[label](NUS[label](g, A0), g, A0)


@given(label=st.sampled_from(list(NUS)), log_y=st.floats(-5.0, 2.5))
def test_the_slope_is_that_of_the_logarithms(label: str, log_y: float) -> None:
    step = 1e-4
    values = [math.log(NUS[label](A0 * 10 ** (log_y + s), A0)) for s in (step, -step)]
    assert slope(label, A0 * 10**log_y) == pytest.approx((values[0] - values[1]) / (2e-4 * math.log(10)), abs=1e-6)


@pytest.mark.parametrize("label", NUS)
def test_without_a_field_mond_is_that_of_an_isolated_galaxy(label: str, mock_cube: xr.Dataset) -> None:
    cube, mond = select(mock_cube, sample="unflagged"), kernels["mond"]
    isolated = mond.boost(cube, nu=label)
    xr.testing.assert_allclose(mond.boost(cube, nu=label, external_field="parameter"), isolated, rtol=1e-14)
    assert float(isolated.min()) >= 1.0


@pytest.mark.parametrize("label", NUS)
def test_deep_in_a_strong_field_gravity_is_newtonian_with_a_larger_constant(label: str) -> None:
    """Σ no longer depends on g: it is ν(1.1 e) (1 + ν̂(1.1 e)/3), and ν̂ → −½ deep in MOND."""
    g_ext = 1e-4 * A0
    whole = 1.1 * g_ext
    found = [nu_in_field(NUS[label](whole, A0), slope(label, whole), g, g_ext) for g in (1e-17, 1e-19)]
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    assert found[0] == pytest.approx(100.0 / math.sqrt(1.1) * (1.0 - 0.5 / 3.0), rel=2e-2)


def test_a_field_only_weakens_mond_and_sigma(mock_cube: xr.Dataset) -> None:
    for name, label in (("mond", "parameter"), ("sigma", "parameter")):
        boosts = [
            kernels[name].boost(mock_cube, external_field=label, g_ext=g_ext).max("radius")
            for g_ext in (0.0, 1e-12, 1e-11, 1e-10)
        ]
        for weaker, stronger in zip(boosts[1:], boosts[:-1], strict=True):
            assert bool((weaker < stronger).all()), name


@pytest.mark.parametrize("name", ["mond", "sigma"])
def test_each_galaxy_gets_its_own_field(name: str, mock_cube: xr.Dataset) -> None:
    field = np.geomspace(1e-13, 1e-10, mock_cube.sizes["galaxy"])
    cube, kernel = with_field(mock_cube, field), kernels[name]
    found = kernel.predict(cube, external_field="catalogue")
    for i in (0, 17, 39):
        alone = kernel.predict(mock_cube.isel(galaxy=[i]), external_field="parameter", g_ext=float(field[i]))
        np.testing.assert_array_equal(found.isel(galaxy=[i]), alone)


@pytest.mark.parametrize("name", ["mond", "sigma"])
def test_a_cube_without_the_field_is_told_what_to_supply(name: str, mock_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match=f"{name} needs 'g_environment', which the cube does not have") as caught:
        sigcube.Sweep(mock_cube, kernel=name, fixed={"external_field": "catalogue"}, axes={"upsilon_disk": [0.5]})
    assert "add the variable to the cube's recipe" in str(caught.value)


def test_the_parameter_is_refused_where_the_catalogue_is_taken(mock_cube: xr.Dataset) -> None:
    cube = with_field(mock_cube, np.full(mock_cube.sizes["galaxy"], 1e-12))
    with pytest.raises(SpecError, match="does not use 'g_ext' here"):
        kernels["mond"].boost(cube, external_field="catalogue", g_ext=1e-12)


def test_galaxies_without_a_field_are_named_and_left_out_by_where(mock_cube: xr.Dataset) -> None:
    field = np.full(mock_cube.sizes["galaxy"], 2e-12)
    field[:7] = np.nan
    cube = with_field(mock_cube, field)
    how = {
        **{"kernel": "mond", "sample": "unflagged", "axes": {"a0": [1e-10, 1.2e-10]}, "keep": ["galaxy"]},
        **{"fixed": {"external_field": "catalogue"}, "metrics": ["bias"]},
    }
    with pytest.raises(DataError, match=r"'g_environment', which is not known for 7 galaxies of the sample") as caught:
        sigcube.Sweep(cube, **how).compute()
    condition = "g_environment == g_environment"
    assert condition in str(caught.value)
    assert str(cube.galaxy.values[0]) in str(caught.value)
    result = sigcube.Sweep(cube, where=condition, **how).compute()
    assert result.sizes["galaxy"] == cube.sizes["galaxy"] - 7
    assert np.isfinite(result.bias).all()


def test_what_is_left_over_is_set_against_the_field_too(mock_cube: xr.Dataset) -> None:
    """Of Newtonian galaxies, with a field that goes with what MOND leaves over."""
    result = sigcube.Sweep(mock_cube, kernel="mond", sample="unflagged", metrics=["bias"], keep=["galaxy"]).compute()
    field = xr.DataArray(1e-12 * np.exp(0.1 * result["bias"].values), dims="galaxy", coords={"galaxy": result.galaxy})
    cube = with_field(mock_cube, field.reindex(galaxy=mock_cube.galaxy).values)
    found = analysis.trends(result["bias"], cube)
    assert float(found["rho"].sel(property="g_environment")) == pytest.approx(1.0)


def test_the_python_of_the_page_runs(
    sparc_path: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SPARC, and a table of synthetic fields of every third galaxy."""
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    names = sigcube.open_cube(sparc_path).galaxy.values[::3]
    rows = "".join(f"{name},{-2.5 + 0.01 * i:.2f}\n" for i, name in enumerate(names))
    (tmp_path / "field.csv").write_text(f"galaxy,log_eN\n{rows}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "external_field.md"
    join, *rest = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    told: dict[str, Any] = {}
    exec(join, told)
    # The table lies beside the recipe.
    ingest(load_recipe("sparc_field.toml"), data=shared_data, out="cubes/sparc_field.zarr")
    for code in rest:
        exec(code, told)
    assert told["result"].sizes == {"galaxy": 58, "model": 4, "upsilon_disk": 1}
    rms = told["result"].rms_mean.isel(upsilon_disk=0)
    assert float(rms.sel(model="mond")) != float(rms.sel(model="mond, field"))
