"""Arithmetic in rows: what it gives, and that it is nothing more."""

import math

import pytest

from sigcube.claims.formula import calculate
from sigcube.constants import PAPER
from sigcube.errors import SpecError

VALUES = [
    ("1 + 2 * 3", 7.0),
    ("-(2 ** 3) / 4", -2.0),
    ("+1.5e3", 1500.0),
    ("sqrt(3) * L ** 0.25", math.sqrt(3) * 16**0.25),
    ("log10(1000) + log(exp(2)) + abs(-1)", 6.0),
    ("max(1, L, 3) - min(L, 3)", 13.0),
    ("c * H0 / (4 * sqrt(pi))", PAPER.g_dagger),
    ("g_dagger", PAPER.g_dagger),
]


@pytest.mark.parametrize(("formula", "expected"), VALUES)
def test_a_formula_has_its_value(formula: str, expected: float) -> None:
    assert calculate(formula, {"L": 16.0}) == pytest.approx(expected, rel=1e-15)


def test_a_name_of_the_row_goes_before_a_constant() -> None:
    assert calculate("c", {"c": 2.0}) == 2.0


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os')",
        "a.b",
        "[1, 2]",
        "a if b else c",
        "'text'",
        "sqrt(x=1)",
        "lambda: 1",
        "a < b",
        "True",
        "f(1)",
        "1 // 2",
    ],
)
def test_what_is_more_than_arithmetic_is_refused(formula: str) -> None:
    with pytest.raises(SpecError, match="arithmetic alone"):
        calculate(formula, {})


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("1 +", "not a formula"),
        ("1 / 0", "no value here"),
        ("sqrt(-1)", "no value here"),
        ("(-1) ** 0.5", "no value here"),
        ("9 ** 9 ** 9", "no value here"),
        ("x + 1", "something unknown"),
    ],
)
def test_a_formula_without_a_value_says_so(formula: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        calculate(formula, {})
