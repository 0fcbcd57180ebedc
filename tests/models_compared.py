"""The numbers of docs/likelihoods.md that rest on real SPARC: ``python -m tests.models_compared CUBE``, some minutes.

Models compared by their evidence and by leaving galaxies out, with the errors of distance and inclination marginalised
and the mass-to-light ratio of each galaxy integrated over, or one for all; the radial acceleration relation over its
grid, and at the cut of Desmond 2023.
"""

import argparse

import numpy as np
import xarray as xr

import sigcube
from sigcube import analysis
from sigcube.plan.spec_file import read_spec_file

BOTH = {"distance": True, "inclination": True}
UPSILON = {"upsilon_disk": sigcube.lognormal(0.5, 0.1)}
_DISK = {"upsilon_disk": sigcube.geomspace(0.2, 1.25, 33)}
_SCATTER = sigcube.linspace(0.044, 0.068, 25)
MODELS = {
    "MOND": {
        "kernel": "mond",
        "axes": {"a0": sigcube.linspace(1.0e-10, 1.3e-10, 31), "intrinsic_scatter": _SCATTER},
    },
    "Σ-Gravity": {
        "kernel": "sigma",
        "fixed": {"scale_length": "catalogue"},
        "axes": {
            "A": sigcube.linspace(0.90, 1.08, 19),
            "xi_scale": sigcube.linspace(0.08, 0.20, 25),
            "intrinsic_scatter": _SCATTER,
        },
    },
    "Newton": {"kernel": "newton", "axes": {"intrinsic_scatter": sigcube.linspace(0.38, 0.48, 51)}},
}
# Where one mass-to-light ratio is for all, the scatter has more to carry.
_ALIKE = {
    "a0": sigcube.linspace(1.05e-10, 1.35e-10, 31),
    "A": sigcube.linspace(0.90, 1.08, 19),
    "xi_scale": sigcube.linspace(0.08, 0.20, 13),
    "intrinsic_scatter": sigcube.linspace(0.054, 0.070, 17),
    "upsilon_disk": sigcube.linspace(0.20, 1.20, 101),
}


def swept(cube: xr.Dataset, *, alike: bool = False, **model: object) -> xr.Dataset:
    """Sweep one model; the mass-to-light ratio is that of all galaxies, or of each by itself."""
    axes = {**dict(model.pop("axes")), **_DISK}  # type: ignore[call-overload]
    if alike:
        axes = {name: _ALIKE[name] for name in axes}
    result = sigcube.Sweep(
        cube,
        sample="paper171",
        where=sigcube.kernels["newton"].predict(cube, upsilon_disk=0.2).notnull(),
        axes=axes,
        metrics=["loglike"],
        errors=BOTH,
        keep=["galaxy"],
        dtype="float64",
        **model,
    ).compute()
    return result if alike else analysis.marginalise(result, UPSILON)


def print_posterior(name: str, post: xr.Dataset) -> None:
    """Print median and 68 % interval of each axis."""
    for axis in post["axis"].values:
        one = post.sel(axis=axis, level=0.68)
        median, low, high = (one[key].item() for key in ("median", "low", "high"))
        print(f"  {name}: {axis} = {median:.4g} +{high - median:.2g} −{median - low:.2g}")
    print(f"  {name}: ln Z = {post['log_evidence'].item():.1f}; {post.attrs['cautions']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cube")
    cube = sigcube.open_cube(parser.parse_args().cube)
    print("Models, a mass-to-light ratio for each galaxy")
    results = {name: swept(cube, **model) for name, model in MODELS.items()}
    for name, result in results.items():
        print_posterior(name, analysis.posterior(result))
    columns = ["elpd_loo", "se", "elpd_diff", "dse", "log_evidence", "p_loo"]
    found = analysis.compare(results)
    print(found[columns].to_dataframe().round(1))
    elpd = found["elpd"]
    better = int((elpd.sel(model="Σ-Gravity") > elpd.sel(model="MOND")).sum())
    print(f"  Σ-Gravity predicts {better} of {elpd.sizes['galaxy']} better than MOND")
    types = cube["hubble_type"].sel(galaxy=elpd["galaxy"])
    whole = {name: analysis.leave_one_out(results[name], groups=types)["elpd"] for name in ("MOND", "Σ-Gravity")}
    less = (whole["MOND"] - whole["Σ-Gravity"]).values
    print(
        f"  whole Hubble types left out: MOND ahead by {less.sum():.0f} ± {np.sqrt(less.size * less.var(ddof=1)):.0f}"
    )
    print("One mass-to-light ratio for all galaxies")
    for name in ("MOND", "Σ-Gravity"):
        print_posterior(name, analysis.posterior(swept(cube, alike=True, **MODELS[name]), prior=UPSILON))
    print("The radial acceleration relation over its grid")
    for errors in (BOTH, None):
        given = read_spec_file("likelihood_rar").model_dump() | {"cube": cube, "errors": errors}
        best = analysis.best(sigcube.Sweep(**given).compute())
        print(f"  errors {errors}:", {name: f"{best[name].item():.5g}" for name in (*given["axes"], "loglike_sum")})
    for name in ("likelihood_rar_cut", "likelihood_rar_mnr"):
        print(name)
        result = sigcube.Sweep(**read_spec_file(name).model_dump() | {"cube": cube}).compute()
        own = UPSILON | {"upsilon_bulge": sigcube.lognormal(0.7, 0.1)}
        print_posterior(name, analysis.posterior(analysis.marginalise(result, own)))


if __name__ == "__main__":
    main()
