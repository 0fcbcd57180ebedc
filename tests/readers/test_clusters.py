import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import flag_masks, open_cube, pack, select
from sigcube.errors import DataError
from sigcube.readers.clusters import ClusterCuts, complete
from sigcube.recipes import ingest, load_recipe
from tests.readers.cds_files import CdsFiles

R_200_KPC = 200 * PAPER.kpc
ONE = PAPER.G * PAPER.Msun / R_200_KPC**2


@pytest.fixture(scope="module")
def clash(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return open_cube(ingest(load_recipe("clash"), data=shared_data, out=tmp_path_factory.mktemp("c") / "clash.zarr"))


@pytest.fixture(scope="module")
def literature(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    out = tmp_path_factory.mktemp("c") / "literature.zarr"
    return open_cube(ingest(load_recipe("literature_clusters"), data=shared_data, out=out))


def fox(files: CdsFiles, folder: Path) -> xr.Dataset:
    files.write(folder)
    return open_cube(ingest(load_recipe("fox2022"), data=folder, out=folder / "cubes" / "fox.zarr"))


def test_every_number_of_clash_is_kept_and_its_powers_follow(clash: xr.Dataset, shared_data: Path) -> None:
    assert clash.sizes["cluster"] == 20
    assert int(clash["n_points"].sum()) == 84
    for line in (shared_data / "clash" / "fig2.dat").read_text().splitlines():
        name, *numbers = line.split()
        r, log_bar, log_tot, e_bar, e_tot = map(float, numbers)
        point = clash.sel(cluster=name).isel(radius=int(np.flatnonzero(clash.sel(cluster=name)["r"].values == r)[0]))
        given = ("log_g_bar", "log_g_obs", "e_log_g_bar", "e_log_g_obs")
        assert [float(point[name]) for name in given] == [log_bar, log_tot, e_bar, e_tot]
        for side, log, error in (("bar", log_bar, e_bar), ("obs", log_tot, e_tot)):
            g = 10.0**log
            assert float(point[f"g_{side}"]) == pytest.approx(g, rel=1e-15)
            assert float(point[f"e_g_{side}"]) == pytest.approx(g * math.log(10) * error, rel=1e-14)
            mass = g * (r * PAPER.kpc) ** 2 / (PAPER.G * PAPER.Msun)
            assert float(point[f"m_{side}"]) == pytest.approx(mass, rel=1e-14)
    assert not clash["system_flag"].any()
    assert json.loads(clash.attrs["raw_files"])[0]["official"] is True


def test_every_number_of_the_literature_is_kept_and_summed(literature: xr.Dataset, shared_data: Path) -> None:
    assert literature.sizes == {"cluster": 12, "radius": 1}
    with (shared_data / "clusters" / "literature_masses_200kpc.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            point = literature.sel(cluster=row["name"]).isel(radius=0)
            gas, e_gas = float(row["M_gas_200kpc_1e12Msun"]), float(row["M_gas_200kpc_err"])
            star, e_star = float(row["M_star_200kpc_1e12Msun"]), float(row["M_star_200kpc_err"])
            assert float(point["m_bar"]) == pytest.approx((gas + star) * 1e12, rel=1e-15)
            assert float(point["e_m_bar"]) == pytest.approx(math.hypot(e_gas, e_star) * 1e12, rel=1e-15)
            assert float(point["m_obs"]) == pytest.approx(float(row["MSL_200kpc_1e12Msun"]) * 1e12, rel=1e-15)
            assert float(point["g_bar"]) == pytest.approx((gas + star) * 1e12 * ONE, rel=1e-14)
            assert float(point["redshift"]) == float(row["z"])
            assert str(point["source_lens"].values) == row["source_lens"]
            assert float(point["r"]) == 200.0
    assert json.loads(literature.attrs["raw_files"])[0]["official"] is True


def test_fox_by_its_readme(tmp_path: Path) -> None:
    cube = fox(CdsFiles(), tmp_path)
    assert cube["cluster"].values.tolist() == ["Abell 2744", "MACS J0717.5+3745", "SDSS J0000"]
    first = cube.isel(cluster=0, radius=0)
    assert float(first["m500"]) == pytest.approx(9.84e14, rel=1e-15)
    assert float(first["m_bar"]) == pytest.approx(0.4 * 0.15 * 9.84e14, rel=1e-14)
    assert float(first["m_obs"]) == pytest.approx(179.69e12, rel=1e-15)
    assert float(first["g_obs"]) == pytest.approx(179.69e12 * ONE, rel=1e-14)
    masks = flag_masks(cube["system_flag"])
    flags = [{name for name, mask in masks.items() if value & mask} for value in cube["system_flag"].values]
    assert flags == [set(), {"no_spectroscopic_redshift"}, {"no_m500", "incomplete"}]
    assert np.isnan(cube["m_bar"].values[2, 0])
    assert [file["official"] for file in json.loads(cube.attrs["raw_files"])] == [False, False]


def test_a_flag_may_stand_right_behind_a_number(tmp_path: Path) -> None:
    files = CdsFiles()
    files.edit_readme(
        "  28- 30 A3     ---       SpecZ",
        "      27 A1     ---     u_z       [:] Uncertain\n  28- 30 A3     ---       SpecZ",
    )
    files.edit("0.308 yes", "0.308:yes")
    assert fox(files, tmp_path)["redshift"].values.tolist() == [0.308, 0.545, 0.4]


def test_positions_of_the_cds_are_bytes(tmp_path: Path) -> None:
    files = CdsFiles()
    # Twenty bytes with the blanks behind it, and nineteen letters.
    files.edit("Abell 2744" + 10 * " ", "Ab\N{LATIN SMALL LETTER E WITH ACUTE}ll 2744" + 9 * " ")
    cube = fox(files, tmp_path)
    assert cube["cluster"].values[0] == "Ab\N{LATIN SMALL LETTER E WITH ACUTE}ll 2744"
    assert cube["redshift"].values.tolist() == [0.308, 0.545, 0.4]
    assert float(cube["m_obs"][0, 0]) == pytest.approx(179.69e12, rel=1e-15)


def test_the_cuts_of_the_papers_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(2022)
    rows = []
    for number in range(94):
        spec = "yes" if number < 68 else "no"
        m500 = rng.uniform(2.1, 20) if number < 42 or number >= 68 else (None if number < 60 else rng.uniform(0.5, 2))
        rows.append(CdsFiles.row(f"C{number:03d}", 0.4, spec, m500, rng.uniform(20, 300)))
    cube = fox(CdsFiles(rows=rows), tmp_path)
    counts = [select(cube, sample=sample).sizes["cluster"] for sample in ("all", "spectroscopic", "paper42")]
    assert counts == [94, 68, 42]
    assert pack(cube, sample="paper42", variables=["m_bar"]).points["m_bar"].size == 42


BROKEN: dict[str, tuple[Callable[[CdsFiles], None], str]] = {
    "a label of the ReadMe is another": (
        lambda f: f.edit_readme("MSL     ?=-1", "M_SL    ?=-1"),
        r"column 'MSL' is missing\n.*\n  expected: did you mean 'M_SL'\? valid: Cluster, M500, M_SL,",
    ),
    "the unit of the ReadMe is another": (
        lambda f: f.edit_readme("10+12Msun MSL ", "10+14Msun MSL "),
        r"the unit is another\n  where: .*table1.dat, column MSL\n  found: '1e\+14 solMass'\n  expected: '1e12 ",
    ),
    "a unit that nobody knows": (
        lambda f: f.edit_readme("10+12Msun MSL ", "10+12Mson MSL "),
        r"cannot be converted to 'solMass'\n  where: .*table1.dat, column MSL\n  found: '10\+12Mson' in the file, '1e",
    ),
    "a row cut off within a number": (
        lambda f: f.edit(" 9.84 0.98 179.69  8.98 HFF\n", " 9.84 0.98 179.\n"),
        r"the line ends within a cell\n  where: .*line 1, column MSL\n  found: '179.'\n  expected: bytes 43-48",
    ),
    "a row cut off before a number that must be there": (
        lambda f: f.edit("0.308 yes  9.84 0.98 179.69  8.98 HFF\n", "\n"),
        r"empty, and the ReadMe allows no such cell\n  where: .*line 1, column z",
    ),
    "columns moved by one": (
        lambda f: f.edit("Abell 2744         ", "Abell 2744          "),
        r"line 1, column z: a cell runs over its bytes, found ' 0.308'",
    ),
    "columns counted in letters": (
        lambda f: f.edit("Abell 2744", "Ab\N{LATIN SMALL LETTER E WITH ACUTE}ll 2744"),
        r"line 1, column z: a cell runs over its bytes, found ' 0.308'",
    ),
    "a letter of two bytes at the end of a cell": (
        lambda f: f.edit("Abell 2744" + 11 * " ", "Abell 2744" + 9 * " " + "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        r"a letter stands across the end of a cell\n  where: .*line 1, column Cluster\n(.*\n)*  expected: positions",
    ),
    "letters for a number": (
        lambda f: f.edit("179.69", "179.6x"),
        r"not a number\n  where: .*line 1, column MSL\n  found: '179.6x'",
    ),
    "a redshift that cannot be": (
        lambda f: f.edit("0.308", "-.308"),
        r"out of range\n  where: .*line 1, column z\n  found: -0.308",
    ),
    "the file is not in the ReadMe": (
        lambda f: f.edit_readme("of file: table1.dat", "of file: table9.dat"),
        r"Can't find table table1.dat",
    ),
    "a ReadMe without columns": (
        lambda f: setattr(f, "readme", "no ReadMe\n"),
        r"the table cannot be read: .*\n  where: .*ReadMe",
    ),
    "the last line is cut off": (
        lambda f: f.rows.__setitem__(2, f.rows[2].rstrip("\n")),
        r"the last line has no end: the file may be cut off",
    ),
    "no rows": (lambda f: f.rows.clear(), r"there are no rows"),
    "a cluster twice": (lambda f: f.rows.append(f.rows[0]), r"Abell 2744 has two rows at one radius\n.*\n  found: 200"),
    "a line too long": (lambda f: f.edit("HFF\n", "HFF  x\n"), r"the line is too long\n.*line 1\n  found: 61 bytes"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_cds_file_is_one_clear_error_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    breaking, message = BROKEN[case]
    files = CdsFiles()
    breaking(files)
    with pytest.raises(DataError, match=message):
        fox(files, tmp_path)
    assert not (tmp_path / "cubes").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-10.015", "-10.0l5", r"not a number\n  where: .*fig2.dat, line 1, column log\(gbar\)\n  found: '-10.0l5'"),
        ("-10.015 ", "", r"wrong number of cells\n  where: .*line 1\n  found: 5\n  expected: 6: Name Rad"),
        ("-10.015", "10.015", r"out of range\n.*line 1, column log\(gbar\)\n  found: 10.015\n  expected: -20 to 0"),
        ("14.3 -10.015", "100. -10.015", r"A209 has two rows at one radius\n.*\n  found: 100"),
    ],
)
def test_broken_columns_of_clash(old: str, new: str, message: str, shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "clash" / "fig2.dat").read_text()
    assert old in text
    (tmp_path / "fig2.dat").write_text(text.replace(old, new, 1))
    recipe = load_recipe("clash")
    files = {"table": recipe.files["table"].model_copy(update={"verify": "download"})}
    with pytest.raises(DataError, match=message):
        ingest(recipe.model_copy(update={"files": files}), data=tmp_path, out=tmp_path / "c" / "clash.zarr")
    assert not (tmp_path / "c").exists()


def test_masses_and_accelerations_follow_from_each_other() -> None:
    r, m = np.array([200.0, 50.0]), np.array([1e13, 2e12])
    cuts = ClusterCuts()
    by_mass, _ = complete({"r": r, "m_bar": m, "m_obs": 10 * m, "e_m_obs": m}, cuts=cuts, sources={})
    by_g, _ = complete({"r": r, "g_bar": by_mass["g_bar"], "g_obs": by_mass["g_obs"]}, cuts=cuts, sources={})
    np.testing.assert_allclose(by_g["m_bar"], m, rtol=1e-15)
    np.testing.assert_allclose(by_g["m_obs"], 10 * m, rtol=1e-15)
    np.testing.assert_allclose(by_mass["e_g_obs"] / by_mass["g_obs"], 0.1, rtol=1e-14)
    assert by_mass["g_bar"][0] == pytest.approx(1e13 * ONE, rel=1e-15)
