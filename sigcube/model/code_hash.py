"""Hashes of functions: of their source or code, and of everything that they refer to."""

import contextlib
import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import types

__all__ = ["RENAMED", "code_hash", "source_hash", "state_of", "without_words"]

#: What the names of functions with cached machine code have before the hash at their end.
RENAMED = "_sigcube"

# Identified by their versions.
_LIBRARIES = ("numpy", "numba", "llvmlite", "builtins", "math", "typing")

_LONG_STRING = r"""(?:"{3}(?:[^"\\]|\\.|"(?!""))*"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*'{3})"""
_STRING = rf"""{_LONG_STRING}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
# A docstring is alone on its lines, below a colon or at the beginning; below the colon of a dict, a bracket or operator
# comes next. A comment goes with the blank lines above it.
_WORDS = rf"(?:\A|(?<=:)\n)\s*[rRuU]?{_LONG_STRING}(?=\n|\Z)(?!\s*[^\w\s@#])|\s*#[^\n]*|\n\s*(?=\n|\Z)"
# Strings besides, so that a # in one of them begins no comment.
_WORDS_AND_STRINGS = re.compile(rf"(?P<words>{_WORDS})|{_STRING}", re.DOTALL)


def source_hash(functions: Iterable[Callable[..., Any]]) -> str:
    """Return the sha256 of the source of functions, and of the functions, numbers and tables that they refer to.

    What is written for readers does not count: docstrings, comments, blank lines.

    Parameters
    ----------
    functions : iterable of callable
        Plain or compiled.

    Returns
    -------
    str
        The same for every machine and version of Python, unless a function was typed at a prompt.
    """
    sources: dict[str, str] = {}
    for function in functions:
        _collect(function, sources)
    found = _sha256(f"{name}\n{sources[name]}" for name in sorted(sources))
    return f"sha256 {found[:16]}"


def without_words(source: str) -> str:
    r"""Return Python's text of what a source does: without docstrings, comments and blank lines.

    Examples
    --------
    >>> print(without_words("def twice(x):\n\n    # Exact.\n    return 2.0 * x"))
    def twice(x):
        return 2.0 * x
    """
    return _WORDS_AND_STRINGS.sub(lambda found: "" if found["words"] is not None else found[0], source)


def code_hash(function: Callable[..., Any]) -> str | None:
    """Return the sha256 of everything that decides what a function compiles to, under one version of Python and Numba.

    Parameters
    ----------
    function : callable
        Plain or compiled.

    Returns
    -------
    str or None
        None if the function refers to something that has no hash, such as an object of a user's class.
    """
    return _describe(function, ())


def state_of(term: Callable[..., Any]) -> str | None:
    """Return what tells a user's function from itself after something that it refers to has changed.

    Compiled code holds the values of globals as they were, and in a notebook a constant changes in one cell while the
    formula in another stays the same function. Of sigcube's own functions nothing changes.

    Returns
    -------
    str or None
        The `code_hash`; empty for a function of sigcube.
    """
    return "" if (getattr(term, "__module__", None) or "").startswith("sigcube.") else code_hash(term)


def _collect(function: Any, sources: dict[str, str]) -> None:
    """Add a function's source, and that of the plain or compiled functions it refers to, to the sources found."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType) or (plain.__module__ or "").partition(".")[0] in (
        "numpy",
        "numba",
        "builtins",
    ):
        return
    source = _source(plain)
    # Two functions may share a name, as lambdas do. A line number would change with what stands above.
    name = f"{plain.__module__}.{plain.__qualname__.partition(RENAMED)[0]} {_sha256([source])}"
    if name in sources:
        return
    sources[name] = source
    for used, value in _names(plain):
        if not isinstance(value, FunctionType) and (content := _content(value)) is not None:
            sources[f"{name} {used}"] = content
        _collect(value, sources)


def _content(value: Any) -> str | None:
    """Return text of what a plain function may use, where a compiled one could not: lists and tables."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} {[_content(item) for item in value]}"
    if isinstance(value, dict):
        return f"dict {[(_content(key), _content(item)) for key, item in value.items()]}"
    return _describe_value(value)


@cache
def _source(function: FunctionType) -> str:
    """Return the text of a function, or the code of one from a notebook, whose text workers do not have."""
    file = function.__code__.co_filename
    if file.startswith("<sigcube ") or Path(file).is_file():
        with contextlib.suppress(OSError):
            return without_words(inspect.getsource(function))
    return _code(function.__code__)


def _describe(value: Any, above: tuple[FunctionType, ...]) -> str | None:
    """Return text that identifies a value; of a function, the hash of its code and of what each of its names means."""
    plain = _plain(value)
    if not isinstance(plain, FunctionType) or _is_of_library(plain):
        return _describe_value(value)
    if plain in above:
        return f"the one {len(above) - above.index(plain)} above"
    meanings = {name: _describe(named, (*above, plain)) for name, named in _names(plain)}
    if None in meanings.values():
        return None
    # The options of a compiled one, and its whole file: it may register how functions of others compile.
    options = [getattr(value, option, None) for option in ("targetoptions", "locals")]
    parts = _code(plain.__code__), repr(options), _file_hash(plain.__code__.co_filename)
    return _sha256(chain(parts, (f"{name} is {meaning}" for name, meaning in meanings.items())))


def _plain(value: Any) -> Any:
    """Return the function behind a compiled one, or behind an intrinsic."""
    return getattr(value, "py_func", None) or getattr(value, "_defn", value)


def _is_of_library(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "builtins").partition(".")[0] in _LIBRARIES


def _describe_value(value: Any) -> str | None:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {value.strides} {value.tobytes().hex()}"
    if isinstance(value, tuple):
        each = [_describe_value(item) for item in value]
        return None if None in each else f"{type(value).__name__} {each}"
    if value is None or isinstance(value, int | float | complex | str | bytes | np.generic | types.Type):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, ModuleType):
        # The parts of it that are used are described by themselves.
        return value.__name__
    named = isinstance(value, FunctionType | BuiltinFunctionType | np.ufunc | type) and _is_of_library(value)
    return f"{getattr(value, '__module__', '')} {value.__name__}" if named else None


def _names(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what a function and those within it refer to: closure, globals, parts of modules, defaults."""
    yield from inspect.getclosurevars(function).nonlocals.items()
    names = sorted(_used(function.__code__))
    for name in names:
        if name in function.__globals__:
            yield from _parts(name, function.__globals__[name], names)
    yield from ((f"default {i}", value) for i, value in enumerate(function.__defaults__ or ()))
    yield from ((f"default {name}", value) for name, value in (function.__kwdefaults__ or {}).items())


def _used(code: CodeType) -> set[str]:
    return {*code.co_names}.union(*(_used(each) for each in code.co_consts if isinstance(each, CodeType)))


def _parts(name: str, value: Any, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield a value and, if it is a module, the parts of it that the function may use."""
    yield name, value
    if not isinstance(value, ModuleType) or value.__name__.partition(".")[0] in _LIBRARIES:
        return
    for attribute in names:
        part = getattr(value, attribute, None)
        # Only submodules: modules that refer to each other would have no end.
        if not isinstance(part, ModuleType) or part.__name__.startswith(f"{value.__name__}."):
            yield from _parts(f"{name}.{attribute}", part, names)


@cache
def _file_hash(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _code(code: CodeType) -> str:
    inner = [_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    # With the names of arguments, since those are a term's inputs.
    machine = [code.co_code.hex(), code.co_exceptiontable.hex(), str(code.co_flags), str(code.co_posonlyargcount)]
    return " ".join([*machine, *code.co_varnames, *code.co_names, *inner])


def _sha256(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
