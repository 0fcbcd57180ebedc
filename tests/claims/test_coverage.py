"""Every table of every paper has rows: each number in it stands in one of them."""

import re
from collections.abc import Iterable
from decimal import Decimal

import pytest

from sigcube.claims import Claim
from tests.claims.published_tables import TABLES, PaperTable

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
POWER = re.compile(r" ?[×·] ?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# Tables that hold words alone, or symbols, have nothing to recompute.
WITH_NUMBERS = [table for table in TABLES if table.numbers]


def name_of(table: PaperTable) -> str:
    return f"{table.paper} {table.place} {table.columns}"


def is_there(claim: Claim, table: PaperTable) -> bool:
    """Whether a row is of the place of a table: §4.3 is not §4.3.1, and not §4."""
    return claim.paper == table.paper and re.search(rf"{re.escape(table.place)}(?!\.?\d)", claim.where) is not None


def numbers_of(claims: Iterable[Claim]) -> set[Decimal]:
    """All numbers that rows name: what is published, and in words under which conditions."""
    found: set[Decimal] = set()
    for claim in claims:
        others = [str(getattr(reading.keys, "value", "")) for reading in claim.reading]
        words = " ".join([claim.published, claim.statement, claim.note, *others])
        plain = POWER.sub(lambda power: f"e{power[1].translate(RAISED)}", words)
        found.update(Decimal(number.replace(",", "")) for number in NUMBER.findall(plain))
    return found


def absent(table: PaperTable, claims: Iterable[Claim]) -> list[str]:
    """The numbers of a table that no row of its paper names."""
    known = numbers_of(claim for claim in claims if claim.paper == table.paper)
    return [number for number in table.numbers.split() if Decimal(number.replace(",", "")) not in known]


@pytest.mark.slow
@pytest.mark.parametrize("table", WITH_NUMBERS, ids=name_of)
def test_every_number_of_a_table_stands_in_a_row(table: PaperTable, shipped_claims: tuple[Claim, ...]) -> None:
    assert any(is_there(claim, table) for claim in shipped_claims)
    assert absent(table, shipped_claims) == []


def test_a_number_without_a_row_is_noticed(shipped_claims: tuple[Claim, ...]) -> None:
    table = PaperTable("cmsi", "Test results", "", "9.1e-7 123.456")
    assert absent(table, shipped_claims) == ["123.456"]
    assert not any(is_there(claim, PaperTable("sigma_gravity", "§4.31", "")) for claim in shipped_claims)


def test_there_are_rows_enough_of_every_paper(shipped_claims: tuple[Claim, ...]) -> None:
    assert len(shipped_claims) >= 150
    assert {claim.paper for claim in shipped_claims} == {table.paper for table in TABLES} | {"microphysics"}
