"""Densities of one axis between its values: a Gaussian exactly, and nowhere far above what the values say."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sigcube.analysis.marginals import Marginal, marginal
from sigcube.analysis.prior_weights import axis_priors


def marginal_of(values: np.ndarray, log_density: np.ndarray) -> Marginal:
    """Return the marginal of an axis under a prior that is uniform over its range."""
    prior = axis_priors(xr.DataArray(np.zeros(values.size), {"u": values}, "u"), None)["u"]
    assert prior.measure is not None
    weight = np.exp(log_density) * prior.measure
    return marginal(weight / weight.sum(), prior)


@pytest.mark.parametrize("spacing", [0.25, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("off", [0.0, 0.3, 0.5])
def test_a_gaussian_on_even_values_is_itself_however_coarse(spacing: float, off: float) -> None:
    u = spacing * (np.arange(-20, 21) + off)
    found = marginal_of(u, -0.5 * u**2)
    for share in (0.025, 0.16, 0.5, 0.84, 0.975):
        assert found.quantile(share) == pytest.approx(stats.norm.ppf(share), abs=2e-3 * max(1.0, spacing**2))


# ln of the density at values, and where all between is bounded: above the higher neighbour, by how much at most.
ROWS = [
    # Next to nothing at the first value, as where a model has no likelihood there: Akima rises by hundreds.
    ([0.6334, 0.7388, 1.601], [-745.0, -1.0, 0.0], 0.5),
    ([0.0, 1.0, 2.0], [-700.0, 0.0, -1.0], 0.5),
    # The same in the middle, where the other side is flat: nothing tells of a peak.
    ([0.0, 1.0, 2.0, 3.0, 4.0], [-700.0, 0.0, 0.0, 0.0, -700.0], 0.0),
    # Two equal values and nothing beside them: a Gaussian between them rises by an eighth of the curvature.
    ([0.0, 1.0, 2.0, 3.0], [-100.0, 0.0, 0.0, -100.0], 12.5),
]


@pytest.mark.parametrize(("u", "log_density", "rise"), ROWS)
def test_a_density_does_not_rise_far_above_its_values(u: list[float], log_density: list[float], rise: float) -> None:
    found = marginal_of(np.array(u), np.array(log_density))
    at_values = np.interp(u, found.x, found.density)
    assert found.density.max() <= at_values.max() * np.exp(rise) * (1 + 1e-9)
    assert found.density.max() >= at_values.max()


@given(
    n=st.integers(3, 8),
    seed=st.integers(0, 2**16),
    scale=st.sampled_from([1.0, 30.0, 2000.0]),
)
def test_quantiles_lie_between_values_that_have_probability(n: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    u, logs = np.cumsum(rng.uniform(0.05, 1.0, n)), rng.normal(0.0, scale, n)
    found = marginal_of(u, logs - logs.max())
    assert np.isfinite(found.density).all()
    assert (np.diff(found.cumulative) >= 0.0).all()
    quantiles = [found.quantile(share) for share in (0.01, 0.5, 0.99)]
    peak = int(logs.argmax())
    # Where one value has it all, the density lies within the intervals beside it.
    if np.sort(logs)[-2] < logs.max() - 60.0:
        assert u[max(0, peak - 1)] <= quantiles[0] <= quantiles[2] <= u[min(n - 1, peak + 1)]
    assert quantiles == sorted(quantiles)
