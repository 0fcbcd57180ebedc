"""Stores that were damaged, or made up: each file of one, in each way that a reader may stumble over."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import xxhash

from sigcube import open_cube, open_result, verify
from sigcube.cube import inspect_cube
from sigcube.rerun import rerun
from sigcube.store import status
from sigcube.sweep import Sweep
from tests.bad_inputs.cases import Case, Room, sweep

__all__ = ["STORES"]

Open = Callable[[Path], object]
Change = Callable[[dict[str, Any]], object]


def resumed(path: Path) -> object:
    return sweep(keep=["galaxy"]).run(path, workers=0)


RESULTS: dict[str, Open] = {
    "open_result": open_result,
    "from_result": Sweep.from_result,
    "status": status,
    "verify": verify,
    "rerun": rerun,
    "run": resumed,
}
CUBES: dict[str, Open] = {"open_cube": open_cube, "inspect_cube": inspect_cube}
OF_JOURNAL = ("status", "verify", "run")
OF_ATTRIBUTES = ("open_result", "from_result", "rerun", "run")

# What a file holds instead, and why nobody can read that.
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "of zeros": bytes(500),
    "of brackets without an end": b"[" * 10**5,
    "of tables without an end": b'{"a":' * 10**5,
    "of another sort": b"[1, 2, 3]",
    "of a number": b"5",
    "of endless digits": b"1" * 10**5,
    "of no text": b"\xff\xfe\x00",
    "without an end": b'{"zarr_format": 3',
}


def with_check(record: dict[str, Any]) -> bytes:
    """A line of a journal whose checksum is right."""
    text = json.dumps(record)
    return f'{text[:-1]}, "check": "{xxhash.xxh3_64_hexdigest(text.encode())}"}}\n'.encode()


def header_with(change: Change) -> Callable[[Path], None]:
    """Change the first line of a journal, and give it the checksum that it then has."""

    def damage(store: Path) -> None:
        path = store / "journal" / "blocks.jsonl"
        record = json.loads(path.read_bytes().split(b"\n")[0])
        record.pop("check")
        change(record)
        path.write_bytes(with_check(record))

    return damage


def line_of(record: dict[str, Any]) -> Callable[[Path], None]:
    """Add a line to a journal."""

    def damage(store: Path) -> None:
        with (store / "journal" / "blocks.jsonl").open("ab") as file:
            file.write(with_check(record))

    return damage


def attributes_with(change: Change) -> Callable[[Path], None]:
    """Change the attributes of a result, and the digest in the journal: what a forger does, and no accident."""

    def damage(store: Path) -> None:
        path = store / "zarr.json"
        content = json.loads(path.read_bytes())
        change(content["attributes"])
        path.write_text(json.dumps(content), encoding="utf-8")
        digest = xxhash.xxh3_128_hexdigest(path.read_bytes())
        header_with(lambda record: record["files"].update({"zarr.json": digest}))(store)

    return damage


DAMAGED = "the journal is damaged"
BLOCK = {"kind": "block", "block": 0, "status": "done", "digest": "0" * 32}
# What the first line of a journal says; the checksum of each is right.
HEADERS: list[tuple[str, Change, str]] = [
    ("of another version", lambda r: r.update(format=99), "written by another version of sigcube"),
    ("of no version", lambda r: r.update(format="2"), DAMAGED),
    ("without an identity", lambda r: r.pop("identity"), DAMAGED),
    ("whose identity is a list", lambda r: r.update(identity=[1]), DAMAGED),
    ("of 10^12 blocks", lambda r: r.update(block_points=[[10**12, 1]]), DAMAGED),
    ("of 10^12 blocks, and as many fewer", lambda r: r.update(block_points=[[10**12, 1], [-(10**12), 1]]), DAMAGED),
    ("of half a block", lambda r: r.update(block_points=[[0.5, 1]]), DAMAGED),
    ("of blocks that are a text", lambda r: r.update(block_points="11"), DAMAGED),
    ("of points that are a text", lambda r: r.update(data_points="many"), DAMAGED),
    ("whose file is above the store", lambda r: r["files"].update({"../thesis.tex": "0" * 32}), "no file of the store"),
    ("whose file is at the root", lambda r: r["files"].update({"/etc/passwd": "0" * 32}), "no file of the store"),
    ("whose file has a NUL", lambda r: r["files"].update({"a\0b": "0" * 32}), "no file of the store"),
    ("whose files are a list", lambda r: r.update(files=[1]), DAMAGED),
    ("of another kind", lambda r: r.update(kind="block"), DAMAGED),
]
# What a further line says.
LINES: list[tuple[str, dict[str, Any]]] = [
    ("of a block that there is not", BLOCK | {"block": 10**9}),
    ("of a block below none", BLOCK | {"block": -1}),
    ("of a block that is true", BLOCK | {"block": True}),
    ("of a block without a status", {"kind": "block", "block": 0}),
    ("of a status that there is not", BLOCK | {"status": "perhaps"}),
    ("of a status that is a list", BLOCK | {"status": []}),
    ("of a digest that is a number", BLOCK | {"digest": 5}),
    ("of more invalid points than points", BLOCK | {"n_invalid": 10**12}),
    ("of endless time", BLOCK | {"seconds": 1e999}),
    ("of a key that there is not", BLOCK | {"thesis": 1}),
    ("of a kind that there is not", {"kind": "thesis"}),
    ("of a session at noon", {"kind": "session", "at": "noon"}),
]
# What the attributes of a result say; the digest of the file is right.
UNREADABLE = "this is not a readable result"
ATTRIBUTES: list[tuple[str, Change, str]] = [
    ("without a spec", lambda a: a.pop("spec"), "not a result of a sweep"),
    ("whose spec is no JSON", lambda a: a.update(spec="thesis"), UNREADABLE),
    ("whose spec is a list", lambda a: a.update(spec="[]"), UNREADABLE),
    ("whose spec is a number", lambda a: a.update(spec=5), UNREADABLE),
    ("whose spec nests without an end", lambda a: a.update(spec="[" * 10**5), UNREADABLE),
    ("whose spec has no axes", lambda a: a.update(spec="{}"), UNREADABLE),
    ("whose spec is of no kind", lambda a: replace(a, kind="thesis"), UNREADABLE),
    ("whose spec has no such kernel", lambda a: replace(a, kernel="sigmo"), "did you mean 'sigma'"),
    ("whose spec has a list of kernels", lambda a: replace(a, kernel=["sigma"]), UNREADABLE),
    ("whose spec has 10^6 values", lambda a: replace(a, axes={"A": {"values": [1] * 1_000_001}}), "too many values"),
    ("whose spec has axes without values", lambda a: replace(a, axes={"A": {}}), "exactly one form"),
    (
        "whose spec has a metric of nothing",
        lambda a: replace(a, metrics=[None]),
        "a metric that sigcube does not: None",
    ),
]
# What the record of a lock says of its holder.
HOLDER = {"host": "a", "machine": "b", "pid": 1, "started": 0.0, "since": 0.0, "token": "c", "released": False}
HOLDERS: list[tuple[str, bytes]] = [
    *((f"a record {how}", content) for how, content in CONTENTS.items()),
    ("a holder whose number is a text", json.dumps(HOLDER | {"pid": "one"}).encode()),
    ("a holder of endless digits", json.dumps(HOLDER | {"pid": 10**400}).encode()),
    ("a holder below none", json.dumps(HOLDER | {"pid": -1}).encode()),
    ("a holder since the end of time", json.dumps(HOLDER | {"since": 1e300}).encode()),
    ("a holder since nan", json.dumps(HOLDER | {"since": float("nan")}).encode()),
    ("a holder without a host", json.dumps({"pid": 1}).encode()),
    ("a holder of a list", json.dumps(HOLDER | {"host": [1]}).encode()),
]
GONE = ("zarr.json", "rms/zarr.json", "journal/zarr.json", "journal/inputs.npz", "A/c/0")


def replace(attributes: dict[str, Any], **given: Any) -> None:
    attributes["spec"] = json.dumps({**json.loads(attributes["spec"]), **given})


def damaged(name: str, damage: Callable[[Path], object], open_it: Open) -> Callable[[Room], object]:
    def act(room: Room) -> object:
        store = room.copy(name)
        damage(store)
        return open_it(store)

    return act


def holding(file: str, content: bytes) -> Callable[[Path], object]:
    return lambda store: (store / file).write_bytes(content)


def without(file: str) -> Callable[[Path], object]:
    return lambda store: (store / file).unlink()


def held(content: bytes) -> Callable[[Path], object]:
    """Give a lock another record, of now."""
    return lambda store: (store / "journal" / "lock.999999").write_bytes(content)


def locked_by_a_folder(store: Path) -> None:
    (store / "journal" / "lock.999999").mkdir()


def on_a_full_disk(free: int) -> Callable[[Path], object]:
    def open_it(path: Path) -> object:
        usage = mock.Mock(free=free, total=free + 1)
        with mock.patch("sigcube.files.shutil.disk_usage", return_value=usage):
            return resumed(path)

    return open_it


def a_folder_for_the_journal(store: Path) -> None:
    (store / "journal" / "blocks.jsonl").unlink()
    (store / "journal" / "blocks.jsonl").mkdir()


STORES: tuple[Case, ...] = (
    *(
        Case(
            f"{name}: a journal {how}",
            DAMAGED,
            damaged("result.zarr", holding("journal/blocks.jsonl", content + b"\n"), RESULTS[name]),
        )
        for how, content in CONTENTS.items()
        for name in OF_JOURNAL
    ),
    *(
        Case(f"{name}: a journal {how}", said, damaged("result.zarr", header_with(change), RESULTS[name]))
        for how, change, said in HEADERS
        for name in OF_JOURNAL
    ),
    *(
        Case(f"{name}: a line {how}", DAMAGED, damaged("result.zarr", line_of(record), RESULTS[name]))
        for how, record in LINES
        for name in ("status", "run")
    ),
    *(
        Case(
            f"{name}: a journal that is a folder",
            "cannot be read",
            damaged("result.zarr", a_folder_for_the_journal, it),
        )
        for name, it in RESULTS.items()
        if name in OF_JOURNAL
    ),
    *(
        Case(f"{name}: zarr.json {how}", "", damaged("result.zarr", holding("zarr.json", content), RESULTS[name]))
        for how, content in CONTENTS.items()
        for name in OF_ATTRIBUTES
    ),
    *(
        Case(f"{name}: inputs {how}", "", damaged("result.zarr", holding("journal/inputs.npz", content), RESULTS[name]))
        for how, content in CONTENTS.items()
        for name in ("open_result", "from_result", "rerun", "run")
    ),
    *(
        Case(f"{name}: attributes {how}", said, damaged("result.zarr", attributes_with(change), RESULTS[name]))
        for how, change, said in ATTRIBUTES
        for name in ("from_result", "rerun")
    ),
    *(
        Case(f"{name}: {file} is gone", "", damaged("result.zarr", without(file), RESULTS[name]))
        for file in GONE
        for name in ("open_result", "rerun")
    ),
    *(
        Case(f"run: {how}", "the store is being written by another run", damaged("result.zarr", held(content), resumed))
        for how, content in HOLDERS
    ),
    Case("run: a lock that is a folder", "another run", damaged("result.zarr", locked_by_a_folder, resumed)),
    *(
        Case(f"{name}: zarr.json {how}", "", damaged("cube.zarr", holding("zarr.json", content), open_it))
        for how, content in CONTENTS.items()
        for name, open_it in CUBES.items()
    ),
    *(
        Case(f"{name}: {file} of a cube is gone", "", damaged("cube.zarr", without(file), open_it))
        for file in ("r/c/0/0", "galaxy/c/0")
        for name, open_it in CUBES.items()
    ),
    *(
        Case(
            f"open_result: a fit, zarr.json {how}", "", damaged("fit.zarr", holding("zarr.json", content), open_result)
        )
        for how, content in CONTENTS.items()
    ),
    Case("run: a disk that is full", "the disk has no room", lambda room: on_a_full_disk(0)(room.folder / "out.zarr")),
    Case("run: no room for the rest", "the disk has no room", damaged("result.zarr", os.stat, on_a_full_disk(10))),
)
