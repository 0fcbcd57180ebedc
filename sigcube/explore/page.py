"""A page of cards as one HTML file that needs nothing else: scripts, styles and data are inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigcube.errors import StoreError
from sigcube.files import write_file

__all__ = ["Card", "CardTable", "write_page", "write_template"]


@dataclass(frozen=True)
class CardTable:
    """A table of a page.

    Attributes
    ----------
    head : tuple of str
        The titles of the columns; one that begins with ``>`` has numbers, aligned to the right.
    rows : sequence of tuple of str
        The cells. A cell may also be a pair of a text and an address, which becomes a link.
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str | tuple[str, str], ...]]


@dataclass(frozen=True)
class Card:
    """One part of a page, on a sheet of its own.

    Attributes
    ----------
    title, text : str
        Its heading, and a sentence below it.
    model : bokeh.model.Model or None
        A figure, or several with their menus.
    wide : bool
        Whether it takes two of the three columns.
    table : CardTable or None
        A table, below the figures.
    full : bool
        Whether it takes all three columns.
    """

    title: str
    text: str
    model: Any
    wide: bool = False
    table: CardTable | None = None
    full: bool = False


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
        From left to right and down.
    title, subtitle : str
        The heading, and a sentence below it.
    notes : Mapping
        Where the numbers come from, for the foot of the page.
    synthetic : bool
        Whether to say, in the title too, that the data are not real.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    drawn = [card.model for card in cards if card.model is not None]
    script, divs = components(tuple(drawn)) if drawn else ("", ())
    rest = iter(divs)
    return write_template(
        path,
        "page.html",
        title=title,
        subtitle=subtitle,
        cards=[(card, "" if card.model is None else next(rest)) for card in cards],
        notes=notes,
        synthetic=synthetic,
        # Not `render()`: that adds addresses of whatever else the process has loaded, such as Panel's components.
        libraries=Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw if drawn else (),
        script=script,
    )


def write_template(path: str | Path, template: str, **values: Any) -> Path:
    """Fill in a template of this package, which may extend ``page.html``, and write the page.

    Values are escaped, except those that the template marks as safe. The file is replaced in one step.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("sigcube.explore", "")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    html, target = environment.get_template(template).render(values), Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, html.encode("utf-8"))
    except OSError as error:
        raise StoreError("the page cannot be written", where=str(target), found=error.strerror) from error
    return target
