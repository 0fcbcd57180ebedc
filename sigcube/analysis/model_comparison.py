"""Comparison of models on the systems that both were fitted to: wins, bootstrap, paired tests, summaries."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

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
        Values that differ by no more than ``margin``, or than the share ``relative`` of the second, are a tie; so are
        values that differ by no more than a millionth, the accuracy of the minima.
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
            f"{self.rate:.1%} ± {self.standard_error:.1%}, {self.confidence:.0%} interval "
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
    result: xr.Dataset, first: str, second: str, *, by: str = "chi2_red", margin: float = 0.0, relative: float = 0.0
) -> Wins:
    """Count the systems that each of two models wins.

    Parameters
    ----------
    result : Dataset
        Of a fit, with the dimension ``model`` and one of systems.
    first, second : str
        Two of its models.
    by : str
        The metric that is compared, such as ``chi2_red``, ``rms``, ``aic`` or ``bic``; the smaller value wins.
    margin : float
        Difference up to which it is a tie, in the unit of the metric. For ``aic`` and ``bic`` two is usual: less is
        hardly evidence (Burnham & Anderson 2002, §2.6).
    relative : float
        The same as a share of the second model's value: 0.05 for ties where |first/second − 1| ≤ 0.05 (main §4.1.1).

    Raises
    ------
    SpecError
        For a model or a metric that the result does not have, or a metric of which the smallest value is not best.
    """
    _, _, signs = _compared(result, first, second, by, margin, relative)
    first_wins, second_wins, ties = (int((signs == sign).sum()) for sign in (-1.0, 1.0, 0.0))
    return Wins(by, first, second, first_wins, second_wins, ties, float(margin), float(relative))


def bootstrap_win_rate(
    result: xr.Dataset,
    first: str,
    second: str,
    *,
    by: str = "chi2_red",
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

    _, _, signs = _compared(result, first, second, by, margin, relative, fewest=2)
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
        rng=np.random.default_rng(seed),
    )
    low, high = (float(end) for end in found.confidence_interval)
    return WinRate(float(shares.mean()), float(found.standard_error), low, high, confidence, n_resamples)


def paired_tests(
    result: xr.Dataset,
    first: str,
    second: str,
    *,
    by: str = "chi2_red",
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

    a, b, signs = _compared(result, first, second, by, margin, relative, fewest=2)
    decided = int((signs != 0).sum())
    shuffled = permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        rng=np.random.default_rng(seed),
    )
    return PairedTests(
        by=by,
        first=first,
        second=second,
        n=a.size,
        mean_difference=float((a - b).mean()),
        median_difference=float(np.median(a - b)),
        wilcoxon_p=float(wilcoxon(a, b).pvalue) if decided else 1.0,
        permutation_p=float(shuffled.pvalue),
        binomial_p=float(binomtest(int((signs < 0).sum()), decided).pvalue) if decided else 1.0,
    )


def _compared(
    result: xr.Dataset, first: str, second: str, by: str, margin: float, relative: float, *, fewest: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a metric of two models where both have it, and −1 where the first wins, 1 the second, 0 for a tie."""
    models = [str(name) for name in np.atleast_1d(result["model"].values)]
    for name in (first, second):
        if name not in models or "model" not in result.dims:
            what = f"the fit has no model {name!r} among several"
            raise SpecError(what, where="model", hint=did_you_mean(name, models))
    dims = ("model", *system_dims(result))
    # A metric that is best at zero or one, such as the bias, has no winner.
    usable = [
        name
        for name in metric_names(result)
        if result[name].dims == dims and result[name].attrs.get("best", "smallest") == "smallest"
    ]
    if by not in usable:
        what = f"the fit has no metric {by!r} of its systems of which the smallest is best"
        raise SpecError(what, where="by", hint=did_you_mean(by, usable))
    a, b = (np.atleast_1d(result[by].sel(model=name).values.astype(np.float64)) for name in (first, second))
    finite = np.isfinite(a) & np.isfinite(b)
    if finite.sum() < fewest:
        raise SpecError("too few systems to resample", where=by, found=f"{finite.sum()}", expected=f"at least {fewest}")
    a, b = a[finite], b[finite]
    share = np.maximum(relative * np.abs(b), _ACCURACY * np.maximum(np.abs(a), np.abs(b)))
    tie = np.abs(a - b) <= np.maximum(margin, share)
    return a, b, np.where(tie, 0.0, np.sign(a - b))


def model_summary(result: xr.Dataset) -> xr.Dataset:
    """Summarise a fit over its systems.

    Parameters
    ----------
    result : Dataset
        Of a fit.

    Returns
    -------
    Dataset
        For each model, if there are several: mean and median over systems of every metric, sums of ``aic`` and ``bic``,
        ``n_systems`` and ``n_converged``, and ``n_lower`` and ``n_upper``, the number of systems whose best value is at
        a bound, over ``parameter``. Metrics over all points are copied.
    """
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
        attrs = {"long_name": f"number of systems {which}", "source": "sigcube"}
        content[name] = counted.sum(over).assign_attrs(attrs)
    return xr.Dataset(content)


def system_dims(result: xr.Dataset) -> list[str]:
    """Return the dimension of the systems of a fit; none where a sample was fitted as one."""
    return [str(dim) for dim in result["n_points"].dims if dim != "model"]


def metric_names(result: xr.Dataset) -> list[str]:
    """Return the names of the metrics of a fit, and of its information criteria."""
    return [str(name) for name, array in result.data_vars.items() if "best" in array.attrs or name in ("aic", "bic")]
