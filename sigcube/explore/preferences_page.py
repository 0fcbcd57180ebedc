"""The page of a study of preferences: Δ ln L of the systems in each comparison, under each error model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.explore import style
from sigcube.explore.page import Card, CardTable, write_page

__all__ = ["ERROR_MODELS", "TICKS", "error_model", "numbered", "preferences_page", "stretched"]

#: The error models that are compared: what is done with nuisances, and the errors of points.
ERROR_MODELS = (("held", "white"), ("held", "correlated"), ("marginalised", "white"), ("marginalised", "correlated"))

#: Values of Δ ln L that an axis marks, and names where there is room on a phone.
TICKS: Mapping[float, str] = MappingProxyType({-1e3: "−10³", -10.0: "", 0.0: "0", 10.0: "", 1e3: "10³"})

_COLOURS = {"first": style.LINES[0], "second": style.LINES[1], "neither": "#9aa5b1"}
_BAND = "#eef1f4"
_TITLES = {"held": "Errors as quoted", "marginalised": "Nuisances marginalised"}
_WORDS = {
    "held": "Distance, inclination and mass-to-light ratio of each system are those quoted.",
    "marginalised": "Distance, inclination and mass-to-light ratio of each system are integrated over.",
}
_POINT_WORDS = {
    "white": "white",
    "correlated": "correlated",
    "common": "correlated, one amplitude and length for all",
}


def preferences_page(found: xr.Dataset, path: str | Path) -> Path:
    """Write an HTML page about what `sigcube.analysis.preferences` returns; it opens without a server or a network.

    Raises
    ------
    StoreError
        When the page cannot be written.
    """
    beyond = float(found.attrs["beyond"])
    words = (
        f"Of each comparison, Δ ln L of {found.attrs['n_systems']} systems, the first model less the second: a dot for "
        f"the median, lines for half and for 95 % of them. Between −{beyond:g} and {beyond:g}, the grey band, a system "
        "says little. Blue: the sum prefers the first model; orange: the second; grey: neither, within "
        f"{found.attrs['standard_errors']:g} standard errors."
    )
    cards: list[Card] = []
    low, high = _ends(found)
    for nuisances, title in _TITLES.items():
        figures = [_spans(found, nuisances, points, low, high) for points in ("white", "correlated")]
        text = f"{words} {_WORDS[nuisances]}" if not cards else _WORDS[nuisances]
        cards.append(Card(title, text, figures, full=True))
    told = f"Wins of the first and the second model; in brackets, those by more than {beyond:g} in ln L."
    cards.append(Card("Wins", told, table=CardTable(_HEAD, _rows(found, _wins)), full=True))
    told = "Σ Δ ln L, and its standard error over systems."
    cards.append(Card("Sums", told, table=CardTable(_HEAD, _rows(found, _sum)), full=True))
    cards.append(Card("In detail", _DETAIL, table=CardTable(_DETAIL_HEAD, _detail(found), folded=True), full=True))
    keys = ("name", "published", "where", "claims")
    printed = list(zip(*(found[key].values.tolist() for key in keys), strict=True))
    cards.append(Card("What is printed", _PRINTED, table=CardTable(_PRINTED_HEAD, printed, folded=True), full=True))
    how = found["treatment"].sel(nuisances="marginalised").values
    treated = [(str(name), str(text)) for name, text in zip(found["model"].values, how, strict=True)]
    cards.append(
        Card("How nuisances were marginalised", "", table=CardTable(("model", "how"), treated, folded=True), full=True)
    )
    notes = ("cube", "sample", "where", "prior", "citation")
    return write_page(
        path,
        cards,
        title=str(found.attrs.get("title", "Preferences")),
        subtitle=f"{found.sizes['comparison']} comparisons of two models, under four error models.",
        notes={key: str(found.attrs[key]) for key in notes if found.attrs.get(key)},
        synthetic=style.is_synthetic(found),
    )


_PRINTED = "Where a comparison comes from, and the rows of the ledger that hold what is printed of it."
_DETAIL = "p is of wins as uneven by chance; the last columns are the common amplitude [km/s] and length."
_DETAIL_HEAD = (
    *("comparison", "nuisances", "errors of points", ">wins", ">median |Δ|", ">above", ">below", ">Σ Δ ln L"),
    *(">± error", ">p", ">a", ">ℓ"),
)


def error_model(nuisances: str, points: str) -> str:
    """Return the name of an error model.

    Examples
    --------
    >>> error_model("held", "white"), error_model("marginalised", "correlated")
    ('white, as quoted', 'correlated, marginalised')
    """
    return f"{points}, {'as quoted' if nuisances == 'held' else nuisances}"


_HEAD = ("comparison", *(f">{error_model(*each)}" for each in ERROR_MODELS))
_PRINTED_HEAD = ("comparison", "printed", "where", "claims")


def numbered(one: xr.Dataset) -> str:
    """Return the number and the name of a comparison."""
    return f"{one['comparison'].item()}  {one['name'].item()}"


def stretched(values: Any) -> npt.NDArray[np.float64]:
    """Return Δ ln L as drawn: linear within about 1, logarithmic beyond, asinh(x)."""
    return np.asarray(np.arcsinh(np.asarray(values, dtype=np.float64)))


def signed(value: float) -> str:
    """Return a whole number with its sign, as in print.

    Examples
    --------
    >>> signed(-1972.2), signed(63.0)
    ('−1,972', '+63')
    """
    return f"{value:+,.0f}".replace("-", "−")


def _ends(found: xr.Dataset) -> tuple[float, float]:
    ends = stretched(found["quantiles"].values[..., [0, -1]])
    return float(ends.min()) - 0.4, float(ends.max()) + 0.4


def _spans(found: xr.Dataset, nuisances: str, points: str, low: float, high: float) -> Any:
    """Return the figure of one error model: a row for each comparison, the first at the top."""
    from bokeh.models import BoxAnnotation, ColumnDataSource, FixedTicker

    one = found.sel(nuisances=nuisances, points=points)
    rows = [one.isel(comparison=i) for i in range(one.sizes["comparison"])][::-1]
    plot = style.figure_by_name(
        [numbered(row) for row in rows],
        x_range=(low, high),
        x_axis_label=error_model(nuisances, points),
    )
    beyond = float(stretched(found.attrs["beyond"]))
    plot.add_layout(BoxAnnotation(left=-beyond, right=beyond, fill_color=_BAND, fill_alpha=1.0, level="image"))
    ends = stretched([row["quantiles"].values for row in rows])
    source = ColumnDataSource(
        {
            "y": list(range(len(rows))),
            **{f"q{i}": ends[:, i] for i in range(ends.shape[1])},
            "colour": [_COLOURS[row["preferred"].item()] for row in rows],
            "name": [numbered(row) for row in rows],
            "wins": [_wins(row) for row in rows],
            "sum": [_sum(row) for row in rows],
        }
    )
    plot.segment("q0", "y", "q4", "y", source=source, line_width=1.6, color="colour")
    plot.segment("q1", "y", "q3", "y", source=source, line_width=6, color="colour", line_alpha=0.75)
    dots = plot.scatter("q2", "y", source=source, size=8, color="colour", line_color=style.INK)
    style.hover(plot, dots, [("", "@name"), ("wins", "@wins"), ("Σ Δ ln L", "@sum")])
    ticks = {float(stretched(value)): text for value, text in TICKS.items() if low < float(stretched(value)) < high}
    plot.xaxis.ticker, plot.xaxis.major_label_overrides = FixedTicker(ticks=list(ticks)), ticks
    return plot


def _wins(one: xr.Dataset) -> str:
    beyond = f"{int(one['beyond_first'])} : {int(one['beyond_second'])}"
    return f"{int(one['wins_first'])} : {int(one['wins_second'])} ({beyond})"


def _sum(one: xr.Dataset) -> str:
    return f"{signed(float(one['total_difference']))} ± {float(one['total_error']):,.0f}"


def _rows(found: xr.Dataset, cell: Callable[[xr.Dataset], str]) -> list[tuple[str, ...]]:
    """Return a row for each comparison, with a cell for each error model."""
    rows = []
    for i in range(found.sizes["comparison"]):
        one = found.isel(comparison=i)
        cells = [cell(one.sel(nuisances=nuisances, points=points)) for nuisances, points in ERROR_MODELS]
        rows.append((numbered(one), *cells))
    return rows


def _detail(found: xr.Dataset) -> list[tuple[str, ...]]:
    rows = []
    for i in range(found.sizes["comparison"]):
        for nuisances in map(str, found["nuisances"].values):
            for points in map(str, found["points"].values):
                one = found.isel(comparison=i).sel(nuisances=nuisances, points=points)
                place = (f"{float(one[f'best_{name}']):.3g}" for name in ("amplitude", "length"))
                rows.append(
                    (
                        *(one["name"].item(), nuisances, _POINT_WORDS[points]),
                        *(f"{int(one['wins_first'])} : {int(one['wins_second'])}", f"{float(one['median_size']):.2f}"),
                        *(str(int(one["beyond_first"])), str(int(one["beyond_second"]))),
                        *(signed(float(one["total_difference"])), f"{float(one['total_error']):,.0f}"),
                        *(f"{float(one['sign_p']):.2g}", *(place if points == "common" else ("", ""))),
                    )
                )
    return rows
