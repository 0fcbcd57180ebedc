"""A whole sweep with Dask and Zarr against the engine alone on all cores, and how the time of a block divides."""

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np
import xarray as xr
from distributed import Client

import sigcube
from sigcube.cube import Packed
from sigcube.driver.cluster import connect
from sigcube.engine import Engine, evaluate_sums
from sigcube.engine.finish import finish_systems, summarise
from sigcube.plan.plan import Plan
from sigcube.plan.values import PointStatus
from sigcube.store import open_or_create, read_journal, write_block
from sigcube.store.writer import digest_of
from tests.benchmarks.harness import Part, table
from tests.benchmarks.work import SAMPLE

__all__ = ["WORKERS", "run", "sweep_of", "timed"]

WORKERS = 2
# Grid points of a sweep: some along g_dagger, times this many along xi_scale, times as many along A.
INNER = 100
TILE = INNER * INNER
MIB = 2**20


def sweep_of(cube: xr.Dataset, n_outer: int, *, keep: Sequence[str] = ("galaxy",)) -> sigcube.Sweep:
    """Return a sweep of n_outer x 100 x 100 grid points: all of SPARC, RMS of every galaxy as float32 if kept."""
    axes = {
        "g_dagger": sigcube.linspace(5e-11, 2e-10, n_outer),
        "xi_scale": sigcube.linspace(0.05, 0.9, INNER),
        "A": sigcube.linspace(0.2, 3.0, INNER),
    }
    return sigcube.Sweep(cube, kernel="sigma", sample=SAMPLE, axes=axes, keep=keep)


@dataclass(frozen=True)
class Timed:
    """A sweep, timed: seconds from the call to the open result, and the workers' own seconds block by block."""

    seconds: float
    blocks: Sequence[float]
    bytes: int

    def of_a_worker(self) -> float:
        """Seconds of a worker for each block, idle time included."""
        return self.seconds * WORKERS / len(self.blocks)


def timed(sweep: sigcube.Sweep, path: Path, client: Client) -> Timed:
    """Run a sweep into a fresh store, which is removed again."""
    start = perf_counter()
    sweep.run(path, client=client)
    seconds = perf_counter() - start
    entries = read_journal(path / "journal").entries.values()
    assert all(entry.status == PointStatus.DONE for entry in entries), "a block that failed took no time"
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    shutil.rmtree(path)
    return Timed(seconds, [entry.seconds for entry in entries], size)


class Engines:
    """The engine alone, in as many processes as the cluster has workers, which all compute at the same time."""

    def __init__(self, sweep: sigcube.Sweep) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends = [context.Pipe() for _ in range(WORKERS)]
        order = sweep.plan(probe=False), sweep._packed
        self._processes = [
            context.Process(target=_evaluate, args=(*order, there), daemon=True) for _, there in self._ends
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        self.rate()
        return self

    def __exit__(self, *_: object) -> None:
        for here, _ in self._ends:
            here.send(0)
        for process in self._processes:
            process.join()

    def rate(self, tiles: int = 1) -> float:
        """Return evaluations a second of all processes together."""
        for here, _ in self._ends:
            here.send(tiles)
        return sum(here.recv() for here, _ in self._ends)


def _evaluate(plan: Plan, packed: Packed, orders: Connection) -> None:
    while tiles := orders.recv():
        start = perf_counter()
        for _ in range(tiles):
            evaluate_sums(plan.sections[0].model, packed, tile_of(plan))
        orders.send(tiles * TILE * packed.n_points / (perf_counter() - start))


def tile_of(plan: Plan) -> dict[str, np.ndarray]:
    """Return the parameters of one tile: what the engine computes at a time."""
    axes = {axis.name: axis.array for axis in plan.spec.grid.axes}
    return {"g_dagger": axes["g_dagger"][:1], "xi_scale": axes["xi_scale"], "A": axes["A"]}


def run(cube: xr.Dataset, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Time sweeps of 10^6 and 10^7 grid points, in turns with the engine; return the report and the ratios."""
    n_outer = 20 if quick else 100
    sweep, small, short = sweep_of(cube, n_outer), sweep_of(cube, 8), sweep_of(cube, n_outer, keep=())
    long = sweep_of(cube, 10 * n_outer, keep=())
    rounds = 2 if quick else 5
    with connect(workers=WORKERS) as client, Engines(sweep) as engines:
        cold = timed(small, folder / "cold.zarr", client)
        rates, found, summaries = [], [], []
        for _ in range(rounds):
            rates.append(engines.rate(tiles=20))
            found.append(timed(sweep, folder / "sweep.zarr", client))
            summaries.append(timed(short, folder / "short.zarr", client))
        rates.append(engines.rate(tiles=20))
        longest = timed(long, folder / "long.zarr", client)
    plan = sweep.plan(probe=False)
    best = min(found, key=lambda each: each.seconds)
    ratio = plan.evaluations / best.seconds / max(rates)
    seconds = min(each.seconds for each in summaries)
    ratio_short = plan.evaluations / seconds / max(rates)
    many = long.plan(probe=False)
    ratio_long = many.evaluations / longest.seconds / max(rates)
    n_small = small.plan(probe=False).points_computed
    rows = [
        [f"engine, {WORKERS} processes at once", "", f"{max(rates) / 1e6:.0f}"],
        [
            f"sweep of {plan.points_computed:,} points",
            f"{best.seconds:.2f}",
            f"{plan.evaluations / best.seconds / 1e6:.0f}",
        ],
        ["the same, summaries alone", f"{seconds:.2f}", f"{plan.evaluations / seconds / 1e6:.0f}"],
        [
            f"{many.points_computed:,} points, {len(many.blocks)} blocks, summaries alone, once",
            f"{longest.seconds:.2f}",
            f"{many.evaluations / longest.seconds / 1e6:.0f}",
        ],
    ]
    lines = [
        f"{plan.points_computed:,} grid points, {plan.n_points:,} data points, {len(plan.blocks)} blocks, "
        f"{plan.bytes / MIB:.0f} MiB of values in {plan.files} files, {best.bytes / MIB:.0f} MiB on disk; "
        f"best of {rounds}, in turns with the engine; {WORKERS} workers, loops compiled before.",
        "",
        *table(["", "s", "10⁶ evaluations/s"], rows),
        f"**Sweep / engine × cores: {ratio:.2f}** (each turn: "
        + ", ".join(f"{plan.evaluations / each.seconds / rate:.2f}" for each, rate in zip(found, rates, strict=False))
        + f"); of summaries alone: {ratio_short:.2f}, and {ratio_long:.2f} over ten times as many points. "
        f"Before, a sweep of {n_small:,} points with the loops to compile: {cold.seconds:.1f} s.",
        "",
        *_breakdown(sweep, folder, best),
    ]
    ratios = {
        "sweep / engine x cores": ratio,
        "sweep of summaries alone / engine x cores": ratio_short,
        "sweep of summaries alone, ten times as many points / engine x cores": ratio_long,
    }
    return [Part("A whole sweep: Dask and Zarr included", lines)], ratios


def _breakdown(sweep: sigcube.Sweep, folder: Path, best: Timed) -> list[str]:
    """Time the steps of one block on one core, and the blocks of the sweep with everything around them."""
    plan, packed = sweep.plan(probe=False), sweep._packed
    steps: dict[str, float] = {}
    with open_or_create(folder / "steps.zarr", plan=plan, inputs=packed):
        for _ in range(3):
            for name, seconds in _steps(plan, packed, str(folder / "steps.zarr")):
                steps[name] = min(steps.get(name, seconds), seconds)
    shutil.rmtree(folder / "steps.zarr")
    whole = sum(steps.values())
    rows = [[name, f"{seconds * 1e3:.1f}", f"{seconds / whole:.3f}"] for name, seconds in steps.items()]
    rows.append(
        ["in the sweep, a worker's time for each block, start and end included", f"{best.of_a_worker() * 1e3:.1f}", ""]
    )
    rows.append(
        ["in the sweep, from the start of a block until it is on the disk", f"{np.mean(best.blocks) * 1e3:.1f}", ""]
    )
    return table([f"one block of {plan.blocks[0].size:,} grid points, one core", "ms", "share"], rows)


def _steps(plan: Plan, packed: Packed, path: str) -> Iterator[tuple[str, float]]:
    block, engine = plan.blocks[0], Engine(plan, packed)
    rms = plan.spec.metrics[0]
    counts = np.diff(packed.offsets).astype(float)
    tiles = ceil(block.size / TILE)
    sums = evaluate_sums(plan.sections[0].model, packed, tile_of(plan))["residual_sq"].reshape(packed.n_systems, -1)
    scale = block.size / TILE / tiles

    def spent(call: Callable[[], object], times: int = 1) -> float:
        call()
        start = perf_counter()
        for _ in range(times):
            call()
        return perf_counter() - start

    loop = scale * spent(lambda: evaluate_sums(plan.sections[0].model, packed, tile_of(plan)), tiles)
    finish = scale * spent(lambda: finish_systems(rms, counts, (sums,)), tiles)
    medians = scale * spent(lambda: summarise(rms, counts, (sums,), row=INNER), tiles) - finish
    whole = spent(lambda: engine.evaluate(block))
    arrays = engine.evaluate(block)
    digest = spent(lambda: digest_of(arrays, block.regions))
    yield "sums over points (the compiled loop)", loop
    yield "RMS of galaxies", finish
    yield "their mean and median", medians
    yield "cast and put in place, tiling", max(0.0, whole - loop - finish - medians)
    yield "digest", digest
    yield "write", spent(lambda: write_block(path, block, arrays)) - digest
