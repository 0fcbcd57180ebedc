"""Every kernel on every kind of cube: xarray, engine and plain NumPy give one answer, and what is missing is named."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import pack
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRICS
from sigcube.model.record import Frame
from sigcube.plan.checks import check_spec
from sigcube.plan.spec import make_spec
from tests.kernels.kinds import clusters, landmarks, stars

G_DAGGER = 2.998e8 * 2.27e-18 / (4.0 * np.sqrt(np.pi))
MAKERS: dict[str, Callable[[], xr.Dataset]] = {"star": stars, "cluster": clusters, "landmark": landmarks}


def sigma_boost(g: Any, A: Any, W: Any = 1.0, z: Any = 0.0) -> Any:
    """Σ = 1 + A W h(g) in plain NumPy."""
    critical = G_DAGGER * np.sqrt(0.3 * (1.0 + z) ** 3 + 0.7)
    return 1.0 + A * W * np.sqrt(critical / g) * critical / (critical + g)


def milky_way_v_bar_sq(r: Any) -> Any:
    """V_bar² of PHYSICS' disc, gas and bulge, masses × 1.16²."""
    G = 4.30091e-6
    disc = G * 4.6e10 * r**2 / (r**2 + 3.3**2) ** 1.5 + G * 1.0e10 * r**2 / (r**2 + 7.0**2) ** 1.5
    return 1.16**2 * (disc + G * 1.0e10 * r / (r + 0.5) ** 2)


@pytest.mark.slow
def test_sigma_on_stars_is_the_circular_velocity_less_the_drift() -> None:
    cube = stars()
    r, v_bar_sq = cube.r.values, milky_way_v_bar_sq(cube.r.values)
    boost = sigma_boost(v_bar_sq * 1e6 / (r * 3.086e19), np.exp(0.5 / np.pi), r / (r + 2.6 / (2.0 * np.pi)))
    v_circ = np.sqrt(v_bar_sq * boost)
    drift = np.clip(cube.sigma_r.values**2 / (2.0 * v_circ) * (r / 2.6 - 1.0), 0.0, 50.0)
    np.testing.assert_allclose(KERNELS["sigma"].predict(cube), v_circ - drift, rtol=1e-12)
    np.testing.assert_allclose(KERNELS["sigma"].predict(cube, drift="none"), v_circ, rtol=1e-12)


def test_the_papers_cluster_amplitude_is_the_default() -> None:
    cube = clusters()
    amplitude = np.exp(0.5 / np.pi) * (600.0 / 0.4) ** 0.27
    assert amplitude == pytest.approx(8.45, abs=5e-3)
    expected = cube.g_bar.values * sigma_boost(cube.g_bar.values, amplitude)
    np.testing.assert_allclose(KERNELS["sigma"].predict(cube), expected, rtol=1e-12)


def test_mass_and_acceleration_are_one_prediction() -> None:
    cube = clusters()
    mass = KERNELS["sigma"].predict(cube, observable="mass")
    assert mass.attrs["units"] == "solMass"
    ratio = mass / KERNELS["sigma"].predict(cube)
    np.testing.assert_allclose(ratio, cube.m_bar / cube.g_bar, rtol=1e-12)


def test_landmarks_have_their_own_field_redshift_and_amplitude() -> None:
    cube = landmarks()
    amplitude = np.exp(0.5 / np.pi) * np.where(cube.D.values == 1.0, (600.0 / 0.4) ** 0.27, 1.0)
    g = np.hypot(cube.g_bar.values, cube.g_ext.values)
    expected = cube.newton.values * sigma_boost(g, amplitude, z=cube.z.values) ** cube.power.values
    np.testing.assert_allclose(KERNELS["sigma"].predict(cube), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["g_ext", "z", "D", "L"])
def test_what_a_landmark_gives_is_no_parameter(name: str) -> None:
    with pytest.raises(SpecError, match=f"sigma has no parameter or choice '{name}'"):
        KERNELS["sigma"].predict(landmarks(), **{name: 1.0})


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_engine_and_xarray_agree(kind: str) -> None:
    """The metrics of a sweep are those of the predictions; for every kernel, on real data, in `tests/kernels`."""
    cube = MAKERS[kind]()
    axes = {"g_dagger": [9e-11, 1e-10]}
    result = sigcube.Sweep(
        cube, kernel="sigma", axes=axes, metrics=["rms", "bias", "chi2", "ratio", "scatter"]
    ).compute()
    observed, error = {
        "star": ("v_phi", "e_v_phi"),
        "cluster": ("g_obs", "e_g_obs"),
        "landmark": ("observed", "e_observed"),
    }[kind]
    for value in axes["g_dagger"]:
        predicted = KERNELS["sigma"].predict(cube, g_dagger=value)
        here = result.sel(g_dagger=value)
        for metric, expected in expectations(cube, predicted, cube[observed], cube[error]).items():
            assert float(here[metric]) == pytest.approx(expected, rel=1e-12), metric


def expectations(cube: xr.Dataset, predicted: Any, observed: Any, error: Any) -> dict[str, float]:
    """Return the summaries of a sweep, by xarray alone."""
    along = {"star": ["star"], "cluster": ["radius"], "landmark": []}[cube.attrs["kind"]]
    floor = 0.1 if cube.attrs["kind"] == "star" else 0.0
    residual = predicted - observed
    log = np.log10(observed / predicted)
    return {
        "rms_mean": float(np.sqrt((residual**2).mean(along)).mean()),
        "bias_median": float(residual.mean(along).median()),
        "chi2_mean": float(((residual / np.maximum(error, floor)) ** 2).sum(along).mean()),
        "ratio_median": float((predicted / observed).mean(along).median()),
        "scatter": float(log.std()),
    }


@pytest.mark.slow
def test_scatters_of_velocity_and_acceleration_keep_their_meaning_on_clusters() -> None:
    result = sigcube.Sweep(
        clusters(), kernel="newton", axes={"constants": ["paper"]}, metrics=["scatter", "scatter_v", "scatter_g"]
    ).compute()
    assert float(result.scatter[0]) == pytest.approx(float(result.scatter_g[0]), rel=1e-12)
    assert float(result.scatter[0]) == pytest.approx(2.0 * float(result.scatter_v[0]), rel=1e-12)


@pytest.mark.parametrize("metric", ["scatter_v", "scatter_g", "scatter_g_rms"])
def test_landmarks_of_many_laws_have_no_scatter_of_velocities(metric: str) -> None:
    message = (
        rf"metric '{metric}' does not fit cubes of kind 'landmark'\n  where: metrics\n  found: {metric}\n"
        r"  expected: rms, rms_weighted, bias, chi2, chi2_red, ratio, scatter$"
    )
    with pytest.raises(SpecError, match=message):
        sigcube.Sweep(landmarks(), kernel="sigma", axes={"A": [1.0]}, metrics=["rms", metric])


@pytest.mark.parametrize("kind", ["galaxy", "star", "cluster"])
def test_other_kinds_take_every_metric(kind: str) -> None:
    spec = make_spec(kernel="sigma", kind=kind, axes={"A": [1.0]}, metrics=tuple(METRICS))
    check_spec(spec)


@pytest.mark.parametrize(
    ("kind", "settings", "missing"),
    [
        ("star", {"scale_length": "third_point"}, "scale_length_third_point"),
        ("star", {"window": "dynamical"}, "sigma_eff|v_gas_max"),
        ("star", {"amplitude": "bulge_fraction"}, "f_bulge"),
        ("cluster", {"window": "geometric"}, "scale_length_third_point"),
        ("landmark", {"window": "geometric", "scale_length": "catalogue"}, "scale_length_catalogue"),
    ],
)
def test_a_missing_input_is_named(kind: str, settings: dict[str, str], missing: str) -> None:
    with pytest.raises(DataError, match=f"sigma needs '({missing})', which the cube does not have"):
        KERNELS["sigma"].boost(MAKERS[kind](), **settings)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=lambda frame: frame.kind)
def test_every_term_of_a_frame_says_where_it_is_from(frame: Frame) -> None:
    options = [option for choice in frame.choices for option in choice.options.values()]
    terms = [frame.terms, *(option.defines for option in options)]
    for name, term in (item for each in terms for item in each.items()):
        if not isinstance(term, str):
            assert re.search(r"main §\d|SI §\d|20\d\d", str(term.__doc__)), name
    assert all(option.source and option.description for option in options)
    assert all(parameter.source for parameter in frame.parameters)


def test_a_sample_of_stars_leaves_flagged_ones_out() -> None:
    cube = stars()
    packed = pack(cube, sample="good", variables=["r"])
    assert packed.systems == (cube.attrs["title"],)
    np.testing.assert_array_equal(packed.points["r"], cube.r.values[cube.point_flag.values == 0])


def test_each_landmark_is_a_system_of_one_point() -> None:
    packed = pack(landmarks(), variables=["g_bar"])
    assert (packed.n_systems, packed.offsets.tolist()) == (4, [0, 1, 2, 3, 4])


def test_stars_have_no_dimension_to_keep() -> None:
    with pytest.raises(SpecError, match="a star cube is one system: leave keep out"):
        sigcube.Sweep(stars(), kernel="sigma", axes={"A": [1.0, 2.0]}, keep=["star"])


def test_observables_of_different_units_are_no_axis() -> None:
    with pytest.raises(SpecError, match="'observable' cannot be an axis: its labels have different units"):
        sigcube.Sweep(clusters(), kernel="sigma", axes={"observable": ["mass", "acceleration"]})


@pytest.mark.slow
def test_a_sweep_of_masses_says_its_unit() -> None:
    result = sigcube.Sweep(
        clusters(), kernel="sigma", axes={"A_0": [1.0, 1.2]}, fixed={"observable": "mass"}, keep=["cluster"]
    ).compute()
    assert result.rms.dims == ("cluster", "A_0")
    assert result.rms.attrs["units"] == "solMass"
