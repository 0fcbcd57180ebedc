"""A cube for a dataset: one that is there, or one made from raw files that are there; never from the network."""

from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from sigcube.cube import open_cube
from sigcube.errors import RawFilesMissing
from sigcube.recipes import Recipe, cache_folder, ingest, load_recipe
from sigcube.recipes.fetching import fetch

__all__ = ["Cubes", "missing_files"]


@dataclass
class Cubes:
    """The cubes of datasets, by name.

    Attributes
    ----------
    folder : Path
        Where cubes are, and where those go that are made.
    data : Path or None
        A folder with raw files; what it lacks is looked for among earlier downloads.
    """

    folder: Path
    data: Path | None = None
    _open: dict[str, xr.Dataset] = field(default_factory=dict, repr=False)

    def path(self, name: str) -> Path:
        """Return where the cube of a dataset is."""
        return self.folder / f"{name}.zarr"

    def make(self, name: str) -> bool:
        """Make the cube of a dataset unless it is there; return whether it was made.

        Raises
        ------
        RawFilesMissing
            If raw files are not there: which, and where they come from.
        DataError
            If they are, and are not what they should be.
        """
        if self.path(name).exists():
            return False
        recipe = load_recipe(name)
        self._ingest(recipe)
        return True

    def _ingest(self, recipe: Recipe) -> None:
        out = self.path(recipe.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        if all(not file.url and (recipe.folder / file.name).is_file() for file in recipe.files.values()):
            fetch(recipe, progress=False)
            ingest(recipe, out=out, progress=False)
            return
        for folder in (self.data, cache_folder() / recipe.name):
            if folder is not None and folder.is_dir():
                try:
                    ingest(recipe, data=folder, out=out, progress=False)
                except RawFilesMissing:
                    continue
                return
        raise RawFilesMissing(
            f"needs {missing_files(recipe, self.data)}",
            where=str(self.data or cache_folder() / recipe.name),
            hint=_what_to_do(recipe),
        )

    def open(self, name: str) -> xr.Dataset:
        """Open the cube of a dataset, once a process; it is made if need be."""
        if name not in self._open:
            self.make(name)
            self._open[name] = open_cube(self.path(name))
        return self._open[name]


def missing_files(recipe: Recipe, data: Path | None) -> str:
    """Say which raw files of a recipe are nowhere, and where each comes from."""
    folders = [folder for folder in (data, cache_folder() / recipe.name, recipe.folder) if folder and folder.is_dir()]
    origins = {file.name: file.url or recipe.citation for file in recipe.files.values()}
    patterns = {file.name: (file.name, file.parts) for file in recipe.files.values()}
    gone = [
        name
        for name, wanted in patterns.items()
        if not any(pattern and any(folder.rglob(pattern)) for pattern in wanted for folder in folders)
    ]
    wanted = tuple(gone or origins)
    told = "; ".join(dict.fromkeys(origins[name] for name in wanted))
    return f"{' and '.join(wanted)} of {recipe.name} (from {told})"


def _what_to_do(recipe: Recipe) -> str:
    by_hand = any(not file.url for file in recipe.files.values())
    fetched = "get them by hand, and name" if by_hand else f"sigcube fetch {recipe.name}, or name"
    return f"{fetched} their folder with --data"
