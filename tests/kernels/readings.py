"""Every reading of every registered kernel, and ways to compose its terms: registering a kernel is what tests it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from sigcube.cube import KINDS, Packed, pack
from sigcube.kernels import KERNELS
from sigcube.model.compile import scalar, ufunc
from sigcube.model.frames import FRAMES, variables_of
from sigcube.model.graph import Graph, Level, Variables
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.readers.mock import mock_survey

FRAME = FRAMES["galaxy"]
TARGETS = ("boost", "predicted")


class Reading(NamedTuple):
    """A kernel with labels for its choices, and the terms behind boost and prediction."""

    kernel: Kernel
    labels: Mapping[str, str]
    graph: Graph

    def __str__(self) -> str:
        return "-".join([self.kernel.name, *self.labels.values()])

    @property
    def model(self) -> Model:
        return Model(self.kernel, FRAME, self.labels)

    @property
    def chosen(self) -> dict[str, str]:
        return dict(self.labels)

    @property
    def constants(self) -> dict[str, float]:
        return {name: getattr(self.model.constants, name) for name in self.graph.constants}

    @property
    def defaults(self) -> dict[str, float]:
        return {name: self.model.parameters[name].value(self.model.constants) for name in self.graph.parameters}


@cache
def small_survey() -> xr.Dataset:
    """Six galaxies of 5 to 9 points, one of them with a bulge, one with gas that pulls outwards; each in some field."""
    survey = mock_survey(n_galaxies=6, seed=6, points=(5, 9))
    attrs = {**KINDS["galaxy"].variable("g_environment").attrs(source="synthetic")}
    return survey.assign(g_environment=("galaxy", np.geomspace(1e-13, 1e-11, 6), attrs))


@cache
def packed_survey() -> Packed:
    cube = small_survey()
    return pack(cube, sample="unflagged", variables=sorted(variables().points | variables().systems))


@cache
def variables() -> Variables:
    return variables_of(small_survey())


def read(kernel: Kernel, labels: Mapping[str, str]) -> Reading:
    graph = Model(kernel, FRAME, labels).graph(TARGETS, variables=variables())
    return Reading(kernel, labels, graph)


def _single(kernel: Kernel) -> list[dict[str, str]]:
    """All defaults, then one choice at a time off its default."""
    off = [{c.name: label} for c in Model(kernel, FRAME).choices.values() for label in c.options if label != c.default]
    return [{}, *off]


def _crossed(kernel: Kernel) -> list[dict[str, str]]:
    """Two choices of the kernel at a time; those of baryons and constants change what enters, and no formula."""
    own = {choice.name for choice in kernel.choices}
    single = [labels for labels in _single(kernel)[1:] if labels.keys() <= own]
    return [{**one, **two} for one, two in combinations(single, 2) if not one.keys() & two.keys()]


def _readings(labellings: Callable[[Kernel], list[dict[str, str]]]) -> list[Reading]:
    """Readings that differ: a choice that the others leave without effect gives no new one."""
    distinct: dict[object, Reading] = {}
    for kernel in KERNELS.values():
        for labels in labellings(kernel):
            reading = read(kernel, labels)
            distinct.setdefault((kernel.name, reading.graph, labels.get("constants")), reading)
    return list(distinct.values())


SINGLE = _readings(_single)
ALL = _readings(lambda kernel: [*_single(kernel), *_crossed(kernel)])


def compose(
    graph: Graph,
    values: Mapping[str, Any],
    call: Callable[..., Any],
    fold: Callable[..., Any],
) -> dict[str, Any]:
    """Compute the terms of a graph for one system, in the order in which the graph has them."""
    found = dict(values)
    for node in graph.nodes:
        arguments = [found[name] for name in node.inputs]
        found[node.name] = fold(node, arguments) if node.reduces else call(node, arguments)
    # A target may go by another name.
    return {**found, **{target: found[name] for target, name in zip(TARGETS, graph.targets, strict=True)}}


def by_ufunc(graph: Graph, values: Mapping[str, Any]) -> dict[str, Any]:
    """Compose compiled ufuncs."""
    with np.errstate(all="ignore"):
        return compose(
            graph,
            values,
            lambda node, arguments: ufunc(node.function)(*arguments) if arguments else node.function(),
            lambda node, arguments: scalar(node.function)(*arguments),
        )


def by_python(graph: Graph, values: Mapping[str, Any]) -> dict[str, Any]:
    """Call the plain functions, point by point, on whatever numbers the values are."""
    size = len(values["r"])

    def call(node: Any, arguments: list[Any]) -> Any:
        if node.level is not Level.POINT:
            return node.function(*arguments)
        return _objects([node.function(*(_at(a, i) for a in arguments)) for i in range(size)])

    return compose(graph, values, call, lambda node, arguments: node.function(*arguments))


def _at(value: Any, i: int) -> Any:
    return value[i] if isinstance(value, np.ndarray) else value


def _objects(items: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def system(packed: Packed, graph: Graph, i: int) -> dict[str, Any]:
    """The variables of one packed system that a graph names."""
    part = slice(packed.offsets[i], packed.offsets[i + 1])
    points = {name: packed.points[name][part] for name in {*graph.points, "r"}}
    return {**points, **{name: float(packed.per_system[name][i]) for name in graph.systems}}
