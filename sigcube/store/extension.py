"""A store made larger: its journal says so first, then files of its beginning are replaced, each in one step.

Copies of the new files lie in ``journal/extension`` before the journal names their digests, and stay there: whatever
interrupts the extension, or damages a file later, the next run puts the copies in place.
"""

import os
from contextlib import nullcontext
from pathlib import Path

from sigcube.cube import Packed
from sigcube.errors import StoreMismatch
from sigcube.files import make_folder, sync, write_file, write_folder
from sigcube.plan.plan import Plan
from sigcube.store.faults import disk_fault
from sigcube.store.journal import JournalWriter, read_header, read_journal
from sigcube.store.lock import Lock
from sigcube.store.template import build, damaged_files, journal_folder

__all__ = ["extend_store", "finish_extension"]

_COPIES = "extension"


def extend_store(path: str | os.PathLike[str], *, plan: Plan, inputs: Packed) -> None:
    """Make room in a store for the stages that a plan has more than it; what it holds stays where it is.

    Raises
    ------
    StoreInUse
        Another process writes it.
    StoreMismatch
        Its blocks are not the first ones of the plan.
    StoreError
        It is damaged, or the disk is full.
    """
    folder = journal_folder(Path(path).resolve())
    with Lock(folder):
        finish_extension(folder.parent, locked=True)
        journal = read_journal(folder)
        sizes = journal.header.block_points
        if tuple(plan.blocks[i].size for i in range(min(len(sizes), len(plan.blocks)))) != sizes:
            hint = "extend it with the version of sigcube that made it"
            raise StoreMismatch(
                "this version of sigcube divides the sweep into other blocks", where=str(path), hint=hint
            )
        try:
            with write_folder(folder / _COPIES, overwrite=True) as draft:
                build(draft, plan, inputs)
            writer = JournalWriter(folder, length=journal.length)
            writer.begin_extension(read_header(journal_folder(folder / _COPIES)))
            writer.close()
        except OSError as error:
            raise disk_fault(error, folder.parent) from error
        finish_extension(folder.parent, locked=True)


def finish_extension(path: str | os.PathLike[str], *, locked: bool = False) -> None:
    """Put files of an extension in their places: all that an interrupted one left waiting, or one that is damaged.

    Raises
    ------
    StoreInUse
        Another process writes the store; with `locked` it is this one.
    StoreError
        The journal is damaged, or the disk is full.
    """
    folder = journal_folder(Path(path).resolve())
    if not _waiting(folder):
        return
    with nullcontext() if locked else Lock(folder):
        try:
            for name in _waiting(folder):
                place = folder.parent / name
                make_folder(place.parent)
                write_file(place, (folder / _COPIES / name).read_bytes())
                sync(place.parent)
        except OSError as error:
            raise disk_fault(error, folder.parent) from error


def _waiting(folder: Path) -> list[str]:
    """Name the files that are not as the journal says, and of which there is a copy that is."""
    copies = folder / _COPIES
    if not copies.is_dir():
        return []
    files = read_header(folder).files
    sound = {name: digest for name, digest in files.items() if name not in damaged_files(copies, files)}
    return list(damaged_files(folder.parent, sound))
