"""Files and folders appear whole or not at all, by whichever way the file system takes them."""

import errno
import mmap
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from sigcube import files
from sigcube.chunks import empty_pages
from sigcube.errors import SpecError
from sigcube.files import (
    free_space,
    make_folder,
    path_of,
    refuse_unwritable,
    sync,
    sync_all,
    write_all,
    write_file,
    write_folder,
)

PAGE = mmap.PAGESIZE
DIRECT = 2**20

LENGTHS = [
    (0, "nothing"),
    (1, "less than a page"),
    (DIRECT - 1, "the longest that goes through the cache"),
    (DIRECT, "whole pages past the cache"),
    (DIRECT + 1, "a byte is left for the cache"),
    (3 * DIRECT + PAGE - 1, "almost a page is left"),
    (5 * 2**19 + PAGE, "the last stage is one page"),
]


def content(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)


@pytest.fixture(params=["past the cache", "flag refused", "place refused", "pages refused", "no such way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system that takes whole pages, or refuses in one of three ways, or a system that cannot ask it."""
    flag = getattr(os, "O_DIRECT", 0)
    if request.param == "no such way":
        monkeypatch.setattr(files, "_DIRECT", 0)
    elif not flag:
        pytest.skip("this system has no way past its cache")
    elif request.param == "flag refused":
        _refuse(monkeypatch, "open", lambda _path, flags, *_: bool(flags & flag))
    elif request.param == "place refused":
        _refuse(monkeypatch, "pwrite", lambda _handle, data, at: len(data) >= DIRECT)
    elif request.param == "pages refused":
        _refuse(monkeypatch, "pwrite", lambda _handle, data, at: len(data) == 2**19 and at >= 2**19)
    return str(request.param)


def _refuse(monkeypatch: pytest.MonkeyPatch, name: str, refuses: object) -> None:
    real = getattr(os, name)

    def call(*args: object) -> object:
        if refuses(*args):  # type: ignore[operator]
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(*args)

    monkeypatch.setattr(f"sigcube.files.os.{name}", call)


@pytest.mark.slow
@pytest.mark.parametrize(("length", "reason"), LENGTHS, ids=[reason for _, reason in LENGTHS])
def test_all_bytes_arrive(tmp_path: Path, way: str, length: int, reason: str) -> None:
    data = empty_pages((length,), np.uint8)
    data[:] = content(length)
    # On a boundary of pages, of sectors, of none.
    for start in (0, 512, 1):
        path = tmp_path / "file"
        write_file(path, data[start:].data)
        assert path.read_bytes() == data[start:].tobytes(), (way, reason, start)
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A system that writes less than it is asked to."""
    real, asked = os.pwrite, []

    def less(handle: int, data: memoryview, at: int) -> int:
        asked.append(len(data))
        return real(handle, data[: max(1, len(data) // 3)], at)

    monkeypatch.setattr("sigcube.files.os.pwrite", less)
    return asked


def test_short_writes_are_gone_on_with(tmp_path: Path, torn: list[int]) -> None:
    data = content(DIRECT + 77)
    write_file(tmp_path / "file", data.data)
    assert (tmp_path / "file").read_bytes() == data.tobytes()
    assert len(torn) > 3


@pytest.mark.parametrize("length", [10, DIRECT + 10])
@pytest.mark.parametrize("fails", ["pwrite", "fsync", "open"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, fails: str
) -> None:
    (tmp_path / "file").write_bytes(b"before")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(f"sigcube.files.os.{fails}", full)
        with pytest.raises(OSError, match="No space left"):
            write_file(tmp_path / "file", content(length).data)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.slow
def test_a_profiler_that_holds_frames_does_not_matter(tmp_path: Path) -> None:
    held, stop = [], threading.Event()

    def sample() -> None:
        while not stop.is_set():
            held.append(sys._current_frames())
            del held[:-50]

    profiler = threading.Thread(target=sample)
    profiler.start()
    try:
        for _ in range(20):
            write_file(tmp_path / "file", content(DIRECT).data)
    finally:
        stop.set()
        profiler.join()


def test_bytes_go_to_their_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    handle = os.open(path, os.O_WRONLY)
    write_all(handle, b"abc", at=4)
    os.close(handle)
    assert path.read_bytes() == b"0123abc789"


def test_a_folder_is_flushed_to_the_disk_with_all_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"c")
    forced = []
    monkeypatch.setattr("sigcube.files.os.fsync", lambda handle: forced.append(os.fstat(handle).st_ino))
    sync_all(tmp_path)
    assert sorted(forced) == sorted((tmp_path / each).stat().st_ino for each in ("", "a", "a/b", "a/b/c"))


def refuse_folders(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if os.path.isdir(f"/dev/fd/{handle}/."):
            raise OSError(code, os.strerror(code))
        real(handle)

    monkeypatch.setattr("sigcube.files.os.fsync", fsync)


def test_a_file_system_that_cannot_flush_folders_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_folders(monkeypatch, errno.EINVAL)
    sync(tmp_path)
    refuse_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        sync(tmp_path)


def test_a_file_that_cannot_be_flushed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr("sigcube.files.os.fsync", refuse)
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path / "file")


def test_new_folders_are_named_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[Path] = []
    monkeypatch.setattr("sigcube.files.sync", forced.append)
    make_folder(tmp_path / "a" / "b")
    assert sorted(forced) == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a" / "b")
    assert len(forced) == 2, "nothing is new"


def fill(path: Path, content: str, **how: bool) -> None:
    with write_folder(path, **how) as draft:
        draft.mkdir()
        (draft / "a").write_text(content)


def test_a_folder_appears_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with write_folder(path) as draft:
        draft.mkdir()
        (draft / "a").write_text("one")
        assert not path.exists()
    assert (path / "a").read_text() == "one"
    fill(path, "two", overwrite=True)
    assert (path / "a").read_text() == "two"
    assert os.listdir(path.parent) == ["folder"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_block_that_fails_leaves_what_was_there(overwrite: bool, tmp_path: Path) -> None:
    path = tmp_path / "folder"
    if overwrite:
        fill(path, "one")

    def fail() -> None:
        with write_folder(path, overwrite=overwrite) as draft:
            draft.mkdir()
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        fail()
    assert [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")] == (
        ["folder", "folder/a"] if overwrite else []
    )


@pytest.mark.parametrize("meanwhile", [True, False], ids=["meanwhile", "before"])
def test_what_is_there_is_not_replaced_unasked(meanwhile: bool, tmp_path: Path) -> None:
    path = tmp_path / "folder"

    def other() -> None:
        path.mkdir()
        (path / "theirs").write_text("years of work")

    def ours() -> None:
        with write_folder(path) as draft:
            draft.mkdir()
            if meanwhile:
                other()

    if not meanwhile:
        other()
    with pytest.raises(FileExistsError, match="folder"):
        ours()
    assert sorted(os.listdir(tmp_path)) == ["folder"]
    assert os.listdir(path) == ["theirs"]


def test_a_path_is_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for given in (".", "absent/x", "file", "file/below", tmp_path):
        assert path_of(given, what="a cube") == Path(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("x" * 300, "where: 'xxx(.|\n)*found: File name too long"),
        ("a\0b", "where: 'a.x00b'\n  found: .*embedded null (byte|character)"),
        (None, "found: NoneType\n  expected: a path"),
        # A number would be one of an open file.
        (0, "found: int\n  expected: a path"),
    ],
)
def test_what_can_be_no_path(given: Any, said: str) -> None:
    with pytest.raises(SpecError, match=f"this cannot be the path of a cube\n  {said}"):
        path_of(given, what="a cube")


def test_the_room_is_that_of_the_disk_on_which_something_will_be(tmp_path: Path) -> None:
    there = os.statvfs(tmp_path)
    assert free_space(tmp_path / "not" / "yet" / "there") == pytest.approx(there.f_bavail * there.f_frsize, rel=0.1)


def test_a_disk_that_does_not_know_its_size_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.files.shutil.disk_usage", lambda path: mock.Mock(total=0, free=0))
    assert free_space(tmp_path) is None


@pytest.mark.parametrize("path", [Path("/"), Path("."), Path("..")], ids=str)
@pytest.mark.parametrize("overwrite", [True, False])
def test_nothing_takes_the_place_of_what_has_no_name(path: Path, overwrite: bool) -> None:
    with pytest.raises(FileExistsError, match="File exists"), write_folder(path, overwrite=overwrite):
        pytest.fail("a draft was given")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("folder", "found: a folder"),
        ("folder/file/page.html", "file is a file"),
        ("folder/" + "x" * 300, "File name too long"),
    ],
)
def test_a_path_that_could_not_be_written_is_refused_at_once(place: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("")
    with pytest.raises(SpecError, match=said):
        refuse_unwritable(tmp_path / place, what="the page")


def test_a_folder_that_is_closed_to_writing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # To root nothing is closed, so the system is made to say so.
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and path == tmp_path))
    with pytest.raises(SpecError, match=rf"found: {tmp_path} is closed to writing"):
        refuse_unwritable(tmp_path / "new" / "page.html", what="the page")


def test_a_path_that_can_be_written_is_let_pass_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_text("old")
    for place in ("old.html", "new.html", "new/folder/page.html"):
        refuse_unwritable(tmp_path / place, what="the page")
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]
