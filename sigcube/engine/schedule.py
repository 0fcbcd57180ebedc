"""Where each term is computed: a loop nest in which nothing is computed more often than its inputs change.

The nest is systems → points → dimensions of the grid, the last of them innermost, where it vectorises. A term that
varies with the dimensions D is computed once for each combination of them:

- its *prefix* is the longest run of outer dimensions that D holds, short of D's own innermost;
- it is computed inside the loops of the prefix, in a loop nest over the *rest* of D, and kept in a table over the
  rest.

So the work of a term is the product of the lengths of D, whatever the order of the dimensions, and its innermost loop
runs along a row that vectorises. A term with a single consumer in the same place joins the consumer's loop and needs
no table.

A row shorter than a vector would stay scalar. Where the lengths are known and the innermost dimension is short, the
prefix gives up dimensions until the rest is long enough, and the rest is *flattened*: one loop runs over all of it,
filled up to whole vectors with its last combination, and what enters is spread out along it beforehand. The sums keep
their rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from sigcube.model.graph import Graph, Level, Node

__all__ = ["Place", "Schedule"]

# A shorter row leaves too much to the scalar loop behind the vector loop.
_GOOD_ROW = 32


@dataclass(frozen=True)
class Place:
    """Level of the nest, number of grid loops around, dimensions looped over on the spot, and whether by one loop."""

    level: Level
    depth: int
    rest: tuple[str, ...]
    flat: bool = False


@dataclass(frozen=True)
class Schedule:
    """The places of all terms of a graph, for one nesting order of the dimensions.

    Attributes
    ----------
    graph : Graph
        Terms in topological order; its targets are added up over points.
    swept : Mapping
        The dimension of each swept parameter.
    order : tuple of str
        The dimensions, outermost first; at least one.
    lengths : Mapping
        The length of each dimension; without them, no row is taken for short.
    """

    graph: Graph
    swept: Mapping[str, str]
    order: tuple[str, ...]
    lengths: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The terms by name."""
        return {node.name: node for node in self.graph.nodes}

    @cached_property
    def dims(self) -> dict[str, frozenset[str]]:
        """The dimensions that each name varies with."""
        found = {name: frozenset({dim}) for name, dim in self.swept.items()}
        for node in self.graph.nodes:
            found[node.name] = frozenset().union(*(found.get(name, frozenset()) for name in node.inputs))
        return found

    def level(self, name: str) -> Level:
        """Return what a name varies with besides the grid."""
        if name in self.nodes:
            return self.nodes[name].level
        if name in self.graph.points:
            return Level.POINT
        return Level.SYSTEM if name in self.graph.systems else Level.GLOBAL

    def place(self, name: str) -> Place:
        """Return where a term is computed."""
        return self._place(self.level(name), self.dims[name])

    @property
    def sum_place(self) -> Place:
        """Where the targets are added up: in the innermost loop."""
        return self._place(Level.POINT, frozenset(self.order))

    def _place(self, level: Level, dims: frozenset[str]) -> Place:
        ordered = tuple(dim for dim in self.order if dim in dims)
        if level is not Level.POINT:
            return Place(level, 0, ordered)
        depth = 0
        while depth < len(ordered) - 1 and ordered[depth] == self.order[depth]:
            depth += 1
        if ordered == self.order or not self._is_short(ordered[-1:]):
            return Place(level, depth, ordered[depth:])
        while depth > 0 and self._is_short(ordered[depth:]):
            depth -= 1
        return Place(level, depth, ordered[depth:], flat=True)

    def _is_short(self, dims: tuple[str, ...]) -> bool:
        return bool(dims) and prod(self.lengths.get(dim, _GOOD_ROW) for dim in dims) < _GOOD_ROW

    def is_spread(self, name: str, place: Place) -> bool:
        """Return whether a name enters a flattened place as a copy along all of it."""
        if not place.flat or not self.dims.get(name, frozenset()) & {*place.rest}:
            return False
        own = self.place(name) if name in self.nodes else None
        return own is None or not own.flat or own.rest != place.rest

    @cached_property
    def consumers(self) -> dict[str, int]:
        """How often each name is used: by terms, and as a target."""
        counts = dict.fromkeys([*self.nodes, *self.graph.targets], 0)
        for name in (*(name for node in self.graph.nodes for name in node.inputs), *self.graph.targets):
            counts[name] = counts.get(name, 0) + 1
        return counts

    @cached_property
    def gathered(self) -> frozenset[str]:
        """The terms of points that reductions alone take, which compute them for themselves."""
        elsewhere = set(self.graph.targets)
        for node in reversed(self.graph.nodes):
            if node.name in elsewhere and not node.reduces:
                elsewhere.update(node.inputs)
        return frozenset(n.name for n in self.graph.nodes if n.level is Level.POINT and n.name not in elsewhere)

    @cached_property
    def fused(self) -> frozenset[str]:
        """The terms that are computed inside the loop of their only consumer."""
        chosen: set[str] = set()
        for consumer in self.graph.nodes:
            if not consumer.reduces:
                chosen.update(name for name in consumer.inputs if self._joins(name, self.place(consumer.name)))
        chosen.update(name for name in self.graph.targets if self._joins(name, self.sum_place))
        return frozenset(chosen)

    def _joins(self, name: str, place: Place) -> bool:
        node = self.nodes.get(name)
        if node is None or node.reduces or not place.rest:
            return False
        return self.consumers[name] == 1 and self.place(name) == place

    def chain(self, name: str) -> tuple[Node, ...]:
        """Return the terms fused into a name's loop, in order, the name's own term last."""
        node = self.nodes[name]
        before = [earlier for used in node.inputs if used in self.fused for earlier in self.chain(used)]
        return (*before, node)
