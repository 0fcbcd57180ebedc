"""The result of a fit: as a labelled Dataset, and on disk."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.drafts import drafting
from sigcube.cube.storage import consolidate
from sigcube.errors import DataError, SpecError
from sigcube.fits.problem import FitSolution, Problem
from sigcube.model.metrics import Metric
from sigcube.model.record import Parameter
from sigcube.plan.identity import describe_identity, result_attrs

__all__ = ["AT_BOUND", "fit_result", "refuse_existing", "save_fit"]

FloatArray = npt.NDArray[np.float64]

#: Where the best value of a parameter lies, as a CF flag.
AT_BOUND: Mapping[str, int] = MappingProxyType({"inside": 0, "lower": 1, "upper": 2, "not_fitted": 3})

_NO_ERROR = "NaN at a bound, at which the others' errors take it as fixed, and where the data leave a parameter free"
_LIKELIHOOD = "errors are Gaussian: as given for χ², unknown and alike for the RMS; a mean of RMS is no likelihood"


def fit_result(
    problems: Sequence[Problem], solutions: Sequence[Sequence[FitSolution]], record: Mapping[str, Any]
) -> xr.Dataset:
    """Return what was found for each model and group of systems as a Dataset, as `Fit.run` describes it.

    Raises
    ------
    SpecError
        When a parameter has the name of something else in the result, or two models give it in different units.
    """
    first, parameters = problems[0], _parameters(problems)
    system_dim = first.plan.system_dim if first.scope == "system" else None
    labels = np.array(list(parameters), dtype=object)
    coords = {
        "model": ("model", np.array([p.model.name for p in problems], dtype=object), _about("model")),
        "parameter": ("parameter", labels, _about("parameter")),
        "parameter_": ("parameter_", labels, _about("parameter")),
        "parameter_unit": (
            "parameter",
            np.array([parameter.unit for parameter in parameters.values()], dtype=object),
            _about("unit of the parameter"),
        ),
    }
    if system_dim:
        attrs = {**_about(system_dim), "source": "cube"}
        coords[system_dim] = (system_dim, np.array(first.packed.systems, dtype=object), attrs)
    table = _Table(problems, solutions, ("model", system_dim) if system_dim else ("model",), parameters)
    others = dict(table.others())
    content: dict[str, xr.Variable] = {}
    for name, variable in table.best():
        if name in content or name in others or name in coords:
            what = f"a parameter that is fitted cannot be called {name.removesuffix('_error')!r}"
            raise SpecError(what, where="parameters", found="a name that the result uses itself")
        content[name] = variable
    identities = {p.model.name: describe_identity(p.plan.spec, p.plan.origin, ()) for p in problems}
    attrs = {
        **result_attrs(first.plan.spec, first.plan.origin, {}),
        "kind": "fit",
        "spec": json.dumps(record),
        "identity": json.dumps(identities),
    }
    result = xr.Dataset(content | others, coords, attrs)
    return result if len(problems) > 1 else result.isel(model=0)


def _parameters(problems: Sequence[Problem]) -> dict[str, Parameter]:
    """Return the parameters of all models, by name."""
    found: dict[str, Parameter] = {}
    for problem in problems:
        for name, parameter in problem.model.parameters.items():
            before = found.setdefault(name, parameter)
            if before.unit != parameter.unit:
                raise SpecError(
                    f"two models give {name!r} in different units",
                    where="model",
                    found=f"[{before.unit}], [{parameter.unit}]",
                    hint="fit them apart",
                )
    return found


def _about(long_name: str, units: str = "", **attrs: Any) -> dict[str, Any]:
    return {"units": units, "long_name": long_name, "source": "sigcube", **attrs}


class _Table:
    """The variables of a result, over models and, where each has parameters of its own, systems."""

    def __init__(
        self,
        problems: Sequence[Problem],
        solutions: Sequence[Sequence[FitSolution]],
        dims: tuple[str, ...],
        parameters: Mapping[str, Parameter],
    ) -> None:
        self.problems, self.solutions, self.dims, self.parameters = problems, solutions, dims, parameters

    def fill(self, of: Callable[..., Any], *arguments: Any, dtype: Any = np.float64) -> npt.NDArray[Any]:
        """Call a function with each problem, solution and the arguments: its values in the shape of the dimensions."""
        pairs = zip(self.problems, self.solutions, strict=True)
        array = np.array([[of(problem, each, *arguments) for each in found] for problem, found in pairs], dtype=dtype)
        return array if len(self.dims) > 1 else array[:, 0]

    def best(self) -> Iterator[tuple[str, xr.Variable]]:
        """Yield the parameters and their standard errors."""
        for name, parameter in self.parameters.items():
            attrs = {"units": parameter.unit, "symbol": parameter.symbol, "source": parameter.source}
            best = {**attrs, "long_name": f"best {parameter.description}"}
            yield name, xr.Variable(self.dims, self.fill(_value, name), best)
            error = {**attrs, "long_name": f"standard error of {parameter.description}", "comment": _NO_ERROR}
            yield f"{name}_error", xr.Variable(self.dims, self.fill(_error, name), error)

    def others(self) -> Iterator[tuple[str, xr.Variable]]:
        """Yield everything else: covariances, bounds, metrics, information criteria, and how the search went."""
        names = list(self.parameters)
        comment = f"in the product of the units of its two parameters; {_NO_ERROR}"
        attrs = _about("covariance of the parameters", comment=comment)
        dims = (*self.dims, "parameter", "parameter_")
        yield "covariance", xr.Variable(dims, self.fill(_covariance, names), attrs)
        flags = {"flag_values": list(AT_BOUND.values()), "flag_meanings": " ".join(AT_BOUND)}
        attrs = _about("whether the best value is at a bound") | flags
        yield "at_bound", xr.Variable(dims[:-1], self.fill(_sides, names, dtype=np.uint8), attrs)
        yield from self.metrics()
        n_points = self.fill(lambda _, solution: solution.n_points, dtype=np.int64)
        yield "n_points", xr.Variable(self.dims, n_points, _about("number of points"))
        attrs = _about("Akaike's criterion, misfit + 2k", comment=_LIKELIHOOD)
        yield "aic", xr.Variable(self.dims, self.fill(_aic), attrs)
        attrs = _about("Schwarz's criterion, misfit + k ln n", comment=_LIKELIHOOD)
        yield "bic", xr.Variable(self.dims, self.fill(_bic), attrs)
        n_minima = self.fill(lambda _, solution: solution.n_minima, dtype=np.int64)
        yield "n_minima", xr.Variable(self.dims, n_minima, _about("number of distinct minima"))
        converged = self.fill(lambda _, solution: bool(solution.minimum and solution.minimum.converged), dtype=bool)
        attrs = _about("whether the minimiser met its tolerance at the best minimum")
        yield "converged", xr.Variable(self.dims, converged, attrs)

    def metrics(self) -> Iterator[tuple[str, xr.Variable]]:
        """Yield the metrics of each group of systems, and the pooled ones over all points of the sample."""
        first = self.problems[0]
        for metric in first.model.spec.metrics:
            unit = first.model.spec.unit if metric.unit is None else metric.unit
            if metric.scope == "pooled":
                pooled = [_pooled(*each, metric) for each in zip(self.problems, self.solutions, strict=True)]
                attrs = _about(f"{metric.long_name}, all points", unit, best=metric.best)
                yield metric.name, xr.Variable("model", np.array(pooled), attrs)
            else:
                is_mean = first.scope == "sample" and not _adds_up(metric)
                long_name = f"{metric.long_name}, mean over systems" if is_mean else metric.long_name
                attrs = _about(long_name, unit, best=metric.best)
                yield metric.name, xr.Variable(self.dims, self.fill(_measure, metric), attrs)


def _value(problem: Problem, solution: FitSolution, name: str) -> float:
    names = problem.model.space.names
    return float(solution.values[names.index(name)]) if name in names else np.nan


def _error(problem: Problem, solution: FitSolution, name: str) -> float:
    names = problem.model.space.names
    return float(np.sqrt(np.diag(solution.covariance))[names.index(name)]) if name in names else np.nan


def _covariance(problem: Problem, solution: FitSolution, names: list[str]) -> FloatArray:
    """Return the covariance over the parameters of all models."""
    whole = np.full((len(names), len(names)), np.nan)
    at = [names.index(name) for name in problem.model.space.names]
    whole[np.ix_(at, at)] = solution.covariance
    return whole


def _sides(problem: Problem, solution: FitSolution, names: list[str]) -> list[int]:
    minimum, at_bound = solution.minimum, dict.fromkeys(names, AT_BOUND["not_fitted"])
    if minimum is not None:
        for name, t in zip(problem.model.space.names, minimum.position, strict=True):
            at_bound[name] = AT_BOUND["lower" if t <= 0.0 else "upper" if t >= 1.0 else "inside"]
    return list(at_bound.values())


def _aic(problem: Problem, solution: FitSolution) -> float:
    return _misfit(problem, solution) + 2.0 * problem.model.space.size


def _bic(problem: Problem, solution: FitSolution) -> float:
    return _misfit(problem, solution) + problem.model.space.size * float(np.log(solution.n_points))


def _misfit(problem: Problem, solution: FitSolution) -> float:
    """Return −2 ln L up to a constant: χ², or n ln(Σ Δ²/n) where the errors are unknown and alike."""
    if solution.minimum is None or problem.is_mean_rms:
        return np.nan
    if problem.objective == "chi2":
        return solution.minimum.value
    n = solution.n_points
    with np.errstate(divide="ignore"):
        return float(n * np.log(solution.minimum.value / n))


def _adds_up(metric: Metric) -> bool:
    """Whether a metric of several systems is over all their points: χ² is, others are means over systems."""
    return metric.sums == ("chi_sq",)


def _measure(problem: Problem, solution: FitSolution, metric: Metric) -> float:
    """Evaluate a metric for a group of systems."""
    sums = _columns(problem, solution, metric)
    counts = problem.counts[solution.systems.start : solution.systems.stop].astype(np.float64)
    if _adds_up(metric):
        sums, counts = [total.sum(keepdims=True) for total in sums], counts.sum(keepdims=True)
    dof = counts - problem.model.space.size if metric.reduced else counts
    with np.errstate(all="ignore"):
        return float(np.mean([metric.finish(np.float64(n), *row) for n, *row in zip(dof, *sums, strict=True)]))


def _pooled(problem: Problem, solutions: Sequence[FitSolution], metric: Metric) -> float:
    """Evaluate a metric over all points of the systems that have a minimum."""
    found = [solution for solution in solutions if solution.minimum is not None]
    n = sum(solution.n_points for solution in found)
    totals = np.sum([[column.sum() for column in _columns(problem, each, metric)] for each in found], axis=0)
    return float(metric.finish(np.float64(n), *totals)) if n else np.nan


def _columns(problem: Problem, solution: FitSolution, metric: Metric) -> list[FloatArray]:
    return [solution.sums[:, problem.sums.index(name)] for name in metric.sums]


def save_fit(result: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> None:
    """Save the result of a fit as a Zarr store, whole or not at all.

    Raises
    ------
    DataError
        If there is something at ``path`` and ``overwrite`` is false, if what is there is no fit, or if it cannot be
        written.
    """
    # Zarr v3 has a stable type for `str` objects, none for NumPy's text of fixed width, which `isel` leaves.
    text = {name: coord for name, coord in result.coords.items() if coord.dtype.kind in "OU"}
    plain = {name: (coord.dims, coord.values.astype(object), coord.attrs) for name, coord in text.items()}
    with drafting(Path(path), overwrite=overwrite, replaces=_is_fit, what="fit") as draft:
        result.drop_encoding().assign_coords(plain).to_zarr(draft, mode="w", zarr_format=3, consolidated=False)
        consolidate(draft)


def refuse_existing(path: str | Path, *, overwrite: bool) -> None:
    """Raise what `save_fit` would, before anything is computed.

    Raises
    ------
    DataError
        As `save_fit`.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        hint = "ask for it to be overwritten, or choose another path"
        raise DataError("there is already something here", where=str(path), hint=hint)
    if path.exists() and not _is_fit(path):
        hint = "choose another path"
        raise DataError("what is here is not a fit, so it is not overwritten", where=str(path), hint=hint)
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        TemporaryDirectory(prefix=".", suffix=".partial", dir=folder).cleanup()
    except OSError as error:
        raise DataError("a fit could not be saved here", where=str(path), found=str(error)) from error


def _is_fit(path: Path) -> bool:
    try:
        return bool(json.loads((path / "zarr.json").read_bytes())["attributes"]["kind"] == "fit")
    except (OSError, ValueError, KeyError, TypeError):
        return False
