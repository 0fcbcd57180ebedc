"""Progress: a bar on a terminal, few plain lines elsewhere, and failures in full."""

import io

import pytest
from rich.console import Console

from sigcube.driver import Event, Progress
from sigcube.driver.progress import EVERY, count_progress, joint_progress, sweep_progress
from sigcube.store import JournalEntry


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is moved."""
    clock = Clock()
    monkeypatch.setattr("sigcube.driver.progress.time.monotonic", clock)
    return clock


def event(kind: str, done: int, failed: int = 0, text: str = "") -> Event:
    progress = Progress(blocks=100, done=done, failed=failed, points=done * 1000, seconds=max(done, 1) / 10)
    entry = JournalEntry(block=done, status=kind, error="ValueError: [x]") if kind in ("failed", "killed") else None
    return Event(kind=kind, progress=progress, entry=entry, text=text)


def shown(*, terminal: bool, clock: Clock, step: float) -> str:
    out = io.StringIO()
    with sweep_progress(Console(file=out, force_terminal=terminal, width=100), data_points=10) as on_event:
        on_event(event("started", 0, text="http://127.0.0.1:1/status"))
        for done in range(1, 101):
            clock.now += step
            on_event(event("done", done))
        on_event(event("finished", 100))
    return out.getvalue()


def test_plain_lines_are_few(clock: Clock) -> None:
    lines = shown(terminal=False, clock=clock, step=EVERY / 10).splitlines()
    assert lines[0].endswith("dashboard http://127.0.0.1:1/status")
    assert lines[1].endswith("0/100 blocks")
    assert lines[-1].endswith("100/100 blocks, 100,000 evaluations/s")
    assert len(lines) == 2 + 10  # the end is the tenth of them, and is said once
    assert len(set(lines)) == len(lines)
    assert not any("\x1b" in line for line in lines)


def test_a_terminal_has_a_bar(clock: Clock) -> None:
    text = shown(terminal=True, clock=clock, step=0.01)
    assert "\x1b[" in text
    assert "dashboard http://127.0.0.1:1/status" in text


def test_failures_are_told_in_full_until_there_are_many(clock: Clock) -> None:
    out = io.StringIO()
    with sweep_progress(Console(file=out, width=200), data_points=10) as on_event:
        for failed in range(1, 9):
            on_event(event("failed", 0, failed))
        on_event(event("finished", 0, 8))
    lines = out.getvalue().splitlines()
    assert sum("failed: ValueError: [x]" in line for line in lines) == 5
    assert sum("further failures are counted" in line for line in lines) == 1
    assert lines[-1].endswith("8/100 blocks, 8 failed") or "8 failed" in lines[-1]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [("waiting", "", "waiting for workers"), ("suspect", "a worker died with block 3", "a worker died with block 3")],
)
def test_what_needs_to_be_known_is_told_at_once(clock: Clock, kind: str, text: str, said: str) -> None:
    out = io.StringIO()
    with sweep_progress(Console(file=out, width=200), data_points=10) as on_event:
        on_event(event("done", 1))
        on_event(event(kind, 1, text=text))
    assert out.getvalue().splitlines()[-1].endswith(said)


def test_a_name_is_no_markup() -> None:
    out = io.StringIO()
    with count_progress(Console(file=out, force_terminal=True, width=100)) as move:
        move("sigma [/free]", 1, 2)
    assert "sigma [/free]" in out.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_several_datasets_are_one_progress(clock: Clock, terminal: bool) -> None:
    out = io.StringIO()
    points = {"sparc": 10, "stars": 1000}
    with joint_progress(Console(file=out, force_terminal=terminal, width=100), points) as progress:
        for name in points:
            progress.begin(name, None)
            clock.now += EVERY
            progress(event("started", 0))
            clock.now += EVERY
            progress(event("done", 50))
    if terminal:
        assert "\x1b[" in out.getvalue()
        return
    shown = [line.split("  ", 1)[1] for line in out.getvalue().splitlines()]
    assert shown[0] == "sparc (1 of 2): 0/100 blocks"
    assert shown[1].startswith("sparc (1 of 2): 50/100 blocks, 100,000 evaluations/s")
    assert shown[3].startswith("stars (2 of 2): 50/100 blocks, 10 M evaluations/s")
