"""The posterior of a result, exact on its grid: marginals, credible intervals, and the evidence."""

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

# The dimension, of length one, of an answer about all systems together; `posterior` drops it.
_ALL = "all_systems"
# What a posterior repeats of its result, for those who cite it.
_REPEATED = (
    *("title", "synthetic", "cube", "sample", "where", "error_floor", "errors", "citation", "marginalised"),
    *("spec", "versions"),
)
# With fewer values carrying the posterior, the quadrature is off by half a per cent or more.
_FEWEST_NODES = 2.0
# An error of ln Z, or of a nuisance's integral, that deserves a caution.
_LARGE_ERROR = 0.1
# A prior that loses more than this outside the grid is a different prior.
_LARGE_LOSS = 0.01


def posterior(
    result: xr.Dataset,
    *,
    prior: Priors | None = None,
    by: str = "loglike",
    pairs: bool | Sequence[tuple[str, str]] = False,
    per: str | None = None,
) -> xr.Dataset:
    """Integrate likelihood × prior over a grid: marginals of each axis, and the evidence.

    Parameters
    ----------
    result : Dataset
        Of a sweep with a metric that is ln L, constants included; it may be lazy, and is read once, in parts.
    prior : Mapping, optional
        Priors by axis: `sigcube.uniform`, `sigcube.log_uniform`, `sigcube.normal` or `sigcube.lognormal`, or weights
        for labels. By default they are uniform, over the range of an axis or over its labels; nuisances need one.
        Priors are cut at the ends of the grid, and normalised within it.
    by : str
        The metric that is ln L.
    pairs : bool or sequence of pairs
        Whether to add joint marginals: of all pairs of axes, or of the given ones.
    per : str, optional
        The dimension of systems, such as ``"galaxy"``, for a posterior of each system by itself.

    Returns
    -------
    Dataset
        Over ``axis``: ``mean``, ``sd``, ``median``; ``low`` and ``high`` of credible intervals with equal tails, over
        ``level``; ``region_low``, ``region_high`` and ``region_pieces`` of the regions of highest density;
        ``at_bound``, at which ends of the grid the density has not died out; ``nodes``, how many values carry the
        posterior, and ``nodes_held``, how many do so with all other axes held at the best point, which are few on a
        narrow ridge; ``resolved``, whether at least two carry it: with fewer, all these describe how the density was
        interpolated rather than the data; ``prior`` in words, ``prior_lost`` outside the grid, and ``quadrature_error``
        of the evidence. NaN for labels. ``p_<axis>`` is the marginal at the values of the grid, a density per unit, or
        the probability of each label; without `per`, ``density_<axis>`` is the density between them too, over
        ``between_<axis>``, whose mean, sd, quantiles and regions these are. Further
        ``log_evidence`` and ``log_evidence_error``; ``best_<axis>``, where the posterior is largest, and
        ``best_loglike`` there; ``n_invalid``, the number of grid points without a finite likelihood, which have no
        weight. With `per`, all of this for each system. The attribute ``cautions`` says in words what a reader must
        know.

    Raises
    ------
    SpecError
        For invalid priors, see `sigcube.analysis.prior_weights`, and for a result without a finite likelihood.

    Notes
    -----
    On a grid the integrals are sums of quadrature weight × prior × likelihood, in float64, with the largest ln taken
    out. The error of the evidence is the change with every second value, taken axis by axis and added up, or along all
    axes at once, whichever is larger; and where a prior is cut off between values, the change with a constant integrand
    beyond the outermost one is added. It is an upper bound where the rule's own error falls with the spacing.
    """
    likelihood = likelihood_of(result, by, systems=per is not None)
    if per is not None and per != likelihood.dim:
        raise SpecError(f"there is no dimension {per!r} of systems", where="per", hint=f"per={likelihood.dim!r}")
    array = likelihood.array
    priors = axis_priors(array, prior)
    joint = _wanted_pairs(array, pairs)
    sums, coarse = _sum_up(likelihood, priors, joint, per)
    if not (sums.total > 0).any():
        raise nothing_possible(likelihood)
    columns = _describe_axes(likelihood, priors, sums, per)
    dim = per or _ALL
    content = {
        **_marginals(array, priors, sums, dim),
        **(_densities(array, priors, sums) if per is None else {}),
        **_joint_marginals(array, priors, joint, sums, dim),
        **_tables(priors, columns, dim),
        **_evidence(sums, coarse, columns["quadrature_error"], dim),
        **_best_point(array, sums, per),
    }
    coords: dict[str, Any] = {
        name: array[name] for home in (*filter(None, [per]), *priors) for name in axes_along(array, home)
    }
    coords["axis"] = np.array([axis.axis for axis in priors.values()], dtype=object)
    coords["level"] = "level", np.array(LEVELS), about("credible level")
    found = xr.Dataset(content, coords)
    if per is None:
        found = found.isel({_ALL: 0})
    found.attrs = _attributes(result, likelihood, by, found, per=per)
    if per is None:
        found.attrs["rounding"] = likelihood.rounding(_best_indexers(array, sums, None))
    return found


_COLUMNS = {
    "mean": "mean of the posterior",
    "sd": "standard deviation of the posterior",
    "median": "median of the posterior",
    "at_bound": "side of the grid at which the density has not gone",
    "nodes": "number of values that carry the posterior, 1/Σp²",
    "nodes_held": "the same where the other axes are held at the best point",
    "resolved": "whether two or more values carry the posterior",
    "quadrature_error": "change of ln Z with every second value of the axis",
}
_INTERVALS = {
    "low": "lower end of the credible interval with equal tails",
    "high": "upper end of the credible interval with equal tails",
    "region_low": "lower end of the region of highest density",
    "region_high": "upper end of the region of highest density",
    "region_pieces": "number of pieces of the region of highest density",
}


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


def _sum_up(
    likelihood: Likelihood, priors: Mapping[str, AxisPrior], joint: Sequence[tuple[str, ...]], per: str | None
) -> tuple[GridSums, GridSums]:
    """Return the sums over the grid, and those over every second value of each axis; the likelihood is read once."""
    n = 1 if per is None else likelihood.array.sizes[per]
    sums = GridSums(n, priors, along=[*((dim,) for dim in priors), *joint])
    coarse = GridSums(n, {dim: axis.every_second() for dim, axis in priors.items()})
    for place, values in likelihood.parts():
        own = values if per is not None else values.sum(axis=0, keepdims=True)
        coarse.add_possible(place, own)
        sums.add(place, own)
    return sums, coarse


def _marginals(array: xr.DataArray, priors: Mapping[str, AxisPrior], sums: GridSums, dim: str) -> dict[str, Any]:
    """Return the marginal of each axis: a density, or the probabilities of labels."""
    found: dict[str, Any] = {}
    for home, axis in priors.items():
        shares, text = sums.probabilities(home), f"posterior of {axis.axis}"
        if axis.measure is None:
            found[f"p_{axis.axis}"] = (dim, home), shares, about(f"{text}, probability")
        else:
            units = str(array[axis.axis].attrs.get("units", ""))
            attrs = about(f"{text}, density", f"1/({units})" if units else "")
            found[f"p_{axis.axis}"] = (dim, home), shares / axis.measure, attrs
    return found


def _densities(array: xr.DataArray, priors: Mapping[str, AxisPrior], sums: GridSums) -> dict[str, Any]:
    """Return the density of each axis of numbers, between its values too, and where it is given."""
    found: dict[str, Any] = {}
    for home, axis in priors.items():
        if axis.measure is not None:
            own, between = marginal(sums.probabilities(home)[0], axis), f"between_{axis.axis}"
            units = str(array[axis.axis].attrs.get("units", ""))
            found[between] = between, own.x, dict(array[axis.axis].attrs)
            attrs = about(f"posterior of {axis.axis}, density", f"1/({units})" if units else "")
            found[f"density_{axis.axis}"] = between, own.density, attrs
    return found


def _joint_marginals(
    array: xr.DataArray, priors: Mapping[str, AxisPrior], joint: Sequence[tuple[str, ...]], sums: GridSums, dim: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one, other in joint:
        rows, columns = (np.ones(1) if (own := priors[home].measure) is None else own for home in (one, other))
        density = sums.probabilities(one, other) / np.outer(rows, columns)
        first, second = priors[one].axis, priors[other].axis
        found[f"p_{first}_{second}"] = (dim, one, other), density, about(f"joint posterior of {first} and {second}")
    return found


def _tables(priors: Mapping[str, AxisPrior], columns: Mapping[str, FloatArray], dim: str) -> dict[str, Any]:
    """Return the variables over ``axis``."""
    found: dict[str, Any] = {name: ((dim, "axis"), columns[name], about(text)) for name, text in _COLUMNS.items()}
    found |= {name: ((dim, "axis", "level"), columns[name], about(text)) for name, text in _INTERVALS.items()}
    flags = {"flag_values": list(range(len(BOUND_FLAGS))), "flag_meanings": " ".join(BOUND_FLAGS)}
    found["at_bound"] = (dim, "axis"), columns["at_bound"].astype(np.uint8), about(_COLUMNS["at_bound"]) | flags
    found["resolved"] = (dim, "axis"), columns["resolved"].astype(bool), about(_COLUMNS["resolved"])
    found["prior"] = "axis", np.array([axis.text for axis in priors.values()], dtype=object), about("prior")
    lost = np.array([axis.lost for axis in priors.values()])
    found["prior_lost"] = "axis", lost, about("share of the prior that lies outside the grid")
    return found


def _evidence(sums: GridSums, coarse: GridSums, error_by_axis: FloatArray, dim: str) -> dict[str, Any]:
    with np.errstate(invalid="ignore"):
        error = np.fmax(np.nansum(error_by_axis, axis=1), np.abs(coarse.log_total - sums.log_total))
    return {
        "log_evidence": (dim, sums.log_total, about("ln of the evidence")),
        "log_evidence_error": (dim, error, about("estimate of the error of quadrature of ln Z")),
        "n_invalid": (dim, sums.n_invalid, about("grid points without a finite likelihood")),
    }


def _best_point(array: xr.DataArray, sums: GridSums, per: str | None) -> dict[str, Any]:
    """Return where the posterior is largest, and ln L there."""
    found: dict[str, Any] = {}
    for home, index in sums.best_index().items():
        for name in axes_along(array, home):
            attrs = {**array[name].attrs, "long_name": f"{name} at the best point"}
            found[f"best_{name}"] = per or _ALL, array[name].values[index], attrs
    there = np.asarray(array.isel(_best_indexers(array, sums, per)).values, dtype=np.float64)
    loglike = np.where(sums.total > 0, there if per is not None else there.sum(), np.nan)
    found["best_loglike"] = per or _ALL, loglike, about("ln L at the best point")
    return found


def _best_indexers(array: xr.DataArray, sums: GridSums, per: str | None) -> dict[str, Any]:
    """Return what selects the best point from an array, or with `per` that of each system."""
    best = sums.best_index()
    if per is None:
        return {dim: int(index[0]) for dim, index in best.items()}
    every = {**best, per: np.arange(array.sizes[per])}
    return {dim: xr.DataArray(index, dims=per) for dim, index in every.items()}


def _describe_axes(
    likelihood: Likelihood, priors: Mapping[str, AxisPrior], sums: GridSums, per: str | None
) -> dict[str, FloatArray]:
    """Return the columns of all axes, shape ``(n, n_axes)``, and the intervals, shape ``(n, n_axes, n_levels)``."""
    possible = sums.total > 0
    shape = (possible.size, len(priors))
    found = {name: np.empty(shape) for name in _COLUMNS} | {
        name: np.empty((*shape, len(LEVELS))) for name in _INTERVALS
    }
    for i, (dim, axis) in enumerate(priors.items()):
        own = _describe(sums.probabilities(dim), axis, possible)
        held = _nodes_held(likelihood, axis, _best_indexers(likelihood.array, sums, per), per)
        own["nodes_held"] = np.where(possible, held, np.nan)
        for name, values in own.items():
            found[name][:, i] = values
    return found


def _describe(shares: FloatArray, axis: AxisPrior, possible: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return every column of one axis for each array of probabilities, shape ``(n,)`` or ``(n, levels)``."""
    n = len(shares)
    found = {name: np.full(n, np.nan) for name in _COLUMNS} | {
        name: np.full((n, len(LEVELS)), np.nan) for name in _INTERVALS
    }
    found["at_bound"][:] = BOUND_FLAGS.index("any")
    with np.errstate(invalid="ignore"):
        found["nodes"] = 1.0 / (shares**2).sum(axis=1)
    found["quadrature_error"][:] = 0.0
    found["resolved"][:] = possible if axis.measure is None else possible & (found["nodes"] >= _FEWEST_NODES)
    for i in np.flatnonzero(possible).tolist():
        if axis.measure is not None:
            own = marginal(shares[i], axis)
            _fill(found, i, own)
            found["quadrature_error"][i] = thinning_error(shares[i], axis)
        elif axis.values.dtype.kind in "iuf":
            _fill_discrete(found, i, shares[i], axis.values.astype(np.float64))
    return found


def _nodes_held(likelihood: Likelihood, axis: AxisPrior, best: Mapping[str, Any], per: str | None) -> FloatArray:
    """Return how many values carry the posterior along the line through the best point; shape ``(n,)``."""
    at = {dim: index for dim, index in best.items() if dim != axis.dim}
    line = likelihood.array.isel(at).transpose(..., axis.dim).values.astype(np.float64)
    if per is None:
        line = line.reshape(-1, line.shape[-1]).sum(axis=0, keepdims=True)
    line = np.where(np.isfinite(line), line, -np.inf) + (axis.log_density + axis.log_measure)
    top = line.max(axis=1, keepdims=True)
    share = np.exp(line - np.where(np.isfinite(top), top, 0.0))
    with np.errstate(invalid="ignore"):
        return np.asarray(share.sum(axis=1) ** 2 / (share**2).sum(axis=1))


def _fill(found: Mapping[str, FloatArray], i: int, own: Marginal) -> None:
    found["mean"][i], found["sd"][i], found["median"][i] = own.mean, own.sd, own.quantile(0.5)
    found["at_bound"][i] = own.at_bound
    for j, level in enumerate(LEVELS):
        found["low"][i, j], found["high"][i, j] = own.interval(level)
        found["region_low"][i, j], found["region_high"][i, j], found["region_pieces"][i, j] = own.region(level)


def _fill_discrete(found: Mapping[str, FloatArray], i: int, shares: FloatArray, values: FloatArray) -> None:
    """Describe an axis whose values are the only possible ones, with nothing in between."""
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
    attrs = {key: result.attrs[key] for key in _REPEATED if key in result.attrs}
    n = len(likelihood.systems) or int(result.attrs.get("n_systems", 0))
    return {**attrs, "by": by, "n_systems": n, "cautions": "; ".join(_cautions(result, found, per)) or "none"}


def _cautions(result: xr.Dataset, found: xr.Dataset, per: str | None) -> list[str]:
    """Collect what a reader must know: bounds, values too far apart, invalid points, priors that were cut."""
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
        of_any = np.isfinite(np.atleast_1d(found["nodes"].isel(axis=i).values))
        few = ~np.atleast_1d(found["resolved"].isel(axis=i).values) & of_any
        ridge = np.atleast_1d(found["nodes_held"].isel(axis=i).values) < _FEWEST_NODES
        ridge &= (sides != BOUND_FLAGS.index("any")) & ~few
        if few.any():
            told.append(f"fewer than two values of {name} carry the posterior{several(few)}: sweep it more finely")
        if ridge.any():
            what = f"with the other axes held, fewer than two values of {name} carry the posterior{several(ridge)}"
            told.append(f"{what}: a ridge that falls between the values, so sweep more finely")
        lost = float(found["prior_lost"][i])
        if lost > _LARGE_LOSS:
            told.append(f"{lost:.1%} of the prior of {name} lies outside the grid, and was cut")
    large = np.atleast_1d(found["log_evidence_error"].values) > _LARGE_ERROR
    if large.any():
        worst = float(np.max(found["log_evidence_error"].values))
        change = f"ln Z changes by up to {number(worst)} with every second value{several(large)}"
        coarse = f"the grid is too coarse for ln Z{several(large)}: every second value misses the likelihood"
        told.append(change if worst < np.inf else coarse)
    invalid = found["n_invalid"].values
    if invalid.any():
        most = int(invalid.max())
        points = f"{'up to ' if n > 1 else ''}{plural(most, 'grid point')} {'has' if most == 1 else 'have'}"
        told.append(f"{points} no finite likelihood, and no weight")
    return told
