"""Comparison of models system by system, of a fit or of a sweep: wins, bootstrap, paired tests; summaries of fits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, random_numbers
from sigcube.cube import KINDS
from sigcube.errors import SpecError, did_you_mean

__all__ = [
    "PairedTests",
    "WinRate",
    "Wins",
    "bootstrap_win_rate",
    "metric_names",
    "model_summary",
    "paired_tests",
    "system_dims",
    "wins",
]

FloatArray = npt.NDArray[np.float64]
#: A model, or a value of an axis.
Label = str | float

_SYSTEM_DIMS = {kind.system_dim for kind in KINDS.values()} - {None}

# Minima are polished to better than this share of their value: values that differ by less are equal.
_ACCURACY = 1e-6


@dataclass(frozen=True)
class Wins:
    """How often one model is closer to the data than another.

    Attributes
    ----------
    by : str
        The metric compared; the smaller value wins.
    first, second : str
        The models.
    first_wins, second_wins, ties : int
        Number of systems.
    margin, relative : float
        Values that differ by no more than ``margin``, or by the fraction ``relative`` of the second, are ties; so are
        those that differ by no more than a millionth, the accuracy of the minima.
    """

    by: str
    first: str
    second: str
    first_wins: int
    second_wins: int
    ties: int
    margin: float
    relative: float = 0.0

    @property
    def n(self) -> int:
        """Number of systems for which both models have a value."""
        return self.first_wins + self.second_wins + self.ties

    @property
    def rate(self) -> float:
        """Fraction of the systems that the first wins; a tie counts half."""
        return (self.first_wins + 0.5 * self.ties) / self.n if self.n else float("nan")

    def __str__(self) -> str:
        return (
            f"{self.first} against {self.second} by {self.by}: {self.first_wins} : {self.second_wins}, "
            f"{self.ties} ties, {self.rate:.1%}"
        )


@dataclass(frozen=True)
class WinRate:
    """A win rate and its uncertainty, from a bootstrap over the systems.

    Attributes
    ----------
    rate : float
        Of the first model; a tie counts half.
    standard_error : float
        Standard deviation of the bootstrap distribution.
    low, high : float
        Ends of the percentile interval.
    confidence : float
        Level of the interval.
    n_resamples : int
        Number of resamples.
    """

    rate: float
    standard_error: float
    low: float
    high: float
    confidence: float
    n_resamples: int

    def __str__(self) -> str:
        return (
            f"{self.rate:.1%}, standard error {self.standard_error:.1%}, {self.confidence:.0%} interval "
            f"{self.low:.1%} to {self.high:.1%} ({self.n_resamples} resamplings)"
        )


@dataclass(frozen=True)
class PairedTests:
    """Two-sided paired tests of whether two models are equally close to the data.

    Attributes
    ----------
    by, first, second : str
        The metric and the models.
    n : int
        Number of systems.
    mean_difference, median_difference : float
        Of the first model's value less the second's, over the systems.
    wilcoxon_p : float
        p-value of the signed-rank test (Wilcoxon 1945).
    permutation_p : float
        p-value of the mean difference when the models are swapped at random within each system.
    binomial_p : float
        p-value of the number of wins against a fair coin, without ties.
    """

    by: str
    first: str
    second: str
    n: int
    mean_difference: float
    median_difference: float
    wilcoxon_p: float
    permutation_p: float
    binomial_p: float

    def __str__(self) -> str:
        return (
            f"{self.by}, {self.first} − {self.second}: median {self.median_difference:.3g}, mean "
            f"{self.mean_difference:.3g}; p = {self.wilcoxon_p:.2g} (signed ranks), {self.permutation_p:.2g} "
            f"(permutations of the mean), {self.binomial_p:.2g} (wins)"
        )


def wins(
    result: xr.Dataset,
    first: Label,
    second: Label,
    *,
    by: str = "chi2_red",
    along: str = "model",
    margin: float = 0.0,
    relative: float = 0.0,
) -> Wins:
    """Count the systems that each of two models wins.

    Parameters
    ----------
    result : Dataset
        Of a fit, or of a sweep that kept the values of its systems, at one point of its grid.
    first, second : str or float
        Two of its models; or two values of the axis `along`.
    by : str
        The metric to compare: one whose smaller value wins, such as ``chi2_red``, ``rms``, ``aic`` or ``bic``, or
        ``loglike``, whose larger value wins.
    along : str
        The dimension in which the two differ, such as ``window`` in a sweep of one kernel.
    margin : float
        Largest difference that counts as a tie, in the unit of the metric. For ``aic`` and ``bic`` two is usual: less
        is hardly evidence (Burnham & Anderson 2002, §2.6).
    relative : float
        The same as a fraction of the second model's value: 0.05 makes ties where first/second is within 0.05 of 1 (main
        §4.1.1).

    Raises
    ------
    SpecError
        For an unknown model or metric, a metric that is best at zero or one, and a result without values of each
        system, or with more than one grid point.
    """
    _, _, signs = _compared(result, first, second, by=by, along=along, margin=margin, relative=relative)
    first_wins, second_wins, ties = (int((signs == sign).sum()) for sign in (-1.0, 1.0, 0.0))
    return Wins(by, str(first), str(second), first_wins, second_wins, ties, float(margin), float(relative))


def bootstrap_win_rate(
    result: xr.Dataset,
    first: Label,
    second: Label,
    *,
    by: str = "chi2_red",
    along: str = "model",
    margin: float = 0.0,
    relative: float = 0.0,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    seed: int = 0,
) -> WinRate:
    """Estimate the uncertainty of the win rate of `wins` by resampling the systems (`scipy.stats.bootstrap`).

    The parameters up to ``relative`` are those of `wins`; ``seed`` is that of the random numbers.

    Raises
    ------
    SpecError
        As `wins`, and for fewer than two systems.
    """
    from scipy.stats import bootstrap

    _, _, signs = _compared(result, first, second, by=by, along=along, margin=margin, relative=relative, fewest=2)
    shares = 0.5 * (1.0 - signs)
    # With the same share everywhere the interval has no width, of which scipy warns.
    if np.ptp(shares) == 0.0:
        return WinRate(float(shares[0]), 0.0, float(shares[0]), float(shares[0]), confidence, n_resamples)
    found = bootstrap(
        (shares,),
        np.mean,
        n_resamples=n_resamples,
        confidence_level=confidence,
        method="percentile",
        rng=random_numbers(seed),
    )
    low, high = (float(end) for end in found.confidence_interval)
    return WinRate(float(shares.mean()), float(found.standard_error), low, high, confidence, n_resamples)


def paired_tests(
    result: xr.Dataset,
    first: Label,
    second: Label,
    *,
    by: str = "chi2_red",
    along: str = "model",
    margin: float = 0.0,
    relative: float = 0.0,
    n_resamples: int = 9999,
    seed: int = 0,
) -> PairedTests:
    """Test whether two models are equally close to the data (`scipy.stats`: wilcoxon, permutation_test, binomtest).

    The parameters up to ``relative`` are those of `wins`; the others are of the permutations.

    Raises
    ------
    SpecError
        As `wins`, and for fewer than two systems.
    """
    from scipy.stats import binomtest, permutation_test, wilcoxon

    a, b, signs = _compared(result, first, second, by=by, along=along, margin=margin, relative=relative, fewest=2)
    decided = int((signs != 0).sum())
    shuffled = permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        rng=random_numbers(seed),
    )
    return PairedTests(
        by=by,
        first=str(first),
        second=str(second),
        n=a.size,
        mean_difference=float((a - b).mean()),
        median_difference=float(np.median(a - b)),
        wilcoxon_p=float(wilcoxon(a, b).pvalue) if decided else 1.0,
        permutation_p=float(shuffled.pvalue),
        binomial_p=float(binomtest(int((signs < 0).sum()), decided).pvalue) if decided else 1.0,
    )


def _compared(
    result: xr.Dataset,
    first: Label,
    second: Label,
    *,
    by: str,
    along: str,
    margin: float,
    relative: float,
    fewest: int = 0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a metric of two models where both have it, and −1 where the first wins, 1 the second, 0 for a tie."""
    values = _of_systems(result, by, along)
    known = values[along].values.tolist()
    for name in (first, second):
        if name not in known:
            hint = did_you_mean(name, map(str, known))
            raise SpecError(f"there is no {along} {name!r} in the result", where=along, hint=hint)
    a, b = (
        np.atleast_1d(values.isel({along: known.index(name)}).values.astype(np.float64)) for name in (first, second)
    )
    finite = np.isfinite(a) & np.isfinite(b)
    if finite.sum() < fewest:
        raise SpecError("too few systems to resample", where=by, found=f"{finite.sum()}", expected=f"at least {fewest}")
    a, b = a[finite], b[finite]
    share = np.maximum(relative * np.abs(b), _ACCURACY * np.maximum(np.abs(a), np.abs(b)))
    tie = np.abs(a - b) <= np.maximum(margin, share)
    sign = -1.0 if values.attrs.get("best") == "largest" else 1.0
    return a, b, np.where(tie, 0.0, sign * np.sign(a - b))


def _of_systems(result: xr.Dataset, by: str, along: str) -> xr.DataArray:
    """Return a metric of each system, over `along` and the systems alone; say what is missing for that."""
    grid = [str(dim) for dim in result.dims if dim not in {*_SYSTEM_DIMS, "parameter", "parameter_"}]
    if along not in grid:
        raise SpecError(
            f"the result has no dimension {along!r}, along which the compared models lie",
            where="along",
            hint="name one of its dimensions, or ask for several models, models = {...}, in the sweep or the fit; "
            + did_you_mean(along, grid),
        )
    # A metric that is best at zero or one, such as the bias, has no winner. A fit of a sample as one has no systems.
    systems = system_dims(result)
    sided = ("smallest", "largest")
    metrics = [name for name in metric_names(result) if result[name].attrs.get("best", "smallest") in sided]
    usable = [name for name in metrics if {along, *systems} <= set(result[name].dims)]
    if not systems and "at_bound" not in result:
        hint = "keep them: keep = ['galaxy'], say, in the sweep"
        raise SpecError("the result has no values of each system to compare", where="by", found=by, hint=hint)
    if by not in usable:
        what = f"the result has no metric {by!r} of its systems of which the smallest or the largest is best"
        raise SpecError(what, where="by", hint=did_you_mean(by, usable))
    values = result[by]
    if several := [dim for dim in grid if dim != along and values.sizes.get(dim, 1) > 1]:
        raise SpecError(
            "models are compared at one point of a grid",
            where=by,
            found=", ".join(f"{values.sizes[dim]} values of {dim}" for dim in several),
            hint=f"select one first, such as result.isel({several[0]}=0)",
        )
    return values.squeeze([dim for dim in grid if dim != along and dim in values.dims])


def model_summary(result: xr.Dataset) -> xr.Dataset:
    """Summarise a fit over its systems.

    Parameters
    ----------
    result : Dataset
        Of a fit.

    Returns
    -------
    Dataset
        For each model, if there are several: the mean and median of every metric over systems, sums of ``aic`` and
        ``bic``, ``n_systems`` and ``n_converged``, and over ``parameter`` ``n_lower`` and ``n_upper``, the number of
        systems with the best value at a bound. Metrics over all points are copied.
    """
    if "at_bound" not in result:
        raise SpecError("this is not the result of a fit", where="result", hint="a sweep has its summaries itself")
    over = system_dims(result)
    content: dict[str, xr.DataArray] = {}
    for name in metric_names(result):
        array = result[name]
        if not set(over) <= set(array.dims):
            content[name] = array
            continue
        reductions = {"sum": "summed"} if name in ("aic", "bic") else {"mean": "mean", "median": "median"}
        for reduction, text in reductions.items():
            reduced = getattr(array, reduction)(over)
            long_name = f"{array.attrs['long_name']}, {text} over systems"
            content[f"{name}_{reduction}"] = reduced.assign_attrs({**array.attrs, "long_name": long_name})
    at_bound = result["at_bound"]
    meanings = at_bound.attrs["flag_meanings"].split()
    counts = {
        "n_systems": ("with a fit", result["rms"].notnull()),
        "n_converged": ("whose fit converged", result["converged"]),
        "n_lower": ("at the lower bound", at_bound == meanings.index("lower")),
        "n_upper": ("at the upper bound", at_bound == meanings.index("upper")),
    }
    for name, (which, counted) in counts.items():
        # xarray hands the unit of what was compared on to the counts.
        content[name] = counted.sum(over).drop_attrs().assign_attrs(about(f"number of systems {which}"))
    return xr.Dataset(content)


def system_dims(result: xr.Dataset) -> list[str]:
    """Return the dimension of the systems of a result; none where a sample was fitted as one, or none were kept."""
    return [str(dim) for dim in result.dims if dim in _SYSTEM_DIMS]


def metric_names(result: xr.Dataset) -> list[str]:
    """Return the names of the metrics of a result, and of the information criteria of a fit."""
    return [str(name) for name, array in result.data_vars.items() if "best" in array.attrs or name in ("aic", "bic")]
