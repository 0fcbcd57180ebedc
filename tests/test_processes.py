"""Who owns a lock or an unfinished file, and whether that process has ended."""

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sigcube.processes import Process, is_abandoned, owner_tag, this_process

HOST = socket.gethostname()


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def ended(process: Process, *, silence: float = 0.0, patience: float = 60.0) -> bool:
    return process.has_ended(last_seen=1000.0, now=1000.0 + silence, patience=patience)


def test_a_running_process_has_not_ended_however_long_it_is_silent() -> None:
    assert not ended(this_process(), silence=1e9)


def test_a_process_that_is_gone_has_ended_at_once() -> None:
    assert ended(replace(this_process(), pid=ended_pid()))


@pytest.mark.skipif(os.name != "posix", reason="needs a zombie")
def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    # The output ends with the process, which nobody has waited for yet.
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended(replace(this_process(), pid=process.pid))
    process.communicate()


@pytest.mark.parametrize(("silence", "over"), [(0.0, False), (59.0, False), (60.0, True)])
def test_where_the_number_does_not_tell_silence_does(silence: float, over: bool) -> None:
    me = this_process()
    reused = replace(me, started=me.started - 100.0)
    elsewhere = replace(me, machine="elsewhere", pid=ended_pid())
    assert ended(reused, silence=silence) == ended(elsewhere, silence=silence) == over


def test_a_start_time_may_be_off_by_a_second() -> None:
    me = this_process()
    assert not ended(replace(me, started=me.started + 1.0), silence=1e9)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    (tmp_path / "draft").write_text("half")
    return tmp_path / "draft"


def test_what_this_process_writes_is_not_abandoned(draft: Path) -> None:
    tag = owner_tag()
    assert tag != owner_tag()
    assert not is_abandoned(draft, tag)
    assert not is_abandoned(draft.with_name("gone"), tag)


def test_what_an_ended_process_left_is_abandoned(draft: Path) -> None:
    assert is_abandoned(draft, owner_tag().replace(f".{os.getpid()}.", f".{ended_pid()}."))


def test_a_reused_number_owns_nothing(draft: Path) -> None:
    earlier = re.sub(r"-\d+-", "-1000000000-", owner_tag())
    assert is_abandoned(draft, earlier)


def test_a_process_of_another_machine_or_namespace_may_live(draft: Path) -> None:
    tag = owner_tag().replace(f".{os.getpid()}.", f".{ended_pid()}.")
    assert not is_abandoned(draft, tag.replace(HOST, f"not-{HOST}"))
    assert not is_abandoned(draft, re.sub(r"\.[0-9a-f]{12}-", ".000000000000-", tag))


def test_nothing_runs_on_after_a_reboot(draft: Path) -> None:
    tag = re.sub(r"\.[0-9a-f]{12}-\d+-", ".000000000000-1000000000-", owner_tag())
    assert is_abandoned(draft, tag)
    assert not is_abandoned(draft, tag.replace(HOST, f"not-{HOST}"))


@pytest.mark.parametrize("tag", ["", "0123456789abcdef", f"{HOST}.me.abc", f"{HOST}.1"])
def test_a_name_of_another_form_is_left_alone(draft: Path, tag: str) -> None:
    assert not is_abandoned(draft, tag)


def test_names_of_earlier_versions_are_judged_by_number_and_time(draft: Path) -> None:
    assert not is_abandoned(draft, f"{HOST}.{os.getpid()}.abc")
    assert is_abandoned(draft, f"{HOST}.{ended_pid()}.abc")
    # Written long before the process of this number started.
    os.utime(draft, (1e9, 1e9))
    assert is_abandoned(draft, f"{HOST}.{os.getpid()}.abc")
