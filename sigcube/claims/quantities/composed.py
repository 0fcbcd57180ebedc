"""Numbers made of others: arithmetic, another printed number, a parameter's default, and what is assumed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator

from sigcube.claims.formula import calculate
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.verdicts import read_printed
from sigcube.constants import CONSTANTS
from sigcube.errors import SpecError, did_you_mean
from sigcube.kernels import find

__all__ = ["COMPOSED", "Assumption", "Expression", "PrintedElsewhere"]


class Expression(Keys):
    """Arithmetic of numbers, constants, and what ``let`` names.

    In ``let`` a number is itself, a text is the id of another claim (its first reading; ``"id / name"`` for another),
    and a table is a reading of its own.
    """

    formula: str
    let: dict[str, Any] = Field(default={})

    def linked(self) -> tuple[Any, ...]:
        """Return what ``let`` names, numbers left out."""
        return tuple(value for value in self.let.values() if not isinstance(value, int | float))


def expression(keys: Expression, context: Context) -> Found:
    """Calculate the formula."""
    parts = {
        name: Found(float(value)) if isinstance(value, int | float) else context.linked(value)
        for name, value in keys.let.items()
    }
    value = calculate(keys.formula, {name: part.value for name, part in parts.items()})
    specs = [part.spec for part in parts.values() if part.spec]
    shown = {name: f"{part.value:.10g}" for name, part in parts.items()}
    datasets = {name: mark for part in parts.values() for name, mark in part.datasets.items()}
    commands = list(dict.fromkeys(part.command for part in parts.values() if part.command))
    made_of = frozenset().union(*(part.quantities for part in parts.values()))
    return Found(value, datasets, _joined(specs), "; ".join(commands), {"formula": keys.formula, **shown}, made_of)


def _joined(specs: list[str]) -> str:
    """Return the only spec, or all of them one after another, each to be saved by itself."""
    unique = list(dict.fromkeys(specs))
    if len(unique) <= 1:
        return "".join(unique)
    return "\n".join(f"# {i} of {len(unique)}, each a file of its own\n{spec}" for i, spec in enumerate(unique, 1))


class PrintedElsewhere(Keys):
    """The number that the papers print in another place for the same thing."""

    value: str
    where: str


def printed_elsewhere(keys: PrintedElsewhere, _: Context) -> Found:
    """Return the number, or NaN for a text; the verdict goes by the printed characters."""
    try:
        low = read_printed(keys.value).low
    except SpecError:
        low = None
    return Found(float("nan") if low is None else float(low), details={"printed": keys.value, "where": keys.where})


class Assumption(Keys):
    """What the papers put in, and do not get out."""

    because: str


def assumption(keys: Assumption, _: Context) -> Found:
    """Return no value: there is none to compute."""
    return Found(float("nan"), details={"because": keys.because})


class Default(Keys):
    """The default of a kernel's parameter."""

    kernel: str
    parameter: str
    constants: str = "paper"

    @field_validator("constants")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CONSTANTS:
            raise ValueError(did_you_mean(name, CONSTANTS))
        return name


def default(keys: Default, _: Context) -> Found:
    """Return the default."""
    parameters = {parameter.name: parameter for parameter in find(keys.kernel).parameters}
    if keys.parameter not in parameters:
        hint = did_you_mean(keys.parameter, parameters)
        raise SpecError(f"{keys.kernel} has no parameter {keys.parameter!r}", where="parameter", hint=hint)
    value = parameters[keys.parameter].value(CONSTANTS[keys.constants])
    return Found(value, command=f"sigcube kernels {keys.kernel}")


COMPOSED: Mapping[str, Quantity] = MappingProxyType(
    {
        "expression": Quantity(Expression, expression),
        "printed": Quantity(PrintedElsewhere, printed_elsewhere),
        "assumption": Quantity(Assumption, assumption),
        "default": Quantity(Default, default),
    }
)
