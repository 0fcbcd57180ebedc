"""The papers' figures, remade from cubes for print."""

from sigcube.explore.figures.preferences import draw_preferences, write_preferences
from sigcube.explore.figures.registry import (
    FIGURES,
    Drawn,
    PaperFigure,
    WrittenFigures,
    draw_figure,
    write_figures,
)

__all__ = [
    "FIGURES",
    "Drawn",
    "PaperFigure",
    "WrittenFigures",
    "draw_figure",
    "draw_preferences",
    "write_figures",
    "write_preferences",
]
