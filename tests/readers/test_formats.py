from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from pyarrow import csv, parquet

from sigcube.cube import KINDS
from sigcube.errors import DataError
from sigcube.readers.formats import Column, Table, read_chunks, read_table
from tests.readers.tables import FORMATS, columns, packed, write_csv, write_table

STAR, GALAXY = KINDS["star"], KINDS["galaxy"]
_IDS = [4161585441691080448, 4050817990273288065, 9223372036854775807, -9007199254740993]


def stars(**changed: Any) -> AstropyTable:
    table = AstropyTable(
        {
            "source_id": _IDS,
            "ra": [1.5, 2.25, 1 / 3, 359.99999999999994] * u.deg,
            "parallax": MaskedColumn([20.4, 1e-300, 0.0, -0.25], mask=[False, False, True, False], unit="mas"),
            "extra": ["a", "b", "", "d"],
        }
    )
    for name, values in changed.items():
        table[name] = values
    return table


STAR_COLUMNS = columns(("source_id", "source_id"), ("ra", "ra", "deg"), ("parallax", "parallax", "mas"))


def _check_stars(read: dict[str, Any]) -> None:
    assert list(read) == ["source_id", "ra", "parallax"]
    assert read["source_id"].dtype == np.int64
    assert read["source_id"].tolist() == _IDS
    assert read["ra"].tolist() == [1.5, 2.25, 1 / 3, 359.99999999999994]
    np.testing.assert_array_equal(read["parallax"], [20.4, 1e-300, np.nan, -0.25])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_numbers(form: str, suffix: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, form, stars())
    path = packed(path, suffix) if suffix else path
    _check_stars(read_table(Table(path, STAR_COLUMNS), kind=STAR))


@pytest.mark.parametrize("form", FORMATS)
def test_the_recipe_may_name_the_format(form: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, form, stars()).rename(tmp_path / "table.dat")
    _check_stars(read_table(Table(path, STAR_COLUMNS, format=form), kind=STAR))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("form", FORMATS)
def test_chunks_have_at_most_so_many_rows(form: str, rows: int, tmp_path: Path) -> None:
    parts = list(read_chunks(Table(write_table(tmp_path, form, stars()), STAR_COLUMNS), kind=STAR, rows=rows))
    assert [part["ra"].size for part in parts][:-1] == [rows] * (len(parts) - 1)
    _check_stars({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_are_in_the_unit_of_the_cube(form: str, tmp_path: Path) -> None:
    table = AstropyTable({"R": [1.0, 2.5] * u.pc, "V": [3.0, 4.0] * u.km / u.s})
    path = write_table(tmp_path, form, table)
    read = read_table(Table(path, columns(("R", "r", "pc"), ("V", "v_obs", "km/s"))), kind=GALAXY)
    assert read["r"].tolist() == pytest.approx([1e-3, 2.5e-3], rel=1e-15)
    assert read["v_obs"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("form", ["ecsv", "fits", "votable", "parquet"])
def test_the_unit_of_the_file_is_believed_or_compared(form: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, form, AstropyTable({"R": [1000.0] * u.pc, "T": [1.0] * u.K}))
    assert read_table(Table(path, columns(("R", "r"))), kind=GALAXY)["r"].tolist() == pytest.approx([1.0])
    assert read_table(Table(path, columns(("R", "r", "1e-3 kpc"))), kind=GALAXY)["r"].tolist() == pytest.approx([1.0])
    with pytest.raises(DataError, match=r"the unit is another\n.*column R\n  found: 'pc'\n  expected: 'kpc'"):
        read_table(Table(path, columns(("R", "r", "kpc"))), kind=GALAXY)
    with pytest.raises(DataError, match=r"the unit cannot be converted to 'kpc'\n.*column T\n  found: 'K'"):
        read_table(Table(path, columns(("T", "r"))), kind=GALAXY)


def test_a_unit_that_nobody_knows_is_told_beside_that_of_the_recipe(tmp_path: Path) -> None:
    fits.BinTableHDU.from_columns([fits.Column("R", "D", unit="kilopc", array=np.ones(2))]).writeto(tmp_path / "t.fits")
    with pytest.raises(
        DataError, match=r"column R\n  found: 'kilopc' in the file, 'kpc' in the recipe \('kilopc' did no"
    ):
        read_table(Table(tmp_path / "t.fits", columns(("R", "r", "kpc"))), kind=GALAXY)


def test_constants_that_are_wrong_are_told_apart(tmp_path: Path) -> None:
    path = write_table(tmp_path, "csv", AstropyTable({"V": [1.0]}))
    given = (Column(variable="r", constant="x"), Column(variable="v_gas", constant="y"))
    with pytest.raises(DataError, match=r"2 faults\n(.*\n)*.*column r \(constant\): .*\n.*column v_gas \(constant\): "):
        read_table(Table(path, (*given, *columns(("V", "v_obs", "km/s")))), kind=GALAXY)


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_number_that_stands_for_no_value(form: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, form, AstropyTable({"T": [3, -9]}))
    with pytest.raises(DataError, match=r"missing, and a whole number cannot be NaN\n  where: .*column T"):
        read_table(Table(path, columns(("T", "hubble_type"), hubble_type={"missing": -9})), kind=GALAXY)


@pytest.mark.parametrize("form", ["csv", "fits", "parquet"])
def test_somebody_must_give_the_unit(form: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, form, AstropyTable({"R": [1.0], "Z": [2.0]}))
    with pytest.raises(DataError, match=r"neither the file nor the recipe gives a unit\n.*column R\n.*unit = 'kpc'"):
        read_table(Table(path, columns(("R", "r"))), kind=GALAXY)
    assert read_table(Table(path, columns(("Z", "redshift"))), kind=KINDS["cluster"])["redshift"].tolist() == [2.0]


@pytest.mark.parametrize("form", FORMATS)
def test_text_and_missing_columns(form: str, tmp_path: Path) -> None:
    # A FITS file holds ASCII.
    second = 'O, "q"' if form == "fits" else 'Ωmega, "q"'
    path = write_table(tmp_path, form, AstropyTable({"name": ["NGC 1", second], "D": [1.0, 2.0] * u.Mpc}))
    read = read_table(Table(path, columns(("name", "galaxy"), ("D", "distance", "Mpc"))), kind=GALAXY)
    assert read["galaxy"].tolist() == ["NGC 1", second]
    assert read["galaxy"].dtype == object
    with pytest.raises(DataError, match=r"column 'Name' is missing\n.*\n  expected: did you mean 'name'\?"):
        read_table(Table(path, columns(("Name", "galaxy"))), kind=GALAXY)


@pytest.mark.parametrize("form", FORMATS)
def test_values_that_cannot_be(form: str, tmp_path: Path) -> None:
    table = AstropyTable({"R": [1.0, np.inf, -9.0, 5.0, -99.0] * u.kpc, "T": [1.0, 2.5, 3.0, 4.0, 5.0]})
    given = columns(
        ("R", "r", "kpc"),
        ("T", "hubble_type"),
        r={"range": (0.0, 10.0), "missing": -99.0},
        hubble_type={"range": (1, 3)},
    )
    path = write_table(tmp_path, form, table)
    in_text = form in ("csv", "tsv", "ecsv")
    place, first = "row", 1
    if in_text:
        place, first = "line", next(n for n, line in enumerate(path.read_text().splitlines(), 2) if line[0] != "#")
    with pytest.raises(DataError, match=r"5 faults") as caught:
        read_table(Table(path, given), kind=GALAXY)
    said = str(caught.value)
    assert f"{place} {first + 1}, column R: not a finite number, found inf" in said
    assert f"{place} {first + 1}, column T: not a whole number" in said
    assert f"{place} {first + 2}, column R: out of range, found -9.0, expected 0 to 10" in said
    assert f"{place} {first + 3}, column T: out of range, found 4, expected 1 to 3" in said


@pytest.mark.parametrize("form", ["ecsv", "fits", "parquet"])
def test_a_mask_written_as_a_column_of_its_own(form: str, tmp_path: Path) -> None:
    table = AstropyTable({"R": [1.0, 2.0] * u.kpc, "R.mask": [False, True]})
    read = read_table(Table(write_table(tmp_path, form, table), columns(("R", "r"))), kind=GALAXY)
    np.testing.assert_array_equal(read["r"], [1.0, np.nan])


def test_constants(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "R\n1\n2\n")
    given = (
        *columns(("R", "r", "kpc")),
        Column(variable="v_gas", constant=0.0),
        Column(variable="r_disk", constant=500.0, unit="pc"),
        Column(variable="galaxy", constant="mine"),
    )
    read = read_table(Table(path, given), kind=GALAXY)
    assert read["v_gas"].tolist() == [0.0, 0.0]
    assert read["r_disk"].tolist() == [0.5, 0.5]
    assert read["galaxy"].tolist() == ["mine", "mine"]


RV = columns(("R", "r", "kpc"), ("V", "v_obs", "km/s"))

CSV: dict[str, tuple[str | bytes, list[float]]] = {
    "plain": ("R,V\n1,2\n3,4\n", [1, 3]),
    "of Windows, with a mark of its encoding": (b"\xef\xbb\xbfR,V\r\n1,2\r\n3,4\r\n", [1, 3]),
    "comments and empty lines": ("# a\n#b\n\nR,V\n\n1,2\n\n\n3,4\n\n", [1, 3]),
    "quoted": ('"R","V"\n"1","2"\n"3",4\n', [1, 3]),
    "blanks about the cells": ("R , V\n 1 , 2\n3 ,4\n", [1, 3]),
    "every way to write a number": ("R,V\n+1,2\n.3e1,0\n1.,0\n0x,0\n".replace("0x", "001"), [1, 3, 1, 1]),
    "nothing measured": ("R,V\n,2\nnan,4\nnull,1\nNaN,1\n \t,1\n", [np.nan] * 5),
}


@pytest.mark.parametrize("case", CSV)
def test_csv_as_it_is_about(case: str, tmp_path: Path) -> None:
    text, expected = CSV[case]
    np.testing.assert_array_equal(read_table(Table(write_csv(tmp_path, text), RV), kind=GALAXY)["r"], expected)


BAD_CSV: dict[str, tuple[str | bytes, str]] = {
    "letters": ("R,V\n1,2\n\n3,4x\n", r"not a number\n  where: .*t.csv, line 4, column V\n  found: '4x'"),
    "an underscore": ("R,V\n1_0,2\n", r"not a number\n.*line 2, column R\n  found: '1_0'"),
    "digits of another script": ("R,V\n١,2\n", r"not a number\n.*line 2, column R"),
    "infinite": ("R,V\n1e999,2\n", r"not a finite number\n.*line 2, column R\n  found: inf"),
    "a cell too few": ("R,V\n1,2\n3\n4,5\n", r"wrong number of cells\n.*line 3\n  found: 1\n  expected: 2: R V"),
    "a cell too many": ("R,V\n1,2,3\n", r"wrong number of cells\n.*line 2\n  found: 3"),
    "cut off within a row": ("R,V\n1,2\n3,", r"the last line has no end"),
    "a quotation mark that stays open": (
        'R,V,x\n1,2,"a\n3,4,b\n5,6,c\n',
        r"a quotation mark is not closed.*\n.*\n  found: 3 lines with 1 rows",
    ),
    "a cell over two lines": ('R,V,x\n1,2,"a\n3,4,b"\n5,6,c\n', r"a quotation mark is not closed"),
    "lines of an old Mac": ("R,V\r1,2\r3,4\r", r"lines end in a carriage return alone\n.*line 1"),
    "another encoding in a row": (b"R,V\n1,2\n\xff,2\n", r"this is not UTF-8 text\n.*line 3\n  found: byte 0xff"),
    "another encoding in the header": ("R,V\n1,2\n".encode("utf-16"), r"this is not UTF-8 text\n.*line 1"),
    "no header": ("", r"there is no header"),
    "comments alone": ("# a\n", r"there is no header"),
    "no rows": ("R,V\n", r"there are no rows"),
    "empty lines for rows": ("R,V\n\n\n", r"there are no rows"),
    "a column twice": ("R,R,V\n1,2,3\n", r"column 'R' is there 2 times"),
    "another delimiter": ("R;V\n1;2\n", r"2 faults(.*\n)*.*column 'R' is missing"),
    "ECSV with another column": (
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: R, unit: kpc, datatype: float64}\nR V\n1 2\n",
        r"the columns are not those that the header declares\n.*line 5\n  found: R V\n  expected: R\n?",
    ),
    "ECSV without its names": ("# %ECSV 1.0\n# ---\nR V\n1 2\n", r"the file is truncated or damaged"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_csv_that_is_wrong(case: str, tmp_path: Path) -> None:
    text, message = BAD_CSV[case]
    with pytest.raises(DataError, match=r"the table cannot be read: (\n|.)*" + message):
        read_table(Table(write_csv(tmp_path, text), RV), kind=GALAXY)


def test_whole_numbers_in_text(tmp_path: Path) -> None:
    given = columns(("T", "hubble_type"))
    good = write_csv(tmp_path, "T\n 7\n3.0\n-0\n")
    assert read_table(Table(good, given), kind=GALAXY)["hubble_type"].tolist() == [7, 3, 0]
    bad = write_csv(tmp_path, "T,x\n0x10,\n9223372036854775808,\n4.5,\n,\n1e3,\nx,\n")
    with pytest.raises(DataError, match="6 faults") as caught:
        read_table(Table(bad, given), kind=GALAXY)
    said = [line.partition("column T: ")[2] for line in str(caught.value).splitlines() if "column T" in line]
    assert said == [
        "not a number, found '0x10'",
        "out of range of a 64-bit integer, found '9223372036854775808'",
        "not a whole number, found '4.5'",
        "missing, and a whole number cannot be NaN, found no value, expected a number",
        "not a whole number, found '1e3'",
        "not a number, found 'x'",
    ]


def test_a_float_is_no_identifier(tmp_path: Path) -> None:
    path = write_table(tmp_path, "fits", AstropyTable({"source_id": [4161585441691080448.0, 12.0]}))
    with pytest.raises(DataError, match=r"a float cannot hold this whole number\n.*row 1, column source_id"):
        read_table(Table(path, columns(("source_id", "source_id"))), kind=STAR)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "R,V\n" + "x,y\n" * 500)
    with pytest.raises(DataError, match=r"1000 faults(.*\n)*.*and 980 more") as caught:
        read_table(Table(path, RV), kind=GALAXY)
    assert len(str(caught.value).splitlines()) == 23
    path = write_csv(tmp_path, "R,V\n" + "1,2,3\n" * 500)
    with pytest.raises(DataError, match=r"500 faults(.*\n)*.*and 480 more"):
        read_table(Table(path, RV), kind=GALAXY)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
def test_a_file_that_is_cut_off(form: str, suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = write_table(
        tmp_path, form, AstropyTable({"R": rng.random(5000) * u.kpc, "V": rng.random(5000) * u.km / u.s})
    )
    path = packed(path, suffix) if suffix else path
    content = path.read_bytes()
    for part in (0.3, 0.9):
        # After a whole line nothing shows in a text file that there were more.
        path.write_bytes(content[: int(len(content) * part)].rstrip(b"\r\n"))
        with pytest.raises(DataError, match=r"(truncated or damaged|no end|wrong number of cells)"):
            read_table(Table(path, RV), kind=GALAXY)


def test_extensions_of_fits(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU()]
    for name, values in (("FIRST", [1.0]), ("SECOND", [2.0])):
        hdu = fits.BinTableHDU(AstropyTable({"R": values * u.kpc}), name=name)
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "t.fits")
    given = columns(("R", "r", "kpc"))
    read = {
        extension: read_table(Table(tmp_path / "t.fits", given, extension=extension), kind=GALAXY)["r"].tolist()
        for extension in (None, 1, "SECOND", 2)
    }
    assert read == {None: [1.0], 1: [1.0], "SECOND": [2.0], 2: [2.0]}
    with pytest.raises(DataError, match=r"there is no table extension 'THIRD'\n.*\n  found: 1 FIRST, 2 SECOND"):
        read_table(Table(tmp_path / "t.fits", given, extension="THIRD"), kind=GALAXY)


def test_scaled_and_null_columns_of_fits(tmp_path: Path) -> None:
    scaled = fits.Column("R", "I", unit="kpc", array=np.array([1, 2, -1], dtype=np.int16))
    counted = fits.Column("V", "J", unit="km/s", null=-99, array=np.array([5, -99, 7], dtype=np.int32))
    hdu = fits.BinTableHDU.from_columns([scaled, counted])
    hdu.header.update({"TSCAL1": 0.5, "TZERO1": 10.0, "TNULL1": -1})
    hdu.writeto(tmp_path / "t.fits")
    read = read_table(Table(tmp_path / "t.fits", RV), kind=GALAXY)
    np.testing.assert_array_equal(read["r"], [10.5, 11.0, np.nan])
    np.testing.assert_array_equal(read["v_obs"], [5.0, np.nan, 7.0])


def test_scaled_numbers_of_single_precision_keep_their_digits(tmp_path: Path) -> None:
    hdu = fits.BinTableHDU.from_columns([fits.Column("R", "E", unit="kpc", array=np.arange(4, dtype=np.float32))])
    hdu.header.update({"TSCAL1": 0.1, "TZERO1": 1.0})
    hdu.writeto(tmp_path / "t.fits")
    read = read_table(Table(tmp_path / "t.fits", columns(("R", "r", "kpc"))), kind=GALAXY)["r"]
    assert read.tolist() == AstropyTable.read(tmp_path / "t.fits")["R"].tolist() == [1.0 + 0.1 * i for i in range(4)]


def test_integers_without_a_sign_and_truths_in_fits(tmp_path: Path) -> None:
    table = AstropyTable({"T": np.array([0, 40000, 65535], dtype=np.uint16), "B": [True, False, True]})
    table["U"] = np.array([0, 2**63 - 1, 2**64 - 1], dtype=np.uint64)
    path = write_table(tmp_path, "fits", table)
    assert read_table(Table(path, columns(("T", "hubble_type"))), kind=GALAXY)["hubble_type"].tolist() == [
        0,
        40000,
        65535,
    ]
    assert read_table(Table(path, columns(("T", "r", "kpc"))), kind=GALAXY)["r"].tolist() == [0.0, 40000.0, 65535.0]
    with pytest.raises(
        DataError, match=r"out of range of a 64-bit integer\n.*row 3, column U\n  found: 184467440737095516"
    ):
        read_table(Table(path, columns(("U", "hubble_type"))), kind=GALAXY)
    with pytest.raises(DataError, match=r"the column holds something else\n.*column B\n  found: true and false"):
        read_table(Table(path, columns(("B", "hubble_type"))), kind=GALAXY)


def test_an_ascii_table_of_fits(tmp_path: Path) -> None:
    hdu = fits.TableHDU.from_columns(
        [fits.Column("R", "F8.3", unit="kpc", array=np.array([1.5, 2.5])), fits.Column("N", "A3", array=["abc", "d"])]
    )
    hdu.writeto(tmp_path / "t.fits")
    read = read_table(Table(tmp_path / "t.fits", columns(("R", "r"), ("N", "galaxy"))), kind=GALAXY)
    assert (read["r"].tolist(), read["galaxy"].tolist()) == ([1.5, 2.5], ["abc", "d"])


def test_columns_of_something_else(tmp_path: Path) -> None:
    table = AstropyTable({"R": np.ones((2, 3)), "V": ["a", "b"]})
    path = write_table(tmp_path, "fits", table)
    with pytest.raises(DataError, match=r"2 faults") as caught:
        read_table(Table(path, RV), kind=GALAXY)
    assert "column R: the column holds something else, found 3 values a row, expected numbers" in str(caught.value)
    assert "column V: the column holds something else, found text, expected numbers" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the file cannot be opened\n.*none.csv\n  found: FileNotFoundError"):
        read_table(Table(tmp_path / "none.csv", RV), kind=GALAXY)


def test_a_file_of_no_known_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown format\n.*\n  found: t.dat\n  expected: format = csv, "):
        read_table(Table(write_csv(tmp_path, "R,V\n1,2\n", name="t.dat"), RV), kind=GALAXY)


def test_an_extension_of_a_file_that_has_none(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "R,V\n1,2\n")
    with pytest.raises(DataError, match=r"a csv file has no extensions\n(.*\n)*  found: extension = 2\n"):
        read_table(Table(path, RV, extension=2), kind=GALAXY)


def test_votables_that_astropy_would_mend(tmp_path: Path) -> None:
    path = write_table(tmp_path, "votable", AstropyTable({"R": [1.0, 2.0] * u.kpc, "T": np.array([1, 2], dtype="i2")}))
    text = path.read_text()
    given = columns(("R", "r"), ("T", "hubble_type"))
    assert read_table(Table(path, given), kind=GALAXY)["hubble_type"].tolist() == [1, 2]
    for old, new in (
        ("<TD>2</TD>\n     </TR>", "<TD>70000</TD>\n     </TR>"),
        ("<TABLE>", '<TABLE nrows="3">'),
        ("<TD>1</TD>", "<TD>1.x</TD>"),
        ("<TD>1</TD>", "<TD>N/A</TD>"),
        ("<TD>1</TD>", ""),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(DataError, match=r"the table cannot be read"):
            read_table(Table(path, given), kind=GALAXY)


def test_real_stars_to_the_last_digit(shared_data: Path) -> None:
    path = shared_data / "gaia" / "gaia_dr3_L000-030.csv.gz"
    read = read_table(Table(path, STAR_COLUMNS), kind=STAR)
    expected = pd.read_csv(path)
    assert read["source_id"].tolist() == expected["source_id"].tolist()
    np.testing.assert_array_equal(read["parallax"], expected["parallax"])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_arrive_before_the_end_of_the_file_is_read(form: str, tmp_path: Path) -> None:
    n, path = 400_000, tmp_path / f"t.{form}"
    table = pa.table({"source_id": np.arange(n), "ra": np.linspace(0.0, 359.0, n), "parallax": np.ones(n)})
    if form == "csv":
        csv.write_csv(table, path)
        path.write_bytes(path.read_bytes() + b"1,2\n")
    else:
        parquet.write_table(table, path, row_group_size=2**17, use_dictionary=False, write_page_checksum=True)
        last = parquet.ParquetFile(path).metadata.row_group(3).column(1)
        content = bytearray(path.read_bytes())
        content[last.data_page_offset + last.total_compressed_size // 2] ^= 1
        path.write_bytes(content)
    arriving = read_chunks(Table(path, STAR_COLUMNS), kind=STAR)
    assert next(arriving)["ra"].size == 2**17
    with pytest.raises(DataError, match=r"truncated or damaged|wrong number of cells"):
        list(arriving)
