"""Log-likelihoods of a result, read in parts, and their sums over a grid with a prior, by log-sum-exp in float64."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import improve, summaries, summary_of
from sigcube.analysis.labelled import (
    check_result,
    count_by_status,
    flat_numbers,
    grid_dims,
    kept_values,
    loaded,
    parts,
    system_dim,
)
from sigcube.analysis.prior_weights import AxisPrior
from sigcube.errors import SpecError, shown
from sigcube.plan.values import PointStatus
from sigcube.wording import listed

__all__ = ["KEPT_AS", "GridSums", "Likelihood", "likelihood_of", "nothing_possible"]

FloatArray = npt.NDArray[np.float64]

#: An attribute of ln L: the dtype in which the values behind it were kept.
KEPT_AS = "kept_as"

# Values that are read at a time.
_PART = 2**21


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The ln L of a result over its grid.

    Attributes
    ----------
    array : DataArray
        ln L of each system, or of all together; lazy if the result is.
    dim : str or None
        The dimension of systems; None if the array is of all together.
    """

    array: xr.DataArray
    dim: str | None

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths of the grid's dimensions."""
        return {dim: self.array.sizes[dim] for dim in grid_dims(self.array)}

    @property
    def systems(self) -> list[str]:
        """Names of the systems; empty if the array is of all together."""
        return [] if self.dim is None else [str(name) for name in self.array[self.dim].values]

    def parts(self) -> Iterator[tuple[dict[str, slice], FloatArray]]:
        """Yield parts of the grid, with ln L there in float64, shape ``(n_systems or 1, …)``."""
        whole = () if self.dim is None else (self.dim,)
        for part in parts(self.array, whole=whole, size=_PART):
            piece = loaded(self.array.isel(part)).drop_encoding()
            # A chunk of the store may be larger than a part.
            for own in parts(piece, whole=whole, size=_PART):
                small = piece.isel(own).transpose(*whole, ...).values
                values = np.array(small if whole else small[np.newaxis], dtype=np.float64)
                starts = {dim: part[dim].start for dim in self.sizes}
                yield {dim: slice(own[dim].start + n, own[dim].stop + n) for dim, n in starts.items()}, values

    def rounding(self, place: Mapping[str, Any]) -> float:
        """Return the standard error of ln L of all systems at a place due to how the values are stored."""
        values = np.abs(self.array.isel(place).values)
        # An integral over nuisances is no more exact than the values behind it.
        last = np.spacing(values.astype(self.array.attrs.get(KEPT_AS, values.dtype))).astype(np.float64)
        return float(np.sqrt((last**2).sum() / 12.0))


def likelihood_of(result: xr.Dataset, by: str, *, systems: bool = False) -> Likelihood:
    """Return the ln L of a result: of each system, or of all together if those of systems were not kept.

    Parameters
    ----------
    result : Dataset
        Of a sweep, or of `sigcube.analysis.marginalise`.
    by : str
        The metric of systems that is ln L.
    systems : bool
        Whether the values of each system are needed.

    Raises
    ------
    SpecError
        For a metric that is unknown or is not ln L, for values of systems that are needed but were not kept, and for a
        result with points that failed or are still to do.
    """
    check_result(result)
    if not isinstance(by, str):
        raise SpecError("a metric is asked for by its name", where="by", found=shown(by), expected="such as 'loglike'")
    _check_finished(result)
    kept = by in result and system_dim(result[by]) is not None
    total = f"{by}_sum"
    if kept or systems or total not in summaries(result):
        array = summary_of(result, by) if by in summaries(result) and not systems else kept_values(result, by)
        found = Likelihood(array, system_dim(array))
    else:
        found = Likelihood(summary_of(result, total), None)
    if found.array.attrs.get("best", "largest") != "largest" or found.array.dtype.kind != "f":
        hint = "sweep with metrics = ['loglike']"
        raise SpecError(f"{by!r} is no logarithm of a likelihood", where="by", hint=hint)
    return found


def nothing_possible(likelihood: Likelihood) -> SpecError:
    """Return the error of a likelihood that is nowhere finite, naming the systems responsible."""
    there = np.zeros(len(likelihood.systems), dtype=np.bool_)
    for _, values in likelihood.parts() if likelihood.systems else ():
        there |= np.isfinite(values.reshape(len(values), -1)).any(axis=1)
    lacking = [name for name, found in zip(likelihood.systems, there, strict=True) if not found]
    if not lacking or len(lacking) == len(there):
        hint = "the result's status tells why; where all is done, `sigcube verify` tells whether its files are damaged"
    else:
        hint = f"{listed(lacking)} have none of their own: leave them out with sigcube.analysis.reselect"
    return SpecError("no grid point has a finite likelihood", where="by", hint=hint)


def _check_finished(result: xr.Dataset) -> None:
    """Refuse an unfinished result: what is not computed yet would count as impossible."""
    counts = count_by_status(result)
    lacking = {s.word: counts[s] for s in (PointStatus.TODO, PointStatus.FAILED, PointStatus.KILLED) if counts[s]}
    if lacking:
        raise SpecError(
            "the result is not whole: its integrals would leave out what has no value yet",
            where="status",
            found=", ".join(f"{n:,} grid points {word}" for word, n in lacking.items()),
            hint="give the same sweep again, with --retry-failed if blocks failed, or select a part that is whole",
        )


class GridSums:
    """Sums of exp(values) × prior over a grid, for several arrays at once, added part by part.

    Parameters
    ----------
    n : int
        Number of arrays.
    priors : Mapping
        The prior along each dimension of the grid, in its order.
    along : sequence of tuple of str
        The dimensions, or pairs of them, along which to keep sums as well.
    """

    def __init__(self, n: int, priors: Mapping[str, AxisPrior], *, along: Sequence[tuple[str, ...]] = ()) -> None:
        self._priors, self._sizes = dict(priors), [len(each.values) for each in priors.values()]
        dims = [*priors]
        self._axes = {names: tuple(1 + dims.index(name) for name in names) for names in along}
        #: The largest value so far, prior included; sums are of exp(value − top). Shape ``(n,)``.
        self.top = np.full(n, -np.inf)
        self.total = np.zeros(n)
        self.sums = {
            names: np.zeros((n, *(self._sizes[axis - 1] for axis in axes))) for names, axes in self._axes.items()
        }
        #: Number of grid points whose value is not finite, and where the posterior is largest.
        self.n_invalid = np.zeros(n, dtype=np.int64)
        self.best = np.full(n, -1, dtype=np.int64)
        self._least = np.full(n, np.inf)

    def add_possible(self, place: Mapping[str, slice], values: FloatArray) -> None:
        """Add the points of a part that the priors allow; its values are left as they are."""
        found: dict[str, Any] = {}
        for dim, prior in self._priors.items():
            found[dim] = np.flatnonzero(np.isfinite(prior.log_density[place[dim]])) + place[dim].start
        if all(each.size for each in found.values()):
            own = [each - place[dim].start for dim, each in found.items()]
            self.add(found, values[np.ix_(np.arange(len(values)), *own)], seek=False)

    def add(self, place: Mapping[str, Any], values: FloatArray, *, seek: bool = True) -> None:
        """Add a part of the grid; its values, of shape ``(n, …)``, are overwritten."""
        n = len(values)
        invalid = ~np.isfinite(values)
        self.n_invalid += np.count_nonzero(invalid.reshape(n, -1), axis=1)
        values[invalid] = -np.inf
        for axis, (dim, prior) in enumerate(self._priors.items(), 1):
            values += _along(prior.log_density[place[dim]], axis, values.ndim)
        if seek:
            flat = values.reshape(n, -1)
            first = flat.argmax(axis=1)
            numbers = flat_numbers(first, place, self._sizes) if place else first
            improve(self._least, self.best, -flat[np.arange(n), first], np.asarray(numbers))
        for axis, (dim, prior) in enumerate(self._priors.items(), 1):
            if prior.measure is not None:
                values += _along(prior.log_measure[place[dim]], axis, values.ndim)
        top = np.maximum(self.top, values.reshape(n, -1).max(axis=1))
        # Where nothing is possible so far, there is nothing to take out.
        base = np.where(np.isfinite(top), top, 0.0)
        values -= _along(base, 0, values.ndim)
        np.exp(values, out=values)
        scale = np.exp(self.top - base)
        self.top = top
        self.total = self.total * scale + values.reshape(n, -1).sum(axis=1)
        for names, axes in self._axes.items():
            others = tuple(axis for axis in range(1, values.ndim) if axis not in axes)
            found = self.sums[names]
            found *= _along(scale, 0, found.ndim)
            there: Any = (slice(None), *(place[name] for name in names))
            found[there] += values.sum(axis=others)

    @property
    def log_total(self) -> FloatArray:
        """The ln of the sum, shape ``(n,)``; −∞ where nothing is possible."""
        with np.errstate(divide="ignore"):
            return np.where(self.total > 0, np.log(self.total) + np.where(self.total > 0, self.top, 0.0), -np.inf)

    def probabilities(self, *names: str) -> FloatArray:
        """Return the share of each value along dimensions in the sum, shape ``(n, …)``."""
        with np.errstate(invalid="ignore"):
            return self.sums[names] / _along(self.total, 0, self.sums[names].ndim)

    def best_index(self) -> dict[str, npt.NDArray[np.intp]]:
        """Return where the density is largest along each dimension, shape ``(n,)``; 0 where nothing is possible."""
        index = np.unravel_index(np.maximum(self.best, 0), self._sizes) if self._sizes else ()
        return dict(zip(self._priors, index, strict=True))


def _along(values: FloatArray, axis: int, ndim: int) -> FloatArray:
    return values.reshape([-1 if i == axis else 1 for i in range(ndim)])
