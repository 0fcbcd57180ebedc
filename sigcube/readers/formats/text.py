"""CSV, TSV and ECSV, streamed: memory does not grow with the file."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from sigcube.errors import DataError, Fault
from sigcube.readers.formats.cells import Cells, TableSource
from sigcube.readers.formats.columns import Table
from sigcube.readers.formats.unpacking import guarded, opened, unreadable

__all__ = ["TextSource"]

_BLOCK = 1 << 20
_ECSV = re.compile(r"#\s*%ECSV\s")
# Arrow refuses a line longer than a block.
_LONGEST_LINE = _BLOCK
# Python's parser of YAML takes seconds for as much; the header of a thousand columns has half of it.
_LONGEST_HEADER = 2**18
_MOST = 20
_DELIMITERS = {"csv": ",", "tsv": "\t"}


class TextSource(TableSource):
    """A CSV, TSV or ECSV file, compressed or not.

    Lines above the labels that begin with ``#`` are skipped; in ECSV they are the header. A row is a line.

    Parameters
    ----------
    table : Table
        The file.
    form : {"csv", "tsv", "ecsv"}
        Its format; a CSV file that begins as ECSV does is ECSV.
    """

    def __init__(self, table: Table, form: str) -> None:
        super().__init__()
        self._path = table.path
        self.units = {}
        comments: list[str] = []
        size = 0
        with guarded(self._path), opened(self._path) as stream:
            for number, raw in self._lines(stream):
                line = _decoded(raw, number, self._path)
                if line.startswith("#"):
                    comments.append(line)
                    if (size := size + len(line)) > _LONGEST_HEADER:
                        expected = f"at most {_LONGEST_HEADER} letters above the columns"
                        raise self._error("the header is too long", f"line {number}", expected=expected)
                elif line.strip():
                    self._header_lines = number
                    break
            else:
                raise self._error("there is no header", expected="a line with the names of the columns")
            self._read_header(line, comments, form)

    def _read_header(self, line: str, comments: Sequence[str], form: str) -> None:
        where = f"line {self._header_lines}"
        if "\r" in line:
            raise self._error("lines end in a carriage return alone", where, expected="a line feed, or both")
        self._delimiter, names = _DELIMITERS.get(form, ","), None
        if comments and _ECSV.match(comments[0]):
            from astropy.table.meta import get_header_from_yaml

            described = get_header_from_yaml([line.removeprefix("# ").removeprefix("#") for line in comments[1:]])
            self._delimiter = str(described.get("delimiter", " "))
            names = [str(column["name"]) for column in described["datatype"]]
            self.units = {str(c["name"]): str(c["unit"]) for c in described["datatype"] if "unit" in c}
        elif form == "ecsv":
            raise self._error("this is not ECSV", "line 1", (comments or [line])[0][:60], "# %ECSV 1.0")
        self.labels = [label.strip() for label in next(csv.reader([line], delimiter=self._delimiter))]
        if names is not None and names != self.labels:
            what = "the columns are not those that the header declares"
            raise self._error(what, where, " ".join(self.labels), " ".join(names))

    def _error(self, what: str, where: str = "", found: str | None = None, expected: str | None = None) -> DataError:
        return unreadable(self._path, [Fault(what, where, found, expected)])

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""
        with guarded(self._path), opened(self._path) as stream:
            for _ in range(self._header_lines):
                stream.readline()
            if not stream.peek(1):
                return
            counted = _LineCounter(stream)
            n = 0
            for batch in _regrouped(self._arrow_batches(counted, labels), rows):
                n += batch.num_rows
                yield {label: Cells(batch[str(self.labels.index(label))].combine_chunks()) for label in labels}
            faults = []
            if not counted.ended:
                what, expected = "the last line has no end: the file may be cut off", "a line feed after the last row"
                faults.append(Fault(what, expected=expected))
            if n != counted.lines:
                what, found = "a quotation mark is not closed on its line", f"{counted.lines} lines with {n} rows"
                faults.append(Fault(what, found=found, expected="a row a line"))
            if faults:
                raise unreadable(self._path, faults)

    def _arrow_batches(self, stream: Any, labels: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        # Columns go by their numbers, since labels may not be unique.
        wanted = [str(self.labels.index(label)) for label in labels]
        names = [str(number) for number in range(len(self.labels))]
        try:
            with arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK),
                parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=wanted,
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            ) as reader:
                yield from reader
        except pa.ArrowInvalid:
            self._check_every_line()
            raise

    def _check_every_line(self) -> None:
        """Find the lines that Arrow refused, which it does not name: not UTF-8, or the wrong number of cells."""
        with opened(self._path) as stream:
            for number, line in self._lines(stream):
                _decoded(line, number, self._path)
        n = len(self.labels)
        wrong = [(number, found) for number, found in self._numbered_rows() if found != n]
        expected = f"{n}: {' '.join(self.labels)}"
        faults = [Fault("wrong number of cells", f"line {line}", str(found), expected) for line, found in wrong[:_MOST]]
        if faults:
            raise unreadable(self._path, faults, more=len(wrong) - len(faults))

    def _lines(self, stream: Any) -> Iterator[tuple[int, Any]]:
        """Yield the lines of a stream with their numbers, from 1; one without an end is refused before it is read."""
        for number in count(1):
            line = stream.readline(_LONGEST_LINE + 1)
            if len(line) > _LONGEST_LINE:
                raise self._error("the line is too long", f"line {number}", expected=f"at most {_LONGEST_LINE} bytes")
            if not line:
                return
            yield number, line

    def _numbered_rows(self) -> Iterator[tuple[int, int]]:
        """Yield the line and the number of cells of each row."""
        with opened(self._path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline=None)
            for number, line in self._lines(text):
                if number > self._header_lines and (cells := line.rstrip("\n")):
                    yield number, len(next(csv.reader([cells], delimiter=self._delimiter)))

    def places(self, rows: Sequence[int]) -> dict[int, str]:
        """Name the lines of rows, counted from 0."""
        wanted, found = set(rows), {}
        for row, (number, _) in enumerate(self._numbered_rows()):
            if row in wanted:
                found[row] = f"line {number}"
            if len(found) == len(wanted):
                break
        return found


class _LineCounter(io.RawIOBase):
    """A stream that counts the lines that are not empty as they are read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lines = 0
        self.ended = True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size)
        if block:
            lines = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block
            if b"\n\n" in lines:
                lines = re.sub(rb"\n+", b"\n", lines)
            self.lines += (self.ended and not lines.startswith(b"\n")) + lines.count(b"\n") - lines.endswith(b"\n")
            self.ended = lines.endswith(b"\n")
        return block


def _regrouped(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Yield tables of ``rows`` rows, the last one shorter, from batches of any size."""
    import pyarrow as pa

    waiting: list[Any] = []
    n = 0
    for batch in batches:
        waiting.append(batch)
        n += batch.num_rows
        if n >= rows:
            table = pa.Table.from_batches(waiting)
            whole = n - n % rows
            yield from (table.slice(start, rows) for start in range(0, whole, rows))
            waiting, n = table.slice(whole).to_batches(), n % rows
    if n:
        yield pa.Table.from_batches(waiting)


def _decoded(raw: bytes, number: int, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        fault = Fault("this is not UTF-8 text", f"line {number}", f"byte {raw[error.start]:#04x}")
        raise unreadable(path, [fault]) from None
