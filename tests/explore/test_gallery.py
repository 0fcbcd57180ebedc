"""Pages of cubes: what they hold, that their numbers are the cube's, and that a real browser draws them."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import xarray as xr
from bokeh.models import Axis, ColumnDataSource, GlyphRenderer, Legend, Select

from sigcube.cli import ExitCode
from sigcube.cube import KINDS, Kind, save_cube
from sigcube.errors import DataError, StoreError
from sigcube.explore import cube_page, index_page, star_plots
from sigcube.explore.cluster_plots import profile_cards
from sigcube.explore.galaxy_plots import rotation_cards
from sigcube.explore.histograms import histogram_cards
from sigcube.explore.landmark_plots import landmark_cards
from sigcube.explore.star_plots import count_stars, density_cards
from sigcube.explore.style import plain_number
from sigcube.kernels import KERNELS
from tests.browser import Shoot
from tests.calling import call
from tests.synthetic_cubes import synthetic_cube

KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def sample_cube(kind: Kind) -> xr.Dataset:
    return synthetic_cube(kind, systems=12, points=3000 if kind.name == "star" else 8)


def models_of(card: Any, kind: type) -> list[Any]:
    return [model for each in card.models for model in each.select({"type": kind})]


def legends(card: Any) -> list[str]:
    items = [item for each in models_of(card, Legend) for item in each.items]
    return [item.label.value for item in items if hasattr(item.label, "value")]


def columns_of(card: Any, name: str) -> dict[str, Any]:
    """The longest source of a card's figures that has a column of this name; others hold what is chosen."""
    sources: list[ColumnDataSource] = [each.data_source for each in models_of(card, GlyphRenderer)]
    found = [dict(source.data) for source in sources if name in source.data]
    return max(found, key=lambda data: len(data[name]))


@pytest.fixture
def star() -> xr.Dataset:
    """Stars about a straight line, some of them without a place and flagged."""
    rng = np.random.default_rng(5)
    cube = synthetic_cube(KINDS["star"], points=20_000)
    cube["r"].values[:] = rng.uniform(4, 12, 20_000)
    cube["v_phi"].values[:] = rng.normal(240 - 2 * cube["r"].values, 25)
    cube["height"].values[:] = rng.normal(0, 0.2, 20_000)
    lost = rng.uniform(size=20_000) < 0.1
    for name in ("r", "v_phi", "height"):
        cube[name].values[lost] = np.nan
    cube["point_flag"].values[:] = np.where(lost, 1, 0)
    return cube


@pytest.mark.slow
@KIND
def test_a_page_says_what_is_in_the_cube_and_needs_no_network(kind: Kind, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "a.html"
    summary = cube_page(save_cube(sample_cube(kind), tmp_path / "a.zarr"), page)
    html = page.read_text(encoding="utf-8")
    assert f"<title>a synthetic {kind.name} cube (synthetic data)</title>" in html
    bare = re.sub(r"(<script\b[^>]*>).*?</script>", r"\1", html, flags=re.DOTALL)
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", bare)
    assert len(tags) > 2
    assert not [tag for tag in tags if re.search(r"""(?:src|href)=["'](?!data:)""", tag)]
    for text in ("nobody", "CC0-1.0", "a.csv (unverified)", "what has no flag", summary.fingerprint):
        assert text in bare
    for name, meanings in summary.flags.items():
        for meaning, note in zip(kind.variable(name).flags, kind.variable(name).flag_notes, strict=True):
            assert (f">{meaning}<" in bare and note in bare) == (meaning in meanings)
    for each in summary.ranges:
        assert f">{each.name}<" in bare
    assert "synthetic" in " ".join(legends_of_page(tmp_path / "a.zarr", kind))


def legends_of_page(path: Path, kind: Kind) -> Iterator[str]:
    """Texts of the plots where synthetic data must say so: legends and axis titles."""
    from sigcube.explore.cube_page import PLOTS

    for card in PLOTS.get(kind.name, histogram_cards)(sample_cube(kind)):
        yield from legends(card)
        yield from (str(axis.axis_label) for axis in models_of(card, Axis))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "width"),
    # That all are as narrow as a phone, tests/explore/test_hostile.py tests.
    [*((kind, 1280) for kind in KINDS.values()), (KINDS["star"], 400)],
    ids=[*KINDS, "star on a phone"],
)
def test_a_browser_draws_it(kind: Kind, width: int, tmp_path: Path, shoot: Shoot) -> None:
    cube_page(save_cube(sample_cube(kind), tmp_path / "a.zarr"), tmp_path / "a.html")
    wide = "console.log('wide: ' + (document.documentElement.scrollWidth > document.documentElement.clientWidth));"
    console, picture = shoot(tmp_path / "a.html", f"setTimeout(() => {{ {wide} }}, 3000);", size=(width, 1400))
    assert "document idle" in console
    assert not re.search(r"error|warn|uncaught", console, re.IGNORECASE)
    assert "wide: false" in console, "nothing sticks out to the right"
    plot = picture[150:900, 40 : width - 40].reshape(-1, 3).astype(int)
    # What is drawn is coloured; text and axes are grey.
    assert ((plot.max(axis=1) - plot.min(axis=1)) > 60).sum() > 100


def test_no_page_of_a_cube_that_is_damaged(tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(KINDS["star"]), tmp_path / "a.zarr")
    shutil.rmtree(path / "r" / "c")
    with pytest.raises(DataError, match="NaN or infinite without a flag"):
        cube_page(path, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.slow
def test_a_page_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(KINDS["landmark"]), tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="the page cannot be written"):
        cube_page(path, path / "zarr.json" / "a.html")


@pytest.mark.slow
def test_rotation_curves_are_those_of_the_cube(mock_cube: xr.Dataset) -> None:
    curves, overview = rotation_cards(mock_cube)
    (choice,) = models_of(curves, Select)
    assert [name for _, name in choice.options] == mock_cube.galaxy.values.tolist()
    galaxy = mock_cube.isel(galaxy=int(choice.value))
    assert int(galaxy.n_points) == int(mock_cube.n_points.max())
    shown, real = columns_of(curves, "v_obs"), slice(0, int(galaxy.n_points))
    np.testing.assert_allclose(shown["v_obs"], galaxy.v_obs[real], rtol=1e-6)
    np.testing.assert_allclose(shown["high"] - shown["low"], 2 * galaxy.e_v_obs[real], rtol=1e-4)
    np.testing.assert_allclose(shown["v_bar"], KERNELS["newton"].predict(galaxy)[real], rtol=1e-6)
    np.testing.assert_allclose(
        shown["v_bar"] ** 2,
        shown["v_gas"] * abs(shown["v_gas"]) + shown["v_disk"] ** 2 + shown["v_bul"] ** 2,
        rtol=1e-5,
    )
    everything = columns_of(overview, "galaxy")
    np.testing.assert_array_equal(everything["y"], mock_cube.v_obs.max("radius"))
    np.testing.assert_array_equal(everything["x"], mock_cube.r.max("radius"))
    assert "measured (synthetic)" in legends(curves)
    assert "measured" in legends(rotation_cards(mock_cube.assign_attrs(synthetic=0))[0])


def test_flagged_points_are_marked_where_they_are(mock_cube: xr.Dataset) -> None:
    cube = mock_cube.copy(deep=True)
    longest = int(cube.n_points.values.argmax())
    cube["point_flag"].values[longest, 3] = 2
    shown = columns_of(rotation_cards(cube)[0], "flagged")
    assert np.flatnonzero(np.isfinite(shown["flagged"])).tolist() == [3]
    assert shown["flagged"][3] == shown["v_obs"][3]
    assert "flagged" in legends(rotation_cards(cube)[0])
    # A legend names what is there.
    cube["point_flag"].values[:] = 0
    assert "flagged" not in legends(rotation_cards(cube)[0])


def test_a_single_galaxy_needs_no_choice_of_others(mock_cube: xr.Dataset) -> None:
    assert [card.title for card in rotation_cards(mock_cube.isel(galaxy=[2]))] == ["Rotation curve"]


def test_of_very_many_galaxies_some_are_shown(mock_cube: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.explore.galaxy_plots._MOST", 15)
    curves, overview = rotation_cards(mock_cube)
    (choice,) = models_of(curves, Select)
    assert [name for _, name in choice.options] == mock_cube.galaxy.values[::3].tolist()
    assert overview.title == "14 of all galaxies"


CHOOSE = """
setTimeout(() => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  models.find((m) => m.type === "Select").value = "%s";
  setTimeout(() => {
    const curve = models.find((m) => m.type === "ColumnDataSource" && m.name === "curve");
    console.log("shown: " + [...curve.data.v_obs].map((v) => v.toFixed(2)).join(" ") + ";");
  }, 500);
}, 3000);
"""


@pytest.mark.browser
def test_a_browser_shows_the_galaxy_that_is_chosen(tmp_path: Path, mock_cube: xr.Dataset, shoot: Shoot) -> None:
    cube_page(save_cube(mock_cube, tmp_path / "a.zarr"), tmp_path / "a.html")
    console, _ = shoot(tmp_path / "a.html", CHOOSE % 7)
    shown = re.search(r"shown: ([-\d. ]+);", console)
    assert shown is not None, console
    galaxy = mock_cube.isel(galaxy=7)
    np.testing.assert_allclose(
        [float(word) for word in shown[1].split()], galaxy.v_obs[: int(galaxy.n_points)], atol=0.006
    )


def test_stars_are_counted_where_they_are(star: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count_stars(star, "r", "v_phi", cells=(40, 30))
    assert list(counted) == ["unflagged", "all"]
    unflagged = counted["unflagged"]
    kept = star.point_flag.values == 0
    expected = np.histogram2d(star.v_phi.values[kept], star.r.values[kept], bins=(unflagged.y, unflagged.x))[0]
    np.testing.assert_array_equal(unflagged.cells, expected)
    assert (unflagged.inside, unflagged.total) == (expected.sum(), kept.sum())
    assert 0.98 < unflagged.inside / unflagged.total < 1
    assert counted["all"].total == star.sizes["star"]
    np.testing.assert_array_equal(counted["all"].cells, expected)
    # Read in parts, they are the same.
    monkeypatch.setattr(star_plots, "_SLAB", 777)
    np.testing.assert_array_equal(count_stars(star, "r", "v_phi", cells=(40, 30))["unflagged"].cells, expected)


def test_the_median_is_that_of_the_stars(star: xr.Dataset) -> None:
    counted = count_stars(star, "r", "v_phi", cells=(40, 30))["unflagged"]
    edges = counted.x[::5]
    kept = (star.point_flag.values == 0) & (star.v_phi.values > counted.y[0]) & (star.v_phi.values < counted.y[-1])
    for low, high, median in zip(edges[:-1], edges[1:], counted.median, strict=True):
        own = star.v_phi.values[kept & (star.r.values >= low) & (star.r.values < high)]
        # A quarter of a cell: what the finer cells can tell.
        assert median == pytest.approx(np.median(own), abs=(counted.y[1] - counted.y[0]) / 4)


def test_no_median_of_few_stars(star: xr.Dataset) -> None:
    counted = count_stars(star.isel(star=slice(0, 300)), "r", "v_phi", cells=(40, 30))["unflagged"]
    assert np.isnan(counted.median).all()


def test_stars_without_any_place_make_a_page_too(star: xr.Dataset) -> None:
    for name in ("r", "v_phi", "height"):
        star[name].values[:] = np.nan
    star["point_flag"].values[:] = 1
    assert count_stars(star, "r", "v_phi", cells=(40, 30))["all"].inside == 0
    assert "20,000 of 20,000" in density_cards(star.assign_attrs(samples="{}"))[0].text


@pytest.mark.slow
def test_a_page_of_many_stars_stays_small(tmp_path: Path) -> None:
    few, many = (synthetic_cube(KINDS["star"], points=n) for n in (2_000, 200_000))
    sizes = []
    for cube in (few, many):
        cube_page(save_cube(cube, tmp_path / f"{cube.sizes['star']}.zarr"), tmp_path / "a.html")
        sizes.append((tmp_path / "a.html").stat().st_size)
    assert sizes[1] < 1.05 * sizes[0]


SWITCH = """
setTimeout(() => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const total = () => models.filter((m) => m.type === "ColumnDataSource" && m.name === "image")
    .map((m) => [...m.data.image[0]].filter(Number.isFinite).reduce((a, b) => a + b, 0)).join(" ");
  const before = total();
  models.find((m) => m.type === "Select").value = "1";
  setTimeout(() => console.log("totals: " + before + " then " + total() + ";"), 500);
}, 3000);
"""


@pytest.mark.browser
def test_a_browser_shows_the_sample_that_is_chosen(tmp_path: Path, star: xr.Dataset, shoot: Shoot) -> None:
    star["point_flag"].values[:10_000] |= 8  # half of them are off the plane
    cube_page(save_cube(star, tmp_path / "a.zarr"), tmp_path / "a.html")
    console, _ = shoot(tmp_path / "a.html", SWITCH)
    said = re.search(r"totals: (\d+) (\d+) then (\d+) (\d+);", console)
    assert said is not None, console
    for place, view in enumerate(("v_phi", "height")):
        counted = count_stars(star, "r", view, cells=(45, 40))
        assert int(said[1 + place]) == pytest.approx(counted["unflagged"].inside, rel=0.002)
        assert int(said[3 + place]) == pytest.approx(counted["all"].inside, rel=0.002)


def test_profiles_are_those_of_the_cube() -> None:
    cube = synthetic_cube(KINDS["cluster"])
    accelerations, masses, missing = profile_cards(cube)
    shown, real = columns_of(accelerations, "g_bar"), (cube.point_flag.values & 1) == 0
    for name in ("r", "g_bar", "g_obs", "m_bar", "m_obs"):
        np.testing.assert_array_equal(shown[name], cube[name].values[real])
    np.testing.assert_array_equal(shown["ratio"], shown["g_obs"] / shown["g_bar"])
    # Errors in dex go before others, for they are what the source gives.
    dex = cube.e_log_g_obs.values[real]
    np.testing.assert_allclose(np.log10(shown["g_obs_high"] / shown["g_obs"]), dex, rtol=1e-9)
    np.testing.assert_allclose(shown["m_obs_high"] - shown["m_obs"], cube.e_m_obs.values[real], rtol=1e-9)
    assert (shown["m_obs_low"] > 0).all()
    assert shown["cluster"].tolist() == np.repeat(cube.cluster.values, cube.n_points.values).tolist()
    assert len(columns_of(missing, "xs")["xs"]) == 6
    assert set(legends(masses)) == {"equal", "measured (synthetic)"}


def test_clusters_of_one_radius_are_shown_by_name() -> None:
    cube = synthetic_cube(KINDS["cluster"], points=1)
    missing = profile_cards(cube)[-1]
    (figure,) = missing.figures
    order = np.argsort((cube.g_obs / cube.g_bar).values[:, 0], kind="stable")
    assert list(figure.yaxis.major_label_overrides.values()) == [str(name) for name in cube.cluster.values[order]]
    shown = columns_of(missing, "row")
    np.testing.assert_array_equal(cube.cluster.values[order][shown["row"]], shown["cluster"])


def test_landmarks_that_were_observed_are_shown_and_all_are_listed() -> None:
    cube = synthetic_cube(KINDS["landmark"])
    cube["observed"].values[2] = np.nan
    by_name, over, table = landmark_cards(cube)
    shown = columns_of(by_name, "ratio")
    assert len(shown["name"]) == 5
    assert "5 of 6 landmarks" in by_name.text
    assert (np.diff(shown["g_bar"]) <= 0).all()
    chosen = cube.sel(landmark=shown["name"])
    np.testing.assert_array_equal(shown["ratio"], chosen.observed / chosen.newton)
    assert "(synthetic)" in by_name.figures[0].xaxis.axis_label + over.figures[0].yaxis.axis_label
    assert table.table is not None
    assert [row[0] for row in table.table.rows] == cube.landmark.values.tolist()
    assert table.table.rows[2][3] == "–"
    assert [card.title for card in landmark_cards(cube.drop_vars("observed"))] == ["All landmarks"]


def test_histograms_are_shares_of_what_has_no_flag() -> None:
    cube = synthetic_cube(KINDS["population"], systems=4000)
    cube["counter_rotating"].values[:] = np.arange(4000) % 4 == 0
    (card,) = histogram_cards(cube)
    # The second system carries a flag.
    assert legends(card) == ["counter-rotating (1,000, synthetic)", "others (2,999, synthetic)"]
    for renderer in models_of(card, GlyphRenderer):
        assert 98 < sum(renderer.data_source.data["top"]) <= 100
    (choice,) = models_of(card, Select)
    assert "f_dm" in [name for _, name in choice.options]
    assert legends(histogram_cards(cube.drop_vars("counter_rotating"))[0]) == ["all (3,999, synthetic)"]


def test_a_cube_with_flags_everywhere_has_no_histogram() -> None:
    cube = synthetic_cube(KINDS["population"], systems=5)
    cube["system_flag"].values[:] = 1
    assert histogram_cards(cube) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-12.345, "-12.35"), (1e-5, "1×10⁻⁵"), (np.float64(6.022e23), "6.022×10²³"), (12345.0, "1.234×10⁴")],
)
def test_numbers_are_printed_with_powers(value: float, text: str) -> None:
    assert plain_number(value) == text


@pytest.mark.slow
def test_the_page_that_leads_to_others(tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(KINDS["cluster"]), tmp_path / "a.zarr")
    summary = cube_page(path, tmp_path / "a.html")
    html = index_page({"a.html": summary}, {"b": "<b>another</b>"}, tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<a href="a.html">a</a>' in html
    assert "sigcube ingest b" in html
    assert "&lt;b&gt;another" in html
    assert "<script" not in html
    assert "Not here yet" not in index_page({"a.html": summary}, {}, tmp_path / "i.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two cubes."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("landmark", "cluster"):
        save_cube(synthetic_cube(KINDS[name]), folder / f"{name}.zarr")
    return folder


@pytest.fixture
def folder(cubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with two cubes."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(cubes, tmp_path / "cubes")
    return tmp_path


@pytest.mark.slow
def test_show_writes_a_page_beside_the_cube_and_opens_it_if_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    shown = call("show", "cubes/landmark.zarr")
    assert (shown.exit_code, shown.stdout) == (0, "cubes/landmark.html\n")
    assert opened == []
    assert call("show", "cubes/landmark.zarr", "--out", "pages/a.html", "--open").exit_code == 0
    assert opened == [str(folder / "pages" / "a.html")]
    assert (folder / "pages" / "a.html").is_file()


@pytest.mark.slow
def test_show_all_goes_on_after_a_broken_cube(folder: Path) -> None:
    shown = call("show", "--all")
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "cubes/index.html")
    html = (folder / "cubes" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(\w+\.html)"', html) == ["cluster.html", "landmark.html"]
    assert "sigcube ingest sparc" in html
    (folder / "cubes" / "broken.zarr").mkdir()
    shown = call("show", "--all", "--out", "pages")
    assert shown.exit_code == ExitCode.REFUSED
    assert re.search(r"cubes/broken.zarr: failed: ", shown.stderr)
    assert sorted(path.name for path in (folder / "pages").iterdir()) == ["cluster.html", "index.html", "landmark.html"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["--cubes", "nowhere"], ["--cubes", "nowhere", "--out", "pages"], ["--cubes", "a.txt"]]
)
def test_show_all_needs_a_folder_and_makes_none(words: list[str], folder: Path) -> None:
    (folder / "a.txt").touch()
    shown = call("show", "--all", *words)
    assert (shown.exit_code, shown.stdout) == (ExitCode.REFUSED, "")
    assert re.search(rf"there is no folder of cubes here\n  where: {words[1]}\n  do: name the folder", shown.stderr)
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "cubes"]


@pytest.mark.parametrize(
    ("words", "code"), [([], ExitCode.USAGE), (["a.zarr", "--all"], ExitCode.USAGE), (["a.zarr"], ExitCode.REFUSED)]
)
def test_what_show_refuses(words: list[str], code: int, folder: Path) -> None:
    assert call("show", *words).exit_code == code
