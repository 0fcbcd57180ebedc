"""Questions to results, and statistics of cubes: best points, sensitivity, ablations, comparisons, controls."""

from sigcube.analysis.ablations import ablation
from sigcube.analysis.best import best, profile
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
from sigcube.analysis.null_curve import null_curve
from sigcube.analysis.resampling import bootstrap, holdout, reselect
from sigcube.analysis.sampling import sampled_cases, sensitivity_of_cases
from sigcube.analysis.specifications import robustness, specification_curve
from sigcube.analysis.tradeoff import combined, tradeoff
from sigcube.analysis.trends import trends
from sigcube.analysis.variance import sensitivity

__all__ = [
    "Comparison",
    "Control",
    "PairedTests",
    "WinRate",
    "Wins",
    "ablation",
    "best",
    "bootstrap",
    "bootstrap_win_rate",
    "combined",
    "compare",
    "holdout",
    "model_summary",
    "null_curve",
    "paired_tests",
    "permutation_control",
    "profile",
    "reselect",
    "robustness",
    "sampled_cases",
    "sensitivity",
    "sensitivity_of_cases",
    "specification_curve",
    "tradeoff",
    "trends",
    "wins",
]
