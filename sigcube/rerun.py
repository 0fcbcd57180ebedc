"""A result made again from what it holds, and compared with the first, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigcube.errors import SpecError, StoreError, StoreMismatch
from sigcube.files import beside, path_of
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.values import PointStatus
from sigcube.store import read_journal, status
from sigcube.store.result import changed_parts
from sigcube.sweep import Sweep
from sigcube.verification import hint_of_change, verify

__all__ = ["RerunReport", "rerun"]


@dataclass(frozen=True)
class RerunReport:
    """How a result that was made again compares with the first.

    Attributes
    ----------
    path : str
        Where the second result is.
    compared : int
        Number of blocks that both have.
    blocks : int
        Number of blocks of the sweep. Those that failed in either result, or are still to do, are not compared.
    differing : tuple of int
        The blocks whose bits differ.
    """

    path: str
    compared: int
    blocks: int
    differing: tuple[int, ...]

    @property
    def identical(self) -> bool:
        """Whether every block compared has the same bits."""
        return not self.differing

    @property
    def complete(self) -> bool:
        """Whether every block of the sweep was compared."""
        return self.compared == self.blocks


def rerun(
    path: str | Path,
    out: str | Path | None = None,
    *,
    own_kernels: Mapping[str, Kernel] | None = None,
    own_metrics: Mapping[str, Metric] | None = None,
    **options: Any,
) -> RerunReport:
    """Make a result again from what it holds, and compare the digests of all blocks.

    Parameters
    ----------
    path : path
        The result.
    out : path, optional
        Where to write the second one; by default beside the first, as ``<name>-rerun.zarr``.
    own_kernels, own_metrics : Mapping, optional
        The kernels and metrics of the sweep that are not registered, by name.
    **options
        As for `Sweep.run`.

    Raises
    ------
    SpecError
        For a path of something else, the same path twice, or one at which an earlier rerun, or another result, is
        finished.
    StoreError
        When there is no result, or it is damaged.
    StoreMismatch
        When the kernel, or anything else that decides the bits, has changed since.
    """
    first = path_of(path, what="a result")
    second = path_of(out, what="a result") if out is not None else beside(first, "-rerun.zarr")
    if second.resolve() == first.resolve():
        raise SpecError("a result is not compared with itself", where=str(second), hint="give another path")
    _refuse_damaged(first, own_kernels, own_metrics)
    sweep = Sweep.from_result(first, own_kernels=own_kernels, own_metrics=own_metrics)
    if changed := changed_parts(sweep.plan(probe=False), first):
        raise StoreMismatch(
            f"the result cannot be made again: {', '.join(changed)} changed since",
            where=str(first),
            found="; ".join(changed.values()),
            hint=hint_of_change(changed, own=bool(own_kernels or own_metrics)),
        )
    if second.exists() and status(second).todo == 0:
        _refuse_finished(second, changed_parts(sweep.plan(probe=False), second))
    sweep.run(second, **options)
    _refuse_damaged(second, own_kernels, own_metrics)
    journals = [read_journal(each / "journal") for each in (first, second)]
    before, after = ({i: each.entries[i].digest for i in each.blocks(PointStatus.DONE)} for each in journals)
    common = sorted(before.keys() & after.keys())
    differing = tuple(i for i in common if before[i] != after[i])
    return RerunReport(str(second), len(common), status(first).blocks, differing)


def _refuse_finished(second: Path, other: Mapping[str, str]) -> None:
    """Refuse a path at which nothing would be made again: that of an earlier rerun, or of another sweep's result."""
    if other:
        what, found = "the result of another sweep is there", f"{', '.join(other)} differ"
        raise SpecError(what, where=str(second), found=found, hint="give another path")
    hint = "remove that result, or give another path"
    raise SpecError("it has been made again already", where=str(second), hint=hint)


def _refuse_damaged(
    path: Path, own_kernels: Mapping[str, Kernel] | None, own_metrics: Mapping[str, Metric] | None
) -> None:
    """Read a result again: the digests that are compared stand for what it holds."""
    report = verify(path, own_kernels=own_kernels, own_metrics=own_metrics)
    if not report.sound:
        first = report.damage[0]
        raise StoreError(
            "the result is damaged",
            where=f"{path}, {first.where}",
            found=first.what,
            hint="run `sigcube verify` on it, which tells everything",
        )
