"""Trade-offs between two datasets under one model, and sums of several summaries."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best
from sigcube.analysis.labelled import about, axes_along, check_array, system_dim
from sigcube.errors import SpecError, did_you_mean

__all__ = ["combined", "tradeoff"]

FloatArray = npt.NDArray[np.float64]

# The number of points compared at a time.
_PART = 2**22


def tradeoff(tree: xr.DataTree, *, x: str, y: str) -> xr.Dataset:
    """Find where two summaries of a joint sweep are best, and which points no other beats in both (Pareto front).

    Parameters
    ----------
    tree : DataTree
        A joint result, as `sigcube.open_joint` opens it.
    x, y : str
        The two summaries, each with its dataset: ``"sparc/rms_mean"``, ``"clash/bias"``.

    Returns
    -------
    Dataset
        Over ``point``, the front from the best in `x` to the best in `y`: ``x`` and ``y``, the two values, and
        ``x_regret`` and ``y_regret``, how much farther from the best they are than the best point for each alone, as a
        share of what the best point for the other costs. Coordinates are the axes. Over ``place`` (``best_x``,
        ``best_y``, and ``compromise``, where the larger regret is smallest; Savage 1951): the values ``at_x`` and
        ``at_y``, and the axes as coordinates ``<axis>_at``. ``tension`` is the regret of the compromise: 0 if one point
        is best for both, 1 if every gain for one costs the other all it can. Along an axis that only one of the two
        has, values of the other repeat.

    Raises
    ------
    SpecError
        For a dataset or a summary that is not there, and if no point has finite values of both.

    References
    ----------
    Savage 1951, J. Am. Stat. Assoc. 46, 55 (minimax regret).
    """
    arrays = [_summary(tree, name, where=where) for name, where in ((x, "x"), (y, "y"))]
    _refuse_other_axes(arrays, [x, y])
    attrs = [dict(each.attrs) for each in arrays]
    wide = xr.broadcast(*arrays)
    values = [np.asarray(each.values).reshape(-1) for each in wide]
    front = _front(values, attrs)
    if not front.size:
        raise SpecError("no point has a finite value of both", where="x, y", found=f"{x}, {y}")
    here = [each[front].astype(np.float64) for each in values]
    far = [far_from_best(xr.DataArray(own, attrs=about_it)) for own, about_it in zip(here, attrs, strict=True)]
    regrets = [_share(far[0], far[0][0], far[0][-1]), _share(far[1], far[1][-1], far[1][0])]
    compromise = int(np.maximum(*regrets).argmin())
    places = {"best_x": 0, "best_y": front.size - 1, "compromise": compromise}
    index = np.unravel_index(front, wide[0].shape)
    axes: dict[str, Any] = {}
    for dim, at in zip(map(str, wide[0].dims), index, strict=True):
        # An axis may belong only to the second, even along a dimension of both.
        coords = {name: each[name] for each in reversed(arrays) if dim in each.dims for name in axes_along(each, dim)}
        for name, coord in coords.items():
            axes[name] = "point", coord.values[at], coord.attrs
            axes[f"{name}_at"] = "place", coord.values[at[list(places.values())]], coord.attrs
    found: dict[str, Any] = {}
    for letter, name, own, about_it, regret in zip("xy", (x, y), here, attrs, regrets, strict=True):
        units = about_it.get("units", "")
        found[letter] = "point", own, {**about_it, "long_name": name}
        found[f"{letter}_regret"] = "point", regret, about(f"regret of {name}")
        found[f"at_{letter}"] = "place", own[list(places.values())], about(f"{name} there", units)
    found["tension"] = (), float(np.maximum(*regrets)[compromise]), about("larger regret of the compromise")
    place = ("place", np.array(list(places), dtype=object), about("point of the front"))
    return xr.Dataset(found, coords={**axes, "place": place}, attrs={"x": x, "y": y})


def combined(tree: xr.DataTree, weights: Mapping[str, float]) -> xr.DataArray:
    """Add up how far summaries of a joint sweep are from the best, each times a weight: one summary for all questions.

    Parameters
    ----------
    tree : DataTree
        A joint result, as `sigcube.open_joint` opens it.
    weights : Mapping
        For each summary, such as ``"sparc/rms_mean"``, the weight of one of its units. χ² sums have the weight 1; to
        set 1 km/s against 0.01 dex, take 1 and 100.

    Returns
    -------
    DataArray
        Over all axes; the smallest is the best. Its attribute ``weights`` repeats the input.

    Raises
    ------
    SpecError
        For a dataset or a summary that is not there, no weights, and a weight that is not above zero.
    """
    if not weights:
        raise SpecError("there is nothing to add up", where="weights", hint="weights={'sparc/chi2_mean': 1.0, …}")
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise SpecError("a weight is a number above zero", where=f"weights.{name}", found=repr(weight))
    arrays = {name: _summary(tree, name, where="weights") for name in weights}
    _refuse_other_axes(list(arrays.values()), list(arrays))
    total: xr.DataArray = sum(each.copy(data=weights[name] * far_from_best(each)) for name, each in arrays.items())  # type: ignore[assignment]
    text = ", ".join(f"{name}: {weight:g}" for name, weight in weights.items())
    # If one of them is not finite, so is the sum.
    total = total.where(np.isfinite(total)).rename("combined")
    return total.assign_attrs({**about("weighted distances from the best"), "best": "smallest", "weights": text})


def _summary(tree: xr.DataTree, name: str, *, where: str) -> xr.DataArray:
    """Return a summary by the name of its dataset and its own."""
    given: object = tree
    if not isinstance(given, xr.DataTree):
        hint = "open it by sigcube.open_joint"
        raise SpecError("this question is asked of a joint result", found=type(given).__name__, hint=hint)
    dataset, slash, summary = name.partition("/")
    leaves = [each for each, leaf in tree.children.items() if leaf.has_data]
    if not slash or dataset not in leaves:
        what = f"there is no dataset {dataset!r} here" if slash else f"{name!r} does not name a dataset"
        hint = did_you_mean(dataset, leaves) if slash else f"such as {leaves[0] if leaves else 'sparc'}/{name}"
        raise SpecError(what, where=where, hint=hint)
    of_points = [str(each) for each, array in tree[dataset].data_vars.items() if system_dim(array) is None]
    if summary not in of_points or summary == "status":
        known = [each for each in of_points if each != "status"]
        raise SpecError(f"{dataset} has no summary {summary!r}", where=where, hint=did_you_mean(summary, known))
    array = tree[dataset].to_dataset()[summary]
    check_array(array)
    return array


def _refuse_other_axes(arrays: list[xr.DataArray], names: list[str]) -> None:
    """Refuse summaries that differ in the values of an axis: they would be joined on common values only."""
    for (name, one), (other_name, other) in combinations(zip(names, arrays, strict=True), 2):
        for dim in (str(dim) for dim in one.dims if dim in other.dims):
            common = set(axes_along(one, dim)) & set(axes_along(other, dim))
            alike = all(np.array_equal(one[axis].values, other[axis].values) for axis in common)
            if one.sizes[dim] != other.sizes[dim] or not alike:
                raise SpecError(f"{name} and {other_name} have other values along {dim!r}", where="tree")


def _front(values: list[npt.NDArray[Any]], attrs: list[dict[str, Any]]) -> npt.NDArray[np.int64]:
    """Return the numbers of the points that no other beats in both, the best in the first of the two at first."""
    kept = np.empty(0, dtype=np.int64)
    for start in range(0, values[0].size, _PART):
        numbers = np.concatenate([kept, np.arange(start, min(start + _PART, values[0].size))])
        pairs = zip(values, attrs, strict=True)
        far = [far_from_best(xr.DataArray(own[numbers], attrs=about_it)) for own, about_it in pairs]
        there = np.isfinite(far[0]) & np.isfinite(far[1])
        numbers, far = numbers[there], [each[there] for each in far]
        order = np.lexsort((numbers, far[1], far[0]))
        lowest = np.minimum.accumulate(far[1][order])
        # Of equals, only the first: later ones must be better in the second.
        better = np.concatenate([[True], lowest[1:] < lowest[:-1]])[: order.size]
        kept = numbers[order[better]]
    return kept


def _share(values: FloatArray, best: float, other: float) -> FloatArray:
    """Return how far values are from the best, as a share of how far another one is."""
    return (values - best) / (other - best) if other > best else np.zeros_like(values)
