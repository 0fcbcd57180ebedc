"""A larger grid is laid out behind a smaller one: nothing old moves, and stages cover what is new once each."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube import linspace
from sigcube.errors import StoreMismatch
from sigcube.plan.extension import extend_spec, order_of
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
        ({"A": [1.0, 2.0 + 4e-16, 3.0]}, "no A = 2.0", "digit for digit"),
        ({"A": ("case", [1.0, 2.0])}, "A along case", "another path"),
        ({"A": [1.0, 2.0], "k": [1.0]}, "k along k", "another path"),
        ({"k": [1.0, 2.0]}, "k along k", "another path"),
    ],
    ids=["a value is gone", "a value is off by a bit", "another dimension", "one more axis", "another axis"],
)
def test_what_is_no_extension_is_told(axes: dict[str, Any], found: str, hint: str) -> None:
    with pytest.raises(StoreMismatch) as caught:
        extend_spec(spec_over({"A": [1.0, 2.0]}), spec_over(axes), where="r.zarr")
    assert "r.zarr" in str(caught.value.where)
    assert found in str(caught.value.found)
    assert hint in str(caught.value.hint)


def test_a_longer_linspace_is_told_as_the_list_that_extends() -> None:
    # The third of ten values from 0.1 to 1 is 0.30000000000000004, of nineteen from 0.1 to 1.9 it is 0.3.
    stored, wanted = spec_over({"A": linspace(0.1, 1.0, 10)}), spec_over({"A": linspace(0.1, 1.9, 19)})
    with pytest.raises(StoreMismatch, match="digit for digit: A = ") as caught:
        extend_spec(stored, wanted, where="r.zarr")
    listed = json.loads(str(caught.value.hint).partition("A = ")[2])
    assert listed == pytest.approx(wanted.grid.axes[0].values, rel=1e-15)
    grown, stages = extend_spec(stored, spec_over({"A": listed}), where="r.zarr")
    assert (grown.grid.shape, stages) == ((19,), ((slice(10, 19),),))


def test_a_list_of_very_many_values_is_not_printed() -> None:
    stored, wanted = (spec_over({"A": linspace(low, 3.0, n)}) for low, n in ((0.01, 300), (0.0, 301)))
    with pytest.raises(StoreMismatch, match=r"digit for digit$"):
        extend_spec(stored, wanted, where="r.zarr")


def test_labels_that_are_gone_are_named() -> None:
    with pytest.raises(StoreMismatch, match="keeps every value") as caught:
        extend_spec(spec_over({"window": ["none", "power"]}), spec_over({"window": ["none"]}), where="r.zarr")
    assert caught.value.found == "no window = 'power'"
