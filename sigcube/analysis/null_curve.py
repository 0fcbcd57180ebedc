"""A specification curve under the null hypothesis that model and reference are alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best, summary_of
from sigcube.analysis.labelled import about, axes_along, grid_dims, random_numbers, system_dim
from sigcube.analysis.roles import Names, Settled, Treatment, settle, treatment_of
from sigcube.analysis.specifications import check_summary
from sigcube.analysis.statements import repeats, statement_of
from sigcube.analysis.system_values import check_stored, rms_at, sweep_behind, system_values
from sigcube.errors import SpecError, did_you_mean
from sigcube.sweep import Sweep
from sigcube.wording import number

__all__ = ["null_curve"]

FloatArray = npt.NDArray[np.float64]
# From places and their number to the RMS under both there, and what holds summaries of these against stored ones.
_Both = Callable[[Mapping[str, Any], int], tuple[FloatArray, FloatArray, Callable[[FloatArray, FloatArray], None]]]

_SUMMARIES = ("win_rate", "rms_mean")
_CHOICES = ("again", "once")

# Values of systems that are held, specifications that are evaluated again, ranks of a curve, and null values at a time.
_MOST_VALUES = 2**27
_MOST_EVALUATED = 10**5
_MOST_RANKS = 1000
_AT_A_TIME = 2**24

_NO_RMS = "no specification has a finite RMS of each system, and of its reference"


def null_curve(
    result: xr.Dataset,
    *,
    by: str = "win_rate",
    threshold: float | None = None,
    over: Names | None = None,
    at: Mapping[str, Any] | None = None,
    profiled: Names | None = None,
    choose: Literal["again", "once"] = "again",
    n: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    sweep: Sweep | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Draw specification curves as they would be if the model were no better than the reference.

    Under the null hypothesis model and reference are exchangeable for each system: which of the two RMS is the model's
    is a coin toss. Each draw exchanges them for about half of the systems, for each system alike in all specifications,
    so that these stay as dependent as they are; and sorts the curve again. This is the test of Simonsohn+ 2020, with
    paired differences resampled by flipping signs (Fisher 1935).

    Parameters
    ----------
    result : Dataset
        Of a sweep with a reference. If it does not keep the RMS of systems, the specifications are evaluated again from
        the points in its store, each tile of the grid that holds any of them once, in this process.
    by : {"win_rate", "rms_mean"}
        The summary whose curve it is.
    threshold : float, optional
        The statement that a value is better than this; its share is then a statistic.
    over, at, profiled : optional
        Which specifications, as for `specification_curve`.
    choose : {"again", "once"}
        How draws treat axes that are held at the best point, or profiled: these were chosen by the model's own values.
        Each draw chooses again by its own values, which needs the RMS at all points of these axes; or all draws keep
        the choice, which is unfair to the null, as only the model was tuned. Axes held `at` a value are not chosen.
    n : int
        Number of draws.
    seed : int
        Seed of the random numbers.
    confidence : float
        Level of the band, at each rank.
    sweep : Sweep, optional
        As for `sigcube.analysis.reselect`.
    on_progress : callable, optional
        Called with the number of points that have been evaluated again, and their total.

    Returns
    -------
    Dataset
        Over ``rank``, up to 1,000 of the specifications from the best: the ``value`` of the curve, and ``low``,
        ``middle`` and ``high`` of the null's. Over ``statistic`` (``median`` and ``best`` of the curve, and with a
        threshold the ``share`` of specifications for which the statement holds): the ``observed`` value; ``drawn``,
        also over ``draw``; ``null_low`` and ``null_high`` of the draws; and ``p_value``, the share of draws at least as
        good, counting the observed curve as one.

    Raises
    ------
    SpecError
        For any other summary, no reference, too many specifications to hold or to evaluate, and as
        `specification_curve`.
    StoreMismatch
        If values that are evaluated again, or the reference, are not those of the result.

    References
    ----------
    Simonsohn, Simmons & Nelson 2020, Nat. Hum. Behav. 4, 1208; Fisher 1935, The Design of Experiments, §21.
    """
    _check_question(result, by=by, choose=choose, n=n, confidence=confidence)
    summary = summary_of(result, by)
    check_summary(summary)
    statement = statement_of(summary.attrs, threshold=threshold, holds=None)
    settled = settle(summary, over=over, at=at, profiled=profiled)
    # The smaller a signed value, the better.
    sign = -1.0 if summary.attrs.get("best") == "largest" else 1.0
    how = treatment_of(summary, over=over, at=at, profiled=profiled)
    chosen = {dim for dim in (*how.held, *how.profiled) if summary.sizes[dim] > 1}
    both = partial(_both, result, by=by, sweep=sweep, on_progress=on_progress)
    if choose == "again" and chosen:
        model = _choosing_again(summary, how, settled, both, by=by, sign=sign)
    else:
        model = _as_chosen(settled, both, by=by, sign=sign)
    n_systems = len(model.change)
    # Its own curve is that of the draw in which nothing is exchanged.
    observed = sign * np.sort(model.signed(np.ones((1, n_systems)))[0])
    size, names = observed.size, ("median", "best", "share")[: 3 if statement.holds else 2]
    ranks = np.unique(np.linspace(0, size - 1, min(size, _MOST_RANKS)).round().astype(np.int64))

    def statistics(values: FloatArray) -> list[FloatArray]:
        """Return the statistics of sorted curves, shape ``(…, specifications)``."""
        found = [np.median(values, axis=-1), values[..., 0]]
        return [*found, statement.measure(values).mean(axis=-1)] if statement.holds else found

    curves, drawn = np.empty((n, ranks.size)), np.empty((len(names), n))
    rng, step = random_numbers(seed), max(1, _AT_A_TIME // model.base.size)
    for start in range(0, n, step):
        stays = rng.integers(0, 2, size=(min(step, n - start), n_systems)).astype(np.float64)
        values = sign * np.sort(model.signed(stays), axis=1)
        here = slice(start, start + len(stays))
        curves[here], drawn[:, here] = values[:, ranks], statistics(values)
    seen = np.array(statistics(observed))
    # A larger share is better, whatever is best for a value.
    signs = np.array([sign, sign, -1.0])[: len(names)]
    as_good = (signs[:, np.newaxis] * drawn <= signs[:, np.newaxis] * seen[:, np.newaxis]).sum(axis=1)
    ends = (0.5 * (1.0 - confidence), 0.5, 0.5 * (1.0 + confidence))
    low, middle, high = np.quantile(curves, ends, axis=0)
    low_each, _, high_each = np.quantile(drawn, ends, axis=1)
    units = str(summary.attrs.get("units", ""))
    return xr.Dataset(
        {
            "value": ("rank", observed[ranks], {**summary.attrs, "long_name": by}),
            "low": ("rank", low, about("lower end of the band of the null", units)),
            "middle": ("rank", middle, about("median of the null", units)),
            "high": ("rank", high, about("upper end of the band of the null", units)),
            "observed": ("statistic", seen, about("statistic of the curve")),
            "null_low": ("statistic", low_each, about("lower end of the interval under the null")),
            "null_high": ("statistic", high_each, about("upper end of the interval under the null")),
            "p_value": ("statistic", (1.0 + as_good) / (1.0 + n), about("share of draws that are as good")),
            "drawn": (("statistic", "draw"), drawn, about("statistic of each draw")),
        },
        coords={
            "rank": ("rank", ranks + 1, about("place in the curve, from the best")),
            "statistic": ("statistic", np.array(names, dtype=object), about("statistic of a curve")),
        },
        attrs={
            **{"by": by, "statement": statement.text, "n": n, "seed": seed, "confidence": confidence},
            **{
                "specifications": size,
                "n_left_out": model.n_left_out,
                "choose": choose if chosen else "nothing",
                **settled.attrs,
            },
        },
    )


def _check_question(result: xr.Dataset, *, by: str, choose: str, n: int, confidence: float) -> None:
    if by not in _SUMMARIES:
        what = f"there is no null for {by!r}: model and reference are compared by RMS"
        raise SpecError(what, where="by", hint=did_you_mean(by, _SUMMARIES))
    if not 0 < confidence < 1:
        raise SpecError(
            "this is no level of confidence", where="confidence", found=number(confidence), expected="0 to 1"
        )
    if choose not in _CHOICES:
        what = f"a null cannot choose {choose!r}"
        raise SpecError(what, where="choose", hint=did_you_mean(choose, _CHOICES))
    if n < 1:
        raise SpecError("a null needs draws", where="n", found=str(n), expected="1 or more")
    if "rms_mean" not in result and "loglike_mean" in result:
        hint = "sweep with metrics = ['rms', 'loglike'], which compares them by RMS"
        raise SpecError("the reference is compared by ln L, of which there is no null", where="by", hint=hint)
    if "win_rate" not in result:
        hint = "sweep with a reference, such as reference = 'mond'"
        raise SpecError("the result has no reference, with which a null compares", where="reference", hint=hint)


@dataclass(frozen=True, eq=False)
class _Exchanged:
    """The summaries of specifications as draws have them.

    Attributes
    ----------
    base : ndarray, shape (n_points,)
        The sum over systems behind the summary of a point if all of them are exchanged.
    change : ndarray, shape (n_systems, n_points)
        What each system adds to it that is not.
    sign : float
        By which a summary is multiplied for the smaller to be the better.
    n_left_out : int
        Specifications without a value.
    choose : callable
        From signed values of the points to those of the specifications, draw by draw.
    """

    base: FloatArray
    change: FloatArray
    sign: float
    n_left_out: int
    choose: Callable[[FloatArray], FloatArray]

    def signed(self, stays: FloatArray) -> FloatArray:
        """Return the signed values of the specifications in draws, of which 1 says for each system that it stays."""
        return self.choose(self.sign * (self.base + stays @ self.change) / len(self.change))


def _as_chosen(settled: Settled, both: _Both, *, by: str, sign: float) -> _Exchanged:
    """Return the specifications alone, with what is held or profiled where the whole result has its best."""
    array = settled.array.compute()
    usable = np.isfinite(far_from_best(array)) & ~repeats(array)
    if not usable.any():
        raise SpecError("no specification has a finite value", where=by)
    numbers = np.flatnonzero(usable)
    index = np.unravel_index(numbers, array.shape) if array.ndim else ()
    place: dict[str, Any] = dict(zip(map(str, array.dims), index, strict=True))
    for dim, at in settled.points.items():
        place[dim] = (
            at.transpose(*array.dims).values.ravel()[numbers]
            if getattr(at, "ndim", 0)
            else np.full(numbers.size, int(at))
        )
    rms, against, check = both(place, numbers.size)
    whole = np.isfinite(rms).all(axis=0) & np.isfinite(against).all(axis=0)
    if not whole.any():
        raise SpecError(_NO_RMS, where=by)
    base, change = _exchange(rms[:, whole], against[:, whole], by)
    check(array.values[usable][whole], (base + change.sum(axis=0)) / len(rms))
    return _Exchanged(base, change, sign, int((~whole).sum()), lambda values: values)


def _choosing_again(
    summary: xr.DataArray, how: Treatment, settled: Settled, both: _Both, *, by: str, sign: float
) -> _Exchanged:
    """Return all points of the axes that are held or profiled, of which each draw chooses by its own values."""
    whole = summary.isel(how.at).compute()
    dims = tuple(map(str, whole.dims))
    place: dict[str, Any] = dict(zip(dims, (each.ravel() for each in np.indices(whole.shape)), strict=True))
    place |= {dim: np.full(whole.size, index) for dim, index in how.at.items()}
    rms, against, check = both(place, whole.size)
    valid = np.isfinite(rms).all(axis=0) & np.isfinite(against).all(axis=0) & np.isfinite(whole.values.ravel())
    base, change = _exchange(np.where(valid, rms, 0.0), np.where(valid, against, 0.0), by)
    check(whole.values.ravel()[valid], ((base + change.sum(axis=0)) / len(rms))[valid])
    # Over what is held, the specifications, and what is profiled.
    held, rest = (tuple(dim for dim in dims if dim in each) for each in (how.held, how.profiled))
    over = tuple(dim for dim in dims if dim in how.over)
    order = [dims.index(dim) for dim in (*held, *over, *rest)]
    sizes = [prod(whole.sizes[dim] for dim in each) for each in (held, over, rest)]

    def arranged(values: Any) -> Any:
        """Return values of the points over what is held, the specifications, and what is profiled, draws first."""
        grid = values.reshape(-1, *whole.shape).transpose(0, *(1 + axis for axis in order))
        return grid.reshape(-1, *sizes)

    there = arranged(valid)[0].any(axis=2)
    place_of = arranged(np.arange(whole.size))[0]
    array = settled.array.transpose(*over)
    usable = np.isfinite(far_from_best(array)) & ~repeats(array)
    at_best = (
        int(np.ravel_multi_index([int(settled.points[dim]) for dim in held], [whole.sizes[dim] for dim in held]))
        if held
        else 0
    )
    specifications = np.flatnonzero(usable.ravel() & there[at_best])
    if not specifications.size:
        raise SpecError(_NO_RMS, where=by)
    # A place without a value of each specification has no curve to compare.
    eligible = there[:, specifications].all(axis=1)
    held_of = np.empty(whole.size, dtype=np.intp)
    held_of[place_of.ravel()] = np.repeat(np.arange(sizes[0]), sizes[1] * sizes[2])
    barred = ~valid | ~eligible[held_of]

    def choose(values: FloatArray) -> FloatArray:
        values[:, barred] = np.inf
        # In the order of the result, so that of equal points the first one is taken, as it is of the result itself.
        best = held_of[values.argmin(axis=1)]
        here = arranged(values)[np.arange(len(values)), best]
        found: FloatArray = here[:, specifications].min(axis=2)
        return found

    return _Exchanged(base, change, sign, int((usable.ravel() & ~there[at_best]).sum()), choose)


def _exchange(rms: FloatArray, against: FloatArray, by: str) -> tuple[FloatArray, FloatArray]:
    """Return the sum over systems behind a summary if all are exchanged, and what each adds to it that is not.

    The first has shape ``(specifications,)``, the second ``(n_systems, specifications)``. Of wins they are whole
    numbers, so that no rounding makes a rate better than the one that it equals.
    """
    one, other = (rms < against, against < rms) if by == "win_rate" else (rms, against)
    exchanged = np.asarray(other, dtype=np.float64)
    return exchanged.sum(axis=0), np.asarray(one, dtype=np.float64) - exchanged


def _keeps_rms(result: xr.Dataset) -> bool:
    return "rms" in result and system_dim(result["rms"]) is not None


def _both(
    result: xr.Dataset,
    place: Mapping[str, Any],
    n_points: int,
    *,
    by: str,
    sweep: Sweep | None,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[FloatArray, FloatArray, Callable[[FloatArray, FloatArray], None]]:
    """Return the RMS of each system under the model and under the reference, at points given by their places.

    Also what holds the summary of these against the one that is stored.
    """
    if _keeps_rms(result):
        of = system_values(result, "win_rate", sweep=sweep)
        if of.n_systems * n_points > _MOST_VALUES:
            most = _MOST_VALUES // of.n_systems
            raise _too_many(n_points, most)
        points = {dim: xr.DataArray(each, dims="specification") for dim, each in place.items()}
        of = replace(of, summary=by)
        rms, against = (each.reshape(of.n_systems, -1) for each in of.pair(points))
        return rms, against, of.check
    if n_points > _MOST_EVALUATED:
        raise _too_many(n_points, _MOST_EVALUATED)
    names = [(name, dim) for dim in grid_dims(result) for name in axes_along(result, dim)]
    columns = {name: result[name].values[place[dim]].tolist() for name, dim in names}
    places = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}]
    rms, against = rms_at(sweep_behind(result, sweep), places, on_progress=on_progress)
    return rms, against, partial(check_stored, name=by, rtol=1e-9)


def _too_many(found: int, most: int) -> SpecError:
    return SpecError(
        "these are too many specifications for a null",
        where="over",
        found=f"{found:,}",
        expected=f"at most {most:,}",
        hint="ask over fewer axes with over=, hold some of them with at=, or keep what was chosen with choose='once'",
    )
