"""Cards of galaxies: rotation curves, of their components or of models, and all galaxies to choose from."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import COUNT, flag_masks
from sigcube.explore import style
from sigcube.explore.page import Card
from sigcube.model.frames import FRAMES
from sigcube.wording import pretty_unit

__all__ = ["comparison_cards", "rotation_cards"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT = 440
# The figure of all galaxies is as tall as its neighbour with the menu.
_HEIGHT_OF_ALL = _HEIGHT + 66
# With more galaxies a page is slow to open; then some are shown, evenly spaced.
_MOST = 2000
# Legend, column, colour, dashes and width of each line.
_COMPONENTS = (
    ("baryons together", "v_bar", style.LINES[0], "solid", 2.6),
    ("gas", "v_gas", style.LINES[2], "dashed", 1.8),
    ("disc", "v_disk", style.LINES[1], "dashed", 1.8),
    ("bulge", "v_bul", style.LINES[3], "dashed", 1.8),
)
# What the line of facts calls the variables that it shows.
_FACTS = {
    "hubble_type": "Hubble type",
    "distance": "distance",
    "inclination": "inclination",
    "luminosity": "luminosity",
    "m_hi": "hydrogen",
    "quality": "quality",
}


def rotation_cards(cube: xr.Dataset) -> list[Card]:
    """Return a card with one galaxy's rotation curve and its components, and one with all galaxies."""
    from bokeh.models import ColumnDataSource

    shown = cube.isel(galaxy=slice(None, None, -(-cube.sizes["galaxy"] // _MOST)))
    names, start = [str(name) for name in shown["galaxy"].values], int(np.argmax(shown[COUNT].values))
    facts = [_facts(shown, i) for i in range(len(names))]
    line = style.text_line(facts[start])
    real = _real(shown)
    overview = ColumnDataSource(
        {
            "x": np.where(real, shown["r"].values, -np.inf).max(axis=1),
            "y": np.where(real, shown["v_obs"].values, -np.inf).max(axis=1),
            "galaxy": names,
        }
    )
    defaults = {parameter.name: parameter.value(PAPER) for parameter in FRAMES["galaxy"].parameters}
    disk, bulge = defaults["upsilon_disk"], defaults["upsilon_bulge"]
    choice, curve = _galaxy_menu(shown, _components(shown, disk, bulge), start, overview, line=line, facts=facts)
    flagged = bool((shown["point_flag"].values[real] != 0).any())
    plot = _curve_plot(curve, style.mark_synthetic("measured", cube), flagged=flagged)
    body = [plot], [("galaxy", choice)], line
    text = "Measured velocities with their errors, and what gas and stars would give: mass-to-light ratio "
    text += f"{disk:g} in the disc, {bulge:g} in the bulge."
    if len(names) == 1:
        return [Card("Rotation curve", text, *body, full=True)]
    plot = _figure_of_all(x_axis_label="outermost radius [kpc]", y_axis_label="largest measured velocity [km/s]")
    for axis in plot.axis:
        style.plain_ticks(axis)
    _draw_all(plot, overview, [("outermost", "@x{0.0} kpc"), ("largest", "@y{0.0} km/s")])
    return [
        Card("Rotation curves", text, *body, wide=True),
        Card(
            "All galaxies" if len(names) == cube.sizes["galaxy"] else f"{len(names):,} of all galaxies",
            "How far out each was measured, and its largest velocity. Click to see one.",
            [plot],
        ),
    ]


def comparison_cards(
    cube: xr.Dataset, models: Mapping[str, xr.DataArray], *, best: str, against: str, galaxy: str | None = None
) -> list[Card]:
    """Return a card with one galaxy's rotation curve under several models, and one with every galaxy's error under two.

    ``models`` has the velocities [km/s] over ``(galaxy, radius)`` that three models predict, by name; the errors are
    those of ``best`` and ``against``. First comes ``galaxy``, or one in which these differ much.
    """
    from bokeh.models import ColumnDataSource

    names = [str(name) for name in cube["galaxy"].values]
    kept = cube["point_flag"] == 0
    residuals = {name: (models[name] - cube["v_obs"]).where(kept) for name in (best, against)}
    rms = {name: np.sqrt((residual**2).mean("radius").values) for name, residual in residuals.items()}
    if galaxy in names:
        start = names.index(galaxy)
    else:
        # The well-sampled galaxy in which the models differ most.
        sampled = cube[COUNT].values >= np.median(cube[COUNT].values)
        start = int(np.argmax(np.where(sampled, rms[against] - rms[best], -np.inf)))
    low, high = cube["v_obs"] - cube["e_v_obs"], cube["v_obs"] + cube["e_v_obs"]
    columns = {"r": cube["r"], "v_obs": cube["v_obs"], "low": low, "high": high, **models}
    values = {name: each.where(kept).transpose("galaxy", "radius").values for name, each in columns.items()}
    errors = ColumnDataSource({"x": rms[against], "y": rms[best], "galaxy": names})
    choice, curve = _galaxy_menu(cube, values, start, errors)
    plot = style.figure(height=_HEIGHT, x_axis_label="radius [kpc]", y_axis_label="rotation velocity [km/s]")
    styles = ((style.SOFT, "dashed"), (style.LINES[1], "solid"), (style.LINES[0], "solid"))
    for name, (color, dash) in zip(models, styles, strict=True):
        plot.line("r", name, source=curve, color=color, line_dash=dash, line_width=2.4, legend_label=name)
    _draw_measured(plot, curve, style.mark_synthetic("measured", cube), size=7)
    style.legend_above(plot)
    wins = int((rms[best] < rms[against]).sum())
    return [
        Card(
            "One galaxy",
            "Measured velocities with their errors, and what the models make of the same stars and gas.",
            [plot],
            [("galaxy", choice)],
            wide=True,
        ),
        Card(
            "All galaxies",
            f"RMS residual of each galaxy; below the line, {best} is closer: {wins} of {len(names)}. Click to see one.",
            [_error_plot(errors, best, against)],
        ),
    ]


def _error_plot(errors: Any, best: str, against: str) -> Any:
    from bokeh.models import BasicTickFormatter, FixedTicker

    ends = 0.8 * np.nanmin([errors.data["x"], errors.data["y"]]), 1.25 * np.nanmax([errors.data["x"], errors.data["y"]])
    titles = [f"RMS under {name} [km/s]" for name in (against, best)]
    plot = _figure_of_all(x_axis_label=titles[0], y_axis_label=titles[1], x_range=ends, y_range=ends)
    for axis in plot.axis:
        axis.formatter, axis.ticker = BasicTickFormatter(), FixedTicker(ticks=[0.5, 1, 2, 5, 10, 20, 50, 100, 200])
    plot.line(ends, ends, color=style.SOFT, line_dash="dashed")
    _draw_all(plot, errors, [(titles[0], "@x{0.0}"), (titles[1], "@y{0.0}")])
    return plot


def _real(cube: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which points of a padded cube exist, shape ``(galaxy, radius)``."""
    real: npt.NDArray[np.bool_] = np.arange(cube.sizes["radius"]) < cube[COUNT].values[:, np.newaxis]
    return real


def _components(cube: xr.Dataset, disk: float, bulge: float) -> dict[str, FloatArray]:
    """Return what a rotation curve shows, shape ``(galaxy, radius)``, under the mass-to-light ratios."""
    v_obs, error = cube["v_obs"].values, cube["e_v_obs"].values
    gas, disc, bul = (cube[name].values for name in ("v_gas", "v_disk", "v_bul"))
    squared = gas * np.abs(gas) + disk * disc**2 + bulge * bul**2
    return {
        "r": cube["r"].values,
        "v_obs": v_obs,
        "low": v_obs - error,
        "high": v_obs + error,
        "v_gas": gas,
        "v_disk": np.sqrt(disk) * disc,
        "v_bul": np.sqrt(bulge) * bul,
        "v_bar": np.sqrt(np.where(squared > 0, squared, np.nan)),
        "flagged": np.where(cube["point_flag"].values != 0, v_obs, np.nan),
    }


def _galaxy_menu(
    cube: xr.Dataset, columns: Mapping[str, FloatArray], start: int, dots: Any, *, line: Any = None, facts: Any = ()
) -> tuple[Any, Any]:
    """Return a menu of galaxies and the data of the one that is chosen there, or by a click on its dot.

    The columns have the shape ``(galaxy, radius)``; the page holds their real points as 4-byte floats. A line of text
    may say the facts of the chosen galaxy.
    """
    from bokeh.models import ColumnDataSource

    names, real = [str(name) for name in cube["galaxy"].values], _real(cube)
    packed = {name: values[real].astype(np.float32) for name, values in columns.items()}
    offsets = [0, *np.cumsum(cube[COUNT].values).tolist()]
    first = slice(offsets[start], offsets[start + 1])
    curve = ColumnDataSource({name: values[first] for name, values in packed.items()}, name="curve")
    choice = style.menu(names, start=start)
    dots.selected.indices = [start]
    style.on_change(
        choice,
        code="galaxy.js",
        all=ColumnDataSource(packed),
        offsets=offsets,
        curve=curve,
        line=line,
        facts=list(facts),
        selected=dots.selected,
    )
    pick = "if (cb_obj.indices.length) menu.value = String(cb_obj.indices[0]);"
    style.on_change(dots.selected, code=pick, menu=choice)
    return choice, curve


def _curve_plot(curve: Any, measured: str, *, flagged: bool) -> Any:
    plot = style.figure(height=_HEIGHT, x_axis_label="radius [kpc]", y_axis_label="velocity [km/s]")
    for legend, name, color, dash, width in _COMPONENTS:
        plot.line("r", name, source=curve, color=color, line_dash=dash, line_width=width, legend_label=legend)
    dots = _draw_measured(plot, curve, measured, size=6.5, line_width=0.6)
    if flagged:
        look = {"fill_color": None, "line_color": "#e69f00", "line_width": 2.4, "legend_label": "flagged"}
        plot.scatter("r", "flagged", source=curve, size=13, **look)
    style.hover(
        plot, dots, [("radius", "@r{0.00} kpc"), ("measured", "@v_obs{0.0} km/s"), ("baryons", "@v_bar{0.0} km/s")]
    )
    style.legend_above(plot)
    return plot


def _draw_measured(plot: Any, curve: Any, legend: str, **look: Any) -> Any:
    plot.segment("r", "low", "r", "high", source=curve, color=style.INK, line_width=1.3)
    return plot.scatter("r", "v_obs", source=curve, color=style.INK, line_color="#ffffff", legend_label=legend, **look)


def _figure_of_all(**options: Any) -> Any:
    return style.figure(height=_HEIGHT_OF_ALL, x_axis_type="log", y_axis_type="log", tools="tap", **options)


def _draw_all(plot: Any, source: Any, tooltips: Sequence[tuple[str, str]]) -> None:
    """Draw a dot for each galaxy; the chosen one stands out."""
    from bokeh.models import Scatter

    look = {"size": 8, "color": style.LINES[0], "alpha": 0.5, "nonselection_alpha": 0.5, "line_color": "#ffffff"}
    dots = plot.scatter("x", "y", source=source, **look)
    dots.selection_glyph = Scatter(size=13, fill_alpha=1.0, **style.MARKER)
    style.hover(plot, dots, [("", "@galaxy"), *tooltips])


def _facts(cube: xr.Dataset, i: int) -> str:
    """Return what the catalogue has of a galaxy, and the flags it carries, as a line of text."""
    facts = [f"{int(cube[COUNT].values[i])} points"]
    for name, meaning in _FACTS.items():
        if name in cube and np.isfinite(value := float(cube[name].values[i])):
            # A variable that is a code explains its values in its long name.
            codes = dict(re.findall(r"\b(\d+) (\w+)", cube[name].attrs["long_name"]))
            unit = pretty_unit(style.unit_of(cube[name])).replace("deg", "°")
            number = f"{style.plain_number(value)} {unit}".rstrip().replace(" °", "°")
            facts.append(f"{meaning} {codes.get(f'{value:g}') or number}")
    flag = cube["system_flag"]
    flags = [name for name, mask in flag_masks(flag).items() if int(flag.values[i]) & mask]
    facts += [f"flagged {', '.join(flags)}"] if flags else []
    return " · ".join(facts)
