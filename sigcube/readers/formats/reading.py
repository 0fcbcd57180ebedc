"""Reads any table by what a recipe says about its columns, whole or a few rows at a time."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.cube import Kind
from sigcube.errors import Fault, did_you_mean
from sigcube.readers.formats.binary import FitsSource, ParquetSource, VoTableSource
from sigcube.readers.formats.cells import Cells, ColumnFaults, TableSource, masked_by, read_cells
from sigcube.readers.formats.columns import Column, Table, converter, same_unit, unchanged
from sigcube.readers.formats.fixed import BlankSource, CdsSource, RowSource
from sigcube.readers.formats.text import TextSource
from sigcube.readers.formats.unpacking import guarded, opened, unreadable

__all__ = ["read_chunks", "read_rows", "read_table"]

_SUFFIXES = {
    **{".csv": "csv", ".tsv": "tsv", ".ecsv": "ecsv"},
    **{".fits": "fits", ".fit": "fits", ".fts": "fits"},
    **{".vot": "votable", ".votable": "votable", ".xml": "votable"},
    **{".parquet": "parquet", ".pq": "parquet"},
}
_STARTS = {b"SIMPLE  =": "fits", b"PAR1": "parquet", b"<?xml": "votable", b"<VOTABLE": "votable", b"# %ECSV": "ecsv"}
_SOURCES: Mapping[str, Callable[[Table, ExitStack], TableSource]] = {
    **{"fits": FitsSource, "votable": VoTableSource, "parquet": ParquetSource},
    **{"cds": CdsSource, "blanks": BlankSource},
}
_WITH_EXTENSIONS = ("fits", "votable")
_PACKED = (".gz", ".bz2", ".xz")
_MASK = ".mask"
_MOST = 20

Chunk = dict[str, npt.NDArray[Any]]


def read_chunks(table: Table, *, kind: Kind, needed: Collection[str] = (), rows: int = 2**17) -> Iterator[Chunk]:
    """Read a table, some rows at a time.

    CSV, ECSV, Parquet and FITS are streamed, so that memory does not grow with the file; a compressed FITS or Parquet
    file is decompressed into a temporary one; a VOTable, a CDS file and blank-separated columns are read whole. Columns
    are found by their labels; those that the recipe does not name are skipped. Several columns of text for one variable
    are joined by blanks.

    Parameters
    ----------
    table : Table
        The file and its columns.
    kind : Kind
        The kind of cube, which determines the type and unit of each variable.
    needed : collection of str
        Variables that must have a value in every row; elsewhere a cell may say "not measured".
    rows : int
        The greatest number of rows of a chunk.

    Yields
    ------
    dict of str to ndarray, shape (n,)
        By variable: float64 in the unit of the kind, NaN if the file has no value; int64; or str objects.

    Raises
    ------
    DataError
        With every fault of the first chunk that has any: a column that is missing or has another unit than the recipe
        says, a cell that is not a number, infinite, out of range or not a whole number, a missing value that is needed,
        a row with the wrong number of cells, text that is not UTF-8, a file that is truncated or damaged, no rows.
    """
    with ExitStack() as stack:
        form = _format(table)
        if table.extension is not None and form not in _WITH_EXTENSIONS:
            expected = "none, as the file is one table"
            fault = Fault(
                f"a {form} file has no extensions", found=f"extension = {table.extension!r}", expected=expected
            )
            raise unreadable(table.path, [fault])
        source = _SOURCES[form](table, stack) if form in _SOURCES else TextSource(table, form)
        parser = _Parser(source, table.columns, kind, needed, most=_MOST)
        if parser.header_faults:
            raise unreadable(table.path, parser.header_faults)
        for batch in source.batches(parser.labels, rows):
            chunk, faults, more = parser.parse(batch)
            if faults or source.faults:
                raise unreadable(table.path, [*source.faults, *faults], more=more)
            yield chunk
        if source.faults or parser.n_rows == 0:
            raise unreadable(table.path, source.faults or [Fault("there are no rows")])


def read_table(table: Table, *, kind: Kind, needed: Collection[str] = ()) -> Chunk:
    """Read a table that fits into memory: the chunks of `read_chunks`, joined."""
    chunks = list(read_chunks(table, kind=kind, needed=needed))
    return {variable: np.concatenate([chunk[variable] for chunk in chunks]) for variable in chunks[0]}


def read_rows(
    source: RowSource,
    columns: Sequence[Column],
    *,
    kind: Kind,
    where: str,
    faults: list[Fault],
    needed: Collection[str] = (),
) -> Chunk:
    """Read rows that are already split into cells, by the rules of `read_chunks`.

    Every fault is appended to ``faults``, its place beginning with ``where``. Rows with the wrong number of cells are
    left out, and the values of cells that are wrong mean nothing.
    """
    parser = _Parser(source, columns, kind, needed, most=None)
    chunk: Chunk = {column.variable: np.empty(0) for column in columns}
    found = parser.header_faults
    if not found:
        found = list(source.faults)
        for batch in source.batches(parser.labels, rows=len(source)):
            chunk, wrong, _ = parser.parse(batch)
            found += wrong
        if not found and parser.n_rows == 0:
            found = [Fault("there are no rows")]
    faults += [replace(fault, where=", ".join(filter(None, (where, fault.where)))) for fault in found]
    return chunk


def _format(table: Table) -> str:
    """Return what the recipe says, else what the file's first bytes say, else what its name says."""
    if table.format is not None:
        return table.format
    with guarded(table.path), opened(table.path) as file:
        start = file.read(16)
    suffixes = [suffix.lower() for suffix in table.path.suffixes if suffix.lower() not in _PACKED]
    by_name = _SUFFIXES.get(suffixes[-1] if suffixes else "")
    form = next((form for magic, form in _STARTS.items() if start.startswith(magic)), by_name)
    if form is None:
        expected = f"format = {', '.join(dict.fromkeys(_SUFFIXES.values()))}"
        raise unreadable(table.path, [Fault("unknown format", found=table.path.name, expected=expected)])
    return form


class _Parser:
    """Turns the batches of a source into the variables of a cube.

    Attributes
    ----------
    header_faults : list of Fault
        Why the columns cannot be read at all.
    labels : list of str
        The columns to read: those of the recipe, and the masks that astropy writes beside them.
    n_rows : int
        Rows parsed so far.
    """

    def __init__(
        self, source: TableSource, columns: Sequence[Column], kind: Kind, needed: Collection[str], *, most: int | None
    ) -> None:
        self.header_faults: list[Fault] = []
        self.n_rows = 0
        self._source, self._kind, self._needed, self._most = source, kind, needed, most
        self._plans = [self._plan(column) for column in columns]
        given = list(dict.fromkeys(column.label for column in columns if column.label))
        masks = [mask for label in given if (mask := label + _MASK) in source.labels and mask not in given]
        self.labels = given + masks

    def _plan(self, column: Column) -> tuple[Column, str, Callable[[Any], Any]]:
        """Return a column, with a label for messages, the type of its variable and the conversion of its unit."""
        if column.constant is not None:
            column = column.model_copy(update={"label": f"{column.variable} (constant)"})
        elif (n := list(self._source.labels).count(column.label)) == 0:
            expected = did_you_mean(column.label, self._source.labels)
            self.header_faults.append(Fault(f"column {column.label!r} is missing", expected=expected))
        elif n > 1:
            self.header_faults.append(Fault(f"column {column.label!r} is there {n} times", expected="once"))
        if column.variable == self._kind.system_dim:
            dtype, unit = "string", ""
        else:
            variable = self._kind.variable(column.variable)
            dtype, unit = variable.dtype, variable.unit
        return column, dtype, self._conversion(column, dtype, unit)

    def _conversion(self, column: Column, dtype: str, cube_unit: str) -> Callable[[Any], Any]:
        where, file_unit = f"column {column.label}", self._source.units.get(column.label)
        if dtype != "float64":
            if column.unit:
                self.header_faults.append(Fault(f"{column.variable} has no unit", where, repr(column.unit)))
            if dtype == "string" and (column.missing, column.range) != (None, None):
                self.header_faults.append(Fault(f"{column.variable} is text: it has neither missing nor range", where))
            return unchanged
        if column.constant is not None and not column.says_unit:
            return unchanged
        if file_unit is None and not column.says_unit and cube_unit:
            fault = Fault("neither the file nor the recipe gives a unit", where, expected=f"unit = {cube_unit!r}")
            self.header_faults.append(fault)
            return unchanged
        unit = column.unit if column.says_unit or file_unit is None else file_unit
        try:
            if file_unit is not None and column.says_unit and not same_unit(file_unit, column.unit):
                self.header_faults.append(Fault("the unit is another", where, repr(file_unit), repr(column.unit)))
            return converter(unit, cube_unit)
        except ValueError as error:
            both = file_unit is not None and column.says_unit
            units = f"{file_unit!r} in the file, {column.unit!r} in the recipe" if both else repr(unit)
            found = f"{units} ({' '.join(str(error).split())[:120]})"
            self.header_faults.append(Fault(f"the unit cannot be converted to {cube_unit!r}", where, found))
            return unchanged

    def parse(self, batch: Mapping[str, Cells]) -> tuple[Chunk, list[Fault], int]:
        """Return the variables of a batch, its faults, and how many faults there are besides those."""
        n = max((len(cells.values) for cells in batch.values()), default=0)
        wrong: dict[str, ColumnFaults] = {}
        chunk: Chunk = {}
        for column, dtype, convert in self._plans:
            cells = batch[column.label] if column.constant is None else Cells(np.full(n, column.constant))
            if (mask := batch.get(column.label + _MASK)) is not None:
                cells = masked_by(cells, mask)
            faults = wrong.setdefault(column.label, ColumnFaults(column.label, self._most))
            values = read_cells(cells, column, dtype=dtype, convert=convert, faults=faults)
            if column.variable in chunk and dtype == "string":
                pairs = zip(chunk[column.variable], values, strict=True)
                values = np.array([" ".join(both).strip() for both in pairs], dtype=object)
            chunk[column.variable] = values
        for variable in self._needed:
            values, column = chunk[variable], next(column for column, *_ in self._plans if column.variable == variable)
            if variable == self._kind.system_dim:
                wrong[column.label].add(values == "", f"the {variable} has no name", None)
            elif values.dtype == np.float64:
                wrong[column.label].add(np.isnan(values), f"{variable} is missing", None, "a number")
        located, more = self._located(wrong.values())
        self.n_rows += n
        return chunk, located, more

    def _located(self, columns: Collection[ColumnFaults]) -> tuple[list[Fault], int]:
        count = sum(column.count for column in columns)
        if not count:
            return [], 0
        first = sorted((each for column in columns for each in column.first), key=lambda each: each[0])[: self._most]
        places = self._source.places(sorted({self.n_rows + row for row, _ in first if row >= 0}))
        located = [
            replace(fault, where=f"{places[self.n_rows + row]}, {fault.where}") if row >= 0 else fault
            for row, fault in first
        ]
        return located, count - len(located)
