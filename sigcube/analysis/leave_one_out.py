"""Exact cross-validation on a grid: each system, or each class of systems, predicted from all the others."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about
from sigcube.analysis.likelihoods import GridSums, Likelihood, likelihood_of, nothing_possible
from sigcube.analysis.prior_weights import AxisPrior, Priors, axis_priors
from sigcube.errors import SpecError

__all__ = ["leave_one_out", "predictive_densities"]

FloatArray = npt.NDArray[np.float64]


def leave_one_out(
    result: xr.Dataset, *, prior: Priors | None = None, by: str = "loglike", groups: xr.DataArray | None = None
) -> xr.Dataset:
    """Predict each system from the posterior of all others, exactly, in one pass over the grid.

    p(y_g | y_₋g) = Σ π Π_k L_k / Σ π Π_{k≠g} L_k, with both sums over the grid by log-sum-exp (Vehtari, Gelman & Gabry
    2017, Stat. Comput. 27, 1413, eq. 4). No importance sampling is needed.

    Parameters
    ----------
    result : Dataset
        Of a sweep that kept ln L of each system, or of `sigcube.analysis.marginalise`.
    prior, by
        As for `sigcube.analysis.posterior`.
    groups : DataArray, optional
        A class for each system, such as its Hubble type, by name; it may cover more systems than the result. Each class
        is then left out as a whole.

    Returns
    -------
    Dataset
        For each system (or ``group``): ``elpd``, ln p of its data given all others; ``lpd``, given all including
        itself; and ``effective``, their difference. ``elpd_loo`` and ``p_loo``, the effective number of parameters, are
        the sums of elpd and of the difference, and ``se`` is the standard error of elpd_loo over systems. A grid point
        without a likelihood for some system has no weight in any sum: ``n_invalid`` counts these. Where ln L is −∞, the
        point is impossible for that system alone.

    Raises
    ------
    SpecError
        As `posterior`; and for fewer than two systems or classes, or systems without a class.
    """
    likelihood = likelihood_of(result, by, systems=True)
    priors = axis_priors(likelihood.array, prior)
    names, members = _classes(likelihood, groups)
    if len(names) < 2:
        found = str(len(names))
        raise SpecError("there is nothing to leave out", where=likelihood.dim, found=found, expected="2 or more")
    dim = "group" if groups is not None else str(likelihood.dim)
    elpd, lpd, log_evidence, n_invalid = predictive_densities(likelihood, priors, members)
    coords: dict[str, Any] = {dim: np.array(names, dtype=object)}
    if groups is not None:
        coords["n_systems"] = dim, np.bincount(members, minlength=len(names)), about("number of systems")
    each = "each class of systems" if groups is not None else f"each {dim}"
    return xr.Dataset(
        {
            "elpd": (dim, elpd, about(f"ln p of {each}, given all others")),
            "lpd": (dim, lpd, about(f"ln p of {each}, given all")),
            "effective": (dim, lpd - elpd, about("effective number of parameters spent")),
            "elpd_loo": ((), elpd.sum(), about("expected log predictive density")),
            "se": ((), np.sqrt(elpd.size * elpd.var(ddof=1)), about("standard error of elpd_loo")),
            "p_loo": ((), (lpd - elpd).sum(), about("effective number of parameters")),
            "log_evidence": ((), log_evidence, about("ln of the evidence")),
            "n_invalid": ((), n_invalid, about("grid points at which a system has no likelihood, and no weight")),
        },
        coords,
        {"by": by, "prior": "; ".join(f"{p.axis} ~ {p.text}" for p in priors.values())},
    )


def _classes(likelihood: Likelihood, groups: xr.DataArray | None) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the names of classes, and the number of that of each system."""
    if groups is None:
        return likelihood.systems, np.arange(len(likelihood.systems))
    dim = likelihood.dim
    if not isinstance(groups, xr.DataArray) or groups.dims != (dim,) or dim not in groups.coords:
        named = isinstance(groups, xr.DataArray)
        found = f"over {', '.join(map(str, groups.dims)) or 'nothing'}" if named else type(groups).__name__
        expected = f"a DataArray with names of {dim}, such as cube.hubble_type"
        raise SpecError(f"classes are given for each {dim}", where="groups", found=found, expected=expected)
    known = dict(zip(map(str, groups[dim].values), groups.values.tolist(), strict=True))
    if lost := [name for name in likelihood.systems if name not in known or known[name] != known[name]]:
        raise SpecError(f"{lost[0]!r} has no class", where="groups", found=f"{len(lost)} without one")
    own = [str(known[name]) for name in likelihood.systems]
    names = list(dict.fromkeys(own))
    return names, np.array([names.index(name) for name in own])


def predictive_densities(
    likelihood: Likelihood, priors: dict[str, AxisPrior], members: npt.NDArray[np.intp]
) -> tuple[FloatArray, FloatArray, float, int]:
    """Return ln p of each class given all others, given all, shape ``(n_classes,)``, ln Z, and the invalid points."""
    n = int(members.max()) + 1
    alone = n == len(members)
    everything, without, twice = GridSums(1, priors), GridSums(n, priors), GridSums(n, priors)
    n_invalid = 0
    for place, values in likelihood.parts():
        if not alone:
            classes = np.zeros((n, *values.shape[1:]))
            np.add.at(classes, members, values)
            values = classes
        total = values.sum(axis=0, keepdims=True)
        n_invalid += int(np.isnan(total).sum())
        without.add(place, _of_others(values, total), seek=False)
        twice.add(place, np.add(values, total, out=values), seek=False)
        everything.add(place, total, seek=False)
    log_z = everything.log_total
    if not np.isfinite(log_z[0]):
        raise nothing_possible(likelihood)
    return log_z[0] - without.log_total, twice.log_total - log_z[0], float(log_z[0]), n_invalid


def _of_others(values: FloatArray, total: FloatArray) -> FloatArray:
    """Return Σ ln L of all others for each class: what is impossible for one alone is possible for the others."""
    impossible = np.isneginf(values)
    if not impossible.any():
        return total - values
    possible = np.where(impossible, 0.0, values)
    others = possible.sum(axis=0, keepdims=True) - possible
    return np.where(impossible.sum(axis=0, keepdims=True) > impossible, -np.inf, others)
