"""Small sweeps in memory: a plan with its data, and the whole of its result."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import Packed
from sigcube.engine import Engine
from sigcube.plan.bind import plan_cube
from sigcube.plan.plan import Plan
from sigcube.plan.spec import make_spec


def planned(cube: xr.Dataset, *, sample: str = "unflagged", **spec: Any) -> tuple[Plan, Packed]:
    """Plan a sweep of a cube, and pack what it needs."""
    return plan_cube(make_spec(kind="galaxy", **spec), cube, sample=sample)


def whole(plan: Plan, packed: Packed) -> dict[str, np.ndarray]:
    """Every array of a result, block by block; what no block writes stays NaN, or status 0."""
    arrays = {v.name: np.full(v.shape, np.nan if v.dtype != "uint8" else 0, dtype=v.dtype) for v in plan.variables}
    engine = Engine(plan, packed)
    for block in plan.blocks:
        values: Mapping[str, Any] = engine.evaluate(block)
        for name, array in arrays.items():
            for region in block.regions:
                array[..., *region] = values[name]
    return arrays


def assert_same_bits(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)
