"""The plan of a sweep: what it will compute and write, decided before anything runs. A plan can be printed.

Labels split a grid into *sections*: each compiles one bound model and sweeps the numeric axes. A section computes only
the axes that its labels use, once; along the others its values are repeated on writing, so that the result is dense and
slices as one would expect. Sections whose labels make no difference between them are computed once as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from sigcube.chunks import Region
from sigcube.plan.blocks import Blocks, sections_in
from sigcube.plan.checks import check_dims
from sigcube.plan.identity import SECTION, describe_identity, fixed_coords, result_attrs, result_coords
from sigcube.plan.layout import Layout, lay_out
from sigcube.plan.spec import Spec
from sigcube.plan.values import ResultVariable, Section
from sigcube.wording import count, duration, number, plural, size

__all__ = ["Plan", "make_plan", "plan_record"]

# Compression left 0.7 to 0.85 of the bytes of summaries of SPARC; where the model is not finite, it leaves none.
_COMPRESSED = 0.5
#: What was told of the data, beside their sample.
_ABOUT_DATA = ("where", "error_floor", "errors")
# The most sections that a printed plan lists.
_LISTED = 8


@dataclass(frozen=True)
class Plan:
    """A planned sweep: its sections, blocks, result variables, and what they cost.

    Attributes
    ----------
    spec : Spec
        The spec, with axes in the order of the store.
    systems : tuple of str
        Names of the systems in the sample.
    n_points : int
        Number of points of the sample.
    sections : tuple of Section
        The parts of the grid that share a bound model.
    layout : Layout
        Chunks and variables of the result.
    stages : tuple of Region
        The regions of the grid in the order in which they are computed: the whole of it, and what each extension added.
    asked : Spec
        The spec as it was written; an extension stores new values of an axis after the old ones, wherever they belong.
    origin : Mapping
        The source of the data: title, citation, licence, sample, fingerprint ... of the cube.
    seconds_per_evaluation : float or None
        Time of one evaluation on one core of this machine, if it was probed.
    seconds_to_compile : float or None
        Time to compile a loop, if there are several, and if the one that was tried was not on disk already.
    finite_where_probed : bool
        Whether the probe found a grid point at which the model is finite for the whole sample.
    """

    spec: Spec
    systems: tuple[str, ...]
    n_points: int
    sections: tuple[Section, ...]
    layout: Layout
    stages: tuple[Region, ...]
    asked: Spec
    origin: Mapping[str, Any] = field(default_factory=dict)
    seconds_per_evaluation: float | None = None
    seconds_to_compile: float | None = None
    finite_where_probed: bool = True

    @property
    def dims(self) -> dict[str, int]:
        """Lengths of the grid's dimensions."""
        return self.spec.grid.dims

    @property
    def system_dim(self) -> str | None:
        """The dimension of systems: ``galaxy``, say; None where all points are of one system."""
        return self.spec.model.frame.system_dim

    @property
    def variables(self) -> tuple[ResultVariable, ...]:
        """The arrays of the result."""
        return self.layout.variables

    @property
    def coords(self) -> dict[str, Any]:
        """The coordinates of the result, for xarray."""
        own = {*self.dims, *(variable.name for variable in self.variables)}
        fixed = fixed_coords(list(self.spec.models.values()))
        coords = {name: each for name, each in fixed.items() if name not in own}
        return coords | result_coords(self.spec, self.systems, self.sections)

    @cached_property
    def identity(self) -> dict[str, str]:
        """What must be equal for a run to resume, part by part in words."""
        return describe_identity(self.spec, self.origin, self.layout.tile, self.stages)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the result: how it was made, in full."""
        return result_attrs(self.asked, self.origin, self.identity)

    @cached_property
    def blocks(self) -> Blocks:
        """The blocks, in the order in which they are submitted."""
        return Blocks(self.spec.grid, tile=self.layout.tile, stages=self.stages, sections=self.sections)

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Number of grid points computed in each block."""
        return tuple(self.blocks.sizes.tolist())

    @property
    def points_computed(self) -> int:
        """Number of grid points that are computed; the others repeat them."""
        return self.blocks.points_computed

    @property
    def evaluations(self) -> int:
        """Number of evaluations of the model: grid points computed × points of the sample."""
        return self.points_computed * self.n_points

    @property
    def seconds(self) -> float | None:
        """Time on one core of this machine, if it was probed."""
        return None if self.seconds_per_evaluation is None else self.evaluations * self.seconds_per_evaluation

    @property
    def bytes(self) -> int:
        """Size of the result before compression."""
        return sum(variable.nbytes for variable in self.variables)

    @property
    def files(self) -> int:
        """Number of files that hold values."""
        return sum(variable.n_chunks for variable in self.variables)

    @property
    def bytes_largest_block(self) -> int:
        """Bytes of values that a worker holds while it computes the largest block."""
        points = max(self.blocks.first_of(section).size for section in self.sections)
        rows = (len(self.systems) if self.system_dim in each.dims else 1 for each in self.variables)
        return points * sum(n * np.dtype(each.dtype).itemsize for n, each in zip(rows, self.variables, strict=True))

    def used_dims(self, section: Section) -> tuple[bool, ...]:
        """Return for each dimension of the grid whether a section computes along it."""
        return section.used_dims(self.dims)

    def least_bytes(self, todo: Sequence[int] | None = None) -> float:
        """Return the least number of bytes that some blocks, or all, take on disk.

        Compressed values count half, and repeated ones once.
        """
        which = slice(None) if todo is None else np.array(todo, dtype=np.intp)
        computed, written = int(self.blocks.sizes[which].sum()), int(self.blocks.written[which].sum())
        found = 0.0
        for each in self.variables:
            size = np.dtype(each.dtype).itemsize * prod(each.shape[: len(each.shape) - len(self.dims)])
            found += size * (_COMPRESSED * computed if each.compressed else written)
        return found

    def __repr__(self) -> str:
        return _describe(self)


def make_plan(
    spec: Spec,
    sections: tuple[Section, ...],
    *,
    systems: Sequence[str],
    n_points: int,
    origin: Mapping[str, Any] | None = None,
    stages: tuple[Region, ...] = (),
    asked: Spec | None = None,
) -> Plan:
    """Plan what a sweep computes and writes.

    Parameters
    ----------
    spec, sections, systems, n_points, origin, stages, asked
        As for `Plan`; the sections as `sigcube.plan.sections.make_sections` returns them. Without stages there is one,
        the whole grid.

    Raises
    ------
    SpecError
        For a dimension with a name that the result uses itself.
    """
    stages = stages or (tuple(slice(0, n) for n in spec.grid.shape),)
    begun = [part.stop for part in stages[0]]
    at_first = sections_in(stages[0], spec.grid, sections)
    used = [section.used_dims(spec.grid.dims) for section in at_first]
    layout = lay_out(spec, begun=begun, used=used, n_systems=len(systems), n_points=n_points)
    check_dims(spec, {SECTION, *(variable.name for variable in layout.variables)})
    return Plan(spec, tuple(systems), n_points, sections, layout, stages, asked or spec, origin or {})


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the figures of a plan as JSON-able values: times in seconds, sizes in bytes."""
    return {
        "kernel": ", ".join(kernel.name for kernel in plan.spec.kernels),
        "systems": len(plan.systems),
        "points": plan.n_points,
        **{name: plan.origin[name] for name in ("sample", *_ABOUT_DATA, "lacking") if name in plan.origin},
        "grid": dict(plan.dims),
        "grid_points": plan.spec.grid.size,
        "grid_points_computed": plan.points_computed,
        "readings": len(plan.sections),
        "evaluations": plan.evaluations,
        "blocks": len(plan.blocks),
        "bytes": plan.bytes,
        "files": plan.files,
        "bytes_largest_block": plan.bytes_largest_block,
        "seconds_one_core": plan.seconds,
        "seconds_to_compile": None if plan.seconds_to_compile is None else len(plan.sections) * plan.seconds_to_compile,
    }


def _describe(plan: Plan) -> str:
    """Return a plan as text: what is computed, what is written, what it costs."""
    grid, titles = plan.spec.grid, ", ".join(kernel.title for kernel in plan.spec.kernels)
    repeated = grid.size - plan.points_computed
    rest = f"; {count(repeated)} repeat them" if repeated else ""
    readings = plural(len(plan.sections), "reading")
    points = "1 grid point" if plan.points_computed == 1 else f"{count(plan.points_computed)} grid points"
    blocks = "1 block" if len(plan.blocks) == 1 else f"{count(len(plan.blocks))} blocks"
    rows = [
        ("data", f"{count(len(plan.systems))} systems, {count(plan.n_points)} points"),
        *(("", f"{name.replace('_', ' ')} {plan.origin[name]}") for name in _ABOUT_DATA if name in plan.origin),
        ("grid", f"{grid.text} = {count(grid.size)} grid points" if grid.dims else "a single point"),
        ("computed", f"{points} in {readings} of the model{rest}"),
        *(("", line) for line in _describe_sections(plan)),
        ("metrics", _describe_metrics(plan)),
        ("result", f"{size(plan.bytes)} before compression, {len(plan.variables)} arrays, {count(plan.files)} files"),
        ("work", f"{count(plan.evaluations)} evaluations in {blocks}"),
        ("memory", f"{size(plan.bytes_largest_block)} a worker for the largest block, beside Python's own"),
        ("time", _describe_time(plan)),
    ]
    if "lacking" in plan.origin:
        rows += [("caution", part) for part in str(plan.origin["lacking"]).split("; ")]
    elif not plan.finite_where_probed:
        what = f"the model is not finite at every point of sample {plan.origin.get('sample', 'all')!r},"
        rows += [("caution", what), ("", "at the grid points that were tried: its metrics will be NaN there")]
    lines = [f"  {label:<10}{text}".rstrip() for label, text in rows]
    return "\n".join([f"Plan of a sweep of {plan.spec.name} ({titles})", *lines])


def _describe_sections(plan: Plan) -> Iterable[str]:
    """Yield a line for each of the first sections: its labels, the axes it uses, those it repeats along."""
    if len(plan.sections) == 1 and not plan.spec.grid.label_dims and all(plan.used_dims(plan.sections[0])):
        return
    for section in plan.sections[:_LISTED]:
        yield f"{_describe_labels(plan, section)}: {_describe_axes(plan, section)}"
    if len(plan.sections) > _LISTED:
        yield f"and {len(plan.sections) - _LISTED} more"


def _describe_labels(plan: Plan, section: Section) -> str:
    found = []
    for i, dim in enumerate(plan.spec.grid.label_dims):
        at = dict.fromkeys(position[i] for position in section.positions)
        for axis in plan.spec.grid.along(dim):
            found.append(f"{axis.name}={'|'.join(dict.fromkeys(str(axis.values[i]) for i in at))}")
    return ", ".join(found) or "everywhere"


def _describe_axes(plan: Plan, section: Section) -> str:
    lengths = {dim: n for dim, n in plan.dims.items() if dim not in plan.spec.grid.label_dims}
    used = dict(zip(plan.dims, plan.used_dims(section), strict=True))
    over = [dim for dim in lengths if used[dim]]
    idle = [dim for dim, n in lengths.items() if not used[dim] and n > 1]
    computed = f"{count(prod(lengths[dim] for dim in over))} over {' × '.join(over)}" if over else "1"
    return f"{computed}, repeated along {', '.join(idle)}" if idle else computed


def _describe_metrics(plan: Plan) -> str:
    spec = plan.spec
    kept = f", each {plan.system_dim}'s as {spec.dtype}" if spec.keep_systems else ""
    text = ", ".join(metric.name for metric in spec.metrics) + kept
    if spec.reference is None:
        return text
    settings = ", ".join(f"{name}={number(value)}" for name, value in spec.reference.settings.items())
    return f"{text}; win_rate against {spec.reference.kernel.name}{f' ({settings})' if settings else ''}"


def _describe_time(plan: Plan) -> str:
    if plan.seconds is None:
        return "not probed"
    rate = 1.0 / plan.seconds_per_evaluation if plan.seconds_per_evaluation else 0.0
    return (
        f"about {duration(plan.seconds)} on one core of this machine ({count(rate)} evaluations/s), "
        f"and {_describe_compiling(plan)}"
    )


def _describe_compiling(plan: Plan) -> str:
    n, each = len(plan.sections), plan.seconds_to_compile
    loops = "the loop" if n == 1 else f"{count(n)} loops"
    if each is None:
        return f"the compiling of {loops}, once"
    return f"the compiling of {loops}, once: about {duration(n * each)} on one core"
