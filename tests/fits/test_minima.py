"""Minima of grids and functions: against brute force, against what is known of a function, and what counts as one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sigcube.fits.minima import Minimum, derivatives, descend, distinct, grid_minima, polish_scalar, settle

grids = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
    elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan, np.inf]),
)


@given(values=grids)
def test_marks_are_those_of_brute_force(values: np.ndarray) -> None:
    marks = grid_minima(values)
    for index in np.ndindex(values.shape):
        here, place = values[index], index[1:]
        expected = np.isfinite(here)
        for offset in product((-1, 0, 1), repeat=len(place)):
            other = tuple(np.add(place, offset))
            if any(offset) and all(0 <= o < n for o, n in zip(other, values.shape[1:], strict=True)):
                neighbour = np.nan_to_num(values[(index[0], *other)], nan=np.inf)
                # Of equals the first counts.
                expected &= here < neighbour or (here == neighbour and place < other)
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
    def bowl(place: np.ndarray) -> np.ndarray:
        return weights * (place - centre)

    found = settle(bowl, descend(bowl, start))
    assert found.converged
    np.testing.assert_allclose(found.place, np.clip(centre, 0.0, 1.0), atol=1e-7)
    outside = (centre < -1e-3) | (centre > 1.0 + 1e-3)
    np.testing.assert_array_equal(found.place[outside], np.clip(centre, 0.0, 1.0)[outside])


def test_a_bent_valley_is_followed_to_its_end() -> None:
    def rosenbrock(place: np.ndarray) -> np.ndarray:
        x, y = 4.0 * place - 2.0
        return np.array([10.0 * (y - x * x), 1.0 - x])

    found = settle(rosenbrock, descend(rosenbrock, np.array([0.1, 0.9])))
    np.testing.assert_allclose(found.place, [0.75, 0.75], atol=1e-8)
    assert found.value < 1e-15
    scalar = polish_scalar(lambda place: float((rosenbrock(place) ** 2).sum()), np.array([0.4, 0.4]))
    np.testing.assert_allclose(scalar.place, [0.75, 0.75], atol=1e-4)


def test_a_sum_of_roots_is_polished_at_a_bound_too() -> None:
    found = polish_scalar(lambda place: float(np.sqrt(0.1 + (place[0] - 0.3) ** 2) + place[1]), np.array([0.9, 1.0]))
    np.testing.assert_allclose(found.place, [0.3, 0.0], atol=1e-5)


def test_derivatives_are_one_sided_at_a_bound_and_nothing_where_undefined() -> None:
    def squares(place: np.ndarray) -> np.ndarray:
        assert ((place >= 0.0) & (place <= 1.0)).all()
        return np.array([place[0] ** 2, 3.0 * place[1]])

    np.testing.assert_allclose(derivatives(squares, np.array([1.0, 0.0])), [[2.0, 0.0], [0.0, 3.0]], atol=2e-5)
    undefined = derivatives(
        lambda place: np.log(place - 0.5) if place[0] > 0.5 else np.array([np.nan]), np.array([0.5])
    )
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
    def objective(place: np.ndarray) -> float:
        return 5.0 + rise * 4.0 * place[0] * (1.0 - place[0]) + (rise < 0) * 2.0 * place[0]

    ends = [Minimum(objective(np.array([x])), np.array([x]), True) for x in (1.0, 0.0, 1e-6)]
    assert len(distinct(ends, objective)) == number
    assert distinct(ends, objective)[0].value == min(end.value for end in ends)


def test_a_narrow_well_is_one_of_its_own() -> None:
    def objective(place: np.ndarray) -> float:
        return float(1.0 + place[0] - 0.1 * np.exp(-(((place[0] - 0.8) / 0.003) ** 2)))

    near = np.linspace(0.799, 0.801, 100_001)
    bottom = near[np.argmin([objective(np.array([x])) for x in near])]
    wells = [Minimum(objective(np.array([x])), np.array([x]), True) for x in (0.0, bottom)]
    assert len(distinct(wells, objective)) == 2
