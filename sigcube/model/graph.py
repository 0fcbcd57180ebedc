"""From a kernel, its labels and a cube's variables to the terms that must be computed, in order."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from sigcube.constants import Constants
from sigcube.errors import DataError, SpecError, did_you_mean
from sigcube.model.record import Choice, Kernel, Option, Parameter, Reduction, Term, inputs_of

__all__ = [
    "Frame",
    "Graph",
    "Level",
    "Node",
    "Variables",
    "model_choices",
    "model_parameters",
    "resolve",
    "resolve_labels",
]

_CONSTANT_NAMES = frozenset(Constants.__dataclass_fields__)

CONSTANTS_CHOICE = Choice(
    name="constants",
    default="paper",
    description="Rounding of the physical constants",
    options={
        "paper": Option({}, "SI §2", "as the papers round them"),
        "codata": Option({}, "CODATA 2018, IAU 2015", "as astropy.constants gives them; H0 = 70 km/s/Mpc"),
    },
)


class Level(IntEnum):
    """What a value varies with, besides the parameters."""

    GLOBAL = 0
    SYSTEM = 1
    POINT = 2


@dataclass(frozen=True)
class Frame:
    """How models meet one kind of cube.

    Attributes
    ----------
    kind : str
        The kind of cube.
    system_dim : str or None
        The dimension of its systems, if there is one.
    terms : Mapping
        The terms that every kernel can use there: baryons, and what is compared with data.
    parameters, choices : tuple
        Those of the baryons and of the observable.
    predicted_unit : str
        Unit of the prediction, unless the label of a choice has another.
    measured : frozenset of str
        Parameters of kernels that such a cube gives for each point or system instead.
    defaults : Mapping
        Labels and values that are the default there, for the kernels that have such choices and parameters.
    """

    kind: str
    system_dim: str | None
    terms: Mapping[str, Term | Reduction | str]
    parameters: tuple[Parameter, ...]
    predicted_unit: str
    choices: tuple[Choice, ...] = ()
    measured: frozenset[str] = frozenset()
    defaults: Mapping[str, str | float] = field(default_factory=dict)

    def unit(self, labels: Mapping[str, str]) -> str:
        """Return the unit of the prediction under some labels."""
        options = (choice.options[labels.get(choice.name, choice.default)] for choice in self.choices)
        return next((option.unit for option in options if option.unit is not None), self.predicted_unit)


@dataclass(frozen=True)
class Variables:
    """The numeric variables that a cube offers, by what they vary with."""

    points: frozenset[str]
    systems: frozenset[str]

    def level(self, name: str) -> Level | None:
        """Return the level of a variable, or None when the cube does not have it."""
        if name in self.points:
            return Level.POINT
        return Level.SYSTEM if name in self.systems else None


@dataclass(frozen=True)
class Node:
    """One term in its place: what to call, on which names."""

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
        """Whether the term folds a system's points into one value."""
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

    def node(self, name: str) -> Node | None:
        """Return the node of that name, or None for a name that enters from outside."""
        return next((node for node in self.nodes if node.name == name), None)

    def only(self, *targets: str) -> "Graph":
        """Return the part of the graph behind some of its terms, with those as its targets."""
        needed = set(targets)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return replace(self, nodes=tuple(node for node in self.nodes if node.name in needed), targets=targets)


def model_choices(kernel: Kernel, frame: Frame) -> tuple[Choice, ...]:
    """Return every choice a sweep of this kernel may name, with the frame's defaults."""
    own = (replace(c, default=str(frame.defaults.get(c.name, c.default))) for c in kernel.choices)
    return (*own, *frame.choices, CONSTANTS_CHOICE)


def model_parameters(kernel: Kernel, frame: Frame) -> dict[str, Parameter]:
    """Return every parameter of the kernel and of the frame it is seen in, by name."""
    own = (p for p in kernel.parameters if p.name not in frame.measured)
    adapted = (replace(p, default=float(frame.defaults[p.name])) if p.name in frame.defaults else p for p in own)
    return {p.name: p for p in (*adapted, *frame.parameters)}


def resolve_labels(kernel: Kernel, frame: Frame, given: Mapping[str, str]) -> dict[str, str]:
    """Return a label for each choice of the kernel and the frame: the given one, or the default.

    Raises
    ------
    SpecError
        For a choice or a label the kernel does not have.
    """
    choices = {choice.name: choice for choice in model_choices(kernel, frame)}
    for name, label in given.items():
        if name not in choices:
            raise SpecError(f"{kernel.name} has no choice {name!r}", where=name, hint=did_you_mean(name, choices))
        if label not in choices[name].options:
            raise SpecError(
                f"{kernel.name} has no {name} {label!r}",
                where=name,
                found=repr(label),
                hint=did_you_mean(label, choices[name].options),
            )
    return {name: given.get(name, choice.default) for name, choice in choices.items()}


def resolve(
    kernel: Kernel,
    frame: Frame,
    *,
    labels: Mapping[str, str],
    targets: Iterable[str],
    variables: Variables,
    extra: Mapping[str, Any] | None = None,
) -> Graph:
    """Find the terms behind the targets, under the given labels, on a cube with the given variables.

    Parameters
    ----------
    kernel, frame : Kernel, Frame
        The model, and the kind of cube it meets.
    labels : Mapping
        A label for every choice, as `resolve_labels` returns.
    targets : iterable of str
        The names wanted.
    variables : Variables
        What the cube offers.
    extra : Mapping, optional
        Further terms, such as the sums of a metric.

    Raises
    ------
    DataError
        When a term needs something that is neither a term, a parameter, a constant nor a variable of the cube.
    SpecError
        When terms depend on one another in a circle.
    """
    definitions = {**frame.terms, **kernel.terms}
    for choice in (*frame.choices, *kernel.choices):
        definitions.update(choice.options[labels[choice.name]].defines)
    definitions.update(extra or {})
    parameters = model_parameters(kernel, frame)
    return _Resolver(kernel.name, definitions, frozenset(parameters), variables).graph(tuple(targets))


class _Resolver:
    """Depth-first walk from the targets to what enters from outside."""

    def __init__(
        self,
        kernel: str,
        definitions: Mapping[str, Term | Reduction | str],
        parameters: Collection[str],
        variables: Variables,
    ) -> None:
        self.kernel = kernel
        self.definitions = definitions
        self.parameters = parameters
        self.variables = variables
        self.levels: dict[str, Level] = {}
        self.nodes: list[Node] = []
        self.entering: dict[str, str] = {}

    def graph(self, targets: tuple[str, ...]) -> Graph:
        names = tuple(self.visit(target, ()) for target in targets)
        return Graph(
            tuple(self.nodes),
            names,
            tuple(self.entered("point")),
            tuple(self.entered("system")),
            tuple(self.entered("parameter")),
            tuple(self.entered("constant")),
        )

    def entered(self, role: str) -> Iterator[str]:
        return (name for name, r in self.entering.items() if r == role)

    def visit(self, name: str, path: tuple[str, ...]) -> str:
        """Make sure that a name is available, and return the name it goes by once aliases are followed."""
        if name in path:
            raise SpecError(
                f"the terms of {self.kernel} depend on one another in a circle", found=" → ".join((*path, name))
            )
        definition = self.definitions.get(name)
        if isinstance(definition, str):
            return self.visit(definition, (*path, name))
        if name not in self.levels:
            self.levels[name] = self.enter(name, path) if definition is None else self.compute(name, definition, path)
        return name

    def compute(self, name: str, term: Term | Reduction, path: tuple[str, ...]) -> Level:
        inputs = tuple(self.visit(argument, (*path, name)) for argument in inputs_of(term))
        level = max((self.levels[argument] for argument in inputs), default=Level.GLOBAL)
        if isinstance(term, Reduction):
            level = Level.SYSTEM
        self.nodes.append(Node(name, term, inputs, level))
        return level

    def enter(self, name: str, path: tuple[str, ...]) -> Level:
        if name in self.parameters:
            self.entering[name] = "parameter"
            return Level.GLOBAL
        level = self.variables.level(name)
        if level is not None:
            self.entering[name] = "point" if level is Level.POINT else "system"
            return level
        if name in _CONSTANT_NAMES:
            self.entering[name] = "constant"
            return Level.GLOBAL
        raise DataError(
            f"{self.kernel} needs {name!r}, which the cube does not have",
            where=" → ".join((*path, name)),
            expected=f"a variable {name!r}",
            found=", ".join(sorted(self.variables.points | self.variables.systems)) or "no variables",
            hint="choose other labels, or add the variable to the cube's recipe",
        )
