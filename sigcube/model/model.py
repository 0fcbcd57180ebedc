"""Models: a kernel with a kind of cube, labels and values, made once and passed on."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from sigcube.constants import CONSTANTS, Constants
from sigcube.errors import DataError, SpecError, did_you_mean
from sigcube.model.graph import Graph, Variables, build_graph
from sigcube.model.record import Choice, Definition, Frame, KernelRecord, Option, Parameter
from sigcube.model.units import in_unit, refuse_other_unit

__all__ = ["CONSTANTS_CHOICE", "BoundModel", "Model", "check_values"]

CONSTANTS_CHOICE = Choice(
    name="constants",
    default="paper",
    description="Rounding of the physical constants",
    options={
        "paper": Option({}, "SI §2", "as the papers round them"),
        "codata": Option({}, "CODATA 2018, IAU 2015", "as astropy.constants gives them; H0 = 70 km/s/Mpc"),
    },
)


@dataclass(frozen=True)
class BoundModel:
    """A model with its labels settled and its parameters bound: what the engine compiles into one loop.

    Attributes
    ----------
    graph : Graph
        The terms behind the targets.
    fixed : tuple of (str, float)
        Values of the constants and of the parameters held fixed.
    swept : tuple of (str, str)
        The parameters that vary, each with its dimension.
    """

    graph: Graph
    fixed: tuple[tuple[str, float], ...]
    swept: tuple[tuple[str, str], ...]

    @cached_property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that the terms vary with, each once."""
        return tuple(dict.fromkeys(dim for _, dim in self.swept))


@dataclass(frozen=True)
class Model:
    """A kernel, the frame of a kind of cube, and the settings that differ from the defaults.

    Attributes
    ----------
    kernel : KernelRecord
        The formulas.
    frame : Frame
        How models meet the cube's kind.
    settings : Mapping
        Labels of choices and values of parameters, by name; all others have their defaults.
    """

    kernel: KernelRecord
    frame: Frame
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """Every choice of the kernel and the frame, by name, with the frame's defaults."""
        own = (replace(c, default=str(self.frame.defaults.get(c.name, c.default))) for c in self.kernel.choices)
        return {choice.name: choice for choice in (*own, *self.frame.choices, CONSTANTS_CHOICE)}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter of the kernel and the frame, by name, with the frame's defaults."""
        own = (p for p in self.kernel.parameters if p.name not in self.frame.measured)
        defaults = self.frame.defaults
        adapted = (replace(p, default=float(defaults[p.name])) if p.name in defaults else p for p in own)
        return {p.name: p for p in (*adapted, *self.frame.parameters)}

    @cached_property
    def labels(self) -> dict[str, str]:
        """A label for each choice: the given one, or the default.

        Raises
        ------
        SpecError
            For a label that its choice does not have.
        """
        given = {name: str(self.settings.get(name, choice.default)) for name, choice in self.choices.items()}
        for name, label in given.items():
            if label not in (options := self.choices[name].options):
                what = f"{self.kernel.name} has no {name} {label!r}"
                raise SpecError(what, where=name, found=repr(label), hint=did_you_mean(label, options))
        return given

    @cached_property
    def values(self) -> dict[str, Any]:
        """The values given for parameters, in the parameters' units."""
        return {
            name: self.in_own_unit(name, value, where=name)
            for name, value in self.settings.items()
            if name not in self.choices
        }

    @property
    def constants(self) -> Constants:
        """The physical constants in use."""
        return CONSTANTS[self.labels["constants"]]

    @property
    def unit(self) -> str:
        """Unit of the prediction."""
        return self.frame.unit(self.labels)

    def varies(self, name: str) -> bool:
        """Whether a name is a parameter or a choice of the model that it does not hold fixed."""
        return (name in self.parameters or name in self.choices) and name not in self.settings

    def in_own_unit(self, name: str, value: Any, *, where: str) -> Any:
        """Return a value given for a parameter in the parameter's unit, see `in_unit`; for other names as it is.

        Raises
        ------
        SpecError
            Also for an array that says another unit.
        """
        known = self.parameters.get(name)
        if known is None:
            return value
        if isinstance(value, xr.DataArray):
            refuse_other_unit(name, value, known.unit, where=where)
            return value
        return in_unit(name, value, known.unit, where=where)

    def with_settings(self, settings: Mapping[str, Any]) -> "Model":
        """Return the model with further settings, which replace those of the same name."""
        return replace(self, settings={**self.settings, **settings})

    def check_names(self, names: Iterable[str], *, where: str | None = None) -> None:
        """Refuse names that are neither a parameter nor a choice.

        Raises
        ------
        SpecError
            With the nearest valid name.
        """
        valid = {*self.parameters, *self.choices}
        for name in names:
            if name not in valid:
                what = f"{self.kernel.name} has no parameter or choice {name!r}"
                raise SpecError(what, where=where, hint=did_you_mean(name, valid))

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """What each name stands for under the labels."""
        found = {**self.frame.terms, **self.kernel.terms}
        for choice in (*self.frame.choices, *self.kernel.choices):
            found.update(choice.options[self.labels[choice.name]].defines)
        return found

    def name_behind(self, name: str) -> str:
        """Return the name behind an alias, such as the variable of a cube behind ``observed``."""
        while isinstance(definition := self.definitions.get(name), str):
            name = definition
        return name

    def graph(
        self, targets: Iterable[str], *, variables: Variables, extra: Mapping[str, Definition] | None = None
    ) -> Graph:
        """Return the terms behind some targets, on a cube with the given variables.

        Further terms, such as the sums of a metric, are given as `extra`.

        Raises
        ------
        DataError
            For a cube that lacks something a term needs.
        SpecError
            For terms that depend on one another in a circle.
        """
        return build_graph(
            self.kernel.name,
            definitions={**self.definitions, **(extra or {})},
            parameters=self.parameters,
            variables=variables,
            targets=targets,
        )

    def inputs(self, graph: Graph) -> dict[str, Any]:
        """Return the value of every constant and parameter that enters a graph: the given one, or the default."""
        constants = {name: getattr(self.constants, name) for name in graph.constants}
        parameters = {
            name: self.values.get(name, self.parameters[name].value(self.constants)) for name in graph.parameters
        }
        return constants | parameters

    def how_to_use(self, name: str, targets: Iterable[str], **given: Any) -> str:
        """Return a hint on a parameter that nothing uses: the labels under which it would; ``given`` is for `graph`."""
        found = []
        for choice, label in [(each.name, label) for each in self.choices.values() for label in each.options]:
            # Do not advise a label that does not go with this cube or another label.
            with suppress(DataError, SpecError):
                if name in self.with_settings({choice: label}).graph(targets, **given).parameters:
                    found.append(f"{choice} = {label!r}")
        return f"leave {name} out" + (f", or choose {' or '.join(found)}, which uses it" if found else "")

    def check_given(self, graph: Graph, variables: Variables) -> None:
        """Refuse values that are out of bounds, or that the graph does not use on a cube with these variables.

        Raises
        ------
        SpecError
            With the labels that leave a parameter unused, or the offending value and the bounds.
        """
        for name, value in self.values.items():
            if name not in graph.parameters:
                chosen = ", ".join(f"{key}={label!r}" for key, label in self.labels.items())
                hint = self.how_to_use(name, graph.targets, variables=variables)
                raise SpecError(f"{self.kernel.name} does not use {name!r} here", found=chosen, hint=hint)
            check_values(self.parameters[name], value)

    def bind(
        self,
        targets: Iterable[str],
        *,
        variables: Variables,
        swept: Mapping[str, str],
        extra: Mapping[str, Definition] | None = None,
    ) -> BoundModel:
        """Settle the labels, and separate the parameters that vary along a dimension from those held fixed.

        `swept` names the dimension of each parameter that varies, used or not; the rest is as for `graph`.
        """
        graph = self.graph(targets, variables=variables, extra=extra)
        fixed = {name: float(value) for name, value in self.inputs(graph).items() if name not in swept}
        used = {name: dim for name, dim in swept.items() if name in graph.parameters}
        return BoundModel(graph, tuple(fixed.items()), tuple(used.items()))


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
