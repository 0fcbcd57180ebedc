"""The folder of kept machine code: files that are checked when they are read, within a bound, shared by processes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sigcube.files import cache_folder, write_file

__all__ = ["SUFFIX", "kept_folder", "read_kept", "write_kept"]

#: Bytes that the folder may hold; the files used longest ago go first.
BOUND = 256 * 2**20
#: What the name of each file ends with.
SUFFIX = ".code"

_CHECKSUM = hashlib.sha256().digest_size


def kept_folder() -> Path | None:
    """Return where machine code is kept: ``SIGCUBE_COMPILED`` of the environment, else a part of the cache.

    Returns
    -------
    Path or None
        None if the variable is ``off``, or if the folder cannot be made, or is not safe from other users.
    """
    named = os.environ.get("SIGCUBE_COMPILED", "")
    if named == "off":
        return None
    return _safe_folder(Path(named) if named else cache_folder() / ".compiled")


def _safe_folder(folder: Path) -> Path | None:
    """Make a folder; what lies in it is executed, so that nobody else may write there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    # Only POSIX tells by owner and mode.
    is_safe = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return folder if is_safe else None


def read_kept(path: Path) -> bytes | None:
    """Return what was written to a file, which counts as its last use.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes or None
        None if it is not there, or no longer what was written under this name.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    data = content[_CHECKSUM:]
    if content[:_CHECKSUM] != _checksum(path, data):
        return None
    # Another process may have removed it by now.
    with suppress(OSError):
        os.utime(path)
    return data


def write_kept(path: Path, data: bytes) -> None:
    """Write a file, and remove others if they are too many; without a word where there is no room.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What `read_kept` returns.
    """
    with suppress(OSError):
        write_file(path, _checksum(path, data) + data)
        _prune(path.parent)


def _checksum(path: Path, data: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + data).digest()


def _prune(folder: Path) -> None:
    """Remove the files used longest ago, drafts that nobody finished among them, until the rest is within the bound."""
    files = sorted(_files(folder), reverse=True)
    held = 0
    for _, size, path in files:
        held += size
        if held > BOUND:
            with suppress(OSError):
                path.unlink()


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.iterdir():
        with suppress(OSError):
            found = path.stat()
            if SUFFIX in path.suffixes:
                yield found.st_mtime, found.st_size, path
