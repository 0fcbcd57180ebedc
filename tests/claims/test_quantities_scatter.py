"""The scatter within each galaxy: by a loop over galaxies, and what is left out of it."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.claims.quantities.system_scatter import SystemScatterKeys, system_scatter
from sigcube.claims.rows import parse_reading
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS
from tests.claims.rows import OneCube

# The models compile loops of their own.
pytestmark = pytest.mark.slow

LIGHT, HEAVY = {"upsilon_disk": 0.3}, {"kernel": "newton", "upsilon_disk": 0.8}


def keys(take: str, **more: Any) -> SystemScatterKeys:
    given = {"dataset": "sparc", "kernel": "newton", "settings": LIGHT, "reference": HEAVY, "take": take, **more}
    return SystemScatterKeys.model_validate(given)


def by_hand(cube: xr.Dataset, upsilon: float, least: int = 3) -> dict[str, float]:
    """The scatter of each galaxy whose V_bar is above zero at every point, by a loop."""
    found = {}
    v_bar = KERNELS["newton"].predict(cube, upsilon_disk=upsilon)
    for i, name in enumerate(cube["galaxy"].values):
        v, model = cube["v_obs"].values[i], v_bar.values[i]
        there = np.isfinite(v) & (v > 0.0)
        if there.sum() >= least and (model[there] > 0.0).all():
            found[str(name)] = float(np.std(np.log10(v[there] ** 2 / model[there] ** 2)))
    return found


def test_it_is_that_of_a_loop_over_galaxies(mock_cube: xr.Dataset) -> None:
    light, heavy = by_hand(mock_cube, 0.3), by_hand(mock_cube, 0.8)
    both = sorted(light.keys() & heavy.keys())
    a, b = (np.array([each[name] for name in both]) for each in (light, heavy))
    expected = {"mean": a.mean(), "median": np.median(a), "wins": (a < b).sum(), "losses": (a > b).sum()}
    assert 0 < expected["wins"] < len(both)
    held = OneCube(mock_cube)
    for take, value in expected.items():
        found = system_scatter(keys(take), held)
        assert found.value == pytest.approx(value, rel=1e-9), take
        assert found.details["systems"] == str(len(both))


def test_about_zero_it_is_a_root_mean_square(mock_cube: xr.Dataset) -> None:
    deviations = by_hand(mock_cube, 0.3)
    means = {}
    v_bar = KERNELS["newton"].predict(mock_cube, upsilon_disk=0.3)
    for i, name in enumerate(mock_cube["galaxy"].values):
        if str(name) in deviations:
            v, model = mock_cube["v_obs"].values[i], v_bar.values[i]
            there = np.isfinite(v) & (v > 0.0)
            means[str(name)] = float(np.mean(np.log10(v[there] ** 2 / model[there] ** 2)))
    expected = np.mean([math.hypot(deviations[name], means[name]) for name in deviations])
    found = system_scatter(keys("mean", about="zero", reference=None), OneCube(mock_cube))
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert "root mean square" in found.details["take"]


def test_a_galaxy_without_a_prediction_at_a_point_is_left_out(mock_cube: xr.Dataset) -> None:
    gas = mock_cube["v_gas"].copy(deep=True)
    # Gas that pulls outwards more than all else pulls inwards.
    gas[0, 0] = -1e3
    spoilt = OneCube(mock_cube.assign(v_gas=gas))
    before = int(system_scatter(keys("mean"), OneCube(mock_cube)).details["systems"])
    assert int(system_scatter(keys("mean"), spoilt).details["systems"]) == before - 1


def test_galaxies_with_few_points_are_left_out(mock_cube: xr.Dataset) -> None:
    held = OneCube(mock_cube)
    most = int(mock_cube["v_obs"].count("radius").max())
    assert int(system_scatter(keys("mean", least_points=most), held).details["systems"]) == len(
        by_hand(mock_cube, 0.3, most)
    )
    with pytest.raises(DataError, match="no galaxy has a scatter"):
        system_scatter(keys("mean", least_points=most + 1), held)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"take": "wins"}, "wins need a reference"),
        ({"reference": {"nu": "rar"}}, "the reference needs a kernel"),
        ({"take": "scatter"}, "take"),
        ({"least_points": 1}, "least_points"),
    ],
)
def test_a_wrong_reading_is_refused(change: dict[str, object], message: str) -> None:
    given = {"quantity": "system_scatter", "dataset": "sparc", "kernel": "newton", "take": "mean", **change}
    with pytest.raises(SpecError, match=message):
        parse_reading(given)
