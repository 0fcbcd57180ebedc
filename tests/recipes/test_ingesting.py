import hashlib
import json
import shutil
from pathlib import Path

import pytest
import xarray as xr

from sigcube.cube import fingerprint, open_cube
from sigcube.errors import DataError, FetchError
from sigcube.recipes import check_files, ingest, load_recipe


@pytest.mark.slow
def test_what_the_cube_says_about_itself(sparc_cube: xr.Dataset, shared_data: Path) -> None:
    recipe = load_recipe("sparc")
    attrs = sparc_cube.attrs
    assert (attrs["title"], attrs["licence"], attrs["synthetic"]) == (recipe.title, "CC-BY-4.0", 0)
    assert "Lelli" in attrs["citation"]
    assert attrs["recipe"] == recipe.text
    assert attrs["fingerprint"] == fingerprint(sparc_cube)
    table = hashlib.sha256((shared_data / "sparc" / "SPARC_Lelli2016c.mrt").read_bytes()).hexdigest()
    same = table == recipe.files["catalogue"].sha256
    assert json.loads(attrs["raw_files"]) == [
        {"name": "Rotmod_LTG.zip", "sha256": recipe.files["curves"].sha256, "official": True, "standing": "official"},
        {
            "name": "SPARC_Lelli2016c.mrt",
            "sha256": table,
            "official": same,
            "standing": "official" if same else "unverified",
        },
    ]


@pytest.mark.slow
def test_ingesting_twice_gives_the_same_content(sparc_cube: xr.Dataset, shared_data: Path, tmp_path: Path) -> None:
    again = open_cube(ingest(load_recipe("sparc"), data=shared_data, out=tmp_path / "sparc.zarr"))
    assert again.attrs["fingerprint"] == sparc_cube.attrs["fingerprint"]


@pytest.mark.slow
def test_cubes_land_in_cubes(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ingest(load_recipe("sparc"), data=shared_data) == Path("cubes/sparc.zarr")
    assert open_cube("cubes/sparc.zarr").sizes["galaxy"] == 175


@pytest.mark.slow
def test_a_cube_that_is_there_is_kept_unless_asked(shared_data: Path, tmp_path: Path) -> None:
    recipe, out = load_recipe("sparc"), tmp_path / "sparc.zarr"
    ingest(recipe, data=shared_data, out=out)
    # Told before anything is read or fetched.
    with pytest.raises(DataError, match=r"there is already a cube here\n  where: .*sparc.zarr"):
        ingest(recipe, data=tmp_path / "nowhere", out=out)
    ingest(recipe, data=shared_data, out=out, overwrite=True)
    assert open_cube(out).sizes["galaxy"] == 175


@pytest.fixture
def own_copy(shared_data: Path, tmp_path: Path) -> Path:
    """A folder with copies of the real files, one level down."""
    folder = tmp_path / "raw"
    (folder / "deep").mkdir(parents=True)
    for name in ("Rotmod_LTG.zip", "SPARC_Lelli2016c.mrt"):
        shutil.copyfile(shared_data / "sparc" / name, folder / "deep" / name)
    return folder


def test_a_file_that_must_be_official(own_copy: Path, tmp_path: Path) -> None:
    archive = own_copy / "deep" / "Rotmod_LTG.zip"
    archive.write_bytes(archive.read_bytes()[:-100])
    message = (
        r"a raw file is not the official one: wrong checksum\n  where: .*Rotmod_LTG.zip\n"
        r"  found: sha256 .*, 110637 bytes\n  expected: sha256 0a80cc.*, 110737 bytes"
    )
    with pytest.raises(DataError, match=message):
        ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "cubes" / "sparc.zarr")
    assert not (tmp_path / "cubes").exists()


@pytest.mark.slow
def test_a_table_with_another_value_is_taken_and_noted(own_copy: Path, sparc_cube: xr.Dataset, tmp_path: Path) -> None:
    table = own_copy / "deep" / "SPARC_Lelli2016c.mrt"
    text = table.read_text()
    assert " 65.0  5.0   0.075" in text
    table.write_text(text.replace(" 65.0  5.0   0.075", " 64.0  5.0   0.075"))
    cube = open_cube(ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "sparc.zarr"))
    assert cube.sel(galaxy="CamB").inclination == 64.0
    assert json.loads(cube.attrs["raw_files"])[1]["official"] is False
    assert cube.attrs["fingerprint"] != sparc_cube.attrs["fingerprint"]


def test_what_is_taken_unverified_is_told_and_what_is_empty_refused(own_copy: Path, tmp_path: Path) -> None:
    recipe, table, told = load_recipe("sparc"), own_copy / "deep" / "SPARC_Lelli2016c.mrt", list[str]()
    table.write_text("another table")
    assert check_files(recipe, own_copy, tell=told.append)["catalogue"] == table
    assert told == [f"{table} (unverified): its checksum is not that of the official file"]
    table.write_text("")
    for read in (check_files, lambda recipe, data: ingest(recipe, data=data, out=tmp_path / "sparc.zarr")):
        with pytest.raises(DataError, match=r"it is empty\n  where: .*mrt\n  found: 0 bytes\n  expected: sha256 5aa05"):
            read(recipe, own_copy)


def test_parts_without_a_checksum_are_told_in_one_line(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv", "3.csv"):
        (tmp_path / name).write_text("a")
    recipe = load_recipe("landmarks")
    (file,) = recipe.files.values()
    in_parts = recipe.model_copy(
        update={"files": {"table": file.model_copy(update={"name": "all.csv", "parts": "?.csv", "sha256": ""})}}
    )
    told: list[str] = []
    check_files(in_parts, tmp_path, tell=told.append)
    assert told == [f"{tmp_path / '1.csv'} and 2 more (unverified): its recipe has no checksum to compare"]


def test_missing_files_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the raw files are not to be found: 2 faults") as caught:
        ingest(load_recipe("sparc"), data=tmp_path, out=tmp_path / "sparc.zarr")
    assert "Rotmod_LTG.zip is missing, expected https://" in str(caught.value)
    assert "SPARC_Lelli2016c.mrt is missing" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"this is not a folder\n  where: .*nowhere"):
        ingest(load_recipe("sparc"), data=tmp_path / "nowhere", out=tmp_path / "sparc.zarr")


def test_a_folder_of_very_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    for name in "abc":
        (tmp_path / "below" / name).touch()
    monkeypatch.setattr("sigcube.recipes.ingesting._MOST_FILES", 2)
    with pytest.raises(DataError, match=r"too many files.*\n.*\n  found: more than 2\n  do: name the folder"):
        ingest(load_recipe("sparc"), data=tmp_path, out=tmp_path / "sparc.zarr")


@pytest.mark.slow
def test_a_folder_with_the_name_of_a_file_is_not_the_file(own_copy: Path, tmp_path: Path) -> None:
    (own_copy / "0" / "Rotmod_LTG.zip").mkdir(parents=True)
    assert open_cube(ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "sparc.zarr")).sizes["galaxy"] == 175


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="needs a file that opens and cannot be read")
def test_a_file_that_cannot_be_read(own_copy: Path, tmp_path: Path) -> None:
    (curves,) = own_copy.rglob("Rotmod_LTG.zip")
    curves.unlink()
    curves.symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match=r"a raw file cannot be read\n  where: .*Rotmod_LTG.zip\n  found: .*error"):
        ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "sparc.zarr")


@pytest.mark.slow
def test_copies_that_differ_are_not_chosen_between(own_copy: Path, tmp_path: Path) -> None:
    table = own_copy / "deep" / "SPARC_Lelli2016c.mrt"
    shutil.copyfile(table, own_copy / table.name)
    assert open_cube(ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "sparc.zarr")).sizes["galaxy"] == 175
    (own_copy / table.name).write_text("another")
    with pytest.raises(DataError, match=r"mrt is there several times, with different content\n(.*\n)*  found: .*deep"):
        ingest(load_recipe("sparc"), data=own_copy, out=tmp_path / "second.zarr")


def test_without_a_folder_the_files_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    recipe = load_recipe("sparc")
    files = {role: file.model_copy(update={"url": "http://127.0.0.1:9/x"}) for role, file in recipe.files.items()}
    with pytest.raises(FetchError, match=r"Rotmod_LTG.zip could not be downloaded\n.*\n  found: no connection"):
        ingest(recipe.model_copy(update={"files": files}), out=tmp_path / "cubes" / "sparc.zarr", progress=False)
    assert not (tmp_path / "cubes").exists()
