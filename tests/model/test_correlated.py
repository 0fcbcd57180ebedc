"""ln L under correlated errors, against the covariance matrix itself: its determinant, and solutions of its equations."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import multivariate_normal

import sigcube
from sigcube.cube import Packed, select
from sigcube.engine.schedule import Schedule
from sigcube.errors import DataError, SpecError
from sigcube.model.graph import Level
from sigcube.readers.mock import mock_survey
from tests.sweeping import assert_same_bits, planned, whole

RADIUS, SCALE_LENGTH = {"correlation": "radius"}, {"correlation": "scale_length"}
SYSTEMS = {"distance": True, "inclination": True}
KINDS_OF_ERRORS = {"distance": 0.0, "inclination": 0.0}


@pytest.fixture(scope="module")
def survey() -> xr.Dataset:
    """Synthetic galaxies, of one point too."""
    return mock_survey(n_galaxies=8, seed=3, points=(5, 30))


def swept(cube: xr.Dataset, sample: str, errors: Mapping[str, Any], **spec: Any) -> xr.DataArray:
    """ln L of each galaxy, in full precision."""
    given = {"sample": sample, "kernel": "sigma", "metrics": ["loglike"], "keep": ["galaxy"], "dtype": "float64", **spec}
    return sigcube.Sweep(cube, errors=errors, **given).compute().loglike


def dense(
    cube: xr.Dataset, galaxy: str, a: float, ell: float, errors: Mapping[str, Any], scatter: float = 0.0, **model: float
) -> float:
    """ln L of one galaxy of a selected cube, from its whole covariance matrix."""
    one = cube.sel(galaxy=[galaxy])
    predicted = sigcube.kernels["sigma"].predict(one, **model).values[0]
    kept = np.isfinite(predicted)
    v, x = predicted[kept], one.r.values[0][kept]
    if errors["correlation"] == "scale_length":
        x = x / float(one.r_disk[0])
    sigma = np.maximum(one.e_v_obs.values[0][kept], 0.1)
    covariance = np.diag(sigma**2 + (v * scatter * np.log(10.0) / 2.0) ** 2)
    covariance += a**2 * np.exp(-np.abs(x[:, np.newaxis] - x) / ell)
    tau_sq = 0.0
    if errors.get("distance"):
        tau_sq += float(one.e_distance[0] / (2.0 * one.distance[0])) ** 2
    if errors.get("inclination"):
        tau_sq += float(np.deg2rad(one.e_inclination[0]) / np.tan(np.deg2rad(one.inclination[0]))) ** 2
    covariance += tau_sq * np.outer(v, v)
    factor = cho_factor(covariance, lower=True)
    residual = v - one.v_obs.values[0][kept]
    log_det = 2.0 * np.sum(np.log(np.diag(factor[0]))) + v.size * np.log(2.0 * np.pi)
    return float(-0.5 * (residual @ cho_solve(factor, residual) + log_det))


CASES = [
    # kinds of correlation, with amplitudes and lengths well within what is resolved
    (RADIUS, 5.0, 3.0),
    (SCALE_LENGTH, 12.0, 0.7),
    # the whole scale of a galaxy uncertain as well
    (RADIUS | SYSTEMS, 5.0, 3.0),
    (SCALE_LENGTH | {"distance": True}, 12.0, 0.7),
    # far larger than all errors
    (RADIUS, 300.0, 10.0),
    # no amplitude; no length, which is white noise of σ² + a²; an endless one, which is an offset of the whole curve
    (RADIUS, 0.0, 3.0),
    (RADIUS | SYSTEMS, 20.0, 1e-6),
    (RADIUS, 3.0, 1e6),
]


@pytest.mark.parametrize(("errors", "a", "ell"), CASES, ids=[f"{'-'.join(e)} {a:g} {ell:g}" for e, a, ell in CASES])
def test_it_is_that_of_the_whole_matrix(sparc_cube: xr.Dataset, errors: dict[str, Any], a: float, ell: float) -> None:
    fixed = {"correlation_amplitude": a, "correlation_length": ell}
    found = swept(sparc_cube, "paper171", errors, fixed=fixed, axes={"A": [0.8, 1.17]})
    chosen = select(sparc_cube, sample="paper171")
    expected = [dense(chosen, str(name), a, ell, errors, A=1.17) for name in found.galaxy.values]
    np.testing.assert_allclose(found.sel(A=1.17), expected, rtol=1e-12)
