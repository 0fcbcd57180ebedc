"""The mass that a velocity asks for, and exponents."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.claims.quantities.tully_fisher import BalanceKeys, SlopeKeys, balance, slope
from sigcube.constants import PAPER
from sigcube.cube import open_cube
from sigcube.errors import SpecError
from sigcube.recipes import ingest, load_recipe
from tests.claims.rows import OneCube

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

OF_200 = "Tully-Fisher 200"
ALL = [f"Tully-Fisher {v}" for v in (50, 100, 200, 300)]


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory: pytest.TempPathFactory) -> OneCube:
    out = tmp_path_factory.mktemp("cubes") / "landmarks.zarr"
    return OneCube(open_cube(ingest(load_recipe("landmarks"), out=out, progress=False)))


def found(landmarks: OneCube, kernel: str, systems: list[str], **settings: Any) -> float:
    keys = BalanceKeys(dataset="landmarks", kernel=kernel, systems=systems, settings=settings)
    return balance(keys, landmarks).value


def test_newton_asks_for_the_dynamical_mass(landmarks: OneCube) -> None:
    # V² R/G over 47 V⁴, with the constants of the cube.
    mass = 200e3**2 * 30.0 * PAPER.kpc / (PAPER.G * PAPER.Msun)
    assert found(landmarks, "newton", [OF_200]) == pytest.approx(mass / (47.0 * 200.0**4), rel=1e-9)


def test_newton_has_the_slope_two(landmarks: OneCube) -> None:
    assert found(landmarks, "newton", ALL) == pytest.approx(2.0, abs=1e-9)


def test_sigma_by_iteration(landmarks: OneCube) -> None:
    # As the papers find it: g_N = g/Σ(g_N), from g/2 on.
    g = 200e3**2 / (30.0 * PAPER.kpc)
    g_bar = g / 2.0
    for _ in range(200):
        ratio = PAPER.g_dagger / g_bar
        g_bar = g / (1.0 + math.exp(0.5 / math.pi) * math.sqrt(ratio) * ratio / (1.0 + ratio))
    mass = g_bar * (30.0 * PAPER.kpc) ** 2 / (PAPER.G * PAPER.Msun)
    assert found(landmarks, "sigma", [OF_200]) == pytest.approx(mass / (47.0 * 200.0**4), rel=1e-6)


@pytest.mark.parametrize(
    ("kernel", "settings"),
    [
        ("sigma", {"g_dagger": 1e-7}),  # Σ − 1 = A √(g†/g_N) far below g†
        ("mond", {"a0": 1e-7}),  # ν = √(a₀/g_N) far below a₀
    ],
)
def test_the_slope_is_four_far_below_the_acceleration_scale(
    landmarks: OneCube, kernel: str, settings: dict[str, float]
) -> None:
    assert found(landmarks, kernel, ALL, **settings) == pytest.approx(4.0, abs=0.02)


def test_the_factor_predicts_what_is_observed(landmarks: OneCube) -> None:
    factor = found(landmarks, "sigma", ["Fornax"])
    newton = float(landmarks.cube("").newton.sel(landmark="Fornax"))
    # Σ ≥ 1: no more mass than Newton asks for.
    assert 0.0 < factor < (10.7 / newton) ** 2


def test_a_boost_is_no_measure_of_a_mass(landmarks: OneCube) -> None:
    with pytest.raises(SpecError, match=r"what is observed is no measure of a mass(.|\n)*Saturn: boost"):
        found(landmarks, "sigma", ["Saturn"])


def test_what_no_mass_explains_is_refused(landmarks: OneCube) -> None:
    # Newton needs 10¹⁰ times the mass for 10⁵ times the velocity, and a factor 10⁶ is searched.
    row = landmarks.cube("").sel(landmark=[OF_200])
    fast = OneCube(row.assign(observed=row.observed * 1e5))
    with pytest.raises(SpecError, match="no mass of baryons predicts what is observed"):
        found(fast, "newton", [OF_200])


def test_at_least_one_system() -> None:
    with pytest.raises(ValueError, match="name a system, or several"):
        BalanceKeys(dataset="landmarks", kernel="sigma", systems=[])


@pytest.fixture(scope="module")
def curves(mock_cube: xr.Dataset) -> OneCube:
    """Galaxies whose v_flat goes as the fourth root of what ξ goes with, exactly."""
    length = mock_cube["scale_length_third_point"]
    return OneCube(mock_cube.assign(v_flat=100.0 * length**0.25))


@pytest.mark.parametrize("inverse", [False, True], ids=["y over x", "x over y"])
def test_slope_of_an_exact_power_law(curves: OneCube, inverse: bool) -> None:
    keys = SlopeKeys(dataset="mock", x="v_flat", kernel="sigma", term="xi", inverse=inverse)
    assert slope(keys, curves).value == pytest.approx(4.0, abs=1e-9)


def test_slopes_differ_where_there_is_scatter(curves: OneCube) -> None:
    rng = np.random.default_rng(5)
    noisy = curves.cube("").copy()
    noisy["v_flat"] = noisy.v_flat * 10.0 ** (0.05 * rng.standard_normal(noisy.sizes["galaxy"]))
    both = [
        slope(SlopeKeys(dataset="mock", x="v_flat", kernel="sigma", term="xi", inverse=way), OneCube(noisy)).value
        for way in (False, True)
    ]
    # Regression towards the mean: errors of x flatten the one, and steepen the other.
    assert both[0] < 4.0 < both[1] + 0.2
    assert both[0] < both[1]


def test_two_systems_make_no_line(curves: OneCube) -> None:
    few = OneCube(curves.cube("").isel(galaxy=slice(0, 2)))
    with pytest.raises(SpecError, match="a line needs three systems"):
        slope(SlopeKeys(dataset="mock", x="v_flat", kernel="sigma", term="xi"), few)
