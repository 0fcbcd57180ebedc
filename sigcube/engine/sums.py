"""One compiled loop: sums over the points of each system, for all combinations of the swept parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import prod

import numpy as np
import numpy.typing as npt

from sigcube.cube import Packed
from sigcube.engine.schedule import Schedule
from sigcube.engine.source import TermTable, write_loop
from sigcube.model.compile import compiled, define, has_masks, inlined
from sigcube.model.graph import Graph
from sigcube.model.model import BoundModel
from sigcube.model.record import Term

__all__ = ["compile_loop", "evaluate_sums"]

FloatArray = npt.NDArray[np.float64]

# A dimension to loop over when nothing is swept.
_ONE_POINT = "one_point"


@dataclass(frozen=True)
class Loop:
    """A compiled loop, and the tables that it is given as its last arguments."""

    function: Callable[..., None]
    tables: tuple[TermTable, ...]


def compile_loop(model: BoundModel, order: tuple[str, ...], lengths: Mapping[str, int]) -> Loop:
    """Compile the loop of a model for one nesting order.

    Models that differ only in values share it, and so do lengths that leave the same rows short and whose last vectors
    are compiled alike.
    """
    return _loop(model.graph, tuple(model.swept), order, tuple(lengths.items()))


@lru_cache(maxsize=256)
def _loop(
    graph: Graph, axes: tuple[tuple[str, str], ...], order: tuple[str, ...], lengths: tuple[tuple[str, int], ...]
) -> Loop:
    # Cached for each set of lengths, since to write the source takes as long as a million evaluations.
    swept = dict(axes) or {_ONE_POINT: _ONE_POINT}
    schedule = Schedule(graph, swept, order or (_ONE_POINT,), dict(lengths))
    functions = tuple((node.name, node.function, node.state) for node in graph.nodes)
    source = write_loop(schedule)
    masked = schedule.masks_pay and has_masks()
    return Loop(_compile(source.text, functions, masked=masked, rolled=schedule.has_flat_rows), source.tables)


@lru_cache(maxsize=256)
def _compile(
    source: str, terms: tuple[tuple[str, Term, str | None], ...], *, masked: bool, rolled: bool
) -> Callable[..., None]:
    functions = {f"f_{name}": inlined(term) for name, term, _ in terms}
    written = define(source, "loop", {"np": np, **functions})
    loop: Callable[..., None] = compiled(written, masked=masked, rolled=rolled)
    return loop


def evaluate_sums(
    model: BoundModel,
    packed: Packed,
    swept: Mapping[str, FloatArray],
    *,
    order: tuple[str, ...] | None = None,
    room: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Add up a model's targets over the points of each system.

    Parameters
    ----------
    model : BoundModel
        What to compute.
    packed : Packed
        The systems, with the variables that the terms name.
    swept : Mapping
        Values of each swept parameter, each of shape ``(length of its dimension,)``.
    order : tuple of str, optional
        The model's dimensions, outermost first. The last one vectorises, so it should be long.
    room : ndarray, shape (number of targets, at least number of sums of one), optional
        Where the sums go, so that memory is taken once for many calls.

    Returns
    -------
    dict
        For each target, sums of shape ``(n_systems, *lengths of order)``.
    """
    graph = model.graph
    order = model.dims if order is None else order
    lengths = {dim: swept[name].size for name, dim in model.swept}
    shape = (packed.n_systems, *(lengths[dim] for dim in order or ()))
    room = np.empty((len(graph.targets), prod(shape))) if room is None else room
    sums = {
        name: part[: prod(shape)].reshape(shape if order else (*shape, 1))
        for name, part in zip(graph.targets, room, strict=True)
    }
    axes = dict(model.swept)
    fixed, whole = dict(model.fixed), packed.whole
    loop = compile_loop(model, order, lengths)
    loop.function(
        packed.offsets,
        *(packed.points[name] for name in graph.points),
        whole.offsets,
        *(whole.points[name] for name in graph.reduced_points),
        *(packed.per_system[name] for name in graph.systems),
        *(fixed[name] for name in (*graph.parameters, *graph.constants) if name not in axes),
        *([swept[name] for name in axes] or [np.zeros(1)]),
        *sums.values(),
        *chain.from_iterable(table.make(lengths or {_ONE_POINT: 1}) for table in loop.tables),
    )
    return sums if order else {name: array[:, 0] for name, array in sums.items()}
