"""Figures of a posterior: the density of each axis, the probability of labels, and regions of two axes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.prior_weights import quadrature
from sigcube.explore import style

__all__ = ["corner_figures"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 260
_BANDS = ("#cfe2f1", "#7fb3d9")
# Values between two neighbours in a figure of two axes, and the lowest ln of a density there.
_FINE, _LOWEST = 8, -60.0


def corner_figures(post: xr.Dataset) -> tuple[list[Any], list[Any]]:
    """Return a figure of each axis that varies, and one of each pair that has a joint marginal and is resolved."""
    shown = [name for name in map(str, post["axis"].values) if f"p_{name}" in post and post[f"p_{name}"].size > 1]
    pairs = [(one, other) for one in shown for other in shown if f"p_{one}_{other}" in post]
    resolved = dict(zip(shown, post["resolved"].sel(axis=shown).values.tolist(), strict=True))
    drawn = [each for each in pairs if all(_is_number(post, name) and resolved[name] for name in each)]
    return [_marginal_figure(post, name) for name in shown], [_pair_figure(post, *pair) for pair in drawn]


def _marginal_figure(post: xr.Dataset, name: str) -> Any:
    """Draw the marginal of an axis: its density with its median and 68 and 95 % intervals, or bars of labels."""
    from bokeh.models import ColumnDataSource, Span

    density = post[f"p_{name}"]
    coord = post[name] if name in post.coords else density[density.dims[0]]
    if not _is_number(post, name):
        names = [str(value) for value in coord.values]
        plot = style.figure_by_name(names, x_axis_label=f"probability of {name}", x_range=(0.0, 1.0))
        columns = {"y": list(range(len(names))), "p": density.values, "middle": 0.5 * density.values, "name": names}
        source, look = ColumnDataSource(columns), {"color": style.LINES[0], "line_color": None, "name": "a"}
        bars = plot.rect(x="middle", y="y", width="p", height=0.6, source=source, **look)
        style.hover(plot, bars, [(name, "@name"), ("probability", "@p{0.0000}")])
        return plot
    row = post.sel(axis=name)
    order = np.argsort(coord.values)
    x, y = coord.values[order], density.values[order]
    plot = style.figure(
        height=_HEIGHT,
        x_axis_label=style.fitted(name, style.unit_of(coord), style.FITS),
        y_axis_label="density" if row["resolved"] else "density, not resolved",
        x_axis_type="log" if _is_log(x) else "linear",
    )
    _set_ticks(plot.xaxis, x)
    style.short_ticks(*plot.yaxis)
    plot.y_range.start = 0.0
    dots = ColumnDataSource({"x": x, "y": y})
    # Lines and dots are named after their colours, which the explorer changes in the dark.
    if row["resolved"]:
        fine_x, fine_y = (post[f"{kind}_{name}"].values for kind in ("between", "density"))
        for level, colour in zip(reversed(post["level"].values.tolist()), _BANDS, strict=True):
            low, high = (float(row[end].sel(level=level)) for end in ("low", "high"))
            inside = (fine_x >= low) & (fine_x <= high)
            plot.varea("x", 0.0, "y", source=ColumnDataSource({"x": fine_x[inside], "y": fine_y[inside]}), color=colour)
        fine = ColumnDataSource({"x": fine_x, "y": fine_y})
        plot.line("x", "y", source=fine, line_width=2.2, color=style.LINES[0], name="a")
        middle = float(row["median"])
        plot.add_layout(Span(location=middle, dimension="height", line_color=style.INK, line_dash="dashed"))
    else:
        plot.segment("x", 0.0, "x", "y", source=dots, line_width=2.2, color=style.LINES[0], name="a")
    marks = plot.scatter("x", "y", source=dots, size=4, color=style.INK, name="ink")
    style.hover(plot, marks, [(name, "@x{%.4g}"), ("density", "@y{%.4g}")])
    return plot


def _pair_figure(post: xr.Dataset, one: str, other: str) -> Any:
    """Draw the regions of highest joint density of two axes that hold 68 and 95 %, and the best point."""
    from bokeh.models import ColumnDataSource

    joint = post[f"p_{one}_{other}"]
    orders = [np.argsort(post[name].values) for name in (one, other)]
    x, y = (post[name].values[order] for name, order in zip((one, other), orders, strict=True))
    fine_x, fine_y, density = _refined_pair(x, y, joint.values[np.ix_(*orders)])
    levels = _levels_of(fine_x, fine_y, density, post["level"].values.tolist())
    labels = [style.fitted(name, style.unit_of(post[name]), style.FITS) for name in (one, other)]
    plot = style.figure(
        height=_HEIGHT,
        x_axis_label=labels[0],
        y_axis_label=labels[1],
        x_axis_type="log" if _is_log(x) else "linear",
        y_axis_type="log" if _is_log(y) else "linear",
        x_range=(float(x[0]), float(x[-1])),
        y_range=(float(y[0]), float(y[-1])),
    )
    _set_ticks(plot.xaxis, x)
    _set_ticks(plot.yaxis, y)
    edges = [*levels, float(density.max()) * (1.0 + 1e-9)]
    if (np.diff(edges) > 0).all():
        plot.contour(fine_x, fine_y, density.T, levels=edges, fill_color=list(_BANDS), line_color=style.LINES[0])
    best = ColumnDataSource({"x": [float(post[f"best_{one}"])], "y": [float(post[f"best_{other}"])]})
    dot = plot.scatter("x", "y", source=best, size=9, **style.MARKER)
    style.hover(plot, dot, [(one, "@x{%.4g}"), (other, "@y{%.4g}")])
    return plot


def _set_ticks(axis: Any, values: FloatArray) -> None:
    if _is_log(values):
        style.power_ticks(axis, float(values[0]), float(values[-1]), most=5)
    else:
        axis.ticker.desired_num_ticks = 4
        style.short_ticks(*axis)


def _levels_of(x: FloatArray, y: FloatArray, density: FloatArray, shares: list[float]) -> list[float]:
    """Return the densities above which the shares of the probability lie, the lowest first."""
    masses = density * np.outer(quadrature(x, in_logs=False), quadrature(y, in_logs=False))
    order = np.argsort(-density, axis=None)
    below = np.cumsum(masses.ravel()[order]) / masses.sum()
    return [
        float(density.ravel()[order[min(int(np.searchsorted(below, s)), order.size - 1)]]) for s in sorted(shares)[::-1]
    ]


def _refined_pair(x: FloatArray, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    from scipy.interpolate import RegularGridInterpolator

    fine_x, fine_y = _between(x), _between(y)
    method = "pchip" if min(x.size, y.size) >= 4 else "linear"
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(z / z.max()), _LOWEST)
    between = RegularGridInterpolator((x, y), logs, method=method)
    return fine_x, fine_y, np.exp(between(np.stack(np.meshgrid(fine_x, fine_y, indexing="ij"), axis=-1)))


def _between(x: FloatArray) -> FloatArray:
    n = max(1, min(_FINE, 400 // x.size))
    return np.interp(np.arange((x.size - 1) * n + 1) / n, np.arange(x.size), x)


def _is_number(post: xr.Dataset, name: str) -> bool:
    return bool(np.isfinite(post["sd"].sel(axis=name)))


def _is_log(x: FloatArray) -> bool:
    # Within one power of ten a logarithmic axis has hardly a tick.
    if x[0] <= 0 or x[-1] < 10.0 * x[0]:
        return False
    return bool(np.ptp(np.diff(np.log(x))) < 1e-6 < np.ptp(np.diff(x)) / np.diff(x).mean())
