"""The commands that ask a result: what they print is what the functions say, as tables and as JSON."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube import analysis
from sigcube.cli import ExitCode
from sigcube.sweep import Sweep
from tests.calling import call
from tests.damage import run_half

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


def sweep_of(cube: xr.Dataset, **options: Any) -> Sweep:
    axes = {"nu": ["rar", "simple"], "upsilon_disk": [0.4, 0.5], "a0": [1e-13, 1e-11, 1.2e-10]}
    given = {"sample": "unflagged", "kernel": "mond", "axes": axes, "metrics": ["rms", "bias", "scatter_g"]}
    given |= {"reference": "newton", "keep": ["galaxy"]}
    return Sweep(cube.isel(galaxy=slice(0, 12)), **{**given, **options})


@pytest.fixture(scope="module")
def store(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small result on disk that keeps each galaxy."""
    path = tmp_path_factory.mktemp("questions") / "r.zarr"
    sweep_of(mock_cube).run(path, workers=0)
    return str(path)


@pytest.fixture(scope="module")
def roled(store: str, mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same result, its axes with roles."""
    path = tmp_path_factory.mktemp("roled") / "r.zarr"
    shutil.copytree(store, path)
    roles = {"arbitrary": ["nu"], "physical": ["a0"], "nuisance": ["upsilon_disk"]}
    sweep_of(mock_cube, roles=roles).extend(path, workers=0)
    return str(path)


def answer(command: str, store: str, *words: str) -> Any:
    done = call(command, store, *words, "--json")
    assert done.exit_code == 0, done.output

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    return json.loads(done.stdout, parse_constant=refuse)


@pytest.fixture(scope="module")
def result(store: str) -> xr.Dataset:
    return sigcube.open_result(store)


def test_best(store: str, result: xr.Dataset) -> None:
    found, said = analysis.best(result), answer("best", store)
    rows = {row["axis"]: row for row in said["axes"]}
    assert list(rows) == ["nu", "upsilon_disk", "a0"]
    assert rows["a0"] | {"axis": "a0"} == rows["a0"]
    assert (rows["a0"]["best"], rows["a0"]["low"]) == (found.a0.item(), found.a0_low.item())
    assert rows["a0"]["lies"] == "lower"
    assert rows["nu"]["within"] == found.nu_within.item()
    assert {row["summary"] for row in said["summaries"]} >= {"rms_mean", "win_rate", "scatter_g"}
    shown = call("best", store, "--by", "win_rate").stdout
    assert "Best win_rate" in shown
    assert "upsilon_disk" in shown
    assert "rms_mean [km/s]" in shown
    assert "a0 [m/s²]" in shown
    assert "within: 1 % of the best win_rate" in shown


def test_best_of_each_galaxy(store: str, result: xr.Dataset) -> None:
    said = answer("best", store, "--per", "galaxy")["systems"]
    found = analysis.best(result, per="galaxy")
    assert [row["galaxy"] for row in said] == list(result.galaxy.values)
    np.testing.assert_array_equal([row["a0"] for row in said], found.a0)
    assert {"a0_lies", "nu_lies"} <= said[0].keys()
    assert not any(" " in key for row in said for key in row)
    assert "SYN00001" in call("best", store, "--per", "galaxy").stdout


def test_profile(store: str, result: xr.Dataset) -> None:
    said = answer("profile", store, "a0", "--by", "win_rate")["profile"]
    found = analysis.profile(result.win_rate, "a0")
    assert [row["win_rate"] for row in said] == found.win_rate.values.tolist()
    assert [row["nu"] for row in said] == found.nu.values.tolist()
    shown = call("profile", store, "a0").stdout
    assert "Best rms_mean along a0" in shown
    assert "rms_mean [km/s]" in shown


def test_sensitivity(store: str, result: xr.Dataset) -> None:
    said, found = answer("sensitivity", store), analysis.sensitivity(result.rms_mean)
    assert {row["axis"]: row["shapley"] for row in said["axes"]} == dict(
        zip(found.axis.values, found.shapley.values.tolist(), strict=True)
    )
    assert len(said["components"]) == 7
    shown = call("sensitivity", store).stdout
    assert "%" in shown
    assert re.search(r"mean: [\d.]+ km/s\nvariance: [\d.]+ \(km/s\)²\n", shown)
    of_systems = answer("sensitivity", store, "--by", "rms")["shapley"]
    expected = analysis.sensitivity(result.rms).shapley.sel(axis="a0")
    np.testing.assert_array_equal([row["a0"] for row in of_systems], expected)
    assert "SYN00001" in call("sensitivity", store, "--by", "rms").stdout


def test_ablation(store: str, result: xr.Dataset) -> None:
    words = ("--baseline", "nu=simple", "--baseline", "a0=1.2e-10")
    said = answer("ablation", store, *words)
    found = analysis.ablation(result, baseline={"nu": "simple", "a0": 1.2e-10})
    assert said["baseline"]["place"] == {"nu": "simple", "a0": 1.2e-10, "upsilon_disk": found.upsilon_disk.item()}
    assert said["n_compared"] == 1
    assert [row["difference"] for row in said["changes"]] == found.difference.values.tolist()
    shown = call("ablation", store, *words, "--by", "win_rate", "--profiled", "upsilon_disk", "--over", "a0").stdout
    assert "nu=simple" in shown
    assert "1e-13" in shown


def test_curve(store: str, result: xr.Dataset) -> None:
    said = answer("curve", store, "--by", "win_rate", "--threshold", "0.3", "--rows", "2")
    found = analysis.specification_curve(result.win_rate, threshold=0.3)
    assert said["share"] == float(found.share)
    assert [row["rank"] for row in said["curve"]] == [1, 2, 11, 12]
    first = said["curve"][0]
    at = {name: first[name] for name in ("nu", "upsilon_disk", "a0")}
    assert float(result.win_rate.sel(at)) == first["win_rate"] == float(result.win_rate.max())
    assert "12" in call("curve", store).stdout


def test_a_curve_with_roles_its_null_and_its_page(roled: str, tmp_path: Path) -> None:
    page = tmp_path / "curve.html"
    words = ("--by", "win_rate", "--threshold", "0.3", "--null", "19", "--html", str(page))
    said = answer("curve", roled, *words)
    result = sigcube.open_result(roled)
    found = analysis.specification_curve(result.win_rate, threshold=0.3)
    assert (said["share"], said["over"]) == (float(found.share), "nu (arbitrary)")
    of_all = analysis.robustness(result.win_rate, threshold=0.3)
    assert [row["share"] for row in said["roles"]] == of_all.share.values.tolist()
    assert [row["role"] for row in said["roles"]] == ["arbitrary", "physical", "nuisance", "all"]
    null = analysis.null_curve(result, threshold=0.3, n=19)
    assert [row["p_value"] for row in said["null"]] == null.p_value.values.tolist()
    assert said["page"] == str(page)
    assert "Against the null" in page.read_text(encoding="utf-8")
    at = answer("curve", roled, "--over", "arbitrary", "--over", "upsilon_disk", "--at", "a0=1.2e-10")
    assert at["held"] == "a0 = 1.2e-10 (physical)"
    assert at["specifications"] == 4
    shown = call("sensitivity", roled, "--over", "a0", "--profiled", "nu").stdout
    assert "profiled: nu (arbitrary)" in shown
    assert "upsilon_disk = 0" in shown


def test_a_null_that_evaluates_again_tells_how_far_it_is(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    sweep_of(mock_cube, keep=[]).run(path, workers=0)
    done = call("curve", str(path), "--null", "3", "--json", "--by", "win_rate")
    assert done.stderr.endswith("points evaluated again: 12/12\n")
    assert len(json.loads(done.stdout)["null"]) == 2


def test_holdout(store: str, result: xr.Dataset) -> None:
    said, found = answer("holdout", store, "--folds", "4"), analysis.holdout(result, folds=4)
    assert [row["test"] for row in said["folds"]] == found.test.values.tolist()
    assert said["out_of_sample"] == float(found.out_of_sample)
    assert "out_of_sample" in call("holdout", store, "--folds", "4", "--by", "win_rate").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("best", "--by", "rsm_mean"), ExitCode.USAGE, "did you mean 'rms_mean'"),
        (("profile", "q"), ExitCode.USAGE, "there is no axis 'q'"),
        (("sensitivity", "--by", "chi2"), ExitCode.USAGE, "no summary 'chi2'"),
        (("ablation", "--baseline", "nu=simpel"), ExitCode.USAGE, "did you mean 'simple'"),
        (("ablation", "--baseline", "nu"), ExitCode.USAGE, "AXIS=VALUE"),
        (("ablation", "--baseline", "a0=much"), ExitCode.USAGE, "a0 takes numbers"),
        (("holdout", "--folds", "1"), ExitCode.USAGE, "2 to 12"),
        (("curve", "--threshold", "nan"), ExitCode.USAGE, "nothing is better or worse than this"),
        (("curve", "--threshold=-inf"), ExitCode.USAGE, "nothing is better or worse than this"),
    ],
)
def test_bad_questions_get_one_clear_error(store: str, words: tuple[str, ...], code: ExitCode, said: str) -> None:
    done = call(words[0], store, *words[1:])
    assert done.exit_code == code
    assert said in done.output
    assert "Traceback" not in done.output


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    done = call("best", str(tmp_path))
    assert done.exit_code == ExitCode.USAGE
    assert "not a result" in done.output


@pytest.fixture(scope="module")
def half(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A result whose sweep was interrupted after three blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigcube.plan.layout._SMALLEST_BLOCK_EVALUATIONS", 1)
        patch.setattr("sigcube.plan.layout._FEWEST_BLOCKS", 8)
        return str(run_half(sweep_of(mock_cube), tmp_path_factory.mktemp("half") / "r.zarr"))


@pytest.mark.parametrize(
    "words", [("best",), ("best", "--per", "galaxy"), ("profile", "nu"), ("holdout",), ("ablation",)]
)
def test_an_answer_of_an_unfinished_result_says_so(half: str, store: str, words: tuple[str, ...]) -> None:
    command, *rest = words
    caution = r"of 12 grid points, \d+ are to do: the answer is of the others alone"
    assert re.fullmatch(caution, answer(command, half, *rest)["caution"])
    assert re.search(f"^caution: {caution}$", call(command, half, *rest).stdout, re.MULTILINE)
    assert "caution" not in answer(command, store, *rest)
