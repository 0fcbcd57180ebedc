"""Whether a model scales with the distance of its systems as one factor, as marginalising its error requires.

Radii are ∝ D, V_bar ∝ √D and masses ∝ D², so that g_bar and r/R_d do not depend on D, and a model of these alone
predicts V ∝ √D. No list of models says so: the bound model of each section is evaluated at two other distances.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sigcube.cube import Packed
from sigcube.errors import SpecError
from sigcube.model.error_frame import DISTANCE_POWERS
from sigcube.model.graph import Graph, Level
from sigcube.model.model import BoundModel
from sigcube.plan.spec import Spec
from sigcube.plan.values import Section

__all__ = ["check_scaling"]

# Quantities along the line of sight change with the inclination; as inputs of a model they break the scaling.
_INCLINED = ("v_obs", "e_v_obs", "v_flat", "e_v_flat", "inclination", "e_inclination")

_FACTORS = (0.7, 1.6)
_TOLERANCE = 1e-9
_SPREAD, _RANDOM = 4, 4

# Units of parameters that do not change with the distance: those of accelerations and pure numbers.
_FREE_OF_DISTANCE = ("", "m/s2", "m / s2", "Msun/solLum", "mag", "dex")


def check_scaling(spec: Spec, sections: tuple[Section, ...], packed: Packed) -> None:
    """Refuse to marginalise the distance or inclination of a model whose prediction does not scale with it as a whole.

    Raises
    ------
    SpecError
        With the section and its parameters, and what to do instead.
    """
    errors = spec.errors
    if errors is None or not errors.marginalised:
        return
    axes = {axis.name: axis.array for axis in spec.grid.axes if not axis.is_label}
    for section in sections:
        for model in (section.model, section.reference if spec.compared.name == "loglike" else None):
            if model is None:
                continue
            graph = model.graph.only("predicted")
            inputs = [name for name in (*graph.points, *graph.systems) if _is_used(name, graph)]
            if errors.inclination and (seen := [name for name in inputs if name in _INCLINED]):
                raise _refusal("inclination", spec, section, f"it uses {', '.join(seen)}")
            if errors.distance:
                if unknown := [name for name in inputs if name not in DISTANCE_POWERS]:
                    raise _refusal("distance", spec, section, f"how {unknown[0]} changes with it is not known")
                found = (_find_change(model, graph, values, packed) for values in _places(model, axes))
                if (change := next((each for each in found if each), None)) is not None:
                    suspects = _suspects(spec, model, graph)
                    raise _refusal("distance", spec, section, "; ".join([change, *suspects]))


def _is_used(name: str, graph: Graph) -> bool:
    return name in graph.carried or any(name in node.inputs for node in graph.nodes)


def _places(model: BoundModel, axes: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield values of all parameters, at ends of the axes and at places within the grid."""
    lengths = {dim: len(axes[name]) for name, dim in model.swept}
    rng = np.random.default_rng(1)
    low, high = dict.fromkeys(lengths, 0), {dim: n - 1 for dim, n in lengths.items()}
    ends = [low, high, *({**low, dim: high[dim]} for dim in lengths), *({**high, dim: 0} for dim in lengths)]
    inside = [{dim: int(rng.integers(n)) for dim, n in lengths.items()} for _ in range(_RANDOM)]
    for place in dict.fromkeys(tuple(each.values()) for each in (*ends, *inside)):
        at = dict(zip(lengths, place, strict=True))
        yield {**dict(model.fixed), **{name: float(axes[name][at[dim]]) for name, dim in model.swept}}


def _find_change(model: BoundModel, graph: Graph, values: Mapping[str, float], packed: Packed) -> str | None:
    """Describe where a prediction is not ∝ √D, for extreme systems and some others; None if nowhere."""
    whole = bool(graph.previous) or any(node.reduces for node in graph.nodes)
    points = packed.whole if whole else packed
    for system in _extreme_systems(graph, packed):
        start, stop = points.offsets[system], points.offsets[system + 1]
        at = np.arange(start, stop) if whole else np.unique([start, (start + stop) // 2, stop - 1])
        here = {name: points.points[name][at] for name in graph.points}
        here |= {name: packed.per_system[name][system] for name in graph.systems}
        as_quoted = _predict(graph, {**values, **here})
        for factor in _FACTORS:
            moved = {name: each * factor ** DISTANCE_POWERS.get(name, 0.0) for name, each in here.items()}
            there = _predict(graph, {**values, **moved}) / np.sqrt(factor)
            with np.errstate(all="ignore"):
                changes = np.where(np.isfinite(as_quoted), np.abs(there / as_quoted - 1.0), np.isfinite(there) + 0.0)
            if not (changes <= _TOLERANCE).all():
                swept = ", ".join(f"{name} = {values[name]:.4g}" for name, _ in model.swept)
                change = f"V/√D changes by {changes.max():.2g} of itself at {factor:g} D of {packed.systems[system]}"
                return f"{change}{f', {swept}' if swept else ''}"
    return None


def _extreme_systems(graph: Graph, packed: Packed) -> list[int]:
    """Return the systems with the smallest or the largest value of some variable, and some others."""
    starts = packed.offsets[:-1]
    found = np.linspace(0, packed.n_systems - 1, _SPREAD).astype(int).tolist()
    for name in (*graph.points, *graph.systems):
        each = packed.per_system[name] if name in graph.systems else np.fmin.reduceat(packed.points[name], starts)
        other = each if name in graph.systems else np.fmax.reduceat(packed.points[name], starts)
        if np.isfinite(each).any():
            found += [int(np.nanargmin(each)), int(np.nanargmax(other))]
    return sorted(set(found))


def _predict(graph: Graph, values: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Evaluate the prediction at some points of one system, term by term, as plain Python."""
    found = dict(values)
    of_points = {*graph.points, *(node.name for node in graph.nodes if node.level is Level.POINT)}
    n = len(next(found[name] for name in graph.points))
    with np.errstate(all="ignore"):
        for node in (each for each in graph.nodes if each.name not in graph.recursive):
            arguments = [found[name] for name in node.inputs]
            if node.reduces or node.name not in of_points:
                found[node.name] = np.float64(node.function(*arguments))
                continue
            columns = [np.broadcast_to(np.asarray(each, dtype=np.float64), (n,)) for each in arguments]
            found[node.name] = np.array([node.function(*row) for row in zip(*columns, strict=True)], dtype=np.float64)
        recursive = [each for each in graph.nodes if each.name in graph.recursive]
        found |= {node.name: np.full(n, np.nan) for node in recursive}
        for i in range(n):
            here = {name: found[of][i - 1] if i else np.float64(0.0) for name, of in graph.previous}
            for node in recursive:
                arguments = [here[name] if name in here else found[name] for name in node.inputs]
                found[node.name][i] = node.function(*(each[i] if np.ndim(each) else each for each in arguments))
    return np.broadcast_to(np.asarray(found["predicted"], dtype=np.float64), (n,))


def _suspects(spec: Spec, model: BoundModel, graph: Graph) -> list[str]:
    """Name the parameters of a prediction that stay the same when a system is moved away."""
    known = {name: each for one in spec.models.values() for name, each in one.parameters.items()}
    fixed = dict(model.fixed)
    named = [
        f"{name}{f' = {fixed[name]:g}' if name in fixed else ''} {known[name].unit}"
        for name in graph.parameters
        if name in known and known[name].unit not in _FREE_OF_DISTANCE
    ]
    return [f"{', '.join(named)} would stay as it is"] if named else []


def _refusal(name: str, spec: Spec, section: Section, why: str) -> SpecError:
    labels = ", ".join(f"{choice}={label}" for choice, label in section.labels.items())
    return SpecError(
        f"the error of the {name} cannot be marginalised for {spec.name}: {name} would not scale it as a whole",
        where=f"errors.{name}",
        found=f"{why}; under {labels}",
        expected="a model of g_bar and of ratios of lengths of each galaxy, which predicts V ∝ √D",
        hint=f"choose other labels or values, or leave errors.{name} out and sweep over it: "
        f"axes = {{'{name}_shift': [-2, -1, 0, 1, 2]}}, in units of its error",
    )
