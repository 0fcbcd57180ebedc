"""Panels of a landmark cube: every test that has a measurement by name, and all of them over the acceleration."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.explore.page import Card, CardTable
from sigcube.explore.style import (
    INK,
    LINES,
    SOFT,
    figure,
    legend_above,
    plain_number,
    plain_ticks,
    power_ticks,
    pretty_unit,
)

__all__ = ["landmark_cards"]

FloatArray = npt.NDArray[np.float64]

_ROW = 26
_COLOURS = (*LINES, "#f0e442", "#999999", "#8c510a")


def landmark_cards(cube: xr.Dataset) -> list[Card]:
    """Return a dot plot of observed over Newtonian values, the same over the acceleration, and a table of all.

    Parameters
    ----------
    cube : xarray.Dataset
        A landmark cube.
    """
    from bokeh.models import ColumnDataSource

    data = _measured(cube)
    known = f"{len(data['name'])} of {cube.sizes['landmark']} landmarks have a measurement"
    cards = [
        Card(
            "All landmarks",
            "What Newtonian gravity predicts, and what is observed.",
            None,
            table=_table(cube),
            full=True,
        )
    ]
    if not len(data["name"]):
        return cards
    source = ColumnDataSource(data)
    said = " (synthetic)" if cube.attrs["synthetic"] else ""
    return [
        Card(
            "Observed over Newtonian",
            f"By name, the weakest acceleration on top; on the dashed line Newtonian gravity suffices. {known}.",
            _by_name(source, said),
            wide=True,
        ),
        Card(
            "Over the acceleration",
            "Colours are the tests. A velocity goes with the root of an acceleration, so its excess looks smaller.",
            _over_acceleration(source, said),
        ),
        *cards,
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
        "ratio": ratio[kept],
        "low": np.where(error[kept] < ratio[kept], ratio[kept] - error[kept], np.nan),
        "high": ratio[kept] + error[kept],
        "g_bar": cube["g_bar"].values[kept],
        "group": [groups[i].replace("_", " ") for i in kept],
        "colour": [colours[groups[i]] for i in kept],
        "quantity": [str(cube["quantity"].values[i]) for i in kept],
    }


def _span(source: Any) -> tuple[float, float]:
    ends = np.concatenate([source.data[name] for name in ("ratio", "low", "high")])
    return float(np.nanmin([*ends, 1.0])) / 1.25, float(np.nanmax([*ends, 1.0])) * 1.25


def _by_name(source: Any, said: str) -> Any:
    from bokeh.models import Span

    names = source.data["name"]
    plot = figure(
        height=90 + _ROW * len(names), y_range=list(names), x_range=_span(source), x_axis_type="log", tools=""
    )
    plot.xaxis.axis_label = f"observed / Newtonian{said}"
    plot.yaxis.major_label_text_color = INK
    plot.ygrid.grid_line_dash = "dotted"
    plain_ticks(plot.xaxis[0])
    plot.add_layout(Span(location=1.0, dimension="height", line_color=SOFT, line_dash="dashed", line_width=1.6))
    plot.segment("low", "name", "high", "name", source=source, color="colour", line_width=2)
    dots = plot.scatter("ratio", "name", source=source, size=10, color="colour", line_color="#ffffff")
    _hover(plot, dots)
    return plot


def _over_acceleration(source: Any, said: str) -> Any:
    from bokeh.models import Span

    plot = figure(
        height=90 + _ROW * max(14, len(source.data["name"])),
        x_axis_type="log",
        y_axis_type="log",
        y_range=_span(source),
        tools="",
    )
    plot.xaxis.axis_label, plot.yaxis.axis_label = "g of the baryons [m/s²]", f"observed / Newtonian{said}"
    plain_ticks(plot.yaxis[0])
    plot.add_layout(Span(location=1.0, dimension="width", line_color=SOFT, line_dash="dashed", line_width=1.6))
    plot.segment("g_bar", "low", "g_bar", "high", source=source, color="colour", line_width=2)
    dots = plot.scatter(
        "g_bar", "ratio", source=source, size=10, color="colour", line_color="#ffffff", legend_field="group"
    )
    legend_above(plot)
    for each in plot.legend:
        each.ncols, each.spacing, each.glyph_height, each.label_text_font_size = 2, 4, 16, "12.5px"
    power_ticks(plot.xaxis[0], source.data["g_bar"].min(), source.data["g_bar"].max(), narrow=True)
    _hover(plot, dots)
    return plot


def _hover(plot: Any, dots: Any) -> None:
    from bokeh.models import HoverTool

    said = [("", "@name"), ("", "@quantity"), ("observed / Newtonian", "@ratio{0.00}"), ("g", "@g_bar{0.00e+0} m/s²")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=said))


def _table(cube: xr.Dataset) -> CardTable:
    observed = cube["observed"].values if "observed" in cube else np.full(cube.sizes["landmark"], np.nan)
    rows = [
        (
            str(name),
            _with_unit(str(cube["quantity"].values[i]), pretty_unit(str(cube["unit"].values[i]))),
            plain_number(float(cube["newton"].values[i])),
            plain_number(float(observed[i])) if np.isfinite(observed[i]) else "–",
            plain_number(float(cube["g_bar"].values[i])),
            str(cube["reference"].values[i]),
        )
        for i, name in enumerate(cube["landmark"].values)
    ]
    return CardTable(("landmark", "quantity", ">Newtonian", ">observed", ">g [m/s²]", "reference"), rows)


def _with_unit(quantity: str, unit: str) -> str:
    return f"{quantity} [{unit}]" if unit else quantity
