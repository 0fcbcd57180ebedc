"""How far a model is from the data: sums over points, merged by addition, finished per system and over systems.

A metric is a few *sums*, each a term of predicted, observed and error, and a formula that turns the sums and the
number of points into a value. Sums over parts of a system, or over many systems, merge by addition; that is all a
metric may keep.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from sigcube.errors import SpecError, did_you_mean
from sigcube.model.record import Term
from sigcube.model.vecmath import log10

__all__ = ["METRICS", "METRIC_TERMS", "Metric", "find_metrics", "sums_of"]

Finish = Callable[..., float]
Best = Literal["smallest", "zero", "one"]


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Attributes
    ----------
    name, long_name : str
        The key, and the words for an axis title.
    sums : tuple of str
        The terms of `METRIC_TERMS` that are added up over points.
    finish : callable
        ``finish(n, *sums)``, with n the points less the fitted parameters where ``reduced``.
    scope : {"system", "pooled"}
        One value per system, or one over all points of the sample.
    unit : str or None
        None stands for the unit of the observable.
    reduced : bool
        Whether n is lessened by the number of fitted parameters.
    best : {"smallest", "zero", "one"}
        The value of a perfect model: zero, for what cannot be negative or for what can, or one.
    """

    name: str
    long_name: str
    sums: tuple[str, ...]
    finish: Finish
    scope: Literal["system", "pooled"]
    unit: str | None
    reduced: bool = False
    best: Best = "smallest"


def residual(predicted: float, observed: float) -> float:
    """Δ = prediction − observation."""
    return predicted - observed


def residual_sq(residual: float) -> float:
    """Δ²."""
    return residual * residual


def pull(residual: float, error: float, error_floor: float) -> float:
    """Δ/σ with σ of at least the floor that the kind of data has."""
    return residual / max(error, error_floor)


def chi_sq(pull: float) -> float:
    """(Δ/σ)²."""
    return pull * pull


def log_ratio(predicted: float, observed: float) -> float:
    """log₁₀(observation/prediction), dex."""
    return log10(observed / predicted)


def log_ratio_sq(log_ratio: float) -> float:
    """Square log₁₀(observation/prediction)."""
    return log_ratio * log_ratio


def log_v_ratio_sq(log_v_ratio: float) -> float:
    """Square log₁₀(V_obs/V_pred)."""
    return log_v_ratio * log_v_ratio


def ratio(predicted: float, observed: float) -> float:
    """Prediction/observation."""
    return predicted / observed


#: The terms that metrics add up, and what those are made of.
METRIC_TERMS: Mapping[str, Term] = MappingProxyType(
    {
        "residual": residual,
        "residual_sq": residual_sq,
        "pull": pull,
        "chi_sq": chi_sq,
        "log_ratio": log_ratio,
        "log_ratio_sq": log_ratio_sq,
        "log_v_ratio_sq": log_v_ratio_sq,
        "ratio": ratio,
    }
)


def mean(n: float, total: float) -> float:
    """Σ x / n."""
    return total / n


def itself(n: float, total: float) -> float:
    """Σ x."""
    return total


def root_mean_square(n: float, total_sq: float) -> float:
    """√(Σ x² / n)."""
    return np.sqrt(total_sq / n)


def standard_deviation(n: float, total: float, total_sq: float) -> float:
    """√(⟨x²⟩ − ⟨x⟩²), of the population."""
    return np.sqrt(max(total_sq / n - (total / n) * (total / n), 0.0))


def standard_deviation_doubled(n: float, total: float, total_sq: float) -> float:
    """2 √(⟨x²⟩ − ⟨x⟩²): g goes as V²."""
    return 2.0 * np.sqrt(max(total_sq / n - (total / n) * (total / n), 0.0))


def root_mean_square_doubled(n: float, total_sq: float) -> float:
    """2 √⟨x²⟩: g goes as V²."""
    return 2.0 * np.sqrt(total_sq / n)


#: Every metric, by name (main §3.5, SI §5). Of the scatters, the text defines scatter_g_rms and prints scatter_v.
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("rms", "RMS residual", ("residual_sq",), root_mean_square, "system", None),
            Metric("bias", "mean residual", ("residual",), mean, "system", None, best="zero"),
            Metric("chi2", "χ²", ("chi_sq",), itself, "system", ""),
            Metric("chi2_red", "reduced χ²", ("chi_sq",), mean, "system", "", reduced=True),
            Metric("ratio", "prediction/observation", ("ratio",), mean, "system", "", best="one"),
            Metric(
                "scatter",
                "scatter of log observation/prediction",
                ("log_ratio", "log_ratio_sq"),
                standard_deviation,
                "pooled",
                "dex",
            ),
            Metric(
                "scatter_v",
                "scatter of log V_obs/V_pred",
                ("log_v_ratio", "log_v_ratio_sq"),
                standard_deviation,
                "pooled",
                "dex",
            ),
            Metric(
                "scatter_g",
                "scatter of log g_obs/g_pred",
                ("log_v_ratio", "log_v_ratio_sq"),
                standard_deviation_doubled,
                "pooled",
                "dex",
            ),
            Metric(
                "scatter_g_rms",
                "RMS of log g_obs/g_pred",
                ("log_v_ratio_sq",),
                root_mean_square_doubled,
                "pooled",
                "dex",
            ),
        )
    }
)


def find_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Return metrics by name.

    Raises
    ------
    SpecError
        For a name that is not a metric, a repeated one, or none at all.
    """
    found: list[Metric] = []
    for name in names:
        if not isinstance(name, str) or name not in METRICS:
            raise SpecError(f"there is no metric {name!r}", where="metrics", hint=did_you_mean(name, METRICS))
        if METRICS[name] in found:
            raise SpecError(f"metric {name!r} is named twice", where="metrics")
        found.append(METRICS[name])
    if not found:
        raise SpecError("a sweep needs at least one metric", where="metrics", hint=did_you_mean("", METRICS))
    return tuple(found)


def sums_of(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the sums that metrics need, each once.

    Examples
    --------
    >>> sums_of(find_metrics(["scatter_v", "scatter_g_rms"]))
    ('log_v_ratio', 'log_v_ratio_sq')
    """
    return tuple(dict.fromkeys(name for metric in metrics for name in metric.sums))
