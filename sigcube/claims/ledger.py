"""The ledger: every row evaluated, each equal computation once, and judged by its printed digits."""

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from sigcube.claims.cubes import Cubes
from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.quantities.base import Found
from sigcube.claims.rows import TEXTS, Claim, Reading, parse_reading
from sigcube.claims.verdicts import Verdict, agree, read_printed
from sigcube.errors import FetchError, SigcubeError, SpecError

__all__ = ["Entry", "Outcome", "Worker", "evaluate_claims", "judge"]

#: Told with how many of how many computations are done.
OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Outcome:
    """What came of computing something: a value, a missing file, or a failure."""

    kind: Literal["found", "missing", "failed"]
    found: Found | None = None
    message: str = ""


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
        The reading that the verdict rests on: that which comes out, or else the text's.
    nearest : int or None
        The reading whose value is nearest to what is printed.
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

    def value(self, place: int | None = None) -> float | None:
        """Return the value of a reading; by default that of the one which the verdict rests on."""
        at = self.decisive if place is None else place
        found = None if at is None else self.outcomes[at].found
        return None if found is None or found.value != found.value else found.value


def judge(claim: Claim, outcomes: Sequence[Outcome]) -> Entry:
    """Judge a claim by what came of its readings.

    A reading that the text states decides first; then one that it does not. Where no stated reading can be computed for
    want of a file, the claim cannot be tested, unless another reading gives the printed digits. Where the text states
    none, the nearest stands for them.
    """
    outcomes = tuple(outcomes)
    if any(outcome.kind == "failed" for outcome in outcomes):
        return Entry(claim, outcomes, None)
    quantity = claim.reading[0].quantity
    if quantity == "assumption":
        return Entry(claim, outcomes, Verdict.ASSUMED, 0)
    if quantity == "printed":
        return _compared(claim, outcomes)
    return _measured(claim, outcomes)


def _compared(claim: Claim, outcomes: tuple[Outcome, ...]) -> Entry:
    """Hold the published number against others that are printed for the same."""
    for place, reading in enumerate(claim.reading):
        if not agree(claim.published, str(getattr(reading.keys, "value", ""))):
            return Entry(claim, outcomes, Verdict.CONTRADICTS, place, place)
    return Entry(claim, outcomes, Verdict.AGREES, 0, 0)


def _measured(claim: Claim, outcomes: tuple[Outcome, ...]) -> Entry:
    printed = read_printed(claim.published)
    values = {place: o.found.value for place, o in enumerate(outcomes) if o.found is not None}
    far = {place: abs(printed.deviation(value)) for place, value in values.items() if math.isfinite(value)}
    nearest = min(far, key=far.__getitem__, default=None)
    stated = [place for place, reading in enumerate(claim.reading) if reading.stated]
    matching = [place for place in values if printed.matches(values[place])]
    for place in matching:
        if place in stated:
            return Entry(claim, outcomes, Verdict.REPRODUCES, place, nearest)
    if matching:
        return Entry(claim, outcomes, Verdict.CONVENTION, matching[0], nearest)
    known = [place for place in stated if place in values]
    if not known and (stated or nearest is None):
        return Entry(claim, outcomes, Verdict.CANNOT, None, nearest)
    return Entry(claim, outcomes, Verdict.DIFFERS, known[0] if known else nearest, nearest)


Key = str


def _key(reading: Reading) -> Key:
    """Name a computation: equal ones have equal names, whatever their scale and the claim they serve."""
    return json.dumps([reading.quantity, reading.keys.model_dump(mode="json")], sort_keys=True, default=str)


@dataclass
class Worker:
    """What evaluators ask for in one process: cubes, and what was made before."""

    cubes: Cubes
    _made: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def cube(self, dataset: str) -> xr.Dataset:
        """Open a dataset's cube."""
        return self.cubes.open(dataset)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Make something the first time it is asked for."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def linked(self, link: Any) -> Found:
        """Refuse links: what has any is composed of computations, and is none."""
        raise SpecError("this quantity has no links", found=repr(link))

    def attempt(self, reading: Reading) -> Outcome:
        """Compute a reading, unscaled."""
        return _attempt(reading, self)


def _attempt(reading: Reading, context: Any) -> Outcome:
    try:
        value = QUANTITIES[reading.quantity].evaluate(reading.keys, context)
    except _Missing as error:
        return Outcome("missing", message=str(error))
    except FetchError as error:
        told = f"{error.what}; {error.hint}" if error.hint else error.what
        return Outcome("missing", message=told)
    except SigcubeError as error:
        return Outcome("failed", message=" ".join(str(error).split()))
    except Exception as error:  # An evaluator's defect is told with its row, and the others go on.
        return Outcome("failed", message=f"{type(error).__name__}: {error}")
    found = value if isinstance(value, Found) else Found(float(value))
    if reading.quantity not in TEXTS and not math.isfinite(found.value):
        return Outcome("failed", message=f"its value is {found.value:g}, which is no number to compare")
    return Outcome("found", replace(found, quantities=found.quantities | {reading.quantity}))


class _Missing(Exception):
    """A linked computation lacks a file."""


class _Composer:
    """Evaluates readings that are made of others, from what those came to."""

    def __init__(self, claims: Mapping[str, Claim], done: dict[Key, Outcome]) -> None:
        self._claims = claims
        self._done = done
        self._path: list[str] = []

    def cube(self, dataset: str) -> xr.Dataset:
        raise SpecError("a composed quantity opens no cube", found=dataset)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        raise SpecError("a composed quantity computes nothing itself", found=repr(key))

    def linked(self, link: Any) -> Found:
        outcome = self.outcome(self._reading(link) if isinstance(link, str) else parse_reading(link))
        if outcome.found is None:
            raise _Missing(outcome.message) if outcome.kind == "missing" else SpecError(outcome.message)
        return outcome.found

    def outcome(self, reading: Reading) -> Outcome:
        """Return what a reading came to, scaled."""
        key = _key(reading)
        if key not in self._done:
            if key in self._path:
                raise SpecError("claims are made of one another in a circle", where="let")
            self._path.append(key)
            self._done[key] = _attempt(reading, self)
            self._path.pop()
        return _scaled(self._done[key], reading.scale)

    def _reading(self, link: str) -> Reading:
        name, _, wanted = (part.strip() for part in link.partition("/"))
        if name not in self._claims:
            raise SpecError(f"there is no claim {name!r}", where="let")
        readings = self._claims[name].reading
        found = [each for each in readings if each.name == wanted] if wanted else [readings[0]]
        if not found:
            raise SpecError(f"{name} has no reading {wanted!r}", where="let")
        return found[0]


def _scaled(outcome: Outcome, scale: float) -> Outcome:
    if outcome.found is None or scale == 1.0:
        return outcome
    return Outcome("found", replace(outcome.found, value=outcome.found.value * scale))


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
    leaves = _leaves(claims, by_id)
    place = Cubes(Path(cubes), None if data is None else Path(data))
    done = _compute(leaves, place, workers, on_progress or _say_nothing)
    composer = _Composer(by_id, done)
    return tuple(judge(claim, [composer.outcome(reading) for reading in claim.reading]) for claim in claims)


def _say_nothing(_done: int, _all: int, _what: str) -> None:
    pass


def _leaves(claims: Iterable[Claim], by_id: Mapping[str, Claim]) -> dict[Key, Reading]:
    """Find what has to be computed, each once; what is composed follows from it."""
    found: dict[Key, Reading] = {}
    waiting = [reading for claim in claims for reading in claim.reading]
    seen: set[Key] = set()
    while waiting:
        reading = waiting.pop()
        key = _key(reading)
        if key in seen:
            continue
        seen.add(key)
        links = reading.keys.linked()
        for link in links:
            if not isinstance(link, str):
                waiting.append(parse_reading(link))
            elif (claim := by_id.get(link.partition("/")[0].strip())) is not None:
                waiting += claim.reading
        if not links:
            found[key] = reading
    return found


def _compute(leaves: Mapping[Key, Reading], cubes: Cubes, workers: int, tell: OnProgress) -> dict[Key, Outcome]:
    """Compute what has to be, in this process or in several, those that share loops together."""
    from sigcube.claims.pool import in_processes

    groups: dict[Hashable, list[tuple[Key, Reading]]] = {}
    for key, reading in leaves.items():
        groups.setdefault(reading.keys.company(), []).append((key, reading))
    batches = sorted(groups.values(), key=_effort, reverse=True)
    done: dict[Key, Outcome] = {}
    for batch in in_processes(batches, cubes, workers) if workers > 1 else _here(batches, cubes):
        done.update(batch)
        tell(len(done), len(leaves), leaves[next(reversed(batch))].quantity)
    return done


def _effort(batch: Sequence[tuple[Key, Reading]]) -> float:
    """Return about how many seconds a batch takes: what its readings share is done once."""
    return max(reading.keys.effort for _, reading in batch) + 0.1 * len(batch)


def _here(batches: Iterable[list[tuple[Key, Reading]]], cubes: Cubes) -> Iterable[dict[Key, Outcome]]:
    worker = Worker(cubes)
    for batch in batches:
        for key, reading in batch:
            yield {key: worker.attempt(reading)}
