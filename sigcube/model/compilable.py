"""Whether Numba compiles what users write, told where it is given and not in every block of a sweep."""

import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from numba import float64, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError, NumbaWarning, UnsupportedBytecodeError

from sigcube.errors import FormulaError
from sigcube.model.code_hash import state_of
from sigcube.model.compile import compiled, define, inlined
from sigcube.model.graph import Graph, Level
from sigcube.model.record import Term

__all__ = ["check_compilable", "check_terms"]

# Numba shortens the path of a line that it shows.
_LINE = re.compile(
    r'^File "(?P<shortened>[^"]+)", line (?P<line>\d+):$|(?:at|Raised from) (?P<file>[^ \n].*) \((?P<number>\d+)\)$',
    re.MULTILINE,
)
_HINT = (
    "let it compute with its arguments, numbers, numpy, math and sigcube.model.vecmath alone, and return a float; "
    "a function of your own that it calls needs @numba.njit"
)


def check_terms(graph: Graph) -> None:
    """Refuse terms of a user's that Numba cannot compile into one number.

    Raises
    ------
    FormulaError
        With the term, the line of the file, and what Numba says.
    """
    of_points = {*graph.points, *(node.name for node in graph.nodes if node.level is Level.POINT)}
    for node in graph.nodes:
        # Those of sigcube have no state: its tests compile them.
        if node.state != "":
            # Also what returns whole numbers: in a table along an axis they become floats.
            types_of_inputs = (float64[::1] if node.reduces and name in of_points else float64 for name in node.inputs)
            check_compilable(node.function, tuple(types_of_inputs), what=f"the term {node.name!r}")


def check_compilable(function: Term, arguments: tuple[Any, ...], *, what: str) -> None:
    """Refuse a user's function that Numba cannot compile for arguments of some types, or that returns no number.

    Raises
    ------
    FormulaError
        With the line of the file, and what Numba says.
    """
    if isinstance(function, Dispatcher):
        raise FormulaError(f"{what} is compiled already", hint="give the plain function, without @numba.njit")
    try:
        returned = _type_returned(function, state_of(function), arguments)
    except (NumbaError, UnsupportedBytecodeError) as error:
        place, found = _place(function, str(error)), _fault(error)
        raise FormulaError(f"{what} cannot be compiled by Numba", where=place, found=found, hint=_HINT) from error
    if not isinstance(returned, types.Float | types.Integer | types.Boolean):
        found = "nothing, on one of its ways" if isinstance(returned, types.Optional) else str(returned)
        place = _place(function, "")
        raise FormulaError(f"{what} returns no number", where=place, found=found, expected="a float", hint=_HINT)


@cache
def _type_returned(function: Term, _state: str | None, arguments: tuple[Any, ...]) -> Any:
    """Return the type of what a function returns: compiled once, though each reading of a sweep has it."""
    given = ", ".join(f"x{i}" for i in range(len(arguments)))
    # As within a loop: by itself, a term is compiled otherwise, and one with `objmode` cannot be.
    call: Any = compiled(define(f"def call({given}):\n    return f({given})\n", "call", {"f": inlined(function)}))
    with warnings.catch_warnings():
        # They come where its loop is compiled.
        warnings.simplefilter("ignore", NumbaWarning)
        call.compile(arguments)
    return call.overloads[arguments].signature.return_type


def _place(function: Term, text: str) -> str:
    """Return the line that Numba names first, the innermost, but for its own; or that at which a function begins."""
    code = function.__code__
    for named in _LINE.finditer(text):
        file = named["shortened"] or named["file"]
        if not file.startswith("<sigcube") and "numba" not in Path(file).parts:
            own = Path(file).name == Path(code.co_filename).name
            return f"{code.co_filename if own else file}, line {named['line'] or named['number']}"
    return f"{code.co_filename}, line {code.co_firstlineno}"


def _fault(error: Exception) -> str:
    """Return the line in which Numba says what is wrong, with the types of a call that it does not know."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("Failed in nopython")]
    if not said:
        return type(error).__name__
    calls = [line.removeprefix(">>> ") for line in said if line.startswith(">>> ")]
    first, _, _ = said[0].partition(" Raised from ")
    return f"{first} {calls[0]}" if calls and first.endswith(":") else first
