"""The tabs of the explorer: questions to the result, each a function of the view and the data.

A tab of one's own is a record more: ``Explorer(result, tabs=[*TABS, ExplorerTab("mine", content)])``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sigcube import analysis
from sigcube.analysis.best import array_of, far_from_best, summary_of
from sigcube.analysis.labelled import axes_along, grid_dims, label_dims, system_dim
from sigcube.analysis.priors import uniform
from sigcube.analysis.roles import role_of
from sigcube.explore import style
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.state import ExplorerState
from sigcube.explore.page import CardTable
from sigcube.explore.posterior_page import axis_table
from sigcube.explore.posterior_plots import corner_figures
from sigcube.wording import pretty_unit

__all__ = ["TABS", "ExplorerTab", "plain_row"]

#: What a tab holds: texts, tables, and figures of Bokeh.
Content = Sequence[str | CardTable | Any]


@dataclass(frozen=True)
class ExplorerTab:
    """A tab of the explorer.

    Attributes
    ----------
    title : str
        Its name.
    content : callable
        Makes texts, tables and figures from the view and the data.
    applies : callable
        Tells whether a result has an answer.
    of_place : bool
        Whether the content depends on the picked places and systems, and not on the summary alone.
    """

    title: str
    content: Callable[[ExplorerState, ExplorerData], Content]
    applies: Callable[[ExplorerData], bool] = lambda data: bool(data.axes)
    of_place: bool = False


def _best(state: ExplorerState, data: ExplorerData) -> Content:
    found = analysis.best(data.result, by=state.metric)
    words = found["at_bound"].attrs["flag_meanings"].split()
    rows = []
    for name, flag in zip(map(str, found["axis"].values), found["at_bound"].values, strict=True):
        ends = [f"{name}_{end}" for end in ("low", "high")]
        box = [found[each].item() for each in ends if each in found] or [found[f"{name}_within"].item(), ""]
        title = style.with_unit(name, style.unit_of(data.result[name]))
        rows.append(plain_row(title, found[name].item(), words[flag], *box))
    there = [
        plain_row(name, found[name].item(), pretty_unit(style.unit_of(data.result[name])))
        for name in data.metrics
        if name in found
    ]
    return [
        f"The best {state.metric} of the grid, and the box of places that are worse by no more than 1 %.",
        CardTable(("axis", "best", "lies", "box from", "box to"), rows),
        CardTable(("summary", "value", "unit"), there),
    ]


def _profiles(state: ExplorerState, data: ExplorerData) -> Content:
    from bokeh.models import ColumnDataSource

    array = summary_of(data.result, state.metric)
    figures: list[Any] = []
    for axis in [axis for axis in data.axes if axis.use != "label"]:
        found = analysis.profile(array, axis.dim)
        title = style.shorten(style.with_unit(state.metric, style.unit_of(array)), style.FITS)
        plot = style.figure(height=280, x_axis_type=axis.scale, x_axis_label=axis.title, y_axis_label=title)
        style.few_ticks(plot.xaxis[0], most=4)
        style.short_ticks(*plot.yaxis)
        source = ColumnDataSource({"x": axis.values, "y": found[str(array.name)].values[axis.kept]})
        line = plot.line("x", "y", source=source, line_width=2.4, color=style.LINES[0], name="a")
        style.hover(plot, line, [(axis.name, "@x{%.4g}"), ("best", "@y{%.7g}")])
        figures.append(plot)
    return ["The best value that is left when one axis is held and all others are free.", *figures]


def _sensitivity(state: ExplorerState, data: ExplorerData) -> Content:
    found = analysis.sensitivity(array_of(data.result, state.metric), missing="drop")
    shares = zip(found["axis"].values, *(found[name].values for name in ("first", "total", "shapley")), strict=True)
    rows = [plain_row(name, *(f"{each:.1%}" for each in values)) for name, *values in shares]
    order = np.argsort(-found["share"].values)[:12]
    parts = [plain_row(found["component"].values[i], f"{found['share'].values[i]:.1%}") for i in order]
    return [
        f"Which axes decide {state.metric}: shares of its variance over the grid. Left out: {found.left_out}.",
        CardTable(("axis", "alone", "with interactions", "Shapley share"), rows),
        CardTable(("component", "share"), parts),
    ]


def _ablation(state: ExplorerState, data: ExplorerData) -> Content:
    by = "rms" if "rms" in data.result else kept_metrics(data)[0]
    found = analysis.ablation(data.result, by=by, n_resamples=999)
    place = {
        name: found[name].item() for dim in grid_dims(data.result[by]) for name in axes_along(data.result[by], dim)
    }
    where = ", ".join(
        f"{name} = {style.plain_number(each) if isinstance(each, float) else each}" for name, each in place.items()
    )
    columns = ("value", "difference", "low", "high", "p_adjusted", "better", "worse")
    rows = [
        plain_row(
            found["axis"].values[i], found["label"].values[i], *(found[name].values[i].item() for name in columns)
        )
        for i in range(found.sizes["change"])
    ]
    return [
        f"What each label is worth in the mean of {by}, compared system by system with the best point: {where}.",
        CardTable(("axis", "label", "mean", "difference", "from", "to", "p, adjusted", "better", "worse"), rows),
    ]


def _curve(state: ExplorerState, data: ExplorerData) -> Content:
    from bokeh.models import ColumnDataSource

    array = summary_of(data.result, state.metric)
    found = analysis.specification_curve(array)
    values = found["value"].values
    some = np.unique(np.linspace(0, values.size - 1, 2000).astype(int))
    title = style.with_unit(state.metric, style.unit_of(array))
    plot = style.figure(height=300, x_axis_label="specification, the best first", y_axis_label=title)
    source = ColumnDataSource({"x": some + 1, "y": values[some]})
    plot.line("x", "y", source=source, line_width=2.4, color=style.LINES[0], name="a")
    rows = [
        plain_row(found["axis"].values[i], *(found[name][i].item() for name in _MOVES))
        for i in np.argsort(-found["moves"].values)
    ]
    return [
        f"Every specification, sorted by {state.metric}: {values.size:,}; {found.n_repeated:,} points repeat others.",
        plot,
        CardTable(("axis", "moves the mean by", "lowest", "at", "highest", "at"), rows),
    ]


def _robustness(state: ExplorerState, data: ExplorerData) -> Content:
    array = summary_of(data.result, state.metric)
    # A win rate has a natural limit; of others it is the model that is shown.
    threshold = 0.5 if state.metric == "win_rate" else float(array.isel(_nearest_point(state, array)))
    if not np.isfinite(threshold):
        return [f"There is no {state.metric} at this place, with which others could be compared."]
    found = analysis.robustness(array, threshold=threshold)
    shares = [plain_row(role, int(w), f"{s:.1%}") for role, w, s in _columns(found, "role", "weight", "share")]
    rows = [
        plain_row(found["axis"].values[i], found["axis_role"].values[i], *(found[name][i].item() for name in _MOVES))
        for i in np.argsort(-found["moves"].values)
    ]
    than = "one half" if state.metric == "win_rate" else f"at A, {_number(threshold)}"
    return [
        f"For which share of all specifications the {state.metric} is better than {than}. Where axes have roles, those"
        " of one role vary, and the others are at the best point.",
        CardTable(("axes that vary", "specifications", "share"), shares),
        CardTable(("axis", "role", "moves the share by", "lowest", "at", "highest", "at"), rows),
    ]


def _holdout(state: ExplorerState, data: ExplorerData) -> Content:
    by, n = _of_systems(state, data), len(data.systems)
    found = analysis.holdout(data.result, by=by, folds=min(_FOLDS, n))
    axes = [name for dim in grid_dims(data.result[data.metrics[0]]) for name in axes_along(data.result, dim)]
    names = [name for name in axes if name in found.coords]
    rows = [plain_row(*each) for each in _columns(found, *names, "n_test", "train", "test")]
    inside, outside = (_number(found[name].item()) for name in ("in_sample", "out_of_sample"))
    return [
        f"The best point chosen without a part of the systems, and scored on that part by {found.by}: {inside} at the"
        f" best point of all systems, {outside} for systems that had no part in the choice.",
        CardTable((*names, "systems held out", "on the others", "on those held out"), rows),
    ]


def _bootstrap(state: ExplorerState, data: ExplorerData) -> Content:
    by = _of_systems(state, data)
    found = analysis.bootstrap(data.result, by, n=_RESAMPLES)
    dims = grid_dims(found["estimate"])
    flat = found.reset_coords(drop=True) if not dims else found.stack(place=dims)
    far = far_from_best(flat["estimate"].assign_attrs(summary_of(data.result, by).attrs))
    order = np.lexsort((np.atleast_1d(far), -np.atleast_1d(flat["share_best"].values)))[:_FOLDS]
    names = [name for dim in dims for name in axes_along(found["estimate"], dim)]
    rows = []
    for i in order:
        here = flat.isel(place=int(i)) if dims else flat
        own = [here[name].item() for name in (*names, "estimate", "standard_error", "low", "high")]
        rows.append(plain_row(*own, f"{here['share_best'].item():.1%}"))
    return [
        f"How uncertain {by} is, had other systems been measured: {_RESAMPLES:,} resamples of them, the same at"
        " every point. First the points that are the best most often.",
        CardTable((*names, by, "standard error", "from", "to", "is the best in"), rows),
    ]


def _tradeoff(state: ExplorerState, data: ExplorerData) -> Content:
    summaries = {name: summary_of(data.result, name) for name in data.metrics}
    tree = xr.DataTree.from_dict({"here": xr.Dataset(summaries)})
    rows = []
    for other in data.metrics:
        if other != state.metric:
            found = analysis.tradeoff(tree, x=f"here/{state.metric}", y=f"here/{other}")
            tension = found["tension"].item()
            for place, words in zip((0, 2, 1), (f"best {state.metric}", "compromise", f"best {other}"), strict=True):
                rows.append(plain_row(other, tension, words, *(found[name].values[place].item() for name in _AT)))
    return [
        f"What the best {state.metric} costs another summary. A tension of 0 says that one point is best for both.",
        CardTable(("other summary", "tension", "at", state.metric, "the other"), rows),
    ]


_AT = ("at_x", "at_y")


def _columns(found: Any, *names: str) -> list[tuple[Any, ...]]:
    """Return rows of the values of variables along one dimension."""
    return list(zip(*(found[name].values.tolist() for name in names), strict=True))


def _nearest_point(state: ExplorerState, array: Any) -> dict[str, int]:
    """Return the point of the grid that is nearest to place A."""
    found: dict[str, int] = {}
    for dim in grid_dims(array):
        for name in axes_along(array, dim)[:1]:
            values, wanted = array[name].values, state.place.get(name)
            if wanted is None or isinstance(wanted, str):
                found[dim] = values.tolist().index(wanted) if isinstance(wanted, str) else 0
            else:
                found[dim] = int(np.abs(values - wanted).argmin())
    return found


def _of_systems(state: ExplorerState, data: ExplorerData) -> str:
    """Name the summary of the view if it is made of values of systems that were kept, or the mean of one that is."""
    kept = kept_metrics(data)
    metric = state.metric.removesuffix("_mean").removesuffix("_median")
    rate = state.metric == "win_rate" and "rms" in kept
    return state.metric if metric in kept or rate else f"{kept[0]}_mean"


_FOLDS, _RESAMPLES = 10, 1000
_MOVES = ("moves", "lowest", "lowest_at", "highest", "highest_at")


def _posterior(state: ExplorerState, data: ExplorerData) -> Content:
    """Show the posterior under uniform priors: a page has no place to say others."""
    array = data.result["loglike" if "loglike" in data.result else "loglike_sum"]
    flat = {
        str(name): uniform(float(array[name].min()), float(array[name].max()))
        for dim in grid_dims(array)
        for name in axes_along(array, dim)[:1]
        if array.sizes[dim] > 1 and role_of(array, dim) == "nuisance"
    }
    found = analysis.posterior(data.result, prior=flat)
    figures, _ = corner_figures(found)
    priors = f"; of {', '.join(flat)} too, whose priors sigcube.analysis.posterior takes" if flat else ""
    error = float(found["log_evidence_error"])
    known = f" ± {error:.2g}" if np.isfinite(error) else ", which the spacing of the grid does not resolve"
    evidence = f"ln Z = {float(found['log_evidence']):.2f}{known}"
    return [
        f"The posterior of each axis under uniform priors{priors}. {evidence}. To know: {found.attrs['cautions']}.",
        *figures,
        axis_table(found),
    ]


def _places(state: ExplorerState, data: ExplorerData) -> Content:
    """Show every point of a grid of labels."""
    dims = [axis.dim for axis in data.axes]
    result = data.result[list(data.metrics)].squeeze().stack(place=dims) if dims else data.result[list(data.metrics)]
    names = [axis.name for axis in data.axes]
    rows = []
    for i in range(min(_MOST_ROWS, result.sizes.get("place", 1))):
        here = result.isel(place=i) if dims else result
        own = [here[axis.dim].values.item() if axis.dim in here.coords else "" for axis in data.axes]
        rows.append(plain_row(*own, *(here[name].values.item() for name in data.metrics)))
    return ["Every point of the grid.", CardTable((*names, *data.metrics), rows)]


_MOST_ROWS = 1000


def kept_metrics(data: ExplorerData) -> list[str]:
    """Name the metrics of which a result holds the values of each system."""
    return [str(name) for name, each in data.result.data_vars.items() if system_dim(each) is not None]


def _has_likelihood(data: ExplorerData) -> bool:
    return bool(data.axes) and ("loglike" in data.result or "loglike_sum" in data.result)


def _has_labels(data: ExplorerData) -> bool:
    return bool(label_dims(data.result[data.metrics[0]])) and bool(kept_metrics(data))


def _keeps_few(data: ExplorerData) -> bool:
    """Whether values of several systems were kept, few enough for all of them to be read."""
    kept = kept_metrics(data)
    return bool(data.axes and kept) and len(data.systems) > 1 and data.result[kept[0]].size <= _MOST_KEPT


def _is_resampled(data: ExplorerData) -> bool:
    return _keeps_few(data) and data.result["status"].size <= _MOST_ROWS


def _has_two(data: ExplorerData) -> bool:
    return _is_small(data) and len(data.metrics) > 1


def _is_small(data: ExplorerData) -> bool:
    return bool(data.axes) and data.result["status"].size <= _MOST_SPECIFICATIONS


# More specifications than these do not fit into memory at ease.
_MOST_SPECIFICATIONS = 10**7
_MOST_KEPT = 10**7

TABS: tuple[ExplorerTab, ...] = (
    ExplorerTab("Best", _best),
    ExplorerTab("Profiles", _profiles, lambda data: any(axis.use != "label" for axis in data.axes)),
    ExplorerTab("Sensitivity", _sensitivity),
    ExplorerTab("Ablation", _ablation, _has_labels),
    ExplorerTab("Specification curve", _curve, _is_small),
    ExplorerTab("Posterior", _posterior, _has_likelihood),
    ExplorerTab("Robustness", _robustness, _is_small, of_place=True),
    ExplorerTab("Hold-out", _holdout, _keeps_few),
    ExplorerTab("Bootstrap", _bootstrap, _is_resampled),
    ExplorerTab("Trade-off", _tradeoff, _has_two),
    ExplorerTab("All places", _places, lambda data: all(axis.use == "label" for axis in data.axes)),
)


def plain_row(*cells: Any) -> tuple[str, ...]:
    """Write a row of a table: numbers with four digits, large ones with a decimal, and texts as they are."""
    return tuple(_cell(each) for each in cells)


def _number(value: float) -> str:
    """Write a number as on the page of a result."""
    return style.full_number(value)


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return _number(float(value)) if np.isfinite(value) else "–"
    return f"{value:,}" if isinstance(value, int | np.integer) and not isinstance(value, bool) else str(value)
