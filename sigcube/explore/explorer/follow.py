"""How the explorer follows a sweep that runs: it looks at the journal, and draws again when blocks have landed."""

import os
import time
from collections.abc import Callable
from typing import Any

from sigcube.errors import SigcubeError
from sigcube.explore.explorer.page import ExplorerPage
from sigcube.store import StoreStatus, journal_folder, status

__all__ = ["follow"]

# How often it looks [ms]; drawing may take at most this share of the time.
_EVERY = 1000
_SHARE = 0.2


def follow(page: ExplorerPage, repeat: Callable[[Callable[[], None], int], Any]) -> None:
    """Draw a page again whenever its store has grown; nothing is written or locked.

    Parameters
    ----------
    page : ExplorerPage
        The page; that of a result in memory stays as it is.
    repeat : callable
        Takes a function, and how often it shall be called [ms].
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
        self._next = 0.0

    def look(self) -> None:
        """See whether the journal has grown since."""
        try:
            found = os.stat(self._journal)
        except OSError:
            self._page.say_progress("The store is gone.")
            return
        now = found.st_size, found.st_mtime_ns
        if now == self._seen or time.monotonic() < self._next:
            return
        first, self._seen = self._seen is None, now
        start = time.monotonic()
        try:
            state = status(str(self._page.data.path))
        except SigcubeError as error:
            self._page.say_progress(error.what)
            return
        self._page.say_progress(_progress_text(state))
        if not first:
            self._page.refresh()
        # A journal of a million blocks is not read each second.
        self._next = start + (time.monotonic() - start) / _SHARE


def _progress_text(state: StoreStatus) -> str:
    bad = state.failed + state.killed
    failed = f" {bad:,} blocks failed." if bad else ""
    if not state.todo:
        return f"{state.blocks:,} blocks, all ended.{failed}" if bad else ""
    runs = "the sweep runs" if state.holder is not None else "no sweep is at work"
    left = f", {state.seconds_left:,.0f} s left" if state.seconds_left is not None else ""
    return f"{state.done:,} of {state.blocks:,} blocks are done; {runs}{left}.{failed}"
