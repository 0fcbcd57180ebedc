"""The search of a fit: its space, minima of grids against brute force, minima of functions with known ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sigcube.fits.search import (
    Minimum,
    SearchSpace,
    descend,
    distinct,
    grid_minima,
    is_geometric,
    jacobian,
    polish,
    polish_scalar,
)
from sigcube.plan.grid import Axis, geomspace, linspace, make_grid

SPACE = SearchSpace.of(make_grid({"A": linspace(-2.0, 5.0, 8), "xi": geomspace(0.1, 50.0, 9), "k": [3.0, 1.0, 2.0]}))

grids = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
    elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan, np.inf]),
)


@given(index=st.tuples(st.integers(0, 7), st.integers(0, 8), st.integers(0, 2)))
def test_a_point_of_the_grid_is_where_its_values_are(index: tuple[int, ...]) -> None:
    values = [axis[i] for axis, i in zip(SPACE.axes, index, strict=True)]
    np.testing.assert_allclose(SPACE.values(SPACE.position(np.array(index))), values, rtol=1e-13, atol=1e-13)


def test_bounds_are_exact() -> None:
    np.testing.assert_array_equal(SPACE.values(np.zeros(3)), [-2.0, 0.1, 1.0])
    np.testing.assert_array_equal(SPACE.values(np.ones(3)), [5.0, 50.0, 3.0])
    np.testing.assert_array_equal(SPACE.position(np.array([7, 8, 2])), np.ones(3))


@given(position=st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3))
def test_slopes_are_derivatives(position: list[float]) -> None:
    at, step = np.array(position), 1e-6
    numeric = (SPACE.values(at + step) - SPACE.values(at - step)) / (2.0 * step)
    np.testing.assert_allclose(SPACE.slopes(at), numeric, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        (geomspace(1e-13, 1e-7, 30), True),
        (geomspace(50, 1, 5), True),  # downwards
        (linspace(1, 50, 5), False),
        ((1.0, 10.0), False),  # two values are in any ratio
        ((0.0, 1.0, 10.0), False),  # zero has no logarithm
    ],
)
def test_what_spans_decades_is_searched_in_the_logarithm(values: tuple[float, ...], geometric: bool) -> None:
    assert is_geometric(Axis("x", "x", values)) is geometric


@given(values=grids)
def test_marks_are_those_of_brute_force(values: np.ndarray) -> None:
    marks = grid_minima(values)
    for index in np.ndindex(values.shape):
        here, at = values[index], index[1:]
        expected = np.isfinite(here)
        for offset in product((-1, 0, 1), repeat=len(at)):
            other = tuple(np.add(at, offset))
            if any(offset) and all(0 <= o < n for o, n in zip(other, values.shape[1:], strict=True)):
                neighbour = np.nan_to_num(values[(index[0], *other)], nan=np.inf)
                # Of equals the first counts.
                expected &= here < neighbour or (here == neighbour and at < other)
        assert marks[index] == expected


@given(values=grids)
def test_the_least_of_a_grid_is_marked(values: np.ndarray) -> None:
    for one, marks in zip(values, grid_minima(values), strict=True):
        if np.isfinite(one).any():
            least = np.nanmin(np.where(np.isfinite(one), one, np.nan))
            assert (one[marks] == least).any()
        else:
            assert not marks.any()


@given(
    centre=hnp.arrays(np.float64, 3, elements=st.floats(-0.5, 1.5)),
    start=hnp.arrays(np.float64, 3, elements=st.floats(0.0, 1.0)),
    weights=hnp.arrays(np.float64, 3, elements=st.floats(0.1, 10.0)),
)
def test_a_bowl_ends_at_its_bottom_or_exactly_at_a_bound(
    centre: np.ndarray, start: np.ndarray, weights: np.ndarray
) -> None:
    def bowl(x: np.ndarray) -> np.ndarray:
        return weights * (x - centre)

    found = polish(bowl, descend(bowl, start))
    assert found.converged
    np.testing.assert_allclose(found.position, np.clip(centre, 0.0, 1.0), atol=1e-7)
    outside = (centre < -1e-3) | (centre > 1.0 + 1e-3)
    np.testing.assert_array_equal(found.position[outside], np.clip(centre, 0.0, 1.0)[outside])


def test_a_bent_valley_is_followed_to_its_end() -> None:
    def rosenbrock(x: np.ndarray) -> np.ndarray:
        a, b = 4.0 * x - 2.0
        return np.array([10.0 * (b - a * a), 1.0 - a])

    found = polish(rosenbrock, descend(rosenbrock, np.array([0.1, 0.9])))
    np.testing.assert_allclose(found.position, [0.75, 0.75], atol=1e-8)
    assert found.value < 1e-15
    scalar = polish_scalar(lambda x: float((rosenbrock(x) ** 2).sum()), np.array([0.4, 0.4]))
    np.testing.assert_allclose(scalar.position, [0.75, 0.75], atol=1e-4)


def test_a_sum_of_roots_is_polished_at_a_bound_too() -> None:
    found = polish_scalar(lambda x: float(np.sqrt(0.1 + (x[0] - 0.3) ** 2) + x[1]), np.array([0.9, 1.0]))
    np.testing.assert_allclose(found.position, [0.3, 0.0], atol=1e-5)


@pytest.mark.parametrize("below", [0.0, 1e-15, 1e-9, 5e-4], ids=str)
def test_a_simplex_near_an_upper_bound_is_not_flat(below: float) -> None:
    # Steps of a millionth give no gradient, so that the simplex alone descends.
    found = polish_scalar(lambda x: float(np.floor(1e6 * np.abs(x - (0.3, 0.6))).sum()), np.full(2, 1.0 - below))
    assert found.position == pytest.approx([0.3, 0.6], abs=2e-6)


def test_derivatives_are_one_sided_at_a_bound_and_nothing_where_undefined() -> None:
    def squares(x: np.ndarray) -> np.ndarray:
        assert ((x >= 0.0) & (x <= 1.0)).all()
        return np.array([x[0] ** 2, 3.0 * x[1]])

    np.testing.assert_allclose(jacobian(squares, np.array([1.0, 0.0])), [[2.0, 0.0], [0.0, 3.0]], atol=2e-5)
    undefined = jacobian(lambda x: np.log(x - 0.5) if x[0] > 0.5 else np.array([np.nan]), np.array([0.5]))
    np.testing.assert_array_equal(undefined, [[0.0]])


@pytest.mark.parametrize(
    ("rise", "number"),
    [
        (1.0, 2),  # two wells
        (0.0, 1),  # a flat valley
        (-1.0, 1),  # one end lies on the slope to the other
    ],
)
def test_minima_are_distinct_where_there_is_a_rise_between(rise: float, number: int) -> None:
    def objective(x: np.ndarray) -> float:
        return 5.0 + rise * 4.0 * x[0] * (1.0 - x[0]) + (rise < 0) * 2.0 * x[0]

    ends = [Minimum(objective(np.array([t])), np.array([t]), True) for t in (1.0, 0.0, 1e-6)]
    assert len(distinct(ends, objective)) == number
    assert distinct(ends, objective)[0].value == min(end.value for end in ends)


def test_a_narrow_well_is_one_of_its_own() -> None:
    def objective(x: np.ndarray) -> float:
        return float(1.0 + x[0] - 0.1 * np.exp(-(((x[0] - 0.8) / 0.003) ** 2)))

    near = np.linspace(0.799, 0.801, 100_001)
    bottom = near[np.argmin([objective(np.array([t])) for t in near])]
    wells = [Minimum(objective(np.array([t])), np.array([t]), True) for t in (0.0, bottom)]
    assert len(distinct(wells, objective)) == 2
