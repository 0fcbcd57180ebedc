"""What a recipe says about a raw table: its file and its columns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FORMATS", "Column", "Format", "Table", "converter", "same_unit", "unchanged"]

Format = Literal["csv", "tsv", "ecsv", "fits", "votable", "parquet", "cds", "blanks"]

#: The formats of tables.
FORMATS: tuple[str, ...] = get_args(Format)


class Column(BaseModel):
    """One column of a raw table.

    Attributes
    ----------
    label : str
        Its name in the file's own header; empty for a constant.
    variable : str
        The variable of the cube that it becomes, or the dimension of the systems for their names.
    unit : str
        Its unit in the file, as astropy parses it; it is converted to the cube's unit. If the file gives units itself,
        the two must agree; if the recipe gives none, the file's unit is used.
    missing : float or None
        The value that stands for "not measured" in the file; NaN in the cube.
    range : (float, float) or None
        Least and greatest valid value, both included, in the file's unit.
    constant : float, str or None
        The value of every row, for a variable without a column in the file; in the cube's unit unless ``unit`` says
        otherwise.
    """

    # No value compares with nan, which TOML can write.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    label: str = ""
    variable: str
    unit: str = Field(default="", max_length=200)
    missing: float | None = None
    range: tuple[float, float] | None = None
    constant: float | str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Column":
        if bool(self.label) == (self.constant is not None):
            raise ValueError("a column has either a label or a constant")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("range must go from the smaller to the larger")
        return self

    @property
    def says_unit(self) -> bool:
        """Whether the recipe names the unit."""
        return "unit" in self.model_fields_set


@dataclass(frozen=True)
class Table:
    """A raw table on disk and its columns.

    Attributes
    ----------
    path : Path
        The file.
    columns : tuple of Column
        Its columns.
    format : str or None
        One of `FORMATS`; needed if neither the file's first bytes nor its name show it.
    extension : int, str or None
        Which of several tables, by position or name: an extension of a FITS file, a table of a VOTable; the first if
        None.
    others : tuple of Path
        Further files with more rows, if a dataset comes in several; most readers take one file only.
    readme : Path or None
        The ReadMe that describes a file of format ``cds``.
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

    @property
    def name(self) -> str:
        """The file's name, and how many others there are."""
        return f"{self.path.name} and {len(self.others)} more" if self.others else self.path.name


def same_unit(one: str, other: str) -> bool:
    """Whether two units are the same; ValueError if they are written differently and astropy does not know one."""
    from astropy.units import Unit

    # Parsing takes longer than the rows of a small file.
    return one == other or bool(Unit(one) == Unit(other))


def converter(unit: str, cube_unit: str) -> Callable[[Any], Any]:
    """Return what converts numbers between units; ValueError if astropy cannot."""
    from astropy.units import Unit

    if same_unit(unit, cube_unit):
        return unchanged
    here, there = Unit(unit), Unit(cube_unit)
    here.to(there, 1.0)
    return lambda values: np.asarray(here.to(there, values), dtype=np.float64)


def unchanged(values: Any) -> Any:
    """Return values as they are."""
    return values
