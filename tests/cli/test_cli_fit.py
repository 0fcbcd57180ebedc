"""`sigcube fit`: what it prints and writes, and that a spec of the wrong sort is refused in one message."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.cli import ExitCode
from sigcube.cli.tables import fit_notes
from sigcube.cube import save_cube
from sigcube.readers.mock import mock_survey
from sigcube.store.result import open_result
from tests.calling import call

SPEC = """
cube = "survey.zarr"
sample = "unflagged"
metrics = ["scatter_g"]

[[model]]
kernel = "sigma"
[model.fixed]
window = "free_scale"
[model.free]
A = { linspace = [0.01, 5.0, 11] }
xi = { geomspace = [0.1, 50.0, 11] }

[[model]]
kernel = "burr"
name = "empirical"
[model.free]
A = { linspace = [0.0, 5.0, 11] }
l_0 = { geomspace = [0.1, 50.0, 11] }
"""
SWEEP = 'cube = "survey.zarr"\nkernel = "sigma"\n[axes]\nA = [1.0, 2.0]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a cube and two specs."""
    save_cube(mock_survey(n_galaxies=4, seed=20), tmp_path / "survey.zarr")
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "sweep.toml").write_text(SWEEP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("missing", "bootstrapped"), [(0, True), (1, True), (2, False)])
def test_the_win_rate_is_bootstrapped_where_both_models_have_two_values(missing: int, bootstrapped: bool) -> None:
    rms = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 4.0]])
    rms[1, :missing] = np.nan
    ones = (("model", "galaxy"), np.ones((2, 3), dtype=int))
    variables = {"rms": (("model", "galaxy"), rms, {"best": "smallest"}), "n_points": ones, "n_minima": ones}
    fits = xr.Dataset({**variables, "converged": ones}, {"model": ["a", "b"], "galaxy": ["x", "y", "z"]})
    (note,) = fit_notes(fits.assign(converged=fits["converged"] == 1))
    assert note.startswith("a against b by rms: ")
    assert ("bootstrap over systems" in note) is bootstrapped


@pytest.mark.slow
def test_a_fit_prints_tables_and_writes_its_result(folder: Path) -> None:
    done = call("fit", "spec.toml")
    assert done.exit_code == 0, done.output
    models = next(line for line in done.stdout.splitlines() if "chi2_red_median" in line)
    assert "rms_mean [km/s]" in models
    for words in ("xi [kpc]", "at lower bound", "sigma against empirical by chi2_red: ", "bootstrap over systems"):
        assert words in done.stdout, words
    assert "empirical: 4/4" in done.stderr
    assert "\x1b[" not in done.output
    result = open_result("cubes/results/spec.zarr")
    assert list(result.model.values) == ["sigma", "empirical"]
    shown = subprocess.run([sys.executable, "-c", "import xarray; xarray.open_zarr('cubes/results/spec.zarr').load()"])
    assert shown.returncode == 0
    again = call("fit", "spec.toml")
    assert again.exit_code == ExitCode.REFUSED
    assert "there is already something here" in again.stderr
    assert call("fit", "spec.toml", "--overwrite").exit_code == 0
    refused = call("rerun", "cubes/results/spec.zarr")
    assert refused.exit_code == ExitCode.USAGE
    assert "this is a result of a fit, not a result of a sweep" in refused.stderr


@pytest.mark.slow
def test_options_of_a_fit_replace_what_the_spec_says(folder: Path) -> None:
    words = ["--set", "l_0=5", "--set", "upsilon_disk=0.6", "--where", "galaxy != 'SYN00002'", "--error-floor", "3"]
    done = call("fit", "spec.toml", *words)
    assert done.exit_code == 0, done.output
    result = open_result("cubes/results/spec.zarr")
    assert list(result.galaxy.values) == ["SYN00001", "SYN00003", "SYN00004"]
    record = json.loads(result.attrs["spec"])
    assert (record["where"], record["error_floor"]) == ("galaxy != 'SYN00002'", "3 km/s")
    # What one model names is fixed there, what none names in all.
    sigma, empirical = record["models"]
    assert sigma["fixed"] == {"window": "free_scale", "upsilon_disk": 0.6}
    assert empirical["fixed"] == {"l_0": 5.0, "upsilon_disk": 0.6}
    assert list(empirical["free"]) == ["A"]
    # A floor of errors lowers χ².
    assert call("fit", "spec.toml", *words[:-2], "--out", "other.zarr").exit_code == 0
    assert (result.chi2 < open_result("other.zarr").chi2).all()


@pytest.mark.slow
def test_a_fit_of_the_sample_prints_values_and_errors(folder: Path) -> None:
    one = SPEC.partition('[[model]]\nkernel = "burr"')[0]
    (folder / "spec.toml").write_text(f'scope = "sample"\n{one}', encoding="utf-8")
    done = call("fit", "spec.toml", "--out", "one.zarr")
    assert done.exit_code == 0, done.output
    assert "best" in done.stdout
    assert "error" in done.stdout
    assert "against" not in done.stdout
    found = xr.open_zarr("one.zarr")
    assert found.A.dims == ()
    assert found.model.item() == "sigma"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "old", "new", "said"),
    [
        (["fit", "sweep.toml"], "", "", "this is the spec of a sweep, not of a fit"),
        (["sweep", "spec.toml"], "", "", "this is the spec of a fit, not of a sweep"),
        (["plan", "spec.toml"], "", "", "use `sigcube fit`"),
        (["fit", "absent.toml"], "", "", "the fit's file cannot be read"),
        (["fit", "si15_per_galxy"], "", "", "did you mean 'si15_per_galaxy'"),
        (["fit", "spec.toml"], "sample =", "smaple =", "did you mean 'sample'"),
        (["fit", "spec.toml"], "[model.fixed]", "[model.fixd]", "did you mean 'fixed'"),
        (["fit", "spec.toml"], "xi = ", "xii = ", "did you mean 'xi'"),
        (["fit", "spec.toml"], "geomspace = [0.1,", "geomspace = [1e-9,", "xi is out of bounds"),
        (["fit", "spec.toml"], '"unflagged"', '"unflaged"', "did you mean 'unflagged'"),
        (["fit", "spec.toml"], 'name = "empirical"', 'name = "sigma"', "two models are called 'sigma'"),
        (["fit", "spec.toml"], "sample = ", 'scope = "galaxy"\nsample = ', "key 'scope' is wrong"),
        (["fit", "spec.toml"], "cube = ", "cube = \n", "the fit's file is not TOML"),
        (["fit", "spec.toml"], "scatter_g", "scater_g", "where: metrics\n"),
    ],
)
def test_a_fault_is_one_message_and_code_2(folder: Path, words: list[str], old: str, new: str, said: str) -> None:
    (folder / "spec.toml").write_text(SPEC.replace(old, new, 1) if old else SPEC, encoding="utf-8")
    result = call(*words)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_cube_is_not_replaced_by_a_fit() -> None:
    result = call("fit", "spec.toml", "--out", "survey.zarr", "--overwrite")
    assert result.exit_code == ExitCode.REFUSED
    assert "what is here is not a fit, so it is not overwritten" in result.stderr
    assert result.stdout == ""


def test_a_place_that_cannot_be_written_is_refused_before_the_fit(folder: Path) -> None:
    done = call("fit", "spec.toml", "--out", "sweep.toml/deep/fit.zarr")
    assert done.exit_code == ExitCode.REFUSED
    assert "a fit could not be saved here" in done.stderr
    assert "empirical: " not in done.stderr


@pytest.mark.slow
def test_an_interrupt_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sigcube.fits.problem.descend", interrupted)
    done = call("fit", "spec.toml")
    assert done.exit_code == ExitCode.INTERRUPTED
    assert "nothing was" in done.stderr
    assert not (folder / "cubes").exists()
    # While the spec is read, too: a fit does not go on from where it was, as a sweep does.
    monkeypatch.setattr("sigcube.fits.Fit.from_toml", interrupted)
    assert "nothing was" in call("fit", "spec.toml").stderr
