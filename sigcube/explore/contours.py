"""Contour lines of a map, as the columns that Bokeh draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["N_LEVELS", "Contours", "contour_levels", "trace"]

FloatArray = npt.NDArray[np.float64]

#: How much worse than the best a contour stands, in per cent.
STEPS = (2, 5, 10, 25, 50, 100, 200)
#: Every map has this many contours, some of them empty, so that maps can share one figure.
N_LEVELS = len(STEPS)


@dataclass(frozen=True)
class Contours:
    """Lines of equal value: for each level its pieces, separated by NaN, and where its text stands."""

    xs: list[FloatArray]
    ys: list[FloatArray]
    text: list[str]
    text_x: list[float]
    text_y: list[float]


def contour_levels(z: FloatArray, *, larger_is_better: bool) -> list[tuple[float, str]]:
    """Choose levels and their texts: steps of per cent above the smallest value, or ten values in a hundred.

    Examples
    --------
    >>> contour_levels(np.array([[10.0, 12.0]]), larger_is_better=False)[:2]
    [(10.2, '+2 %'), (10.5, '+5 %')]
    >>> contour_levels(np.array([[0.1, 0.37]]), larger_is_better=True)
    [(0.2, '0.2'), (0.3, '0.3')]
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return []
    low, high = float(finite.min()), float(finite.max())
    if larger_is_better:
        return [(level / 10, f"{level / 10:g}") for level in range(1, 10) if low < level / 10 < high][-N_LEVELS:]
    if low <= 0:
        return []
    return [(low * (1 + step / 100), f"+{step} %") for step in STEPS if low * (1 + step / 100) < high]


def trace(x: FloatArray, y: FloatArray, z: FloatArray, levels: list[tuple[float, str]]) -> Contours:
    """Follow the lines of equal value; z has the shape ``(y.size, x.size)``."""
    from contourpy import contour_generator

    # The type of the lines depends on an option of the generator.
    generator: Any = contour_generator(x, y, np.ma.masked_invalid(z))
    pieces = [generator.lines(level) for level, _ in levels]
    lines = [_joined(parts) for parts in pieces]
    places = [_place(parts, x, y) for parts in pieces]
    missing = N_LEVELS - len(levels)
    return Contours(
        [line[:, 0] for line in lines] + [np.empty(0)] * missing,
        [line[:, 1] for line in lines] + [np.empty(0)] * missing,
        [text for _, text in levels] + [""] * missing,
        [place[0] for place in places] + [np.nan] * missing,
        [place[1] for place in places] + [np.nan] * missing,
    )


def _joined(parts: list[FloatArray]) -> FloatArray:
    gap = np.full((1, 2), np.nan)
    whole = [piece for part in parts for piece in (part, gap)]
    return np.concatenate(whole[:-1]) if whole else np.empty((0, 2))


def _place(parts: list[FloatArray], x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return the highest place of the longest piece, away from the rim."""
    if not parts:
        return np.nan, np.nan
    longest = max(parts, key=len)
    inside = longest[
        (longest[:, 0] > x[0] + 0.05 * np.ptp(x))
        & (longest[:, 0] < x[-1] - 0.05 * np.ptp(x))
        & (longest[:, 1] > y[0] + 0.04 * np.ptp(y))
        & (longest[:, 1] < y[-1] - 0.04 * np.ptp(y))
    ]
    if not len(inside):
        return np.nan, np.nan
    top = inside[len(inside) // 2]
    return float(top[0]), float(top[1])
