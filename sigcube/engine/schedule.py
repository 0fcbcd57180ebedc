"""Where each term is computed: a loop nest in which nothing is computed more often than its inputs change.

The nest is systems → points → dimensions of the grid, the last of them innermost, where it vectorises. A term that
varies with some of the dimensions is computed once for each combination of their values. Its *outer* dimensions are the
longest run of dimensions from the outside that it varies with, short of its own innermost one: it is computed within
their loops. Over its other, *inner* dimensions it has loops of its own, and is stored in a table. So its work is the
product of the lengths, whatever the order of the dimensions, and its innermost loop vectorises. A term with a single
consumer that is placed alike joins the consumer's loop, and needs no table. Other terms of one placement share loops.

A row shorter than a vector would stay scalar. Where the lengths are known and the innermost dimension is short, outer
dimensions become inner ones until the row is long enough, and it is *flattened*: one loop runs over all combinations,
padded to whole vectors with the last one, and the inputs are expanded along it beforehand. The sums keep their rows.

A term whose value at the point before is asked for is *carried*: two tables over all dimensions that it varies with,
one of this point and one of the point before, change places after each point. It varies with what it takes from the
point before too. It is placed like any other, so what varies with little is carried in few numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from sigcube.model.graph import Graph, Level, Node

__all__ = ["VECTOR", "Placement", "Schedule"]

VECTOR = 8
"""Elements of the longest vectors in use; a multiple of every shorter one."""

# In a shorter row, too much is left to the scalar loop after the vector loop.
_GOOD_ROW = 32
# A loop has vectors if no two arrays overlap, of which one is written. LLVM compares at most this many pairs.
_MOST_COMPARED = 8


@dataclass(frozen=True)
class Placement:
    """Level in the nest, number of grid loops around, dimensions of own loops, and whether those are one loop."""

    level: Level
    depth: int
    inner: tuple[str, ...]
    flat: bool = False


@dataclass(frozen=True)
class Schedule:
    """The placements of all terms of a graph, for one nesting order of the dimensions.

    Attributes
    ----------
    graph : Graph
        Terms in topological order; its targets are added up over points.
    swept : Mapping
        The dimension of each swept parameter.
    order : tuple of str
        The dimensions, outermost first; at least one.
    lengths : Mapping
        The length of each dimension. A dimension without a length counts as long.
    """

    graph: Graph
    swept: Mapping[str, str]
    order: tuple[str, ...]
    lengths: Mapping[str, int] = field(default_factory=dict)

    @property
    def masks_pay(self) -> bool:
        """Whether what the rows of sums have beyond whole vectors is worth a vector with a mask."""
        # Single elements cost up to a third of a vector each. A loop with masks takes one vector at a time, which costs
        # long chains of operations, as those of pow, up to a sixth; and it writes tables under masks, which several
        # sums share and points hand on, for up to a fifth.
        whole, rest = divmod(self.lengths.get(self.order[-1], 0), VECTOR)
        has_tables = len(self.graph.targets) > 1 or bool(self.graph.carried)
        return rest > 2 and whole <= (rest if has_tables else 3 * rest)

    @property
    def has_flat_rows(self) -> bool:
        """Whether loops are flattened, because a row of its own would be short."""
        return any(self.placement(loop[0].name).flat for loop in self.loops)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The terms by name."""
        return {node.name: node for node in self.graph.nodes}

    @cached_property
    def earlier(self) -> dict[str, str]:
        """The names of values at the point before, each with what it is the value of."""
        return dict(self.graph.previous)

    @cached_property
    def dims(self) -> dict[str, frozenset[str]]:
        """The dimensions that each name varies with."""
        found = {name: frozenset({dim}) for name, dim in self.swept.items()}
        known: dict[str, frozenset[str]] = {}
        # Along a circle through the point before, dimensions come round.
        while found != known:
            known = dict(found)
            for node in self.graph.nodes:
                found[node.name] = frozenset().union(*(found.get(name, frozenset()) for name in node.inputs))
            found |= {name: found.get(of, frozenset()) for name, of in self.graph.previous}
        return found

    def level(self, name: str) -> Level:
        """Return what a name varies with besides the grid."""
        if name in self.nodes:
            return self.nodes[name].level
        if name in self.graph.points:
            return Level.POINT
        return Level.SYSTEM if name in self.graph.systems else Level.GLOBAL

    def placement(self, name: str) -> Placement:
        """Return where a term is computed."""
        placement = self._placement(self.level(name), self.dims[name])
        if placement.flat and placement.depth and name in self.graph.carried:
            # Its table has dimensions outside the flattened row, and a slice of padded rows has no other shape.
            return replace(placement, flat=False)
        return placement

    def table_dims(self, name: str) -> tuple[str, ...]:
        """Return the dimensions of a term's table: its inner ones, or all if the next point needs it."""
        if name in self.graph.carried:
            return tuple(dim for dim in self.order if dim in self.dims.get(name, ()))
        return self.placement(name).inner

    @property
    def sum_placement(self) -> Placement:
        """Where the targets are added up: in the innermost loop."""
        return self._placement(Level.POINT, frozenset(self.order))

    def _placement(self, level: Level, dims: frozenset[str]) -> Placement:
        ordered = tuple(dim for dim in self.order if dim in dims)
        if level is not Level.POINT:
            return Placement(level, 0, ordered)
        depth = 0
        while depth < len(ordered) - 1 and ordered[depth] == self.order[depth]:
            depth += 1
        if ordered == self.order or not self._is_short(ordered[-1:]):
            return Placement(level, depth, ordered[depth:])
        while depth > 0 and self._is_short(ordered[depth:]):
            depth -= 1
        return Placement(level, depth, ordered[depth:], flat=True)

    def _is_short(self, dims: tuple[str, ...]) -> bool:
        return bool(dims) and prod(self.lengths.get(dim, _GOOD_ROW) for dim in dims) < _GOOD_ROW

    def is_expanded(self, name: str, placement: Placement) -> bool:
        """Return whether a flattened loop reads a name from a copy along all of the loop."""
        if not placement.flat or not self.dims.get(name, frozenset()) & {*placement.inner}:
            return False
        of = self.earlier.get(name, name)
        own = self.placement(of) if of in self.nodes else None
        return own is None or not own.flat or own.inner != placement.inner

    @cached_property
    def consumers(self) -> dict[str, int]:
        """How often each name is used: by terms, and as a target."""
        counts = dict.fromkeys([*self.nodes, *self.graph.targets], 0)
        for name in (*(name for node in self.graph.nodes for name in node.inputs), *self.graph.targets):
            counts[name] = counts.get(name, 0) + 1
        return counts

    @cached_property
    def gathered(self) -> frozenset[str]:
        """The terms of points that only reductions use, which compute them for themselves."""
        elsewhere = {*self.graph.targets, *self.graph.carried}
        for node in reversed(self.graph.nodes):
            if node.name in elsewhere and not node.reduces:
                elsewhere.update(node.inputs)
        return frozenset(n.name for n in self.graph.nodes if n.level is Level.POINT and n.name not in elsewhere)

    @cached_property
    def fused(self) -> frozenset[str]:
        """The terms that are computed inside the loop of their only consumer."""
        placements = [(n.inputs, self.placement(n.name)) for n in self.graph.nodes if not n.reduces]
        uses = [*placements, (self.graph.targets, self.sum_placement)]
        return frozenset(name for names, placement in uses for name in names if self._joins(name, placement))

    def _joins(self, name: str, placement: Placement) -> bool:
        node = self.nodes.get(name)
        if node is None or node.reduces or not placement.inner:
            return False
        return self.consumers[name] == 1 and self.placement(name) == placement

    @cached_property
    def loops(self) -> tuple[tuple[Node, ...], ...]:
        """The terms that share a loop, in an order in which the loops can follow one another; of fused ones the last.

        A term joins the first loop of its placement that comes after all that it takes: most of the time to compile
        is that of the loops, less that of the terms.
        """
        found: list[list[Node]] = []
        position: dict[str, int] = {}
        for node in self.graph.nodes:
            if node.name in self.fused | self.gathered:
                continue
            chain = self.chain(node.name)
            earliest = max((position.get(name, 0) for each in chain for name in each.inputs), default=0)
            loops = range(earliest, len(found))
            own = next((index for index in loops if self._shares(found[index], node)), len(found))
            if own == len(found):
                found.append([])
            found[own].append(node)
            position |= {each.name: own for each in chain}
        return tuple(map(tuple, found))

    def _shares(self, loop: list[Node], node: Node) -> bool:
        """Return whether a term can be computed in a loop, and should be."""
        placement = self.placement(node.name)
        if not placement.inner or node.reduces or loop[0].reduces or self.placement(loop[0].name) != placement:
            return False
        if placement.level is not Level.POINT:
            # Computed once for all points, so that vectors matter less than the time to compile.
            return True
        chains = [each for own in (*loop, node) for each in self.chain(own.name)]
        written = [own.name for own in (*loop, node)]
        read = {name for each in chains for name in each.inputs} - {each.name for each in chains}
        others = sum(not self.dims.get(name, frozenset()).isdisjoint(placement.inner) for name in read)
        return len(written) * (len(written) - 1) // 2 + len(written) * others <= _MOST_COMPARED

    @cached_property
    def tabled(self) -> frozenset[str]:
        """The terms whose values are needed outside the loop that computes them."""
        own = {each.name: i for i, loop in enumerate(self.loops) for node in loop for each in self.chain(node.name)}
        found = {*self.graph.carried, *(name for name in self.graph.targets if name in own)}
        for node in self.graph.nodes:
            # A reduction computes terms of points for itself, and reads all else from tables.
            inside = node.reduces or node.name in self.gathered
            used = (name for name in node.inputs if name in own and own[name] != own.get(node.name))
            found.update(name for name in used if not (inside and self.level(name) is Level.POINT))
        return frozenset(found)

    def chain(self, name: str) -> tuple[Node, ...]:
        """Return the terms fused into a name's loop, in order, the name's own term last."""
        node = self.nodes[name]
        before = [earlier for used in node.inputs if used in self.fused for earlier in self.chain(used)]
        return (*before, node)
