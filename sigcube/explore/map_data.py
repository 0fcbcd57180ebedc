"""What a map shows: its two axes, and a slice of the result with contours for each summary and choice of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, far_from_best, summaries
from sigcube.errors import SpecError, did_you_mean
from sigcube.explore import style

__all__ = [
    "N_LEVELS",
    "MapAxes",
    "MapAxis",
    "MapSlice",
    "contour_levels",
    "label_axes",
    "map_slices",
    "pick_axes",
    "trace_contours",
]

FloatArray = npt.NDArray[np.float64]
#: x and y.
MapAxes = tuple["MapAxis", "MapAxis"]

#: How much worse than the best value the contours are [per cent].
STEPS = (2, 5, 10, 25, 50, 100, 200)
#: Every slice has this many contours, some of them empty, so that all slices can share one figure.
N_LEVELS = len(STEPS)

# Along an axis that is not evenly spaced.
_PIXELS = 400


@dataclass(frozen=True)
class MapAxis:
    """One axis of a map."""

    #: The coordinate of the result, and its dimension.
    name: str
    dim: str
    #: What tooltips say, and what the axis says.
    symbol: str
    title: str
    #: Indices that sort the coordinate, and the sorted values.
    order: npt.NDArray[np.int64]
    values: FloatArray
    #: How they are spaced, ``linear`` or ``log``, and the outer edges of the first and the last cell.
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
class MapSlice:
    """One summary over both axes, under one choice of labels, at the best point of all other axes."""

    #: The name of the summary.
    value: str
    #: The label on each axis that `label_axes` names.
    labels: tuple[str, ...]
    #: Its values, shape ``(y.values.size, x.values.size)``.
    z: FloatArray
    #: x and y of the best point; NaN for an axis along which all values are equal, and where none is finite.
    best: tuple[float, float]
    #: Lines of equal value, see `trace_contours`.
    contours: Mapping[str, list[Any]]
    larger_is_better: bool

    @property
    def key(self) -> str:
        """A name that no other slice of the map has."""
        return "|".join((self.value, *self.labels))

    def profile(self, axis: int) -> FloatArray:
        """Return the best value along an axis of `z`, for each place of the other one."""
        sign = -1.0 if self.larger_is_better else 1.0
        best = np.where(np.isfinite(self.z), sign * self.z, np.inf).min(axis=axis)
        return np.where(np.isfinite(best), sign * best, np.nan)


def pick_axes(result: xr.Dataset, x: str, y: str) -> MapAxes:
    """Find the axes of a map; refuse a name that is no numeric axis, or two axes that share a dimension."""
    axes = _pick_axis(result, "x", x), _pick_axis(result, "y", y)
    if axes[0].dim == axes[1].dim:
        raise SpecError(
            "a map needs two axes that vary on their own", where="y", found=f"{x} and {y} along {axes[0].dim}"
        )
    return axes


def _pick_axis(result: xr.Dataset, side: str, name: str) -> MapAxis:
    numeric = [str(n) for n, c in result.coords.items() if c.ndim == 1 and c.dtype.kind in "iuf" and c.size > 1]
    if name not in numeric:
        raise SpecError(f"{name!r} is not a numeric axis of this result", where=side, hint=did_you_mean(name, numeric))
    coord = result[name]
    order = np.argsort(coord.values, kind="stable")
    values = coord.values[order].astype(np.float64)
    symbol, meaning = coord.attrs.get("symbol", name), coord.attrs.get("long_name", "")
    explained = f"{symbol}  ({meaning})" if meaning and meaning != symbol else symbol
    title = style.with_unit(explained, coord.attrs.get("units", ""))
    return MapAxis(name, str(coord.dims[0]), symbol, title, order, values, *_edges(values))


def _edges(values: FloatArray) -> tuple[str, float, float]:
    """Return how an axis is spaced, and the outer edges of its first and last cell.

    Examples
    --------
    >>> _edges(np.array([1.0, 2.0, 3.0]))
    ('linear', 0.5, 3.5)
    >>> scale, low, high = _edges(np.array([1.0, 10.0, 100.0]))
    >>> scale, round(low, 4), round(high, 4)
    ('log', 0.3162, 316.2278)
    """
    ratio_spaced = bool((values > 0).all()) and np.allclose(np.diff(np.log(values)), np.log(values[1] / values[0]))
    if ratio_spaced and not np.allclose(np.diff(values), values[1] - values[0]):
        step = np.sqrt(values[1] / values[0])
        return "log", float(values[0] / step), float(values[-1] * step)
    first, last = (values[1] - values[0]) / 2, (values[-1] - values[-2]) / 2
    return "linear", float(values[0] - first), float(values[-1] + last)


def label_axes(result: xr.Dataset, axes: MapAxes) -> list[str]:
    """Name an axis of labels for each dimension, besides those of the map, that has one."""
    dims = {str(dim) for dim in result["status"].dims} - {axis.dim for axis in axes}
    found: dict[str, str] = {}
    for name, coord in result.coords.items():
        if coord.ndim == 1 and coord.size > 1 and coord.dims[0] in dims and coord.dtype.kind not in "iuf":
            found.setdefault(str(coord.dims[0]), str(name))
    return list(found.values())


def map_slices(result: xr.Dataset, value: str, axes: MapAxes) -> list[MapSlice]:
    """Return a slice for each choice of labels and each summary that a map can show, the wanted summary first.

    Under each choice of labels all slices go through the best point of the wanted summary.
    """
    map_dims = {axis.dim for axis in axes}
    there = [name for name in summaries(result) if map_dims <= set(map(str, result[name].dims))]
    if value not in there:
        raise SpecError(f"{value!r} is not a summary over these axes", where="value", hint=did_you_mean(value, there))
    values = [value, *(name for name in there if name != value)]
    names = label_axes(result, axes)
    found = []
    for place in product(*(range(result[name].size) for name in names)):
        chosen = result.isel({str(result[name].dims[0]): i for name, i in zip(names, place, strict=True)})
        labels = tuple(str(chosen[name].item()) for name in names)
        best = best_index(chosen[value]) or dict.fromkeys(map(str, chosen[value].dims), 0)
        cut = chosen.isel({dim: i for dim, i in best.items() if dim not in map_dims})
        found += [_slice(cut[name], labels, axes) for name in values]
    return found


def _slice(array: xr.DataArray, labels: tuple[str, ...], axes: MapAxes) -> MapSlice:
    x, y = axes
    ordered = array.transpose(y.dim, x.dim)[{y.dim: y.order, x.dim: x.order}]
    z = ordered.values.astype(np.float64)
    far = far_from_best(ordered)
    row, column = np.unravel_index(int(far.argmin()), z.shape)
    best = np.nan, np.nan
    if np.isfinite(far[row, column]):
        best = (
            float(x.values[column]) if (z[row] != z[row, column]).any() else np.nan,
            float(y.values[row]) if (z[:, column] != z[row, column]).any() else np.nan,
        )
    larger_is_better = array.attrs.get("best") == "largest"
    return MapSlice(
        value=str(array.name),
        labels=labels,
        z=z,
        best=best,
        contours=trace_contours(x.values, y.values, z, contour_levels(z, larger_is_better=larger_is_better)),
        larger_is_better=larger_is_better,
    )


def contour_levels(z: FloatArray, *, larger_is_better: bool) -> list[tuple[float, str]]:
    """Choose levels and their texts: per cent above the smallest value, or tenths where larger is better.

    Examples
    --------
    >>> contour_levels(np.array([[10.0, 12.0]]), larger_is_better=False)[:2]
    [(10.2, '+2 %'), (10.5, '+5 %')]
    >>> contour_levels(np.array([[0.1, 0.37]]), larger_is_better=True)
    [(0.2, '0.2'), (0.3, '0.3')]
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return []
    low, high = float(finite.min()), float(finite.max())
    if larger_is_better:
        return [(level / 10, f"{level / 10:g}") for level in range(1, 10) if low < level / 10 < high][-N_LEVELS:]
    if low <= 0:
        return []
    return [(low * (1 + step / 100), f"+{step} %") for step in STEPS if low * (1 + step / 100) < high]


def trace_contours(
    x: FloatArray, y: FloatArray, z: FloatArray, levels: Sequence[tuple[float, str]]
) -> dict[str, list[Any]]:
    """Find the lines at which ``z``, shape ``(y.size, x.size)``, has the levels; each level comes with its text.

    Returns columns of `N_LEVELS` rows: ``xs`` and ``ys`` of the lines, whose pieces are separated by NaN; ``text``, and
    the place ``x`` and ``y`` where it stands.
    """
    from contourpy import contour_generator

    # The type of the lines depends on an option of the generator.
    generator: Any = contour_generator(x, y, np.ma.masked_invalid(z))
    pieces: list[list[FloatArray]] = [generator.lines(level) for level, _ in levels]
    pieces += [[] for _ in range(N_LEVELS - len(levels))]
    lines, places = [_joined(parts) for parts in pieces], [_text_place(parts, x, y) for parts in pieces]
    return {
        "xs": [line[:, 0] for line in lines],
        "ys": [line[:, 1] for line in lines],
        "text": [text for _, text in levels] + [""] * (N_LEVELS - len(levels)),
        "x": [place[0] for place in places],
        "y": [place[1] for place in places],
    }


def _joined(parts: list[FloatArray]) -> FloatArray:
    gap = np.full((1, 2), np.nan)
    whole = [piece for part in parts for piece in (part, gap)]
    return np.concatenate(whole[:-1]) if whole else np.empty((0, 2))


def _text_place(parts: list[FloatArray], x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return the middle of that part of the longest line which is away from the rim."""
    if not parts:
        return np.nan, np.nan
    longest = max(parts, key=len)
    inside = longest[
        (longest[:, 0] > x[0] + 0.05 * np.ptp(x))
        & (longest[:, 0] < x[-1] - 0.05 * np.ptp(x))
        & (longest[:, 1] > y[0] + 0.04 * np.ptp(y))
        & (longest[:, 1] < y[-1] - 0.04 * np.ptp(y))
    ]
    if not len(inside):
        return np.nan, np.nan
    middle = inside[len(inside) // 2]
    return float(middle[0]), float(middle[1])
