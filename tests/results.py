"""A small result as a sweep writes it, and a small fit, made in memory."""

import numpy as np
import xarray as xr

__all__ = ["kept_result", "small_fit", "small_result"]

X = np.linspace(0.0, 0.6, 31)
A = np.linspace(0.5, 1.5, 41)
K = np.array([0.5, 1.0, 2.0])
BEST = {"xi_scale": 0.2, "A": 1.1, "k": 2.0}


def small_result(*, synthetic: int = 1) -> xr.Dataset:
    """A bowl with its bottom at `BEST` under `power`; `geometric` knows no k, `none` neither k nor xi_scale."""
    k, x, a = np.meshgrid(K, X, A, indexing="ij")
    bowl = 10 + 40 * (x - BEST["xi_scale"]) ** 2 + 20 * (a - BEST["A"]) ** 2
    rms = np.stack([bowl, bowl + (k - BEST["k"]) ** 2, 11 + 20 * (a - 1.0) ** 2])
    rms[0, :, 0, 0] = np.nan
    dims = ("window", "k", "xi_scale", "A")
    return xr.Dataset(
        {
            "rms_mean": (dims, rms, {"units": "km/s", "long_name": "RMS residual, mean over systems"}),
            "win_rate": (
                dims,
                1 / (1 + np.exp(rms - 11)),
                {"units": "", "long_name": "fraction of systems", "best": "largest"},
            ),
            "status": (dims, np.ones(rms.shape, dtype=np.uint8)),
        },
        coords={
            "window": ("window", np.array(["geometric", "power", "none"], dtype=object), {"units": ""}),
            "k": ("k", K, {"units": "", "symbol": "k", "long_name": "exponent"}),
            "xi_scale": ("xi_scale", X, {"units": "", "symbol": "x", "long_name": "ξ/R_d"}),
            "A": ("A", A, {"units": "", "symbol": "A", "long_name": "amplitude"}),
        },
        attrs={"title": "a small result", "synthetic": synthetic, "cube": "a cube of a test"},
    )


def small_fit(*, systems: int = 6) -> xr.Dataset:
    """Two models, the first with A and xi, the second with c, as a fit writes them; the last system has no values."""
    names, rng = ["A", "xi", "c"], np.random.default_rng(4)
    dims, shape = ("model", "galaxy"), (2, systems)
    fitted = np.array([[True, True, False], [False, False, True]])
    best = {name: np.where(fitted[:, [i]], rng.uniform(1.0, 3.0, shape), np.nan) for i, name in enumerate(names)}
    best["xi"] *= np.geomspace(1.0, 1000.0, systems)
    data = {}
    for name, values in best.items():
        values[:, -1] = np.nan
        data[name] = (dims, values, {"units": "kpc" if name == "xi" else "", "long_name": f"best {name}"})
        data[f"{name}_error"] = (dims, np.where(np.arange(systems) == 1, np.nan, 0.1 * values), {"long_name": "error"})
    sides = np.where(fitted[:, np.newaxis], 0, 3) * np.ones((1, systems, 1), dtype=int)
    sides[0, 2, 1], sides[1, 3, 2] = 1, 2
    flags = {"flag_values": [0, 1, 2, 3], "flag_meanings": "inside lower upper not_fitted"}
    data["at_bound"] = (("model", "galaxy", "parameter"), sides.astype(np.uint8), flags)
    data["chi2"] = (dims, rng.uniform(5.0, 20.0, shape), {"long_name": "χ²", "best": "smallest"})
    data["n_points"] = (dims, np.full(shape, 12), {"long_name": "number of points"})
    data["converged"] = (dims, np.ones(shape, dtype=bool), {})
    coords = {
        "model": np.array(["sigma", "nfw"], dtype=object),
        "galaxy": np.array([f"G{i}" for i in range(systems)], dtype=object),
        "parameter": np.array(names, dtype=object),
    }
    return xr.Dataset(data, coords, {"title": "a small fit", "synthetic": 1, "kind": "fit", "sample": "all"})


def kept_result(*, n_galaxies: int = 7, dtype: str = "float64", seed: int = 2) -> xr.Dataset:
    """A result that keeps the RMS and the bias of each of some galaxies, with gaps in neither; no reference."""
    rng = np.random.default_rng(seed)
    dims, lengths = ("window", "k", "A"), (2, 3, 4)
    shape = (n_galaxies, *lengths)
    rms = (10 + rng.normal(size=(n_galaxies, 1, 1, 1)) + rng.normal(size=shape)).astype(dtype)
    bias = rng.normal(size=shape).astype(dtype)
    # Under `geometric` k makes no difference.
    for each in (rms, bias):
        each[:, 0] = each[:, 0, :1]
    values, comment = (
        {"rms": (rms, "smallest"), "bias": (bias, "zero")},
        "computed for window=power; elsewhere repeated",
    )
    content = {}
    for name, (array, best) in values.items():
        attrs = {"units": "km/s", "best": best}
        content[name] = (("galaxy", *dims), array, attrs)
        content[f"{name}_mean"] = (dims, array.astype(float).mean(axis=0), attrs)
        content[f"{name}_median"] = (dims, np.median(array.astype(float), axis=0), attrs)
    content["scatter_g"] = (dims, rng.uniform(0.1, 0.2, lengths), {"units": "dex", "best": "smallest"})
    content["status"] = (dims, np.ones(lengths, dtype=np.uint8))
    coords = {
        "galaxy": [f"G{i}" for i in range(n_galaxies)],
        "window": np.array(["geometric", "power"], dtype=object),
        "k": ("k", [0.5, 1.0, 2.0], {"units": "", "comment": comment}),
        "A": ("A", [0.5, 1.0, 1.5, 2.0], {"units": ""}),
    }
    return xr.Dataset(content, coords, {"sample": "a sample"})
