"""A model on whole arrays: each term as a ufunc, broadcast by xarray over named dimensions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import kind_of, unit_attrs
from sigcube.errors import SpecError
from sigcube.model.compilable import check_terms
from sigcube.model.compile import scalar, ufunc
from sigcube.model.frames import frame_of, variables_of
from sigcube.model.graph import Node
from sigcube.model.model import Model
from sigcube.model.record import KernelRecord, Term

__all__ = ["evaluate", "evaluate_model"]


def evaluate(kernel: KernelRecord, cube: xr.Dataset, target: str, settings: Mapping[str, Any]) -> Any:
    """Compute one target of a kernel at every point of a cube; see `Kernel.boost`."""
    return evaluate_model(Model(kernel, frame_of(cube), settings), cube, target)


def evaluate_model(model: Model, cube: xr.Dataset, target: str, *, reduced: xr.DataArray | None = None) -> Any:
    """Compute one target of a model, whose values may be DataArrays, at every point of a cube.

    Terms of whole systems go over the points that are `reduced`, or over all.
    """
    kernel = model.kernel
    model.check_names(model.settings)
    variables = variables_of(cube)
    graph = model.graph((target,), variables=variables)
    model.check_given(graph, variables)
    check_terms(graph)
    if graph.previous:
        name, of = graph.previous[0]
        raise SpecError(
            f"{kernel.name} follows from point to point, which arrays of whole cubes do not do",
            where=target,
            found=f"{name}, the value of {of} at the point before",
            hint="a sweep or a fit computes it",
        )
    for name, value in model.values.items():
        if np.ndim(value) and not isinstance(value, xr.DataArray):
            what = f"{name} has several values but no named dimension"
            raise SpecError(what, found=repr(value), expected="a number or a DataArray")
    values = model.inputs(graph)
    for node in graph.nodes:
        arguments = [values.get(i, cube[i] if i in cube else None) for i in node.inputs]
        values[node.name] = _reduce(node, arguments, cube, reduced) if node.reduces else _apply(node, arguments)
    name = graph.targets[0]
    value = values.get(name, cube.get(name))
    if target == "boost":
        long_name, unit = f"Σ = g_eff/g_N of {kernel.title}", ""
    elif target == "predicted":
        long_name, unit = f"prediction of {kernel.title}", model.unit
    else:
        return value
    return _over_points(value, cube, {"long_name": long_name, **unit_attrs(unit), "source": kernel.source}, target)


def _apply(node: Node, arguments: list[Any]) -> Any:
    if not any(isinstance(argument, xr.DataArray) for argument in arguments):
        # Numbers take the plain function: it gives the same bits, and compiling would take longer than everything else.
        with np.errstate(all="ignore"):
            return node.function(*(np.float64(argument) for argument in arguments))
    return xr.apply_ufunc(
        _call, *arguments, kwargs={"term": node.function}, dask="parallelized", output_dtypes=[np.float64]
    )


def _call(*arguments: Any, term: Term) -> Any:
    """Call a term on arrays. Where it is undefined, the cube has flags and the answer is NaN, without a warning."""
    with np.errstate(all="ignore"):
        return ufunc(term)(*arguments)


def _reduce(node: Node, arguments: list[Any], cube: xr.Dataset, reduced: xr.DataArray | None) -> xr.DataArray:
    """Reduce the points of each system, without padding, to one value; NaN where there are none."""
    point_dim = kind_of(cube).point_dim
    # If systems are single points, a dimension of length one stands for that of points.
    dim = point_dim or "point"
    radii = cube["r"] if reduced is None else cube["r"].where(reduced)
    whole = [_with_all_points(argument, point_dim) for argument in (radii, *arguments)]
    along = [isinstance(argument, xr.DataArray) and dim in argument.dims for argument in whole]

    def reduce(r: Any, *values: Any) -> float:
        # Only the radius tells padding: a point with an undefined term is still a point.
        is_point = ~np.isnan(r)
        if not is_point.any():
            return np.nan
        given = (v[is_point] if is_array else v for v, is_array in zip(values, along[1:], strict=True))
        return float(scalar(node.function)(*given))

    return xr.apply_ufunc(
        reduce,
        *whole,
        input_core_dims=[[dim] if is_array else [] for is_array in along],
        vectorize=True,
        dask="parallelized",
        output_dtypes=[np.float64],
    )


def _with_all_points(argument: Any, point_dim: str | None) -> Any:
    """Return an argument with all points of a system in one chunk."""
    if not isinstance(argument, xr.DataArray):
        return argument
    if point_dim is None:
        return argument.expand_dims(point=1)
    chunked = argument.chunks is not None and point_dim in argument.dims
    return argument.chunk({point_dim: -1}) if chunked else argument


def _over_points(value: Any, cube: xr.Dataset, attrs: dict[str, str], name: str) -> xr.DataArray:
    """Return a value at every point of the cube, NaN in the padding."""
    array = value if isinstance(value, xr.DataArray) else xr.full_like(cube["r"], float(value))
    array = array.where(cube["r"].notnull())
    array.name, array.attrs = name, attrs
    return array
