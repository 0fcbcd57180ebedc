"""A user's own table, in every format and kind; and that docs/how-to/own_tables.md tells the truth about it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from astropy.table import Table as AstropyTable

from sigcube.cube import KINDS, flag_masks, open_cube
from sigcube.errors import DataError, SpecError
from sigcube.recipes import ingest, load_recipe
from tests.calling import call
from tests.readers.tables import FORMATS, write_table

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "own_tables.md").read_text(encoding="utf-8")

HEAD = """
name = "mine"
title = "mine"
kind = "{kind}"
reader = "table"
citation = "me"
licence = "CC0-1.0"
[files.table]
name = "{file}"
columns = [
{columns}
]
"""


def recipe_text(kind: str, file: str, columns: Mapping[str, str], rest: str = "") -> str:
    lines = "\n".join(f'{{ variable = "{variable}", {keys} }},' for variable, keys in columns.items())
    return HEAD.format(kind=kind, file=file, columns=lines) + rest


def make(folder: Path, kind: str, file: str, columns: Mapping[str, str], rest: str = "") -> xr.Dataset:
    path = folder / "mine.toml"
    path.write_text(recipe_text(kind, file, columns, rest), encoding="utf-8")
    return open_cube(ingest(load_recipe(path), out=folder / "cubes" / "mine.zarr"))


def flags(cube: xr.Dataset, name: str) -> list[set[str]]:
    masks = flag_masks(cube[name])
    return [{meaning for meaning, mask in masks.items() if value & mask} for value in cube[name].values.ravel()]


GALAXIES = {
    "galaxy": 'label = "name"',
    "r": 'label = "R", unit = "pc"',
    "v_obs": 'label = "V", unit = "km/s"',
    "e_v_obs": 'label = "eV", unit = "km/s"',
    "v_gas": "constant = 0.0",
    "v_disk": 'label = "Vd", unit = "km/s"',
    "v_bul": "constant = 0.0",
    "r_disk": 'constant = 2000.0, unit = "pc"',
}


def galaxies(**changed: Any) -> AstropyTable:
    # Rows of two galaxies, mixed and from the outside in.
    table = AstropyTable(
        {
            "name": ["B", "A", "B", "A", "A"],
            "R": [3000.0, 2000.0, 1500.0, 1000.0, 3000.0] * u.pc,
            "V": [120.0, 61.0, 95.0, 40.0, -1.0] * u.km / u.s,
            "eV": [3.0, 2.0, 2.0, 2.0, 2.5] * u.km / u.s,
            "Vd": [95.0, 45.0, 80.0, 30.0, 50.0] * u.km / u.s,
        }
    )
    for name, values in changed.items():
        table[name] = values
    return table


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_galaxies_of_every_format(form: str, tmp_path: Path) -> None:
    file = write_table(tmp_path, form, galaxies()).name
    cube = make(tmp_path, "galaxy", file, GALAXIES, "[cuts]\nmin_points = 3\n")
    assert cube["galaxy"].values.tolist() == ["B", "A"]
    assert cube["n_points"].values.tolist() == [2, 3]
    assert cube["r"].values[1].tolist() == pytest.approx([1.0, 2.0, 3.0], rel=1e-15)
    assert cube["v_obs"].values[1].tolist() == [40.0, 61.0, -1.0]
    assert cube["v_obs"].values[0, :2].tolist() == [95.0, 120.0]
    assert cube["v_gas"].values[1].tolist() == [0.0, 0.0, 0.0]
    assert cube["r_disk"].values.tolist() == [2.0, 2.0]
    assert flags(cube, "system_flag") == [{"too_few_rows", "too_few_points"}, {"too_few_points"}]
    assert flags(cube, "point_flag")[3:] == [set(), set(), {"nonpositive_v_obs"}]
    assert cube["v_gas"].attrs["source"] == "the recipe: 0.0"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"eV": [3.0, np.nan, 2.0, 2.0, 2.5] * u.km / u.s},
            r"e_v_obs is missing\n  where: .*line \d+, column eV\n  expected: a",
        ),
        ({"name": ["B", "", "B", "A", "A"]}, r"the galaxy has no name\n  where: .*line \d+, column name$"),
        ({"R": [3000.0, 1000.0, 1500.0, 1000.0, 3.0] * u.pc}, r"A has two rows at one radius\n.*\n  found: 1"),
        (
            {"R": [3.0, 1.0, 1.5, 1.0, 3.0] * u.kpc},
            r"the unit is another\n.*column R\n  found: 'kpc'\n  expected: 'pc'",
        ),
        ({"V": ["a", "b", "c", "d", "e"]}, r"5 faults|the column holds something else"),
    ],
)
def test_galaxies_that_are_wrong(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = write_table(tmp_path, "ecsv", galaxies(**changed)).name
    with pytest.raises(DataError, match=message):
        make(tmp_path, "galaxy", file, GALAXIES)
    assert not (tmp_path / "cubes").exists()


@pytest.mark.parametrize(("form", "place"), [("csv", "line"), ("fits", "row"), ("parquet", "row")])
def test_places_are_those_of_the_file(form: str, place: str, tmp_path: Path) -> None:
    errors = [3.0, np.nan, 2.0, np.nan, 2.5] * u.km / u.s
    file = write_table(tmp_path, form, galaxies(eV=errors, name=["B", "A", "B", "A", ""])).name
    rows = [2 + (place == "line"), 4 + (place == "line"), 5 + (place == "line")]
    with pytest.raises(DataError, match="3 faults") as caught:
        make(tmp_path, "galaxy", file, GALAXIES)
    said = str(caught.value)
    for row, what in zip(
        rows, ("eV: e_v_obs is missing", "eV: e_v_obs is missing", "name: the galaxy has no name"), strict=True
    ):
        assert f"{place} {row}, column {what}" in said


def test_faults_beyond_the_first_twenty_are_counted(tmp_path: Path) -> None:
    lines = ["name,R,V,eV,Vd", *(f"A,{1000 + i},40,,30" for i in range(25))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"25 faults(.*\n)*.*line 21, column eV: e_v_obs is missing(.*\n)*.*and 5 more"):
        make(tmp_path, "galaxy", "a.csv", GALAXIES)


def test_what_belongs_to_a_galaxy_must_be_one(tmp_path: Path) -> None:
    file = write_table(tmp_path, "csv", galaxies(Rd=[1.0, 2.0, 1.0, 2.0, 3.0])).name
    with pytest.raises(DataError, match=r"r_disk differs between the rows of A\n"):
        make(tmp_path, "galaxy", file, {**GALAXIES, "r_disk": 'label = "Rd", unit = "kpc"'})


def test_a_recipe_without_a_column_that_is_needed(tmp_path: Path) -> None:
    file = write_table(tmp_path, "csv", galaxies()).name
    columns = {name: keys for name, keys in GALAXIES.items() if name not in ("v_gas", "v_bul")}
    with pytest.raises(
        SpecError, match=r"the recipe does not fit the reader: 2 faults\n  where: reader .table., kind .galaxy."
    ) as e:
        make(tmp_path, "galaxy", file, columns)
    assert "files.table.columns: no column for 'v_gas'" in str(e.value)
    assert 'do: say where it is: { label = "heading of its column", variable = "v_gas", unit = "km/s" }' in str(e.value)


@pytest.mark.parametrize("name", ["n_points", "point_flag", "f_bulge"])
def test_what_is_derived_has_no_column(name: str, tmp_path: Path) -> None:
    file = write_table(tmp_path, "csv", galaxies()).name
    with pytest.raises(SpecError, match=rf"'{name}' is derived, not read\n  where: .*files.table.columns"):
        make(tmp_path, "galaxy", file, {**GALAXIES, name: "constant = 1.0"})


CLUSTERS = {"cluster": 'label = "name"', "r": 'label = "R", unit = "kpc"'}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_clusters_by_accelerations_or_masses(form: str, tmp_path: Path) -> None:
    table = AstropyTable({"name": ["X", "X"], "R": [200.0, 100.0] * u.kpc, "gb": [2.0, 4.0], "M": [1e14, 0.0] * u.Msun})
    file = write_table(tmp_path, form, table).name
    columns = {**CLUSTERS, "g_bar": 'label = "gb", unit = "1e-11 m/s2"', "m_obs": 'label = "M", unit = "solMass"'}
    cube = make(tmp_path, "cluster", file, columns).isel(cluster=0)
    np.testing.assert_allclose(cube["g_bar"].values, [4e-11, 2e-11], rtol=1e-15)
    assert cube["m_obs"].values.tolist() == [0.0, 1e14]
    assert float(cube["g_obs"][1]) == pytest.approx(6.674e-11 * 1e14 * 1.989e30 / (200 * 3.086e19) ** 2, rel=1e-14)
    assert flags(cube, "point_flag") == [{"nonpositive_observed"}, set()]


def test_clusters_without_baryons_are_refused(tmp_path: Path) -> None:
    table = AstropyTable({"name": ["X"], "R": [200.0], "M": [1e14], "M5": [5e14]})
    file = write_table(tmp_path, "csv", table).name
    columns = {**CLUSTERS, "m_obs": 'label = "M", unit = "solMass"', "m500": 'label = "M5", unit = "solMass"'}
    with pytest.raises(
        SpecError, match=r"a column is missing\n.*\n  expected: log_g_bar; or g_bar; or m_bar; or m_gas and"
    ):
        make(tmp_path, "cluster", file, columns)
    cube = make(tmp_path, "cluster", file, columns, "[cuts]\nbaryons_per_m500 = 0.06\n")
    assert cube["m_bar"].item() == pytest.approx(3e13)


@pytest.mark.parametrize("key", ["missing = 3.0", "range = [1.0, 2.0]"])
def test_a_key_for_numbers_on_a_text_is_refused(key: str, tmp_path: Path) -> None:
    table = AstropyTable({"name": ["3"], "R": [200.0], "gb": [2.0], "M": [1e14]})
    file = write_table(tmp_path, "csv", table).name
    columns = {"cluster": f'label = "name", {key}', "r": CLUSTERS["r"], "g_bar": 'label = "gb", unit = "m/s2"'}
    message = "cluster is text: it has neither missing nor range\n  where: .*column name"
    with pytest.raises(DataError, match=message):
        make(tmp_path, "cluster", file, {**columns, "m_obs": 'label = "M", unit = "solMass"'})


@pytest.mark.parametrize(
    ("more", "cuts", "found"),
    [
        ({"log_g_bar": "constant = -11.0"}, "", "log_g_bar; and g_bar"),
        ({"m_gas": "constant = 1e13", "m_star": "constant = 1e12"}, "", "g_bar; and m_gas and m_star"),
        # the share of the baryons in M500 would do nothing
        ({"m500": "constant = 1e14"}, "[cuts]\nbaryons_per_m500 = 0.06\n", "g_bar; and m500"),
    ],
)
def test_clusters_whose_baryons_are_given_twice_are_refused(
    more: dict[str, str], cuts: str, found: str, tmp_path: Path
) -> None:
    table = AstropyTable({"name": ["X"], "R": [200.0], "gb": [2.0], "M": [1e14]})
    file = write_table(tmp_path, "csv", table).name
    columns = {**CLUSTERS, "g_bar": 'label = "gb", unit = "1e-11 m/s2"', "m_obs": 'label = "M", unit = "solMass"'}
    with pytest.raises(SpecError, match=rf"the same is given twice\n.*\n  found: {found}\n  expected: one of them"):
        make(tmp_path, "cluster", file, {**columns, **more}, cuts)


STARS = {
    "source_id": 'label = "id"',
    **{name: f'label = "{name}", unit = "kpc"' for name in ("r", "height")},
    "phi": 'label = "phi", unit = "rad"',
    **{name: f'label = "{name}", unit = "km/s"' for name in ("v_r", "v_phi", "v_z")},
    "sigma_r": "constant = 35.0",
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_stars_with_coordinates(form: str, tmp_path: Path) -> None:
    numbers = {name: np.array([1.0, 2.0, 3.0]) for name in ("height", "phi", "v_r", "v_phi", "v_z")}
    table = AstropyTable({"id": [4161585441691080448, 2, 3], "r": [8.0, np.nan, 20.0], **numbers})
    file = write_table(tmp_path, form, table).name
    cube = make(tmp_path, "star", file, STARS, "[cuts]\nmax_height = 2.5\nradii = [4.0, 16.0]\n")
    assert cube["source_id"].values.tolist() == [4161585441691080448, 2, 3]
    np.testing.assert_allclose(cube["phi"].values, np.degrees([1.0, 2.0, 3.0]), rtol=1e-14)
    assert flags(cube, "point_flag") == [set(), {"incomplete"}, {"off_plane", "outside_radii"}]
    table["id"] = [1, 2, 1]
    with pytest.raises(DataError, match=r"1 is there 2 times\n.*\n  expected: once"):
        ingest(load_recipe(tmp_path / "mine.toml"), out=tmp_path / "no.zarr", data=write_again(tmp_path, form, table))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["landmark", "population"])
@pytest.mark.parametrize("form", FORMATS)
def test_systems_of_one_row(kind: str, form: str, tmp_path: Path) -> None:
    declared = KINDS[kind]
    required = [v for v in declared.variables if v.required and not v.flags]
    values = {"float64": [1.0, 2.0], "int64": [1, 2], "string": ["x", "y"]}
    optional = {"landmark": "observed", "population": "f_dm"}[kind]
    table = AstropyTable({"name": ["P", "Q"], **{v.name: values[v.dtype] for v in required}, optional: [1.0, np.nan]})
    columns = {v.name: f'label = "{v.name}"' + (f', unit = "{v.unit}"' if v.unit else "") for v in required}
    columns |= {str(declared.system_dim): 'label = "name"', optional: f'label = "{optional}"'}
    cube = make(tmp_path, kind, write_table(tmp_path, form, table).name, columns)
    assert cube[str(declared.system_dim)].values.tolist() == ["P", "Q"]
    assert flags(cube, "system_flag") == [set(), {{"landmark": "not_observed", "population": "unmodelled"}[kind]}]
    table["name"] = ["P", "P"]
    with pytest.raises(DataError, match=r"P is there 2 times\n.*\n  expected: once"):
        ingest(load_recipe(tmp_path / "mine.toml"), out=tmp_path / "no.zarr", data=write_again(tmp_path, form, table))


def write_again(folder: Path, form: str, table: AstropyTable) -> Path:
    write_table(folder, form, table)
    return folder


def test_names_of_two_columns(tmp_path: Path) -> None:
    table = AstropyTable({"name": ["X", "X"], "model": ["a", "b"], "R": [2.0, 2.0], "gb": [1.0, 1.0], "go": [1.0, 1.0]})
    file = write_table(tmp_path, "csv", table).name
    text = recipe_text("cluster", file, {**CLUSTERS, "g_bar": 'label = "gb", unit = "m/s2"'})
    more = '{ variable = "cluster", label = "model" },\n{ variable = "g_obs", label = "go", unit = "m/s2" },\n]'
    (tmp_path / "mine.toml").write_text(text.replace("\n]", "\n" + more))
    cube = open_cube(ingest(load_recipe(tmp_path / "mine.toml"), out=tmp_path / "mine.zarr"))
    assert cube["cluster"].values.tolist() == ["X a", "X b"]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


@pytest.mark.slow
def test_the_document_on_own_tables_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (table,), (recipe, readme) = _blocks("csv"), _blocks("toml")
    Path("my_galaxies.csv").write_text(table, encoding="utf-8")
    Path("my_galaxies.toml").write_text(recipe, encoding="utf-8")
    refused, made = _blocks("console")
    command, _, said = refused.partition("\n")
    assert command == "$ sigcube ingest my_galaxies.toml"
    result = call("ingest", "my_galaxies.toml")
    assert result.exit_code != 0
    assert said.strip() in result.output
    Path("my_galaxies.csv").write_text(table.replace("95.0,,", "95.0,3.0,"), encoding="utf-8")
    for command, said in re.findall(r"\$ sigcube (.*)\n([^$]*)", made):
        result = call(*command.split())
        assert result.exit_code == 0, result.output
        assert said.strip() in result.output
    assert open_cube("cubes/my_galaxies.zarr")["r"].values[0].tolist() == pytest.approx([1.0, 2.0, 3.0])
    Path("cds.toml").write_text(recipe + readme, encoding="utf-8")
    assert load_recipe("cds.toml").files["readme"].columns == ()


def test_the_document_on_own_tables_names_what_there_is() -> None:
    words = set(re.findall(r"`(\w+)`", DOCUMENT))
    for kind in ("galaxy", "star", "cluster", "population"):
        needed = {v.name for v in KINDS[kind].variables if v.required and not v.flags and v.name != "n_points"}
        ours = {name for name in needed if not name.startswith("scale_length") and name not in ("f_bulge",)}
        assert {name for name in ours if not name.endswith("_max")} - {"g_bar", "g_obs", "m_bar", "m_obs"} <= words
