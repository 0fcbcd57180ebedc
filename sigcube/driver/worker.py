"""What runs on a worker of a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import Any

from distributed import Status, get_worker, secede
from distributed.threadpoolexecutor import thread_state

from sigcube.driver.recorder import Task, TaskOutcome, run_task

__all__ = ["on_worker"]


def on_worker(task: Task, path: str, index: int, payload: Any) -> TaskOutcome:
    """Run a task on one block; what it raises becomes a value, for an exception may not survive the way back."""
    return run_task(task, path, index, payload, worker=get_worker().address, slot=_write_slot)


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
