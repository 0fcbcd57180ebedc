"""Panels of a star cube: how many stars there are at each velocity and place, counted beforehand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import flag_masks, samples
from sigcube.cube.selection import EVERYTHING
from sigcube.explore.page import Card
from sigcube.explore.script import script
from sigcube.explore.style import COLOUR_BAR, figure, legend_above
from sigcube.explore.widgets import menu, titled

__all__ = ["Counted", "count_stars", "density_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 470
# Stars read at a time, and stars that decide where the axes end.
_SLAB = 1 << 20
_SPACED = 200_000
# A cell is so many finer ones high; the median is found in those, of so many columns together.
_FINER = 4
_TOGETHER = 5
# The share of stars at each end that an axis may leave out.
_BEYOND = 0.3
# A median of fewer stars than this says little.
_FEWEST = 50


@dataclass(frozen=True)
class _View:
    """One figure: variables to the right and upwards, their titles, and how many cells there are."""

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
class Counted:
    """Stars of a sample counted in cells.

    Attributes
    ----------
    cells : ndarray, shape (y, x)
        How many there are.
    x, y : ndarray
        Edges of the cells.
    median : ndarray, shape (x / 5,)
        Median of y in five columns together, to a fraction of a cell; NaN where there are few stars.
    inside, total : int
        How many stars of the sample the cells hold, and how many it has.
    """

    cells: FloatArray
    x: FloatArray
    y: FloatArray
    median: FloatArray
    inside: int
    total: int


def density_cards(cube: xr.Dataset) -> list[Card]:
    """Return cards with the density of stars over radius and velocity, and over radius and height.

    Parameters
    ----------
    cube : xarray.Dataset
        A star cube, which may be lazy: it is read in parts.
    """
    from bokeh.layouts import column
    from bokeh.models import CustomJS

    counted = [count_stars(cube, view.x, view.y, cells=view.cells) for view in _VIEWS]
    plots = [_plot(cube, view, each) for view, each in zip(_VIEWS, counted, strict=True)]
    names = list(counted[0])
    choice = menu(names)
    args = {"parts": [parts for _, parts in plots]}
    choice.js_on_change("value", CustomJS(args=args, code=script("density.js")))
    all_of_them = counted[0][names[0]]
    outside = all_of_them.total - all_of_them.inside
    body = column(titled("sample", choice), plots[0][0], sizing_mode="stretch_width", spacing=8)
    return [
        Card(
            "Rotation",
            f"How many {_stars(cube)} there are at each radius and velocity about the axis. "
            f"{outside:,} of {all_of_them.total:,} have no such place, or one beyond the axes.",
            body,
            wide=True,
        ),
        Card("Where they are", "The same stars in radius and height above the plane.", plots[1][0]),
    ]


def _stars(cube: xr.Dataset) -> str:
    return "synthetic stars" if cube.attrs["synthetic"] else "stars"


def count_stars(cube: xr.Dataset, x: str, y: str, *, cells: tuple[int, int]) -> dict[str, Counted]:
    """Count the stars of each sample in cells of two variables; they are read in parts.

    Parameters
    ----------
    cube : xarray.Dataset
        A star cube.
    x, y : str
        Variables of the stars.
    cells : (int, int)
        How many to the right and upwards.

    Returns
    -------
    dict
        By sample: those of the recipe first, then that of all stars.
    """
    found = samples(cube)
    order = [*(name for name in found if name != EVERYTHING), EVERYTHING]
    masks = {name: _mask(cube, found[name].point_flags_excluded) for name in order}
    x_edges = np.linspace(*_ends(cube, x, masks[order[0]]), cells[0] + 1)
    y_edges = np.linspace(*_ends(cube, y, masks[order[0]]), cells[1] * _FINER + 1)
    fine = {name: np.zeros((cells[1] * _FINER, cells[0])) for name in order}
    totals = dict.fromkeys(order, 0)
    for xs, ys, flags in _parts(cube, x, y):
        for name, mask in masks.items():
            kept = (flags & mask) == 0
            totals[name] += int(kept.sum())
            fine[name] += np.histogram2d(ys[kept], xs[kept], bins=(y_edges, x_edges))[0]
    return {name: _counted(fine[name], x_edges, y_edges, totals[name]) for name in order}


def _mask(cube: xr.Dataset, excluded: Iterable[str]) -> np.uint8:
    masks = flag_masks(cube["point_flag"])
    return np.uint8(sum(masks[meaning] for meaning in excluded))


def _ends(cube: xr.Dataset, name: str, mask: np.uint8) -> tuple[float, float]:
    """Return where an axis begins and ends, so that few of some of the stars are beyond."""
    spaced = cube[[name, "point_flag"]].isel(star=slice(None, None, -(-cube.sizes["star"] // _SPACED))).load()
    values = spaced[name].values
    kept = values[np.isfinite(values) & ((spaced["point_flag"].values & mask) == 0)]
    if not kept.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(kept, [_BEYOND, 100 - _BEYOND]))
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _parts(cube: xr.Dataset, x: str, y: str) -> Iterator[tuple[FloatArray, FloatArray, Any]]:
    for start in range(0, cube.sizes["star"], _SLAB):
        part = cube[[x, y, "point_flag"]].isel(star=slice(start, start + _SLAB)).load()
        yield part[x].values, part[y].values, part["point_flag"].values


def _counted(fine: FloatArray, x: FloatArray, y: FloatArray, total: int) -> Counted:
    cells = fine.reshape(-1, _FINER, fine.shape[1]).sum(axis=1)
    return Counted(cells, x, y[::_FINER], _medians(fine, y), int(cells.sum()), total)


def _medians(fine: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the median of each column, where in its cell the count reaches one half."""
    fine = fine.reshape(fine.shape[0], -1, _TOGETHER).sum(axis=2)
    reached, number = fine.cumsum(axis=0), fine.sum(axis=0)
    row = (reached >= number / 2).argmax(axis=0)
    columns = np.arange(fine.shape[1])
    here = fine[row, columns]
    into = 1.0 - (reached[row, columns] - number / 2) / np.where(here > 0, here, 1.0)
    return np.where(number >= _FEWEST, edges[row] + into * (edges[1] - edges[0]), np.nan)


def _plot(cube: xr.Dataset, view: _View, counted: Mapping[str, Counted]) -> tuple[Any, dict[str, Any]]:
    from bokeh.models import ColorBar, ColumnDataSource, LogColorMapper, LogTicker
    from bokeh.palettes import Viridis256

    first = next(iter(counted))
    x, y = counted[first].x, counted[first].y
    # The narrow figure is as tall as its neighbour with the menu.
    plot = figure(height=_HEIGHT + (0 if view.median else 80), x_range=(x[0], x[-1]), y_range=(y[0], y[-1]), tools="")
    plot.xaxis.axis_label, plot.yaxis.axis_label = view.x_title, view.y_title
    plot.grid.visible = False
    images = {name: [np.where(each.cells > 0, each.cells, np.nan).astype(np.float32)] for name, each in counted.items()}
    most = {name: float(max(10.0, each.cells.max())) for name, each in counted.items()}
    mapper = LogColorMapper(palette=list(reversed(Viridis256)), low=1, high=most[first], nan_color="#ffffff")
    source = ColumnDataSource({"image": images[first]}, name="image")
    image = plot.image(
        image="image", x=x[0], y=y[0], dw=x[-1] - x[0], dh=y[-1] - y[0], source=source, color_mapper=mapper
    )
    parts = {"source": source, "images": ColumnDataSource(images), "mapper": mapper, "most": most}
    bar = ColorBar(color_mapper=mapper, title="stars in a cell", ticker=LogTicker(), **COLOUR_BAR)
    # A wide figure has room beside it, a narrow one below.
    plot.add_layout(bar, "right" if view.median else "below")
    bar.width, bar.height = (14, "auto") if view.median else ("auto", 14)
    _hover(plot, image, view)
    return plot, {**parts, **(_draw_median(plot, cube, view, counted) if view.median else {})}


def _draw_median(plot: Any, cube: xr.Dataset, view: _View, counted: Mapping[str, Counted]) -> dict[str, Any]:
    from bokeh.models import ColumnDataSource

    edges = next(iter(counted.values())).x[::_TOGETHER]
    lines = {"x": (edges[1:] + edges[:-1]) / 2, **{f"y {name}": each.median for name, each in counted.items()}}
    line = ColumnDataSource({"x": lines["x"], "y": next(iter(counted.values())).median})
    # A white rim keeps the line apart from colours of every brightness.
    plot.line("x", "y", source=line, color="#ffffff", line_width=5, alpha=0.85)
    plot.line("x", "y", source=line, color="#d55e00", line_width=2.4, legend_label=_legend(cube, view))
    legend_above(plot)
    return {"line": line, "lines": ColumnDataSource(lines)}


def _legend(cube: xr.Dataset, view: _View) -> str:
    return f"{view.median} (synthetic)" if cube.attrs["synthetic"] else view.median


def _hover(plot: Any, image: Any, view: _View) -> None:
    from bokeh.models import HoverTool

    tooltips = [(view.x_title, "$x{0.00}"), (view.y_title, "$y{0.0}"), ("stars", "@image{0}")]
    plot.add_tools(HoverTool(renderers=[image], tooltips=tooltips, point_policy="follow_mouse"))
