"""What commands print of kernels, datasets, cubes, results and fits: tables for a terminal, and a store's state."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from rich import box
from rich.table import Table
from rich.text import Text

from sigcube.analysis import bootstrap_win_rate, model_summary, wins
from sigcube.analysis.best import best_points, default_summary, summaries
from sigcube.analysis.labelled import is_label
from sigcube.analysis.lacking import first_with_values, why_no_value
from sigcube.analysis.model_comparison import metric_names, system_dims
from sigcube.cli.app import fits_in
from sigcube.constants import PAPER
from sigcube.cube import Summary
from sigcube.cube.inspection import describe_counts, describe_file
from sigcube.kernels import KERNELS, find
from sigcube.model.frames import FRAMES
from sigcube.model.model import CONSTANTS_CHOICE
from sigcube.model.record import Choice, Parameter
from sigcube.store import StoreStatus
from sigcube.wording import amount, count, duration, heading, number, plural

__all__ = [
    "best_table",
    "cube_tables",
    "dataset_tables",
    "describe_status",
    "fit_notes",
    "fit_tables",
    "kernel_tables",
    "table",
]

# In a narrower terminal the long texts about datasets have a table of their own.
_WIDE = 150
_DATASET = ("name", "kind", ">systems", ">points", "cube here")
_DATASET_TEXTS = {"citation": "citation", "licence": "licence", "origin": "raw files from"}
_CUBE_HERE = {"present": "yes", "absent": "no", "unreadable": "broken"}
# Means and medians of χ² are those of χ² per degree of freedom, which has columns of its own.
_NOT_SHOWN = ("chi2_mean", "chi2_median", "n_converged")
_MOST_ERRORS = 5


def table(title: str, head: Iterable[str], rows: Iterable[Sequence[object] | None]) -> Table:
    """Make a table for a terminal; nothing in it is taken for markup.

    A column whose title begins with ``>`` is aligned to the right. A row that is None ends a section.
    """
    made = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in head:
        is_number = name.startswith(">")
        # A number in two lines is read as another one.
        made.add_column(
            Text(name.removeprefix(">")),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number,
        )
    for row in rows:
        if row is None:
            made.add_section()
        else:
            made.add_row(*(Text(str(cell)) for cell in row))
    return made


def kernel_tables(name: str | None = None) -> list[Table]:
    """Return the tables of one kernel, or of all, and of what all kernels share."""
    tables: list[Table] = []
    for kernel in KERNELS.values() if name is None else [find(name)]:
        tables.append(_parameter_table(kernel.parameters, f"{kernel.name}: {kernel.title} ({kernel.source})"))
        if kernel.choices:
            tables.append(_choice_table(kernel.choices, f"{kernel.name}: choices, * by default"))
    for frame in FRAMES.values():
        if frame.parameters:
            tables.append(_parameter_table(frame.parameters, f"every kernel, on a {frame.kind} cube"))
        if frame.choices:
            tables.append(_choice_table(frame.choices, f"every kernel, on a {frame.kind} cube: choices, * by default"))
    return [*tables, _choice_table([CONSTANTS_CHOICE], "every kernel: choices, * by default")]


def metric_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return `sigcube.cli.catalogue.metric_records` as a table."""
    rows = [
        (each["name"], each["meaning"], _metric_unit(each["unit"]), _of_what(each["summaries"]), each["best"])
        for each in records
    ]
    return table("metrics", ("metric", "meaning", "unit", "one value for", "best"), rows)


def _of_what(summaries: Sequence[str]) -> str:
    if not summaries:
        return "all points of the sample"
    return f"each system, their {', '.join(summaries[:-1])} and {summaries[-1]}"


def _metric_unit(unit: str | None) -> str:
    return "as observed" if unit is None else unit or "–"


def _parameter_table(parameters: Sequence[Parameter], title: str) -> Table:
    head = ("parameter", "symbol", "default", "unit", "bounds", "status", "source", "meaning")
    rows = []
    for each in parameters:
        default, bounds = number(each.value(PAPER)), "{:g} … {:g}".format(*each.bounds)
        about = (each.status, each.source, each.description)
        rows.append((each.name, each.symbol, default, each.unit or "–", bounds, *about))
    return table(title, head, rows)


def _choice_table(choices: Sequence[Choice], title: str) -> Table:
    rows: list[Sequence[str] | None] = []
    for choice in choices:
        for label, option in choice.options.items():
            name = choice.name if label == next(iter(choice.options)) else ""
            star = " *" if label == choice.default else ""
            rows.append((name, label + star, option.source, option.description))
        rows.append(None)
    return table(title, ("choice", "label", "source", "meaning"), rows)


def dataset_tables(records: Sequence[Mapping[str, Any]], *, width: int) -> list[Table]:
    """Return `sigcube.cli.catalogue.dataset_records` as a table, or as two that fit in fewer columns."""
    short, texts = [], []
    for record in records:
        counts = ("–" if record[name] is None else f"{record[name]:,}" for name in ("systems", "points"))
        short.append((record["name"], record["kind"], *counts, _CUBE_HERE[record["state"]]))
        texts.append([record[name] for name in _DATASET_TEXTS])
    rows = [(*first, *rest) for first, rest in zip(short, texts, strict=True)]
    wide = table("", (*_DATASET, *_DATASET_TEXTS.values()), rows)
    if width >= _WIDE and fits_in(wide, width):
        return [wide]
    long = [(first[0], *rest) for first, rest in zip(short, texts, strict=True)]
    return [table("", _DATASET, short), table("", ("name", *_DATASET_TEXTS.values()), long)]


def cube_tables(path: object, summary: Summary) -> list[Table]:
    """Return what a cube holds as tables: about it, flags, samples, and the range of every number."""
    about = Table(
        title=Text(f"{path}: a valid {summary.kind} cube", style="bold"),
        title_justify="left",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    about.add_column(style="dim", no_wrap=True)
    about.add_column(overflow="fold")
    for name, text in (
        ("title", summary.title),
        ("holds", describe_counts(summary.kind, summary.counts)),
        ("citation", summary.citation),
        ("licence", summary.licence),
        ("raw files", "\n".join(map(describe_file, summary.raw_files)) or "none"),
        ("fingerprint", summary.fingerprint),
    ):
        about.add_row(name, Text(text))
    # Beside what draws the plots of pages, which other commands do not need.
    from sigcube.explore.cube_page import flag_table, sample_table

    flags, samples = flag_table(summary), sample_table(summary)
    ranges = []
    for each in summary.ranges:
        ends = ("–" if end is None else number(end) for end in (each.smallest, each.median, each.largest))
        ranges.append((each.name, each.unit or "–", *ends, f"{each.missing:,}"))
    return [
        about,
        table("Flags", flags.head, flags.rows),
        table("Samples", samples.head, samples.rows),
        table("Ranges", ("variable", "unit", ">smallest", ">median", ">largest", ">missing"), ranges),
    ]


def best_table(result: xr.Dataset, *, of: str = "") -> Table | Text:
    """Return `sigcube.analysis.best.best_points` as a table, of one of several datasets or the only one.

    Where no point has a value it is a text, which says why.
    """
    names = sorted(summaries(result), key=lambda name: name != default_summary(result))
    value = first_with_values(result, names)
    # The store keeps coordinates in alphabetical order; the axes stand in the order of the grid's dimensions.
    dims = list(result["status"].dims)
    axes = [(dims.index(c.dims[0]), str(n)) for n, c in result.coords.items() if c.ndim == 1 and c.dims[0] in dims]
    others = [name for name in names if name != value and not name.endswith("_median")]
    columns = [*(name for _, name in sorted(axes)), value, *sorted(others, key=lambda name: name != "win_rate")[:4]]
    rows = [
        ["any" if point[name] is None else amount(point[name]) for name in columns]
        for point in best_points(result, value=value)
    ]
    if not rows:
        return _why_no_value(result, value)
    title = f"{f'{of}: best' if of else 'Best'} {value} under each reading"
    heads = [">" * (not is_label(result[name])) + heading(name, result) for name in columns]
    return table(title, heads, rows)


def _why_no_value(result: xr.Dataset, value: str) -> Text:
    """Say which systems have no value anywhere, for one of them leaves a summary without any."""
    text = f"no point of the grid has a finite {value}"
    metric = value.rpartition("_")[0]
    if dims := [dim for dim in system_dims(result) if metric in result and dim in result[metric].dims]:
        others = [dim for dim in result[metric].dims if dim != dims[0]]
        without = result[dims[0]][result[metric].isnull().all(others).values].values
        if without.size:
            first = ", ".join(map(str, without[:3])) + (", …" if without.size > 3 else "")
            text += f": it lacks {without.size} of {plural(result.sizes[dims[0]], dims[0])}, {first}"
    return Text(f"{text}; {why_no_value(result)}")


def fit_tables(result: xr.Dataset) -> list[Table]:
    """Return what a fit found as tables: its models, and their parameters."""
    fits = _with_models(result)
    return [_model_table(fits), _fitted_table(fits)]


def fit_notes(result: xr.Dataset) -> list[str]:
    """Return what else there is to say of a fit: wins of models, several minima, what did not converge."""
    fits = _with_models(result)
    notes = []
    if system_dims(fits):
        by = "chi2_red" if "chi2_red" in fits else "rms"
        for first, second in combinations(map(str, fits["model"].values), 2):
            won = wins(fits, first, second, by=by)
            # A model may have no finite value for some systems, and one system cannot be resampled.
            rate = f"; bootstrap over systems {bootstrap_win_rate(fits, first, second, by=by)}" if won.n > 1 else ""
            notes.append(f"{won}{rate}")
    several, failed = int((fits["n_minima"] > 1).sum()), int((~fits["converged"]).sum())
    if several:
        notes.append(f"{several} of {fits['n_minima'].size} fits have more than one minimum; the lowest is taken")
    if failed:
        notes.append(f"caution: {failed} of {fits['converged'].size} fits did not converge, or have no finite value")
    return notes


def _with_models(result: xr.Dataset) -> xr.Dataset:
    return result if "model" in result.dims else result.expand_dims("model")


def _model_table(fits: xr.Dataset) -> Table:
    """Return a row for each model: means, medians and sums over systems, or the values of the sample."""
    figures = model_summary(fits) if system_dims(fits) else fits[metric_names(fits)]
    shown = [str(name) for name in figures.data_vars if figures[name].dims == ("model",) and name not in _NOT_SHOWN]
    rows = [
        (model, ", ".join(_fitted(fits, model)), *(amount(figures[name].sel(model=model).item()) for name in shown))
        for model in fits["model"].values
    ]
    return table("Models", ("model", "parameters", *(f">{heading(name, figures)}" for name in shown)), rows)


def _fitted_table(fits: xr.Dataset) -> Table:
    """Return a row for each parameter of each model: its values over systems, or its value, and the bounds hit."""
    single = not system_dims(fits)
    columns = (">best", ">error") if single else (">median", ">16 %", ">84 %")
    rows: list[Sequence[str] | None] = []
    for model in fits["model"].values:
        for row, name in enumerate(_fitted(fits, model)):
            best, error = (fits[each].sel(model=model).values.ravel() for each in (name, f"{name}_error"))
            values = [best[0], error[0]] if single else np.nanquantile(best, [0.5, 0.16, 0.84])
            sides = fits["at_bound"].sel(model=model, parameter=name).values
            hits = [str(int((sides == _bound_flag(fits, side)).sum())) for side in ("lower", "upper")]
            rows.append(("" if row else model, heading(name, fits), *map(number, values), *hits))
        rows.append(None)
    return table("Parameters", ("model", "parameter", *columns, ">at lower bound", ">at upper bound"), rows)


def _fitted(fits: xr.Dataset, model: str) -> list[str]:
    """Name the parameters that a model was fitted with."""
    sides = fits["at_bound"].sel(model=model)
    fitted = (sides != _bound_flag(fits, "not_fitted")).any([dim for dim in sides.dims if dim != "parameter"])
    return [str(name) for name in fits["parameter"].values[fitted.values]]


def _bound_flag(fits: xr.Dataset, meaning: str) -> int:
    return str(fits["at_bound"].attrs["flag_meanings"]).split().index(meaning)


def describe_status(status: StoreStatus) -> str:
    """Return the state of a store as lines of text."""
    share = f" ({status.done / status.blocks:.0%})" if status.done < status.blocks else ""
    rows = [
        ("blocks", f"{count(status.done)} of {count(status.blocks)} done{share}"),
        ("points", f"{count(status.points_done)} of {count(status.points)} computed"),
    ]
    if status.invalid:
        rows.append(("invalid", f"{count(status.invalid)} grid points where not every metric is finite"))
    if status.failed or status.killed:
        rows.append(("failures", f"{status.failed} failed, {status.killed} killed their worker"))
    if status.evaluations_per_second:
        rows.append(("speed", f"{count(status.evaluations_per_second)} evaluations/s"))
    if status.holder is not None:
        left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
        state = f"running on {status.holder.host}, process {status.holder.pid}{left}"
    elif status.todo:
        state = f"stopped with {plural(status.todo, 'block')} to do; the same sweep command resumes it"
    else:
        state = "complete but for the failures; --retry-failed tries them again" if status.errors else "complete"
    rows.append(("state", state))
    rows += [("", f"block {entry.block} {entry.status.word}: {entry.error}") for entry in status.errors[:_MOST_ERRORS]]
    if len(status.errors) > _MOST_ERRORS:
        rows.append(("", f"and {len(status.errors) - _MOST_ERRORS} more; --json shows all"))
    return "\n".join(f"  {label:<10}{text}".rstrip() for label, text in rows)
