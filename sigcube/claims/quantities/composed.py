"""Numbers that need no cube: arithmetic, functions of a boost, defaults, and what the papers only state."""

import inspect
import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from pydantic import Field, field_validator

from sigcube.claims.formula import calculate, constants_of
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity, joined_specs, linked_value
from sigcube.claims.quantities.model_text import constants_text
from sigcube.claims.verdicts import Printed, read_printed
from sigcube.constants import CONSTANTS
from sigcube.errors import FetchError, SpecError, did_you_mean
from sigcube.kernels import find, lensing

__all__ = ["QUANTITIES"]


# A printed number, and in brackets where it is printed.
_INPUT = re.compile(r"(.+?)(?: \((.+)\))?")


class ExpressionKeys(Keys):
    """Arithmetic of numbers, constants, and what ``let`` and ``inputs`` name.

    In ``let`` a number is itself, a text is the id of another claim (its first reading; ``"id / name"`` for another),
    and a table is a reading of its own. ``inputs`` are rounded numbers as they are printed, with their place in
    brackets unless it is the row's: ``"2.69 (§5.2, table)"``. Whatever rounds to them counts as well.
    """

    formula: str
    let: dict[str, Any] = Field(default={})
    inputs: dict[str, str] = Field(default={})

    @field_validator("inputs")
    @classmethod
    def _printed(cls, inputs: dict[str, str]) -> dict[str, str]:
        for text in inputs.values():
            if _input(text)[0].width is None:
                raise ValueError(f"{text!r} is no number")
        return inputs

    def linked(self) -> tuple[Any, ...]:
        """Return what ``let`` names, numbers left out."""
        return tuple(value for value in self.let.values() if not isinstance(value, int | float))


def _input(text: str) -> tuple[Printed, str]:
    """Split an input into the number and its place."""
    match = _INPUT.fullmatch(text)
    return read_printed(match[1] if match else text), (match[2] or "") if match else ""


def expression(keys: ExpressionKeys, context: Context) -> Found:
    """Calculate the formula, and its least and largest value where rounded inputs leave a choice."""
    parts = {name: linked_value(value, context) for name, value in keys.let.items()}
    values = {name: part.value for name, part in parts.items()}
    printed = {name: _input(text)[0] for name, text in keys.inputs.items()}
    ranges = {name: (float(p.low or 0), float(p.high or 0), float(p.margin)) for name, p in printed.items()}
    middle = {name: (low + high) / 2 for name, (low, high, _) in ranges.items()}
    corners = itertools.product(*((low - margin, high + margin) for low, high, margin in ranges.values()))
    reached = [calculate(keys.formula, {**values, **dict(zip(ranges, corner, strict=True))}) for corner in corners]
    told = {name: f"{part.value:.10g}{_source(keys.let[name])}" for name, part in parts.items()}
    return Found(
        calculate(keys.formula, {**values, **middle}),
        {name: mark for part in parts.values() for name, mark in part.datasets.items()},
        joined_specs([part.spec for part in parts.values()]),
        "; ".join(dict.fromkeys(part.command for part in parts.values() if part.command)),
        {
            "formula": keys.formula,
            **told,
            **keys.inputs,
            "constants": constants_text(constants_of(keys.formula) - {*values, *printed}),
            **_behind(keys.let, parts),
        },
        any(part.uses_model for part in parts.values()),
        any(part.compares for part in parts.values()),
        (min(reached), max(reached)) if ranges else None,
    )


def _behind(let: Mapping[str, Any], parts: Mapping[str, Found]) -> dict[str, str]:
    """Say what is behind the parts that are no rows of their own, each text once."""
    told: dict[str, str] = {}
    for name, part in parts.items():
        if isinstance(let[name], Mapping):
            shown = {key: text for key, text in part.details.items() if text and text not in told.values()}
            told |= {f"{name}, {key}": text for key, text in shown.items()}
    return told


def _source(link: Any) -> str:
    """Say in brackets where a value comes from."""
    if isinstance(link, str):
        return f" ({link})"
    if isinstance(link, int | float):
        return ""
    told = ", ".join(f"{key} {value}" for key, value in link.items() if isinstance(value, str | int | float))
    return f" ({told})"


class LensingKeys(Keys):
    """A function of `sigcube.kernels.lensing` at a boost Σ: a number, or a reading or claim as in an expression."""

    function: Literal["slip", "lensing_over_dynamics", "theta_renormalised", "dynamical_boost", "lensing_boost"]
    boost: Any

    def linked(self) -> tuple[Any, ...]:
        """Return the reading that Σ comes from, if it is one."""
        return () if isinstance(self.boost, int | float) else (self.boost,)


def lensing_function(keys: LensingKeys, context: Context) -> Found:
    """Evaluate the function."""
    boost = linked_value(keys.boost, context)
    function = getattr(lensing, keys.function)
    value = float(function(boost.value))
    call = f"from sigcube.kernels import lensing; lensing.{keys.function}({boost.value!r})"
    about, _, _ = inspect.cleandoc(function.__doc__).splitlines()[0].partition(". Arguments")
    details = {"formula": about.rstrip("."), "boost": f"{boost.value:.10g}"}
    return Found(value, boost.datasets, boost.spec, call, details, compares=boost.compares)


class DefaultKeys(Keys):
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


def default(keys: DefaultKeys, _: Context) -> Found:
    """Return the default."""
    parameters = {parameter.name: parameter for parameter in find(keys.kernel).parameters}
    if keys.parameter not in parameters:
        hint = did_you_mean(keys.parameter, parameters)
        raise SpecError(f"{keys.kernel} has no parameter {keys.parameter!r}", where="parameter", hint=hint)
    value = parameters[keys.parameter].value(CONSTANTS[keys.constants])
    return Found(value, command=f"sigcube kernels {keys.kernel}")


class PrintedKeys(Keys):
    """The number that the papers print in another place for the same thing."""

    value: str
    where: str


def printed(keys: PrintedKeys, _: Context) -> Found:
    """Return the number, or NaN for a text or a range; the verdict goes by the printed characters."""
    value = float("nan")
    with suppress(SpecError):
        number = read_printed(keys.value)
        value = float(number.low or 0) if number.low == number.high else value
    return Found(value, details={"printed": keys.value, "where": keys.where})


class AssumptionKeys(Keys):
    """What the papers assume and do not derive."""

    because: str


def assumption(keys: AssumptionKeys, _: Context) -> Found:
    """Return no value: there is none to compute."""
    return Found(float("nan"), details={"because": keys.because})


class UnavailableKeys(Keys):
    """A number that needs a file which the papers name, or describe, and did not publish: no dataset has it."""

    file: str
    of: str


def unavailable(keys: UnavailableKeys, _: Context) -> Found:
    """Say what is missing."""
    raise FetchError(f"needs {keys.file}, {keys.of}", hint="it is in none of the datasets of sigcube")


QUANTITIES = {
    "expression": Quantity(ExpressionKeys, expression),
    "lensing": Quantity(LensingKeys, lensing_function, uses_model=True),
    "default": Quantity(DefaultKeys, default, uses_model=True),
    "printed": Quantity(PrintedKeys, printed, numeric=False),
    "assumption": Quantity(AssumptionKeys, assumption, numeric=False),
    "unavailable": Quantity(UnavailableKeys, unavailable),
}
