"""Prior densities of the parameters of a grid: uniform, log-uniform, normal, log-normal."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sigcube.errors import SpecError, did_you_mean, shown

__all__ = [
    "LogNormal",
    "LogUniform",
    "Normal",
    "Prior",
    "Uniform",
    "log_uniform",
    "lognormal",
    "normal",
    "read_prior",
    "uniform",
]

FloatArray = npt.NDArray[np.float64]

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
_LN_10 = math.log(10.0)


class Prior(Protocol):
    """The prior density of one parameter."""

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return ln π at values of the parameter, per unit of it; −∞ where it is zero. Any shape."""

    def mass(self, low: float, high: float) -> float:
        """Return the probability of a value between two."""


@dataclass(frozen=True)
class Uniform:
    """A prior that is constant between two ends, and zero outside."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check("uniform", self.low < self.high, self, "low < high")

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return ln 1/(high − low) within the ends."""
        return np.where(_within(values, self.low, self.high), -math.log(self.high - self.low), -np.inf)

    def mass(self, low: float, high: float) -> float:
        """Return the probability of a value between two."""
        return max(0.0, min(high, self.high) - max(low, self.low)) / (self.high - self.low)

    def __str__(self) -> str:
        return _text("uniform", self)


@dataclass(frozen=True)
class LogUniform:
    """A prior that is uniform in the logarithm, between two ends above zero (Jeffreys 1946, of a scale)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check("log_uniform", 0.0 < self.low < self.high, self, "0 < low < high")

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return ln 1/(x ln(high/low)) within the ends."""
        inside = _within(values, self.low, self.high)
        logs = np.log(np.where(inside, values, 1.0))
        return np.where(inside, -logs - math.log(math.log(self.high / self.low)), -np.inf)

    def mass(self, low: float, high: float) -> float:
        """Return the probability of a value between two."""
        low, high = max(low, self.low), min(high, self.high)
        return math.log(high / low) / math.log(self.high / self.low) if low < high else 0.0

    def __str__(self) -> str:
        return _text("log_uniform", self)


@dataclass(frozen=True)
class Normal:
    """A normal prior with a mean and a standard deviation, both in the parameter's unit."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check("normal", self.sd > 0.0, self, "a standard deviation above zero")

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return −½((x − mean)/sd)² − ln(sd √2π)."""
        x = (np.asarray(values, dtype=np.float64) - self.mean) / self.sd
        return np.asarray(-0.5 * x * x - _HALF_LOG_2_PI - math.log(self.sd))

    def mass(self, low: float, high: float) -> float:
        """Return the probability of a value between two."""
        return _normal_mass((low - self.mean) / self.sd, (high - self.mean) / self.sd)

    def __str__(self) -> str:
        return _text("normal", self)


@dataclass(frozen=True)
class LogNormal:
    """A prior that is normal in log₁₀ x, about a median, with a standard deviation in dex."""

    median: float
    dex: float

    def __post_init__(self) -> None:
        _check("lognormal", self.median > 0.0 and self.dex > 0.0, self, "a median and a width in dex, both above zero")

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return −½(log₁₀(x/median)/dex)² − ln(x ln(10) dex √2π)."""
        given = np.asarray(values, dtype=np.float64)
        logs = np.log(np.where(given > 0.0, given, 1.0))
        x = (logs - math.log(self.median)) / (self.dex * _LN_10)
        density = -0.5 * x * x - _HALF_LOG_2_PI - math.log(self.dex * _LN_10) - logs
        return np.where(given > 0.0, density, -np.inf)

    def mass(self, low: float, high: float) -> float:
        """Return the probability of a value between two."""
        low, high = ((math.log10(end / self.median) / self.dex if end > 0 else -math.inf) for end in (low, high))
        return _normal_mass(low, high)

    def __str__(self) -> str:
        return _text("lognormal", self)


def uniform(low: float, high: float) -> Uniform:
    """Return a prior that is uniform between two ends.

    Examples
    --------
    >>> print(uniform(0.2, 0.8))
    uniform(0.2, 0.8)
    """
    return Uniform(*_numbers(low=low, high=high))


def log_uniform(low: float, high: float) -> LogUniform:
    """Return a prior that is uniform in the logarithm, between two ends above zero."""
    return LogUniform(*_numbers(low=low, high=high))


def normal(mean: float, sd: float) -> Normal:
    """Return a normal prior with a mean and a standard deviation, in the unit of the axis."""
    return Normal(*_numbers(mean=mean, sd=sd))


def lognormal(median: float, dex: float) -> LogNormal:
    """Return a prior that is normal in log₁₀ x, with its width in dex.

    Parameters
    ----------
    median : float
        In the unit of the axis. Half of the probability lies below it.
    dex : float
        Standard deviation of log₁₀ x, not of ln x: 0.1 for the mass-to-light ratios of Li, Lelli, McGaugh & Schombert
        2018 (A&A 615, A3, §2), which is a factor of 1.26 either way.

    Examples
    --------
    >>> print(lognormal(0.5, 0.1))
    lognormal(0.5, 0.1)
    >>> f"{lognormal(0.5, 0.1).mass(0.5 / 10**0.1, 0.5 * 10**0.1):.4f}"
    '0.6827'
    """
    return LogNormal(*_numbers(median=median, dex=dex))


_FORMS: Mapping[str, Callable[[float, float], Prior]] = {
    "uniform": uniform,
    "log_uniform": log_uniform,
    "normal": normal,
    "lognormal": lognormal,
}


def read_prior(text: str, *, where: str = "prior") -> Prior:
    """Read a prior as it is printed, ``lognormal(0.5, 0.1)``, or as a command takes it, ``lognormal:0.5,0.1``.

    Raises
    ------
    SpecError
        For an unknown form, and for anything but two numbers.

    Examples
    --------
    >>> read_prior("lognormal:0.5,0.1") == read_prior("lognormal(0.5, 0.1)")
    True
    """
    found = re.fullmatch(r"\s*(\w+)\s*(?::|\()\s*([^,()]+),([^,()]+?)\)?\s*", text)
    if not found:
        raise SpecError("this is no prior", where=where, found=shown(text), expected="such as lognormal:0.5,0.1")
    form, *given = found.groups()
    if form not in _FORMS:
        raise SpecError(f"there is no prior {form!r}", where=where, hint=did_you_mean(form, _FORMS))
    try:
        first, second = map(float, given)
    except ValueError:
        raise SpecError("a prior is given by two numbers", where=where, found=shown(text)) from None
    return _FORMS[form](first, second)


def _within(values: Any, low: float, high: float) -> npt.NDArray[np.bool_]:
    # Values of a linspace differ from what one types in the last digit.
    slack = 1e-9 * (high - low)
    return np.asarray((np.asarray(values) >= low - slack) & (np.asarray(values) <= high + slack))


def _normal_mass(low: float, high: float) -> float:
    from scipy.special import ndtr

    # In the upper tail, differences between lower ones would round to nothing.
    return float(ndtr(-low) - ndtr(-high)) if low > 0 else float(ndtr(high) - ndtr(low))


def _numbers(**given: Any) -> tuple[float, ...]:
    found = []
    for name, each in given.items():
        try:
            found.append(float(each))
        except (TypeError, ValueError, OverflowError):
            raise SpecError(f"the {name} of a prior is a number", where="prior", found=shown(each)) from None
    return tuple(found)


def _text(form: str, prior: Any) -> str:
    return f"{form}({', '.join(f'{each!r}' for each in astuple(prior))})"


def _check(form: str, holds: bool, prior: Any, expected: str) -> None:
    if not (holds and all(math.isfinite(each) for each in astuple(prior))):
        raise SpecError("this is no prior", where="prior", found=_text(form, prior), expected=expected)
