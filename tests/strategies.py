"""Hypothesis strategies: small galaxy cubes of every shape."""

import json
import os

import numpy as np
import xarray as xr
from hypothesis import strategies as st

from sigcube.cube import KINDS
from sigcube.readers.assembly import pad
from sigcube.readers.galaxy import GalaxyCuts, derive

__all__ = ["BROKEN_FILES", "described", "galaxy_cubes"]

#: How many broken files a run feeds to each reader, drawn anew in every run; `make fuzz` feeds more.
BROKEN_FILES = int(os.environ.get("SIGCUBE_FUZZ", "120"))

_SAMPLES = {
    "clean": {
        "description": "points and galaxies without a flag",
        "point_flags_excluded": ["nonpositive_radius", "nonpositive_v_obs", "negative_vbar"],
        "system_flags_excluded": ["too_few_rows", "too_few_points"],
    }
}

_velocities = st.floats(-300, 300, allow_subnormal=False)
_names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12)


def described(ds: xr.Dataset) -> xr.Dataset:
    """Add the attributes that every cube needs."""
    return ds.assign_attrs(
        title="synthetic cube of a test",
        kind="galaxy",
        citation="none",
        licence="CC0-1.0",
        recipe="",
        raw_files="[]",
        samples=json.dumps(_SAMPLES),
        synthetic=1,
        sigcube_version="0",
    )


@st.composite
def galaxy_cubes(draw: st.DrawFn) -> xr.Dataset:
    """Valid galaxy cubes of one to five systems with one to nine points, flags of every kind among them."""
    names = draw(st.lists(_names, min_size=1, max_size=5, unique=True))
    counts = draw(st.lists(st.integers(1, 9), min_size=len(names), max_size=len(names)))
    n = sum(counts)
    steps = draw(st.lists(st.floats(0.01, 5), min_size=n, max_size=n))
    starts = draw(st.lists(st.floats(-0.5, 3), min_size=len(names), max_size=len(names)))
    edges = np.split(np.array(steps), np.cumsum(counts)[:-1])
    columns = {
        name: np.array(draw(st.lists(_velocities, min_size=n, max_size=n)))
        for name in ("v_obs", "v_gas", "v_disk", "v_bul")
    }
    points = {
        "r": np.concatenate([start + np.cumsum(edge) for start, edge in zip(starts, edges, strict=True)]),
        "e_v_obs": np.array(steps),
        **columns,
    }
    systems = {"r_disk": np.full(len(names), 2.0)}
    sources = dict.fromkeys([*points, *systems], "a test")
    ds = pad(KINDS["galaxy"], names, counts, points=points, systems=systems, sources=sources)
    return described(derive(ds, cuts=GalaxyCuts()))
