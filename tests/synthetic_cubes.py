"""A small synthetic cube of any kind, filled from what the kind declares."""

import json
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import COUNT, Kind, Variable

__all__ = ["STAR_ATTRS", "synthetic_cube"]

#: Attributes of a cube of stars that a test streams to disk.
STAR_ATTRS = {
    "title": "synthetic stars of a test",
    "citation": "none",
    "licence": "CC0-1.0",
    "recipe": "",
    "raw_files": "[]",
    "samples": "{}",
    "synthetic": 1,
    "sigcube_version": "0",
}


def synthetic_cube(kind: Kind, *, systems: int = 6, points: int = 5, seed: int = 1) -> xr.Dataset:
    """A valid cube of a kind: every variable of its schema, one flag set, and systems of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = {dim: points if dim == kind.point_dim else systems for dim in kind.dims}
    counts = rng.integers(1, points + 1, systems)
    counts[0] = points
    real = np.arange(points) < counts[:, np.newaxis] if kind.padded else None
    arrays: dict[str, Any] = {}
    for variable in kind.variables:
        shape = tuple(lengths[dim] for dim in variable.dims)
        values = counts if variable.name == COUNT else _values(rng, variable, shape)
        if real is not None and len(shape) == 2:
            values = _padded(kind, variable, values, real)
        arrays[variable.name] = (variable.dims, values, variable.attrs(source="synthetic"))
    coords = {}
    if kind.system_dim:
        names = np.array([f"S{i}" for i in range(systems)], dtype=object)
        coords[kind.system_dim] = (kind.system_dim, names, {"units": "", "long_name": "name", "source": "synthetic"})
    return xr.Dataset(arrays, coords=coords, attrs=_attributes(kind))


def _values(rng: np.random.Generator, variable: Variable, shape: tuple[int, ...]) -> Any:
    if variable.flags:
        # The second point or system of all has the last flag, the others none.
        flags = np.zeros(shape, dtype=np.uint8)
        flags.reshape(-1)[1] = 1 << (len(variable.flags) - 1)
        return flags
    if variable.dtype == "string":
        return np.full(shape, "text", dtype=object)
    if variable.dtype == "int64":
        return rng.integers(1, 100, shape)
    return np.sort(rng.uniform(1.0, 100.0, shape), axis=-1)


def _padded(kind: Kind, variable: Variable, values: Any, real: Any) -> Any:
    if variable.flags:
        return np.where(real, values & ~np.uint8(1), np.uint8(1))
    return np.where(real, values, np.nan) if variable.dtype == "float64" else values


def _attributes(kind: Kind) -> dict[str, Any]:
    keys = ((kind.point_flag, "point_flags_excluded"), (kind.system_flag, "system_flags_excluded"))
    excluded = {
        key: [meaning for meaning in kind.variable(flag).flags if meaning != "padding"] for flag, key in keys if flag
    }
    return {
        "title": f"a synthetic {kind.name} cube",
        "kind": kind.name,
        "citation": "nobody",
        "licence": "CC0-1.0",
        "recipe": "",
        "raw_files": json.dumps([{"name": "a.csv", "sha256": "0" * 64, "official": False}]),
        "samples": json.dumps({"unflagged": {"description": "what has no flag", **excluded}}),
        "synthetic": 1,
        "sigcube_version": "0",
    }
