"""Permutation controls: whether a model needs the values of its systems, or does as well with shuffled ones."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from sigcube.analysis.labelled import random_numbers
from sigcube.cube import unit_attrs
from sigcube.engine import Engine
from sigcube.errors import SpecError, did_you_mean
from sigcube.sweep import Sweep

__all__ = ["Control", "permutation_control"]


@dataclass(frozen=True, eq=False)
class Control:
    """A metric of a model, and its values with a variable shuffled over the systems.

    Attributes
    ----------
    variable, metric : str
        What was shuffled, and what was measured.
    observed : float
        The metric of the data as they are.
    shuffled : DataArray, dims (permutation,)
        The metric for each permutation.
    p_value : float
        Share of permutations that do at least as well, with the observed order counted as one of them.
    """

    variable: str
    metric: str
    observed: float
    shuffled: xr.DataArray
    p_value: float

    def __str__(self) -> str:
        low, high = np.quantile(self.shuffled.values, [0.025, 0.975])
        return (
            f"{self.metric}: {self.observed:.4g}; with {self.variable} shuffled {self.shuffled.values.mean():.4g}, "
            f"{low:.4g} to {high:.4g} in 95 % of {self.shuffled.size}; p = {self.p_value:.2g}"
        )


def permutation_control(
    sweep: Sweep, *, variable: str, metric: str = "rms_mean", n: int = 999, seed: int = 0
) -> Control:
    """Shuffle a variable over the systems of a sample, and evaluate the model for each permutation.

    Parameters
    ----------
    sweep : Sweep
        One model: a sweep whose grid is a single point.
    variable : str
        A variable of the systems that the model uses, such as ``"scale_length_third_point"``.
    metric : str
        A summary of the sweep.
    n : int
        Number of permutations.
    seed : int
        Seed of the random numbers.

    Raises
    ------
    SpecError
        For a grid of several points, a variable that the model does not use, a metric that the sweep does not have or
        of which neither the smallest nor the largest value is best, or one without a finite value.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    if plan.spec.grid.size != 1:
        raise SpecError("a control is of one model", where="axes", found=f"{plan.spec.grid.size} grid points")
    if variable not in packed.per_system:
        what = f"{plan.spec.model.kernel.name} uses no variable {variable!r} of its systems here"
        raise SpecError(what, where="variable", hint=did_you_mean(variable, packed.per_system))
    usable = {
        each.name: each.attrs
        for each in plan.variables
        if each.dims == tuple(plan.dims) and each.attrs.get("best") in ("smallest", "largest")
    }
    if metric not in usable:
        raise SpecError(f"a control cannot use metric {metric!r}", where="metric", hint=did_you_mean(metric, usable))
    sign = 1.0 if usable[metric]["best"] == "smallest" else -1.0

    def measure(values: np.ndarray) -> float:
        shuffled = replace(packed, per_system={**packed.per_system, variable: values})
        return float(Engine(plan, shuffled).evaluate(plan.blocks[0])[metric].item())

    values, rng = packed.per_system[variable], random_numbers(seed)
    observed = measure(values)
    if not np.isfinite(observed):
        raise SpecError(
            f"{metric} has no finite value to compare with",
            where="metric",
            found=f"{observed:g}",
            hint=plan.origin.get("lacking", "the model is not finite at points of the sample"),
        )
    found = np.array([measure(rng.permutation(values)) for _ in range(n)])
    as_good = int((sign * found <= sign * observed).sum())
    attrs = {
        "long_name": f"{metric} with {variable} shuffled",
        **unit_attrs(str(usable[metric].get("units", ""))),
        "source": "sigcube",
    }
    shuffled = xr.DataArray(found, dims="permutation", name=metric, attrs=attrs)
    return Control(variable, metric, observed, shuffled, (1 + as_good) / (1 + n))
