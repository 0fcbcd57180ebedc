"""The specification of a fit: its TOML file, and its models checked."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from sigcube.errors import FormulaError, SpecError, did_you_mean
from sigcube.fits.search import SearchSpace
from sigcube.model.metrics import Metric
from sigcube.model.record import Parameter
from sigcube.plan.grid import Axis
from sigcube.plan.spec import Spec, make_spec, spec_to_record
from sigcube.toml import check, read_toml

__all__ = [
    "MOST_STARTS",
    "FitFile",
    "FitModel",
    "ModelTable",
    "Objective",
    "Scope",
    "check_word",
    "in_keys_of_a_fit",
    "make_model",
    "read_fit_file",
    "refuse_same_name",
]

MOST_STARTS = 2**24
"""Points of a fit's coarse grid: the objective of one system on it is held in memory, with as much beside it."""

Scope = Literal["system", "sample"]
Objective = Literal["chi2", "rms"]

# The metrics that a fit always has, by its objective; χ² needs errors, the RMS does not.
_METRICS: Mapping[Objective, tuple[str, ...]] = {"chi2": ("chi2", "chi2_red", "rms"), "rms": ("rms",)}


class ModelTable(BaseModel):
    """The keys of one model in a fit's TOML file: the axes of what is free, and what is held fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernel: str
    free: dict[str, Any]
    fixed: dict[str, Any] = Field(default={})
    name: str | None = None


class FitFile(BaseModel):
    """The keys of a fit's TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cube: str
    model: list[ModelTable] = Field(min_length=1)
    title: str | None = None
    sample: str = "all"
    where: str | None = None
    error_floor: float | str | None = None
    scope: Scope = "system"
    objective: Objective = "chi2"
    metrics: list[str] = Field(default=[])

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `sigcube.Fit`."""
        models = {table.name or table.kernel: table.model_dump(exclude={"name"}) for table in self.model}
        return {**self.model_dump(exclude={"model"}), "models": models}

    def changed(self, fixed: Mapping[str, Any], **changes: Any) -> Self:
        """Return the keys with other values where they are given.

        What becomes fixed is so in the models that name it, or in all where none does.
        """
        named = {name: [t for t in self.model if name in {**t.free, **t.fixed}] or self.model for name in fixed}
        models = []
        for table in self.model:
            own = {name: value for name, value in fixed.items() if table in named[name]}
            free = {name: axis for name, axis in table.free.items() if name not in own}
            models.append(table.model_copy(update={"free": free, "fixed": {**table.fixed, **own}}))
        given = {key: value for key, value in changes.items() if value is not None}
        return self.model_copy(update={"model": models, **given})


def read_fit_file(path: str | Path) -> FitFile:
    """Read a fit's TOML file.

    Parameters
    ----------
    path : path-like
        The file, or the name of a spec that comes with sigcube, such as ``"si15_per_galaxy"``.

    Raises
    ------
    SpecError
        When the file is missing, is not TOML, is that of a sweep, holds an unknown key or a value of the wrong type, or
        gives two models the same name.
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
    file = check(FitFile, content, what="the fit's file is wrong", where=str(path))
    names = [table.name or table.kernel for table in file.model]
    if twice := [name for name in names if names.count(name) > 1]:
        refuse_same_name(twice[0], path)
    return file


def refuse_same_name(name: str, path: str | Path) -> NoReturn:
    """Refuse two models of one name."""
    raise SpecError(f"two models are called {name!r}", where=f"{path}, model", hint="give each a name of its own")


def check_word(key: str, given: str, valid: Any) -> None:
    """Refuse the value of a key that is not among those of a Literal."""
    if given not in get_args(valid):
        raise SpecError(f"there is no {key} {given!r}", where=key, hint=did_you_mean(given, get_args(valid)))


@dataclass(frozen=True)
class FitModel:
    """One model of a fit."""

    #: What it is called in the result.
    name: str
    #: The sweep over its coarse grid, and the space that this grid spans.
    spec: Spec
    space: SearchSpace
    #: The parameters that are fitted, by name.
    parameters: Mapping[str, Parameter]

    def record(self) -> dict[str, Any]:
        """Return the model as JSON-able values, in the keys of a fit."""
        record = spec_to_record(self.spec)
        return {
            "name": self.name,
            "kernel": record["kernel"],
            "free": {name: axis["values"] for name, axis in record["axes"].items()},
            "fixed": record["fixed"],
        }


def make_model(
    name: str, table: Mapping[str, Any], *, kind: str, objective: Objective, metrics: Sequence[str | Metric]
) -> FitModel:
    """Check one model of a fit, given as a table of ``kernel``, ``free`` and ``fixed``."""
    with in_keys_of_a_fit(name):
        if not table.get("free"):
            raise SpecError("a fit needs at least one parameter", where="axes")
        needed = _METRICS[objective]
        spec = make_spec(
            kernel=table["kernel"],
            kind=kind,
            axes=table.get("free", {}),
            fixed=table.get("fixed", {}),
            # What is no list is left to `make_spec` to refuse, and so is what a list cannot hold.
            metrics=[*needed, *(each for each in metrics if each not in needed)]
            if isinstance(metrics, list | tuple)
            else metrics,
        )
        if spec.grid.size > MOST_STARTS:
            raise SpecError(
                "the coarse grid of a fit has too many points",
                where="axes",
                found=" × ".join(f"{dim} {n:,}" for dim, n in spec.grid.dims.items()) + f" = {spec.grid.size:,}",
                expected=f"at most {MOST_STARTS:,}",
                hint="a fit goes down from the minima of the grid: some tens of values an axis are enough",
            )
        parameters = {axis.name: _fitted(axis, spec) for axis in spec.grid.axes}
    return FitModel(name, spec, SearchSpace.of(spec.grid), parameters)


def _fitted(axis: Axis, spec: Spec) -> Parameter:
    """Return the parameter of an axis; refuse labels, single values, shared dimensions and unknown names."""
    known, name, where = spec.model.parameters, axis.name, f"axes.{axis.name}"
    if name in spec.model.choices:
        hint = "hold one label fixed"
        raise SpecError(f"{name!r} is a choice, not a number that can be fitted", where=where, hint=hint)
    if name not in known:
        what = f"{spec.model.kernel.name} has no parameter {name!r}"
        raise SpecError(what, where=where, hint=did_you_mean(name, known))
    if axis.is_label:
        raise SpecError(f"parameter {name!r} takes numbers", where=where, found=repr(axis.values[0]))
    if len(spec.grid.along(axis.dim)) > 1:
        what = "parameters that vary together cannot be told apart"
        raise SpecError(what, where=where, found=f"dimension {axis.dim!r}")
    if len(axis.values) < 2 or min(axis.values) == max(axis.values):
        raise SpecError(
            f"the axis of {name!r} must span its bounds",
            where=where,
            found=", ".join(map(str, axis.values)),
            expected="two values or more, from the lower bound to the upper one",
        )
    return known[name]


@contextmanager
def in_keys_of_a_fit(model: str) -> Iterator[None]:
    """Rewrite the errors of a sweep's spec: its axes are what is free in a fit."""
    try:
        yield
    except FormulaError:
        raise
    except SpecError as error:
        key, _, rest = (error.where or "").partition(".")
        where = ".".join(part for part in ("model", "free" if key == "axes" else key, rest) if part)
        raise SpecError(
            error.what.replace("in this sweep", "in this fit"),
            # Keys that all models share are named as they are.
            where=error.where if key in FitFile.model_fields else f"{where} of {model}",
            found=error.found,
            expected=error.expected,
            hint=(error.hint or "").replace("among the axes", "among what is free") or None,
        ) from None
