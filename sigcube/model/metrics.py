"""How far a model is from the data: sums over points, which a formula turns into a value per system or per sample.

Parts of a system, or many systems, merge by adding their sums, so that a system may be spread over many chunks. To
add a metric, add an entry to `_METRICS` with its formula, and its terms to `_TERMS` if there are new ones. A
user's own `Metric` goes into the ``metrics`` of a sweep in place of a name.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from sigcube.errors import DataError, SpecError, did_you_mean, shown
from sigcube.model import likelihood
from sigcube.model.graph import Level, Variables
from sigcube.model.record import Term
from sigcube.model.vecmath import divide, log10

__all__ = ["METRICS", "METRIC_TERMS", "Metric", "check_system_variables", "find_metrics", "sums_of", "terms_of"]

FloatArray = npt.NDArray[np.float64]

_LONGEST_NAME = 100
_Scope = Literal["system", "pooled"]
_Best = Literal["smallest", "largest", "zero", "one"]
_Statistic = Literal["sum", "mean", "median"]
_SUMMARY_ENDINGS = tuple(f"_{each}" for each in get_args(_Statistic))


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Attributes
    ----------
    name, long_name : str
        The key, and the title of an axis.
    sums : tuple of str
        The terms to sum over points, one or more: of `METRIC_TERMS`, or of `terms`.
    finish : callable
        ``finish(n, *sums, *system_variables)``, where n is the number of points, less that of fitted parameters if
        ``reduced``.
    scope : {"system", "pooled"}
        One value per system, or one over all points of the sample.
    unit : str or None
        None means the unit of the observable.
    reduced : bool
        Whether the number of fitted parameters is subtracted from n.
    best : {"smallest", "largest", "zero", "one"}
        The value of a perfect model: the smallest or largest possible, or zero or one for a metric with a sign.
    logarithm : bool
        Whether it is a logarithm, such as ln L: its differences count, and its zero means nothing.
    system_variables : tuple of str
        Variables of the cube with one value per system that `finish` takes. Not for pooled metrics.
    terms : Mapping
        Terms of this metric alone, by name; like those of a kernel, their argument names are their inputs.
    summaries : tuple of {"sum", "mean", "median"}
        The summaries of a result over all systems, as ``<name>_<statistic>``. Not for pooled metrics.
    prepare : callable or None
        Turns the arrays of the system variables into those that `finish` takes instead, as a tuple: each of shape
        ``(n_systems,)``, or ``(n_systems, m)`` for rows of m numbers. It is called once, before the loops.

    Raises
    ------
    SpecError
        For a name that another variable of a result has, no sums, a `finish` that does not take what it is given, or a
        pooled metric with system variables.
    """

    name: str
    long_name: str
    sums: tuple[str, ...]
    finish: Callable[..., float]
    scope: _Scope
    unit: str | None
    reduced: bool = False
    best: _Best = "smallest"
    logarithm: bool = False
    system_variables: tuple[str, ...] = ()
    terms: Mapping[str, Term] = field(default_factory=dict, hash=False)
    summaries: tuple[_Statistic, ...] = ("mean", "median")
    prepare: Callable[..., tuple[FloatArray, ...]] | None = None

    @property
    def summary_names(self) -> tuple[str, ...]:
        """The variables of a result about all systems or all points."""
        return (self.name,) if self.scope == "pooled" else tuple(f"{self.name}_{each}" for each in self.summaries)

    def system_inputs(self, per_system: Mapping[str, FloatArray]) -> tuple[FloatArray, ...]:
        """Return what `finish` takes of the systems, from the variables of all of them."""
        given = tuple(per_system[name] for name in self.system_variables)
        return given if self.prepare is None else self.prepare(*given)

    def __post_init__(self) -> None:
        # The name is one of a folder in the result.
        if not str(self.name).isidentifier() or len(self.name) > _LONGEST_NAME:
            expected = f"a name as Python has them, of at most {_LONGEST_NAME} letters"
            raise SpecError("a metric cannot be called so", where="metrics", found=shown(self.name), expected=expected)
        words_given = (("scope", self.scope, _Scope), ("best", self.best, _Best))
        statistics = tuple(("summary", each, _Statistic) for each in self.summaries)
        for key, given, words in (*words_given, *statistics):
            if given not in get_args(words):
                what = f"metric {self.name!r} has no {key} {given!r}"
                raise SpecError(what, where="metrics", hint=did_you_mean(given, get_args(words)))
        if self.name in ("journal", "section", "status", "win_rate") or self.name.endswith(_SUMMARY_ENDINGS):
            raise SpecError(f"a metric cannot be called {self.name!r}: results have such a variable", where="metrics")
        if not self.sums:
            what = f"metric {self.name!r} adds nothing up"
            raise SpecError(what, where="metrics", found="no sums", expected="one or more: residual_sq, say")
        self._check_arguments()
        if not self.summaries:
            raise SpecError(f"metric {self.name!r} has no summary", where="metrics", expected="mean, say")
        if self.scope == "pooled" and self.system_variables:
            raise SpecError(
                f"metric {self.name!r} is of all points, and has no variables of one system", where="metrics"
            )

    def _check_arguments(self) -> None:
        """Refuse a `finish` that cannot be called with the sums and the variables of a system."""
        names = ("n", *self.sums, *(self.system_variables if self.prepare is None else ()))
        expected = f"finish({', '.join(names)}{'' if self.prepare is None else ', …'})"
        if not inspect.isfunction(self.finish):
            what = f"metric {self.name!r}: finish is not a plain function"
            raise SpecError(what, where="metrics", found=shown(self.finish), expected=f"def {expected}")
        signature = inspect.signature(self.finish)
        try:
            # How many arguments `prepare` makes is known where it is called.
            (signature.bind if self.prepare is None else signature.bind_partial)(*names)
        except TypeError:
            what = f"metric {self.name!r}: finish does not take what the metric gives it"
            raise SpecError(what, where="metrics", found=f"finish{signature}", expected=expected) from None


def residual(predicted: float, observed: float) -> float:
    """Δ = prediction − observation."""
    return predicted - observed


def residual_sq(residual: float) -> float:
    """Δ²."""
    return residual * residual


def pull(residual: float, error: float, error_floor: float) -> float:
    """Δ/σ with σ of at least the floor that the kind of data has."""
    return divide(residual, max(error, error_floor))


def chi_sq(pull: float) -> float:
    """(Δ/σ)²."""
    return pull * pull


def inverse_variance(error: float, error_floor: float) -> float:
    """1/σ² with σ as in a pull."""
    sigma = max(error, error_floor)
    return 1.0 / (sigma * sigma)


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


_TERMS = (residual, residual_sq, pull, chi_sq, inverse_variance, log_ratio, log_ratio_sq, log_v_ratio_sq, ratio)

#: The terms that metrics add up, and the terms behind them.
METRIC_TERMS: Mapping[str, Term] = MappingProxyType({term.__name__: term for term in _TERMS})


def mean(n: float, total: float) -> float:
    """Σ x / n."""
    return divide(total, n)


def itself(n: float, total: float) -> float:
    """Σ x."""
    return total


def root_mean_square(n: float, total_sq: float) -> float:
    """√(Σ x² / n)."""
    return np.sqrt(divide(total_sq, n))


def weighted_root_mean_square(n: float, total_sq: float, total_weight: float) -> float:
    """√(Σ w x² / Σ w)."""
    return np.sqrt(total_sq / total_weight)


def standard_deviation(n: float, total: float, total_sq: float) -> float:
    """√(⟨x²⟩ − ⟨x⟩²), of the population."""
    return np.sqrt(max(total_sq / n - (total / n) * (total / n), 0.0))


def standard_deviation_doubled(n: float, total: float, total_sq: float) -> float:
    """2 √(⟨x²⟩ − ⟨x⟩²): g goes as V²."""
    return 2.0 * np.sqrt(max(total_sq / n - (total / n) * (total / n), 0.0))


def root_mean_square_doubled(n: float, total_sq: float) -> float:
    """2 √⟨x²⟩: g goes as V²."""
    return 2.0 * np.sqrt(total_sq / n)


_LOG, _LOG_SQ = "log_ratio", "log_ratio_sq"
_LOG_V, _LOG_V_SQ = "log_v_ratio", "log_v_ratio_sq"
_METRICS = (
    Metric("rms", "RMS residual", ("residual_sq",), root_mean_square, "system", None),
    Metric(
        "rms_weighted",
        "RMS residual, weighted by 1/σ²",
        ("chi_sq", "inverse_variance"),
        weighted_root_mean_square,
        "system",
        None,
    ),
    Metric("bias", "mean residual", ("residual",), mean, "system", None, best="zero"),
    Metric("chi2", "χ²", ("chi_sq",), itself, "system", ""),
    Metric("chi2_red", "reduced χ²", ("chi_sq",), mean, "system", "", reduced=True),
    Metric("ratio", "prediction/observation", ("ratio",), mean, "system", "", best="one"),
    Metric(
        "loglike",
        "ln L",
        likelihood.DEVIANCE,
        likelihood.from_deviance,
        "system",
        "",
        best="largest",
        logarithm=True,
        terms=likelihood.TERMS,
        summaries=("sum", "mean", "median"),
    ),
    # Of the scatters, the text defines scatter_g_rms and prints scatter_v.
    Metric("scatter", "scatter of log observation/prediction", (_LOG, _LOG_SQ), standard_deviation, "pooled", "dex"),
    Metric("scatter_v", "scatter of log V_obs/V_pred", (_LOG_V, _LOG_V_SQ), standard_deviation, "pooled", "dex"),
    Metric(
        "scatter_g", "scatter of log g_obs/g_pred", (_LOG_V, _LOG_V_SQ), standard_deviation_doubled, "pooled", "dex"
    ),
    Metric("scatter_g_rms", "RMS of log g_obs/g_pred", (_LOG_V_SQ,), root_mean_square_doubled, "pooled", "dex"),
)

#: Every metric, by name (main §3.5, SI §5).
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _METRICS})


def find_metrics(given: Iterable[str | Metric]) -> tuple[Metric, ...]:
    """Return metrics by name; records of the user's own pass through.

    Raises
    ------
    SpecError
        For a name that is not a metric, a repeated one, a record with the name of a registered metric, or none at all.
    """
    found: dict[str, Metric] = {}
    for each in given:
        if not isinstance(each, Metric) and (not isinstance(each, str) or each not in METRICS):
            raise SpecError(f"there is no metric {each!r}", where="metrics", hint=did_you_mean(each, METRICS))
        metric = each if isinstance(each, Metric) else METRICS[each]
        if METRICS.get(metric.name, metric) != metric:
            raise SpecError(f"there is a metric {metric.name!r} already", where="metrics", hint="choose another name")
        if metric.name in found:
            raise SpecError(f"metric {metric.name!r} is named twice", where="metrics")
        found[metric.name] = metric
    summaries = [name for metric in found.values() if metric.scope == "system" for name in metric.summary_names]
    if taken := [name for name in summaries if name in found]:
        raise SpecError(f"two variables of the result would be {taken[0]!r}", where="metrics", hint="rename the metric")
    if not found:
        raise SpecError("a sweep needs at least one metric", where="metrics", hint=did_you_mean("", METRICS))
    return tuple(found.values())


def sums_of(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the sums that metrics need, each once.

    Examples
    --------
    >>> sums_of(find_metrics(["scatter_v", "scatter_g_rms"]))
    ('log_v_ratio', 'log_v_ratio_sq')
    """
    return tuple(dict.fromkeys(name for metric in metrics for name in metric.sums))


def terms_of(metrics: Iterable[Metric]) -> dict[str, Term]:
    """Return `METRIC_TERMS` and the metrics' own terms.

    Raises
    ------
    SpecError
        For a term that is defined twice.
    """
    found = dict(METRIC_TERMS)
    for metric in metrics:
        for name, term in metric.terms.items():
            if found.setdefault(name, term) is not term:
                hint = "give that of the metric another name"
                raise SpecError(f"metric {metric.name!r}: there is a term {name!r} already", where="metrics", hint=hint)
    return found


def check_system_variables(metrics: Iterable[Metric], variables: Variables) -> None:
    """Refuse a cube without the variables that metrics read.

    Raises
    ------
    DataError
        For a variable that the cube does not have, or that has more than one value per system.
    """
    for metric in metrics:
        for name in metric.system_variables:
            if variables.level(name) is not Level.SYSTEM:
                raise DataError(
                    f"metric {metric.name!r} needs {name!r}, which the cube does not have for each system",
                    where="metrics",
                    expected=f"a variable {name!r} of systems",
                    found=", ".join(sorted(variables.systems)) or "no such variables",
                )
