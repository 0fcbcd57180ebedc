"""The command line: a function for each command, which calls the library and prints.

Exit codes: 0 done; 1 failed, with the reason on the error stream; 2 asked for what cannot be: an option, a spec, a
recipe, a path; 3 done, but for blocks that failed and are recorded; 4 another process writes the store; 5 a rerun gave
other values, or a result is damaged; 130 interrupted, 143 terminated.
"""

from sigcube.cli.analysis_commands import ablation, best, curve, holdout, profile, sensitivity, tradeoff, trends
from sigcube.cli.app import ExitCode, make_app
from sigcube.cli.dataset_commands import check, datasets, fetch, ingest, show
from sigcube.cli.explore_command import explore
from sigcube.cli.figures_command import figures
from sigcube.cli.ledger_command import claims
from sigcube.cli.posterior_commands import compare, posterior
from sigcube.cli.preferences_command import preferences
from sigcube.cli.sweep_commands import demo, fit, kernels, map_, metrics, plan, rerun, status, sweep, verify

__all__ = ["ExitCode", "app"]

app = make_app(
    [
        *(datasets, fetch, ingest, check, show),
        *(kernels, metrics, plan, sweep, status, rerun, verify),
        *(best, profile, sensitivity, ablation, curve, holdout, tradeoff, trends),
        *(posterior, compare, preferences),
        *(map_, explore, fit, claims, figures, demo),
    ],
)
