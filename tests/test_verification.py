"""Damage to a result is found: by opening, resuming or verifying it; and what is damaged is made again."""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from sigcube import Sweep, open_result, verify
from sigcube.errors import SpecError, StoreError, StoreInUse, StoreMismatch
from sigcube.rerun import rerun
from sigcube.store import open_or_create, read_journal, status
from sigcube.verification import VerifyReport
from tests.damage import DAMAGES, falsify, files_of, run_extended, run_half, same_bits, small_sweep, survive

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sweep(mock_cube: xr.Dataset) -> Iterator[Sweep]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigcube.plan.layout._SMALLEST_BLOCK_EVALUATIONS", 2**14)
        patch.setattr("sigcube.plan.layout._FEWEST_BLOCKS", 8)
        yield small_sweep(mock_cube)


@pytest.fixture(scope="module")
def finished(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "r.zarr"
    sweep.run(path)
    return path


@pytest.fixture(scope="module")
def half(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose run was interrupted after three blocks."""
    return run_half(sweep, tmp_path_factory.mktemp("half") / "r.zarr")


@pytest.fixture(scope="module")
def extended(sweep: Sweep, mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was made of a part of the grid, and extended to the whole."""
    return run_extended(sweep, mock_cube, tmp_path_factory.mktemp("extended") / "r.zarr")


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy.zarr"))


@pytest.mark.parametrize("state", ["finished", "half", "extended"])
@pytest.mark.parametrize("how", DAMAGES)
def test_no_damage_to_any_file_survives(
    request: pytest.FixtureRequest, sweep: Sweep, finished: Path, tmp_path: Path, state: str, how: str
) -> None:
    """It is found and made again, or it was harmless: in the end the bits are those of an unbroken run."""
    store, rng = request.getfixturevalue(state), random.Random(f"{state} {how}")
    whole = open_result(finished).load()
    files = files_of(store)
    chunks = [path for path in files if path.name.startswith("c.")]
    others = [path for path in files if path not in chunks]
    for path in (*rng.sample(chunks, 2), *rng.sample(others, 2)):
        damaged = Path(shutil.copytree(store, tmp_path / "damaged.zarr"))
        DAMAGES[how](damaged / path.relative_to(store), rng)
        survive(sweep, damaged, whole)
        shutil.rmtree(damaged)


@pytest.mark.parametrize("reader", ["damage.read_block", "damage.read_status", "template._digest"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_cannot_be_read_is_not_damaged_and_not_removed(copy: Path, reader: str, number: int) -> None:
    # The record of the lock is of the repair itself.
    before = {path: path.read_bytes() for path in files_of(copy) if "lock" not in path.name}
    unread = str(next(iter(before)))

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), unread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"sigcube.store.{reader}", refuse)
        with pytest.raises(StoreError, match=f"the store cannot be read(.|\n)*{os.strerror(number)}") as caught:
            verify(copy, repair=True)
    assert caught.value.where == unread
    assert {path: path.read_bytes() for path in files_of(copy) if "lock" not in path.name} == before
    assert verify(copy).sound


def test_a_sound_result_is_said_to_be_sound(finished: Path) -> None:
    report = verify(finished)
    assert report.sound
    assert (report.read, report.recomputed, report.damage) == (report.blocks, 0, ())
    assert "everything is as it was written" in repr(report)
    again = verify(finished, sample=3, seed=1)
    assert (again.recomputed, again.sound) == (3, True)
    assert "fewer than 63 % of the blocks are wrong (95 %)" in repr(again)
    assert "1 block computed again, too few to judge by" in repr(verify(finished, sample=1))
    every = verify(finished, sample=10_000)
    assert every.recomputed == every.blocks
    assert "every block is what is computed now" in repr(every)


def test_299_right_blocks_mean_that_fewer_than_one_in_a_hundred_is_wrong() -> None:
    report = VerifyReport(path="r", blocks=5000, read=5000, recomputed=299, damage=(), repaired=False)
    assert 0.0099 < report.most_wrong < 0.01
    assert "fewer than 1 % of the blocks are wrong (95 %)" in repr(report)


def test_a_chunk_with_values_of_another_model_is_found_and_made_again(sweep: Sweep, copy: Path, finished: Path) -> None:
    rms: Any = zarr.open_group(copy)["rms"]
    rms[0, 0, 0, 0] += 1.0
    # Nothing but reading it again can tell.
    open_result(copy)
    sweep.run(copy)
    report = verify(copy)
    assert [each.block for each in report.damage] == [0]
    with pytest.raises(StoreError, match=r"the result is damaged\n(.|\n)*block 0"):
        rerun(copy)
    assert verify(copy, repair=True).repaired
    assert status(copy).todo == 1
    assert np.isnan(open_result(copy).rms.isel(xi_scale=0, window=0, A=0)).all()
    sweep.run(copy)
    same_bits(open_result(copy), open_result(finished))
    assert verify(copy).sound


def test_a_missing_chunk_is_named_with_its_array(copy: Path) -> None:
    # Each array has a chunk of the same name.
    (chunk,) = sorted((copy / "rms_mean").glob("c.*"))[:1]
    chunk.unlink()
    assert f"rms_mean/{chunk.name} is missing" in repr(verify(copy))


def test_values_that_the_digest_vouches_for_are_found_wrong_by_computing(sweep: Sweep, copy: Path) -> None:
    falsify(sweep, copy, 1)
    assert verify(copy).sound
    report = verify(copy, sample=1000)
    assert [each.block for each in report.damage] == [1]
    assert "other bits are computed now" in repr(report)
    assert rerun(copy).differing == (1,)


def test_a_repair_needs_the_lock(sweep: Sweep, copy: Path) -> None:
    with open_or_create(copy, plan=sweep.plan(probe=False), inputs=sweep.packed):
        assert verify(copy).sound
        with pytest.raises(StoreInUse):
            verify(copy, repair=True)


def test_missing_files_are_made_again_by_the_sweep(sweep: Sweep, copy: Path, finished: Path) -> None:
    for name in ("zarr.json", "A/c/0", "journal/inputs.npz", "status/zarr.json"):
        (copy / name).unlink()
    with pytest.raises(StoreError, match=r"the store is damaged(.|\n)*found: is missing"):
        open_result(copy)
    sweep.run(copy)
    assert {str(p.relative_to(copy)): p.read_bytes() for p in files_of(copy) if "journal/" not in str(p)} == {
        str(p.relative_to(finished)): p.read_bytes() for p in files_of(finished) if "journal/" not in str(p)
    }
    assert (copy / "journal/inputs.npz").read_bytes() == (finished / "journal/inputs.npz").read_bytes()


def test_a_negative_sample_is_refused(finished: Path) -> None:
    with pytest.raises(SpecError, match="no number of blocks"):
        verify(finished, sample=-1)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"what is here is not a result of a sweep(.|\n)*found: a folder"):
        verify(tmp_path)
    with pytest.raises(StoreError, match=r"there is nothing here\n(.|\n)*expected: a result of a sweep"):
        verify(tmp_path / "absent", repair=True)
    assert not list(tmp_path.iterdir())


def test_blocks_are_not_computed_by_another_engine(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.plan.identity._hash_engine", lambda: "another")
    assert verify(finished).sound
    with pytest.raises(StoreMismatch, match="engine changed since"):
        verify(finished, sample=1)


@given(recomputed=st.integers(1, 1000))
def test_the_bound_is_that_of_so_many_right_ones(recomputed: int) -> None:
    report = VerifyReport(path="r", blocks=5000, read=5000, recomputed=recomputed, damage=(), repaired=False)
    # If so large a fraction were wrong, all would be right once in twenty times.
    assert (1.0 - report.most_wrong) ** recomputed == pytest.approx(0.05)


def test_the_journal_and_the_chunks_tell_of_the_same_blocks(finished: Path) -> None:
    assert set(read_journal(finished / "journal").entries) == set(range(verify(finished).blocks))
