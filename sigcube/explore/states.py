"""What a map shows: its two axes, and one slice of the result for each summary and combination of labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, far_from_best, summaries
from sigcube.errors import SpecError, did_you_mean
from sigcube.explore.contours import Contours, contour_levels, trace
from sigcube.explore.style import axis_title, edges

__all__ = ["MapAxis", "State", "label_axes", "map_states", "pick_axes", "pick_values"]

FloatArray = npt.NDArray[np.float64]
Axes = tuple["MapAxis", "MapAxis"]

_PIXELS = 400


@dataclass(frozen=True)
class MapAxis:
    """One side of a map: its values in rising order, and the outer edges of the first and the last cell."""

    name: str
    dim: str
    symbol: str
    title: str
    order: npt.NDArray[np.int64]
    values: FloatArray
    scale: str
    low: float
    high: float

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """Index of the value that each pixel shows: one pixel a value where these are evenly spaced."""
        steps = np.diff(np.log(self.values) if self.scale == "log" else self.values)
        if np.allclose(steps, steps[0]):
            return np.arange(self.values.size)
        at = self.low + (np.arange(_PIXELS) + 0.5) * (self.high - self.low) / _PIXELS
        return np.searchsorted((self.values[1:] + self.values[:-1]) / 2, at)


@dataclass(frozen=True)
class State:
    """One summary under one combination of labels, over both axes, at the best place of all others.

    Attributes
    ----------
    value : str
        The summary.
    labels : tuple of str
        A label of each axis that `label_axes` names.
    z : ndarray
        Values, shape ``(y.values.size, x.values.size)``.
    best : tuple of float
        x, y and value of the best point; NaN for an axis along which all values are equal, and where none is finite.
    contours : Contours
        Lines of equal value.
    larger_is_better : bool
        Which end of the values is good.
    """

    value: str
    labels: tuple[str, ...]
    z: FloatArray
    best: tuple[float, float, float]
    contours: Contours
    larger_is_better: bool

    @property
    def key(self) -> str:
        """A name that no other state of the map has."""
        return "|".join((self.value, *self.labels))

    def profile(self, axis: int) -> FloatArray:
        """Return the best value that is left along an axis of `z`."""
        sign = -1.0 if self.larger_is_better else 1.0
        best = np.where(np.isfinite(self.z), sign * self.z, np.inf).min(axis=axis)
        return np.where(np.isfinite(best), sign * best, np.nan)


def pick_axes(result: xr.Dataset, x: str, y: str) -> Axes:
    """Find the axes of a map.

    Raises
    ------
    SpecError
        For one that is not a numeric axis, or two that vary together.
    """
    sides = _pick_axis(result, "x", x), _pick_axis(result, "y", y)
    if sides[0].dim == sides[1].dim:
        raise SpecError(
            "a map needs two axes that vary on their own", where="y", found=f"{x} and {y} along {sides[0].dim}"
        )
    return sides


def _pick_axis(result: xr.Dataset, side: str, name: str) -> MapAxis:
    numeric = [str(n) for n, c in result.coords.items() if c.ndim == 1 and c.dtype.kind in "iuf" and c.size > 1]
    if name not in numeric:
        raise SpecError(f"{name!r} is not a numeric axis of this result", where=side, hint=did_you_mean(name, numeric))
    coord = result[name]
    order = np.argsort(coord.values, kind="stable")
    values = coord.values[order].astype(np.float64)
    return MapAxis(
        name, str(coord.dims[0]), coord.attrs.get("symbol", name), axis_title(coord), order, values, *edges(values)
    )


def pick_values(result: xr.Dataset, value: str, axes: Axes) -> list[str]:
    """Name the summaries that a map can show, the wanted one first.

    Raises
    ------
    SpecError
        When the wanted one is not among them.
    """
    there = [name for name in summaries(result) if {axis.dim for axis in axes} <= set(map(str, result[name].dims))]
    if value not in there:
        raise SpecError(f"{value!r} is not a summary over these axes", where="value", hint=did_you_mean(value, there))
    return [value, *(name for name in there if name != value)]


def label_axes(result: xr.Dataset, axes: Axes) -> list[str]:
    """Name a label axis for each dimension, besides those of the map, along which labels vary."""
    taken = {axis.dim for axis in axes}
    found: dict[str, str] = {}
    for name, coord in result.coords.items():
        free = (
            coord.ndim == 1 and coord.size > 1 and coord.dims[0] in result["status"].dims and coord.dims[0] not in taken
        )
        if free and coord.dtype.kind not in "iuf":
            found.setdefault(str(coord.dims[0]), str(name))
    return list(found.values())


def map_states(result: xr.Dataset, values: Sequence[str], axes: Axes) -> list[State]:
    """Cut a slice for each combination of labels through the best point of the first summary, and read them all."""
    names = label_axes(result, axes)
    found = []
    for place in product(*(range(result[name].size) for name in names)):
        chosen = result.isel({str(result[name].dims[0]): i for name, i in zip(names, place, strict=True)})
        labels = tuple(str(chosen[name].item()) for name in names)
        cut = _cut(chosen, values[0], axes)
        found += [_state(cut[value], labels, axes) for value in values]
    return found


def _cut(chosen: xr.Dataset, value: str, axes: Axes) -> xr.Dataset:
    at = best_index(chosen[value]) or dict.fromkeys(map(str, chosen[value].dims), 0)
    taken = {axis.dim for axis in axes}
    return chosen.isel({dim: i for dim, i in at.items() if dim not in taken})


def _state(array: xr.DataArray, labels: tuple[str, ...], axes: Axes) -> State:
    x, y = axes
    ordered = array.transpose(y.dim, x.dim)[{y.dim: y.order, x.dim: x.order}]
    z = ordered.values.astype(np.float64)
    name = str(array.name)
    larger = array.attrs.get("best") == "largest"
    levels = contour_levels(z, larger_is_better=larger)
    return State(name, labels, z, _best(z, far_from_best(ordered), axes), trace(x.values, y.values, z, levels), larger)


def _best(z: FloatArray, far: FloatArray, axes: Axes) -> tuple[float, float, float]:
    row, column = np.unravel_index(int(far.argmin()), z.shape)
    if not np.isfinite(far[row, column]):
        return np.nan, np.nan, np.nan
    x = axes[0].values[column] if (z[row] != z[row, column]).any() else np.nan
    y = axes[1].values[row] if (z[:, column] != z[row, column]).any() else np.nan
    return float(x), float(y), float(z[row, column])
