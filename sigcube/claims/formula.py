"""Arithmetic in a row of the ledger: numbers, names, + - * / ** and a few functions; nothing else of Python."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sigcube.constants import PAPER
from sigcube.errors import SpecError, did_you_mean

__all__ = ["CONSTANT_NAMES", "calculate", "names_in"]

_OPERATORS: Mapping[type, Callable[[float, float], float]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        # A power of whole numbers as Python has it may be as long as memory, one of a negative number complex.
        ast.Pow: math.pow,
    }
)
_SIGNS: Mapping[type, Callable[[float], float]] = MappingProxyType({ast.USub: operator.neg, ast.UAdd: operator.pos})
_FUNCTIONS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "sqrt": math.sqrt,
        "log10": math.log10,
        "log": math.log,
        "exp": math.exp,
        "abs": abs,
        "min": min,
        "max": max,
    }
)
#: What a formula may name without saying what it is: π, and the constants as the papers round them.
CONSTANT_NAMES: Mapping[str, float] = MappingProxyType(
    {
        "pi": math.pi,
        **{name: getattr(PAPER, name) for name in ("c", "H0", "G", "Msun", "kpc", "AU", "G_galactic", "g_dagger")},
    }
)


def names_in(formula: str) -> frozenset[str]:
    """Return the names that a formula uses and that are neither functions nor constants.

    Raises
    ------
    SpecError
        If it is no formula, or holds more than arithmetic.
    """
    tree = _parse(formula)
    _check(tree, formula)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(names - set(_FUNCTIONS) - set(CONSTANT_NAMES))


def calculate(formula: str, values: Mapping[str, float]) -> float:
    """Calculate a formula.

    Examples
    --------
    >>> round(calculate("sqrt(3) * L ** 0.25", {"L": 16.0}), 4)
    3.4641
    """
    tree = _parse(formula)
    _check(tree, formula)
    try:
        return float(_value(tree, {**CONSTANT_NAMES, **values}))
    except (ArithmeticError, ValueError) as error:
        raise SpecError("the formula has no value here", where="formula", found=f"{formula}: {error}") from None


def _parse(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise SpecError("this is not a formula", where="formula", found=repr(formula), expected=error.msg) from None


def _check(node: ast.expr, formula: str) -> None:
    """Refuse whatever is not arithmetic."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            parts: list[ast.expr] = [left, right]
        case ast.UnaryOp(op, operand) if type(op) in _SIGNS:
            parts = [operand]
        case ast.Call(ast.Name(name), args, []) if name in _FUNCTIONS:
            parts = args
        case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
            parts = []
        case ast.Name():
            parts = []
        case _:
            found = f"{ast.unparse(node)!r} in {formula!r}"
            hint = f"+ - * / **, numbers, names and {did_you_mean('', _FUNCTIONS)}"
            raise SpecError("a formula holds arithmetic alone", where="formula", found=found, hint=hint)
    for part in parts:
        _check(part, formula)


def _value(node: ast.expr, values: Mapping[str, float]) -> Any:
    match node:
        case ast.BinOp(left, op, right):
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op, operand):
            return _SIGNS[type(op)](_value(operand, values))
        case ast.Call(ast.Name(name), args, _):
            return _FUNCTIONS[name](*(_value(arg, values) for arg in args))
        case ast.Constant(value):
            return value
        case ast.Name(name) if name in values:
            return values[name]
        case _:
            raise SpecError("the formula names something unknown", where="formula", found=ast.unparse(node))
