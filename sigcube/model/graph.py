"""The graph of terms behind some targets, in order of computation, with the names that enter from outside."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from sigcube.constants import Constants
from sigcube.errors import DataError, SpecError
from sigcube.model.code_hash import state_of
from sigcube.model.record import NUDGED, PREVIOUS, Definition, Reduction, Term, inputs_of

__all__ = ["Graph", "Level", "Node", "Variables", "build_graph"]

_CONSTANT_NAMES = frozenset(Constants.__dataclass_fields__)


class Level(IntEnum):
    """What a value varies with besides the parameters."""

    GLOBAL = 0
    SYSTEM = 1
    POINT = 2


@dataclass(frozen=True)
class Variables:
    """The names of a cube's numeric variables, by what they vary with."""

    points: frozenset[str]
    systems: frozenset[str]

    def level(self, name: str) -> Level | None:
        """Return the level of a variable, or None when the cube does not have it."""
        if name in self.points:
            return Level.POINT
        return Level.SYSTEM if name in self.systems else None


@dataclass(frozen=True)
class Node:
    """A term of a graph: its function, and the names of its inputs once aliases are followed."""

    name: str
    term: Term | Reduction
    inputs: tuple[str, ...]
    level: Level
    # Graphs that differ in it alone are compiled apart.
    state: str | None = ""

    @property
    def function(self) -> Term:
        """The plain function behind the term."""
        return self.term.function if isinstance(self.term, Reduction) else self.term

    @property
    def reduces(self) -> bool:
        """Whether the term reduces a system's points to one value."""
        return isinstance(self.term, Reduction)


@dataclass(frozen=True)
class Graph:
    """The terms behind some targets, each after its inputs, and the names that enter from outside.

    Inputs that are values at the point before need no order: ``previous`` has their names, each with the name of the
    term or the variable behind it.
    """

    nodes: tuple[Node, ...]
    targets: tuple[str, ...]
    points: tuple[str, ...]
    systems: tuple[str, ...]
    parameters: tuple[str, ...]
    constants: tuple[str, ...]
    previous: tuple[tuple[str, str], ...] = ()

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """The terms and variables whose values are carried from each point to the next."""
        return tuple(dict.fromkeys(name for _, name in self.previous))

    @cached_property
    def recursive(self) -> frozenset[str]:
        """The terms that use a value at the point before, directly or through other terms."""
        found = {name for name, _ in self.previous}
        for node in self.nodes:
            if found.intersection(node.inputs):
                found.add(node.name)
        return frozenset(found)

    @cached_property
    def behind_reductions(self) -> frozenset[str]:
        """The variables and terms of points that reductions take, directly or through other terms of points."""
        found: set[str] = set()
        for node in reversed(self.nodes):
            if node.reduces or (node.level is Level.POINT and node.name in found):
                found.update(node.inputs)
        of_points = {node.name for node in self.nodes if node.level is Level.POINT}
        return frozenset(found & {*self.points, *of_points})

    @property
    def reduced_points(self) -> tuple[str, ...]:
        """The variables of points among them."""
        return tuple(name for name in self.points if name in self.behind_reductions)

    def only(self, *targets: str) -> "Graph":
        """Return the part of the graph behind some of its terms, with those as its targets."""
        inputs, earlier = {node.name: node.inputs for node in self.nodes}, dict(self.previous)
        needed: set[str] = set()
        waiting = [*targets]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += (earlier[name],) if name in earlier else inputs.get(name, ())
        nodes = tuple(node for node in self.nodes if node.name in needed)
        return replace(
            self, nodes=nodes, targets=targets, previous=tuple(each for each in self.previous if each[0] in needed)
        )


def build_graph(
    kernel: str,
    *,
    definitions: Mapping[str, Definition],
    parameters: Collection[str],
    variables: Variables,
    targets: Iterable[str],
) -> Graph:
    """Find the terms behind the targets, given what each name stands for; the kernel's name is for messages.

    Raises
    ------
    DataError
        When a term needs something that is neither a term, a parameter, a constant nor a variable of the cube.
    SpecError
        When terms depend on one another in a circle, or on a value at the point before that no point has.
    """
    return _Builder(kernel, definitions, parameters, variables).build(targets)


class _Builder:
    """Follows names to the terms behind them, and collects these in the order in which they can be computed."""

    def __init__(
        self, kernel: str, definitions: Mapping[str, Definition], parameters: Collection[str], variables: Variables
    ) -> None:
        self._kernel = kernel
        self._definitions = definitions
        self._parameters = parameters
        self._variables = variables
        self._levels: dict[str, Level] = {}
        self._nodes: list[Node] = []
        self._entering: dict[str, list[str]] = {"point": [], "system": [], "parameter": [], "constant": []}
        self._waiting: list[str] = []

    def build(self, targets: Iterable[str]) -> Graph:
        """Return the graph of the targets."""
        found = tuple(self._visit(target, ()) for target in targets)
        previous: dict[str, str] = {}
        # The list grows: a value at the point before may need others.
        for name in self._waiting:
            if name not in previous:
                previous[name] = self._visit(name.removeprefix(PREVIOUS), (name,))
        points, systems, used, constants = (tuple(names) for names in self._entering.values())
        graph = Graph(tuple(self._nodes), found, points, systems, used, constants, tuple(previous.items()))
        _check_previous(self._kernel, graph, self._levels)
        return graph

    def _visit(self, name: str, path: tuple[str, ...]) -> str:
        """Add a name and all behind it; return the name it goes by once aliases are followed."""
        if self._is_previous(name):
            # Visit it later: the term behind it may need what is being added.
            self._waiting.append(name)
            self._levels[name] = Level.POINT
            return name
        if name in path:
            raise SpecError(
                f"the terms of {self._kernel} depend on one another in a circle", found=" → ".join((*path, name))
            )
        prefix = next((each for each in NUDGED if name.startswith(each) and not self._is_known(name)), "")
        base = name.removeprefix(prefix)
        if prefix and not self._depends(base, prefix):
            return self._visit(base, path)
        if prefix and self._is_previous(base):
            return self._visit(f"{PREVIOUS}{prefix}{base.removeprefix(PREVIOUS)}", path)
        definition = self._definitions.get(base)
        if isinstance(definition, str):
            return self._visit(prefix + definition, (*path, name))
        if name not in self._levels:
            if definition is None:
                self._levels[name] = self._enter(name, path)
            else:
                self._levels[name] = self._add(name, definition, path, prefix)
        return name

    def _is_known(self, name: str) -> bool:
        """Whether a name means something by itself, whatever its prefix."""
        return name in self._definitions or name in self._parameters or self._variables.level(name) is not None

    def _is_previous(self, name: str) -> bool:
        """Whether a name is a value at the point before."""
        return name.startswith(PREVIOUS) and not self._is_known(name)

    def _depends(self, name: str, prefix: str) -> bool:
        """Whether a name has another value under the inputs that the prefix stands for."""
        seen, remaining = set[str](), [name]
        while remaining:
            each = remaining.pop()
            if prefix + each in self._definitions:
                return True
            if each not in seen:
                seen.add(each)
                definition = self._definitions.get(each)
                if self._is_previous(each):
                    remaining.append(each.removeprefix(PREVIOUS))
                elif isinstance(definition, str):
                    remaining.append(definition)
                elif definition is not None:
                    remaining += inputs_of(definition)
        return False

    def _add(self, name: str, term: Term | Reduction, path: tuple[str, ...], prefix: str) -> Level:
        """Add a term after all that it reads."""
        inputs = tuple(self._visit(prefix + argument, (*path, name)) for argument in inputs_of(term))
        level = max((self._levels[argument] for argument in inputs), default=Level.GLOBAL)
        if isinstance(term, Reduction):
            level = Level.SYSTEM
        function = term.function if isinstance(term, Reduction) else term
        self._nodes.append(Node(name, term, inputs, level, state_of(function)))
        return level

    def _enter(self, name: str, path: tuple[str, ...]) -> Level:
        """Add a name that no term stands behind: a parameter, a variable of the cube, or a constant."""
        if name in self._parameters:
            self._entering["parameter"].append(name)
            return Level.GLOBAL
        if (level := self._variables.level(name)) is not None:
            self._entering["point" if level is Level.POINT else "system"].append(name)
            return level
        if name in _CONSTANT_NAMES:
            self._entering["constant"].append(name)
            return Level.GLOBAL
        raise DataError(
            f"{self._kernel} needs {name!r}, which the cube does not have",
            where=" → ".join((*path, name)),
            expected=f"a variable {name!r}",
            found=", ".join(sorted(self._variables.points | self._variables.systems)) or "no variables",
            hint="choose other labels, or add the variable to the cube's recipe",
        )


def _check_previous(kernel: str, graph: Graph, levels: Mapping[str, Level]) -> None:
    for name, of in graph.previous:
        if levels[of] is not Level.POINT:
            raise SpecError(
                f"{kernel} takes {of!r} at the point before, and it is the same at all points",
                found=name,
                hint=f"take {of} itself",
            )
    for node in graph.nodes:
        if node.reduces and (taken := graph.recursive.intersection(node.inputs)):
            raise SpecError(
                f"{kernel} takes {min(taken)!r} over all points of a system, and it follows from point to point",
                where=node.name,
                expected=f"terms without arguments that begin with {PREVIOUS!r}",
            )
