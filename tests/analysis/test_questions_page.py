"""The page on questions says what comes out: its commands and its Python are run on the real data."""

import doctest
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sigcube.cli import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "questions.md").read_text(encoding="utf-8")


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.page
@pytest.mark.slow
def test_the_page_shows_what_the_commands_print(
    sparc_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    monkeypatch.chdir(tmp_path)
    asked = [part for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for part in block.split("$ ")[1:]]
    assert len(asked) == 10
    for part in asked:
        command, _, shown = part.partition("\n")
        done = CliRunner().invoke(app, command.split()[1:])
        assert done.exit_code == 0, done.output
        # What a sweep prints has its speed in it.
        assert not shown or lines_of(done.stdout) == lines_of(shown), command
    python = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(python) == 2
    for each in python:
        test = doctest.DocTestParser().get_doctest(each, {}, "questions.md", "docs/how-to/questions.md", 0)
        assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0
