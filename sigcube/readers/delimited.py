"""Small text tables whose cells are separated by a comma or a bar, under one line of labels."""

import csv
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from sigcube.cube import KINDS
from sigcube.errors import Fault
from sigcube.readers.table import header_faults, parse_cells, text_of
from sigcube.readers.typing import Column, Table

__all__ = ["dtypes_of", "optional_of", "read_csv", "recipe_faults", "split_lines", "twice"]

Row = tuple[int, list[str]]


def read_csv(
    table: Table, *, dtypes: Mapping[str, str], faults: list[Fault], may_be_empty: Container[str] = ()
) -> dict[str, list[Any]]:
    """Read a table separated by commas, whose first line holds the labels of the recipe, in its order.

    Parameters
    ----------
    table : Table
        The file.
    dtypes : Mapping of str to str
        For each variable ``"string"``, or NumPy's name of its numbers.
    faults : list of Fault
        What is wrong is appended.
    may_be_empty : container of str
        Variables whose numbers are NaN where the cell is empty.

    Returns
    -------
    dict
        For each variable its values in the file's unit.
    """
    where = table.path.name
    before = len(faults)
    rows = split_lines(text_of(table.path.read_bytes(), where=where, faults=faults), ",", where=where, faults=faults)
    if len(faults) == before:
        units = {column.label: column.unit for column in table.columns}
        labels = [(label, units.get(label, "")) for label in rows[0][1]] if rows else []
        faults.extend(header_faults(labels, table.columns, where=where))
    if len(faults) > before:
        return {column.variable: [] for column in table.columns}
    return parse_cells(rows[1:], table.columns, dtypes=dtypes, where=where, faults=faults, may_be_empty=may_be_empty)


def split_lines(
    lines: Sequence[tuple[int, str]], delimiter: str, *, where: str, faults: list[Fault]
) -> list[tuple[int, list[str]]]:
    """Cut lines into cells without the blanks around them; blank lines are passed over."""
    rows: list[Row] = []
    for number, line in lines:
        if not line.strip():
            continue
        try:
            (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            faults.append(Fault("the cells cannot be told apart", f"{where} line {number}", str(error)))
            continue
        rows.append((number, [cell.strip() for cell in cells]))
    return rows


def dtypes_of(kind: str) -> dict[str, str]:
    """Return the types of a kind's variables, and of the names of its systems."""
    declared = KINDS[kind]
    return {str(declared.system_dim): "string", **{variable.name: variable.dtype for variable in declared.variables}}


def optional_of(kind: str) -> frozenset[str]:
    """Return the variables that a cube of a kind may lack, and whose single values may be missing too."""
    return frozenset(variable.name for variable in KINDS[kind].variables if not variable.required)


def recipe_faults(tables: Mapping[str, Table], kind: str, needed: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Find what a recipe lacks of the files and columns that a reader cannot be without, and units that do not fit.

    Parameters
    ----------
    tables : Mapping of str to Table
        The files of the recipe, by their roles.
    kind : str
        The kind of cube that the columns go into.
    needed : Mapping of str to sequence of str
        For each role, the variables that must have a column.
    """
    units = {variable.name: variable.unit for variable in KINDS[kind].variables}
    for role, names in needed.items():
        if role not in tables:
            yield Fault("missing", f"files.{role}")
            continue
        given = [column.variable for column in tables[role].columns]
        for name in names:
            if name not in given:
                yield Fault(f"no column for {name!r}", f"files.{role}.columns")
        for name in sorted({name for name in given if given.count(name) > 1}):
            yield Fault(f"several columns for {name!r}", f"files.{role}.columns")
        for column in tables[role].columns:
            unit = units.get(column.variable, "")
            if not _converts(column.unit, unit):
                place = f"files.{role}.columns, {column.label}"
                yield Fault("the unit cannot be converted", place, repr(column.unit), f"one like {unit!r}")


def _converts(unit: str, other: str) -> bool:
    from astropy.units import Unit

    if unit == other:
        return True
    try:
        Unit(unit).to(Unit(other), 1.0)
    except (ValueError, TypeError):
        return False
    return True


def twice(names: Sequence[str], where: str, columns: Sequence[Column]) -> Iterator[Fault]:
    """Find names that are there more than once, or empty."""
    label = columns[0].label if columns else ""
    if "" in names:
        yield Fault("a name is empty", f"{where}, column {label}")
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        if count > 1:
            yield Fault(f"{name} is there {count} times", where, expected="once")
