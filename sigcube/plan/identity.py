"""How a result describes itself: its coordinates, how it was made, and what decides whether it may resume."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube import __version__
from sigcube.chunks import Region
from sigcube.constants import CONSTANTS
from sigcube.cube import unit_attrs
from sigcube.model.code_hash import source_hash
from sigcube.model.metrics import terms_of
from sigcube.model.model import Model
from sigcube.model.record import Definition, Parameter, Reduction, Term
from sigcube.plan.grid import Axis, Grid
from sigcube.plan.spec import FORMER_KEYS, MODEL, Spec, spec_to_record
from sigcube.plan.values import Section

__all__ = [
    "SECTION",
    "describe_identity",
    "find_differences",
    "fixed_coords",
    "in_present_words",
    "result_attrs",
    "result_coords",
]

SECTION = "section"
"""The coordinate of a result that tells which combinations of labels are one and the same model."""

_SECTION_ATTRS: Mapping[str, str] = MappingProxyType(
    {"long_name": "number of the model: labels with the same one make no difference", "source": "sigcube"}
)

_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "xarray", "zarr", "dask", "distributed")


def result_coords(spec: Spec, systems: tuple[str, ...], sections: Sequence[Section]) -> dict[str, Any]:
    """Return the coordinates of a result: the grid's axes with units, and the names of the systems where kept."""
    coords: dict[str, Any] = {
        axis.name: (axis.dim, axis.array, _axis_attrs(spec, axis, sections) | _role_attrs(spec, axis))
        for axis in spec.grid.axes
    }
    if len(spec.grid.label_dims) > 1 and any(len(section.positions) > 1 for section in sections):
        coords[SECTION] = spec.grid.label_dims, _section_numbers(spec, sections), dict(_SECTION_ATTRS)
    if spec.keep_systems and (dim := spec.model.frame.system_dim):
        coords[dim] = (dim, np.array(systems, dtype=object), {"long_name": dim, "source": "cube"})
    return coords


def fixed_coords(models: Sequence[Model]) -> dict[str, Any]:
    """Return values held fixed, the same in all models that have them, as scalar coordinates."""
    found: dict[str, Any] = {}
    for name, value in chain.from_iterable(model.settings.items() for model in models):
        having = [model for model in models if name in model.parameters or name in model.choices]
        if any(model.settings.get(name) != value for model in having):
            continue
        if name in having[0].parameters:
            found[name] = (), np.float64(value), _parameter_attrs(having[0].parameters[name])
        else:
            choice = having[0].choices[name]
            source = choice.options[str(value)].source
            attrs = {"long_name": choice.description, "source": source}
            found[name] = (), np.array(value, dtype=object), attrs
    return found


def _parameter_attrs(parameter: Parameter) -> dict[str, Any]:
    text = {**unit_attrs(parameter.unit), "long_name": parameter.description}
    return {**text, "symbol": parameter.symbol, "source": parameter.source}


def _role_attrs(spec: Spec, axis: Axis) -> dict[str, str]:
    return {"role": spec.roles[axis.name]} if axis.name in spec.roles else {}


def _section_numbers(spec: Spec, sections: Sequence[Section]) -> npt.NDArray[np.int32]:
    """Return the number of the section at each position of the dimensions of labels."""
    numbers = np.empty([spec.grid.dims[dim] for dim in spec.grid.label_dims], dtype=np.int32)
    for section in sections:
        for position in section.positions:
            numbers[position] = section.index
    return numbers


def _axis_attrs(spec: Spec, axis: Axis, sections: Sequence[Section]) -> dict[str, Any]:
    if axis.name == MODEL:
        return {"long_name": "model", "source": "sigcube"}
    model = spec.models_with(axis.name)[0]
    if axis.is_label:
        return {"long_name": model.choices[axis.name].description, "source": model.kernel.source}
    attrs = _parameter_attrs(model.parameters[axis.name])
    users = [
        section
        for section in sections
        if axis.name in section.model.graph.parameters
        and spec.models[section.labels.get(MODEL, next(iter(spec.models)))].varies(axis.name)
    ]
    if len(users) < len(sections):
        where = _describe(users, sections, spec.grid)
        attrs["comment"] = (
            f"computed for {where}; elsewhere the model does not depend on it, and values repeat along it"
        )
    return attrs


def _describe(users: Sequence[Section], sections: Sequence[Section], grid: Grid) -> str:
    """Name the labels of some sections, without those that do not tell them from the others."""
    inside = [position for section in users for position in section.positions]
    used = {section.index for section in users}
    outside = [position for section in sections if section.index not in used for position in section.positions]
    kept = list(range(len(grid.label_dims)))
    for i in range(len(grid.label_dims)):
        fewer = [each for each in kept if each != i]
        seen = {tuple(position[each] for each in fewer) for position in inside}
        if grid.label_dims[i] != MODEL and not any(tuple(p[each] for each in fewer) in seen for p in outside):
            kept = fewer
    axes = [(grid.label_dims.index(axis.dim), axis) for axis in grid.axes if axis.is_label]
    texts = (
        ", ".join(f"{axis.name}={axis.values[position[i]]}" for i, axis in axes if i in kept and axis.name in labels)
        for labels, position in ((each.labels, position) for each in users for position in each.positions)
    )
    return " or ".join(dict.fromkeys(texts))


def describe_identity(
    spec: Spec, origin: Mapping[str, Any], tile: tuple[int, ...], stages: Sequence[Region] = ()
) -> dict[str, str]:
    """Describe, part by part, what decides the bits of a result and where they lie in it.

    Each part changes for one reason, so that differing parts tell what was changed.
    """
    given = {key: json.dumps(value, sort_keys=True) for key, value in spec_to_record(spec).items()}
    models = [next(m for m in spec.models.values() if m.kernel is kernel) for kernel in spec.kernels]
    reference = [] if spec.reference is None else [f"sha256 {_sha256(_model_record(spec.reference))}"]
    return {
        "sigcube": __version__,
        "engine": f"sha256 {_hash_engine()}",
        "kernel": ", ".join(kernel.name for kernel in spec.kernels),
        "kernel source": source_hash(chain.from_iterable(map(_functions, models))),
        "kernel record": f"sha256 {_sha256(chain.from_iterable(map(_model_record, models)))}",
        **{f"axis {axis.name}": _describe_axis(axis) for axis in spec.grid.axes},
        "dimensions": ", ".join(f"{dim} {n}" for dim, n in spec.grid.dims.items()),
        **{
            key: given[key]
            for key in ("models", "fixed", "keep", "dtype", "n_fitted", "roles", "errors")
            if key in given
        },
        "metrics": f"{given['metrics']} sha256 {_sha256(_metric_record(spec))}",
        "reference": " ".join([given["reference"], *reference]),
        **{name: origin[name] for name in ("where", "error_floor") if name in origin},
        **{f"data {name}": digest for name, digest in origin.get("data", {}).items()},
        "tile": " × ".join(map(str, tile)),
        **({"stages": "; ".join(map(_describe_stage, stages))} if len(stages) > 1 else {}),
    }


def in_present_words(identity: Mapping[str, str]) -> dict[str, str]:
    """Return an identity, possibly of an earlier version, with the present names of its parts."""
    return {FORMER_KEYS.get(key, key): part for key, part in identity.items()}


def find_differences(stored: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Name the parts in which two identities differ.

    A model or metric brings its own variables of the data: those that only one identity has are not named beside other
    parts.
    """
    differing = [key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key)]
    causes = [key for key in differing if not key.startswith("data ") or (key in stored and key in wanted)]
    return causes or differing


@cache
def _hash_engine() -> str:
    """Hash the files of sigcube that decide bits, besides the functions of a model."""
    root = Path(__file__).parents[1]
    files = (file for folder in ("model", "plan", "engine") for file in sorted((root / folder).glob("*.py")))
    return _sha256(file.read_text(encoding="utf-8") for file in (*files, root / "chunks.py"))


def _sha256(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _describe_axis(axis: Axis) -> str:
    if axis.is_label:
        return f"{', '.join(map(str, axis.values))} along {axis.dim}"
    digest = hashlib.sha256(axis.array.tobytes()).hexdigest()
    first, last = axis.values[0], axis.values[-1]
    return f"{len(axis.values)} values along {axis.dim}, {first:.10g} to {last:.10g}, sha256 {digest[:16]}"


def _describe_stage(stage: Region) -> str:
    return " × ".join(f"{part.start}:{part.stop}" for part in stage)


def result_attrs(spec: Spec, origin: Mapping[str, Any], identity: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes of a result: credits of the data, the spec, the identity, and the versions in use."""
    credits = {key: value for key, value in origin.items() if key != "data"}
    return {
        **credits,
        "kind": "result",
        "conventions": "CF flags; units readable by astropy",
        "spec": json.dumps(spec_to_record(spec)),
        "identity": json.dumps(dict(identity)),
        "versions": json.dumps({"sigcube": __version__, "python": platform.python_version(), **_library_versions()}),
    }


@cache
def _library_versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _functions(model: Model) -> Iterator[Callable[..., Any]]:
    choices = chain(model.kernel.choices, model.frame.choices)
    options = chain.from_iterable(option.defines.values() for choice in choices for option in choice.options.values())
    every = chain(model.frame.terms.values(), model.kernel.terms.values(), options)
    yield from (_plain(term) for term in every if not isinstance(term, str))


def _model_record(model: Model) -> Iterator[str]:
    """Describe what is behind each name under each label, and the default values."""
    for name, term in chain(model.frame.terms.items(), model.kernel.terms.items()):
        yield f"{name} = {_text(term)}"
    for choice in model.choices.values():
        yield f"{choice.name}, {choice.default} by default"
        for label, option in choice.options.items():
            yield from (f"{choice.name} {label}: {name} = {_text(term)}" for name, term in option.defines.items())
    for parameter in model.parameters.values():
        yield f"{parameter.name} = {[parameter.value(constants) for constants in CONSTANTS.values()]}"
    yield from (f"{name}: {constants}" for name, constants in CONSTANTS.items())


def _metric_record(spec: Spec) -> Iterator[str]:
    for name, term in terms_of(spec.metrics).items():
        yield f"{name} = {_text(term)}"
    for metric in spec.metrics:
        made_of = metric.sums, metric.system_variables, metric.scope, metric.reduced
        yield f"{metric.name}: {_text(metric.finish)} of {made_of}"
        if metric.prepare is not None:
            yield f"{metric.name}: prepared by {source_hash([metric.prepare])}"
        if metric.summaries != ("mean", "median"):
            yield f"{metric.name}: summaries {metric.summaries}"


def _text(term: Definition) -> str:
    return term if isinstance(term, str) else f"{type(term).__name__} {source_hash([_plain(term)])}"


def _plain(term: Term | Reduction) -> Term:
    return term.function if isinstance(term, Reduction) else term
