"""Export of a posterior to ArviZ: draws of grid points, and ln L of each system at each draw."""

import warnings
from typing import Any

import numpy as np
import xarray as xr

from sigcube.analysis.grid_draws import values_at, weighted_points
from sigcube.analysis.labelled import axes_along, is_label, random_numbers
from sigcube.analysis.likelihoods import likelihood_of
from sigcube.analysis.prior_weights import Priors, axis_priors
from sigcube.errors import SpecError, shown

__all__ = ["to_arviz"]

# Of each, ln L of every system is held.
_MOST_DRAWS = 10**6


def to_arviz(
    result: xr.Dataset, *, prior: Priors | None = None, by: str = "loglike", n_draws: int = 4000, seed: int = 0
) -> Any:
    """Return draws from the posterior as an ``arviz.InferenceData``, for its plots and its ``loo`` and ``compare``.

    Draws are points of the grid, resampled systematically by their posterior probability (Kitagawa 1996). No chain made
    them, so that diagnostics of chains do not apply. `sigcube.analysis.leave_one_out` and `compare` are exact.

    Parameters
    ----------
    result, prior, by
        As for `sigcube.analysis.posterior`; the result must have kept ln L of each system.
    n_draws : int
        Number of draws, in one chain.
    seed : int
        Seed for the start and the order of the draws.

    Returns
    -------
    arviz.InferenceData
        Groups ``posterior``, with a variable for each axis that varies (labels as numbers), and ``log_likelihood`` of
        each system.

    Raises
    ------
    SpecError
        For an invalid number of draws, if ArviZ is not installed, and as `posterior`.
    """
    if isinstance(n_draws, bool) or not isinstance(n_draws, int) or not 2 <= n_draws <= _MOST_DRAWS:
        expected = f"a whole number from 2 to {_MOST_DRAWS:,}"
        raise SpecError("this is no number of draws", where="n_draws", found=shown(n_draws), expected=expected)
    try:
        with warnings.catch_warnings():
            # It announces that its next version will be another one.
            warnings.simplefilter("ignore", FutureWarning)
            import arviz
    except ImportError as error:
        hint = 'python -m pip install "sigcube[arviz]"'
        raise SpecError("ArviZ is not installed", where="to_arviz", hint=hint) from error
    likelihood = likelihood_of(result, by, systems=True)
    array, dim = likelihood.array, str(likelihood.dim)
    rng = random_numbers(seed)
    points = weighted_points(likelihood, axis_priors(array, prior)).drawn(n_draws, rng)
    order = rng.permutation(n_draws)
    draws: dict[str, Any] = {}
    for home, index in zip(likelihood.sizes, points.index(), strict=True):
        for name in axes_along(array, home):
            if array.sizes[home] > 1:
                values = index if is_label(array[name]) else array[name].values[index]
                labels = {"labels": ", ".join(map(str, array[name].values))} if is_label(array[name]) else {}
                draws[name] = ("chain", "draw"), values[order][np.newaxis], {**array[name].attrs, **labels}
    logs = np.moveaxis(values_at(likelihood, points)[:, order], 0, -1)[np.newaxis]
    attrs = {
        "inference_library": "sigcube",
        "sampling": "points of a grid, resampled by their posterior probability; no Markov chain",
        "share_of_posterior": points.share,
    }
    coords = {"chain": [0], "draw": np.arange(n_draws)}
    systems = {dim: likelihood.systems}
    return arviz.InferenceData(
        posterior=xr.Dataset(draws, coords, attrs),
        log_likelihood=xr.Dataset({by: (("chain", "draw", dim), logs)}, {**coords, **systems}, attrs),
    )
