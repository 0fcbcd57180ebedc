"""The submission of blocks, in this process or to a Dask cluster: their ends to the journal, events to whoever watches.

`sigcube.driver.loop` and `sigcube.driver.cluster` import Dask, so they are imported where a cluster is used.
"""

from sigcube.driver.events import Event, Progress
from sigcube.driver.here import run_blocks_here
from sigcube.driver.recorder import Task

__all__ = ["Event", "Progress", "Task", "run_blocks_here"]
