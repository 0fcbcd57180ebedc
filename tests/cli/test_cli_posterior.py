"""The commands posterior and compare: what they print is what the functions say, and their pages open in a browser."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import sigcube
from sigcube import analysis
from sigcube.cli import ExitCode
from sigcube.explore.explorer import Explorer
from sigcube.explore.explorer.tabs import TABS
from tests.browser import Shoot
from tests.calling import call

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

PRIOR = {"upsilon_disk": sigcube.lognormal(0.5, 0.1)}
OPTION = "upsilon_disk=lognormal:0.5,0.1"


@pytest.fixture(scope="module")
def stores(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two small results on disk that keep ln L of each galaxy; the true Υ_disk is 0.5."""
    folder, found = tmp_path_factory.mktemp("posterior"), {}
    axes = {"upsilon_disk": sigcube.linspace(0.35, 0.65, 13)}
    for kernel, own in (("newton", {}), ("mond", {"nu": ["rar", "simple"]})):
        sweep = sigcube.Sweep(
            mock_cube.isel(galaxy=slice(0, 8)),
            sample="unflagged",
            kernel=kernel,
            axes={**own, **axes},
            metrics=["loglike"],
            keep=["galaxy"],
            roles={"nuisance": ["upsilon_disk"]},
        )
        sweep.run(folder / f"{kernel}.zarr", workers=0)
        found[kernel] = str(folder / f"{kernel}.zarr")
    return found


def answer(*words: str) -> Any:
    done = call(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_posterior(stores: dict[str, str]) -> None:
    said = answer("posterior", stores["mond"], "--prior", OPTION)
    result = sigcube.open_result(stores["mond"])
    found = analysis.posterior(result, prior=PRIOR)
    rows = {row["axis"]: row for row in said["axes"]}
    assert list(rows) == ["nu", "upsilon_disk"]
    own = found.sel(axis="upsilon_disk")
    assert rows["upsilon_disk"]["median"] == own["median"].item()
    assert rows["upsilon_disk"]["95%"] == [own[end].sel(level=0.95).item() for end in ("low", "high")]
    assert rows["upsilon_disk"]["prior"] == "lognormal(0.5, 0.1)"
    assert [row["share"] for row in said["labels"]] == found["p_nu"].values.tolist()
    assert said["log_evidence"] == found["log_evidence"].item()
    assert said["elpd_loo"] == analysis.leave_one_out(result, prior=PRIOR)["elpd_loo"].item()
    shown = call("posterior", stores["mond"], "--prior", OPTION).stdout
    assert "upsilon_disk" in shown
    assert "cautions:" in shown
    assert "not gone at" in shown


def test_the_page_of_a_posterior_says_what_its_numbers_are(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    store, page = str(tmp_path / "cut.zarr"), tmp_path / "page.html"
    sweep = sigcube.Sweep(
        mock_cube,
        sample="unflagged",
        where="inclination > 10",
        kernel="newton",
        axes={"upsilon_disk": sigcube.linspace(0.7, 0.9, 41)},
        metrics=["loglike"],
        keep=["galaxy"],
    )
    sweep.run(store, workers=0)
    assert answer("posterior", store, "--html", str(page))["axes"][0]["lies"] == "lower"
    text = " ".join(re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")).split())
    assert "best not gone at upsilon_disk [M☉/L☉] uniform" in text
    assert "the lower end" in text
    assert "where inclination &gt; 10" in text
    n = sigcube.open_result(store).sizes["galaxy"]
    assert f"the worst 12 of {n}." in text


def test_an_axis_that_is_too_coarse_has_no_interval(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    store, page = str(tmp_path / "coarse.zarr"), tmp_path / "page.html"
    few = sigcube.Sweep(
        mock_cube.isel(galaxy=slice(0, 8)),
        sample="unflagged",
        kernel="newton",
        axes={"upsilon_disk": sigcube.linspace(0.1, 2.1, 5)},
        metrics=["loglike"],
        keep=["galaxy"],
    )
    few.run(store, workers=0)
    said = answer("posterior", store, "--html", str(page))
    (row,) = said["axes"]
    assert len(said["cautions"]) > 1
    assert said["cautions"][0].startswith("fewer than two values of upsilon_disk carry the posterior")
    assert (row["resolved"], row["nodes"] < 2) == (False, True)
    shown = call("posterior", store).stdout
    (line,) = [line for line in shown.splitlines() if "uniform(0.1, 2.1)" in line]
    assert "not resolved" in line
    assert " to " not in line
    assert "not resolved" in page.read_text()


def test_a_nuisance_of_each_galaxy(stores: dict[str, str]) -> None:
    said = answer("posterior", stores["newton"], "--marginalise", OPTION)
    marginal = analysis.marginalise(sigcube.open_result(stores["newton"]), PRIOR)
    assert said["log_evidence"] == pytest.approx(analysis.posterior(marginal)["log_evidence"].item())
    assert said["marginalised"] == "upsilon_disk ~ lognormal(0.5, 0.1), for each galaxy"
    assert said["axes"] == []


def test_compare(stores: dict[str, str], tmp_path: Path) -> None:
    said = answer("compare", f"Newton={stores['newton']}", stores["mond"], "--prior", OPTION)
    models = {"Newton": stores["newton"], "mond": stores["mond"]}
    found = analysis.compare({name: sigcube.open_result(path) for name, path in models.items()}, prior=PRIOR)
    assert [row["model"] for row in said["models"]] == ["Newton", "mond"] == found["model"].values.tolist()
    assert [row["elpd_diff"] for row in said["models"]] == found["elpd_diff"].values.tolist()
    assert all(isinstance(row["cautions"], list) for row in said["models"])
    assert "none" not in [text for row in said["models"] for text in row["cautions"]]
    page = tmp_path / "p.html"
    shown = call("compare", stores["newton"], stores["mond"], "--marginalise", OPTION, "--html", str(page)).stdout
    assert "newton" in shown
    # Its evidence rests on these.
    text, cube = page.read_text(encoding="utf-8"), str(sigcube.open_result(stores["mond"]).attrs["cube"])
    for key, words in (("cube", cube), ("sample", "unflagged"), ("marginalised", "newton: upsilon_disk")):
        assert f"{key}: {words}" in " ".join(shown.split())
        assert f"<dt>{key}</dt><dd>{words}" in text
    assert "Newton: upsilon_disk lognormal(0.5, 0.1)" in said["priors"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["posterior", "newton"], ExitCode.USAGE, "upsilon_disk is a nuisance, and has no prior"),
        (["posterior", "newton", "--prior", "upsilon_disk"], 2, "is not of the form AXIS=PRIOR"),
        (["posterior", "newton", "--prior", "upsilon_disk=gauss:1,2"], ExitCode.USAGE, "there is no prior 'gauss'"),
        (["posterior", "newton", "--prior", OPTION, "--by", "rms"], ExitCode.USAGE, "the result has no metric 'rms'"),
        (["posterior", "newton", "--prior", OPTION, "--by", "chi2"], 2, "ask for loglike, or sweep again with 'chi2'"),
        (["compare", "newton", "newton"], 2, "two models are called 'newton'"),
        (["compare", "newton"], 2, "give two results or more, as NAME=RESULT"),
        (["compare", "newton", "mond", "--marginalise", "A=normal:0,1"], 2, "no result has an axis 'A'"),
        # Part of the name of one that is there.
        (["compare", "newton", "mond", "--marginalise", OPTION, "--marginalise", "disk=normal:0,1"], 2, "axis 'disk'"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], code: int, says: str, stores: dict[str, str]) -> None:
    done = call(*(stores.get(word, word) for word in words))
    assert done.exit_code == code
    assert says in " ".join(done.output.replace("│", " ").split())


def test_the_hint_is_also_one_for_the_command_line(stores: dict[str, str]) -> None:
    said = " ".join(call("posterior", stores["newton"]).stderr.split())
    assert "--prior upsilon_disk=lognormal:0.5,0.1, or --marginalise where each system has its own" in said


def test_a_page_whose_name_is_no_text_is_written_and_named(stores: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / os.fsdecode(b"\xff.html")
    done = call("compare", stores["newton"], stores["mond"], "--prior", OPTION, "--html", str(page))
    assert (done.exit_code, "\\udcff.html" in done.stdout, page.exists()) == (0, True, True)


def test_the_explorer_has_a_tab_of_it(stores: dict[str, str]) -> None:
    explorer = Explorer(stores["mond"])
    (tab,) = [tab for tab in TABS if tab.title == "Posterior"]
    assert tab.applies(explorer.data)
    text, *shown = tab.content(explorer.start, explorer.data)
    assert "of upsilon_disk too" in text
    assert len(shown) == 3
    assert [row[0] for row in shown[-1].rows] == ["nu", "upsilon_disk [M☉/L☉]"]


@pytest.mark.browser
def test_the_pages_open_in_a_browser(stores: dict[str, str], tmp_path: Path, shoot: Shoot) -> None:
    pages = [tmp_path / "posterior.html", tmp_path / "compare.html"]
    assert call("posterior", stores["mond"], "--prior", OPTION, "--html", str(pages[0])).exit_code == 0
    done = call("compare", stores["newton"], stores["mond"], "--prior", OPTION, "--html", str(pages[1]))
    assert done.exit_code == 0
    for page in pages:
        script = (
            "addEventListener('load', () => console.log('wide', document.documentElement.scrollWidth, innerWidth));"
        )
        console, picture = shoot(page, script, size=(420, 1500))
        assert "ERROR" not in console
        assert "wide 420 420" in console
        assert (picture.reshape(-1, 3) == (0, 114, 178)).all(axis=1).sum() > 50
