"""A sweep from its spec to its result cube."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from sigcube.cube import Packed, Where, describe_systems, open_cube
from sigcube.driver import Event, run_blocks_here
from sigcube.engine import Engine
from sigcube.engine.probe import probe as time_part
from sigcube.errors import SpecError, shown
from sigcube.files import path_of
from sigcube.model.error_model import Errors
from sigcube.model.frames import frame_of
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.adoption import describe_adoption
from sigcube.plan.bind import plan_cube
from sigcube.plan.own_code import find_own_code
from sigcube.plan.plan import Plan
from sigcube.plan.spec import make_spec
from sigcube.plan.spec_file import read_spec_file
from sigcube.store import RunStore, Written, open_or_create, write_block
from sigcube.store.extension import as_stored, extend_result
from sigcube.store.result import as_asked, open_result, read_plan

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["MOST_IN_THIS_PROCESS", "Sweep"]

_LOG = logging.getLogger(__name__)

_MOST_IN_MEMORY = 4 * 2**30

_MOST_WORKERS = 1024  # processes on one machine

#: About the evaluations that one core does while a local cluster starts: a run of no more is a small one.
MOST_IN_THIS_PROCESS = 2**28


class Sweep:
    """A model over a grid of its parameters and labels, compared with a sample of a cube.

    Parameters
    ----------
    cube : xarray.Dataset or path
        The data.
    kernel : str or Kernel
        The model: the name of a registered one, or your own `Kernel`. For several, give `models` instead.
    models : Mapping, optional
        Several models by name: for each a kernel, or a table of ``kernel`` and what is ``fixed`` in it alone. The
        result has a dimension ``model``; along an axis that a model does not have, its values repeat.
    axes : Mapping, optional
        For each parameter or choice that varies, its values: `sigcube.linspace`, `sigcube.geomspace`, a list, labels, a
        one-dimensional DataArray, or ``(dim, values)`` for axes that vary together. Without any, the grid is one point.
        Values with a unit, of astropy or as the attribute ``units``, are converted to the parameter's, also in `fixed`.
    sample : str
        A named selection of the cube; ``"all"`` leaves nothing out.
    where : str or DataArray of bool, optional
        What of the sample to compare: a condition on variables of systems or points, such as ``"inclination > 40"``
        (see `sigcube.cube.conditions.where_true`), or a mask. Terms of whole systems take all points of those left.
    error_floor : float or str, optional
        The smallest error an observation may have, in its unit or as a fraction of it: ``"5 %"``. Observations without
        an error get none.
    metrics : sequence of str or Metric
        Names in `sigcube.model.metrics.METRICS`, or your own `Metric` records.
    reference : str, Kernel or Mapping, optional
        The model that ``win_rate`` compares with: its name, or ``{"kernel": name, **settings}``. The two are compared
        by RMS, or by ln L where RMS is not among the metrics.
    fixed : Mapping, optional
        Values and labels to hold fixed. Whatever is named neither here nor in `axes` has its default.
    keep : sequence of str
        Dimensions whose values are kept besides the summaries: ``["galaxy"]``, or nothing.
    dtype : {"float32", "float64"}
        Type of the per-system values on disk.
    n_fitted : int
        Number of fitted parameters, for the degrees of freedom of reduced χ².
    title : str, optional
        Title of the result.
    roles : Mapping, optional
        The role that axes play in questions (`sigcube.analysis`), as a list of names for each: ``"arbitrary"``, a
        choice that a paper leaves open; ``"physical"``, a parameter; ``"nuisance"``, known from elsewhere within
        limits.
    errors : Errors or Mapping, optional
        Errors of the data beyond those quoted for each point, for the metric ``loglike``: see `sigcube.Errors`, or a
        table of its fields.

    Raises
    ------
    SpecError, DataError
        For anything that cannot work, before anything runs.
    """

    def __init__(
        self,
        cube: xr.Dataset | str | Path,
        *,
        kernel: str | Kernel | None = None,
        models: Mapping[str, str | Kernel | Mapping[str, Any]] | None = None,
        axes: Mapping[str, Any] | None = None,
        sample: str = "all",
        where: Where | None = None,
        error_floor: float | str | None = None,
        metrics: Sequence[str | Metric] = ("rms",),
        reference: str | Kernel | Mapping[str, Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
        keep: Sequence[str] = (),
        dtype: str = "float32",
        n_fitted: int = 0,
        title: str | None = None,
        roles: Mapping[str, Sequence[str]] | None = None,
        errors: Errors | Mapping[str, Any] | None = None,
    ) -> None:
        data = cube if isinstance(cube, xr.Dataset) else open_cube(cube)
        spec = make_spec(
            kernel=kernel,
            models=models,
            kind=frame_of(data).kind,
            axes=axes,
            fixed=fixed,
            metrics=metrics,
            reference=reference,
            keep=keep,
            dtype=dtype,
            n_fitted=n_fitted,
            roles=roles,
            errors=errors,
        )
        self._plan, self._packed = plan_cube(
            spec, data, sample=sample, where=where, error_floor=error_floor, title=title
        )

    @classmethod
    def from_toml(
        cls,
        path: str | Path,
        *,
        fixed: Mapping[str, Any] | None = None,
        where: str | None = None,
        error_floor: float | str | None = None,
    ) -> Self:
        """Read a sweep from its TOML file, or a shipped one by name; its cube is relative to the current directory.

        Your own kernels and metrics are named ``module:NAME``; modules beside the file are found first.

        Arguments override the file: `fixed` also replaces axes of the file, `where` its condition, and `error_floor`
        its error floor.
        """
        file = read_spec_file(path).changed(fixed or {}, where=where, error_floor=error_floor)
        return cls(**find_own_code(file.model_dump(), folder=Path(path).parent))

    @classmethod
    def from_result(
        cls,
        path: str | Path,
        *,
        own_kernels: Mapping[str, Kernel] | None = None,
        own_metrics: Mapping[str, Metric] | None = None,
    ) -> Self:
        """Restore the sweep that made a result, from the spec and the data that the result holds."""
        return cls._of(*read_plan(path, own_kernels=own_kernels, own_metrics=own_metrics))

    @classmethod
    def _of(cls, plan: Plan, packed: Packed) -> Self:
        sweep = cls.__new__(cls)
        sweep._plan, sweep._packed = plan, packed
        return sweep

    @property
    def packed(self) -> Packed:
        """The sample as the engine sees it, packed."""
        return self._packed

    def plan(self, *, probe: bool = True) -> Plan:
        """Return what the sweep will compute and write, and what that costs.

        Parameters
        ----------
        probe : bool
            Whether to time a small part on this machine, for an estimate of the whole.
        """
        return time_part(self._plan, self._packed) if probe else self._plan

    def run(
        self,
        path: str | Path,
        *,
        client: "Client | None" = None,
        scheduler: str | None = None,
        workers: int | None = None,
        fail_fast: bool = False,
        retry_failed: bool = False,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Run the sweep, or what is left of it, and open its result.

        Parameters
        ----------
        path : path
            The result store. If the same sweep left it unfinished, the run resumes there.
        client : distributed.Client, optional
            A Dask cluster to run on. By default that of `scheduler`, or a local one of `workers` processes.
        scheduler : str, optional
            Address of a running scheduler, ``tcp://…``.
        workers : int, optional
            Size of the local cluster; 0 runs in this process. By default 0 if that is faster for what is left to
            compute, else the number of cores. Without a cluster, a model that crashes its process ends the run.
        fail_fast : bool
            Stop at the first block that fails. Otherwise it is recorded, and the others go on.
        retry_failed : bool
            Retry the blocks that failed before.
        on_event : callable, optional
            Called with each event of the run.
        progress : bool, optional
            Whether to report progress on standard error: a bar on a terminal, else a line now and then. By default it
            does so on a terminal or in a notebook, unless the run is short or `on_event` is given.

        Returns
        -------
        xarray.Dataset
            The result, lazily loaded.

        Raises
        ------
        StoreInUse, StoreMismatch, StoreError
            The store is in use, belongs to another sweep, or cannot be written.
        ClusterError
            The cluster cannot be reached, or was lost.
        SpecError
            The path holds something other than a result, or the number of workers is invalid.
        """
        places = {"client": client, "scheduler": scheduler, "workers": workers}
        if len(given := [name for name, each in places.items() if each is not None]) > 1:
            raise SpecError(
                "a sweep runs in one place", where=given[1], found=" and ".join(given), expected="one of them"
            )
        if workers is not None and (type(workers) is not int or not 0 <= workers <= _MOST_WORKERS):
            expected = f"0 to {_MOST_WORKERS}"
            raise SpecError("this is no number of workers", where="workers", found=shown(workers), expected=expected)
        address: object = scheduler
        if address is not None and not isinstance(address, str):
            what, expected = "a scheduler is named by its address", "such as 'tcp://HOST:8786'"
            raise SpecError(what, where="scheduler", found=shown(address), expected=expected)
        plan = as_stored(path_of(path, what="a result"), self._plan, self._packed)
        for line in describe_adoption(self._plan.asked.grid, plan.asked.grid):
            _LOG.warning(line)
        stored = self if plan is self._plan else self._of(plan, self._packed)
        with contextlib.ExitStack() as opened:
            if scheduler is not None and not Path(path).exists():
                from sigcube.driver.cluster import connect

                # Before anything is made: an address may be wrong.
                client, scheduler = opened.enter_context(connect(scheduler)), None
            create = open_or_create(path, plan=stored._plan, inputs=self._packed, retry_failed=retry_failed)
            store = opened.enter_context(create)
            if store.todo:
                with stored._told(store, on_event, progress=progress) as tell:
                    stored._run_blocks(
                        store, client, scheduler=scheduler, workers=workers, fail_fast=fail_fast, on_event=tell
                    )
            store.check()
        return open_result(path)

    def extend(self, path: str | Path, **options: Any) -> xr.Dataset:
        """Extend a result to this sweep, which has the same axes with more values: further ones, or between the old.

        No block of the result is recomputed or moved, and unfinished blocks are done first. A reading that does not use
        an axis is computed once more for its new values. The axes take the roles of this sweep. An interrupted
        extension resumes when it is called again. Values of an axis that differ from those of the result by rounding
        alone, as of a linspace with other ends, are taken as the result has them; a line in the log says so.

        Parameters
        ----------
        path : path
            The result of the same sweep on a smaller grid.
        **options
            As for `run`.

        Returns
        -------
        xarray.Dataset
            The whole result, with each axis in the order of this sweep. On disk, new values lie behind the old ones.

        Raises
        ------
        SpecError
            There is something else at the path.
        StoreMismatch
            The result has values that this sweep lacks, or the model, the sample, the data or anything else differs.
        StoreInUse, StoreError, ClusterError
            As for `run`, and there is nothing at the path.
        """
        path = path_of(path, what="a result")
        extend_result(path, self._plan, self._packed)
        return self.run(path, **options)

    def _run_blocks(
        self, store: RunStore, client: "Client | None", *, scheduler: str | None, workers: int | None, **options: Any
    ) -> None:
        """Run what is left: in this process if that is asked for, or if it is small and nothing is."""
        if workers == 0 or (self._is_small(store) and (client, scheduler, workers) == (None, None, None)):
            run_blocks_here(store, self._plan, task=self._run_block, **options)
            return
        # Dask takes longer to import than a small sweep to run.
        import cloudpickle

        from sigcube.driver.block_task import run_block
        from sigcube.driver.cluster import connect
        from sigcube.driver.loop import run_blocks

        own = self._plan.spec.own_records()
        payload = cloudpickle.dumps(own) if any(own.values()) else b""
        cluster = connect(scheduler, workers=workers) if client is None else contextlib.nullcontext(client)
        with cluster as connected:
            run_blocks(connected, store, self._plan, task=run_block, payload=payload, **options)

    def _is_small(self, store: RunStore) -> bool:
        """Whether this process computes what is left while a cluster would start."""
        left = self._plan.blocks.sizes[list(store.todo)].sum()
        return bool(left * self._plan.n_points <= MOST_IN_THIS_PROCESS)

    @contextlib.contextmanager
    def _told(
        self, store: RunStore, on_event: Callable[[Event], None] | None, *, progress: bool | None
    ) -> Iterator[Callable[[Event], None] | None]:
        """Yield what is called with events: `on_event`, a display of them, or both."""
        if progress is None:
            watched = sys.stderr.isatty() or "ipykernel" in sys.modules
            progress = watched and on_event is None and not self._is_small(store)
        if not progress:
            yield on_event
            return
        # Rich takes longer to import than a small sweep to run.
        from rich.console import Console

        from sigcube.driver.progress import sweep_progress

        # In a notebook, too, as lines: its bars need a package more.
        console = Console(stderr=True, force_jupyter=False)
        with sweep_progress(console, data_points=self._plan.n_points) as show:

            def tell(event: Event) -> None:
                show(event)
                if on_event is not None:
                    on_event(event)

            yield tell

    def _run_block(self, path: str, index: int, _: Any) -> Callable[[], Written]:
        block = self._plan.blocks[index]
        values = self._engine.evaluate(block)
        return lambda: write_block(path, block, values)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self._plan, self._packed)

    def compute(self) -> xr.Dataset:
        """Evaluate the whole grid in this process and in memory: for small grids.

        Returns
        -------
        xarray.Dataset
            What `run` would write, with the same bits.

        Raises
        ------
        SpecError
            The result is too large for memory.
        """
        plan = self._plan
        if plan.bytes > _MOST_IN_MEMORY:
            raise SpecError(
                "this result is too large to hold in memory",
                found=f"{plan.bytes / 2**30:.1f} GiB",
                expected=f"at most {_MOST_IN_MEMORY / 2**30:.0f} GiB",
                hint="use run(path), which writes it",
            )
        arrays = {v.name: np.empty(v.shape, dtype=v.dtype) for v in plan.variables}
        for block in plan.blocks:
            values = self._engine.evaluate(block)
            for region, name in product(block.regions, arrays):
                target: Any = (..., *region)
                arrays[name][target] = values[name]
        content = {v.name: (v.dims, arrays[v.name], dict(v.attrs)) for v in plan.variables}
        result = as_asked(xr.Dataset(content, plan.coords, plan.attrs), plan.spec.grid, plan.asked.grid)
        return describe_systems(result, self._packed.properties)

    def __repr__(self) -> str:
        return f"<Sweep of {self._plan.spec.name} over {dict(self._plan.dims)}>"
