"""The figure of a study of preferences for print: a panel for each error model, a row for each comparison."""

from pathlib import Path
from typing import Any

import xarray as xr

from sigcube.errors import SpecError, did_you_mean
from sigcube.explore.figures.look import FORMATS, TWO_COLUMNS, Drawn, figure_file, look, sheet
from sigcube.explore.preferences_page import ERROR_MODELS, TICKS, error_model, numbered, stretched
from sigcube.explore.style import INK, LINES, SOFT
from sigcube.files import path_of, write_file

__all__ = ["draw_preferences", "write_preferences"]

_COLOURS = {"first": LINES[0], "second": LINES[1], "neither": "#9aa5b1"}
_ROW, _AROUND = 0.165, 0.75


def draw_preferences(found: xr.Dataset) -> Drawn:
    """Draw what `sigcube.analysis.preferences` returns."""
    rows = found.sizes["comparison"]
    figure, panels = sheet(
        1, len(ERROR_MODELS), width=TWO_COLUMNS, height=_AROUND + _ROW * rows, sharex=True, sharey=True
    )
    beyond = float(found.attrs["beyond"])
    for panel, (nuisances, points) in zip(panels, ERROR_MODELS, strict=True):
        panel.axvspan(-stretched(beyond), stretched(beyond), color="#e9edf1", linewidth=0, zorder=0)
        panel.axvline(0.0, color=SOFT, linewidth=0.5, zorder=1)
        _draw_panel(panel, found.sel(nuisances=nuisances, points=points))
        panel.set_title(error_model(nuisances, points).replace(", ", ",\n"))
        panel.set_xlabel("Δ ln L")
        panel.tick_params(left=False, right=False, top=False)
    panels[0].set_ylim(rows - 0.4, -0.6)
    ends = stretched(found["quantiles"].values[..., [0, -1]])
    panels[0].set_xlim(float(ends.min()) - 0.5, float(ends.max()) + 5.0)
    panels[0].set_xticks([float(stretched(value)) for value in TICKS], list(TICKS.values()))
    panels[0].set_yticks(range(rows), [numbered(found.isel(comparison=i)) for i in range(rows)])
    caption = (
        f"Δ ln L of {found.attrs['n_systems']} systems in each comparison, the first model less the second: the "
        "median, half, and 95 % of them, on a scale of asinh Δ ln L. Grey band: |Δ ln L| < "
        f"{beyond:g}; at the right, the number of systems outside. Blue: the sum prefers the first model; orange: the "
        f"second; grey: neither, within {found.attrs['standard_errors']:g} standard errors."
    )
    return Drawn(figure, caption)


def form_of(path: Path) -> str:
    """Return the format of a figure's file, by its ending.

    Raises
    ------
    SpecError
        For an ending that is no format of figures.
    """
    form = path.suffix.removeprefix(".")
    if form not in FORMATS:
        raise SpecError("a figure cannot be written so", where=str(path), hint=did_you_mean(form, FORMATS))
    return form


def write_preferences(found: xr.Dataset, path: str | Path) -> Path:
    """Write the figure to a file, in the format of its ending.

    Raises
    ------
    SpecError
        For an ending that is not a format of figures.
    """
    target = path_of(path, what="the figure")
    form = form_of(target)
    with look():
        drawn = draw_preferences(found)
    write_file(target, figure_file(drawn.figure, form))
    return target


def _draw_panel(panel: Any, one: xr.Dataset) -> None:
    for row in range(one.sizes["comparison"]):
        here = one.isel(comparison=row)
        colour = _COLOURS[here["preferred"].item()]
        ends = stretched(here["quantiles"].values)
        panel.plot(ends[[0, 4]], [row, row], color=colour, linewidth=0.9, zorder=2, solid_capstyle="butt")
        panel.plot(ends[[1, 3]], [row, row], color=colour, linewidth=3.2, zorder=3, solid_capstyle="butt")
        panel.plot(ends[2], row, color=INK, marker="o", markersize=2.0, zorder=4)
        outside = int(here["beyond_first"] + here["beyond_second"])
        panel.annotate(
            str(outside), (0.985, row), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=5.8
        )
