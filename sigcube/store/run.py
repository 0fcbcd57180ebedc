"""Open a store for a run: make it or resume it, hold its lock, know what is left to do; and its status for others."""

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sigcube.cube import Packed
from sigcube.errors import StoreExists, StoreMismatch
from sigcube.files import clear_abandoned
from sigcube.plan.plan import Plan
from sigcube.plan.values import Block, PointStatus
from sigcube.store.journal import Journal, JournalEntry, JournalWriter, read_journal
from sigcube.store.lock import Holder, Lock, current_holder
from sigcube.store.template import create, journal_folder
from sigcube.store.writer import mark_block

__all__ = ["RunStore", "StoreStatus", "open_or_create", "status"]

_BAD_ENDS = (PointStatus.FAILED, PointStatus.KILLED)
_SHORT = 60
_PATIENCE = 60.0


class RunStore:
    """A store held by this process, with the blocks left to do.

    Use `open_or_create` to get one, as a context manager.

    Parameters
    ----------
    path : str
        The store, as an absolute path.
    lock : Lock
        The lock, held.
    retry_failed : bool
        Whether blocks that failed or killed their worker count as to do.
    """

    def __init__(self, path: str, lock: Lock, *, retry_failed: bool) -> None:
        self.path = path
        self._lock = lock
        self.before = read_journal(journal_folder(path))
        self._journal = JournalWriter(journal_folder(path), length=self.before.length)
        settled = self.before.blocks(PointStatus.DONE, *(() if retry_failed else _BAD_ENDS))
        n_blocks = len(self.before.header.block_points)
        self.todo = tuple(index for index in range(n_blocks) if index not in settled)

    def __enter__(self) -> Self:
        """Return the store, held since it was opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is recorded, and let the lock go."""
        self.close()

    def begin_session(self) -> None:
        """Note in the journal that computing begins now."""
        self._lock.check()
        self._journal.begin_session()

    def mark(self, block: Block, status: PointStatus) -> None:
        """Give every grid point of a block one status; not once another run may have computed it.

        Raises
        ------
        StoreInUse
            The lock was lost; nothing is written.
        """
        self._lock.check()
        mark_block(self.path, block, status)

    def record(self, entry: JournalEntry) -> None:
        """Add how a block ended; it counts once `flush` returns."""
        self._journal.append(entry)

    def flush(self) -> None:
        """Force the recorded entries to the disk.

        Raises
        ------
        StoreInUse
            The lock was lost; nothing is written.
        StoreError
            The disk is full or gone.
        """
        self._lock.check()
        self._journal.flush()

    def close(self) -> None:
        """Write what is recorded, and let the lock go."""
        with ExitStack() as stack:
            stack.callback(self._lock.release)
            stack.callback(self._journal.close)
            self.flush()


@dataclass(frozen=True, kw_only=True)
class StoreStatus:
    """How far a sweep is, as its journal says.

    Parameters
    ----------
    blocks, done, failed, killed, todo : int
        Counts of blocks.
    points, points_done, invalid : int
        Counts of grid points computed: those that repeat others are not counted.
    evaluations_per_second : float
        Over the present session, or the last one; 0 before its first block.
    seconds_left : float or None
        While a run holds the store and has a rate.
    heartbeat : float or None
        Unix time [s] of the holder's last sign of life.
    holder : Holder or None
        Who writes the store.
    errors : tuple of JournalEntry
        Blocks that failed or killed their worker.
    """

    blocks: int
    done: int
    failed: int
    killed: int
    todo: int
    points: int
    points_done: int
    invalid: int
    evaluations_per_second: float
    seconds_left: float | None
    heartbeat: float | None
    holder: Holder | None
    errors: tuple[JournalEntry, ...]


def open_or_create(path: str | os.PathLike[str], *, plan: Plan, inputs: Packed, retry_failed: bool = False) -> RunStore:
    """Make a store, or resume one that was made with the plan's ``identity``; it is locked.

    Parameters
    ----------
    path : path-like
        Where the store is, or will be.
    plan : Plan
        What to run.
    inputs : Packed
        The points that the sweep sees; a new store holds them.
    retry_failed : bool, optional
        Whether to run blocks again that failed or killed their worker.

    Raises
    ------
    StoreInUse
        Another process writes it.
    StoreMismatch
        It was made by another spec, cube or kernel; each difference is shown.
    StoreError
        It is something else than a result store, its journal is damaged, or the disk is full.
    """
    target = Path(path).resolve()
    if not os.path.lexists(target):
        try:
            create(target, plan=plan, inputs=inputs)
        except StoreExists:
            # Of two runs that start at once, one makes the store; the other finds it, and then its lock.
            if not journal_folder(target).exists():
                raise
    folder = journal_folder(target)
    stored, wanted = read_journal(folder).header.identity, plan.identity
    if differing := [key for key in sorted({*stored, *wanted}) if stored.get(key) != wanted.get(key)]:
        raise StoreMismatch(
            f"the store was made by another sweep: {', '.join(differing)} differ",
            where=str(target),
            found="; ".join(f"{key} = {_shorten(stored.get(key))}" for key in differing),
            expected="; ".join(f"{key} = {_shorten(wanted.get(key))}" for key in differing),
            hint="write to another path, or move the store away to start anew",
        )
    lock = Lock(folder)
    try:
        _remove_orphans(target)
        return RunStore(str(target), lock, retry_failed=retry_failed)
    except BaseException:
        lock.release()
        raise


def status(path: str | os.PathLike[str]) -> StoreStatus:
    """Say how far the sweep of a store is; needs no lock, so it works from another shell while the sweep runs.

    Raises
    ------
    StoreError
        There is no result store, or its journal is damaged.
    """
    folder = journal_folder(path)
    journal = read_journal(folder)
    holder = current_holder(folder)
    done, failed, killed = (journal.blocks(each) for each in (PointStatus.DONE, *_BAD_ENDS))
    sizes = journal.header.block_points
    todo = [index for index in range(len(sizes)) if index not in journal.entries]
    rate = _rate(journal)
    return StoreStatus(
        blocks=len(sizes),
        done=len(done),
        failed=len(failed),
        killed=len(killed),
        todo=len(todo),
        points=sum(sizes),
        points_done=sum(sizes[index] for index in done),
        invalid=sum(journal.entries[index].n_invalid for index in done),
        evaluations_per_second=rate * journal.header.data_points,
        seconds_left=sum(sizes[index] for index in todo) / rate if holder and rate else None,
        heartbeat=holder.heartbeat if holder else None,
        holder=holder,
        errors=tuple(journal.entries[index] for index in sorted(failed | killed)),
    )


def _shorten(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= _SHORT else f"{value[: _SHORT - 1]}…"


def _remove_orphans(target: Path) -> None:
    """Remove what killed writers left; only the holder of the lock may, as others' drafts may be in use."""
    for folder, _, names in os.walk(target):
        # A contender for the lock has a draft here for a moment.
        patience = _PATIENCE if Path(folder) == journal_folder(target) else 0.0
        for path in (Path(folder, name) for name in names if name.endswith(".partial")):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime >= patience:
                    path.unlink()
    clear_abandoned(target)


def _rate(journal: Journal) -> float:
    """Grid points a second that the last session finished."""
    began = journal.sessions[-1] if journal.sessions else 0.0
    ended = [entry for entry in journal.entries.values() if entry.status is PointStatus.DONE and entry.at >= began]
    if not ended:
        return 0.0
    points = sum(journal.header.block_points[entry.block] for entry in ended)
    return float(points / max(max(entry.at for entry in ended) - began, 1e-3))
