"""Numbers that the data give without a model: counts, statistics of a variable, two groups, two variables."""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis import compare_groups
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity, ReducedKeys, SampleKeys, system_text
from sigcube.cube import flag_masks, kind_of, pack
from sigcube.errors import DataError, SpecError, did_you_mean

__all__ = ["QUANTITIES", "UnflaggedKeys", "unflagged", "variable_of"]


class CubeKeys(SampleKeys, ReducedKeys):
    """A statistic of a cube's variable over a sample; ``systems`` or ``points`` count those and need no variable."""

    #: The variable, and one that it is divided by, value by value.
    variable: str | None = None
    over: str | None = None

    @model_validator(mode="after")
    def _variable_or_count(self) -> "CubeKeys":
        if (self.variable is None) != (self.statistic in ("systems", "points")):
            raise ValueError("give a variable, or count with statistic = 'systems' or 'points'")
        return self


def cube_statistic(keys: CubeKeys, context: Context) -> Found:
    """Count, or reduce the values of a variable."""
    command = f"sigcube check cubes/{keys.dataset}.zarr"
    if keys.variable is None:
        packed = pack(context.cube(keys.dataset), sample=keys.sample, where=keys.condition, variables=())
        count = packed.n_systems if keys.statistic == "systems" else packed.n_points
        details = {"counted": str(keys.statistic), "sample": keys.sample_text(context)}
        return Found(float(count), command=command, details=details)
    chosen = keys.selected(context)
    values = variable_of(chosen, keys.variable)
    if keys.over is not None:
        values = values / variable_of(chosen, keys.over)
    values = keys.of_system(values).astype(np.float64)
    n_values = str(int(np.isfinite(values.values).sum()))
    details = {"variable": keys.variable, "sample": keys.sample_text(context), "values": n_values}
    if keys.system is not None:
        details["system"] = system_text(chosen, keys.system)
    return Found(keys.reduced(values, keys.variable), command=command, details=details)


def variable_of(cube: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable of numbers; refuse a name that the cube does not have."""
    known = [str(each) for each, array in cube.data_vars.items() if array.dtype.kind in "fiub"]
    if name not in known:
        raise DataError(f"the cube has no number {name!r}", where="variable", hint=did_you_mean(name, known))
    return cube[name]


class UnflaggedKeys(Keys):
    """The number of systems without a flag."""

    #: A cube whose systems have several points.
    dataset: str
    #: Meanings of its flag of points, none of which a system may have anywhere.
    flags: list[str]
    #: Fewest rows that the raw file has of a system.
    least_points: int = 0


def unflagged(keys: UnflaggedKeys, context: Context) -> Found:
    """Count the systems that no flag is set for, at any of their points."""
    cube = context.cube(keys.dataset)
    kind = kind_of(cube)
    if kind.point_dim is None:
        raise SpecError("its systems are single points", where="dataset", found=keys.dataset)
    flag = cube[str(kind.point_flag)]
    masks = flag_masks(flag)
    for name in keys.flags:
        if name not in masks:
            raise SpecError(f"there is no flag {name!r}", where="flags", hint=did_you_mean(name, masks))
    flagged = ((flag & np.uint8(sum(masks[name] for name in keys.flags))) != 0).any(kind.point_dim)
    count = (~flagged & (cube["n_points"] >= keys.least_points)).sum()
    names = ", ".join(str(name) for name in cube[str(kind.system_dim)].values[flagged.values])
    return Found(float(count), command=f"sigcube check cubes/{keys.dataset}.zarr", details={"flagged": names})


class PopulationsKeys(SampleKeys):
    """The Mann–Whitney test of a group of systems against the rest: see `sigcube.analysis.compare_groups`.

    ``take`` is one of its results: p_value, mean_group, mean_rest, median_group, median_rest, n_group, n_rest.
    """

    take: Literal[
        "p_value", "mean_group", "mean_rest", "median_group", "median_rest", "n_group", "n_rest", "statistic"
    ] = "p_value"
    value: str = "f_dm"
    group: str = "counter_rotating"
    alternative: Literal["less", "greater", "two-sided"] = "less"


def populations(keys: PopulationsKeys, context: Context) -> Found:
    """Compare two groups."""
    test = compare_groups(
        keys.selected(context),
        value=keys.value,
        group=keys.group,
        alternative=keys.alternative,
        sample=keys.sample,
    )
    return Found(float(getattr(test, keys.take)), details={"test": str(test)})


class CorrelationKeys(SampleKeys):
    """The correlation of two variables of a cube over the systems or points of a sample."""

    x: str
    y: str
    method: Literal["pearson", "spearman"] = "pearson"
    take: Literal["r", "p_value"] = "r"
    log: list[Literal["x", "y"]] = Field(default=[])


def correlation(keys: CorrelationKeys, context: Context) -> Found:
    """Correlate what is finite in both."""
    from scipy.stats import pearsonr, spearmanr

    chosen = keys.selected(context)
    both = xr.broadcast(variable_of(chosen, keys.x), variable_of(chosen, keys.y))
    x, y = (np.asarray(each.values, dtype=np.float64).ravel() for each in both)
    x, y = (np.log10(each) if name in keys.log else each for name, each in (("x", x), ("y", y)))
    finite = np.isfinite(x) & np.isfinite(y)
    test = (pearsonr if keys.method == "pearson" else spearmanr)(x[finite], y[finite])
    value = float(test.statistic if keys.take == "r" else test.pvalue)
    return Found(value, details={"pairs": str(int(finite.sum())), "method": keys.method})


QUANTITIES = {
    "cube": Quantity(CubeKeys, cube_statistic),
    "unflagged": Quantity(UnflaggedKeys, unflagged),
    "populations": Quantity(PopulationsKeys, populations),
    "correlation": Quantity(CorrelationKeys, correlation),
}
