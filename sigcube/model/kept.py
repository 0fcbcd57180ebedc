"""Machine code kept between processes, each file named by all that decides what is in it.

Numba's own cache is not used: processes race on its index, and it does not see a change in a function that a kept one
calls. Here a name is the sha256 of the function's code, of all that it reaches, of its signature, and of the machine
and the libraries. So there is no index, nothing is ever out of date, and a file that is not what it should be is made
again. The names of kept functions hold that hash too: those of Numba are unique in one process alone, and code that
is loaded next to other code of its name would be mistaken for it.
"""

import hashlib
import pickle
import re
import sys
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config, serialize
from numba.core.compiler import CompileResult
from numba.core.environment import lookup_environment

from sigcube.model.code_hash import code_hash
from sigcube.model.kept_files import SUFFIX, kept_folder, read_kept, write_kept

__all__ = ["keep"]

# Modules that decide how functions are compiled.
_DECISIVE = ("model/*.py", "kernels/*.py", "engine/*.py")
# Names given here, and those of Numba's counting of references.
_OWN_NAME = re.compile("_kept[0-9a-f]{16}|^NRT_")
_VERSIONS = sys.version, numba.__version__, llvmlite.__version__, np.__version__
_SWITCHES = (
    "OPT LOOP_VECTORIZE SLP_VECTORIZE BOUNDSCHECK DEBUGINFO_DEFAULT ENABLE_AVX USING_SVML DISABLE_INTEL_SVML "
    "LLVM_REFPRUNE_PASS LLVM_REFPRUNE_FLAGS NRT_STATS"
).split()
# Kept by one function, used by its equal: a cell of a notebook that runs again compiles nothing.
_here: dict[str, Any] = {}


def keep(dispatcher: Any) -> Any:
    """Let a compiled function load its machine code from disk, and leave it there.

    Parameters
    ----------
    dispatcher : numba Dispatcher
        Not compiled yet. Its function must be nobody else's, since it is given a new name.

    Returns
    -------
    numba Dispatcher
        The same one.
    """
    dispatcher._cache = _Kept(dispatcher)
    return dispatcher


class _Kept:
    """What Numba asks for machine code before it compiles, and hands it to afterwards."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(kept_folder() or "")

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: no file is ever out of date."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        path = self._path(sig, target_context.codegen())
        if path is not None and path.name not in _here:
            _here[path.name] = _load(path, target_context)
        return path and _here[path.name]

    def save_overload(self, sig: Any, result: Any) -> None:
        path = self._path(sig, result.codegen)
        if path is not None and _is_whole(result):
            # Numba writes the times of a compilation there, and bears no second ones.
            _here[path.name] = result._replace(metadata=None)
            _save(path, result)

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = kept_folder() if self._enabled else None
        if folder is None or self._hash is None:
            return None
        switches = [getattr(config, name, None) for name in _SWITCHES]
        told = repr((self._hash, sig, codegen.magic_tuple(), switches, _VERSIONS, _rooms_hash()))
        return folder / f"{hashlib.sha256(told.encode()).hexdigest()}{SUFFIX}"

    @cached_property
    def _hash(self) -> str | None:
        """Not before the first call: a function may name others that stand below it. It is given its name then, too."""
        found = code_hash(self._dispatcher)
        if found is not None:
            self._dispatcher.py_func.__qualname__ += f"_kept{found[:16]}"
        return found


@cache
def _rooms_hash() -> str:
    package = Path(__file__).parents[1]
    files = sorted(path for pattern in _DECISIVE for path in package.glob(pattern))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _is_whole(result: Any) -> bool:
    """Say whether machine code means the same in another process."""
    module = result.library._final_module
    defined = [each for each in module.functions if not each.is_declaration]
    shared = [each.name for each in defined if each.linkage.name not in ("internal", "private")]
    environments = [lookup_environment(each.name) for each in module.global_variables]
    return (
        not result.lifted
        and not result.library.has_dynamic_globals
        and all(_OWN_NAME.search(name) for name in shared)
        and all(_is_bare(each) for each in environments if each is not None)
    )


def _is_bare(environment: Any) -> bool:
    """Say whether an environment holds no objects of this process, and belongs to a module that another can import."""
    return not environment.consts and environment.globals.get("__name__") in sys.modules


def _load(path: Path, target_context: Any) -> Any:
    data = read_kept(path)
    if data is None:
        return None
    target_context.refresh()
    try:
        return CompileResult._rebuild(target_context, *pickle.loads(data))
    except Exception:
        # Whole, but of no use here: a user's module that is not to be had. It is compiled as without a folder.
        return None


def _save(path: Path, result: Any) -> None:
    try:
        data = serialize.dumps(result._reduce())
    except Exception:
        # What cannot be pickled raises whatever it likes.
        return
    write_kept(path, data)
