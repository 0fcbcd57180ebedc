"""The ledger in words: for a terminal, for scripts, and for the page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.claims.ledger import Entry
from sigcube.claims.rows import Claim
from sigcube.claims.verdicts import Verdict, read_printed
from sigcube.errors import SpecError, did_you_mean
from sigcube.wording import plural

__all__ = [
    "BASES",
    "FAILED",
    "basis",
    "choose_claims",
    "claim_table",
    "count_line",
    "counts",
    "deviation_text",
    "entry_record",
    "evidence",
    "explain",
    "find_verdict",
    "found_text",
    "place_of",
    "published_text",
    "symbol",
    "verdict_of",
    "verdict_text",
]

#: What stands in place of a verdict where a computation failed.
FAILED = "evaluation failed"
# The sign of each verdict, and its colour: colours alone do not tell them apart for everyone.
_SIGNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Verdict.REPRODUCES: ("✓", "green"),
        Verdict.CONVENTION: ("≈", "cyan"),
        Verdict.DIFFERS: ("✗", "red"),
        Verdict.CANNOT: ("?", "yellow"),
        Verdict.ASSUMED: ("∘", "dim"),
        Verdict.AGREES: ("=", "green"),
        Verdict.CONTRADICTS: ("≠", "magenta"),
        FAILED: ("!", "bold red"),
    }
)
#: What a value can rest on, from the strongest test of a theory to none.
BASES = (
    "data and a model",
    "data alone",
    "a model alone",
    "arithmetic of printed numbers",
    "another printed number",
    "nothing: it is put in",
    "nothing: a file is missing",
    "nothing: a failure",
)
# A dataset that holds what the papers themselves say of single objects: no data to test them with.
_PRINTED_DATA = "landmarks"
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def choose_claims(claims: Sequence[Claim], *, wanted: str | None = None, paper: str | None = None) -> tuple[Claim, ...]:
    """Return the claims of a paper whose id is ``wanted`` or begins with it; refuse to return none."""
    papers = {claim.paper for claim in claims}
    if paper is not None and paper not in papers:
        raise SpecError(f"there is no paper {paper!r}", where="--paper", hint=did_you_mean(paper, papers))
    chosen = tuple(claim for claim in claims if paper is None or claim.paper == paper)
    if wanted is None:
        return chosen
    stem = wanted.removesuffix(".")
    found = tuple(claim for claim in chosen if claim.id == stem or claim.id.startswith(f"{stem}."))
    if not found:
        # There are too many ids to list all of them.
        parts = [claim.id.split(".") for claim in chosen]
        ids = dict.fromkeys(".".join(each[:n]) for each in parts for n in (len(each), 1, 2))
        near = ", ".join(map(repr, get_close_matches(stem, ids, n=3, cutoff=0.5)))
        beginnings = ", ".join(sorted({each[0] for each in parts}))
        hint = f"{f'did you mean {near}? ' if near else ''}ids begin with: {beginnings}"
        raise SpecError(f"there is no claim {wanted!r}", where="ID", hint=hint)
    return found


def find_verdict(name: str) -> str:
    """Return the verdict that a short name stands for, such as ``convention`` or ``cannot``."""
    names = {verdict.name.lower(): str(verdict) for verdict in Verdict} | {"failed": FAILED}
    if name in names.values():
        return name
    if name.lower() not in names:
        raise SpecError(f"there is no verdict {name!r}", where="--verdict", hint=did_you_mean(name, names))
    return names[name.lower()]


def verdict_of(entry: Entry) -> str:
    """Return the verdict as text, also where there is none."""
    return FAILED if entry.verdict is None else str(entry.verdict)


def basis(entry: Entry) -> str:
    """Return what the decisive value rests on, one of `BASES`: that a sum is right does not make a theory right."""
    data_and_model, data, model, arithmetic, printed, put_in, missing, failed = BASES
    fixed = {
        None: failed,
        Verdict.CANNOT: missing,
        Verdict.ASSUMED: put_in,
        Verdict.AGREES: printed,
        Verdict.CONTRADICTS: printed,
    }
    found = None if entry.decisive is None else entry.outcomes[entry.decisive].found
    if entry.verdict in fixed or found is None:
        return fixed.get(entry.verdict, missing)
    if set(found.datasets) - {_PRINTED_DATA}:
        return data_and_model if found.uses_model else data
    return model if found.uses_model else arithmetic


def symbol(verdict: str) -> str:
    """Return the sign of a verdict."""
    return _SIGNS[verdict][0]


def counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Count the claims under each verdict, in the order of `Verdict`; verdicts without a claim are left out."""
    verdicts = [verdict_of(entry) for entry in entries]
    return {str(each): verdicts.count(each) for each in (*Verdict, FAILED) if each in verdicts}


def count_line(entries: Sequence[Entry]) -> str:
    """Say how many claims have which verdict."""
    parts = "; ".join(f"{symbol(verdict)} {number} {verdict}" for verdict, number in counts(entries).items())
    return f"{plural(len(entries), 'published number')}: {parts}"


def place_of(claim: Claim) -> str:
    """Say where a number is printed."""
    paper = claim.source.short or claim.source.title
    return claim.where if claim.where.lower().startswith(paper.lower()) else f"{paper} {claim.where}"


def published_text(claim: Claim) -> str:
    """Return what is printed, with its unit."""
    power = re.fullmatch(r"1e(\d+) ?(.*)", claim.unit)
    unit = f"× 10{power[1].translate(_RAISED)} {power[2]}" if power else claim.unit
    return f"{claim.published} {unit}".strip()


def found_text(entry: Entry, index: int | None = None) -> str:
    """Write what a reading gives, with the digits that are printed; by default the one that decides."""
    at = entry.decisive if index is None else index
    if entry.verdict in (Verdict.AGREES, Verdict.CONTRADICTS) and at is not None:
        return str(getattr(entry.claim.reading[at].keys, "value", ""))
    value = entry.value(at)
    return "–" if value is None else read_printed(entry.claim.published).show(value)


def deviation_text(entry: Entry, index: int) -> str:
    """Say how far a reading's value is from what is printed: relative, or absolute from a printed zero."""
    value = entry.value(index)
    if value is None or not entry.claim.reading[index].numeric:
        return ""
    printed = read_printed(entry.claim.published)
    deviation = printed.deviation(value)
    if not printed.low and not printed.high:
        text = f"{deviation:+.2g}"
    elif not deviation:
        text = "0 %"
    else:
        # Two digits of 99.7 would be written 1e+02.
        text = f"{100.0 * deviation:+,.0f} %" if abs(deviation) >= 0.095 else f"{100.0 * deviation:+.2g} %"
    return text.replace("-", "−")


def verdict_text(entry: Entry) -> str:
    """Say the verdict, with what it rests on."""
    verdict, at, readings = entry.verdict, entry.decisive, entry.claim.reading
    if verdict is None:
        return f"{FAILED}: {entry.failures[0]}"
    if verdict is Verdict.CANNOT:
        return f"{verdict}: {next(outcome.message for outcome in entry.outcomes if outcome.kind == 'missing')}"
    if verdict is Verdict.REPRODUCES or at is None:
        return str(verdict)
    if verdict is Verdict.ASSUMED:
        return f"{verdict}: {getattr(readings[at].keys, 'because', '')}"
    if verdict in (Verdict.AGREES, Verdict.CONTRADICTS):
        joined = "with " if verdict is Verdict.AGREES else ""
        return f"{verdict} {joined}what is printed in {getattr(readings[at].keys, 'where', '')}"
    if verdict is Verdict.CONVENTION:
        return f"{verdict}: {readings[at].name}"
    text = f"{verdict}, by {deviation_text(entry, at)}"
    near = entry.nearest
    if near is None or near == at:
        return text
    return f"{text}; nearest: {found_text(entry, near)}, {deviation_text(entry, near)} ({readings[near].name})"


def claim_table(entries: Iterable[Entry]) -> Table:
    """Return the ledger as a table for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("id", "where", "published", "found"):
        table.add_column(name, justify="right" if name in ("published", "found") else "left", overflow="fold")
    table.add_column("verdict", overflow="fold", ratio=1)
    for entry in entries:
        sign, colour = _SIGNS[verdict_of(entry)]
        cells = (entry.claim.id, place_of(entry.claim), published_text(entry.claim), found_text(entry))
        table.add_row(*map(escape, cells), f"[{colour}]{sign} {escape(verdict_text(entry))}[/]")
    return table


def evidence(entry: Entry, index: int) -> list[tuple[str, str]]:
    """Return what a reading's value rests on, as pairs of a name and a text."""
    reading, outcome, found = entry.claim.reading[index], entry.outcomes[index], entry.outcomes[index].found
    rows = [("stated by the text", "yes" if reading.stated else "no"), ("quantity", reading.quantity)]
    if found is None:
        return [*rows, (outcome.kind, outcome.message)]
    value = entry.value(index)
    if value is not None:
        rows += [("value", f"{value:.10g} {entry.claim.unit}".strip()), ("deviation", deviation_text(entry, index))]
    if reading.scale != 1.0:
        rows.append(("scaled by", f"{reading.scale:g}"))
    rows += found.details.items()
    rows += [(f"data: {name}", mark) for name, mark in found.datasets.items()]
    if reading.numeric:
        rows.append(("again", found.command or f"sigcube claims {entry.claim.id} --explain"))
    return [(name, text) for name, text in rows if text]


def explain(entry: Entry) -> str:
    """Say all about a claim: what is printed, every reading with its value, and how to compute each again."""
    claim = entry.claim
    lines = [
        claim.id,
        f"  {claim.statement}",
        f"  {claim.source.title}, {claim.where}",
        f"  published  {published_text(claim)}",
        f"  found      {found_text(entry)}",
        f"  verdict    {symbol(verdict_of(entry))} {verdict_text(entry)}",
        f"  rests on   {basis(entry)}",
        *([f"  note       {claim.note}"] if claim.note else []),
    ]
    for index, reading in enumerate(claim.reading):
        lines += ["", f"  reading {index + 1}: {reading.name}"]
        rows = evidence(entry, index)
        width = max(len(name) for name, _ in rows)
        lines += [f"    {name:<{width}}  {text}" for name, text in rows]
        found = entry.outcomes[index].found
        if found is not None and found.spec:
            lines += ["    its spec, to be saved as SPEC.toml:", ""]
            lines += [f"      {line}" for line in found.spec.split("\n")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def entry_record(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON-able values."""
    claim = entry.claim
    return {
        "id": claim.id,
        "paper": claim.paper,
        **{key: getattr(claim, key) for key in ("where", "statement", "published", "unit", "note")},
        "found": entry.value(),
        "verdict": verdict_of(entry),
        "why": verdict_text(entry),
        "basis": basis(entry),
        "readings": [_reading_record(entry, index) for index in range(len(claim.reading))],
    }


def _reading_record(entry: Entry, index: int) -> dict[str, Any]:
    reading, outcome = entry.claim.reading[index], entry.outcomes[index]
    found = outcome.found
    return {
        **{key: getattr(reading, key) for key in ("name", "stated", "quantity")},
        "keys": reading.keys.model_dump(mode="json", exclude_defaults=True),
        "scale": reading.scale,
        "value": entry.value(index),
        "message": outcome.message,
        "datasets": dict(found.datasets) if found else {},
        "spec": found.spec if found else "",
        "command": found.command if found else "",
        "details": dict(found.details) if found else {},
    }
