"""Numbers that the data give without a model: counts, statistics of a variable, two groups, two variables."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis import compare
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.reductions import reduce
from sigcube.cube import kind_of, pack, select
from sigcube.errors import DataError, SpecError, did_you_mean

__all__ = ["DATA", "of_system"]

FloatArray = npt.NDArray[np.float64]


class CubeKeys(Keys):
    """A statistic of a cube's variable over a sample.

    Attributes
    ----------
    dataset, sample : str
        The systems and points.
    statistic : str
        ``systems`` or ``points``, which count those of the sample and need no variable; else see
        `sigcube.claims.quantities.reductions.reduce`. Not needed where one value is there.
    variable, over : str or None
        The variable, and one that it is divided by, value by value.
    system : str or None
        The system whose values are taken.
    """

    dataset: str
    sample: str = "all"
    statistic: str | None = None
    variable: str | None = None
    over: str | None = None
    system: str | None = None
    within: list[float] | None = None
    percentile: float = 50.0

    @model_validator(mode="after")
    def _variable_or_count(self) -> "CubeKeys":
        if (self.variable is None) != (self.statistic in ("systems", "points")):
            raise ValueError("give a variable, or count with statistic = 'systems' or 'points'")
        return self


def cube_statistic(keys: CubeKeys, context: Context) -> Found:
    """Count, or reduce the values of a variable."""
    cube = context.cube(keys.dataset)
    marks = {keys.dataset: str(cube.attrs["fingerprint"])}
    command = f"sigcube check cubes/{keys.dataset}.zarr"
    if keys.variable is None:
        packed = pack(cube, sample=keys.sample, variables=())
        counted = packed.n_systems if keys.statistic == "systems" else packed.n_points
        return Found(float(counted), marks, command=command, details={"counted": str(keys.statistic)})
    values = _values(cube, keys)
    if keys.statistic is None and values.size != 1:
        hint = "name a system, or a statistic"
        raise SpecError(f"{keys.variable} has {values.size} values here", where="statistic", hint=hint)
    value = reduce(values, keys.statistic or "mean", within=keys.within, percentile=keys.percentile)
    shown = {"variable": keys.variable, "sample": keys.sample, "values": str(int(np.isfinite(values).sum()))}
    return Found(value, marks, command=command, details=shown)


def _values(cube: xr.Dataset, keys: CubeKeys) -> FloatArray:
    chosen = select(cube, sample=keys.sample)
    value = variable_of(chosen, str(keys.variable))
    if keys.over is not None:
        value = value / variable_of(chosen, keys.over)
    return np.asarray((of_system(value, chosen, keys.system) if keys.system else value).values, dtype=np.float64)


def variable_of(cube: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable of numbers."""
    known = [str(each) for each, array in cube.data_vars.items() if array.dtype.kind in "fiub"]
    if name not in known:
        raise DataError(f"the cube has no number {name!r}", where="variable", hint=did_you_mean(name, known))
    return cube[name]


def of_system(values: xr.DataArray, cube: xr.Dataset, system: str) -> xr.DataArray:
    """Return what belongs to one system."""
    dim = kind_of(cube).system_dim
    if dim is None or dim not in values.dims:
        raise SpecError("there are no values of systems here", where="system", found=system)
    names = [str(name) for name in cube[dim].values]
    if system not in names:
        raise SpecError(f"there is no {dim} {system!r} here", where="system", hint=did_you_mean(system, names))
    return values.isel({dim: names.index(system)})


class PopulationsKeys(Keys):
    """The Mann–Whitney test of a group of systems against the rest: see `sigcube.analysis.compare`.

    ``take`` is one of its results: p_value, mean_group, mean_rest, median_group, median_rest, n_group, n_rest.
    """

    dataset: str
    take: Literal[
        "p_value", "mean_group", "mean_rest", "median_group", "median_rest", "n_group", "n_rest", "statistic"
    ] = "p_value"
    sample: str = "all"
    value: str = "f_dm"
    group: str = "counter_rotating"
    alternative: Literal["less", "greater", "two-sided"] = "less"


def populations(keys: PopulationsKeys, context: Context) -> Found:
    """Compare two groups."""
    cube = context.cube(keys.dataset)
    test = compare(cube, value=keys.value, group=keys.group, alternative=keys.alternative, sample=keys.sample)
    marks = {keys.dataset: str(cube.attrs["fingerprint"])}
    return Found(float(getattr(test, keys.take)), marks, details={"test": str(test)})


class CorrelationKeys(Keys):
    """The correlation of two variables of a cube over the systems or points of a sample."""

    dataset: str
    x: str
    y: str
    sample: str = "all"
    method: Literal["pearson", "spearman"] = "pearson"
    take: Literal["r", "p_value"] = "r"
    log: list[Literal["x", "y"]] = Field(default=[])


def correlation(keys: CorrelationKeys, context: Context) -> Found:
    """Correlate what is finite in both."""
    from scipy.stats import pearsonr, spearmanr

    cube = context.cube(keys.dataset)
    chosen = select(cube, sample=keys.sample)
    both = xr.broadcast(variable_of(chosen, keys.x), variable_of(chosen, keys.y))
    x, y = (np.asarray(each.values, dtype=np.float64).ravel() for each in both)
    x, y = (np.log10(each) if name in keys.log else each for name, each in (("x", x), ("y", y)))
    kept = np.isfinite(x) & np.isfinite(y)
    test = (pearsonr if keys.method == "pearson" else spearmanr)(x[kept], y[kept])
    value = float(test.statistic if keys.take == "r" else test.pvalue)
    marks = {keys.dataset: str(cube.attrs["fingerprint"])}
    return Found(value, marks, details={"pairs": str(int(kept.sum())), "method": keys.method})


DATA: Mapping[str, Quantity] = MappingProxyType(
    {
        "cube": Quantity(CubeKeys, cube_statistic),
        "populations": Quantity(PopulationsKeys, populations),
        "correlation": Quantity(CorrelationKeys, correlation),
    }
)
