"""vecmath against mpmath, against 80-bit arithmetic, against C99's special cases, and against its own vector form."""

import hashlib
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llvmlite.binding import get_host_cpu_features
from mpmath import mp, mpf
from numba import njit

from sigcube.model import vecmath

INF, NAN = math.inf, math.nan
SMALLEST, MIN_NORMAL, MAX = 5e-324, 2.0**-1022, 1.7976931348623157e308
BELOW_ONE, ABOVE_ONE = math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0)
UNARY = ("exp", "expm1", "log", "log10", "log1p")
POWERS_OF = ("pow", "powr")
NAMES = (*UNARY, *POWERS_OF)
ORACLE: dict[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log10": mp.log10,
    "log1p": mp.log1p,
    "pow": lambda x, y: x**y,
    "powr": lambda x, y: x**y,
}


@pytest.fixture(autouse=True)
def _precision():
    with mp.workprec(140):
        yield


@cache
def vector(name: str) -> Any:
    """The function in a loop that LLVM vectorises."""
    function = getattr(vecmath, name)
    if name in POWERS_OF:

        @njit(error_model="numpy")
        def loop(x, y, out):
            for i in range(x.size):
                out[i] = function(x[i], y[i])
    else:

        @njit(error_model="numpy")
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(x[i])

    return loop


def evaluate(name: str, *arguments: np.ndarray) -> np.ndarray:
    out = np.empty(arguments[0].size)
    vector(name)(*(np.ascontiguousarray(a, dtype=np.float64) for a in arguments), out)
    return out


def same(got: float, want: float) -> bool:
    """Equal, the sign of zero included, all NaN being one."""
    if math.isnan(want):
        return math.isnan(got)
    return got == want and math.copysign(1.0, got) == math.copysign(1.0, want)


def error_in_ulp(got: float, want: Any) -> float:
    """Distance from the exact value in units of the last place there; an overflow must be where IEEE rounds to it."""
    if abs(want) >= mpf(2) ** 1024 - mpf(2) ** 970:
        return 0.0 if got == (INF if want > 0 else -INF) else INF
    if want == 0 or math.isinf(got) or math.isnan(got):
        return 0.0 if got == want else INF
    exponent = mp.frexp(abs(want))[1]
    return float(abs(mpf(got) - want) / mpf(2) ** max(exponent - 53, -1074))


def largest_error(name: str, *arguments: np.ndarray) -> float:
    got = evaluate(name, *arguments)
    rows = zip(got.tolist(), *(a.tolist() for a in arguments), strict=True)
    return max(error_in_ulp(value, ORACLE[name](*map(mpf, row))) for value, *row in rows)


def all_binades(rng: np.random.Generator, n: int) -> np.ndarray:
    """Positive normal and subnormal numbers, every exponent alike."""
    return rng.integers(1, 0x7FF0000000000000, n).view(np.float64)


def near_one(rng: np.random.Generator, n: int) -> np.ndarray:
    return 1.0 + rng.choice([-1.0, 1.0], n) * 0.5 * 10.0 ** rng.uniform(-16, 0, n)


def subnormals(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(1, 1 << 52, n).view(np.float64)


def both_signs(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    return rng.choice([-1.0, 1.0], values.size) * values


def half_steps(rng: np.random.Generator, n: int) -> np.ndarray:
    """Where the range reduction of exp changes k."""
    return (rng.integers(-1075, 1024, n) + 0.5) * math.log(2) * (1 + rng.uniform(-1e-9, 1e-9, n))


def samples(name: str, n: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(20)
    tiny = both_signs(rng, 10.0 ** rng.uniform(-320, -1, n))
    if name == "exp":
        edges = np.r_[rng.uniform(709.7, 709.9, n // 4), rng.uniform(-745.3, -708.0, n // 4)]
        return (np.r_[rng.uniform(-746, 710, n), rng.uniform(-1, 1, n), half_steps(rng, n), tiny, edges],)
    if name == "expm1":
        return (np.r_[rng.uniform(-50, 710, n), rng.uniform(-2, 2, 2 * n), half_steps(rng, n // 2), tiny],)
    if name == "log1p":
        to_minus_one = -1.0 + 10.0 ** rng.uniform(-15.9, 0, n)
        return (np.r_[all_binades(rng, n), rng.uniform(-0.9999, 2, n), tiny, to_minus_one],)
    if name in ("log", "log10"):
        sqrt_half = math.sqrt(0.5) * (1 + rng.uniform(-1e-9, 1e-9, n // 2)) * 2.0 ** rng.integers(-9, 9, n // 2)
        return (np.r_[all_binades(rng, n), near_one(rng, n), rng.uniform(0.5, 2, n), subnormals(rng, n), sqrt_half],)
    # pow: the exponent is chosen so that the results fill the whole range, also from bases next to 1.
    base = np.r_[all_binades(rng, n), near_one(rng, n), rng.uniform(0.5, 2, n), subnormals(rng, n // 4)]
    base = base[base != 1.0]
    return base, rng.uniform(-746, 710, base.size) / np.log(base)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_within_one_ulp_of_the_exact_value(name):
    worst = largest_error(name, *samples(name, 5000))
    print(f"{name}: {worst:.3f} ulp")
    assert worst <= 1.0


@pytest.mark.slow
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here")
@pytest.mark.parametrize("name", NAMES)
def test_within_one_ulp_of_80_bit_arithmetic(name):
    arguments = samples(name, 100_000)
    with np.errstate(all="ignore"):
        wide = getattr(np, "power" if name in POWERS_OF else name)(*(a.astype(np.longdouble) for a in arguments))
        ulp = np.ldexp(np.longdouble(1), np.frexp(wide)[1] - 53)
        error = np.abs(evaluate(name, *arguments) - wide) / ulp
    normal = (np.abs(wide) >= MIN_NORMAL) & (np.abs(wide) <= MAX)
    assert normal.sum() > 100_000
    print(f"{name}: {error[normal].max():.3f} ulp, {np.mean(error[normal] > 0.6):.1e} of the values above 0.6")
    assert error[normal].max() <= 1.0


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(x=st.floats(allow_nan=False, allow_infinity=False), y=st.floats(allow_nan=False, allow_infinity=False))
@example(x=BELOW_ONE, y=MAX)
@example(x=ABOVE_ONE, y=-(2.0**62))
@example(x=SMALLEST, y=-SMALLEST)
def test_any_positive_floats_are_within_one_ulp(x, y):
    x = abs(x)
    if x > 0:
        assert error_in_ulp(vecmath.log(x), mp.log(x)) <= 1
        assert error_in_ulp(vecmath.log10(x), mp.log10(x)) <= 1
        size = mpf(y) * mp.log(x)
        want = mpf(0) if size < -800 else mpf(2) ** 1025 if size > 800 else mpf(x) ** mpf(y)
        assert error_in_ulp(vecmath.pow(x, y), want) <= 1
    assert error_in_ulp(vecmath.log1p(x), mp.log1p(x)) <= 1
    assert error_in_ulp(vecmath.exp(y), mpf(0) if y < -800 else mp.exp(min(y, 800))) <= 1
    assert error_in_ulp(vecmath.expm1(y), mpf(-1) if y < -800 else mp.expm1(min(y, 800))) <= 1


LIMITS = [
    ("exp", 0.0, 1.0, "exact at 0"),
    ("exp", -0.0, 1.0, "exact at -0"),
    ("exp", SMALLEST, 1.0, "a subnormal is lost beside 1"),
    ("exp", INF, INF, "C99 F.9.3.1"),
    ("exp", -INF, 0.0, "C99 F.9.3.1"),
    ("exp", NAN, NAN, "NaN passes"),
    ("exp", 709.782712893384, 1.7976931348622732e308, "the largest argument with a finite value"),
    ("exp", 709.7827128933841, INF, "the smallest one that overflows"),
    ("exp", MAX, INF, "overflow far out"),
    ("exp", -745.1332191019411, SMALLEST, "the lowest argument that does not round to 0"),
    ("exp", -745.1332191019412, 0.0, "the next one rounds to 0"),
    ("exp", -MAX, 0.0, "underflow far out"),
    ("expm1", 0.0, 0.0, "C99 F.9.3.3"),
    ("expm1", -0.0, -0.0, "the sign of zero stays"),
    ("expm1", SMALLEST, SMALLEST, "a subnormal is its own value"),
    ("expm1", -SMALLEST, -SMALLEST, "also below 0"),
    ("expm1", INF, INF, "C99 F.9.3.3"),
    ("expm1", -INF, -1.0, "C99 F.9.3.3"),
    ("expm1", NAN, NAN, "NaN passes"),
    ("expm1", 709.782712893384, 1.7976931348622732e308, "2^1024 appears on the way but not in the value"),
    ("expm1", 709.7827128933841, INF, "the smallest argument that overflows"),
    ("expm1", -50.0, -1.0, "e^x lost beside 1"),
    ("log", 1.0, 0.0, "exact, and +0"),
    ("log", 0.0, -INF, "C99 F.9.3.7"),
    ("log", -0.0, -INF, "C99 F.9.3.7"),
    ("log", -1.0, NAN, "outside the domain"),
    ("log", -SMALLEST, NAN, "outside the domain, subnormal"),
    ("log", -INF, NAN, "outside the domain"),
    ("log", INF, INF, "C99 F.9.3.7"),
    ("log", NAN, NAN, "NaN passes"),
    ("log10", 1.0, 0.0, "exact, and +0"),
    ("log10", 0.0, -INF, "C99 F.9.3.8"),
    ("log10", -0.0, -INF, "C99 F.9.3.8"),
    ("log10", -1.0, NAN, "outside the domain"),
    ("log10", INF, INF, "C99 F.9.3.8"),
    ("log10", -INF, NAN, "outside the domain"),
    ("log10", NAN, NAN, "NaN passes"),
    ("log1p", 0.0, 0.0, "C99 F.9.3.9"),
    ("log1p", -0.0, -0.0, "the sign of zero stays"),
    ("log1p", SMALLEST, SMALLEST, "a subnormal is its own value"),
    ("log1p", -1.0, -INF, "C99 F.9.3.9"),
    ("log1p", -2.0, NAN, "outside the domain"),
    ("log1p", math.nextafter(-1.0, -2.0), NAN, "just outside"),
    ("log1p", INF, INF, "C99 F.9.3.9"),
    ("log1p", -INF, NAN, "outside the domain"),
    ("log1p", NAN, NAN, "NaN passes"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "x", "want", "reason"), LIMITS)
def test_limits(name, x, want, reason):
    assert same(getattr(vecmath, name)(x), want), reason
    assert same(float(evaluate(name, np.full(9, x))[4]), want), reason


POWERS = [
    (NAN, 0.0, 1.0, "anything to the 0 is 1"),
    (NAN, -0.0, 1.0, "anything to the -0 is 1"),
    (INF, 0.0, 1.0, "anything to the 0 is 1"),
    (0.0, -0.0, 1.0, "anything to the 0 is 1"),
    (1.0, NAN, 1.0, "1 to anything is 1"),
    (1.0, INF, 1.0, "1 to anything is 1"),
    (1.0, MAX, 1.0, "1 to anything is 1"),
    (-1.0, INF, 1.0, "-1 to an infinite power is 1"),
    (-1.0, -INF, 1.0, "-1 to an infinite power is 1"),
    (-1.0, 2.0**53 - 1, -1.0, "the largest odd power"),
    (-1.0, 2.0**53, 1.0, "every larger power is even"),
    (-1.0, MAX, 1.0, "every larger power is even"),
    (-1.0, 0.5, NAN, "negative base, no integer"),
    (-8.0, 1.0 / 3.0, NAN, "negative base, no integer"),
    (-2.0, SMALLEST, NAN, "half of this power is 0, yet it is no even integer"),
    (-2.0, 2.0**51 + 0.5, NAN, "a large half-integer"),
    (-2.0, 3.0, -8.0, "odd power"),
    (-2.0, -3.0, -0.125, "odd negative power"),
    (-2.0, 2.0, 4.0, "even power"),
    (-2.0, 1025.0, -INF, "odd overflow"),
    (-2.0, -1075.0, -0.0, "odd underflow"),
    (-2.0, -1074.0, SMALLEST, "even, the smallest value"),
    (0.0, 3.0, 0.0, "+0 to an odd power"),
    (-0.0, 3.0, -0.0, "-0 to an odd power"),
    (-0.0, 2.0, 0.0, "-0 to an even power"),
    (-0.0, 0.5, 0.0, "-0 to a fraction is no NaN"),
    (0.0, SMALLEST, 0.0, "however small the power"),
    (0.0, INF, 0.0, "0 to infinity"),
    (0.0, -3.0, INF, "+0 to an odd negative power"),
    (-0.0, -3.0, -INF, "-0 to an odd negative power"),
    (-0.0, -2.0, INF, "-0 to an even negative power"),
    (-0.0, -0.5, INF, "-0 to a negative fraction"),
    (0.0, -SMALLEST, INF, "however small the power"),
    (0.0, -INF, INF, "0 to minus infinity"),
    (0.0, NAN, NAN, "NaN passes"),
    (NAN, 1.0, NAN, "NaN passes"),
    (2.0, NAN, NAN, "NaN passes"),
    (-2.0, NAN, NAN, "NaN passes"),
    (INF, NAN, NAN, "NaN passes"),
    (NAN, NAN, NAN, "NaN passes"),
    (0.5, INF, 0.0, "|x| < 1 to infinity"),
    (-0.5, INF, 0.0, "|x| < 1 to infinity"),
    (BELOW_ONE, INF, 0.0, "barely below 1"),
    (0.5, -INF, INF, "|x| < 1 to minus infinity"),
    (2.0, INF, INF, "|x| > 1 to infinity"),
    (-2.0, INF, INF, "|x| > 1 to infinity"),
    (ABOVE_ONE, INF, INF, "barely above 1"),
    (2.0, -INF, 0.0, "|x| > 1 to minus infinity"),
    (INF, 2.0, INF, "infinite base"),
    (INF, SMALLEST, INF, "however small the power"),
    (INF, -2.0, 0.0, "infinite base"),
    (INF, INF, INF, "both infinite"),
    (INF, -INF, 0.0, "both infinite"),
    (-INF, 3.0, -INF, "odd"),
    (-INF, 2.0, INF, "even"),
    (-INF, 0.5, INF, "-inf to a fraction is no NaN"),
    (-INF, -3.0, -0.0, "odd negative"),
    (-INF, -2.0, 0.0, "even negative"),
    (-INF, -0.5, 0.0, "negative fraction"),
    (MAX, 1.0, MAX, "x^1 is x at the top"),
    (SMALLEST, 1.0, SMALLEST, "x^1 is x at the bottom"),
    (2.0, 1024.0, INF, "the first power of 2 out of range"),
    (ABOVE_ONE, 2.0**62, INF, "huge power of a base next to 1"),
    (BELOW_ONE, 2.0**63, 0.0, "huge power of a base next to 1"),
]


@pytest.mark.parametrize(("x", "y", "want", "reason"), POWERS)
def test_power_limits(x, y, want, reason):
    assert same(vecmath.pow(x, y), want), reason
    assert same(float(evaluate("pow", np.full(9, x), np.full(9, y))[4]), want), reason


# IEEE 754-2008, 9.2.1: the limits of exp(y log x), and NaN where there is none.
POWERS_OF_POSITIVE = [
    (2.0, 3.0, 8.0, "as pow"),
    (0.5, 0.0, 1.0, "x^0 of a positive base"),
    (0.5, -0.0, 1.0, "x^0 of a positive base"),
    (1.0, 1e300, 1.0, "1 to any finite power"),
    (0.5, INF, 0.0, "below 1"),
    (0.5, -INF, INF, "below 1"),
    (2.0, INF, INF, "above 1"),
    (2.0, -INF, 0.0, "above 1"),
    (0.0, 0.5, 0.0, "0 to a positive power"),
    (0.0, -0.5, INF, "0 to a negative power"),
    (-0.0, 3.0, 0.0, "-0 is 0, also to an odd power"),
    (-0.0, -3.0, INF, "-0 is 0, also to an odd power"),
    (0.0, -INF, INF, "0 to a negative power"),
    (INF, 2.0, INF, "an infinite base"),
    (INF, -2.0, 0.0, "an infinite base"),
    (0.0, 0.0, NAN, "0 times -inf"),
    (INF, 0.0, NAN, "0 times inf"),
    (1.0, INF, NAN, "inf times 0"),
    (1.0, -INF, NAN, "inf times 0"),
    (1.0, NAN, NAN, "NaN of anything"),
    (NAN, 0.0, NAN, "NaN of anything"),
    (-2.0, 3.0, NAN, "no negative base, also to an integer"),
    (-INF, 2.0, NAN, "no negative base"),
    (-SMALLEST, 0.0, NAN, "no negative base"),
    (2.0, 1024.0, INF, "the first power of 2 out of range"),
    (BELOW_ONE, 2.0**63, 0.0, "huge power of a base next to 1"),
]


@pytest.mark.parametrize(("x", "y", "want", "reason"), POWERS_OF_POSITIVE)
def test_limits_of_powers_of_a_positive_base(x, y, want, reason):
    assert same(vecmath.powr(x, y), want), reason
    assert same(float(evaluate("powr", np.full(9, x), np.full(9, y))[4]), want), reason


@settings(max_examples=300, deadline=None)
@given(
    x=st.floats(min_value=0.0, exclude_min=True, allow_infinity=False),
    y=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_power_of_a_positive_base_has_the_same_bits(x, y):
    assert same(vecmath.powr(x, y), vecmath.pow(x, y))


@pytest.mark.parametrize("name", POWERS_OF)
def test_a_power_goes_to_infinity_and_to_zero_where_libm_s_does(name):
    # Across 709.78, -708.4 and -745.13, and across 748, from where on inf and 0 are put in place.
    y = np.concatenate([sign * np.linspace(700.0, 760.0, 60_001) for sign in (1.0, -1.0)])
    with np.errstate(over="ignore", under="ignore"):
        want = np.power(math.e, y)
    found = evaluate(name, np.full(y.size, math.e), y)
    assert np.array_equal(found == INF, want == INF)
    assert np.array_equal(found == 0.0, want == 0.0)
    finite = want < INF
    assert np.all(np.abs(found[finite] - want[finite]) <= 2.0 * np.spacing(want[finite]))


def test_power_agrees_with_libm_on_every_pair_of_edges():
    edges = [0.0, SMALLEST, MIN_NORMAL, 0.5, BELOW_ONE, 1.0, ABOVE_ONE, 1.5, 2.0, 3.0, 2.0**52 + 1, 2.0**53, MAX, INF]
    edges = np.array([*edges, *(-e for e in edges), NAN])
    x, y = (a.ravel() for a in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        want = np.power(x, y)
    got = evaluate("pow", x, y)
    special = ~np.isfinite(want) | (want == 0) | (np.abs(x) == 1) | (y == 0)
    assert special.sum() > 400
    rows = zip(x[special], y[special], got[special], want[special], strict=True)
    wrong = [row for row in rows if not same(row[2], row[3])]
    assert wrong == []
    np.testing.assert_array_max_ulp(got[~special], want[~special], maxulp=2)


def test_exact_values():
    k = np.arange(-1074.0, 1024.0)
    np.testing.assert_array_equal(evaluate("pow", np.full(k.size, 2.0), k), np.ldexp(1.0, k.astype(int)))
    x = all_binades(np.random.default_rng(3), 10_000)
    np.testing.assert_array_equal(evaluate("pow", x, np.ones(x.size)), x)
    small = np.arange(1.0, 1000.0)
    np.testing.assert_array_equal(evaluate("pow", small, np.full(small.size, 3.0)), small**3)
    ten = np.arange(0, 23)
    np.testing.assert_array_equal(evaluate("log10", 10.0**ten), ten)
    np.testing.assert_array_equal(evaluate("pow", np.full(ten.size, 10.0), ten), 10.0**ten)


def test_square_and_root_are_within_one_ulp():
    x = np.random.default_rng(4).uniform(0.01, 100, 10_000)
    np.testing.assert_array_max_ulp(evaluate("pow", x, np.full(x.size, 2.0)), x * x, maxulp=1)
    np.testing.assert_array_max_ulp(evaluate("pow", x, np.full(x.size, 0.5)), np.sqrt(x), maxulp=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize(
    "start", [0.34657359027997264, 0.7071067811865475, 1.0397207708399179, 1.4142135623730951, 36.7]
)
def test_grows_across_the_seams(name, start):
    # Steps in which the function moves by about two units in the last place: more than twice its error.
    x = start * (1 + np.arange(-400, 400) * 2.0**-49)
    assert (np.diff(evaluate(name, x)) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_scalar_and_vector_give_the_same_bits(name):
    arguments = tuple(a[:: a.size // 1500] for a in samples(name, 5000))
    function = getattr(vecmath, name)
    scalar = np.array([function(*row) for row in zip(*(a.tolist() for a in arguments), strict=True)])
    np.testing.assert_array_equal(evaluate(name, *arguments).view(np.int64), scalar.view(np.int64))


@pytest.mark.parametrize("name", NAMES)
def test_one_element_at_a_time_gives_the_same_bits_as_a_long_loop(name):
    arguments = tuple(a[:: a.size // 200] for a in samples(name, 5000))
    # A loop of one element runs LLVM's scalar remainder.
    single = [evaluate(name, *(a[i : i + 1] for a in arguments))[0] for i in range(arguments[0].size)]
    np.testing.assert_array_equal(evaluate(name, *arguments).view(np.int64), np.array(single).view(np.int64))


def scattered(n: int, multiplier: int) -> np.ndarray:
    """Bits that look random, made by integer arithmetic alone."""
    return np.arange(1, n + 1, dtype=np.uint64) * np.uint64(multiplier)


def digest(name: str) -> str:
    bits, other = scattered(20_000, 0x9E3779B97F4A7C15), scattered(20_000, 0xD1342543DE82EF95)
    anything, unit = bits.view(np.float64), (other >> np.uint64(11)).astype(np.float64) * 2.0**-53
    spread = np.r_[anything, (unit - 0.5) * 1500.0, unit * 4.0]
    powers = np.r_[(unit - 0.5) * 8.0, unit * 3.0, (unit - 0.5) * 1000.0]
    out = evaluate(name, *((np.abs(spread), powers) if name in POWERS_OF else (spread,)))
    out[np.isnan(out)] = NAN
    return hashlib.sha256(out.astype("<f8").tobytes()).hexdigest()[:16]


DIGESTS = {
    "exp": "e37ae78a1325f09a",
    "expm1": "0e92d53d29fa8b23",
    "log": "3d2596d0da6bdbef",
    "log10": "03afdda1ebcf7e66",
    "log1p": "c5c285f784bcf247",
    "pow": "b4c228e489cdf8ad",
    # No base is 0, 1 or infinite.
    "powr": "b4c228e489cdf8ad",
}


@pytest.mark.parametrize("name", NAMES)
def test_bits_are_those_of_every_other_machine(name):
    # Results name these bits in their checksums; a change here is a change of every stored cube.
    assert digest(name) == DIGESTS[name]


ON_X86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="compiles for other x86-64 processors"
)


@pytest.mark.slow
@ON_X86
@pytest.mark.parametrize(
    ("processor", "reason"),
    [
        ("x86-64", "no fused multiply-add: libm's function, one element at a time"),
        ("sandybridge", "vectors of four elements, yet no fused multiply-add"),
        ("haswell", "AVX2 and fused multiply-add"),
    ],
)
def test_bits_are_those_of_code_for_an_older_processor(processor, reason):
    if processor == "haswell" and not get_host_cpu_features()["fma"]:
        pytest.skip("this processor is older")
    code = "from tests.model.test_vecmath import NAMES, digest; print(*map(digest, NAMES))"
    environment = {**os.environ, "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == [DIGESTS[name] for name in NAMES], reason


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_vectorises_without_libm(name):
    evaluate(name, *(np.ones(4) for _ in range(2 if name in POWERS_OF else 1)))
    (assembly,) = vector(name).inspect_asm().values()
    assert re.search(r"\bv?(mulpd|fmul)\b.*(ymm|zmm|xmm)|fmul\s+v\d+\.2d", assembly)
    symbols = r"\b(exp|expm1|exp2|log|log10|log1p|log2|pow|floor|round|ldexp|__\w+_finite)\b"
    assert not re.search(rf"(call|jmp|bl|mov|lea|adrp)\w*\s.*{symbols}", assembly)


@pytest.mark.skipif(
    platform.machine() in ("x86_64", "AMD64") and not get_host_cpu_features()["fma"],
    reason="no fused multiply-add here",
)
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_multiplies_and_adds_in_one_packed_instruction(name):
    evaluate(name, *(np.ones(4) for _ in range(2 if name in POWERS_OF else 1)))
    (assembly,) = vector(name).inspect_asm().values()
    assert len(re.findall(r"\bvfn?m(?:add|sub)\d+pd\b.*[yz]mm|\bfml[as]\s+v\d+\.2d", assembly)) >= 10
    assert not re.search(r"(call|jmp|bl|mov|lea|adrp)\w*\s.*\bfma\b", assembly)


@pytest.mark.slow
def test_integers_and_narrow_floats_are_widened():
    assert vecmath.pow(2, 10) == 1024.0
    assert vecmath.exp(np.float32(0.0)) == 1.0
    assert vecmath.log(1) == 0.0
