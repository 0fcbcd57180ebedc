import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import flag_masks, open_cube, pack, select
from sigcube.errors import DataError, SpecError
from sigcube.recipes import ingest
from tests.readers.sparc_files import SparcFiles

Break = Callable[[SparcFiles], None]


def _twice_in_zip(files: SparcFiles) -> None:
    files.curves.append(("more/AAA_rotmod.dat", files.curves[0][1]))


def _without_column(files: SparcFiles) -> None:
    files.curves[1] = (
        files.curves[1][0],
        files.curves[1][1].replace("\tVgas", "").replace("km/s\tkm/s\tkm/s\tkm/s\tkm/s", "km/s\tkm/s\tkm/s\tkm/s"),
    )


def _low_inclinations(files: SparcFiles) -> None:
    row = next(line for line in files.table.splitlines() if line.lstrip().startswith("AAA"))
    distance = "# Distance = 3.36 Mpc"
    body = files.curves[0][1]
    assert distance in body
    for number in range(40):
        files.table += row.replace("        AAA", f"        X{number:02d}").replace(" 65.0 ", "  4.5 ") + "\n"
        files.curves.append((f"X{number:02d}_rotmod.dat", body))


BROKEN: dict[str, tuple[Break, str]] = {
    "letters for a number in a curve": (
        lambda f: f.edit_curve("25.00", "25.0O"),
        r"not a number\n  where: .*AAA_rotmod.dat, line 4, column Vobs\n  found: '25.0O'",
    ),
    "digits grouped by an underscore, which Python would read": (
        lambda f: f.edit_curve("25.00", "2_5.00"),
        r"not a number\n.*column Vobs\n  found: '2_5.00'",
    ),
    "letters for a number in the table": (
        lambda f: f.edit_table("65.0", "65.x"),
        r"not a number\n.*column Inc\n  found: '65.x'",
    ),
    "NaN": (lambda f: f.edit_curve("25.00", "NaN"), r"v_obs is missing\n.*line 4, column Vobs\n  expected: a"),
    "infinite": (lambda f: f.edit_curve("25.00", "1e999"), r"not a finite number\n.*column Vobs\n  found: inf"),
    "negative error": (
        lambda f: f.edit_curve("1.50", "-1.50"),
        r"out of range\n.*column errV\n  found: -1.5\n  expected: 0 to",
    ),
    "radius that goes back": (
        lambda f: f.edit_curve("1.00\t30.00", "0.25\t30.00"),
        r"the radius does not increase\n.*AAA_rotmod.dat, row 2\n  found: 0.25\n  expected: above 0.5",
    ),
    "the same radius twice": (lambda f: f.edit_curve("1.00\t30.00", "0.50\t30.00"), r"does not increase\n.*row 2"),
    "a cell too few": (
        lambda f: f.edit_curve("\t25.00\t", "\t"),
        r"wrong number of cells\n.*line 4\n  found: 7\n  expected: 8: Rad",
    ),
    "a column missing": (_without_column, r"column 'Vgas' is missing\n.*BBB_rotmod.dat"),
    "another unit in a curve": (
        lambda f: f.edit_curve("# kpc", "# pc"),
        r"the unit is another\n.*column Rad\n  found: 'pc'",
    ),
    "another unit in the table": (
        lambda f: f.edit_table("F6.2   Mpc ", "F6.2   kpc "),
        r"the unit is another\n.*mrt, column D\n  found: 'kpc'\n  expected: 'Mpc'",
    ),
    "a column of the table missing": (
        lambda f: f.edit_table("  27- 30 F4.1   deg           Inc     Inclination\n", ""),
        r"column 'Inc' is missing\n.*SPARC_Lelli2016c.mrt",
    ),
    "the header of a curve missing": (
        lambda f: f.edit_curve("# Distance = 3.36 Mpc\n", ""),
        r"the header is another\n.*AAA",
    ),
    "letters for the distance of a curve": (
        lambda f: f.edit_curve("= 3.36 Mpc", "= 3.3b Mpc"),
        r"the header is another\n.*AAA.*\n  found: '# Distance = 3.3b Mpc'",
    ),
    "no number for the distance of a curve": (
        lambda f: f.edit_curve("= 3.36 Mpc", "= nan Mpc"),
        r"the header is another\n.*AAA.*\n  found: '# Distance = nan Mpc'",
    ),
    "an empty zip": (lambda f: f.curves.clear(), r"the zip is empty\n.*Rotmod_LTG.zip"),
    "no rows": (
        lambda f: f.curves.__setitem__(0, (f.curves[0][0], f.curves[0][1].split("0.50")[0])),
        r"there are no rows\n.*AAA",
    ),
    "a galaxy without a curve": (
        lambda f: f.curves.pop(1) and None,
        r"galaxy BBB has no rotation curve\n.*mrt\n.*BBB_rotmod.dat in",
    ),
    "a curve without a galaxy": (
        lambda f: (
            f.edit_table("        CCC  7", "        DDD  7") or f.curves.append(("DDD_rotmod.dat", f.curves[2][1]))
        ),
        r"galaxy CCC is not in the table\n.*CCC_rotmod.dat",
    ),
    "a galaxy twice in the table": (
        lambda f: setattr(f, "table", f.table + f.table.splitlines(keepends=True)[-1]),
        r"CCC is there 2 times\n.*mrt\n  expected: once",
    ),
    "a galaxy twice in the zip": (_twice_in_zip, r"AAA is there 2 times\n.*zip\n  expected: once"),
    "the distances differ": (
        lambda f: f.edit_curve("= 3.36", "= 3.63"),
        r"the distance is not that of the table\n.*AAA.*\n  found: 3.63 Mpc",
    ),
    "a quality that does not exist": (
        lambda f: f.edit_table("  2 Bm03", "  4 Bm03"),
        r"out of range\n.*column Q\n  found: 4\n  expected: 1 to 3",
    ),
    "half a Hubble type": (
        lambda f: f.edit_table("AAA 10 ", "AAA 9.5 "),
        r"not a whole number\n.*column T\n  found: '9.5'",
    ),
    "columns shifted by one": (
        _low_inclinations,
        r"the median inclination is too low, so columns are shifted\n.*mrt\n  found: 4.5",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_clear_error_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    breaking, message = BROKEN[case]
    files = SparcFiles()
    breaking(files)
    raw, cubes = tmp_path / "raw", tmp_path / "cubes"
    raw.mkdir()
    recipe = files.write(raw)
    with pytest.raises(DataError, match=message):
        ingest(recipe, data=raw, out=cubes / "sparc.zarr")
    assert not cubes.exists()


@pytest.mark.parametrize("cut", [-1, -200, 300, 0], ids=["last byte", "directory", "in a member", "empty"])
def test_a_truncated_zip(cut: int, tmp_path: Path) -> None:
    recipe = SparcFiles().write(tmp_path, cut=cut)
    with pytest.raises(DataError, match=r"the zip is truncated or damaged\n  where: .*Rotmod_LTG.zip"):
        ingest(recipe, data=tmp_path, out=tmp_path / "sparc.zarr")
    assert not (tmp_path / "sparc.zarr").exists()


def test_a_zip_with_a_flipped_bit(tmp_path: Path) -> None:
    SparcFiles().write(tmp_path)
    archive = tmp_path / "Rotmod_LTG.zip"
    content = bytearray(archive.read_bytes())
    content[80] ^= 0x10
    archive.write_bytes(bytes(content))
    recipe = SparcFiles().write(tmp_path)
    archive.write_bytes(bytes(content))
    files = {**recipe.files, "curves": recipe.files["curves"].model_copy(update={"verify": "download"})}
    with pytest.raises(DataError, match="the zip is truncated or damaged"):
        ingest(recipe.model_copy(update={"files": files}), data=tmp_path, out=tmp_path / "sparc.zarr")


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    recipe = SparcFiles().write(tmp_path)
    archive = tmp_path / "Rotmod_LTG.zip"
    content = bytearray(archive.read_bytes())
    # Bit 0 of the flags, in the first member's own header and in the directory, says that it is encrypted.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(content))
    files = {**recipe.files, "curves": recipe.files["curves"].model_copy(update={"verify": "download"})}
    with pytest.raises(DataError, match=r"the zip cannot be unpacked\n(.|\n)*password"):
        ingest(recipe.model_copy(update={"files": files}), data=tmp_path, out=tmp_path / "sparc.zarr")
    assert not (tmp_path / "sparc.zarr").exists()


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    recipe = SparcFiles().write(tmp_path)
    (tmp_path / "SPARC_Lelli2016c.mrt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"this is not UTF-8 text\n.*mrt, line 1\n  found: byte 0xff"):
        ingest(recipe, data=tmp_path, out=tmp_path / "sparc.zarr")


def test_a_table_without_its_rule(tmp_path: Path) -> None:
    files = SparcFiles()
    files.table = "AAA 10 3.36\n"
    with pytest.raises(DataError, match=r"there is no line of dashes before the rows\n.*mrt"):
        ingest(files.write(tmp_path), data=tmp_path, out=tmp_path / "sparc.zarr")


def test_all_faults_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    files = SparcFiles()
    files.edit_curve("25.00", "abc")
    files.edit_curve("25.00", "def", member=1)
    files.edit_table("65.0", "95.0")
    with pytest.raises(DataError, match="3 faults") as caught:
        ingest(files.write(tmp_path), data=tmp_path, out=tmp_path / "sparc.zarr")
    for said in (
        "column Inc: out of range, found 95",
        "AAA_rotmod.dat, line 4, column Vobs: not a number, found 'abc'",
        "'def'",
    ):
        assert said in str(caught.value)


def test_a_recipe_that_lacks_what_the_reader_needs(tmp_path: Path) -> None:
    recipe = SparcFiles().write(tmp_path)
    curves, catalogue = recipe.files["curves"], recipe.files["catalogue"]
    fewer = catalogue.model_copy(update={"columns": catalogue.columns[1:]})
    for files, message in (
        (
            {"curvs": curves, "catalogue": catalogue},
            r"files.curvs: the reader has no use for it\n .*files.curves: missing",
        ),
        ({"curves": curves, "catalogue": fewer}, r"no column for 'galaxy'\n  where: .*files.catalogue.columns"),
    ):
        with pytest.raises(SpecError, match=message):
            ingest(recipe.model_copy(update={"files": files}), data=tmp_path, out=tmp_path / "sparc.zarr")


def test_a_whole_number_that_stands_for_no_value(tmp_path: Path) -> None:
    recipe = SparcFiles().write(tmp_path)
    catalogue = recipe.files["catalogue"]
    columns = [c.model_copy(update={"missing": 7.0} if c.variable == "hubble_type" else {}) for c in catalogue.columns]
    files = {**recipe.files, "catalogue": catalogue.model_copy(update={"columns": tuple(columns)})}
    with pytest.raises(DataError, match=r"missing, and a whole number cannot be NaN\n  where: .*column T\n  found: 7"):
        ingest(recipe.model_copy(update={"files": files}), data=tmp_path, out=tmp_path / "sparc.zarr")


def test_good_files(tmp_path: Path) -> None:
    cube = open_cube(ingest(SparcFiles().write(tmp_path), data=tmp_path, out=tmp_path / "sparc.zarr"))
    assert cube.galaxy.values.tolist() == ["AAA", "BBB", "CCC"]
    assert cube.sizes == {"galaxy": 3, "radius": 6}
    galaxy = cube.sel(galaxy="AAA")
    assert galaxy.v_obs.values.tolist() == [25, 30, 35, 40, 45, 50]
    assert galaxy.luminosity == 0.075e9
    assert galaxy.m_hi == 0.012e9
    assert galaxy.references == "Bm03"
    # Zero says "not measured" in these columns.
    assert np.isnan([galaxy.v_flat, galaxy.e_v_flat, galaxy.r_hi]).all()
    assert cube.v_obs.attrs["source"] == "Rotmod_LTG.zip, column Vobs"


@pytest.mark.slow
def test_real_numbers(sparc_cube: xr.Dataset) -> None:
    assert sparc_cube.sizes == {"galaxy": 175, "radius": 115}
    assert int(sparc_cube.n_points.sum()) == 3391
    packed = pack(sparc_cube, sample="paper171", variables=["r"])
    assert (packed.n_systems, packed.n_points) == (171, 3373)
    everything = pack(sparc_cube, variables=["r"])
    assert (everything.n_systems, everything.n_points) == (175, 3391)


@pytest.mark.slow
def test_what_the_papers_sample_leaves_out(sparc_cube: xr.Dataset) -> None:
    few = sparc_cube.system_flag.values & flag_masks(sparc_cube.system_flag)["too_few_rows"]
    assert sparc_cube.galaxy.values[few > 0].tolist() == ["D512-2", "NGC6789", "UGC00634", "UGC07232"]
    negative = sparc_cube.point_flag & flag_masks(sparc_cube.point_flag)["negative_vbar"]
    lost = negative.astype(bool).sum("radius")
    assert lost.sel(galaxy="UGC01281") == 2
    kept = select(sparc_cube, sample="paper171")
    assert "UGC01281" in kept.galaxy
    assert int(kept.r.sel(galaxy="UGC01281").notnull().sum()) == 23


def test_the_table_is_read_by_its_columns(sparc_cube: xr.Dataset) -> None:
    assert float(sparc_cube.inclination.median()) == 60.0
    assert sparc_cube.inclination.min() == 15.0
    assert sparc_cube.inclination.max() == 90.0
    # By bytes, CamB's inclination reads 0.26, its error of the distance.
    assert sparc_cube.sel(galaxy="CamB").inclination == 65.0
    assert int(sparc_cube.v_flat.isnull().sum()) == 40
    assert sparc_cube.sel(galaxy="NGC3198").references == "Da06,Be91,Be87"


def test_gas_is_signed(sparc_cube: xr.Dataset) -> None:
    assert int((sparc_cube.v_gas < 0).sum()) == 361


def test_units_are_the_cubes(sparc_cube: xr.Dataset) -> None:
    assert sparc_cube.luminosity.attrs["units"] == "solLum"
    assert sparc_cube.sel(galaxy="NGC2403").luminosity == pytest.approx(10.041e9, rel=1e-15)


@pytest.mark.parametrize(
    ("galaxy", "lengths"),
    [
        # Read off the raw files by hand: 19 points, R[6]; the largest V_disk is at the first point of none of these.
        ("NGC2403", {"catalogue": 1.39, "outermost": 20.87}),
        ("DDO154", {"catalogue": 0.37, "outermost": 5.92}),
    ],
)
def test_scale_lengths_of_real_galaxies(sparc_cube: xr.Dataset, galaxy: str, lengths: dict[str, float]) -> None:
    one = sparc_cube.sel(galaxy=galaxy)
    n = int(one.n_points)
    for name, value in lengths.items():
        assert one[f"scale_length_{name}"] == value
    assert one.scale_length_third_point == one.r.values[n // 3]
    assert one.scale_length_disk_peak == one.r.values[np.nanargmax(np.abs(one.v_disk.values))]


def test_a_plain_reader_opens_it_without_a_warning(sparc_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_zarr(sparc_path) as ds:
            assert ds.sel(galaxy="NGC2403").v_obs.values[:3].tolist() == [24.5, 35.3, 43.2]
            assert ds.v_obs.attrs["units"] == "km/s"
            assert ds.attrs["licence"] == "CC-BY-4.0"
