"""The lines of a journal: JSON records, each with a checksum of the rest of it."""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from math import isfinite
from pathlib import PurePosixPath
from typing import Any

import xxhash

from sigcube.plan.values import MOST_BLOCKS, PointStatus

__all__ = [
    "FAULTS",
    "FORMAT",
    "Header",
    "JournalEntry",
    "begins_header",
    "entry_line",
    "header_line",
    "parse_entry",
    "parse_header",
    "parse_line",
    "parse_number",
    "session_line",
]

#: The version of the journal: its lines have checksums, and its header the digests of files. Format 1, of older
#: results, has neither.
FORMAT = 2
#: What parsing a damaged line may raise; RecursionError comes from endless brackets.
FAULTS = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)

# The ways in which a block ends, by their word in a line; a block found damaged is to do again.
_ENDS = {each.word: each for each in (PointStatus.TODO, PointStatus.DONE, PointStatus.FAILED, PointStatus.KILLED)}
_LINE = re.compile(rb'(\{.*), "check": "([0-9a-f]{16})"\}')
_DIGEST = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first line of a journal, which describes the run.

    Parameters
    ----------
    identity : Mapping
        What must be equal for the run to resume.
    block_points : tuple of int
        Grid points computed in each block, by block index.
    data_points : int
        Number of data points at which each grid point is evaluated.
    files : Mapping
        XXH3 digests of the files of the store's template, by their paths; empty for a store of format 1.
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
        Done, failed or killed; or to do again, if it was found damaged.
    digest : str
        XXH3 digest of what was written; empty unless done.
    seconds : float
        Time [s] from its start on the worker until it was on disk; the next block is computed meanwhile.
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


def begins_header(line: bytes) -> bool:
    """Whether a line is a header, by its start alone, which is quick in a journal of many blocks."""
    return line.startswith(b'{"kind": "header"')


def header_line(header: Header) -> bytes:
    """Write a header as a line."""
    record = {
        "format": FORMAT,
        "identity": dict(header.identity),
        # As run lengths, since almost all blocks are of one size, and there may be thousands.
        "block_points": [[len([*equal]), size] for size, equal in groupby(header.block_points)],
        "data_points": header.data_points,
        "files": dict(header.files),
    }
    return _line("header", record)


def entry_line(entry: JournalEntry) -> bytes:
    """Write an entry as a line, with the present time."""
    return _line("block", {**asdict(entry), "status": entry.status.word, "at": time.time()})


def session_line() -> bytes:
    """Write the line that marks the start of a session."""
    return _line("session", {"at": time.time(), "pid": os.getpid()})


def _line(kind: str, record: Mapping[str, Any]) -> bytes:
    text = json.dumps({"kind": kind, **record})
    return f'{text[:-1]}, "check": "{xxhash.xxh3_64_hexdigest(text.encode())}"}}\n'.encode()


def parse_line(line: bytes, *, must_check: bool) -> dict[str, Any]:
    """Check a line's checksum, and return its record; raises one of `FAULTS`."""
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


def parse_header(record: Mapping[str, Any], *, before: Header | None = None) -> Header:
    """Return the header that a record holds; `before` is the one that it extends. Raises one of `FAULTS`."""
    runs, files = record["block_points"], dict(record.get("files", {}))
    if any(type(each) is not int or each < 0 for run in runs for each in run):
        raise ValueError("a number of points or blocks that is none")
    if sum(times for times, _ in runs) > MOST_BLOCKS:
        raise ValueError(f"more than {MOST_BLOCKS} blocks")
    # A repair removes these files, so none may lie outside the store.
    if outside := [name for name in files if "\0" in name or {"/", ".."} & {*PurePosixPath(name).parts}]:
        raise ValueError(f"{outside[0]!r} is no file of the store")
    header = Header(
        identity={str(key): str(value) for key, value in record["identity"].items()},
        block_points=tuple(count for times, count in runs for _ in range(times)),
        data_points=int(record["data_points"]),
        files={name: str(digest) for name, digest in files.items()},
    )
    if before is not None and header.block_points[: len(before.block_points)] != before.block_points:
        raise ValueError("an extension with other blocks before it")
    return header


def parse_entry(record: Mapping[str, Any], block_points: Sequence[int]) -> JournalEntry:
    """Return the entry that a record holds, of a run with blocks of these sizes; raises one of `FAULTS`."""
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
    return replace(entry, seconds=parse_number(entry.seconds), at=parse_number(entry.at))


def parse_number(value: Any) -> float:
    """Return a finite number; raises ValueError for anything else."""
    if not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
