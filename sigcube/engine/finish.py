"""From sums to metrics, and from the metrics of systems to summaries, always in the order of the systems."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.model.compile import compiled, define, helper, inlined
from sigcube.model.metrics import Metric
from sigcube.model.record import Term

__all__ = ["Rows", "column_medians", "finish_pooled", "finish_systems", "fraction_below"]

FloatArray = npt.NDArray[np.float64]

# Columns that are transposed together: long enough to stream, short enough to stay in cache.
_STRIP = 32
# Keys in a cache line.
_LINE = 8
# Guesses before a column is partly sorted after all.
_TRIES = 6

_POSITIVE = 0x7FFFFFFFFFFFFFFF
_LEAST = -_POSITIVE - 1

# The row is a slice of its own, since LLVM does not pack writes at indices that may count from the end.
_FINISH = """
def finish(counts, {arguments}, values, means, rows, start, stride):
    n_systems, n = values.shape
    for j in range(n):
        means[j] = 0.0
    for s in range(n_systems):
        if rows is not None:
            row = rows[start + s * stride : start + s * stride + n]
        for j in range(n):
            value = f(counts[s], {elements})
            values[s, j] = value
            means[j] += value
            if rows is not None:
                row[j] = value
    for j in range(n):
        means[j] /= n_systems
"""


@dataclass(frozen=True)
class Rows:
    """Rows of values within a larger array: that of system s begins at ``start + s * stride`` of its flat form.

    Compiled code writes them as fast as rows of an array of their own; a strided view it would fill one by one.
    """

    flat: npt.NDArray[np.generic]
    start: int
    stride: int


def finish_systems(
    metric: Metric,
    counts: FloatArray,
    sums: tuple[FloatArray, ...],
    *,
    per_system: tuple[FloatArray, ...] = (),
    rows: Rows | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return a metric's values for each system and their mean over systems.

    Parameters
    ----------
    metric : Metric
        The metric.
    counts : ndarray, shape (n_systems,)
        Number of points, less that of fitted parameters where the metric wants it so.
    sums : tuple of ndarray, shape (n_systems, n)
        Those that the metric names.
    per_system : tuple of ndarray, shape (n_systems,)
        The system variables that the metric names.
    rows : Rows, optional
        Where the values are stored as well, in the type of that array. To go over them a second time would take as
        long as the roots.

    Returns
    -------
    values : ndarray, shape (n_systems, n)
    means : ndarray, shape (n,)
    """
    values = np.empty_like(sums[0])
    means = np.empty(values.shape[1])
    place = (None, 0, 0) if rows is None else (rows.flat, rows.start, rows.stride)
    _finisher(metric.finish, len(sums), len(per_system))(counts, *sums, *per_system, values, means, *place)
    return values, means


@cache
def _finisher(finish: Term, n_sums: int, n_variables: int) -> Any:
    """Compile the loop over systems and grid points for a metric of so many sums and system variables."""
    sums, variables = [f"sum_{i}" for i in range(n_sums)], [f"variable_{i}" for i in range(n_variables)]
    elements = [*(f"{name}[s, j]" for name in sums), *(f"{name}[s]" for name in variables)]
    source = _FINISH.format(arguments=", ".join([*sums, *variables]), elements=", ".join(elements))
    return compiled(define(source, "finish", {"f": inlined(finish)}))


def finish_pooled(metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...]) -> FloatArray:
    """Return a metric over all points, shape ``(n,)``, from sums of shape ``(n_systems, n)``."""
    totals = tuple(np.empty((1, total.shape[1])) for total in sums)
    for total, added in zip(sums, totals, strict=True):
        _add_systems(total, added[0])
    values, _ = finish_systems(metric, np.array([counts.sum()]), totals)
    return values.ravel()


@compiled
def _add_systems(sums: Any, totals: Any) -> None:
    """Add up over systems, one after the other: the same bits for any width of the tile."""
    for j in range(totals.size):
        totals[j] = 0.0
    for s in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            totals[j] += sums[s, j]


@compiled
def _count_below(values: Any, reference: Any, counts: Any) -> None:
    for s in range(values.shape[0]):
        for j in range(values.shape[1]):
            # Where one of both is not finite, there is no win or loss, and 0 × inf is NaN.
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

    ``values`` have shape ``(n_systems, n)``; a finite mean, of shape ``(n,)``, tells that a column has no NaN. The
    columns are those of a grid whose last dimension has length ``row``, where neighbours have medians that are close.
    """
    middle = np.empty((2, values.shape[1]), dtype=np.int64)
    _middle_keys(np.ascontiguousarray(values).view(np.int64), row, middle)
    low, high = _keys(middle).view(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        medians: FloatArray = np.where(low == high, low, 0.5 * (low + high))
    suspect = np.flatnonzero(~np.isfinite(means))
    medians[suspect[np.isnan(values[:, suspect]).any(axis=0)]] = np.nan
    return medians


@helper
def _keys(bits: Any) -> Any:
    """Turn the bits of floats into integers of the same order, and back: negative floats count downwards."""
    return bits ^ ((bits >> 63) & _POSITIVE)


@compiled
def _middle_keys(bits: Any, row: int, middle: Any) -> None:
    """Find the two middle values of each column, starting from those of its neighbours.

    To sort the columns would take as long as to evaluate a model. Keys, because LLVM packs minima and maxima of
    integers, and those of floats it does not.
    """
    n_systems, n = bits.shape
    own = np.empty((_STRIP, n_systems), dtype=np.int64)
    for first in range(0, n, _STRIP):
        width = min(_STRIP, n - first)
        _transpose(bits, first, width, own)
        for j in range(width):
            i = first + j
            middle[0, i], middle[1, i] = _middle(own[j], _expect(middle[1], i, row))


@compiled
def _transpose(bits: Any, first: int, width: int, own: Any) -> None:
    """Copy a strip of columns as rows of keys, in squares of a cache line, which LLVM unrolls."""
    squares = bits.shape[0] // _LINE * _LINE if width % _LINE == 0 else 0
    for start in range(0, squares, _LINE):
        for corner in range(0, width, _LINE):
            for j in range(_LINE):
                for s in range(_LINE):
                    own[corner + j, start + s] = _keys(bits[start + s, first + corner + j])
    for s in range(squares, bits.shape[0]):
        for j in range(width):
            own[j, s] = _keys(bits[s, first + j])


@compiled
def _expect(known: Any, i: int, row: int) -> Any:
    """Extrapolate a middle from those before it, on its row of the grid and on the one before."""
    if i < row:
        return 2 * known[i - 1] - known[i - 2] if i > 1 else known[0] if i else 0
    return known[i - row] if i % row == 0 else known[i - 1] + known[i - row] - known[i - row - 1]


@compiled
def _middle(column: Any, guess: int) -> Any:
    """Return the two middle values of a column, or the one twice, by guesses that close in on it."""
    half, odd = column.size // 2, column.size % 2
    for _ in range(_TRIES):
        below, lower, upper = _around(column, guess)
        if below == half:
            return (upper, upper) if odd else (lower, upper)
        if odd and below == half + 1:
            return lower, lower
        # The gap at the guess, times the number of ranks that it is off.
        step = (upper - lower) * (abs(half - below) - 1)
        guess = upper + 1 + step if below < half else lower - step
    upper = _select(column, half)
    lower = column[0]
    for i in range(1, half):
        lower = max(lower, column[i])
    return (upper, upper) if odd else (lower, upper)


@compiled
def _around(column: Any, guess: int) -> Any:
    """Return how many values are below a guess, the largest of them, and the smallest of the others."""
    below, lower, upper = 0, _LEAST, _POSITIVE
    for i in range(column.size):
        key = column[i]
        is_below = key < guess
        below += is_below
        lower = max(lower, key if is_below else _LEAST)
        upper = min(upper, _POSITIVE if is_below else key)
    return below, lower, upper


@compiled
def _select(values: Any, rank: int) -> Any:
    """Partly sort: no value before that of the rank is larger, none after it is smaller (Hoare 1961)."""
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
    return values[rank]
