import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sigcube.constants import PAPER
from sigcube.cube import open_cube, pack, save_cube
from sigcube.errors import DataError, SpecError
from sigcube.readers import Table
from sigcube.readers.contract import NoCuts
from sigcube.readers.landmarks import LAWS, read_landmarks
from sigcube.recipes import ingest, load_recipe
from tests.strategies import BROKEN_FILES

RECIPE = load_recipe("landmarks")
COLUMNS = RECIPE.files["table"].columns
TEXT = (RECIPE.folder / "landmarks.csv").read_text(encoding="utf-8")
A0 = math.exp(1.0 / (2.0 * math.pi))
A_CLUSTER = A0 * (600.0 / 0.40) ** 0.27


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    # No folder of data, and no download: the table comes with sigcube.
    return open_cube(ingest(RECIPE, out=tmp_path_factory.mktemp("cubes") / "landmarks.zarr", progress=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def _read(text: str | bytes, folder: Path) -> xr.Dataset:
    path = folder / "landmarks.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_landmarks({"table": Table(path, COLUMNS)}, cuts=NoCuts())


def _row(name: str) -> dict[str, str]:
    return next(row for row in csv.DictReader(io.StringIO(TEXT)) if row["landmark"] == name)


# Name; mass [Msun], radius [kpc], g_N [m/s²], external field [m/s²], redshift of g†, observed, its error, newton;
# and why. None stands for what the source does not give.
_AU = 1.496e11 / 3.086e19
_G_MW = 233e3**2 / (8 * 3.086e19)
_TULLY_FISHER = "PHYSICS §9.7: V = 200, R = 30 kpc, M_obs = 47 V⁴; other V for the slope"
_BINARIES = "main §2.14.1: separations of the table, with and without g_ext = (233 km/s)²/8 kpc"
_CLUSTERS = "main §4.3: masses of the printed table, 200 kpc; the papers take today's g†"
EXPECTED = [
    *((f"redshift {z}", None, 100.0, 1e-16, 0.0, z, None, None, 1.0, "PHYSICS §9.4, z of SI §8.2") for z in (0, 1, 2)),
    ("Earth", 1.0, _AU, None, 0.0, 0, None, None, 1.0, "SI §8.3: at 1 AU"),
    ("Saturn", 1.0, 9.5 * _AU, None, 0.0, 0, 1.0, 2.3e-5, 1.0, "PHYSICS §9.5: 9.5 AU; Cassini, main §2.14"),
    *(
        (f"Tully-Fisher {v}", 47.0 * v**4, 30.0, None, 0.0, 0, v, None, None, _TULLY_FISHER)
        for v in (50, 100, 200, 300)
    ),
    ("wide binary", 1.5, 1e4 * _AU, None, 0.0, 0, None, None, 1.0, "PHYSICS §9.8: 1.5 Msun at 10 kAU, Σ−1"),
    ("wide binary velocity", 1.5, 1e4 * _AU, None, 0.0, 0, 1.35, 0.1, 1.0, "PHYSICS §9.8: Chae's 35 % is in velocity"),
    *(
        (f"binary {s} AU{given}{place}", mass, s * _AU, g, g_ext, 0, None, None, 1.0, _BINARIES)
        for s, printed in ((1000, 5.9e-10), (5000, 2.4e-11), (10000, 5.9e-12), (20000, 1.5e-12))
        for given, mass, g in (("", 1.0, None), (" printed g", None, printed))
        for place, g_ext in (("", 0.0), (" in the Galaxy", _G_MW))
    ),
    ("Fornax", 2e7, 0.71, None, 0.0, 0, 10.7, None, 4.92281, "PHYSICS §9.9"),
    ("Draco", 2.9e5, 0.22, None, 0.0, 0, 9.1, None, 1.06492, "PHYSICS §9.9"),
    ("Sculptor", 2.3e6, 0.28, None, 0.0, 0, 9.2, None, 2.65835, "PHYSICS §9.9"),
    ("Carina", 3.8e5, 0.25, None, 0.0, 0, 6.6, None, 1.14354, "PHYSICS §9.9"),
    ("Ursa Minor", 2.9e5, 0.30, None, 0.0, 0, 9.5, None, 0.911939, "PHYSICS §9.9"),
    ("DF2", 2e8, 2.2, None, 0.0, 0, 8.5, 2.3, 8.84364, "PHYSICS §9.10"),
    ("Dragonfly 44", 3e8, 4.6, None, 0.0, 0, 47.0, 8.0, 7.49047, "PHYSICS §9.10"),
    ("galaxy-galaxy lensing", 5e11, 200.0, None, 0.0, 0, None, None, 1.0, "PHYSICS §9.11"),
    ("isolated dwarf", None, 1.0, 1e-11, 0.0, 0, None, None, 1.0, "PHYSICS §9.12, without the field"),
    ("dwarf in a field", None, 1.0, 1e-11, 1e-10, 0, None, None, 1.0, "PHYSICS §9.12"),
    ("cluster scale", 1e15, 1000.0, None, 0.0, 0, None, None, 1.39389e-10, "PHYSICS §9.14"),
    (
        "recombination",
        4 / 3 * math.pi * 0.1**3 * 0.0493 * 1.36e11 * 1101**3,
        100.0,
        None,
        0.0,
        1100,
        None,
        None,
        5.22475e-7,
        "PHYSICS §9.15: baryons at z = 1100 within 100 kpc",
    ),
    (
        "recombination printed",
        4 / 3 * math.pi * 1e-4**3 * 0.0493 * 1.36e11 * 1101**3,
        100.0,
        None,
        0.0,
        1100,
        None,
        None,
        5.22475e-16,
        "PHYSICS §9.15, with the density a Gpc³ that the printed value follows from",
    ),
    ("Bullet Cluster", 2.6e14, 150.0, None, 0.0, 0, 5.5e14, None, 2.6e14, "PHYSICS §9.16"),
    ("Abell 2744", 11.5e12, 200.0, None, 0.0, 0, 179.7e12, None, 11.5e12, _CLUSTERS),
    ("Abell 370", 13.5e12, 200.0, None, 0.0, 0, 234.1e12, None, 13.5e12, _CLUSTERS),
    ("MACS J0416", 9.0e12, 200.0, None, 0.0, 0, 154.7e12, None, 9.0e12, _CLUSTERS),
    ("MACS J0717", 15.5e12, 200.0, None, 0.0, 0, 234.7e12, None, 15.5e12, _CLUSTERS),
    ("Abell 1689", 9.5e12, 200.0, None, 0.0, 0, 150.0e12, None, 9.5e12, _CLUSTERS),
    ("Bullet Cluster 200 kpc", 7.0e12, 200.0, None, 0.0, 0, 120.0e12, None, 7.0e12, _CLUSTERS),
    ("Abell 383", 4.5e12, 200.0, None, 0.0, 0, 65.0e12, None, 4.5e12, _CLUSTERS),
]


def test_the_rows_are_those_of_the_papers_and_no_others(cube: xr.Dataset) -> None:
    assert cube.landmark.values.tolist() == [row[0] for row in EXPECTED]
    assert RECIPE.contents is not None
    assert cube.sizes["landmark"] == RECIPE.contents.systems == RECIPE.contents.points


@pytest.mark.parametrize("expected", EXPECTED, ids=[str(row[0]) for row in EXPECTED])
def test_every_number_of_every_row(expected: tuple[object, ...], cube: xr.Dataset) -> None:
    name, mass, r, g, g_ext, z, observed, error, newton, _reason = expected
    row = cube.sel(landmark=name)
    if g is None:
        g = 6.674e-11 * 1.989e30 * mass / (r * 3.086e19) ** 2  # type: ignore[operator]
    told = {"m_bar": mass, "r": r, "g_bar": g, "g_ext": g_ext, "z": z, "observed": observed, "e_observed": error}
    for variable, value in told.items():
        value = math.nan if value is None else value
        assert float(row[variable]) == pytest.approx(value, rel=1e-7, nan_ok=True), variable
    if newton is not None:
        assert float(row.newton) == pytest.approx(newton, rel=5e-6)
    in_a_cluster = str(row.group.item()) in ("bullet", "structure", "literature_clusters")
    assert (float(row.D), float(row.L)) == ((1.0, 600.0) if in_a_cluster else (0.0, 1.0))
    assert float(row.power) == (0.5 if str(row.law.item()) in ("velocity", "dispersion", "velocity_ratio") else 1.0)
    assert bool(row.system_flag & 1) is (observed is None)


def _h(g: float | np.ndarray, g_dagger: float = PAPER.g_dagger) -> float | np.ndarray:
    return np.sqrt(g_dagger / g) * g_dagger / (g_dagger + g)


# Written here once more, so that the inputs of the table are held against what the papers print.
def _boost(row: xr.Dataset, amplitude: float = A0) -> float:
    g = math.hypot(float(row.g_bar), float(row.g_ext))
    hubble = math.sqrt(0.3 * (1 + float(row.z)) ** 3 + 0.7)
    return 1.0 + amplitude * float(_h(g, PAPER.g_dagger * hubble))


def _of(cube: xr.Dataset, name: str) -> xr.Dataset:
    return cube.sel(landmark=name)


def test_newtonian_values_that_follow_from_mass_and_radius(cube: xr.Dataset) -> None:
    # √(G 47·200⁴ Msun / 30 kpc), and what main §2.14 and SI §8.3 say of the planets.
    assert float(_of(cube, "Tully-Fisher 200").newton) == pytest.approx(103.84, abs=0.005)
    assert f"{float(_of(cube, 'Saturn').g_bar):.1e}" == "6.6e-05"
    assert float(_of(cube, "Saturn").g_bar) / PAPER.g_dagger == pytest.approx(7e5, rel=0.03)
    assert float(_of(cube, "Earth").g_bar) / PAPER.g_dagger == pytest.approx(6e7, rel=0.03)


def test_a_solar_mass_gives_ten_times_the_accelerations_that_are_printed(cube: xr.Dataset) -> None:
    for separation in (1000, 5000, 10000, 20000):
        mass, printed = (_of(cube, f"binary {separation} AU{given}") for given in ("", " printed g"))
        assert float(mass.g_bar / printed.g_bar) == pytest.approx(10.0, rel=0.02)
    # Main §2.14.1 rounds g_ext to 2.2e-10.
    assert f"{float(_of(cube, 'binary 5000 AU in the Galaxy').g_ext):.1e}" == "2.2e-10"


def test_printed_results_that_need_only_the_table_and_h(cube: xr.Dataset) -> None:
    def boost(name: str, amplitude: float = A0) -> float:
        return _boost(_of(cube, name), amplitude)

    ratios = [
        float(row.newton) * math.sqrt(_boost(row)) / float(row.observed)
        for row in (_of(cube, name) for name in ("Fornax", "Draco", "Sculptor", "Carina"))
    ]
    printed = {
        "2.966": f"{((boost('redshift 2') - 1) / (boost('redshift 0') - 1)) ** 2:.3f}",
        "1.77e-09": f"{boost('Saturn', 1.0) - 1:.2e}",
        "63.2": f"{100 * (boost('wide binary') - 1):.1f}",
        "0.72": f"{np.mean(ratios):.2f}",
        "20.8": f"{float(_of(cube, 'DF2').newton) * math.sqrt(boost('DF2')):.1f}",
        "9.5": f"{boost('galaxy-galaxy lensing'):.1f}",
        "0.36": f"{boost('dwarf in a field') / boost('isolated dwarf'):.2f}",
        "1.5": f"{float(_of(cube, 'cluster scale').newton) / PAPER.g_dagger:.1f}",
        "1.12": f"{boost('Bullet Cluster', A_CLUSTER):.2f}",
    }
    assert list(printed.values()) == list(printed)


def test_the_printed_ratio_at_recombination_follows_from_a_density_per_cubic_gigaparsec(cube: xr.Dataset) -> None:
    g_dagger = PAPER.g_dagger * math.sqrt(0.315 * 1101**3 + 0.685)
    assert f"{float(_of(cube, 'recombination printed').newton) / g_dagger:.1e}" == "2.7e-10"
    assert float(_of(cube, "recombination").newton) / g_dagger == pytest.approx(0.27, abs=0.005)


def test_the_printed_ratios_of_the_clusters_belong_to_an_older_amplitude(cube: xr.Dataset) -> None:
    clusters = cube.isel(landmark=cube.group.values == "literature_clusters")
    ratio = clusters.newton * (1 + math.pi * math.sqrt(2) * _h(clusters.g_bar)) / clusters.observed
    # PHYSICS §8: 0.37 … 0.72 of main §4.3 belong to A = π√2.
    assert ratio.values.tolist() == pytest.approx([0.37, 0.30, 0.40, 0.32, 0.42, 0.47, 0.72], abs=0.035)


def test_samples(cube: xr.Dataset) -> None:
    count = {name: pack(cube, sample=name, variables=["newton"]).n_systems for name in ("all", *RECIPE.samples)}
    assert count == {"all": 48, "observed": 21, "printed": 37, "observed_and_printed": 15}


def test_it_survives_a_round_trip(tmp_path: Path, cube: xr.Dataset) -> None:
    again = open_cube(save_cube(cube, tmp_path / "again.zarr"))
    xr.testing.assert_identical(again, cube)


LINES = TEXT.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "landmark,group",
            "landmarks,group",
            r"column 'landmark' is missing\n(.*\n)*  expected: did you mean 'landmarks'",
        ),
        ("landmark,group", "group,landmark", r"\d+ faults(.*\n)*.*literature_clusters is there 7 times"),
        ("e_observed,printed,reference", "e_observed,printed", r"column 'reference' is missing"),
        ("Fornax,", "Draco,", r"Draco is there 2 times"),
        ("Fornax,", ",", r"the landmark has no name"),
        ("0.71,,2e7,", "0.71,,", r"wrong number of cells\n  where: .*line \d+\n  found: 17"),
        ("0.71,,2e7,", "0.71,,2e7_0,", r"not a number\n  where: .*column m_bar\n  found: '2e7_0'"),
        ("0.71,,2e7,", "0.71,,inf,", r"not a finite number"),
        ("0.71,,2e7,", "0.71,,,", r"too much or too little is given\n(.*\n)*.*neither\n  expected: m_bar or g_bar"),
        ("0.71,,2e7,", "0.71,,-2e7,", r"m_bar is not above 0"),
        ("0.71,,2e7,", "0.71,3,2e7,", r"r and separation\n  expected: r or separation"),
        ("dispersion,km/s,0.71", "dispersion,m/s,0.71", r"the unit is not that of a dispersion\n(.*\n)*  found: 'm/s'"),
        ("dispersion,km/s,0.71", "disprsion,km/s,0.71", r"there is no such law"),
        ("10.7,,1,", "10.7,,2,", r"out of range\n  where: .*column printed\n  found: 2\n  expected: 0 to 1"),
        ("10.7,,1,", "10.7,,,", r"missing, and a whole number cannot be NaN\n  where: .*column printed"),
        ("mass,solMass,150,,2.6e14,,", "mass,solMass,150,,,1e-9,", r"an enclosed mass needs m_bar"),
        ("Fornax,", '"Fornax,', r"wrong number of cells\n  where: .*line 29\n  found: 1\n"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert TEXT.count(old) >= 1
    with pytest.raises(DataError, match=message):
        _read(TEXT.replace(old, new, 1), tmp_path)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 faults(.*\n)*.*Fornax: the unit(.*\n)*.*Draco: there is no such law"):
        _read(TEXT.replace("km/s,0.71", "m/s,0.71").replace("dispersion,km/s,0.22", "x,km/s,0.22"), tmp_path)


def test_a_file_that_is_no_text_or_breaks_off(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"this is not UTF-8 text"):
        _read(TEXT.encode("utf-16"), tmp_path)
    with pytest.raises(DataError, match=r"there is no header"):
        _read("", tmp_path)
    with pytest.raises(DataError, match=r"there are no rows"):
        _read(LINES[0], tmp_path)
    with pytest.raises(DataError, match=r"wrong number of cells"):
        _read(TEXT[: TEXT.index("Carina") + 40], tmp_path)


def test_recipes_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.csv"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(SpecError, match=r"files.table"):
        read_landmarks({}, cuts=NoCuts())
    with pytest.raises(SpecError, match=r"no column for 'reference'"):
        read_landmarks({"table": Table(path, COLUMNS[:-1])}, cuts=NoCuts())
    for unit in ("solMass", "kpcc"):
        wrong = tuple(c.model_copy(update={"unit": unit}) if c.variable == "r" else c for c in COLUMNS)
        with pytest.raises(SpecError, match=rf"the unit cannot be converted\n(.*\n)*  found: '{unit}'"):
            read_landmarks({"table": Table(path, wrong)}, cuts=NoCuts())


def test_units_of_the_recipe_are_converted(tmp_path: Path, cube: xr.Dataset) -> None:
    path = tmp_path / "landmarks.csv"
    path.write_text(TEXT.replace(",0.71,,2e7,", ",710,,2e7,"), encoding="utf-8")
    columns = tuple(c.model_copy(update={"unit": "pc"}) if c.variable == "r" else c for c in COLUMNS)
    ds = read_landmarks({"table": Table(path, columns)}, cuts=NoCuts())
    assert float(ds.sel(landmark="Fornax").r) == pytest.approx(0.71, rel=1e-15)
    assert float(ds.sel(landmark="Fornax").newton) == pytest.approx(float(_of(cube, "Fornax").newton), rel=1e-14)


_CELL = st.one_of(
    st.sampled_from(
        ["", "1", "-1", "0", "nan", "inf", "1e400", "1e-400", "1_0", "km/s", "boost", "mass", '"', "é", "٣"]
    ),
    st.floats(width=32).map(str),
    st.text(max_size=6),
)
_EDIT = st.one_of(
    st.tuples(st.just("cell"), st.integers(0, len(LINES) - 1), st.integers(0, len(COLUMNS) - 1), _CELL),
    st.tuples(st.just("drop"), st.integers(0, len(LINES) - 1), st.just(0), st.just("")),
    st.tuples(st.just("twice"), st.integers(0, len(LINES) - 1), st.just(0), st.just("")),
    st.tuples(st.just("cut"), st.integers(0, len(TEXT)), st.just(0), st.just("")),
    st.tuples(st.just("byte"), st.integers(0, len(TEXT)), st.integers(0, 255), st.just("")),
)


def _edited(edits: list[tuple[str, int, int, str]]) -> bytes:
    rows = list(csv.reader(LINES))
    content = TEXT.encode()
    for what, at, other, cell in edits:
        if what == "cut":
            content = content[:at]
        elif what == "byte":
            content = content[:at] + bytes([other]) + content[at + 1 :]
        elif rows:
            at %= len(rows)
            if what == "cell":
                rows[at] = [cell if i == other else old for i, old in enumerate(rows[at])]
            else:
                rows[at : at + 1] = [] if what == "drop" else [rows[at]] * 2
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows(rows)
            content = out.getvalue().encode(errors="surrogatepass")
    return content


@pytest.mark.slow
@settings(max_examples=BROKEN_FILES, deadline=None)
@given(edits=st.lists(_EDIT, min_size=1, max_size=3))
def test_malformed_tables_give_a_right_cube_or_one_error(edits: list[tuple[str, int, int, str]], folder: Path) -> None:
    path = folder / "landmarks.csv"
    path.write_bytes(_edited(edits))
    try:
        ds = read_landmarks({"table": Table(path, COLUMNS)}, cuts=NoCuts())
    except DataError:
        return
    measured = ds.drop_vars(["observed", "e_observed", "redshift", "separation", "m_bar"])
    for name, values in measured.data_vars.items():
        if values.dtype.kind == "f":
            assert np.isfinite(values).all(), name
    assert (ds.r > 0).all()
    assert (ds.g_bar > 0).all()
    assert len(set(ds.landmark.values.tolist())) == ds.sizes["landmark"]
    assert set(ds.law.values.tolist()) <= set(LAWS)
