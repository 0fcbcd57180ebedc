"""The page of a specification curve: the curve and its null, the choices beneath it, and what moves the conclusion."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.explore import style
from sigcube.explore.notes import notes_of
from sigcube.explore.page import Card, CardTable, Heat, write_page
from sigcube.wording import number

__all__ = ["curve_page"]

_HEIGHT, _ROW = 360, 21
# Most specifications that are drawn, evenly spaced in the curve.
_MOST_DRAWN = 1500
# An axis with more values is drawn as one tall row, the smallest at its foot.
_MOST_ROWS, _TALL = 12, 4
# Room for the names of choices, left of both figures, so that a specification stands below its value.
_LEFT, _FITS = 160, 21
_HOLDS, _FAILS, _NULL = style.LINES[0], "#9aa5b1", "#f3d9a8"


def curve_page(
    curve: xr.Dataset,
    path: str | Path,
    *,
    result: xr.Dataset,
    every: xr.Dataset | None = None,
    null: xr.Dataset | None = None,
) -> Path:
    """Write an HTML page about the specifications of a result; it opens without a server or a network.

    Parameters
    ----------
    curve : Dataset
        What `sigcube.analysis.specification_curve` returns.
    path : path-like
        The file to write.
    result : Dataset
        The result behind the curve, with the title and the credits.
    every : Dataset, optional
        What `sigcube.analysis.robustness` returns for the same statement.
    null : Dataset, optional
        What `sigcube.analysis.null_curve` returns for the same specifications.

    Raises
    ------
    StoreError
        When the page cannot be written.
    """
    name, has_statement = str(curve.attrs["of"]), "share" in curve
    n = curve.sizes["specification"]
    shown = np.unique(np.linspace(0, n - 1, min(n, _MOST_DRAWN)).round().astype(np.int64))
    top = _draw_curve(curve, shown, null)
    some = "" if shown.size == n else f" {shown.size:,} are drawn, evenly spaced."
    words = f"{n:,} specifications, the best first.{some}"
    if missing := int(curve.attrs["n_missing"]):
        words += f" {missing:,} more have no finite value."
    if has_statement:
        words += f" For {float(curve['share']):.1%} of them the {name} is {curve.attrs['statement']}."
    if null is not None:
        words += (
            f" The band holds {null.attrs['confidence']:.0%} of {null.attrs['n']:,} curves in which chance decides,"
            " galaxy by galaxy, which of the two models is called the model."
        )
    of = "move the share" if has_statement else f"move the mean {name}"
    cards = [Card("Every specification", words, [top], full=True)]
    if curve.sizes["axis"]:
        bottom = _draw_choices(curve, shown)
        bottom.x_range = top.x_range
        how_far = f"How far the choices of an axis {of}."
        cards.append(Card("Its choices", _CHOICES, [bottom], full=True))
        cards.append(Card("Which choice decides", how_far, table=_moves(curve, every), wide=True))
    if every is not None:
        cards.append(Card("One role at a time", _ROLES, table=_roles(every)))
    if null is not None:
        cards.append(Card("Against the null", _NULL_TEXT[null.attrs["choose"]], table=_tests(null), wide=True))
    options = _options(curve, every)
    if options.rows:
        cards.append(Card("Each choice", "The specifications with this choice.", table=options, full=True))
    notes = {text: curve.attrs[key] for text, key in _TREATED.items() if curve.attrs[key] != "nothing"}
    notes |= notes_of(result)
    return write_page(
        path,
        cards,
        title=str(result.attrs.get("title", "Specification curve")),
        subtitle=f"Specification curve of {style.value_title(result[name])}.",
        notes=notes,
        synthetic=style.is_synthetic(result),
    )


_CHOICES = "Below each value, what was chosen on each axis; any, where the model does not depend on the axis."
_ROLES = "The axes of one role vary, all others are at the best point; and all at once."
_NULL_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "again": "What is held at the best point or profiled, each null curve chooses by its own values.",
        "once": "What is held at the best point or profiled was chosen with the data, and null curves keep it.",
        "nothing": "The data chose nothing here.",
    }
)
_TREATED = {"specifications over": "over", "held": "held", "best taken over": "profiled", "weights": "weights"}


def _draw_curve(curve: xr.Dataset, shown: npt.NDArray[np.int64], null: xr.Dataset | None) -> Any:
    """Return the figure of sorted values, with the band of the null."""
    from bokeh.models import ColumnDataSource

    n = curve.sizes["specification"]
    title = style.shorten(style.with_unit(curve.attrs["of"], style.unit_of(curve["value"])), style.FITS)
    plot = style.figure(
        height=_HEIGHT, x_axis_label="specification", y_axis_label=title, min_border_left=_LEFT, x_range=(0.0, n + 1.0)
    )
    if null is not None:
        band = {"x": null["rank"].values, **{key: null[key].values for key in ("low", "middle", "high")}}
        source = ColumnDataSource(band)
        text = f"null, {null.attrs['confidence']:.0%}"
        plot.varea("x", "low", "high", source=source, fill_color=_NULL, fill_alpha=0.75, legend_label=text)
        plot.line("x", "middle", source=source, line_color="#8a4b08", line_dash="dashed", legend_label="null, median")
    values = curve["value"].values[shown]
    holds = curve["holds"].values[shown] if "holds" in curve else np.ones(shown.size, dtype=bool)
    size = 6 if shown.size <= 400 else 4
    for own, colour, text in ((holds, _HOLDS, "holds"), (~holds, _FAILS, "does not")):
        if not own.any():
            continue
        source = ColumnDataSource({"rank": shown[own] + 1, "value": values[own]})
        legend = {"legend_label": f"{curve.attrs['statement']}: {text}"} if "holds" in curve else {}
        dots = plot.scatter("rank", "value", source=source, size=size, color=colour, line_color=None, **legend)
        style.hover(plot, dots, [("specification", "@rank{0,0}"), (curve.attrs["of"], "@value{0.0000}")])
    # Few enough for a phone.
    plot.xaxis.ticker.desired_num_ticks = 4
    if plot.legend:
        style.legend_above(plot)
    return plot


def _draw_choices(curve: xr.Dataset, shown: npt.NDArray[np.int64]) -> Any:
    """Return the figure with a row for each choice, and a mark where a specification has it."""
    from bokeh.models import ColumnDataSource, FixedTicker

    holds = curve["holds"].values[shown] if "holds" in curve else np.ones(shown.size, dtype=bool)
    labels: dict[float, str] = {}
    marks: dict[str, list[npt.NDArray[Any]]] = {"x": [], "y": [], "colour": []}
    top = 0.0
    for axis, dim in enumerate(map(str, curve["axis"].values)):
        top += 0.4 if axis else 0.0
        labels[-top] = style.shorten(f"{dim}:", _FITS)
        top += 1.0
        options = curve["option"].values[curve["option_axis"].values == dim]
        chosen = curve["choice"].values[axis, shown].astype(np.float64)
        if len(options) <= _MOST_ROWS:
            labels |= {-(top + i): style.shorten(str(option), _FITS) for i, option in enumerate(options)}
            height, marks_at = float(len(options)), -(top + chosen)
        else:
            ends = ((0, -1), (_TALL - 1, 0))
            labels |= {-(top + row): style.shorten(str(options[at]), _FITS) for row, at in ends}
            height, marks_at = float(_TALL), -(top + (_TALL - 1) * (1.0 - chosen / (len(options) - 1)))
        free = curve["free"].values[axis, shown]
        if free.any():
            labels[-(top + height)] = "any"
            marks_at, height = np.where(free, -(top + height), marks_at), height + 1.0
        marks["x"].append(shown + 1.0)
        marks["y"].append(marks_at)
        marks["colour"].append(np.where(holds, _HOLDS, _FAILS))
        top += height
    plot = style.figure(height=int(70 + _ROW * top), min_border_left=_LEFT, y_range=(-(top - 0.4), 0.6), styles={})
    plot.ygrid.grid_line_color = style.GRID
    plot.yaxis.ticker, plot.yaxis.major_label_overrides = FixedTicker(ticks=list(labels)), labels
    plot.yaxis.major_label_text_color, plot.yaxis.major_label_text_font_size = style.INK, "12px"
    plot.xaxis.axis_label, plot.xaxis.ticker.desired_num_ticks = "specification", 4
    source = ColumnDataSource({name: np.concatenate(each) for name, each in marks.items()})
    width = max(1.0, curve.sizes["specification"] / shown.size)
    plot.rect("x", "y", width=width, height=0.72, source=source, color="colour", line_color=None)
    return plot


def _moves(curve: xr.Dataset, every: xr.Dataset | None) -> CardTable:
    """Return how far the choices of each axis move what is measured: on the curve, and among all specifications."""
    counted = every if every is not None else curve
    there = dict(zip(curve["axis"].values, curve["moves"].values, strict=True))
    order = np.argsort(-counted["moves"].values)
    text = _text_of(curve)
    rows = []
    for i in order:
        name = str(counted["axis"].values[i])
        own = text(float(there[name])) if name in there else "–"
        at = f"{counted['lowest_at'].values[i]}: {text(float(counted['lowest'].values[i]))}"
        to = f"{counted['highest_at'].values[i]}: {text(float(counted['highest'].values[i]))}"
        largest = float(counted["moves"].values.max()) or 1.0
        moved = float(counted["moves"].values[i])
        heat = Heat(text(moved), moved / largest)
        role = str(counted["axis_role"].values[i]) or "–"
        rows.append((name, role, own, *((heat,) if every is not None else ()), at, to))
    among = (">on the curve", ">among all") if every is not None else (">moves",)
    return CardTable(("axis", "role", *among, "lowest", "highest"), rows)


def _text_of(curve: xr.Dataset) -> Callable[[float], str]:
    """Return how to write what is measured: a share, or a value."""
    form = "{:.1%}".format if "share" in curve else number
    return lambda value: form(value) if np.isfinite(value) else "–"


def _roles(every: xr.Dataset) -> CardTable:
    rows = [
        (str(role), f"{weight:,.0f}", Heat(f"{share:.1%}", float(share)))
        for role, weight, share in zip(every["role"].values, every["weight"].values, every["share"].values, strict=True)
    ]
    return CardTable(("varies", ">specifications", ">share"), rows)


def _tests(null: xr.Dataset) -> CardTable:
    rows = []
    for name in map(str, null["statistic"].values):
        one = null.sel(statistic=name)
        band = f"{number(one['null_low'].item())} to {number(one['null_high'].item())}"
        rows.append((name, number(one["observed"].item()), band, number(one["p_value"].item())))
    return CardTable(("of the curve", ">observed", ">null", ">p"), rows)


def _options(curve: xr.Dataset, every: xr.Dataset | None) -> CardTable:
    """Return a row for each choice of axes of labels or few values, with what is measured there."""
    counted = every if every is not None else curve
    here = dict(
        zip(
            zip(curve["option_axis"].values, curve["option"].values, strict=True),
            curve["option_share"].values,
            strict=True,
        )
    )
    text = _text_of(curve)
    rows = []
    axes, names = counted["option_axis"].values, counted["option"].values
    for axis, name, share, weight in zip(
        axes, names, counted["option_share"].values, counted["option_weight"].values, strict=True
    ):
        if (axes == axis).sum() > _MOST_ROWS:
            continue
        own = text(float(here[axis, name])) if (axis, name) in here else "–"
        cells = (own, text(float(share))) if every is not None else (own,)
        rows.append((f"{axis}: {name}", f"{weight:,.0f}", *cells))
    among = (">on the curve", ">among all") if every is not None else (">share" if "share" in curve else ">mean",)
    return CardTable(("choice", ">specifications", *among), rows, folded=len(rows) > 40)
