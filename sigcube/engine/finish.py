"""From sums to metrics, and from the metrics of systems to summaries, always in the order of the systems."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.kernels.compiled import compiled, scalar
from sigcube.metrics import Metric

__all__ = ["column_medians", "finish_pooled", "finish_systems", "fraction_below"]

FloatArray = npt.NDArray[np.float64]

# Columns turned round together: long enough to stream, short enough to stay in cache.
_ABREAST = 64
# Values of float64 in a cache line.
_LINE = 8
# A guess that is off by more than this many times itself says nothing.
_FAR = 4.0


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
    totals = tuple(np.empty((1, total.shape[1])) for total in sums)
    for total, added in zip(sums, totals, strict=True):
        _add_systems(total, added[0])
    values, _ = finish_systems(metric, np.array([counts.sum()]), totals)
    return values.ravel()


@cache
def _finisher(finish: Any, n_sums: int) -> Any:
    """Compile the loop over systems and grid points for a metric of one or of two sums."""
    f = scalar(finish)

    def one(counts: Any, a: Any, values: Any, means: Any) -> None:
        for s in range(values.shape[0]):
            for j in range(values.shape[1]):
                values[s, j] = f(counts[s], a[s, j])
        _mean_over_systems(values, means)

    def two(counts: Any, a: Any, b: Any, values: Any, means: Any) -> None:
        for s in range(values.shape[0]):
            for j in range(values.shape[1]):
                values[s, j] = f(counts[s], a[s, j], b[s, j])
        _mean_over_systems(values, means)

    return compiled(one if n_sums == 1 else two)


@compiled
def _add_systems(sums: Any, totals: Any) -> None:
    """Add up over systems, one after the other: the same bits for any width of the tile."""
    for j in range(sums.shape[1]):
        totals[j] = 0.0
    for s in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            totals[j] += sums[s, j]


@compiled
def _mean_over_systems(values: Any, means: Any) -> None:
    _add_systems(values, means)
    for j in range(values.shape[1]):
        means[j] /= values.shape[0]


@compiled
def _count_below(values: Any, reference: Any, counts: Any) -> None:
    for s in range(values.shape[0]):
        for j in range(values.shape[1]):
            # Zero times what is not finite is NaN: there is no win or loss to count.
            counts[j] += (1.0 if values[s, j] < reference[s, j] else 0.0) + 0.0 * (values[s, j] - reference[s, j])


def fraction_below(values: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the fraction of systems strictly below the reference, NaN where one of both is not finite.

    ``values`` and ``reference`` have shape ``(n_systems, n)``, the fractions ``(n,)``.
    """
    counts = np.zeros(values.shape[1])
    _count_below(values, reference, counts)
    fractions: FloatArray = counts / values.shape[0]
    return fractions


def column_medians(values: FloatArray, means: FloatArray, *, row: int = 1) -> FloatArray:
    """Return the median over systems, shape ``(n,)``; NaN where a value is NaN.

    ``values`` have shape ``(n_systems, n)``; their ``means``, shape ``(n,)``, tell which columns hold only numbers. The
    columns are those of a grid whose last dimension has length ``row``: neighbours there have medians that are close.
    """
    medians = np.empty(values.shape[1])
    _column_medians(values, means, row, medians)
    return medians


@compiled
def _column_medians(values: Any, means: Any, row: int, medians: Any) -> None:
    """Find each median near where its neighbours' say; to sort every column would cost as much as the model."""
    n_systems, n = values.shape
    own = np.empty((_ABREAST, n_systems))
    near = np.empty(n_systems)
    for first in range(0, n, _ABREAST):
        width = min(_ABREAST, n - first)
        _turn(values, first, width, own)
        for j in range(width):
            guess, reach = _expect(medians, first + j, row)
            if np.isfinite(means[first + j]) and np.isfinite(guess + reach):
                medians[first + j] = _median_near(own[j], near, guess, reach)
            else:
                medians[first + j] = _median_near(own[j], near, 0.0, np.inf) if _is_complete(own[j]) else np.nan


@compiled
def _expect(medians: Any, i: int, row: int) -> Any:
    """Return where a median should be, and how far it may be off, from those before it on its row and on the last."""
    if i < 2:
        return 0.0, np.inf
    if i < row:
        step = medians[i - 1] - medians[i - 2]
        return medians[i - 1] + step, abs(step) + 0.002 * abs(medians[i - 1])
    if i % row == 0:
        return medians[i - row], 0.02 * abs(medians[i - row])
    step = medians[i - row] - medians[i - row - 1]
    return medians[i - 1] + step, 0.2 * abs(step) + 0.002 * abs(medians[i - 1])


@compiled
def _turn(values: Any, first: int, width: int, own: Any) -> None:
    """Copy a strip of columns as rows, a cache line of each at a time."""
    for start in range(0, values.shape[0], _LINE):
        stop = min(start + _LINE, values.shape[0])
        for j in range(width):
            for s in range(start, stop):
                own[j, s] = values[s, first + j]


@compiled
def _is_complete(column: Any) -> bool:
    for i in range(column.size):
        if np.isnan(column[i]):
            return False
    return True


@compiled
def _median_near(column: Any, near: Any, guess: float, reach: float) -> float:
    """Return the median of a column from the values within reach of a guess; the reach grows until it is among them."""
    n = column.size
    while True:
        below, inside = _collect(column, near, guess - reach, guess + reach)
        if below <= (n - 1) // 2 and n // 2 < below + inside:
            lower = _select(near[:inside], (n - 1) // 2 - below)
            upper = lower if n % 2 else np.inf
            for i in range(n // 2 - below, inside if n % 2 == 0 else 0):
                upper = min(upper, near[i])
            return 0.5 * (lower + upper)
        reach = 8.0 * reach if 0.0 < reach < _FAR * abs(guess) else np.inf


@compiled
def _collect(column: Any, near: Any, low: float, high: float) -> Any:
    """Copy the values from low to high, and count them and those below, without a branch to mispredict."""
    below, inside = 0, 0
    for i in range(column.size):
        value = column[i]
        near[inside] = value
        below += value < low
        inside += (value >= low) & (value <= high)
    return below, inside


@compiled
def _select(values: Any, rank: int) -> float:
    """Move the value of a rank to its place, with none larger before it, none smaller behind (Hoare 1961)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[rank]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        low = i if j < rank else low
        high = j if rank < i else high
    return float(values[rank])
