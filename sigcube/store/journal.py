"""The journal: one JSON line for each block that ended, appended and fsynced by the driver alone.

A block is done once its line is on disk, and not before; the existence of its chunks proves nothing. The first line is
a header that names the run, so that `status` needs no other file; each extension adds another header. Each line ends
with a checksum of the rest of it: a line that a crash cut short is dropped, and any other line that was altered is
refused.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sigcube.cube.storage import refuse_other_store
from sigcube.errors import StoreError
from sigcube.files import write_all, write_file
from sigcube.plan.values import PointStatus
from sigcube.store.faults import disk_fault
from sigcube.store.journal_lines import (
    FAULTS,
    FORMAT,
    Header,
    JournalEntry,
    begins_header,
    entry_line,
    header_line,
    parse_entry,
    parse_header,
    parse_line,
    parse_number,
    session_line,
)

__all__ = [
    "Journal",
    "JournalWriter",
    "drop_damaged_lines",
    "insert_header",
    "read_header",
    "read_journal",
    "read_undamaged",
    "write_header",
]

_FILE = "blocks.jsonl"


@dataclass(frozen=True)
class Journal:
    """A journal as read: its header, the last entry of each block, and when each session began [Unix s]."""

    header: Header
    entries: Mapping[int, JournalEntry]
    sessions: tuple[float, ...]
    length: int
    """Number of bytes in whole lines."""

    def blocks(self, *statuses: PointStatus) -> frozenset[int]:
        """Return the indices of the blocks that ended in one of the statuses."""
        return frozenset(index for index, entry in self.entries.items() if entry.status in statuses)


class JournalWriter:
    """Appends to a journal; nothing counts until `flush` returns.

    Parameters
    ----------
    folder : Path
        The ``journal`` folder of a store whose lock is held.
    length : int
        Number of bytes in whole lines, from `read_journal`; what follows is dropped.
    """

    def __init__(self, folder: Path, *, length: int) -> None:
        self._path = folder / _FILE
        self._handle = -1
        try:
            self._handle = os.open(self._path, os.O_WRONLY)
            os.ftruncate(self._handle, length)
        except OSError as error:
            self.close()
            raise disk_fault(error, self._path) from error
        self._end = length
        self._lines: list[bytes] = []

    def append(self, entry: JournalEntry) -> None:
        """Add an entry, to be written at the next flush."""
        self._lines.append(entry_line(entry))

    def flush(self) -> None:
        """Write the pending entries, and force them to the disk.

        Raises
        ------
        StoreError
            The disk is full or gone; the journal then ends where it ended before.
        """
        text = b"".join(self._lines)
        if not text:
            return
        try:
            write_all(self._handle, text, at=self._end)
            os.fsync(self._handle)
        except OSError as error:
            # A disk that is gone refuses this too; what is cut off is dropped when the journal is read.
            with suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise disk_fault(error, self._path) from error
        self._end += len(text)
        self._lines.clear()

    def close(self) -> None:
        """Close the file; entries not flushed are dropped, as they must be when the lock is lost."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def begin_extension(self, header: Header) -> None:
        """Begin an extension: from now on this header replaces the one before."""
        self._lines.append(header_line(header))
        self.flush()

    def begin_session(self) -> None:
        """Note that computing begins, so that rates leave out earlier sessions."""
        self._lines.append(session_line())
        self.flush()


def write_header(folder: Path, header: Header) -> None:
    """Begin the journal of a run in its ``journal`` folder."""
    with open(folder / _FILE, "xb") as file:
        file.write(header_line(header))
        file.flush()
        os.fsync(file.fileno())


def read_journal(folder: Path) -> Journal:
    """Read the journal in a ``journal`` folder, also while it is being written.

    Raises
    ------
    StoreError
        There is no journal, it is of another version, or a line other than the last is damaged.
    """
    journal, damaged = read_undamaged(folder)
    for number, found in damaged.items():
        raise _damaged(folder, number, found)
    return journal


def read_header(folder: Path) -> Header:
    """Read only the header of a journal, the last one after extensions; raises as `read_undamaged` does."""
    first, *rest = _whole_lines(folder) or [b""]
    header = _read_header(folder, first)[1]
    for number, line in enumerate(rest, start=2):
        if begins_header(line):
            try:
                header = parse_header(parse_line(line, must_check=True), before=header)
            except FAULTS as error:
                raise _damaged(folder, number, f"{type(error).__name__}: {error}") from error
    return header


def read_undamaged(folder: Path) -> tuple[Journal, dict[int, str]]:
    """Read a journal without its damaged lines, and return their numbers with what is wrong with each.

    Raises
    ------
    StoreError
        There is no journal, it is of another version, or its header is damaged.
    """
    lines = _whole_lines(folder)
    version, header = _read_header(folder, lines[0] if lines else b"")
    entries: dict[int, JournalEntry] = {}
    sessions, damaged = [], {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            record = parse_line(line, must_check=version > 1)
            if record["kind"] == "header":
                header = parse_header(record, before=header)
            elif record["kind"] == "session":
                sessions.append(parse_number(record["at"]))
            else:
                entry = parse_entry(record, header.block_points)
                entries.pop(entry.block, None)
                if entry.status is not PointStatus.TODO:
                    entries[entry.block] = entry
        except FAULTS as error:
            damaged[number] = f"{type(error).__name__}: {error}"
    return Journal(header, entries, tuple(sessions), sum(len(line) + 1 for line in lines)), damaged


def drop_damaged_lines(folder: Path) -> None:
    """Rewrite a journal without its damaged lines, so that their blocks are to do; the lock must be held.

    Raises
    ------
    StoreError
        As for `read_undamaged`, or it cannot be written.
    """
    _, damaged = read_undamaged(folder)
    _write_lines(folder, (line for number, line in enumerate(_whole_lines(folder), start=1) if number not in damaged))


def insert_header(folder: Path, header: Header) -> None:
    """Rewrite a journal with the header of an extension behind the first one; the lock must be held.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    first, *rest = _whole_lines(folder)
    _write_lines(folder, [first, header_line(header).rstrip(), *(line for line in rest if not begins_header(line))])


def _write_lines(folder: Path, lines: Iterable[bytes]) -> None:
    try:
        write_file(folder / _FILE, b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise disk_fault(error, folder / _FILE) from error


def _whole_lines(folder: Path) -> list[bytes]:
    path = folder / _FILE
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        refuse_other_store(folder.parent, "result")
        raise StoreError(
            "the journal cannot be read", where=str(path), found=str(error), hint="restore the file from a copy"
        ) from error
    return data.split(b"\n")[:-1]


def _read_header(folder: Path, line: bytes) -> tuple[int, Header]:
    """Return the format of a journal, and its header."""
    if not line:
        raise _damaged(folder, 1, "no header")
    try:
        record = parse_line(line, must_check=False)
        version = record["format"] if record["kind"] == "header" else None
        if version not in (1, FORMAT) and isinstance(version, int):
            raise StoreError(
                "the store was written by another version of sigcube",
                where=str(folder / _FILE),
                found=f"journal format {version}",
                expected=f"journal format {FORMAT}, or 1",
                hint="read it with that version, or write to another path",
            )
        if version not in (1, FORMAT):
            raise ValueError("not the header of a journal")
        parse_line(line, must_check=version != 1)
        return version, parse_header(record)
    except FAULTS as error:
        raise _damaged(folder, 1, f"{type(error).__name__}: {error}") from error


def _damaged(folder: Path, number: int, found: str) -> StoreError:
    remedy = "run `sigcube verify --repair` on the store" if number > 1 else "restore the file from a copy"
    return StoreError(
        "the journal is damaged",
        where=f"{folder / _FILE}, line {number}",
        found=found,
        expected="one JSON record a line, as sigcube writes it",
        hint=f"{remedy}, or move the store away and run the sweep again",
    )
