"""What runs on a worker: the task, and an account of how it ended."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import get_worker

from sigcube.errors import StoreError
from sigcube.store import Written

__all__ = ["Outcome", "Task", "on_worker"]

Task = Callable[[str, int, Any], Written]
"""A module-level function of store path, block index and payload; it writes the block and returns what was written."""

_LONGEST = 2000


@dataclass(frozen=True)
class Outcome:
    """What comes back from a worker: a written block, or the exception as text, since not all of them travel."""

    worker: str
    seconds: float
    written: Written | None = None
    error: str = ""
    fatal: StoreError | None = None


def on_worker(task: Task, path: str, index: int, payload: Any) -> Outcome:
    """Run one block; what it raises becomes a value, for an exception may not survive the way back.

    Parameters
    ----------
    task : callable
        Computes and writes the block.
    path : str
        The store.
    index : int
        The block.
    payload : object
        Handed to the task.
    """
    worker, began = get_worker().address, time.perf_counter()
    try:
        written = task(path, index, payload)
    except StoreError as error:
        return Outcome(worker, time.perf_counter() - began, fatal=error)
    except Exception as error:
        return Outcome(worker, time.perf_counter() - began, error=_text(error))
    return Outcome(worker, time.perf_counter() - began, written=written)


def _text(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:_LONGEST]} ({frame.filename}:{frame.lineno})"
