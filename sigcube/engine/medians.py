"""Medians over systems, many columns at a time: the two middle values of each, found from those of its neighbours.

To sort the columns would take as long as to evaluate a model. A guess closes in on the middle instead: one pass over
the systems counts the values below it, and finds the one next to it on either side. Values are keys, integers in the
order of the floats, since 0 and -0 are equal as floats, but not their bits.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigcube.model.compile import compiled

__all__ = ["LANES", "find_medians", "key_of", "prefetch"]

#: Columns that are searched together, as the elements of vectors: enough to hide how long a comparison takes, few
#: enough that those of a survey stay in a core's innermost cache.
LANES = 16
# Bytes of a cache line; a longer one is asked for twice.
_LINE = 64
# Guesses before a column is partly sorted after all.
_TRIES = 12

_POSITIVE = 0x7FFFFFFFFFFFFFFF
_LEAST = -_POSITIVE - 1
_INFINITE = 0x7FF0000000000000


@intrinsic  # type: ignore[untyped-decorator]
def key_of(_context: Any, value: Any) -> Any:
    """Turn a float into an integer; they have the same order, in which -0 is below 0: negative ones count downwards."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(64)
        bits = builder.bitcast(arguments[0], integer)
        return builder.xor(bits, builder.and_(builder.ashr(bits, integer(63)), integer(_POSITIVE)))

    return types.int64(value), emit


@intrinsic  # type: ignore[untyped-decorator]
def _value_of(_context: Any, key: Any) -> Any:
    """Turn a key into the float again."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(64)
        sign = builder.ashr(arguments[0], integer(63))
        return builder.bitcast(builder.xor(arguments[0], builder.and_(sign, integer(_POSITIVE))), ir.DoubleType())

    return types.float64(key), emit


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, array: Any, index: Any) -> Any:
    """Ask for a row of a strip, from an index of a flat array on, to be brought near; it need not exist."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        call = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)
        for line in range(0, LANES * signature.args[0].dtype.bitwidth // 8, _LINE):
            # To read data, and to keep them in the second cache.
            builder.call(call, [builder.gep(start, [flag(line)]), flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(array, index), emit


@compiled
def find_medians(
    own: Any, around: Any, gap: float, first: int, row: int, means: Any, known: Any, medians: Any
) -> float:
    """Find the median of each column of a strip, NaN where a value is NaN.

    Parameters
    ----------
    own : ndarray of int64, shape (n_systems * LANES,)
        The keys of the strip, system by system. Columns beyond the last one hold anything.
    around : ndarray of int64, shape (8, LANES)
        Room to work in.
    gap : float
        What it returned for the strip before; 0 for the first.
    first, row : int
        Number of the strip's first column, and the length of the last dimension of the grid that the columns are, along
        which neighbours have medians that are close.
    means : ndarray, shape (n,)
        A finite mean tells that a column has no NaN.
    known : ndarray of int64, shape (2, n)
        Where the keys of the two middle values go. Those of the strips before are there.
    medians : ndarray, shape (n,)
        Where the medians go.

    Returns
    -------
    float
        The gap between keys near the middle.
    """
    width = min(LANES, means.size - first)
    _expect(known[1], own, first, row, around[0])
    gap = _search(own, around, gap, known[:, first : first + width])
    for i in range(first, first + width):
        low, high = _value_of(known[0, i]), _value_of(known[1, i])
        medians[i] = low if low == high else 0.5 * (low + high)
        if not np.isfinite(means[i]):
            for at in range(i - first, own.size, LANES):
                if own[at] > _INFINITE or own[at] < ~_INFINITE:
                    medians[i] = np.nan
    return gap


@compiled
def _expect(known: Any, own: Any, first: int, row: int, guess: Any) -> None:
    """Guess the middle of each column from those before the strip, on its row of the grid and on the one before."""
    # How far the column before the strip is from the one on the row before.
    moved = known[first - 1] - known[first - 1 - row] if first % row and first > row else 0
    step = (known[first - 1] - known[first - LANES]) // (LANES - 1) if first else 0
    for j in range(LANES):
        i = first + j
        if first == 0:
            guess[j] = own[j]
        elif i < row:
            guess[j] = known[first - 1] + (j + 1) * step
        elif i - row >= first:
            guess[j] = known[first - 1]
        else:
            guess[j] = known[i - row] + (moved if i // row == first // row else 0)


@compiled
def _search(own: Any, around: Any, gap: float, middles: Any) -> float:
    """Find the two middle keys of each column of a strip, or the one twice, by guesses that close in on them.

    A guess that is too low or too high bounds the middle from then on. Between two bounds the next guess divides the
    ranks evenly; with one, it is as many gaps away as it is ranks off.
    """
    n_systems, width = own.size // LANES, middles.shape[1]
    half, odd = n_systems // 2, n_systems % 2
    guess, ends, ranks, found = around[0], around[1:3], around[3:5], around[5:8]
    ranks[0], ranks[1] = -1, n_systems
    todo = (1 << width) - 1
    for _ in range(_TRIES):
        _count(own, guess, found, n_systems)
        for j in range(width):
            if not todo >> j & 1:
                continue
            below, lower, upper = found[0, j], found[1, j], found[2, j]
            if below == half:
                middles[0, j], middles[1, j] = upper if odd else lower, upper
                todo ^= 1 << j
            elif odd and below == half + 1:
                middles[0, j], middles[1, j] = lower, lower
                todo ^= 1 << j
            else:
                side = 0 if below < half else 1
                ends[side, j], ranks[side, j] = (upper, below) if side == 0 else (lower, below - 1)
                if ranks[0, j] >= 0 and ranks[1, j] < n_systems:
                    gap = (float(ends[1, j]) - float(ends[0, j])) / (ranks[1, j] - ranks[0, j])
                    even = ends[0, j] + np.int64(gap * (half - ranks[0, j]))
                    guess[j] = min(max(even, ends[0, j] + 1), ends[1, j])
                else:
                    step = np.int64((gap if gap else float(upper) - float(lower)) * abs(half - below))
                    guess[j] = upper + 1 + step if side == 0 else lower - step
        if not todo:
            return gap
    column = np.empty(n_systems, dtype=np.int64)
    for j in range(width):
        if todo >> j & 1:
            for s in range(n_systems):
                column[s] = own[s * LANES + j]
            upper = _select(column, half)
            lower = column[0]
            for s in range(1, half):
                lower = max(lower, column[s])
            middles[0, j], middles[1, j] = upper if odd else lower, upper
    return gap


@intrinsic  # type: ignore[untyped-decorator]
def _count(_context: Any, own: Any, guess: Any, found: Any, n_systems: Any) -> Any:
    """For each column of a strip: how many values are below a guess, the largest of them, the smallest of the others.

    Written as vectors, because LLVM makes none of a loop over rows that should keep several columns in registers.
    """
    lanes = ir.VectorType(ir.IntType(64), LANES)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(position: int) -> Any:
            array = context.make_array(signature.args[position])(context, builder, arguments[position])
            return builder.bitcast(array.data, lanes.as_pointer())

        rows, guesses, places = pointer(0), builder.load(pointer(1), align=8), pointer(2)
        state = [cgutils.alloca_once(builder, lanes) for _ in range(3)]
        for place, value in zip(state, (0, _LEAST, _POSITIVE), strict=True):
            builder.store(ir.Constant(lanes, [value] * LANES), place)
        with cgutils.for_range(builder, arguments[3]) as loop:
            keys = builder.load(builder.gep(rows, [loop.index]), align=8)
            below, lower, upper = map(builder.load, state)
            is_below = builder.icmp_signed("<", keys, guesses)
            larger = builder.select(builder.icmp_signed(">", keys, lower), keys, lower)
            smaller = builder.select(builder.icmp_signed("<", keys, upper), keys, upper)
            builder.store(builder.sub(below, builder.sext(is_below, lanes)), state[0])
            builder.store(builder.select(is_below, larger, lower), state[1])
            builder.store(builder.select(is_below, upper, smaller), state[2])
        for position, place in enumerate(state):
            builder.store(builder.load(place), builder.gep(places, [ir.IntType(64)(position)]), align=8)
        return context.get_dummy_value()

    return types.void(own, guess, found, n_systems), emit


@compiled
def _select(values: Any, rank: int) -> Any:
    """Partly sort: no value before that of the rank is larger, none after it is smaller (Hoare 1961)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[rank]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        low = i if j < rank else low
        high = j if rank < i else high
    return values[rank]
