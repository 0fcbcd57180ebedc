"""From sums to metrics, and from the metrics of systems to summaries, always in the order of the systems."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.model.compile import compiled, helper, scalar
from sigcube.model.metrics import Metric

__all__ = ["Rows", "column_medians", "finish_pooled", "finish_systems", "fraction_below"]

FloatArray = npt.NDArray[np.float64]

# Columns turned round together: long enough to stream, short enough to stay in cache.
_ABREAST = 32
# Keys in a cache line.
_LINE = 8
# Guesses before a column is partly sorted after all.
_TRIES = 6

_POSITIVE = 0x7FFFFFFFFFFFFFFF
_LEAST = -_POSITIVE - 1


@dataclass(frozen=True)
class Rows:
    """Room for rows of values within a larger array: row s begins at ``start + s * stride`` of its flat form.

    Compiled code writes rows so as fast as those of an array of their own; a strided view it would fill one by one.
    """

    flat: npt.NDArray[np.generic]
    start: int
    stride: int


def finish_systems(
    metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...], *, kept: Rows | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return a metric's values, shape ``(n_systems, n)``, and their mean over systems, shape ``(n,)``.

    ``counts`` has one number per system, ``sums`` have shape ``(n_systems, n)``. The values are rounded into ``kept``,
    if it is given, on the way: to go over them a second time would take as long as the roots.
    """
    values = np.empty_like(sums[0])
    means = np.empty(values.shape[1])
    room = (None, 0, 0) if kept is None else (kept.flat, kept.start, kept.stride)
    _finisher(metric.finish, len(sums))(counts, *sums, values, means, *room)
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

    def one(counts: Any, a: Any, values: Any, means: Any, kept: Any, start: int, stride: int) -> None:
        _zero(means)
        n = values.shape[1]
        for s in range(values.shape[0]):
            if kept is not None:
                # Cut out, since LLVM packs no writes to places that might be counted from the end.
                row = kept[start + s * stride : start + s * stride + n]
            for j in range(n):
                value = f(counts[s], a[s, j])
                values[s, j] = value
                means[j] += value
                if kept is not None:
                    row[j] = value
        _divide(means, values.shape[0])

    def two(counts: Any, a: Any, b: Any, values: Any, means: Any, kept: Any, start: int, stride: int) -> None:
        _zero(means)
        n = values.shape[1]
        for s in range(values.shape[0]):
            if kept is not None:
                # Cut out, since LLVM packs no writes to places that might be counted from the end.
                row = kept[start + s * stride : start + s * stride + n]
            for j in range(n):
                value = f(counts[s], a[s, j], b[s, j])
                values[s, j] = value
                means[j] += value
                if kept is not None:
                    row[j] = value
        _divide(means, values.shape[0])

    return compiled(one if n_sums == 1 else two)


@compiled
def _add_systems(sums: Any, totals: Any) -> None:
    """Add up over systems, one after the other: the same bits for any width of the tile."""
    _zero(totals)
    for s in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            totals[j] += sums[s, j]


@compiled
def _zero(row: Any) -> None:
    for j in range(row.size):
        row[j] = 0.0


@compiled
def _divide(row: Any, number: float) -> None:
    for j in range(row.size):
        row[j] /= number


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
    middle = np.empty((2, values.shape[1]), dtype=np.int64)
    _middle_keys(np.ascontiguousarray(values).view(np.int64), row, middle)
    low, high = _keys(middle).view(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        medians: FloatArray = np.where(low == high, low, 0.5 * (low + high))
    suspect = np.flatnonzero(~np.isfinite(means))
    medians[suspect[np.isnan(values[:, suspect]).any(axis=0)]] = np.nan
    return medians


def _keys(bits: Any) -> Any:
    """Turn the bits of floats into whole numbers of the same order, and back: negative ones count downwards."""
    return bits ^ ((bits >> 63) & _POSITIVE)


_key = helper(_keys)


@compiled
def _middle_keys(bits: Any, row: int, middle: Any) -> None:
    """Find the two middle values of each column from where its neighbours' are; to sort would cost as much as a model.

    All on keys: LLVM makes packed instructions of minima and maxima of whole numbers, of floats it does not.
    """
    n_systems, n = bits.shape
    own = np.empty((_ABREAST, n_systems), dtype=np.int64)
    for first in range(0, n, _ABREAST):
        width = min(_ABREAST, n - first)
        _turn(bits, first, width, own)
        for j in range(width):
            i = first + j
            middle[0, i], middle[1, i] = _middle(own[j], _expect(middle[1], i, row))


@compiled
def _turn(bits: Any, first: int, width: int, own: Any) -> None:
    """Copy a strip of columns as rows of keys, by squares of a cache line, which LLVM unrolls."""
    squares = bits.shape[0] // _LINE * _LINE if width % _LINE == 0 else 0
    for start in range(0, squares, _LINE):
        for corner in range(0, width, _LINE):
            for j in range(_LINE):
                for s in range(_LINE):
                    own[corner + j, start + s] = _key(bits[start + s, first + corner + j])
    for s in range(squares, bits.shape[0]):
        for j in range(width):
            own[j, s] = _key(bits[s, first + j])


@compiled
def _expect(known: Any, i: int, row: int) -> Any:
    """Return where a middle should be, from those before it on its row and on the last."""
    if i < row:
        return 2 * known[i - 1] - known[i - 2] if i > 1 else known[0] if i else 0
    return known[i - row] if i % row == 0 else known[i - 1] + known[i - row] - known[i - row - 1]


@compiled
def _middle(column: Any, guess: int) -> Any:
    """Return the two middle values of a column, or twice the one, from the values next to a guess."""
    half, odd = column.size // 2, column.size % 2
    for _ in range(_TRIES):
        below, lower, upper = _beside(column, guess)
        if below == half:
            return (upper, upper) if odd else (lower, upper)
        if odd and below == half + 1:
            return lower, lower
        # As many steps as ranks are missing, of the width of this one.
        step = (upper - lower) * (abs(half - below) - 1)
        guess = upper + 1 + step if below < half else lower - step
    upper = _select(column, half)
    lower = column[0]
    for i in range(1, half):
        lower = max(lower, column[i])
    return (upper, upper) if odd else (lower, upper)


@compiled
def _beside(column: Any, guess: int) -> Any:
    """Count the values below a guess, and find the largest of them, and the smallest of the others."""
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
    return values[rank]
