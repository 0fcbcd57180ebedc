"""Progress of a sweep, a fit or a verification on standard error: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from sigcube.driver.events import Event
from sigcube.wording import count, duration

__all__ = ["EVERY", "JointProgress", "count_progress", "joint_progress", "sweep_progress"]

EVERY = 5.0
"""Seconds between plain lines."""

_MOST_FAILURES = 5


@contextmanager
def sweep_progress(console: Console, *, data_points: int) -> Iterator[Callable[[Event], None]]:
    """Yield a function for the ``on_event`` of a run: it moves a bar on a terminal, and prints lines elsewhere.

    Each grid point is evaluated at ``data_points`` points of data.
    """
    with _sweep_progress(console, data_points) as shown:
        yield shown


@contextmanager
def joint_progress(console: Console, data_points: Mapping[str, int]) -> Iterator["JointProgress"]:
    """Yield the display of the sweeps of several datasets, in turn; `data_points` has the points of each."""
    with _sweep_progress(console, 0) as shown:
        yield JointProgress(shown, data_points)


@contextmanager
def _sweep_progress(console: Console, data_points: int) -> Iterator["_SweepProgress"]:
    if not console.is_terminal:
        yield _SweepProgress(console, data_points)
        return
    with _bar(console, "{task.fields[state]}") as bar:
        bar.add_task("blocks", total=None, state="starting")
        yield _SweepProgress(console, data_points, bar)


class JointProgress:
    """The progress of a joint sweep: that of the current dataset, with its name and number."""

    def __init__(self, shown: "_SweepProgress", data_points: Mapping[str, int]) -> None:
        self._shown, self._data_points = shown, data_points

    def begin(self, name: str, _: object) -> None:
        """Switch to another dataset."""
        number = list(self._data_points).index(name) + 1
        self._shown.begin(f"{name} ({number} of {len(self._data_points)}): ", self._data_points[name])

    def __call__(self, event: Event) -> None:
        """Show an event of its run."""
        self._shown(event)


@contextmanager
def count_progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of a name, the number done and their total: a bar for each on a terminal, else lines."""
    if not console.is_terminal:
        last = time.monotonic()

        def print_line(name: str, done: int, total: int) -> None:
            nonlocal last
            if done == total or time.monotonic() - last >= EVERY:
                last = time.monotonic()
                _print(console, f"{name}: {done}/{total}")

        yield print_line
        return
    tasks: dict[str, TaskID] = {}
    with _bar(console, "{task.completed}/{task.total}") as bar:

        def move_bar(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield move_bar


def _bar(console: Console, state: str) -> Progress:
    return Progress(
        # Names of models are no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
        TextColumn(state, markup=False),
        console=console,
        transient=True,
        expand=True,
    )


def _print(console: Console, line: str) -> None:
    console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)


class _SweepProgress:
    """Shows events: the first failures in full, the others by number, and the state of the run."""

    def __init__(self, console: Console, data_points: int, bar: Progress | None = None) -> None:
        self._console = console
        self._data_points = data_points
        self._bar = bar
        self._of = ""
        self._failures = 0
        self._last = -EVERY
        self._last_line = ""

    def begin(self, of: str, data_points: int) -> None:
        """Switch to another run, whose lines begin with its name."""
        self._of, self._data_points, self._failures = of, data_points, 0

    def __call__(self, event: Event) -> None:
        if event.kind in ("failed", "killed") and event.entry is not None:
            self._failures += 1
            if self._failures <= _MOST_FAILURES:
                self._warn(f"block {event.entry.block} {event.kind}: {event.entry.error}")
            elif self._failures == _MOST_FAILURES + 1:
                self._warn("further failures are counted, and kept in the journal")
        if event.kind == "refused":
            self._warn(f"this worker gets no blocks: {event.text}")
        if event.kind == "started" and event.text:
            self._console.print(Text(f"dashboard {event.text}", style="dim"), soft_wrap=True)
        line = f"{self._of}{describe(event, self._data_points)}"
        if self._bar is not None:
            progress = event.progress
            self._bar.update(self._bar.task_ids[0], total=progress.blocks, completed=progress.ended, state=line)
            return
        now = time.monotonic()
        due = event.kind in ("started", "waiting", "suspect", "finished") or now - self._last >= EVERY
        if due and line != self._last_line:
            self._last, self._last_line = now, line
            _print(self._console, line)

    def _warn(self, line: str) -> None:
        self._console.print(Text(line, style="yellow"), soft_wrap=True)


def describe(event: Event, data_points: int) -> str:
    """Describe in one line how far a run is.

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
