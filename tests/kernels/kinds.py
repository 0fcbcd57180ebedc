"""Small synthetic cubes of the kinds that are no rotation curves, made by hand."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import KINDS, Kind, validate

__all__ = ["clusters", "landmarks", "stars"]


def stars(n: int = 50, seed: int = 7) -> xr.Dataset:
    """Return stars between 4 and 16 kpc."""
    rng = np.random.default_rng(seed)
    return _cube(
        "star",
        source_id=np.arange(n) + 2**60,
        r=rng.uniform(4.0, 16.0, n),
        phi=rng.uniform(-20.0, 20.0, n),
        height=rng.normal(0.0, 0.3, n),
        v_r=rng.normal(0.0, 35.0, n),
        v_phi=rng.normal(220.0, 25.0, n),
        v_z=rng.normal(0.0, 20.0, n),
        sigma_r=rng.uniform(20.0, 45.0, n),
        e_v_phi=rng.uniform(0.05, 3.0, n),
        point_flag=(np.arange(n) % 7 == 3).astype(np.uint8) * 4,
    )


def clusters(counts: tuple[int, ...] = (4, 1, 3), seed: int = 7) -> xr.Dataset:
    """Return clusters with some radii each."""
    rng = np.random.default_rng(seed)
    real = np.arange(max(counts)) < np.array(counts)[:, np.newaxis]
    r = np.where(real, np.cumsum(rng.uniform(20.0, 150.0, real.shape), axis=1), np.nan)
    m_bar = 1e11 * r * rng.uniform(0.5, 1.5, real.shape)
    m_obs = m_bar * rng.uniform(4.0, 12.0, real.shape)
    field = 6.674e-11 * 1.989e30 / (r * 3.086e19) ** 2
    return _cube(
        "cluster",
        r=r,
        m_bar=m_bar,
        m_obs=m_obs,
        g_bar=m_bar * field,
        g_obs=m_obs * field,
        e_m_obs=0.1 * m_obs,
        e_g_obs=0.1 * m_obs * field,
        point_flag=np.where(real, 0, 1).astype(np.uint8),
        system_flag=np.zeros(len(counts), np.uint8),
        n_points=np.array(counts),
    )


def landmarks() -> xr.Dataset:
    """Return a dwarf, a cluster, a wide pair in the Galaxy's field, and a galaxy at redshift 2."""
    n = 4
    return _cube(
        "landmark",
        r=np.array([0.71, 200.0, 4.8e-5, 8.0]),
        g_bar=np.array([5.5e-12, 3.1e-11, 9e-11, 2e-10]),
        g_ext=np.array([0.0, 0.0, 2.2e-10, 0.0]),
        z=np.array([0.0, 0.3, 0.0, 2.0]),
        D=np.array([0.0, 1.0, 0.0, 0.0]),
        L=np.array([1.5, 600.0, 1.5, 1.5]),
        newton=np.array([7.0, 1.1e13, 1.0, 180.0]),
        power=np.array([0.5, 1.0, 1.0, 0.5]),
        observed=np.array([10.7, 1.5e14, 1.3, 200.0]),
        e_observed=np.array([0.5, 2e13, 0.1, 8.0]),
        unit=np.array(["km/s", "solMass", "", "km/s"], dtype=object),
        quantity=np.array(["dispersion", "mass", "boost", "velocity"], dtype=object),
        group=np.array(["a", "b", "c", "d"], dtype=object),
        reference=np.array(["synthetic"] * n, dtype=object),
        system_flag=np.zeros(n, np.uint8),
    )


def _cube(name: str, **values: Any) -> xr.Dataset:
    kind = KINDS[name]
    content = {key: _variable(kind, key, value) for key, value in values.items()}
    attrs = {
        "kind": name,
        "title": f"synthetic {name}s for tests",
        **dict.fromkeys(("citation", "licence", "recipe", "sigcube_version"), "none"),
        "raw_files": "[]",
        "samples": json.dumps(_samples(kind)),
        "synthetic": 1,
    }
    ds = xr.Dataset(content, attrs=attrs)
    if kind.system_dim is not None:
        labels = np.array([f"{name} {i}" for i in range(ds.sizes[kind.system_dim])], dtype=object)
        ds = ds.assign_coords({kind.system_dim: labels})
    validate(ds)
    return ds


def _variable(kind: Kind, name: str, value: Any) -> xr.Variable:
    variable = kind.variable(name)
    dtype = object if variable.dtype == "string" else variable.dtype
    return xr.Variable(variable.dims, np.asarray(value, dtype=dtype), variable.attrs(source="synthetic"))


def _samples(kind: Kind) -> Mapping[str, Any]:
    return {"good": {"description": "some", "point_flags_excluded": ["high_ruwe"]}} if kind.name == "star" else {}
