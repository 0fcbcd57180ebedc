"""ln L: its finishing formulas against integrals, its terms against their one-liners, its angles against libm's."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from sigcube.errors import SpecError
from sigcube.model import likelihood
from sigcube.model.error_frame import (
    DISTANCE_POWERS,
    distance_factor,
    inclination_factor,
    root_distance_factor,
    squared_distance_factor,
)
from sigcube.model.error_model import Errors
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRICS
from sigcube.model.prior_quadrature import over_prior


def integral_over_scale(v: np.ndarray, o: np.ndarray, e: np.ndarray, mean: float, tau: float) -> float:
    """Integrate L over s ~ N(s̄, τ²), by quadrature round the peak of the integrand."""
    s_mm, s_om = np.sum(v * v / e**2), np.sum(v * o / e**2)
    peak, width = (s_om + mean / tau**2) / (s_mm + 1.0 / tau**2), 1.0 / np.sqrt(s_mm + 1.0 / tau**2)

    def log_integrand(s: float) -> float:
        log_l = np.sum(-0.5 * ((o - s * v) / e) ** 2 - 0.5 * np.log(2.0 * np.pi * e**2))
        return float(log_l - 0.5 * ((s - mean) / tau) ** 2 - 0.5 * np.log(2.0 * np.pi * tau**2))

    top = log_integrand(peak)
    ends = peak - 12.0 * width, peak + 12.0 * width
    return top + float(np.log(quad(lambda s: np.exp(log_integrand(s) - top), *ends, epsabs=0.0, epsrel=1e-12)[0]))


def three_sums(v: np.ndarray, o: np.ndarray, e: np.ndarray) -> tuple[float, float, float]:
    residual = v - o
    deviance = np.sum(residual**2 / e**2 + np.log(2.0 * np.pi * e**2))
    return float(deviance), float(np.sum(v * residual / e**2)), float(np.sum(v * v / e**2))


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    tau=st.floats(1e-3, 0.6),
    off=st.floats(-0.5, 0.5),
    shift=st.floats(-0.1, 0.1),
)
def test_three_sums_are_the_integral_over_the_scale(seed: int, n: int, tau: float, off: float, shift: float) -> None:
    """Also where the model is off by many standard deviations, and for a τ that is hardly there."""
    rng = np.random.default_rng(seed)
    v, e = rng.uniform(20.0, 250.0, n), rng.uniform(1.0, 15.0, n)
    o = v * (1.0 + off) + rng.normal(size=n) * e
    found = likelihood.over_scale(float(n), *three_sums(v, o, e), shift, tau * tau, 0.0)
    assert found == pytest.approx(integral_over_scale(v, o, e, 1.0 + shift, tau), rel=1e-9)


def test_it_is_a_gaussian_with_a_covariance() -> None:
    """Marginalised over s, the residuals are N(0, diag σ² + τ² V Vᵀ): the second way to the same number."""
    rng = np.random.default_rng(3)
    v, e, tau = rng.uniform(20.0, 250.0, 12), rng.uniform(1.0, 15.0, 12), 0.13
    o = v + rng.normal(size=12) * e
    covariance = np.diag(e**2) + tau**2 * np.outer(v, v)
    expected = -0.5 * (o - v) @ np.linalg.solve(covariance, o - v)
    expected -= 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    assert likelihood.over_scale(12.0, *three_sums(v, o, e), 0.0, tau**2, 0.0) == pytest.approx(expected, rel=1e-12)


def test_without_an_error_nothing_is_marginalised() -> None:
    sums = 31.4, -2.0, 800.0
    assert likelihood.over_scale(9.0, *sums, 0.0, 0.0, 0.0) == likelihood.from_deviance(9.0, sums[0]) == -15.7


def integral_over_priors(sums: tuple[float, float, float], epsilon: float, i: float, e_i: float) -> float:
    """Integrate over D and i on a dense grid where the integrand is not negligible, found on a coarse one."""
    deviance, cross, square = sums
    x, y = np.linspace(-min(24.0, 1.0 / epsilon) if epsilon else -24.0, 24.0, 1201), np.linspace(-24.0, 24.0, 1201)
    for _ in range(3):
        scale = np.abs(np.sin(np.radians(i + e_i * y))) / np.sin(np.radians(i))
        away = np.sqrt(np.maximum(1.0 + epsilon * x[:, np.newaxis], 0.0)) * scale - 1.0
        excess = x[:, np.newaxis] ** 2 + y**2 + away * (2.0 * cross + away * square)
        lowest, steps = excess.min(), (x[1] - x[0], y[1] - y[0])
        total = np.exp(-0.5 * (excess - lowest)).sum() * steps[0] * steps[1]
        here = [np.flatnonzero((excess - lowest < 90.0).any(axis=axis))[[0, -1]] for axis in (1, 0)]
        low = max(x[here[0][0]] - steps[0], -1.0 / epsilon if epsilon else -24.0)
        x = np.linspace(low, x[here[0][1]] + steps[0], 1201)
        y = np.linspace(y[here[1][0]] - steps[1], y[here[1][1]] + steps[1], 1201)
    return float(-0.5 * (deviance + lowest) + np.log(total / (2.0 * np.pi)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epsilon", "inclination", "error", "cross", "square"),
    [
        # CamB and UGC01230 under MOND: a model too fast, and a galaxy nearly face-on.
        (0.077, 65.0, 5.0, 660.0, 1600.0),
        (0.199, 22.0, 10.0, 77.0, 920.0),
        # Edge-on, where the inclination has no first order; with data much narrower than the errors.
        (0.3, 90.0, 3.0, 5600.0, 17000.0),
        (0.05, 80.0, 5.0, -9000.0, 300000.0),
        (0.0, 90.0, 3.0, 900.0, 17000.0),
        (0.1, 60.0, 4.0, 0.0, 0.0),
    ],
)
def test_quadrature_is_the_integral_over_both_priors(
    epsilon: float, inclination: float, error: float, cross: float, square: float
) -> None:
    expected = integral_over_priors((50.0, cross, square), epsilon, inclination, error)
    found = over_prior(9.0, 50.0, cross, square, epsilon, inclination, error, 48.0)
    assert found == pytest.approx(expected, rel=1e-9)


def test_without_errors_of_a_system_quadrature_changes_nothing() -> None:
    assert over_prior(9.0, 50.0, 30.0, 900.0, 0.0, 70.0, 0.0, 16.0) == pytest.approx(-25.0, rel=1e-15)


@pytest.mark.parametrize("degrees", [0.1, 15.0, 44.99, 45.01, 60.0, 89.9, 90.0, 90.1, 135.0, 179.0])
def test_sine_is_that_of_libm(degrees: float) -> None:
    assert likelihood.sine(degrees) == pytest.approx(np.sin(np.radians(degrees)), rel=3e-14)
    assert likelihood.sine(-degrees) == -likelihood.sine(degrees)


@pytest.mark.parametrize(
    ("epsilon", "inclination", "error", "rel"),
    [
        (0.1, 60.0, 4.0, 1e-9),
        (0.0, 30.0, 6.0, 1e-9),
        # Edge-on, an error of the inclination only slows: no first order, and a mean below 1.
        (0.05, 90.0, 5.0, 1e-9),
        (0.12, 80.0, 0.0, 1e-9),
        # Small errors, of which no digit may cancel.
        (1e-4, 70.0, 0.01, 1e-6),
        # A twentieth of a Gaussian round such a distance is cut off, where the root begins with infinite slope.
        (0.6, 45.0, 10.0, 3e-3),
    ],
)
def test_the_scale_has_the_moments_of_its_prior(epsilon: float, inclination: float, error: float, rel: float) -> None:
    """Against integrals over D and i, by quadrature."""
    low = max(-1.0 / epsilon, -12.0) if epsilon else -12.0
    (x, w_x), (y, w_y) = (gauss_legendre(end, 12.0) for end in (low, -12.0))
    w = np.outer(w_x * np.exp(-0.5 * x * x), w_y * np.exp(-0.5 * y * y))
    moved = np.radians(inclination + error * y)
    s = np.sqrt(1.0 + epsilon * x[:, np.newaxis]) * np.sin(moved) / np.sin(np.radians(inclination))
    mean = np.average(s, weights=w)
    square, cube = (np.average((s - mean) ** power, weights=w) for power in (2, 3))
    distance, angle = np.array([8.0, 8.0]), np.array([inclination, 50.0])
    prepare = likelihood.scale_prior(distance=True, inclination=True)
    shift, variance, skew = prepare(distance, np.array([8.0 * epsilon, 0.0]), angle, np.array([error, 0.0]))
    assert 1.0 + shift[0] == pytest.approx(mean, rel=rel)
    assert variance[0] == pytest.approx(square, rel=rel, abs=1e-13)
    assert skew[0] == pytest.approx(cube / square, rel=rel, abs=rel * np.sqrt(square))
    # Without errors the scale is 1.
    assert (shift[1], variance[1], skew[1]) == (0.0, 0.0, 0.0)


leggauss = cache(np.polynomial.legendre.leggauss)


def gauss_legendre(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = leggauss(400)
    return 0.5 * (high - low) * nodes + 0.5 * (high + low), weights


def test_the_variance_of_the_scale_is_that_of_small_errors_at_first() -> None:
    """τ² = (σ_D/2D)² + (σ_i cot i)²; distance and inclination alone are the parts of both."""
    d, e_d, i, e_i = (np.array([each]) for each in (10.0, 1e-3, 60.0, 3e-3))
    of_d = likelihood.scale_prior(distance=True, inclination=False)(d, e_d)
    of_i = likelihood.scale_prior(distance=False, inclination=True)(i, e_i)
    both = likelihood.scale_prior(distance=True, inclination=True)(d, e_d, i, e_i)
    np.testing.assert_allclose(of_d[1], (e_d / 2.0 / d) ** 2, rtol=1e-6)
    np.testing.assert_allclose(of_i[1], (np.radians(e_i) / np.tan(np.radians(i))) ** 2, rtol=1e-6)
    np.testing.assert_allclose(both[:2], [of_d[j] + of_i[j] for j in (0, 1)], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epsilon", "i", "e_i", "most"),
    [
        # Errors of distance and inclination as SPARC has them for half of its galaxies.
        (0.15, 70.0, 6.0, 0.01),
        (0.1, 60.0, 4.0, 0.006),
        (0.25, 45.0, 3.0, 0.041),
        # Nearly edge-on, where the inclination can only slow.
        (0.1, 80.0, 4.0, 0.04),
    ],
)
def test_it_is_near_the_integral_over_the_priors_as_quoted(epsilon: float, i: float, e_i: float, most: float) -> None:
    """Up to two standard deviations of the scale away, and much nearer than to first order in the errors."""
    prior = [each[0] for each in prepared(epsilon, i, e_i)]
    first_order = (epsilon / 2.0) ** 2 + (np.radians(e_i) / np.tan(np.radians(i))) ** 2
    square, away = 4000.0, []
    for off in np.linspace(-2.0, 2.0, 9) * np.sqrt(first_order):
        sums = 50.0, off * square, square
        exact = over_prior(9.0, *sums, epsilon, i, e_i, 48.0)
        laws = prior, (0.0, first_order, 0.0)
        away.append([likelihood.over_scale(9.0, *sums, *law) - exact for law in laws])
    ours, first = np.abs(away).max(axis=0)
    assert ours < most
    assert ours < 0.4 * first


@given(
    skew=st.floats(-0.3, 0.3), tau=st.floats(0.01, 0.3), square=st.floats(1.0, 1e6), side=st.sampled_from([-1.0, 1.0])
)
def test_a_model_that_is_further_off_is_never_better(skew: float, tau: float, square: float, side: float) -> None:
    """Beyond a few standard deviations, where the series ends: a tail that rose again would choose absurd models."""
    deviation = np.sqrt(tau * tau + 1.0 / square)
    scales = 1.0 + side * deviation * np.linspace(4.0, 60.0, 200)
    found = []
    for s in scales:
        cross = square * (1.0 - s)
        found.append(likelihood.over_scale(9.0, cross * cross / square, cross, square, 0.0, tau * tau, skew * tau))
    assert (np.diff(found) < 0.0).all()


def prepared(epsilon: float, i: float, e_i: float) -> tuple[np.ndarray, ...]:
    prepare = likelihood.scale_prior(distance=True, inclination=True)
    return prepare(*(np.array([each]) for each in (1.0, epsilon, i, e_i)))


@given(degrees=st.floats(5.0, 90.0), error=st.floats(0.0, 20.0), shift=st.floats(-3.0, 3.0))
def test_a_shifted_inclination_scales_by_its_sine(degrees: float, error: float, shift: float) -> None:
    """Beyond 90° the galaxy is seen from its other side, and below 0° as well."""
    expected = abs(np.sin(np.radians(degrees + shift * error))) / np.sin(np.radians(degrees))
    assert inclination_factor(degrees, error, shift) == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_shifts_of_the_distance() -> None:
    factor = distance_factor(10.0, 2.0, 1.5)
    assert (factor, root_distance_factor(factor), squared_distance_factor(factor)) == (1.3, np.sqrt(1.3), 1.3 * 1.3)
    assert distance_factor(10.0, 2.0, 0.0) == 1.0
    # Radii ∝ D, velocities of baryons ∝ √D as masses ∝ D²; what spectra tell stays.
    of = DISTANCE_POWERS
    assert (of["r"], of["scale_length_disk_peak"], of["v_gas"], of["m_hi"], of["v_obs"]) == (1.0, 1.0, 0.5, 2.0, 0.0)


def test_scatter_adds_to_the_variance() -> None:
    assert likelihood.error_sq_with_scatter(3.0, 0.1, 4.0) == 25.0
    # d ln V = ½ d ln g: 0.1 dex of g are 0.05 dex of V.
    of_v = 9.0 + (100.0 * 0.05 * np.log(10.0)) ** 2
    assert likelihood.error_sq_with_scatter_of_v(3.0, 0.1, 100.0, 0.1) == pytest.approx(of_v, rel=1e-14)
    of_g = 9.0 + (100.0 * 0.1 * np.log(10.0)) ** 2
    assert likelihood.error_sq_with_scatter_of_g(3.0, 0.1, 100.0, 0.1) == pytest.approx(of_g, rel=1e-14)
    assert likelihood.error_sq(0.0, 0.1) == likelihood.error_sq_with_scatter(0.0, 0.1, 0.0)


@pytest.mark.parametrize(
    ("given_errors", "message"),
    [
        ({"distnce": True}, "errors have no 'distnce'\n  where: errors\n  do: did you mean 'distance'"),
        ({"distance": 1}, "distance is marginalised or not\n  where: errors.distance\n  found: 1"),
        ({"scatter": -0.1}, "this is no scatter\n  where: errors.scatter\n  found: -0.1\n  expected: 0 or more dex"),
        ({"scatter": "0.1"}, "this is no scatter"),
        ({"scatter": 1001.0}, "this is no scatter\n.*\n.*\n  expected: 0 or more dex, up to 1000"),
        ({"g_bar": -0.1}, "this is no error of g_bar\n  where: errors.g_bar\n  found: -0.1\n  expected: 0 to 10 dex"),
        ({"g_bar": True}, "this is no error of g_bar"),
        ({"scatter_unit": "kms"}, "there is no unit 'kms' of a scatter.*\n.*\n.*did you mean 'km/s'"),
        ([], "these are no errors of the data\n  where: errors"),
    ],
)
def test_errors_that_cannot_be(given_errors: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Errors.of(given_errors)


def test_numbers_of_numpy_are_those_of_python() -> None:
    # As one has them from an array; a record of them is JSON.
    given = Errors(distance=np.True_, quadrature=np.int64(48), scatter=np.float64(0.05), g_bar=np.float32(0.5))
    assert given == Errors(distance=True, quadrature=48, scatter=0.05, g_bar=0.5)
    assert json.loads(json.dumps(given.record())) == given.record()


def test_errors_that_say_nothing_are_none() -> None:
    assert Errors.of(None) is None
    assert Errors.of({}) is None
    assert Errors.of({"distance": False}) is None
    assert Errors.of({"scatter": 0.0}) == Errors(scatter=0.0)
    assert Errors.of({"g_bar": 0.0}) == Errors(g_bar=0.0)
    assert Errors(inclination=True, scatter=0.1).record() == {"inclination": True, "scatter": 0.1}


def test_a_frame_stays_the_same_object_without_them() -> None:
    """So no term, no order of terms and no bit of other sweeps can change."""
    frame, metrics = FRAMES["galaxy"], (METRICS["rms"], METRICS["loglike"])
    found, measured = Errors().applied_to(frame, metrics, ())
    assert found is frame
    assert measured == metrics
    changed, _ = Errors(scatter=0.1).applied_to(frame, metrics, ())
    assert changed.terms == frame.terms
