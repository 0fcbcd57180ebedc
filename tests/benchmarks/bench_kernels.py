"""Every kernel against C of the same formula; the cost and the accuracy of the resonance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.integrate import quad

from sigcube.kernels import KERNELS
from tests.benchmarks.c_kernels import FAST, READINGS, KernelCase, c_sums
from tests.benchmarks.harness import Contender, Part, Result, largest_difference, race, rate, table
from tests.benchmarks.work import Job

__all__ = ["run"]

OWN, IN_C, SAME_DIGITS = "sigcube", "C", "C, the same operations"
# Larger than the rounding of sums in another order; a wrong loop is off by far more.
AGREE = 1e-9
WIDE = (*FAST, "-mprefer-vector-width=512")
# Vectors, but no other operations than those of the formula.
STRICT = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")

SIGMA = KernelCase("sigma", {}, {"g_dagger": (5e-11, 2e-10), "xi_scale": (0.05, 0.9), "A": (0.2, 3.0)})
# With the dispersion innermost the spectrum is tabulated; with its slope or its cut-off, the quality is.
SPANS = {"sigma_v": (5.0, 150.0), "alpha": (0.5, 3.0), "lambda_cut": (100.0, 5000.0)}
INNERMOST = (("alpha", "lambda_cut", "sigma_v"), ("sigma_v", "lambda_cut", "alpha"), ("sigma_v", "alpha", "lambda_cut"))

# The accuracy is checked at a sample of points, with wider values of the parameters than in the race.
EVERY_POINT = 97
CHECKED = {"sigma_v": (2.0, 20.0, 150.0), "alpha": (0.0, 1.0, 2.0, 4.0), "lambda_cut": (100.0, 2000.0)}


def run(cube: xr.Dataset, folder: Path, *, quick: bool, c: bool) -> tuple[list[Part], dict[str, float]]:
    """Run all races; return the report, and ratios by name for the summary."""
    rounds = 3 if quick else 9
    parts, ratios = [], {}
    if c:
        found = [(str(case), *_race(case, case.job(cube), folder, rounds)) for case in READINGS]
        parts.append(Part("Every kernel against C", _against_c(found)))
        ratios = {f"kernel {name}: sigcube / C": _ratio(results) for name, _, results in found}
    else:
        parts.append(Part("Every kernel against C", ["Not run: no C compiler (gcc and objdump) was found.", ""]))
    costs, error = _costs(cube, rounds), _error(cube)
    ratios["resonance / `sigma`, time of an evaluation, at most"] = max(costs.values())
    parts.append(Part("The cost of a resonance", [*_cost_table(costs), _accuracy(error), ""]))
    return parts, ratios


def _race(case: KernelCase, job: Job, folder: Path, rounds: int) -> tuple[str, Mapping[str, Result]]:
    expected = job.sums(tuple(job.axes))
    contenders = [Contender(OWN, job.sums, job.evaluations)]
    for flags in (FAST, WIDE, STRICT, (*STRICT, WIDE[-1])):
        call = c_sums(case, job, folder, flags)
        if not largest_difference(call(), expected) <= AGREE:
            raise AssertionError(f"the C of {case} computes something else")
        group = IN_C if FAST[-1] in flags else SAME_DIGITS
        contenders.append(Contender(group, call, job.evaluations, flags[-1]))
    return job.shape, race(contenders, rounds=rounds)


def _ratio(results: Mapping[str, Result], group: str = IN_C) -> float:
    return results[OWN].rate / results[group].rate


def _against_c(found: Sequence[tuple[str, str, Mapping[str, Result]]]) -> list[str]:
    rows = [
        [name, shape, rate(results[OWN].rate), rate(results[IN_C].rate), *(f"{each:.2f}" for each in ratios)]
        for name, shape, results in found
        for ratios in [[_ratio(results), _ratio(results, SAME_DIGITS)]]
    ]
    return [
        f"gcc {' '.join(FAST)}, the better of two vector widths; exp, pow and the like from libmvec. Each loop nest",
        "tabulates what does not depend on the innermost axis, and its sums agree with sigcube's to 1e-9. The last",
        f"column is against the same C without -ffast-math ({' '.join(STRICT[2:])}):",
        "the operations of the formula and no others, with exp, pow and the like from libm.",
        "",
        *table(["kernel", "grid", "sigcube, 10⁶/s", "C, 10⁶/s", "sigcube / C", "/ C, the same operations"], rows),
    ]


def _costs(cube: xr.Dataset, rounds: int) -> dict[str, float]:
    """Return the time of a resonance over that of `sigma` on a grid of the same shape, by the innermost axis."""
    jobs = {axes[-1]: _resonance(axes).job(cube) for axes in INNERMOST}
    contenders = [Contender(name, job.sums, job.evaluations) for name, job in jobs.items()]
    sigma = SIGMA.job(cube)
    results = race([Contender("sigma", sigma.sums, sigma.evaluations), *contenders], rounds=rounds)
    return {name: results["sigma"].rate / results[name].rate for name in jobs}


def _resonance(axes: Sequence[str]) -> KernelCase:
    return replace(SIGMA, kernel="resonance", spans={name: SPANS[name] for name in axes}, lengths=(2, 4, 64))


def _cost_table(costs: Mapping[str, float]) -> list[str]:
    rows = [[name, f"{cost:.1f}"] for name, cost in costs.items()]
    return table(["innermost axis", "time of a resonance / time of `sigma`"], rows)


def _error(cube: xr.Dataset) -> float:
    """Return the largest relative error of the integral, on a sample of points."""
    axes = {name: xr.DataArray(list(values), dims=name) for name, values in CHECKED.items()}
    kernel = KERNELS["resonance"]
    v_bar = kernel.compute(cube, "v_bar")
    points = xr.Dataset({"r": cube["r"], "v_bar": v_bar}).stack(point=("galaxy", "radius"))
    points = points.dropna("point").isel(point=slice(None, None, EVERY_POINT))
    integral = kernel.compute(cube, "K", **axes).stack(point=("galaxy", "radius"))
    errors = []
    for r, v, own in zip(points["r"].values, points["v_bar"].values, _columns(integral, points), strict=True):
        for index in np.ndindex(*own.shape):
            sigma_v, alpha, cut = (float(axes[name][i]) for name, i in zip(CHECKED, index, strict=True))
            errors.append(abs(own[index] / _by_quad(r, v / sigma_v, alpha, cut) - 1.0))
    return max(errors)


def _columns(integral: xr.DataArray, points: xr.Dataset) -> Iterator[np.ndarray]:
    for point in points["point"].values:
        yield integral.sel(point=tuple(point)).transpose(*CHECKED).values


def _by_quad(r: float, quality: float, alpha: float, cut: float) -> float:
    """Return ∫ dlnλ P C W from 0.1 to 10⁴ kpc to ten digits, by QUADPACK, in pieces that narrow at the resonance."""

    def integrand(t: float) -> float:
        wave = np.exp(t)
        off = wave / (2.0 * np.pi * r) - 2.0 * np.pi * r / wave
        resonant = quality**2 / (quality**2 + off**2)
        return wave**-alpha * np.exp(-wave / cut) * resonant / (1.0 + (wave / r) ** 2)

    low, high, middle = np.log(0.1), np.log(1e4), np.log(2.0 * np.pi * r)
    near = middle + np.outer([-1.0, 1.0], quality * np.array([0.0, 0.5, 2.0, 8.0])).ravel()
    edges = np.unique(np.clip([low, *near, high], low, high))
    return sum(quad(integrand, *piece, epsabs=0.0, epsrel=1e-11, limit=400)[0] for piece in pairwise(edges))


def _accuracy(error: float) -> str:
    values = "; ".join(f"{name} {', '.join(f'{value:g}' for value in values)}" for name, values in CHECKED.items())
    return (
        f"Its integral is within {error:.1e}, relative, of adaptive quadrature (QUADPACK, 1e-11), at every "
        f"{EVERY_POINT}th point of SPARC under {values}."
    )
