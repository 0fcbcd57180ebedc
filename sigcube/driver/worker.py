"""The code that runs on a worker of a cluster."""

import errno
import gc
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from threading import Semaphore
from typing import Any

from distributed import Status, get_worker, secede
from distributed.threadpoolexecutor import thread_state

from sigcube.driver.cluster import OWN_CLUSTER
from sigcube.driver.recorder import Task, TaskOutcome, run_task
from sigcube.errors import ClusterError
from sigcube.store import Written, journal_folder

__all__ = ["BlockCall", "on_worker"]


class BlockCall:
    """A call of `on_worker` with these arguments, made when its pickled form is read: by ``pickle.loads``, as a task.

    Dask unpickles any other function, and its arguments, among its own messages. Where that fails because sigcube or a
    user's module is missing, the process closes without a word: a scheduler, or one worker after another.
    """

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., TaskOutcome], tuple[Any, ...]]:
        return on_worker, self._arguments


def on_worker(task: Task, path: str, index: int, payload: Any, lock_record: tuple[str, str]) -> TaskOutcome:
    """Run a task on one block of a locked store; `lock_record` has the name and content of a file the worker must see.

    An exception becomes a value, as it may not survive the way back.
    """

    def run(path: str, index: int, payload: Any) -> Callable[[], Written]:
        _see_store(path, lock_record)
        return task(path, index, payload)

    outcome = run_task(run, path, index, payload, worker=get_worker().address, slot=_write_slot)
    if OWN_CLUSTER in os.environ:
        _settle()
    return outcome


@cache
def _settle() -> None:
    """Make the garbage collector ignore what a worker holds after its first block.

    These are modules and compiled loops, which stay; scanning them takes as long as a block. Only for workers that end
    with the run: elsewhere, garbage of others would be kept for good.
    """
    gc.collect()
    gc.freeze()


def _see_store(path: str, lock_record: tuple[str, str]) -> None:
    """Raise unless this worker sees the same store as the client, and may write to it.

    Otherwise it would fail one block after another at once, until none is left.
    """
    name, token = lock_record
    what, where = "does not see the store", f"{path} on {socket.gethostname()}"
    try:
        if token not in (journal_folder(path) / name).read_text(encoding="utf-8"):
            raise ClusterError(what, where=where, found="the record of another lock")
        what = "cannot write to the store"
        _write_there(path, token)
    except OSError as error:
        # A full disk is reported by the next write.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise ClusterError(what, where=where, found=str(error)) from error


@lru_cache(maxsize=8)
def _write_there(path: str, _token: str) -> None:
    """Write to an unnamed temporary file, once for each lock."""
    with tempfile.TemporaryFile(dir=Path(path), suffix=".partial", buffering=0) as file:
        file.write(b"\0")


@contextmanager
def _write_slot() -> Iterator[None]:
    """Free the worker's thread for the next block: writing waits for a disk, not for a processor.

    No more blocks are written at a time than are computed, lest a slow disk fill the memory with them.
    """
    worker = get_worker()
    with worker.extensions.setdefault("sigcube writes", Semaphore(worker.state.nthreads)):
        # Only a thread of Dask's own pool can secede; a worker that closes holds the lock that seceding needs.
        if worker.status is Status.running and hasattr(thread_state, "executor"):
            secede()
        yield
