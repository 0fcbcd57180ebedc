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
from sigcube.model.record import PREVIOUS, Reduction

POINTS, SYSTEMS, FIXED = ("p0", "p1"), ("s0",), ("c0",)
SWEPT = {"a": "i", "b": "j", "c": "k", "d": "j"}

Call = Callable[..., float]


@dataclass(frozen=True)
class Data:
    """Numbers for everything that enters a graph; whole ones, so that sums are exact in any order."""

    offsets: np.ndarray
    values: Mapping[str, np.ndarray]
    swept: Mapping[str, np.ndarray]
    #: The points that reductions go over.
    whole: np.ndarray
    whole_points: Mapping[str, np.ndarray]


def data(lengths: Mapping[str, int], counts: tuple[int, ...], seed: int = 0, *, left_out: int = 0) -> Data:
    """Make numbers; of each system, some points are left out of the sums."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = {
        **{name: rng.integers(1, 9, offsets[-1]).astype(float) for name in POINTS},
        **{name: rng.integers(1, 9, len(counts)).astype(float) for name in SYSTEMS},
        **{name: rng.integers(1, 9, 1).astype(float) for name in FIXED},
    }
    swept = {name: rng.integers(1, 9, lengths[dim]).astype(float) for name, dim in SWEPT.items()}
    starts = np.repeat(offsets[1:], left_out)
    more = {name: np.insert(values[name], starts, rng.integers(1, 9, starts.size).astype(float)) for name in POINTS}
    return Data(offsets, values, swept, offsets + left_out * np.arange(offsets.size), more)


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
    """Make a graph from rows of name, inputs, and whether the term is a reduction.

    An input ``previous_x`` is the value of ``x`` at the point before.
    """
    earlier = dict.fromkeys(name for _, inputs, _ in nodes for name in inputs if name.startswith(PREVIOUS))
    levels = {**dict.fromkeys([*POINTS, *earlier], Level.POINT), **dict.fromkeys(SYSTEMS, Level.SYSTEM)}
    made = []
    for number, (name, inputs, reduces) in enumerate(nodes):
        level = max((levels.get(i, Level.GLOBAL) for i in inputs), default=Level.GLOBAL)
        levels[name] = Level.SYSTEM if reduces else level
        term = mix(number)
        made.append(Node(name, Reduction(term) if reduces else term, inputs, levels[name]))
    previous = tuple((name, name.removeprefix(PREVIOUS)) for name in earlier)
    return Graph(tuple(made), targets, POINTS, SYSTEMS, (*SWEPT, *FIXED), (), previous)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to seven terms of anything before them and of any terms at the point before, reductions among them.

    Any of them may be targets.
    """
    names: list[str] = [*POINTS, *SYSTEMS, *FIXED, *SWEPT]
    own = [f"t{number}" for number in range(draw(st.integers(1, 7)))]
    nodes: list[tuple[str, tuple[str, ...], bool]] = []
    for name in own:
        inputs = draw(st.lists(st.sampled_from(names), max_size=3))
        reduces = draw(st.integers(0, 3)) == 0
        before = [] if reduces else draw(st.lists(st.sampled_from([*POINTS, *own]), max_size=2))
        nodes.append((name, (*inputs, *(f"{PREVIOUS}{each}" for each in before)), reduces))
        names.append(name)
    targets = tuple(draw(st.lists(st.sampled_from([*own, "p1"]), min_size=1, max_size=3, unique=True)))
    part = _valid(nodes, targets).only(*targets)
    return graph_of(*((node.name, node.inputs, node.reduces) for node in part.nodes), targets=targets)


def _valid(nodes: list[tuple[str, tuple[str, ...], bool]], targets: tuple[str, ...]) -> Graph:
    """Leave out inputs that may not be: values at the point before of what no point has, and recursions in sums."""
    while True:
        graph = graph_of(*nodes, targets=targets)
        of_points = {*POINTS, *(node.name for node in graph.nodes if node.level is Level.POINT)}
        kept = []
        for name, inputs, reduces in nodes:
            refused = graph.recursive if reduces else {before for before, of in graph.previous if of not in of_points}
            kept.append((name, tuple(each for each in inputs if each not in refused), reduces))
        if kept == nodes:
            return graph
        nodes = kept


def run(schedule: Schedule, given: Data, functions: Mapping[str, Call] | None = None) -> dict[str, np.ndarray]:
    """Run the written loop in plain Python."""
    graph = schedule.graph
    functions = functions or {node.name: node.function for node in graph.nodes}
    namespace: dict[str, Any] = {"np": np, **{f"f_{name}": function for name, function in functions.items()}}
    source = write_loop(schedule)
    exec(source.text, namespace)
    lengths = {dim: given.swept[name].size for name, dim in SWEPT.items()}
    shape = (given.offsets.size - 1, *(lengths[dim] for dim in schedule.order))
    sums = {name: np.full(shape, np.nan) for name in graph.targets}
    namespace["loop"](
        given.offsets,
        *(given.values[name] for name in graph.points),
        given.whole,
        *(given.whole_points[name] for name in graph.reduced_points),
        *(given.values[name] for name in graph.systems),
        *(float(given.values[name][0]) for name in FIXED),
        *given.swept.values(),
        *sums.values(),
        *(array for table in source.tables for array in table.make(lengths)),
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
    part, whole = (slice(offsets[s], offsets[s + 1]) for offsets in (given.offsets, given.whole))
    found: dict[str, Any] = {name: given.values[name][part] for name in POINTS}
    over_whole = {name: given.whole_points[name][whole] for name in POINTS}
    found |= {name: given.values[name][s] for name in SYSTEMS}
    found |= {name: given.values[name][0] for name in FIXED}
    found |= {name: values[place[SWEPT[name]]] for name, values in given.swept.items()}
    for node in graph.nodes:
        if node.name in graph.recursive:
            found[node.name] = np.full(part.stop - part.start, np.nan)
            continue
        if node.level is not Level.POINT:
            found[node.name] = node.function(*(over_whole.get(name, found[name]) for name in node.inputs))
            continue
        for values, n in ((found, part.stop - part.start), (over_whole, whole.stop - whole.start)):
            arguments = [values.get(name, found[name]) for name in node.inputs]
            rows = range(n)
            values[node.name] = np.array([node.function(*(a[p] if np.ndim(a) else a for a in arguments)) for p in rows])
    for p in range(part.stop - part.start):
        before = {name: found[of][p - 1] if p else 0.0 for name, of in graph.previous}
        for node in (each for each in graph.nodes if each.name in graph.recursive):
            here = (before[name] if name in before else found[name] for name in node.inputs)
            found[node.name][p] = node.function(*(value[p] if np.ndim(value) else value for value in here))
    return found
