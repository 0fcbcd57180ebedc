"""What a case is, and the room in which it is tried."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube import Sweep
from sigcube.cube import save_cube
from sigcube.cube.storage import consolidate
from sigcube.readers.mock import mock_survey
from sigcube.store import open_or_create

__all__ = ["FIT", "SPEC", "Case", "Room", "make_stores", "survey", "sweep"]

SPEC = """cube = "CUBE"
sample = "unflagged"
kernel = "sigma"
metrics = ["rms", "scatter_g"]
keep = ["galaxy"]
n_fitted = 1

[fixed]
scale_length = "disk_peak"

[reference]
kernel = "mond"

[axes]
window = ["geometric", "none"]
xi_scale = { linspace = [0.05, 0.5, 4] }
A = { linspace = [0.5, 1.5, 5] }
"""
FIT = """cube = "CUBE"
sample = "unflagged"

[[model]]
kernel = "sigma"

[model.fixed]
window = "free_scale"

[model.free]
A = { linspace = [0.01, 5.0, 11] }
xi = { geomspace = [0.1, 50.0, 11] }
"""


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes
    ----------
    reason : str
        What is wrong with it: the name of the test.
    said : str
        Words that the error has to hold.
    act : callable
        Gives it to sigcube, in a room.
    """

    reason: str
    said: str
    act: Callable[["Room"], object]


@dataclass
class Room:
    """An empty folder, and stores that lie beside it.

    Attributes
    ----------
    folder : Path
        The folder; what a case puts there itself is in `made`.
    stores : Path
        Has ``cube.zarr``, ``result.zarr`` (nothing of which is computed) and ``fit.zarr``; they stay as they are.
    """

    folder: Path
    stores: Path
    made: set[Path] = field(default_factory=set)

    @property
    def cube(self) -> Path:
        return self.stores / "cube.zarr"

    def path(self, name: str) -> Path:
        """Name something that the case puts into the folder."""
        self.made.add(self.folder / name)
        return self.folder / name

    def write(self, content: str | bytes, name: str = "input.toml") -> Path:
        """Write a file."""
        path = self.path(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    def make(self, name: str) -> Path:
        """Make a folder."""
        self.path(name).mkdir()
        return self.folder / name

    def spec(self, text: str | bytes) -> Path:
        """Write a spec, whose cube is that of the room."""
        return self.write(text if isinstance(text, bytes) else text.replace('"CUBE"', f'"{self.cube}"'))

    def copy(self, name: str) -> Path:
        """Copy a store, to be damaged."""
        return Path(shutil.copytree(self.stores / name, self.path(name)))

    def left(self) -> list[Path]:
        """What is in the folder, and was not put there by the case: half of what was refused."""
        return sorted({*self.folder.iterdir()} - self.made)


@cache
def survey() -> xr.Dataset:
    """A cube of four synthetic galaxies."""
    return mock_survey(n_galaxies=4, seed=1)


def sweep(**given: Any) -> Sweep:
    """A sweep that is right but for what is given."""
    return Sweep(survey(), **{"kernel": "sigma", "sample": "unflagged", "axes": {"A": [1.0, 2.0]}, **given})


def make_stores(folder: Path) -> Path:
    """Make one store of each sort."""
    save_cube(survey(), folder / "cube.zarr")
    made = sweep(keep=["galaxy"])
    open_or_create(folder / "result.zarr", plan=made.plan(probe=False), inputs=made.packed).close()
    fit = xr.Dataset({"A": ("galaxy", np.ones(4))}, attrs={"kind": "fit", "spec": "{}", "identity": "{}"})
    fit.to_zarr(folder / "fit.zarr", zarr_format=3, consolidated=False)
    consolidate(folder / "fit.zarr")
    return folder
