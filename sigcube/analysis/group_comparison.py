"""Comparison of a group of systems with all others, by the ranks of a value."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr

from sigcube.cube import kind_of, select
from sigcube.errors import DataError, SpecError, did_you_mean

__all__ = ["Comparison", "compare_groups"]

Alternative = Literal["less", "greater", "two-sided"]


@dataclass(frozen=True)
class Comparison:
    """The Mann–Whitney test of a group of systems against the rest (Mann & Whitney 1947).

    Attributes
    ----------
    value, group, sample, alternative : str
        What was compared.
    n_group, n_rest : int
        Number of systems that have a value.
    mean_group, mean_rest, median_group, median_rest : float
        Of the values, in the unit of the variable.
    statistic : float
        U of the group: the number of pairs in which its value is the greater; a tie counts half.
    p_value : float
        Probability of a U at least as extreme if both have the same distribution: exact for small groups without
        ties, else from the normal approximation with corrections for ties and continuity.
    """

    value: str
    group: str
    sample: str
    alternative: str
    n_group: int
    n_rest: int
    mean_group: float
    mean_rest: float
    median_group: float
    median_rest: float
    statistic: float
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.value}: {self.group} {self.mean_group:.3f} (mean of {self.n_group}), rest {self.mean_rest:.3f} "
            f"(mean of {self.n_rest}), Mann–Whitney p = {self.p_value:.2g} ({self.alternative})"
        )


def compare_groups(
    cube: xr.Dataset,
    *,
    value: str = "f_dm",
    group: str = "counter_rotating",
    alternative: Alternative = "less",
    sample: str = "all",
) -> Comparison:
    """Compare a value of the systems of a group with that of all others.

    Parameters
    ----------
    cube : Dataset
        A cube whose systems have values of their own.
    value : str
        The variable to compare; systems where it is NaN are excluded.
    group : str
        A variable that is 1 for the systems of the group and 0 for the others.
    alternative : {"less", "greater", "two-sided"}
        The alternative hypothesis: how the group's values differ from the rest.
    sample : str
        One of the cube's samples.

    Raises
    ------
    DataError
        If the cube has no such variable of its systems, if the group is marked by other values than 0 and 1, or if one
        side is empty.
    SpecError
        For an unknown sample or alternative.

    References
    ----------
    Mann & Whitney 1947, Annals of Mathematical Statistics 18, 50; the comparison is that of SI §8.1.
    """
    from scipy.stats import mannwhitneyu

    if alternative not in get_args(Alternative):
        hint = did_you_mean(alternative, get_args(Alternative))
        raise SpecError(f"there is no alternative {alternative!r}", where="alternative", hint=hint)
    where, dim = str(cube.attrs.get("title", "cube")), kind_of(cube).system_dim
    known = [str(n) for n, array in cube.data_vars.items() if array.dims == (dim,) and array.dtype.kind in "fiub"]
    if unknown := [name for name in (value, group) if name not in known]:
        what = f"the cube has no numeric variable {unknown[0]!r} of its systems"
        raise DataError(what, where=where, hint=did_you_mean(unknown[0], known))
    chosen = select(cube, sample=sample)
    values, marks = (np.asarray(chosen[name].values, dtype=np.float64) for name in (value, group))
    wrong = marks[~np.isin(marks, (0.0, 1.0))]
    if wrong.size:
        raise DataError(f"{group!r} does not mark a group", where=where, found=f"{wrong[0]:g}", expected="0 or 1")
    finite = np.isfinite(values)
    inside, outside = values[finite & (marks == 1)], values[finite & (marks == 0)]
    if not (inside.size and outside.size):
        found = f"{inside.size} in the group, {outside.size} others"
        raise DataError(f"there is nothing to compare in sample {sample!r}", where=where, found=found)
    test = mannwhitneyu(inside, outside, alternative=alternative, method="auto")
    return Comparison(
        value=value,
        group=group,
        sample=sample,
        alternative=alternative,
        n_group=inside.size,
        n_rest=outside.size,
        mean_group=float(inside.mean()),
        mean_rest=float(outside.mean()),
        median_group=float(np.median(inside)),
        median_rest=float(np.median(outside)),
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
    )
