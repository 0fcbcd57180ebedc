"""What a boost Σ means for light: potentials Φ and Ψ, their slip, and the mass that lenses (main §2.16, §4.3, SI §11).

The papers derive ∇²Φ = 4πG (3Σ−2) ρ and ∇²Ψ = 4πG (2Σ−1) ρ, and light follows Φ + Ψ. Each function takes a Σ, as
``kernel.boost(cube, ...)`` gives it: a number, an array, or a DataArray, whose labels it keeps, in chunks or not.

The papers use Σ in three ways that do not agree: they compare M_bar Σ with the mass from lensing, the renormalised
Σ_eff leaves pressure out, and the weak field as derived would have M_dyn = (3Σ−2) M_bar.

Where Σ ≥ 1 all of these are finite. At Σ = 2/3 the source of Φ vanishes and the two ratios are infinite. Below, Φ
repels, and the values have no meaning.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["dynamical_boost", "lensing_boost", "lensing_over_dynamics", "slip", "theta_renormalised"]


def slip(boost: Any) -> Any:
    """Gravitational slip η = Ψ/Φ = (2Σ−1)/(3Σ−2) (main §4.3, SI §11).

    Parameters
    ----------
    boost : float, array or xarray.DataArray
        Σ, dimensionless.

    Returns
    -------
    float, array or xarray.DataArray
        η, dimensionless, of the same shape and labels: 1 at Σ = 1, falling to 2/3; infinite at the pole Σ = 2/3.

    Examples
    --------
    >>> float(slip(2.0))
    0.75
    """
    return _apply(boost, lambda s: (2.0 * s - 1.0) / (3.0 * s - 2.0), "gravitational slip η = Ψ/Φ", "main §4.3, SI §11")


def lensing_over_dynamics(boost: Any) -> Any:
    """M_lens/M_dyn = (5Σ−3)/(2(3Σ−2)) (main §4.3, SI §11). Arguments as for `slip`.

    Returns
    -------
    float, array or xarray.DataArray
        The ratio, dimensionless: 1 at Σ = 1, falling to 5/6; infinite at the pole Σ = 2/3.

    Examples
    --------
    >>> [float(lensing_over_dynamics(value)) for value in (1.0, 1.5, 2.0)]
    [1.0, 0.9, 0.875]
    """
    return _apply(
        boost,
        lambda s: ((5.0 * s - 3.0) / 2.0) / (3.0 * s - 2.0),
        "mass from lensing over that from dynamics",
        "main §4.3, SI §11",
    )


def theta_renormalised(boost: Any) -> Any:
    """Σ_eff = (3Σ−1)/2: ρ_eff/ρ with the energy density of Θ_μν (main §2.16). Arguments as for `slip`.

    The papers say that fitted amplitudes hold this already, so it is for a bare Σ alone.

    Examples
    --------
    >>> float(theta_renormalised(2.0))
    2.5
    """
    return _apply(boost, lambda s: (3.0 * s - 1.0) / 2.0, "Σ with the contribution of Θ", "main §2.16")


def dynamical_boost(boost: Any) -> Any:
    """M_dyn/M_bar = 3Σ−2, the source of Φ with energy and pressure of Θ_μν (main §4.3). Arguments as for `slip`.

    Not Σ, by which every rotation curve of the papers is predicted.

    Examples
    --------
    >>> float(dynamical_boost(2.0))
    4.0
    """
    return _apply(boost, lambda s: 3.0 * s - 2.0, "dynamical mass over that of baryons", "main §4.3")


def lensing_boost(boost: Any) -> Any:
    """M_lens/M_bar = (5Σ−3)/2, half the source of Φ + Ψ (main §4.3). Arguments as for `slip`.

    Examples
    --------
    >>> float(lensing_boost(2.0))
    3.5
    """
    return _apply(boost, lambda s: (5.0 * s - 3.0) / 2.0, "mass from lensing over that of baryons", "main §4.3")


def _apply(boost: Any, formula: Callable[[Any], Any], long_name: str, source: str) -> Any:
    def evaluate(values: Any) -> Any:
        # In float64, where a pole is infinite and is no reason for a warning.
        with np.errstate(divide="ignore"):
            return formula(np.asarray(values, dtype=np.float64)[()])

    value = xr.apply_ufunc(evaluate, boost, dask="parallelized", output_dtypes=[np.float64])
    if isinstance(value, xr.DataArray):
        value.name = None
        value.attrs = {"long_name": long_name, "source": source}
    return value
