"""Cards of a cluster cube: accelerations against each other, enclosed masses, and what is missing at each radius."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import COUNT, flag_masks
from sigcube.explore import style
from sigcube.explore.page import Card

__all__ = ["profile_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 470
_EVERY = "all clusters"
_RATIO = "observed g / g of the baryons"


def profile_cards(cube: xr.Dataset) -> list[Card]:
    """Return cards with observed against baryonic accelerations and masses, and their ratio along the radius."""
    from bokeh.models import ColumnDataSource

    data = _points(cube)
    points, chosen = ColumnDataSource(data), ColumnDataSource({name: values[:0] for name, values in data.items()})
    names = [str(name) for name in cube["cluster"].values]
    choice = style.menu([_EVERY, *names])
    code = """
      const name = [null, ...names][Number(cb_obj.value)];
      const keep = [...points.data.cluster.keys()].filter((i) => points.data.cluster[i] === name);
      const data = {};
      for (const [name, values] of Object.entries(points.data)) data[name] = keep.map((i) => values[i]);
      chosen.data = data;
    """
    style.on_change(choice, code=code, points=points, chosen=chosen, names=names)
    sources = points, chosen, style.mark_synthetic("measured", cube)
    forces = _against(*sources, "g_bar", "g_obs", ("g of the baryons [m/s²]", "observed g [m/s²]"))
    titles = "mass of the baryons [M☉]", "observed mass [M☉]"
    masses = _against(*sources, "m_bar", "m_obs", titles, narrow=True)
    along = int(cube[COUNT].max()) > 1
    return [
        Card(
            "Accelerations",
            "What is observed at each radius against what the baryons give; on the dashed line the two are equal.",
            [forces],
            [("cluster", choice)],
            wide=True,
        ),
        Card("Enclosed masses", "The same within each radius, as masses.", [masses]),
        Card(
            "How much is missing",
            f"Observed over baryonic acceleration {'along the radius' if along else 'of each cluster'}; "
            "1 needs nothing but the baryons.",
            [_ratio_along_radius(*sources) if along else _ratio_by_name(*sources)],
            full=True,
        ),
    ]


def _points(cube: xr.Dataset) -> dict[str, Any]:
    """Return a column for each quantity, over the points of all clusters."""
    flag = cube["point_flag"].values
    real = (flag & flag_masks(cube["point_flag"])["padding"]) == 0
    data: dict[str, Any] = {name: cube[name].values[real] for name in ("r", "g_bar", "g_obs", "m_bar", "m_obs")}
    for name in ("g_bar", "g_obs", "m_bar", "m_obs"):
        low, high = _error_bars(cube, name)
        data |= {f"{name}_low": low[real], f"{name}_high": high[real]}
    data["ratio"] = data["g_obs"] / data["g_bar"]
    data["row"] = np.argsort(np.argsort(data["ratio"], kind="stable"))
    systems = np.array([str(name) for name in cube["cluster"].values], dtype=object)
    data["cluster"] = np.broadcast_to(systems[:, np.newaxis], real.shape)[real]
    data["state"] = np.where(flag[real] == 0, "", "flagged")
    return data


def _error_bars(cube: xr.Dataset, name: str) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the error bars, from errors in dex where the source gives them."""
    values: FloatArray = cube[name].values
    if f"e_log_{name}" in cube:
        factor = 10.0 ** cube[f"e_log_{name}"].values
        return values / factor, values * factor
    error = cube[f"e_{name}"].values if f"e_{name}" in cube else np.full(values.shape, np.nan)
    # On a logarithmic axis a bar cannot reach zero.
    return np.where(error < values, values - error, values * 0.1), values + error


def _against(
    points: Any, chosen: Any, label: str, x: str, y: str, titles: tuple[str, str], *, narrow: bool = False
) -> Any:
    plot = style.figure(
        # The narrow figure is as tall as its neighbour with the menu.
        height=_HEIGHT + (66 if narrow else 0),
        x_axis_type="log",
        y_axis_type="log",
        x_axis_label=titles[0],
        y_axis_label=titles[1],
    )
    ends = np.concatenate([points.data[x], points.data[y]])
    ends = ends[np.isfinite(ends) & (ends > 0)]
    equal = []
    if ends.size:
        span = [float(ends.min()), float(ends.max())]
        style.power_ticks(plot.xaxis[0], *span, most=3)
        style.power_ticks(plot.yaxis[0], *span)
        equal = [plot.line(span, span, color=style.SOFT, line_dash="dashed", line_width=1.6, legend_label="equal")]
    bars = {"source": points, "color": "#b8c0ca", "line_width": 1.1}
    plot.segment(f"{x}_low", y, f"{x}_high", y, **bars)
    plot.segment(x, f"{y}_low", x, f"{y}_high", **bars)
    tooltips = [(titles[0], f"@{x}{{%.2e}}"), (titles[1], f"@{y}{{%.2e}}")]
    dots = _draw_dots(plot, points, chosen, label, (x, y), tooltips)
    # Error bars may reach far beyond what is of interest.
    plot.x_range.renderers = plot.y_range.renderers = [dots, *equal]
    return plot


def _ratio_by_name(points: Any, chosen: Any, label: str) -> Any:
    order = np.argsort(points.data["ratio"], kind="stable")
    plot = style.figure_by_name([str(points.data["cluster"][i]) for i in order], x_axis_label=_RATIO)
    plot.x_range.start = 0
    _draw_dots(plot, points, chosen, label, ("ratio", "row"), [("ratio", "@ratio{0.00}")])
    return plot


def _ratio_along_radius(points: Any, chosen: Any, label: str) -> Any:
    from bokeh.models import ColumnDataSource

    plot = style.figure(
        height=380, x_axis_type="log", y_axis_type="log", x_axis_label="radius [kpc]", y_axis_label=_RATIO
    )
    style.plain_ticks(plot.xaxis[0])
    style.plain_ticks(plot.yaxis[0], steps=(1, 2, 3, 5, 7))
    own = [points.data["cluster"] == name for name in dict.fromkeys(points.data["cluster"])]
    lines = {"xs": [points.data["r"][at] for at in own], "ys": [points.data["ratio"][at] for at in own]}
    plot.multi_line("xs", "ys", source=ColumnDataSource(lines), color=style.LINES[0], alpha=0.35, line_width=1.4)
    _draw_dots(plot, points, chosen, label, ("r", "ratio"), [("ratio", "@ratio{0.00}")])
    return plot


def _draw_dots(
    plot: Any, points: Any, chosen: Any, label: str, at: tuple[str, str], tooltips: list[tuple[str, str]]
) -> Any:
    """Draw all points, which are returned, and those of the chosen cluster so that they stand out."""
    look = {"color": style.LINES[0], "alpha": 0.7, "line_color": "#ffffff", "legend_label": label}
    dots = plot.scatter(*at, source=points, size=8, **look)
    plot.scatter(*at, source=chosen, size=12, **style.MARKER)
    style.hover(plot, dots, [("", "@cluster @state"), ("radius", "@r{0.0} kpc"), *tooltips])
    style.legend_above(plot)
    return dots
