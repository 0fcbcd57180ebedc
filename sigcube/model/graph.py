"""The graph of terms behind some targets, in order of computation, with the names that enter from outside."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from sigcube.constants import Constants
from sigcube.errors import DataError, SpecError
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
    levels: dict[str, Level] = {}
    nodes: list[Node] = []
    entering: dict[str, list[str]] = {"point": [], "system": [], "parameter": [], "constant": []}

    waiting: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> str:
        """Add a name and all behind it; return the name it goes by once aliases are followed."""
        if is_previous(name):
            # Visit it later: the term behind it may need what is being added.
            waiting.append(name)
            levels[name] = Level.POINT
            return name
        if name in path:
            raise SpecError(f"the terms of {kernel} depend on one another in a circle", found=" → ".join((*path, name)))
        prefix = next((each for each in NUDGED if name.startswith(each) and not is_known(name)), "")
        base = name.removeprefix(prefix)
        if prefix and not depends(base, prefix):
            return visit(base, path)
        if prefix and is_previous(base):
            return visit(f"{PREVIOUS}{prefix}{base.removeprefix(PREVIOUS)}", path)
        definition = definitions.get(base)
        if isinstance(definition, str):
            return visit(prefix + definition, (*path, name))
        if name not in levels:
            levels[name] = enter(name, path) if definition is None else add(name, definition, path, prefix)
        return name

    def is_known(name: str) -> bool:
        """Whether a name means something by itself, whatever its prefix."""
        return name in definitions or name in parameters or variables.level(name) is not None

    def is_previous(name: str) -> bool:
        """Whether a name is a value at the point before."""
        return name.startswith(PREVIOUS) and not is_known(name)

    def depends(name: str, prefix: str) -> bool:
        """Whether a name has another value under the inputs that the prefix stands for."""
        seen, remaining = set[str](), [name]
        while remaining:
            each = remaining.pop()
            if prefix + each in definitions:
                return True
            if each not in seen:
                seen.add(each)
                definition = definitions.get(each)
                if is_previous(each):
                    remaining.append(each.removeprefix(PREVIOUS))
                elif isinstance(definition, str):
                    remaining.append(definition)
                elif definition is not None:
                    remaining += inputs_of(definition)
        return False

    def add(name: str, term: Term | Reduction, path: tuple[str, ...], prefix: str) -> Level:
        inputs = tuple(visit(prefix + argument, (*path, name)) for argument in inputs_of(term))
        level = max((levels[argument] for argument in inputs), default=Level.GLOBAL)
        if isinstance(term, Reduction):
            level = Level.SYSTEM
        nodes.append(Node(name, term, inputs, level))
        return level

    def enter(name: str, path: tuple[str, ...]) -> Level:
        if name in parameters:
            entering["parameter"].append(name)
            return Level.GLOBAL
        if (level := variables.level(name)) is not None:
            entering["point" if level is Level.POINT else "system"].append(name)
            return level
        if name in _CONSTANT_NAMES:
            entering["constant"].append(name)
            return Level.GLOBAL
        raise DataError(
            f"{kernel} needs {name!r}, which the cube does not have",
            where=" → ".join((*path, name)),
            expected=f"a variable {name!r}",
            found=", ".join(sorted(variables.points | variables.systems)) or "no variables",
            hint="choose other labels, or add the variable to the cube's recipe",
        )

    found = tuple(visit(target, ()) for target in targets)
    previous: dict[str, str] = {}
    # The list grows: a value at the point before may need others.
    for name in waiting:
        if name not in previous:
            previous[name] = visit(name.removeprefix(PREVIOUS), (name,))
    points, systems, used, constants = (tuple(names) for names in entering.values())
    graph = Graph(tuple(nodes), found, points, systems, used, constants, tuple(previous.items()))
    _check_previous(kernel, graph, levels)
    return graph


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
