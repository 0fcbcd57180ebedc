"""The ledger: rows are evaluated, equal computations once, and judged by their printed digits."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sigcube.claims.computing import OnProgress, Outcome, Worker, computation_key, compute_all
from sigcube.claims.cubes import Cubes
from sigcube.claims.rows import Claim, Reading, split_link
from sigcube.claims.verdicts import Verdict, agree, read_printed

__all__ = ["Entry", "evaluate_claims", "judge"]


@dataclass(frozen=True)
class Entry:
    """A claim with all of its readings computed, and the verdict.

    Attributes
    ----------
    claim : Claim
        The row.
    outcomes : tuple of Outcome
        What came of each reading, scaled.
    verdict : Verdict or None
        None where a computation failed, which is a defect.
    decisive : int or None
        The index of the reading that the verdict rests on: that which reproduces, or else the text's.
    nearest : int or None
        The index of the reading whose value is nearest to what is printed.
    """

    claim: Claim
    outcomes: tuple[Outcome, ...]
    verdict: Verdict | None
    decisive: int | None = None
    nearest: int | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """What failed, by reading."""
        pairs = zip(self.claim.reading, self.outcomes, strict=True)
        return tuple(f"{self.claim.id}, {r.name}: {o.message}" for r, o in pairs if o.kind == "failed")

    def value(self, index: int | None = None) -> float | None:
        """Return the value of a reading; by default that of the one which the verdict rests on."""
        at = self.decisive if index is None else index
        found = None if at is None else self.outcomes[at].found
        return None if found is None or math.isnan(found.value) else found.value


def judge(claim: Claim, outcomes: Sequence[Outcome]) -> Entry:
    """Judge a claim by what came of its readings.

    A reading that the text states decides first; then one that it does not. Where no stated reading can be computed for
    want of a file, the claim cannot be tested, unless another reading gives the printed digits. Where the text states
    none, the nearest decides.
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
    printed = read_printed(claim.published)
    values = {index: outcome.found.value for index, outcome in enumerate(outcomes) if outcome.found is not None}
    distances = {index: abs(printed.deviation(value)) for index, value in values.items() if math.isfinite(value)}
    nearest = min(distances, key=distances.__getitem__, default=None)
    stated = [index for index, reading in enumerate(claim.reading) if reading.stated]
    matching = [index for index, value in values.items() if printed.matches(value)]
    for index in matching:
        if index in stated:
            return Entry(claim, outcomes, Verdict.REPRODUCES, index, nearest)
    if matching:
        return Entry(claim, outcomes, Verdict.CONVENTION, matching[0], nearest)
    known = [index for index in stated if index in values]
    if not known and (stated or nearest is None):
        return Entry(claim, outcomes, Verdict.CANNOT, None, nearest)
    return Entry(claim, outcomes, Verdict.DIFFERS, known[0] if known else nearest, nearest)


def evaluate_claims(
    claims: Sequence[Claim],
    *,
    cubes: str | Path = "cubes",
    data: str | Path | None = None,
    workers: int = 1,
    among: Sequence[Claim] | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Entry, ...]:
    """Evaluate claims and judge them.

    Parameters
    ----------
    claims : sequence of Claim
        What to judge.
    cubes : path-like
        Where the cubes are; those that are not there are made there from raw files.
    data : path-like, optional
        A folder with raw files. Nothing is downloaded; what was fetched before is used.
    workers : int
        Number of processes.
    among : sequence of Claim, optional
        All claims that these may link to; these alone by default.
    on_progress : callable, optional
        Called with how many of how many computations are done, and what the last was.

    Returns
    -------
    tuple of Entry
        In the order of the claims.
    """
    by_id = {claim.id: claim for claim in (*(among or ()), *claims)}
    datasets = Cubes(Path(cubes), None if data is None else Path(data))
    done = compute_all(_leaves(claims, by_id), datasets, workers=workers, on_progress=on_progress)
    worker = Worker(datasets, by_id, done)
    return tuple(judge(claim, [worker.outcome(reading) for reading in claim.reading]) for claim in claims)


def _leaves(claims: Iterable[Claim], by_id: Mapping[str, Claim]) -> dict[str, Reading]:
    """Find the readings that have to be computed, by their keys; what is made of others follows from them."""
    found: dict[str, Reading] = {}
    waiting = [reading for claim in claims for reading in claim.reading]
    seen: set[str] = set()
    while waiting:
        reading = waiting.pop()
        key = computation_key(reading)
        if key in seen:
            continue
        seen.add(key)
        for link in reading.links:
            if isinstance(link, Reading):
                waiting.append(link)
            elif (claim := by_id.get(split_link(link)[0])) is not None:
                waiting += claim.reading
        if not reading.links:
            found[key] = reading
    return found
