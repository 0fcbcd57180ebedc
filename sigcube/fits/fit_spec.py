"""What is asked of a fit: as a user writes it, and as the rest of sigcube holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from sigcube.errors import SpecError, did_you_mean
from sigcube.fits.space import SearchSpace
from sigcube.model.graph import model_choices, model_parameters
from sigcube.plan.spec import Spec, make_spec, spec_to_record
from sigcube.toml import check, read_toml

__all__ = [
    "FitFile",
    "FitModel",
    "ModelTable",
    "Objective",
    "Scope",
    "check_word",
    "make_models",
    "model_record",
    "read_fit_file",
]

Scope = Literal["system", "sample"]
Objective = Literal["chi2", "rms"]

#: What a fit always measures, by its objective; χ² needs errors, the RMS does not.
MEASURED: Mapping[Objective, tuple[str, ...]] = {"chi2": ("chi2", "chi2_red", "rms"), "rms": ("rms",)}


class ModelTable(BaseModel):
    """The keys of one model of a fit: the axes of its parameters, and what is held fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernel: Any
    parameters: dict[str, Any]
    settings: dict[str, Any] = Field(default={})
    name: str | None = None


class FitFile(BaseModel):
    """The keys of a fit's TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cube: str
    model: list[ModelTable] = Field(min_length=1)
    title: str | None = None
    sample: str = "all"
    scope: Scope = "system"
    objective: Objective = "chi2"
    metrics: list[str] = Field(default=[])


@dataclass(frozen=True)
class FitModel:
    """One model of a fit: what a coarse sweep of it would be, and the space that is searched."""

    name: str
    spec: Spec
    space: SearchSpace


def read_fit_file(path: str | Path) -> FitFile:
    """Read a fit's TOML file.

    Parameters
    ----------
    path : path-like
        The file, or the name of a spec that comes with sigcube, such as ``"si15_per_galaxy"``.

    Raises
    ------
    SpecError
        When the file is missing, is not TOML, is of a sweep, or holds an unknown key or a value of the wrong type.
    """
    content = read_toml(path, folder="sweeps", what="the fit's file")
    if "axes" in content and "model" not in content:
        raise SpecError(
            "this is the spec of a sweep, not of a fit",
            where=str(path),
            found="a table [axes]",
            expected="tables [[model]]",
            hint="use `sigcube sweep`",
        )
    return check(FitFile, content, what="the fit's file is wrong", where=str(path))


def check_word(where: str, given: str, valid: Any) -> None:
    """Refuse a word that is not among those of a Literal."""
    if given not in get_args(valid):
        raise SpecError(f"there is no {where} {given!r}", where=where, hint=did_you_mean(given, get_args(valid)))


def make_models(
    tables: Sequence[ModelTable], *, kind: str, objective: Objective, metrics: Sequence[str]
) -> tuple[FitModel, ...]:
    """Build the models of a fit.

    Raises
    ------
    SpecError
        For a kernel, metric, parameter or axis that does not exist, and for two models of the same name.
    """
    if isinstance(metrics, str):
        raise SpecError("metrics must be a list", where="metrics", found=repr(metrics), expected=repr([metrics]))
    measured = tuple(dict.fromkeys([*MEASURED[objective], *metrics]))
    models = tuple(_make_model(table, kind, measured) for table in tables)
    names = [model.name for model in models]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"two models are called {twice[0]!r}", where="model", hint="give each a name of its own")
    return models


def _make_model(table: ModelTable, kind: str, metrics: tuple[str, ...]) -> FitModel:
    with_place = _Renamed(table)
    with with_place:
        spec = make_spec(
            kernel=table.kernel, kind=kind, axes=table.parameters, parameters=table.settings, metrics=metrics
        )
        name = table.name or spec.kernel.name
        _check_parameters(spec)
    return FitModel(name, spec, SearchSpace.of(spec.grid))


def _check_parameters(spec: Spec) -> None:
    """Refuse axes that cannot be searched along: labels, shared dimensions, what the kernel does not have."""
    parameters = model_parameters(spec.kernel, spec.frame)
    choices = {choice.name for choice in model_choices(spec.kernel, spec.frame)}
    for axis in spec.grid.axes:
        where = f"axes.{axis.name}"
        if axis.name in choices:
            raise SpecError(
                f"{axis.name!r} is a choice, and no number to fit",
                where=where,
                hint="name one label among the settings",
            )
        if axis.name not in parameters:
            what = f"{spec.kernel.name} has no parameter {axis.name!r}"
            raise SpecError(what, where=where, hint=did_you_mean(axis.name, parameters))
        if axis.is_label:
            raise SpecError(f"parameter {axis.name!r} takes numbers", where=where, found=repr(axis.values[0]))
        if len(spec.grid.along(axis.dim)) > 1:
            raise SpecError(
                "parameters that vary together cannot be told apart", where=where, found=f"dimension {axis.dim!r}"
            )
        if len(axis.values) < 2 or min(axis.values) == max(axis.values):
            raise SpecError(
                f"the axis of {axis.name!r} has to span its bounds",
                where=where,
                found=", ".join(map(str, axis.values)),
                expected="two values or more, from the lower bound to the upper one",
            )


class _Renamed:
    """Tells the place of a fault by the keys of a fit: axes are its parameters, and what is held fixed its settings."""

    def __init__(self, table: ModelTable) -> None:
        self.name = table.name or (table.kernel if isinstance(table.kernel, str) else "")

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, SpecError):
            raise renamed(error, self.name) from None


def renamed(error: SpecError, model: str) -> SpecError:
    """Return an error whose place is told by the keys of a fit; one in a key that all models share stays."""
    key, _, rest = (error.where or "").partition(".")
    place = {"axes": "parameters", "parameters": "settings"}.get(key, key)
    where = ".".join(part for part in ("model", place, rest) if part)
    where = f"{where} of {model}" if model else where
    return SpecError(
        error.what.replace("a sweep needs at least one axis", "a fit needs at least one parameter").replace(
            "in this sweep", "in this fit"
        ),
        where=error.where if key in FitFile.model_fields else where,
        found=error.found,
        expected=error.expected,
        hint=(error.hint or "").replace("among the axes", "among the parameters") or None,
    )


def model_record(model: FitModel) -> dict[str, Any]:
    """Return a model as JSON-able values."""
    record = spec_to_record(model.spec)
    return {
        "name": model.name,
        "kernel": record["kernel"],
        "parameters": {name: axis["values"] for name, axis in record["axes"].items()},
        "settings": record["parameters"],
    }
