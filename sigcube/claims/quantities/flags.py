"""How many systems of a dataset no flag of some kinds is set for, at any of their points."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr

from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.cube import flag_masks, kind_of
from sigcube.errors import SpecError, did_you_mean

__all__ = ["FLAGS", "UnflaggedKeys"]


class UnflaggedKeys(Keys):
    """The systems without a flag.

    Attributes
    ----------
    dataset : str
        A cube whose systems have several points.
    flags : list of str
        Meanings of its flag of points, none of which a system may have anywhere.
    least_points : int
        Fewest rows that the raw file has of a system.
    """

    dataset: str
    flags: list[str]
    least_points: int = 0


def unflagged(keys: UnflaggedKeys, context: Context) -> Found:
    """Count them."""
    cube = context.cube(keys.dataset)
    kind = kind_of(cube)
    if kind.point_dim is None:
        raise SpecError("its systems are single points", where="dataset", found=keys.dataset)
    flagged = _has(cube[str(kind.point_flag)], keys.flags).any(kind.point_dim)
    kept = ~flagged & (cube["n_points"] >= keys.least_points)
    names = ", ".join(str(name) for name in cube[str(kind.system_dim)].values[flagged.values])
    marks = {keys.dataset: str(cube.attrs["fingerprint"])}
    command = f"sigcube check cubes/{keys.dataset}.zarr"
    return Found(float(kept.sum()), marks, command=command, details={"flagged": names})


def _has(flag: xr.DataArray, meanings: list[str]) -> xr.DataArray:
    masks = flag_masks(flag)
    for name in meanings:
        if name not in masks:
            raise SpecError(f"there is no flag {name!r}", where="flags", hint=did_you_mean(name, masks))
    return (flag & np.uint8(sum(masks[name] for name in meanings))) != 0


FLAGS: Mapping[str, Quantity] = MappingProxyType({"unflagged": Quantity(UnflaggedKeys, unflagged)})
