"""The ledger as a page: verdicts counted, every number sortable, and what each rests on one click away."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sigcube import __version__
from sigcube.claims import Entry, Verdict, counting, ledger_text
from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.page import write_template
from sigcube.wording import plural

__all__ = ["claims_page"]

_KEYS = {**{str(verdict): verdict.name.lower() for verdict in Verdict}, counting.FAILED: "failed"}


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
    numbers = counting.distinct(entries)
    subtitle = (
        f"{len(numbers)} distinct numbers, in {len(entries)} places of "
        f"{plural(len({entry.claim.paper for entry in entries}), 'paper')}, each beside what comes out. A value is "
        "held against the printed digits, under the reading that the text states, quoted, and under others that it "
        "does not state or goes against. What comes out by construction is consistent, and no reproduction. A right "
        "sum is no evidence for a theory: what each value rests on is told apart. A row opens to its evidence."
    )
    bases = _groups(numbers, lambda entry: (counting.basis(entry),) * 2)
    return write_template(
        out,
        "claims.html",
        title="Published numbers, recomputed",
        subtitle=subtitle,
        lead=counting.lead(entries),
        summary=_summary(numbers),
        places=_summary(entries),
        matrix=_matrix(entries),
        papers=_groups(entries, lambda entry: (entry.claim.paper, entry.claim.source.title)),
        bases=sorted(bases, key=lambda group: counting.BASES.index(group["key"])),
        uses=counting.uses(entries),
        entries=entries,
        keys=_KEYS,
        text=ledger_text,
        counting=counting,
        under=_under,
        sort_keys=_sort_keys,
        strip=_strip,
        notes=_notes(entries),
        scripts=[style.script("claims.js")],
    )


def _summary(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {"key": _KEYS[verdict], "text": verdict, "symbol": ledger_text.symbol(verdict), "number": number}
        for verdict, number in counting.counts(entries).items()
    ]


def _matrix(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what distinct numbers that were computed rest on, by verdict: the verdicts, and a row for each basis."""
    found = counting.by_basis([entry for entry in entries if entry.measured])
    verdicts = [verdict for verdict in _KEYS if any(verdict in own for own in found.values())]
    heads = [
        {"key": _KEYS[verdict], "symbol": ledger_text.symbol(verdict), "text": ledger_text.short_verdict(verdict)}
        for verdict in verdicts
    ]
    rows = [
        {"title": basis, "sum": sum(own.values()), "cells": [(_KEYS[each], own.get(each, 0)) for each in verdicts]}
        for basis, own in found.items()
    ]
    return {"heads": heads, "rows": rows}


def _groups(entries: Iterable[Entry], key_and_title: Callable[[Entry], tuple[str, str]]) -> list[dict[str, Any]]:
    """Count the verdicts of each group of entries, in the order in which the groups appear."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key_and_title(entry), []).append(entry)
    return [
        {"key": key, "title": title, "number": len(own), "summary": _summary(own)}
        for (key, title), own in groups.items()
    ]


def _under(entry: Entry) -> str:
    """Say in a few words what a verdict rests on, where it is not the text alone."""
    claim, decisive = entry.claim, entry.decisive
    if entry.verdict in (Verdict.CONVENTION, Verdict.AGAINST, Verdict.CHANCE) and decisive is not None:
        return claim.reading[decisive].name
    if entry.verdict is Verdict.CANNOT:
        return next(outcome.message for outcome in entry.outcomes if outcome.kind == "missing").partition(" (")[0]
    if entry.verdict is Verdict.CONTRADICTS and decisive is not None:
        return str(getattr(claim.reading[decisive].keys, "where", ""))
    if entry.verdict is Verdict.DIFFERS and entry.nearest not in (None, decisive):
        return f"nearest: {ledger_text.found_text(entry, entry.nearest)}, {claim.reading[entry.nearest or 0].name}"
    return ""


def _sort_keys(entry: Entry) -> str:
    """Return what each column is sorted by, as JSON; null goes last."""
    claim, value = entry.claim, entry.value()
    published = deviation = None
    try:
        printed = claim.printed
    except SpecError:
        pass
    else:
        end = printed.high if printed.low is None else printed.low
        published = None if end is None else float(end)
        if value is not None and entry.measured:
            deviation = abs(printed.deviation(value))
    return json.dumps(
        {
            "id": claim.id,
            "where": f"{claim.source.order} {claim.where}",
            "published": published,
            "found": value,
            "deviation": deviation,
            "verdict": list(_KEYS).index(counting.verdict_of(entry)),
        }
    )


def _strip(entry: Entry) -> dict[str, Any] | None:
    """Return the values of the readings beside the interval that rounds to what is printed, in per cent of a line."""
    if not entry.measured:
        return None
    printed = entry.claim.printed
    if printed.low is None or printed.high is None:
        return None
    half = float(printed.margin)
    low, high = float(printed.low) - half, float(printed.high) + half
    values = {index: value for index in range(len(entry.outcomes)) if (value := entry.value(index)) is not None}
    ends = min([low, *values.values()]), max([high, *values.values()])
    margin = 0.06 * (ends[1] - ends[0])
    start, length = ends[0] - margin, ends[1] - ends[0] + 2 * margin
    dots = [
        {"at": round(100 * (value - start) / length, 2), "value": f"{value:.6g}", "reading": entry.claim.reading[index]}
        for index, value in values.items()
    ]
    return {"low": round(100 * (low - start) / length, 2), "width": round(100 * (high - low) / length, 2), "dots": dots}


def _notes(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Return what the numbers rest on: the version, and the fingerprint of each cube."""
    marks = {name: mark for e in entries for o in e.outcomes if o.found for name, mark in o.found.datasets.items()}
    return {"sigcube": __version__, **{f"data: {name}": marks[name] for name in sorted(marks)}}
