"""Cards of a landmark cube: the measured landmarks by name and over the acceleration, and a table of all."""

from typing import Any

import numpy as np
import xarray as xr

from sigcube.explore import style
from sigcube.explore.page import Card, CardTable

__all__ = ["landmark_cards"]

_COLOURS = (*style.LINES, "#f0e442", "#999999", "#8c510a")


def landmark_cards(cube: xr.Dataset) -> list[Card]:
    """Return a dot plot of observed over Newtonian values, the same over the acceleration, and a table of all."""
    from bokeh.models import ColumnDataSource

    text = "What Newtonian gravity predicts, and what is observed."
    every = Card("All landmarks", text, table=_table(cube), full=True)
    data = _measured(cube)
    if not len(data["name"]):
        return [every]
    known = f"{len(data['name'])} of {cube.sizes['landmark']} landmarks have a measurement"
    source, title = ColumnDataSource(data), style.mark_synthetic("observed / Newtonian", cube)
    return [
        Card(
            "Observed over Newtonian",
            f"By name, the weakest acceleration on top; on the dashed line Newtonian gravity suffices. {known}.",
            [_by_name(source, title)],
            wide=True,
        ),
        Card(
            "Over the acceleration",
            "Colours are the tests. A velocity goes with the root of an acceleration, so its excess looks smaller.",
            [_over_acceleration(source, title)],
        ),
        every,
    ]


def _measured(cube: xr.Dataset) -> dict[str, Any]:
    """Return a column for each quantity, over the landmarks that were observed, by falling acceleration."""
    if "observed" not in cube:
        return {"name": []}
    ratio = cube["observed"].values / cube["newton"].values
    error = cube["e_observed"].values / cube["newton"].values if "e_observed" in cube else np.full(ratio.shape, np.nan)
    kept = np.flatnonzero(np.isfinite(ratio) & (ratio > 0))
    kept = kept[np.argsort(-cube["g_bar"].values[kept], kind="stable")]
    groups = [str(each) for each in cube["group"].values]
    colours = {group: _COLOURS[i % len(_COLOURS)] for i, group in enumerate(dict.fromkeys(groups[i] for i in kept))}
    return {
        "name": [str(cube["landmark"].values[i]) for i in kept],
        "row": np.arange(kept.size),
        "ratio": ratio[kept],
        "low": np.where(error[kept] < ratio[kept], ratio[kept] - error[kept], np.nan),
        "high": ratio[kept] + error[kept],
        "g_bar": cube["g_bar"].values[kept],
        "group": [groups[i].replace("_", " ") for i in kept],
        "colour": [colours[groups[i]] for i in kept],
        "quantity": [str(cube["quantity"].values[i]) for i in kept],
    }


def _by_name(source: Any, title: str) -> Any:
    names = list(source.data["name"])
    plot = style.figure_by_name(names, x_axis_type="log", x_axis_label=title, x_range=_span(source))
    plot.ygrid.grid_line_dash = "dotted"
    style.plain_ticks(plot.xaxis[0])
    _draw(plot, source, ("ratio", "row"), bars=("low", "row", "high", "row"), one="height")
    return plot


def _over_acceleration(source: Any, title: str) -> Any:
    plot = style.figure(
        # As tall as its neighbour, and tall enough for the legend.
        height=90 + 26 * max(14, len(source.data["name"])),
        x_axis_type="log",
        y_axis_type="log",
        x_axis_label="g of the baryons [m/s²]",
        y_axis_label=title,
        y_range=_span(source),
    )
    style.plain_ticks(plot.yaxis[0])
    _draw(plot, source, ("g_bar", "ratio"), bars=("g_bar", "low", "g_bar", "high"), one="width", legend_field="group")
    style.legend_above(plot)
    style.power_ticks(plot.xaxis[0], source.data["g_bar"].min(), source.data["g_bar"].max(), most=3)
    return plot


def _span(source: Any) -> tuple[float, float]:
    ends = np.concatenate([source.data[name] for name in ("ratio", "low", "high")])
    return float(np.nanmin([*ends, 1.0])) / 1.25, float(np.nanmax([*ends, 1.0])) * 1.25


def _draw(plot: Any, source: Any, at: tuple[str, str], *, bars: tuple[str, ...], one: str, **look: Any) -> None:
    """Draw dots with their error bars, and a dashed line at 1 over the ``height`` or the ``width`` of the figure."""
    from bokeh.models import Span

    plot.add_layout(Span(location=1.0, dimension=one, line_color=style.SOFT, line_dash="dashed", line_width=1.6))
    plot.segment(*bars, source=source, color="colour", line_width=2)
    dots = plot.scatter(*at, source=source, size=10, color="colour", line_color="#ffffff", **look)
    tooltips = [
        ("", "@name"),
        ("", "@quantity"),
        ("observed / Newtonian", "@ratio{0.00}"),
        ("g", "@g_bar{%.2e} m/s²"),
    ]
    style.hover(plot, dots, tooltips)


def _table(cube: xr.Dataset) -> CardTable:
    observed = cube["observed"].values if "observed" in cube else np.full(cube.sizes["landmark"], np.nan)
    rows = [
        (
            str(name),
            style.with_unit(str(cube["quantity"].values[i]), str(cube["unit"].values[i])),
            style.plain_number(float(cube["newton"].values[i])),
            style.plain_number(float(observed[i])) if np.isfinite(observed[i]) else "–",
            style.plain_number(float(cube["g_bar"].values[i])),
            str(cube["reference"].values[i]),
        )
        for i, name in enumerate(cube["landmark"].values)
    ]
    return CardTable(("landmark", "quantity", ">Newtonian", ">observed", ">g [m/s²]", "reference"), rows)
