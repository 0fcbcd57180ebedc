"""A result as users open it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from sigcube.cube import Packed, describe_systems
from sigcube.cube.storage import reading, refuse_other_store
from sigcube.errors import SigcubeError, SpecError
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.bind import ORIGIN, plan_packed
from sigcube.plan.extension import order_of
from sigcube.plan.grid import Grid, make_grid
from sigcube.plan.identity import find_differences, in_present_words
from sigcube.plan.plan import Plan
from sigcube.plan.spec import spec_from_record
from sigcube.store.run import refuse_damaged_files
from sigcube.store.template import journal_folder, read_attrs, read_inputs, read_layout, read_properties

__all__ = ["as_asked", "changed_parts", "open_result", "read_plan", "result_attrs"]


def result_attrs(path: str | Path, *kinds: str) -> dict[str, Any]:
    """Return the attributes of a result of the kind ``"result"``, of a sweep, or ``"fit"``.

    Raises
    ------
    SpecError
        For a path at which there is something else.
    StoreError
        When there is nothing, or it is damaged.
    """
    try:
        refuse_other_store(path, *kinds)
        with reading(path, what="result"):
            attrs = read_attrs(path)
    except SigcubeError:
        # A damaged store may no longer look like a result.
        refuse_damaged_files(path)
        raise
    if "spec" not in attrs:
        raise SpecError("this is not a result of a sweep", where=str(path), hint="name the folder of a sigcube result")
    return attrs


def open_result(path: str | Path) -> xr.Dataset:
    """Open a result cube, finished or still being written.

    Parameters
    ----------
    path : path
        The result store.

    Returns
    -------
    xarray.Dataset
        Metrics of systems, summaries over the grid's axes, and the ``status`` of each grid point; or what a fit found.
        Axes are in the order of the spec. Values are loaded when used; arrays have the ``hvplot`` accessor.

    Raises
    ------
    SpecError
        There is something else at the path.
    StoreError
        There is nothing, or its attributes, coordinates or inputs were altered since they were written.
        `sigcube.verify` checks the values.
    """
    attrs = result_attrs(path, "result", "fit")
    refuse_damaged_files(path)
    _register_hvplot()
    with reading(path, what="result"):
        result: xr.Dataset = xr.open_zarr(path, chunks=None)
    text = {name: coord.astype(object) for name, coord in result.coords.items() if coord.dtype.kind == "T"}
    result = result.assign_coords(text)
    # A copy that xarray saved has no journal.
    if journal_folder(path).is_dir():
        with reading(path, what="result"):
            stored, properties = read_layout(path).spec, read_properties(path)
        if stored:
            result = as_asked(result, _grid(stored), _grid(json.loads(attrs["spec"])))
        result = describe_systems(result, properties)
    return result


def as_asked(result: xr.Dataset, stored: Grid, asked: Grid) -> xr.Dataset:
    """Put a result in the order of the spec: an extension stores new values of an axis behind the old ones."""
    return result.isel(order_of(stored, asked)).transpose(..., *asked.dims)


def _grid(record: Mapping[str, Any]) -> Grid:
    return make_grid({name: (axis["dim"], axis["values"]) for name, axis in record["axes"].items()})


def read_plan(
    path: str | Path,
    *,
    own_kernels: Mapping[str, Kernel] | None = None,
    own_metrics: Mapping[str, Metric] | None = None,
) -> tuple[Plan, Packed]:
    """Plan the sweep that made a result, from the spec and the data that the result holds; return plan and data.

    Raises
    ------
    SpecError
        There is something else, or it names a kernel or a metric that is neither registered nor given.
    StoreError
        There is nothing, or it is damaged.
    """
    attrs = result_attrs(path, "result")
    own: Any = {"own_kernels": own_kernels, "own_metrics": own_metrics}
    with reading(path, what="result"):
        layout, packed = read_layout(path), read_inputs(path)
        asked = spec_from_record(json.loads(attrs["spec"]), **own)
        spec = spec_from_record(layout.spec, **own) if layout.spec else asked
    origin = {name: attrs[name] for name in ORIGIN if name in attrs}
    return plan_packed(spec, packed, origin, stages=layout.stages, asked=asked), packed


def changed_parts(plan: Plan, path: str | Path) -> dict[str, str]:
    """Return the parts of a result's identity that differ from a plan read from it, as the result has them."""
    stored = in_present_words(json.loads(read_attrs(path)["identity"]))
    return {key: str(stored.get(key)) for key in find_differences(stored, plan.identity)}


class _HvplotOnFirstUse:
    """Stands for the ``hvplot`` accessor until hvPlot is imported, which replaces it.

    Importing hvPlot takes longer than a small sweep. Classes themselves lack the attribute, so that hvPlot does not
    warn that it replaces one.
    """

    def __get__(self, data: Any, kind: type) -> Any:
        if data is None:
            raise AttributeError("hvplot")
        import hvplot.xarray  # noqa: F401

        return data.hvplot


def _register_hvplot() -> None:
    for kind in (xr.Dataset, xr.DataArray):
        if "hvplot" not in vars(kind):
            setattr(kind, "hvplot", _HvplotOnFirstUse())  # noqa: B010 - mypy knows no such attribute
