"""Correlations of a model's residuals with properties of the systems: surface brightness, gas, inclination."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.ablations import holm
from sigcube.analysis.labelled import about, list_of_names
from sigcube.errors import DataError, SpecError, did_you_mean
from sigcube.model.frames import FRAMES, frame_of, variables_of

__all__ = ["properties_of", "trends"]

# Fewer systems, or values of a property, have no meaningful order.
_FEWEST_SYSTEMS, _FEWEST_VALUES = 5, 3
# Numbers that stand for names, in no order.
_CODES = ("distance_method",)


def trends(values: xr.DataArray, cube: xr.Dataset, *, properties: Sequence[str] | None = None) -> xr.Dataset:
    """Correlate a value of each system, such as its mean residual, with the properties of the systems.

    Ranks are correlated (Spearman 1904), because properties span decades and outliers should not decide. One in twenty
    properties has p < 0.05 by chance: p-values are also adjusted for the number of properties.

    Parameters
    ----------
    values : DataArray, dims (system,)
        One value for each system: a metric of a result at one point of its grid, or a difference of two.
    cube : Dataset
        The cube with the properties; it may have more systems.
    properties : sequence of str, optional
        Variables of the cube with one number for each system; by default all but errors, flags, codes without
        an order, and what has the values of an earlier one.

    Returns
    -------
    Dataset
        Over ``property``, the smallest p first: ``rho``, the rank correlation; ``p_value`` of there being none, two-
        sided, from Student's t; ``p_adjusted`` for the number of properties (Holm 1979), the attribute
        ``n_compared``; ``n_systems`` with both numbers.

    Raises
    ------
    SpecError
        For values that are not one for each system, and for an unknown property.
    DataError
        If the cube lacks some of the systems, or is of another kind.

    Examples
    --------
    >>> from sigcube import Sweep, analysis
    >>> from sigcube.readers.mock import mock_survey
    >>> cube = mock_survey(n_galaxies=30, seed=3)
    >>> result = Sweep(cube, kernel="newton", sample="unflagged", metrics=["bias"], keep=["galaxy"]).compute()
    >>> found = analysis.trends(result["bias"], cube)
    >>> found.sizes["property"] == found.attrs["n_compared"]
    True
    """
    from scipy.stats import spearmanr

    dim = frame_of(cube).system_dim
    named = isinstance(values, xr.DataArray)
    if named and len(values.dims) == 1 and values.dims[0] in {frame.system_dim for frame in FRAMES.values()} - {dim}:
        found = f"values of each {values.dims[0]}, and a cube with {dim or 'no systems'}"
        raise DataError("the cube has other systems than the values", where="cube", found=found)
    if dim is None or not named or values.dims != (dim,) or dim not in values.coords or values.dtype.kind not in "biuf":
        expected = f"one number for each {dim or 'system'}, as from result['bias'].sel(A=1.2, method='nearest')"
        found = f"dimensions {', '.join(map(str, values.dims)) or 'none'}" if named else type(values).__name__
        if named and values.dtype.kind not in "biuf":
            found += f", of {values.dtype}"
        raise SpecError("trends are of one value of each system", where="values", found=found, expected=expected)
    own = {str(name): i for i, name in enumerate(cube[dim].values)}
    names = [str(name) for name in values[dim].values]
    if lacking := [name for name in names if name not in own]:
        some = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")
        raise DataError(f"the cube lacks {len(lacking)} of the systems", where="cube", found=some)
    systems = cube.isel({dim: [own[name] for name in names]})
    y = values.values.astype(np.float64)
    rows: list[tuple[str, float, float, int]] = []
    for name in _chosen(cube, properties):
        x = systems[name].values.astype(np.float64)
        both = np.isfinite(x) & np.isfinite(y)
        rho = p = np.nan
        if both.sum() >= _FEWEST_SYSTEMS and min(np.unique(each[both]).size for each in (x, y)) >= _FEWEST_VALUES:
            rho, p = (float(each) for each in spearmanr(x[both], y[both]))
        rows.append((name, rho, p, int(both.sum())))
    rows.sort(key=lambda row: (np.isnan(row[2]), row[2], row[0]))
    told = [row[2] for row in rows]
    answer = xr.Dataset(coords={"property": ("property", np.array([row[0] for row in rows], dtype=object))})
    answer["rho"] = "property", np.array([row[1] for row in rows]), about("rank correlation (Spearman)")
    answer["p_value"] = "property", np.array(told), about("p of no correlation")
    answer["p_adjusted"] = "property", holm(told), about("p, adjusted for the number of properties (Holm)")
    answer["n_systems"] = "property", np.array([row[3] for row in rows]), about("systems with both numbers")
    n_compared = int(np.isfinite(told).sum())
    return answer.assign_attrs({"of": str(values.name or "value"), "n_compared": n_compared})


def properties_of(cube: xr.Dataset) -> list[str]:
    """Name the variables of a cube that are properties of systems.

    They are numbers, but not errors, flags, codes without an order, or the values of an earlier one once more.
    """
    found: dict[str, npt.NDArray[np.float64]] = {}
    for name in map(str, cube.data_vars):
        if name not in variables_of(cube).systems or name.startswith("e_") or name in _CODES or _is_flag(cube[name]):
            continue
        values = cube[name].values.astype(np.float64)
        if not any(np.array_equal(values, other, equal_nan=True) for other in found.values()):
            found[name] = values
    return list(found)


def _is_flag(variable: xr.DataArray) -> bool:
    return "flag_masks" in variable.attrs


def _chosen(cube: xr.Dataset, properties: Sequence[str] | None) -> list[str]:
    if properties is None:
        return properties_of(cube)
    asked = list_of_names(properties, where="properties")
    offered: npt.NDArray[Any] | list[str] = sorted(variables_of(cube).systems)
    for name in asked:
        if name not in offered:
            what = f"the cube has no {name!r} for each system"
            raise SpecError(what, where="properties", hint=did_you_mean(name, offered))
    return list(dict.fromkeys(asked))
