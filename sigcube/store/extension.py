"""Plans for sweeps of which a result already holds a part."""

from pathlib import Path

from sigcube.cube import Packed
from sigcube.errors import SigcubeError, StoreMismatch
from sigcube.plan.bind import extend_plan
from sigcube.plan.plan import Plan
from sigcube.store.extension_files import extend_store, finish_extension
from sigcube.store.journal import read_header
from sigcube.store.result import read_plan
from sigcube.store.run import refuse_damaged_files
from sigcube.store.template import journal_folder

__all__ = ["as_stored", "extend_result"]


def extend_result(path: Path, plan: Plan, packed: Packed) -> None:
    """Make room in a result for what a plan adds to it; see `Sweep.extend`.

    Raises
    ------
    SpecError
        There is something else.
    StoreMismatch
        The result has values that the plan lacks, or anything else differs.
    StoreInUse, StoreError
        Another process writes it; there is nothing, it is damaged, or the disk is full.
    """
    finish_extension(path)
    refuse_damaged_files(path)
    before, _ = read_plan(path, **plan.spec.own_records())
    extended = extend_plan(before, plan, packed, where=str(path))
    if extended.identity != before.identity or extended.asked.grid != before.asked.grid:
        extend_store(path, plan=extended, inputs=packed, before=before.identity)


def as_stored(path: Path, plan: Plan, packed: Packed) -> Plan:
    """Return a plan with its axes in the order of the store, which an extension may have changed, and with its digits.

    For a store that cannot be read, the plan comes back unchanged: opening the store says what is wrong.

    Raises
    ------
    StoreMismatch
        The store holds a part of the sweep, or it was extended to another sweep.
    StoreInUse, StoreError
        An extension was interrupted, and its files cannot be put in place.
    """
    folder = journal_folder(path)
    try:
        if not folder.is_dir():
            return plan
    except OSError:
        return plan
    finish_extension(path)
    if read_header(folder).identity == plan.identity:
        return plan
    try:
        refuse_damaged_files(path)
        before, _ = read_plan(path, **plan.spec.own_records())
    except SigcubeError:
        return plan
    try:
        extended = extend_plan(before, plan, packed, where=str(path))
    except StoreMismatch:
        if len(before.stages) > 1:
            raise
        return plan
    if extended.stages != before.stages:
        raise StoreMismatch(
            "the store holds a part of this sweep",
            where=str(path),
            found=before.spec.grid.text,
            expected=extended.spec.grid.text,
            hint="extend it: `sigcube sweep SPEC --extend`, in Python `extend(path)`; or write to another path",
        )
    return extended if before.asked.grid == extended.asked.grid else plan
