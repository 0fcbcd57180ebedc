"""The look that all figures and menus share: fonts, colours, ticks, titles with units."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

__all__ = [
    "COLOUR_BAR",
    "FONT",
    "INK",
    "LINES",
    "MARKER",
    "SOFT",
    "buttons",
    "figure",
    "hover",
    "legend_above",
    "mark_synthetic",
    "menu",
    "on_change",
    "plain_number",
    "plain_ticks",
    "power_ticks",
    "pretty_unit",
    "script",
    "titled",
    "value_title",
    "with_unit",
]

INK, SOFT, GRID = "#1c2430", "#5b6675", "#e9ecf0"
#: Line colours that colour-blind readers can tell apart (after Okabe & Ito), darkest first.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
FONT = 'Inter, "Helvetica Neue", Helvetica, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif'

#: The look of a marker that stands out.
MARKER: Mapping[str, Any] = MappingProxyType({"fill_color": "#ffb000", "line_color": INK, "line_width": 1.4})
#: The look of a colour bar.
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

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MENU_CSS = f"""
:host {{ font-family: {FONT}; font-size: 14px; color: {INK}; }}
.bk-btn, .bk-input {{ font-size: 14px; border-color: #d5dae1; background-color: #fff; color: {INK}; }}
.bk-btn {{ padding: 6px 14px; }}
.bk-btn.bk-active {{ background-color: {INK}; border-color: {INK}; color: #fff; box-shadow: none; }}
"""


def figure(*, height: int, **options: Any) -> Any:
    """Return an empty figure that is as wide as its card."""
    from bokeh.plotting import figure as bokeh_figure

    common = {"sizing_mode": "stretch_width", "min_border_right": 12, "toolbar_location": None, "tools": ""}
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
    """Move the legend of a figure above it, where it hides no lines."""
    for legend in tuple(plot.legend):
        legend.update(
            orientation="horizontal",
            label_text_font=FONT,
            label_text_font_size="13px",
            label_text_color=INK,
            background_fill_color=None,
            border_line_color=None,
            glyph_width=22,
            glyph_height=22,
            label_standoff=5,
            spacing=16,
            padding=0,
            margin=4,
        )
        plot.add_layout(legend, "above")


def hover(plot: Any, renderer: Any, tooltips: Sequence[tuple[str, str]], **options: Any) -> None:
    """Show a tooltip where the mouse points at what a renderer draws."""
    from bokeh.models import HoverTool

    plot.add_tools(HoverTool(renderers=[renderer], tooltips=list(tooltips), **options))


def plain_ticks(axis: Any, *, steps: tuple[int, ...] = (1, 2, 5)) -> None:
    """Give a logarithmic axis the ticks 1, 2, 5, 10, 20, …, written out."""
    from bokeh.models import BasicTickFormatter, FixedTicker

    ticks = [step * 10.0**power for power in range(-3, 6) for step in steps]
    axis.formatter, axis.ticker = BasicTickFormatter(use_scientific=False), FixedTicker(ticks=ticks)


def power_ticks(axis: Any, low: float, high: float, *, narrow: bool = False) -> None:
    """Give a logarithmic axis a few ticks between two values, as powers of ten; fewer in a narrow figure."""
    from bokeh.models import FixedTicker

    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1,) if last - first > 3 else (1, 3) if narrow else (1, 2, 5)
    stride = max(1, (last - first) // 4)
    places = [(step, power) for power in range(first, last + 1, stride) for step in steps]
    labels = {float(f"{step}e{power}"): f"{step}×10{_raised(power)}".removeprefix("1×") for step, power in places}
    axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(labels)), labels


def menu(options: Sequence[str], *, start: int = 0) -> Any:
    """Return a menu; its ``value`` is what is chosen."""
    from bokeh.models import InlineStyleSheet, Select

    look = [InlineStyleSheet(css=_MENU_CSS)]
    return Select(value=options[start], options=list(options), width=190, margin=0, stylesheets=look)


def buttons(labels: Sequence[str]) -> Any:
    """Return buttons of which one is pressed; ``active`` is its index."""
    from bokeh.models import InlineStyleSheet, RadioButtonGroup

    return RadioButtonGroup(labels=list(labels), active=0, margin=0, stylesheets=[InlineStyleSheet(css=_MENU_CSS)])


def titled(title: str, widget: Any) -> Any:
    """Put a title, which is text and not markup, above a menu or buttons."""
    from bokeh.layouts import column
    from bokeh.models import Div

    style = {"font-family": FONT, "font-size": "13px", "color": SOFT}
    return column(Div(text=escape(title), styles=style, margin=0), widget, spacing=3)


def on_change(model: Any, code: str, **arguments: Any) -> None:
    """Run JavaScript, or a script of this package, when the choice of a menu, buttons or a data source changes.

    The script knows the model as ``cb_obj``, and the arguments by their names.
    """
    from bokeh.models import CustomJS

    chosen = next(name for name in ("active", "value", "indices") if hasattr(model, name))
    model.js_on_change(chosen, CustomJS(args=arguments, code=script(code) if code.endswith(".js") else code))


def script(name: str) -> str:
    """Return the text of a script of this package."""
    return files("sigcube.explore").joinpath(name).read_text(encoding="utf-8")


def plain_number(value: float) -> str:
    """Write a number with four digits, and powers of ten as in print.

    Examples
    --------
    >>> plain_number(2.595e11), plain_number(16.5), plain_number(4.55e-14)
    ('2.595×10¹¹', '16.5', '4.55×10⁻¹⁴')
    """
    digits, _, power = f"{value:.4g}".partition("e")
    return f"{digits}×10{_raised(int(power))}" if power else digits


def _raised(power: int) -> str:
    return str(power).translate(_RAISED)


def pretty_unit(unit: str) -> str:
    """Write a unit as in print.

    Examples
    --------
    >>> pretty_unit("m/s2"), pretty_unit("solLum/pc2"), pretty_unit("")
    ('m/s²', 'L☉/pc²', '')
    """
    for plain, printed in (("solLum", "L☉"), ("solMass", "M☉"), ("Msun", "M☉"), ("2", "²"), ("3", "³")):
        unit = unit.replace(plain, printed)
    return unit


def with_unit(text: str, unit: str) -> str:
    """Add a unit in brackets, if there is one."""
    return f"{text} [{pretty_unit(unit)}]" if unit else text


def value_title(variable: xr.DataArray) -> str:
    """Return what a variable means, with its unit."""
    return with_unit(variable.attrs.get("long_name", str(variable.name)), variable.attrs.get("units", ""))


def mark_synthetic(text: str, cube: xr.Dataset) -> str:
    """Say in a legend or a title that the data of a cube are synthetic, if they are."""
    return f"{text} (synthetic)" if cube.attrs["synthetic"] else text
