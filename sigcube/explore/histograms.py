"""Panels of any cube: how the values of a variable are spread, for two groups where the cube tells them apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import kind_of
from sigcube.explore.page import Card
from sigcube.explore.style import LINES, figure, legend_above, pretty_unit
from sigcube.explore.widgets import menu, titled

__all__ = ["histogram_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 440
_BINS = 40


def histogram_cards(cube: xr.Dataset) -> list[Card]:
    """Return a card with the histogram of a variable, which a menu chooses.

    Parameters
    ----------
    cube : xarray.Dataset
        A cube of any kind; two groups are drawn apart where it has ``counter_rotating``.
    """
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS

    groups = _groups(cube)
    states = {str(array.name): _bars(array, groups) for array in _numbers(cube)}
    first = next(iter(states))
    shown = {group: ColumnDataSource(states[first][group]) for group in groups}
    plot = figure(height=_HEIGHT, tools="")
    titles = {name: _title(cube[name]) for name in states}
    plot.xaxis.axis_label, plot.yaxis.axis_label = titles[first], "share of the group in a bin [%]"
    plot.y_range.start = 0
    for colour, (group, source) in zip(LINES, shown.items(), strict=False):
        plot.quad(
            left="left",
            right="right",
            bottom=0,
            top="top",
            source=source,
            fill_color=colour,
            fill_alpha=0.35,
            line_color=colour,
            legend_label=group,
        )
    legend_above(plot)
    choice = menu(list(states))
    code = """
      for (const [group, source] of Object.entries(shown)) source.data = states[cb_obj.value][group];
      axis.axis_label = titles[cb_obj.value];
    """
    plain = {
        name: {group: {k: v.tolist() for k, v in bars.items()} for group, bars in each.items()}
        for name, each in states.items()
    }
    args = {"shown": shown, "states": plain, "axis": plot.xaxis[0], "titles": titles}
    choice.js_on_change("value", CustomJS(args=args, code=code))
    text = "How the values are spread; without those that carry a flag."
    body = column(titled("variable", choice), plot, sizing_mode="stretch_width", spacing=8)
    return [Card("Distributions", text, body, full=True)]


def _unflagged(cube: xr.Dataset) -> Any:
    kind = kind_of(cube)
    flags = [cube[name].values for name in kind.flags if set(cube[name].dims) == set(kind.dims)]
    return np.logical_and.reduce([flag == 0 for flag in flags])


def _groups(cube: xr.Dataset) -> dict[str, Any]:
    """Return which systems or points belong to each group, by its name with their number."""
    kept = _unflagged(cube)
    said = ", synthetic" if cube.attrs["synthetic"] else ""
    if "counter_rotating" not in cube:
        return {f"all ({int(kept.sum()):,}{said})": kept}
    rotates = cube["counter_rotating"].values != 0
    parts = {"counter-rotating": kept & rotates, "others": kept & ~rotates}
    return {f"{name} ({int(part.sum()):,}{said})": part for name, part in parts.items()}


def _numbers(cube: xr.Dataset) -> list[xr.DataArray]:
    kind = kind_of(cube)
    return [
        array
        for array in cube.data_vars.values()
        if array.dims == kind.dims and array.dtype.kind == "f" and np.isfinite(array.values[_unflagged(cube)]).any()
    ]


def _bars(array: xr.DataArray, groups: Mapping[str, Any]) -> dict[str, dict[str, FloatArray]]:
    values = array.values
    finite = values[np.isfinite(values) & np.logical_or.reduce(list(groups.values()))]
    low, high = np.percentile(finite, [0.5, 99.5])
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    return {group: _shares(values[kept], edges) for group, kept in groups.items()}


def _shares(values: FloatArray, edges: FloatArray) -> dict[str, FloatArray]:
    counts = np.histogram(values, bins=edges)[0]
    return {"left": edges[:-1], "right": edges[1:], "top": 100.0 * counts / max(1, np.isfinite(values).sum())}


def _title(array: xr.DataArray) -> str:
    unit = pretty_unit(array.attrs["units"])
    return f"{array.attrs['long_name']} [{unit}]" if unit else str(array.attrs["long_name"])
