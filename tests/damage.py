"""Damage done to result stores, and whether it is found: ``python -m tests.damage [--trials N]`` prints a table."""

import argparse
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr

import sigcube
from sigcube import Sweep, open_result, verify
from sigcube.engine import Engine
from sigcube.errors import SigcubeError
from sigcube.plan.values import PointStatus
from sigcube.readers.mock import mock_survey
from sigcube.store import JournalEntry, open_or_create, status, write_block

__all__ = ["DAMAGES", "falsify", "files_of", "run_extended", "run_half", "same_bits", "small_sweep", "survive"]

AXES: Mapping[str, Any] = {
    "window": ["none", "geometric"],
    "xi_scale": sigcube.linspace(0.05, 1, 6),
    "A": sigcube.linspace(0.2, 3, 30),
}


def small_sweep(cube: xr.Dataset, axes: Mapping[str, Any] = AXES) -> Sweep:
    """A sweep of more than ten blocks, some of which repeat along an axis."""
    with (
        mock.patch("sigcube.plan.layout._SMALLEST_BLOCK_EVALUATIONS", 2**14),
        mock.patch("sigcube.plan.layout._FEWEST_BLOCKS", 8),
    ):
        sweep = Sweep(cube, kernel="sigma", sample="unflagged", axes=axes, reference="mond", keep=["galaxy"])
    return sweep


def run_half(sweep: Sweep, path: Path) -> Path:
    """Run a sweep, and interrupt it after three blocks."""

    def interrupt(_: object) -> None:
        if status(path).done >= 3:
            raise KeyboardInterrupt

    with mock.patch("sigcube.driver.recorder.FLUSH_EVERY", 0.0):
        try:
            sweep.run(path, on_event=interrupt)
        except KeyboardInterrupt:
            pass
    assert status(path).todo
    return path


def run_extended(sweep: Sweep, cube: xr.Dataset, path: Path) -> Path:
    """Run a part of a small sweep, and extend it to the whole, along two axes."""
    small_sweep(cube, axes={**AXES, "window": AXES["window"][1:], "A": AXES["A"][::2]}).run(path)
    sweep.extend(path)
    return path


def same_bits(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        one_array, other_array = (np.asarray(each[name].values) for each in (one, other))
        # Texts are objects.
        texts = one_array.dtype.hasobject
        assert (one_array.tolist() if texts else one_array.tobytes()) == (
            other_array.tolist() if texts else other_array.tobytes()
        ), name


def falsify(sweep: Sweep, path: Path, index: int) -> None:
    """Write a block with other values, and journal it: as a worker with other code, or a faulty processor, would."""
    plan = sweep.plan(probe=False)
    with open_or_create(path, plan=plan, inputs=sweep.packed) as store:
        values = Engine(plan, sweep.packed).evaluate(plan.blocks[index])
        values["rms_mean"] = values["rms_mean"] * (1.0 + 1e-15)
        written = write_block(store.path, plan.blocks[index], values)
        store.record(JournalEntry(block=index, status=PointStatus.DONE, **asdict(written)))


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def zero(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    length = min(len(data) - start, rng.choice([1, 16, 512, len(data)]))
    data[start : start + length] = bytes(length)
    path.write_bytes(data)


def delete(path: Path, rng: random.Random) -> None:
    path.unlink()


def swap(path: Path, rng: random.Random) -> None:
    """Exchange a file with another of its folder, as a copy that went wrong does."""
    others = [each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path]
    other = rng.choice(others or [path])
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


def folder(path: Path, _: random.Random) -> None:
    path.unlink()
    (path / "within").mkdir(parents=True)


def link(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "flip": flip,
    "truncate": truncate,
    "zero": zero,
    "delete": delete,
    "swap": swap,
    "folder": folder,
    "link": link,
}


def files_of(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())


def refusal(action: Callable[[], object]) -> str:
    """The error of sigcube that an action raises; nothing if it raises none, and any other error goes on."""
    try:
        action()
    except SigcubeError as error:
        return str(error)
    return ""


def survive(sweep: Sweep, damaged: Path, whole: xr.Dataset) -> str:
    """Do what a user does with a damaged store; return how the damage was found, or that it was harmless."""
    # A record of a lock that cannot be read counts for a minute.
    for record in (damaged / "journal").glob("lock.*"):
        os.utime(record, (0, 0), follow_symlinks=False)
    opened = refusal(lambda: open_result(damaged))
    refused = refusal(lambda: verify(damaged))
    if refused:
        # The first line of the journal cannot be made again: resuming is refused as well.
        assert "journal" in refused
        assert "journal" in refusal(lambda: sweep.run(damaged))
        return "refused"
    found = "opening" if opened else "" if verify(damaged).sound else "verify"
    # Where files are damaged that say what lies where, the blocks are read only once the sweep has made these again; it
    # then refuses to go on if it sees that a block is damaged too.
    if not verify(damaged, repair=True).sound and refusal(lambda: sweep.run(damaged)):
        verify(damaged, repair=True)
    if not verify(damaged).sound:
        verify(damaged, repair=True)
    sweep.run(damaged)
    assert (last := verify(damaged, sample=2)).sound, last
    same_bits(open_result(damaged), whole)
    return found or "harmless"


def main() -> None:
    """Damage a random file of a finished, half-finished or extended store in a random way, many times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sigcube-damage-") as scratch,
        mock.patch("sigcube.plan.layout._SMALLEST_BLOCK_EVALUATIONS", 2**14),
        mock.patch("sigcube.plan.layout._FEWEST_BLOCKS", 8),
    ):
        cube = mock_survey(n_galaxies=40, seed=20)
        sweep = small_sweep(cube)
        finished, half, extended = (Path(scratch, f"{name}.zarr") for name in ("finished", "half", "extended"))
        sweep.run(finished)
        run_half(sweep, half)
        run_extended(sweep, cube, extended)
        whole, found = open_result(finished).load(), Counter()
        for trial in range(chosen.trials):
            rng = random.Random(f"{chosen.seed} {trial}")
            store, how = rng.choice([finished, half, extended]), rng.choice(sorted(DAMAGES))
            damaged = Path(shutil.copytree(store, Path(scratch, "damaged.zarr")))
            DAMAGES[how](damaged / rng.choice(files_of(store)).relative_to(store), rng)
            found[how, survive(sweep, damaged, whole)] += 1
            shutil.rmtree(damaged)
    outcomes = ("opening", "verify", "refused", "harmless")
    print(f"| {chosen.trials} trials | " + " | ".join(outcomes) + " |")
    print("| --- |" + " ---: |" * len(outcomes))
    for how in sorted(DAMAGES):
        print(f"| {how} | " + " | ".join(str(found[how, outcome]) for outcome in outcomes) + " |")


if __name__ == "__main__":
    main()
