"""A spec met with a cube: the sample packed, with what it needs, and the plan for it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import Packed, fingerprint, kind_of, pack
from sigcube.errors import DataError
from sigcube.model.evaluate import variables_of
from sigcube.model.graph import Variables
from sigcube.plan.plan import Plan, make_plan
from sigcube.plan.spec import Spec

__all__ = ["ORIGIN", "gather", "plan_of"]

#: What a result repeats from its cube.
ORIGIN = ("title", "citation", "licence", "synthetic", "cube", "cube_fingerprint", "sample", "raw_files", "data")


def gather(spec: Spec, cube: xr.Dataset, sample: str) -> tuple[Packed, dict[str, Any]]:
    """Return the variables of a cube's sample that a spec needs, and where they come from.

    Raises
    ------
    SpecError, DataError
        For a sample that does not exist, a cube without one of its dimensions, and whatever
        `sigcube.plan.plan.make_plan` refuses.
    """
    if lost := [dim for dim in kind_of(cube).dims if dim not in cube.dims]:
        raise DataError(
            f"the cube has lost its dimension {lost[0]!r}",
            where=str(cube.attrs["title"]),
            hint=f"select by a list, which keeps it: .sel({lost[0]}=[...])",
        )
    bare = pack(cube, sample=sample, variables=())
    counts = np.diff(bare.offsets)
    plan = make_plan(
        spec,
        systems=bare.systems,
        n_points=bare.n_points,
        fewest_points=int(counts.min()),
        variables=variables_of(cube),
    )
    origin = {
        **{name: cube.attrs[name] for name in ("citation", "licence", "synthetic", "raw_files") if name in cube.attrs},
        "title": f"{spec.kernel.title} over {cube.attrs['title']}",
        "cube": cube.attrs["title"],
        # Not what the cube says of itself: it may have been changed in memory since it was opened.
        "cube_fingerprint": fingerprint(cube),
        "sample": sample,
    }
    return pack(cube, sample=sample, variables=plan.inputs), origin


def plan_of(spec: Spec, packed: Packed, origin: Mapping[str, Any]) -> Plan:
    """Plan a spec on the data that were gathered for it."""
    return make_plan(
        spec,
        systems=packed.systems,
        n_points=packed.n_points,
        fewest_points=int(np.diff(packed.offsets).min()),
        variables=Variables(frozenset(packed.points), frozenset(packed.per_system)),
        origin={**origin, "data": _digest(packed)},
    )


def _digest(packed: Packed) -> str:
    """Return the sha256 of the data that a sweep sees."""
    digest = hashlib.sha256("\n".join(packed.systems).encode())
    arrays = {"offsets": packed.offsets, **packed.points, **packed.per_system}
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return f"sha256 {digest.hexdigest()}"
