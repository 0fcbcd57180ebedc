"""A client comes from nothing or from an address, quietly, and leaves no process behind."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from distributed import Client

from sigcube.driver.cluster import connect
from sigcube.errors import ClusterError
from tests.driver.cluster_helpers import StockCluster, until

pytestmark = pytest.mark.cluster

SCRIPT = """
import os
from sigcube.driver.cluster import connect

with connect(workers=2) as client:
    print(*client.run(os.getpid).values(), flush=True)
    {body}
"""


def script(folder: Path, body: str) -> subprocess.Popen[str]:
    """Start a user's script that has no main guard."""
    path = folder / "script.py"
    path.write_text(SCRIPT.format(body=body))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def worker_pids(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(each) for each in process.stdout.readline().split()]


def test_a_local_cluster_has_the_workers_asked_for_one_thread_each(local_client: Client) -> None:
    assert list(local_client.nthreads().values()) == [1, 1]
    assert len(set(local_client.run(os.getpid).values())) == 2


def test_workers_run_one_thread_in_every_library_and_keep_their_heap(local_client: Client) -> None:
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    found = local_client.run(lambda: [os.environ.get(name) for name in names])
    assert list(found.values()) == [["1", "1", "268435456"]] * 2


def test_workers_have_a_memory_limit(local_client: Client) -> None:
    total = psutil.virtual_memory().total
    limits = [worker["memory_limit"] for worker in local_client.scheduler_info(n_workers=-1)["workers"].values()]
    assert len(limits) == 2
    assert all(0 < limit <= total / 2 for limit in limits)


def test_workers_import_what_a_changed_path_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_kernel_of_today.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with connect(workers=1) as client:
        assert client.submit(lambda: __import__("my_kernel_of_today").answer).result(timeout=300) == 42


def test_workers_that_die_are_started_again_however_long_that_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Dask's own setting would give them up after 15 s, which a restart on a busy machine may take.
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "100ms")
    with connect(workers=2) as client:

        def pids() -> set[int]:
            with contextlib.suppress(OSError):
                return set(client.run(os.getpid).values())
            return set()

        before = pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(pids()) == 2 and before.isdisjoint(pids()), seconds=300)


def test_a_script_without_a_main_guard_runs_silently_and_leaves_nothing(tmp_path: Path) -> None:
    with script(tmp_path, "pass") as process:
        pids = worker_pids(process)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_it_works_under_a_running_event_loop_as_in_a_notebook() -> None:
    async def cell() -> int:
        with connect(workers=1) as client:
            answer: int = client.submit(os.getpid).result(timeout=300)
        return answer

    assert asyncio.run(cell()) != os.getpid()


def test_workers_end_when_their_client_is_killed(tmp_path: Path) -> None:
    with script(tmp_path, "input()") as process:
        pids = worker_pids(process)
        process.kill()
        until(lambda: not any(psutil.pid_exists(pid) for pid in pids), what="end of the workers")
    assert len(pids) == 2


def test_an_interrupt_reaches_the_client_alone(tmp_path: Path) -> None:
    body = "exec('try:\\n print(1, flush=True); input()\\nexcept KeyboardInterrupt:\\n print(client.nthreads())')"
    with script(tmp_path, body) as process:
        assert len(worker_pids(process)) == 2
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert output.count("tcp://") == 2, "both workers are still there"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "tcp://127.0.0.1:notaport"])
def test_nobody_at_the_address_is_one_clear_error(address: str) -> None:
    """And leaves no event loop for the garbage collector."""
    before = set(threading.enumerate())
    message = rf"no Dask scheduler answers\n.*{re.escape(address)}\n"
    with pytest.raises(ClusterError, match=message), connect(address):
        pass
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("scheduler", "workers", "message"),
    [
        (None, 0, "needs a worker"),  # a cluster of nobody
        ("tcp://127.0.0.1:9", 2, "matter of the running cluster"),  # both at once
    ],
)
def test_what_makes_no_sense_is_refused_at_once(scheduler: str | None, workers: int, message: str) -> None:
    with pytest.raises(ClusterError, match=message), connect(scheduler, workers=workers):
        pass


def test_a_local_cluster_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.driver.cluster._BOOT", "raise RuntimeError('no ports left')")
    with pytest.raises(ClusterError, match=r"did not start\n.*no ports left"), connect(workers=1):
        pass


def test_a_stock_cluster_outlives_the_connection(tmp_path: Path) -> None:
    cluster = StockCluster(tmp_path / "stock", workers=1)
    try:
        for _ in range(2):
            with connect(cluster.address) as client:
                client.wait_for_workers(1, timeout=300)
                assert client.submit(os.getpid).result(timeout=300) > 0
        assert cluster.scheduler.poll() is None
    finally:
        cluster.close()
