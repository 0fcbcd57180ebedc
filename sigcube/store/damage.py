"""Checks of the blocks of a store against its journal, and the repair of a damaged store."""

from collections.abc import Iterable, Sequence

import numpy as np

from sigcube.files import clear
from sigcube.plan.values import Block, PointStatus
from sigcube.store.faults import refuse_unreadable
from sigcube.store.journal import JournalWriter, drop_damaged_lines, read_journal
from sigcube.store.journal_lines import JournalEntry
from sigcube.store.template import journal_folder, place_of
from sigcube.store.writer import digest_of, read_block, read_status, remove_block

__all__ = ["find_fault", "find_status_fault", "repair_store"]


def find_fault(path: str, block: Block, entry: JournalEntry) -> str:
    """Reread a block, and describe how it differs from its journal entry; empty if it does not.

    Raises
    ------
    StoreError
        The system does not let it be read, which says nothing about what is there.
    """
    if entry.status is PointStatus.DONE:
        try:
            arrays = read_block(path, block)
        except ValueError as error:
            return str(error)
        except OSError as error:
            refuse_unreadable(error, path)
            return str(error)
        found = digest_of(arrays, block.regions)
        if found != entry.digest:
            return f"digest {found} instead of {entry.digest}"
    return find_status_fault(path, block, entry)


def find_status_fault(path: str, block: Block, entry: JournalEntry) -> str:
    """Describe how the status of a block's grid points differs from its journal entry; empty if it does not.

    Raises
    ------
    StoreError
        The system does not let it be read.
    """
    try:
        found = read_status(path, block)
    except ValueError as error:
        return str(error)
    except OSError as error:
        refuse_unreadable(error, path)
        return str(error)
    invalid = np.count_nonzero(found == PointStatus.INVALID)
    expected = np.count_nonzero(found == entry.status)
    # Values of a block may repeat in the store.
    if entry.status is PointStatus.DONE and invalid * block.size == entry.n_invalid * found.size:
        expected += invalid
    if expected == found.size:
        return ""
    statuses = ", ".join(f"{number}" for number in np.unique(found))
    return f"its grid points have status {statuses}, the journal says {entry.status.word}"


def repair_store(path: str, *, files: Iterable[str], blocks: Sequence[Block]) -> None:
    """Remove what is damaged, so that the sweep makes it again; the lock of the store must be held.

    Parameters
    ----------
    path : str
        The store. Damaged lines of its journal are dropped.
    files : iterable of str
        Damaged files of its template.
    blocks : sequence of Block
        The damaged blocks. They are marked as to do before their values are removed, so that a kill loses nothing.

    Raises
    ------
    StoreError
        A file lies behind a link out of the store; nothing is removed then.
    """
    places = [place_of(path, name) for name in files]
    drop_damaged_lines(journal_folder(path))
    for place in places:
        clear(place)
    if blocks:
        writer = JournalWriter(journal_folder(path), length=read_journal(journal_folder(path)).length)
        for block in blocks:
            writer.append(JournalEntry(block=block.index, status=PointStatus.TODO))
        writer.flush()
        writer.close()
        for block in blocks:
            remove_block(path, block)
