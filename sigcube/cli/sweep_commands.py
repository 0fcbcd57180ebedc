"""The verbs of sweeps: kernels, plan, sweep, status, rerun and map; and the demo."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sigcube.cli.app import AsJson, ExitCode, Scheduler, Workers, make_folder, stderr_console, stdout_console

if TYPE_CHECKING:
    from sigcube.store import StoreStatus

__all__ = ["demo", "kernels", "map_", "plan", "rerun", "status", "sweep"]

SpecPath = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The sweep's TOML file, or the name of one that comes with sigcube.")
]
ResultPath = Annotated[Path, typer.Argument(metavar="RESULT", help="A result store.")]


def kernels(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One kernel; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models: their parameters, units, defaults, bounds and sources, and the labels of each choice."""
    from sigcube.cli.tables import kernel_records, kernel_tables

    if as_json:
        typer.echo(json.dumps(kernel_records(name), indent=2, ensure_ascii=False))
        return
    for table in kernel_tables(name):
        stdout_console().print(table)


def plan(spec: SpecPath, as_json: AsJson = False) -> None:
    """Show what a sweep would compute and write, and what that costs; nothing is written."""
    from sigcube.plan.plan import plan_record
    from sigcube.sweep import Sweep

    decided = Sweep.from_toml(spec).plan()
    typer.echo(json.dumps(plan_record(decided), indent=2) if as_json else repr(decided))


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
    from sigcube.cli.progress import sweep_progress
    from sigcube.cli.tables import best_table
    from sigcube.store import status as read_status
    from sigcube.sweep import Sweep

    target = out or Path("cubes/results") / f"{spec.stem}.zarr"
    prepared = Sweep.from_toml(spec)
    decided = prepared.plan(probe=False)
    make_folder(target.parent)
    with sweep_progress(stderr_console(), data_points=decided.n_points) as on_event:
        result = prepared.run(
            target,
            scheduler=scheduler,
            workers=workers,
            fail_fast=fail_fast,
            retry_failed=retry_failed,
            on_event=on_event,
        )
    stdout_console().print(best_table(result))
    _say_where(target)
    _exit_on_failures(read_status(target), target)


def status(
    result: ResultPath,
    as_json: AsJson = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every two seconds until no run holds the store.")
    ] = False,
) -> None:
    """Say how far a sweep is; also while it runs, from another shell."""
    from sigcube.cli.progress import describe_status, status_record
    from sigcube.store import status as read_status

    while True:
        state = read_status(result)
        typer.echo(json.dumps(status_record(state)) if as_json else f"{result}\n{describe_status(state)}")
        if not watch or state.holder is None:
            return
        time.sleep(2.0)


def rerun(
    result: ResultPath,
    out: Annotated[
        Path | None, typer.Option(metavar="RESULT", help="Where the second result goes; beside the first by default.")
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Make a result again from what it holds, and compare every block bit for bit."""
    from sigcube.cli.progress import sweep_progress
    from sigcube.rerun import rerun as make_again
    from sigcube.sweep import Sweep

    points = Sweep.from_result(result).plan(probe=False).n_points
    with sweep_progress(stderr_console(), data_points=points) as on_event:
        report = make_again(result, out, scheduler=scheduler, workers=workers, on_event=on_event)
    typer.echo(f"{report.path}: {report.compared} blocks compared, {len(report.differing)} differ")
    if not report.identical:
        typer.echo(f"blocks that differ: {', '.join(map(str, report.differing[:20]))}", err=True)
        raise typer.Exit(ExitCode.DIFFERENT)


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


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the survey, the result and the page go.")] = Path(
        "demo"
    ),
    workers: Workers = None,
) -> None:
    """Sweep a mock survey whose true model is known, print a table, and write an HTML map."""
    from sigcube.cli.demo import run_demo

    run_demo(out, workers=workers, stdout=stdout_console(), stderr=stderr_console())


def _say_where(target: Path) -> None:
    typer.echo(f"result: {target}")
    typer.echo(f'open it: python -c "import sigcube; print(sigcube.open_result({str(target)!r}))"')


def _exit_on_failures(state: "StoreStatus", target: Path) -> None:
    if state.failed or state.killed:
        typer.echo(
            f"{state.failed} blocks failed, {state.killed} killed their worker: sigcube status {target}", err=True
        )
        raise typer.Exit(ExitCode.SOME_FAILED)
