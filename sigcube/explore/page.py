"""A page of cards as one HTML file that needs nothing else: scripts, styles and data are inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from sigcube.errors import StoreError
from sigcube.files import write_file

__all__ = ["Card", "CardTable", "write_page", "write_text"]


@dataclass(frozen=True)
class CardTable:
    """A table of a page.

    Attributes
    ----------
    head : tuple of str
        The titles of the columns; one that begins with > has numbers, set to the right.
    rows : sequence of tuple of str
        The cells. The first of a row may be a text and an address, to make a link of it.
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str | tuple[str, str], ...]]


@dataclass(frozen=True)
class Card:
    """One panel of a page.

    Attributes
    ----------
    title, text : str
        Its heading, and a sentence below it.
    model : bokeh.model.Model or None
        What it shows.
    wide : bool
        Whether it takes two of the three columns.
    table : CardTable or None
        A table below that.
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
    from jinja2 import Environment

    drawn = [card.model for card in cards if card.model is not None]
    script, divs = components(tuple(drawn)) if drawn else ("", ())
    rest = iter(divs)
    parts = ["" if card.model is None else next(rest) for card in cards]
    template = files("sigcube.explore").joinpath("page.html").read_text(encoding="utf-8")
    html = (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            title=title,
            subtitle=subtitle,
            cards=list(zip(cards, parts, strict=True)),
            notes=notes,
            synthetic=synthetic,
            # Not `render()`: that adds addresses of whatever else the process has loaded, such as Panel's components.
            scripts=Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw if drawn else (),
            script=script,
        )
    )
    return write_text(Path(path), html)


def write_text(path: Path, text: str) -> Path:
    """Write a page in one step."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode())
    except OSError as error:
        raise StoreError("the page cannot be written", where=str(path), found=error.strerror) from error
    return path
