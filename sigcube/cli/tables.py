"""Kernels, results and fits as tables for a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.analysis.best import best_points, default_summary, summaries
from sigcube.constants import PAPER
from sigcube.kernels import KERNELS, find
from sigcube.model.frames import FRAMES
from sigcube.model.kernel import Kernel
from sigcube.model.model import CONSTANTS_CHOICE
from sigcube.model.record import Choice, Parameter
from sigcube.wording import number

__all__ = ["best_table", "fit_notes", "fit_tables", "kernel_records", "kernel_tables"]


def kernel_tables(name: str | None = None) -> list[Table]:
    """Return the tables of one kernel, or of all and of what they share.

    Raises
    ------
    SpecError
        For a name that is not a kernel.
    """
    tables: list[Table] = []
    for kernel in _chosen(name):
        title = f"{kernel.name}: {kernel.title} ({kernel.source})"
        tables.append(_parameter_table(kernel.parameters, title))
        if kernel.choices:
            tables.append(_choice_table(kernel.choices, f"{kernel.name}: choices, * by default"))
    for frame in FRAMES.values():
        if frame.parameters:
            tables.append(_parameter_table(frame.parameters, f"every kernel, on a {frame.kind} cube"))
        if frame.choices:
            tables.append(_choice_table(frame.choices, f"every kernel, on a {frame.kind} cube: choices, * by default"))
    tables.append(_choice_table([CONSTANTS_CHOICE], "every kernel: choices, * by default"))
    return tables


def kernel_records(name: str | None = None) -> list[dict[str, Any]]:
    """Return one kernel, or all, as JSON-able values."""
    return [
        {
            "name": kernel.name,
            "title": kernel.title,
            "source": kernel.source,
            "parameters": [
                {**asdict(p), "default": p.value(PAPER)} for p in (*kernel.parameters, *_shared_parameters())
            ],
            "choices": [_choice_record(choice) for choice in (*kernel.choices, CONSTANTS_CHOICE)],
        }
        for kernel in _chosen(name)
    ]


def _chosen(name: str | None) -> Iterable[Kernel]:
    return KERNELS.values() if name is None else [find(name)]


def _shared_parameters() -> tuple[Parameter, ...]:
    return tuple(parameter for frame in FRAMES.values() for parameter in frame.parameters)


def _choice_record(choice: Choice) -> dict[str, Any]:
    options = {
        label: {"source": option.source, "description": option.description} for label, option in choice.options.items()
    }
    return {"name": choice.name, "description": choice.description, "default": choice.default, "labels": options}


def _parameter_table(parameters: Sequence[Parameter], title: str) -> Table:
    table = _table(title, "parameter", "symbol", "default", "unit", "bounds", "status", "source", "meaning")
    for parameter in parameters:
        low, high = parameter.bounds
        table.add_row(
            parameter.name,
            parameter.symbol,
            number(parameter.value(PAPER)),
            parameter.unit or "–",
            f"{low:g} … {high:g}",
            parameter.status,
            parameter.source,
            parameter.description,
        )
    return table


def _choice_table(choices: Sequence[Choice], title: str) -> Table:
    table = _table(title, "choice", "label", "source", "meaning")
    for choice in choices:
        for row, (label, option) in enumerate(choice.options.items()):
            star = " *" if label == choice.default else ""
            table.add_row("" if row else choice.name, label + star, option.source, escape(option.description))
        table.add_section()
    return table


def best_table(result: xr.Dataset, *, value: str | None = None) -> Table:
    """Return `best_points` as a table."""
    value = value or default_summary(result)
    points = best_points(result, value=value)
    axes = _axes(result)
    others = [name for name in summaries(result) if name != value and not name.endswith("_median")]
    columns = [*axes, value, *sorted(others, key=lambda name: name != "win_rate")[:4]]
    table = _table(f"Best {value} under each reading", *(_heading(result, name) for name in columns))
    for point in points:
        table.add_row(*("any" if point[name] is None else number(point[name]) for name in columns))
    return table


def fit_tables(result: xr.Dataset) -> list[Table]:
    """Return what a fit found as tables: its models, and their parameters."""
    whole = _with_models(result)
    return [_fitted_models(whole), _fitted_parameters(whole)]


def fit_notes(result: xr.Dataset) -> list[str]:
    """Return what is to be said of a fit besides its tables: wins of models, minima, what did not converge."""
    from sigcube.analysis import bootstrap_win_rate, wins

    whole = _with_models(result)
    models = [str(name) for name in whole["model"].values]
    notes: list[str] = []
    if len(models) > 1 and _per_system(whole):
        by = "chi2_red" if "chi2_red" in whole else "rms"
        for first, second in combinations(models, 2):
            rate = bootstrap_win_rate(whole, first, second, by=by) if whole.sizes[_per_system(whole)[0]] > 1 else ""
            notes.append(f"{wins(whole, first, second, by=by)}; bootstrap over systems {rate}".removesuffix(" "))
    several, failed = int((whole["n_minima"] > 1).sum()), int((~whole["converged"]).sum())
    if several:
        notes.append(f"{several} of {whole['n_minima'].size} fits have more than one minimum; the lowest is taken")
    if failed:
        notes.append(f"caution: {failed} of {whole['converged'].size} fits did not converge, or have no finite value")
    return notes


def _with_models(result: xr.Dataset) -> xr.Dataset:
    return result if "model" in result.dims else result.expand_dims("model")


def _per_system(whole: xr.Dataset) -> list[str]:
    return [str(dim) for dim in whole["n_points"].dims if dim != "model"]


def _fitted_models(whole: xr.Dataset) -> Table:
    """Return a line for each model: means, medians and sums over systems, or the values of the sample."""
    from sigcube.analysis import model_summary

    figures = model_summary(whole)
    if not _per_system(whole):
        figures = whole[[str(n) for n, v in whole.data_vars.items() if "best" in v.attrs or n in ("aic", "bic")]]
    shown = [str(name) for name in figures.data_vars if figures[name].dims == ("model",) and name not in _NOT_SHOWN]
    table = _table("Models", "model", "parameters", *(_heading(figures, name) for name in shown))
    for model in whole["model"].values:
        fitted = _fitted(whole, model)
        table.add_row(model, ", ".join(fitted), *(number(figures[name].sel(model=model).item()) for name in shown))
    return table


_NOT_SHOWN = ("chi2_mean", "chi2_median", "n_converged")


def _fitted_parameters(whole: xr.Dataset) -> Table:
    """Return a line for each parameter of each model: where the systems lie, or the value, and the bounds hit."""
    single = not _per_system(whole)
    columns = ("best", "error") if single else ("median", "16 %", "84 %")
    table = _table("Parameters", "model", "parameter", *columns, "at lower bound", "at upper bound")
    for model in whole["model"].values:
        for row, name in enumerate(_fitted(whole, model)):
            best, error = (whole[each].sel(model=model).values.ravel() for each in (name, f"{name}_error"))
            values = [best[0], error[0]] if single else np.nanquantile(best, [0.5, 0.16, 0.84])
            sides = whole["at_bound"].sel(model=model, parameter=name).values
            hits = [str(int((sides == _flag(whole, side)).sum())) for side in ("lower", "upper")]
            table.add_row("" if row else model, _heading(whole, name), *map(number, values), *hits)
        table.add_section()
    return table


def _fitted(whole: xr.Dataset, model: str) -> list[str]:
    """Name the parameters that a model was fitted with."""
    sides = whole["at_bound"].sel(model=model)
    fitted = (sides != _flag(whole, "not_fitted")).any([dim for dim in sides.dims if dim != "parameter"])
    return [str(name) for name in whole["parameter"].values[fitted.values]]


def _flag(whole: xr.Dataset, meaning: str) -> int:
    return str(whole["at_bound"].attrs["flag_meanings"]).split().index(meaning)


def _axes(result: xr.Dataset) -> list[str]:
    """Name the axes in the order of the grid's dimensions; a store keeps coordinates by the alphabet."""
    dims = list(result["status"].dims)
    named = [(dims.index(c.dims[0]), str(n)) for n, c in result.coords.items() if c.ndim == 1 and c.dims[0] in dims]
    return [name for _, name in sorted(named)]


def _heading(result: xr.Dataset, name: str) -> str:
    units = result[name].attrs.get("units", "")
    return escape(f"{name} [{units}]") if units else name


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
