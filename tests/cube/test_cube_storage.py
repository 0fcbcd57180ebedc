import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigcube.cube import fingerprint, open_cube, save_cube
from sigcube.errors import DataError, SpecError
from tests.strategies import galaxy_cubes


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ds=galaxy_cubes())
def test_saving_and_opening_is_the_identity(ds: xr.Dataset, tmp_path: Path) -> None:
    back = open_cube(save_cube(ds, tmp_path / "cube.zarr", overwrite=True))
    assert back.attrs.pop("fingerprint") == fingerprint(ds)
    # Every bit, dimension, type and attribute, and no encoding left to go wrong later.
    xr.testing.assert_identical(back, ds[list(back.data_vars)])
    assert {name: array.dtype for name, array in back.variables.items()} == {
        name: ds[name].dtype for name in ds.variables
    }
    assert all(isinstance(name, str) for name in back.galaxy.values)


@pytest.mark.slow
def test_a_small_cube_has_the_files_of_a_large_one(
    mock_cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small one is made in memory first."""
    at_once = save_cube(mock_cube, tmp_path / "at_once.zarr")
    monkeypatch.setattr("sigcube.cube.storage._AT_ONCE", 0)
    on_disk = save_cube(mock_cube, tmp_path / "on_disk.zarr")
    one, other = (
        {each.relative_to(path): each.read_bytes() for each in path.rglob("*") if each.is_file()}
        for path in (at_once, on_disk)
    )
    assert one == other
    assert {Path(name, "zarr.json") for name in map(str, mock_cube.variables)} < one.keys()


@pytest.mark.slow
def test_what_was_opened_can_be_saved_again(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    first = open_cube(save_cube(mock_cube, tmp_path / "one.zarr"))
    second = open_cube(save_cube(first.isel(galaxy=slice(0, 3)), tmp_path / "two.zarr"))
    assert second.sizes["galaxy"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["U", "O", "T"])
def test_names_of_any_string_type_become_str(dtype: str, mock_cube: xr.Dataset, tmp_path: Path) -> None:
    names = mock_cube.galaxy.values.astype(np.dtypes.StringDType() if dtype == "T" else dtype)
    given_names = mock_cube.assign_coords(galaxy=("galaxy", names, mock_cube.galaxy.attrs))
    back = open_cube(save_cube(given_names, tmp_path / "cube.zarr"))
    assert back.sel(galaxy="SYN00007").n_points == mock_cube.n_points[6]
    assert fingerprint(given_names) == fingerprint(mock_cube)
    assert zarr.open_group(str(tmp_path / "cube.zarr"))["galaxy"].metadata.to_dict()["data_type"] == "string"


def test_neither_saving_nor_a_plain_reader_warns(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = save_cube(mock_cube, tmp_path / "cube.zarr")
        with xr.open_zarr(path) as ds:
            xr.testing.assert_equal(ds.v_obs.load(), mock_cube.v_obs)
            assert ds.v_obs.attrs["units"] == "km/s"
    assert json.loads((path / "zarr.json").read_text())["zarr_format"] == 3


@pytest.mark.slow
@given(ds=galaxy_cubes(), data=st.data())
def test_the_fingerprint_changes_with_any_value(ds: xr.Dataset, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(map(str, ds.variables))))
    index = data.draw(st.integers(0, ds[name].size - 1))
    changed = ds.copy(deep=True)
    values = changed[name].values.copy()
    old = values.flat[index]
    values.flat[index] = (
        f"{old}'" if isinstance(old, str) else np.nextafter(old, np.inf) if values.dtype.kind == "f" else old + 1
    )
    if np.array_equal(values, ds[name].values, equal_nan=values.dtype.kind == "f"):
        values.flat[index] = 0.0
    changed = (
        changed.assign_coords({name: (ds[name].dims, values)})
        if name in ds.coords
        else changed.assign({name: (ds[name].dims, values)})
    )
    assert fingerprint(changed) != fingerprint(ds)


def test_the_fingerprint_is_of_content_alone(mock_cube: xr.Dataset) -> None:
    assert fingerprint(mock_cube.assign_attrs(title="another")) == fingerprint(mock_cube)
    assert fingerprint(mock_cube[sorted(mock_cube.data_vars)]) == fingerprint(mock_cube)
    assert fingerprint(mock_cube.rename(distance="far")) != fingerprint(mock_cube)
    assert fingerprint(mock_cube.assign(n_points=mock_cube.n_points.astype("int32"))) != fingerprint(mock_cube)
    assert fingerprint(mock_cube.transpose()) != fingerprint(mock_cube)


def test_damage_is_noticed(mock_path: Path, tmp_path: Path) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    zarr.open_array(str(path / "v_gas"), mode="r+")[0, 0] += 1e-12
    with pytest.raises(DataError, match=r"altered or damaged after it was saved\n  where: .*cube.zarr"):
        open_cube(path)


def test_a_lost_chunk_is_noticed(mock_path: Path, tmp_path: Path) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    # Zarr reads a file that is not there as fill values.
    (path / "distance" / "c" / "0").unlink()
    with pytest.raises(DataError, match="altered or damaged"):
        open_cube(path)


def test_a_chunk_cut_short_is_noticed(mock_path: Path, tmp_path: Path) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    chunk = path / "v_obs" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match="this is not a readable cube"):
        open_cube(path)


def _nothing(path: Path) -> None:
    pass


def _a_file(path: Path) -> None:
    path.write_text("hello")


def _an_empty_folder(path: Path) -> None:
    path.mkdir()


def _other_zarr(path: Path) -> None:
    xr.Dataset({"x": 1.0}).to_zarr(path, consolidated=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(path))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nothing, r"there is no cube here\n  where: .*cube.zarr\n  do: make it with `sigcube ingest`"),
        (_a_file, r"what is here is not a cube\n  where: .*\n  found: a file"),
        (_an_empty_folder, r"what is here is not a cube\n  where: .*\n  found: a folder"),
        (_other_zarr, "this dataset is not a sigcube cube"),
    ],
)
def test_what_is_no_cube(make: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    make(tmp_path / "cube.zarr")
    with pytest.raises((DataError, SpecError), match=message):
        open_cube(tmp_path / "cube.zarr")


@pytest.mark.slow
def test_a_cube_is_not_overwritten_unasked(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    path = save_cube(mock_cube, tmp_path / "cube.zarr")
    with pytest.raises(DataError, match=r"there is already something here\n  where: .*cube.zarr"):
        save_cube(mock_cube, path)
    save_cube(mock_cube.isel(galaxy=[0]), path, overwrite=True)
    assert open_cube(path).sizes["galaxy"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["cube.zarr"]


def test_a_folder_that_is_no_store_is_never_overwritten(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(DataError, match="not a cube, so it is not overwritten"):
        save_cube(mock_cube, tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


@pytest.mark.parametrize("attrs", [{}, {"kind": "galaxy", "spec": "{}"}, {"kind": "nebula", "fingerprint": "0"}])
def test_a_result_or_another_store_is_never_overwritten(
    attrs: dict[str, str], mock_cube: xr.Dataset, tmp_path: Path
) -> None:
    zarr.create_group(str(tmp_path / "result.zarr"), attributes=dict(attrs)).create_array("rms", data=np.arange(3.0))
    with pytest.raises(DataError, match=r"not a cube, so it is not overwritten\n  where: .*result.zarr"):
        save_cube(mock_cube, tmp_path / "result.zarr", overwrite=True)
    assert zarr.open_group(str(tmp_path / "result.zarr"))["rms"][:].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "there_before"),
    [
        ("write a chunk", True),
        ("write a chunk", False),
        ("write a chunk of a large cube", True),
        ("write a chunk of a large cube", False),
        ("sync", True),
        ("sync", False),
        # Only what was there is moved aside.
        ("the first rename", True),
        ("the last rename", True),
        ("the last rename", False),
    ],
)
def test_a_full_disk_leaves_what_was_there(
    step: str, there_before: bool, mock_cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cube.zarr"
    if there_before:
        save_cube(mock_cube.isel(galaxy=[0]), path)
    _break(step, monkeypatch)
    with pytest.raises(DataError, match=r"the cube could not be saved\n  where: .*cube.zarr\n  found: .*No space left"):
        save_cube(mock_cube, path, overwrite=True)
    monkeypatch.undo()
    assert [each.name for each in tmp_path.iterdir()] == (["cube.zarr"] if there_before else [])
    if there_before:
        assert open_cube(path).sizes["galaxy"] == 1


def _break(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    real_replace, real_rename, real_write = os.replace, Path.rename, Path.write_bytes

    def write(self: Path, data: bytes) -> int:
        if "v_obs" in self.parts:
            raise full
        return real_write(self, data)

    def replace(source: str, target: str) -> None:
        # Zarr puts each finished file in its place by this.
        if "v_obs" in str(target) and "partial" in str(source):
            raise full
        real_replace(source, target)

    def rename(self: Path, target: Path) -> Path:
        if (step, self.name) in {("the first rename", "cube.zarr"), ("the last rename", "next")}:
            raise full
        return real_rename(self, target)

    def fsync(handle: int) -> None:
        raise full

    if step == "write a chunk":
        monkeypatch.setattr(Path, "write_bytes", write)
    elif step == "write a chunk of a large cube":
        monkeypatch.setattr("sigcube.cube.storage._AT_ONCE", 0)
        monkeypatch.setattr(os, "replace", replace)
        monkeypatch.setattr(Path, "replace", lambda self, target: replace(str(self), str(target)))
    elif step == "sync":
        monkeypatch.setattr(os, "fsync", fsync)
    else:
        monkeypatch.setattr(Path, "rename", rename)


_SAVE_FOREVER = """
import sys
from sigcube.cube import save_cube
from sigcube.readers.mock import mock_survey
cube = mock_survey(n_galaxies=300, seed=1)
print("ready", flush=True)
while True:
    save_cube(cube, sys.argv[1], overwrite=True)
"""


@pytest.mark.slow
def test_a_kill_leaves_a_whole_cube(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    path = save_cube(mock_cube, tmp_path / "cube.zarr")
    for wait in (0.01, 0.06, 0.13, 0.2):
        process = subprocess.Popen([sys.executable, "-c", _SAVE_FOREVER, str(path)], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        save_cube(open_cube(path) if path.exists() else mock_cube, path, overwrite=True)
        assert open_cube(path).sizes["galaxy"] in (40, 300)
        # The next save clears away what the killed one left.
        assert [each.name for each in tmp_path.iterdir()] == ["cube.zarr"]


def test_a_kill_between_the_two_renames_is_put_right(mock_cube: xr.Dataset, mock_path: Path, tmp_path: Path) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    left = tmp_path / f".cube.zarr.{socket.gethostname()}.{int(dead.stdout)}.abc.partial"
    left.mkdir()
    path.rename(left / "previous")
    with pytest.raises(DataError, match=r"there is no cube here\n.*\n  do: a save was interrupted; .*previous"):
        open_cube(path)
    with pytest.raises(DataError, match="there is already something here"):
        save_cube(mock_cube.isel(galaxy=[0]), path)
    assert open_cube(path).sizes["galaxy"] == 40
    assert not left.exists()


def test_the_drafts_of_living_processes_and_other_machines_are_left_alone(
    mock_cube: xr.Dataset, tmp_path: Path
) -> None:
    others = [
        f".cube.zarr.{socket.gethostname()}.{os.getpid()}.abc.partial",
        ".cube.zarr.far-away.example.1.abc.partial",
    ]
    for name in others:
        (tmp_path / name).mkdir()
    save_cube(mock_cube, tmp_path / "cube.zarr")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*others, "cube.zarr"])


@pytest.mark.slow
@pytest.mark.parametrize("after", ["cube.zarr", "next"])
def test_an_interrupt_between_the_renames_loses_no_cube(
    after: str, mock_cube: xr.Dataset, mock_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    real = Path.rename
    pressed = []

    def rename(self: Path, target: Path) -> Path:
        moved = real(self, target)
        if self.name == after and not pressed:
            pressed.append(self)
            raise KeyboardInterrupt
        return moved

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            save_cube(mock_cube.isel(galaxy=[0]), path, overwrite=True)
    assert open_cube(path).sizes["galaxy"] == (40 if after == "cube.zarr" else 1)
    assert [each.name for each in tmp_path.iterdir()] == ["cube.zarr"]


def test_the_drafts_of_others_do_not_stumble_a_save(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    draft = tmp_path / ".cube[1].zarr.0123456789abcdef.partial"
    draft.mkdir()
    path = save_cube(mock_cube, tmp_path / "cube[1].zarr")
    assert open_cube(path).sizes["galaxy"] == 40
    assert draft.exists()


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cube counts as large."""
    monkeypatch.setattr("sigcube.cube.storage._EAGER_BYTES", 0)
    monkeypatch.setattr("sigcube.cube.storage._PIECE", 5000)


@pytest.mark.slow
@pytest.mark.usefixtures("few_at_a_time")
def test_a_large_cube_stays_on_disk_and_is_checked_in_pieces(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    path = save_cube(mock_cube, tmp_path / "cube.zarr")
    lazy = open_cube(path)
    assert not any(lazy[name].variable._in_memory for name in ("v_obs", "r", "distance", "n_points"))
    xr.testing.assert_equal(lazy.load(), mock_cube)


@pytest.mark.slow
@pytest.mark.usefixtures("few_at_a_time")
def test_damage_to_a_large_cube_is_noticed_wherever_it_is(mock_path: Path, tmp_path: Path) -> None:
    path = shutil.copytree(mock_path, tmp_path / "cube.zarr")
    zarr.open_array(str(path / "v_gas"), mode="r+")[39, 0] += 1e-12
    with pytest.raises(DataError, match="altered or damaged"):
        open_cube(path)
    zarr.open_array(str(path / "v_gas"), mode="r+")[39, 0] = np.nan
    with pytest.raises(DataError, match=r"NaN or infinite.*\n  where: .*cube.zarr.*v_gas.*SYN00040"):
        open_cube(path)


def test_texts_that_are_missing_are_empty(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    # As pandas has them.
    few = mock_cube.isel(galaxy=slice(0, 4))
    attrs = {"long_name": "type", "source": "made up"}
    texts = np.array(["Sa", None, np.nan, pd.NA], dtype=object)
    save_cube(few.assign(type=("galaxy", texts, attrs)), tmp_path / "c.zarr")
    assert open_cube(tmp_path / "c.zarr").type.values.tolist() == ["Sa", "", "", ""]


@pytest.mark.parametrize("item", [1.5, True, b"Sa", {"a": 1}], ids=str)
def test_objects_that_are_no_texts_are_refused(mock_cube: xr.Dataset, tmp_path: Path, item: object) -> None:
    few = mock_cube.isel(galaxy=slice(0, 2))
    objects = np.array(["Sa", item], dtype=object)
    with pytest.raises(DataError, match=r"holds something that is no text\n  where: variable 'type'\n  found: "):
        save_cube(few.assign(type=("galaxy", objects, {"long_name": "type", "source": "made up"})), tmp_path / "c.zarr")
    assert not (tmp_path / "c.zarr").exists()
