"""A client comes from nothing or from an address, quietly, and leaves no process behind."""

import asyncio
import contextlib
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, LocalCluster

from sigcube.driver.cluster import connect, how_to_add_workers
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker loads its modules itself")
def test_workers_are_forks_of_one_process_that_loaded_what_they_need(local_client: Client) -> None:
    found = local_client.run(lambda: ("sigcube.driver.preload" in sys.modules, os.getppid()))
    (loaded, parent), other = found.values()
    assert loaded
    assert other == (loaded, parent)
    # Only what has one thread is safe to fork.
    assert psutil.Process(parent).num_threads() == 1


def test_where_nothing_can_be_forked_workers_load_their_modules_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    # A process that others are forked from would listen in it, at a path that is too long.
    monkeypatch.setattr("tempfile.tempdir", "/" + "long/" * 30)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open(os.devnull, "w+b"))
    with connect(workers=1) as client:
        (loaded,) = client.run(lambda: "sigcube.driver.preload" in sys.modules).values()
        assert not loaded
        assert client.submit(lambda: __import__("sigcube.engine").__name__).result(timeout=300) == "sigcube"


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
        for each in (signal.SIGINT, signal.SIGKILL):
            for pid in before:
                os.kill(pid, each)
        until(lambda: len(pids()) == 2 and before.isdisjoint(pids()), seconds=300)
        # One that closes takes its nanny along, which would have started it again.
        before = pids()
        client.retire_workers()
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


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that answers every connection with the same words, or with none."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(request.param)
            while self.request.recv(4096):
                pass

    class Server(socketserver.ThreadingTCPServer):
        # It waits for no client to hang up.
        block_on_close, daemon_threads = False, True

    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("address", "stranger", "found", "to_do"),
    [
        ("tcp://127.0.0.1:9", b"", "Timed out", "check the address"),  # nobody there
        ("nonsense://x", b"", "unknown address scheme 'nonsense'", "check the address"),
        ("tcp://127.0.0.1:notaport", b"", "ValueError", "check the address"),
        ("tcp://127.0.0.1:{}", b"", "a connection, but no answer", "check the address"),  # one that says nothing
        ("tcp://127.0.0.1:{}", b"HTTP/1.1 400 Bad Request\r\n\r\n", "none of Dask's", "check the address"),
        ("ws://127.0.0.1:9", b"", "Timed out", "check the address"),
        ("tls://127.0.0.1:9", b"", "TLS", "name distributed.comm.tls.ca-file"),  # no certificates
        ("ucx://127.0.0.1:9", b"", "UCX", "install the distributed-ucxx package"),
        ("inproc://127.0.0.1/1/1", b"", "does not match host", "only the process of that scheduler"),
    ],
    indirect=["stranger"],
)
def test_an_address_that_leads_to_no_scheduler_is_one_clear_error_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, address: str, stranger: int, found: str, to_do: str
) -> None:
    """And leaves no event loop for the garbage collector."""
    monkeypatch.setattr("sigcube.driver.cluster.CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr("sigcube.driver.cluster.ANSWER_TIMEOUT", 1.0)
    before, address = set(threading.enumerate()), address.format(stranger)
    message = rf"no Dask scheduler answers\n  where: {re.escape(address)}\n  found: .*{found}(.|\n)*  do: .*{to_do}"
    with pytest.raises(ClusterError, match=message), connect(address):
        pass
    own = {thread for thread in threading.enumerate() if "process_request_thread" not in thread.name}
    assert own <= before


@pytest.mark.parametrize("protocol", ["inproc", "ws", "tls"])
def test_every_protocol_of_dask_leads_to_its_scheduler(tmp_path: Path, protocol: str) -> None:
    options: dict[str, Any] = {} if protocol == "inproc" else {"host": "127.0.0.1"}
    config = {}
    if protocol == "tls":
        files = {"key": str(tmp_path / "key.pem"), "cert": str(tmp_path / "cert.pem")}
        make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        ways = ["-keyout", files["key"], "-out", files["cert"]]
        subprocess.run([*make.split(), *ways], check=True, capture_output=True)
        parts = {f"{role}.{part}": file for role in ("scheduler", "client") for part, file in files.items()}
        config = {f"distributed.comm.tls.{name}": file for name, file in {"ca-file": files["cert"], **parts}.items()}
    with (
        dask.config.set(config),
        LocalCluster(
            n_workers=0, processes=False, protocol=f"{protocol}://", dashboard_address="127.0.0.1:0", **options
        ) as cluster,
        connect(cluster.scheduler_address) as client,
    ):
        assert client.scheduler.address.startswith(f"{protocol}://")
        assert client.nthreads() == {}


def test_how_to_add_workers_depends_on_who_starts_them(local_client: Client) -> None:
    assert "memory" in how_to_add_workers(local_client)
    with LocalCluster(n_workers=0, processes=False, protocol="inproc://", dashboard_address="127.0.0.1:0") as cluster:
        with Client(cluster, set_as_default=False) as client:
            assert "scale" in how_to_add_workers(client)
        with connect(cluster.scheduler_address) as client:
            assert how_to_add_workers(client) == f"start workers with `dask worker {cluster.scheduler_address}`"


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
