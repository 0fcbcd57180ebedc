"""The page of published SPARC numbers is what the engine gives, and says what it should."""

import pytest
import xarray as xr

from tests.published_sparc import PAGE, Row, evaluate, page


@pytest.fixture(scope="module")
def rows(sparc_cube: xr.Dataset) -> list[Row]:
    return evaluate(sparc_cube)


@pytest.mark.page
@pytest.mark.slow
def test_page_is_current(rows: list[Row]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(rows)


@pytest.mark.page
@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("Σ-Gravity: mean RMS, km/s", 4),  # amplitude with D = f_bulge, R_d = R[N//3]
        ("Σ-Gravity: win rate, %", 4),
        ("canonical ξ: mean RMS, km/s", 1),  # constant amplitude, R_d at the peak of V_disk
        ("ξ_dyn, k = 0.24: mean RMS, km/s (σ_eff weights scaled)", 1),
        ("ξ_dyn, k = 0.47: win rate, % (σ_eff weights scaled)", 1),
        ("ξ_dynamical: standard deviation, kpc (σ_eff weights scaled)", 1),
        ("mean of ξ_dyn/ξ_can (σ_eff weights scaled)", 1),
    ],
)
def test_reading_behind_a_table(rows: list[Row], statement: str, column: int) -> None:
    row = next(row for row in rows if row.statement == statement)
    assert row.text(row.found[column]) == row.printed


def test_match_is_by_printed_digits() -> None:
    row = Row("SI §5", "a number", "17.75", (17.7549, 17.7551, -0.001))
    assert [row.matches(value) for value in row.found] == [True, False, False]
    assert row.text(-0.001) == "0.00"
