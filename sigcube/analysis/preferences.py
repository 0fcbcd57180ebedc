"""Preferences of one model over another, and whether they survive correlated and systematic errors."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about, system_dim
from sigcube.analysis.nuisances import marginalise
from sigcube.analysis.priors import Prior
from sigcube.errors import SpecError, did_you_mean

__all__ = ["AMPLITUDE", "LENGTH", "preferences"]

FloatArray = npt.NDArray[np.float64]

#: The axes of correlated errors.
AMPLITUDE, LENGTH = "correlation_amplitude", "correlation_length"

#: How the errors of points are treated: white; correlated, with the mean L over amplitudes and lengths for each system
#: and model; and correlated with the one amplitude and length that fit all systems under both models best.
_POINTS = ("white", "correlated", "common")
_QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
_VARIABLES: Mapping[str, Literal["loglike", "loglike_best"]] = {"integrated": "loglike", "best": "loglike_best"}


def preferences(
    likelihoods: xr.Dataset,
    comparisons: Sequence[Mapping[str, Any]],
    *,
    prior: Mapping[str, Prior],
    beyond: float = 5.0,
    standard_errors: float = 2.0,
) -> xr.Dataset:
    """Compare models system by system, under white and correlated errors, with nuisances held and marginalised.

    Parameters
    ----------
    likelihoods : Dataset
        As `sigcube.analysis.PreferenceStudy.likelihoods` returns them: ``loglike``, ``loglike_best`` and
        ``quadrature_error`` over model, ``nuisances``, system, and amplitude and length of correlated errors. The first
        amplitude is 0.
    comparisons : sequence of Mapping
        Each has ``first`` and ``second``, names of models, and ``free``, "integrated" or "best": what is done with
        parameters of each system. ``name`` is its title; ``where``, ``published`` and ``claims`` say where it is
        printed.
    prior : Mapping
        The priors of amplitudes above zero, and of lengths: under "correlated", L of each system and model is
        integrated over them.
    beyond : float
        The size of Δ ln L beyond which a system clearly favours one of the two models.
    standard_errors : float
        How many of its standard errors a sum of differences must exceed to be a preference.

    Returns
    -------
    Dataset
        ``difference``, ln L of the first model less that of the second, over comparison, ``nuisances``, ``points`` and
        system, with its ``quantiles`` over systems. The errors of ``points`` are "white"; "correlated", with L of each
        system and model integrated over amplitude and length; or "common", correlated with the one amplitude and length
        that fit all systems under both models best. For each: ``wins_first`` and ``wins_second``, numbers of systems;
        ``median_size``, the median size of Δ ln L; ``beyond_first`` and ``beyond_second``, numbers of systems with Δ ln
        L beyond `beyond`; ``total_difference``, the sum over systems, and ``total_error``, its standard error, √n times
        the standard deviation (Vehtari, Gelman & Gabry 2017, eq. 24). Where each system has its own parameters,
        integrated over, that sum is the difference of elpd when systems are left out. ``preferred`` is "first" or
        "second" by the sum, or "neither" within its error; ``sign_p`` tests the numbers of wins, which single systems
        cannot sway. ``best_amplitude`` and ``best_length`` are those of "common". ``quadrature_error`` of the sum under
        white errors comes from the spacing of the axes: where it is large, they are too coarse for white errors.
        ``treatment``, over model and ``nuisances``, is in words.

    Raises
    ------
    SpecError
        For unknown models, and for likelihoods without white errors or with fewer than two systems.
    """
    dim = _check_likelihoods(likelihoods, comparisons)
    difference, place = _differences(likelihoods, comparisons, dim, prior)
    amplitudes, lengths = likelihoods[AMPLITUDE].values, likelihoods[LENGTH].values
    n = difference.shape[-1]
    total, spread = difference.sum(axis=-1), np.sqrt(n * difference.var(axis=-1, ddof=1))
    quantiles = np.moveaxis(np.quantile(difference, _QUANTILES, axis=-1), 0, -1)
    over = ("comparison", "nuisances", "points")
    content: dict[str, tuple[tuple[str, ...], Any, str]] = {
        "difference": ((*over, dim), difference, "ln L of the first model, less that of the second"),
        "quantiles": ((*over, "quantile"), quantiles, "quantiles of Δ ln L over systems"),
        "wins_first": (over, (difference > 0).sum(axis=-1), "systems with the larger ln L under the first model"),
        "wins_second": (over, (difference < 0).sum(axis=-1), "systems with the larger ln L under the second model"),
        "median_size": (over, np.median(np.abs(difference), axis=-1), "median of |Δ ln L|"),
        "beyond_first": (over, (difference > beyond).sum(axis=-1), f"systems with Δ ln L above {beyond:g}"),
        "beyond_second": (over, (difference < -beyond).sum(axis=-1), f"systems with Δ ln L below −{beyond:g}"),
        "total_difference": (over, total, "sum of Δ ln L"),
        "total_error": (over, spread, "standard error of the sum, over systems"),
        "best_amplitude": (over[:2], amplitudes[place[..., 0]], "amplitude that fits all systems best"),
        "best_length": (over[:2], lengths[place[..., 1]], "length that fits all systems best"),
        "preferred": (over, _preferred(total, spread, standard_errors), "which model the sum prefers"),
        "sign_p": (over, _sign_test(difference), "p of as uneven wins by chance, two-sided"),
        "quadrature_error": (over[:2], _quadrature(likelihoods, comparisons, dim), "of the sum, from steps of axes"),
    }
    coords: dict[str, Any] = {
        "comparison": np.arange(1, len(comparisons) + 1),
        "nuisances": likelihoods["nuisances"].values,
        "points": np.array(_POINTS, dtype=object),
        "quantile": np.array(_QUANTILES),
        dim: likelihoods[dim].values,
        **_words(comparisons),
    }
    attrs = {
        **likelihoods.attrs,
        "beyond": beyond,
        "standard_errors": standard_errors,
        "prior": "; ".join(f"{name} ~ {each}" for name, each in prior.items()),
        "n_systems": n,
    }
    variables = {name: (dims, values, about(text)) for name, (dims, values, text) in content.items()}
    return xr.Dataset(variables, coords, attrs).assign(treatment=likelihoods["treatment"])


def _check_likelihoods(likelihoods: xr.Dataset, comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Return the dimension of systems; refuse likelihoods that lack what is compared."""
    names = [str(name) for name in likelihoods["model"].values]
    dim = system_dim(likelihoods)
    if dim is None or likelihoods.sizes[dim] < 2:
        raise SpecError("preferences are counted over systems", where="likelihoods", expected="2 systems or more")
    if likelihoods[AMPLITUDE].values[0] != 0.0:
        found = str(likelihoods[AMPLITUDE].values[0])
        raise SpecError("there are no white errors to compare with", where=AMPLITUDE, found=found, expected="0 first")
    for each in comparisons:
        for name in (each["first"], each["second"]):
            if name not in names:
                raise SpecError(f"there is no model {name!r}", where="comparisons", hint=did_you_mean(name, names))
    return dim


def _differences(
    likelihoods: xr.Dataset, comparisons: Sequence[Mapping[str, Any]], dim: str, prior: Mapping[str, Prior]
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return Δ ln L over (comparison, nuisances, points, system), and where the common errors lie on their axes."""
    index = {str(name): i for i, name in enumerate(likelihoods["model"].values)}
    asked = {_VARIABLES[each.get("free", "integrated")] for each in comparisons}
    # Over (model, nuisances, system, amplitude, length), and their means over the last two.
    loglike = {name: likelihoods[name].transpose("model", "nuisances", dim, AMPLITUDE, LENGTH) for name in asked}
    means = {name: _mean_over_errors(each, dim, prior) for name, each in loglike.items()}
    rows, best = [], []
    for each in comparisons:
        name, pair = _VARIABLES[each.get("free", "integrated")], [index[each["first"]], index[each["second"]]]
        both, mean = loglike[name].values[pair], means[name][pair]
        places = _common_best(both)
        common = np.stack([both[:, i, :, *place] for i, place in enumerate(places)], axis=1)
        rows.append(np.stack([one[0] - one[1] for one in (both[..., 0, 0], mean, common)], axis=1))
        best.append(places)
    return np.array(rows), np.array(best)


def _words(comparisons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the texts of the comparisons, as coordinates."""
    texts = {key: [str(each.get(key, "")) for each in comparisons] for key in ("first", "second", "where", "published")}
    texts["name"] = [each.get("name") or f"{each['first']} : {each['second']}" for each in comparisons]
    texts["free"] = [each.get("free", "integrated") for each in comparisons]
    texts["claims"] = [", ".join(each.get("claims", ())) for each in comparisons]
    return {key: ("comparison", np.array(values, dtype=object)) for key, values in texts.items()}


def _mean_over_errors(loglike: xr.DataArray, dim: str, prior: Mapping[str, Prior]) -> FloatArray:
    """Return ln of the mean L over amplitudes above zero and lengths, shape ``(model, nuisances, system)``."""
    # Each model and treatment is integrated as if it were one more system.
    correlated = loglike.isel({AMPLITUDE: slice(1, None)})
    flat = correlated.values.reshape(-1, *correlated.shape[3:])
    coords = {name: correlated[name].values for name in (AMPLITUDE, LENGTH)}
    one = xr.Dataset({"loglike": ((dim, AMPLITUDE, LENGTH), flat)}, coords)
    return np.asarray(marginalise(one, prior)["loglike"].values.reshape(loglike.shape[:3]))


def _common_best(both: FloatArray) -> list[tuple[int, int]]:
    """Return where ln L of all systems under two models is largest, for each treatment of nuisances."""
    together = both.sum(axis=(0, 2))
    found = (np.unravel_index(int(one.argmax()), one.shape) for one in together)
    return [(int(a), int(length)) for a, length in found]


def _preferred(total: FloatArray, error: FloatArray, most: float) -> npt.NDArray[Any]:
    """Return which model a sum of differences prefers, beyond its error."""
    there = np.where(total > 0, "first", "second")
    return np.asarray(np.where(np.abs(total) > most * error, there, "neither")).astype(object)


def _sign_test(difference: FloatArray) -> FloatArray:
    """Return the two-sided p-value of the numbers of wins if both models were equally good (Arbuthnot 1710)."""
    from scipy.stats import binom

    first, second = (difference > 0).sum(axis=-1), (difference < 0).sum(axis=-1)
    return np.asarray(np.minimum(1.0, 2.0 * binom.cdf(np.minimum(first, second), first + second, 0.5)))


def _quadrature(likelihoods: xr.Dataset, comparisons: Sequence[Mapping[str, Any]], dim: str) -> FloatArray:
    error = likelihoods["quadrature_error"].sum(dim).transpose("model", "nuisances")
    return np.array(
        [(error.sel(model=each["first"]).values + error.sel(model=each["second"]).values) for each in comparisons]
    )
