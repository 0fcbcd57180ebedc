"""The ledger as a page: verdicts counted, every number sortable, and what each rests on one click away."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from sigcube import __version__
from sigcube.claims import Entry, Verdict
from sigcube.claims.rows import Paper
from sigcube.claims.verdicts import read_printed
from sigcube.claims.wording import (
    BASES,
    FAILED,
    basis,
    counts,
    deviation_text,
    evidence,
    found_text,
    place_of,
    published_text,
    symbol,
    verdict_of,
    verdict_text,
)
from sigcube.errors import SpecError
from sigcube.explore.page import write_text

__all__ = ["claims_page"]

_KEYS = {FAILED: "failed", **{str(verdict): verdict.name.lower() for verdict in Verdict}}
_SHORT = {str(Verdict.CONVENTION): "under a convention"}


def claims_page(entries: Sequence[Entry], out: str | Path) -> Path:
    """Write the ledger as an HTML page that opens without a network.

    Parameters
    ----------
    entries : sequence of Entry
        What `sigcube.claims.evaluate_claims` returns.
    out : path-like
        The file; it is replaced in one step.

    Raises
    ------
    StoreError
        If the page cannot be written.
    """
    from jinja2 import Environment

    folder = files("sigcube.explore")
    template = folder.joinpath("claims.html").read_text(encoding="utf-8")
    html = (
        Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(template)
        .render(
            title="Published numbers, recomputed",
            subtitle=_subtitle(entries),
            summary=_summary(entries),
            papers=_papers(entries),
            bases=_bases(entries),
            rows=[_row(entry) for entry in entries],
            notes=_notes(entries),
            script=folder.joinpath("claims.js").read_text(encoding="utf-8"),
        )
    )
    return write_text(Path(out), html)


def _subtitle(entries: Sequence[Entry]) -> str:
    papers = len({entry.claim.paper for entry in entries})
    return (
        f"{len(entries)} numbers printed in {papers} {'paper' if papers == 1 else 'papers'}, each beside what comes "
        "out. A number reproduces when the value rounds to the printed digits. Where the text leaves a choice open, "
        "every reading is computed; a verdict names the one that gives the digits. A right sum is no evidence for a "
        "theory: what each value rests on is told apart. A row opens to its evidence."
    )


def _summary(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {"key": _KEYS[verdict], "text": verdict, "symbol": symbol(verdict), "number": number}
        for verdict, number in counts(entries).items()
    ]


def _papers(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    there: dict[Paper, list[Entry]] = {}
    for entry in entries:
        there.setdefault(entry.claim.source, []).append(entry)
    return [
        {"key": paper.name, "title": paper.title, "number": len(own), "summary": _summary(own)}
        for paper, own in there.items()
    ]


def _bases(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    there = {name: [entry for entry in entries if basis(entry) == name] for name in BASES}
    return [{"title": name, "number": len(own), "summary": _summary(own)} for name, own in there.items() if own]


def _row(entry: Entry) -> dict[str, Any]:
    claim, verdict = entry.claim, verdict_of(entry)
    return {
        "id": claim.id,
        "paper": claim.paper,
        "key": _KEYS[verdict],
        "symbol": symbol(verdict),
        "verdict": _SHORT.get(verdict, verdict),
        "under": _under(entry),
        "why": _sentence(verdict_text(entry)),
        "basis": basis(entry),
        "statement": claim.statement,
        "where": place_of(claim),
        "note": claim.note,
        "published": published_text(claim),
        "found": found_text(entry),
        "deviation": "" if entry.decisive is None else deviation_text(entry, entry.decisive),
        "sort": json.dumps(_sort_keys(entry)),
        "strip": _strip(entry),
        "readings": [_reading(entry, place) for place in range(len(claim.reading))],
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}".rstrip(".")


def _under(entry: Entry) -> str:
    """Say in a few words what a verdict rests on, where it is not the text alone."""
    if entry.verdict is Verdict.CONVENTION and entry.decisive is not None:
        return entry.claim.reading[entry.decisive].name
    if entry.verdict is Verdict.CANNOT:
        return next(o.message for o in entry.outcomes if o.kind == "missing").partition(" (")[0]
    if entry.verdict is Verdict.CONTRADICTS and entry.decisive is not None:
        return str(getattr(entry.claim.reading[entry.decisive].keys, "where", ""))
    if entry.verdict is Verdict.DIFFERS and entry.nearest not in (None, entry.decisive):
        return f"nearest: {found_text(entry, entry.nearest)}, {entry.claim.reading[entry.nearest or 0].name}"
    return ""


def _sort_keys(entry: Entry) -> dict[str, Any]:
    """Return what each column is sorted by; None goes last."""
    claim, value = entry.claim, entry.value()
    try:
        printed = read_printed(claim.published)
        end = printed.low if printed.low is not None else printed.high
        published = None if end is None else float(end)
    except SpecError:
        printed, published = None, None
    compared = printed is not None and value is not None and entry.verdict in (*_COMPARED,)
    return {
        "id": claim.id,
        "where": f"{claim.source.order} {claim.where}",
        "published": published,
        "found": value,
        "deviation": abs(printed.deviation(value)) if compared and printed and value is not None else None,
        "verdict": list(_KEYS.values()).index(_KEYS[verdict_of(entry)]),
    }


_COMPARED = (Verdict.REPRODUCES, Verdict.CONVENTION, Verdict.DIFFERS)


def _strip(entry: Entry) -> dict[str, Any] | None:
    """Return the values of the readings beside the interval that rounds to what is printed, in per cent of a line."""
    if entry.verdict not in _COMPARED:
        return None
    printed = read_printed(entry.claim.published)
    if printed.low is None or printed.high is None:
        return None
    half = float(printed.step) / 2
    low, high = float(printed.low) - half, float(printed.high) + half
    values = {place: value for place in range(len(entry.outcomes)) if (value := entry.value(place)) is not None}
    ends = (min([low, *values.values()]), max([high, *values.values()]))
    margin = 0.06 * (ends[1] - ends[0])
    start, length = ends[0] - margin, ends[1] - ends[0] + 2 * margin
    dots = [
        {
            "at": round(100 * (value - start) / length, 2),
            "value": f"{value:.6g}",
            "name": entry.claim.reading[place].name,
            "stated": entry.claim.reading[place].stated,
        }
        for place, value in values.items()
    ]
    band = {"low": round(100 * (low - start) / length, 2), "width": round(100 * (high - low) / length, 2)}
    return {**band, "dots": dots}


def _reading(entry: Entry, place: int) -> dict[str, Any]:
    reading, found = entry.claim.reading[place], entry.outcomes[place].found
    value = entry.value(place)
    return {
        "name": reading.name,
        "stated": reading.stated,
        "matches": entry.verdict in _COMPARED
        and value is not None
        and read_printed(entry.claim.published).matches(value),
        "evidence": [pair for pair in evidence(entry, place) if pair[0] != "stated by the text"],
        "spec": "" if found is None else found.spec,
    }


def _notes(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Return what the numbers rest on: the version, and the fingerprint of each cube."""
    marks = {name: mark for e in entries for o in e.outcomes if o.found for name, mark in o.found.datasets.items()}
    return {"sigcube": __version__, **{f"data: {name}": marks[name] for name in sorted(marks)}}
