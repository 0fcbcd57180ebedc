"""Run blocks in this process, one after another: a small sweep ends before a cluster would have started."""

import os
from collections.abc import Callable

from sigcube.driver.events import Event, Progress
from sigcube.driver.interrupts import keep_interrupts
from sigcube.driver.recorder import Recorder, Task, run_task
from sigcube.plan.plan import Plan
from sigcube.store import RunStore

__all__ = ["run_blocks_here"]


def run_blocks_here(
    store: RunStore,
    plan: Plan,
    *,
    task: Task,
    fail_fast: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Progress:
    """Run the blocks that are left in a store until each is journalled.

    Parameters
    ----------
    store, plan, task, fail_fast, on_event
        As for `sigcube.driver.loop.run_blocks`; the task gets no payload. A block that ends its process ends the run.

    Returns
    -------
    Progress
        Counts at the end.

    Raises
    ------
    StoreError, SigcubeError, KeyboardInterrupt
        As for `sigcube.driver.loop.run_blocks`.
    """
    recorder = Recorder(store, plan, blocks=len(store.todo), fail_fast=fail_fast, on_event=on_event)
    recorder.set_threads(1)
    worker = f"process {os.getpid()}"
    try:
        recorder.tell("started")
        store.begin_session()
        with keep_interrupts() as raise_lost:
            for index in store.todo:
                raise_lost()
                recorder.record(index, run_task(task, store.path, index, None, worker=worker))
                recorder.flush_if_due()
        recorder.flush()
    except BaseException:
        store.flush()
        raise
    recorder.tell("finished")
    return recorder.progress
