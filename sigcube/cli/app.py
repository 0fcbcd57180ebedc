"""What the commands share: the application, exit codes, common options, and how results and errors are printed."""

import io
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sigcube import __version__
from sigcube.errors import SigcubeError, SpecError, StoreInUse
from sigcube.shipped import shipped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "AsJson",
    "CubeFolder",
    "DataFolder",
    "ErrorFloor",
    "ExitCode",
    "PageFile",
    "RawFiles",
    "ResultPath",
    "Scheduler",
    "Set",
    "Where",
    "Workers",
    "complete",
    "fits_in",
    "make_app",
    "page_name",
    "print_json",
    "print_result",
    "print_tables",
    "read_pairs",
    "read_settings",
    "stderr_console",
    "stdout_console",
]


class ExitCode(IntEnum):
    """Exit codes, which scripts can rely on."""

    REFUSED = 1
    USAGE = 2
    SOME_FAILED = 3
    IN_USE = 4
    DIFFERENT = 5
    INTERRUPTED = 130
    TERMINATED = 143


class _Terminated(KeyboardInterrupt):
    """The process was asked to end, as batch systems do before they kill."""


def _terminate(*_: object) -> None:
    raise _Terminated


# Commands that find what an earlier call of theirs has finished.
_RESUMED = frozenset({"fetch", "rerun", "sweep"})
# Columns where nobody says how many there are.
_WIDTH = 200
_CODES = {StoreInUse: ExitCode.IN_USE, SpecError: ExitCode.USAGE, SigcubeError: ExitCode.REFUSED}


class _Commands(TyperGroup):
    """Turns errors of sigcube and of the system into a message and an exit code; others are defects, traced back."""

    def invoke(self, ctx: Any) -> Any:
        # Where nobody else has a say in it: commands may be called within another program.
        own = threading.current_thread() is threading.main_thread()
        own = own and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if own:
            signal.signal(signal.SIGTERM, _terminate)
            if isinstance(sys.stdout, io.TextIOWrapper):
                # A path may hold bytes that are no text, which the stream of errors escapes by itself.
                sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (SigcubeError, OSError, MemoryError) as error:
            from rich.text import Text

            known = error if isinstance(error, SigcubeError) else _refusal_of_the_system(error)
            stderr_console().print(Text.assemble(("error", "bold red"), f" {known}"), soft_wrap=True)
            raise typer.Exit(next(code for kind, code in _CODES.items() if isinstance(known, kind))) from None
        except (KeyboardInterrupt, RuntimeError) as error:
            # Up to Python 3.11, a class statement wraps what interrupts it, and commands import what they need.
            interrupt = error if isinstance(error, KeyboardInterrupt) else error.__cause__
            if not isinstance(interrupt, KeyboardInterrupt):
                raise
            resumed = ctx.invoked_subcommand in _RESUMED
            goes_on = "what was finished is kept, and the same command goes on from there"
            what = goes_on if resumed else "nothing half-written is left"
            stderr_console().print(str(interrupt) or f"interrupted; {what}")
            terminated = isinstance(interrupt, _Terminated)
            raise typer.Exit(ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED) from None
        finally:
            if own:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _refusal_of_the_system(error: OSError | MemoryError) -> SigcubeError:
    if isinstance(error, MemoryError):
        return SigcubeError("there is not enough memory", found=str(error) or None, hint="ask for less at a time")
    where = None if error.filename is None else str(error.filename)
    return SigcubeError("the system does not allow it", where=where, found=error.strerror or str(error))


ResultPath = Annotated[Path, typer.Argument(metavar="RESULT", help="A result store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def page_name(given: Path | None) -> Path | None:
    """Take the path of a page, and refuse that of another file before minutes are computed for it."""
    from sigcube.files import refuse_no_page

    if given is not None:
        refuse_no_page(given)
    return given


PageFile = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", callback=page_name, help="Write a page about it as well.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler, tcp://…; otherwise a local cluster is started."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Processes of the local cluster, 0 for none; by default none for what is small, else all cores.",
    ),
]
CubeFolder = Annotated[Path, typer.Option(metavar="DIR", help="Where the cubes are.")]
DataFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Take the raw files from this folder instead of the network.")
]
RawFiles = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Raw files, for cubes that are not there yet; nothing is downloaded.")
]
Where = Annotated[
    str | None,
    typer.Option(metavar="CONDITION", help="Keep of the sample what meets it, such as 'inclination > 40 and r > 2'."),
]
ErrorFloor = Annotated[
    str | None,
    typer.Option(metavar="E", help="The least error of what is observed, in its unit, or a part of it: '5 %'."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Hold a parameter or a choice fixed, whatever SPEC says of it."),
]


def read_pairs(given: Iterable[str] | None, *, form: str, option: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each option of a form such as ``AXIS=VALUE``; none may be given twice."""
    names: set[str] = set()
    for each in given or ():
        name, equals, text = (part.strip() for part in each.partition("="))
        if not (name and equals and text):
            raise typer.BadParameter(f"{each!r} is not of the form {form}", param_hint=option)
        if name in names:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
        names.add(name)
        yield name, text


def read_settings(given: Iterable[str] | None) -> dict[str, float | str]:
    """Return what options ``--set NAME=VALUE`` say: numbers, and labels.

    Examples
    --------
    >>> read_settings(["A=1.2", "window=none"])
    {'A': 1.2, 'window': 'none'}
    """
    found: dict[str, float | str] = {}
    for name, value in read_pairs(given, form="NAME=VALUE", option="--set"):
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value
    return found


def complete(folder: str, incomplete: str) -> list[str]:
    """Complete the name of a recipe or a spec that comes with sigcube, or the path of a file of the user's."""
    begun = Path(incomplete)
    parent = begun if incomplete.endswith("/") else begun.parent
    there = sorted(parent.iterdir()) if parent.is_dir() else []
    files = (f"{path}/" if path.is_dir() else str(path) for path in there if path.is_dir() or path.suffix == ".toml")
    return [name for name in (*shipped(folder), *files) if name.startswith(incomplete)]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sigcube {__version__}")
        raise typer.Exit


_FIRST_STEPS = """\
sigcube ingest landmarks      makes a first cube; `sigcube datasets` lists more
sigcube sweep si4_landmarks   sweeps it, by a spec that comes with sigcube
sigcube --help                lists every command; `sigcube demo` shows the rest
"""


def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command; without one, say what to do first."""
    if context.invoked_subcommand is None:
        typer.echo(_FIRST_STEPS, nl=False)


def make_app(commands: Iterable[Callable[..., None]]) -> typer.Typer:
    """Make the application of these commands, named after their functions; its help lists them in this order."""
    app = typer.Typer(
        cls=_Commands,
        help="Gravity models over labelled cubes: raw files in, result cubes out.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_main)
    for command in commands:
        # A name that Python has taken ends in an underscore.
        app.command(command.__name__.rstrip("_"))(command)
    return app


def stdout_console() -> "Console":
    """Return the console of results: wide and without colours when it is not a terminal; ``COLUMNS`` goes before."""
    from rich.console import Console

    # A stream that was closed before is None, for which rich would take another one.
    file = sys.stdout or io.StringIO()
    return Console(file=file, width=None if file.isatty() or os.environ.get("COLUMNS", "").isdigit() else _WIDTH)


def stderr_console() -> "Console":
    """Return the console of progress and errors."""
    from rich.console import Console

    return Console(file=sys.stderr or io.StringIO())


def print_tables(tables: "Iterable[Table | Text]") -> None:
    """Print tables, or texts in their place, to the output stream."""
    from rich.text import Text

    console = stdout_console()
    for each in tables:
        if isinstance(each, Text):
            console.print(each, soft_wrap=True)
            continue
        # Within its table a title would be broken at the width of that, which may be a few letters.
        title, each.title = each.title, None
        if title:
            console.print(title)
        console.print(each if fits_in(each, console.width) else _as_records(each))


def fits_in(made: "Table", width: int) -> bool:
    """Tell whether a table fits without a number or a word in two lines, and give its columns the width for that."""
    from rich.cells import cell_len

    least, most = [], []
    for column in made.columns:
        cells = [str(cell) for cell in (column.header, *column.cells)]
        most.append(max(cell_len(line) for cell in cells for line in cell.split("\n")))
        words = (word for cell in cells for word in cell.split())
        least.append(most[-1] if column.no_wrap else max(map(cell_len, words), default=0))
    room = width - 2 * len(made.columns)
    if sum(least) > room:
        return False
    # The widest columns give way first.
    cap = max(most, default=0)
    while sum(widths := [max(low, min(high, cap)) for low, high in zip(least, most, strict=True)]) > room:
        cap -= 1
    for column, own in zip(made.columns, widths, strict=True):
        column.width = own
    return True


def _as_records(wide: "Table") -> "Table":
    """Return a table that is wider than the terminal with a line for each cell, row after row."""
    from rich.table import Table

    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for number, row in enumerate(zip(*(column.cells for column in wide.columns), strict=True)):
        if number:
            made.add_row()
        for column, cell in zip(wide.columns, row, strict=True):
            made.add_row(column.header, cell)
    return made


def print_json(value: Any) -> None:
    """Print JSON to the output stream."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_result(path: Path, *, joint: bool = False) -> None:
    """Say where a result is, and how to open it."""
    typer.echo(f"result: {path}")
    how = "open_joint" if joint else "open_result"
    typer.echo(f"open it: python -c {_quoted(f'import sigcube; print(sigcube.{how}({str(path)!r}))')}")


def _quoted(code: str) -> str:
    """Quote code for a shell, with double quotes where nothing in them has a meaning."""
    return shlex.quote(code) if set('"$`\\!') & set(code) else f'"{code}"'
