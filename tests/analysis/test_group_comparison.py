"""A group of systems against the rest: the test against brute force, and what is refused."""

import itertools
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.analysis import compare_groups
from sigcube.cube.validation import validate
from sigcube.errors import DataError, SpecError


def _cube(values: list[float], marks: list[int], flags: list[int] | None = None) -> xr.Dataset:
    n = len(values)
    columns = {
        "f_dm": (values, "float64"),
        "counter_rotating": (marks, "int64"),
        "system_flag": (flags or [0] * n, "uint8"),
    }
    ds = xr.Dataset({name: ("galaxy", np.array(v, dtype)) for name, (v, dtype) in columns.items()})
    ds["survey_id"] = ("galaxy", np.array([f"1-{i}" for i in range(n)], object))
    for array in ds.data_vars.values():
        array.attrs |= {"units": "", "long_name": "x", "source": "x"}
    meanings = "unmodelled f_dm_out_of_range low_quality earlier_observation"
    ds.system_flag.attrs |= {"flag_meanings": meanings, "flag_masks": [1, 2, 4, 8]}
    papers = {"papers": {"description": "x", "system_flags_excluded": ["unmodelled", "f_dm_out_of_range"]}}
    texts = dict.fromkeys(("citation", "licence", "recipe", "sigcube_version"), "x")
    ds = ds.assign_coords(galaxy=("galaxy", np.array([f"g{i}" for i in range(n)], object)))
    ds = ds.assign_attrs(
        kind="population", title="made up", raw_files="[]", synthetic=0, samples=json.dumps(papers), **texts
    )
    validate(ds)
    return ds


def _brute_force(inside: list[float], outside: list[float]) -> tuple[float, float]:
    """U, and the share of all ways to choose the group that give at most this U."""

    def u(group: tuple[int, ...]) -> float:
        others = [i for i in range(len(pooled)) if i not in group]
        return sum((pooled[i] > pooled[j]) + 0.5 * (pooled[i] == pooled[j]) for i in group for j in others)

    pooled = [*inside, *outside]
    here = u(tuple(range(len(inside))))
    ways = [u(group) for group in itertools.combinations(range(len(pooled)), len(inside))]
    return here, sum(way <= here for way in ways) / len(ways)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=9, unique=True), st.integers(1, 3))
def test_it_is_the_share_of_arrangements_that_are_as_low(shares: list[int], n: int) -> None:
    values = [share / 1000 for share in shares]
    found = compare_groups(_cube(values, [1] * n + [0] * (len(values) - n)))
    statistic, p_value = _brute_force(values[:n], values[n:])
    assert found.statistic == statistic
    assert found.p_value == pytest.approx(p_value, rel=1e-12)


def test_by_hand() -> None:
    found = compare_groups(_cube([0.1, 0.2, 0.3, 0.4, 0.6], [1, 1, 0, 0, 0]))
    # The two lowest of five: one of the ten ways to choose two.
    assert (found.statistic, found.p_value) == (0.0, pytest.approx(0.1))
    assert (found.n_group, found.n_rest) == (2, 3)
    assert found.mean_group == pytest.approx(0.15)
    assert found.mean_rest == pytest.approx(1.3 / 3)
    assert (found.median_group, found.median_rest) == (pytest.approx(0.15), 0.4)
    assert str(found) == (
        "f_dm: counter_rotating 0.150 (mean of 2), rest 0.433 (mean of 3), Mann–Whitney p = 0.1 (less)"
    )


def test_sides_mirror_each_other() -> None:
    rng = np.random.default_rng(3)
    values, marks = rng.random(60).tolist(), (rng.random(60) < 0.3).astype(int).tolist()
    less, greater, either = (
        compare_groups(_cube(values, marks), alternative=a) for a in ("less", "greater", "two-sided")
    )
    assert less.statistic == greater.statistic
    assert either.p_value == pytest.approx(2 * min(less.p_value, greater.p_value))
    swapped = compare_groups(_cube(values, [1 - mark for mark in marks]), alternative="greater")
    assert swapped.p_value == pytest.approx(less.p_value, rel=1e-12)


def test_the_papers_halve_the_p_value_of_both_sides() -> None:
    rng = np.random.default_rng(4)
    values = np.round(np.concatenate([rng.beta(2, 9, 63), rng.beta(3, 7, 900)]), 3).tolist()
    marks = [1] * 63 + [0] * 900
    less, either = (compare_groups(_cube(values, marks), alternative=a) for a in ("less", "two-sided"))
    assert less.mean_group < less.mean_rest
    assert less.p_value == pytest.approx(either.p_value / 2, rel=1e-9)


def test_what_a_sample_leaves_out_and_what_has_no_value_does_not_count() -> None:
    cube = _cube([0.1, np.nan, 0.3, -99.0, 0.6, 0.5], [1, 1, 0, 0, 0, 1], [0, 1, 0, 2, 0, 0])
    everything, papers = compare_groups(cube), compare_groups(cube, sample="papers")
    assert (everything.n_group, everything.n_rest) == (2, 3)
    assert (papers.n_group, papers.n_rest) == (2, 2)
    assert papers.mean_rest == pytest.approx(0.45)


def test_what_cannot_be_compared_is_refused() -> None:
    cube = _cube([0.1, 0.2, 0.3], [1, 0, 0])
    with pytest.raises(DataError, match=r"no numeric variable 'fdm' of its systems(.*\n)*  do: did you mean 'f_dm'"):
        compare_groups(cube, value="fdm")
    with pytest.raises(DataError, match=r"no numeric variable 'survey_id'"):
        compare_groups(cube, group="survey_id")
    with pytest.raises(DataError, match=r"'f_dm' does not mark a group\n(.*\n)*  found: 0.1"):
        compare_groups(cube, group="f_dm")
    with pytest.raises(
        DataError, match=r"nothing to compare in sample 'all'\n(.*\n)*  found: 0 in the group, 3 others"
    ):
        compare_groups(_cube([0.1, 0.2, 0.3], [0, 0, 0]))
    with pytest.raises(SpecError, match=r"there is no alternative 'lower'(.*\n)*  do: (did you mean|valid)"):
        compare_groups(cube, alternative="lower")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"no sample 'paper'(.*\n)*  do: did you mean 'papers'"):
        compare_groups(cube, sample="paper")
