"""Contours of a slice: their levels, lines and labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["N_LEVELS", "contour_levels", "trace_contours"]

FloatArray = npt.NDArray[np.float64]

#: Contour levels: how much worse than the best value [per cent].
STEPS = (2, 5, 10, 25, 50, 100, 200)
#: Contour levels of ln L: how far below the largest.
DROPS = (1, 3, 10, 30, 100, 1000, 10_000)
#: Every slice has this many contours, some of them empty, so that all slices can share one figure.
N_LEVELS = len(STEPS)


def contour_levels(z: FloatArray, *, best: str = "smallest") -> list[tuple[float, str]]:
    """Choose levels and their texts: per cent above the smallest value, or none where the best is in the middle.

    Where the largest is best, tenths of a share, and differences from the largest for what may be negative, as ln L.

    Examples
    --------
    >>> contour_levels(np.array([[10.0, 12.0]]))[:2]
    [(10.2, '+2 %'), (10.5, '+5 %')]
    >>> contour_levels(np.array([[0.1, 0.37]]), best="largest"), contour_levels(np.array([[-1.0, 1.0]]), best="zero")
    ([(0.2, '0.2'), (0.3, '0.3')], [])
    >>> contour_levels(np.array([[-25.0, -20.0]]), best="largest")
    [(-21.0, '−1'), (-23.0, '−3')]
    """
    finite = z[np.isfinite(z)]
    if not finite.size or best not in ("smallest", "largest"):
        return []
    low, high = float(finite.min()), float(finite.max())
    if best == "largest" and low < 0:
        return [(high - step, f"−{step:,}") for step in DROPS if low < high - step]
    if best == "largest":
        return [(level / 10, f"{level / 10:g}") for level in range(1, 10) if low < level / 10 < high][-N_LEVELS:]
    if low <= 0:
        return []
    return [(low * (1 + step / 100), f"+{step} %") for step in STEPS if low * (1 + step / 100) < high]


def trace_contours(
    x: FloatArray, y: FloatArray, z: FloatArray, levels: Sequence[tuple[float, str]]
) -> dict[str, list[Any]]:
    """Find the lines at which ``z``, shape ``(y.size, x.size)``, has the levels; each level comes with its text.

    Returns columns of `N_LEVELS` rows: ``xs`` and ``ys`` of the lines, whose pieces are separated by NaN; ``text``, and
    the place ``x`` and ``y`` where it stands.
    """
    from contourpy import contour_generator

    # The type of the lines depends on an option of the generator.
    generator: Any = contour_generator(x, y, np.ma.masked_invalid(z))
    pieces: list[list[FloatArray]] = [generator.lines(level) for level, _ in levels]
    pieces += [[] for _ in range(N_LEVELS - len(levels))]
    lines = [_joined(parts) for parts in pieces]
    # Texts of neighbouring lines side by side would overlap.
    places = [_text_place(parts, x, y, (1 + n % 3) / 4) for n, parts in enumerate(pieces)]
    return {
        "xs": [line[:, 0] for line in lines],
        "ys": [line[:, 1] for line in lines],
        "text": [text for _, text in levels] + [""] * (N_LEVELS - len(levels)),
        "x": [place[0] for place in places],
        "y": [place[1] for place in places],
    }


def _joined(parts: list[FloatArray]) -> FloatArray:
    gap = np.full((1, 2), np.nan)
    whole = [piece for part in parts for piece in (part, gap)]
    return np.concatenate(whole[:-1]) if whole else np.empty((0, 2))


def _text_place(parts: list[FloatArray], x: FloatArray, y: FloatArray, share: float) -> tuple[float, float]:
    """Return a place, that share along it, of the part of the longest line which is away from the rim."""
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
    place = inside[int(len(inside) * share)]
    return float(place[0]), float(place[1])
