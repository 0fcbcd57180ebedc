"""A small result as a sweep writes it, made in memory."""

import numpy as np
import xarray as xr

__all__ = ["small_result"]

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
