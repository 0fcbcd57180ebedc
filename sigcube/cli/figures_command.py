"""The command that remakes the papers' figures for print."""

from pathlib import Path
from typing import Annotated

import typer

from sigcube.cli.app import CubeFolder, ExitCode, RawFiles, print_tables

__all__ = ["figures"]


def figures(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Figures, such as windows; all by default.")
    ] = None,
    data: RawFiles = None,
    cubes: CubeFolder = Path("cubes"),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the figures go.")] = Path("figures"),
    form: Annotated[
        str, typer.Option("--format", metavar="F,…", help="Of pdf, svg and png, separated by commas.")
    ] = "pdf,svg",
    list_them: Annotated[bool, typer.Option("--list", help="List the figures, and draw none.")] = False,
) -> None:
    """Remake the papers' figures from cubes, for print, with captions that say what differs."""
    from sigcube.explore.figures import FIGURES, write_figures

    if list_them:
        from sigcube.cli.tables import table

        rows = [(each.name, each.title, each.beside, ", ".join(each.needs) or "none") for each in FIGURES.values()]
        print_tables([table("", ("name", "title", "beside", "datasets"), rows)])
        return
    formats = [each.strip() for each in form.split(",") if each.strip()]
    written = write_figures(
        names or None, out=out, cubes=cubes, data=data, formats=formats, tell=lambda line: typer.echo(line, err=True)
    )
    for path in written.files:
        typer.echo(str(path))
    # What is asked for by name should be there; of all figures, those are drawn for which there are data.
    if names and written.skipped:
        raise typer.Exit(ExitCode.REFUSED)
