"""Checks of errors of g_bar against the data: their mean and width, and points where g_bar has no logarithm."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt

from sigcube.cube import Packed
from sigcube.errors import DataError, SpecError
from sigcube.model.compile import ufunc
from sigcube.model.error_frame import G_BAR
from sigcube.model.graph import Graph
from sigcube.model.model import BoundModel
from sigcube.plan.spec import Spec
from sigcube.plan.values import Section
from sigcube.wording import listed, number, plural

__all__ = ["describe_g_bar"]

FloatArray = npt.NDArray[np.float64]


def describe_g_bar(spec: Spec, sections: tuple[Section, ...], packed: Packed) -> str:
    """Describe the errors of g_bar, and where on the grid it is not positive; empty without such errors.

    Raises
    ------
    DataError
        For points without a positive observed velocity.
    SpecError
        For a missing mean or width of the true values; the hint gives those of the sample.
    """
    if spec.errors is None or spec.errors.g_bar is None:
        return ""
    moving = packed.points["v_obs"] > 0.0
    if not moving.all():
        raise DataError(
            "points without a positive observed velocity, whose acceleration has no logarithm",
            where="errors.g_bar",
            found=_points(packed, ~moving),
            expected="v_obs > 0",
            hint="leave them out: where = 'v_obs > 0'",
        )
    axes = {axis.name: axis.array for axis in spec.grid.axes if not axis.is_label}
    known = [{*model.values, *axes} for model in spec.models.values()]
    if missing := [name for name in G_BAR[1:] if any(name not in names for names in known)]:
        raise _lacking(missing, spec, sections[0].model, packed, axes)
    error, mean, width = (_value(spec, axes, name) for name in G_BAR)
    said = [f"g_bar of each point with an error, {error}, and true values of mean {mean} and width {width}"]
    if undefined := _where_undefined(sections, packed, axes):
        said.append(undefined)
    return "; ".join(said)


def _value(spec: Spec, axes: Mapping[str, FloatArray], name: str) -> str:
    unit = spec.model.parameters[name].unit
    if name in axes:
        return f"an axis, in {unit}"
    values = {model.values.get(name, model.parameters[name].default) for model in spec.models.values()}
    return f"{' or '.join(number(each) for each in sorted(values))} {unit}"


def _lacking(
    missing: list[str], spec: Spec, model: BoundModel, packed: Packed, axes: Mapping[str, FloatArray]
) -> SpecError:
    """Return the error for a missing mean or width of the true g_bar, with the sample's values at mid-grid."""
    graph = model.graph.only("g_bar")
    middle = {name: float(axes[name][len(axes[name]) // 2]) for name, _ in model.swept}
    g_bar = _g_bar(graph, dict(model.fixed) | middle, packed)
    hint = "those of the sample are not known beforehand here: try some"
    if g_bar is not None and (g_bar > 0.0).any():
        x = np.log10(g_bar[g_bar > 0.0])
        own = {"g_bar_mean": np.mean(x), "g_bar_width": np.std(x)}
        there = ", ".join(f"{name} = {number(middle[name])}" for name in middle if _uses(graph, name))
        hint = f"in the sample, fixed = {{{', '.join(f'{name!r}: {each:.3f}' for name, each in own.items())}}}"
        hint += f" at {there}" if there else ""
    return SpecError(
        f"errors of g_bar without a {missing[0]}",
        where="errors.g_bar",
        expected="g_bar_mean and g_bar_width, of the true log10 g_bar in m/s2, fixed or as axes",
        hint=hint,
    )


def _where_undefined(sections: tuple[Section, ...], packed: Packed, axes: Mapping[str, FloatArray]) -> str | None:
    """Describe where most points lack a positive g_bar, among the ends of the axes; None if nowhere."""
    worst, most = "", 0
    seen: set[tuple[Graph, tuple[tuple[str, float], ...]]] = set()
    for section in sections:
        graph = section.model.graph.only("g_bar")
        fixed = {name: each for name, each in section.model.fixed if _uses(graph, name)}
        used = [name for name, _ in section.model.swept if _uses(graph, name)]
        for ends in product(*((axes[name].min(), axes[name].max()) for name in used)):
            at = dict(zip(used, map(float, ends), strict=True))
            key = graph, tuple({**fixed, **at}.items())
            if key in seen:
                continue
            seen.add(key)
            g_bar = _g_bar(graph, {**fixed, **at}, packed)
            if g_bar is not None and (undefined := ~(g_bar > 0.0)).sum() > most:
                most = int(undefined.sum())
                there = ", ".join(f"{name} = {number(each)}" for name, each in at.items())
                worst = f"{_points(packed, undefined)}{f' at {there}' if there else ''}"
    return f"no ln L where g_bar is not positive: {worst}" if most else None


def _uses(graph: Graph, name: str) -> bool:
    return any(name in node.inputs for node in graph.nodes)


def _g_bar(graph: Graph, values: Mapping[str, float], packed: Packed) -> FloatArray | None:
    """Return g_bar at all points, term by term; None if a user's kernel computes it from whole systems."""
    if graph.previous or any(node.reduces for node in graph.nodes):
        return None
    counts = np.diff(packed.offsets)
    found: dict[str, float | FloatArray] = dict(values)
    found |= {name: packed.points[name] for name in graph.points if name in packed.points}
    found |= {name: np.repeat(packed.per_system[name], counts) for name in graph.systems if name in packed.per_system}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            given = [found[name] for name in node.inputs]
            found[node.name] = ufunc(node.function)(*given) if given else node.function()
    return np.broadcast_to(np.asarray(found["g_bar"]), (packed.n_points,))


def _points(packed: Packed, which: npt.NDArray[np.bool_]) -> str:
    """Describe some points: their number, and their systems."""
    of = np.searchsorted(packed.offsets, np.flatnonzero(which), side="right") - 1
    systems = [packed.systems[each] for each in np.unique(of)]
    return f"{plural(int(which.sum()), 'point')} of {plural(len(systems), 'system')}, {listed(systems)}"
