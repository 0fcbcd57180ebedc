"""Bad recipes, and tables of a user's own that are not what their recipe says."""

from collections.abc import Callable

from sigcube.recipes import fetch, ingest, load_recipe
from tests.bad_inputs.cases import Case, Room

__all__ = ["CSV", "RECIPE", "RECIPES"]

RECIPE = """name = "mine"
title = "Mine"
kind = "galaxy"
reader = "table"
citation = "me"
licence = "none"

[cuts]
min_points = 3
upsilon_disk = 0.5
upsilon_bulge = 0.7

[files.table]
name = "mine.csv"
columns = [
    { label = "g", variable = "galaxy" },
    { label = "r", variable = "r", unit = "kpc" },
    { label = "v", variable = "v_obs", unit = "km/s" },
    { label = "e", variable = "e_v_obs", unit = "km/s" },
    { label = "d", variable = "v_disk", unit = "km/s" },
    { constant = 0.0, variable = "v_gas", unit = "km/s" },
    { constant = 0.0, variable = "v_bul", unit = "km/s" },
    { constant = 2.0, variable = "r_disk", unit = "kpc" },
]

[samples.good]
description = "all that is measured well"
system_flags_excluded = ["too_few_points"]
"""
CSV = "g,r,v,e,d\n" + "".join(f"A,{i},100,5,80\n" for i in range(1, 9))
FILE = 'name = "mine.csv"'
COLUMNS = RECIPE[RECIPE.index("columns = ") : RECIPE.index("[samples.good]")]

# What stands in the recipe instead of what.
TEXTS: list[tuple[str, str, str, str]] = [
    ("a name that is a path", '"mine"', '"../mine"', "pattern"),
    ("no name", '"mine"', '""', "pattern"),
    ("an endless name", '"mine"', f'"{"m" * 300}"', "at most 100 characters"),
    ("a title that clears the screen", '"Mine"', '"\\u001b[2J"', "where: "),
    ("no title", '"Mine"', '""', "pattern"),
    ("a title that is a date", '"Mine"', "2024-01-01", "expected: a text"),
    ("a key twice", 'title = "Mine"', 'title = "Mine"\ntitle = "Yours"', "is not TOML"),
    ("a key of the library's own", 'title = "Mine"', 'title = "Mine"\ntext = "x"', "unknown key 'text'"),
    ("a misspelt key", "citation", "citatoin", "did you mean 'citation'"),
    ("a kind that there is not", '"galaxy"\nreader', '"galaxi"\nreader', "did you mean 'galaxy'"),
    ("a reader that there is not", '"table"', '"tabel"', "there is no 'tabel'"),
    ("a reader that is a number", '"table"', "3", "expected: a text"),
    ("a reader of another kind", '"table"', '"stars"', "makes cubes of kind 'star', not 'galaxy'"),
    ("yes for a truth value", 'title = "Mine"', 'title = "Mine"\nsynthetic = "yes"', "expected: true or false"),
    ("one for a truth value", 'title = "Mine"', 'title = "Mine"\nsynthetic = 1', "expected: true or false"),
    ("no file", "[files.table]", "[fils.table]", "did you mean 'files'"),
    ("a file of a role that there is not", "[files.table]", "[files.tabel]", "the reader has no use for it"),
    ("a role with a NUL", "[files.table]", '[files."\\u0000"]', "the reader has no use for it"),
    *(
        (f"a file called {reason}", FILE, f'name = "{name}"', "files.table.name")
        for reason, name in [
            ("as the folder", "."),
            ("as the folder above", ".."),
            ("by a path", "../mine.csv"),
            ("with a backslash", "a\\\\b.csv"),
            ("with a NUL", "a\\u0000"),
            ("with a line feed", "a\\nb"),
            ("without a name", ""),
            ("without an end", "a" * 300),
        ]
    ),
    ("a file that is not there", FILE, 'name = "yours.csv"', "yours.csv is missing"),
    ("a file whose name is a pattern", FILE, 'name = "*.csv"', "*.csv is missing"),
    ("parts that lead away", FILE, 'name = "yours.csv"\nparts = "../*"', "files.table.parts"),
    ("parts that are no pattern", FILE, 'name = "yours.csv"\nparts = "["', "yours.csv or [ is missing"),
    *(
        (f"the address {url[:40]!r}", FILE, f'{FILE}\nurl = "{url}"', "files.table.url")
        for url in ("file:///etc/passwd", "javascript:alert(1)", "data:text/csv,a", "gopher://a/b", "mine.csv", "//a/b")
    ),
    ("an address without a checksum", FILE, f'{FILE}\nurl = "https://a/b"', "sha256 is missing"),
    *(
        (f"a checksum {reason}", FILE, f'{FILE}\nsha256 = "{text}"', "files.table.sha256")
        for reason, text in [
            ("too short", "ab"),
            ("too long", "a" * 65),
            ("in capitals", "A" * 64),
            ("of other letters", "g" * 64),
            ("that is a path", "../" * 21 + "a"),
        ]
    ),
    ("a checksum of another file", FILE, f'{FILE}\nsha256 = "{"0" * 64}"', "wrong checksum"),
    ("a size of nothing", FILE, f"{FILE}\nsize = 0", "greater than 0"),
    ("a size that is true", FILE, f"{FILE}\nsize = true", "expected: a number"),
    ("a size that is a text", FILE, f'{FILE}\nsize = "114"', "expected: a number"),
    ("a format that there is not", FILE, f'{FILE}\nformat = "xls"', "files.table.format"),
    ("an extension that is true", FILE, f"{FILE}\nextension = true", "expected: a number"),
    ("a query without an address", FILE, f'{FILE}\nquery = "select 1"', "a query needs the url of a service"),
    ("no columns", COLUMNS, "columns = []\n", "no column for 'galaxy'"),
    ("columns that are a number", COLUMNS, "columns = 5\n", "files.table.columns"),
    ("a variable that there is not", 'variable = "r",', 'variable = "rr",', "there is no 'rr'"),
    ("a variable twice", 'variable = "v_obs"', 'variable = "r"', "there are 2 columns for 'r'"),
    ("a column that is not there", 'label = "d"', 'label = "disc"', "column 'disc' is missing"),
    ("a column without a label", 'label = "d"', 'label = ""', "either a label or a constant"),
    ("a column with both", "constant = 2.0", 'constant = 2.0, label = "r"', "either a label or a constant"),
    ("a unit that there is not", 'unit = "kpc"', 'unit = "kpx"', "the unit cannot be converted"),
    ("a unit of something else", 'unit = "kpc"', 'unit = "km/s"', "the unit cannot be converted"),
    ("a unit to the billionth", 'unit = "kpc"', 'unit = "kpc**999999999"', "the unit cannot be converted"),
    ("a unit without an end", 'unit = "kpc"', f'unit = "{"m " * 10**5}"', "at most 200 characters"),
    ("a unit of nothing", 'unit = "kpc"', 'unit = "0 kpc"', "the unit cannot be converted"),
    ("a unit beyond all floats", 'unit = "kpc"', 'unit = "1e400 kpc"', "too large for the unit"),
    ("a range from above to below", 'unit = "kpc"', 'unit = "kpc", range = [5, 1]', "from the smaller to the larger"),
    ("a range from nan", 'unit = "kpc"', 'unit = "kpc", range = [nan, 1]', "expected: a finite number"),
    ("a range of one", 'unit = "kpc"', 'unit = "kpc", range = [1]', "files.table.columns.1.range"),
    ("a range of texts", 'unit = "kpc"', 'unit = "kpc", range = ["0", "9"]', "expected a number"),
    ("nan for what is missing", 'unit = "kpc"', 'unit = "kpc", missing = nan', "expected: a finite number"),
    ("a text for what is missing", 'unit = "kpc"', 'unit = "kpc", missing = "-1"', "expected: a number"),
    ("a constant nan", "constant = 2.0", "constant = nan", "expected: a finite number"),
    ("a constant truth", "constant = 2.0", "constant = true", "expected: a number"),
    ("a constant that is a text", "constant = 2.0", 'constant = "2"', "the column holds something else"),
    ("a negative threshold", "min_points = 3", "min_points = -3", "cuts.min_points"),
    ("a threshold that is true", "min_points = 3", "min_points = true", "expected: a number"),
    ("a threshold that is nan", "upsilon_disk = 0.5", "upsilon_disk = nan", "expected: a finite number"),
    ("a threshold that is a text", "upsilon_disk = 0.5", 'upsilon_disk = "0.5"', "expected: a number"),
    ("a threshold that there is not", "min_points", "min_point", "did you mean 'min_points'"),
    ("a sample named all", "[samples.good]", "[samples.all]", "sample 'all' is there already"),
    ("a sample without a name", "[samples.good]", '[samples.""]', "samples"),
    ("a sample with a NUL", "[samples.good]", '[samples."\\u0000"]', "samples"),
    ("a sample with an endless name", "[samples.good]", f"[samples.{'a' * 10**5}]", "at most 200 characters"),
    ("a sample by a flag that there is not", "too_few_points", "too_few", "there is no 'too_few'"),
    (
        "contents of nothing",
        "[samples.good]",
        "[contents]\nsystems = 0\npoints = 1\n[samples.good]",
        "contents.systems",
    ),
    ("a frame that nobody asks for", "[samples.good]", "[frame]\nx = 1\n[samples.good]", "has no use for it"),
    ("lists ten thousand deep", "min_points = 3", f"min_points = {'[' * 10_000}", "nested too deep"),
    ("a hundred thousand names joined", "min_points = 3", f"a{'.a' * 10**5} = 1", "nested too deep"),
    ("three million letters", 'licence = "none"', f'licence = "{"x" * 3_000_000}"', "is too long"),
]
# Whole files in place of a recipe.
WHOLE: list[tuple[str, str | bytes, str]] = [
    ("an empty file", "", "the recipe is wrong: 7 faults"),
    ("a CSV file", CSV, "is not TOML"),
    ("a file in UTF-16", RECIPE.encode("utf-16"), "is not TOML"),
    ("a file of zeros", bytes(1000), "is not TOML"),
    ("a list of tables", "[[name]]\n", "key 'title' is missing"),
]
# The table, under a recipe that is right.
TABLES: list[tuple[str, str | bytes, str]] = [
    ("nothing", "", "there is no header"),
    ("no rows", "g,r,v,e,d\n", "there are no rows"),
    ("an end in the middle", CSV[:-1], "the last line has no end"),
    ("cells apart by semicolons", CSV.replace(",", ";"), "column 'g' is missing"),
    ("UTF-16", CSV.encode("utf-16"), "this is not UTF-8 text"),
    ("Latin letters", CSV.replace("A", "Ä").encode("latin-1"), "this is not UTF-8 text"),
    ("half a letter", CSV.replace("A", "\ud800").encode("utf-8", "surrogatepass"), "this is not UTF-8 text"),
    ("a galaxy without a name", CSV.replace("A,1", ",1"), "the galaxy has no name"),
    ("a galaxy with an endless name", CSV.replace("A", "A" * 20_000), "the text is too long"),
    ("a word for a number", CSV.replace("A,1,100", "A,1,fast"), "not a number"),
    ("a number in hexadecimal", CSV.replace("A,1,100", "A,1,0x64"), "not a number"),
    ("a number as Python writes it", CSV.replace("A,1,100", "A,1,1_00"), "not a number"),
    ("digits of another script", CSV.replace("A,1,100", "A,1,١٠٠"), "not a number"),
    ("a decimal comma", CSV.replace("A,1,100", "A,1,100,5"), "wrong number of cells"),
    ("infinity", CSV.replace("A,1,100", "A,1,inf"), "not a finite number"),
    ("a number beyond all floats", CSV.replace("A,1,100", "A,1,1e400"), "not a finite number"),
    ("no velocity", CSV.replace("A,1,100", "A,1,"), "v_obs is missing"),
    ("a negative error", CSV.replace("100,5", "100,-5"), "out of range"),
    ("a radius twice", CSV.replace("A,2,", "A,1,"), "A has two rows at one radius"),
    ("a quotation mark too many", CSV.replace("A,1", '"A,1'), "the table cannot be read"),
    ("old line ends", CSV.replace("\n", "\r"), "the table cannot be read"),
]


def loaded(text: str | bytes) -> Callable[[Room], object]:
    def act(room: Room) -> object:
        room.write(CSV, "mine.csv")
        return ingest(load_recipe(room.write(text)), data=room.folder, out=room.folder / "out.zarr")

    return act


def read(content: str | bytes) -> Callable[[Room], object]:
    def act(room: Room) -> object:
        room.write(content, "mine.csv")
        return ingest(load_recipe(room.write(RECIPE)), data=room.folder, out=room.folder / "out.zarr")

    return act


def replaced(old: str, new: str) -> str:
    assert old in RECIPE, old
    return RECIPE.replace(old, new, 1)


RECIPES: tuple[Case, ...] = (
    *(Case(f"recipe: {reason}", said, loaded(replaced(old, new))) for reason, old, new, said in TEXTS),
    *(Case(f"{reason} for a recipe", said, loaded(text)) for reason, text, said in WHOLE),
    *(Case(f"table: {reason}", said, read(content)) for reason, content, said in TABLES),
    Case("a recipe that there is not", "did you mean 'sparc'", lambda room: load_recipe("spark")),
    Case("no file of a recipe", "there is no recipe here", lambda room: load_recipe(room.folder / "absent.toml")),
    Case("a folder for a recipe", "there is no recipe here", lambda room: load_recipe(room.make("a.toml"))),
    Case(
        "nothing beside a recipe to fetch",
        "has no address to fetch it from",
        lambda room: fetch(load_recipe(room.write(RECIPE)), cache=room.folder / "cache", progress=False),
    ),
)
