"""Verdicts: of one claim by what came of its readings, and of the rows of a table by what one reading does in all."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sigcube.claims.computing import Outcome
from sigcube.claims.rows import Claim, Reading
from sigcube.claims.verdicts import Verdict, agree

__all__ = ["Entry", "deciding_tables", "judge", "judge_tables"]

# The verdict on a value with the printed digits, by the stance of its reading.
_HITS: Mapping[str, Verdict] = {
    "stated": Verdict.REPRODUCES,
    "silent": Verdict.CONVENTION,
    "against": Verdict.AGAINST,
}
# What is printed without a digit to hit.
_WITHOUT_DIGITS = ("order", "bound")
# A hit that chance makes this likely does not count.
_BY_CHANCE = 0.5
# So many printed digits are not hit by chance, however close the readings are.
_NO_ACCIDENT = 3
_WHOLE = "it gives all"


@dataclass(frozen=True)
class Entry:
    """A claim with all of its readings computed, and the verdict.

    Attributes
    ----------
    claim : Claim
        The row.
    outcomes : tuple of Outcome
        The outcome of each reading, scaled.
    verdict : Verdict or None
        None if a computation failed, which is a defect.
    decisive : int or None
        The index of the reading behind the verdict: the one that reproduces the number, or else the text's.
    nearest : int or None
        The index of the reading whose value is nearest to the printed one.
    jointly : str
        How the other rows of its table, or a table that its reading gives, bear on the verdict, where they decide it.
    """

    claim: Claim
    outcomes: tuple[Outcome, ...]
    verdict: Verdict | None
    decisive: int | None = None
    nearest: int | None = None
    jointly: str = ""

    @property
    def failures(self) -> tuple[str, ...]:
        """What failed, by reading."""
        pairs = zip(self.claim.reading, self.outcomes, strict=True)
        return tuple(f"{self.claim.id}, {r.name}: {o.message}" for r, o in pairs if o.kind == "failed")

    def value(self, index: int | None = None) -> float | None:
        """Return the value of a reading; by default of the one behind the verdict."""
        at = self.decisive if index is None else index
        found = None if at is None else self.outcomes[at].found
        return None if found is None or math.isnan(found.value) else found.value

    @property
    def measured(self) -> bool:
        """Whether values were compared with printed digits."""
        return self.verdict in (*_HITS.values(), Verdict.CONSISTENT, Verdict.CHANCE, Verdict.DIFFERS)

    def hits(self, index: int) -> bool:
        """Whether a reading gives the printed digits."""
        found = self.outcomes[index].found
        if not self.measured or found is None:
            return False
        return self.claim.printed.matches(found.value, ends=found.ends)

    @property
    def tried(self) -> int:
        """How many readings were tried, those left out that could not be computed."""
        pairs = zip(self.claim.reading, self.outcomes, strict=True)
        return sum(reading.tried for reading, outcome in pairs if outcome.kind == "found")

    @property
    def untried(self) -> int:
        """How many readings could not be computed, for want of a file or a value."""
        return sum(outcome.kind == "missing" for outcome in self.outcomes)

    @property
    def chance(self) -> float | None:
        """How likely one of the readings tried hits the printed digits by chance, given their spread.

        Each is taken to lie anywhere between the least and the largest of the values and the printed one. None for a
        single value; and for a bound or an order of magnitude, which is consistent where it holds.
        """
        values = [value for index in range(len(self.outcomes)) if (value := self.value(index)) is not None]
        if not self.measured or len(set(values)) < 2:
            return None
        printed = self.claim.printed
        if printed.form == "order" or (width := printed.width) is None:
            return None
        ends = float(printed.low or 0) - float(printed.margin), float(printed.high or 0) + float(printed.margin)
        spread = max([ends[1], *values]) - min([ends[0], *values])
        return 1.0 - (1.0 - width / spread) ** self.tried if math.isfinite(spread) else None

    @property
    def spared(self) -> str:
        """Why a hit that is likely anyhow is not called one by chance; empty where none is likely, or it is."""
        if self.verdict not in _HITS.values() or self.decisive is None or (self.chance or 0.0) < _BY_CHANCE:
            return ""
        if self.jointly:
            return "a table decides"
        if self.claim.reading[self.decisive].stated:
            return "it is the text's own reading"
        few = self.claim.printed.digits < _NO_ACCIDENT
        return "the place where it is printed first decides" if few else "three digits or more are printed"


def judge(claim: Claim, outcomes: Sequence[Outcome]) -> Entry:
    """Judge a claim by the outcomes of its readings.

    Readings that the text states decide first; then those on which it is silent; then those that go against it. If no
    stated reading can be computed because a file is missing, the claim cannot be tested, unless another reading gives
    the printed digits. If the text states none, the nearest decides.
    """
    outcomes = tuple(outcomes)
    if any(outcome.kind == "failed" for outcome in outcomes):
        return Entry(claim, outcomes, None)
    if claim.reading[0].quantity == "assumption":
        return Entry(claim, outcomes, Verdict.ASSUMED, 0)
    if claim.reading[0].quantity == "printed":
        for index, reading in enumerate(claim.reading):
            if not agree(claim.published, str(getattr(reading.keys, "value", ""))):
                return Entry(claim, outcomes, Verdict.CONTRADICTS, index, index)
        return Entry(claim, outcomes, Verdict.AGREES, 0, 0)
    return _measured(claim, outcomes)


def _measured(claim: Claim, outcomes: tuple[Outcome, ...]) -> Entry:
    printed = claim.printed
    values = {index: outcome.found.value for index, outcome in enumerate(outcomes) if outcome.found is not None}
    distances = {index: abs(printed.deviation(value)) for index, value in values.items() if math.isfinite(value)}
    nearest = min(distances, key=distances.__getitem__, default=None)
    differs = Entry(claim, outcomes, Verdict.DIFFERS, None, nearest)
    for stance, verdict in _HITS.items():
        for index, reading in enumerate(claim.reading):
            if reading.stance == stance and differs.hits(index):
                found = replace(differs, verdict=verdict, decisive=index)
                return _weighed(found, reading)
    stated = [index for index, reading in enumerate(claim.reading) if reading.stated]
    known = [index for index in stated if index in values]
    if not known and (stated or nearest is None):
        return replace(differs, verdict=Verdict.CANNOT)
    silent = {index: far for index, far in distances.items() if claim.reading[index].stance == "silent"}
    told = min(silent, key=silent.__getitem__, default=nearest)
    return replace(differs, decisive=known[0] if known else told)


def _weighed(entry: Entry, reading: Reading) -> Entry:
    """Separate values that come out by construction, or likely by chance, from reproduced ones."""
    found = entry.outcomes[entry.decisive or 0].found
    printed = entry.claim.printed
    coarse = reading.stance != "against" and (entry.claim.meaning or printed.form in _WITHOUT_DIGITS)
    # What the text says to about a tenth is no reproduction; of other readings, the number of trials decides.
    about = reading.stated and printed.about
    arithmetic = reading.stated and found is not None and not found.uses_model and not found.measured_data
    if reading.consistency or coarse or about or arithmetic:
        return replace(entry, verdict=Verdict.CONSISTENT)
    if not reading.stated and printed.digits < _NO_ACCIDENT and (entry.chance or 0.0) >= _BY_CHANCE:
        return replace(entry, verdict=Verdict.CHANCE)
    return entry


def judge_tables(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Judge the rows of each table jointly: one computation filled it, so that one reading must give all of it.

    If the readings that the text states give all rows, they stand. If others of one convention do, it decides all rows,
    also those that the text's reading gives by accident. If none does, a row that comes out under a reading that fails
    in half of the table or more comes out by chance.
    """
    tables: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.claim.table and entry.measured:
            tables.setdefault(entry.claim.table, []).append(entry)
    judged = {each.claim.id: each for own in tables.values() if len(own) > 1 for each in _jointly(own)}
    whole = {
        _key(each.claim.reading[each.decisive or 0]): each.jointly.partition(";")[0].replace("it", "its reading", 1)
        # Backwards, so that of several tables the first is named.
        for each in reversed(judged.values())
        if each.jointly.startswith(_WHOLE)
    }
    found = {entry.claim.id: _unlikely(judged.get(entry.claim.id, entry), whole) for entry in entries}
    return tuple(_repeated(entry, found) for entry in found.values())


def deciding_tables(entries: Iterable[Entry], claims: Iterable[Claim]) -> set[str]:
    """Return the tables that decide whether hits are by chance: those with readings of the same kind."""
    hits = (each for each in entries if each.verdict is Verdict.CHANCE and not each.claim.table)
    kinds = {_key(each.claim.reading[each.decisive]) for each in hits if each.decisive is not None}
    return {claim.table for claim in claims if claim.table and kinds & {*map(_key, claim.reading)}}


def _unlikely(entry: Entry, whole: Mapping[tuple[str, ...], str]) -> Entry:
    """Do not take a reading that gives a whole table as chance in another row."""
    if entry.verdict is not Verdict.CHANCE or entry.claim.table or entry.decisive is None:
        return entry
    reading = entry.claim.reading[entry.decisive]
    told = whole.get(_key(reading))
    return entry if told is None else replace(entry, verdict=_HITS[reading.stance], jointly=told)


def _repeated(entry: Entry, found: Mapping[str, Entry]) -> Entry:
    """Give a number one verdict if it comes out wherever it is printed."""
    first = found.get(entry.claim.repeats)
    if first is None or first.decisive is None or not first.hits(first.decisive) or not entry.hits(first.decisive):
        return entry
    return replace(entry, verdict=first.verdict, decisive=first.decisive, jointly=first.jointly)


def _jointly(rows: Sequence[Entry]) -> list[Entry]:
    readings = dict.fromkeys(_key(reading) for entry in rows for reading in entry.claim.reading)
    given = {key: sum(_hit_of(entry, key) is not None for entry in rows) for key in readings}
    stated = [key for key in given if key[0] == "stated"]
    # The text's readings come first, if they give as much as any other.
    best = max([*stated, *given], key=lambda key: given[key])
    judged = []
    for entry in rows:
        index = _hit_of(entry, best)
        printed = entry.claim.printed
        if entry.verdict is Verdict.CONSISTENT and (printed.form in _WITHOUT_DIGITS or printed.about):
            # It holds, whichever reading gives the others, and is no reproduction.
            judged.append(entry)
        elif index is not None and given[best] == len(rows) and not _by_construction(entry, index):
            reading = entry.claim.reading[index]
            also = sum(given[key] for key in stated)
            told = f"{_WHOLE} {len(rows)} rows of {entry.claim.table}"
            if not reading.stated and any(_hit_of(entry, key) is not None for key in stated):
                told += f"; the text's reading gives {also} of them, this one too, by accident"
            joint = Verdict.CONSISTENT if reading.consistency else _HITS[reading.stance]
            judged.append(replace(entry, verdict=joint, decisive=index, jointly=told))
        elif entry.verdict is not Verdict.DIFFERS and entry.decisive is not None:
            hits = given[_key(entry.claim.reading[entry.decisive])]
            of_itself = entry.claim.reading[entry.decisive].consistency
            verdict = Verdict.CHANCE if 2 * hits <= len(rows) and not of_itself else entry.verdict
            told = f"its reading gives {hits} of the {len(rows)} rows of {entry.claim.table}"
            judged.append(replace(entry, verdict=verdict, jointly=told))
        else:
            judged.append(entry)
    return judged


def _by_construction(entry: Entry, index: int) -> bool:
    """Whether a row is consistent for more than arithmetic that another reading than this one gives by accident."""
    if entry.verdict is not Verdict.CONSISTENT or entry.decisive is None:
        return False
    return entry.decisive == index or bool(entry.claim.reading[entry.decisive].consistency)


def _key(reading: Reading) -> tuple[str, ...]:
    """Name what a reading has in common with those of other rows."""
    return (reading.stance, *(reading.conventions or (() if reading.stated else (reading.name,))))


def _hit_of(entry: Entry, key: tuple[str, ...]) -> int | None:
    """Return the first reading of that kind which gives the printed digits."""
    for index, reading in enumerate(entry.claim.reading):
        if _key(reading) == key and entry.hits(index):
            return index
    return None
