"""The extension of a store: its journal says so first, then files of its template are replaced, each in one step.

Copies of the new files lie in ``journal/extension`` before the journal names their digests, and stay there: whatever
interrupts the extension, or damages a file later, the next run puts the copies in place.
"""

import os
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path

from sigcube.cube import Packed
from sigcube.errors import SigcubeError, StoreMismatch
from sigcube.files import make_folder, sync, write_file, write_folder
from sigcube.plan.identity import in_present_words
from sigcube.plan.plan import Plan
from sigcube.store.faults import disk_fault
from sigcube.store.journal import JournalWriter, insert_header, read_header, read_journal, read_undamaged
from sigcube.store.lock import Lock
from sigcube.store.template import build, damaged_files, journal_folder, place_of
from sigcube.store.writer import remove_block

__all__ = ["extend_store", "finish_extension", "restore_extension", "waiting_files"]

_COPIES = "extension"


def extend_store(path: str | os.PathLike[str], *, plan: Plan, inputs: Packed, before: Mapping[str, str]) -> None:
    """Make room in a store for the stages that a plan adds; what it holds stays where it is.

    Parameters
    ----------
    path : path-like
        The store.
    plan : Plan
        The plan, whose blocks continue those of the store.
    inputs : Packed
        The points that the sweep sees.
    before : Mapping
        The identity of the store that the plan extends.

    Raises
    ------
    StoreInUse
        Another process writes it.
    StoreMismatch
        The store was replaced meanwhile, or its blocks are not the first ones of the plan.
    StoreError
        It is damaged, or the disk is full.
    """
    folder = journal_folder(Path(path).resolve())
    with Lock(folder):
        finish_extension(folder.parent, locked=True)
        journal = read_journal(folder)
        sizes = journal.header.block_points
        same = in_present_words(journal.header.identity) == before
        if not same or plan.block_sizes[: len(sizes)] != sizes:
            raise StoreMismatch(
                "the store is not the one that this sweep extends",
                where=str(path),
                found="another sigcube made it, or it was extended meanwhile",
                hint="run the same command again, with the version of sigcube that made the store",
            )
        # Values of a lost extension must not reappear as those of this one.
        for block in plan.blocks[len(sizes) :]:
            remove_block(str(folder.parent), block)
        try:
            with write_folder(folder / _COPIES, overwrite=True) as draft:
                build(draft, plan, inputs)
            with closing(JournalWriter(folder, length=journal.length)) as writer:
                writer.begin_extension(read_header(journal_folder(folder / _COPIES)))
        except OSError as error:
            raise disk_fault(error, folder.parent) from error
        finish_extension(folder.parent, locked=True)


def restore_extension(path: str | os.PathLike[str]) -> bool:
    """Restore the header of the last extension from its copy, if the journal lost it; the lock must be held.

    It did lose it if files that contradict the journal match the copy: the extension had begun. Return whether this was
    so. Copies by themselves belong to an extension that never began, or that a later run will begin anew.

    Raises
    ------
    StoreError
        The first line of the journal is damaged, or the disk is full.
    """
    folder = journal_folder(Path(path).resolve())
    copies = journal_folder(folder / _COPIES)
    now = read_undamaged(folder)[0].header
    try:
        copied = read_header(copies)
    except SigcubeError:
        # There is no copy, or it is damaged as well.
        return False
    is_later = copied.identity != now.identity and copied.block_points[: len(now.block_points)] == now.block_points
    differing = damaged_files(folder.parent, now.files)
    there = differing.keys() & copied.files.keys()
    placed = there - damaged_files(folder.parent, {name: copied.files[name] for name in there}).keys()
    if not is_later or not placed:
        return False
    insert_header(folder, copied)
    return True


def finish_extension(path: str | os.PathLike[str], *, locked: bool = False) -> None:
    """Put the files of an extension in place: those that an interrupted one left waiting, or a damaged one.

    Raises
    ------
    StoreInUse
        Another process writes the store; `locked` says that this one holds the lock.
    StoreError
        The journal is damaged, or the disk is full.
    """
    folder = journal_folder(Path(path).resolve())
    try:
        if not waiting_files(path):
            return
    except OSError as error:
        raise disk_fault(error, folder.parent) from error
    with nullcontext() if locked else Lock(folder):
        try:
            for place, name in [(place_of(folder.parent, name), name) for name in waiting_files(path)]:
                make_folder(place.parent)
                write_file(place, (folder / _COPIES / name).read_bytes())
                sync(place.parent)
        except OSError as error:
            raise disk_fault(error, folder.parent) from error


def waiting_files(path: str | os.PathLike[str]) -> list[str]:
    """Name the files of a store that contradict the journal, and have a copy that does not."""
    folder = journal_folder(Path(path).resolve())
    if not (folder / _COPIES).is_dir():
        return []
    files = read_header(folder).files
    damaged = damaged_files(folder.parent, files)
    return [name for name in damaged if name not in damaged_files(folder / _COPIES, {name: files[name]})]
