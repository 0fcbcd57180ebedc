"""A result over other systems: subsets, train and test sets, and resamples, from the values kept for each."""

from collections.abc import Sequence
from functools import reduce
from math import prod
from operator import and_

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import improve, summaries
from sigcube.analysis.labelled import (
    about,
    check_result,
    flat_numbers,
    kept_values,
    metric_of,
    random_numbers,
    system_dim,
)
from sigcube.analysis.lacking import caution_of_unfinished, why_no_value
from sigcube.analysis.system_values import system_values
from sigcube.engine.finish import mean_of_systems, median_of_systems
from sigcube.errors import SpecError, did_you_mean
from sigcube.plan.values import PointStatus
from sigcube.sweep import Sweep

__all__ = ["bootstrap", "holdout", "reselect"]

FloatArray = npt.NDArray[np.float64]

# The most numbers held at a time: those of all resamples, and summaries over them.
_MOST_DRAWN = 2**26
_SUMMARIES = 2**22

_ROUNDED = "from values kept as float32, each rounded by up to 6e-8 of itself"


def reselect(result: xr.Dataset, systems: xr.DataArray | Sequence[str], *, sweep: Sweep | None = None) -> xr.Dataset:
    """Summarise a result over other systems, from the values that it keeps for each.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``.
    systems : DataArray of bool, or sequence of str
        Which systems: a condition on variables of the cube, which may have more systems than the result, or names.
    sweep : Sweep, optional
        The sweep that made the result: needed for ``win_rate`` if the result was not opened from its store.

    Returns
    -------
    Dataset
        What a sweep of that sample would write. From values kept as float64, means, medians and win rates have the very
        same bits. Values kept as float32 are rounded by up to 6 · 10⁻⁸ of themselves, and so are means and medians; win
        rates are still exact, as the model is evaluated again where its RMS and the reference's are that close. Metrics
        over all points together do not follow from values of systems: the attribute ``left_out`` names them.

    Raises
    ------
    SpecError
        For unknown or no systems, for values that were not kept, and for a ``win_rate`` without a known reference.
    StoreMismatch
        If all systems are chosen, and their win rates are not those of the result.
    """
    check_result(result)
    kept = [str(name) for name, each in result.data_vars.items() if system_dim(each)]
    if not kept:
        kept_values(result, next((metric_of(name) for name in summaries(result)), "rms"))
    dim = str(system_dim(result))
    chosen = result.isel({dim: _positions(result, dim, systems)})
    made: dict[str, FloatArray] = {}
    # As in a sweep, the means decide whether a point is valid, also those that are not written.
    finite: list[xr.DataArray] = []
    for metric in kept:
        of = system_values(chosen, metric)
        mean, median = of.over_grid(mean_of_systems, median_of_systems)
        own = {f"{metric}_sum": mean * of.n_systems, f"{metric}_mean": mean, f"{metric}_median": median}
        made |= {name: each for name, each in own.items() if name in result}
        finite.append(xr.DataArray(np.isfinite(mean), dims=list(of.grid)))
    if "win_rate" in result and "rms" in kept:
        wins = system_values(chosen, "win_rate", sweep=sweep)
        (made["win_rate"],) = wins.over_grid(mean_of_systems)
        wins.check(result["win_rate"].transpose(*wins.grid).values, made["win_rate"])
        finite.append(xr.DataArray(np.isfinite(made["win_rate"]), dims=list(wins.grid)))
    left_out = [name for name in summaries(result) if name not in made]
    answer = chosen.drop_vars(left_out)
    for name, values in made.items():
        metric = "rms" if name == "win_rate" else metric_of(name)
        rounded = {"comment": _ROUNDED} if result[metric].dtype == np.float32 and name != "win_rate" else {}
        answer[name] = [each for each in result[metric].dims if each != dim], values, {**result[name].attrs, **rounded}
    if "status" in result:
        was = chosen["status"]
        computed = np.isin(was.values, (PointStatus.DONE, PointStatus.INVALID))
        all_finite = reduce(and_, finite).transpose(*was.dims).values
        valid = np.where(all_finite, PointStatus.DONE, PointStatus.INVALID)
        answer["status"] = was.copy(data=np.where(computed, valid, was.values).astype(np.uint8))
    of_all = f"{chosen.sizes[dim]} of the {result.sizes[dim]} systems"
    answer.attrs = {key: each for key, each in result.attrs.items() if key != "identity"}
    return answer.assign_attrs(
        sample=f"{of_all} of {result.attrs.get('sample', 'the sample')}",
        n_systems=chosen.sizes[dim],
        left_out=", ".join(left_out) or "nothing",
    )


def _positions(result: xr.Dataset, dim: str, systems: xr.DataArray | Sequence[str]) -> npt.NDArray[np.intp]:
    """Find the given systems among those of a result."""
    names = [str(name) for name in result[dim].values]
    if isinstance(systems, xr.DataArray):
        if systems.dims != (dim,) or systems.dtype != bool or dim not in systems.coords:
            found = f"{systems.dtype} over {', '.join(map(str, systems.dims)) or 'nothing'}"
            what = f"systems are chosen by a condition on each {dim}, with its names"
            raise SpecError(what, where="systems", found=found, expected=f"bool over {dim}")
        holds = dict(zip(map(str, systems[dim].values), systems.values.tolist(), strict=True))
        if lost := [name for name in names if name not in holds]:
            raise SpecError(f"the condition does not say whether it holds for {lost[0]!r}", where="systems")
        index = np.flatnonzero([holds[name] for name in names])
    else:
        wanted = {systems} if isinstance(systems, str) else set(systems)
        if unknown := sorted(wanted - set(names)):
            what = f"the result has no {dim} {unknown[0]!r}"
            raise SpecError(what, where="systems", hint=did_you_mean(unknown[0], names))
        index = np.flatnonzero([name in wanted for name in names])
    if not index.size:
        raise SpecError("no system is left", where="systems", found=f"0 of {len(names)}")
    return index


def holdout(
    result: xr.Dataset, *, by: str = "rms", folds: int = 10, seed: int = 0, sweep: Sweep | None = None
) -> xr.Dataset:
    """Choose the best point on some systems, and score it on those held out (cross-validation).

    As in `best`, a point whose summary over all systems is not finite is never chosen.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``.
    by : str
        The summary to choose and to score by: a metric of systems, for its mean; one with ``_median``; or ``win_rate``.
    folds : int
        Number of parts into which the systems are shuffled, each held out once. As many parts as systems leaves out one
        at a time.
    seed : int
        Seed of the shuffle.
    sweep : Sweep, optional
        As for `reselect`.

    Returns
    -------
    Dataset
        Over ``fold``: the chosen point, as coordinates, with ``train`` and ``test``, the summary over the other systems
        and over those held out. For each system ``fold_of`` and ``held_out``, its value at the point that was chosen
        without it. ``in_sample`` is the summary of all systems at their best point; ``out_of_sample`` is that of
        ``held_out``. The difference is what the choice owes to chance.

    Raises
    ------
    SpecError
        For fewer than two folds or more than systems, if no point is valid, and as `reselect`.
    """
    of = system_values(result, by, sweep=sweep)
    n, grid = of.n_systems, of.grid
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or not 2 <= folds <= n:
        raise SpecError("folds hold out a part of the systems", where="folds", found=str(folds), expected=f"2 to {n}")
    fold_of = np.empty(n, dtype=np.int64)
    for fold, members in enumerate(np.array_split(random_numbers(seed).permutation(n), folds)):
        fold_of[members] = fold
    # The last fold holds out no system.
    trained = [fold_of != fold for fold in range(folds + 1)]
    least, at = np.full(folds + 1, np.inf), np.full(folds + 1, -1, dtype=np.int64)
    for part, values in of.parts():
        far = np.stack([of.far(of.summarise(values[rows])) for rows in trained])
        # A point that has no value for those held out is no model of them.
        far[:, np.isinf(far[-1])] = np.inf
        first = far.argmin(axis=1)
        improve(least, at, far[range(folds + 1), first], flat_numbers(first, part, list(grid.values())))
    if (at < 0).any():
        raise SpecError(f"no grid point has a finite {of.summary}", where="by", hint=why_no_value(result))
    index = np.unravel_index(at, list(grid.values())) if grid else ()
    points = dict(zip(grid, index, strict=True))
    columns = [of.at({dim: int(each[row]) for dim, each in points.items()}) for row in range(folds + 1)]

    def score(values: FloatArray) -> float:
        return float(of.summarise(values[:, np.newaxis])[0])

    held_out = np.stack(columns)[fold_of, range(n)]
    chosen = {dim: xr.DataArray(each[:-1], dims="fold") for dim, each in points.items()}
    name, units = of.summary, str(of.attrs.get("units", ""))
    splits = list(zip(columns[:-1], trained[:-1], strict=True))
    return xr.Dataset(
        {
            "train": ("fold", [score(each[rows]) for each, rows in splits], about(f"{name} of the others", units)),
            "test": ("fold", [score(each[~rows]) for each, rows in splits], about(f"{name} of those held out", units)),
            "n_test": ("fold", np.bincount(fold_of), about("number of systems held out")),
            "held_out": (of.dim, held_out, about("value at the point chosen without the system", units)),
            "fold_of": (of.dim, fold_of, about("fold that holds the system out")),
            "in_sample": ((), score(columns[-1]), about(f"{name} at the best point of all systems", units)),
            "out_of_sample": ((), score(held_out), about(f"{name} of the values held out", units)),
        },
        coords=of.array.coords.to_dataset().isel(chosen, missing_dims="ignore").coords,
        attrs={"by": name, "folds": folds, "seed": seed, **caution_of_unfinished(result)},
    )


def bootstrap(
    result: xr.Dataset,
    by: str,
    *,
    n: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    sweep: Sweep | None = None,
) -> xr.Dataset:
    """Resample the systems with replacement: how uncertain a summary is, and how often each point is the best.

    Every point of the grid has the same resamples, so that points are compared on the same systems.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``, or a part of it: every point costs `n` sums over systems.
    by : str
        A summary that is made of systems, as for `holdout`.
    n : int
        Number of resamples.
    seed : int
        Seed of the random numbers.
    confidence : float
        Level of the interval.
    sweep : Sweep, optional
        As for `reselect`.

    Returns
    -------
    Dataset
        At each point of the grid the ``estimate``, its ``standard_error``, ``low`` and ``high`` of the percentile
        interval, and ``share_best``, the share of resamples in which the point is the best (the first of equals). NaN
        where a system has no finite value.

    Raises
    ------
    SpecError
        For fewer than two systems or resamples, more than can be held, an invalid level, and as `reselect`.
    """
    of = system_values(result, by, sweep=sweep)
    if of.n_systems < 2:
        raise SpecError("there is nothing to draw from", where=of.dim, found=str(of.n_systems), expected="2 or more")
    most = _MOST_DRAWN // of.n_systems
    if not 2 <= n <= most:
        what = f"{of.n_systems:,} systems cannot be drawn that often"
        raise SpecError(what, where="n", found=f"{n:,}", expected=f"2 to {most:,}")
    if not 0 < confidence < 1:
        raise SpecError(
            "this is no level of confidence", where="confidence", found=f"{confidence:g}", expected="0 to 1"
        )
    uniform = np.full(of.n_systems, 1.0 / of.n_systems)
    drawn = random_numbers(seed).multinomial(of.n_systems, uniform, size=n).astype(np.float64)
    sizes = list(of.grid.values())
    found = np.full((5, prod(sizes)), np.nan)
    least, at = np.full(n, np.inf), np.full(n, -1, dtype=np.int64)
    ends = (0.5 * (1.0 - confidence), 0.5 * (1.0 + confidence))
    for part, values in of.parts():
        step = max(1, _SUMMARIES // n)
        for start in range(0, values.shape[1], step):
            own = np.ascontiguousarray(values[:, start : start + step])
            numbers = flat_numbers(np.arange(start, start + own.shape[1]), part, sizes)
            with np.errstate(invalid="ignore"):
                divisor = 1 if of.summary.endswith("_sum") else len(own)
                again = _medians(own, drawn) if of.summary.endswith("_median") else drawn @ own / divisor
                spread = again.std(axis=0, ddof=1)
            found[:4, numbers] = of.summarise(own), spread, *np.quantile(again, ends, axis=0)
            far = of.far(again)
            first = far.argmin(axis=1)
            improve(least, at, far[range(n), first], numbers[first])
    found[4] = np.bincount(at[at >= 0], minlength=prod(sizes)) / n
    names = {
        "estimate": of.summary,
        "standard_error": f"standard error of {of.summary}",
        "low": f"lower end of the interval of {of.summary}",
        "high": f"upper end of the interval of {of.summary}",
        "share_best": "share of resamples in which the point is the best",
    }
    units = [str(of.attrs.get("units", ""))] * 4 + [""]
    return xr.Dataset(
        {
            name: (list(of.grid), values.reshape(sizes), about(text, unit))
            for (name, text), values, unit in zip(names.items(), found, units, strict=True)
        },
        coords=of.array.coords.to_dataset().drop_dims(of.dim, errors="ignore").coords,
        attrs={"by": of.summary, "n": n, "seed": seed, "confidence": confidence},
    )


def _medians(values: FloatArray, drawn: FloatArray) -> FloatArray:
    """Return the medians of resamples, shape ``(n, points)``, from how often each system was drawn."""
    size, medians = len(values), np.empty((len(drawn), values.shape[1]))
    for j, column in enumerate(values.T):
        order = np.argsort(column)
        below = np.cumsum(drawn[:, order], axis=1)
        middle = [column[order[(below > rank).argmax(axis=1)]] for rank in ((size - 1) // 2, size // 2)]
        medians[:, j] = np.where(np.isnan(column).any(), np.nan, 0.5 * (middle[0] + middle[1]))
    return medians
