"""Axis values that carry a unit, in the unit of their parameter."""

from collections.abc import Collection, Mapping
from typing import Any

import xarray as xr

from sigcube.errors import SpecError, shown
from sigcube.model.model import Model
from sigcube.plan.grid import has_unit

__all__ = ["without_units"]


def without_units(name: str, given: Any, models: Collection[Model]) -> Any:
    """Return an axis as a user writes it with plain numbers, in the unit of the parameter.

    A unit is that of an astropy quantity, of its elements, or the attribute ``units`` of a DataArray.

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
    (unit,) = units
    if isinstance(given, Mapping) and "values" in given:
        return {**given, "values": without_units(name, given["values"], models)}
    if isinstance(given, xr.DataArray):
        own = given.attrs.get("units")
        if not isinstance(own, str) or own in ("", unit):
            return given
        return given.copy(data=_converted(name, given.values, own, unit))
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], without_units(name, given[1], models)
    if has_unit(given):
        return _converted(name, given.value, given.unit, unit)
    if isinstance(given, list | tuple) and any(map(has_unit, given)):
        if not all(map(has_unit, given)):
            raise SpecError(
                f"axis {name!r} has values with a unit and without", where=f"axes.{name}", found=shown(given)
            )
        return [float(_converted(name, each.value, each.unit, unit)) for each in given]
    return given


def _converted(name: str, values: Any, found: Any, unit: str) -> Any:
    import astropy.units as u

    try:
        return (values * u.Unit(found)).to_value(u.Unit(unit))
    except (u.UnitsError, ValueError, TypeError):
        raise SpecError(
            f"axis {name!r} has a unit of another kind",
            where=f"axes.{name}",
            found=str(found),
            expected=unit or "no unit",
        ) from None
