"""The figure of a map, or of a line, in the explorer: made once, and given new arrays after each change."""

from typing import Any

import numpy as np

from sigcube.explore import style
from sigcube.explore.explorer.data import MapValues
from sigcube.explore.explorer.figures import legend_of_samples, source_of
from sigcube.explore.map_plots import (
    axes_figure,
    colour_limits,
    draw_image,
    draw_overlay,
    image_columns,
    palette,
)
from sigcube.explore.result_data import cut_slice
from sigcube.plan.values import PointStatus

__all__ = ["LineFigure", "MapFigure"]

# The colour of each status where the summary is not finite; done points are transparent.
_STATES = ["#9aa4b2", "#00000000", "#d5dae1", "#a33b3b", "#7a1f1f"]


class MapFigure:
    """A summary in colours over two axes, with contours, the best point, and the places A and B."""

    def __init__(self, values: MapValues, attrs: Any, title: str, *, height: int) -> None:
        from bokeh.models import LinearColorMapper

        y, x = values.axes
        best = str(attrs.get("best", "smallest"))
        self.plot = axes_figure(x, y, height=height)
        low, high = colour_limits(values.values, best)
        self._mapper = LinearColorMapper(palette=palette(best), low=low, high=high, nan_color="#00000000")
        self._bar = style.colour_bar(self._mapper, title, height=12)
        states = LinearColorMapper(palette=_STATES, low=-0.5, high=4.5)
        self._states = source_of(**image_columns(_shown_states(values), x, y))
        self.plot.image("image", x="x", y="y", dw="dw", dh="dh", source=self._states, color_mapper=states)
        self._image = draw_image(self.plot, values.values, x, y, self._mapper)
        self.plot.add_layout(self._bar, "below")
        self._overlay = draw_overlay(self.plot, cut_slice(values.values, x.values, y.values, attrs))
        self.marks = _marks(self.plot)
        legend_of_samples(self.plot)

    def show(self, values: MapValues, attrs: Any, title: str) -> None:
        """Show other values over the same axes."""
        y, x = values.axes
        best = str(attrs.get("best", "smallest"))
        cut = cut_slice(values.values, x.values, y.values, attrs)
        self._states.data = image_columns(_shown_states(values), x, y)
        self._image.data_source.data = image_columns(values.values, x, y)
        low, high = colour_limits(values.values, best)
        self._mapper.update(palette=palette(best), low=low, high=high)
        self._bar.title = title
        self._overlay["contours"].data = dict(cut.contours)
        self._overlay["best"].data = {"x": cut.best[:1], "y": cut.best[1:]}


def _shown_states(values: MapValues) -> Any:
    """Return the status of points, shown where the summary is not finite."""
    return np.where(np.isfinite(values.values), float(PointStatus.DONE), values.status)


class LineFigure:
    """A summary along one axis, with the places A and B."""

    def __init__(self, values: MapValues, attrs: Any, title: str, *, height: int) -> None:
        (x,) = values.axes
        options = {"x_axis_type": x.scale, "x_axis_label": x.title, "y_axis_label": title}
        self.plot = style.figure(height=height, **options)
        style.few_ticks(self.plot.xaxis[0])
        style.short_ticks(*self.plot.yaxis)
        self._source = source_of(x=x.values, y=values.values)
        line = self.plot.line("x", "y", source=self._source, line_width=2.4, color=style.LINES[0], name="a")
        style.hover(self.plot, line, [(x.name, "@x{%.4g}"), ("value", "@y{%.7g}")])
        self.marks = _marks(self.plot)
        legend_of_samples(self.plot)

    def show(self, values: MapValues, attrs: Any, title: str) -> None:
        """Show other values over the same axis."""
        self._source.data = {"x": values.axes[0].values, "y": values.values}
        self.plot.yaxis.axis_label = title


def _marks(plot: Any) -> dict[str, Any]:
    found = {}
    for name, marker in (("a", "circle_cross"), ("b", "square_cross")):
        found[name] = source_of(x=np.empty(0), y=np.empty(0))
        # On the upper canvas, so that a moving mark does not repaint the map.
        look = {"size": 17, "fill_color": None, "line_width": 2.2, "legend_label": name.upper(), "level": "overlay"}
        # A white rim sets the mark apart from dark and bright colours alike.
        plot.scatter("x", "y", source=found[name], marker=marker, line_color="#ffffff", **{**look, "line_width": 5.0})
        plot.scatter("x", "y", source=found[name], marker=marker, line_color="#111111", **look)
    return found
