"""The page of a result: a map, a line or a table, its axes, and the best of each reading."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube.analysis.best import best_points, far_from_best
from sigcube.analysis.labelled import count_by_status
from sigcube.explore import style
from sigcube.explore.map_plots import Mark, draw_map
from sigcube.explore.notes import notes_of
from sigcube.explore.page import Card, CardTable, Heat, write_page
from sigcube.explore.result_data import ResultAxis, ResultView, compact, view
from sigcube.plan.values import PointStatus
from sigcube.wording import count, pretty_unit

__all__ = ["result_page"]

_LINE_HEIGHT = 420
_PROFILE_HEIGHT = 330
# More lines than colours cannot be told apart; those of the best labels are drawn.
_MOST_LINES = 6
_MOST_ROWS = 200
_MOST_UNFOLDED = 40
# Without a figure there is no menu with the other summaries.
_MOST_COLUMNS, _MOST_WITHOUT_FIGURE = 10, 12
# A column whose values differ by less than this share of the largest is of one colour; of ln L, half a unit counts.
_ALIKE, _ALIKE_IN_LOGS = 5e-4, 0.5


def result_page(
    result: xr.Dataset,
    path: str | Path,
    *,
    x: str | None = None,
    y: str | None = None,
    value: str | None = None,
    mark: Mark | Sequence[Mark] | None = None,
    start: Mapping[str, Any] | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    cards: Sequence[Card] = (),
) -> Path:
    """Write an HTML page about a result; it opens without a server or a network.

    Two or more numeric axes make a map, one makes lines, and labels alone a table. Axes of labels get switches, further
    numeric axes sliders. For a large grid, the page holds a part and says which.

    Parameters
    ----------
    result : xarray.Dataset
        A result of a sweep, or a selection from one.
    path : path-like
        The file to write.
    x, y : str, optional
        The horizontal and the vertical axis, both numeric; by default those with the most values.
    value : str, optional
        The summary to show first; a menu offers the others.
    mark : Mark or sequence of Mark, optional
        Points to show on a map, such as the true model of a mock survey.
    start : Mapping, optional
        The labels and values by axis at which switches and sliders stand first; by default those of the best point.
    title, subtitle : str, optional
        The heading, and a sentence below it.
    cards : sequence of Card
        Further cards, below.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    SpecError
        For an axis or a summary that the result does not have or no figure can show, or a mark without a value on both
        axes.
    StoreError
        When the page cannot be written.
    """
    shown = view(result, x=x, y=y, value=value, start=start)
    marks = [mark] if isinstance(mark, Mark) else list(mark or ())
    (table, absent), about = _best_table(result, shown), _axis_table(result, shown)
    best, text = "Best", f"By {next(iter(shown.values))}."
    if shown.labels:
        best, text = "Best of each reading", f"{text[:-1]}, for each combination of labels. In a column, dark is good."
    text += f" The best {_MOST_ROWS} are shown." if len(table.rows) >= _MOST_ROWS else ""
    text += f" Not in the table: {', '.join(absent)}." if absent else ""
    axes = Card(
        "Axes",
        _how_much(result, shown),
        table=about if about.rows else None,
        full=len(shown.figure) < 2 or not shown.sliders,
    )
    drawn = _figure_cards(result, shown, marks, axes) if shown.figure else [axes]
    return write_page(
        path,
        [*drawn, *cards, Card(best, text, table=table, full=True)],
        title=title or str(result.attrs.get("title", "Result of a sweep")),
        subtitle=subtitle or "",
        notes=notes_of(result),
        synthetic=style.is_synthetic(result),
    )


def _figure_cards(result: xr.Dataset, shown: ResultView, marks: Sequence[Mark], axes: Card) -> list[Card]:
    """Return a card with a map or a line and its switches, and others with profiles and axes; they switch together."""
    names, along = list(shown.values), [*shown.figure[::-1], *(axis for axis in shown.sliders if axis.values.size > 1)]
    titles = [style.value_title(result[name]) for name in names]
    short = [style.shorten(style.with_unit(name, style.unit_of(result[name])), style.FITS) for name in names]
    others, switches = [*shown.labels, *shown.sliders], [style.menu(names)]
    for axis, start in zip(others, shown.start, strict=False):
        make = style.switch if axis.use == "label" else style.slider
        switches.append(make(axis.texts, start=start))
    where = ", ".join(f"{axis.name} = {axis.texts[i]}" for axis, i in zip(others, shown.start, strict=False))
    title = style.text_line(f"{titles[0]} at {where}" if where else titles[0], size="15px", colour=style.INK)
    plot, parts = (None, None) if len(shown.figure) == 1 else draw_map(shown, marks, short[0])
    # Two beside the map are together as high as it is.
    height = _LINE_HEIGHT if plot is None else _PROFILE_HEIGHT if shown.sliders else _PROFILE_HEIGHT + 65
    profiles, lines = zip(*(_draw_profile(shown, axis, short[0], height) for axis in along), strict=True)
    style.on_change(
        *switches,
        code="result_switch.js",
        switches=switches,
        lengths=[len(names), *(axis.values.size for axis in others)],
        nLabels=len(shown.labels),
        nLines=prod(axis.values.size for axis in shown.labels),
        names=[axis.name for axis in others],
        texts=[list(axis.texts) for axis in others],
        title=title,
        titles=titles,
        axisTitles=short,
        map=parts,
        lines=[line for own in lines for line in own],
        axes=[profile.yaxis[0] for profile in profiles],
    )
    controls = list(zip(["value", *(_described(result, axis) for axis in others)], switches, strict=True))
    name = " and ".join(style.shorten(axis.name, 40) for axis in reversed(shown.figure))
    if plot is None:
        text = f"The value along the axis{', for the best labels and those chosen' if shown.labels else ''}."
        return [Card(f"Along {name}", text, profiles, controls, title, full=True), axes]
    text = (
        "Dark is good. Contours, which ratios and signed values have not, carry the value, by how many per cent it "
        "exceeds the smallest, or how far ln L is below the largest. Point at the map to read it."
    )
    card = Card(f"Map over {name}", text, [plot], controls, title, wide=True)
    text = "The best value left when one axis is held and all others are free."
    if shown.sliders:
        return [card, axes, Card("Profiles", text, profiles, full=True)]
    return [card, Card("Profiles", text, profiles), axes]


def _described(result: xr.Dataset, axis: ResultAxis) -> str:
    meaning = str(result[axis.name].attrs.get("long_name", "")) if axis.name in result.coords else ""
    text = f"{axis.name}: {meaning}" if meaning and meaning != axis.name else axis.name
    return style.shorten(text, 100)


def _draw_profile(shown: ResultView, axis: ResultAxis, title: str, height: int) -> tuple[Any, list[dict[str, Any]]]:
    """Draw the best values along an axis, with a line for each combination of labels, or for the best of them.

    Returns the figure, and what `result_switch.js` needs of each line.
    """
    from bokeh.models import ColumnDataSource

    plot = style.figure(height=height, x_axis_type=axis.scale, x_axis_label=axis.title, y_axis_label=title)
    style.few_ticks(plot.xaxis[0])
    style.short_ticks(*plot.yaxis)
    profiles, first = shown.profiles(axis), next(iter(shown.values))
    names = [", ".join(texts) for texts in product(*(each.texts for each in shown.labels))]
    ranked = np.argsort(shown.far_from_best(first, profiles[0]).min(axis=1), kind="stable")
    drawn: list[int | None] = [*sorted(map(int, ranked[:_MOST_LINES]))]
    start, values, at = shown.place_of(shown.labels), compact(profiles.ravel()), axis.values
    lines = []
    for n, line in enumerate(drawn if len(names) <= _MOST_LINES else [*drawn, None]):
        name = "chosen labels" if line is None else style.shorten(names[line], 40)
        look = {"color": style.LINES[n], "legend_label": name} if shown.labels else {"color": style.LINES[n]}
        source = ColumnDataSource({"x": at, "y": profiles[0][start if line is None else line]})
        plot.line("x", "y", source=source, line_width=2.4, line_dash="dashed" if line is None else "solid", **look)
        lines.append({"source": source, "values": values, "at": at, "line": line})
    style.legend_above(plot)
    return plot, lines


def _best_table(result: xr.Dataset, shown: ResultView) -> tuple[CardTable, list[str]]:
    """Return the best point of each combination of labels, the best first; and the summaries that have no column."""
    points = _best_points(result, shown)
    own = [axis.name for axis in (*shown.labels, *shown.sliders, *shown.figure[::-1]) if axis.name in result.coords]
    # The coordinates of the systems are no axes.
    along = result["status"].dims
    there = [str(name) for name, coord in result.coords.items() if coord.ndim == 1 and coord.dims[0] in along]
    axes = [name for name in dict.fromkeys([*own, *there]) if all(name in point for point in points)]
    # Means before medians, which say much the same.
    others = sorted(list(shown.attrs)[1:], key=lambda name: (name != "win_rate", name.endswith("_median")))
    most = max(3, (_MOST_COLUMNS if shown.figure else _MOST_WITHOUT_FIGURE) - len(axes))
    names, absent = [next(iter(shown.values)), *others[: most - 1]], others[most - 1 :]
    order = np.argsort(far_from_best(_column(result, points, names[0])), kind="stable")
    heat = {name: _shares(_column(result, points, name)) for name in names}
    rows: list[tuple[str | Heat, ...]] = []
    for i in order:
        where = (_text(points[i][axis]) for axis in axes)
        rows.append((*where, *(Heat(_text(points[i][name]), float(heat[name][i])) for name in names)))
    heads = [style.with_unit(name, style.unit_of(result[name])) for name in (*axes, *names)]
    # Without a figure, the table is the main content.
    folded = len(rows) > _MOST_UNFOLDED and bool(shown.figure)
    return CardTable((*heads[: len(axes)], *(f">{head}" for head in heads[len(axes) :])), rows, folded), absent


def _best_points(result: xr.Dataset, shown: ResultView) -> list[dict[str, Any]]:
    """Return the best point under those combinations of labels that are best in what the page holds."""
    value, values = next(iter(shown.values.items()))
    lengths = [axis.values.size for axis in shown.labels]
    far = shown.far_from_best(value, values.reshape(prod(lengths), -1)).min(axis=1)
    found = []
    for place in np.argsort(far, kind="stable")[:_MOST_ROWS]:
        at = np.unravel_index(place, lengths) if lengths else ()
        chosen = {axis.dim: int(axis.kept[i]) for axis, i in zip(shown.labels, at, strict=True)}
        found += best_points(result.isel(chosen), value=value)
    return found


def _column(result: xr.Dataset, points: Sequence[Mapping[str, Any]], name: str) -> xr.DataArray:
    return xr.DataArray([point[name] for point in points], dims="point", attrs=result[name].attrs)


def _shares(column: xr.DataArray) -> Any:
    """Return 1 for the best value of a column, 0 for the worst and where all are alike, what is between for others."""
    far, values = far_from_best(column), column.values.astype(np.float64)
    finite, values = far[np.isfinite(far)], values[np.isfinite(values)]
    if not finite.size:
        return np.zeros(far.shape)
    alike = _ALIKE * np.abs(values).max()
    if column.attrs.get("best") == "largest" and values.min() < 0:
        alike = min(alike, _ALIKE_IN_LOGS)
    if np.ptp(finite) <= alike:
        return np.zeros(far.shape)
    share = (finite.max() - np.where(np.isfinite(far), far, finite.max())) / np.ptp(finite)
    return np.clip(share, 0.0, 1.0)


def _text(item: Any) -> str:
    if item is None:
        return "any"
    if isinstance(item, bool) or not isinstance(item, int | float):
        return str(item)
    return style.full_number(item) if np.isfinite(item) else "–"


def _axis_table(result: xr.Dataset, shown: ResultView) -> CardTable:
    """Return every axis of a result with its range, and what the page does with it."""
    used = {axis.dim: axis for axis in shown.axes}
    dims, rows = list(result["status"].dims), []
    for name in sorted(result.coords, key=lambda name: [dims.index(d) for d in result[name].dims if d in dims]):
        coord = result[name]
        if set(coord.dims) <= set(dims) and coord.ndim <= 1:
            meaning = "; ".join(str(coord.attrs[key]) for key in ("long_name", "comment") if key in coord.attrs)
            axis = used.get(str(coord.dims[0])) if coord.ndim else None
            rows.append((str(name), meaning, _range(coord), _use(str(name), axis, shown)))
    return CardTable(("axis", "meaning", "values", "on this page"), rows)


def _range(coord: xr.DataArray) -> str:
    unit = f" {pretty_unit(style.unit_of(coord))}".rstrip()
    if coord.dtype.kind in "iuf":
        low, high = (style.plain_number(float(end)) for end in (coord.min(), coord.max()))
        return f"{low} to {high}{unit}, {coord.size:,} values" if coord.size > 1 else f"{low}{unit}"
    return style.shorten(", ".join(str(each) for each in coord.values.ravel()[:100]), 160)


def _use(name: str, axis: ResultAxis | None, shown: ResultView) -> str:
    if axis is None:
        return "held"
    if name != axis.name:
        return f"varies with {axis.name}"
    if axis.use == "figure":
        role = "horizontal" if axis is shown.figure[-1] else "vertical"
    else:
        role = {"label": "switch" if shown.figure else "rows", "slider": "slider"}[axis.use]
    return role if axis.values.size == axis.size else f"{role}, {axis.values.size} of {axis.size:,} values"


_LACKING = {
    PointStatus.INVALID: "lack the value of a summary",
    PointStatus.TODO: "are not computed yet",
    PointStatus.FAILED: "failed",
    PointStatus.KILLED: "killed their worker",
}


def _how_much(result: xr.Dataset, shown: ResultView) -> str:
    """Describe the size of the grid, and what the page leaves out of it."""
    n = result["status"].size
    text = f"The grid has {count(n)} {'point' if n == 1 else 'points'}."
    by_status = count_by_status(result)
    lacking = [f"{count(by_status[status])} {words}" for status, words in _LACKING.items() if by_status[status]]
    if lacking:
        text += f" Of these {', '.join(lacking)}: what has no value is blank in the figures."
    if any(axis.values.size < axis.size for axis in shown.axes):
        text += " The page holds a part of them, evenly spaced, with the best among them."
    if shown.left_out:
        text += f" It leaves out {', '.join(shown.left_out)}."
    return text
