"""Which choices decide: the exact variance of a result over its grid, split among its axes and their interactions."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, check_array, chunk_length, grid_dims, loaded, parts, system_dim
from sigcube.analysis.roles import Names, describe_weights, probabilities, settle
from sigcube.errors import SpecError
from sigcube.wording import count, number

__all__ = ["sensitivity"]

FloatArray = npt.NDArray[np.float64]

# The number of values transformed at a time, which stay in cache.
_BLOCK = 2**19
# With more axes than this, components are listed in pairs at most, unless more are asked for.
_MOST_AXES = 8


def sensitivity(
    array: xr.DataArray,
    *,
    weights: Mapping[str, Any] | None = None,
    order: int | None = None,
    missing: Literal["refuse", "drop"] = "refuse",
    over: Names | None = None,
    at: Mapping[str, Any] | None = None,
    profiled: Names | None = None,
) -> xr.Dataset:
    """Split the variance of an array over its grid among the axes and their interactions, exactly.

    The array is a function of independent choices, one along each dimension of the grid. It is the sum of a mean and
    one component for each set of axes (functional ANOVA), whose variances add up to that of the array. Axes that vary
    together, along one dimension, are one choice.

    Parameters
    ----------
    array : DataArray
        A summary, or a metric of each system, each with its own answer. It may be lazy, and is read once, in slices
        across its longest axis.
    weights : Mapping, optional
        Probabilities of the values of each axis, which add up to one; by default equal.
    order : int, optional
        The most axes a listed component may have: by default all up to 8 axes, else 2. Nothing else depends on it.
    missing : {"refuse", "drop"}
        What to do about values that are not finite, because the model is not or the point failed or is not done yet. A
        split needs a value at every point: either the question is refused, or values of axes (and systems) are left
        out, the one with the largest share of missing values first, until none is missing. The attribute ``left_out``
        names them.
    over, at, profiled : optional
        The axes among which the variance is split, by name or role, and how the others are treated, as for
        `specification_curve`: by default arbitrary axes, or all if none has a role.

    Returns
    -------
    Dataset
        ``mean`` and ``variance``; ``first`` and ``total`` Sobol' indices and ``shapley`` shares over ``axis``;
        ``interaction`` over two axes, of the pair alone; and ``share`` over ``component``, which is named after its
        axes. All but mean and variance are shares of the variance, and NaN where that is zero. Attributes say what
        became of the axes, ``over``, ``held`` and ``profiled``, and which ``weights`` they had.

    Raises
    ------
    SpecError
        For missing values; for weights of an unknown axis, of the wrong number, negative, or that do not add up to one;
        and as `specification_curve` for axes.

    Notes
    -----
    Along each axis a reflection (Householder) turns values into their mean and deviations from it, in an orthonormal
    basis of the weights, so that the variance of a component is a sum of squares: none is a difference of larger ones.
    Across the longest axis, means and squares of slices are merged one by one (Chan, Golub & LeVeque 1983).

    References
    ----------
    Sobol' 1993, Math. Modelling Comp. Exp. 1, 407; Homma & Saltelli 1996, RESS 52, 1 (total); Owen 2014, SIAM/ASA JUQ
    2, 245 (Shapley: a component is shared equally among its axes).
    """
    check_array(array)
    if missing not in ("refuse", "drop"):
        raise SpecError(f"missing values cannot be {missing!r}", where="missing", expected="'refuse' or 'drop'")
    if order is not None and order < 1:
        raise SpecError("a component has at least one axis", where="order", found=str(order), expected="1 or more")
    settled = settle(array, over=over, at=at, profiled=profiled)
    array = settled.array
    dims, given = grid_dims(array), probabilities(array, weights)
    left_out = "nothing"
    if missing == "drop":
        kept, left_out = _complete(array)
        array = array.isel(kept)
        for dim in dims:
            if not (own := given[dim][kept[dim]]).any():
                raise SpecError("every value that has a weight is left out", where=f"weights.{dim}", found=left_out)
            given[dim] = own / own.sum()
    # Nothing varies along an axis of one value.
    active = [dim for dim in dims if array.sizes[dim] > 1]
    try:
        squares, means = _split(array.isel({dim: 0 for dim in dims if dim not in active}), active, given)
    except _Gap:
        gaps = sum(int((~np.isfinite(array.isel(part).values)).sum()) for part in parts(array))
        raise SpecError(
            "a split of the variance needs a finite value at each point",
            where=str(array.name),
            found=f"{count(gaps)} of {count(array.size)} are not: invalid, failed or not done yet, as the status says",
            hint="choose a part of the grid with .sel or .isel, or missing='drop'",
        ) from None
    answer = _answer(array, active, squares, means, order=order)
    return answer.assign_attrs(left_out=left_out, **settled.attrs, weights=describe_weights(weights))


class _Gap(Exception):
    """A value is not finite."""


def _complete(array: xr.DataArray) -> tuple[dict[str, npt.NDArray[np.int64]], str]:
    """Leave out places along dimensions until every value is finite; return those left, and name those left out."""
    gaps = np.zeros(array.shape, dtype=bool)
    for part in parts(array):
        gaps[tuple(part.values())] = ~np.isfinite(array.isel(part).values)
    kept = {str(dim): np.arange(n) for dim, n in array.sizes.items()}
    gone: dict[str, list[str]] = {}
    while gaps.any():
        shares = [gaps.mean(axis=tuple(i for i in range(gaps.ndim) if i != axis)) for axis in range(gaps.ndim)]
        axis = max(range(gaps.ndim), key=lambda each: float(shares[each].max()))
        dim, at = str(array.dims[axis]), int(shares[axis].argmax())
        gaps = np.delete(gaps, at, axis=axis)
        place = int(kept[dim][at])
        gone.setdefault(dim, []).append(number(array[dim].values[place]) if dim in array.coords else str(place))
        kept[dim] = np.delete(kept[dim], at)
    if not all(each.size for each in kept.values()):
        raise SpecError("no value of the array is finite", where=str(array.name))
    return kept, "; ".join(f"{dim}: {', '.join(values)}" for dim, values in gone.items()) or "nothing"


def _split(
    array: xr.DataArray, active: Sequence[str], weights: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of squares of all components for each system, and the means.

    The sums have shape ``(n_systems, 2, …, 2)``, with an index for each axis that is 1 where it is of the component.
    """
    systems = system_dim(array)
    n = array.sizes[systems] if systems else 1
    if not active:
        if not np.isfinite(array.values).all():
            raise _Gap
        return np.zeros((n, 1)), array.values.astype(np.float64).reshape(n)
    # The array is read in slices across the axis with the most chunks, or the longest in memory.
    across = max(active, key=lambda dim: array.sizes[dim] / min(array.sizes[dim], chunk_length(array, dim)))
    slice_size = array.size // (n * array.sizes[across])
    chunk = min(n, chunk_length(array, systems)) if systems else 1
    step = chunk * max(1, _BLOCK // (slice_size * chunk))
    runs = (array.isel({systems: slice(i, i + step)}) if systems else array for i in range(0, n, step))
    squares, means = (
        np.concatenate(each) for each in zip(*(_split_run(run, active, across, weights) for run in runs), strict=True)
    )
    return np.moveaxis(squares, 1, 1 + list(active).index(across)), means


def _split_run(
    array: xr.DataArray, active: Sequence[str], across: str, weights: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Do as `_split` for a run of systems, with the axis across which it is read as the first."""
    rest = [dim for dim in active if dim != across]
    shape, roots = tuple(array.sizes[dim] for dim in rest), [np.sqrt(weights[dim]) for dim in rest]
    root = np.ones(1)
    for each in roots:
        root = np.multiply.outer(root, each).ravel()
    mean, squares, weight, shift = np.zeros(1), np.zeros(1), 0.0, np.zeros(1)
    for at, values in _blocks(array, across, rest):
        if at.start == 0:
            # Values far from zero would lose digits; and if all are equal, the variance is exactly zero.
            shift = values[:, :1, :1].copy()
        values -= shift
        values *= root
        _reflect(values.reshape(*values.shape[:2], *shape), roots)
        own = weights[across][at]
        added = float(own.sum())
        if added > 0.0:
            here = np.matmul(own / added, values)
            values -= here[:, np.newaxis]
            np.multiply(values, values, out=values)
            step = here - mean
            squares = squares + np.matmul(own, values) + step**2 * (weight * added / (weight + added))
            mean = mean + step * (added / (weight + added))
            weight += added
    both = np.stack([mean**2, squares], axis=1).reshape(len(mean), 2, *shape)
    for axis in range(2, both.ndim):
        first, others = np.split(both, [1], axis=axis)
        both = np.concatenate([first, others.sum(axis=axis, keepdims=True)], axis=axis)
    # Each reflection has turned the sign.
    return both, shift[:, 0, 0] + mean[:, 0] * (-1.0) ** len(rest)


def _blocks(array: xr.DataArray, across: str, rest: Sequence[str]) -> Iterator[tuple[slice, FloatArray]]:
    """Yield float64 copies of runs of slices across an axis, shape ``(n_systems, run, slice)``, and where they are."""
    systems, length = system_dim(array), array.sizes[across]
    dims = [dim for dim in (systems, across, *rest) if dim]
    run, chunk = max(1, _BLOCK * length // array.size), min(length, chunk_length(array, across))
    read = chunk * max(1, run // chunk)
    for start in range(0, length, read):
        # Loaded before it is transposed: xarray would read a lazy array point by point.
        slab = loaded(array.isel({across: slice(start, start + read)})).transpose(*dims).values
        slab = slab.reshape(array.sizes[systems] if systems else 1, slab.shape[dims.index(across)], -1)
        for first in range(0, slab.shape[1], run):
            # In C order, so that its shape can be changed in place.
            block = slab[:, first : first + run].astype(np.float64, order="C")
            if not np.isfinite(block).all():
                raise _Gap
            yield slice(start + first, start + first + block.shape[1]), block


def _reflect(values: FloatArray, roots: Sequence[FloatArray]) -> None:
    """Turn values, times the roots of their weights, into coefficients along all axes but the first two, in place.

    The reflection that takes the unit vector of the roots to minus the first axis puts the mean first, with its sign
    turned, and behind it the deviations in an orthonormal basis.
    """
    for axis, root in enumerate(roots, start=2):
        normal = root.copy()
        normal[0] += 1.0
        rows = values.reshape(prod(values.shape[:axis]), root.size, -1)
        along = (rows[:, :, 0] @ normal)[:, np.newaxis] if rows.shape[2] == 1 else np.matmul(normal, rows)
        rows -= normal[:, np.newaxis] * (along / normal[0])[:, np.newaxis]


def _answer(
    array: xr.DataArray, active: Sequence[str], squares: FloatArray, means: FloatArray, *, order: int | None
) -> xr.Dataset:
    """Name the components, and add up indices from them."""
    systems, dims, d = system_dim(array), grid_dims(array), len(active)
    lead = (systems,) if systems else ()
    flat = squares.reshape(means.size, -1)
    # Anything no larger than the rounding of the values counts as zero: an unused axis explains nothing.
    flat[flat < (16.0 * np.finfo(float).eps) ** 2 * flat.sum(axis=1, keepdims=True)] = 0.0
    flat[:, 0] = 0.0
    variance = flat.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = flat / variance[:, np.newaxis]
    # The axes of each component: the index of the first axis counts most.
    members = (np.arange(2**d)[:, np.newaxis] >> np.arange(d)[::-1]) & 1 > 0
    sizes = members.sum(axis=1)
    indices = np.zeros((3, means.size, len(dims)))
    pairs = np.zeros((means.size, len(dims), len(dims)))
    indices[:, variance == 0] = pairs[variance == 0] = pairs[:, range(len(dims)), range(len(dims))] = np.nan
    places = [dims.index(dim) for dim in active]
    for i, place in enumerate(places):
        own, bit = members[:, i], 2 ** (d - 1 - i)
        indices[0, :, place] = shares[:, bit]
        indices[1, :, place] = shares[:, own].sum(axis=1)
        indices[2, :, place] = (shares[:, own] / sizes[own]).sum(axis=1)
        for j, other in enumerate(places[:i]):
            pairs[:, place, other] = pairs[:, other, place] = shares[:, bit + 2 ** (d - 1 - j)]
    most = order or (d if d <= _MOST_AXES else 2)
    listed = [int(i) for i in np.lexsort((-np.arange(2**d), sizes)) if 0 < sizes[i] <= most]
    names = [" × ".join(dim for dim, there in zip(active, members[i], strict=True) if there) for i in listed]
    units = str(array.attrs.get("units", ""))

    def shaped(values: FloatArray) -> FloatArray:
        return values if systems else values[0]

    comments = (f"{name}: {each.attrs['comment']}" for name, each in array.coords.items() if "comment" in each.attrs)
    return xr.Dataset(
        {
            "mean": (lead, shaped(means), about("mean over the grid", units)),
            "variance": (lead, shaped(variance), about("variance over the grid", f"({units})2" if units else "")),
            "first": ((*lead, "axis"), shaped(indices[0]), about("first Sobol' index: share of the axis alone")),
            "total": ((*lead, "axis"), shaped(indices[1]), about("total Sobol' index: with all its interactions")),
            "shapley": ((*lead, "axis"), shaped(indices[2]), about("Shapley share: interactions shared equally")),
            "interaction": (
                (*lead, "axis", "other_axis"),
                shaped(pairs),
                about("share of the interaction of two axes"),
            ),
            "share": ((*lead, "component"), shaped(shares[:, listed]), about("share of the variance")),
        },
        coords={
            **({systems: array[systems]} if systems in array.coords else {}),
            "axis": ("axis", np.array(dims, dtype=object), about("axis")),
            "other_axis": ("other_axis", np.array(dims, dtype=object), about("axis")),
            "component": ("component", np.array(names, dtype=object), about("axes of a component")),
            "n_axes": ("component", sizes[listed], about("number of axes of a component")),
        },
        attrs={"of": str(array.name), "comment": "; ".join(comments)},
    )
