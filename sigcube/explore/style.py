"""The look that all figures share, and the words on their axes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

__all__ = [
    "COLOUR_BAR",
    "FONT",
    "INK",
    "LINES",
    "SOFT",
    "axis_title",
    "edges",
    "figure",
    "legend_above",
    "plain_number",
    "plain_ticks",
    "power_ticks",
    "pretty_unit",
    "value_title",
]

INK, SOFT, GRID = "#1c2430", "#5b6675", "#e9ecf0"
#: Line colours that also colour-blind readers tell apart (after Okabe & Ito), darkest first.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FONT = 'Inter, "Helvetica Neue", Helvetica, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif'

#: The look of a scale of colours.
COLOUR_BAR: Mapping[str, Any] = MappingProxyType(
    {
        "title_text_font": FONT,
        "title_text_font_style": "normal",
        "title_text_font_size": "13.5px",
        "title_text_color": INK,
        "title_standoff": 12,
        "major_label_text_font": FONT,
        "major_label_text_font_size": "12.5px",
        "major_label_text_color": SOFT,
        "major_tick_line_color": None,
        "bar_line_color": None,
        "padding": 12,
        "margin": 0,
    }
)


def figure(*, height: int, **options: Any) -> Any:
    """Return an empty figure that is as wide as its card."""
    from bokeh.plotting import figure as bokeh_figure

    common = {"sizing_mode": "stretch_width", "min_border_right": 12, "toolbar_location": None}
    plot = bokeh_figure(height=height, **{**common, **options})
    plot.toolbar.logo = None
    plot.outline_line_color = None
    plot.background_fill_color = plot.border_fill_color = None
    for axis in plot.axis:
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size, axis.major_label_text_font_size = "14px", "12.5px"
        axis.axis_label_text_color, axis.major_label_text_color = INK, SOFT
        axis.axis_line_color = axis.major_tick_line_color = "#b8c0ca"
        axis.minor_tick_line_color = None
        axis.axis_label_standoff = 10
    plot.grid.grid_line_color = GRID
    return plot


def legend_above(plot: Any) -> None:
    """Move a figure's legend out of the way of its lines."""
    for each in tuple(plot.legend):
        each.orientation = "horizontal"
        each.label_text_font, each.label_text_font_size, each.label_text_color = FONT, "13px", INK
        each.background_fill_color = each.border_line_color = None
        each.glyph_width, each.glyph_height, each.label_standoff, each.spacing, each.padding, each.margin = (
            22,
            22,
            5,
            16,
            0,
            4,
        )
        plot.add_layout(each, "above")


def plain_ticks(axis: Any, *, steps: tuple[int, ...] = (1, 2, 5)) -> None:
    """Give a logarithmic axis the ticks 1, 2, 5, 10, 20, …, written out."""
    from bokeh.models import BasicTickFormatter, FixedTicker

    ticks = [step * 10.0**power for power in range(-3, 6) for step in steps]
    axis.formatter, axis.ticker = BasicTickFormatter(use_scientific=False), FixedTicker(ticks=ticks)


def power_ticks(axis: Any, low: float, high: float, *, narrow: bool = False) -> None:
    """Give a logarithmic axis few enough ticks, as powers of ten between two values; fewer along a narrow figure."""
    from bokeh.models import FixedTicker

    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1,) if last - first > 3 else (1, 3) if narrow else (1, 2, 5)
    stride = max(1, (last - first) // 4)
    places = [(step, power) for power in range(first, last + 1, stride) for step in steps]
    words = {float(f"{step}e{power}"): f"{step}×10{_raised(power)}".removeprefix("1×") for step, power in places}
    axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(words)), words


def pretty_unit(unit: str) -> str:
    """Write a unit as it is printed.

    Examples
    --------
    >>> pretty_unit("m/s2"), pretty_unit("solLum/pc2"), pretty_unit("")
    ('m/s²', 'L☉/pc²', '')
    """
    for plain, printed in (("solLum", "L☉"), ("solMass", "M☉"), ("Msun", "M☉"), ("2", "²"), ("3", "³")):
        unit = unit.replace(plain, printed)
    return unit


def plain_number(value: float) -> str:
    """Write a number with four digits, and powers of ten as they are printed.

    Examples
    --------
    >>> plain_number(2.595e11), plain_number(16.5), plain_number(4.55e-14)
    ('2.595×10¹¹', '16.5', '4.55×10⁻¹⁴')
    """
    digits, _, power = f"{value:.4g}".partition("e")
    return f"{digits}×10{_raised(int(power))}" if power else digits


def _raised(power: int) -> str:
    return str(power).translate(_RAISED)


def axis_title(coord: xr.DataArray) -> str:
    """Return the title of an axis: its symbol, its meaning, its unit."""
    symbol, meaning = coord.attrs.get("symbol", str(coord.name)), coord.attrs.get("long_name", "")
    unit = pretty_unit(coord.attrs.get("units", ""))
    parts = [symbol, f"({meaning})" if meaning and meaning != symbol else "", f"[{unit}]" if unit else ""]
    return "  ".join(part for part in parts if part)


def value_title(variable: xr.DataArray) -> str:
    """Return the title of a summary, with its unit."""
    meaning = variable.attrs.get("long_name", str(variable.name))
    unit = pretty_unit(variable.attrs.get("units", ""))
    return f"{meaning} [{unit}]" if unit else meaning


def edges(values: np.ndarray) -> tuple[str, float, float]:
    """Return how an axis is spaced, and the outer edges of its first and last cell.

    Examples
    --------
    >>> edges(np.array([1.0, 2.0, 3.0]))
    ('linear', 0.5, 3.5)
    >>> scale, low, high = edges(np.array([1.0, 10.0, 100.0]))
    >>> scale, round(low, 4), round(high, 4)
    ('log', 0.3162, 316.2278)
    """
    ratio_spaced = bool((values > 0).all()) and np.allclose(np.diff(np.log(values)), np.log(values[1] / values[0]))
    if ratio_spaced and not np.allclose(np.diff(values), values[1] - values[0]):
        step = np.sqrt(values[1] / values[0])
        return "log", float(values[0] / step), float(values[-1] * step)
    first, last = (values[1] - values[0]) / 2, (values[-1] - values[-2]) / 2
    return "linear", float(values[0] - first), float(values[-1] + last)
