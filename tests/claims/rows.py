"""Rows of a ledger for tests, built from tables of readings, and what a quantity is computed in."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import xarray as xr

from sigcube.claims import Claim, read_claims
from sigcube.claims.as_toml import toml_text

__all__ = ["OneCube", "claim_of", "row"]


def row(*readings: Mapping[str, Any], published: str = "1", id: str = "a.one", **more: Any) -> str:
    """The text of a file with one row; the text states the first reading, and those that are ``stated``."""
    head = toml_text({"id": id, "where": "§1", "statement": "a number", "published": published, **more})
    tables = [f"\n[[claim.reading]]\n{_inline(_quoted(each, at))}" for at, each in enumerate(readings)]
    return f'paper = "cmsi"\n\n[[claim]]\n{head}{"".join(tables)}'


def claim_of(*readings: Mapping[str, Any], published: str = "1", id: str = "a.one", **more: Any) -> Claim:
    (claim,) = read_claims(row(*readings, published=published, id=id, **more), "rows of a test")
    return claim


def _quoted(reading: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A reading with words of the text, if that states it."""
    told = dict(reading)
    stated = told.pop("stated", index == 0 and not {"against", "convention"} & told.keys())
    return {"quote": "§1: its words", **told} if stated else told


def _inline(reading: Mapping[str, Any]) -> str:
    """A reading's keys, tables within lines."""
    return "".join(
        toml_text({"x": [value]}).replace("x = [", f"{key} = ", 1).rstrip()[:-1] + "\n"
        for key, value in reading.items()
    )


class OneCube:
    """A context with one cube, whatever dataset is asked for, and without links."""

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube
        self._made: dict[Hashable, Any] = {}

    def cube(self, dataset: str) -> xr.Dataset:
        return self._cube

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def linked(self, link: Any) -> Any:
        raise AssertionError(link)

    @property
    def made(self) -> int:
        return len(self._made)
