"""A result that the explorer shows, and half of one."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

import sigcube
from sigcube.cube import save_cube
from sigcube.driver import run_blocks_here
from sigcube.driver.block_task import run_block
from sigcube.readers.mock import mock_survey
from sigcube.store import Written, open_or_create

AXES = {
    "window": ["geometric", "power"],
    "k": [0.5, 1.0, 2.0],
    "xi_scale": list(sigcube.linspace(0.05, 0.5, 6)),
    "A": list(sigcube.geomspace(0.5, 2.0, 7)),
}


def first_block_alone(path: str, index: int, payload: bytes) -> Callable[[], Written]:
    """Compute the first block of a store, and end the run before the second."""
    if index > 0:
        raise KeyboardInterrupt
    return run_block(path, index, b"")


@pytest.fixture(scope="package")
def survey() -> xr.Dataset:
    """A synthetic survey of a dozen galaxies."""
    return mock_survey(n_galaxies=12, seed=3)


@pytest.fixture(scope="package")
def explored_sweep(survey: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> sigcube.Sweep:
    """Two windows over three axes, one of which the first window does not use."""
    cube = save_cube(survey, tmp_path_factory.mktemp("explored") / "cubes" / "survey.zarr")
    return sigcube.Sweep(
        cube,
        sample="unflagged",
        kernel="sigma",
        axes=AXES,
        metrics=["rms", "scatter_g"],
        reference="mond",
        keep=["galaxy"],
        dtype="float64",
        title="explored",
    )


@pytest.fixture(scope="package")
def explored(explored_sweep: sigcube.Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of its result, in a folder beside the cube's."""
    cubes = next(tmp_path_factory.getbasetemp().glob("explored*/cubes"))
    store = cubes / "results" / "explored.zarr"
    explored_sweep.run(store, workers=0)
    return store


@pytest.fixture
def half(explored_sweep: sigcube.Sweep, tmp_path: Path) -> Path:
    """A store of the same sweep of which one block is done."""
    path, plan = tmp_path / "half.zarr", explored_sweep.plan(probe=False)
    with (
        contextlib.suppress(KeyboardInterrupt),
        open_or_create(path, plan=plan, inputs=explored_sweep.packed) as store,
    ):
        run_blocks_here(store, plan, task=first_block_alone)
    return path
