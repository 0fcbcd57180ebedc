"""Whether a result is what was written, and what the sweep computes."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from sigcube.cube import Packed
from sigcube.engine import Engine
from sigcube.errors import SpecError, StoreMismatch
from sigcube.files import path_of
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric
from sigcube.plan.plan import Plan
from sigcube.plan.values import Block, PointStatus
from sigcube.store import JournalEntry
from sigcube.store.damage import find_fault, repair_store
from sigcube.store.extension_files import finish_extension, restore_extension
from sigcube.store.journal import Journal, read_undamaged
from sigcube.store.lock import Lock
from sigcube.store.result import changed_parts, read_plan
from sigcube.store.template import damaged_files, journal_folder
from sigcube.store.writer import digest_of
from sigcube.wording import count, plural

__all__ = ["Damage", "VerifyReport", "hint_of_change", "verify"]

_LISTED = 20
_HINT = "use the version of sigcube that made it: see its attribute 'versions'"
_HINT_OF_OWN = "give the kernel and metrics that made it, as they were: their code has changed"


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not as it was written.

    Attributes
    ----------
    where : str
        A file of the store, a line of its journal, or a block.
    what : str
        How it differs.
    block : int or None
        The block, where it is one.
    """

    where: str
    what: str
    block: int | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What `verify` found.

    Attributes
    ----------
    path : str
        The result.
    blocks, read : int
        How many blocks the sweep has, and of how many what was written was read again.
    recomputed : int
        How many of those were computed again.
    damage : tuple of Damage
        What is not as it was written, or not what is computed now.
    repaired : bool
        Whether what is damaged was removed, so that the sweep makes it again.
    """

    path: str
    blocks: int
    read: int
    recomputed: int
    damage: tuple[Damage, ...]
    repaired: bool

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage

    @property
    def unread(self) -> bool:
        """Whether blocks could not be read, because of damaged files that say what lies where."""
        return any(each.block is None and not each.where.startswith("journal, line") for each in self.damage)

    @property
    def most_wrong(self) -> float:
        """The fraction of the blocks below which that of wrong ones lies, at 95 % confidence, if all were right."""
        if self.recomputed == self.read:
            return 0.0
        return 1.0 - 0.05 ** (1.0 / self.recomputed) if self.recomputed else 1.0

    def __repr__(self) -> str:
        """Say it in lines."""
        lines = [f"{self.path}: {count(self.read)} of {plural(self.blocks, 'block')} read"]
        if self.recomputed:
            lines[0] += f", {count(self.recomputed)} computed again"
        lines += [f"  {each.where}: {each.what}" for each in self.damage[:_LISTED]]
        if len(self.damage) > _LISTED:
            lines.append(f"  and {len(self.damage) - _LISTED} more")
        if self.sound:
            lines.append(f"sound: {self._confidence()}")
        else:
            removed = "removed what is damaged:" if self.repaired else "damaged: --repair removes it, and then"
            lines.append(f"{removed} the same sweep command makes it again")
        if self.unread:
            lines.append(
                "blocks were not read, since what lies where is in damaged files: verify again after the sweep"
            )
        return "\n".join(lines)

    def _confidence(self) -> str:
        if not self.recomputed:
            return "everything is as it was written"
        if self.recomputed == self.read:
            return "everything is as it was written, and every block is what is computed now"
        if self.most_wrong > 0.9:
            few = f"{plural(self.recomputed, 'block')} computed again, too few to judge by"
            return f"everything is as it was written; {few}"
        return (
            f"everything is as it was written; fewer than {100 * self.most_wrong:.2g} % of the blocks are wrong (95 %)"
        )


def verify(
    path: str | Path,
    *,
    sample: int = 0,
    repair: bool = False,
    seed: int | None = None,
    own_kernels: Mapping[str, Kernel] | None = None,
    own_metrics: Mapping[str, Metric] | None = None,
    on_block: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Reread a result, compare it with the digests in its journal, and recompute some of its blocks.

    Parameters
    ----------
    path : path
        The result of a sweep, finished or not.
    sample : int, optional
        How many random blocks to recompute. If 299 are right, fewer than 1 % of all are wrong, at 95 % confidence.
    repair : bool, optional
        Remove what is damaged. Running the same sweep then makes the blocks and files that are missing.
    seed : int, optional
        Seed for the choice of blocks.
    own_kernels, own_metrics : Mapping, optional
        The kernels and metrics of the sweep that are not registered, by name.
    on_block : callable, optional
        Called with the number of blocks checked so far, and their total.

    Returns
    -------
    VerifyReport
        What was found. Its ``repr`` is a report in lines.

    Raises
    ------
    StoreInUse
        A repair was asked for while a run holds the store.
    StoreError
        There is no journal, or its first line is damaged, which nothing can restore.
    StoreMismatch
        Blocks are to be recomputed, but the model or the engine has changed since.
    SpecError
        There is no result of a sweep, `sample` is negative, or a kernel or metric of the sweep's own is not given.
    """
    if sample < 0:
        raise SpecError("this is no number of blocks", where="sample", found=str(sample), expected="0 or more")
    own = bool(own_kernels or own_metrics)
    store = str(path_of(path, what="a result").resolve())
    # Before the lock, which wants a folder to lie in.
    read_undamaged(journal_folder(store))
    with Lock(journal_folder(store)) if repair else nullcontext():
        restored = repair and restore_extension(store)
        journal, lines = read_undamaged(journal_folder(store))
        damage = [Damage("journal", "an extension is missing, of which there is a copy")] if restored else []
        damage += [Damage(f"journal, line {number}", what) for number, what in lines.items()]
        files = damaged_files(store, journal.header.files)
        damage += [Damage(name, what) for name, what in files.items()]
        blocks: Sequence[Block] = ()
        chosen: list[int] = []
        if not files:
            # What lies where is in these files.
            plan, packed = read_plan(store, own_kernels=own_kernels, own_metrics=own_metrics)
            blocks = _blocks(plan, store, journal)
            steps = _Steps(len(journal.entries) + min(sample, len(journal.entries)), on_block)
            damage += _damaged_blocks(store, blocks, journal, steps)
            good = sorted(journal.blocks(PointStatus.DONE) - {each.block for each in damage})
            chosen = random.Random(seed).sample(good, min(sample, len(good)))
            damage += _wrong_blocks(plan, packed, store, [journal.entries[i] for i in sorted(chosen)], steps, own=own)
        if repair and damage:
            bad = sorted({each.block for each in damage if each.block is not None})
            repair_store(store, files=files, blocks=[blocks[index] for index in bad])
            finish_extension(store, locked=True)
    return VerifyReport(
        path=str(path),
        blocks=len(journal.header.block_points),
        read=0 if files else len(journal.entries),
        recomputed=len(chosen),
        damage=tuple(damage),
        repaired=repair and bool(damage),
    )


class _Steps:
    """Counts blocks, and tells of them."""

    def __init__(self, total: int, on_block: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._on_block = 0, total, on_block

    def step(self) -> None:
        self._done += 1
        if self._on_block is not None:
            self._on_block(self._done, self._total)


def _blocks(plan: Plan, path: str, journal: Journal) -> Sequence[Block]:
    if plan.block_sizes != journal.header.block_points:
        raise StoreMismatch("this version of sigcube divides the sweep into other blocks", where=path, hint=_HINT)
    return plan.blocks


def _damaged_blocks(path: str, blocks: Sequence[Block], journal: Journal, steps: _Steps) -> Iterator[Damage]:
    for index, entry in sorted(journal.entries.items()):
        if fault := find_fault(path, blocks[index], entry):
            yield Damage(f"block {index}", fault, index)
        steps.step()


def hint_of_change(changed: Collection[str], *, own: bool) -> str:
    """Say what to do where parts of a result's identity changed: sigcube's code did, or that of a user's own."""
    is_own = own and all(part.startswith(("kernel", "metrics", "reference")) for part in changed)
    return _HINT_OF_OWN if is_own else _HINT


def _wrong_blocks(
    plan: Plan, packed: Packed, path: str, entries: Sequence[JournalEntry], steps: _Steps, *, own: bool
) -> Iterator[Damage]:
    """Compute blocks again, and yield those whose bits are others now."""
    if not entries:
        return
    if changed := changed_parts(plan, path):
        what = f"the blocks cannot be computed again: {', '.join(changed)} changed since"
        raise StoreMismatch(what, where=path, found="; ".join(changed.values()), hint=hint_of_change(changed, own=own))
    engine = Engine(plan, packed)
    for entry in entries:
        block = plan.blocks[entry.block]
        if digest_of(engine.evaluate(block), block.regions) != entry.digest:
            yield Damage(f"block {entry.block}", "as it was written, but other bits are computed now", entry.block)
        steps.step()
