"""What a sweep will compute and write, decided before anything runs: pure values, no I/O.

Labels split a grid into *sections*: within one, a single reading of the model is compiled and the numeric axes are
swept. Each section computes only the axes that its labels use, once; along the others its values are repeated when they
are written, so that the result is dense and slices as one would expect. Sections whose labels make no difference to one
another are computed once as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import ceil, prod
from typing import Any, overload

import numpy as np

from sigcube.constants import CONSTANTS
from sigcube.errors import SpecError
from sigcube.model.graph import Frame, Graph, Variables, model_choices, model_parameters, resolve, resolve_labels
from sigcube.model.metrics import Metric, check_system_variables, sums_of, terms_of
from sigcube.model.record import Kernel
from sigcube.model.settings import check_names, split
from sigcube.plan.checks import check_dims, check_reference, check_spec
from sigcube.plan.identity import describe_identity, result_attrs, result_coords
from sigcube.plan.layout import Layout, ResultVariable, lay_out
from sigcube.plan.spec import Spec

__all__ = ["Block", "BoundModel", "Plan", "Section", "make_plan"]


@dataclass(frozen=True)
class BoundModel:
    """One model with its labels settled: its terms, the values held fixed, the dimension of each swept parameter."""

    graph: Graph
    fixed: tuple[tuple[str, float], ...]
    swept: tuple[tuple[str, str], ...]

    @cached_property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that the terms vary with, each once."""
        return tuple(dict.fromkeys(dim for _, dim in self.swept))


@dataclass(frozen=True)
class Section:
    """The part of a grid that shares one bound model: its places along the label dimensions, and what is evaluated."""

    index: int
    labels: Mapping[str, str]
    places: tuple[tuple[int, ...], ...]
    model: BoundModel
    reference: BoundModel | None


@dataclass(frozen=True)
class Block:
    """One task: a tile of a section, and the whole chunks that its values go to.

    Attributes
    ----------
    index, section : int
        Number of the block, and of its section.
    tile : tuple of slice
        The part computed, over the grid's dimensions; of length one along those that the section does not use.
    regions : tuple of tuple of slice
        Where the values are written, over the grid's dimensions.
    """

    index: int
    section: int
    tile: tuple[slice, ...]
    regions: tuple[tuple[slice, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the part computed."""
        return tuple(part.stop - part.start for part in self.tile)

    @property
    def size(self) -> int:
        """Number of grid points computed."""
        return prod(self.shape)


class Blocks(Sequence[Block]):
    """The blocks of a plan, made when asked for: a plan of a million blocks costs nothing to hold."""

    def __init__(self, plan: "Plan") -> None:
        self._plan = plan
        self._counts = [plan.tile_counts(section) for section in plan.sections]
        self._starts = np.cumsum([0, *(prod(counts) for counts in self._counts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        section = int(np.searchsorted(self._starts, index, side="right")) - 1
        position = np.unravel_index(index - int(self._starts[section]), self._counts[section])
        return self._plan.block(index, self._plan.sections[section], tuple(int(i) for i in position))


@dataclass(frozen=True)
class Plan:
    """A sweep, decided: sections, blocks, result variables, and what they cost.

    Attributes
    ----------
    spec : Spec
        What was asked.
    systems : tuple of str
        Names of the systems in the sample.
    n_points : int
        Number of points of the sample.
    sections : tuple of Section
        The readings of the model.
    layout : Layout
        Shards, chunks and variables of the result.
    origin : Mapping
        Where the data come from: title, citation, licence, sample, fingerprint ... of the cube.
    seconds_per_evaluation : float or None
        Time of one point and parameter combination on one core of this machine, where it was probed.
    finite_where_probed : bool
        Whether the probe found a grid point at which the model is finite for the whole sample.
    """

    spec: Spec
    systems: tuple[str, ...]
    n_points: int
    sections: tuple[Section, ...]
    layout: Layout
    origin: Mapping[str, Any] = field(default_factory=dict)
    seconds_per_evaluation: float | None = None
    finite_where_probed: bool = True

    @property
    def dims(self) -> dict[str, int]:
        """Lengths of the grid's dimensions."""
        return self.spec.grid.dims

    @property
    def system_dim(self) -> str | None:
        """The dimension of systems: ``galaxy``, say; None where all points are of one system."""
        return self.spec.frame.system_dim

    @property
    def variables(self) -> tuple[ResultVariable, ...]:
        """The arrays of the result."""
        return self.layout.variables

    @property
    def coords(self) -> dict[str, Any]:
        """The coordinates of the result, for xarray."""
        return result_coords(self.spec, self.systems, self.sections)

    @cached_property
    def identity(self) -> dict[str, str]:
        """What must be equal for a run to be taken up again, part by part in words."""
        return describe_identity(self.spec, self.origin, self.layout.tile)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the result: how it was made, in full."""
        return result_attrs(self.spec, self.origin, self.identity)

    @cached_property
    def blocks(self) -> Sequence[Block]:
        """The tasks, in the order in which they are handed out."""
        return Blocks(self)

    @cached_property
    def points_computed(self) -> int:
        """Number of grid points that are computed; the others repeat them."""
        return sum(self.section_size(section) for section in self.sections)

    def section_size(self, section: Section) -> int:
        """Return the number of grid points that a section computes."""
        return prod(self._lengths(section))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The variables of the cube that the models need."""
        readings = [r for section in self.sections for r in (section.model, section.reference) if r is not None]
        names = [name for r in readings for name in (*r.graph.points, *r.graph.systems)]
        return tuple(dict.fromkeys([*names, *(name for m in self.spec.metrics for name in m.system_variables)]))

    @property
    def evaluations(self) -> int:
        """Number of evaluations of the model: grid points computed × points of the sample."""
        return self.points_computed * self.n_points

    @property
    def seconds(self) -> float | None:
        """Time on one core of this machine, where it was probed."""
        return None if self.seconds_per_evaluation is None else self.evaluations * self.seconds_per_evaluation

    @property
    def bytes(self) -> int:
        """Size of the result before compression."""
        return sum(variable.nbytes for variable in self.variables)

    @property
    def files(self) -> int:
        """Number of files that hold values."""
        return sum(variable.n_chunks for variable in self.variables)

    def used_dims(self, section: Section) -> tuple[bool, ...]:
        """Tell for each dimension of the grid whether a section computes along it."""
        return _along(self.spec, section)

    def _lengths(self, section: Section) -> tuple[int, ...]:
        return tuple(n if used else 1 for n, used in zip(self.dims.values(), self.used_dims(section), strict=True))

    def tile_counts(self, section: Section) -> tuple[int, ...]:
        """Return the number of tiles along each dimension that a section is cut into."""
        return tuple(ceil(n / tile) for n, tile in zip(self._lengths(section), self.layout.tile, strict=True))

    def block(self, index: int, section: Section, position: tuple[int, ...]) -> Block:
        """Return one block from its section and its position among the section's tiles."""
        lengths = self._lengths(section)
        tile = tuple(
            slice(i * size, min((i + 1) * size, n))
            for i, size, n in zip(position, self.layout.tile, lengths, strict=True)
        )
        return Block(index, section.index, tile, tuple(self._regions(section, tile)))

    def _regions(self, section: Section, tile: tuple[slice, ...]) -> Iterator[tuple[slice, ...]]:
        used = dict(zip(self.dims, zip(self.used_dims(section), tile, strict=True), strict=True))
        for place in section.places:
            at = dict(zip(self.spec.grid.label_dims, place, strict=True))
            yield tuple(
                slice(at[dim], at[dim] + 1) if dim in at else used[dim][1] if used[dim][0] else slice(0, n)
                for dim, n in self.dims.items()
            )

    def __repr__(self) -> str:
        from sigcube.plan.report import describe_plan

        return describe_plan(self)


def make_plan(
    spec: Spec,
    *,
    systems: Sequence[str],
    n_points: int,
    fewest_points: int,
    variables: Variables,
    origin: Mapping[str, Any] | None = None,
) -> Plan:
    """Decide what a sweep computes and writes.

    Parameters
    ----------
    spec : Spec
        What is asked.
    systems : sequence of str
        Names of the systems in the sample.
    n_points, fewest_points : int
        Points of the sample in all, and of its smallest system.
    variables : Variables
        What the cube offers.
    origin : Mapping, optional
        Where the data come from.

    Raises
    ------
    SpecError
        For a name, label, value or combination that makes no sense, before anything runs.
    DataError
        For a cube that lacks what the kernel needs.
    """
    check_spec(spec, fewest_points)
    check_system_variables(spec.metrics, variables)
    sections = _sections(spec, variables)
    _check_axes_are_used(spec, sections)
    used = [_along(spec, section) for section in sections]
    layout = lay_out(spec, used=used, n_systems=len(systems), n_points=n_points)
    check_dims(spec, {variable.name for variable in layout.variables})
    return Plan(spec, tuple(systems), n_points, sections, layout, origin or {})


def _along(spec: Spec, section: Section) -> tuple[bool, ...]:
    return tuple(dim in section.model.dims for dim in spec.grid.dims)


def _sections(spec: Spec, variables: Variables) -> tuple[Section, ...]:
    """Settle the labels at each place of the label dimensions; join the places where the same reading results."""
    grid = spec.grid
    places: dict[tuple[BoundModel, BoundModel | None], list[tuple[int, ...]]] = {}
    labels: dict[tuple[BoundModel, BoundModel | None], Mapping[str, str]] = {}
    # An axis of one value is a parameter held fixed: a loop over it would only keep terms apart.
    single = {dim: 0 for dim, n in grid.dims.items() if n == 1}
    for place in product(*(range(grid.dims[dim]) for dim in grid.label_dims)):
        at = single | dict(zip(grid.label_dims, place, strict=True))
        settings = {**spec.settings, **{axis.name: axis.values[at[axis.dim]] for axis in grid.axes if axis.dim in at}}
        swept = {axis.name: axis.dim for axis in grid.axes if axis.dim not in at}
        model, settled = _read(spec.kernel, spec.frame, settings, swept, spec.metrics, variables)
        key = (model, _reference(spec, settings, swept, variables))
        _check_reference_follows(*key)
        places.setdefault(key, []).append(place)
        labels.setdefault(key, settled)
    return tuple(
        Section(index, labels[key], tuple(found), key[0], key[1]) for index, (key, found) in enumerate(places.items())
    )


def _check_reference_follows(model: BoundModel, reference: BoundModel | None) -> None:
    """Refuse a reference that varies where the model does not: its sums would have nothing to be compared with."""
    if reference is not None and (alone := set(reference.dims) - set(model.dims)):
        raise SpecError(
            f"the reference varies along {sorted(alone)[0]!r}, which the model does not use",
            where="reference",
            hint="hold that parameter fixed under the reference, or leave the axis out",
        )


def _read(
    kernel: Kernel,
    frame: Frame,
    settings: Mapping[str, Any],
    swept: Mapping[str, str],
    metrics: tuple[Metric, ...],
    variables: Variables,
) -> tuple[BoundModel, Mapping[str, str]]:
    given_labels, given_values = split(kernel, frame, settings)
    labels = resolve_labels(kernel, frame, {name: str(label) for name, label in given_labels.items()})
    sums, terms = sums_of(metrics), terms_of(metrics)
    graph = resolve(kernel, frame, labels=labels, targets=sums, variables=variables, extra=terms)
    constants = CONSTANTS[labels["constants"]]
    parameters = model_parameters(kernel, frame)
    fixed = {name: float(getattr(constants, name)) for name in graph.constants}
    fixed |= {
        name: float(given_values.get(name, parameters[name].value(constants)))
        for name in graph.parameters
        if name not in swept
    }
    used = {name: dim for name, dim in swept.items() if name in graph.parameters}
    return BoundModel(graph, tuple(fixed.items()), tuple(used.items())), labels


def _reference(
    spec: Spec, settings: Mapping[str, Any], swept: Mapping[str, str], variables: Variables
) -> BoundModel | None:
    """Read the reference model with the sweep's baryons: a comparison is made at equal mass-to-light ratios."""
    if spec.reference is None:
        return None
    baryons = [parameter.name for parameter in spec.frame.parameters]
    shared = {*baryons, *(choice.name for choice in spec.frame.choices), "constants"}
    common = {name: value for name, value in settings.items() if name in shared}
    own = {**common, **spec.reference.settings}
    follows = {name: dim for name, dim in swept.items() if name in shared and name not in own}
    check_names(spec.reference.kernel, spec.frame, own, where="reference")
    metrics = tuple(metric for metric in spec.metrics if metric.name == "rms")
    model, labels = _read(spec.reference.kernel, spec.frame, own, follows, metrics, variables)
    check_reference(spec.reference, spec.frame, model.graph.parameters, labels)
    return model


def _check_axes_are_used(spec: Spec, sections: tuple[Section, ...]) -> None:
    used = {name for section in sections for name in section.model.graph.parameters}
    given = [
        *((a.name, f"axes.{a.name}") for a in spec.grid.axes if not a.is_label),
        *((n, f"parameters.{n}") for n in spec.settings),
    ]
    choices = {choice.name for choice in model_choices(spec.kernel, spec.frame)}
    for name, where in given:
        if name not in used and name not in choices:
            raise SpecError(
                f"no reading of {spec.kernel.name} in this sweep uses {name!r}",
                where=where,
                found=", ".join(sorted({f"{k}={v}" for s in sections for k, v in s.labels.items()})),
                hint="leave it out, or choose labels that use it",
            )
