"""The space in which a fit searches: every parameter between 0 and 1, in the logarithm where it spans decades."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sigcube.plan.grid import Axis, Grid

__all__ = ["SearchSpace"]

FloatArray = npt.NDArray[np.float64]

# Ratios of neighbours in a geometric axis differ by rounding alone.
_SAME_RATIO = 1e-9


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """Parameters between the ends of their axes, and places between 0 and 1.

    Attributes
    ----------
    names : tuple of str
        The parameters.
    axes : tuple of ndarray
        The values of the coarse grid along each.
    low, high : ndarray, shape (n_parameters,)
        The bounds: least and largest value of each axis.
    logarithmic : ndarray of bool, shape (n_parameters,)
        Which parameters are searched in their logarithm: those whose axis has a constant ratio.
    """

    names: tuple[str, ...]
    axes: tuple[FloatArray, ...]
    low: FloatArray
    high: FloatArray
    logarithmic: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid) -> "SearchSpace":
        """Return the space that the axes of a grid span; each axis is sorted."""
        axes = tuple(np.sort(axis.array.astype(np.float64)) for axis in grid.axes)
        ends = [(axis[0], axis[-1]) for axis in axes]
        return cls(
            tuple(axis.name for axis in grid.axes),
            axes,
            np.array([low for low, _ in ends]),
            np.array([high for _, high in ends]),
            np.array([is_geometric(axis) for axis in grid.axes]),
        )

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes of the coarse grid."""
        return tuple(axis.size for axis in self.axes)

    def values(self, place: FloatArray) -> FloatArray:
        """Return the parameters at a place, exactly the bounds at 0 and 1."""
        # Plain numbers: a minimiser asks for a few at a time, and arrays of so few take several times as long.
        return np.array([_between(*each) for each in zip(place.tolist(), *self._ends, strict=True)])

    def slopes(self, place: FloatArray) -> FloatArray:
        """Return the derivative of each parameter by its place."""
        return np.where(self.logarithmic, self.values(place) * np.log(self._ratio), self._span)

    def place(self, index: npt.NDArray[np.int64]) -> FloatArray:
        """Return the place of a point of the coarse grid, by its indices."""
        values = np.array([axis[i] for axis, i in zip(self.axes, index, strict=True)])
        steps = np.divide(values, self.low, out=np.ones_like(values), where=self.logarithmic)
        decades = np.log(steps) / np.where(self.logarithmic, np.log(self._ratio), 1.0)
        return np.clip(np.where(self.logarithmic, decades, (values - self.low) / self._span), 0.0, 1.0)

    @cached_property
    def _ends(self) -> tuple[list[float], list[float], list[bool]]:
        return self.low.tolist(), self.high.tolist(), self.logarithmic.tolist()

    @cached_property
    def _span(self) -> FloatArray:
        return self.high - self.low

    @cached_property
    def _ratio(self) -> FloatArray:
        return np.divide(self.high, self.low, out=np.ones_like(self.high), where=self.logarithmic)


def _between(place: float, low: float, high: float, logarithmic: bool) -> float:
    if place <= 0.0:
        return low
    if place >= 1.0:
        return high
    return low * (high / low) ** place if logarithmic else low + place * (high - low)


def is_geometric(axis: Axis) -> bool:
    """Whether the values of an axis are in constant ratio, as those of a geomspace.

    Examples
    --------
    >>> from sigcube.plan.grid import geomspace, linspace
    >>> is_geometric(Axis("c", "c", geomspace(1, 50, 9))), is_geometric(Axis("A", "A", linspace(1, 50, 9)))
    (True, False)
    """
    values = np.sort(axis.array.astype(np.float64))
    if values.size < 3 or values[0] <= 0.0:
        return False
    ratios = values[1:] / values[:-1]
    return bool(np.ptp(ratios) <= _SAME_RATIO * ratios[0])
