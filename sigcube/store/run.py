"""Open a store for a run: make or resume it, hold its lock, and know what is left to do; and report its status."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sigcube.cube import Packed
from sigcube.errors import StoreError, StoreExists, StoreMismatch
from sigcube.files import clear_abandoned, free_space, path_of
from sigcube.plan.identity import find_differences, in_present_words
from sigcube.plan.plan import Plan
from sigcube.plan.values import Block, PointStatus
from sigcube.processes import owner_of_draft
from sigcube.store.damage import find_fault, find_status_fault
from sigcube.store.extension_files import finish_extension, waiting_files
from sigcube.store.faults import damaged_store, disk_fault
from sigcube.store.journal import Journal, JournalWriter, read_header, read_journal
from sigcube.store.journal_lines import JournalEntry
from sigcube.store.lock import STALE_AFTER, Holder, Lock, current_holder
from sigcube.store.template import create, damaged_files, journal_folder, restore_files
from sigcube.store.writer import mark_block, shares_chunks
from sigcube.wording import size

__all__ = ["RunStore", "StoreStatus", "open_or_create", "refuse_damaged_files", "status"]

_BAD_ENDS = (PointStatus.FAILED, PointStatus.KILLED)
_SHORT = 60


class RunStore:
    """A store held by this process, with the blocks left to do.

    Use `open_or_create` to get one, as a context manager.

    Parameters
    ----------
    path : str
        The store, as an absolute path.
    lock : Lock
        The lock, held.
    blocks : sequence of Block
        The blocks of the plan.
    retry_failed : bool
        Whether blocks that failed or killed their worker are still to do.
    """

    def __init__(self, path: str, lock: Lock, *, blocks: Sequence[Block], retry_failed: bool) -> None:
        self.path = path
        self._lock, self._blocks = lock, blocks
        before = read_journal(journal_folder(path))
        self._journal = JournalWriter(journal_folder(path), length=before.length)
        self._entries = dict(before.entries)
        settled = before.blocks(PointStatus.DONE, *(() if retry_failed else _BAD_ENDS))
        self.todo = tuple(index for index in range(len(blocks)) if index not in settled)

    @property
    def lock_record(self) -> tuple[str, str]:
        """Name and token of the lock's record: whoever reads the token in that file sees this very store."""
        return self._lock.record

    def __enter__(self) -> Self:
        """Return the store, held since it was opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is recorded, and release the lock."""
        self.close()

    def begin_session(self) -> None:
        """Note in the journal that computing begins now.

        Blocks to retry are to do from here on: one that is written before a crash, and was not yet recorded, would
        otherwise differ from its entry, and the store would count as damaged.
        """
        self._lock.check()
        for index in self._entries.keys() & set(self.todo):
            self.record(JournalEntry(block=index, status=PointStatus.TODO))
            del self._entries[index]
        self._journal.begin_session()

    def mark(self, block: Block, status: PointStatus) -> None:
        """Give every grid point of a block one status, unless another run may have computed it.

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
        self._entries[entry.block] = entry

    def check(self) -> None:
        """Compare the status of the grid points with what the journal says of their blocks.

        For blocks that share a chunk with others, as after an extension, the values are compared as well: a worker of
        an earlier run, killed in the middle of a write, could have put back older ones.

        Raises
        ------
        StoreError
            A block is not as it was written.
        """
        for index, entry in self._entries.items():
            block = self._blocks[index]
            find = find_fault if shares_chunks(self.path, block) else find_status_fault
            if fault := find(self.path, block, entry):
                raise damaged_store(f"{self.path}, block {index}", fault)

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
        """Write what is recorded, remove what dead workers left, and release the lock."""
        with ExitStack() as stack:
            stack.callback(self._lock.release)
            stack.callback(self._journal.close)
            self.flush()
            _remove_orphans(Path(self.path))


@dataclass(frozen=True, kw_only=True)
class StoreStatus:
    """How far a sweep is, according to its journal.

    Parameters
    ----------
    blocks, done, failed, killed, todo : int
        Counts of blocks.
    points, points_done, invalid : int
        Counts of grid points computed: those that repeat others are not counted.
    evaluations_per_second : float
        Rate of the present session, or the last one; 0 before its first block.
    seconds_left : float or None
        Estimate while a run holds the store; None otherwise.
    heartbeat : float or None
        Unix time [s] of the holder's last sign of life.
    holder : Holder or None
        The process that writes the store.
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
    """Make a store, or resume one with the plan's ``identity``; the store is then locked.

    Parameters
    ----------
    path : path-like
        Where the store is, or will be.
    plan : Plan
        What to run.
    inputs : Packed
        The points that the sweep sees, kept in a new store.
    retry_failed : bool, optional
        Whether to rerun blocks that failed or killed their worker.

    Raises
    ------
    StoreInUse
        Another process writes it.
    StoreMismatch
        It was made by another spec, cube or kernel; the error shows each difference.
    StoreError
        It is damaged, or the disk is full or has no room for what is left to compute. Missing files of its template are
        restored.
    SpecError
        The path holds something other than a result.
    """
    target = path_of(path, what="a result").resolve()
    if is_new := not os.path.lexists(target):
        _refuse_without_room(target, plan)
        try:
            create(target, plan=plan, inputs=inputs)
        except StoreExists:
            # Of two runs that start at once, one makes the store; the other finds the store, and then its lock.
            if not journal_folder(target).exists():
                raise
    folder = journal_folder(target)
    finish_extension(target)
    _refuse_another_sweep(target, plan)
    lock = Lock(folder)
    with ExitStack() as undo:
        undo.callback(lock.release)
        # Again, as it may have been extended before the lock was ours.
        _refuse_another_sweep(target, plan)
        _remove_orphans(target)
        _restore_missing(target, plan, inputs)
        store = RunStore(str(target), lock, blocks=plan.blocks, retry_failed=retry_failed)
        undo.callback(store._journal.close)
        store.check()
        if not is_new:
            _refuse_without_room(target, plan, store.todo)
        undo.pop_all()
        return store


def _refuse_another_sweep(target: Path, plan: Plan) -> None:
    stored, wanted = in_present_words(read_header(journal_folder(target)).identity), plan.identity
    if differing := find_differences(stored, wanted):
        raise StoreMismatch(
            f"the store was made by another sweep: {', '.join(differing)} differ",
            where=str(target),
            found="; ".join(f"{key} = {_shorten(stored.get(key))}" for key in differing),
            expected="; ".join(f"{key} = {_shorten(wanted.get(key))}" for key in differing),
            hint="`sigcube sweep SPEC --extend`, in Python `extend(path)`, gives the axes these roles"
            if differing == ["roles"]
            else "write to another path, or move the store away to start anew",
        )


def _refuse_without_room(target: Path, plan: Plan, todo: Sequence[int] | None = None) -> None:
    """Refuse what the disk cannot hold, even at the best compression."""
    needed = plan.least_bytes(todo)
    try:
        free = free_space(target)
    except OSError as error:
        raise disk_fault(error, target) from error
    if free is not None and needed > free:
        raise StoreError(
            "the disk has no room for what is left to compute",
            where=str(target),
            found=f"{size(free)} free",
            expected=f"{size(needed)} at least",
            hint="make room, choose a path on another disk, or write less: a shorter axis, fewer metrics, no `keep`",
        )


def refuse_damaged_files(path: str | os.PathLike[str]) -> None:
    """Compare the files of a store's template with their digests; the result of a fit has no journal, and passes.

    Raises
    ------
    StoreError
        One differs, or is missing.
    """
    if journal_folder(path_of(path, what="a result")).is_dir():
        if waiting := waiting_files(path):
            raise StoreError(
                "an extension is being put in place, or a file of it is damaged",
                where=str(Path(path, waiting[0])),
                hint="if no run is at work, run the same command again: there is a sound copy",
            )
        for name, what in damaged_files(path, read_header(journal_folder(path)).files).items():
            raise damaged_store(str(Path(path, name)), what)


def status(path: str | os.PathLike[str]) -> StoreStatus:
    """Return how far the sweep of a store is; this needs no lock, so it works while the sweep runs.

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
    """Remove the drafts of dead writers: workers of this run or earlier ones, and contenders for the lock."""
    for folder, _, names in os.walk(target):
        for path in (Path(folder, name) for name in names if name.endswith(".partial")):
            with suppress(FileNotFoundError):
                if owner_of_draft(path.name).has_ended(last_seen=path.stat().st_mtime, patience=STALE_AFTER):
                    path.unlink()
    clear_abandoned(target)


def _restore_missing(target: Path, plan: Plan, inputs: Packed) -> None:
    """Restore the missing files of the store's template, and refuse those that differ."""
    damaged = damaged_files(target, read_header(journal_folder(target)).files)
    missing = [name for name in damaged if not Path(target, name).exists()]
    for name, what in damaged.items():
        if name not in missing:
            raise damaged_store(str(target / name), what)
    if missing:
        restore_files(target, missing, plan=plan, inputs=inputs)


def _rate(journal: Journal) -> float:
    """Grid points per second that the last session finished; 0 if a repair dropped the line where it began."""
    if not journal.sessions:
        return 0.0
    began = journal.sessions[-1]
    ended = [entry for entry in journal.entries.values() if entry.status is PointStatus.DONE and entry.at >= began]
    if not ended:
        return 0.0
    points = sum(journal.header.block_points[entry.block] for entry in ended)
    return float(points / max(max(entry.at for entry in ended) - began, 1e-3))
