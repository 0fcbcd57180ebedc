"""Verdicts from printed characters: digits, ranges, bounds; each case with its reason."""

import math
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sigcube.claims.verdicts import agree, read_printed
from sigcube.errors import SpecError

MATCHES = [
    ("17.75", 17.7498, True, "rounds up to it"),
    ("17.75", 17.7549, True, "rounds down to it"),
    ("17.75", 17.756, False, "rounds to 17.76"),
    ("17.75", 17.5026, False, "another number"),
    ("0.5", 0.25, False, "a quarter is 0.2 or 0.3"),
    ("0.2", 0.25, True, "half to even"),
    ("0.3", 0.25, True, "half up"),
    ("171", 171.4, True, "whole numbers have the digit of ones"),
    ("171", 170.4, False, "170"),
    ("28,368", 28368.0, True, "a comma parts thousands"),
    ("≈ 8.45", 8.4463, True, "the sign adds nothing to the digits"),
    ("~0.33", 0.329, True, "nor does this one"),
    ("+74", 74.3, True, "a sign"),
    ("−0.5", -0.45, True, "a typographic minus"),
    ("−0.5", 0.5, False, "of the other sign"),
    ("47.4%", 47.3684, True, "in per cent"),
    ("1.77e-9", 1.7651e-9, True, "three digits"),
    ("1.77×10⁻⁹", 1.7651e-9, True, "the same, typeset"),
    ("1.77e-9", 1.76e-9, False, "the third differs"),
    ("9.60 × 10^{-11}", 9.599e-11, True, "as LaTeX has it"),
    ("4.5e14", 4.54e14, True, "a large one"),
    ("55.4 ± 3.8", 55.37, True, "the first number is what is claimed"),
    ("55.4 ± 3.8", 54.0, False, "within the error is not the same digits"),
    ("1.6–2.3", 1.6, True, "an end"),
    ("1.6–2.3", 2.34, True, "rounds to an end"),
    ("1.6–2.3", 2.36, False, "beyond it"),
    ("0.10–0.15", 0.12, True, "inside"),
    ("−0.6 to −0.8", -0.7, True, "ends in either order"),
    ("< 1e-10", 9e-11, True, "below"),
    ("< 1e-10", 1.1e-10, False, "above; a strict bound has no digits to round to"),
    ("≤ 5", 5.4, True, "five, rounded"),
    ("≲ 0.10", 0.104, True, "0.10, rounded"),
    ("≲ 0.10", 0.106, False, "0.11"),
    ("≪ 1e-10", 9e-12, True, "less than a tenth"),
    ("≪ 1e-10", 5e-11, False, "half is not much smaller"),
    ("> 3", 3.2, True, "above"),
    ("≫ 1", 9.0, False, "less than ten times"),
    ("17.75", math.nan, False, "no number"),
    ("> 3", math.inf, False, "nor is infinity"),
    ("0", -0.4, True, "zero has a digit too"),
]


@pytest.mark.parametrize(("printed", "value", "expected", "reason"), MATCHES, ids=[f"{m[0]} {m[3]}" for m in MATCHES])
def test_a_value_is_what_is_printed(printed: str, value: float, expected: bool, reason: str) -> None:
    assert read_printed(printed).matches(value) is expected, reason


@pytest.mark.parametrize("text", ["", "about 3", "17.75 km/s", "1e", "3 ± ", "∝ H(z)", "1,5,"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="not a number as papers print them"):
        read_printed(text)


numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(-(10**7), 10**7), st.integers(-12, 3)
)


def plainly(number: Decimal) -> str:
    """As papers print it: no power of ten but where there must be one."""
    return f"{number:f}" if -6 <= int(number.as_tuple().exponent) <= 0 else f"{number:e}"


@given(numbers)
def test_a_printed_number_is_itself_at_any_digits(number: Decimal) -> None:
    printed = read_printed(plainly(number))
    assert printed.matches(float(number))
    assert printed.deviation(float(number)) == pytest.approx(0.0, abs=1e-12)


@given(numbers, st.floats(-0.499, 0.499))
def test_what_rounds_to_the_digits_matches_and_any_other_last_digit_does_not(number: Decimal, part: float) -> None:
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    value = number + step * Decimal(part)
    # A double has sixteen digits; with fewer between it and the edge, the edge is not where it seems.
    assume(abs(float(step)) > 1e-12 * abs(float(number)))
    assert read_printed(plainly(number)).matches(float(value))
    assert value.quantize(step, rounding=ROUND_HALF_EVEN) == number
    for changed in (number + step, number - step):
        assert not read_printed(plainly(changed)).matches(float(value))


@given(numbers, numbers, st.floats(-1e8, 1e8))
def test_a_range_holds_what_its_ends_and_the_bounds_do(low: Decimal, high: Decimal, value: float) -> None:
    text = f"{plainly(low)} to {plainly(high)}"
    half = float(read_printed(text).step) / 2
    ends = sorted((float(low), float(high)))
    assume(all(abs(abs(value - end) - half) > 1e-9 * max(1.0, abs(end)) for end in ends))
    assert read_printed(text).matches(value) is (ends[0] - half <= value <= ends[1] + half)


@pytest.mark.parametrize(
    ("printed", "value", "shown"),
    [
        ("17.75", 17.5026, "17.50"),
        ("171", 170.6, "171"),
        ("1.77e-9", 1.76509e-9, "1.77e-9"),
        ("1.77e-9", 2.5e-12, "2.50e-12"),
        ("0.36", 3e-7, "3e-7"),
        ("0.36", 0.0, "0.00"),
        ("1.6–2.3", 1.947, "1.9"),
        ("5.4e-10", 0.0, "0.00000000000"),
        ("0.5", math.inf, "inf"),
        # a bound has no last digit
        ("> 0.1", 0.6449569, "0.64"),
        ("< 3", 84.2, "84"),
        ("≤ 85", 105.0, "105"),
        ("> 0", -0.4812, "-0.48"),
        ("< 3", 3.04, "3.04"),
        ("< 1e-6", 8.3e-13, "8e-13"),
    ],
)
def test_a_value_is_shown_with_the_printed_digits(printed: str, value: float, shown: str) -> None:
    assert read_printed(printed).show(value) == shown


def test_a_deviation_is_relative_to_the_nearest_end_and_absolute_from_zero() -> None:
    assert read_printed("2.0–4.0").deviation(5.0) == pytest.approx(0.25)
    assert read_printed("2.0–4.0").deviation(1.0) == pytest.approx(-0.5)
    assert read_printed("2.0–4.0").deviation(3.0) == 0.0
    assert read_printed("0.0").deviation(0.3) == pytest.approx(0.3)
    assert read_printed("-2.0").deviation(-3.0) == pytest.approx(-0.5)


AGREE = [
    ("17.75", "17.75", True, "the same"),
    ("29.5", "27.6", False, "different"),
    ("17.75", "17.76", False, "the last digit"),
    ("0.987", "0.99", True, "rounds to it"),
    ("0.132", "0.133", False, "as many digits, another number"),
    ("1.3e-11", "1.28e-11", True, "rounds to it"),
    ("0.987", "0.95–1.05", True, "inside the range"),
    ("0.9", "0.95–1.05", True, "touches it, with its one digit"),
    ("0.90", "0.95–1.05", False, "outside"),
    ("0.67–1.48", "0.67–1.48", True, "the same range"),
    ("0.67–1.48", "0.67–1.5", True, "one end with fewer digits"),
    ("< 3", "2", True, "keeps the bound"),
    ("< 3", "< 3", True, "the same bound"),
    ("< 3", "> 3", False, "the other side"),
    ("< 3", "1–2", False, "a range and a bound are two things"),
    ("Derived", "derived ", True, "texts, but for case and space"),
    ("derived", "calibrated", False, "other words"),
]


@pytest.mark.parametrize(("one", "other", "expected", "reason"), AGREE, ids=[f"{a[0]} {a[1]}" for a in AGREE])
def test_two_printed_numbers_agree(one: str, other: str, expected: bool, reason: str) -> None:
    assert agree(one, other) is expected, reason
    assert agree(other, one) is expected


@pytest.mark.parametrize(
    ("printed", "digits", "reason"),
    [
        ("17.75", 4, "as many as are printed"),
        ("0.097", 2, "zeros in front are none"),
        ("1.77e-9", 3, "the power of ten is none"),
        ("171", 3, "whole numbers"),
        ("~1000", 1, "a tenth of it is let pass"),
        ("~15", 1, "a tenth of it is let pass"),
        ("52–90", 1, "any value between has them"),
        ("0.95–1.05", 1, "any value between has them, though three are printed"),
        ("< 1e-8", 1, "a bound has none to hit"),
        ("0", 1, "nor has zero"),
    ],
)
def test_digits_that_a_value_has_to_hit(printed: str, digits: int, reason: str) -> None:
    assert read_printed(printed).digits == digits, reason


def test_a_row_that_says_how_near_is_near_has_fewer_digits_to_hit() -> None:
    assert read_printed("7,000").digits == 4
    assert replace(read_printed("7,000"), margin=Decimal(500)).digits == 1
