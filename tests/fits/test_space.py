"""The space of a search: places and values are each other's inverse, bounds are exact, slopes are derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.fits.space import SearchSpace, is_geometric
from sigcube.plan.grid import Axis, geomspace, linspace, make_grid

SPACE = SearchSpace.of(make_grid({"A": linspace(-2.0, 5.0, 8), "xi": geomspace(0.1, 50.0, 9), "k": [3.0, 1.0, 2.0]}))


@given(index=st.tuples(st.integers(0, 7), st.integers(0, 8), st.integers(0, 2)))
def test_a_point_of_the_grid_is_where_its_values_are(index: tuple[int, ...]) -> None:
    values = [axis[i] for axis, i in zip(SPACE.axes, index, strict=True)]
    np.testing.assert_allclose(SPACE.values(SPACE.place(np.array(index))), values, rtol=1e-13, atol=1e-13)


def test_bounds_are_exact() -> None:
    np.testing.assert_array_equal(SPACE.values(np.zeros(3)), [-2.0, 0.1, 1.0])
    np.testing.assert_array_equal(SPACE.values(np.ones(3)), [5.0, 50.0, 3.0])
    np.testing.assert_array_equal(SPACE.place(np.array([7, 8, 2])), np.ones(3))


@given(place=st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3))
def test_slopes_are_derivatives(place: list[float]) -> None:
    at, step = np.array(place), 1e-6
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
