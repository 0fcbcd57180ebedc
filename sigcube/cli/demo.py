"""The demonstration: a synthetic survey whose true model is known, swept and shown; and real systems, compared."""

import shutil
import time
from pathlib import Path

import typer
import xarray as xr
from rich.table import Table

from sigcube.analysis.best import best_points
from sigcube.cli.app import print_tables, stderr_console
from sigcube.cli.tables import best_table, table
from sigcube.cube import open_cube, save_cube
from sigcube.driver.progress import sweep_progress
from sigcube.explore import Mark, cube_page, result_page
from sigcube.explore.galaxy_plots import comparison_cards
from sigcube.kernels import KERNELS
from sigcube.plan.grid import linspace
from sigcube.readers.mock import demo_survey, demo_truth
from sigcube.recipes import ingest, load_recipe
from sigcube.store.lock import Lock
from sigcube.sweep import Sweep
from sigcube.wording import count, duration, number

__all__ = ["run_demo"]

N_GALAXIES = 300

# The catalogue of the mock lists the true scale length of its discs.
FIXED = {"scale_length": "catalogue", "k": 0.5}
WINDOWS = ["geometric", "power", "local", "none"]


def run_demo(out: Path, *, workers: int | None) -> None:
    """Make the survey, sweep it, print a table and write ``map.html``; then compare models of real systems.

    All of it goes into the folder ``out``, where an earlier demonstration is replaced.
    """
    began = time.perf_counter()
    survey = demo_survey(n_galaxies=N_GALAXIES)
    cube = save_cube(survey, out / "survey.zarr", overwrite=True)
    sweep = Sweep(
        cube,
        title=f"Which model made these {N_GALAXIES} synthetic galaxies?",
        sample="unflagged",
        kernel="sigma",
        fixed=FIXED,
        axes={"window": WINDOWS, "xi_scale": linspace(0.005, 0.6, 120), "A": linspace(0.705, 1.7, 200)},
        metrics=["rms", "chi2_red", "scatter_g"],
        reference={"kernel": "mond", "nu": "rar"},
    )
    plan = sweep.plan()
    typer.echo(f"{count(N_GALAXIES)} synthetic galaxies; true model: {_truth_in_words()}\n{plan!r}\n")
    target = out / "result.zarr"
    if (target / "journal").is_dir():
        # Only a result is removed, and none that another process writes: its lock cannot be taken.
        Lock(target / "journal").release()
        shutil.rmtree(target)
    with sweep_progress(stderr_console(), data_points=plan.n_points) as on_event:
        result = sweep.run(target, workers=workers, on_event=on_event)
    print_tables([best_table(result)])
    page = _write_page(result, survey, out / "map.html")
    landmarks = ingest(load_recipe("landmarks"), out=out / "landmarks.zarr", overwrite=True)
    print_tables([_landmark_table(open_cube(landmarks))])
    cube_page(landmarks, out / "landmarks.html")
    typer.echo(f"map        {page}\nlandmarks  {out / 'landmarks.html'}\nresult     {target}")
    typer.echo(f"done in {duration(time.perf_counter() - began)}")


def _landmark_table(cube: xr.Dataset) -> Table:
    """Compare the models with every landmark that has a measurement."""
    ratios = {
        name: Sweep(cube, sample="observed", kernel=name, metrics=["ratio"], keep=["landmark"]).compute().ratio
        for name in ("newton", "mond", "sigma")
    }
    rows = []
    for name in ratios["sigma"].landmark.values:
        here = cube.sel(landmark=name)
        observed = f"{number(float(here.observed))} {here.unit.item()}".rstrip()
        rows.append((name, observed, *(f"{float(ratio.sel(landmark=name)):.3g}" for ratio in ratios.values())))
    head = ("landmark", ">observed", *(f">{kernel}" for kernel in ratios))
    return table("Real systems: prediction over observation", head, rows)


def _truth_in_words() -> str:
    truth = demo_truth()
    return f"Σ-Gravity with the {truth['window']} window, ξ/R_d = {truth['xi_scale']:.3f}, A = {truth['A']:.3f}"


def _write_page(result: xr.Dataset, survey: xr.Dataset, path: Path) -> Path:
    best = next(point for point in best_points(result) if point["window"] == "geometric")
    sigma, mond = KERNELS["sigma"], KERNELS["mond"]
    settings = {"window": "geometric", "scale_length": FIXED["scale_length"]}
    models = {
        "Newton": KERNELS["newton"].predict(survey),
        "MOND": mond.predict(survey),
        "Σ-Gravity, best fit": sigma.predict(survey, **settings, A=best["A"], xi_scale=best["xi_scale"]),
    }
    return result_page(
        result,
        path,
        x="xi_scale",
        y="A",
        mark=Mark("true model", demo_truth()),
        title=f"Which model made these {N_GALAXIES} galaxies?",
        subtitle=(
            f"Synthetic rotation curves: exponential discs, gas and bulges under {_truth_in_words()}, plus noise. "
            f"A sweep of {count(result['status'].size)} models, none of which knows the answer, finds it again."
        ),
        cards=comparison_cards(survey, models, against="MOND", best="Σ-Gravity, best fit"),
    )
