"""Rows of cells, with every cell that is wrong told by its place."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import Fault
from sigcube.readers.typing import Column

__all__ = ["convert", "header_faults", "parse_cells", "parse_rows", "text_of"]

Line = tuple[int, str]


def text_of(content: bytes, *, where: str, faults: list[Fault]) -> list[Line]:
    """Return the lines of a text file with their numbers, from 1; none, and a fault, if it is no text."""
    try:
        return list(enumerate(content.decode("utf-8").splitlines(), start=1))
    except UnicodeDecodeError as error:
        faults.append(Fault("this is not a text file", where, f"byte {content[error.start]:#04x} at {error.start}"))
        return []


def header_faults(found: Sequence[tuple[str, str]], columns: Sequence[Column], *, where: str) -> list[Fault]:
    """Compare the labels and units that a file's own header gives with those of the recipe.

    Parameters
    ----------
    found : sequence of (str, str)
        Label and unit of each column, the unit as astropy parses it.
    columns : sequence of Column
        What the recipe says.
    where : str
        The file.
    """
    labels, expected = [label for label, _ in found], [column.label for column in columns]
    if missing := [label for label in expected if label not in labels]:
        found_labels = " ".join(labels) or "no header"
        return [Fault(f"column {', '.join(missing)} is missing", where, found_labels, " ".join(expected))]
    if labels != expected:
        return [Fault("the columns are others", where, " ".join(labels), " ".join(expected))]
    return [
        Fault("the unit is another", f"{where}, column {column.label}", repr(unit), repr(column.unit))
        for (_, unit), column in zip(found, columns, strict=True)
        if not _same_unit(unit, column.unit)
    ]


def _same_unit(one: str, other: str) -> bool:
    from astropy.units import Unit

    try:
        return bool(Unit(one) == Unit(other))
    except ValueError:
        return False


def parse_rows(
    lines: Iterable[Line], columns: Sequence[Column], *, dtypes: Mapping[str, str], where: str, faults: list[Fault]
) -> dict[str, list[Any]]:
    """Parse blank-separated rows.

    Parameters
    ----------
    lines : iterable of (int, str)
        Line numbers and rows; blank ones are passed over.
    columns : sequence of Column
        What the cells are.
    dtypes : Mapping of str to str
        For each variable ``"string"``, or NumPy's name of its numbers.
    where : str
        The file, for faults.
    faults : list of Fault
        What is wrong is appended.

    Returns
    -------
    dict
        For each variable, its values over the rows with the right number of cells, in the file's unit; NaN for a cell
        that says "not measured" or is wrong.
    """
    rows = [(number, line.split()) for number, line in lines if line.strip()]
    return parse_cells(rows, columns, dtypes=dtypes, where=where, faults=faults)


def parse_cells(
    rows: Sequence[tuple[int, Sequence[str]]],
    columns: Sequence[Column],
    *,
    dtypes: Mapping[str, str],
    where: str,
    faults: list[Fault],
    may_be_empty: Container[str] = (),
) -> dict[str, list[Any]]:
    """Parse rows that are cut into cells already, as `parse_rows` does.

    Parameters
    ----------
    rows : sequence of (int, sequence of str)
        Line numbers and cells.
    may_be_empty : container of str
        Variables whose numbers are NaN where the cell is empty.
    """
    values: dict[str, list[Any]] = {column.variable: [] for column in columns}
    if not rows:
        faults.append(Fault("there are no rows", where))
    for number, cells in rows:
        place = f"{where} line {number}"
        if len(cells) != len(columns):
            labels = " ".join(column.label for column in columns)
            faults.append(Fault("wrong number of columns", place, str(len(cells)), f"{len(columns)}: {labels}"))
            continue
        for cell, column in zip(cells, columns, strict=True):
            empty = not cell and column.variable in may_be_empty
            value = math.nan if empty else _value(cell, column, dtypes[column.variable], place, faults)
            values[column.variable].append(value)
    return values


def _value(cell: str, column: Column, dtype: str, place: str, faults: list[Fault]) -> str | float:
    if dtype == "string":
        return cell
    place = f"{place}, column {column.label}"
    try:
        # Python reads 1_0 as ten, and digits of other scripts; a data file never means that.
        value = float(cell if "_" not in cell and cell.isascii() else "")
    except ValueError:
        faults.append(Fault("not a number", place, repr(cell)))
        return math.nan
    if value == column.missing:
        if dtype.startswith("int"):
            faults.append(Fault("missing, and a whole number cannot be NaN", place, repr(cell), "a number"))
        return math.nan
    if fault := _number_fault(value, column, dtype, place):
        faults.append(fault)
        return math.nan
    return value


def _number_fault(value: float, column: Column, dtype: str, place: str) -> Fault | None:
    low, high = column.range or (-math.inf, math.inf)
    if not math.isfinite(value):
        return Fault("not a finite number", place, f"{value:g}")
    if not low <= value <= high:
        return Fault("out of range", place, f"{value:g}", f"{low:g} to {high:g}")
    if dtype.startswith("int") and not value.is_integer():
        return Fault("not a whole number", place, f"{value:g}")
    return None


def convert(values: Sequence[float] | npt.NDArray[np.float64], column: Column, unit: str) -> npt.NDArray[np.float64]:
    """Return a column in another unit, float64."""
    from astropy.units import Unit

    array = np.asarray(values, dtype=np.float64)
    if _same_unit(column.unit, unit):
        return array
    return np.asarray(Unit(column.unit).to(Unit(unit), array), dtype=np.float64)
