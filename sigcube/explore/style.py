"""The look that all figures and menus share: fonts, colours, ticks, titles with units."""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from sigcube.wording import amount, pretty_unit

__all__ = [
    "FITS",
    "FONT",
    "INK",
    "LINES",
    "MARKER",
    "SOFT",
    "buttons",
    "colour_bar",
    "few_ticks",
    "figure",
    "figure_by_name",
    "fitted",
    "hover",
    "is_synthetic",
    "legend_above",
    "mark_synthetic",
    "menu",
    "on_change",
    "plain_number",
    "plain_ticks",
    "power_ticks",
    "record",
    "script",
    "short_ticks",
    "shorten",
    "slider",
    "switch",
    "text_line",
    "unit_of",
    "value_title",
    "with_unit",
]

INK, SOFT, GRID = "#1c2430", "#5b6675", "#e9ecf0"
#: Line colours that colour-blind readers can tell apart (after Okabe & Ito), darkest first.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
FONT = 'Inter, "Helvetica Neue", Helvetica, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif'

# More labels than this, or longer ones, become a menu.
_MOST_BUTTONS = 5
_WIDEST_BUTTONS = 36

#: The longest title of an axis on a phone.
FITS = 34

#: The look of a marker that stands out.
MARKER: Mapping[str, Any] = MappingProxyType({"fill_color": "#ffb000", "line_color": INK, "line_width": 1.4})
_COLOUR_BAR: Mapping[str, Any] = MappingProxyType(
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

# Ten digits leave out what rounding adds to a tick.
_SHORT = """
const size = Math.abs(tick), value = Number(tick.toPrecision(10));
const plain = size === 0 || (size >= 1e-4 && size < 1e5);
return (plain ? String(value) : value.toExponential().replace("e+", "e")).replaceAll("-", "\u2212");
"""

_LEGEND_CSS = """
:host { max-width: 100%; }
.bk-grid { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0 14px !important;
  width: auto; height: auto; }
.bk-item { max-width: 100%; } .bk-label { white-space: normal; overflow-wrap: anywhere; }
"""
_PRINTED = re.compile(r"(@\w+){%")
# Formats that Bokeh writes as they read; of others it makes a wrong number, as +0.0000 of 1.2e-10 by 0.00e+0.
_FORMAT, _KNOWN = re.compile(r"{([^}]*)}"), re.compile(r"%\.\d+[eg]|0(,0)?(\.0+)?|custom")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MENU_CSS = f"""
:host {{ font-family: {FONT}; font-size: 14px; color: {INK}; }}
.bk-btn, .bk-input {{ font-size: 14px; border-color: #d5dae1; background-color: #fff; color: {INK}; }}
.bk-btn {{ padding: 6px 14px; }}
.bk-btn-group {{ flex-wrap: wrap; }}
.bk-input-group, .bk-input {{ max-width: 100%; }}
.bk-btn.bk-active {{ background-color: {INK}; border-color: {INK}; color: #fff; box-shadow: none; }}
"""


def figure(*, height: int, **options: Any) -> Any:
    """Return an empty figure that is as wide as its card, and not much higher than wide on a phone."""
    from bokeh.plotting import figure as bokeh_figure

    common = {"sizing_mode": "stretch_width", "min_border_right": 12, "toolbar_location": None, "tools": ""}
    plot = bokeh_figure(height=height, **{"styles": {"max-height": "115vw"}, **common, **options})
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


def figure_by_name(names: Sequence[str], **options: Any) -> Any:
    """Return an empty figure with a row for each name, the first at the bottom at y = 0."""
    from bokeh.models import FixedTicker

    plot = figure(height=90 + 26 * len(names), y_range=(-0.7, len(names) - 0.3), styles={}, **options)
    plot.yaxis.ticker = FixedTicker(ticks=list(range(len(names))))
    plot.yaxis.major_label_overrides = {i: shorten(name, 26) for i, name in enumerate(names)}
    plot.yaxis.major_label_text_color = INK
    return plot


def legend_above(plot: Any) -> None:
    """Move the legend of a figure above it, where it hides no lines; it takes as many rows as it needs."""
    from bokeh.models import InlineStyleSheet

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
            padding=0,
            margin=4,
            stylesheets=[InlineStyleSheet(css=_LEGEND_CSS)],
        )
        plot.add_layout(legend, "above")


def hover(plot: Any, renderer: Any, tooltips: Sequence[tuple[str, str]], **options: Any) -> None:
    """Show a tooltip where the mouse points at what a renderer draws: names, and templates of Bokeh, all plain text.

    A template such as ``@x{%.4g}`` holds numbers of any size, those above 1e5 better as ``@x{%.3e}``.

    Raises
    ------
    ValueError
        For a format of numbers that Bokeh does not write; such a figure is a defect.
    """
    from bokeh.models import HoverTool

    for form in (each for _, template in tooltips for each in _FORMAT.findall(template)):
        if not _KNOWN.fullmatch(form):
            raise ValueError(f"a tooltip cannot write numbers as {form!r}; of any size as '%.4g', else as '0.00'")
    escaped = [(shorten(name, 24), escape(template, quote=False)) for name, template in tooltips]
    printed = {column: "printf" for _, template in tooltips for column in _PRINTED.findall(template)}
    formatters = {**printed, **options.pop("formatters", {})}
    plot.add_tools(HoverTool(renderers=[renderer], tooltips=escaped, formatters=formatters, **options))


def plain_ticks(axis: Any, *, steps: tuple[int, ...] = (1, 2, 5)) -> None:
    """Give a logarithmic axis the ticks 1, 2, 5, 10, 20, …, written out."""
    from bokeh.models import BasicTickFormatter, FixedTicker

    ticks = [step * 10.0**power for power in range(-3, 6) for step in steps]
    axis.formatter, axis.ticker = BasicTickFormatter(use_scientific=False), FixedTicker(ticks=ticks)


def short_ticks(*axes: Any) -> None:
    """Write the ticks of axes or colour bars in as few digits as they have, very small and large ones as 1.5e-10.

    Bokeh writes 1.500e-10, of which four do not fit beside each other on a phone.
    """
    from bokeh.models import CustomJSTickFormatter

    for axis in axes:
        axis.formatter = CustomJSTickFormatter(code=_SHORT)


def few_ticks(axis: Any, *, most: int = 5) -> None:
    """Give an axis few ticks with short labels, a logarithmic one also within a power of ten, and when it is zoomed."""
    from bokeh.models import CustomJSTicker, LogAxis

    if isinstance(axis, LogAxis):
        axis.ticker = CustomJSTicker(major_code=script("log_ticks.js"), args={"most": most})
    else:
        axis.ticker.desired_num_ticks = most - 1
    short_ticks(axis)


def colour_bar(mapper: Any, title: str, **options: Any) -> Any:
    """Return a colour bar with short labels."""
    from bokeh.models import BasicTicker, ColorBar

    bar = ColorBar(
        color_mapper=mapper, title=title, **{"ticker": BasicTicker(desired_num_ticks=5), **_COLOUR_BAR, **options}
    )
    short_ticks(bar)
    return bar


def power_ticks(axis: Any, low: float, high: float, *, most: int = 8) -> None:
    """Give a logarithmic axis a few ticks between two values, as powers of ten; along x, where they are wide, fewer."""
    from bokeh.models import FixedTicker

    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    powers = range(first, last + 1, max(1, (last - first) // 4))
    ticks: list[tuple[int, int]] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [(step, power) for power in powers for step in steps]
        if sum(low <= step * 10.0**power <= high for step, power in ticks) <= most:
            break
    labels = {float(f"{step}e{power}"): f"{step}×10{_raised(power)}".removeprefix("1×") for step, power in ticks}
    axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(labels)), labels


def menu(options: Sequence[str], *, start: int = 0) -> Any:
    """Return a menu; its ``value`` is the index of the choice, as text, since two options may have one name."""
    from bokeh.models import InlineStyleSheet, Select

    look = [InlineStyleSheet(css=_MENU_CSS)]
    numbered = [(str(i), shorten(option, 100)) for i, option in enumerate(options)]
    return Select(value=str(start), options=numbered, width=190, margin=0, stylesheets=look)


def buttons(labels: Sequence[str], *, start: int = 0) -> Any:
    """Return buttons of which one is pressed; ``active`` is its index."""
    from bokeh.models import InlineStyleSheet, RadioButtonGroup

    return RadioButtonGroup(labels=list(labels), active=start, margin=0, stylesheets=[InlineStyleSheet(css=_MENU_CSS)])


def switch(labels: Sequence[str], *, start: int = 0) -> Any:
    """Return buttons for a few short labels, a menu for others."""
    few = len(labels) <= _MOST_BUTTONS and sum(map(len, labels)) <= _WIDEST_BUTTONS
    return buttons(labels, start=start) if few else menu(labels, start=start)


def slider(texts: Sequence[str], *, start: int = 0) -> Any:
    """Return a slider over texts, or a menu for a single one; its ``value`` is the index of the text shown."""
    from bokeh.models import CustomJSTickFormatter, InlineStyleSheet, Slider

    if len(texts) == 1:
        return menu(texts)
    shown = CustomJSTickFormatter(
        args={"texts": [shorten(text, 26) for text in texts]}, code="return texts[Math.round(tick)];"
    )
    look = [InlineStyleSheet(css=_MENU_CSS)]
    ends = {"start": 0, "end": len(texts) - 1, "step": 1}
    # Its tooltips would show texts as markup.
    plain = {"title": "", "tooltips": False}
    return Slider(**ends, **plain, value=start, format=shown, width=190, margin=(0, 8), stylesheets=look)


def text_line(text: str, *, size: str = "13px", colour: str = f"var(--soft, {SOFT})") -> Any:
    """Return a line of plain text, which a script may change."""
    from bokeh.models import Div

    look = {"font-family": FONT, "font-size": size, "color": colour, "overflow-wrap": "anywhere"}
    return Div(text=text, render_as_text=True, styles=look, sizing_mode="stretch_width", margin=0)


def on_change(*models: Any, code: str, **arguments: Any) -> None:
    """Run JavaScript, or a script of this package, when the choice of a menu, buttons or a data source changes.

    The script knows the model that changed as ``cb_obj``, and the arguments by their names.
    """
    from bokeh.models import CustomJS

    callback = CustomJS(args=arguments, code=script(code) if code.endswith(".js") else code)
    for model in models:
        model.js_on_change(next(n for n in ("active", "value", "indices") if hasattr(model, n)), callback)


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


def full_number(value: float) -> str:
    """Write a number as `plain_number` does, but thousands and millions with a decimal: differences of ln L count.

    Examples
    --------
    >>> full_number(116447.7), full_number(114628.0), full_number(2.595e11)
    ('116447.7', '114628', '2.595×10¹¹')
    """
    return amount(value) if 1e3 <= abs(value) < 1e7 else plain_number(value)


def _raised(power: int) -> str:
    return str(power).translate(_RAISED)


def with_unit(text: str, unit: str) -> str:
    """Add a unit in brackets, if there is one."""
    return f"{text} [{pretty_unit(unit)}]" if unit else text


def fitted(text: str, unit: str, most: int) -> str:
    """Add a unit in brackets, and cut the text before it if both are too long for their place.

    Examples
    --------
    >>> fitted("scale length of the stellar disc", "kpc", 20), fitted("inclination", "", 20)
    ('scale length… [kpc]', 'inclination')
    """
    return with_unit(shorten(text, most - len(with_unit("", unit))), unit)


def value_title(variable: xr.DataArray) -> str:
    """Return what a variable means, with its unit."""
    return with_unit(str(variable.attrs.get("long_name", variable.name)), unit_of(variable))


def unit_of(variable: xr.DataArray) -> str:
    """Return the unit of a variable; empty for a pure number."""
    return str(variable.attrs.get("units", ""))


def shorten(text: str, most: int) -> str:
    """Cut a text that is too long for its place.

    Examples
    --------
    >>> shorten("amplitude", 20), shorten("the amplitude of a disc", 14)
    ('amplitude', 'the amplitude…')
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def record(data: xr.Dataset, name: str) -> Mapping[str, Any]:
    """Return an attribute that holds a JSON object; empty if it does not."""
    try:
        found = json.loads(data.attrs.get(name, "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def is_synthetic(data: xr.Dataset) -> bool:
    """Whether a cube or a result declares its data synthetic."""
    return str(data.attrs.get("synthetic", 0)) not in ("0", "False", "")


def mark_synthetic(text: str, cube: xr.Dataset) -> str:
    """Mark the text of a legend or a title if the data of a cube are synthetic."""
    return f"{text} (synthetic)" if is_synthetic(cube) else text
