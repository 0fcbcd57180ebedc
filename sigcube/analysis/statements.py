"""The share of specifications for which a statement holds: overall, and with one choice made."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best
from sigcube.analysis.labelled import axes_along, grid_dims, label_dims, parts
from sigcube.analysis.roles import probabilities
from sigcube.errors import SpecError
from sigcube.plan.identity import SECTION
from sigcube.wording import number

__all__ = ["Statement", "Tally", "count_specifications", "free_of", "repeats", "statement_of"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Statement:
    """A statement about a value, in words and as a function of an array; None if nothing is stated."""

    text: str
    holds: Callable[[FloatArray], BoolArray] | None = None

    def measure(self, values: FloatArray) -> FloatArray:
        """Return 1 where the statement holds and 0 where not; without one, the values themselves."""
        if self.holds is None:
            return values.astype(np.float64)
        holding = np.asarray(self.holds(values))
        if holding.shape != values.shape or holding.dtype != bool:
            raise SpecError(
                "the statement does not tell for each value whether it holds",
                where="holds",
                found=f"{holding.dtype}, {holding.shape}",
                expected=f"bool, {values.shape}",
            )
        return holding.astype(np.float64)


def statement_of(
    attrs: Mapping[str, Any], *, threshold: float | None, holds: Callable[[FloatArray], BoolArray] | None
) -> Statement:
    """Return the statement that a summary is better than a threshold, or any other.

    Raises
    ------
    SpecError
        For two statements at once, and a threshold that is not finite.
    """
    if threshold is not None and holds is not None:
        raise SpecError("there is one statement at a time", where="holds", hint="give either a threshold or a function")
    if holds is not None:
        return Statement(getattr(holds, "__name__", "a function"), holds)
    if threshold is None:
        return Statement("none")

    try:
        is_finite = math.isfinite(threshold)
    except TypeError:
        is_finite = False
    if not is_finite:
        raise SpecError(
            "nothing is better or worse than this", where="threshold", found=str(threshold), expected="a finite number"
        )

    def distance(values: Any) -> FloatArray:
        return far_from_best(xr.DataArray(values, attrs=dict(attrs)))

    limit = float(distance(float(threshold)))
    return Statement(f"better than {number(threshold)}", lambda values: distance(values) < limit)


@dataclass(frozen=True, eq=False)
class Tally:
    """Weights of specifications and sums of a measure: overall, and with each choice along each dimension.

    Attributes
    ----------
    total, held : float
        The weight of all specifications, and the sum of weight times measure.
    totals, helds : Mapping
        The same for each choice along a dimension.
    n_repeated, n_missing : int
        Points that repeat others, and specifications without a finite value.
    """

    total: float
    held: float
    totals: Mapping[str, FloatArray]
    helds: Mapping[str, FloatArray]
    n_repeated: int
    n_missing: int

    @property
    def share(self) -> float:
        """The share of the specifications for which the statement holds; NaN if there are none."""
        return self.held / self.total if self.total else float("nan")

    def shares(self, dim: str) -> FloatArray:
        """Return the share among the specifications with each choice along a dimension, NaN if there are none."""
        with np.errstate(invalid="ignore"):
            found: FloatArray = self.helds[dim] / self.totals[dim]
        return found


def count_specifications(
    array: xr.DataArray, statement: Statement, *, weights: Mapping[str, Any] | None = None
) -> Tally:
    """Count specifications, and those for which a statement holds; the array is read once.

    It is read in parts; where models do not use an axis, points under the same labels are read together. Without
    weights, a specification counts once, and points that repeat it do not count. A choice includes every specification
    that can be made with it, so that one which does not depend on the choice belongs to each. With weights, each grid
    point has the product of its weights, and repetitions have theirs; an empty mapping gives each axis uniform ones.
    """
    dims, labels = grid_dims(array), label_dims(array)
    numbers = [dim for dim in dims if dim not in labels]
    own = probabilities(array, weights)
    shape = [array.sizes[dim] for dim in labels]
    numbered = _section_numbers(array, labels)
    totals, helds = (np.zeros((numbered.max() + 1, 1 + sum(array.sizes[dim] for dim in numbers))) for _ in range(2))
    missing = np.zeros((numbered.max() + 1, 2), dtype=np.int64)
    idle = [i for i, dim in enumerate(numbers) if _may_repeat(array, dim)]
    for section, position in _first_positions(numbered):
        here = array.isel(dict(zip(labels, position, strict=True))).transpose(*numbers)
        rows = totals[section], helds[section], missing[section]
        _count_reading(
            here, statement, rows, idle=idle, weights=None if weights is None else [own[dim] for dim in numbers]
        )
    size = int(np.prod([array.sizes[dim] for dim in numbers], dtype=np.int64))
    at = _outer([own[dim] for dim in labels])

    def added(place: Any) -> tuple[FloatArray, FloatArray]:
        """Add up the models at some positions of the labels, each once or as much as the positions weigh."""
        inside, n = numbered[place].ravel(), len(totals)
        if weights is not None:
            counted = np.bincount(inside, weights=at[place].ravel(), minlength=n).astype(np.float64)
        else:
            counted = np.isin(np.arange(n), inside).astype(np.float64)
        return counted @ totals, counted @ helds

    in_all = added(...)
    by_choice: dict[str, tuple[FloatArray, FloatArray]] = {}
    ends = np.cumsum([1, *(array.sizes[dim] for dim in numbers)])
    for dim, start, stop in zip(numbers, ends[:-1], ends[1:], strict=True):
        by_choice[dim] = in_all[0][start:stop], in_all[1][start:stop]
    for axis, dim in enumerate(labels):
        each = [added((slice(None),) * axis + (i,)) for i in range(shape[axis])]
        by_choice[dim] = np.array([total[0] for total, _ in each]), np.array([held[0] for _, held in each])
    copies = numbered.size - len(np.unique(numbered))
    return Tally(
        total=float(in_all[0][0]),
        held=float(in_all[1][0]),
        totals={dim: by_choice[dim][0] for dim in dims},
        helds={dim: by_choice[dim][1] for dim in dims},
        n_repeated=int(missing[:, 0].sum()) + copies * size,
        n_missing=int(missing[:, 1].sum()),
    )


def _count_reading(
    here: xr.DataArray,
    statement: Statement,
    rows: tuple[FloatArray, FloatArray, npt.NDArray[np.int64]],
    *,
    idle: Sequence[int],
    weights: Sequence[FloatArray] | None,
) -> None:
    """Add to rows what the points under some labels count: in all, then with each value of each axis of numbers."""
    totals, helds, missing = rows
    starts = np.cumsum([1, *here.shape])
    # Only the whole axis shows that it makes no difference.
    for part in parts(here, whole=map(str, here.dims if idle else ())):
        slices = list(part.values())
        values = here.isel(part).values
        finite = np.isfinite(far_from_best(xr.DataArray(values, attrs=here.attrs)))
        measured = np.where(finite, statement.measure(values), 0.0)
        same = [i for i in idle if _is_one(values, i)]
        again = _later(values.shape, same)
        missing += again.sum(), (~finite & ~again).sum()
        for axis in (None, *range(values.ndim)):
            counted: npt.NDArray[Any]
            if weights is None:
                counted = finite & ~_later(values.shape, [i for i in same if i != axis]) if same else finite
            else:
                counted = _outer([each[at] for each, at in zip(weights, slices, strict=True)]) * finite
            others = tuple(i for i in range(values.ndim) if i != axis)
            place = slice(0, 1)
            if axis is not None:
                place = slice(starts[axis] + slices[axis].start, starts[axis] + slices[axis].stop)
            totals[place] += counted.sum(axis=others, dtype=float)
            helds[place] += (counted * measured).sum(axis=others)


def _outer(vectors: Sequence[FloatArray]) -> FloatArray:
    found = np.ones(())
    for each in vectors:
        found = np.multiply.outer(found, each)
    return found


def _section_numbers(array: xr.DataArray, labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number from 0 on for the model at each position of the labels: one where they make no difference."""
    shape = [array.sizes[dim] for dim in labels]
    own = array.coords.get(SECTION)
    if own is None or not set(map(str, own.dims)) <= set(labels):
        return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    wide = own.variable.set_dims({dim: array.sizes[dim] for dim in labels}).transpose(*labels).values
    keys, index = wide.astype(np.int64), np.indices(shape)
    for axis, dim in enumerate(labels):
        # Along a dimension without section numbers, each position is a model of its own.
        if dim not in own.dims:
            keys = keys * shape[axis] + index[axis]
    return np.unique(keys, return_inverse=True)[1].reshape(shape).astype(np.int64)


def _first_positions(numbered: npt.NDArray[np.int64]) -> Iterator[tuple[int, tuple[int, ...]]]:
    seen: set[int] = set()
    for position in product(*map(range, numbered.shape)):
        section = int(numbered[position])
        if section not in seen:
            seen.add(section)
            yield section, position


def repeats(array: xr.DataArray) -> BoolArray:
    """Return which points repeat an earlier one.

    They lie along axes of numbers that the model does not use there, as the axis's ``comment`` says and the values
    show, and at labels that make no difference, as the coordinate ``section`` says.
    """
    labels, dims = label_dims(array), grid_dims(array)
    over = tuple(i for i, dim in enumerate(dims) if dim not in labels)
    found = np.zeros(array.shape, dtype=bool)
    for axis in (axis for axis in over if _may_repeat(array, dims[axis])):
        found |= _is_one(array.values, axis, over=over) & _later(array.shape, [axis])
    numbered = _section_numbers(array, labels)
    first = np.zeros(numbered.shape, dtype=bool)
    for _, position in _first_positions(numbered):
        first[position] = True
    return found | ~first.reshape([array.sizes[dim] if dim in labels else 1 for dim in dims])


def free_of(array: xr.DataArray) -> dict[str, BoolArray]:
    """Return for each dimension of several values, over those of labels, where the models do not depend on it.

    An axis of labels makes no difference there, as the coordinate ``section`` says; an axis of numbers, as its
    ``comment`` says and the values show. The array is read as far as needed, in parts.
    """
    labels, dims = label_dims(array), [dim for dim in grid_dims(array) if array.sizes[dim] > 1]
    numbered = _section_numbers(array, labels)
    found = {}
    for axis, dim in enumerate(labels):
        if dim in dims:
            same = (numbered == numbered.take([0], axis=axis)).all(axis=axis, keepdims=True)
            found[dim] = np.broadcast_to(same, numbered.shape)
    for dim in (dim for dim in dims if dim not in labels):
        sections = np.zeros(numbered.max() + 1, dtype=bool)
        for section, position in _first_positions(numbered) if _may_repeat(array, dim) else ():
            here = array.isel(dict(zip(labels, position, strict=True)))
            axis = here.dims.index(dim)
            each = (_is_one(here.isel(part).values, axis).all() for part in parts(here, whole=[dim]))
            sections[section] = all(each)
        found[dim] = sections[numbered]
    return found


def _may_repeat(array: xr.DataArray, dim: str) -> bool:
    """Whether some models do not use the axes along a dimension."""
    comments = [str(array[name].attrs.get("comment", "")) for name in axes_along(array, dim)]
    return bool(comments) and all(each.startswith("computed for") for each in comments)


def _is_one(values: npt.NDArray[Any], axis: int, *, over: tuple[int, ...] | None = None) -> BoolArray:
    """Whether all values along an axis are equal, everywhere along some axes (by default all)."""
    first = values.take([0], axis=axis)
    same: BoolArray = ((values == first) | np.isnan(values) & np.isnan(first)).all(axis=over, keepdims=over is not None)
    return same


def _later(shape: tuple[int, ...], axes: Sequence[int]) -> BoolArray:
    """Return which places are not the first along some of the axes."""
    found = np.zeros(shape, dtype=bool)
    for axis in axes:
        found[(slice(None),) * axis + (slice(1, None),)] = True
    return found
