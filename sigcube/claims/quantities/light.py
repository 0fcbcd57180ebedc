"""Numbers of light: what a boost means for potentials and for the mass that lenses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.kernels import lensing

__all__ = ["LENSING", "LensingKeys"]


class LensingKeys(Keys):
    """A function of `sigcube.kernels.lensing` at a boost Σ: a number, or a reading or claim as in an expression."""

    function: Literal["slip", "lensing_over_dynamics", "theta_renormalised", "dynamical_boost", "lensing_boost"]
    boost: Any

    def linked(self) -> tuple[Any, ...]:
        """Return the reading that Σ comes from, if it is one."""
        return () if isinstance(self.boost, int | float) else (self.boost,)


def of_boost(keys: LensingKeys, context: Context) -> Found:
    """Evaluate the function."""
    boost = context.linked(keys.boost) if keys.linked() else Found(float(keys.boost))
    value = float(getattr(lensing, keys.function)(boost.value))
    call = f"from sigcube.kernels import lensing; lensing.{keys.function}({boost.value!r})"
    return Found(value, boost.datasets, boost.spec, call, {"boost": f"{boost.value:.10g}"}, boost.quantities)


LENSING: Mapping[str, Quantity] = MappingProxyType({"lensing": Quantity(LensingKeys, of_boost)})
