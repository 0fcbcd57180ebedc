"""The missing factor of mass coherence: F = A_emp/K_rough of each galaxy, and how well a model of F gives it."""

from collections.abc import Hashable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import Context, Found, ModelKeys, Quantity, Settings
from sigcube.errors import SpecError, did_you_mean
from sigcube.kernels import KERNELS, find

__all__ = ["QUANTITIES"]

FloatArray = npt.NDArray[np.float64]
_TAKES = ("rms", "correlation", "number", "share", "share_of_median")


class MissingFactorKeys(ModelKeys):
    """A model of F against F of the galaxies (mass coherence).

    The notes define neither A_emp, nor the sample of 158 galaxies, nor the loss of their fits.
    """

    dataset: str = "sparc"
    sample: str = "paper171"
    #: The term of the kernel that gives F, or that F is correlated with: ``missing`` of ``mass_coherence``, say.
    term: str = "missing"
    #: ``rms`` of the model less F, their ``correlation``, the ``number`` of galaxies, the mean ``share`` 1/F that
    #: K_rough has in A_emp, that of the median F (``share_of_median``), or a fitted parameter of the kernel.
    take: str = "rms"
    #: The parameters that are free; the others are as they are set.
    fit: list[str] = Field(default=[])
    #: The loss of the fit: the sum of squares, or one in which outliers weigh less.
    loss: Literal["linear", "soft_l1"] = "linear"
    #: A_emp of a galaxy: that of A × Burr(R) which is nearest to V_obs²/V_bar² − 1, or the mean of the latter.
    amplitude: Literal["least_squares", "mean"] = "least_squares"
    #: Which points count: all, or those with V_obs above V_bar.
    points: Literal["all", "boosted"] = "all"
    #: Settings of ``roughness``, which gives K_rough.
    rough: Settings = Field(default={})
    #: The gas and the mass-to-light ratios of V_bar.
    baryons: Settings = Field(default={})
    #: Only galaxies whose F is between these ends, both included.
    within: list[float] | None = None
    #: Only galaxies with at least so many points.
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

    def batch(self) -> Hashable:
        """Keep what compiles the same terms together."""
        return ("missing_factor", self.dataset)


def missing_factor(keys: MissingFactorKeys, context: Context) -> Found:
    """Compute F of the galaxies, and what is asked of the model."""
    chosen = keys.selected(context)
    of_factor = {"dataset", "sample", "amplitude", "points", "rough", "baryons", "least_points"}
    key = f"missing factor {keys.model_dump_json(include=of_factor)}"
    factor = context.once(key, lambda: _factor(keys, chosen))
    wanted = np.isfinite(factor)
    if keys.within is not None:
        wanted &= (factor >= keys.within[0]) & (factor <= keys.within[1])
    cube, factor = chosen.isel(galaxy=np.flatnonzero(wanted)), factor[wanted]
    fitted = _fit(keys, cube, factor) if keys.fit else {}
    value = fitted[keys.take] if keys.take in fitted else _measure(keys, cube, factor, fitted)
    shown = {name: f"{value:.6g}" for name, value in fitted.items()}
    return Found(value, details={"galaxies": str(factor.size), "mean F": f"{factor.mean():.4g}", **shown})


def _factor(keys: MissingFactorKeys, cube: xr.Dataset) -> FloatArray:
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


def _predict(keys: MissingFactorKeys, cube: xr.Dataset, fitted: Mapping[str, float]) -> FloatArray:
    found = find(keys.kernel).compute(cube, keys.term, **{**keys.settings, **fitted})
    return np.asarray(found.values, dtype=np.float64)


def _measure(keys: MissingFactorKeys, cube: xr.Dataset, factor: FloatArray, fitted: Mapping[str, float]) -> float:
    match keys.take:
        case "number":
            return float(factor.size)
        case "share":
            return float(np.mean(1.0 / factor))
        case "share_of_median":
            return float(1.0 / np.median(factor))
        case "correlation":
            return float(np.corrcoef(_predict(keys, cube, fitted), factor)[0, 1])
        case _:
            return float(np.sqrt(np.mean((_predict(keys, cube, fitted) - factor) ** 2)))


def _fit(keys: MissingFactorKeys, cube: xr.Dataset, factor: FloatArray) -> dict[str, float]:
    """Return the free parameters at the least loss, from their defaults on and within their bounds."""
    from scipy.optimize import least_squares

    own = {parameter.name: parameter for parameter in find(keys.kernel).parameters}
    start = np.array([float(own[name].default) for name in keys.fit])  # type: ignore[arg-type]
    low, high = (np.array([own[name].bounds[end] for name in keys.fit]) for end in (0, 1))

    def residuals(scaled: FloatArray) -> FloatArray:
        return _predict(keys, cube, dict(zip(keys.fit, scaled * start, strict=True))) - factor

    bounds = (low / start, high / start)
    best = least_squares(residuals, np.ones(start.size), bounds=bounds, loss=keys.loss)
    if not best.success:
        raise SpecError("the fit did not end", where="fit", found=best.message)
    return dict(zip(keys.fit, (best.x * start).tolist(), strict=True))


QUANTITIES = {"missing_factor": Quantity(MissingFactorKeys, missing_factor, uses_model=True)}
