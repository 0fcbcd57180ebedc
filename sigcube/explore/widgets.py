"""Buttons and menus in the look of the page."""

from collections.abc import Sequence
from typing import Any

from sigcube.explore.style import FONT, INK, SOFT

__all__ = ["buttons", "menu", "titled"]

_CSS = f"""
:host {{ font-family: {FONT}; font-size: 14px; color: {INK}; }}
.bk-btn, .bk-input {{ font-size: 14px; border-color: #d5dae1; background-color: #fff; color: {INK}; }}
.bk-btn {{ padding: 6px 14px; }}
.bk-btn.bk-active {{ background-color: {INK}; border-color: {INK}; color: #fff; box-shadow: none; }}
"""


def _look() -> list[Any]:
    from bokeh.models import InlineStyleSheet

    return [InlineStyleSheet(css=_CSS)]


def menu(options: Sequence[str], *, start: int = 0) -> Any:
    """Return a menu; its ``value`` is what is chosen."""
    from bokeh.models import Select

    return Select(value=options[start], options=list(options), width=190, margin=0, stylesheets=_look())


def buttons(labels: Sequence[str]) -> Any:
    """Return buttons of which one is pressed; ``active`` is its index."""
    from bokeh.models import RadioButtonGroup

    return RadioButtonGroup(labels=list(labels), active=0, margin=0, stylesheets=_look())


def titled(title: str, widget: Any) -> Any:
    """Put a title above a widget."""
    from bokeh.layouts import column
    from bokeh.models import Div

    style = {"font-family": FONT, "font-size": "13px", "color": SOFT}
    return column(Div(text=title, styles=style, margin=0), widget, spacing=3)
