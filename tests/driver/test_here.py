"""Blocks run in this process end as they do on a cluster: the same journal, statuses, events and errors."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sigcube.driver import Event, run_blocks_here
from sigcube.driver.recorder import run_task
from sigcube.errors import SigcubeError, StoreError
from sigcube.plan.values import PointStatus
from sigcube.store import Written, open_or_create, read_journal, status
from tests.driver.cluster_helpers import Behaviour, FakePlan, assert_whole, executed, fake_task, packed

N = 5


class Run:
    """A run of fakes in a folder, with its log of executions and the events of the last call."""

    def __init__(self, folder: Path) -> None:
        self.path, self.log = folder / "r.zarr", folder / "log"
        self.events: list[Event] = []

    def __call__(
        self, *, fail_fast: bool = False, watch: Callable[[Event], None] = lambda _: None, **how: Any
    ) -> list[str]:
        behaviour = Behaviour(log=str(self.log), n_blocks=N, **how)
        self.events = []

        def on_event(event: Event) -> None:
            self.events.append(event)
            watch(event)

        with open_or_create(self.path, plan=FakePlan(N), inputs=packed()) as store:
            run_blocks_here(
                store,
                FakePlan(N),
                task=lambda path, index, _: fake_task(path, index, behaviour),
                fail_fast=fail_fast,
                on_event=on_event,
            )
        return [event.kind for event in self.events]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_all_blocks_are_done_in_their_order_and_told(run: Run) -> None:
    assert run() == ["started", *["done"] * N, "finished"]
    assert executed(run.log) == list(range(N))
    assert_whole(run.path, N)
    assert run.events[-1].progress.points == 2 * 4 * N
    assert status(run.path).done == N


def test_a_second_run_has_nothing_to_do(run: Run) -> None:
    run()
    assert run() == ["started", "finished"]
    assert executed(run.log) == list(range(N))


def test_a_block_that_raises_is_failed_and_the_rest_completes(run: Run) -> None:
    assert run(raises=(2,)).count("failed") == 1
    assert_whole(run.path, N, but={2: 3})
    entry = read_journal(run.path / "journal").entries[2]
    assert entry.status is PointStatus.FAILED
    assert entry.error.startswith("ValueError: no model at block 2 (")


def test_fail_fast_stops_at_the_block_with_its_parameters(run: Run) -> None:
    with pytest.raises(SigcubeError, match=r"block 1 failed(.|\n)*A = 0.789474 …(.|\n)*no model"):
        run(raises=(1,), fail_fast=True)
    assert executed(run.log) == [0, 1]
    assert status(run.path).holder is None


def test_a_full_disk_ends_the_run_and_the_next_one_finishes_it(run: Run) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        run(full_disk=(3,))
    assert read_journal(run.path / "journal").blocks(PointStatus.DONE) == {0, 1, 2}
    run()
    assert executed(run.log) == [0, 1, 2, 3, 3, 4]
    assert_whole(run.path, N)


def test_an_interrupt_keeps_what_was_finished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.driver.recorder.FLUSH_EVERY", 0.0)

    def interrupt(event: Event) -> None:
        if event.progress.done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(watch=interrupt)
    assert read_journal(run.path / "journal").blocks(PointStatus.DONE) == {0, 1}
    run()
    assert executed(run.log) == list(range(N))
    assert_whole(run.path, N)


def test_an_exception_that_cannot_say_what_it_is_fails_its_block_alone() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    def task(path: str, index: int, payload: object) -> Callable[[], Written]:
        raise Mute

    outcome = run_task(task, "r.zarr", 0, None, worker="here")
    assert outcome.error.startswith("Mute: (its text raised ValueError) (")
