"""How far a sweep or a fit is: a bar on a terminal, plain lines anywhere else, and the state of a store in words.

Bars and lines go to the error stream.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from sigcube.driver import Event
from sigcube.store import StoreStatus
from sigcube.wording import count, duration, plural

__all__ = ["describe_status", "fit_progress", "status_record", "sweep_progress"]

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


def status_record(status: StoreStatus) -> dict[str, Any]:
    """Return the state of a store as JSON-able values."""
    errors = [{**asdict(entry), "status": entry.status.word} for entry in status.errors]
    return {**asdict(status), "errors": errors}


def describe_status(status: StoreStatus) -> str:
    """Return the state of a store as text."""
    rows = [
        ("blocks", f"{count(status.done)} of {count(status.blocks)} done{_share(status.done, status.blocks)}"),
        ("points", f"{count(status.points_done)} of {count(status.points)} computed"),
    ]
    if status.invalid:
        rows.append(("invalid", f"{count(status.invalid)} grid points where the model is not finite"))
    if status.failed or status.killed:
        rows.append(("failures", f"{status.failed} failed, {status.killed} killed their worker"))
    if status.evaluations_per_second:
        rows.append(("speed", f"{count(status.evaluations_per_second)} evaluations/s"))
    rows.append(("state", _state(status)))
    rows += [("", f"block {entry.block} {entry.status.word}: {entry.error}") for entry in status.errors[:5]]
    if len(status.errors) > 5:
        rows.append(("", f"and {len(status.errors) - 5} more; --json shows all"))
    return "\n".join(f"  {label:<10}{text}".rstrip() for label, text in rows)


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.0%})" if whole and part < whole else ""


def _state(status: StoreStatus) -> str:
    if status.holder is not None:
        left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
        return f"running on {status.holder.host}, process {status.holder.pid}{left}"
    if status.todo:
        return f"stopped with {plural(status.todo, 'block')} to do; the same sweep command resumes it"
    return "complete" if not status.errors else "complete but for the failures; --retry-failed tries them again"
