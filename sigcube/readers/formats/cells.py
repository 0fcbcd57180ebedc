"""The rules for the cells of every table: what is a number, what is missing, what is wrong.

A column comes out as float64 in the cube's unit with NaN for what is missing, as exact int64, or as stripped text.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import Fault
from sigcube.readers.formats.columns import Column

__all__ = ["Cells", "ColumnFaults", "TableSource", "masked_by", "read_cells"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_NULLS = ("", "null", "NULL")
_NO_NUMBER = "missing, and a whole number cannot be NaN"
# What a column of numbers or text may be in a file that has types, as NumPy's letters.
_TYPES = {"float64": ("numbers", "fiu"), "int64": ("whole numbers", "fiu"), "string": ("text", "USOiu")}
# Letters of a name or a remark; a file of kilobytes may repeat one of megabytes in every row.
_LONGEST_TEXT = 10_000
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
        Numbers, or text; cells of a text file are in the latter, empty ones being null.
    missing : ndarray of bool, or None
        Where the file says that there is no value.
    """

    values: Any
    missing: BoolArray | None = None

    @property
    def are_text(self) -> bool:
        """Whether these are cells of a text file."""
        return not isinstance(self.values, np.ndarray)


class TableSource(ABC):
    """An open file: its labels in order, the units that it gives by label, and the rows that are malformed."""

    labels: Sequence[str]
    units: Mapping[str, str]

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    @abstractmethod
    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""

    def places(self, rows: Sequence[int]) -> dict[int, str]:
        """Name rows, counted from 0, for messages."""
        return {row: f"row {row + 1}" for row in rows}


class ColumnFaults:
    """The first wrong cells of a column, at most ``most`` of each kind, and how many there are in all."""

    def __init__(self, label: str, most: int | None) -> None:
        self.count = 0
        #: Rows, counted from 0, and their faults; row -1 stands for the whole column.
        self.first: list[tuple[int, Fault]] = []
        self._place = f"column {label}"
        self._most = most
        self._rows: set[int] = set()

    def add(self, bad: BoolArray, what: str, found: Callable[[int], str] | None, expected: str | None = None) -> None:
        """Add what is wrong in some rows; of several faults of a cell the first counts."""
        if not bad.any() or -1 in self._rows:
            return
        rows = [row for row in np.flatnonzero(bad).tolist() if row not in self._rows]
        self._rows.update(rows)
        self.count += len(rows)
        for row in rows[: self._most]:
            self.first.append((row, Fault(what, self._place, found(row) if found else None, expected)))

    def add_column(self, found: str, expected: str) -> None:
        """Add that the whole column is of another type."""
        self._rows.add(-1)
        self.count += 1
        self.first.append((-1, Fault("the column holds something else", self._place, found, expected)))


def read_cells(
    cells: Cells, column: Column, *, dtype: str, convert: Callable[[FloatArray], FloatArray], faults: ColumnFaults
) -> npt.NDArray[Any]:
    """Read some rows of a column as the recipe describes it, for a variable of a type of the cube.

    ``convert`` goes from the file's unit to the cube's. The values of cells that are wrong mean nothing. Integers of
    all sizes are read as int64.
    """
    if dtype not in ("float64", "string"):
        dtype = "int64"
    if not cells.are_text and (cells.values.ndim != 1 or cells.values.dtype.kind not in _TYPES[dtype][1]):
        faults.add_column(_form(cells.values), _TYPES[dtype][0])
        cells = Cells(np.zeros(len(cells.values), dtype=dtype if dtype != "string" else "U1"))
    if dtype == "string":
        return _strings(cells, faults)
    if dtype == "int64":
        whole = _whole_numbers(cells, faults)
        if column.missing is not None:
            faults.add(whole == column.missing, _NO_NUMBER, lambda row: f"{whole[row]}", "a number")
        _check_range(whole, column, faults)
        return whole
    values = _numbers(cells, faults)
    if column.missing is not None:
        values = np.where(values == column.missing, np.nan, values)
    infinite = np.isinf(values)
    faults.add(infinite, "not a finite number", lambda row: f"{values[row]}")
    _check_range(values, column, faults)
    with np.errstate(over="ignore"):
        converted = convert(values)
    faults.add(~infinite & np.isinf(converted), "too large for the unit of the cube", lambda row: f"{values[row]}")
    return converted


def masked_by(cells: Cells, mask: Cells) -> Cells:
    """Return cells without those that a column of booleans, or of the words True and False, masks."""
    hidden = np.asarray(mask.values.to_pylist()) == "True" if mask.are_text else np.asarray(mask.values)
    if cells.are_text:
        import pyarrow as pa
        import pyarrow.compute as compute

        return Cells(compute.if_else(pa.array(hidden), pa.scalar(None, pa.string()), cells.values))
    return Cells(cells.values, hidden.astype(np.bool_) | (False if cells.missing is None else cells.missing))


def _check_range(values: npt.NDArray[Any], column: Column, faults: ColumnFaults) -> None:
    if column.range is not None:
        low, high = column.range
        outside = (values < low) | (values > high)
        faults.add(outside, "out of range", lambda row: f"{values[row]}", f"{low:g} to {high:g}")


def _strings(cells: Cells, faults: ColumnFaults) -> npt.NDArray[Any]:
    if cells.are_text:
        import pyarrow.compute as compute

        trimmed = compute.utf8_trim_whitespace(cells.values.fill_null(""))
        _refuse_long(np.asarray(compute.utf8_length(trimmed)), faults)
        return np.asarray(trimmed.to_numpy(zero_copy_only=False), dtype=object)
    raw = cells.values.tolist()
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in raw]
    # Bytes that are not UTF-8 become this character, which no name contains by itself.
    _refuse_long(np.array([len(text) for text in texts]), faults)
    broken = np.array(["\ufffd" in text[:_LONGEST_TEXT] for text in texts], dtype=np.bool_)
    faults.add(broken, "not text in UTF-8", lambda row: repr(raw[row]))
    missing = cells.missing if cells.missing is not None else np.zeros(len(texts), dtype=np.bool_)
    stripped = ["" if gone else text.strip() for text, gone in zip(texts, missing.tolist(), strict=True)]
    return np.array(stripped, dtype=object)


def _refuse_long(letters: npt.NDArray[Any], faults: ColumnFaults) -> None:
    long = letters > _LONGEST_TEXT
    faults.add(long, "the text is too long", lambda row: f"{letters[row]} letters", f"at most {_LONGEST_TEXT}")


def _form(values: npt.NDArray[Any]) -> str:
    if values.ndim > 1:
        return f"{values[0].size} values a row" if len(values) else "several values a row"
    return {"U": "text", "S": "text", "b": "true and false", "c": "complex numbers"}.get(values.dtype.kind, "objects")


def _numbers(cells: Cells, faults: ColumnFaults) -> FloatArray:
    if cells.are_text:
        return _parsed(cells.values, "float64", faults)
    numbers = cells.values.astype(np.float64)
    if cells.missing is not None:
        numbers[cells.missing] = np.nan
    return np.asarray(numbers)


def _whole_numbers(cells: Cells, faults: ColumnFaults) -> npt.NDArray[np.int64]:
    if cells.are_text:
        faults.add(np.asarray(cells.values.is_null()), _NO_NUMBER, lambda row: "no value", "a number")
        return _parsed(cells.values.fill_null("0"), "int64", faults)
    values = cells.values
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)
    if cells.missing is not None:
        missing = missing | cells.missing
    faults.add(missing, _NO_NUMBER, lambda row: "no value", "a number")
    values = np.where(missing, values.dtype.type(0), values)
    if values.dtype.kind == "f":
        faults.add(values != np.rint(values), "not a whole number", lambda row: f"{values[row]}")
        inexact = np.abs(values) >= _EXACT
        faults.add(inexact, "a float cannot hold this whole number", lambda row: f"{values[row]}")
        return np.where(inexact, 0.0, values).astype(np.int64)
    if values.dtype.kind == "u":
        too_large = values > np.uint64(_INT64[1])
        faults.add(too_large, "out of range of a 64-bit integer", lambda row: f"{values[row]}")
    return np.asarray(values.astype(np.int64))


def _parsed(texts: Any, dtype: str, faults: ColumnFaults) -> npt.NDArray[Any]:
    """Parse text all at once; if that fails, without blanks and nulls; if that fails too, cell by cell."""
    import pyarrow as pa
    import pyarrow.compute as compute

    for simplified in (False, True):
        plain = texts
        if simplified:
            trimmed = compute.utf8_trim_whitespace(texts)
            plain = compute.if_else(compute.is_in(trimmed, pa.array(_NULLS)), pa.scalar(None, pa.string()), trimmed)
        try:
            numbers = compute.cast(plain, pa.type_for_alias(dtype))
        except pa.ArrowInvalid:
            continue
        # Arrow reads hexadecimal whole numbers; a data file never means that.
        if dtype == "int64" and compute.any(compute.match_substring_regex(plain, "[xX]")).as_py():
            break
        if dtype == "int64" and numbers.null_count:
            break
        return np.asarray(numbers.to_numpy(zero_copy_only=False, writable=True))
    return _parsed_one_by_one(texts, dtype, faults)


def _parsed_one_by_one(texts: Any, dtype: str, faults: ColumnFaults) -> npt.NDArray[Any]:
    parse, empty = (_parse_float, np.nan) if dtype == "float64" else (_parse_whole, 0)
    cells = texts.to_pylist()
    values = np.full(len(cells), empty, dtype=dtype)
    bad: dict[str, BoolArray] = {}
    for row, cell in enumerate(cells):
        found = parse((cell or "").strip())
        if isinstance(found, str):
            bad.setdefault(found, np.zeros(len(cells), dtype=np.bool_))[row] = True
        else:
            values[row] = found
    for what, rows in bad.items():
        faults.add(rows, what, lambda row: repr(cells[row]))
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
        return _NO_NUMBER
    if _WHOLE.fullmatch(cell):
        value = int(cell.partition(".")[0])
        return value if _INT64[0] <= value <= _INT64[1] else "out of range of a 64-bit integer"
    return "not a number" if isinstance(_parse_float(cell), str) else "not a whole number"
