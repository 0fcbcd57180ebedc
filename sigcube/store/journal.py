"""The journal: one JSON line for each block that ended, appended and fsynced by the driver alone.

A block is done when its line is on disk, and not before; whether its chunks exist says nothing. The first line is a
header that names the run, so that `status` needs no other file. A line that a crash cut short is dropped.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from sigcube.errors import StoreError
from sigcube.files import write_all
from sigcube.plan.values import PointStatus
from sigcube.store.faults import disk_fault

__all__ = ["Header", "Journal", "JournalEntry", "JournalWriter", "read_journal", "write_header"]

FORMAT = 1
_FILE = "blocks.jsonl"
# The ways in which a block ends, by the word for it in a line.
_ENDS = {each.word: each for each in (PointStatus.DONE, PointStatus.FAILED, PointStatus.KILLED)}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first line of a journal says of the run.

    Parameters
    ----------
    identity : Mapping
        What must be equal for the run to go on.
    block_points : tuple of int
        Grid points computed in each block, by block index.
    data_points : int
        Points of data that each grid point is evaluated on.
    """

    identity: Mapping[str, str]
    block_points: tuple[int, ...]
    data_points: int


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """How one block ended.

    Parameters
    ----------
    block : int
        Index of the block in the plan.
    status : PointStatus
        Done, failed or killed.
    digest : str
        XXH3 digest of what was written; empty unless done.
    seconds : float
        Time [s] from its start on the worker until it was on the disk; the next block is computed meanwhile.
    worker : str
        Address of the worker.
    n_invalid : int
        Grid points at which the model is not finite.
    error : str
        The exception; empty when done.
    at : float
        Unix time [s] of the entry.
    """

    block: int
    status: PointStatus
    digest: str = ""
    seconds: float = 0.0
    worker: str = ""
    n_invalid: int = 0
    error: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class Journal:
    """A journal as read: its header, the last entry of each block, and when each session began [Unix s]."""

    header: Header
    entries: Mapping[int, JournalEntry]
    sessions: tuple[float, ...]
    length: int
    """Bytes of whole lines."""

    def blocks(self, *statuses: PointStatus) -> frozenset[int]:
        """Select the indices of the blocks that ended in one of the statuses."""
        return frozenset(index for index, entry in self.entries.items() if entry.status in statuses)


class JournalWriter:
    """Appends to a journal; nothing counts until `flush` returns.

    Parameters
    ----------
    folder : Path
        The ``journal`` folder of a store whose lock is held.
    length : int
        Bytes of whole lines, as `read_journal` counts them; what follows is dropped.
    """

    def __init__(self, folder: Path, *, length: int) -> None:
        self._path = folder / _FILE
        try:
            self._handle = os.open(self._path, os.O_WRONLY)
            os.ftruncate(self._handle, length)
        except OSError as error:
            raise disk_fault(error, self._path) from error
        self._end = length
        self._lines: list[str] = []

    def append(self, entry: JournalEntry) -> None:
        """Add an entry, to be written at the next flush."""
        self._lines.append(_line("block", {**asdict(entry), "status": entry.status.word, "at": time.time()}))

    def flush(self) -> None:
        """Write the entries that wait, and force them to the disk.

        Raises
        ------
        StoreError
            The disk is full or gone; the journal then ends where it ended before.
        """
        text = "".join(self._lines).encode()
        if not text:
            return
        try:
            write_all(self._handle, text, at=self._end)
            os.fsync(self._handle)
        except OSError as error:
            os.ftruncate(self._handle, self._end)
            raise disk_fault(error, self._path) from error
        self._end += len(text)
        self._lines.clear()

    def close(self) -> None:
        """Close the file; entries not flushed are dropped, as they must be when the lock is lost."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def begin_session(self) -> None:
        """Note that computing begins, so that rates leave out what came before."""
        self._lines.append(_line("session", {"at": time.time(), "pid": os.getpid()}))
        self.flush()


def write_header(folder: Path, header: Header) -> None:
    """Begin the journal of a run in its ``journal`` folder."""
    record = {
        "format": FORMAT,
        "identity": dict(header.identity),
        # Run lengths: almost all blocks are of one size, and there may be thousands.
        "block_points": [[len([*equal]), size] for size, equal in groupby(header.block_points)],
        "data_points": header.data_points,
    }
    with open(folder / _FILE, "xb") as file:
        file.write(_line("header", record).encode())
        file.flush()
        os.fsync(file.fileno())


def read_journal(folder: Path) -> Journal:
    """Read the journal in a ``journal`` folder, also while it is being written.

    Raises
    ------
    StoreError
        There is no journal, it is of another version, or a line other than the last is damaged.
    """
    path = folder / _FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(
            "there is no journal", where=str(path), found=str(error), hint="name the folder of a sigcube result"
        ) from error
    length = data.rfind(b"\n") + 1
    records = [_parse(path, number, line) for number, line in enumerate(data[:length].splitlines(), start=1)]
    if not records or records[0].get("kind") != "header":
        raise _damaged(path, 1, "no header")
    if (found := records[0].get("format")) != FORMAT:
        raise StoreError(
            "the store was written by another version of sigcube",
            where=str(path),
            found=f"journal format {found}",
            expected=f"journal format {FORMAT}",
            hint="read it with that version, or write to another path",
        )
    header, entries, sessions = None, {}, []
    for number, record in enumerate(records, start=1):
        try:
            if header is None:
                points = tuple(count for times, count in record["block_points"] for _ in range(times))
                header = Header(identity=record["identity"], block_points=points, data_points=record["data_points"])
            elif record["kind"] == "session":
                sessions.append(float(record["at"]))
            else:
                entry = _entry(record, len(header.block_points))
                entries[entry.block] = entry
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, number, f"{type(error).__name__}: {error}") from error
    assert header is not None
    return Journal(header, entries, tuple(sessions), length)


def _entry(record: Mapping[str, Any], n_blocks: int) -> JournalEntry:
    fields = {key: value for key, value in record.items() if key != "kind"}
    entry = JournalEntry(**{**fields, "status": _ENDS[fields["status"]]})
    if entry.block not in range(n_blocks):
        raise ValueError(f"block {entry.block} of {n_blocks}")
    return entry


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise _damaged(path, number, line[:60].decode(errors="replace")) from error
    if not isinstance(record, dict) or record.get("kind") not in ("header", "session", "block"):
        raise _damaged(path, number, line[:60].decode(errors="replace"))
    return record


def _damaged(path: Path, number: int, found: str) -> StoreError:
    return StoreError(
        "the journal is damaged",
        where=f"{path}, line {number}",
        found=found,
        expected="one JSON record a line, as sigcube writes it",
        hint="restore the file from a copy, or move the store away and run the sweep again",
    )


def _line(kind: str, record: Mapping[str, Any]) -> str:
    return json.dumps({"kind": kind, **record}) + "\n"
