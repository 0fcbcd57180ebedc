"""Results extended step by step, and killed meanwhile: ``python -m tests.extensions [--trials N]`` prints a table."""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr

from sigcube import Sweep, open_result, verify
from sigcube.readers.mock import mock_survey
from sigcube.store import read_journal
from tests.damage import same_bits

__all__ = ["History", "follow", "make_history"]

#: What an axis may have in the end; a history takes ever more of it, in any order.
WINDOWS = ["none", "geometric", "power"]
NUMBERS = {"xi_scale": [0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.0], "A": [0.2 + 0.1 * i for i in range(24)]}
SMALL_BLOCKS = {"_SMALLEST_BLOCK_EVALUATIONS": 2**12, "_FEWEST_BLOCKS": 8}

History = list[dict[str, list[Any]]]


def make_history(rng: random.Random) -> History:
    """The axes of a sweep and of its extensions, each with all the values of the one before."""
    axes: dict[str, list[Any]] = {"window": WINDOWS, **NUMBERS}
    counts = {
        name: sorted(rng.randint(1, len(values)) for _ in range(rng.randint(2, 4))) for name, values in axes.items()
    }
    order = {name: rng.sample(values, len(values)) for name, values in axes.items()}
    # Under that of no window, no axis but A is used.
    order["window"].sort(key=lambda label: label == "none")
    names = rng.sample(list(axes), len(axes))
    steps = max(map(len, counts.values()))
    history = []
    for step in range(steps):
        has = {name: set(order[name][: counts[name][min(step, len(counts[name]) - 1)]]) for name in names}
        # As a user writes them: between the old ones, or as they come.
        tidy = rng.random() < 0.7
        history.append({name: [v for v in (axes if tidy else order)[name] if v in has[name]] for name in names})
    return history


def sweep_of(cube: xr.Dataset, axes: dict[str, list[Any]]) -> Sweep:
    return Sweep(cube, kernel="sigma", sample="unflagged", axes=axes, reference="mond", keep=["galaxy"])


def follow(cube: xr.Dataset, history: History, path: Path, rng: random.Random, *, kills: int) -> Counter[str]:
    """Run a sweep and extend it, with kills on the way; return counts, or raise where a fresh run gives other bits."""
    counts: Counter[str] = Counter()
    with mock.patch.multiple("sigcube.plan.layout", **SMALL_BLOCKS):
        for number, axes in enumerate(history):
            sweep = sweep_of(cube, axes)
            # First, as its engine must not be taken for that of the store, where axes are in another order.
            fresh = sweep.compute() if number == len(history) - 1 else None
            before = _lines(path) if number else []
            for _ in range(kills):
                counts["kills"] += _run_and_kill(sweep, path, extend=number > 0, seconds=rng.expovariate(8.0))
            _run(sweep, path, extend=number > 0)
            assert _lines(path)[: len(before)] == before
        assert fresh is not None
        found = open_result(path).load()
        same_bits(found, fresh)
        assert {name: found[name].attrs for name in found} == {name: fresh[name].attrs for name in fresh}
        assert verify(path, sample=5).sound
    journal = read_journal(path / "journal")
    ended = [json.loads(line)["block"] for line in _lines(path) if json.loads(line)["kind"] == "block"]
    counts["extensions"] += len(history) - 1
    counts["blocks"] += len(journal.header.block_points)
    counts["journalled twice"] += len(ended) - len(set(ended))
    counts["grid points"] += int(np.prod([len(values) for values in history[-1].values()]))
    return counts


def _lines(path: Path) -> list[str]:
    return (path / "journal" / "blocks.jsonl").read_text().splitlines()


def _run(sweep: Sweep, path: Path, *, extend: bool) -> None:
    with mock.patch("sigcube.driver.recorder.FLUSH_EVERY", 0.0):
        if extend:
            sweep.extend(path, workers=0)
        else:
            sweep.run(path, workers=0)


def _run_and_kill(sweep: Sweep, path: Path, *, extend: bool, seconds: float) -> int:
    """Run in a child, which has all compiled code at hand, and kill it; return whether it was still at work."""
    child = multiprocessing.get_context("fork").Process(target=_run, args=(sweep, path), kwargs={"extend": extend})
    child.start()
    time.sleep(seconds)
    if child.pid is not None and child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    # One that ended by itself ended well: a second run finds nothing to do.
    assert child.exitcode in (0, -signal.SIGKILL), f"the run ended with {child.exitcode}"
    return int(child.exitcode != 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--kills", type=int, default=2, help="kills at each step")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    cube, total = mock_survey(n_galaxies=40, seed=20), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="sigcube-extensions-"))
    try:
        for trial in range(options.trials):
            rng = random.Random(options.seed * 10**6 + trial)
            total += follow(cube, make_history(rng), folder / f"{trial}.zarr", rng, kills=options.kills)
            shutil.rmtree(folder / f"{trial}.zarr")
            print(f"\r{trial + 1} of {options.trials}", end="", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\r{options.trials} histories, each equal to a fresh run bit for bit")
    for name in ("extensions", "kills", "blocks", "journalled twice", "grid points"):
        print(f"  {name:15} {total[name]:,}")


if __name__ == "__main__":
    main()
