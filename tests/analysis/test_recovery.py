"""Posteriors of a few synthetic surveys hold the truth that made them; ``python -m tests.recovery`` tries many."""

import numpy as np
import pytest

from tests.recovery import PRIORS, coverage_table, recover


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
