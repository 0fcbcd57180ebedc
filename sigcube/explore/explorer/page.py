"""The page of the explorer: a view, the data computed for it, and the figures that show it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.analysis.best import best_index
from sigcube.errors import SigcubeError, SpecError
from sigcube.explore import style
from sigcube.explore.explorer.answers import Answers
from sigcube.explore.explorer.controls import WIDTH, Controls
from sigcube.explore.explorer.copies import as_python, as_spec
from sigcube.explore.explorer.data import ExplorerData, MapValues
from sigcube.explore.explorer.look import (
    MIDDLING,
    TextLines,
    button,
    card,
    column,
    folding_row,
    paint,
    root_style,
    row,
)
from sigcube.explore.explorer.map_figures import LineFigure, MapFigure
from sigcube.explore.explorer.sentences import map_text, values_text
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState, Place, check_state
from sigcube.explore.explorer.systems import SystemCards
from sigcube.explore.explorer.tabs import ExplorerTab
from sigcube.explore.explorer.turns import Later, Turns
from sigcube.explore.explorer.views import PlaceValues, place_values, sample_view
from sigcube.explore.page import refuse_markup

__all__ = ["ExplorerPage"]

_MAP_HEIGHT = 430
_RESIDUALS = 150
# Most places whose models are kept.
_MOST_PLACES = 8
_COPY = "navigator.clipboard.writeText({})"


class ExplorerPage:
    """One page: its models of Bokeh are below `root`.

    Parameters
    ----------
    data, offer
        What there is, and what can be chosen from it.
    state : ExplorerState
        The first view.
    tabs : sequence of ExplorerTab
        The tabs that apply.
    served : bool
        Whether a server is behind the page, so that its address says the view.
    later : callable, optional
        Calls a function after the present one; without it all is drawn at once.
    calm : callable, optional
        Calls the last function that it was given after a pause; without it there is no pause.
    overdue : callable, optional
        Calls the last function that it was given when the page should have answered; without it no answer is awaited.
    failure : str
        What was wrong with the address.
    """

    def __init__(
        self,
        data: ExplorerData,
        offer: ExplorerOffer,
        state: ExplorerState,
        *,
        tabs: Sequence[ExplorerTab],
        served: bool = False,
        later: Later | None = None,
        calm: Later | None = None,
        overdue: Later | None = None,
        failure: str = "",
    ) -> None:
        self.data, self.offer, self.state = data, offer, state
        self._turns = Turns(draw=self._draw_first, rest=self._draw_rest, later=later, calm=calm, overdue=overdue)
        #: How long all drawings have taken so far [s].
        self.seconds_drawn = 0.0
        self._drawn: ExplorerState | None = None
        #: Called after the page was drawn.
        self.after: Callable[[], None] | None = None
        self._places: dict[Any, PlaceValues] = {}
        self._lines = TextLines()
        self._failure, self._progress = self._lines.line(failure, colour="#e03131"), self._lines.line()
        self._said, self._values = self._lines.line(), self._lines.line()
        self._copies = {"spec": self._lines.line(), "Python": self._lines.line()}
        self._address = self._lines.line()
        self._address.model.visible = False
        ask: Any = {"state": lambda: self.state, "change": self.change}
        self.controls = Controls(data, offer, **ask, fail=self._fail)
        self._answers = Answers(data, tabs, **ask, later=later) if tabs else None
        view = sample_view(data, offer, state.place)
        self._systems: SystemCards | None = None
        if view is not None:
            look: Any = {"height": _MAP_HEIGHT - _RESIDUALS, "lifted": served}
            self._systems = SystemCards(
                data, offer, view, lines=self._lines, **ask, fail=self._fail, models=self._models(), **look
            )
        self._map: MapFigure | LineFigure | None = None
        self._make_map()
        self.root = self._layout(served)
        follow = "history.replaceState(null, '', '?' + address.text);" if served else ""
        self._lines.finish(follow, address=self._address.model)
        # Models outside the layout must be held by one inside.
        self.root.tags = [self._lines.source, self._turns.source]
        self._turns.draw()
        refuse_markup([self.root])

    # What changes the view.

    def change(self, state: ExplorerState) -> None:
        """Switch to another view, and draw it soon."""
        try:
            self.state = check_state(state, self.offer)
        except SpecError as error:
            self._fail(error)
            return
        self._failure.say("")
        self._turns.want()

    def _fail(self, error: SigcubeError) -> None:
        more = (("found", error.found), ("expected", error.expected), ("do", error.hint))
        self._failure.say("; ".join([error.what, *(f"{word}: {text}" for word, text in more if text)]))
        self._lines.send()
        self.controls.take(self.state)

    def refresh(self) -> None:
        """Redraw after the store has grown."""
        self.data.forget()
        self._places.clear()
        self._drawn = None
        self._turns.want()

    def say_progress(self, text: str) -> None:
        """Say how far the sweep is."""
        self._progress.say(text)
        self._lines.send()

    def go_live(self) -> None:
        """Note that the page is shown from now on: its lines are then sent to it."""
        self._lines.live = True

    def go_to_best(self) -> None:
        """Move to the best grid point by the current summary."""
        at = best_index(self.data.result[self.state.metric])
        if at is None:
            self._fail(SpecError(f"no grid point has a finite {self.state.metric}"))
        else:
            self.change(self.state.moved_to(self.data.place_of(at)))

    # What the view shows.

    @property
    def waiting(self) -> bool:
        """Whether a drawing is pending."""
        return self._turns.waiting

    def _draw_first(self) -> None:
        """Update figures, tables and controls to the view."""
        with self._clock():
            self._draw()

    @contextmanager
    def _clock(self) -> Iterator[None]:
        start = monotonic()
        try:
            yield
        finally:
            self.seconds_drawn += monotonic() - start

    def _draw(self) -> None:
        state, before, self._drawn = self.state, self._drawn, self.state
        try:
            if before is not None and (before.x, before.y) != (state.x, state.y):
                self._make_map()
                self._map_card.children = [*self._map_card.children[:_ABOVE], *self._map_plots()]
            else:
                self._show_map()
            self._show_places()
        except SigcubeError as error:
            self._fail(error)
        self.controls.take(state)
        if before is None or before.theme != state.theme:
            self._paint()
        if self._answers is not None:
            self._answers.show(anew=before is None)
        self._lines.send()

    def _draw_rest(self) -> None:
        """Update what nobody looks at while a pointer moves, and what takes long."""
        with self._clock():
            if self._systems is not None:
                self._systems.show_rest(*self._models())
            cube = str(self.data.cube_path or "cubes/NAME.zarr")
            for name, write in (("spec", as_spec), ("Python", as_python)):
                self._copies[name].say(write(self.data, self.state, self.offer, cube=cube))
            self._address.say(self.state.to_query())
            self._lines.send()
        if self.after is not None:
            self.after()

    def _place(self, place: Place) -> PlaceValues:
        key = tuple(place.items())
        if key not in self._places:
            if len(self._places) >= _MOST_PLACES:
                self._places.pop(next(iter(self._places)))
            self._places[key] = place_values(self.data, self.offer, place)
        return self._places[key]

    def _models(self) -> tuple[PlaceValues, PlaceValues | None, npt.NDArray[np.float64] | None]:
        """Return model A, model B, and the RMS of each system under the reference."""
        a, live = self._place(self.state.place), self.data.live
        b = None if self.state.other is None else self._place(self.state.other)
        if live is None or not self.data.systems:
            return a, b, None
        return a, b, live.reference_rms(self.data.whole_place(self.state.place, self.offer))

    def _show_places(self) -> None:
        a, b, reference = self._models()
        self._values.say(values_text(self.data, a, b))
        if self._systems is not None:
            self._systems.show(a, b, reference)

    def _make_map(self) -> None:
        values = self.data.map_values(self.state, self.offer)
        attrs, title = self.data.result[self.state.metric].attrs, self._map_title()
        self._map = None
        if len(values.axes) == 2:
            self._map = MapFigure(values, attrs, title, height=_MAP_HEIGHT)
        elif len(values.axes) == 1:
            self._map = LineFigure(values, attrs, title, height=_MAP_HEIGHT)
        if self._map is not None:
            self._map.plot.name = "map"
            self._listen(self._map.plot)
            paint([self._map.plot], self.state.theme)
            refuse_markup([self._map.plot])
        self._say(values)
        self._mark()

    def _map_plots(self) -> list[Any]:
        return [] if self._map is None else [self._map.plot]

    def _map_title(self) -> str:
        unit = style.unit_of(self.data.result[self.state.metric])
        return style.shorten(style.with_unit(self.state.metric, unit), style.FITS)

    def _listen(self, plot: Any) -> None:
        from bokeh.events import DoubleTap, Pan, Tap

        def go(event: Any) -> None:
            names = [name for name in (self.state.x, self.state.y) if name is not None]
            values = dict(zip(names, (event.x, event.y), strict=False))
            if all(value is not None and np.isfinite(value) for value in values.values()):
                self.change(self.controls.moved(self.state, **values))

        for kind in (Tap, DoubleTap, Pan):
            plot.on_event(kind, go)

    def _show_map(self) -> None:
        values = self.data.map_values(self.state, self.offer)
        if self._map is not None and values is not self._shown:
            self._map.show(values, self.data.result[self.state.metric].attrs, self._map_title())
        self._say(values)
        self._mark()

    def _say(self, values: MapValues) -> None:
        self._shown = values
        self._said.say(map_text(self.data, self.offer, self.state, values))

    def _mark(self) -> None:
        if self._map is None:
            return
        places: dict[str, Place | None] = {"a": self.state.place, "b": self.state.other}
        for name, place in places.items():
            x = [] if place is None else [float(place[str(self.state.x)])]
            y = [] if place is None else self._height(place, x[0])
            now = self._map.marks[name].data
            if now["x"].tolist() != x or now["y"].tolist() != y:
                self._map.marks[name].data = {"x": np.array(x, dtype=float), "y": np.array(y, dtype=float)}

    def _height(self, place: Place, x: float) -> list[float]:
        if self.state.y is not None:
            return [float(place[self.state.y])]
        (axis,) = self._shown.axes
        return [float(np.interp(x, axis.values, self._shown.values))]

    # Models of Bokeh.

    def _layout(self, served: bool) -> Any:
        data = self.data
        head = style.text_line(
            str(data.result.attrs.get("title", "Result of a sweep")), size="20px", colour="var(--ink)"
        )
        head.styles = {**head.styles, "font-weight": "650"}
        synthetic = [style.text_line("Synthetic data.", colour="#d9822b")] if style.is_synthetic(data.result) else []
        words = [head, *synthetic, self._progress.model, self._failure.model]
        titles = column(*words, spacing=2, styles={"flex": "1 1 0", "min-width": "0"})
        buttons = row(*self._buttons(served), sizing_mode=None, spacing=6, styles={"flex-wrap": "wrap"})
        header = folding_row(titles, buttons, spacing=14)
        self._values.model.styles = {**self._values.model.styles, **_LIKE_PRINT}
        left = [card("View", self.controls.model), card("At the place", self._values.model)]
        if data.note:
            left.append(card("Why so little" if data.live is None else "To know", style.text_line(data.note)))
        plots = self._map_plots()
        hint = "Click or drag in the figure: the model there is shown." if plots else "Choose labels at the left."
        title = ("Labels", "Along the axis", "Map")[len(self._shown.axes)]
        self._map_card = card(
            title, self._said.model, style.text_line(hint), *plots, flex="5 1 0" if plots else "2 1 0"
        )
        first, below = [self._map_card], []
        if self._systems is not None:
            first.append(self._systems.card_of_one())
            below += [folding_row(*self._systems.cards_of_all(), up_to=MIDDLING)] if data.systems else []
            left += [self._systems.card_of_list(WIDTH)] if data.systems else []
        below += [self._answers.card] if self._answers is not None else []
        below.append(self._copies_card())
        content = column(
            folding_row(*first, up_to=MIDDLING), *below, spacing=12, styles={"flex": "1 1 0", "min-width": "0"}
        )
        side = column(*left, width=WIDTH + 30, sizing_mode=None, spacing=12)
        look = {"padding": "14px 18px", "box-sizing": "border-box", "min-height": "100vh"}
        body = folding_row(side, content, spacing=14)
        return column(header, body, self._address.model, styles=look, spacing=12, name="explorer")

    def _buttons(self, served: bool) -> list[Any]:
        from bokeh.models import CustomJS

        best, self._theme = button("go to the best", width=120), button("dark", width=70)
        best.on_click(self.go_to_best)
        self._theme.on_click(lambda: self.change(self.state.changed(theme=_OTHER_THEME[self.state.theme])))
        if not served:
            return [best, self._theme]
        link, save = button("copy link", width=86), button("save as HTML", width=108)
        link.js_on_click(CustomJS(code=_COPY.format("location.href")))
        go = "window.location.href = 'export.html?' + address.text"
        save.js_on_click(CustomJS(args={"address": self._address.model}, code=go))
        return [best, self._theme, link, save]

    def _copies_card(self) -> Any:
        from bokeh.models import CustomJS

        parts = []
        for name, line in self._copies.items():
            line.model.styles = {**line.model.styles, **_LIKE_PRINT}
            copy = button(f"copy as {name}", width=130)
            copy.js_on_click(CustomJS(args={"line": line.model}, code=_COPY.format("line.text")))
            parts.append(column(copy, line.model, styles={"flex": "1 1 0", "min-width": "0"}))
        return card("This place elsewhere", row(*parts))

    def _paint(self) -> None:
        theme = self.state.theme
        self.root.stylesheets = [root_style(theme)]
        self._theme.label = _OTHER_THEME[theme]
        figures = [*(self._systems.figures if self._systems is not None else []), *self._map_plots()]
        paint([*figures, *(self._answers.figures if self._answers is not None else [])], theme)


# Number of models on the map's card above the figure: its heading and two lines.
_ABOVE = 3
_OTHER_THEME = {"light": "dark", "dark": "light"}
_LIKE_PRINT = {"white-space": "pre-wrap", "font-family": "monospace", "font-size": "12px"}
