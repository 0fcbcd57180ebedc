"""Cards of a star cube: the number of stars in cells of velocity and place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import flag_masks, samples
from sigcube.cube.selection import EVERYTHING
from sigcube.explore import style
from sigcube.explore.page import Card

__all__ = ["StarCounts", "count_stars", "density_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 540
# The number of stars read at a time.
_SLAB = 1 << 20
# At most this many stars, evenly spaced, decide where the axes end; an axis may leave out this share of them at either
# end [per cent].
_MOST_FOR_ENDS = 200_000
_LEFT_OUT = 0.3
# The median is found in cells that are four times as fine in y, and of five columns together.
_FINER = 4
_TOGETHER = 5
# A median of fewer stars means little.
_FEWEST = 50


@dataclass(frozen=True)
class _View:
    """One figure: the variables of its axes, their titles, the number of cells, the legend of its median if any."""

    x: str
    y: str
    x_title: str
    y_title: str
    cells: tuple[int, int]
    median: str = ""


_VIEWS = (
    _View("r", "v_phi", "R [kpc]", "v_φ [km/s]", (180, 150), "median v_φ"),
    _View("r", "height", "R [kpc]", "z [kpc]", (90, 120)),
)


@dataclass(frozen=True)
class StarCounts:
    """Stars of a sample counted in cells."""

    #: How many there are, shape ``(y, x)``.
    cells: FloatArray
    #: Edges of the cells.
    x: FloatArray
    y: FloatArray
    #: Median of y in five columns together, to a fraction of a cell; NaN where there are few stars.
    median: FloatArray
    #: How many stars of the sample the cells hold, and how many it has.
    inside: int
    total: int


def density_cards(cube: xr.Dataset) -> list[Card]:
    """Return cards with the density of stars over radius and velocity, and over radius and height."""
    counted = [count_stars(cube, view.x, view.y, cells=view.cells) for view in _VIEWS]
    plots = [_plot(cube, view, each) for view, each in zip(_VIEWS, counted, strict=True)]
    choice = style.menu(list(counted[0]))
    style.on_change(choice, code="star.js", parts=[parts for _, parts in plots])
    first = next(iter(counted[0].values()))
    stars = "synthetic stars" if cube.attrs["synthetic"] else "stars"
    return [
        Card(
            "Rotation",
            f"How many {stars} there are at each radius and velocity about the axis. "
            f"{first.total - first.inside:,} of {first.total:,} have no such place, or one beyond the axes.",
            [plots[0][0]],
            [("sample", choice)],
            wide=True,
        ),
        Card("Where they are", "The same stars in radius and height above the plane.", [plots[1][0]]),
    ]


def count_stars(cube: xr.Dataset, x: str, y: str, *, cells: tuple[int, int]) -> dict[str, StarCounts]:
    """Count the stars of each sample in cells of two variables; they are read in parts.

    The number of ``cells`` is that along x and along y. The samples of the recipe come first, then that of all stars.
    """
    found, bits = samples(cube), flag_masks(cube["point_flag"])
    order = [*(name for name in found if name != EVERYTHING), EVERYTHING]
    masks = {name: np.uint8(sum(bits[flag] for flag in found[name].point_flags_excluded)) for name in order}
    x_edges = np.linspace(*_ends(cube, x, masks[order[0]]), cells[0] + 1)
    y_edges = np.linspace(*_ends(cube, y, masks[order[0]]), cells[1] * _FINER + 1)
    fine = {name: np.zeros((cells[1] * _FINER, cells[0])) for name in order}
    totals = dict.fromkeys(order, 0)
    for start in range(0, cube.sizes["star"], _SLAB):
        part = cube[[x, y, "point_flag"]].isel(star=slice(start, start + _SLAB)).load()
        xs, ys, flags = (part[name].values for name in (x, y, "point_flag"))
        for name, mask in masks.items():
            kept = (flags & mask) == 0
            totals[name] += int(kept.sum())
            fine[name] += np.histogram2d(ys[kept], xs[kept], bins=(y_edges, x_edges))[0]
    counted = {}
    for name, counts in fine.items():
        coarse = counts.reshape(-1, _FINER, cells[0]).sum(axis=1)
        median = _medians(counts, y_edges)
        counted[name] = StarCounts(coarse, x_edges, y_edges[::_FINER], median, int(coarse.sum()), totals[name])
    return counted


def _ends(cube: xr.Dataset, name: str, mask: np.uint8) -> tuple[float, float]:
    """Return where an axis begins and ends, such that few stars without these flags are beyond."""
    every = -(-cube.sizes["star"] // _MOST_FOR_ENDS)
    spaced = cube[[name, "point_flag"]].isel(star=slice(None, None, every)).load()
    values = spaced[name].values
    kept = values[np.isfinite(values) & ((spaced["point_flag"].values & mask) == 0)]
    if not kept.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(kept, [_LEFT_OUT, 100 - _LEFT_OUT]))
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _medians(counts: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the median of each column: the place in its cell where the count reaches one half."""
    counts = counts.reshape(counts.shape[0], -1, _TOGETHER).sum(axis=2)
    reached, number = counts.cumsum(axis=0), counts.sum(axis=0)
    row = (reached >= number / 2).argmax(axis=0)
    columns = np.arange(counts.shape[1])
    here = counts[row, columns]
    into = 1.0 - (reached[row, columns] - number / 2) / np.where(here > 0, here, 1.0)
    return np.where(number >= _FEWEST, edges[row] + into * (edges[1] - edges[0]), np.nan)


def _plot(cube: xr.Dataset, view: _View, counted: Mapping[str, StarCounts]) -> tuple[Any, dict[str, Any]]:
    """Draw the first sample; return the figure, and what the script needs to show another one."""
    from bokeh.models import ColumnDataSource, LogColorMapper, LogTicker
    from bokeh.palettes import Viridis256

    first = next(iter(counted))
    x, y = counted[first].x, counted[first].y
    plot = style.figure(
        # The narrow figure is as tall as its neighbour with the menu.
        height=_HEIGHT + (0 if view.median else 64),
        x_range=(x[0], x[-1]),
        y_range=(y[0], y[-1]),
        x_axis_label=view.x_title,
        y_axis_label=view.y_title,
    )
    plot.grid.visible = False
    images = [np.where(each.cells > 0, each.cells, np.nan).astype(np.float32) for each in counted.values()]
    most = [float(max(10.0, each.cells.max())) for each in counted.values()]
    mapper = LogColorMapper(palette=list(reversed(Viridis256)), low=1, high=most[0], nan_color="#ffffff")
    source = ColumnDataSource({"image": images[:1]}, name="image")
    image = plot.image(
        image="image", x=x[0], y=y[0], dw=x[-1] - x[0], dh=y[-1] - y[0], source=source, color_mapper=mapper
    )
    plot.add_layout(style.colour_bar(mapper, "stars in a cell", ticker=LogTicker()), "below")
    tooltips = [(view.x_title, "$x{0.00}"), (view.y_title, "$y{0.0}"), ("stars", "@image{0}")]
    style.hover(plot, image, tooltips, point_policy="follow_mouse")
    parts = {"source": source, "images": images, "mapper": mapper, "most": most}
    if view.median:
        middles = (x[::_TOGETHER][1:] + x[::_TOGETHER][:-1]) / 2
        medians = [each.median for each in counted.values()]
        line = ColumnDataSource({"x": middles, "y": medians[0]})
        # A white rim sets the line apart from dark and bright colours alike.
        plot.line("x", "y", source=line, color="#ffffff", line_width=5, alpha=0.85)
        legend = style.mark_synthetic(view.median, cube)
        plot.line("x", "y", source=line, color="#d55e00", line_width=2.4, legend_label=legend)
        style.legend_above(plot)
        parts |= {"line": line, "middles": middles, "medians": medians}
    return plot, parts
