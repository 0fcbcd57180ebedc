"""The TOML file of a sweep."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from sigcube.errors import SpecError
from sigcube.toml import check, read_toml

__all__ = ["DataKeys", "GridKeys", "SpecFile", "read_spec_file"]


class DataKeys(BaseModel):
    """The keys for one dataset: what a sweep sees of it, and measures there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cube: str
    sample: str = "all"
    where: str | None = None
    error_floor: float | str | None = None
    metrics: list[str] = Field(default=["rms"])
    keep: list[str] = Field(default=[])
    dtype: Literal["float32", "float64"] = "float32"
    n_fitted: int = 0
    reference: str | dict[str, Any] | None = None
    fixed: dict[str, Any] = Field(default={})
    errors: dict[str, Any] | None = None


class GridKeys(BaseModel):
    """The keys for the models of a sweep and the values of their parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernel: str | None = None
    models: dict[str, str | dict[str, Any]] = Field(default={})
    axes: dict[str, Any] = Field(default={})
    title: str | None = None
    fixed: dict[str, Any] = Field(default={})
    roles: dict[str, list[str]] = Field(default={})

    def changed(self, fixed: Mapping[str, Any], **changes: Any) -> Self:
        """Return the keys with other values; a value that becomes fixed is no longer an axis, or that of one model."""
        axes = {name: axis for name, axis in self.axes.items() if name not in fixed}
        models = {name: _without(table, fixed) for name, table in self.models.items()}
        roles = {role: [name for name in names if name not in fixed] for role, names in self.roles.items()}
        given = {key: value for key, value in changes.items() if value is not None}
        held = {"axes": axes, "models": models, "roles": roles, "fixed": {**self.fixed, **fixed}}
        return self.model_copy(update={**held, **given})


class SpecFile(DataKeys, GridKeys):
    """The keys of a sweep's TOML file."""


def _without(model: str | dict[str, Any], names: Collection[str]) -> str | dict[str, Any]:
    """Return the table of a model without some of the values that it holds fixed."""
    own = model.get("fixed") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(own, dict):
        return model
    return {**model, "fixed": {name: value for name, value in own.items() if name not in names}}


def read_spec_file(path: str | Path) -> SpecFile:
    """Read a sweep's TOML file.

    Parameters
    ----------
    path : path-like
        The file, or the name of a spec that comes with sigcube, such as ``"si13_coherence_scale"``.

    Raises
    ------
    SpecError
        For a file that is missing, not TOML or for a fit, an unknown key, or a value of the wrong type.
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
    if "data" in content:
        raise SpecError(
            "this is the spec of a joint sweep, of several datasets",
            where=str(path),
            found="tables [[data]]",
            hint="use `sigcube sweep`, in Python sigcube.JointSweep.from_toml",
        )
    return check(SpecFile, content, what="the sweep's file is wrong", where=str(path))
