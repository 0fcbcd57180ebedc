"""The ledger's computations: each once, in this process or in several."""

import json
import math
import signal
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context
from typing import Any, Literal

import xarray as xr

from sigcube.claims.cubes import Cubes
from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.quantities.base import Found
from sigcube.claims.row_files import nearest_claims, split_link
from sigcube.claims.rows import Claim, Reading, parse_reading
from sigcube.errors import FetchError, SigcubeError, SpecError, did_you_mean

__all__ = ["OnProgress", "Outcome", "Worker", "computation_key", "compute_all"]

#: Called with the number of computations done, their total, and the quantity of the last.
OnProgress = Callable[[int, int, str], None]
Batch = Sequence[tuple[str, Reading]]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a computation: a value, a missing file, or a failure."""

    kind: Literal["found", "missing", "failed"]
    found: Found | None = None
    message: str = ""

    def scaled(self, scale: float) -> "Outcome":
        """Return the same outcome with the value multiplied."""
        if self.found is None or scale == 1.0:
            return self
        ends = self.found.ends
        if ends is not None:
            low, high = sorted((ends[0] * scale, ends[1] * scale))
            ends = (low, high)
        return replace(self, found=replace(self.found, value=self.found.value * scale, ends=ends))


def computation_key(reading: Reading) -> str:
    """Name a computation: equal ones have equal names, whatever their scale and the claim they serve."""
    return json.dumps([reading.quantity, reading.keys.model_dump(mode="json")], sort_keys=True, default=str)


@dataclass
class Worker:
    """Computes readings in one process, and keeps what several of them share."""

    cubes: Cubes
    #: The claims that readings may link to, by id.
    claims: Mapping[str, Claim] = field(default_factory=dict)
    #: What was computed before, by `computation_key`.
    done: dict[str, Outcome] = field(default_factory=dict)
    _path: list[str] = field(default_factory=list, repr=False)
    _made: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def cube(self, dataset: str) -> xr.Dataset:
        """Open a dataset's cube, once per process."""
        return self.cubes.open(dataset)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Make something on first use."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def outcome(self, reading: Reading) -> Outcome:
        """Return the outcome of a reading, scaled; it is computed unless that was done before."""
        key = computation_key(reading)
        if key not in self.done:
            if key in self._path:
                raise SpecError("claims are made of one another in a circle", where="let")
            self._path.append(key)
            self.done[key] = self.compute(reading)
            self._path.pop()
        return self.done[key].scaled(reading.scale)

    def linked(self, link: Any) -> Found:
        """Return the outcome of a linked reading or claim, scaled."""
        outcome = self.outcome(self._reading_of(link) if isinstance(link, str) else parse_reading(link))
        if outcome.found is None:
            raise FetchError(outcome.message) if outcome.kind == "missing" else SpecError(outcome.message)
        return outcome.found

    def _reading_of(self, link: str) -> Reading:
        name, wanted = split_link(link)
        if name not in self.claims:
            raise SpecError(f"there is no claim {name!r}", where="let", hint=nearest_claims(name, self.claims))
        readings = {reading.name: reading for reading in self.claims[name].reading}
        if wanted and wanted not in readings:
            raise SpecError(f"{name} has no reading {wanted!r}", where="let", hint=did_you_mean(wanted, readings))
        return readings[wanted] if wanted else self.claims[name].reading[0]

    def compute(self, reading: Reading) -> Outcome:
        """Compute a reading, unscaled; a failure is an outcome too."""
        quantity = QUANTITIES[reading.quantity]
        try:
            value = quantity.evaluate(reading.keys, self)
            found = value if isinstance(value, Found) else Found(float(value))
            own = {name: str(self.cube(name).attrs["fingerprint"]) for name in reading.keys.datasets()}
        except FetchError as error:
            return Outcome("missing", message=f"{error.what}; {error.hint}" if error.hint else error.what)
        except SigcubeError as error:
            return Outcome("failed", message=" ".join(str(error).split()))
        except Exception as error:  # A defect of one quantity is reported with its row, and the others go on.
            return Outcome("failed", message=f"{type(error).__name__}: {error}")
        if quantity.numeric and not math.isfinite(found.value):
            return Outcome("failed", message=f"its value is {found.value:g}, which is no number to compare")
        uses_model = quantity.uses_model or found.uses_model
        return Outcome("found", replace(found, datasets={**found.datasets, **own}, uses_model=uses_model))


def compute_all(
    readings: Mapping[str, Reading], cubes: Cubes, *, workers: int, on_progress: OnProgress | None
) -> dict[str, Outcome]:
    """Compute readings by their keys; those that share loops are computed together, in one process."""
    batches: dict[Hashable, list[tuple[str, Reading]]] = {}
    for key, reading in readings.items():
        batches.setdefault(reading.keys.batch(), []).append((key, reading))
    # Readings of a batch share what they have in common.
    longest_first = sorted(
        batches.values(),
        key=lambda batch: max(reading.keys.seconds for _, reading in batch) + 0.1 * len(batch),
        reverse=True,
    )
    if workers > 1:
        outcomes = _in_processes(longest_first, cubes, workers)
    else:
        worker = Worker(cubes)
        outcomes = ((key, worker.compute(reading)) for batch in longest_first for key, reading in batch)
    done: dict[str, Outcome] = {}
    for key, outcome in outcomes:
        done[key] = outcome
        if on_progress is not None:
            on_progress(len(done), len(readings), readings[key].quantity)
    return done


# Set once in each computing process, when it starts.
_worker: list[Worker] = []


def _in_processes(batches: Sequence[Batch], cubes: Cubes, workers: int) -> Iterator[tuple[str, Outcome]]:
    """Compute batches in new processes, and yield the outcomes of each as it is done."""
    with _pool(workers, cubes) as pool:
        # Cubes first, as two processes must not make the same one; that of the stars takes longest.
        names = {name for batch in batches for _, reading in batch for name in reading.keys.datasets()}
        list(pool.map(_make_cube, sorted(names, key=lambda name: name != "gaia")))
        waiting = {pool.submit(_compute_batch, batch) for batch in batches}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from future.result()


@contextmanager
def _pool(workers: int, cubes: Cubes) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of new processes, which end at once if this one is interrupted or stops asking for results."""
    others = set(active_children())
    # Not forked: a library's threads would be gone in the new process, with their locks held for ever.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(cubes,))
    try:
        yield pool
    except BaseException:
        # Before shutdown, which would wait for running computations.
        for process in set(active_children()) - others:
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _begin(cubes: Cubes) -> None:
    # Ctrl-C goes to all processes of a terminal; the one that started these ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker[:] = [Worker(cubes)]


def _make_cube(name: str) -> None:
    try:
        _worker[0].cubes.make(name)
    except SigcubeError:
        # Each reading that needs it meets the same error, and reports it with its row.
        return


def _compute_batch(batch: Batch) -> list[tuple[str, Outcome]]:
    return [(key, _worker[0].compute(reading)) for key, reading in batch]
