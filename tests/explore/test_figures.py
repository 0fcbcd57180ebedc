"""Figures for print: the values drawn are those of the library, axes have units, files are the same every time."""

import builtins
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cli import ExitCode
from sigcube.constants import PAPER
from sigcube.cube import KINDS, save_cube, select
from sigcube.errors import DataError, RawFilesMissing, SigcubeError, SpecError
from sigcube.explore.figures import FIGURES, draw_figure, write_figures
from sigcube.explore.figures.look import ONE_COLUMN, TWO_COLUMNS, Drawn
from sigcube.explore.figures.points import at_accelerations
from sigcube.kernels import KERNELS
from sigcube.recipes import load_recipe
from sigcube.sweep import Sweep
from tests.calling import call
from tests.synthetic_cubes import synthetic_cube

FORMULAS = ("enhancement", "windows", "solar_system")


def lines(panel: Any) -> dict[str, Any]:
    """The lines of a panel that the legend names, and the containers' data."""
    named = {line.get_label(): line for line in panel.lines if not str(line.get_label()).startswith("_")}
    return named | {each.get_label(): each.lines[0] for each in panel.containers if hasattr(each, "lines")}


def named(cube: xr.Dataset, samples: Mapping[str, str]) -> xr.Dataset:
    """The cube with further names for a sample that it has."""
    there = json.loads(cube.attrs["samples"])
    return cube.assign_attrs(samples=json.dumps({**there, **{new: there[old] for new, old in samples.items()}}))


@pytest.fixture(scope="module")
def cubes(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with synthetic cubes under the names of the datasets that the figures need."""
    folder = tmp_path_factory.mktemp("figures")
    save_cube(named(mock_cube, {"paper171": "unflagged"}), folder / "sparc.zarr")
    save_cube(mock_cube.isel(galaxy=[3]), folder / "eilers2019.zarr")
    stars = synthetic_cube(KINDS["star"], points=3000)
    stars["r"].values[:] = np.random.default_rng(2).uniform(4.0, 12.0, 3000)
    first = next(iter(json.loads(stars.attrs["samples"])))
    save_cube(named(stars, {"disc": first}), folder / "gaia.zarr")
    for name, points in (("literature_clusters", 1), ("clash", 4)):
        cluster = synthetic_cube(KINDS["cluster"], systems=8, points=points, seed=points)
        for mass, force, scale in (("m_bar", "g_bar", 1e11), ("m_obs", "g_obs", 8e11)):
            cluster[mass].values[:] *= scale
            cluster[force].values[:] = PAPER.G * PAPER.Msun * cluster[mass] / (cluster["r"] * PAPER.kpc) ** 2
        cluster["e_m_obs"].values[:] = 0.1 * cluster["m_obs"]
        save_cube(cluster, folder / f"{name}.zarr")
    return folder


@pytest.fixture(scope="module")
def drawn(cubes: Path) -> Callable[[str], Drawn]:
    """A function that draws a figure of synthetic cubes, once."""
    made: dict[str, Drawn] = {}

    def draw(name: str) -> Drawn:
        if name not in made:
            made[name] = draw_figure(name, cubes=cubes)
        return made[name]

    return draw


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_column_s_width_units_and_says_what_is_synthetic(
    name: str, drawn: Callable[[str], Drawn]
) -> None:
    figure = drawn(name).figure
    assert figure.get_figwidth() in (ONE_COLUMN, TWO_COLUMNS)
    axes = [panel.get_xlabel() for panel in figure.axes] + [panel.get_ylabel() for panel in figure.axes]
    titles = [each for each in (*axes, figure.get_supxlabel(), figure.get_supylabel()) if each]
    assert len(titles) >= 2
    # What is a ratio, a count or a number has no unit.
    plain = ("Σ", "W(r)", "/", "galaxies", "points", "amplitude")
    assert [each for each in titles if "[" not in each and not any(word in each for word in plain)] == []
    texts = [text.get_text() for panel in figure.axes if panel.get_legend() for text in panel.get_legend().get_texts()]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    shown = FIGURES[name].caption(drawn(name))
    assert FIGURES[name].beside in shown
    assert FIGURES[name].differs in shown
    measured = set(FIGURES[name].needs) - {"landmarks"}
    assert ("(synthetic)" in shown or any("(synthetic)" in each for each in texts)) == bool(measured)


@pytest.mark.slow
def test_the_gallery_draws_what_kernels_predict(drawn: Callable[[str], Drawn], cubes: Path) -> None:
    cube = select(sigcube.open_cube(cubes / "sparc.zarr"), sample="paper171")
    panels = drawn("rotation_curves").figure.axes
    assert len(panels) == 6
    for panel in panels:
        (name,) = (text.get_text() for text in panel.texts)
        one = cube.sel(galaxy=[name])
        for label, kernel in (("baryons", "newton"), ("MOND", "mond"), ("Σ-Gravity", "sigma")):
            np.testing.assert_array_equal(lines(panel)[label].get_ydata(), KERNELS[kernel].predict(one).values[0])
        np.testing.assert_array_equal(lines(panel)["measured (synthetic)"].get_ydata(), one["v_obs"].values[0])


@pytest.mark.slow
def test_the_radial_acceleration_relation_has_the_scatter_of_the_engine(
    drawn: Callable[[str], Drawn], cubes: Path
) -> None:
    cube = sigcube.open_cube(cubes / "sparc.zarr")
    top, _ = drawn("radial_acceleration").figure.axes
    x, y = lines(top)["measured (synthetic)"].get_data()
    residual = np.log10(y / (x * KERNELS["mond"].boost(at_accelerations(x)).values))
    found = Sweep(cube, sample="paper171", kernel="mond", metrics=["scatter_g"]).compute()
    assert residual.std() == pytest.approx(float(found.scatter_g), rel=1e-5)
    assert f"{float(found.scatter_g):.3f} dex for MOND" in drawn("radial_acceleration").caption
    grid, mond = lines(top)["MOND"].get_data()
    np.testing.assert_allclose(mond / grid, KERNELS["mond"].boost(at_accelerations(grid)), rtol=1e-12)


@pytest.mark.slow
def test_the_enhancement_at_g_dagger_is_that_of_the_formula(drawn: Callable[[str], Drawn]) -> None:
    # h(g†) = 1/2, so that Σ − 1 is half the amplitude.
    x, y = lines(drawn("enhancement").figure.axes[0])["Σ-Gravity, $A = √3$"].get_data()
    assert np.interp(0.0, np.log(x), y) == pytest.approx(math.sqrt(3.0) / 2.0, rel=1e-3)


@pytest.mark.slow
def test_the_windows_are_a_half_at_the_coherence_scale(drawn: Callable[[str], Drawn]) -> None:
    left = drawn("windows").figure.axes[0]
    for length in (1.0, 3.0, 6.0):
        r, w = lines(left)[f"$R_d$ = {length:g} kpc"].get_data()
        assert np.interp(length / (2.0 * math.pi), r, w) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.slow
def test_the_sun_s_enhancement_is_the_kernel_s_where_a_float_can_tell(drawn: Callable[[str], Drawn]) -> None:
    (panel,) = drawn("solar_system").figure.axes
    au, less = lines(panel)["Σ-Gravity, W = 1"].get_data()
    g = PAPER.G * PAPER.Msun / (au * PAPER.AU) ** 2
    whole = KERNELS["sigma"].boost(at_accelerations(g), amplitude="constant", A=math.sqrt(3.0)).values
    np.testing.assert_allclose(1.0 + less, whole, rtol=1e-9)
    # Near the Sun Σ itself is 1 to all digits, and still the line falls as r³: h goes as g^(-3/2).
    assert less[0] / less[20] == pytest.approx((au[0] / au[20]) ** 3, rel=1e-6)
    assert lines(panel)["Cassini, |γ − 1| <"].get_ydata() == [2.3e-5]


@pytest.mark.slow
def test_the_amplitude_that_a_cluster_needs_predicts_it(drawn: Callable[[str], Drawn], cubes: Path) -> None:
    (panel,) = drawn("amplitudes").figure.axes
    clash = sigcube.open_cube(cubes / "clash.zarr")
    needed = lines(panel)["needed: CLASH (synthetic)"].get_ydata()
    one = KERNELS["sigma"].boost(clash, amplitude="constant", A=1.0).values
    again = clash["g_bar"].values[np.isfinite(one)] * (1.0 + needed * (one[np.isfinite(one)] - 1.0))
    np.testing.assert_allclose(again, clash["g_obs"].values[np.isfinite(one)], rtol=1e-9)


@pytest.mark.slow
def test_the_cluster_figure_draws_masses_and_ratios_of_the_kernels(drawn: Callable[[str], Drawn], cubes: Path) -> None:
    left, middle, _ = drawn("clusters").figure.axes
    masses, clash = (sigcube.open_cube(cubes / f"{name}.zarr") for name in ("literature_clusters", "clash"))
    predicted = KERNELS["sigma"].predict(masses, observable="mass").values.ravel()
    np.testing.assert_array_equal(left.containers[0].lines[0].get_ydata(), predicted)
    ratio = (KERNELS["mond"].predict(clash) / clash["g_obs"]).values
    np.testing.assert_array_equal(middle.lines[1].get_ydata(), ratio[np.isfinite(ratio)])


@pytest.mark.slow
def test_the_same_figure_is_the_same_file(tmp_path: Path, cubes: Path) -> None:
    for folder in ("one", "two"):
        write_figures(["windows"], out=tmp_path / folder, cubes=cubes, formats=["pdf", "svg", "png"])
    for form, begin in (("pdf", b"%PDF-"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        one, two = ((tmp_path / folder / f"windows.{form}").read_bytes() for folder in ("one", "two"))
        assert one == two
        assert one.startswith(begin)


@pytest.mark.slow
def test_drawing_leaves_the_settings_of_the_caller(drawn: Callable[[str], Drawn]) -> None:
    from matplotlib import rcParams, rcParamsDefault

    drawn("windows")
    assert rcParams["font.size"] == rcParamsDefault["font.size"]
    assert rcParams["svg.hashsalt"] == rcParamsDefault["svg.hashsalt"]


@pytest.mark.slow
def test_the_index_has_every_figure_of_the_folder(tmp_path: Path, cubes: Path) -> None:
    # Two runs: the second leaves the first one's figure where it is.
    write_figures(["windows"], out=tmp_path, cubes=cubes, formats=["png"])
    written = write_figures(["enhancement"], out=tmp_path, cubes=cubes, formats=["svg", "pdf"])
    index = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "(windows.png)" in index
    assert "![Enhancement over acceleration](enhancement.svg)" in index
    assert (tmp_path / "enhancement.txt").read_text(encoding="utf-8").strip() in index
    assert {path.name for path in written.files} == {
        "enhancement.svg",
        "enhancement.pdf",
        "enhancement.txt",
        "README.md",
    }


@pytest.mark.slow
def test_another_readme_is_not_replaced(tmp_path: Path, cubes: Path) -> None:
    (tmp_path / "README.md").write_text("# mine\n", encoding="utf-8")
    with pytest.raises(DataError, match="already something else"):
        write_figures(["windows"], out=tmp_path, cubes=cubes)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_misspelt_name_or_format_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'windows'"):
        draw_figure("window")
    with pytest.raises(SpecError, match="no format 'pfd'"):
        write_figures(["windows"], out=tmp_path, formats=["pfd"])
    with pytest.raises(SpecError, match="no format is named"):
        write_figures(["windows"], out=tmp_path, formats=[])


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SigcubeError, match="matplotlib") as caught:
        write_figures(["windows"], out=tmp_path / "out", cubes=tmp_path)
    assert caught.value.hint == 'pip install "sigcube[plot]"'
    assert not (tmp_path / "out").exists()


@pytest.fixture
def nothing_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No raw files of earlier downloads."""
    monkeypatch.setattr("sigcube.claims.cubes.cache_folder", lambda: tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_cached")
def test_the_command_makes_cubes_and_skips_what_has_no_data(tmp_path: Path) -> None:
    words = "--cubes", str(tmp_path / "cubes"), "--out", str(tmp_path / "out"), "--format", "svg"
    asked = call("figures", "solar_system", "milky_way", *words)
    # By name, a figure without data is a failure; the other is there all the same, and its cube was made.
    assert asked.exit_code == ExitCode.REFUSED
    assert "milky_way: skipped" in asked.stderr
    assert str(tmp_path / "out" / "solar_system.svg") in asked.stdout.splitlines()
    assert (tmp_path / "cubes" / "landmarks.zarr").is_dir()
    whole = call("figures", *words)
    assert whole.exit_code == 0
    drawn = {path.stem for path in (tmp_path / "out").glob("*.svg")}
    assert drawn == set(FORMULAS)
    with pytest.raises(RawFilesMissing):
        draw_figure("milky_way", cubes=tmp_path / "cubes")


def test_the_command_lists_and_refuses() -> None:
    listed = call("figures", "--list")
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in FIGURES)
    wrong = call("figures", "gallry")
    assert wrong.exit_code == ExitCode.USAGE
    assert "there is no figure 'gallry'" in wrong.stderr


def test_figures_need_datasets_that_there_are() -> None:
    for figure in FIGURES.values():
        assert [load_recipe(name).name for name in figure.needs] == list(figure.needs)


def test_the_page_lists_every_figure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "figures.md").read_text(encoding="utf-8")
    for figure in FIGURES.values():
        assert f"| `{figure.name}` | {figure.title} | {figure.beside} |" in page
        assert figure.differs in page


@pytest.mark.slow
def test_the_real_gallery_is_of_the_printed_scatter(sparc_path: Path) -> None:
    drawn = draw_figure("rotation_curves", cubes=sparc_path.parent)
    # Main, figure 5: galaxies near the mean scatter, printed as 0.105 dex.
    assert "of the 171 galaxies" in drawn.caption
    assert "0.104 dex" in drawn.caption
    assert "synthetic" not in drawn.caption
