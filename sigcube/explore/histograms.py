"""The card of any cube without figures of its own: how the values of a variable are distributed."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import kind_of
from sigcube.explore import style
from sigcube.explore.page import Card

__all__ = ["histogram", "histogram_cards"]

_HEIGHT = 440
_BINS = 40


def histogram_cards(cube: xr.Dataset) -> list[Card]:
    """Return a card with the histogram, by group, of a variable that a menu chooses; nothing where all are flagged."""
    from bokeh.models import ColumnDataSource

    kind = kind_of(cube)
    flags = [cube[name].values for name in kind.flags if set(cube[name].dims) == set(kind.dims)]
    kept = np.logical_and.reduce([flag == 0 for flag in flags])
    groups = _groups(cube, kept)
    bars = {
        str(array.name): {group: histogram(array.values, array.values[kept], own) for group, own in groups.items()}
        for array in cube.data_vars.values()
        if array.dims == kind.dims and array.dtype.kind == "f" and np.isfinite(array.values[kept]).any()
    }
    if not bars:
        return []
    titles = [style.shorten(style.value_title(cube[name]), 44) for name in bars]
    shown = {group: ColumnDataSource(each) for group, each in next(iter(bars.values())).items()}
    plot = style.figure(height=_HEIGHT, x_axis_label=titles[0], y_axis_label="share of the group in a bin [%]")
    plot.y_range.start = 0
    for colour, (group, source) in zip(style.LINES, shown.items(), strict=False):
        look = {"fill_color": colour, "fill_alpha": 0.35, "line_color": colour, "legend_label": group}
        plot.quad(left="left", right="right", bottom=0, top="top", source=source, **look)
    style.legend_above(plot)
    choice = style.menu(list(bars))
    code = """
      const i = Number(cb_obj.value);
      shown.forEach((source, group) => { source.data = bars[i][group]; });
      axis.axis_label = titles[i];
    """
    every = [list(own.values()) for own in bars.values()]
    style.on_change(choice, code=code, shown=list(shown.values()), bars=every, axis=plot.xaxis[0], titles=titles)
    text = "How the values are distributed, without those that carry a flag."
    return [Card("Distributions", text, [plot], [("variable", choice)], full=True)]


def _groups(cube: xr.Dataset, kept: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which systems or points belong to each group, by its name and their number."""
    synthetic = ", synthetic" if cube.attrs["synthetic"] else ""
    groups = {"all": kept}
    if "counter_rotating" in cube:
        rotates = cube["counter_rotating"].values != 0
        groups = {"counter-rotating": kept & rotates, "others": kept & ~rotates}
    return {f"{name} ({int(own.sum()):,}{synthetic})": own for name, own in groups.items()}


def histogram(values: Any, every: Any, own: Any) -> dict[str, list[float]]:
    """Return the bars of a group [per cent of its finite values], in bins that hold 99 per cent of every group."""
    low, high = np.percentile(every[np.isfinite(every)], [0.5, 99.5])
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    counts = np.histogram(values[own], bins=edges)[0]
    shares = 100.0 * counts / max(1, np.isfinite(values[own]).sum())
    return {"left": edges[:-1].tolist(), "right": edges[1:].tolist(), "top": shares.tolist()}
