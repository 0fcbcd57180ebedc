"""Every kernel as a C loop nest of the same formula: under which labels, over which grids, and how it is built."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from sigcube.kernels import KERNELS
from tests.benchmarks.harness import build, c_arguments
from tests.benchmarks.work import SAMPLE, Job

__all__ = ["READINGS", "KernelCase", "c_sums"]

FAST = ("-O3", "-march=native", "-ffast-math")

Span = tuple[float, float]


@dataclass(frozen=True)
class KernelCase:
    """A kernel under some labels, and the axes of a grid: smallest and largest value, the innermost last.

    Attributes
    ----------
    labels : Mapping
        Labels other than the defaults; the C is built with ``<choice>_<label>`` defined for each.
    lengths : tuple of int
        Number of values of each axis.
    """

    kernel: str
    labels: Mapping[str, str]
    spans: Mapping[str, Span]
    lengths: tuple[int, ...] = (8, 8, 64)

    def __str__(self) -> str:
        return " ".join([self.kernel, *self.labels.values()])

    def job(self, cube: xr.Dataset, lengths: Sequence[int] = (), *, sample: str = SAMPLE) -> Job:
        """Return the work on a sample of a cube, over the case's grid or a smaller one."""
        spans = zip(self.spans.items(), lengths or self.lengths, strict=False)
        axes = {name: np.linspace(*span, n) for (name, span), n in spans}
        return Job(cube, KERNELS[self.kernel], axes, settings=self.labels, sample=sample)


_AMPLITUDE = {"A": (0.2, 3.0)}
_FIELD = {"g_dagger": (5e-11, 2e-10)}
# V_bar² is positive at every point of the sample from this ratio on.
_DISK = {"upsilon_disk": (0.5, 1.0)}

#: Every kernel, over the parameters of its costly terms; sigma with each window, MOND with each ν.
READINGS = (
    KernelCase("newton", {}, {**_DISK, "upsilon_bulge": (0.7, 1.2)}, (32, 128)),
    *(
        KernelCase("mond", {"nu": nu}, {**_DISK, "a0": (5e-11, 3e-10)}, (32, 128))
        for nu in ("rar", "simple", "standard")
    ),
    KernelCase("nfw", {}, {"c": (2.0, 30.0), "log_m200": (9.0, 13.0)}, (32, 128)),
    KernelCase("burr", {}, {"l_0": (1.0, 20.0), "p": (0.3, 2.0), "n": (0.1, 3.0)}),
    KernelCase("sigma", {"window": "none"}, {**_FIELD, **_AMPLITUDE}, (32, 128)),
    KernelCase("sigma", {"window": "geometric"}, {**_FIELD, "xi_scale": (0.05, 0.9), **_AMPLITUDE}),
    KernelCase("sigma", {"window": "free_scale"}, {**_FIELD, "xi": (0.1, 5.0), **_AMPLITUDE}),
    KernelCase("sigma", {"window": "power"}, {"xi_scale": (0.05, 0.9), **_AMPLITUDE, "k": (0.2, 3.0)}),
    KernelCase("sigma", {"window": "dynamical"}, {"k_xi": (0.05, 0.9), **_FIELD, **_AMPLITUDE}),
    KernelCase("sigma", {"window": "dynamical_power"}, {"k_xi": (0.05, 0.9), **_AMPLITUDE, "k": (0.2, 3.0)}),
    KernelCase("sigma", {"window": "covariant"}, {"scale_height": (0.05, 1.0), **_FIELD, **_AMPLITUDE}),
    KernelCase("sigma", {"window": "local"}, {"sigma_v": (5.0, 50.0), **_FIELD, **_AMPLITUDE}),
    KernelCase(
        "sigma", {"window": "dispersion"}, {"sigma_over_vc": (0.05, 1.0), "xi_scale": (0.05, 0.9), **_AMPLITUDE}
    ),
    KernelCase("survival", {}, {"r_0": (1.0, 20.0), "beta": (0.2, 2.0), "alpha": (0.05, 2.0)}),
    KernelCase("roughness", {}, {"beta": (0.5, 2.0), "gamma": (0.05, 1.0), "K_0": (0.1, 2.0)}),
    KernelCase("mass_coherence", {}, {"psi_0": (1e-8, 1e-6), "delta": (0.05, 1.0), "K_max": (1.0, 30.0)}),
    KernelCase("velocity_coherence", {}, {"v_ref": (80.0, 200.0), "delta": (0.5, 3.0), "K_max": (1.0, 30.0)}),
    KernelCase("functional", {}, {"a_sigma": (0.0, 1.0), "a_r": (0.0, 1.0), "F_0": (1.0, 20.0)}),
    KernelCase("unified", {"combination": "sum"}, {"psi_0": (1e-8, 1e-6), "K_0": (0.1, 2.0), "K_max": (1.0, 30.0)}),
    KernelCase("unified", {"combination": "product"}, {"K_0": (0.1, 2.0), "l_0": (1.0, 20.0), "n": (0.1, 3.0)}),
    KernelCase("pairing", {}, {"gamma": (0.5, 4.0), "l_pair": (1.0, 20.0), "p": (0.3, 2.0)}),
    KernelCase(
        "resonance", {}, {"alpha": (0.5, 3.0), "lambda_cut": (100.0, 5000.0), "sigma_v": (5.0, 150.0)}, (2, 4, 64)
    ),
    *(
        KernelCase("cmsi", labels, {"l_0": (1.0, 20.0), "n": (1.0, 4.0), "alpha": (0.1, 1.0)})
        for labels in ({}, {"velocity": "self_consistent"}, {"form": "with_roughness"})
    ),
)


def c_sums(case: KernelCase, job: Job, folder: Path, flags: Sequence[str] = FAST) -> Callable[[], np.ndarray]:
    """Build the C of a case; return a call that returns the sums of squared residuals, in the shape of sigcube's."""
    name = str(case).replace(" ", "-")
    prototype = folder / f"{name}.h"
    prototype.write_text(f"#define ARGUMENTS {', '.join(_prototype(job))}\n", encoding="ascii")
    labels = {f"{choice}_{label}": None for choice, label in case.labels.items()}
    library = build(f"kernels/{case.kernel}.c", [*flags, "-include", str(prototype)], labels, folder)
    out = np.empty((job.packed.n_systems, *(values.size for values in job.axes.values())))
    arguments = c_arguments(*_values(job), out[0].size, out)

    def call() -> np.ndarray:
        library.functions["sums"](*arguments)
        return out

    return call


def _prototype(job: Job) -> Iterator[str]:
    """Yield the arguments of a loop in C, by the names of the terms."""
    graph = job.reading.graph
    yield from ("long n_systems", "const long *restrict off")
    yield from (f"in {name}" for name in (*graph.points, *graph.systems))
    yield from (f"double {name}" for name, _ in job.reading.fixed)
    yield from (f"long n_{name}, in {name}" for name in job.axes)
    yield from ("long size", "double *restrict out")


def _values(job: Job) -> Iterator[object]:
    yield from (job.packed.n_systems, job.packed.offsets)
    yield from (job.packed.points[name] for name in job.reading.graph.points)
    yield from (job.packed.per_system[name] for name in job.reading.graph.systems)
    yield from (float(value) for _, value in job.reading.fixed)
    for values in job.axes.values():
        yield from (values.size, values)
