"""Stars: memory and speed of an ingest, against reading and transforming the same file in one pass of astropy.

Each way runs in a process of its own, so that its largest memory is its own. Run as a script, this module is such a
process: ``python -m tests.benchmarks.bench_stars WAY FILE``.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from sigcube.readers.galactocentric import GalacticFrame
from tests.benchmarks.harness import Part, table
from tests.readers.mock_stars import mock_stars

__all__ = ["peak", "run"]

MIB = 1 << 20
_ROOT = Path(__file__).parents[2]


def ingest(path: Path) -> None:
    """Ingest as `sigcube ingest` does: read, transform with errors, flag, validate, digest, write and sync."""
    from sigcube.recipes import ingest as sigcube_ingest
    from sigcube.recipes import load_recipe

    recipe = load_recipe("gaia")
    file = recipe.files["stars"].model_copy(update={"name": path.name})
    update = {"files": {"stars": file}, "synthetic": True, "title": "synthetic stars"}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        sigcube_ingest(recipe.model_copy(update=update), data=path.parent, out=Path(folder) / "stars.zarr")


def transform(columns: Callable[[str], Any]) -> None:
    """Transform all stars at once with astropy."""
    from astropy import units as u
    from astropy.coordinates import ICRS, CartesianDifferential, Galactocentric, SkyCoord

    sun = GalacticFrame()
    frame = Galactocentric(
        galcen_coord=ICRS(sun.centre[0] * u.deg, sun.centre[1] * u.deg),
        galcen_distance=sun.r_sun * u.kpc,
        z_sun=sun.z_sun * u.kpc,
        galcen_v_sun=CartesianDifferential(sun.v_sun, unit=u.km / u.s),
    )
    parallax = columns("parallax")
    sky = SkyCoord(
        ra=columns("ra") * u.deg,
        dec=columns("dec") * u.deg,
        distance=np.where(parallax > 0, 1.0 / parallax, np.nan) * u.kpc,
        pm_ra_cosdec=columns("pmra") * u.mas / u.yr,
        pm_dec=columns("pmdec") * u.mas / u.yr,
        radial_velocity=columns("radial_velocity") * u.km / u.s,
    )
    galactic = sky.transform_to(frame)
    x, y, _ = galactic.cartesian.xyz.to_value(u.kpc)
    v_x, v_y, _ = galactic.velocity.d_xyz.to_value(u.km / u.s)
    r = np.hypot(x, y)
    np.degrees(np.arctan2(y, -x)), (x * v_x + y * v_y) / r, (y * v_x - x * v_y) / r


def by_pandas(path: Path) -> None:
    """Read the whole file with pandas, and transform."""
    import pandas as pd

    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, comment="#")
    transform(lambda name: frame[name].to_numpy())


def by_pyarrow(path: Path) -> None:
    """Read the whole file with pyarrow and all its threads, and transform."""
    from pyarrow import csv, parquet

    read = parquet.read_table(path) if path.suffix == ".parquet" else None
    columns = read or csv.read_csv(path, read_options=csv.ReadOptions(skip_rows=1))
    transform(lambda name: columns[name].to_numpy())


WAYS: dict[str, Callable[[Path], None]] = {"sigcube": ingest, "pandas": by_pandas, "pyarrow": by_pyarrow}


def run(_cube: object, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Measure all ways at two sizes; return the report and, for the summary, growth of memory and ratio of rates."""
    sizes = (10**5, 10**6) if quick else (10**6, 10**7)
    rows, found = [], {}
    for suffix in ("csv", "parquet"):
        for n in sizes:
            # The ingest searches the folder of its file: each gets one of its own.
            home = folder / f"{suffix}{n}"
            home.mkdir()
            path = mock_stars(home / f"stars.{suffix}", n_stars=n, seed=1)
            for way in WAYS:
                seconds, peak = found[suffix, n, way] = _measure(way, path, rounds=3 if n < 10**6 else 1)
                rate, size = f"{n / seconds / 1e6:.2f}", path.stat().st_size / MIB
                rows.append([f"{suffix}, {n:,}", way, f"{size:.0f}", f"{seconds:.1f}", rate, f"{peak / MIB:.0f}"])
            path.unlink()
    small, large = sizes
    growth = found["csv", large, "sigcube"][1] / found["csv", small, "sigcube"][1]
    ratios = {}
    for suffix in ("csv", "parquet"):
        best = min(found[suffix, large, way][0] for way in ("pandas", "pyarrow"))
        ratios[f"ingest of {large:,} stars ({suffix}) / the faster of two one-pass astropy ways"] = (
            best / found[suffix, large, "sigcube"][0]
        )
    ratios[f"memory of an ingest, {large:,} against {small:,} stars"] = growth
    text = (
        "Synthetic stars, 13 columns. `sigcube` ingests: it reads in chunks, transforms, propagates errors, flags, "
        "assigns the dispersion, finds duplicates, validates, digests, and writes a cube to disk. The others read the "
        "whole file and transform it with astropy, without errors, and keep nothing. Each runs in its own process; "
        "the imports of its first call are included."
    )
    header = ["file, stars", "way", "file MiB", "s", "10⁶ stars/s", "peak MiB"]
    return [Part("Stars", [text, "", *table(header, rows)])], ratios


def _measure(way: str, path: Path, *, rounds: int) -> tuple[float, int]:
    """Return the best time [s] and the largest memory [bytes] of a way, in processes of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_stars", way, str(path)]
    done = [subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True) for _ in range(rounds)]
    seconds, peaks = zip(*(json.loads(each.stdout) for each in done), strict=True)
    return min(seconds), max(peaks)


def peak() -> int:
    """Return the largest resident set of this program [bytes]; getrusage would count that of the parent before it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])


if __name__ == "__main__":
    START = perf_counter()
    WAYS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps([perf_counter() - START, peak()]))
