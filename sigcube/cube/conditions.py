"""Conditions on the variables of a cube, written as a user writes them, such as ``inclination > 40 and quality == 1``.

A condition is parsed, never run as code: it has names, numbers, texts, arithmetic, comparisons, and their combinations.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import xarray as xr

from sigcube.cube.kinds import kind_of
from sigcube.errors import SpecError, did_you_mean
from sigcube.wording import listed

__all__ = ["where_true"]

_ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
)
_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }
)
_MEANT: Mapping[type, str] = {ast.BitAnd: "and", ast.BitOr: "or", ast.Invert: "not"}
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
# It has no types.
_where: Any = xr.where
_NUMBER, _TEXT, _TRUTH = "a number", "a text", "a condition"


def where_true(cube: xr.Dataset, condition: str) -> xr.DataArray:
    """Return where a condition holds.

    Parameters
    ----------
    cube : Dataset
        A cube; its variables of points and of systems, and the names of its systems, are the names in the condition.
    condition : str
        Comparisons of numbers or texts, combined by ``and``, ``or``, ``not``; ``in [...]``; ``+ - * /``; ``abs(…)``;
        parentheses.

    Returns
    -------
    DataArray of bool
        Over the dimensions of what it names. A comparison with what is not measured is neither true nor false, and
        what follows from either is not true. A missing text is the empty one, ``""``.

    Raises
    ------
    SpecError
        For a condition that is not of this form, or names what the cube does not have: a variable, or a system.
    """
    kind = kind_of(cube)
    names = {str(n): v for n, v in cube.variables.items() if v.dims and set(v.dims) <= set(kind.dims)}
    reader = _Reader(condition, {name: cube[name] for name in names}, systems=kind.system_dim)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a text
            # Within parentheses it may go over several lines.
            tree = ast.parse(f"(\n{condition}\n)", mode="eval").body
        with np.errstate(all="ignore"):
            if isinstance(tree, ast.Tuple) and not tree.elts:
                raise reader.error("the condition is empty", hint="leave it out to keep the whole sample")
            what, truth = reader.read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        # Texts may hold what is no comparison.
        single = isinstance(error, SyntaxError) and re.search("(?<![=<>!])=(?!=)", _QUOTED.sub("", condition))
        hint = "compare with ==, not with =" if single else None
        raise reader.error("this cannot be read as a condition", hint=hint) from None
    if what != _TRUTH or not isinstance(truth, xr.DataArray):
        raise reader.error(f"this is {what}, not a condition on the cube" if what != _TRUTH else "it names no variable")
    return truth == 1.0


class _Reader:
    """Reads parts of a condition: each is a number, a text, or a truth, which is 1, 0, or NaN where it is not known."""

    def __init__(self, text: str, names: Mapping[str, xr.DataArray], *, systems: str | None) -> None:
        self._text, self._names, self._systems = text, names, systems

    def error(
        self, what: str, name: str = "", *, known: Iterable[str] | None = None, hint: str | None = None
    ) -> SpecError:
        hint = hint or did_you_mean(name, self._names if known is None else known)
        return SpecError(what, where="where", found=self._text, hint=hint)

    def read(self, node: ast.expr) -> tuple[str, Any]:
        """Return what sort of thing a part is, and its value."""
        match node:
            case ast.Name(id=name):
                return self._variable(name)
            case ast.Constant(value=str() as text):
                return _TEXT, text
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _NUMBER, number
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                number = self._read_as(_NUMBER, operand)
                # Flags have no sign.
                minus = -1 if isinstance(number, int) else -1.0
                return _NUMBER, minus * number if isinstance(sign, ast.USub) else number
            case ast.Call(func=ast.Name(id="abs"), args=[operand], keywords=[]):
                return _NUMBER, abs(self._read_as(_NUMBER, operand) * 1.0)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                # Whole numbers would overflow unseen.
                sides = [self._read_as(_NUMBER, side) * 1.0 for side in (left, right)]
                return _NUMBER, _ARITHMETIC[type(op)](*map(_divisible, sides))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _TRUTH, 1.0 - self._read_as(_TRUTH, operand)
            case ast.BoolOp(op=op, values=values):
                truths = [self._read_as(_TRUTH, value) for value in values]
                return _TRUTH, reduce(_both if isinstance(op, ast.And) else _either, truths)
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                return _TRUTH, reduce(_both, map(self._compare, sides[:-1], ops, sides[1:]))
        self._refuse(node)

    def _refuse(self, node: ast.expr) -> NoReturn:
        meant = _MEANT.get(type(getattr(node, "op", None)))
        advice = (
            f"write {meant!r}"
            if meant
            else "there are names, numbers, texts, comparisons, and, or, not, in, + - * /, abs()"
        )
        raise self.error(f"a condition cannot have {ast.unparse(node)!r}: {advice}")

    def _variable(self, name: str) -> tuple[str, Any]:
        if name not in self._names:
            raise self.error(f"the cube has no variable {name!r}", name)
        array = self._names[name]
        return (_TEXT, array.astype(object)) if array.dtype.kind in "OUT" else (_NUMBER, array)

    def _read_as(self, wanted: str, node: ast.expr) -> Any:
        found, value = self.read(node)
        if found != wanted:
            raise self.error(f"{ast.unparse(node)!r} is {found}, not {wanted}")
        return value

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        what, value = self.read(left)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set):
                raise self.error(f"{ast.unparse(right)!r} is not a list in brackets")
            items = [self._read_as(what, item) for item in right.elts]
            if not all(isinstance(item, int | float | str) for item in items):
                raise self.error(f"{ast.unparse(right)!r} is not a list of numbers, or of texts")
            self._check_systems(left, items)
            inside = xr.DataArray(value).isin(items)
            return _where_known(inside if isinstance(op, ast.In) else ~inside, value)
        if what == _TRUTH or type(op) not in _COMPARISONS:
            self._refuse(ast.Compare(left, [op], [right]))
        other = self._read_as(what, right)
        if what == _TEXT and not isinstance(op, ast.Eq | ast.NotEq):
            raise self.error(f"{ast.unparse(left)!r} is a text: compare it by ==, != or in")
        self._check_systems(left, [other])
        self._check_systems(right, [value])
        return _where_known(_COMPARISONS[type(op)](value, other), value, other)

    def _check_systems(self, node: ast.expr, others: Iterable[Any]) -> None:
        """Refuse names that no system has: a misspelt one would be left out without a word."""
        if not isinstance(node, ast.Name) or node.id != self._systems:
            return
        known = list(map(str, self._names[node.id].values))
        if lost := [name for name in others if isinstance(name, str) and name not in known]:
            raise self.error(f"the cube has no {node.id} {listed(lost)}", lost[0], known=known)


def _divisible(value: Any) -> Any:
    """Return a number as NumPy's, by which a division by zero is infinite and no error."""
    return value if isinstance(value, xr.DataArray) else np.float64(value)


def _where_known(truth: Any, *values: Any) -> Any:
    known = [value.notnull() for value in values if isinstance(value, xr.DataArray)]
    return truth * 1.0 if not known else _where(reduce(operator.and_, known), truth * 1.0, np.nan)


def _both(one: Any, other: Any) -> Any:
    return _where((one == 0.0) | (other == 0.0), 0.0, one * other)


def _either(one: Any, other: Any) -> Any:
    return 1.0 - _both(1.0 - one, 1.0 - other)
