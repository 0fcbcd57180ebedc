"""Numbers of the baryonic Tully–Fisher relation: the mass that a velocity needs under a model, and slopes."""

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.at_points import term_values
from sigcube.claims.quantities.base import Context, Found, Keys, ModelKeys, Quantity, Settings
from sigcube.claims.quantities.from_data import variable_of
from sigcube.claims.quantities.model_text import model_text
from sigcube.errors import SpecError

__all__ = ["QUANTITIES", "BalanceKeys", "SlopeKeys", "balance", "slope"]

# The mass is searched between these multiples of a landmark's baryons.
_LEAST, _MOST = 1e-6, 1e6

# Laws whose prediction grows with the mass.
_GROW = ("velocity", "dispersion", "acceleration", "mass")


class BalanceKeys(Keys):
    """The baryonic mass with which a model predicts a landmark's observed value, over the mass that it has.

    With several systems, the slope of the logarithm of that mass over the logarithm of the observed value: the exponent
    of the relation that the model predicts.
    """

    #: The landmarks, and the model.
    dataset: str
    kernel: str
    #: One landmark, or several on one relation.
    systems: list[str]
    settings: Settings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some(self) -> "BalanceKeys":
        if not self.systems:
            raise ValueError("name a system, or several")
        return self


def balance(keys: BalanceKeys, context: Context) -> Found:
    """Find the mass, or the slope."""
    whole = context.cube(keys.dataset)
    rows = [whole.sel(landmark=[name]) for name in keys.systems]
    factors = [_factor(row, keys) for row in rows]
    details = {name: f"{factor:.4f} of its baryons" for name, factor in zip(keys.systems, factors, strict=True)}
    details |= model_text(keys.kernel, keys.settings, kind="landmark")
    if len(rows) == 1:
        return Found(factors[0], details=details)
    masses = [factor * float(row["m_bar"].values[0]) for factor, row in zip(factors, rows, strict=True)]
    observed = [float(row["observed"].values[0]) for row in rows]
    return Found(_slope(np.array(observed), np.array(masses)), details=details)


def _factor(row: xr.Dataset, keys: BalanceKeys) -> float:
    """Return the factor of a landmark's baryons with which the model predicts what is observed."""
    from scipy.optimize import brentq

    name, law, observed = str(row["landmark"].values[0]), str(row["law"].values[0]), float(row["observed"].values[0])
    if law not in _GROW:
        raise SpecError("what is observed is no measure of a mass", where="systems", found=f"{name}: {law}")

    def gap(log_factor: float) -> float:
        value = term_values(keys.kernel, _with_baryons(row, 10.0**log_factor), "predicted", keys.settings)
        return float(np.log(float(value.values[0]) / observed))

    ends = np.log10([_LEAST, _MOST])
    if not gap(ends[0]) < 0.0 < gap(ends[1]):
        raise SpecError("no mass of baryons predicts what is observed", where="systems", found=f"{name}: {observed:g}")
    return float(10.0 ** brentq(gap, *ends, xtol=1e-12))


def _with_baryons(row: xr.Dataset, factor: float) -> xr.Dataset:
    """Return a landmark with more baryons: masses and accelerations go as M, velocities as √M."""
    grown = {name: row[name] * factor for name in ("m_bar", "g_bar")}
    return row.assign({**grown, "newton": row["newton"] * factor ** row["power"]})


class SlopeKeys(ModelKeys):
    """The exponent of a power law: the slope of a least-squares line through the logarithms of a sample's systems."""

    #: The variable of the cube on the x axis, and the term of the kernel on the y axis.
    x: str
    term: str
    #: Fit x over y instead, and take one over that slope.
    inverse: bool = False


def slope(keys: SlopeKeys, context: Context) -> Found:
    """Fit the line."""
    chosen = keys.selected(context)
    y = term_values(keys.kernel, chosen, keys.term, keys.settings)
    x, y = xr.broadcast(variable_of(chosen, keys.x), y)
    positive = np.isfinite(x.values) & np.isfinite(y.values) & (x.values > 0) & (y.values > 0)
    n_systems = int(positive.sum())
    if n_systems < 3:
        raise SpecError("a line needs three systems", where="sample", found=str(n_systems))
    details = {"systems": str(n_systems), "x": keys.x, "y": f"{keys.term} of {keys.kernel}"}
    values = x.values[positive], y.values[positive]
    return Found(1.0 / _slope(*reversed(values)) if keys.inverse else _slope(*values), details=details)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(np.log10(x), np.log10(y), 1)[0])


QUANTITIES = {
    "balance": Quantity(BalanceKeys, balance, uses_model=True),
    "slope": Quantity(SlopeKeys, slope, uses_model=True),
}
