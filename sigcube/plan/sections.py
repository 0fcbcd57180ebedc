"""The sections of a grid: labels settled, models bound to their axes, combinations that make no difference joined."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from sigcube.errors import SpecError
from sigcube.model.compilable import check_terms
from sigcube.model.graph import Graph, Variables
from sigcube.model.metrics import check_system_variables, sums_of, terms_of
from sigcube.model.model import BoundModel, Model
from sigcube.plan.spec import MODEL, Spec
from sigcube.plan.values import Section

__all__ = ["MOST_READINGS", "make_sections", "reduced_points", "required_variables"]

MOST_READINGS = 10**4
"""Combinations of labels: each is a loop of its own to compile, which takes about a second."""


def make_sections(spec: Spec, variables: Variables) -> tuple[Section, ...]:
    """Settle the labels at each position of the label dimensions, and bind the models there to the numeric axes.

    Parameters
    ----------
    spec : Spec
        The spec, which `sigcube.plan.checks.check_spec` has passed.
    variables : Variables
        The variables of the cube.

    Raises
    ------
    SpecError
        For an unknown label, for an axis or a value that no section uses, and for more than `MOST_READINGS`
        combinations of labels.
    DataError
        For a cube that lacks what a model needs.
    """
    check_system_variables(spec.metrics, variables)
    grid, terms = spec.grid, terms_of(spec.metrics)
    if (n := prod(grid.dims[dim] for dim in grid.label_dims)) > MOST_READINGS:
        raise SpecError(
            "the sweep has too many combinations of labels",
            where="axes",
            found=" × ".join(f"{dim} {grid.dims[dim]:,}" for dim in grid.label_dims) + f" = {n:,}",
            expected=f"at most {MOST_READINGS:,}",
            hint="numbers along a dimension of labels are held fixed at each: give them a dimension of their own",
        )
    positions: dict[tuple[BoundModel, BoundModel | None], list[tuple[int, ...]]] = {}
    labels: dict[tuple[BoundModel, BoundModel | None], Mapping[str, str]] = {}
    used: dict[str, set[str]] = {name: set() for name in spec.models}
    # An axis of one value is a parameter held fixed: a loop over it would only keep terms apart.
    single = {dim: 0 for dim, n in grid.dims.items() if n == 1}
    for position in product(*(range(grid.dims[dim]) for dim in grid.label_dims)):
        at = single | dict(zip(grid.label_dims, position, strict=True))
        here = {axis.name: axis.values[at[axis.dim]] for axis in grid.axes if axis.dim in at}
        name = str(here.get(MODEL, next(iter(spec.models))))
        # An axis is that of the models that have it.
        own = {axis.name for axis in grid.axes if spec.models[name].varies(axis.name)}
        model = spec.models[name].with_settings({key: value for key, value in here.items() if key in own})
        swept = {axis.name: axis.dim for axis in grid.axes if axis.dim not in at and axis.name in own}
        bound = model.bind(sums_of(spec.metrics), variables=variables, swept=swept, extra=terms)
        reference = _bind_reference(spec, model.settings, swept, variables)
        # Its sums would have nothing to compare with.
        if reference is not None and (alone := set(reference.dims) - set(bound.dims)):
            raise SpecError(
                f"the reference varies along {sorted(alone)[0]!r}, which the model does not use",
                where="reference",
                hint="hold that parameter fixed under the reference, or leave the axis out",
            )
        key = bound, reference
        positions.setdefault(key, []).append(position)
        labels.setdefault(key, {**({MODEL: name} if MODEL in here else {}), **model.labels})
        used[name].update(bound.graph.parameters)
    sections = tuple(
        Section(index, labels[key], tuple(found), *key) for index, (key, found) in enumerate(positions.items())
    )
    _check_all_used(spec, sections, used, variables)
    for graph in _graphs(sections):
        check_terms(graph)
    return sections


def required_variables(spec: Spec, sections: Iterable[Section]) -> tuple[str, ...]:
    """Return the names of the cube's variables that the models of the sections need, and the metrics of a spec."""
    names = [name for graph in _graphs(sections) for name in (*graph.points, *graph.systems)]
    return tuple(dict.fromkeys([*names, *(name for metric in spec.metrics for name in metric.system_variables)]))


def reduced_points(sections: Iterable[Section]) -> tuple[str, ...]:
    """Return the variables of points behind terms that go over all points of a system."""
    return tuple(dict.fromkeys(name for graph in _graphs(sections) for name in graph.reduced_points))


def _graphs(sections: Iterable[Section]) -> Iterator[Graph]:
    for section in sections:
        yield from (model.graph for model in (section.model, section.reference) if model is not None)


def _bind_reference(
    spec: Spec, settings: Mapping[str, Any], swept: Mapping[str, str], variables: Variables
) -> BoundModel | None:
    """Bind the reference model to the sweep's baryons: models are compared at equal mass-to-light ratios."""
    if spec.reference is None:
        return None
    given, frame = spec.reference, spec.model.frame
    shared = {*(p.name for p in frame.parameters), *(choice.name for choice in frame.choices), "constants"}
    common = {name: value for name, value in settings.items() if name in shared}
    model = given.with_settings({**common, **given.settings})
    follows = {name: dim for name, dim in swept.items() if name in shared and name not in model.settings}
    compared = (spec.compared,)
    bound = model.bind(sums_of(compared), variables=variables, swept=follows, extra=terms_of(compared))
    for name in given.values:
        if name not in bound.graph.parameters:
            raise SpecError(
                f"the reference {model.kernel.name} does not use {name!r}",
                where=f"reference.{name}",
                found=", ".join(f"{choice}={label}" for choice, label in model.labels.items()),
            )
    return bound


def _check_all_used(
    spec: Spec, sections: tuple[Section, ...], used: Mapping[str, set[str]], variables: Variables
) -> None:
    """Refuse axes that no section uses, and fixed values that none of its models uses."""
    labels = ", ".join(sorted({f"{k}={v}" for s in sections for k, v in s.labels.items()}))
    what = {"variables": variables, "extra": terms_of(spec.metrics)}

    def refuse(name: str, model: Model, where: str) -> None:
        hint = model.how_to_use(name, sums_of(spec.metrics), **what)
        raise SpecError(f"no reading of {spec.name} in this sweep uses {name!r}", where=where, found=labels, hint=hint)

    for axis in spec.grid.axes:
        models = spec.models_with(axis.name)
        anywhere = set().union(*used.values(), *(model.choices for model in models))
        if axis.name not in anywhere and axis.name != MODEL:
            refuse(axis.name, models[0], f"axes.{axis.name}")
    for name, model in spec.models.items():
        for key, value in model.settings.items():
            # A value fixed for all models counts as used if one of them uses it.
            alike = (used[other] for other, each in spec.models.items() if each.settings.get(key) == value)
            if key not in model.choices and not any(key in names for names in alike):
                refuse(key, model, f"fixed.{key}" if len(spec.models) == 1 else f"models.{name}.fixed.{key}")
