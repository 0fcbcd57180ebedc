"""The galaxy of formulas of the CMSI notes, against the same by hand."""

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from sigcube.claims.quantities.demo_galaxy import DemoGalaxyKeys, demo_galaxy
from sigcube.claims.rows import parse_reading
from sigcube.errors import SpecError
from tests.claims.rows import OneCube

# The models compile terms of their own.
pytestmark = pytest.mark.slow

R = np.linspace(0.5, 15.0, 30)
DISK = 108.0 * np.sqrt(R / (R + 3.0))
GAS = 36.0 * (1.0 - np.exp(-R / 5.0))
SMOOTH = np.maximum(180.0 * np.sqrt(R / (R + 3.0)), 50.0)
ERROR = 5.0 + 0.02 * SMOOTH
LIGHT, G = 299792.458, 4.301e-6


def rms(predicted: npt.NDArray[np.float64]) -> float:
    # The legacy generator, as the script has it.
    observed = SMOOTH + np.random.RandomState(42).normal(0.0, 0.3 * ERROR, size=R.size)
    return float(np.sqrt(np.sum((predicted - observed) ** 2 / ERROR**2) / np.sum(1.0 / ERROR**2)))


def enhanced() -> npt.NDArray[np.float64]:
    """V_pred with F (1 + K_rough) at V_pred, by five iterations."""
    v_bar, sigma = np.hypot(DISK, GAS), 35.0 * np.exp(-R / 4.0) + 10.0
    source = np.minimum(np.sqrt((DISK**2 + GAS**2) / (2.0 * np.pi * G * R * 1e6) / 50.0), 2.0)
    v = v_bar
    for _ in range(5):
        boxed = 1.0 + 800.0 * (v / LIGHT) ** 2 * source * (v / sigma) ** 0.825 / np.sqrt(1.0 + (R / 2.2) ** 2)
        rough = 1.0 + 0.774 * source * (np.minimum(1.0, v / sigma) / (2.0 * np.pi)) ** 0.1
        v = v_bar * np.sqrt(boxed * rough)
    return np.asarray(v)


def found(kernel: str, take: str, **settings: object) -> float:
    keys = DemoGalaxyKeys.model_validate(
        {"kernel": kernel, "take": take, "settings": {"upsilon_disk": 1.0, **settings}}
    )
    return demo_galaxy(keys, OneCube(xr.Dataset())).value


def test_newton_gives_the_rms_by_hand() -> None:
    assert found("newton", "rms") == pytest.approx(rms(np.hypot(DISK, GAS)), rel=1e-12)
    assert found("newton", "least_boost") == pytest.approx(1.0, rel=1e-12)


def test_the_kernel_gives_the_rms_and_the_boosts_by_hand() -> None:
    how = {"form": "with_roughness", "velocity": "self_consistent"}
    # Three evaluations for five, and another digit of G.
    assert found("cmsi", "rms", **how) == pytest.approx(rms(enhanced()), rel=1e-3)
    boost = (enhanced() / np.hypot(DISK, GAS)) ** 2
    assert found("cmsi", "least_boost", **how) == pytest.approx(boost.min(), rel=1e-3)
    assert found("cmsi", "largest_boost", **how) == pytest.approx(boost.max(), rel=1e-3)


def test_the_dispersion_told_is_the_one_that_is_computed_with() -> None:
    keys = DemoGalaxyKeys(kernel="cmsi", take="rms", settings={"upsilon_disk": 1.0})
    details = demo_galaxy(keys, OneCube(xr.Dataset())).details
    assert details["σ_v"] == "35 km/s e^(−R/4 kpc) + 10 km/s"
    # The kernel's own profile is another one.
    assert "dispersion parameter" in details["labels"]
    assert not any("e^{−R/4" in details[name] for name in ("formulas", "labels"))
    assert "σ_v" not in details["parameters"]


def test_a_number_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(SpecError, match="take"):
        parse_reading({"quantity": "demo_galaxy", "kernel": "newton", "take": "chi2"})
