"""The TOML file of a study of preferences: its models, nuisances and comparisons."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigcube.analysis.priors import Prior, read_prior
from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.plan.spec import spaced_axis
from sigcube.toml import check, read_toml

__all__ = ["SHIFTS", "ComparisonTable", "StudyFile", "StudyModel", "axis_of", "prior_of", "read_study_file"]

_FOLDER = "sweeps/studies"
_WHAT = "the study's file"

#: The axes that stand for errors of whole systems where a model does not scale with them.
SHIFTS = {"distance": "distance_shift", "inclination": "inclination_shift"}

AxisTable = dict[str, Any]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudyModel(_Keys):
    """One model: its kernel, what it holds fixed, and the parameters that each system has of its own.

    Attributes
    ----------
    free : dict
        For each parameter an axis, as in a sweep, with its ``prior``.
    nuisances : dict
        Axes that replace those of the study: next to free parameters, fewer values are enough.
    """

    kernel: str
    fixed: dict[str, Any] = Field(default={})
    free: dict[str, AxisTable] = Field(default={})
    nuisances: dict[str, AxisTable] = Field(default={})


class ComparisonTable(_Keys):
    """Two models to compare, and where the comparison is printed.

    Attributes
    ----------
    free : {"integrated", "best"}
        Whether free parameters of each system are integrated over their priors, or take their best values.
    """

    first: str
    second: str
    where: str = ""
    published: str = ""
    claims: list[str] = Field(default=[])
    free: Literal["integrated", "best"] = "integrated"


class StudyFile(_Keys):
    """The keys of a study's TOML file.

    Attributes
    ----------
    correlation : {"radius", "scale_length"}
        The coordinate along which errors are correlated, as in `sigcube.Errors`.
    correlation_amplitude, correlation_length : dict
        Axes, each with its ``prior``; amplitudes are above zero.
    nuisances : dict
        Axes of what each system has of its own, each with its ``prior``. Those of `SHIFTS` serve models that do not
        scale with the distance or the inclination; for the others, these are integrated in closed form.
    """

    cube: str
    sample: str = "all"
    where: str | None = None
    error_floor: float | str | None = None
    title: str = "Preferences under four error models"
    correlation: Literal["radius", "scale_length"] = "radius"
    correlation_amplitude: AxisTable
    correlation_length: AxisTable
    nuisances: dict[str, AxisTable] = Field(default={})
    models: dict[str, StudyModel] = Field(min_length=2)
    comparison: list[ComparisonTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _models_are_there(self) -> Self:
        for each in self.comparison:
            for name in (each.first, each.second):
                if name not in self.models:
                    raise ValueError(f"a comparison names a model {name!r}; {did_you_mean(name, self.models)}")
            if each.first == each.second:
                raise ValueError(f"{each.first!r} is compared with itself")
        for name, model in self.models.items():
            if unknown := [each for each in model.nuisances if each not in self.nuisances]:
                raise ValueError(f"model {name!r} has a nuisance {unknown[0]!r} that the study does not have")
        if missing := [name for name in SHIFTS.values() if name not in self.nuisances]:
            raise ValueError(f"nuisances lack {missing[0]!r}, for models that do not scale by it")
        return self


def read_study_file(path: str | Path) -> StudyFile:
    """Read the TOML file of a study.

    Parameters
    ----------
    path : path-like
        The file, or the name of a study that comes with sigcube, such as ``"papers"``.

    Raises
    ------
    SpecError
        For a file that is missing or not TOML, an unknown key, a value of the wrong type, a comparison of an unknown
        model, or an axis without a prior.
    """
    content = read_toml(path, folder=_FOLDER, what=_WHAT)
    file = check(StudyFile, content, what=f"{_WHAT} is wrong", where=str(path))
    own = {f"models.{name}.free": model.free for name, model in file.models.items()}
    own |= {f"models.{name}.nuisances": model.nuisances for name, model in file.models.items()}
    grid = {"correlation_amplitude": file.correlation_amplitude, "correlation_length": file.correlation_length}
    for where, tables in {"": grid, "nuisances": file.nuisances, **own}.items():
        for name, table in tables.items():
            prior_of(table, where=".".join(filter(None, (str(path), where, name))))
    return file


def axis_of(name: str, table: Mapping[str, Any]) -> Any:
    """Return the axis of a table without its prior, as `sigcube.Sweep` takes it.

    Raises
    ------
    SpecError
        If the rest is not an axis.
    """
    return spaced_axis(name, {key: value for key, value in table.items() if key != "prior"})


def prior_of(table: Mapping[str, Any], *, where: str) -> Prior:
    """Return the prior of an axis.

    Raises
    ------
    SpecError
        If it is missing or invalid.
    """
    text = table.get("prior")
    if not isinstance(text, str):
        found = "nothing" if text is None else shown(text)
        raise SpecError("the axis has no prior", where=where, found=found, expected="prior = 'lognormal:0.5,0.1'")
    return read_prior(text, where=f"{where}.prior")
