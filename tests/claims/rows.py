"""Rows of a ledger for tests, built from tables of readings."""

from collections.abc import Mapping
from typing import Any

from sigcube.claims import Claim, read_claims
from sigcube.claims.as_toml import toml_text

__all__ = ["claim_of", "row"]


def row(*readings: Mapping[str, Any], published: str = "1", id: str = "a.one") -> str:
    """The text of a file with one row; readings without a name have different ones."""
    head = toml_text({"id": id, "where": "§1", "statement": "a number", "published": published})
    tables = [f"\n[[claim.reading]]\n{_inline(reading)}" for reading in readings]
    return f'paper = "cmsi"\n\n[[claim]]\n{head}{"".join(tables)}'


def claim_of(*readings: Mapping[str, Any], published: str = "1", id: str = "a.one") -> Claim:
    (claim,) = read_claims(row(*readings, published=published, id=id), "rows of a test")
    return claim


def _inline(reading: Mapping[str, Any]) -> str:
    """A reading's keys, tables within lines."""
    return "".join(
        toml_text({"x": [value]}).replace("x = [", f"{key} = ", 1).rstrip()[:-1] + "\n"
        for key, value in reading.items()
    )
