"""Turns between the explorer and its page in the browser: a change is sent once the last one is drawn there."""

from collections.abc import Callable
from typing import Any

__all__ = ["Later", "Turns"]

#: Calls a function after the current one, in the thread of the page.
Later = Callable[[Callable[[], None]], None]


class Turns:
    """Sends one change at a time, always the newest.

    A dragged pointer asks for more than a browser can draw. If everything were sent, the browser would draw one place
    after another that the pointer has long left.

    Parameters
    ----------
    draw : callable
        Updates what the pointer waits for to the newest view.
    rest : callable
        Updates the rest.
    later : callable, optional
        Calls a function after the current one; without it, everything is drawn at once, and no answer is awaited.
    calm : callable, optional
        Calls the last function it was given, after a pause in which nothing else was drawn.
    overdue : callable, optional
        Calls the last function it was given, when the page should have answered long ago.
    """

    def __init__(
        self,
        *,
        draw: Callable[[], None],
        rest: Callable[[], None],
        later: Later | None = None,
        calm: Later | None = None,
        overdue: Later | None = None,
    ) -> None:
        from bokeh.models import ColumnDataSource, CustomJS

        from sigcube.explore import style

        self._draw, self._rest = draw, rest
        self._later, self._calm, self._overdue = later, calm, overdue
        #: Whether a change waits for its turn.
        self.waiting = False
        # A page that asks for a change also answers; what was drawn before came with the page.
        self._is_there = False
        self._rest_waits = False
        self._sent = self._drawn = 0
        #: A model that the page must hold: the number of the change sent last, and of the one drawn last.
        self.source: Any = ColumnDataSource({"sent": [0], "drawn": [0]}, name="turns")
        self.source.js_on_change("data", CustomJS(code=style.script("explorer/turns.js")))
        self.source.on_change("data", lambda _, __, new: self._hear(int(new["drawn"][0])))

    def want(self) -> None:
        """Ask for the newest view to be drawn."""
        self._is_there = True
        if self._later is None:
            self.draw()
        elif not self.waiting:
            self.waiting = True
            if not self._is_sent:
                self._later(self._go_on)

    def draw(self) -> None:
        """Draw at once."""
        self.waiting = self._rest_waits = False
        self._draw()
        if self._calm is None:
            self._rest()
        else:
            self._calm(self._draw_rest)
        self._send()

    @property
    def _is_sent(self) -> bool:
        """Whether something was sent that is not drawn yet."""
        return self._sent != self._drawn

    def _draw_rest(self) -> None:
        # A waiting change brings its own rest.
        if not self.waiting:
            self._rest_waits = self._is_sent
            if not self._rest_waits:
                self._rest()
                self._send()

    def _send(self) -> None:
        if self._overdue is None or not self._is_there:
            return
        number = self._sent = self._sent + 1
        self.source.data = {"sent": [number], "drawn": [self._drawn]}
        # The page may be in the background, where nothing is drawn, or about to be closed.
        self._overdue(lambda: self._hear(number))

    def _hear(self, drawn: int) -> None:
        if drawn != self._sent or not self._is_sent:
            return
        self._drawn = drawn
        if self.waiting and self._later is not None:
            self._later(self._go_on)
        elif self._rest_waits:
            self._draw_rest()

    def _go_on(self) -> None:
        if self.waiting:
            self.draw()
