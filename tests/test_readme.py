"""What the README says is so: its Python runs, its commands exist, its links lead somewhere."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from typer.main import get_command

from sigcube.cli import app
from sigcube.shipped import shipped

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    statements = ast.parse(code).body
    assert len(statements) <= 10
    names: dict[str, Any] = {}
    # The README shows a grid of some size; the test checks that the lines are right.
    smaller = re.sub(r"linspace\((.*?), (.*?), \d+\)", r"linspace(\1, \2, 3)", code)
    exec(compile(smaller, "README.md", "exec"), names)
    assert names["result"].rms.dims == ("galaxy", "window", "A", "upsilon_disk")
    assert names["best"].rms.dims == ("galaxy",)
    assert xr.open_zarr(tmp_path / "first.zarr", chunks=None).rms_mean.equals(names["result"].rms_mean)


def test_the_commands_of_the_readme_exist() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(r"^(?:\.venv/bin/)?sigcube +(\w+)(.*)$", "".join(blocks("text")), flags=re.MULTILINE)
    assert [verb for verb, _ in lines] == ["fetch", "ingest", "sweep", "explore"]
    for verb, rest in lines:
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, verb
    specs = set(re.findall(r"sigcube +(?:plan|sweep|fit) +(\w+)$", README, flags=re.MULTILINE))
    assert specs
    assert specs <= set(shipped("sweeps"))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link.partition("#")[0]).is_file()] == []
    for file, _, section in (link.partition("#") for link in links if "#" in link):
        headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert section in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"setup", "demo", "test", "lint", "types", "bench", "docs", "lock", "clean"} <= targets
    assert set(re.findall(r"\bmake (\w+)  ", README)) == {"demo", "test"}
    assert set(re.findall(r"\bmake (\w+)", README)) <= targets


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "demo_map.png").stat().st_size < 300_000


def _pinned(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []
    return {name.lower().replace("_", "-"): version for name, _, version in (line.partition("==") for line in lines)}


def test_the_locks_pin_every_dependency_and_name_no_host() -> None:
    pinned, of_the_guide = _pinned("requirements.lock"), _pinned("requirements-docs.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"]]
    assert {re.split(r"[<>=\[ ;]", each)[0].lower() for each in wanted} <= set(pinned)
    assert {re.split(r"[<>=\[ ;]", each)[0].lower() for each in extras["docs"]} <= set(pinned | of_the_guide)
    # What both need has one version, which `make setup` installs.
    assert not pinned.keys() & of_the_guide.keys()


def test_the_citation_has_the_version() -> None:
    import sigcube

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {sigcube.__version__}\n" in citation
    assert f"## {sigcube.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    everything = [*project["dependencies"], *extras["plot"], *extras["arviz"], *extras["sa"]]
    declared = {re.split(r"[<>=]", each)[0] for each in everything}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "sigcube").rglob("*.py")]
    nodes = [node for text in sources for node in ast.walk(ast.parse(text))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"sigcube"}
    assert imported == declared
