"""Gravity models over labelled cubes of galaxies, stars and clusters: millions of grid points, Zarr in, Zarr out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigcube import analysis, claims, cube, field, kernels, recipes
    from sigcube.analysis.priors import log_uniform, lognormal, normal, uniform
    from sigcube.cube import open_cube
    from sigcube.errors import SigcubeError
    from sigcube.explore import figures
    from sigcube.explore.explorer import Explorer
    from sigcube.fits import Fit
    from sigcube.model.error_model import Errors
    from sigcube.model.kernel import Kernel
    from sigcube.model.metrics import Metric
    from sigcube.model.record import Parameter
    from sigcube.plan.grid import geomspace, linspace
    from sigcube.store.joint import open_joint
    from sigcube.store.result import open_result
    from sigcube.sweep import JointSweep, Sweep
    from sigcube.verification import verify

__all__ = [
    "Errors",
    "Explorer",
    "Fit",
    "JointSweep",
    "Kernel",
    "Metric",
    "Parameter",
    "SigcubeError",
    "Sweep",
    "__version__",
    "analysis",
    "claims",
    "cube",
    "field",
    "figures",
    "geomspace",
    "kernels",
    "linspace",
    "log_uniform",
    "lognormal",
    "normal",
    "open_cube",
    "open_joint",
    "open_result",
    "recipes",
    "uniform",
    "verify",
]

__version__ = "0.1.0"

_MODULES = {
    **{name: f"sigcube.{name}" for name in ("analysis", "claims", "cube", "field", "kernels", "recipes")},
    "figures": "sigcube.explore.figures",
}
_HOMES = {
    "Errors": "sigcube.model.error_model",
    "Explorer": "sigcube.explore.explorer",
    "Fit": "sigcube.fits",
    "JointSweep": "sigcube.sweep",
    "Kernel": "sigcube.model.kernel",
    "Metric": "sigcube.model.metrics",
    "Parameter": "sigcube.model.record",
    "SigcubeError": "sigcube.errors",
    "Sweep": "sigcube.sweep",
    "geomspace": "sigcube.plan.grid",
    "linspace": "sigcube.plan.grid",
    "log_uniform": "sigcube.analysis.priors",
    "lognormal": "sigcube.analysis.priors",
    "normal": "sigcube.analysis.priors",
    "open_cube": "sigcube.cube",
    "open_joint": "sigcube.store.joint",
    "open_result": "sigcube.store.result",
    "uniform": "sigcube.analysis.priors",
    "verify": "sigcube.verification",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: a command that prints a table should not wait for astropy, numba and a plotting stack.
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'sigcube' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
