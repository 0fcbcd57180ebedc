"""The page of a fit: parameters of systems against each other with their errors, their distribution, and tables."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.histograms import histogram, what_is_cut
from sigcube.explore.notes import notes_of
from sigcube.explore.page import Card, CardTable, write_page
from sigcube.explore.result_data import compact

__all__ = ["fit_page"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 470
# Most systems that are drawn, evenly spaced, and most rows in the table of all.
_MOST = 2000
# A positive quantity whose largest value is this many times its smallest is shown by its logarithm.
_WIDE = 50


@dataclass(frozen=True)
class _Quantity:
    """A parameter or a figure of merit: its values and the ends of its error bars, shape ``(model, system)``."""

    name: str
    title: str
    values: FloatArray
    low: FloatArray
    high: FloatArray


def fit_page(result: xr.Dataset, path: str | Path) -> Path:
    """Write an HTML page about a fit; it opens without a server or a network.

    Parameters
    ----------
    result : xarray.Dataset
        What `sigcube.Fit.run` returns.
    path : path-like
        The file to write.

    Raises
    ------
    SpecError
        If the fit has no parameters.
    StoreError
        When the page cannot be written.
    """
    fits = result if "model" in result.dims else result.expand_dims("model")
    names = [str(name) for name in fits["parameter"].values] if "parameter" in fits.coords else []
    parameters = [name for name in names if name in fits.data_vars and "model" in fits[name].dims]
    if not parameters:
        raise SpecError("this fit has no parameters", where="parameter", found=", ".join(names) or "nothing")
    systems = [str(dim) for dim in fits[parameters[0]].dims if dim != "model"]
    figures = _merits(fits, parameters, systems)
    cards = _figure_cards(fits, [*parameters, *figures], systems[0]) if systems else []
    what = f"Over {fits.sizes[systems[0]]:,} systems." if systems else "All systems of the sample share them."
    cards.append(Card("Parameters", what, table=_parameter_table(fits, parameters, single=not systems), full=True))
    title = "Every system" if systems else "Models"
    text = f"The first {_MOST:,} systems." if systems and fits.sizes[systems[0]] > _MOST else ""
    cards.append(Card(title, text, table=_table_of_all(fits, parameters, figures, systems), full=True))
    models = ", ".join(str(model) for model in fits["model"].values)
    return write_page(
        path,
        cards,
        title=str(result.attrs.get("title", "Result of a fit")),
        subtitle=f"Best parameters of {models}.",
        notes=notes_of(result),
        synthetic=style.is_synthetic(result),
    )


def _merits(fits: xr.Dataset, parameters: Sequence[str], systems: Sequence[str]) -> list[str]:
    """Name the metrics and counts of each model and system."""
    dims, known = {"model", *systems}, {*parameters, *(f"{name}_error" for name in parameters)}
    return [
        str(n) for n, a in fits.data_vars.items() if n not in known and set(a.dims) == dims and a.dtype.kind in "fiu"
    ]


def _quantity(fits: xr.Dataset, name: str, system: str) -> _Quantity:
    values = fits[name].transpose("model", system).values.astype(np.float64)
    error = np.full(values.shape, np.nan)
    if f"{name}_error" in fits:
        error = fits[f"{name}_error"].transpose("model", system).values.astype(np.float64)
    low, high, title = values - error, values + error, style.shorten(name, 26)
    finite = values[np.isfinite(values)]
    unit = style.unit_of(fits[name])
    if finite.size and finite.min() > 0 and finite.max() > _WIDE * finite.min():
        with np.errstate(divide="ignore", invalid="ignore"):
            # An error bar that reaches zero is as long below as above.
            low = np.where(low > 0, low, values**2 / high)
            values, low, high = np.log10(values), np.log10(low), np.log10(high)
        title = f"log₁₀ {title}"
    return _Quantity(name, style.shorten(style.with_unit(title, unit), style.FITS), values, low, high)


def _figure_cards(fits: xr.Dataset, names: Sequence[str], system: str) -> list[Card]:
    """Return a card with any two quantities against each other, and one with the distribution of the first."""
    from bokeh.models import ColumnDataSource

    quantities = [_quantity(fits, name, system) for name in names]
    spaced = slice(None, None, -(-fits.sizes[system] // _MOST))
    systems = [str(name) for name in fits[system].values[spaced]]
    parts = np.array([[getattr(each, part)[:, spaced] for each in quantities] for part in ("values", "low", "high")])
    bins = [[_bars(each.values[m]) for m in range(fits.sizes["model"])] for each in quantities]
    cut = what_is_cut(row for each in quantities for row in each.values)
    menus = [style.menu(names, start=start) for start in _starts(quantities, fits["parameter"].values)]
    x, y = (int(menu.value) for menu in menus)
    columns = {f"{side}{end}": parts[k, q, 0] for side, q in (("x", x), ("y", y)) for k, end in enumerate(_ENDS)}
    dots, bars = ColumnDataSource({"name": systems, **columns}), ColumnDataSource(bins[x][0])
    plot = _draw_dots(dots, quantities[x].title, quantities[y].title)
    # As tall as its neighbour with the menus.
    shares = style.figure(
        height=_HEIGHT + 66, x_axis_label=quantities[x].title, y_axis_label="share of the systems [%]"
    )
    style.few_ticks(shares.xaxis[0])
    shares.y_range.start = 0
    look = {"fill_color": style.LINES[0], "fill_alpha": 0.35, "line_color": style.LINES[0]}
    shares.quad(left="left", right="right", bottom=0, top="top", source=bars, **look)
    models = [str(model) for model in fits["model"].values]
    switch = style.switch(models) if len(models) > 1 else None
    style.on_change(
        *([switch] if switch else []),
        *menus,
        code="fit.js",
        model=switch,
        menus=menus,
        nModels=len(models),
        names=systems,
        titles=[each.title for each in quantities],
        values=compact(parts.ravel()),
        bins=bins,
        dots=dots,
        bars=bars,
        along_x=[plot.xaxis[0], shares.xaxis[0]],
        along_y=plot.yaxis[0],
    )
    controls = [*([("model", switch)] if switch else []), *zip(("horizontal", "vertical"), menus, strict=True)]
    some = "" if len(systems) == fits.sizes[system] else f" {len(systems):,} of {fits.sizes[system]:,}, evenly spaced."
    return [
        Card("System by system", f"A dot for each, with its standard errors.{some}", [plot], controls, wide=True),
        Card("Distribution", f"Of what is horizontal.{' ' * bool(cut)}{cut}", [shares]),
    ]


def _starts(quantities: Sequence[_Quantity], parameters: Container[str]) -> tuple[int, int]:
    """Return the two quantities that are shown at first: of the first model, which need not have all parameters.

    A parameter stands beside another, or beside χ² where the model has but one.
    """
    there = [i for i, each in enumerate(quantities) if np.isfinite(each.values[0]).any()] or [0]
    own = [i for i in there if quantities[i].name in parameters]
    merits = sorted((i for i in there if i not in own), key=lambda i: quantities[i].name != "chi2_red")
    first, *others = [*own, *merits]
    return first, others[0] if others else first


_ENDS = ("", "_low", "_high")
# A value with the ends of its error bar, where it has one.
_WITH_ENDS = """
const show = (number) => Number.isFinite(number) ? String(Number(number.toPrecision(4))) : "–";
const [low, high] = ["low", "high"].map((end) => source.data[`${side}_${end}`][special_vars.index]);
return show(value) + (Number.isFinite(low) && Number.isFinite(high) ? ` (${show(low)} to ${show(high)})` : "");
"""


def _bars(values: FloatArray) -> Mapping[str, list[float]]:
    finite = np.isfinite(values)
    return histogram(values, values, finite) if finite.any() else {"left": [], "right": [], "top": []}


def _draw_dots(source: Any, x: str, y: str) -> Any:
    from bokeh.models import CustomJSHover

    plot = style.figure(height=_HEIGHT, x_axis_label=x, y_axis_label=y)
    style.few_ticks(plot.xaxis[0])
    style.short_ticks(*plot.yaxis)
    bars = {"source": source, "color": "#b8c0ca", "line_width": 1.1}
    plot.segment("x_low", "y", "x_high", "y", **bars)
    plot.segment("x", "y_low", "x", "y_high", **bars)
    look = {"color": style.LINES[0], "alpha": 0.7, "line_color": "#ffffff"}
    dots = plot.scatter("x", "y", source=source, size=8, **look)
    plot.x_range.renderers = plot.y_range.renderers = [dots]
    shown = {f"@{side}": CustomJSHover(args={"source": source, "side": side}, code=_WITH_ENDS) for side in "xy"}
    tips = [("", "@name"), ("horizontal", "@x{custom}"), ("vertical", "@y{custom}")]
    style.hover(plot, dots, tips, formatters=shown)
    return plot


def _parameter_table(fits: xr.Dataset, parameters: Sequence[str], *, single: bool) -> CardTable:
    """Return a row for each parameter of each model: its values over systems, or its value, and the bounds hit."""
    rows = []
    for m, model in enumerate(fits["model"].values):
        for name in parameters:
            of_model = fits.isel(model=m)
            best = of_model[name].values.ravel()
            if not np.isfinite(best).any():
                continue
            error = of_model[f"{name}_error"].values.ravel() if f"{name}_error" in fits else np.full(best.shape, np.nan)
            values = [best[0], error[0]] if single else [*np.nanquantile(best, [0.5, 0.16, 0.84]), _median(error)]
            what = style.with_unit(str(fits[name].attrs.get("long_name", name)), style.unit_of(fits[name]))
            rows.append((str(model), name, what, *map(_text, values), *_hits(of_model, name)))
    columns = (">best", ">error") if single else (">median", ">16 %", ">84 %", ">median error")
    return CardTable(("model", "parameter", "meaning", *columns, ">at lower bound", ">at upper bound"), rows)


def _median(values: FloatArray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def _hits(of_model: xr.Dataset, name: str) -> list[str]:
    """Return how often a parameter is at its lower and at its upper bound."""
    if "at_bound" not in of_model:
        return ["–", "–"]
    sides, meanings = of_model["at_bound"], str(of_model["at_bound"].attrs.get("flag_meanings", "")).split()
    at = [str(each) for each in of_model["parameter"].values].index(name)
    own = sides.isel(parameter=at).values
    return [f"{int((own == meanings.index(side)).sum()):,}" if side in meanings else "–" for side in ("lower", "upper")]


def _table_of_all(
    fits: xr.Dataset, parameters: Sequence[str], figures: Sequence[str], systems: Sequence[str]
) -> CardTable:
    """Return a row for each system under each model, or for each model: parameters with their errors, and metrics."""
    models = [str(model) for model in fits["model"].values]
    names = [str(name) for name in fits[systems[0]].values[:_MOST]] if systems else [""]
    columns = []
    for name in (*parameters, *figures):
        own = [
            fits[each].transpose("model", *systems).values.reshape(len(models), -1) for each in _with_error(fits, name)
        ]
        columns.append(own)
    rows = [
        (*((system,) if systems else ()), model, *(_with_errors([part[m, i] for part in own]) for own in columns))
        for i, system in enumerate(names)
        for m, model in enumerate(models)
    ]
    heads = [f">{style.with_unit(name, style.unit_of(fits[name]))}" for name in (*parameters, *figures)]
    return CardTable((*systems, "model", *heads), rows, folded=len(rows) > 40)


def _with_error(fits: xr.Dataset, name: str) -> list[str]:
    return [name, *([f"{name}_error"] if f"{name}_error" in fits else [])]


def _with_errors(parts: Sequence[Any]) -> str:
    return " ± ".join(map(_text, parts)) if np.isfinite(parts[0]) else "–"


def _text(value: Any) -> str:
    return style.full_number(float(value)) if np.isfinite(value) else "–"
