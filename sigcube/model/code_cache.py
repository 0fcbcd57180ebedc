"""Machine code on disk, so that a process can load what another has compiled.

A file is named by the sha256 of everything that decides its content: the code of the function and of everything it
calls, the types of its arguments, the machine, and the versions of the libraries. So nothing is ever out of date, there
is no index, and processes that write the same file write the same code.

This uses private parts of Numba, named in `_CodeCache` and `_is_self_contained`. With generated files, each named by a
hash, and plain ``numba.njit(cache=True)``, a first block took as long, but

- two processes that compiled a function for different types at the same time left the code of one under the types of
  the other (numba#4807), and a call on integers returned garbage from then on;
- functions that are not inlined have names that are unique in one process only, so that code from two processes,
  loaded by a third, called the wrong one of two functions: a wrong number and no error;
- a truncated file raised an error in the middle of a sweep, a flipped bit ended the process, a full disk raised.

If Numba no longer has these parts, functions are compiled in each process.
"""

import hashlib
import os
import pickle
import re
import sys
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config, serialize
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.environment import lookup_environment

from sigcube.files import cache_folder, write_file
from sigcube.model.code_hash import RENAMED, code_hash

__all__ = ["cache_code", "code_folder", "read_code", "write_code"]

#: Bytes that the folder may hold; the least recently used files are removed first.
BOUND = 256 * 2**20

_SUFFIX = ".code"
_CHECKSUM_SIZE = hashlib.sha256().digest_size
_VERSIONS = sys.version, numba.__version__, llvmlite.__version__, np.__version__
_SWITCHES = (
    "OPT LOOP_VECTORIZE SLP_VECTORIZE BOUNDSCHECK DEBUGINFO_DEFAULT ENABLE_AVX USING_SVML DISABLE_INTEL_SVML "
    "LLVM_REFPRUNE_PASS LLVM_REFPRUNE_FLAGS NRT_STATS"
).split()
# Functions that were renamed here, and those of Numba's reference counting, which every process has.
_UNIQUE_NAME = re.compile(f"{RENAMED}[0-9a-f]{{16}}|^NRT_")
# By file name: equal functions share their code, such as those of a notebook's cell that is run again.
_loaded: dict[str, Any] = {}


def cache_code(dispatcher: Any) -> Any:
    """Let a compiled function load its machine code from disk, or store it there.

    Parameters
    ----------
    dispatcher : numba Dispatcher
        It must not be compiled yet. The function behind it is renamed, and must not be used elsewhere.

    Returns
    -------
    numba Dispatcher
        The same one.
    """
    dispatcher._cache = _CodeCache(dispatcher)
    return dispatcher


class _CodeCache(NullCache):  # type: ignore[misc]
    """What Numba asks for machine code before it compiles, and gives it to afterwards: ``Dispatcher._cache``."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        if path.name not in _loaded and (data := read_code(path)) is not None:
            target_context.refresh()
            # This fails if the function's module cannot be imported here: it is then compiled again.
            with suppress(Exception):
                _loaded[path.name] = CompileResult._rebuild(target_context, *pickle.loads(data))
        return _loaded.get(path.name)

    def save_overload(self, sig: Any, result: Any) -> None:
        path = self._path(sig, result.codegen)
        # Whatever fails, the function is compiled and works; some objects cannot be pickled, for instance.
        with suppress(Exception):
            if path is not None and _is_self_contained(result):
                # Numba adds metadata of its own to a result that it takes from a cache.
                _loaded[path.name] = result._replace(metadata=None)
                write_code(path, serialize.dumps(result._reduce()))

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = code_folder()
        if folder is None or self._hash is None:
            return None
        switches = [getattr(config, name, None) for name in _SWITCHES]
        way = self._dispatcher._compiler.pipeline_class.__name__
        decisive = repr((self._hash, sig, way, codegen.magic_tuple(), switches, _VERSIONS, _options_hash()))
        return folder / f"{hashlib.sha256(decisive.encode()).hexdigest()}{_SUFFIX}"

    @cached_property
    def _hash(self) -> str | None:
        """The hash of the function, which becomes a part of its name.

        Computed at the first call, since a function may name others defined below it.
        """
        found = code_hash(self._dispatcher)
        if found is not None:
            self._dispatcher.py_func.__qualname__ += f"{RENAMED}{found[:16]}"
        return found


@cache
def _options_hash() -> str:
    """Hash the modules that decide how functions are compiled and stored."""
    files = (Path(__file__).with_name(name) for name in ("compile.py", "code_cache.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _is_self_contained(result: Any) -> bool:
    """Whether machine code means the same in another process."""
    module = result.library._final_module
    defined = [each for each in module.functions if not each.is_declaration]
    shared = [each.name for each in defined if each.linkage.name not in ("internal", "private")]
    environments = [lookup_environment(each.name) for each in module.global_variables]
    return (
        not result.lifted
        and not result.library.has_dynamic_globals
        and all(_UNIQUE_NAME.search(name) for name in shared)
        # No objects of this process, and a module that another process can import.
        and all(not e.consts and e.globals.get("__name__") in sys.modules for e in environments if e is not None)
    )


def code_folder() -> Path | None:
    """Return the folder of machine code: ``SIGCUBE_COMPILED`` of the environment, else a part of the cache.

    Returns
    -------
    Path or None
        None if the variable is ``off``, or if the folder cannot be made, or if other users may write there.
    """
    name = os.environ.get("SIGCUBE_COMPILED", "")
    if name == "off":
        return None
    folder = Path(name) if name else cache_folder() / ".compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    # Files there are executed. Only POSIX has owners and modes.
    is_safe = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return folder if is_safe else None


def read_code(path: Path) -> bytes | None:
    """Return the content of a file, and mark it as used.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes or None
        None if there is no such file, or if it is not what was written under this name.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    data = content[_CHECKSUM_SIZE:]
    if content[:_CHECKSUM_SIZE] != _checksum(path, data):
        return None
    # Another process may have removed it by now.
    with suppress(OSError):
        os.utime(path)
    return data


def write_code(path: Path, data: bytes) -> None:
    """Write a file, and remove others if the folder has become too large. A disk without room is no error.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What `read_code` returns.
    """
    with suppress(OSError):
        write_file(path, _checksum(path, data) + data)
        _prune(path.parent)


def _checksum(path: Path, data: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + data).digest()


def _prune(folder: Path) -> None:
    """Remove the least recently used files until the rest is within the bound."""
    files: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        # Drafts of dead processes count as well; anything else is not ours.
        with suppress(OSError):
            if _SUFFIX in path.suffixes:
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > BOUND:
            with suppress(OSError):
                path.unlink()
