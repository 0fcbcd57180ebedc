"""Nanoseconds per element: vecmath in a Numba loop, libm in the same loop, NumPy, and C with glibc's libmvec.

Run as ``python tests/benchmarks/bench_vecmath.py [--interleave N]``. The C is compiled with -O3 -march=native
-ffast-math and 512-bit vectors where available; its vector functions are listed, so that a scalar fallback shows. All
arrays fit into the L1 cache, all loops repeat inside compiled code, and the best of several rounds counts.
"""

import argparse
import ctypes
import math
import operator
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from llvmlite import binding
from numba import njit

from sigcube.model import vecmath

SIZE, REPEATS, ROUNDS = 1024, 300, 25
FLAGS = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-shared", "-fPIC"]

# Each case is one expression of x[i], y[i] and the loop-invariant p and q; it reads the same in C and in Python.
CASES = {
    "exp": "exp(y)",
    "expm1": "expm1(y)",
    "log": "log(x)",
    "log10": "log10(x)",
    "log1p": "log1p(x)",
    "pow": "pow(x, y)",
    "pow, one base": "pow(p, y)",
    "pow, one exponent": "pow(x, q)",
    "powr, one base": "powr(p, y)",
    "divide, one divisor": "divide(y, p)",
    "one pow, three exp": "pow(x, y) + exp(x) * exp(y) + exp(-x)",
}
NUMPY = SimpleNamespace(
    exp=np.exp,
    expm1=np.expm1,
    log=np.log,
    log10=np.log10,
    log1p=np.log1p,
    pow=np.power,
    powr=np.power,
    divide=np.divide,
)
LIBM = SimpleNamespace(**{**vars(math), "pow": math.pow, "powr": math.pow, "divide": operator.truediv})


def python_loop(expression: str, functions: Any) -> Callable[..., None]:
    source = f"""
def once(xs, ys, p, q, out):
    for i in range(out.size):
        x = xs[i]
        y = ys[i]
        out[i] = {expression}
"""
    namespace = {name: getattr(functions, name) for name in vecmath.__all__}
    exec(source, namespace)
    once = njit(error_model="numpy")(namespace["once"])

    @njit(error_model="numpy")
    def repeat(xs, ys, p, q, out, repeats):
        for _ in range(repeats):
            once(xs, ys, p, q, out)

    return repeat


def numpy_loop(expression: str) -> Callable[..., None]:
    code = compile(expression, "case", "eval")

    def repeat(xs, ys, p, q, out, repeats):
        names = {**vars(NUMPY), "x": xs, "y": ys, "p": p, "q": q}
        for _ in range(repeats):
            out[:] = eval(code, names)

    return repeat


def c_source() -> Iterator[str]:
    yield "#include <math.h>\n#define powr pow\n#define divide(a, b) ((a) / (b))"
    arguments = "const double *restrict xs, const double *restrict ys, double p, double q, double *restrict out"
    for number, expression in enumerate(CASES.values()):
        yield f"""
__attribute__((noinline, noclone)) static void once_{number}({arguments}) {{
    for (int i = 0; i < {SIZE}; i++) {{ double x = xs[i], y = ys[i]; (void)x; (void)y; out[i] = {expression}; }}
}}
void repeat_{number}({arguments}, long repeats) {{
    while (repeats--) {{ once_{number}(xs, ys, p, q, out); __asm__ volatile("" ::: "memory"); }}
}}"""


def c_loops(folder: Path) -> tuple[list[Callable[..., None]], list[str]]:
    """Compile every case; return the loops and the vector functions that they call."""
    source, library = folder / "cases.c", folder / "cases.so"
    source.write_text("\n".join(c_source()))
    subprocess.run(["gcc", *FLAGS, str(source), "-o", str(library), "-lm"], check=True)
    symbols = subprocess.run(["nm", "-D", "-u", str(library)], check=True, capture_output=True, text=True).stdout
    vectors = sorted({word.split("@")[0] for word in symbols.split() if word.startswith("_ZGV")})
    return [c_loop(ctypes.CDLL(str(library)), number) for number in range(len(CASES))], vectors


def c_loop(library: ctypes.CDLL, number: int) -> Callable[..., None]:
    function = library[f"repeat_{number}"]
    pointer, real = ctypes.c_void_p, ctypes.c_double
    function.argtypes, function.restype = [pointer, pointer, real, real, pointer, ctypes.c_long], None

    def repeat(xs, ys, p, q, out, repeats):
        function(xs.ctypes.data, ys.ctypes.data, p, q, out.ctypes.data, repeats)

    return repeat


def nanoseconds(repeat: Callable[..., None]) -> float:
    rng = np.random.default_rng(1)
    xs, ys, out = rng.uniform(0.1, 3.1, SIZE), rng.uniform(-2, 2, SIZE), np.empty(SIZE)
    repeat(xs, ys, 1.7, 0.6, out, 1)

    def once() -> float:
        start = perf_counter()
        repeat(xs, ys, 1.7, 0.6, out, REPEATS)
        return perf_counter() - start

    return min(once() for _ in range(ROUNDS)) / (SIZE * REPEATS) * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interleave", type=int, default=0, help="iterations that LLVM interleaves; 0: its own choice")
    chosen = parser.parse_args().interleave
    if chosen:
        binding.set_option("", f"-force-vector-interleave={chosen}")
    if shutil.which("gcc") is None:
        sys.exit("gcc is needed for the comparison")
    with tempfile.TemporaryDirectory() as folder:
        compiled, vectors = c_loops(Path(folder))
        print(f"{'ns per element':20}{'vecmath':>9}{'libm':>9}{'NumPy':>9}{'C libmvec':>11}{'C / vecmath':>13}")
        for (name, expression), c in zip(CASES.items(), compiled, strict=True):
            libm = python_loop(expression, LIBM)
            loops = (python_loop(expression, vecmath), libm, numpy_loop(expression), c)
            own, scalar, array, best = (nanoseconds(loop) for loop in loops)
            print(f"{name:20}{own:9.3f}{scalar:9.3f}{array:9.3f}{best:11.3f}{best / own:13.2f}", flush=True)
    print(f"gcc {' '.join(FLAGS[:4])}: {' '.join(vectors) or 'no vector functions'}")


if __name__ == "__main__":
    main()
