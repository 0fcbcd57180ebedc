"""The submission loop: blocks to a Dask cluster, their ends to the journal, events to whoever watches."""

from sigcube.driver.events import Event, Progress
from sigcube.driver.loop import run_blocks
from sigcube.driver.worker import Task

__all__ = ["Event", "Progress", "Task", "run_blocks"]
