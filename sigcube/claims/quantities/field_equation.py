"""How far the algebraic relation g = ν g_N is from the papers' field equation."""

from typing import Any, Literal

from pydantic import Field

from sigcube import field
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity

__all__ = ["QUANTITIES"]


class FieldKeys(Keys):
    """A value in the mid-plane of a solution: see `sigcube.field.solve`."""

    #: The function of `sigcube.field` that makes the source, and its arguments.
    shape: Literal["exponential", "kuzmin", "plummer", "hernquist"]
    of: dict[str, float]
    #: Radius in kpc.
    R: float
    #: The model.
    kernel: str = "sigma"
    settings: dict[str, Any] = Field(default={})
    #: A variable of the solution: ``deviation`` is g of the algebraic relation over that of the equation, less one.
    take: Literal["deviation", "deviation_outside", "boost", "boost_algebraic", "v", "v_algebraic"] = "deviation"


def solution_value(keys: FieldKeys, _: Context) -> Found:
    """Solve the field equation, and take the value at the radius."""
    source: field.Source = getattr(field, keys.shape)(**keys.of)
    found = field.solve(source, kernel=keys.kernel, R=[keys.R], **keys.settings)
    numbers = ", ".join(f"{name}={value!r}" for name, value in keys.of.items())
    settings = "".join(f", {name}={value!r}" for name, value in keys.settings.items())
    call = f"field.solve(field.{keys.shape}({numbers}), kernel={keys.kernel!r}, R=[{keys.R!r}]{settings})"
    value = float(found[keys.take].values.ravel()[0])
    details = {"source": source.title, "take": keys.take}
    return Found(value, command=f"from sigcube import field; {call}", details=details)


QUANTITIES = {"field": Quantity(FieldKeys, solution_value, uses_model=True)}
