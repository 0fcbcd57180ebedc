"""Axes and the grids they span.

An axis is a parameter or a choice with the values it takes. It lies along a dimension, by default one of its own name;
axes that share a dimension vary together, as coordinates of an xarray Dataset do.
"""

import sys
from collections import Counter
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

from sigcube.errors import SpecError, shown
from sigcube.model.units import has_unit

__all__ = [
    "MOST_POINTS",
    "MOST_VALUES",
    "Axis",
    "Grid",
    "check_number",
    "geomspace",
    "is_list",
    "linspace",
    "make_grid",
]

MOST_VALUES = 10**6
"""Values of an axis: the attributes of a result hold each of them, 20 MB for a million."""

MOST_POINTS = 10**15
"""Points of a grid: one metric of as many fills 8 PB."""

_LONGEST_NAME = 100


def linspace(start: float, stop: float, num: int) -> tuple[float, ...]:
    """Return evenly spaced axis values, both ends included.

    Raises
    ------
    SpecError
        For ends that are not finite or are too far apart, and for a number of values that is not whole, above zero and
        at most `MOST_VALUES`.

    Examples
    --------
    >>> linspace(0, 1, 5)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    _check_spacing("linspace", start, stop, num)
    return tuple(np.linspace(float(start), float(stop), num).tolist())


def geomspace(start: float, stop: float, num: int) -> tuple[float, ...]:
    """Return axis values in a constant ratio, both ends included.

    Powers are taken in decimal arithmetic, so that a spec gives the same axis everywhere: those of NumPy differ in the
    last digit between processors.

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
    # A million products keep 50 of 60 digits, and no value of 53 bits lies that near to the middle between two.
    with localcontext(prec=60):
        value, inner = Decimal(float(start)), [float(start)]
        ratio = (Decimal(float(stop)) / value) ** (Decimal(1) / max(1, int(num) - 1))
        for _ in range(1, num - 1):
            value *= ratio
            inner.append(float(value))
        return (*inner, float(stop))[:num]


def _check_spacing(form: str, start: Any, stop: Any, num: Any) -> None:
    expected = ""
    if isinstance(num, bool) or not isinstance(num, Integral) or num < 1:
        expected = "a whole number of values, above zero"
    elif int(num) > MOST_VALUES:
        expected = f"at most {MOST_VALUES:,} values"
    elif not (_is_finite(start) and _is_finite(stop)):
        expected = "finite numbers as ends"
    elif form == "geomspace" and min(start, stop) <= 0:
        expected = "both ends above zero"
    elif form == "linspace" and not isfinite(float(stop) - float(start)):
        expected = "ends whose difference is finite"
    if expected:
        found = ", ".join(map(shown, (start, stop, num)))
        raise SpecError(f"{form} needs start, stop, number", found=found, expected=expected)


def _is_finite(end: Any) -> bool:
    if isinstance(end, bool) or not isinstance(end, Real):
        return False
    try:
        return isfinite(end)
    except OverflowError:
        # A whole number beyond all floats.
        return False


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

    @property
    def text(self) -> str:
        """The dimensions and their lengths: ``A 4 × k 50``."""
        return " × ".join(f"{dim} {n}" for dim, n in self.dims.items())

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
        one-dimensional DataArray with its dimension.

    Raises
    ------
    SpecError
        For an axis that is empty, repeats a value, mixes labels and numbers, or disagrees in length with its dimension;
        for more than `MOST_VALUES` values of one, or a grid of more than `MOST_POINTS`.

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
    if grid.size > MOST_POINTS:
        raise SpecError(
            "the grid has too many points",
            where="axes",
            found=" × ".join(f"{dim} {n:,}" for dim, n in grid.dims.items()) + f" = {grid.size:,}",
            expected=f"at most {MOST_POINTS:,}",
            hint="give an axis fewer values, or let axes vary together along one dimension",
        )
    return grid


def _axis(name: str, given: Any) -> Axis:
    where = f"axes.{name}"
    dim, content = _dim_and_content(name, given)
    if not isinstance(dim, str) or not dim:
        raise SpecError("a dimension needs a name", where=where, found=shown(dim))
    if not dim.isprintable() or "/" in dim or len(dim) > _LONGEST_NAME:
        expected = f"at most {_LONGEST_NAME} letters, digits and signs, no slash"
        raise SpecError("a dimension cannot be called so", where=where, found=shown(dim), expected=expected)
    if has_unit(content):
        hint = "give plain numbers in the unit of the parameter"
        raise SpecError(f"axis {name!r} has a unit that nothing converts", where=where, found=shown(content), hint=hint)
    items = list(content) if isinstance(content, Sequence) else np.asarray(content, dtype=object).ravel().tolist()
    if not items:
        raise SpecError(f"axis {name!r} is empty", where=where)
    # A million values are of a few types.
    types = set(map(type, items))
    labels = {issubclass(each, str) for each in types}
    if len(labels) > 1:
        raise SpecError(f"axis {name!r} mixes labels and numbers", where=where, found=shown(content))
    converted = tuple(items) if labels == {True} else _numbers(name, items, types)
    if dim == name and _repeats(converted):
        twice = Counter(converted).most_common(1)[0][0]
        raise SpecError(f"axis {name!r} repeats a value", where=where, found=shown(twice))
    return Axis(name, dim, converted)


def _dim_and_content(name: str, given: Any) -> tuple[Any, Any]:
    where = f"axes.{name}"
    if isinstance(given, xr.DataArray):
        if given.ndim != 1:
            raise SpecError(f"axis {name!r} must have one dimension", where=where, found=f"{given.ndim}")
        check_number(given, name)
        return str(given.dims[0]), given.values.tolist()
    is_pair = isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], str)
    if is_pair and not isinstance(given[1], str):
        check_number(given[1], name)
        if is_list(given[1]):
            return given[0], given[1]
    check_number(given, name)
    if not is_list(given):
        raise SpecError(f"axis {name!r} must be a list of values", where=where, found=shown(given))
    return name, given


def check_number(values: Any, name: str) -> None:
    """Refuse more values than an axis may have before they are made: a range holds none of its values."""
    try:
        number = len(values)
    except TypeError:
        return
    except OverflowError:
        number = sys.maxsize
    if number > MOST_VALUES:
        raise SpecError(
            f"axis {name!r} has too many values",
            where=f"axes.{name}",
            found=f"{number:,}",
            expected=f"at most {MOST_VALUES:,}",
        )


def is_list(content: Any) -> bool:
    """Whether something is a one-dimensional list of values; text is not.

    Examples
    --------
    >>> is_list([1, 2]), is_list("ab"), is_list([[1], [2, 3]])
    (True, False, False)
    """
    try:
        return not isinstance(content, str) and np.ndim(content) == 1
    except ValueError:
        return False


def _repeats(values: tuple[Any, ...]) -> bool:
    if isinstance(values[0], float):
        numbers = np.asarray(values)
        # Most axes are in order: a set of a million numbers takes many times as long.
        if (numbers[1:] > numbers[:-1]).all():
            return False
    return len(set(values)) != len(values)


def _numbers(name: str, items: Sequence[Any], types: set[type]) -> tuple[float, ...]:
    try:
        if bool in types:
            raise TypeError
        return tuple(items) if types == {float} else tuple(map(float, items))
    except (TypeError, ValueError, OverflowError):
        raise SpecError(
            f"axis {name!r} holds something that is not a number", where=f"axes.{name}", found=shown(items)
        ) from None
