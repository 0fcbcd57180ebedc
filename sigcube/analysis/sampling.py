"""Sensitivity where a grid is too large: samples of axes within their ranges, and indices from them, by SALib."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import (
    about,
    axes_along,
    check_array,
    find_dim,
    grid_dims,
    is_label,
    random_numbers,
    system_dim,
)
from sigcube.errors import SigcubeError, SpecError, did_you_mean
from sigcube.wording import count, number

__all__ = ["sampled_cases", "sensitivity_of_cases"]

FloatArray = npt.NDArray[np.float64]
Method = Literal["sobol", "morris"]

_METHODS = ("sobol", "morris")
# Intervals of indices come from so many resamples, as SALib has it by default.
_RESAMPLES = 100


def sampled_cases(
    ranges: Mapping[str, Sequence[float]],
    *,
    n: int,
    method: Method = "sobol",
    second_order: bool = True,
    log: Sequence[str] = (),
    levels: int = 4,
    seed: int = 0,
    dim: str = "case",
) -> dict[str, tuple[str, list[float]]]:
    """Sample axes within their ranges, as axes of a sweep along one dimension.

    Parameters
    ----------
    ranges : Mapping of str to (low, high)
        Two axes or more. Within its range, each axis is sampled uniformly.
    n : int
        For ``"sobol"`` the size of the sample, a power of two, which makes ``n (2 d + 2)`` cases for d axes, or ``n (d
        + 2)`` without second orders. For ``"morris"`` the number of trajectories, of ``d + 1`` cases each.
    method : {"sobol", "morris"}
        Sobol's sequence in Saltelli's design, for Sobol' indices; or trajectories that change one axis at a time, which
        need few cases to tell which axes matter at all.
    second_order : bool
        Whether Saltelli's design includes interactions of pairs.
    log : sequence of str
        Axes to sample uniformly in their logarithm.
    levels : int
        Number of levels of each axis for ``"morris"``, an even one.
    seed : int
        Seed of the random numbers.
    dim : str
        Name of the dimension.

    Returns
    -------
    dict
        ``{"A": ("case", values), …}``, as ``axes`` of a `Sweep` takes it.

    Raises
    ------
    SpecError
        For ranges or numbers that make no sense.
    SigcubeError
        If SALib is not installed, the extra ``sa``.

    References
    ----------
    Saltelli 2002, Comp. Phys. Comm. 145, 280 (the design); Morris 1991, Technometrics 33, 161; Iwanaga, Usher & Herman
    2022, SESMO 4, 18155 (SALib).
    """
    _check_method(method)
    bounds = _bounds(ranges, log)
    if method == "sobol" and (n < 2 or n & (n - 1)):
        raise SpecError("a sample of Sobol's sequence has a power of two", where="n", found=str(n), expected="64, say")
    if n < 2:
        raise SpecError("effects need two trajectories or more", where="n", found=str(n))
    if method == "morris" and (levels < 2 or levels % 2):
        raise SpecError("levels are an even number", where="levels", found=str(levels), expected="4, say")
    samplers, _ = _salib(method)
    problem = _problem(list(ranges), bounds)
    if method == "sobol":
        rows = samplers.sample(problem, n, calc_second_order=second_order, seed=seed)
    else:
        rows = samplers.sample(problem, n, num_levels=levels, seed=seed)
    columns = zip(ranges, np.asarray(rows, dtype=np.float64).T, strict=True)
    return {name: (dim, (np.exp(each) if name in log else each).tolist()) for name, each in columns}


def sensitivity_of_cases(
    array: xr.DataArray,
    *,
    method: Method = "sobol",
    dim: str = "case",
    levels: int = 4,
    log: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Estimate which axes decide from a sweep of `sampled_cases`.

    Parameters
    ----------
    array : DataArray
        A summary over the cases, or a metric of each system, each with its own answer.
    method, dim, levels, log
        As the cases were sampled. The cases themselves tell which axis is which, and whether there are second orders.
    confidence : float
        Level of the intervals, which come from resampling.
    seed : int
        Of the random numbers behind the intervals.

    Returns
    -------
    Dataset
        For ``"sobol"``, as in `sensitivity`: ``mean``, ``variance``, and over ``axis`` the ``first`` and ``total``
        Sobol' indices; with second orders ``interaction`` over two axes. Each index has its ``_margin``, half of the
        interval. The indices are NaN where nothing varies. For ``"morris"``, over ``axis``: ``effect``, the mean of the
        absolute elementary effects, with its margin; ``signed_effect``, the mean with signs; and ``spread``, their
        standard deviation, to which non-linear axes and interactions contribute. An effect is that of a change over the
        whole range.

    Raises
    ------
    SpecError
        For an unknown dimension, cases that are no longer such a sample, and values that are not finite.
    SigcubeError
        If SALib is not installed, the extra ``sa``.

    References
    ----------
    Saltelli+ 2010, Comp. Phys. Comm. 181, 259 (first and total indices); Saltelli 2002, Comp. Phys. Comm. 145, 280 (of
    pairs); Campolongo, Cariboni & Saltelli 2007, Env. Mod. Soft. 22, 1509 (absolute effects).
    """
    _check_method(method)
    check_array(array)
    if not 0 < confidence < 1:
        found = number(confidence)
        raise SpecError("this is no level of confidence", where="confidence", found=found, expected="0 to 1")
    names, rows = _cases(array, dim, log)
    systems = system_dim(array)
    values = array.transpose(*([systems] if systems else []), dim).values
    values = values.astype(np.float64, order="C").reshape(-1, len(rows))
    if gaps := int((~np.isfinite(values)).sum()):
        found, hint = f"{count(gaps)} of {count(values.size)} are not", "sample ranges in which the model is valid"
        raise SpecError("indices need a finite value of each case", where=str(array.name), found=found, hint=hint)
    units, how = str(array.attrs.get("units", "")), {"num_resamples": _RESAMPLES, "conf_level": confidence}
    if method == "morris":
        names, made = _effects(names, rows, values, dim=dim, units=units, seed=seed, num_levels=levels, **how)
    else:
        names, made = _indices(names, rows, values, dim=dim, units=units, seed=seed, **how)
    lead = (systems,) if systems else ()
    answer = xr.Dataset(
        {name: ((*lead, *dims), each if systems else each[0], attrs) for name, (dims, each, attrs) in made.items()},
        attrs={"of": str(array.name), "method": method, "cases": len(rows), "confidence": confidence, "seed": seed},
    )
    axes = {each: (each, np.array(names, dtype=object), about("axis")) for each in ("axis", "other_axis")}
    of_systems = {systems: array[systems]} if systems in array.coords else {}
    return answer.assign_coords({**of_systems, **{each: axes[each] for each in axes if each in answer.dims}})


#: Variables of an answer: their dimensions but for that of systems, their values with systems first, and attributes.
Made = dict[str, tuple[tuple[str, ...], FloatArray, dict[str, Any]]]


def _effects(
    names: list[str], rows: FloatArray, values: FloatArray, *, dim: str, units: str, seed: int, **how: Any
) -> tuple[list[str], Made]:
    """Return the effects of the axes in trajectories."""
    if not _are_trajectories(rows):
        raise _no_sample(dim, "of trajectories, each case of which changes one axis")
    problem, analyzer = _problem(names, np.stack([rows.min(axis=0), rows.max(axis=0)], axis=1)), _salib("morris")[1]
    found = [analyzer.analyze(problem, rows, own, seed=random_numbers(seed), **how) for own in values]
    return names, {
        name: (("axis",), np.array([each[key] for each in found], dtype=np.float64), about(words, units))
        for name, (key, words) in _EFFECTS.items()
    }


def _indices(
    names: list[str], rows: FloatArray, values: FloatArray, *, dim: str, units: str, seed: int, **how: Any
) -> tuple[list[str], Made]:
    """Return the Sobol' indices of the axes, in the order in which they were sampled, and the variance."""
    order, second_order = _saltelli(rows, dim)
    names, d = [names[i] for i in order], len(names)
    problem, analyzer = _problem(names, np.stack([rows.min(axis=0), rows.max(axis=0)], axis=1)), _salib("sobol")[1]
    nothing = {
        key: np.full((d, d) if key in _PAIRS else d, np.nan) for key in ("S1", "S1_conf", "ST", "ST_conf", *_PAIRS)
    }
    found = [
        # Of zero as a seed, SALib would make none at all.
        analyzer.analyze(problem, own, calc_second_order=second_order, seed=random_numbers(seed), **how)
        if np.ptp(own) > 0.0
        else nothing
        for own in values
    ]
    # The rows of both base samples are independent of one another.
    step = _step(d, second_order)
    base, square = (
        np.concatenate([values[:, ::step], values[:, step - 1 :: step]], axis=1),
        f"({units})2" if units else "",
    )
    made: Made = {
        "mean": ((), base.mean(axis=1), about("mean over the ranges", units)),
        "variance": ((), base.var(axis=1), about("variance over the ranges", square)),
    }
    for name, (key, words) in _INDICES.items():
        made[name] = ("axis",), np.array([each[key] for each in found]), about(words)
    if second_order:
        for name, key, words in zip(("interaction", "interaction_margin"), _PAIRS, _PAIR_WORDS, strict=True):
            upper = np.triu(np.array([each[key] for each in found]), k=1)
            both = upper + np.swapaxes(upper, 1, 2)
            both[:, range(d), range(d)] = np.nan
            made[name] = ("axis", "other_axis"), both, about(words)
    return names, made


_INDICES: Mapping[str, tuple[str, str]] = {
    "first": ("S1", "first Sobol' index: share of the axis alone"),
    "first_margin": ("S1_conf", "half of the interval of the first index"),
    "total": ("ST", "total Sobol' index: with all its interactions"),
    "total_margin": ("ST_conf", "half of the interval of the total index"),
}
_PAIRS = ("S2", "S2_conf")
_PAIR_WORDS = ("share of the interaction of two axes", "half of the interval of an interaction")
_EFFECTS: Mapping[str, tuple[str, str]] = {
    "effect": ("mu_star", "mean absolute effect of the axis"),
    "effect_margin": ("mu_star_conf", "half of the interval of the mean absolute effect"),
    "signed_effect": ("mu", "mean effect of the axis"),
    "spread": ("sigma", "standard deviation of the effects of the axis"),
}


def _check_method(method: str) -> None:
    if method not in _METHODS:
        raise SpecError(f"there is no method {method!r}", where="method", hint=did_you_mean(method, _METHODS))


def _salib(method: Method) -> tuple[Any, Any]:
    """Return SALib's modules that sample and that analyse."""
    try:
        from SALib.analyze import morris as effects
        from SALib.analyze import sobol as indices
        from SALib.sample import morris as trajectories
        from SALib.sample import sobol as sequence
    except ImportError:
        what = "samples for sensitivity need SALib, which is not installed"
        raise SigcubeError(what, hint='pip install "sigcube[sa]"') from None
    return (sequence, indices) if method == "sobol" else (trajectories, effects)


def _problem(names: Sequence[str], bounds: FloatArray) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": bounds.tolist()}


def _bounds(ranges: Mapping[str, Sequence[float]], log: Sequence[str]) -> FloatArray:
    """Return the ends of the ranges, of logarithms where these are sampled, shape ``(n_axes, 2)``."""
    if len(ranges) < 2:
        raise SpecError("a sample needs two axes or more", where="ranges", found=", ".join(ranges) or "none")
    for name in log:
        if name not in ranges:
            raise SpecError(f"there is no axis {name!r} here", where="log", hint=did_you_mean(name, ranges))
    found = []
    for name, given in ranges.items():
        try:
            low, high = (float(each) for each in given)
        except (TypeError, ValueError):
            raise SpecError(
                "a range has two ends", where=f"ranges.{name}", found=repr(given), expected="(low, high)"
            ) from None
        if not -np.inf < low < high < np.inf or (name in log and low <= 0):
            expected = f"{'0 < ' if name in log else ''}low < high"
            raise SpecError("this is no range", where=f"ranges.{name}", found=f"{low:g} to {high:g}", expected=expected)
        found.append((np.log(low), np.log(high)) if name in log else (low, high))
    return np.array(found)


def _cases(array: xr.DataArray, dim: str, log: Sequence[str]) -> tuple[list[str], FloatArray]:
    """Return the axes along the dimension of cases, and their values, shape ``(n_cases, n_axes)``."""
    found = find_dim(array, dim, where="dim")
    if others := [other for other in grid_dims(array) if other != found]:
        hint = "choose a place along the others with .sel or .isel"
        raise SpecError("the cases lie along one dimension", where="dim", found=", ".join(others), hint=hint)
    names = [name for name in axes_along(array, found) if not is_label(array[name])]
    if len(names) < 2:
        raise _no_sample(dim, "of two axes or more")
    for name in log:
        if name not in names:
            raise SpecError(f"there is no axis {name!r} here", where="log", hint=did_you_mean(name, names))
    columns = [array[name].values.astype(np.float64) for name in names]
    return names, np.stack([np.log(x) if name in log else x for name, x in zip(names, columns, strict=True)], axis=1)


def _no_sample(dim: str, expected: str) -> SpecError:
    return SpecError(
        f"the cases along {dim!r} are not such a sample",
        where="method",
        expected=f"a sample {expected}",
        hint="keep all cases of sampled_cases in their order, and name its method",
    )


def _step(d: int, second_order: bool) -> int:
    """Return the number of cases in a run of Saltelli's design for d axes."""
    return 2 * d + 2 if second_order else d + 2


def _saltelli(rows: FloatArray, dim: str) -> tuple[list[int], bool]:
    """Return the order in which axes were sampled, and whether there are second orders.

    A run of Saltelli's design is a case of one sample, then the same with one axis from the other sample after another,
    with second orders the other way round as well, and the case of the other sample at last.
    """
    d = rows.shape[1]
    for second_order in (True, False):
        step = _step(d, second_order)
        if len(rows) % step:
            continue
        runs = rows.reshape(-1, step, d)
        one, other = runs[:, 0], runs[:, -1]
        order = [int((runs[:, 1 + j] != one).any(axis=0).argmax()) for j in range(d)]
        mixed = np.stack([np.where(np.arange(d) == axis, other, one) for axis in order], axis=1)
        back = np.stack([np.where(np.arange(d) == axis, one, other) for axis in order], axis=1)
        design = np.concatenate([mixed, back], axis=1) if second_order else mixed
        if sorted(order) == list(range(d)) and np.array_equal(runs[:, 1:-1], design):
            return order, second_order
    raise _no_sample(dim, "of Saltelli's design")


def _are_trajectories(rows: FloatArray) -> bool:
    """Return whether each case differs from the one before in one axis, within runs in which each axis changes once."""
    d = rows.shape[1]
    if len(rows) % (d + 1):
        return False
    changes = np.diff(rows.reshape(-1, d + 1, d), axis=1) != 0.0
    return bool((changes.sum(axis=1) == 1).all() and (changes.sum(axis=2) == 1).all())
