"""Files without an address, which lie beside the recipe."""

import hashlib
import json
from pathlib import Path

import pytest

from sigcube.cube import open_cube
from sigcube.cube.inspection import describe_file, summarise
from sigcube.errors import DataError, RawFilesMissing
from sigcube.recipes import check_files, fetch, ingest, load_recipe

LI = (
    "Li, Lelli, McGaugh & Schombert 2020, ApJS 247, 31; CDS J/ApJS/247/31: "
    "https://cdsarc.cds.unistra.fr/ftp/J/ApJS/247/31/"
)
TABLE = Path(__file__).parents[2] / "ingest" / "landmarks.csv"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A recipe of one's own, without its table."""
    text = load_recipe("landmarks").text
    path = tmp_path / "own" / "mine.toml"
    path.parent.mkdir()
    path.write_text(text.replace('name = "landmarks"', 'name = "mine"', 1), encoding="utf-8")
    return path


def test_it_is_read_where_the_recipe_is(own: Path, tmp_path: Path) -> None:
    table = own.with_name(TABLE.name)
    table.write_bytes(TABLE.read_bytes())
    recipe = load_recipe(own)
    assert fetch(recipe, cache=tmp_path / "cache", progress=False) == {"table": table}
    assert not (tmp_path / "cache").exists()
    ds = open_cube(ingest(recipe, out=tmp_path / "mine.zarr", progress=False))
    (told,) = json.loads(ds.attrs["raw_files"])
    # Nothing tells what lies beside a recipe of one's own.
    assert (told["name"], told["official"], told["standing"]) == ("landmarks.csv", False, "your own, no checksum")


def test_what_came_with_sigcube_is_official(tmp_path: Path) -> None:
    ds = open_cube(ingest("landmarks", out=tmp_path / "landmarks.zarr", progress=False))
    (told,) = json.loads(ds.attrs["raw_files"])
    assert (told["official"], told["standing"]) == (True, "official")


def test_a_copy_of_a_recipe_vouches_for_no_file_beside_it(own: Path, tmp_path: Path) -> None:
    table = own.with_name(TABLE.name)
    table.write_bytes(TABLE.read_bytes())
    named = f'name = "{TABLE.name}"'
    assert own.read_text(encoding="utf-8").count(named) == 1
    text = own.read_text(encoding="utf-8").replace(named, f'{named}\nsource = "https://example.org/"')
    own.write_text(text, encoding="utf-8")
    ds = open_cube(ingest(own, data=own.parent, out=tmp_path / "mine.zarr", progress=False))
    (told,) = json.loads(ds.attrs["raw_files"])
    assert (told["official"], told["standing"]) == (False, "unverified, no checksum")
    (summary,) = summarise(ds).raw_files
    assert describe_file(summary) == f"{TABLE.name} (unverified, no checksum)"


def test_a_folder_of_data_goes_first(own: Path, tmp_path: Path) -> None:
    beside = own.with_name(TABLE.name)
    beside.write_bytes(TABLE.read_bytes())
    elsewhere = tmp_path / "data" / "deep" / TABLE.name
    elsewhere.parent.mkdir(parents=True)
    assert check_files(load_recipe(own), tmp_path / "data") == {"table": beside}
    elsewhere.write_text(
        TABLE.read_text(encoding="utf-8").rpartition("\n")[0].rpartition("\n")[0] + "\n", encoding="utf-8"
    )
    assert check_files(load_recipe(own), tmp_path / "data") == {"table": elsewhere}
    whole = open_cube(ingest(load_recipe(own), out=tmp_path / "whole.zarr", progress=False))
    given = open_cube(ingest(load_recipe(own), data=tmp_path / "data", out=tmp_path / "given.zarr", progress=False))
    assert given.sizes["landmark"] == whole.sizes["landmark"] - 1
    assert json.loads(given.attrs["raw_files"])[0]["official"] is False


def test_one_that_is_nowhere_is_told(own: Path, tmp_path: Path) -> None:
    with pytest.raises(RawFilesMissing, match=r"landmarks.csv has no address.*\n  where: .*own/landmarks.csv"):
        ingest(load_recipe(own), out=tmp_path / "mine.zarr", progress=False)
    (tmp_path / "data").mkdir()
    with pytest.raises(
        DataError, match=r"landmarks.csv is missing\n(.*\n)*  expected: in this folder, or beside the recipe"
    ):
        ingest(load_recipe(own), data=tmp_path / "data", out=tmp_path / "mine.zarr")
    assert not (tmp_path / "mine.zarr").exists()


def test_of_a_shipped_recipe_its_source_and_the_command_are_told(tmp_path: Path) -> None:
    # The folder of the recipe may be that of the installed package: nobody puts files there.
    with pytest.raises(RawFilesMissing, match=r"^table1.dat and ReadMe have no address to fetch them from\n") as caught:
        ingest(load_recipe("li2020"), out=tmp_path / "li.zarr", progress=False)
    error = caught.value
    assert error.where == "recipe li2020"
    assert error.hint == (
        "get them by hand into a folder, and name that folder: `sigcube ingest li2020 --data DIR`, in Python data=DIR; "
        f"source: {LI}"
    )
    (tmp_path / "data").mkdir()
    with pytest.raises(RawFilesMissing, match="ReadMe is missing") as caught:
        ingest(load_recipe("li2020"), data=tmp_path / "data", out=tmp_path / "li.zarr")
    assert "beside the recipe" not in str(caught.value)
    assert f"expected in this folder; from {LI}\n" in str(caught.value)


def test_where_other_files_were_downloaded_the_rest_belongs_beside_them(tmp_path: Path) -> None:
    shipped = load_recipe("manga_dynpop")
    (first, *_) = (file for file in shipped.files.values() if file.url)
    there = tmp_path / "cache" / shipped.name / first.name
    there.parent.mkdir(parents=True)
    there.write_bytes(b"as if it had been downloaded")
    same = first.model_copy(update={"sha256": hashlib.sha256(there.read_bytes()).hexdigest()})
    files = {role: same if file.url else file for role, file in shipped.files.items()}
    with pytest.raises(RawFilesMissing, match=r"tsv has no address to fetch it from") as caught:
        fetch(shipped.model_copy(update={"files": files}), cache=tmp_path / "cache", progress=False)
    assert f"by hand into {there.parent}, where the other files are" in str(caught.value.hint)
    assert "--data DIR" in str(caught.value.hint)
