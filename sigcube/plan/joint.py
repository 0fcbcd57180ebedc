"""The spec of a joint sweep: one model over one set of axes, on several datasets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.kernels import find
from sigcube.model.error_frame import possible_parameters
from sigcube.model.error_model import Errors
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.model.record import Frame
from sigcube.plan.spec import MODEL
from sigcube.plan.spec_file import DataKeys, GridKeys
from sigcube.toml import check, read_toml

__all__ = ["JointFile", "is_joint", "leaf_arguments", "read_joint_file", "refuse_unshared", "refuse_unused"]

_TABLES = ("models", "axes", "fixed", "roles")
_OWN = tuple(DataKeys.model_fields)
# Each dataset may hold its own value instead of this one.
_SHARED = ("kernel", "models", "axes", "roles", "title")


class DataTable(DataKeys):
    """The keys of one dataset in a joint sweep's TOML file."""

    name: str


class JointFile(GridKeys):
    """The keys of a joint sweep's TOML file."""

    data: list[DataTable] = Field(min_length=1)

    def changed(self, fixed: Mapping[str, Any], **changes: Any) -> Self:
        """Return the keys with other values for all datasets."""
        tables = [
            each.model_copy(update={"fixed": {name: value for name, value in each.fixed.items() if name not in fixed}})
            for each in self.data
        ]
        return super().changed(fixed, data=tables, **changes)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `sigcube.JointSweep`."""
        tables = [(each.name, each.model_dump(exclude={"name"})) for each in self.data]
        names = [name for name, _ in tables]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SpecError(f"two datasets are called {twice[0]!r}", where="data", hint="give each a name of its own")
        return {**self.model_dump(exclude={"data"}), "data": dict(tables)}


def is_joint(path: str | Path) -> bool:
    """Whether a TOML file, or a shipped one by name, is the spec of a joint sweep."""
    return "data" in read_toml(path, folder="sweeps", what="the sweep's file")


def read_joint_file(path: str | Path) -> JointFile:
    """Read a joint sweep's TOML file, or a shipped one by name.

    Raises
    ------
    SpecError
        For a file that is missing or not TOML, an unknown key, or a value of the wrong type.
    """
    content = read_toml(path, folder="sweeps", what="the sweep's file")
    return check(JointFile, content, what="the sweep's file is wrong", where=str(path))


def leaf_arguments(
    name: str, own: Mapping[str, Any], shared: Mapping[str, Any], frame: Frame
) -> tuple[dict[str, Any], set[str], set[str]]:
    """Return the arguments of one dataset's sweep, the shared names that it uses, and all names that it knows.

    It takes the axes and fixed values that its models have on this kind of cube, except what it holds itself.

    Raises
    ------
    SpecError
        For a key that a dataset cannot have, and a value that is not a table.
    """
    for key in own:
        if key in _SHARED:
            raise SpecError(f"{key!r} is shared by all datasets", where=key, hint="give it beside the datasets")
        if key not in _OWN:
            raise SpecError(f"a dataset has no key {shown(key)}", where="data", hint=did_you_mean(key, _OWN))
    models, shared_axes, shared_fixed, shared_roles = (_table(key, shared) for key in _TABLES)
    given = models or {"": shared.get("kernel")}
    kernels = [each["kernel"] if isinstance(each, Mapping) and "kernel" in each else each for each in given.values()]
    metrics = own.get("metrics")
    loglike = isinstance(metrics, list | tuple) and "loglike" in metrics
    errors = Errors.of(own.get("errors"))
    correlated = errors is not None and errors.correlation is not None
    of_g_bar = errors is not None and errors.g_bar is not None
    possible = possible_parameters(frame, loglike=loglike, correlated=correlated, of_g_bar=of_g_bar)
    known = _names(kernels, frame) | possible
    mine = _table("fixed", own)
    axes = {key: axis for key, axis in shared_axes.items() if key in known and key not in mine}
    fixed = {key: value for key, value in shared_fixed.items() if key in known}
    # The sweep refuses anything but a list of names; `refuse_unused`, a name that no dataset takes.
    its_axes = {*axes, MODEL} if models else {*axes}
    roles = {
        role: [key for key in keys if key in its_axes] if _is_list_of_names(keys) else keys
        for role, keys in shared_roles.items()
    }
    title = f"{shared['title']}: {name}" if shared.get("title") else None
    arguments = {key: value for key, value in own.items() if key != "fixed" and value is not None}
    common = {key: shared[key] for key in ("kernel", "models") if shared.get(key)}
    made = {**common, "title": title, "axes": axes, "fixed": {**fixed, **mine}, "roles": roles}
    return {**arguments, **made}, {*axes, *fixed, *mine}, known


def _table(key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table, empty if it is not given."""
    table = given.get(key)
    if table is not None and not isinstance(table, Mapping):
        raise SpecError(f"{key} must be a table of names and values", where=key, found=shown(table))
    return dict(table or {})


def _is_list_of_names(given: Any) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(each, str) for each in given)


def _names(kernels: Iterable[str | Kernel | None], frame: Frame) -> set[str]:
    models = [Model(find(each), frame) for each in kernels if each is not None]
    return {name for model in models for name in (*model.parameters, *model.choices)}


def refuse_unshared(given: Iterable[str]) -> None:
    """Refuse what datasets of a joint sweep do not share.

    Raises
    ------
    SpecError
        With the place of a key that belongs to each dataset, or the nearest key that all share.
    """
    for key in given:
        if key in _OWN and key != "fixed":
            raise SpecError(f"{key!r} is of each dataset", where=key, hint="give it in data")
        if key not in (*_SHARED, "fixed"):
            hint = did_you_mean(key, ["data", "fixed", *_SHARED])
            raise SpecError(f"a joint sweep has no key {key!r}", where=key, hint=hint)


def refuse_unused(shared: Mapping[str, Any], used: set[str], known: Iterable[str]) -> None:
    """Refuse axes and values that no dataset takes, and roles of unknown axes.

    Raises
    ------
    SpecError
        With the nearest name that one of them has.
    """
    axes = [*(shared.get("axes") or {}), *([MODEL] if shared.get("models") else [])]
    for role, names in (shared.get("roles") or {}).items():
        for name in names:
            if name not in axes:
                what = f"{name!r} has a role, and is no axis"
                raise SpecError(what, where=f"roles.{role}", hint=did_you_mean(name, axes))
    for key in ("axes", "fixed"):
        for name in shared.get(key) or {}:
            if name not in used:
                what = f"no dataset of this sweep has a parameter or choice {name!r}"
                raise SpecError(what, where=f"{key}.{name}", hint=did_you_mean(name, known))
