"""A spec met with data: the sample packed with what its models need, and the plan for it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.chunks import Region
from sigcube.cube import Packed, fingerprint, kind_of, pack
from sigcube.errors import DataError, SpecError, StoreMismatch
from sigcube.model.frames import variables_of
from sigcube.model.graph import Variables
from sigcube.plan.checks import check_spec
from sigcube.plan.extension import extend_spec
from sigcube.plan.identity import find_differences
from sigcube.plan.plan import Plan, make_plan
from sigcube.plan.sections import make_sections, required_variables
from sigcube.plan.spec import Spec
from sigcube.plan.values import MOST_BLOCKS, Section

__all__ = ["ORIGIN", "extend_plan", "plan_cube", "plan_packed"]

#: What a result repeats from its cube.
ORIGIN = ("title", "citation", "licence", "synthetic", "cube", "cube_fingerprint", "sample", "raw_files", "data")


def plan_cube(spec: Spec, cube: xr.Dataset, *, sample: str, title: str | None = None) -> tuple[Plan, Packed]:
    """Plan a spec on a named sample of a cube; return the plan, and the sample with the variables that it needs.

    Raises
    ------
    SpecError, DataError
        For a sample that does not exist, a cube without one of its dimensions, a spec that makes no sense on it, and
        one of more than `MOST_BLOCKS` blocks.
    """
    if lost := [dim for dim in kind_of(cube).dims if dim not in cube.dims]:
        raise DataError(
            f"the cube has lost its dimension {lost[0]!r}",
            where=str(cube.attrs["title"]),
            hint=f"select by a list, which keeps it: .sel({lost[0]}=[...])",
        )
    check_spec(spec)
    sections = make_sections(spec, variables_of(cube))
    packed = pack(cube, sample=sample, variables=required_variables(spec, sections))
    origin = {
        **{name: cube.attrs[name] for name in ("citation", "licence", "synthetic", "raw_files") if name in cube.attrs},
        "title": title or f"{spec.model.kernel.title} over {cube.attrs['title']}",
        "cube": cube.attrs["title"],
        # Not what the cube says of itself: it may have been changed in memory since it was opened.
        "cube_fingerprint": fingerprint(cube),
        "sample": sample,
    }
    return _plan(spec, sections, packed, origin), packed


def plan_packed(
    spec: Spec, packed: Packed, origin: Mapping[str, Any], *, stages: tuple[Region, ...] = (), asked: Spec | None = None
) -> Plan:
    """Plan a spec on data that were packed for it before, as a result holds them; `stages` and `asked` as in `Plan`."""
    check_spec(spec)
    variables = Variables(frozenset(packed.points), frozenset(packed.per_system))
    return _plan(spec, make_sections(spec, variables), packed, origin, stages=stages, asked=asked)


def extend_plan(stored: Plan, wanted: Plan, packed: Packed, *, where: str) -> Plan:
    """Plan a sweep as an extension of a result at `where`: new values of its axes lie behind those that are stored.

    Raises
    ------
    StoreMismatch
        The result has values that are not wanted, or more than the values of axes differs.
    """
    spec, added = extend_spec(stored.spec, wanted.spec, where=where)
    plan = plan_packed(spec, packed, wanted.origin, stages=(*stored.stages, *added), asked=wanted.spec)
    grown = {"dimensions", "stages", *(f"axis {axis.name}" for axis in spec.grid.axes)}
    if differing := [part for part in find_differences(stored.identity, plan.identity) if part not in grown]:
        raise StoreMismatch(
            f"a result is extended by values of its axes alone: {', '.join(differing)} differ",
            where=where,
            found="; ".join(f"{part} = {stored.identity.get(part)}" for part in differing),
            expected="; ".join(f"{part} = {plan.identity.get(part)}" for part in differing),
            hint="write to another path; results over the same grid are joined by xarray.merge",
        )
    return plan


def _plan(
    spec: Spec, sections: tuple[Section, ...], packed: Packed, origin: Mapping[str, Any], **extension: Any
) -> Plan:
    plan = make_plan(
        spec,
        sections,
        systems=packed.systems,
        n_points=packed.n_points,
        fewest_points=int(np.diff(packed.offsets).min()),
        origin={**origin, "data": _digests(packed)},
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


def _digests(packed: Packed) -> dict[str, str]:
    """Return the sha256 of each array that a sweep sees."""
    arrays = {"systems": np.array(packed.systems), "offsets": packed.offsets, **packed.points, **packed.per_system}
    return {name: _sha256(arrays[name]) for name in sorted(arrays)}


def _sha256(array: np.ndarray[Any, Any]) -> str:
    content = "\n".join(array).encode() if array.dtype.kind == "U" else np.ascontiguousarray(array).tobytes()
    return f"sha256 {hashlib.sha256(content).hexdigest()}"
