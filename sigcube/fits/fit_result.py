"""The result of a fit: as a labelled Dataset, and on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import describe_systems, unit_attrs
from sigcube.cube.storage import consolidate, store_at, write_store
from sigcube.errors import DataError, SpecError
from sigcube.files import path_of
from sigcube.fits.problem import FitSolution, Problem
from sigcube.model.likelihood import DEVIANCE
from sigcube.model.metrics import Metric
from sigcube.model.record import Parameter
from sigcube.plan.identity import describe_identity, fixed_coords, result_attrs

__all__ = ["fit_result", "fitted_parameters", "refuse_existing", "save_fit"]

# Where the best value of a parameter lies, as a CF flag.
_FLAGS: Mapping[str, int] = MappingProxyType({"inside": 0, "lower": 1, "upper": 2, "not_fitted": 3})

_Variable = tuple[tuple[str, ...], npt.NDArray[Any], dict[str, Any]]

_NO_ERROR = "NaN at a bound, at which the others' errors take it as fixed, and where the data leave a parameter free"
_LIKELIHOOD = "errors are Gaussian: as given for χ², unknown and alike for the RMS; a mean of RMS is no likelihood"
_COVARIANCE = {
    "long_name": "covariance of the parameters",
    "comment": (
        "(JᵀJ)⁻¹, J the slopes of (model − data)/error at the best values (Gauss-Newton), in the product of the units "
        f"of its two parameters: errors count as given, whatever chi2_red is; {_NO_ERROR}"
    ),
}
_ABOUT_FLAGS: Mapping[str, Any] = {
    "long_name": "whether the best value is at a bound",
    "flag_values": list(_FLAGS.values()),
    "flag_meanings": " ".join(_FLAGS),
}
_FIGURES = {
    "n_points": {"long_name": "number of points"},
    "aic": {"long_name": "Akaike's criterion, misfit + 2k", "comment": _LIKELIHOOD},
    "bic": {"long_name": "Schwarz's criterion, misfit + k ln n", "comment": _LIKELIHOOD},
    "n_minima": {"long_name": "number of distinct minima"},
    "converged": {"long_name": "whether the minimiser met its tolerance at the best minimum"},
}


def fit_result(
    problems: Sequence[Problem], solutions: Sequence[Sequence[FitSolution]], record: Mapping[str, Any]
) -> xr.Dataset:
    """Return what was found for each model and group of systems as a Dataset, as `Fit.run` describes it."""
    first, parameters = problems[0], fitted_parameters(problems)
    system_dim = first.plan.system_dim if first.scope == "system" else None
    dims = ("model", system_dim) if system_dim else ("model",)
    coords: dict[str, Any] = _coords(problems, parameters, system_dim)
    columns = [_columns(problem, found, list(parameters)) for problem, found in zip(problems, solutions, strict=True)]
    table = {name: np.stack([each[name] for each in columns]) for name in columns[0]}
    if not system_dim:
        table = {name: values[:, 0] for name, values in table.items()}
    others: dict[str, _Variable] = {
        "covariance": ((*dims, "parameter", "parameter_"), table["covariance"], _about(**_COVARIANCE)),
        "at_bound": ((*dims, "parameter"), table["at_bound"], _about(**_ABOUT_FLAGS)),
        **{metric.name: _metric(metric, problems, solutions, dims, table) for metric in first.model.spec.metrics},
        **{name: (dims, table[name], _about(**attrs)) for name, attrs in _FIGURES.items()},
    }
    best: dict[str, _Variable] = {}
    for i, (name, parameter) in enumerate(parameters.items()):
        attrs = {**unit_attrs(parameter.unit), "symbol": parameter.symbol, "source": parameter.source}
        best[name] = (dims, table["values"][..., i], {**attrs, "long_name": f"best {parameter.description}"})
        attrs |= {"long_name": f"standard error of {parameter.description}", "comment": _NO_ERROR}
        best[f"{name}_error"] = (dims, table["errors"][..., i], attrs)
    identities = {p.model.name: describe_identity(p.plan.spec, p.plan.origin, ()) for p in problems}
    how = result_attrs(first.plan.spec, first.plan.origin, {})
    how |= {"kind": "fit", "spec": json.dumps(record), "identity": json.dumps(identities)}
    fixed = fixed_coords([problem.model.spec.model for problem in problems])
    coords |= {name: each for name, each in fixed.items() if name not in {**best, **others}}
    result = describe_systems(xr.Dataset(best | others, coords, how), first.packed.properties)
    return result if len(problems) > 1 else result.isel(model=0)


def fitted_parameters(problems: Sequence[Problem]) -> dict[str, Parameter]:
    """Return the parameters of all models, by name; refuse those that cannot stand in one result."""
    found: dict[str, Parameter] = {}
    for problem in problems:
        for name, parameter in problem.model.parameters.items():
            before = found.setdefault(name, parameter)
            if before.unit != parameter.unit:
                raise SpecError(
                    f"two models give {name!r} in different units",
                    where="model",
                    found=f"[{before.unit}], [{parameter.unit}]",
                    hint="fit them separately",
                )
    metrics = (metric.name for metric in problems[0].model.spec.metrics)
    coords = _coords(problems, found, problems[0].plan.system_dim)
    used = {"covariance", "at_bound", *metrics, *_FIGURES, *coords}
    for name in found:
        if {name, f"{name}_error"} & used or f"{name}_error" in found:
            what = f"a fitted parameter cannot be called {name!r}"
            raise SpecError(what, where="free", found="a name that the result uses itself")
    return found


def _about(long_name: str, **attrs: Any) -> dict[str, Any]:
    return {"long_name": long_name, "source": "sigcube", **attrs}


def _coords(
    problems: Sequence[Problem], parameters: Mapping[str, Parameter], system_dim: str | None
) -> dict[str, tuple[str, npt.NDArray[Any], dict[str, Any]]]:
    names = np.array(list(parameters), dtype=object)
    units = np.array([parameter.unit for parameter in parameters.values()], dtype=object)
    coords = {
        "model": ("model", np.array([p.model.name for p in problems], dtype=object), _about("model")),
        "parameter": ("parameter", names, _about("parameter")),
        "parameter_": ("parameter_", names, _about("parameter")),
        "parameter_unit": ("parameter", units, _about("unit of the parameter")),
    }
    if system_dim:
        systems = np.array(problems[0].packed.systems, dtype=object)
        coords[system_dim] = (system_dim, systems, {**_about(system_dim), "source": "cube"})
    return coords


def _columns(problem: Problem, solutions: Sequence[FitSolution], names: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the figures of one model, one row a solution; parameters are those of all models, by their names."""
    n, k, at = len(solutions), len(names), [names.index(name) for name in problem.model.space.names]
    values, covariance = np.full((n, k), np.nan), np.full((n, k, k), np.nan)
    at_bound = np.full((n, k), _FLAGS["not_fitted"], dtype=np.uint8)
    for row, solution in enumerate(solutions):
        values[row, at] = solution.values
        covariance[row][np.ix_(at, at)] = solution.covariance
        if solution.minimum is not None:
            t = solution.minimum.position
            sides = np.where(t <= 0.0, _FLAGS["lower"], np.where(t >= 1.0, _FLAGS["upper"], _FLAGS["inside"]))
            at_bound[row, at] = sides
    size, n_points = problem.model.space.size, np.array([solution.n_points for solution in solutions])
    misfit = np.array([_misfit(problem, solution) for solution in solutions])
    own = [metric for metric in problem.model.spec.metrics if metric.scope == "system"]
    return {
        "values": values,
        "errors": np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)),
        "covariance": covariance,
        "at_bound": at_bound,
        **{metric.name: np.array([_measure(metric, problem, each) for each in solutions]) for metric in own},
        "n_points": n_points,
        "aic": misfit + 2.0 * size,
        "bic": misfit + size * np.log(n_points),
        "n_minima": np.array([solution.n_minima for solution in solutions]),
        "converged": np.array([bool(each.minimum and each.minimum.converged) for each in solutions]),
    }


def _misfit(problem: Problem, solution: FitSolution) -> float:
    """Return −2 ln L up to a constant: χ², or n ln(Σ Δ²/n) where the errors are unknown and alike."""
    if solution.minimum is None or problem.is_mean_rms:
        return np.nan
    if problem.objective == "chi2":
        return solution.minimum.value
    n = solution.n_points
    with np.errstate(divide="ignore"):
        return float(n * np.log(solution.minimum.value / n))


def _metric(
    metric: Metric,
    problems: Sequence[Problem],
    solutions: Sequence[Sequence[FitSolution]],
    dims: tuple[str, ...],
    table: Mapping[str, npt.NDArray[Any]],
) -> _Variable:
    """Return the variable of a metric: of each solution, or, if it is pooled, over all points of the sample."""
    spec = problems[0].model.spec
    attrs = _about(metric.long_name, best=metric.best)
    attrs |= unit_attrs(spec.model.unit if metric.unit is None else metric.unit)
    if metric.scope == "pooled":
        values = [_pooled(metric, *each) for each in zip(problems, solutions, strict=True)]
        return ("model",), np.array(values), {**attrs, "long_name": f"{metric.long_name}, all points"}
    if problems[0].scope == "sample" and not _adds_up(metric):
        attrs["long_name"] += ", mean over systems"
    return dims, table[metric.name], attrs


def _adds_up(metric: Metric) -> bool:
    """Whether a metric of several systems is over all their points: χ² and ln L are, others are means over systems.

    One that reads variables of each system cannot be.
    """
    return metric.sums in (("chi_sq",), DEVIANCE) and not metric.system_variables


def _measure(metric: Metric, problem: Problem, solution: FitSolution) -> float:
    """Evaluate a metric for the systems of a solution."""
    sums = problem.sums_of(metric, solution)
    systems = slice(solution.systems.start, solution.systems.stop)
    counts = problem.counts[systems].astype(np.float64)
    variables = [each[systems] for each in metric.system_inputs(problem.packed.per_system)]
    if _adds_up(metric):
        sums, counts = [total.sum(keepdims=True) for total in sums], counts.sum(keepdims=True)
    dof = counts - problem.model.space.size if metric.reduced else counts
    with np.errstate(all="ignore"):
        rows = zip(dof, *sums, *variables, strict=True)
        return float(np.mean([metric.finish(np.float64(n), *row) for n, *row in rows]))


def _pooled(metric: Metric, problem: Problem, solutions: Sequence[FitSolution]) -> float:
    """Evaluate a metric over all points of the systems that have a minimum."""
    found = [solution for solution in solutions if solution.minimum is not None]
    n = sum(solution.n_points for solution in found)
    totals = np.sum([[column.sum() for column in problem.sums_of(metric, each)] for each in found], axis=0)
    return float(metric.finish(np.float64(n), *totals)) if n else np.nan


def save_fit(result: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> None:
    """Save the result of a fit as a Zarr store, whole or not at all; only a fit is replaced, with ``overwrite``."""
    # Zarr v3 has a stable type for `str` objects, none for NumPy's text of fixed width, which `isel` leaves.
    text = {name: coord for name, coord in result.coords.items() if coord.dtype.kind in "OU"}
    plain = {name: (coord.dims, coord.values.astype(object), coord.attrs) for name, coord in text.items()}
    with write_store(Path(path), overwrite=overwrite, what="fit") as draft:
        result.drop_encoding().assign_coords(plain).to_zarr(draft, mode="w", zarr_format=3, consolidated=False)
        consolidate(draft)


def refuse_existing(path: str | Path, *, overwrite: bool) -> None:
    """Raise what `save_fit` would, before anything is computed."""
    path = path_of(path, what="a result")
    if path.exists() and not overwrite:
        hint = "overwrite it by --overwrite, in Python overwrite=True, or choose another path"
        raise DataError("there is already something here", where=str(path), hint=hint)
    if path.exists() and store_at(path) != "fit":
        hint = "choose another path"
        raise DataError("what is here is not a fit, so it is not overwritten", where=str(path), hint=hint)
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        TemporaryDirectory(prefix=".", suffix=".partial", dir=folder).cleanup()
    except OSError as error:
        raise DataError("a fit could not be saved here", where=str(path), found=str(error)) from error
