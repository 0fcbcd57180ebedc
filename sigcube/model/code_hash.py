"""What decides a function's values: its text or code, and all that it names, hashed."""

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import types

__all__ = ["code_hash", "source_hash"]

# Told by their versions.
_LIBRARIES = ("numpy", "numba", "llvmlite", "builtins", "math")


def source_hash(functions: Iterable[Callable[..., Any]]) -> str:
    """Return the sha256 of the source of functions, and of the functions, numbers and tables that they name.

    Parameters
    ----------
    functions : iterable of callable
        Plain or compiled.

    Returns
    -------
    str
        The same for every machine and version of Python, if the functions have files.
    """
    sources: dict[str, str] = {}
    for function in functions:
        _collect(function, sources)
    found = _sha256(f"{name}\n{sources[name]}" for name in sorted(sources))
    return f"sha256 {found[:16]}"


def code_hash(function: Callable[..., Any]) -> str | None:
    """Return the sha256 of all that decides what a function compiles to, by one version of Python and of Numba.

    Parameters
    ----------
    function : callable
        Plain or compiled.

    Returns
    -------
    str or None
        None if something that the function names has no meaning of its own, such as an object of a user's class.
    """
    return _tell(function, ())


def _collect(function: Any, sources: dict[str, str]) -> None:
    """Add a function's source, and that of the plain or compiled functions it names, to the sources found."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType) or plain.__module__.partition(".")[0] in ("numpy", "numba", "builtins"):
        return
    source = _source(plain)
    # Two functions may share a name, as lambdas do; their place in a file may change without a change of meaning.
    name = f"{plain.__module__}.{plain.__qualname__} {_sha256([source])}"
    if name in sources:
        return
    sources[name] = source
    closure = inspect.getclosurevars(plain)
    for used, value in chain(closure.globals.items(), closure.nonlocals.items()):
        if isinstance(value, int | float | str | tuple):
            sources[f"{name} {used}"] = repr(value)
        elif isinstance(value, np.ndarray):
            sources[f"{name} {used}"] = f"{value.dtype} {value.shape} {value.tobytes().hex()}"
        _collect(value, sources)


@cache
def _source(function: FunctionType) -> str:
    """Return the text of a function from a file; the code of one from a notebook, whose text workers do not have."""
    if Path(function.__code__.co_filename).is_file():
        with contextlib.suppress(OSError):
            return inspect.getsource(function)
    return _code(function.__code__)


def _tell(value: Any, above: tuple[FunctionType, ...]) -> str | None:
    """Say what a value is: of a function, the hash of its code and of what each of its names stands for."""
    plain = _plain(value)
    if not isinstance(plain, FunctionType) or _is_of_library(plain):
        return _tell_value(value)
    if plain in above:
        return f"the one {len(above) - above.index(plain)} above"
    told = {name: _tell(named, (*above, plain)) for name, named in _names(plain)}
    if None in told.values():
        return None
    # The options of a compiled one; and its whole file, since there may stand what is registered for others.
    options = [getattr(value, option, None) for option in ("targetoptions", "locals")]
    parts = _code(plain.__code__), repr(options), _file_hash(plain.__code__.co_filename)
    return _sha256(chain(parts, (f"{name} is {meaning}" for name, meaning in told.items())))


def _plain(value: Any) -> Any:
    """Return the function behind a compiled one, or behind an intrinsic."""
    return getattr(value, "py_func", None) or getattr(value, "_defn", value)


def _is_of_library(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "builtins").partition(".")[0] in _LIBRARIES


def _tell_value(value: Any) -> str | None:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {value.strides} {value.tobytes().hex()}"
    if isinstance(value, tuple):
        each = [_tell_value(item) for item in value]
        return None if None in each else f"{type(value).__name__} {each}"
    if value is None or isinstance(value, int | float | complex | str | bytes | np.generic | types.Type):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, ModuleType):
        # What is used of it is told by itself.
        return value.__name__
    named = isinstance(value, FunctionType | BuiltinFunctionType | np.ufunc | type) and _is_of_library(value)
    return f"{getattr(value, '__module__', '')} {value.__name__}" if named else None


def _names(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what a function and those within it name: what it closes over, globals, parts of modules, defaults."""
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
    """Yield a value; if it is a module, the parts of it that may be meant, too."""
    yield name, value
    if not isinstance(value, ModuleType) or value.__name__.partition(".")[0] in _LIBRARIES:
        return
    for attribute in names:
        part = getattr(value, attribute, None)
        # Downwards alone: modules that name each other would have no end.
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
    # The names of arguments count: a term's inputs go by them.
    machine = [code.co_code.hex(), code.co_exceptiontable.hex(), str(code.co_flags), str(code.co_posonlyargcount)]
    return " ".join([*machine, *code.co_varnames, *code.co_names, *inner])


def _sha256(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
