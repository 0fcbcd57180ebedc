"""The wheel is enough: it holds what the commands need, and its description makes sense without the repository."""

import email
import importlib.abc
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import sigcube
from sigcube.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ABOUT = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
USER = """
import sigcube
from sigcube.cli import app

print(sigcube.__file__)
for words in (["ingest", "landmarks"], ["show", "cubes/landmarks.zarr"], ["kernels"], ["datasets"]):
    app(words, standalone_mode=False)
print(sigcube.Sweep.from_toml("si4_landmarks").plan(probe=False).n_points, "points")
print(len(sigcube.claims.load_claims()), "claims")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_every_file_of_the_package_every_recipe_and_every_spec(wheel: Path) -> None:
    there = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    package = [path for path in (ROOT / "sigcube").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    shipped = [path for folder in ("ingest", "sweeps") for path in (ROOT / folder).rglob("*") if path.is_file()]
    wanted = {str(path.relative_to(ROOT)) for path in package}
    wanted |= {f"sigcube/_shipped/{path.relative_to(ROOT)}" for path in shipped}
    about = f"sigcube-{sigcube.__version__}.dist-info"
    assert there == wanted | {f"{about}/{name}" for name in ABOUT}


def test_the_description_names_files_where_the_readme_links_to_them(wheel: Path) -> None:
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    text = email.message_from_bytes(metadata.read_bytes()).get_payload(decode=True).decode("utf-8")
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")] == []
    assert "![" not in text
    assert re.findall(r"```.*?```", text, flags=re.S) == re.findall(r"```.*?```", README, flags=re.S)
    for link in re.findall(r"(?<!!)\[[^]]*\]\(([^)]+)\)", re.sub(r"!\[.*", "", README)):
        assert link in text


def test_every_extra_that_is_named_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"sigcube\[(\w+)\]", README)
    assert named
    assert set(named) <= set(project["optional-dependencies"])


@pytest.mark.slow
def test_a_user_of_the_wheel_needs_no_repository(wheel: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(wheel)}
    run = subprocess.run([sys.executable, "-c", USER], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert Path(lines[0]).is_relative_to(wheel)
    assert lines[-2] == "21 points"
    assert re.fullmatch(r"\d{3,} claims", lines[-1])
    assert (tmp_path / "cubes" / "landmarks.html").stat().st_size > 100_000


class _Interrupted(importlib.abc.MetaPathFinder):
    """An import of the command line during which Ctrl-C is pressed."""

    def __init__(self, within_a_class: bool) -> None:
        self.within_a_class = within_a_class

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "sigcube.cli":
            _interrupt(within_a_class=self.within_a_class)


def _interrupt(*_: object, within_a_class: bool) -> None:
    """Be interrupted, within a class statement as Python up to 3.11 tells of it."""
    if within_a_class:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()
    raise KeyboardInterrupt


@pytest.mark.parametrize("within_a_class", [False, True])
def test_an_interrupt_during_the_imports_is_no_traceback(monkeypatch: pytest.MonkeyPatch, within_a_class: bool) -> None:
    # Which tests ran before in this process decides whether it is there.
    monkeypatch.delitem(sys.modules, "sigcube.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Interrupted(within_a_class), *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        main()


@pytest.mark.parametrize("within_a_class", [False, True])
def test_an_interrupt_before_a_command_begins_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, within_a_class: bool
) -> None:
    monkeypatch.setattr("typer.main.get_command", partial(_interrupt, within_a_class=within_a_class))
    with pytest.raises(SystemExit, match="130"):
        main()


def test_an_error_that_is_no_interrupt_is_traced_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("typer.main.get_command", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        main()
