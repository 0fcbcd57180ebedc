"""The fingerprint of a cube: a SHA-256 of its content, of all of it at once or of pieces one after another."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["RunningFingerprint", "fingerprint", "slabs"]

# Values digested at a time.
_SLAB = 1 << 19


class RunningFingerprint:
    """The fingerprint of a cube whose rows come in pieces.

    Each variable has a digest over its bytes, and the fingerprint is a digest over the name, dimensions, type, shape
    and digest of each; so it does not depend on how the rows are divided.
    """

    def __init__(self) -> None:
        self._heads: dict[str, tuple[list[str], str, list[int]]] = {}
        self._digests: dict[str, Any] = {}

    def add(self, name: str, variable: xr.Variable) -> None:
        """Add a variable, or its next rows along its first dimension."""
        if name not in self._heads:
            dtype = "string" if variable.dtype.kind in "OUT" else variable.dtype.newbyteorder("<").str
            self._digests[name] = hashlib.sha256()
            self._heads[name] = ([str(dim) for dim in variable.dims], dtype, [0, *variable.shape[1:]])
        rows = variable.shape[0] if variable.ndim else 1
        self._heads[name][2][0] += rows
        for slab in slabs(rows, variable.size, most=_SLAB):
            part = variable[slab] if variable.ndim else variable
            self._digests[name].update(_content(np.asarray(part.values)))

    def hexdigest(self) -> str:
        """Return the fingerprint of what was added so far."""
        entries = [[name, *self._heads[name], self._digests[name].hexdigest()] for name in sorted(self._heads)]
        return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def slabs(length: int, size: int, *, most: int) -> Iterator[slice]:
    """Divide rows that hold ``size`` values into slices of at most ``most``; without rows, there is one empty slice."""
    step = max(1, most * length // max(1, size))
    for start in range(0, max(1, length), step):
        yield slice(start, start + step)


def fingerprint(ds: xr.Dataset) -> str:
    """Return the SHA-256 of a cube's content.

    It covers the name, dimensions, type, shape and bytes of every variable and coordinate, but no attributes. Values
    that are not loaded are read in parts.
    """
    running = RunningFingerprint()
    for name, variable in ds.variables.items():
        running.add(str(name), variable)
    return running.hexdigest()


def _content(values: Any) -> Any:
    if values.dtype.kind in "OUT":
        # One item per line; a line break in an item is escaped.
        return "".join(json.dumps(str(item)) + "\n" for item in values.ravel()).encode()
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
