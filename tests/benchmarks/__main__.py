"""Run all benchmarks and write the report: ``python -m tests.benchmarks [--data DIR] [--out FILE] [--quick]``."""

import argparse
import datetime
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import sigcube
from sigcube.cube import pack
from sigcube.recipes import ingest, load_recipe
from tests.benchmarks import (
    bench_engine,
    bench_explorer,
    bench_kernels,
    bench_likelihoods,
    bench_questions,
    bench_scaling,
    bench_stars,
    bench_sweep,
    bench_tables,
    bench_vecmath,
)
from tests.benchmarks.harness import Part, compiler, file_system, machine, table, versions
from tests.benchmarks.work import SAMPLE

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    chosen = _arguments()
    # Machine code from earlier runs would hide the time of compiling, here and in workers.
    os.environ["SIGCUBE_COMPILED"] = "off"
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="sigcube-bench-") as scratch:
        folder = Path(scratch)
        cube = sigcube.open_cube(
            ingest(load_recipe("sparc"), data=chosen.data, out=folder / "sparc.zarr", progress=False)
        )
        parts, summary = _everything(cube, folder, quick=chosen.quick)
    text = _page(parts, summary, cube, before, quick=chosen.quick)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text, encoding="utf-8")
    print(f"written: {chosen.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder that holds sparc/")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md", help="the page to write")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and smaller sweeps")
    return parser.parse_args()


def _everything(cube, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    parts: list[Part] = []
    summary: dict[str, float] = {}
    has_c = bool(compiler())
    benches = {
        "engine": bench_engine,
        "kernels": bench_kernels,
        "sweep": bench_sweep,
        "scaling": bench_scaling,
        "stars": bench_stars,
        "tables": bench_tables,
        "questions": bench_questions,
        "likelihoods": bench_likelihoods,
        "explorer": bench_explorer,
    }
    for name, bench in benches.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        options = {"c": has_c} if bench in (bench_engine, bench_kernels) else {}
        found, ratios = bench.run(cube, folder, quick=quick, **options)
        for part in found:
            # At once: what was measured is not lost if a later part fails.
            print(f"## {part.title}\n", *part.lines, sep="\n", flush=True)
        parts += found
        summary |= ratios
    if has_c:
        parts.append(Part("exp, log and pow", ["```", _vecmath(), "```", ""]))
    return parts, summary


def _vecmath() -> str:
    """Return the output of the benchmark of single functions."""
    with redirect_stdout(io.StringIO()) as printed, patch.object(sys, "argv", ["bench_vecmath"]):
        bench_vecmath.main()
    return printed.getvalue().strip()


def _page(parts: Sequence[Part], summary: dict[str, float], cube, before: float, *, quick: bool) -> str:
    packed = pack(cube, sample=SAMPLE, variables=("r",))
    rows = [[name, f"{value:.2f}"] for name, value in summary.items()]
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench`{' (quick)' if quick else ''}, {datetime.date.today().isoformat()}.",
        "",
        f"- {machine()}; load before the run {before:.1f}, after it {os.getloadavg()[0]:.1f}",
        f"- {compiler() or 'no C compiler'}",
        f"- {versions()}",
        f"- results are written to a {file_system()} file system",
        f"- SPARC, sample {SAMPLE}: {packed.n_systems} galaxies, {packed.n_points:,} points",
        "",
        "An evaluation is one data point under one set of parameters. Contenders take turns, and the best of several",
        "rounds counts. All compute the sums of squared residuals of each galaxy, and those of the C are compared with",
        "sigcube's. sigcube computes in float64 under strict IEEE arithmetic, on one core unless stated otherwise.",
        "The best C has the formula as it stands; C with its powers rewritten by hand compares with the kernel",
        "rewritten in the same way. -ffast-math also multiplies by reciprocals where the formula divides: faster, in",
        "other digits. The same operations without it are the bound of what keeps the bits. Ratios within one table",
        "were measured in turns; absolute rates depend on the load.",
        "",
        "## Ratios",
        "",
        *table(["", "ratio"], rows),
    ]
    for part in parts:
        lines += [f"## {part.title}", "", *part.lines]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
