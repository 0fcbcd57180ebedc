"""The notebooks run from first cell to last, on synthetic data and on real ones, and are kept as they should be."""

import ast
import json
import os
import re
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLUSTER = "03_dask_cluster"
Runs = Callable[[str], tuple[dict[str, Any], str]]


def _marked(paths: list[Path]) -> list[Any]:
    marks = {CLUSTER: [pytest.mark.cluster]}
    return [pytest.param(path, id=path.stem, marks=marks.get(path.stem, pytest.mark.slow)) for path in paths]


def _cells(path: Path, kind: str) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def _run(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """Execute the cells in one namespace; return it, and what the last expression of each cell came to."""
    # A second to import, and the quick tests are collected from here too.
    import holoviews

    names: dict[str, Any] = {"__name__": "notebook"}
    values = []
    for number, source in enumerate(_cells(path, "code"), 1):
        where = f"{path.name}, code cell {number}"
        tree = ast.parse(source, filename=where)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr), where
        exec(compile(tree, where, "exec"), names)
        value = eval(compile(ast.Expression(last.value), where, "eval"), names)
        assert value is not None or ast.unparse(last).startswith("print("), f"{where} shows nothing"
        # What a notebook shows of it. A plot that can be made cannot always be drawn.
        assert repr(value)
        if type(value).__module__.startswith("holoviews."):
            assert holoviews.render(value, backend="bokeh") is not None
        values.append(value)
    return names, values


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory beside which there is no cube, and no file that was fetched."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def without_data(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A function that executes a notebook without real data, once: its namespace, and what it printed."""

    @cache
    def run(name: str) -> tuple[dict[str, Any], str]:
        # A current directory beside which there is no cube, and no file that was fetched.
        folder = tmp_path_factory.mktemp(name) / "notebooks"
        folder.mkdir()
        environment = mock.patch.dict(os.environ, SIGCUBE_CACHE=str(folder.parent / "cache"))
        with chdir(folder), environment, redirect_stdout(StringIO()) as printed:
            names, _ = _run(ROOT / "notebooks" / f"{name}.ipynb")
        return names, printed.getvalue()

    return run


@pytest.mark.parametrize("path", _marked(NOTEBOOKS))
def test_a_notebook_runs_without_real_data(path: Path, without_data: Runs) -> None:
    names, printed = without_data(path.stem)
    assert "synthetic" in printed
    if "cube" in names:
        assert names["cube"].attrs["synthetic"] == 1


@pytest.mark.slow
def test_without_sparc_its_numbers_cannot_be_tested(
    without_data: Runs,
) -> None:
    names, _ = without_data("05_check_the_papers")
    assert {str(entry.verdict) for entry in names["of_sparc"]} == {"cannot be tested"}
    assert "cannot be tested" not in {str(entry.verdict) for entry in names["entries"]}


@pytest.mark.slow
def test_the_first_sweep_finds_the_model_that_made_the_galaxies(
    without_data: Runs,
) -> None:
    names, _ = without_data("01_first_sweep")
    for axis, truth in names["TRUTH"].items():
        low, high = names["box"][axis]
        assert low <= truth <= high
    assert names["result"].attrs["synthetic"] == 1


@pytest.mark.slow
def test_the_first_sweep_runs_on_sparc(folder: Path, sparc_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cubes").mkdir()
    (folder / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    names, _ = _run(ROOT / "notebooks" / "01_first_sweep.ipynb")
    assert capsys.readouterr().out.startswith("real data")
    assert names["result"].sizes["galaxy"] == 171


@pytest.mark.slow
def test_the_papers_are_checked_with_sparc(folder: Path, sparc_path: Path) -> None:
    (folder / "cubes").mkdir()
    (folder / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    names, _ = _run(ROOT / "notebooks" / "05_check_the_papers.ipynb")
    found = {entry.claim.id: entry.value() for entry in names["of_sparc"]}
    assert set(found) == set(names["wanted"])
    assert found["sparc.count.sample"] == 171
    assert None not in found.values()


@pytest.mark.slow
def test_a_referee_is_answered_with_sparc(folder: Path, sparc_path: Path) -> None:
    (folder / "cubes").mkdir()
    (folder / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    names, _ = _run(ROOT / "notebooks" / "07_what_a_referee_asks.ipynb")
    assert names["mond"].sizes["galaxy"] == 171
    assert names["compared"]["model"].values[-1] == "Newton"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook["metadata"] == {"kernelspec": kernel, "language_info": {"name": "python"}}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert 10 <= len(notebook["cells"]) <= 25
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert cell["source"]
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_titled_and_names_no_place_of_one_machine(path: Path) -> None:
    texts = _cells(path, "markdown")
    assert texts[0].startswith("# ")
    assert [text for text in texts[1:] if not text.startswith("## ")] == []
    everything = "\n".join(texts + _cells(path, "code"))
    assert re.findall(r"(?:[\s\"'(]|^)(?:/(?:home|work|tmp|Users|root|mnt|data)\b|~/|[A-Z]:\\)", everything) == []
    others = re.findall(r"\b\d\d_\w+\.ipynb", everything)
    assert [name for name in others if not (ROOT / "notebooks" / name).is_file()] == []
    # Where there is no real cube, the reader is told before anything else.
    assert re.search(r"\*\*synthetic\*\*|shipped", texts[0])


def test_the_readme_lists_every_notebook() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) >= 3
    assert re.findall(r"\]\((notebooks/\w+\.ipynb)\)", readme) == [f"notebooks/{path.name}" for path in NOTEBOOKS]
