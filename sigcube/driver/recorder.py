"""Run the task on a block, journal how it ends, and tell whoever watches."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sigcube.chunks import Region
from sigcube.driver.events import Event, Progress
from sigcube.errors import ClusterError, SigcubeError, StoreError
from sigcube.plan.plan import Plan
from sigcube.plan.values import PointStatus
from sigcube.store import JournalEntry, RunStore, Written

__all__ = ["Recorder", "Task", "TaskOutcome", "run_task", "start_task"]

Task = Callable[[str, int, Any], Callable[[], Written]]
"""A function of store path, block index and payload; it computes the block, and returns what writes it."""

FLUSH_EVERY = 1.0
FLUSH_AT = 64
_LONGEST = 2000


@dataclass(frozen=True)
class TaskOutcome:
    """The answer of a worker: a written block, or an exception as text, since not all exceptions can be pickled.

    A `fatal` error is not the block's fault: any other would end the same way.
    """

    worker: str
    seconds: float
    written: Written | None = None
    error: str = ""
    fatal: StoreError | ClusterError | None = None


def run_task(task: Task, path: str, index: int, payload: Any, *, worker: str) -> TaskOutcome:
    """Run a `Task` on one block, and write the block; an exception becomes part of the outcome."""
    return start_task(task, path, index, payload, worker=worker)()


def start_task(task: Task, path: str, index: int, payload: Any, *, worker: str) -> Callable[[], TaskOutcome]:
    """Run a `Task` on one block; return a function that writes the block and tells how it ended."""
    began = time.perf_counter()

    def failed(error: Exception) -> TaskOutcome:
        seconds = time.perf_counter() - began
        if isinstance(error, StoreError | ClusterError):
            return TaskOutcome(worker, seconds, fatal=error)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {_text_of(error)[:_LONGEST]} ({frame.filename}:{frame.lineno})"
        return TaskOutcome(worker, seconds, error=text)

    try:
        write = task(path, index, payload)
    except Exception as error:
        outcome = failed(error)
        return lambda: outcome

    def finish() -> TaskOutcome:
        try:
            written = write()
        except Exception as error:
            return failed(error)
        return TaskOutcome(worker, time.perf_counter() - began, written=written)

    return finish


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    # A user's model may raise what cannot even say what it is.
    except Exception as second:
        return f"(its text raised {type(second).__name__})"


class Recorder:
    """The journal's side of a run: record outcomes, force them to the disk, then announce them.

    Parameters
    ----------
    store, plan, fail_fast, on_event
        As for `sigcube.driver.loop.run_blocks`.
    blocks : int
        How many blocks the run sets out to do.
    in_flight : callable, optional
        Tells how many blocks are on a cluster, for the events.
    """

    def __init__(
        self,
        store: RunStore,
        plan: Plan,
        *,
        blocks: int,
        fail_fast: bool,
        on_event: Callable[[Event], None] | None,
        in_flight: Callable[[], int] = lambda: 0,
    ) -> None:
        self.progress = Progress(blocks=blocks)
        self._store, self._plan = store, plan
        self._fail_fast, self._on_event, self._in_flight = fail_fast, on_event, in_flight
        self._recorded: list[JournalEntry] = []
        self._began = self._flushed = time.monotonic()

    def record(self, index: int, outcome: TaskOutcome) -> None:
        """Record a block that was computed or raised.

        Raises
        ------
        StoreError
            The block could not be written.
        SigcubeError
            It raised, and the run fails fast.
        """
        if outcome.fatal is not None:
            raise outcome.fatal
        where: dict[str, Any] = {"worker": outcome.worker, "seconds": round(outcome.seconds, 6)}
        if outcome.written is None:
            self.record_failure(JournalEntry(block=index, status=PointStatus.FAILED, error=outcome.error, **where))
            return
        digest, n_invalid = outcome.written.digest, outcome.written.n_invalid
        self._append(JournalEntry(block=index, status=PointStatus.DONE, digest=digest, n_invalid=n_invalid, **where))

    def record_failure(self, entry: JournalEntry) -> None:
        """Record a block that raised or killed its worker, and give its grid points that status.

        Raises
        ------
        SigcubeError
            The run fails fast.
        """
        block = self._plan.blocks[entry.block]
        self._store.mark(block, entry.status)
        self._append(entry)
        if self._fail_fast:
            self.flush()
            verb = "failed" if entry.status is PointStatus.FAILED else "killed its worker"
            raise SigcubeError(
                f"block {entry.block} {verb}, and the run stops as asked",
                where=_describe_region(self._plan, block.regions[0]),
                found=entry.error,
                hint="repair the cause and run with retry-failed, or leave fail-fast out to go on without it",
            )

    def _append(self, entry: JournalEntry) -> None:
        self._store.record(entry)
        self._recorded.append(entry)

    def set_threads(self, threads: int) -> None:
        """Set how many threads compute, for the events from now on."""
        self.progress = replace(self.progress, threads=threads)

    def flush_if_due(self) -> None:
        """Flush now and then, as each flush waits for the disk."""
        if len(self._recorded) >= FLUSH_AT or time.monotonic() - self._flushed >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Force what was recorded to the disk, then announce it: before that, it does not count."""
        self._flushed = time.monotonic()
        self._store.flush()
        recorded, self._recorded = self._recorded, []
        for entry in recorded:
            counts = {entry.status.word: getattr(self.progress, entry.status.word) + 1}
            points = self._plan.blocks[entry.block].size if entry.status is PointStatus.DONE else 0
            self.progress = replace(self.progress, points=self.progress.points + points, **counts)
            self.tell(entry.status.word, entry=entry)

    def tell(self, kind: str, *, entry: JournalEntry | None = None, text: str = "") -> None:
        """Send an event with the progress of the run."""
        seconds = time.monotonic() - self._began
        self.progress = replace(self.progress, in_flight=self._in_flight(), seconds=seconds)
        if self.progress.ended and not self.progress.warm[0]:
            self.progress = replace(self.progress, warm=(self.progress.ended, self.progress.seconds))
        if self._on_event is not None:
            self._on_event(Event(kind=kind, progress=self.progress, entry=entry, text=text))


def _describe_region(plan: Plan, region: Region) -> str:
    """Name the values of the axes in a region of the grid."""
    coords, found = plan.coords, []
    for dim, part in zip(plan.dims, region, strict=True):
        if dim in coords:
            values = coords[dim][1][part]
            ends = dict.fromkeys((values[0], values[-1]))
            found.append(f"{dim} = {' … '.join(each if isinstance(each, str) else f'{each:.6g}' for each in ends)}")
        else:
            found.append(f"{dim} [{part.start}:{part.stop}]")
    return ", ".join(found)
