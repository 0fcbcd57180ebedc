"""From sums to metrics, and from the metrics of systems to summaries, always in the order of the systems."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.engine.medians import LANES, find_medians, key_of, prefetch
from sigcube.model.code_hash import state_of
from sigcube.model.compile import compiled, define, inlined
from sigcube.model.metrics import METRICS, Metric
from sigcube.model.record import Term

__all__ = ["Rows", "Summaries", "finish_pooled", "finish_systems", "mean_of_systems", "median_of_systems", "summarise"]

FloatArray = npt.NDArray[np.float64]

# Strips of columns that are computed together: enough for runs of memory, few enough for a core's own caches.
_STRIPS = 4

# A few columns at a time, for all systems, so that what is summarised is near. What comes next is asked for beforehand:
# each row begins elsewhere, and to wait for it would double the time. Indices have no sign, since LLVM does not pack
# reads and writes at those that may count from the end.
_FINISH = """
def finish(counts, {arguments}, rows, start, stride, means, medians, row, reference, wins):
    n_systems, n = counts.size, means.size
    {flat}
    if reference is not None:
        flat_reference = reference.reshape(-1)
    if medians is not None:
        size = n_systems * LANES
        own, around, gap = np.empty(STRIPS * size, np.int64), np.empty((8, LANES), np.int64), 0.0
        known = np.empty((2, n), np.int64)
    for begin in range(0, n, STRIPS * LANES):
        end = min(n, begin + STRIPS * LANES)
        for j in range(np.uint64(begin), np.uint64(end)):
            means[j] = 0.0
            if reference is not None:
                wins[j] = 0.0
        for s in range(n_systems):
            for first in range(begin, end, LANES):
                at, kept = np.uint64(s * n + first), np.uint64(start + s * stride + first)
                here, to = np.uint64(first), np.uint64((first - begin) * n_systems + s * LANES)
                {prefetched}
                if reference is not None:
                    prefetch(flat_reference, at + np.uint64(STRIPS * LANES))
                if rows is not None:
                    prefetch(rows, kept + np.uint64(STRIPS * LANES))
                for j in range(np.uint64(min(LANES, n - first))):
                    # Of a whole number the median would compare other bits.
                    value = 1.0 * f(counts[s], {elements})
                    means[here + j] += value
                    if medians is not None:
                        own[to + j] = key_of(value)
                    if reference is not None:
                        other = flat_reference[at + j]
                        # Where one of both is not finite, there is no win or loss, and 0 × inf is NaN.
                        wins[here + j] += (1.0 if value {better} other else 0.0) + 0.0 * (value - other)
                    if rows is not None:
                        rows[kept + j] = value
        for j in range(np.uint64(begin), np.uint64(end)):
            means[j] /= n_systems
            if reference is not None:
                wins[j] /= n_systems
        if medians is not None:
            for first in range(begin, end, LANES):
                to = (first - begin) * n_systems
                gap = find_medians(own[to : to + size], around, gap, first, row, means, known, medians)
"""


@dataclass(frozen=True)
class Rows:
    """Rows of values within a larger array: that of system s begins at ``start + s * stride`` of its flat form.

    Compiled code writes them as fast as rows of an array of their own; a strided view it would fill one by one.
    """

    flat: npt.NDArray[np.generic]
    start: int
    stride: int


@dataclass(frozen=True)
class Summaries:
    """What values say over systems, each of shape ``(n,)``.

    Attributes
    ----------
    mean, median : ndarray
        NaN where a value is NaN.
    wins : ndarray or None
        The fraction of systems strictly better than their reference: below it, or above it where the largest value is
        best. NaN where one of both is not finite; None without a reference.
    n_systems : int
        Number of systems.
    """

    mean: FloatArray
    median: FloatArray
    wins: FloatArray | None
    n_systems: int

    def of(self, statistic: str) -> FloatArray:
        """Return the sum, the mean or the median; the sum has the bits of the mean times their number."""
        return {"sum": self.mean * self.n_systems, "mean": self.mean, "median": self.median}[statistic]


def summarise(
    metric: Metric,
    counts: FloatArray,
    sums: tuple[FloatArray, ...],
    *,
    per_system: tuple[FloatArray, ...] = (),
    rows: Rows | None = None,
    row: int = 1,
    reference: FloatArray | None = None,
) -> Summaries:
    """Return the summaries of a metric over systems.

    Parameters
    ----------
    metric : Metric
        The metric.
    counts : ndarray, shape (n_systems,)
        Number of points, less that of fitted parameters where the metric wants it so.
    sums : tuple of ndarray, shape (n_systems, n)
        Those that the metric names.
    per_system : tuple of ndarray, shape (n_systems,) or (n_systems, m)
        What the metric takes of the systems, see `Metric.system_inputs`.
    rows : Rows, optional
        Where the values of systems are stored, in the type of that array.
    row : int, optional
        The columns are those of a grid whose last dimension has this length.
    reference : ndarray, shape (n_systems, n), optional
        What the values are compared with.
    """
    n = sums[0].shape[1]
    means, medians = np.empty(n), np.empty(n)
    wins = None if reference is None else np.empty(n)
    other = None if reference is None else np.ascontiguousarray(reference)
    _finish(metric, counts, (*sums, *per_system), rows, means, medians, row, other, wins)
    return Summaries(means, medians, wins, len(counts))


def mean_of_systems(values: FloatArray) -> FloatArray:
    """Return the mean over systems of values ``(n_systems, n)``, added up one after the other, as in a sweep."""
    means = np.empty(values.shape[1])
    # χ² is the sum that it is given: only the summaries are left to do.
    _finish(METRICS["chi2"], np.ones(len(values)), (values,), None, means, None, 1, None, None)
    return means


def median_of_systems(values: FloatArray) -> FloatArray:
    """Return the median over systems of values ``(n_systems, n)``, as in a sweep."""
    return summarise(METRICS["chi2"], np.ones(len(values)), (values,), row=values.shape[1]).median


def finish_systems(
    metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...], *, per_system: tuple[FloatArray, ...] = ()
) -> FloatArray:
    """Return a metric's values for each system, shape ``(n_systems, n)``; the arguments are those of `summarise`."""
    n = sums[0].shape[1]
    values = np.empty((len(counts), n))
    inputs = (*sums, *per_system)
    _finish(metric, counts, inputs, Rows(values.reshape(-1), 0, n), np.empty(n), None, n, None, None)
    return values


def finish_pooled(metric: Metric, counts: FloatArray, sums: tuple[FloatArray, ...]) -> FloatArray:
    """Return a metric over all points, shape ``(n,)``, from sums of shape ``(n_systems, n)``."""
    totals = tuple(np.empty((1, total.shape[1])) for total in sums)
    for total, added in zip(sums, totals, strict=True):
        _add_systems(total, added[0])
    return finish_systems(metric, np.array([counts.sum()]), totals).ravel()


def _finish(metric: Metric, counts: FloatArray, inputs: tuple[FloatArray, ...], rows: Rows | None, *rest: Any) -> None:
    place = (None, 0, 0) if rows is None else (rows.flat, rows.start, rows.stride)
    inputs = tuple(np.ascontiguousarray(each) for each in inputs)
    n_variables, better = len(inputs) - len(metric.sums), ">" if metric.best == "largest" else "<"
    loop = _finisher(metric.finish, state_of(metric.finish), len(metric.sums), n_variables, better)
    loop(counts, *inputs, *place, *rest)


@cache
def _finisher(finish: Term, _state: str | None, n_sums: int, n_variables: int, better: str) -> Any:
    """Compile the loop over systems and grid points for a metric of so many sums and system variables."""
    sums, variables = [f"sum_{i}" for i in range(n_sums)], [f"variable_{i}" for i in range(n_variables)]
    source = _FINISH.format(
        better=better,
        arguments=", ".join([*sums, *variables]),
        flat="; ".join(f"flat_{name} = {name}.reshape(-1)" for name in sums),
        prefetched="; ".join(f"prefetch(flat_{name}, at + np.uint64(STRIPS * LANES))" for name in sums),
        elements=", ".join([*(f"flat_{name}[at + j]" for name in sums), *(f"{name}[s]" for name in variables)]),
    )
    functions = {"key_of": key_of, "find_medians": find_medians, "prefetch": prefetch, "f": inlined(finish)}
    names = {"np": np, "LANES": LANES, "STRIPS": _STRIPS, **functions}
    return compiled(define(source, "finish", names))


@compiled
def _add_systems(sums: Any, totals: Any) -> None:
    """Add up over systems, one after the other: the same bits for any width of the tile."""
    for j in range(totals.size):
        totals[j] = 0.0
    for s in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            totals[j] += sums[s, j]
