"""The look of figures for print: widths of a journal's columns, type, colours, and files that are always the same."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SigcubeError
from sigcube.explore.style import INK, LINES, SOFT

__all__ = [
    "BARYONS",
    "DATA",
    "FORMATS",
    "MOND",
    "ONE_COLUMN",
    "OTHER",
    "OTHER_MOND",
    "OTHER_SIGMA",
    "SIGMA",
    "TWO_COLUMNS",
    "Drawn",
    "FloatArray",
    "OpenCube",
    "equal_line",
    "figure_file",
    "letter",
    "look",
    "power_axis",
    "sheet",
]

FloatArray = npt.NDArray[np.float64]
OpenCube = Callable[[str], xr.Dataset]

#: Widths of one column of a journal's page, and of two [in].
ONE_COLUMN, TWO_COLUMNS = 3.4, 7.1

#: A model or a dataset looks the same in every figure: colour and dashes, which also tell it apart in grey.
SIGMA = {"color": LINES[0], "linestyle": "-", "linewidth": 1.3}
MOND = {"color": LINES[1], "linestyle": (0, (1.2, 1.2)), "linewidth": 1.5}
BARYONS = {"color": LINES[2], "linestyle": (0, (4, 2)), "linewidth": 1.1}
OTHER = {"color": LINES[3], "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1.2}
OTHER_SIGMA = {"color": LINES[4], "linestyle": (0, (5, 2)), "linewidth": 1.3}
OTHER_MOND = {"color": LINES[5], "linestyle": (0, (2.5, 1.2)), "linewidth": 1.3}
DATA = {"color": INK, "linestyle": "none", "marker": "o", "markersize": 2.2, "elinewidth": 0.6}

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 7.5,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 6.8,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.labelspacing": 0.3,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "savefig.dpi": 300.0,
    # Text stays text in a PDF, to be searched and edited; in SVG it becomes shapes, which look alike everywhere.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    # Names within an SVG are hashes, whose salt would be random.
    "svg.hashsalt": "sigcube",
}
# Time stamps that a format writes, left out so that equal figures are equal files.
_TIMES: Mapping[str, dict[str, None]] = MappingProxyType(
    {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
)
#: The formats of figures.
FORMATS = tuple(_TIMES)


@dataclass(frozen=True)
class Drawn:
    """A matplotlib figure, and the caption of what was drawn."""

    figure: Any
    caption: str


@contextmanager
def look() -> Iterator[None]:
    """Draw and save with the settings that all figures share, and restore the caller's afterwards.

    Raises
    ------
    SigcubeError
        matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        what = "figures for print need matplotlib, which is not installed"
        raise SigcubeError(what, hint='pip install "sigcube[plot]"') from None
    with rc_context(_SETTINGS):
        yield


def sheet(rows: int = 1, columns: int = 1, *, width: float, height: float, **options: Any) -> tuple[Any, Any]:
    """Return a figure of this size [in], and its axes as a one-dimensional array."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, np.ravel(figure.subplots(rows, columns, **options))


def letter(axes: Any) -> None:
    """Label panels (a), (b) … above their left ends, as captions refer to them."""
    for place, panel in enumerate(axes):
        panel.set_title(f"({chr(ord('a') + place)})", loc="left", fontsize=8, fontweight="bold")


def power_axis(axis: Any, *, plain: bool = False, steps: tuple[float, ...] = (1.0,)) -> None:
    """Make ticks of a logarithmic axis readable at a column's width: steps times powers of ten, or plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=steps, numticks=7))
    axis.set_minor_formatter(NullFormatter())
    if plain:
        axis.set_major_formatter("{x:g}")


def equal_line(panel: Any, low: float, high: float) -> None:
    """Draw the line on which both axes are equal."""
    panel.plot([low, high], [low, high], color=SOFT, linewidth=0.7, zorder=1)


def figure_file(figure: Any, form: str) -> bytes:
    """Return a figure as a file in one of the formats. Equal figures give equal bytes."""
    data = BytesIO()
    with look():
        figure.savefig(data, format=form, metadata=_TIMES[form])
    return data.getvalue()
