"""The layout of a result in chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from sigcube.cube import unit_attrs
from sigcube.plan.spec import Spec
from sigcube.plan.values import PointStatus, ResultVariable

__all__ = ["Layout", "lay_out"]

# Bytes that one block writes of one variable: large enough that files stay few and a block outweighs what it costs
# beside its values, small enough that the last block of a sweep does not leave the other workers idle for long, and
# that its buffers stay below the size (32 MiB) from which memory is mapped afresh each time.
_BLOCK_BYTES = 30 * 2**20
# Half a second of a core: a hundred times what a block costs beside its values, and no long wait for the last one.
_BLOCK_EVALUATIONS = 2**29
# Fewer blocks than this leave cores idle at the end of a small sweep.
_FEWEST_BLOCKS = 20
_SMALLEST_BLOCK_EVALUATIONS = 2**26
# A file is one chunk, the least that is read. Chunks within shards would be smaller, but each takes half a millisecond
# to write, and a slice through the whole grid reads few of either.
_CHUNK_BYTES = 10 * 2**20


_STATUS_ATTRS: Mapping[str, Any] = {
    "long_name": "state of each grid point",
    "source": "sigcube",
    "flag_values": [int(status) for status in PointStatus],
    "flag_meanings": " ".join(status.word for status in PointStatus),
}


@dataclass(frozen=True)
class Layout:
    """The variables of a result, and the tile of the grid that one chunk of each holds."""

    tile: tuple[int, ...]
    variables: tuple[ResultVariable, ...]


def lay_out(
    spec: Spec, *, begun: Sequence[int], used: Sequence[Sequence[bool]], n_systems: int, n_points: int
) -> Layout:
    """Choose tiles and chunks for the variables of a sweep.

    `begun` has the lengths of the grid when its result was made, which decide the chunks: no extension moves them.
    `used` says for each section of that time along which dimensions it computes; the sample has `n_systems` systems and
    `n_points` points.
    """
    lengths = tuple(1 if dim in spec.grid.label_dims else n for dim, n in zip(spec.grid.dims, begun, strict=True))
    itemsize = np.dtype(spec.dtype).itemsize
    written = n_systems * itemsize if spec.keep_systems else np.dtype(np.float64).itemsize
    whole = _largest(lengths, max(1, _BLOCK_BYTES // written))
    tile = _cut(whole, used, _points_per_block(lengths, used, n_points))
    systems = _largest((n_systems,), max(1, _CHUNK_BYTES // (prod(tile) * itemsize)))
    repeats = any(not along and n > 1 for section in used for n, along in zip(lengths, section, strict=True))
    return Layout(tile, tuple(_variables(spec, n_systems, (*systems, *tile), repeats=repeats)))


def _points_per_block(lengths: Sequence[int], used: Sequence[Sequence[bool]], n_points: int) -> int:
    """Return how many grid points a block may compute, given its time and the number of all blocks."""
    total = sum(prod(n for n, own in zip(lengths, section, strict=True) if own) for section in used) * n_points
    evaluations = min(_BLOCK_EVALUATIONS, max(_SMALLEST_BLOCK_EVALUATIONS, total // _FEWEST_BLOCKS))
    return max(1, evaluations // n_points)


def _cut(tile: tuple[int, ...], used: Sequence[Sequence[bool]], points: int) -> tuple[int, ...]:
    """Cut a tile until no section computes more than so many points of it; axes that all leave out stay whole.

    Examples
    --------
    >>> _cut((1, 50, 56, 100), [(False, True, False, True), (False, False, True, True)], 2800)
    (1, 25, 28, 100)
    """
    for section in used:
        own = _largest([n if along else 1 for n, along in zip(tile, section, strict=True)], points)
        tile = tuple(least if along else n for n, least, along in zip(tile, own, section, strict=True))
    return tile


def _largest(lengths: Sequence[int], points: int) -> tuple[int, ...]:
    """Return the largest tile of at most so many points that splits dimensions from the first on, in even parts."""
    tile: list[int] = []
    for n in reversed(lengths):
        most = max(1, min(n, points))
        tile.append(ceil(n / ceil(n / most)))
        points //= tile[-1]
    return tuple(reversed(tile))


def _variables(spec: Spec, n_systems: int, chunks: tuple[int, ...], *, repeats: bool) -> list[ResultVariable]:
    grid = spec.grid
    dims, shape, source = tuple(grid.dims), grid.shape, "; ".join(kernel.source for kernel in spec.kernels)

    def summary(name: str, dtype: str, attrs: Mapping[str, Any], **own: str) -> ResultVariable:
        return ResultVariable(name, dims, shape, chunks[1:], dtype, {**attrs, **own})

    found: list[ResultVariable] = []
    for metric in spec.metrics:
        unit = spec.model.unit if metric.unit is None else metric.unit
        attrs = {**unit_attrs(unit), "source": source, "best": metric.best}
        if metric.logarithm:
            attrs["scale"] = "logarithm"
        if metric.scope == "pooled":
            found.append(summary(metric.name, "float64", attrs, long_name=f"{metric.long_name}, all points"))
            continue
        if spec.keep_systems:
            own = (str(spec.model.frame.system_dim), *dims), (n_systems, *shape), chunks, spec.dtype
            long_name = {"long_name": metric.long_name}
            found.append(ResultVariable(metric.name, *own, {**attrs, **long_name}, compressed=repeats))
        for statistic in metric.summaries:
            of_systems = f"{metric.long_name}, {statistic} over systems"
            found.append(summary(f"{metric.name}_{statistic}", "float64", attrs, long_name=of_systems))
    if spec.reference is not None:
        compared = "a larger ln L" if spec.compared.best == "largest" else "a smaller RMS"
        better = f"fraction of systems with {compared} than {spec.reference.kernel.name}"
        attrs = {"source": source, "best": "largest"}
        found.append(summary("win_rate", "float64", attrs, long_name=better))
    found.append(summary("status", "uint8", _STATUS_ATTRS))
    return found
