"""The command that opens a result in the browser."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["explore"]


def explore(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A result store, finished or not.")],
    cube: Annotated[
        Path | None, typer.Option(metavar="CUBE", help="The cube it was computed from; found by itself beside RESULT.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Where to listen; 0 for any free port.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open nothing.")] = False,
) -> None:
    """Explore a result in the browser, also while it is computed: maps, curves, questions; until Ctrl-C."""
    import webbrowser

    from sigcube.explore.explorer import Explorer
    from sigcube.explore.explorer.server import serve_explorer

    def ready(address: str) -> None:
        typer.echo(f"explore it: {address}")
        if not no_browser:
            webbrowser.open(address)

    try:
        serve_explorer(Explorer(result, cube), port=port, ready=ready)
    except KeyboardInterrupt as error:
        raise type(error)("the explorer is closed") from None
