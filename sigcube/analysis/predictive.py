"""Posterior predictive curves of a system, with bands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.grid_draws import WeightedPoints, weighted_points
from sigcube.analysis.labelled import about, axes_along, check_result, grid_dims, list_of_names
from sigcube.analysis.likelihoods import Likelihood, likelihood_of
from sigcube.analysis.nuisances import marginalise
from sigcube.analysis.posteriors import LEVELS
from sigcube.analysis.prior_weights import Priors, axis_priors
from sigcube.cube import kind_of, samples
from sigcube.cube.selection import keep_points
from sigcube.errors import DataError, SpecError, did_you_mean, shown
from sigcube.model.evaluate import evaluate_model
from sigcube.model.frames import frame_of, variables_of
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import METRICS
from sigcube.model.model import Model
from sigcube.plan.errors_of_systems import with_quoted
from sigcube.plan.spec import MODEL, spec_from_record

__all__ = ["predict"]

FloatArray = npt.NDArray[np.float64]

# At most so many models are evaluated for a system; of more, as many draws of equal weight.
_MOST_MODELS = 2**13
# Equally probable values that stand for a predicted distribution, and for the normal one of an error.
_QUANTILES, _NORMAL = 201, 201


def predict(
    result: xr.Dataset,
    cube: xr.Dataset,
    *,
    systems: Sequence[str],
    prior: Priors | None = None,
    nuisances: Priors | None = None,
    by: str = "loglike",
    noise: bool = False,
    own_kernels: Mapping[str, Kernel] | None = None,
) -> xr.Dataset:
    """Predict the observations of some systems from the posterior of all.

    Where ln L marginalises over errors of distance and inclination, the bands leave out the factor by which these scale
    a galaxy's whole curve.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ln L; with nuisances, one that kept it for each system.
    cube : Dataset
        The data; its points are predicted.
    systems : sequence of str
        Their names.
    prior, by
        As for `sigcube.analysis.posterior`.
    nuisances : Mapping, optional
        Priors of axes with a separate value in each system, as for `sigcube.analysis.marginalise`. The curve of a
        system then has its own posterior of them.
    noise : bool
        Whether the bands are those of a new observation, with the errors of the cube, or of the model alone.
    own_kernels : Mapping, optional
        Your own kernels, by name.

    Returns
    -------
    Dataset
        At each point of the cube: ``predicted``, the median; ``low`` and ``high`` over ``level``; the ``observed``
        value and its ``error``. Attributes: ``n_models``, how many grid points were evaluated, and ``share``, how much
        of the posterior they hold.

    Raises
    ------
    SpecError
        For systems that the cube does not have, a result that does not name its model, and as `posterior`.
    DataError
        For what is no cube, and a cube without what is observed.
    """
    check_result(result)
    models = _models_of(result, own_kernels)
    frame = frame_of(cube)
    if (dim := frame.system_dim) is None:
        expected = "a cube of galaxies or clusters"
        raise SpecError(
            "systems of a cube are predicted", where="cube", found=f"a {frame.kind} cube", expected=expected
        )
    known = list(map(str, cube[dim].values))
    names = list_of_names(systems, where="systems")
    if lost := [name for name in names if name not in known]:
        raise SpecError(f"the cube has no {dim} {lost[0]!r}", where="systems", hint=did_you_mean(lost[0], known[:1000]))
    _check_observed(cube, next(iter(models.values())))
    whole = likelihood_of(result, by, systems=bool(nuisances))
    of_all = None if nuisances else weighted_points(whole, axis_priors(whole.array, prior))
    others = marginalise(result, nuisances, by=by) if nuisances else None
    parts, shares, counts = [], [], []
    for name in names:
        if of_all is None:
            assert others is not None
            likelihood = _conditional(whole, others[by], name)
            points = weighted_points(likelihood, axis_priors(likelihood.array, {**(prior or {}), **(nuisances or {})}))
        else:
            likelihood, points = whole, of_all
        some = points if points.numbers.size <= _MOST_MODELS else points.drawn(_MOST_MODELS)
        one = with_quoted(cube.isel({dim: [known.index(name)]}), next(iter(models.values())).frame)
        curves = _curves(models, likelihood.array, some, one, of_sample=_of_sample(one, result))
        parts.append(_bands(curves, some.weights, one, next(iter(models.values())), noise=noise))
        shares.append(points.share)
        counts.append(some.numbers.size)
    found = xr.concat(parts, dim=dim)
    words = {"noise": "with the errors of observation" if noise else "of the model alone", "by": by}
    return found.assign_attrs(
        **words, n_models=max(counts), share=min(shares), synthetic=cube.attrs.get("synthetic", 0)
    )


def _models_of(result: xr.Dataset, own_kernels: Mapping[str, Kernel] | None) -> Mapping[str, Model]:
    """Return the models that made a result, by name; its metrics do not matter, which may be somebody's own."""
    if "spec" not in result.attrs:
        raise SpecError("the result does not say which model made it", where="spec", hint="open it by open_result")
    try:
        record = dict(json.loads(result.attrs["spec"]))
        metrics = [name for name in record["metrics"] if name in METRICS] or ["loglike"]
        return spec_from_record({**record, "metrics": metrics}, own_kernels=own_kernels).models
    except SpecError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found, hint = shown(error), "open the result again by open_result"
        raise SpecError("the result's spec cannot be read", where="spec", found=found, hint=hint) from None


def _check_observed(cube: xr.Dataset, model: Model) -> None:
    """Refuse a cube without what is observed, which curves are shown beside."""
    for name in (model.name_behind("observed"), model.name_behind("error")):
        if name not in cube:
            hint = did_you_mean(name, map(str, cube.data_vars))
            raise DataError(f"the cube has no {name!r}", where=str(cube.attrs.get("title", "cube")), hint=hint)


def _of_sample(one: xr.Dataset, result: xr.Dataset) -> xr.DataArray | None:
    """Return which points of a system its sample has, over which terms of whole systems went in the result's sweep."""
    sample = samples(one).get(str(result.attrs.get("sample"))) if "samples" in one.attrs else None
    return None if sample is None else keep_points(one, sample)[0]


def _conditional(whole: Likelihood, integrated: xr.DataArray, name: str) -> Likelihood:
    """Return ln L of all systems, over the nuisances of one of them and with those of all others integrated out."""
    dim = str(whole.dim)
    if name not in whole.systems:
        raise SpecError(f"the result has no {dim} {name!r}", where="systems", hint=did_you_mean(name, whole.systems))
    at = whole.systems.index(name)
    others = integrated.sum(dim, skipna=False) - integrated.isel({dim: at}, drop=True)
    own = whole.array.isel({dim: at}, drop=True).astype(np.float64)
    return Likelihood((own + others).transpose(*grid_dims(whole.array)).assign_attrs(whole.array.attrs), None)


def _curves(
    models: Mapping[str, Model],
    array: xr.DataArray,
    points: WeightedPoints,
    one: xr.Dataset,
    *,
    of_sample: xr.DataArray | None,
) -> FloatArray:
    """Return what the models at points of the grid predict for a system, shape ``(n, n_points)``."""
    dims = grid_dims(array)
    values: dict[str, npt.NDArray[Any]] = {
        str(name): np.full(points.numbers.size, coord.values[()])
        for name, coord in array.coords.items()
        if not coord.ndim
    }
    for dim, index in zip(dims, points.index(), strict=True):
        values |= {name: array[name].values[index] for name in axes_along(array, dim)}
    labels = [name for name, each in values.items() if each.dtype.kind not in "iuf"]
    rows = list(zip(*(values[name].tolist() for name in labels), strict=True)) or [()] * points.numbers.size
    found: FloatArray | None = None
    for row in dict.fromkeys(rows):
        inside = np.array([each == row for each in rows])
        chosen = dict(zip(labels, row, strict=True))
        model = models[chosen.pop(MODEL)] if MODEL in chosen else next(iter(models.values()))
        model = model.with_settings({name: label for name, label in chosen.items() if model.varies(name)})
        graph = model.graph(("predicted",), variables=variables_of(one))
        given: dict[str, Any] = {name: model.labels[name] for name in model.settings if name in model.choices}
        for name in graph.parameters:
            if name in values and model.varies(name):
                given[name] = xr.DataArray(values[name][inside].astype(np.float64), dims="draw")
            elif name in model.values:
                given[name] = model.values[name]
        curve = evaluate_model(replace(model, settings=given), one, "predicted", reduced=of_sample)
        curve = curve.isel({str(kind_of(one).system_dim): 0})
        wide = curve if "draw" in curve.dims else curve.expand_dims(draw=int(inside.sum()))
        own = wide.transpose("draw", ...).values.reshape(int(inside.sum()), -1)
        if found is None:
            found = np.empty((points.numbers.size, own.shape[1]))
        found[inside] = own
    assert found is not None
    return found


def _bands(curves: FloatArray, weights: FloatArray, one: xr.Dataset, model: Model, *, noise: bool) -> xr.Dataset:
    """Return the median and the bands of curves at each point of a system."""
    kind = kind_of(one)
    dims = (str(kind.system_dim), *((kind.point_dim,) if kind.point_dim else ()))
    observed, error = (one[model.name_behind(name)] for name in ("observed", "error"))
    shares = [0.5, *(0.5 * (1 - level) for level in LEVELS), *(0.5 * (1 + level) for level in LEVELS)]
    if noise:
        from scipy.special import ndtri

        sigma = error.values.reshape(-1)
        evenly = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        offsets = ndtri((np.arange(_NORMAL) + 0.5) / _NORMAL)
        curves = _quantiles(curves, weights, evenly)
        curves = (curves[:, np.newaxis] + offsets[:, np.newaxis] * sigma).reshape(-1, sigma.size)
        weights = np.full(len(curves), 1.0 / len(curves))
    found = _quantiles(curves, weights, np.array(shares))
    n, shape = len(LEVELS), tuple(one.sizes[dim] for dim in dims)
    unit = str(observed.attrs.get("units", ""))

    def banded(rows: FloatArray) -> Any:
        return np.moveaxis(rows.reshape(n, *shape), 0, -1)

    content = {
        "predicted": (dims, found[0].reshape(shape), about("median of the prediction", unit)),
        "low": ((*dims, "level"), banded(found[1 : 1 + n]), about("lower end of the band", unit)),
        "high": ((*dims, "level"), banded(found[1 + n :]), about("upper end of the band", unit)),
        "observed": (dims, observed.values.reshape(shape), dict(observed.attrs)),
        "error": (dims, error.values.reshape(shape), dict(error.attrs)),
    }
    coords: dict[str, Any] = {"level": ("level", np.array(LEVELS), about("credible level"))}
    coords[dims[0]] = one[dims[0]].values.astype(object)
    if "r" in one:
        coords["r"] = dims, one["r"].values.reshape(shape), dict(one["r"].attrs)
    return xr.Dataset(content, coords)


def _quantiles(values: FloatArray, weights: FloatArray, shares: FloatArray) -> FloatArray:
    """Return weighted quantiles of each column, shape ``(len(shares), n_columns)``; NaN for columns with NaN."""
    found = np.empty((shares.size, values.shape[1]))
    for j, column in enumerate(values.T):
        # Curves repeat along an axis that a model does not depend on: equal values count once, with all their weight.
        own, which = np.unique(column, return_inverse=True)
        shared = np.bincount(which, weights=weights)
        below = np.cumsum(shared) - 0.5 * shared
        found[:, j] = np.nan if np.isnan(own[-1]) else np.interp(shares, below, own)
    return found
