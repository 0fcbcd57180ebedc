"""Functions from generated source, and terms as functions of arrays."""

import gc
import inspect
import os
import pickle
import platform
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from sigcube.kernels import find
from sigcube.model import compile as compiling
from sigcube.model.code_hash import source_hash
from sigcube.model.compile import compiled, define, has_masks, inlined, ufunc
from sigcube.model.record import Term
from sigcube.model.vecmath import pow

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

TEXT = "def scaled(x):\n    return factor * x\n"


def test_a_generated_function_has_a_source_and_a_module() -> None:
    scaled = define(TEXT, "scaled", {"factor": 2.0}, module=__name__)
    assert scaled(3.0) == 6.0
    assert inspect.getsource(scaled) == TEXT
    assert scaled.__module__ == __name__


def test_its_hash_is_that_of_its_text_and_of_what_it_refers_to() -> None:
    def hash_of(text: str, factor: float) -> str:
        return source_hash([define(text, "scaled", {"factor": factor})])

    assert hash_of(TEXT, 2.0) == hash_of(TEXT, 2.0)
    assert len({hash_of(TEXT, 2.0), hash_of(TEXT, 3.0), hash_of(TEXT.replace("* x", "/ x"), 2.0)}) == 3


def test_a_generated_term_of_a_kernel_is_pickled_by_its_name() -> None:
    by_poles = find("resonance").choices[0].options["exact"].defines["K"]
    assert pickle.loads(pickle.dumps(by_poles)) is by_poles


def ratio(x: float, y: float) -> float:
    return x / y


X = np.array([[1.0, 2.0, 4.0], [8.0, 0.0, np.nan]])
CASES: list[tuple[str, tuple[Any, ...]]] = [
    ("numbers", (1.0, 4.0)),
    ("an array and a number", (X, 4.0)),
    ("rows and columns", (X[0], X[:, :1])),
    ("integers", (np.arange(6), 3)),
    ("single precision", (X.astype(np.float32), np.float32(3.0))),
    ("strides", (X[:, ::-2], X[::-1, ::2])),
    ("Fortran's order", (np.asfortranarray(X), X)),
    ("read-only", (np.broadcast_to(2.0, (2, 3)), X)),
    ("no elements", (np.empty((0, 3)), X[0])),
    ("more than a buffer", (np.arange(30_000.0), np.array([[3.0], [7.0]]))),
]


@pytest.mark.parametrize("arguments", [row[1] for row in CASES], ids=[row[0] for row in CASES])
def test_a_term_broadcasts_as_a_ufunc_of_float64(arguments: tuple[Any, ...]) -> None:
    found = ufunc(ratio)(*arguments)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.true_divide(*(np.asarray(argument, dtype=np.float64)[()] for argument in arguments))
    np.testing.assert_array_equal(found, expected)
    assert (np.shape(found), found.dtype, type(found)) == (np.shape(expected), np.float64, type(expected))


def test_a_term_of_numbers_without_a_result_is_not_finite() -> None:
    assert ufunc(ratio)(1.0, 0.0) == np.inf


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="could not be broadcast together"):
        ufunc(ratio)(X, np.arange(4.0))


def test_equal_terms_share_a_function() -> None:
    term: Term = ratio
    assert ufunc(term) is ufunc(ratio)


LOOP = "def loop(x, y, out):\n    for i in range(out.size):\n        out[i] = f(x[i], y[i])\n"


def power(x: float, y: float) -> float:
    return pow(x, y) / y


def loop_of_powers(*, masked: bool = False, rolled: bool = False) -> Any:
    """A loop, compiled for the processor that Numba is told, which may be another one."""
    loop: Any = compiled(define(LOOP, "loop", {"f": inlined(power)}), masked=masked, rolled=rolled)
    loop.compile("void(float64[::1], float64[::1], float64[::1])")
    return loop


def registers(loop: Any) -> Counter[str]:
    """How often the code names registers of 128, 256 and 512 bits."""
    (assembly,) = loop.inspect_asm().values()
    return Counter(re.findall(r"%([xyz]mm)\d", assembly))


PROCESSORS = [
    # LLVM would take vectors of 256 bits
    ("skylake-avx512", True),
    ("sapphirerapids", True),
    # no longer ones
    ("haswell", False),
]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="compiles for other x86-64 processors")
@pytest.mark.parametrize(("processor", "has_long"), PROCESSORS)
def test_a_loop_has_the_longest_vectors_of_its_processor(processor: str, has_long: bool) -> None:
    code = "from tests.model.test_compile import *; print(*map(registers(loop_of_powers()).get, ('ymm', 'zmm')))"
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": "",
        "SIGCUBE_COMPILED": "off",
    }
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    halves, whole = (0 if count == "None" else int(count) for count in found.stdout.split())
    assert (whole > 20 * halves) if has_long else (whole == 0 < halves)


def test_bits_do_not_depend_on_the_length_of_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    x, y = np.random.default_rng(5).uniform(-1.0, 9.0, (2, 1003))
    found = []
    for bits in (512, 256, 128):
        monkeypatch.setattr(compiling, "_VECTOR_BITS", bits)
        loop_of_powers()(x, y, out := np.empty(x.size))
        found.append(out.tobytes())
    assert len(set(found)) == 1


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="counts instructions of x86-64")
def test_a_rolled_loop_is_not_written_out_several_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    source = "def loop(x, out):\n    total = 0.0\n"
    source += "    for i in range(out.size):\n        total += x[i]\n        out[i] = total\n"
    counts = []
    for rolled in (False, True):
        loop = compiled(define(source, "loop", {}), rolled=rolled)
        loop.compile("void(float64[::1], float64[::1])")
        counts.append(sum(text.count("addsd") for text in loop.inspect_asm().values()))
    # A sum that goes on has no vectors. LLVM writes it out for four or eight elements, and once more for what is left.
    assert counts[1] == 1 < counts[0]


@pytest.mark.skipif(not has_masks(), reason="looks for masks, as AVX-512 has them")
def test_a_masked_loop_writes_through_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    loops = [loop_of_powers(masked=masked).inspect_asm().values() for masked in (False, True)]
    assert [bool(re.search(r"vmovup.*\{%k[1-7]\}", assembly)) for (assembly,) in loops] == [False, True]


def test_what_llvm_is_asked_about_loops_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # From the cache as well, where the one must not take the place of the other.
    monkeypatch.setenv("SIGCUBE_COMPILED", str(tmp_path))
    loops = [loop_of_powers(masked=masked, rolled=rolled) for masked in (False, True) for rolled in (False, True)]
    assert len([*tmp_path.rglob("*.code")]) == 4
    for n in (*range(34), 1003):
        x, y = np.random.default_rng(n).uniform(-1.0, 9.0, (2, n))
        rows = np.full((len(loops), n + 9), 7.0)
        for loop, row in zip(loops, rows, strict=True):
            loop(x, y, row[:n])
        assert len({row.tobytes() for row in rows}) == 1
        assert (rows[:, n:] == 7.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_a_function_is_compiled(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Code that an earlier run has kept would not be compiled.
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")

    class Stopped(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    whole, seen = compiling._Library._optimize_final_module, []

    def interrupted(library: Any) -> None:
        # As it comes within one of LLVM's calls of Python, which drop what is raised there.
        os.kill(os.getpid(), number)
        whole(library)
        seen.append(library)

    before = signal.signal(number, stop)
    try:
        loop = compiled(define(f"def twice(values):\n    return 2 * values[0] + {int(number)}", "twice", {}))
        with mock.patch.object(compiling._Library, "_optimize_final_module", interrupted), pytest.raises(Stopped):
            loop(np.ones(1))
        assert seen
        # The handler is the caller's again, and the function as good as new.
        assert signal.getsignal(number) is stop
        assert loop(np.ones(1)) == 2 + number
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_pauses_while_a_function_is_compiled(
    enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    whole, seen = compiling._Library._optimize_final_module, []

    def watched(library: Any) -> None:
        seen.append(gc.isenabled())
        whole(library)

    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        loop = compiled(define("def five(values):\n    return 5.0 * values[0]", "five", {}))
        with mock.patch.object(compiling._Library, "_optimize_final_module", watched):
            assert loop(np.ones(1)) == 5.0
        assert seen == [False]
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
