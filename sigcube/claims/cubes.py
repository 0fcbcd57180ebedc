"""The cubes of datasets: opened if they exist, else made from raw files on this machine; nothing is downloaded."""

from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from sigcube.cube import open_cube
from sigcube.errors import RawFilesMissing
from sigcube.recipes import Recipe, cache_folder, ingest, load_recipe
from sigcube.recipes.fetching import fetch
from sigcube.recipes.ingesting import raw_folder

__all__ = ["Cubes", "missing_files"]


@dataclass
class Cubes:
    """The cubes of datasets, by name.

    Raises
    ------
    DataError
        If the folder of raw files is none.
    SpecError
        If it can be no path.
    """

    #: The folder of the cubes, old and new.
    folder: Path
    #: A folder with raw files; missing ones are looked for among earlier downloads.
    data: Path | None = None
    _open: dict[str, xr.Dataset] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # A misspelt folder would look like one without the files.
        if self.data is not None:
            raw_folder(self.data)

    def open(self, name: str) -> xr.Dataset:
        """Open the cube of a dataset, once per process; make it if it is missing."""
        if name not in self._open:
            self.make(name)
            self._open[name] = open_cube(self._path(name))
        return self._open[name]

    def make(self, name: str) -> bool:
        """Make the cube of a dataset unless it exists; return whether it was made.

        Raises
        ------
        RawFilesMissing
            If raw files are missing: which, and where they come from.
        DataError
            If they are not what they should be.
        """
        out = self._path(name)
        if out.exists():
            return False
        recipe = load_recipe(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        if all(not file.url and (recipe.folder / file.name).is_file() for file in recipe.files.values()):
            # Small tables are stored with their recipe, and are fetched from there.
            fetch(recipe, progress=False)
            ingest(recipe, out=out, progress=False)
            return True
        for folder in (self.data, cache_folder() / name):
            if folder is not None and folder.is_dir():
                try:
                    ingest(recipe, data=folder, out=out, progress=False)
                except RawFilesMissing:
                    continue
                return True
        by_hand = any(not file.url for file in recipe.files.values())
        first = "get them by hand, and name" if by_hand else f"sigcube fetch {name}, or name"
        raise RawFilesMissing(
            f"needs {missing_files(recipe, self.data)}",
            where=str(self.data or cache_folder() / name),
            hint=f"{first} their folder with --data",
        )

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.zarr"


def missing_files(recipe: Recipe, data: Path | None) -> str:
    """Describe which raw files of a recipe are missing, and where each comes from."""
    folders = [folder for folder in (data, cache_folder() / recipe.name, recipe.folder) if folder and folder.is_dir()]
    # A file that is read in several ways is named once.
    files = {file.name: file for file in recipe.files.values()}
    missing = [
        name
        for name, file in files.items()
        if not any(pattern and any(folder.rglob(pattern)) for pattern in (name, file.parts) for folder in folders)
    ]
    named = missing or list(files)
    sources = "; ".join(dict.fromkeys(recipe.source_of(files[name]) for name in named))
    return f"{' and '.join(named)} of {recipe.name} (from {sources})"
