"""Each way of computing a number against what it stands for, called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import mannwhitneyu, pearsonr, spearmanr

from sigcube import Fit, Sweep, kernels, linspace
from sigcube.claims import Outcome, evaluate_claims, quantities
from sigcube.claims.quantities import QUANTITIES
from sigcube.constants import CODATA, PAPER
from sigcube.cube import KINDS, pack, save_cube, select
from sigcube.errors import SpecError
from tests.claims.rows import claim_of
from tests.synthetic_cubes import synthetic_cube

A_NUMBER = {"dataset": "sparc", "sample": "unflagged"}


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory, mock_cube: xr.Dataset) -> Path:
    """Cubes under the names of datasets: a synthetic survey, and synthetic populations."""
    folder = tmp_path_factory.mktemp("cubes")
    save_cube(mock_cube, folder / "sparc.zarr")
    populations = synthetic_cube(KINDS["population"], systems=40)
    populations["counter_rotating"].values[:] = np.arange(40) % 4 == 0
    save_cube(populations, folder / "manga_dynpop.zarr")
    return folder


def outcome(cubes: Path, **reading: Any) -> Outcome:
    (entry,) = evaluate_claims([claim_of(reading)], cubes=cubes)
    return entry.outcomes[0]


def value(cubes: Path, **reading: Any) -> float:
    result = outcome(cubes, **reading)
    assert result.found is not None, result.message
    return result.found.value


def message(cubes: Path, **reading: Any) -> str:
    result = outcome(cubes, **reading)
    assert result.kind == "failed"
    return result.message


@pytest.fixture(scope="module")
def grid(mock_cube: xr.Dataset) -> xr.Dataset:
    """The sweep that the readings of a grid rest on."""
    return Sweep(
        mock_cube,
        sample="unflagged",
        kernel="sigma",
        axes={"A": linspace(0.5, 2.0, 7)},
        metrics=["rms", "bias", "chi2_red", "scatter_v", "scatter_g", "scatter_g_rms"],
        reference="newton",
        keep=["galaxy"],
        dtype="float64",
    ).compute()


OF_GRID = {
    **A_NUMBER,
    "quantity": "sweep",
    "kernel": "sigma",
    "axes": {"A": {"linspace": [0.5, 2.0, 7]}},
    "reference": {"kernel": "newton"},
}


@pytest.mark.slow
def test_a_sweep_gives_a_point_a_system_a_statistic_and_the_best(cubes: Path, grid: xr.Dataset) -> None:
    here = grid.isel(A=2)
    at = {"at": {"A": 1.0}}
    assert float(here.A) == 1.0
    assert value(cubes, **OF_GRID, **at, take="rms_mean") == float(here.rms_mean)
    assert value(cubes, **OF_GRID, **at, take="win_rate") == float(here.win_rate)
    name = str(grid.galaxy.values[3])
    assert value(cubes, **OF_GRID, **at, take="rms", system=name) == float(here.rms[3])
    assert value(cubes, **OF_GRID, **at, take="rms", statistic="max") == float(here.rms.max())
    inside = float(((here.rms >= 0) & (here.rms <= 5)).mean())
    assert value(cubes, **OF_GRID, **at, take="rms", statistic="fraction", within=[0.0, 5.0]) == inside
    best = int(grid.rms_mean.values.argmin())
    assert value(cubes, **OF_GRID, best="rms_mean", take="A") == float(grid.A[best])
    assert value(cubes, **OF_GRID, best="rms_mean", take="scatter_v") == float(grid.scatter_v[best])
    assert value(cubes, **OF_GRID, take="rms_mean", statistic="min") == float(grid.rms_mean.min())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"take": "rms_mean"}, "rms_mean has 7 values here"),
        ({"take": "rms_men", "at": {"A": 1.0}}, "did you mean 'rms_mean'"),
        ({"take": "rms", "at": {"A": 1.0}, "system": "nobody"}, "there is no galaxy 'nobody'"),
        ({"take": "rms_mean", "at": {"A": 1.0}, "system": "nobody"}, "no value of each system"),
    ],
)
def test_what_a_sweep_does_not_have_is_told(cubes: Path, keys: dict[str, Any], words: str) -> None:
    assert words in message(cubes, **OF_GRID, **keys)


@pytest.mark.slow
def test_a_metric_that_is_taken_is_computed_though_it_is_not_usual(cubes: Path, mock_cube: xr.Dataset) -> None:
    found = value(cubes, **A_NUMBER, quantity="sweep", kernel="newton", take="chi2_median")
    sweep = Sweep(mock_cube, sample="unflagged", kernel="newton", axes={"constants": ["paper"]}, metrics=["chi2"])
    assert found == pytest.approx(float(sweep.compute().chi2_median[0]), rel=1e-6)


@pytest.mark.slow
def test_a_condition_leaves_points_out_of_sweeps_fits_and_counts(cubes: Path, mock_cube: xr.Dataset) -> None:
    condition = "0.5 * v_disk * v_disk < 0.3 * (v_gas * abs(v_gas) + 0.5 * v_disk * v_disk + 0.7 * v_bul * v_bul)"
    of = {**A_NUMBER, "condition": condition}
    names = ["r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul"]
    packed = pack(mock_cube, sample="unflagged", variables=names)
    gas, disk, bulge = (packed.points[name] for name in names[3:])
    v_bar_sq = gas * abs(gas) + 0.5 * disk**2 + 0.7 * bulge**2
    kept = 0.5 * disk**2 < 0.3 * v_bar_sq
    assert 0 < kept.sum() < kept.size
    assert value(cubes, **of, quantity="cube", statistic="points") == kept.sum()
    off = np.sqrt(v_bar_sq) - packed.points["v_obs"]
    weight = np.maximum(packed.points["e_v_obs"], 0.1) ** -2
    parts = [slice(*ends) for ends in zip(packed.offsets[:-1], packed.offsets[1:], strict=True)]
    rms = [np.sqrt(np.average(off[p][kept[p]] ** 2, weights=weight[p][kept[p]])) for p in parts if kept[p].any()]
    newton = {**of, "kernel": "newton", "quantity": "sweep"}
    assert value(cubes, **newton, take="rms_weighted_mean") == pytest.approx(np.mean(rms), rel=1e-12)
    assert value(cubes, **newton, take="rms", statistic="number", within=[0.0, 1e9]) == len(rms)
    models = {"sigma": MODELS["sigma"]}
    fit = Fit(mock_cube, sample="unflagged", where=condition, models=models, scope="sample").run()
    assert value(cubes, **of, quantity="fit", models=models, scope="sample", take="A", model="sigma") == float(fit.A)


@pytest.mark.slow
def test_a_metric_whose_best_point_is_taken_is_computed_though_it_is_not_usual(
    cubes: Path, mock_cube: xr.Dataset
) -> None:
    found = value(cubes, **OF_GRID, best="chi2_mean", take="A")
    sweep = Sweep(
        mock_cube, sample="unflagged", kernel="sigma", axes={"A": linspace(0.5, 2.0, 7)}, metrics=["chi2"]
    ).compute()
    assert found == float(sweep.A[int(sweep.chi2_mean.values.argmin())])


def test_a_fit_that_does_not_exist_is_a_fault_of_its_row() -> None:
    with pytest.raises(SpecError, match=r"(?s)the fit's file cannot be read.*did you mean 'si15_per_galaxy'"):
        claim_of({"quantity": "fit", "spec": "si15_per_galaxi", "take": "rms", "statistic": "mean"})


def test_a_win_rate_needs_a_reference() -> None:
    with pytest.raises(ValueError, match="win_rate needs a reference"):
        claim_of({"quantity": "sweep", "dataset": "sparc", "kernel": "sigma", "take": "win_rate"})


@pytest.mark.slow
def test_a_cube_gives_counts_and_statistics(cubes: Path, mock_cube: xr.Dataset) -> None:
    packed = pack(mock_cube, sample="unflagged", variables=["v_obs", "v_disk"])
    of = {**A_NUMBER, "quantity": "cube"}
    assert value(cubes, **of, statistic="systems") == packed.n_systems
    assert value(cubes, **of, statistic="points") == packed.n_points
    assert value(cubes, **of, variable="v_obs", statistic="mean") == pytest.approx(packed.points["v_obs"].mean())
    ratio = packed.points["v_disk"] / packed.points["v_obs"]
    assert value(cubes, **of, variable="v_disk", over="v_obs", statistic="max") == pytest.approx(ratio.max())
    name = packed.systems[2]
    first = float(select(mock_cube, sample="unflagged").r_disk.sel(galaxy=name)) if "r_disk" in mock_cube else None
    if first is not None:
        assert value(cubes, **of, variable="r_disk", system=name) == first
    assert "did you mean 'v_obs'" in message(cubes, **of, variable="v_ob", statistic="mean")
    assert "values here" in message(cubes, **of, variable="v_obs")


@pytest.mark.slow
def test_a_term_of_a_kernel_at_a_point_and_over_a_sample(cubes: Path, mock_cube: xr.Dataset) -> None:
    g = 9.599e-13
    h = np.sqrt(PAPER.g_dagger / g) * PAPER.g_dagger / (PAPER.g_dagger + g)
    at = {"quantity": "boost", "kernel": "sigma", "at": {"g_bar": g}}
    assert value(cubes, **at, term="h") == pytest.approx(h, rel=1e-12)
    assert value(cubes, **at, settings={"amplitude": "constant", "A": 2.0}) == pytest.approx(1 + 2 * h, rel=1e-12)
    mass = {"quantity": "boost", "kernel": "newton", "kind": "cluster", "at": {"m_bar": 2e13, "r": 200.0}}
    assert value(cubes, **mass, term="predicted", settings={"observable": "mass"}) == 2e13
    xi = kernels["sigma"].compute(select(mock_cube, sample="unflagged"), "xi", scale_length="disk_peak")
    of = {**A_NUMBER, "quantity": "boost", "kernel": "sigma", "term": "xi", "settings": {"scale_length": "disk_peak"}}
    assert value(cubes, **of, statistic="mean") == pytest.approx(float(xi.mean()), rel=1e-14)
    assert value(cubes, **of, system=str(xi.galaxy.values[1])) == float(xi[1])
    other = kernels["sigma"].compute(select(mock_cube, sample="unflagged"), "xi", scale_length="third_point")
    over = value(cubes, **of, statistic="mean", over={"scale_length": "default"})
    assert over == pytest.approx(float((xi / other).mean()), rel=1e-14)
    assert "values here" in message(cubes, **of)


@pytest.mark.slow
def test_a_point_of_a_system_is_taken_by_its_place(cubes: Path, mock_cube: xr.Dataset) -> None:
    boost = kernels["sigma"].boost(select(mock_cube, sample="all"))
    name = str(boost.galaxy.values[4])
    of = {"quantity": "boost", "dataset": "sparc", "kernel": "sigma", "system": name}
    assert value(cubes, **of, point=2) == float(boost.isel(galaxy=4, radius=2))


def test_a_default_is_that_of_the_constants(cubes: Path) -> None:
    of = {"quantity": "default", "kernel": "sigma", "parameter": "g_dagger"}
    assert value(cubes, **of) == PAPER.g_dagger
    assert value(cubes, **of, constants="codata") == CODATA.g_dagger
    assert "did you mean 'g_dagger'" in message(cubes, **{**of, "parameter": "g_dager"})


def test_populations_and_correlations_are_those_of_scipy(cubes: Path, mock_cube: xr.Dataset) -> None:
    there = xr.open_zarr(cubes / "manga_dynpop.zarr").load()
    f, mark = there.f_dm.values, there.counter_rotating.values == 1
    of = {"quantity": "populations", "dataset": "manga_dynpop"}
    test = mannwhitneyu(f[mark], f[~mark], alternative="less")
    assert value(cubes, **of) == pytest.approx(float(test.pvalue))
    assert value(cubes, **of, take="mean_rest") == pytest.approx(f[~mark].mean())
    points = pack(mock_cube, sample="unflagged", variables=["r", "v_obs"]).points
    pair = {**A_NUMBER, "quantity": "correlation", "x": "r", "y": "v_obs"}
    logs = np.log10(points["r"]), np.log10(points["v_obs"])
    assert value(cubes, **pair, log=["x", "y"]) == pytest.approx(float(pearsonr(*logs).statistic))
    ranks = spearmanr(points["r"], points["v_obs"])
    assert value(cubes, **pair, method="spearman", take="p_value") == pytest.approx(float(ranks.pvalue))


MODELS = {
    "sigma": {"kernel": "sigma", "free": {"A": {"linspace": [0.0, 3.0, 13]}}},
    "mond": {"kernel": "mond", "free": {"a0": {"geomspace": [5e-11, 3e-10, 13]}}},
}


@pytest.mark.slow
def test_a_fit_gives_a_models_figures_and_two_models_wins(cubes: Path, mock_cube: xr.Dataset) -> None:
    models = {name: {**m, "free": dict(m["free"])} for name, m in MODELS.items()}
    result = Fit(mock_cube, sample="unflagged", models=models).run()
    chi2 = result.chi2_red
    of = {**A_NUMBER, "quantity": "fit", "models": MODELS}
    assert value(cubes, **of, take="chi2_red", model="sigma", statistic="median") == float(
        chi2.sel(model="sigma").median()
    )
    ratio = (chi2.sel(model="sigma") / chi2.sel(model="mond")).values
    found = value(cubes, **of, take="chi2_red", model="sigma", over="mond", statistic="number", within=[0.0, 1.0])
    assert found == (ratio <= 1.0).sum()
    pair = {"first": "sigma", "second": "mond"}
    first, second, ties = (value(cubes, **of, **pair, take=t) for t in ("first_wins", "second_wins", "ties"))
    assert first + second + ties == result.sizes["galaxy"]
    rate = value(cubes, **of, **pair, take="rate")
    assert value(cubes, **of, **pair, take="bootstrap_rate") == pytest.approx(rate) == (first + ties / 2) / 40
    assert 0.0 <= value(cubes, **of, **pair, take="bootstrap_low") <= rate
    assert "did you mean 'sigma'" in message(cubes, **of, take="chi2_red", model="sgma", statistic="mean")


@pytest.mark.slow
def test_the_spec_of_a_fit_can_be_run(cubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = {**A_NUMBER, "quantity": "fit", "models": MODELS, "take": "A", "model": "sigma", "statistic": "mean"}
    result = outcome(cubes, **of)
    assert result.found is not None
    (tmp_path / "cubes").symlink_to(cubes)
    (tmp_path / "SPEC.toml").write_text(result.found.spec, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    again = Fit.from_toml("SPEC.toml").run()
    assert float(again.A.sel(model="sigma").mean()) == pytest.approx(result.found.value, rel=1e-12)


def test_every_quantity_describes_its_keys_and_its_function() -> None:
    for name, quantity in QUANTITIES.items():
        assert quantity.keys.__doc__, name
        assert quantity.evaluate.__doc__, name


def test_a_module_in_the_folder_is_all_that_a_quantity_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = quantities.base.Quantity(quantities.base.Keys, lambda *_: 1.0)
    monkeypatch.setattr(quantities.composed, "QUANTITIES", {"new": own})
    assert quantities._declared()["new"] is own
    monkeypatch.setattr(quantities.composed, "QUANTITIES", {"sweep": own})
    with pytest.raises(ImportError, match="declare sweep"):
        quantities._declared()
