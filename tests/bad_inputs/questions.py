"""Questions to a result that cannot be: what is no result, of what nothing is left, and arguments of another sort."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from sigcube import Errors, Fit, JointSweep, Sweep, analysis, linspace, lognormal, open_result, uniform
from sigcube.cube import save_cube
from sigcube.readers.mock import mock_survey
from sigcube.recipes import ingest
from tests.bad_inputs.cases import Case, Room
from tests.bad_inputs.cases import sweep as kept_sweep

__all__ = ["QUESTIONS"]

OWN = {"upsilon_disk": lognormal(0.5, 0.1)}
FIRST = "SYN00001"
LARGEST = 10**400


@cache
def cube() -> xr.Dataset:
    return mock_survey(n_galaxies=4, seed=3, points=(6, 9))


@cache
def result() -> xr.Dataset:
    axes = {"a0": linspace(0.8e-10, 1.6e-10, 5), "upsilon_disk": linspace(0.25, 0.8, 7)}
    metrics = ["loglike", "bias"]
    return Sweep(cube(), sample="unflagged", kernel="mond", axes=axes, metrics=metrics, keep=["galaxy"]).compute()


def residuals() -> xr.DataArray:
    return result()["bias"].isel(a0=0, upsilon_disk=0)


def sweep(**how: Any) -> Sweep:
    return Sweep(how.pop("cube", cube()), sample="unflagged", kernel="mond", **how)


def with_spec(text: str) -> xr.Dataset:
    return result().assign_attrs(spec=text)


def field(value: float, **attrs: Any) -> xr.Dataset:
    """A cube whose galaxies lie in a field."""
    return cube().assign(g_environment=("galaxy", np.full(4, value), attrs))


ASKED: dict[str, Callable[[Any], object]] = {
    "posterior": analysis.posterior,
    "marginalise": lambda given: analysis.marginalise(given, OWN),
    "leave_one_out": analysis.leave_one_out,
    "compare": lambda given: analysis.compare({"a": given, "b": result()}),
    "predict": lambda given: analysis.predict(given, cube(), systems=[FIRST]),
    "to_arviz": analysis.to_arviz,
    "best": analysis.best,
}
# What is asked, by what it is; and what is said.
NO_RESULT: list[tuple[str, Callable[[], Any], str]] = [
    ("None", lambda: None, "asked of the result of a sweep"),
    ("a path", lambda: "cubes/results/mond.zarr", "asked of the result of a sweep"),
    ("a list", lambda: [1], "asked of the result of a sweep"),
    ("a cube", cube, "found: a galaxy cube"),
    ("a result without galaxies", lambda: result().isel(galaxy=slice(0)), "nothing is left of the result"),
    ("a result without a value of an axis", lambda: result().isel(a0=slice(0)), "nothing is left of the result"),
]
# What is no cube, where one is needed.
NO_CUBE: list[tuple[str, Any, str]] = [
    ("None", None, "this is no cube"),
    ("a path", "cubes/sparc.zarr", "this is no cube"),
    ("an array", xr.DataArray([1.0]), "this is no cube"),
    ("an empty dataset", xr.Dataset(), "not a sigcube cube"),
]
NEED_A_CUBE: dict[str, Callable[[Any], object]] = {
    "predict": lambda given: analysis.predict(result(), given, systems=[FIRST]),
    "trends": lambda given: analysis.trends(residuals(), given),
    "published_halos": lambda given: analysis.published_halos(given, given, model="NFW-LCDM"),
}
ARGUMENTS: list[tuple[str, str, Callable[[], object]]] = [
    ("a metric that is a number", "asked for by its name", lambda: analysis.posterior(result(), by=3)),
    ("a metric that is a list", "asked for by its name", lambda: analysis.leave_one_out(result(), by=["loglike"])),
    ("a metric in capitals", "did you mean 'loglike'?", lambda: analysis.posterior(result(), by="LOGLIKE")),
    ("pairs that are a number", "no pairs of axes", lambda: analysis.posterior(result(), pairs=3)),
    ("pairs that are a text", "no pairs of axes", lambda: analysis.posterior(result(), pairs="a0")),
    ("a pair that is a number", "two axes along two dimensions", lambda: analysis.posterior(result(), pairs=[3])),
    ("a pair of one", "two of a0, upsilon_disk", lambda: analysis.posterior(result(), pairs=[("a0", "a0")])),
    ("priors of models that are a number", "these are no priors", lambda: compare(prior=5)),
    ("priors of models that are a text", "these are no priors", lambda: compare(prior="uniform(0, 1)")),
    ("a prior with an endless number", "the low of a prior is a number", lambda: uniform(LARGEST, 1)),
    ("models in a list", "by the names of their models", lambda: analysis.compare([result(), result()])),
    ("models that are None", "by the names of their models", lambda: analysis.compare(None)),
    ("classes in a list", "classes are given for each galaxy", lambda: leave_out([1, 2, 3, 4])),
    ("classes that are a name", "such as cube.hubble_type", lambda: leave_out("hubble_type")),
    ("systems that are one text", "expected: ['SYN00001']", lambda: predict(systems=FIRST)),
    ("no systems", "systems are a list of names", lambda: predict(systems=[])),
    ("systems that are None", "systems are a list of names", lambda: predict(systems=None)),
    ("systems that are numbers", "systems are a list of names", lambda: predict(systems=[1])),
    ("a result whose spec is cut off", "spec cannot be read", lambda: predict(with_spec("{"), systems=[FIRST])),
    ("a result whose spec is empty", "spec cannot be read", lambda: predict(with_spec("{}"), systems=[FIRST])),
    ("a cube without errors", "has no 'e_v_obs'", lambda: predict(cube=cube().drop_vars("e_v_obs"), systems=[FIRST])),
    ("no draws", "no number of draws", lambda: analysis.to_arviz(result(), n_draws=0)),
    ("half a draw", "no number of draws", lambda: analysis.to_arviz(result(), n_draws=2.5)),
    ("10^12 draws", "no number of draws", lambda: analysis.to_arviz(result(), n_draws=10**12)),
    ("a seed below none", "this is no seed", lambda: analysis.holdout(result(), by="bias", folds=2, seed=-1)),
    ("a seed that is a text", "this is no seed", lambda: analysis.bootstrap(result(), "bias_mean", n=9, seed="a")),
    ("values that are NumPy's own", "found: ndarray", lambda: analysis.trends(residuals().values, cube())),
    ("values that are texts", "of <U", lambda: analysis.trends(residuals().astype(str), cube())),
    ("properties that are one text", "expected: ['distance']", lambda: trends("distance")),
    ("properties that are a number", "properties are a list of names", lambda: trends(5)),
    ("a scatter of endless digits", "this is no scatter", lambda: Errors(scatter=LARGEST)),
    ("a scatter beyond its bounds", "this is no scatter", lambda: Errors(scatter=1e308)),
    ("a field in another unit", "found: 'km/s'", lambda: in_field(field(1e-12, units="km/s"))),
    ("a field in multiples of a₀", "wrong units", lambda: in_field(field(0.01, units="1.2e-10 m/s2"))),
    ("a field below none", "expected: at least 0", lambda: in_field(field(-1e-12, units="m/s2"))),
    ("a field without an end", "infinite", lambda: in_field(field(np.inf, units="m/s2"))),
    ("errors below none", "'e_v_obs'", lambda: sweep(cube=cube().assign(e_v_obs=-cube().e_v_obs), metrics=["chi2"])),
    ("joint data that are a list", "data", lambda: JointSweep(kernel="sigma", data=[1])),
    ("a cube without a place", "the path of a cube", lambda: save_cube(cube(), None)),  # type: ignore[arg-type]
    ("models of a fit in a list", "given by their names", lambda: Fit(cube(), models=[{"kernel": "mond"}])),  # type: ignore[arg-type]
    ("a model of a fit that is a text", "is not a table", lambda: Fit(cube(), models={"a": "mond"})),  # type: ignore[dict-item]
    ("a dataset that there is none of", "did you mean 'sparc'", lambda: ingest("sparx")),
    ("raw files that are a number", "the path of raw files", lambda: ingest("sparc", data=3)),  # type: ignore[arg-type]
    ("workers that are a text", "no number of workers", lambda: run(workers="4")),
    ("half a worker", "no number of workers", lambda: run(workers=1.5)),
    ("a worker that is true", "no number of workers", lambda: run(workers=True)),
    ("a scheduler that is a port", "named by its address", lambda: run(scheduler=8786)),
]


def run(**how: Any) -> object:
    return sweep(axes={"a0": [1e-10]}).run("nowhere/result.zarr", **how)


def compare(**how: Any) -> object:
    return analysis.compare({"a": result(), "b": result()}, **how)


def leave_out(groups: Any) -> object:
    return analysis.leave_one_out(result(), groups=groups)


def predict(given: xr.Dataset | None = None, *, systems: Any, **how: Any) -> object:
    return analysis.predict(result() if given is None else given, how.get("cube", cube()), systems=systems)


def trends(properties: Any) -> object:
    return analysis.trends(residuals(), cube(), properties=properties)


def in_field(given: xr.Dataset) -> object:
    return sweep(cube=given, fixed={"external_field": "catalogue"})


def broken_chunk(room: Room) -> object:
    """Values of a result are read when it is asked."""
    store = room.copy("result.zarr")
    kept_sweep(keep=["galaxy"]).run(store, workers=0)
    chunks = [path for path in (store / "rms_mean").iterdir() if path.name != "zarr.json"]
    assert chunks
    for chunk in chunks:
        chunk.write_bytes(b"no chunk")
    return analysis.best(open_result(store))


QUESTIONS: tuple[Case, ...] = (
    *(
        Case(f"{name} asked {what}", said, lambda _, ask=ask, make=make: ask(make()))
        for name, ask in ASKED.items()
        for what, make, said in NO_RESULT
    ),
    *(
        Case(f"{name} given {what} as its cube", said, lambda _, ask=ask, given=given: ask(given))
        for name, ask in NEED_A_CUBE.items()
        for what, given, said in NO_CUBE
    ),
    *(Case(f"asked with {reason}", said, lambda _, act=act: act()) for reason, said, act in ARGUMENTS),
    Case("asked a result with a broken chunk", "`sigcube verify` tells what is damaged", broken_chunk),
)
