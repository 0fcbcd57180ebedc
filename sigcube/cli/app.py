"""The application: what its verbs share."""

import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sigcube import __version__
from sigcube.errors import SigcubeError, StoreError, StoreInUse

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "AsJson",
    "CubeFolder",
    "DataFolder",
    "ExitCode",
    "Scheduler",
    "Workers",
    "make_app",
    "make_folder",
    "stderr_console",
    "stdout_console",
]


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
            stderr_console().print(f"[bold red]error[/] {_escaped(error)}", highlight=False, soft_wrap=True)
            raise typer.Exit(ExitCode.IN_USE if isinstance(error, StoreInUse) else ExitCode.REFUSED) from None
        except KeyboardInterrupt:
            stderr_console().print("interrupted; what was finished is kept, and the same command goes on from there")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler, tcp://…; otherwise a local cluster is started."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes of the local cluster; all cores by default.")
]
CubeFolder = Annotated[Path, typer.Option(metavar="DIR", help="Where the cubes are.")]
DataFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Take the raw files from this folder instead of the network.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sigcube {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold the options that stand before a verb."""


def make_app(verbs: Mapping[str, Callable[..., None]]) -> typer.Typer:
    """Make the application of these verbs, which its help lists in their order."""
    app = typer.Typer(
        cls=_Verbs,
        help="Gravity models over labelled cubes: raw files in, result cubes out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    for name, verb in verbs.items():
        app.command(name)(verb)
    return app


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("this folder cannot be made", where=str(path), found=error.strerror) from None


def stdout_console() -> "Console":
    """Give the console of results: wide and plain when it is no terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200)


def stderr_console() -> "Console":
    """Give the console of progress and errors."""
    from rich.console import Console

    return Console(file=sys.stderr)


def _escaped(error: SigcubeError) -> str:
    from rich.markup import escape

    return escape(str(error))
