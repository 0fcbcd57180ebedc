"""Conditions on a cube: what they keep, also of what is not measured, and what they refuse."""

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.cube.conditions import where_true
from sigcube.errors import SpecError
from sigcube.readers.mock import mock_survey


def small_cube() -> xr.Dataset:
    """Five galaxies; the inclination of the fourth is not measured, and the third has no reference."""
    cube = mock_survey(n_galaxies=5, seed=1)
    texts = np.array(["a", "b", np.nan, "b", "x y"], dtype=object)
    return cube.assign(
        inclination=("galaxy", [10.0, 40.0, 60.0, np.nan, 80.0]),
        quality=("galaxy", np.array([1, 2, 3, 1, 2])),
        survey_id=("galaxy", np.array([2**60, 2**60 + 1, 3, 4, 5])),
        references=("galaxy", texts),
    )


CUBE = small_cube()

HOLDS: list[tuple[str, list[int]]] = [
    ("inclination > 40", [2, 4]),
    ("inclination >= 40", [1, 2, 4]),
    ("30 < inclination <= 60", [1, 2]),
    # what is not measured is neither above nor not above
    ("not inclination > 40", [0, 1]),
    ("inclination != 40", [0, 2, 4]),
    ("inclination == inclination", [0, 1, 2, 4]),
    ("inclination not in [10, 40]", [2, 4]),
    # nor does it matter where the other side decides
    ("inclination > 40 or quality == 1", [0, 2, 3, 4]),
    ("inclination > 40 or quality > 1", [1, 2, 4]),
    ("not (inclination > 40 and quality == 2)", [0, 1, 2, 3]),
    ("quality in [1, 3] and not quality == 3", [0, 3]),
    ("quality in (3, 2.0)", [1, 2, 4]),
    ("inclination / 2 - 5 * (3 - quality) == 5 - 10", [0]),
    ("-inclination < -(50)", [2, 4]),
    ("abs(inclination - 50) <= 10", [1, 2]),
    ("abs(-quality) == 2 and abs(-3) == 3", [1, 4]),
    ("quality / 0 > 1e300", [0, 1, 2, 3, 4]),
    # bits of flags have no sign, and do not overflow
    ("system_flag - 1 < 0 and -system_flag <= 0", [0, 1, 2, 3, 4]),
    # integers that are no floating-point numbers
    ("survey_id == 1152921504606846977", [1]),
    ("survey_id in [1152921504606846976]", [0]),
    ("galaxy == 'SYN00002'", [1]),
    ('galaxy in ["SYN00001", "SYN00005"]', [0, 4]),
    ("'SYN00001' == galaxy", [0]),
    ("galaxy not in ['SYN00001']", [1, 2, 3, 4]),
    # only names of systems have to be there
    ("references == 'nobody' or quality == 1", [0, 3]),
    ("references == 'b'", [1, 3]),
    ("references != 'b'", [0, 4]),
    ("references == 'x y' or 1 < 0", [4]),
    (r"references == 'x\ y' or quality == 3", [2]),
    # over several lines, with a remark
    ("quality == 1  # the best\nand inclination < 20", [0]),
]


@pytest.mark.parametrize(("condition", "kept"), HOLDS, ids=[row[0] for row in HOLDS])
def test_what_a_condition_keeps(condition: str, kept: list[int]) -> None:
    found = where_true(CUBE, condition)
    assert found.dtype == bool
    assert np.flatnonzero(found.transpose("galaxy", ...).values).tolist() == kept


def test_a_condition_on_points_is_over_points() -> None:
    found = where_true(CUBE, "r > 2 * r_disk and inclination > 20").transpose("galaxy", "radius")
    np.testing.assert_array_equal(found, (CUBE.r > 2 * CUBE.r_disk) & (CUBE.inclination > 20))


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne
}  # fmt: skip
_values = st.sampled_from([1.0, 2.0, 3.0, 10.0, 40.0])
_comparisons = st.tuples(
    st.just("compare"), st.sampled_from(["inclination", "quality"]), st.sampled_from(list(_COMPARED)), _values
)
_trees: st.SearchStrategy[Any] = st.recursive(
    _comparisons,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
    max_leaves=8,
)


def _written(tree: Any) -> str:
    match tree:
        case ("compare", name, op, value):
            return f"{name} {op} {value!r}"
        case ("not", inner):
            return f"not ({_written(inner)})"
    return f"({_written(tree[1])}) {tree[0]} ({_written(tree[2])})"


def _known(tree: Any, galaxy: int) -> bool | None:
    """Evaluate a tree for one galaxy: true, false, or None where that is not known."""
    match tree:
        case ("compare", name, op, value):
            own = float(CUBE[name][galaxy])
            return None if np.isnan(own) else _COMPARED[op](own, value)
        case ("not", inner):
            return None if (known := _known(inner, galaxy)) is None else not known
    sides = [_known(each, galaxy) for each in tree[1:]]
    decisive = tree[0] == "or"
    if decisive in sides:
        return decisive
    return None if None in sides else not decisive


@given(tree=_trees)
def test_a_condition_is_that_of_each_system(tree: Any) -> None:
    expected = [_known(tree, galaxy) is True for galaxy in range(5)]
    assert where_true(CUBE, _written(tree)).values.tolist() == expected


REFUSED = [
    ("inclinaton > 40", "the cube has no variable 'inclinaton'", "did you mean 'inclination'?"),
    ("inclination >", "this cannot be read as a condition", "valid: distance"),
    ("galaxy == 'a = b' r", "this cannot be read as a condition", "valid: distance"),
    ("r <= 1 and", "this cannot be read as a condition", "valid: distance"),
    ("(" * 5000, "this cannot be read as a condition", ""),
    ("not " * 50_000 + "r > 1", "this cannot be read as a condition", ""),
    (f"r > 1{'0' * 400} + r", "this cannot be read as a condition", ""),
    ("r > \0", "this cannot be read as a condition", ""),
    ("inclination + 3", "this is a number, not a condition on the cube", ""),
    ("galaxy", "this is a text, not a condition on the cube", ""),
    ("1 < 2", "it names no variable", ""),
    ("inclination > 'high'", "\"'high'\" is a text, not a number", ""),
    ("inclination and quality", "'inclination' is a number, not a condition", ""),
    ("galaxy > 'N'", "'galaxy' is a text: compare it by ==, != or in", ""),
    ("'NGC' in galaxy", "'galaxy' is not a list in brackets", ""),
    ("r in [1, r_disk]", "'[1, r_disk]' is not a list of numbers, or of texts", ""),
    ("r in [1, 'a']", "\"'a'\" is a text, not a number", ""),
    ("r > 1 & r < 2", "a condition cannot have '1 & r': write 'and'", ""),
    ("~(r > 1)", "a condition cannot have '~(r > 1)': write 'not'", ""),
    ("(r > 1) == (r > 2)", "a condition cannot have '(r > 1) == (r > 2)'", ""),
    ("r ** 2 > 1", "a condition cannot have 'r ** 2'", ""),
    ("r.max() > 1", "a condition cannot have 'r.max()'", ""),
    ("__import__('os').getcwd() == 'a'", "a condition cannot have \"__import__('os').getcwd()\"", ""),
    ("[x for x in r] == 1", "a condition cannot have '[x for x in r]'", ""),
    ("r is 1", "a condition cannot have 'r is 1'", ""),
    ("True", "a condition cannot have 'True'", ""),
]


@pytest.mark.parametrize(("condition", "what", "advice"), REFUSED, ids=[row[0][:30] for row in REFUSED])
def test_a_bad_condition_is_refused_with_the_names_there_are(condition: str, what: str, advice: str) -> None:
    with pytest.raises(SpecError, match=re.escape(what)) as caught:
        where_true(CUBE, condition)
    assert caught.value.where == "where"
    # What cannot be printed is shown otherwise.
    assert caught.value.found is not None
    assert caught.value.found.startswith(condition[:4])
    assert caught.value.hint is not None
    assert advice in caught.value.hint
    assert "inclination" in caught.value.hint


@pytest.mark.parametrize("condition", ["", "  ", "()", "# all"])
def test_an_empty_condition_is_called_so(condition: str) -> None:
    with pytest.raises(SpecError, match=r"the condition is empty\n(.|\n)*  do: leave it out"):
        where_true(CUBE, condition)


def test_who_compares_with_one_sign_is_told_the_right_one() -> None:
    with pytest.raises(SpecError, match=r"this cannot be read(.|\n)*  do: compare with ==, not with ="):
        where_true(CUBE, "galaxy = 'a == b'")


UNKNOWN = [
    ('galaxy in ["SYN00001", "SYN0005"]', "the cube has no galaxy SYN0005", "did you mean 'SYN00005'?"),
    ("galaxy not in ['NGC1', 'NGC2']", "the cube has no galaxy NGC1, NGC2", "valid: SYN00001"),
    ("galaxy == 'syn00001'", "the cube has no galaxy syn00001", "did you mean 'SYN00001'?"),
    ("'UGC1' != galaxy", "the cube has no galaxy UGC1", "valid: SYN00001"),
]


@pytest.mark.parametrize(("condition", "what", "advice"), UNKNOWN)
def test_a_misspelt_system_is_not_left_out_without_a_word(condition: str, what: str, advice: str) -> None:
    with pytest.raises(SpecError, match=f"^{what}\n") as caught:
        where_true(CUBE, condition)
    assert caught.value.hint is not None
    assert advice in caught.value.hint
