"""`sigma` (geometric) as one writes it in Python without sigcube. Parameters are (g_dagger, xi, A)."""

import dask
import numba
import numpy as np
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import select
from tests.benchmarks.work import Job

__all__ = ["dask_broadcasting", "loop_over_galaxies", "numba_nested", "numba_parameters_outside", "packed_numpy"]

_KPC = PAPER.kpc


def combinations(job: Job) -> np.ndarray:
    """Every parameter set, shape (3, n)."""
    columns = list(job.axes.values())
    return np.stack(columns if job.flat else [m.ravel() for m in np.meshgrid(*columns, indexing="ij")])


def loop_over_galaxies(job: Job, parameters: np.ndarray) -> np.ndarray:
    """One parameter set at a time, one galaxy at a time, as the papers' scripts do."""
    r, v, vb = job.points.values()
    galaxies = [(r[a:b], v[a:b], vb[a:b]) for a, b in zip(job.packed.offsets, job.packed.offsets[1:], strict=False)]
    out = np.empty((len(galaxies), parameters.shape[1]))
    for n, (g_dagger, x, amplitude) in enumerate(parameters.T):
        for s, ((r, v, vb), scale) in enumerate(zip(galaxies, job.scale, strict=True)):
            g = vb * 1e6 / (r * _KPC)
            h = np.sqrt(g_dagger / g) * (g_dagger / (g_dagger + g))
            w = r / (max(x * scale, 0.01) + r)
            out[s, n] = np.sum((np.sqrt(vb * (1 + amplitude * (w * h))) - v) ** 2)
    return out


def packed_numpy(job: Job, parameters: np.ndarray, chunk: int = 500) -> np.ndarray:
    """All points at once, a chunk of parameter sets at a time."""
    r, v, vb = job.points.values()
    scale = np.repeat(job.scale, np.diff(job.packed.offsets))
    g = vb * 1e6 / (r * _KPC)
    out = np.empty((job.packed.n_systems, parameters.shape[1]))
    for first in range(0, parameters.shape[1], chunk):
        g_dagger, x, amplitude = parameters[:, first : first + chunk, None]
        h = np.sqrt(g_dagger / g) * (g_dagger / (g_dagger + g))
        w = r / (np.maximum(x * scale, 0.01) + r)
        squares = (np.sqrt(vb * (1 + amplitude * (w * h))) - v) ** 2
        out[:, first : first + chunk] = np.add.reduceat(squares, job.packed.offsets[:-1], axis=1).T
    return out


def dask_broadcasting(job: Job) -> np.ndarray:
    """Broadcast labelled, padded arrays with Dask threads on all cores, in chunks of 25 values."""
    cube = select(job.cube, sample="paper171")
    vb = cube.v_gas * abs(cube.v_gas) + 0.5 * cube.v_disk**2 + 0.7 * cube.v_bul**2
    g_dagger, x, amplitude = (xr.DataArray(v, dims=name).chunk({name: 25}) for name, v in job.axes.items())
    g = vb * 1e6 / (cube.r * _KPC)
    h = np.sqrt(g_dagger / g) * (g_dagger / (g_dagger + g))
    w = cube.r / (np.maximum(x * cube.scale_length_third_point, 0.01) + cube.r)
    squares = (np.sqrt(vb * (1 + amplitude * (w * h))) - cube.v_obs) ** 2
    with dask.config.set(scheduler="threads"):
        return squares.sum("radius").transpose("galaxy", *job.axes).compute().values.reshape(job.packed.n_systems, -1)


@numba.njit(error_model="numpy", nogil=True)
def _one_set(offsets, r, v, vb, scale, g_dagger, x, amplitude, out, n):
    for s in range(scale.size):
        xi = max(x * scale[s], 0.01)
        total = 0.0
        for p in range(offsets[s], offsets[s + 1]):
            g = vb[p] * 1e6 / (r[p] * _KPC)
            h = np.sqrt(g_dagger / g) * (g_dagger / (g_dagger + g))
            d = np.sqrt(vb[p] * (1.0 + amplitude * (r[p] / (xi + r[p]) * h))) - v[p]
            total += d * d
        out[s, n] = total


@numba.njit(error_model="numpy", nogil=True)
def _every_set(offsets, r, v, vb, scale, parameters, out):
    for n in range(parameters.shape[1]):
        _one_set(offsets, r, v, vb, scale, parameters[0, n], parameters[1, n], parameters[2, n], out, n)


def numba_parameters_outside(job: Job, parameters: np.ndarray) -> np.ndarray:
    """The loop that one writes first."""
    out = np.empty((job.packed.n_systems, parameters.shape[1]))
    _every_set(job.packed.offsets, *job.points.values(), job.scale, parameters, out)
    return out


@numba.njit(error_model="numpy", nogil=True)
def _nest(offsets, r, v, vb, scale, gs, xs, amplitudes, out):
    h, w = np.empty(gs.size), np.empty(xs.size)
    for s in range(scale.size):
        for p in range(offsets[s], offsets[s + 1]):
            g = vb[p] * 1e6 / (r[p] * _KPC)
            vb_, v_ = vb[p], v[p]
            for i in range(gs.size):
                h[i] = np.sqrt(gs[i] / g) * (gs[i] / (gs[i] + g))
            for j in range(xs.size):
                w[j] = r[p] / (max(xs[j] * scale[s], 0.01) + r[p])
            for i in range(gs.size):
                for j in range(xs.size):
                    row = out[s, i, j]
                    wh = w[j] * h[i]
                    for k in range(amplitudes.size):
                        d = np.sqrt(vb_ * (1.0 + amplitudes[k] * wh)) - v_
                        row[k] += d * d


def numba_nested(job: Job) -> np.ndarray:
    """Points outside, with tables for what depends on fewer parameters: the nest of this one model, by hand."""
    out = np.zeros((job.packed.n_systems, *(v.size for v in job.axes.values())))
    _nest(job.packed.offsets, *job.points.values(), job.scale, *job.axes.values(), out)
    return out
