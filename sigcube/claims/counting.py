"""The totals of the ledger: distinct numbers counted by basis and verdict, and how conventions are used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sigcube.claims.judging import Entry
from sigcube.claims.verdicts import Verdict
from sigcube.wording import plural

__all__ = [
    "BASES",
    "FAILED",
    "Use",
    "basis",
    "by_basis",
    "counts",
    "distinct",
    "lead",
    "uses",
    "verdict_of",
]

#: What replaces a verdict if a computation failed.
FAILED = "evaluation failed"
#: What a value can rest on, from the strongest test of a theory to none.
BASES = (
    "data and a model",
    "data alone",
    "a model alone",
    "arithmetic of printed numbers",
    "another printed number",
    "nothing: it is put in",
    "nothing: a file or a value is missing",
    "nothing: a failure",
)
# The verdicts on a printed result, differences first, in the order of the leading sentence.
_LEADING: Mapping[Verdict, tuple[str, str]] = {
    Verdict.DIFFERS: ("differs", "differ"),
    Verdict.CHANCE: ("comes out by chance alone", "come out by chance alone"),
    Verdict.AGAINST: ("comes out only against the text", "come out only against the text"),
    Verdict.CONVENTION: ("under a convention that the text does not state",) * 2,
    Verdict.REPRODUCES: ("as stated",) * 2,
    Verdict.CONSISTENT: ("by construction or in words alone",) * 2,
}


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
    if found.measured_data:
        return data_and_model if found.uses_model else data
    return model if found.uses_model else arithmetic


def counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Count the entries under each verdict, in the order of `Verdict`, without empty ones."""
    verdicts = [verdict_of(entry) for entry in entries]
    return {str(each): verdicts.count(each) for each in (*Verdict, FAILED) if each in verdicts}


def distinct(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return one entry for each number, however often it is printed: the one with most digits."""
    found: dict[str, Entry] = {}
    for entry in entries:
        number = entry.claim.number
        if number not in found or _coarseness(entry) < _coarseness(found[number]):
            found[number] = entry
    return tuple(found.values())


def _coarseness(entry: Entry) -> float:
    if not entry.claim.reading[0].numeric or (width := entry.claim.printed.width) is None:
        return 0.0
    return width


def by_basis(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Count distinct numbers by what they rest on, and these by verdict, without empty ones."""
    groups: dict[str, list[Entry]] = {each: [] for each in BASES}
    for entry in distinct(entries):
        groups[basis(entry)].append(entry)
    return {each: counts(own) for each, own in groups.items() if own}


def lead(entries: Sequence[Entry]) -> str:
    """Describe how many printed results rest on data and a model, and their verdicts, differences first.

    Untestable ones are listed separately, as their outcome is unknown.
    """
    tested = by_basis(entries).get(BASES[0], {})
    numbers = [(n, words[n != 1]) for verdict, words in _LEADING.items() if (n := tested.get(verdict, 0))]
    untested = sum(entry.verdict is Verdict.CANNOT for entry in distinct(entries))
    beside = f"; {plural(untested, 'more number')} cannot be tested, for want of a file or a value" if untested else ""
    if not numbers:
        return f"no distinct printed result rests on data and a model{beside}"
    parts = ", ".join(f"{number} {words}" for number, words in numbers)
    rest = "rests" if sum(tested.values()) == 1 else "rest"
    return f"{plural(sum(tested.values()), 'distinct printed result')} {rest} on data and a model: {parts}{beside}"


@dataclass(frozen=True)
class Use:
    """How often a reading that no text states was applied, and how often it gave the printed digits."""

    #: The ids of the conventions that it follows, or its name if it has none.
    ids: str
    name: str
    against: bool
    #: The words of the text that it goes against.
    quote: str
    #: The authors' scripts that have its conventions, as far as they are known.
    sources: tuple[str, ...]
    #: The distinct numbers that it was applied to, and those whose digits it gives.
    applied: tuple[str, ...]
    gives: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether it serves one number only, and so may have been chosen for its digits."""
        return len(self.applied) == 1


def uses(entries: Iterable[Entry]) -> tuple[Use, ...]:
    """Return the readings that no text states, each once, those that serve most numbers first."""
    found: dict[str, Use] = {}
    for entry in entries:
        for index, reading in enumerate(entry.claim.reading):
            if reading.stated or not entry.measured:
                continue
            key = " + ".join(reading.conventions) or reading.name
            old = found.get(key)
            name = reading.name if old is None else old.name
            applied = dict.fromkeys([*(old.applied if old else ()), entry.claim.number])
            gives = dict.fromkeys([*(old.gives if old else ()), *([entry.claim.number] if entry.hits(index) else [])])
            against = reading.stance == "against"
            found[key] = Use(key, name, against, reading.quote, reading.sources, tuple(applied), tuple(gives))
    return tuple(sorted(found.values(), key=lambda use: (-len(use.applied), -len(use.gives), use.ids)))
