"""A store appears whole, opens without a warning at any moment, takes whole chunks only, and resumes by identity."""

import errno
import os
import re
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import psutil
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from sigcube import files
from sigcube.cube import WholeSystems
from sigcube.errors import SpecError, StoreError, StoreInUse, StoreMismatch
from sigcube.plan.values import PointStatus
from sigcube.processes import owner_tag
from sigcube.store import (
    JournalEntry,
    create,
    mark_block,
    open_or_create,
    read_attrs,
    read_inputs,
    stamp,
    status,
    write_block,
)
from sigcube.store.run import RunStore
from sigcube.store.writer import digest_of
from tests.driver.cluster_helpers import BLOCK, SYSTEMS, FakePlan, arrays_of, assert_whole, full_disk, packed

PLAN = FakePlan()


@pytest.fixture
def path(tmp_path: Path) -> str:
    target = tmp_path / "r.zarr"
    create(target, plan=PLAN, inputs=packed())
    return str(target)


def write(path: str, *indices: int) -> None:
    for index in indices:
        write_block(path, PLAN.blocks[index], arrays_of(index))


def block(*regions: tuple[slice, ...]) -> Any:
    return SimpleNamespace(index=0, size=8, regions=regions)


# Reading


@pytest.mark.parametrize("written", [[], [0, 3], list(range(6))], ids=["empty", "half", "whole"])
def test_plain_xarray_opens_it_at_any_moment(path: str, written: list[int]) -> None:
    with open_or_create(path, plan=PLAN, inputs=packed()):
        write(path, *written)
        with xr.open_zarr(path) as found, xr.open_datatree(path, engine="zarr") as tree:
            assert found.status.values.any(axis=0).sum() == BLOCK * len(written)
            assert np.isfinite(found.rms_mean.values).sum() == (2 * BLOCK - 1) * len(written)
            assert set(tree.children) == {"journal"}


def test_labels_units_and_attributes_are_in_place(path: str) -> None:
    with xr.open_zarr(path) as found:
        assert found.rms.dims == ("galaxy", "window", "A")
        assert found.rms.attrs == {"units": "km/s", "long_name": "rms"}
        assert found.A.attrs == {"units": "", "long_name": "amplitude"}
        assert list(found.galaxy.values) == list(SYSTEMS)
        assert found.sel(galaxy="Ω3", window="power").rms.shape == (24,)
        assert found.status.dtype == np.uint8
    assert read_attrs(path) == PLAN.attrs


def test_the_inputs_come_back(path: str) -> None:
    found, given_ = read_inputs(path), packed()
    assert found.systems == given_.systems
    np.testing.assert_array_equal(found.offsets, given_.offsets)
    assert found.narrowed_from is None
    for name in ("points", "per_system"):
        assert getattr(found, name).keys() == getattr(given_, name).keys()
        for key, values in getattr(given_, name).items():
            assert getattr(found, name)[key].tobytes() == values.tobytes()


def test_points_of_whole_systems_come_back(tmp_path: Path) -> None:
    whole = WholeSystems(np.array([0, 3, 5, 9], dtype=np.int64), {"r": np.arange(9.0)})
    create(tmp_path / "r.zarr", plan=PLAN, inputs=replace(packed(), narrowed_from=whole))
    found = read_inputs(tmp_path / "r.zarr")
    assert found.narrowed_from is not None
    np.testing.assert_array_equal(found.whole.offsets, whole.offsets)
    np.testing.assert_array_equal(found.whole.points["r"], whole.points["r"])
    assert found.points.keys() == packed().points.keys()


# Writing


def test_blocks_come_back_bit_for_bit(path: str) -> None:
    write(path, 5, 0, 3, 1, 2, 4)
    assert_whole(path, 6)


def test_values_repeat_along_a_dimension_of_length_one_and_over_regions(path: str) -> None:
    arrays = {name: values[..., :1, :] for name, values in arrays_of(1).items()}
    places = ((slice(0, 2), slice(0, 4)), (slice(0, 2), slice(8, 12)))
    write_block(path, block(*places), arrays)
    with xr.open_zarr(path) as found:
        for window in range(2):
            for start in (0, 8):
                part = found.rms[:, window, start : start + BLOCK].values
                assert part.tobytes() == arrays["rms"][:, 0].tobytes()
        assert not found.status[:, 4:8].values.any()


def test_a_block_equal_to_the_fill_still_makes_files(path: str) -> None:
    arrays = {name: np.full_like(values, 0) for name, values in arrays_of(0).items()}
    arrays["rms"][:] = np.nan
    arrays["rms_mean"][:] = np.nan
    write_block(path, PLAN.blocks[0], arrays)
    assert all(list(Path(path, name).glob("c.*")) for name in arrays)


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ((slice(0, 2), slice(1, 5)), "A 1:5"),  # neither end on a shard
        ((slice(0, 2), slice(0, 3)), "A 0:3"),  # stops within one
        ((slice(0, 2), slice(2, 4)), "A 2:4"),  # starts within one, on an inner chunk
        ((slice(0, 1), slice(0, 4)), "window 0:1"),  # along another dimension
    ],
)
def test_a_region_off_the_chunks_is_refused(path: str, region: tuple[slice, ...], place: str) -> None:
    arrays = {name: values[..., :1, :1] for name, values in arrays_of(0).items()}
    with pytest.raises(StoreError, match=rf"not on whole chunks(.|\n)*{place}"):
        write_block(path, block(region), arrays)
    with pytest.raises(StoreError, match="not on whole chunks"):
        mark_block(path, block(region), 3)


def test_the_end_of_an_array_may_cut_a_shard(tmp_path: Path) -> None:
    class Ragged(FakePlan):
        @property
        def dims(self) -> dict[str, int]:
            return {"window": 2, "A": 22}

    create(tmp_path / "r.zarr", plan=Ragged(), inputs=packed())
    arrays = {name: np.ascontiguousarray(values[..., :2]) for name, values in arrays_of(5).items()}
    write_block(str(tmp_path / "r.zarr"), block((slice(0, 2), slice(20, 22))), arrays)
    with xr.open_zarr(tmp_path / "r.zarr") as found:
        assert found.rms[..., 20:].values.tobytes() == arrays["rms"].tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rms": np.zeros((3, 2, 4))}, "'rms' does not fit its region"),  # float64 for float32
        ({"rms_mean": np.zeros((2, 3))}, "'rms_mean' does not fit its region"),  # another shape
        ({"extra": np.zeros(1)}, "arrays are not those of the store"),  # unknown name
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    path: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        write_block(path, PLAN.blocks[0], {**arrays_of(0), **change})
    assert not list(Path(path, "rms").glob("c.*"))


def test_a_marked_block_keeps_its_status_alone(path: str) -> None:
    mark_block(path, PLAN.blocks[2], 4)
    write(path, 0, 1, 3, 4, 5)
    assert_whole(path, 6, but={2: 4})


def test_a_new_store_at_the_same_path_is_not_written_through_old_handles(tmp_path: Path) -> None:
    target = tmp_path / "r.zarr"
    create(target, plan=PLAN, inputs=packed())
    write(str(target), 0)
    first = stamp(target)
    target.rename(tmp_path / "old.zarr")
    create(target, plan=FakePlan(n_blocks=9), inputs=packed())
    assert stamp(target) != first
    write_block(str(target), FakePlan(n_blocks=9).blocks[8], arrays_of(8))
    assert zarr.open_array(target / "status", mode="r").shape == (2, 36)


# Digests


def test_a_digest_is_that_of_the_values_and_the_place() -> None:
    here, there = [(slice(0, 2), slice(0, 4))], [(slice(0, 2), slice(4, 8))]
    found = digest_of(arrays_of(0), here)
    assert found == digest_of(dict(reversed(arrays_of(0).items())), here)
    assert len({found, digest_of(arrays_of(1), here), digest_of(arrays_of(0), there)}) == 3


@given(
    position=st.integers(0, 23),
    bit=st.integers(0, 31),
)
def test_a_digest_sees_every_bit(position: int, bit: int) -> None:
    place = [(slice(0, 2), slice(0, 4))]
    arrays = arrays_of(0)
    before = digest_of(arrays, place)
    arrays["rms"].reshape(-1).view(np.uint32)[position] ^= np.uint32(1 << bit)
    assert digest_of(arrays, place) != before


# Making and resuming


def journal(path: str, plan: FakePlan = PLAN, **entries: PointStatus) -> None:
    """Write and journal blocks, with one of their grid points invalid, or mark them as failed or killed."""
    with open_or_create(path, plan=plan, inputs=packed()) as store:
        store.begin_session()
        for name, how in entries.items():
            index, what = int(name[1:]), {}
            if how is PointStatus.DONE:
                what = asdict(write_block(path, plan.blocks[index], arrays_of(index)))
            else:
                store.mark(plan.blocks[index], how)
            store.record(JournalEntry(block=index, status=how, **what))


def test_todo_is_what_is_not_journalled(path: str) -> None:
    write(path, 0, 1)  # written but not journalled: to do
    journal(path, b1=PointStatus.DONE, b2=PointStatus.FAILED, b4=PointStatus.KILLED)
    with open_or_create(path, plan=PLAN, inputs=packed()) as store:
        assert store.todo == (0, 3, 5)
    with open_or_create(path, plan=PLAN, inputs=packed(), retry_failed=True) as store:
        assert store.todo == (0, 2, 3, 4, 5)


def test_a_crash_while_a_block_is_retried_leaves_it_to_do(path: str) -> None:
    journal(path, b1=PointStatus.DONE, b2=PointStatus.FAILED)
    with open_or_create(path, plan=PLAN, inputs=packed(), retry_failed=True) as store:
        store.begin_session()
        write(path, 2)  # and the process ends before this is journalled
    with open_or_create(path, plan=PLAN, inputs=packed()) as store:
        assert store.todo == (0, 2, 3, 4, 5)
    assert (status(path).done, status(path).failed) == (1, 0)


@pytest.mark.parametrize(
    ("index", "found"),
    [
        (1, "status/c.0.1 is missing"),  # done
        (2, "its grid points have status 0, the journal says failed"),  # failed
    ],
)
def test_a_block_whose_status_is_not_what_the_journal_says_is_refused(path: str, index: int, found: str) -> None:
    journal(path, b1=PointStatus.DONE, b2=PointStatus.FAILED)
    if index == 1:
        Path(path, "status", "c.0.1").unlink()
    else:
        mark_block(path, PLAN.blocks[2], PointStatus.TODO)
    with pytest.raises(StoreError, match=rf"the store is damaged\n  where: .*block {index}\n  found: {found}"):
        open_or_create(path, plan=PLAN, inputs=packed())
    assert status(path).holder is None


def test_a_file_of_its_beginning_that_differs_is_refused_and_one_that_is_missing_made_again(path: str) -> None:
    coordinate = Path(path, "A", "c", "0")
    before = coordinate.read_bytes()
    coordinate.write_bytes(before[:-1] + b"?")
    with pytest.raises(StoreError, match=r"the store is damaged\n  where: .*/A/c/0\n  found: differs"):
        open_or_create(path, plan=PLAN, inputs=packed())
    coordinate.unlink()
    with open_or_create(path, plan=PLAN, inputs=packed()):
        assert coordinate.read_bytes() == before


def test_a_missing_file_is_not_made_from_another_plan(path: str) -> None:
    class Renamed(FakePlan):
        @property
        def attrs(self) -> dict[str, Any]:
            return {"title": "another", "spec": {"kernel": "sigma"}}

    Path(path, "zarr.json").unlink()
    with pytest.raises(StoreError, match="cannot be made again as it was"):
        open_or_create(path, plan=Renamed(), inputs=packed())


def test_another_identity_is_refused_with_each_difference(path: str) -> None:
    other = FakePlan(identity={"spec": "two", "axes": "k " * 50, "kernel": "k1"})
    with pytest.raises(StoreMismatch, match="another sweep: spec, axes differ") as caught:
        open_or_create(path, plan=other, inputs=packed())
    assert caught.value.found == "spec = one; axes = (none)"
    # A long value is cut to 60 characters.
    assert caught.value.expected == f"spec = two; axes = {('k ' * 50)[:59]}…"
    open_or_create(path, plan=PLAN, inputs=packed()).close()


def test_a_second_run_is_refused_until_the_first_ends(path: str) -> None:
    with (
        open_or_create(path, plan=PLAN, inputs=packed()),
        pytest.raises(StoreInUse, match="being written by another run"),
    ):
        open_or_create(path, plan=PLAN, inputs=packed())
    open_or_create(path, plan=PLAN, inputs=packed()).close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_store_is_left_alone(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "thesis"
    if kind == "file":
        target.write_text("dear")
    else:
        target.mkdir()
        (target / "a").write_text("dear")
    with pytest.raises(SpecError, match=f"what is here is not a result of a sweep(.|\n)*found: a {kind}"):
        open_or_create(target, plan=PLAN, inputs=packed())
    with pytest.raises(StoreError, match="something at this path already"):
        create(target, plan=PLAN, inputs=packed())
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("dear")
    with pytest.raises(StoreError, match=r"something at this path already\n  where: .*/results\n"):
        open_or_create(tmp_path / "results" / "r.zarr", plan=PLAN, inputs=packed())


def test_a_full_disk_leaves_no_half_store(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(StoreError, match="the disk is full"):
        create(tmp_path / "r.zarr", plan=PLAN, inputs=packed())
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_at_the_last_step_is_told_as_that(tmp_path: Path) -> None:
    real = files.sync

    def fail_last(path: Path) -> None:
        if path == tmp_path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(path)

    with (
        mock.patch("sigcube.files.sync", side_effect=fail_last),
        pytest.raises(StoreError, match=r"the store cannot be written\n(.|\n)*Input/output error"),
    ):
        open_or_create(tmp_path / "r.zarr", plan=PLAN, inputs=packed())
    open_or_create(tmp_path / "r.zarr", plan=PLAN, inputs=packed()).close()


def test_a_refused_run_leaves_no_file_open(path: str) -> None:
    with (
        mock.patch.object(RunStore, "check", side_effect=StoreError("it is damaged")),
        pytest.raises(StoreError, match="it is damaged"),
    ):
        open_or_create(path, plan=PLAN, inputs=packed())
    assert [each.path for each in psutil.Process().open_files() if each.path.startswith(path)] == []
    open_or_create(path, plan=PLAN, inputs=packed()).close()


def test_orphans_of_killed_writers_are_removed_by_the_next_holder(path: str) -> None:
    orphan = Path(path, "rms", "c.0.deadbeef.partial")
    orphan.write_bytes(b"half")
    os.utime(orphan, (1e9, 1e9))
    with open_or_create(path, plan=PLAN, inputs=packed()):
        assert not orphan.exists()
        orphan.write_bytes(b"in use")
        with pytest.raises(StoreInUse, match="another run"):
            open_or_create(path, plan=PLAN, inputs=packed())
        assert orphan.exists(), "who does not hold the lock removes nothing"


def test_drafts_of_a_store_go_when_their_owner_has_ended_and_not_before(path: str) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    mine = Path(path).with_name(f".{Path(path).name}.{owner_tag()}.partial")
    left = mine.with_name(mine.name.replace(f".{os.getpid()}.", f".{int(ended.stdout)}."))
    for draft in (mine, left):
        draft.mkdir()
        os.utime(draft, (1e9, 1e9))
    open_or_create(path, plan=PLAN, inputs=packed()).close()
    assert (mine.exists(), left.exists()) == (True, False)


def test_drafts_of_chunks_go_with_their_writers_at_the_next_run_or_at_the_end_of_this_one(path: str) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    living = Path(path, "rms", f".c.0.1.{owner_tag()}.partial")
    left, elsewhere = (
        living.with_name(re.sub(pattern, by, living.name))
        for pattern, by in [(rf"\.{os.getpid()}\.", f".{int(ended.stdout)}."), (r"\.[0-9a-f]{12}-", f".{'0' * 12}-")]
    )
    now = time.time()
    # A writer elsewhere is judged by its silence.
    for silence, stays in [(0, True), (90, False)]:
        for draft in (living, left, elsewhere):
            draft.write_bytes(b"half")
        os.utime(elsewhere, (now, now - silence))
        with open_or_create(path, plan=PLAN, inputs=packed()):
            assert [each.exists() for each in (living, left, elsewhere)] == [True, False, stays]
            left.write_bytes(b"half")
        assert [each.exists() for each in (living, left, elsewhere)] == [True, False, stays]


def test_an_owner_that_lost_its_lock_journals_nothing(path: str) -> None:
    store = open_or_create(path, plan=PLAN, inputs=packed())
    store.record(JournalEntry(block=0, status=PointStatus.DONE))
    lock = next(Path(path, "journal").glob("lock.*"))
    lock.with_name("lock.000099").write_text(lock.read_text().replace('"token": "', '"token": "x'))
    with pytest.raises(StoreInUse, match="lost the lock"):
        store.flush()
    with pytest.raises(StoreInUse, match="lost the lock"):
        store.mark(PLAN.blocks[1], 3)
    with xr.open_zarr(path) as found:
        assert not found.status.values.any(), "what the other run computed stays as it is"
    with pytest.raises(StoreInUse, match="lost the lock"):
        store.close()
    assert status(path).done == 0


def test_a_store_that_is_moved_away_ends_the_run_with_one_error(path: str, tmp_path: Path) -> None:
    def work() -> None:
        with open_or_create(path, plan=PLAN, inputs=packed()) as store:
            Path(path).rename(tmp_path / "moved.zarr")
            store.record(JournalEntry(block=0, status=PointStatus.DONE))
            store.flush()

    with pytest.raises(StoreError, match=r"the store cannot be written\n  where: .*r.zarr\n  found: .*No such file"):
        work()
    assert status(tmp_path / "moved.zarr").done == 0


# PointStatus


def test_status_counts_and_needs_no_lock(path: str) -> None:
    journal(path, b1=PointStatus.DONE, b2=PointStatus.FAILED, b4=PointStatus.KILLED, b5=PointStatus.DONE)
    with open_or_create(path, plan=PLAN, inputs=packed()):
        found = status(path)
        assert found.holder is not None
        assert found.heartbeat == pytest.approx(found.holder.since, abs=30)
    assert (found.blocks, found.done, found.failed, found.killed, found.todo) == (6, 2, 1, 1, 2)
    assert (found.points, found.points_done, found.invalid) == (48, 16, 2)
    assert found.evaluations_per_second > 0
    assert found.seconds_left is not None
    assert found.seconds_left == pytest.approx(16 * 6 / found.evaluations_per_second)
    assert [entry.block for entry in found.errors] == [2, 4]
    after = status(path)
    assert (after.holder, after.heartbeat, after.seconds_left) == (None, None, None)
    # A repair drops the line of a session that was damaged: nobody knows when it began.
    lines = Path(path, "journal", "blocks.jsonl")
    lines.write_bytes(b"".join(line for line in lines.read_bytes().splitlines(True) if b'"session"' not in line))
    assert (status(path).done, status(path).evaluations_per_second) == (2, 0.0)


def test_status_of_nothing_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="what is here is not a result of a sweep"):
        status(tmp_path)


@pytest.mark.slow
def test_two_processes_that_start_at_once_share_no_store(tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import sys; sys.path[:] = {sys.path!r}
        from tests.driver.cluster_helpers import FakePlan, packed
        from sigcube.errors import StoreInUse
        from sigcube.store import open_or_create
        sys.stdin.readline()
        try:
            with open_or_create({str(tmp_path / "r.zarr")!r}, plan=FakePlan(), inputs=packed()):
                print("held", flush=True)
                sys.stdin.readline()
        except StoreInUse:
            print("in use", flush=True)
        """
    )
    command = [sys.executable, "-W", "error", "-c", code]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.stdout.readline().strip() for process in processes if process.stdout]
    errors = [process.communicate("go\n", timeout=30)[1] for process in processes]
    assert sorted(answers) == ["held", "in use"], errors
    assert [each.name for each in tmp_path.iterdir()] == ["r.zarr"]
