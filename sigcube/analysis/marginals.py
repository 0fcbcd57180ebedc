"""Marginal densities: median, intervals, regions of highest density, and whether the grid resolves them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigcube.analysis.prior_weights import AxisPrior

__all__ = ["BOUND_FLAGS", "BOUND_WORDS", "Marginal", "marginal", "thinning_error"]

FloatArray = npt.NDArray[np.float64]

#: Which ends of an axis the posterior reaches; labels and held axes have no ends.
BOUND_FLAGS = ("inside", "lower", "upper", "both", "any")
#: The same in a table, below "not gone at".
BOUND_WORDS = {"inside": "", "lower": "the lower end", "upper": "the upper end", "both": "both ends", "any": ""}

# Steps between two neighbouring values of an axis.
_FINE = 64
# exp of anything smaller is zero.
_LOWEST = -745.0
# How far ln of a density may rise above both ends of the first or the last interval: as much as a Gaussian's between
# values two standard deviations apart.
_RISE_AT_AN_END = 0.5
# How far it may rise beyond the outermost value, as far as the prior goes. What is steeper is not resolved.
_RISE_BEYOND = 2.0
# A density above this share of its maximum has not died out at the end of an axis: a 95 % interval would notice.
_AT_BOUND = 0.05


@dataclass(frozen=True, eq=False)
class Marginal:
    """A marginal density of one axis of numbers, interpolated between its values.

    Attributes
    ----------
    x : ndarray
        Values in order, with 63 between each two neighbours, and 64 beyond an outermost value where the prior goes
        further; shape ``(m,)``.
    density, cumulative : ndarray
        The density per unit of the axis, and the probability below; shape ``(m,)``.
    mean, sd : float
        Of the density.
    at_bound : int
        One of `BOUND_FLAGS`.
    """

    x: FloatArray
    density: FloatArray
    cumulative: FloatArray
    mean: float
    sd: float
    at_bound: int

    def quantile(self, share: float) -> float:
        """Return the value below which a share of the probability lies."""
        return float(np.interp(share, self.cumulative, self.x))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the ends of the interval with equal tails."""
        return self.quantile(0.5 * (1.0 - level)), self.quantile(0.5 * (1.0 + level))

    def region(self, level: float) -> tuple[float, float, int]:
        """Return the ends of the region of highest density, and the number of its pieces (Hyndman 1996)."""
        middle = 0.5 * (self.density[1:] + self.density[:-1])
        masses = np.diff(self.cumulative)
        order = np.argsort(-middle, kind="stable")
        n = int(np.searchsorted(np.cumsum(masses[order]), level)) + 1
        inside = np.zeros(middle.size, dtype=bool)
        inside[order[:n]] = True
        cells = np.flatnonzero(inside)
        pieces = 1 + int((np.diff(cells) > 1).sum())
        return float(self.x[cells[0]]), float(self.x[cells[-1] + 1]), pieces


def marginal(probability: FloatArray, prior: AxisPrior) -> Marginal:
    """Return the density of an axis of numbers from the probability at each of its values, shape ``(n,)``.

    Between values, the ln of the density is interpolated (Akima 1970, J. ACM 17, 589), which is exact for a Gaussian on
    evenly spaced values; where values have a constant ratio, along their logarithms. Beside a value where next to
    nothing is left, the interpolant would rise far above its neighbours: it is held below the parabolas through them.
    Beyond the outermost values, up to where the prior is cut off, it goes on, at most along a straight line.
    """
    from scipy.integrate import cumulative_simpson, simpson
    from scipy.interpolate import Akima1DInterpolator

    assert prior.measure is not None
    assert prior.ends is not None
    order = np.argsort(prior.values)
    values = prior.values[order].astype(np.float64)
    per_unit = probability[order] / prior.measure[order]
    u = np.log(values) if prior.in_logs else values
    # Where the prior is zero at an end, there is no density to interpolate.
    there = np.flatnonzero(np.isfinite(prior.log_density[order]))
    inner = slice(there[0], there[-1] + 1)
    u, top = u[inner], float(per_unit.max())
    per_u: FloatArray = per_unit[inner] * (values[inner] if prior.in_logs else 1.0)
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(per_u / per_u.max()), _LOWEST)
    fine = np.interp(np.arange((u.size - 1) * _FINE + 1) / _FINE, np.arange(u.size), u)
    first, last = np.log(prior.ends) if prior.in_logs else prior.ends
    before, after = _steps_beyond(u, first), _steps_beyond(u[::-1], last)[::-1]
    if u.size > 2:
        interval = np.minimum(np.arange(fine.size) // _FINE, u.size - 2)
        curve, highest = Akima1DInterpolator(u, logs, extrapolate=True), _highest(u, logs)[interval]
    else:
        curve, highest = None, np.interp(fine, u, logs)
    highest = np.concatenate([_line(u, logs, before), highest, _line(u[::-1], logs[::-1], after)])
    fine = np.concatenate([before, fine, after])
    between = highest if curve is None else np.minimum(curve(fine), highest)
    density = np.exp(between)
    below = np.maximum.accumulate(cumulative_simpson(density, x=fine, initial=0.0))
    x = np.exp(fine) if prior.in_logs else fine
    total = simpson(density, x=fine)
    mean = float(simpson(density * x, x=fine) / total)
    sd = float(np.sqrt(simpson(density * (x - mean) ** 2, x=fine) / total))
    density = density / below[-1] / (x if prior.in_logs else 1.0)
    low, high = (per_unit[inner][end] > _AT_BOUND * top for end in (0, -1))
    return Marginal(x, density, below / below[-1], mean, sd, int(low) + 2 * int(high))


def _steps_beyond(u: FloatArray, end: float) -> FloatArray:
    """Return where the density is given from an end to the first of the values, without it."""
    if abs(end - u[0]) <= 1e-9 * np.ptp(u):
        return np.empty(0)
    return np.linspace(end, u[0], _FINE, endpoint=False)


def _line(u: FloatArray, logs: FloatArray, at: FloatArray) -> FloatArray:
    """Return the straight line through the first two values."""
    slope = (logs[1] - logs[0]) / (u[1] - u[0])
    return np.asarray(logs[0] + np.minimum(slope * (at - u[0]), _RISE_BEYOND))


def _highest(u: FloatArray, logs: FloatArray) -> FloatArray:
    """Return how high ln of a density may be in each interval between three or more values.

    A parabola of curvature −c rises by at most c h²/8 above the higher end of an interval of length h. Of the
    parabolas through the values round either end, the flatter one counts.
    """
    h = np.diff(u)
    slopes = np.diff(logs) / h
    curvature = np.concatenate([[np.inf], np.maximum(0.0, -2.0 * np.diff(slopes) / (h[1:] + h[:-1])), [np.inf]])
    rise = np.minimum(curvature[1:], curvature[:-1]) * h**2 / 8.0
    rise[[0, -1]] = np.minimum(rise[[0, -1]], _RISE_AT_AN_END)
    return np.asarray(np.maximum(logs[1:], logs[:-1]) + rise)


def thinning_error(probability: FloatArray, prior: AxisPrior) -> float:
    """Return by how much the ln of an integral along an axis changes with rougher rules; NaN for few values.

    They take every second value and, where the prior is cut between values, a constant in the part beyond. The error
    of the rule itself is smaller: by a factor of sixteen for one of fourth order, and more where the density
    dies out at both ends.
    """
    rougher, share = prior.rougher(), prior.probability
    # The mean likelihood at a value is its posterior over its prior probability.
    likelihood = np.divide(probability, share, out=np.zeros(share.size), where=share > 0)
    with np.errstate(divide="ignore"):
        changes = [abs(np.log(own.probability @ likelihood[index])) for index, own in rougher]
    return float(sum(changes)) if rougher else float("nan")
