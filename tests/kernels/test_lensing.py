"""What a boost means for light."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.kernels import KERNELS, lensing

FUNCTIONS = [getattr(lensing, name) for name in lensing.__all__]


@pytest.mark.parametrize(
    ("function", "boost", "value"),
    [
        # Printed in main §4.3 and SI §11.
        (lensing.slip, 1.0, 1.0),
        (lensing.slip, 2.0, 0.75),
        (lensing.lensing_over_dynamics, 1.0, 1.0),
        (lensing.lensing_over_dynamics, 1.5, 0.90),
        (lensing.lensing_over_dynamics, 2.0, 0.875),
        # Main §2.16: Σ_eff = 1 + (3/2)(Σ − 1).
        (lensing.theta_renormalised, 1.0, 1.0),
        (lensing.theta_renormalised, 3.0, 4.0),
        # The sources of Φ and of (Φ + Ψ)/2 in main §4.3.
        (lensing.dynamical_boost, 2.0, 4.0),
        (lensing.lensing_boost, 2.0, 3.5),
        # Where the boost is large the ratios stop at 2/3 and 5/6.
        (lensing.slip, 1e12, 2.0 / 3.0),
        (lensing.lensing_over_dynamics, 1e12, 5.0 / 6.0),
    ],
)
def test_values(function: object, boost: float, value: float) -> None:
    assert function(boost) == pytest.approx(value, rel=1e-11)  # type: ignore[operator]


@given(st.floats(1.0, 1e6))
def test_light_follows_the_mean_of_both_potentials(boost: float) -> None:
    """M_lens/M_dyn = (Φ+Ψ)/2Φ = (1+η)/2: the two printed ratios are one."""
    assert lensing.lensing_over_dynamics(boost) == pytest.approx((1.0 + lensing.slip(boost)) / 2.0, rel=1e-12)
    ratio = lensing.lensing_boost(boost) / lensing.dynamical_boost(boost)
    assert lensing.lensing_over_dynamics(boost) == pytest.approx(ratio, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_arrays_and_labels(function: object, mock_cube: xr.Dataset) -> None:
    boost = KERNELS["sigma"].boost(mock_cube, A=xr.DataArray([1.0, 2.0], dims="A"))
    value = function(boost)  # type: ignore[operator]
    assert value.dims == boost.dims
    assert value.galaxy.equals(boost.galaxy)
    assert "units" not in value.attrs
    assert value.attrs["source"].startswith("main §")
    np.testing.assert_array_equal(value.values, function(boost.values))  # type: ignore[operator]
    assert value.isel(A=0, galaxy=0, radius=0) == function(float(boost.isel(A=0, galaxy=0, radius=0)))  # type: ignore[operator]
    assert np.isnan(value.where(mock_cube.r.isnull())).all()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_chunks_stay_chunks(function: object) -> None:
    boost = xr.DataArray(da.linspace(1.0, 3.0, 8, chunks=3), dims="galaxy")
    value = function(boost)  # type: ignore[operator]
    assert value.chunks == boost.chunks
    np.testing.assert_array_equal(value.values, function(boost.values))  # type: ignore[operator]


@pytest.mark.parametrize("function", [lensing.slip, lensing.lensing_over_dynamics])
def test_at_the_pole_it_is_infinite_and_beyond_it_has_the_formula_s_sign(function: object) -> None:
    pole = 2.0 / 3.0
    assert np.isinf(function(pole))  # type: ignore[operator]
    assert np.isinf(function(xr.DataArray(da.from_array([pole])))).all()  # type: ignore[operator]
    assert function(pole + 1e-6) > 1e4  # type: ignore[operator]
    assert function(pole - 1e-6) < -1e4  # type: ignore[operator]
