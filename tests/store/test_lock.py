"""Exactly one process holds a lock; a dead holder gives way at once, a silent one elsewhere after a while."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from sigcube.errors import StoreError, StoreInUse
from sigcube.store.lock import Lock, current_holder

ROUNDS = 15
CONTENDERS = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path / "journal"


def record(folder: Path, **changes: Any) -> Path:
    """Put a record of this process there, changed as told, as if nobody had released it."""
    with Lock(folder):
        path = max(folder.glob("lock.*"))
        text = path.read_text()
    path.write_text(json.dumps({**json.loads(text), **changes}))
    return path


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_lock_is_refused_and_names_the_holder(folder: Path) -> None:
    with Lock(folder), pytest.raises(StoreInUse, match=rf"process {os.getpid()} on .*, since \d{{4}}"):
        Lock(folder)


def test_a_folder_that_cannot_be_written_is_named_and_what_can_be_done_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("sigcube.store.lock.write_file", denied)
    with pytest.raises(StoreError, match=r"cannot be written\n.*journal\n  found: Read-only.*\n  do: computing needs"):
        Lock(folder)


def test_a_released_lock_is_free(folder: Path) -> None:
    with Lock(folder) as lock:
        holder = current_holder(folder)
        assert holder is not None
        assert holder.token == lock.holder.token
    assert current_holder(folder) is None
    with Lock(folder):
        assert len(list(folder.iterdir())) == 1, "older records and drafts are cleared"


def test_the_number_after_the_last_of_six_digits_counts_too(folder: Path) -> None:
    record(folder, pid=dead_pid()).rename(folder / "lock.999999")
    for number in (1_000_000, 1_000_001):
        with Lock(folder):
            assert [path.name for path in folder.iterdir()] == [f"lock.{number}"]
            with pytest.raises(StoreInUse):
                Lock(folder)


def test_a_dead_holder_gives_way_at_once(folder: Path) -> None:
    record(folder, pid=dead_pid())
    assert current_holder(folder) is None
    Lock(folder).release()


def test_a_reused_process_id_is_told_by_its_start_and_silence(folder: Path) -> None:
    path = record(folder, started=1.0)
    os.utime(path, (1.0, 1.0))
    Lock(folder).release()


@pytest.mark.parametrize(("silence", "held"), [(0.0, True), (30.0, True), (90.0, False)])
def test_a_holder_on_another_machine_is_judged_by_its_heartbeat(folder: Path, silence: float, held: bool) -> None:
    path = record(folder, machine="elsewhere", host="node7", pid=1)
    beat = path.stat().st_mtime - silence
    os.utime(path, (beat, beat))
    assert (current_holder(folder) is not None) == held
    if held:
        with pytest.raises(StoreInUse, match="process 1 on node7"):
            Lock(folder)
    else:
        Lock(folder).release()


def test_a_holder_that_lost_the_lock_notices(folder: Path) -> None:
    with Lock(folder) as lock:
        lock.check()
        path = max(folder.glob("lock.*"))
        usurper = json.loads(path.read_text()) | {"token": "other", "host": "node7", "pid": 77}
        (folder / "lock.000009").write_text(json.dumps(usurper))
        with pytest.raises(StoreInUse, match=r"lost the lock(.|\n)*process 77 on node7"):
            lock.check()
    assert json.loads((folder / "lock.000009").read_text()) == usurper, "a lost lock is not released"


def test_a_holder_whose_record_vanished_notices(folder: Path) -> None:
    with Lock(folder) as lock:
        max(folder.glob("lock.*")).unlink()
        with pytest.raises(StoreInUse, match="its record was deleted"):
            lock.check()


def contend(root: str, barrier: Barrier, results: "Queue[tuple[int, bool]]") -> None:
    for number in range(ROUNDS):
        barrier.wait(30)
        try:
            held = Lock(Path(root, str(number), "journal"))
        except StoreInUse:
            held = None
        barrier.wait(30)
        results.put((number, held is not None))
        if held is not None:
            held.release()


@pytest.mark.slow
@pytest.mark.parametrize("stale", [True, False], ids=["stale lock", "no lock"])
def test_of_several_contenders_exactly_one_wins(tmp_path: Path, stale: bool) -> None:
    pid = dead_pid()
    for number in range(ROUNDS):
        folder = tmp_path / str(number) / "journal"
        folder.mkdir(parents=True)
        if stale:
            record(folder, pid=pid)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(CONTENDERS), context.Queue()
    processes = [context.Process(target=contend, args=(str(tmp_path), barrier, results)) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in range(ROUNDS * CONTENDERS)]
    for process in processes:
        process.join(30)
    wins = [sum(won for number, won in answers if number == each) for each in range(ROUNDS)]
    assert wins == [1] * ROUNDS


@pytest.mark.parametrize("text", ["", "\0\0\0", "[]", '{"pid": 1}'], ids=["empty", "zeros", "list", "fields missing"])
def test_a_record_that_a_power_cut_spoilt_is_judged_by_its_heartbeat(folder: Path, text: str) -> None:
    path = record(folder)
    path.write_text(text)
    with pytest.raises(StoreInUse, match="process 0 on unknown"):
        Lock(folder)
    os.utime(path, (1.0, 1.0))
    assert current_holder(folder) is None
    Lock(folder).release()


@pytest.mark.parametrize("what", ["a folder", "a link that leads nowhere", "a link to itself"])
def test_what_is_no_file_in_the_place_of_a_record_is_judged_so_too(folder: Path, what: str) -> None:
    path = record(folder)
    path.unlink()
    if what == "a folder":
        (path / "within").mkdir(parents=True)
    else:
        path.symlink_to("nowhere" if "nowhere" in what else path.name)
    with pytest.raises(StoreInUse, match="process 0 on unknown"):
        Lock(folder)
    os.utime(path, (1.0, 1.0), follow_symlinks=False)
    Lock(folder).release()
    assert not path.is_symlink()
    assert not path.is_dir()


def test_a_file_server_that_loses_its_answer_gives_the_lock_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def asked_twice(source: Path, target: Path) -> None:
        real(source, target)
        raise FileExistsError(target)

    with monkeypatch.context() as patch:
        patch.setattr("sigcube.store.lock.os.link", asked_twice)
        lock = Lock(folder)
    lock.check()
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        Lock(folder)
    lock.release()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSPC])
def test_a_file_system_without_hard_links_or_room_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sigcube.store.lock.os.link", link)
    with pytest.raises(StoreError, match=rf"the lock cannot be taken(.|\n)*{os.strerror(number)}"):
        Lock(folder)
    assert not list(folder.iterdir())


def test_a_full_disk_at_the_end_hides_no_other_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def work() -> None:
        with Lock(folder):
            monkeypatch.setattr(os, "pwrite", full)
            raise ValueError("what went wrong")

    with pytest.raises(ValueError, match="what went wrong"):
        work()
