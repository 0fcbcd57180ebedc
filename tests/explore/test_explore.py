"""Pages of results: what they hold, what they refuse, and that a real browser draws them."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bokeh.models import Legend

import sigcube
from sigcube.analysis import posterior
from sigcube.analysis.best import best_points
from sigcube.cli.demo import run_demo
from sigcube.constants import PAPER
from sigcube.cube import save_cube
from sigcube.errors import SpecError, StoreError, StoreInUse
from sigcube.explore import Mark, fit_page, posterior_page, result_data, result_page, style
from sigcube.explore.contours import N_LEVELS, contour_levels, trace_contours
from sigcube.explore.galaxy_plots import comparison_cards
from sigcube.explore.histograms import histogram
from sigcube.explore.result_data import cut_slices, view
from sigcube.explore.style import plain_number
from sigcube.fits import Fit
from sigcube.kernels import KERNELS
from sigcube.plan.values import PointStatus
from sigcube.readers.mock import demo_survey, mock_survey
from sigcube.store.lock import Lock
from sigcube.sweep import Sweep
from tests.browser import Shoot
from tests.calling import call
from tests.results import BEST, A, K, X, small_fit, small_result


def page_of(result: xr.Dataset, path: Path) -> Path:
    return result_page(result, path, x="xi_scale", y="A", mark=Mark("true model", {**BEST, "window": "power"}))


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


@pytest.mark.parametrize(
    ("x", "y", "value", "message", "hint"),
    [
        ("xi_scal", "A", "rms_mean", "'xi_scal' is not a numeric axis", "did you mean 'xi_scale'"),  # misspelt
        ("xi_scale", "window", "rms_mean", "'window' is not a numeric axis", "valid: A, k, xi_scale"),  # labels
        ("A", "A", None, "two axes that vary on their own", "A and A along A"),  # one axis twice
        ("xi_scale", "A", "rms_man", "'rms_man' is not a summary", "did you mean 'rms_mean'"),  # misspelt
        ("xi_scale", "A", "status", "'status' is not a summary", "valid: rms_mean, win_rate"),  # not a metric
    ],
)
def test_what_no_map_can_show_is_refused(
    tmp_path: Path, x: str, y: str, value: str | None, message: str, hint: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        result_page(small_result(), tmp_path / "map.html", x=x, y=y, value=value)
    assert hint in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_mark_without_a_place_on_the_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no value on 'xi_scale'"):
        result_page(small_result(), tmp_path / "a.html", x="xi_scale", y="A", mark=Mark("true model", {"A": 1.0}))


@pytest.mark.slow
def test_a_page_that_cannot_be_written_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "map.html").mkdir()
    with pytest.raises(StoreError, match="the page cannot be written"):
        page_of(small_result(), tmp_path / "map.html")
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


def test_a_slice_of_a_map_is_that_of_the_result() -> None:
    result = small_result()
    result["rms_mean"][0] += 0.5
    shown = view(result, x="xi_scale", y="A", value=None)
    assert [(axis.name, axis.use) for axis in shown.axes] == [
        ("window", "label"),
        ("k", "slider"),
        ("A", "figure"),
        ("xi_scale", "figure"),
    ]
    slices = cut_slices(shown)
    assert len(slices) == 2 * 3 * 3
    power = slices[shown.place_of(shown.axes[:2])]
    np.testing.assert_array_equal(power.z, result.rms_mean.sel(window="power", k=BEST["k"]).transpose("A", "xi_scale"))
    assert power.best == pytest.approx((BEST["xi_scale"], BEST["A"]))


def test_the_best_has_no_place_on_an_axis_that_makes_no_difference() -> None:
    shown = view(small_result().sel(window=["none"]), x="xi_scale", y="A", value=None)
    assert np.isnan(cut_slices(shown)[0].best[0])
    assert cut_slices(shown)[0].best[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("x", "y", "figure", "sliders"),
    [
        (None, None, ["xi_scale", "A"], ["k"]),  # those with most values, in the order of the result
        ("k", None, ["k", "A"], ["xi_scale"]),
        (None, "k", ["A", "k"], ["xi_scale"]),
        ("A", "xi_scale", ["A", "xi_scale"], ["k"]),
    ],
)
def test_which_axes_a_map_has(x: str | None, y: str | None, figure: list[str], sliders: list[str]) -> None:
    shown = view(small_result(), x=x, y=y, value=None)
    assert [axis.name for axis in shown.axes[:-3:-1]] == figure
    assert [axis.name for axis in shown.sliders] == sliders


def test_axes_that_vary_together_are_one() -> None:
    result = small_result().assign_coords(g=("k", np.array([1.0, 3.0, 2.0]), {"units": "m/s2"}))
    shown = view(result, x="xi_scale", y="A", value=None)
    assert [axis.texts for axis in shown.sliders] == [("0.5 (g = 1)", "1 (g = 3)", "2 (g = 2)")]
    over = view(result, x="g", y="A", value=None).axes[-1]
    assert over.values.tolist() == [1.0, 2.0, 3.0]
    assert over.texts == ("1 m/s² (k = 0.5)", "2 m/s² (k = 2)", "3 m/s² (k = 1)")


@pytest.mark.parametrize(
    "values", [[0.5, np.nan, 1.0], [1.0, 1.0, 2.0], [0.5, np.inf, 1.0]], ids=["NaN", "twice the same", "infinite"]
)
def test_numbers_that_make_no_axis_are_labels(values: list[float]) -> None:
    shown = view(small_result().assign_coords(k=values), x=None, y=None, value=None)
    assert [axis.name for axis in shown.labels] == ["window", "k"]


def test_numbers_have_as_many_digits_as_tell_them_apart() -> None:
    shown = view(small_result().assign_coords(k=[1.0, 1.00001, 2.0]), x="xi_scale", y="A", value=None)
    assert shown.sliders[0].texts == ("1", "1.00001", "2")


def test_profiles_take_the_better_end_of_each_summary() -> None:
    shown = view(small_result().isel(window=[1]), x="xi_scale", y="A", value=None)
    rms = shown.profiles(shown.axes[-1])[0, 0]
    wins = shown.profiles(shown.axes[-2])[1, 0]
    np.testing.assert_allclose(rms, 10 + 40 * (X - BEST["xi_scale"]) ** 2)
    np.testing.assert_allclose(wins, 1 / (1 + np.exp(20 * (A - BEST["A"]) ** 2 - 1)))
    np.testing.assert_allclose(shown.profiles(shown.sliders[0])[0, 0], 10 + (K - BEST["k"]) ** 2)


@pytest.mark.parametrize("most", [600, 2_000, 20_000])
def test_a_page_of_a_large_grid_holds_a_part_with_the_best(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_data, "_MOST_VALUES", most)
    result = small_result()
    shown = view(result, x="xi_scale", y="A", value=None)
    assert sum(values.size for values in shown.values.values()) <= most
    held = shown.values["rms_mean"]
    assert held[shown.best] == result.rms_mean.min()
    expected = result.rms_mean.transpose("window", "k", "A", "xi_scale").values
    np.testing.assert_array_equal(held, expected[np.ix_(*(axis.kept for axis in shown.axes))])
    # What was evenly spaced still is, so that a pixel is a value.
    assert all(axis.pixels.size == axis.values.size for axis in shown.axes[-2:])


def test_pixels_of_an_uneven_axis_show_the_nearest_value() -> None:
    result = small_result()
    axis = view(result.sel(k=[0.5, 2.0, 1.0]).assign_coords(k=[0.0, 10.0, 1.0]), x="k", y="A", value=None).axes[-1]
    assert axis.values.tolist() == [0.0, 1.0, 10.0]
    at = axis.low + (np.arange(axis.pixels.size) + 0.5) * (axis.high - axis.low) / axis.pixels.size
    nearest = np.abs(at[:, None] - axis.values).argmin(axis=1)
    np.testing.assert_array_equal(axis.pixels, nearest)
    even = view(result, x="k", y="A", value=None).axes[-1]
    assert (even.scale, even.pixels.size) == ("log", K.size)


@pytest.mark.parametrize("size", [1.0, 1e-10])
def test_how_an_axis_is_spaced_does_not_depend_on_its_size(size: float) -> None:
    """An acceleration of 1e-10 m/s² is as far from its neighbours as a pure number of 1."""
    result = small_result()
    axes = {
        "even": size * np.array([1.0, 2.0, 3.0]),
        "log": size * np.array([0.6, 1.2, 2.4]),
        "uneven": size * np.array([0.0, 1.0, 10.0]),
    }
    for name, values in axes.items():
        axis = view(result.assign_coords(k=values), x="k", y="A", value=None).axes[-1]
        assert axis.scale == ("log" if name == "log" else "linear"), name
        assert (axis.pixels.size == K.size) == (name != "uneven"), name


def text_of(page: Path) -> str:
    bare = re.sub(r"<(script|style)>.*?</\1>|<[^>]*>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "texts"),
    [
        ({}, ["Map over xi_scale and A", "0.5 to 2, 3 values slider", "Profiles"]),
        ({"k": [1.0]}, ["Map over xi_scale and A", "k exponent 1 held"]),
        ({"k": 1.0, "xi_scale": X[3]}, ["Along A", "window geometric, power, none switch"]),
        ({"k": 1.0, "xi_scale": X[3], "A": A[5]}, ["window geometric, power, none rows", "Best of each reading"]),
        ({"k": 1.0, "xi_scale": X[3], "A": A[5], "window": "none"}, ["The grid has 1 point.", "held"]),
    ],
    ids=["three axes", "two axes and one of one value", "one axis", "labels alone", "one point"],
)
def test_a_page_names_every_axis_whatever_the_grid(chosen: dict[str, object], texts: list[str], tmp_path: Path) -> None:
    text = text_of(result_page(small_result().sel(chosen), tmp_path / "a.html"))
    assert [each for each in texts if each not in text] == []


@pytest.mark.slow
def test_the_best_of_each_reading_is_in_a_table(tmp_path: Path) -> None:
    text = text_of(result_page(small_result(), tmp_path / "a.html"))
    rows = ["power 2 0.2 1.1 10", "geometric any 0.2 1.1 10", "none any any 1 11"]
    assert all(row in text for row in rows)


def table_below(page: Path, title: str) -> list[list[str]]:
    """The cells of a card's table, row by row, heads first; a coloured cell has its share after a bar."""
    html = page.read_text(encoding="utf-8").partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]
    rows = [re.findall(r"<t[hd][^>]*?(?:--share: ([\d.]+))?\"?>(.*?)</t[hd]>", row) for row in html.split("<tr>")[1:]]
    return [[f"{text}|{share}".rstrip("|") for share, text in row] for row in rows]


def test_a_page_opens_on_a_summary_that_has_values_and_its_table_has_no_column_of_systems(tmp_path: Path) -> None:
    result = small_result()
    result["loglike_sum"] = np.nan * result["rms_mean"]
    result = result.rename(rms_mean="ratio_mean").assign_coords(distance=("galaxy", [1.0, 2.0]))
    assert next(iter(view(result, x=None, y=None, value=None).values)) != "loglike_sum"
    text = text_of(result_page(result, tmp_path / "a.html"))
    assert "distance" not in text
    assert not re.search(r"\bnan\b", text)


@pytest.mark.parametrize(("first", "shown"), [(0, ("A", "xi")), (1, ("c", "chi2"))])
def test_a_fit_starts_with_what_its_first_model_has(first: int, shown: tuple[str, str]) -> None:
    module = importlib.import_module("sigcube.explore.fit_page")
    fit, names = small_fit().isel(model=[first, 1 - first]), ["A", "xi", "c", "n_points", "chi2"]
    fit["chi2_red"] = fit["chi2"] / 10
    quantities = [module._quantity(fit, name, "galaxy") for name in [*names, "chi2_red"]]
    x, y = module._starts(quantities, fit["parameter"].values)
    assert (quantities[x].name, quantities[y].name.removesuffix("_red")) == shown


def test_the_best_of_labels_alone_are_compared_by_all_that_fits_and_first_by_the_win_rate(tmp_path: Path) -> None:
    result = small_result().sel(k=1.0, xi_scale=X[3], A=A[5])
    for i in range(12):
        result[f"metric{i}_mean"] = result["rms_mean"].assign_attrs(best="smallest")
    page = result_page(result, tmp_path / "a.html")
    heads = table_below(page, "Best of each reading")[0]
    assert heads[:3] == ["window", "rms_mean [km/s]", "win_rate"]
    assert len(heads) == 12
    assert "Not in the table: metric9_mean, metric10_mean, metric11_mean." in text_of(page)


@pytest.mark.parametrize(
    ("best", "values", "shares"),
    [
        ("smallest", [6.5820, 6.5821, 6.5819], [0.0, 0.0, 0.0]),  # the same in the digits that are shown
        ("smallest", [6.582, 6.682, 6.632], [1.0, 0.0, 0.5]),
        ("largest", [-20_000.0, -20_002.0, -20_001.0], [1.0, 0.0, 0.5]),  # ln L, of which two units count
        ("largest", [-20_000.0, -20_000.1, -20_000.2], [0.0, 0.0, 0.0]),
    ],
)
def test_values_that_do_not_differ_have_one_colour(
    best: str, values: list[float], shares: list[float], tmp_path: Path
) -> None:
    result = small_result().sel(k=1.0, xi_scale=X[3], A=A[5])[["rms_mean", "status"]]
    result["rms_mean"] = ("window", values, {"best": best})
    _, *rows = table_below(result_page(result, tmp_path / "a.html"), "Best of each reading")
    told = {row[0]: float(row[1].partition("|")[2]) for row in rows}
    assert [told[name] for name in ("geometric", "power", "none")] == shares


@pytest.mark.slow
def test_a_page_says_how_many_points_have_no_value_and_why(tmp_path: Path) -> None:
    result = small_result()
    result["status"] = result["status"].copy()
    result["status"].values[..., :3] = PointStatus.INVALID
    result["status"].values[..., 3] = PointStatus.FAILED
    n = result["status"][..., 0].size
    text = text_of(result_page(result, tmp_path / "a.html"))
    assert (
        f"Of these {3 * n:,} lack the value of a summary, {n:,} failed: what has no value is blank in the figures."
        in text
    )
    assert "no finite value" not in text_of(result_page(small_result(), tmp_path / "b.html"))


@pytest.mark.slow
def test_a_page_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_data, "_MOST_VALUES", 600)
    text = text_of(result_page(small_result(), tmp_path / "a.html"))
    for expected in ("The page holds a part of them", "leaves out win_rate", "slider, 1 of 3 values", "of 41 values"):
        assert expected in text


@pytest.mark.slow
def test_a_result_without_any_value_makes_a_page(tmp_path: Path) -> None:
    """As one is that has just begun."""
    empty = small_result()
    for name in ("rms_mean", "win_rate"):
        empty[name][...] = np.nan
    for chosen in ({}, {"k": 1.0, "A": 0.5}, {"k": 1.0, "A": 0.5, "xi_scale": 0.0}):
        assert "Best" in text_of(result_page(empty.sel(chosen), tmp_path / "a.html"))


def test_a_summary_that_says_no_known_best_is_refused(tmp_path: Path) -> None:
    odd = small_result()
    odd["rms_mean"].attrs["best"] = "green"
    with pytest.raises(SpecError, match="rms_mean does not say which value is best\n  found: green"):
        result_page(odd, tmp_path / "a.html")


def test_a_result_without_summaries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no summary over its axes"):
        result_page(small_result()[["status"]], tmp_path / "a.html")


def quantities(page: Path) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page.read_text(encoding="utf-8"))


def test_a_result_without_axes_has_no_table_of_them(tmp_path: Path) -> None:
    one = xr.Dataset({"rms_mean": ((), 3.0, {"best": "smallest"}), "status": ((), np.uint8(1))})
    text = result_page(one, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "on this page" not in text
    assert "The grid has 1 point." in text


def test_the_page_of_a_fit_says_of_what_it_is(tmp_path: Path) -> None:
    models = [{"name": "own", "kernel": "sigma", "fixed": {"window": "power"}}, {"name": "nfw", "kernel": "nfw"}]
    about = {"cube": "a cube", "where": "quality == 1", "spec": json.dumps({"models": models})}
    text = text_of(fit_page(small_fit().assign_attrs(about), tmp_path / "a.html"))
    for words in ("where quality == 1", "kernel sigma, nfw", "held fixed own: window = power"):
        assert words in text


def test_a_page_says_which_errors_and_which_reference_its_numbers_rest_on(
    mock_cube: xr.Dataset, tmp_path: Path
) -> None:
    sweep = Sweep(
        mock_cube,
        kernel="sigma",
        reference={"kernel": "mond", "a0": 1.1e-10},
        axes={"A": [0.5, 1.0, 1.5]},
        fixed={"window": "power"},
        errors=sigcube.Errors(scatter=8.0),
        error_floor="5 %",
        sample="unflagged",
        metrics=["loglike", "rms"],
        title="a title of one's own",
    )
    result = sweep.compute()
    told = ("error floor 5 % of v_obs", "errors intrinsic scatter 8", "kernel sigma", "made by sigcube")
    text = text_of(result_page(result, tmp_path / "a.html"))
    for words in (*told, "reference mond, a0 = 1.1e-10", "held fixed window = power"):
        assert words in text
    post = text_of(posterior_page(posterior(result), tmp_path / "b.html"))
    for words in (*told, "held fixed window = power", "sample unflagged"):
        assert words in post


def test_the_page_of_a_fit_has_its_parameters_and_every_system(tmp_path: Path) -> None:
    page = fit_page(small_fit(), tmp_path / "a.html")
    assert quantities(page) == ["System by system", "Distribution", "Parameters", "Every system"]
    text, fit = text_of(page), small_fit()
    median = plain_number(float(fit["A"].sel(model="sigma").median()))
    assert re.search(rf"sigma A best A {re.escape(median)} ", text)
    # One at the lower bound of xi under the first model, one at the upper of c under the second.
    assert re.search(r"sigma xi best xi \[kpc\]( \S+){4} 1 0 ", text)
    assert re.search(r"nfw c best c( \S+){4} 0 1 ", text)
    assert "nfw A" not in text, "it was not fitted"
    values = [plain_number(float(fit[name][0, 0])) for name in ("A", "A_error", "xi")]
    assert f"G0 sigma {values[0]} ± {values[1]} {values[2]} ± " in text
    assert "G5 sigma – – – " in text


def test_the_page_of_a_fit_of_a_sample_has_tables_alone(tmp_path: Path) -> None:
    page = fit_page(small_fit().isel(galaxy=0, model=0), tmp_path / "a.html")
    assert quantities(page) == ["Parameters", "Models"]
    assert "<script" not in page.read_text(encoding="utf-8")
    assert "sigma" in text_of(page)


@pytest.mark.parametrize(("systems", "share", "cut"), [(12, 100.0, False), (400, 99.0, True)])
def test_the_distribution_of_a_fit_leaves_out_a_hundredth_of_many_systems_alone(
    systems: int, share: float, cut: bool, tmp_path: Path
) -> None:
    fit = small_fit(systems=systems)
    values = fit["A"].sel(model="sigma").values
    bars = histogram(values, values, np.isfinite(values))
    assert sum(bars["top"]) == pytest.approx(share, abs=0.1)
    assert len(bars["top"]) == (5 if systems == 12 else 20)
    assert ("the outermost hundredth is left out" in text_of(fit_page(fit, tmp_path / "a.html"))) == cut


def test_equal_values_of_any_size_make_a_histogram() -> None:
    values = np.full(4, 1.2e-10)
    bars = histogram(values, values, np.isfinite(values))
    assert (bars["left"][0], bars["right"][-1], bars["top"][0]) == pytest.approx((1.2e-10, 2.4e-10, 100.0))


def test_a_tooltip_refuses_a_format_that_makes_wrong_numbers() -> None:
    plot = style.figure(height=200)
    dots = plot.scatter([1.2e-10], [1.0])
    for form in ("0.00e+0", "0.00a", "0.[000]"):
        with pytest.raises(ValueError, match=re.escape(f"cannot write numbers as '{form}'")):
            style.hover(plot, dots, [("x", f"@x{{{form}}}")])
    style.hover(plot, dots, [("x", "@x{%.4g}"), ("y", "@y{0,0.00}"), ("", "@name")])


@pytest.mark.slow
def test_a_fit_of_very_many_systems_makes_a_small_page(tmp_path: Path) -> None:
    fit = small_fit(systems=30_000)
    page = fit_page(fit, tmp_path / "a.html")
    assert "2,000 of 30,000, evenly spaced" in text_of(page)
    assert page.stat().st_size < 5_000_000


def test_a_fit_without_parameters_is_refused(tmp_path: Path) -> None:
    for odd in (small_fit().drop_vars("parameter"), small_fit().drop_vars(["A", "xi", "c"])):
        with pytest.raises(SpecError, match="this fit has no parameters"):
            fit_page(odd, tmp_path / "a.html")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that may be at a path."""
    tmp_path = tmp_path_factory.mktemp("stores")
    survey = mock_survey(n_galaxies=3, seed=2)
    save_cube(survey, tmp_path / "cube.zarr")
    Sweep(survey, kernel="newton", axes={"upsilon_disk": [0.4, 0.5, 0.6]}).run(tmp_path / "result.zarr", workers=0)
    Fit(survey, kernel="newton", free={"upsilon_disk": sigcube.linspace(0.1, 1, 3)}).run(tmp_path / "fit.zarr")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    xr.Dataset({"a": 1}).to_zarr(tmp_path / "plain.zarr", zarr_format=3, consolidated=False)
    xr.Dataset({"a": 1}, attrs={"kind": "recording"}).to_zarr(tmp_path / "odd.zarr", zarr_format=3, consolidated=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["result.zarr"], 0, "Along upsilon_disk"),
        (["fit.zarr"], 0, "System by system"),
        (["cube.zarr"], 0, "Rotation curves"),
        (["result.zarr", "--y", "upsilon_disk"], 2, "one numeric axis, which is horizontal"),
        (["fit.zarr", "--x", "A"], 2, "this is the result of a fit, which has no axes to choose"),
        (["cube.zarr", "--value", "rms"], 2, "this is a cube, which has no axes to choose"),
        (["folder"], 2, "found: a folder that is no Zarr store"),
        (["file"], 2, "found: a file"),
        (["gone.zarr"], 1, "there is nothing here"),
        (["plain.zarr"], 2, "found: a Zarr store that does not say what kind it is"),
        (["odd.zarr"], 2, "found: a Zarr store of kind 'recording'"),
    ],
)
def test_map_shows_what_is_there_or_says_what_it_is(
    words: list[str], code: int, said: str, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stores)
    before = set(stores.iterdir())
    done = call("map", *words)
    assert done.exit_code == code, done.output
    if code:
        assert said in done.stderr
        assert set(stores.iterdir()) == before
    else:
        assert done.stdout == f"{Path(words[0]).with_suffix('.html')}\n"
        assert said in text_of(stores / done.stdout.strip())


def test_contours_lie_where_the_value_is() -> None:
    x, y = np.linspace(-1, 1, 81), np.linspace(-2, 2, 101)
    z = 5 + x[None, :] ** 2 + y[:, None] ** 2
    levels = contour_levels(z)
    lines = trace_contours(x, y, z, levels)
    assert len(lines["xs"]) == len(lines["text"]) == N_LEVELS
    for (level, _), xs, ys in zip(levels, lines["xs"], lines["ys"], strict=False):
        np.testing.assert_allclose((5 + xs**2 + ys**2)[np.isfinite(xs)], level, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("synthetic", "legend"), [(1, "measured (synthetic)"), (0, "measured")])
def test_rotation_curves_say_whether_they_were_measured(synthetic: int, legend: str) -> None:
    survey = demo_survey(n_galaxies=12).assign_attrs(synthetic=synthetic)
    models = {name: KERNELS[name].predict(survey) for name in ("newton", "mond", "sigma")}
    curves, _ = comparison_cards(survey, models, best="sigma", against="mond")
    legends = [each for figure in curves.figures for each in figure.select({"type": Legend})]
    labels = [item.label["value"] for each in legends for item in each.items]
    assert labels == ["newton", "mond", "sigma", legend]


@pytest.mark.slow
def test_a_demonstration_leaves_the_result_of_another_that_still_runs(tmp_path: Path) -> None:
    folder = tmp_path / "result.zarr" / "journal"
    folder.mkdir(parents=True)
    with Lock(folder), pytest.raises(StoreInUse, match="being written by another run"):
        run_demo(tmp_path, workers=1)
    assert folder.is_dir()


CHANGE = """
setTimeout(async () => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const title = models.find((m) => m.type === "Div"), image = models.find((m) => m.data && m.data.image);
  const say = async () => {
    await new Promise((done) => setTimeout(done, 300));
    console.log("SAID " + title.text + " | " + image.data.image[0][5].toFixed(4) + " END");
  };
  await say();
  models.find((m) => m.type === "Slider").value = 0;
  await say();
  models.find((m) => m.type === "Select").value = "1";
  models.find((m) => m.type === "RadioButtonGroup").active = 0;
  await say();
}, 3000);
"""


@pytest.mark.browser
def test_a_browser_draws_the_map_and_its_switches_change_it(tmp_path: Path, shoot: Shoot) -> None:
    result = small_result().assign_attrs(title="a small result")
    result["rms_mean"][0] += 0.5
    page = result_page(result, tmp_path / "map.html", mark=Mark("true model", {**BEST, "window": "geometric"}))
    console, picture = shoot(page, "")
    assert "document idle" in console
    assert not re.search(r"error|warn|uncaught|refused", console, re.IGNORECASE)
    map_area = picture[350:800, 150:800].reshape(-1, 3)
    # The colour scale has 256 steps; axes and text alone have a dozen.
    assert len(np.unique(map_area, axis=0)) > 150
    star = (map_area == (255, 176, 0)).all(axis=1).sum()
    assert star == 0, "the mark belongs to another window"
    changed_console, changed = shoot(page, CHANGE)
    power, other = (result.sel(window=name).isel(xi_scale=5, A=0) for name in ("power", "geometric"))
    rms = "RMS residual, mean over systems [km/s] at window = power"
    assert re.findall(r"SAID (.*?) END", changed_console) == [
        f"{rms}, k = 2 | {power.rms_mean.sel(k=2.0):.4f}",
        f"{rms}, k = 0.5 | {power.rms_mean.sel(k=0.5):.4f}",
        f"fraction of systems at window = geometric, k = 0.5 | {other.win_rate.sel(k=0.5):.4f}",
    ]
    changed_area = changed[350:800, 150:800].reshape(-1, 3)
    assert len(np.unique(changed_area, axis=0)) > 150
    assert (changed_area != map_area).any(axis=1).mean() > 0.5
    assert (changed_area == (255, 176, 0)).all(axis=1).sum() > 20


@pytest.mark.browser
def test_a_browser_draws_rotation_curves(tmp_path: Path, shoot: Shoot) -> None:
    survey = demo_survey(n_galaxies=12)
    models = {name: KERNELS[name].predict(survey) for name in ("newton", "mond", "sigma")}
    cards = comparison_cards(survey, models, best="sigma", against="mond")
    page = result_page(small_result(), tmp_path / "map.html", x="xi_scale", y="A", cards=cards)
    console, picture = shoot(page, "", size=(1480, 2400))
    assert not re.search(r"error|warn|uncaught", console, re.IGNORECASE)
    lower = picture[1500:2150, 60:900].reshape(-1, 3)
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
    done = call("demo", "--out", str(tmp_path), "--workers", "2")
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


@pytest.mark.browser
def test_ticks_are_written_in_few_digits(tmp_path: Path, shoot: Shoot) -> None:
    plot = style.figure(height=200)
    style.short_ticks(*plot.xaxis)
    (axis,) = plot.xaxis
    page = tmp_path / "page.html"
    page.write_text("<html><body></body></html>", encoding="utf-8")
    # What Bokeh does with the code of a formatter.
    ticks = [1.5e-10, 3 * 0.1, 6e10, -2.0, 0.0, 1e5, 0.01, -1e-7]
    code = f"const write = new Function('tick', {json.dumps(axis.formatter.code)});"
    console, _ = shoot(page, f"{code} console.log('ticks', {json.dumps(ticks)}.map(write).join(' '));")
    assert "ticks 1.5e\u221210 0.3 6e10 \u22122 0 1e5 0.01 \u22121e\u22127" in console


@pytest.mark.browser
def test_a_logarithmic_axis_has_ticks_wherever_it_is(tmp_path: Path, shoot: Shoot) -> None:
    plot = style.figure(height=200, x_axis_type="log")
    style.few_ticks(plot.xaxis[0])
    ticker = plot.xaxis[0].ticker
    page = tmp_path / "page.html"
    page.write_text("<html><body></body></html>", encoding="utf-8")
    code = f"const at = new Function('cb_data', 'most', {json.dumps(ticker.major_code)});"
    ranges = [(0.016, 0.75), (5.7e-11, 1.6e-10), (7e-14, 1.4e-7), (1.01, 1.05), (8e13, 3e14), (5.4e14, 7.6e14)]
    code += f"for (const [start, end] of {json.dumps(ranges)})"
    code += f"console.log('TICKS', at({{start, end}}, {ticker.args['most']}).join(' '), 'END');"
    console, _ = shoot(page, code)
    found = [[float(tick) for tick in line.split()] for line in re.findall(r"TICKS (.*?) END", console)]
    expected = [
        [0.02, 0.05, 0.1, 0.2, 0.5],
        [7e-11, 1e-10, 1.5e-10],
        [1e-12, 1e-10, 1e-8],
        [1.01, 1.02, 1.03, 1.04, 1.05],
        [1e14, 1.5e14, 2e14, 3e14],
        [5.5e14, 6e14, 6.5e14, 7e14, 7.5e14],
    ]
    assert [len(ticks) for ticks in found] == [len(ticks) for ticks in expected]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected))


TIPS = """
setTimeout(() => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const write = models.find((m) => m.type === "CustomJSHover" && m.values.includes("x"));
  const dots = write.values.find((each) => each.data);
  for (const index of [0, 1]) console.log("TIP " + write.format(dots.data.x[index], "", {index}) + " END");
}, 3000);
"""


@pytest.mark.browser
def test_the_tooltip_of_a_fit_has_small_numbers_and_no_error_where_there_is_none(tmp_path: Path, shoot: Shoot) -> None:
    fit = small_fit()
    for name in ("A", "A_error"):
        fit[name] = 1e-10 * fit[name]
    console, _ = shoot(fit_page(fit, tmp_path / "a.html"), TIPS)
    values, errors = (fit[name].sel(model="sigma").values for name in ("A", "A_error"))
    first, second = re.findall(r"TIP (.*?) END", console)
    numbers = [float(each) for each in re.findall(r"[\d.]+e-\d+", first)]
    assert numbers == pytest.approx([values[0], values[0] - errors[0], values[0] + errors[0]], rel=1e-3)
    assert float(second) == pytest.approx(values[1], rel=1e-3), "it has no error"


def test_colours_of_a_ratio_are_even_in_its_logarithm() -> None:
    own = importlib.import_module("sigcube.explore.map_plots")
    low, high = 0.25, 4.0
    colours = own._palette_of_ratios(low, high)
    at = [colours[round((value - low) / (high - low) * (len(colours) - 1))] for value in (0.5, 1.0, 2.0)]
    light = [sum(int(each[i : i + 2], 16) for i in (1, 3, 5)) for each in at]
    assert light[1] < min(light[0], light[2])
    assert abs(light[0] - light[2]) < 20, "one half is as far as two"
