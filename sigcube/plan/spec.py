"""What is asked of a sweep: as a user writes it, as the rest of sigcube holds it, and as a result records it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sigcube.errors import SpecError, did_you_mean
from sigcube.kernels import find
from sigcube.model.frames import FRAMES
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric, find_metrics
from sigcube.model.model import Model
from sigcube.model.record import Frame
from sigcube.plan.grid import Grid, geomspace, is_list, linspace, make_grid
from sigcube.toml import check, read_toml

__all__ = ["FORMER_KEYS", "Spec", "SpecFile", "make_spec", "read_spec_file", "spec_from_record", "spec_to_record"]

#: What keys were called in results that earlier versions wrote.
FORMER_KEYS: Mapping[str, str] = MappingProxyType({"parameters": "fixed", "fitted": "n_fitted"})

_SPACINGS = {"linspace": linspace, "geomspace": geomspace}


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of a sweep, besides the data.

    Attributes
    ----------
    model : Model
        The kernel, how it meets the cube's kind, and the labels and parameters held fixed.
    grid : Grid
        The axes.
    metrics : tuple of Metric
        What is measured.
    reference : Model or None
        What ``win_rate`` compares with, at the same baryons.
    keep_systems : bool
        Whether the values of each system are written, besides the summaries.
    dtype : str
        Type of the per-system values on disk; summaries are float64.
    n_fitted : int
        Number of fitted parameters, for the degrees of freedom of reduced χ².
    """

    model: Model
    grid: Grid
    metrics: tuple[Metric, ...]
    reference: Model | None
    keep_systems: bool
    dtype: Literal["float32", "float64"]
    n_fitted: int


class SpecFile(BaseModel):
    """The keys of a sweep's TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cube: str
    kernel: str
    axes: dict[str, Any] = Field(default={})
    title: str | None = None
    sample: str = "all"
    where: str | None = None
    error_floor: float | str | None = None
    metrics: list[str] = Field(default=["rms"])
    keep: list[str] = Field(default=[])
    dtype: Literal["float32", "float64"] = "float32"
    n_fitted: int = 0
    reference: dict[str, Any] | None = None
    fixed: dict[str, Any] = Field(default={})

    def changed(self, fixed: Mapping[str, Any], **changes: Any) -> Self:
        """Return the keys with other values where they are given; what becomes fixed is no axis any more."""
        axes = {name: axis for name, axis in self.axes.items() if name not in fixed}
        given = {key: value for key, value in changes.items() if value is not None}
        return self.model_copy(update={"axes": axes, "fixed": {**self.fixed, **fixed}, **given})


def read_spec_file(path: str | Path) -> SpecFile:
    """Read a sweep's TOML file.

    Parameters
    ----------
    path : path-like
        The file, or the name of a spec that comes with sigcube, such as ``"si13_coherence_scale"``.

    Raises
    ------
    SpecError
        When the file is missing, is not TOML, is of a fit, or holds an unknown key or a value of the wrong type.
    """
    content = read_toml(path, folder="sweeps", what="the sweep's file")
    if "model" in content and "axes" not in content:
        raise SpecError(
            "this is the spec of a fit, not of a sweep",
            where=str(path),
            found="tables [[model]]",
            expected="a table [axes]",
            hint="use `sigcube fit`",
        )
    return check(SpecFile, content, what="the sweep's file is wrong", where=str(path))


def make_spec(
    *,
    kernel: str | Kernel,
    kind: str,
    axes: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    metrics: Sequence[str | Metric] = ("rms",),
    reference: str | Kernel | Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
    dtype: str = "float32",
    n_fitted: int = 0,
) -> Spec:
    """Build a spec from what a user gives, in Python or in a file.

    Raises
    ------
    SpecError
        For a kernel, metric, axis, dtype or dimension that does not exist.
    """
    if dtype not in ("float32", "float64"):
        raise SpecError("dtype must be float32 or float64", where="dtype", found=repr(dtype))
    _check_list("metrics", metrics)
    _check_list("keep", keep)
    axes = {} if axes is None else axes
    _check_table("axes", axes)
    _check_table("fixed", {} if fixed is None else fixed)
    if isinstance(n_fitted, bool) or not isinstance(n_fitted, int):
        raise SpecError("the number of fitted parameters is a whole number", where="n_fitted", found=repr(n_fitted))
    system_dim = FRAMES[kind].system_dim
    if unknown := [name for name in keep if name != system_dim]:
        hint = did_you_mean(unknown[0], [system_dim]) if system_dim else f"a {kind} cube is one system: leave keep out"
        raise SpecError(f"there is no dimension {unknown[0]!r} to keep", where="keep", hint=hint)
    spec = Spec(
        model=Model(find(kernel), FRAMES[kind], _fixed_values("fixed", fixed or {})),
        grid=make_grid({name: _spaced(name, axis) for name, axis in axes.items()}),
        metrics=find_metrics(metrics),
        reference=_reference(reference, FRAMES[kind]),
        keep_systems=bool(keep),
        dtype="float32" if dtype == "float32" else "float64",
        n_fitted=n_fitted,
    )
    if spec.reference is not None and all(metric.name != "rms" for metric in spec.metrics):
        raise SpecError("a reference is compared by RMS", where="metrics", expected="'rms' among the metrics")
    return spec


def _check_list(name: str, given: Any) -> None:
    if not is_list(given):
        expected = repr([given]) if isinstance(given, str) else None
        raise SpecError(f"{name} must be a list", where=name, found=repr(given), expected=expected)


def _check_table(name: str, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise SpecError(f"{name} must be a table of names and values", where=name, found=repr(given))


def _fixed_values(where: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as plain Python values, which a record can hold; each is a single one."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}
    for name, value in plain.items():
        if not isinstance(value, str | int | float):
            raise SpecError(
                f"{name} is held fixed at one value",
                where=f"{where}.{name}",
                found=repr(value),
                hint="name it among the axes to vary it",
            )
    return plain


def _reference(given: str | Kernel | Mapping[str, Any] | None, frame: Frame) -> Model | None:
    if given is None:
        return None
    if not isinstance(given, str | Kernel | Mapping):
        raise SpecError("a reference is a kernel, or a table with one", where="reference", found=repr(given))
    settings = dict(given) if isinstance(given, Mapping) else {"kernel": given}
    if "kernel" not in settings:
        raise SpecError("a reference needs a kernel", where="reference", found=", ".join(settings) or "nothing")
    return Model(find(settings.pop("kernel")), frame, _fixed_values("reference", settings))


def _spaced(name: str, axis: Any) -> Any:
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
    if not is_list(values):
        raise SpecError(f"axis {name!r} must be a list of values", where=where, found=repr(values))
    dim = axis.get("dim", name)
    if not isinstance(dim, str):
        raise SpecError("a dimension needs a name", where=where, found=repr(dim))
    return dim, list(values)


def _space(where: str, form: str, arguments: Any) -> tuple[float, ...]:
    if not isinstance(arguments, Sequence) or isinstance(arguments, str) or len(arguments) != 3:
        raise SpecError(f"{form} needs [start, stop, number]", where=where, found=repr(arguments))
    try:
        return _SPACINGS[form](*arguments)
    except SpecError as error:
        raise SpecError(error.what, where=where, found=error.found, expected=error.expected) from None


def spec_to_record(spec: Spec) -> dict[str, Any]:
    """Return a spec as JSON-able values, which `spec_from_record` turns back into the same spec, to the last bit."""
    reference = spec.reference
    return {
        "kernel": spec.model.kernel.name,
        "kind": spec.model.frame.kind,
        "axes": {axis.name: {"dim": axis.dim, "values": list(axis.values)} for axis in spec.grid.axes},
        "fixed": dict(spec.model.settings),
        "metrics": [metric.name for metric in spec.metrics],
        "reference": None if reference is None else {"kernel": reference.kernel.name, **reference.settings},
        "keep": [spec.model.frame.system_dim] if spec.keep_systems else [],
        "dtype": spec.dtype,
        "n_fitted": spec.n_fitted,
    }


def spec_from_record(
    record: Mapping[str, Any],
    *,
    own_kernels: Mapping[str, Kernel] | None = None,
    own_metrics: Mapping[str, Metric] | None = None,
) -> Spec:
    """Build a spec from its record; kernels and metrics of the user's own are handed in by name."""
    own = own_kernels or {}
    reference = dict(record["reference"]) if record["reference"] else None
    if reference:
        reference["kernel"] = own.get(reference["kernel"], reference["kernel"])
    given = {FORMER_KEYS.get(key, key): each for key, each in record.items() if key not in ("kernel", "reference")}
    given["metrics"] = [(own_metrics or {}).get(name, name) for name in record["metrics"]]
    return make_spec(kernel=own.get(record["kernel"], record["kernel"]), reference=reference, **given)
