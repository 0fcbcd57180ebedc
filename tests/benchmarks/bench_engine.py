"""The engine against other ways of doing the same work: sums of squared residuals of every galaxy, all parameters."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from sigcube.constants import PAPER
from tests.benchmarks import numpy_ways as ways
from tests.benchmarks.harness import (
    Contender,
    Library,
    Part,
    Result,
    build,
    c_arguments,
    largest_difference,
    race,
    rate,
    table,
)
from tests.benchmarks.work import SIGMA, SURVIVAL, SURVIVAL_BY_LOG, Job

__all__ = ["run"]

OWN = "sigcube, one core"
HAND = "Numba, points outside, nested by hand"
GALAXIES = "NumPy, galaxy by galaxy"
FAST = "C, -ffast-math"
BY_LOG = "C, -ffast-math, pow as exp(y log x) by hand"
BY_ROOT = "C, -ffast-math, √(g†/g) as √g†/√g by hand"
FLAGS = {
    FAST: (["-ffast-math"], ["-ffast-math", "-mprefer-vector-width=512"]),
    "C, free to vectorise, same bits": (["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"],),
    "C, -O3 -march=native": ([],),
}
BASE = ["-O3", "-march=native"]
# Larger than the rounding of sums in another order; a wrong loop is off by far more.
AGREE = 1e-9


@dataclass(frozen=True)
class CWay:
    """One C function, and the order of the dimensions of its sums."""

    function: str
    order: tuple[str, ...]


def geometric(cube: xr.Dataset) -> Iterator[tuple[Job, str, Sequence[CWay]]]:
    """Yield the shapes of the first race: long and short innermost dimensions, and a list of parameters."""
    for n_g, n_x, n_a in ((4, 5, 200), (1, 4, 1000), (16, 16, 16), (64, 12, 5)):
        axes = _spread(g_dagger=(5e-11, 2e-10, n_g), xi_scale=(0.05, 0.9, n_x), A=(0.2, 3.0, n_a))
        other = CWay("nested_other", ("xi_scale", "A", "g_dagger"))
        yield Job(cube, SIGMA, axes), "sigma.c", (CWay("nested_last", tuple(axes)), other)
    axes = _random(g_dagger=(5e-11, 2e-10), xi_scale=(0.05, 0.9), A=(0.2, 3.0), n=4096)
    yield Job(cube, SIGMA, axes, flat=True), "sigma.c", (CWay("flat", ("case",)),)


def survival(cube: xr.Dataset) -> Iterator[tuple[Job, str, Sequence[CWay]]]:
    """Yield the shapes of the race with pow and exp: none, half and all of them in the innermost loop."""
    for shape in ((6, 6, 4, 64), (4, 4, 64, 4), (4, 4, 256, 1), (8, 256, 1, 1)):
        spans = {"r0": (1.0, 20.0), "beta": (0.5, 2.0), "alpha": (0.2, 2.0), "A": (0.2, 3.0)}
        axes = _spread(**{name: (*span, n) for (name, span), n in zip(spans.items(), shape, strict=True)})
        other = ("r0", "beta", "A", "alpha")
        beta = CWay("beta_last", ("r0", "alpha", "A", "beta"))
        found = (CWay("nested_last", tuple(axes)), CWay("nested_other", other), CWay("fused_other", other), beta)
        yield Job(cube, SURVIVAL, axes, settings={"g_dagger": PAPER.g_dagger}), "survival.c", found
    axes = _random(r0=(1.0, 20.0), beta=(0.5, 2.0), alpha=(0.2, 2.0), A=(0.2, 3.0), n=1024)
    job = Job(cube, SURVIVAL, axes, flat=True, settings={"g_dagger": PAPER.g_dagger})
    yield job, "survival.c", (CWay("flat", ("case",)),)


def power(cube: xr.Dataset) -> Iterator[tuple[Job, str, Sequence[CWay]]]:
    """Yield the shapes of the race with the power window: the exponent long, and the amplitude long."""
    for n_x, n_k, n_a in ((8, 256, 1), (8, 64, 4), (6, 8, 64)):
        axes = _spread(xi_scale=(0.05, 0.9, n_x), k=(0.2, 2.0, n_k), A=(0.2, 3.0, n_a))
        other = ("xi_scale", "A", "k")
        found = (CWay("nested_last", tuple(axes)), CWay("nested_other", other), CWay("fused_other", other))
        yield Job(cube, SIGMA, axes, settings={"window": "power"}), "power.c", found


def run(cube: xr.Dataset, folder: Path, *, quick: bool, c: bool) -> tuple[list[Part], dict[str, float]]:
    """Run all races; return the report, and ratios by name for the summary."""
    rounds = 3 if quick else 15
    races = (
        (
            "`sigma`, geometric window",
            [_race(job, _python(job), c, folder, rounds, *how) for job, *how in geometric(cube)],
        ),
        (
            "A kernel full of pow and exp",
            [_race(job, _by_log(job), c, folder, rounds, *how) for job, *how in survival(cube)],
        ),
        ("`sigma`, power window", [_race(job, [], c, folder, rounds, *how) for job, *how in power(cube)]),
    )
    ratios = {
        f"{title}, {shape}: sigcube / best C": _against_c(found) for title, results in races for shape, found in results
    }
    loop = min(
        found[OWN].rate / found[GALAXIES].rate for _, found in races[0][1] if GALAXIES in found and HAND in found
    )
    ratios[f"{races[0][0]}, any product grid: sigcube / {GALAXIES}"] = loop
    return [Part(title, _report(dict(results))) for title, results in races], ratios


def _race(
    job: Job, others: Sequence[Contender], c: bool, folder: Path, rounds: int, source: str, found: Sequence[CWay]
) -> tuple[str, dict[str, Result]]:
    own = Contender(OWN, job.sums, job.evaluations, f"innermost {job.order[-1]}")
    in_c = [*_in_c(job, source, found, folder)] if c else []
    return job.shape, race([own, *in_c, *others], rounds=rounds)


def _in_c(job: Job, source: str, found: Sequence[CWay], folder: Path) -> Iterator[Contender]:
    is_sigma, is_flat = source == "sigma.c", found[0].function == "flat"
    # Other digits than the formula's: a race of its own, as for the kernel rewritten in the same way.
    by_hand = {"BY_ROOT": BY_ROOT} if is_sigma and is_flat else {} if is_sigma else {"BY_LOG": BY_LOG}
    for group, sets in FLAGS.items():
        for flags, hand, block in itertools.product(sets, ("", *by_hand), (1, 4) if is_sigma else (1,)):
            if hand and group != FAST:
                continue
            defines = {"KPC_IN_M": PAPER.kpc, "G_DAGGER": PAPER.g_dagger, "BLOCK": block}
            library = build(source, [*BASE, *flags], {**defines, hand: None} if hand else defines, folder)
            for way in found:
                name = " ".join([way.function, *flags[1:], *([f"{block} points at a time"] if block > 1 else [])])
                yield Contender(by_hand.get(hand, group), _c_call(job, library, way), job.evaluations, name)


def _c_call(job: Job, library: Library, way: CWay) -> Callable[[], object]:
    """Return a call of one C function; its sums must agree with sigcube's."""
    expected = job.sums(way.order)
    out = np.empty(expected.shape)
    axes = [each for values in job.axes.values() for each in (values.size, values)]
    points = job.points.values()
    arguments = c_arguments(job.packed.n_systems, job.packed.offsets, *points, job.scale, *axes, out)
    function = library.functions[way.function]
    function(*arguments)
    if largest_difference(out, expected) > AGREE:
        raise AssertionError(f"{way.function} of {library.name} computes something else")

    def call() -> None:
        function(*arguments)

    return call


def _python(job: Job) -> list[Contender]:
    """Return implementations in Python; slow ones get fewer parameters."""
    sets = ways.combinations(job)
    few, some = sets[:, :: max(1, sets.shape[1] // 8)], sets[:, :: max(1, sets.shape[1] // 500)]
    n = job.packed.n_points
    found = [
        Contender("Numba, parameters outside", lambda: ways.numba_parameters_outside(job, some), some.shape[1] * n),
        Contender(
            "NumPy, packed points, 500 parameters at a time", lambda: ways.packed_numpy(job, some), some.shape[1] * n
        ),
        Contender(GALAXIES, lambda: ways.loop_over_galaxies(job, few), few.shape[1] * n),
    ]
    if not job.flat:
        part = replace(job, axes={name: values[:25] for name, values in job.axes.items()})
        found.insert(0, Contender(HAND, lambda: ways.numba_nested(job), job.evaluations))
        found.insert(
            3,
            Contender(
                "xarray and Dask broadcasting, all cores", lambda: ways.dask_broadcasting(part), part.evaluations
            ),
        )
    for each in found:
        each.call()
    return found


def _by_log(job: Job) -> list[Contender]:
    """Return sigcube with the powers written as exponentials of logarithms, as in one of the C variants."""
    rewritten = replace(job, kernel=SURVIVAL_BY_LOG)
    return [Contender(f"{OWN}, pow as exp(y log x) by hand", rewritten.sums, job.evaluations)]


def _report(results: Mapping[str, dict[str, Result]]) -> list[str]:
    """Return a table with a column for each shape: rates, and sigcube's rate over each contender's."""
    groups = list(dict.fromkeys(group for found in results.values() for group in found))
    cells = [[group, *(_cell(found, group) for found in results.values())] for group in groups]
    best = ["**sigcube / best C**", *(f"**{_against_c(found):.2f}**" for found in results.values())]
    return table(["10⁶ evaluations/s (sigcube is … times as fast)", *results], [*cells, best])


def _cell(found: Mapping[str, Result], group: str) -> str:
    if group not in found:
        return "–"
    times = found[OWN].rate / found[group].rate
    return rate(found[group].rate) + ("" if group == OWN else f" ({times:.3g}×)")


def _against_c(found: Mapping[str, Result]) -> float:
    """Return sigcube's rate over that of the best C with the formula as it stands, NaN without C."""
    rates = [result.rate for group, result in found.items() if group in FLAGS]
    return found[OWN].rate / max(rates) if rates else float("nan")


def _spread(**spans: tuple[float, float, int]) -> dict[str, np.ndarray]:
    return {name: np.linspace(*span) for name, span in spans.items()}


def _random(*, n: int, **spans: tuple[float, float]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(*span, n) for name, span in spans.items()}
