"""The command line: one thin command a verb.

Exit codes: 0 done; 1 refused or failed, with the reason on the error stream; 2 wrong usage; 3 done, but for blocks that
failed and are recorded; 4 another process writes the store; 5 made again, and not the same; 130 interrupted.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sigcube import __version__
from sigcube.errors import SigcubeError, StoreError, StoreInUse

if TYPE_CHECKING:
    from rich.console import Console

    from sigcube.store import StoreStatus

__all__ = ["ExitCode", "app"]


class ExitCode(IntEnum):
    """What a script can rely on."""

    REFUSED = 1
    USAGE = 2
    SOME_FAILED = 3
    IN_USE = 4
    DIFFERENT = 5
    INTERRUPTED = 130


class _Verbs(TyperGroup):
    """Turns sigcube's own errors into their message and a code; anything else is a defect and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SigcubeError as error:
            _stderr().print(f"[bold red]error[/] {_escaped(error)}", highlight=False, soft_wrap=True)
            raise typer.Exit(ExitCode.IN_USE if isinstance(error, StoreInUse) else ExitCode.REFUSED) from None
        except KeyboardInterrupt:
            _stderr().print("interrupted; what was finished is kept, and the same command goes on from there")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


app = typer.Typer(
    cls=_Verbs,
    help="Gravity models over labelled cubes: raw files in, result cubes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SpecPath = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The sweep's TOML file, or the name of one that comes with sigcube.")
]
ResultPath = Annotated[Path, typer.Argument(metavar="RESULT", help="A result store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler, tcp://…; otherwise a local cluster is started."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes of the local cluster; all cores by default.")
]
OneDataset = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A dataset, such as sparc, or a recipe's TOML file.")
]
EveryDataset = Annotated[bool, typer.Option("--all", help="Every dataset, one after the other.")]
CubePath = Annotated[Path, typer.Argument(metavar="CUBE", help="A cube, such as cubes/sparc.zarr.")]
ShowOut = Annotated[
    Path | None, typer.Option(metavar="HTML", help="The page; beside the cube by default. With --all, the folder.")
]
CubeFolder = Annotated[Path, typer.Option(metavar="DIR", help="Where the cubes are.")]
DataFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Take the raw files from this folder instead of the network.")
]
CacheFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep downloads here instead of the user's cache folder.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sigcube {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold the options that stand before a verb."""


@app.command()
def datasets(cubes: CubeFolder = Path("cubes"), as_json: AsJson = False) -> None:
    """List the datasets: what they hold, whom to cite, where the raw files come from, and whether the cube is here."""
    from sigcube.catalogue import dataset_records, dataset_tables

    records = dataset_records(cubes)
    if as_json:
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    console = _stdout()
    for table in dataset_tables(records, width=console.width):
        console.print(table)


@app.command()
def fetch(
    name: OneDataset = None, every: EveryDataset = False, data: DataFolder = None, cache: CacheFolder = None
) -> None:
    """Get the raw files of a dataset, or check those of a folder, by their checksums."""
    from sigcube.recipes import check_files, load_recipe
    from sigcube.recipes import fetch as download

    def get(name: str) -> None:
        recipe = load_recipe(name)
        paths = download(recipe, cache=cache) if data is None else check_files(recipe, data)
        for path in paths.values():
            typer.echo(path)

    _each(name, every, get)


@app.command()
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
    from sigcube.catalogue import unexpected_counts
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
        # A slice of the raw files that is not there is no fault of those that are.
        if note := unexpected_counts(recipe, cube):
            typer.echo(note, err=True)

    _each(name, every, make)


@app.command()
def check(cube: CubePath, as_json: AsJson = False) -> None:
    """Check a cube against its schema and its fingerprint, and say what it holds: flags, samples, ranges."""
    from sigcube.catalogue import cube_record, cube_tables, fault_record
    from sigcube.cube import inspect_cube

    try:
        summary = inspect_cube(cube)
    except SigcubeError as error:
        if as_json:
            typer.echo(json.dumps(fault_record(cube, error), indent=2, ensure_ascii=False))
        raise
    if as_json:
        typer.echo(json.dumps(cube_record(cube, summary), indent=2, ensure_ascii=False))
        return
    for table in cube_tables(cube, summary):
        _stdout().print(table)


@app.command()
def show(
    cube: Annotated[Path | None, typer.Argument(metavar="CUBE", help="A cube, such as cubes/sparc.zarr.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every cube of a folder, with a page over them.")] = False,
    out: ShowOut = None,
    cubes: CubeFolder = Path("cubes"),
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write an HTML page about a cube, what is in it and the plot to see first; it opens without a network."""
    from sigcube.explore import cube_page, folder_pages

    if (cube is None) != every:
        raise typer.BadParameter("give either a cube or --all")
    page, failed = (out or cubes) / "index.html", 0
    if cube is not None:
        page = out or cube.with_suffix(".html")
        cube_page(cube, page)
    else:
        failed = folder_pages(cubes, page.parent, tell=typer.echo, tell_fault=partial(typer.echo, err=True))
    typer.echo(str(page))
    if open_it:
        typer.launch(str(page.resolve()))
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def kernels(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One kernel; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models: their parameters, units, defaults, bounds and sources, and the labels of each choice."""
    from sigcube.tables import kernel_records, kernel_tables

    if as_json:
        typer.echo(json.dumps(kernel_records(name), indent=2, ensure_ascii=False))
        return
    for table in kernel_tables(name):
        _stdout().print(table)


@app.command()
def plan(spec: SpecPath, as_json: AsJson = False) -> None:
    """Show what a sweep would compute and write, and what that costs; nothing is written."""
    from sigcube.report import plan_record
    from sigcube.sweep import Sweep

    decided = Sweep.from_toml(spec).plan()
    typer.echo(json.dumps(plan_record(decided), indent=2) if as_json else repr(decided))


@app.command()
def sweep(
    spec: SpecPath,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RESULT", help="Where the result goes; cubes/results/<name of SPEC>.zarr by default."),
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first block that fails.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try blocks again that failed before.")] = False,
) -> None:
    """Run a sweep, or what is left of it. Killed at any moment, the same command goes on from there."""
    from sigcube.progress import sweep_progress
    from sigcube.store import status as read_status
    from sigcube.sweep import Sweep
    from sigcube.tables import best_table

    target = out or Path("cubes/results") / f"{spec.stem}.zarr"
    prepared = Sweep.from_toml(spec)
    decided = prepared.plan(probe=False)
    _make_folder(target.parent)
    with sweep_progress(_stderr(), data_points=decided.n_points) as on_event:
        result = prepared.run(
            target,
            scheduler=scheduler,
            workers=workers,
            fail_fast=fail_fast,
            retry_failed=retry_failed,
            on_event=on_event,
        )
    _stdout().print(best_table(result))
    _say_where(target)
    _exit_on_failures(read_status(target), target)


@app.command()
def status(
    result: ResultPath,
    as_json: AsJson = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every two seconds until no run holds the store.")
    ] = False,
) -> None:
    """Say how far a sweep is; also while it runs, from another shell."""
    from sigcube.report import describe_status
    from sigcube.store import status as read_status

    while True:
        state = read_status(result)
        typer.echo(json.dumps(asdict(state)) if as_json else f"{result}\n{describe_status(state)}")
        if not watch or state.holder is None:
            return
        time.sleep(2.0)


@app.command()
def rerun(
    result: ResultPath,
    out: Annotated[
        Path | None, typer.Option(metavar="RESULT", help="Where the second result goes; beside the first by default.")
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Make a result again from what it holds, and compare every block bit for bit."""
    from sigcube.progress import sweep_progress
    from sigcube.rerun import rerun as make_again
    from sigcube.sweep import Sweep

    points = Sweep.from_result(result).plan(probe=False).n_points
    with sweep_progress(_stderr(), data_points=points) as on_event:
        report = make_again(result, out, scheduler=scheduler, workers=workers, on_event=on_event)
    typer.echo(f"{report.path}: {report.compared} blocks compared, {len(report.differing)} differ")
    if not report.identical:
        typer.echo(f"blocks that differ: {', '.join(map(str, report.differing[:20]))}", err=True)
        raise typer.Exit(ExitCode.DIFFERENT)


@app.command("map")
def map_(
    result: ResultPath,
    x: Annotated[str, typer.Option(help="The axis to the right.")],
    y: Annotated[str, typer.Option(help="The axis upwards.")],
    value: Annotated[str, typer.Option(help="The summary in colours.")] = "rms_mean",
    out: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Where the page goes; beside the result by default.")
    ] = None,
) -> None:
    """Write an HTML page with a map of a result, which opens without a network."""
    from sigcube.explore import map_page
    from sigcube.sweep import open_result

    opened = open_result(result)
    target = out or result.with_suffix(".html")
    map_page(opened, target, x=x, y=y, value=value)
    typer.echo(str(target))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the survey, the result and the page go.")] = Path(
        "demo"
    ),
    workers: Workers = None,
) -> None:
    """Sweep a mock survey whose true model is known, print a table, and write an HTML map."""
    from sigcube.demo import run_demo

    run_demo(out, workers=workers, stdout=_stdout(), stderr=_stderr())


def _each(name: str | None, every: bool, do: Callable[[str], None]) -> None:
    """Do something for a dataset, or for every one; of those that cannot be had, one line tells why."""
    from sigcube.catalogue import each_dataset

    if (name is None) != every:
        raise typer.BadParameter("give either the name of a dataset or --all")
    if name is not None:
        do(name)
    elif each_dataset(do, tell=partial(typer.echo, err=True)):
        raise typer.Exit(ExitCode.REFUSED)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("this folder cannot be made", where=str(path), found=error.strerror) from None


def _say_where(target: Path) -> None:
    typer.echo(f"result: {target}")
    typer.echo(f'open it: python -c "import sigcube; print(sigcube.open_result({str(target)!r}))"')


def _exit_on_failures(state: "StoreStatus", target: Path) -> None:
    if state.failed or state.killed:
        typer.echo(
            f"{state.failed} blocks failed, {state.killed} killed their worker: sigcube status {target}", err=True
        )
        raise typer.Exit(ExitCode.SOME_FAILED)


def _stdout() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(file=sys.stderr)


def _escaped(error: SigcubeError) -> str:
    from rich.markup import escape

    return escape(str(error))
