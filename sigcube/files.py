"""Files and folders that appear whole or not at all, and are on disk once written."""

import errno
import fcntl
import glob
import itertools
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sigcube.errors import SpecError, shown
from sigcube.processes import is_abandoned, owner_tag

__all__ = [
    "beside",
    "cache_folder",
    "clear",
    "clear_abandoned",
    "find_previous",
    "free_space",
    "make_folder",
    "path_of",
    "refuse_no_page",
    "sync",
    "sync_all",
    "write_all",
    "write_file",
    "write_files",
    "write_folder",
]

# 0 where the system cannot write past its page cache.
_DIRECT = getattr(os, "O_DIRECT", 0)
# Below this size [bytes], writing past the page cache costs more than it saves.
_LEAST_DIRECT = 2**20
# Bytes on a boundary of so many can be written from where they are, to most devices.
_SECTOR = 512
# Bytes copied at a time to whole pages; small enough to stay in a core's own cache.
_STAGE = 2**19
# How names of pages end.
_PAGES = (".html", ".htm")
# Files that are open at a time.
_TOGETHER = 32
# What file systems answer if they do not support an operation.
_REFUSED = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)


def cache_folder() -> Path:
    """Return the folder of downloads and machine code: ``SIGCUBE_CACHE``, else one in the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("SIGCUBE_CACHE") or platformdirs.user_cache_dir("sigcube"))


def path_of(given: str | os.PathLike[str], *, what: str) -> Path:
    """Return a user's path once the system accepts it; nothing needs to exist there.

    Parameters
    ----------
    given : path-like
        What the user gave.
    what : str
        What it is to name, for the message.

    Raises
    ------
    SpecError
        It is no path, or an impossible one: a name is too long or holds a NUL, links form a circle, or a folder is
        closed to the user.
    """
    asked: object = given
    if not isinstance(asked, str | os.PathLike):
        found, expected = type(asked).__name__, "a path"
        raise SpecError(f"this cannot be the path of {what}", found=found, expected=expected)
    try:
        path = Path(given)
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, ValueError, TypeError) as error:
        found = getattr(error, "strerror", None) or str(error)
        where = shown(os.fspath(given) if isinstance(given, os.PathLike) else given)
        raise SpecError(f"this cannot be the path of {what}", where=where, found=found) from None
    return path


def refuse_unwritable(path: Path, *, what: str) -> None:
    """Refuse the path of a file that could not be written, before what goes into it is computed.

    Raises
    ------
    SpecError
        For a folder, a path below a file, and a folder in which the user may not write.
    """
    target = path_of(path, what=what)
    there = next(each for each in (target, *target.absolute().parents) if each.exists())
    if there == target and target.is_dir():
        found = "a folder"
    elif there != target and not there.is_dir():
        found = f"{there} is a file"
    elif not os.access(there, os.W_OK):
        found = f"{there} is closed to writing"
    else:
        return
    raise SpecError(f"{what} cannot be written", where=str(path), found=found, hint="name another path")


def refuse_no_page(path: Path) -> None:
    """Refuse the path of a page whose name does not end as that of an HTML file.

    Raises
    ------
    SpecError
        With the endings that there are.
    """
    # That it is a folder is told by those who write.
    if path.suffix.lower() not in _PAGES and not path_of(path, what="the page").is_dir():
        what, expected = "a page is an HTML file", f"a name that ends in {' or '.join(_PAGES)}"
        raise SpecError(what, where=str(path), found=path.suffix or "no ending", expected=expected)


def beside(path: Path, ending: str) -> Path:
    """Return the path beside a store whose name ends in `ending` instead of the store's own suffix.

    Examples
    --------
    >>> beside(Path("cubes/sparc.zarr"), ".html").as_posix()
    'cubes/sparc.html'
    >>> beside(Path("."), ".html") == Path.cwd().with_suffix(".html")
    True
    """
    named = path if path.name not in ("", "..") else path.resolve()
    return named.parent / f"{named.stem}{ending}"


def free_space(path: Path) -> int | None:
    """Return how many bytes the user may still write on the disk of a path; None if unknown.

    Raises
    ------
    OSError
        The disk is gone.
    """
    usage = shutil.disk_usage(next(each for each in (path, *path.absolute().parents) if each.exists()))
    # Some network file systems answer with zeros.
    return usage.free if usage.total else None


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a file, or replace it, in one step; its bytes are on the disk. `sync` its folder to be sure of its name.

    Raises
    ------
    OSError
        The disk is full or gone; what was at `path` is still there.
    """
    _put([(path, data)])


def write_files(files: Iterable[tuple[Path, bytes | memoryview]]) -> None:
    """Write files, or replace them, each in one step and one after the other; bytes and names are on the disk.

    Several are written before the first is flushed: the file system then commits them together, and not each by itself.

    Raises
    ------
    OSError
        The disk is full or gone; a file that was not replaced is what it was.
    """
    left = iter(files)
    folders: set[Path] = set()
    while names := _put(itertools.islice(left, _TOGETHER)):
        folders.update(path.parent for path in names)
    for folder in folders:
        sync(folder)


@contextmanager
def write_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path to make a folder at; if the block succeeds, the folder appears at `path`, on disk.

    With `overwrite` it replaces what is there, which stays until the new folder is complete. What dead processes left
    unfinished at `path` is cleared first.

    Raises
    ------
    FileExistsError
        There is something at `path`, and `overwrite` is false.
    OSError
        The disk is full or gone; what was at `path` is still there.
    """
    # A path without a name, such as "." or "/", exists, and nothing takes its place.
    nameless = path.name in ("", "..")
    if not nameless:
        make_folder(path.parent)
        clear_abandoned(path)
    if nameless or (os.path.lexists(path) and not overwrite):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    working = path.with_name(f".{path.name}.{owner_tag()}.partial")
    draft, previous = working / "next", working / "previous"
    working.mkdir()
    try:
        yield draft
        sync_all(draft)
        try:
            if overwrite and path.exists():
                path.rename(previous)
            draft.rename(path)
        except BaseException as error:
            # Also on an interrupt: `previous` is about to be removed with the working folder.
            if previous.exists() and not path.exists():
                previous.rename(path)
            if isinstance(error, OSError) and not overwrite and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
            raise
        sync(path.parent)
    finally:
        shutil.rmtree(working, ignore_errors=True)


def find_previous(path: Path) -> Path | None:
    """Return where an interrupted `write_folder` moved aside what was at a path, if one did."""
    return next((folder / "previous" for folder in _working_folders(path) if (folder / "previous").exists()), None)


def clear_abandoned(path: Path) -> None:
    """Remove what dead processes left of `write_folder`, first restoring a folder that one had moved aside."""
    for folder in _working_folders(path):
        if is_abandoned(folder, folder.name.removeprefix(f".{path.name}.").removesuffix(".partial")):
            if (folder / "previous").exists() and not path.exists():
                (folder / "previous").rename(path)
            shutil.rmtree(folder, ignore_errors=True)


def write_all(handle: int, data: bytes | memoryview, *, at: int) -> None:
    """Write bytes to an open file from the position `at`, in as many calls as it takes."""
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(handle, left, at)
        left, at = left[written:], at + written


def clear(path: Path) -> None:
    """Remove what is in the place of a file, also where it is a link or, after some accident, a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless they exist; their names are on the disk."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk; a file system that cannot do so for folders is no error."""
    handle = os.open(path, os.O_RDONLY)
    try:
        _flush(handle)
    except OSError as error:
        if error.errno not in _REFUSED or not path.is_dir():
            raise
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Flush a folder and everything in it to the disk."""
    for each in [*folder.rglob("*"), folder]:
        sync(each)


def _working_folders(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.partial"))


def _put(files: Iterable[tuple[Path, bytes | memoryview]]) -> list[Path]:
    """Write drafts of all files, flush them, put them in their places, and return these."""
    places: dict[Path, Path] = {}
    handles: list[int] = []
    try:
        try:
            for path, data in files:
                draft = path.parent / f".{path.name}.{owner_tag()}.partial"
                handles.append(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                places[draft] = path
                content = memoryview(data).cast("B")
                done = _write_pages(draft, content) if _DIRECT and len(content) >= _LEAST_DIRECT else 0
                write_all(handles[-1], content[done:], at=done)
            for handle in handles:
                _flush(handle)
        finally:
            for handle in handles:
                os.close(handle)
        for draft, path in places.items():
            draft.replace(path)
    except BaseException:
        for draft in places:
            draft.unlink(missing_ok=True)
        raise
    return [*places.values()]


def _flush(handle: int) -> None:
    # On macOS, fsync only hands the data to the drive.
    if (full_flush := getattr(fcntl, "F_FULLFSYNC", None)) is not None:
        fcntl.fcntl(handle, full_flush)
    else:
        os.fsync(handle)


def _write_pages(path: Path, data: memoryview) -> int:
    """Write whole pages past the page cache, and return how many bytes: none if the file system refuses.

    Copying values into a cache that nobody reads, and flushing them out of it, took a fifth of the time of a block.
    """
    end = len(data) // mmap.PAGESIZE * mmap.PAGESIZE
    handle = -1
    try:
        handle = os.open(path, os.O_WRONLY | _DIRECT)
        if np.frombuffer(data, np.uint8).ctypes.data % _SECTOR or not _write_direct(handle, data[:end]):
            _write_staged(handle, data[:end])
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return 0
    finally:
        if handle >= 0:
            os.close(handle)
    return end


def _write_direct(handle: int, data: memoryview) -> bool:
    """Write bytes from where they are, unless the device wants them on boundaries of its own."""
    try:
        write_all(handle, data, at=0)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True


def _write_staged(handle: int, data: memoryview) -> None:
    """Write bytes by way of whole pages: a device takes them from such boundaries only, where few arrays begin."""
    # Not closed by hand: that fails while a profiler in another thread holds a frame that refers to it.
    stage = memoryview(mmap.mmap(-1, _STAGE))
    for done in range(0, len(data), _STAGE):
        size = min(_STAGE, len(data) - done)
        stage[:size] = data[done : done + size]
        write_all(handle, stage[:size], at=done)
