"""Values that carry a unit, in the unit of their parameter."""

from typing import Any

import xarray as xr

from sigcube.errors import SpecError, shown

__all__ = ["has_unit", "in_unit", "refuse_other_unit"]


def in_unit(name: str, given: Any, unit: str, *, where: str) -> Any:
    """Return what is given for a parameter as plain numbers in the unit of the parameter.

    A unit is that of an astropy quantity, of the elements of a list, or the attribute ``units`` of a DataArray. What
    has none is returned as it is.

    Raises
    ------
    SpecError
        For a unit that does not exist, or is not of the parameter's kind.

    Examples
    --------
    >>> import astropy.units as u
    >>> in_unit("xi", [500.0, 1000.0] * u.pc, "kpc", where="xi").tolist()
    [0.5, 1.0]
    """
    if isinstance(given, xr.DataArray):
        own = given.attrs.get("units")
        if not isinstance(own, str) or own in ("", unit):
            return given
        return given.copy(data=_converted(name, given.values, own, unit, where)).assign_attrs(units=unit)
    if has_unit(given):
        return _converted(name, given.value, given.unit, unit, where)
    if isinstance(given, list | tuple) and any(map(has_unit, given)):
        if not all(map(has_unit, given)):
            raise SpecError(f"{name} has values with a unit and without", where=where, found=shown(given))
        return [float(_converted(name, each.value, each.unit, unit, where)) for each in given]
    return given


def refuse_other_unit(name: str, given: xr.DataArray, unit: str, *, where: str) -> None:
    """Refuse an array whose attribute ``units`` is not the unit of a parameter.

    It is not converted: xarray's arithmetic keeps the attribute, so that it may be that of something else by now.

    Raises
    ------
    SpecError
        With both units.
    """
    import astropy.units as u

    own = given.attrs.get("units")
    if not isinstance(own, str) or own in ("", unit):
        return
    try:
        alike = u.Unit(own) == u.Unit(unit)
    except (ValueError, TypeError):
        alike = False
    if not alike:
        raise SpecError(
            f"{name} has another unit than the parameter",
            where=where,
            found=own,
            expected=unit or "no unit",
            hint="convert it; if it is converted, take off the units that arithmetic keeps: .drop_attrs()",
        )


def has_unit(value: Any) -> bool:
    """Tell whether something is a quantity of astropy, without loading it."""
    return hasattr(value, "unit") and hasattr(value, "to_value")


def _converted(name: str, values: Any, found: Any, unit: str, where: str) -> Any:
    import astropy.units as u

    try:
        return (values * u.Unit(found)).to_value(u.Unit(unit))
    except (u.UnitsError, ValueError, TypeError):
        what, expected = f"{name} has a unit of another kind", unit or "no unit"
        raise SpecError(what, where=where, found=str(found), expected=expected) from None
