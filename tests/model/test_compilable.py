"""Terms that users write and that Numba cannot compile are refused, with the line at fault."""

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import xarray as xr
from scipy.special import gamma

import sigcube
from sigcube.errors import FormulaError
from sigcube.model.kernel import Kernel
from sigcube.model.record import Parameter, Reduction

STRENGTH = Parameter("strength", "s", 1.0, "", (0.0, 9.0), "fitted", "none", "strength")


def plain(x: float) -> float:
    return 2.0 * x


def of_scipy(strength: float, r: float) -> float:
    if r > 0.0:
        return 1.0 + strength * gamma(r)
    return 1.0


def misspelt(strength: float, r: float) -> float:
    return 1.0 + strength * rr  # type: ignore[name-defined] # noqa: F821


def of_a_plain_function(strength: float, r: float) -> float:
    return plain(strength) + r


def several(strength: float, r: float) -> Any:
    return [strength, r]


def at_times(strength: float, r: float) -> Any:
    if r > 3.0:
        return strength
    return None


def with_an_import(strength: float, r: float) -> Any:
    from math import erf

    return strength * erf(r)


@numba.njit
def of_no_sense(x: float) -> float:
    return x.gradient  # type: ignore[attr-defined,no-any-return]


def that_calls(strength: float, r: float) -> float:
    return strength + of_no_sense(r)


def in_the_plane(strength: float, r: float) -> Any:
    return strength + 1j * r


def kernel(boost: Callable[..., Any], **terms: Any) -> Kernel:
    return Kernel("own", "of a user", "none", {"boost": boost, **terms}, (STRENGTH,))


def line_of(function: Callable[..., Any], text: str) -> int:
    """The number of a function's line in this file."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


def of_a_table(strength: float, r: float) -> Any:
    return max({strength: 1, "r": r})


@pytest.mark.parametrize(
    ("boost", "line", "found"),
    [
        (of_scipy, "gamma", "Untyped global name 'gamma'"),
        # Numba names the first line of the function.
        (misspelt, "def", "name 'rr' is not defined"),
        (of_a_plain_function, "return plain", "Untyped global name 'plain'"),
        (with_an_import, "from math", "opcode (IMPORT_NAME)"),
        (of_a_table, "return", "signature: setitem(DictType[float64,int64]<iv=None>, Literal[str](r), float64)"),
        (several, "def", "list(float64)"),
        (at_times, "def", "nothing, on one of its ways"),
        (in_the_plane, "def", "complex128"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_term_that_is_no_function_of_numbers(
    mock_cube: xr.Dataset, boost: Callable[..., Any], line: str, found: str
) -> None:
    ways: list[Callable[[], object]] = [
        lambda: kernel(boost).predict(mock_cube),
        lambda: sigcube.Sweep(mock_cube, kernel=kernel(boost), axes={"strength": [0.5, 1.0]}),
        lambda: sigcube.Sweep(
            mock_cube, kernel="newton", axes={"upsilon_disk": [0.5, 1.0]}, reference={"kernel": kernel(boost)}
        ),
        lambda: sigcube.Fit(
            mock_cube, models={"own": {"kernel": kernel(boost), "free": {"strength": [0.5, 1.0, 2.0]}}}
        ),
    ]
    for way in ways:
        with pytest.raises(FormulaError) as caught:
            way()
        assert "the term 'boost'" in caught.value.what
        assert caught.value.where == f"{__file__}, line {line_of(boost, line)}"
        assert found in str(caught.value.found)


def test_the_line_is_that_of_the_function_at_fault(mock_cube: xr.Dataset) -> None:
    with pytest.raises(FormulaError) as caught:
        kernel(that_calls).predict(mock_cube)
    assert caught.value.where == f"{__file__}, line {line_of(of_no_sense.py_func, 'gradient')}"


def test_a_term_that_is_compiled_already(mock_cube: xr.Dataset) -> None:
    with pytest.raises(FormulaError, match="compiled already"):
        kernel(numba.njit(of_a_plain_function)).predict(mock_cube)


def largest(r: np.ndarray) -> float:
    """Of an array, as a reduction takes the points of a system."""
    return r.max() + float(r.size)


def number_of(r: np.ndarray) -> int:
    return r.size


def up_to(n: float, largest: float) -> float:
    total = largest
    for k in range(int(n)):
        total += 1.0 / (k + 1.0)
    return total


def relative(r: float, up_to: float) -> float:
    return 1.0 + r / up_to


def test_terms_of_whole_systems_take_arrays_and_others_floats(mock_cube: xr.Dataset) -> None:
    terms = {"largest": Reduction(largest), "n": Reduction(number_of), "up_to": up_to}
    own = Kernel("own", "of a user", "none", {"boost": relative, **terms})
    boost = own.boost(mock_cube)
    r = mock_cube["r"]
    n = r.notnull().sum("radius")
    harmonic = xr.apply_ufunc(lambda n: sum(1.0 / (k + 1.0) for k in range(int(n))), n, vectorize=True)
    expected = 1.0 + r / (r.max("radius") + n + harmonic)
    np.testing.assert_allclose(boost, expected, rtol=1e-14)
    result = sigcube.Sweep(mock_cube, kernel=own, sample="unflagged", axes={"upsilon_disk": [0.5, 0.6]}).compute()
    assert np.isfinite(result["rms_mean"]).all()


def test_what_a_reduction_cannot_do_with_an_array(mock_cube: xr.Dataset) -> None:
    def first_word(r: Any) -> Any:
        return r.splitlines()

    own = Kernel("own", "of a user", "none", {"boost": plain_of, "first": Reduction(first_word)})
    with pytest.raises(FormulaError, match="the term 'first' cannot be compiled"):
        sigcube.Sweep(mock_cube, kernel=own, axes={"upsilon_disk": [0.5, 0.6]})


def plain_of(first: float) -> float:
    return 1.0 + first
