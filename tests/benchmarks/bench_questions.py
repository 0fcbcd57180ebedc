"""Questions to a result of 10⁸ values: time and memory of best points, profiles, Sobol' and Shapley, shares, the curve.

Each question is asked by a process of its own, so that its largest memory is its own. Run as a script, this module is
such a process: ``python -m tests.benchmarks.bench_questions QUESTION STORE``.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import xarray as xr
import zarr

import sigcube
from sigcube import analysis
from sigcube.store import create
from sigcube.sweep import Sweep
from tests.benchmarks.bench_stars import peak
from tests.benchmarks.harness import Part, table
from tests.benchmarks.work import SAMPLE

__all__ = ["run", "write_result"]

MIB = 1 << 20
_ROOT = Path(__file__).parents[2]
_AXES = ("k", "g_dagger", "xi_scale", "A")


def _profiles(result: xr.Dataset) -> None:
    for axis in _AXES:
        analysis.profile(result.rms_mean, axis)


def _likelihood(result: xr.Dataset, *, of_galaxies: bool) -> xr.Dataset:
    """Return the values as ln L: of all galaxies at each point, or of a galaxy for each value of an axis."""
    array = result.rms_mean.assign_attrs(best="largest")
    if not of_galaxies:
        return xr.Dataset({"loglike_sum": array})
    names = [f"G{i}" for i in range(result.sizes["A"])]
    return xr.Dataset({"loglike": array.drop_vars("A").rename(A="galaxy").assign_coords(galaxy=names)})


QUESTIONS: dict[str, Callable[[xr.Dataset], object]] = {
    "opening it alone": lambda result: None,
    "best, with its box": analysis.best,
    "profiles of all four axes": _profiles,
    "all Sobol' indices, interactions and Shapley shares": lambda result: analysis.sensitivity(result.rms_mean),
    "shares of all specifications, and with each choice": lambda result: analysis.robustness(
        result.rms_mean, threshold=20.0
    ),
    "specification curve of two axes, at the best of one, profiled over one": lambda result: (
        analysis.specification_curve(result.rms_mean, threshold=20.0, over=["xi_scale", "A"], profiled="k")
    ),
    "posterior: evidence and all marginals": lambda result: analysis.posterior(_likelihood(result, of_galaxies=False)),
    "posterior: all pairs as well": lambda result: analysis.posterior(
        _likelihood(result, of_galaxies=False), pairs=True
    ),
    "posterior of each of a hundred galaxies": lambda result: analysis.posterior(
        _likelihood(result, of_galaxies=True), per="galaxy"
    ),
    "each of a hundred galaxies left out": lambda result: analysis.leave_one_out(_likelihood(result, of_galaxies=True)),
    "specification curve of a tenth": lambda result: analysis.specification_curve(
        result.rms_mean.isel(k=slice(0, result.sizes["k"] // 10)), threshold=20.0
    ),
}


def run(cube: xr.Dataset, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Ask each question once; return the report and, for the summary, CPU time and memory of the dearest."""
    n = 30 if quick else 100
    store = folder / "questions.zarr"
    write_result(cube, store, n)
    found = {name: _measure(name, store) for name in QUESTIONS}
    rows = [[name, f"{cpu:.1f}", f"{wall:.1f}", f"{memory / MIB:.0f}"] for name, (cpu, wall, memory) in found.items()]
    text = (
        f"A result of {n**4:,} grid points on disk, four axes of {n}, in the chunks of a sweep; the values of rms_mean "
        "have every interaction. Each question is asked by a process of its own: the time is without imports, the "
        "memory with them."
    )
    header = ["question", "CPU s", "s", "peak MiB"]
    cpu, _, memory = (max(each) for each in zip(*found.values(), strict=True))
    summary = {
        f"questions to {n**4:,} values: CPU seconds of the dearest": cpu,
        f"questions to {n**4:,} values: peak GiB of the largest": memory / 2**30,
    }
    return [Part("Questions", [text, "", *table(header, rows)])], summary


def write_result(cube: xr.Dataset, store: Path, n: int) -> None:
    """Write a result without a sweep: its template, and in it a bowl with noise."""
    axes = {
        "k": sigcube.linspace(0.1, 2, n),
        "g_dagger": sigcube.geomspace(6e-11, 1.5e-10, n),
        "xi_scale": sigcube.linspace(0.01, 1, n),
        "A": sigcube.linspace(0.2, 3, n),
    }
    sweep = Sweep(cube, sample=SAMPLE, kernel="sigma", fixed={"window": "power"}, axes=axes)
    create(store, plan=sweep.plan(probe=False), inputs=sweep.packed)
    array = zarr.open_group(str(store), mode="r+")["rms_mean"]
    rng, x = np.random.default_rng(1), np.linspace(-1, 1, n)
    for corner in product(*(range(0, n, chunk) for chunk in array.chunks)):
        part = tuple(slice(i, min(i + chunk, n)) for i, chunk in zip(corner, array.chunks, strict=True))
        k, g, xi, a = np.ix_(*(x[each] for each in part))
        array[part] = 17 + (a - 0.2) ** 2 + (xi + a * k) ** 2 + 0.3 * g * xi + 0.01 * rng.normal(size=array[part].shape)


def _measure(question: str, store: Path) -> tuple[float, float, int]:
    """Return the CPU time [s], the time [s] and the largest memory [bytes] of a question."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_questions", question, str(store)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    cpu, wall, memory = json.loads(done.stdout)
    return cpu, wall, memory


if __name__ == "__main__":
    RESULT = sigcube.open_result(sys.argv[2])
    CPU, WALL = process_time(), perf_counter()
    QUESTIONS[sys.argv[1]](RESULT)
    print(json.dumps([process_time() - CPU, perf_counter() - WALL, peak()]))
