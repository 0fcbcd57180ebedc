"""Races on one machine: contenders take turns, so that what else happens there hits all of them alike."""

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

__all__ = [
    "Contender",
    "Library",
    "Part",
    "Result",
    "build",
    "c_arguments",
    "compiler",
    "largest_difference",
    "machine",
    "race",
    "rate",
    "table",
    "versions",
]

_SOURCES = Path(__file__).parent / "c"
# One turn of a contender lasts at least this long, where a single call is shorter [s].
_TURN = 0.03


@dataclass(frozen=True)
class Contender:
    """One way of doing the work, or one variant of it: the fastest variant of a group counts."""

    group: str
    call: Callable[[], object]
    evaluations: int
    variant: str = ""


@dataclass(frozen=True)
class Result:
    """The best of a group: its rate [evaluations/s], and the variant that reached it."""

    rate: float
    variant: str


@dataclass(frozen=True)
class Part:
    """A part of the report: a title, a few words, and tables as Markdown lines."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Library:
    """Compiled C, and the vector functions of libmvec that it calls."""

    name: str
    functions: ctypes.CDLL
    vectors: frozenset[str] = field(default_factory=frozenset)


def race(contenders: Sequence[Contender], *, rounds: int) -> dict[str, Result]:
    """Let contenders take turns; return the best of each group, in the order in which the groups appear."""
    turns = [max(1, round(_TURN / _seconds(each.call, 1))) for each in contenders]
    best = [float("inf")] * len(contenders)
    for _ in range(rounds):
        for i, each in enumerate(contenders):
            best[i] = min(best[i], _seconds(each.call, turns[i]))
    results: dict[str, Result] = {}
    for each, seconds in zip(contenders, best, strict=True):
        found = Result(each.evaluations / seconds, each.variant)
        if each.group not in results or found.rate > results[each.group].rate:
            results[each.group] = found
    return results


def _seconds(call: Callable[[], object], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - start) / times


def build(source: str, flags: Sequence[str], defines: Mapping[str, object], folder: Path) -> Library:
    """Compile a C source of this package, and look up which vector functions its code calls."""
    options = [*flags, *(f"-D{key}={value!r}" if value is not None else f"-D{key}" for key, value in defines.items())]
    target = folder / f"{Path(source).stem}-{abs(hash(tuple(options)))}.so"
    unlinked = str(target.with_suffix(".o"))
    subprocess.run(["gcc", *options, "-fPIC", "-c", str(_SOURCES / source), "-o", unlinked], check=True)
    # Linked without -ffast-math, which would have the library switch off subnormal numbers in the whole process.
    subprocess.run(["gcc", "-shared", unlinked, "-o", str(target), "-lm"], check=True)
    code = subprocess.run(["objdump", "-d", str(target)], check=True, capture_output=True, text=True).stdout
    vectors = frozenset(re.findall(r"call.*<(_ZGV\w+)@plt>", code))
    return Library(" ".join(options), ctypes.CDLL(str(target)), vectors)


def c_arguments(*values: object) -> list[object]:
    """Turn numbers and arrays into what ctypes hands over."""
    kinds = {int: ctypes.c_long, float: ctypes.c_double}
    return [kinds[type(v)](v) if type(v) in kinds else v.ctypes.data_as(ctypes.c_void_p) for v in values]  # type: ignore[attr-defined]


def rate(value: float) -> str:
    """Write evaluations a second in millions.

    Examples
    --------
    >>> rate(1.5e9), rate(2.1e6)
    ('1500', '2.1')
    """
    return f"{value / 1e6:.0f}" if value >= 1e8 else f"{value / 1e6:.3g}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write a Markdown table, its first column to the left and the others to the right."""
    align = ["---", *("---:" for _ in header[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (header, align, *rows)] + [""]


def compiler() -> str:
    """Name the C compiler, or nothing where there is none."""
    if shutil.which("gcc") is None or shutil.which("objdump") is None:
        return ""
    return subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]


def machine() -> str:
    """Name the processor and its number of cores."""
    cores = len(os.sched_getaffinity(0))
    return f"{_processor()}, {cores} cores, {platform.system()} {platform.machine()}"


def file_system() -> str:
    """Name the kind of file system that temporary folders lie on; TMPDIR chooses another."""
    folder = Path(tempfile.gettempdir()).resolve()
    above = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    return max(above, key=lambda mount: len(mount.mountpoint)).fstype


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor()
    lines = dict(line.split(":", 1) for line in information.read_text().splitlines() if ":" in line)
    keys = {key.strip(): value.strip() for key, value in lines.items()}
    name = keys.get("model name", platform.processor())
    return f"{name} (family {keys['cpu family']}, model {keys['model']})" if "cpu family" in keys else name


def versions() -> str:
    """Name Python and the packages that matter to speed."""
    packages = ("numpy", "numba", "llvmlite", "xarray", "dask", "zarr", "numcodecs")
    return ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in packages)])


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest relative difference of two arrays."""
    return float(np.max(np.abs(first / second - 1.0)))
