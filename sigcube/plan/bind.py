"""Planning a spec on data: the sample packed with what its models need, and the plan for it."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.chunks import Region
from sigcube.cube import Counts, Packed, Where, fingerprint, kind_of, pack, refuse_reshaped, refuse_unusable
from sigcube.cube.inspection import describe_counts
from sigcube.errors import DataError, SpecError, StoreMismatch, shown
from sigcube.model.error_frame import QUOTED
from sigcube.model.frames import variables_of
from sigcube.model.graph import Variables
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.plan.adoption import adopt_digits
from sigcube.plan.checks import check_finish, check_spec
from sigcube.plan.errors_of_g_bar import describe_g_bar
from sigcube.plan.errors_of_systems import describe_errors, with_quoted
from sigcube.plan.extension import extend_spec
from sigcube.plan.identity import find_differences
from sigcube.plan.lacking import describe_lacking
from sigcube.plan.plan import Plan, make_plan
from sigcube.plan.scaling import check_scaling
from sigcube.plan.sections import make_sections, reduced_points, required_variables
from sigcube.plan.spec import Spec
from sigcube.plan.values import MOST_BLOCKS, Section
from sigcube.wording import listed, plural

__all__ = ["ORIGIN", "extend_plan", "plan_cube", "plan_packed"]

# An extension into this many blocks is refused if a sweep of its own would have that many times fewer.
_MANY_BLOCKS, _MOST_TIMES = 1000, 20

_CREDITS = ("citation", "licence", "synthetic", "raw_files")
_LISTED = 5
_SAMPLE = ("sample", "where", "error_floor", "errors", "lacking", "n_systems", "n_points")

#: Attributes that a result repeats from its cube, or that describe the sample.
ORIGIN = (*_CREDITS, "title", "cube", "cube_fingerprint", *_SAMPLE, "data")


def plan_cube(
    spec: Spec,
    cube: xr.Dataset,
    *,
    sample: str,
    where: Where | None = None,
    error_floor: float | str | None = None,
    title: str | None = None,
    kernels: Sequence[Kernel] = (),
) -> tuple[Plan, Packed]:
    """Plan a spec on a sample of a cube; return the plan, and the sample with the variables that it needs.

    ``where`` narrows the named sample, and errors of what is observed are at least ``error_floor``, see `Sweep`.
    Without a ``title``, one names ``kernels``, by default those of the spec.

    Raises
    ------
    SpecError, DataError
        For an unknown sample, a cube without one of its dimensions, a spec that makes no sense on it, and more than
        `MOST_BLOCKS` blocks.
    """
    refuse_reshaped(cube)
    check_spec(spec)
    found = fingerprint(cube)
    cube = with_quoted(cube, spec.model.frame)
    sections = make_sections(spec, variables_of(cube))
    variables = required_variables(spec, sections)
    origin = {name: cube.attrs[name] for name in _CREDITS if name in cube.attrs}
    # The cube's own attributes are wrong if it was changed in memory since it was opened.
    changed = found != cube.attrs.get("fingerprint", found)
    origin |= {
        "cube": f"{cube.attrs['title']}{', changed in memory' if changed else ''}",
        "cube_fingerprint": found,
        "sample": sample,
    }
    if where is not None:
        origin["where"] = where if isinstance(where, str) else "(a mask given in Python)"
    # Pages of a result draw against the quoted radius, even where models see it at another distance.
    shown_too = ("r",) if f"r{QUOTED}" in variables else ()
    reduced = reduced_points(sections) if where is not None else ()
    packed = pack(cube, sample=sample, where=where, variables=(*variables, *shown_too), whole=bool(reduced))
    packed = replace(packed, properties={n: each for n, each in packed.properties.items() if not n.endswith(QUOTED)})
    # Afterwards, as a condition on errors speaks of those in the cube.
    if error_floor is not None:
        packed, origin["error_floor"] = _with_least_errors(packed, spec.model, error_floor)
    # What a condition leaves out may be of any value, unless terms of whole systems take it.
    of_whole = {name: packed.whole.points[name] for name in reduced}
    refuse_unusable(cube, {**packed.points, **of_whole, **packed.per_system})
    check_finish(spec.metrics, packed)
    if said := [each for each in (describe_errors(spec, packed), describe_g_bar(spec, sections, packed)) if each]:
        origin["errors"] = "; ".join(said)
    # After what errors need of systems, which say more.
    _check_known(sections, packed, kind_of(cube).system_dim)
    check_scaling(spec, sections, packed)
    origin |= {"n_systems": packed.n_systems, "n_points": packed.n_points}
    if lacking := describe_lacking(spec, packed):
        origin["lacking"] = lacking
    titles = ", ".join(dict.fromkeys(kernel.title for kernel in kernels or spec.kernels))
    origin["title"] = title or f"{titles} over {origin['cube']}; {_describe_sample(cube, origin)}"
    return _plan(spec, sections, packed, origin), packed


def _describe_sample(cube: xr.Dataset, origin: Mapping[str, Any]) -> str:
    where = f" where {origin['where']}" if "where" in origin else ""
    counts = describe_counts(kind_of(cube).name, Counts(origin["n_systems"], origin["n_points"]))
    floor = f", errors of at least {origin['error_floor']}" if "error_floor" in origin else ""
    return f"sample {origin['sample']}{where}: {counts}{floor}"


def _with_least_errors(packed: Packed, model: Model, floor: float | str) -> tuple[Packed, str]:
    """Return the data with errors of at least the floor, and the floor in words; unknown errors stay unknown."""
    share = isinstance(floor, str) and floor.strip().endswith("%")
    try:
        least = float("nan" if isinstance(floor, bool) else str(floor).strip().removesuffix("%"))
    except ValueError:
        least = math.nan
    if not 0.0 < least < math.inf:
        raise SpecError(
            "this is no floor of errors",
            where="error_floor",
            found=shown(floor),
            expected="a number in the unit of what is observed, or a part of it, such as '5 %'",
        )
    error, observed = model.name_behind("error"), model.name_behind("observed")
    if error not in packed.points:
        hint = "leave it out, or ask for χ²: metrics = ['chi2_red']"
        raise SpecError("nothing here uses the errors of the data", where="error_floor", hint=hint)
    if not share and not model.unit:
        hint = "give it as a part of what is observed, such as '5 %'"
        raise SpecError("what is observed here has no common unit", where="error_floor", found=shown(floor), hint=hint)

    def raised(points: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, npt.NDArray[np.float64]]:
        lowest = abs(points[observed]) * (least / 100.0) if share else least
        return {**points, error: np.where(points[error] < lowest, lowest, points[error])}

    whole = packed.narrowed_from
    packed = replace(
        packed,
        points=raised(packed.points),
        narrowed_from=None if whole is None else replace(whole, points=raised(whole.points)),
    )
    return packed, f"{least:g} % of {observed}" if share else f"{least:g} {model.unit}"


def plan_packed(
    spec: Spec, packed: Packed, origin: Mapping[str, Any], *, stages: tuple[Region, ...] = (), asked: Spec | None = None
) -> Plan:
    """Plan a spec on data that were packed for it, as in a result; `stages` and `asked` as in `Plan`."""
    check_spec(spec)
    variables = Variables(frozenset(packed.points), frozenset(packed.per_system))
    return _plan(spec, make_sections(spec, variables), packed, origin, stages=stages, asked=asked)


def extend_plan(stored: Plan, wanted: Plan, packed: Packed, *, where: str) -> Plan:
    """Plan a sweep as an extension of a result at `where`: new values of its axes lie behind the stored ones.

    Values that differ from stored ones by rounding alone are those of the result, also in the plan's `asked`.

    Raises
    ------
    StoreMismatch
        The result has values that the sweep lacks, or more than the values of axes differs.
    """
    asked = adopt_digits(stored.spec, wanted.spec)
    spec, added = extend_spec(stored.spec, asked, where=where)
    plan = plan_packed(spec, packed, wanted.origin, stages=(*stored.stages, *added), asked=asked)
    # Roles decide no value, so an extension may change them.
    grown = {"dimensions", "stages", "roles", *(f"axis {axis.name}" for axis in spec.grid.axes)}
    if differing := [part for part in find_differences(stored.identity, plan.identity) if part not in grown]:
        raise StoreMismatch(
            f"a result is extended by values of its axes alone: {', '.join(differing)} differ",
            where=where,
            found="; ".join(f"{part} = {stored.identity.get(part)}" for part in differing),
            expected="; ".join(f"{part} = {plan.identity.get(part)}" for part in differing),
            hint="write to another path; results over the same grid are joined by xarray.merge",
        )
    if len(plan.blocks) > max(_MANY_BLOCKS, _MOST_TIMES * len(wanted.blocks)):
        raise StoreMismatch(
            "the result began too small to be extended so far: the size of its chunks stays",
            where=where,
            found=f"{len(plan.blocks):,} blocks, {plan.files:,} files",
            expected=f"{len(wanted.blocks):,} blocks, {wanted.files:,} files, as a sweep of its own",
            hint="write to another path",
        )
    return plan


def _plan(
    spec: Spec, sections: tuple[Section, ...], packed: Packed, origin: Mapping[str, Any], **extension: Any
) -> Plan:
    _check_order(sections, packed)
    _check_fitted(spec, packed)
    plan = make_plan(
        spec,
        sections,
        systems=packed.systems,
        n_points=packed.n_points,
        origin={**origin, "data": _digests(packed, properties=spec.keep_systems)},
        **extension,
    )
    if (n := len(plan.blocks)) > MOST_BLOCKS:
        raise SpecError(
            "the sweep is too large",
            where="axes",
            found=f"{spec.grid.size:,} grid points in {n:,} blocks",
            expected=f"at most {MOST_BLOCKS:,} blocks",
            hint="give an axis fewer values, or split the sweep into several",
        )
    return plan


def _check_known(sections: tuple[Section, ...], packed: Packed, dim: str | None) -> None:
    """Refuse systems that lack something a model needs, such as an external field that few have."""
    for name in dict.fromkeys(name for section in sections for name in section.model.graph.systems):
        if (unknown := np.isnan(packed.per_system[name])).any():
            lacking = [system for system, lacks in zip(packed.systems, unknown, strict=True) if lacks]
            raise DataError(
                f"a model needs {name!r}, which is not known for {plural(len(lacking), str(dim))} of the sample",
                where="cube",
                found=", ".join(lacking[:_LISTED]) + (" …" if len(lacking) > _LISTED else ""),
                hint=f"leave them out by where = '{name} == {name}', or choose labels that do not need it",
            )


def _check_fitted(spec: Spec, packed: Packed) -> None:
    """Refuse as many fitted parameters as a system has points, or more."""
    n, points, dim = spec.n_fitted, np.diff(packed.offsets), spec.model.frame.system_dim
    if 0 <= n < points.min():
        return
    short = [name for name, own in zip(packed.systems, points, strict=True) if own <= n]
    leave_out = f'leave out what has so few points, as by where = "{dim} not in {short[:_LISTED]}", or '
    raise SpecError(
        "fitted parameters leave no degrees of freedom",
        where="n_fitted",
        found=f"{n}" + (f", and no more points in {listed(short)}" if short else ""),
        expected=f"0 to {points.min() - 1}",
        hint=f"{leave_out if dim and short else ''}choose another n_fitted",
    )


def _check_order(sections: tuple[Section, ...], packed: Packed) -> None:
    """Refuse radii that decrease, where a model follows from point to point."""
    previous = [each for section in sections for each in section.model.graph.previous]
    if not previous or "r" not in packed.points:
        return
    steps = np.diff(packed.points["r"])
    # From one system to the next it may decrease.
    steps[packed.offsets[1:-1] - 1] = 0.0
    wrong = np.flatnonzero(~(steps >= 0.0))
    if wrong.size:
        point = int(wrong[0])
        system = int(np.searchsorted(packed.offsets, point, side="right")) - 1
        radii = packed.points["r"][point : point + 2]
        raise DataError(
            f"{previous[0][1]} follows from point to point, and the radii are not in order",
            where=f"{packed.systems[system]}, point {point - int(packed.offsets[system]) + 1}",
            found=f"r = {radii[0]:g} before {radii[1]:g} kpc",
            expected="radii that do not decrease",
            hint="sort the points of each system by radius",
        )


def _digests(packed: Packed, *, properties: bool) -> dict[str, str]:
    """Return the sha256 of each array that a sweep sees, and of properties of systems that it repeats, if any."""
    arrays = {"systems": np.array(packed.systems), "offsets": packed.offsets, **packed.points, **packed.per_system}
    if (whole := packed.narrowed_from) is not None:
        arrays |= {"whole offsets": whole.offsets, **{f"whole {name}": each for name, each in whole.points.items()}}
    if properties and packed.properties:
        arrays["properties"] = np.array(
            [f"{name} {_sha256(each.values)}" for name, each in sorted(packed.properties.items())]
        )
    return {name: _sha256(arrays[name]) for name in sorted(arrays)}


def _sha256(array: np.ndarray[Any, Any]) -> str:
    content = "\n".join(array).encode() if array.dtype.kind == "U" else np.ascontiguousarray(array).tobytes()
    return f"sha256 {hashlib.sha256(content).hexdigest()}"
