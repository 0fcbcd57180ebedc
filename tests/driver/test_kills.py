"""`kill -9` of each process of a real sweep, at several moments: the same command finishes, with the same bits."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import xarray as xr
from typer.testing import CliRunner, Result

import sigcube
from sigcube.cli import app
from sigcube.cube import save_cube
from sigcube.errors import StoreError
from sigcube.readers.mock import mock_survey
from sigcube.store import read_journal, status
from sigcube.sweep import Sweep
from tests.driver.cluster_helpers import StockCluster, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# Sixteen blocks of some 0.1 s: long enough to be hit in their midst.
SPEC = """
cube = "survey.zarr"
sample = "unflagged"
kernel = "sigma"
metrics = ["rms", "scatter_v"]
keep = ["galaxy"]
[reference]
kernel = "mond"
[axes]
window = ["geometric", "power"]
k = [1.0, 2.0]
g_dagger = { geomspace = [5e-11, 2e-10, 16] }
xi_scale = { linspace = [0.05, 1.0, 30] }
A = { linspace = [0.2, 3.0, 80] }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a survey and a spec, as a user's project has them."""
    folder = tmp_path_factory.mktemp("project")
    save_cube(mock_survey(n_galaxies=150, seed=7, points=(55, 60)), folder / "survey.zarr")
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> xr.Dataset:
    """What a run gives that nothing disturbs."""
    cube = sigcube.open_cube(folder / "survey.zarr")
    sweep = Sweep(
        cube,
        sample="unflagged",
        kernel="sigma",
        metrics=["rms", "scatter_v"],
        keep=["galaxy"],
        reference="mond",
        axes={
            "window": ["geometric", "power"],
            "k": [1.0, 2.0],
            "g_dagger": sigcube.plan.grid.geomspace(5e-11, 2e-10, 16),
            "xi_scale": sigcube.linspace(0.05, 1.0, 30),
            "A": sigcube.linspace(0.2, 3.0, 80),
        },
    )
    assert len(sweep.plan(probe=False).blocks) >= 12
    return sweep.compute()


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockCluster]:
    cluster = StockCluster(tmp_path / "cluster", nannies=True)
    try:
        yield cluster
    finally:
        cluster.close()


def command(folder: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    """Start the command a user types."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "sigcube", "sweep", "spec.toml", "--out", str(out), *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(out: Path) -> int:
    """Blocks that the journal has, however young the store is."""
    try:
        return status(out).done
    except StoreError:
        return -1


def journalled(out: Path) -> dict[int, str]:
    return {index: entry.digest for index, entry in read_journal(out / "journal").entries.items()}


def call(folder: Path, out: Path, *options: str) -> Result:
    """Run the command in this process."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["sweep", "spec.toml", "--out", str(out), *options])


def resume(folder: Path, out: Path) -> None:
    """Run the command again, in this process: what is left of a sweep does not care where it is computed."""
    again = call(folder, out, "--workers", "0")
    assert again.exit_code == 0, again.output


def resume_elsewhere(folder: Path, out: Path) -> None:
    """Run the very same command again."""
    with command(folder, out, "--workers", "2") as process:
        text, _ = process.communicate(timeout=600)
    assert process.returncode == 0, text


def finish(out: Path, way: Callable[[], None]) -> None:
    """Run the command again; no block that was journalled may run a second time."""
    before = journalled(out)
    way()
    lines = [line for line in (out / "journal" / "blocks.jsonl").read_text().splitlines() if '"block"' in line]
    entries = [line for line in lines if '"kind": "block"' in line]
    assert len(entries) == len(journalled(out)), "a block was journalled twice"
    assert before.items() <= journalled(out).items()


def assert_same_bits(out: Path, unbroken: xr.Dataset) -> None:
    with xr.open_zarr(out, chunks=None) as result:
        assert set(result.data_vars) == set(unbroken.data_vars)
        for name in unbroken.data_vars:
            assert result[name].values.tobytes() == unbroken[name].values.tobytes(), name


@pytest.mark.parametrize("moment", [-1, 0, 6])
def test_a_killed_client(folder: Path, unbroken: xr.Dataset, tmp_path: Path, moment: int) -> None:
    out = tmp_path / "out.zarr"
    process = command(folder, out, "--workers", "2")
    # -1: before there is a store at all.
    if moment >= 0:
        until(lambda: done(out) >= moment, seconds=600, what=f"{moment} blocks")
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not any(child.is_running() for child in children), seconds=600, what="orphans")
    if moment < 0:
        resume(folder, out)
    else:
        assert done(out) < status(out).blocks, "it had ended before the kill"
        finish(out, lambda: resume(folder, out) if moment == 0 else resume_elsewhere(folder, out))
    assert_same_bits(out, unbroken)


@pytest.mark.parametrize("moment", [0, 5])
def test_a_killed_worker(folder: Path, unbroken: xr.Dataset, tmp_path: Path, stock: StockCluster, moment: int) -> None:
    out = tmp_path / "out.zarr"
    with command(folder, out, "--scheduler", stock.address) as process:
        until(lambda: done(out) >= moment, seconds=600, what=f"{moment} blocks")
        victim = next(
            child for child in psutil.Process(stock.workers[0].pid).children() if "spawn" in " ".join(child.cmdline())
        )
        victim.send_signal(signal.SIGKILL)
        text, _ = process.communicate(timeout=600)
    # The nanny brings a new worker: the run does not even stop.
    assert process.returncode == 0, text
    assert status(out).done == status(out).blocks
    assert_same_bits(out, unbroken)


@pytest.mark.parametrize("moment", [0, 5])
def test_a_killed_scheduler(
    folder: Path, unbroken: xr.Dataset, tmp_path: Path, stock: StockCluster, moment: int
) -> None:
    out = tmp_path / "out.zarr"
    with command(folder, out, "--scheduler", stock.address) as process:
        until(lambda: done(out) >= moment, seconds=600, what=f"{moment} blocks")
        stock.scheduler.send_signal(signal.SIGKILL)
        text, _ = process.communicate(timeout=600)
    assert process.returncode == 1, text
    # It may die before the client is through the door.
    assert "the Dask scheduler was lost" in text or "no Dask scheduler answers" in text, text
    assert "Traceback" not in text
    finish(out, lambda: resume(folder, out))
    assert_same_bits(out, unbroken)


def test_a_second_run_on_a_store_in_use_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    first = command(folder, out, "--workers", "1")
    try:
        until(lambda: done(out) >= 1, seconds=600, what="a block")
        # Else it may be done before the second looks.
        first.send_signal(signal.SIGSTOP)
        second = call(folder, out, "--workers", "1")
        assert second.exit_code == 4, second.output
        assert f"process {first.pid}" in second.stderr
    finally:
        first.kill()
        first.communicate()
