"""A schedule written out as the Python source of one function, for Numba to compile."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from sigcube.engine.schedule import VECTOR, Placement, Schedule
from sigcube.model.graph import Level, Node

__all__ = ["LoopSource", "TermTable", "write_loop"]


@dataclass(frozen=True)
class TermTable:
    """Room for the values of a term along some dimensions.

    The loop is given it: an array that it makes itself takes Numba longer to compile than the term.

    Attributes
    ----------
    name : str
        The argument of the loop. A padded table is two arguments: ``flat_<name>`` comes before it.
    dims : tuple of str
        Its dimensions.
    padded : bool
        Whether it has a flat form, which is padded to whole vectors.
    """

    name: str
    dims: tuple[str, ...]
    padded: bool

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names that the loop has for it."""
        return (f"flat_{self.name}", self.name) if self.padded else (self.name,)

    def make(self, lengths: Mapping[str, int]) -> tuple[npt.NDArray[np.float64], ...]:
        """Return the arrays for these arguments, of any content."""
        shape = tuple(lengths[dim] for dim in self.dims)
        if not self.padded:
            return (np.empty(shape),)
        flat = np.empty(prod(shape) + -prod(shape) % VECTOR)
        return flat, flat[: prod(shape)].reshape(shape)


@dataclass(frozen=True)
class LoopSource:
    """The text of a loop, and the tables that it needs."""

    text: str
    tables: tuple[TermTable, ...]


def write_loop(schedule: Schedule) -> LoopSource:
    """Write the function ``loop`` that adds up the targets of a schedule over the points of each system.

    Its arguments are, in this order: ``offsets``, the point variables, ``whole`` and the point variables of whole
    systems that reductions go over, the system variables, the fixed parameters and constants, the swept parameters, one
    output of shape ``(n_systems, *order)`` per target, and the tables. The terms are called as ``f_<name>``.
    """
    return _Writer(schedule).write()


class _Writer:
    """The lines of the function, and the names in it.

    Of arguments: ``p_`` point variables, ``w_`` those of whole systems, ``s_`` system variables, ``c_`` fixed and
    ``a_`` swept parameters, ``out_``. Within: ``x_`` variables and ``v_`` terms as scalars, ``t_`` tables of terms,
    ``b_`` scalars and tables of the point before, ``e_`` copies expanded along a flattened loop, ``g_`` terms gathered
    along a system's points; ``flat_`` the flat form of a table.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.graph = schedule, schedule.graph
        self.index = {dim: f"i{position}" for position, dim in enumerate(schedule.order)}
        self.size = {dim: f"n{position}" for position, dim in enumerate(schedule.order)}
        self.lines: list[str] = []
        self.depth = 0
        self.tables = self.list_tables()

    def write(self) -> LoopSource:
        graph, swept = self.graph, self.schedule.swept
        arguments = [
            "offsets",
            *(f"p_{name}" for name in graph.points),
            "whole",
            *(f"w_{name}" for name in graph.reduced_points),
            *(f"s_{name}" for name in graph.systems),
            *(f"c_{name}" for name in (*graph.parameters, *graph.constants) if name not in swept),
            *(f"a_{name}" for name in swept),
            *(f"out_{name}" for name in graph.targets),
            *(name for table in self.tables for name in table.arguments),
        ]
        with self.nest(f"def loop({', '.join(arguments)}):"):
            self.sizes()
            self.make_gathered()
            self.terms(Level.GLOBAL)
            self.expand_lasting(Level.GLOBAL)
            with self.nest("for s in range(offsets.size - 1):"):
                for name in graph.systems:
                    self.add(f"x_{name} = s_{name}[s]")
                self.terms(Level.SYSTEM)
                self.expand_lasting(Level.SYSTEM)
                for name in graph.targets:
                    self.add(f"sum_{name} = out_{name}[s]")
                # Element by element: whole-array assignments take Numba seconds to compile.
                with self.nest(*self.loops(self.schedule.order)):
                    for name in graph.targets:
                        self.add(f"sum_{name}{self.at(self.schedule.order)} = 0.0")
                self.start_carried()
                with self.each_point():
                    self.points(0)
                    self.carry()
        return LoopSource("\n".join(self.lines) + "\n", self.tables)

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def nest(self, *openings: str) -> Iterator[None]:
        """Write the openings of blocks, each within the one before; what follows is inside."""
        before = self.depth
        for opening in openings:
            self.add(opening)
            self.depth += 1
        yield
        self.depth = before

    def start_carried(self) -> None:
        """Write that before a system's first point, everything is zero."""
        for name in self.graph.carried:
            dims = self.schedule.table_dims(name) if name in self.schedule.nodes else ()
            flat = bool(dims) and self.schedule.placement(name).flat
            with self.nest(*self.loops(dims, flat=flat)):
                self.add(f"flat_b_{name}[f] = 0.0" if flat else f"b_{name}{self.at(dims) if dims else ''} = 0.0")

    def carry(self) -> None:
        """Write that what was of this point is now of the point before."""
        for name in self.graph.carried:
            if name not in self.schedule.nodes:
                self.add(f"b_{name} = x_{name}")
            elif not self.schedule.table_dims(name):
                self.add(f"b_{name} = v_{name}")
            else:
                for form in ("", "flat_") if self.schedule.placement(name).flat else ("",):
                    self.add(f"{form}b_{name}, {form}t_{name} = {form}t_{name}, {form}b_{name}")

    def loops(self, dims: tuple[str, ...], *, flat: bool = False) -> list[str]:
        """Return the openings of the loops over dimensions: one for each, or one over all combinations."""
        counts = {"f": self.padded(dims)} if flat else {self.index[dim]: self.size[dim] for dim in dims}
        if self.graph.carried:
            # Of tables that change places, LLVM does not see that no index counts from the end, unless it has no sign.
            counts = {index: f"np.uint64({count})" for index, count in counts.items()}
        return [f"for {index} in range({count}):" for index, count in counts.items()]

    @contextmanager
    def each_point(self, *, whole: bool = False) -> Iterator[None]:
        """Write a loop over the points of a system: those to add up, or those that reductions go over."""
        offsets, form = ("whole", "w") if whole else ("offsets", "p")
        with self.nest(f"for p in range({offsets}[s], {offsets}[s + 1]):"):
            for name in self.graph.reduced_points if whole else self.graph.points:
                self.add(f"x_{name} = {form}_{name}[p]")
            yield

    def length(self, dims: Iterable[str]) -> str:
        return " * ".join(self.size[dim] for dim in dims)

    def padded(self, dims: Iterable[str]) -> str:
        """Return the length of a flattened loop, padded to whole vectors."""
        return f"(({self.length(dims)} + {VECTOR - 1}) & -{VECTOR})"

    def at(self, dims: Iterable[str]) -> str:
        return "[" + ", ".join(self.index[dim] for dim in dims) + "]"

    def sizes(self) -> None:
        for dim in self.schedule.order:
            parameter = next(name for name, along in self.schedule.swept.items() if along == dim)
            self.add(f"{self.size[dim]} = a_{parameter}.size")

    def list_tables(self) -> tuple[TermTable, ...]:
        """Return the tables of terms, one more of each that is carried, and the copies along flattened loops."""
        tables: dict[str, TermTable] = {}
        for node in self.graph.nodes:
            placement = self.schedule.placement(node.name)
            carried = node.name in self.graph.carried
            if placement.inner and node.name in self.schedule.tabled:
                for form in ("t", "b") if carried else ("t",):
                    name = f"{form}_{node.name}"
                    tables[name] = TermTable(name, self.schedule.table_dims(node.name), placement.flat)
        return (*tables.values(), *(TermTable(name, place.inner, True) for name, (_, place) in self.expanded.items()))

    @property
    def expanded(self) -> dict[str, tuple[str, Placement]]:
        """The copies along flattened loops: of what, and along which."""
        return {
            self.expanded_name(name, placement): (name, placement)
            for node in self.graph.nodes
            if node.name not in self.schedule.gathered
            for placement in [self.schedule.placement(node.name)]
            for name in node.inputs
            if self.schedule.is_expanded(name, placement)
        }

    def make_gathered(self) -> None:
        """Write the arrays that gather terms along the points of a system."""
        reductions = [node for node in self.graph.nodes if node.reduces]
        if reductions:
            self.add("longest = 0")
            with self.nest("for s in range(whole.size - 1):"):
                self.add("longest = max(longest, whole[s + 1] - whole[s])")
            for name in dict.fromkeys(name for node in reductions for name in self.terms_of_points(node)):
                self.add(f"g_{name} = np.empty(longest)")

    def expanded_name(self, name: str, placement: Placement) -> str:
        return f"e_{name}_along_{'_'.join(self.index[dim] for dim in placement.inner)}"

    def is_lasting(self, name: str, placement: Placement) -> bool:
        """Return whether a copy stays the same for all points of a system."""
        of = self.schedule.earlier.get(name, name)
        return self.schedule.level(of) is not Level.POINT and self.schedule.dims[name] <= {*placement.inner}

    def expand_lasting(self, level: Level) -> None:
        """Write the copies that stay the same for all points, of names of a level."""
        alike: dict[tuple[str, ...], list[tuple[str, Placement]]] = {}
        for name, placement in self.expanded.values():
            if self.is_lasting(name, placement) and self.schedule.level(name) is level:
                alike.setdefault(placement.inner, []).append((name, placement))
        for copies in alike.values():
            self.expand(copies)

    def expand(self, copies: Sequence[tuple[str, Placement]]) -> None:
        """Write the copies of names along all of one flattened loop."""
        inner = copies[0][1].inner
        with self.nest(*self.loops(inner)):
            for name, placement in copies:
                value = self.value(name, frozenset(), replace(placement, flat=False))
                self.add(f"{self.expanded_name(name, placement)}{self.at(inner)} = {value}")
        # With numbers that nobody asked for, a term might not come to an end.
        with self.nest(f"for f in range({self.length(inner)}, {self.padded(inner)}):"):
            for name, placement in copies:
                copy = f"flat_{self.expanded_name(name, placement)}"
                self.add(f"{copy}[f] = {copy}[{self.length(inner)} - 1]")

    def points(self, depth: int) -> None:
        """Write the terms of points at a depth of the nest, then the loop one deeper, then the sums."""
        order = self.schedule.order
        self.terms(Level.POINT, depth)
        if depth < len(order) - 1:
            with self.nest(*self.loops(order[depth : depth + 1])):
                self.points(depth + 1)
            return
        placement = self.schedule.sum_placement
        for name in self.graph.targets:
            with self.nest(*self.loops(placement.inner)):
                if name in self.schedule.fused:
                    self.compute(self.schedule.chain(name), placement)
                    value = f"v_{name}"
                else:
                    value = self.value(name, frozenset(), placement)
                self.add(f"sum_{name}{self.at(order)} += {value}")

    def terms(self, level: Level, depth: int = 0) -> None:
        """Write the loops of a place in the nest, each after the copies that it needs and that are not there yet."""
        expanded: set[str] = set()
        for nodes in self.schedule.loops:
            placement = self.schedule.placement(nodes[0].name)
            if (placement.level, placement.depth) != (level, depth):
                continue
            chain = tuple(each for node in nodes for each in self.schedule.chain(node.name))
            wanted = dict.fromkeys(name for each in chain for name in each.inputs)
            passing = {self.expanded_name(name, placement): name for name in wanted if self.is_passing(name, placement)}
            if missing := passing.keys() - expanded:
                self.expand([(name, placement) for copy, name in passing.items() if copy in missing])
                expanded |= missing
            with self.nest(*self.loops(placement.inner, flat=placement.flat)):
                if nodes[0].reduces:
                    self.reduce(nodes[0], placement)
                    self.keep(nodes[0], placement)
                else:
                    self.compute(chain, placement)

    def is_passing(self, name: str, placement: Placement) -> bool:
        """Return whether a copy has to be made for each point."""
        return self.schedule.is_expanded(name, placement) and not self.is_lasting(name, placement)

    def keep(self, node: Node, placement: Placement) -> None:
        """Write a term's value into its table, if it has one."""
        if node.name not in self.schedule.tabled:
            return
        if placement.flat:
            self.add(f"flat_t_{node.name}[f] = v_{node.name}")
        elif placement.inner:
            self.add(f"t_{node.name}{self.at(self.schedule.table_dims(node.name))} = v_{node.name}")

    def compute(self, chain: tuple[Node, ...], placement: Placement, *, gathered: bool = False) -> None:
        local = frozenset(node.name for node in chain)
        for node in chain:
            values = (self.value(name, local, placement) for name in node.inputs)
            self.add(f"v_{node.name} = f_{node.name}({', '.join(values)})")
            if not gathered:
                self.keep(node, placement)

    def value(self, name: str, local: frozenset[str], placement: Placement) -> str:
        """Return how a value is written where it is used; those of local names are scalars."""
        if name in local:
            return f"v_{name}"
        if self.schedule.is_expanded(name, placement):
            return f"flat_{self.expanded_name(name, placement)}[f]"
        of = self.schedule.earlier.get(name, name)
        table, single = ("t", f"v_{of}") if of == name else ("b", f"b_{of}")
        if of in self.schedule.nodes:
            own = self.schedule.placement(of)
            if placement.flat and own.flat and own.inner == placement.inner:
                return f"flat_{table}_{of}[f]"
            return f"{table}_{of}{self.at(self.schedule.table_dims(of))}" if own.inner else single
        if of != name:
            return single
        if name in self.graph.points or name in self.graph.systems:
            return f"x_{name}"
        if name in self.schedule.swept:
            return f"a_{name}[{self.index[self.schedule.swept[name]]}]"
        return f"c_{name}"

    def terms_of_points(self, node: Node) -> list[str]:
        """Return the terms of points that a reduction takes as arrays."""
        schedule = self.schedule
        return [name for name in node.inputs if name in schedule.nodes and schedule.level(name) is Level.POINT]

    def reduce(self, node: Node, placement: Placement) -> None:
        """Write a reduction, and before it the terms of points that it needs, gathered along the system's points."""
        gathered = self.terms_of_points(node)
        if gathered:
            needed = set(gathered)
            for earlier in reversed(self.graph.nodes):
                if earlier.name in needed:
                    needed.update(earlier.inputs)
            chain = tuple(n for n in self.graph.nodes if n.name in needed and n.level is Level.POINT)
            with self.each_point(whole=True):
                self.compute(chain, placement, gathered=True)
                for name in gathered:
                    self.add(f"g_{name}[p - whole[s]] = v_{name}")
        arrays = {name: f"w_{name}[whole[s]:whole[s + 1]]" for name in self.graph.reduced_points}
        arrays |= {name: f"g_{name}[:whole[s + 1] - whole[s]]" for name in gathered}
        values = (arrays.get(name) or self.value(name, frozenset(), placement) for name in node.inputs)
        self.add(f"v_{node.name} = f_{node.name}({', '.join(values)})")
