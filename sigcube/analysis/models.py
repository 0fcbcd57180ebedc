"""Models held against each other on the systems that both were fitted to: wins, ties, bootstrap and paired tests."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError, did_you_mean

__all__ = ["PairedTests", "WinRate", "Wins", "bootstrap_win_rate", "model_summary", "paired_tests", "wins"]

FloatArray = npt.NDArray[np.float64]

# Minima are polished to better than this share of their value; what differs by less is equal.
_ACCURACY = 1e-6

_MODEL = "model"


@dataclass(frozen=True)
class Wins:
    """How often one model is nearer to the data than another.

    Attributes
    ----------
    by : str
        The figure compared; the smaller wins.
    first, second : str
        The models.
    first_wins, second_wins, ties : int
        Number of systems.
    margin, relative : float
        Figures that differ by no more than the margin, or that share of the second, are a tie; so are those that differ
        by no more than 1e-6 of their size, which is what the polishing of minima leaves.
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
        """Number of systems for which both have the figure."""
        return self.first_wins + self.second_wins + self.ties

    @property
    def rate(self) -> float:
        """Fraction of the systems that the first wins, ties counted by half."""
        return (self.first_wins + 0.5 * self.ties) / self.n if self.n else float("nan")

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.first} against {self.second} by {self.by}: {self.first_wins} : {self.second_wins}, "
            f"{self.ties} ties, {self.rate:.1%}"
        )


@dataclass(frozen=True)
class WinRate:
    """A win rate and what resampling the systems makes of it.

    Attributes
    ----------
    rate : float
        Of the first model, ties counted by half.
    standard_error : float
        Standard deviation of the bootstrap distribution.
    low, high : float
        Ends of the interval, by percentiles.
    confidence : float
        Its level.
    n_resamples : int
        Number of resamplings.
    """

    rate: float
    standard_error: float
    low: float
    high: float
    confidence: float
    n_resamples: int

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.rate:.1%} ± {self.standard_error:.1%}, {self.confidence:.0%} interval "
            f"{self.low:.1%} to {self.high:.1%} ({self.n_resamples} resamplings)"
        )


@dataclass(frozen=True)
class PairedTests:
    """Two-sided tests of whether two models are equally near to the data, system by system.

    Attributes
    ----------
    by, first, second : str
        What was compared: the figure of the first model less that of the second.
    n : int
        Number of systems.
    mean_difference, median_difference : float
        Over the systems.
    wilcoxon_p : float
        Signed ranks of the differences (Wilcoxon 1945).
    permutation_p : float
        Mean difference when the models change places at random within each system.
    binomial_p : float
        Number of wins against a fair coin, ties left out.
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
        """Say it in a line."""
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
        The figure that is to be small: ``chi2_red``, ``rms``, ``aic`` or ``bic``, say.
    margin : float
        Difference up to which it is a tie, in the unit of the figure. For ``aic`` and ``bic`` two is usual: less is
        hardly evidence (Burnham & Anderson 2002, §2.6).
    relative : float
        The same as a share of the second model's figure: 0.05 for ties where |first/second − 1| ≤ 0.05 (main §4.1.1).

    Raises
    ------
    SpecError
        For a model or a figure that the result does not have, or a figure of which the smallest is not best.
    """
    a, b = _pairs(result, first, second, by)
    signs = _signs(a, b, margin, relative)
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
    """Resample the systems, to say how far the win rate of `wins` is from chance (`scipy.stats.bootstrap`).

    Raises
    ------
    SpecError
        As `wins`, and for fewer than two systems.
    """
    from scipy.stats import bootstrap

    shares = 0.5 * (1.0 - _signs(*_pairs(result, first, second, by, fewest=2), margin, relative))
    # An interval of the same share everywhere has no width, which scipy warns of.
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
    """Test whether two models are equally near to the data (`scipy.stats`: wilcoxon, permutation_test, binomtest).

    Raises
    ------
    SpecError
        As `wins`, and for fewer than two systems.
    """
    from scipy.stats import binomtest, permutation_test, wilcoxon

    a, b = _pairs(result, first, second, by, fewest=2)
    signs = _signs(a, b, margin, relative)
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
        a bound, over ``parameter``. Metrics over all points are kept.
    """
    over = _system_dims(result)
    content: dict[str, xr.DataArray] = {}
    for name in _figures(result):
        array = result[name]
        if not set(over) <= set(array.dims):
            content[name] = array
        elif name in ("aic", "bic"):
            content[f"{name}_sum"] = _told(array.sum(over), array, "summed over systems")
        else:
            content[f"{name}_mean"] = _told(array.mean(over), array, "mean over systems")
            content[f"{name}_median"] = _told(array.median(over), array, "median over systems")
    counts = {"n_systems": result["rms"].notnull().sum(over), "n_converged": result["converged"].sum(over)}
    meanings = result["at_bound"].attrs["flag_meanings"].split()
    for side in ("lower", "upper"):
        counts[f"n_{side}"] = (result["at_bound"] == meanings.index(side)).sum(over)
    for name, array in counts.items():
        content[name] = array.assign_attrs({"units": "", "long_name": _COUNTED[name], "source": "sigcube"})
    return xr.Dataset(content)


_COUNTED = {
    "n_systems": "number of systems with a fit",
    "n_converged": "number of systems whose fit converged",
    "n_lower": "number of systems at the lower bound",
    "n_upper": "number of systems at the upper bound",
}


def _told(array: xr.DataArray, source: xr.DataArray, how: str) -> xr.DataArray:
    return array.assign_attrs({**source.attrs, "long_name": f"{source.attrs['long_name']}, {how}"})


def _system_dims(result: xr.Dataset) -> list[str]:
    return [str(dim) for dim in result["n_points"].dims if dim != _MODEL]


def _figures(result: xr.Dataset) -> list[str]:
    """Name what a fit measures, the smaller the better or not."""
    return [str(name) for name, array in result.data_vars.items() if "best" in array.attrs or name in ("aic", "bic")]


def _pairs(result: xr.Dataset, first: str, second: str, by: str, *, fewest: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return a figure of two models on the systems for which both have it."""
    models = [str(name) for name in np.atleast_1d(result[_MODEL].values)]
    for name in (first, second):
        if name not in models or _MODEL not in result.dims:
            raise SpecError(
                f"the fit has no model {name!r} beside others", where="model", hint=did_you_mean(name, models)
            )
    over = tuple(_system_dims(result))
    # Of what is best at zero or one, such as the bias, the smaller is not the better.
    small = [name for name in _figures(result) if result[name].attrs.get("best", "smallest") == "smallest"]
    figures = [name for name in small if result[name].dims[1:] == over]
    if by not in figures:
        what = f"the fit has no figure {by!r} of its systems of which the smallest is best"
        raise SpecError(what, where="by", hint=did_you_mean(by, figures))
    a, b = (np.atleast_1d(result[by].sel({_MODEL: name}).values.astype(np.float64)) for name in (first, second))
    there = np.isfinite(a) & np.isfinite(b)
    if there.sum() < fewest:
        raise SpecError("too few systems to resample", where=by, found=f"{there.sum()}", expected=f"at least {fewest}")
    return a[there], b[there]


def _signs(a: FloatArray, b: FloatArray, margin: float, relative: float) -> FloatArray:
    """Return −1 where the first wins, 1 where the second does, and 0 for a tie."""
    share = np.maximum(relative * np.abs(b), _ACCURACY * np.maximum(np.abs(a), np.abs(b)))
    tie = np.abs(a - b) <= np.maximum(margin, share)
    return np.where(tie, 0.0, np.sign(a - b))
