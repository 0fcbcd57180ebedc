"""One writer per store, proved by a chain of lock records.

A lock is the record with the highest number in a folder: ``lock.000001``, ``lock.000002`` … A record is made by a hard
link from a finished file, so it appears whole or not at all, and of two contenders for one number exactly one wins. A
record is never deleted before a higher one exists, which is what makes taking over a dead holder free of races. The
modification time of the record is its heartbeat, so both sides of the comparison come from the file server's clock.
"""

import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from sigcube.errors import StoreError, StoreInUse
from sigcube.store.faults import disk_fault

__all__ = ["STALE_AFTER", "Holder", "Lock", "current_holder"]

STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a holder on another machine counts as dead."""

HEARTBEAT = 5.0
# A start time is counted from the boot time, which moves when the clock is set; beyond this the heartbeat decides.
_CLOCK_STEP = 2.0
_NAME = re.compile(r"lock\.(\d{6})")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds, or held, a lock.

    Parameters
    ----------
    host : str
        Host name, for people.
    machine : str
        Boot and process-id namespace: process ids are comparable only where it is equal.
    pid : int
        Process id.
    started, since : float
        Unix times [s] at which the process started and the lock was taken.
    token : str
        Unique for each time a lock is taken.
    released : bool
        The holder let it go.
    heartbeat : float
        Unix time [s] of the last sign of life.
    """

    host: str
    machine: str
    pid: int
    started: float
    since: float
    token: str
    released: bool = False
    heartbeat: float = field(default=0.0, compare=False)

    def alive(self, *, now: float, stale_after: float = STALE_AFTER) -> bool:
        """Tell whether the holder still works: by its process on this machine, by its heartbeat elsewhere."""
        if self.released:
            return False
        if self.machine == _machine():
            started = _started(self.pid)
            if started is None or abs(started - self.started) < _CLOCK_STEP:
                return started is not None
        return now - self.heartbeat < stale_after

    def __str__(self) -> str:
        """Name the process, its host and its start, as errors show them."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


class Lock:
    """A held lock with a heartbeat of its own; a context manager that lets it go.

    Parameters
    ----------
    folder : Path
        Where the records lie; it must exist.
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
        self._number, self.holder = _take(folder, stale_after)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sigcube-lock", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Lock":
        """Return the lock, held since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the lock go."""
        self.release()

    def check(self) -> None:
        """Raise unless the lock is still ours.

        Raises
        ------
        StoreInUse
            It was taken over, as happens to a process that was suspended for long.
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
        """Let the lock go; a lock that was lost is left alone."""
        self._stop.set()
        self._thread.join()
        # A full disk must not hide the error that ended the run; this process's end frees the lock too.
        with suppress(StoreError, OSError):
            self.check()
            with _written(self._folder, {**_record(self.holder), "released": True}) as draft:
                os.replace(draft, _file(self._folder, self._number))

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with suppress(OSError):
                os.utime(_file(self._folder, self._number))


def current_holder(folder: Path) -> Holder | None:
    """Read who holds the lock of a folder, without taking it; None when it is free.

    Parameters
    ----------
    folder : Path
        Where the records lie.
    """
    newest = _newest(folder)
    return newest[1] if newest and newest[1].alive(now=time.time()) else None


def _take(folder: Path, stale_after: float) -> tuple[int, Holder]:
    me = Holder(
        host=socket.gethostname(),
        machine=_machine(),
        pid=os.getpid(),
        started=_started(os.getpid()) or 0.0,
        since=time.time(),
        token=uuid.uuid4().hex,
    )
    with _written(folder, _record(me)) as draft:
        newest = _newest(folder)
        if newest and newest[1].alive(now=draft.stat().st_mtime, stale_after=stale_after):
            raise _in_use(folder, newest[1])
        number = newest[0] + 1 if newest else 1
        _link(draft, folder, number, me)
    _confirm(folder, number)
    return number, me


def _link(draft: Path, folder: Path, number: int, me: Holder) -> None:
    try:
        os.link(draft, _file(folder, number))
    except FileExistsError:
        holder = _read(folder, number)
        # A file server may lose its answer, and tell the second asking that the link is there.
        if holder is None or holder.token != me.token:
            raise _in_use(folder, holder) from None
    except OSError as error:
        hint = "the lock is a hard link: keep results on a file system that has them, and has room"
        raise StoreError("the lock cannot be taken", where=str(folder), found=str(error), hint=hint) from error


def _confirm(folder: Path, number: int) -> None:
    """Give way to a higher record: ours went into a gap that a whole take-over left behind."""
    highest = max(_numbers(folder))
    if highest > number:
        _file(folder, number).unlink(missing_ok=True)
        raise _in_use(folder, _read(folder, highest))
    for older in _numbers(folder):
        if older < number:
            _file(folder, older).unlink(missing_ok=True)


def _in_use(folder: Path, holder: Holder | None) -> StoreInUse:
    return StoreInUse(
        "the store is being written by another run",
        where=str(folder.parent),
        found=str(holder) if holder else "a run that took the lock at this moment",
        hint="wait for it to end, or end that process; a run that died frees the store by itself",
    )


@contextmanager
def _written(folder: Path, record: dict[str, Any]) -> Iterator[Path]:
    draft = folder / f"draft.{uuid.uuid4().hex}.partial"
    try:
        try:
            draft.write_text(json.dumps(record))
        except OSError as error:
            raise StoreError("the lock cannot be written", where=str(folder), found=str(error)) from error
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _record(holder: Holder) -> dict[str, Any]:
    return {key: value for key, value in asdict(holder).items() if key != "heartbeat"}


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
        text, heartbeat = path.read_text(errors="replace"), path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        return Holder(**json.loads(text), heartbeat=heartbeat)
    except (ValueError, TypeError):
        # A power cut may empty a file that was not yet on the disk: nobody known, judged by the heartbeat alone.
        return Holder(host="unknown", machine="", pid=0, started=0.0, since=heartbeat, token="", heartbeat=heartbeat)


def _file(folder: Path, number: int) -> Path:
    return folder / f"lock.{number:06d}"


def _machine() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        return f"{boot.read_text().strip()} {os.readlink(namespace)}"
    return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _started(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
