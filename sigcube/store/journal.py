"""The journal: one JSON line for each block that ended, appended and fsynced by the driver alone.

A block is done when its line is on disk, and not before; whether its chunks exist says nothing. The first line is a
header that names the run, so that `status` needs no other file; each extension adds another. Each line ends with a
checksum of the rest of it: a line that a crash cut short is dropped, and any other that is not as it was written is
refused.
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash

from sigcube.cube.storage import refuse_other_store
from sigcube.errors import StoreError
from sigcube.files import write_all, write_file
from sigcube.plan.values import MOST_BLOCKS, PointStatus
from sigcube.store.faults import disk_fault

__all__ = [
    "Header",
    "Journal",
    "JournalEntry",
    "JournalWriter",
    "drop_damaged_lines",
    "insert_header",
    "read_journal",
    "read_undamaged",
    "write_header",
]

#: Its lines have checksums, and its header the digests of files; format 1, of older results, has neither.
FORMAT = 2
_FILE = "blocks.jsonl"
_EXTENSION = b'{"kind": "header"'
# The ways in which a block ends, by the word for it in a line; a block whose result was found damaged is to do again.
_ENDS = {each.word: each for each in (PointStatus.TODO, PointStatus.DONE, PointStatus.FAILED, PointStatus.KILLED)}
_LINE = re.compile(rb'(\{.*), "check": "([0-9a-f]{16})"\}')
# What reading a damaged line may raise; RecursionError for brackets without an end.
_FAULTS = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)
_DIGEST = re.compile("[0-9a-f]{32}")


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
    files : Mapping
        XXH3 digests of the files that the store began with, by their paths in it; empty for a store of format 1.
    """

    identity: Mapping[str, str]
    block_points: tuple[int, ...]
    data_points: int
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """How one block ended.

    Parameters
    ----------
    block : int
        Index of the block in the plan.
    status : PointStatus
        Done, failed or killed; to do again, where what was written was found damaged.
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

    def begin_extension(self, header: Header) -> None:
        """Note that the store holds more from now on: this header counts instead of the one before."""
        self._lines.append(_header_line(header))
        self.flush()

    def begin_session(self) -> None:
        """Note that computing begins, so that rates leave out what came before."""
        self._lines.append(_line("session", {"at": time.time(), "pid": os.getpid()}))
        self.flush()


def write_header(folder: Path, header: Header) -> None:
    """Begin the journal of a run in its ``journal`` folder."""
    with open(folder / _FILE, "xb") as file:
        file.write(_header_line(header).encode())
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
    """Read the header of a journal alone, the last one after extensions; raises as `read_undamaged` does."""
    first, *rest = _whole_lines(folder) or [b""]
    header = _read_header(folder, first)[1]
    for number, line in enumerate(rest, start=2):
        if line.startswith(_EXTENSION):
            try:
                header = _extended(header, _read_line(line, must_check=True))
            except _FAULTS as error:
                raise _damaged(folder, number, f"{type(error).__name__}: {error}") from error
    return header


def read_undamaged(folder: Path) -> tuple[Journal, dict[int, str]]:
    """Read a journal without its damaged lines; return also their numbers, with what is wrong with each.

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
            record = _read_line(line, must_check=version > 1)
            if record["kind"] == "header":
                header = _extended(header, record)
            elif record["kind"] == "session":
                sessions.append(_number(record["at"]))
            else:
                entry = _entry(record, header.block_points)
                entries.pop(entry.block, None)
                if entry.status is not PointStatus.TODO:
                    entries[entry.block] = entry
        except _FAULTS as error:
            damaged[number] = f"{type(error).__name__}: {error}"
    return Journal(header, entries, tuple(sessions), sum(len(line) + 1 for line in lines)), damaged


def drop_damaged_lines(folder: Path) -> None:
    """Write a journal again without its damaged lines, so that their blocks are to do; the lock must be held.

    Raises
    ------
    StoreError
        As for `read_undamaged`, or it cannot be written.
    """
    _, damaged = read_undamaged(folder)
    kept = [line for number, line in enumerate(_whole_lines(folder), start=1) if number not in damaged]
    try:
        write_file(folder / _FILE, b"".join(line + b"\n" for line in kept))
    except OSError as error:
        raise disk_fault(error, folder / _FILE) from error


def insert_header(folder: Path, header: Header) -> None:
    """Write a journal again with the header of an extension behind the first one; the lock must be held.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    first, *rest = _whole_lines(folder)
    lines = [first, _header_line(header).rstrip().encode(), *(line for line in rest if not line.startswith(_EXTENSION))]
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
        record = _read_line(line, must_check=False)
        version = record["format"] if record["kind"] == "header" else None
        if version not in (1, FORMAT) and isinstance(version, int):
            raise StoreError(
                "the store was written by another version of sigcube",
                where=str(folder / _FILE),
                found=f"journal format {version}",
                expected=f"journal format {FORMAT}, or 1",
                hint="read it with that version, or write to another path",
            )
        _read_line(line, must_check=version != 1)
        return version, _header(record)
    except _FAULTS as error:
        raise _damaged(folder, 1, f"{type(error).__name__}: {error}") from error


def _header(record: Mapping[str, Any]) -> Header:
    runs, files = record["block_points"], dict(record.get("files", {}))
    if any(type(each) is not int or each < 0 for run in runs for each in run):
        raise ValueError("a number of points or blocks that is none")
    if sum(times for times, _ in runs) > MOST_BLOCKS:
        raise ValueError(f"more than {MOST_BLOCKS} blocks")
    # A repair removes such files: none lies outside the store.
    if outside := [name for name in files if "\0" in name or {"/", ".."} & {*PurePosixPath(name).parts}]:
        raise ValueError(f"{outside[0]!r} is no file of the store")
    return Header(
        identity={str(key): str(value) for key, value in record["identity"].items()},
        block_points=tuple(count for times, count in runs for _ in range(times)),
        data_points=int(record["data_points"]),
        files={name: str(digest) for name, digest in files.items()},
    )


def _extended(before: Header, record: Mapping[str, Any]) -> Header:
    header = _header(record)
    if header.block_points[: len(before.block_points)] != before.block_points:
        raise ValueError("an extension with other blocks before it")
    return header


def _header_line(header: Header) -> str:
    record = {
        "format": FORMAT,
        "identity": dict(header.identity),
        # Run lengths: almost all blocks are of one size, and there may be thousands.
        "block_points": [[len([*equal]), size] for size, equal in groupby(header.block_points)],
        "data_points": header.data_points,
        "files": dict(header.files),
    }
    return _line("header", record)


def _read_line(line: bytes, *, must_check: bool) -> dict[str, Any]:
    """Return the record in a line, once its checksum has been compared."""
    if found := _LINE.fullmatch(line):
        text, check = found[1] + b"}", found[2].decode()
        if xxhash.xxh3_64_hexdigest(text) != check:
            raise ValueError(f"not the line that was written, {_start_of(line)}")
    elif must_check:
        raise ValueError(f"no checksum, {_start_of(line)}")
    else:
        text = line
    record = json.loads(text)
    if not isinstance(record, dict) or record.get("kind") not in ("header", "session", "block"):
        raise ValueError(f"no record of a journal, {_start_of(line)}")
    return record


def _start_of(line: bytes) -> str:
    return repr(line[:60].decode(errors="replace"))


def _entry(record: Mapping[str, Any], block_points: Sequence[int]) -> JournalEntry:
    fields = {key: value for key, value in record.items() if key != "kind"}
    entry = JournalEntry(**{**fields, "status": _ENDS[fields["status"]]})
    n_blocks = len(block_points)
    if type(entry.block) is not int or entry.block not in range(n_blocks):
        raise ValueError(f"block {entry.block} of {n_blocks}")
    if type(entry.n_invalid) is not int or not 0 <= entry.n_invalid <= block_points[entry.block]:
        raise ValueError(f"{entry.n_invalid} of {block_points[entry.block]} points are invalid")
    if entry.status is PointStatus.DONE and not _DIGEST.fullmatch(entry.digest):
        raise ValueError(f"digest {entry.digest!r}")
    for text in (entry.digest, entry.worker, entry.error):
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is not text")
    return replace(entry, seconds=_number(entry.seconds), at=_number(entry.at))


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _damaged(folder: Path, number: int, found: str) -> StoreError:
    remedy = "run `sigcube verify --repair` on the store" if number > 1 else "restore the file from a copy"
    return StoreError(
        "the journal is damaged",
        where=f"{folder / _FILE}, line {number}",
        found=found,
        expected="one JSON record a line, as sigcube writes it",
        hint=f"{remedy}, or move the store away and run the sweep again",
    )


def _line(kind: str, record: Mapping[str, Any]) -> str:
    text = json.dumps({"kind": kind, **record})
    return f'{text[:-1]}, "check": "{xxhash.xxh3_64_hexdigest(text.encode())}"}}\n'
