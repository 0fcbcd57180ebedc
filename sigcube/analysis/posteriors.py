"""The posterior of a result on its grid, exactly: marginals, credible intervals, and the evidence."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, axes_along, grid_dims
from sigcube.analysis.likelihoods import GridSums, Likelihood, likelihood_of, nothing_possible
from sigcube.analysis.marginals import BOUND_FLAGS, Marginal, marginal, thinning_error
from sigcube.analysis.prior_weights import AxisPrior, Priors, axis_priors
from sigcube.errors import SpecError, shown
from sigcube.wording import number, plural

__all__ = ["LEVELS", "posterior"]

FloatArray = npt.NDArray[np.float64]

#: Levels of credible intervals.
LEVELS = (0.68, 0.95)

# Fewer values of an axis than these carry the posterior: the rule of quadrature is wrong by half a per cent and more.
_FEWEST_NODES = 2.0
# An error of ln Z, or of a nuisance's integral, that is worth a word.
_LARGE_ERROR = 0.1
# A prior that loses more than this outside the grid is another prior.
_LARGE_LOSS = 0.01


def posterior(
    result: xr.Dataset,
    *,
    prior: Priors | None = None,
    by: str = "loglike",
    pairs: bool | Sequence[tuple[str, str]] = False,
    per: str | None = None,
) -> xr.Dataset:
    """Integrate likelihood × prior over a grid: what the data say of each axis, and how likely they were.

    Parameters
    ----------
    result : Dataset
        Of a sweep with a metric that is ln L, its constants included. It may be lazy: it is read once, in parts.
    prior : Mapping, optional
        By axis: `sigcube.uniform`, `sigcube.log_uniform`, `sigcube.normal`, `sigcube.lognormal`; or for labels their
        weights, uniform otherwise. Other axes of numbers have a uniform prior over their range; nuisances need one.
        Priors are cut at the ends of the grid, and normalised within.
    by : str
        The metric that is ln L.
    pairs : bool or sequence of pairs
        Whether to return joint marginals as well: of all pairs of axes, or of some.
    per : str, optional
        The dimension of systems, ``"galaxy"``, for the posterior of each system alone.

    Returns
    -------
    Dataset
        Over ``axis``: ``mean``, ``sd``, ``median``, ``low`` and ``high`` of credible intervals with equal
        tails over ``level``, ``region_low``, ``region_high`` and ``region_pieces`` of the regions of highest density;
        ``at_bound``, whether the density has not gone at an end of the grid; ``nodes``, how many values carry the
        posterior, and ``nodes_held``, how many where all other axes are held at the best point: few on a narrow ridge;
        ``prior`` in words, ``prior_lost`` outside the grid, ``quadrature_error`` of the evidence. NaN for labels.
        ``p_<axis>`` is the marginal: a density per unit, of labels their probability. ``log_evidence`` and its
        ``log_evidence_error``; ``best_<axis>``, where the posterior is largest, and ``best_loglike`` there;
        ``n_invalid``, how many grid points have no finite likelihood and so none of the weight. With `per` all of this
        for each system. The attribute ``cautions`` says in words what a reader must know.

    Raises
    ------
    SpecError
        For priors that cannot be, see `sigcube.analysis.prior_weights`, and a result without a finite likelihood.

    Notes
    -----
    On a grid the integrals are sums: weights of quadrature × prior × likelihood, in float64, the largest ln taken out.
    The error of the evidence is estimated from the same rule with every second value: axis by axis, added up, or of all
    axes at once, whichever is more. It bounds the rule's own error from above where that falls with the spacing.
    """
    likelihood = likelihood_of(result, by, systems=per is not None)
    if per is not None and per != likelihood.dim:
        raise SpecError(f"there is no dimension {per!r} of systems", where="per", hint=f"per={likelihood.dim!r}")
    array = likelihood.array
    priors = axis_priors(array, prior)
    dims = [*priors]
    joint = _wanted_pairs(array, pairs)
    keep = () if per is None else (per,)
    n = array.sizes[per] if per is not None else 1
    sums = GridSums(n, priors, along=[*((dim,) for dim in dims), *joint])
    coarse = GridSums(n, {dim: axis.every_second() for dim, axis in priors.items()})
    for place, values in likelihood.parts():
        own = values if per is not None else values.sum(axis=0, keepdims=True)
        coarse.add_possible(place, own)
        sums.add(place, own)
    possible = sums.total > 0
    if not possible.any():
        raise nothing_possible(likelihood)
    shape = tuple(array.sizes[dim] for dim in keep)

    def shaped(values: Any, *own: int) -> npt.NDArray[Any]:
        return np.asarray(values).reshape((*shape, *own))

    answer: dict[str, Any] = {}
    rows: list[dict[str, FloatArray]] = []
    for dim, axis in priors.items():
        shares = sums.probabilities(dim)
        rows.append(_describe(shares, axis, possible))
        units = str(array[axis.axis].attrs.get("units", "")) if axis.axis in array.coords else ""
        text = f"posterior of {axis.axis}"
        if axis.measure is None:
            answer[f"p_{axis.axis}"] = (*keep, dim), shaped(shares, -1), about(f"{text}, probability")
        else:
            inverse = f"1/({units})" if units else ""
            density = shaped(shares / axis.measure, -1)
            answer[f"p_{axis.axis}"] = (*keep, dim), density, about(f"{text}, density", inverse)
    for one, other in joint:
        names = [priors[dim].axis for dim in (one, other)]
        scale: Any = 1.0
        for position, dim in enumerate((one, other)):
            measure = priors[dim].measure
            if measure is not None:
                scale = scale * np.reshape(measure, (-1, 1) if position == 0 else (1, -1))
        text = f"joint posterior of {names[0]} and {names[1]}"
        answer[f"p_{names[0]}_{names[1]}"] = (
            (*keep, one, other),
            shaped(sums.probabilities(one, other) / scale, array.sizes[one], array.sizes[other]),
            about(text),
        )
    best = sums.best_index()
    lines = _nodes_held(likelihood, priors, best, per)
    for row, held in zip(rows, lines, strict=True):
        row["nodes_held"] = np.where(possible, held, np.nan)
    for name, text in _COLUMNS.items():
        table = np.stack([row[name] for row in rows], axis=1) if rows else np.empty((n, 0))
        answer[name] = (*keep, "axis"), shaped(table, len(rows)), about(text)
    for name, text in _INTERVALS.items():
        table = np.stack([row[name] for row in rows], axis=1) if rows else np.empty((n, 0, len(LEVELS)))
        answer[name] = (*keep, "axis", "level"), shaped(table, len(rows), len(LEVELS)), about(text)
    answer["at_bound"] = answer["at_bound"][0], answer["at_bound"][1].astype(np.uint8), _bound_attrs()
    answer["prior"] = "axis", np.array([axis.text for axis in priors.values()], dtype=object), about("prior")
    lost = np.array([axis.lost for axis in priors.values()])
    answer["prior_lost"] = "axis", lost, about("share of the prior that lies outside the grid")
    by_axis = np.nansum(np.stack([row["quadrature_error"] for row in rows], axis=1), axis=1) if rows else np.zeros(n)
    with np.errstate(invalid="ignore"):
        error = np.fmax(by_axis, np.abs(coarse.log_total - sums.log_total))
    answer["log_evidence"] = keep, shaped(sums.log_total), about("ln of the evidence")
    answer["log_evidence_error"] = keep, shaped(error), about("estimate of the error of quadrature of ln Z")
    answer["n_invalid"] = keep, shaped(sums.n_invalid), about("grid points without a finite likelihood")
    for dim in dims:
        for name in axes_along(array, dim):
            values = array[name].values[best[dim]]
            attrs = {**array[name].attrs, "long_name": f"{name} at the best point"}
            answer[f"best_{name}"] = keep, shaped(values), attrs
    at = {dim: xr.DataArray(shaped(index), dims=keep) for dim, index in best.items()}
    if per is not None:
        at[per] = xr.DataArray(np.arange(n), dims=per)
    there = np.asarray(array.isel(at).values, dtype=np.float64)
    at_best = there if per is not None else there.sum()
    answer["best_loglike"] = keep, shaped(np.where(possible, at_best, np.nan)), about("ln L at the best point")
    coords: dict[str, Any] = {name: array[name] for dim in (*keep, *dims) for name in axes_along(array, dim)}
    coords["axis"] = np.array([axis.axis for axis in priors.values()], dtype=object)
    coords["level"] = "level", np.array(LEVELS), about("credible level")
    found = xr.Dataset(answer, coords)
    alone = {dim: int(index[0]) for dim, index in best.items()}
    found.attrs = _attributes(result, likelihood, by, found, per=per)
    if per is None:
        found.attrs["rounding"] = likelihood.rounding(alone)
    return found


_COLUMNS = {
    "mean": "mean of the posterior",
    "sd": "standard deviation of the posterior",
    "median": "median of the posterior",
    "at_bound": "side of the grid at which the density has not gone",
    "nodes": "number of values that carry the posterior, 1/Σp²",
    "nodes_held": "the same where the other axes are held at the best point",
    "quadrature_error": "change of ln Z with every second value of the axis",
}
_INTERVALS = {
    "low": "lower end of the credible interval with equal tails",
    "high": "upper end of the credible interval with equal tails",
    "region_low": "lower end of the region of highest density",
    "region_high": "upper end of the region of highest density",
    "region_pieces": "number of pieces of the region of highest density",
}


def _bound_attrs() -> dict[str, Any]:
    flags = {"flag_values": list(range(len(BOUND_FLAGS))), "flag_meanings": " ".join(BOUND_FLAGS)}
    return about(_COLUMNS["at_bound"]) | flags


def _wanted_pairs(array: xr.DataArray, pairs: Any) -> list[tuple[str, ...]]:
    dims = grid_dims(array)
    if isinstance(pairs, bool):
        return list(combinations([dim for dim in dims if array.sizes[dim] > 1], 2)) if pairs else []
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        expected = "True, or pairs of axes: [('A', 'xi_scale')]"
        raise SpecError("these are no pairs of axes", where="pairs", found=shown(pairs), expected=expected)
    found = []
    for pair in pairs:
        names = pair if isinstance(pair, list | tuple) else ()
        homes = {dim for dim in dims for name in names if name == dim or name in axes_along(array, dim)}
        if len(homes) != 2 or len(names) != 2:
            known = ", ".join(name for dim in dims for name in axes_along(array, dim))
            what = "a pair is two axes along two dimensions"
            raise SpecError(what, where="pairs", found=shown(pair), expected=f"two of {known}")
        found.append(tuple(dim for dim in dims if dim in homes))
    return list(dict.fromkeys(found))


def _describe(shares: FloatArray, axis: AxisPrior, possible: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return every column of an axis for each array of probabilities, shape ``(n,)`` or ``(n, levels)``."""
    n = len(shares)
    found = {name: np.full(n, np.nan) for name in _COLUMNS} | {
        name: np.full((n, len(LEVELS)), np.nan) for name in _INTERVALS
    }
    found["at_bound"][:] = BOUND_FLAGS.index("any")
    with np.errstate(invalid="ignore"):
        found["nodes"] = 1.0 / (shares**2).sum(axis=1)
    found["quadrature_error"][:] = 0.0
    for i in np.flatnonzero(possible).tolist():
        if axis.measure is not None:
            own = marginal(shares[i], axis)
            _fill(found, i, own)
            found["quadrature_error"][i] = thinning_error(shares[i], axis)
        elif axis.values.dtype.kind in "iuf":
            _fill_discrete(found, i, shares[i], axis.values.astype(np.float64))
    return found


def _nodes_held(
    likelihood: Likelihood, priors: Mapping[str, AxisPrior], best: Mapping[str, npt.NDArray[np.intp]], per: str | None
) -> list[FloatArray]:
    """Return for each axis how many values carry the posterior along it, through the best point; shape ``(n,)``."""
    array, found = likelihood.array, []
    for dim, axis in priors.items():
        at: dict[str, Any] = {}
        for other, index in best.items():
            if other != dim:
                at[other] = xr.DataArray(index, dims=per) if per is not None else int(index[0])
        if per is not None:
            at[per] = xr.DataArray(np.arange(array.sizes[per]), dims=per)
        line = array.isel(at).transpose(..., dim).values.astype(np.float64)
        if per is None:
            line = line.reshape(-1, line.shape[-1]).sum(axis=0, keepdims=True)
        line = np.where(np.isfinite(line), line, -np.inf) + (axis.log_density + axis.log_measure)
        top = line.max(axis=1, keepdims=True)
        share = np.exp(line - np.where(np.isfinite(top), top, 0.0))
        with np.errstate(invalid="ignore"):
            found.append(share.sum(axis=1) ** 2 / (share**2).sum(axis=1))
    return found


def _fill(found: Mapping[str, FloatArray], i: int, own: Marginal) -> None:
    found["mean"][i], found["sd"][i], found["median"][i] = own.mean, own.sd, own.quantile(0.5)
    found["at_bound"][i] = own.at_bound
    for j, level in enumerate(LEVELS):
        found["low"][i, j], found["high"][i, j] = own.interval(level)
        found["region_low"][i, j], found["region_high"][i, j], found["region_pieces"][i, j] = own.region(level)


def _fill_discrete(found: Mapping[str, FloatArray], i: int, shares: FloatArray, values: FloatArray) -> None:
    """Describe numbers that are the only ones possible: no value lies between them."""
    order = np.argsort(values)
    x, below = values[order], np.cumsum(shares[order])
    found["mean"][i] = shares @ values
    found["sd"][i] = np.sqrt(max(0.0, shares @ (values - found["mean"][i]) ** 2))

    def at(share: float) -> float:
        return float(x[min(int(np.searchsorted(below, share * (1.0 - 1e-12))), x.size - 1)])

    found["median"][i] = at(0.5)
    for j, level in enumerate(LEVELS):
        found["low"][i, j], found["high"][i, j] = at(0.5 * (1.0 - level)), at(0.5 * (1.0 + level))


def _attributes(
    result: xr.Dataset, likelihood: Likelihood, by: str, found: xr.Dataset, *, per: str | None
) -> dict[str, Any]:
    keys = ("title", "synthetic", "cube", "sample", "citation", "marginalised", "spec")
    attrs = {key: result.attrs[key] for key in keys if key in result.attrs}
    n = len(likelihood.systems) or int(result.attrs.get("n_systems", 0))
    return {**attrs, "by": by, "n_systems": n, "cautions": "; ".join(_cautions(result, found, per)) or "none"}


def _cautions(result: xr.Dataset, found: xr.Dataset, per: str | None) -> list[str]:
    """Say what a reader must know: bounds, values too far apart, invalid points, priors that were cut."""
    told = []
    if "marginalised_error" in result:
        error = result["marginalised_error"]
        if n_large := int((error > _LARGE_ERROR).sum()):
            which = plural(n_large, str(error.dims[0]))
            told.append(
                f"ln L of {which} changes by up to {number(error.max().item())} with every second value of nuisances"
            )
        if n_invalid := int((result["marginalised_invalid"] > 0).sum()):
            which = plural(n_invalid, str(error.dims[0]))
            told.append(
                f"{which} have points without a finite likelihood, which have no weight in the nuisances' integrals"
            )
    names = list(map(str, found["axis"].values))
    n = 1 if per is None else found.sizes[per]

    def several(which: npt.NDArray[np.bool_]) -> str:
        return f" for {plural(int(which.sum()), str(per))}" if per is not None else ""

    for i, name in enumerate(names):
        sides = np.atleast_1d(found["at_bound"].isel(axis=i).values)
        for flag, words in ((1, "at its lower end"), (2, "at its upper end"), (3, "at either end")):
            if (sides == flag).any():
                told.append(f"the posterior of {name} has not gone {words}{several(sides == flag)}")
        few = np.atleast_1d(found["nodes"].isel(axis=i).values) < _FEWEST_NODES
        ridge = np.atleast_1d(found["nodes_held"].isel(axis=i).values) < _FEWEST_NODES
        few &= sides != BOUND_FLAGS.index("any")
        ridge &= (sides != BOUND_FLAGS.index("any")) & ~few
        if few.any():
            told.append(f"fewer than two values of {name} carry the posterior{several(few)}: sweep it more finely")
        if ridge.any():
            what = f"with the other axes held, fewer than two values of {name} carry the posterior{several(ridge)}"
            told.append(f"{what}: a ridge that falls between the values; sweep more finely")
        lost = float(found["prior_lost"][i])
        if lost > _LARGE_LOSS:
            told.append(f"{lost:.1%} of the prior of {name} lies outside the grid, and was cut")
    large = np.atleast_1d(found["log_evidence_error"].values) > _LARGE_ERROR
    if large.any():
        worst = number(np.max(found["log_evidence_error"].values))
        told.append(f"ln Z changes by up to {worst} with every second value{several(large)}")
    invalid = found["n_invalid"].values
    if invalid.any():
        most = f"up to {invalid.max():,}" if n > 1 else f"{invalid.max():,}"
        told.append(f"{most} grid points have no finite likelihood, and no weight")
    return told
