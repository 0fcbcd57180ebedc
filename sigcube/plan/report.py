"""Plans and states of stores as text: what people want to know, with units, in few digits."""

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sigcube.wording import count, duration, number, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sigcube.plan.plan import Plan, Section

__all__ = ["describe_plan", "plan_record"]


def describe_plan(plan: "Plan") -> str:
    """Return a plan as text: what is computed, what is written, what it costs."""
    spec = plan.spec
    name, title = spec.kernel.name, spec.kernel.title
    rows = [
        ("data", f"{count(len(plan.systems))} systems, {count(plan.n_points)} points"),
        ("grid", f"{_product(plan.dims)} = {count(spec.grid.size)} grid points"),
        ("computed", _computed(plan)),
        *_readings(plan),
        ("metrics", _metrics(plan)),
        ("result", f"{size(plan.bytes)} before compression, {len(plan.variables)} arrays, {count(plan.files)} files"),
        ("work", f"{count(plan.evaluations)} evaluations in {_blocks(len(plan.blocks))}"),
        ("memory", f"{size(_largest_block(plan))} a worker for the largest block, beside Python's own"),
        ("time", _time(plan)),
        *_caution(plan),
    ]
    lines = [f"  {label:<10}{text}".rstrip() for label, text in rows]
    return "\n".join([f"Plan of a sweep of {name} ({title})", *lines])


def _caution(plan: "Plan") -> Iterable[tuple[str, str]]:
    """Yield a warning when no grid point that was probed has a value."""
    if not plan.finite_where_probed:
        sample = plan.origin.get("sample", "all")
        yield "caution", f"the model is not finite at every point of sample {sample!r}: its metrics will be NaN there;"
        yield "", "choose a sample without flagged points"


def _product(dims: "Mapping[str, int]") -> str:
    return " × ".join(f"{dim} {n}" for dim, n in dims.items())


def _blocks(n: int) -> str:
    return "1 block" if n == 1 else f"{count(n)} blocks"


def _computed(plan: "Plan") -> str:
    n = len(plan.sections)
    readings = "1 reading" if n == 1 else f"{n} readings"
    repeated = plan.spec.grid.size - plan.points_computed
    rest = f"; {count(repeated)} repeat them" if repeated else ""
    return f"{count(plan.points_computed)} grid points in {readings} of the model{rest}"


def _readings(plan: "Plan") -> Iterable[tuple[str, str]]:
    """Yield a line for each of the first readings: its labels, the axes it uses, those it repeats along."""
    shown = 8
    if len(plan.sections) == 1 and not plan.spec.grid.label_dims and all(plan.used_dims(plan.sections[0])):
        return
    for section in plan.sections[:shown]:
        yield "", f"{_labels(plan, section)}: {_axes(plan, section)}"
    if len(plan.sections) > shown:
        yield "", f"and {len(plan.sections) - shown} more"


def _labels(plan: "Plan", section: "Section") -> str:
    found = []
    for position, dim in enumerate(plan.spec.grid.label_dims):
        at = dict.fromkeys(place[position] for place in section.places)
        for axis in plan.spec.grid.along(dim):
            found.append(f"{axis.name}={'|'.join(dict.fromkeys(str(axis.values[i]) for i in at))}")
    return ", ".join(found) or "everywhere"


def _axes(plan: "Plan", section: "Section") -> str:
    lengths = [(dim, n) for dim, n in plan.dims.items() if dim not in plan.spec.grid.label_dims]
    used = dict(zip(plan.dims, plan.used_dims(section), strict=True))
    over = [dim for dim, _ in lengths if used[dim]]
    idle = [dim for dim, n in lengths if not used[dim] and n > 1]
    n = prod(length for dim, length in lengths if used[dim])
    computed = f"{count(n)} over {' × '.join(over)}" if over else "1"
    return f"{computed}, repeated along {', '.join(idle)}" if idle else computed


def _metrics(plan: "Plan") -> str:
    spec = plan.spec
    kept = f", each {plan.system_dim}'s as {spec.dtype}" if spec.keep_systems else ""
    text = ", ".join(metric.name for metric in spec.metrics) + kept
    if spec.reference is None:
        return text
    settings = ", ".join(f"{name}={number(value)}" for name, value in spec.reference.settings.items())
    return f"{text}; win_rate against {spec.reference.kernel.name}{f' ({settings})' if settings else ''}"


def _largest_block(plan: "Plan") -> int:
    """Return the bytes of the values that a worker holds while it computes the largest block."""
    points = max(plan.block(0, section, (0,) * len(plan.dims)).size for section in plan.sections)
    sizes = (
        (len(plan.systems) if plan.system_dim in v.dims else 1) * np.dtype(v.dtype).itemsize for v in plan.variables
    )
    return points * sum(sizes)


def _time(plan: "Plan") -> str:
    if plan.seconds is None:
        return "not probed"
    rate = 1.0 / plan.seconds_per_evaluation if plan.seconds_per_evaluation else 0.0
    loops = "the loop" if len(plan.sections) == 1 else f"{len(plan.sections)} loops"
    return (
        f"about {duration(plan.seconds)} on one core of this machine ({count(rate)} evaluations/s), "
        f"and on each worker the compiling of {loops}"
    )


def plan_record(plan: "Plan") -> dict[str, Any]:
    """Return the figures of a plan as JSON-able values: times in seconds, sizes in bytes."""
    return {
        "kernel": plan.spec.kernel.name,
        "systems": len(plan.systems),
        "points": plan.n_points,
        "grid": dict(plan.dims),
        "grid_points": plan.spec.grid.size,
        "grid_points_computed": plan.points_computed,
        "readings": len(plan.sections),
        "evaluations": plan.evaluations,
        "blocks": len(plan.blocks),
        "bytes": plan.bytes,
        "files": plan.files,
        "bytes_largest_block": _largest_block(plan),
        "seconds_one_core": plan.seconds,
    }
