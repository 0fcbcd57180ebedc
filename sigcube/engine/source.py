"""A schedule written out as the Python source of one function, for Numba to compile."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sigcube.engine.schedule import Place, Schedule
from sigcube.model.graph import Level, Node

__all__ = ["write_loop"]

# Elements of the longest vectors in use; a multiple of every shorter one.
_VECTOR = 8


@dataclass
class _Lines:
    """Source lines with their indentation."""

    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        self.add(opening)
        self.depth += 1
        yield
        self.depth -= 1

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def write_loop(schedule: Schedule) -> str:
    """Write the function ``loop`` that adds up the targets of a schedule over the points of each system.

    Its arguments are, in this order: ``offsets``, the point variables, the system variables, the fixed parameters and
    constants, the swept parameters, and one output of shape ``(n_systems, *order)`` per target. The terms are called as
    ``f_<name>``.
    """
    return _Writer(schedule).write()


class _Writer:
    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.graph = schedule.graph
        self.index = {dim: f"i{position}" for position, dim in enumerate(schedule.order)}
        self.size = {dim: f"n{position}" for position, dim in enumerate(schedule.order)}
        self.without_place = schedule.fused | schedule.gathered
        self.out = _Lines()

    def write(self) -> str:
        with self.out.block(f"def loop({', '.join(self.arguments())}):"):
            self.sizes_and_tables()
            self.terms(Level.GLOBAL)
            with self.out.block("for s in range(offsets.size - 1):"):
                self.system()
        return self.out.text()

    def arguments(self) -> Iterable[str]:
        yield "offsets"
        yield from (f"p_{name}" for name in self.graph.points)
        yield from (f"s_{name}" for name in self.graph.systems)
        yield from (
            f"c_{name}" for name in (*self.graph.parameters, *self.graph.constants) if name not in self.schedule.swept
        )
        yield from (f"a_{name}" for name in self.schedule.swept)
        yield from (f"out_{name}" for name in self.graph.targets)

    def sizes_and_tables(self) -> None:
        for dim in self.schedule.order:
            parameter = next(name for name, along in self.schedule.swept.items() if along == dim)
            self.out.add(f"{self.size[dim]} = a_{parameter}.size")
        for node in self.graph.nodes:
            if node.name not in self.without_place and self.schedule.place(node.name).rest:
                self.table(f"t_{node.name}", self.schedule.place(node.name))
        for name, place in self.spread_out():
            self.table(self.spread_name(name, place), place)
            if name in self.schedule.swept:
                self.spread(name, place)
        if any(node.reduces for node in self.graph.nodes):
            self.out.add("longest = 0")
            with self.out.block("for s in range(offsets.size - 1):"):
                self.out.add("longest = max(longest, offsets[s + 1] - offsets[s])")
            for name in self.gathered():
                self.out.add(f"g_{name} = np.empty(longest)")

    def table(self, table: str, place: Place) -> None:
        """Write a table over the rest of a place, and its flat form."""
        shape = self.shape(place.rest)
        if place.flat:
            self.out.add(f"flat_{table} = np.empty({self.filled(place.rest)})")
            self.out.add(f"{table} = flat_{table}[:{self.length(place.rest)}].reshape({shape})")
        else:
            self.out.add(f"{table} = np.empty({shape})")

    def spread_out(self) -> tuple[tuple[str, Place], ...]:
        """Return what is spread out along flattened places, each once a table."""
        found = {
            self.spread_name(name, place): (name, place)
            for node in self.graph.nodes
            if (place := self.schedule.place(node.name)).flat and node.name not in self.schedule.gathered
            for name in node.inputs
            if self.schedule.is_spread(name, place)
        }
        return tuple(found.values())

    def spread_name(self, name: str, place: Place) -> str:
        return f"e_{name}_along_{'_'.join(self.index[dim] for dim in place.rest)}"

    def spread(self, name: str, place: Place) -> None:
        """Write the copy of a name along all of a flattened place."""
        copy, length = self.spread_name(name, place), self.length(place.rest)
        with self.loops(place.rest):
            value = self.reference(name, frozenset(), replace(place, flat=False))
            self.out.add(f"{copy}{self.at(place.rest)} = {value}")
        with self.out.block(f"for f in range({length}, {self.filled(place.rest)}):"):
            self.out.add(f"flat_{copy}[f] = flat_{copy}[{length} - 1]")

    def gathered(self) -> tuple[str, ...]:
        """Return the terms of points that a reduction takes as arrays."""
        used = (
            name for node in self.graph.nodes if node.reduces for name in node.inputs if name in self.schedule.nodes
        )
        return tuple(dict.fromkeys(name for name in used if self.schedule.level(name) is Level.POINT))

    def shape(self, dims: Iterable[str]) -> str:
        return "(" + "".join(f"{self.size[dim]}, " for dim in dims) + ")"

    def length(self, dims: Iterable[str]) -> str:
        return " * ".join(self.size[dim] for dim in dims)

    def filled(self, dims: Iterable[str]) -> str:
        """Return the length of a flattened place, filled up to whole vectors."""
        return f"(({self.length(dims)} + {_VECTOR - 1}) & -{_VECTOR})"

    def at(self, dims: Iterable[str]) -> str:
        return "[" + ", ".join(self.index[dim] for dim in dims) + "]"

    def system(self) -> None:
        for name in self.graph.systems:
            self.out.add(f"x_{name} = s_{name}[s]")
        self.terms(Level.SYSTEM)
        self.begin_sums()
        with self.out.block("for p in range(offsets[s], offsets[s + 1]):"):
            for name in self.graph.points:
                self.out.add(f"x_{name} = p_{name}[p]")
            self.points(0)

    def begin_sums(self) -> None:
        """Write zeros, element by element: whole-array assignments take Numba seconds to compile."""
        for name in self.graph.targets:
            self.out.add(f"sum_{name} = out_{name}[s]")
            with self.loops(self.schedule.order):
                self.out.add(f"sum_{name}{self.at(self.schedule.order)} = 0.0")

    def points(self, depth: int) -> None:
        """Write the terms of points at a depth of the nest, then the loop one deeper, then the sums."""
        self.terms(Level.POINT, depth)
        if depth < len(self.schedule.order) - 1:
            dim = self.schedule.order[depth]
            with self.out.block(f"for {self.index[dim]} in range({self.size[dim]}):"):
                self.points(depth + 1)
        else:
            for name in self.graph.targets:
                self.add_up(name)

    def terms(self, level: Level, depth: int = 0) -> None:
        spread: set[str] = set()
        for node in self.graph.nodes:
            place = self.schedule.place(node.name)
            if place.level is level and place.depth == depth and node.name not in self.without_place:
                self.spread_inputs(node, place, spread)
                self.term(node, place)

    def spread_inputs(self, node: Node, place: Place, done: set[str]) -> None:
        """Write the copies that a term and those fused into it need, and that are not there yet."""
        for name in (name for each in self.schedule.chain(node.name) for name in each.inputs):
            copy = self.spread_name(name, place)
            if self.schedule.is_spread(name, place) and name not in self.schedule.swept and copy not in done:
                self.spread(name, place)
                done.add(copy)

    def term(self, node: Node, place: Place) -> None:
        with self.rest(place):
            if node.reduces:
                self.gather(node)
                self.out.add(f"v_{node.name} = {self.reduction(node)}")
            else:
                self.compute(self.schedule.chain(node.name), place)
            if place.flat:
                self.out.add(f"flat_t_{node.name}[f] = v_{node.name}")
            elif place.rest:
                self.out.add(f"t_{node.name}{self.at(place.rest)} = v_{node.name}")

    def add_up(self, name: str) -> None:
        place = self.schedule.sum_place
        with self.loops(place.rest):
            if name in self.schedule.fused:
                self.compute(self.schedule.chain(name), place)
                value = f"v_{name}"
            else:
                value = self.reference(name, frozenset(), place)
            self.out.add(f"sum_{name}{self.at(self.schedule.order)} += {value}")

    @contextmanager
    def loops(self, dims: tuple[str, ...]) -> Iterator[None]:
        before = self.out.depth
        for dim in dims:
            self.out.add(f"for {self.index[dim]} in range({self.size[dim]}):")
            self.out.depth += 1
        yield
        self.out.depth = before

    @contextmanager
    def rest(self, place: Place) -> Iterator[None]:
        """Write the loops of a place's rest: one for each dimension, or one in all."""
        if place.flat:
            with self.out.block(f"for f in range({self.filled(place.rest)}):"):
                yield
        else:
            with self.loops(place.rest):
                yield

    def compute(self, chain: tuple[Node, ...], place: Place) -> None:
        local = frozenset(node.name for node in chain)
        for node in chain:
            values = (self.reference(name, local, place) for name in node.inputs)
            self.out.add(f"v_{node.name} = f_{node.name}({', '.join(values)})")

    def reference(self, name: str, local: frozenset[str], place: Place) -> str:
        """Return how a value is written where it is used."""
        if name in local:
            return f"v_{name}"
        if self.schedule.is_spread(name, place):
            return f"flat_{self.spread_name(name, place)}[f]"
        if name in self.schedule.nodes:
            return self.term_reference(name, place)
        if name in self.graph.points or name in self.graph.systems:
            return f"x_{name}"
        if name in self.schedule.swept:
            return f"a_{name}[{self.index[self.schedule.swept[name]]}]"
        return f"c_{name}"

    def term_reference(self, name: str, place: Place) -> str:
        own = self.schedule.place(name)
        if place.flat and own.flat and own.rest == place.rest:
            return f"flat_t_{name}[f]"
        return f"t_{name}{self.at(own.rest)}" if own.rest else f"v_{name}"

    def gather(self, node: Node) -> None:
        """Write the terms of points that a reduction needs, one after the other along the system's points."""
        wanted = [
            name for name in node.inputs if name in self.schedule.nodes and self.schedule.level(name) is Level.POINT
        ]
        if not wanted:
            return
        chain = self.upstream(wanted)
        with self.out.block("for p in range(offsets[s], offsets[s + 1]):"):
            for name in self.graph.points:
                self.out.add(f"x_{name} = p_{name}[p]")
            self.compute(chain, self.schedule.place(node.name))
            for name in wanted:
                self.out.add(f"g_{name}[p - offsets[s]] = v_{name}")

    def upstream(self, names: Iterable[str]) -> tuple[Node, ...]:
        """Return the terms of points behind some names, in topological order."""
        needed = set(names)
        for node in reversed(self.graph.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return tuple(n for n in self.graph.nodes if n.name in needed and n.level is Level.POINT)

    def reduction(self, node: Node) -> str:
        values = (self.whole(name, self.schedule.place(node.name)) for name in node.inputs)
        return f"f_{node.name}({', '.join(values)})"

    def whole(self, name: str, place: Place) -> str:
        if name in self.graph.points:
            return f"p_{name}[offsets[s]:offsets[s + 1]]"
        if self.schedule.level(name) is Level.POINT:
            return f"g_{name}[:offsets[s + 1] - offsets[s]]"
        return self.reference(name, frozenset(), place)
