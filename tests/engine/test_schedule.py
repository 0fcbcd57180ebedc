"""Where terms are computed: as often as their inputs change, and in the consumer's loop where that saves a table."""

import pytest
from graphs import SWEPT, graph_of
from hypothesis import given
from hypothesis import strategies as st

from sigcube.engine.schedule import Place, Schedule
from sigcube.kernels.graph import Level

GLOBAL, SYSTEM, POINT = Level.GLOBAL, Level.SYSTEM, Level.POINT

# One term of each kind; the order of the dimensions is i, j, k, and a, b, c are swept along them, d along j as well.
PLACES = [
    # nothing swept: once, before all loops
    (("c0",), Place(GLOBAL, 0, ())),
    # swept, but the same for all systems: once, along its row
    (("a",), Place(GLOBAL, 0, ("i",))),
    # two parameters along one dimension: one row
    (("b", "d"), Place(GLOBAL, 0, ("j",))),
    # a table over both, whatever the order in which they are named
    (("c", "a"), Place(GLOBAL, 0, ("i", "k"))),
    # of a system: once a system
    (("s0",), Place(SYSTEM, 0, ())),
    # of a system: no grid loop is open there, so all dimensions are looped over on the spot
    (("s0", "a", "b"), Place(SYSTEM, 0, ("i", "j"))),
    # of a point, not swept: once a point
    (("p0",), Place(POINT, 0, ())),
    # along the outermost dimension alone: a row, filled before its loop is entered
    (("p0", "a"), Place(POINT, 0, ("i",))),
    # along the innermost alone: a row as well, not once for each i and j
    (("p0", "c"), Place(POINT, 0, ("k",))),
    # along the first two: inside the loop over i, a row over j
    (("p0", "a", "b"), Place(POINT, 1, ("j",))),
    # i and k, but not j: inside i, a row over k, filled once for all j
    (("p0", "a", "c"), Place(POINT, 1, ("k",))),
    # j and k, not i: the prefix is empty, so a table over both
    (("p0", "b", "c"), Place(POINT, 0, ("j", "k"))),
    # everything: inside i and j, along k
    (("p0", "a", "b", "c"), Place(POINT, 2, ("k",))),
]


@pytest.mark.parametrize(("inputs", "place"), PLACES, ids=[" ".join(row[0]) for row in PLACES])
def test_place(inputs: tuple[str, ...], place: Place) -> None:
    schedule = Schedule(graph_of(("t", inputs, False), targets=("t",)), SWEPT, ("i", "j", "k"))
    assert schedule.place("t") == place


def test_a_reduction_is_of_its_system() -> None:
    graph = graph_of(("u", ("p0", "b"), False), ("t", ("u", "p1"), True), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k")).place("t") == Place(SYSTEM, 0, ("j",))


FUSED = [
    # one consumer, at the same place: no table
    ([("u", ("p0", "a"), False), ("t", ("u", "a"), False)], {"u"}),
    # and so on down a chain
    ([("v", ("p0", "a"), False), ("u", ("v",), False), ("t", ("u",), False)], {"v", "u"}),
    # the consumer varies with more: its row would be filled too often
    ([("u", ("p0", "a"), False), ("t", ("u", "c"), False)], set()),
    # two consumers: one of them would have to compute it again
    ([("v", ("p0", "a"), False), ("u", ("v",), False), ("t", ("u", "v"), False)], {"u"}),
    # the same consumer, twice
    ([("u", ("p0", "a"), False), ("t", ("u", "u"), False)], set()),
    # not swept: a plain variable is as good
    ([("u", ("p0",), False), ("t", ("u",), False)], set()),
    # a reduction wants all points first
    ([("u", ("p0", "a"), False), ("t", ("u",), True)], set()),
    # a reduction itself is no part of a loop over points
    ([("u", ("p0", "a"), True), ("t", ("u", "s0"), False)], set()),
]


@pytest.mark.parametrize(("nodes", "fused"), FUSED, ids=[str(i) for i in range(len(FUSED))])
def test_fused(nodes: list[tuple[str, tuple[str, ...], bool]], fused: set[str]) -> None:
    graph = graph_of(*nodes, targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k")).fused == fused


def test_a_target_along_all_dimensions_joins_its_sum() -> None:
    graph = graph_of(("u", ("p0", "a", "b", "c"), False), ("t", ("u",), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"))
    assert schedule.fused == {"u", "t"}
    assert [node.name for node in schedule.chain("t")] == ["u", "t"]


def test_a_target_that_is_used_elsewhere_has_a_table() -> None:
    graph = graph_of(("u", ("p0", "c"), False), ("t", ("u",), False), targets=("t", "u"))
    assert Schedule(graph, SWEPT, ("k", "i", "j")).fused == {"t"} - {"t"}


@given(order=st.permutations(["i", "j", "k"]), inputs=st.sets(st.sampled_from([*SWEPT, "p0", "s0", "c0"])))
def test_loops_around_and_on_the_spot_are_the_dimensions_of_the_term(order: list[str], inputs: set[str]) -> None:
    schedule = Schedule(graph_of(("t", tuple(inputs), False), targets=("t",)), SWEPT, tuple(order))
    place = schedule.place("t")
    assert {*order[: place.depth], *place.rest} == {SWEPT[name] for name in inputs if name in SWEPT}
    assert place.depth + len(place.rest) == len({SWEPT[name] for name in inputs if name in SWEPT})
