"""Published fits of halos: `li2020` reads a file of the CDS, or another form by a copy of the recipe."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table

from sigcube.cube import open_cube, select
from sigcube.errors import DataError
from sigcube.recipes import ingest, load_recipe
from sigcube.shipped import shipped
from tests.readers.halo_files import HaloFiles, row


def made(files: HaloFiles, folder: Path) -> xr.Dataset:
    files.write(folder)
    return open_cube(ingest(load_recipe("li2020"), data=folder, out=folder / "li2020.zarr"))


def test_a_row_has_the_length_that_the_cds_gives() -> None:
    assert {len(each.rstrip("\n")) for each in HaloFiles().rows} == {152}


def test_each_fit_is_a_row_under_the_names_of_its_galaxy_and_its_model(tmp_path: Path) -> None:
    cube = made(HaloFiles(), tmp_path)
    assert cube["halo"].values.tolist() == ["SYN00001 NFW-Flat", "SYN00001 NFW-LCDM", "SYN00002 NFW-LCDM"]
    one = cube.sel(halo="SYN00002 NFW-LCDM")
    expected = {
        **{"galaxy": "SYN00002", "model": "NFW-LCDM", "upsilon_disk": 0.45, "upsilon_bulge": 0.75},
        **{"distance": 12.5, "inclination": 45.5, "v_200": 100.0, "c_200": 10.0, "r_s": 13.7, "hubble": 73.0},
        **{"e_v_200": 1.0, "e_c_200": 0.5, "e_distance": 0.5, "e_inclination": 3.0, "e_r_s": 0.1, "shape": 0.0},
    }
    assert {name: one[name].item() for name in expected} == expected
    assert cube["v_200"].attrs["units"] == "km/s"
    assert cube["hubble"].attrs["source"] == "the recipe: 73.0"


def test_a_blank_chi2_is_not_measured_and_flagged(tmp_path: Path) -> None:
    cube = made(HaloFiles(), tmp_path)
    np.testing.assert_array_equal(cube["chi2_red"], [1.25, 1.5, np.nan])
    assert select(cube, sample="with_chi2")["halo"].values.tolist() == ["SYN00001 NFW-Flat", "SYN00001 NFW-LCDM"]


def test_a_label_that_the_readme_does_not_have_is_named(tmp_path: Path) -> None:
    files = HaloFiles()
    files.readme = files.readme.replace("V200        [10", "Vvir        [10")
    with pytest.raises(DataError, match=r"column 'V200' is missing") as caught:
        made(files, tmp_path)
    assert "Vvir" in str(caught.value)


def test_two_fits_of_one_model_to_one_galaxy_are_refused(tmp_path: Path) -> None:
    files = HaloFiles()
    files.rows.append(row("SYN00001", "NFW-LCDM"))
    with pytest.raises(DataError, match="SYN00001 NFW-LCDM is there 2 times"):
        made(files, tmp_path)


def test_a_votable_is_read_by_a_copy_of_the_recipe(tmp_path: Path) -> None:
    """As its header says: the file's name, and neither a format nor a ReadMe."""
    columns = load_recipe("li2020").files["table"].columns
    labels = list(dict.fromkeys(column.label for column in columns if column.label))
    table = Table({label: [1.5] for label in labels} | {"Name": ["SYN00001"], "Model": ["NFW-LCDM"]})
    for label, unit in (("Ydisk", "Msun/Lsun"), ("Ybul", "Msun/Lsun"), ("Dist", "Mpc"), ("inc", "deg"), ("rs", "kpc")):
        table[label].unit = table[f"e_{label}"].unit = unit
    table["V200"].unit = table["e_V200"].unit = "km/s"
    table.write(tmp_path / "li.vot", format="votable")
    text = shipped("ingest")["li2020"].replace('name = "table1.dat"', 'name = "li.vot"').replace('format = "cds"\n', "")
    text = re.sub(r"\[files\.readme\]\n(?:\w.*\n)+", "", text)
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    out = ingest(load_recipe(tmp_path / "mine.toml"), data=tmp_path, out=tmp_path / "c.zarr")
    assert open_cube(out)["v_200"].values.tolist() == [1.5]
