"""The ledger as text: for a terminal, for scripts, and for the page."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.claims.counting import FAILED, basis, by_basis, counts, distinct, lead, verdict_of
from sigcube.claims.judging import Entry
from sigcube.claims.rows import Claim, Reading
from sigcube.claims.verdicts import Verdict
from sigcube.errors import SpecError, did_you_mean
from sigcube.wording import plural

__all__ = [
    "basis_table",
    "choose_claims",
    "claim_table",
    "count_lines",
    "deviation_text",
    "entry_record",
    "evidence",
    "explain",
    "find_verdict",
    "found_text",
    "place_of",
    "published_text",
    "short_verdict",
    "symbol",
    "trials_text",
    "verdict_text",
]

# The symbol and the colour of each verdict: colours alone do not tell them apart for everyone.
_SIGNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Verdict.DIFFERS: ("✗", "red"),
        Verdict.CHANCE: ("~", "yellow"),
        Verdict.AGAINST: ("⊥", "magenta"),
        Verdict.CONVENTION: ("≈", "cyan"),
        Verdict.REPRODUCES: ("✓", "green"),
        Verdict.CONSISTENT: ("≡", "dim"),
        Verdict.CANNOT: ("?", "yellow"),
        Verdict.ASSUMED: ("∘", "dim"),
        Verdict.AGREES: ("=", "green"),
        Verdict.CONTRADICTS: ("≠", "magenta"),
        FAILED: ("!", "bold red"),
    }
)
_SHORT: Mapping[str, str] = MappingProxyType(
    {
        Verdict.CHANCE: "by chance",
        Verdict.AGAINST: "against the text",
        Verdict.CONVENTION: "under a convention",
        Verdict.REPRODUCES: "as stated",
        Verdict.CANNOT: "untested",
    }
)
# The keys of a claim and of a reading in their records.
_RECORDED_OF_CLAIM = ("number", "where", "statement", "published", "unit", "tolerance", "note")
_RECORDED = ("name", "stance", "quote", "conventions", "sources", "note", "consistency", "quantity")
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


def symbol(verdict: str) -> str:
    """Return the symbol of a verdict."""
    return _SIGNS[verdict][0]


def count_lines(entries: Sequence[Entry]) -> str:
    """Describe the results that rest on data and a model, and then count numbers by verdict."""
    numbers = distinct(entries)
    parts = "; ".join(f"{symbol(verdict)} {number} {verdict}" for verdict, number in counts(numbers).items())
    again = len(entries) - len(numbers)
    printed = f", and {plural(again, 'place')} where they are printed again" if again else ""
    return f"{lead(entries)}\nall {plural(len(numbers), 'distinct number')}{printed}: {parts}"


def basis_table(entries: Iterable[Entry]) -> Table:
    """Return what distinct numbers that were computed rest on, by verdict, as a table for a terminal."""
    found = by_basis([entry for entry in entries if entry.measured])
    verdicts = [each for each in (*Verdict, FAILED) if any(each in own for own in found.values())]
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title="distinct numbers", title_justify="left"
    )
    table.add_column("resting on", overflow="fold")
    for verdict in verdicts:
        table.add_column(f"{symbol(verdict)} {short_verdict(verdict)}", justify="right", overflow="fold")
    for name, own in found.items():
        table.add_row(name, *(str(own.get(verdict, "")) for verdict in verdicts))
    return table


def short_verdict(verdict: str) -> str:
    """Return a verdict in a word or two, for a narrow column."""
    return _SHORT.get(verdict, str(verdict))


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
    return "–" if value is None else entry.claim.printed.show(value)


def deviation_text(entry: Entry, index: int) -> str:
    """Describe how far a reading's value is from the printed one: relative, or absolute from a printed zero."""
    value = entry.value(index)
    if value is None or not entry.claim.reading[index].numeric:
        return ""
    printed = entry.claim.printed
    deviation = printed.deviation(value)
    if not printed.low and not printed.high:
        text = f"{deviation:+.2g}"
    elif printed.form == "order" and value > 0.0:
        text = f"{math.log10(value / float(printed.step)):+.1f} powers of ten"
    elif abs(deviation) >= 10.0:
        # Beyond a factor of ten, per cent are hard to read.
        text = (
            f"a factor of {abs(1.0 + deviation):,.0f}" if abs(deviation) < 1e6 else f"a factor of {1.0 + deviation:.0e}"
        )
    elif abs(deviation) < 1e-9:
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
    if at is None:
        return str(verdict)
    if verdict is Verdict.REPRODUCES:
        return f"{verdict}: {entry.jointly}" if entry.jointly else str(verdict)
    if verdict is Verdict.CONSISTENT:
        return f"{verdict}: {_why_consistent(entry)}"
    if verdict is Verdict.ASSUMED:
        return f"{verdict}: {getattr(readings[at].keys, 'because', '')}"
    if verdict in (Verdict.AGREES, Verdict.CONTRADICTS):
        joined = "with " if verdict is Verdict.AGREES else ""
        return f"{verdict} {joined}what is printed in {getattr(readings[at].keys, 'where', '')}"
    if verdict in (Verdict.CONVENTION, Verdict.AGAINST, Verdict.CHANCE):
        return "; ".join(filter(None, (f"{verdict}: {readings[at].name}", *_whose(entry, readings[at]))))
    text = f"{verdict}, by {deviation_text(entry, at)}"
    near = entry.nearest
    if near is None or near == at:
        return text
    return f"{text}; nearest: {found_text(entry, near)}, {deviation_text(entry, near)} ({readings[near].name})"


def _whose(entry: Entry, reading: Reading) -> Iterator[str]:
    """Describe what speaks against a reading that gives the printed digits, and for it."""
    if reading.stance == "against":
        yield f"the text says {reading.quote}"
    if reading.tried > 1:
        yield f"chosen for its digits among {reading.tried}"
    elif not reading.stated and not reading.conventions:
        yield "a reading of this number alone"
    yield entry.jointly


def _why_consistent(entry: Entry) -> str:
    """Say in a few words why a value comes out whatever the theory."""
    consistency = entry.claim.reading[entry.decisive or 0].consistency
    if consistency:
        return {"read back": "a table read back", "identity": "an identity", "limit": "a limit"}[consistency]
    if entry.claim.meaning:
        return f"the words hold, read as {entry.claim.meaning}"
    if entry.claim.printed.form == "order":
        return "the order of magnitude, no digit"
    if entry.claim.printed.form == "bound":
        return "the bound holds, no digit"
    if entry.claim.printed.about:
        return "near enough for a ~, no digit"
    return "arithmetic of printed numbers and constants"


def trials_text(entry: Entry) -> str:
    """Say how many readings were tried, and how likely one of them hits the digits by chance, if one does."""
    if not entry.measured:
        return ""
    tried = f"{plural(entry.tried, 'reading')} tried"
    if entry.untried:
        tried += f", {entry.untried} more not computed, for want of a file or a value"
    if (chance := entry.chance) is None or entry.verdict is Verdict.DIFFERS:
        return tried
    likely = "1 %" if chance < 0.01 else f"{100.0 * chance:.0f} %"
    told = "less than " if chance < 0.01 else ""
    spared = f", which does not count: {entry.spared}" if entry.spared else ""
    return f"{tried}; by chance one of them has the printed digits in {told}{likely}{spared}"


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
    rows = [
        ({"stated": "the text says", "against": "the text says otherwise"}.get(reading.stance, ""), reading.quote),
        ("convention", ", ".join(reading.conventions)),
        ("which is", reading.note),
        ("authors' scripts", "; ".join(reading.sources)),
        ("comes out as", reading.consistency),
        ("quantity", reading.quantity),
    ]
    if found is None:
        rows.append(("formula", getattr(reading.keys, "formula", "")))
        return [row for row in [*rows, (outcome.kind, outcome.message)] if row[1]]
    value = entry.value(index)
    if value is not None:
        rows += [("value", f"{value:.10g} {entry.claim.unit}".strip()), ("deviation", deviation_text(entry, index))]
        if found.ends is not None:
            rows.append(("of rounded inputs", "{:.4g} to {:.4g}".format(*found.ends)))
    if reading.scale != 1.0:
        rows.append(("scaled by", f"{reading.scale:g}"))
    rows += found.details.items()
    rows += [(f"data: {name}", mark) for name, mark in found.datasets.items()]
    rows.append(("again", found.command))
    return [(name, text) for name, text in rows if text]


def explain(entry: Entry) -> str:
    """Describe a claim in full: the printed number, every reading with its value, and how to compute each again."""
    claim = entry.claim
    lines = [
        claim.id,
        f"  {claim.statement}",
        f"  {claim.source.title}, {claim.where}",
        f"  published  {published_text(claim)}",
        *([f"  holds      within {claim.tolerance:g}"] if claim.tolerance is not None else []),
        f"  found      {found_text(entry)}",
        f"  verdict    {symbol(verdict_of(entry))} {verdict_text(entry)}",
        f"  rests on   {basis(entry)}",
        *([f"  trials     {trials_text(entry)}"] if entry.measured else []),
        *([f"  the number of  {claim.repeats}"] if claim.repeats else []),
        *([f"  note       {claim.note}"] if claim.note else []),
    ]
    for index, reading in enumerate(claim.reading):
        stance = {"stated": "stated", "silent": "the text is silent", "against": "against the text"}[reading.stance]
        lines += ["", f"  reading {index + 1}: {reading.name}" + (f" ({stance})" if reading.numeric else "")]
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
        **{key: getattr(claim, key) for key in _RECORDED_OF_CLAIM},
        "found": entry.value(),
        "verdict": verdict_of(entry),
        "why": verdict_text(entry),
        "basis": basis(entry),
        "tried": entry.tried,
        "untried": entry.untried,
        "chance": entry.chance,
        "readings": [_reading_record(entry, index) for index in range(len(claim.reading))],
    }


def _reading_record(entry: Entry, index: int) -> dict[str, Any]:
    reading, outcome = entry.claim.reading[index], entry.outcomes[index]
    found = outcome.found
    return {
        **{key: getattr(reading, key) for key in _RECORDED},
        "keys": reading.keys.model_dump(mode="json", exclude_defaults=True),
        "scale": reading.scale,
        "value": entry.value(index),
        "message": outcome.message,
        "datasets": dict(found.datasets) if found else {},
        "spec": found.spec if found else "",
        "command": found.command if found else "",
        "details": dict(found.details) if found else {},
    }
