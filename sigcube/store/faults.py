"""Clear errors for faults of the disk."""

import errno
from pathlib import Path

from sigcube.errors import StoreError

__all__ = ["damaged_store", "disk_fault", "refuse_unreadable"]

_FULL = {errno.ENOSPC, errno.EDQUOT}
# A file that is gone, and a folder or a link in its place.
_DAMAGE = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP}


def disk_fault(error: OSError, path: Path) -> StoreError:
    """Turn an operating system's error about a file or a store into one that says what to do."""
    what = "the disk is full" if error.errno in _FULL else "the store cannot be written"
    return StoreError(
        what,
        where=str(path),
        found=str(error),
        hint="choose a shorter name: while it writes, sigcube adds to the names of files"
        if error.errno == errno.ENAMETOOLONG
        else "make room or repair access, then run the same command again: finished blocks are kept",
    )


def damaged_store(where: str, found: str) -> StoreError:
    """Return the error of a store whose content is not what was written."""
    return StoreError(
        "the store is damaged",
        where=where,
        found=found,
        hint="run `sigcube verify --repair` on it, then the same command again: what is sound is kept",
    )


def refuse_unreadable(error: OSError, path: str | Path) -> None:
    """Refuse to judge what cannot be read, unless the error says that it is gone, or that something took its place.

    A wrong mode, or a network disk that does not answer for a moment, is no damage: the file may be sound.

    Raises
    ------
    StoreError
        With the file, and what the system says.
    """
    if error.errno not in _DAMAGE:
        raise StoreError(
            "the store cannot be read",
            where=str(error.filename or path),
            found=error.strerror or str(error),
            hint="give yourself access to it, or see whether its disk is there; nothing was changed",
        ) from error
