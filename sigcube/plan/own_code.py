"""Kernels and metrics of the user's own, named in a file or on the command line as ``module:NAME``.

Only code that the user names is imported, in a spec of theirs or an option; never what a result names.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any

from sigcube.errors import SpecError, did_you_mean
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric

__all__ = ["find_own_code", "load_own", "own_records"]


def find_own_code(keys: Mapping[str, Any], *, folder: Path) -> dict[str, Any]:
    """Return the keys of a spec with each ``module:NAME`` replaced by its record.

    Parameters
    ----------
    keys : Mapping
        With ``kernel``, ``models``, ``reference`` and ``metrics``, as far as they are given.
    folder : Path
        The folder to look for modules first: that of the spec.

    Raises
    ------
    SpecError
        For a module or record that does not exist or cannot be imported.
    """

    def kernel(given: Any, where: str) -> Any:
        return load_own(given, Kernel, where=where, folder=folder) if _is_own(given) else given

    def in_table(given: Any, where: str) -> Any:
        if isinstance(given, Mapping) and "kernel" in given:
            return {**given, "kernel": kernel(given["kernel"], f"{where}.kernel")}
        return kernel(given, where)

    found = dict(keys)
    if "kernel" in keys:
        found["kernel"] = kernel(keys["kernel"], "kernel")
    if isinstance(keys.get("models"), Mapping):
        found["models"] = {name: in_table(table, f"models.{name}") for name, table in keys["models"].items()}
    if "reference" in keys:
        found["reference"] = in_table(keys["reference"], "reference")
    if isinstance(keys.get("metrics"), list):
        metrics = keys["metrics"]
        found["metrics"] = [
            load_own(each, Metric, where="metrics", folder=folder) if _is_own(each) else each for each in metrics
        ]
    return found


def own_records(given: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return kernels and metrics named ``module:NAME``, as `Sweep.from_result` and others take them.

    Raises
    ------
    SpecError
        For one that does not exist, or is neither.
    """
    records = [load_own(each, Kernel, Metric, where="own", folder=Path()) for each in given]
    return {
        "own_kernels": {each.name: each for each in records if isinstance(each, Kernel)},
        "own_metrics": {each.name: each for each in records if isinstance(each, Metric)},
    }


def _is_own(given: Any) -> bool:
    return isinstance(given, str) and ":" in given


def load_own(given: str, *kinds: type, where: str, folder: Path) -> Any:
    """Import a record named ``module:NAME``, from the folder, the current one, or wherever Python finds modules.

    Raises
    ------
    SpecError
        There is no such module or record, it is of another kind, or the module raises.
    """
    module_name, _, name = given.partition(":")
    module = _import(module_name, where=where, given=given, folders=[folder.resolve(), Path.cwd()])
    record = getattr(module, name, None)
    if not isinstance(record, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        there = [key for key, value in vars(module).items() if isinstance(value, kinds)]
        raise SpecError(
            f"module {module_name!r} has no {wanted} {name!r}",
            where=where,
            found=f"{name} = {type(record).__name__}" if hasattr(module, name) else None,
            expected=f"module:NAME with a {wanted} of sigcube",
            hint=did_you_mean(name, there) if there else f"it has none: see {getattr(module, '__file__', module_name)}",
        )
    return record


def _import(name: str, *, where: str, given: str, folders: Sequence[Path]) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise SpecError("this names no module", where=where, found=given, expected="module:NAME, as in my_models:MINE")
    own = (folder for folder in folders if _is_there(folder, name) and not name.startswith("sigcube."))
    try:
        if folder := next(own, None):
            with _imported_from(folder, name):
                return import_module(name)
        return import_module(name)
    # A module may do anything: one that ends the process must not look like a command that succeeded.
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (name, name.partition(".")[0]):
            looked = ", ".join(dict.fromkeys(str(each) for each in folders))
            raise SpecError(
                f"there is no module {name!r}", where=where, found=given, hint=f"put {name}.py into {looked}"
            ) from None
        raise SpecError(
            f"module {name!r} cannot be imported", where=where, found=f"{type(error).__name__}: {error}"
        ) from error


def _is_there(folder: Path, name: str) -> bool:
    path = folder.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@contextmanager
def _imported_from(folder: Path, name: str) -> Iterator[None]:
    """Import a module afresh from a folder, whatever is loaded under its name, and forget it afterwards.

    A module of the same name elsewhere is then another one, and an edited one is read again. Modules unknown to a
    process travel whole to workers: cloudpickle sends their code, not their name. A package that is installed within
    the folder, as in a virtual environment there, is none of these.
    """
    top = name.partition(".")[0]
    hidden = {each: sys.modules.pop(each) for each in [*sys.modules] if each.partition(".")[0] == top}
    before, path = set(sys.modules), list(sys.path)
    installed = [place for place in (Path(each).resolve() for each in path if each) if folder in place.parents]
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        for each in set(sys.modules) - before:
            file = Path(getattr(sys.modules[each], "__file__", None) or "/").resolve()
            if folder in file.parents and not any(place in file.parents for place in installed):
                del sys.modules[each]
        sys.modules.update(hidden)
