"""From sums to metrics, and from the metrics of systems to summaries, always in the order of the systems."""

from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from sigcube.kernels.compiled import scalar
from sigcube.metrics import Metric

__all__ = ["column_medians", "finish_pooled", "finish_systems", "fraction_below"]

FloatArray = npt.NDArray[np.float64]

# Columns turned round together: long enough to stream, short enough to stay in cache.
_ABREAST = 64
# Up to here, insertion beats a general sort.
_FEW = 32
# A guess that is off by more than this many times itself says nothing.
_FAR = 4.0

_jit = numba.njit(error_model="numpy", nogil=True)


def finish_systems(metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
    """Return a metric's values, shape ``(n_systems, n)``, and their mean over systems, shape ``(n,)``.

    ``counts`` has one number per system, ``sums`` have shape ``(n_systems, n)``.
    """
    values = np.empty_like(sums[0])
    means = np.empty(values.shape[1])
    _finisher(metric.finish, len(sums))(counts, *sums, values, means)
    return values, means


def finish_pooled(metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...]) -> FloatArray:
    """Return a metric over all points, shape ``(n,)``, from sums of shape ``(n_systems, n)``."""
    totals = tuple(_add_systems(total)[np.newaxis] for total in sums)
    return finish_systems(metric, np.array([counts.sum()]), totals)[0][0]


@cache
def _finisher(finish: Any, n_sums: int) -> Any:
    """Compile the loop over systems and grid points for a metric of one or of two sums."""
    f = scalar(finish)

    def one(counts: Any, a: Any, values: Any, means: Any) -> None:
        means[:] = 0.0
        for s in range(values.shape[0]):
            for j in range(values.shape[1]):
                value = f(counts[s], a[s, j])
                values[s, j] = value
                means[j] += value
        means /= values.shape[0]

    def two(counts: Any, a: Any, b: Any, values: Any, means: Any) -> None:
        means[:] = 0.0
        for s in range(values.shape[0]):
            for j in range(values.shape[1]):
                value = f(counts[s], a[s, j], b[s, j])
                values[s, j] = value
                means[j] += value
        means /= values.shape[0]

    return _jit({1: one, 2: two}[n_sums])


@_jit
def _add_systems(sums: Any) -> Any:
    """Add up over systems, one after the other: the same bits for any width of the tile."""
    total = np.zeros(sums.shape[1])
    for s in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            total[j] += sums[s, j]
    return total


@_jit
def fraction_below(values: Any, reference: Any) -> Any:
    """Return the fraction of systems whose value is strictly below the reference's; both ``(n_systems, n)``."""
    below = np.zeros(values.shape[1])
    for s in range(values.shape[0]):
        for j in range(values.shape[1]):
            below[j] += 1.0 if values[s, j] < reference[s, j] else 0.0
    return below / values.shape[0]


def column_medians(values: FloatArray) -> FloatArray:
    """Return the median over systems of values of shape ``(n_systems, n)``; NaN where a value is NaN."""
    medians = np.empty(values.shape[1])
    _column_medians(values, medians)
    return medians


@_jit
def _column_medians(values: Any, medians: Any) -> None:
    """Find each median near that of the column before, which along an axis is close: sorting all would cost as much as the model."""
    n_systems, n = values.shape
    own = np.empty((_ABREAST, n_systems))
    near = np.empty(n_systems)
    missing = np.empty(_ABREAST, dtype=np.int64)
    guess, reach = 0.0, np.inf
    for first in range(0, n, _ABREAST):
        width = min(_ABREAST, n - first)
        # Column by column from here on: turn a strip round while it passes through the cache.
        missing[:] = 0
        for s in range(n_systems):
            for j in range(width):
                own[j, s] = values[s, first + j]
                missing[j] += values[s, first + j] != values[s, first + j]
        for j in range(width):
            median = np.nan if missing[j] else _median_near(own[j], near, guess, reach)
            medians[first + j] = median
            reach = 1.5 * abs(median - guess) + 0.005 * abs(median)
            guess, reach = (median, reach) if reach < np.inf else (0.0, np.inf)


@_jit
def _median_near(column: Any, near: Any, guess: float, reach: float) -> float:
    """Return the median of a column by sorting the values within reach of a guess; the reach grows until it is among them."""
    n = column.size
    while True:
        below, inside = _collect(column, near, guess - reach, guess + reach)
        if below <= (n - 1) // 2 and n // 2 < below + inside:
            _sort(near[:inside])
            return 0.5 * (near[(n - 1) // 2 - below] + near[n // 2 - below])
        reach = 8.0 * reach if 0.0 < reach < _FAR * abs(guess) else np.inf


@_jit
def _collect(column: Any, near: Any, low: float, high: float) -> Any:
    """Copy the values from low to high, and count them and those below, without a branch to mispredict."""
    below, inside = 0, 0
    for value in column:
        near[inside] = value
        below += value < low
        inside += (value >= low) & (value <= high)
    return below, inside


@_jit
def _sort(values: Any) -> None:
    """Sort in place; by insertion when few."""
    if values.size > _FEW:
        values.sort()
        return
    for i in range(1, values.size):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
