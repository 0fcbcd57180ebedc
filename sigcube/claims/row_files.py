"""The rows of the ledger, read from TOML.

The keys of a reading come from three places, the nearest of which wins.

1. ``[defaults.sweep]`` has keys for every reading of that quantity in the file, also for those within ``let``. Its
   ``quote`` is for first readings alone.
2. The first reading is written into the claim. (For a quantity with a key ``where`` of its own, such as ``printed``, it
   is the first ``[[claim.reading]]``.)
3. A further ``[[claim.reading]]`` starts from the first one, all but what tells whose reading it is, and says what
   differs. If it has a ``quantity``, it starts from the defaults of the file alone.

A table, such as ``settings``, is merged with the inherited one key by key; any other value replaces it. A row that
``repeats`` another has its readings, and none of its own.

One file of each paper introduces it, ``paper = { name = "cmsi", title = "CMSI", order = 3 }``; nothing else needs to
know of it. The conventions of all papers are in one file, by id.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.rows import (
    KEYS_OF_CLAIMS,
    KEYS_OF_READINGS,
    Claim,
    Convention,
    Paper,
    Reading,
    parse_reading,
)
from sigcube.errors import Fault, SigcubeError, SpecError, did_you_mean, error_from
from sigcube.shipped import shipped
from sigcube.toml import check, parse_toml, read_text

__all__ = ["load_claims", "nearest_claims", "read_claims", "shipped_conventions", "shipped_papers", "split_link"]

_FOLDER = "sweeps/claims"
_CONVENTIONS = "conventions"
# Keys that belong to one reading, and are not inherited by the next.
_OWN = ("name", "quote", "against", "convention", "consistency", "tried")


@dataclass
class _Known:
    """Names that rows may refer to, and the faults found on the way."""

    papers: dict[str, Paper]
    conventions: dict[str, Convention]
    faults: list[Fault] = field(default_factory=list)


def _unknown_key(key: str, known: Iterable[str]) -> SpecError:
    return SpecError(f"unknown key {key!r}", hint=did_you_mean(key, known))


def load_claims(files: Iterable[str | Path] = ()) -> tuple[Claim, ...]:
    """Load the rows that come with sigcube, or those of some files, paper by paper.

    Raises
    ------
    SpecError
        With every fault: invalid TOML, an unknown or missing key or quantity, or an id that is used twice.
    """
    texts = {str(file): read_text(Path(file), what="the file of claims") for file in files}
    given = bool(texts)
    texts = texts or _shipped_texts()
    claims, faults = _parse(texts)
    by_id: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in by_id:
            faults.append(Fault("the id is there twice", claim.id))
        by_id[claim.id] = claim
    if not given:
        # A user's file may link to rows that come with sigcube.
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


def _shipped_texts() -> dict[str, str]:
    texts = {name: text for name, text in sorted(shipped(_FOLDER).items()) if name != _CONVENTIONS}
    return {f"{_FOLDER}/{name}.toml": text for name, text in texts.items()}


def shipped_papers() -> dict[str, Paper]:
    """Return the papers that the files of sigcube introduce, by name and in their order."""
    # A paper is introduced before the first table, so the rows need not be parsed.
    heads = [
        parse_toml(text.partition("\n[")[0], what="it", where=where).get("paper")
        for where, text in _shipped_texts().items()
    ]
    papers = [Paper.model_validate(head) for head in heads if isinstance(head, dict)]
    return {paper.name: paper for paper in sorted(papers, key=lambda paper: paper.order)}


def shipped_conventions() -> dict[str, Convention]:
    """Return the conventions that readings follow, by id."""
    where = f"{_FOLDER}/{_CONVENTIONS}.toml"
    content = parse_toml(shipped(_FOLDER)[_CONVENTIONS], what="it", where=where)
    return {name: check(Convention, each) for name, each in content.items()}


def _refusal(faults: Sequence[Fault], files: Iterable[str]) -> SpecError:
    """Raise all faults; a single one that names its file needs no list of files."""
    names = list(files)
    where = ", ".join(names)
    if len(faults) == 1 and any(faults[0].where.startswith(name) for name in names):
        where, faults = faults[0].where, [replace(faults[0], where="")]
    return error_from(SpecError, faults, what="the ledger's rows are wrong", where=where)


def _parse(texts: Mapping[str, str]) -> tuple[list[Claim], list[Fault]]:
    """Read the rows of files, and collect their faults."""
    contents: dict[str, dict[str, Any]] = {}
    known = _Known(shipped_papers(), shipped_conventions())
    for where, text in texts.items():
        try:
            content = parse_toml(text, what="this", where=where)
            if isinstance(content.get("paper"), dict):
                paper = check(Paper, content["paper"])
                known.papers[paper.name] = paper
                content["paper"] = paper.name
            contents[where] = content
        except SpecError as error:
            known.faults.append(_fault(error, where))
    rows = [row for where, content in contents.items() for row in _rows(content, where, known)]
    # A row that repeats another has its readings, which may be in a later file.
    claims = [each for _, each in rows if isinstance(each, Claim)]
    by_id = {claim.id: claim for claim in claims}
    wanted = {str(each["repeats"]) for _, each in rows if isinstance(each, Mapping)}
    if not wanted <= by_id.keys() and set(texts) != set(_shipped_texts()):
        by_id = {claim.id: claim for claim in load_claims()} | by_id
    found = [_repeated(each, where, by_id, known) if isinstance(each, Mapping) else each for where, each in rows]
    return [claim for claim in found if claim is not None], known.faults


def _repeated(row: Mapping[str, Any], where: str, by_id: Mapping[str, Claim], known: _Known) -> Claim | None:
    """Make the claim of a row that repeats another."""
    target = by_id.get(str(row["repeats"]))
    if target is None or target.repeats:
        hint = nearest_claims(str(row["repeats"]), by_id) if target is None else f"name {target.repeats!r}"
        known.faults.append(Fault(f"it repeats {row['repeats']!r}, which stands for no number; {hint}", where))
        return None
    same = {key: getattr(target, key) for key in ("unit", "tolerance", "meaning", "note")}
    readings = target.reading
    if row["source"] != target.source:
        # Quotes of another paper name it.
        short = target.source.short or target.source.title
        readings = tuple(replace(each, quote=_of_paper(each.quote, short)) for each in readings)
        if target.note:
            # So do the sections that its note speaks of.
            same["note"] = f"As told of {target.id}, {short}: {target.note}"
    try:
        return check(Claim, {**same, **row, "reading": readings})
    except SpecError as error:
        known.faults.append(_fault(error, where))
        return None


def _of_paper(quote: str, short: str) -> str:
    """Put the name of a paper before the section of a quote that lacks it."""
    return f"{short} {quote}" if quote.startswith(("§", "Abstract", "Figure")) else quote


def _rows(content: Mapping[str, Any], where: str, known: _Known) -> Iterator[tuple[str, Claim | Mapping[str, Any]]]:
    """Yield each row with its place: a claim, or what is said of one that repeats another."""
    keys = ("paper", "defaults", "claim")
    known.faults += [
        Fault(f"unknown key {key!r}, {did_you_mean(key, keys)}", where) for key in content if key not in keys
    ]
    rows, defaults = content.get("claim", []), content.get("defaults", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        known.faults.append(Fault("rows are tables, each headed [[claim]]", where, repr(rows)))
        return
    try:
        _check_defaults(defaults)
    except SpecError as error:
        known.faults.append(_fault(error, f"{where}, defaults"))
        return
    for number, row in enumerate(rows, 1):
        named = f" ({row['id']})" if isinstance(row.get("id"), str) else ""
        place = f"{where}, row {number}{named}"
        try:
            yield place, _claim({"paper": content.get("paper"), **row}, defaults, known)
        except SigcubeError as error:
            known.faults.append(_fault(error, place))


def _fault(error: SigcubeError, where: str) -> Fault:
    told = "; ".join(part for part in (error.what, error.where, error.hint) if part and part != where)
    return Fault(told, where, error.found, error.expected)


def _check_defaults(defaults: Any) -> None:
    if not isinstance(defaults, dict) or not all(isinstance(keys, dict) for keys in defaults.values()):
        raise SpecError("defaults are tables, each headed [defaults.QUANTITY]", found=repr(defaults))
    for quantity, keys in defaults.items():
        if quantity not in QUANTITIES:
            raise SpecError(f"there is no quantity {quantity!r}", hint=did_you_mean(quantity, QUANTITIES))
        known = {*QUANTITIES[quantity].keys.model_fields, *KEYS_OF_READINGS} - {"quantity"}
        for key in keys:
            if key not in known:
                raise _unknown_key(key, known)


def _claim(row: Mapping[str, Any], defaults: Mapping[str, Any], known: _Known) -> Claim | Mapping[str, Any]:
    if (paper := known.papers.get(str(row["paper"]))) is None:
        hint = did_you_mean(row["paper"], known.papers)
        raise SpecError("key 'paper' is missing or unknown", found=repr(row["paper"]), hint=hint)
    own = {**{key: row[key] for key in KEYS_OF_CLAIMS & row.keys() - {"paper", "reading"}}, "source": paper}
    first = {key: value for key, value in row.items() if key not in KEYS_OF_CLAIMS}
    if "repeats" in row:
        if first or "reading" in row:
            raise SpecError("a row that repeats another has its readings, and none of its own", where="repeats")
        # Checked as far as possible: the readings come with the row that it names.
        check(Claim, {**own, "reading": [parse_reading({"quantity": "assumption", "because": "checked"})]})
        return own
    if first and "quantity" not in first:
        strange = next((key for key in first if key not in KEYS_OF_READINGS), next(iter(first)))
        raise _unknown_key(strange, [*KEYS_OF_CLAIMS, "quantity"])
    others = row.get("reading", [])
    if not isinstance(others, list) or not all(isinstance(each, dict) for each in others):
        raise SpecError("key 'reading': readings are tables, [[claim.reading]]", found=repr(others))
    tables = [first, *others] if first else others
    inherited = {key: value for key, value in next(iter(tables), {}).items() if key not in _OWN}
    tables = [each if "quantity" in each else _merged(inherited, each) for each in tables]
    readings = [
        parse_reading(_reading(table, index, defaults), index, known.conventions) for index, table in enumerate(tables)
    ]
    return check(Claim, {**own, "reading": readings})


def _reading(table: Mapping[str, Any], index: int, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Fill a reading from the defaults; the words that they quote are of first readings that follow no convention."""
    filled: dict[str, Any] = _with_defaults(table, defaults)
    if "quote" not in table and (index or {"convention", "against"} & table.keys()):
        filled.pop("quote", None)
    return filled


def _with_defaults(value: Any, defaults: Mapping[str, Any]) -> Any:
    """Fill a reading, and the readings within it, from the defaults of their quantities."""
    if not isinstance(value, Mapping):
        return value
    table = {key: _with_defaults(each, defaults) for key, each in value.items()}
    return _merged(defaults.get(str(table.get("quantity")), {}), table)


def _merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inherited keys overridden by a reading's own; tables are merged in the same way."""
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
