"""A page with a map of a summary over two axes of a result, and switches for every label and every other summary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.map_data import MapAxes, MapAxis, MapSlice, label_axes, map_slices, pick_axes
from sigcube.explore.page import Card, write_page

__all__ = ["Mark", "map_page"]

_MAP_HEIGHT = 634
_PROFILE_HEIGHT = 322
# Other summaries need longer numbers beside the colour bar; with this margin the layout stays when they come.
_BAR_ROOM = 108
# A row of the legend of a profile has room for so many characters; more rows make the figure higher.
_LEGEND_WIDTH = 54
# More labels than this become a menu.
_MOST_BUTTONS = 5
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
        What the legend calls it.
    at : Mapping
        Its value on both axes. It is shown under every label, or only under those given here by axis.
    """

    name: str
    at: Mapping[str, Any] = field(default_factory=dict)


def map_page(
    result: xr.Dataset,
    path: str | Path,
    *,
    x: str,
    y: str,
    value: str = "rms_mean",
    mark: Mark | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    cards: Sequence[Card] = (),
) -> Path:
    """Write an HTML page with a map of a result; it opens without a server or a network.

    Parameters
    ----------
    result : xarray.Dataset
        A result of a sweep, or a selection from one.
    path : path-like
        The file to write.
    x, y : str
        The horizontal and the vertical axis, numeric. Axes of labels become switches; other numeric axes are held at
        the best point of each choice of labels.
    value : str
        The summary that is shown first; a menu offers the others.
    mark : Mark, optional
        A point to show, such as the true model of a mock survey.
    title, subtitle : str, optional
        The heading, and a sentence below it.
    cards : sequence of Card
        Further cards, below the map.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    SpecError
        For an axis or a summary that the result does not have, or that no map can show; or a mark without a value on
        both axes.
    StoreError
        When the page cannot be written.
    """
    axes = pick_axes(result, x, y)
    return write_page(
        path,
        [*_map_cards(result, axes, map_slices(result, value, axes), mark), *cards],
        title=title or str(result.attrs.get("title", "Result of a sweep")),
        subtitle=subtitle or "",
        notes=_notes(result),
        synthetic=bool(int(result.attrs.get("synthetic", 0))),
    )


def _notes(result: xr.Dataset) -> dict[str, str]:
    """Return where the numbers come from, as far as the result says."""
    notes = {name: str(result.attrs.get(name, "")) for name in ("cube", "sample", "where", "citation")}
    spec = json.loads(result.attrs.get("spec", "{}"))
    versions = json.loads(result.attrs.get("versions", "{}"))
    notes["kernel"] = spec.get("kernel") or ", ".join(spec.get("models", ()))
    notes["held fixed"] = ", ".join(
        f"{name} = {value}" for name, value in spec.get("fixed", spec.get("parameters", {})).items()
    )
    notes["made by"] = f"sigcube {versions['sigcube']}" if "sigcube" in versions else ""
    return {name: text for name, text in notes.items() if text}


def _map_cards(result: xr.Dataset, axes: MapAxes, slices: Sequence[MapSlice], mark: Mark | None) -> list[Card]:
    """Return a card with the map and its switches, and one with the profiles; they switch together."""
    from bokeh.layouts import column, row

    names = label_axes(result, axes)
    # What the switches change, by the names that map_switch.js uses.
    switched: dict[str, Any] = {"mark": None, "marked": []}
    plot = _map_figure(axes)
    switched |= _draw_image(plot, axes, slices, style.value_title(result[slices[0].value]))
    switched |= _draw_overlay(plot, slices)
    if mark is not None:
        switched |= _draw_mark(plot, mark, axes, slices, names)
    style.legend_above(plot)
    titles = {each.value: style.value_title(result[each.value]) for each in slices}
    labels = {value: style.with_unit(value, result[value].attrs.get("units", "")) for value in titles}
    profiles = [_profile_plot(axis, across, slices, labels[slices[0].value]) for across, axis in enumerate(axes)]
    choices = [list(dict.fromkeys(each)) for each in zip(*(each.labels for each in slices), strict=True)]
    switches = [
        style.menu(list(titles)),
        *((style.buttons if len(each) <= _MOST_BUTTONS else style.menu)(each) for each in choices),
    ]
    switched |= {
        "switches": switches,
        "limits": {each.key: list(_limits(each)) for each in slices},
        "palettes": {each.value: _palette(each) for each in slices},
        "titles": titles,
        "labels": labels,
        "lines": [line for profile in profiles for line in profile.renderers],
        "axes": [profile.yaxis[0] for profile in profiles],
    }
    for switch in switches:
        style.on_change(switch, "map_switch.js", **switched)
    named = [style.titled(name, switch) for name, switch in zip(("colours show", *names), switches, strict=True)]
    controls = row(*named, sizing_mode="stretch_width", spacing=16, margin=(0, 0, 10, 0))
    return [
        Card(
            f"Map over {axes[0].symbol} and {axes[1].symbol}",
            "Dark is good. Contours carry the value, or by how many per cent it exceeds the smallest. "
            "Point at the map to read it.",
            column(controls, plot, sizing_mode="stretch_width"),
            wide=True,
        ),
        Card(
            "Profiles",
            "The best value left when one axis is held and the other is free.",
            column(*profiles, sizing_mode="stretch_width", spacing=10),
        ),
    ]


def _map_figure(axes: MapAxes) -> Any:
    x, y = axes
    plot = style.figure(
        height=_MAP_HEIGHT,
        x_range=(x.low, x.high),
        y_range=(y.low, y.high),
        x_axis_type=x.scale,
        y_axis_type=y.scale,
        x_axis_label=x.title,
        y_axis_label=y.title,
        tools="pan,wheel_zoom,box_zoom,reset",
        min_border_right=_BAR_ROOM,
    )
    plot.grid.visible = False
    return plot


def _draw_image(plot: Any, axes: MapAxes, slices: Sequence[MapSlice], bar_title: str) -> dict[str, Any]:
    """Draw the values of the first slice in colours; return what shows another one."""
    from bokeh.models import ColorBar, ColumnDataSource, CustomJSHover, LinearColorMapper

    x, y = axes
    first = slices[0]
    images = {each.key: [each.z[np.ix_(y.pixels, x.pixels)].astype(np.float32)] for each in slices}
    low, high = _limits(first)
    mapper = LinearColorMapper(palette=_palette(first), low=low, high=high, nan_color="#d5dae1")
    image = plot.image(
        image="image",
        x=x.low,
        y=y.low,
        dw=x.high - x.low,
        dh=y.high - y.low,
        source=ColumnDataSource({"image": images[first.key]}),
        color_mapper=mapper,
    )
    bar = ColorBar(color_mapper=mapper, title=bar_title, width=14, **style.COLOUR_BAR)
    plot.add_layout(bar, "right")
    # The tooltip reads values off the grid itself, so that they are right on any spacing.
    grid = {"xs": x.values.tolist(), "ys": y.values.tolist(), "px": x.pixels.tolist(), "py": y.pixels.tolist()}
    formatters = {
        name: CustomJSHover(args={**grid, "image": image, "what": what}, code=style.script("map_hover.js"))
        for name, what in (("$x", "x"), ("$y", "y"), ("$sx", "value"))
    }
    tooltips = [(x.symbol, "$x{custom}"), (y.symbol, "$y{custom}"), ("value", "$sx{custom}")]
    style.hover(plot, image, tooltips, formatters=formatters, point_policy="follow_mouse")
    return {"image": image, "images": ColumnDataSource(images), "mapper": mapper, "bar": bar}


def _palette(shown: MapSlice) -> list[str]:
    """Return colours that grow brighter from good to bad, evenly to the eye."""
    from bokeh.palettes import Viridis256

    return list(reversed(Viridis256) if shown.larger_is_better else Viridis256)


def _limits(shown: MapSlice) -> tuple[float, float]:
    """Return the values at the ends of the colours; the worst tenth of a map shares the last colour."""
    finite = shown.z[np.isfinite(shown.z)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, [0, 100] if shown.larger_is_better else [0, 90])
    return float(low), float(high if high > low else low + 1.0)


def _draw_overlay(plot: Any, slices: Sequence[MapSlice]) -> dict[str, Any]:
    """Draw the contours and the best point of the first slice; return them, with columns for every slice."""
    from bokeh.core.properties import value as literal
    from bokeh.models import ColumnDataSource

    contours = {f"{name} {each.key}": column for each in slices for name, column in each.contours.items()}
    best = {f"{name} {each.key}": [at] for each in slices for name, at in zip("xy", each.best, strict=True)}
    source, key = ColumnDataSource(contours), slices[0].key
    white = {"source": source, "color": "#ffffff", "alpha": 0.8, "line_width": 1.1}
    return {
        "contours": plot.multi_line(f"xs {key}", f"ys {key}", **white),
        "texts": plot.text(
            f"x {key}", f"y {key}", f"text {key}", source=source, text_font=literal(style.FONT), **_CONTOUR_TEXT
        ),
        "best": plot.scatter(
            f"x {key}",
            f"y {key}",
            source=ColumnDataSource(best),
            size=12,
            legend_label="best of the grid",
            **{**style.MARKER, "fill_color": "#ffffff"},
        ),
    }


def _draw_mark(
    plot: Any, mark: Mark, axes: MapAxes, slices: Sequence[MapSlice], names: Sequence[str]
) -> dict[str, Any]:
    """Draw a point; return it with the slices that it belongs to, by their labels."""
    if missing := [axis.name for axis in axes if axis.name not in mark.at]:
        raise SpecError(
            f"the mark has no value on {missing[0]!r}",
            where="mark",
            found=", ".join(mark.at) or "nothing",
            expected=" and ".join(axis.name for axis in axes),
        )
    x, y = (float(mark.at[axis.name]) for axis in axes)
    drawn = plot.scatter([x], [y], marker="star", size=22, legend_label=mark.name, **style.MARKER)
    marked = [
        each.key
        for each in slices
        if all(mark.at.get(axis, label) == label for axis, label in zip(names, each.labels, strict=True))
    ]
    drawn.visible = slices[0].key in marked
    return {"mark": drawn, "marked": marked}


def _profile_plot(axis: MapAxis, across: int, slices: Sequence[MapSlice], value_label: str) -> Any:
    """Draw the best value ``across`` the other axis of ``z``, with a line for each choice of labels."""
    from bokeh.models import ColumnDataSource

    plot = style.figure(
        height=_PROFILE_HEIGHT, x_axis_type=axis.scale, x_axis_label=axis.title, y_axis_label=value_label
    )
    names = {labels: ", ".join(labels) or "best" for labels in dict.fromkeys(each.labels for each in slices)}
    for n, (labels, name) in enumerate(names.items()):
        profiles = {each.value: each.profile(across) for each in slices if each.labels == labels}
        plot.line(
            "at",
            slices[0].value,
            source=ColumnDataSource({"at": axis.values, **profiles}),
            color=style.LINES[n % len(style.LINES)],
            line_width=2.4,
            legend_label=name,
        )
    plot.legend.visible = bool(slices[0].labels)
    style.legend_above(plot)
    # Each line of the legend takes seven characters besides its name.
    if sum(len(name) + 7 for name in names.values()) > _LEGEND_WIDTH:
        columns = max(1, _LEGEND_WIDTH // (max(map(len, names.values())) + 7))
        plot.height += 26 * -(-len(names) // columns) - 26
        for legend in plot.legend:
            legend.update(ncols=columns, spacing=4)
    return plot
