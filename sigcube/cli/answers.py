"""What commands print of an answer: tables and lines for people, one JSON object for scripts."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from sigcube.cli.app import print_json, print_tables

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Rows", "answer_cell", "print_answer", "rows_of", "say_any"]

Rows = list[dict[str, Any]]

# What is printed as a percentage.
_SHARES = ("first", "total", "shapley", "share")


def rows_of(found: "xr.Dataset", columns: Iterable[str]) -> Rows:
    """Return some variables along one dimension as rows."""
    values = {name: found[name].values.tolist() for name in columns}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def say_any(array: "xr.DataArray", rows: Rows, *, besides: str = "") -> Rows:
    """Replace what the models of rows do not use, of the axes of an array, by ``any``; not the axis `besides`."""
    import numpy as np

    from sigcube.analysis.labelled import axes_along, label_dims
    from sigcube.analysis.statements import free_of

    free, along = free_of(array), {dim: axes_along(array, dim) for dim in map(str, array.dims)}
    for row in rows:
        same = {
            dim: np.all([array[name].values == row[name] for name in along[dim]], axis=0) for dim in label_dims(array)
        }
        # A row without a value has no place.
        if not all(each.any() for each in same.values()):
            continue
        at = tuple(each.argmax() for each in same.values())
        unused = (name for dim, each in free.items() if each[at] and besides not in along[dim] for name in along[dim])
        row |= dict.fromkeys([name for name in unused if name in row], "any")
    return rows


def print_answer(
    about: Mapping[str, Any], as_json: bool, *, of: Iterable["xr.Dataset"] = (), **tables: tuple[str, Rows]
) -> None:
    """Print an answer: tables and lines for people, with the units that the datasets `of` say; JSON for scripts."""
    if as_json:
        print_json(_plain({**about, **{name: rows for name, (_, rows) in tables.items()}}))
        return
    from sigcube.cli.tables import table
    from sigcube.wording import heading

    made, sources = [], tuple(of)
    for title, rows in (each for each in tables.values() if each[1]):
        head = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        right = {name for name in head if isinstance(rows[-1][name], int | float)}
        cells = [[answer_cell(name, row[name]) for name in head] for row in rows]
        made.append(table(title, [">" * (name in right) + heading(name, *sources) for name in head], cells))
    print_tables(made)
    for name, value in about.items():
        typer.echo(f"{name}: {answer_cell(name, value)}")


def answer_cell(name: str, value: Any) -> str:
    """Format a value for a table: shares in per cent, whole counts, other numbers as `sigcube.wording.amount`."""
    from sigcube.wording import amount

    if value is None:
        return ""
    if isinstance(value, float) and math.isnan(value):
        return "–"
    return f"{value:.1%}" if name in _SHARES else f"{value:,}" if isinstance(value, int) else amount(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: null for what is not a finite number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
