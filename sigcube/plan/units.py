"""Axis values that carry a unit, in the unit of their parameter."""

from collections.abc import Collection, Mapping
from typing import Any

from sigcube.model.model import Model
from sigcube.model.units import in_unit

__all__ = ["without_units"]


def without_units(name: str, given: Any, models: Collection[Model]) -> Any:
    """Return an axis as a user writes it with plain numbers, in the unit of the parameter, see `in_unit`.

    Raises
    ------
    SpecError
        For a unit that does not exist, or is not of the parameter's kind.

    Examples
    --------
    >>> from sigcube.kernels import find
    >>> from sigcube.model.frames import FRAMES
    >>> model = Model(find("sigma"), FRAMES["galaxy"])
    >>> import astropy.units as u
    >>> without_units("xi", [500.0, 1000.0] * u.pc, [model]).tolist()
    [0.5, 1.0]
    """
    units = {model.parameters[name].unit for model in models if name in model.parameters}
    if len(units) != 1:
        # Of no parameter, or of two that differ: plain numbers pass, and the grid refuses others.
        return given
    if isinstance(given, Mapping) and "values" in given:
        return {**given, "values": without_units(name, given["values"], models)}
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], without_units(name, given[1], models)
    return in_unit(name, given, units.pop(), where=f"axes.{name}")
