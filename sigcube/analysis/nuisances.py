"""Nuisances with a value of their own in each system: each likelihood integrated before systems are multiplied."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, grid_dims, loaded, parts
from sigcube.analysis.likelihoods import KEPT_AS, likelihood_of
from sigcube.analysis.prior_weights import AxisPrior, Priors, axis_priors
from sigcube.errors import SpecError

__all__ = ["marginalise"]

FloatArray = npt.NDArray[np.float64]

# Values that are integrated at a time.
_PART = 2**22


def marginalise(result: xr.Dataset, prior: Priors, *, by: str = "loglike") -> xr.Dataset:
    """Integrate the likelihood of each system over its own nuisances, such as its mass-to-light ratio.

    A plain `posterior` assumes one value of a nuisance for all systems. Here each system has its own, drawn from the
    prior: L_g(θ) = ∫ L_g(θ, ν) π(ν) dν, before systems are multiplied.

    Parameters
    ----------
    result : Dataset
        Of a sweep that kept ln L of each system; it is read once, in parts.
    prior : Mapping
        By axis, as for `posterior`: ``{"upsilon_disk": sigcube.lognormal(0.5, 0.1)}``.
    by : str
        The metric that is ln L.

    Returns
    -------
    Dataset
        ln L of each system over the remaining axes, under the name of the metric, float64, in memory; and for each
        system ``marginalised_error``, the change of ln L with every second value of the nuisances, at the best point of
        the remaining axes, and ``marginalised_invalid``, at how many points its ln L is not finite; these have no
        weight. `posterior`, `compare` and the other questions take it as a result.

    Raises
    ------
    SpecError
        As `posterior`, and for no axis to integrate over.
    """
    likelihood = likelihood_of(result, by, systems=True)
    array, dim = likelihood.array, str(likelihood.dim)
    priors = axis_priors(array, prior, only=True)
    if not priors:
        raise SpecError("there is no axis to integrate over", where="prior", hint="prior={'upsilon_disk': …}")
    rest = [name for name in grid_dims(array) if name not in priors]
    out = np.empty((array.sizes[dim], *(array.sizes[name] for name in rest)))
    n_invalid = np.zeros(len(out), dtype=np.int64)
    for part in parts(array, whole=(dim, *priors), size=_PART):
        piece = loaded(array.isel(part)).transpose(dim, *rest, *priors).values.astype(np.float64)
        there: Any = (slice(None), *(part[name] for name in rest))
        out[there] = _integrated(piece, list(priors.values()))
        n_invalid += np.count_nonzero(~np.isfinite(piece.reshape(len(piece), -1)), axis=1)
    name = str(array.name)
    coords = {key: coord for key, coord in array.coords.items() if set(map(str, coord.dims)) <= {dim, *rest}}
    attrs = {
        **array.attrs,
        KEPT_AS: str(array.dtype),
        "comment": "; ".join(f"integrated over {p.axis} ~ {p.text}" for p in priors.values()),
    }
    found = xr.Dataset({name: ((dim, *rest), out, attrs)}, coords, dict(result.attrs))
    found["marginalised_invalid"] = dim, n_invalid, about("grid points without a finite likelihood, and no weight")
    found["marginalised_error"] = _error_at_best(array, found[name], priors)
    found.attrs["marginalised"] = "; ".join(f"{p.axis} ~ {p.text}, for each {dim}" for p in priors.values())
    return found


def _integrated(values: FloatArray, priors: Sequence[AxisPrior]) -> FloatArray:
    """Return ln ∫ exp(values) π over the last dimensions; values that are not finite have no weight, NaN if all are."""
    weights = np.zeros(())
    for each in priors:
        weights = weights[..., np.newaxis] + (each.log_density + each.log_measure)
    axes = tuple(range(values.ndim - len(priors), values.ndim))
    possible = np.isfinite(weights)
    missing = (np.isnan(values) & possible).all(axis=axes)
    terms = np.where(np.isfinite(values), values, -np.inf) + weights
    top = terms.max(axis=axes, keepdims=True)
    base = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        found = np.log(np.exp(terms - base).sum(axis=axes)) + base.reshape(base.shape[: axes[0]])
    return np.where(missing, np.nan, found)


def _error_at_best(array: xr.DataArray, integrated: xr.DataArray, priors: Mapping[str, AxisPrior]) -> xr.DataArray:
    """Return the change of each system's integral with every second value, at the best point of all together."""
    (dim, *rest) = map(str, integrated.dims)
    total = integrated.values.sum(axis=0)
    best = np.unravel_index(int(np.nanargmax(total)) if np.isfinite(total).any() else 0, total.shape)
    here = array.isel(dict(zip(rest, map(int, best), strict=True))).transpose(dim, *priors)
    values = here.values.astype(np.float64)
    error = np.zeros(len(values))
    whole = _integrated(values, list(priors.values()))
    for axis, (name, each) in enumerate(priors.items(), 1):
        for index, own in each.rougher():
            some = [own if other == name else prior for other, prior in priors.items()]
            error += np.abs(_integrated(values.take(index, axis=axis), some) - whole)
    text = "change of ln L with every second value of the nuisances, at the best point"
    return xr.DataArray(error, dims=dim, attrs=about(text))
