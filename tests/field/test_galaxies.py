"""Galaxies of a cube as mass distributions."""

import numpy as np
import pytest
import xarray as xr

from sigcube import field
from sigcube.errors import DataError


def curve(source: field.Source, r: np.ndarray) -> np.ndarray:
    return field.solve(source, kernel="newton", R=r).v_newton.values


def kept(cube: xr.Dataset, name: str) -> xr.Dataset:
    row = cube.sel(galaxy=name).compute()
    return row.isel(radius=row.r.values > 0.5 * float(row.scale_length_catalogue))


@pytest.mark.parametrize("name", ["NGC2403", "F583-1", "NGC6503", "UGC00128"])
def test_v_disk_of_sparc_comes_out_of_its_light(sparc_cube: xr.Dataset, name: str) -> None:
    """The height h = 0.196 R_d^0.633 and Newton's equation give the table's V_disk; a razor-thin disc does not."""
    points = kept(sparc_cube, name)
    errors = [
        np.abs(
            curve(field.galaxy(sparc_cube, name, upsilon_disk=1.0, gas=False, height=h), points.r.values)
            / points.v_disk
            - 1.0
        )
        for h in (None, 0.0)
    ]
    assert np.median(errors[0]) < 0.007
    assert np.max(errors[0]) < 0.06
    if name != "UGC00128":
        assert np.median(errors[1]) > 2.0 * np.median(errors[0])


@pytest.mark.parametrize("name", ["NGC2403", "DDO154", "NGC2841"])
def test_v_bar_of_sparc_comes_out_of_light_bulge_and_rings_of_gas(sparc_cube: xr.Dataset, name: str) -> None:
    points = kept(sparc_cube, name)
    expected = np.sqrt(points.v_gas * np.abs(points.v_gas) + 0.5 * points.v_disk**2 + 0.7 * points.v_bul**2)
    found = curve(field.galaxy(sparc_cube, name), points.r.values)
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_kernels_have_the_lengths_of_the_cube(sparc_cube: xr.Dataset) -> None:
    """In the mid-plane ν is the kernel's own boost at that g_N: `third_point` is what it is for the cube."""
    source = field.galaxy(sparc_cube, "NGC2403")
    row = sparc_cube.sel(galaxy="NGC2403").compute()
    assert source.scales["scale_length_third_point"] == float(row.scale_length_third_point)
    by_label = [
        field.solve(source, kernel="sigma", R=[2.0], scale_length=label).boost_algebraic.item()
        for label in ("third_point", "catalogue", "outermost")
    ]
    assert len(set(by_label)) == 3
    assert field.solve(source, kernel="sigma", R=[2.0]).boost_algebraic.item() == by_label[0]
    amplitude = field.solve(source, kernel="sigma", R=[2.0], amplitude="bulge_fraction").boost_algebraic.item()
    assert amplitude == pytest.approx(by_label[0], rel=1e-12), "NGC 2403 has no bulge"


def test_refusals(sparc_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="no galaxy 'NGC0000' in the cube"):
        field.galaxy(sparc_cube, "NGC0000")
    with pytest.raises(DataError, match="needs its light at two radii or more"):
        field.galaxy(sparc_cube, "NGC2403", upsilon_disk=0.0)
    with pytest.raises(DataError, match="needs a galaxy cube with 'sb_disk'"):
        field.galaxy(sparc_cube.drop_vars("sb_disk"), "NGC2403")
