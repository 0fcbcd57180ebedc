"""Axes and the grids they span.

An axis is a parameter or a choice with the values it takes. It lies along a dimension, by default one of its own name;
axes that share a dimension vary together, as coordinates of an xarray Dataset do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property
from math import isfinite, prod
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError

__all__ = ["Axis", "Grid", "geomspace", "is_list", "linspace", "make_grid"]


def linspace(start: float, stop: float, num: int) -> tuple[float, ...]:
    """Return evenly spaced axis values, both ends included.

    Raises
    ------
    SpecError
        For ends that are not finite numbers, or a number of values that is not whole and above zero.

    Examples
    --------
    >>> linspace(0, 1, 5)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    _check_spacing("linspace", start, stop, num)
    return tuple(np.linspace(float(start), float(stop), num).tolist())


def geomspace(start: float, stop: float, num: int) -> tuple[float, ...]:
    """Return axis values in constant ratio, both ends included.

    The powers are taken in decimal arithmetic, as NumPy's differ in the last digit from one processor to another, and a
    spec should give the same axis everywhere.

    Raises
    ------
    SpecError
        As `linspace`, and for ends that are not above zero.

    Examples
    --------
    >>> geomspace(1, 16, 5)
    (1.0, 2.0, 4.0, 8.0, 16.0)
    """
    _check_spacing("geomspace", start, stop, num)
    with localcontext(prec=40):
        first, ratio = Decimal(float(start)), Decimal(float(stop)) / Decimal(float(start))
        inner = (float(first * ratio ** (Decimal(i) / (int(num) - 1))) for i in range(1, num - 1))
        return (float(start), *inner, float(stop))[:num]


def _check_spacing(form: str, start: Any, stop: Any, num: Any) -> None:
    expected = ""
    if isinstance(num, bool) or not isinstance(num, Integral) or num < 1:
        expected = "a whole number of values, above zero"
    elif any(isinstance(end, bool) or not isinstance(end, Real) or not isfinite(end) for end in (start, stop)):
        expected = "finite numbers as ends"
    elif form == "geomspace" and min(start, stop) <= 0:
        expected = "both ends above zero"
    if expected:
        raise SpecError(f"{form} needs start, stop, number", found=f"{start!r}, {stop!r}, {num!r}", expected=expected)


@dataclass(frozen=True)
class Axis:
    """The values of one parameter, or the labels of one choice, along a dimension."""

    name: str
    dim: str
    values: tuple[float, ...] | tuple[str, ...]

    @property
    def is_label(self) -> bool:
        """Whether the axis holds labels."""
        return isinstance(self.values[0], str)

    @cached_property
    def array(self) -> npt.NDArray[Any]:
        """The values, float64, or the labels as objects; shape ``(len(values),)``."""
        return np.array(self.values, dtype=object if self.is_label else np.float64)


@dataclass(frozen=True)
class Grid:
    """The product of dimensions, each with the axes that lie along it."""

    axes: tuple[Axis, ...]

    @cached_property
    def dims(self) -> dict[str, int]:
        """Length of each dimension, in the order in which the axes name them."""
        return {axis.dim: len(axis.values) for axis in self.axes}

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return tuple(self.dims.values())

    @property
    def size(self) -> int:
        """Number of grid points."""
        return prod(self.shape)

    def along(self, dim: str) -> tuple[Axis, ...]:
        """Return the axes along a dimension."""
        return tuple(axis for axis in self.axes if axis.dim == dim)

    @cached_property
    def label_dims(self) -> tuple[str, ...]:
        """The dimensions along which a label changes."""
        return tuple(dim for dim in self.dims if any(axis.is_label for axis in self.along(dim)))


def make_grid(axes: Mapping[str, Any]) -> Grid:
    """Build a grid from axes as a user writes them.

    Parameters
    ----------
    axes : Mapping
        For each parameter or choice: its values; a pair ``(dim, values)`` for axes that vary together; or a
        one-dimensional DataArray, whose dimension counts.

    Raises
    ------
    SpecError
        For an axis that is empty, repeats a value, mixes labels and numbers, or disagrees in length with its dimension.

    Examples
    --------
    >>> make_grid({"window": ["geometric", "power"], "A": linspace(0.5, 2, 4)}).dims
    {'window': 2, 'A': 4}
    >>> make_grid({"A": ("case", [1.0, 2.0]), "xi_scale": ("case", [0.1, 0.2])}).dims
    {'case': 2}
    >>> make_grid({}).size
    1
    """
    grid = Grid(tuple(_axis(name, given) for name, given in axes.items()))
    for axis in grid.axes:
        if len(axis.values) != grid.dims[axis.dim]:
            raise SpecError(
                f"axes along {axis.dim!r} differ in length",
                where=f"axes.{axis.name}",
                found=f"{len(axis.values)} values",
                expected=f"{grid.dims[axis.dim]} values",
            )
    return grid


def _axis(name: str, given: Any) -> Axis:
    where = f"axes.{name}"
    dim, content = _dim_and_content(name, given)
    if not isinstance(dim, str) or not dim:
        raise SpecError("a dimension needs a name", where=where, found=repr(dim))
    items = list(np.asarray(content, dtype=object).ravel()) if not isinstance(content, Sequence) else list(content)
    if not items:
        raise SpecError(f"axis {name!r} is empty", where=where)
    labels = [isinstance(item, str) for item in items]
    if any(labels) and not all(labels):
        raise SpecError(f"axis {name!r} mixes labels and numbers", where=where, found=repr(content))
    converted = tuple(items) if labels[0] else _numbers(name, items)
    if dim == name and len(set(converted)) != len(converted):
        twice = next(item for i, item in enumerate(converted) if item in converted[:i])
        raise SpecError(f"axis {name!r} repeats a value", where=where, found=repr(twice))
    return Axis(name, dim, converted)


def _dim_and_content(name: str, given: Any) -> tuple[Any, Any]:
    if isinstance(given, xr.DataArray):
        if given.ndim != 1:
            raise SpecError(f"axis {name!r} must have one dimension", where=f"axes.{name}", found=f"{given.ndim}")
        return str(given.dims[0]), given.values.tolist()
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], str) and is_list(given[1]):
        return given[0], given[1]
    if not is_list(given):
        raise SpecError(f"axis {name!r} must be a list of values", where=f"axes.{name}", found=repr(given))
    return name, given


def is_list(content: Any) -> bool:
    """Tell whether something is a one-dimensional list of values; text is not.

    Examples
    --------
    >>> is_list([1, 2]), is_list("ab"), is_list([[1], [2, 3]])
    (True, False, False)
    """
    try:
        return not isinstance(content, str) and np.ndim(content) == 1
    except ValueError:
        return False


def _numbers(name: str, items: Sequence[Any]) -> tuple[float, ...]:
    try:
        if any(isinstance(item, bool) for item in items):
            raise TypeError
        return tuple(float(item) for item in items)
    except (TypeError, ValueError, OverflowError):
        raise SpecError(
            f"axis {name!r} holds something that is not a number", where=f"axes.{name}", found=repr(items)
        ) from None
