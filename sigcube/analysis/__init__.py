"""Questions to results, and statistics of cubes: best points, posteriors, sensitivity, ablations, comparisons."""

from sigcube.analysis.ablations import ablation
from sigcube.analysis.arviz_export import to_arviz
from sigcube.analysis.best import best, profile
from sigcube.analysis.comparing import compare
from sigcube.analysis.controls import Control, permutation_control
from sigcube.analysis.group_comparison import Comparison, compare_groups
from sigcube.analysis.leave_one_out import leave_one_out
from sigcube.analysis.model_comparison import (
    PairedTests,
    WinRate,
    Wins,
    bootstrap_win_rate,
    model_summary,
    paired_tests,
    wins,
)
from sigcube.analysis.nuisances import marginalise
from sigcube.analysis.null_curve import null_curve
from sigcube.analysis.posteriors import posterior
from sigcube.analysis.predictive import predict
from sigcube.analysis.preference_study import PreferenceStudy
from sigcube.analysis.preferences import preferences
from sigcube.analysis.published_halos import published_halos
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
    "PreferenceStudy",
    "WinRate",
    "Wins",
    "ablation",
    "best",
    "bootstrap",
    "bootstrap_win_rate",
    "combined",
    "compare",
    "compare_groups",
    "holdout",
    "leave_one_out",
    "marginalise",
    "model_summary",
    "null_curve",
    "paired_tests",
    "permutation_control",
    "posterior",
    "predict",
    "preferences",
    "profile",
    "published_halos",
    "reselect",
    "robustness",
    "sampled_cases",
    "sensitivity",
    "sensitivity_of_cases",
    "specification_curve",
    "to_arviz",
    "tradeoff",
    "trends",
    "wins",
]
