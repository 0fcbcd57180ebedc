"""Axis values with a unit: in that of the parameter, or one clear error."""

from typing import Any

import astropy.units as u
import numpy as np
import pytest
import xarray as xr

from sigcube.errors import SpecError
from sigcube.plan.grid import Grid, make_grid
from sigcube.plan.spec import make_spec


def grid_of(axes: Any, **more: Any) -> Grid:
    return make_spec(kind="galaxy", kernel="sigma", axes=axes, fixed={"window": "free_scale"}, **more).grid


@pytest.mark.parametrize(
    "given",
    [
        [500.0, 1000.0] * u.pc,
        # what a list comprehension over quantities makes
        [500.0 * u.pc, 1.0 * u.kpc],
        xr.DataArray([500.0, 1000.0], dims="xi", attrs={"units": "pc"}),
        # the coordinate of a result, in the parameter's own unit
        xr.DataArray([0.5, 1.0], dims="xi", attrs={"units": "kpc"}),
        ("xi", [500.0, 1000.0] * u.pc),
        {"values": [500.0, 1000.0] * u.pc, "dim": "xi"},
    ],
    ids=["quantity", "list of quantities", "array with units", "array in kpc", "pair", "table"],
)
def test_a_unit_is_heeded(given: Any) -> None:
    assert grid_of({"xi": given}).axes[0].values == (0.5, 1.0)


def test_a_unit_of_a_product_is_heeded() -> None:
    values = grid_of({"g_dagger": np.array([1.0, 2.0]) * 1e-13 * u.km / u.s**2}).axes[0].values
    assert values == pytest.approx((1e-10, 2e-10), rel=1e-15)


@pytest.mark.parametrize(
    ("axes", "found", "expected"),
    [
        ({"xi": [1.0, 2.0] * u.s}, "s", "kpc"),
        ({"A": [1.0, 2.0] * u.kpc}, "kpc", "no unit"),
        ({"xi": xr.DataArray([1.0], dims="xi", attrs={"units": "parsnips"})}, "parsnips", "kpc"),
        ({"xi": [1.0 * u.kpc, 2.0]}, "[<Quantity 1. kpc>, 2.0]", None),
    ],
    ids=["another kind", "none has one", "no unit at all", "with and without"],
)
def test_a_unit_that_does_not_fit_is_refused(axes: Any, found: str, expected: str | None) -> None:
    with pytest.raises(SpecError) as raised:
        grid_of(axes)
    assert (raised.value.where, raised.value.found, raised.value.expected) == (
        f"axes.{next(iter(axes))}",
        found,
        expected,
    )


def test_what_is_fixed_is_converted_to_a_plain_number() -> None:
    a0, pc = 1.2e-8 * u.cm / u.s**2, 500.0 * u.pc
    settings = {"kernel": "sigma", "fixed": {"window": "free_scale", "xi": pc}}
    spec = make_spec(
        kind="galaxy",
        models={"scale": settings, "law": "mond"},
        fixed={"a0": a0},
        reference={"kernel": "mond", "a0": a0},
    )
    found = [spec.models["scale"].settings["xi"], spec.models["law"].settings["a0"]]
    assert spec.reference is not None
    found.append(spec.reference.settings["a0"])
    assert found == [0.5, pytest.approx(1.2e-10, rel=1e-15), pytest.approx(1.2e-10, rel=1e-15)]
    assert {type(each) for each in found} == {float}


def test_what_is_fixed_in_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"xi has a unit of another kind\n  where: fixed.xi\n  found: s\n  expected: kpc"
    ):
        make_spec(kind="galaxy", kernel="sigma", fixed={"window": "free_scale", "xi": 1.0 * u.s})


def test_settings_of_a_reference_stand_beside_its_kernel() -> None:
    with pytest.raises(SpecError, match=r"a reference has no table(.|\n)*stand beside its kernel"):
        grid_of({"A": [1.0]}, reference={"kernel": "mond", "fixed": {"nu": "simple"}})


def test_no_grid_drops_a_unit() -> None:
    with pytest.raises(SpecError, match="axis 'A' has a unit that nothing converts"):
        make_grid({"A": [1.0, 2.0] * u.pc})
