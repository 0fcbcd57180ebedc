"""CSV and ECSV, streamed: memory does not grow with the file."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigcube.errors import Fault
from sigcube.readers.cells import Cells
from sigcube.readers.files import guarded, opened, unreadable
from sigcube.readers.typing import Table

__all__ = ["TextSource"]

_BLOCK = 1 << 20
_ECSV = re.compile(r"#\s*%ECSV\s")
_TOLD = 20
_DELIMITERS = {"csv": ",", "tsv": "\t"}


class _Counted(io.RawIOBase):
    """A stream that counts the lines with something in them as they are read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lines = 0
        self.ended = True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size)
        if block:
            self._count(block)
        return block

    def _count(self, block: bytes) -> None:
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n\n" in block:
            block = re.sub(rb"\n+", b"\n", block)
        self.lines += (self.ended and not block.startswith(b"\n")) + block.count(b"\n") - block.endswith(b"\n")
        self.ended = block.endswith(b"\n")


@dataclass(frozen=True)
class _Header:
    """What stands above the rows: labels, their units if the file gives any, and how the cells are separated."""

    labels: tuple[str, ...]
    units: dict[str, str]
    delimiter: str
    lines: int


class TextSource:
    """A CSV, TSV or ECSV file, also compressed.

    Lines that begin with ``#`` above the header are passed over; they are the header of an ECSV file. A row is a line.

    Parameters
    ----------
    table : Table
        The file.
    form : {"csv", "tsv", "ecsv"}
        Its format; a CSV file that begins as ECSV does is ECSV.
    """

    def __init__(self, table: Table, form: str) -> None:
        self._path = table.path
        self._form = form
        with guarded(self._path), opened(self._path) as stream:
            self._header = _read_header(stream, self._path, form)
        self.labels: Sequence[str] = self._header.labels
        self.units: dict[str, str] = self._header.units

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield the columns of some rows at a time."""
        with guarded(self._path), opened(self._path) as stream:
            for _ in range(self._header.lines):
                stream.readline()
            if not stream.peek(1):
                return
            counted = _Counted(stream)
            n = 0
            for batch in _rechunked(self._batches(counted, labels), rows):
                n += batch.num_rows
                yield {label: Cells(batch[str(self.labels.index(label))].combine_chunks()) for label in labels}
            self._refuse_lost_lines(n, counted)

    def _batches(self, stream: Any, labels: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        try:
            with self._open(stream, labels) as reader:
                yield from reader
        except pa.ArrowInvalid:
            # Arrow does not say where.
            self._refuse_other_encodings()
            self._refuse_other_counts()
            raise

    def _open(self, stream: Any, labels: Sequence[str]) -> AbstractContextManager[Any]:
        import pyarrow as pa
        from pyarrow import csv as pacsv

        names = [str(place) for place in range(len(self.labels))]
        wanted = [str(self.labels.index(label)) for label in labels]
        reader: AbstractContextManager[Any] = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(column_names=names, block_size=_BLOCK),
            parse_options=pacsv.ParseOptions(delimiter=self._header.delimiter),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=wanted,
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        return reader

    def _refuse_other_encodings(self) -> None:
        """Name the first line that is not UTF-8, if there is one."""
        with opened(self._path) as stream:
            for number, line in enumerate(stream, start=1):
                _decoded(line, number, self._path)

    def _refuse_lost_lines(self, rows: int, counted: _Counted) -> None:
        faults = []
        if not counted.ended:
            expected = "a line feed after the last row"
            faults.append(Fault("the last line has no end: the file may be cut off", expected=expected))
        if rows != counted.lines:
            found = f"{counted.lines} lines with {rows} rows"
            faults.append(Fault("a quotation mark is not closed on its line", found=found, expected="a row a line"))
        if faults:
            raise unreadable(self._path, faults)

    def _refuse_other_counts(self) -> None:
        """Name the rows with the wrong number of cells, if there are any."""
        expected = f"{len(self.labels)}: {' '.join(self.labels)}"
        wrong = [(number, n) for number, n in self._rows() if n != len(self.labels)]
        faults = [Fault("wrong number of cells", f"line {number}", str(n), expected) for number, n in wrong[:_TOLD]]
        if faults:
            raise unreadable(self._path, faults, more=len(wrong) - len(faults))

    def row_faults(self) -> tuple[list[Fault], int]:
        """Return none: a row that is wrong ends the reading."""
        return [], 0

    def _rows(self) -> Iterator[tuple[int, int]]:
        """Yield the line and the number of cells of each row."""
        with opened(self._path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline=None)
            for number, line in enumerate(text, start=1):
                if number > self._header.lines and (cells := line.rstrip("\n")):
                    yield number, len(next(csv.reader([cells], delimiter=self._header.delimiter)))

    def places(self, rows: Sequence[int]) -> dict[int, str]:
        """Say where rows are, counted from 0."""
        wanted, found = set(rows), {}
        for row, (number, _) in enumerate(self._rows()):
            if row in wanted:
                found[row] = f"line {number}"
            if len(found) == len(wanted):
                break
        return found


def _rechunked(reader: Any, rows: int) -> Iterator[Any]:
    """Yield tables of ``rows`` rows, the last of what is left, from batches as they come."""
    import pyarrow as pa

    kept: list[Any] = []
    n = 0
    for batch in reader:
        kept.append(batch)
        n += batch.num_rows
        if n >= rows:
            table = pa.Table.from_batches(kept)
            whole = n - n % rows
            yield from (table.slice(start, rows) for start in range(0, whole, rows))
            kept, n = table.slice(whole).to_batches(), n % rows
    if n:
        yield pa.Table.from_batches(kept)


def _read_header(stream: Any, path: Path, form: str) -> _Header:
    comments: list[str] = []
    for number, raw in enumerate(stream, start=1):
        line = _decoded(raw, number, path)
        if line.startswith("#"):
            comments.append(line)
        elif line.strip():
            return _header_of(line, comments, number, path, form)
    raise unreadable(path, [Fault("there is no header", expected="a line with the names of the columns")])


def _decoded(raw: bytes, number: int, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        fault = Fault("this is not UTF-8 text", f"line {number}", f"byte {raw[error.start]:#04x}")
        raise unreadable(path, [fault]) from None


def _header_of(line: str, comments: Sequence[str], number: int, path: Path, form: str) -> _Header:
    if "\r" in line:
        fault = Fault("lines end in a carriage return alone", f"line {number}", expected="a line feed, or both")
        raise unreadable(path, [fault])
    units: dict[str, str] = {}
    delimiter, names = _DELIMITERS.get(form, ","), None
    if comments and _ECSV.match(comments[0]):
        described = _described(comments[1:])
        delimiter = str(described.get("delimiter", " "))
        units = {str(column["name"]): str(column["unit"]) for column in described["datatype"] if "unit" in column}
        names = [str(column["name"]) for column in described["datatype"]]
    elif form == "ecsv":
        raise unreadable(path, [Fault("this is not ECSV", "line 1", (comments or [line])[0][:60], "# %ECSV 1.0")])
    labels = tuple(label.strip() for label in next(csv.reader([line], delimiter=delimiter)))
    if names is not None and names != list(labels):
        found, expected = " ".join(labels), " ".join(names)
        raise unreadable(
            path, [Fault("the columns are not those that the header declares", f"line {number}", found, expected)]
        )
    return _Header(labels, units, delimiter, number)


def _described(comments: Sequence[str]) -> Mapping[str, Any]:
    from astropy.table.meta import get_header_from_yaml

    header: Mapping[str, Any] = get_header_from_yaml([line.removeprefix("# ").removeprefix("#") for line in comments])
    return header
