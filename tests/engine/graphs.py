"""Small graphs of terms, the function that the engine writes for them run as plain Python, and brute force."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sigcube.engine.schedule import Schedule
from sigcube.engine.source import write_loop
from sigcube.model.graph import Graph, Level, Node
from sigcube.model.record import Reduction

POINTS, SYSTEMS, FIXED = ("p0", "p1"), ("s0",), ("c0",)
SWEPT = {"a": "i", "b": "j", "c": "k", "d": "j"}

Call = Callable[..., float]


@dataclass(frozen=True)
class Data:
    """Numbers for everything that enters a graph; whole ones, so that sums are exact in any order."""

    offsets: np.ndarray
    values: Mapping[str, np.ndarray]
    swept: Mapping[str, np.ndarray]


def data(lengths: Mapping[str, int], counts: tuple[int, ...], seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = {
        **{name: rng.integers(1, 9, offsets[-1]).astype(float) for name in POINTS},
        **{name: rng.integers(1, 9, len(counts)).astype(float) for name in SYSTEMS},
        **{name: rng.integers(1, 9, 1).astype(float) for name in FIXED},
    }
    return Data(offsets, values, {name: rng.integers(1, 9, lengths[dim]).astype(float) for name, dim in SWEPT.items()})


def mix(number: int) -> Call:
    """A function that tells its arguments apart, on whole numbers; arrays are told apart element by element."""

    def term(*arguments: Any) -> float:
        total = float(number)
        for place, argument in enumerate(arguments):
            weights = np.arange(1, np.size(argument) + 1) if np.ndim(argument) else 1.0
            total += (place + 2) * float(np.sum(weights * argument))
        return total % 97.0

    return term


def graph_of(*nodes: tuple[str, tuple[str, ...], bool], targets: tuple[str, ...]) -> Graph:
    """Make a graph from rows of name, inputs, and whether the term is a reduction."""
    levels = {**dict.fromkeys(POINTS, Level.POINT), **dict.fromkeys(SYSTEMS, Level.SYSTEM)}
    made = []
    for number, (name, inputs, reduces) in enumerate(nodes):
        level = max((levels.get(i, Level.GLOBAL) for i in inputs), default=Level.GLOBAL)
        levels[name] = Level.SYSTEM if reduces else level
        term = mix(number)
        made.append(Node(name, Reduction(term) if reduces else term, inputs, levels[name]))
    return Graph(tuple(made), targets, POINTS, SYSTEMS, (*SWEPT, *FIXED), ())


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to seven terms of anything before them, reductions among them; any of them as targets."""
    names: list[str] = [*POINTS, *SYSTEMS, *FIXED, *SWEPT]
    nodes = []
    for number in range(draw(st.integers(1, 7))):
        inputs = tuple(draw(st.lists(st.sampled_from(names), max_size=3)))
        nodes.append((f"t{number}", inputs, draw(st.integers(0, 3)) == 0))
        names.append(f"t{number}")
    own = [name for name, _, _ in nodes]
    targets = draw(st.lists(st.sampled_from([*own, "p1"]), min_size=1, max_size=3, unique=True))
    needed = set(targets)
    for name, inputs, _ in reversed(nodes):
        needed.update(inputs if name in needed else ())
    return graph_of(*(node for node in nodes if node[0] in needed), targets=tuple(targets))


def run(schedule: Schedule, given: Data, functions: Mapping[str, Call] | None = None) -> dict[str, np.ndarray]:
    """Run the written loop in plain Python."""
    graph = schedule.graph
    functions = functions or {node.name: node.function for node in graph.nodes}
    namespace: dict[str, Any] = {"np": np, **{f"f_{name}": function for name, function in functions.items()}}
    exec(write_loop(schedule), namespace)
    lengths = {dim: given.swept[name].size for name, dim in SWEPT.items()}
    shape = (given.offsets.size - 1, *(lengths[dim] for dim in schedule.order))
    sums = {name: np.full(shape, np.nan) for name in graph.targets}
    namespace["loop"](
        given.offsets,
        *(given.values[name] for name in (*graph.points, *graph.systems)),
        *(float(given.values[name][0]) for name in FIXED),
        *given.swept.values(),
        *sums.values(),
    )
    return sums


def brute_force(graph: Graph, given: Data, order: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Everything anew for every system and every grid point."""
    lengths = {dim: given.swept[name].size for name, dim in SWEPT.items()}
    n_systems = given.offsets.size - 1
    sums = {name: np.zeros((n_systems, *(lengths[dim] for dim in order))) for name in graph.targets}
    for s, place in product(range(n_systems), product(*(range(lengths[dim]) for dim in order))):
        found = _one(graph, given, s, dict(zip(order, place, strict=True)))
        points = given.offsets[s + 1] - given.offsets[s]
        for name in graph.targets:
            sums[name][(s, *place)] = np.sum(np.broadcast_to(found[name], points))
    return sums


def _one(graph: Graph, given: Data, s: int, place: Mapping[str, int]) -> dict[str, Any]:
    part = slice(given.offsets[s], given.offsets[s + 1])
    found: dict[str, Any] = {name: given.values[name][part] for name in POINTS}
    found |= {name: given.values[name][s] for name in SYSTEMS}
    found |= {name: given.values[name][0] for name in FIXED}
    found |= {name: values[place[SWEPT[name]]] for name, values in given.swept.items()}
    for node in graph.nodes:
        arguments = [found[name] for name in node.inputs]
        if node.level is Level.POINT:
            rows = range(part.stop - part.start)
            found[node.name] = np.array([node.function(*(a[p] if np.ndim(a) else a for a in arguments)) for p in rows])
        else:
            found[node.name] = node.function(*arguments)
    return found
