"""Checks of a dataset against the schema of its kind; all faults are reported at once."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.kinds import kind_of
from sigcube.cube.schema import COUNT, Kind, Variable
from sigcube.errors import DataError, Fault, error_from

__all__ = ["refuse_lost_dimension", "refuse_unusable", "validate", "validate_form", "validate_values"]

_OF_A_SAMPLE = {"description", "point_flags_excluded", "system_flags_excluded"}
# Of a file that was read without decoding them: a reader would decode the values once more, or look for coordinates.
_DECODED = {"_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "coordinates"}
_TEXTS = ("title", "citation", "licence", "recipe", "raw_files", "samples", "sigcube_version")


def validate(ds: xr.Dataset) -> None:
    """Check a dataset against the schema of its kind.

    Raises
    ------
    DataError
        With every fault: attributes, dimensions, types, units, and then values.
    """
    # Values are checked only in a dataset of the right form; else one fault would be reported many times.
    validate_form(ds)
    validate_values(ds)


def validate_form(ds: xr.Dataset) -> None:
    """Check attributes, names of systems, dimensions, types and units; of values, only the names are read."""
    kind = kind_of(ds)
    refuse_lost_dimension(ds)
    _refuse(ds, [*_attribute_faults(ds), *_sample_faults(ds, kind), *_system_faults(ds, kind), *_form_faults(ds, kind)])


def refuse_lost_dimension(ds: xr.Dataset) -> None:
    """Refuse a cube of which a selection dropped a dimension, as of one galaxy by its name alone.

    Raises
    ------
    DataError
        With the dimension, and how to select so that it stays.
    """
    if lost := [dim for dim in kind_of(ds).dims if dim not in ds.dims]:
        raise DataError(
            f"the cube has lost its dimension {lost[0]!r}",
            where=str(ds.attrs.get("title", "cube")),
            hint=f"select by a list, which keeps it: .sel({lost[0]}=[...])",
        )


def refuse_repeated_systems(ds: xr.Dataset) -> None:
    """Refuse a cube in which a system is there twice, as a selection by a list may make it: it would count twice.

    Raises
    ------
    DataError
        With the systems.
    """
    _refuse(ds, list(_repeated_systems(ds, kind_of(ds))))


def validate_values(ds: xr.Dataset, *, start: int = 0) -> None:
    """Check the values of a dataset of the right form, or of a piece of it that begins at ``start``.

    Of a kind without padding, a piece may lack variables.
    """
    kind = kind_of(ds)
    faults = [*(_padded_faults(ds, kind) if kind.padded else _flat_faults(ds, kind, start))]
    for name in kind.flags:
        known = (1 << len(kind.variable(name).flags)) - 1
        if (ds[name].values & ~np.uint8(known)).any():
            faults.append(Fault("a bit without a meaning", f"variable {name!r}"))
    _refuse(ds, faults)


def refuse_unusable(ds: xr.Dataset, values: Mapping[str, npt.NDArray[np.float64]]) -> None:
    """Refuse variables of which a model would take other numbers than are meant: nobody checks a cube in memory.

    Parameters
    ----------
    ds : Dataset
        The cube, for the units that its variables say; one that says none is taken by its declaration.
    values : Mapping of str to ndarray
        The values that are used, by variable. What is not measured, NaN, passes.

    Raises
    ------
    DataError
        For another unit than that of the declaration, for values below what is possible, and infinite ones of systems.
    """
    faults: list[Fault] = []
    declared = {each.name: each for each in kind_of(ds).variables}
    for name, each in values.items():
        if (variable := declared.get(name)) is None:
            continue
        if "units" in ds[name].attrs:
            faults += _unit_faults(ds[name], variable)
        if (below := each < variable.least).any():
            found, expected = f"{each[below].min():g}", f"at least {variable.least:g}"
            faults.append(Fault("out of range", f"variable {name!r}", found, expected))
        if variable.dims == (kind_of(ds).system_dim,) and np.isinf(each).any():
            faults.append(Fault("infinite", f"variable {name!r}", expected="finite, or NaN where it is not measured"))
    _refuse(ds, faults)


def _refuse(ds: xr.Dataset, faults: list[Fault]) -> None:
    if faults:
        name = kind_of(ds).name
        where = str(ds.attrs.get("title", f"{name} cube"))
        raise error_from(DataError, faults, what=f"this is not a valid {name} cube", where=where)


def _attribute_faults(ds: xr.Dataset) -> Iterator[Fault]:
    for name in _TEXTS:
        if not isinstance(ds.attrs.get(name), str):
            yield Fault("missing, or not a text", f"attribute {name!r}", repr(ds.attrs.get(name)))
    if ds.attrs.get("synthetic") not in (0, 1):
        yield Fault("missing, or neither 0 nor 1", "attribute 'synthetic'", repr(ds.attrs.get("synthetic")))
    elif ds.attrs["synthetic"] and "synthetic" not in str(ds.attrs.get("title")).lower():
        yield Fault("the title of synthetic data must say so", "attribute 'title'", repr(ds.attrs.get("title")))


def _sample_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    try:
        declared: dict[str, Any] = dict(json.loads(ds.attrs.get("samples", "{}")))
    except (ValueError, TypeError):
        yield Fault("not a JSON object", "attribute 'samples'", repr(ds.attrs["samples"]))
        return
    for name, sample in declared.items():
        if not isinstance(sample, dict) or not isinstance(sample.get("description"), str):
            yield Fault("no sample", f"sample {name!r}", repr(sample), "a table with a description")
            continue
        if unknown := sorted(sample.keys() - _OF_A_SAMPLE):
            yield Fault("unknown", f"sample {name!r}", ", ".join(unknown), ", ".join(sorted(_OF_A_SAMPLE)))
        for key, flag in (("point_flags_excluded", kind.point_flag), ("system_flags_excluded", kind.system_flag)):
            known = kind.variable(flag).flags if flag else ()
            excluded = sample.get(key, [])
            if not isinstance(excluded, list):
                yield Fault("not a list of flags", f"sample {name!r}, {key}", repr(excluded))
                continue
            for meaning in excluded:
                if meaning not in known:
                    yield Fault("not a flag", f"sample {name!r}, {key}", repr(meaning), ", ".join(known))


def _system_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    if kind.system_dim is None:
        return
    where = f"coordinate {kind.system_dim!r}"
    if kind.system_dim not in ds.coords:
        yield Fault("missing", where)
        return
    names = {str(name) for name in ds[kind.system_dim].values}
    if not names:
        yield Fault("no systems", where)
    yield from _repeated_systems(ds, kind)
    if "" in names:
        yield Fault("empty name", where)


def _repeated_systems(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    if kind.system_dim in ds.coords:
        counts = Counter(str(name) for name in ds[kind.system_dim].values)
        for name in sorted(name for name, count in counts.items() if count > 1):
            yield Fault("named twice", f"coordinate {kind.system_dim!r}", repr(name))


def _form_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    for variable in kind.variables:
        where = f"variable {variable.name!r}"
        if variable.name not in ds.data_vars:
            if variable.required:
                yield Fault("missing", where)
            continue
        array = ds[variable.name]
        if array.dims != variable.dims:
            yield Fault("wrong dimensions", where, str(array.dims), str(variable.dims))
        dtype = "string" if array.dtype.kind in "OUT" else array.dtype.name
        if dtype != variable.dtype:
            yield Fault("wrong type", where, dtype, variable.dtype)
        found, expected = array.attrs.get("flag_meanings"), " ".join(variable.flags)
        if variable.flags and found != expected:
            yield Fault("wrong flag_meanings", where, repr(found), repr(expected))
    declared = {variable.name: variable for variable in kind.variables}
    for name, array in ds.data_vars.items():
        yield from _label_faults(array, declared.get(str(name)))
    for name in ds.variables:
        yield from _storage_faults(str(name), ds[name].attrs)


def _storage_faults(name: str, attrs: Mapping[Any, Any]) -> Iterator[Fault]:
    """Find what a Zarr store would take, and give back as something else or not at all."""
    if "/" in name or name in ("", ".", ".."):
        yield Fault("a name that Zarr takes for a path", f"variable {name!r}", expected="another name, without /")
    for key in sorted(_DECODED & attrs.keys()):
        what = "an attribute by which readers change what they read"
        yield Fault(what, f"variable {name!r}, {key}", repr(attrs[key]), "none of this name")


def _label_faults(array: xr.DataArray, variable: Variable | None) -> Iterator[Fault]:
    where = f"variable {array.name!r}"
    for key in ("long_name", "source"):
        if not isinstance(array.attrs.get(key), str):
            yield Fault(f"no {key}", where)
    yield from _unit_faults(array, variable)


def _unit_faults(array: xr.DataArray, variable: Variable | None) -> Iterator[Fault]:
    where = f"variable {array.name!r}"
    text = array.attrs.get("units", "")
    if variable is not None and text == variable.unit:
        return
    # For other spellings, and variables of a user's own; importing it takes as long as a small sweep.
    from astropy.units import Unit

    try:
        unit = Unit(text) if isinstance(text, str) else None
    except ValueError:
        unit = None
    if unit is None:
        yield Fault("astropy does not know its units", where, repr(text), repr(variable.unit) if variable else None)
    elif variable is not None and unit != Unit(variable.unit):
        yield Fault("wrong units", where, repr(text), repr(variable.unit))


def _padded_faults(ds: xr.Dataset, kind: Kind) -> Iterator[Fault]:
    """Check systems whose points are followed by padding."""
    counts = ds[COUNT].values
    length = ds.sizes[kind.dims[1]]
    if not ((counts >= 1) & (counts <= length)).all():
        yield Fault("out of range", f"variable {COUNT!r}", f"{counts.min()} to {counts.max()}", f"1 to {length}")
        return
    real = np.arange(length) < counts[:, np.newaxis]
    systems = ds[kind.system_dim].values

    def first(wrong: Any) -> str:
        rows = np.flatnonzero(wrong.any(axis=1))
        others = f" and {rows.size - 1} more" if rows.size > 1 else ""
        return f"{systems[rows[0]]}, point {int(np.argmax(wrong[rows[0]]))}{others}" if rows.size else ""

    if wrong := first(((ds[kind.point_flag].values & 1) == 0) != real):
        yield Fault("the padding bit does not match the number of points", f"variable {kind.point_flag!r}, {wrong}")
    unflagged = (ds[kind.point_flag].values == 0) & (ds[kind.system_flag].values == 0)[:, np.newaxis]
    for name in kind.measured:
        finite = np.isfinite(ds[name].values)
        if wrong := first(real & unflagged & ~finite | finite & ~real):
            yield Fault("NaN or infinite in a point, or a value in the padding", f"variable {name!r}, {wrong}")
    for variable in _bounded(ds, kind):
        values = ds[variable.name].values
        if wrong := first(values < variable.least):
            yield _below(variable, wrong, values)
    for variable in kind.variables:
        if variable.dims == (kind.system_dim,) and variable.name in ds and variable.least > -np.inf:
            values = ds[variable.name].values
            if (below := np.flatnonzero(values < variable.least)).size:
                yield _below(variable, str(systems[below[0]]), values)
    if kind.ordered is not None:
        steps = np.diff(ds[kind.ordered].values, axis=1)
        if wrong := first(real[:, 1:] & ~(steps > 0)):
            yield Fault("does not increase", f"variable {kind.ordered!r}, {wrong}")


def _flat_faults(ds: xr.Dataset, kind: Kind, start: int) -> Iterator[Fault]:
    """Check points along one dimension; one that is not complete has a flag that says so."""

    def first(wrong: Any) -> str:
        indices = np.flatnonzero(wrong)
        others = f" and {indices.size - 1} more" if indices.size > 1 else ""
        return f"{kind.dims[0]} {indices[0] + start}{others}" if indices.size else ""

    unflagged = np.logical_and.reduce([ds[name].values == 0 for name in kind.flags])
    for name in kind.measured:
        if name in ds and (wrong := first(unflagged & ~np.isfinite(ds[name].values))):
            yield Fault("NaN or infinite without a flag", f"variable {name!r}, {wrong}")
    for variable in _bounded(ds, kind):
        values = ds[variable.name].values
        if wrong := first(values < variable.least):
            yield _below(variable, wrong, values)


def _below(variable: Variable, where: str, values: Any) -> Fault:
    """Say which value is the first below the least that a variable may have."""
    found = f"{values[values < variable.least].flat[0]:g}"
    return Fault(
        "out of range", f"variable {variable.name!r}, {where}", found=found, expected=f"at least {variable.least}"
    )


def _bounded(ds: xr.Dataset, kind: Kind) -> Iterator[Variable]:
    return (v for v in kind.variables if v.dims == kind.dims and v.name in ds and v.least > -np.inf)
