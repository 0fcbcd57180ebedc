"""How far a sweep or a fit is: a bar on a terminal, plain lines anywhere else. Both go to the error stream."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from sigcube.driver import Event
from sigcube.report import count, duration

__all__ = ["fit_progress", "sweep_progress"]

EVERY = 5.0
"""Seconds between plain lines."""

_MOST_FAILURES = 5


@contextmanager
def sweep_progress(console: Console, *, data_points: int) -> Iterator[Callable[[Event], None]]:
    """Give a function that shows the events of a run.

    Parameters
    ----------
    console : rich.console.Console
        Where to show them; a bar if it is a terminal.
    data_points : int
        Points of data behind each grid point, to tell evaluations from grid points.

    Yields
    ------
    callable
        For the ``on_event`` of a run.
    """
    if not console.is_terminal:
        yield _Lines(console, data_points)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
        expand=True,
    )
    with bar:
        yield _Bar(bar, bar.add_task("blocks", total=None, state="starting"), data_points)


@contextmanager
def fit_progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how many systems each model of a fit is done with.

    Parameters
    ----------
    console : rich.console.Console
        Where to show it; a bar a model if it is a terminal, a line now and then if not.

    Yields
    ------
    callable
        For the ``on_progress`` of a fit.
    """
    if not console.is_terminal:
        yield _FitLines(console)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
        TextColumn("{task.completed}/{task.total}"),
        console=console,
        transient=True,
        expand=True,
    )
    tasks: dict[str, TaskID] = {}

    def show(model: str, done: int, total: int) -> None:
        if model not in tasks:
            tasks[model] = bar.add_task(model, total=total)
        bar.update(tasks[model], completed=done)

    with bar:
        yield show


class _FitLines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def __call__(self, model: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= EVERY:
            self._last = now
            self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {model}: {done}/{total}"), soft_wrap=True)


class _Failures:
    """Tells of the first failures in full, and of the others only by their number."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def tell(self, event: Event) -> None:
        if event.kind not in ("failed", "killed") or event.entry is None:
            return
        self._told += 1
        if self._told <= _MOST_FAILURES:
            self._print(f"block {event.entry.block} {event.kind}: {event.entry.error}")
        elif self._told == _MOST_FAILURES + 1:
            self._print("further failures are counted, and kept in the journal")

    def _print(self, line: str) -> None:
        self._console.print(Text(line, style="yellow"), soft_wrap=True)


class _Bar:
    def __init__(self, bar: Progress, task: TaskID, data_points: int) -> None:
        self._bar = bar
        self._task = task
        self._data_points = data_points
        self._failures = _Failures(bar.console)

    def __call__(self, event: Event) -> None:
        self._failures.tell(event)
        if event.kind == "started" and event.text:
            self._bar.console.print(Text(f"dashboard {event.text}", style="dim"), soft_wrap=True)
        progress = event.progress
        self._bar.update(
            self._task, total=progress.blocks, completed=progress.ended, state=describe(event, self._data_points)
        )


class _Lines:
    def __init__(self, console: Console, data_points: int) -> None:
        self._console = console
        self._data_points = data_points
        self._failures = _Failures(console)
        self._last = -EVERY

    def __call__(self, event: Event) -> None:
        self._failures.tell(event)
        if event.kind == "started" and event.text:
            self._print(f"dashboard {event.text}")
        now = time.monotonic()
        if event.kind in ("started", "waiting", "suspect", "finished") or now - self._last >= EVERY:
            self._last = now
            self._print(describe(event, self._data_points))

    def _print(self, line: str) -> None:
        self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)


def describe(event: Event, data_points: int) -> str:
    """Say in one line how far a run is.

    Examples
    --------
    >>> from sigcube.driver import Progress
    >>> progress = Progress(blocks=8, done=3, failed=1, threads=2, points=60_000, seconds=4.0)
    >>> describe(Event(kind="done", progress=progress), 3373)
    '4/8 blocks, 50.6 M evaluations/s, 4 s left, 1 failed'
    """
    progress = event.progress
    if event.kind == "waiting":
        return "waiting for workers"
    parts = [f"{progress.ended}/{progress.blocks} blocks"]
    if progress.points and progress.seconds:
        parts.append(f"{count(progress.points * data_points / progress.seconds)} evaluations/s")
    if progress.seconds_left is not None and progress.ended < progress.blocks:
        parts.append(f"{duration(progress.seconds_left)} left")
    parts += [f"{n} {name}" for name, n in (("failed", progress.failed), ("killed their worker", progress.killed)) if n]
    if event.kind == "suspect":
        parts.append(event.text)
    return ", ".join(parts)
