"""Small tables of lines that are split into cells by blanks, by bytes as a ReadMe of the CDS says, or by a reader."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from sigcube.errors import Fault
from sigcube.readers.formats.cells import Cells, TableSource
from sigcube.readers.formats.columns import Table
from sigcube.readers.formats.unpacking import guarded, read_whole, unreadable

__all__ = ["BlankSource", "CdsSource", "RowSource", "text_lines"]

_DASHES = {"-", "--", "---", "----"}


def text_lines(content: bytes, faults: list[Fault], *, where: str = "") -> list[tuple[int, str]]:
    """Return the lines of a file with their numbers, from 1, without empty ones; a fault for those not in UTF-8."""
    lines = []
    for number, raw in enumerate(content.splitlines(), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            place = f"{where}, line {number}" if where else f"line {number}"
            faults.append(Fault("this is not UTF-8 text", place, f"byte {raw[error.start]:#04x}"))
            continue
        if line.strip():
            lines.append((number, line))
    return lines


class RowSource(TableSource):
    """Rows that are split into cells before they are read, held in memory.

    Parameters
    ----------
    labels : sequence of str
        The columns.
    units : Mapping of str to str
        The units that the file gives, by label.
    """

    def __init__(self, labels: Sequence[str], units: Mapping[str, str]) -> None:
        super().__init__()
        self.labels = labels
        self.units = units
        self._lines: list[int] = []
        self._rows: list[Sequence[str]] = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def add(self, number: int, cells: Sequence[str]) -> None:
        """Add the row of a line; one with the wrong number of cells is left out."""
        if len(cells) != len(self.labels):
            expected = f"{len(self.labels)}: {' '.join(self.labels)}"
            self.faults.append(Fault("wrong number of cells", f"line {number}", str(len(cells)), expected))
            return
        self._lines.append(number)
        self._rows.append(cells)

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""
        import pyarrow as pa

        at = {label: self.labels.index(label) for label in labels}
        for start in range(0, len(self._rows), max(1, rows)):
            part = self._rows[start : start + rows]
            yield {label: Cells(pa.array([row[i] or None for row in part], pa.string())) for label, i in at.items()}

    def places(self, rows: Sequence[int]) -> dict[int, str]:
        """Name the lines of rows, counted from 0."""
        return {row: f"line {self._lines[row]}" for row in rows}

    def lines_of(self, table: Table) -> list[tuple[int, str]]:
        """Return the lines of a file, and note what is wrong with them."""
        content = read_whole(table.path)
        lines = text_lines(content, self.faults)
        if content and not content.endswith((b"\n", b"\r")):
            expected = "a line feed after the last row"
            self.faults.append(Fault("the last line has no end: the file may be cut off", expected=expected))
        return lines


class BlankSource(RowSource):
    """Columns separated by blanks, in the order of the recipe; lines that begin with ``#`` are skipped."""

    def __init__(self, table: Table, stack: ExitStack) -> None:
        super().__init__([column.label for column in table.columns if column.label], {})
        for number, line in self.lines_of(table):
            if not line.lstrip().startswith("#"):
                self.add(number, line.split())


class CdsSource(RowSource):
    """A file of the CDS, cut at the bytes that its ReadMe gives; the ReadMe is read by astropy."""

    def __init__(self, table: Table, stack: ExitStack) -> None:
        columns = _described(table)
        super().__init__([column.name for column in columns], {c.name: str(c.unit or "") for c in columns})
        starts = {column.start for column in columns}
        end = max(column.end for column in columns)
        for number, line in self.lines_of(table):
            # The ReadMe counts bytes, and a letter may have several.
            raw = line.encode()
            before = len(self.faults)
            cells = [self._cell(column, raw, number, starts) for column in columns]
            if (length := len(raw.rstrip())) > end:
                fault = Fault("the line is too long", f"line {number}", f"{length} bytes", f"at most {end}")
                self.faults.append(fault)
            if len(self.faults) == before:
                self.add(number, cells)

    def _cell(self, column: Any, line: bytes, number: int, starts: set[int]) -> str:
        place = f"line {number}, column {column.name}"
        try:
            cell = line[column.start : column.end].decode().strip()
        except UnicodeDecodeError:
            found = repr(line[column.start : column.end].decode(errors="replace"))
            self.faults.append(Fault("a letter stands across the end of a cell", place, found, "positions in bytes"))
            return ""
        is_text = column.raw_type.lower().startswith("a")
        if not is_text and column.start < len(line) < column.end:
            expected = f"bytes {column.start + 1}-{column.end}"
            self.faults.append(Fault("the line ends within a cell", place, repr(cell), expected))
        # A flag, or a sign between two numbers, may stand right behind a number.
        runs_over = column.end not in starts and line[column.end : column.end + 1].strip()
        if not is_text and runs_over and cell:
            found = repr(line[column.start : column.end + 1].decode(errors="replace"))
            self.faults.append(Fault("a cell runs over its bytes", place, found))
        null = getattr(column, "null", None)
        if null is not None and (cell in _DASHES or _same_number(cell, null)):
            return ""
        if not cell and null is None and not is_text:
            self.faults.append(Fault("empty, and the ReadMe allows no such cell", place))
        return cell


def _described(table: Table) -> Sequence[Any]:
    from astropy.io import ascii

    if table.readme is None:
        raise unreadable(table.path, [Fault("a CDS file cannot be read without its ReadMe", expected="files.readme")])
    with guarded(table.readme), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Astropy would read bytes that are not UTF-8 as something else.
        read_whole(table.readme).decode()
        reader = ascii.Cds(readme=str(table.readme))
        reader.data.table_name = table.path.name
        reader.header.get_cols([])
        columns: Sequence[Any] = reader.header.cols
    if not columns:
        raise unreadable(table.readme, [Fault(f"no columns of {table.path.name} are described")])
    return columns


def _same_number(cell: str, null: str) -> bool:
    """Whether a cell is what the ReadMe writes for "no value", as text or as a number: ``-1.00`` is ``-1``."""
    try:
        return cell == null or float(cell) == float(null)
    except ValueError:
        return False
