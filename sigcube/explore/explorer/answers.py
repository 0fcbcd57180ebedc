"""The card of questions in the explorer: its tabs and their answers, with long ones computed in the background."""

import logging
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

from sigcube.errors import SigcubeError
from sigcube.explore import style
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.look import MIDDLING, button, card, column, folding_row, paint, small_table, themed
from sigcube.explore.explorer.state import ExplorerState
from sigcube.explore.explorer.tabs import ExplorerTab
from sigcube.explore.explorer.turns import Later
from sigcube.explore.page import CardTable, refuse_markup

__all__ = ["Answers"]

# With more values, an answer takes longer than users wait without a word.
_MANY = 300_000
# With even more, it takes seconds to minutes: users have to ask for it.
_MOST_UNASKED = 10**7
_BESIDE_EACH_OTHER = 3
_LOG = logging.getLogger(__name__)


class Answers:
    """The tabs.

    Parameters
    ----------
    data : ExplorerData
        What there is.
    tabs : sequence of ExplorerTab
        Those that apply.
    state, change : callable
        Return the view; take another one.
    later : callable or None
        Without it, every answer is waited for.
    """

    def __init__(
        self,
        data: ExplorerData,
        tabs: Sequence[ExplorerTab],
        *,
        state: Callable[[], ExplorerState],
        change: Callable[[ExplorerState], None],
        later: Later | None,
    ) -> None:
        self._data, self._state, self._later = data, state, later
        self._tabs = {tab.title: tab for tab in tabs}
        self._asked: object = None
        # The number of the question shown, of the one being answered, and of the next one.
        self._number = 0
        self._at_work = False
        self._next: tuple[int, ExplorerTab, ExplorerState] | None = None
        self._body = column(spacing=8)
        self.figures: list[Any] = []
        self._switch = style.buttons([*self._tabs])
        self._switch.name = "tabs"
        themed(self._switch)
        self._switch.on_change("active", lambda _, __, new: change(state().changed(tab=[*self._tabs][new])))
        self.card = card("Questions", self._switch, self._body)

    def show(self, *, anew: bool) -> None:
        """Show the answer for the view, even if its tab and summary are as before."""
        state = self._state()
        if (tab := self._tabs.get(state.tab)) is None:
            return
        wanted = state.tab, state.metric, (state.place, state.other, state.systems) if tab.of_place else None
        if wanted == self._asked and not anew:
            return
        if wanted != self._asked:
            self._number += 1
            self._next = None
        again, self._asked = wanted == self._asked, wanted
        self._switch.active = [*self._tabs].index(tab.title)
        number, size = self._number, self._data.result["status"].size
        if size > _MOST_UNASKED:
            go = button("answer it", width=90)
            go.on_click(lambda: self._answer(number, tab, state, again=False))
            self._body.children = [style.text_line(f"This question goes through all {size:,} values."), go]
        else:
            self._answer(number, tab, state, again=again)

    def _answer(self, number: int, tab: ExplorerTab, state: ExplorerState, *, again: bool) -> None:
        if self._later is None or self._data.result["status"].size < _MANY:
            self._put(self._ask(tab, state))
            return
        if not again:
            self._body.children = [style.text_line("The answer is being computed …")]
        self._next = number, tab, state
        if not self._at_work:
            self._work(self._later)

    def _work(self, later: Later) -> None:
        """Answer the next question in the background, one at a time, so that a running sweep does not pile them up."""
        if self._next is None:
            return
        (number, tab, state), self._next = self._next, None
        self._at_work = True

        def done(found: Sequence[Any]) -> None:
            self._at_work = False
            if number == self._number:
                self._put(found)
            self._work(later)

        def work() -> None:
            found = self._ask(tab, state)
            try:
                later(lambda: done(found))
            except Exception:
                _LOG.debug("the page was closed before its answer", exc_info=True)

        Thread(target=work, name="sigcube-explorer-answer", daemon=True).start()

    def _ask(self, tab: ExplorerTab, state: ExplorerState) -> Sequence[Any]:
        try:
            return tab.content(state, self._data)
        except SigcubeError as error:
            return [str(error)]
        except Exception as error:
            # A tab may be a user's own; the page goes on without its answer.
            _LOG.exception("the tab %r has no answer", tab.title)
            return [f"This question has no answer, for an error in its code: {type(error).__name__}: {error}"]

    def _put(self, found: Sequence[Any]) -> None:
        made: list[Any] = []
        self.figures = [each for each in found if not isinstance(each, str | CardTable)]
        for each in found:
            if isinstance(each, str):
                made.append(style.text_line(each))
            elif isinstance(each, CardTable):
                made.append(small_table(each))
        paint(self.figures, self._state().theme)
        rows = range(0, len(self.figures), _BESIDE_EACH_OTHER)
        made[1:1] = [folding_row(*self.figures[i : i + _BESIDE_EACH_OTHER], up_to=MIDDLING) for i in rows]
        refuse_markup(made)
        self._body.children = made
