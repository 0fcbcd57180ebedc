"""The page of trends: a model's residuals against each property of the systems."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import fixed_width
from sigcube.explore import style
from sigcube.explore.notes import notes_of
from sigcube.explore.page import Card, CardTable, Heat, write_page

__all__ = ["trends_page"]

# Most properties with a figure; the table has all.
_MOST_DRAWN = 9
_BINS, _FEWEST_IN_A_BIN = 6, 5
# A property with few values, such as a type, has its medians and ticks at these.
_FEW = 12
_FITS = 36
_FROM = {"cube": "title", "citation": "citation"}
# A positive property whose largest value exceeds this many times its smallest is drawn on a logarithmic axis.
_WIDE = 30.0


def trends_page(
    found: xr.Dataset,
    values: xr.DataArray,
    cube: xr.Dataset,
    path: str | Path,
    *,
    place: str,
    result: xr.Dataset | None = None,
) -> Path:
    """Write an HTML page about the trends of a value; it opens without a server or a network.

    Parameters
    ----------
    found : Dataset
        What `sigcube.analysis.trends` returns for `values` and `cube`.
    values : DataArray
        One value for each system.
    cube : Dataset
        The cube with the properties.
    path : path-like
        The file to write.
    place : str
        Where on the grid the values are, in words.
    result : Dataset, optional
        The result behind the values, with its title, sample and kernel.

    Raises
    ------
    StoreError
        When the page cannot be written.
    """
    (dim,) = map(str, values.dims)
    systems = cube.sel({dim: values[dim].values})
    title = style.value_title(values)
    there = [name for name in map(str, found["property"].values) if _is_there(found, name)]
    drawn = there[:_MOST_DRAWN]
    words = f"{found.attrs['n_compared']} properties were looked at; p is also given adjusted for their number (Holm)."
    if len(drawn) < len(there):
        words += f" Figures show the first {len(drawn)}."
    cards = [Card("Every property", words, table=_table(found), full=True)]
    for name in drawn:
        one = found.sel(property=name)
        text = f"ρ = {one['rho']:+.2f}, p = {one['p_value']:.2g}, adjusted {one['p_adjusted']:.2g}"
        cards.append(Card(_named(systems[name]), text, [_draw(values, systems[name], title)]))
    notes = {name: str(cube.attrs[key]) for name, key in _FROM.items() if key in cube.attrs}
    if result is not None:
        notes = ({"result": str(result.attrs["title"])} if "title" in result.attrs else {}) | notes_of(result)
    return write_page(
        path,
        cards,
        title=f"Trends of {values.name}",
        subtitle=f"{title}, for each of {values.sizes[dim]} systems, {place}. The line joins medians of equal shares.",
        notes=notes,
        synthetic=style.is_synthetic(cube),
    )


def _is_there(found: xr.Dataset, name: str) -> bool:
    return bool(np.isfinite(found["p_value"].sel(property=name)))


def _named(variable: xr.DataArray) -> str:
    """Return the long name of a property, without what its values mean."""
    return style.shorten(str(variable.attrs.get("long_name", variable.name)).partition(":")[0], 60)


def _table(found: xr.Dataset) -> CardTable:
    rows: list[tuple[str | Heat, ...]] = []
    for name in map(str, found["property"].values):
        one = found.sel(property=name)
        rho, p, adjusted = (float(one[key]) for key in ("rho", "p_value", "p_adjusted"))
        cells = [f"{each:.2g}" if np.isfinite(each) else "–" for each in (p, adjusted)]
        heat = Heat(f"{rho:+.3f}" if np.isfinite(rho) else "–", abs(rho) if np.isfinite(rho) else 0.0)
        rows.append((name, heat, *cells, f"{int(one['n_systems'])}"))
    return CardTable(("property", ">ρ", ">p", ">adjusted", ">systems"), rows)


def _draw(values: xr.DataArray, variable: xr.DataArray, title: str) -> Any:
    """Return the figure of a value against a property, with the medians of equal shares of the systems."""
    from bokeh.models import ColumnDataSource, FixedTicker

    x, y = variable.values.astype(np.float64), values.values.astype(np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    wide = bool((x[both] > 0).all() and x[both].max() > _WIDE * x[both].min())
    label = style.fitted(_named(variable), style.unit_of(variable), _FITS)
    plot = style.figure(
        height=300,
        x_axis_type="log" if wide else "linear",
        x_axis_label=label,
        y_axis_label=style.shorten(title, _FITS),
    )
    (dim,) = map(str, values.dims)
    names = fixed_width(values[dim].values)[both]
    source = ColumnDataSource({"x": x[both], "y": y[both], "name": names})
    dots = plot.scatter("x", "y", source=source, size=6, color=style.LINES[0], alpha=0.55, line_color=None)
    style.hover(plot, dots, [(dim, "@name"), ("property", "@x{%.4g}"), ("value", "@y{%.4g}")])
    middle = ColumnDataSource(dict(zip(("x", "y"), _medians(x[both], y[both]), strict=True)))
    plot.line("x", "y", source=middle, line_color=style.INK, line_width=2)
    plot.scatter("x", "y", source=middle, size=6, color=style.INK)
    if np.unique(x[both]).size <= _FEW:
        plot.xaxis.ticker = FixedTicker(ticks=np.unique(x[both]).tolist())
    elif wide:
        style.power_ticks(plot.xaxis, float(x[both].min()), float(x[both].max()), most=5)
    else:
        plot.xaxis.ticker.desired_num_ticks = 4
    return plot


def _medians(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return medians of a value at each of few values of a property, else of both in equal shares of the systems."""
    few = np.unique(x)
    if few.size <= _FEW:
        return few, np.array([np.median(y[x == each]) for each in few])
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, max(1, min(_BINS, x.size // _FEWEST_IN_A_BIN)))
    return np.array([np.median(x[part]) for part in parts]), np.array([np.median(y[part]) for part in parts])
