"""Scaling: memory of workers; time with galaxies, points and grid; overhead of blocks; compile time."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil
import xarray as xr
from distributed import Client

import sigcube
from sigcube.driver.cluster import connect
from sigcube.driver.loop import run_blocks
from sigcube.engine import Engine, evaluate_sums
from sigcube.readers.mock import mock_survey
from sigcube.store import Written, open_or_create
from tests.benchmarks.bench_sweep import MIB, WORKERS, sweep_of, timed
from tests.benchmarks.harness import Part, table
from tests.benchmarks.work import SAMPLE

__all__ = ["run"]

# Interval between readings of memory [s].
_LOOK = 0.02


def run(cube: xr.Dataset, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Measure scaling; return the report and, for the summary, how much memory grew."""
    # Blocks are full from 10^6 grid points on; larger grids show the cost of the grid itself.
    sizes = (1, 10) if quick else (1, 10, 100, 400)
    peaks = {n: memory(cube, folder, n) for n in sizes}
    parts = [
        Part("Memory of a worker", _memory_lines(cube, peaks)),
        Part("Overhead of a block", _overhead_lines(cube, folder, quick=quick)),
        Part("Growth", [*_galaxies(quick=quick), *_points(), *_grid(cube, quick=quick)]),
        Part("Compile time", _compile_lines(folder / "sparc.zarr")),
    ]
    growth = {
        f"memory of a worker, {n * 10_000:,} against {before * 10_000:,} grid points": peaks[n] / peaks[before]
        for before, n in pairwise(sizes)
    }
    return parts, growth


# Memory


@dataclass
class Watch:
    """The largest resident sets seen [bytes], by process."""

    peaks: dict[int, int] = field(default_factory=dict)

    def look(self) -> None:
        for pid in self.peaks:
            self.peaks[pid] = max(self.peaks[pid], psutil.Process(pid).memory_info().rss)


@contextmanager
def watched(client: Client) -> Iterator[Watch]:
    """Watch the workers of a cluster from outside."""
    watch, over = Watch(dict.fromkeys(client.run(os.getpid).values(), 0)), threading.Event()

    def keep_looking() -> None:
        while not over.wait(_LOOK):
            watch.look()

    watch.look()
    thread = threading.Thread(target=keep_looking)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def memory(cube: xr.Dataset, folder: Path, n_outer: int) -> int:
    """Return the largest memory of a worker [bytes] during one sweep on a fresh cluster."""
    with connect(workers=WORKERS) as client, watched(client) as watch:
        timed(sweep_of(cube, n_outer), folder / "memory.zarr", client)
        return max(watch.peaks.values())


def _memory_lines(cube: xr.Dataset, peaks: dict[int, int]) -> list[str]:
    plans = {n: sweep_of(cube, n).plan(probe=False) for n in peaks}
    rows = [
        [
            f"{plans[n].points_computed:,}",
            f"{len(plans[n].blocks)}",
            f"{plans[n].blocks[0].size:,}",
            f"{peak / MIB:.0f}",
        ]
        for n, peak in peaks.items()
    ]
    text = f"Largest resident set of a worker during a sweep, read from outside; {WORKERS} workers, a new cluster each."
    return [text, "", *table(["grid points", "blocks", "points of a block", "MiB"], rows)]


# Overhead


def do_nothing(_path: str, _index: int, _payload: Any) -> Callable[[], Written]:
    """Stand in for the work of a block."""
    return partial(Written, "", 0)


def _overhead_lines(cube: xr.Dataset, folder: Path, *, quick: bool) -> list[str]:
    """Run blocks that do nothing through driver, cluster and journal."""
    sweep = sweep_of(cube, 1000)
    plan, packed = sweep.plan(probe=False), sweep.packed
    todo = range(min(len(plan.blocks), 40 if quick else 240))
    with connect(workers=WORKERS) as client, open_or_create(folder / "blocks.zarr", plan=plan, inputs=packed) as store:
        run_blocks(client, store, plan, task=do_nothing, todo=todo[:10])
        start = perf_counter()
        run_blocks(client, store, plan, task=do_nothing, todo=todo[10:])
        seconds = perf_counter() - start
    each = seconds / (len(todo) - 10)
    return [
        f"Driver, scheduler and journal, with blocks that do nothing: {each * 1e3:.1f} ms a block "
        f"({1 / each:.0f} blocks/s), {WORKERS} workers.",
        "",
    ]


# Growth


def _rate_of(cube: xr.Dataset, sample: str, axes: dict[str, Any]) -> tuple[int, int, float]:
    """Return numbers of data and grid points, and the best of three times [s] of the engine on one core."""
    sweep = sigcube.Sweep(cube, kernel="sigma", sample=sample, axes=axes, keep=["galaxy"])
    plan = sweep.plan(probe=False)
    engine = Engine(plan, sweep.packed)
    engine.evaluate(plan.blocks[0])

    def once() -> float:
        start = perf_counter()
        for block in plan.blocks:
            engine.evaluate(block)
        return perf_counter() - start

    return plan.n_points, plan.points_computed, min(once() for _ in range(3))


def _row(first: str, n_points: int, grid: int, seconds: float) -> list[str]:
    return [first, f"{n_points:,}", f"{grid:,}", f"{seconds * 1e3:.1f}", f"{n_points * grid / seconds / 1e6:.0f}"]


_HEADER = ["data points", "grid points", "ms", "10⁶ evaluations/s"]


def _galaxies(*, quick: bool) -> list[str]:
    axes = {"xi_scale": sigcube.linspace(0.05, 0.9, 8), "A": sigcube.linspace(0.2, 3.0, 100)}
    counts = (10, 100, 1000) if quick else (10, 100, 1000, 10_000)
    found = ((n, _rate_of(mock_survey(n_galaxies=n, seed=1), "all", axes)) for n in counts)
    rows = [_row(f"{n:,}", *numbers) for n, numbers in found]
    return ["Mock surveys: the engine on one core, metrics included.", "", *table(["galaxies", *_HEADER], rows)]


def _points() -> list[str]:
    axes = {"xi_scale": sigcube.linspace(0.05, 0.9, 8), "A": sigcube.linspace(0.2, 3.0, 100)}
    found = ((n, _rate_of(mock_survey(n_galaxies=100, seed=1, points=(n, n)), "all", axes)) for n in (5, 20, 80, 320))
    return [
        "100 galaxies with this many points each:",
        "",
        *table(["points", *_HEADER], [_row(str(n), *rest) for n, rest in found]),
    ]


def _grid(cube: xr.Dataset, *, quick: bool) -> list[str]:
    sides = (10, 32, 100, 316) if quick else (10, 32, 100, 316, 1000)
    spans = [{"xi_scale": sigcube.linspace(0.05, 0.9, n), "A": sigcube.linspace(0.2, 3.0, n)} for n in sides]
    rows = [_row(f"{n} × {n}", *_rate_of(cube, SAMPLE, axes)) for n, axes in zip(sides, spans, strict=True)]
    return ["SPARC over ξ × A:", "", *table(["grid", *_HEADER], rows)]


# Compiling

_TWO, _THREE = list(np.linspace(0.05, 0.9, 2)), list(np.linspace(0.2, 3.0, 3))
_LOOPS: dict[str, tuple[dict[str, list[float]], dict[str, str], list[str]]] = {
    "geometric, rms (the first in its process)": ({"xi_scale": _TWO, "A": _THREE}, {}, ["rms"]),
    "geometric, rms, chi2_red, scatter_v": ({"xi_scale": _TWO, "A": _THREE}, {}, ["rms", "chi2_red", "scatter_v"]),
    "power, rms": ({"k": _TWO, "xi_scale": _TWO, "A": _THREE}, {"window": "power"}, ["rms"]),
    "dynamical, rms": ({"k_xi": _TWO, "A": _THREE}, {"window": "dynamical"}, ["rms"]),
    "local, rms": ({"sigma_v": _TWO, "A": _THREE}, {"window": "local"}, ["rms"]),
}


def _compile_lines(cube: Path) -> list[str]:
    """Time the first call of each loop in one fresh process, less a second call."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        rows = [
            [name, f"{fresh.submit(_compile_time, str(cube), *case).result():.2f}"] for name, case in _LOOPS.items()
        ]
    return ["Each distinct loop compiles once in a process.", "", *table(["loop of `sigma`", "s"], rows)]


def _compile_time(cube: str, axes: dict[str, list[float]], settings: dict[str, str], metrics: list[str]) -> float:
    sweep = sigcube.Sweep(cube, kernel="sigma", sample=SAMPLE, axes=axes, fixed=settings, metrics=metrics)
    plan = sweep.plan(probe=False)
    packed = sweep.packed
    values = {name: np.array(each) for name, each in axes.items()}
    start = perf_counter()
    evaluate_sums(plan.sections[0].model, packed, values)
    first = perf_counter()
    evaluate_sums(plan.sections[0].model, packed, values)
    return first - start - (perf_counter() - first)
