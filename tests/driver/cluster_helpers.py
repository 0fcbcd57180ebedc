"""A tiny plan and a task that behaves as its payload says, importable by workers and by client scripts."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr

from sigcube.cube import Packed
from sigcube.driver import Event
from sigcube.driver.cluster import connect
from sigcube.driver.loop import run_blocks
from sigcube.store import Written, open_or_create, write_block

SYSTEMS = ("A1", "NGC 2403", "Ω3")
BLOCK = 4


class FakeBlocks(list[Any]):
    """Blocks of one stage."""

    def stage_of(self, index: int) -> tuple[slice, ...]:
        return ()


@dataclass(frozen=True)
class FakePlan:
    """`n_blocks` blocks of 2 x 4 grid points over dims (window, A); one per-system array, one summary, the status."""

    n_blocks: int = 6
    identity: dict[str, str] = field(default_factory=lambda: {"spec": "one", "kernel": "k1"})

    asked: None = None
    spec: None = None

    @property
    def dims(self) -> dict[str, int]:
        return {"window": 2, "A": BLOCK * self.n_blocks}

    @property
    def block_sizes(self) -> tuple[int, ...]:
        return (2 * BLOCK,) * self.n_blocks

    def least_bytes(self, todo: Sequence[int] | None = None) -> float:
        return 8.0 * 2 * BLOCK * (self.n_blocks if todo is None else len(todo))

    @property
    def blocks(self) -> "FakeBlocks":
        return FakeBlocks(
            SimpleNamespace(
                index=i,
                section=0,
                size=2 * BLOCK,
                shape=(2, BLOCK),
                regions=((slice(0, 2), slice(BLOCK * i, BLOCK * (i + 1))),),
            )
            for i in range(self.n_blocks)
        )

    @property
    def variables(self) -> tuple[Any, ...]:
        grid = tuple(self.dims)
        shape = tuple(self.dims.values())

        def variable(name: str, dims: tuple[str, ...], head: tuple[int, ...], dtype: str, units: str) -> Any:
            return SimpleNamespace(
                name=name,
                dims=(*dims, *grid),
                shape=(*head, *shape),
                chunks=(*head, 2, BLOCK),
                dtype=np.dtype(dtype),
                attrs={"units": units, "long_name": name},
                compressed=not head,
            )

        return (
            variable("rms", ("galaxy",), (len(SYSTEMS),), "float32", "km/s"),
            variable("rms_mean", (), (), "float64", "km/s"),
            variable("status", (), (), "uint8", ""),
        )

    @property
    def coords(self) -> dict[str, Any]:
        return {
            "galaxy": ("galaxy", np.array(SYSTEMS)),
            "window": ("window", np.array(["geometric", "power"])),
            "A": ("A", np.linspace(0.2, 3, self.dims["A"]), {"units": "", "long_name": "amplitude"}),
        }

    @property
    def attrs(self) -> dict[str, Any]:
        return {"title": "fake", "spec": {"kernel": "sigma"}}


def packed() -> Packed:
    return Packed(
        systems=SYSTEMS,
        offsets=np.array([0, 2, 3, 6], dtype=np.int64),
        points={"r": np.arange(6.0), "v_obs": np.arange(6.0) * 10},
        per_system={"distance": np.array([1.0, np.nan, 3.0])},
    )


def arrays_of(index: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(index)
    status = np.ones((2, BLOCK), dtype=np.uint8)
    status[0, 0] = 2
    rms = rng.normal(size=(len(SYSTEMS), 2, BLOCK)).astype(np.float32)
    rms[:, 0, 0] = np.nan
    return {"rms": rms, "rms_mean": rms.astype(np.float64).mean(axis=0), "status": status}


@dataclass(frozen=True)
class Behaviour:
    """What the fake task does: seconds a block takes, which blocks misbehave how, and where it logs each start."""

    log: str = ""
    seconds: float = 0.0
    raises: tuple[int, ...] = ()
    kills: tuple[int, ...] = ()
    full_disk: tuple[int, ...] = ()
    n_blocks: int = 6
    die_once: str = ""


def fake_task(path: str, index: int, payload: Behaviour) -> Callable[[], Written]:
    if payload.log:
        with open(payload.log, "a") as file:
            file.write(f"{index} {os.getpid()}\n")
    time.sleep(payload.seconds)
    if index in payload.raises:
        raise ValueError(f"no model at block {index}")
    if index in payload.kills and _first(payload.die_once):
        os.kill(os.getpid(), signal.SIGKILL)
    return partial(_write, path, index, payload)


def _write(path: str, index: int, payload: Behaviour) -> Written:
    with full_disk() if index in payload.full_disk else contextlib.nullcontext():
        return write_block(path, FakePlan(payload.n_blocks).blocks[index], arrays_of(index))


def _first(marker: str) -> bool:
    """With a marker file, only the first time; without, always."""
    if not marker:
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Make every file of a store that is written fail as on a full disk."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    ways = ("sigcube.cube.storage.Path.write_bytes", "zarr.storage._local._put", "sigcube.files.os.pwrite")
    with contextlib.ExitStack() as patches:
        for way in ways:
            patches.enter_context(mock.patch(way, side_effect=error))
        yield


def until(condition: Callable[[], Any], *, seconds: float = 600.0, what: str = "") -> Any:
    """Wait for a condition, for so long at most."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return value


def executed(log: str | Path) -> list[int]:
    """Blocks that a worker began, in order, with repeats."""
    path = Path(log)
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def assert_whole(path: str | Path, n_blocks: int, *, but: dict[int, int] | None = None) -> None:
    """Every array holds the bits of an unbroken run; blocks in `but` have that status and nothing else."""
    bad = but or {}
    with xr.open_zarr(path, chunks=None) as found:
        for index in range(n_blocks):
            part = found.isel(A=slice(BLOCK * index, BLOCK * (index + 1)))
            if index in bad:
                assert (part.status.values == bad[index]).all()
                continue
            for name, expected in arrays_of(index).items():
                assert part[name].values.tobytes() == expected.tobytes(), (name, index)


def client_main(order: str) -> None:
    """Run a sweep of fakes as a user's script does; the order is JSON from `client_command`."""
    given = json.loads(order)
    payload = Behaviour(**{key: tuple(v) if isinstance(v, list) else v for key, v in given["payload"].items()})
    plan = FakePlan(payload.n_blocks)

    def show(event: Event) -> None:
        print(event.kind, event.entry.block if event.entry else "", flush=True)

    try:
        with (
            open_or_create(given["path"], plan=plan, inputs=packed()) as store,
            connect(given["scheduler"], workers=None if given["scheduler"] else 1) as client,
        ):
            run_blocks(client, store, plan, task=fake_task, payload=payload, on_event=show)
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def client_process(path: Path, payload: Behaviour, *, scheduler: str | None) -> Iterator[subprocess.Popen[str]]:
    """Run `client_main` in a process of its own, killed at the end if it is still there."""
    order = json.dumps({"path": str(path), "payload": asdict(payload), "scheduler": scheduler})
    begin = "from tests.driver.cluster_helpers import client_main"
    code = f"import sys; sys.path[:] = {sys.path!r}; {begin}; client_main({order!r})"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class StockCluster:
    """A scheduler and workers started by the stock commands, each ended by its own process id.

    With nannies, each worker has a process that starts it anew when it dies.
    """

    def __init__(self, folder: Path, *, workers: int = 2, nannies: bool = False) -> None:
        self.folder = folder
        self.nanny = "--nanny" if nannies else "--no-nanny"
        folder.mkdir()
        self.workers: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._run(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", f"--scheduler-file={file}"
        )
        self.address: str = until(lambda: _address_in(file), what="scheduler file")
        for _ in range(workers):
            self.add_worker()

    def add_worker(self, *options: str, path: Sequence[str] = ()) -> None:
        """Start a worker with more options, and more folders to import from."""
        self.workers.append(
            self._run(
                *("worker", self.address, "--nthreads", "1", "--no-dashboard"),
                *("--local-directory", str(self.folder), self.nanny, *options),
                path=path,
            )
        )

    def close(self) -> None:
        """End all at once: the worker of a nanny ends with it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _run(self, *words: str, path: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, *(each for each in sys.path if each)])}
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=environment,
            )


def _address_in(file: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        address: str = json.loads(file.read_text())["address"]
        return address
    return None
