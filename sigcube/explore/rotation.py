"""Panels of a galaxy cube: any galaxy's rotation curve with its components, and all galaxies to choose from."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import COUNT
from sigcube.explore.page import Card
from sigcube.explore.script import script
from sigcube.explore.style import INK, LINES, SOFT, figure, legend_above, plain_number, plain_ticks, pretty_unit
from sigcube.explore.widgets import menu, titled
from sigcube.model.frames import FRAMES

__all__ = ["rotation_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 440
# More galaxies make a page that is slow to open: then it shows some, evenly spaced.
_MOST = 2000
_FLAGGED = "#e69f00"
# What each line shows: legend, column, colour, dashes, width.
_LINES = (
    ("baryons together", "v_bar", LINES[0], "solid", 2.6),
    ("gas", "v_gas", LINES[2], "dashed", 1.8),
    ("disc", "v_disk", LINES[1], "dashed", 1.8),
    ("bulge", "v_bul", LINES[3], "dashed", 1.8),
)
# What is told of a galaxy where the cube has it.
_FACTS = {
    "hubble_type": "Hubble type",
    "distance": "distance",
    "inclination": "inclination",
    "luminosity": "luminosity",
    "m_hi": "hydrogen",
    "quality": "quality",
}


def rotation_cards(cube: xr.Dataset) -> list[Card]:
    """Return a card with one galaxy's rotation curve, and one with all galaxies.

    Parameters
    ----------
    cube : xarray.Dataset
        A galaxy cube.
    """
    from bokeh.layouts import column, row
    from bokeh.models import ColumnDataSource, CustomJS, Div

    shown = cube.isel(galaxy=slice(None, None, -(-cube.sizes["galaxy"] // _MOST)))
    names, counts = [str(name) for name in shown["galaxy"].values], shown[COUNT].values
    packed, offsets, start = _packed(shown), [0, *np.cumsum(counts).tolist()], int(np.argmax(counts))
    first = slice(offsets[start], offsets[start + 1])
    curve = ColumnDataSource({name: values[first] for name, values in packed.items()}, name="curve")
    facts = [_facts(shown, i) for i in range(len(names))]
    line = Div(text=facts[start], styles={"color": SOFT, "font-size": "13px"}, sizing_mode="stretch_width", margin=0)
    choice = menu(names, start=start)
    overview = ColumnDataSource({**_overview(shown), "galaxy": names})
    overview.selected.indices = [start]
    args = {
        "all": ColumnDataSource(packed),
        "offsets": offsets,
        "curve": curve,
        "names": names,
        "line": line,
        "facts": facts,
        "selected": overview.selected,
    }
    choice.js_on_change("value", CustomJS(args=args, code=script("curve.js")))
    pick = "if (cb_obj.indices.length) menu.value = names[cb_obj.indices[0]];"
    overview.selected.js_on_change("indices", CustomJS(args={"menu": choice, "names": names}, code=pick))
    head = row(titled("galaxy", choice), line, sizing_mode="stretch_width", spacing=18, margin=(0, 0, 8, 0))
    body = column(head, _curve_plot(curve, _measured(cube)), sizing_mode="stretch_width")
    text = f"Measured velocities with their errors, and what gas and stars would give: {_ratios()}."
    if len(names) == 1:
        return [Card("Rotation curve", text, body, full=True)]
    return [
        Card("Rotation curves", text, body, wide=True),
        Card(
            "All galaxies" if len(names) == cube.sizes["galaxy"] else f"{len(names):,} of all galaxies",
            "How far out each was measured, and how fast it turns at most. Click to see one.",
            _overview_plot(overview),
        ),
    ]


def _measured(cube: xr.Dataset) -> str:
    return "measured (synthetic)" if cube.attrs["synthetic"] else "measured"


def _upsilons() -> tuple[float, float]:
    defaults = {parameter.name: parameter.value(PAPER) for parameter in FRAMES["galaxy"].parameters}
    return defaults["upsilon_disk"], defaults["upsilon_bulge"]


def _ratios() -> str:
    disk, bulge = _upsilons()
    return f"mass-to-light ratio {disk:g} in the disc, {bulge:g} in the bulge"


def _packed(cube: xr.Dataset) -> dict[str, npt.NDArray[np.float32]]:
    """Return columns of all real points, galaxy after galaxy, as 4-byte floats."""
    real = np.arange(cube.sizes["radius"]) < cube[COUNT].values[:, np.newaxis]
    columns = {name: values[real].astype(np.float32) for name, values in _columns(cube)}
    flagged = cube["point_flag"].values[real] != 0
    return {**columns, "flagged": np.where(flagged, columns["v_obs"], np.nan).astype(np.float32)}


def _columns(cube: xr.Dataset) -> Iterator[tuple[str, FloatArray]]:
    disk, bulge = _upsilons()
    v_obs, error = cube["v_obs"].values, cube["e_v_obs"].values
    yield from (("r", cube["r"].values), ("v_obs", v_obs), ("low", v_obs - error), ("high", v_obs + error))
    gas, disc, bul = (cube[name].values for name in ("v_gas", "v_disk", "v_bul"))
    yield from (("v_gas", gas), ("v_disk", np.sqrt(disk) * disc), ("v_bul", np.sqrt(bulge) * bul))
    squared = gas * np.abs(gas) + disk * disc**2 + bulge * bul**2
    yield "v_bar", np.sqrt(np.where(squared > 0, squared, np.nan))


def _facts(cube: xr.Dataset, i: int) -> str:
    """Say in a line what the catalogue has of a galaxy, and which flags it carries."""
    said = [f"{int(cube[COUNT].values[i])} points"]
    for name, words in _FACTS.items():
        if name in cube and np.isfinite(value := float(cube[name].values[i])):
            said.append(f"{words} {_value(cube[name], value)}")
    flag = cube["system_flag"]
    bits = zip(flag.attrs["flag_masks"], flag.attrs["flag_meanings"].split(), strict=True)
    said += [f"<b>{meaning}</b>" for mask, meaning in bits if int(flag.values[i]) & int(mask)]
    return " · ".join(said)


def _value(variable: xr.DataArray, value: float) -> str:
    """Write a value with its unit, or what it stands for where the variable is a code."""
    codes = dict(re.findall(r"\b(\d+) (\w+)", variable.attrs["long_name"]))
    unit = pretty_unit(variable.attrs["units"]).replace("deg", "°")
    return escape(codes.get(f"{value:g}") or f"{plain_number(value)} {unit}".rstrip().replace(" °", "°"))


def _curve_plot(curve: Any, measured: str) -> Any:
    plot = figure(height=_HEIGHT, tools="")
    plot.xaxis.axis_label, plot.yaxis.axis_label = "radius [kpc]", "velocity [km/s]"
    for legend, name, color, dash, width in _LINES:
        plot.line("r", name, source=curve, color=color, line_dash=dash, line_width=width, legend_label=legend)
    plot.segment("r", "low", "r", "high", source=curve, color=INK, line_width=1.3)
    dots = plot.scatter(
        "r", "v_obs", source=curve, size=6.5, color=INK, line_color="#ffffff", line_width=0.6, legend_label=measured
    )
    plot.scatter(
        "r",
        "flagged",
        source=curve,
        size=13,
        fill_color=None,
        line_color=_FLAGGED,
        line_width=2.4,
        legend_label="flagged",
    )
    _hover(plot, dots, [("radius", "@r{0.00} kpc"), ("measured", "@v_obs{0.0} km/s"), ("baryons", "@v_bar{0.0} km/s")])
    legend_above(plot)
    return plot


def _overview(cube: xr.Dataset) -> dict[str, FloatArray]:
    real = np.arange(cube.sizes["radius"]) < cube[COUNT].values[:, np.newaxis]
    return {
        "x": np.where(real, cube["r"].values, -np.inf).max(axis=1),
        "y": np.where(real, cube["v_obs"].values, -np.inf).max(axis=1),
    }


def _overview_plot(source: Any) -> Any:
    from bokeh.models import Scatter

    plot = figure(height=_HEIGHT + 62, x_axis_type="log", y_axis_type="log", tools="tap")
    plot.xaxis.axis_label, plot.yaxis.axis_label = "outermost radius [kpc]", "largest measured velocity [km/s]"
    for axis in plot.axis:
        plain_ticks(axis)
    dots = plot.scatter(
        "x", "y", source=source, size=8, color=LINES[0], alpha=0.5, line_color="#ffffff", nonselection_alpha=0.5
    )
    dots.selection_glyph = Scatter(size=13, fill_color="#ffb000", fill_alpha=1.0, line_color=INK, line_width=1.4)
    _hover(plot, dots, [("", "@galaxy"), ("outermost", "@x{0.0} kpc"), ("largest", "@y{0.0} km/s")])
    return plot


def _hover(plot: Any, dots: Any, tooltips: list[tuple[str, str]]) -> None:
    from bokeh.models import HoverTool

    plot.add_tools(HoverTool(renderers=[dots], tooltips=tooltips))
