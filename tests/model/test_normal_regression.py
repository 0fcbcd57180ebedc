"""Errors of g_bar: the regression against integrals over the true g_bar, and the slope against exact derivatives."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from sigcube.cube import pack
from sigcube.engine import PointTerms
from sigcube.kernels import KERNELS
from sigcube.model import likelihood, normal_regression
from sigcube.model.frames import FRAMES, variables_of
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.model.normal_regression import REGRESSION_TERMS
from tests.kernels.readings import small_survey

HALF_LN_10 = np.log(10.0) / 2.0
A0 = 1.2e-10

# log₁₀ g_mod of log₁₀ g_bar.
Relation = Callable[[np.ndarray], np.ndarray]


def deviance(
    v_mod: float, v_obs: float, e_v: float, slope: float, x: float, mu: float, w: float, e_x: float, scatter: float
) -> float:
    """−2 ln p(V_obs | x) of one point, term by term."""
    k = normal_regression.g_bar_shrinkage(e_x, w)
    excess = normal_regression.g_bar_excess(10.0**x, mu, k)
    residual = normal_regression.regression_residual(v_mod, v_obs, slope, excess)
    variance = normal_regression.g_bar_variance(k, w)
    sigma_sq = normal_regression.error_sq_with_scatter(e_v, 0.1, v_obs, slope, variance, scatter)
    return float(residual**2 / sigma_sq + np.log(2.0 * np.pi * sigma_sq))


def log_integral(relation: Relation, x: float, y: float, e_y: float, mu: float, w: float, e_x: float) -> float:
    """ln p(y | x), by quadrature over the true x, whose density given x is N(x − k (x − μ), k w²).

    The trapezoidal rule where the integrand is not negligible, found in steps: the data may be much narrower.
    """
    k = e_x**2 / (w**2 + e_x**2)
    centre, width = x - k * (x - mu), np.sqrt(k) * w
    true = np.linspace(centre - 60.0 * width, centre + 60.0 * width, 4001)
    for _ in range(4):
        log_density = norm.logpdf(y, relation(true), e_y) + norm.logpdf(true, centre, width)
        top, step = log_density.max(), true[1] - true[0]
        total = np.exp(log_density - top).sum() * step
        kept = true[log_density > top - 80.0][[0, -1]]
        true = np.linspace(kept[0] - step, kept[1] + step, 4001)
    return float(top + np.log(total))


POINTS = {
    "x": st.floats(-13.0, -8.0),
    "mu": st.floats(-12.0, -9.0),
    "w": st.floats(0.1, 2.0),
    "e_x": st.floats(0.005, 0.5),
    "slope": st.floats(-0.5, 1.5),
    "offset": st.floats(-0.5, 0.5),
    "v_obs": st.floats(10.0, 300.0),
    "share": st.floats(0.01, 0.5),
    "scatter": st.floats(0.0, 0.2),
}


@given(**POINTS)
def test_of_a_straight_relation_it_is_the_integral_over_the_true_g_bar(
    x: float, mu: float, w: float, e_x: float, slope: float, offset: float, v_obs: float, share: float, scatter: float
) -> None:
    """As a density of V_obs: dy = 2 dV/(V ln 10). Only y − y_mod counts, so y_mod is 0 at the measured x."""
    v_mod = v_obs * 10.0 ** (offset / 2.0)
    e_y = np.hypot(max(share * v_obs, 0.1) / (v_obs * HALF_LN_10), scatter)
    expected = log_integral(lambda true: slope * (true - x), x, -offset, e_y, mu, w, e_x)
    expected -= np.log(v_obs * HALF_LN_10)
    found = -0.5 * deviance(v_mod, v_obs, share * v_obs, slope, x, mu, w, e_x, scatter)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(**POINTS)
def test_with_the_density_of_g_bar_it_is_the_printed_one(
    x: float, mu: float, w: float, e_x: float, slope: float, offset: float, v_obs: float, share: float, scatter: float
) -> None:
    """Against the two-dimensional Gaussian, and the sum as arXiv:2309.00948 and its code, roxy, have it.

    There ½ ln 2π stands once for each point; a density of x and y has it twice.
    """
    f, y, s_sq = 0.3, 0.3 - offset, (share / HALF_LN_10) ** 2 + scatter**2
    covariance = [[w**2 + e_x**2, slope * w**2], [slope * w**2, slope**2 * w**2 + s_sq]]
    gaussian = multivariate_normal([mu, f + slope * (mu - x)], covariance, allow_singular=True)
    intercept = f - slope * x
    den = slope**2 * w**2 * e_x**2 + s_sq * (w**2 + e_x**2)
    printed = np.log(2.0 * np.pi) + np.log(den) + w**2 * (slope * x + intercept - y) ** 2 / den
    printed += e_x**2 * (slope * mu + intercept - y) ** 2 / den + s_sq * (x - mu) ** 2 / den
    v_mod = v_obs * 10.0 ** (offset / 2.0)
    of_v = -0.5 * deviance(v_mod, v_obs, share * v_obs, slope, x, mu, w, e_x, scatter)
    joint = of_v + np.log(v_obs * HALF_LN_10) + norm.logpdf(x, mu, np.hypot(w, e_x))
    assert joint == pytest.approx(-0.5 * (printed + np.log(2.0 * np.pi)), rel=1e-9, abs=1e-8)
    assert joint == pytest.approx(gaussian.logpdf([x, y]), rel=1e-6, abs=1e-6)


def rar(x: np.ndarray) -> np.ndarray:
    """McGaugh+ 2016."""
    g = 10.0**x
    return np.log10(-g / np.expm1(-np.sqrt(g / A0)))


def slope_of_rar(x: float) -> float:
    """1 − √u/2 · e^{−√u}/(1 − e^{−√u}), u = g/a₀."""
    root = np.sqrt(10.0**x / A0)
    return float(1.0 - 0.5 * root / np.expm1(root))


@pytest.mark.slow
@pytest.mark.parametrize(("e_x", "most"), [(0.02, 0.004), (0.04, 0.025), (0.1, 0.2), (0.2, 0.6)])
def test_of_a_curved_relation_it_is_an_approximation(e_x: float, most: float) -> None:
    """ln p of points up to 3σ off the radial acceleration relation: the bounds that the guide states."""
    worst = 0.0
    for x in np.linspace(-12.0, -8.5, 15):
        slope, e_y = slope_of_rar(x), 0.06
        for pull in (-3.0, 0.0, 3.0):
            y = float(rar(x)) + pull * np.hypot(e_y, slope * e_x)
            exact = log_integral(rar, x, y, e_y, -10.6, 0.7, e_x)
            v_obs = 100.0
            v_mod = v_obs * 10.0 ** ((float(rar(x)) - y) / 2.0)
            found = -0.5 * deviance(v_mod, v_obs, e_y * v_obs * HALF_LN_10, slope, x, -10.6, 0.7, e_x, 0.0)
            worst = max(worst, abs(found + np.log(v_obs * HALF_LN_10) - exact))
    # Less than half of it would say that the guide states too much.
    assert 0.5 * most < worst < most


def slope_of(kernel: Kernel, cube: xr.Dataset, **settings: float | str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A at every point of a cube, and g_bar and Σ."""
    model, variables = Model(kernel, FRAMES["galaxy"], settings), variables_of(cube)
    # Some are the same at all points of a galaxy, or of all.
    extra = {**REGRESSION_TERMS, "slope": lambda g_bar_response, r: g_bar_response + 0.0 * r}
    extra["sigma"] = lambda boost, r: boost + 0.0 * r
    bound = model.bind(("slope", "g_bar", "sigma"), variables=variables, swept={}, extra=extra)
    packed = pack(cube, sample="unflagged", variables=(*bound.graph.points, *bound.graph.systems))
    terms = PointTerms(bound, packed, bound.graph.targets)
    each = np.concatenate([terms(np.empty(0), system) for system in range(packed.n_systems)], axis=1)
    return each[0], {"g_bar": each[1], "boost": each[2]}


@pytest.mark.slow
def test_the_slope_of_newton_is_exactly_one() -> None:
    assert set(slope_of(KERNELS["newton"], small_survey())[0]) == {1.0}


@pytest.mark.slow
def test_the_slope_of_relations_with_a_closed_form() -> None:
    """To 1e-9: of MOND's ν, and of a halo that does not move with the baryons, A = g_bar/g_mod."""
    simple, at = slope_of(KERNELS["mond"], small_survey(), nu="simple")
    # ν = ½ + s, s = √(¼ + 1/u): d ln ν/d ln u = −1/(2 u s ν).
    u = at["g_bar"] / A0
    s = np.sqrt(0.25 + 1.0 / u)
    np.testing.assert_allclose(simple, 1.0 - 1.0 / (2.0 * u * s * (0.5 + s)), rtol=1e-9)
    found, at = slope_of(KERNELS["mond"], small_survey(), nu="rar")
    np.testing.assert_allclose(found, [slope_of_rar(x) for x in np.log10(at["g_bar"])], rtol=1e-9)
    found, at = slope_of(KERNELS["nfw"], small_survey())
    np.testing.assert_allclose(found, 1.0 / at["boost"], rtol=1e-9)


BARYONS = {
    "v_gas": 0.5,
    "v_disk": 0.5,
    "v_bul": 0.5,
    "v_gas_max": 0.5,
    "v_disk_max": 0.5,
    "v_bul_max": 0.5,
    "m_hi": 1.0,
}
BARYONS |= dict.fromkeys(("luminosity", "sb_disk", "sb_bul", "sb_eff", "sb_disk_central"), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
def test_the_slope_of_every_kernel_is_its_response_to_more_baryons(kernel: Kernel) -> None:
    """Against Σ of cubes with all baryons scaled: five points, whose error is of the fourth order."""
    cube, step = small_survey(), 2e-3

    def log_boost(shift: float) -> np.ndarray:
        scaled = {n: (cube[n] * np.exp(p * shift)).assign_attrs(cube[n].attrs) for n, p in BARYONS.items() if n in cube}
        each = np.log(kernel.boost(cube.assign(scaled)))
        order = pack(cube.assign(known=each), sample="unflagged", variables=("known",))
        return order.points["known"]

    one, two = (log_boost(n * step) - log_boost(-n * step) for n in (1.0, 2.0))
    expected = 1.0 + (8.0 * one - two) / (12.0 * step)
    np.testing.assert_allclose(slope_of(kernel, cube)[0], expected, rtol=1e-8)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), shift=st.floats(-0.2, 0.2), tau=st.floats(1e-3, 0.4))
def test_its_sums_are_the_integral_over_a_factor_on_the_model(seed: int, n: int, shift: float, tau: float) -> None:
    """Where the distance or the inclination is marginalised, ln s ~ N(m, τ²) adds to the residuals, V_obs times it."""
    rng = np.random.default_rng(seed)
    v, sigma = rng.uniform(20.0, 250.0, n), rng.uniform(1.0, 15.0, n)
    o = np.abs(v * np.exp(0.2 * rng.normal()) + rng.normal(size=n) * sigma) + 1.0
    weights, residuals = 1.0 / sigma**2, o * np.log(v / o)
    sums = (
        float(np.sum(residuals**2 * weights + np.log(2.0 * np.pi * sigma**2))),
        sum(map(normal_regression.weighted_residual, o, residuals, weights)),
        sum(map(normal_regression.weighted_prediction_sq, o, weights)),
    )
    covariance = np.diag(sigma**2) + tau**2 * np.outer(o, o)
    expected = multivariate_normal(-shift * o, covariance).logpdf(residuals)
    found = likelihood.over_scale(float(n), *sums, shift, tau**2, 0.0)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def log_scales(epsilon: float, i: float, e_i: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes over a Gaussian with their weights, and the two parts of ln s there."""
    x = np.linspace(-8.5, 8.5, 801)
    with np.errstate(all="ignore"):
        of_distance = 0.5 * np.log(np.maximum(1.0 + epsilon * x, 0.0))
    return (
        norm.pdf(x) * (x[1] - x[0]),
        of_distance,
        np.log(abs(np.sin(np.radians(i + e_i * x))) / np.sin(np.radians(i))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("deviation", [-6.0, -2.0, 0.0, 2.0, 6.0])
def test_the_skew_of_the_scale_is_known_to_first_order(deviation: float) -> None:
    """For a model that is off by so many σ of the scale: at least twice as near to the integral as with a Gaussian."""
    quoted = 0.15, 50.0, 4.0
    weight, of_distance, of_inclination = log_scales(*quoted)
    d, i, e_i = (np.array([each]) for each in (7.0, *quoted[1:]))
    prior = normal_regression.log_scale_prior(distance=True, inclination=True)(d, d * quoted[0], i, e_i)
    shift, variance, skew = (each.item() for each in prior)
    # The data tell s to a third of what is known of it before.
    square = 9.0 / variance
    cross = -deviation * np.sqrt(variance) * square
    moved = of_distance[:, np.newaxis] + of_inclination
    log_l = -0.5 * (moved * (2.0 * cross + moved * square))
    expected = log_l.max() + np.log(weight @ np.exp(log_l - log_l.max()) @ weight)
    found, gaussian = (likelihood.over_scale(9.0, 0.0, cross, square, shift, variance, each) for each in (skew, 0.0))
    assert 2.0 * abs(found - expected) < abs(gaussian - expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epsilon", "i", "e_i"), [(0.1, 60.0, 4.0), (0.0, 35.0, 3.0), (0.05, 90.0, 5.0), (0.11, 78.0, 0.0)]
)
def test_the_scale_has_the_moments_of_its_logarithm(epsilon: float, i: float, e_i: float) -> None:
    """The cumulants of two independent parts add up."""
    d, given_i = np.array([7.0]), (np.array([i]), np.array([e_i]))
    both = normal_regression.log_scale_prior(distance=True, inclination=True)(d, d * epsilon, *given_i)
    of_d = normal_regression.log_scale_prior(distance=True, inclination=False)(d, d * epsilon)
    of_i = normal_regression.log_scale_prior(distance=False, inclination=True)(*given_i)
    weight, *parts = log_scales(epsilon, i, e_i)
    means = [weight @ part for part in parts]
    mean, variance, third = (
        sum(weight @ (part - m * (n > 1)) ** n for part, m in zip(parts, means, strict=True)) for n in (1, 2, 3)
    )
    np.testing.assert_allclose(np.ravel(both), (mean, variance, third / variance), rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose(np.add(of_d, of_i)[:2], both[:2], rtol=1e-12, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "i", "e_i"), [(0.3, 20.0, 10.0), (0.5, 31.5, 32.0), (0.0, 0.5, 1.0)])
def test_the_scale_of_badly_known_galaxies_has_finite_moments(epsilon: float, i: float, e_i: float) -> None:
    """Distances down to zero and angles round zero, where the logarithm has no end, also at a node (31.5°)."""
    d = np.array([7.0])
    prepare = normal_regression.log_scale_prior(distance=True, inclination=True)
    mean, variance, _ = prepare(d, d * epsilon, np.array([i]), np.array([e_i]))
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 10**6))
    log_s = 0.5 * np.log(1.0 + epsilon * x[1.0 + epsilon * x > 0.0])
    tilted = np.log(abs(np.sin(np.radians(i + e_i * y))) / np.sin(np.radians(i)))
    assert mean[0] == pytest.approx(log_s.mean() + tilted.mean(), rel=0.02, abs=0.01)
    assert variance[0] == pytest.approx(log_s.var() + tilted.var(), rel=0.1)
