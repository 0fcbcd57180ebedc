"""Posteriors of a few synthetic surveys hold the truth that made them; ``python -m tests.recovery`` tries many."""

import numpy as np
import pytest

from tests.recovery import PRIORS, coverage_table, recover, scores


@pytest.mark.slow
def test_posteriors_recover_the_truth() -> None:
    found = recover(8, n_galaxies=10, seed=3)
    # Of 24 intervals at 95 % one or none misses in two thirds of all cases; at 68 % some 16 hold the truth.
    n = found.truth.size
    assert round(found.covered[:, 1].sum() * 8) >= n - 4
    assert 10 <= round(found.covered[:, 0].sum() * 8) <= 22
    # The data say more than the prior: the mean is nearer to the truth than that of the prior is.
    ends = np.array([[prior.low, prior.high] for prior in PRIORS.values()])
    assert (np.abs(found.mean - found.truth).mean(axis=0) < 0.25 * np.ptp(ends, axis=1)).all()
    assert len(coverage_table(found)) == 2 + len(PRIORS)


@pytest.mark.slow
def test_the_mean_slope_of_ln_l_at_the_truth_is_zero() -> None:
    """To a seventieth of what one galaxy says: with errors that follow the masses it was five of its errors away."""
    found = scores({"A": 1.15, "g_dagger": 1e-10, "intrinsic_scatter": 0.06}, seed=3, n_galaxies=5000)
    n = found.shape[1]
    away = found.mean(axis=1) / found.std(axis=1, ddof=1) * np.sqrt(n)
    assert n > 4500
    assert (np.abs(away) < 3.5).all()
