"""What a spec must keep to make sense with its kernel."""

from collections.abc import Collection, Mapping
from itertools import chain

from sigcube.cube import KINDS
from sigcube.errors import SpecError
from sigcube.model.graph import Frame, model_choices, model_parameters
from sigcube.model.metrics import METRICS, terms_of
from sigcube.model.record import Kernel, Term, inputs_of
from sigcube.model.settings import check_names, check_values
from sigcube.plan.grid import Axis
from sigcube.plan.spec import Reference, Spec

__all__ = ["check_dims", "check_reference", "check_spec"]


def check_spec(spec: Spec, fewest_points: int) -> None:
    """Refuse names, labels and values that the kernel does not have or accept, and metrics that mean nothing here.

    Raises
    ------
    SpecError
        With the key of the spec, and the nearest valid name, or the metrics that do.
    """
    _check_metrics(spec)
    names = [axis.name for axis in spec.grid.axes]
    check_names(spec.kernel, spec.frame, names, where="axes")
    check_names(spec.kernel, spec.frame, spec.settings, where="parameters")
    if both := sorted(set(names) & set(spec.settings)):
        raise SpecError(f"{both[0]!r} is both an axis and held fixed", where="parameters", hint="keep one of the two")
    parameters = model_parameters(spec.kernel, spec.frame)
    choices = {choice.name for choice in model_choices(spec.kernel, spec.frame)}
    for axis in spec.grid.axes:
        _check_axis(spec, axis, choices)
        if axis.name in parameters:
            check_values(parameters[axis.name], axis.values, where=f"axes.{axis.name}")
    for name, value in spec.settings.items():
        if name in parameters:
            check_values(parameters[name], value, where=f"parameters.{name}")
    _check_observable(spec)
    if not 0 <= spec.fitted < fewest_points:
        raise SpecError(
            "fitted parameters leave no degrees of freedom",
            where="fitted",
            found=str(spec.fitted),
            expected=f"0 to {fewest_points - 1}",
        )


def _check_metrics(spec: Spec) -> None:
    """Refuse metrics made of what this kind of cube does not define, such as velocities where each row has its law."""
    defined = _defined(spec.kernel, spec.frame)
    terms = terms_of(spec.metrics)
    for metric in (metric for metric in spec.metrics if metric.name not in METRICS):
        if taken := [name for name in metric.terms if name in defined]:
            raise SpecError(f"a metric cannot call a term {taken[0]!r}: the model has one", where="metrics")
        own = {**spec.frame.terms, **terms}
        if unknown := [name for name in metric.sums if not callable(own.get(name))]:
            hint = "define it among the metric's terms"
            raise SpecError(f"a metric adds up terms, and {unknown[0]!r} is none", where="metrics", hint=hint)
    known = {**METRICS, **{metric.name: metric for metric in spec.metrics}}.values()
    fitting = [metric.name for metric in known if all(_follows(each, defined, terms) for each in metric.sums)]
    if unfit := [metric.name for metric in spec.metrics if metric.name not in fitting]:
        raise SpecError(
            f"metric {unfit[0]!r} does not fit cubes of kind {spec.frame.kind!r}",
            where="metrics",
            found=", ".join(unfit),
            expected=", ".join(fitting),
        )


def _defined(kernel: Kernel, frame: Frame) -> frozenset[str]:
    """Return what the model gives under any labels, and what a cube of the kind may hold."""
    options = (option for choice in (*frame.choices, *kernel.choices) for option in choice.options.values())
    variables = (variable.name for variable in KINDS[frame.kind].variables)
    return frozenset(chain(frame.terms, kernel.terms, variables, *(option.defines for option in options)))


def _follows(name: str, defined: Collection[str], terms: Mapping[str, Term]) -> bool:
    """Whether a term of a metric follows from what there is."""
    if name not in terms:
        return name in defined
    return all(_follows(each, defined, terms) for each in inputs_of(terms[name]))


def _check_axis(spec: Spec, axis: Axis, choices: set[str]) -> None:
    if axis.is_label and axis.name not in choices:
        raise SpecError(f"parameter {axis.name!r} takes numbers", where=f"axes.{axis.name}", found=repr(axis.values[0]))
    if not axis.is_label and axis.name in choices:
        raise SpecError(f"choice {axis.name!r} takes labels", where=f"axes.{axis.name}", found=repr(axis.values[0]))


def _check_observable(spec: Spec) -> None:
    """Refuse observables side by side: their residuals have no unit in common."""
    for choice in spec.frame.choices:
        units = {option.unit for option in choice.options.values()}
        if len(units) > 1 and any(axis.name == choice.name for axis in spec.grid.axes):
            raise SpecError(
                f"{choice.name!r} cannot be an axis: its labels have different units",
                where=f"axes.{choice.name}",
                found=", ".join(f"{label} [{option.unit}]" for label, option in choice.options.items()),
                hint="hold it fixed among the parameters, and make a sweep for each",
            )


def check_dims(spec: Spec, variables: Collection[str]) -> None:
    """Refuse a dimension with the name of something else in the result.

    Raises
    ------
    SpecError
        For a dimension called like a variable of the result, like the systems, or like an axis along another dimension.
    """
    elsewhere = {axis.name for axis in spec.grid.axes if axis.dim != axis.name}
    for axis in spec.grid.axes:
        if axis.dim == spec.frame.system_dim or axis.dim in variables or axis.dim in elsewhere:
            raise SpecError(
                f"a dimension of the grid cannot be called {axis.dim!r}",
                where=f"axes.{axis.name}",
                found="a name that the result uses itself",
                hint="give the dimension another name",
            )


def check_reference(reference: Reference, frame: Frame, used: Collection[str], labels: Mapping[str, str]) -> None:
    """Refuse values of a reference out of bounds, and those that its own labels leave without effect.

    Raises
    ------
    SpecError
        With the key of the spec.
    """
    parameters = model_parameters(reference.kernel, frame)
    for name, value in reference.settings.items():
        if name in labels:
            continue
        check_values(parameters[name], value, where=f"reference.{name}")
        if name not in used:
            chosen = ", ".join(f"{choice}={label}" for choice, label in labels.items())
            raise SpecError(
                f"the reference {reference.kernel.name} does not use {name!r}", where=f"reference.{name}", found=chosen
            )
