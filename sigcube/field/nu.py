"""ν(g, r) of the field equation, from the terms of a kernel."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import DataError, SpecError
from sigcube.model.compile import ufunc
from sigcube.model.graph import Variables
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.model.record import Frame, Term

__all__ = ["Nu", "nu_of"]

FloatArray = npt.NDArray[np.float64]

#: ν from radii in kpc and Newtonian accelerations in m/s².
Nu = Callable[[FloatArray, FloatArray], FloatArray]

_POINT = frozenset({"r", "g_bar"})


def nu_of(kernel: Kernel, scales: Mapping[str, float], settings: Mapping[str, Any]) -> Nu:
    """Return a kernel's boost, under its settings, as a function of radius and acceleration.

    Its terms may also use the ``scales`` of the system, see `Source.scales`.

    Raises
    ------
    SpecError
        For a name, label or value that the kernel does not have or use, or a boost that needs more than r and g.
    """
    # Only r and g enter; the scale length of an ideal disc is R_d.
    defaults = {} if "scale_length_third_point" in scales else {"scale_length": "catalogue"}
    model = Model(kernel, Frame("field", None, {}, (), "m/s2", defaults=defaults), settings)
    model.check_names(settings)
    variables = Variables(_POINT, frozenset(scales))
    try:
        graph = model.graph(("boost",), variables=variables)
    except DataError as error:
        raise SpecError(
            f"ν of the field equation is a function of g and r alone, and {error.what.split(', which')[0]}",
            where=error.where,
            expected=f"no more than {', '.join(sorted(_POINT | set(scales)))}",
            hint="choose other labels, or another kernel",
        ) from error
    model.check_given(graph, variables)
    if graph.previous:
        what = "ν of the field equation is a function of g and r alone, and the boost takes values at the point before"
        raise SpecError(what, found=graph.previous[0][0], hint="choose other labels, or another kernel")
    fixed = {name: float(value) for name, value in model.inputs(graph).items()} | dict(scales)

    def nu(r: FloatArray, g: FloatArray) -> FloatArray:
        values: dict[str, Any] = {**fixed, "r": r, "g_bar": g}
        for node in graph.nodes:
            values[node.name] = _apply(node.function, [values[name] for name in node.inputs])
        return np.broadcast_to(np.asarray(values[graph.targets[0]], dtype=np.float64), np.broadcast(r, g).shape)

    return nu


def _apply(term: Term, arguments: list[Any]) -> Any:
    """Call a term on numbers directly, on arrays as the same ufunc that evaluates kernels on cubes."""
    if any(np.ndim(argument) for argument in arguments):
        return ufunc(term)(*arguments)
    return term(*(np.float64(argument) for argument in arguments))
