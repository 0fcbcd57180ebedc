"""Whether posteriors recover what is known: many synthetic surveys, each of a truth drawn from the priors.

``python -m tests.recovery`` prints the table of docs/likelihoods.md. For each survey A, g† and the intrinsic scatter
are drawn from their priors; each galaxy has a mass-to-light ratio, a distance and an inclination of its own, which
differ from what is quoted by their errors; and V_obs has noise. The sweep, with the errors of distance and inclination
marginalised, the mass-to-light ratio integrated over for each galaxy, and the posterior know the priors alone. A truth
that is drawn from the prior lies within a credible interval as often as its level says (Cook, Gelman & Rubin 2006).
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import sigcube
from sigcube import analysis
from sigcube.readers.mock import mock_survey

__all__ = ["PRIORS", "Recovered", "coverage_table", "recover", "scores"]

PRIORS = {
    "A": sigcube.uniform(0.8, 1.6),
    "g_dagger": sigcube.log_uniform(7e-11, 1.4e-10),
    "intrinsic_scatter": sigcube.uniform(0.04, 0.08),
}
UPSILON = sigcube.lognormal(0.5, 0.1)
LEVELS = (0.68, 0.95)
_FIXED = {"window": "none", "amplitude": "constant"}
_AXES = {
    "A": sigcube.linspace(0.8, 1.6, 33),
    "g_dagger": sigcube.geomspace(7e-11, 1.4e-10, 23),
    "intrinsic_scatter": sigcube.linspace(0.04, 0.08, 15),
    "upsilon_disk": tuple(0.5 * 10 ** np.linspace(-0.4, 0.4, 33)),
}
_DISTANCE_ERROR, _INCLINATION_ERROR = 0.10, 4.0


@dataclass(frozen=True)
class Recovered:
    """The truth of surveys and what their posteriors say, each of shape ``(n_surveys, n_axes)`` or with levels.

    Attributes
    ----------
    truth, mean : ndarray
        Of each axis of `PRIORS`.
    low, high : ndarray
        Ends of the intervals with equal tails at `LEVELS`, shape ``(n_surveys, n_axes, 2)``.
    """

    truth: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """The share of surveys whose interval holds the truth, shape ``(n_axes, 2)``."""
        truth = self.truth[..., np.newaxis]
        return ((self.low <= truth) & (truth <= self.high)).mean(axis=0)

    @property
    def bias(self) -> np.ndarray:
        """The mean of posterior mean less truth, in lengths of the mean 68 % interval, shape ``(n_axes,)``.

        Over the prior, the posterior mean has none; a median may, where the posterior is skewed.
        """
        length = (self.high - self.low)[..., 0].mean(axis=0)
        return (self.mean - self.truth).mean(axis=0) / length

    @property
    def bias_error(self) -> np.ndarray:
        """The standard error of `bias`, shape ``(n_axes,)``."""
        length = (self.high - self.low)[..., 0].mean(axis=0)
        return (self.mean - self.truth).std(axis=0, ddof=1) / length / np.sqrt(len(self.truth))


def draw(rng: np.random.Generator) -> dict[str, float]:
    """Draw a truth from the priors."""
    a, g, scatter = PRIORS.values()
    return {
        "A": float(rng.uniform(a.low, a.high)),
        "g_dagger": float(np.exp(rng.uniform(np.log(g.low), np.log(g.high)))),
        "intrinsic_scatter": float(rng.uniform(scatter.low, scatter.high)),
    }


def survey(truth: dict[str, float], seed: int, *, n_galaxies: int, in_logs: bool = False) -> xr.Dataset:
    """Make a survey under a truth, with the errors of each galaxy and of each point.

    The intrinsic scatter is Gaussian in V, as ln L has it, or in log V.
    """
    # Not the numbers that the galaxies are drawn with: their errors would follow their masses.
    rng = np.random.default_rng([seed, 1])
    cube = mock_survey(n_galaxies=n_galaxies, seed=seed, noise=0.0, points=(8, 20))
    per_galaxy = {"dims": "galaxy", "coords": {"galaxy": cube.galaxy}}
    z = rng.normal(size=(3, n_galaxies))
    upsilon = xr.DataArray(UPSILON.median * 10 ** (UPSILON.dex * z[0]), **per_galaxy)
    model = sigcube.kernels["sigma"]
    # g_bar and r/R_d do not depend on the distance, so that V goes as its root.
    v = model.predict(cube, A=truth["A"], g_dagger=truth["g_dagger"], upsilon_disk=upsilon, **_FIXED)
    inclination = np.clip(cube.inclination, 30.0, 80.0)
    moved = np.radians(inclination + _INCLINATION_ERROR * z[2])
    factor = np.sqrt(1.0 + _DISTANCE_ERROR * z[1]) * np.sin(moved) / np.sin(np.radians(inclination))
    v = v * xr.DataArray(factor.values, **per_galaxy)
    scatter = 0.5 * truth["intrinsic_scatter"] * np.log(10.0) * rng.normal(size=v.shape)
    v = v * (np.exp(scatter) if in_logs else 1.0 + scatter)
    v = v + cube.e_v_obs * rng.normal(size=v.shape)
    errors = {
        "e_distance": (_DISTANCE_ERROR * cube.distance).assign_attrs(
            units="Mpc", long_name="error", source="synthetic"
        ),
        "e_inclination": xr.full_like(cube.distance, _INCLINATION_ERROR).assign_attrs(units="deg"),
    }
    observed = v.where(cube.v_obs.notnull()).assign_attrs(cube.v_obs.attrs).transpose(*cube.v_obs.dims)
    return cube.assign(**errors, v_obs=observed, inclination=inclination.assign_attrs(cube.inclination.attrs))


def marginal_of(cube: xr.Dataset, axes: dict[str, Any]) -> xr.Dataset:
    """Sweep a survey over some axes, and integrate over the mass-to-light ratio of each galaxy."""
    sweep = sigcube.Sweep(
        cube,
        sample="unflagged",
        # A cut on the masses alone: where gas pulls outwards, no model is defined at the smallest mass-to-light ratio.
        where=sigcube.kernels["newton"].predict(cube, upsilon_disk=_AXES["upsilon_disk"][0]).notnull(),
        kernel="sigma",
        fixed=_FIXED,
        axes={**axes, "upsilon_disk": _AXES["upsilon_disk"]},
        metrics=["loglike"],
        errors={"distance": True, "inclination": True},
        keep=["galaxy"],
    )
    return analysis.marginalise(sweep.compute(), {"upsilon_disk": UPSILON})


def scores(truth: dict[str, float], seed: int, *, n_galaxies: int, step: float = 0.01) -> np.ndarray:
    """Return the slope of ln L at the truth along each axis of `PRIORS`, shape ``(n_axes, n_galaxies)``.

    Its mean over many galaxies is zero if ln L is that of the law which they are drawn from (Bartlett 1953), and so it
    tells of an error of ln L, or of the surveys, far smaller than the posteriors of a few hundred surveys do.
    """
    made = survey(truth, seed, n_galaxies=n_galaxies)
    found = []
    for name, value in truth.items():
        axes = {key: (each,) for key, each in truth.items()} | {name: (value * (1.0 - step), value * (1.0 + step))}
        found.append(marginal_of(made, axes)["loglike"].squeeze().diff(name).squeeze().values / (2.0 * step * value))
    return np.stack(found)


def recover(n_surveys: int, *, n_galaxies: int = 25, seed: int = 1, in_logs: bool = False) -> Recovered:
    """Draw truths, make their surveys, and collect what the posteriors say."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[np.ndarray, ...]] = []
    for number in range(n_surveys):
        truth = draw(rng)
        made = survey(truth, 1000 * seed + number, n_galaxies=n_galaxies, in_logs=in_logs)
        axes = {name: axis for name, axis in _AXES.items() if name in PRIORS}
        post = analysis.posterior(marginal_of(made, axes), prior=PRIORS).sel(axis=list(PRIORS))
        ends = (post[name].sel(level=list(LEVELS)).values for name in ("low", "high"))
        rows.append((np.array(list(truth.values())), post["mean"].values, *ends))
    return Recovered(*(np.stack(each) for each in zip(*rows, strict=True)))


def coverage_table(found: Recovered) -> list[str]:
    """Return a table in Markdown."""
    n = len(found.truth)
    lines = ["| axis | prior | within 68 % | within 95 % | bias / length of 68 % |", "| --- | --- | --- | --- | --- |"]
    for i, (name, prior) in enumerate(PRIORS.items()):
        shares = (f"{found.covered[i, j]:.1%} ± {np.sqrt(p * (1 - p) / n):.1%}" for j, p in enumerate(LEVELS))
        lines.append(
            f"| `{name}` | {prior} | {' | '.join(shares)} | {found.bias[i]:+.3f} ± {found.bias_error[i]:.3f} |"
        )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=200)
    parser.add_argument("--galaxies", type=int, default=25)
    parser.add_argument("--in-logs", action="store_true", help="intrinsic scatter Gaussian in log V, not in V")
    ASKED = parser.parse_args()
    FOUND = recover(ASKED.surveys, n_galaxies=ASKED.galaxies, in_logs=ASKED.in_logs)
    print("\n".join(coverage_table(FOUND)))
