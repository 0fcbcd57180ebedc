"""The blocks of a plan: the tiles of its sections, stage after stage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import compress
from math import prod
from typing import overload

import numpy as np
import numpy.typing as npt

from sigcube.chunks import Region
from sigcube.plan.grid import Grid
from sigcube.plan.values import Block, Section

__all__ = ["Blocks", "sections_in"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """A section within a stage, and where its tiles begin and end along each dimension of the grid."""

    stage: Region
    section: Section
    edges: tuple[Integers, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of tiles along each dimension."""
        return tuple(len(edges) - 1 for edges in self.edges)

    @property
    def computed(self) -> int:
        """Number of grid points computed."""
        return prod(int(edges[-1] - edges[0]) for edges in self.edges)

    @property
    def sizes(self) -> Integers:
        """Number of grid points of each tile."""
        return reduce(np.multiply.outer, map(np.diff, self.edges), np.ones((), dtype=np.int64)).ravel()


class Blocks(Sequence[Block]):
    """The blocks of a plan, made on demand: a plan of a million blocks costs nothing to hold.

    Parameters
    ----------
    grid : Grid
        The grid.
    tile : tuple of int
        Lengths of the largest block along the grid's dimensions.
    stages : tuple of Region
        The regions of the grid that are computed one after another.
    sections : tuple of Section
        The parts of the grid that share a bound model.
    """

    def __init__(
        self, grid: Grid, *, tile: tuple[int, ...], stages: tuple[Region, ...], sections: tuple[Section, ...]
    ) -> None:
        self._grid, self._tile = grid, tile
        self._parts = [self._part(stage, each) for stage in stages for each in sections_in(stage, grid, sections)]
        self._starts = np.cumsum([0, *(prod(part.counts) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        number = self._part_of(index)
        return self._block(self._parts[number], index, at=index - int(self._starts[number]))

    @cached_property
    def sizes(self) -> Integers:
        """Number of grid points that each block computes; to make a million blocks for them takes half a minute."""
        return np.concatenate([part.sizes for part in self._parts])

    @cached_property
    def written(self) -> Integers:
        """Number of grid points that each block writes: values are repeated along what its section does not use."""
        grown = [self._block(part, 0, at=0) for part in self._parts]
        times = [len(each.regions) * _size(each.regions[0]) // each.size for each in grown]
        return np.concatenate([part.sizes * n for part, n in zip(self._parts, times, strict=True)])

    @property
    def points_computed(self) -> int:
        """Number of grid points computed by all blocks."""
        return sum(part.computed for part in self._parts)

    def stage_of(self, index: int) -> Region:
        """Return the stage that a block belongs to."""
        return self._parts[self._part_of(index)].stage

    def first_of(self, section: Section) -> Block:
        """Return the first block of a section, numbered 0, as if nothing else were computed."""
        return self._block(self._part(tuple(slice(0, n) for n in self._grid.shape), section), 0, at=0)

    def _part_of(self, index: int) -> int:
        return int(np.searchsorted(self._starts, index, side="right")) - 1

    def _part(self, stage: Region, section: Section) -> _Part:
        computed = zip(stage, section.used_dims(self._grid.dims), self._tile, strict=True)
        return _Part(stage, section, tuple(_edges(part if used else slice(0, 1), n) for part, used, n in computed))

    def _block(self, part: _Part, index: int, *, at: int) -> Block:
        """Return one block from its place among the tiles of its part."""
        position = np.unravel_index(at, part.counts)
        tile = tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(part.edges, position, strict=True))
        # Along a dimension that the section does not use, its values are repeated.
        used = part.section.used_dims(self._grid.dims)
        whole = zip(self._grid.dims, used, tile, part.stage, strict=True)
        region = {dim: own if along else all_of_it for dim, along, own, all_of_it in whole}
        labels = (zip(self._grid.label_dims, position, strict=True) for position in part.section.positions)
        regions = (region | {dim: slice(i, i + 1) for dim, i in label} for label in labels)
        return Block(index, part.section.index, tile, tuple(tuple(each.values()) for each in regions))


def sections_in(stage: Region, grid: Grid, sections: Iterable[Section]) -> list[Section]:
    """Return the sections that lie in a stage, each with its positions there, in the order of the first of them."""
    labels = [part for dim, part in zip(grid.dims, stage, strict=True) if dim in grid.label_dims]
    found = []
    for section in sections:
        inside = (
            all(part.start <= i < part.stop for i, part in zip(position, labels, strict=True))
            for position in section.positions
        )
        if positions := tuple(compress(section.positions, inside)):
            found.append(replace(section, positions=positions))
    return sorted(found, key=lambda section: section.positions[0])


def _edges(part: slice, length: int) -> Integers:
    """Return where tiles begin, and where the last one ends; one that begins within a chunk is the rest of it."""
    return np.array([part.start, *range(part.start // length * length + length, part.stop, length), part.stop])


def _size(region: Region) -> int:
    return prod(part.stop - part.start for part in region)
