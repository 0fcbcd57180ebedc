"""Sampled cases: indices within the error of the sample, of closed forms and of the exact split of a real kernel."""

import sys
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube import Sweep, linspace
from sigcube.analysis import sampled_cases, sensitivity, sensitivity_of_cases
from sigcube.errors import SigcubeError, SpecError

PI = (-np.pi, np.pi)


def evaluated(cases: dict[str, Any], function: Any, name: str = "f") -> xr.DataArray:
    """The values of a function of the axes, as a result has them."""
    values = function(*(np.array(each) for _, each in cases.values()))
    return xr.DataArray(values, dims="case", coords=cases, name=name, attrs={"units": "km/s"})


def ishigami(x: Any, y: Any, z: Any) -> Any:
    return np.sin(x) + 7.0 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def test_the_function_of_ishigami_has_its_indices_within_the_error_of_the_sample() -> None:
    # Ishigami & Homma 1990
    v_x, v_y, v_xz = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 49 / 8, 0.01 * np.pi**8 * 8 / 225
    v = v_x + v_y + v_xz
    cases = sampled_cases({"x": PI, "y": PI, "z": PI}, n=2048, seed=1)
    assert len(cases["x"][1]) == 2048 * 8
    found = sensitivity_of_cases(evaluated(cases, ishigami))
    np.testing.assert_allclose(found.first, [v_x / v, v_y / v, 0], atol=0.03)
    np.testing.assert_allclose(found.total, [(v_x + v_xz) / v, v_y / v, v_xz / v], atol=0.03)
    assert float(found.interaction.sel(axis="x", other_axis="z")) == pytest.approx(v_xz / v, abs=0.05)
    assert float(found.interaction.sel(axis="x", other_axis="y")) == pytest.approx(0.0, abs=0.05)
    assert (found.interaction.sel(axis="z", other_axis="x") == found.interaction.sel(axis="x", other_axis="z")).all()
    assert float(found["mean"]) == pytest.approx(3.5, abs=0.1)
    assert float(found.variance) == pytest.approx(v, rel=0.05)
    assert ((found.first_margin > 0) & (found.first_margin < 0.1)).all()
    assert found.variance.attrs["units"] == "(km/s)2"


def test_the_g_function_has_its_indices_without_second_orders_and_in_logarithms() -> None:
    # Π (|4x − 2| + a)/(1 + a), Sobol' 1993; the second axis is sampled uniformly in its logarithm
    a = np.array([0.0, 0.5, 3.0])
    cases = sampled_cases(
        {"u": (0.0, 1.0), "v": (1.0, np.e), "w": (0.0, 1.0)}, n=2048, second_order=False, log=["v"], seed=2
    )
    assert len(cases["u"][1]) == 2048 * 5

    def g(u: Any, v: Any, w: Any) -> Any:
        return np.prod([(abs(4 * x - 2) + each) / (1 + each) for x, each in zip((u, np.log(v), w), a, strict=True)], 0)

    found = sensitivity_of_cases(evaluated(cases, g), log=["v"])
    own = 1 / (3 * (1 + a) ** 2)
    v = np.prod(1 + own) - 1
    np.testing.assert_allclose(found.first, own / v, atol=0.03)
    np.testing.assert_allclose(found.total, own / v * [np.prod(np.delete(1 + own, i)) for i in range(3)], atol=0.03)
    assert "interaction" not in found


def test_trajectories_tell_which_axes_have_an_effect() -> None:
    cases = sampled_cases({"a": (0.0, 2.0), "b": (1.0, 3.0), "c": (0.0, 1.0)}, n=20, method="morris", seed=3)
    assert len(cases["a"][1]) == 20 * 4
    found = sensitivity_of_cases(evaluated(cases, lambda a, b, c: 3.0 * a - b), method="morris")
    # Linear: an effect is the change over the whole range, everywhere the same.
    np.testing.assert_allclose(found.effect, [6.0, 2.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.signed_effect, [6.0, -2.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.spread, 0.0, atol=1e-12)
    product = sensitivity_of_cases(evaluated(cases, lambda a, b, c: a * b), method="morris")
    assert float(product.spread.sel(axis="a")) > 0.5


@pytest.mark.slow
def test_a_sweep_of_cases_agrees_with_the_exact_split_of_its_grid(mock_cube: xr.Dataset) -> None:
    few = {"sample": "unflagged", "kernel": "sigma", "keep": ["galaxy"]}
    cube = mock_cube.isel(galaxy=slice(0, 5))
    ranges = {"A": (0.5, 2.0), "g_dagger": (5e-11, 1.5e-10)}
    exact = sensitivity(
        Sweep(cube, axes={name: linspace(*ends, 24) for name, ends in ranges.items()}, **few).compute().rms
    )
    result = Sweep(cube, axes=sampled_cases(ranges, n=256, seed=4), **few).compute()
    found = sensitivity_of_cases(result.rms)
    assert found.first.dims == ("galaxy", "axis")
    np.testing.assert_array_equal(found.galaxy, exact.galaxy)
    for name in ("first", "total"):
        np.testing.assert_allclose(found[name].sel(axis=exact.axis), exact[name], atol=0.08, err_msg=name)
    # Lazy and in memory, and whatever the order of the axes in the result.
    xr.testing.assert_identical(found, sensitivity_of_cases(result.rms.chunk(case=100)))
    turned = result.rms.drop_vars(["A", "g_dagger"]).assign_coords(g_dagger=result.g_dagger, A=result.A)
    xr.testing.assert_identical(found, sensitivity_of_cases(turned))


def test_where_nothing_varies_there_are_no_indices() -> None:
    cases = sampled_cases({"x": PI, "y": PI}, n=8)
    found = sensitivity_of_cases(evaluated(cases, lambda x, y: 0.0 * x + 2.0))
    assert float(found.variance) == 0.0
    assert np.isnan(found.first).all()
    assert np.isnan(found.interaction).all()


def test_the_same_seed_gives_the_same_cases_and_intervals() -> None:
    one, same, other = (sampled_cases({"x": PI, "y": PI}, n=16, seed=seed) for seed in (0, 0, 1))
    assert one == same != other
    array = evaluated(one, lambda x, y: x * y)
    xr.testing.assert_identical(sensitivity_of_cases(array), sensitivity_of_cases(array))
    assert not sensitivity_of_cases(array).equals(sensitivity_of_cases(array, seed=1))


@pytest.mark.parametrize(
    ("ranges", "options", "words"),
    [
        ({"x": (0, 1)}, {}, "two axes or more"),
        ({"x": (0, 1), "y": (1, 1)}, {}, "this is no range"),
        ({"x": (0, 1), "y": (1, 2, 3)}, {}, "a range has two ends"),
        ({"x": (0, 1), "y": (1, 2)}, {"log": ["x"]}, r"(?s)no range.*0 < low"),
        ({"x": (0, 1), "y": (1, 2)}, {"log": ["z"]}, "there is no axis 'z'"),
        ({"x": (0, 1), "y": (1, 2)}, {"n": 100}, "a power of two"),
        ({"x": (0, 1), "y": (1, 2)}, {"method": "morris", "n": 1}, "two trajectories"),
        ({"x": (0, 1), "y": (1, 2)}, {"method": "morris", "levels": 5}, "an even number"),
        ({"x": (0, 1), "y": (1, 2)}, {"method": "sobo"}, r"(?s)no method 'sobo'.*did you mean 'sobol'"),
    ],
)
def test_bad_ranges_get_one_clear_error(ranges: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        sampled_cases(ranges, **{"n": 8, **options})


def test_what_is_no_such_sample_any_more_is_refused() -> None:
    array = evaluated(sampled_cases({"x": PI, "y": PI}, n=8), lambda x, y: x * y)
    for changed in (array.isel(case=slice(1, None)), array.isel(case=slice(None, None, -1)).isel(case=slice(5, 11))):
        with pytest.raises(SpecError, match=r"(?s)not such a sample.*Saltelli"):
            sensitivity_of_cases(changed)
    with pytest.raises(SpecError, match=r"(?s)not such a sample.*trajectories"):
        sensitivity_of_cases(array, method="morris")
    with pytest.raises(SpecError, match="no axis 'cas'"):
        sensitivity_of_cases(array, dim="cas")
    with pytest.raises(SpecError, match=r"(?s)a finite value of each case.*1 of 48"):
        sensitivity_of_cases(
            array.where(array.case != 3) if "case" in array.coords else array.where(np.arange(48) != 3)
        )
    with pytest.raises(SpecError, match="no level of confidence"):
        sensitivity_of_cases(array, confidence=1.0)


def test_without_salib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SALib.sample", None)
    with pytest.raises(SigcubeError, match=r'(?s)need SALib.*pip install "sigcube\[sa\]"'):
        sampled_cases({"x": PI, "y": PI}, n=8)
