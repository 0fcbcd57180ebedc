"""The ledger in words: for a terminal, for scripts, and for the page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.claims.ledger import Entry
from sigcube.claims.rows import TEXTS, Claim
from sigcube.claims.verdicts import Verdict, read_printed
from sigcube.errors import SpecError, did_you_mean

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
    "symbol",
    "verdict_text",
]

#: What stands in place of a verdict where a computation failed.
FAILED = "evaluation failed"
_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        Verdict.REPRODUCES: "✓",
        Verdict.CONVENTION: "≈",
        Verdict.DIFFERS: "✗",
        Verdict.CANNOT: "?",
        Verdict.ASSUMED: "∘",
        Verdict.AGREES: "=",
        Verdict.CONTRADICTS: "≠",
        FAILED: "!",
    }
)
_STYLES: Mapping[str, str] = MappingProxyType(
    {
        Verdict.REPRODUCES: "green",
        Verdict.CONVENTION: "cyan",
        Verdict.DIFFERS: "red",
        Verdict.CANNOT: "yellow",
        Verdict.ASSUMED: "dim",
        Verdict.AGREES: "green",
        Verdict.CONTRADICTS: "magenta",
        FAILED: "bold red",
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
# Quantities without a kernel, and a dataset that holds what the papers themselves say of single objects.
_WITHOUT_MODEL = frozenset({"cube", "unflagged", "correlation", "populations", "expression"})
_PRINTED_DATA = "landmarks"
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def choose_claims(claims: Sequence[Claim], *, wanted: str | None = None, paper: str | None = None) -> tuple[Claim, ...]:
    """Return the claims with an id, or whose ids begin with it, and of a paper.

    Parameters
    ----------
    claims : sequence of Claim
        Among which.
    wanted : str, optional
        An id, ``sparc.mean_rms.mond``, or the beginning of some, ``sparc.``.
    paper : str, optional
        The name of one.

    Raises
    ------
    SpecError
        If there is none: with the nearest.
    """
    papers = {claim.paper for claim in claims}
    if paper is not None and paper not in papers:
        raise SpecError(f"there is no paper {paper!r}", where="--paper", hint=did_you_mean(paper, papers))
    chosen = [claim for claim in claims if paper is None or claim.paper == paper]
    if wanted is None:
        return tuple(chosen)
    stem = wanted.removesuffix(".")
    found = tuple(claim for claim in chosen if claim.id == stem or claim.id.startswith(f"{stem}."))
    if not found:
        raise SpecError(f"there is no claim {wanted!r}", where="ID", hint=_nearest(stem, chosen))
    return found


def _nearest(wanted: str, claims: Iterable[Claim]) -> str:
    """Name the nearest id, or beginning of some; there are too many to list."""
    from difflib import get_close_matches

    ids = [claim.id for claim in claims]
    beginnings = list(dict.fromkeys(".".join(each.split(".")[:n]) for n in (1, 2) for each in ids))
    near = get_close_matches(wanted, [*ids, *beginnings], n=3, cutoff=0.5)
    first = f"did you mean {', '.join(map(repr, near))}? " if near else ""
    return f"{first}ids begin with: {', '.join(sorted({each.partition('.')[0] for each in ids}))}"


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
    """Say what the value that decides rests on: that a sum is right is not that a theory is.

    Returns
    -------
    str
        One of `BASES`.
    """
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
    has_data, has_model = bool(set(found.datasets) - {_PRINTED_DATA}), bool(found.quantities - _WITHOUT_MODEL)
    if has_data:
        return data_and_model if has_model else data
    return model if has_model else arithmetic


def symbol(verdict: str) -> str:
    """Return the sign of a verdict: colours are not all there is to tell them apart."""
    return _SYMBOLS[verdict]


def counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Count the claims under each verdict, in the order of `Verdict`; verdicts that are nowhere are left out."""
    verdicts = [verdict_of(entry) for entry in entries]
    return {str(each): verdicts.count(each) for each in (*Verdict, FAILED) if each in verdicts}


def count_line(entries: Sequence[Entry]) -> str:
    """Say how many claims have which verdict."""
    parts = "; ".join(f"{symbol(verdict)} {number} {verdict}" for verdict, number in counts(entries).items())
    return f"{len(entries)} published {'number' if len(entries) == 1 else 'numbers'}: {parts}"


def place_of(claim: Claim) -> str:
    """Say where a number is printed."""
    paper = claim.source.short
    return claim.where if claim.where.lower().startswith(paper.lower()) else f"{paper} {claim.where}"


def published_text(claim: Claim) -> str:
    """Return what is printed, with its unit."""
    power = re.fullmatch(r"1e(\d+) ?(.*)", claim.unit)
    unit = f"× 10{power[1].translate(_RAISED)} {power[2]}" if power else claim.unit
    return f"{claim.published} {unit}".strip()


def found_text(entry: Entry, place: int | None = None) -> str:
    """Write what a reading gives, with the digits that are printed; by default the one that decides."""
    at = entry.decisive if place is None else place
    if entry.verdict in (Verdict.AGREES, Verdict.CONTRADICTS) and at is not None:
        return str(getattr(entry.claim.reading[at].keys, "value", ""))
    value = entry.value(at)
    return "–" if value is None else read_printed(entry.claim.published).show(value)


def deviation_text(entry: Entry, place: int) -> str:
    """Say how far a reading's value is from what is printed: relative, or absolute from a printed zero.

    Where the digits are the same there is nothing to say.
    """
    value = entry.value(place)
    if value is None or entry.claim.reading[place].quantity in ("printed", "assumption"):
        return ""
    printed = read_printed(entry.claim.published)
    far = printed.deviation(value)
    if not printed.low and not printed.high:
        return f"{far:+.2g}".replace("-", "−")
    # Two digits of 99.7 would be written 1e+02.
    per_cent = f"{100.0 * far:+,.0f} %" if abs(far) >= 0.095 else f"{100.0 * far:+.2g} %"
    return per_cent.replace("-", "−") if far else "0 %"


def verdict_text(entry: Entry) -> str:
    """Say the verdict, with what it rests on."""
    claim, at = entry.claim, entry.decisive
    if entry.verdict is None:
        return f"{FAILED}: {entry.failures[0]}"
    if entry.verdict is Verdict.CANNOT:
        return f"{entry.verdict}: {next(o.message for o in entry.outcomes if o.kind == 'missing')}"
    if entry.verdict is Verdict.ASSUMED:
        return f"{entry.verdict}: {getattr(claim.reading[0].keys, 'because', '')}"
    if entry.verdict in (Verdict.AGREES, Verdict.CONTRADICTS) and at is not None:
        joined = "with " if entry.verdict is Verdict.AGREES else ""
        return f"{entry.verdict} {joined}what is printed in {getattr(claim.reading[at].keys, 'where', '')}"
    if entry.verdict is Verdict.CONVENTION and at is not None:
        return f"{entry.verdict}: {claim.reading[at].name}"
    if entry.verdict is Verdict.DIFFERS and at is not None:
        return f"{entry.verdict}, by {deviation_text(entry, at)}{_nearest_text(entry)}"
    return str(entry.verdict)


def _nearest_text(entry: Entry) -> str:
    if entry.nearest is None or entry.nearest == entry.decisive:
        return ""
    name = entry.claim.reading[entry.nearest].name
    return f"; nearest: {found_text(entry, entry.nearest)}, {deviation_text(entry, entry.nearest)} ({name})"


def claim_table(entries: Iterable[Entry]) -> Table:
    """Return the ledger as a table for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, options in (
        ("id", {"overflow": "fold"}),
        ("where", {"overflow": "fold"}),
        ("published", {"justify": "right", "overflow": "fold"}),
        ("found", {"justify": "right", "overflow": "fold"}),
        ("verdict", {"overflow": "fold", "ratio": 1}),
    ):
        table.add_column(name, **options)
    for entry in entries:
        verdict = verdict_of(entry)
        told = f"[{_STYLES[verdict]}]{symbol(verdict)} {escape(verdict_text(entry))}[/]"
        cells = (entry.claim.id, place_of(entry.claim), published_text(entry.claim), found_text(entry))
        table.add_row(*map(escape, cells), told)
    return table


def evidence(entry: Entry, place: int) -> list[tuple[str, str]]:
    """Return what a reading's value rests on, as pairs of a name and a text."""
    reading, outcome, claim_id = entry.claim.reading[place], entry.outcomes[place], entry.claim.id
    rows = [("stated by the text", "yes" if reading.stated else "no"), ("quantity", reading.quantity)]
    if outcome.found is None:
        return [*rows, ("missing" if outcome.kind == "missing" else "failed", outcome.message)]
    found = outcome.found
    value = entry.value(place)
    if value is not None:
        rows.append(("value", f"{value:.10g} {entry.claim.unit}".strip()))
        rows.append(("deviation", deviation_text(entry, place)))
    if reading.scale != 1.0:
        rows.append(("scaled by", f"{reading.scale:g}"))
    rows += [(name, text) for name, text in found.details.items()]
    rows += [(f"data: {name}", mark) for name, mark in found.datasets.items()]
    if reading.quantity not in TEXTS:
        rows.append(("again", found.command or f"sigcube claims {claim_id} --explain"))
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
    for place, reading in enumerate(claim.reading):
        lines += ["", f"  reading {place + 1}: {reading.name}"]
        rows = evidence(entry, place)
        width = max(len(name) for name, _ in rows)
        lines += [f"    {name:<{width}}  {text}" for name, text in rows]
        found = entry.outcomes[place].found
        if found is not None and found.spec:
            lines += [
                "    its spec, to be saved as SPEC.toml:",
                "",
                *(f"      {line}" for line in found.spec.split("\n")),
            ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def entry_record(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON-able values."""
    claim = entry.claim
    return {
        "id": claim.id,
        "paper": claim.paper,
        "where": claim.where,
        "statement": claim.statement,
        "published": claim.published,
        "unit": claim.unit,
        "note": claim.note,
        "found": entry.value(),
        "verdict": verdict_of(entry),
        "why": verdict_text(entry),
        "basis": basis(entry),
        "readings": [_reading_record(entry, place) for place in range(len(claim.reading))],
    }


def _reading_record(entry: Entry, place: int) -> dict[str, Any]:
    reading, outcome = entry.claim.reading[place], entry.outcomes[place]
    found = outcome.found
    return {
        "name": reading.name,
        "stated": reading.stated,
        "quantity": reading.quantity,
        "keys": reading.keys.model_dump(mode="json", exclude_defaults=True),
        "scale": reading.scale,
        "value": entry.value(place),
        "message": outcome.message,
        "datasets": {} if found is None else dict(found.datasets),
        "spec": "" if found is None else found.spec,
        "command": "" if found is None else found.command,
        "details": {} if found is None else dict(found.details),
    }
