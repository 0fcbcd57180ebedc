"""The commands of data: datasets, fetch, ingest, check and show."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sigcube.cli.app import AsJson, CubeFolder, DataFolder, ExitCode, complete, print_json, print_tables, stdout_console
from sigcube.errors import RawFilesMissing, SigcubeError

__all__ = ["check", "datasets", "fetch", "ingest", "show"]

OneDataset = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="A dataset, such as sparc, or a recipe's TOML file.",
        autocompletion=lambda incomplete: complete("ingest", incomplete),
    ),
]
EveryDataset = Annotated[bool, typer.Option("--all", help="Every dataset, one after the other.")]
CubePath = Annotated[Path, typer.Argument(metavar="CUBE", help="A cube, such as cubes/sparc.zarr.")]
ShowOut = Annotated[
    Path | None, typer.Option(metavar="HTML", help="The page; beside the cube by default. With --all, the folder.")
]
CacheFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep downloads here instead of the user's cache folder.")
]


def datasets(cubes: CubeFolder = Path("cubes"), as_json: AsJson = False) -> None:
    """List the datasets: what they hold, whom to cite, where the raw files come from, and whether the cube is here."""
    from sigcube.cli.catalogue import dataset_records
    from sigcube.cli.tables import dataset_tables

    records = dataset_records(cubes)
    if as_json:
        print_json(records)
    else:
        print_tables(dataset_tables(records, width=stdout_console().width))


def fetch(
    name: OneDataset = None, every: EveryDataset = False, data: DataFolder = None, cache: CacheFolder = None
) -> None:
    """Get the raw files of a dataset, or check those of a folder, by their checksums."""
    from sigcube.recipes import check_files, load_recipe
    from sigcube.recipes import fetch as download

    def get(name: str) -> None:
        recipe = load_recipe(name)
        # Scripts read the paths; what is to know about a file goes elsewhere.
        paths = (
            download(recipe, cache=cache)
            if data is None
            else check_files(recipe, data, tell=partial(typer.echo, err=True))
        )
        for path in paths.values():
            typer.echo(path)

    _each(name, every, get)


def ingest(
    name: OneDataset = None,
    every: EveryDataset = False,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="CUBE", help="Where the cube goes; cubes/NAME.zarr by default. With --all, the folder."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a cube that is already there.")] = False,
) -> None:
    """Make the cube of a dataset from its raw files."""
    from sigcube.cli.catalogue import unexpected_counts
    from sigcube.cube import sample_names
    from sigcube.cube.storage import open_lazily
    from sigcube.recipes import ingest as make_cube
    from sigcube.recipes import load_recipe

    def make(name: str) -> None:
        target = (out or Path("cubes")) / f"{name}.zarr" if every else out
        if every and target is not None and target.exists() and not overwrite:
            typer.echo(f"{target}: there already; --overwrite makes it again")
            return
        recipe = load_recipe(name)
        cube = make_cube(recipe, data=data, out=target, overwrite=overwrite)
        made = open_lazily(cube)
        typer.echo(f"{cube}: {made.attrs['title']}; samples {', '.join(sample_names(made))}")
        # Of a dataset in many files, some may be enough: other counts are no fault.
        if note := unexpected_counts(recipe, cube):
            typer.echo(note, err=True)

    _each(name, every, make)


def check(cube: CubePath, as_json: AsJson = False) -> None:
    """Check a cube against its schema and its fingerprint, and say what it holds: flags, samples, ranges."""
    from sigcube.cli.tables import cube_tables
    from sigcube.cube import inspect_cube

    try:
        summary = inspect_cube(cube)
    except SigcubeError as error:
        if as_json:
            fault = {name: getattr(error, name) for name in ("what", "where", "found", "expected")}
            print_json({"cube": str(cube), "valid": False, "error": {**fault, "do": error.hint}})
        raise
    if as_json:
        print_json({"cube": str(cube), "valid": True, **asdict(summary)})
    else:
        print_tables(cube_tables(cube, summary))


def show(
    cube: Annotated[Path | None, typer.Argument(metavar="CUBE", help="A cube, such as cubes/sparc.zarr.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every cube of a folder, with a page over them.")] = False,
    out: ShowOut = None,
    cubes: CubeFolder = Path("cubes"),
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write an HTML page about a cube, what is in it and the plot to see first; it opens without a network."""
    from sigcube.explore import cube_page, folder_pages
    from sigcube.files import beside

    if (cube is None) != every:
        raise typer.BadParameter("give either a cube or --all")
    page, failed = (out or cubes) / "index.html", 0
    if cube is not None:
        page = out or beside(cube, ".html")
        cube_page(cube, page)
    else:
        failed = folder_pages(cubes, page.parent, tell=typer.echo, tell_fault=partial(typer.echo, err=True))
    typer.echo(str(page))
    if open_it:
        typer.launch(str(page.resolve()))
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


def _each(name: str | None, every: bool, do: Callable[[str], None]) -> None:
    """Do something for a dataset, or for all of them; a failure is printed in one line, and the rest go on.

    Datasets whose raw files are missing are skipped, which is no failure.
    """
    from sigcube.recipes import recipe_names
    from sigcube.wording import in_one_line

    if (name is None) != every:
        raise typer.BadParameter("give either the name of a dataset or --all")
    if name is not None:
        do(name)
        return
    failed, names = False, recipe_names()
    for place, each in enumerate(names, 1):
        typer.echo(f"{place}/{len(names)} {each}", err=True)
        try:
            do(each)
        except RawFilesMissing as error:
            typer.echo(f"{each}: skipped: {in_one_line(error)}", err=True)
        except SigcubeError as error:
            failed = True
            typer.echo(f"{each}: failed: {in_one_line(error)}", err=True)
    if failed:
        raise typer.Exit(ExitCode.REFUSED)
