"""Values that differ from stored ones by rounding alone take the stored digits, one to one, and others never do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube import geomspace, linspace
from sigcube.plan.adoption import adopt_digits, adopt_values, describe_adoption
from sigcube.plan.spec import make_spec

EPS = 2.0**-52
THIRD = 0.30000000000000004  # the third of linspace(0.1, 1.0, 10)


CASES = [
    ((1.0, 2.0), (1.0, 2.0, 3.0), (1.0, 2.0, 3.0), "nothing differs"),
    ((0.1, THIRD), (0.1, 0.2, 0.3, 0.4), (0.1, 0.2, THIRD, 0.4), "one rounding off"),
    ((0.1, THIRD), (0.4, 0.3, 0.2, 0.1), (0.4, THIRD, 0.2, 0.1), "the order is that of the wanted"),
    ((1.0, 2.0), (1.0, 2.0 + 16 * EPS, 3.0), (1.0, 2.0, 3.0), "evenly spaced, 5.3 eps of the largest: rounding"),
    ((1.0, 2.0), (1.0, 2.0 + 18 * EPS), (1.0, 2.0 + 18 * EPS), "no linspace, 9 eps of 2: more than rounding"),
    ((1.0, 2.0), (1.0, 2.0 + 1e-12, 3.0), (1.0, 2.0 + 1e-12, 3.0), "small beside a step, and more than rounding"),
    ((-0.3, 0.0, 0.3), (-0.3, 5.6e-17, 0.3), (-0.3, 0.0, 0.3), "a linspace through zero has zero but for rounding"),
    ((-0.3, 5.6e-17, 0.3), (-0.3, 0.0, 0.3), (-0.3, 5.6e-17, 0.3), "so has the stored one"),
    ((0.0, 1.0), (5.6e-17, 1.0, 7.0), (5.6e-17, 1.0, 7.0), "a list has its small values for a reason"),
    ((1e-18, 1.0), (1e-17, 1.0), (1e-17, 1.0), "two values are no linspace"),
    ((0.1, 0.2), (0.1, 0.2, 0.2 + EPS), (0.1, 0.2, 0.2 + EPS), "both are in the list, and stay two"),
    ((1.0,), (1.0 - EPS, 1.0 + EPS), (1.0 - EPS, 1.0 + EPS), "two wanted are near to one: which, no rule tells"),
    ((1.0 - EPS, 1.0 + EPS), (1.0, 2.0), (1.0, 2.0), "two stored are near to one"),
    ((1.0, 1.0 + 2 * EPS), (1.0 + 2 * EPS, 1.0 + EPS), (1.0 + 2 * EPS, 1.0), "one is there already, the other adopts"),
    ((-0.1, -THIRD), (-0.4, -0.3, -0.1), (-0.4, -THIRD, -0.1), "below zero as above"),
    ((0.0,), (-0.0, 1.0), (-0.0, 1.0), "both zeros are one value"),
    ((1e308, -1e308), (1e308, -1e308, 0.0), (1e308, -1e308, 0.0), "ends whose difference is not finite"),
    ((5e-324,), (1e-323, 1.0), (1e-323, 1.0), "the smallest numbers are twice each other"),
    ((3.0,), (3.0 + 2 * EPS,), (3.0,), "a single value"),
]


@pytest.mark.parametrize(("stored", "wanted", "adopted", "reason"), CASES, ids=[case[3] for case in CASES])
def test_table(stored: tuple[float, ...], wanted: tuple[float, ...], adopted: tuple[float, ...], reason: str) -> None:
    assert adopt_values(stored, wanted) == adopted, reason


# Decimals as users write them: a first value, a step and a number of steps, and how much further and finer later.
DECIMALS = st.tuples(
    st.integers(-999, 999), st.integers(1, 99), st.integers(1, 30), st.integers(0, 9), st.integers(0, 9),
    st.integers(1, 4), st.integers(0, 4),
)  # fmt: skip


@given(DECIMALS, st.booleans())
def test_a_longer_or_finer_linspace_keeps_every_old_value(
    drawn: tuple[int, int, int, int, int, int, int], falling: bool
) -> None:
    first, step, steps, before, after, finer, places = drawn
    unit, sign = 10**places, -1 if falling else 1
    low, high = first - sign * step * before, first + sign * step * (steps + after)
    old = linspace(first / unit, (first + sign * step * steps) / unit, steps + 1)
    new = linspace(low / unit, high / unit, (before + steps + after) * finer + 1)
    adopted = adopt_values(old, new)
    assert adopted[before * finer : (before + steps) * finer + 1 : finer] == old
    assert len(set(adopted)) == len(new)


@given(st.integers(1, 999), st.integers(1, 12), st.integers(0, 4), st.integers(1, 5))
def test_so_does_a_geomspace_with_more_decades(first: int, per_decade: int, places: int, finer: int) -> None:
    low = first / 10**places
    old = geomspace(low, low * 100, 2 * per_decade + 1)
    new = geomspace(low, low * 10_000, 4 * per_decade * finer + 1)
    assert adopt_values(old, new)[: 2 * per_decade * finer + 1 : finer] == old


def oracle(stored: list[float], wanted: list[float]) -> list[float]:
    """The rule as it is said, over all pairs."""
    most = max(map(abs, wanted))
    even = len(wanted) > 2 and all(
        abs(value - other) <= 8 * EPS * most
        for value, other in zip(sorted(wanted), linspace(min(wanted), max(wanted), len(wanted)), strict=True)
    )

    def near(one: float, other: float) -> bool:
        return abs(one - other) <= 8 * EPS * (most if even else max(abs(one), abs(other)))

    left = [value for value in stored if value not in wanted]
    new = [value for value in wanted if value not in stored]
    pairs = [(old, value) for old in left for value in new if near(old, value)]
    alone = [
        (old, value)
        for old, value in pairs
        if sum(other == old for other, _ in pairs) == 1 and sum(other == value for _, other in pairs) == 1
    ]
    return [next((old for old, other in alone if other == value), value) for value in wanted]


@st.composite
def crowded(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Two lists whose values often differ by a few roundings, around a few places on both sides of zero."""
    places = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 1.5]) if draw(st.booleans()) else st.just(1.0)
    one = st.builds(lambda place, ulps: place + ulps * EPS / 2, places, st.integers(-40, 40))
    return draw(st.lists(one, min_size=1, max_size=8, unique=True)), draw(
        st.lists(one, min_size=1, max_size=8, unique=True)
    )


@given(crowded())
def test_the_rule_is_that_of_all_pairs(lists: tuple[list[float], list[float]]) -> None:
    assert list(adopt_values(*lists)) == oracle(*lists)


@given(crowded())
def test_it_is_one_to_one_and_a_second_call_changes_nothing(lists: tuple[list[float], list[float]]) -> None:
    stored, wanted = lists
    adopted = adopt_values(stored, wanted)
    assert len(set(adopted)) == len(wanted)
    taken = [(value, old) for value, old in zip(wanted, adopted, strict=True) if value != old]
    assert all(old in stored and value not in stored for value, old in taken)
    if set(stored) <= set(adopted):
        # Otherwise the extension is refused. A store has its old values first.
        grown = (*stored, *(value for value in adopted if value not in stored))
        assert adopt_values(grown, wanted) == adopted
        assert adopt_values(grown, adopted) == adopted


@pytest.mark.slow
def test_very_many_values_adopt() -> None:
    old = linspace(0.1, 1.0, 100_000)
    new = tuple(math.nextafter(value, 2.0) for value in old)
    assert adopt_values(old, new) == old


def test_only_numbers_with_a_dimension_of_their_own_adopt() -> None:
    stored = {"window": ["none"], "A": [1.0], "k": ("case", [1.0]), "g_dagger": ("case", [1e-10])}
    near = 1.0 + EPS
    wanted = {"window": ["none"], "A": [near, 2.0], "k": ("case", [near]), "g_dagger": ("case", [1e-10])}
    before, after = (make_spec(kernel="sigma", kind="galaxy", axes=axes) for axes in (stored, wanted))
    found = adopt_digits(before, after)
    assert {axis.name: axis.values for axis in found.grid.axes} == {
        "window": ("none",),
        "A": (1.0, 2.0),
        "k": (near,),
        "g_dagger": (1e-10,),
    }
    elsewhere = make_spec(kernel="sigma", kind="galaxy", axes={"A": ("case", [1.0])})
    assert adopt_digits(elsewhere, after) is after
    assert describe_adoption(after.grid, found.grid) == [
        "axis A: 1 value has the digits of the result; the sweep's differ by rounding alone, by 2.2e-16"
    ]
    assert describe_adoption(after.grid, after.grid) == []
