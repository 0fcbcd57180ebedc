"""Numbers that a kernel's terms give: at a point that a row describes, at a system, or over a sample."""

from collections.abc import Hashable, Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.from_data import of_system
from sigcube.claims.quantities.reductions import reduce
from sigcube.cube import KINDS, select
from sigcube.errors import SpecError
from sigcube.kernels import find

__all__ = ["POINTS", "TermKeys", "point_cube", "term_values"]


class TermKeys(Keys):
    """A term of a kernel: its boost, its prediction, or any other by name.

    Attributes
    ----------
    kernel, settings
        The model.
    term : str
        ``boost``, ``predicted``, ``h``, ``xi``, ``g_bar`` …
    at : dict
        The variables of a point that is in no dataset, in the units of cubes of its ``kind``: for a landmark
        ``{ g_bar = 1e-11, r = 8 }``, for a cluster ``{ m_bar = 1e13, r = 200 }`` with ``observable = "mass"``.
    kind : str
        The kind of cube that such a point belongs to.
    dataset, sample, system, point
        Or where to take the point from: a system, and which of its points where it has several (0 is the first).
    statistic, within, percentile
        How several values become one.
    over : dict or None
        Settings that differ in what each value is divided by, the same term under those; ``"default"`` leaves one out.
    """

    kernel: str
    term: str = "boost"
    settings: dict[str, str | float] = Field(default={})
    at: dict[str, float] = Field(default={})
    kind: str = "landmark"
    dataset: str | None = None
    sample: str = "all"
    system: str | None = None
    point: int | None = None
    statistic: str | None = None
    within: list[float] | None = None
    percentile: float = 50.0
    over: dict[str, str | float] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "TermKeys":
        if bool(self.at) == (self.dataset is not None):
            raise ValueError("give either a point, with at, or a dataset")
        return self

    def company(self) -> Hashable:
        """Keep what compiles the same terms together."""
        return ("term", self.kernel, self.dataset)


def term(keys: TermKeys, context: Context) -> Found:
    """Compute the term by broadcasting, and take a value of it."""
    marks: dict[str, str] = {}
    if keys.dataset is None:
        cube = point_cube(keys.kind, keys.at)
    else:
        whole = context.cube(keys.dataset)
        marks = {keys.dataset: str(whole.attrs["fingerprint"])}
        cube = select(whole, sample=keys.sample)
    values = term_values(keys.kernel, cube, keys.term, keys.settings)
    if keys.over is not None:
        other = {name: value for name, value in {**keys.settings, **keys.over}.items() if value != "default"}
        values = values / term_values(keys.kernel, cube, keys.term, other)
    return Found(_take(keys, cube, values), marks, command=_python(keys), details=_in_words(keys))


def point_cube(kind: str, at: Mapping[str, float]) -> xr.Dataset:
    """Return a cube of one point with these variables; of a landmark's others, what stands for none of it."""
    if kind not in KINDS:
        raise SpecError(f"there is no kind of cube {kind!r}", where="kind", found=kind, expected=", ".join(KINDS))
    declared = {variable.name: variable.dims for variable in KINDS[kind].variables}
    dims = KINDS[kind].dims
    given = {"g_ext": 0.0, "z": 0.0, "D": 0.0, "L": 1.0, "power": 1.0, "newton": 1.0} if kind == "landmark" else {}
    values = {**given, "r": 1.0, **at}
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


def _take(keys: TermKeys, cube: xr.Dataset, values: xr.DataArray) -> float:
    if keys.system is not None and values.ndim:
        values = of_system(values, cube, keys.system)
    if keys.point is not None and values.ndim:
        values = values.isel({values.dims[-1]: keys.point})
    if keys.statistic is not None:
        return reduce(values.values, keys.statistic, within=keys.within, percentile=keys.percentile)
    if values.size != 1:
        hint = "name a system, one of its points, or a statistic"
        raise SpecError(f"{keys.term} has {values.size} values here", where="term", hint=hint)
    return float(values.values.ravel()[0])


def _in_words(keys: TermKeys) -> dict[str, str]:
    """Say what of the values is taken."""
    words = {"term": keys.term}
    if keys.system is not None:
        words["system"] = keys.system
    if keys.point is not None:
        words["point"] = str(keys.point)
    if keys.statistic is not None:
        rank = f" {keys.percentile:g}" if keys.statistic == "percentile" else ""
        ends = f" within {keys.within[0]:g} to {keys.within[1]:g}" if keys.within else ""
        words["statistic"] = f"{keys.statistic}{rank}{ends}"
    if keys.over is not None:
        words["over the same with"] = ", ".join(f"{name} = {value}" for name, value in keys.over.items())
    return words


def _python(keys: TermKeys) -> str:
    """Write what gives the values, in Python."""
    settings = "".join(f", {name}={value!r}" for name, value in keys.settings.items())
    compute = f"sigcube.kernels[{keys.kernel!r}].compute(cube, {keys.term!r}{settings})"
    if keys.dataset is None:
        need = "import sigcube; from sigcube.claims import point_cube"
        return f"{need}; cube = point_cube({keys.kind!r}, {keys.at!r}); {compute}"
    chosen = f"select(sigcube.open_cube('cubes/{keys.dataset}.zarr'), sample={keys.sample!r})"
    return f"import sigcube; from sigcube.cube import select; cube = {chosen}; {compute}"


_TERM = Quantity(TermKeys, term)
POINTS: Mapping[str, Quantity] = MappingProxyType({"boost": _TERM, "kernel": _TERM})
