"""A sweep from its spec to its result cube."""

import contextlib
import json
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from sigcube.cube import Packed, kind_of, open_cube
from sigcube.driver import Event, run_blocks_here
from sigcube.engine import Engine
from sigcube.errors import ClusterError, SpecError, StoreError, StoreMismatch
from sigcube.kernels import KERNELS
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import METRICS, Metric
from sigcube.plan.bind import ORIGIN, plan_cube, plan_packed
from sigcube.plan.identity import find_differences
from sigcube.plan.plan import Plan
from sigcube.plan.spec import Spec, make_spec, read_spec_file, spec_from_record
from sigcube.plan.values import Block, PointStatus, Section
from sigcube.store import (
    RunStore,
    Written,
    open_or_create,
    read_attrs,
    read_inputs,
    refuse_damaged_files,
    stamp,
    write_block,
)

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Sweep", "changed_parts", "open_result", "run_block"]

# Enough for a steady rate, little enough to be done before a person looks up.
_PROBE_EVALUATIONS = 2**24

_MOST_IN_MEMORY = 4 * 2**30

# About the evaluations that one core does while a local cluster starts.
_MOST_IN_THIS_PROCESS = 2**28


class Sweep:
    """A model over a grid of its parameters and labels, compared with a sample of a cube.

    Parameters
    ----------
    cube : xarray.Dataset or path
        The data.
    kernel : str or Kernel
        The model: a registered name, or a record of one's own.
    axes : Mapping
        For each parameter or choice that varies, its values: `sigcube.linspace`, `sigcube.geomspace`, a list, labels, a
        one-dimensional DataArray, or ``(dim, values)`` for axes that vary together.
    sample : str
        A named selection of the cube; ``"all"`` leaves nothing out.
    metrics : sequence of str or Metric
        Names in `sigcube.model.metrics.METRICS`, or records of one's own.
    reference : str, Kernel or Mapping, optional
        The model that ``win_rate`` compares with: its name, or ``{"kernel": name, **settings}``.
    parameters : Mapping, optional
        Values and labels held fixed; what is named neither here nor in `axes` has its default.
    keep : sequence of str
        Dimensions whose values are written besides the summaries: ``["galaxy"]``, or nothing.
    dtype : {"float32", "float64"}
        Type of the per-system values on disk.
    fitted : int
        Number of fitted parameters, for the degrees of freedom of reduced χ².
    title : str, optional
        Title of the result.

    Raises
    ------
    SpecError, DataError
        As soon as something cannot be: before anything runs.
    """

    def __init__(
        self,
        cube: xr.Dataset | str | Path,
        *,
        kernel: str | Kernel,
        axes: Mapping[str, Any],
        sample: str = "all",
        metrics: Sequence[str | Metric] = ("rms",),
        reference: str | Kernel | Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        keep: Sequence[str] = (),
        dtype: str = "float32",
        fitted: int = 0,
        title: str | None = None,
    ) -> None:
        data = cube if isinstance(cube, xr.Dataset) else open_cube(cube)
        spec = make_spec(
            kernel=kernel,
            kind=kind_of(data).name,
            axes=axes,
            parameters=parameters,
            metrics=metrics,
            reference=reference,
            keep=keep,
            dtype=dtype,
            fitted=fitted,
        )
        self._plan, self._packed = plan_cube(spec, data, sample=sample, title=title)

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a sweep from its TOML file, or a shipped one by name; its cube counts from the current directory."""
        return cls(**read_spec_file(path).model_dump())

    @classmethod
    def from_result(
        cls,
        path: str | Path,
        *,
        own_kernels: Mapping[str, Kernel] | None = None,
        own_metrics: Mapping[str, Metric] | None = None,
    ) -> Self:
        """Read the sweep that made a result: its spec, and the data it saw, which the result holds."""
        attrs = _result_attrs(path)
        if attrs.get("kind") == "fit":
            hint = "open it with sigcube.open_result, or make it again with `sigcube fit`"
            raise SpecError("this is the result of a fit, not of a sweep", where=str(path), hint=hint)
        sweep = cls.__new__(cls)
        spec = spec_from_record(json.loads(attrs["spec"]), own_kernels=own_kernels, own_metrics=own_metrics)
        sweep._packed = read_inputs(path)
        sweep._plan = plan_packed(spec, sweep._packed, {name: attrs[name] for name in ORIGIN if name in attrs})
        return sweep

    @property
    def packed(self) -> Packed:
        """The sample, packed: what the engine sees."""
        return self._packed

    def plan(self, *, probe: bool = True) -> Plan:
        """Return what the sweep will compute and write, and what that costs.

        Parameters
        ----------
        probe : bool
            Whether to time a small part on this machine, for an estimate of the whole.
        """
        return _probed(self._plan, self._packed) if probe else self._plan

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
    ) -> xr.Dataset:
        """Run the sweep, or what is left of it, and open its result.

        Parameters
        ----------
        path : path
            The result store. One that the same sweep left unfinished is taken up where it stopped.
        client : distributed.Client, optional
            A Dask cluster to run on. Without it, that of `scheduler`, or a local one of `workers` processes.
        scheduler : str, optional
            Address of a running scheduler, ``tcp://…``.
        workers : int, optional
            Size of the local cluster; 0 for none, in this process. By default 0 if that is faster for what is left to
            compute, which then has no defence against a model that crashes its process; else the number of cores.
        fail_fast : bool
            Stop at the first block that fails. Otherwise it is recorded, and the others go on.
        retry_failed : bool
            Try again the blocks that failed before.
        on_event : callable, optional
            Called with each event of the run, for progress.

        Returns
        -------
        xarray.Dataset
            The result, lazily loaded.

        Raises
        ------
        StoreInUse, StoreMismatch, StoreError
            When the store is being written, was written by another sweep, or cannot be written.
        ClusterError
            When the cluster is not reachable, or is lost.
        """
        with open_or_create(path, plan=self._plan, inputs=self._packed, retry_failed=retry_failed) as store:
            if store.todo:
                self._run_blocks(
                    store, client, scheduler=scheduler, workers=workers, fail_fast=fail_fast, on_event=on_event
                )
            store.check()
        return open_result(path)

    def _run_blocks(
        self, store: RunStore, client: "Client | None", *, scheduler: str | None, workers: int | None, **options: Any
    ) -> None:
        """Run what is left: in this process if that is asked for, or if it is small and nothing is."""
        evaluations = sum(self._plan.blocks[index].size for index in store.todo) * self._plan.n_points
        is_small = evaluations <= _MOST_IN_THIS_PROCESS
        if workers == 0 or (is_small and (client, scheduler, workers) == (None, None, None)):
            run_blocks_here(store, self._plan, task=self._run_block, **options)
            return
        # Dask takes longer to import than a small sweep to run.
        import cloudpickle

        from sigcube.driver.cluster import connect
        from sigcube.driver.loop import run_blocks

        own = _own_records(self._plan.spec)
        payload = cloudpickle.dumps(own) if any(own.values()) else b""
        cluster = connect(scheduler, workers=workers) if client is None else contextlib.nullcontext(client)
        with cluster as connected:
            run_blocks(connected, store, self._plan, task=run_block, payload=payload, **options)

    def _run_block(self, path: str, index: int, _: Any) -> Callable[[], Written]:
        block = self._plan.blocks[index]
        values = self._engine.evaluate(block)
        return lambda: write_block(path, block, values)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self._plan, self._packed)

    def compute(self) -> xr.Dataset:
        """Evaluate the whole grid here and now, in this process and in memory: for small grids.

        Returns
        -------
        xarray.Dataset
            What `run` would write, with the same bits.

        Raises
        ------
        SpecError
            For a result that is too large to hold.
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
        return xr.Dataset(content, plan.coords, plan.attrs)

    def __repr__(self) -> str:
        return f"<Sweep of {self._plan.spec.model.kernel.name} over {dict(self._plan.dims)}>"


def _own_records(spec: Spec) -> dict[str, dict[str, Any]]:
    """Return the kernels and metrics that a worker would not find by name, as `Sweep.from_result` takes them."""
    kernels = [model.kernel for model in (spec.model, spec.reference) if model is not None]
    return {
        "own_kernels": {each.name: each for each in kernels if KERNELS.get(each.name) is not each},
        "own_metrics": {metric.name: metric for metric in spec.metrics if metric.name not in METRICS},
    }


def _probed(plan: Plan, packed: Packed) -> Plan:
    """Time a small part of the largest section, once its loop is compiled, and see whether it is finite."""
    section = max(plan.sections, key=plan.section_size)
    block = _first_points(plan, section, max(1, _PROBE_EVALUATIONS // plan.n_points))
    engine = Engine(plan, packed)
    engine.evaluate(block)
    start = time.perf_counter()
    status = engine.evaluate(block)["status"]
    seconds = (time.perf_counter() - start) / (block.size * plan.n_points)
    return replace(plan, seconds_per_evaluation=seconds, finite_where_probed=bool((status == PointStatus.DONE).any()))


def _first_points(plan: Plan, section: Section, points: int) -> Block:
    whole = plan.block(0, section, (0,) * len(plan.dims))
    tile: list[slice] = []
    for part in reversed(whole.tile):
        length = max(1, min(part.stop - part.start, points))
        points //= length
        tile.append(slice(part.start, part.start + length))
    return replace(whole, tile=tuple(reversed(tile)))


def run_block(path: str, index: int, payload: bytes) -> Callable[[], Written]:
    """Compute one block; this is what runs on a worker.

    Parameters
    ----------
    path : str
        The result store, which holds the spec and the data.
    index : int
        The block.
    payload : bytes
        Kernels and metrics of the user's own, pickled; empty if all are registered.

    Returns
    -------
    callable
        Writes the block, and returns the digest of what was written, for the journal. It raises StoreError when there
        is another store at the path by now, and then writes nothing.
    """
    store = stamp(path)
    engine = _engine(path, store, payload)
    block = engine.plan.blocks[index]
    values = engine.evaluate(block)

    def write() -> Written:
        if stamp(path) != store:
            # The client may be dead by now, and another sweep have its store here.
            raise StoreError("the store was replaced while a block was computed", where=path)
        return write_block(path, block, values)

    return write


@lru_cache(maxsize=2)
def _engine(path: str, _stamp: tuple[int, int], payload: bytes) -> Engine:
    """Read spec and data from a store, once a process."""
    try:
        sweep = Sweep.from_result(path, **(pickle.loads(payload) if payload else {}))
    # Whatever it is, it is no fault of the block's: the client has just read the same.
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        raise ClusterError("cannot read the sweep from its store", where=path, found=found) from error
    if changed := changed_parts(sweep, path):
        raise StoreMismatch(
            "would compute something else",
            where=path,
            found=", ".join(f"another {part}" for part in changed),
        )
    return Engine(sweep._plan, sweep._packed)


def changed_parts(sweep: Sweep, path: str | Path) -> dict[str, str]:
    """Return the parts of a result's identity that a sweep read from it no longer has, as the result has them."""
    stored = json.loads(read_attrs(path)["identity"])
    return {key: str(stored.get(key)) for key in find_differences(stored, sweep._plan.identity)}


def _result_attrs(path: str | Path) -> dict[str, Any]:
    try:
        attrs = read_attrs(path)
    except (OSError, ValueError):
        attrs = {}
    if "spec" not in attrs:
        raise SpecError("this is not a result of a sweep", where=str(path), hint="name the folder of a sigcube result")
    return attrs


def open_result(path: str | Path) -> xr.Dataset:
    """Open a result cube, finished or still being written.

    Parameters
    ----------
    path : path
        The result store.

    Returns
    -------
    xarray.Dataset
        Metrics of systems and summaries over the grid's axes, and the ``status`` of each grid point; or what a fit
        found. Loaded when used; its arrays have the ``hvplot`` accessor.

    Raises
    ------
    SpecError
        For a path at which there is no result.
    StoreError
        When its attributes, coordinates or inputs are not as they were written. Of the values, `sigcube.verify` tells.
    """
    _result_attrs(path)
    refuse_damaged_files(path)
    _register_hvplot()
    result: xr.Dataset = xr.open_zarr(path, chunks=None)
    text = {name: coord.astype(object) for name, coord in result.coords.items() if coord.dtype.kind == "T"}
    return result.assign_coords(text)


class _HvplotOnFirstUse:
    """The ``hvplot`` of arrays until hvPlot is imported, which puts its own accessor here.

    Importing it takes longer than a small sweep. Of the classes this is no attribute, so that hvPlot does not warn that
    it replaces one.
    """

    def __get__(self, data: Any, kind: type) -> Any:
        if data is None:
            raise AttributeError("hvplot")
        import hvplot.xarray  # noqa: F401

        return data.hvplot


def _register_hvplot() -> None:
    for kind in (xr.Dataset, xr.DataArray):
        if "hvplot" not in vars(kind):
            setattr(kind, "hvplot", _HvplotOnFirstUse())  # noqa: B010 - mypy knows no such attribute
