"""Is a dataset the cube that it says it is? All faults at once."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube.kinds import kind_of
from sigcube.cube.schema import COUNT, Kind, Variable
from sigcube.errors import DataError, Fault, error_from

__all__ = ["validate", "validate_form", "validate_values"]

_TEXTS = ("title", "citation", "licence", "recipe", "raw_files", "samples", "sigcube_version")


def validate(ds: xr.Dataset) -> None:
    """Check a dataset against the schema of its kind.

    Raises
    ------
    DataError
        With every fault: attributes, dimensions, types, units, and then values.
    """
    # Values are looked at only where shapes are right, else one fault would be told many times.
    validate_form(ds)
    validate_values(ds)


def validate_form(ds: xr.Dataset) -> None:
    """Check attributes, names of systems, dimensions, types and units; of values only the names are read."""
    kind = kind_of(ds)
    _refuse(ds, [*_attribute_faults(ds, kind), *_system_faults(ds, kind), *_variable_faults(ds, kind)])


def validate_values(ds: xr.Dataset, *, start: int = 0) -> None:
    """Check the values of a dataset of the right form, or of a piece of it.

    Parameters
    ----------
    ds : Dataset
        All systems or points, or some; variables that are not there are passed over where points have no padding.
    start : int
        Where the piece starts in the whole.
    """
    kind = kind_of(ds)
    _refuse(ds, list(_value_faults(ds, kind, start)))


def _refuse(ds: xr.Dataset, faults: list[Fault]) -> None:
    if faults:
        name = kind_of(ds).name
        where = str(ds.attrs.get("title", f"{name} cube"))
        raise error_from(DataError, faults, what=f"this is not a valid {name} cube", where=where)


def _attribute_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    for name in _TEXTS:
        if not isinstance(ds.attrs.get(name), str):
            yield Fault("missing, or not a text", f"attribute {name!r}", repr(ds.attrs.get(name)))
    if ds.attrs.get("synthetic") not in (0, 1):
        yield Fault("missing, or neither 0 nor 1", "attribute 'synthetic'", repr(ds.attrs.get("synthetic")))
    elif ds.attrs["synthetic"] and "synthetic" not in str(ds.attrs.get("title")).lower():
        yield Fault("the title of synthetic data must say so", "attribute 'title'", repr(ds.attrs.get("title")))
    yield from _sample_faults(ds, kind)


def _sample_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    try:
        declared: dict[str, Any] = dict(json.loads(ds.attrs.get("samples", "{}")))
    except (ValueError, TypeError):
        yield Fault("not a JSON object", "attribute 'samples'", repr(ds.attrs["samples"]))
        return
    for name, sample in declared.items():
        for key, flag in (("point_flags_excluded", kind.point_flag), ("system_flags_excluded", kind.system_flag)):
            known = kind.variable(flag).flags if flag else ()
            for meaning in sample.get(key, ()):
                if meaning not in known:
                    yield Fault("not a flag", f"sample {name!r}, {key}", repr(meaning), ", ".join(known))


def _system_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    if kind.system_dim is None:
        return
    where = f"coordinate {kind.system_dim!r}"
    if kind.system_dim not in ds.coords:
        yield Fault("missing", where)
        return
    names = [str(name) for name in ds[kind.system_dim].values]
    if not names:
        yield Fault("no systems", where)
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        yield Fault("named twice", where, repr(name))
    if "" in names:
        yield Fault("empty name", where)


def _variable_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    declared = {variable.name: variable for variable in kind.variables}
    for variable in kind.variables:
        if variable.name in ds.data_vars:
            yield from _form_faults(ds[variable.name], variable)
        elif variable.required:
            yield Fault("missing", f"variable {variable.name!r}")
    for name, array in ds.data_vars.items():
        yield from _label_faults(array, declared.get(str(name)))


def _form_faults(array: xr.DataArray, variable: Variable) -> Iterator[Fault]:
    where = f"variable {variable.name!r}"
    if array.dims != variable.dims:
        yield Fault("wrong dimensions", where, str(array.dims), str(variable.dims))
    dtype = "string" if array.dtype.kind in "OUT" else array.dtype.name
    if dtype != variable.dtype:
        yield Fault("wrong type", where, dtype, variable.dtype)
    if variable.flags and array.attrs.get("flag_meanings") != " ".join(variable.flags):
        found, expected = array.attrs.get("flag_meanings"), " ".join(variable.flags)
        yield Fault("wrong flag_meanings", where, repr(found), repr(expected))


def _label_faults(array: xr.DataArray, variable: Variable | None) -> Iterator[Fault]:
    where = f"variable {array.name!r}"
    for key in ("long_name", "source"):
        if not isinstance(array.attrs.get(key), str):
            yield Fault(f"no {key}", where)
    unit = array.attrs.get("units")
    if not _is_unit(unit):
        yield Fault("astropy does not know its units", where, repr(unit), repr(variable.unit) if variable else None)
    elif variable is not None and not _same_unit(str(unit), variable.unit):
        yield Fault("wrong units", where, repr(unit), repr(variable.unit))


def _is_unit(text: Any) -> bool:
    from astropy.units import Unit

    try:
        return isinstance(text, str) and Unit(text) is not None
    except ValueError:
        return False


def _same_unit(one: str, other: str) -> bool:
    from astropy.units import Unit

    return bool(Unit(one) == Unit(other))


def _value_faults(ds: xr.Dataset, kind: Kind, start: int) -> Iterator[Fault]:
    yield from _padded_faults(ds, kind) if kind.padded else _flat_faults(ds, kind, start)
    yield from _flag_faults(ds, kind)


def _padded_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    """Find what is wrong with points that fill up to the count of their system, and padding after them."""
    counts = ds[COUNT].values
    length = ds.sizes[kind.dims[1]]
    if not ((counts >= 1) & (counts <= length)).all():
        yield Fault("out of range", f"variable {COUNT!r}", f"{counts.min()} to {counts.max()}", f"1 to {length}")
        return
    real = np.arange(length) < counts[:, np.newaxis]
    systems = ds[kind.system_dim].values
    if wrong := _first(systems, ((ds[kind.point_flag].values & 1) == 0) != real):
        yield Fault("the padding bit does not match the number of points", f"variable {kind.point_flag!r}, {wrong}")
    unflagged = (ds[kind.point_flag].values == 0) & (ds[kind.system_flag].values == 0)[:, np.newaxis]
    for name in kind.measured:
        finite = np.isfinite(ds[name].values)
        if wrong := _first(systems, real & unflagged & ~finite | finite & ~real):
            yield Fault("NaN or infinite in a point, or a value in the padding", f"variable {name!r}, {wrong}")
    for variable in _bounded(ds, kind):
        if wrong := _first(systems, ds[variable.name].values < variable.least):
            yield Fault("out of range", f"variable {variable.name!r}, {wrong}", expected=f"at least {variable.least}")
    if kind.ordered is not None:
        steps = np.diff(ds[kind.ordered].values, axis=1)
        if wrong := _first(systems, real[:, 1:] & ~(steps > 0)):
            yield Fault("does not increase", f"variable {kind.ordered!r}, {wrong}")


def _flat_faults(ds: xr.Dataset, kind: Kind, start: int) -> Iterator[Fault]:
    """Find what is wrong with points along one dimension; one that is not complete has a flag that says so."""
    unflagged = np.logical_and.reduce([ds[name].values == 0 for name in kind.flags])
    for name in kind.measured:
        if name in ds and (wrong := np.flatnonzero(unflagged & ~np.isfinite(ds[name].values))).size:
            yield Fault("NaN or infinite without a flag", f"variable {name!r}, {_some(kind, wrong + start)}")
    for variable in _bounded(ds, kind):
        if (wrong := np.flatnonzero(ds[variable.name].values < variable.least)).size:
            place = f"variable {variable.name!r}, {_some(kind, wrong + start)}"
            yield Fault("out of range", place, expected=f"at least {variable.least}")


def _bounded(ds: xr.Dataset, kind: Kind) -> Iterator[Variable]:
    return (v for v in kind.variables if v.dims == kind.dims and v.name in ds and v.least > -np.inf)


def _some(kind: Kind, wrong: Any) -> str:
    """Name the first place along the only dimension, and how many there are."""
    others = f" and {wrong.size - 1} more" if wrong.size > 1 else ""
    return f"{kind.dims[0]} {wrong[0]}{others}"


def _flag_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    for name in kind.flags:
        known = (1 << len(kind.variable(name).flags)) - 1
        if (ds[name].values & ~np.uint8(known)).any():
            yield Fault("a bit without a meaning", f"variable {name!r}")


def _first(systems: Any, wrong: Any) -> str:
    """Name the first system with a true value, and how many have one."""
    rows = np.flatnonzero(wrong.any(axis=1))
    others = f" and {rows.size - 1} more" if rows.size > 1 else ""
    return f"{systems[rows[0]]}, point {int(np.argmax(wrong[rows[0]]))}{others}" if rows.size else ""
