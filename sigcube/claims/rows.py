"""The rows of the ledger, read from TOML.

A reading is one way to compute the number of a claim. Its keys come from three places, the nearest of which wins. There
is an example in ``sweeps/claims/README.md``.

1. ``[defaults.sweep]`` has keys for every reading of that quantity in the file, also for those within ``let``.
2. The first reading is written into the claim, and is named "as stated" unless it has a ``name``. (For a quantity with
   a key ``where`` of its own, such as ``printed``, it is the first ``[[claim.reading]]``.)
3. A further ``[[claim.reading]]`` starts from the first one, all but ``name`` and ``stated``, and says what differs.
   If it has a ``quantity``, it starts from the defaults of the file alone.

A table, such as ``settings``, is merged with the inherited one key by key; any other value replaces it.

One file of each paper introduces it, ``paper = { name = "cmsi", title = "CMSI", order = 3 }``; nothing else needs to
know of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.quantities.base import Keys
from sigcube.claims.verdicts import read_printed
from sigcube.errors import Fault, SigcubeError, SpecError, did_you_mean, error_from
from sigcube.shipped import shipped
from sigcube.toml import check, parse_toml, read_text

__all__ = [
    "Claim",
    "Paper",
    "Reading",
    "load_claims",
    "nearest_claims",
    "parse_reading",
    "read_claims",
    "shipped_papers",
    "split_link",
]

_FOLDER = "sweeps/claims"


class Paper(BaseModel):
    """A paper whose numbers the ledger holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: As rows and commands call it, and in full.
    name: str
    title: str
    #: The title in a word or two, for tables; without it the title stands there.
    short: str = ""
    #: Where its rows come in the ledger: papers with small numbers go first.
    order: int = 1000


@dataclass(frozen=True)
class Reading:
    """One way to understand a claim, and so to compute its number.

    Attributes
    ----------
    name : str
        The convention that it follows, in a few words.
    stated : bool
        Whether the text says so itself.
    scale : float
        What the value is multiplied by before it is compared.
    quantity : str
        One of `sigcube.claims.quantities.QUANTITIES`.
    keys : Keys
        The keys of that quantity.
    links : tuple of str or Reading
        The ids of claims, and the readings, that the value is made of.
    """

    name: str
    stated: bool
    scale: float
    quantity: str
    keys: Keys
    links: tuple["str | Reading", ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether it has a value."""
        return QUANTITIES[self.quantity].numeric


class _Common(BaseModel):
    """The keys that every reading has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str
    name: str = ""
    stated: bool | None = None
    scale: float = Field(default=1.0, allow_inf_nan=False)


class Claim(BaseModel):
    """A published number: where it is printed, what it is of, its digits, and the readings that compute it."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    source: Paper
    where: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    published: str = Field(min_length=1)
    unit: str = ""
    note: str = ""
    reading: tuple[Reading, ...] = Field(min_length=1)

    @property
    def paper(self) -> str:
        """The name of the paper."""
        return self.source.name

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        names = [reading.name for reading in self.reading]
        if len(set(names)) < len(names):
            raise ValueError(f"readings need names of their own: {', '.join(names)}")
        if all(reading.numeric for reading in self.reading):
            read_printed(self.published)
        elif len({reading.quantity for reading in self.reading}) > 1:
            raise ValueError("an assumption, or another printed number, is the only kind of reading of its row")
        return self


_OF_CLAIMS = frozenset({*Claim.model_fields, "paper"} - {"source"})
_OF_READINGS = frozenset(_Common.model_fields)


def parse_reading(given: Any, index: int = 0) -> Reading:
    """Check the keys of a reading: those that every reading has, and those of its quantity."""
    if not isinstance(given, Mapping):
        raise SpecError("a reading is a table", found=repr(given))
    common = check(_Common, {key: value for key, value in given.items() if key in _OF_READINGS})
    if common.quantity not in QUANTITIES:
        raise SpecError(f"there is no quantity {common.quantity!r}", hint=did_you_mean(common.quantity, QUANTITIES))
    own = {key: value for key, value in given.items() if key not in _OF_READINGS}
    keys = check(QUANTITIES[common.quantity].keys, own, also=_OF_READINGS)
    return Reading(
        name=common.name or ("as stated" if index == 0 else f"reading {index + 1}"),
        stated=index == 0 if common.stated is None else common.stated,
        scale=common.scale,
        quantity=common.quantity,
        keys=keys,
        links=tuple(link if isinstance(link, str) else parse_reading(link) for link in keys.linked()),
    )


def _unknown_key(key: str, known: Iterable[str]) -> SpecError:
    return SpecError(f"unknown key {key!r}", hint=did_you_mean(key, known))


def load_claims(files: Iterable[str | Path] = ()) -> tuple[Claim, ...]:
    """Load the rows that come with sigcube, or those of some files, paper by paper.

    Raises
    ------
    SpecError
        With every fault: of TOML, an unknown key or quantity, a missing one, an id that is there twice.
    """
    texts = {str(file): read_text(Path(file), what="the file of claims") for file in files}
    given = bool(texts)
    texts = texts or {f"{_FOLDER}/{name}.toml": text for name, text in sorted(shipped(_FOLDER).items())}
    claims, faults = _parse(texts)
    by_id: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in by_id:
            faults.append(Fault("the id is there twice", claim.id))
        by_id[claim.id] = claim
    if not given:
        # A file of one's own may link to rows that come with sigcube.
        faults += _dangling(by_id)
    if not claims and not faults:
        faults.append(Fault("there is no [[claim]]", ""))
    if faults:
        raise _refusal(faults, texts)
    return tuple(sorted(claims, key=lambda claim: (claim.source.order, claim.paper)))


def read_claims(text: str, where: str = "claims") -> tuple[Claim, ...]:
    """Read rows from TOML text."""
    claims, faults = _parse({where: text})
    if faults:
        raise _refusal(faults, [where])
    return tuple(claims)


def shipped_papers() -> dict[str, Paper]:
    """Return the papers that the files of sigcube introduce, by name and in their order."""
    # What introduces a paper stands before the first table, so the rows need not be parsed.
    heads = [
        parse_toml(text.partition("\n[")[0], what="it", where=f"{_FOLDER}/{name}.toml").get("paper")
        for name, text in shipped(_FOLDER).items()
    ]
    papers = [Paper.model_validate(head) for head in heads if isinstance(head, dict)]
    return {paper.name: paper for paper in sorted(papers, key=lambda paper: paper.order)}


def _refusal(faults: Sequence[Fault], files: Iterable[str]) -> SpecError:
    """Tell of all faults; a single one that names its file needs no list of files."""
    names = list(files)
    where = ", ".join(names)
    if len(faults) == 1 and any(faults[0].where.startswith(name) for name in names):
        where, faults = faults[0].where, [replace(faults[0], where="")]
    return error_from(SpecError, faults, what="the ledger's rows are wrong", where=where)


def _parse(texts: Mapping[str, str]) -> tuple[list[Claim], list[Fault]]:
    """Read the rows of files, and collect what is wrong with them."""
    contents: dict[str, dict[str, Any]] = {}
    papers = shipped_papers()
    faults: list[Fault] = []
    for where, text in texts.items():
        try:
            content = parse_toml(text, what="this", where=where)
            if isinstance(content.get("paper"), dict):
                paper = check(Paper, content["paper"])
                papers[paper.name] = paper
                content["paper"] = paper.name
            contents[where] = content
        except SpecError as error:
            faults.append(_fault(error, where))
    claims = [claim for where, content in contents.items() for claim in _rows(content, where, papers, faults)]
    return claims, faults


def _rows(content: Mapping[str, Any], where: str, papers: Mapping[str, Paper], faults: list[Fault]) -> Iterator[Claim]:
    known = ("paper", "defaults", "claim")
    faults += [Fault(f"unknown key {key!r}, {did_you_mean(key, known)}", where) for key in content if key not in known]
    rows, defaults = content.get("claim", []), content.get("defaults", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(Fault("rows are tables, each headed [[claim]]", where, repr(rows)))
        return
    try:
        _check_defaults(defaults)
    except SpecError as error:
        faults.append(_fault(error, f"{where}, defaults"))
        return
    for number, row in enumerate(rows, 1):
        try:
            yield _claim({"paper": content.get("paper"), **row}, defaults, papers)
        except SigcubeError as error:
            named = f" ({row['id']})" if isinstance(row.get("id"), str) else ""
            faults.append(_fault(error, f"{where}, row {number}{named}"))


def _fault(error: SigcubeError, where: str) -> Fault:
    told = "; ".join(part for part in (error.what, error.where, error.hint) if part and part != where)
    return Fault(told, where, error.found, error.expected)


def _check_defaults(defaults: Any) -> None:
    if not isinstance(defaults, dict) or not all(isinstance(keys, dict) for keys in defaults.values()):
        raise SpecError("defaults are tables, each headed [defaults.QUANTITY]", found=repr(defaults))
    for quantity, keys in defaults.items():
        if quantity not in QUANTITIES:
            raise SpecError(f"there is no quantity {quantity!r}", hint=did_you_mean(quantity, QUANTITIES))
        known = {*QUANTITIES[quantity].keys.model_fields, *_OF_READINGS} - {"quantity"}
        for key in keys:
            if key not in known:
                raise _unknown_key(key, known)


def _claim(row: Mapping[str, Any], defaults: Mapping[str, Any], papers: Mapping[str, Paper]) -> Claim:
    if (paper := papers.get(str(row["paper"]))) is None:
        hint = did_you_mean(row["paper"], papers)
        raise SpecError("key 'paper' is missing or unknown", found=repr(row["paper"]), hint=hint)
    first = {key: value for key, value in row.items() if key not in _OF_CLAIMS}
    if first and "quantity" not in first:
        raise _unknown_key(next(iter(first)), [*_OF_CLAIMS, "quantity"])
    others = row.get("reading", [])
    if not isinstance(others, list) or not all(isinstance(each, dict) for each in others):
        raise SpecError("key 'reading': readings are tables, [[claim.reading]]", found=repr(others))
    tables = [first, *others] if first else others
    inherited = {key: value for key, value in next(iter(tables), {}).items() if key not in ("name", "stated")}
    tables = [each if "quantity" in each else _merged(inherited, each) for each in tables]
    return check(
        Claim,
        {
            **{key: row[key] for key in _OF_CLAIMS & row.keys() - {"paper"}},
            "source": paper,
            "reading": [parse_reading(_with_defaults(table, defaults), i) for i, table in enumerate(tables)],
        },
    )


def _with_defaults(value: Any, defaults: Mapping[str, Any]) -> Any:
    """Fill a reading, and the readings within it, from the defaults of their quantities."""
    if not isinstance(value, Mapping):
        return value
    table = {key: _with_defaults(each, defaults) for key, each in value.items()}
    return _merged(defaults.get(str(table.get("quantity")), {}), table)


def _merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inherited keys overridden by one's own; tables are merged in the same way."""
    merged = {**inherited, **own}
    for key in inherited.keys() & own.keys():
        if isinstance(inherited[key], Mapping) and isinstance(own[key], Mapping):
            merged[key] = _merged(inherited[key], own[key])
    return merged


def split_link(link: str) -> tuple[str, str]:
    """Split a link, ``"id"`` or ``"id / reading"``, into the id of a claim and the name of a reading or nothing."""
    name, _, reading = link.partition("/")
    return name.strip(), reading.strip()


def nearest_claims(name: str, claims: Mapping[str, Claim]) -> str:
    """Return a hint on a misspelt id: the nearest ones, as there are too many to list."""
    near = ", ".join(map(repr, get_close_matches(name, claims)))
    return f"did you mean {near}?" if near else f"it is none of {len(claims)} ids"


def _dangling(claims: Mapping[str, Claim]) -> list[Fault]:
    """Find links to claims, or to readings of them, that are not there."""
    faults = []
    for claim in claims.values():
        for name, wanted in map(split_link, _linked_ids(claim.reading)):
            known = [reading.name for reading in claims[name].reading] if name in claims else []
            if name not in claims:
                faults.append(Fault(f"it needs claim {name!r}, {nearest_claims(name, claims)}", claim.id))
            elif wanted and wanted not in known:
                faults.append(Fault(f"{name} has no reading {wanted!r}, {did_you_mean(wanted, known)}", claim.id))
    return faults


def _linked_ids(readings: Iterable[Reading]) -> Iterator[str]:
    for link in (link for reading in readings for link in reading.links):
        if isinstance(link, str):
            yield link
        else:
            yield from _linked_ids([link])
