"""The ledger: rows are evaluated, equal computations once, and judged by their printed digits."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sigcube.claims.computing import OnProgress, Outcome, Worker, computation_key, compute_all
from sigcube.claims.cubes import Cubes
from sigcube.claims.judging import Entry, deciding_tables, judge, judge_tables
from sigcube.claims.row_files import split_link
from sigcube.claims.rows import Claim, Reading

__all__ = ["evaluate_claims"]


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
        The claims to judge.
    cubes : path-like
        The folder of the cubes. Missing ones are made there from raw files.
    data : path-like, optional
        A folder with raw files. Nothing is downloaded; what was fetched before is used.
    workers : int
        Number of processes.
    among : sequence of Claim, optional
        All claims that these may link to; by default only these.
    on_progress : callable, optional
        Called with the number of computations done, their total, and what the last one was.

    Returns
    -------
    tuple of Entry
        In the order of the claims.

    Raises
    ------
    DataError
        If the folder with raw files is none.
    SpecError
        If it can be no path.
    """
    by_id = {claim.id: claim for claim in (*(among or ()), *claims)}
    # The rows of a table are judged together, even if only one is asked for; a number has one verdict wherever it is.
    first = [by_id[claim.repeats] for claim in claims if claim.repeats in by_id]
    tables = {claim.table for claim in (*claims, *first)} - {""}
    datasets = Cubes(Path(cubes), None if data is None else Path(data))
    done: dict[str, Outcome] = {}
    while True:
        needed = {claim.id: claim for claim in (*claims, *first, *(c for c in by_id.values() if c.table in tables))}
        leaves = {key: each for key, each in _leaves(needed.values(), by_id).items() if key not in done}
        done |= compute_all(leaves, datasets, workers=workers, on_progress=on_progress)
        worker = Worker(datasets, by_id, done)
        entries = [judge(claim, [worker.outcome(reading) for reading in claim.reading]) for claim in needed.values()]
        more = deciding_tables(entries, by_id.values()) - tables
        if not more:
            return judge_tables(entries)[: len(claims)]
        tables |= more


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
