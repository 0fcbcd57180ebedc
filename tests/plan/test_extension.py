"""A larger grid is laid out behind a smaller one: nothing old moves, and stages cover what is new once each."""

import json
from itertools import product
from math import ulp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube import linspace
from sigcube.errors import StoreMismatch
from sigcube.plan.extension import adopt_stored, extend_spec, find_adopted, order_of
from sigcube.plan.grid import Axis, Grid
from sigcube.plan.spec import Spec, make_spec

LABELS = ["none", "geometric", "power"]


def spec_over(axes: dict[str, Any]) -> Spec:
    return make_spec(kernel="sigma", kind="galaxy", axes=axes)


def points(spec: Spec) -> set[tuple[Any, ...]]:
    """Every grid point by its values, whatever the order of the axes and of their values."""
    axes = sorted(spec.grid.axes, key=lambda axis: axis.name)
    dims = list(spec.grid.dims)
    found = set()
    for index in product(*map(range, spec.grid.shape)):
        at = dict(zip(dims, index, strict=True))
        found.add(tuple(axis.values[at[axis.dim]] for axis in axes))
    return found


@st.composite
def grown_axes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Axes before and after, each in an order of its own; two axes may vary together."""
    universe: dict[str, list[Any]] = {"window": LABELS, "A": [0.5, 1.0, 1.5, 2.0, 3.0], "xi_scale": [0.1, 0.2, 0.4]}
    before, after = {}, {}
    for name in draw(st.permutations(list(universe))):
        large = draw(st.lists(st.sampled_from(universe[name]), min_size=1, unique=True))
        small = draw(st.permutations(large))[: draw(st.integers(1, len(large)))]
        before[name], after[name] = list(small), list(large)
    if draw(st.booleans()):
        pairs = draw(
            st.lists(st.tuples(st.sampled_from([1.0, 2.0]), st.sampled_from([1e-10, 2e-10])), min_size=1, unique=True)
        )
        few = draw(st.permutations(pairs))[: draw(st.integers(1, len(pairs)))]
        for axes, rows in ((before, few), (after, pairs)):
            axes["k"], axes["g_dagger"] = (("case", [row[i] for row in rows]) for i in (0, 1))
    return before, after


@given(grown_axes())
def test_stages_cover_the_new_points_once_and_no_old_one_moves(axes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stored, wanted = map(spec_over, axes)
    spec, stages = extend_spec(stored, wanted, where="r.zarr")
    assert points(spec) == points(wanted)
    for old, new in zip(stored.grid.axes, spec.grid.axes, strict=True):
        assert (old.name, old.dim) == (new.name, new.dim)
        assert new.values[: len(old.values)] == old.values
    computed = [tuple(slice(0, n) for n in stored.grid.shape), *stages]
    times = dict.fromkeys(product(*map(range, spec.grid.shape)), 0)
    for stage in computed:
        for index in product(*(range(part.start, part.stop) for part in stage)):
            times[index] += 1
    assert set(times.values()) == {1}


@given(grown_axes())
def test_the_order_asked_for_is_found_again(axes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stored, wanted = map(spec_over, axes)
    grid = extend_spec(stored, wanted, where="r.zarr")[0].grid
    order = order_of(grid, wanted.grid)
    for axis in wanted.grid.axes:
        there = next(each for each in grid.axes if each.name == axis.name).values
        assert tuple(there[i] for i in order.get(axis.dim, range(len(there)))) == axis.values


@given(grown_axes())
def test_a_second_extension_goes_behind_the_first(axes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stored, wanted = map(spec_over, axes)
    spec, _ = extend_spec(stored, wanted, where="r.zarr")
    again, stages = extend_spec(spec, wanted, where="r.zarr")
    assert (again.grid, stages) == (spec.grid, ())


@pytest.mark.parametrize(
    ("axes", "found", "hint"),
    [
        ({"A": [1.0, 3.0]}, "no A = 2.0", "add it"),
        ({"A": [1.0, 2.0 + 1e-14, 3.0]}, "no A = 2.0", "digit for digit"),
        ({"A": ("case", [1.0, 2.0])}, "A along case", "another path"),
        ({"A": [1.0, 2.0], "k": [1.0]}, "k along k", "another path"),
        ({"k": [1.0, 2.0]}, "k along k", "another path"),
    ],
    ids=[
        "a value is gone",
        "a value is off by more than rounding",
        "another dimension",
        "one more axis",
        "another axis",
    ],
)
def test_what_is_no_extension_is_told(axes: dict[str, Any], found: str, hint: str) -> None:
    with pytest.raises(StoreMismatch) as caught:
        extend_spec(spec_over({"A": [1.0, 2.0]}), spec_over(axes), where="r.zarr")
    assert "r.zarr" in str(caught.value.where)
    assert found in str(caught.value.found)
    assert hint in str(caught.value.hint)


def test_values_of_fewer_digits_are_told_as_the_list_that_extends() -> None:
    stored = spec_over({"A": linspace(0.1, 1.0, 10)})
    wanted = spec_over({"A": [0.1, 0.2, 0.3000000000001, *linspace(0.4, 1.9, 16)]})
    with pytest.raises(StoreMismatch, match="digit for digit: A = ") as caught:
        extend_spec(stored, wanted, where="r.zarr")
    listed = json.loads(str(caught.value.hint).partition("A = ")[2])
    assert listed == pytest.approx(wanted.grid.axes[0].values, rel=1e-12)
    grown, stages = extend_spec(stored, spec_over({"A": listed}), where="r.zarr")
    assert (grown.grid.shape, stages) == ((19,), ((slice(10, 19),),))


THIRD = 0.1 + 0.2
ULP = 2.0**-54

ADOPTED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "a longer linspace, whose 0.3 is the stored one but for its last digit",
        {"A": linspace(0.1, 1.0, 10)},
        {"A": linspace(0.1, 1.9, 19)},
        {"A": [*linspace(0.1, 1.0, 10), *linspace(0.1, 1.9, 19)[10:]]},
    ),
    ("a list", {"A": [0.1, THIRD]}, {"A": [0.5, 0.3, 0.1]}, {"A": [0.5, THIRD, 0.1]}),
    ("0, of a linspace through it", {"A": [-1.0, 0.0, 1.0]}, {"A": [-1.0, 1e-16, 1.0]}, {"A": [-1.0, 0.0, 1.0]}),
    ("both are asked for", {"A": [THIRD]}, {"A": [0.3, THIRD]}, {"A": [0.3, THIRD]}),
    ("both are stored", {"A": [0.3, THIRD]}, {"A": [0.3, 1.0]}, {"A": [0.3, 1.0]}),
    ("one of two that may be it", {"A": [0.3]}, {"A": [0.3 - ULP, 0.3 + ULP]}, {"A": [0.3 - ULP, 0.3 + ULP]}),
    ("two that it may be", {"A": [0.3 - ULP, 0.3 + ULP]}, {"A": [0.3]}, {"A": [0.3]}),
    ("more than rounding", {"A": [0.3, 1.0]}, {"A": [0.3 + 1e-15, 1.0]}, {"A": [0.3 + 1e-15, 1.0]}),
    (
        "small values of a geomspace, near beside the largest one, but not beside each other",
        {"g_dagger": [1e-20, 1e-3]},
        {"g_dagger": [1.1e-20, 1e-3]},
        {"g_dagger": [1.1e-20, 1e-3]},
    ),
    ("labels", {"window": ["none"]}, {"window": ["none", "power"]}, {"window": ["none", "power"]}),
    (
        "axes that vary together stay",
        {"A": ("case", [THIRD]), "k": ("case", [1.0])},
        {"A": ("case", [0.3]), "k": ("case", [1.0])},
        {"A": ("case", [0.3]), "k": ("case", [1.0])},
    ),
    (
        "of two axes, that which differs",
        {"k": [1.0], "A": [THIRD]},
        {"A": [0.3], "k": [2.0]},
        {"A": [THIRD], "k": [2.0]},
    ),
]


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"), [row[1:] for row in ADOPTED], ids=[row[0] for row in ADOPTED]
)
def test_values_that_rounding_alone_keeps_apart(
    stored: dict[str, Any], wanted: dict[str, Any], expected: dict[str, Any]
) -> None:
    before, asked = spec_over(stored).grid, spec_over(wanted).grid
    adopted = adopt_stored(before, asked)
    assert adopted == spec_over(expected).grid
    assert adopt_stored(before, adopted) == adopted


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=1, max_size=30, unique=True),
    step=st.sampled_from([0.1, 1e-10, 3.0]),
    data=st.data(),
)
def test_values_off_by_a_digit_are_adopted_one_by_one(values: list[int], step: float, data: st.DataObject) -> None:
    exact = [value * step for value in values]
    largest = max(map(abs, exact))
    shifts = data.draw(st.lists(st.integers(-2, 2), min_size=len(exact), max_size=len(exact)))
    # 0 itself is exact, unless it lies within the axis.
    asked = [value + shift * ulp(largest) if value else 0.0 for value, shift in zip(exact, shifts, strict=True)]
    n_stored = data.draw(st.integers(1, len(exact)))
    grids = [Grid((Axis("A", "A", tuple(some)),)) for some in (exact[:n_stored], asked)]
    found = adopt_stored(*grids).axes[0].values
    assert found[:n_stored] == tuple(exact[:n_stored])
    assert found[n_stored:] == tuple(asked[n_stored:])


def test_what_was_adopted_is_told_by_axis() -> None:
    asked = spec_over({"A": [0.3, 0.5], "k": [1.0]}).grid
    adopted = spec_over({"A": [THIRD, 0.5], "k": [1.0]}).grid
    assert find_adopted(asked, adopted) == [
        "axes.A: 1 of 2 values as stored, which differ by rounding, at most by 5.6e-17"
    ]
    assert find_adopted(asked, asked) == []


def test_a_list_of_very_many_values_is_not_printed() -> None:
    stored, wanted = (spec_over({"A": linspace(low, 3.0, n)}) for low, n in ((0.01, 300), (0.0, 301)))
    with pytest.raises(StoreMismatch, match=r"digit for digit$"):
        extend_spec(stored, wanted, where="r.zarr")


def test_labels_that_are_gone_are_named() -> None:
    with pytest.raises(StoreMismatch, match="keeps every value") as caught:
        extend_spec(spec_over({"window": ["none", "power"]}), spec_over({"window": ["none"]}), where="r.zarr")
    assert caught.value.found == "no window = 'power'"
