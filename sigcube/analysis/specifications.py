"""Every specification of a result, sorted, and the share of them for which a statement holds."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best
from sigcube.analysis.labelled import (
    about,
    axes_along,
    check_array,
    find_dim,
    grid_dims,
    label_dims,
    place_text,
    system_dim,
)
from sigcube.analysis.roles import Names, describe_weights, role_of, settle
from sigcube.analysis.statements import Statement, Tally, count_specifications, free_of, repeats, statement_of
from sigcube.errors import SpecError
from sigcube.plan.spec import ROLES

__all__ = ["check_summary", "robustness", "specification_curve"]

Holds = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]]


def specification_curve(
    array: xr.DataArray,
    *,
    threshold: float | None = None,
    holds: Holds | None = None,
    over: Names | None = None,
    at: Mapping[str, Any] | None = None,
    profiled: Names | None = None,
    weights: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Sort every specification of a result, and find the share of them for which a statement holds.

    A specification is a point of the grid: one choice along each axis that the question is `over`. Points with one and
    the same model count once: those along an axis that the model does not use, as its ``comment`` says and its values
    show, and those of labels that make no difference, as the coordinate ``section`` says.

    Parameters
    ----------
    array : DataArray
        A summary. Its specifications are held in memory: 10⁷ of them take a few hundred MB.
    threshold : float, optional
        The statement that a value is better than this: a win rate above it, an RMS below.
    holds : callable, optional
        Any other statement: a function that returns where it holds for an array of values.
    over : str or sequence of str, optional
        The axes whose values make specifications, by name or by role (``"arbitrary"``, ``"physical"``, ``"nuisance"``):
        by default the arbitrary ones, or all if none has a role.
    at : Mapping, optional
        Values and labels at which axes are held.
    profiled : str or sequence of str, optional
        The axes over which each specification takes its best value, by name or role: by default nuisances. All other
        axes are held at the best point of the whole result.
    weights : Mapping, optional
        Probabilities of the values of each axis, which add up to one; by default equal. With weights, repeated points
        share theirs; an empty mapping does so with equal weights along each axis.

    Returns
    -------
    Dataset
        Over ``specification``, the best first: its ``value``, and ``choice``, over ``axis`` as well, the index of each
        choice along its axis, and ``free``, where the specification does not depend on the axis, so that any choice is
        as good; the axes themselves are coordinates. With a statement, where it ``holds``, and the
        ``share`` of specifications for which it does. Over ``axis``, which choice moves the conclusion: ``lowest`` and
        ``highest``, the smallest and largest share among the specifications with one and the same choice there, and
        ``moves``, their difference; ``lowest_at`` and ``highest_at`` name the choices. Over ``option``, each choice of
        each axis, ``option_share`` and ``option_weight``. Without a statement, these are means of the value. A
        specification that does not depend on an axis belongs to each of its choices. Attributes tell how many points
        are no specification, ``n_repeated``, and ``n_missing`` without a finite value; what became of the axes,
        ``over``, ``held`` and ``profiled``; and the ``weights``.

    Raises
    ------
    SpecError
        For values of systems, two statements at once, a threshold that is not finite, axes or roles that are unknown or
        treated in two ways, and if no value with any weight is finite.

    References
    ----------
    Steegen+ 2016, Perspect. Psychol. Sci. 11, 702 (multiverse); Simonsohn, Simmons & Nelson 2020, Nat. Hum. Behav. 4,
    1208 (specification curve); Patel, Burford & Ioannidis 2015, J. Clin. Epidemiol. 68, 1046 (vibration of effects).
    """
    check_summary(array)
    statement = statement_of(array.attrs, threshold=threshold, holds=holds)
    settled = settle(array, over=over, at=at, profiled=profiled)
    array = settled.array.compute()
    dims = grid_dims(array)
    distance, repeated = far_from_best(array), repeats(array)
    numbers = np.flatnonzero(np.isfinite(distance) & ~repeated)
    if not numbers.size:
        raise SpecError("no specification has a finite value", where=str(array.name))
    numbers = numbers[np.argsort(distance.ravel()[numbers], kind="stable")]
    values = array.values.ravel()[numbers].astype(np.float64)
    found: dict[str, Any] = {"value": ("specification", values, {**array.attrs, "long_name": str(array.name)})}
    counts = _counted(array, statement, weights)
    if statement.holds is not None:
        text = statement.text
        found["holds"] = "specification", statement.measure(values) > 0, about(f"whether it is so: {text}")
        found["share"] = (), counts.share, about(f"share of specifications: {text}")
    choices = np.empty((len(dims), numbers.size), dtype=np.min_scalar_type(max(array.shape, default=1) - 1))
    for axis, n in enumerate(array.shape):
        choices[axis] = numbers // prod(array.shape[axis + 1 :]) % n
    found["choice"] = ("axis", "specification"), choices, about("index of the choice along its axis")
    labels, unused = label_dims(array), free_of(array)
    place = tuple(choices[dims.index(dim)] for dim in labels)
    free = np.zeros(choices.shape, dtype=bool)
    for axis, dim in enumerate(dims):
        if dim in unused:
            free[axis] = unused[dim][place]
    found["free"] = ("axis", "specification"), free, about("whether it does not depend on the axis")
    answer = xr.Dataset(found, coords={**array.coords, **settled.where})
    of = {
        "of": str(array.name),
        "statement": statement.text,
        "n_repeated": counts.n_repeated,
        "n_missing": counts.n_missing,
    }
    told = _by_choice(array, counts, statement)
    return answer.merge(told).assign_attrs(of | dict(settled.attrs) | {"weights": describe_weights(weights)})


def robustness(
    array: xr.DataArray,
    *,
    threshold: float | None = None,
    holds: Holds | None = None,
    at: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Find the share of all specifications for which a statement holds, and how far the axes of each role move it.

    Parameters
    ----------
    array : DataArray
        A summary; it may be lazy, and is read once for each role and once for all, in parts.
    threshold, holds, at, weights : optional
        As for `specification_curve`.

    Returns
    -------
    Dataset
        Over ``role``, for each role of an axis and ``all``: the ``share`` of the specifications, and their ``weight``,
        which is their number without weights. A role has the specifications over its axes, with the others held at the
        best point; ``all`` those over all axes that are not held `at` a place. Over ``axis`` and ``option``, among all:
        what moves the share, as for `specification_curve`, with the role of each axis.

    Raises
    ------
    SpecError
        As `specification_curve`, and without a statement.
    """
    check_summary(array)
    statement = statement_of(array.attrs, threshold=threshold, holds=holds)
    if statement.holds is None:
        raise SpecError("there is no statement", where="threshold", hint="threshold=0.5, say, or a function as holds=")
    placed = {find_dim(array, name, where="at") for name in at or {}}
    whole = settle(array, over=[dim for dim in grid_dims(array) if dim not in placed], at=at, profiled=()).array
    counts = {}
    for role in (role for role in ROLES if any(role_of(whole, dim) == role for dim in grid_dims(whole))):
        own = settle(whole, over=role, profiled=()).array
        counts[role] = count_specifications(own, statement, weights=_own(own, weights))
    counts["all"] = _counted(whole, statement, weights)
    names = np.array(list(counts), dtype=object)
    answer = xr.Dataset(
        {
            "share": ("role", [each.share for each in counts.values()], about(f"share: {statement.text}")),
            "weight": ("role", [each.total for each in counts.values()], about("number of specifications")),
        },
        coords={"role": ("role", names, about("role of the axes that vary"))},
    )
    of = {"of": str(array.name), "statement": statement.text, "weights": describe_weights(weights)}
    missing = {"n_repeated": counts["all"].n_repeated, "n_missing": counts["all"].n_missing}
    return answer.merge(_by_choice(whole, counts["all"], statement)).assign_attrs(of | missing)


def check_summary(array: xr.DataArray) -> None:
    """Refuse what is not one array with a value for each specification."""
    check_array(array)
    if systems := system_dim(array):
        hint = "a summary such as result.rms_mean, or one system with .sel"
        raise SpecError(
            "a specification has one value", where=str(array.name), found=f"one for each {systems}", hint=hint
        )


def _by_choice(array: xr.DataArray, counts: Tally, statement: Statement) -> xr.Dataset:
    """Return what is measured with each choice of each axis, and how far the choices of an axis move it."""
    dims, plain = grid_dims(array), statement.holds is None
    units = str(array.attrs.get("units", "")) if plain else ""
    of = f"mean {array.name}" if plain else "share for which it holds"
    ends: dict[str, list[Any]] = {name: [] for name in ("lowest", "highest", "moves", "lowest_at", "highest_at")}
    options: dict[str, list[Any]] = {name: [] for name in ("option", "option_axis", "option_share", "option_weight")}
    for dim in dims:
        shares = counts.shares(dim)
        texts = [place_text(array, dim, i) for i in range(shares.size)]
        options["option"] += texts
        options["option_axis"] += [dim] * shares.size
        options["option_share"] += shares.tolist()
        options["option_weight"] += counts.totals[dim].tolist()
        low, high = int(np.nanargmin(shares)), int(np.nanargmax(shares))
        row = shares[low], shares[high], shares[high] - shares[low], texts[low], texts[high]
        for name, each in zip(ends, row, strict=True):
            ends[name].append(each)
    texts_of = {
        "lowest": f"smallest {of} among the choices",
        "highest": f"largest {of} among the choices",
        "moves": f"largest less smallest {of} among the choices",
    }
    objects = {name: np.array(options[name], dtype=object) for name in ("option", "option_axis")}
    return xr.Dataset(
        {name: ("axis", np.array(ends[name], dtype=float), about(text, units)) for name, text in texts_of.items()}
        | {
            name: ("axis", np.array(ends[name], dtype=object), about("the choice with that"))
            for name in ("lowest_at", "highest_at")
        }
        | {
            "option_share": ("option", np.array(options["option_share"]), about(f"{of} with this choice", units)),
            "option_weight": ("option", np.array(options["option_weight"]), about("specifications with this choice")),
        },
        coords={
            "axis": ("axis", np.array(dims, dtype=object), about("axis")),
            "axis_role": ("axis", np.array([role_of(array, dim) for dim in dims], dtype=object), about("its role")),
            "option": ("option", objects["option"], about("choice")),
            "option_axis": ("option", objects["option_axis"], about("its axis")),
        },
    )


def _counted(array: xr.DataArray, statement: Statement, weights: Mapping[str, Any] | None) -> Tally:
    """Count specifications, of which some have a finite value and a weight."""
    counts = count_specifications(array, statement, weights=weights)
    if not counts.total:
        what = f"no specification has a finite value{' and a weight' if weights else ''}"
        raise SpecError(what, where=str(array.name))
    return counts


def _own(array: xr.DataArray, weights: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the weights of axes that an array has; None only if there are no weights at all."""
    if weights is None:
        return None
    dims = grid_dims(array)
    own = {name: each for name, each in weights.items() if any(name in (d, *axes_along(array, d)) for d in dims)}
    return own
