"""Axes as users write them, the grid they span, and every way to get them wrong."""

import re
from decimal import Decimal, localcontext
from math import prod
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.errors import SpecError
from sigcube.plan.grid import MOST_VALUES, Axis, geomspace, linspace, make_grid

FORMS = [
    # a list
    ([1, 2.5], Axis("A", "A", (1.0, 2.5))),
    # two numbers are no pair of dimension and values
    ((0.5, 1.0), Axis("A", "A", (0.5, 1.0))),
    ((3,), Axis("A", "A", (3.0,))),
    # an array, of whole numbers as well
    (np.arange(1, 4), Axis("A", "A", (1.0, 2.0, 3.0))),
    (np.array([0.1], dtype=np.float32), Axis("A", "A", (float(np.float32(0.1)),))),
    # a named dimension: together with others
    (("case", [1.0, 1.0]), Axis("A", "case", (1.0, 1.0))),
    (("case", np.array([2.0, 1.0])), Axis("A", "case", (2.0, 1.0))),
    # its own name is a dimension like any other
    (("A", [2.0, 1.0]), Axis("A", "A", (2.0, 1.0))),
    # a DataArray brings its dimension
    (xr.DataArray([1.0, 2.0], dims="case"), Axis("A", "case", (1.0, 2.0))),
    # labels
    (["a", "b"], Axis("A", "A", ("a", "b"))),
    (("a", "b"), Axis("A", "A", ("a", "b"))),
    (np.array(["a", "b"]), Axis("A", "A", ("a", "b"))),
    (("case", ["a", "a"]), Axis("A", "case", ("a", "a"))),
]


@pytest.mark.parametrize(("given", "axis"), FORMS, ids=[repr(row[0])[:30] for row in FORMS])
def test_forms_of_an_axis(given: Any, axis: Axis) -> None:
    (found,) = make_grid({"A": given}).axes
    assert found == axis
    assert {type(value) for value in found.values} <= {str, float}
    assert found.array.dtype == (object if found.is_label else np.float64)
    assert found.array.tolist() == list(axis.values)


REFUSED = [
    ({"A": []}, "axis 'A' is empty\n  where: axes.A"),
    ({"A": ("case", [])}, "axis 'A' is empty"),
    # a single value is no axis: it belongs among the parameters
    ({"A": 1.0}, "axis 'A' must be a list of values\n  where: axes.A\n  found: 1.0"),
    ({"window": "none"}, "axis 'window' must be a list of values\n  where: axes.window\n  found: 'none'"),
    ({"A": [[1.0, 2.0]]}, "axis 'A' must be a list of values"),
    ({"A": xr.DataArray([[1.0]])}, "axis 'A' must have one dimension\n  where: axes.A\n  found: 2"),
    ({"A": [1.0, "b"]}, "axis 'A' mixes labels and numbers\n  where: axes.A\n  found: [1.0, 'b']"),
    ({"A": [1.0, None]}, "axis 'A' holds something that is not a number\n  where: axes.A"),
    # more than any float
    ({"A": [10**400]}, "axis 'A' holds something that is not a number"),
    ({"A": [True, False]}, "axis 'A' holds something that is not a number"),
    # one coordinate twice would make a selection ambiguous
    ({"A": [1.0, 2.0, 1]}, "axis 'A' repeats a value\n  where: axes.A\n  found: 1.0"),
    ({"window": ["none", "none"]}, "axis 'window' repeats a value\n  where: axes.window\n  found: 'none'"),
    ({"A": ("", [1.0])}, "a dimension needs a name\n  where: axes.A\n  found: ''"),
    (
        {"A": ("case", [1.0, 2.0]), "k": ("case", [1.0])},
        "axes along 'case' differ in length\n  where: axes.A\n  found: 2 values\n  expected: 1 values",
    ),
]


@pytest.mark.parametrize(("axes", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        make_grid(axes)


@given(start=st.floats(1e-3, 1e3), stop=st.floats(1e-3, 1e3), num=st.integers(1, 30))
def test_spacings_are_numpys_and_end_where_they_should(start: float, stop: float, num: int) -> None:
    assert list(linspace(start, stop, num)) == np.linspace(start, stop, num).tolist()
    # NumPy's powers are off by some units in the last place; the exact ones are not.
    np.testing.assert_allclose(geomspace(start, stop, num), np.geomspace(start, stop, num), rtol=1e-14)
    assert geomspace(start, stop, num)[0] == start
    if num > 1:
        assert linspace(start, stop, num)[-1] == stop
        assert geomspace(start, stop, num)[-1] == stop


SPACINGS: list[tuple[Any, tuple[Any, ...], str]] = [
    (
        linspace,
        (0, 1, -1),
        "linspace needs start, stop, number\n  found: 0, 1, -1\n  expected: a whole number of values",
    ),
    (linspace, (0, 1, 0), "expected: a whole number of values, above zero"),
    (linspace, (0, 1, 2.0), "expected: a whole number of values, above zero"),
    (linspace, ("0", 1, 3), "expected: finite numbers as ends"),
    (linspace, (np.nan, 1, 3), "expected: finite numbers as ends"),
    (geomspace, (1, np.inf, 3), "geomspace needs start, stop, number\n  found: 1, inf, 3\n  expected: finite numbers"),
    (geomspace, (0, 1, 3), "expected: both ends above zero"),
    (geomspace, (-1, 1, 3), "expected: both ends above zero"),
    # NumPy would count from the end
    (geomspace, (1, 2, -1), "expected: a whole number of values, above zero"),
]


def exactly(start: float, stop: float, num: int) -> tuple[float, ...]:
    """Values in constant ratio, each by a power of its own."""
    with localcontext(prec=40):
        first, ratio = Decimal(start), Decimal(stop) / Decimal(start)
        powers = (float(first * ratio ** (Decimal(i) / (num - 1))) for i in range(1, num - 1))
        return (start, *powers, stop)[:num]


@given(start=st.floats(1e-300, 1e300), stop=st.floats(1e-300, 1e300), num=st.integers(1, 60))
def test_ratios_add_up_no_rounding(start: float, stop: float, num: int) -> None:
    assert geomspace(start, stop, num) == exactly(start, stop, num)


def test_the_last_of_many_ratios_is_as_exact_as_the_first() -> None:
    found = geomspace(0.1, 50.0, 20_001)
    assert found[::2000] == exactly(0.1, 50.0, 11)


FIVE = range(10**5)
BOUNDS = [
    (lambda n: linspace(0, 1, n), MOST_VALUES, "expected: at most 1,000,000 values"),
    (lambda n: make_grid({"A": range(n)}), MOST_VALUES, "too many values\n  where: axes.A\n  found: 1,000,001"),
    (lambda n: make_grid({"A": FIVE, "k": FIVE, "z": range(n)}), 10**5, "z 100,001 = 1,000,010,000,000,000"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "most", "message"), BOUNDS, ids=["spacing", "axis", "grid"])
def test_bounds_are_included(make: Any, most: int, message: str) -> None:
    make(most)
    with pytest.raises(SpecError, match=re.escape(message)):
        make(most + 1)


@pytest.mark.parametrize(("form", "given", "message"), SPACINGS, ids=[str(row[1]) for row in SPACINGS])
def test_spacings_refused(form: Any, given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        form(*given)


def test_spacings_take_numpys_numbers() -> None:
    assert linspace(np.float32(0), np.int64(1), np.int64(3)) == linspace(0, 1, 3)
    assert geomspace(np.float32(1), np.int64(4), np.int64(3)) == geomspace(1, 4, 3)


_lengths = st.dictionaries(st.sampled_from("ijkl"), st.integers(1, 4), min_size=1)


@st.composite
def axes(draw: st.DrawFn) -> dict[str, Any]:
    """Axes along one to four dimensions, several along some, in any order."""
    lengths = draw(_lengths)
    dims = [*lengths, *draw(st.lists(st.sampled_from(sorted(lengths)), max_size=3))]
    found = {}
    for number, dim in enumerate(draw(st.permutations(dims))):
        labels = draw(st.booleans())
        found[f"x{number}"] = (dim, [f"v{i}" if labels else float(i) for i in range(lengths[dim])])
    return found


@given(axes=axes())
def test_the_grid_is_the_product_of_its_dimensions(axes: dict[str, Any]) -> None:
    grid = make_grid(axes)
    assert list(grid.dims) == list(dict.fromkeys(dim for dim, _ in axes.values()))
    assert grid.shape == tuple(len(next(v for d, v in axes.values() if d == dim)) for dim in grid.dims)
    assert grid.size == prod(grid.shape)
    assert [axis for dim in grid.dims for axis in grid.along(dim)] == sorted(
        grid.axes, key=lambda axis: list(grid.dims).index(axis.dim)
    )
    assert set(grid.label_dims) == {dim for dim, content in axes.values() if isinstance(content[0], str)}
    assert make_grid({axis.name: (axis.dim, list(axis.values)) for axis in grid.axes}) == grid
    assert hash(grid) == hash(make_grid(axes))
