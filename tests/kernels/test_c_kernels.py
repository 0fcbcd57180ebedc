"""The C counterparts of the benchmarks compute what the kernels compute: otherwise their race would mean nothing."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.kernels import KERNELS
from sigcube.readers.mock import mock_survey
from tests.benchmarks import c_kernels
from tests.benchmarks.bench_kernels import AGREE
from tests.benchmarks.c_kernels import READINGS, KernelCase, c_sums
from tests.benchmarks.harness import compiler

pytestmark = pytest.mark.skipif(not compiler(), reason="needs gcc and objdump")


@pytest.mark.slow
@pytest.mark.parametrize("case", READINGS, ids=str)
def test_the_c_of_a_kernel_computes_the_same(case: KernelCase, tmp_path: Path) -> None:
    """By ufuncs, which other tests compile as well, while the engine's loop of each case is compared in the race."""
    cube = mock_survey(n_galaxies=6, seed=6, points=(5, 9))
    job = case.job(cube, lengths=(2, 3, 5)[-len(case.lengths) :], sample="all")
    swept = {name: xr.DataArray(values, dims=name) for name, values in job.axes.items()}
    residual = job.kernel.predict(cube, **case.labels, **swept) - cube.v_obs
    sums = (residual**2).sum("radius").transpose("galaxy", *job.axes)
    np.testing.assert_allclose(c_sums(case, job, tmp_path)(), sums, rtol=AGREE)


def test_every_counterpart_is_of_a_kernel() -> None:
    sources = {path.stem for path in (Path(c_kernels.__file__).parent / "c" / "kernels").glob("*.c")}
    assert {case.kernel for case in READINGS} == sources
    assert sources <= set(KERNELS)


@pytest.mark.parametrize(("kernel", "choice"), [("sigma", "window"), ("mond", "nu")])
def test_every_window_and_every_interpolation_has_one(kernel: str, choice: str) -> None:
    labels = next(found.options for found in KERNELS[kernel].choices if found.name == choice)
    assert {case.labels[choice] for case in READINGS if case.kernel == kernel} == set(labels)


def test_the_c_leaves_subnormal_numbers_alone(tmp_path: Path) -> None:
    """By gcc's -ffast-math they would be zero from then on, in whatever else this process does."""
    cube = mock_survey(n_galaxies=2, seed=6, points=(5, 9))
    case = READINGS[0]
    c_sums(case, case.job(cube, lengths=(2, 2), sample="all"), tmp_path)()
    assert np.float64(5e-324) * np.float64(1.0) > 0.0
