"""vecmath.divide against the operator, whose bits it promises."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from sigcube.model import vecmath
from tests.model.test_vecmath import BELOW_ONE, INF, NAN, same

SMALLEST, LARGEST = 2.0**-500, 2.0**500


@njit(error_model="numpy")
def quotients(a: Any, b: Any, out: Any) -> None:
    """Divide every a by every b: the inner loop is over a alone."""
    for j in range(b.size):
        for i in range(a.size):
            out[j, i] = vecmath.divide(a[i], b[j])


def differing(a: np.ndarray, b: np.ndarray) -> int:
    out = np.empty((b.size, a.size))
    quotients(a, b, out)
    return int((out.view(np.int64) != (a / b[:, None]).view(np.int64)).sum())


def both_ends_of_a_binade(n: int) -> np.ndarray:
    """Numbers next above 1 and next below 2: quotients of these are nearest to the middle between two numbers."""
    from_one = np.arange(n, dtype=np.int64)
    return (np.r_[from_one, 2**52 - 1 - from_one] + (1023 << 52)).view(np.float64)


SIZES = st.floats(min_value=SMALLEST, max_value=LARGEST)
ALLOWED = SIZES | SIZES.map(lambda x: -x) | st.sampled_from([0.0, -0.0, INF, -INF, NAN])


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(a=ALLOWED, b=ALLOWED)
@example(a=-0.0, b=3.0)
@example(a=SMALLEST, b=LARGEST)
@example(a=LARGEST, b=SMALLEST)
@example(a=1.0, b=BELOW_ONE)
def test_a_quotient_has_the_bits_of_the_operator(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        assert same(vecmath.divide(a, b), float(np.float64(a) / np.float64(b)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_loop_over_the_dividend_has_the_bits_of_the_operator(sign: float) -> None:
    rng = np.random.default_rng(7)
    a, b = (rng.uniform(1, 2, n) * 2.0 ** rng.integers(-60, 60, n) for n in (2000, 500))
    assert differing(sign * a, b) == 0
    assert differing(sign * both_ends_of_a_binade(300), both_ends_of_a_binade(300)) == 0


def test_a_loop_over_the_dividend_divides_nothing() -> None:
    quotients(np.ones(4), np.ones(4), np.empty((4, 4)))
    (assembly,) = quotients.inspect_asm().values()
    assert not re.search(r"\bv?divpd\b|\bfdiv\s+v\d+\.2d", assembly)
    assert re.search(r"\bv?divsd\b|\bfdiv\s+d\d+", assembly)
