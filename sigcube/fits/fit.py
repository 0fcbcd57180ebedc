"""A fit from its spec to its result."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from sigcube.cube import kind_of, open_cube
from sigcube.errors import DataError, SpecError
from sigcube.fits.fit_spec import (
    FitModel,
    ModelTable,
    Objective,
    Scope,
    check_word,
    make_models,
    model_record,
    read_fit_file,
    renamed,
)
from sigcube.fits.fit_store import refuse_existing, save_fit
from sigcube.fits.outcome import outcome
from sigcube.fits.problem import FitSolution, Problem
from sigcube.model.frames import frame_of
from sigcube.model.kernel import Kernel
from sigcube.plan.bind import plan_cube
from sigcube.plan.plan import Plan

__all__ = ["Fit"]

#: Called with the model's name, the number of its systems done, and of all its systems.
OnProgress = Callable[[str, int, int], None]


class Fit:
    """The parameters at which models are nearest to the data, for each system or for the sample as a whole.

    A coarse grid over the parameters is evaluated by the engine; from each of its local minima `scipy.optimize` goes
    down to a true one between the bounds.

    Parameters
    ----------
    cube : xarray.Dataset or path
        The data.
    kernel : str or Kernel
        The model. Several are given by `models` instead.
    parameters : Mapping
        For each parameter that is fitted, the axis of the coarse grid, as a sweep takes it. Its ends are the bounds; a
        parameter whose axis is a `sigcube.geomspace` is searched in its logarithm.
    settings : Mapping, optional
        Values and labels held fixed; what is named neither here nor in `parameters` has its default.
    models : Mapping, optional
        For each of several models, by a name for it, a table of ``kernel``, ``parameters`` and ``settings``.
    sample : str
        A named selection of the cube; ``"all"`` leaves nothing out.
    scope : {"system", "sample"}
        Whether each system has parameters of its own, or all share theirs.
    objective : {"chi2", "rms"}
        What is made small: χ² with the errors of the data, or the RMS residual; of a sample, the mean of its systems'
        RMS.
    metrics : sequence of str
        Further metrics of the best model, such as ``"scatter_g"``, names in `sigcube.model.metrics.METRICS`.
    title : str, optional
        Title of the result.

    Raises
    ------
    SpecError, DataError
        As soon as something cannot be: before anything runs.

    Examples
    --------
    >>> import sigcube
    >>> from sigcube.readers.mock import mock_survey
    >>> cube = mock_survey(n_galaxies=3, seed=1)
    >>> axes = {"A": sigcube.linspace(0, 5, 21), "xi": sigcube.geomspace(0.1, 50, 21)}
    >>> fit = sigcube.Fit(cube, sample="unflagged", kernel="sigma", parameters=axes, settings={"window": "free_scale"})
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
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        sample: str = "all",
        scope: Scope = "system",
        objective: Objective = "chi2",
        metrics: Sequence[str] = (),
        title: str | None = None,
    ) -> None:
        check_word("scope", scope, Scope)
        check_word("objective", objective, Objective)
        data = cube if isinstance(cube, xr.Dataset) else open_cube(cube)
        frame_of(data)
        tables = _tables(kernel, parameters, settings, models)
        made = make_models(tables, kind=kind_of(data).name, objective=objective, metrics=metrics)
        self.scope, self.objective = scope, objective
        self._plans: list[Plan] = []
        self._problems = [self._met(model, data, sample, title) for model in made]
        self._record = {
            "scope": scope,
            "objective": objective,
            "metrics": list(metrics),
            "sample": sample,
            "models": [model_record(model) for model in made],
        }

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a fit from its TOML file, or a shipped one by name; its cube counts from the current directory."""
        file = read_fit_file(path)
        given = file.model_dump(exclude={"model"})
        models: dict[str, dict[str, Any]] = {}
        for table in file.model:
            name = str(table.name or table.kernel)
            if name in models:
                raise SpecError(
                    f"two models are called {name!r}", where=f"{path}, model", hint="give each a name of its own"
                )
            models[name] = table.model_dump(exclude={"name"})
        return cls(models=models, **given)

    def _met(self, model: FitModel, cube: xr.Dataset, sample: str, title: str | None) -> Problem:
        """Meet a model with the sample."""
        try:
            plan, packed = plan_cube(model.spec, cube, sample=sample, title=title)
        except SpecError as error:
            raise renamed(error, model.name) from None
        self._plans.append(plan)
        problem = Problem(model, plan.sections[0].model, packed, scope=self.scope, objective=self.objective)
        _check_points(problem)
        return problem

    def run(
        self, path: str | Path | None = None, *, overwrite: bool = False, on_progress: OnProgress | None = None
    ) -> xr.Dataset:
        """Fit every model to every system, here and now.

        Parameters
        ----------
        path : path, optional
            Where the result is saved, whole or not at all.
        overwrite : bool
            Whether a result of a fit that is already there may be replaced.
        on_progress : callable, optional
            Called with the model's name, the number of systems done, and that of all, after each system.

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
        solutions = [self._solved(problem, on_progress) for problem in self._problems]
        result = outcome(self._problems, solutions, self._plans, self._record)
        if path is not None:
            save_fit(result, path, overwrite=overwrite)
        return result

    def _solved(self, problem: Problem, on_progress: OnProgress | None) -> list[FitSolution]:
        found: list[FitSolution] = []
        for solution in problem.solve():
            found.append(solution)
            if on_progress is not None:
                on_progress(problem.model.name, len(found), problem.n_units)
        if all(solution.minimum is None for solution in found):
            raise DataError(
                f"{problem.model.name} has no finite {self.objective} for any system of the sample",
                where=str(self._record["sample"]),
                hint="choose a sample without flagged points"
                + (", or, where errors are unknown, the objective 'rms'" if self.objective == "chi2" else ""),
            )
        return found

    def __repr__(self) -> str:
        models = " and ".join(f"{p.model.name} ({', '.join(p.model.space.names)})" for p in self._problems)
        n = self._problems[0].packed.n_systems
        what = "systems" if self.scope == "system" else "systems as one"
        return f"<Fit of {models} to {n} {what}>"


def _tables(
    kernel: str | Kernel | None,
    parameters: Mapping[str, Any] | None,
    settings: Mapping[str, Any] | None,
    models: Mapping[str, Mapping[str, Any]] | None,
) -> list[ModelTable]:
    """Return the models as tables, however they were given."""
    if (kernel is None) == (not models):
        raise SpecError("a fit needs either a kernel or several models", where="kernel", hint="give one of the two")
    if not models:
        return [ModelTable(kernel=kernel, parameters=dict(parameters or {}), settings=dict(settings or {}))]
    if parameters or settings:
        raise SpecError("each model has its own parameters and settings", where="models", hint="name them in its table")
    return [_table(name, given) for name, given in models.items()]


def _table(name: str, given: Mapping[str, Any]) -> ModelTable:
    unknown = [key for key in given if key not in ("kernel", "parameters", "settings")]
    if unknown or "kernel" not in given:
        raise SpecError(
            f"model {name!r} is not a table of a kernel, parameters and settings",
            where="models",
            found=", ".join(given) or "nothing",
        )
    return ModelTable(**{"parameters": {}, **given}, name=name)


def _check_points(problem: Problem) -> None:
    """Refuse to fit as many parameters as there are points, or more."""
    k = problem.model.space.size
    short = [unit for unit in range(problem.n_units) if problem.n_points(unit) <= k]
    if short:
        names = ", ".join(problem.packed.systems[unit] for unit in short[:5]) if problem.scope == "system" else "sample"
        fewest = int(np.min([problem.n_points(unit) for unit in short]))
        raise SpecError(
            f"too few points to fit {k} parameters of {problem.model.name}",
            where="sample",
            found=f"{fewest} in {names}" + (f" and {len(short) - 5} more" if len(short) > 5 else ""),
            expected=f"at least {k + 1}",
            hint="fit fewer parameters, choose another sample, or fit it as a whole: scope = 'sample'",
        )
