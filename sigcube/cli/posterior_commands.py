"""The commands of posteriors: posterior and compare."""

from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from sigcube.cli.answers import Rows, answer_cell, print_answer, rows_of
from sigcube.cli.app import AsJson, PageFile, ResultPath, read_pairs

__all__ = ["compare", "posterior"]

PriorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        metavar="AXIS=PRIOR",
        help="uniform:LOW,HIGH, log_uniform:LOW,HIGH, normal:MEAN,SD or lognormal:MEDIAN,DEX; uniform by default.",
    ),
]
Own = Annotated[
    list[str] | None,
    typer.Option(metavar="AXIS=PRIOR", help="A nuisance with a value of its own in each system, integrated over."),
]
ByLoglike = Annotated[str, typer.Option("--by", metavar="METRIC", help="The metric that is ln L.")]


def posterior(
    result: ResultPath,
    prior: PriorOption = None,
    marginalise: Own = None,
    by: ByLoglike = "loglike",
    html: PageFile = None,
    as_json: AsJson = False,
) -> None:
    """Integrate likelihood × prior over the grid: medians, intervals, the evidence, and each system left out."""
    from sigcube import analysis
    from sigcube.analysis.labelled import system_dim
    from sigcube.analysis.marginals import BOUND_WORDS
    from sigcube.store.result import open_result
    from sigcube.wording import heading

    priors, own = _priors(prior), _priors(marginalise)
    opened = open_result(result)
    if own:
        opened = analysis.marginalise(opened, own, by=by)
    found = analysis.posterior(opened, prior=priors, by=by, pairs=html is not None)
    about: dict[str, Any] = {"by": by, "log_evidence": found["log_evidence"].item()}
    about |= {name: found[name].item() for name in ("log_evidence_error", "best_loglike", "n_invalid")}
    left_out = None
    if by in opened and system_dim(opened[by]) is not None and opened[by].sizes[system_dim(opened[by])] > 1:
        left_out = analysis.leave_one_out(opened, prior=priors, by=by)
        about |= {name: left_out[name].item() for name in ("elpd_loo", "se", "p_loo")}
    if own:
        about["marginalised"] = opened.attrs["marginalised"]
    about["cautions"] = _listed(found.attrs["cautions"]) if as_json else found.attrs["cautions"]
    words = found["at_bound"].attrs["flag_meanings"].split()
    levels = [f"{level:.0%}" for level in found["level"].values]
    rows: Rows = []
    for i, axis in enumerate(map(str, found["axis"].values)):
        one = found.isel(axis=i)
        name = axis if as_json else heading(axis, found)
        row = {"axis": name, "prior": one["prior"].item(), "best": one[f"best_{axis}"].item()}
        resolved = one["resolved"].item()
        row |= {name: one[name].item() if resolved or as_json else "" for name in ("median", "mean", "sd")}
        for j, level in enumerate(levels):
            ends = [one[end].values[j].item() for end in ("low", "high")]
            text = " to ".join(answer_cell("", end) for end in ends) if isfinite(ends[0]) and resolved else ""
            row[level] = ends if as_json else text
        row |= {"resolved": resolved} if as_json else {} if resolved else {"median": "not resolved"}
        side = words[int(one["at_bound"])]
        row |= {"nodes": one["nodes"].item()} | ({"lies": side} if as_json else {"not gone at": BOUND_WORDS[side]})
        rows.append(row)
    labels = [
        {"axis": axis, "label": str(label), "share": share}
        for axis in map(str, found["axis"].values)
        if axis in found.coords and found[axis].dtype.kind == "O"
        for label, share in zip(found[axis].values, found[f"p_{axis}"].values.tolist(), strict=True)
    ]
    if html is not None:
        from sigcube.explore import posterior_page

        about["page"] = str(posterior_page(found, html, left_out=left_out))
    print_answer(about, as_json, axes=("Posterior", rows), labels=("Labels", labels))


def compare(
    results: Annotated[
        list[str], typer.Argument(metavar="[NAME=]RESULT…", help="Result stores, with names of models.")
    ],
    prior: PriorOption = None,
    marginalise: Own = None,
    by: ByLoglike = "loglike",
    html: PageFile = None,
    as_json: AsJson = False,
) -> None:
    """Rank models by how well they predict systems that are left out, and by their evidence."""
    from sigcube import analysis
    from sigcube.store.result import open_result

    if len(results) < 2:
        raise typer.BadParameter("models are compared with each other: give two results or more, as NAME=RESULT")
    own = _priors(marginalise)
    models: dict[str, Any] = {}
    taken: set[str] = set()
    for each in results:
        name, equals, path = each.partition("=")
        name, path = (name, path) if equals else (Path(each).stem, each)
        if name in models:
            raise typer.BadParameter(f"two models are called {name!r}; name them: NAME=RESULT")
        opened = open_result(path)
        here = {axis: text for axis, text in own.items() if axis in opened.coords}
        models[name] = analysis.marginalise(opened, here, by=by) if here else opened
        taken |= here.keys()
    if lost := [axis for axis in own if axis not in taken]:
        raise typer.BadParameter(f"no result has an axis {lost[0]!r}", param_hint="--marginalise")
    found = analysis.compare(models, prior=_priors(prior), by=by)
    columns = [str(name) for name, each in found.data_vars.items() if each.dims == ("model",)]
    rows = rows_of(found, ["model", *columns])
    about: dict[str, Any] = {"by": by, "systems": found.attrs["n_systems"]}
    told_of = ("cube", "sample", "where", "priors", "marginalised")
    about |= {key: found.attrs[key] for key in told_of if key in found.attrs}
    if as_json:
        rows = [row | {"cautions": _listed(row["cautions"])} for row in rows]
    else:
        rows = [{key: value for key, value in row.items() if key not in ("rank", "cautions")} for row in rows]
        told = zip(found["model"].values, found["cautions"].values, strict=True)
        about |= {f"{name}": text for name, text in told if text != "none"}
    if html is not None:
        from sigcube.explore import comparison_page

        about["page"] = str(comparison_page(found, html))
    print_answer(about, as_json, models=("Models, the best first", rows))


def _listed(cautions: str) -> list[str]:
    """Return cautions one by one."""
    return [] if cautions == "none" else cautions.split("; ")


def _priors(given: Iterable[str] | None) -> dict[str, Any]:
    """Return what options ``AXIS=PRIOR`` say."""
    from sigcube.analysis.priors import read_prior

    return {name: read_prior(text, where=f"prior.{name}") for name, text in read_pairs(given, form="AXIS=PRIOR")}
