"""Time a small part of a plan on this machine, and see whether the model is finite there."""

import time
from dataclasses import replace
from itertools import compress
from math import prod

from sigcube.cube import Packed
from sigcube.engine.block import Engine
from sigcube.plan.plan import Plan
from sigcube.plan.values import Block, PointStatus, Section

__all__ = ["probe"]

# Enough for a steady rate, little enough to be done before a person looks up.
_EVALUATIONS = 2**24
# Machine code on disk is there in a tenth of this, and the shortest loop takes twice as long to compile.
_LONGEST_TO_LOAD = 0.1


def probe(plan: Plan, packed: Packed) -> Plan:
    """Return a plan that knows the time of an evaluation, from the largest section once its loop is compiled.

    If there are several sections, it also knows how long the loop of another took to compile: that of the first
    includes the start of Numba.
    """
    lengths = plan.dims.values()
    largest, *others = sorted(plan.sections, key=lambda each: -prod(compress(lengths, plan.used_dims(each))))
    block = _first_points(plan, largest, max(1, _EVALUATIONS // plan.n_points))
    engine = Engine(plan, packed)
    engine.evaluate(block)
    start = time.perf_counter()
    status = engine.evaluate(block)["status"]
    seconds = time.perf_counter() - start
    compiling = _seconds_to_compile(engine, _first_points(plan, others[0], 1)) if others else None
    return replace(
        plan,
        seconds_per_evaluation=seconds / (block.size * plan.n_points),
        seconds_to_compile=compiling,
        finite_where_probed=bool((status == PointStatus.DONE).any()),
    )


def _seconds_to_compile(engine: Engine, block: Block) -> float | None:
    start = time.perf_counter()
    engine.evaluate(block)
    seconds = time.perf_counter() - start
    return seconds if seconds > _LONGEST_TO_LOAD else None


def _first_points(plan: Plan, section: Section, points: int) -> Block:
    whole = plan.blocks.first_of(section)
    tile: list[slice] = []
    for part in reversed(whole.tile):
        length = max(1, min(part.stop - part.start, points))
        points //= length
        tile.append(slice(part.start, part.start + length))
    return replace(whole, tile=tuple(reversed(tile)))
