"""Turns of the explorer and its page: nothing old is sent, and the newest view is drawn in the end."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.explore.explorer.turns import Turns

# Bokeh takes a second to import.
pytestmark = pytest.mark.slow


class Browser:
    """A page that asks, draws when it comes to it, and answers; time passes when a test says so."""

    def __init__(self) -> None:
        self.view = 0
        self.drawn: list[int] = []
        self.rests: list[int] = []
        self.sent: list[int] = []
        self.ticks: list[Callable[[], None]] = []
        self.timers: dict[str, Callable[[], None]] = {}
        self.turns = Turns(
            draw=lambda: self.drawn.append(self.view),
            rest=lambda: self.rests.append(self.view),
            later=self.ticks.append,
            calm=lambda then: self.timers.update(calm=then),
            overdue=lambda then: self.timers.update(overdue=then),
        )
        self.turns.source.on_change("data", lambda _, __, new: self._take(new))
        self.turns.draw()

    @property
    def unanswered(self) -> list[int]:
        """The numbers of what was sent and not answered."""
        return [number for number in self.sent if number > self.turns.source.data["drawn"][0]]

    def _take(self, data: dict[str, list[int]]) -> None:
        if data["sent"] != data["drawn"]:
            self.sent.append(data["sent"][0])

    def act(self, what: str) -> None:
        """Let one thing happen, if it can."""
        if what == "ask":
            self.view += 1
            self.turns.want()
        elif what == "tick" and self.ticks:
            self.ticks.pop(0)()
        elif what == "answer" and self.unanswered:
            self.turns.source.data = {name: self.sent[-1:] for name in ("sent", "drawn")}
        elif what in self.timers:
            self.timers.pop(what)()


ACTS = ("ask", "tick", "answer", "calm")


@given(st.lists(st.sampled_from(ACTS), max_size=60))
def test_one_change_is_under_way_at_a_time_and_the_newest_is_drawn_in_the_end(acts: list[str]) -> None:
    browser = Browser()
    for act in acts:
        browser.act(act)
        assert len(browser.unanswered) <= 1
        # An older view is never drawn after a newer one, nor the same one again.
        assert browser.drawn == sorted(set(browser.drawn))
    for act in ("tick", "answer", "tick", "answer", "calm", "answer", "calm"):
        browser.act(act)
    assert browser.drawn[-1] == browser.view
    assert browser.rests[-1:] == [browser.view]


@given(st.lists(st.sampled_from(("ask", "tick", "calm", "overdue")), max_size=60))
def test_a_page_that_never_answers_is_not_waited_for(acts: list[str]) -> None:
    browser = Browser()
    for act in (*acts, "overdue", "tick", "overdue", "calm"):
        browser.act(act)
    assert browser.drawn[-1] == browser.view
    assert browser.rests[-1:] == [browser.view]


def test_what_came_with_the_page_is_not_waited_for() -> None:
    browser = Browser()
    browser.act("calm")
    assert (browser.rests, browser.sent) == ([0], [])
    browser.act("ask")
    browser.act("tick")
    assert (browser.drawn, browser.sent) == ([0, 1], [1])


def test_of_changes_that_come_while_one_is_drawn_the_last_is_drawn() -> None:
    browser = Browser()
    for act in ("ask", "tick", "ask", "ask", "ask", "tick", "calm"):
        browser.act(act)
    # The rest would keep the pointer waiting.
    assert (browser.drawn, browser.rests) == ([0, 1], [])
    browser.act("answer")
    browser.act("tick")
    assert (browser.drawn, browser.sent) == ([0, 1, 4], [1, 2])


def test_without_a_page_behind_it_all_is_drawn_at_once() -> None:
    drawn: list[str] = []
    turns = Turns(draw=lambda: drawn.append("first"), rest=lambda: drawn.append("rest"))
    turns.want()
    assert (drawn, turns.waiting) == (["first", "rest"], False)
    assert turns.source.data == {"sent": [0], "drawn": [0]}
