"""Keep a cluster busy with the blocks of a plan, and journal how each one ends.

A worker gets blocks in batches of about a second. Few batches are in flight at a time and only indices travel, so
neither the scheduler nor the driver grows with the grid. Whatever the cluster does, a block ends in one of three ways:
done, failed (it raised) or killed (its worker died with it twice while no other block was on the cluster). A worker
that cannot do any block, because it does not see the store or has another engine, is refused: others get its blocks.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
import math
import pickle
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cloudpickle
from distributed import Client, Future, KilledWorker

from sigcube.driver.cluster import how_to_add_workers
from sigcube.driver.events import Event, Progress
from sigcube.driver.interrupts import keep_interrupts
from sigcube.driver.recorder import Recorder, Task, TaskOutcome
from sigcube.driver.worker import BlockCall
from sigcube.errors import ClusterError, Fault, SigcubeError, StoreMismatch, error_from
from sigcube.plan.plan import Plan
from sigcube.plan.values import PointStatus
from sigcube.store import JournalEntry, RunStore

__all__ = ["batch_size", "fetch", "run_blocks"]

# Batches, each of so many blocks that it takes about this time [s]: Dask needs some ten milliseconds for a task, which
# a worker on the same processor has to wait for. Towards the end they become small, so that no worker is left alone.
IN_FLIGHT_PER_THREAD = 3
BATCH_SECONDS = 1.0
LARGEST_BATCH = 32
SHORTEST_BLOCK = 1e-3
POLL = 0.25
MEMBERS_EVERY = 2.0
ANSWER_TIMEOUT = 10.0
WORKER_TIMEOUT = 300.0
# Workers that start together may be seconds apart.
REFUSAL_TIMEOUT = 10.0
LONELY_DEATHS = 2


def run_blocks(
    client: Client,
    store: RunStore,
    plan: Plan,
    *,
    task: Task,
    payload: Any = None,
    todo: Sequence[int] | None = None,
    fail_fast: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Progress:
    """Run blocks on a cluster until each is journalled.

    Parameters
    ----------
    client : distributed.Client
        The cluster; workers may join and leave.
    store : RunStore
        The open store.
    plan : Plan
        Its blocks and coordinates.
    task : callable
        Module-level function of store path, block index and payload, run on the workers.
    payload : object, optional
        Sent with every block: keep it small.
    todo : sequence of int, optional
        Indices of the blocks to run; by default ``store.todo``.
    fail_fast : bool, optional
        Stop at the first block that fails or kills its worker.
    on_event : callable, optional
        Called with each `Event`, in this thread.

    Returns
    -------
    Progress
        Counts at the end.

    Raises
    ------
    ClusterError
        The scheduler was lost, no worker came for five minutes, or every worker is refused.
    StoreError
        The store cannot be written: the disk is full, or the lock was lost.
    SigcubeError
        A block ended badly, and `fail_fast` was asked for.
    KeyboardInterrupt
        As received; what is finished by then is journalled.
    """
    blocks = deque(store.todo if todo is None else todo)
    with keep_interrupts() as raise_lost:
        return _Run(client, store, plan, task, payload, blocks, fail_fast, on_event).go(raise_lost)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Blocks that a worker gets as one task; `only` names the workers that may have it, all if it is empty."""

    indices: tuple[int, ...]
    future: Future
    only: frozenset[str]


@dataclass(eq=False)
class _Run:
    """The state of one call of `run_blocks`, whose arguments come first."""

    client: Client
    store: RunStore
    plan: Plan
    task: Task
    payload: Any
    todo: deque[int]
    fail_fast: bool
    on_event: Callable[[Event], None] | None
    threads: int = -1
    workers: frozenset[str] = frozenset()
    refused: dict[str, Fault] = field(default_factory=dict)
    suspects: deque[int] = field(default_factory=deque)
    deaths: dict[int, int] = field(default_factory=dict)
    in_flight: set[_Batch] = field(default_factory=set)
    ended: queue.SimpleQueue[_Batch] = field(default_factory=queue.SimpleQueue)
    #: Seconds of the block that was written last.
    pace: float = math.inf

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.store,
            self.plan,
            blocks=len(self.todo),
            fail_fast=self.fail_fast,
            on_event=self.on_event,
            in_flight=lambda: sum(len(batch.indices) for batch in self.in_flight),
        )
        self.name = uuid.uuid4().hex[:12]
        self.tries = itertools.count()
        self.watched = self.had_workers = time.monotonic()

    def go(self, raise_lost: Callable[[], None]) -> Progress:
        if self.client.asynchronous:
            raise ClusterError("the client is asynchronous", hint="give one that was made with asynchronous=False")
        try:
            self.recorder.tell("started", text=_dashboard(self.client))
            self._watch_cluster()
            self.store.begin_session()
            while self.todo or self.suspects or self.in_flight:
                raise_lost()
                self._submit_blocks()
                self._collect_ended()
                self._watch_cluster()
            self.recorder.flush()
        except BaseException:
            # Forget what is in flight; what ended is journalled.
            if self.client.status == "running":
                for batch in self.in_flight:
                    batch.future.release()
            self.store.flush()
            raise
        self.recorder.tell("finished")
        return self.recorder.progress

    def _submit_blocks(self) -> None:
        """Top up the window. Suspects run alone: after all others, or before them when the run fails fast."""
        if self.suspects and (self.fail_fast or not self.todo):
            if not self.in_flight:
                self._submit((self.suspects.popleft(),))
            return
        while self.todo and len(self.in_flight) < IN_FLIGHT_PER_THREAD * self.threads and self._may_follow():
            self._submit(self._take_batch())

    def _may_follow(self) -> bool:
        """Whether the next block belongs to the stage in flight: one of another stage may write to the same chunk."""
        stage_of = self.plan.blocks.stage_of
        return all(
            stage_of(batch.indices[0]) == stage_of(self.todo[0]) for batch in itertools.islice(self.in_flight, 1)
        )

    def _take_batch(self) -> tuple[int, ...]:
        """Take the next blocks, of one stage."""
        most = batch_size(len(self.todo), threads=self.threads, pace=self.pace)
        stage, batch = self.plan.blocks.stage_of(self.todo[0]), [self.todo.popleft()]
        while self.todo and len(batch) < most and self.plan.blocks.stage_of(self.todo[0]) == stage:
            batch.append(self.todo.popleft())
        return tuple(batch)

    def _submit(self, indices: tuple[int, ...]) -> None:
        only = self.workers if self.refused else frozenset()
        call = BlockCall(self.task, self.store.path, indices, self.payload, self.store.lock_record)
        future = self.client.submit(
            pickle.loads,
            cloudpickle.dumps(call),
            key=f"sigcube-{self.name}-{indices[0]}-{next(self.tries)}",
            workers=sorted(only) or None,
            pure=False,
        )
        batch = _Batch(indices, future, only)
        self.in_flight.add(batch)
        future.add_done_callback(lambda _: self.ended.put(batch))

    def _collect_ended(self) -> None:
        """Collect every batch that ended, after waiting a moment for the first, and journal from time to time."""
        with contextlib.suppress(queue.Empty):
            batch = self.ended.get(timeout=POLL)
            while True:
                # Unless it was called back and is on its way again.
                if batch in self.in_flight:
                    self.in_flight.remove(batch)
                    self._collect(batch)
                batch = self.ended.get_nowait()
        self.recorder.flush_if_due()

    def _collect(self, batch: _Batch) -> None:
        # Read once, as it may change at any moment.
        status = batch.future.status
        if status == "error":
            error = batch.future.exception(timeout=ANSWER_TIMEOUT)
            if isinstance(error, KilledWorker):
                for index in batch.indices:
                    self._judge_death(index, error)
            else:
                self._refuse_unable(batch, f"{type(error).__name__}: {error}")
            return
        if status == "cancelled":
            raise _lost(f"block {batch.indices[0]} was cancelled by the scheduler")
        try:
            # A future that is pending again has lost its worker, which died with the answer.
            outcomes = fetch(self.client, batch.future) if status == "finished" else None
        except TimeoutError:
            outcomes = None
        except (OSError, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
            raise _lost(f"{type(error).__name__}: {error}") from error
        self._record(batch.indices, outcomes or [])

    def _record(self, indices: tuple[int, ...], outcomes: Sequence[TaskOutcome]) -> None:
        """Record how the blocks of a batch ended. The others run again: they write the same bytes."""
        for n, (index, outcome) in enumerate(zip(indices, outcomes, strict=False)):
            if isinstance(outcome.fatal, ClusterError | StoreMismatch):
                self._refuse(indices[n:], outcome.worker, outcome.fatal)
                return
            self.recorder.record(index, outcome)
            if outcome.written is not None:
                self.pace = max(outcome.seconds, SHORTEST_BLOCK)
        self._put_back(indices[len(outcomes) :])

    def _refuse_unable(self, batch: _Batch, found: str) -> None:
        """Refuse the worker that could not even unpickle a batch; the scheduler knows which one it was."""
        try:
            (worker,) = self.client.run_on_scheduler(
                # Sent by value, as the scheduler may not have sigcube.
                lambda key, dask_scheduler: list(dask_scheduler.tasks[key].erred_on),
                batch.future.key,
                callback_timeout=ANSWER_TIMEOUT,
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise _lost(f"{type(error).__name__}: {error}, after {found}") from error
        self._refuse(batch.indices, worker, ClusterError("cannot read sigcube's blocks", found=found))

    def _refuse(self, indices: Sequence[int], worker: str, error: SigcubeError) -> None:
        """Take blocks back from a worker, and give it no others from now on."""
        # If the client itself has lost the store, the worker is not to blame: then this raises.
        self.recorder.flush()
        self._put_back(indices)
        if worker not in self.refused:
            found = ", ".join(filter(None, (error.where, error.found)))
            self.refused[worker] = Fault(error.what, worker, found)
            self.recorder.tell("refused", text=str(self.refused[worker]))
        self.watched = 0.0

    def _put_back(self, indices: Sequence[int]) -> None:
        for index in reversed(indices):
            (self.suspects if index in self.deaths else self.todo).appendleft(index)

    def _judge_death(self, index: int, error: KilledWorker) -> None:
        """Judge a block whose worker died: next to other blocks that proves nothing, so it is retried alone."""
        deaths = self.deaths.get(index)
        self.deaths[index] = 0 if deaths is None else deaths + error.allowed_failures + 1
        if self.deaths[index] < LONELY_DEATHS:
            self.suspects.append(index)
            self.recorder.tell("suspect", text=f"a worker died with block {index}")
            return
        text = f"its worker died {self.deaths[index]} times with no other block near"
        worker = error.last_worker.address
        entry = JournalEntry(block=index, status=PointStatus.KILLED, worker=worker, error=text)
        self.recorder.record_failure(entry)

    def _watch_cluster(self) -> None:
        """Check that the scheduler is there, and count the threads of the workers that are not refused."""
        now = time.monotonic()
        if self.client.status != "running":
            raise _lost(f"the connection is {self.client.status}")
        if self.threads > 0 and now - self.watched < MEMBERS_EVERY:
            return
        self.watched = now
        try:
            members = self.client.sync(self.client.scheduler.ncores, callback_timeout=ANSWER_TIMEOUT)
        except (OSError, TimeoutError) as error:
            raise _lost(f"{type(error).__name__}: {error}") from error
        self.workers = frozenset(members.keys() - self.refused.keys())
        threads = sum(members[worker] for worker in self.workers)
        refused = [self.refused[worker] for worker in sorted(members.keys() & self.refused.keys())]
        if threads:
            self.had_workers = now
        elif refused and now - self.had_workers > REFUSAL_TIMEOUT:
            raise error_from(
                ClusterError,
                refused,
                what="no worker of the cluster can work on the store",
                where=self.store.path,
                hint="start workers that see the store at this path, may write to it and have the same sigcube and "
                "models; then run the same command again: finished blocks are kept",
            )
        elif now - self.had_workers > WORKER_TIMEOUT:
            raise ClusterError(
                f"the cluster has no worker for {WORKER_TIMEOUT:.0f} s",
                where=self.client.scheduler.address,
                hint=f"{how_to_add_workers(self.client)}; then run the same command again: finished blocks are kept",
            )
        for batch in list(self.in_flight):
            # Dask would keep it until one of these workers comes back.
            if batch.only and batch.only.isdisjoint(members):
                batch.future.release()
                self.in_flight.remove(batch)
                self._put_back(batch.indices)
        if threads != self.threads:
            self.threads = threads
            self.recorder.set_threads(threads)
            self.recorder.tell("workers" if threads else "waiting")


def batch_size(left: int, *, threads: int, pace: float) -> int:
    """Return how many blocks a batch has: about a second of work, but a small part of what is left.

    Parameters
    ----------
    left, threads : int
        Blocks that no worker has yet, and threads of the cluster.
    pace : float
        Seconds of a block; infinite as long as none is known.
    """
    return max(1, int(min(LARGEST_BATCH, left // (IN_FLIGHT_PER_THREAD * threads), BATCH_SECONDS / pace)))


def fetch(client: Client, future: Future) -> Any:
    """Return the result of a task that had finished, or None if it was lost meanwhile.

    `Future.result` is no option: when given up, it leaves a task in Dask's loop that fails later, with nobody to take
    its exception, so that asyncio prints a traceback.

    Raises
    ------
    TimeoutError
        The task is running again.
    """
    gather = partial(client.gather, [future], errors="skip", asynchronous=True)
    found = client.sync(gather, callback_timeout=ANSWER_TIMEOUT)
    return found[0] if found else None


def _dashboard(client: Client) -> str:
    try:
        return str(client.dashboard_link or "")
    except (KeyError, OSError, TimeoutError):
        # The scheduler has none, or is gone, which the next look at the cluster reports.
        return ""


def _lost(found: str) -> ClusterError:
    return ClusterError(
        "the Dask scheduler was lost",
        found=found,
        hint="run the same command again: finished blocks are kept, and only the rest is computed",
    )
