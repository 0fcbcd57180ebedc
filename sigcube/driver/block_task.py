"""The task that computes one block; spec and data are read from the store itself."""

import pickle
from collections.abc import Callable
from functools import lru_cache

from sigcube.engine import Engine
from sigcube.errors import ClusterError, StoreError, StoreMismatch
from sigcube.store import Written, stamp, write_block
from sigcube.store.result import changed_parts, read_plan

__all__ = ["run_block"]


def run_block(path: str, index: int, payload: bytes) -> Callable[[], Written]:
    """Compute one block, on a worker.

    Parameters
    ----------
    path : str
        The result store, which holds the spec and the data.
    index : int
        The block.
    payload : bytes
        The user's own kernels and metrics, pickled; empty if all are registered.

    Returns
    -------
    callable
        Writes the block and returns the digest of what was written, for the journal. It raises StoreError, and writes
        nothing, if the store at the path was replaced meanwhile.
    """
    store = stamp(path)
    engine = _engine(path, store, payload)
    block = engine.plan.blocks[index]
    values = engine.evaluate(block)

    def write() -> Written:
        if stamp(path) != store:
            # The client may be dead by now, and another sweep may have its store here.
            raise StoreError("the store was replaced while a block was computed", where=path)
        return write_block(path, block, values)

    return write


@lru_cache(maxsize=2)
def _engine(path: str, _stamp: tuple[int, int], payload: bytes) -> Engine:
    """Read spec and data from a store, once per process."""
    try:
        plan, packed = read_plan(path, **(pickle.loads(payload) if payload else {}))
    # Whatever it is, the block is not to blame: the client has just read the same.
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        raise ClusterError("cannot read the sweep from its store", where=path, found=found) from error
    if changed := changed_parts(plan, path):
        raise StoreMismatch(
            "would compute something else",
            where=path,
            found=", ".join(f"another {part}" for part in changed),
        )
    return Engine(plan, packed)
