"""The ledger's computations in several processes."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

from sigcube.claims.cubes import Cubes
from sigcube.claims.rows import Reading
from sigcube.errors import SigcubeError

if TYPE_CHECKING:
    from sigcube.claims.ledger import Outcome, Worker

__all__ = ["in_processes"]

Batch = Sequence[tuple[str, Reading]]

# Of a process that computes: set once, when it starts.
_worker: "list[Worker]" = []


def in_processes(batches: Sequence[Batch], cubes: Cubes, workers: int) -> "Iterator[dict[str, Outcome]]":
    """Compute batches in new processes, and give the outcomes of each as it is done.

    Cubes are made first: two processes that want the same one would be in each other's way.
    """
    with _pool(workers, cubes) as pool:
        names = {name for batch in batches for _, reading in batch for name in reading.keys.uses()}
        list(pool.map(_make, sorted(names, key=lambda name: name != "gaia")))
        waiting = {pool.submit(_compute, batch) for batch in batches}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


@contextmanager
def _pool(workers: int, cubes: Cubes) -> Iterator[ProcessPoolExecutor]:
    """Give new processes; they end at once where this one is interrupted, or no longer wants what they compute."""
    others = set(active_children())
    # Not forked: threads of a library that were running here would be gone there, and its locks be held for ever.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(cubes,))
    try:
        yield pool
    except BaseException:
        # Before shutdown, which would wait for what is being computed.
        for process in set(active_children()) - others:
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _begin(cubes: Cubes) -> None:
    from sigcube.claims.ledger import Worker

    # Ctrl-C goes to all processes of a terminal; the one that started these ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker[:] = [Worker(cubes)]


def _make(name: str) -> None:
    try:
        _worker[0].cubes.make(name)
    except SigcubeError:
        # Whoever needs it will meet the same error, and tell it with its row.
        return


def _compute(batch: Batch) -> "dict[str, Outcome]":
    return {key: _worker[0].attempt(reading) for key, reading in batch}
