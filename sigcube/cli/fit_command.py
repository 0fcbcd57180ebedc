"""The verb of fits."""

from pathlib import Path
from typing import Annotated

import typer

from sigcube.cli.app import ExitCode, stderr_console, stdout_console

__all__ = ["fit"]


def fit(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="The fit's TOML file, or the name of one that comes with sigcube.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="RESULT", help="Where the result goes; cubes/results/<name of SPEC>.zarr by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a fit that is already there.")] = False,
) -> None:
    """Fit models to each system, or to a sample as one: a grid, then every minimum of it polished within the bounds."""
    from sigcube.cli.progress import fit_progress
    from sigcube.cli.tables import fit_notes, fit_tables
    from sigcube.fits import Fit

    target = out or Path("cubes/results") / f"{spec.stem}.zarr"
    try:
        prepared = Fit.from_toml(spec)
        with fit_progress(stderr_console()) as on_progress:
            result = prepared.run(target, overwrite=overwrite, on_progress=on_progress)
    except KeyboardInterrupt:
        typer.echo("interrupted; a fit is written when it is done, so nothing was", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    console = stdout_console()
    for table in fit_tables(result):
        console.print(table)
    for note in fit_notes(result):
        typer.echo(note)
    typer.echo(f"result: {target}")
    typer.echo(f'open it: python -c "import sigcube; print(sigcube.open_result({str(target)!r}))"')
