"""ln L under correlated errors, against the covariance matrix itself: its determinant, and equations solved."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import select
from sigcube.engine.schedule import Placement, Schedule
from sigcube.errors import DataError, SpecError
from sigcube.model.correlated import CORRELATED_TERMS
from sigcube.model.graph import Level
from sigcube.model.likelihood import scale_prior
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record
from tests.scaled_density import scaled_density
from tests.sweeping import planned

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

RADIUS, SCALE_LENGTH = {"correlation": "radius"}, {"correlation": "scale_length"}
SYSTEMS = {"distance": True, "inclination": True}
# Of the scale of a galaxy's model, over the errors of its distance and inclination.
MOMENTS = ("shift", "variance", "skew")
HELD = {"correlation_amplitude": 5.0, "correlation_length": 3.0}
SPEC = {"kernel": "sigma", "metrics": ["loglike"], "keep": ["galaxy"], "dtype": "float64"}


@pytest.fixture(scope="module")
def survey(mock_cube: xr.Dataset) -> xr.Dataset:
    """Some synthetic galaxies, whose errors of distance and inclination are made up."""
    few = mock_cube.isel(galaxy=slice(0, 8))
    e_distance = (0.1 * few.distance).assign_attrs(units="Mpc", long_name="error of the distance", source="a test")
    e_inclination = xr.full_like(few.inclination, 4.0)
    e_inclination.attrs = {"units": "deg", "long_name": "error of the inclination", "source": "a test"}
    return few.assign(e_distance=e_distance, e_inclination=e_inclination)


def loglike(cube: xr.Dataset, errors: Mapping[str, Any], *, sample: str = "unflagged", **spec: Any) -> xr.DataArray:
    """Return ln L of each galaxy."""
    return sigcube.Sweep(cube, sample=sample, errors=errors, **SPEC, **spec).compute().loglike


def dense(
    cube: xr.Dataset, a: float, ell: float, errors: Mapping[str, Any], scatter: float = 0.0, **model: float
) -> dict[str, float]:
    """ln L of each galaxy of a selected cube, from its whole covariance matrix."""
    predicted = sigcube.kernels["sigma"].predict(cube, **model).transpose("galaxy", ...).values
    columns = {str(name): cube[name].transpose("galaxy", ...).values for name in cube.data_vars}
    marginalised = [name for name in ("distance", "inclination") if errors.get(name)]
    if marginalised:
        of_scale = scale_prior(distance="distance" in marginalised, inclination="inclination" in marginalised)
        moments = of_scale(*(columns[name] for each in marginalised for name in (each, f"e_{each}")))
        columns |= dict(zip(MOMENTS, moments, strict=True))
    return {
        str(galaxy): _dense(
            {name: values[i] for name, values in columns.items()}, predicted[i], a, ell, errors, scatter
        )
        for i, galaxy in enumerate(cube.galaxy.values)
    }


def _dense(
    one: Mapping[str, Any], predicted: np.ndarray, a: float, ell: float, errors: Mapping[str, Any], scatter: float
) -> float:
    kept = np.isfinite(predicted)
    v, x = predicted[kept], one["r"][kept]
    if errors["correlation"] == "scale_length":
        x = x / one["r_disk"]
    sigma = np.maximum(one["e_v_obs"][kept], 0.1)
    covariance = np.diag(sigma**2 + (v * scatter * np.log(10.0) / 2.0) ** 2)
    covariance += a**2 * np.exp(-np.abs(x[:, np.newaxis] - x) / ell)
    scale = {name: float(one[name]) for name in MOMENTS if name in one}
    return scaled_density(v, one["v_obs"][kept], covariance, **scale)


CASES = [
    # kinds of correlation, with amplitudes and lengths well within what is resolved
    (RADIUS, 5.0, 3.0),
    (SCALE_LENGTH, 12.0, 0.7),
    # the whole scale of a galaxy uncertain as well
    (RADIUS | SYSTEMS, 5.0, 3.0),
    (SCALE_LENGTH | {"distance": True}, 12.0, 0.7),
    # far larger than all errors
    (RADIUS, 300.0, 10.0),
    # no amplitude; no length, which is white noise of σ² + a²; an endless one, which is an offset of the whole curve
    (RADIUS, 0.0, 3.0),
    (RADIUS | SYSTEMS, 20.0, 1e-6),
    (RADIUS, 3.0, 1e6),
]


@pytest.mark.parametrize(("errors", "a", "ell"), CASES, ids=[f"{'-'.join(e)} {a:g} {ell:g}" for e, a, ell in CASES])
def test_it_is_that_of_the_whole_matrix(sparc_cube: xr.Dataset, errors: dict[str, Any], a: float, ell: float) -> None:
    fixed = {"correlation_amplitude": a, "correlation_length": ell}
    found = loglike(sparc_cube, errors, sample="paper171", fixed=fixed, axes={"A": [0.8, 1.17]})
    chosen = select(sparc_cube, sample="paper171")
    expected = dense(chosen, a, ell, errors, A=1.17)
    np.testing.assert_allclose(found.sel(A=1.17), [expected[name] for name in found.galaxy.values], rtol=1e-12)


def test_on_any_place_of_the_axes_it_is_that_of_the_whole_matrix(survey: xr.Dataset) -> None:
    """The variance recursion within the loop over A and around it, and in a list; scatter that makes σ follow V_mod."""
    chosen = select(survey, sample="unflagged")
    a, ell = [0.0, 4.0, 30.0], [0.5, 8.0]
    errors = SCALE_LENGTH | SYSTEMS | {"scatter": 0.1}
    axes = {"correlation_amplitude": a, "A": [0.8, 1.17], "correlation_length": ell}
    inner = loglike(survey, errors, axes=axes)
    outer = loglike(survey, errors, axes={name: axes[name] for name in reversed(axes)})
    xr.testing.assert_identical(inner, outer.transpose(*inner.dims))
    cases = {"correlation_amplitude": ("case", a), "correlation_length": ("case", [8.0, 0.5, 8.0])}
    listed = loglike(survey, errors, axes={**cases, "A": ("case", [1.17, 1.17, 0.8])})
    whole = {(i, j): dense(chosen, a[i], ell[j], errors, scatter=0.1, A=1.17) for i, j in np.ndindex(3, 2)}
    for name in map(str, chosen.galaxy.values):
        one = inner.sel(galaxy=name)
        for (i, j), expected in whole.items():
            np.testing.assert_allclose(one.values[i, 1, j], expected[name], rtol=1e-12)
        expected_list = [one.values[0, 1, 1], one.values[1, 1, 0], one.values[2, 0, 1]]
        np.testing.assert_array_equal(listed.sel(galaxy=name), expected_list)


def test_without_an_amplitude_it_is_that_of_white_errors(survey: xr.Dataset) -> None:
    axes = {"A": [0.8, 1.17]}
    for errors in ({}, SYSTEMS):
        white = loglike(survey, errors, axes=axes)
        none = loglike(survey, RADIUS | errors, fixed=HELD | {"correlation_amplitude": 0.0}, axes=axes)
        np.testing.assert_allclose(none, white, rtol=1e-14)


def test_a_quadrature_over_narrow_errors_is_the_same(survey: xr.Dataset) -> None:
    narrow = survey.assign(e_distance=survey.e_distance / 100.0, e_inclination=survey.e_inclination / 100.0)
    for name in ("e_distance", "e_inclination"):
        narrow[name].attrs = survey[name].attrs
    exact, nodes = (
        loglike(narrow, RADIUS | SYSTEMS | by, fixed=HELD, axes={"A": [1.17]}) for by in ({}, {"quadrature": 16})
    )
    white = loglike(narrow, SYSTEMS, axes={"A": [1.17]})
    np.testing.assert_allclose(nodes, exact, rtol=1e-4)
    assert not np.allclose(white, exact, rtol=0.01)


def test_points_at_one_radius_share_the_process(survey: xr.Dataset) -> None:
    """Their correlation is 1, as in the matrix; a cube from a file has no such points."""
    double = survey.copy(deep=True)
    double["r"][2, 3] = double["r"][2, 2]
    found = loglike(double, RADIUS, fixed=HELD, axes={"A": [1.17]})
    chosen = select(double, sample="unflagged")
    name = str(double.galaxy.values[2])
    np.testing.assert_allclose(found.sel(galaxy=name), [dense(chosen, 5.0, 3.0, RADIUS, A=1.17)[name]], rtol=1e-12)


def test_one_point_alone_has_both_variances(survey: xr.Dataset) -> None:
    nearest = float(survey.r.isel(galaxy=1).min())
    found = loglike(survey, RADIUS, where=f"r <= {nearest}", fixed=HELD, axes={"A": [1.17]})
    chosen = select(survey, sample="unflagged", where=f"r <= {nearest}")
    for name, expected in dense(chosen, 5.0, 3.0, RADIUS, A=1.17).items():
        np.testing.assert_allclose(found.sel(galaxy=name), [expected], rtol=1e-12)


GAINS = [
    # held fixed: single numbers, however many models there are
    ({}, ["A", "xi_scale"], Placement(Level.POINT, 0, ())),
    # along its own axes alone, outermost or innermost
    ({}, ["correlation_amplitude", "A"], Placement(Level.POINT, 0, ("correlation_amplitude",))),
    ({}, ["A", "correlation_length"], Placement(Level.POINT, 0, ("correlation_length",))),
    # a scatter in km/s is no part of the prediction; one in dex is
    ({"scatter": 5.0, "scatter_unit": "km/s"}, ["A", "xi_scale"], Placement(Level.POINT, 0, ())),
    ({"scatter": 0.1}, ["xi_scale", "A"], Placement(Level.POINT, 1, ("A",))),
]


@pytest.mark.parametrize(("errors", "order", "placement"), GAINS, ids=[f"{list(e)} {'-'.join(o)}" for e, o, _ in GAINS])
def test_variances_and_gains_are_computed_as_often_as_they_change(
    survey: xr.Dataset, errors: dict[str, Any], order: list[str], placement: Placement
) -> None:
    axes = {name: [0.5, 1.0] for name in order}
    fixed = {name: value for name, value in HELD.items() if name not in axes}
    plan, _ = planned(survey, errors=RADIUS | SYSTEMS | errors, axes=axes, fixed=fixed, **SPEC)
    model = plan.sections[0].model
    schedule = Schedule(model.graph, dict(model.swept), tuple(order))
    assert {schedule.placement(name) for name in ("gain", "filtered_variance", "log_error_sq")} == {placement}
    # What is observed is filtered as often, and the prediction alone for each model.
    assert schedule.placement("observed_filtered") == placement
    assert schedule.dims["predicted_filtered"] == {*order}


def test_every_term_is_used(survey: xr.Dataset) -> None:
    plan, _ = planned(survey, errors=RADIUS | SYSTEMS, axes={"A": [1.0]}, fixed=HELD, **SPEC)
    assert set(CORRELATED_TERMS) <= {node.name for node in plan.sections[0].model.graph.nodes}


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"correlation": "time"}, HELD, "errors are not correlated along 'time'\n  where: errors.correlation"),
    (RADIUS, {"correlation_length": 3.0}, "correlated errors without a correlation_amplitude\n  where: errors.corr"),
    ({}, HELD, "'correlation_amplitude', and no correlated errors\n  where: correlation_amplitude\n  expected: errors"),
    (RADIUS, HELD | {"correlation_length": 0.0}, "correlation_length is out of bounds"),
    (RADIUS, HELD | {"correlation_amplitude": -1.0}, "correlation_amplitude is out of bounds"),
    (RADIUS, HELD | {"correlation_length": float("nan")}, "correlation_length is not a number"),
]


@pytest.mark.parametrize(("errors", "fixed", "message"), REFUSED, ids=[row[2][:40] for row in REFUSED])
def test_refused(survey: xr.Dataset, errors: dict[str, Any], fixed: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        planned(survey, errors=errors, fixed=fixed, axes={"A": [1.0]}, **SPEC)


def test_other_kinds_of_cubes_and_other_metrics_are_refused(survey: xr.Dataset) -> None:
    with pytest.raises(SpecError, match="no metric here knows such errors"):
        planned(survey, errors=RADIUS, fixed=HELD, axes={"A": [1.0]}, kernel="sigma", metrics=["chi2"])
    clusters = {"kind": "cluster", "kernel": "newton", "metrics": ["loglike"], "fixed": HELD}
    with pytest.raises(SpecError, match="errors of a cluster cube are not correlated along a curve"):
        make_spec(**clusters, errors=RADIUS)


def test_radii_out_of_order_and_scale_lengths_that_are_none_are_named(survey: xr.Dataset) -> None:
    wrong = survey.copy(deep=True)
    wrong["r"][2, 3] = wrong["r"][2, 2] / 2.0
    with pytest.raises(DataError, match=f"the radii are not in order\n  where: {wrong.galaxy.values[2]}, point 3"):
        planned(wrong, errors=RADIUS, fixed=HELD, axes={"A": [1.0]}, **SPEC)
    without = survey.copy(deep=True)
    without["r_disk"][1:3] = [np.nan, 0.0]
    names = ", ".join(survey.galaxy.values[1:3])
    message = f"systems without a usable scale length\n  where: errors.correlation\n  found: 2 systems, {names}"
    with pytest.raises(DataError, match=message):
        planned(without, errors=SCALE_LENGTH, fixed=HELD, axes={"A": [1.0]}, **SPEC)
    with pytest.raises(DataError, match="sigma needs 'r_disk', which the cube does not have"):
        planned(survey.drop_vars("r_disk"), errors=SCALE_LENGTH, fixed=HELD, axes={"A": [1.0]}, **SPEC)


def test_the_plan_says_what_is_correlated(survey: xr.Dataset) -> None:
    plan, _ = planned(
        survey, errors=SCALE_LENGTH, fixed={"correlation_length": 0.7}, axes={"correlation_amplitude": [1, 2]}, **SPEC
    )
    expected = "correlated errors, amplitude an axis, in km/s, length 0.7 scale lengths"
    assert plan.origin["errors"] == expected
    assert expected in str(plan)
    assert spec_from_record(spec_to_record(plan.spec)) == plan.spec


def test_a_reference_has_the_same_errors(survey: xr.Dataset) -> None:
    axes = {"correlation_amplitude": [0.0, 5.0], "A": [0.8, 1.17]}
    given = {"fixed": {"correlation_length": 3.0}, "sample": "unflagged", "errors": RADIUS | SYSTEMS}
    result = sigcube.Sweep(survey, reference="mond", axes=axes, **given, **SPEC).compute()
    shared = {"correlation_amplitude": axes["correlation_amplitude"]}
    other = sigcube.Sweep(survey, axes=shared, **given, **(SPEC | {"kernel": "mond"})).compute().loglike
    wins = (result.loglike > other).mean("galaxy").transpose(*axes)
    np.testing.assert_array_equal(result.win_rate, wins)
    assert 0.0 < float(wins.mean()) < 1.0


def test_in_a_joint_sweep_it_is_of_the_dataset_that_asks_for_it(survey: xr.Dataset) -> None:
    data = {
        "one": {"cube": survey, "metrics": ["loglike"], "errors": RADIUS},
        "other": {"cube": survey, "metrics": ["loglike"]},
    }
    axes = {"A": [0.8, 1.17], "correlation_amplitude": [0.0, 5.0]}
    joint = sigcube.JointSweep(data, kernel="sigma", axes=axes, fixed={"correlation_length": 3.0})
    dims = {name: tuple(leaf.plan(probe=False).dims) for name, leaf in joint.leaves.items()}
    assert dims == {"one": ("A", "correlation_amplitude"), "other": ("A",)}
