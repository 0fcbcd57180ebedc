"""The ledger's computations in several processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import TYPE_CHECKING

from sigcube.claims.datasets import Cubes
from sigcube.claims.model import Reading
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
    # Not forked: threads of a library that were running here would be gone there, and its locks be held for ever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(cubes,)) as pool:
        names = {name for batch in batches for _, reading in batch for name in reading.keys.uses()}
        list(pool.map(_make, sorted(names, key=lambda name: name != "gaia")))
        waiting = {pool.submit(_compute, batch) for batch in batches}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def _begin(cubes: Cubes) -> None:
    from sigcube.claims.ledger import Worker

    _worker[:] = [Worker(cubes)]


def _make(name: str) -> None:
    try:
        _worker[0].cubes.make(name)
    except SigcubeError:
        # Whoever needs it will meet the same error, and tell it with its row.
        return


def _compute(batch: Batch) -> "dict[str, Outcome]":
    return {key: _worker[0].attempt(reading) for key, reading in batch}
