"""The commands that ask a result: best, profile, sensitivity, ablation, curve, holdout, tradeoff and trends."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sigcube.cli.answers import Rows, answer_cell, print_answer, rows_of, say_any
from sigcube.cli.app import AsJson, PageFile, ResultPath, read_pairs, stderr_console

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ablation", "best", "curve", "holdout", "profile", "sensitivity", "tradeoff", "trends"]

BySummary = Annotated[
    str | None, typer.Option("--by", metavar="SUMMARY", help="The summary that is asked about; rms_mean by default.")
]
BySystems = Annotated[
    str, typer.Option("--by", metavar="METRIC", help="A metric that is kept for each system, or win_rate.")
]
Over = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="An axis or a role that it is asked over: arbitrary, physical, nuisance."),
]
At = Annotated[list[str] | None, typer.Option(metavar="AXIS=VALUE", help="Where an axis is held.")]
Profiled = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="An axis or a role over which the best is taken; nuisances by default."),
]
Threshold = Annotated[
    float | None, typer.Option(metavar="VALUE", help="Which share of the specifications is better than this?")
]
Seed = Annotated[int, typer.Option(help="Of the random numbers: the same seed, the same answer.")]

# A component that a table leaves out.
_LITTLE = 0.001


def best(
    result: ResultPath,
    by: BySummary = None,
    per: Annotated[str | None, typer.Option(metavar="DIM", help="The best point of each system: galaxy.")] = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="SHARE",
            help="How much worse the points of the box may be: 0.01 of the best value, or of ln L a difference of 2.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the best point: where it is, how good, whether at a bound, and the box of points that are nearly as good."""
    from sigcube import analysis
    from sigcube.store.result import open_result
    from sigcube.wording import heading

    opened = open_result(result)
    found = analysis.best(opened, by=by, per=per, within=within)
    names, words = list(map(str, found["axis"].values)), found["at_bound"].attrs["flag_meanings"].split()
    # Of a logarithm it is a difference, else a share.
    near = f"{found.within:g}" if opened[found.by].attrs.get("scale") == "logarithm" else f"{100 * found.within:g} %"
    about = {"by": found.by, "within": found.within if as_json else f"{near} of the best {found.by}", **_caution(found)}
    rows = []
    if per is not None:
        for i, system in enumerate(found[per].values):
            here = found.isel({per: i})
            row = {per: system, found.by: here[found.by].item()}
            for name, flag in zip(names, here["at_bound"].values, strict=True):
                value, lies = here[name].item(), words[flag]
                cell = "any" if lies == "any" else answer_cell(name, value) + f", {lies}" * (lies in ("lower", "upper"))
                row |= {name: value, f"{name}_lies": lies} if as_json else {name: cell}
            rows.append(row)
        print_answer(about, as_json, of=[opened], systems=(f"Best {found.by} of each {per}", rows))
        return
    for name, flag in zip(names, found["at_bound"].values, strict=True):
        box = {end: f"{name}_{end}" for end in ("low", "high", "within")}
        ends = {end: found[each].item() if each in found else None for end, each in box.items()}
        axis = name if as_json else heading(name, opened)
        rows.append({"axis": axis, "best": found[name].item(), "lies": words[flag], **ends})
    names = [str(name) for name in found.data_vars if name in opened and name != "at_bound"]
    there = [{"summary": n if as_json else heading(n, opened), "value": found[n].item()} for n in names]
    print_answer(about, as_json, axes=(f"Best {found.by}", rows), summaries=("Every summary at this point", there))


def _caution(found: "xr.Dataset") -> dict[str, str]:
    """Return the caution of an answer, if it has one."""
    return {"caution": found.attrs["caution"]} if "caution" in found.attrs else {}


def profile(
    result: ResultPath,
    axis: Annotated[str, typer.Argument(metavar="AXIS", help="The axis that remains.")],
    by: BySummary = None,
    as_json: AsJson = False,
) -> None:
    """Take the best value over all other axes, along one, and say where it lies."""
    from sigcube import analysis
    from sigcube.analysis.best import summary_of
    from sigcube.analysis.lacking import caution_of_unfinished
    from sigcube.store.result import open_result

    opened = open_result(result)
    array = summary_of(opened, by)
    found, name = analysis.profile(array, axis), str(array.name)
    columns = [each for each in dict.fromkeys([axis, name, *_axes(array)]) if each in found]
    about = {"by": name, "along": axis, **caution_of_unfinished(opened)}
    rows = say_any(array, rows_of(found, columns), besides=axis)
    print_answer(about, as_json, of=[opened], profile=(f"Best {name} along {axis}", rows))


def sensitivity(
    result: ResultPath,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="A summary, rms_mean by default, or a metric of systems.")
    ] = None,
    order: Annotated[int | None, typer.Option(min=1, metavar="N", help="Most axes of an interaction.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Leave out values of axes until no point is missing.")] = False,
    over: Over = None,
    at: At = None,
    profiled: Profiled = None,
    as_json: AsJson = False,
) -> None:
    """Split the variance over the grid among the axes and their interactions, exactly."""
    from sigcube import analysis
    from sigcube.analysis.best import array_of
    from sigcube.store.result import open_result
    from sigcube.wording import pretty_unit

    array = array_of(open_result(result), by)
    missing: Literal["refuse", "drop"] = "drop" if drop else "refuse"
    found = analysis.sensitivity(
        array, order=order, missing=missing, over=over, at=_places(array, at), profiled=profiled
    )
    about, title = {"of": found.of, "left_out": found.left_out, **_treatment(found)}, f"Variance of {found.of}"
    if found["mean"].ndim:
        (dim,) = map(str, found["mean"].dims)
        axes: Any = found["axis"].values
        shares = zip(found[dim].values, found["shapley"].values.tolist(), strict=True)
        rows = [
            {dim: name} | {a: v if as_json else answer_cell("share", v) for a, v in zip(axes, each, strict=True)}
            for name, each in shares
        ]
        print_answer(about, as_json, shapley=(f"{title}: Shapley shares", rows))
        return
    for name in ("mean", "variance"):
        value, unit = found[name].item(), pretty_unit(found[name].attrs["units"])
        about[name] = value if as_json else f"{answer_cell(name, value)} {unit}".rstrip()
    indices = rows_of(found, ["axis", "first", "total", "shapley"])
    components = sorted(rows_of(found, ["component", "share"]), key=lambda row: -row["share"])
    shown = components if as_json else [row for row in components if row["share"] >= _LITTLE]
    print_answer(about, as_json, axes=(title, indices), components=("Components", shown))


def ablation(
    result: ResultPath,
    baseline: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=LABEL", help="Where it starts from; the best point otherwise.")
    ] = None,
    by: BySystems = "rms",
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An axis or a role that is compared; arbitrary ones by default, or all labels.",
        ),
    ] = None,
    profiled: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An axis or a role chosen again under each label; nuisances by default."),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Change one label at a time, and compare each system with itself: what each label is worth."""
    from sigcube import analysis
    from sigcube.store.result import open_result
    from sigcube.wording import heading

    opened = open_result(result)
    start = _places(opened, baseline)
    found = analysis.ablation(opened, baseline=start, by=by, over=over, profiled=profiled, seed=seed)
    (place,) = say_any(opened[found.by], [{name: found[name].item() for name in _axes(opened[found.by])}])
    columns = ["axis", "label", "value", "difference", "low", "high", "p_value", "p_adjusted", "better", "worse"]
    keys = ("n_compared", "confidence", "over", "held", "profiled")
    about = {"by": found.by, **{key: found.attrs[key] for key in keys if found.attrs[key] != "nothing"}}
    text = ", ".join(f"{name}={answer_cell(name, each)}" for name, each in place.items())
    about |= _caution(found)
    value = found["baseline"].item()
    about["baseline"] = {"place": place, "value": value} if as_json else f"{text}: {answer_cell('', value)}"
    title = f"What each label is worth in {heading(found.by, opened)}, compared system by system"
    print_answer(about, as_json, changes=(title, rows_of(found, columns)))


def curve(
    result: ResultPath,
    by: BySummary = None,
    threshold: Threshold = None,
    over: Over = None,
    at: At = None,
    profiled: Profiled = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="Specifications shown from either end.")] = 5,
    null: Annotated[
        int, typer.Option(min=0, metavar="N", help="Compare with N curves of a model no better than the reference.")
    ] = 0,
    once: Annotated[
        bool, typer.Option("--once", help="Let null curves keep what was held or profiled, and not choose it again.")
    ] = False,
    html: PageFile = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Sort every specification; say for which share a statement holds, and which choice moves that most."""
    from sigcube import analysis
    from sigcube.analysis.best import summary_of
    from sigcube.analysis.labelled import axes_along
    from sigcube.driver.progress import count_progress
    from sigcube.store.result import open_result
    from sigcube.wording import heading

    opened = open_result(result)
    array = summary_of(opened, by)
    places = _places(array, at)
    found = analysis.specification_curve(array, threshold=threshold, over=over, at=places, profiled=profiled)
    n, dims = found.sizes["specification"], found["axis"].values
    shown: Rows = []
    for i in sorted({*range(min(rows, n)), *range(max(0, n - rows), n)}):
        choice = zip(dims, found["choice"].values[:, i].tolist(), found["free"].values[:, i], strict=True)
        labels = {
            name: "any" if free else array[name].values[at]
            for dim, at, free in choice
            for name in axes_along(array, dim)
        }
        shown.append({"rank": i + 1, found.of: found["value"].values[i].item(), **labels})
    about = {"of": found.of, "specifications": n, "n_repeated": found.n_repeated, "n_missing": found.n_missing}
    about |= _treatment(found)
    tables: dict[str, tuple[str, Rows]] = {}
    of_all = told = None
    if threshold is not None:
        about |= {"statement": found.statement, "share": found["share"].item()}
        if any(found["axis_role"].values):
            of_all = analysis.robustness(array, threshold=threshold, at=places)
            shares = [row | {"weight": int(row["weight"])} for row in rows_of(of_all, ["role", "weight", "share"])]
            tables["roles"] = "Share by role", shares
    if null:
        with count_progress(stderr_console()) as tell:
            told = analysis.null_curve(
                opened,
                by=found.of,
                threshold=threshold,
                over=over,
                at=places,
                profiled=profiled,
                choose="once" if once else "again",
                n=null,
                seed=seed,
                on_progress=partial(tell, "points evaluated again"),
            )
        about["null_chooses"] = told.choose
        columns = ["statistic", "observed", "null_low", "null_high", "p_value"]
        tables["null"] = f"Against {null:,} null curves", rows_of(told, columns)
    moves = rows_of(found, ["axis", "moves", "lowest", "lowest_at", "highest", "highest_at"])
    moves.sort(key=lambda row: -row["moves"])
    title = f"What moves {'the mean of ' + heading(found.of, opened) if threshold is None else 'the share'}"
    if html is not None:
        from sigcube.explore import curve_page

        about["page"] = str(curve_page(found, html, result=opened, every=of_all, null=told))
    print_answer(about, as_json, of=[opened], **tables, moves=(title, moves), curve=("Specifications", shown))


def holdout(
    result: ResultPath,
    by: BySystems = "rms",
    folds: Annotated[int, typer.Option(metavar="N", help="Parts of the systems; each is held out once.")] = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Choose the best point on some systems, and score it on those held out."""
    from sigcube import analysis
    from sigcube.store.result import open_result

    opened = open_result(result)
    found = analysis.holdout(opened, by=by, folds=folds, seed=seed)
    about = {"by": found.by, "seed": seed, **{name: found[name].item() for name in ("in_sample", "out_of_sample")}}
    about |= _caution(found)
    rows = say_any(opened[found.by], rows_of(found, [*_axes(opened[found.by]), "n_test", "train", "test"]))
    print_answer(about, as_json, of=[found, opened], folds=(f"{found.by}: chosen on the others, and scored", rows))


def tradeoff(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A joint result of several datasets.")],
    x: Annotated[str, typer.Argument(metavar="DATASET/SUMMARY", help="Such as sparc/rms_mean.")],
    y: Annotated[str, typer.Argument(metavar="DATASET/SUMMARY", help="Such as clash/ratio_mean.")],
    rows: Annotated[int, typer.Option(min=2, metavar="N", help="Points of the front that are shown.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say what the best point for one dataset costs another: both ends, a compromise, and the points between."""
    import numpy as np

    from sigcube import analysis
    from sigcube.store.joint import open_joint

    found = analysis.tradeoff(open_joint(result), x=x, y=y)
    axes = [str(name).removesuffix("_at") for name in found.coords if str(name).endswith("_at")]
    values = {x: found["at_x"].values, y: found["at_y"].values, **{n: found[f"{n}_at"].values for n in axes}}
    places = [
        {"place": str(place), **{name: each[i].item() for name, each in values.items()}}
        for i, place in enumerate(found["place"].values)
    ]
    n = found.sizes["point"]
    shown = np.unique(np.linspace(0, n - 1, min(n, rows)).round().astype(int))
    front = rows_of(found.isel(point=shown), ["x", "y", "x_regret", "y_regret", *axes])
    about = {"x": x, "y": y, "front": n, "tension": found["tension"].item()}
    print_answer(about, as_json, places=(f"{x} and {y}", places), points=("Points that no other beats in both", front))


def trends(
    result: ResultPath,
    cube: Annotated[Path, typer.Argument(metavar="CUBE", help="What has the properties of the systems.")],
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="A metric that is kept for each system.")] = "bias",
    at: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=VALUE", help="Where on the grid; else at the best point.")
    ] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", metavar="NAME", help="A variable of the cube; all by default.")
    ] = None,
    html: PageFile = None,
    as_json: AsJson = False,
) -> None:
    """Correlate what a model leaves over in each system with the properties of the systems."""
    from sigcube import analysis
    from sigcube.analysis.best import best_index, summary_of
    from sigcube.analysis.labelled import find_position, kept_values
    from sigcube.cube import open_cube
    from sigcube.errors import SpecError
    from sigcube.store.result import open_result

    opened, data = open_result(result), open_cube(cube)
    array = kept_values(opened, by)
    held = dict(find_position(array, name, value, where="--at") for name, value in _places(array, at).items())
    summary = summary_of(opened, None).isel(held)
    found_at = best_index(summary)
    if found_at is None:
        raise SpecError(f"no grid point has a finite {summary.name}", where="--at")
    values = array.isel(held | found_at).load()
    found = analysis.trends(values, data, properties=properties)
    (at_point,) = say_any(array, [{name: values[name].item() for name in _axes(array)}])
    place = ", ".join(f"{name} = {answer_cell(name, value)}" for name, value in at_point.items())
    about: dict[str, Any] = {"of": found.of, "at": place, "compared": found.n_compared}
    if html is not None:
        from sigcube.explore import trends_page

        where = f"at {place}" if place else "of one model"
        about["page"] = str(trends_page(found, values, data, html, place=where, result=opened))
    columns = ["property", "rho", "p_value", "p_adjusted", "n_systems"]
    print_answer(about, as_json, trends=(f"Rank correlations of {found.of}", rows_of(found, columns)))


def _places(data: "xr.DataArray | xr.Dataset", given: Iterable[str] | None) -> dict[str, Any]:
    """Return what options ``AXIS=VALUE`` say: labels, and numbers where the axis has them."""
    from sigcube.analysis.labelled import is_label

    return {
        name: _number(text) if name in data.coords and not is_label(data[name]) else text
        for name, text in read_pairs(given, form="AXIS=VALUE")
    }


def _treatment(found: "xr.Dataset") -> dict[str, str]:
    """Return what became of axes, where it is not that all of them remain."""
    told = {key: str(found.attrs[key]) for key in ("over", "held", "profiled")}
    return {} if told["held"] == told["profiled"] == "nothing" else told


def _axes(array: "xr.DataArray") -> list[str]:
    """Name the axes of an array in the order of the grid."""
    from sigcube.analysis.labelled import axes_along, grid_dims

    return [name for dim in grid_dims(array) for name in axes_along(array, dim)]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
