"""Files that are whole, and on the disk, once they are said to be written."""

import errno
import fcntl
import mmap
import os
import uuid
from contextlib import suppress
from pathlib import Path

__all__ = ["cache_folder", "make_folder", "sync", "sync_all", "write_all", "write_file"]

# Absent where the system has no way past its cache.
_DIRECT = getattr(os, "O_DIRECT", 0)
# Below this the way past the cache costs more than it saves.
_LEAST_DIRECT = 2**20
# Stays in a core's own cache, so that the detour through it costs no memory traffic.
_STAGE = 2**19
# Said by file systems that have no such thing.
_REFUSED = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)


def cache_folder() -> Path:
    """Return the folder of downloads and machine code: ``SIGCUBE_CACHE``, else a folder in the system's for caches."""
    import platformdirs

    return Path(os.environ.get("SIGCUBE_CACHE") or platformdirs.user_cache_dir("sigcube"))


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a file that appears whole or not at all, its bytes on the disk; `sync` its folder to be sure of its name.

    Parameters
    ----------
    path : Path
        The file; what is there is replaced. Its folder must exist.
    data : bytes-like
        Contiguous.

    Raises
    ------
    OSError
        The disk is full or gone; what was at `path` is still there.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        _write_draft(draft, memoryview(data).cast("B"))
        draft.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise


def write_all(handle: int, data: bytes | memoryview, *, at: int) -> None:
    """Write all of some bytes at a place of a file, however many calls it takes.

    Parameters
    ----------
    handle : int
        The open file.
    data : bytes-like
        Contiguous.
    at : int
        Where the first one goes.

    Raises
    ------
    OSError
        The disk is full or gone; some may be written.
    """
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(handle, left, at)
        left, at = left[written:], at + written


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where there are none, their names on the disk.

    Parameters
    ----------
    path : Path
        The folder.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk; a file system may refuse to do so for folders, and is let.

    Parameters
    ----------
    path : Path
        The file or folder.

    Raises
    ------
    OSError
        The disk is gone.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        _force(handle)
    except OSError as error:
        if error.errno not in _REFUSED or not path.is_dir():
            raise
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Force a folder and everything in it to the disk.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    for each in [*folder.rglob("*"), folder]:
        sync(each)


def _write_draft(path: Path, data: memoryview) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        done = _write_pages(path, data) if _DIRECT and len(data) >= _LEAST_DIRECT else 0
        write_all(handle, data[done:], at=done)
        _force(handle)
    finally:
        os.close(handle)


def _force(handle: int) -> None:
    """Force an open file to the disk, where macOS by itself only hands it to the drive."""
    whole = getattr(fcntl, "F_FULLFSYNC", None)
    if whole is None:
        os.fsync(handle)
    else:
        fcntl.fcntl(handle, whole)


def _write_pages(path: Path, data: memoryview) -> int:
    """Write whole pages past the system's cache, and return how many bytes: none, where the file system refuses.

    To copy values into a cache that nobody reads, and to force them out of it again, takes a fifth of a block's time.
    """
    done, end = 0, len(data) // mmap.PAGESIZE * mmap.PAGESIZE
    try:
        handle = os.open(path, os.O_WRONLY | _DIRECT)
    except OSError as error:
        return _unless_refused(error)
    try:
        # The device takes bytes from whole pages alone, at which few arrays begin. The stage is not closed by hand,
        # which fails while a profiler in another thread holds a frame with a part of it.
        stage = memoryview(mmap.mmap(-1, _STAGE))
        while done < end:
            size = min(_STAGE, end - done)
            stage[:size] = data[done : done + size]
            write_all(handle, stage[:size], at=done)
            done += size
    except OSError as error:
        return _unless_refused(error)
    finally:
        os.close(handle)
    return done


def _unless_refused(error: OSError) -> int:
    if error.errno not in _REFUSED:
        raise error
    return 0
