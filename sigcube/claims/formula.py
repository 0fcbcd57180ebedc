"""Arithmetic in a row of the ledger: numbers, names, + - * / ** and a few functions; nothing else of Python."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sigcube.constants import PAPER
from sigcube.errors import SpecError, did_you_mean

__all__ = ["calculate", "constants_of"]

_OPERATORS: Mapping[type, Callable[[float, float], float]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        # Python's own power makes whole numbers that fill the memory, and complex ones of negative numbers.
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
_PHYSICAL = ("c", "H0", "G", "Msun", "kpc", "AU", "G_galactic", "g_dagger")
# What a formula may name without defining it: π, and the constants as the papers round them.
_CONSTANTS: Mapping[str, float] = MappingProxyType(
    {"pi": math.pi, **{name: getattr(PAPER, name) for name in _PHYSICAL}}
)


def calculate(formula: str, values: Mapping[str, float]) -> float:
    """Calculate a formula; the values of its names take precedence over the constants of the same name.

    Raises
    ------
    SpecError
        If it is more than arithmetic, names something unknown, or has no value.

    Examples
    --------
    >>> round(calculate("sqrt(3) * L ** 0.25", {"L": 16.0}), 4)
    3.4641
    """
    try:
        tree = ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise SpecError("this is not a formula", where="formula", found=repr(formula), expected=error.msg) from None
    try:
        return float(_value(tree, {**_CONSTANTS, **values}))
    except SpecError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise SpecError("the formula has no value here", where="formula", found=f"{formula}: {error}") from None


def constants_of(formula: str) -> frozenset[str]:
    """Return the physical constants that a formula names.

    Examples
    --------
    >>> sorted(constants_of("2 * pi * c**2 / (G * M)"))
    ['G', 'c']
    """
    names = {node.id for node in ast.walk(ast.parse(formula, mode="eval")) if isinstance(node, ast.Name)}
    return frozenset(names & {*_PHYSICAL})


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op, operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_value(operand, values))
        case ast.Call(ast.Name(name), args, []) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, values) for arg in args))
        case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case ast.Name(name) if name in values:
            return values[name]
        case ast.Name(name):
            raise SpecError("the formula names something unknown", where="formula", found=name)
        case _:
            hint = f"+ - * / **, numbers, names and {did_you_mean('', _FUNCTIONS)}"
            raise SpecError("a formula holds arithmetic alone", where="formula", found=ast.unparse(node), hint=hint)
