"""The result store: its layout, block writes, journal, lock, and how a run resumes."""

from sigcube.store.extension_files import extend_store, finish_extension
from sigcube.store.journal import read_header, read_journal
from sigcube.store.journal_lines import JournalEntry
from sigcube.store.lock import Holder
from sigcube.store.run import RunStore, StoreStatus, open_or_create, refuse_damaged_files, status
from sigcube.store.template import create, journal_folder, read_attrs, read_inputs, read_layout, stamp
from sigcube.store.writer import Written, mark_block, write_block

__all__ = [
    "Holder",
    "JournalEntry",
    "RunStore",
    "StoreStatus",
    "Written",
    "create",
    "extend_store",
    "finish_extension",
    "journal_folder",
    "mark_block",
    "open_or_create",
    "read_attrs",
    "read_header",
    "read_inputs",
    "read_journal",
    "read_layout",
    "refuse_damaged_files",
    "stamp",
    "status",
    "write_block",
]
