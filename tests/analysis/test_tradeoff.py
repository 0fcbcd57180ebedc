"""The Pareto front of two datasets, their tension and weighted sums, against brute force."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigcube.analysis import best, combined, specification_curve, tradeoff
from sigcube.errors import SpecError

A, N = [0.5, 1.0, 1.5, 2.0], [0.1, 0.2, 0.3]
_values = st.sampled_from([0.5, 1.0, 1.5, 2.0, -1.0, np.nan])


@st.composite
def trees(draw: st.DrawFn) -> xr.DataTree:
    """Discs over two axes of which clusters have the first alone."""
    first = draw(arrays(np.float64, (4, 3), elements=_values))
    second = draw(arrays(np.float64, (4,), elements=_values))
    first[1, 1], second[1] = 1.0, 0.5
    kind = draw(st.sampled_from(["smallest", "largest", "zero"]))
    return tree_of(first, second, draw(st.sampled_from(["smallest", "zero", "one"])), kind)


def tree_of(first: Any, second: Any, best_of_first: str = "smallest", best_of_second: str = "zero") -> xr.DataTree:
    role = {"role": "physical"}
    discs = xr.Dataset(
        {"rms_mean": (("A", "n"), first, {"best": best_of_first, "units": "km/s"})},
        {"A": ("A", A, role), "n": ("n", N, {"role": "nuisance"})},
    )
    clusters = xr.Dataset({"bias": ("A", second, {"best": best_of_second})}, {"A": ("A", A, role)})
    return xr.DataTree.from_dict({"sparc": discs, "clash": clusters})


def far(value: float, which: str) -> float:
    if which == "one":
        return abs(np.log(value)) if value > 0 else np.inf
    return {"smallest": value, "largest": -value, "zero": abs(value)}[which]


@given(tree=trees(), chunked=st.booleans())
def test_no_point_of_the_front_is_beaten_and_every_other_is(tree: xr.DataTree, chunked: bool) -> None:
    rms, bias = tree["sparc/rms_mean"], tree["clash/bias"]
    points = {}
    for i, a in enumerate(A):
        for j, n in enumerate(N):
            pair = far(rms.values[i, j], rms.attrs["best"]), far(bias.values[i], bias.attrs["best"])
            if np.isfinite(pair).all():
                points[a, n] = pair
    found = tradeoff(tree.chunk({"A": 2}) if chunked else tree, x="sparc/rms_mean", y="clash/bias")
    front = set()
    for pair in points.values():
        if not any(o[0] <= pair[0] and o[1] <= pair[1] and o != pair for o in points.values()):
            front.add(pair)
    places = list(zip(found.A.values.tolist(), found.n.values.tolist(), strict=True))
    assert [points[place] for place in places] == sorted(front)
    assert [float(v) for v in found.x] == [float(rms.sel(A=a, n=n)) for a, n in places]
    assert points[float(found.A_at[0]), float(found.n_at[0])] == min(front)
    assert points[float(found.A_at[1]), float(found.n_at[1])] == max(front)
    # The compromise, by brute force over all points.
    (x0, x1), (y0, y1) = [(min(f[i] for f in front), max(f[i] for f in front)) for i in (0, 1)]
    if len(front) == 1:
        assert float(found.tension) == 0.0
    else:
        worst = min(max((p[0] - x0) / (x1 - x0), (p[1] - y0) / (y1 - y0)) for p in points.values())
        assert float(found.tension) == pytest.approx(worst)
        assert 0.0 < worst <= 1.0


@pytest.mark.slow
@given(tree=trees(), weight=st.floats(0.1, 10.0))
def test_distances_are_added_by_their_weights_and_can_be_asked(tree: xr.DataTree, weight: float) -> None:
    rms, bias = tree["sparc/rms_mean"], tree["clash/bias"]
    total = combined(tree, {"sparc/rms_mean": 1.0, "clash/bias": weight})
    assert total.sizes == {"A": 4, "n": 3}
    for i in range(4):
        for j in range(3):
            pair = far(rms.values[i, j], rms.attrs["best"]), far(bias.values[i], bias.attrs["best"])
            expected = pair[0] + weight * pair[1]
            value = float(total[i, j])
            assert value == pytest.approx(expected) if np.isfinite(expected) else np.isnan(value)
    assert total.attrs["weights"] == f"sparc/rms_mean: 1, clash/bias: {weight:g}"
    assert total.A.attrs["role"] == "physical"
    if np.isfinite(total).any():
        found = best(total.to_dataset(), by="combined")
        assert float(found.combined) == float(total.min())
        assert specification_curve(total, over="A").attrs["profiled"] == "n (nuisance)"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda t: tradeoff(t, x="sparc/rms", y="clash/bias"), "sparc has no summary 'rms'.*rms_mean"),
        (lambda t: tradeoff(t, x="spark/rms_mean", y="clash/bias"), "no dataset 'spark' here.*did you mean 'sparc'"),
        (lambda t: tradeoff(t, x="rms_mean", y="clash/bias"), "does not name a dataset"),
        (lambda t: combined(t, {}), "nothing to add up"),
        (lambda t: combined(t, {"clash/bias": 0.0}), "a weight is a number above zero"),
        (lambda t: combined(t, {"clash/bias": True}), "a weight is a number above zero"),
        (
            lambda t: tradeoff(t["sparc"].to_dataset(), x="a", y="b"),
            "asked of a joint result.*found: Dataset.*open_joint",
        ),
    ],
)
def test_bad_questions_get_one_clear_error(ask: Callable[[Any], object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ask(tree_of(np.ones((4, 3)), np.ones(4)))
    assert re.search(words, str(caught.value), flags=re.DOTALL)


def three() -> xr.DataTree:
    """Three summaries, the last two over one axis with other values."""
    each = {"a": ("p", [0, 1]), "b": ("q", [1, 2, 3]), "c": ("q", [2, 3, 4])}
    return xr.DataTree.from_dict(
        {
            name: xr.Dataset({"s": (dim, np.arange(1.0, len(at) + 1), {"best": "smallest"})}, {dim: at})
            for name, (dim, at) in each.items()
        }
    )


def test_any_two_of_several_have_the_same_values() -> None:
    with pytest.raises(SpecError, match="b/s and c/s have other values along 'q'"):
        combined(three(), {"a/s": 1.0, "b/s": 1.0, "c/s": 1.0})
    total = combined(three(), {"a/s": 1.0, "b/s": 1.0})
    assert total.sizes == {"p": 2, "q": 3}


def test_axes_of_either_are_named() -> None:
    tree = three()
    tree["c"] = tree["c"].to_dataset().assign_coords(q=[1, 2, 3], r=("q", [0.5, 0.7, 0.9]))
    for x, y in (("b/s", "c/s"), ("c/s", "b/s")):
        found = tradeoff(tree, x=x, y=y)
        assert (found.q.values.tolist(), found.r.values.tolist()) == ([1], [0.5])
        assert found.r_at.values.tolist() == [0.5, 0.5, 0.5]


def test_datasets_without_common_values_cannot_be_held_against_each_other() -> None:
    tree = tree_of(np.ones((4, 3)), np.ones(4))
    tree["clash"] = tree["clash"].to_dataset().assign_coords(A=[0.5, 1.0, 1.5, 3.0])
    with pytest.raises(SpecError, match="have other values along 'A'"):
        tradeoff(tree, x="sparc/rms_mean", y="clash/bias")
    tree = three()
    tree["b"] = tree["b"].to_dataset().assign_coords(r=("q", [0, 1, 2]))
    tree["c"] = tree["c"].to_dataset().assign_coords(q=[1, 2, 3], r=("q", [0, 1, 5]))
    with pytest.raises(SpecError, match="b/s and c/s have other values along 'q'"):
        tradeoff(tree, x="b/s", y="c/s")
    empty = tree_of(np.full((4, 3), np.nan), np.ones(4))
    with pytest.raises(SpecError, match="no point has a finite value of both"):
        tradeoff(empty, x="sparc/rms_mean", y="clash/bias")
