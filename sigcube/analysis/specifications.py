"""Every specification of a result, sorted: for which share a statement holds, and which choice moves it."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best
from sigcube.analysis.labelled import about, axes_along, check_array, grid_dims, label_dims, system_dim
from sigcube.errors import SpecError
from sigcube.wording import number

__all__ = ["specification_curve"]

BoolArray = npt.NDArray[np.bool_]


def specification_curve(
    array: xr.DataArray,
    *,
    threshold: float | None = None,
    holds: Callable[[npt.NDArray[np.float64]], BoolArray] | None = None,
) -> xr.Dataset:
    """Sort every specification of a result, and say for which share of them a statement holds.

    A specification is a point of the grid: one choice along each axis. Where the model does not use an axis, as the
    axis's ``comment`` says and its values show, the points along it are one specification, and count once. Axes of many
    values weigh no more than others in what moves the conclusion, but a label with many specifications has as large a
    part in the share.

    Parameters
    ----------
    array : DataArray
        A summary. It is held in memory: 10⁷ specifications take a few hundred MB.
    threshold : float, optional
        The statement that a value is better than this: a win rate above it, an RMS below.
    holds : callable, optional
        Any other statement: a function of an array of values that returns where it holds.

    Returns
    -------
    Dataset
        Over ``specification``, the best first: its ``value``, and ``choice``, over ``axis`` as well, the index of each
        choice along its axis; the axes themselves are coordinates. With a statement, where it ``holds``, and the
        ``share`` of specifications for which it does. Over ``axis``, which choice moves the conclusion: ``lowest`` and
        ``highest``, the smallest and largest share among the specifications with one and the same choice there, and
        ``moves``, their difference; ``lowest_at`` and ``highest_at`` name the choices. Without a statement, these are
        means of the value. Attributes tell how many points are no specification: ``n_repeated``, and ``n_missing``
        without a finite value.

    Raises
    ------
    SpecError
        For values of systems, two statements at once, and if no value is finite.

    References
    ----------
    Steegen+ 2016, Perspect. Psychol. Sci. 11, 702 (multiverse); Simonsohn, Simmons & Nelson 2020, Nat. Hum. Behav. 4,
    1208 (specification curve); Patel, Burford & Ioannidis 2015, J. Clin. Epidemiol. 68, 1046 (vibration of effects).
    """
    check_array(array)
    if systems := system_dim(array):
        hint = "a summary such as result.rms_mean, or one system with .sel"
        raise SpecError(
            "a specification has one value", where=str(array.name), found=f"one for each {systems}", hint=hint
        )
    if threshold is not None and holds is not None:
        raise SpecError("there is one statement at a time", where="holds", hint="give either a threshold or a function")
    dims = grid_dims(array)
    array = array.compute()
    distance = far_from_best(array)
    missing, repeated = np.isinf(distance), _repeated(array)
    numbers = np.flatnonzero(~missing & ~repeated)
    if not numbers.size:
        raise SpecError("no specification has a finite value", where=str(array.name))
    numbers = numbers[np.argsort(distance.ravel()[numbers], kind="stable")]
    values = array.values.ravel()[numbers].astype(np.float64)
    units = str(array.attrs.get("units", ""))
    found: dict[str, Any] = {"value": ("specification", values, {**array.attrs, "long_name": str(array.name)})}
    holding, statement = None, "none"
    if threshold is not None:
        limit = float(far_from_best(xr.DataArray(float(threshold), attrs=array.attrs)))
        holding, statement = distance.ravel()[numbers] < limit, f"better than {number(threshold)}"
    elif holds is not None:
        holding, statement = np.asarray(holds(values)), getattr(holds, "__name__", "a function")
        if holding.shape != values.shape or holding.dtype != bool:
            what = "the statement does not tell for each value whether it holds"
            raise SpecError(
                what, where="holds", found=f"{holding.dtype}, {holding.shape}", expected=f"bool, {values.shape}"
            )
    if holding is not None:
        found["holds"] = "specification", holding, about(f"whether it is so: {statement}")
        found["share"] = (), holding.mean(), about(f"share of specifications: {statement}")
    choices = np.empty((len(dims), numbers.size), dtype=np.min_scalar_type(max(array.shape, default=1) - 1))
    for axis, n in enumerate(array.shape):
        choices[axis] = numbers // prod(array.shape[axis + 1 :]) % n
    found["choice"] = ("axis", "specification"), choices, about("index of the choice along its axis")
    rows = [
        _moves(array, dim, each, values if holding is None else holding)
        for dim, each in zip(dims, choices, strict=True)
    ]
    names = {"lowest": "smallest", "highest": "largest", "moves": "largest less smallest"}
    of = f"mean {array.name}" if holding is None else "share for which it holds"
    for i, (name, text) in enumerate(names.items()):
        row = [each[i] for each in rows]
        found[name] = "axis", row, about(f"{text} {of} among the choices", units if holding is None else "")
    for i, name in enumerate(("lowest_at", "highest_at"), start=3):
        found[name] = "axis", np.array([each[i] for each in rows], dtype=object), about("the choice with that")
    return xr.Dataset(
        found,
        coords={**array.coords, "axis": ("axis", np.array(dims, dtype=object), about("axis"))},
        attrs={
            "of": str(array.name),
            "statement": statement,
            "n_repeated": int(repeated.sum()),
            "n_missing": int((missing & ~repeated).sum()),
        },
    )


def _repeated(array: xr.DataArray) -> BoolArray:
    """Tell which points repeat another: the later ones along axes that the model does not use there."""
    labels, dims = label_dims(array), grid_dims(array)
    over = tuple(i for i, dim in enumerate(dims) if dim not in labels)
    found = np.zeros(array.shape, dtype=bool)
    for axis in over:
        names = axes_along(array, dims[axis])
        if names and all(str(array[name].attrs.get("comment", "")).startswith("computed for") for name in names):
            first = array.values.take([0], axis=axis)
            same = (array.values == first) | np.isnan(array.values) & np.isnan(first)
            later = np.arange(array.shape[axis]).reshape([-1 if i == axis else 1 for i in range(array.ndim)]) > 0
            found |= same.all(axis=over, keepdims=True) & later
    return found


def _moves(
    array: xr.DataArray, dim: str, choice: npt.NDArray[np.unsignedinteger[Any]], values: npt.NDArray[Any]
) -> tuple[float, float, float, str, str]:
    """Return the smallest and largest mean of values under one choice along an axis, their difference, and which."""
    n = array.sizes[dim]
    with np.errstate(invalid="ignore"):
        means = np.bincount(choice, weights=values, minlength=n) / np.bincount(choice, minlength=n)
    low, high = int(np.nanargmin(means)), int(np.nanargmax(means))
    names = axes_along(array, dim)
    texts = [", ".join(number(array[name].values[i]) for name in names) or str(i) for i in (low, high)]
    return float(means[low]), float(means[high]), float(means[high] - means[low]), texts[0], texts[1]
