import csv
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable

from sigcube.cube import KINDS, flag_masks, open_cube, pack, sample_names, save_cube, validate
from sigcube.cube.streaming import stream_cube
from sigcube.errors import DataError, SpecError
from sigcube.readers.formats import Column, Table
from sigcube.readers.galactocentric import COORDINATES, GalacticFrame
from sigcube.readers.stars import Orientation, StarCuts, read_stars, read_velocities
from sigcube.recipes import Recipe, ingest, load_recipe
from tests.readers.astropy_stars import astropy_way
from tests.readers.mock_stars import mock_stars
from tests.readers.tables import FORMATS, packed, write_table
from tests.synthetic_cubes import STAR_ATTRS

GAIA = load_recipe("gaia")
COLUMNS = GAIA.files["stars"].columns
LABELS = [column.label for column in COLUMNS]
FRAME = GalacticFrame.model_validate(GAIA.frame.model_dump())


def flags_of(cube: xr.Dataset, star: int) -> set[str]:
    value = int(cube.point_flag[star])
    return {meaning for meaning, mask in flag_masks(cube.point_flag).items() if value & mask}


def read(*paths: Path, out: Path, cuts: StarCuts | None = None, frame: GalacticFrame = FRAME) -> xr.Dataset:
    """Read files as the recipe does, a cube of few stars being enough."""
    table = Table(paths[0], COLUMNS, others=paths[1:])
    pieces = read_stars({"stars": table}, cuts=cuts or StarCuts(min_stars=1), frame=frame)
    return open_cube(stream_cube(pieces, out, attrs=STAR_ATTRS, overwrite=True))


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mock_stars(tmp_path_factory.mktemp("raw") / "gaia_dr3.csv", n_stars=3000, seed=4)


# Real stars


@pytest.mark.slow
def test_every_real_row_is_kept_with_its_number(gaia_cube: xr.Dataset, shared_data: Path) -> None:
    numbers: list[int] = []
    for path in sorted((shared_data / "gaia").glob("gaia_dr3_L*.csv.gz")):
        with gzip.open(path, "rt") as file:
            numbers += [int(row["source_id"]) for row in csv.DictReader(file)]
    assert len(numbers) == 144_000
    assert gaia_cube.source_id.dtype == np.int64
    assert gaia_cube.source_id.values.tolist() == numbers
    assert max(numbers) > 2**53


@pytest.mark.slow
def test_real_coordinates_are_those_of_astropy(gaia_cube: xr.Dataset) -> None:
    stars = {name: gaia_cube[name].values for name in ("ra", "dec", "parallax", "pm_ra", "pm_dec", "radial_velocity")}
    for name, expected in astropy_way(stars, FRAME).items():
        np.testing.assert_allclose(gaia_cube[name].values, expected, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.slow
def test_flags_of_the_real_stars(gaia_cube: xr.Dataset) -> None:
    counted = {
        meaning: int(((gaia_cube.point_flag & mask) != 0).sum())
        for meaning, mask in flag_masks(gaia_cube.point_flag).items()
    }
    # Those who chose these stars took only good parallaxes and a RUWE below 1.2; recounted here with NumPy.
    ds = gaia_cube
    unlike = (abs(ds.v_r) > 200) | (abs(ds.v_z) > 105) | (ds.v_phi < 70) | (ds.v_phi > 300)
    assert counted == {
        "incomplete": 0,
        "bad_parallax": int((ds.parallax / ds.e_parallax < 5).sum()),
        "high_ruwe": int((ds.ruwe > 1.4).sum()),
        "off_plane": int((abs(ds.height) > 0.5).sum()),
        "outside_radii": int(((ds.r < 4) | (ds.r >= 16)).sum()),
        "unlike_rotation": int(unlike.sum()),
    }
    assert (counted["bad_parallax"], counted["high_ruwe"]) == (0, 0)
    assert 0 < counted["unlike_rotation"] < 1000
    assert sample_names(ds) == ("all", "disc", "well_measured", "complete")
    assert pack(ds, sample="disc", variables=["r"]).n_points == int((ds.point_flag == 0).sum())


@pytest.mark.slow
def test_the_dispersion_of_the_real_disc(gaia_cube: xr.Dataset) -> None:
    ds = gaia_cube
    disc = (ds.point_flag & ~np.uint8(flag_masks(ds.point_flag)["outside_radii"])).values == 0
    r, v_r = ds.r.values[disc], ds.v_r.values[disc]
    centres, values = [], []
    for low in np.arange(4.0, 16.0, 0.5):
        inside = v_r[(r >= low) & (r < low + 0.5)]
        if inside.size > 30:
            centres.append(low + 0.25)
            values.append(np.std(inside, ddof=1))
    np.testing.assert_allclose(ds.sigma_r.values, np.interp(ds.r.values, centres, values), rtol=1e-10)
    # The Sun's neighbours: about 30 km/s for a mixture of ages.
    assert 25 < np.interp(8.2, centres, values) < 40


@pytest.mark.slow
def test_what_the_real_cube_says_of_its_files(gaia_cube: xr.Dataset) -> None:
    files = json.loads(gaia_cube.attrs["raw_files"])
    assert [file["name"] for file in files] == sorted(file["name"] for file in files)
    # The archive's answers have no fixed checksum, so none of them is known to be official.
    assert (len(files), {file["official"] for file in files}) == (12, {False})
    assert gaia_cube.ra.attrs["source"] == "gaia_dr3_L000-030.csv.gz and 11 more, column ra"
    assert "1/parallax" in gaia_cube.v_phi.attrs["source"]
    assert "R0 = 8.178 kpc" in gaia_cube.v_phi.attrs["source"]


# Synthetic stars


@pytest.mark.slow
def test_all_formats_give_the_same_cube(survey: Path, tmp_path: Path) -> None:
    original = AstropyTable.read(survey, format="ascii.csv", comment="#")
    for column in COLUMNS:
        original[column.label].unit = column.unit or None
    reference = read(survey, out=tmp_path / "reference.zarr")
    for form in FORMATS:
        path = write_table(tmp_path, form, original, name=f"t_{form}")
        cube = read(path, out=tmp_path / "cube.zarr")
        assert cube.attrs["fingerprint"] == reference.attrs["fingerprint"], form
    cube = read(packed(survey, ".gz"), out=tmp_path / "cube.zarr")
    assert cube.attrs["fingerprint"] == reference.attrs["fingerprint"]
    parquet = mock_stars(tmp_path / "same.parquet", n_stars=3000, seed=4)
    assert read(parquet, out=tmp_path / "cube.zarr").attrs["fingerprint"] == reference.attrs["fingerprint"]


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "factor"), [("arcsec", 1e3), ("uas", 1e-3)])
def test_units_of_the_file_are_converted(unit: str, factor: float, survey: Path, tmp_path: Path) -> None:
    original = AstropyTable.read(survey, format="ascii.csv", comment="#")
    reference = read(survey, out=tmp_path / "reference.zarr")
    original["parallax"] = MaskedColumn(original["parallax"] / factor, unit=unit)
    path = write_table(tmp_path, "ecsv", original)
    columns = tuple(c.model_copy(update={"unit": unit}) if c.label == "parallax" else c for c in COLUMNS)
    pieces = read_stars({"stars": Table(path, columns)}, cuts=StarCuts(min_stars=1), frame=FRAME)
    cube = open_cube(stream_cube(pieces, tmp_path / "cube.zarr", attrs=STAR_ATTRS))
    np.testing.assert_allclose(cube.r, reference.r, rtol=1e-12)
    # A file that gives another unit than the recipe is refused, not guessed at.
    with pytest.raises(DataError, match=rf"the unit is another\n  where: .*column parallax\n  found: '{unit}'"):
        read(path, out=tmp_path / "other.zarr")


@pytest.mark.slow
def test_the_true_disc_comes_out(tmp_path: Path) -> None:
    from tests.readers.mock_stars import Disc

    disc = Disc()
    path = mock_stars(tmp_path / "gaia_dr3.parquet", n_stars=200_000, seed=9)
    cube = read(path, out=tmp_path / "cube.zarr", cuts=StarCuts(max_height=10.0))
    good = cube.point_flag.values == 0
    r, v_phi = cube.r.values[good], cube.v_phi.values[good]
    for low in np.arange(7.0, 10.0, 0.5):
        inside = (r >= low) & (r < low + 0.5)
        middle = np.array([np.median(r[inside])])
        assert np.mean(v_phi[inside]) == pytest.approx(disc.v_phi(middle)[0], abs=1.5)
        assert np.interp(low + 0.25, r[np.argsort(r)], cube.sigma_r.values[good][np.argsort(r)]) == pytest.approx(
            disc.sigma_r(middle)[0], rel=0.05
        )
    assert (cube.point_flag.values & 1).mean() == pytest.approx(0.01, abs=0.002)


def test_the_same_seed_gives_the_same_stars(tmp_path: Path) -> None:
    one, same, other = (
        mock_stars(tmp_path / f"{name}.csv", n_stars=50, seed=seed).read_bytes()
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same != other
    assert one.startswith(b"# synthetic stars, seed 1\nsource_id,")


@pytest.mark.parametrize(
    ("name", "n_stars", "message"), [("t.xls", 5, "no such kind of file"), ("t.csv", 0, "a survey needs stars")]
)
def test_impossible_synthetic_stars(name: str, n_stars: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        mock_stars(tmp_path / name, n_stars=n_stars, seed=1)
    assert not (tmp_path / name).exists()


# One star at a time

#: A star in the plane beside the Sun that moves with the disc.
ORDINARY = {
    **{"source_id": "4161585441691080448", "ra": "86.4", "dec": "28.9", "parallax": "2.0", "parallax_error": "0.02"},
    **{"pmra": "0.5", "pmra_error": "0.02", "pmdec": "-2.0", "pmdec_error": "0.02", "radial_velocity": "5.0"},
    **{"radial_velocity_error": "0.5", "ruwe": "1.0", "phot_g_mean_mag": "9.5"},
}


def file_of(folder: Path, *stars: Mapping[str, str], name: str = "gaia_dr3.csv") -> Path:
    """Write stars that differ from the ordinary one in what is given; each has a number of its own."""
    lines = [",".join(LABELS)]
    for number, star in enumerate(stars):
        row = {**ORDINARY, "source_id": str(4161585441691080448 + number), **star}
        lines.append(",".join(row[label] for label in LABELS))
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("star", "flags"),
    [
        ({}, set()),
        # coordinates cannot be told
        ({"radial_velocity": ""}, {"incomplete"}),
        ({"parallax": "", "parallax_error": ""}, {"incomplete"}),
        ({"parallax": "null"}, {"incomplete"}),
        ({"pmra": ""}, {"incomplete"}),
        ({"parallax": "0"}, {"incomplete", "bad_parallax"}),
        ({"parallax": "-0.3"}, {"incomplete", "bad_parallax"}),
        # nor can the dispersion of errors without them
        ({"pmra_error": ""}, {"incomplete"}),
        ({"ruwe": ""}, {"incomplete"}),
        # thresholds: exactly five is good, exactly 1.4 too
        ({"parallax_error": "0.4"}, set()),
        ({"parallax_error": "0.41"}, {"bad_parallax"}),
        ({"ruwe": "1.4"}, set()),
        ({"ruwe": "1.41"}, {"high_ruwe"}),
        # towards the pole
        ({"ra": "192.86", "dec": "27.13", "parallax": "1.0"}, {"off_plane"}),
        # 5 kpc beyond the Sun, then 12
        ({"parallax": "0.2", "parallax_error": "0.002", "pmra": "0", "pmdec": "0"}, set()),
        ({"parallax": "0.0833", "parallax_error": "0.001", "pmra": "0", "pmdec": "0"}, {"outside_radii", "off_plane"}),
        # a star of the halo
        ({"radial_velocity": "400"}, {"unlike_rotation"}),
        ({"pmra": "-80", "pmdec": "-80"}, {"unlike_rotation"}),
    ],
)
def test_flags(star: Mapping[str, str], flags: set[str], tmp_path: Path) -> None:
    # Three ordinary stars for the dispersion.
    cube = read(file_of(tmp_path, {}, {"radial_velocity": "-5"}, {}, star), out=tmp_path / "cube.zarr")
    assert cube.sizes["star"] == 4
    assert flags_of(cube, 3) - {"off_plane"} == flags - {"off_plane"}
    assert ("off_plane" in flags_of(cube, 3)) == (abs(float(cube.height[3])) > 0.5)
    assert flags_of(cube, 0) == set()
    coordinates = np.array([float(cube[name][3]) for name in COORDINATES])
    if np.isnan(coordinates).any():
        assert np.isnan(coordinates).all()
        assert "incomplete" in flags_of(cube, 3)


@pytest.mark.slow
def test_missing_values_stay_missing(tmp_path: Path) -> None:
    cube = read(file_of(tmp_path, {}, {}, {"radial_velocity": "", "ruwe": ""}), out=tmp_path / "cube.zarr")
    assert np.isnan(cube.radial_velocity.values).tolist() == [False, False, True]
    assert cube.parallax.values.tolist() == [2.0, 2.0, 2.0]
    assert np.isnan(cube.sigma_r.values).tolist() == [False, False, True]


@pytest.mark.slow
def test_numbers_beyond_what_a_float_holds_are_exact(tmp_path: Path) -> None:
    path = file_of(tmp_path, {}, {"source_id": "4611686018427387905"}, {"source_id": "9223372036854775807"})
    cube = read(path, out=tmp_path / "cube.zarr")
    assert cube.source_id.values[1:].tolist() == [4611686018427387905, 9223372036854775807]


@pytest.mark.slow
def test_a_star_of_two_files_is_told_by_file_and_row(tmp_path: Path) -> None:
    one = file_of(tmp_path, {}, {}, {}, name="a.csv")
    two = file_of(tmp_path, {"source_id": "7"}, {"source_id": "4161585441691080450"}, name="b.csv")
    with pytest.raises(DataError, match=r"source_id 4161585441691080450 is there 2 times\n.*a.csv row 3, b.csv row 2"):
        read(one, two, out=tmp_path / "cube.zarr")
    assert not (tmp_path / "cube.zarr").exists()


def test_too_few_stars_for_a_dispersion(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"too few stars for a dispersion of v_R\n.*\n  found: at most 2 in a bin"):
        read(file_of(tmp_path, {}, {}), out=tmp_path / "cube.zarr", cuts=StarCuts())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("parallax,", "plx,", 1), r"column 'parallax' is missing\n.*\n.*did you mean"),
        (lambda text: text + "5,6,7\n", r"wrong number of cells\n  where: .*line 5\n  found: 3"),
        (lambda text: text.replace("86.4", "east", 1), r"not a number\n  where: .*line 2, column ra\n  found: 'east'"),
        (lambda text: text.replace("86.4", "386.4", 1), r"out of range\n  where: .*line 2, column ra\n  found: 386.4"),
        (lambda text: text.replace(",28.9", ",inf", 1), r"not a finite number\n  where: .*line 2, column dec"),
        (lambda text: text.replace("4161585441691080448", "4e18", 1), r"not a whole number|not a number"),
        (lambda text: text.splitlines()[0] + "\n", "there are no rows"),
        (lambda text: "", "there is no header"),
        (lambda text: text.rstrip("\n"), "the last line has no end"),
    ],
)
def test_a_wrong_file_is_refused(spoil: Callable[[str], str], message: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, {}, {}, {})
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DataError, match=message):
        read(path, out=tmp_path / "cube.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["gaia_dr3.csv"]


def test_a_packed_file_that_is_cut_is_refused(survey: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(survey.read_bytes())[:20_000])
    with pytest.raises(DataError, match=r"the file is truncated or damaged"):
        read(cut, out=tmp_path / "cube.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["cut.csv.gz"]


# Recipes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("z_sun = 0.0208", "z_son = 0.0208", r"unknown key 'z_son', did you mean 'z_sun'.*\n.*frame.z_son"),
        ("r_sun = 8.178", "r_sun = -8", "frame.r_sun"),
        ("max_ruwe", "max_rue", "did you mean 'max_ruwe'"),
        ("radii = [4.0, 16.0]", "radii = [16.0, 4.0]", "radii must go from the smaller to the larger"),
        ("bin_width = 0.5", "bin_width = 0.7", "radii must hold a whole number of bins of bin_width"),
        ('reader = "stars"', 'reader = "sparc"', "reader 'sparc' has no use for it"),
        ("query = ", 'sha256 = "' + 64 * "0" + '"\nquery = ', "its answer has no sha256"),
    ],
)
def test_a_wrong_recipe_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "gaia.toml"
    assert old in GAIA.text
    path.write_text(GAIA.text.replace(old, new, 1))
    with pytest.raises(SpecError, match=message):
        load_recipe(path)


def test_columns_that_the_reader_cannot_do_without(survey: Path) -> None:
    table = Table(survey, tuple(column for column in COLUMNS if column.variable not in ("ruwe", "dec")))
    with pytest.raises(SpecError, match=r"2 faults\n(.*\n)*.*no column for 'dec'\n.*no column for 'ruwe'"):
        read_stars({"stars": table}, cuts=StarCuts(), frame=FRAME)
    with pytest.raises(SpecError, match=r"missing\n  where: reader of stars, files.stars"):
        read_stars({}, cuts=StarCuts(), frame=FRAME)


@pytest.mark.parametrize("name", ["sigma_r", "point_flag", "v_phi", "e_r", "distance"])
def test_what_is_derived_has_no_column(name: str, survey: Path) -> None:
    table = Table(survey, (*COLUMNS, Column(variable=name, constant=1.0)))
    with pytest.raises(SpecError, match=rf"'{name}' is derived, not read"):
        read_stars({"stars": table}, cuts=StarCuts(), frame=FRAME)


@pytest.mark.slow
def test_one_file_or_its_parts_or_a_copy(survey: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "copy").mkdir(parents=True)
    lines = survey.read_text().splitlines(keepends=True)
    head, rows = lines[1], lines[2:]
    for name, part in (("gaia_dr3_L000-030", rows[:1000]), ("gaia_dr3_L030-060", rows[1000:])):
        (raw / f"{name}.csv.gz").write_bytes(gzip.compress("".join([head, *part]).encode()))
    # The same part in another folder is no second part.
    (raw / "copy" / "gaia_dr3_L000-030.csv.gz").write_bytes((raw / "gaia_dr3_L000-030.csv.gz").read_bytes())
    in_parts = open_cube(ingest(GAIA, data=raw, out=tmp_path / "parts.zarr"))
    assert [file["name"] for file in json.loads(in_parts.attrs["raw_files"])] == [
        "gaia_dr3_L000-030.csv.gz",
        "gaia_dr3_L030-060.csv.gz",
    ]
    # The whole file goes before its parts.
    (raw / "gaia_dr3.csv").write_bytes(survey.read_bytes())
    whole = open_cube(ingest(GAIA, data=raw, out=tmp_path / "whole.zarr"))
    assert [file["name"] for file in json.loads(whole.attrs["raw_files"])] == ["gaia_dr3.csv"]
    assert whole.attrs["fingerprint"] == in_parts.attrs["fingerprint"]
    (raw / "gaia_dr3.csv").unlink()
    (raw / "copy" / "gaia_dr3_L000-030.csv.gz").write_bytes(gzip.compress(head.encode()))
    with pytest.raises(DataError, match=r"gaia_dr3_L000-030\.csv\.gz is there several times, with different content"):
        ingest(GAIA, data=raw, out=tmp_path / "none.zarr")


@pytest.mark.slow
def test_synthetic_stars_are_ingested_as_such(survey: Path, tmp_path: Path) -> None:
    text = GAIA.text.replace('title = "Gaia DR3:', 'synthetic = true\ntitle = "Synthetic Gaia DR3:')
    (tmp_path / "mine.toml").write_text(text)
    cube = open_cube(ingest(load_recipe(tmp_path / "mine.toml"), data=survey.parent, out=tmp_path / "cube.zarr"))
    assert cube.attrs["synthetic"] == 1
    (tmp_path / "mine.toml").write_text(text.replace("Synthetic ", ""))
    with pytest.raises(DataError, match="the title of synthetic data must say so"):
        ingest(load_recipe(tmp_path / "mine.toml"), data=survey.parent, out=tmp_path / "other.zarr")


# The cross-match

CROSS_MATCH = load_recipe("eilers_cross_match")
ROWS = [
    # source_id, R_gal, z_gal, v_R, v_phi, v_z, and what the flags are
    ("4161585441691080448", "8.5", "0.10", "10.0", "-230.0", "5.0", set()),
    ("4161585441691080449", "8.6", "-0.20", "-10.0", "-225.0", "-5.0", set()),
    ("4161585441691080450", "8.7", "0.90", "3.0", "-220.0", "1.0", {"off_plane"}),
    ("4161585441691080451", "16.5", "0.10", "3.0", "-220.0", "1.0", {"outside_radii"}),
    ("4161585441691080452", "9.5", "0.10", "3.0", "225.0", "1.0", {"unlike_rotation"}),
    ("4161585441691080453", "9.5", "0.10", "", "-225.0", "1.0", {"incomplete"}),
]


def cross_match(folder: Path, spoil: Callable[[str], str] = str) -> Path:
    """Write the file as the authors do: more columns than are needed, in an order of their own."""
    lines = ["source_id,l,b,R_gal,z_gal,v_R,v_phi,v_z,parallax"]
    lines += [f"{s},10.5,1.0,{r},{z},{v_r},{v_phi},{v_z},0.5" for s, r, z, v_r, v_phi, v_z, _ in ROWS]
    path = folder / "eilers_apogee_6d_disk.csv"
    path.write_text(spoil("\n".join(lines) + "\n"))
    return path


def few(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"cuts": StarCuts(min_stars=1)})


def test_the_cross_match_turns_with_the_disc(tmp_path: Path) -> None:
    cross_match(tmp_path)
    cube = open_cube(ingest(few(CROSS_MATCH), data=tmp_path, out=tmp_path / "cube.zarr"))
    assert cube.v_phi.values[:5].tolist() == [230.0, 225.0, 220.0, 220.0, -225.0]
    assert cube.v_r.values[:2].tolist() == [10.0, -10.0]
    assert [flags_of(cube, star) for star in range(6)] == [row[-1] for row in ROWS]
    assert all(np.isnan(cube[name][5]) for name in ("r", "height", "v_r", "v_phi", "v_z", "sigma_r"))
    assert cube.source_id.values.tolist() == [int(row[0]) for row in ROWS]
    assert float(cube.sigma_r[0]) == pytest.approx(np.std([10.0, -10.0], ddof=1))
    assert "phi" not in cube
    assert "positive against the rotation" in cube.v_phi.attrs["source"]
    assert pack(cube, sample="paper", variables=["v_phi"]).n_points == 5


def test_a_file_that_turns_the_right_way_is_left_alone(tmp_path: Path) -> None:
    table = Table(cross_match(tmp_path), CROSS_MATCH.files["stars"].columns)
    pieces = read_velocities({"stars": table}, cuts=StarCuts(min_stars=1), frame=Orientation(v_phi="with"))
    with pytest.raises(DataError, match="too few stars"):
        # All but one of them turn against the disc then.
        stream_cube(pieces, tmp_path / "cube.zarr", attrs=STAR_ATTRS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("z_gal", "z", 1), r"column 'z_gal' is missing"),
        (lambda text: text[: text.rindex(",1.0,0.5")] + "\n", r"wrong number of cells\n  where: .*line 7"),
        (lambda text: text.replace("8.5", "8500", 1), r"out of range\n  where: .*line 2, column R_gal\n  found: 8500"),
        (lambda text: text.replace("080449", "080448"), r"source_id 4161585441691080448 is there 2 times"),
    ],
)
def test_a_wrong_cross_match_is_refused(spoil: Callable[[str], str], message: str, tmp_path: Path) -> None:
    cross_match(tmp_path, spoil)
    with pytest.raises(DataError, match=message):
        ingest(few(CROSS_MATCH), data=tmp_path, out=tmp_path / "cube.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["eilers_apogee_6d_disk.csv"]


def test_a_clash_of_units_is_refused(tmp_path: Path) -> None:
    plain = AstropyTable.read(cross_match(tmp_path), format="ascii.csv")
    plain["R_gal"].unit = "pc"
    path = write_table(tmp_path, "ecsv", plain)
    table = Table(path, CROSS_MATCH.files["stars"].columns)
    pieces = read_velocities({"stars": table}, cuts=StarCuts(min_stars=1), frame=Orientation(v_phi="against"))
    with pytest.raises(
        DataError, match=r"the unit is another\n  where: .*column R_gal\n  found: 'pc'\n  expected: 'kpc'"
    ):
        stream_cube(pieces, tmp_path / "cube.zarr", attrs=STAR_ATTRS)


@pytest.mark.parametrize("name", ["sigma_r", "point_flag"])
def test_what_is_derived_of_a_cross_match_has_no_column(name: str, tmp_path: Path) -> None:
    columns = (*CROSS_MATCH.files["stars"].columns, Column(variable=name, constant=1.0))
    with pytest.raises(SpecError, match=rf"'{name}' is derived, not read"):
        read_velocities(
            {"stars": Table(cross_match(tmp_path), columns)}, cuts=StarCuts(), frame=Orientation(v_phi="against")
        )


def test_the_sign_must_be_declared(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(CROSS_MATCH.text.replace('v_phi = "against"', "", 1))
    with pytest.raises(SpecError, match=r"missing\n  where: .*frame.v_phi"):
        load_recipe(tmp_path / "mine.toml")


@pytest.mark.slow
def test_a_star_cube_can_be_cut_and_saved_again(survey: Path, tmp_path: Path) -> None:
    cube = read(survey, out=tmp_path / "cube.zarr")
    near = cube.isel(star=np.flatnonzero(cube.r.values < 9.0))
    validate(near)
    assert open_cube(save_cube(near, tmp_path / "near.zarr")).sizes["star"] < cube.sizes["star"]
    assert set(KINDS["star"].measured) <= set(near.data_vars)
