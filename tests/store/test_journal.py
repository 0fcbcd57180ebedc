"""The journal survives torn lines, refuses damage, and is whole or unchanged after a full disk."""

import errno
import json
import os
from pathlib import Path

import pytest
import xxhash

from sigcube.errors import SpecError, StoreError
from sigcube.plan.values import PointStatus
from sigcube.store.journal import (
    JournalWriter,
    drop_damaged_lines,
    read_journal,
    read_undamaged,
    write_header,
)
from sigcube.store.journal_lines import Header, JournalEntry

DIGEST = "0123456789abcdef" * 2
HEADER = Header(identity={"spec": "a"}, block_points=(8, 8, 8, 3), data_points=5, files={"zarr.json": DIGEST})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_header(tmp_path, HEADER)
    return tmp_path


def done(block: int) -> JournalEntry:
    return JournalEntry(block=block, status=PointStatus.DONE, digest=DIGEST)


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
    last = JournalEntry(block=2, status=PointStatus.DONE, digest=DIGEST, seconds=1.5, worker="tcp://x", n_invalid=4)
    append(
        folder,
        JournalEntry(block=2, status=PointStatus.FAILED, error="ValueError: é\nx"),
        JournalEntry(block=0, status=PointStatus.FAILED),
        last,
    )
    journal = read_journal(folder)
    assert journal.blocks(PointStatus.DONE) == {2}
    assert journal.blocks(PointStatus.FAILED) == {0}
    found = journal.entries[2]
    assert found.at > 0
    assert JournalEntry(**{**vars(found), "at": 0.0}) == last


def test_nothing_counts_before_the_flush(folder: Path) -> None:
    writer = open_writer(folder)
    writer.append(done(1))
    assert not read_journal(folder).entries
    writer.flush()
    assert set(read_journal(folder).entries) == {1}
    writer.close()


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_is_dropped_then_overwritten(folder: Path, cut: int) -> None:
    append(folder, done(0), done(1))
    path = folder / "blocks.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    assert set(read_journal(folder).entries) == {0}
    append(folder, done(3))
    assert set(read_journal(folder).entries) == {0, 3}
    assert all(json.loads(line) for line in lines(folder))


def with_check(text: str) -> str:
    """A line as sigcube writes it, but for what it says."""
    return f'{text[:-1]}, "check": "{xxhash.xxh3_64_hexdigest(text.encode())}"}}'


@pytest.mark.parametrize(
    ("line", "text", "reason"),
    [
        (2, '{"kind": "block", "blo', "cut in the middle of the file: not a crash, but damage"),
        (2, "\0\0\0\0", "a hole left by the file system"),
        (2, '{"kind": "session", "at": 1.0}', "no checksum"),
        (2, with_check("[1, 2]"), "JSON, but no record"),
        (2, with_check('{"kind": "block", "colour": "red"}'), "a record, but not ours"),
        (2, with_check('{"kind": "block", "block": 4, "status": "failed"}'), "a block that the plan does not have"),
        (2, with_check('{"kind": "block", "block": -1, "status": "failed"}'), "a number that is no index"),
        (2, with_check('{"kind": "block", "block": true, "status": "failed"}'), "a number that is none"),
        (2, with_check('{"kind": "block", "block": 1, "status": "invalid"}'), "no way in which a block ends"),
        (2, with_check('{"kind": "block", "block": 1, "status": "done"}'), "done without a digest"),
        (2, with_check('{"kind": "block", "block": 1, "status": "failed", "n_invalid": 9}'), "more than the block has"),
        (2, with_check('{"kind": "block", "block": 1, "status": "failed", "seconds": NaN}'), "not a time"),
        (2, with_check('{"kind": "block", "block": 1, "status": "failed", "worker": 7}'), "not an address"),
        (2, with_check('{"kind": "session"}'), "a session without its time"),
        (2, with_check('{"kind": "session", "at": "noon"}'), "a time that is none"),
        (2, "[" * 100_000, "brackets without an end"),
        (1, with_check('{"kind": "session", "at": 1.0}'), "no header"),
        (1, with_check('{"kind": "header", "format": 2, "identity": {}, "block_points": [[4, 8]]}'), "half a header"),
        (1, with_check('{"kind": "header", "format": "2"}'), "a format that is no number"),
        (
            1,
            '{"kind": "header", "format": 1, "identity": {}, "block_points": [[1e300, 8]], "data_points": 1}',
            "more blocks than memory",
        ),
    ],
)
def test_damage_is_refused_with_its_line(folder: Path, line: int, text: str, reason: str) -> None:
    append(folder, done(0), done(1))
    found = lines(folder)
    found[line - 1] = text
    (folder / "blocks.jsonl").write_text("\n".join(found) + "\n")
    with pytest.raises(StoreError, match=rf"journal is damaged\n.*line {line}"):
        read_journal(folder)


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_a_flipped_bit_anywhere_is_refused_or_takes_nothing_but_the_last_line(folder: Path, bit: int) -> None:
    append(folder, done(0), JournalEntry(block=1, status=PointStatus.FAILED, error="é"), done(3))
    path = folder / "blocks.jsonl"
    whole, entries = path.read_bytes(), dict(read_journal(folder).entries)
    for place in range(bit, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            found = read_journal(folder).entries
        except StoreError:
            continue
        # The end of the last line, without which it counts as cut short.
        assert place == len(whole) - 1
        assert found == {index: entries[index] for index in (0, 1)}


def test_damaged_lines_can_be_dropped_and_the_others_stay(folder: Path) -> None:
    append(folder, done(0), done(1), done(2))
    path = folder / "blocks.jsonl"
    path.write_text(path.read_text().replace('"block": 1', '"block": 3'))
    journal, damaged = read_undamaged(folder)
    assert set(journal.entries) == {0, 2}
    assert list(damaged) == [3]
    drop_damaged_lines(folder)
    assert dict(read_journal(folder).entries) == dict(journal.entries)
    append(folder, done(1))
    assert set(read_journal(folder).entries) == {0, 1, 2}


def test_a_block_may_be_to_do_again(folder: Path) -> None:
    append(folder, done(0), done(1), JournalEntry(block=1, status=PointStatus.TODO))
    assert set(read_journal(folder).entries) == {0}
    append(folder, done(1))
    assert set(read_journal(folder).entries) == {0, 1}


def test_a_journal_without_checksums_is_read_and_gets_them(folder: Path) -> None:
    header = '{"kind": "header", "format": 1, "identity": {"spec": "a"}, "block_points": [[3, 8]], "data_points": 5}'
    block = f'{{"kind": "block", "block": 1, "status": "done", "digest": "{DIGEST}", "at": 1.0}}'
    (folder / "blocks.jsonl").write_text(f"{header}\n{block}\n")
    append(folder, done(0))
    assert set(read_journal(folder).entries) == {0, 1}
    path = folder / "blocks.jsonl"
    path.write_text(path.read_text().replace('"block": 0', '"block": 2'))
    with pytest.raises(StoreError, match="line 3"):
        read_journal(folder)


def test_another_format_is_refused(folder: Path) -> None:
    (folder / "blocks.jsonl").write_text(with_check('{"kind": "header", "format": 99}') + "\n")
    with pytest.raises(StoreError, match="another version of sigcube"):
        read_journal(folder)


def test_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"what is here is not a result of a sweep\n  where: .*\n  found: a folder"):
        read_journal(tmp_path / "journal")


def test_a_full_disk_leaves_the_journal_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(folder, done(0))
    before = (folder / "blocks.jsonl").read_bytes()
    real = os.pwrite

    def half_then_full(handle: int, data: bytes, offset: int) -> int:
        if len(data) > 20:
            return real(handle, data[:20], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = open_writer(folder)
    writer.append(done(1))
    with monkeypatch.context() as patch:
        patch.setattr("sigcube.files.os.pwrite", half_then_full)
        with pytest.raises(StoreError, match="the disk is full"):
            writer.flush()
    assert (folder / "blocks.jsonl").read_bytes() == before
    writer.flush()
    writer.close()
    assert set(read_journal(folder).entries) == {0, 1}


def test_a_disk_that_is_gone_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(read_journal(folder).entries)

    def gone(*_: object) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    writer = open_writer(folder)
    writer.append(done(1))
    with monkeypatch.context() as patch:
        patch.setattr("sigcube.files.os.pwrite", gone)
        patch.setattr("sigcube.store.journal.os.ftruncate", gone)
        with pytest.raises(StoreError, match="the store cannot be written"):
            writer.flush()
    assert set(read_journal(folder).entries) == before
    # It came back.
    writer.flush()
    writer.close()
    assert set(read_journal(folder).entries) == before | {1}


def test_an_interrupt_in_the_midst_of_a_flush_tears_no_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def interrupted(handle: int, data: bytes, offset: int) -> int:
        real(handle, data[:20], offset)
        raise KeyboardInterrupt

    writer = open_writer(folder)
    writer.append(done(1))
    with monkeypatch.context() as patch:
        patch.setattr("sigcube.files.os.pwrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.flush()
    # A run that is interrupted journals what ended before it stops.
    writer.append(done(2))
    writer.flush()
    writer.close()
    assert set(read_journal(folder).entries) == {1, 2}
    assert len(lines(folder)) == 3
