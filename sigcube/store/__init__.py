"""The result store: its layout, block writes, journal, lock, and how a run resumes."""

from sigcube.store.journal import DONE, FAILED, KILLED, Entry, Journal, read_journal
from sigcube.store.layout import create, read_attrs, read_inputs, stamp
from sigcube.store.lock import Holder
from sigcube.store.run import RunStore, StoreStatus, open_or_create, status
from sigcube.store.writer import Written, mark_block, write_block

__all__ = [
    "DONE",
    "FAILED",
    "KILLED",
    "Entry",
    "Holder",
    "Journal",
    "RunStore",
    "StoreStatus",
    "Written",
    "create",
    "mark_block",
    "open_or_create",
    "read_attrs",
    "read_inputs",
    "read_journal",
    "stamp",
    "status",
    "write_block",
]
