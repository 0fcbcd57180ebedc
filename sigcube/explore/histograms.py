"""The card of any cube without figures of its own: how the values of a variable are distributed."""

from collections.abc import Iterable
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import kind_of
from sigcube.explore import style
from sigcube.explore.page import Card

__all__ = ["histogram", "histogram_cards", "what_is_cut"]

_HEIGHT = 440
_FEWEST_BINS, _MOST_BINS = 5, 40
# Of fewer values, a hundredth is none.
_CUT = 200


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
    titles = [style.shorten(style.with_unit(name, style.unit_of(cube[name])), style.FITS) for name in bars]
    meanings = [style.value_title(cube[name]) for name in bars]
    shown = {group: ColumnDataSource(each) for group, each in next(iter(bars.values())).items()}
    plot = style.figure(height=_HEIGHT, x_axis_label=titles[0], y_axis_label="share of the group in a bin [%]")
    plot.y_range.start = 0
    for colour, (group, source) in zip(style.LINES, shown.items(), strict=False):
        look = {"fill_color": colour, "fill_alpha": 0.35, "line_color": colour, "legend_label": group}
        plot.quad(left="left", right="right", bottom=0, top="top", source=source, **look)
    style.legend_above(plot)
    choice, line = style.menu(list(bars)), style.text_line(meanings[0])
    code = """
      const i = Number(cb_obj.value);
      shown.forEach((source, group) => { source.data = bars[i][group]; });
      axis.axis_label = titles[i];
      line.text = meanings[i];
    """
    every = [list(own.values()) for own in bars.values()]
    texts = {"axis": plot.xaxis[0], "titles": titles, "line": line, "meanings": meanings}
    style.on_change(choice, code=code, shown=list(shown.values()), bars=every, **texts)
    cut = what_is_cut(cube[name].values[kept] for name in bars)
    text = f"How the values are distributed, without those that carry a flag. {cut}"
    return [Card("Distributions", text.rstrip(), [plot], [("variable", choice)], line, full=True)]


def _groups(cube: xr.Dataset, kept: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which systems or points belong to each group, by its name and their number."""
    synthetic = ", synthetic" if cube.attrs["synthetic"] else ""
    groups = {"all": kept}
    if "counter_rotating" in cube:
        rotates = cube["counter_rotating"].values != 0
        groups = {"counter-rotating": kept & rotates, "others": kept & ~rotates}
    return {f"{name} ({int(own.sum()):,}{synthetic})": own for name, own in groups.items()}


def histogram(values: Any, every: Any, own: Any) -> dict[str, list[float]]:
    """Return the bars of a group [per cent of its finite values], in bins over all groups; see `what_is_cut`."""
    finite = every[np.isfinite(every)]
    low, high = np.percentile(finite, [0.5, 99.5] if finite.size >= _CUT else [0, 100])
    n_bins = min(_MOST_BINS, max(_FEWEST_BINS, ceil(sqrt(finite.size))))
    edges = np.linspace(low, high if high > low else low + (abs(low) or 1.0), n_bins + 1)
    counts = np.histogram(values[own], bins=edges)[0]
    shares = 100.0 * counts / max(1, np.isfinite(values[own]).sum())
    return {"left": edges[:-1].tolist(), "right": edges[1:].tolist(), "top": shares.tolist()}


def what_is_cut(arrays: Iterable[npt.NDArray[np.float64]]) -> str:
    """Say what the histograms of some arrays leave out; empty where that is nothing."""
    cut = any(int(np.isfinite(values).sum()) >= _CUT for values in arrays)
    return f"Of {_CUT} values or more, the outermost hundredth is left out." if cut else ""
