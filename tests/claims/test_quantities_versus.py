"""Two models held against each other, point by point."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.claims.quantities.at_points import VersusKeys, versus
from sigcube.errors import SpecError
from sigcube.kernels import KERNELS
from tests.claims.rows import OneCube


def compared(cube: xr.Dataset, **keys: Any) -> float:
    return versus(VersusKeys(dataset="mock", sample="unflagged", kernel="sigma", **keys), OneCube(cube)).value


@pytest.mark.slow
def test_a_model_does_not_differ_from_itself(mock_cube: xr.Dataset) -> None:
    assert compared(mock_cube, reference={"kernel": "sigma"}, statistic="max") == 0.0


def test_the_sign_of_a_difference_does_not_matter(mock_cube: xr.Dataset) -> None:
    low = compared(mock_cube, settings={"A": 0.0}, reference={"kernel": "sigma"}, statistic="mean")
    boost = KERNELS["sigma"].boost(mock_cube).values
    assert 0.0 < low < 1.0
    # V goes as √Σ, so that it falls by less than one half where Σ is below 4.
    assert low < 1.0 - 1.0 / np.sqrt(np.nanmax(boost))


def test_a_reference_names_a_kernel(mock_cube: xr.Dataset) -> None:
    with pytest.raises(SpecError, match=r"the reference names no kernel"):
        compared(mock_cube, reference={"A": 1.0})
