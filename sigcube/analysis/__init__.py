"""What is asked of cubes and results once they are there."""

from sigcube.analysis.controls import Control, permutation_control
from sigcube.analysis.models import (
    PairedTests,
    WinRate,
    Wins,
    bootstrap_win_rate,
    model_summary,
    paired_tests,
    wins,
)
from sigcube.analysis.populations import Comparison, compare

__all__ = [
    "Comparison",
    "Control",
    "PairedTests",
    "WinRate",
    "Wins",
    "bootstrap_win_rate",
    "compare",
    "model_summary",
    "paired_tests",
    "permutation_control",
    "wins",
]
