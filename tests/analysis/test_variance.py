"""The split of a variance: against its definition, against closed forms, and however the array is held and cut."""

from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigcube.analysis import sensitivity
from sigcube.errors import SpecError
from tests.results import small_result

NAMES = ("w", "x", "y", "z")
Weights = dict[str, np.ndarray]


@st.composite
def weighted(draw: st.DrawFn) -> tuple[xr.DataArray, Weights]:
    """A small array, and weights along some of its axes, some of them zero."""
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
    numbers = st.integers(-50, 50).map(lambda n: n / 7)
    array = xr.DataArray(draw(arrays(np.float64, shape, elements=numbers)), dims=NAMES[: len(shape)], name="f")
    weights = {}
    for dim, n in array.sizes.items():
        if draw(st.booleans()):
            parts = np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), dtype=float)
            parts[draw(st.integers(0, n - 1))] += 1
            weights[str(dim)] = parts / parts.sum()
    return array, weights


def mean_over(array: xr.DataArray, weights: Weights, *, keep: tuple[str, ...] = ()) -> xr.DataArray:
    """E[f | the axes that are kept]."""
    for dim in map(str, array.dims):
        if dim not in keep:
            uniform = np.full(array.sizes[dim], 1 / array.sizes[dim])
            array = (array * xr.DataArray(weights.get(dim, uniform), dims=dim)).sum(dim)
    return array


def by_definition(array: xr.DataArray, weights: Weights) -> dict[str, Any]:
    """Variances, not shares, of everything that `sensitivity` names, by the definitions of Sobol' and of Shapley."""
    dims = tuple(map(str, array.dims))
    subsets = [each for size in range(len(dims) + 1) for each in combinations(dims, size)]
    centred = array - mean_over(array, weights)
    closed = {each: float(mean_over(mean_over(centred, weights, keep=each) ** 2, weights)) for each in subsets}
    own = {
        each: sum((-1) ** (len(each) - len(part)) * closed[part] for part in subsets if set(part) <= set(each))
        for each in subsets
    }

    def gain(before: tuple[str, ...], dim: str) -> float:
        """What an axis adds to the variance that those before it explain."""
        after = tuple(d for d in dims if d in (*before, dim))
        return closed[after] - closed[tuple(d for d in dims if d in before)]

    orders = list(permutations(dims))
    return {
        "mean": float(mean_over(array, weights)),
        "variance": closed[dims],
        "first": [closed[dim,] for dim in dims],
        "total": [closed[dims] - closed[tuple(d for d in dims if d != dim)] for dim in dims],
        "shapley": [np.mean([gain(order[: order.index(dim)], dim) for order in orders]) for dim in dims],
        "share": {" × ".join(each): own[each] for each in subsets},
        "pairs": {each: own[each] for each in subsets if len(each) == 2},
    }


def held_as(array: xr.DataArray, way: str, length: int) -> xr.DataArray:
    """The array in memory, of Dask, or as if read from chunks."""
    chunks = {dim: min(n, length) for dim, n in array.sizes.items()}
    if way == "dask":
        return array.chunk(chunks)
    held = array.copy()
    if way == "chunks":
        held.encoding["preferred_chunks"] = chunks
    return held


WAYS = st.sampled_from(["memory", "dask", "chunks"])


@pytest.mark.slow
@given(case=weighted(), way=WAYS, length=st.integers(1, 4), block=st.integers(1, 60))
def test_indices_are_those_of_the_definitions(
    case: tuple[xr.DataArray, Weights], way: str, length: int, block: int
) -> None:
    array, weights = case
    expected = by_definition(array, weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigcube.analysis.variance._BLOCK", block)
        found = sensitivity(held_as(array, way, length), weights=weights)
    variance = float(found.variance)
    assert float(found["mean"]) == pytest.approx(expected["mean"], abs=1e-13 * 50)
    assert variance == pytest.approx(expected["variance"], rel=1e-11, abs=1e-26)
    if variance < 1e-20:
        return
    near = {"rtol": 0.0, "atol": 1e-11 * variance}
    for name in ("first", "total", "shapley"):
        np.testing.assert_allclose(found[name] * variance, expected[name], **near, err_msg=name)
    shares = [expected["share"][component] for component in found.component.values]
    np.testing.assert_allclose(found.share * variance, shares, **near)
    for (one, other), value in expected["pairs"].items():
        pair = found.interaction.sel(axis=one, other_axis=other)
        np.testing.assert_allclose(pair * variance, value, **near)
        assert pair == found.interaction.sel(axis=other, other_axis=one)
    # The components add up to the variance, and so do Shapley's shares.
    assert float(found.share.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(found.shapley.sum()) == pytest.approx(1.0, abs=1e-12)


def test_the_function_of_ishigami_has_its_indices() -> None:
    # sin x + a sin² y + b z⁴ sin x, uniform in −π … π (Ishigami & Homma 1990); exact with these nodes.
    nodes, weights = np.polynomial.legendre.leggauss(24)
    x, y, z = (xr.DataArray(np.pi * nodes, dims=dim) for dim in "xyz")
    a, b = 7.0, 0.1
    found = sensitivity(
        np.sin(x) + a * np.sin(y) ** 2 + b * z**4 * np.sin(x), weights=dict.fromkeys("xyz", weights / 2)
    )
    v_x, v_y, v_xz = 0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, b**2 * np.pi**8 * 8 / 225
    v = v_x + v_y + v_xz
    assert float(found.variance) == pytest.approx(v, rel=1e-13)
    np.testing.assert_allclose(found.first, [v_x / v, v_y / v, 0], atol=1e-14)
    np.testing.assert_allclose(found.total, [(v_x + v_xz) / v, v_y / v, v_xz / v], atol=1e-14)
    np.testing.assert_allclose(found.shapley, [(v_x + v_xz / 2) / v, v_y / v, v_xz / 2 / v], atol=1e-14)
    assert float(found.interaction.sel(axis="x", other_axis="z")) == pytest.approx(v_xz / v, rel=1e-12)


def test_the_g_function_has_its_indices() -> None:
    # Π (|4x − 2| + a)/(1 + a), uniform in 0 … 1 (Sobol' 1993); the nodes of both halves are exact for it.
    nodes, weights = np.polynomial.legendre.leggauss(4)
    half = (nodes + 1) / 4
    nodes, weights = np.concatenate([half, half + 0.5]), np.concatenate([weights, weights]) / 4
    a = dict(zip("uvwxyz", (0.0, 0.5, 3.0, 9.0, 99.0, 99.0), strict=True))
    array: Any = 1.0
    for dim, each in a.items():
        array = array * xr.DataArray((np.abs(4 * nodes - 2) + each) / (1 + each), dims=dim)
    found = sensitivity(array, weights=dict.fromkeys(a, weights))
    own = {dim: 1 / (3 * (1 + each) ** 2) for dim, each in a.items()}
    v = np.prod([1 + each for each in own.values()]) - 1
    np.testing.assert_allclose(found.first, [each / v for each in own.values()], rtol=1e-12)
    total = [each / v * np.prod([1 + o for d, o in own.items() if d != dim]) for dim, each in own.items()]
    np.testing.assert_allclose(found.total, total, rtol=1e-12)
    for component in found.component.values:
        product = np.prod([own[dim] for dim in component.split(" × ")])
        assert float(found.share.sel(component=component)) * v == pytest.approx(product, rel=1e-9)
    parts = [c for size in range(1, 7) for c in combinations(a, size)]
    shapley = [sum(np.prod([own[d] for d in c]) / len(c) for c in parts if dim in c) / v for dim in a]
    np.testing.assert_allclose(found.shapley, shapley, rtol=1e-12)


def test_far_from_zero_no_digits_are_lost() -> None:
    rng = np.random.default_rng(5)
    values = 1e9 + rng.integers(-8, 9, (6, 5, 4)) / 16
    found = sensitivity(xr.DataArray(values, dims=list("xyz")))
    exact = [Fraction(float(each)) for each in values.ravel()]
    mean = sum(exact) / len(exact)
    variance = sum((each - mean) ** 2 for each in exact) / len(exact)
    assert float(found.variance) == pytest.approx(float(variance), rel=1e-14)
    assert float(found["mean"]) == float(mean)


def test_an_axis_that_is_not_used_explains_nothing_and_one_of_a_label_only_with_it() -> None:
    result = small_result().isel(window=[1, 2])
    found = sensitivity(result.rms_mean)
    # Under `none` there is neither k nor xi_scale.
    assert float(found.first.sel(axis="k")) > 0
    assert float(found.interaction.sel(axis="window", other_axis="k")) > 0
    alone = sensitivity(result.rms_mean.sel(window="none"))
    np.testing.assert_array_equal(alone.total, [0, 0, 1])
    assert list(alone.axis.values) == ["k", "xi_scale", "A"]


def test_equal_values_have_no_variance_and_no_shares() -> None:
    found = sensitivity(xr.DataArray(np.full((3, 4), 0.1), dims=["x", "y"]))
    assert (float(found["mean"]), float(found.variance)) == (0.1, 0.0)
    assert np.isnan(found.first).all()
    assert np.isnan(found.share).all()


def test_one_value_on_an_axis_explains_nothing() -> None:
    found = sensitivity(xr.DataArray([[[1.0, 2.0, 4.0]]], dims=["one", "two", "x"]))
    np.testing.assert_array_equal(found.first, [0, 0, 1])
    assert list(found.component.values) == ["x"]
    single = sensitivity(xr.DataArray([[3.0]], dims=["one", "two"]))
    assert (float(single["mean"]), float(single.variance), single.component.size) == (3.0, 0.0, 0)


@pytest.mark.slow
@given(way=WAYS, block=st.integers(1, 200), length=st.integers(1, 5))
def test_each_system_has_the_answer_that_it_has_alone(way: str, block: int, length: int) -> None:
    array = xr.DataArray(np.random.default_rng(3).normal(size=(5, 4, 3)), dims=["galaxy", "x", "y"])
    array = array.assign_coords(galaxy=list("abcde"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigcube.analysis.variance._BLOCK", block)
        found = sensitivity(held_as(array, way, length))
    for name in array.galaxy.values:
        alone = sensitivity(array.sel(galaxy=name))
        for variable in ("mean", "variance", "first", "total", "shapley", "share", "interaction"):
            np.testing.assert_allclose(found[variable].sel(galaxy=name), alone[variable], rtol=1e-12, atol=1e-15)


def test_every_chunk_is_read_once() -> None:
    read: list[tuple[int, ...]] = []

    def chunk(block_info: Any = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.full(block_info[None]["chunk-shape"], float(sum(read[-1])))

    lazy = dask.array.map_blocks(chunk, chunks=((2, 2, 1), (3, 3), (4,)), dtype=float, meta=np.empty((0, 0, 0)))
    sensitivity(xr.DataArray(lazy, dims=list("xyz")))
    assert sorted(read) == [(i, j, 0) for i in range(3) for j in range(2)]


@pytest.mark.parametrize(("order", "listed"), [(None, 9 + 36), (1, 9), (3, 9 + 36 + 84)])
def test_of_many_axes_pairs_are_listed(order: int | None, listed: int) -> None:
    array = xr.DataArray(np.random.default_rng(1).normal(size=(2,) * 9), dims=[f"x{i}" for i in range(9)])
    found = sensitivity(array, order=order)
    assert found.component.size == listed
    # What is not listed counts nevertheless.
    assert float(found.shapley.sum()) == pytest.approx(1.0)


def gaps() -> xr.DataArray:
    """Values of three systems; b has none at x = 1, and a none at (2, 20)."""
    values = np.arange(27.0).reshape(3, 3, 3) ** 1.5
    values[1, 1] = np.nan
    values[0, 2, 1] = np.inf
    coords = {"galaxy": list("abc"), "x": [0.0, 1.0, 2.0], "y": [10.0, 20.0, 30.0]}
    return xr.DataArray(values, coords, name="rms")


def test_missing_values_are_refused_and_counted() -> None:
    with pytest.raises(SpecError, match="needs a finite value at each point") as caught:
        sensitivity(gaps())
    assert "4 of 27" in str(caught.value)
    assert "missing='drop'" in str(caught.value)


def test_what_is_left_out_for_missing_values_is_said() -> None:
    # A third of b is missing, as of x = 1; then a sixth of x = 2, as of y = 20, and less of a.
    weights = {"x": [0.5, 0.25, 0.25]}
    found = sensitivity(gaps(), missing="drop", weights=weights)
    assert found.attrs["left_out"] == "galaxy: b; x: 2"
    alone = sensitivity(gaps().sel(galaxy="c").isel(x=[0, 1]), weights={"x": [2 / 3, 1 / 3]})
    np.testing.assert_allclose(found.shapley.sel(galaxy="c"), alone.shapley)
    one = sensitivity(gaps().sel(galaxy="b"), missing="drop", weights=weights)
    assert one.attrs["left_out"] == "x: 1"
    rest = gaps().sel(galaxy="b").isel(x=[0, 2])
    np.testing.assert_allclose(one.shapley, sensitivity(rest, weights={"x": [2 / 3, 1 / 3]}).shapley)
    assert sensitivity(gaps().sel(galaxy="c"), missing="drop").attrs["left_out"] == "nothing"
    with pytest.raises(SpecError, match="no value of the array is finite"):
        sensitivity(gaps() * np.nan, missing="drop")
    with pytest.raises(SpecError, match="every value that has a weight is left out"):
        sensitivity(gaps().sel(galaxy="b"), missing="drop", weights={"x": [0.0, 1.0, 0.0]})


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"q": [1.0]}, "there is no axis 'q' here"),
        ({"A": [0.5, 0.5]}, "each value of an axis has a weight"),
        ({"k": [0.5, 0.6, -0.1]}, "a weight is a probability"),
        ({"k": [0.5, np.nan, 0.5]}, "a weight is a probability"),
        ({"k": [1.0, 1.0, 1.0]}, "weights do not add up"),
    ],
)
def test_bad_weights_are_refused(weights: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        sensitivity(small_result().rms_mean.isel(window=1), weights=weights)
    assert "weights" in str(caught.value.where)


@pytest.mark.parametrize("options", [{"missing": "ignore"}, {"order": 0}])
def test_other_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"missing values cannot be|at least one axis"):
        sensitivity(small_result().rms_mean.isel(window=1), **options)


def test_axes_along_one_dimension_are_one_choice() -> None:
    array = xr.DataArray(
        [[1.0, 2.0], [3.0, 5.0]], dims=["case", "y"], coords={"A": ("case", [1, 2]), "B": ("case", [3, 4])}
    )
    found = sensitivity(array, weights={"B": [0.25, 0.75]})
    assert list(found.axis.values) == ["case", "y"]
    np.testing.assert_allclose(found["mean"], 0.25 * 1.5 + 0.75 * 4.0)
    with pytest.raises(SpecError, match="two axes along one dimension"):
        sensitivity(array, weights={"A": [0.5, 0.5], "B": [0.25, 0.75]})


@pytest.mark.parametrize("asked", [small_result(), small_result().window])
def test_only_numbers_have_a_variance(asked: Any) -> None:
    with pytest.raises(SpecError, match="one array of numbers"):
        sensitivity(asked)
