"""Controls: whether a model needs the values that its systems have, or would do as well with those of others."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from sigcube.engine import Engine
from sigcube.errors import SpecError, did_you_mean
from sigcube.sweep import Sweep

__all__ = ["Control", "permutation_control"]


@dataclass(frozen=True, eq=False)
class Control:
    """A metric as it is, and as it is when a variable is dealt out to the systems anew.

    Attributes
    ----------
    variable, metric : str
        What was shuffled, and what was measured.
    observed : float
        The metric with every value where it belongs.
    shuffled : DataArray, dims (permutation,)
        The metric for each shuffling.
    p_value : float
        Share of the shufflings that do at least as well, the observed one counted in.
    """

    variable: str
    metric: str
    observed: float
    shuffled: xr.DataArray
    p_value: float

    def __str__(self) -> str:
        """Say it in a line."""
        low, high = np.quantile(self.shuffled.values, [0.025, 0.975])
        return (
            f"{self.metric}: {self.observed:.4g}; with {self.variable} shuffled {self.shuffled.values.mean():.4g}, "
            f"{low:.4g} to {high:.4g} in 95 % of {self.shuffled.size}; p = {self.p_value:.2g}"
        )


def permutation_control(
    sweep: Sweep, *, variable: str, metric: str = "rms_mean", n: int = 999, seed: int = 0
) -> Control:
    """Shuffle a variable over the systems of a sample, and evaluate the model again for each shuffling.

    Parameters
    ----------
    sweep : Sweep
        One model: a sweep whose grid is a single point.
    variable : str
        A variable of the systems that the model uses, such as ``"scale_length_third_point"``.
    metric : str
        A summary of the sweep.
    n : int
        Number of shufflings.
    seed : int
        Of their random numbers.

    Raises
    ------
    SpecError
        For a grid of several points, a variable that the model does not use, or a metric that the sweep does not have,
        that has no finite value, or of which neither the smallest nor the largest is best.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    if plan.spec.grid.size != 1:
        raise SpecError("a control is of one model", where="axes", found=f"{plan.spec.grid.size} grid points")
    if variable not in packed.per_system:
        what = f"{plan.spec.model.kernel.name} uses no variable {variable!r} of its systems here"
        raise SpecError(what, where="variable", hint=did_you_mean(variable, packed.per_system))
    sign = _direction(sweep, metric)
    rng = np.random.default_rng(seed)

    def measure(values: np.ndarray) -> float:
        dealt = replace(packed, per_system={**packed.per_system, variable: values})
        return float(Engine(plan, dealt).evaluate(plan.blocks[0])[metric].item())

    own = packed.per_system[variable]
    observed = measure(own)
    if not np.isfinite(observed):
        raise SpecError(
            f"{metric} has no finite value to compare with",
            where="metric",
            found=f"{observed:g}",
            hint="choose a sample without flagged points",
        )
    found = np.array([measure(rng.permutation(own)) for _ in range(n)])
    as_good = int((sign * found <= sign * observed).sum())
    attrs = {"long_name": f"{metric} with {variable} shuffled", "units": _units(sweep, metric), "source": "sigcube"}
    shuffled = xr.DataArray(found, dims="permutation", name=metric, attrs=attrs)
    return Control(variable, metric, observed, shuffled, (1 + as_good) / (1 + n))


def _direction(sweep: Sweep, metric: str) -> float:
    """Return 1 where the smallest value of a summary is best, −1 where the largest is."""
    plan = sweep.plan(probe=False)
    best = {v.name: v.attrs.get("best") for v in plan.variables if v.dims == tuple(plan.dims) and "best" in v.attrs}
    usable = [name for name, each in best.items() if each in ("smallest", "largest")]
    if metric not in usable:
        raise SpecError(f"a control cannot rest on {metric!r}", where="metric", hint=did_you_mean(metric, usable))
    return 1.0 if best[metric] == "smallest" else -1.0


def _units(sweep: Sweep, metric: str) -> str:
    return str(next(v.attrs["units"] for v in sweep.plan(probe=False).variables if v.name == metric))
