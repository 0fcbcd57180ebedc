"""What has arrived of a download so far: kept for the next attempt, each process writing a file of its own."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import psutil

__all__ = ["part_of", "size_of"]


@contextmanager
def part_of(path: Path, sha256: str) -> Iterator[Path]:
    """Give a hidden file beside ``path`` to download into, with what an earlier attempt left in it.

    No other process writes it. What is in it at the end waits for the next attempt, unless it was moved or removed.

    Parameters
    ----------
    path : Path
        The file that is wanted.
    sha256 : str
        Its checksum; a part of a file with another one is not touched.
    """
    stem = f".{path.name}.{sha256}"
    own = path.with_name(f"{stem}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")
    _take(path.with_name(f"{stem}.part"), own)
    try:
        yield own
    finally:
        _leave(own, path.with_name(f"{stem}.part"))


def size_of(part: Path) -> int:
    """Return how many bytes have arrived."""
    return part.stat().st_size if part.is_file() else 0


def _take(free: Path, own: Path) -> None:
    """Take over the longest part that belongs to no process; renaming it decides between several that try."""
    for part in sorted([free, *_orphans(free)], key=size_of, reverse=True):
        with suppress(FileNotFoundError):
            part.rename(own)
            return


def _orphans(free: Path) -> list[Path]:
    """Find parts of processes of this machine that were killed."""
    return [part for part in free.parent.glob(f"{escape(free.stem)}.*.part") if _is_orphan(part)]


def _is_orphan(part: Path) -> bool:
    host, pid, _, _ = part.name.rsplit(".", 3)
    if not host.endswith(f".{socket.gethostname()}"):
        return False
    try:
        # Another process may have got the number of one that is gone.
        return bool(psutil.Process(int(pid)).create_time() > part.stat().st_mtime)
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, psutil.Error):
        return False


def _leave(own: Path, free: Path) -> None:
    if size_of(own) > size_of(free):
        os.replace(own, free)
    else:
        own.unlink(missing_ok=True)
