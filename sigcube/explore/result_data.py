"""The data of a result's page: its axes, the part of its values that the page holds, and slices of a map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, default_summary, far_from_best, summaries
from sigcube.analysis.lacking import first_with_values
from sigcube.errors import SpecError, did_you_mean
from sigcube.explore import style
from sigcube.explore.contours import contour_levels, trace_contours
from sigcube.wording import number, pretty_unit

__all__ = ["ResultAxis", "ResultView", "Slice", "compact", "cut_slice", "cut_slices", "thin", "view", "whole_axes"]

FloatArray = npt.NDArray[np.float64]

# Along an axis that is not evenly spaced.
_PIXELS = 400
# A page that holds more numbers is slow to open. It then holds fewer values of each axis, down to the floors below, one
# after the other: of sliders, of the two axes of the map, of labels; and fewer summaries.
_MOST_VALUES = 2**21
_MOST_ALONG_A_FIGURE = 250
_FLOORS = (
    *(("slider", 7), ("summary", 3), ("figure", 60), ("slider", 3), ("summary", 1)),
    *(("figure", 24), ("slider", 1), ("label", 1)),
)


@dataclass(frozen=True)
class ResultAxis:
    """One dimension of a result, under the name of one of its coordinates."""

    name: str
    dim: str
    #: What a figure says.
    title: str
    #: ``label``; or ``figure`` or ``slider`` for numbers.
    use: str
    #: Indices of what the page holds, in the order of the values; how many there are in the result.
    kept: npt.NDArray[np.int64]
    size: int
    #: The values held, and their texts with the unit; labels are numbered.
    values: FloatArray
    texts: tuple[str, ...]
    #: How they are spaced, ``linear`` or ``log``, and the outer edges of the first and the last cell.
    scale: str = "linear"
    low: float = 0.0
    high: float = 0.0

    def nearest(self, value: float) -> int:
        """Return the index of the value nearest to another, by ratios on a logarithmic axis."""
        values, at = (np.log(self.values), np.log(value)) if self.scale == "log" else (self.values, value)
        return int(np.abs(values - at).argmin())

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """Index of the value that each pixel shows: one pixel a value where these are evenly spaced."""
        steps = np.diff(np.log(self.values) if self.scale == "log" else self.values)
        if _all_alike(steps):
            return np.arange(self.values.size)
        at = self.low + (np.arange(_PIXELS) + 0.5) * (self.high - self.low) / _PIXELS
        return np.searchsorted((self.values[1:] + self.values[:-1]) / 2, at)


@dataclass(frozen=True)
class ResultView:
    """The part of a result that a page holds."""

    #: Axes of labels, then those of sliders, then those of the figure: y and x, or x alone.
    axes: tuple[ResultAxis, ...]
    #: The values of each summary over the axes, the wanted summary first; the best point is among them.
    values: Mapping[str, FloatArray]
    #: The attributes of each summary.
    attrs: Mapping[str, Mapping[str, Any]]
    #: Index of the best point along each axis.
    best: tuple[int, ...]
    #: Index along each axis of the place at which the page opens.
    start: tuple[int, ...]
    #: Summaries that the page does not hold.
    left_out: tuple[str, ...]

    @property
    def labels(self) -> tuple[ResultAxis, ...]:
        """The axes of labels."""
        return tuple(axis for axis in self.axes if axis.use == "label")

    @property
    def sliders(self) -> tuple[ResultAxis, ...]:
        """The axes of numbers that the figure does not show."""
        return tuple(axis for axis in self.axes if axis.use == "slider")

    @property
    def figure(self) -> tuple[ResultAxis, ...]:
        """The axes of the figure: y and x, x alone, or none."""
        return tuple(axis for axis in self.axes if axis.use == "figure")

    def place_of(self, axes: Sequence[ResultAxis]) -> int:
        """Return the number of the first place among all of some axes."""
        at = [self.start[self.axes.index(axis)] for axis in axes]
        return int(np.ravel_multi_index(at, [axis.values.size for axis in axes])) if axes else 0

    def far_from_best(self, name: str, values: FloatArray) -> FloatArray:
        """Return how far values of a summary are from the best; see `sigcube.analysis.best.far_from_best`."""
        return far_from_best(xr.DataArray(values, attrs=self.attrs[name]))

    def profiles(self, axis: ResultAxis) -> FloatArray:
        """Return the best value at each place of an axis of numbers when all other such axes are free.

        The shape is (summaries, combinations of labels, places).
        """
        n_labels = prod(each.values.size for each in self.labels)
        at = self.axes.index(axis) - len(self.axes)
        found = []
        for name, values in self.values.items():
            lines = np.moveaxis(values, at, -1).reshape(n_labels, -1, axis.values.size)
            far = self.far_from_best(name, lines)
            best = np.take_along_axis(lines, far.argmin(axis=1)[:, np.newaxis], axis=1)[:, 0]
            found.append(np.where(np.isfinite(far.min(axis=1)), best, np.nan))
        return np.array(found)


@dataclass(frozen=True)
class Slice:
    """One summary over both axes of a map, at one place of all others."""

    #: Its values, shape ``(y.values.size, x.values.size)``.
    z: FloatArray
    #: x and y of the best point; NaN for an axis along which all values are equal, and where none is finite.
    best: tuple[float, float]
    #: Lines of equal value, see `trace_contours`.
    contours: Mapping[str, list[Any]]


def view(
    result: xr.Dataset, *, x: str | None, y: str | None, value: str | None, start: Mapping[str, Any] | None = None
) -> ResultView:
    """Choose what a page of a result holds, in bounded size whatever the size of the grid.

    The figure has the numeric axes ``x`` and ``y``, or those with most values; it has one where there is only one, and
    none for labels alone. It opens at the values and labels of ``start``, or the nearest that it holds; on other
    axes at the best point.

    Raises
    ------
    SpecError
        For a name that is not a numeric axis or not a summary; or two axes that vary together.
    """
    sizes = {str(dim): n for dim, n in result["status"].sizes.items() if n > 1}
    there = [name for name in summaries(result) if set(sizes) <= set(map(str, result[name].dims))]
    if not there or not result["status"].size:
        raise SpecError(
            "this result has no summary over its axes", where="result", found=", ".join(map(str, result.data_vars))
        )
    first = default_summary(result[[*there, "status"]])
    value = value or first_with_values(result, [first, *(name for name in there if name != first)])
    if value not in there:
        raise SpecError(f"{value!r} is not a summary over these axes", where="value", hint=did_you_mean(value, there))
    result = result[[value, *(name for name in there if name != value), "status"]].squeeze()
    axes = _uses([_axis(result, dim, (x, y)) for dim in sizes], x, y, result)
    at = best_index(result[value]) or dict.fromkeys(sizes, 0)
    lengths = _fit({"": len(there), **{axis.dim: axis.size for axis in axes}}, {axis.dim: axis.use for axis in axes})
    axes = [thin(axis, lengths[axis.dim], at[axis.dim]) for axis in axes]
    names = [value, *(name for name in there if name != value)]
    kept = {axis.dim: _as_slice(axis.kept) for axis in axes}
    dims = [axis.dim for axis in axes]
    best = tuple(int(np.flatnonzero(axis.kept == at[axis.dim])[0]) for axis in axes)
    return ResultView(
        axes=tuple(axes),
        values={n: result[n].isel(kept).transpose(*dims).values.astype(np.float64) for n in names[: lengths[""]]},
        attrs={n: result[n].attrs for n in names},
        best=best,
        start=tuple(_start(axis, i, (start or {}).get(axis.name)) for axis, i in zip(axes, best, strict=True)),
        left_out=tuple(names[lengths[""] :]),
    )


def _start(axis: ResultAxis, best: int, wanted: Any) -> int:
    """Return the index of a wanted value or label, or of the best point."""
    if axis.use == "label":
        return axis.texts.index(wanted) if wanted in axis.texts else best
    return best if wanted is None else axis.nearest(float(wanted))


def whole_axes(result: xr.Dataset) -> tuple[ResultAxis, ...]:
    """Return the axes along which a result varies, with all their values: those of labels, then those of numbers."""
    sizes = [str(dim) for dim, n in result["status"].sizes.items() if n > 1]
    axes = [thin(_axis(result.squeeze(), dim, ()), result.sizes[dim], 0) for dim in sizes]
    return tuple(sorted(axes, key=lambda axis: axis.use != "label"))


def _axis(result: xr.Dataset, dim: str, wanted: Sequence[str | None]) -> ResultAxis:
    """Name a dimension after one of its coordinates: the wanted one, or labels, or numbers."""
    size = result.sizes[dim]
    own = [str(name) for name, coord in result.coords.items() if coord.dims == (dim,)]
    ranked = sorted(own, key=lambda name: (name not in wanted, _is_numeric(result[name]), name != dim))
    name = ranked[0] if ranked else dim
    coord = result[name] if ranked else xr.DataArray(np.arange(size), dims=dim, name=dim)
    numeric = _is_numeric(coord)
    values = coord.values.astype(np.float64) if numeric else np.arange(size, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    unit = style.unit_of(coord)
    texts = _texts(values, unit) if numeric else [str(each) for each in coord.values]
    for other in ranked[1:]:
        # Axes that share a dimension vary together.
        texts = [f"{text} ({other} = {number(each)})" for text, each in zip(texts, result[other].values, strict=True)]
    meaning = str(coord.attrs.get("long_name", name))
    title = style.with_unit(name if meaning == name else f"{name}  ({meaning})", unit)
    return ResultAxis(
        name=name,
        dim=dim,
        title=title if len(title) <= style.FITS else style.fitted(name, unit, style.FITS),
        use="slider" if numeric else "label",
        kept=order,
        size=size,
        values=values[order],
        texts=tuple(texts[i] for i in order),
    )


def _is_numeric(coord: xr.DataArray) -> bool:
    """Whether a coordinate can be an axis of a figure: different finite numbers."""
    return coord.dtype.kind in "iuf" and bool(np.isfinite(coord).all()) and np.unique(coord).size == coord.size > 1


def _texts(values: FloatArray, unit: str) -> list[str]:
    """Write numbers with as many digits as tell them apart."""
    for digits in (4, 6, 9, 17):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(texts):
            break
    return [f"{text} {pretty_unit(unit)}".rstrip() for text in texts]


def _uses(axes: Sequence[ResultAxis], x: str | None, y: str | None, result: xr.Dataset) -> list[ResultAxis]:
    """Return the axes in the order of a view; refuse an impossible figure."""
    numeric = {axis.name: axis for axis in axes if axis.use == "slider"}
    if x and y and x in result.coords and y in result.coords and result[x].dims == result[y].dims != ():
        raise SpecError(
            "a map needs two axes that vary on their own", where="y", found=f"{x} and {y} along {result[x].dims[0]}"
        )
    for side, name in (("x", x), ("y", y)):
        if name is not None and name not in numeric:
            dims = result["status"].dims
            there = [str(n) for n, c in result.coords.items() if c.ndim == 1 and c.dims[0] in dims and _is_numeric(c)]
            found = None if there else "labels alone"
            hint = did_you_mean(name, there) if there else None
            raise SpecError(f"{name!r} is not a numeric axis of this result", where=side, found=found, hint=hint)
    if y is not None and len(numeric) == 1:
        raise SpecError("this result has one numeric axis, which is horizontal", where="y", found=y, hint=f"--x {y}")
    free = sorted((name for name in numeric if name not in (x, y)), key=lambda name: -numeric[name].size)
    if x is None and y is None:
        # As the result has them.
        first = [name for name in numeric if name in free[:2]]
    else:
        first = [name or free[0] for name in (x, y)] if len(numeric) > 1 else [str(x)]
    shown = [replace(numeric[name], use="figure") for name in reversed(first)]
    others = [axis for axis in axes if axis.name not in first]
    return [*sorted(others, key=lambda axis: axis.use != "label"), *shown]


def _fit(lengths: Mapping[str, int], uses: Mapping[str, str]) -> dict[str, int]:
    """Say how many values of each axis a page can hold; that of summaries has no name.

    Examples
    --------
    >>> _fit({"": 2, "window": 4, "k": 10, "A": 200}, {"window": "label", "k": "slider", "A": "figure"})
    {'': 2, 'window': 4, 'k': 10, 'A': 200}
    >>> uses = {"window": "label", "g": "slider", "xi": "figure", "A": "figure"}
    >>> _fit({"": 5, "window": 4, "g": 500, "xi": 200, "A": 250}, uses)
    {'': 3, 'window': 4, 'g': 7, 'xi': 100, 'A': 125}
    """
    fitted = {name: min(n, _MOST_ALONG_A_FIGURE) if uses.get(name) == "figure" else n for name, n in lengths.items()}
    for use, floor in _FLOORS:
        while prod(fitted.values()) > _MOST_VALUES:
            own = [name for name, n in fitted.items() if uses.get(name, "summary") == use and n > floor]
            if not own:
                break
            longest = max(own, key=lambda name: fitted[name])
            fitted[longest] = max(floor, ceil(fitted[longest] / 2))
    return fitted


def _as_slice(kept: npt.NDArray[np.int64]) -> Any:
    """Return indices as a slice if they are one, which is read faster."""
    step = int(kept[1] - kept[0]) if kept.size > 1 else 1
    if step > 0 and (np.diff(kept) == step).all():
        return slice(int(kept[0]), int(kept[-1]) + 1, step)
    return kept


def thin(axis: ResultAxis, most: int, best: int) -> ResultAxis:
    """Keep every n-th value of an axis, at most so many, that with the index of the best point among them."""
    step = ceil(axis.size / most)
    places = np.arange(int(np.flatnonzero(axis.kept == best)[0]) % step, axis.size, step)
    values = axis.values[places]
    texts = tuple(axis.texts[place] for place in places)
    scale, low, high = _edges(values) if axis.use != "label" and places.size > 1 else ("linear", 0.0, 0.0)
    return replace(axis, kept=axis.kept[places], values=values, texts=texts, scale=scale, low=low, high=high)


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
    ratio_spaced = bool((values > 0).all()) and _all_alike(np.diff(np.log(values)))
    if ratio_spaced and not _all_alike(np.diff(values)):
        step = np.sqrt(values[1] / values[0])
        return "log", float(values[0] / step), float(values[-1] * step)
    first, last = (values[1] - values[0]) / 2, (values[-1] - values[-2]) / 2
    return "linear", float(values[0] - first), float(values[-1] + last)


def _all_alike(steps: FloatArray) -> bool:
    """Whether steps are equal but for rounding, however small: accelerations are of 1e-10 m/s²."""
    return np.allclose(steps, steps[0], atol=0.0)


def cut_slices(shown: ResultView) -> list[Slice]:
    """Return the slices of a map: for each summary, and each place of the axes besides x and y, in their order."""
    y, x = shown.figure
    return [
        cut_slice(values[place], x.values, y.values, shown.attrs[name])
        for name, values in shown.values.items()
        for place in product(*(range(axis.values.size) for axis in shown.axes[:-2]))
    ]


def cut_slice(z: FloatArray, x: FloatArray, y: FloatArray, attrs: Mapping[str, Any]) -> Slice:
    """Return a slice of a summary with these attributes: its values, its best point, and its contours."""
    far = far_from_best(xr.DataArray(z, attrs=attrs))
    row, column = np.unravel_index(int(far.argmin()), z.shape)
    best = np.nan, np.nan
    if np.isfinite(far[row, column]):
        best = (
            float(x[column]) if (z[row] != z[row, column]).any() else np.nan,
            float(y[row]) if (z[:, column] != z[row, column]).any() else np.nan,
        )
    levels = contour_levels(z, best=str(attrs.get("best", "smallest")))
    lines = trace_contours(x, y, z, levels)
    return Slice(z, best, {**lines, **{side: [compact(line) for line in lines[side]] for side in ("xs", "ys")}})


def compact(values: FloatArray) -> npt.NDArray[Any]:
    """Return values as 4-byte floats, which is enough for a figure, unless one is too large."""
    largest = np.abs(values, where=np.isfinite(values), out=np.zeros(values.shape)).max(initial=0.0)
    return values.astype(np.float32) if largest < np.finfo(np.float32).max else values
