"""The values of a block, computed tile by tile, so that memory does not grow with the block."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, product
from math import ceil, prod

import numpy as np
import numpy.typing as npt

from sigcube.chunks import empty_pages
from sigcube.cube import Packed
from sigcube.engine.finish import Rows, finish_pooled, finish_systems, summarise
from sigcube.engine.sums import evaluate_sums
from sigcube.model.model import BoundModel
from sigcube.plan.plan import Plan
from sigcube.plan.values import Block, PointStatus, Section

__all__ = ["Engine"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Arrays = Mapping[str, npt.NDArray[np.generic]]

# The sums of one system over a tile fit into a core's second cache. Fewer points would keep them in its first one,
# which is no faster, and what a tile costs beside its points (0.4 ms) would be a twentieth of it and not a fiftieth.
_TILE_POINTS = 3 * 2**12
# The sums of all systems fit into the last cache.
_TILE_VALUES = 2**22
# A shorter innermost loop does not repay the entry into it.
_GOOD_ROW = 64


class Engine:
    """Evaluates the blocks of a plan on packed data.

    Parameters
    ----------
    plan : Plan
        What to compute.
    packed : Packed
        The sample, with the variables that the plan names as its inputs.
    """

    def __init__(self, plan: Plan, packed: Packed) -> None:
        self.plan = plan
        self.packed = packed
        self._counts = np.diff(packed.offsets).astype(np.float64)
        self._of_systems = {each.name: each.system_inputs(packed.per_system) for each in plan.spec.metrics}
        self._axes = {axis.name: axis.array for axis in plan.spec.grid.axes if not axis.is_label}

    def evaluate(self, block: Block) -> dict[str, npt.NDArray[np.generic]]:
        """Compute the arrays of a block.

        Returns
        -------
        dict
            For each variable of the plan an array of the block's shape, per-system ones with the systems first.
        """
        section = self.plan.sections[block.section]
        n_systems = self.packed.n_systems
        order = self._order(section, block)
        points = max(1, min(_TILE_POINTS, _TILE_VALUES // n_systems))
        tiles = list(_tiles(block, order, points, tuple(self.plan.dims)))
        # Before the block's own arrays, which outlive it while they are written: memory is then taken without gaps.
        largest = max(prod(part.stop - part.start for part in tile.values()) for tile in tiles)
        room = np.empty((len(section.model.graph.targets), n_systems * largest))
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        for v in self.plan.variables:
            of_systems = (n_systems,) if len(v.dims) > len(block.shape) else ()
            arrays[v.name] = empty_pages((*of_systems, *block.shape), v.dtype)
        for tile in tiles:
            self._fill(arrays, section, block, tile, order, room)
        return arrays

    def rms_at(
        self, section: Section, index: Mapping[str, IntArray]
    ) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
        """Yield the RMS of each system at grid points of a section, under its model and under the reference.

        They come tile by tile, and before them the numbers of the points that are in the tile. The loops are those of
        the blocks to which the points belong, which the sweep has compiled.
        """
        rms = next(metric for metric in self.plan.spec.metrics if metric.name == "rms")
        points = max(1, min(_TILE_POINTS, _TILE_VALUES // self.packed.n_systems))
        for block, numbers in self._blocks_at(section, index):
            order = self._order(section, block)
            for tile in _tiles(block, order, points, tuple(self.plan.dims)):
                at = {dim: index[dim][numbers] - tile[dim].start for dim in order}
                lengths = {dim: tile[dim].stop - tile[dim].start for dim in order}
                within = np.ones(numbers.size, dtype=bool)
                for dim in order:
                    within &= (at[dim] >= 0) & (at[dim] < lengths[dim])
                if not within.any():
                    continue
                columns = np.zeros(int(within.sum()), dtype=np.intp)
                for dim in order:
                    columns = columns * lengths[dim] + at[dim][within]
                sums = self._sums(section.model, tile, order)["residual_sq"]
                own = finish_systems(rms, self._counts, (sums,))[:, columns]
                against = self._reference(section, tile, order, tuple(lengths.values()))
                yield numbers[within], own, np.full_like(own, np.nan) if against is None else against[:, columns]

    def _blocks_at(self, section: Section, index: Mapping[str, IntArray]) -> Iterator[tuple[Block, IntArray]]:
        """Yield the blocks of a section that hold any of some grid points, each with the numbers of its points."""
        sides = list(zip(self.plan.dims.items(), self.plan.layout.tile, self.plan.used_dims(section), strict=True))
        starts = np.array([index[dim] // n * n if along else 0 * index[dim] for (dim, _), n, along in sides])
        found, block_of = np.unique(starts, axis=1, return_inverse=True)
        ends = np.bincount(block_of.ravel()).cumsum()[:-1]
        for start, numbers in zip(found.T.tolist(), np.split(block_of.ravel().argsort(), ends), strict=True):
            tile = tuple(
                slice(at, min(at + n, whole)) if along else slice(0, 1)
                for at, ((_, whole), n, along) in zip(start, sides, strict=True)
            )
            yield replace(self.plan.blocks.first_of(section), tile=tile), numbers

    def _order(self, section: Section, block: Block) -> tuple[str, ...]:
        """Nest the dimensions as the grid has them, except that a long one is innermost."""
        lengths = dict(zip(self.plan.dims, block.shape, strict=True))
        dims = [dim for dim in self.plan.dims if dim in section.model.dims]
        if dims and lengths[dims[-1]] < _GOOD_ROW:
            longest = max(dims, key=lambda dim: lengths[dim])
            dims.remove(longest)
            dims.append(longest)
        return tuple(dims)

    def _fill(
        self,
        arrays: Arrays,
        section: Section,
        block: Block,
        tile: Mapping[str, slice],
        order: tuple[str, ...],
        room: FloatArray,
    ) -> None:
        """Compute one tile, and copy its values to their part of the block."""
        flat = self._sums(section.model, tile, order, room)
        lengths = tuple(tile[dim].stop - tile[dim].start for dim in order)
        axes = tuple(order.index(dim) for dim in self.plan.dims if dim in order)
        where = tuple(
            slice(tile[dim].start - part.start, tile[dim].stop - part.start) if dim in order else slice(0, 1)
            for dim, part in zip(self.plan.dims, block.tile, strict=True)
        )
        reference = self._reference(section, tile, order, lengths)
        rows, apart = _find_rows(arrays, where, prod(lengths), in_order=axes == tuple(range(len(axes))))
        for name, values in chain(self._metrics(flat, reference, lengths[-1] if lengths else 1, rows), apart.items()):
            target = arrays[name][..., *where]
            nested = values.reshape((*values.shape[:-1], *lengths))
            leading = nested.ndim - len(lengths)
            target[...] = nested.transpose(*range(leading), *(leading + axis for axis in axes)).reshape(target.shape)

    def _sums(
        self, model: BoundModel, tile: Mapping[str, slice], order: tuple[str, ...], room: FloatArray | None = None
    ) -> dict[str, FloatArray]:
        """Return a model's sums over a tile, shape ``(n_systems, points of the tile)``."""
        swept = {name: self._axes[name][tile[dim]] for name, dim in model.swept}
        sums = evaluate_sums(model, self.packed, swept, order=order, room=room)
        return {name: total.reshape(self.packed.n_systems, -1) for name, total in sums.items()}

    def _reference(
        self, section: Section, tile: Mapping[str, slice], order: tuple[str, ...], lengths: tuple[int, ...]
    ) -> FloatArray | None:
        """Return the metric of the comparison under the reference, shape ``(n_systems, points of the tile)``."""
        model = section.reference
        if model is None:
            return None
        inner = tuple(dim for dim in order if dim in model.dims)
        sums, metric = self._sums(model, tile, inner), self.plan.spec.compared
        own = tuple(sums[name] for name in metric.sums)
        values = finish_systems(metric, self._counts, own, per_system=self._of_systems[metric.name])
        shape = tuple(n if dim in inner else 1 for dim, n in zip(order, lengths, strict=True))
        whole = np.broadcast_to(values.reshape((-1, *shape)), (self.packed.n_systems, *lengths))
        return np.ascontiguousarray(whole).reshape(self.packed.n_systems, -1)

    def _metrics(
        self, sums: Mapping[str, FloatArray], reference: FloatArray | None, row: int, rows: Mapping[str, Rows]
    ) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
        """Yield the summaries of a tile and its status, flat; the values of systems are stored in their rows."""
        spec = self.plan.spec
        finite = np.ones(next(iter(sums.values())).shape[1], dtype=bool)
        for metric in spec.metrics:
            own = tuple(sums[name] for name in metric.sums)
            counts = self._counts - spec.n_fitted if metric.reduced else self._counts
            if metric.scope == "pooled":
                summary = finish_pooled(metric, counts, own)
                yield metric.name, summary
            else:
                found = summarise(
                    metric,
                    counts,
                    own,
                    per_system=self._of_systems[metric.name],
                    rows=rows.get(metric.name),
                    row=row,
                    reference=reference if metric is spec.compared else None,
                )
                summary = found.mean
                for statistic, name in zip(metric.summaries, metric.summary_names, strict=True):
                    yield name, found.of(statistic)
                if found.wins is not None:
                    yield "win_rate", found.wins
                    finite &= np.isfinite(found.wins)
            finite &= np.isfinite(summary)
        yield "status", np.where(finite, PointStatus.DONE, PointStatus.INVALID).astype(np.uint8)


def _find_rows(
    arrays: Arrays, where: tuple[slice, ...], points: int, *, in_order: bool
) -> tuple[dict[str, Rows], dict[str, npt.NDArray[np.generic]]]:
    """Return where per-system values go: into the block, if a tile is contiguous there, or into arrays apart."""
    rows: dict[str, Rows] = {}
    apart: dict[str, npt.NDArray[np.generic]] = {}
    for name, array in arrays.items():
        if array.ndim == len(where):
            continue
        within = _rows_within(array, where) if in_order else None
        if within is None:
            apart[name] = np.empty((len(array), points), dtype=array.dtype)
        rows[name] = within or Rows(apart[name].reshape(-1), 0, points)
    return rows, apart


def _rows_within(array: npt.NDArray[np.generic], where: tuple[slice, ...]) -> Rows | None:
    """Return the rows of a part of an array, one per system, or None if they are not contiguous."""
    try:
        part: npt.NDArray[np.generic] = array[:, *where]
        rows, flat = part.reshape((len(array), -1), copy=False), array.reshape(-1, copy=False)
    except ValueError:
        return None
    return Rows(flat, (rows.ctypes.data - flat.ctypes.data) // array.itemsize, rows.strides[0] // array.itemsize)


def _tiles(block: Block, order: tuple[str, ...], points: int, dims: tuple[str, ...]) -> Iterator[dict[str, slice]]:
    """Cut a block into tiles of at most so many points, outer dimensions of the nest first."""
    extent = dict(zip(dims, block.tile, strict=True))
    cuts: dict[str, list[slice]] = {}
    for dim in reversed(order):
        start, n = extent[dim].start, extent[dim].stop - extent[dim].start
        parts = ceil(n / max(1, min(n, points)))
        length = ceil(n / parts)
        points //= length
        cuts[dim] = [slice(start + i, start + min(i + length, n)) for i in range(0, n, length)]
    for combination in product(*(cuts[dim] for dim in order)):
        yield dict(zip(order, combination, strict=True))
