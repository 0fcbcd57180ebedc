"""Every kernel over every dataset at hand, through the one engine: real stars, clusters and landmarks."""

import re
from pathlib import Path

import numpy as np
import pytest

import sigcube
from sigcube.cube import open_cube, pack, select
from sigcube.kernels import KERNELS
from sigcube.recipes import ingest, load_recipe

pytestmark = pytest.mark.slow

# What is observed, and the dimension along which the points of a system lie.
OBSERVED = {
    "galaxy": ("v_obs", ["radius"]),
    "star": ("v_phi", ["star"]),
    "cluster": ("g_obs", ["radius"]),
    "landmark": ("observed", []),
}
DATASETS = ("clash", "eilers2019", "gaia", "landmarks", "literature_clusters", "sparc")


@pytest.fixture(scope="module")
def cubes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every cube that can be made from the files at hand."""
    folder = tmp_path_factory.mktemp("cubes")
    return {
        name: ingest(load_recipe(name), data=shared_data, out=folder / f"{name}.zarr", progress=False)
        for name in DATASETS
    }


def _sample(name: str) -> str:
    return {"gaia": "disc", "landmarks": "observed", "sparc": "paper171"}.get(name, "all")


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_runs_on_every_dataset_that_has_its_inputs(cubes: dict[str, Path], name: str, kernel: str) -> None:
    """With its defaults, engine and xarray give one answer for all points; else what the cube lacks is named."""
    cube = open_cube(cubes[name])
    axes = {"constants": ["paper", "codata"]}
    try:
        sweep = sigcube.Sweep(cube, sample=_sample(name), kernel=kernel, axes=axes, metrics=["rms", "ratio", "scatter"])
    except sigcube.errors.DataError as error:
        missing = re.match(rf"{kernel} needs '(\w+)', which the cube does not have", str(error))
        assert missing is not None
        assert missing[1] not in cube
        assert kernel not in ("newton", "mond", "sigma")
        return
    result = sweep.compute()
    assert (result.status == 1).all()
    assert float(result.ratio_median[0]) > 0.05
    here = select(cube, sample=_sample(name))
    predicted = KERNELS[kernel].predict(here)
    assert int(np.isfinite(predicted).sum()) == pack(cube, sample=_sample(name), variables=()).n_points
    variable, along = OBSERVED[cube.attrs["kind"]]
    observed = here[variable]
    expected = {
        "rms_mean": np.sqrt(((predicted - observed) ** 2).mean(along)).mean(),
        "ratio_median": (predicted / observed).mean(along).median(),
        "scatter": np.log10(observed / predicted).std(),
    }
    for metric, value in expected.items():
        assert float(result[metric][0]) == pytest.approx(float(value), rel=1e-9), metric


def test_ten_thousand_parameters_over_144000_stars(cubes: dict[str, Path]) -> None:
    """1.4 · 10⁹ evaluations; the RMS of a corner of the grid against xarray."""
    cube = open_cube(cubes["gaia"])
    assert cube.sizes["star"] == 144_000
    axes = {"xi_scale": sigcube.linspace(0.01, 1.0, 100), "A": sigcube.linspace(0.03, 3.0, 100)}
    result = sigcube.Sweep(cube, kernel="sigma", axes=axes, metrics=["rms", "bias"]).compute()
    assert result.rms_mean.shape == (100, 100)
    assert (result.status == 1).all()
    corner = {"xi_scale": float(result.xi_scale[99]), "A": float(result.A[7])}
    residual = KERNELS["sigma"].predict(cube, **corner) - cube.v_phi
    assert float(result.rms_mean[99, 7]) == pytest.approx(float(np.sqrt((residual**2).mean())), rel=1e-12)
    assert float(result.bias_mean[99, 7]) == pytest.approx(float(residual.mean()), rel=1e-9)


@pytest.mark.parametrize("observable", ["acceleration", "mass"])
def test_clusters_are_compared_in_mass_or_acceleration(cubes: dict[str, Path], observable: str) -> None:
    """The ratio is the same, whatever is called observed."""
    result = sigcube.Sweep(
        cubes["clash"],
        kernel="sigma",
        axes={"A": [6.0, 8.45]},
        fixed={"observable": observable, "amplitude": "constant"},
        metrics=["ratio"],
        keep=["cluster"],
        dtype="float64",
    ).compute()
    assert result.ratio.shape == (20, 2)
    cube = open_cube(cubes["clash"])
    expected = (KERNELS["sigma"].predict(cube, A=8.45, amplitude="constant") / cube.g_obs).mean("radius")
    np.testing.assert_allclose(result.ratio[:, 1], expected, rtol=1e-9)


def test_what_a_dataset_lacks_is_named(cubes: dict[str, Path]) -> None:
    with pytest.raises(sigcube.errors.DataError, match="sigma needs 'scale_length_third_point'"):
        sigcube.Sweep(cubes["clash"], kernel="sigma", axes={"A": [1.0]}, fixed={"window": "geometric"})


def test_the_printed_landmarks_come_out(cubes: dict[str, Path]) -> None:
    """SI §4a: what follows from M, r and g with W = 1, to the printed digits."""
    cube = open_cube(cubes["landmarks"])
    sigma = KERNELS["sigma"].predict(cube).to_series()
    isolated, embedded = (sigma[name] - 1.0 for name in ("isolated dwarf", "dwarf in a field"))
    dwarfs = [
        sigma[name] / float(cube.observed.sel(landmark=name)) for name in ("Fornax", "Draco", "Sculptor", "Carina")
    ]
    printed = {
        "test 8, Σ−1 of a wide pair": (100 * (sigma["wide binary"] - 1.0), 63.2, 1),
        "test 9, mean of four dwarfs": (float(np.mean(dwarfs)), 0.72, 2),
        "test 10, DF2": (sigma["DF2"], 20.8, 1),
        "test 11, lensing": (sigma["galaxy-galaxy lensing"], 9.5, 1),
        "test 12, external field": (sigma["dwarf in a field"] / sigma["isolated dwarf"], 0.36, 2),
        "test 16, Bullet": (sigma["Bullet Cluster"] / float(cube.newton.sel(landmark="Bullet Cluster")), 1.12, 2),
    }
    found = {name: round(value, digits) for name, (value, _, digits) in printed.items()}
    assert found == {name: value for name, (_, value, _) in printed.items()}
    assert isolated > embedded > 0.0
