"""Panels of a cluster cube: accelerations against each other, enclosed masses, and what is missing at each radius."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import COUNT
from sigcube.explore.page import Card
from sigcube.explore.style import INK, LINES, SOFT, figure, legend_above, plain_ticks, power_ticks
from sigcube.explore.widgets import menu, titled

__all__ = ["profile_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 470
_CHOSEN = "#ffb000"
_EVERY = "all clusters"


def profile_cards(cube: xr.Dataset) -> list[Card]:
    """Return cards with observed against baryonic accelerations and masses, and their ratio along the radius.

    Parameters
    ----------
    cube : xarray.Dataset
        A cluster cube.
    """
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS

    points = ColumnDataSource(_points(cube))
    names = [str(name) for name in cube["cluster"].values]
    chosen = ColumnDataSource({name: values[:0] for name, values in points.data.items()})
    choice = menu([_EVERY, *names])
    code = """
      const keep = [...points.data.cluster.keys()].filter((i) => points.data.cluster[i] === cb_obj.value);
      const data = {};
      for (const [name, values] of Object.entries(points.data)) data[name] = keep.map((i) => values[i]);
      chosen.data = data;
    """
    choice.js_on_change("value", CustomJS(args={"points": points, "chosen": chosen}, code=code))
    label = "measured (synthetic)" if cube.attrs["synthetic"] else "measured"
    titles = "g of the baryons [m/s²]", "observed g [m/s²]"
    forces = _against(points, chosen, "g_bar", "g_obs", titles, label)
    titles = "mass of the baryons [M☉]", "observed mass [M☉]"
    # As tall as its neighbour with the menu.
    masses = _against(points, chosen, "m_bar", "m_obs", titles, label, height=_HEIGHT + 62)
    return [
        Card(
            "Accelerations",
            "What is observed at each radius against what the baryons give; on the dashed line the two are equal.",
            column(titled("cluster", choice), forces, sizing_mode="stretch_width", spacing=8),
            wide=True,
        ),
        Card("Enclosed masses", "The same within each radius, as masses.", masses),
        _missing(cube, points, chosen, label),
    ]


def _missing(cube: xr.Dataset, points: Any, chosen: Any, label: str) -> Card:
    """Draw the ratio along the radius, or by name where every cluster has one radius."""
    title = "How much is missing"
    if int(cube[COUNT].max()) > 1:
        text = "Observed over baryonic acceleration along the radius; 1 needs nothing but the baryons."
        return Card(title, text, _ratio_plot(points, chosen, label), full=True)
    text = "Observed over baryonic acceleration of each cluster; 1 needs nothing but the baryons."
    return Card(title, text, _ratio_by_name(points, chosen, label), full=True)


def _points(cube: xr.Dataset) -> dict[str, Any]:
    """Return a column for each quantity, over the points of all clusters."""
    real = (cube["point_flag"].values & 1) == 0
    names = ("r", "g_bar", "g_obs", "m_bar", "m_obs")
    data: dict[str, Any] = {name: cube[name].values[real] for name in names}
    for name in ("g_bar", "g_obs", "m_bar", "m_obs"):
        low, high = _bounds(cube, name)
        data |= {f"{name}_low": low[real], f"{name}_high": high[real]}
    data["ratio"] = data["g_obs"] / data["g_bar"]
    systems = np.array([str(name) for name in cube["cluster"].values], dtype=object)
    data["cluster"] = np.broadcast_to(systems[:, np.newaxis], real.shape)[real]
    data["state"] = np.where(cube["point_flag"].values[real] == 0, "", "flagged")
    return data


def _bounds(cube: xr.Dataset, name: str) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the error bars: in the logarithm where the source has it so."""
    values: FloatArray = cube[name].values
    if f"e_log_{name}" in cube:
        factor = 10.0 ** cube[f"e_log_{name}"].values
        return values / factor, values * factor
    error = cube[f"e_{name}"].values if f"e_{name}" in cube else np.full(values.shape, np.nan)
    # On a logarithmic axis a bar cannot reach zero.
    return np.where(error < values, values - error, values * 0.1), values + error


def _lines(points: Mapping[str, Any]) -> dict[str, Any]:
    own = [points["cluster"] == name for name in dict.fromkeys(points["cluster"])]
    return {"xs": [points["r"][at] for at in own], "ys": [points["ratio"][at] for at in own]}


def _log_figure(height: int) -> Any:
    return figure(height=height, x_axis_type="log", y_axis_type="log", tools="")


def _against(
    points: Any, chosen: Any, x: str, y: str, titles: tuple[str, str], label: str, *, height: int = _HEIGHT
) -> Any:
    plot = _log_figure(height)
    x_title, y_title = titles
    plot.xaxis.axis_label, plot.yaxis.axis_label = x_title, y_title
    ends = np.concatenate([points.data[x], points.data[y]])
    ends = ends[np.isfinite(ends) & (ends > 0)]
    if ends.size:
        span = [float(ends.min()), float(ends.max())]
        power_ticks(plot.xaxis[0], *span, narrow=height > _HEIGHT)
        power_ticks(plot.yaxis[0], *span)
        plot.line(span, span, color=SOFT, line_dash="dashed", line_width=1.6, legend_label="equal")
    bars = {"source": points, "color": "#b8c0ca", "line_width": 1.1}
    plot.segment(f"{x}_low", y, f"{x}_high", y, **bars)
    plot.segment(x, f"{y}_low", x, f"{y}_high", **bars)
    _dots(plot, points, chosen, x, y, label, (x_title, y_title))
    legend_above(plot)
    return plot


def _ratio_by_name(points: Any, chosen: Any, label: str) -> Any:
    ratios, names = points.data["ratio"], points.data["cluster"]
    order = [str(names[i]) for i in np.argsort(ratios, kind="stable")]
    plot = figure(height=90 + 26 * len(order), y_range=order, tools="")
    plot.xaxis.axis_label = "observed g / g of the baryons"
    plot.yaxis.major_label_text_color = INK
    plot.x_range.start = 0
    _dots(plot, points, chosen, "ratio", "cluster", label, ("ratio", "cluster"))
    legend_above(plot)
    return plot


def _ratio_plot(points: Any, chosen: Any, label: str) -> Any:
    from bokeh.models import ColumnDataSource

    lines = ColumnDataSource(_lines(points.data))
    plot = _log_figure(380)
    plot.xaxis.axis_label, plot.yaxis.axis_label = "radius [kpc]", "observed g / g of the baryons"
    plain_ticks(plot.xaxis[0])
    plain_ticks(plot.yaxis[0], steps=(1, 2, 3, 5, 7))
    plot.multi_line("xs", "ys", source=lines, color=LINES[0], alpha=0.35, line_width=1.4)
    _dots(plot, points, chosen, "r", "ratio", label, ("radius [kpc]", "ratio"))
    legend_above(plot)
    return plot


def _dots(plot: Any, points: Any, chosen: Any, x: str, y: str, label: str, titles: tuple[str, str]) -> None:
    from bokeh.models import HoverTool

    dots = plot.scatter(
        x, y, source=points, size=8, color=LINES[0], alpha=0.7, line_color="#ffffff", legend_label=label
    )
    plot.scatter(x, y, source=chosen, size=12, fill_color=_CHOSEN, line_color=INK, line_width=1.4)
    said = [("", "@cluster @state"), ("radius", "@r{0.0} kpc")]
    if "ratio" in (x, y):
        said.append(("ratio", "@ratio{0.00}"))
    else:
        said += [(titles[0], f"@{x}{{0.00e+0}}"), (titles[1], f"@{y}{{0.00e+0}}")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=said))
