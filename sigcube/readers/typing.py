"""What a recipe tells a reader, and what a reader is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import xarray as xr
from pydantic import BaseModel, ConfigDict, model_validator

from sigcube.cube.streaming import Pieces

__all__ = ["FORMATS", "Column", "Cuts", "Format", "Reader", "ReaderEntry", "Table"]

Format = Literal["csv", "tsv", "ecsv", "fits", "votable", "parquet", "cds", "blanks"]

#: The formats of tables that any reader may ask for.
FORMATS: tuple[str, ...] = get_args(Format)


class Column(BaseModel):
    """One column of a raw table, in the order of the file.

    Attributes
    ----------
    label : str
        Its name in the file's own header; empty for a constant.
    variable : str
        The variable of the cube that it becomes, or the dimension of the systems for their names.
    unit : str
        Its unit in the file, as astropy parses it; it is converted to the cube's unit. A file that gives units of its
        own must agree, and is believed where the recipe says nothing.
    missing : float or None
        The value by which the file says "not measured"; NaN in the cube.
    range : (float, float) or None
        Least and greatest value that can be right, both included.
    constant : float, str or None
        What stands in every row, for a variable that the file has no column of; in the cube's unit unless ``unit`` says
        another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = ""
    variable: str
    unit: str = ""
    missing: float | None = None
    range: tuple[float, float] | None = None
    constant: float | str | None = None

    @model_validator(mode="after")
    def _label_or_constant(self) -> "Column":
        if bool(self.label) == (self.constant is not None):
            raise ValueError("a column has either a label or a constant")
        return self

    @property
    def says_unit(self) -> bool:
        """Whether the recipe names the unit."""
        return "unit" in self.model_fields_set


class Cuts(BaseModel):
    """The thresholds of a reader's flags; nothing is dropped for them. Each reader declares its own."""

    # TOML can write nan and inf, and no value compares with nan.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Table:
    """A raw file on disk and what its columns are.

    Attributes
    ----------
    path : Path
        The file.
    columns : tuple of Column
        What its columns are.
    format : str or None
        One of `FORMATS`, where neither the file's first bytes nor its name tell.
    extension : int, str or None
        Which of several tables, by place or name: an extension of a FITS file, a table of a VOTable; the first if None.
    readme : Path or None
        The ReadMe that describes a file of format ``cds``.
    others : tuple of Path
        Further files with more rows, where a dataset comes in several; a reader that does not say so takes one file.
    """

    path: Path
    columns: tuple[Column, ...]
    format: Format | None = None
    extension: int | str | None = None
    others: tuple[Path, ...] = ()
    readme: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (self.path, *self.others)


class Reader(Protocol):
    """Turns raw files into the variables of a cube.

    A reader takes the files by the roles that the recipe gives them, converts units, sets the flags and derives what
    the schema asks for. It drops nothing, opens no network connection and writes nothing. Title, citation, samples and
    the like are the recipe's part, and are added after it. A reader of datasets that are larger than memory gives its
    cube in pieces.
    """

    def __call__(self, tables: Mapping[str, Table], *, cuts: Any) -> xr.Dataset | Pieces:
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
        The reader; where it asks for a frame, it takes that as ``frame``.
    cuts : type of Cuts
        What the recipe's ``[cuts]`` may hold.
    kind : str
        The kind of cube that it makes.
    frame : type of BaseModel, or None
        What the recipe's ``[frame]`` may hold, where the reader asks for one.
    """

    read: Callable[..., xr.Dataset | Pieces]
    cuts: type[Cuts]
    kind: str
    frame: type[BaseModel] | None = None
