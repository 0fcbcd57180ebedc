"""A tiny plan and a task that behaves as its payload says, importable by workers and by client scripts."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sigcube.cube import Packed
from sigcube.store import Written, write_block

SYSTEMS = ("A1", "NGC 2403", "Ω3")
BLOCK = 4


@dataclass(frozen=True)
class FakePlan:
    """`n_blocks` blocks of 2 x 4 grid points over dims (window, A); one per-system array, one summary, the status."""

    n_blocks: int = 6
    identity: dict[str, str] = field(default_factory=lambda: {"spec": "one", "kernel": "k1"})

    @property
    def dims(self) -> dict[str, int]:
        return {"window": 2, "A": BLOCK * self.n_blocks}

    @property
    def blocks(self) -> list[Any]:
        return [
            SimpleNamespace(
                index=i, section=0, size=2 * BLOCK, regions=((slice(0, 2), slice(BLOCK * i, BLOCK * (i + 1))),)
            )
            for i in range(self.n_blocks)
        ]

    @property
    def variables(self) -> tuple[Any, ...]:
        grid = tuple(self.dims)
        shape = tuple(self.dims.values())

        def variable(name: str, dims: tuple[str, ...], head: tuple[int, ...], dtype: str, units: str) -> Any:
            return SimpleNamespace(
                name=name,
                dims=(*dims, *grid),
                shape=(*head, *shape),
                chunks=(*head, 1, 2),
                shards=(*head, 2, BLOCK),
                dtype=np.dtype(dtype),
                attrs={"units": units, "long_name": name},
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


def fake_task(path: str, index: int, payload: Behaviour) -> Written:
    if payload.log:
        with open(payload.log, "a") as file:
            file.write(f"{index} {os.getpid()}\n")
    time.sleep(payload.seconds)
    if index in payload.raises:
        raise ValueError(f"no model at block {index}")
    if index in payload.kills and _first(payload.die_once):
        os.kill(os.getpid(), signal.SIGKILL)
    if index in payload.full_disk:
        with full_disk():
            return write_block(path, FakePlan(payload.n_blocks).blocks[index], arrays_of(index))
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


class full_disk:
    """Make every file that Zarr writes fail as on a full disk."""

    def __enter__(self) -> None:
        import errno
        from unittest import mock

        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._patch = mock.patch("zarr.storage._local._put", side_effect=error)
        self._patch.start()

    def __exit__(self, *_: object) -> None:
        self._patch.stop()
