"""The terms behind some targets, in the order in which they must be computed, and what enters them from outside."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from sigcube.constants import Constants
from sigcube.errors import DataError, SpecError
from sigcube.model.record import Definition, Reduction, Term, inputs_of

__all__ = ["Graph", "Level", "Node", "Variables", "build_graph"]

_CONSTANT_NAMES = frozenset(Constants.__dataclass_fields__)


class Level(IntEnum):
    """What a value varies with, besides the parameters."""

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
    """The terms behind some targets, each after its inputs, and the names that enter from outside."""

    nodes: tuple[Node, ...]
    targets: tuple[str, ...]
    points: tuple[str, ...]
    systems: tuple[str, ...]
    parameters: tuple[str, ...]
    constants: tuple[str, ...]

    def only(self, *targets: str) -> "Graph":
        """Return the part of the graph behind some of its terms, with those as its targets."""
        needed = set(targets)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return replace(self, nodes=tuple(node for node in self.nodes if node.name in needed), targets=targets)


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
        When terms depend on one another in a circle.
    """
    levels: dict[str, Level] = {}
    nodes: list[Node] = []
    entering: dict[str, list[str]] = {"point": [], "system": [], "parameter": [], "constant": []}

    def visit(name: str, path: tuple[str, ...]) -> str:
        """Add a name and all behind it; return the name it goes by once aliases are followed."""
        if name in path:
            raise SpecError(f"the terms of {kernel} depend on one another in a circle", found=" → ".join((*path, name)))
        definition = definitions.get(name)
        if isinstance(definition, str):
            return visit(definition, (*path, name))
        if name not in levels:
            levels[name] = enter(name, path) if definition is None else add(name, definition, path)
        return name

    def add(name: str, term: Term | Reduction, path: tuple[str, ...]) -> Level:
        inputs = tuple(visit(argument, (*path, name)) for argument in inputs_of(term))
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
    points, systems, used, constants = (tuple(names) for names in entering.values())
    return Graph(tuple(nodes), found, points, systems, used, constants)
