"""A kernel on whole arrays: each term as a ufunc, broadcast by xarray over named dimensions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.constants import CONSTANTS
from sigcube.cube import kind_of
from sigcube.errors import DataError, SpecError
from sigcube.model.compile import scalar, ufunc
from sigcube.model.frames import FRAMES
from sigcube.model.graph import Frame, Graph, Node, Variables, model_parameters, resolve, resolve_labels
from sigcube.model.record import Kernel, Term
from sigcube.model.settings import check_names, check_values, split

__all__ = ["evaluate", "frame_of", "variables_of"]


def frame_of(cube: xr.Dataset) -> Frame:
    """Return the frame for a cube's kind.

    Raises
    ------
    DataError
        For a Dataset that is not a cube, or of a kind that models do not meet.
    """
    kind = kind_of(cube).name
    if kind not in FRAMES:
        raise DataError(
            f"no model predicts anything for a {kind} cube", where=str(cube.attrs.get("title")), expected=_kinds()
        )
    return FRAMES[kind]


def _kinds() -> str:
    return " or ".join(FRAMES)


def variables_of(cube: xr.Dataset) -> Variables:
    """Return the numeric variables of a cube, split into those of points and those of systems."""
    dims = set(kind_of(cube).dims)
    numeric = {str(name): v for name, v in cube.data_vars.items() if v.dtype.kind in "fiu"}
    points = frozenset(name for name, variable in numeric.items() if set(variable.dims) == dims)
    return Variables(points, frozenset(numeric) - points)


def evaluate(kernel: Kernel, cube: xr.Dataset, target: str, settings: Mapping[str, Any]) -> Any:
    """Compute one target of a kernel at every point of a cube. `Kernel.boost` tells the rest."""
    frame = frame_of(cube)
    check_names(kernel, frame, settings)
    given_labels, given_values = split(kernel, frame, settings)
    labels = resolve_labels(kernel, frame, {name: str(label) for name, label in given_labels.items()})
    graph = resolve(kernel, frame, labels=labels, targets=(target,), variables=variables_of(cube))
    values = _values(kernel, frame, graph, labels, given_values)
    for node in graph.nodes:
        values[node.name] = _apply(node, [values.get(i, cube[i] if i in cube else None) for i in node.inputs], cube)
    name = graph.targets[0]
    value = values.get(name, cube.get(name))
    if target == "boost":
        return _over_points(
            value, cube, {"long_name": f"Σ = g_eff/g_N of {kernel.title}", "units": "", "source": kernel.source}, target
        )
    if target == "predicted":
        attrs = {"long_name": f"prediction of {kernel.title}", "units": frame.unit(labels), "source": kernel.source}
        return _over_points(value, cube, attrs, target)
    return value


def _values(
    kernel: Kernel, frame: Frame, graph: Graph, labels: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any]:
    parameters = model_parameters(kernel, frame)
    constants = CONSTANTS[labels["constants"]]
    for name, value in given.items():
        if name not in graph.parameters:
            chosen = ", ".join(f"{key}={label!r}" for key, label in labels.items())
            raise SpecError(
                f"{kernel.name} does not use {name!r} here",
                found=chosen,
                hint=f"leave {name} out, or choose other labels",
            )
        check_values(parameters[name], value)
        if np.ndim(value) and not isinstance(value, xr.DataArray):
            raise SpecError(
                f"{name} has several values but no named dimension",
                found=repr(value),
                expected="a number or a DataArray",
            )
    values: dict[str, Any] = {name: getattr(constants, name) for name in graph.constants}
    values.update({name: given.get(name, parameters[name].value(constants)) for name in graph.parameters})
    return values


def _apply(node: Node, arguments: list[Any], cube: xr.Dataset) -> Any:
    if node.reduces:
        return _reduce(node, arguments, cube)
    if not any(isinstance(argument, xr.DataArray) for argument in arguments):
        return _once(node.function, arguments)
    return xr.apply_ufunc(
        _call, *arguments, kwargs={"term": node.function}, dask="parallelized", output_dtypes=[np.float64]
    )


def _once(term: Term, arguments: list[Any]) -> Any:
    """Call a term on numbers as it is: the same bits, and compiling it would take longer than all the rest."""
    with np.errstate(all="ignore"):
        return term(*(np.float64(argument) for argument in arguments))


def _call(*arguments: Any, term: Term) -> Any:
    """Call a term on arrays. Where it is undefined the cube has flags, and the answer is NaN: that needs no warning."""
    with np.errstate(all="ignore"):
        return ufunc(term)(*arguments)


def _reduce(node: Node, arguments: list[Any], cube: xr.Dataset) -> xr.DataArray:
    """Fold the points of each system, padding left out, into one value."""
    # Where systems are single points, a dimension of one stands in for that of their points.
    point_dim = kind_of(cube).point_dim or "point"
    expanded = [_as_row(argument, point_dim) for argument in (cube["r"], *arguments)]
    radius, arguments = expanded[0], expanded[1:]
    along = [isinstance(argument, xr.DataArray) and point_dim in argument.dims for argument in arguments]

    def fold(r: Any, *values: Any) -> float:
        # The radius alone tells padding: a point where a term is undefined is a point all the same.
        kept = ~np.isnan(r)
        return float(
            scalar(node.function)(*(v[kept] if is_array else v for v, is_array in zip(values, along, strict=True)))
        )

    # Chunked or not, the points of a system must come together.
    whole = [_unsplit(argument, point_dim) for argument in (radius, *arguments)]
    return xr.apply_ufunc(
        fold,
        *whole,
        input_core_dims=[[point_dim] if is_array else [] for is_array in (True, *along)],
        vectorize=True,
        dask="parallelized",
        output_dtypes=[np.float64],
    )


def _as_row(argument: Any, point_dim: str) -> Any:
    lacks = isinstance(argument, xr.DataArray) and point_dim == "point"
    return argument.expand_dims(point=1) if lacks else argument


def _unsplit(argument: Any, dim: str) -> Any:
    chunked = isinstance(argument, xr.DataArray) and argument.chunks is not None and dim in argument.dims
    return argument.chunk({dim: -1}) if chunked else argument


def _over_points(value: Any, cube: xr.Dataset, attrs: dict[str, str], name: str) -> xr.DataArray:
    """Return a value at every point of the cube, NaN in the padding."""
    array = value if isinstance(value, xr.DataArray) else xr.full_like(cube["r"], float(value))
    array = array.where(cube["r"].notnull())
    array.name, array.attrs = name, attrs
    return array
