"""Machine code on disk: loaded if it is what would be compiled, compiled again if it is not."""

import errno
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba.core import config, event
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult

from sigcube.engine import sums
from sigcube.model import code_cache
from sigcube.model import compile as compiling
from sigcube.model.code_cache import code_folder, read_code, write_code
from sigcube.model.compile import compiled, inlined, scalar, ufunc
from sigcube.model.vecmath import pow
from sigcube.sweep import Sweep

COUNTED = """
import numpy as np
from numba.core import event

class Counter(event.Listener):
    compiled = 0
    def on_start(self, event): self.compiled += 1
    def on_end(self, event): pass

counter = Counter()
event.register("numba:compile", counter)
"""

SWEEP = (
    COUNTED
    + """
import hashlib
from sigcube.readers.mock import mock_survey
from tests.sweeping import planned, whole

axes = {"A": np.linspace(0.5, 2.0, 40), "upsilon_disk": [0.4, 0.5]}
cube = mock_survey(n_galaxies=5, seed=20)
found = whole(*planned(cube, kernel="sigma", axes=axes, metrics=["rms"], keep=["galaxy"], reference="mond"))
digest = hashlib.sha256(b"".join(found[name].tobytes() for name in sorted(found))).hexdigest()
print(counter.compiled, digest)
"""
)

OWN = (
    COUNTED
    + """
from sigcube.model.compile import compiled, helper, inlined

def doubled(x): return FACTOR * x

def make(step):
    def term(x): return doubled_(x) + step
    return term

doubled_ = helper(doubled)

def loop_of(term):
    f = inlined(term)
    def loop(values, out):
        for i in range(values.size):
            out[i] = f(values[i])
    return compiled(loop)

values = np.arange(3.0)
out = np.empty(3)
for step in STEPS:
    loop_of(make(step))(values, out)
    print(*out, end=" ")
print(counter.compiled)
"""
)


def start(script: Path | str, *, folder: Path | str) -> subprocess.Popen[str]:
    command = [sys.executable, str(script)] if isinstance(script, Path) else [sys.executable, "-c", script]
    root = str(Path(__file__).parents[2])
    environment = {
        **os.environ,
        "SIGCUBE_COMPILED": str(folder),
        "PYTHONPATH": os.pathsep.join([root, f"{root}/tests"]),
    }
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> list[str]:
    out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert error == ""
    return out.split()


def run(script: Path | str, *, folder: Path | str) -> list[str]:
    return output(start(script, folder=folder))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of this test, whose process has met no function yet."""
    monkeypatch.setenv("SIGCUBE_COMPILED", str(tmp_path / "code"))
    monkeypatch.setattr(code_cache, "_loaded", {})
    return tmp_path / "code"


@contextmanager
def counting() -> Iterator[list[str]]:
    names: list[str] = []

    class Names(event.Listener):
        def on_start(self, event: Any) -> None:
            names.append(event.data["dispatcher"].py_func.__name__)

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Names()):
        yield names


def cubed(values: Any) -> Any:
    total = 0.0
    for i in range(values.size):
        total += values[i] ** 3
    return total


def value(function: Callable[..., Any] = cubed, compile_it: Callable[..., Any] = compiled) -> tuple[float, int]:
    """Call a function as a process does that has not met it; say how much was compiled."""
    code_cache._loaded.clear()
    with counting() as names:
        return float(compile_it(function)(np.arange(4.0))), len(names)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.code"))


@pytest.mark.slow
def test_a_second_process_compiles_nothing_and_has_the_same_bits(tmp_path: Path) -> None:
    first, second = (run(SWEEP, folder=tmp_path / "c") for _ in range(2))
    assert int(first[0]) > 10
    assert second == ["0", first[1]]
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_several_processes_at_once_write_intact_files(tmp_path: Path) -> None:
    script = OWN.replace("FACTOR", "2.0").replace("STEPS", "[1.0, 5.0]")
    for found in [output(process) for process in [start(script, folder=tmp_path / "c") for _ in range(3)]]:
        assert found[:-1] == ["1.0", "3.0", "5.0", "5.0", "7.0", "9.0"]
    assert run(script, folder=tmp_path / "c")[-1] == "0"
    assert files(tmp_path / "c") == sorted((tmp_path / "c").iterdir())


@pytest.mark.slow
def test_changes_of_a_script_are_seen(tmp_path: Path) -> None:
    script = tmp_path / "own.py"

    def outcome(factor: float, steps: tuple[float, ...]) -> list[str]:
        script.write_text(OWN.replace("FACTOR", str(factor)).replace("STEPS", str(steps)))
        return run(script, folder=tmp_path / "c")

    assert outcome(2.0, (1.0,)) == ["1.0", "3.0", "5.0", "3"]
    # nothing changed
    assert outcome(2.0, (1.0,)) == ["1.0", "3.0", "5.0", "0"]
    # a number in a function that a term calls
    assert outcome(3.0, (1.0,))[:3] == ["1.0", "4.0", "7.0"]
    assert outcome(2.0, (1.0,)) == ["1.0", "3.0", "5.0", "0"]


@pytest.mark.slow
def test_functions_of_one_name_from_two_processes_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    # In a process of its own each is the first that is compiled, so that Numba gives all the same name.
    script = OWN.replace("FACTOR", "2.0")
    for step in (1.0, 5.0):
        run(script.replace("STEPS", f"[{step}]"), folder=tmp_path)
    both = run(script.replace("STEPS", "[1.0, 5.0]"), folder=tmp_path)
    assert both == ["1.0", "3.0", "5.0", "5.0", "7.0", "9.0", "0"]


@pytest.mark.slow
def test_what_is_loaded_can_be_called_by_what_is_compiled(folder: Path) -> None:
    def outer(inner: Any) -> Any:
        return lambda values: inner(values) + 1.0

    assert value() == (36.0, 1)
    code_cache._loaded.clear()
    with counting() as names:
        assert compiled(outer(compiled(cubed)))(np.arange(4.0)) == 37.0
    assert names == ["<lambda>"]
    assert len(files(folder)) == 2


def test_a_function_met_twice_in_a_process_is_compiled_once(folder: Path) -> None:
    with counting() as names:
        assert [compiled(cubed)(np.arange(4.0)) for _ in range(2)] == [36.0, 36.0]
    assert names == ["cubed"]
    assert cubed.__qualname__ == "cubed"


@pytest.mark.slow
def test_a_loop_with_many_tables_is_stored(folder: Path, mock_cube: xr.Dataset) -> None:
    correlation = {"correlation_amplitude": np.linspace(0.0, 8.0, 6), "correlation_length": np.linspace(1.0, 5.0, 5)}
    axes = {**correlation, "a0": np.linspace(1e-10, 2e-10, 9)}
    how: dict[str, Any] = {"sample": "unflagged", "metrics": ["loglike"], "errors": {"correlation": "radius"}}
    sweep = Sweep(mock_cube.isel(galaxy=slice(0, 4)), kernel="mond", axes=axes, **how)

    def compute() -> tuple[xr.Dataset, list[str]]:
        """Compute it as a process does that has not met the loop."""
        code_cache._loaded.clear()
        for function in (sums._loop, sums._compile):
            function.cache_clear()
        with counting() as names:
            return sweep.compute(), names

    first, names = compute()
    assert "loop" in names
    second, names = compute()
    assert "loop" not in names
    xr.testing.assert_identical(second, first)


@pytest.mark.slow
def test_each_signature_has_its_file(folder: Path) -> None:
    function = compiled(cubed)
    assert function(np.arange(4.0)) == function(np.arange(4)) == 36.0
    assert len(files(folder)) == 2


DAMAGE: list[tuple[str, Callable[[bytes], bytes]]] = [
    # a disk that was full, a machine that stopped
    ("empty", lambda content: b""),
    ("a part of the checksum", lambda content: content[:7]),
    ("the checksum alone", lambda content: content[:32]),
    ("half", lambda content: content[: len(content) // 2]),
    ("without its last byte", lambda content: content[:-1]),
    ("with bytes behind it", lambda content: content + b"\0"),
    # a disk that forgets
    ("zeros", lambda content: bytes(len(content))),
    # written by something else
    ("text", lambda content: b"no machine code"),
    ("a pickle", lambda content: pickle.dumps({"a": 1})),
    ("a pickle behind the old checksum", lambda content: content[:32] + pickle.dumps({"a": 1})),
]


@pytest.mark.slow
@pytest.mark.parametrize("change", [row[1] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_a_damaged_file_is_made_again(folder: Path, change: Callable[[bytes], bytes]) -> None:
    assert value() == (36.0, 1)
    (path,) = files(folder)
    path.write_bytes(change(path.read_bytes()))
    assert value() == (36.0, 1)
    assert files(folder) == [path]
    assert value() == (36.0, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_is_ever_read(folder: Path, data: st.DataObject) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "name.code"
    write_code(path, b"machine code")
    assert read_code(path) == b"machine code"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert read_code(path) is None


def test_a_file_under_another_name_is_not_read(folder: Path) -> None:
    value()
    (path,) = files(folder)
    other = path.with_name(f"{'0' * 64}.code")
    other.write_bytes(path.read_bytes())
    assert read_code(path) is not None
    assert read_code(other) is None


def test_an_intact_file_without_code_is_replaced(folder: Path) -> None:
    value()
    (path,) = files(folder)
    write_code(path, pickle.dumps(("not", "code")))
    assert value() == (36.0, 1)
    assert value() == (36.0, 0)


def test_switched_off_it_leaves_no_trace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    assert value() == value() == (36.0, 1)
    assert not folder.exists()
    assert code_folder() is None


def test_the_folder_is_a_part_of_the_cache_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGCUBE_COMPILED")
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path))
    assert code_folder() == tmp_path / ".compiled"


@pytest.mark.slow
def test_without_a_folder_functions_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "file/folder"):
        monkeypatch.setenv("SIGCUBE_COMPILED", str(tmp_path / name))
        assert value() == value() == (36.0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    assert value() == value() == (36.0, 1)
    assert files(folder) == []


def test_a_folder_of_somebody_else_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert value() == (36.0, 1)


@pytest.mark.slow
def test_a_full_disk_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(code_cache, "write_file", full)
    assert value() == value() == (36.0, 1)


def aged(folder: Path, *ages: float) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{i}.code" for i in range(len(ages))]
    for path, age in zip(paths, ages, strict=True):
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    return paths


def test_the_least_recently_used_files_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, older = aged(folder, 5.0, 1.0, 9.0)
    other, draft = folder / "a user's file.txt", folder / ".x.code.1234.partial"
    for path in (other, draft):
        path.write_bytes(bytes(1000))
        os.utime(path, (1.0, 1.0))
    monkeypatch.setattr(code_cache, "BOUND", 250)
    code_cache._prune(folder)
    # The draft of a process that died counts; what is not code is left alone.
    assert sorted(folder.iterdir()) == sorted([old, new, other])
    assert older not in folder.iterdir()


def test_reading_a_file_marks_it_as_used(folder: Path) -> None:
    value()
    (path,) = files(folder)
    os.utime(path, (1.0, 1.0))
    value()
    assert path.stat().st_mtime > 1e9


def test_files_that_another_process_removes_meanwhile_are_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, gone = aged(folder, 5.0, 1.0)
    gone.unlink()
    monkeypatch.setattr(code_cache, "BOUND", 0)
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([gone, first]))
    code_cache._prune(folder)
    assert not first.exists()


@numba.njit
def factorial(n: int) -> int:
    return 1 if n <= 1 else n * factorial(n - 1)


def stays_a_call(values: Any) -> Any:
    return values[0] + factorial(values.size)


def raises(values: Any) -> Any:
    if values.size > 9:
        raise ValueError("too many")
    return values[0]


def in_python(values: Any) -> Any:
    with numba.objmode():
        print(end="")
    return values[1]


KINDS: list[tuple[Callable[..., Any], Callable[..., Any], float, bool]] = [
    # a callee that stays a function, by a name that is another one's in another process
    (stays_a_call, compiled, 24.0, False),
    # an exception is a part of the code
    (raises, compiled, 0.0, True),
    # objects of Python, which a user's term may have
    (in_python, scalar, 1.0, False),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Code running in object mode")
@pytest.mark.parametrize(
    ("function", "compile_it", "expected", "is_stored"), KINDS, ids=[row[0].__name__ for row in KINDS]
)
def test_code_that_depends_on_its_process_is_not_stored(
    folder: Path, function: Callable[..., Any], compile_it: Callable[..., Any], expected: float, is_stored: bool
) -> None:
    assert value(function, compile_it)[0] == value(function, compile_it)[0] == expected
    assert len(files(folder)) == is_stored


def test_loaded_code_raises_its_exceptions(folder: Path) -> None:
    for _ in range(2):
        code_cache._loaded.clear()
        with pytest.raises(ValueError, match="too many"):
            compiled(raises)(np.arange(10.0))


@pytest.mark.slow
@pytest.mark.parametrize("namespace", [{}, {"__name__": "prompt"}, {"__name__": "__main__"}])
def test_a_function_of_a_prompt_works_and_its_change_is_seen(folder: Path, namespace: dict[str, Any]) -> None:
    for factor in (2.0, 3.0, 2.0):
        exec(f"def scaled(values): return {factor} * values[1]", namespace)
        assert value(namespace["scaled"])[0] == factor


def test_a_loaded_loop_has_its_terms_inlined(folder: Path) -> None:
    f = inlined(lambda x: x * x + 1.0)

    def squares(values: Any) -> Any:
        total = 0.0
        for i in range(values.size):
            total += f(values[i])
        return total

    assert value(squares) == (18.0, 2)
    assert value(squares) == (18.0, 0)


@pytest.mark.slow
def test_an_elementwise_function_is_compiled_once_for_all_processes(folder: Path) -> None:
    def power(x: float, y: float) -> float:
        return pow(x, y)

    grid = np.arange(1.0, 4.0)[:, np.newaxis], np.arange(3)
    with counting() as names:
        np.testing.assert_array_equal(ufunc(power)(*grid), grid[0] ** grid[1])
    assert names[:2] == ["ufunc", "power"]
    code_cache._loaded.clear()
    compiling._ufunc.cache_clear()
    with counting() as names:
        np.testing.assert_array_equal(ufunc(power)(*grid), grid[0] ** grid[1])
    assert names == []


# What is used of Numba's inside: a release that changes it makes these tests fail, and no sweep.


def test_numba_has_the_private_parts_that_are_used() -> None:
    hint = f"Numba {numba.__version__} changed what sigcube.model.code_cache relies on"
    dispatcher = numba.njit(cubed)
    assert type(dispatcher._cache) is NullCache, hint
    for name in ("load_overload", "save_overload"):
        own, numbas = (inspect.signature(getattr(each, name)) for each in (code_cache._CodeCache, NullCache))
        assert len(own.parameters) == len(numbas.parameters), hint
    dispatcher(np.arange(4.0))
    (result,) = dispatcher.overloads.values()
    assert {"lifted", "library", "metadata"} <= set(result._fields), hint
    inputs = list(inspect.signature(CompileResult._rebuild).parameters)
    assert inputs[0] == "target_context", hint
    assert len(result._reduce()) == len(inputs) - 1, hint
    names = [f.name for f in result.library._final_module.functions if f.linkage.name == "external"]
    assert any("cubed" in name for name in names), hint
    assert isinstance(result.library.has_dynamic_globals, bool), hint
    assert config.OPT is not None, hint


@pytest.mark.slow
@pytest.mark.parametrize("name", ["_reduce", "_rebuild"])
def test_a_numba_without_them_compiles(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert value() == (36.0, 1)
    monkeypatch.delattr(CompileResult, name)
    for path in files(folder) if name == "_reduce" else []:
        path.unlink()
    assert value() == value() == (36.0, 1)
