"""The missing factor of mass coherence: F = A_emp/K_rough of each galaxy, and how well a model of F gives it."""

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import Context, Found, ModelKeys, Quantity
from sigcube.claims.quantities.model_text import model_text
from sigcube.errors import DataError, did_you_mean
from sigcube.kernels import KERNELS, find

__all__ = ["QUANTITIES"]

FloatArray = npt.NDArray[np.float64]
_TAKES = ("rms", "correlation", "number", "share", "share_mean")
# The search behind the printed parameters.
_GENERATIONS = 100
_MEMBERS = 10
# Fewer galaxies are no fit.
_LEAST_FITTED = 10
_NO_FIT = 1e10
_HOW = (
    "F = A_emp/K_rough; V_bar² = V_gas² + V_disk² + V_bul²; K = V_obs²/V_bar² − 1; A_emp = mean of K > 0 over mean of "
    "1 − (1 + (R/5 kpc)^0.757)^−0.5; K_rough = 0.774 (mean of V_bar/(2π σ_v^1.5))^0.1; "
    "σ_v = 0.15 × median of the last ten V_obs"
)


class MissingFactorKeys(ModelKeys):
    """A model of F against F of the galaxies (mass coherence).

    The notes define neither A_emp, nor the galaxies, nor the loss of their fits. This is how their authors computed
    them: with Υ = 1 and gas without its sign, over all rows of galaxies that have a point with V_obs above V_bar. Their
    fits are to the galaxies of their table of dispersions, which lacks those with fewer than six rows, and no others.

    Where a fit ends depends on its search, so that it is theirs: differential evolution with ten members a parameter
    and at most 100 generations. Its loss is the RMS of F_model − F over the galaxies for which 1 − exp(−x) is above
    zero as a double: a galaxy for which F_model rounds to zero is left out.
    """

    dataset: str = "sparc"
    sample: str = "all"
    #: The term of the kernel that gives F, or that F is correlated with: ``missing`` of ``mass_coherence``, say.
    term: str = "missing"
    #: ``rms`` of the model less F, their ``correlation``, the ``number`` of galaxies, the ``share`` 1/⟨F⟩ that K_rough
    #: has in A_emp, its mean over the galaxies (``share_mean``), or a fitted parameter of the kernel.
    take: str = "rms"
    #: The parameters that are free, and between which ends; the others are as they are set. Their order counts: a
    #: search draws its members parameter by parameter.
    fit: dict[str, tuple[float, float]] = Field(default={})
    #: Where the search for the least RMS begins: where it ends depends on it.
    seed: int = 42
    #: Only galaxies with at least so many rows.
    least_points: int = Field(default=6, ge=1)
    #: σ_v of galaxies with fewer rows than ``few_points``, km/s; 0.15 V_flat like the others' if there is none. The
    #: authors' table of dispersions lacks these galaxies, and their script has one value for all that it lacks.
    few_points_dispersion: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    few_points: int = Field(default=6, ge=1)

    @model_validator(mode="after")
    def _known(self) -> "MissingFactorKeys":
        for name in self.fit:
            if name not in _FREE:
                raise ValueError(f"{name!r} cannot be fitted, {did_you_mean(name, _FREE)}")
        known = (*_TAKES, *self.fit)
        if self.take not in known:
            raise ValueError(f"there is no {self.take!r} to take, {did_you_mean(self.take, known)}")
        return self

    def batch(self) -> Hashable:
        """Keep what compiles the same terms together."""
        return ("missing_factor", self.dataset)


# What the two models of F = K_max [1 − exp(−(Ψ/Ψ₀)^δ)] have to fit. Two are scales of Ψ, which goes as a power of each.
_SCALES = {"v_ref": -2, "reff_factor": -3}
_FREE = ("K_max", "psi_0", "delta", *_SCALES)


def missing_factor(keys: MissingFactorKeys, context: Context) -> Found:
    """Compute F of the galaxies, and what is asked of the model."""
    chosen = keys.selected(context)
    of_factor = {"dataset", "sample", "condition", "least_points", "few_points", "few_points_dispersion"}
    key = f"missing factor {keys.model_dump_json(include=of_factor)}"
    factor = context.once(key, lambda: _factor(keys, chosen))
    wanted = np.isfinite(factor)
    if not wanted.any():
        raise DataError("no galaxy has an enhancement", where="sample", found=keys.sample)
    cube, factor = chosen.isel(galaxy=np.flatnonzero(wanted)), factor[wanted]
    details = {"F": _HOW, "galaxies": str(factor.size), "least rows": str(keys.least_points)}
    if keys.few_points_dispersion is not None:
        told = f"{keys.few_points_dispersion:g} km/s for galaxies with fewer than {keys.few_points} rows"
        details["σ_v"] = f"{told}, 0.15 V_flat for the others"
    details["mean F"] = f"{factor.mean():.4g}"
    fitted: Mapping[str, float] = {}
    if keys.fit:
        fitted = context.once(f"fit {keys.model_dump_json(exclude={'take'})}", lambda: _fit(keys, cube, factor))
        ends = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in keys.fit.items())
        details["loss"] = "RMS of F_model − F, without galaxies for which F_model rounds to 0"
        details["search"] = (
            f"differential evolution, {_MEMBERS} members a parameter, at most {_GENERATIONS} generations, "
            f"seed {keys.seed}, within {ends}"
        )
        details |= {name: f"{value:.6g}" for name, value in fitted.items()}
    if keys.fit or keys.take in ("rms", "correlation"):
        details |= model_text(keys.kernel, keys.settings, kind="galaxy", term=keys.term, free=tuple(keys.fit))
    value = fitted[keys.take] if keys.take in fitted else _measure(keys, cube, factor, fitted)
    # How many galaxies have an F is told by the data alone.
    return Found(value, details=details, uses_model=keys.take != "number")


def _factor(keys: MissingFactorKeys, cube: xr.Dataset) -> FloatArray:
    """Return F = A_emp/K_rough of each galaxy, NaN where it is left out; shape ``(n_galaxies,)``."""
    baryons: dict[str, str | float] = {"gas": "unsigned", "upsilon_disk": 1.0, "upsilon_bulge": 1.0}
    v_bar = KERNELS["newton"].predict(cube, **baryons)
    excess = (cube["v_obs"] / v_bar) ** 2 - 1.0
    shape = KERNELS["burr"].boost(cube) - 1.0
    amplitude = excess.where(excess > 0.0).mean("radius") / shape.where(cube["v_obs"].notnull()).mean("radius")
    rows = cube["v_obs"].count("radius")
    rough = _roughness(cube, baryons)
    if keys.few_points_dispersion is not None:
        of_few = _roughness(cube, {**baryons, "dispersion": "parameter", "sigma_v": keys.few_points_dispersion})
        rough = rough.where(rows >= keys.few_points, of_few)
    return np.asarray((amplitude / rough).where(rows >= keys.least_points).values, dtype=np.float64)


def _roughness(cube: xr.Dataset, settings: Mapping[str, str | float]) -> xr.DataArray:
    rough: xr.DataArray = KERNELS["roughness"].compute(cube, "K", exposure="mean", velocity="baryonic", **settings)
    return rough


def _predict(keys: MissingFactorKeys, cube: xr.Dataset, term: str) -> FloatArray:
    return np.asarray(find(keys.kernel).compute(cube, term, **keys.settings).values, dtype=np.float64)


def _measure(keys: MissingFactorKeys, cube: xr.Dataset, factor: FloatArray, fitted: Mapping[str, float]) -> float:
    match keys.take:
        case "number":
            return float(factor.size)
        case "share":
            return float(1.0 / np.mean(factor))
        case "share_mean":
            return float(np.mean(1.0 / factor))
    model = _saturating(keys, cube)(fitted) if fitted else _predict(keys, cube, keys.term)
    if keys.take == "correlation":
        return float(np.corrcoef(model, factor)[0, 1])
    return float(np.sqrt(np.mean((model - factor) ** 2)))


def _saturating(keys: MissingFactorKeys, cube: xr.Dataset) -> Callable[[Mapping[str, float]], FloatArray]:
    """Return the function of the free parameters that gives K_max [1 − exp(−(Ψ/Ψ₀)^δ)] of each galaxy."""
    depth = _predict(keys, cube, "depth")
    defaults = {parameter.name: parameter.default for parameter in find(keys.kernel).parameters}
    own = {name: float(keys.settings.get(name, defaults[name])) for name in _FREE if name in defaults}  # type: ignore[arg-type]
    scales = {name: power for name, power in _SCALES.items() if name in own}

    def model(values: Mapping[str, float]) -> FloatArray:
        at = {**own, **values}
        scaled = depth
        for name, power in scales.items():
            scaled = scaled * (at[name] / own[name]) ** power
        # Not expm1, which would not round to zero: a search leaves out what does.
        return np.asarray(at["K_max"] * (1.0 - np.exp(-((scaled / at["psi_0"]) ** at["delta"]))))

    return model


def _fit(keys: MissingFactorKeys, cube: xr.Dataset, factor: FloatArray) -> dict[str, float]:
    """Return the free parameters where the search of the authors ends."""
    from scipy.optimize import differential_evolution

    model = _saturating(keys, cube)

    def loss(values: FloatArray) -> float:
        found = model(dict(zip(keys.fit, values, strict=True)))
        kept = found > 0.0
        if np.count_nonzero(kept) < _LEAST_FITTED:
            return _NO_FIT
        return float(np.sqrt(np.mean((found[kept] - factor[kept]) ** 2)))

    best = differential_evolution(
        loss, list(keys.fit.values()), maxiter=_GENERATIONS, popsize=_MEMBERS, seed=keys.seed, polish=True
    )
    return dict(zip(keys.fit, best.x.tolist(), strict=True))


QUANTITIES = {"missing_factor": Quantity(MissingFactorKeys, missing_factor)}
