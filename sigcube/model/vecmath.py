"""exp, expm1, log, log10, log1p, pow, powr and divide that vectorise, and whose bits do not depend on the machine.

A result cube promises the same bits everywhere, and kernels spend their time here. A libm gives neither: each rounds in
its own way, and a call inside a loop keeps LLVM from vectorising it. Every function here is straight-line float64 code
of + - * /, fused multiply-adds, comparisons that select, floor, and integer arithmetic on the bits. IEEE 754 fixes the
result of each, so scalar, AVX2, AVX-512 and NEON code agree to the last bit. The multiply-adds are written out: fma(a,
b, c) is a b + c rounded once on every machine, while a compiler that may fuse as it likes rounds once here and twice
there. x86-64 has the instruction since 2013, ARM64 always; older processors call libm's, slowly, for the same bits. It
makes the errors of products cheap: fma(a, b, -a b) is what a b lost. There are no tables: a gather costs more than the
polynomial terms it would save.

========  ==================================================================================  ============
function  method                                                                              largest error
========  ==================================================================================  ============
exp       x = k ln 2 + r; e^r = 1 + r (1 + r Q(r)), Q of degree 9                             0.91 ulp
expm1     the same reduction; polynomial of degree 12; at half size, plus 2^(k-1) - 1/2       0.93 ulp
log       x = m 2^k; log m = f - f^2/2 + s (f^2/2 + R(s^2)), f = m - 1, s = f/(m + 1)         0.85 ulp
log1p     log of the rounded 1 + x, plus (what the rounding lost)/(1 + x)                     0.82 ulp
log10     log in two parts, as in pow, times log10(e) in two parts                            0.51 ulp
pow       log in two parts, 2^-64.5 relative: v = 2 (m - c)/(m + c) in two parts from its     0.78 ulp
          exact remainder, v^3/12 by an exact product, c being 1 or nearly sqrt(2); times
          y by an exact product; exp of the two parts, the sums in it compensated
powr      pow without what it does for negative bases, and for 1^y and x^0               as pow
divide    a times 1/b, and what the exact remainders add                                  0.5 ulp
========  ==================================================================================  ============

The errors are the largest seen in some 2 x 10^6 arguments a function over all exponents, subnormal arguments, and the
seams of the reductions. A subnormal result is rounded twice and stays within 1 unit. Infinities, zeros, NaN, overflow
and underflow are as in C99 Annex F. The functions take scalars, in compiled code and in plain Python; a loop round them
becomes packed instructions. A loop over y alone computes the logarithm of x once, one over a alone the inverse of b.

The forms are those of fdlibm (Ng 1993: R above, and pow's second centre) and of Tang (1989: k ln 2 in two parts), the
polynomials in pairs, by Horner in the square or in Estrin's order; the exact sums are Dekker's (1971). See Muller et
al., Handbook of Floating-Point Arithmetic, chapters 4 and 10. The coefficients were made for these functions by Remez
exchange in 50 digits, on the relative error of the final value.

Examples
--------
>>> from sigcube.model.vecmath import exp, log10, pow
>>> exp(0.0), log10(1000.0), pow(-2.0, 3.0)
(1.0, 3.0, -8.0)
>>> pow(float("nan"), 0.0)
1.0
"""

import numpy as np

from sigcube.model.instructions import bits, compiled, floor, fma, held, real

__all__ = ["divide", "exp", "expm1", "log", "log1p", "log10", "pow", "powr"]

_INF = float("inf")
_NAN = float("nan")

_EXPONENT = 0x7FF0000000000000
_MANTISSA = 0x000FFFFFFFFFFFFF
_SIGN = -0x8000000000000000
_ONE = 0x3FF0000000000000
# Cuts a significand to 15 bits: its cube, times _TWELFTH_HIGH, is exact.
_BITS_15 = -0x4000000000

_TWELFTH_HIGH = 85.0 / 1024.0
_TWELFTH_LOW = 1.0 / 3072.0
_TWELFTH = 1.0 / 12.0

_TINY = 2.0**-54
_MIN_NORMAL = 2.0**-1022

# ln 2 to 42 bits, so that k ln 2 is exact for |k| < 2^11, and the rest.
_LN2_HIGH = 0.6931471805598903
_LN2_LOW = 5.497923018708371e-14
_LOG2_E = 1.4426950408889634
# log10(e), and what it lacks.
_LOG10_E = 0.4342944819032518
_LOG10_E_LOW = 1.098319650216765e-17

# Adding 1.5 * 2^52 rounds to the nearest integer and leaves it in the low bits.
_ROUND = 6755399441055744.0
_ROUND_EXP = _ROUND + 2046.0
_ROUND_EXPM1 = _ROUND + 1022.0


@compiled
def _line(x: float, slope: float, offset: float) -> float:
    """Return slope x + offset, both constants."""
    return fma(x, held(slope), held(offset))


@compiled
def _exp_series(r: float) -> float:
    """Return (e^r - 1 - r)/r^2 for |r| <= ln(2)/2."""
    # Minimax for the relative error of e^r: 2^-57.9. Pairs, then Horner in r^2: as few operations as Horner, and half
    # the depth.
    z = r * r
    value = _line(r, 2.5000056708160523e-08, 2.7630247990155085e-07)
    value = fma(z, value, _line(r, 2.755758638843295e-06, 2.480149310007098e-05))
    value = fma(z, value, _line(r, 0.0001984126950656571, 0.0013888888943628945))
    value = fma(z, value, _line(r, 0.008333333333494465, 0.04166666666653016))
    return fma(z, value, _line(r, 0.16666666666666413, 0.5000000000000011))


@compiled
def _times_two_to(value: float, rounded: float) -> float:
    """Return value 2^k, where rounded is k + _ROUND_EXP."""
    # Two factors: 2^k itself may be out of range. The first product is exact, so a subnormal is rounded here once.
    first = (bits(rounded) << 51) & _EXPONENT
    second = (bits(rounded) << 52) - first
    return (value * real(first)) * real(second)


@compiled
def exp(x: float) -> float:
    """Return e^x, within 0.91 ulp.

    Parameters
    ----------
    x : float
        inf above 709.78, subnormal below -708.4, 0 below -745.13.
    """
    x = np.float64(x)
    x = 712.0 if x > 712.0 else x
    x = -748.0 if x < -748.0 else x
    rounded = _line(x, _LOG2_E, _ROUND_EXP)
    k = rounded - held(_ROUND_EXP)
    r = fma(k, held(-_LN2_LOW), fma(k, held(-_LN2_HIGH), x))
    return _times_two_to(fma(r, fma(r, _exp_series(r), 1.0), 1.0), rounded)


@compiled
def _exp_sum(high: float, low: float) -> float:
    """Return e^(high + low), |low| being small beside 1 unless high overrules it as an infinity or NaN."""
    rounded = _line(high, _LOG2_E, _ROUND_EXP)
    k = rounded - held(_ROUND_EXP)
    head = fma(k, held(-_LN2_HIGH), high)
    tail = fma(k, held(-_LN2_LOW), low)
    r = head + tail
    # What is lost in the sums stays: the logarithm's error needs the room.
    near = 1.0 + head
    lost = (1.0 - near) + head
    value = _times_two_to(near + fma(r * r, _exp_series(r), lost + tail), rounded)
    # Selected here, not clamped before: this is off the longest chain. By one comparison: the sign tells 0 from inf.
    limit = real(bits(_INF) & ~(bits(high) >> 63))
    return limit if abs(high) > held(748.0) else value


@compiled
def _expm1_rest(r: float) -> float:
    """Return e^r - 1 - r for |r| <= ln(2)/2, small beside r."""
    # Minimax for the relative error of e^r - 1, 1/2 kept exact: 2^-61.6.
    z = r * r
    value = _line(r, 2.0878917618746927e-09, 2.5108732553281988e-08)
    value = fma(z, value, _line(r, 2.7557387140856903e-07, 2.7557245173696698e-06))
    value = fma(z, value, _line(r, 2.4801587197986766e-05, 0.00019841269885049337))
    value = fma(z, value, _line(r, 0.0013888888888942833, 0.008333333333322123))
    value = fma(z, value, _line(r, 0.041666666666666574, 0.16666666666666677))
    return fma(z * r, value, 0.5 * z)


@compiled
def expm1(x: float) -> float:
    """Return e^x - 1 without cancellation near 0, within 0.93 ulp.

    Parameters
    ----------
    x : float
        -0 gives -0; inf above 709.78.
    """
    x = np.float64(x)
    high = -50.0 if x < -50.0 else x
    high = 709.79 if high > 709.79 else high
    rounded = _line(high, _LOG2_E, _ROUND_EXPM1)
    k = rounded - held(_ROUND_EXPM1)
    head = fma(k, held(-_LN2_HIGH), high)
    tail = k * -_LN2_LOW
    # All at half size, because 2^1024 is out of range: 2^(k-1) (e^r - 1) + (2^(k-1) - 1/2).
    half = real(bits(rounded) << 52)
    offset = half - 0.5
    near = fma(half, head, offset)
    lost = ((half - offset) - 0.5) + fma(half, head, offset - near)
    value = 2.0 * (near + fma(half, tail + _expm1_rest(head + tail), lost))
    return value if abs(x) > _TINY else x


_TWO_THIRDS = 0x3FE5555555555555
_POW_LOWEST = 0x3FEAE841693DB8B4
_TWO_52 = 0x4330000000000000
_EXPONENT_BIAS = 2.0**52 + 1023.0


@compiled
def _decompose(x: float, offset: int) -> tuple[float, float]:
    """Return k and m of x = m 2^k > 0, m from the number whose bits are offset up to twice that."""
    subnormal = x < _MIN_NORMAL
    normal = x * 2.0**54 if subnormal else x
    bias = _EXPONENT_BIAS + 54.0 if subnormal else _EXPONENT_BIAS
    shifted = bits(normal) + (_ONE - offset)
    k = real((shifted >> 52) | _TWO_52) - bias
    return k, real((shifted & _MANTISSA) + offset)


@compiled
def _log_sum(m: float, k: float, correction: float) -> float:
    """Return log(m 2^k) + correction for m in [2/3, 4/3]."""
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    # Minimax for the relative error of log: 2^-62.6.
    w = z * z
    low = fma(w, _line(z, 0.22222224277239666, 0.2857142855599789), _line(z, 0.4000000000005598, 0.666666666666666))
    high = _line(z, 0.13838790329438685, 0.1317422863896419)
    high = fma(w, high, _line(z, 0.15391074418674655, 0.18181667027025125))
    series = z * fma(w * w, high, low)
    square = (0.5 * f) * f
    near = fma(k, held(_LN2_HIGH), f)
    lost = fma(k, held(_LN2_HIGH), -near) + f
    return near + ((lost + fma(k, held(_LN2_LOW), correction)) - fma(-s, square + series, square))


@compiled
def _log_limits(x: float, value: float) -> float:
    value = value if x < _INF else x
    value = -_INF if x == 0.0 else value
    return _NAN if x < 0.0 else value


@compiled
def log(x: float) -> float:
    """Return the natural logarithm, within 0.85 ulp.

    Parameters
    ----------
    x : float
        -inf at 0 and -0; NaN below.
    """
    x = np.float64(x)
    k, m = _decompose(x, _TWO_THIRDS)
    return _log_limits(x, _log_sum(m, k, 0.0))


@compiled
def log1p(x: float) -> float:
    """Return log(1 + x) without cancellation near 0, within 0.82 ulp.

    Parameters
    ----------
    x : float
        -0 gives -0; -inf at -1; NaN below.
    """
    x = np.float64(x)
    u = 1.0 + x
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    k, m = _decompose(u, _TWO_THIRDS)
    value = _log_limits(u, _log_sum(m, k, lost / u))
    return value if abs(x) > _TINY else x


@compiled
def _log_parts(x: float) -> tuple[float, float]:
    """Return log(x) for x > 0, and what it lacks."""
    k, m = _decompose(x, _POW_LOWEST)
    # c is 1 or nearly sqrt(2), whichever is nearer to m; log c has as many bits as ln 2 and a rest, too.
    upper = m > 1.189143599402528
    c = 1.4140625 if upper else 1.0
    c_high = 0.3464667673461008 if upper else 0.0
    c_low = 1.077574303757264e-13 if upper else 0.0
    n = m - c
    n = n + n
    total = m + c
    inverse = 1.0 / total
    v = n * inverse
    v_high = real(bits(v) & _BITS_15)
    v_low = fma(-v_high, m - (total - c), fma(-v_high, total, n)) * inverse
    z = v * v
    w = z * z
    fifth = v * w
    # Minimax for the relative error of log: 2^-65.6.
    series = _line(z, 0.0004340280408856494, 0.0022321428549997697)
    series = fma(w, _line(z, 1.918130376614749e-05, 8.876343409117143e-05), series)
    # v^3/12: this product is exact, ...
    square = v_high * v_high
    cube = v_high * square
    third = cube * _TWELFTH_HIGH
    # ... and this is what it lacks.
    third_low = fma(cube, held(_TWELFTH_LOW), (v_low * _TWELFTH) * fma(v, v + v_high, square))
    whole = fma(k, held(_LN2_HIGH), c_high)
    # All of the rest that matters to the upper part, early: it is at the head of the longest chain.
    part = fma(fifth, held(0.012500000000006313), v_low)
    high = whole + (v_high + (third + part))
    rest = fma(k, held(_LN2_LOW), c_low) + fma(fifth * z, series, third_low)
    low = ((((whole - high) + v_high) + third) + part) + rest
    return high, low


@compiled
def log10(x: float) -> float:
    """Return the logarithm to base 10, within 0.51 ulp; exact at powers of 10.

    Parameters
    ----------
    x : float
        -inf at 0 and -0; NaN below.
    """
    x = np.float64(x)
    high, low = _log_parts(x)
    return _log_limits(x, fma(high, held(_LOG10_E), fma(high, held(_LOG10_E_LOW), low * _LOG10_E)))


@compiled
def _exp_product(y: float, log_high: float, log_low: float) -> float:
    """Return e^(y (log_high + log_low))."""
    high = y * log_high
    return _exp_sum(high, fma(y, log_low, fma(y, log_high, -high)))


@compiled
def pow(x: float, y: float) -> float:
    """Return x^y, within 0.78 ulp, with the special cases of C99 Annex F.

    Parameters
    ----------
    x, y : float
        A negative x gives NaN unless y is an integer; 1^y and x^0 are 1, even for NaN.
    """
    x = np.float64(x)
    y = np.float64(y)
    base = abs(x)
    whole = floor(y) == y
    half = 0.5 * y
    odd = whole & (floor(half) != half)
    log_high, log_low = _log_parts(base)
    log_high = log_high if base < _INF else base
    log_high = -_INF if base == 0.0 else log_high
    value = _exp_product(y, log_high, log_low)
    value = 1.0 if (base == 1.0) | (y == 0.0) else value
    value = _NAN if (x < 0.0) & (x > -_INF) & (not whole) else value
    return real(bits(value) ^ ((bits(x) & _SIGN) if odd else 0))


@compiled
def powr(x: float, y: float) -> float:
    """Return x^y of a positive base, with the bits of `pow`, as IEEE 754-2008 (9.2.1) has it: e^(y log x).

    It takes a ninth to a sixth less time than `pow`, which a formula needs only where its base may be 0 or negative.

    Parameters
    ----------
    x : float
        NaN below 0.
    y : float
        0^0, inf^0 and 1^inf are NaN, too.
    """
    x = np.float64(x)
    y = np.float64(y)
    log_high, log_low = _log_parts(x)
    return _exp_product(y, _log_limits(x, log_high), log_low)


@compiled
def divide(a: float, b: float) -> float:
    """Return a/b with the bits of ``a / b``, in a loop over a alone at the cost of a few products.

    A processor takes as long for one division as for some ten products, and has the same unit for square roots. Where b
    varies with a, the operator is a little faster.

    Parameters
    ----------
    a, b : float
        0, infinite, NaN, or between 2^-500 and 2^500 in size: beyond, a remainder would be out of range.
    """
    a = np.float64(a)
    b = np.float64(b)
    # Of b alone: the compiler takes it out of the loop.
    inverse = 1.0 / b
    first = a * inverse
    lost = fma(-first, b, a)
    near = fma(lost, inverse, first)
    # A quotient within 1 ulp has an exact remainder, which rounds it correctly if the inverse is (Markstein 1990).
    value = fma(fma(-near, b, a), inverse, near)
    # If nothing is lost, a zero keeps its sign; if that is NaN, an infinity or zero is already right.
    return value if abs(lost) > 0.0 else first
