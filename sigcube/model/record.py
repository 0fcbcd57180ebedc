"""What a kernel declares: its terms, its choices and its parameters.

A *term* is a plain scalar Python function. **Its argument names are its inputs**: another term, a parameter, a
physical constant or a variable of the cube. That one convention is the whole protocol. It tells, without a second
declaration that could drift from the formula,

- what a term depends on, so that the engine computes it once for each combination of those things and no more often;
- which parameters a choice of labels uses, so that an axis it does not use is not computed;
- which variables a cube must have.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sigcube.constants import Constants

__all__ = ["Choice", "Kernel", "Option", "Parameter", "Reduction", "Term", "inputs_of"]

Term = Callable[..., float]
Status = Literal["derived", "calibrated", "fitted", "fixed"]


@dataclass(frozen=True)
class Reduction:
    """A term with one value per system, computed from all of its points.

    Arguments that vary along the points arrive as arrays of shape ``(n_points,)``, the others as scalars.
    """

    function: Callable[..., float]


@dataclass(frozen=True)
class Parameter:
    """A number of the model, fixed or swept.

    Attributes
    ----------
    name, symbol : str
        The keyword, and the sign the papers use.
    default : float or callable
        A value, or a function of the `Constants` in use for one that they determine.
    unit : str
        Readable by `astropy.units`; empty for a pure number.
    bounds : tuple of float
        Smallest and largest value that is accepted, both included.
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
    status: Status
    source: str
    description: str

    def value(self, constants: Constants) -> float:
        """Return the default under the given constants."""
        return self.default(constants) if callable(self.default) else self.default


@dataclass(frozen=True)
class Option:
    """One label of a choice: the names it defines, each by a term or as another name for something.

    A label that decides what is predicted has the unit of that.
    """

    defines: Mapping[str, "Term | Reduction | str"]
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
class Kernel:
    """A gravity model: what turns baryons into a boost Σ = g_eff / g_N.

    Attributes
    ----------
    name, title, source : str
        The registry key, the name in print, and paper and section.
    terms : Mapping
        The formulas, by the name under which others refer to them. One of them is ``boost``.
    parameters : tuple of Parameter
        Every number that the terms, under any choice, refer to.
    choices : tuple of Choice
        The label axes.
    smallest_boost : float
        A bound that Σ keeps everywhere within the parameters' bounds.
    """

    name: str
    title: str
    source: str
    terms: Mapping[str, "Term | Reduction | str"]
    parameters: tuple[Parameter, ...] = ()
    choices: tuple[Choice, ...] = ()
    smallest_boost: float = 1.0

    def __repr__(self) -> str:
        names = ", ".join([*(c.name for c in self.choices), *(p.name for p in self.parameters)])
        return f"<Kernel {self.name}: {self.title} ({names or 'no parameters'})>"

    def boost(self, cube: Any, **settings: Any) -> Any:
        """Σ = g_eff / g_N at every point of a cube.

        Parameters
        ----------
        cube : xarray.Dataset
            A cube with the variables that the kernel needs.
        **settings
            Parameters as numbers or DataArrays, which broadcast against the cube, and choices as labels. What is not
            given has its default.

        Returns
        -------
        xarray.DataArray
            Σ, dimensionless, over the cube's dimensions and those of the parameters.

        Raises
        ------
        SpecError
            For a name, label or value the kernel does not have, or a parameter that the labels do not use.
        DataError
            For a cube that lacks a variable.
        """
        from sigcube.model.evaluate import evaluate

        return evaluate(self, cube, "boost", settings)

    def compute(self, cube: Any, term: str, **settings: Any) -> Any:
        """Compute any named term of the kernel: ``h``, ``W``, ``xi`` ... See `boost` for the arguments.

        Returns
        -------
        xarray.DataArray or float
            Its values, over what it varies with; its unit is in the term's docstring.
        """
        from sigcube.model.evaluate import evaluate

        return evaluate(self, cube, term, settings)

    def predict(self, cube: Any, **settings: Any) -> Any:
        """Predict the cube's observable at every point: V in km/s for galaxies. See `boost` for the arguments."""
        from sigcube.model.evaluate import evaluate

        return evaluate(self, cube, "predicted", settings)


def inputs_of(term: "Term | Reduction") -> tuple[str, ...]:
    """Return the argument names of a term.

    Examples
    --------
    >>> inputs_of(lambda r, xi: r / (xi + r))
    ('r', 'xi')
    """
    function = term.function if isinstance(term, Reduction) else term
    return tuple(inspect.signature(function).parameters)
