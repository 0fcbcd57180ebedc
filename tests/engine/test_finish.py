"""Means, medians and win rates over systems: as NumPy has them, to the last bit where the order is fixed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sigcube.engine.finish import Rows, finish_pooled, finish_systems, mean_of_systems, median_of_systems, summarise
from sigcube.model.metrics import METRICS

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

# Adding zero leaves no negative zero, which a median may take for the positive one.
_numbers = st.floats(allow_subnormal=False, max_value=1e300, min_value=-1e300).map(lambda x: x + 0.0)
_special = st.sampled_from([np.inf, -np.inf, np.nan, 0.0, 1.0, 2.0])
_shapes = st.tuples(st.integers(1, 9), st.integers(1, 5))


def assert_is_numpys(values: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        expected = np.array([np.median(column) for column in values.T])
    for row in (1, 3, values.shape[1]):
        found = summarise(METRICS["chi2"], np.ones(len(values)), (values,), row=row)
        np.testing.assert_array_equal(found.median, expected)


@settings(max_examples=7 * settings.default.max_examples)
@given(values=hnp.arrays(np.float64, _shapes, elements=st.one_of(_numbers, _special)))
def test_medians_are_numpys(values: np.ndarray) -> None:
    """Ties, infinities and NaN among them."""
    assert_is_numpys(values)


@given(
    seed=st.integers(0, 2**32),
    n_systems=st.integers(1, 60),
    n=st.sampled_from([1, 63, 64, 65, 200]),
    jump=st.booleans(),
)
def test_medians_follow_an_axis(seed: int, n_systems: int, n: int, jump: bool) -> None:
    """Each is found near the one before: along smooth rows, and across jumps, steps to zero and columns of NaN."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=(n_systems, 1)) * (1.0 + np.linspace(0, 1, n)) + 1e-3 * rng.normal(size=(n_systems, n))
    if jump:
        values[:, n // 2 :] *= 10.0 ** rng.integers(-300, 8)
        values[:, n // 3] = 0.0
        values[rng.integers(n_systems), rng.integers(n)] = np.nan
        values[:, n // 4] *= -1.0
    assert_is_numpys(values)


MEDIANS = [
    # one system: itself
    ([3.0], 3.0),
    # an even number: half way
    ([1.0, 2.0], 1.5),
    # ties on both sides of the middle
    ([2.0, 2.0, 2.0, 1.0], 2.0),
    # half of them infinite
    ([1.0, np.inf], np.inf),
    # from minus to plus infinity there is no middle
    ([-np.inf, np.inf], np.nan),
    # an infinity off the middle does not matter
    ([1.0, 2.0, np.inf], 2.0),
    # one NaN spoils it
    ([1.0, np.nan, 2.0], np.nan),
    # the halves' sum must not overflow where NumPy's does not
    ([1e300, 1e300], 1e300),
]


@pytest.mark.parametrize(("column", "expected"), MEDIANS)
def test_median(column: list[float], expected: float) -> None:
    values = np.array(column)[:, np.newaxis]
    np.testing.assert_array_equal(median_of_systems(values), [expected])


def test_summaries_do_not_depend_on_the_columns_beside() -> None:
    """Strips of columns, and what is left of the last one."""
    rng = np.random.default_rng(8)
    sums, reference = rng.lognormal(size=(2, 13, 150))
    counts = rng.integers(1, 9, 13).astype(float)
    whole = summarise(METRICS["rms"], counts, (sums,), row=50, reference=reference)
    for i in range(150):
        one = summarise(METRICS["rms"], counts, (sums[:, i : i + 1],), reference=reference[:, i : i + 1])
        assert (one.mean, one.median, one.wins) == (whole.mean[i], whole.median[i], whole.wins[i])


BELOW = [
    # strictly: a draw is no win
    ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
    ([1.0, 2.0, 3.0], [1.0 + 1e-15, 2.0, 2.0], 1 / 3),
    ([1.0, 1.0], [2.0, 2.0], 1.0),
    # a rate over fewer systems than the sample has would be another quantity
    ([np.nan, 1.0], [2.0, 2.0], np.nan),
    ([1.0, 1.0], [2.0, np.nan], np.nan),
    ([1.0, np.inf], [2.0, 2.0], np.nan),
]


@pytest.mark.parametrize(("values", "reference", "expected"), BELOW)
def test_fraction_below(values: list[float], reference: list[float], expected: float) -> None:
    own, others = (np.array(side)[:, np.newaxis] for side in (values, reference))
    found = summarise(METRICS["chi2"], np.ones(len(own)), (own,), reference=others)
    np.testing.assert_array_equal(found.wins, [expected])


@given(seed=st.integers(0, 2**32), cut=st.integers(1, 6))
def test_means_add_up_system_by_system(seed: int, cut: int) -> None:
    """In order, so that a part of the grid gives the same bits as the whole."""
    rng = np.random.default_rng(seed)
    sums, counts = rng.lognormal(size=(20, 7)), rng.integers(1, 9, 20).astype(float)
    values = finish_systems(METRICS["bias"], counts, (sums,))
    means = np.cumsum(values, axis=0)[-1] / 20
    np.testing.assert_array_equal(values, sums / counts[:, np.newaxis])
    np.testing.assert_array_equal(summarise(METRICS["bias"], counts, (sums,)).mean, means)
    np.testing.assert_array_equal(mean_of_systems(values), means)
    part = summarise(METRICS["bias"], counts, (np.ascontiguousarray(sums[:, :cut]),))
    np.testing.assert_array_equal(part.mean, means[:cut])


def test_pooled_metrics_add_up_all_points() -> None:
    counts = np.array([2.0, 3.0])
    total, total_sq = np.array([[1.0], [2.0]]), np.array([[3.0], [7.0]])
    found = finish_pooled(METRICS["scatter_v"], counts, (total, total_sq))
    np.testing.assert_allclose(found, [np.sqrt(10 / 5 - (3 / 5) ** 2)], rtol=1e-15)


@pytest.mark.parametrize("n", [9, 200])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stored_values_are_rounded_once(dtype: str, n: int) -> None:
    sums = np.random.default_rng(3).lognormal(size=(5, n))
    room = np.zeros((5, 4, n), dtype=dtype)
    counts, rows = np.full(5, 7.0), Rows(room.reshape(-1), 2 * n, 4 * n)
    summarise(METRICS["rms"], counts, (sums,), rows=rows)
    np.testing.assert_array_equal(room[:, 2], finish_systems(METRICS["rms"], counts, (sums,)).astype(dtype))
    assert not room[:, [0, 1, 3]].any()
