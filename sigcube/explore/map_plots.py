"""The figure of a map: a summary in colours over two axes of a result, with contours, its best point and a mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import cycle
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.result_data import ResultAxis, ResultView, Slice, compact, cut_slices

__all__ = [
    "Mark",
    "axes_figure",
    "colour_limits",
    "draw_image",
    "draw_map",
    "draw_overlay",
    "image_columns",
    "palette",
]

_HEIGHT = 720
# The shape and the size of one mark after the other.
_MARKERS = (("star", 22), ("square", 14))
_CONTOUR_TEXT: Mapping[str, Any] = MappingProxyType(
    {
        "color": "#ffffff",
        "background_fill_color": "#1c2430",
        "background_fill_alpha": 0.55,
        "border_line_color": None,
        "border_radius": 3,
        "padding": 2,
        "text_font_size": "11.5px",
        "text_align": "center",
        "text_baseline": "middle",
    }
)


@dataclass(frozen=True)
class Mark:
    """A point to show on a map.

    Attributes
    ----------
    name : str
        Its name in the legend.
    at : Mapping
        Its value on both axes, and optionally the labels, by axis, under which alone it is shown.
    """

    name: str
    at: Mapping[str, Any] = field(default_factory=dict)


def draw_map(shown: ResultView, marks: Sequence[Mark], bar_title: str) -> tuple[Any, dict[str, Any]]:
    """Return a figure of the first slice, and what `result_switch.js` needs to show others."""
    from bokeh.models import LinearColorMapper

    y, x = shown.figure
    slices = cut_slices(shown)
    first = slices[shown.place_of(shown.axes[:-2])]
    plot = axes_figure(x, y, height=_HEIGHT, tools="pan,wheel_zoom,box_zoom,reset")
    bests = [str(shown.attrs[name].get("best", "smallest")) for name in shown.values]
    limits = [_limits(shown, name, best) for name, best in zip(shown.values, bests, strict=True)]
    low, high = limits[0][shown.place_of(shown.labels)]
    palettes = [
        _palette_of_ratios(*own[0]) if best == "one" else palette(best) for own, best in zip(limits, bests, strict=True)
    ]
    mapper = LinearColorMapper(palette=palettes[0], low=low, high=high, nan_color="#d5dae1")
    bar = style.colour_bar(mapper, bar_title, height=14)
    plot.add_layout(bar, "below")
    parts = {
        "image": draw_image(plot, first.z, x, y, mapper),
        "values": compact(np.concatenate([each.z.ravel() for each in slices])),
        "mapper": mapper,
        "bar": bar,
        "palettes": palettes,
        "limits": limits,
        "lines": [dict(each.contours) for each in slices],
        "places": [each.best for each in slices],
        **draw_overlay(plot, first),
        "marks": [_draw_mark(plot, mark, shown, look) for mark, look in zip(marks, cycle(_MARKERS), strict=False)],
    }
    style.legend_above(plot)
    return plot, parts


def axes_figure(x: ResultAxis, y: ResultAxis, *, height: int, **options: Any) -> Any:
    """Return an empty figure over two axes of a result."""
    plot = style.figure(
        height=height,
        x_range=(x.low, x.high),
        y_range=(y.low, y.high),
        x_axis_type=x.scale,
        y_axis_type=y.scale,
        x_axis_label=x.title,
        y_axis_label=y.title,
        **options,
    )
    plot.grid.visible = False
    style.few_ticks(plot.xaxis[0])
    style.few_ticks(plot.yaxis[0], most=8)
    return plot


def draw_image(plot: Any, z: Any, x: ResultAxis, y: ResultAxis, mapper: Any) -> Any:
    """Draw values of shape ``(y, x)`` as an image with tooltips, and return it."""
    from bokeh.models import ColumnDataSource, CustomJSHover

    source = ColumnDataSource(image_columns(z, x, y))
    image = plot.image("image", x="x", y="y", dw="dw", dh="dh", source=source, color_mapper=mapper)
    formatters = {
        name: CustomJSHover(args={"image": image, "what": what}, code=style.script("map_hover.js"))
        for name, what in (("$x", "x"), ("$y", "y"), ("$sx", "value"))
    }
    tooltips = [(x.name, "$x{custom}"), (y.name, "$y{custom}"), ("value", "$sx{custom}")]
    style.hover(plot, image, tooltips, formatters=formatters, point_policy="follow_mouse")
    return image


def image_columns(z: Any, x: ResultAxis, y: ResultAxis) -> dict[str, list[Any]]:
    """Return the columns of an image's source: its pixels and their place, and what each of them shows.

    Tooltips read values off the grid itself, so that they are right on any spacing: `xs` and `ys` are the values of the
    axes, `px` and `py` the index of the value that each pixel shows.
    """
    place = {"x": x.low, "y": y.low, "dw": x.high - x.low, "dh": y.high - y.low}
    grid = {"xs": x.values, "ys": y.values, "px": x.pixels, "py": y.pixels}
    rows = {
        "image": compact(z[np.ix_(y.pixels, x.pixels)]),
        **place,
        **{name: each.tolist() for name, each in grid.items()},
    }
    return {name: [each] for name, each in rows.items()}


def palette(best: str) -> list[str]:
    """Return colours that grow brighter from good to bad, evenly to the eye, for a summary with an attribute `best`."""
    from bokeh.palettes import Viridis256

    bright_at_the_end, dark_at_the_end = list(Viridis256), list(reversed(Viridis256))
    palettes = {"smallest": bright_at_the_end, "largest": dark_at_the_end}
    return palettes.get(best, dark_at_the_end[::2] + bright_at_the_end[::2])


def _palette_of_ratios(low: float, high: float) -> list[str]:
    """Return colours of ratios from `low` to `high` = 1/`low`, evenly spaced, by how far their logarithm is from 0."""
    colours = palette("one")
    shares = (np.log(np.linspace(low, high, len(colours))) - np.log(low)) / np.log(high / low)
    return [colours[i] for i in (shares * (len(colours) - 1)).round().astype(int)]


def _limits(shown: ResultView, name: str, best: str) -> list[tuple[float, float]]:
    """Return the values at the ends of the colours for each combination of labels, the same along sliders.

    The worst tenth shares the last colour. What is best in the middle is in the middle of the colours; ratios have the
    same ends under all labels, one half as far from one as two is.
    """
    if best == "one":
        ratios = shown.values[name][np.isfinite(shown.values[name]) & (shown.values[name] > 0)]
        reach = float(np.percentile(np.abs(np.log(ratios)), 90)) if ratios.size else 0.0
        ends = float(np.exp(-(reach or 1.0))), float(np.exp(reach or 1.0))
        return [ends] * prod(axis.values.size for axis in shown.labels)
    rows = shown.values[name].reshape(prod(axis.values.size for axis in shown.labels), -1)
    return [colour_limits(values, best) for values in rows]


def colour_limits(values: Any, best: str) -> tuple[float, float]:
    """Return the values at the ends of the colours; the worst tenth shares the last one."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        low, high = 0.0, 1.0
    elif best in ("smallest", "largest"):
        # Shares are shown in full.
        worst = 10 if finite.min() < 0 else 0
        low, high = np.percentile(finite, [0, 90] if best == "smallest" else [worst, 100])
    else:
        centre = float(best == "one")
        reach = np.percentile(np.abs(finite - centre), 90)
        low, high = centre - reach, centre + reach
    return float(low), float(high if high > low else low + 1.0)


def draw_overlay(plot: Any, first: Slice) -> dict[str, Any]:
    """Draw contours and the best point of a slice; return the sources of both."""
    from bokeh.core.properties import value as literal
    from bokeh.models import ColumnDataSource

    source = ColumnDataSource(dict(first.contours))
    best = ColumnDataSource({"x": first.best[:1], "y": first.best[1:]})
    plot.multi_line("xs", "ys", source=source, color="#ffffff", alpha=0.8, line_width=1.1)
    plot.text("x", "y", "text", source=source, text_font=literal(style.FONT), **_CONTOUR_TEXT)
    look = {**style.MARKER, "fill_color": "#ffffff"}
    plot.scatter("x", "y", source=best, size=12, legend_label="best of what is shown", **look)
    return {"contours": source, "best": best}


def _draw_mark(plot: Any, mark: Mark, shown: ResultView, look: tuple[str, int]) -> dict[str, Any]:
    """Draw a point; return it with the combinations of labels that it belongs to."""
    axes = shown.figure[::-1]
    if missing := [axis.name for axis in axes if axis.name not in mark.at]:
        raise SpecError(
            f"the mark has no value on {missing[0]!r}",
            where="mark",
            found=", ".join(mark.at) or "nothing",
            expected=" and ".join(axis.name for axis in axes),
        )
    x, y = (float(mark.at[axis.name]) for axis in axes)
    options = {"marker": look[0], "size": look[1], "legend_label": style.shorten(mark.name, 40), **style.MARKER}
    drawn = plot.scatter([x], [y], **options)
    fits = [np.array([mark.at.get(axis.name, text) == text for text in axis.texts]) for axis in shown.labels]
    marked = reduce(np.logical_and.outer, fits, np.array(True)).ravel().tolist()
    drawn.visible = marked[shown.place_of(shown.labels)]
    return {"drawn": drawn, "where": marked}
