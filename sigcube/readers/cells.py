"""From the cells of one column to what a cube holds: float64 in the cube's unit, int64 to the last digit, or text."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.readers.typing import Column

__all__ = ["Cells", "Wrong", "WrongCells", "factor_to", "masked_by", "read_cells"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_TOLD = 20
_NULLS = ("", "null", "NULL")
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?", re.ASCII)
_INT64 = (-(2**63), 2**63 - 1)
# Beyond this a float64 no longer tells neighbouring whole numbers apart.
_EXACT = 2.0**53


@dataclass(frozen=True)
class Cells:
    """Some rows of one column, as the file gives them.

    Attributes
    ----------
    values : ndarray or pyarrow.StringArray
        Numbers, or text; text of a text file is in the latter, empty cells being null.
    missing : ndarray of bool, or None
        Where the file says that there is no value.
    """

    values: Any
    missing: BoolArray | None = None


@dataclass(frozen=True)
class Wrong:
    """One cell that is wrong, its row counted from 0; a row of -1 stands for the whole column."""

    row: int
    label: str
    what: str
    found: str | None = None
    expected: str | None = None


@dataclass
class WrongCells:
    """The first wrong cells of each column, and how many there are in all."""

    told: list[Wrong] = field(default_factory=list)
    count: int = 0
    _rows: dict[str, set[int]] = field(default_factory=dict)

    def add(self, rows: Any, label: str, what: str, found: Callable[[int], str], expected: str | None = None) -> None:
        """Note that something is wrong in some rows; of a cell the first that is said counts."""
        known = self._rows.setdefault(label, set())
        rows = [int(row) for row in rows if int(row) not in known]
        known.update(rows)
        self.count += len(rows)
        self.told.extend(Wrong(row, label, what, found(row), expected) for row in rows[:_TOLD])

    def add_column(self, label: str, what: str, found: str, expected: str) -> None:
        """Note that a whole column is wrong."""
        self.count += 1
        self.told.append(Wrong(-1, label, what, found, expected))


def read_cells(
    cells: Cells, column: Column, *, dtype: str, convert: Callable[[FloatArray], FloatArray], wrong: WrongCells
) -> npt.NDArray[Any]:
    """Read some rows of a column.

    Parameters
    ----------
    cells : Cells
        The rows.
    column : Column
        What the recipe says.
    dtype : {"float64", "int64", "string"}
        What the cube holds; another integer is read as int64.
    convert : callable
        From the file's unit to the cube's.
    wrong : WrongCells
        Takes the cells that are wrong; what is returned for them is of no use.

    Returns
    -------
    ndarray
        float64 with NaN for what is missing, int64, or str objects.
    """
    if dtype == "string":
        return _strings(cells, column, wrong)
    if dtype.startswith(("int", "uint")):
        whole = _whole_numbers(cells, column, wrong)
        if column.missing is not None:
            _tell_missing(whole == column.missing, column, wrong)
        return _within(whole, column, wrong)
    values = _numbers(cells, column, wrong)
    if column.missing is not None:
        values = np.where(values == column.missing, np.nan, values)
    finite = ~np.isinf(values)
    _tell(~finite, values, column, "not a finite number", wrong)
    _within(np.where(finite, values, np.nan), column, wrong)
    with np.errstate(over="ignore"):
        converted = convert(values)
    _tell(finite & np.isinf(converted), values, column, "too large for the unit of the cube", wrong)
    return converted


def masked_by(cells: Cells, mask: Cells) -> Cells:
    """Return cells without those that a column of true and false, or of these words, hides."""
    hidden = np.asarray(mask.values) if not _is_text(mask) else np.asarray(mask.values.to_pylist()) == "True"
    if _is_text(cells):
        import pyarrow as pa
        import pyarrow.compute as compute

        return Cells(compute.if_else(pa.array(hidden), pa.scalar(None, pa.string()), cells.values))
    return Cells(cells.values, hidden.astype(np.bool_) | (False if cells.missing is None else cells.missing))


def factor_to(unit: str, cube_unit: str) -> Callable[[FloatArray], FloatArray]:
    """Return what converts numbers from one unit to another; the numbers themselves where the units are the same.

    Raises
    ------
    ValueError
        If astropy does not know a unit, or cannot convert between them.
    """
    from astropy.units import Unit

    here, there = Unit(unit), Unit(cube_unit)
    if here == there:
        return lambda values: values
    here.to(there, 1.0)
    return lambda values: np.asarray(here.to(there, values), dtype=np.float64)


def _tell(bad: BoolArray, values: npt.NDArray[Any], column: Column, what: str, wrong: WrongCells) -> None:
    if bad.any():
        wrong.add(np.flatnonzero(bad), column.label, what, lambda row: f"{values[row]}")


def _within(values: npt.NDArray[Any], column: Column, wrong: WrongCells) -> npt.NDArray[Any]:
    if column.range is not None:
        low, high = column.range
        outside = (values < low) | (values > high)
        if outside.any():
            expected = f"{low:g} to {high:g}"
            rows = np.flatnonzero(outside)
            wrong.add(rows, column.label, "out of range", lambda row: f"{values[row]}", expected)
    return values


def _is_text(cells: Cells) -> bool:
    return not isinstance(cells.values, np.ndarray)


def _strings(cells: Cells, column: Column, wrong: WrongCells) -> npt.NDArray[Any]:
    if _is_text(cells):
        import pyarrow.compute as compute

        trimmed = compute.utf8_trim_whitespace(cells.values.fill_null(""))
        return np.asarray(trimmed.to_numpy(zero_copy_only=False), dtype=object)
    if cells.values.ndim != 1 or cells.values.dtype.kind not in "USOiu":
        wrong.add_column(column.label, "the column holds something else", _form(cells.values), "text")
        return np.full(len(cells.values), "", dtype=object)
    raw = cells.values.tolist()
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in raw]
    # What is no UTF-8 came out as this sign, which no name holds by itself.
    broken = np.array(["\ufffd" in text for text in texts], dtype=np.bool_)
    if broken.any():
        wrong.add(np.flatnonzero(broken), column.label, "not text in UTF-8", lambda row: repr(raw[row]))
    missing = cells.missing if cells.missing is not None else np.zeros(len(texts), dtype=np.bool_)
    stripped = ["" if gone else text.strip() for text, gone in zip(texts, missing.tolist(), strict=True)]
    return np.array(stripped, dtype=object)


def _form(values: npt.NDArray[Any]) -> str:
    if values.ndim > 1:
        return f"{values[0].size} values a row" if len(values) else "several values a row"
    return {"U": "text", "S": "text", "b": "true and false", "c": "complex numbers"}.get(values.dtype.kind, "objects")


def _numbers(cells: Cells, column: Column, wrong: WrongCells) -> FloatArray:
    if _is_text(cells):
        return _parsed(cells.values, column, "float64", wrong)
    values = cells.values
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        wrong.add_column(column.label, "the column holds something else", _form(values), "numbers")
        return np.full(len(values), np.nan)
    numbers = values.astype(np.float64)
    if cells.missing is not None:
        numbers[cells.missing] = np.nan
    return np.asarray(numbers)


def _whole_numbers(cells: Cells, column: Column, wrong: WrongCells) -> npt.NDArray[np.int64]:
    if _is_text(cells):
        _tell_missing(np.asarray(cells.values.is_null()), column, wrong)
        return _parsed(cells.values.fill_null("0"), column, "int64", wrong)
    values = cells.values
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        wrong.add_column(column.label, "the column holds something else", _form(values), "whole numbers")
        return np.zeros(len(values), dtype=np.int64)
    if cells.missing is not None:
        _tell_missing(cells.missing, column, wrong)
        values = np.where(cells.missing, 0, values)
    if values.dtype.kind == "f":
        _tell_missing(np.isnan(values), column, wrong)
        values = np.where(np.isnan(values), 0, values)
        _tell(values != np.rint(values), values, column, "not a whole number", wrong)
        _tell(np.abs(values) >= _EXACT, values, column, "a float cannot hold this whole number", wrong)
        values = np.where(np.abs(values) < _EXACT, values, 0.0)
    elif values.dtype.kind == "u":
        _tell(values > np.uint64(_INT64[1]), values, column, "out of range of a 64-bit integer", wrong)
    return np.asarray(values.astype(np.int64))


def _tell_missing(missing: BoolArray, column: Column, wrong: WrongCells) -> None:
    if missing.any():
        rows = np.flatnonzero(missing)
        wrong.add(rows, column.label, "missing, and a whole number cannot be NaN", lambda row: "no value", "a number")


def _parsed(texts: Any, column: Column, dtype: str, wrong: WrongCells) -> npt.NDArray[Any]:
    """Parse text: all at once where it is plain, with blanks and nulls taken away where not, else cell by cell."""
    import pyarrow as pa
    import pyarrow.compute as compute

    for simplified in (False, True):
        simple = _trimmed(texts) if simplified else texts
        try:
            numbers = compute.cast(simple, pa.type_for_alias(dtype))
        except pa.ArrowInvalid:
            continue
        # Arrow reads hexadecimal whole numbers; a data file never means that.
        if dtype == "int64" and compute.any(compute.match_substring_regex(simple, "[xX]")).as_py():
            break
        if numbers.null_count and dtype == "int64":
            break
        return np.asarray(numbers.to_numpy(zero_copy_only=False, writable=True))
    return _parsed_one_by_one(texts, column, dtype, wrong)


def _trimmed(texts: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as compute

    trimmed = compute.utf8_trim_whitespace(texts)
    return compute.if_else(compute.is_in(trimmed, pa.array(_NULLS)), pa.scalar(None, pa.string()), trimmed)


def _parsed_one_by_one(texts: Any, column: Column, dtype: str, wrong: WrongCells) -> npt.NDArray[Any]:
    parse, empty = (_parse_float, np.nan) if dtype == "float64" else (_parse_whole, 0)
    values = np.full(len(texts), empty, dtype=dtype)
    bad: dict[str, list[int]] = {}
    cells = texts.to_pylist()
    for row, cell in enumerate(cells):
        found = parse((cell or "").strip())
        if isinstance(found, str):
            bad.setdefault(found, []).append(row)
        else:
            values[row] = found
    for what, rows in bad.items():
        wrong.add(rows, column.label, what, lambda row: repr(cells[row]))
    return values


def _parse_float(cell: str) -> float | str:
    if cell in _NULLS:
        return float("nan")
    try:
        # Python reads 1_0 as ten, and digits of other scripts; a data file never means that.
        return float(cell if "_" not in cell and cell.isascii() else "")
    except ValueError:
        return "not a number"


def _parse_whole(cell: str) -> int | str:
    if cell in _NULLS:
        return "missing, and a whole number cannot be NaN"
    if _WHOLE.fullmatch(cell):
        value = int(cell.partition(".")[0])
        return value if _INT64[0] <= value <= _INT64[1] else "out of range of a 64-bit integer"
    return "not a number" if isinstance(_parse_float(cell), str) else "not a whole number"
