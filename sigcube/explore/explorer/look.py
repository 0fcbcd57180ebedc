"""The look of the explorer in light and dark: colours, cards, controls, tables."""

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np

from sigcube.explore import style
from sigcube.explore.page import CardTable, Heat, Link

__all__ = [
    "COLOURS",
    "MIDDLING",
    "NARROW",
    "button",
    "card",
    "column",
    "folding_row",
    "paint",
    "root_style",
    "row",
    "small_table",
    "table_view",
    "text_field",
]

#: Colours by purpose. ``a`` and ``b`` are the two models, ``lost`` systems that A loses.
COLOURS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "light": {
            **{"page": "#f5f6f8", "card": "#ffffff", "line": "#e3e7ec", "ink": style.INK, "soft": style.SOFT},
            **{"grid": "#e9ecf0", "axis": "#b8c0ca", "field": "#ffffff", "accent": "#0b7285"},
            **{"a": "#0072b2", "b": "#b5488a", "reference": "#d55e00", "lost": "#e69f00"},
        },
        "dark": {
            **{"page": "#12161d", "card": "#1b212b", "line": "#2e3744", "ink": "#e8ecf2", "soft": "#a3aebd"},
            **{"grid": "#29313d", "axis": "#566273", "field": "#232b37", "accent": "#3bc9db"},
            **{"a": "#56b4e9", "b": "#e795c6", "reference": "#ff8a4c", "lost": "#f0c24a"},
        },
    }
)

_FIELDS = """
.bk-input, .bk-btn { background-color: var(--field) !important; color: var(--ink) !important;
  border-color: var(--line) !important; font-size: 13px !important; min-height: 0 !important; }
.bk-input { padding: 4px 8px !important; height: 30px; }
.bk-btn { padding: 4px 10px !important; line-height: 20px; }
.bk-btn:hover { border-color: var(--accent) !important; }
.bk-btn.bk-active { background-color: var(--accent) !important; color: var(--card) !important; box-shadow: none; }
.noUi-target { background: var(--line); border-color: var(--line); box-shadow: none; }
.noUi-connect { background: var(--accent); }
.noUi-handle { background: var(--card); border-color: var(--accent); box-shadow: none; }
"""
_TABLE = """
:host { border: 1px solid var(--line); border-radius: 6px; background: var(--card); overflow: hidden; }
:host(:focus-within) { outline: 2px solid var(--accent); }
.slick-row, .slick-cell, .slick-header, .slick-header-columns, .slick-header-column, .slick-pane, .slick-viewport,
.grid-canvas, .bk-data-table { background: var(--card) !important; color: var(--ink) !important;
  border-color: var(--line) !important; font-size: 12.5px; }
.slick-header-column { color: var(--soft) !important; font-weight: 560; }
.slick-cell.selected { background: color-mix(in srgb, var(--accent) 28%, var(--card)) !important; }
.slick-row:hover .slick-cell { background: color-mix(in srgb, var(--accent) 12%, var(--card)) !important; }
"""

#: Up to these widths of a page [pixels] there is no room for the column of controls beside figures, as on a phone; nor
#: for figures beside each other, of which that column has left two thirds.
NARROW, MIDDLING = 860, 1250

# Each item of a folded row takes the full width.
_FOLD = """
@media (max-width: %dpx) {
  :host { flex-direction: column !important; }
  :host > * { flex: 0 0 auto !important; width: 100%% !important; max-width: 100%%; box-sizing: border-box; }
}
"""


# A wider table [pixels] has to scroll on a small screen.
_WIDEST, _SCROLL_BAR = 860, 16


def _sheet(css: str) -> Any:
    from bokeh.models import InlineStyleSheet

    return InlineStyleSheet(css=css)


def root_style(theme: str) -> Any:
    """Return the style sheet that gives everything below it the colours of a theme."""
    names = "".join(f"--{name}: {colour};" for name, colour in COLOURS[theme].items())
    return _sheet(f":host {{ {names} background: var(--page); color: var(--ink); font-family: {style.FONT}; }}")


def themed(*models: Any) -> None:
    """Let menus, buttons, sliders and fields take their colours from the page."""
    for model in models:
        model.stylesheets = [*model.stylesheets, _sheet(_FIELDS)]


def column(*children: Any, **options: Any) -> Any:
    """Return models below each other."""
    from bokeh.models import Column

    return Column(children=list(children), **{"sizing_mode": "stretch_width", "spacing": 8, **options})


def row(*children: Any, **options: Any) -> Any:
    """Return models side by side."""
    from bokeh.models import Row

    return Row(children=list(children), **{"sizing_mode": "stretch_width", "spacing": 12, **options})


def folding_row(*children: Any, up_to: int = NARROW, **options: Any) -> Any:
    """Return models side by side, or below each other on a page that is no wider than `up_to` [pixels]."""
    made = row(*children, **options)
    made.stylesheets = [_sheet(_FOLD % up_to)]
    return made


def card(title: str, *children: Any, flex: str = "0 0 auto") -> Any:
    """Return models on a card with a heading; `flex` is its share of a row."""
    head = style.text_line(title, size="15px", colour="var(--ink)")
    head.styles = {**head.styles, "font-weight": "620"}
    look = {"background": "var(--card)", "border": "1px solid var(--line)", "border-radius": "10px"}
    box = {"padding": "12px 14px 10px", "min-width": "0", "flex": flex, "overflow": "hidden"}
    return column(head, *children, styles={**look, **box}, spacing=6)


class TextLines:
    """Lines of text that change often.

    When a Bokeh line changes its text, the whole page is laid out anew, which takes longer than drawing all its
    figures. Here new texts go to the page as one list, and a script puts them into the existing lines.
    """

    def __init__(self) -> None:
        self._lines: list[ChangingLine] = []
        #: A model that the page must hold.
        self.source: Any = None
        #: Whether there is a page yet; until then the lines get their texts directly.
        self.live = False

    def line(self, text: str = "", **look: Any) -> "ChangingLine":
        """Return a line, before `finish`."""
        made = ChangingLine(style.text_line(text, **look))
        made.model.styles = {**made.model.styles, **_shown(text)}
        self._lines.append(made)
        return made

    def finish(self, after: str = "", **arguments: Any) -> None:
        """Make the source of the texts once all lines exist; a script may follow each change."""
        from bokeh.models import ColumnDataSource, CustomJS

        self.source = ColumnDataSource({"text": [each.text for each in self._lines]}, name="texts")
        code = f"{style.script('explorer/texts.js')}{after}"
        models = [each.model for each in self._lines]
        self.source.js_on_change("data", CustomJS(args={"lines": models, **arguments}, code=code))

    def send(self) -> None:
        """Send the texts to the page, if one has changed."""
        texts = [each.text for each in self._lines]
        for each in [] if self.live else self._lines:
            each.model.update(text=each.text, styles={**each.model.styles, **_shown(each.text)})
        if texts != self.source.data["text"]:
            self.source.data = {"text": texts}


def _shown(text: str) -> dict[str, str]:
    """Return the style of a line, which takes no space while it is empty; the script does the same."""
    return {"display": "block" if text else "none"}


class ChangingLine:
    """A line of text that `TextLines.send` sends to the page.

    Attributes
    ----------
    model : Div
        The Bokeh line, with its first text.
    text : str
        The present text.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.text = model, str(model.text)

    def say(self, text: str) -> None:
        """Change the text."""
        self.text = text


def button(label: str, **options: Any) -> Any:
    """Return a button; its label must come from this program, not from data."""
    from bokeh.models import Button

    made = Button(label=label, margin=0, **options)
    themed(made)
    return made


def text_field(value: str, *, width: int, placeholder: str = "") -> Any:
    """Return a field for a line of text."""
    from bokeh.models import TextInput

    made = TextInput(value=value, width=width, margin=0, placeholder=placeholder)
    themed(made)
    return made


def table_view(
    source: Any, columns: Sequence[tuple[str, str, int]], *, height: int, view: Any = None, digits: str = "0.000"
) -> Any:
    """Return a table of a data source: a field, a title and a width for each column of text or numbers.

    Bokeh's tables take titles as markup, so they are escaped here. Cells are plain text anyway.
    """
    from bokeh.models import CDSView, CustomJS, DataTable, NumberFormatter, StringFormatter, TableColumn

    view = view or CDSView()
    # Of new data with as many rows as before, a table of Bokeh hears nothing.
    source.js_on_change("data", CustomJS(args={"view": view}, code="view.change.emit();"))
    made = []
    for field, title, width in columns:
        numeric = len(source.data[field]) > 0 and np.asarray(source.data[field]).dtype.kind in "fiu"
        form = NumberFormatter(format=digits, nan_format="–", text_align="right") if numeric else StringFormatter()
        made.append(TableColumn(field=field, title=escape(title), formatter=form, width=width))
    return DataTable(
        source=source,
        view=view,
        columns=made,
        index_position=None,
        height=height,
        row_height=24,
        autosize_mode="force_fit",
        reorderable=False,
        sizing_mode="stretch_width",
        margin=0,
        stylesheets=[_sheet(_TABLE)],
    )


def small_table(table: CardTable) -> Any:
    """Return the table of a card, as on the page of a result; one that is too wide for its place scrolls."""
    from bokeh.models import ColumnDataSource

    names = [f"c{i}" for i in range(len(table.head))]
    cells = [[_text(each) for each in line] for line in table.rows]
    source = ColumnDataSource({name: [line[i] for line in cells] for i, name in enumerate(names)})
    heads = [head.removeprefix(">") for head in table.head]
    widths = [
        min(320, 30 + 8 * max([len(head), *(len(line[i]) for line in cells[:50])])) for i, head in enumerate(heads)
    ]
    columns = list(zip(names, heads, widths, strict=True))
    made = table_view(source, columns, height=min(480, 32 + 24 * max(1, len(cells))))
    if sum(widths) > _WIDEST:
        # It scrolls; squeezed, it would show half of its numbers.
        made.update(autosize_mode="none", height=made.height + _SCROLL_BAR)
        return made
    # On a phone it scrolls as well.
    made.min_width = sum(widths)
    return column(made, styles={"overflow-x": "auto", "min-width": "0"})


def _text(cell: str | Link | Heat) -> str:
    return cell if isinstance(cell, str) else cell.text


def paint(models: Sequence[Any], theme: str) -> None:
    """Give figures the colours of a theme; a renderer is named after the colour that it has."""
    from bokeh.models import Span

    colours = COLOURS[theme]
    for plot in models:
        for axis in plot.axis:
            axis.axis_label_text_color, axis.major_label_text_color = colours["ink"], colours["soft"]
            axis.axis_line_color = axis.major_tick_line_color = colours["axis"]
        plot.grid.grid_line_color = colours["grid"]
        plot.toolbar.autohide = True
        for legend in plot.legend:
            legend.label_text_color = colours["ink"]
        for line in [each for each in plot.center if isinstance(each, Span)]:
            line.line_color = colours["ink"]
        for bar in [each for each in plot.below + plot.right if hasattr(each, "color_mapper")]:
            bar.title_text_color, bar.major_label_text_color = colours["ink"], colours["soft"]
            bar.background_fill_color = None
        for renderer in plot.renderers:
            if (name := renderer.name) in colours:
                for glyph in (renderer.glyph, renderer.nonselection_glyph, renderer.muted_glyph):
                    for part in ("line_color", "fill_color"):
                        if hasattr(glyph, part) and getattr(glyph, part) is not None:
                            setattr(glyph, part, colours[name])
