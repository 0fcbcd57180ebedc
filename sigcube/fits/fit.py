"""Fit models to the systems of a cube."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import xarray as xr

from sigcube.cube import Where, kind_of, open_cube
from sigcube.errors import DataError, SpecError, shown
from sigcube.fits.fit_result import fit_result, fitted_parameters, refuse_existing, save_fit
from sigcube.fits.fit_spec import (
    FitModel,
    Objective,
    Scope,
    check_word,
    in_keys_of_a_fit,
    make_model,
    read_fit_file,
    refuse_same_name,
)
from sigcube.fits.problem import FitSolution, Problem
from sigcube.model.frames import frame_of
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.bind import plan_cube
from sigcube.plan.own_code import find_own_code
from sigcube.wording import listed

__all__ = ["Fit"]

#: Called with the name of a model, the number of groups of systems that are done, and that of all.
OnProgress = Callable[[str, int, int], None]


class Fit:
    """The best parameters of models, for each system or for the sample as a whole.

    The engine evaluates a coarse grid over the parameters. From each local minimum of that grid, `scipy.optimize`
    descends to a true one within the bounds.

    Parameters
    ----------
    cube : xarray.Dataset or path
        The data.
    kernel : str or Kernel
        The model. For several, give `models` instead.
    free : Mapping
        For each fitted parameter, its axis of the coarse grid, in any form that a sweep accepts. The ends of the axis
        are the bounds; a parameter whose axis is a `sigcube.geomspace` is searched in its logarithm.
    fixed : Mapping, optional
        Values of parameters and labels of choices that are held. All others have their defaults.
    models : Mapping, optional
        Several models by name: for each a table of ``kernel``, ``free`` and ``fixed``.
    sample : str
        A named selection of the cube; ``"all"`` includes everything.
    where, error_floor
        Which part of the sample to keep, and the smallest error of an observation, as for `sigcube.Sweep`.
    scope : {"system", "sample"}
        Whether each system has its own parameters, or all share them.
    objective : {"chi2", "rms"}
        What is minimised: χ² with the errors of the data, or the RMS residual. The RMS of a sample is the mean over its
        systems.
    metrics : sequence of str or Metric
        Further metrics of the best model, such as ``"scatter_g"``: names in `sigcube.model.metrics.METRICS`, or your
        own.
    title : str, optional
        Title of the result.

    Raises
    ------
    SpecError, DataError
        For anything that cannot work or is not in the cube, before anything runs.

    Examples
    --------
    >>> import sigcube
    >>> from sigcube.readers.mock import mock_survey
    >>> cube = mock_survey(n_galaxies=3, seed=1)
    >>> axes = {"A": sigcube.linspace(0, 5, 21), "xi": sigcube.geomspace(0.1, 50, 21)}
    >>> fit = sigcube.Fit(cube, sample="unflagged", kernel="sigma", free=axes, fixed={"window": "free_scale"})
    >>> fit
    <Fit of sigma (A, xi) to 3 systems>
    >>> fit.run().A.dims
    ('galaxy',)
    """

    def __init__(
        self,
        cube: xr.Dataset | str | Path,
        *,
        kernel: str | Kernel | None = None,
        free: Mapping[str, Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        sample: str = "all",
        where: Where | None = None,
        error_floor: float | str | None = None,
        scope: Scope = "system",
        objective: Objective = "chi2",
        metrics: Sequence[str | Metric] = (),
        title: str | None = None,
    ) -> None:
        check_word("scope", scope, Scope)
        check_word("objective", objective, Objective)
        data = cube if isinstance(cube, xr.Dataset) else open_cube(cube)
        frame_of(data)  # refuses a kind of cube for which models predict nothing
        self.scope, self.objective, self.sample = scope, objective, sample
        kind, tables = kind_of(data).name, _tables(kernel, free, fixed, models)
        made = [
            make_model(name, table, kind=kind, objective=objective, metrics=metrics) for name, table in tables.items()
        ]
        chosen = {"sample": sample, "where": where, "error_floor": error_floor}
        how = {**chosen, "title": title, "kernels": [model.spec.model.kernel for model in made]}
        self._problems = [self._problem(model, data, **how) for model in made]
        fitted_parameters(self._problems)  # refuses parameters that cannot stand in one result, before the search
        self._record = {
            "scope": scope,
            "objective": objective,
            "metrics": [metric if isinstance(metric, str) else metric.name for metric in metrics],
            **{name: each for name, each in self._problems[0].plan.origin.items() if name in chosen},
            "models": [model.record() for model in made],
        }

    @classmethod
    def from_toml(
        cls,
        path: str | Path,
        *,
        fixed: Mapping[str, Any] | None = None,
        where: str | None = None,
        error_floor: float | str | None = None,
    ) -> Self:
        """Read a fit from a TOML file, or the name of one that comes with sigcube.

        Your own kernels and metrics are named ``module:NAME``; modules beside the file are found first.

        The cube's path is relative to the current directory. Arguments override the file: a value in `fixed` is held in
        the models that name it, or in all if none does.
        """
        file = read_fit_file(path).changed(fixed or {}, where=where, error_floor=error_floor)
        found = find_own_code(file.arguments(), folder=Path(path).parent)
        unnamed = {table.kernel for table in file.model if table.name is None}
        models: dict[str, Any] = {}
        for given, table in found["models"].items():
            # A model is called as its kernel is, wherever that was imported from.
            own = isinstance(table["kernel"], Kernel) and given in unnamed
            name = table["kernel"].name if own else given
            if name in models:
                refuse_same_name(name, path)
            models[name] = table
        return cls(**{**found, "models": models})

    def _problem(self, model: FitModel, cube: xr.Dataset, **how: Any) -> Problem:
        """Bind a model to the sample; refuse to fit as many parameters as there are points, or more."""
        with in_keys_of_a_fit(model.name):
            plan, packed = plan_cube(model.spec, cube, **how)
        problem = Problem(model, plan, packed, scope=self.scope, objective=self.objective)
        k = model.space.size
        if short := [systems for systems in problem.groups if problem.n_points(systems) <= k]:
            names = [packed.systems[systems[0]] for systems in short] if self.scope == "system" else ["sample"]
            raise SpecError(
                f"too few points to fit {k} parameters of {model.name}",
                where="sample",
                found=f"{min(map(problem.n_points, short))} in {listed(names)}",
                expected=f"at least {k + 1}",
                hint="fit fewer parameters, choose another sample, or fit it as a whole: scope = 'sample'",
            )
        return problem

    def run(
        self, path: str | Path | None = None, *, overwrite: bool = False, on_progress: OnProgress | None = None
    ) -> xr.Dataset:
        """Fit every model, in this process.

        Parameters
        ----------
        path : path, optional
            Where the result is saved, whole or not at all.
        overwrite : bool
            Whether to replace the result of a fit that is already there.
        on_progress : callable, optional
            Called after each system with the model's name, the number of systems done, and their total.

        Returns
        -------
        xarray.Dataset
            For each model, if there are several, and each system, if each has parameters of its own: the best value
            of every parameter under its name, and its standard error under ``<name>_error``; ``covariance`` over
            ``parameter`` and ``parameter_``; ``at_bound``, a CF flag; the metrics, ``aic`` and ``bic``; ``n_points``,
            ``n_minima`` and ``converged``.

        Raises
        ------
        DataError
            When a model is finite for no system at all, or the result cannot be saved.
        """
        if path is not None:
            refuse_existing(path, overwrite=overwrite)
        solutions = [self._solve(problem, on_progress) for problem in self._problems]
        result = fit_result(self._problems, solutions, self._record)
        if path is not None:
            save_fit(result, path, overwrite=overwrite)
        return result

    def _solve(self, problem: Problem, on_progress: OnProgress | None) -> list[FitSolution]:
        found: list[FitSolution] = []
        for solution in problem.solve():
            found.append(solution)
            if on_progress is not None:
                on_progress(problem.model.name, len(found), len(problem.groups))
        if all(solution.minimum is None for solution in found):
            raise DataError(
                f"{problem.model.name} has no finite {self.objective} for any system of the sample",
                where=self.sample,
                hint=problem.plan.origin.get("lacking", "the model is not finite at points of every system"),
            )
        return found

    def __repr__(self) -> str:
        models = " and ".join(f"{p.model.name} ({', '.join(p.model.space.names)})" for p in self._problems)
        what = "systems" if self.scope == "system" else "systems as one"
        return f"<Fit of {models} to {self._problems[0].packed.n_systems} {what}>"


def _tables(
    kernel: str | Kernel | None,
    free: Mapping[str, Any] | None,
    fixed: Mapping[str, Any] | None,
    models: Any,
) -> Mapping[str, Mapping[str, Any]]:
    """Return one table for each model, whether one or several were given."""
    if (kernel is None) == (not models):
        raise SpecError("a fit needs either a kernel or several models", where="kernel", hint="give one of the two")
    if not models:
        table = {"kernel": kernel, "free": free or {}, "fixed": fixed or {}}
        return {kernel.name if isinstance(kernel, Kernel) else str(kernel): table}
    if free or fixed:
        raise SpecError(
            "each model has what is free and fixed of its own", where="models", hint="name them in its table"
        )
    if not isinstance(models, Mapping):
        what, expected = "models are given by their names", '{"a name": {"kernel": …, "free": …}}'
        raise SpecError(what, where="models", found=shown(models), expected=expected)
    for name, given in models.items():
        if not isinstance(given, Mapping) or "kernel" not in given or not given.keys() <= {"kernel", "free", "fixed"}:
            found = ", ".join(map(str, given)) or "nothing" if isinstance(given, Mapping) else shown(given)
            raise SpecError(f"model {name!r} is not a table of kernel, free and fixed", where="models", found=found)
    return dict(models)
