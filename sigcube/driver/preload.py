"""What a worker needs, loaded once: only the process that workers are forked from imports this module.

That process can be told modules, and no function to call: so this one acts where it is imported.
"""

# xarray imports it for the first array that it holds.
import dask.array  # noqa: F401

from sigcube.driver import block_task, worker  # noqa: F401
from sigcube.model.compile import load_target

__all__: list[str] = []

load_target()
