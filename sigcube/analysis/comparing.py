"""Models compared by how well each predicts systems it has not seen, and by their evidence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, axes_along, find_dim, grid_dims, is_label
from sigcube.analysis.leave_one_out import predictive_densities
from sigcube.analysis.likelihoods import Likelihood, likelihood_of
from sigcube.analysis.posteriors import posterior
from sigcube.analysis.prior_weights import Priors, axis_priors, check_priors
from sigcube.errors import SpecError, did_you_mean
from sigcube.wording import listed

__all__ = ["compare"]

# What must be equal for two results to come from the same data, besides the systems.
_DATA = ("cube_fingerprint", "n_points", "where", "error_floor")


def compare(results: Mapping[str, xr.Dataset], *, prior: Priors | None = None, by: str = "loglike") -> xr.Dataset:
    """Rank models by how well they predict systems that are left out, and by their evidence.

    Parameters
    ----------
    results : Mapping of str to Dataset
        Results by the name of their model. Each kept ln L of each system, and all have the same systems. To pick one
        model of a result with several: ``result.sel(model="mond")``.
    prior : Mapping, optional
        As for `sigcube.analysis.posterior`; each applies to the results that have the axis.
    by : str
        The metric that is ln L.

    Returns
    -------
    Dataset
        Over ``model``, the best first: ``elpd_loo``, its ``se`` and ``p_loo``, as in `sigcube.analysis.leave_one_out`;
        ``elpd_diff``, how much the first model is better, and ``dse``, the standard error of that difference, paired
        system by system (Vehtari, Gelman & Gabry 2017, eq. 24); ``log_evidence``, ``log_evidence_error`` and
        ``log_bayes_factor`` against the first model; ``probability`` of each model from the evidences alone, with equal
        prior odds; ``n_parameters``, the number of numeric axes on which the likelihood depends; ``best_loglike``; and
        ``cautions`` in words, such as errors of the data that differ. ``elpd``, over model and system, is what the
        differences are made of. Attributes tell the cube, the sample, and the priors of each model.

    Raises
    ------
    SpecError
        For results with different systems or data, naming the systems that one of them lacks; for a prior of an axis
        that no result has; and as `sigcube.analysis.posterior`.
    """
    n = len(results) if isinstance(results, Mapping) else 0
    if n < 2:
        found = str(n) if isinstance(results, Mapping) else type(results).__name__
        expected = "2 or more by the names of their models: {'MOND': first, 'Sigma': second}"
        raise SpecError("models are compared with each other", where="results", found=found, expected=expected)
    likelihoods = {name: likelihood_of(result, by, systems=True) for name, result in results.items()}
    systems = _same_data(results, likelihoods)
    own = _priors_of_each(likelihoods, prior)
    doubts = _doubts(results)
    rows = {name: _row(result, likelihoods[name], systems, own[name], by) for name, result in results.items()}
    names = sorted(rows, key=lambda name: -rows[name]["elpd"].sum())
    elpd = np.stack([rows[name]["elpd"] for name in names])
    less = elpd[0] - elpd
    n, dim = len(systems), str(likelihoods[names[0]].dim)
    log_z = np.array([rows[name]["log_evidence"] for name in names])
    odds = np.exp(log_z - log_z.max())

    def column(name: str) -> npt.NDArray[Any]:
        return np.array([rows[each][name] for each in names])

    cautions = ["; ".join([*doubts, *rows[each]["cautions"]]) or "none" for each in names]
    content: dict[str, Any] = {
        "rank": (np.arange(1, len(names) + 1), "rank by elpd_loo"),
        "elpd_loo": (elpd.sum(axis=1), "expected log predictive density of systems that are left out"),
        "se": (_standard_error(elpd), "standard error of elpd_loo"),
        "p_loo": (column("p_loo"), "effective number of parameters"),
        "elpd_diff": (less.sum(axis=1), "elpd_loo of the first model, less that of this one"),
        "dse": (_standard_error(less), f"standard error of elpd_diff, paired by {dim}"),
        "log_evidence": (log_z, "ln of the evidence"),
        "log_evidence_error": (column("log_evidence_error"), "estimate of the error of quadrature of ln Z"),
        "log_bayes_factor": (log_z - log_z[0], "ln of the evidence, less that of the first model"),
        "probability": (odds / odds.sum(), "probability of the model, from the evidences with equal odds before"),
        "n_parameters": (column("n_parameters"), "axes of numbers on which the likelihood depends"),
        "best_loglike": (column("best_loglike"), "ln L where the posterior is largest"),
        "cautions": (np.array(cautions, dtype=object), "what a reader must know"),
    }
    variables: dict[str, Any] = {key: ("model", values, about(text)) for key, (values, text) in content.items()}
    variables["elpd"] = (("model", dim), elpd, about(f"ln p of each {dim}, given all others"))
    coords = {"model": np.array(names, dtype=object), dim: np.array(systems, dtype=object)}
    synthetic = max(int(result.attrs.get("synthetic", 0)) for result in results.values())
    return xr.Dataset(variables, coords, {"by": by, "n_systems": n, "synthetic": synthetic, **_rests_on(results, rows)})


def _rests_on(results: Mapping[str, xr.Dataset], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return in words the data behind a comparison, and for each model its priors and what was marginalised."""
    found = {}
    for key in ("cube", "sample", "where", "error_floor", "errors", "citation"):
        texts = {str(result.attrs[key]): None for result in results.values() if key in result.attrs}
        found[key] = "; ".join(texts)
    for key in ("priors", "marginalised"):
        found[key] = "; ".join(f"{name}: {row[key]}" for name, row in rows.items() if row[key])
    return {key: text for key, text in found.items() if text}


def _row(result: xr.Dataset, likelihood: Likelihood, systems: Sequence[str], prior: Priors, by: str) -> dict[str, Any]:
    """Return the row of one model, with elpd in the order of the systems."""
    priors = axis_priors(likelihood.array, prior)
    elpd, lpd, _, _ = predictive_densities(likelihood, priors, np.arange(len(likelihood.systems)))
    post = posterior(result, prior=prior, by=by)
    told = post["axis"].values, post["prior"].values
    return {
        "elpd": elpd[[likelihood.systems.index(system) for system in systems]],
        "p_loo": float((lpd - elpd).sum()),
        "log_evidence": post["log_evidence"].item(),
        "log_evidence_error": post["log_evidence_error"].item(),
        "best_loglike": post["best_loglike"].item(),
        "n_parameters": _count_parameters(likelihood, post),
        "priors": ", ".join(f"{axis} {text}" for axis, text in zip(*told, strict=True)),
        "marginalised": str(post.attrs.get("marginalised", "")),
        "cautions": [post.attrs["cautions"]] if post.attrs["cautions"] != "none" else [],
    }


def _standard_error(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.sqrt(values.shape[1] * values.var(axis=1, ddof=1)))


def _same_data(results: Mapping[str, xr.Dataset], likelihoods: Mapping[str, Likelihood]) -> list[str]:
    """Return the systems of all results, in the order of the first; refuse results of other data."""
    first, *others = likelihoods
    systems = likelihoods[first].systems
    if len(systems) < 2:
        raise SpecError("there is nothing to leave out", where=first, found=str(len(systems)), expected="2 or more")
    for name in others:
        own = likelihoods[name].systems
        for one, other, have, lack in ((name, first, own, systems), (first, name, systems, own)):
            if alone := [system for system in have if system not in set(lack)]:
                what = f"{one!r} has systems that {other!r} does not have"
                hint = "select the same ones: sigcube.analysis.reselect, or result.sel(galaxy=…)"
                raise SpecError(what, where="results", found=listed(alone), hint=hint)
        if not all(_knows_its_data(results[each]) for each in (first, name)):
            continue
        for key in _DATA:
            pair = [results[each].attrs.get(key, "none") for each in (first, name)]
            if pair[0] != pair[1]:
                what = f"{first!r} and {name!r} are not of the same data"
                raise SpecError(what, where=key, found=f"{pair[0]} and {pair[1]}", hint="sweep one cube and sample")
    return systems


def _knows_its_data(result: xr.Dataset) -> bool:
    """Whether a result says which data it is of: attributes are lost in calculations with results."""
    return "n_points" in result.attrs


def _doubts(results: Mapping[str, xr.Dataset]) -> list[str]:
    """Return in words what is unknown about the data and errors of some models, or differs between them."""
    found = []
    if unknown := [name for name, result in results.items() if not _knows_its_data(result)]:
        found.append(f"nothing says of which data {' and '.join(unknown)} are")
    errors = {name: str(result.attrs.get("errors", "as quoted")) for name, result in results.items()}
    if len(set(errors.values())) > 1:
        # A semicolon separates cautions.
        each = ", ".join(f"{n}: {text.replace('; ', ' and ')}" for n, text in errors.items())
        found.append(f"errors of the data are not the same: {each}")
    return found


def _priors_of_each(likelihoods: Mapping[str, Likelihood], prior: Priors | None) -> dict[str, dict[str, Any]]:
    """Return the priors of the axes that each result has."""
    found: dict[str, dict[str, Any]] = {name: {} for name in likelihoods}
    for axis, each in check_priors(prior).items():
        for name, likelihood in likelihoods.items():
            if axis in likelihood.array.coords and likelihood.array[axis].ndim == 1:
                found[name][axis] = each
        if not any(axis in own for own in found.values()):
            arrays = [each.array for each in likelihoods.values()]
            known = {name for array in arrays for dim in grid_dims(array) for name in axes_along(array, dim)}
            raise SpecError(f"no result has an axis {axis!r}", where="prior", hint=did_you_mean(axis, known))
    return found


def _count_parameters(likelihood: Likelihood, post: xr.Dataset) -> int:
    """Count the axes of numbers along which the likelihood varies through the best point."""
    array = likelihood.array
    best = {}
    for dim in likelihood.sizes:
        name = next(iter(axes_along(array, dim)), None)
        values = None if name is None else array[name].values
        best[dim] = 0 if values is None else int(np.flatnonzero(values == post[f"best_{name}"].item())[0])
    count = 0
    for dim in likelihood.sizes:
        names = axes_along(array, dim)
        if array.sizes[dim] > 1 and names and not any(is_label(array[name]) for name in names):
            place = {other: index for other, index in best.items() if find_dim(array, other) != dim}
            line = array.isel(place).transpose(dim, ...).values
            count += bool((line != line[:1]).any())
    return count
