"""Numbers that a kernel's terms give: at a point that a row describes, at a system, or over a sample."""

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import (
    Context,
    Found,
    ModelKeys,
    Quantity,
    ReducedKeys,
    Settings,
    sample_text,
    system_text,
)
from sigcube.claims.quantities.model_text import model_text
from sigcube.cube import KINDS, kind_of, select
from sigcube.errors import SpecError
from sigcube.kernels import find

__all__ = ["QUANTITIES", "VersusKeys", "point_cube", "term_values", "versus"]


class TermKeys(ReducedKeys):
    """A term of a kernel at a point, which ``at`` describes, or which is one of a dataset."""

    kernel: str
    #: ``boost``, ``predicted``, ``h``, ``xi``, ``g_bar`` …
    term: str = "boost"
    settings: Settings = Field(default={})
    #: The variables of a point that is in no dataset, in the units of cubes of its ``kind``: for a landmark
    #: ``{ g_bar = 1e-11, r = 8 }``, for a cluster ``{ m_bar = 1e13, r = 200 }`` with ``observable = "mass"``.
    at: dict[str, float] = Field(default={})
    kind: str = "landmark"
    dataset: str | None = None
    sample: str = "all"
    #: Which of a system's points, where it has several; 0 is the first.
    point: int | None = None
    #: Settings that differ in the term that each value is divided by; ``"default"`` leaves one out.
    over: Settings | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "TermKeys":
        if bool(self.at) == (self.dataset is not None):
            raise ValueError("give either a point, with at, or a dataset")
        return self

    def batch(self) -> Hashable:
        """Keep what compiles the same terms together."""
        return ("term", self.kernel, self.dataset)


def term(keys: TermKeys, context: Context) -> Found:
    """Compute the term by broadcasting, and take a value of it."""
    if keys.dataset is None:
        cube = point_cube(keys.kind, keys.at)
    else:
        cube = select(context.cube(keys.dataset), sample=keys.sample)
    values = term_values(keys.kernel, cube, keys.term, keys.settings)
    details = {"term": keys.term, **model_text(keys.kernel, keys.settings, kind=kind_of(cube).name, term=keys.term)}
    if keys.dataset is not None:
        details["sample"] = sample_text(context.cube(keys.dataset), keys.dataset, keys.sample)
    elif keys.at:
        details["at"] = ", ".join(f"{name} = {value:g}" for name, value in keys.at.items())
    if keys.system is not None:
        details["system"] = system_text(cube, keys.system)
    if keys.point is not None:
        details["point"] = str(keys.point)
    if keys.statistic is not None:
        details["statistic"] = keys.statistic_text()
    if keys.over is not None:
        other = {name: value for name, value in {**keys.settings, **keys.over}.items() if value != "default"}
        values = values / term_values(keys.kernel, cube, keys.term, other)
        details["over the same with"] = ", ".join(f"{name} = {value}" for name, value in keys.over.items())
    # A term that depends on parameters alone is one number, whichever system is named.
    if values.ndim:
        values = keys.of_system(values)
    if keys.point is not None and values.ndim:
        values = values.isel({values.dims[-1]: keys.point})
    value = keys.reduced(values, keys.term, hint="name a system, one of its points, or a statistic")
    return Found(value, command=_python(keys), details=details)


def point_cube(kind: str, at: Mapping[str, float]) -> xr.Dataset:
    """Return a cube of one point with these variables; other variables of a landmark take neutral values.

    Raises
    ------
    SpecError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise SpecError(f"there is no kind of cube {kind!r}", where="kind", found=kind, expected=", ".join(KINDS))
    declared = {variable.name: variable.dims for variable in KINDS[kind].variables}
    dims = KINDS[kind].dims
    neutral = {"g_ext": 0.0, "z": 0.0, "D": 0.0, "L": 1.0, "power": 1.0, "newton": 1.0} if kind == "landmark" else {}
    values = {**neutral, "r": 1.0, **at}
    arrays = {
        name: (own := declared.get(name, dims), np.full((1,) * len(own), value)) for name, value in values.items()
    }
    return xr.Dataset(arrays, attrs={"kind": kind, "title": "a point of a claim"})


def term_values(kernel: str, cube: xr.Dataset, term: str, settings: Mapping[str, str | float]) -> xr.DataArray:
    """Return the values of a term over a cube."""
    model = find(kernel)
    if term == "boost":
        values = model.boost(cube, **settings)
    elif term == "predicted":
        values = model.predict(cube, **settings)
    else:
        values = model.compute(cube, term, **settings)
    return values if isinstance(values, xr.DataArray) else xr.DataArray(float(values))


def _python(keys: TermKeys) -> str:
    """Write the Python that gives the values."""
    compute = f"sigcube.kernels[{keys.kernel!r}].compute(cube, {keys.term!r}{_arguments(keys.settings)})"
    if keys.dataset is None:
        need = "import sigcube; from sigcube.claims import point_cube"
        return f"{need}; cube = point_cube({keys.kind!r}, {keys.at!r}); {compute}"
    chosen = f"select(sigcube.open_cube('cubes/{keys.dataset}.zarr'), sample={keys.sample!r})"
    return f"import sigcube; from sigcube.cube import select; cube = {chosen}; {compute}"


def _arguments(settings: Mapping[str, str | float]) -> str:
    return "".join(f", {name}={value!r}" for name, value in settings.items())


class VersusKeys(ModelKeys, ReducedKeys):
    """A statistic of the relative difference of two models over the points of a sample, with no data between them."""

    #: The other model, as in a sweep: its ``kernel`` and its settings.
    reference: Settings
    #: ``predicted``, ``boost`` …
    term: str = "predicted"
    statistic: str | None = "median"


def versus(keys: VersusKeys, context: Context) -> Found:
    """Compute the term of both, and reduce their relative differences."""
    other = dict(keys.reference)
    name = other.pop("kernel", None)
    if not isinstance(name, str):
        raise SpecError("the reference names no kernel", where="reference", found=repr(keys.reference))
    cube = keys.selected(context)
    ratio = term_values(keys.kernel, cube, keys.term, keys.settings) / term_values(name, cube, keys.term, other)
    value = keys.reduced(keys.of_system(abs(ratio - 1.0)), keys.term)
    points = f"{int(np.isfinite(ratio.values).sum())} of {keys.sample_text(context)}"
    kind = kind_of(cube).name
    details = {"term": keys.term, "points": points, **model_text(keys.kernel, keys.settings, kind=kind, term=keys.term)}
    reference = model_text(name, other, kind=kind, term=keys.term)
    details |= {f"reference, {key}": text for key, text in reference.items()}
    return Found(value, command=_python_of_both(keys, name, other), details=details)


def _python_of_both(keys: VersusKeys, name: str, other: Mapping[str, str | float]) -> str:
    """Write the Python that gives the relative differences."""
    condition = f", where={keys.condition!r}" if keys.condition else ""
    chosen = f"select(sigcube.open_cube('cubes/{keys.dataset}.zarr'), sample={keys.sample!r}{condition})"
    ours, theirs = (
        f"sigcube.kernels[{kernel!r}].compute(cube, {keys.term!r}{_arguments(settings)})"
        for kernel, settings in ((keys.kernel, keys.settings), (name, other))
    )
    return f"import sigcube; from sigcube.cube import select; cube = {chosen}; abs({ours} / {theirs} - 1)"


_TERM = Quantity(TermKeys, term, uses_model=True)
QUANTITIES = {"boost": _TERM, "kernel": _TERM, "versus": Quantity(VersusKeys, versus, uses_model=True)}
