"""What fits found, as a labelled Dataset."""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError
from sigcube.fits.problem import FitSolution, Problem
from sigcube.model.graph import model_parameters
from sigcube.model.metrics import Metric
from sigcube.model.record import Parameter
from sigcube.plan.identity import describe_identity, result_attrs
from sigcube.plan.plan import Plan

__all__ = ["AT_BOUND", "outcome"]

FloatArray = npt.NDArray[np.float64]
Dims = tuple[str, ...]
#: Name, dimensions, values and attributes of a variable.
Entry = tuple[str, Dims, npt.NDArray[Any], dict[str, Any]]

#: Where the best value of a parameter lies, as a CF flag.
AT_BOUND: Mapping[str, int] = MappingProxyType({"inside": 0, "lower": 1, "upper": 2, "not_fitted": 3})

_MODEL, _PARAMETER = "model", "parameter"


def outcome(
    problems: Sequence[Problem],
    solutions: Sequence[Sequence[FitSolution]],
    plans: Sequence[Plan],
    record: Mapping[str, Any],
) -> xr.Dataset:
    """Put what was found for each model and unit into a Dataset.

    Raises
    ------
    SpecError
        When a parameter is called like something else in the result, or two models give one in different units.
    """
    variables = dict(_Table(problems, solutions).variables())
    fitted = [name for name in variables if name.removesuffix("_error") in _parameters(problems)]
    content = {name: variables[name] for name in [*fitted, *variables]}
    dataset = xr.Dataset(content, _coords(problems), _attrs(plans, record))
    return dataset if len(problems) > 1 else dataset.isel({_MODEL: 0})


class _Table:
    """The arrays of a result, model by model."""

    def __init__(self, problems: Sequence[Problem], solutions: Sequence[Sequence[FitSolution]]) -> None:
        self.problems, self.solutions = problems, solutions
        self.first = problems[0]
        self.dims = _dims(self.first)
        self.parameters = _parameters(problems)

    def variables(self) -> Iterator[tuple[str, tuple[Dims, npt.NDArray[Any], dict[str, Any]]]]:
        """Yield the variables by name, each name once."""
        taken = {_MODEL, _PARAMETER, f"{_PARAMETER}_", "parameter_unit", *self.dims}
        for name, dims, values, attrs in (*self._others(), *self._best()):
            if name in taken:
                what = f"a parameter that is fitted cannot be called {name.removesuffix('_error')!r}"
                raise SpecError(what, where="parameters", found="a name that the result uses itself")
            taken.add(name)
            yield name, (dims, values, attrs)

    def _shaped(self, values: list[list[Any]], dtype: Any = np.float64) -> npt.NDArray[Any]:
        """Return values of models and units, each perhaps an array, in the shape of the dimensions."""
        array = np.array(values, dtype=dtype)
        return array if len(self.dims) > 1 else array[:, 0]

    def _each(self, of: Any, dtype: Any = np.float64) -> npt.NDArray[Any]:
        """Return what a function of problem, unit and solution gives, in the shape of the dimensions."""
        pairs = zip(self.problems, self.solutions, strict=True)
        return self._shaped([[of(p, unit, s) for unit, s in enumerate(found)] for p, found in pairs], dtype)

    def _best(self) -> Iterator[Entry]:
        for name, parameter in self.parameters.items():
            attrs = {"units": parameter.unit, "symbol": parameter.symbol, "source": parameter.source}
            best = self._each(lambda p, _, s, name=name: _of(p, s.values, name))
            yield name, self.dims, best, {**attrs, "long_name": f"best {parameter.description}"}
            error = self._each(lambda p, _, s, name=name: _of(p, np.sqrt(np.diag(s.covariance)), name))
            long_name = f"standard error of {parameter.description}"
            yield f"{name}_error", self.dims, error, {**attrs, "long_name": long_name, "comment": _NO_ERROR}

    def _others(self) -> Iterator[Entry]:
        names = list(self.parameters)
        covariance = self._each(lambda p, _, s: _spread(p, s.covariance, names))
        yield (
            "covariance",
            (*self.dims, _PARAMETER, f"{_PARAMETER}_"),
            covariance,
            {
                "units": "",
                "long_name": "covariance of the parameters",
                "source": "sigcube",
                "comment": f"in the product of the units of its two parameters; {_NO_ERROR}",
            },
        )
        bounds = self._each(lambda p, _, s: [_side(p, s, name) for name in names], np.uint8)
        yield "at_bound", (*self.dims, _PARAMETER), bounds, _AT_BOUND_ATTRS
        yield from self._metrics()
        for name, (of, dtype, attrs) in _FIGURES.items():
            yield name, self.dims, self._each(of, dtype), {"units": "", "source": "sigcube", **attrs}

    def _metrics(self) -> Iterator[Entry]:
        """Yield the metrics of the units, and those over all points of the sample."""
        spec = self.first.model.spec
        for metric in spec.metrics:
            attrs = {
                "units": spec.unit if metric.unit is None else metric.unit,
                "long_name": metric.long_name,
                "source": "sigcube",
                "best": metric.best,
            }
            if metric.scope == "system":
                values = self._each(lambda p, unit, s, metric=metric: _measure(metric, p, unit, s))
                if self.first.scope == "sample" and metric.sums != ("chi_sq",):
                    attrs["long_name"] += ", mean over systems"
                yield metric.name, self.dims, values, attrs
            else:
                pooled = [_pooled(metric, p, found) for p, found in zip(self.problems, self.solutions, strict=True)]
                yield (
                    metric.name,
                    (_MODEL,),
                    np.array(pooled),
                    {**attrs, "long_name": f"{metric.long_name}, all points"},
                )


_NO_ERROR = "NaN at a bound, at which the others' errors take it as fixed, and where the data leave a parameter free"

_AT_BOUND_ATTRS = {
    "units": "",
    "long_name": "whether the best value is at a bound",
    "source": "sigcube",
    "flag_values": list(AT_BOUND.values()),
    "flag_meanings": " ".join(AT_BOUND),
}


def _aic(problem: Problem, unit: int, solution: FitSolution) -> float:
    return _misfit(problem, unit, solution) + 2.0 * problem.model.space.size


def _bic(problem: Problem, unit: int, solution: FitSolution) -> float:
    return _misfit(problem, unit, solution) + problem.model.space.size * float(np.log(problem.n_points(unit)))


def _misfit(problem: Problem, unit: int, solution: FitSolution) -> float:
    """−2 ln L but for a constant: χ², or n ln(Σ Δ²/n) where the errors are unknown and alike."""
    if solution.minimum is None or (problem.scope == "sample" and problem.objective == "rms"):
        return float("nan")
    if problem.objective == "chi2":
        return solution.minimum.value
    n = problem.n_points(unit)
    with np.errstate(divide="ignore"):
        return float(n * np.log(solution.minimum.value / n))


_LIKELIHOOD = "errors are Gaussian: as given for χ², unknown and alike for the RMS; a mean of RMS is no likelihood"

_FIGURES: Mapping[str, tuple[Any, Any, dict[str, Any]]] = MappingProxyType(
    {
        "n_points": (lambda p, unit, _: p.n_points(unit), np.int64, {"long_name": "number of points"}),
        "aic": (_aic, np.float64, {"long_name": "Akaike's criterion, misfit + 2k", "comment": _LIKELIHOOD}),
        "bic": (_bic, np.float64, {"long_name": "Schwarz's criterion, misfit + k ln n", "comment": _LIKELIHOOD}),
        "n_minima": (lambda _, __, s: s.n_minima, np.int64, {"long_name": "number of distinct minima"}),
        "converged": (
            lambda _, __, s: s.minimum is not None and s.minimum.converged,
            bool,
            {"long_name": "whether the minimiser met its tolerance at the best minimum"},
        ),
    }
)


def _measure(metric: Metric, problem: Problem, unit: int, solution: FitSolution) -> float:
    """Finish a metric for a unit: of a sample, χ² over all points, and the mean over systems of anything else."""
    sums = _columns(metric, problem, solution)
    counts = np.array([problem.counts[system] for system in problem.systems(unit)], dtype=np.float64)
    if metric.sums == ("chi_sq",):
        sums, counts = [total.sum(keepdims=True) for total in sums], counts.sum(keepdims=True)
    dof = counts - problem.model.space.size if metric.reduced else counts
    with np.errstate(all="ignore"):
        finished = [metric.finish(np.float64(n), *row) for n, *row in zip(dof, *sums, strict=True)]
    return float(np.mean(finished))


def _pooled(metric: Metric, problem: Problem, solutions: Sequence[FitSolution]) -> float:
    """Finish a metric over all points of the units for which there is a minimum."""
    found = [(unit, s) for unit, s in enumerate(solutions) if s.minimum is not None]
    n = sum(problem.n_points(unit) for unit, _ in found)
    totals = np.sum([[column.sum() for column in _columns(metric, problem, s)] for _, s in found], axis=0)
    return float(metric.finish(np.float64(n), *totals)) if n else float("nan")


def _columns(metric: Metric, problem: Problem, solution: FitSolution) -> list[FloatArray]:
    return [solution.sums[:, problem.sums.index(name)] for name in metric.sums]


def _of(problem: Problem, values: FloatArray, name: str) -> float:
    names = problem.model.space.names
    return float(values[names.index(name)]) if name in names else float("nan")


def _spread(problem: Problem, covariance: FloatArray, names: list[str]) -> FloatArray:
    """Return a covariance over the parameters of all models."""
    whole = np.full((len(names), len(names)), np.nan)
    at = [names.index(name) for name in problem.model.space.names]
    whole[np.ix_(at, at)] = covariance
    return whole


def _side(problem: Problem, solution: FitSolution, name: str) -> int:
    names = problem.model.space.names
    if name not in names or solution.minimum is None:
        return AT_BOUND["not_fitted"]
    place = solution.minimum.place[names.index(name)]
    return AT_BOUND["lower" if place <= 0.0 else "upper" if place >= 1.0 else "inside"]


def _parameters(problems: Sequence[Problem]) -> dict[str, Parameter]:
    """Return the parameters of all models, by name."""
    found: dict[str, Parameter] = {}
    for problem in problems:
        spec = problem.model.spec
        known = model_parameters(spec.kernel, spec.frame)
        for name in problem.model.space.names:
            before = found.setdefault(name, known[name])
            if before.unit != known[name].unit:
                raise SpecError(
                    f"two models give {name!r} in different units",
                    where="model",
                    found=f"[{before.unit}], [{known[name].unit}]",
                    hint="fit them apart",
                )
    return found


def _dims(problem: Problem) -> Dims:
    system_dim = problem.model.spec.frame.system_dim
    return (_MODEL, system_dim) if problem.scope == "system" and system_dim else (_MODEL,)


def _coords(problems: Sequence[Problem]) -> dict[str, Any]:
    parameters = _parameters(problems)
    names = np.array(list(parameters), dtype=object)
    units = np.array([parameter.unit for parameter in parameters.values()], dtype=object)
    coords: dict[str, Any] = {
        _MODEL: (_MODEL, np.array([p.model.name for p in problems], dtype=object), _label("model")),
        _PARAMETER: (_PARAMETER, names, _label("parameter")),
        f"{_PARAMETER}_": (f"{_PARAMETER}_", names, _label("parameter")),
        "parameter_unit": (_PARAMETER, units, _label("unit of the parameter")),
    }
    for dim in _dims(problems[0])[1:]:
        coords[dim] = (dim, np.array(problems[0].packed.systems, dtype=object), {**_label(dim), "source": "cube"})
    return coords


def _label(long_name: str) -> dict[str, Any]:
    return {"units": "", "long_name": long_name, "source": "sigcube"}


def _attrs(plans: Sequence[Plan], record: Mapping[str, Any]) -> dict[str, Any]:
    identities = {
        model["name"]: describe_identity(plan.spec, plan.origin, ())
        for plan, model in zip(plans, record["models"], strict=True)
    }
    attrs = result_attrs(plans[0].spec, plans[0].origin, {})
    return {**attrs, "kind": "fit", "spec": json.dumps(record), "identity": json.dumps(identities)}
