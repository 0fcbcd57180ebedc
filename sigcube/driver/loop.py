"""Keep a cluster busy with the blocks of a plan, and journal how each one ends.

Few blocks are in flight at a time and only their indices travel, so neither the scheduler nor the driver grows with the
grid. Whatever the cluster does, a block ends in one of three ways: done, failed (it raised) or killed (its worker died
with it twice while no other block was on the cluster). A worker that cannot do any block, because it does not see the
store or has another engine, is refused: others get its blocks.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
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
from sigcube.driver.recorder import Recorder, Task
from sigcube.driver.worker import BlockCall
from sigcube.errors import ClusterError, Fault, SigcubeError, StoreMismatch, error_from
from sigcube.plan.plan import Plan
from sigcube.plan.values import PointStatus
from sigcube.store import JournalEntry, RunStore

__all__ = ["fetch", "run_blocks"]

IN_FLIGHT_PER_THREAD = 3
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
    in_flight: dict[int, tuple[Future, frozenset[str]]] = field(default_factory=dict)
    ended: queue.SimpleQueue[tuple[int, Future]] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.store,
            self.plan,
            blocks=len(self.todo),
            fail_fast=self.fail_fast,
            on_event=self.on_event,
            in_flight=self.in_flight,
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
                for future, _ in self.in_flight.values():
                    future.release()
            self.store.flush()
            raise
        self.recorder.tell("finished")
        return self.recorder.progress

    def _submit_blocks(self) -> None:
        """Top up the window. Suspects run alone: after all others, or before them when the run fails fast."""
        if self.suspects and (self.fail_fast or not self.todo):
            if not self.in_flight:
                self._submit(self.suspects.popleft())
            return
        while self.todo and len(self.in_flight) < IN_FLIGHT_PER_THREAD * self.threads and self._may_follow():
            self._submit(self.todo.popleft())

    def _may_follow(self) -> bool:
        """Whether the next block belongs to the stage in flight: one of another stage may write to the same chunk."""
        return all(
            self.plan.blocks.stage_of(index) == self.plan.blocks.stage_of(self.todo[0])
            for index in itertools.islice(self.in_flight, 1)
        )

    def _submit(self, index: int) -> None:
        only = self.workers if self.refused else frozenset()
        call = BlockCall(self.task, self.store.path, index, self.payload, self.store.lock_record)
        future = self.client.submit(
            pickle.loads,
            cloudpickle.dumps(call),
            key=f"sigcube-{self.name}-{index}-{next(self.tries)}",
            workers=sorted(only) or None,
            pure=False,
        )
        self.in_flight[index] = future, only
        future.add_done_callback(lambda ended: self.ended.put((index, ended)))

    def _collect_ended(self) -> None:
        """Collect every block that ended, after waiting a moment for the first, and journal from time to time."""
        with contextlib.suppress(queue.Empty):
            index, future = self.ended.get(timeout=POLL)
            while True:
                # Unless it was called back and is on its way again.
                if self.in_flight.get(index, (None,))[0] is future:
                    del self.in_flight[index]
                    self._collect(index, future)
                index, future = self.ended.get_nowait()
        self.recorder.flush_if_due()

    def _collect(self, index: int, future: Future) -> None:
        # Read once, as it may change at any moment.
        status = future.status
        if status == "error":
            error = future.exception(timeout=ANSWER_TIMEOUT)
            if isinstance(error, KilledWorker):
                self._judge_death(index, error)
            else:
                self._refuse_unable(index, future, f"{type(error).__name__}: {error}")
            return
        if status == "cancelled":
            raise _lost(f"block {index} was cancelled by the scheduler")
        try:
            # A future that is pending again has lost its worker, which died with the answer.
            outcome = fetch(self.client, future) if status == "finished" else None
        except TimeoutError:
            outcome = None
        except (OSError, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
            raise _lost(f"{type(error).__name__}: {error}") from error
        if outcome is None:
            # Run it again: it writes the same bytes.
            self._put_back(index)
        elif isinstance(outcome.fatal, ClusterError | StoreMismatch):
            self._refuse(index, outcome.worker, outcome.fatal)
        else:
            self.recorder.record(index, outcome)

    def _refuse_unable(self, index: int, future: Future, found: str) -> None:
        """Refuse the worker that could not even unpickle a block's task; the scheduler knows which one it was."""
        try:
            (worker,) = self.client.run_on_scheduler(
                # Sent by value, as the scheduler may not have sigcube.
                lambda key, dask_scheduler: list(dask_scheduler.tasks[key].erred_on),
                future.key,
                callback_timeout=ANSWER_TIMEOUT,
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise _lost(f"{type(error).__name__}: {error}, after {found}") from error
        self._refuse(index, worker, ClusterError("cannot read sigcube's blocks", found=found))

    def _refuse(self, index: int, worker: str, error: SigcubeError) -> None:
        """Take a block back from a worker, and give it no other from now on."""
        # If the client itself has lost the store, the worker is not to blame: then this raises.
        self.recorder.flush()
        self._put_back(index)
        if worker not in self.refused:
            found = ", ".join(filter(None, (error.where, error.found)))
            self.refused[worker] = Fault(error.what, worker, found)
            self.recorder.tell("refused", text=str(self.refused[worker]))
        self.watched = 0.0

    def _put_back(self, index: int) -> None:
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
        for index, (future, only) in list(self.in_flight.items()):
            # Dask would keep it until one of these workers comes back.
            if only and only.isdisjoint(members):
                future.release()
                del self.in_flight[index]
                self._put_back(index)
        if threads != self.threads:
            self.threads = threads
            self.recorder.set_threads(threads)
            self.recorder.tell("workers" if threads else "waiting")


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
