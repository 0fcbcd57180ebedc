"""One number from the values of many systems."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import SpecError, did_you_mean

__all__ = ["STATISTICS", "reduce"]

FloatArray = npt.NDArray[np.float64]

#: Statistics that need nothing but the values; those of them that are NaN are left out.
STATISTICS: Mapping[str, Callable[[FloatArray], Any]] = MappingProxyType(
    {
        "count": np.size,
        "sum": np.sum,
        "mean": np.mean,
        "median": np.median,
        "std": np.std,
        "std_sample": lambda values: np.std(values, ddof=1),
        "min": np.min,
        "max": np.max,
        "log10_std": lambda values: np.std(np.log10(values)),
        "log10_mean": lambda values: np.mean(np.log10(values)),
        "rms": lambda values: np.sqrt(np.mean(values * values)),
    }
)
_WITH_ENDS = ("fraction", "number")


def reduce(values: Any, statistic: str, *, within: Sequence[float] | None = None, percentile: float = 50.0) -> float:
    """Reduce the finite values of an array to one number.

    The statistic is one of `STATISTICS`, ``percentile``, or ``fraction`` or ``number`` of the values within two ends,
    both included.

    Examples
    --------
    >>> reduce([0.5, 1.0, 3.0, float("nan")], "median"), reduce([0.5, 1.0, 3.0], "number", within=[0.5, 2.0])
    (1.0, 2.0)
    """
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    known = (*STATISTICS, "percentile", *_WITH_ENDS)
    if statistic not in known:
        raise SpecError(f"there is no statistic {statistic!r}", where="statistic", hint=did_you_mean(statistic, known))
    if not finite.size and statistic not in ("count", "number", "sum"):
        raise SpecError("there is no finite value to reduce", where="statistic", found=statistic)
    if statistic == "percentile":
        return float(np.percentile(finite, percentile))
    if statistic in _WITH_ENDS:
        if within is None or len(within) != 2:
            raise SpecError(f"{statistic} needs two ends", where="within", found=repr(within), expected="[low, high]")
        inside = float(((finite >= within[0]) & (finite <= within[1])).sum())
        return inside / finite.size if statistic == "fraction" else inside
    return float(STATISTICS[statistic](finite))
