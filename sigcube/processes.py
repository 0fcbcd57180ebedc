"""Owners of locks and unfinished files: which process it is, and whether it has ended."""

import hashlib
import os
import re
import socket
import time
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

__all__ = ["Process", "is_abandoned", "owner_of_draft", "owner_tag", "this_process"]

# psutil counts start times from the boot time, which moves when the clock is set.
_CLOCK_STEP = 2.0
# HOST.PID.MACHINE-STARTED-RANDOM; drafts of earlier versions are HOST.PID.RANDOM.
_TAG = re.compile(r"(?P<host>.+)\.(?P<pid>\d+)\.((?P<machine>[0-9a-f]{12})-(?P<started>\d+)-)?[^.]+")
_DRAFT = re.compile(r".*\.(?P<pid>\d+)\.(?P<machine>[0-9a-f]{12})-(?P<started>\d+)-[^.]+\.partial")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process, distinct from every other one, even from a later one with the same number.

    Parameters
    ----------
    host : str
        Host name, for people.
    machine : str
        Boot and namespace of process numbers: numbers are comparable only where this is equal.
    pid : int
        Process number.
    started : float
        Unix time [s] at which the process started.
    """

    host: str
    machine: str
    pid: int
    started: float

    def has_ended(self, *, last_seen: float, patience: float, now: float | None = None) -> bool:
        """Whether the process has ended.

        Parameters
        ----------
        last_seen : float
            Unix time [s] of its last sign of life, such as the modification time of its file.
        patience : float
            Seconds without a sign of life after which it counts as ended if its number does not decide: it runs on
            another machine, or the process with this number started at another time.
        now : float, optional
            Unix time [s] to compare with `last_seen`; by default that of this machine.
        """
        if self.machine == _machine():
            started = _start_of(self.pid)
            if started is None or abs(started - self.started) < _CLOCK_STEP:
                return started is None
        return (time.time() if now is None else now) - last_seen >= patience


def this_process() -> Process:
    """Return the calling process."""
    pid = os.getpid()
    return Process(host=socket.gethostname(), machine=_machine(), pid=pid, started=_start_of(pid) or 0.0)


def owner_tag() -> str:
    """Return a unique part for file names that identifies the calling process, see `is_abandoned`."""
    return f"{_tag_of(os.getpid())}-{uuid.uuid4().hex[:8]}"


@cache
def _tag_of(_pid: int) -> str:
    """Describe the calling process, once: looking it up takes longer than writing a small file."""
    me = this_process()
    return f"{me.host}.{me.pid}.{_digest(me.machine)}-{me.started:.0f}"


def owner_of_draft(name: str) -> Process:
    """Return the process whose `owner_tag` ends a file name, before ``.partial``; one of nowhere if none does."""
    parts = _DRAFT.fullmatch(name)
    if parts is None:
        return Process(host="", machine="", pid=0, started=0.0)
    machine = _machine() if parts["machine"] == _digest(_machine()) else parts["machine"]
    return Process(host="", machine=machine, pid=int(parts["pid"]), started=float(parts["started"]))


def is_abandoned(path: Path, tag: str) -> bool:
    """Whether the owner of an unfinished file or folder has ended, from the `owner_tag` in its name.

    False also if unknown: the owner ran on another machine, or the tag has another form.
    """
    parts = _TAG.fullmatch(tag)
    if parts is None or parts["host"] != socket.gethostname():
        return False
    if parts["machine"] not in (None, _digest(_machine())):
        # Another namespace of this host; or this one before a reboot, which ended every process.
        return bool(float(parts["started"]) < psutil.boot_time() - _CLOCK_STEP)
    try:
        written = path.stat().st_mtime
    except OSError:
        return False
    # An old tag does not say when the owner started: it was before it last wrote.
    pid = int(parts["pid"])
    started = float(parts["started"]) if parts["started"] else min(written, _start_of(pid) or written)
    owner = Process(host=parts["host"], machine=_machine(), pid=pid, started=started)
    return owner.has_ended(last_seen=written, patience=0.0)


def _digest(machine: str) -> str:
    return hashlib.sha256(machine.encode()).hexdigest()[:12]


def _machine() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        return f"{boot.read_text().strip()} {os.readlink(namespace)}"
    return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _start_of(pid: int) -> float | None:
    """Return when a running process started; None if there is none of this number, or it has ended as a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
