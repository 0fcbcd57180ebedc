"""Whether Numba compiles what users write, told where it is given and not in every block of a sweep."""

import re
from pathlib import Path
from typing import Any

from numba import float64, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

from sigcube.errors import FormulaError
from sigcube.model.compile import inlined
from sigcube.model.graph import Graph, Level
from sigcube.model.record import Term

__all__ = ["check_compilable", "check_terms"]

_LINE = re.compile(r'^File "(?P<file>[^"]+)", line (?P<line>\d+):$', re.MULTILINE)
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
    term = inlined(function)
    try:
        term.compile(arguments)
    except NumbaError as error:
        place, found = _place(function, str(error)), _fault(error)
        raise FormulaError(f"{what} cannot be compiled by Numba", where=place, found=found, hint=_HINT) from error
    returned = term.overloads[arguments].signature.return_type
    if not isinstance(returned, types.Float | types.Integer | types.Boolean):
        found = "nothing, on one of its ways" if isinstance(returned, types.Optional) else str(returned)
        place = _place(function, "")
        raise FormulaError(f"{what} returns no number", where=place, found=found, expected="a float", hint=_HINT)


def _place(function: Term, text: str) -> str:
    """Return the line of a function's file that Numba names, or that at which it begins."""
    code = function.__code__
    # Numba shortens the path.
    named = (each["line"] for each in _LINE.finditer(text) if Path(code.co_filename).name == Path(each["file"]).name)
    return f"{code.co_filename}, line {next(named, code.co_firstlineno)}"


def _fault(error: NumbaError) -> str:
    """Return the line in which Numba says what is wrong."""
    lines = [line for line in str(error).splitlines() if line and not line.startswith("Failed in nopython")]
    return lines[0] if lines else type(error).__name__
