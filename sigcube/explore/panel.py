"""The figures of a map page: the map and its two profiles, which switch together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from sigcube.explore.page import Card
from sigcube.explore.script import script
from sigcube.explore.states import MapAxis, State, label_axes
from sigcube.explore.style import COLOUR_BAR, FONT, INK, LINES, figure, legend_above, pretty_unit, value_title
from sigcube.explore.widgets import buttons, menu, titled

__all__ = ["map_cards"]

_MAP_HEIGHT = 634
_PROFILE_HEIGHT = 322
# Other summaries need longer numbers beside the colour bar, and the figure keeps its layout when they come.
_BAR_ROOM = 108
# More labels than this make a menu.
_MOST_BUTTONS = 5


def map_cards(
    result: xr.Dataset,
    axes: tuple[MapAxis, MapAxis],
    states: Sequence[State],
    *,
    mark_name: str | None = None,
    mark_at: Mapping[str, Any],
) -> list[Card]:
    """Return a card with the map and its switches, and one with the profiles.

    Parameters
    ----------
    result : xarray.Dataset
        The result, for titles and units.
    axes : tuple of MapAxis
        x and y.
    states : sequence of State
        What can be shown; the first is shown at first.
    mark_name : str, optional
        What the marked point is called; there is none without it.
    mark_at : Mapping
        Its values of both axes, and the labels under which it is shown.
    """
    from bokeh.layouts import column, row

    panel = _Panel(result, axes, states)
    plot = panel.map()
    if mark_name is not None:
        panel.mark(plot, mark_name, mark_at)
    legend_above(plot)
    profiles = [panel.profile(axis) for axis in axes]
    switches = panel.switches()
    panel.wire(switches)
    named = [
        titled(name, switch) for name, switch in zip(("colours show", *label_axes(result, axes)), switches, strict=True)
    ]
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


class _Panel:
    """Builds the figures and keeps hold of what the switches change."""

    def __init__(self, result: xr.Dataset, axes: tuple[MapAxis, MapAxis], states: Sequence[State]) -> None:
        self._result = result
        self._axes = axes
        self._states = states
        self._names = label_axes(result, axes)
        self._parts: dict[str, Any] = {}
        self._lines: list[Any] = []
        self._value_axes: list[Any] = []

    def map(self) -> Any:
        x, y = self._axes
        plot = figure(
            height=_MAP_HEIGHT,
            x_range=(x.low, x.high),
            y_range=(y.low, y.high),
            x_axis_type=x.scale,
            y_axis_type=y.scale,
            tools="pan,wheel_zoom,box_zoom,reset",
            min_border_right=_BAR_ROOM,
        )
        plot.xaxis.axis_label, plot.yaxis.axis_label = x.title, y.title
        plot.grid.visible = False
        self._draw_image(plot)
        self._draw_contours(plot)
        self._draw_best(plot)
        return plot

    def _draw_image(self, plot: Any) -> None:
        from bokeh.models import ColorBar, ColumnDataSource, LinearColorMapper

        x, y = self._axes
        cells = np.ix_(y.pixels, x.pixels)
        images = {state.key: [state.z[cells].astype(np.float32)] for state in self._states}
        shown = ColumnDataSource({"image": images[self._states[0].key]})
        low, high = _limits(self._states[0])
        mapper = LinearColorMapper(palette=_palette(self._states[0]), low=low, high=high, nan_color="#d5dae1")
        image = plot.image(
            image="image",
            x=x.low,
            y=y.low,
            dw=x.high - x.low,
            dh=y.high - y.low,
            source=shown,
            color_mapper=mapper,
        )
        bar = ColorBar(
            color_mapper=mapper, title=value_title(self._result[self._states[0].value]), width=14, **COLOUR_BAR
        )
        plot.add_layout(bar, "right")
        self._parts |= {"image": image, "images": ColumnDataSource(images), "mapper": mapper, "bar": bar}
        plot.add_tools(self._hover(image))

    def _hover(self, image: Any) -> Any:
        """Read values off the grid itself, so that they are right on any spacing."""
        from bokeh.models import CustomJSHover, HoverTool

        x, y = self._axes
        grid = {"xs": x.values.tolist(), "ys": y.values.tolist(), "px": x.pixels.tolist(), "py": y.pixels.tolist()}
        code = script("hover.js")
        readers = {
            name: CustomJSHover(args={**grid, "image": image, "what": what}, code=code)
            for name, what in (("$x", "x"), ("$y", "y"), ("$sx", "value"))
        }
        return HoverTool(
            renderers=[image],
            tooltips=[(x.symbol, "$x{custom}"), (y.symbol, "$y{custom}"), ("value", "$sx{custom}")],
            formatters=readers,
            point_policy="follow_mouse",
        )

    def _draw_contours(self, plot: Any) -> None:
        from bokeh.core.properties import value as literal
        from bokeh.models import ColumnDataSource

        data: dict[str, Any] = {}
        for state in self._states:
            lines = state.contours
            data |= {f"xs {state.key}": lines.xs, f"ys {state.key}": lines.ys, f"text {state.key}": lines.text}
            data |= {f"x {state.key}": lines.text_x, f"y {state.key}": lines.text_y}
        source, key = ColumnDataSource(data), self._states[0].key
        lines = plot.multi_line(f"xs {key}", f"ys {key}", source=source, color="#ffffff", alpha=0.8, line_width=1.1)
        texts = plot.text(
            f"x {key}", f"y {key}", f"text {key}", source=source, text_font=literal(FONT), **_CONTOUR_TEXT
        )
        self._parts |= {"contours": lines, "texts": texts}

    def _draw_best(self, plot: Any) -> None:
        from bokeh.models import ColumnDataSource

        data: dict[str, Any] = {}
        for state in self._states:
            data |= {f"x {state.key}": [state.best[0]], f"y {state.key}": [state.best[1]]}
        key = self._states[0].key
        self._parts["best"] = plot.scatter(
            f"x {key}",
            f"y {key}",
            source=ColumnDataSource(data),
            marker="circle",
            size=12,
            fill_color="#ffffff",
            legend_label="best of the grid",
            **_MARKER,
        )

    def mark(self, plot: Any, name: str, at: Mapping[str, Any]) -> None:
        """Show a point, under the labels it belongs to."""
        x, y = (float(at[axis.name]) for axis in self._axes)
        self._parts["mark"] = plot.scatter(
            [x], [y], marker="star", size=22, fill_color="#ffb000", legend_label=name, **_MARKER
        )
        belongs = [
            all(at.get(axis, label) == label for axis, label in zip(self._names, state.labels, strict=True))
            for state in self._states
        ]
        self._parts["mark"].visible = belongs[0]
        self._parts["marked"] = [state.key for state, shown in zip(self._states, belongs, strict=True) if shown]

    def profile(self, axis: MapAxis) -> Any:
        """Draw the best value left at each place of an axis, one line for each combination of labels."""
        from bokeh.models import ColumnDataSource

        first = self._states[0]
        plot = figure(height=_PROFILE_HEIGHT, x_axis_type=axis.scale, tools="")
        plot.xaxis.axis_label, plot.yaxis.axis_label = axis.title, self._value_label(first.value)
        for n, labels in enumerate(dict.fromkeys(state.labels for state in self._states)):
            data = {"at": axis.values}
            own = [state for state in self._states if state.labels == labels]
            data |= {state.value: state.profile(axis=0 if axis is self._axes[0] else 1) for state in own}
            line = plot.line(
                "at",
                first.value,
                source=ColumnDataSource(data),
                color=LINES[n % len(LINES)],
                line_width=2.4,
                legend_label=", ".join(labels) or "best",
            )
            self._lines.append(line)
        plot.legend.visible = bool(self._names)
        legend_above(plot)
        self._value_axes.append(plot.yaxis[0])
        return plot

    def _value_label(self, value: str) -> str:
        unit = pretty_unit(self._result[value].attrs.get("units", ""))
        return f"{value} [{unit}]" if unit else value

    def switches(self) -> list[Any]:
        """Return a menu of summaries, and a switch for each label axis."""
        values = list(dict.fromkeys(state.value for state in self._states))
        labels = [list(dict.fromkeys(labels)) for labels in zip(*(state.labels for state in self._states), strict=True)]
        return [menu(values), *(buttons(each) if len(each) <= _MOST_BUTTONS else menu(each) for each in labels)]

    def wire(self, switches: Sequence[Any]) -> None:
        """Make the switches change what is shown."""
        from bokeh.models import CustomJS

        values = dict.fromkeys(state.value for state in self._states)
        arguments = {
            "mark": None,
            "marked": [],
            **self._parts,
            "switches": list(switches),
            "limits": {state.key: list(_limits(state)) for state in self._states},
            "palettes": {state.value: _palette(state) for state in self._states},
            "titles": {value: value_title(self._result[value]) for value in values},
            "labels": {value: self._value_label(value) for value in values},
            "lines": self._lines,
            "axes": self._value_axes,
        }
        callback = CustomJS(args=arguments, code=script("switch.js"))
        for switch in switches:
            switch.js_on_change("active" if hasattr(switch, "active") else "value", callback)


_CONTOUR_TEXT: Mapping[str, Any] = {
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
_MARKER: Mapping[str, Any] = {"line_color": INK, "line_width": 1.4}


def _palette(state: State) -> list[str]:
    """Return colours that grow brighter from good to bad, evenly to the eye."""
    from bokeh.palettes import Viridis256

    return list(reversed(Viridis256) if state.larger_is_better else Viridis256)


def _limits(state: State) -> tuple[float, float]:
    """Return the values at the ends of the colours; the worst tenth of a map shares the last one."""
    finite = state.z[np.isfinite(state.z)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (0, 100) if state.larger_is_better else (0, 90)
    ends = np.percentile(finite, [low, high])
    return float(ends[0]), float(ends[1] if ends[1] > ends[0] else ends[0] + 1.0)
