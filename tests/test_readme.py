"""What the README says is so: its Python runs, its commands and options exist, its links lead somewhere."""

import ast
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.main import get_command

from sigcube.cli import ExitCode, app
from sigcube.cube import save_cube
from sigcube.shipped import shipped
from sigcube.sweep import Sweep

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, mock_cube: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a synthetic cube under the names that the README uses."""
    names = mock_cube["galaxy"].values.copy()
    names[0] = "NGC2403"
    samples = json.loads(mock_cube.attrs["samples"])
    renamed = mock_cube.assign_coords(galaxy=("galaxy", names, mock_cube["galaxy"].attrs))
    (tmp_path / "cubes").mkdir()
    save_cube(
        renamed.assign_attrs(samples=json.dumps({**samples, "paper171": samples["unflagged"]})),
        tmp_path / "cubes" / "sparc.zarr",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smaller(code: str) -> str:
    """Cut the axes down: the README shows a sweep of some size, and the test checks that it is right."""
    return re.sub(r"space\((.*?), (.*?), \d+\)", r"space(\1, \2, 3)", code)


@pytest.mark.cluster
def test_the_python_of_the_readme_runs(here: Path) -> None:
    code = smaller("\n".join(blocks("python")))
    assert code.count("space(") == code.count(", 3)") == 8
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["result"].rms.dims == ("galaxy", "window", "k", "xi_scale", "A")
    assert names["fit"].plan(probe=False).dims == {"alpha": 4, "wavelength": 3}
    assert names["fitted"].A.dims == ("model", "galaxy")
    geometric = names["result"].rms_mean.sel(window="geometric")
    np.testing.assert_array_equal(geometric.isel(k=0), geometric.isel(k=2))
    assert "power" in geometric.k.attrs["comment"]


def test_the_model_of_the_readme_is_what_its_docstrings_say(here: Path, mock_cube: xr.Dataset) -> None:
    names: dict[str, Any] = {"cube": mock_cube}
    exec(compile(smaller(blocks("python")[-1]).replace("fit = sigcube.", "# "), "README.md", "exec"), names)
    boost = names["YUKAWA"].boost(mock_cube, alpha=2.0, wavelength=3.0)
    x = mock_cube.r / 3.0
    np.testing.assert_allclose(boost, 1 + 2.0 * (1 - (1 + x) * np.exp(-x)), rtol=1e-12)


def test_the_spec_of_the_readme_can_be_planned(here: Path) -> None:
    spec, models = blocks("toml")
    (here / "spec.toml").write_text(spec, encoding="utf-8")
    plan = Sweep.from_toml("spec.toml").plan(probe=False)
    assert plan.dims == {"window": 2, "k": 3, "xi_scale": 100, "A": 100}
    several = spec.replace('kernel = "sigma"\n', "").replace('scale_length = "disk_peak"\n', "").partition("[axes]")[0]
    (here / "spec.toml").write_text(several + models, encoding="utf-8")
    assert Sweep.from_toml("spec.toml").plan(probe=False).dims == {"model": 2}


def test_the_commands_of_the_readme_exist() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(r"^sigcube +(\w+)(.*)$", "".join(blocks("")), flags=re.MULTILINE)
    assert {verb for verb, _ in lines} == set(verbs) - {"demo"}
    for verb, rest in lines:
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, verb
    specs = set(re.findall(r"^sigcube +(?:plan|sweep|fit) +(\w+) ", README, flags=re.MULTILINE))
    assert len(specs) >= 2
    assert specs <= set(shipped("sweeps"))
    for path in re.findall(r"sweeps/\w+\.toml", README):
        assert (ROOT / path).is_file()


def test_the_exit_codes_of_the_readme_are_those_of_the_command() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    assert codes == {0, *map(int, ExitCode)}


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"setup", "demo", "test", "lint", "types", "bench", "lock", "clean"} <= targets
    assert set(re.findall(r"\bmake (\w+)  ", README)) == {"demo", "test"}


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "demo_map.png").stat().st_size < 300_000


def test_the_lock_pins_every_dependency_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in lock if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lock}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[<>=\[ ;]", each)[0].lower() for each in wanted} <= pinned


def test_the_citation_has_the_version() -> None:
    import sigcube

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {sigcube.__version__}\n" in citation
    assert f"## {sigcube.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everything = [*project["dependencies"], *project["optional-dependencies"]["plot"]]
    declared = {re.split(r"[<>=]", each)[0] for each in everything}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "sigcube").rglob("*.py")]
    nodes = [node for text in sources for node in ast.walk(ast.parse(text))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"sigcube"}
    assert imported == declared
