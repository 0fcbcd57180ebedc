"""The command preferences: what it prints is what the function says; its page opens in a browser, its figure is one."""

import json
from pathlib import Path

import pytest
import xarray as xr

from sigcube import analysis
from sigcube.cli import ExitCode
from sigcube.cube import save_cube
from sigcube.errors import SpecError
from sigcube.explore import preferences_page
from sigcube.explore.figures import draw_preferences, write_preferences
from sigcube.explore.preferences_page import stretched
from tests.analysis.test_preferences import PAIR, PRIOR, STUDY, random_likelihoods, with_errors, write_study
from tests.browser import Shoot
from tests.calling import call


@pytest.fixture
def found() -> xr.Dataset:
    data = random_likelihoods(3, 6).assign_attrs(title="Synthetic preferences", synthetic=1)
    return analysis.preferences(data, PAIR * 2, prior=PRIOR)


@pytest.mark.slow
def test_the_command(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    cube = save_cube(with_errors(mock_cube), tmp_path / "mock.zarr")
    study = write_study(tmp_path)
    page, figure = tmp_path / "page.html", tmp_path / "figure.svg"
    done = call("preferences", str(study), "--cube", str(cube), "--html", str(page), "--figure", str(figure), "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    expected = analysis.PreferenceStudy.from_toml(study, cube=cube).run()
    assert len(said["comparisons"]) == 2 * 2 * 3
    for row in said["comparisons"]:
        at = expected["name"].values.tolist().index(row["comparison"])
        one = expected.isel(comparison=at).sel(nuisances=row["nuisances"], points=row["points"])
        for key in ("wins_first", "beyond_second", "total_difference", "total_error", "median_size", "preferred"):
            assert row[key] == one[key].item()
    assert "synthetic" in page.read_text(encoding="utf-8")
    assert figure.read_text(encoding="utf-8").startswith("<?xml")
    shown = call("preferences", str(study), "--cube", str(cube)).stdout
    assert "mond : survival" in shown


def test_a_wrong_study_is_a_usage_error(tmp_path: Path) -> None:
    assert "papers" in call("preferences", "paper").output
    study = write_study(tmp_path, STUDY.replace('second = "survival"', 'second = "x"'))
    done = call("preferences", str(study))
    assert done.exit_code == ExitCode.USAGE
    assert "names a model 'x'" in done.output


@pytest.mark.parametrize(
    ("option", "path", "said"),
    [
        ("--html", ".", "the page cannot be written"),
        ("--figure", ".", "the figure cannot be written"),
        ("--figure", "figure.gif", "a figure cannot be written so"),
    ],
)
def test_a_path_that_cannot_be_is_refused_before_models_are_computed(
    option: str, path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The cube is missing too, and would be told if it were looked for.
    done = call("preferences", str(write_study(tmp_path)), "--cube", "gone.zarr", option, path)
    assert (done.exit_code, said in done.stderr, "gone.zarr" in done.stderr) == (ExitCode.USAGE, True, False)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_figure_is_in_the_format_of_its_ending(found: xr.Dataset, tmp_path: Path, form: str) -> None:
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    first, second = (write_preferences(found, tmp_path / f"{name}.{form}").read_bytes() for name in "ab")
    assert first.startswith(starts[form])
    assert first == second


def test_another_ending_is_refused(found: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a figure cannot be written so"):
        write_preferences(found, tmp_path / "figure.bmp")


@pytest.mark.slow
def test_the_figure_has_a_row_for_each_comparison_and_the_numbers_beyond(found: xr.Dataset) -> None:
    drawn = draw_preferences(found)
    panels = drawn.figure.axes
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["1  a : b", "2  a : b"]
    assert [panel.get_title() for panel in panels] == [
        *("white,\nas quoted", "correlated,\nas quoted", "white,\nmarginalised", "correlated,\nmarginalised")
    ]
    one = found.isel(comparison=0).sel(nuisances="marginalised", points="correlated")
    assert panels[3].texts[0].get_text() == str(int(one["beyond_first"] + one["beyond_second"]))
    median = float(stretched(one["difference"].median()))
    assert any(line.get_xdata()[0] == pytest.approx(median) for line in panels[3].lines if len(line.get_xdata()) == 1)


@pytest.mark.browser
@pytest.mark.parametrize("width", [420, 1280, 1920])
def test_the_page_opens_without_errors(found: xr.Dataset, tmp_path: Path, shoot: Shoot, width: int) -> None:
    script = "console.log('width ' + (document.documentElement.scrollWidth - window.innerWidth));"
    told, picture = shoot(preferences_page(found, tmp_path / "page.html"), script, size=(width, 1400))
    assert "Error" not in told
    assert "width 0" in told
    assert len({tuple(colour) for colour in picture[::4, ::4].reshape(-1, 3)}) > 8
