"""A result grows, and what it holds stays: same bits as a fresh run, no block twice, whatever is interrupted."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import xarray as xr
from zarr.errors import ZarrUserWarning

from sigcube import Sweep, linspace, open_result, verify
from sigcube.errors import SpecError, StoreError, StoreMismatch
from sigcube.plan.bind import extend_plan
from sigcube.rerun import rerun
from sigcube.store import read_journal, status
from sigcube.store.lock import Lock
from tests.damage import same_bits
from tests.extensions import SMALL_BLOCKS, follow, make_history, sweep_of

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

SMALL = {"window": ["geometric"], "xi_scale": [0.1, 0.5], "A": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]}
LARGE = {
    "window": ["none", "geometric"],
    "xi_scale": [0.1, 0.3, 0.5],
    "A": [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0],
}


@pytest.fixture
def _small_blocks() -> Iterator[None]:
    with mock.patch.multiple("sigcube.plan.layout", **SMALL_BLOCKS):
        yield


@pytest.fixture
def small(mock_cube: xr.Dataset, _small_blocks: None) -> Sweep:
    return sweep_of(mock_cube, SMALL)


@pytest.fixture
def large(mock_cube: xr.Dataset, _small_blocks: None) -> Sweep:
    return sweep_of(mock_cube, LARGE)


@pytest.fixture(scope="module")
def stores(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of the small sweep, and one that was extended to the large one, for tests to copy."""
    folder = tmp_path_factory.mktemp("extend")
    with mock.patch.multiple("sigcube.plan.layout", **SMALL_BLOCKS):
        sweep_of(mock_cube, SMALL).run(folder / "small.zarr")
        shutil.copytree(folder / "small.zarr", folder / "extended.zarr")
        sweep_of(mock_cube, LARGE).extend(folder / "extended.zarr")
    return folder


@pytest.fixture(scope="module")
def fresh(mock_cube: xr.Dataset) -> xr.Dataset:
    """What the large sweep gives at once."""
    with mock.patch.multiple("sigcube.plan.layout", **SMALL_BLOCKS):
        return sweep_of(mock_cube, LARGE).compute()


@pytest.fixture
def path(stores: Path, _small_blocks: None, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stores / "small.zarr", tmp_path / "r.zarr"))


@pytest.fixture
def extended(stores: Path, _small_blocks: None, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stores / "extended.zarr", tmp_path / "r.zarr"))


@pytest.mark.parametrize("seed", range(3))
def test_a_history_with_kills_ends_as_a_fresh_run(mock_cube: xr.Dataset, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    counts = follow(mock_cube, make_history(rng), tmp_path / "r.zarr", rng, kills=1)
    assert counts["journalled twice"] == 0


def test_the_result_is_one_to_xarray_and_ordered_to_users(path: Path, large: Sweep, fresh: xr.Dataset) -> None:
    result = large.extend(path)
    assert result["A"].values.tolist() == LARGE["A"]
    same_bits(result.load(), fresh)
    with xr.open_zarr(path, chunks=None) as plain:
        assert plain["A"].values.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 0.25, 0.75, 4.0]
        assert plain["window"].values.tolist() == ["geometric", "none"]
        picked = {"A": 0.75, "xi_scale": 0.3, "window": "none"}
        assert plain["rms_mean"].sel(picked).item() == result["rms_mean"].sel(picked).item()


def test_what_is_there_is_not_touched(path: Path, large: Sweep) -> None:
    chunks = {each: (each.stat().st_ino, each.read_bytes()) for each in (path / "rms").glob("c.*")}
    lines = (path / "journal" / "blocks.jsonl").read_bytes()
    large.extend(path)
    assert (path / "journal" / "blocks.jsonl").read_bytes().startswith(lines)
    same = [each for each, before in chunks.items() if (each.stat().st_ino, each.read_bytes()) == before]
    # Others have room for new values.
    assert 0 < len(same) < len(chunks)


def test_the_extended_sweep_goes_on_and_the_old_one_is_refused(path: Path, small: Sweep, large: Sweep) -> None:
    with pytest.raises(StoreMismatch, match="part of this sweep") as caught:
        large.run(path)
    assert "--extend" in str(caught.value.hint)
    large.extend(path)
    before = (path / "journal" / "blocks.jsonl").read_bytes()
    for again in (large.run, large.extend):
        assert again(path).sizes["A"] == 10
    assert read_journal(path / "journal").entries.keys() == set(range(status(path).blocks))
    assert (path / "journal" / "blocks.jsonl").read_bytes() == before
    with pytest.raises(StoreMismatch):
        small.run(path)
    with pytest.raises(StoreMismatch, match="keeps every value"):
        small.extend(path)


def test_what_was_left_is_done_first(small: Sweep, large: Sweep, tmp_path: Path, fresh: xr.Dataset) -> None:
    path = tmp_path / "r.zarr"
    with pytest.raises(KeyboardInterrupt):
        small.run(path, on_event=lambda event: _interrupt())
    assert status(path).todo
    same_bits(large.extend(path).load(), fresh)


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("replaced", range(0, 12, 3))
def test_an_extension_interrupted_among_its_files_goes_on(
    path: Path, large: Sweep, replaced: int, fresh: xr.Dataset
) -> None:
    from sigcube.files import write_file

    left = [replaced]

    def write_some(*given: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write_file(*given)

    with mock.patch("sigcube.store.extension_files.write_file", write_some), pytest.raises(KeyboardInterrupt):
        large.extend(path)
    same_bits(large.extend(path).load(), fresh)
    assert verify(path, sample=3).sound


@pytest.mark.parametrize("name", ["zarr.json", "A/c/0", "journal/inputs.npz", "rms/zarr.json"])
def test_a_damaged_file_is_made_again_from_the_copy(extended: Path, name: str, fresh: xr.Dataset) -> None:
    (extended / name).write_bytes(b"{}")
    assert not verify(extended).sound
    assert verify(extended, repair=True).repaired
    assert verify(extended).sound
    same_bits(open_result(extended).load(), fresh)


def test_it_is_made_again_in_the_same_blocks(extended: Path, tmp_path: Path) -> None:
    report = rerun(extended, tmp_path / "again.zarr")
    assert (report.compared, report.identical) == (status(extended).blocks, True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"metrics": ["rms", "chi2"]}, "metrics"),
        ({"sample": "all"}, "data"),
        ({"dtype": "float64"}, "dtype"),
        ({"reference": None}, "reference"),
    ],
)
def test_only_axes_grow(mock_cube: xr.Dataset, path: Path, change: dict[str, Any], named: str) -> None:
    given = {"sample": "unflagged", "reference": "mond", "keep": ["galaxy"], **change}
    before = sorted((each, each.stat().st_mtime_ns) for each in path.rglob("*"))
    with pytest.raises(StoreMismatch, match=named):
        Sweep(mock_cube, kernel="sigma", axes=LARGE, **given).extend(path)
    assert sorted((each, each.stat().st_mtime_ns) for each in path.rglob("*")) == before


def test_of_two_extensions_at_once_the_later_is_refused(mock_cube: xr.Dataset, path: Path, large: Sweep) -> None:
    other = sweep_of(mock_cube, {**SMALL, "A": [*SMALL["A"], 9.0, 8.0]})

    def meanwhile(*given: Any, **named: Any) -> Any:
        plan = extend_plan(*given, **named)
        with mock.patch("sigcube.store.extension.extend_plan", extend_plan):
            other.extend(path)
        return plan

    with (
        mock.patch("sigcube.store.extension.extend_plan", meanwhile),
        pytest.raises(StoreMismatch, match="not the one"),
    ):
        large.extend(path)
    same_bits(open_result(path).load(), other.compute())


def test_a_run_refuses_a_store_that_is_extended_before_it_holds_the_lock(
    path: Path, small: Sweep, large: Sweep
) -> None:
    taken = []

    def extend_first(folder: Path) -> Lock:
        if not taken:
            taken.append(folder)
            large.extend(path)
        return Lock(folder)

    with mock.patch("sigcube.store.run.Lock", extend_first), pytest.raises(StoreMismatch):
        small.run(path)


@pytest.mark.parametrize("start", [0, 12, 40, -30])
def test_a_lost_header_is_taken_from_its_copy(extended: Path, large: Sweep, start: int, fresh: xr.Dataset) -> None:
    journal = extended / "journal" / "blocks.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if i and line.startswith(b'{"kind": "header"'))
    broken = bytearray(lines[number])
    broken[start] ^= 1
    journal.write_bytes(b"".join([*lines[:number], bytes(broken), *lines[number + 1 :]]))
    assert not verify(extended).sound
    assert verify(extended, repair=True).repaired
    same_bits(large.run(extended).load(), fresh)
    assert verify(extended, sample=3).sound


def test_a_journal_cut_before_the_extension_is_made_whole(path: Path, large: Sweep, fresh: xr.Dataset) -> None:
    before = (path / "journal" / "blocks.jsonl").read_bytes()
    large.extend(path)
    (path / "journal" / "blocks.jsonl").write_bytes(before)
    with pytest.raises(StoreError):
        open_result(path)
    verify(path, repair=True)
    same_bits(large.run(path).load(), fresh)


def test_a_repair_does_not_adopt_an_extension_that_never_began(
    path: Path, small: Sweep, large: Sweep, fresh: xr.Dataset
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    before = open_result(path).load()
    with mock.patch("sigcube.store.extension_files.JournalWriter", interrupted), pytest.raises(KeyboardInterrupt):
        large.extend(path)
    assert (path / "journal" / "extension").is_dir()
    coordinate = next(each for each in sorted((path / "A").rglob("*")) if each.name == "0")
    content = bytearray(coordinate.read_bytes())
    content[-1] ^= 1
    coordinate.write_bytes(bytes(content))
    assert verify(path, repair=True).repaired
    same_bits(small.run(path).load(), before)
    same_bits(large.extend(path).load(), fresh)


@pytest.mark.parametrize("what", ["run", "extend", "repair"])
def test_a_store_whose_folder_is_a_link_elsewhere_writes_nothing_there(
    extended: Path, large: Sweep, tmp_path: Path, what: str
) -> None:
    victim = Path(shutil.copytree(extended / "A", tmp_path / "victim"))
    for each in victim.rglob("*"):
        if each.is_file():
            each.write_bytes(b"mine")
    shutil.rmtree(extended / "A")
    (extended / "A").symlink_to(victim)
    doing = {"run": large.run, "extend": large.extend, "repair": lambda store: verify(store, repair=True)}
    with pytest.raises(StoreError, match="leads out of it"):
        doing[what](extended)
    assert {each.read_bytes() for each in victim.rglob("*") if each.is_file()} == {b"mine"}


def test_values_of_a_lost_extension_do_not_come_back(mock_cube: xr.Dataset, path: Path, large: Sweep) -> None:
    before = Path(shutil.copytree(path, path.with_name("before.zarr")))
    large.extend(path)
    # As if all but the chunks had been restored from a copy.
    for name in ("zarr.json", "journal", *(each.name for each in before.iterdir() if each.is_dir())):
        if name != "zarr.json" and (before / name / "zarr.json").exists() and list((before / name).glob("c.*")):
            shutil.copy(before / name / "zarr.json", path / name / "zarr.json")
        elif (before / name).is_dir():
            shutil.rmtree(path / name)
            shutil.copytree(before / name, path / name)
        else:
            shutil.copy(before / name, path / name)
    other = sweep_of(mock_cube, {**SMALL, "A": [*SMALL["A"], 9.0, 8.0]})
    with pytest.raises(KeyboardInterrupt):
        other.extend(path, on_event=lambda event: _interrupt())
    unfinished = open_result(path).sel(A=[8.0, 9.0])
    assert not unfinished["status"].any()
    assert unfinished["rms_mean"].isnull().all()


def test_a_late_writer_of_a_shared_chunk_is_noticed(path: Path, large: Sweep, fresh: xr.Dataset) -> None:
    shared = path / "rms_mean" / "c.0.0.1"
    before = shared.read_bytes()
    large.extend(path)
    assert shared.read_bytes() != before
    shared.write_bytes(before)
    with pytest.raises(StoreError, match="damaged"):
        large.run(path)
    verify(path, repair=True)
    same_bits(large.run(path).load(), fresh)


def test_a_result_that_began_too_small_is_refused(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    pilot = sweep_of(mock_cube, {"xi_scale": [0.1, 1.0], "A": [0.5, 2.0]})
    axes = {"xi_scale": [0.1, 1.0, *linspace(0.2, 0.9, 70)], "A": [0.5, 2.0, *linspace(0.6, 1.9, 70)]}
    pilot.run(tmp_path / "r.zarr")
    with pytest.raises(StoreMismatch, match="began too small"):
        sweep_of(mock_cube, axes).extend(tmp_path / "r.zarr")


def test_a_result_of_an_extension_computes_in_the_order_of_the_spec(extended: Path, fresh: xr.Dataset) -> None:
    same_bits(Sweep.from_result(extended).compute(), fresh)


def test_axes_may_be_named_in_another_order(mock_cube: xr.Dataset, path: Path) -> None:
    other = sweep_of(mock_cube, {name: LARGE[name] for name in ("A", "window", "xi_scale")})
    found, fresh = other.extend(path), other.compute()
    assert found["rms"].dims == fresh["rms"].dims
    same_bits(found.load(), fresh)


def test_a_copy_that_xarray_saved_opens(path: Path, large: Sweep, tmp_path: Path) -> None:
    result = large.extend(path)
    with pytest.warns(ZarrUserWarning):
        result.drop_encoding().to_zarr(tmp_path / "copy.zarr")
    same_bits(open_result(tmp_path / "copy.zarr").load(), result.load())


def test_there_must_be_a_result(large: Sweep, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is nothing here(.|\n)*expected: a result of a sweep"):
        large.extend(tmp_path / "none.zarr")


@pytest.mark.cluster
def test_workers_extend_as_one_process_does(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    """With blocks as large as they are for users, since workers know nothing of smaller ones."""
    few, more = (
        Sweep(
            mock_cube,
            kernel="sigma",
            sample="unflagged",
            axes={"xi_scale": linspace(0.1, 1, n), "A": linspace(0.5, 2, n)},
        )
        for n in (401, 801)
    )
    few.run(tmp_path / "r.zarr", workers=0)
    result = more.extend(tmp_path / "r.zarr", workers=2)
    assert status(tmp_path / "r.zarr").blocks > 5
    same_bits(result.load(), more.compute())


def test_roles_are_of_a_result_and_an_extension_brings_others(
    mock_cube: xr.Dataset, path: Path, small: Sweep, large: Sweep
) -> None:
    roles = {"arbitrary": ["window"], "physical": ["A", "xi_scale"]}
    assert all("role" not in coord.attrs for coord in open_result(path).coords.values())
    with_roles = Sweep(
        mock_cube, kernel="sigma", sample="unflagged", axes=SMALL, reference="mond", keep=["galaxy"], roles=roles
    )
    with pytest.raises(StoreMismatch, match="roles differ") as caught:
        with_roles.run(path)
    assert "--extend" in str(caught.value.hint)
    journal = path / "journal" / "blocks.jsonl"
    before = read_journal(path / "journal").entries
    result = with_roles.extend(path)
    assert {name: result[name].attrs["role"] for name in SMALL} == dict.fromkeys(SMALL, "physical") | {
        "window": "arbitrary"
    }
    assert read_journal(path / "journal").entries == before
    same_bits(result.load().drop_vars(SMALL), small.compute().drop_vars(SMALL))
    written = journal.read_bytes()
    with_roles.run(path)
    assert journal.read_bytes() == written
    assert verify(path, sample=1).sound
    assert rerun(path).identical
    assert open_result(path.with_name("r-rerun.zarr"))["window"].attrs["role"] == "arbitrary"
    # What has no roles any more is extended as well, and loses them.
    assert "role" not in large.extend(path)["window"].attrs


def test_labels_that_make_no_difference_share_the_number_of_their_model(mock_cube: xr.Dataset) -> None:
    axes = {"window": ["none", "geometric"], "scale_length": ["third_point", "outermost"], "A": [1.0]}
    result = Sweep(mock_cube, kernel="sigma", sample="unflagged", axes=axes).compute()
    assert result.section.dims == ("window", "scale_length")
    assert result.section.values.tolist() == [[0, 0], [1, 2]]
    with pytest.raises(SpecError, match="cannot be called 'section'"):
        Sweep(mock_cube, kernel="sigma", sample="unflagged", axes={"A": ("section", [1.0, 2.0])})


# The values at 0.9 and 1.3 differ by rounding, so none of the two sets holds the other.
COARSE, FINE = linspace(0.5, 1.7, 7), linspace(0.5, 1.7, 19)


@pytest.mark.usefixtures("_small_blocks")
def test_a_finer_linspace_takes_the_digits_of_the_result(
    mock_cube: xr.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not set(COARSE) <= set(FINE)
    path, rest = tmp_path / "r.zarr", {"xi_scale": [0.1, 0.5]}
    coarse, fine = (sweep_of(mock_cube, {**rest, "A": list(values)}) for values in (COARSE, FINE))
    coarse.run(path)
    journal = path / "journal" / "blocks.jsonl"
    old, began = journal.read_bytes(), status(path).blocks
    assert not caplog.messages
    with pytest.raises(KeyboardInterrupt):
        fine.extend(path, on_event=lambda event: _interrupt())
    line = "axis A: 2 values have the digits of the result; the sweep's differ by rounding alone, by 2.2e-16 at most"
    assert caplog.messages == [line]
    assert status(path).todo
    # What is left is a run of the same sweep, whose own digits are others still.
    blocks: list[int] = []
    result = fine.run(path, on_event=lambda event: blocks.append(event.entry.block) if event.entry else None)
    assert caplog.messages == [line, line]
    union = [*COARSE, *(value for value in FINE if min(abs(value - other) for other in COARSE) > 0.01)]
    assert result["A"].values.tolist() == sorted(union)
    same_bits(result.load(), sweep_of(mock_cube, {**rest, "A": sorted(union)}).compute())
    assert journal.read_bytes().startswith(old)
    assert blocks
    assert min(blocks) >= began
    done, events = journal.read_bytes(), []
    for again in (fine.extend, fine.run):
        again(path, on_event=events.append)
    assert (journal.read_bytes(), events) == (done, [])
    assert verify(path, sample=2).sound


@pytest.mark.usefixtures("_small_blocks")
def test_a_sweep_whose_digits_alone_differ_has_its_result_already(
    mock_cube: xr.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, events = tmp_path / "r.zarr", []
    typed = sweep_of(mock_cube, {"A": [0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7]})
    sweep_of(mock_cube, {"A": list(COARSE)}).run(path)
    before = (path / "journal" / "blocks.jsonl").read_bytes()
    for again in (typed.run, typed.extend):
        assert again(path, on_event=events.append)["A"].values.tolist() == list(COARSE)
    assert ((path / "journal" / "blocks.jsonl").read_bytes(), events) == (before, [])
    assert len(caplog.messages) == 2
    # A bit more than rounding is another sweep, as before.
    with pytest.raises(StoreMismatch, match="axis A differ"):
        sweep_of(mock_cube, {"A": [*COARSE[:-1], 1.7 + 1e-13]}).run(path)
