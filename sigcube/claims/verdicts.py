"""Whether a computed number matches the printed one, decided by the printed characters alone."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from sigcube.errors import SpecError

__all__ = ["Printed", "Verdict", "agree", "read_printed"]

# Digits beyond the printed ones that a value is shown with at most.
_MOST_DIGITS_MORE = 4


class Verdict(StrEnum):
    """The outcome of a claim: always computed, never written into a row."""

    DIFFERS = "differs"
    CHANCE = "comes out by chance"
    AGAINST = "reproduces against the text"
    CONVENTION = "reproduces under a convention the text does not state"
    REPRODUCES = "reproduces"
    CONSISTENT = "consistent"
    CANNOT = "cannot be tested"
    ASSUMED = "assumed"
    AGREES = "agrees"
    CONTRADICTS = "contradicts"


@dataclass(frozen=True)
class Printed:
    """A printed number, range or bound, with the digits that it has.

    Attributes
    ----------
    form : {"number", "range", "bound", "order"}
        What it is; an order is a power of ten alone.
    low, high : Decimal or None
        The ends of a range, which are equal for a number; of a bound one is None.
    step : Decimal
        One unit in the last printed digit; of two ends, the coarser.
    scientific : bool
        Whether it is printed with a power of ten.
    margin : Decimal
        How far a value may be from the ends: half a step, or a tenth of the value if printed with ``~``.
    about : bool
        Whether it is a number printed with ``~``.
    """

    form: Literal["number", "range", "bound", "order"]
    low: Decimal | None
    high: Decimal | None
    step: Decimal
    scientific: bool
    margin: Decimal
    about: bool = False

    def matches(self, value: float, *, ends: tuple[float, float] | None = None) -> bool:
        """Whether a value rounds to what is printed; of a value with ends, whether any between them does.

        A value halfway between two roundings matches both: which one an author's program would print is unknown. A
        value lies in a range, or keeps a bound, if it does so once rounded to the printed digits.
        """
        if not math.isfinite(value):
            return False
        least, most = map(Decimal, ends or (value, value))
        above = self.low is None or most >= self.low - self.margin
        return above and (self.high is None or least <= self.high + self.margin)

    @property
    def digits(self) -> int:
        """How many digits a value has to hit: as many as are printed, but one of ~1000, and one of 52–90."""
        if self.low is None or self.high is None or self.low == self.high == 0:
            return 1
        width = self.high - self.low + 2 * self.margin
        return max(1, (max(abs(self.low), abs(self.high)) / width).adjusted() + 1) if width else 1

    @property
    def width(self) -> float | None:
        """The length of the interval whose values match; None of a bound, whose interval has no end."""
        return None if self.low is None or self.high is None else float(self.high - self.low + 2 * self.margin)

    def holds(self, value: Decimal, *, margin: Decimal) -> bool:
        """Whether a value lies between the ends, or outside by no more than a margin."""
        above = self.low is None or value >= self.low - margin
        return above and (self.high is None or value <= self.high + margin)

    def deviation(self, value: float) -> float:
        """Return how far a value is from the nearest printed one, relative to that; absolute where that is zero."""
        found = nearest = Decimal(value)
        if self.low is not None:
            nearest = max(nearest, self.low)
        if self.high is not None:
            nearest = min(nearest, self.high)
        gap = float(found - nearest)
        return gap / abs(float(nearest)) if nearest else gap

    def show(self, value: float) -> str:
        """Write a value with as many digits as are printed.

        Examples
        --------
        >>> pairs = (("17.75", 17.5026), ("1.77e-9", 1.7714e-9), ("0.36", 1e-7), ("~10", 8.81))
        >>> [read_printed(text).show(value) for text, value in pairs]
        ['17.50', '1.77e-9', '1e-7', '8.8']
        """
        if not math.isfinite(value):
            return str(value)
        # More digits where the printed ones would match though the value does not, as 9 for 8.8 beside ~10.
        texts = (self._show(value, more) for more in range(_MOST_DIGITS_MORE))
        found = next((text for text in texts if self.matches(float(text)) == self.matches(value)), None)
        return self._show(value, 0) if found is None else found

    def _show(self, value: float, more: int) -> str:
        # A bound has no last digit: two digits of the value say on which side it lies, and how far.
        first = self.step.adjusted() if self.step else Decimal(value).adjusted() - 1 if value else 0
        decimals = max(0, more - first)
        if self.scientific and value:
            ends = [end for end in (self.low, self.high) if end]
            decimals = max([end.adjusted() for end in ends], default=0) - self.step.adjusted() + more
            return _short(f"{value:.{max(0, decimals)}e}")
        text = f"{value:.{decimals}f}"
        if float(text) == 0.0:
            return text.lstrip("-") if value == 0.0 else _short(f"{value:.3g}")
        return text


def _short(text: str) -> str:
    """Leave leading zeros and the plus out of an exponent."""
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?"
# A power of ten alone.
_ORDER = re.compile(r"10([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_BOUNDS = {"<": "high", "≤": "high", "≲": "high", "≪": "high", ">": "low", "≥": "low", "≳": "low", "≫": "low"}
# What is much smaller or much larger is so by this factor at least.
_MUCH = {"≪": Decimal("0.1"), "≫": Decimal(10)}


def read_printed(text: str) -> Printed:
    """Read a number as papers print them.

    Parameters
    ----------
    text : str
        ``17.75``, ``≈ 8.45``, ``+74``, ``28,368``, ``1.77e-9``, ``1.77×10⁻⁹``, ``55.4 ± 3.8`` (whose first number is
        what is claimed), ``1.6–2.3``, ``< 1e-10``, ``≲ 0.10``, ``≪ 1e-10`` (taken as at most a tenth), ``~15`` (which
        holds within a tenth of it), ``10⁻⁹`` (an order: within a factor √10); a ``%`` behind it is ignored.

    Raises
    ------
    SpecError
        For anything else.
    """
    plain = _plain(text)
    if bound := re.fullmatch(rf"([<>≤≥≲≳≪≫]) ?({_NUMBER})", plain):
        sign, number = bound[1], _decimal(bound[2])
        end = number * _MUCH.get(sign, Decimal(1))
        is_high = _BOUNDS[sign] == "high"
        # A strict or a strong bound has no digits to round to.
        step = _step(number) if sign in "≤≥≲≳" else Decimal(0)
        low, high = (None, end) if is_high else (end, None)
        return Printed("bound", low, high, step, "e" in bound[2], step / 2)
    if order := _ORDER.fullmatch(plain):
        number = _decimal(f"1e{order[1].translate(_RAISED)}")
        root = Decimal(10).sqrt()
        return Printed("order", number / root, number * root, number, True, Decimal(0))
    if ends := re.fullmatch(rf"({_NUMBER}) ?(?:–|—|…|\.\.\.| to ) ?({_NUMBER})", plain):
        low, high = sorted((_decimal(ends[1]), _decimal(ends[2])))
        step = max(_step(low), _step(high))
        return Printed("range", low, high, step, "e" in ends[0], step / 2)
    if one := re.fullmatch(rf"({_NUMBER})(?: ?± ?{_NUMBER})?", plain):
        number = _decimal(one[1])
        # Digits after ~ are not meant to the last one.
        about = text.strip().startswith("~")
        margin = abs(number) / 10 if about else _step(number) / 2
        return Printed("number", number, number, _step(number), "e" in one[1], margin, about)
    raise SpecError(
        "this is not a number as papers print them",
        where="published",
        found=repr(text),
        expected="such as 17.75, 1.77e-9, 1.6–2.3, < 1e-10, 55.4 ± 3.8",
    )


def _plain(text: str) -> str:
    """Write signs and powers of ten in one way."""
    plain = text.strip().replace("−", "-").removeprefix("≈").removeprefix("~").strip().replace("%", "").strip()
    powers = re.sub(
        r" ?[×x·] ?10\^?\{?([⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+|[+-]?\d+)\}?", lambda found: "e" + found[1].translate(_RAISED), plain
    )
    return powers.replace("E", "e")


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _step(number: Decimal) -> Decimal:
    return Decimal(1).scaleb(int(number.as_tuple().exponent))


def agree(one: str, other: str) -> bool:
    """Whether two printed numbers agree to the digits of the shorter one; of other texts, whether they are equal.

    Examples
    --------
    >>> agree("0.987", "0.99"), agree("29.5", "27.6"), agree("Derived", "derived")
    (True, False, True)
    """
    try:
        first, second = read_printed(one), read_printed(other)
    except SpecError:
        return " ".join(one.lower().split()) == " ".join(other.lower().split())
    margin = max(first.step / 2, second.step / 2, first.margin, second.margin)
    if first.form == second.form:
        ends = ((first.low, second.low), (first.high, second.high))
        return all(a is b if a is None or b is None else abs(a - b) <= margin for a, b in ends)
    # A number may lie in a range, or keep a bound; a range and a bound are never the same.
    number, interval = (first, second) if first.form == "number" else (second, first)
    return number.form == "number" and number.low is not None and interval.holds(number.low, margin=margin)
