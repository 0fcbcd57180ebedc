"""What the lines of the explorer say."""

import numpy as np

from sigcube.explore import style
from sigcube.explore.explorer.data import ExplorerData, MapValues
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState
from sigcube.explore.explorer.views import PlaceValues
from sigcube.wording import amount

__all__ = ["map_text", "values_text"]

# Letters of a number, such as -1.234e+13, and a blank before it.
_NUMBER = 11


def map_text(data: ExplorerData, offer: ExplorerOffer, state: ExplorerState, values: MapValues) -> str:
    """Say what a map shows: the summary, where, and what is missing."""
    names = [axis.name for axis in values.axes]
    held = {name: value for name, value in state.moved.items() if name not in names}
    where = ", ".join(f"{n} = {v if isinstance(v, str) else style.plain_number(v)}" for n, v in held.items())
    text = f"{style.value_title(data.result[state.metric])}{f' at {where}' if where else ''}."
    if data.live is not None:
        place = data.whole_place(state.moved, offer)
        if idle := [name for name in names if not data.live.uses(place, name)]:
            text += f" With these labels {' and '.join(idle)} make{'s' * (len(idle) == 1)} no difference."
    if values.between:
        text += " Computed for this page, between grid points."
    if missing := int((values.status == 0).sum()):
        text += f" Not computed yet: {missing / values.status.size:.0%} of what is shown, grey."
    if failed := int((values.status >= 3).sum()):
        text += f" Failed: {failed:,} points, red."
    if any(axis.values.size < offer.axis(axis.name).size for axis in values.axes):
        text += " Of a long axis some values are shown, evenly spaced."
    return text


def values_text(data: ExplorerData, a: PlaceValues, b: PlaceValues | None) -> str:
    """Write the summaries of both places as a table of text."""
    # The card is 40 letters wide.
    most = 24 if b is None else 40 - 2 * _NUMBER
    titles = {name: style.fitted(name, style.unit_of(data.result[name]), most) for name in data.metrics}
    width = max(map(len, titles.values()))

    def cell(value: float) -> str:
        return f"{amount(float(value)) if np.isfinite(value) else '–':>{_NUMBER}}"

    lines = [f"{'':{width}}{'A':>{_NUMBER}}{'' if b is None else 'B':>{_NUMBER}}".rstrip()]
    for name, title in titles.items():
        other = "" if b is None else cell(b.summaries[name])
        lines.append(f"{title:{width}}{cell(a.summaries[name])}{other}")
    lines.append("" if a.on_grid else "A is between grid points.")
    return "\n".join(lines).rstrip()
