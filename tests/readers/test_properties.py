"""A table of further properties of the galaxies, joined by their names: an external field, say."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import open_cube
from sigcube.errors import DataError, SpecError
from sigcube.recipes import ingest, load_recipe
from tests.readers.cds_files import CdsFiles

_RECIPE = """
name = "mine"
title = "synthetic"
kind = "galaxy"
reader = "table"
citation = "none"
licence = "CC0-1.0"

[files.table]
name = "curves.csv"
columns = [
    {{ label = "g", variable = "galaxy" }},
    {{ label = "r", variable = "r", unit = "kpc" }},
    {{ label = "v", variable = "v_obs", unit = "km/s" }},
    {{ label = "d", variable = "v_disk", unit = "km/s" }},
    {{ variable = "e_v_obs", constant = 2.0 }},
    {{ variable = "v_gas", constant = 0.0 }},
    {{ variable = "v_bul", constant = 0.0 }},
    {{ variable = "r_disk", constant = 2.0 }},
]

[files.properties]
{properties}

[cuts]
min_points = 1
"""
_FIELD = """name = "field.csv"
columns = [
    {{ label = "name", variable = "galaxy" }},
    {{ label = "e", variable = "g_environment", unit = "{unit}" }},
]"""


def made(folder: Path, properties: str, rows: str) -> xr.Dataset:
    (folder / "curves.csv").write_text("g,r,v,d\n" + "".join(f"{g},{r},80,60\n" for g in "ABC" for r in (1, 2, 3)))
    (folder / "field.csv").write_text("name,e\n" + rows)
    (folder / "mine.toml").write_text(_RECIPE.format(properties=properties))
    return open_cube(ingest(load_recipe(folder / "mine.toml"), data=folder, out=folder / "c.zarr", overwrite=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("m/s2", "3.6e-12", 3.6e-12),
        ("cm/s2", "3.6e-10", 3.6e-12),
        # Chae+ 2021 list log e_N with e_N = g_N/a0: 10^−2 · 1.2e-10 m/s².
        ("dex(1.2e-10 m/s2)", "-2.0", 1.2e-12),
        ("1.2e-10 m/s2", "0.01", 1.2e-12),
        ("dex(m/s2)", "-12", 1e-12),
    ],
)
def test_a_field_in_any_unit_is_joined_in_m_per_s2(tmp_path: Path, unit: str, cell: str, expected: float) -> None:
    """The rows may be in any order; a galaxy without one has none."""
    cube = made(tmp_path, _FIELD.format(unit=unit), f"C,{cell}\nA,{cell}\n")
    np.testing.assert_allclose(cube["g_environment"], [expected, np.nan, expected], rtol=1e-14)
    assert cube["g_environment"].attrs["units"] == "m/s2"
    assert cube["g_environment"].attrs["source"] == "field.csv, column e"


def test_a_galaxy_that_the_cube_does_not_have_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no galaxy 'Aa'") as caught:
        made(tmp_path, _FIELD.format(unit="m/s2"), "Aa,1e-12\nB,1e-12\nD 1,1e-12\n")
    assert "no galaxy 'D 1'" in str(caught.value)
    assert "'A'" in str(caught.value)


def test_a_galaxy_with_two_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="B is there 2 times"):
        made(tmp_path, _FIELD.format(unit="m/s2"), "B,1e-12\nB,2e-12\n")


@pytest.mark.parametrize(
    ("properties", "match"),
    [
        ('name = "field.csv"\ncolumns = [{ label = "e", variable = "g_environment" }]', "no column for 'galaxy'"),
        (_FIELD.format(unit="m/s2").replace("g_environment", "v_obs"), "'v_obs' is no number of a galaxy"),
        (_FIELD.format(unit="kpc").replace("g_environment", "r_disk"), "the cube has 'r_disk' already"),
    ],
)
def test_a_recipe_that_joins_nonsense_is_refused(tmp_path: Path, properties: str, match: str) -> None:
    with pytest.raises(SpecError, match=match):
        made(tmp_path, properties, "A,1\n")


def test_a_unit_that_is_no_acceleration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the unit cannot be converted to 'm/s2'"):
        made(tmp_path, _FIELD.format(unit="kpc"), "A,1\n")


def test_a_table_of_the_cds_is_read_by_its_own_readme(tmp_path: Path) -> None:
    files = CdsFiles()
    files.edit_readme("F5.3   ---       z", "F5.3   m/s2      z")
    files.rows = [files.row("A", 0.5, "yes", None, None), files.row("C", 0.25, "yes", None, None)]
    files.write(tmp_path)
    properties = """name = "table1.dat"
format = "cds"
columns = [
    { label = "Cluster", variable = "galaxy" },
    { label = "z", variable = "g_environment" },
]

[files.properties_readme]
name = "ReadMe"
columns = []"""
    cube = made(tmp_path, properties, "")
    np.testing.assert_allclose(cube["g_environment"], [0.5, np.nan, 0.25], rtol=1e-14)


@pytest.mark.slow
def test_sparc_takes_such_a_table_too(sparc_path: Path, shared_data: Path, tmp_path: Path) -> None:
    """By a copy of its recipe with one file more, as the guide has it."""
    (tmp_path / "field.csv").write_text("name,e\nNGC5055,-2.0\n")
    whole = open_cube(sparc_path)
    text = whole.attrs["recipe"] + "\n[files.properties]\n" + _FIELD.format(unit="dex(1.2e-10 m/s2)")
    (tmp_path / "sparc_field.toml").write_text(text, encoding="utf-8")
    cube = open_cube(ingest(load_recipe(tmp_path / "sparc_field.toml"), data=shared_data, out=tmp_path / "s.zarr"))
    known = cube["g_environment"].dropna("galaxy")
    assert known["galaxy"].values.tolist() == ["NGC5055"]
    assert known.item() == pytest.approx(1.2e-12, rel=1e-14)
    xr.testing.assert_equal(cube.drop_vars("g_environment"), whole)
