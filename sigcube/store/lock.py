"""One writer per store, proved by a chain of lock records.

A lock is the record with the highest number in a folder: ``lock.000001``, ``lock.000002`` … A record is made by a hard
link from a finished file, so it appears whole or not at all, and of two contenders for one number exactly one wins. A
record is never deleted before a higher one exists, which is what makes taking over a dead holder free of races. The
modification time of the record is its heartbeat. A contender compares it with that of its own record, so that both come
from the file server's clock; `current_holder`, which only informs, compares it with this machine's.
"""

import json
import os
import re
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path

from sigcube.errors import StoreError, StoreInUse
from sigcube.files import clear, write_file
from sigcube.processes import Process, owner_tag, this_process
from sigcube.store.faults import disk_fault

__all__ = ["STALE_AFTER", "Holder", "Lock", "current_holder"]

STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a holder on another machine counts as dead."""

HEARTBEAT = 5.0
_NAME = re.compile(r"lock\.(\d{6,})")


@dataclass(frozen=True, kw_only=True)
class Holder(Process):
    """The process that holds, or held, a lock.

    Parameters
    ----------
    host, machine, pid, started
        As for `sigcube.processes.Process`.
    since : float
        Unix time [s] at which the lock was taken.
    token : str
        Unique for each time a lock is taken.
    released : bool
        Whether the holder released it.
    heartbeat : float
        Unix time [s] of the last sign of life.
    """

    since: float
    token: str
    released: bool = False
    heartbeat: float = field(default=0.0, compare=False)

    def alive(self, *, now: float, stale_after: float = STALE_AFTER) -> bool:
        """Whether the holder still works: judged by its process on this machine, by its heartbeat elsewhere."""
        return not (self.released or self.has_ended(last_seen=self.heartbeat, patience=stale_after, now=now))

    def __str__(self) -> str:
        """Name the process, its host and its start, as errors show them."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


class Lock:
    """A held lock with a heartbeat of its own; a context manager that releases it.

    Parameters
    ----------
    folder : Path
        The folder of the records, which must exist.
    stale_after : float, optional
        Seconds without a heartbeat after which a holder on another machine counts as dead.

    Raises
    ------
    StoreInUse
        Another process holds it.
    StoreError
        Its record cannot be written.
    """

    def __init__(self, folder: Path, *, stale_after: float = STALE_AFTER) -> None:
        self._folder = folder
        try:
            self._number, self.holder = _take(folder, stale_after)
        except OSError as error:
            raise StoreError("the lock cannot be taken", where=str(folder), found=str(error)) from error
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sigcube-lock", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Lock":
        """Return the lock, held since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    @property
    def record(self) -> tuple[str, str]:
        """Name and token of the record, by which others can tell that they see the same folder."""
        return _file(self._folder, self._number).name, self.holder.token

    def check(self) -> None:
        """Raise unless the lock is still ours.

        Raises
        ------
        StoreInUse
            It was taken over, as may happen to a process that was suspended for long.
        StoreError
            The store was moved or removed, or cannot be read.
        """
        try:
            newest = _newest(self._folder)
        except OSError as error:
            raise disk_fault(error, self._folder.parent) from error
        if newest is None or newest[1].token != self.holder.token:
            taker = str(newest[1]) if newest else "nobody: its record was deleted"
            raise StoreInUse(
                "this run lost the lock on its store, and stops",
                where=str(self._folder.parent),
                found=taker,
                hint="wait for the other run to end; run the same command again to finish what is left",
            )

    def release(self) -> None:
        """Release the lock; a lost lock is left alone."""
        self._stop.set()
        self._thread.join()
        # A full disk must not hide the error that ended the run; the end of this process frees the lock too.
        with suppress(StoreError, OSError):
            self.check()
            write_file(_file(self._folder, self._number), _record(replace(self.holder, released=True)))

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with suppress(OSError):
                os.utime(_file(self._folder, self._number))


def current_holder(folder: Path) -> Holder | None:
    """Read who holds the lock whose records lie in a folder, without taking it; None when it is free."""
    newest = _newest(folder)
    return newest[1] if newest and newest[1].alive(now=time.time()) else None


def _take(folder: Path, stale_after: float) -> tuple[int, Holder]:
    me = Holder(**asdict(this_process()), since=time.time(), token=uuid.uuid4().hex)
    draft = folder / f"draft.{owner_tag()}.partial"
    try:
        try:
            # Synced before it counts: a record that a power cut emptied would hold the store for a minute.
            write_file(draft, _record(me))
        except OSError as error:
            hint = "computing needs a folder that can be written; a result is opened, and asked, where it is"
            found = error.strerror or str(error)
            raise StoreError("the lock cannot be written", where=str(folder), found=found, hint=hint) from error
        newest = _newest(folder)
        if newest and newest[1].alive(now=draft.stat().st_mtime, stale_after=stale_after):
            raise _in_use(folder, newest[1])
        number = newest[0] + 1 if newest else 1
        _link(draft, folder, number, me)
    finally:
        draft.unlink(missing_ok=True)
    numbers = _numbers(folder)
    if (highest := max(numbers)) > number:
        # Ours went into a gap that a whole take-over left behind: give way.
        _file(folder, number).unlink(missing_ok=True)
        raise _in_use(folder, _read(folder, highest))
    for older in numbers:
        if older < number:
            clear(_file(folder, older))
    return number, me


def _link(draft: Path, folder: Path, number: int, me: Holder) -> None:
    try:
        os.link(draft, _file(folder, number))
    except FileExistsError:
        holder = _read(folder, number)
        # A file server may lose its answer, and then report that the link already exists.
        if holder is None or holder.token != me.token:
            raise _in_use(folder, holder) from None
    except OSError as error:
        hint = "the lock is a hard link: keep results on a file system that has them, and has room"
        raise StoreError("the lock cannot be taken", where=str(folder), found=str(error), hint=hint) from error


def _in_use(folder: Path, holder: Holder | None) -> StoreInUse:
    return StoreInUse(
        "the store is being written by another run",
        where=str(folder.parent),
        found=str(holder) if holder else "a run that took the lock at this moment",
        hint="wait for it to end, or end that process; a run that died frees the store by itself",
    )


def _record(holder: Holder) -> bytes:
    return json.dumps({key: value for key, value in asdict(holder).items() if key != "heartbeat"}).encode()


def _newest(folder: Path) -> tuple[int, Holder] | None:
    """Read the highest record; a higher one may replace it between listing and reading."""
    while numbers := _numbers(folder):
        holder = _read(folder, number := max(numbers))
        if holder is not None:
            return number, holder
    return None


def _numbers(folder: Path) -> list[int]:
    return [int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name))]


def _read(folder: Path, number: int) -> Holder | None:
    path = _file(folder, number)
    try:
        heartbeat = path.lstat().st_mtime
    except FileNotFoundError:
        return None
    try:
        heartbeat = path.stat().st_mtime
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        # Removed since, or a link that leads nowhere.
        if not path.is_symlink():
            return None
        text = ""
    except OSError:
        text = ""
    # A power cut may empty a file that was not yet on disk: its holder is unknown, and judged by the heartbeat alone.
    unknown = Holder(host="unknown", machine="", pid=0, started=0.0, since=heartbeat, token="", heartbeat=heartbeat)
    try:
        holder = Holder(**json.loads(text), heartbeat=heartbeat)
        str(holder)
    except (ValueError, TypeError, OverflowError, OSError, RecursionError):
        return unknown
    # Values of the wrong type would break those who ask about the holder.
    types = [[type(value) for value in asdict(each).values()] for each in (holder, unknown)]
    return holder if types[0] == types[1] and 0 < holder.pid < 2**31 and isfinite(holder.started) else unknown


def _file(folder: Path, number: int) -> Path:
    return folder / f"lock.{number:06d}"
