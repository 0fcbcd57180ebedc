"""The loop that is written: its text, how often it calls each term, what it adds up, what it compiles to."""

import platform
import re
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite.binding import get_host_cpu_features

from sigcube.cube import Packed
from sigcube.engine import evaluate_sums
from sigcube.engine import sums as loop
from sigcube.engine.schedule import Schedule
from sigcube.engine.source import TermTable, write_loop
from sigcube.engine.sums import compile_loop
from sigcube.model.graph import Graph, Level
from sigcube.model.kernel import Kernel
from sigcube.model.model import BoundModel
from sigcube.model.record import Parameter
from tests.engine.graphs import SWEPT, brute_force, data, graph_of, graphs, run
from tests.sweeping import planned

LENGTHS = {"i": 2, "j": 3, "k": 2}

# Two terms along k alone, of which the second takes a reduction, and one along both dimensions.
SMALL = graph_of(
    ("mean", ("p0", "a"), True),
    ("row", ("p0", "c"), False),
    ("far", ("p1", "mean"), False),
    ("sum", ("row", "far"), False),
    targets=("sum",),
)

SMALL_LOOP = """\
def loop(offsets, p_p0, p_p1, whole, w_p0, s_s0, c_c0, a_a, a_c, out_sum, t_mean, t_row, t_far):
    n0 = a_a.size
    n1 = a_c.size
    longest = 0
    for s in range(whole.size - 1):
        longest = max(longest, whole[s + 1] - whole[s])
    for s in range(offsets.size - 1):
        x_s0 = s_s0[s]
        for i0 in range(n0):
            v_mean = f_mean(w_p0[whole[s]:whole[s + 1]], a_a[i0])
            t_mean[i0] = v_mean
        sum_sum = out_sum[s]
        for i0 in range(n0):
            for i1 in range(n1):
                sum_sum[i0, i1] = 0.0
        for p in range(offsets[s], offsets[s + 1]):
            x_p0 = p_p0[p]
            x_p1 = p_p1[p]
            for i1 in range(n1):
                v_row = f_row(x_p0, a_c[i1])
                t_row[i1] = v_row
            for i0 in range(n0):
                v_far = f_far(x_p1, t_mean[i0])
                t_far[i0] = v_far
            for i0 in range(n0):
                for i1 in range(n1):
                    v_sum = f_sum(t_row[i1], t_far[i0])
                    sum_sum[i0, i1] += v_sum
"""


def test_the_text_of_a_small_loop() -> None:
    graph = Graph(SMALL.nodes, SMALL.targets, SMALL.points, SMALL.systems, ("a", "c", "c0"), ())
    assert write_loop(Schedule(graph, {"a": "i", "c": "k"}, ("i", "k"))).text == SMALL_LOOP


@pytest.mark.parametrize(
    ("table", "shapes", "reason"),
    [
        (TermTable("t_a", ("i", "k"), padded=False), [(2, 9)], "as long as its dimensions"),
        (TermTable("t_a", ("i", "k"), padded=True), [(24,), (2, 9)], "18 values are three vectors of eight"),
        (TermTable("t_a", ("i",), padded=True), [(8,), (2,)], "a vector at least"),
        (TermTable("t_a", ("j",), padded=True), [(8,), (8,)], "whole vectors need no more"),
    ],
)
def test_a_table_has_room_for_whole_vectors(table: TermTable, shapes: list[tuple[int, ...]], reason: str) -> None:
    made = table.make({"i": 2, "j": 8, "k": 9})
    assert [array.shape for array in made] == shapes, reason
    assert len(table.arguments) == len(made)
    assert all(np.shares_memory(made[0], array) for array in made), "a padded table is one memory in two forms"


FLAT_ROW = """\
            for i0 in range(n0):
                for i1 in range(n1):
                    e_u_along_i0_i1[i0, i1] = t_u[i0]
            for f in range(n0 * n1, ((n0 * n1 + 7) & -8)):
                flat_e_u_along_i0_i1[f] = flat_e_u_along_i0_i1[n0 * n1 - 1]
            for f in range(((n0 * n1 + 7) & -8)):
                v_t = f_t(flat_e_u_along_i0_i1[f], flat_e_b_along_i0_i1[f])
                flat_t_t[f] = v_t
"""


def test_the_text_of_a_flattened_row() -> None:
    graph = graph_of(("u", ("p0", "a"), False), ("t", ("u", "b"), False), targets=("t",))
    swept = {"a": "i", "b": "j", "c": "k"}
    text = write_loop(Schedule(graph, swept, ("i", "j", "k"), {"i": 6, "j": 5, "k": 64})).text
    assert FLAT_ROW in text
    assert text.index("e_b_along_i0_i1[i0, i1] = a_b[i1]") < text.index("for s in")


def test_what_no_point_changes_is_computed_and_copied_before_the_points() -> None:
    terms = (("g0", ("a",), False), ("g1", ("a", "c0"), False), ("own", ("s0", "a"), False))
    graph = graph_of(*terms, ("t", ("g0", "g1", "own", "p0", "b"), False), targets=("t",))
    text = write_loop(Schedule(graph, {"a": "i", "b": "j", "c": "k"}, ("i", "j", "k"), {"i": 6, "j": 5, "k": 64})).text
    systems, points = text.index("for s in"), text.index("for p in")
    # Constants of one shape share a loop, and so do their copies.
    assert "        t_g0[i0] = v_g0\n        v_g1 = f_g1(" in text[:systems]
    assert "e_g0_along_i0_i1[i0, i1] = t_g0[i0]\n            e_g1_along_i0_i1[i0, i1] = t_g1[i0]" in text[:systems]
    assert "e_own_along_i0_i1[i0, i1] = t_own[i0]" in text[systems:points]


# A variance along i that follows from point to point, and a state along i and k that takes it.
CARRIED = graph_of(
    ("variance", ("previous_variance", "p0", "previous_p0", "a"), False),
    ("state", ("variance", "previous_state", "c"), False),
    ("sum", ("state", "previous_state"), False),
    targets=("sum",),
)

CARRIED_LOOP = """\
def loop(offsets, p_p0, p_p1, whole, s_s0, c_c0, a_a, a_c, out_sum, t_variance, b_variance, t_state, b_state):
    n0 = a_a.size
    n1 = a_c.size
    for s in range(offsets.size - 1):
        x_s0 = s_s0[s]
        sum_sum = out_sum[s]
        for i0 in range(np.uint64(n0)):
            for i1 in range(np.uint64(n1)):
                sum_sum[i0, i1] = 0.0
        for i0 in range(np.uint64(n0)):
            b_variance[i0] = 0.0
        b_p0 = 0.0
        for i0 in range(np.uint64(n0)):
            for i1 in range(np.uint64(n1)):
                b_state[i0, i1] = 0.0
        for p in range(offsets[s], offsets[s + 1]):
            x_p0 = p_p0[p]
            x_p1 = p_p1[p]
            for i0 in range(np.uint64(n0)):
                v_variance = f_variance(b_variance[i0], x_p0, b_p0, a_a[i0])
                t_variance[i0] = v_variance
            for i0 in range(np.uint64(n0)):
                for i1 in range(np.uint64(n1)):
                    v_state = f_state(t_variance[i0], b_state[i0, i1], a_c[i1])
                    t_state[i0, i1] = v_state
                    v_sum = f_sum(v_state, b_state[i0, i1])
                    sum_sum[i0, i1] += v_sum
            b_variance, t_variance = t_variance, b_variance
            b_p0 = x_p0
            b_state, t_state = t_state, b_state
"""


def test_the_text_of_a_loop_that_carries_values_from_point_to_point() -> None:
    made = dict(parameters=("a", "c", "c0"), previous=CARRIED.previous)
    graph = Graph(CARRIED.nodes, CARRIED.targets, CARRIED.points, CARRIED.systems, constants=(), **made)
    assert write_loop(Schedule(graph, {"a": "i", "c": "k"}, ("i", "k"))).text == CARRIED_LOOP


# What is added up

# Which rows are flattened follows from these, whatever the true lengths.
SHORT_OR_LONG = st.fixed_dictionaries({dim: st.sampled_from([1, 8, 100]) for dim in LENGTHS})


# What a reduction gathers takes terms that no other takes: one of parameters alone, one of the system, a reduction.
GATHERED = [
    [("g", ("a",), False), ("v", ("p0", "g"), False), ("r", ("v", "p1"), True), ("t", ("r", "p0"), False)],
    [("g", ("s0", "b"), False), ("v", ("p0", "g"), False), ("r", ("v", "p1"), True), ("t", ("r", "p0"), False)],
    [("g", ("p0", "a"), True), ("v", ("p1", "g"), False), ("r", ("v",), True), ("t", ("r", "p0", "c"), False)],
]


@pytest.mark.parametrize("left_out", [0, 2])
@pytest.mark.parametrize("lengths", [{}, {"i": 8, "j": 1, "k": 100}], ids=["long", "short"])
@pytest.mark.parametrize("terms", GATHERED, ids=["parameters", "system", "reduction"])
def test_what_is_gathered_adds_up_to_the_brute_force(
    terms: list[tuple[str, tuple[str, ...], bool]], lengths: dict[str, int], left_out: int
) -> None:
    graph, numbers = graph_of(*terms, targets=("t",)), data(LENGTHS, (2, 3), left_out=left_out)
    found = run(Schedule(graph, SWEPT, ("i", "j", "k"), lengths), numbers)
    np.testing.assert_array_equal(found["t"], brute_force(graph, numbers, ("i", "j", "k"))["t"])


@pytest.mark.slow
@settings(max_examples=300)
@given(
    graph=graphs(),
    order=st.permutations(["i", "j", "k"]),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    lengths=SHORT_OR_LONG,
    left_out=st.integers(0, 2),
)
def test_any_graph_adds_up_to_the_brute_force(
    graph: Graph, order: list[str], counts: list[int], lengths: dict[str, int], left_out: int
) -> None:
    numbers = data(LENGTHS, tuple(counts), left_out=left_out)
    found = run(Schedule(graph, SWEPT, tuple(order), lengths), numbers)
    for name, sums in brute_force(graph, numbers, tuple(order)).items():
        np.testing.assert_array_equal(found[name], sums)


# How often terms are called


def counted(graph: Graph, calls: Counter[str]) -> dict[str, Callable[..., float]]:
    def counting(name: str, function: Callable[..., float]) -> Callable[..., float]:
        def term(*arguments: Any) -> float:
            calls[name] += 1
            return function(*arguments)

        return term

    return {node.name: counting(node.name, node.function) for node in graph.nodes}


def test_what_reductions_alone_take_is_computed_for_them_alone() -> None:
    """V_bar under the dynamical window: it enters V_bar(R_d) and nothing else."""
    graph = graph_of(("v", ("p0", "a"), False), ("at", ("v", "p1"), True), ("t", ("at", "p0"), False), targets=("t",))
    schedule = Schedule(graph, SWEPT, ("i", "j", "k"))
    assert schedule.gathered == {"v"}
    assert "t_v" not in [table.name for table in write_loop(schedule).tables]
    assert write_loop(schedule).text.count("f_v(") == 1


def needed_by_points(graph: Graph) -> set[str]:
    """The terms behind the targets, short of what only reductions take."""
    needed = {*graph.targets, *graph.carried}
    for node in reversed(graph.nodes):
        if node.name in needed and not node.reduces:
            needed.update(node.inputs)
    return needed


def behind_reductions(graph: Graph) -> Counter[str]:
    """How many reductions take each term of points, at once or through other terms, and along how many grid points."""
    schedule = Schedule(graph, SWEPT, tuple(LENGTHS))
    counts: Counter[str] = Counter()
    for reduction in (node for node in graph.nodes if node.reduces):
        behind = set(reduction.inputs)
        for node in reversed(graph.nodes):
            if node.name in behind and node.level is Level.POINT:
                behind.update(node.inputs)
        combinations = prod(LENGTHS[dim] for dim in schedule.dims[reduction.name])
        counts.update(
            {node.name: combinations for node in graph.nodes if node.name in behind and node.level is Level.POINT}
        )
    return counts


@given(graph=graphs(), order=st.permutations(["i", "j", "k"]), lengths=SHORT_OR_LONG)
def test_every_term_is_computed_as_often_as_its_inputs_change(
    graph: Graph, order: list[str], lengths: dict[str, int]
) -> None:
    """But for what fills a flattened row up to whole vectors."""
    counts = (2, 1, 3)
    schedule = Schedule(graph, SWEPT, tuple(order), lengths)
    calls: Counter[str] = Counter()
    run(schedule, data(LENGTHS, counts), counted(graph, calls))
    places = {Level.GLOBAL: 1, Level.SYSTEM: len(counts), Level.POINT: sum(counts)}
    gathered = behind_reductions(graph)
    for node in graph.nodes:
        once = prod(LENGTHS[dim] for dim in schedule.dims[node.name])
        if (placement := schedule.placement(node.name)).flat:
            row = prod(LENGTHS[dim] for dim in placement.inner)
            once = once // row * (-(-row // 8) * 8)
        in_place = once if node.level is not Level.POINT or node.name in needed_by_points(graph) else 0
        assert calls[node.name] == places[node.level] * (in_place + gathered[node.name]), node.name


def test_what_pads_a_row_is_of_the_row() -> None:
    """A term may not come to an end for numbers that nobody asked for."""
    graph = graph_of(("u", ("p0", "a"), False), ("v", ("u", "a", "b"), False), ("t", ("v", "c"), False), targets=("t",))

    def seen(lengths: dict[str, int]) -> dict[str, set[tuple[float, ...]]]:
        found: dict[str, set[tuple[float, ...]]] = {node.name: set() for node in graph.nodes}

        def watched(name: str, function: Callable[..., float]) -> Callable[..., float]:
            def term(*arguments: Any) -> float:
                found[name].add(arguments)
                return function(*arguments)

            return term

        functions = {node.name: watched(node.name, node.function) for node in graph.nodes}
        run(Schedule(graph, SWEPT, ("i", "j", "k"), lengths), data(LENGTHS, (2, 1)), functions)
        return found

    short = {"i": 6, "j": 5, "k": 100}
    assert Schedule(graph, SWEPT, ("i", "j", "k"), short).placement("v").flat
    assert seen(short) == seen({})


# What it becomes


@pytest.fixture
def compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile anew: code that another process left on disk cannot be looked into."""
    monkeypatch.setenv("SIGCUBE_COMPILED", "off")
    loop._loop.cache_clear()
    loop._compile.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_here")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86-64's packed instructions")
def test_the_canonical_loop_is_packed_code(mock_cube: xr.Dataset) -> None:
    axes = {"g_dagger": [9e-11, 1e-10], "xi_scale": [0.1, 0.2], "A": [1.0, 1.1, 1.2]}
    packed_doubles = Counter(
        re.findall(r"\bv?(mulpd|addpd|subpd|divpd|sqrtpd)\b", assembly_of(mock_cube, "sigma", axes))
    )
    assert {"mulpd", "addpd", "sqrtpd"} <= set(packed_doubles)


def grows(A: float, window: float) -> float:
    return 1.0 + A * window


def window(r: float, xi: float) -> float:
    return r / (xi + r)


# Neither it nor the circular velocity has a multiply-add of its own.
PLAIN = Kernel(
    name="plain",
    title="Plain",
    source="test",
    terms={"boost": grows, "window": window},
    parameters=(
        Parameter("A", "A", 1.0, "", (0.0, 10.0), "fitted", "test", "amplitude"),
        Parameter("xi", "ξ", 1.0, "kpc", (0.0, 10.0), "fitted", "test", "scale"),
    ),
)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_here")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86-64's packed instructions")
def test_the_compiler_fuses_no_product_and_sum_of_a_formula(mock_cube: xr.Dataset) -> None:
    """Which rounds once where the formula rounds twice, on processors that can."""
    assembly = assembly_of(mock_cube, PLAIN, {"xi": [0.5, 1.0], "A": [1.0, 1.1, 1.2]})
    assert re.search(r"\bv?addpd\b", assembly)
    assert not re.findall(r"\bv?fn?m(?:add|sub)\w*", assembly)


def assembly_of(cube: xr.Dataset, kernel: str | Kernel, axes: dict[str, list[float]]) -> str:
    plan, packed = planned(cube, kernel=kernel, axes=axes, metrics=["rms"])
    model = plan.sections[0].model
    evaluate_sums(model, packed, {name: np.array(values) for name, values in axes.items()})
    lengths = {name: len(values) for name, values in axes.items()}
    (assembly,) = compile_loop(model, model.dims, lengths).function.inspect_asm().values()
    return str(assembly)


POWERS = {"xi_scale": np.linspace(0.1, 0.9, 3), "k": np.linspace(0.2, 2.0, 5), "A": np.linspace(0.2, 3.0, 40)}


def powers(cube: xr.Dataset) -> tuple[BoundModel, Packed]:
    """The window with a power, short along all that the power takes."""
    axes = {name: list(values) for name, values in POWERS.items()}
    plan, packed = planned(cube, kernel="sigma", axes=axes, fixed={"window": "power"}, metrics=["rms"])
    return plan.sections[0].model, packed


@pytest.mark.slow
def test_a_flattened_row_has_the_bits_of_its_points_one_by_one(mock_cube: xr.Dataset) -> None:
    model, packed = powers(mock_cube)
    order = tuple(POWERS)
    lengths = {name: values.size for name, values in POWERS.items()}
    assert "flat_t_W" in write_loop(Schedule(model.graph, dict(model.swept), order, lengths)).text
    whole = evaluate_sums(model, packed, POWERS, order=order)["residual_sq"]
    for i, j in np.ndindex(3, 5):
        one = {"xi_scale": POWERS["xi_scale"][[i]], "k": POWERS["k"][[j]], "A": POWERS["A"]}
        found = evaluate_sums(model, packed, one, order=("A", "k", "xi_scale"))["residual_sq"]
        np.testing.assert_array_equal(found[:, :, 0, 0], whole[:, i, j, :])


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_here")
@pytest.mark.skipif(not get_host_cpu_features().get("fma", False), reason="counts fused multiply-adds of x86-64")
def test_a_power_along_short_rows_is_packed_code(mock_cube: xr.Dataset) -> None:
    model, packed = powers(mock_cube)
    evaluate_sums(model, packed, POWERS)
    lengths = {name: values.size for name, values in POWERS.items()}
    (assembly,) = compile_loop(model, model.dims, lengths).function.inspect_asm().values()
    assert len(re.findall(r"\bvfn?m(?:add|sub)\d+pd\b.*[yz]mm", assembly)) > 20
