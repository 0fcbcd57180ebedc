"""Every input that cannot be ends in one clear error, and leaves nothing behind.

``python -m tests.bad_inputs`` measures time and memory of each.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sigcube.errors import SigcubeError
from tests.bad_inputs import CASES, Case, Room
from tests.bad_inputs.cases import make_stores
from tests.bad_inputs.commands import COMMANDS
from tests.calling import call

ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stores(tmp_path_factory.mktemp("stores"))


# Each takes more processor time than a hundred others, and beside each there is another of its sort.
DEAR = {
    "TOML: lists ten thousand deep",
    "TOML: ten thousand unknown keys",
    *(f"bomb: {name}" for name in ("a.fits.bz2", "a.fits.gz", "empty_lines.csv.gz", "rows.csv.gz")),
    "file: ECSV whose header nests without an end",
    "file: a zip that unpacks without an end",
}


def marked(case: Case) -> Any:
    return pytest.param(case, marks=[pytest.mark.slow] if case.reason in DEAR else [], id=case.reason)


@pytest.mark.slow
@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_a_bad_input_is_one_clear_error(case: Case, stores: Path, tmp_path: Path) -> None:
    room = Room(tmp_path, stores)
    with pytest.raises(SigcubeError) as caught:
        case.act(room)
    error, text = caught.value, str(caught.value)
    assert case.said in text
    # What is wrong, and at least one of: where, what was found, what would be right, what to do.
    assert any((error.where, error.found, error.expected, error.hint))
    assert len(text) < 20_000
    assert all(each.isprintable() or each == "\n" for each in text)
    assert room.left() == []


def test_each_case_has_a_reason_of_its_own() -> None:
    assert [reason for reason, n in Counter(case.reason for case in CASES).items() if n > 1] == []
    assert len(CASES) >= 250
    assert {case.reason for case in CASES} >= DEAR


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(COMMANDS)), ids=[f"{case[1][:2]!a}: {case[3]}" for case in COMMANDS])
def test_commands_say_it_and_exit_with_a_code(
    case: int, stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, words, code, said = COMMANDS[case]
    folder = _with_files(stores, tmp_path, files)
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    run = call(*words)
    assert sorted(folder.iterdir()) == before
    assert (run.exit_code, said in run.stderr, run.stdout) == (code, True, ""), run.output
    # The commands raise nothing but what ends a process with a code.
    assert run.exception is None or isinstance(run.exception, SystemExit)


@pytest.mark.slow
@pytest.mark.parametrize("case", [0, 2, 6], ids=["a bound", "bytes that are no text", "a folder that is no fit"])
def test_so_does_a_process(case: int, stores: Path, tmp_path: Path) -> None:
    files, words, code, said = COMMANDS[case]
    folder = _with_files(stores, tmp_path, files)
    before = sorted(folder.iterdir())
    command = [sys.executable, "-c", "from sigcube.cli import app; app()", *words]
    run = subprocess.run(command, cwd=folder, env=ENV, capture_output=True, text=True, timeout=300)
    assert sorted(folder.iterdir()) == before
    assert (run.returncode, said in run.stderr, "Traceback" in run.stderr, run.stdout) == (code, True, False, "")


def _with_files(stores: Path, tmp_path: Path, files: Mapping[str, str]) -> Path:
    folder = Path(shutil.copytree(stores, tmp_path / "here"))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
