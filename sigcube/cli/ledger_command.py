"""The command of the ledger: published numbers, recomputed and judged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigcube.cli.app import (
    AsJson,
    CubeFolder,
    ExitCode,
    RawFiles,
    page_name,
    print_json,
    stderr_console,
    stdout_console,
)

if TYPE_CHECKING:
    from sigcube.claims import Entry

__all__ = ["claims"]


def claims(
    wanted: Annotated[
        str | None, typer.Argument(metavar="ID", help="A claim, or the beginning of several ids, such as sparc.")
    ] = None,
    data: RawFiles = None,
    cubes: CubeFolder = Path("cubes"),
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each reading, what it rests on and how to compute it again.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=page_name, help="Write a page instead of printing a table.")
    ] = None,
    as_json: AsJson = False,
    paper: Annotated[str | None, typer.Option(metavar="NAME", help="Claims of one paper, such as cmsi.")] = None,
    verdict: Annotated[
        str | None, typer.Option(metavar="V", help="Claims with a verdict, such as differs or convention.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(metavar="TOML", help="Your own rows, instead of those of sigcube, to which they may link."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes; all cores by default.")] = None,
) -> None:
    """Recompute published numbers, and say of each whether it comes out; a verdict is a finding, not a failure."""
    from dask.system import CPU_COUNT  # heeds the limits of a container or a batch job

    from sigcube.claims import evaluate_claims, load_claims
    from sigcube.claims.counting import verdict_of
    from sigcube.claims.ledger_text import choose_claims, find_verdict
    from sigcube.files import refuse_unwritable

    if html is not None:
        # What takes minutes shall not end in a path that cannot be.
        refuse_unwritable(html, what="the page")
    wanted_verdict = None if verdict is None else find_verdict(verdict)
    every = load_claims(file or ())
    chosen = choose_claims(every, wanted=wanted, paper=paper)
    try:
        with _progress() as on_progress:
            entries = evaluate_claims(
                chosen,
                cubes=cubes,
                data=data,
                workers=workers or min(CPU_COUNT, len(chosen)),
                # Rows of one's own may link to those that come with sigcube.
                among=(*load_claims(), *every) if file else every,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        stderr_console().print("interrupted; the cubes that were made are kept, the values are not")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    shown = [entry for entry in entries if wanted_verdict in (None, verdict_of(entry))]
    _show(shown, explain=explain, html=html, as_json=as_json)
    # These are defects of sigcube or of a row, not findings.
    failures = [failure for entry in entries for failure in entry.failures]
    for failure in failures:
        typer.echo(f"evaluation failed: {failure}", err=True)
    if failures:
        raise typer.Exit(ExitCode.REFUSED)


def _show(entries: "list[Entry]", *, explain: bool, html: Path | None, as_json: bool) -> None:
    from sigcube.claims import ledger_text

    if html is not None:
        from sigcube.explore.ledger_page import claims_page

        claims_page(entries, html)
    if as_json:
        print_json([ledger_text.entry_record(entry) for entry in entries])
    elif explain:
        for entry in entries:
            typer.echo(ledger_text.explain(entry))
    elif html is None:
        stdout_console().print(ledger_text.claim_table(entries))
    if not as_json:
        if not explain:
            stdout_console().print(ledger_text.basis_table(entries))
        typer.echo(ledger_text.count_lines(entries))
    if html is not None:
        typer.echo(str(html), err=as_json)


@contextmanager
def _progress() -> "Iterator[Callable[[int, int, str], None] | None]":
    """Yield a function that shows how many computations are done; None where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = stderr_console()
    if not console.is_terminal:
        yield None
        return
    with Progress(
        TextColumn("computing"), BarColumn(bar_width=None), MofNCompleteColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("claims", total=None)
        yield lambda done, total, _quantity: bar.update(task, completed=done, total=total)
