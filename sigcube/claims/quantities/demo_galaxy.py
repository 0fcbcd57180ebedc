"""The galaxy of formulas on which the CMSI notes show their kernel, and how well the kernel gives its velocities."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.claims.quantities.base import Context, Found, Keys, Quantity, Settings
from sigcube.claims.quantities.model_text import model_text
from sigcube.kernels import find

__all__ = ["QUANTITIES", "DemoGalaxyKeys", "demo_galaxy"]

FloatArray = npt.NDArray[np.float64]


class DemoGalaxyKeys(Keys):
    """A model of the synthetic galaxy of the CMSI notes, which do not describe it: that of the script they name.

    30 radii R of 0.5 to 15 kpc, x = R/3 kpc, V = 180 km/s; V_disk = 0.6 V √(x/(1+x)); V_gas = 0.2 V (1 − e^(−R/5 kpc));
    V_obs = V √(R/(R + 3 kpc)), at least 50 km/s, with normal noise of 0.3 of its error, 5 km/s + 0.02 V_obs, drawn from
    NumPy's seed 42. σ_v = 35 km/s e^(−R/4 kpc) + 10 km/s, where the kernel has one.
    """

    kernel: str
    settings: Settings = Field(default={})
    #: The ``rms`` of V_pred less V_obs, weighted by 1/error², in km/s, or the least or largest boost of the radii.
    take: Literal["rms", "least_boost", "largest_boost"]


def demo_galaxy(keys: DemoGalaxyKeys, _: Context) -> Found:
    """Predict the galaxy's velocities, and take a number of them."""
    cube, error = _galaxy()
    observed = cube["v_obs"].values[0]
    kernel = find(keys.kernel)
    has_dispersion = any(parameter.name == "sigma_v" for parameter in kernel.parameters)
    predicted = np.empty_like(observed)
    for i, r in enumerate(cube["r"].values[0]):
        # A parameter has one value: a profile of it takes a model at each radius.
        own: Settings = {"dispersion": "parameter", "sigma_v": float(_dispersion(r))} if has_dispersion else {}
        predicted[i] = kernel.predict(cube.isel(radius=[i]), **keys.settings, **own).values.item()
    weights = error**-2
    boost = (predicted / np.hypot(cube["v_disk"].values[0], cube["v_gas"].values[0])) ** 2
    value, take = {
        "rms": (np.sqrt(np.average((predicted - observed) ** 2, weights=weights)), "RMS weighted by 1/error²"),
        "least_boost": (boost.min(), "least V_pred²/V_bar² of the radii"),
        "largest_boost": (boost.max(), "largest V_pred²/V_bar² of the radii"),
    }[keys.take]
    details = {"take": take, "boost": f"{boost.min():.4g} to {boost.max():.4g}"}
    told: Settings = dict(keys.settings)
    if has_dispersion:
        details["σ_v"] = "35 km/s e^(−R/4 kpc) + 10 km/s"
        told["dispersion"] = "parameter"
    details |= model_text(keys.kernel, told, kind="galaxy", free=("sigma_v",))
    return Found(float(value), details=details)


def _galaxy() -> tuple[xr.Dataset, FloatArray]:
    """Return the galaxy as a cube, and the errors of its velocities in km/s."""
    velocity, r = 180.0, np.linspace(0.5, 15.0, 30)
    x = r / 3.0
    smooth = np.maximum(velocity * np.sqrt(r / (r + 3.0)), 50.0)
    error = 5.0 + 0.02 * smooth
    values = {
        "r": r,
        "v_disk": 0.6 * velocity * np.sqrt(x / (1.0 + x)),
        "v_gas": 0.2 * velocity * (1.0 - np.exp(-r / 5.0)),
        "v_bul": np.zeros_like(r),
        "v_obs": smooth + np.random.RandomState(42).normal(0.0, 0.3 * error),
    }
    arrays = {name: (("galaxy", "radius"), each[np.newaxis]) for name, each in values.items()}
    return xr.Dataset(arrays, attrs={"kind": "galaxy", "title": "a galaxy of formulas"}), error


def _dispersion(r: float) -> float:
    return float(35.0 * np.exp(-r / 4.0) + 10.0)


QUANTITIES = {"demo_galaxy": Quantity(DemoGalaxyKeys, demo_galaxy, uses_model=True)}
