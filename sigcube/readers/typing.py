"""What a recipe tells a reader, and what a reader is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import xarray as xr
from pydantic import BaseModel, ConfigDict

__all__ = ["Column", "Cuts", "Reader", "ReaderEntry", "Table"]


class Column(BaseModel):
    """One column of a raw table, in the order of the file.

    Attributes
    ----------
    label : str
        Its name in the file's own header.
    variable : str
        The variable of the cube that it becomes, or the dimension of the systems for their names.
    unit : str
        Its unit in the file, as astropy parses it; it is converted to the cube's unit.
    missing : float or None
        The value by which the file says "not measured"; NaN in the cube.
    range : (float, float) or None
        Least and greatest value that can be right, both included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    variable: str
    unit: str = ""
    missing: float | None = None
    range: tuple[float, float] | None = None


class Cuts(BaseModel):
    """The thresholds of a reader's flags; nothing is dropped for them. Each reader declares its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Table:
    """A raw file on disk and what its columns are."""

    path: Path
    columns: tuple[Column, ...]


class Reader(Protocol):
    """Turns raw files into the variables of a cube.

    A reader takes the files by the roles that the recipe gives them, converts units, sets the flags and derives what
    the schema asks for. It drops nothing, opens no network connection and writes nothing. Title, citation, samples and
    the like are the recipe's part, and are added after it.
    """

    def __call__(self, tables: Mapping[str, Table], *, cuts: Any) -> xr.Dataset:
        """Read.

        Raises
        ------
        DataError
            With every fault of the files.
        """
        ...


@dataclass(frozen=True)
class ReaderEntry:
    """A reader and what a recipe that names it must say.

    Attributes
    ----------
    read : Reader
        The reader.
    cuts : type of Cuts
        What the recipe's ``[cuts]`` may hold.
    kind : str
        The kind of cube that it makes.
    """

    read: Reader
    cuts: type[Cuts]
    kind: str
