"""Following a running sweep: look at the journal, and redraw when blocks have landed."""

import os
from collections.abc import Callable
from time import monotonic
from typing import Any

from sigcube.errors import SigcubeError
from sigcube.explore.explorer.page import ExplorerPage
from sigcube.store import StoreStatus, journal_folder, status
from sigcube.wording import plural

__all__ = ["follow"]

# How often to look [ms], and the largest share of the time that drawing may take.
_EVERY = 1000
_SHARE = 0.2


def follow(page: ExplorerPage, repeat: Callable[[Callable[[], None], int], Any]) -> None:
    """Redraw a page whenever its store has grown; nothing is written or locked.

    Parameters
    ----------
    page : ExplorerPage
        The page; for a result in memory, nothing happens.
    repeat : callable
        Takes a function, and how often to call it [ms].
    """
    path = page.data.path
    if path is None or not journal_folder(path).is_dir():
        return
    follower = _Follower(page, journal_folder(path) / "blocks.jsonl")
    follower.look()
    repeat(follower.look, _EVERY)


class _Follower:
    def __init__(self, page: ExplorerPage, journal: Any) -> None:
        self._page, self._journal = page, journal
        self._seen: tuple[int, int] | None = None
        # When it last read the journal, how long that took, and what the page had taken for drawing before [s].
        self._start = self._read = self._drawn = 0.0

    def look(self) -> None:
        """Look whether the journal has grown."""
        try:
            found = os.stat(self._journal)
        except OSError:
            self._page.say_progress("The store is gone.")
            return
        now = found.st_size, found.st_mtime_ns
        if now == self._seen or self._is_soon():
            return
        first, self._seen = self._seen is None, now
        self._start, self._drawn = monotonic(), self._page.seconds_drawn
        try:
            state = status(str(self._page.data.path))
        except SigcubeError as error:
            self._page.say_progress(error.what)
            return
        finally:
            self._read = monotonic() - self._start
        self._page.say_progress(_progress_text(state))
        if not first:
            self._page.refresh()

    def _is_soon(self) -> bool:
        """Whether the page has not drawn yet, or what the last look led to would take more than its share of the time.

        A journal of a million blocks is not read every second, nor a large map drawn.
        """
        taken = self._read + self._page.seconds_drawn - self._drawn
        return self._page.waiting or monotonic() < self._start + taken / _SHARE


def _progress_text(state: StoreStatus) -> str:
    bad = state.failed + state.killed
    failed = f" {plural(bad, 'block')} failed." if bad else ""
    if not state.todo:
        return f"{plural(state.blocks, 'block')}, all ended.{failed}" if bad else ""
    runs = "the sweep runs" if state.holder is not None else "no sweep is at work"
    left = f", {state.seconds_left:,.0f} s left" if state.seconds_left is not None else ""
    return f"{state.done:,} of {plural(state.blocks, 'block')} are done; {runs}{left}.{failed}"
