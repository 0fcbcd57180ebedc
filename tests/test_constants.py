"""Constants: the papers' rounding to the digit, CODATA as astropy has it."""

import dataclasses

import astropy.constants as astropy
import pytest

from sigcube.constants import CODATA, CONSTANTS, PAPER, Constants


def test_paper_constants_are_the_printed_ones() -> None:
    # SI §2.
    assert dataclasses.asdict(PAPER) == {
        "c": 2.998e8,
        "H0": 2.27e-18,
        "G": 6.674e-11,
        "Msun": 1.989e30,
        "kpc": 3.086e19,
        "AU": 1.496e11,
        "G_galactic": 4.30091e-6,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("c", astropy.c), ("G", astropy.G), ("Msun", astropy.M_sun), ("kpc", astropy.kpc), ("AU", astropy.au)],
)
def test_codata_is_astropys(name: str, value: astropy.Constant) -> None:
    assert getattr(CODATA, name) == pytest.approx(value.si.value, rel=1e-7)


def test_codata_hubble_constant_is_seventy() -> None:
    assert CODATA.H0 * CODATA.kpc == pytest.approx(70.0, rel=1e-12)


@pytest.mark.parametrize(
    ("constants", "value"),
    [
        # main §2.10 prints 9.60e-11
        (PAPER, 9.599e-11),
        # with 70 km/s/Mpc unrounded
        (CODATA, 9.593e-11),
    ],
)
def test_critical_acceleration(constants: Constants, value: float) -> None:
    assert constants.g_dagger == pytest.approx(value, rel=5e-4)


def test_the_table_of_constants() -> None:
    assert CONSTANTS == {"paper": PAPER, "codata": CODATA}
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'c'"):
        PAPER.c = 3e8  # type: ignore[misc]
