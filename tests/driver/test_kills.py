"""Processes of real sweeps are killed at several moments: the same command finishes, with the same bits."""

import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.driver.cluster_helpers import StockCluster, until
from tests.kills import Project, compare, count_written, done, kill_once, make_project, run_to_end

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A sweep of two hundred small blocks, and what a run of it gives that nothing disturbs."""
    return make_project(tmp_path_factory.mktemp("kills") / "project")


@pytest.fixture
def stock(project: Project, tmp_path: Path) -> Iterator[StockCluster]:
    cluster = StockCluster(tmp_path / "cluster", workers=0, nannies=True)
    try:
        for _ in range(2):
            cluster.add_worker(path=[str(project.folder)])
        yield cluster
    finally:
        cluster.close()


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker loads its modules itself")


@pytest.mark.parametrize(
    ("workers", "victim", "how", "code"),
    [
        (0, "the command", "KILL", -9),
        (2, "the command", "TERM", 143),  # as batch systems do first
        (2, "all workers", "INT", 0),  # they leave it to the command, which goes on
        (2, "all workers", "KILL", 0),
        pytest.param(2, "what workers are forked from", "KILL", 0, marks=ON_LINUX),
        (2, "all at once", "STOP, KILL", -9),
    ],
)
def test_kills_while_blocks_are_computed(
    project: Project, tmp_path: Path, workers: int, victim: str, how: str, code: int
) -> None:
    """A sample of ``python -m tests.kills``."""
    outcome = kill_once(project, tmp_path / "out.zarr", random.Random(how), workers=workers, victim=victim, how=how)
    assert (outcome.code, outcome.faults) == (code, [])


@pytest.mark.parametrize("begun", [False, True])
def test_a_command_killed_before_its_first_block(project: Project, tmp_path: Path, begun: bool) -> None:
    out = tmp_path / "out.zarr"
    with project.run(out, "--workers", "2") as process:
        until(lambda: out.exists() or not begun, what="a store")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    until(lambda: not any(child.is_running() for child in children), what="end of the workers")
    assert run_to_end(project, out, "--workers", "0") == ""
    assert compare(project, out) == []


def test_a_killed_worker_of_a_stock_cluster(project: Project, tmp_path: Path, stock: StockCluster) -> None:
    out = tmp_path / "out.zarr"
    with project.run(out, "--scheduler", stock.address) as process:
        until(lambda: count_written(out) >= 20, what="blocks")
        victim = next(
            child for child in psutil.Process(stock.workers[0].pid).children() if "spawn" in " ".join(child.cmdline())
        )
        victim.send_signal(signal.SIGKILL)
        text, _ = process.communicate(timeout=600)
    # The nanny brings a new worker: the run does not even stop.
    assert process.returncode == 0, text
    assert compare(project, out) == []


def test_a_killed_scheduler_of_a_stock_cluster(project: Project, tmp_path: Path, stock: StockCluster) -> None:
    """While blocks are computed; tests of the driver kill one before, too."""
    out = tmp_path / "out.zarr"
    with project.run(out, "--scheduler", stock.address) as process:
        until(lambda: count_written(out) >= 20, what="blocks")
        stock.scheduler.send_signal(signal.SIGKILL)
        text, _ = process.communicate(timeout=600)
    assert process.returncode == 1, text
    assert "the Dask scheduler was lost" in text, text
    assert "Traceback" not in text
    before = done(out)
    assert run_to_end(project, out, "--workers", "0") == ""
    assert compare(project, out, before) == []


def test_a_second_run_on_a_store_in_use_is_refused(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    with project.run(out, "--workers", "0") as first:
        try:
            until(lambda: count_written(out) >= 1, what="a block")
            # Else it may be done before the second looks.
            first.send_signal(signal.SIGSTOP)
            with project.run(out, "--workers", "0") as second:
                text, _ = second.communicate(timeout=600)
        finally:
            first.kill()
    assert second.returncode == 4, text
    assert f"process {first.pid}" in text
