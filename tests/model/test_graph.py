"""Graphs of terms that take values at the point before: what is behind the targets, and what no point has."""

from collections.abc import Callable

import pytest

from sigcube.errors import DataError, SpecError
from sigcube.model.graph import Graph, Level, Variables, build_graph
from sigcube.model.record import Definition, Reduction

VARIABLES = Variables(frozenset({"r", "v_obs"}), frozenset({"distance"}))


def graph(*targets: str, **definitions: Definition) -> Graph:
    return build_graph("test", definitions=definitions, parameters=("a",), variables=VARIABLES, targets=targets)


def test_a_term_may_take_its_own_value_at_the_point_before() -> None:
    found = graph("state", state=lambda previous_state, a: 0.0)
    assert found.previous == (("previous_state", "state"),)
    assert found.carried == ("state",)
    # At each point it has another value, although nothing else that it takes has.
    assert found.nodes[0].level is Level.POINT


def test_what_is_asked_for_at_the_point_before_alone_is_computed() -> None:
    """The state is nobody's input, its gain neither, and r is in no formula but through the point before."""
    found = graph(
        "innovation",
        innovation=lambda v_obs, previous_state: 0.0,
        state=lambda innovation, gain: 0.0,
        gain=lambda a, previous_r: 0.0,
    )
    assert [node.name for node in found.nodes] == ["innovation", "gain", "state"]
    assert found.points == ("v_obs", "r")
    assert found.carried == ("state", "r")
    assert found.recursive == {"previous_state", "previous_r", "innovation", "gain", "state"}


def test_aliases_are_followed() -> None:
    found = graph("t", t=lambda previous_observed: 0.0, observed="v_obs")
    assert found.previous == (("previous_observed", "v_obs"),)


def test_a_name_of_its_own_is_no_value_at_the_point_before() -> None:
    found = graph("t", t=lambda previous_r: 0.0, previous_r=lambda distance: 0.0)
    assert found.previous == ()
    assert [node.name for node in found.nodes] == ["previous_r", "t"]


def test_a_part_of_a_graph_has_what_its_targets_take_at_the_point_before() -> None:
    whole = graph("t", "u", t=lambda previous_state, v_obs: 0.0, state=lambda t, a: 0.0, u=lambda previous_r, t: 0.0)
    part = whole.only("t")
    assert {node.name for node in part.nodes} == {"t", "state"}
    assert part.previous == (("previous_state", "state"),)


def raised_v_obs(v_obs: float) -> float:
    return 2.0 * v_obs


def test_what_depends_on_a_raised_input_is_there_twice_and_all_else_once() -> None:
    found = graph(
        "t",
        t=lambda raised_total, lowered_total: 0.0,
        total="sum",
        sum=lambda v_sq, mean, scale: 0.0,
        v_sq=lambda v_obs: 0.0,
        mean=Reduction(lambda v_sq: 0.0),
        scale=lambda r, a: 0.0,
        raised_v_obs=raised_v_obs,
    )
    inputs = {node.name: node.inputs for node in found.nodes}
    assert inputs["t"] == ("raised_sum", "sum")
    assert inputs["raised_sum"] == ("raised_v_sq", "raised_mean", "scale")
    assert inputs["raised_v_sq"] == ("raised_v_obs",)
    assert inputs["raised_mean"] == ("raised_v_sq",)
    assert inputs["sum"] == ("v_sq", "mean", "scale")
    levels = {node.name: node.level for node in found.nodes}
    assert levels["raised_mean"] is Level.SYSTEM
    functions = {node.name: node.function for node in found.nodes}
    assert functions["raised_v_sq"] is functions["v_sq"]


def test_a_recursion_along_the_points_has_a_raised_one_beside_it() -> None:
    found = graph(
        "t",
        t=lambda raised_state, state: 0.0,
        state=lambda previous_state, v_obs, previous_r: 0.0,
        raised_v_obs=raised_v_obs,
    )
    inputs = {node.name: node.inputs for node in found.nodes}
    assert inputs["raised_state"] == ("previous_raised_state", "raised_v_obs", "previous_r")
    assert dict(found.previous) == {
        "previous_raised_state": "raised_state",
        "previous_state": "state",
        "previous_r": "r",
    }


def test_a_name_that_begins_like_a_raised_one_is_itself() -> None:
    found = graph("t", t=lambda raised_bogs, v_obs: 0.0, raised_bogs=lambda r: 0.0, raised_v_obs=raised_v_obs)
    assert [node.name for node in found.nodes] == ["raised_bogs", "t"]
    with pytest.raises(DataError, match="test needs 'bogs'"):
        graph("t", t=lambda raised_bogs: 0.0)


REFUSED: list[tuple[dict[str, Callable[..., float] | Reduction], str]] = [
    # the same at all points
    ({"t": lambda previous_a: 0.0}, "test takes 'a' at the point before, and it is the same at all points\n"),
    ({"t": lambda previous_distance: 0.0}, "test takes 'distance' at the point before, and it is the same at all"),
    ({"t": lambda previous_u: 0.0, "u": Reduction(lambda r: 0.0)}, "takes 'u' at the point before, and it is the same"),
    # all points of what each point makes anew
    (
        {"t": Reduction(lambda u: 0.0), "u": lambda r, previous_r: 0.0},
        "test takes 'u' over all points of a system, and it follows from point to point\n  where: t\n",
    ),
    # no circle but through the point before
    ({"t": lambda u: 0.0, "u": lambda t, previous_t: 0.0}, "the terms of test depend on one another in a circle\n"),
]


@pytest.mark.parametrize(("definitions", "message"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_refused(definitions: dict[str, Definition], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        graph("t", **definitions)


def test_what_the_cube_does_not_have_is_named_without_the_point_before() -> None:
    with pytest.raises(DataError, match=r"test needs 'x', which the cube does not have\n  where: previous_x → x"):
        graph("t", t=lambda previous_x: 0.0)
