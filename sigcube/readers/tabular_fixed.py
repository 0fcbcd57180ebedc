"""Tables without a header of their own: files of the CDS with their ReadMe, and columns separated by blanks."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from sigcube.errors import Fault
from sigcube.readers.cells import Cells
from sigcube.readers.files import guarded, opened, unreadable
from sigcube.readers.typing import Table

__all__ = ["BlankSource", "CdsSource"]

_DASHES = {"-", "--", "---", "----"}


class _LineSource:
    """Lines that are cut into cells before they are read; small tables, read whole."""

    labels: Sequence[str]
    units: dict[str, str]

    def __init__(self, table: Table) -> None:
        self._path = table.path
        self._lines: list[int] = []
        self._rows: list[list[str]] = []
        self._faults: list[Fault] = []

    def _read_lines(self) -> Iterator[tuple[int, str]]:
        with guarded(self._path), opened(self._path) as file:
            content: bytes = file.read()
        for number, raw in enumerate(content.splitlines(), start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                self._faults.append(Fault("this is not UTF-8 text", f"line {number}", f"byte {raw[error.start]:#04x}"))
                continue
            if line.strip():
                yield number, line
        if content and not content.endswith((b"\n", b"\r")):
            expected = "a line feed after the last row"
            self._faults.append(Fault("the last line has no end: the file may be cut off", expected=expected))

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield the columns of some rows at a time."""
        import pyarrow as pa

        places = {label: self.labels.index(label) for label in labels}
        for start in range(0, len(self._rows), rows):
            part = self._rows[start : start + rows]
            yield {
                label: Cells(pa.array([row[place] or None for row in part], pa.string()))
                for label, place in places.items()
            }

    def row_faults(self) -> tuple[list[Fault], int]:
        """Return what is wrong with whole rows."""
        return self._faults, 0

    def places(self, rows: Sequence[int]) -> dict[int, str]:
        """Say where rows are."""
        return {row: f"line {self._lines[row]}" for row in rows}


class BlankSource(_LineSource):
    """Columns separated by blanks, in the order of the recipe; lines that begin with ``#`` are passed over."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self.labels = [column.label for column in table.columns if column.label]
        self.units = {}
        expected = f"{len(self.labels)}: {' '.join(self.labels)}"
        for number, line in self._read_lines():
            cells = line.split()
            if line.lstrip().startswith("#"):
                continue
            if len(cells) != len(self.labels):
                self._faults.append(Fault("wrong number of cells", f"line {number}", str(len(cells)), expected))
                continue
            self._lines.append(number)
            self._rows.append(cells)


class _CdsColumn(Protocol):
    """What astropy makes of a line of a ReadMe."""

    name: str
    start: int
    end: int
    unit: Any
    raw_type: str
    null: str


class CdsSource(_LineSource):
    """A file of the CDS, cut at the bytes that its ReadMe gives; the ReadMe is read by astropy."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        if table.readme is None:
            raise unreadable(
                table.path, [Fault("a CDS file cannot be read without its ReadMe", expected="files.readme")]
            )
        columns = self._described(table)
        self.labels = [column.name for column in columns]
        self.units = {column.name: str(column.unit or "") for column in columns}
        # A flag, or a sign between two numbers, may stand right behind one.
        self._starts = {column.start for column in columns}
        end = max(column.end for column in columns)
        for number, line in self._read_lines():
            # The ReadMe counts bytes, and a letter may have several.
            raw = line.encode()
            cells = [self._cell(column, raw, number) for column in columns]
            if (length := len(raw.rstrip())) > end:
                found, expected = f"{length} bytes", f"at most {end}"
                self._faults.append(Fault("the line is too long", f"line {number}", found, expected))
            self._lines.append(number)
            self._rows.append(cells)

    def _described(self, table: Table) -> Sequence[_CdsColumn]:
        from astropy.io import ascii

        assert table.readme is not None
        with guarded(table.readme), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # What ends in text that is no UTF-8 is no ReadMe.
            table.readme.read_text(encoding="utf-8")
            reader = ascii.Cds(readme=str(table.readme))
            reader.data.table_name = table.path.name
            reader.header.get_cols([])
            columns: Sequence[_CdsColumn] = reader.header.cols
        if not columns:
            raise unreadable(table.readme, [Fault(f"no columns of {table.path.name} are described")])
        return columns

    def _cell(self, column: _CdsColumn, line: bytes, number: int) -> str:
        null = getattr(column, "null", None)
        place = f"line {number}, column {column.name}"
        is_text = column.raw_type.lower().startswith("a")
        try:
            cell = line[column.start : column.end].decode().strip()
        except UnicodeDecodeError:
            found = repr(line[column.start : column.end].decode(errors="replace"))
            self._faults.append(Fault("a letter stands across the end of a cell", place, found, "positions in bytes"))
            return ""
        if not is_text and column.start < len(line) < column.end:
            expected = f"bytes {column.start + 1}-{column.end}"
            self._faults.append(Fault("the line ends within a cell", place, repr(cell), expected))
        runs_over = column.end not in self._starts and line[column.end : column.end + 1].strip()
        if not is_text and runs_over and cell:
            found = repr(line[column.start : column.end + 1].decode(errors="replace"))
            self._faults.append(Fault("a cell runs over its bytes", place, found))
        if null is not None and (cell in _DASHES or _says(cell, null)):
            return ""
        if not cell and null is None and not is_text:
            self._faults.append(Fault("empty, and the ReadMe allows no such cell", place))
        return cell


def _says(cell: str, null: str) -> bool:
    """Whether a cell says what the ReadMe writes for "no value": ``-1.00`` is ``-1``."""
    try:
        return cell == null or float(cell) == float(null)
    except ValueError:
        return False
