"""Statistics of cubes and results: comparison of models and of groups, permutation controls, best points."""

from sigcube.analysis.controls import Control, permutation_control
from sigcube.analysis.group_comparison import Comparison, compare
from sigcube.analysis.model_comparison import (
    PairedTests,
    WinRate,
    Wins,
    bootstrap_win_rate,
    model_summary,
    paired_tests,
    wins,
)

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
