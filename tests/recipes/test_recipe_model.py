import importlib
import zipfile
from pathlib import Path

import pytest

from sigcube.errors import SpecError
from sigcube.readers import READERS
from sigcube.recipes import load_recipe, recipe_names

GOOD = """
name = "small"
title = "a small one"
kind = "galaxy"
reader = "sparc"
citation = "nobody"
licence = "CC0-1.0"
[files.curves]
name = "a.zip"
url = "https://example.org/a.zip"
sha256 = "{sha}"
columns = [{{ label = "Rad", variable = "r", unit = "kpc" }}]
[samples.few]
description = "few"
point_flags_excluded = ["negative_vbar"]
""".format(sha="0" * 64)


# Where the authors, the archive or the data centre themselves publish.
OFFICIAL = (
    "https://astroweb.case.edu/SPARC/",
    "https://cdsarc.cds.unistra.fr/ftp/",
    "https://gea.esac.esa.int/tap-server/",
    "https://zenodo.org/api/records/",
)
BY_HAND = {
    "eilers2019": {"eilers2019_table1.csv"},
    "eilers_cross_match": {"eilers_apogee_6d_disk.csv"},
    "fox2022": {"table1.dat", "ReadMe"},
    "li2020": {"table1.dat", "ReadMe"},
    "literature_clusters": {"literature_masses_200kpc.csv"},
    "manga_dynpop": {"bevacqua2022_counter_rotating.tsv"},
}


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert READERS[recipe.reader].kind == recipe.kind
    assert recipe.text.startswith("#")
    # What has no official address lies beside the recipe, or the recipe says how to get it.
    assert all(file.url.startswith(OFFICIAL) for file in recipe.files.values() if file.url)
    by_hand = {file.name for file in recipe.files.values() if not (file.url or (recipe.folder / file.name).is_file())}
    assert by_hand == BY_HAND.get(name, set())
    assert not by_hand or "--data" in recipe.text


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    recipe = load_recipe(path)
    assert recipe.files["curves"].verify == "always"
    assert recipe.cuts.min_points == 5
    assert load_recipe(str(path)) == recipe


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", r"2 faults(.*\n)*.*titel: unknown key 'titel', did you mean 'title'\?"),
        ("sha256 =", "sha265 =", r"unknown key 'sha265', did you mean 'sha256'\?.*\n  where: .*, files.curves.sha265"),
        (
            'unit = "kpc"',
            'units = "kpc"',
            r"unknown key 'units', did you mean 'unit'\?.*\n  where: .*, files.curves.columns.0.units",
        ),
        (
            "description =",
            "descripton =",
            r"samples.few.descripton: unknown key 'descripton', did you mean 'description'\?",
        ),
        ('"few"', "3", r"wrong value\n  where: .*, samples.few.description\n  found: 3\n  expected: a text"),
        ('title = "a small one"\n', "", r"missing\n  where: .*, title"),
        ('"negative_vbar"', '"negativ_vbar"', r"there is no 'negativ_vbar'; did you mean 'negative_vbar'\?"),
        ('variable = "r"', 'variable = "v_obz"', r"there is no 'v_obz'; did you mean 'v_obs'\?"),
        ('"sparc"', '"spark"', r"there is no 'spark'; did you mean 'sparc'\?.*\n  where: .*, reader"),
        ('"sparc"', '"tabel"', r"there is no 'tabel'; did you mean 'table'\?.*\n  where: .*, reader"),
        ('"galaxy"', '"galaxies"', r"there is no 'galaxies'; did you mean 'galaxy'\?.*\n  where: .*, kind"),
        ("0" * 64, "0" * 63, r"wrong value\n  where: .*, files.curves.sha256\n.*\n  expected: a text of the pattern"),
        (
            "https://example.org/a.zip",
            "file:///etc/passwd",
            r"wrong value\n  where: .*, files.curves.url\n.*\n  expected: a text of the pattern",
        ),
        ('url = "', 'source = "x"\nurl = "', r"a file with a url is not got by hand.*\n  where: .*, files.curves"),
        (f'sha256 = "{"0" * 64}"', "", r"sha256 is missing.*\n  where: .*, files.curves"),
        ('name = "small"', 'name = "small"\nfolder = "x"', r"unknown key 'folder'"),
        (
            '"a.zip"',
            '"../a.zip"',
            r"wrong value\n  where: .*, files.curves.name\n.*\n  expected: a text of the pattern",
        ),
        ('name = "small"', 'name = "small"\ntext = "x"', r"unknown key 'text'"),
        (
            "[samples.few]",
            "[cuts]\nmin_point = 3\n[samples.few]",
            r"unknown key 'min_point', did you mean 'min_points'\? valid: min_points, upsilon_bulge, upsilon_disk"
            r"\n  where: .*, cuts.min_point",
        ),
        (
            '[samples.few]\ndescription = "few"',
            "[cuts]\nmin_points = 0\n[samples.few]\ndescription = 3",
            r"2 faults(.*\n)*.*cuts.min_points: .*found 0, expected greater than or equal to 1",
        ),
        (
            'unit = "kpc" }]',
            'unit = "kpc" }, { label = "Rad2", variable = "r", unit = "kpc" }]',
            r"there are 2 columns for 'r' in files.curves",
        ),
        ("[samples.few]", "[samples.all]", r"sample 'all' is there already"),
        ('"galaxy"', '"star"', r"reader 'sparc' makes cubes of kind 'galaxy', not 'star'"),
        ("[samples.few]", "[samples.few", r"the recipe is not TOML\n  where: .*mine.toml\n  found: .*line 13"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SpecError, match=message):
        load_recipe(path)


NOT_FINITE = [
    # recipe, what it says, what it is changed to, and the place that is named
    ("gaia", "v_sun = [11.1, 247.3, 7.25]", "v_sun = [11.1, nan, 7.25]", "frame.v_sun.1"),
    ("gaia", "z_sun = 0.0208", "centre = [266.4, -inf]", "frame.centre.1"),
    ("gaia", "r_sun = 8.178", "r_sun = inf", "frame.r_sun"),
    ("gaia", "max_ruwe = 1.4", "max_ruwe = nan", "cuts.max_ruwe"),
    ("gaia", "v_phi = [70.0, 300.0]", "v_phi = [70.0, inf]", "cuts.v_phi.1"),
    ("eilers_cross_match", "v_sun = [11.1, 232.24, 7.25]", "v_sun = [nan, 232.24, 7.25]", "frame.v_sun.0"),
    ("eilers2019", "upsilon_disk = 0.5", "upsilon_disk = nan", "cuts.upsilon_disk"),
    ("fox2022", "least_m500 = 2e14", "least_m500 = nan", "cuts.least_m500"),
    ("manga_dynpop", "min_quality = 0", "min_quality = nan", "cuts.min_quality"),
]


@pytest.mark.parametrize(("name", "old", "new", "place"), NOT_FINITE, ids=[row[2] for row in NOT_FINITE])
def test_cuts_and_frames_are_finite(name: str, old: str, new: str, place: str, tmp_path: Path) -> None:
    text = load_recipe(name).text
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=rf"where: .*mine.toml, {place}\n  found: .*\n  expected: a finite number"):
        load_recipe(path)


def test_recipes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no recipe 'sparq'\n.*\n  do: did you mean 'sparc'\?.*ends in .toml"):
        load_recipe("sparq")
    with pytest.raises(SpecError, match=r"there is no recipe here\n  where: .*none.toml"):
        load_recipe(tmp_path / "none.toml")


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(
        GOOD.replace("nobody", "K\N{LATIN SMALL LETTER O WITH DIAERESIS}nig").encode("latin-1")
    )
    with pytest.raises(SpecError, match=r"the recipe is not TOML\n  where: .*mine.toml\n  found: .*0xf6"):
        load_recipe(tmp_path / "mine.toml")


def test_an_installed_package_finds_the_recipes_that_it_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("sigcube.shipped")
    folder = tmp_path / "sigcube"
    (folder / "_shipped" / "ingest").mkdir(parents=True)
    (folder / "_shipped" / "ingest" / "small.toml").write_text(GOOD)
    # What another package left beside ours is not ours.
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "foreign.toml").write_text("")
    monkeypatch.setattr(module, "package_files", lambda name: folder)
    assert recipe_names() == ("small",)
    assert load_recipe("small").title == "a small one"


def test_a_zipped_package_finds_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("sigcube.shipped")
    with zipfile.ZipFile(tmp_path / "wheel.zip", "w") as out:
        out.writestr("sigcube/_shipped/ingest/small.toml", GOOD)
    with zipfile.ZipFile(tmp_path / "wheel.zip") as wheel:
        monkeypatch.setattr(module, "package_files", lambda name: zipfile.Path(wheel, "sigcube/"))
        assert load_recipe("small").title == "a small one"
