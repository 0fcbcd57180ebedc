"""ν(g, r) of the field equation: a registered kernel's own terms, on arrays of accelerations and radii."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import DataError, SpecError
from sigcube.model.compile import ufunc
from sigcube.model.graph import Graph, Variables
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.model.record import Frame, Term

__all__ = ["Nu", "nu_of"]

FloatArray = npt.NDArray[np.float64]

#: ν from radii in kpc and Newtonian accelerations in m/s².
Nu = Callable[[FloatArray, FloatArray], FloatArray]

_POINT = frozenset({"r", "g_bar"})


def nu_of(kernel: Kernel, scales: Mapping[str, float], settings: Mapping[str, Any]) -> Nu:
    """Return a kernel's boost as a function of r and g alone.

    Parameters
    ----------
    kernel : Kernel
        The model.
    scales : Mapping
        The lengths of the system that its terms may ask for, as `Source.scales`.
    settings : Mapping
        Its labels and parameters.

    Raises
    ------
    SpecError
        For a name, label or value the kernel does not have or use, or a boost that needs more than r and g.
    """
    model = Model(kernel, _frame(scales), settings)
    model.check_names(settings)
    graph = _graph(model, frozenset(scales))
    model.check_given(graph)
    fixed = {name: float(value) for name, value in model.inputs(graph).items()} | dict(scales)

    def nu(r: FloatArray, g: FloatArray) -> FloatArray:
        values: dict[str, Any] = {**fixed, "r": r, "g_bar": g}
        for node in graph.nodes:
            values[node.name] = _apply(node.function, [values[name] for name in node.inputs])
        return np.broadcast_to(np.asarray(values[graph.targets[0]], dtype=np.float64), np.broadcast(r, g).shape)

    return nu


def _apply(term: Term, arguments: list[Any]) -> Any:
    """Call a term: on numbers as it is, on arrays as the ufunc that kernels are on cubes."""
    if any(np.ndim(argument) for argument in arguments):
        return ufunc(term)(*arguments)
    return term(*(np.float64(argument) for argument in arguments))


def _frame(scales: Mapping[str, float]) -> Frame:
    """Return how models meet an equation: nothing but r and g; R_d is the only length an ideal disc has."""
    defaults = {} if "scale_length_third_point" in scales else {"scale_length": "catalogue"}
    return Frame("field", None, {}, (), "m/s2", defaults=defaults)


def _graph(model: Model, scales: frozenset[str]) -> Graph:
    try:
        return model.graph(("boost",), variables=Variables(_POINT, scales))
    except DataError as error:
        raise SpecError(
            f"ν of the field equation is a function of g and r alone, and {error.what.split(', which')[0]}",
            where=error.where,
            expected=f"no more than {', '.join(sorted(_POINT | scales))}",
            hint="choose other labels, or another kernel",
        ) from error
