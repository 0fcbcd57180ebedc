"""The commands of models and results: kernels, plan, sweep, status, rerun, verify, map and fit; and the demo."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sigcube.cli.app import (
    AsJson,
    ErrorFloor,
    ExitCode,
    ResultPath,
    Scheduler,
    Set,
    Where,
    Workers,
    complete,
    print_json,
    print_result,
    print_tables,
    read_settings,
    stderr_console,
)
from sigcube.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr

    from sigcube.driver import Event

__all__ = ["demo", "fit", "kernels", "map_", "metrics", "plan", "rerun", "status", "sweep", "verify"]

SpecPath = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC",
        help="A TOML file, or the name of one that comes with sigcube.",
        autocompletion=lambda incomplete: complete("sweeps", incomplete),
    ),
]
Own = Annotated[
    list[str] | None,
    typer.Option("--own", metavar="MODULE:NAME", help="A kernel or a metric of your own that the sweep has."),
]
ResultOut = Annotated[
    Path | None,
    typer.Option(metavar="RESULT", help="Where the result goes; cubes/results/<name of SPEC>.zarr by default."),
]


def kernels(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One kernel; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models: their parameters, units, defaults, bounds and sources, and the labels of each choice."""
    from sigcube.cli.catalogue import kernel_records
    from sigcube.cli.tables import kernel_tables

    if as_json:
        print_json(kernel_records(name))
    else:
        print_tables(kernel_tables(name))


def metrics(as_json: AsJson = False) -> None:
    """List the metrics: what each is, its unit, and which value a perfect model has."""
    from sigcube.cli.catalogue import metric_records
    from sigcube.cli.tables import metric_table

    records = metric_records()
    if as_json:
        print_json(records)
    else:
        print_tables([metric_table(records)])


def plan(
    spec: SpecPath,
    settings: Set = None,
    where: Where = None,
    error_floor: ErrorFloor = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sweep would compute and write, and what that costs; nothing is written."""
    from sigcube.plan.plan import plan_record
    from sigcube.sweep import JointSweep, sweep_from_toml

    prepared = sweep_from_toml(spec, fixed=read_settings(settings), where=where, error_floor=error_floor)
    if not isinstance(prepared, JointSweep):
        planned = prepared.plan()
        if as_json:
            print_json(plan_record(planned))
        else:
            typer.echo(repr(planned))
        return
    plans = prepared.plans()
    if as_json:
        print_json({name: plan_record(planned) for name, planned in plans.items()})
        return
    for name, planned in plans.items():
        typer.echo(f"{name}: {planned!r}")


def sweep(
    spec: SpecPath,
    out: ResultOut = None,
    settings: Set = None,
    where: Where = None,
    error_floor: ErrorFloor = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first block that fails.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry the blocks that failed before.")] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Add what the result lacks: SPEC has the same axes, with more values.")
    ] = False,
) -> None:
    """Run a sweep, or what is left of it. After an interrupt or a crash the same command resumes it."""
    from contextlib import ExitStack

    from sigcube.analysis.lacking import systems_without_value
    from sigcube.cli.tables import best_table
    from sigcube.driver.progress import joint_progress, sweep_progress
    from sigcube.store import status as read_status
    from sigcube.store.joint import results_in
    from sigcube.store.result import open_result
    from sigcube.sweep import JointSweep, sweep_from_toml
    from sigcube.wording import count, listed, plural

    target = out or _default_target(spec)
    prepared = sweep_from_toml(spec, fixed=read_settings(settings), where=where, error_floor=error_floor)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("this folder cannot be made", where=str(target.parent), found=error.strerror) from None
    options: dict[str, Any] = {
        "scheduler": scheduler,
        "workers": workers,
        "fail_fast": fail_fast,
        "retry_failed": retry_failed,
    }
    kinds: set[str] = set()
    with ExitStack() as stack:
        if isinstance(prepared, JointSweep):
            points = {name: each.plan(probe=False).n_points for name, each in prepared.leaves.items()}
            shown = stack.enter_context(joint_progress(stderr_console(), points))
            on_event = _noting(kinds, shown)
            prepared.run(target, extend=extend, on_leaf=shown.begin, on_event=on_event, **options)
        else:
            own = prepared.plan(probe=False).n_points
            on_event = _noting(kinds, stack.enter_context(sweep_progress(stderr_console(), data_points=own)))
            (prepared.extend if extend else prepared.run)(target, on_event=on_event, **options)
    states = {name: read_status(path) for name, path in results_in(target).items()}
    failed = any(state.failed or state.killed for state in states.values())
    if "started" not in kinds:
        whole = f"the result has every {'value' if extend else 'block'} of the spec"
        rest = "what failed is tried again with --retry-failed"
        typer.echo(f"nothing to compute: {rest if failed else whole}", err=True)
    for name, path in results_in(target).items():
        opened = open_result(path)
        print_tables([best_table(opened, of=name)])
        state = states[name]
        if state.invalid:
            there = f"{count(state.invalid)} of {count(state.points)} grid points"
            typer.echo(f"not every metric is finite at {there}, which are 'invalid'{_all_with(opened)}", err=True)
            if "lacking" in opened.attrs:
                typer.echo(str(opened.attrs["lacking"]), err=True)
            elif without := systems_without_value(opened):
                has = "has" if len(without) == 1 else "have"
                typer.echo(f"at the first of them, {listed(without)} {has} no value", err=True)
        if state.failed or state.killed:
            said = f"{plural(state.failed, 'block')} failed, {state.killed} killed their worker: sigcube status {path}"
            typer.echo(said, err=True)
    print_result(target, joint=isinstance(prepared, JointSweep))
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _all_with(result: "xr.Dataset") -> str:
    """Say what the grid points without a finite value have in common, if anything."""
    from sigcube.analysis.labelled import shared_values
    from sigcube.cli.answers import answer_cell
    from sigcube.plan.values import PointStatus

    shared = shared_values(result, PointStatus.INVALID)
    told = ", ".join(f"{name} = {answer_cell(name, value)}" for name, value in shared.items())
    return f"; all with {told}" if told else ""


def _noting(kinds: set[str], show: "Callable[[Event], None]") -> "Callable[[Event], None]":
    """Return what shows an event and keeps its kind."""

    def tell(event: "Event") -> None:
        kinds.add(event.kind)
        show(event)

    return tell


def _default_target(spec: Path) -> Path:
    return Path("cubes/results") / f"{spec.stem}.zarr"


def status(
    result: ResultPath,
    as_json: AsJson = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every two seconds until no run holds the store.")
    ] = False,
) -> None:
    """Say how far a sweep is; also while it runs, from another shell."""
    from sigcube.cli.catalogue import status_record
    from sigcube.cli.tables import describe_status
    from sigcube.store import status as read_status
    from sigcube.store.joint import results_in

    stores = results_in(result)
    while True:
        # Of a joint result, a dataset whose sweep has not begun is not there yet.
        states = {name: read_status(path) if not name or path.exists() else None for name, path in stores.items()}
        if as_json:
            records = {name: None if state is None else status_record(state) for name, state in states.items()}
            typer.echo(json.dumps(records.get("", records)))
        for name, state in states.items() if not as_json else ():
            text = (
                "  state     not begun; the same sweep command begins it" if state is None else describe_status(state)
            )
            typer.echo(f"{stores[name]}\n{text}")
        if not watch or not any(state and state.holder for state in states.values()):
            return
        time.sleep(2.0)


def rerun(
    result: ResultPath,
    out: Annotated[
        Path | None, typer.Option(metavar="RESULT", help="Where the second result goes; beside the first by default.")
    ] = None,
    own: Own = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Make a result again from what it holds, and compare every block bit for bit."""
    from sigcube.driver.progress import sweep_progress
    from sigcube.files import beside
    from sigcube.plan.own_code import own_records
    from sigcube.rerun import rerun as make_again
    from sigcube.store.joint import results_in
    from sigcube.sweep import Sweep
    from sigcube.wording import count, plural

    records = own_records(own or ())
    differing, incomplete = False, False
    for name, path in results_in(result).items():
        second = (out or beside(result, "-rerun.zarr")) / name if name else out
        if second is not None:
            second.parent.mkdir(parents=True, exist_ok=True)
        data_points = Sweep.from_result(path, **records).plan(probe=False).n_points
        with sweep_progress(stderr_console(), data_points=data_points) as on_event:
            report = make_again(path, second, **records, scheduler=scheduler, workers=workers, on_event=on_event)
        of = "" if report.complete else f"{count(report.compared)} of "
        compared = f"{of}{plural(report.blocks, 'block')} compared, {len(report.differing)} differ"
        typer.echo(f"{report.path}: {compared}")
        if not report.complete:
            incomplete = True
            said = f"the others failed, or are still to do: sigcube status {path}, and of {report.path}"
            typer.echo(said, err=True)
        if not report.identical:
            differing = True
            typer.echo(f"blocks that differ: {', '.join(map(str, report.differing[:20]))}", err=True)
    if differing or incomplete:
        raise typer.Exit(ExitCode.DIFFERENT if differing else ExitCode.SOME_FAILED)


def verify(
    result: ResultPath,
    sample: Annotated[int, typer.Option(min=0, metavar="N", help="Compute N random blocks again, bit for bit.")] = 0,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is damaged; the same sweep command then makes it again.")
    ] = False,
    own: Own = None,
) -> None:
    """Read a result again, and compare it with the digests of what was written."""
    from sigcube.driver.progress import count_progress
    from sigcube.plan.own_code import own_records
    from sigcube.store.joint import results_in
    from sigcube.verification import verify as verify_result

    records = own_records(own or ())
    sound = True
    for name, path in results_in(result).items():
        if name and not path.exists():
            typer.echo(f"{path}: not begun")
            continue
        with count_progress(stderr_console()) as tell:
            report = verify_result(
                path,
                sample=sample,
                repair=repair,
                own_kernels=records["own_kernels"],
                own_metrics=records["own_metrics"],
                on_block=lambda done, total: tell("blocks", done, total),
            )
        typer.echo(repr(report))
        sound = sound and report.sound
    if not sound:
        raise typer.Exit(ExitCode.DIFFERENT)


def map_(
    result: Annotated[Path, typer.Argument(metavar="STORE", help="A result of a sweep or of a fit, or a cube.")],
    x: Annotated[str | None, typer.Option(help="The horizontal axis; the page names those there are.")] = None,
    y: Annotated[str | None, typer.Option(help="The vertical axis.")] = None,
    value: Annotated[str | None, typer.Option(help="The summary shown first, rms_mean by default.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Where the page goes; beside the store by default.")
    ] = None,
) -> None:
    """Write an HTML page about a result, with a map over two axes, lines or tables; it opens without a network."""
    from sigcube.explore import store_page
    from sigcube.files import beside

    typer.echo(str(store_page(result, out or beside(result, ".html"), x=x, y=y, value=value)))


def fit(
    spec: SpecPath,
    out: ResultOut = None,
    settings: Set = None,
    where: Where = None,
    error_floor: ErrorFloor = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a fit that is already there.")] = False,
) -> None:
    """Fit models to each system, or to a sample as one: on a grid, then from each of its minima down to a true one."""
    from sigcube.cli.tables import fit_notes, fit_tables
    from sigcube.driver.progress import count_progress
    from sigcube.fits import Fit

    target = out or _default_target(spec)
    try:
        prepared = Fit.from_toml(spec, fixed=read_settings(settings), where=where, error_floor=error_floor)
        with count_progress(stderr_console()) as on_progress:
            result = prepared.run(target, overwrite=overwrite, on_progress=on_progress)
    except KeyboardInterrupt:
        typer.echo("interrupted; a fit is written when it is done, so nothing was", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    print_tables(fit_tables(result))
    for note in fit_notes(result):
        typer.echo(note)
    print_result(target)


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the survey, the result and the page go.")] = Path(
        "demo"
    ),
    workers: Workers = None,
) -> None:
    """Sweep a mock survey whose true model is known, print a table, and write an HTML map."""
    from sigcube.cli.demo import run_demo

    run_demo(out, workers=workers)
