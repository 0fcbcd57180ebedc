"""Two models side by side, system by system."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from sigcube.claims.quantities.swept import PairedKeys, paired
from sigcube.cube import select
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS
from tests.claims.rows import OneCube

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

Both = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@pytest.fixture(scope="module")
def context(mock_cube: xr.Dataset) -> OneCube:
    return OneCube(mock_cube)


LIGHT, HEAVY = {"upsilon_disk": 0.45}, {"upsilon_disk": 0.55}


@pytest.fixture(scope="module")
def by_hand(mock_cube: xr.Dataset) -> Both:
    """The RMS of each galaxy under both models, by broadcasting."""
    cube = select(mock_cube, sample="unflagged")
    residuals = [KERNELS["newton"].predict(cube, **settings) - cube.v_obs for settings in (LIGHT, HEAVY)]
    light, heavy = (np.sqrt((each**2).mean("radius")).values for each in residuals)
    assert 0 < (light < heavy).sum() < light.size
    return light, heavy


def keys(**given: Any) -> PairedKeys:
    models = {"kernel": "newton", "settings": LIGHT, "reference": {"kernel": "newton", **HEAVY}}
    return PairedKeys.model_validate({"dataset": "mock", "sample": "unflagged", **models, **given})


def test_wins_and_difference_of_all(context: OneCube, by_hand: Both) -> None:
    light, heavy = by_hand
    assert paired(keys(), context).value == pytest.approx((light < heavy).mean())
    assert paired(keys(take="difference"), context).value == pytest.approx((light - heavy).mean())
    # Either model is swept once, whatever is taken.
    assert context.made == 2


def test_of_two_that_are_named(context: OneCube, mock_cube: xr.Dataset, by_hand: Both) -> None:
    names = [str(name) for name in mock_cube.galaxy.values[[3, 7]]]
    found = paired(keys(take="difference", systems=names), context)
    assert found.value == pytest.approx((by_hand[0] - by_hand[1])[[3, 7]].mean())
    assert found.details["systems"] == "2"


def test_of_those_within_two_ends(context: OneCube, mock_cube: xr.Dataset, by_hand: Both) -> None:
    points = np.sort(mock_cube["n_points"].values)
    # Both ends are systems' own values, and count.
    low, high = float(points[5]), float(points[20])
    chosen = (mock_cube["n_points"].values >= low) & (mock_cube["n_points"].values <= high)
    found = paired(keys(condition=f"{low} <= n_points <= {high}"), context)
    assert found.value == pytest.approx((by_hand[0] < by_hand[1])[chosen].mean())
    assert found.details["systems"] == str(chosen.sum())
    assert found.spec.count("n_points <= ") == 2


def test_the_specs_of_both_are_told(context: OneCube) -> None:
    spec = paired(keys(), context).spec
    assert "upsilon_disk = 0.45" in spec
    assert "upsilon_disk = 0.55" in spec


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"systems": ["nowhere"]}, "there is no galaxy 'nowhere' here"),
    ],
)
def test_nobody_is_refused(context: OneCube, given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        paired(keys(**given), context)


def test_a_condition_that_nobody_meets_is_refused(context: OneCube) -> None:
    with pytest.raises(DataError, match="holds no system where n_points < 0"):
        paired(keys(condition="n_points < 0"), context)


def test_a_reference_without_a_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="the reference needs a kernel"):
        keys(reference={"nu": "rar"})
