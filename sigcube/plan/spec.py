"""The spec of a sweep: as a user writes it, as sigcube holds it, and as a result records it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.kernels import KERNELS, find
from sigcube.model.error_frame import ERROR_PARAMETERS
from sigcube.model.error_model import Errors
from sigcube.model.frames import FRAMES
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import METRICS, Metric, find_metrics
from sigcube.model.model import Model
from sigcube.model.record import Frame, KernelRecord
from sigcube.plan.grid import Grid, check_number, geomspace, is_list, linspace, make_grid
from sigcube.plan.units import without_units

__all__ = [
    "FORMER_KEYS",
    "MODEL",
    "ROLES",
    "Spec",
    "check_names",
    "make_spec",
    "spaced_axis",
    "spec_from_record",
    "spec_to_record",
]

#: The axis over the names of several models.
MODEL = "model"

#: The roles of axes: a choice that a paper leaves open, a parameter, or something known from elsewhere within limits,
#: such as a mass-to-light ratio.
ROLES = ("arbitrary", "physical", "nuisance")

#: The names of keys in results of earlier versions, and their present names.
FORMER_KEYS: Mapping[str, str] = MappingProxyType({"parameters": "fixed", "fitted": "n_fitted"})

_SPACINGS = {"linspace": linspace, "geomspace": geomspace}


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of a sweep, besides the data.

    Attributes
    ----------
    models : Mapping of str to Model
        The models by name: the kernel, its frame, and the labels and parameters held fixed.
    grid : Grid
        The axes; with several models, the first axis holds their names.
    metrics : tuple of Metric
        The metrics to compute.
    reference : Model or None
        The model that ``win_rate`` compares with, with the same baryons.
    keep_systems : bool
        Whether the values of each system are written, besides the summaries.
    dtype : str
        Type of the per-system values on disk; summaries are float64.
    n_fitted : int
        Number of fitted parameters, for the degrees of freedom of reduced χ².
    roles : Mapping of str to str
        The role of each axis that has one, of `ROLES`. No value depends on it, but what questions do with the axis.
    errors : Errors or None
        Errors of the data beyond those quoted for each point, for ``loglike``.
    """

    models: Mapping[str, Model]
    grid: Grid
    metrics: tuple[Metric, ...]
    reference: Model | None
    keep_systems: bool
    dtype: Literal["float32", "float64"]
    n_fitted: int
    roles: Mapping[str, str] = field(default_factory=dict)
    errors: Errors | None = None

    @property
    def model(self) -> Model:
        """The only model, or the first; all have one frame and one unit."""
        return next(iter(self.models.values()))

    @property
    def compared(self) -> Metric:
        """The metric that compares with the reference: the RMS; without it, ln L; else the first."""
        found = {metric.name: metric for metric in self.metrics}
        return found.get("rms") or found.get("loglike") or self.metrics[0]

    @property
    def kernels(self) -> tuple[KernelRecord, ...]:
        """The kernels of the models, each once."""
        return tuple({model.kernel.name: model.kernel for model in self.models.values()}.values())

    @property
    def name(self) -> str:
        """The models' names, for messages: ``sigma``, or ``cmsi, mond``."""
        return ", ".join(self.models)

    def own_records(self) -> dict[str, dict[str, Any]]:
        """Return the user's own kernels and metrics, as `Sweep.from_result` takes them."""
        kernels = [model.kernel for model in (*self.models.values(), self.reference) if model is not None]
        return {
            "own_kernels": {each.name: each for each in kernels if KERNELS.get(each.name) is not each},
            "own_metrics": {metric.name: metric for metric in self.metrics if metric.name not in METRICS},
        }

    def models_with(self, name: str) -> tuple[Model, ...]:
        """Return the models that have a parameter or a choice and do not hold it fixed."""
        return tuple(model for model in self.models.values() if model.varies(name))


def make_spec(
    *,
    kind: str,
    kernel: str | Kernel | None = None,
    models: Mapping[str, Any] | None = None,
    axes: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    metrics: Sequence[str | Metric] = ("rms",),
    reference: str | Kernel | Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
    dtype: str = "float32",
    n_fitted: int = 0,
    roles: Mapping[str, Sequence[str]] | None = None,
    errors: Errors | Mapping[str, Any] | None = None,
) -> Spec:
    """Build a spec from what a user gives in Python or in a file.

    Raises
    ------
    SpecError
        For a kernel, metric, axis, role, dtype, dimension or kind of error that does not exist.
    """
    if dtype not in ("float32", "float64"):
        raise SpecError("dtype must be float32 or float64", where="dtype", found=shown(dtype))
    _check_list("metrics", metrics)
    _check_list("keep", keep)
    axes = {} if axes is None else axes
    _check_table("axes", axes)
    _check_table("fixed", {} if fixed is None else fixed)
    if isinstance(n_fitted, bool) or not isinstance(n_fitted, int | np.integer) or not abs(n_fitted) < 2**31:
        raise SpecError("the number of fitted parameters is a whole number", where="n_fitted", found=shown(n_fitted))
    known_errors = Errors.of(errors)
    asked = _asked_errors(axes, fixed or {}, models or {})
    frame, measured = (known_errors or Errors()).applied_to(FRAMES[kind], find_metrics(metrics), asked)
    system_dim = frame.system_dim
    if unknown := [name for name in keep if name != system_dim]:
        hint = did_you_mean(unknown[0], [system_dim]) if system_dim else f"a {kind} cube is one system: leave keep out"
        raise SpecError(f"there is no dimension {unknown[0]!r} to keep", where="keep", hint=hint)
    made = _models(kernel, models or {}, fixed or {}, frame)
    if models and MODEL in axes:
        raise SpecError(f"an axis {MODEL!r} is there already: the names of the models", where=f"axes.{MODEL}")
    names = {MODEL: list(models)} if models else {}
    plain = {name: without_units(name, axis, made.values()) for name, axis in axes.items()}
    grid = make_grid(names | {name: spaced_axis(name, axis) for name, axis in plain.items()})
    spec = Spec(
        models=made,
        grid=grid,
        metrics=measured,
        reference=_reference(reference, frame),
        keep_systems=bool(keep),
        dtype="float32" if dtype == "float32" else "float64",
        n_fitted=int(n_fitted),
        roles=_roles(roles or {}, grid),
        errors=known_errors,
    )
    if spec.reference is not None and spec.compared.name not in ("rms", "loglike"):
        expected = "'rms' or 'loglike' among the metrics"
        raise SpecError("a reference is compared by RMS or by ln L", where="metrics", expected=expected)
    return spec


def _asked_errors(axes: Mapping[str, Any], fixed: Mapping[str, Any], models: Any) -> frozenset[str]:
    """Return the error parameters that are axes, or held fixed."""
    tables = models.values() if isinstance(models, Mapping) else ()
    own = (each.get("fixed") for each in tables if isinstance(each, Mapping))
    given = {*axes, *fixed, *chain.from_iterable(each for each in own if isinstance(each, Mapping))}
    return frozenset(given & {*ERROR_PARAMETERS})


def _models(
    kernel: str | Kernel | None, models: Mapping[str, Any], fixed: Mapping[str, Any], frame: Frame
) -> dict[str, Model]:
    """Return the models by name; what is fixed for all applies to those that have it."""
    _check_table("models", models)
    if (kernel is None) == (not models):
        hint = "give one of the two" if models else did_you_mean("", KERNELS)
        raise SpecError("a sweep needs either a kernel or several models", where="kernel", hint=hint)
    if kernel is not None:
        one = Model(find(kernel), frame)
        return {one.kernel.name: one.with_settings(_fixed_values("fixed", fixed, one))}
    made = {}
    for name, given in models.items():
        table = given if isinstance(given, Mapping) else {"kernel": given}
        if "kernel" not in table or not set(table) <= {"kernel", "fixed"}:
            what = f"model {name!r} is neither a kernel nor a table of kernel and fixed"
            raise SpecError(what, where=f"models.{name}", found=", ".join(table) or "nothing")
        where, own = f"models.{name}.fixed", table.get("fixed", {})
        _check_table(where, own)
        model = Model(find(table["kernel"]), frame)
        shared = {key: value for key, value in fixed.items() if key in {*model.parameters, *model.choices}}
        made[name] = model.with_settings({**_fixed_values("fixed", shared, model), **_fixed_values(where, own, model)})
    check_names(made, fixed, where="fixed")
    units = {name: model.unit for name, model in made.items()}
    if len(set(units.values())) > 1:
        found = ", ".join(f"{name} [{unit}]" for name, unit in units.items())
        raise SpecError("the models predict in different units", where="models", found=found, hint="sweep them apart")
    kernels = {model.kernel.name: model.kernel for model in made.values()}
    if twice := [m.kernel.name for m in made.values() if kernels[m.kernel.name] is not m.kernel]:
        raise SpecError(f"two kernels are called {twice[0]!r}", where="models", hint="give each a name of its own")
    return made


def check_names(models: Mapping[str, Model], names: Iterable[str], *, where: str) -> None:
    """Refuse names that are neither a parameter nor a choice of any model.

    Raises
    ------
    SpecError
        With the nearest valid name.
    """
    valid = {name for model in models.values() for name in (*model.parameters, *model.choices)}
    for name in names:
        if name not in valid:
            what = f"{' and '.join(models)} {'has' if len(models) == 1 else 'have'} no parameter or choice {name!r}"
            raise SpecError(what, where=where, hint=did_you_mean(name, valid | {*ERROR_PARAMETERS}))


def _roles(given: Mapping[str, Any], grid: Grid) -> dict[str, str]:
    """Return the role of each axis that has one; axes that vary together are one choice, and have one role."""
    _check_table("roles", given)
    axes = {axis.name: axis for axis in grid.axes}
    found: dict[str, str] = {}
    for role, names in given.items():
        where = f"roles.{role}"
        if role not in ROLES:
            raise SpecError(f"there is no role {role!r}", where="roles", hint=did_you_mean(role, ROLES))
        _check_list(where, names)
        for name in names:
            if not isinstance(name, str) or name not in axes:
                what = f"{shown(name)} has a role, and is no axis"
                raise SpecError(what, where=where, hint=did_you_mean(str(name), axes))
            if found.setdefault(name, role) != role:
                raise SpecError(f"axis {name!r} has two roles", where=where, found=f"also {found[name]}")
    for name, role in found.items():
        for other in grid.along(axes[name].dim):
            if found.get(other.name) != role:
                what = f"{name!r} and {other.name!r} vary together, and have one role"
                found_there = found.get(other.name, "none")
                raise SpecError(what, where=f"roles.{role}", found=f"{other.name}: {found_there}")
    return found


def _check_list(name: str, given: Any) -> None:
    if not is_list(given):
        expected = shown([given]) if isinstance(given, str) else None
        raise SpecError(f"{name} must be a list", where=name, found=shown(given), expected=expected)


def _check_table(name: str, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise SpecError(f"{name} must be a table of names and values", where=name, found=shown(given))


def _fixed_values(where: str, settings: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Return settings of a model as plain, single Python values, which a record can hold."""
    model.check_names(settings, where=where)
    own = {name: model.in_own_unit(name, value, where=f"{where}.{name}") for name, value in settings.items()}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in own.items()}
    for name, value in plain.items():
        if not isinstance(value, str | int | float):
            raise SpecError(
                f"{name} is held fixed at one value",
                where=f"{where}.{name}",
                found=shown(value),
                hint="name it among the axes to vary it",
            )
    return plain


def _reference(given: str | Kernel | Mapping[str, Any] | None, frame: Frame) -> Model | None:
    if given is None:
        return None
    if not isinstance(given, str | Kernel | Mapping):
        raise SpecError("a reference is a kernel, or a table with one", where="reference", found=shown(given))
    settings = dict(given) if isinstance(given, Mapping) else {"kernel": given}
    if "kernel" not in settings:
        raise SpecError("a reference needs a kernel", where="reference", found=", ".join(settings) or "nothing")
    if isinstance(settings.get("fixed"), Mapping):
        # As among models, where some parameters may be free.
        hint = "settings of a reference stand beside its kernel: {'kernel': 'mond', 'nu': 'simple'}"
        raise SpecError("a reference has no table", where="reference.fixed", found=shown(settings["fixed"]), hint=hint)
    model = Model(find(settings.pop("kernel")), frame)
    return model.with_settings(_fixed_values("reference", settings, model))


def spaced_axis(name: str, axis: Any) -> Any:
    """Turn the table form of an axis, ``{linspace = [0, 1, 11], dim = "case"}``, into values or ``(dim, values)``."""
    if not isinstance(axis, Mapping):
        return axis
    where = f"axes.{name}"
    forms = [*_SPACINGS, "values"]
    if unknown := [key for key in axis if key not in (*forms, "dim")]:
        raise SpecError(f"unknown key {unknown[0]!r}", where=where, hint=did_you_mean(unknown[0], [*forms, "dim"]))
    given = [key for key in forms if key in axis]
    if len(given) != 1:
        raise SpecError(
            "an axis is given in exactly one form",
            where=where,
            found=", ".join(given) or "none",
            expected=" or ".join(forms),
        )
    values = axis["values"] if given[0] == "values" else _space(where, given[0], axis[given[0]])
    check_number(values, name)
    if not is_list(values):
        raise SpecError(f"axis {name!r} must be a list of values", where=where, found=shown(values))
    dim = axis.get("dim", name)
    if not isinstance(dim, str):
        raise SpecError("a dimension needs a name", where=where, found=shown(dim))
    return dim, list(values)


def _space(where: str, form: str, arguments: Any) -> tuple[float, ...]:
    if not isinstance(arguments, Sequence) or isinstance(arguments, str) or len(arguments) != 3:
        raise SpecError(f"{form} needs [start, stop, number]", where=where, found=shown(arguments))
    try:
        return _SPACINGS[form](*arguments)
    except SpecError as error:
        raise error.at(where) from None


def spec_to_record(spec: Spec) -> dict[str, Any]:
    """Return a spec as JSON-able values, which `spec_from_record` turns back into the same spec, to the last bit."""
    reference = spec.reference
    several = {name: {"kernel": m.kernel.name, "fixed": dict(m.settings)} for name, m in spec.models.items()}
    axes = {axis.name: {"dim": axis.dim, "values": list(axis.values)} for axis in spec.grid.axes}
    if MODEL in axes:
        models: dict[str, Any] = {"models": several, "fixed": {}}
    else:
        models = {"kernel": spec.model.kernel.name, "fixed": dict(spec.model.settings)}
    roles = {role: [name for name, own in spec.roles.items() if own == role] for role in ROLES}
    return {
        "kind": spec.model.frame.kind,
        **models,
        "axes": axes,
        "metrics": [metric.name for metric in spec.metrics],
        "reference": None if reference is None else {"kernel": reference.kernel.name, **reference.settings},
        "keep": [spec.model.frame.system_dim] if spec.keep_systems else [],
        "dtype": spec.dtype,
        "n_fitted": spec.n_fitted,
        **({"roles": {role: names for role, names in roles.items() if names}} if spec.roles else {}),
        **({} if spec.errors is None else {"errors": spec.errors.record()}),
    }


def spec_from_record(
    record: Mapping[str, Any],
    *,
    own_kernels: Mapping[str, Kernel] | None = None,
    own_metrics: Mapping[str, Metric] | None = None,
) -> Spec:
    """Build a spec from its record; the user's own kernels and metrics are given by name."""
    own = own_kernels or {}
    _check_known(record, {*own, *KERNELS}, {*(own_metrics or ()), *METRICS})
    reference = dict(record["reference"]) if record["reference"] else None
    if reference:
        reference["kernel"] = own.get(reference["kernel"], reference["kernel"])
    given = {FORMER_KEYS.get(key, key): each for key, each in record.items()} | {"reference": reference}
    given["metrics"] = [(own_metrics or {}).get(name, name) for name in record["metrics"]]
    if "kernel" in record:
        given["kernel"] = own.get(record["kernel"], record["kernel"])
    else:
        models = record["models"].items()
        given["axes"] = {name: axis for name, axis in record["axes"].items() if name != MODEL}
        given["models"] = {
            name: {**table, "kernel": own.get(table["kernel"], table["kernel"])} for name, table in models
        }
    return make_spec(**given)


def _check_known(record: Mapping[str, Any], kernels: Collection[str], metrics: Collection[str]) -> None:
    """Refuse the record of a sweep whose own kernels or metrics are not given."""
    models = [record] if "kernel" in record else list(record["models"].values())
    named = [table["kernel"] for table in (*models, record["reference"]) if table]
    for kind, names, known in (("kernel", named, kernels), ("metric", record["metrics"], metrics)):
        for name in names:
            if name not in known:
                raise SpecError(
                    f"the sweep has a {kind} that sigcube does not: {name!r}",
                    hint=f"if it is your own, hand it in: own_{kind}s={{...}}, on the command line --own MODULE:NAME; "
                    f"else {did_you_mean(name, known)}",
                )
