"""The points of a grid that carry a posterior, with their weights, and draws among them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigcube.analysis.labelled import flat_numbers
from sigcube.analysis.likelihoods import GridSums, Likelihood, nothing_possible
from sigcube.analysis.prior_weights import AxisPrior

__all__ = ["WeightedPoints", "values_at", "weighted_points"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# The share of the probability that may be left out, and the most points that are held.
_LEFT_OUT = 1e-6
_MOST = 2**20


@dataclass(frozen=True, eq=False)
class WeightedPoints:
    """Points of a grid, and the posterior probability of each.

    Attributes
    ----------
    numbers : ndarray of int
        Their flat indices on the grid in C order, ascending; shape ``(n,)``.
    weights : ndarray
        Probabilities, which add up to one; shape ``(n,)``.
    share : float
        How much of the posterior they hold.
    lengths : tuple of int
        Lengths of the grid's dimensions.
    """

    numbers: IntArray
    weights: FloatArray
    share: float
    lengths: tuple[int, ...]

    def index(self) -> list[IntArray]:
        """Return the index of each point along each dimension."""
        return [np.asarray(each) for each in np.unravel_index(self.numbers, self.lengths)] if self.lengths else []

    def drawn(self, n: int, rng: np.random.Generator | None = None) -> "WeightedPoints":
        """Return `n` systematic draws of equal weight (Kitagawa 1996); without `rng` they start half a step on."""
        start = 0.5 if rng is None else float(rng.random())
        places = (np.arange(n) + start) / n
        at = np.minimum(np.searchsorted(np.cumsum(self.weights), places), self.numbers.size - 1)
        return WeightedPoints(self.numbers[at], np.full(n, 1.0 / n), self.share, self.lengths)


def weighted_points(likelihood: Likelihood, priors: Mapping[str, AxisPrior]) -> WeightedPoints:
    """Return the points of largest posterior probability, leaving out no more than a millionth of it.

    At most 2²⁰ points, the most probable ones; `share` tells what they hold. The likelihood is read twice, in parts.

    Raises
    ------
    SpecError
        If no point has a finite likelihood.
    """
    lengths = [len(prior.values) for prior in priors.values()]
    sums = GridSums(1, priors)
    for place, values in likelihood.parts():
        sums.add(place, values.sum(axis=0, keepdims=True), seek=False)
    log_z = float(sums.log_total[0])
    if not np.isfinite(log_z):
        raise nothing_possible(likelihood)
    # All points below this together hold no more than may be left out.
    lowest = np.log(_LEFT_OUT) - np.log(float(np.prod(lengths, dtype=np.float64)))
    numbers, logs = np.empty(0, dtype=np.int64), np.empty(0)
    for place, values in likelihood.parts():
        total = values.sum(axis=0)
        for axis, (dim, prior) in enumerate(priors.items()):
            along = [-1 if i == axis else 1 for i in range(total.ndim)]
            total += (prior.log_density + prior.log_measure)[place[dim]].reshape(along)
        flat = total.ravel() - log_z
        some = np.flatnonzero(flat > lowest)
        own = flat_numbers(some, place, lengths) if place else some
        numbers, logs = np.concatenate([numbers, own]), np.concatenate([logs, flat[some]])
        if numbers.size > _MOST:
            kept = np.argpartition(-logs, _MOST)[:_MOST]
            numbers, logs = numbers[kept], logs[kept]
    order = np.argsort(-logs)
    weights = np.exp(logs[order])
    n = min(int(np.searchsorted(np.cumsum(weights), 1.0 - _LEFT_OUT)) + 1, weights.size)
    share = float(weights[:n].sum())
    ascending = np.argsort(numbers[order[:n]])
    chosen = order[:n][ascending]
    return WeightedPoints(numbers[chosen], weights[:n][ascending] / share, min(1.0, share), tuple(lengths))


def values_at(likelihood: Likelihood, points: WeightedPoints) -> FloatArray:
    """Return ln L of each system at points, shape ``(n_systems, n)``; read once, in parts."""
    index = points.index()
    found = np.empty((len(likelihood.systems), points.numbers.size))
    for place, values in likelihood.parts():
        inside = np.ones(points.numbers.size, dtype=bool)
        for own, part in zip(index, place.values(), strict=True):
            inside &= (own >= part.start) & (own < part.stop)
        local = tuple(own[inside] - part.start for own, part in zip(index, place.values(), strict=True))
        found[:, inside] = values[(slice(None), *local)] if local else values[:, np.newaxis]
    return found
