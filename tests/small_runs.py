"""Many small sweeps in one process: ``python -m tests.small_runs [--runs N]`` prints what grows with their number."""

import argparse
import gc
import shutil
import tempfile
import threading
from pathlib import Path

import psutil

import sigcube
from sigcube import Sweep
from sigcube.readers.mock import mock_survey

__all__ = ["main"]


def main() -> None:
    """Run a sweep of a hundred grid points again and again, each time to a new store, and open its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    chosen = parser.parse_args()
    me, cube = psutil.Process(), mock_survey(n_galaxies=40, seed=20)
    axes = {"xi_scale": sigcube.linspace(0.05, 1, 10), "A": sigcube.linspace(0.2, 3, 10)}
    marks = {10, *range(100, chosen.runs + 1, 100), chosen.runs}
    print("| runs | RSS [MiB] | objects | open files | threads |\n| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="sigcube-small-") as scratch:
        for number in range(1, chosen.runs + 1):
            out = Path(scratch, f"{number}.zarr")
            sweep = Sweep(cube, kernel="sigma", sample="unflagged", axes=axes, keep=["galaxy"])
            assert (sweep.run(out, workers=0).status == 1).all()
            shutil.rmtree(out)
            if number in marks:
                gc.collect()
                counts = len(gc.get_objects()), me.num_fds(), threading.active_count()
                print(f"| {number} | {me.memory_info().rss / 2**20:.1f} | {' | '.join(map(str, counts))} |", flush=True)


if __name__ == "__main__":
    main()
