"""The code that runs on a worker of a cluster."""

import errno
import gc
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from threading import Semaphore
from typing import Any

from distributed import Status, Worker, get_worker, secede
from distributed.threadpoolexecutor import thread_state

from sigcube.driver.cluster import OWN_CLUSTER
from sigcube.driver.recorder import Task, TaskOutcome, start_task
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

    def __reduce__(self) -> tuple[Callable[..., list[TaskOutcome]], tuple[Any, ...]]:
        return on_worker, self._arguments


def on_worker(
    task: Task, path: str, indices: Sequence[int], payload: Any, lock_record: tuple[str, str]
) -> list[TaskOutcome]:
    """Run a task on a batch of blocks of a locked store: each is written while the next one is computed.

    Parameters
    ----------
    task : callable
        What computes a block.
    path : str
        The store.
    indices : sequence of int
        The blocks.
    payload : object
        Passed on to the task.
    lock_record : tuple of str
        Name and content of a file that the worker must see.

    Returns
    -------
    list of TaskOutcome
        How each block ended, in this order; fewer where no other block would have ended better than the last one. An
        exception becomes a value, as it may not survive the way back.
    """
    worker = get_worker()

    def run(path: str, index: int, payload: Any) -> Callable[[], Written]:
        _see_store(path, lock_record)
        return task(path, index, payload)

    # No more blocks are written at a time than are computed, lest a slow disk fill the memory with them.
    slots = worker.extensions.setdefault("sigcube writes", Semaphore(worker.state.nthreads))
    ended: list[Future[TaskOutcome]] = []
    with ThreadPoolExecutor(1) as writer:
        for index in indices:
            write = start_task(run, path, index, payload, worker=worker.address)
            slots.acquire()
            ended.append(writer.submit(write))
            ended[-1].add_done_callback(lambda _: slots.release())
            if any(each.done() and each.result().fatal for each in ended):
                break
        _leave_thread(worker)
    if OWN_CLUSTER in os.environ:
        _settle()
    return [each.result() for each in ended]


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


def _leave_thread(worker: Worker) -> None:
    """Free the worker's thread for the next batch: writing waits for a disk, not for a processor."""
    # Only a thread of Dask's own pool can secede; a worker that closes holds the lock that seceding needs.
    if worker.status is Status.running and hasattr(thread_state, "executor"):
        secede()
