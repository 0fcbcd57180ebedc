"""Values and labels as a user gives them, checked against what a kernel declares."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sigcube.errors import SpecError, did_you_mean
from sigcube.model.graph import Frame, model_choices, model_parameters
from sigcube.model.record import Kernel, Parameter

__all__ = ["check_names", "check_values", "split"]


def check_names(kernel: Kernel, frame: Frame, names: Iterable[str], *, where: str | None = None) -> None:
    """Refuse names that are neither a parameter nor a choice of the kernel.

    Raises
    ------
    SpecError
        Naming the nearest valid spelling.
    """
    valid = {*model_parameters(kernel, frame), *(choice.name for choice in model_choices(kernel, frame))}
    for name in names:
        if name not in valid:
            raise SpecError(
                f"{kernel.name} has no parameter or choice {name!r}", where=where, hint=did_you_mean(name, valid)
            )


def check_values(parameter: Parameter, values: object, *, where: str | None = None) -> None:
    """Refuse values of a parameter that are not numbers within its bounds.

    Raises
    ------
    SpecError
        With the offending value and the bounds.
    """
    low, high = parameter.bounds
    try:
        given = np.asarray(values)
    except ValueError:
        raise SpecError(f"{parameter.name} must be a number", where=where, found=repr(values)) from None
    if given.dtype.kind not in "fiu":
        raise SpecError(f"{parameter.name} must be a number", where=where, found=repr(values))
    array = given.astype(np.float64)
    bad = array[~((array >= low) & (array <= high))]
    if bad.size:
        worst = float(bad.flat[0])
        raise SpecError(
            f"{parameter.name} is {'not a number' if math.isnan(worst) else 'out of bounds'}",
            where=where,
            found=f"{worst:g}",
            expected=f"{low:g} to {high:g} {parameter.unit}".rstrip(),
        )


def split(kernel: Kernel, frame: Frame, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split settings into labels and parameter values."""
    choices = {choice.name for choice in model_choices(kernel, frame)}
    labels = {name: value for name, value in given.items() if name in choices}
    return labels, {name: value for name, value in given.items() if name not in choices}
