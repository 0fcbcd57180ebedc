"""The view of the explorer as one value, which is also an address: read from a query string, and written to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.explore.result_data import ResultAxis

__all__ = ["THEMES", "ExplorerOffer", "ExplorerState", "Place"]

#: A value or a label of each axis, by its name.
Place = Mapping[str, float | str]

THEMES = ("light", "dark")

_PLACES = {"a": "place", "b": "other"}
_SINGLE = {"metric": "metric", "x": "x", "y": "y", "move": "moving", "across": "across", "up": "up", "tab": "tab"}
_SINGLE |= {"theme": "theme"}
_NODES = "nodes"
_SYSTEM = "system"


@dataclass(frozen=True)
class ExplorerOffer:
    """The choices that a result offers.

    Attributes
    ----------
    metrics : tuple of str
        The summaries, the default one first.
    axes : tuple of ResultAxis
        The axes along which the result varies: those of labels, then those of numbers.
    between : frozenset of str
        The axes that may take any value within their range; the others take only those of the grid.
    systems : tuple of str
        Names of the systems.
    columns : tuple of str
        The columns that the scatter of systems can show.
    tabs : tuple of str
        Titles of the tabs.
    """

    metrics: tuple[str, ...]
    axes: tuple[ResultAxis, ...]
    between: frozenset[str] = frozenset()
    systems: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    tabs: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the axes of numbers, those with most values first."""
        own = (axis for axis in self.axes if axis.use != "label")
        return tuple(axis.name for axis in sorted(own, key=lambda axis: -axis.size))

    def axis(self, name: str) -> ResultAxis:
        """Return an axis by its name."""
        return next(axis for axis in self.axes if axis.name == name)

    def value_at(self, axis: ResultAxis, index: int) -> float | str:
        """Return the value or label of an axis at an index, as a place holds it."""
        return axis.texts[index] if axis.use == "label" else float(axis.values[index])

    def index_of(self, name: str, value: float | str) -> int:
        """Return the index of the grid's value nearest to a value, or of a label."""
        axis = self.axis(name)
        return axis.texts.index(str(value)) if axis.use == "label" else axis.nearest(float(value))

    def on_grid(self, name: str, value: float | str) -> float | str:
        """Return the grid's value nearest to a value; a label as it is."""
        return self.value_at(self.axis(name), self.index_of(name, value))

    def is_on_grid(self, place: Place) -> bool:
        """Whether every value of a place is one of the grid."""
        return all(self.on_grid(name, value) == value for name, value in place.items())

    def start(self, place: Place) -> "ExplorerState":
        """Return the first view, at a place."""
        shown = self.numeric[:2]
        x, y = (*shown, None, None)[:2]
        columns = (*self.columns, "", "")[:2]
        return ExplorerState(
            metric=self.metrics[0], x=x, y=y, place=place, across=columns[0], up=columns[1], tab=(*self.tabs, "")[0]
        )


@dataclass(frozen=True)
class ExplorerState:
    """One view of the explorer.

    Attributes
    ----------
    metric : str
        The summary of the map.
    x, y : str or None
        The axes of the map; without y it is a line, without both a table.
    place, other : Mapping
        The model shown, and possibly a second one beside it.
    moving : {"a", "b"}
        Which of the two the controls move.
    nodes : bool
        Whether places snap to the nearest grid point.
    systems : tuple of str
        The picked systems; the first one is shown by itself.
    across, up : str
        The columns of the scatter of systems.
    tab, theme : str
        The open tab; ``light`` or ``dark``.
    """

    metric: str
    x: str | None
    y: str | None
    place: Place
    other: Place | None = None
    moving: str = "a"
    nodes: bool = False
    systems: tuple[str, ...] = ()
    across: str = ""
    up: str = ""
    tab: str = ""
    theme: str = THEMES[0]

    @property
    def moved(self) -> Place:
        """The place that the controls move."""
        return self.other if self.moving == "b" and self.other is not None else self.place

    def at(self, **values: float | str) -> Self:
        """Return the view with the moved place at other values."""
        return self.moved_to({**self.moved, **values})

    def moved_to(self, place: Place) -> Self:
        """Return the view with the moved place elsewhere."""
        return self.changed(**{_PLACES[self.moving]: MappingProxyType(dict(place))})

    def changed(self, **values: Any) -> Self:
        """Return the view with other values of its attributes."""
        return replace(self, **values)

    def to_query(self) -> str:
        """Write the view as the query of an address."""
        pairs: list[tuple[str, str]] = []
        for key, name in _SINGLE.items():
            if (value := getattr(self, name)) not in (None, ""):
                pairs.append((key, value))
        for prefix, name in _PLACES.items():
            pairs += [(f"{prefix}.{axis}", _text(value)) for axis, value in (getattr(self, name) or {}).items()]
        pairs += [(_NODES, "1")] if self.nodes else []
        pairs += [(_SYSTEM, name) for name in self.systems]
        # A lone surrogate has no UTF-8: an address replaces it, and is refused later.
        return urlencode(pairs, errors="replace")

    @classmethod
    def from_query(cls, query: str, offer: ExplorerOffer, start: "ExplorerState") -> "ExplorerState":
        """Read a view from the query of an address; whatever it leaves out is as in `start`.

        Raises
        ------
        SpecError
            For a key, a name or a value that the result does not have.
        """
        found: dict[str, Any] = {}
        places: dict[str, dict[str, float | str]] = {}
        systems: list[str] = []
        for key, text in parse_qsl(query, keep_blank_values=True):
            prefix, _, axis = key.partition(".")
            if key in _SINGLE:
                found[_SINGLE[key]] = text
            elif key == _SYSTEM:
                systems.append(text)
            elif key == _NODES:
                found["nodes"] = text == "1"
            elif prefix in _PLACES and axis:
                places.setdefault(_PLACES[prefix], {})[axis] = _value(offer, axis, text, where=key)
            else:
                valid = [*_SINGLE, _NODES, _SYSTEM, *(f"{p}.{axis.name}" for p in _PLACES for axis in offer.axes)]
                raise SpecError(f"an address has no {key[:80]!r}", where="address", hint=did_you_mean(key, valid))
        if "x" in found or "y" in found:
            found = {"x": None, "y": None} | found
        if systems:
            found["systems"] = tuple(dict.fromkeys(systems))
        for name, place in places.items():
            found[name] = MappingProxyType({**start.place, **place})
        return check_state(replace(start, **found), offer)


def check_state(state: ExplorerState, offer: ExplorerOffer) -> ExplorerState:
    """Return a view if a result can show it.

    Raises
    ------
    SpecError
        For a name or a value that the result does not have.
    """
    _check_name("metric", state.metric, offer.metrics)
    n = min(2, len(offer.numeric))
    axes = [name for name in (state.x, state.y) if name is not None]
    if len(axes) != n or (n and state.x is None):
        raise SpecError("a map has as many axes as the result has", where="x", found=", ".join(axes), expected=str(n))
    for key, name in zip("xy", axes, strict=False):
        _check_name(key, name, offer.numeric)
    if n == 2 and state.x == state.y:
        raise SpecError("a map needs two axes", where="y", found=f"{state.x} twice")
    for place in (state.place, *([state.other] if state.other is not None else [])):
        _check_place(place, offer)
    _check_name("move", state.moving, ("a", "b") if state.other is not None else ("a",))
    for system in state.systems:
        _check_name("system", system, offer.systems)
    for key, text, valid in (("across", state.across, offer.columns), ("up", state.up, offer.columns)):
        if valid:
            _check_name(key, text, valid)
    if offer.tabs:
        _check_name("tab", state.tab, offer.tabs)
    _check_name("theme", state.theme, THEMES)
    return state


def _check_name(key: str, name: str, valid: Sequence[str]) -> None:
    if name not in valid:
        raise SpecError(f"there is no {key} {shown(name)}", where=f"address, {key}", hint=did_you_mean(name, valid))


def _check_place(place: Place, offer: ExplorerOffer) -> None:
    for axis in offer.axes:
        if axis.name not in place:
            raise SpecError(f"a place has a value on each axis, also on {axis.name!r}", where="address")
        value, where = place[axis.name], f"address, {axis.name}"
        if axis.use == "label":
            _check_name(axis.name, str(value), axis.texts)
        elif isinstance(value, str) or not (isfinite(value) and axis.values[0] <= value <= axis.values[-1]):
            expected = f"{_text(float(axis.values[0]))} to {_text(float(axis.values[-1]))}"
            raise SpecError("this value is outside the grid", where=where, found=shown(value), expected=expected)
    if others := [name for name in place if name not in {axis.name for axis in offer.axes}]:
        hint = did_you_mean(others[0], [axis.name for axis in offer.axes])
        raise SpecError(f"there is no axis {others[0]!r}", where="address", hint=hint)


def _value(offer: ExplorerOffer, name: str, text: str, *, where: str) -> float | str:
    names = [axis.name for axis in offer.axes]
    if name not in names:
        raise SpecError(f"there is no axis {name[:80]!r}", where=f"address, {where}", hint=did_you_mean(name, names))
    axis = offer.axis(name)
    if axis.use == "label":
        return text
    try:
        value = float(text)
    except ValueError:
        raise SpecError(f"{name} takes numbers", where=f"address, {where}", found=shown(text)) from None
    if name in offer.between or not axis.values[0] <= value <= axis.values[-1]:
        # A value outside the grid is refused with the whole view.
        return value
    # An axis that varies together with others, or whose models are unknown, takes values of the grid.
    return offer.on_grid(name, value)


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value)
