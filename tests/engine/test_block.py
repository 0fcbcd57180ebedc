"""Blocks: the same bits however the grid is cut and nested; repeats, win rates and statuses where they belong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sigcube.cube import Packed, pack, select
from sigcube.engine import Engine, block
from sigcube.kernels import KERNELS
from sigcube.plan.grid import linspace
from sigcube.plan.plan import Plan
from sigcube.readers.mock import mock_survey
from tests.sweeping import assert_same_bits, planned, whole

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

GRID = {
    "window": ["geometric", "none"],
    "upsilon_disk": [0.4, 0.5],
    "xi_scale": linspace(0.05, 0.3, 3),
    "A": linspace(0.5, 2.0, 5),
}
METRICS = ["rms", "bias", "scatter_v"]


@pytest.fixture(scope="module")
def survey() -> xr.Dataset:
    return mock_survey(n_galaxies=9, seed=4, points=(5, 12))


@pytest.fixture(scope="module")
def sweep(survey: xr.Dataset) -> tuple[Plan, Packed]:
    return planned(
        survey, kernel="sigma", axes=GRID, metrics=METRICS, reference="mond", keep=["galaxy"], dtype="float64"
    )


@pytest.fixture(scope="module")
def result(sweep: tuple[Plan, Packed]) -> dict[str, np.ndarray]:
    return whole(*sweep)


# Against the model itself


def test_a_block_is_the_model_against_the_data(survey: xr.Dataset, result: dict[str, np.ndarray]) -> None:
    """Every value of a sweep, from predictions made by broadcasting and metrics written out in NumPy."""
    cube = select(survey, sample="unflagged")
    swept = {name: xr.DataArray(list(values), dims=name) for name, values in GRID.items() if name != "window"}
    dims = ("galaxy", "radius", *swept)
    mond = KERNELS["mond"].predict(cube, upsilon_disk=swept["upsilon_disk"])
    rms_mond = np.sqrt(((mond - cube.v_obs) ** 2).mean("radius"))
    for i, window in enumerate(GRID["window"]):
        used = {name: values for name, values in swept.items() if name != "xi_scale" or window != "none"}
        predicted = KERNELS["sigma"].predict(cube, window=window, **used)
        predicted = (predicted * xr.ones_like(swept["xi_scale"])).transpose(*dims)
        residual = predicted - cube.v_obs
        rms = np.sqrt((residual**2).mean("radius"))
        logs = np.log10(cube.v_obs / predicted)
        expected = {
            "rms": rms,
            "rms_mean": rms.mean("galaxy"),
            "rms_median": rms.median("galaxy"),
            "bias": residual.mean("radius"),
            "bias_mean": residual.mean("radius").mean("galaxy"),
            "bias_median": residual.mean("radius").median("galaxy"),
            "scatter_v": logs.std(["galaxy", "radius"]),
            "win_rate": (rms < rms_mond).mean("galaxy"),
        }
        for name, values in expected.items():
            order = tuple(dim for dim in dims if dim in values.dims)
            found = result[name][..., i, :, :, :]
            np.testing.assert_allclose(
                found, np.broadcast_to(values.transpose(*order), found.shape), rtol=1e-11, atol=1e-12, err_msg=name
            )
    assert set(result) == {*expected, "status"}
    assert np.all(result["status"] == 1)


# The same bits


@settings(max_examples=25)
@given(data=st.data())
def test_any_cut_of_the_grid_gives_the_same_bits(
    sweep: tuple[Plan, Packed], result: dict[str, np.ndarray], data: st.DataObject
) -> None:
    """Blocks of any size, tiles of any size within them, the longest dimension innermost or not."""
    plan, packed = sweep
    tile = (1, *(data.draw(st.integers(1, n)) for n in plan.spec.grid.shape[1:]))
    cut = replace(plan, layout=replace(plan.layout, tile=tile))
    points, values, row = (
        data.draw(st.sampled_from(sizes)) for sizes in ([1, 3, 7, 3 * 2**12], [9, 40, 2**22], [1, 3, 64])
    )
    with mock.patch.multiple(block, _TILE_POINTS=points, _TILE_VALUES=values, _GOOD_ROW=row):
        assert_same_bits(whole(cut, packed), result)


@settings(max_examples=25)
@given(data=st.data())
def test_points_evaluated_again_have_the_bits_of_the_block(
    sweep: tuple[Plan, Packed], result: dict[str, np.ndarray], data: st.DataObject
) -> None:
    """Any points of a section, in any order and more than once, in blocks and tiles of any size."""
    plan, packed = sweep
    shape = plan.spec.grid.shape
    tile = (1, *(data.draw(st.integers(1, n)) for n in shape[1:]))
    cut = replace(plan, layout=replace(plan.layout, tile=tile))
    section = data.draw(st.sampled_from(cut.sections))
    place = st.tuples(
        st.sampled_from([each[0] for each in section.positions]), *(st.integers(0, n - 1) for n in shape[1:])
    )
    places = np.array(data.draw(st.lists(place, min_size=1, max_size=40)))
    found = np.full((2, packed.n_systems, len(places)), np.nan)
    with mock.patch.multiple(block, _TILE_POINTS=data.draw(st.sampled_from([1, 3, 7, 3 * 2**12]))):
        for here, *values in Engine(cut, packed).rms_at(section, dict(zip(plan.dims, places.T, strict=True))):
            assert np.isnan(found[:, :, here]).all()
            found[:, :, here] = values
    np.testing.assert_array_equal(found[0], result["rms"][:, *places.T])
    rates = np.array([result["win_rate"][tuple(each)] for each in places])
    np.testing.assert_allclose((found[0] < found[1]).mean(axis=0), rates, rtol=1e-15)


@pytest.mark.parametrize("first", ["window", "upsilon_disk", "xi_scale", "A"])
def test_any_order_of_the_axes_gives_the_same_bits(
    survey: xr.Dataset, sweep: tuple[Plan, Packed], result: dict[str, np.ndarray], first: str
) -> None:
    names = [first, *(name for name in reversed(GRID) if name != first)]
    spec = {"metrics": METRICS, "reference": "mond", "keep": ["galaxy"], "dtype": "float64"}
    plan, packed = planned(survey, kernel="sigma", axes={name: GRID[name] for name in names}, **spec)
    found = whole(plan, packed)
    back = [names.index(name) for name in GRID]
    turned = {
        name: array.transpose(*([0] if array.ndim == 5 else []), *(array.ndim - 4 + axis for axis in back))
        for name, array in found.items()
    }
    assert_same_bits(turned, result)


def test_sweeping_a_value_is_holding_it_fixed(survey: xr.Dataset, result: dict[str, np.ndarray]) -> None:
    spec = {"metrics": METRICS, "reference": "mond", "keep": ["galaxy"], "dtype": "float64"}
    fixed = {"window": "geometric", "upsilon_disk": 0.5, "A": 2.0}
    alone = whole(*planned(survey, kernel="sigma", axes={"xi_scale": [0.175]}, fixed=fixed, **spec))
    for name, array in alone.items():
        np.testing.assert_array_equal(array[..., 0], result[name][..., 0, 1, 1, 4], err_msg=name)


def test_single_precision_is_rounded_once(survey: xr.Dataset, result: dict[str, np.ndarray]) -> None:
    plan, packed = planned(survey, kernel="sigma", axes=GRID, metrics=METRICS, reference="mond", keep=["galaxy"])
    found = whole(plan, packed)
    assert found["rms"].dtype == np.float32
    np.testing.assert_array_equal(found["rms"], result["rms"].astype(np.float32))
    np.testing.assert_array_equal(found["rms_mean"], result["rms_mean"])


# Repeats


def test_values_repeat_along_an_axis_that_labels_do_not_use(result: dict[str, np.ndarray]) -> None:
    without = result["rms"][:, 1]
    np.testing.assert_array_equal(without, np.broadcast_to(without[:, :, :1], without.shape))
    assert len(np.unique(result["rms"][0, 0, 0, :, 0])) == 3


def test_labels_without_effect_are_computed_once(survey: xr.Dataset) -> None:
    """`none` has no scale length, so all four are one section; `power` and `geometric` have four each."""
    axes = {"window": ["none", "power"], "scale_length": ["third_point", "disk_peak"], "A": [0.5, 1.0]}
    plan, packed = planned(survey, kernel="sigma", axes=axes, metrics=["rms"])
    assert [section.positions for section in plan.sections] == [((0, 0), (0, 1)), ((1, 0),), ((1, 1),)]
    assert plan.points_computed == 3 * 2
    found = whole(plan, packed)
    np.testing.assert_array_equal(found["rms_mean"][0, 0], found["rms_mean"][0, 1])
    assert np.all(found["rms_mean"][1, 0] != found["rms_mean"][1, 1])
    assert np.all(found["status"] == 1)


def test_axes_along_one_dimension_vary_together(survey: xr.Dataset) -> None:
    together = {"A": ("case", [0.5, 1.0]), "xi_scale": ("case", [0.1, 0.2]), "window": ("case", ["geometric", "none"])}
    found = whole(*planned(survey, kernel="sigma", axes=together, metrics=["rms"]))["rms_mean"]
    for i, fixed in enumerate([{"A": 0.5, "xi_scale": 0.1}, {"A": 1.0, "window": "none"}]):
        alone = whole(*planned(survey, kernel="sigma", axes={"g_ext": [0.0]}, fixed=fixed, metrics=["rms"]))
        assert found[i] == alone["rms_mean"][0]


def test_numbers_along_one_dimension_vary_together(survey: xr.Dataset) -> None:
    together = {"A": ("case", [0.5, 1.0]), "xi_scale": ("case", [0.1, 0.2]), "g_ext": [0.0, 1e-11]}
    found = whole(*planned(survey, kernel="sigma", axes=together, metrics=["rms"]))["rms_mean"]
    product = {"A": [0.5, 1.0], "xi_scale": [0.1, 0.2], "g_ext": [0.0, 1e-11]}
    every = whole(*planned(survey, kernel="sigma", axes=product, metrics=["rms"]))["rms_mean"]
    np.testing.assert_array_equal(found, every[[0, 1], [0, 1]])


# Systems


def test_systems_keep_their_values_in_any_order(survey: xr.Dataset, result: dict[str, np.ndarray]) -> None:
    backwards = survey.isel(galaxy=slice(None, None, -1))
    spec = {"metrics": METRICS, "reference": "mond", "keep": ["galaxy"], "dtype": "float64"}
    plan, packed = planned(backwards, kernel="sigma", axes=GRID, **spec)
    found = whole(plan, packed)
    np.testing.assert_array_equal(found["rms"][::-1], result["rms"])
    np.testing.assert_array_equal(found["rms_median"], result["rms_median"])
    np.testing.assert_array_equal(found["win_rate"], result["win_rate"])
    np.testing.assert_allclose(found["rms_mean"], result["rms_mean"], rtol=1e-14)


def test_a_system_may_have_one_point(survey: xr.Dataset) -> None:
    axes = {"window": ["geometric", "dynamical"], "A": [0.5, 1.0]}
    spec = {"kernel": "sigma", "axes": axes, "metrics": ["bias", "rms"], "keep": ["galaxy"], "dtype": "float64"}
    plan, packed = planned(survey, **spec)
    points = pack(survey, sample="unflagged", variables=("r", "v_obs"))
    first = Packed(
        packed.systems,
        np.arange(packed.n_systems + 1),
        {name: np.ascontiguousarray(values[packed.offsets[:-1]]) for name, values in packed.points.items()},
        packed.per_system,
    )
    found = whole(plan, first)
    np.testing.assert_array_equal(np.abs(found["bias"]), found["rms"])
    cube = select(survey, sample="unflagged")
    for j, amplitude in enumerate(axes["A"]):
        predicted = KERNELS["sigma"].predict(cube, A=amplitude)
        for s, name in enumerate(packed.systems):
            inner = predicted.sel(galaxy=name).dropna("radius").values[0]
            assert found["bias"][s, 0, j] == inner - points.points["v_obs"][points.offsets[s]]


# Win rates


def test_the_reference_shares_the_baryons(survey: xr.Dataset) -> None:
    """MOND against MOND is never strictly better, whatever ratio is swept; against one at a fixed ratio it is."""
    axes = {"upsilon_disk": [0.2, 0.5, 1.1]}
    even, packed = planned(survey, kernel="mond", axes=axes, reference="mond")
    np.testing.assert_array_equal(whole(even, packed)["win_rate"], 0.0)
    odd = {"kernel": "mond", "upsilon_disk": 20.0}
    assert whole(*planned(survey, kernel="mond", axes=axes, reference=odd))["win_rate"].min() > 0.5


def test_the_reference_shares_constants_held_fixed(survey: xr.Dataset) -> None:
    codata = {"axes": {"upsilon_disk": [0.5]}, "fixed": {"constants": "codata", "upsilon_bulge": 0.9}}
    np.testing.assert_array_equal(whole(*planned(survey, kernel="mond", reference="mond", **codata))["win_rate"], 0.0)


def test_the_reference_may_be_another_reading(survey: xr.Dataset) -> None:
    """With itself at A = 1 as the reference, the model draws there and differs elsewhere."""
    reference = {"kernel": "sigma", "A": 1.0}
    found = whole(*planned(survey, kernel="sigma", axes={"A": [0.9, 1.0]}, reference=reference))["win_rate"]
    assert found[1] == 0.0
    assert found[0] > 0.0


# Statuses


def test_a_model_that_is_not_finite_is_invalid(survey: xr.Dataset) -> None:
    """Where gas pulls outwards and the disc weighs nothing, V_bar² is below zero, and nothing is predicted."""
    axes = {"upsilon_disk": [0.0, 0.5], "A": [1.0, 2.0]}
    plan, packed = planned(survey, kernel="sigma", axes=axes, metrics=METRICS, keep=["galaxy"], reference="mond")
    assert (packed.points["v_gas"] < 0).any()
    found = whole(plan, packed)
    np.testing.assert_array_equal(found["status"], [[2, 2], [1, 1]])
    assert np.isnan(found["rms_mean"][0]).all()
    assert np.isnan(found["scatter_v"][0]).all()
    assert np.isfinite(found["rms_mean"][1]).all()
    # The systems that have a prediction keep theirs.
    assert np.isfinite(found["rms"][:, 0]).any()


def test_a_block_has_the_shapes_and_types_of_the_plan(sweep: tuple[Plan, Packed]) -> None:
    plan, packed = sweep
    arrays: Mapping[str, Any] = Engine(plan, packed).evaluate(plan.blocks[0])
    assert set(arrays) == {v.name for v in plan.variables}
    for v in plan.variables:
        head = (len(plan.systems),) if "galaxy" in v.dims else ()
        assert arrays[v.name].shape == (*head, *plan.blocks[0].shape)
        assert arrays[v.name].dtype == v.dtype
        assert arrays[v.name].flags.c_contiguous
