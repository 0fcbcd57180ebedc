"""The guide says what is there: links lead somewhere, commands and options exist, examples work.

`make docs` executes what this does not: the cells of its pages, and their commands.
"""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.main import get_command

import sigcube
from sigcube.cli import ExitCode, app
from sigcube.cube import save_cube
from sigcube.shipped import shipped
from sigcube.sweep import Sweep
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


def test_the_rooms_are_listed_in_their_order() -> None:
    listed = ARCHITECTURE.partition("It imports only from rooms before it: ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", listed) == [room for room in ROOMS if room != "__main__"]


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


PAGES = sorted(path for path in DOCS.rglob("*.md") if "notebooks" not in path.parts)
COMMANDS = (DOCS / "reference" / "command_line.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES:
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
            entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / f"{entry}.md").resolve() for entry in entries}
    assert [page for page in PAGES if page not in listed] == []


def test_no_page_makes_what_another_has_made() -> None:
    """They are read in one folder, where a second cube or sweep of one name is refused."""
    made: dict[str, set[str]] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        calls = re.findall(r"""(?:save_cube|ingest|run)\([^\n]*?"(cubes/[^"]+)"(?:, (overwrite)=True)?""", text)
        specs = re.findall(r"""%%writefile (\S+)|open\("([^"]+)", "w\"""", text)
        commands = re.findall(r"^sigcube ingest (\w+)(?: (--overwrite))?$", text, flags=re.M)
        calls += [(f"cubes/{name}.zarr", again) for name, again in commands if name == "landmarks"]
        for name in {*(name for name, again in calls if not again), *("".join(each) for each in specs)}:
            made.setdefault(name, set()).add(page.name)
    assert len(made) > 8
    assert {name: pages for name, pages in made.items() if len(pages) > 1} == {}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_commands_of_a_page_exist(page: Path) -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    blocks = re.findall(r"```(?:\{shell\}|console|text|bash)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    code = re.sub(r"\\\n", " ", "".join(blocks))
    for verb, rest in re.findall(r"^(?:\$ )?(?:srun |timeout \S+ \d+ )?sigcube +(\w+)(.*)$", code, flags=re.M):
        assert verb in verbs
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, verb
        if verb in ("plan", "sweep", "fit") and re.match(r" +[a-z0-9_]+(?=\s|$)", rest):
            assert rest.split()[0] in shipped("sweeps")


def test_every_command_is_shown_once_at_least() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"^sigcube +(\w+)", COMMANDS, flags=re.M)) == set(verbs) - {"demo"}


def test_the_exit_codes_are_those_of_the_command() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", COMMANDS, flags=re.M)}
    assert codes == {0, *map(int, ExitCode)}


def test_the_spec_of_the_reference_can_be_planned(
    tmp_path: Path, sparc_like: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sparc_like)
    spec, models = re.findall(r"```toml\n(.*?)```", (DOCS / "reference" / "spec.md").read_text("utf-8"), flags=re.S)[:2]
    (tmp_path / "spec.toml").write_text(spec, encoding="utf-8")
    plan = Sweep.from_toml(tmp_path / "spec.toml").plan(probe=False)
    assert plan.dims == {"window": 2, "k": 3, "xi_scale": 100, "A": 100}
    several = spec.replace('kernel = "sigma"\n', "").replace('scale_length = "disk_peak"\n', "").partition("[axes]")[0]
    (tmp_path / "spec.toml").write_text(several + models, encoding="utf-8")
    assert Sweep.from_toml(tmp_path / "spec.toml").plan(probe=False).dims == {"model": 2}


@pytest.fixture
def sparc_like(tmp_path: Path, mock_cube: xr.Dataset) -> Path:
    """A folder with a synthetic cube under the name of SPARC's, with its sample."""
    samples = json.loads(mock_cube.attrs["samples"])
    samples["paper171"] = samples["unflagged"]
    save_cube(mock_cube.assign_attrs(samples=json.dumps(samples)), tmp_path / "cubes" / "sparc.zarr")
    return tmp_path


def test_the_words_of_the_glossary_are_those_of_the_architecture(pages: ModuleType) -> None:
    words = pages.glossary()
    for word in ("reading", "convention", "sample", "claim", "kernel", "journal"):
        assert f"\n{word}\n  " in words


def test_a_block_of_commands_is_followed_by_a_cell_that_runs_it(pages: ModuleType) -> None:
    shown = pages.as_cells("a\n```{shell}\nls {x}\n```\nb")
    assert shown.startswith("a\n```bash\nls {x}\n```\n")
    assert "\n_commands = 'ls {x}\\n'\n" in shown
    assert shown.endswith("\n```\nb")


def test_the_reference_has_every_model_and_every_command(pages: ModuleType) -> None:
    models, commands = pages.models(), pages.commands()
    assert re.findall(r"^## (\w+)$", models, flags=re.M) == list(sigcube.kernels)
    assert "| `geometric` | " in models
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    assert re.findall(r"^### (\w+)$", commands, flags=re.M) == list(verbs)
    assert "| `--repair` | " in commands


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "python.rst").read_text(encoding="utf-8")
    there = {
        module: set(re.findall(r"^   (\w+)$", part, flags=re.M))
        for module, part in re.findall(r"currentmodule:: (\S+)\n(.*?)(?=\.\. currentmodule|\Z)", text, flags=re.S)
    }
    for module in ("sigcube.analysis", "sigcube.claims", "sigcube.field", "sigcube.explore.figures"):
        public = {name for name in importlib.import_module(module).__all__ if not name.isupper()}
        assert public == there[module], module
    modules = {name for name in sigcube.__all__ if isinstance(getattr(sigcube, name), ModuleType)}
    assert set(sigcube.__all__) - {"__version__"} - modules == there["sigcube"]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that writes parts of the guide."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module("pages")


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", EXTENDING, flags=re.S)


@pytest.mark.slow
def test_the_model_is_what_its_docstrings_say(mock_cube: xr.Dataset) -> None:
    names: dict[str, Any] = {}
    exec(compile(_blocks()[0], "docs/extending.md", "exec"), names)
    boost = names["YUKAWA"].boost(mock_cube, alpha=2.0, wavelength=3.0)
    x = mock_cube.r / 3.0
    np.testing.assert_allclose(boost, 1 + 2.0 * (1 - (1 + x) * np.exp(-x)), rtol=1e-12)


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


def test_the_sweep_of_likelihoods_can_be_planned(
    tmp_path: Path, sparc_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"sigcube": sigcube}
    code = re.findall(r"```python\n(.*?)```", (DOCS / "likelihoods.md").read_text("utf-8"), flags=re.S)[0]
    exec(compile(code, "docs/likelihoods.md", "exec"), names)
    assert names["sweep"].plan(probe=False).dims == {"a0": 61}
