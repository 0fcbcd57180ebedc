"""The form of a declaration: what a kind of cube has, and what a variable of it has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["COUNT", "Kind", "Variable", "fixed_width", "flag_masks", "unit_attrs"]

#: The variable that holds the number of points of a system; what follows them is padding.
COUNT = "n_points"


def unit_attrs(unit: str) -> dict[str, str]:
    """Return the attribute ``units``, which a pure number does not have: plots show brackets round an empty one."""
    return {"units": unit} if unit else {}


@dataclass(frozen=True)
class Variable:
    """One variable of a kind of cube.

    Attributes
    ----------
    name : str
        Its name in the cube.
    dims : tuple of str
        Its dimensions, in order.
    unit : str
        As astropy parses it; empty for what has none.
    long_name : str
        The title of an axis.
    dtype : str
        NumPy's name, or ``"string"``.
    required : bool
        Whether every cube of the kind has it.
    flags : tuple of str
        For a flag variable, the meaning of each bit, lowest first.
    flag_notes : tuple of str
        Where each bit is set, in words.
    least : float
        The least value that a real point or system may have.
    """

    name: str
    dims: tuple[str, ...]
    unit: str
    long_name: str
    dtype: str = "float64"
    required: bool = True
    flags: tuple[str, ...] = ()
    flag_notes: tuple[str, ...] = ()
    least: float = -math.inf

    def attrs(self, *, source: str) -> dict[str, Any]:
        """Return the attributes of such a variable that comes from ``source``."""
        attrs: dict[str, Any] = {**unit_attrs(self.unit), "long_name": self.long_name, "source": source}
        if self.flags:
            attrs |= {"flag_masks": [1 << bit for bit in range(len(self.flags))], "flag_meanings": " ".join(self.flags)}
        return attrs


@dataclass(frozen=True)
class Kind:
    """One kind of cube.

    Attributes
    ----------
    name : str
        The cube's attribute ``kind``.
    title : str
        Its content, in a few words.
    system_dim : str or None
        The dimension of the systems, a coordinate of unique names; None if all points are of one system.
    point_dim : str or None
        The dimension of the points of a system; None if each system is one point.
    point_flag, system_flag : str or None
        The variables of flags that samples are drawn on; None if there is no such dimension.
    variables : tuple of Variable
        What has a defined meaning; a cube may hold more.
    ordered : str or None
        The point variable that increases within a system.
    description : str
        A paragraph for the documentation, before the table of the variables.
    """

    name: str
    title: str
    system_dim: str | None
    point_dim: str | None
    point_flag: str | None
    system_flag: str | None
    variables: tuple[Variable, ...]
    ordered: str | None = None
    description: str = ""

    def variable(self, name: str) -> Variable:
        """Return a declared variable."""
        return next(variable for variable in self.variables if variable.name == name)

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions of a point variable."""
        return tuple(dim for dim in (self.system_dim, self.point_dim) if dim is not None)

    @property
    def padded(self) -> bool:
        """Whether systems have different numbers of points, and padding after the last one."""
        return len(self.dims) == 2

    @property
    def flags(self) -> tuple[str, ...]:
        """The flag variables."""
        return tuple(name for name in (self.point_flag, self.system_flag) if name is not None)

    @property
    def measured(self) -> tuple[str, ...]:
        """The point variables that are finite for every point, unless a flag says why not."""
        numbers = (v for v in self.variables if v.dtype == "float64" and v.dims == self.dims)
        return tuple(v.name for v in numbers if v.required and not v.flags)


def flag_masks(flag: xr.DataArray) -> dict[str, int]:
    """Return the mask of each meaning of a CF flag variable.

    Examples
    --------
    >>> flag_masks(xr.DataArray(0, attrs={"flag_masks": [1, 2], "flag_meanings": "padding negative_vbar"}))
    {'padding': 1, 'negative_vbar': 2}
    """
    masks: Sequence[int] = flag.attrs["flag_masks"]
    return dict(zip(str(flag.attrs["flag_meanings"]).split(), map(int, masks), strict=True))


def fixed_width(texts: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Return texts as NumPy's strings of one width, whatever type they have: a plain `xarray.open_zarr` gives another.

    Examples
    --------
    >>> fixed_width(np.array(["DDO154", "NGC3198"], dtype=np.dtypes.StringDType()))
    array(['DDO154', 'NGC3198'], dtype='<U7')
    """
    # By way of objects: NumPy refuses to find the width of its strings of variable width.
    return texts.astype(object).astype(str)
