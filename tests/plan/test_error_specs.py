"""Errors of the data in specs: which are refused and why, and what a plan says of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.errors import DataError, SpecError
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record

BOTH = {"distance": True, "inclination": True}


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


def test_the_inclination_scales_them_all_the_same(cube: xr.Dataset) -> None:
    assert sweep(cube, kernel="nfw", errors={"inclination": True}).plan(probe=False).spec.errors is not None


def test_joint_sweeps_have_errors_of_each_dataset(cube: xr.Dataset) -> None:
    own = {"cube": cube, "sample": "unflagged", "metrics": ["loglike"]}
    joint = sigcube.JointSweep(
        {"one": {**own, "errors": BOTH}, "other": own}, kernel="mond", axes={"intrinsic_scatter": [0.0, 0.1]}
    )
    assert [plan.spec.errors is None for plan in joint.plans(probe=False).values()] == [False, True]
