"""The solver of Poisson's equation against closed forms."""

import numpy as np
import pytest
from scipy.special import i0e, i1e, k0e, k1e

from sigcube.field.poisson import PolarGrid, RadialPanels, angular_basis

FOUR_PI = 4.0 * np.pi
R = np.geomspace(0.05, 30.0, 120)


def grid(n_modes: int = 32, n_panels: int = 55, largest: float = 1e4) -> PolarGrid:
    return PolarGrid.between(1e-4, largest, n_panels=n_panels, n_nodes=10, n_modes=n_modes)


def kuzmin_disc(R: np.ndarray) -> np.ndarray:
    return 1.0 / (2.0 * np.pi * (R * R + 1.0) ** 1.5)


def kuzmin_field(R: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Φ = −1/√(R²+(1+z)²) and its derivatives (Toomre 1963)."""
    s = np.sqrt(R * R + (1.0 + z) ** 2)
    return -1.0 / s, R / s**3, (1.0 + z) / s**3


def freeman_pull(R: np.ndarray) -> np.ndarray:
    """4πGΣ₀ y² [I₀K₀ − I₁K₁]/R at y = R/2, in the plane of an exponential disc (Freeman 1970)."""
    y = 0.5 * R
    return FOUR_PI * y * y * (i0e(y) * k0e(y) - i1e(y) * k1e(y)) / R


def miyamoto_nagai(R: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Density for a = 1, b = 0.2 (Miyamoto & Nagai 1975, PASJ 27, 533)."""
    a, b = 1.0, 0.2
    s = np.sqrt(z * z + b * b)
    top = a * R * R + (a + 3.0 * s) * (a + s) ** 2
    return b * b / FOUR_PI * top / ((R * R + (a + s) ** 2) ** 2.5 * s**3)


def kuzmin_error(grid: PolarGrid, z: float) -> float:
    heights = np.full_like(R, z)
    phi, by_R, by_z = grid.solve_density(None, kuzmin_disc, FOUR_PI).evaluate(R, heights)
    exact = kuzmin_field(R, heights)
    pull = np.hypot(exact[1], exact[2])
    errors = [(phi - exact[0]) / exact[0], (by_R - exact[1]) / pull, (by_z - exact[2]) / pull]
    return float(np.abs(errors).max())


def freeman_error(grid: PolarGrid) -> float:
    solved = grid.solve_density(None, lambda R: np.exp(-R), FOUR_PI).evaluate(R, 0.0 * R)[1]
    return float(np.abs(solved / freeman_pull(R) - 1.0).max())


def miyamoto_nagai_error(grid: PolarGrid) -> float:
    solved = grid.solve_density(miyamoto_nagai, None, FOUR_PI).evaluate(R, 0.0 * R)[1]
    return float(np.abs(solved / (R / (R * R + 1.2**2) ** 1.5) - 1.0).max())


@pytest.mark.parametrize("z", [0.0, 0.1, 1.0, 5.0])
def test_kuzmin(z: float) -> None:
    assert kuzmin_error(grid(), z) < 1e-10


def test_freeman() -> None:
    assert freeman_error(grid()) < 1e-8


def test_above_a_thin_disc_the_pull_is_two_pi_sigma() -> None:
    inside = R[R < 8.0]
    by_z = grid().solve_density(None, lambda R: np.exp(-R), FOUR_PI).evaluate(inside, 0.0 * inside)[2]
    np.testing.assert_allclose(by_z, 2.0 * np.pi * np.exp(-inside), rtol=1e-8)


@pytest.mark.parametrize(("n_modes", "error"), [(8, 1e-2), (16, 3e-4), (24, 4e-6), (32, 2e-7), (48, 1e-9)])
def test_a_thick_disc_converges_geometrically_in_modes(n_modes: int, error: float) -> None:
    found = miyamoto_nagai_error(grid(n_modes))
    assert error / 100.0 < found < error


def test_panels_converge_to_a_high_order() -> None:
    """Ten nodes a panel: twice the panels, hundreds of times the accuracy; second order would give four times."""
    coarse, fine = (kuzmin_error(grid(32, panels), 0.0) for panels in (10, 20))
    assert coarse / fine > 200.0


def test_a_gradient_gives_its_potential_back_and_a_curl_nothing() -> None:
    """F = ∇ψ + ∇×(B φ̂): only ψ counts, though neither part is small."""
    g = grid(32)
    r, mu = g.radial.r[..., None], g.angular.mu
    psi = -1.0 / np.sqrt(r * r + 2.0 * r * mu + 1.0)
    psi_r, psi_mu = (r + mu) * -(psi**3), r * -(psi**3)
    # With B = b(r) √(1−μ²) μ, which vanishes in the mid-plane, the curl has no flux through it.
    b, slope = r**2 * np.exp(-r), (2.0 * r - r**2) * np.exp(-r)
    curl_r = -b / r * (1.0 - 3.0 * mu**2)
    curl_mu = (b / r + slope) * mu
    solved = g.solve_divergence(psi_r + curl_r, psi_mu / r + curl_mu)
    _, by_R, by_z = solved.evaluate(R, 0.3 * R)
    _, exact_R, exact_z = kuzmin_field(R, 0.3 * R)
    scale = np.hypot(exact_R, exact_z)
    assert np.abs((by_R - exact_R) / scale).max() < 1e-8
    assert np.abs((by_z - exact_z) / scale).max() < 1e-8


def test_divergence_of_a_thick_disc_is_its_density() -> None:
    g = grid(48)
    found = g.divergence(*g.solve_density(miyamoto_nagai, None, FOUR_PI).gradient()) / FOUR_PI
    density = miyamoto_nagai(*g.cylindrical)
    near = (g.radial.r > 0.05) & (g.radial.r < 20.0)
    assert np.abs(found - density)[near].max() / density.max() < 1e-5


def test_half_of_the_angular_functions_are_even_legendre_polynomials() -> None:
    exponents = angular_basis(12).exponent
    for even in (0, 2, 4, 6, 8, 10):
        assert np.abs(exponents - even).min() < 1e-9
    assert (exponents >= 0.0).all()


def test_sweeps_solve_a_stiff_equation() -> None:
    """y' = −a y + 1 has y = 1/a + C e^{−ax}, for rates of any size, both ways."""
    r = RadialPanels.between(1.0, 100.0, n_panels=15, n_nodes=10)
    rate = np.array([0.5, 30.0, 1e6])
    source, x = np.ones((*r.r.shape, 3)), np.log(r.r)[..., None]
    exact = 1.0 / rate * (1.0 - np.exp(-rate * x))
    np.testing.assert_allclose(r.outward(rate, source, np.zeros(3)), exact, rtol=0, atol=2e-5)
    np.testing.assert_allclose(r.outward(rate[:1], source[..., :1], np.zeros(1)), exact[..., :1], rtol=0, atol=1e-12)
    back = r.inward(rate[:1], source[..., :1], np.zeros(1))
    np.testing.assert_allclose(back[::-1, ::-1], exact[..., :1], rtol=0, atol=1e-12)


def test_nodes_are_met_exactly() -> None:
    r = RadialPanels.between(0.1, 10.0, n_panels=4, n_nodes=6)
    inner = r.r[:, 1:-1].ravel()
    panel, weights = r.interpolation(inner)
    np.testing.assert_allclose(np.einsum("pi,pi->p", weights, np.sin(r.r)[panel]), np.sin(inner), rtol=1e-12)
