"""The rows of the ledger, as their files say them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.quantities.base import Keys
from sigcube.claims.verdicts import read_printed
from sigcube.errors import Fault, SigcubeError, SpecError, did_you_mean, error_from
from sigcube.shipped import shipped
from sigcube.toml import check, parse_toml, read_text

__all__ = ["PAPERS", "TEXTS", "Claim", "Paper", "Reading", "load_claims", "parse_reading", "read_claims"]

Paper = Literal["sigma_gravity", "supplementary_information", "cmsi", "mass_coherence", "microphysics"]
#: The titles of the papers, by the names that rows give them.
PAPERS: Mapping[str, str] = {
    "sigma_gravity": "Σ-Gravity: main paper",
    "supplementary_information": "Σ-Gravity: supplementary information",
    "cmsi": "CMSI",
    "mass_coherence": "Mass coherence",
    "microphysics": "Microphysics",
}
#: Quantities whose published text need not be a number, and which have no value.
TEXTS = ("assumption", "printed")


@dataclass(frozen=True)
class Reading:
    """One way of understanding a claim.

    Attributes
    ----------
    name : str
        Its convention, in a few words.
    stated : bool
        Whether the text says so itself.
    scale : float
        What the value is multiplied by before it is compared.
    quantity : str
        One of `sigcube.claims.quantities.QUANTITIES`.
    keys : Keys
        What that needs to know.
    """

    name: str
    stated: bool
    scale: float
    quantity: str
    keys: Keys


class _Common(BaseModel):
    """The keys that every reading has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str
    name: str = ""
    stated: bool | None = None
    scale: float = Field(default=1.0, allow_inf_nan=False)


class Claim(BaseModel):
    """A published number: where it stands, what it is of, its digits, and the readings under which it is computed."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    paper: Paper
    where: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    published: str = Field(min_length=1)
    unit: str = ""
    note: str = ""
    reading: tuple[Reading, ...] = Field(min_length=1)

    @field_validator("reading", mode="before")
    @classmethod
    def _parsed(cls, given: Any) -> tuple[Reading, ...]:
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise ValueError("readings are tables, [[claim.reading]]")
        return tuple(each if isinstance(each, Reading) else parse_reading(each, i) for i, each in enumerate(given))

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        names = [reading.name for reading in self.reading]
        if len(set(names)) < len(names):
            raise ValueError(f"readings need names of their own: {', '.join(names)}")
        if not any(reading.quantity in TEXTS for reading in self.reading):
            read_printed(self.published)
        elif len({reading.quantity for reading in self.reading}) > 1:
            raise ValueError("an assumption, or another printed number, is the only kind of reading of its row")
        return self


def parse_reading(given: Any, place: int = 0) -> Reading:
    """Check a reading's keys: those that all have, and those of its quantity.

    Raises
    ------
    SpecError
        Naming the key.
    """
    if not isinstance(given, Mapping):
        raise SpecError("a reading is a table", found=repr(given))
    own = {key: value for key, value in given.items() if key not in _Common.model_fields}
    common = check(_Common, {key: value for key, value in given.items() if key in _Common.model_fields})
    if common.quantity not in QUANTITIES:
        raise SpecError(f"there is no quantity {common.quantity!r}", hint=did_you_mean(common.quantity, QUANTITIES))
    keys = check(QUANTITIES[common.quantity].keys, own, also=_Common.model_fields)
    for link in keys.linked():
        if not isinstance(link, str):
            parse_reading(link)
    name = common.name or ("as stated" if place == 0 else f"reading {place + 1}")
    return Reading(name, place == 0 if common.stated is None else common.stated, common.scale, common.quantity, keys)


def load_claims(files: Iterable[str | Path] = ()) -> tuple[Claim, ...]:
    """Load the rows that come with sigcube, or those of some files, paper by paper.

    Raises
    ------
    SpecError
        With every fault: of TOML, an unknown key or quantity, a missing one, an id that is there twice.
    """
    paths = [Path(file) for file in files]
    texts = {str(path): read_text(path, what="the file of claims") for path in paths} if paths else _shipped()
    claims: list[Claim] = []
    faults: list[Fault] = []
    for name, text in texts.items():
        claims += _parse(text, name, faults)
    claims_by_id: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in claims_by_id:
            faults.append(Fault("the id is there twice", claim.id))
        claims_by_id[claim.id] = claim
    # Ids of other files are known only where all are there.
    faults += [] if paths else _dangling(claims_by_id)
    if not claims and not faults:
        faults.append(Fault("there is no [[claim]]", ""))
    if faults:
        raise _refusal(faults, texts)
    order = list(PAPERS)
    return tuple(sorted(claims, key=lambda claim: order.index(claim.paper)))


def read_claims(text: str, where: str = "claims") -> tuple[Claim, ...]:
    """Read rows from TOML text."""
    faults: list[Fault] = []
    claims = _parse(text, where, faults)
    if faults:
        raise _refusal(faults, [where])
    return tuple(claims)


def _refusal(faults: Sequence[Fault], files: Iterable[str]) -> SpecError:
    """Tell of all faults; a single one that says itself in which file it is needs no list of them."""
    names = list(files)
    where = ", ".join(names)
    if len(faults) == 1 and any(faults[0].where.startswith(name) for name in names):
        where, faults = faults[0].where, [replace(faults[0], where="")]
    return error_from(SpecError, faults, what="the ledger's rows are wrong", where=where)


def _shipped() -> dict[str, str]:
    return {f"sweeps/claims/{name}.toml": text for name, text in sorted(shipped("sweeps/claims").items())}


def _parse(text: str, where: str, faults: list[Fault]) -> list[Claim]:
    try:
        content = parse_toml(text, what="this", where=where)
    except SpecError as error:
        faults.append(Fault(error.what, where, error.found))
        return []
    faults += [
        Fault(f"unknown key {key!r}, {did_you_mean(key, ('paper', 'claim'))}", where)
        for key in content
        if key not in ("paper", "claim")
    ]
    rows = content.get("claim", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(Fault("rows are tables, each headed [[claim]]", where, repr(rows)))
        return []
    claims = [_claim(row, content.get("paper"), f"{where}, row {i}", faults) for i, row in enumerate(rows, 1)]
    return [claim for claim in claims if claim is not None]


def _claim(row: Mapping[str, Any], paper: Any, place: str, faults: list[Fault]) -> Claim | None:
    named = f"{place} ({row['id']})" if isinstance(row.get("id"), str) else place
    try:
        given = {**({"paper": paper} if paper is not None else {}), **row}
        if given.get("paper") not in get_args(Paper):
            hint = did_you_mean(given.get("paper"), get_args(Paper))
            raise SpecError("key 'paper' is missing or unknown", found=repr(given.get("paper")), hint=hint)
        claim = check(Claim, given)
    except SigcubeError as error:
        told = "; ".join(part for part in (error.what, error.where, error.hint) if part)
        faults.append(Fault(told, named, error.found, error.expected))
        return None
    return claim


def _dangling(claims: Mapping[str, Claim]) -> list[Fault]:
    """Find links to claims, or readings of them, that are not there."""
    faults = []
    for claim in claims.values():
        for link in _links(claim):
            name, _, reading = (part.strip() for part in link.partition("/"))
            if name not in claims:
                faults.append(Fault(f"it needs claim {name!r}, {did_you_mean(name, claims)}", claim.id))
            elif reading and reading not in [each.name for each in claims[name].reading]:
                known = [each.name for each in claims[name].reading]
                faults.append(Fault(f"{name} has no reading {reading!r}, {did_you_mean(reading, known)}", claim.id))
    return faults


def _links(claim: Claim) -> list[str]:
    found: list[str] = []
    waiting = list(claim.reading)
    while waiting:
        for link in waiting.pop().keys.linked():
            if isinstance(link, str):
                found.append(link)
            else:
                waiting.append(parse_reading(link))
    return found
