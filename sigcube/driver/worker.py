"""What runs on a worker: the task, and an account of how it ended."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Semaphore
from typing import Any

from distributed import Status, get_worker, secede
from distributed.threadpoolexecutor import thread_state

from sigcube.errors import StoreError
from sigcube.store import Written

__all__ = ["Task", "TaskOutcome", "on_worker"]

Task = Callable[[str, int, Any], Callable[[], Written]]
"""A module-level function of store path, block index and payload; it computes the block, and returns what writes it."""

_LONGEST = 2000


@dataclass(frozen=True)
class TaskOutcome:
    """What comes back from a worker: a written block, or the exception as text, since not all of them travel."""

    worker: str
    seconds: float
    written: Written | None = None
    error: str = ""
    fatal: StoreError | None = None


def on_worker(task: Task, path: str, index: int, payload: Any) -> TaskOutcome:
    """Run a `Task` on one block; what it raises becomes a value, for an exception may not survive the way back."""
    worker, began = get_worker().address, time.perf_counter()
    try:
        write = task(path, index, payload)
        with _write_slot():
            written = write()
    except StoreError as error:
        return TaskOutcome(worker, time.perf_counter() - began, fatal=error)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {str(error)[:_LONGEST]} ({frame.filename}:{frame.lineno})"
        return TaskOutcome(worker, time.perf_counter() - began, error=text)
    return TaskOutcome(worker, time.perf_counter() - began, written=written)


@contextmanager
def _write_slot() -> Iterator[None]:
    """Leave the worker's thread to the next block: writing waits for a disk, not for a processor.

    As many blocks are written at a time as are computed, lest a slow disk fill the memory with them.
    """
    worker = get_worker()
    with worker.extensions.setdefault("sigcube writes", Semaphore(worker.state.nthreads)):
        # Only a thread of Dask's own pool can leave it; a worker that closes holds the lock that leaving needs.
        if worker.status is Status.running and hasattr(thread_state, "executor"):
            secede()
        yield
