"""A kernel that follows from point to point: its sweeps are a plain loop over points, however they are computed."""

from collections.abc import Mapping
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sigcube
from sigcube.cube import Packed, select
from sigcube.engine import PointTerms, block
from sigcube.errors import DataError, SpecError
from sigcube.field.nu import nu_of
from sigcube.model.kernel import Kernel
from sigcube.model.record import Parameter
from sigcube.model.vecmath import exp
from sigcube.plan.plan import Plan
from sigcube.readers.mock import mock_survey
from tests.sweeping import assert_same_bits, planned, whole

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


def boost(A: float, memory: float) -> float:
    """Σ = 1 + A m."""
    return 1.0 + A * memory


def fading(r: float, previous_r: float, ell: float) -> float:
    """e^{−Δr/ℓ}."""
    return exp(-(r - previous_r) / ell)


def memory(previous_memory: float, fading: float, v_bar: float, previous_v_bar: float) -> float:
    """What is left of the last memory, and how much faster the baryons rotate."""
    return fading * previous_memory + 0.01 * abs(v_bar - previous_v_bar)


def _parameter(name: str, default: float) -> Parameter:
    return Parameter(name, name, default, "", (1e-3, 100.0), "fixed", "this test", "a number")


MEMORY = Kernel(
    name="memory",
    title="a boost with memory",
    source="this test",
    terms={"boost": boost, "fading": fading, "memory": memory},
    parameters=(_parameter("A", 1.0), _parameter("ell", 2.0)),
)

AXES = {"upsilon_disk": [0.4, 0.5, 0.7], "ell": [0.5, 3.0], "A": [0.5, 1.0, 2.0]}
SPEC = {"kernel": MEMORY, "metrics": ["rms", "chi2"], "keep": ["galaxy"], "dtype": "float64"}


@pytest.fixture(scope="module")
def survey() -> xr.Dataset:
    return mock_survey(n_galaxies=6, seed=4, points=(5, 9))


@pytest.fixture(scope="module")
def sweep(survey: xr.Dataset) -> tuple[Plan, Packed]:
    return planned(survey, axes=AXES, **SPEC)


@pytest.fixture(scope="module")
def result(sweep: tuple[Plan, Packed]) -> dict[str, np.ndarray]:
    return whole(*sweep)


def predicted(galaxy: xr.Dataset, *, upsilon_disk: float, ell: float, A: float) -> np.ndarray:
    """The prediction of one galaxy, point after point."""
    kept = np.isfinite(galaxy.v_obs.values)
    r, gas, disk, bulge = (galaxy[name].values[kept] for name in ("r", "v_gas", "v_disk", "v_bul"))
    v_bar = np.sqrt(gas * np.abs(gas) + upsilon_disk * disk**2 + 0.7 * bulge**2)
    state, last_r, last_v, found = 0.0, 0.0, 0.0, []
    for here, v in zip(r, v_bar, strict=True):
        state = np.exp(-(here - last_r) / ell) * state + 0.01 * abs(v - last_v)
        last_r, last_v = here, v
        found.append(v * np.sqrt(1.0 + A * state))
    return np.array(found)


def test_a_sweep_is_a_loop_over_points_that_begins_anew_in_each_system(
    survey: xr.Dataset, result: dict[str, np.ndarray]
) -> None:
    chosen = select(survey, sample="unflagged")
    for name, (i, upsilon), (j, ell), (k, a) in (
        (name, *places)
        for name in chosen.galaxy.values
        for places in [((0, 0.4), (1, 3.0), (2, 2.0)), ((2, 0.7), (0, 0.5), (0, 0.5))]
    ):
        galaxy = chosen.sel(galaxy=name)
        observed = galaxy.v_obs.values[np.isfinite(galaxy.v_obs.values)]
        rms = np.sqrt(np.mean((predicted(galaxy, upsilon_disk=upsilon, ell=ell, A=a) - observed) ** 2))
        place = chosen.get_index("galaxy").get_loc(name)
        np.testing.assert_allclose(result["rms"][place, i, j, k], rms, rtol=1e-12)


@settings(max_examples=15)
@given(data=st.data())
def test_any_cut_of_the_grid_gives_the_same_bits(
    sweep: tuple[Plan, Packed], result: dict[str, np.ndarray], data: st.DataObject
) -> None:
    plan, packed = sweep
    tile = tuple(data.draw(st.integers(1, n)) for n in plan.spec.grid.shape)
    cut = replace(plan, layout=replace(plan.layout, tile=tile))
    points, row = data.draw(st.sampled_from([1, 3, 7, 3 * 2**12])), data.draw(st.sampled_from([1, 3, 64]))
    with mock.patch.multiple(block, _TILE_POINTS=points, _GOOD_ROW=row):
        assert_same_bits(whole(cut, packed), result)


ELSEWHERE: list[Mapping[str, object]] = [
    # held fixed: a scalar from point to point
    {"axes": {"upsilon_disk": [0.5], "A": [1.0, 2.0]}, "fixed": {"ell": 3.0}},
    # innermost and outermost
    {"axes": {"A": [1.0, 2.0], "upsilon_disk": [0.4, 0.5], "ell": [3.0]}},
    {"axes": {"ell": [0.5, 3.0], "A": [1.0, 2.0], "upsilon_disk": [0.4, 0.5]}},
    # a list of combinations, along one dimension
    {"axes": {"ell": ("case", [0.5, 3.0, 3.0]), "upsilon_disk": ("case", [0.7, 0.4, 0.5]), "A": ("case", [1, 0.5, 2])}},
]


@pytest.mark.parametrize("given", ELSEWHERE, ids=["fixed", "innermost", "outermost", "list"])
def test_any_place_of_the_axes_gives_the_same_bits(
    survey: xr.Dataset, result: dict[str, np.ndarray], given: Mapping[str, object]
) -> None:
    own = sigcube.Sweep(survey, sample="unflagged", **SPEC, **given).compute().rms
    values = (np.arange(own.galaxy.size), *AXES.values())
    known = xr.DataArray(
        result["rms"], dims=("galaxy", *AXES), coords=dict(zip(("galaxy", *AXES), values, strict=True))
    )
    at = {name: own[name] for name in AXES}
    expected = known.sel(at).transpose(*own.dims)
    np.testing.assert_array_equal(own.values, expected.values)


def test_its_terms_point_by_point_add_up_to_the_sweep(survey: xr.Dataset, result: dict[str, np.ndarray]) -> None:
    plan, packed = planned(survey, axes=AXES, **SPEC)
    model = plan.sections[0].model
    terms = PointTerms(model, packed, ("residual", "memory"))
    at = np.array([AXES[name][-1] for name, _ in model.swept])
    for system in range(packed.n_systems):
        residual, state = terms(at, system)
        np.testing.assert_allclose(np.sqrt(np.mean(residual**2)), result["rms"][system, -1, -1, -1], rtol=1e-13)
        assert state.size == packed.offsets[system + 1] - packed.offsets[system]


def test_a_system_of_one_point_has_nothing_before_it(survey: xr.Dataset) -> None:
    first = survey.r.isel(galaxy=1).values[0]
    one = sigcube.Sweep(survey, where=f"r <= {first}", sample="unflagged", axes=AXES, **SPEC).compute()
    name = survey.galaxy.values[1]
    galaxy = select(survey, sample="unflagged").sel(galaxy=name)
    model = predicted(galaxy, upsilon_disk=0.4, ell=0.5, A=2.0)[0]
    found = one.rms.sel(galaxy=name, upsilon_disk=0.4, ell=0.5, A=2.0)
    np.testing.assert_allclose(found, abs(model - galaxy.v_obs.values[0]), rtol=1e-12)


def test_radii_that_decrease_are_refused(survey: xr.Dataset) -> None:
    wrong = survey.copy(deep=True)
    wrong["r"][2, 3] = wrong["r"][2, 2] / 2.0
    where = rf"where: {survey.galaxy.values[2]}, point 3\n  found: r = [\d.]+ before [\d.]+ kpc\n"
    with pytest.raises(DataError, match=rf"from point to point, and the radii are not in order\n  {where}"):
        planned(wrong, axes=AXES, **SPEC)
    # Of no concern to a model without memory.
    planned(wrong, axes={"A": [1.0]}, kernel="sigma", metrics=["rms"])


def test_where_it_cannot_be_computed_it_is_refused(survey: xr.Dataset) -> None:
    with pytest.raises(SpecError, match="memory follows from point to point, which arrays of whole cubes do not do"):
        MEMORY.boost(survey)
    unsigned = replace(MEMORY, terms={**MEMORY.terms, "memory": lambda previous_memory, fading: fading})
    with pytest.raises(SpecError, match="of g and r alone, and the boost takes values at the point before"):
        nu_of(unsigned, {}, {})


def steepness(previous_memory: float, v_bar: float, previous_v_bar: float) -> float:
    """What is left of the last memory, and by which part the baryons rotate faster: the same at any distance."""
    return 0.5 * previous_memory + v_bar / (v_bar + previous_v_bar)


def test_whether_it_scales_with_the_distance_is_found_out_point_by_point(survey: xr.Dataset) -> None:
    errors = {"units": "Mpc", "long_name": "error of the distance", "source": "a test"}
    known = survey.assign(e_distance=(0.1 * survey.distance).assign_attrs(errors))
    given = {"metrics": ["loglike"], "errors": {"distance": True}, "axes": {"A": [0.5, 1.0]}}
    with pytest.raises(SpecError, match=r"the error of the distance cannot be marginalised for memory"):
        planned(known, kernel=MEMORY, **given)
    free = {"boost": boost, "memory": steepness}
    planned(known, kernel=replace(MEMORY, terms=free, parameters=MEMORY.parameters[:1]), **given)
