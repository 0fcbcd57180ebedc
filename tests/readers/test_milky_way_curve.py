import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sigcube
from sigcube.cube import open_cube, pack
from sigcube.errors import DataError, SpecError
from sigcube.readers import Table
from sigcube.readers.galaxy import GalaxyCuts
from sigcube.readers.milky_way_curve import read_milky_way_curve
from sigcube.recipes import ingest, load_recipe
from tests.strategies import BROKEN_FILES

RECIPE = load_recipe("eilers2019")
COLUMNS = RECIPE.files["curve"].columns
SMALL = """R_kpc,v_c_kms,sigma_v_c_kms
5.27,226.83,1.91
5.74,230.80,1.43
8,228.86,0.80
15.22,217.07,1.06
24.82,198.42,6.50
"""


@pytest.fixture(scope="module")
def cube(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    out = tmp_path_factory.mktemp("cubes") / "eilers2019.zarr"
    return open_cube(ingest(RECIPE, data=shared_data, out=out, progress=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def _read(content: str | bytes, folder: Path, cuts: GalaxyCuts | None = None) -> xr.Dataset:
    path = folder / "curve.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_milky_way_curve({"curve": Table(path, COLUMNS)}, cuts=cuts or GalaxyCuts())


def test_the_curve_is_that_of_the_file(cube: xr.Dataset, shared_data: Path) -> None:
    rows = np.loadtxt(shared_data / "milky_way" / "eilers2019_table1.csv", delimiter=",", skiprows=1)
    assert rows.shape == (38, 3)
    assert cube.galaxy.values.tolist() == ["Milky Way"]
    for column, name in enumerate(("r", "v_obs", "e_v_obs")):
        assert cube[name].values[0].tolist() == rows[:, column].tolist()
    assert cube.n_points.item() == 38
    assert not cube.point_flag.any()
    assert not cube.system_flag.any()
    assert cube.r_disk.item() == cube.scale_length_catalogue.item() == 2.6


def _v_bar_sq(r: float) -> float:
    """PHYSICS §8, written out."""
    g = 4.30091e-6 * 1.16**2
    disc = g * 4.6e10 * r**2 / (r**2 + 3.3**2) ** 1.5
    gas = g * 1.0e10 * r**2 / (r**2 + 7.0**2) ** 1.5
    return disc + gas + g * 1.0e10 * r / (r + 0.5) ** 2


def test_the_default_mass_to_light_ratios_give_the_masses_of_the_model(cube: xr.Dataset) -> None:
    v_bar_sq = cube.v_gas**2 + 0.5 * cube.v_disk**2 + 0.7 * cube.v_bul**2
    expected = [_v_bar_sq(float(r)) for r in cube.r.values[0]]
    np.testing.assert_allclose(v_bar_sq.values[0], expected, rtol=1e-13)
    assert "divided by √0.5" in cube.v_disk.attrs["source"]
    assert "divided by √0.7" in cube.v_bul.attrs["source"]
    assert "4.6e+10 Msun" in cube.v_disk.attrs["source"]


@pytest.mark.parametrize("ratios", [(0.5, 0.7), (1.0, 1.0), (0.3, 0.9)])
def test_v_bar_at_8_kpc(ratios: tuple[float, float], tmp_path: Path) -> None:
    cuts = GalaxyCuts(upsilon_disk=ratios[0], upsilon_bulge=ratios[1])
    at_8 = _read(SMALL, tmp_path, cuts).isel(galaxy=0, radius=2)
    v_bar = math.sqrt(at_8.v_gas**2 + ratios[0] * at_8.v_disk**2 + ratios[1] * at_8.v_bul**2)
    # By hand: disc 26,289 + gas 3,083 + bulge 6,408 (km/s)².
    assert v_bar == pytest.approx(math.sqrt(_v_bar_sq(8.0)), rel=1e-14)
    assert v_bar == pytest.approx(189.158, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(sigcube.kernels))
def test_every_kernel_runs_on_it_by_default(name: str, cube: xr.Dataset) -> None:
    predicted = sigcube.kernels[name].predict(cube)
    assert predicted.shape == (1, 38)
    assert np.isfinite(predicted.values).all()
    assert (predicted.values > 0).all()


@pytest.mark.parametrize("name", ["newton", "mond", "sigma"])
def test_the_rotation_is_that_of_a_milky_way(name: str, cube: xr.Dataset) -> None:
    predicted = sigcube.kernels[name].predict(cube)
    assert (predicted.values > 100).all()
    assert (predicted.values < 300).all()


def test_sigma_by_hand_at_the_innermost_radius(cube: xr.Dataset) -> None:
    r = float(cube.r[0, 0])
    v_bar_sq = _v_bar_sq(r)
    g, g_dagger = v_bar_sq * 1e6 / (r * 3.086e19), sigcube.constants.PAPER.g_dagger
    h = math.sqrt(g_dagger / g) * g_dagger / (g_dagger + g)
    # The scale length is that of the kept points by default: R[38//3] = 11.25 kpc.
    window = r / (float(cube.r[0, 12]) / (2 * math.pi) + r)
    amplitude = math.exp(1 / (2 * math.pi))
    expected = math.sqrt(v_bar_sq * (1 + amplitude * window * h))
    assert float(sigcube.kernels["sigma"].predict(cube)[0, 0]) == pytest.approx(expected, rel=1e-9)


def test_it_packs_like_any_galaxy(cube: xr.Dataset) -> None:
    packed = pack(cube, variables=["r", "v_bul", "r_disk"])
    assert (packed.n_systems, packed.n_points) == (1, 38)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("v_c_kms,", "v_kms,", r"column 'v_c_kms' is missing"),
        ("R_kpc,v_c_kms", "v_c_kms,R_kpc", r"the radius does not increase"),
        ("226.83,1.91", "226.83", r"wrong number of cells\n  where: .*curve.csv, line 2\n  found: 2"),
        ("226.83", "nan", r"v_obs is missing\n  where: .*curve.csv, line 2, column v_c_kms\n  expected: a number"),
        ("226.83", "", r"v_obs is missing"),
        ("226.83", "2268.3", r"out of range\n(.*\n)*  found: 2268.3"),
        ("1.91", "-1.91", r"out of range"),
        ("5.74", "5.27", r"the radius does not increase\n(.*\n)*  found: 5.27"),
        ("5.27", "0", r"out of range"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in SMALL
    with pytest.raises(DataError, match=message):
        _read(SMALL.replace(old, new, 1), tmp_path)


def test_recipes_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(SMALL)
    with pytest.raises(SpecError, match=r"files.curve"):
        read_milky_way_curve({}, cuts=GalaxyCuts())
    with pytest.raises(SpecError, match=r"no column for 'e_v_obs'"):
        read_milky_way_curve({"curve": Table(path, COLUMNS[:2])}, cuts=GalaxyCuts())
    wrong = (COLUMNS[0].model_copy(update={"unit": "km/s"}), *COLUMNS[1:])
    with pytest.raises(SpecError, match=r"the unit cannot be converted\n(.*\n)*  found: 'km/s'"):
        read_milky_way_curve({"curve": Table(path, wrong)}, cuts=GalaxyCuts())
    with pytest.raises(SpecError, match=r"not above 0.*\n  where: .*cuts.upsilon_bulge"):
        read_milky_way_curve({"curve": Table(path, COLUMNS)}, cuts=GalaxyCuts(upsilon_bulge=0))


def test_a_table_of_a_journal_is_brought_by_hand(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no address to fetch it from(.*\n)*  do: .*--data DIR.*; source: Eilers"):
        ingest(RECIPE, out=tmp_path / "x.zarr", progress=False)


_CELL = st.one_of(
    st.sampled_from(["", "nan", "-inf", "1e400", "0", "-1", "1_0", '"', "6,7", "٣", "0x10", " 7 "]),
    st.floats(width=32).map(str),
    st.text(max_size=4),
)


@pytest.mark.slow
@settings(max_examples=BROKEN_FILES, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), _CELL), max_size=3),
    cut=st.integers(0, len(SMALL)) | st.none(),
    flip=st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)) | st.none(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_malformed_curves_give_a_right_cube_or_one_error(
    cells: list[tuple[int, int, str]],
    cut: int | None,
    flip: tuple[int, int] | None,
    encoding: str,
    ends: str,
    folder: Path,
) -> None:
    rows = [line.split(",") for line in SMALL.splitlines()]
    for row, column, cell in cells:
        rows[row][column] = cell
    content = ends.join(map(",".join, rows)).encode(encoding, errors="replace")[:cut]
    if flip:
        content = content[: flip[0]] + bytes([flip[1]]) + content[flip[0] + 1 :]
    try:
        ds = _read(content, folder)
    except DataError:
        return
    for name in ("r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul"):
        assert np.isfinite(ds[name].values).all()
    assert (np.diff(ds.r.values[0]) > 0).all()
    assert ds.n_points.item() == ds.sizes["radius"] <= 5
