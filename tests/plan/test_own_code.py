"""Kernels and metrics of the user's own, named in files and options: imported from there, and from nowhere else."""

import json
import pickle
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import cloudpickle
import numba
import numpy as np
import pytest
import xarray as xr

from sigcube import Sweep
from sigcube.errors import SpecError
from sigcube.fits import Fit
from sigcube.kernels import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.own_code import find_own_code, own_records
from tests.calling import call

MODULE = """
from sigcube import Kernel, Parameter
from sigcube.model.metrics import Metric

def boost(r: float, alpha: float) -> float:
    return 1.0 + alpha * r / (r + 5.0)

def worst(n: float, total_sq: float) -> float:
    return total_sq

MINE = Kernel(
    name="mine",
    title="Mine",
    source="a test",
    terms={"boost": boost},
    parameters=(Parameter("alpha", "α", 1.0, "", (0.0, 10.0), "fitted", "a test", "strength"),),
)
SQUARES = Metric("squares", "sum of squares", ("residual_sq",), worst, "system", "km2 / s2")
OTHER = 3
"""
SWEEP = """
cube = "cube.zarr"
sample = "unflagged"
kernel = "{module}:MINE"
metrics = ["rms", "{module}:SQUARES"]
reference = {{ kernel = "mond" }}
[axes]
alpha = [0.5, 1.0]
"""
FIT = """
cube = "cube.zarr"
sample = "unflagged"
objective = "rms"
[[model]]
name = "mine"
kernel = "{module}:MINE"
free = {{ alpha = {{ linspace = [0.0, 4.0, 9] }} }}
"""


@pytest.fixture
def folder(tmp_path: Path, mock_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a user has it, which is the current one."""
    shutil.copytree(mock_path, tmp_path / "cube.zarr")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def module(folder: Path) -> str:
    """A module beside the specs, of a name that no test had before, for Python imports a name once."""
    name = f"own_{uuid.uuid4().hex}"
    (folder / f"{name}.py").write_text(MODULE, encoding="utf-8")
    return name


@pytest.mark.slow
def test_a_sweep_of_ones_own_is_that_of_its_records(folder: Path, module: str, mock_cube: xr.Dataset) -> None:
    (folder / "spec.toml").write_text(SWEEP.format(module=module), encoding="utf-8")
    found = Sweep.from_toml(folder / "spec.toml").compute()
    own = own_records([f"{module}:MINE", f"{module}:SQUARES"])
    kernel, metric = own["own_kernels"]["mine"], own["own_metrics"]["squares"]
    expected = Sweep(
        mock_cube,
        sample="unflagged",
        kernel=kernel,
        metrics=["rms", metric],
        reference={"kernel": "mond"},
        axes={"alpha": [0.5, 1.0]},
    ).compute()
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    assert json.loads(found.attrs["spec"])["kernel"] == "mine"


@pytest.mark.slow
def test_a_result_imports_nothing_by_itself_and_is_made_again_with_what_is_named(folder: Path, module: str) -> None:
    (folder / "spec.toml").write_text(SWEEP.format(module=module), encoding="utf-8")
    Sweep.from_toml("spec.toml").run("r.zarr", workers=0)
    alone = call("rerun", "r.zarr")
    assert alone.exit_code == 2
    assert "--own MODULE:NAME" in alone.stderr
    own = ["--own", f"{module}:MINE", "--own", f"{module}:SQUARES"]
    again = call("rerun", "r.zarr", *own, "--workers", "0")
    assert (again.exit_code, again.stdout) == (0, "r-rerun.zarr: 1 block compared, 0 differ\n")
    sound = call("verify", "r.zarr", "--sample", "1", *own)
    assert "1 computed again" in sound.stdout, sound.stderr


def test_a_fit_of_ones_own(folder: Path, module: str) -> None:
    (folder / "fit.toml").write_text(FIT.format(module=module), encoding="utf-8")
    assert "mine" in repr(Fit.from_toml("fit.toml"))
    unnamed = FIT.format(module=module).replace('name = "mine"\n', "")
    (folder / "fit.toml").write_text(unnamed, encoding="utf-8")
    assert repr(Fit.from_toml("fit.toml")).startswith("<Fit of mine (")
    twice = FIT.format(module=module) + "[[model]]" + unnamed.partition("[[model]]")[2]
    (folder / "fit.toml").write_text(twice, encoding="utf-8")
    with pytest.raises(SpecError, match="two models are called 'mine'"):
        Fit.from_toml("fit.toml")


@pytest.mark.slow
def test_the_code_travels_to_a_process_that_does_not_find_its_module(folder: Path, module: str) -> None:
    (kernel,) = own_records([f"{module}:MINE"])["own_kernels"].values()
    sent = cloudpickle.dumps(kernel)
    (folder / f"{module}.py").unlink()
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).terms['boost'](5.0, 2.0))"
    there = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True, cwd="/")
    assert there.stdout.decode().strip() == "2.0"
    assert pickle.loads(sent).name == "mine"


def test_modules_of_one_name_in_two_folders_are_two_and_an_edited_one_is_read_again(tmp_path: Path) -> None:
    def boost_in(folder: str) -> float:
        (kernel,) = (find_own_code({"kernel": "twice:MINE"}, folder=tmp_path / folder)["kernel"],)
        return float(kernel.terms["boost"](5.0, 2.0))

    def write(folder: str, length: str) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "lengths.py").write_text(f"LENGTH = {length}\n")
        text = MODULE.replace("5.0", "LENGTH").replace(
            "from sigcube import", "from lengths import LENGTH\nfrom sigcube import"
        )
        (tmp_path / folder / "twice.py").write_text(text, encoding="utf-8")

    write("one", "5.0")
    write("two", "15.0")
    assert (boost_in("one"), boost_in("two"), boost_in("one")) == (2.0, 1.5, 2.0)
    # Python takes a file of the same second and size for the one that it compiled.
    write("one", "45.00")
    assert boost_in("one") == 1.2
    assert not {"twice", "lengths"} & set(sys.modules)


@pytest.mark.slow
def test_what_a_module_imports_from_its_folder_travels_with_it(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text("def shape(r: float) -> float:\n    return r / (r + 5.0)\n")
    text = MODULE.replace("r / (r + 5.0)", "shape(r)").replace(
        "from sigcube import", "from shapes import shape\nfrom sigcube import"
    )
    (tmp_path / "with_help.py").write_text(text, encoding="utf-8")
    sent = cloudpickle.dumps(find_own_code({"kernel": "with_help:MINE"}, folder=tmp_path)["kernel"])
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).terms['boost'](5.0, 2.0))"
    there = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True, cwd="/")
    assert there.stdout.decode().strip() == "2.0"


def test_a_package_of_a_virtual_environment_within_the_folder_stays_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / ".venv" / "lib"
    packages.mkdir(parents=True)
    (packages / "installed_here.py").write_text("LENGTH = 5.0\n")
    text = MODULE.replace("5.0", "LENGTH").replace(
        "from sigcube import", "from installed_here import LENGTH\nfrom sigcube import"
    )
    (tmp_path / "with_package.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(packages))
    find_own_code({"kernel": "with_package:MINE"}, folder=tmp_path)
    assert "with_package" not in sys.modules
    # Imported twice it would be two modules, with two classes of each name.
    assert sys.modules.pop("installed_here").LENGTH == 5.0


def test_a_module_beside_the_spec_comes_before_one_that_is_loaded(tmp_path: Path) -> None:
    loaded = sys.modules["json"]
    (tmp_path / "json.py").write_text(MODULE, encoding="utf-8")
    assert find_own_code({"kernel": "json:MINE"}, folder=tmp_path)["kernel"].name == "mine"
    assert sys.modules["json"] is loaded


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere_to_be_found:MINE", "there is no module 'nowhere_to_be_found'"),
        ("{module}:MIEN", "has no Kernel 'MIEN'(.|\n)*did you mean 'MINE'"),
        ("{module}:OTHER", "has no Kernel 'OTHER'(.|\n)*found: OTHER = int"),
        ("{module}:SQUARES", "has no Kernel 'SQUARES'"),
        ("{module}:", "has no Kernel ''"),
        (":MINE", "this names no module"),
        ("../{module}:MINE", "this names no module"),
        ("broken:MINE", "module 'broken' cannot be imported(.|\n)*found: ZeroDivisionError"),
        (
            "needs:MINE",
            "module 'needs' cannot be imported(.|\n)*No module named 'not_here'",
        ),
    ],
)
def test_what_cannot_be_found_is_one_error(folder: Path, module: str, given: str, said: str) -> None:
    (folder / "broken.py").write_text("1 / 0")
    (folder / "ends.py").write_text("import sys; sys.exit(0)")
    (folder / "needs.py").write_text("import not_here")
    before = list(sys.path)
    with pytest.raises(SpecError, match=said):
        find_own_code({"kernel": given.format(module=module)}, folder=folder)
    assert sys.path == before


def test_names_that_are_registered_stay_names() -> None:
    keys = {"kernel": "sigma", "metrics": ["rms"], "models": {"a": {"kernel": "mond"}}, "reference": None}
    assert find_own_code(keys, folder=Path()) == keys


@pytest.mark.slow
def test_a_constant_of_a_notebook_that_changes_is_felt(mock_cube: xr.Dataset) -> None:
    """The formula stays the same function, in a cell that is not run again."""
    cells: dict[str, Any] = {"__name__": "notebook", "FACTOR": 1.0}
    exec("def boost(r): return 1.0 + FACTOR * r\ndef finish(n, total): return FACTOR * total / n", cells)
    kernel = Kernel("own", "own", "a test", terms={"boost": cells["boost"]})
    metric = Metric("own_metric", "own", ("residual_sq",), cells["finish"], "system", "km2/s2", best="smallest")

    def found() -> tuple[xr.Dataset, xr.DataArray, dict[str, Any]]:
        sweep = Sweep(
            mock_cube, sample="unflagged", kernel=kernel, metrics=["rms", metric], axes={"upsilon_disk": [0.5]}
        )
        return sweep.compute(), kernel.boost(mock_cube), sweep.plan(probe=False).identity

    first, boost, identity = found()
    cells["FACTOR"] = 50.0
    again, boost_again, identity_again = found()
    assert again["rms_mean"].item() > 2.0 * first["rms_mean"].item()
    assert again["own_metric_mean"].item() > 100.0 * first["own_metric_mean"].item()
    np.testing.assert_allclose(boost_again - 1.0, 50.0 * (boost - 1.0), rtol=1e-12)
    assert {key for key in identity if identity[key] != identity_again[key]} == {
        "kernel record",
        "kernel source",
        "metrics",
    }
    cells["FACTOR"] = 1.0
    xr.testing.assert_identical(found()[0], first)


@pytest.mark.slow
def test_a_constant_is_felt_within_a_compiled_function_that_a_formula_calls(mock_cube: xr.Dataset) -> None:
    """The cell with the compiled function is not run again either, and Numba keeps what it compiled."""
    cells: dict[str, Any] = {"__name__": "notebook", "FACTOR": 1.0, "njit": numba.njit}
    exec(
        "@njit\ndef times(r):\n    return FACTOR * r\n"
        "@njit\ndef shape(r):\n    return times(r)\n"
        "def within(shape):\n    def boost(r):\n        return 1.0 + shape(r)\n    return boost\n"
        "boost = within(shape)\ndef finish(n, total):\n    return shape(total / n)",
        cells,
    )
    kernel = Kernel("own", "own", "a test", terms={"boost": cells["boost"]})
    metric = Metric("own_metric", "own", ("residual_sq",), cells["finish"], "system", "km2/s2", best="smallest")

    def found() -> tuple[float, float]:
        sweep = Sweep(mock_cube, sample="unflagged", kernel=kernel, metrics=[metric], axes={"upsilon_disk": [0.5]})
        return sweep.compute()["own_metric_mean"].item(), (kernel.boost(mock_cube) - 1.0).sum().item()

    cells["shape"](3.0)  # as a user tries it
    first = found()
    cells["FACTOR"] = 50.0
    changed = found()
    cells["FACTOR"] = 1.0
    assert found() == first
    assert changed[1] == pytest.approx(50.0 * first[1], rel=1e-12)
    assert changed[0] > 100.0 * first[0]
