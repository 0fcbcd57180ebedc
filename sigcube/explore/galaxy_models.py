"""Panels for single galaxies: rotation curves with what models predict, and the models' errors against each other."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.explore.page import Card
from sigcube.explore.script import script
from sigcube.explore.style import INK, LINES, SOFT, figure, legend_above
from sigcube.explore.widgets import menu, titled

__all__ = ["curve_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 440


def curve_cards(cube: xr.Dataset, models: Mapping[str, xr.DataArray], *, best: str, against: str) -> list[Card]:
    """Return a card with one galaxy's rotation curve, and one with every galaxy's error under two models.

    Parameters
    ----------
    cube : xarray.Dataset
        A galaxy cube.
    models : Mapping
        Predicted velocities [km/s] over ``(galaxy, radius)``, by name.
    best, against : str
        The two models whose errors are compared.
    """
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS

    rms = {name: _rms(cube, models[name]) for name in (best, against)}
    start = _telling(cube, rms[against] - rms[best])
    names = [str(name) for name in cube["galaxy"].values]
    curves = ColumnDataSource(_columns(cube, models))
    measured = "measured (synthetic)" if cube.attrs["synthetic"] else "measured"
    plot, glyphs = _curve_plot(curves, list(models), start, measured)
    choice = menu(names, start=start)
    errors = ColumnDataSource({"x": rms[against], "y": rms[best], "galaxy": names})
    errors.selected.indices = [start]
    shown = {"glyphs": glyphs, "names": names, "selected": errors.selected}
    choice.js_on_change("value", CustomJS(args=shown, code=script("galaxy.js")))
    errors.selected.js_on_change(
        "indices",
        CustomJS(
            args={"menu": choice, "names": names},
            code="if (cb_obj.indices.length) menu.value = names[cb_obj.indices[0]];",
        ),
    )
    wins = int((rms[best] < rms[against]).sum())
    return [
        Card(
            "One galaxy",
            "Measured velocities with their errors, and what the models make of the same stars and gas.",
            column(titled("galaxy", choice), plot, sizing_mode="stretch_width"),
            wide=True,
        ),
        Card(
            "All galaxies",
            f"RMS residual of each galaxy; below the line, {best} is closer: {wins} of {len(names)}. Click to see one.",
            _error_plot(errors, best, against, *_span(rms.values())),
        ),
    ]


def _rms(cube: xr.Dataset, predicted: xr.DataArray) -> FloatArray:
    residual = (predicted - cube["v_obs"]).where(cube["point_flag"] == 0)
    mean_square: FloatArray = (residual**2).mean("radius").values
    return np.sqrt(mean_square)


def _telling(cube: xr.Dataset, gain: FloatArray) -> int:
    """Return the galaxy to begin with: of the well sampled ones, that in which the models differ most."""
    sampled = cube["n_points"].values >= np.median(cube["n_points"].values)
    return int(np.argmax(np.where(sampled, gain, -np.inf)))


def _columns(cube: xr.Dataset, models: Mapping[str, xr.DataArray]) -> dict[str, FloatArray]:
    """Return one column for each galaxy and quantity; columns are equally long, padded with NaN."""
    kept = cube["point_flag"] == 0
    low, high = cube["v_obs"] - cube["e_v_obs"], cube["v_obs"] + cube["e_v_obs"]
    arrays = {"r": cube["r"], "v": cube["v_obs"], "low": low, "high": high, **models}
    whole = {name: array.where(kept).transpose("galaxy", "radius").values for name, array in arrays.items()}
    return {
        f"{name} {i}": values[i].astype(np.float32)
        for name, values in whole.items()
        for i in range(cube.sizes["galaxy"])
    }


def _curve_plot(source: Any, models: list[str], start: int, measured: str) -> tuple[Any, list[list[Any]]]:
    """Draw a galaxy, and return each glyph with the quantity that each of its properties shows."""
    plot = figure(height=_HEIGHT, tools="")
    plot.xaxis.axis_label, plot.yaxis.axis_label = "radius [kpc]", "rotation velocity [km/s]"
    glyphs = []
    styles = zip(models, (SOFT, LINES[1], LINES[0]), ("dashed", "solid", "solid"), strict=True)
    for name, color, dash in styles:
        line = plot.line(
            f"r {start}",
            f"{name} {start}",
            source=source,
            color=color,
            line_dash=dash,
            line_width=2.4,
            legend_label=name,
        )
        glyphs.append([line, {"x": "r", "y": name}])
    bars = plot.segment(
        f"r {start}", f"low {start}", f"r {start}", f"high {start}", source=source, color=INK, line_width=1.3
    )
    dots = plot.scatter(
        f"r {start}",
        f"v {start}",
        source=source,
        size=7,
        color=INK,
        line_color="#ffffff",
        legend_label=measured,
    )
    glyphs += [[bars, {"x0": "r", "y0": "low", "x1": "r", "y1": "high"}], [dots, {"x": "r", "y": "v"}]]
    legend_above(plot)
    return plot, glyphs


def _span(errors: Iterable[FloatArray]) -> tuple[float, float]:
    every = np.concatenate(list(errors))
    return 0.8 * float(np.nanmin(every)), 1.25 * float(np.nanmax(every))


def _error_plot(source: Any, best: str, against: str, smallest: float, largest: float) -> Any:
    from bokeh.models import BasicTickFormatter, FixedTicker

    plot = figure(
        height=_HEIGHT + 62,
        x_axis_type="log",
        y_axis_type="log",
        x_range=(smallest, largest),
        y_range=(smallest, largest),
        tools="tap",
    )
    plot.xaxis.axis_label, plot.yaxis.axis_label = f"RMS under {against} [km/s]", f"RMS under {best} [km/s]"
    for axis in plot.axis:
        axis.formatter, axis.ticker = BasicTickFormatter(), FixedTicker(ticks=[0.5, 1, 2, 5, 10, 20, 50, 100, 200])
    plot.line([smallest, largest], [smallest, largest], color=SOFT, line_dash="dashed")
    dots = plot.scatter(
        "x", "y", source=source, size=8, color=LINES[0], alpha=0.5, line_color="#ffffff", nonselection_alpha=0.5
    )
    _emphasise(dots)
    _hover(plot, dots)
    return plot


def _emphasise(dots: Any) -> None:
    from bokeh.models import Scatter

    dots.selection_glyph = Scatter(size=13, fill_color="#ffb000", fill_alpha=1.0, line_color=INK, line_width=1.4)


def _hover(plot: Any, dots: Any) -> None:
    from bokeh.models import HoverTool

    tooltips = [("", "@galaxy"), (plot.xaxis[0].axis_label, "@x{0.0}"), (plot.yaxis[0].axis_label, "@y{0.0}")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=tooltips))
