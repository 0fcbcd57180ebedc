"""Published fits of halos, put to the data again: against formulas of the test's own, and against the published χ²."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube import analysis, kernels
from sigcube.constants import PAPER
from sigcube.cube import open_cube, save_cube
from sigcube.errors import DataError, SpecError
from sigcube.kernels.halo import same_profile
from sigcube.recipes import ingest, load_recipe
from tests.readers.halo_files import HaloFiles, row

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

# Li+ 2020 (ApJS 247, 31), rows of table1: Υ_disk, Υ_bulge, D [Mpc], i [deg], V_200 [km/s], C_200 and reduced χ².
# Of each kind one: dwarf and giant, good fit and bad one, without a bulge and with one.
PUBLISHED = {
    ("CamB", "NFW-Flat"): (0.37, 0.00, 3.18, 59.2, 38.00, 1.01, 8.61),
    ("DDO154", "NFW-LCDM"): (0.33, 0.00, 4.24, 70.0, 49.18, 5.83, 16.57),
    ("NGC6015", "NFW-LCDM"): (0.55, 0.00, 15.92, 59.3, 97.13, 17.52, 8.89),
    ("NGC6195", "NFW-LCDM"): (0.36, 0.84, 110.54, 60.5, 251.74, 4.35, 2.06),
    ("NGC6503", "NFW-Flat"): (0.40, 0.00, 6.16, 73.8, 80.66, 14.42, 1.55),
    ("NGC6674", "NFW-LCDM"): (1.29, 0.92, 39.60, 60.8, 271.84, 2.01, 3.42),
    ("NGC6946", "NFW-Flat"): (0.50, 0.55, 5.00, 37.9, 115.83, 10.65, 1.69),
    ("UGCA442", "NFW-LCDM"): (0.61, 0.00, 4.31, 70.5, 51.99, 6.92, 7.38),
}


@pytest.fixture(scope="module")
def survey(mock_cube: xr.Dataset) -> xr.Dataset:
    """A synthetic survey with errors of distance and inclination."""
    error = xr.full_like(mock_cube["inclination"], 3.0)
    return mock_cube.assign(e_distance=0.1 * mock_cube["distance"], e_inclination=error)


def written(rows: list[str], folder: Path) -> xr.Dataset:
    HaloFiles(rows=rows).write(folder)
    return open_cube(ingest(load_recipe("li2020"), data=folder, out=folder / "halos.zarr"))


def nfw(x: float) -> float:
    return math.log1p(x) - x / (1.0 + x)


def chi_square(one: xr.Dataset, fit: tuple[float, ...]) -> float:
    """χ² by the words of Li+ 2020: R ∝ D, V_bar ∝ √D, and V_obs as it would be at the fit's inclination."""
    disk, bulge, distance, inclination, v_200, c_200 = fit
    q = distance / float(one["distance"])
    scale = math.sin(math.radians(inclination)) / math.sin(math.radians(float(one["inclination"])))
    total, r_200 = 0.0, v_200 / 0.73
    for i in range(int(one["n_points"])):
        v_gas, v_disk, v_bul, v_obs, error, r = (
            float(one[name][i]) for name in ("v_gas", "v_disk", "v_bul", "v_obs", "e_v_obs", "r")
        )
        baryons = q * (v_gas * abs(v_gas) + disk * v_disk**2 + bulge * v_bul**2)
        halo = v_200**2 * r_200 / (r * q) * nfw(c_200 * r * q / r_200) / nfw(c_200)
        total += ((math.sqrt(baryons + halo) - v_obs / scale) / (error / scale)) ** 2
    return total


def test_the_published_chi2_comes_out_again(sparc_cube: xr.Dataset, tmp_path: Path) -> None:
    """Within what two to four digits of the parameters leave open: 2.5 %."""
    rows = [
        row(name, model, upsilon=fit[:2], distance=fit[2], inclination=fit[3], v_200=fit[4], c_200=fit[5], chi2=fit[6])
        for (name, model), fit in PUBLISHED.items()
    ]
    halos = written(rows, tmp_path)
    n_bulges = 0
    for model in ("NFW-Flat", "NFW-LCDM"):
        found = analysis.published_halos(sparc_cube, halos, model=model)
        assert set(found.galaxy.values) == {name for name, own in PUBLISHED if own == model}
        np.testing.assert_allclose(found.chi2_red, found.chi2_red_published, rtol=0.025)
        n_bulges += int((found.n_fitted == 6).sum())
        for name in found.galaxy.values:
            expected = chi_square(sparc_cube.sel(galaxy=name), PUBLISHED[str(name), model][:6])
            assert float(found.chi2.sel(galaxy=name)) == pytest.approx(expected, rel=1e-9)
    assert n_bulges == 3


@given(st.floats(1.0, 500.0), st.floats(0.5, 300.0), st.floats(50.0, 100.0))
def test_the_same_profile_has_the_same_density_and_scale(v_200: float, c_200: float, hubble: float) -> None:
    log_m200, c = same_profile(v_200, c_200, hubble, PAPER)
    # From the definitions: r_200 of the mass, V_200 of both, and ρ_s r_s² ∝ V_200² c²/(r_200² m(c)) r_s².
    m_200 = PAPER.G * PAPER.Msun * 10**log_m200
    r_200 = (m_200 / (100 * PAPER.H0**2)) ** (1 / 3) / PAPER.kpc
    r_s = v_200 / (hubble / 100) / c_200
    assert r_200 / c == pytest.approx(r_s, rel=1e-9)
    strength = m_200 / PAPER.kpc / 1e6 / nfw(c)
    assert strength == pytest.approx(v_200**2 * r_s * c_200 / nfw(c_200), rel=1e-7)


def test_at_the_constants_own_hubble_the_numbers_stay() -> None:
    own = PAPER.H0 * PAPER.kpc
    log_m200, c = same_profile(100.0, 10.0, own, PAPER)
    assert c == pytest.approx(10.0, rel=1e-9)
    # M_200 = V_200³/(10 G H₀).
    m_200 = 1e15 / (10 * PAPER.G * PAPER.H0) / PAPER.Msun
    assert log_m200 == pytest.approx(math.log10(m_200), rel=1e-12)


def test_the_parameters_are_those_that_the_kernel_takes(survey: xr.Dataset, tmp_path: Path) -> None:
    name = str(survey.galaxy.values[3])
    one = survey.sel(galaxy=name)
    distance = round(float(one["distance"]), 2)
    cube = survey.assign(distance=xr.where(survey.galaxy == name, distance, survey["distance"]))
    inclination = round(float(one["inclination"]), 1)
    cube = cube.assign(inclination=xr.where(cube.galaxy == name, inclination, cube["inclination"]))
    halos = written([row(name, "NFW-Flat", distance=distance, inclination=inclination)], tmp_path)
    found = analysis.published_halos(cube, halos, model="NFW-Flat").isel(galaxy=0)
    assert float(found.distance_shift) == float(found.inclination_shift) == 0.0
    given = {each: float(found[each]) for each in ("log_m200", "c", "upsilon_disk", "upsilon_bulge")}
    at = cube.sel(galaxy=[name])
    pull = (kernels["nfw"].predict(at, **given) - at["v_obs"]) / at["e_v_obs"].clip(min=0.1)
    assert float(found.chi2) == pytest.approx(float((pull**2).sum()), rel=1e-9)
    assert found.attrs["not_published"].count(",") == cube.sizes["galaxy"] - 2


def test_what_is_out_of_bounds_is_named_and_left_empty(survey: xr.Dataset, tmp_path: Path) -> None:
    first, second = map(str, survey.galaxy.values[:2])
    near = {
        name: {
            "distance": float(survey.distance.sel(galaxy=name)),
            "inclination": float(survey.inclination.sel(galaxy=name)),
        }
        for name in (first, second)
    }
    rows = [row(first, "NFW-Flat", c_200=900.0, **near[first]), row(second, "NFW-Flat", **near[second])]
    found = analysis.published_halos(survey, written(rows, tmp_path), model="NFW-Flat")
    assert found.attrs["out_of_bounds"] == first
    assert np.isnan(found.chi2.sel(galaxy=first))
    assert np.isfinite(found.chi2.sel(galaxy=second))


def test_a_reduced_chi2_needs_more_points_than_parameters(survey: xr.Dataset, tmp_path: Path) -> None:
    name = str(survey.galaxy.values[0])
    near = {each: float(survey[each].sel(galaxy=name)) for each in ("distance", "inclination")}
    halos = written([row(name, "NFW-Flat", chi2=None, **near)], tmp_path)
    points = xr.zeros_like(survey["r"], dtype=bool)
    points[:, :5] = True
    found = analysis.published_halos(survey, halos, model="NFW-Flat", where=points)
    assert found.n_points.item() == 5
    assert np.isfinite(found.chi2)
    assert np.isnan(found.chi2_red)


def test_what_cannot_be_compared_is_refused(survey: xr.Dataset, tmp_path: Path) -> None:
    name = str(survey.galaxy.values[0])
    halos = written([row(name, "NFW-Flat"), row(name, "Burkert-Flat"), row("ELSE", "NFW-LCDM")], tmp_path)
    with pytest.raises(SpecError, match="there is no fit of 'NFW-flat'"):
        analysis.published_halos(survey, halos, model="NFW-flat")
    with pytest.raises(SpecError, match="no kernel has the profile"):
        analysis.published_halos(survey, halos, model="Burkert-Flat")
    with pytest.raises(DataError, match="no galaxy is in both"):
        analysis.published_halos(survey, halos, model="NFW-LCDM")
    with pytest.raises(DataError, match="how far its distances and inclinations may move"):
        analysis.published_halos(survey.drop_vars("e_distance"), halos, model="NFW-Flat")
    with pytest.raises(DataError, match="these are no fits of halos"):
        analysis.published_halos(survey, survey, model="NFW-Flat")
    with pytest.raises(DataError, match="halos are fitted to galaxies"):
        analysis.published_halos(halos, halos, model="NFW-Flat")


def test_the_python_of_the_page_runs(survey: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a synthetic survey one of whose galaxies is called as the page's, at its own distance and inclination."""
    names = [*map(str, survey.galaxy.values[:-1]), "NGC6503"]
    renamed = survey.assign_coords(galaxy=np.array(names, dtype=object))
    save_cube(renamed, tmp_path / "cubes" / "sparc.zarr")
    near = {each: float(renamed[each].sel(galaxy="NGC6503")) for each in ("distance", "inclination")}
    written([row("NGC6503", "NFW-LCDM", **near)], tmp_path)
    (tmp_path / "halos.zarr").rename(tmp_path / "cubes" / "li2020.zarr")
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "published_halos.md"
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
        exec(code.replace("157)", "27)").replace("61)", "13)"), told)
    assert told["table"]["n_points"].tolist() == [int(renamed["n_points"].sel(galaxy="NGC6503"))]
    assert set(told["post"]["axis"].values) == {"log_m200", "c"}
