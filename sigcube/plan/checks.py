"""Checks that a spec makes sense with its model."""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from numba import float64, typeof

from sigcube.cube import KINDS, Packed
from sigcube.errors import SpecError
from sigcube.model.compilable import check_compilable
from sigcube.model.metrics import METRICS, Metric, terms_of
from sigcube.model.model import Model, check_values
from sigcube.model.record import NUDGED, PREVIOUS, Term, inputs_of
from sigcube.plan.spec import MODEL, Spec, check_names

__all__ = ["check_dims", "check_finish", "check_spec"]


def check_spec(spec: Spec) -> None:
    """Refuse names and values that the model does not have or accept, and metrics that have no meaning here.

    Which labels there are is for `sigcube.plan.sections.make_sections` to see, which settles them.

    Raises
    ------
    SpecError
        With the key of the spec, and the nearest valid name, or the metrics that do.
    """
    axes = {axis.name: axis for axis in spec.grid.axes if axis.name != MODEL}
    for model in spec.models.values():
        _check_metrics(spec, model)
    check_names(spec.models, axes, where="axes")
    for given, where in (*((model, "fixed") for model in spec.models.values()), (spec.reference, "reference")):
        if given is not None:
            given.check_names(given.settings, where=where)
            for name, value in given.values.items():
                check_values(given.parameters[name], value, where=f"{where}.{name}")
    for name, axis in axes.items():
        where, first = f"axes.{name}", repr(axis.values[0])
        given_in: set[str] = set()
        if not (models := spec.models_with(name)):
            raise SpecError(f"{name!r} is both an axis and held fixed", where="fixed", hint="keep one of the two")
        for model in models:
            if axis.is_label and name not in model.choices:
                raise SpecError(f"parameter {name!r} takes numbers", where=where, found=first)
            if not axis.is_label and name in model.choices:
                raise SpecError(f"choice {name!r} takes labels", where=where, found=first)
            if name in model.parameters:
                check_values(model.parameters[name], axis.values, where=where)
                given_in.add(model.parameters[name].unit)
        if len(given_in) > 1:
            found, hint = ", ".join(f"[{unit}]" for unit in sorted(given_in)), "hold it fixed in one of them"
            raise SpecError(f"two models give {name!r} in different units", where=where, found=found, hint=hint)
    for choice in spec.model.frame.choices:
        units = {option.unit for option in choice.options.values()}
        if len(units) > 1 and choice.name in axes:
            raise SpecError(
                f"{choice.name!r} cannot be an axis: its labels have different units",
                where=f"axes.{choice.name}",
                found=", ".join(f"{label} [{option.unit}]" for label, option in choice.options.items()),
                hint="hold it fixed, and make a sweep for each",
            )


def _check_metrics(spec: Spec, model: Model) -> None:
    """Refuse metrics of something this kind of cube does not define, such as velocities if each row has its own law."""
    # What the model gives under any labels, and a cube of this kind may hold.
    terms = terms_of(spec.metrics)
    options = (option for choice in model.choices.values() for option in choice.options.values())
    variables = (variable.name for variable in KINDS[model.frame.kind].variables)
    given = chain(model.frame.terms, model.kernel.terms, variables, *(option.defines for option in options))
    defined = frozenset(given)
    known_inputs = defined | {*model.parameters}
    for metric in (metric for metric in spec.metrics if metric.name not in METRICS):
        if metric.name in (model.frame.system_dim, *spec.grid.dims, *(axis.name for axis in spec.grid.axes)):
            what = f"a metric cannot be called {metric.name!r}: results have such a coordinate"
            raise SpecError(what, where="metrics", hint="choose another name")
        if taken := [name for name in metric.terms if name in defined]:
            raise SpecError(f"a metric cannot call a term {taken[0]!r}: the model has one", where="metrics")
        own = {**model.frame.terms, **terms}
        for name in (name for name in metric.sums if not callable(own.get(name))):
            whose = "is a value of the model" if name in defined else "is no term"
            raise SpecError(
                f"metric {metric.name!r} adds up {name!r}, which {whose}, not one of the metric's terms",
                where="metrics",
                found=", ".join(metric.sums),
                expected=f"its own terms, or {', '.join(own)}",
                hint=f"give it a term that takes what it needs, as in `def mine({name}): return {name}`, and sum that",
            )
    known = {**METRICS, **{metric.name: metric for metric in spec.metrics}}.values()
    fitting = [metric.name for metric in known if _follow(metric.sums, known_inputs, terms)]
    if unfit := [metric.name for metric in spec.metrics if metric.name not in fitting]:
        raise SpecError(
            f"metric {unfit[0]!r} does not fit cubes of kind {model.frame.kind!r}",
            where="metrics",
            found=", ".join(unfit),
            expected=", ".join(fitting),
        )


def _follow(names: Iterable[str], defined: Collection[str], terms: Mapping[str, Term]) -> bool:
    """Whether terms of a metric follow from the names given."""
    waiting, seen = [*names], set[str]()
    while waiting:
        name = waiting.pop()
        for prefix in (PREVIOUS, *NUDGED):
            if name.startswith(prefix) and name not in defined and name not in terms:
                name = name.removeprefix(prefix)
        if name in terms and name not in seen:
            waiting += inputs_of(terms[name])
        elif name not in terms and name not in defined:
            return False
        seen.add(name)
    return True


def check_finish(metrics: Iterable[Metric], packed: Packed) -> None:
    """Refuse a user's metrics whose `finish` Numba cannot compile, which else would fail in every block.

    Raises
    ------
    FormulaError
        With the metric, and what Numba says.
    """
    for metric in (each for each in metrics if each.name not in METRICS):
        of_systems = [typeof(each[0]) for each in metric.system_inputs(packed.per_system)]
        arguments = (float64, *(float64 for _ in metric.sums), *of_systems)
        check_compilable(metric.finish, arguments, what=f"metric {metric.name!r}: finish")


def check_dims(spec: Spec, variables: Collection[str]) -> None:
    """Refuse a dimension with the name of something else in the result.

    Raises
    ------
    SpecError
        For a dimension called like a variable of the result, like the systems, or like an axis along another dimension.
    """
    elsewhere = {axis.name for axis in spec.grid.axes if axis.dim != axis.name}
    for axis in spec.grid.axes:
        if axis.dim == spec.model.frame.system_dim or axis.dim in variables or axis.dim in elsewhere:
            raise SpecError(
                f"a dimension of the grid cannot be called {axis.dim!r}",
                where=f"axes.{axis.name}",
                found="a name that the result uses itself",
                hint="give the dimension another name",
            )
