"""Kernels, results and fits as tables for a terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.constants import PAPER
from sigcube.kernels import KERNELS, find
from sigcube.kernels.frames import FRAMES
from sigcube.kernels.graph import CONSTANTS_CHOICE
from sigcube.kernels.record import Choice, Kernel, Parameter
from sigcube.report import number

__all__ = [
    "best_place",
    "best_points",
    "best_table",
    "far_from_best",
    "fit_notes",
    "fit_tables",
    "kernel_records",
    "kernel_tables",
    "summaries",
]

# Values read at a time when a map is searched for its best.
_SLAB = 2**24


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


def best_points(result: xr.Dataset, *, value: str | None = None) -> list[dict[str, Any]]:
    """Find the best value of a summary under each combination of labels, by the ``best`` that it says of itself.

    Parameters
    ----------
    result : xarray.Dataset
        A result, which may be lazy: it is read in parts.
    value : str, optional
        The summary; ``rms_mean`` where there is one.

    Returns
    -------
    list of dict
        For each combination, the labels, the axes' values at the best point (None for an axis that makes no difference
        there), and every summary at that point. Combinations without a finite value are left out.
    """
    value = value or _default_value(result)
    array = result[value]
    labels = [str(dim) for dim in array.dims if _is_label_dim(result, str(dim))]
    found = []
    for place in np.ndindex(*(array.sizes[dim] for dim in labels)):
        chosen = result.isel(dict(zip(labels, map(int, place), strict=True)))
        at = best_place(chosen[value])
        if at is not None:
            found.append(_point(chosen, at, value))
    return found


def summaries(result: xr.Dataset) -> list[str]:
    """Name the summaries of a result: what has one value at each grid point."""
    grid = set(result["status"].dims)
    return [str(name) for name, variable in result.data_vars.items() if name != "status" and set(variable.dims) <= grid]


def _default_value(result: xr.Dataset) -> str:
    names = summaries(result)
    return "rms_mean" if "rms_mean" in names else names[0]


def _is_label_dim(result: xr.Dataset, dim: str) -> bool:
    """Whether a label lies along a dimension; numbers are all of kind i, u or f."""
    return any(coord.dims == (dim,) and coord.dtype.kind not in "iuf" for coord in result.coords.values())


# How far a value is from the best, by the attribute that says what is best.
_FAR_FROM: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "smallest": np.asarray,
        "largest": np.negative,
        "zero": np.abs,
        "one": lambda values: np.abs(np.log(values)),
    }
)


def far_from_best(array: xr.DataArray) -> npt.NDArray[np.float64]:
    """Return how far values are from the best, infinity where they are not finite."""
    values = array.values
    with np.errstate(divide="ignore", invalid="ignore"):
        far = _FAR_FROM[array.attrs.get("best", "smallest")](values)
    # No ratio below zero has a logarithm.
    return np.where(np.isfinite(values) & ~np.isnan(far), far, np.inf)


def best_place(array: xr.DataArray) -> dict[str, int] | None:
    """Find the place of the best finite value; ties go to the first."""
    if not array.ndim:
        return {} if np.isfinite(array.values) else None
    first, rest = str(array.dims[0]), array.sizes[array.dims[0]]
    step = max(1, _SLAB * rest // max(array.size, 1))
    best, at = np.inf, None
    for start in range(0, rest, step):
        values = far_from_best(array.isel({first: slice(start, start + step)}))
        flat = int(values.argmin())
        if values.flat[flat] < best:
            place = np.unravel_index(flat, values.shape)
            best, at = float(values.flat[flat]), dict(zip(map(str, array.dims), map(int, place), strict=True))
            at[first] += start
    return at


def _point(chosen: xr.Dataset, at: dict[str, int], value: str) -> dict[str, Any]:
    here = chosen[summaries(chosen)].isel(at)
    used = {dim: _matters(chosen[value], at, dim) for dim in at}
    record: dict[str, Any] = {}
    for name, coord in chosen.coords.items():
        if coord.ndim > 1 or any(dim not in at for dim in coord.dims):
            continue
        item = coord.isel({dim: at[str(dim)] for dim in coord.dims}).item()
        record[str(name)] = item if all(used[str(dim)] for dim in coord.dims) else None
    return record | {name: float(here[name]) for name in summaries(chosen)}


def _matters(array: xr.DataArray, at: dict[str, int], dim: str) -> bool:
    line = array.isel({other: place for other, place in at.items() if other != dim}).values
    return line.size == 1 or not bool((line == line[0]).all())


def best_table(result: xr.Dataset, *, value: str | None = None) -> Table:
    """Return `best_points` as a table."""
    value = value or _default_value(result)
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
