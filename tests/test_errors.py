"""The exceptions: their family, their text, and that they survive a journey between processes."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube import errors
from sigcube.errors import Fault, SigcubeError, did_you_mean, error_from

TREE = {
    "DataError": (SigcubeError, ValueError),
    "FetchError": (errors.DataError,),
    "RawFilesMissing": (errors.FetchError,),
    "SpecError": (SigcubeError, ValueError),
    "StoreError": (SigcubeError,),
    "StoreExists": (errors.StoreError,),
    "StoreInUse": (errors.StoreError,),
    "StoreMismatch": (errors.StoreError,),
    "ClusterError": (SigcubeError,),
}


def kinds() -> list[type[SigcubeError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, SigcubeError)]


def test_the_tree_is_the_drawn_one() -> None:
    assert {kind.__name__: kind.__bases__ for kind in kinds() if kind is not SigcubeError} == TREE
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in TREE)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "it broke"),
        # a label a line, in this order, whatever was given
        ({"hint": "mend it", "where": "here"}, "it broke\n  where: here\n  do: mend it"),
        ({"found": "1", "expected": "2"}, "it broke\n  found: 1\n  expected: 2"),
        # an empty value is a value
        ({"found": ""}, "it broke\n  found: "),
    ],
)
def test_text(given: dict[str, str], text: str) -> None:
    error = SigcubeError("it broke", **given)
    assert str(error) == text
    assert error.args == ("it broke",)


_texts = st.one_of(st.none(), st.text())


@given(kind=st.sampled_from(kinds()), what=st.text(), parts=st.tuples(_texts, _texts, _texts, _texts))
def test_they_travel(kind: type[SigcubeError], what: str, parts: tuple[str | None, ...]) -> None:
    error = kind(what, **dict(zip(("where", "found", "expected", "hint"), parts, strict=True)))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert vars(back) == vars(error)
    assert str(back) == str(error)


@pytest.mark.parametrize(
    ("name", "valid", "text"),
    [
        ("windw", ["window", "amplitude"], "did you mean 'window'? valid: amplitude, window"),
        # nothing near: the list alone
        ("q", ["window"], "valid: window"),
        ("q", [], "valid: none"),
    ],
)
def test_the_nearest_name(name: str, valid: list[str], text: str) -> None:
    assert did_you_mean(name, valid) == text


def test_one_fault_is_told_in_full() -> None:
    error = error_from(errors.DataError, [Fault("bad", "line 3", "x", "y")], what="no file", where="a.dat", hint="look")
    assert str(error) == "no file: bad\n  where: a.dat, line 3\n  found: x\n  expected: y\n  do: look"
    assert error_from(errors.DataError, [Fault("bad")], what="no file", where="a.dat").where == "a.dat"


@given(n=st.integers(2, 60))
def test_many_faults_are_counted_and_twenty_are_shown(n: int) -> None:
    faults = [Fault("bad", f"line {i}") for i in range(n)]
    lines = str(error_from(errors.SpecError, faults, what="no file", where="a.dat")).splitlines()
    assert lines[0] == f"no file: {n} faults"
    assert len(lines) == 2 + min(n, 20) + (n > 20)
    assert (lines[-1].strip() == f"and {n - 20} more") is (n > 20)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("bad"), "bad"),
        (Fault("bad", "line 3"), "line 3: bad"),
        (Fault("bad", "line 3", "x", "y"), "line 3: bad, found x, expected y"),
        (Fault("bad", expected=""), "bad, expected "),
    ],
)
def test_a_fault_on_one_line(fault: Fault, text: str) -> None:
    assert str(fault) == text
