"""The values that a plan is made of, and that the engine, the store and the driver pass on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, prod
from typing import Any

import numpy as np

from sigcube.chunks import Region
from sigcube.model.model import BoundModel

__all__ = ["MOST_BLOCKS", "Block", "PointStatus", "ResultVariable", "Section"]

MOST_BLOCKS = 10**6
"""Blocks of a plan: those who open a store go through all of them, within seconds. Full ones hold 30 TB a variable."""


class PointStatus(IntEnum):
    """How a grid point or a block ended; the numbers are those in the result's ``status`` array."""

    TODO = 0
    DONE = 1
    #: Not every metric is finite there.
    INVALID = 2
    FAILED = 3
    #: The block killed its worker.
    KILLED = 4

    @property
    def word(self) -> str:
        """The name in journals and messages: ``done``."""
        return self.name.lower()


@dataclass(frozen=True)
class Section:
    """The part of a grid under one combination of labels, or under several that make no difference to the model.

    Attributes
    ----------
    index : int
        Number of the section.
    labels : Mapping
        A label for each choice of the model.
    positions : tuple of tuple of int
        The positions of the section along the grid's label dimensions; its values are the same at each.
    model, reference : BoundModel
        The models evaluated there; the reference is None if not asked for.
    """

    index: int
    labels: Mapping[str, str]
    positions: tuple[tuple[int, ...], ...]
    model: BoundModel
    reference: BoundModel | None

    def used_dims(self, dims: Iterable[str]) -> tuple[bool, ...]:
        """Return for each dimension whether the model is computed along it."""
        return tuple(dim in self.model.dims for dim in dims)


@dataclass(frozen=True)
class Block:
    """What is computed and journalled as a whole: a tile of a section, and the whole chunks that its values go to.

    Attributes
    ----------
    index, section : int
        Number of the block, and of its section.
    tile : tuple of slice
        The part computed, over the grid's dimensions; of length one along those that the section does not use.
    regions : tuple of tuple of slice
        Where the values are written, over the grid's dimensions.
    """

    index: int
    section: int
    tile: Region
    regions: tuple[Region, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the part computed."""
        return tuple(part.stop - part.start for part in self.tile)

    @property
    def size(self) -> int:
        """Number of grid points computed."""
        return prod(self.shape)


@dataclass(frozen=True)
class ResultVariable:
    """One array of a result.

    Where each grid point has its own value, compression saved three tenths of the disk and took some 22 of a block's
    145 ms (SPARC). Where values repeat along axes that a section leaves out, it saves the repetition.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    attrs: Mapping[str, Any]
    compressed: bool = True

    @property
    def nbytes(self) -> int:
        """Size in bytes before compression."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def n_chunks(self) -> int:
        """Number of files."""
        return prod(ceil(n / chunk) for n, chunk in zip(self.shape, self.chunks, strict=True))
