"""The pages on architecture and extending say what is there, and their examples work."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sigcube
from tests.test_import_direction import ROOMS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
EXTENDING = (DOCS / "extending.md").read_text(encoding="utf-8")


def test_the_picture_shows_the_rooms_in_their_order() -> None:
    picture = (DOCS / "architecture_rooms.svg").read_text(encoding="utf-8")
    # From the top to the ground, each row from the left: a room imports from what comes after it.
    drawn = re.findall(r'class="n"[^>]*>([^<]+)<', picture)
    assert drawn == [room for room in reversed(ROOMS) if room != "__main__"]


def test_every_step_of_the_picture_of_a_sweep_is_there() -> None:
    picture = (DOCS / "architecture_sweep.svg").read_text(encoding="utf-8")
    steps = re.findall(r'class="c"[^>]*>([^<]+)<', picture)
    assert len(steps) > 8
    for step in steps:
        room = re.match(r"\w+/", step)
        files = [file if "/" in file or not room else f"{room[0]}{file}" for file in re.findall(r"[\w/]+\.py", step)]
        nodes = [node for file in files for node in ast.parse((ROOT / "sigcube" / file).read_text("utf-8")).body]
        defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert set(re.findall(r"\w+", re.sub(r"[\w/]+\.py", "", step))) <= defined, step


@pytest.mark.parametrize("text", [ARCHITECTURE, EXTENDING], ids=["architecture", "extending"])
def test_every_file_that_is_named_is_there(text: str) -> None:
    named = re.findall(r"`((?:sigcube|tests|sweeps|ingest|cubes)/[\w/.]*)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    linked = [link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    assert [link for link in linked if not (DOCS / link).exists()] == []


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", EXTENDING, flags=re.S)


@pytest.mark.slow
def test_the_model_is_registered_by_its_file_alone(tmp_path: Path) -> None:
    model = _blocks()[0]
    assert len(model.splitlines()) <= 40
    shutil.copytree(Path(sigcube.__file__).parent, tmp_path / "sigcube", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sigcube" / "kernels" / "yukawa.py").write_text(model, encoding="utf-8")
    code = (
        "import sigcube; from sigcube.readers.mock import mock_survey; print(sigcube.__file__);"
        "print(sigcube.kernels['yukawa'].predict(mock_survey(n_galaxies=2, seed=1), alpha=2.0).notnull().any().item())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "SIGCUBE_COMPILED": "off"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "sigcube" / "__init__.py"), "True"]


@pytest.mark.slow
def test_the_metric_works_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(_blocks()[1], "docs/extending.md", "exec"), {})
    assert "<xarray.DataArray 'mean_cubed_mean'" in capsys.readouterr().out
