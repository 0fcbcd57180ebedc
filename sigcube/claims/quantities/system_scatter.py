"""The scatter of log g_obs/g_pred within each galaxy: its mean or median over them, and whose is less of two models."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.quantities.base import Context, Found, ModelKeys, Quantity, Settings
from sigcube.claims.quantities.model_text import model_text
from sigcube.errors import DataError
from sigcube.kernels import find

__all__ = ["QUANTITIES", "SystemScatterKeys", "system_scatter"]

_MEASURES = {"mean": "standard deviation", "zero": "root mean square"}

FloatArray = npt.NDArray[np.float64]


class SystemScatterKeys(ModelKeys):
    """The scatter of log g_obs/g_pred over the points of each galaxy, not over all points of all.

    A galaxy with a point where a model predicts no velocity is left out.
    """

    #: The model that it is compared with: its kernel, and its settings.
    reference: Settings | None = None
    #: The ``mean`` or ``median`` over the galaxies; how many have less scatter under the model than under the reference
    #: (``wins``), and how many more (``losses``).
    take: Literal["mean", "median", "wins", "losses"]
    #: Deviations are from the ``mean`` of a galaxy, as in a standard deviation, or from ``zero``: a root mean square.
    about: Literal["mean", "zero"] = "mean"
    #: Only galaxies with at least so many points.
    least_points: int = Field(default=3, ge=2)

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> "SystemScatterKeys":
        if self.take in ("wins", "losses") and self.reference is None:
            raise ValueError(f"{self.take} need a reference")
        if self.reference is not None and "kernel" not in self.reference:
            raise ValueError("the reference needs a kernel")
        return self

    def batch(self) -> tuple[str, ...]:
        """Keep what compiles the same terms together."""
        return ("system_scatter", self.dataset, self.kernel)


def system_scatter(keys: SystemScatterKeys, context: Context) -> Found:
    """Compute the scatter of each galaxy, and take a number of it."""
    cube = keys.selected(context)
    ours = _scatter(cube, keys, keys.kernel, keys.settings)
    other = dict(keys.reference or {})
    theirs = ours if keys.reference is None else _scatter(cube, keys, str(other.pop("kernel")), other)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if not both.any():
        raise DataError("no galaxy has a scatter", where="sample", found=keys.sample_text(context))
    ours, theirs = ours[both], theirs[both]
    value = {
        "mean": ours.mean(),
        "median": np.median(ours),
        "wins": (ours < theirs).sum(),
        "losses": (ours > theirs).sum(),
    }[keys.take]
    details = {
        "take": f"{keys.take} of the {_MEASURES[keys.about]} of log g_obs/g_pred within each galaxy",
        "systems": str(ours.size),
        "sample": keys.sample_text(context),
        "least points": str(keys.least_points),
        **model_text(keys.kernel, keys.settings, kind="galaxy"),
    }
    if keys.reference is not None:
        told = model_text(str(keys.reference["kernel"]), other, kind="galaxy")
        details |= {f"reference, {name}": text for name, text in told.items()}
    return Found(float(value), details=details)


def _scatter(cube: xr.Dataset, keys: SystemScatterKeys, kernel: str, settings: Settings) -> FloatArray:
    """Return the scatter of each galaxy in dex, NaN where it is left out; shape ``(n_galaxies,)``."""
    observed = cube["v_obs"]
    predicted = find(kernel).predict(cube, **settings)
    there = observed > 0.0
    # g goes as V².
    residual = 2.0 * np.log10(observed.where(there) / predicted.where(predicted > 0.0))
    whole = (residual.notnull() == there).all("radius") & (there.sum("radius") >= keys.least_points)
    centre = residual.mean("radius") if keys.about == "mean" else 0.0
    scatter = np.sqrt(((residual - centre) ** 2).mean("radius"))
    return np.asarray(scatter.where(whole).values, dtype=np.float64)


QUANTITIES = {"system_scatter": Quantity(SystemScatterKeys, system_scatter, uses_model=True)}
