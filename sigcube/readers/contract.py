"""Readers, and the check that a recipe gives one what it needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import xarray as xr
from pydantic import BaseModel, ConfigDict

from sigcube.cube import Kind
from sigcube.cube.streaming import Pieces
from sigcube.errors import Fault, SpecError, error_from
from sigcube.readers.formats import Table, converter

__all__ = ["Cuts", "NoCuts", "Reader", "ReaderEntry", "check_recipe"]


class Cuts(BaseModel):
    """The thresholds of a reader's flags, which drop nothing. Each reader declares its own."""

    # TOML allows nan and inf, and no value compares with nan.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoCuts(Cuts):
    """No thresholds."""


class Reader(Protocol):
    """Turns raw files into the variables of a cube.

    A reader converts units, sets the flags and derives what the schema asks for. It drops no rows, opens no network
    connection and writes nothing. Title, citation, samples and the like are added afterwards, from the recipe.
    """

    def __call__(self, tables: Mapping[str, Table], *, cuts: Any) -> xr.Dataset | Pieces:
        """Read.

        Parameters
        ----------
        tables : Mapping of str to Table
            The files, by the roles that the recipe gives them.
        cuts : Cuts
            Thresholds of the flags, of the type that the reader declares.

        Returns
        -------
        Dataset or Pieces
            The variables of a cube; in pieces if the dataset may be larger than memory. Faults of the files are then
            raised while the pieces are read.

        Raises
        ------
        DataError
            With every fault of the files.
        SpecError
            If the recipe lacks a file, or a column that the cube needs.
        """
        ...


@dataclass(frozen=True)
class ReaderEntry:
    """A reader and what a recipe that names it must say.

    Attributes
    ----------
    read : Reader
        The reader; if it has a frame, it takes that as ``frame``.
    cuts : type of Cuts
        The model of the recipe's ``[cuts]``.
    kind : str
        The kind of cube that it makes.
    frame : type of BaseModel, or None
        The model of the recipe's ``[frame]``, if the reader has one.
    """

    read: Callable[..., xr.Dataset | Pieces]
    cuts: type[Cuts]
    kind: str
    frame: type[BaseModel] | None = None


def check_recipe(
    tables: Mapping[str, Table],
    reader: str,
    kind: Kind,
    needed: Mapping[str, Sequence[str]],
    *,
    either: Sequence[Sequence[Sequence[str]]] = (),
    derived: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Refuse a recipe whose files and columns are not those that a reader needs.

    Parameters
    ----------
    tables, reader, kind
        The files of the recipe by role, the reader and its kind of cube.
    needed : Mapping of str to sequence of str
        For each role, the variables that must have a column.
    either : sequence
        Further needs: for each, sets of variables of which exactly one must be complete; two could contradict.
    derived : sequence of str
        Variables that the reader derives, besides those that every cube has and no column is needed for.
    optional : sequence of str
        Roles that may be missing.

    Raises
    ------
    SpecError
        With every fault of the recipe.
    """
    read = {name for names in needed.values() for name in names} | {n for ways in either for way in ways for n in way}
    ours = {variable.name for variable in kind.variables if variable.required}.difference(read).union(derived)
    units = {variable.name: variable.unit for variable in kind.variables}
    faults = [
        Fault("the reader has no use for it", f"files.{role}") for role in tables if role not in (*needed, *optional)
    ]
    lacking: list[str] = []
    for role, names in needed.items():
        if role not in tables:
            faults.append(Fault("missing", f"files.{role}"))
            continue
        place, columns = f"files.{role}.columns", tables[role].columns
        given = {column.variable for column in columns}
        lacking += (own := [name for name in names if name not in given])
        faults += [Fault(f"no column for {name!r}", place) for name in own]
        faults += [Fault(f"{name!r} is derived, not read", place) for name in sorted(given & ours)]
        for ways in either:
            complete = [" and ".join(way) for way in ways if given.issuperset(way)]
            if not complete:
                faults.append(
                    Fault("a column is missing", place, expected="; or ".join(" and ".join(way) for way in ways))
                )
            elif len(complete) > 1:
                faults.append(Fault("the same is given twice", place, "; and ".join(complete), "one of them"))
        for column in columns:
            unit = units.get(column.variable, "")
            try:
                converter(column.unit if column.says_unit else unit, unit)
            except (ValueError, TypeError):
                where = f"{place}, {column.label or column.variable}"
                faults.append(Fault("the unit cannot be converted", where, repr(column.unit), f"one like {unit!r}"))
    if faults:
        what, hint = "the recipe does not fit the reader", None
        if lacking:
            unit = f', unit = "{units[lacking[0]]}"' if units.get(lacking[0]) else ""
            hint = f'say where it is: {{ label = "heading of its column", variable = "{lacking[0]}"{unit} }}'
        raise error_from(SpecError, faults, what=what, where=f"reader {reader}", hint=hint)
