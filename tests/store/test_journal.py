"""The journal survives torn lines, refuses damage, and is whole or unchanged after a full disk."""

import errno
import json
import os
from pathlib import Path

import pytest

from sigcube.errors import StoreError
from sigcube.plan.values import PointStatus
from sigcube.store.journal import Header, JournalEntry, JournalWriter, read_journal, write_header

HEADER = Header(identity={"spec": "a"}, block_points=(8, 8, 8, 3), data_points=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_header(tmp_path, HEADER)
    return tmp_path


def open_writer(folder: Path) -> JournalWriter:
    return JournalWriter(folder, length=read_journal(folder).length)


def append(folder: Path, *entries: JournalEntry) -> None:
    writer = open_writer(folder)
    for entry in entries:
        writer.append(entry)
    writer.flush()
    writer.close()


def lines(folder: Path) -> list[str]:
    return (folder / "blocks.jsonl").read_text().splitlines()


def test_the_header_comes_back(folder: Path) -> None:
    assert read_journal(folder).header == HEADER


def test_entries_come_back_and_the_last_of_a_block_counts(folder: Path) -> None:
    done = JournalEntry(block=2, status=PointStatus.DONE, digest="ab", seconds=1.5, worker="tcp://x", n_invalid=4)
    append(
        folder,
        JournalEntry(block=2, status=PointStatus.FAILED, error="ValueError: é\nx"),
        JournalEntry(block=0, status=PointStatus.FAILED),
        done,
    )
    journal = read_journal(folder)
    assert journal.blocks(PointStatus.DONE) == {2}
    assert journal.blocks(PointStatus.FAILED) == {0}
    found = journal.entries[2]
    assert found.at > 0
    assert JournalEntry(**{**vars(found), "at": 0.0}) == done


def test_nothing_counts_before_the_flush(folder: Path) -> None:
    writer = open_writer(folder)
    writer.append(JournalEntry(block=1, status=PointStatus.DONE))
    assert not read_journal(folder).entries
    writer.flush()
    assert set(read_journal(folder).entries) == {1}
    writer.close()


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_is_dropped_then_overwritten(folder: Path, cut: int) -> None:
    append(folder, JournalEntry(block=0, status=PointStatus.DONE), JournalEntry(block=1, status=PointStatus.DONE))
    path = folder / "blocks.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    assert set(read_journal(folder).entries) == {0}
    append(folder, JournalEntry(block=3, status=PointStatus.DONE))
    assert set(read_journal(folder).entries) == {0, 3}
    assert all(json.loads(line) for line in lines(folder))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (2, '{"kind": "block", "blo'),  # cut in the middle of the file: not a crash, but damage
        (2, "\0\0\0\0"),  # a hole left by the file system
        (2, "[1, 2]"),  # JSON, but no record
        (2, '{"kind": "block", "colour": "red"}'),  # a record, but not ours
        (2, '{"kind": "block", "block": 4, "status": "done"}'),  # a block that the plan does not have
        (2, '{"kind": "session"}'),  # a session without its time
        (1, '{"kind": "session", "at": 1.0}'),  # no header
        (1, '{"kind": "header", "format": 1, "identity": {}, "block_points": [[4, 8]]}'),  # half a header
    ],
)
def test_damage_is_refused_with_its_line(folder: Path, line: int, text: str) -> None:
    append(folder, JournalEntry(block=0, status=PointStatus.DONE), JournalEntry(block=1, status=PointStatus.DONE))
    found = lines(folder)
    found[line - 1] = text
    (folder / "blocks.jsonl").write_text("\n".join(found) + "\n")
    with pytest.raises(StoreError, match=rf"journal is damaged\n.*line {line}"):
        read_journal(folder)


def test_another_format_is_refused(folder: Path) -> None:
    path = folder / "blocks.jsonl"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(StoreError, match="another version of sigcube"):
        read_journal(folder)


def test_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no journal"):
        read_journal(tmp_path)


def test_a_full_disk_leaves_the_journal_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(folder, JournalEntry(block=0, status=PointStatus.DONE))
    before = (folder / "blocks.jsonl").read_bytes()
    real = os.pwrite

    def half_then_full(handle: int, data: bytes, offset: int) -> int:
        if len(data) > 20:
            return real(handle, data[:20], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = open_writer(folder)
    writer.append(JournalEntry(block=1, status=PointStatus.DONE))
    with monkeypatch.context() as patch:
        patch.setattr("sigcube.files.os.pwrite", half_then_full)
        with pytest.raises(StoreError, match="the disk is full"):
            writer.flush()
    assert (folder / "blocks.jsonl").read_bytes() == before
    writer.flush()
    writer.close()
    assert set(read_journal(folder).entries) == {0, 1}


def test_an_interrupt_in_the_midst_of_a_flush_tears_no_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def interrupted(handle: int, data: bytes, offset: int) -> int:
        real(handle, data[:20], offset)
        raise KeyboardInterrupt

    writer = open_writer(folder)
    writer.append(JournalEntry(block=1, status=PointStatus.DONE))
    with monkeypatch.context() as patch:
        patch.setattr("sigcube.files.os.pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.flush()
    # A run that is interrupted journals what ended before it stops.
    writer.append(JournalEntry(block=2, status=PointStatus.DONE))
    writer.flush()
    writer.close()
    assert set(read_journal(folder).entries) == {1, 2}
    assert len(lines(folder)) == 3
