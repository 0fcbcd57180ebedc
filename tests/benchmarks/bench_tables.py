"""Tables: memory of reading a file in chunks, against its length.

Each file is read by a process of its own, so that its largest memory is its own. Run as a script, this module is such
a process: ``python -m tests.benchmarks.bench_tables FILE``.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.table import Table as AstropyTable
from pyarrow import csv, parquet

from sigcube.cube import KINDS
from sigcube.readers.formats import Table, read_chunks
from tests.benchmarks.bench_stars import peak
from tests.benchmarks.harness import Part, table
from tests.readers.tables import columns

__all__ = ["run"]

MIB = 1 << 20
_ROOT = Path(__file__).parents[2]
_COLUMNS = columns(("source_id", "source_id"), ("ra", "ra", "deg"), ("parallax", "parallax", "mas"))


def _write_fits(content: pa.Table, path: Path) -> None:
    arrays = AstropyTable({name: content[name].to_numpy() for name in content.column_names})
    fits.BinTableHDU(arrays).writeto(path)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "csv": csv.write_csv,
    "fits": _write_fits,
    "parquet": lambda content, path: parquet.write_table(content, path, row_group_size=2**17),
}


def run(_cube: object, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Measure each format at two lengths; return the report and, for the summary, how much memory grew."""
    sizes = (40_000, 400_000) if quick else (400_000, 4_000_000)
    rows, ratios = [], {}
    for form, write in WRITERS.items():
        peaks = [_measure(write, folder / f"rows.{form}", n) for n in sizes]
        rows += [[f"{form}, {n:,}", f"{largest / MIB:.0f}"] for n, largest in zip(sizes, peaks, strict=True)]
        ratios[f"memory of reading {sizes[1]:,} against {sizes[0]:,} rows ({form})"] = peaks[1] / peaks[0]
    text = (
        "Largest resident set of a process that reads a table of three columns in chunks. A FITS file is mapped into "
        "memory: its pages count as far as they were read, but the system takes them back when it needs them."
    )
    return [Part("Tables", [text, "", *table(["format, rows", "peak MiB"], rows)])], ratios


def _measure(write: Callable[[pa.Table, Path], None], path: Path, n: int) -> int:
    """Return the largest memory [bytes] of a process that reads a file of so many rows."""
    write(
        pa.table({"source_id": np.arange(n), "ra": np.full(n, 265.35330605241717), "parallax": np.full(n, 0.25)}), path
    )
    command = [sys.executable, "-m", "tests.benchmarks.bench_tables", str(path)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    path.unlink()
    count, largest = map(int, done.stdout.split())
    assert count == n
    return largest


if __name__ == "__main__":
    COUNT = sum(part["ra"].size for part in read_chunks(Table(Path(sys.argv[1]), _COLUMNS), kind=KINDS["star"]))
    print(COUNT, peak())
