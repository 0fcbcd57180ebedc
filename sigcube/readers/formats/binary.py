"""FITS, VOTable and Parquet: tables whose cells are already numbers."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sigcube.errors import Fault
from sigcube.readers.formats.cells import Cells, TableSource
from sigcube.readers.formats.columns import Table
from sigcube.readers.formats.unpacking import decompressed, guarded, read_whole, unreadable

__all__ = ["FitsSource", "ParquetSource", "VoTableSource"]

_TABLE_META = b"table_meta_yaml"
_VO_META = b"IVOA.VOTable-Parquet.content"
# Columns that the standard of FITS allows.
_MOST_FIELDS = 999
_VO_ROWS = re.compile(rb"""\bnrows\s*=\s*["']\s*([0-9]{1,30})""")
_VO_LINK = re.compile(rb"<(?:\w+:)?STREAM\b[^>]*\bhref\s*=")
# Rows of a Parquet file for each of its bytes, whatever the file's size: a measured row has bytes of its own.
_MOST_ROWS = 100
_ALWAYS_ROWS = 10**6
# What astropy's reader of VOTables only warns about: other counts of rows or columns, numbers that it changes to fit.
_SILENT_LOSSES = ("W18", "W19", "W30", "W46", "W51", "W56")


class FitsSource(TableSource):
    """A table extension of a FITS file, mapped into memory."""

    def __init__(self, table: Table, stack: ExitStack) -> None:
        from astropy.io import fits

        super().__init__()
        self._path = table.path
        path = stack.enter_context(decompressed(table.path))
        with guarded(table.path), _quiet():
            # Astropy does not close a file whose header it cannot read.
            file = stack.enter_context(path.open("rb"))
            hdus = stack.enter_context(fits.open(file))
            hdu = _extension(hdus, table)
            self._columns = {column.name: column for column in hdu.columns}
            self.labels = [column.name for column in hdu.columns]
            self.units = {name: str(column.unit) for name, column in self._columns.items() if column.unit}
            self._rows = self._mapped(hdu, path)

    def _mapped(self, hdu: Any, path: Path) -> Any:
        """Map the rows of the file into memory; an ASCII table, which is small, is parsed by astropy."""
        from astropy.io import fits

        offset, there = hdu.fileinfo()["datLoc"], path.stat().st_size
        if offset + hdu.size > there:
            found, expected = f"{there} bytes", f"at least {offset + hdu.size}"
            raise unreadable(self._path, [Fault("the file is truncated or damaged", "", found, expected)])
        if isinstance(hdu, fits.TableHDU):
            return hdu.data
        width, dtype = hdu.header["NAXIS1"], hdu.columns.dtype.newbyteorder(">")
        if width != dtype.itemsize:
            found, expected = f"{width} bytes", f"{dtype.itemsize}, as its columns"
            raise unreadable(self._path, [Fault("the rows have another length", found=found, expected=expected)])
        n = hdu.header["NAXIS2"]
        return np.memmap(path, dtype, "r", offset, (n,)) if n else np.empty(0, dtype)

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""
        with guarded(self._path):
            for start in range(0, len(self._rows), rows):
                part = self._rows[start : start + rows]
                yield {label: self._cells(part[label], label) for label in labels}

    def _cells(self, values: Any, label: str) -> Cells:
        column = self._columns[label]
        missing = None
        if column.null is not None and values.dtype.kind in "iu":
            missing = np.asarray(values == column.null)
        if str(column.format).lstrip("1") == "L":
            return Cells(np.asarray(values == ord("T")))
        return Cells(_scaled(np.asarray(values), float(column.bscale or 1.0), column.bzero or 0), missing)


def _scaled(values: Any, scale: float, zero: Any) -> Any:
    """Apply TSCAL and TZERO; a zero of half an integer's range makes it unsigned."""
    if values.dtype.kind not in "iuf" or (scale == 1.0 and zero == 0):
        return values
    if scale == 1.0 and values.dtype.kind == "i" and zero == 2 ** (8 * values.dtype.itemsize - 1):
        unsigned = np.dtype(f"u{values.dtype.itemsize}")
        return values.astype(unsigned) + unsigned.type(zero)
    # In single precision, the product would lose digits.
    return np.multiply(values, scale, dtype=np.float64) + float(zero)


def _extension(hdus: Any, table: Table) -> Any:
    from astropy.io import fits

    tables = {place: hdu for place, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)}
    names = [f"{place} {hdu.name}".strip() for place, hdu in tables.items()]
    wanted = [hdu for place, hdu in tables.items() if table.extension in (None, place, hdu.name)]
    if not wanted:
        found = ", ".join(names) or "none"
        what = "there is no table" if table.extension is None else f"there is no table extension {table.extension!r}"
        raise unreadable(table.path, [Fault(what, found=found)])
    # Astropy goes through as many columns as the header says.
    if not 0 <= (n := wanted[0].header["TFIELDS"]) <= _MOST_FIELDS:
        raise unreadable(table.path, [Fault("TFIELDS is wrong", found=f"{n}", expected=f"0 to {_MOST_FIELDS}")])
    return wanted[0]


class VoTableSource(TableSource):
    """A table of a VOTable file, read whole because astropy cannot read one in pieces."""

    def __init__(self, table: Table, stack: ExitStack) -> None:
        from astropy.io import votable

        super().__init__()
        content = read_whole(table.path)
        if faults := [*_boasts(content)]:
            raise unreadable(table.path, faults)
        with guarded(table.path), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tables = list(votable.parse(io.BytesIO(content), filename=table.path.name, verify="warn").iter_tables())
            here = table.extension
            chosen = [t for place, t in enumerate(tables) if here is None or here in (place, t.ID, t.name)]
            if not chosen:
                what = "there is no table" if here is None else f"there is no table {here!r}"
                raise unreadable(table.path, [Fault(what, found=f"{len(tables)} tables")])
        lost = [str(w.message) for w in caught if w.category.__name__ in _SILENT_LOSSES]
        if lost:
            faults = [Fault("a cell or row is not what the file declares", found=text) for text in lost]
            raise unreadable(table.path, faults)
        self._array, fields = chosen[0].array, chosen[0].fields
        self.labels = [field.name for field in fields]
        self._ids = {field.name: field.ID for field in fields}
        self.units = {field.name: str(field.unit) for field in fields if field.unit is not None}

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""
        for start in range(0, len(self._array), rows):
            part = self._array[start : start + rows]
            columns = {label: part[self._ids[label]] for label in labels}
            yield {label: Cells(np.ma.getdata(column), np.ma.getmaskarray(column)) for label, column in columns.items()}


def _boasts(content: bytes) -> Iterator[Fault]:
    """Find what astropy would believe of a VOTable: it makes room for rows and columns first, and opens other files."""
    rows, size = max([0, *map(int, _VO_ROWS.findall(content))]), len(content)
    if rows > size:
        yield Fault("the file declares too many rows", "", f"{rows} rows in {size} bytes", "a byte for each, or more")
    if (columns := content.count(b"<FIELD")) > _MOST_FIELDS:
        yield Fault("the file has too many columns", "", f"{columns}", f"at most {_MOST_FIELDS}")
    if _VO_LINK.search(content):
        yield Fault("the rows are in another file", "STREAM, href", expected="rows in the file itself")


class ParquetSource(TableSource):
    """A Parquet file, read in batches of rows; its units are in what astropy's writers add to it."""

    def __init__(self, table: Table, stack: ExitStack) -> None:
        from pyarrow import parquet

        super().__init__()
        self._path = table.path
        path = stack.enter_context(decompressed(table.path))
        with guarded(table.path):
            # What a file of kilobytes repeats, once more for each row, may fill the memory.
            texts = [field.name for field in parquet.read_schema(path) if str(field.type) in ("string", "large_string")]
            # A buffer that is filled in advance would be held until the file is closed.
            file = parquet.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, read_dictionary=texts)
            self._file = stack.enter_context(file)
            n, size = self._file.metadata.num_rows, path.stat().st_size
            if n > max(_ALWAYS_ROWS, _MOST_ROWS * size):
                found, expected = f"{n} rows in {size} bytes", f"at most {_MOST_ROWS} a byte"
                raise unreadable(self._path, [Fault("the file declares too many rows", "", found, expected)])
            schema = self._file.schema_arrow
            self.labels = schema.names
            self.units = _parquet_units(schema.metadata or {})

    def batches(self, labels: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """Yield some columns, at most `rows` rows at a time."""
        with guarded(self._path):
            for batch in self._file.iter_batches(batch_size=rows, columns=list(labels)):
                yield {label: _arrow_cells(batch.column(label)) for label in labels}


def _arrow_cells(array: Any) -> Cells:
    import pyarrow as pa
    import pyarrow.compute as compute

    kind = array.type
    if pa.types.is_dictionary(kind) and str(kind.value_type) in ("string", "large_string"):
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        words = np.array([*array.dictionary.fill_null("").to_pylist(), ""], dtype=object)
        return Cells(words[array.indices.fill_null(len(words) - 1).to_numpy()], missing)
    if pa.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), kind.value_type
    if pa.types.is_decimal(kind):
        array, kind = compute.cast(array, pa.float64()), pa.float64()
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Cells(array.fill_null("").to_numpy(zero_copy_only=False).astype(object), missing)
    if pa.types.is_integer(kind):
        return Cells(array.fill_null(0).to_numpy(zero_copy_only=False), missing)
    if pa.types.is_boolean(kind):
        return Cells(array.fill_null(True).to_numpy(zero_copy_only=False))
    if pa.types.is_floating(kind):
        return Cells(array.to_numpy(zero_copy_only=False), missing)
    return Cells(np.full(len(array), None, dtype=object), np.ones(len(array), dtype=np.bool_))


def _parquet_units(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    if _TABLE_META in metadata:
        from astropy.table.meta import get_header_from_yaml

        described = get_header_from_yaml(metadata[_TABLE_META].decode("utf-8").split("\n"))
        return {str(column["name"]): str(column["unit"]) for column in described["datatype"] if "unit" in column}
    if _VO_META in metadata:
        from astropy.io import votable

        with _quiet():
            fields = votable.parse(io.BytesIO(metadata[_VO_META])).get_first_table().fields
        return {field.name: str(field.unit) for field in fields if field.unit is not None}
    return {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore astropy's remarks about the form of a file; what matters is checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
