"""The ledger as a page: verdicts counted, every number sortable, and what each rests on one click away."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sigcube import __version__
from sigcube.claims import Entry, Verdict, ledger_text
from sigcube.claims.verdicts import read_printed
from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.page import write_template
from sigcube.wording import plural

__all__ = ["claims_page"]

_KEYS = {ledger_text.FAILED: "failed", **{str(verdict): verdict.name.lower() for verdict in Verdict}}
# Verdicts that come from a value and the printed digits.
_MEASURED = (Verdict.REPRODUCES, Verdict.CONVENTION, Verdict.DIFFERS)


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
    subtitle = (
        f"{len(entries)} numbers printed in {plural(len({entry.claim.paper for entry in entries}), 'paper')}, each "
        "beside what comes out. A number reproduces when the value rounds to the printed digits. Where the text leaves "
        "a choice open, every reading is computed; a verdict names the one that gives the digits. A right sum is no "
        "evidence for a theory: what each value rests on is told apart. A row opens to its evidence."
    )
    bases = _groups(entries, lambda entry: (ledger_text.basis(entry),) * 2)
    return write_template(
        out,
        "claims.html",
        title="Published numbers, recomputed",
        subtitle=subtitle,
        summary=_summary(entries),
        papers=_groups(entries, lambda entry: (entry.claim.paper, entry.claim.source.title)),
        bases=sorted(bases, key=lambda group: ledger_text.BASES.index(group["key"])),
        entries=entries,
        keys=_KEYS,
        text=ledger_text,
        under=_under,
        sort_keys=_sort_keys,
        strip=_strip,
        matches=_matches,
        notes=_notes(entries),
        scripts=[style.script("claims.js")],
    )


def _summary(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {"key": _KEYS[verdict], "text": verdict, "symbol": ledger_text.symbol(verdict), "number": number}
        for verdict, number in ledger_text.counts(entries).items()
    ]


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
    if entry.verdict is Verdict.CONVENTION and decisive is not None:
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
        printed = read_printed(claim.published)
    except SpecError:
        pass
    else:
        end = printed.high if printed.low is None else printed.low
        published = None if end is None else float(end)
        if value is not None and entry.verdict in _MEASURED:
            deviation = abs(printed.deviation(value))
    return json.dumps(
        {
            "id": claim.id,
            "where": f"{claim.source.order} {claim.where}",
            "published": published,
            "found": value,
            "deviation": deviation,
            "verdict": list(_KEYS).index(ledger_text.verdict_of(entry)),
        }
    )


def _matches(entry: Entry, index: int) -> bool:
    """Whether a reading gives the printed digits."""
    value = entry.value(index)
    return entry.verdict in _MEASURED and value is not None and read_printed(entry.claim.published).matches(value)


def _strip(entry: Entry) -> dict[str, Any] | None:
    """Return the values of the readings beside the interval that rounds to what is printed, in per cent of a line."""
    if entry.verdict not in _MEASURED:
        return None
    printed = read_printed(entry.claim.published)
    if printed.low is None or printed.high is None:
        return None
    half = float(printed.step) / 2
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
