"""Pages: what they hold, what they refuse, and that a real browser draws them."""

import importlib
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bokeh.models import Legend
from typer.testing import CliRunner

import sigcube
from sigcube.analysis.best import best_points
from sigcube.cli import app
from sigcube.cli.demo import demo_survey, run_demo
from sigcube.constants import PAPER
from sigcube.cube import save_cube
from sigcube.errors import SpecError, StoreError, StoreInUse
from sigcube.explore import Mark, map_page
from sigcube.explore.galaxy_plots import comparison_cards
from sigcube.explore.map_data import N_LEVELS, contour_levels, map_slices, pick_axes, trace_contours
from sigcube.kernels import KERNELS
from sigcube.store.lock import Lock
from tests.browser import Shoot
from tests.results import BEST, A, K, X, small_result


def page_of(result: xr.Dataset, path: Path) -> Path:
    return map_page(result, path, x="xi_scale", y="A", mark=Mark("true model", {**BEST, "window": "power"}))


@pytest.mark.slow
def test_a_page_needs_nothing_from_a_network(tmp_path: Path) -> None:
    # With this loaded, as in many a notebook, bokeh's own resources name a file that the page does not have.
    importlib.import_module("panel.models.esm")
    html = page_of(small_result(), tmp_path / "map.html").read_text(encoding="utf-8")
    bare = re.sub(r"(<script\b[^>]*>).*?</script>", r"\1", html, flags=re.DOTALL)
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", bare)
    assert len(tags) > 2
    assert not [tag for tag in tags if re.search(r"""(?:src|href)=["'](?!data:)""", tag)]
    assert "@import" not in bare
    assert "url(" not in bare


@pytest.mark.slow
def test_a_page_says_that_data_are_synthetic(tmp_path: Path) -> None:
    made_up = page_of(small_result(), tmp_path / "a.html").read_text(encoding="utf-8")
    real = page_of(small_result(synthetic=0), tmp_path / "b.html").read_text(encoding="utf-8")
    assert "<title>a small result (synthetic data)</title>" in made_up
    assert 'class="badge">synthetic data' in made_up
    assert "<title>a small result</title>" in real
    assert 'class="badge"' not in real


def test_titles_are_text_not_markup(tmp_path: Path) -> None:
    page = map_page(small_result(), tmp_path / "a.html", x="xi_scale", y="A", title="<b>A & B</b>")
    assert "<title>&lt;b&gt;A &amp; B&lt;/b&gt; (synthetic data)</title>" in page.read_text(encoding="utf-8")


def test_names_of_a_result_are_text_not_markup(tmp_path: Path) -> None:
    named = small_result().rename(window="<u-name>window</u-name>")
    page = map_page(named, tmp_path / "a.html", x="xi_scale", y="A")
    # Bokeh shows the text of a title as markup, and keeps it escaped in the page.
    shown = unescape(page.read_text(encoding="utf-8"))
    assert "&lt;u-name&gt;window" in shown
    assert "<u-name>" not in shown


def test_a_legend_that_is_too_wide_has_several_rows(tmp_path: Path) -> None:
    wide = small_result().assign_coords(window=["a" * 30, "b" * 30, "c"])
    pages = [page_of(each, tmp_path / "a.html").read_text(encoding="utf-8") for each in (small_result(), wide)]
    assert ['"ncols":1' in page for page in pages] == [False, True]


@pytest.mark.parametrize(
    ("x", "y", "value", "message", "hint"),
    [
        ("xi_scal", "A", "rms_mean", "'xi_scal' is not a numeric axis", "did you mean 'xi_scale'"),  # misspelt
        ("xi_scale", "window", "rms_mean", "'window' is not a numeric axis", "valid: A, k, xi_scale"),  # labels
        ("A", "A", "rms_mean", "two axes that vary on their own", "A and A along A"),  # one axis twice
        ("xi_scale", "A", "rms_man", "'rms_man' is not a summary", "did you mean 'rms_mean'"),  # misspelt
        ("xi_scale", "A", "status", "'status' is not a summary", "valid: rms_mean, win_rate"),  # not a metric
    ],
)
def test_what_no_map_can_show_is_refused(tmp_path: Path, x: str, y: str, value: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        map_page(small_result(), tmp_path / "map.html", x=x, y=y, value=value)
    assert hint in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_mark_without_a_place_on_the_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no value on 'xi_scale'"):
        map_page(small_result(), tmp_path / "a.html", x="xi_scale", y="A", mark=Mark("true model", {"A": 1.0}))


def test_a_page_that_cannot_be_written_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "map.html").mkdir()
    with pytest.raises(StoreError, match="the page cannot be written"):
        page_of(small_result(), tmp_path / "map.html")
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


def test_the_slice_goes_through_the_best_of_the_other_axes() -> None:
    result = small_result()
    axes = pick_axes(result, "xi_scale", "A")
    slices = {each.labels: each for each in map_slices(result, "rms_mean", axes) if each.value == "rms_mean"}
    assert slices.keys() == {("geometric",), ("power",), ("none",)}
    power = slices["power",]
    np.testing.assert_array_equal(power.z, result.rms_mean.sel(window="power", k=BEST["k"]).transpose("A", "xi_scale"))
    assert power.best == pytest.approx((BEST["xi_scale"], BEST["A"]))


def test_the_best_has_no_place_on_an_axis_that_makes_no_difference() -> None:
    result = small_result()
    axes = pick_axes(result, "xi_scale", "A")
    none = next(each for each in map_slices(result, "rms_mean", axes) if each.labels == ("none",))
    assert np.isnan(none.best[0])
    assert none.best[1] == pytest.approx(1.0)


def test_profiles_take_the_better_end_of_each_summary() -> None:
    result = small_result()
    axes = pick_axes(result, "xi_scale", "A")
    rms, wins = map_slices(result.isel(window=[1]), "rms_mean", axes)
    np.testing.assert_allclose(rms.profile(0), 10 + 40 * (X - BEST["xi_scale"]) ** 2)
    np.testing.assert_allclose(wins.profile(1), 1 / (1 + np.exp(20 * (A - BEST["A"]) ** 2 - 1)))


def test_pixels_of_an_uneven_axis_show_the_nearest_value() -> None:
    axis = pick_axes(small_result().sel(k=[0.5, 2.0, 1.0]).assign_coords(k=[0.0, 10.0, 1.0]), "k", "A")[0]
    assert axis.values.tolist() == [0.0, 1.0, 10.0]
    at = axis.low + (np.arange(axis.pixels.size) + 0.5) * (axis.high - axis.low) / axis.pixels.size
    nearest = np.abs(at[:, None] - axis.values).argmin(axis=1)
    np.testing.assert_array_equal(axis.pixels, nearest)
    assert pick_axes(small_result(), "k", "A")[0].scale == "log"
    assert K.size == pick_axes(small_result(), "k", "A")[0].pixels.size


def test_contours_lie_where_the_value_is() -> None:
    x, y = np.linspace(-1, 1, 81), np.linspace(-2, 2, 101)
    z = 5 + x[None, :] ** 2 + y[:, None] ** 2
    levels = contour_levels(z, larger_is_better=False)
    lines = trace_contours(x, y, z, levels)
    assert len(lines["xs"]) == len(lines["text"]) == N_LEVELS
    for (level, _), xs, ys in zip(levels, lines["xs"], lines["ys"], strict=False):
        np.testing.assert_allclose((5 + xs**2 + ys**2)[np.isfinite(xs)], level, atol=2e-3)


@pytest.mark.parametrize(("synthetic", "legend"), [(1, "measured (synthetic)"), (0, "measured")])
def test_rotation_curves_say_whether_they_were_measured(synthetic: int, legend: str) -> None:
    survey = demo_survey(n_galaxies=12).assign_attrs(synthetic=synthetic)
    models = {name: KERNELS[name].predict(survey) for name in ("newton", "mond", "sigma")}
    curves, _ = comparison_cards(survey, models, best="sigma", against="mond")
    labels = [item.label["value"] for each in curves.model.select({"type": Legend}) for item in each.items]
    assert labels == ["newton", "mond", "sigma", legend]


@pytest.mark.slow
def test_a_demonstration_leaves_the_result_of_another_that_still_runs(tmp_path: Path) -> None:
    folder = tmp_path / "result.zarr" / "journal"
    folder.mkdir(parents=True)
    with Lock(folder), pytest.raises(StoreInUse, match="being written by another run"):
        run_demo(tmp_path, workers=1)
    assert folder.is_dir()


CHANGE = """
setTimeout(() => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  models.find((m) => m.type === "Select" && m.options.includes("win_rate")).value = "win_rate";
  models.find((m) => m.type === "RadioButtonGroup").active = 1;
  setTimeout(() => console.log("shown: " + models.find((m) => m.type === "ColorBar").title), 500);
}, 3000);
"""


@pytest.mark.browser
def test_a_browser_draws_the_map_and_its_switches_change_it(tmp_path: Path, shoot: Shoot) -> None:
    page = page_of(small_result(), tmp_path / "map.html")
    console, picture = shoot(page, "")
    assert "document idle" in console
    assert not re.search(r"error|warn|uncaught", console, re.IGNORECASE)
    map_area = picture[350:800, 150:800].reshape(-1, 3)
    # The colour scale has 256 steps; axes and text alone have a dozen.
    assert len(np.unique(map_area, axis=0)) > 150
    star = (map_area == (255, 176, 0)).all(axis=1).sum()
    assert star == 0, "the mark belongs to another window"
    changed_console, changed = shoot(page, CHANGE)
    assert "shown: fraction of systems" in changed_console
    changed_area = changed[350:800, 150:800].reshape(-1, 3)
    assert len(np.unique(changed_area, axis=0)) > 150
    assert (changed_area != map_area).any(axis=1).mean() > 0.5
    assert (changed_area == (255, 176, 0)).all(axis=1).sum() > 20


@pytest.mark.browser
def test_a_browser_draws_rotation_curves(tmp_path: Path, shoot: Shoot) -> None:
    survey = demo_survey(n_galaxies=12)
    models = {name: KERNELS[name].predict(survey) for name in ("newton", "mond", "sigma")}
    cards = comparison_cards(survey, models, best="sigma", against="mond")
    page = map_page(small_result(), tmp_path / "map.html", x="xi_scale", y="A", cards=cards)
    console, picture = shoot(page, "")
    assert not re.search(r"error|warn|uncaught", console, re.IGNORECASE)
    lower = picture[980:1450, 100:900].reshape(-1, 3)
    for colour in ((0, 114, 178), (213, 94, 0), (28, 36, 48)):
        assert (lower == colour).all(axis=1).sum() > 50, f"no line of colour {colour}"


@pytest.mark.browser
@pytest.mark.cluster
@pytest.mark.slow
def test_the_demonstration_finds_the_true_model_and_draws_it(tmp_path: Path, shoot: Shoot) -> None:
    # What another left here is replaced.
    for name in ("survey.zarr", "landmarks.zarr"):
        save_cube(demo_survey(n_galaxies=2), tmp_path / name)
    (tmp_path / "result.zarr" / "journal").mkdir(parents=True)
    (tmp_path / "result.zarr" / "old").touch()
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--workers", "2"])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "result.zarr" / "old").exists()
    result = sigcube.open_result(tmp_path / "result.zarr")
    best = min(best_points(result), key=lambda point: point["rms_mean"])
    defaults = {parameter.name: parameter.value(PAPER) for parameter in KERNELS["sigma"].parameters}
    assert best["window"] == "geometric"
    # The +2 % contour of the map is about this wide.
    assert best["A"] == pytest.approx(defaults["A"], abs=0.06)
    assert best["xi_scale"] == pytest.approx(defaults["xi_scale"], abs=0.05)
    console, picture = shoot(tmp_path / "map.html", "")
    assert not re.search(r"error|warn|uncaught", console, re.IGNORECASE)
    map_area = picture[350:800, 150:800].reshape(-1, 3)
    assert len(np.unique(map_area, axis=0)) > 150
    assert (map_area == (255, 176, 0)).all(axis=1).sum() > 20, "the true model is marked"
    assert "synthetic" in (tmp_path / "map.html").read_text(encoding="utf-8").partition("</title>")[0]
    assert re.search(r"Draco +9\.1 km/s +0\.117 +0\.414 +0\.429", done.output), "real systems stand beside the mock"
    assert "Draco" in (tmp_path / "landmarks.html").read_text(encoding="utf-8")
