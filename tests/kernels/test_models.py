"""Models beside Σ-Gravity in numbers: what the papers print, what mpmath gives, and limits that are known."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from sigcube.constants import PAPER
from sigcube.kernels import find
from tests.kernels.oracles.resonance import by_panels, by_points
from tests.kernels.readings import by_ufunc, read

SATURN = 9.5 * PAPER.AU / PAPER.kpc


def term(kernel: str, target: str, labels: dict[str, str] | None = None, **values: Any) -> Any:
    """One term at one point, with defaults for the parameters that are not given."""
    reading = read(find(kernel), labels or {})
    point = {
        name: np.atleast_1d(value) if name in ("r", "v_obs", "v_disk") else value for name, value in values.items()
    }
    nothing = {name: np.zeros_like(point["r"]) for name in reading.graph.points}
    found = by_ufunc(reading.graph, {**nothing, **reading.constants, **reading.defaults, **point})
    return np.asarray(found[target]).ravel()[-1]


# The papers' own numbers

PRINTED = [
    # CMSI, Solar System: δg/g at Saturn, with 1e-10 Msun/pc² for "~0" and a dispersion below the velocity of 9.7 km/s
    (
        "cmsi",
        {"form": "with_roughness", "surface_density": "parameter", "dispersion": "parameter"},
        {"r": SATURN, "v_disk": 9.66, "upsilon_disk": 1.0, "sigma_s": 1e-10, "sigma_v": 5.0},
        "9.1e-07",
    ),
    # CMSI, Milky-Way-like profile: F = 1.6 where the source factor is 1, 2.3 where it is capped at 2
    (
        "cmsi",
        {"form": "with_roughness", "surface_density": "parameter"},
        {"r": 14.0, "v_disk": 160.0, "upsilon_disk": 1.0},
        "6.4e-01",
    ),
    (
        "cmsi",
        {"form": "with_roughness", "surface_density": "parameter"},
        {"r": 4.0, "v_disk": 160.0, "upsilon_disk": 1.0, "sigma_s": 400.0},
        "1.3e+00",
    ),
    # CMSI, core formula: without roughness F is 1.0005 there, and nothing like 1.6
    ("cmsi", {"surface_density": "parameter"}, {"r": 8.0, "v_disk": 160.0, "upsilon_disk": 1.0}, "5.1e-04"),
    # CMSI, Solar System table: with a source factor of 1e-6, Σ_s = 5e-11 Msun/pc², "combined < 1e-6"
    (
        "cmsi",
        {"surface_density": "parameter"},
        {"r": SATURN, "v_disk": 9.66, "upsilon_disk": 1.0, "sigma_s": 5e-11},
        "2.7e-13",
    ),
    # microphysics, success bar K(1 AU) ≪ 1e-10: pairing misses it
    ("pairing", {}, {"r": PAPER.AU / PAPER.kpc, "v_disk": 29.8}, "5.9e-10"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "labels", "values", "printed"), PRINTED, ids=[row[3] for row in PRINTED])
def test_printed_excess(kernel: str, labels: dict[str, str], values: dict[str, float], printed: str) -> None:
    assert f"{term(kernel, 'boost', labels, **values) - 1.0:.1e}" == printed


@pytest.mark.slow
def test_exponent_of_the_core_formula_is_the_printed_one() -> None:
    """CMSI: (v_c/σ_v)^0.825, from N_coh^0.55 with γ = 1.5, beside (v/c)²."""
    at = {"r": 3.0, "sigma_s": 50.0}
    labels = {"surface_density": "parameter", "dispersion": "parameter"}
    slow, fast = (term("cmsi", "boost", labels, v_disk=v, **at) - 1.0 for v in (100.0, 200.0))
    assert np.log2(fast / slow) == pytest.approx(2.825, abs=1e-9)


@pytest.mark.slow
def test_a_halo_holds_two_hundred_critical_densities() -> None:
    """M₂₀₀ = 10¹² at H₀ = 2.27e-18: r₂₀₀ = (G M/100 H₀²)^⅓ = 205.7 kpc, and V₂₀₀ = 10 H₀ r₂₀₀."""
    r_200, v_sq = term("nfw", "r_200", r=8.0, v_disk=100.0), term("nfw", "v_200_sq", r=8.0, v_disk=100.0)
    assert r_200 == pytest.approx(
        float(mp.cbrt(mp.mpf("6.674e-11") * mp.mpf("1.989e42") / (100 * mp.mpf("2.27e-18") ** 2)) / mp.mpf("3.086e19")),
        rel=1e-14,
    )
    assert np.sqrt(v_sq) == pytest.approx(10.0 * PAPER.H0 * r_200 * PAPER.kpc / 1e3, rel=1e-14)
    assert term("nfw", "v_halo_sq", r=r_200, v_disk=100.0) == pytest.approx(v_sq, rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("y", [1e-12, 1e-6, 1e-3, 0.049, 0.0526, 0.053, 0.1, 1.0, 50.0])
def test_the_mass_of_a_halo_does_not_cancel(y: float) -> None:
    from sigcube.kernels.halo import enclosed

    with mp.workdps(40):
        exact = mp.log1p(y) - mp.mpf(y) / (1 + mp.mpf(y))
        assert float(abs(enclosed(y) / exact - 1)) < 2e-14


# Survival (SI §9b) at r = r₀ and g = g†: Φ = 1 − 1/e, P = 1/e, h = ½.
SURVIVAL = [("yes", 3**0.5 * (1 - np.exp(-1)) * np.exp(-1) / 2), ("no", 3**0.5 * np.exp(-1) / 2)]


@pytest.mark.slow
@pytest.mark.parametrize(("label", "excess"), SURVIVAL)
def test_survival_where_everything_is_one(label: str, excess: float) -> None:
    v = np.sqrt(PAPER.g_dagger * 20.0 * PAPER.kpc) / 1e3
    labels = {"coherence_field": label}
    assert term("survival", "boost", labels, r=20.0, v_disk=v, upsilon_disk=1.0) == pytest.approx(1 + excess, rel=1e-12)


# Time coherence, by hand: V = 2π · 100 km/s, σ_v^1.5 = 100, so x = 1, with as many points as there are velocities.
_V, _COLD = 200.0 * np.pi, 100.0 ** (2.0 / 3.0)
EXPOSURES = [
    # x/(1+x)
    ({}, [_V], 0.5),
    # (V/2π)/(V + σ^1.5)
    ({"tau_geom": "radius"}, [_V], 100.0 / (_V + 100.0)),
    # x itself
    ({"exposure": "mean"}, [_V], 1.0),
    # the median of an odd number is a point
    ({}, [_V, 9 * _V, 3 * _V], 0.75),
    # ... of an even number, the mean of Ξ at the middle points, not Ξ of their mean
    ({}, [_V, 9 * _V, 3 * _V, 0.0], 0.5 * (0.5 + 0.75)),
    # equal velocities are as many points
    ({}, [_V, _V, 3 * _V, 3 * _V], 0.5 * (0.5 + 0.75)),
    ({"exposure": "mean"}, [_V, 9 * _V, 3 * _V, 0.0], 13.0 / 4.0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "speeds", "exposure"), EXPOSURES)
def test_exposure(labels: dict[str, str], speeds: list[float], exposure: float) -> None:
    labels = {"dispersion": "parameter", **labels}
    name = "exposure" if labels.get("exposure") == "mean" else "median_exposure"
    found = term("roughness", name, labels, r=np.arange(1.0, 1.0 + len(speeds)), v_obs=speeds, sigma_v=_COLD)
    assert found == pytest.approx(exposure, rel=1e-12)


FLAT = [
    # fewer than ten: all of them
    ([3.0, 1.0, 2.0], 2.0),
    # of twelve, the first two do not count
    ([500.0, 500.0, *range(1, 11)], 5.5),
    # a point without a velocity leaves no median
    ([1.0, float("nan"), 2.0], float("nan")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("speeds", "flat"), FLAT)
def test_flat_velocity_is_the_median_of_the_last_ten(speeds: list[float], flat: float) -> None:
    found = term("roughness", "v_flat", r=np.arange(1.0, 1.0 + len(speeds)), v_obs=np.asarray(speeds, dtype=float))
    assert found == pytest.approx(flat, nan_ok=True)


@pytest.mark.slow
def test_depth_of_a_milky_way() -> None:
    """Ψ of V = 220 km/s out to 20 kpc, R_eff = 26.6 kpc, ℓ₀ = 5 kpc: G M/c² = 1.08e-5 kpc, Ψ = 1.43e-8."""
    at = {"r": [10.0, 20.0], "v_obs": [220.0, 220.0], "scale_length_outermost": 20.0}
    depth = term("mass_coherence", "depth", **{**at, "r": np.array(at["r"]), "v_obs": np.array(at["v_obs"])})
    assert depth == pytest.approx((220.0 / 299800.0) ** 2 * 20.0 * 25.0 / 26.6**3, rel=1e-12)
    assert f"{depth:.2e}" == "1.43e-08"


@pytest.mark.slow
def test_pairing_is_half_at_the_critical_dispersion_and_one_length() -> None:
    found = term("pairing", "boost", r=5.0, v_disk=100.0, sigma_v=25.0)
    assert found == pytest.approx(1 + 0.5 * (1 - np.exp(-1)), rel=1e-14)


# The resonance integral

EXACT = [
    # (R, Q, α, λ_cut), the papers' values and what is hard: small R; a needle of a resonance; Q = 2, where poles meet;
    # no slope; a slope whose integral lies at the lower end; a spectrum that ends before the resonance
    (0.1, 5.0, 2.0, 2000.0),
    (8.0, 10.0, 2.0, 2000.0),
    (30.0, 8.0, 2.0, 2000.0),
    (0.5, 0.01, 2.0, 2000.0),
    (8.0, 1e-4, 2.0, 2000.0),
    (8.0, 1.9999, 2.0, 2000.0),
    (8.0, 2.0001, 2.0, 2000.0),
    (100.0, 3.0, 0.0, 2000.0),
    (3.0, 0.5, 4.0, 2000.0),
    (100.0, 1.9, 2.0, 10.0),
]


def integral(label: str, point: tuple[float, ...]) -> float:
    r, quality, alpha, lambda_cut = point
    at = {"sigma_v": 10.0, "v_disk": 10.0 * quality, "upsilon_disk": 1.0, "alpha": alpha, "lambda_cut": lambda_cut}
    return float(term("resonance", "K", {"quadrature": label}, r=r, **at))


@pytest.mark.slow
@pytest.mark.parametrize("point", EXACT, ids=str)
def test_the_resonance_integral_is_that_of_mpmath(point: tuple[float, ...]) -> None:
    r, quality, alpha, lambda_cut = (mp.mpf(x) for x in point)

    def f(u: Any) -> Any:
        wave, off = mp.e**u, 2 * mp.sinh(u - mp.log(2 * mp.pi * r))
        resonance = quality**2 / (quality**2 + off**2)
        return wave**-alpha * mp.e ** (-wave / lambda_cut) * resonance / (1 + (wave / r) ** 2)

    centre, low, high = mp.log(2 * mp.pi * r), mp.log(mp.mpf("0.1")), mp.log(10000)
    steps = [mp.mpf(10) ** k for k in range(-5, 1)]
    edges = sorted({low, *(e for s in steps for e in (centre - s, centre, centre + s) if low < e < high), high})
    exact = mp.quad(f, edges)
    assert integral("exact", point) == pytest.approx(float(exact), rel=1e-6)
    assert by_panels(*point) == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.slow
def test_a_needle_has_the_area_of_its_pole() -> None:
    """For Q → 0 the resonance is π Q/2 times a delta function at λ_o."""
    for r in (0.1, 3.0, 50.0):
        orbit = 2.0 * np.pi * r
        height = orbit**-2.0 * np.exp(-orbit / 2000.0) / (1.0 + 4.0 * np.pi**2)
        assert integral("exact", (r, 1e-7, 2.0, 2000.0)) == pytest.approx(np.pi / 2.0 * 1e-7 * height, rel=1e-4)


SUMS = [
    # where both ends of the sum count in full: by how much it is too large, to a tenth of that
    ((1.0, 5.0, 2.0, 2000.0), 1.1e-2),
    ((0.1, 5.0, 2.0, 2000.0), 5.4e-2),
    ((30.0, 5.0, 2.0, 2000.0), 4.2e-3),
    # where the resonance lies between two points of the sum
    ((30.0, 0.01, 2.0, 2000.0), 0.63),
]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "excess"), SUMS, ids=str)
def test_the_papers_sum_is_off(point: tuple[float, ...], excess: float) -> None:
    assert integral("paper", point) == pytest.approx(by_points(*point), rel=1e-11)
    assert integral("paper", point) / integral("exact", point) - 1.0 == pytest.approx(excess, rel=0.1)
