"""Raw files that unpack to more, or declare more, than they hold; that lead elsewhere; or that are none."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from sigcube.cube import KINDS
from sigcube.readers import READERS
from sigcube.readers.formats import Column, Table, read_table
from tests.bad_inputs.cases import Case, Room
from tests.readers.sparc_files import SparcFiles

__all__ = ["FILES"]

MEGABYTE = 2**20
VOTABLE = (
    '<?xml version="1.0"?>{before}<VOTABLE version="1.4"><RESOURCE><TABLE {table}>'
    '<FIELD name="x" datatype="double" unit="kpc" {field}/>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>'
)
ROWS = "<TABLEDATA><TR><TD>1</TD></TR></TABLEDATA>"
STREAM = "<BINARY><STREAM {how}>AAAA</STREAM></BINARY>"
ENTITIES = "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
LAUGHS = f'<!DOCTYPE l [<!ENTITY a "ha">{ENTITIES}]>'


def bomb(pack: Callable[[bytes], bytes], head: bytes, block: bytes) -> Callable[[], bytes]:
    """Pack a few bytes, and then the same again and again: one packed file may follow another."""
    return lambda: pack(head) + pack(block * (MEGABYTE // len(block))) * 80


def votable(**given: str) -> Callable[[], bytes]:
    plain = {"table": "", "field": "", "fields": "", "data": ROWS, "before": ""}
    return lambda: VOTABLE.format(**{**plain, **given}).encode()


@cache
def fits() -> bytes:
    from astropy.io import fits

    file = io.BytesIO()
    fits.BinTableHDU.from_columns([fits.Column("x", "D", "kpc", array=np.ones(2))]).writeto(file)
    return file.getvalue()


def fits_with(key: str, value: object) -> Callable[[], bytes]:
    """A FITS file in whose header a key has another value."""

    def make() -> bytes:
        # Some keys are in the first header too.
        place = fits().rindex(f"{key:8}=".encode())
        return fits()[:place] + f"{key:8}= {value:>20}".encode() + fits()[place + 30 :]

    return make


def parquet(*, rows: int = 3, text: str = "") -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text]) if text else pa.array(np.ones(rows))
    parquet.write_table(pa.table({"x": column}), file)
    return file.getvalue()


def ecsv(header: str) -> bytes:
    return f"# %ECSV 1.0\n# ---\n# {header}\nx\n1\n".encode()


DAMAGED, LONG, LARGE = "truncated or damaged", "the line is too long", "unpacks to too much"
# The name of a file, how it is packed, how it begins, what then follows again and again, and what is said.
BOMBS: list[tuple[str, Callable[[bytes], bytes], bytes, bytes, str]] = [
    ("a.csv.gz", gzip.compress, b"x\n", bytes(MEGABYTE), LONG),
    ("a.csv.bz2", bz2.compress, b"x\n", bytes(MEGABYTE), LONG),
    ("a.csv.xz", lzma.compress, b"x\n", bytes(MEGABYTE), LONG),
    ("rows.csv.gz", gzip.compress, b"x\n", b"1\n", LARGE),
    ("empty_lines.csv.gz", gzip.compress, b"x\n", b"\n", LARGE),
    ("header.ecsv.gz", gzip.compress, b"# %ECSV 1.0\n", b"# a\n", "the header is too long"),
    ("a.fits.gz", gzip.compress, b"SIMPLE  =", bytes(2880), LARGE),
    ("a.fits.bz2", bz2.compress, b"SIMPLE  =", bytes(2880), LARGE),
    ("a.vot.gz", gzip.compress, b"<?xml", b" " * 2880, LARGE),
    ("a.parquet.gz", gzip.compress, b"PAR1", bytes(2880), LARGE),
]
# What a key in the header of a FITS file says, and what is said of that.
HEADERS: list[tuple[str, object, str]] = [
    *(("NAXIS2", rows, "the table cannot be read") for rows in (10**9, 10**12, 10**18, 10**19, -1)),
    ("NAXIS1", 10**12, DAMAGED),
    ("TFIELDS", 10**9, "TFIELDS is wrong"),
    ("TFIELDS", -1, "TFIELDS is wrong"),
    ("TFIELDS", 999, DAMAGED),
    ("TFORM1", "'999999999999D'", DAMAGED),
    # The cells are elsewhere in the file.
    ("TFORM1", "'1PD(99999999999)'", "the column holds something else"),
    ("TFORM1", "'Z'", DAMAGED),
    ("PCOUNT", 10**15, "the table cannot be read"),
    ("GCOUNT", 10**9, DAMAGED),
    ("NAXIS", 10**6, DAMAGED),
]
ELSEWHERE = "the rows are in another file"
# What is in a VOTable, and what is said of it.
VOTABLES: list[tuple[str, dict[str, str], str]] = [
    *((f"of {rows} rows", {"table": f'nrows="{rows}"'}, "too many rows") for rows in (10**9, 10**12, 10**30)),
    ("of fewer rows than none", {"table": 'nrows="-1"'}, DAMAGED),
    ("of 10^12 numbers a cell", {"field": f'arraysize="{10**12}"'}, DAMAGED),
    ("of ten thousand columns", {"fields": "<FIELD/>" * 10**4}, "too many columns"),
    ("whose rows are in another file", {"data": STREAM.format(how='href="file:///etc/passwd"')}, ELSEWHERE),
    ("whose rows are on the network", {"data": STREAM.format(how="encoding='gzip' href='http://a'")}, ELSEWHERE),
    ("that laughs a billion times", {"before": LAUGHS, "data": ROWS.replace("1", "&j;")}, DAMAGED),
    ("nested without an end", {"before": "<RESOURCE>" * 20_000}, DAMAGED),
]
# What a file of this name holds, made when it is needed, and what is said of it.
CONTENTS: list[tuple[str, str, Callable[[], bytes], str]] = [
    ("a line without an end", "a.csv", lambda: b"x\n" + b"1" * (2 * MEGABYTE), LONG),
    ("a first line without an end", "a.csv", lambda: b"x" * (2 * MEGABYTE), LONG),
    ("gzip that breaks off", "a.csv.gz", lambda: gzip.compress(b"x\n1\n" * 99)[:-9], DAMAGED),
    ("gzip of nothing", "a.csv.gz", lambda: gzip.compress(b""), "there is no header"),
    ("a beginning of gzip", "a.csv.gz", lambda: b"\x1f\x8b", DAMAGED),
    ("a beginning of FITS", "a.fits", lambda: b"SIMPLE  =", DAMAGED),
    ("FITS that breaks off", "a.fits", lambda: fits()[:-2880], DAMAGED),
    ("a VOTable without a table", "a.vot", lambda: b"<?xml version='1.0'?><VOTABLE/>", "there is no table"),
    ("XML of something else", "a.xml", lambda: b"<?xml version='1.0'?><html/>", "the table cannot be read"),
    ("Parquet of rows that take no bytes", "a.parquet", lambda: parquet(rows=3_000_000), "too many rows"),
    ("Parquet of text for numbers", "a.parquet", lambda: parquet(rows=10**5, text="x" * MEGABYTE), "something else"),
    ("Parquet that breaks off", "a.parquet", lambda: parquet()[:-4], DAMAGED),
    ("Parquet of an endless footer", "a.parquet", lambda: parquet()[:-8] + b"\xff\xff\xff\x7fPAR1", DAMAGED),
    ("a beginning of Parquet", "a.parquet", lambda: b"PAR1", DAMAGED),
    ("ECSV whose header nests without an end", "a.ecsv", lambda: ecsv("[" * 10**5), DAMAGED),
    ("ECSV whose header gives orders", "a.ecsv", lambda: ecsv("datatype: !!python/object/apply:os.abort []"), DAMAGED),
    ("ECSV without a header", "a.ecsv", lambda: b"x\n1\n", "this is not ECSV"),
    ("a file whose name says nothing", "a", lambda: b"x\n1\n", "unknown format"),
    ("a picture", "a.png", lambda: b"\x89PNG\r\n\x1a\n", "unknown format"),
    ("nothing at all", "a.fits", lambda: b"", "the table cannot be read"),
]
COLUMNS = (Column(label="x", variable="r", unit="kpc"),)
#: Names of galaxies, in text.
NAMES = (Column(label="x", variable="galaxy"),)


def table(name: str, content: Callable[[], bytes], columns: tuple[Column, ...] = COLUMNS) -> Callable[[Room], object]:
    return lambda room: read_table(Table(room.write(content(), name), columns), kind=KINDS["galaxy"])


def sparc_zip(members: Callable[[], Iterator[tuple[str, bytes]]]) -> Callable[[Room], object]:
    """The files of SPARC, whose rotation curves are in another zip."""

    def act(room: Room) -> object:
        raw = room.make("raw")
        recipe = SparcFiles().write(raw)
        with zipfile.ZipFile(raw / recipe.files["curves"].name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members():
                archive.writestr(name, content)
        tables = {role: Table(raw / file.name, file.columns) for role, file in recipe.files.items()}
        return READERS["sparc"].read(tables, cuts=recipe.cuts)

    return act


def endless() -> Iterator[tuple[str, bytes]]:
    yield from ((f"G{i}_rotmod.dat", bytes(16 * MEGABYTE)) for i in range(17))


FILES: tuple[Case, ...] = (
    *(Case(f"bomb: {name}", said, table(name, bomb(*packed))) for name, *packed, said in BOMBS),
    *(Case(f"FITS: {key} is {value}", said, table("a.fits", fits_with(key, value))) for key, value, said in HEADERS),
    *(Case(f"a VOTable {what}", said, table("a.vot", votable(**given))) for what, given, said in VOTABLES),
    *(Case(f"file: {reason}", said, table(name, content)) for reason, name, content, said in CONTENTS),
    Case(
        "file: Parquet of an endless name of each galaxy",
        "the text is too long",
        table("a.parquet", lambda: parquet(rows=2 * 10**5, text="x" * MEGABYTE), NAMES),
    ),
    Case("file: a zip that unpacks without an end", "the zip unpacks to too much", sparc_zip(endless)),
    Case("file: a zip of nothing", "the zip is empty", sparc_zip(lambda: iter([]))),
    Case("file: a zip of another file", "the header is another", sparc_zip(lambda: iter([("a_rotmod.dat", b"x\n")]))),
    Case(
        "file: a folder in its place",
        "the file cannot be opened",
        lambda room: read_table(Table(room.make("a.csv"), COLUMNS), kind=KINDS["galaxy"]),
    ),
    Case(
        "file: nothing in its place",
        "the file cannot be opened",
        lambda room: read_table(Table(room.folder / "a.csv", COLUMNS), kind=KINDS["galaxy"]),
    ),
)
