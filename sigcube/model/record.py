"""What a kernel and a kind of cube declare: terms, choices and parameters.

A *term* is a plain scalar Python function. **Its argument names are its inputs**: another term, a parameter, a
physical constant or a variable of the cube. That one convention is the whole protocol. It tells, without a second
declaration that could drift from the formula,

- what a term depends on, so that the engine computes it once for each combination of those things and no more often;
- which parameters a choice of labels uses, so that an axis it does not use is not computed;
- which variables a cube must have.

An argument ``previous_x`` is the value of ``x``, a term or a variable of the points, at the point before in the same
system, and 0.0 at a system's first point. Points are in the order of the cube, in which radii increase. So a term may
take its own value at the point before, or that of one that takes its: a recursion along the points. What sums up all
points of a system, a `Reduction`, takes no such term.

An argument ``raised_x`` is the value that ``x`` would have if what there is a raised term of, such as ``v_gas`` where
there is a term ``raised_v_gas``, had the value of that term instead; ``lowered_x`` likewise. What depends on nothing of
the kind is ``x`` itself. So a derivative is a difference of two such arguments, for every kernel alike.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sigcube.constants import Constants

__all__ = [
    "NUDGED",
    "PREVIOUS",
    "Choice",
    "Definition",
    "Frame",
    "KernelRecord",
    "Option",
    "Parameter",
    "Reduction",
    "Term",
    "inputs_of",
]

#: What the name of an argument begins with that is a value at the point before.
PREVIOUS = "previous_"

#: What the name of an argument begins with that is a value under other inputs.
NUDGED = ("raised_", "lowered_")

Term = Callable[..., float]


@dataclass(frozen=True)
class Reduction:
    """A term with one value per system, computed from all of its points in a sample, whatever a condition leaves.

    Arguments that vary along the points arrive as arrays of shape ``(n_points,)``, the others as scalars.
    """

    function: Callable[..., float]


#: What a name stands for: a term, a term over the points of a system, or another name.
Definition = Term | Reduction | str


@dataclass(frozen=True)
class Parameter:
    """A number of the model, fixed or swept.

    Attributes
    ----------
    name, symbol : str
        The keyword, and the sign the papers use.
    default : float or callable
        A value, or a function of the `Constants` in use for a parameter that they determine.
    unit : str
        A unit that `astropy.units` can read; empty for a pure number.
    bounds : tuple of float
        Smallest and largest accepted value, both included.
    status : str
        How the source came by the default: derived, calibrated, fitted or fixed.
    source : str
        Paper and section.
    description : str
        What it is, in a few words.
    """

    name: str
    symbol: str
    default: float | Callable[[Constants], float]
    unit: str
    bounds: tuple[float, float]
    status: Literal["derived", "calibrated", "fitted", "fixed"]
    source: str
    description: str

    def value(self, constants: Constants) -> float:
        """Return the default under the given constants."""
        return self.default(constants) if callable(self.default) else self.default


@dataclass(frozen=True)
class Option:
    """One label of a choice: the names it defines, each as a term or as an alias.

    If a label decides what is predicted, it has the unit of that.
    """

    defines: Mapping[str, Definition]
    source: str
    description: str
    unit: str | None = None


@dataclass(frozen=True)
class Choice:
    """A label axis: alternatives between which a model, or a reading of a paper, must choose."""

    name: str
    default: str
    options: Mapping[str, Option]
    description: str


@dataclass(frozen=True)
class KernelRecord:
    """What a gravity model declares; `sigcube.model.kernel.Kernel`, which users make, explains each field."""

    name: str
    title: str
    source: str
    terms: Mapping[str, Definition]
    parameters: tuple[Parameter, ...] = ()
    choices: tuple[Choice, ...] = ()
    smallest_boost: float = 1.0


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
    terms: Mapping[str, Definition]
    parameters: tuple[Parameter, ...]
    predicted_unit: str
    choices: tuple[Choice, ...] = ()
    measured: frozenset[str] = frozenset()
    defaults: Mapping[str, str | float] = field(default_factory=dict)

    def unit(self, labels: Mapping[str, str]) -> str:
        """Return the unit of the prediction under some labels."""
        options = (choice.options[labels.get(choice.name, choice.default)] for choice in self.choices)
        return next((option.unit for option in options if option.unit is not None), self.predicted_unit)


def inputs_of(term: "Term | Reduction") -> tuple[str, ...]:
    """Return the argument names of a term.

    Examples
    --------
    >>> inputs_of(lambda r, xi: r / (xi + r))
    ('r', 'xi')
    """
    function = term.function if isinstance(term, Reduction) else term
    return tuple(inspect.signature(function).parameters)
