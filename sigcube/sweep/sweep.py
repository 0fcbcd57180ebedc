"""A sweep from its spec to its result cube."""

import contextlib
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from sigcube.cube import Packed, Where, describe_systems, kind_of, open_cube
from sigcube.cube.storage import reading
from sigcube.driver import Event, run_blocks_here
from sigcube.engine import Engine
from sigcube.engine.probe import probe as time_part
from sigcube.errors import ClusterError, SigcubeError, SpecError, StoreError, StoreMismatch, shown
from sigcube.files import path_of
from sigcube.kernels import KERNELS
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import METRICS, Metric
from sigcube.plan.bind import ORIGIN, extend_plan, plan_cube, plan_packed
from sigcube.plan.identity import find_differences, in_present_words
from sigcube.plan.plan import Plan
from sigcube.plan.spec import Spec, make_spec, spec_from_record
from sigcube.plan.spec_file import read_spec_file
from sigcube.store import (
    RunStore,
    Written,
    extend_store,
    finish_extension,
    journal_folder,
    open_or_create,
    read_attrs,
    read_header,
    read_inputs,
    read_layout,
    refuse_damaged_files,
    stamp,
    write_block,
)
from sigcube.store.result import as_asked, open_result, result_attrs

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Sweep", "changed_parts", "run_block"]

_MOST_IN_MEMORY = 4 * 2**30

# Processes on one machine.
_MOST_WORKERS = 1024

# About the evaluations that one core does while a local cluster starts.
_MOST_IN_THIS_PROCESS = 2**28


class Sweep:
    """A model over a grid of its parameters and labels, compared with a sample of a cube.

    Parameters
    ----------
    cube : xarray.Dataset or path
        The data.
    kernel : str or Kernel
        The model: a registered name, or a record of one's own. `models` takes several instead.
    models : Mapping, optional
        Several models by a name for each: a kernel, or a table of ``kernel`` and what is ``fixed`` in it alone. The
        result has a dimension ``model``; along an axis that a model does not have, its values repeat.
    axes : Mapping, optional
        For each parameter or choice that varies, its values: `sigcube.linspace`, `sigcube.geomspace`, a list, labels, a
        one-dimensional DataArray, or ``(dim, values)`` for axes that vary together. Without any, the grid is one point.
    sample : str
        A named selection of the cube; ``"all"`` leaves nothing out.
    where : str or DataArray of bool, optional
        What to keep of the sample: a condition on variables of systems or points, such as
        ``"inclination > 40 and quality == 1"`` (see `sigcube.cube.conditions.where_true`), or a mask of them.
    error_floor : float or str, optional
        The least error of what is observed, in its unit, or as a part of it: ``"5 %"``. What has no error gets none.
    metrics : sequence of str or Metric
        Names in `sigcube.model.metrics.METRICS`, or records of one's own.
    reference : str, Kernel or Mapping, optional
        The model that ``win_rate`` compares with: its name, or ``{"kernel": name, **settings}``.
    fixed : Mapping, optional
        Values and labels that are held; what is named neither here nor in `axes` has its default.
    keep : sequence of str
        Dimensions whose values are written besides the summaries: ``["galaxy"]``, or nothing.
    dtype : {"float32", "float64"}
        Type of the per-system values on disk.
    n_fitted : int
        Number of fitted parameters, for the degrees of freedom of reduced χ².
    title : str, optional
        Title of the result.
    roles : Mapping, optional
        What axes are to questions (`sigcube.analysis`), a list of names for each role: ``"arbitrary"``, a choice that a
        paper leaves open; ``"physical"``, a parameter; ``"nuisance"``, what is known from elsewhere within limits.

    Raises
    ------
    SpecError, DataError
        As soon as something cannot be: before anything runs.
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
    ) -> None:
        data = cube if isinstance(cube, xr.Dataset) else open_cube(cube)
        spec = make_spec(
            kernel=kernel,
            models=models,
            kind=kind_of(data).name,
            axes=axes,
            fixed=fixed,
            metrics=metrics,
            reference=reference,
            keep=keep,
            dtype=dtype,
            n_fitted=n_fitted,
            roles=roles,
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
        """Read a sweep from its TOML file, or a shipped one by name; its cube counts from the current directory.

        What is given besides the file replaces what it says: parameters held at other values, axes of the file too; the
        condition; the floor of errors.
        """
        file = read_spec_file(path).changed(fixed or {}, where=where, error_floor=error_floor)
        return cls(**file.model_dump())

    @classmethod
    def from_result(
        cls,
        path: str | Path,
        *,
        own_kernels: Mapping[str, Kernel] | None = None,
        own_metrics: Mapping[str, Metric] | None = None,
    ) -> Self:
        """Read the sweep that made a result: its spec, and the data it saw, which the result holds."""
        attrs = result_attrs(path, "result")
        own: Any = {"own_kernels": own_kernels, "own_metrics": own_metrics}
        with reading(path, what="result"):
            layout, packed = read_layout(path), read_inputs(path)
            asked = spec_from_record(json.loads(attrs["spec"]), **own)
            spec = spec_from_record(layout.spec, **own) if layout.spec else asked
        origin = {name: attrs[name] for name in ORIGIN if name in attrs}
        return cls._of(plan_packed(spec, packed, origin, stages=layout.stages, asked=asked), packed)

    @classmethod
    def _of(cls, plan: Plan, packed: Packed) -> Self:
        sweep = cls.__new__(cls)
        sweep._plan, sweep._packed = plan, packed
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
        SpecError
            When there is something else than a result at the path, or the number of workers cannot be.
        """
        if workers is not None and not 0 <= workers <= _MOST_WORKERS:
            expected = f"0 to {_MOST_WORKERS}"
            raise SpecError("this is no number of workers", where="workers", found=shown(workers), expected=expected)
        stored = self._stored_in(path)
        with open_or_create(path, plan=stored._plan, inputs=self._packed, retry_failed=retry_failed) as store:
            if store.todo:
                stored._run_blocks(
                    store, client, scheduler=scheduler, workers=workers, fail_fast=fail_fast, on_event=on_event
                )
            store.check()
        return open_result(path)

    def extend(self, path: str | Path, **options: Any) -> xr.Dataset:
        """Extend a result to this sweep, which has the same axes with more values: further ones, or between the old.

        No block of the result is computed again or moved; what was left of it is done first. A reading that does not
        use an axis is computed once more for its new values. The roles of axes become those of this sweep. An extension
        that was interrupted goes on when it is asked for again.

        Parameters
        ----------
        path : path
            The result of the same sweep over a smaller grid.
        **options
            As for `run`.

        Returns
        -------
        xarray.Dataset
            The whole result, each axis in the order of this sweep. On the disk, new values lie behind the old ones.

        Raises
        ------
        SpecError
            There is no result.
        StoreMismatch
            The result has values that this sweep has not, or anything else differs: the model, the sample, the data ...
        StoreInUse, StoreError, ClusterError
            As for `run`.
        """
        path = path_of(path, what="a result")
        finish_extension(path)
        refuse_damaged_files(path)
        before = Sweep.from_result(path, **_own_records(self._plan.spec))._plan
        plan = extend_plan(before, self._plan, self._packed, where=str(path))
        if plan.identity != before.identity or plan.asked.grid != before.asked.grid:
            extend_store(path, plan=plan, inputs=self._packed, before=before.identity)
        return self.run(path, **options)

    def _stored_in(self, path: str | Path) -> Self:
        """Return this sweep with the axes as a store has them, if an extension put them in an order of its own."""
        folder = journal_folder(path_of(path, what="a result"))
        try:
            if not folder.is_dir():
                return self
        except OSError:
            # To open it says what is wrong there.
            return self
        finish_extension(path)
        if read_header(folder).identity == self._plan.identity:
            return self
        try:
            refuse_damaged_files(path)
            before = Sweep.from_result(path, **_own_records(self._plan.spec))._plan
        except SigcubeError:
            # To open the store says what is wrong with it.
            return self
        try:
            plan = extend_plan(before, self._plan, self._packed, where=str(path))
        except StoreMismatch:
            if len(before.stages) > 1:
                raise
            return self
        if plan.stages != before.stages:
            raise StoreMismatch(
                "the store holds a part of this sweep",
                where=str(path),
                found=before.spec.grid.text,
                expected=plan.spec.grid.text,
                hint="extend it: `sigcube sweep SPEC --extend`, in Python `extend(path)`; or write to another path",
            )
        if before.asked.grid != self._plan.asked.grid:
            return self
        return self._of(plan, self._packed)

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
        result = as_asked(xr.Dataset(content, plan.coords, plan.attrs), plan.spec.grid, plan.asked.grid)
        return describe_systems(result, self._packed.properties)

    def __repr__(self) -> str:
        return f"<Sweep of {self._plan.spec.name} over {dict(self._plan.dims)}>"


def _own_records(spec: Spec) -> dict[str, dict[str, Any]]:
    """Return the kernels and metrics that a worker would not find by name, as `Sweep.from_result` takes them."""
    kernels = [model.kernel for model in (*spec.models.values(), spec.reference) if model is not None]
    return {
        "own_kernels": {each.name: each for each in kernels if KERNELS.get(each.name) is not each},
        "own_metrics": {metric.name: metric for metric in spec.metrics if metric.name not in METRICS},
    }


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
    stored = in_present_words(json.loads(read_attrs(path)["identity"]))
    return {key: str(stored.get(key)) for key in find_differences(stored, sweep._plan.identity)}
