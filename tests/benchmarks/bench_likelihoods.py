"""ln L against χ²: what errors of distance and inclination, correlated ones, a scatter and errors of g_bar cost."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

import sigcube
from sigcube.engine import Engine
from tests.benchmarks.harness import Contender, Part, race, table
from tests.benchmarks.work import SAMPLE

__all__ = ["run"]

BOTH = {"distance": True, "inclination": True}
_Errors = Mapping[str, object] | None

WAYS: Mapping[str, tuple[str, _Errors]] = {
    "χ²": ("chi2", None),
    "ln L": ("loglike", None),
    "ln L, distance and inclination marginalised": ("loglike", BOTH),
    "the same with a scatter in dex": ("loglike", {**BOTH, "scatter": 0.05}),
    "ln L, correlated errors": ("loglike", {"correlation": "radius"}),
    "ln L, correlated errors, distance and inclination marginalised": ("loglike", {**BOTH, "correlation": "radius"}),
    "the same with a scatter in dex, correlated": ("loglike", {**BOTH, "correlation": "radius", "scatter": 0.05}),
    "ln L, errors of g_bar, with a scatter in dex": ("loglike", {"g_bar": 0.04, "scatter": 0.05}),
    "the same, distance and inclination marginalised": ("loglike", {**BOTH, "g_bar": 0.04, "scatter": 0.05}),
}
# What the models of an error need.
HELD = {
    "correlation": {"correlation_amplitude": 5.0, "correlation_length": 3.0},
    "g_bar": {"g_bar_mean": -10.5, "g_bar_width": 0.75},
}
QUADRATURE = ("ln L, by quadrature of 48 nodes", ("loglike", {**BOTH, "quadrature": 48}))


def run(cube: xr.Dataset, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Race the ways on one block; return the report and, for the summary, the ratio to χ²."""
    contenders = [_contender(cube, name, *way, models=10_000) for name, way in WAYS.items()]
    contenders.append(_contender(cube, QUADRATURE[0], *QUADRATURE[1], models=10))
    found = race(contenders, rounds=3 if quick else 10)
    n_points = _engine(cube, "chi2", None, 1)[0].packed.n_points
    seconds = {name: n_points * 1e6 / each.rate for name, each in found.items()}
    rows = [[name, f"{each:.3g}", f"{each / seconds['χ²']:.2f}"] for name, each in seconds.items()]
    text = (
        "Seconds on one core for 10⁶ models of Σ-Gravity on each of the 171 galaxies, over g†, ξ/R_d and A: a block "
        "with its summaries. The quadrature is timed on ten models."
    )
    names = list(WAYS)
    summary = {
        "ln L with distance and inclination over χ²": seconds[names[2]] / seconds["χ²"],
        "ln L with correlated errors, distance and inclination over χ²": seconds[names[5]] / seconds["χ²"],
    }
    return [Part("Likelihoods", [text, "", *table(["metric", "s for 10⁶ models", "over χ²"], rows)])], summary


def _contender(cube: xr.Dataset, name: str, metric: str, errors: _Errors, *, models: int) -> Contender:
    engine, block = _engine(cube, metric, errors, models)
    return Contender(name, lambda: engine.evaluate(block), models * engine.packed.n_points)


def _engine(cube: xr.Dataset, metric: str, errors: _Errors, models: int):
    """Return an engine and its only block, of so many models; it is compiled."""
    n = models // 100 if models >= 1000 else models
    outer = 10 if models >= 1000 else 1
    axes = {
        "g_dagger": sigcube.geomspace(6e-11, 1.5e-10, outer) if outer > 1 else [1e-10],
        "xi_scale": sigcube.linspace(0.1, 1, outer) if outer > 1 else [0.2],
        "A": sigcube.linspace(0.2, 3, n) if n > 1 else [1.0],
    }
    fixed = {name: value for error in errors or () for name, value in HELD.get(error, {}).items()}
    sweep = sigcube.Sweep(cube, sample=SAMPLE, kernel="sigma", axes=axes, fixed=fixed, metrics=[metric], errors=errors)
    plan = sweep.plan(probe=False)
    engine, block = Engine(plan, sweep.packed), plan.blocks[0]
    assert block.size == models
    engine.evaluate(block)
    return engine, block
