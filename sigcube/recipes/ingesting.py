"""Recipe, checked files, reader, cube."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from sigcube import __version__
from sigcube.cube import save_cube
from sigcube.errors import DataError, Fault, RawFilesMissing, error_from
from sigcube.readers import READERS, Table
from sigcube.recipes.fetching import fetch
from sigcube.recipes.model import RawFile, Recipe

__all__ = ["ingest"]


def ingest(
    recipe: Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Make the cube of a dataset.

    Parameters
    ----------
    recipe : Recipe
        The dataset.
    data : path-like, optional
        A folder, searched with all below it, that holds the raw files; they are fetched if it is not given.
    out : path-like, optional
        Where to save the cube, ``cubes/<name>.zarr`` if not given.
    overwrite : bool
        Whether a cube that is already there may be replaced.
    progress : bool
        Whether downloads tell how far they are.

    Returns
    -------
    Path
        The cube.

    Raises
    ------
    DataError
        If a file is missing, has the wrong checksum or cannot be read, or the cube cannot be saved. Nothing
        half-written remains.
    FetchError
        If a file cannot be downloaded.
    """
    target = Path(out) if out is not None else Path("cubes") / f"{recipe.name}.zarr"
    if target.exists() and not overwrite:
        hint = "ask for it to be overwritten, or name another"
        raise DataError("there is already a cube here", where=str(target), hint=hint)
    paths = fetch(recipe, progress=progress) if data is None else _find_files(recipe, Path(data))
    sums = {role: _sha256(path) for role, path in paths.items()}
    _refuse_wrong_sums(recipe, paths, sums)
    tables = {role: Table(paths[role], file.columns) for role, file in recipe.files.items()}
    ds = READERS[recipe.reader].read(tables, cuts=recipe.cuts)
    return save_cube(_described(ds, recipe, sums), target, overwrite=overwrite)


def check_files(recipe: Recipe, folder: str | Path) -> dict[str, Path]:
    """Find the files of a recipe in a folder, with all below it, and check them as `ingest` does.

    Parameters
    ----------
    recipe : Recipe
        The dataset.
    folder : path-like
        Where the files are.

    Returns
    -------
    dict of str to Path
        The files, by role.

    Raises
    ------
    RawFilesMissing
        If one is missing.
    DataError
        If one is there twice with different content, or has the wrong checksum.
    """
    paths = _find_files(recipe, Path(folder))
    _refuse_wrong_sums(recipe, paths, {role: _sha256(path) for role, path in paths.items()})
    return paths


def _find_files(recipe: Recipe, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError("this is not a folder", where=str(folder))
    there = {role: _candidates(file, recipe, folder) for role, file in recipe.files.items()}
    faults = [fault for role, file in recipe.files.items() for fault in _finding_faults(file, there[role])]
    if faults:
        kind = DataError if all(there.values()) else RawFilesMissing
        raise error_from(kind, faults, what="the raw files are not to be found", where=str(folder))
    return {role: found[0] for role, found in there.items()}


def _candidates(file: RawFile, recipe: Recipe, folder: Path) -> list[Path]:
    beside = recipe.folder / file.name
    return [beside] if not file.url and beside.is_file() else sorted(folder.rglob(file.name))


def _finding_faults(file: RawFile, found: list[Path]) -> list[Fault]:
    if not found:
        return [Fault(f"{file.name} is missing", expected=file.url or "beside the recipe, or in this folder")]
    if len({_sha256(path) for path in found}) > 1:
        places = ", ".join(map(str, found))
        return [Fault(f"{file.name} is there several times, with different content", found=places, expected="one")]
    return []


def _refuse_wrong_sums(recipe: Recipe, paths: Mapping[str, Path], sums: Mapping[str, str]) -> None:
    faults = [
        Fault(
            "wrong checksum",
            str(paths[role]),
            f"sha256 {sums[role]}, {paths[role].stat().st_size} bytes",
            f"sha256 {file.sha256}" + (f", {file.size} bytes" if file.size else ""),
        )
        for role, file in recipe.files.items()
        if file.sha256 and file.verify == "always" and sums[role] != file.sha256
    ]
    if faults:
        what, hint = "a raw file is not the official one", "the file is truncated or altered: fetch it again"
        raise error_from(DataError, faults, what=what, where=f"recipe {recipe.name}", hint=hint)


def _described(ds: xr.Dataset, recipe: Recipe, sums: Mapping[str, str]) -> xr.Dataset:
    raw_files = [
        {"name": file.name, "sha256": sums[role], "official": sums[role] == (file.sha256 or sums[role])}
        for role, file in recipe.files.items()
    ]
    return ds.assign_attrs(
        title=recipe.title,
        kind=recipe.kind,
        citation=recipe.citation,
        licence=recipe.licence,
        recipe=recipe.text,
        raw_files=json.dumps(raw_files),
        samples=json.dumps({name: sample.model_dump() for name, sample in recipe.samples.items()}),
        synthetic=0,
        sigcube_version=__version__,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
