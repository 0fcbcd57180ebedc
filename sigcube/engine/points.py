"""The terms of a model at every point of one system, for one combination of parameters, as a minimiser needs them.

The loop of a sweep adds up over points and runs along a grid. A minimiser needs the points themselves, for one
combination of parameters after another. So here the terms are computed one after the other, each over all points of
the system, and the swept parameters are the elements of one array.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sigcube.cube import Packed
from sigcube.model.compile import compiled, define, inlined
from sigcube.model.graph import Graph, Level, Node
from sigcube.model.model import BoundModel

__all__ = ["PointTerms"]

FloatArray = npt.NDArray[np.float64]


class PointTerms:
    """Terms of a model as a function of its swept parameters, point by point.

    Parameters
    ----------
    model : BoundModel
        The model. Its swept parameters are what a call sets, in the order in which the model names them.
    packed : Packed
        The systems, with the variables that the terms name.
    names : tuple of str
        Terms of points, such as ``("pull", "residual")``.
    """

    def __init__(self, model: BoundModel, packed: Packed, names: tuple[str, ...]) -> None:
        swept = tuple(name for name, _ in model.swept)
        graph, fixed = model.graph, dict(model.fixed)
        self._names = names
        self._offsets, self._whole = packed.offsets, packed.whole.offsets
        part, narrowed = graph.only(*names), packed.narrowed_from is not None
        self._loop = _loop(part, swept, narrowed=narrowed)
        self._inputs = (
            *(packed.points[name] for name in graph.points),
            *(packed.whole.points[name] for name in (part.reduced_points if narrowed else ())),
            *(packed.per_system[name] for name in graph.systems),
            *(fixed[name] for name in (*graph.parameters, *graph.constants) if name not in swept),
        )

    def __call__(self, values: FloatArray, system: int) -> FloatArray:
        """Evaluate the terms.

        Parameters
        ----------
        values : ndarray, shape (n_swept,)
            The swept parameters.
        system : int
            Which system.

        Returns
        -------
        ndarray, shape (n_names, n_points of the system)
            NaN or infinite where a term is not defined.
        """
        start, stop = self._offsets[system], self._offsets[system + 1]
        out = np.empty((len(self._names), stop - start))
        self._loop(values, system, start, stop, self._whole[system], self._whole[system + 1], *self._inputs, out)
        return out


@lru_cache(maxsize=256)
def _loop(graph: Graph, swept: tuple[str, ...], *, narrowed: bool) -> Callable[..., None]:
    functions = {f"f_{node.name}": inlined(node.function) for node in graph.nodes}
    source = "\n".join(_source(graph, swept, narrowed=narrowed))
    loop: Callable[..., None] = compiled(define(source, "points", {"np": np, **functions}))
    return loop


def _source(graph: Graph, swept: tuple[str, ...], *, narrowed: bool) -> Iterator[str]:
    """Yield the lines of ``points(values, s, start, stop, first, last, …, out)``.

    ``x_`` is a scalar, ``p_`` an array over the points of the system, and ``w_``, if a condition narrowed these, one
    over all that it has, which reductions take.
    """
    at_points = {*graph.points, *(node.name for node in graph.nodes if node.level is Level.POINT)}
    earlier = {name: f"(p_{of}[i - 1] if i else 0.0)" for name, of in graph.previous}
    others = [name for name in (*graph.parameters, *graph.constants) if name not in swept]
    reduced = graph.reduced_points if narrowed else ()
    arguments = [f"all_{name}" for name in graph.points] + [f"whole_{name}" for name in reduced]
    arguments += [f"all_{name}" for name in graph.systems] + [f"x_{name}" for name in others]
    yield f"def points({', '.join(['values', 's', 'start', 'stop', 'first', 'last', *arguments, 'out'])}):"
    yield from (f"    x_{name} = values[{i}]" for i, name in enumerate(swept))
    yield from (f"    x_{name} = all_{name}[s]" for name in graph.systems)
    yield from (f"    p_{name} = all_{name}[start:stop]" for name in graph.points)
    yield from (f"    w_{name} = whole_{name}[first:last]" for name in reduced)

    def call(node: Node, form: str) -> str:
        element = "" if node.reduces else "[i]"
        values = {name: f"{form}_{name}{element}" for name in at_points} | earlier
        return f"f_{node.name}({', '.join(values.get(name, f'x_{name}') for name in node.inputs)})"

    for node in (each for each in graph.nodes if each.name not in graph.recursive):
        if node.name not in at_points:
            yield f"    x_{node.name} = {call(node, 'w' if narrowed else 'p')}"
            continue
        twice = narrowed and node.name in graph.behind_reductions
        for form, size in (("p", "stop - start"), ("w", "last - first")) if twice else (("p", "stop - start"),):
            yield f"    {form}_{node.name} = np.empty({size})"
            yield f"    for i in range({size}):"
            yield f"        {form}_{node.name}[i] = {call(node, form)}"
    if recursive := [node for node in graph.nodes if node.name in graph.recursive]:
        # Each needs what others were at the point before: all of them, point by point.
        yield from (f"    p_{node.name} = np.empty(stop - start)" for node in recursive)
        yield "    for i in range(stop - start):"
        yield from (f"        p_{node.name}[i] = {call(node, 'p')}" for node in recursive)
    yield "    for i in range(stop - start):"
    yield from (f"        out[{row}, i] = p_{name}[i]" for row, name in enumerate(graph.targets))
