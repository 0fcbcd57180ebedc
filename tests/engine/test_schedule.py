"""Where terms are computed: as often as their inputs change, and in the consumer's loop where that saves a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.engine.schedule import Placement, Schedule
from sigcube.model.graph import Level
from tests.engine.graphs import PREVIOUS, SWEPT, graph_of

GLOBAL, SYSTEM, POINT = Level.GLOBAL, Level.SYSTEM, Level.POINT

# One term of each kind; the order of the dimensions is i, j, k, and a, b, c are swept along them, d along j as well.
PLACEMENTS = [
    # nothing swept: once, before all loops
    (("c0",), Placement(GLOBAL, 0, ())),
    # swept, but the same for all systems: once, along its row
    (("a",), Placement(GLOBAL, 0, ("i",))),
    # two parameters along one dimension: one row
    (("b", "d"), Placement(GLOBAL, 0, ("j",))),
    # a table over both, whatever the order in which they are named
    (("c", "a"), Placement(GLOBAL, 0, ("i", "k"))),
    # of a system: once a system
    (("s0",), Placement(SYSTEM, 0, ())),
    # of a system: no grid loop is open there, so all dimensions are looped over on the spot
    (("s0", "a", "b"), Placement(SYSTEM, 0, ("i", "j"))),
    # of a point, not swept: once a point
    (("p0",), Placement(POINT, 0, ())),
    # along the outermost dimension alone: a row, filled before its loop is entered
    (("p0", "a"), Placement(POINT, 0, ("i",))),
    # along the innermost alone: a row as well, not once for each i and j
    (("p0", "c"), Placement(POINT, 0, ("k",))),
    # along the first two: inside the loop over i, a row over j
    (("p0", "a", "b"), Placement(POINT, 1, ("j",))),
    # i and k, but not j: inside i, a row over k, filled once for all j
    (("p0", "a", "c"), Placement(POINT, 1, ("k",))),
    # j and k, not i: the prefix is empty, so a table over both
    (("p0", "b", "c"), Placement(POINT, 0, ("j", "k"))),
    # everything: inside i and j, along k
    (("p0", "a", "b", "c"), Placement(POINT, 2, ("k",))),
]


@pytest.mark.parametrize(("inputs", "placement"), PLACEMENTS, ids=[" ".join(row[0]) for row in PLACEMENTS])
def test_placement(inputs: tuple[str, ...], placement: Placement) -> None:
    schedule = Schedule(graph_of(("t", inputs, False), targets=("t",)), SWEPT, ("i", "j", "k"))
    assert schedule.placement("t") == placement


# The same order, i of length 6, j of 5, k of 4, l of 64.
FLATTENED = [
    # a single short row: filled up to whole vectors
    (("p0", "a"), Placement(POINT, 0, ("i",), flat=True)),
    # a long row: left alone
    (("p0", "e"), Placement(POINT, 0, ("l",))),
    # two short dimensions from the outside: one row of 30, not 6 of 5
    (("p0", "a", "b"), Placement(POINT, 0, ("i", "j"), flat=True)),
    # the same where the prefix is empty anyway
    (("p0", "b", "c"), Placement(POINT, 0, ("j", "k"), flat=True)),
    # 20 are too few, 120 are enough
    (("p0", "a", "b", "c"), Placement(POINT, 0, ("i", "j", "k"), flat=True)),
    # a long innermost row stays in the loops around it
    (("p0", "a", "b", "e"), Placement(POINT, 2, ("l",))),
    # so does the sum's row
    (("p0", "a", "b", "c", "e"), Placement(POINT, 3, ("l",))),
    # once a system: not worth it
    (("s0", "a", "b"), Placement(SYSTEM, 0, ("i", "j"))),
    # nothing swept
    (("p0",), Placement(POINT, 0, ())),
]


@pytest.mark.parametrize(("inputs", "placement"), FLATTENED, ids=[" ".join(row[0]) for row in FLATTENED])
def test_short_rows_are_flattened(inputs: tuple[str, ...], placement: Placement) -> None:
    graph = graph_of(("t", inputs, False), targets=("t",))
    schedule = Schedule(graph, {**SWEPT, "e": "l"}, ("i", "j", "k", "l"), {"i": 6, "j": 5, "k": 4, "l": 64})
    assert schedule.placement("t") == placement


def test_the_prefix_gives_up_no_more_dimensions_than_a_good_row_needs() -> None:
    graph = graph_of(("t", ("p0", "a", "b", "c"), False), targets=("t",))
    schedule = Schedule(graph, {**SWEPT, "e": "l"}, ("i", "j", "k", "l"), {"i": 6, "j": 16, "k": 4, "l": 64})
    assert schedule.placement("t") == Placement(POINT, 1, ("j", "k"), flat=True)


def test_the_row_of_the_sums_is_not_flattened_however_short() -> None:
    graph = graph_of(("t", ("p0", "a", "b", "c"), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"), {"i": 2, "j": 2, "k": 2})
    assert schedule.placement("t") == schedule.sum_placement == Placement(POINT, 2, ("k",))


SPREAD = [
    # along a part of the row: a table of points, of systems, of neither, and a parameter
    ("u", ("p0", "a"), True),
    ("u", ("s0", "b"), True),
    ("u", ("c0", "a"), True),
    ("a", (), True),
    # along all of it, filled up already
    ("u", ("p0", "b", "a"), False),
    # along all of it, but of systems, so not filled up
    ("u", ("s0", "b", "a"), True),
    # one value
    ("u", ("p0",), False),
    ("p0", (), False),
    ("c0", (), False),
]


@pytest.mark.parametrize(("name", "inputs", "wanted"), SPREAD, ids=[" ".join((row[0], *row[1])) for row in SPREAD])
def test_what_is_expanded_out_along_a_flattened_row(name: str, inputs: tuple[str, ...], wanted: bool) -> None:
    before = [("u", inputs, False)] if inputs else []
    graph = graph_of(*before, ("t", (name, "p0", "a", "b"), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"), {"i": 6, "j": 5, "k": 64})
    assert schedule.placement("t").flat
    assert schedule.is_expanded(name, schedule.placement("t")) is wanted


def test_nothing_is_expanded_out_where_no_row_is_flattened() -> None:
    graph = graph_of(("u", ("p0", "a"), False), ("t", ("u", "b"), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"))
    assert not any(schedule.is_expanded(name, schedule.placement("t")) for name in ("u", "b"))


# Terms, which of them share a loop, and which need a table.
SHARED = [
    # of one place, one after another, and read by a third elsewhere
    ([("u", ("p0", "a"), False), ("v", ("p0", "a"), False)], [["u", "v"]], {"u", "v"}),
    # the second takes the first twice: it is there as a number
    ([("u", ("p0", "a"), False), ("v", ("u", "u", "p1"), False)], [["u", "v"]], {"v"}),
    # of two places
    ([("u", ("p0", "a"), False), ("v", ("p0", "b"), False)], [["u"], ["v"]], {"u", "v"}),
    # of one place, with one of another between that takes the first and that the last takes
    (
        [("u", ("p0", "a"), False), ("w", ("u", "b"), False), ("x", ("w", "p0", "w"), False), ("v", ("u", "a"), False)],
        [["u", "v"], ["w", "x"]],
        {"u", "v", "x"},
    ),
    # a reduction has a loop of its own
    ([("u", ("s0", "a"), False), ("v", ("p0", "a"), True)], [["u"], ["v"]], {"u", "v"}),
]


@pytest.mark.parametrize(("terms", "loops", "tabled"), SHARED, ids=[str(i) for i in range(len(SHARED))])
def test_terms_of_one_place_share_a_loop(
    terms: list[tuple[str, tuple[str, ...], bool]], loops: list[list[str]], tabled: set[str]
) -> None:
    known = {name for name, _, _ in terms}
    last = tuple(name for name in ("u", "v", "x") if name in tabled & known)
    graph = graph_of(*terms, ("t", (*last, "p0", "a", "b", "c"), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"))
    assert [[node.name for node in loop] for loop in schedule.loops] == loops
    assert schedule.tabled == tabled


def test_a_loop_has_no_more_arrays_than_llvm_compares() -> None:
    names = [f"u{i}" for i in range(9)]
    last = ("t", (*names, "b", "c"), False)
    graph = graph_of(*((name, ("p0", "a"), False) for name in names), last, targets=("t",))
    loops = [len(loop) for loop in Schedule(graph, SWEPT, ("i", "j", "k")).loops]
    # Three tables and the axis are six pairs; four would be ten.
    assert loops == [3, 3, 3]


@pytest.mark.parametrize(("lengths", "wanted"), [({}, False), ({"i": 6, "j": 5}, True), ({"i": 64, "j": 5}, False)])
def test_flat_rows_are_told(lengths: dict[str, int], wanted: bool) -> None:
    graph = graph_of(("u", ("p0", "a"), False), ("t", ("u", "c"), False), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k"), lengths).has_flat_rows is wanted


def test_a_row_that_only_a_reduction_computes_is_not_flat() -> None:
    graph = graph_of(("v", ("p0", "a"), False), ("r", ("v",), True), ("t", ("r", "p0", "c"), False), targets=("t",))
    assert not Schedule(graph, SWEPT, ("i", "j", "k"), {"i": 3, "j": 5, "k": 100}).has_flat_rows


def test_what_is_gathered_reads_a_table() -> None:
    terms = [("g", ("a",), False), ("v", ("p0", "g"), False), ("r", ("v", "p1"), True)]
    graph = graph_of(*terms, ("t", ("r", "p0", "a", "b", "c"), False), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k")).tabled == {"g", "r"}
    # A term of points is computed again where it is gathered, and read from its table elsewhere.
    terms = [("w", ("p0", "a"), False), ("v", ("w", "b"), False), ("r", ("w",), True)]
    graph = graph_of(*terms, ("t", ("v", "r", "a", "b", "c"), False), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k")).tabled == {"w", "v", "r"}


def test_a_reduction_is_of_its_system() -> None:
    graph = graph_of(("u", ("p0", "b"), False), ("t", ("u", "p1"), True), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j", "k")).placement("t") == Placement(SYSTEM, 0, ("j",))


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


# Recursions along the points: a variance that takes its own last value, a state that takes the variance and its own.
CARRIED = [
    # nothing swept: single numbers, whatever the state varies with
    ((), ("a",), Placement(POINT, 0, ()), ()),
    # along the outermost dimension: a row, filled before its loop is entered
    (("a",), ("c",), Placement(POINT, 0, ("i",)), ("i",)),
    # along the innermost: a row, once for all that is around it
    (("c",), ("a",), Placement(POINT, 0, ("k",)), ("k",)),
    # within a loop the row is one of a table over all dimensions, which outlives the loop
    (("a", "b"), (), Placement(POINT, 1, ("j",)), ("i", "j")),
    # everything
    (("a", "b", "c"), (), Placement(POINT, 2, ("k",)), ("i", "j", "k")),
]


@pytest.mark.parametrize(("variance", "state", "placement", "table"), CARRIED, ids=[str(row[0]) for row in CARRIED])
def test_what_is_carried_is_placed_by_what_it_varies_with(
    variance: tuple[str, ...], state: tuple[str, ...], placement: Placement, table: tuple[str, ...]
) -> None:
    graph = graph_of(
        ("prior", ("previous_known", "p0"), False),
        ("known", ("prior", *variance), False),
        ("t", ("prior", "previous_state", *state), False),
        ("state", ("t", "known"), False),
        targets=("t",),
    )
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"))
    # What a term takes from the point before, it varies with too, along the whole circle.
    assert schedule.placement("prior") == schedule.placement("known") == placement
    assert schedule.table_dims("known") == table
    assert schedule.dims["state"] == schedule.dims["t"] == {SWEPT[name] for name in (*variance, *state)}


def test_a_short_row_is_carried_flattened_but_not_within_a_loop() -> None:
    graph = graph_of(("t", ("p0", "previous_t", "a", "b"), False), targets=("t",))
    lengths = {"i": 6, "j": 5, "k": 64}
    short = Schedule(graph, SWEPT, ("i", "j", "k"), lengths)
    assert short.placement("t") == Placement(POINT, 0, ("i", "j"), flat=True)
    within = graph_of(("t", ("p0", "previous_t", "a", "b", "c"), False), targets=("t",))
    schedule = Schedule(within, {**SWEPT, "e": "l"}, ("i", "j", "k", "l"), {"i": 6, "j": 16, "k": 4, "l": 64})
    assert schedule.placement("t") == Placement(POINT, 1, ("j", "k"), flat=False)


@given(
    order=st.permutations(["i", "j", "k"]),
    inputs=st.sets(st.sampled_from([*SWEPT, "p0", "s0", "c0"])),
    lengths=st.fixed_dictionaries({}, optional={dim: st.sampled_from([1, 8, 100]) for dim in "ijk"}),
)
def test_loops_around_and_on_the_spot_are_the_dimensions_of_the_term(
    order: list[str], inputs: set[str], lengths: dict[str, int]
) -> None:
    schedule = Schedule(graph_of(("t", tuple(inputs), False), targets=("t",)), SWEPT, tuple(order), lengths)
    placement = schedule.placement("t")
    assert {*order[: placement.depth], *placement.inner} == {SWEPT[name] for name in inputs if name in SWEPT}
    assert placement.depth + len(placement.inner) == len({SWEPT[name] for name in inputs if name in SWEPT})


# Of each length of the innermost row: whole vectors of 8, and elements beyond them.
MASKS = [
    # nothing beyond
    (64, False),
    # one vector against one or two elements
    (1, False),
    (2, False),
    (9, False),
    # against three, and no whole vector to be slowed down
    (3, True),
    # a length that people choose
    (20, True),
    (30, True),
    (100, True),
    # one element in 26 whole vectors, four in 62
    (209, False),
    (500, False),
]


@pytest.mark.parametrize(("length", "wanted"), MASKS)
def test_a_mask_is_for_rows_with_much_beyond_whole_vectors(length: int, wanted: bool) -> None:
    graph = graph_of(("t", ("p0", "a", "b"), False), targets=("t",))
    assert Schedule(graph, SWEPT, ("i", "j"), {"i": 5, "j": length}).masks_pay is wanted


@pytest.mark.parametrize(
    ("length", "wanted"),
    [(100, False), (60, False), (30, True), (15, True), (9, False)],
    ids=["12 vectors and 4 elements", "7 and 4", "3 and 6", "1 and 7", "1 and 1"],
)
@pytest.mark.parametrize(
    ("inputs", "targets"),
    [(("p0", "a", "b"), ("t", "u")), (("p0", "a", "b", f"{PREVIOUS}t"), ("t",))],
    ids=["two sums", "a value from the point before"],
)
def test_a_row_with_tables_needs_more_beyond_its_whole_vectors(
    inputs: tuple[str, ...], targets: tuple[str, ...], length: int, wanted: bool
) -> None:
    graph = graph_of(("t", inputs, False), ("u", ("t",), False), targets=targets)
    assert Schedule(graph, SWEPT, ("i", "j"), {"i": 5, "j": length}).masks_pay is wanted


def test_a_row_of_unknown_length_has_no_mask() -> None:
    assert not Schedule(graph_of(("t", ("p0", "a"), False), targets=("t",)), SWEPT, ("i",)).masks_pay
