"""The missing factor of mass coherence: F = A_emp/K_rough of each galaxy, and how well a model of F gives it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.cube import select
from sigcube.errors import FetchError, SpecError, did_you_mean
from sigcube.kernels import KERNELS, find

__all__ = ["MISSING_FACTOR"]

FloatArray = npt.NDArray[np.float64]
Settings = dict[str, str | float]
_TAKES = ("rms", "correlation", "number", "share", "share_of_median")


class MissingFactorKeys(Keys):
    """A model of F against F of the galaxies (mass coherence).

    The notes say neither what A_emp is, nor which 158 galaxies they have, nor what their fits make least.

    Attributes
    ----------
    kernel, term, settings
        What gives F, or what F is correlated with: ``missing`` of ``mass_coherence``, say.
    take : str
        ``rms`` of the model less F, their ``correlation``, the ``number`` of galaxies, the mean ``share`` 1/F that
        K_rough has in A_emp, that of the median F (``share_of_median``), or a fitted parameter of the kernel.
    fit : list of str
        The parameters that are free; the others are as they are set.
    loss : {"linear", "soft_l1"}
        What the fit makes least: the sum of squares, or one that outliers weigh less in.
    amplitude : {"least_squares", "mean"}
        A_emp of a galaxy: that of A × Burr(R) which is nearest to V_obs²/V_bar² − 1, or the mean of the latter.
    points : {"all", "boosted"}
        From which points: all, or those with V_obs above V_bar.
    rough : dict
        Settings of ``roughness``, which gives K_rough.
    baryons : dict
        The gas and the mass-to-light ratios of V_bar.
    within : pair of float, optional
        Galaxies whose F is between these ends alone, both included.
    least_points : int
        Galaxies with so many points alone.
    """

    dataset: str = "sparc"
    sample: str = "paper171"
    kernel: str
    term: str = "missing"
    settings: Settings = Field(default={})
    take: str = "rms"
    fit: list[str] = Field(default=[])
    loss: Literal["linear", "soft_l1"] = "linear"
    amplitude: Literal["least_squares", "mean"] = "least_squares"
    points: Literal["all", "boosted"] = "all"
    rough: Settings = Field(default={})
    baryons: Settings = Field(default={})
    within: list[float] | None = None
    least_points: int = 1

    @model_validator(mode="after")
    def _known(self) -> "MissingFactorKeys":
        parameters = {parameter.name: parameter for parameter in find(self.kernel).parameters}
        for name in self.fit:
            if name not in parameters:
                raise ValueError(f"{self.kernel} has no parameter {name!r}, {did_you_mean(name, parameters)}")
        known = (*_TAKES, *self.fit)
        if self.take not in known:
            raise ValueError(f"there is no {self.take!r} to take, {did_you_mean(self.take, known)}")
        if self.within is not None and len(self.within) != 2:
            raise ValueError("within needs two ends")
        return self

    def company(self) -> Hashable:
        """Keep what compiles the same terms together."""
        return ("missing_factor", self.dataset)


def missing_factor(keys: MissingFactorKeys, context: Context) -> Found:
    """Compute F of the galaxies, and what is asked of the model."""
    cube = context.cube(keys.dataset)
    chosen = select(cube, sample=keys.sample)
    factor = context.once(_factor_key(keys), lambda: _galaxies(keys, chosen))
    kept = np.isfinite(factor)
    if keys.within is not None:
        kept &= (factor >= keys.within[0]) & (factor <= keys.within[1])
    model = _Model(keys, chosen.isel(galaxy=np.flatnonzero(kept)), factor[kept])
    values = model.fitted() if keys.fit else {}
    found = values[keys.take] if keys.take in values else model.measure(keys.take, values)
    shown = {name: f"{value:.6g}" for name, value in values.items()}
    details = {"galaxies": str(int(kept.sum())), "mean F": f"{factor[kept].mean():.4g}", **shown}
    return Found(found, {keys.dataset: str(cube.attrs["fingerprint"])}, details=details)


def _factor_key(keys: MissingFactorKeys) -> str:
    told = keys.model_dump_json(
        include={"dataset", "sample", "amplitude", "points", "rough", "baryons", "least_points"}
    )
    return f"missing factor {told}"


def _galaxies(keys: MissingFactorKeys, cube: xr.Dataset) -> FloatArray:
    """Return F = A_emp/K_rough of each galaxy, NaN where it is left out; shape ``(n_galaxies,)``."""
    enhancement = (cube["v_obs"] / KERNELS["newton"].predict(cube, **keys.baryons)) ** 2 - 1.0
    shape = KERNELS["burr"].boost(cube) - 1.0
    if keys.points == "boosted":
        enhancement = enhancement.where(enhancement > 0.0)
    shape = shape.where(enhancement.notnull())
    enough = cube["v_obs"].count("radius") >= keys.least_points
    if keys.amplitude == "mean":
        amplitude = enhancement.mean("radius")
    else:
        amplitude = (enhancement * shape).sum("radius", min_count=1) / (shape * shape).sum("radius", min_count=1)
    rough = KERNELS["roughness"].compute(cube, "K", **keys.rough)
    return np.asarray((amplitude / rough).where(enough).values, dtype=np.float64)


@dataclass
class _Model:
    """What a kernel says of F, for the galaxies that are kept."""

    keys: MissingFactorKeys
    cube: xr.Dataset
    factor: FloatArray

    def predict(self, values: Mapping[str, float]) -> FloatArray:
        settings = {**self.keys.settings, **values}
        found = find(self.keys.kernel).compute(self.cube, self.keys.term, **settings)
        return np.asarray(found.values, dtype=np.float64)

    def measure(self, take: str, values: Mapping[str, float]) -> float:
        if take == "number":
            return float(self.factor.size)
        if take == "share":
            return float(np.mean(1.0 / self.factor))
        if take == "share_of_median":
            return float(1.0 / np.median(self.factor))
        predicted = self.predict(values)
        if take == "correlation":
            return float(np.corrcoef(predicted, self.factor)[0, 1])
        return float(np.sqrt(np.mean((predicted - self.factor) ** 2)))

    def fitted(self) -> dict[str, float]:
        """Return the free parameters at the least loss, from their defaults on and within their bounds."""
        from scipy.optimize import least_squares

        own = {parameter.name: parameter for parameter in find(self.keys.kernel).parameters}
        start = np.array([float(own[name].default) for name in self.keys.fit])  # type: ignore[arg-type]
        low, high = (np.array([own[name].bounds[end] for name in self.keys.fit]) for end in (0, 1))

        def residuals(scaled: FloatArray) -> FloatArray:
            return self.predict(dict(zip(self.keys.fit, scaled * start, strict=True))) - self.factor

        bounds = (low / start, high / start)
        best = least_squares(residuals, np.ones(start.size), bounds=bounds, loss=self.keys.loss)
        if not best.success:
            raise SpecError("the fit did not end", where="fit", found=best.message)
        return dict(zip(self.keys.fit, (best.x * start).tolist(), strict=True))


class UnavailableKeys(Keys):
    """What a number needs and no dataset holds: a file that the papers name, or describe, and did not publish."""

    file: str
    of: str


def unavailable(keys: UnavailableKeys, _: Context) -> Found:
    """Say what is missing."""
    raise FetchError(f"needs {keys.file}, {keys.of}", hint="it is in none of the datasets of sigcube")


MISSING_FACTOR: Mapping[str, Quantity] = MappingProxyType(
    {
        "missing_factor": Quantity(MissingFactorKeys, missing_factor),
        "unavailable": Quantity(UnavailableKeys, unavailable),
    }
)
