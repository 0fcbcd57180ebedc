"""A page of cards as one HTML file that needs nothing else: scripts, styles and data are inside.

Names and texts come from files, which anyone may have written. They enter a page as text, in one of two ways: through
the templates, which escape every value, or through Bokeh models, which `refuse_markup` checks. Behind both stands the
page's policy: no script runs but those written into it here, and nothing is fetched.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sigcube.errors import StoreError
from sigcube.explore import style
from sigcube.files import refuse_no_page, write_file

__all__ = ["Card", "CardTable", "Heat", "Link", "refuse_markup", "write_page", "write_template"]


class _Markup(str):
    """Text that templates insert as it is: policies, scripts and places of figures, all from this file."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


@dataclass(frozen=True)
class Link:
    """A cell that leads to another file beside the page."""

    text: str
    file: str


@dataclass(frozen=True)
class Heat:
    """A cell whose background is stronger, from 0 to 1, the better its value."""

    text: str
    share: float


@dataclass(frozen=True)
class CardTable:
    """A table of a page.

    Attributes
    ----------
    head : tuple of str
        The titles of the columns; ``>`` at the start marks numbers, aligned to the right.
    rows : sequence of tuple
        The cells: texts, links, or texts on a coloured ground.
    folded : bool
        Whether the table is folded until clicked.
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str | Link | Heat, ...]]
    folded: bool = False


@dataclass(frozen=True)
class Card:
    """One part of a page.

    Attributes
    ----------
    title, text : str
        Its heading, and a sentence below it.
    figures : sequence of bokeh.model.Model
        The figures, side by side in a full card.
    controls : sequence of tuple
        The menus, buttons and sliders above the figures, each after its name.
    line : bokeh.model.Model or None
        A line of text between controls and figures.
    table : CardTable or None
        A table, below the figures.
    wide, full : bool
        Whether it spans two of the three columns, or all of them.
    """

    title: str
    text: str = ""
    figures: Sequence[Any] = ()
    controls: Sequence[tuple[str, Any]] = ()
    line: Any = None
    table: CardTable | None = None
    wide: bool = False
    full: bool = False

    @property
    def models(self) -> list[Any]:
        """The Bokeh models on the card: controls, line and figures."""
        return [*(control for _, control in self.controls), *([self.line] if self.line else []), *self.figures]


def write_page(
    path: str | Path,
    cards: Sequence[Card],
    *,
    title: str,
    subtitle: str,
    notes: Mapping[str, str],
    synthetic: bool,
) -> Path:
    """Write cards as an HTML page that opens without a network.

    Parameters
    ----------
    path : path
        The file; it is replaced in one step.
    cards : sequence of Card
        The cards, from left to right and down.
    title, subtitle : str
        The heading, and a sentence below it.
    notes : Mapping
        Where the numbers come from, for the foot of the page.
    synthetic : bool
        Whether to say, also in the title, that the data are not real.

    Raises
    ------
    SpecError
        When its name is not that of an HTML file.
    StoreError
        When the file cannot be written.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    models = tuple(model for card in cards for model in card.models)
    scripts: list[str] = []
    if models:
        refuse_markup(models)
        script, divs = components(models, wrap_script=False)
        # Not `render()`: that adds addresses of whatever else the process has loaded, such as Panel's components.
        scripts = [*Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw, script]
        scripts.append(style.script("print.js"))
        placed = map(_Markup, divs)
        cards = [
            replace(
                card,
                controls=[(name, next(placed)) for name, _ in card.controls],
                line=next(placed) if card.line else None,
                figures=[next(placed) for _ in card.figures],
            )
            for card in cards
        ]
    values = {"title": title, "subtitle": subtitle, "cards": cards, "notes": notes, "synthetic": synthetic}
    return write_template(path, "page.html", scripts=scripts, **values)


def refuse_markup(models: Iterable[Any]) -> None:
    """Raise for a model that would show a text as markup, or could; such a page is a defect."""
    from bokeh.model import collect_models
    from bokeh.models import (
        Button,
        DataTable,
        Div,
        HoverTool,
        NumberFormatter,
        RadioButtonGroup,
        ScientificFormatter,
        Select,
        Slider,
        StringFormatter,
        TableColumn,
        TextInput,
        Tooltip,
        Widget,
    )
    from bokeh.models.dom import DOMNode

    cells = (StringFormatter, NumberFormatter, ScientificFormatter)
    for each in collect_models(*models):
        if isinstance(each, Div):
            plain = each.render_as_text
        elif isinstance(each, HoverTool):
            plain = isinstance(each.tooltips, list) and not any("<" in value for _, value in each.tooltips)
            plain = plain and not any("{safe}" in value for _, value in each.tooltips)
        elif isinstance(each, Widget):
            # Titles and tooltips of widgets may be markup; the labels of these, the text of a slider or a field, and
            # the cells of a table are not.
            known = (Button, DataTable, RadioButtonGroup, Select, Slider, TextInput)
            plain = isinstance(each, known) and not getattr(each, "title", "")
            plain = plain and not getattr(each, "tooltips", False)
        elif isinstance(each, TableColumn):
            plain = not set("<>") & set(str(each.title)) and type(each.formatter) in cells
        else:
            plain = not isinstance(each, (DOMNode, Tooltip))
        if not plain:
            raise TypeError(f"{each} could make markup of a text; sigcube.explore.style has what shows text as text")


def write_template(path: str | Path, template: str, *, scripts: Sequence[str], **values: Any) -> Path:
    """Fill in a template of this package, which may extend ``page.html``, and write the page.

    All values are escaped. No scripts run but those given. The file is replaced in one step.

    Raises
    ------
    SpecError
        When its name is not that of an HTML file.
    StoreError
        When the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader

    refuse_no_page(Path(path))
    loader = PackageLoader("sigcube.explore", "")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    # Bokeh compiles the code of callbacks.
    allowed = " ".join(["'unsafe-eval'", *map(_source, scripts)] if scripts else ["'none'"])
    own = {"allowed": _Markup(allowed), "scripts": [_Markup(script) for script in scripts]}
    html, target = environment.get_template(template).render(values, **own), Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A lone surrogate, which a name in a file may hold, has no UTF-8.
        write_file(target, html.encode("utf-8", errors="replace"))
    except OSError as error:
        found, hint = error.strerror, None
        if target.is_dir():
            found, hint = "a folder", f"name a file in it: {target / 'page.html'}"
        raise StoreError("the page cannot be written", where=str(target), found=found, hint=hint) from error
    return target


def _source(script: str) -> str:
    """Return what a policy calls a script that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode()}'"
