"""Whatever a block or the cluster does, every block ends as done, failed or killed, and the journal says so first."""

import asyncio
import errno
import gc
import math
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client, LocalCluster, Status

from sigcube.driver import Event, Progress
from sigcube.driver.cluster import OWN_CLUSTER, connect
from sigcube.driver.loop import batch_size, fetch, run_blocks
from sigcube.driver.worker import _see_store, _settle, on_worker
from sigcube.errors import ClusterError, SigcubeError, StoreError, StoreInUse
from sigcube.plan.values import PointStatus
from sigcube.store import Written, open_or_create, read_journal, status
from tests.driver.cluster_helpers import (
    Behaviour,
    FakePlan,
    StockCluster,
    assert_whole,
    client_process,
    executed,
    fake_task,
    packed,
    until,
)

pytestmark = pytest.mark.cluster

N = 10


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal more often than usual, so that a test can act at a certain block."""
    monkeypatch.setattr("sigcube.driver.recorder.FLUSH_EVERY", 0.05)


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockCluster]:
    cluster = StockCluster(tmp_path / "stock")
    try:
        yield cluster
    finally:
        cluster.close()


class Sweep:
    """A run of fakes in a folder: its store, its log of executions and the events of the last call."""

    def __init__(self, folder: Path, n_blocks: int = N) -> None:
        self.n_blocks = n_blocks
        self.path = folder / "r.zarr"
        self.log = folder / "log"
        self.folder = folder
        self.events: list[Event] = []

    def behaviour(self, **how: Any) -> Behaviour:
        return Behaviour(**{"log": str(self.log), "n_blocks": self.n_blocks, **how})

    def run(
        self,
        client: Client,
        *,
        fail_fast: bool = False,
        retry_failed: bool = False,
        watch: Callable[[Event], None] = lambda _: None,
        **how: Any,
    ) -> Progress:
        plan = FakePlan(self.n_blocks)
        self.events = []

        def on_event(event: Event) -> None:
            self.events.append(event)
            watch(event)

        with open_or_create(self.path, plan=plan, inputs=packed(), retry_failed=retry_failed) as store:
            return run_blocks(
                client,
                store,
                plan,
                task=fake_task,
                payload=self.behaviour(**how),
                fail_fast=fail_fast,
                on_event=on_event,
            )

    def finish_after(self, loss: Callable[[], Any], client: Client) -> None:
        """Run the same command again after a loss: nothing journalled is redone, and all bits are there."""
        loss()
        before, begun = self.done(), len(executed(self.log))
        self.run(client)
        again = executed(self.log)[begun:]
        assert not before & set(again), "a journalled block ran again"
        assert set(again) == set(range(self.n_blocks)) - before
        assert self.done() == set(range(self.n_blocks))
        assert_whole(self.path, self.n_blocks)

    def done(self) -> frozenset[int]:
        return read_journal(self.path / "journal").blocks(PointStatus.DONE)

    def kinds(self) -> Counter[str]:
        return Counter(event.kind for event in self.events)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def at(count: int, action: Callable[[], Any]) -> Callable[[Event], None]:
    """Do something once, when so many blocks are done."""
    pending = [action]

    def watch(event: Event) -> None:
        if event.progress.done >= count and pending:
            pending.pop()()

    return watch


# Blocks


def test_all_blocks_are_done_once_and_told_after_the_journal_knew(local_client: Client, sweep: Sweep) -> None:
    def check(event: Event) -> None:
        if event.kind == "done":
            assert event.entry is not None
            assert event.entry.block in sweep.done()

    progress = sweep.run(local_client, watch=check)
    assert (progress.done, progress.ended, progress.blocks, progress.points) == (N, N, N, 8 * N)
    assert sorted(executed(sweep.log)) == list(range(N))
    assert_whole(sweep.path, N)
    kinds = sweep.kinds()
    assert kinds == {"started": 1, "workers": 1, "done": N, "finished": 1}
    entries = read_journal(sweep.path / "journal").entries
    assert all(entry.n_invalid == 1 and len(entry.digest) == 32 and entry.seconds > 0 for entry in entries.values())


def test_a_finished_store_is_left_as_it_is(local_client: Client, sweep: Sweep) -> None:
    sweep.run(local_client)
    sweep.run(local_client)
    assert len(executed(sweep.log)) == N


def test_blocks_in_flight_are_few(local_client: Client, sweep: Sweep) -> None:
    most = 0

    def watch(event: Event) -> None:
        nonlocal most
        most = max(most, event.progress.in_flight)

    # Longer than a driver on a busy machine may be away from its loop.
    sweep.run(local_client, watch=watch, seconds=0.3)
    assert 0 < most <= 3 * 2


@pytest.mark.parametrize(
    ("left", "threads", "pace", "expected", "reason"),
    [
        (1000, 2, math.inf, 1, "nobody knows yet how long a block takes"),
        (1000, 2, 0.1, 10, "a second of work"),
        (1000, 2, 0.3, 3, "a second of work at most"),
        (1000, 2, 5.0, 1, "a long block is a batch of its own"),
        (1000, 2, 1e-3, 32, "more would leave too much to do again after a kill"),
        (30, 2, 0.1, 5, "towards the end no worker waits for another"),
        (5, 2, 0.1, 1, "the last blocks go one by one"),
        (1000, 64, 0.1, 5, "all threads of a large cluster have work"),
    ],
)
def test_a_batch_is_a_second_of_work(left: int, threads: int, pace: float, expected: int, reason: str) -> None:
    assert batch_size(left, threads=threads, pace=pace) == expected, reason


def test_short_blocks_travel_in_batches(local_client: Client, tmp_path: Path) -> None:
    sweep, most = Sweep(tmp_path, 150), 0

    def watch(event: Event) -> None:
        nonlocal most
        most = max(most, event.progress.in_flight)

    progress = sweep.run(local_client, watch=watch, seconds=0.01, raises=(77,))
    assert most > 3 * 2
    assert sorted(executed(sweep.log)) == list(range(150))
    assert (progress.done, progress.failed) == (149, 1)
    assert_whole(sweep.path, 150, but={77: 3})


def test_of_a_batch_only_the_block_that_kills_is_killed(local_client: Client, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, 150)
    progress = sweep.run(local_client, kills=(77,), seconds=0.01)
    assert (progress.done, progress.killed) == (149, 1)
    assert_whole(sweep.path, 150, but={77: 4})
    assert sweep.kinds()["suspect"] > 1, "it was alone from the start"


def test_a_block_that_raises_is_failed_and_the_rest_completes(local_client: Client, sweep: Sweep) -> None:
    progress = sweep.run(local_client, raises=(2, 5))
    assert (progress.done, progress.failed) == (N - 2, 2)
    assert_whole(sweep.path, N, but={2: 3, 5: 3})
    entry = read_journal(sweep.path / "journal").entries[5]
    assert entry.status == PointStatus.FAILED
    assert entry.error.startswith("ValueError: no model at block 5 (")
    assert "cluster_helpers.py" in entry.error


def test_failed_blocks_are_retried_when_asked_only(local_client: Client, sweep: Sweep) -> None:
    sweep.run(local_client, raises=(2,))
    sweep.run(local_client)
    assert executed(sweep.log).count(2) == 1
    sweep.run(local_client, retry_failed=True)
    assert executed(sweep.log).count(2) == 2
    assert_whole(sweep.path, N)


def test_fail_fast_stops_at_once_with_the_block_and_its_parameters(local_client: Client, sweep: Sweep) -> None:
    with pytest.raises(SigcubeError, match=r"block 0 failed(.|\n)*= geometric … power, A = 0.2 …(.|\n)*no model"):
        sweep.run(local_client, raises=(0,), fail_fast=True, seconds=0.05)
    assert len(executed(sweep.log)) <= 3 * 2 + 2
    assert read_journal(sweep.path / "journal").blocks(PointStatus.FAILED) == {0}
    assert status(sweep.path).holder is None


def test_a_full_disk_ends_the_run_with_one_error_and_resumes(local_client: Client, sweep: Sweep) -> None:
    def loss() -> None:
        with pytest.raises(StoreError, match="the disk is full"):
            sweep.run(local_client, full_disk=(4,))
        assert 4 not in sweep.done()
        assert not read_journal(sweep.path / "journal").blocks(PointStatus.FAILED, PointStatus.KILLED)

    sweep.finish_after(loss, local_client)


def test_a_disk_that_fills_within_a_batch_keeps_what_came_before(local_client: Client, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, 150)

    def loss() -> None:
        with pytest.raises(StoreError, match="the disk is full"):
            sweep.run(local_client, full_disk=(77,), seconds=0.01)
        assert 77 not in sweep.done()
        assert sweep.done(), "blocks before it were written"

    sweep.finish_after(loss, local_client)


def test_a_store_in_use_is_refused(local_client: Client, sweep: Sweep) -> None:
    sweep.run(local_client)
    with open_or_create(sweep.path, plan=FakePlan(N), inputs=packed()), pytest.raises(StoreInUse, match="another run"):
        sweep.run(local_client)


def test_blocks_that_workers_cannot_read_are_a_fault_of_the_cluster(
    local_client: Client, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigcube.driver.loop.REFUSAL_TIMEOUT", 0.0)
    message = r"no worker of the cluster can (.|\n)*tcp:.*: cannot read sigcube's blocks, found ModuleNotFoundError: no"
    with (
        open_or_create(sweep.path, plan=FakePlan(N), inputs=packed()) as store,
        pytest.raises(ClusterError, match=message),
    ):
        run_blocks(local_client, store, FakePlan(N), task=fake_task, payload=Unreadable())
    assert not read_journal(sweep.path / "journal").entries
    assert len(local_client.nthreads()) == 2, "they live on"


class Unreadable:
    """Travels, but cannot be unpacked on arrival."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_explode, ())


def _explode() -> None:
    raise ModuleNotFoundError("no module named 'elsewhere'")


# Workers


def test_a_block_that_kills_its_worker_is_killed_and_no_neighbour_blamed(local_client: Client, sweep: Sweep) -> None:
    progress = sweep.run(local_client, kills=(3,), seconds=0.02)
    assert (progress.done, progress.killed, progress.failed) == (N - 1, 1, 0)
    assert_whole(sweep.path, N, but={3: 4})
    entry = read_journal(sweep.path / "journal").entries[3]
    assert entry.status == PointStatus.KILLED
    assert "with no other block near" in entry.error
    assert sweep.kinds()["suspect"] >= 1


def test_a_block_whose_worker_died_once_is_done(local_client: Client, sweep: Sweep) -> None:
    progress = sweep.run(local_client, kills=(3,), die_once=str(sweep.folder / "died"))
    assert (progress.done, progress.killed) == (N, 0)
    assert_whole(sweep.path, N)


def test_fail_fast_also_stops_for_a_killed_worker(local_client: Client, sweep: Sweep) -> None:
    with pytest.raises(SigcubeError, match=r"block 0 killed its worker"):
        sweep.run(local_client, kills=(0,), fail_fast=True, seconds=0.05)
    assert read_journal(sweep.path / "journal").blocks(PointStatus.KILLED) == {0}


@pytest.mark.parametrize("moment", [1, 6])
def test_killed_workers_are_outlived(local_client: Client, sweep: Sweep, moment: int) -> None:
    def kill() -> None:
        for pid in local_client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)

    sweep.run(local_client, watch=at(moment, kill), seconds=0.05)
    assert_whole(sweep.path, N)
    assert sweep.done() == set(range(N))


def test_an_answer_that_is_lost_is_given_up_without_a_word(
    local_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = tmp_path / "seen"

    def answer() -> int:
        if seen.exists():
            time.sleep(1.0)
        seen.touch()
        return os.getpid()

    future = local_client.submit(answer, pure=False)
    until(lambda: future.status == "finished")
    # Its worker dies with the answer, and another takes its time.
    os.kill(int(future.result()), signal.SIGKILL)
    until(lambda: future.status != "finished")
    monkeypatch.setattr("sigcube.driver.loop.ANSWER_TIMEOUT", 0.1)
    with pytest.raises(TimeoutError):
        fetch(local_client, future)
    future.release()
    time.sleep(0.2)
    gc.collect()
    assert [record.message for record in caplog.records if "never retrieved" in record.message] == []
    again = local_client.submit(int, 7, pure=False)
    until(lambda: again.status == "finished")
    monkeypatch.undo()
    assert fetch(local_client, again) == 7


def test_workers_may_join_and_leave(stock: StockCluster, sweep: Sweep) -> None:
    seen: set[int] = set()

    def watch(event: Event) -> None:
        seen.add(event.progress.threads)
        if event.progress.threads and len(stock.workers) == 2:
            stock.add_worker()
        if event.progress.threads == 3:
            stock.workers[0].kill()

    with connect(stock.address) as client:
        sweep.run(client, watch=watch, seconds=0.6)
    assert 3 in seen
    assert_whole(sweep.path, N)


# What a worker sees where the store is: the events of the interpreter that open files, and errors instead.
FOREIGN = """
import os, sys
def see(event, args):
    if event == "open" and str(args[0]).startswith({store!r}) and {when}:
        raise OSError({error}, "not here", args[0])
sys.addaudithook(see)
"""
SIGHTS = {
    "does not see the store": (errno.ENOENT, "True"),
    "cannot write to the store": (errno.EROFS, "args[2] & (os.O_WRONLY | os.O_RDWR)"),
}


def test_workers_that_cannot_use_the_store_are_refused_by_name_and_others_do_their_blocks(
    tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = StockCluster(tmp_path / "stock", workers=0)
    try:
        for number, (error, when) in enumerate(SIGHTS.values()):
            preload = tmp_path / f"sight{number}.py"
            preload.write_text(FOREIGN.format(store=str(sweep.path), error=error, when=when))
            cluster.add_worker("--preload", str(preload))
        with connect(cluster.address) as client:
            client.wait_for_workers(2, timeout=300)
            monkeypatch.setattr("sigcube.driver.loop.REFUSAL_TIMEOUT", 0.0)
            with pytest.raises(
                ClusterError, match="no worker of the cluster can work on the store: 2 faults"
            ) as caught:
                sweep.run(client)
            for worker in client.nthreads():
                assert worker in str(caught.value)
            for what in SIGHTS:
                assert f"{what}, found {sweep.path} on {socket.gethostname()}" in str(caught.value)
            assert status(sweep.path).todo == N
            # One that can joins later, dies with blocks that only it may do, and another comes.
            monkeypatch.setattr("sigcube.driver.loop.REFUSAL_TIMEOUT", 300.0)

            def watch(event: Event) -> None:
                if sweep.kinds()["refused"] == 2 and len(cluster.workers) == 2:
                    cluster.add_worker()
                if event.kind == "done" and len(cluster.workers) == 3:
                    cluster.workers[-1].kill()
                    cluster.add_worker()

            sweep.run(client, watch=watch, seconds=0.2)
    finally:
        cluster.close()
    assert_whole(sweep.path, N)
    assert sweep.done() == set(range(N))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (("lock.000001", "token"), None),  # as the client sees it
        (("lock.000001", "taken"), "does not see the store(.|\n)*the record of another lock"),  # another store there
        (("lock.000002", "token"), "does not see the store(.|\n)*No such file"),  # taken over since
    ],
)
def test_a_worker_reads_the_record_of_the_clients_lock(
    tmp_path: Path, record: tuple[str, str], message: str | None
) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "lock.000001").write_text('{"token": "token"}')
    with nullcontext() if message is None else pytest.raises(ClusterError, match=message):
        _see_store(str(tmp_path), record)
    assert [path.name for path in tmp_path.rglob("*")] == ["journal", "lock.000001"]


# Scheduler and client


@pytest.mark.parametrize("moment", [0, 5])
def test_a_killed_scheduler_is_one_clear_error_and_the_same_command_finishes(
    stock: StockCluster, local_client: Client, sweep: Sweep, moment: int
) -> None:
    def loss() -> None:
        with (
            pytest.raises(ClusterError, match=r"scheduler was lost(.|\n)*run the same command again"),
            connect(stock.address) as client,
        ):
            sweep.run(client, watch=at(moment, stock.scheduler.kill), seconds=0.1)
        assert len(sweep.done()) < N

    sweep.finish_after(loss, local_client)


def test_a_scheduler_that_hangs_is_lost_in_bounded_time(
    stock: StockCluster, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigcube.driver.loop.ANSWER_TIMEOUT", 1.0)
    with connect(stock.address) as client:
        client.wait_for_workers(1, timeout=300)
        try:
            with pytest.raises(ClusterError, match="scheduler was lost"):
                sweep.run(client, watch=at(1, lambda: stock.scheduler.send_signal(signal.SIGSTOP)), seconds=0.3)
        finally:
            stock.scheduler.send_signal(signal.SIGCONT)


def test_a_cluster_without_workers_is_waited_for_and_given_up(
    tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigcube.driver.loop.WORKER_TIMEOUT", 1.0)
    empty = StockCluster(tmp_path / "empty", workers=0)
    try:
        with (
            connect(empty.address) as client,
            pytest.raises(ClusterError, match=r"no worker for 1 s(.|\n)*`dask worker tcp:"),
        ):
            sweep.run(client)
    finally:
        empty.close()
    assert sweep.kinds() == {"started": 1, "waiting": 1}
    assert sweep.events[0].text.startswith("http://"), "the dashboard's address"


def test_an_asynchronous_client_is_refused(sweep: Sweep) -> None:
    async def use() -> None:
        local = {"n_workers": 0, "processes": False, "protocol": "inproc://", "dashboard_address": "127.0.0.1:0"}
        async with (
            LocalCluster(asynchronous=True, **local) as cluster,
            Client(cluster, asynchronous=True, set_as_default=False) as client,
        ):
            sweep.run(client)

    with pytest.raises(ClusterError, match="the client is asynchronous"):
        asyncio.run(use())


@pytest.mark.parametrize(("moment", "where"), [(0, "own"), (4, "stock")])
def test_a_killed_client_is_resumed_at_once(
    request: pytest.FixtureRequest, local_client: Client, sweep: Sweep, moment: int, where: str
) -> None:
    address = request.getfixturevalue("stock").address if where == "stock" else None

    def loss() -> None:
        with client_process(sweep.path, sweep.behaviour(seconds=0.15), scheduler=address) as process:
            until(lambda: sweep.path.exists() and len(executed(sweep.log)) > moment, what="blocks begun")
            assert status(sweep.path).holder is not None, "readable while it runs"
            with pytest.raises(StoreInUse, match=f"process {process.pid} on"):
                sweep.run(local_client)
            process.kill()
            process.wait()
        assert len(sweep.done()) < N
        _settled(sweep)

    sweep.finish_after(loss, local_client)


def _settled(sweep: Sweep) -> None:
    """Let blocks of the dead client that still run on its cluster end, so that the log is the next run's alone."""
    until(lambda: time.time() - sweep.log.stat().st_mtime > 0.5, what="end of the blocks in flight")


def test_an_interrupt_is_journalled_and_frees_the_store(local_client: Client, sweep: Sweep) -> None:
    def loss() -> None:
        with client_process(sweep.path, sweep.behaviour(seconds=0.1), scheduler=None) as process:
            until(lambda: len(executed(sweep.log)) > 3, what="blocks begun")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (130, "")
        assert status(sweep.path).holder is None
        assert 0 < len(sweep.done()) < N

    sweep.finish_after(loss, local_client)


def test_the_pace_counts_from_the_first_blocks_since_workers_compile_before() -> None:
    begun = Progress(blocks=10, done=2, seconds=20.0, warm=(2, 20.0))
    assert begun.seconds_left is None
    assert replace(begun, done=4, seconds=22.0).seconds_left == pytest.approx(6.0)
    assert replace(begun, done=10, seconds=28.0).seconds_left == 0.0


# Leaving the thread to the next block


@pytest.mark.parametrize(
    ("state", "in_pool", "leaves", "reason"),
    [
        (Status.running, True, True, "the next block is computed while this one is written"),
        (Status.closing, True, False, "a closing worker waits for its threads, with the lock that leaving needs"),
        (Status.running, False, False, "a pool that is not Dask's own cannot be left"),
    ],
)
def test_a_thread_is_left_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch, state: Status, in_pool: bool, leaves: bool, reason: str
) -> None:
    worker = SimpleNamespace(address="here", status=state, state=SimpleNamespace(nthreads=1), extensions={})
    left: list[str] = []
    monkeypatch.setattr("sigcube.driver.worker._see_store", lambda *_: None)
    monkeypatch.setattr("sigcube.driver.worker.get_worker", lambda: worker)
    monkeypatch.setattr("sigcube.driver.worker.secede", lambda: left.append("left"))
    pool = SimpleNamespace(**({"executor": None} if in_pool else {}))
    monkeypatch.setattr("sigcube.driver.worker.thread_state", pool)
    (outcome,) = on_worker(lambda *_: lambda: Written("digest", 0), "path", (0,), None, ("lock", "token"))
    assert outcome.written == Written("digest", 0)
    assert bool(left) is leaves, reason


@pytest.mark.parametrize("own", [True, False])
def test_only_a_worker_of_sigcubes_own_cluster_freezes_its_memory(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    worker = SimpleNamespace(address="here", status=Status.closing, state=SimpleNamespace(nthreads=1), extensions={})
    frozen: list[str] = []
    monkeypatch.setattr("sigcube.driver.worker._see_store", lambda *_: None)
    monkeypatch.setattr("sigcube.driver.worker.get_worker", lambda: worker)
    monkeypatch.setattr("sigcube.driver.worker.gc.freeze", lambda: frozen.append("frozen"))
    monkeypatch.setattr("sigcube.driver.worker._settle", _settle.__wrapped__)
    if own:
        monkeypatch.setenv(OWN_CLUSTER, "1")
    else:
        monkeypatch.delenv(OWN_CLUSTER, raising=False)
    on_worker(lambda *_: lambda: Written("digest", 0), "path", (0,), None, ("lock", "token"))
    assert bool(frozen) is own


def test_the_workers_of_a_local_cluster_freeze_their_memory(local_client: Client, tmp_path: Path) -> None:
    Sweep(tmp_path).run(local_client)
    assert max(local_client.run(gc.get_freeze_count).values()) > 0


def test_as_many_blocks_are_written_as_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(address="here", status=Status.running, state=SimpleNamespace(nthreads=2), extensions={})
    monkeypatch.setattr("sigcube.driver.worker.get_worker", lambda: worker)
    monkeypatch.setattr("sigcube.driver.worker.secede", lambda: None)
    monkeypatch.setattr("sigcube.driver.worker._see_store", lambda *_: None)
    lock, now, most = threading.Lock(), [0], [0]

    def write() -> Written:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return Written("digest", 0)

    with ThreadPoolExecutor(8) as pool:
        batches = [range(begin, begin + 3) for begin in range(0, 24, 3)]
        found = list(pool.map(lambda batch: on_worker(lambda *_: write, "path", batch, None, ("", "")), batches))
    assert [len(outcomes) for outcomes in found] == [3] * 8
    assert all(outcome.written for outcomes in found for outcome in outcomes)
    assert most == [2]


def test_what_no_block_survives_ends_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has lost the store does not try a hundred blocks more; the driver gives them to others."""
    worker = SimpleNamespace(address="here", status=Status.closing, state=SimpleNamespace(nthreads=1), extensions={})
    monkeypatch.setattr("sigcube.driver.worker.get_worker", lambda: worker)

    def lost(*_: object) -> None:
        raise ClusterError("does not see the store")

    monkeypatch.setattr("sigcube.driver.worker._see_store", lost)
    outcomes = on_worker(lambda *_: lambda: Written("digest", 0), "path", range(100), None, ("lock", "token"))
    assert 1 <= len(outcomes) < 100
    assert all(isinstance(outcome.fatal, ClusterError) for outcome in outcomes)


def test_a_worker_with_a_pool_of_its_own_does_its_blocks(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    with (
        ThreadPoolExecutor(1) as pool,
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            protocol="tcp://",
            executor=pool,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        sweep.run(client)
    assert sweep.done() == set(range(N))
    assert_whole(sweep.path, N)
