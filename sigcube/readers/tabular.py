"""Any table: CSV, ECSV, FITS, VOTable or Parquet, a few rows at a time, by what a recipe says of its columns."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sigcube.cube import Kind
from sigcube.errors import DataError, Fault, did_you_mean
from sigcube.readers.cells import Cells, WrongCells, factor_to, masked_by, read_cells
from sigcube.readers.files import guarded, opened, unreadable
from sigcube.readers.tabular_binary import FitsSource, ParquetSource, VoTableSource
from sigcube.readers.tabular_fixed import BlankSource, CdsSource
from sigcube.readers.tabular_text import TextSource
from sigcube.readers.typing import Column, Table

__all__ = ["chunks", "places", "whole"]

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".fts": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_STARTS = {b"SIMPLE  =": "fits", b"PAR1": "parquet", b"<?xml": "votable", b"<VOTABLE": "votable", b"# %ECSV": "ecsv"}
_PACKED = (".gz", ".bz2", ".xz")
_MASK = ".mask"
_TOLD = 20


class _Source(Protocol):
    """A file that is open: the names of its columns in order, the units that it gives itself, its rows."""

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]: ...

    def row_faults(self) -> tuple[list[Fault], int]: ...

    def places(self, rows: Sequence[int]) -> Mapping[int, str]: ...


def chunks(table: Table, *, kind: Kind, rows: int = 2**17) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Read a table, some rows at a time.

    CSV, ECSV, Parquet and FITS are streamed, so that memory does not grow with the file; a packed FITS or Parquet file
    is unpacked into a temporary one; a VOTable, a CDS file and blank-separated columns are read whole. Columns that the
    recipe does not name are passed over; several columns of text for one variable are joined by blanks.

    Parameters
    ----------
    table : Table
        The file, its format where neither its name nor its first bytes tell, and its columns.
    kind : Kind
        The kind of cube, which says the type and the unit of each variable.
    rows : int
        The greatest number of rows of a chunk.

    Yields
    ------
    dict of str to ndarray, shape (n,)
        By variable: float64 in the unit of the kind, NaN where the file has no value; int64; or str objects.

    Raises
    ------
    DataError
        With every fault of the chunk that is wrong: a column that is missing or has another unit than the recipe says,
        a cell that is not a number, infinite, out of range or not a whole number, a row with too few cells, text that
        is not UTF-8, a file that is truncated or damaged, a table without rows.
    """
    with ExitStack() as stack:
        source = _open(table, stack)
        readings = _readings(source, table, kind)
        n = 0
        for batch in source.batches(_wanted(table, source.labels), rows):
            chunk, n = _read_chunk(batch, readings, source, table, n)
            yield chunk
        _refuse_rows(source, table)
        if n == 0:
            raise unreadable(table.path, [Fault("there are no rows")])


def _wanted(table: Table, labels: Sequence[str]) -> list[str]:
    """Return the columns to read: those of the recipe, and the masks that astropy writes beside them."""
    given = list(dict.fromkeys(column.label for column in table.columns if column.label))
    return given + [mask for label in given if (mask := label + _MASK) in labels and mask not in given]


def whole(table: Table, *, kind: Kind) -> dict[str, npt.NDArray[Any]]:
    """Read a table that fits into memory: `chunks`, joined."""
    parts = list(chunks(table, kind=kind))
    return {variable: np.concatenate([part[variable] for part in parts]) for variable in parts[0]}


def places(table: Table, rows: Sequence[int]) -> Mapping[int, str]:
    """Say where rows of a table are in its file, for messages: ``line 5`` of a text, ``row 4`` of another file.

    Parameters
    ----------
    table : Table
        A file that can be read.
    rows : sequence of int
        Counted from 0.
    """
    with ExitStack() as stack:
        return _open(table, stack).places(rows)


def _open(table: Table, stack: ExitStack) -> _Source:
    form = _format(table)
    if form == "fits":
        return FitsSource(table, stack)
    if form == "votable":
        return VoTableSource(table, stack)
    if form == "cds":
        return CdsSource(table)
    if form == "blanks":
        return BlankSource(table)
    if form == "parquet":
        return ParquetSource(table, stack)
    return TextSource(table, form)


def _format(table: Table) -> str:
    """Return what the recipe says, else what the file begins with, else what its name says."""
    if table.format is not None:
        return table.format
    with guarded(table.path), opened(table.path) as file:
        start = file.read(16)
    by_start = next((form for magic, form in _STARTS.items() if start.startswith(magic)), None)
    suffixes = [suffix.lower() for suffix in table.path.suffixes if suffix.lower() not in _PACKED]
    form = by_start or _SUFFIXES.get(suffixes[-1] if suffixes else "")
    if form is None:
        expected = ", ".join(dict.fromkeys(_SUFFIXES.values()))
        raise unreadable(table.path, [Fault("unknown format", found=table.path.name, expected=f"format = {expected}")])
    return form


_Reading = tuple[Column, str, Callable[[Any], Any]]


def _readings(source: _Source, table: Table, kind: Kind) -> list[_Reading]:
    """Settle for each column its type and its conversion, or refuse those for which that cannot be."""
    faults: list[Fault] = []
    readings = []
    for column in table.columns:
        dtype, unit = _declared(kind, column.variable)
        faults.extend(_label_faults(column, source.labels))
        named = _named(column)
        convert = _conversion(named, source.units.get(column.label), dtype, unit, faults)
        readings.append((named, dtype, convert))
    if faults:
        raise unreadable(table.path, faults)
    return readings


def _named(column: Column) -> Column:
    """Give a constant a label, for messages."""
    return column if column.label else column.model_copy(update={"label": f"{column.variable} (constant)"})


def _declared(kind: Kind, name: str) -> tuple[str, str]:
    if name == kind.system_dim:
        return "string", ""
    variable = kind.variable(name)
    return variable.dtype, variable.unit


def _label_faults(column: Column, labels: Sequence[str]) -> Iterator[Fault]:
    if column.constant is None:
        n = Counter(labels)[column.label]
        if n == 0:
            yield Fault(f"column {column.label!r} is missing", expected=did_you_mean(column.label, labels))
        if n > 1:
            yield Fault(f"column {column.label!r} is there {n} times", expected="once")


def _conversion(
    column: Column, file_unit: str | None, dtype: str, cube_unit: str, faults: list[Fault]
) -> Callable[[Any], Any]:
    where = f"column {column.label}"
    if dtype != "float64":
        if column.unit:
            faults.append(Fault(f"{column.variable} has no unit", where, repr(column.unit)))
        return lambda values: values
    if column.constant is not None and not column.says_unit:
        return lambda values: values
    if file_unit is None and not column.says_unit and cube_unit:
        faults.append(Fault("neither the file nor the recipe gives a unit", where, expected=f"unit = {cube_unit!r}"))
        return lambda values: values
    unit = column.unit if column.says_unit or file_unit is None else file_unit
    try:
        if file_unit is not None and column.says_unit and not _same(file_unit, column.unit):
            faults.append(Fault("the unit is another", where, repr(file_unit), repr(column.unit)))
        return factor_to(unit, cube_unit)
    except ValueError as error:
        found = " ".join(str(error).split())[:120]
        both = file_unit is not None and column.says_unit
        units = f"{file_unit!r} in the file, {column.unit!r} in the recipe" if both else repr(unit)
        faults.append(Fault(f"the unit cannot be converted to {cube_unit!r}", where, f"{units} ({found})"))
        return lambda values: values


def _same(one: str, other: str) -> bool:
    from astropy.units import Unit

    return bool(Unit(one) == Unit(other))


def _read_chunk(
    batch: Mapping[str, Cells], readings: Sequence[_Reading], source: _Source, table: Table, before: int
) -> tuple[dict[str, npt.NDArray[Any]], int]:
    _refuse_rows(source, table)
    n = max(len(cells.values) for cells in batch.values()) if batch else 0
    wrong = WrongCells()
    chunk: dict[str, npt.NDArray[Any]] = {}
    for column, dtype, convert in readings:
        cells = batch[column.label] if column.constant is None else Cells(np.full(n, column.constant))
        if (mask := batch.get(column.label + _MASK)) is not None:
            cells = masked_by(cells, mask)
        values = read_cells(cells, column, dtype=dtype, convert=convert, wrong=wrong)
        if column.variable in chunk and dtype == "string":
            values = np.array(
                [" ".join(both).strip() for both in zip(chunk[column.variable], values, strict=True)], dtype=object
            )
        chunk[column.variable] = values
    if wrong.count:
        raise _cell_error(wrong, source, table, before)
    return chunk, before + n


def _refuse_rows(source: _Source, table: Table) -> None:
    faults, more = source.row_faults()
    if faults:
        raise unreadable(table.path, faults, more=more)


def _cell_error(wrong: WrongCells, source: _Source, table: Table, before: int) -> DataError:
    told = sorted(wrong.told, key=lambda cell: cell.row)[:_TOLD]
    rows = sorted({before + cell.row for cell in told if cell.row >= 0})
    places = source.places(rows)
    faults = [
        Fault(
            cell.what,
            ", ".join(filter(None, (places.get(before + cell.row) if cell.row >= 0 else "", f"column {cell.label}"))),
            cell.found,
            cell.expected,
        )
        for cell in told
    ]
    return unreadable(table.path, faults, more=wrong.count - len(faults))
