"""Fingerprints: the SHA-256 of what a cube holds, of all of it or of pieces that come one after another."""

import hashlib
import json
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["RunningFingerprint", "fingerprint"]

# Values digested at a time.
_SLAB = 1 << 19


class RunningFingerprint:
    """The fingerprint of a cube whose rows come in pieces.

    Each variable has a digest of its own over its bytes, and the fingerprint is a digest over name, dimensions, type,
    shape and digest of all of them; so it does not matter how the rows are divided.
    """

    def __init__(self) -> None:
        self._heads: dict[str, tuple[list[str], str, list[int]]] = {}
        self._digests: dict[str, Any] = {}

    def add(self, name: str, variable: xr.Variable) -> None:
        """Add a variable, or its next rows along its first dimension."""
        if name not in self._heads:
            self._digests[name] = hashlib.sha256()
            self._heads[name] = ([str(dim) for dim in variable.dims], _dtype(variable), [0, *variable.shape[1:]])
        self._heads[name][2][0] += variable.shape[0] if variable.ndim else 1
        for start in range(0, variable.shape[0] if variable.ndim else 1, step := _rows(variable)):
            part = variable[start : start + step] if variable.ndim else variable
            self._digests[name].update(_content(np.asarray(part.values)))

    def hexdigest(self) -> str:
        """Return the fingerprint of what was added so far."""
        entries = [[name, *self._heads[name], self._digests[name].hexdigest()] for name in sorted(self._heads)]
        return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def fingerprint(ds: xr.Dataset) -> str:
    """Return the SHA-256 of a cube's content.

    It covers name, dimensions, type, shape and bytes of every variable and coordinate, and no attribute. What is not
    loaded is read a little at a time.
    """
    running = RunningFingerprint()
    for name, variable in ds.variables.items():
        running.add(str(name), variable)
    return running.hexdigest()


def _rows(variable: xr.Variable) -> int:
    return max(1, _SLAB * variable.shape[0] // max(1, variable.size)) if variable.ndim else 1


def _dtype(variable: xr.Variable) -> str:
    return "string" if variable.dtype.kind in "OUT" else variable.dtype.newbyteorder("<").str


def _content(values: Any) -> Any:
    if values.dtype.kind in "OUT":
        # An item a line: a line break within one is escaped.
        return "".join(json.dumps(str(item)) + "\n" for item in values.ravel()).encode()
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
