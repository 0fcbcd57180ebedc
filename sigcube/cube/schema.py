"""What each kind of cube holds, declared once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import xarray as xr

from sigcube.errors import DataError, did_you_mean

__all__ = ["KINDS", "Kind", "Variable", "flag_masks", "kind_of"]


@dataclass(frozen=True)
class Variable:
    """One variable of a kind of cube.

    Attributes
    ----------
    name : str
        Its key in the cube.
    dims : tuple of str
        Its dimensions, in order.
    unit : str
        As astropy parses it; empty for what has none.
    long_name : str
        The words for an axis title.
    dtype : str
        NumPy's name, or ``"string"``.
    required : bool
        Whether every cube of the kind has it.
    flags : tuple of str
        For a flag variable, the meaning of each bit, lowest first.
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
    least: float = -math.inf

    def attrs(self, *, source: str) -> dict[str, Any]:
        """Return the attributes of such a variable that was taken from ``source``."""
        attrs: dict[str, Any] = {"units": self.unit, "long_name": self.long_name, "source": source}
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
    system_dim, point_dim : str
        The dimension of the systems, a coordinate of unique names, and that of the points of a system.
    count : str
        The variable that holds how many points a system has; the places after them are padding.
    ordered : str
        The point variable that increases within a system.
    point_flag, system_flag : str
        The variables that hold the bits on which samples are drawn.
    variables : tuple of Variable
        Everything with a meaning of its own; a cube may hold more.
    """

    name: str
    system_dim: str
    point_dim: str
    count: str
    ordered: str
    point_flag: str
    system_flag: str
    variables: tuple[Variable, ...]

    def variable(self, name: str) -> Variable:
        """Return a declared variable."""
        return next(variable for variable in self.variables if variable.name == name)

    @property
    def dims(self) -> tuple[str, str]:
        """The dimensions of a point variable."""
        return (self.system_dim, self.point_dim)

    @property
    def measured(self) -> tuple[str, ...]:
        """The point variables that every point must have."""
        return tuple(v.name for v in self.variables if v.dims == self.dims and v.required and not v.flags)


def _point(name: str, unit: str, long_name: str, **rest: Any) -> Variable:
    return Variable(name, ("galaxy", "radius"), unit, long_name, **rest)


def _system(name: str, unit: str, long_name: str, **rest: Any) -> Variable:
    return Variable(name, ("galaxy",), unit, long_name, **rest)


def _optional(name: str, unit: str, long_name: str, dtype: str = "float64") -> Variable:
    return _system(name, unit, long_name, dtype=dtype, required=False)


GALAXY = Kind(
    name="galaxy",
    system_dim="galaxy",
    point_dim="radius",
    count="n_points",
    ordered="r",
    point_flag="point_flag",
    system_flag="system_flag",
    variables=(
        _point("r", "kpc", "galactocentric radius"),
        _point("v_obs", "km/s", "observed circular velocity"),
        _point("e_v_obs", "km/s", "error of the observed circular velocity", least=0.0),
        _point("v_gas", "km/s", "velocity due to the gas, negative where it pulls outwards"),
        _point("v_disk", "km/s", "velocity due to the stellar disc at M/L = 1"),
        _point("v_bul", "km/s", "velocity due to the bulge at M/L = 1"),
        _point("sb_disk", "solLum/pc2", "surface brightness of the disc at 3.6 µm", required=False),
        _point("sb_bul", "solLum/pc2", "surface brightness of the bulge at 3.6 µm", required=False),
        _point(
            "point_flag",
            "",
            "why a sample may leave a point out",
            dtype="uint8",
            flags=("padding", "nonpositive_radius", "nonpositive_v_obs", "negative_vbar"),
        ),
        _system(
            "system_flag",
            "",
            "why a sample may leave a galaxy out",
            dtype="uint8",
            flags=("too_few_rows", "too_few_points"),
        ),
        _system("n_points", "", "number of points in the raw file", dtype="int64"),
        _system("r_disk", "kpc", "scale length of the stellar disc at 3.6 µm"),
        _system("scale_length_third_point", "kpc", "R[N//3] of the kept points"),
        _system("scale_length_disk_peak", "kpc", "radius of the largest |V_disk| of the kept points"),
        _system("scale_length_catalogue", "kpc", "disc scale length of the catalogue"),
        _system("scale_length_outermost", "kpc", "radius of the last kept point"),
        _system("f_bulge", "", "share of the bulge in the sum of squared velocities of the kept points"),
        _system("v_gas_max", "km/s", "largest |V_gas| of the kept points"),
        _system("v_disk_max", "km/s", "largest |V_disk| of the kept points"),
        _system("v_bul_max", "km/s", "largest |V_bul| of the kept points"),
        _optional(
            "hubble_type",
            "",
            "Hubble type: 0 S0, 1 Sa, 2 Sab, 3 Sb, 4 Sbc, 5 Sc, 6 Scd, 7 Sd, 8 Sdm, 9 Sm, 10 Im, 11 BCD",
            "int64",
        ),
        _optional("distance", "Mpc", "distance"),
        _optional("e_distance", "Mpc", "error of the distance"),
        _optional(
            "distance_method",
            "",
            "distance from: 1 Hubble flow, 2 TRGB, 3 Cepheids, 4 Ursa Major cluster, 5 supernovae",
            "int64",
        ),
        _optional("inclination", "deg", "inclination"),
        _optional("e_inclination", "deg", "error of the inclination"),
        _optional("luminosity", "solLum", "luminosity at 3.6 µm"),
        _optional("e_luminosity", "solLum", "error of the luminosity at 3.6 µm"),
        _optional("r_eff", "kpc", "effective radius at 3.6 µm"),
        _optional("sb_eff", "solLum/pc2", "effective surface brightness at 3.6 µm"),
        _optional("sb_disk_central", "solLum/pc2", "central surface brightness of the disc at 3.6 µm"),
        _optional("m_hi", "solMass", "mass of neutral hydrogen"),
        _optional("r_hi", "kpc", "radius at which neutral hydrogen falls to 1 Msun/pc²"),
        _optional("v_flat", "km/s", "velocity of the flat part"),
        _optional("e_v_flat", "km/s", "error of the velocity of the flat part"),
        _optional("quality", "", "quality of the rotation curve: 1 high, 2 medium, 3 low", "int64"),
        _optional("references", "", "references of the rotation curve", "string"),
    ),
)

#: Every kind of cube, by its attribute ``kind``.
KINDS: Mapping[str, Kind] = MappingProxyType({GALAXY.name: GALAXY})


def kind_of(ds: xr.Dataset) -> Kind:
    """Return the kind that a cube says it is.

    Raises
    ------
    DataError
        If it does not say, or says something unknown.
    """
    name = ds.attrs.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise DataError(
            "this dataset is not a sigcube cube" if name is None else f"there is no kind of cube {name!r}",
            where="attribute 'kind'",
            found=repr(name),
            hint=did_you_mean(str(name), KINDS),
        )
    return KINDS[name]


def flag_masks(flag: xr.DataArray) -> dict[str, int]:
    """Return the mask of each meaning of a CF flag variable.

    Examples
    --------
    >>> flag_masks(xr.DataArray(0, attrs={"flag_masks": [1, 2], "flag_meanings": "padding negative_vbar"}))
    {'padding': 1, 'negative_vbar': 2}
    """
    masks: Sequence[int] = flag.attrs["flag_masks"]
    return dict(zip(str(flag.attrs["flag_meanings"]).split(), map(int, masks), strict=True))
