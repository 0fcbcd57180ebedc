"""The figures of systems in the explorer: made once, and given new arrays after each change."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import numpy as np

from sigcube.explore import style
from sigcube.explore.explorer.views import SampleView
from sigcube.wording import pretty_unit

__all__ = ["RelationFigure", "ScatterFigure", "SystemFigure", "WholeFigure", "legend_of_samples", "source_of"]

# Tools of figures that do not use dragging themselves; the buttons show while the mouse is over the figure.
_ZOOM: Any = MappingProxyType({"tools": "box_zoom,wheel_zoom,reset", "toolbar_location": "right"})
# Along the radius of one system, beside the models.
_PARTS = {
    **{"v_gas": ("gas", style.LINES[2]), "v_disk": ("disc, M/L 1", style.LINES[4])},
    **{"v_bul": ("bulge, M/L 1", style.LINES[3]), "m_bar": ("baryons", style.LINES[2])},
}
_QUANTITIES = {"km/s": "velocity", "m/s2": "acceleration", "solMass": "enclosed mass"}


def source_of(**columns: Any) -> Any:
    """Return a data source."""
    from bokeh.models import ColumnDataSource

    return ColumnDataSource(columns)


def _lift(renderers: Iterable[Any]) -> None:
    """Draw on the upper canvas: changes there do not repaint the axes, legends and everything else below.

    ``painting.js`` ends it at the frame of the figure.
    """
    for renderer in renderers:
        renderer.update(level="overlay", tags=["framed"])


def legend_of_samples(plot: Any) -> None:
    """Move the legend above the figure, with samples of its own: those of changing lines are made anew with them."""
    style.legend_above(plot)
    source = source_of(x=np.full(1, np.nan), y=np.full(1, np.nan))
    for item in (each for legend in plot.legend for each in legend.items):
        item.renderers = [
            plot.add_glyph(source, renderer.glyph.clone(x="x", y="y"), name=renderer.name)
            for renderer in item.renderers
        ]


def rounded_span(*values: Any, low: float | None = None) -> tuple[float, float]:
    """Return round ends around all finite values, which seldom change while a model does.

    To lay out an axis anew takes longer than to draw all lines of a figure.

    Examples
    --------
    >>> rounded_span(np.array([3.0, 96.0]), low=0.0), rounded_span(np.array([-1.62, 1.7]))
    ((0.0, 100.0), (-2.0, 2.0))
    """
    every = np.concatenate([np.ravel(each) for each in values])
    finite = every[np.isfinite(every)]
    if not finite.size:
        return 0.0, 1.0
    start, stop = float(finite.min()) if low is None else low, float(finite.max())
    width = max(stop - start, 1e-12 * max(abs(start), abs(stop))) or 1.0
    step = 10.0 ** np.floor(np.log10(width))
    step = step / 2 if width / step < 5 else step
    first, last = step * np.floor(start / step), step * np.ceil(stop / step)
    return float(first if low is None else low), float(last if last > first else first + step)


def _title(view: SampleView) -> str:
    return style.with_unit(_QUANTITIES.get(view.unit, "value"), view.unit)


class SystemFigure:
    """One system along its radius: measurements, predictions and residuals."""

    def __init__(
        self, view: SampleView, columns: Any, *, reference: str, synthetic: bool, height: int, lifted: bool
    ) -> None:
        unit = pretty_unit(view.unit)
        self._baryons, self.source = source_of(**_baryons(columns)), source_of(**_others(columns))
        self.source.name = "one"
        measured = f"{'median' if view.is_one else 'measured'}{' (synthetic)' if synthetic else ''}"
        wide = view.kind == "cluster"
        self._wide, self._one = wide, view.is_one
        scales: dict[str, Any] = {side: "log" if wide else "linear" for side in ("x_axis_type", "y_axis_type")}
        fixed = [
            {} if wide else {name: (0.0, 1.0) for name in names} for names in (("x_range", "y_range"), ("y_range",))
        ]
        along = "radius [kpc]" if view.r is not None else "point, from the centre"
        self.plot = style.figure(height=height, **_ZOOM, y_axis_label=_title(view), **scales, **fixed[0])
        self.residuals = style.figure(
            height=150,
            **_ZOOM,
            x_range=self.plot.x_range,
            x_axis_type=scales["x_axis_type"],
            x_axis_label=along,
            y_axis_label=style.with_unit("residual", view.unit),
            **fixed[1],
        )
        if view.is_one:
            self._draw_density(view)
        for name, (legend, colour) in _PARTS.items():
            if name in view.parts and np.any(view.parts[name]) and (name != "m_bar" or view.unit == "solMass"):
                line = {"line_dash": "dotted", "line_width": 1.5, "color": colour, "legend_label": legend}
                self.plot.line("r", name, source=self._baryons, **line)
        below = len(self.plot.renderers)
        if view.kind != "cluster":
            look = {"line_dash": "dashed", "line_width": 1.8, "legend_label": "baryons", "name": "soft"}
            self.plot.line("r", "v_bar", source=self.source, color=style.SOFT, **look)
        self._models: dict[str, tuple[Any, Any]] = {}
        lines = [
            ("reference", reference, "solid", 1.8),
            ("b", "model B", "dashed", 2.4),
            ("a", "model A", "solid", 2.6),
        ]
        for name, legend, dash, width in lines:
            if name == "reference" and not reference:
                continue
            look = {"line_dash": dash, "line_width": width, "name": name, "color": style.INK}
            # A single point has no line.
            dot = {"size": 3.5, "color": style.INK, "name": name}
            for plot, column in ((self.plot, name), (self.residuals, f"{name}_residual")):
                more = {"legend_label": legend} if plot is self.plot else {}
                line = plot.line("r", column, source=self.source, **look, **more)
                self._models[column] = line, plot.scatter("r", column, source=self.source, **dot)
        ink = {"color": style.INK, "name": "ink"}
        self.plot.segment("r", "low", "r", "high", source=self.source, line_width=1.3, **ink)
        dots = self.plot.scatter("r", "observed", source=self.source, size=6.5, legend_label=measured, **ink)
        self.residuals.segment("r", "error_low", "r", "error_high", source=self.source, line_width=1.3, **ink)
        self.residuals.line("r", 0.0, source=self.source, line_width=1.0, **ink)
        form = "{%.3e}" if wide else "{%.4g}"
        tips = [("radius", "@r{0.00} kpc"), ("measured", f"@observed{form} {unit}"), ("A", f"@a{form} {unit}")]
        style.hover(self.plot, dots, tips)
        style.few_ticks(self.residuals.yaxis[0], most=3 if wide else 5)
        if wide:
            for plot in (self.plot, self.residuals):
                style.plain_ticks(plot.xaxis[0])
            style.few_ticks(self.plot.yaxis[0])
        if lifted:
            _lift([*self.plot.renderers[below:], *self.residuals.renderers])
        legend_of_samples(self.plot)
        self._fit(columns)

    def show(self, columns: Any) -> None:
        """Show another system or model."""
        self._fit(columns)
        parts = _baryons(columns)
        if any(not np.array_equal(parts[name], self._baryons.data[name], equal_nan=True) for name in parts):
            self._baryons.data = parts
        self.source.data = _others(columns)

    def _fit(self, columns: Any) -> None:
        """Fit the axes to the data, and draw no more than that."""
        self._reach(columns)
        for name, parts in self._models.items():
            visible = bool(np.isfinite(columns[name]).any())
            for part in parts:
                part.visible = visible

    def _draw_density(self, view: SampleView) -> None:
        from bokeh.models import LogColorMapper
        from bokeh.palettes import Blues256

        counts, (left, right), (bottom, top) = view.density()
        mapper = LogColorMapper(palette=list(reversed(Blues256))[:200], low=1, high=max(10.0, float(counts.max())))
        mapper.low_color = "#00000000"
        place = {"x": left, "y": bottom, "dw": right - left, "dh": top - bottom}
        image = np.where(counts > 0, counts, np.nan).astype(np.float32)
        mapper.nan_color = "#00000000"
        source = source_of(image=[image])
        self.plot.image("image", source=source, color_mapper=mapper, **place, alpha=0.8)

    def _reach(self, columns: Any) -> None:
        """Fit the axes to everything; those of clusters find their ends by themselves."""
        if self._wide:
            return
        models = [columns[name] for name in ("a", "b", "reference")]
        parts = [columns[name] for name in ("low", "high", "observed", "v_bar", "v_gas")]
        start = None if self._one else 0.0
        residuals = [columns[f"{name}_residual"] for name in ("a", "b", "reference")]
        spans = {
            self.plot.x_range: rounded_span(columns["r"], low=start),
            self.plot.y_range: rounded_span(*models, *parts, *([] if self._one else [np.zeros(1)])),
            self.residuals.y_range: rounded_span(*residuals, np.zeros(1)),
        }
        for axis, (start, end) in spans.items():
            if (axis.start, axis.end) != (start, end):
                axis.update(start=start, end=end)


def _baryons(columns: Any) -> dict[str, Any]:
    """Return the columns of a system that no model changes."""
    return {name: columns[name] for name in ("r", *_PARTS)}


def _others(columns: Any) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name not in _PARTS}


class WholeFigure:
    """The curves of all systems: those that A wins, those that it loses, and the measurements."""

    def __init__(self, view: SampleView, columns: Any, picked: Any, *, height: int, lifted: bool) -> None:
        scale = "log" if view.kind == "cluster" else "linear"
        x_scale = "log" if view.r is not None else "linear"
        label = "radius [kpc]" if view.r is not None else "point, from the centre"
        titles = {"x_axis_label": label, "y_axis_label": _title(view)}
        # Diverging models do not set the range.
        measured = view.observed[np.isfinite(view.observed)]
        reach = {} if scale == "log" or not measured.size else {"y_range": rounded_span(1.15 * measured, low=0.0)}
        self.plot = style.figure(height=height, **_ZOOM, x_axis_type=x_scale, y_axis_type=scale, **titles, **reach)
        r = view.spread(view.along)
        self.source, self._picked = source_of(r=r, **columns), source_of(**picked)
        self.source.name = "curves"
        source = source_of(r=r, observed=view.spread(view.observed))
        look = {"source": source, "alpha": 0.5, "color": style.SOFT, "legend_label": "measured", "name": "soft"}
        single = bool(view.offsets[-1] == view.offsets.size - 1)
        if single:
            # Systems with a single point have no line.
            self.plot.scatter("r", "observed", size=4, **look)
        else:
            # One line of three thousand points draws ten times faster than as many dots.
            self.plot.line("r", "observed", line_width=1.0, **look)
        for name, colour, legend in (("won", "a", "A, nearer"), ("lost", "lost", "A, not nearer")):
            look = {"line_width": 1.3, "alpha": 0.8, "legend_label": legend, "name": colour, "color": style.INK}
            self.plot.line("r", name, source=self.source, **look)
            if single:
                self.plot.scatter("r", name, source=self.source, size=5, color=style.INK, name=colour)
        self.plot.line("r", "model", source=self._picked, line_width=3.0, color=style.INK, name="a")
        self.plot.scatter("r", "observed", source=self._picked, size=5, color=style.INK, name="ink")
        if view.r is not None:
            style.plain_ticks(self.plot.xaxis[0], steps=(1, 2, 5) if view.kind == "cluster" else (1,))
        if scale == "log":
            style.few_ticks(self.plot.yaxis[0])
        if lifted:
            _lift(self.plot.renderers[1:])
        legend_of_samples(self.plot)
        named = {item.label.value: item for legend in self.plot.legend for item in legend.items}
        self._won, self._lost = named["A, nearer"], named["A, not nearer"]

    def compare(self, compared: bool) -> None:
        """Say in the legend which curves are nearer to the data than those of another model, if there is one."""
        from bokeh.core.properties import value

        self._won.label = value("A, nearer" if compared else "A")
        self._lost.visible = compared

    def show(self, columns: Any, picked: Any) -> None:
        """Show other curves; columns that are not given stay, and are not sent again."""
        self.source.data.update(columns)
        if picked["r"].size or self._picked.data["r"].size:
            self._picked.data = picked


class RelationFigure:
    """The radial acceleration relation: observed and predicted against baryonic accelerations."""

    def __init__(self, columns: Any, *, height: int) -> None:
        titles = ("log₁₀ g of the baryons [m/s²]", "log₁₀ g [m/s²]")
        reach = {"x_range": rounded_span(columns["x"]), "y_range": rounded_span(columns["observed"])}
        self.plot = style.figure(height=height, **_ZOOM, x_axis_label=titles[0], y_axis_label=titles[1], **reach)
        # Next to two other figures there is no room for more.
        self.plot.xaxis.ticker.desired_num_ticks = 4
        self.source = source_of(**columns)
        finite = columns["x"][np.isfinite(columns["x"])]
        ends = [float(finite.min()), float(finite.max())] if finite.size else [-13.0, -9.0]
        self.plot.line(ends, ends, color=style.SOFT, line_dash="dashed", line_width=1.6, name="soft")
        looks = [
            ("observed", "soft", "observed", 3, 0.45),
            ("model", "a", "model A", 3, 0.6),
            ("picked", "ink", "picked", 6, 1),
        ]
        for name, colour, legend, size, alpha in looks:
            look = {"size": size, "alpha": alpha, "color": style.INK, "legend_label": legend, "name": colour}
            self.plot.scatter("x", name, source=self.source, **look)
        legend_of_samples(self.plot)

    def show(self, columns: Any) -> None:
        """Show another model."""
        self.source.data.update(columns)


class ScatterFigure:
    """Two columns of systems against each other."""

    def __init__(self, source: Any, *, height: int) -> None:
        from bokeh.models import BoxSelectTool, Scatter

        tools: dict[str, Any] = {"tools": "tap,box_select,lasso_select,box_zoom,reset", "toolbar_location": "right"}
        reach = {"x_range": (0.0, 1.0), "y_range": (0.0, 1.0)}
        self.plot = style.figure(height=height, x_axis_label=" ", **tools, **reach)
        self.plot.toolbar.active_drag = self.plot.select_one({"type": BoxSelectTool})
        self.plot.yaxis.axis_label = " "
        for axis in self.plot.axis:
            style.few_ticks(axis)
        self.plot.name = "scatter"
        self.diagonal = source_of(x=np.empty(0), y=np.empty(0))
        self.plot.line("x", "y", source=self.diagonal, color=style.SOFT, line_dash="dashed", name="soft")
        dots = []
        for name, colour in (("won_y", "a"), ("lost_y", "lost")):
            look = {"size": 7, "alpha": 0.65, "nonselection_alpha": 0.35, "color": style.INK, "name": colour}
            drawn = self.plot.scatter("across", name, source=source, line_color=None, **look)
            drawn.selection_glyph = Scatter(x="across", y=name, size=12, fill_alpha=1.0, **style.MARKER)
            dots.append(drawn)
        for drawn in dots:
            tips = [("", "@system"), ("horizontal", "@across{%.4g}"), ("vertical", "@up{%.4g}")]
            style.hover(self.plot, drawn, tips)
        self._source = source

    def show(self, titles: tuple[str, str], ends: tuple[float, float] | None) -> None:
        """Name the axes, and draw the line on which both are equal, between two ends."""
        for axis, title in zip((self.plot.xaxis[0], self.plot.yaxis[0]), titles, strict=True):
            if axis.axis_label != title:
                axis.axis_label = title
        for reach, name in ((self.plot.x_range, "across"), (self.plot.y_range, "up")):
            start, end = rounded_span(self._source.data[name])
            if (reach.start, reach.end) != (start, end):
                reach.update(start=start, end=end)
        line = np.array(ends if ends is not None else [], dtype=np.float64)
        self.diagonal.data = {"x": line, "y": line}
