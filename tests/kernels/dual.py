"""Numbers with a derivative: a plain Python term fed with them gives its own derivative (forward differentiation)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Dual:
    """A value and its derivative with respect to one parameter."""

    value: float
    slope: float = 0.0

    def __add__(self, other: Any) -> "Dual":
        o = lift(other)
        return Dual(self.value + o.value, self.slope + o.slope)

    def __neg__(self) -> "Dual":
        return Dual(-self.value, -self.slope)

    def __sub__(self, other: Any) -> "Dual":
        return self + -lift(other)

    def __rsub__(self, other: Any) -> "Dual":
        return lift(other) + -self

    def __mul__(self, other: Any) -> "Dual":
        o = lift(other)
        return Dual(self.value * o.value, self.slope * o.value + self.value * o.slope)

    def __truediv__(self, other: Any) -> "Dual":
        o = lift(other)
        return Dual(self.value / o.value, (self.slope - self.value / o.value * o.slope) / o.value)

    def __rtruediv__(self, other: Any) -> "Dual":
        return lift(other) / self

    def __pow__(self, exponent: int) -> "Dual":
        return Dual(self.value**exponent, exponent * self.value ** (exponent - 1) * self.slope)

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> "Dual":
        return -self if self.value < 0 else self

    def __lt__(self, other: Any) -> bool:
        return self.value < lift(other).value

    def __gt__(self, other: Any) -> bool:
        return self.value > lift(other).value

    def __le__(self, other: Any) -> bool:
        return self.value <= lift(other).value

    def __ge__(self, other: Any) -> bool:
        return self.value >= lift(other).value

    def sqrt(self) -> "Dual":
        """What ``np.sqrt`` calls."""
        root = math.sqrt(self.value)
        return Dual(root, self.slope / (2.0 * root))


def lift(number: Any) -> Dual:
    return number if isinstance(number, Dual) else Dual(float(number))


def _of_one(function: Callable[[float], float], slope: Callable[[float], float]) -> Callable[[Any], Dual]:
    def dual(x: Any) -> Dual:
        x = lift(x)
        return Dual(function(x.value), slope(x.value) * x.slope)

    return dual


def _pow(x: Any, y: Any) -> Dual:
    x, y = lift(x), lift(y)
    value = x.value**y.value
    return Dual(value, value * (y.slope * math.log(x.value) + y.value * x.slope / x.value))


#: What a kernel's module calls, by the name it calls it; ``float`` must not drop the derivative.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": _of_one(math.exp, math.exp),
    "expm1": _of_one(math.expm1, math.exp),
    "log": _of_one(math.log, lambda x: 1.0 / x),
    "log1p": _of_one(math.log1p, lambda x: 1.0 / (1.0 + x)),
    "log10": _of_one(math.log10, lambda x: 1.0 / (x * math.log(10.0))),
    "divide": lambda a, b: lift(a) / lift(b),
    "pow": _pow,
    "powr": _pow,
    "float": lift,
}
