"""One number from many: each statistic against NumPy, what is not finite left out."""

import numpy as np
import pytest

from sigcube.claims.quantities.reductions import reduce
from sigcube.errors import SpecError

VALUES = np.array([[0.5, 1.0, np.nan], [2.0, 4.0, np.inf]])


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("count", 4),
        ("sum", 7.5),
        ("mean", 1.875),
        ("median", 1.5),
        ("std", np.std([0.5, 1, 2, 4])),
        ("std_sample", np.std([0.5, 1, 2, 4], ddof=1)),
        ("min", 0.5),
        ("max", 4.0),
        ("log10_std", np.std(np.log10([0.5, 1, 2, 4]))),
        ("log10_mean", 0.5 * np.log10(2.0)),
        ("rms", np.sqrt(21.25 / 4)),
    ],
)
def test_a_statistic_is_of_the_finite_values(statistic: str, expected: float) -> None:
    assert reduce(VALUES, statistic) == pytest.approx(expected, rel=1e-14)


def test_those_between_two_ends_are_counted_ends_included() -> None:
    assert reduce(VALUES, "number", within=[0.5, 2.0]) == 3.0
    assert reduce(VALUES, "fraction", within=[0.5, 2.0]) == 0.75
    assert reduce(VALUES, "percentile", percentile=100.0) == 4.0


@pytest.mark.parametrize(
    ("statistic", "words"),
    [("meen", r"did you mean 'mean'"), ("fraction", "needs two ends")],
)
def test_a_statistic_that_cannot_be_is_refused(statistic: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        reduce(VALUES, statistic)
    with pytest.raises(SpecError, match="no finite value"):
        reduce([np.nan], "mean")
    assert reduce([np.nan], "count") == 0.0
