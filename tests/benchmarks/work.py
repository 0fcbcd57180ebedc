"""The work of all contenders: models over grids of their parameters, on real galaxies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
import xarray as xr

from sigcube import Kernel, Parameter
from sigcube.constants import PAPER
from sigcube.cube import Packed, pack
from sigcube.engine import Engine, evaluate_sums
from sigcube.kernels import KERNELS
from sigcube.model.model import BoundModel
from sigcube.model.vecmath import exp, log, pow
from sigcube.sweep import Sweep

__all__ = ["SAMPLE", "SIGMA", "SURVIVAL", "SURVIVAL_BY_LOG", "Job"]

SAMPLE = "paper171"
SIGMA = KERNELS["sigma"]


def boost(A: float, survival: float, damping: float, h: float) -> float:
    """Σ = 1 + A Φ P h."""
    return 1.0 + A * (survival * damping * h)


def survival(x: float) -> float:
    """Φ = 1 − exp(−(r/r₀)^β)."""
    return 1.0 - exp(-x)


def damping(inverse: float, y: float) -> float:
    """P = exp(−(r₀/r)^β (g/g†)^α)."""
    return exp(-(inverse * y))


def inverse(x: float) -> float:
    """(r₀/r)^β."""
    return 1.0 / x


def x(r: float, r0: float, beta: float) -> float:
    """(r/r₀)^β."""
    return pow(r / r0, beta)


def y(g_bar: float, g_dagger: float, alpha: float) -> float:
    """(g/g†)^α."""
    return pow(g_bar / g_dagger, alpha)


def h(g_bar: float, g_dagger: float) -> float:
    """√(g†/g) g†/(g†+g)."""
    return np.sqrt(g_dagger / g_bar) * (g_dagger / (g_dagger + g_bar))


def log_r(r: float) -> float:
    return log(r)


def log_r0(r0: float) -> float:
    return log(r0)


def log_g(g_bar: float, g_dagger: float) -> float:
    return log(g_bar / g_dagger)


def x_by_log(log_r: float, log_r0: float, beta: float) -> float:
    """(r/r₀)^β."""
    return exp(beta * (log_r - log_r0))


def y_by_log(log_g: float, alpha: float) -> float:
    """(g/g†)^α."""
    return exp(alpha * log_g)


def _parameter(name: str, symbol: str, default: float, unit: str) -> Parameter:
    return Parameter(name, symbol, default, unit, (0.0, 1e3), "fitted", "benchmark", name)


_PARAMETERS = (
    _parameter("A", "A", 1.2, ""),
    _parameter("r0", "r₀", 5.0, "kpc"),
    _parameter("beta", "β", 1.0, ""),
    _parameter("alpha", "α", 1.0, ""),
    _parameter("g_dagger", "g†", PAPER.g_dagger, "m/s2"),
)
_TERMS = {"boost": boost, "survival": survival, "damping": damping, "inverse": inverse, "h": h}

#: A model full of pow and exp, as a user would write it.
SURVIVAL = Kernel(
    name="survival", title="Survival", source="benchmark", terms={**_TERMS, "x": x, "y": y}, parameters=_PARAMETERS
)
#: The same with its powers as exponentials of logarithms: faster, and less accurate in the last digit.
SURVIVAL_BY_LOG = Kernel(
    name="survival_by_log",
    title="Survival",
    source="benchmark",
    terms={**_TERMS, "x": x_by_log, "y": y_by_log, "log_r": log_r, "log_r0": log_r0, "log_g": log_g},
    parameters=_PARAMETERS,
)


@dataclass(frozen=True, eq=False)
class Job:
    """A kernel over a grid on real galaxies.

    Attributes
    ----------
    flat : bool
        Whether the axes vary together, as a list of parameter sets, instead of forming a product.
    """

    cube: xr.Dataset
    kernel: Kernel
    axes: Mapping[str, np.ndarray]
    flat: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    sample: str = SAMPLE

    @cached_property
    def sweep(self) -> Sweep:
        axes = {name: ("case", list(v)) if self.flat else list(v) for name, v in self.axes.items()}
        return Sweep(self.cube, sample=self.sample, kernel=self.kernel, axes=axes, fixed=self.settings, keep=["galaxy"])

    @cached_property
    def plan(self):
        return self.sweep.plan(probe=False)

    @cached_property
    def packed(self) -> Packed:
        return self.sweep.packed

    @cached_property
    def reading(self) -> BoundModel:
        return self.plan.sections[0].model

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The order of nesting that the engine chooses."""
        return Engine(self.plan, self.packed)._order(self.plan.sections[0], self.plan.blocks[0])

    @property
    def size(self) -> int:
        """Number of grid points."""
        return prod(self.plan.dims.values())

    @property
    def evaluations(self) -> int:
        return self.size * self.packed.n_points

    @property
    def shape(self) -> str:
        return " x ".join(f"{n} {name}" for name, n in self.plan.dims.items())

    def sums(self, order: tuple[str, ...] | None = None) -> np.ndarray:
        """Sums of squared residuals, by sigcube; axes of one value, which it holds fixed, have length one.

        They lie in `room`, where the next call's go, too.
        """
        wanted = order or self.order
        looped = tuple(dim for dim in wanted if dim in self.reading.dims)
        sums = evaluate_sums(self.reading, self.packed, self.axes, order=looped, room=self.room)["residual_sq"]
        lengths = dict(zip(looped, sums.shape[1:], strict=True))
        return sums.reshape(self.packed.n_systems, *(lengths.get(dim, 1) for dim in wanted))

    @cached_property
    def room(self) -> np.ndarray:
        """Where the sums go, taken once, as a sweep takes it for all tiles of a block, and as the C is given it."""
        return np.empty((1, self.packed.n_systems * self.size))

    @cached_property
    def points(self) -> dict[str, np.ndarray]:
        """Radius, observed velocity, and V_bar² at the default mass-to-light ratios."""
        p = pack(self.cube, sample=self.sample, variables=("r", "v_obs", "v_gas", "v_disk", "v_bul")).points
        v_bar_sq = p["v_gas"] * np.abs(p["v_gas"]) + 0.5 * p["v_disk"] ** 2 + 0.7 * p["v_bul"] ** 2
        return {"r": p["r"], "v_obs": p["v_obs"], "v_bar_sq": v_bar_sq}

    @cached_property
    def scale(self) -> np.ndarray:
        """The scale length of each galaxy."""
        name = "scale_length_third_point"
        return pack(self.cube, sample=self.sample, variables=(name,)).per_system[name]
