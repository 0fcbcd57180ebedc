"""Errors of the data in specs: which are refused and why, and what a plan says of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import select
from sigcube.errors import DataError, SpecError
from sigcube.kernels import Reduction
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record
from sigcube.plan.values import PointStatus

BOTH = {"distance": True, "inclination": True}
LENGTHS = {"correlation_amplitude": 5.0, "correlation_length": 3.0}
TRUE = {"g_bar_mean": -10.6, "g_bar_width": 0.7}


@pytest.fixture(scope="module")
def cube(mock_cube: xr.Dataset) -> xr.Dataset:
    """The synthetic survey with errors of distances and inclinations, two of them zero."""
    n = mock_cube.sizes["galaxy"]
    e_distance, e_inclination = np.linspace(0.0, 2.0, n), np.linspace(0.0, 6.0, n)
    about = {"source": "synthetic", "long_name": "error"}
    return mock_cube.assign(
        e_distance=("galaxy", e_distance, {**about, "units": "Mpc"}),
        e_inclination=("galaxy", e_inclination, {**about, "units": "deg"}),
    )


def sweep(cube: xr.Dataset, **given: Any) -> sigcube.Sweep:
    return sigcube.Sweep(cube, **{"sample": "unflagged", "kernel": "mond", "metrics": ["loglike"], **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"errors": BOTH, "metrics": ["rms"]}, "no metric here knows such errors\n.*\n.*'loglike' among the metrics"),
        ({"errors": BOTH, "axes": {"distance_shift": [0.0, 1.0]}}, "both marginalised and a parameter, distance_shift"),
        ({"axes": {"intrinsic_scatter": [0.1]}, "metrics": ["rms"]}, "'intrinsic_scatter' is a parameter of errors"),
        ({"axes": {"intrinsic_scatter": [-0.1]}}, "intrinsic_scatter is out of bounds"),
        ({"axes": {"distance_shft": [0.0]}}, "did you mean 'distance_shift'"),
        ({"errors": {"quadrature": 32}}, "no number of nodes, or there is nothing to integrate over"),
        ({"errors": {"distance": True, "quadrature": 4}}, "found: 4\n  expected: 8 to 512"),
        ({"errors": {"scatter_unit": "km/s"}}, "a unit of the scatter, and no scatter"),
        (
            {"fixed": {"g_bar_mean": -10.6}},
            "'g_bar_mean', and no errors of g_bar\n.*\n  expected: errors.g_bar, in dex",
        ),
        ({"axes": {"g_bar_error": [0.1]}}, "'g_bar_error', and no errors of g_bar"),
        ({"errors": {"g_bar": 0.04}, "metrics": ["rms"]}, "no metric here knows such errors"),
        (
            {"errors": {"g_bar": 0.04, "correlation": "radius"}, "fixed": LENGTHS},
            "of each point by itself\n  where: errors.g_bar\n  found: errors.correlation = 'radius'\n  do: leave one",
        ),
        ({"errors": {"g_bar": 0.04, "distance": True, "quadrature": 48}}, "found: errors.quadrature = 48"),
        ({"errors": {"g_bar": 0.04, "scatter": 1.0, "scatter_unit": "km/s"}}, "do: give the scatter in dex"),
        ({"errors": {"g_bar": 0.04}, "fixed": {**TRUE, "g_bar_width": 0.0}}, "g_bar_width is out of bounds"),
    ],
)
def test_refused(cube: xr.Dataset, given: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        sweep(cube, **given)


def test_a_cube_without_errors_is_refused(mock_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="metric 'loglike' needs 'e_distance', which the cube does not have"):
        sweep(mock_cube, errors=BOTH)


def test_systems_without_a_known_error_are_named(cube: xr.Dataset) -> None:
    unknown = cube.assign(e_inclination=cube.e_inclination.where(cube.e_inclination < 5.9))
    with pytest.raises(DataError, match=r"systems without a usable error of the inclination\n.*\n.*1 system, "):
        sweep(unknown, errors=BOTH)


@pytest.mark.parametrize(("fixed", "lacking"), [({}, "mean"), ({"g_bar_mean": -11.0}, "width")])
def test_errors_of_g_bar_need_its_true_mean_and_width_and_say_those_of_the_sample(
    cube: xr.Dataset, fixed: Mapping[str, float], lacking: str
) -> None:
    v_sq = cube.v_gas * abs(cube.v_gas) + 0.6 * cube.v_disk**2 + 0.7 * cube.v_bul**2
    kept = select(cube, sample="unflagged").v_obs.notnull() & (v_sq > 0.0)
    x = np.log10((v_sq * 1e6 / (cube.r * 3.086e19)).where(kept))
    own = f"'g_bar_mean': {x.mean().item():.3f}, 'g_bar_width': {x.std().item():.3f}"
    with pytest.raises(SpecError, match=f"errors of g_bar without a g_bar_{lacking}\n") as caught:
        sweep(cube, errors={"g_bar": 0.04}, fixed=fixed, axes={"upsilon_disk": [0.5, 0.6], "a0": [1e-10, 2e-10]})
    assert f"in the sample, fixed = {{{own}}} at upsilon_disk = 0.6" in str(caught.value)


@pytest.mark.slow
def test_where_g_bar_is_not_positive_a_plan_says_so(cube: xr.Dataset) -> None:
    """Gas that pulls outwards, and no disc to speak of: the grid points of that end have no ln L."""
    made = sweep(cube, errors={"g_bar": 0.04}, fixed=TRUE, axes={"upsilon_disk": [0.0, 0.5], "g_bar_error": [0.0, 0.1]})
    said = made.plan(probe=False).origin["errors"]
    assert "g_bar of each point with an error, an axis, in dex, and true values of mean -10.6 dex(m/s2)" in said
    v_sq = cube.v_gas * abs(cube.v_gas) + 0.7 * cube.v_bul**2
    wrong = (v_sq <= 0.0) & select(cube, sample="unflagged").v_obs.notnull()
    n, systems = wrong.sum().item(), wrong.any("radius").sum().item()
    assert n > 0
    assert f"no ln L where g_bar is not positive: {n} points of {systems} systems" in said
    assert said.endswith("at upsilon_disk = 0")
    status = made.compute().status
    assert (status.sel(upsilon_disk=0.0) == PointStatus.INVALID).all()
    assert (status.sel(upsilon_disk=0.5) == PointStatus.DONE).all()


def test_points_at_rest_have_no_logarithm(cube: xr.Dataset) -> None:
    name = str(cube.galaxy.values[1])
    still = cube.assign(v_obs=cube.v_obs.where(~((cube.galaxy == name) & (cube.radius == 0)), 0.0))
    with pytest.raises(DataError, match=f"found: 1 point of 1 system, {name}\n.*\n.*where = 'v_obs > 0'"):
        sweep(still, errors={"g_bar": 0.04}, fixed=TRUE)
    assert sweep(still, errors={"g_bar": 0.04}, fixed=TRUE, where="v_obs > 0").plan(probe=False).n_points > 0


def test_each_model_has_its_true_g_bar(cube: xr.Dataset) -> None:
    models = {"mond": {"kernel": "mond", "fixed": TRUE}, "newton": {"kernel": "newton"}}
    with pytest.raises(SpecError, match="errors of g_bar without a g_bar_mean"):
        sweep(cube, kernel=None, models=models, errors={"g_bar": 0.04})
    models["newton"]["fixed"] = {**TRUE, "g_bar_mean": -11.0}
    said = sweep(cube, kernel=None, models=models, errors={"g_bar": 0.04}).plan(probe=False).origin["errors"]
    assert "of mean -11 or -10.6 dex(m/s2) and width 0.7 dex" in said


@pytest.mark.parametrize("kind", ["cluster", "star"])
def test_other_kinds_have_no_errors_of_g_bar(kind: str) -> None:
    with pytest.raises(SpecError, match=f"ln L of a {kind} cube knows no errors of g_bar"):
        make_spec(kind=kind, kernel="mond", metrics=["loglike"], errors={"g_bar": 0.04})


@pytest.mark.parametrize("kind", ["cluster", "star"])
def test_other_kinds_have_no_distance_that_points_share(kind: str) -> None:
    with pytest.raises(SpecError, match=f"a {kind} cube has no distance that its points share"):
        make_spec(kind=kind, kernel="mond", metrics=["loglike"], errors={"distance": True})


def test_landmarks_have_no_scatter() -> None:
    with pytest.raises(SpecError, match="a landmark cube has no scatter in dex"):
        make_spec(kind="landmark", kernel="mond", metrics=["loglike"], errors={"scatter": 0.1})


def test_a_plan_tells_what_is_marginalised_and_what_is_held(cube: xr.Dataset) -> None:
    text = repr(sweep(cube, errors={**BOTH, "scatter": 0.1}).plan(probe=False))
    assert "errors distance and inclination of each system marginalised; distance held where its error is zero" in text
    assert "intrinsic scatter 0.1 dex" in text
    assert "errors" not in repr(sweep(cube).plan(probe=False))


def test_errors_are_part_of_the_record_and_of_the_identity(cube: xr.Dataset) -> None:
    one, other = sweep(cube, errors=BOTH), sweep(cube)
    spec = one.plan(probe=False).spec
    assert spec_to_record(spec)["errors"] == BOTH
    assert spec_from_record(spec_to_record(spec)) == spec
    assert "errors" not in spec_to_record(other.plan(probe=False).spec)
    parts, without = (each.plan(probe=False).identity for each in (one, other))
    assert {key for key in {*parts, *without} if parts.get(key) != without.get(key) and "data" not in key} == {
        "errors",
        "metrics",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": "nfw"}, r"log_m200 = 12 dex\(solMass\) would stay as it is"),
        (
            {"kernel": "sigma", "fixed": {"window": "free_scale"}, "axes": {"xi": [1.0, 5.0]}},
            r"V/√D changes by .* at 0.7 D of .*, xi = 1; xi kpc would stay as it is; under window=free_scale",
        ),
        # ξ is at least 0.01 kpc: a length that no parameter shows.
        ({"kernel": "sigma", "axes": {"xi_scale": [1e-4, 0.2]}}, "V/√D changes by .*xi_scale = 0.0001"),
    ],
)
def test_models_with_a_length_are_refused(cube: xr.Dataset, given: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        sweep(cube, errors={"distance": True}, **given)
    assert "axes = {'distance_shift'" in str(caught.value)


def reach(r: "np.ndarray") -> float:
    """The last radius of a system, kpc, or 1 for small ones."""
    return 1.0 if r[r.size - 1] < 6.0 else r[r.size - 1]


def test_a_length_of_whole_systems_shows_under_a_condition_on_points(cube: xr.Dataset) -> None:
    own = sigcube.Kernel("own", "Own", "a test", {"boost": "reach", "reach": Reduction(reach)})
    with pytest.raises(SpecError, match="V/√D changes by"):
        sweep(cube, kernel=own, errors={"distance": True}, where="r < 3")


def test_the_inclination_scales_them_all_the_same(cube: xr.Dataset) -> None:
    assert sweep(cube, kernel="nfw", errors={"inclination": True}).plan(probe=False).spec.errors is not None


def test_one_error_is_marginalised_and_the_other_an_axis(cube: xr.Dataset) -> None:
    found = sweep(cube, errors={"distance": True}, axes={"inclination_shift": [-1.0, 1.0]}).plan(probe=False)
    for said in ("distance of each system marginalised", "inclination of each system shifted by parts of its error"):
        assert said in found.origin["errors"]


def test_joint_sweeps_have_errors_of_each_dataset(cube: xr.Dataset) -> None:
    own = {"cube": cube, "sample": "unflagged", "metrics": ["loglike"]}
    joint = sigcube.JointSweep(
        {"one": {**own, "errors": BOTH}, "other": own}, kernel="mond", axes={"intrinsic_scatter": [0.0, 0.1]}
    )
    assert [plan.spec.errors is None for plan in joint.plans(probe=False).values()] == [False, True]


def test_a_dataset_of_a_joint_sweep_has_errors_of_g_bar_and_the_other_none(cube: xr.Dataset) -> None:
    own = {"cube": cube, "sample": "unflagged", "metrics": ["loglike"]}
    datasets = {"one": {**own, "errors": {"g_bar": 0.04}}, "other": own}
    joint = sigcube.JointSweep(datasets, kernel="mond", fixed={"g_bar_mean": -10.6}, axes={"g_bar_width": [0.4, 0.7]})
    assert [dict(plan.dims) for plan in joint.plans(probe=False).values()] == [{"g_bar_width": 2}, {}]
