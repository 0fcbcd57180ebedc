"""From a recipe to a cube: files, their checksums, reader, store."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from glob import escape
from pathlib import Path

import xarray as xr

from sigcube import __version__
from sigcube.cube import save_cube
from sigcube.cube.storage import store_at
from sigcube.cube.streaming import stream_cube
from sigcube.errors import DataError, Fault, RawFilesMissing, error_from
from sigcube.files import path_of
from sigcube.readers import READERS, Table
from sigcube.recipes.fetching import fetch
from sigcube.recipes.recipe import RawFile, Recipe, load_recipe

__all__ = ["check_files", "ingest", "raw_folder"]

# A folder of raw files has few others. To look through a whole disk would take minutes, and find old copies.
_MOST_FILES = 100_000

Paths = Mapping[str, tuple[Path, ...]]


def ingest(
    recipe: Recipe | str | Path,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Make the cube of a dataset.

    Parameters
    ----------
    recipe : Recipe, str or path-like
        The dataset, or what `load_recipe` takes.
    data : path-like, optional
        A folder that is searched for the raw files, with its subfolders; without it they are downloaded. A file without
        an address may lie beside the recipe instead.
    out : path-like, optional
        Where to save the cube, ``cubes/<name>.zarr`` if not given.
    overwrite : bool
        Whether a cube that is already there may be replaced.
    progress : bool
        Whether downloads report their progress.

    Returns
    -------
    Path
        The cube.

    Raises
    ------
    DataError
        If a file is missing, empty, has the wrong checksum or cannot be read, or the cube cannot be saved. Nothing
        half-written remains.
    FetchError
        If a file cannot be downloaded.
    """
    recipe = load_recipe(recipe)
    target = path_of(out, what="a cube") if out is not None else Path("cubes") / f"{recipe.name}.zarr"
    if target.exists() and not overwrite:
        what = "a cube" if store_at(target) == "cube" else "something"
        hint = (
            "overwrite it by --overwrite, in Python overwrite=True, or name another"
            if what == "a cube"
            else "name another path"
        )
        raise DataError(f"there is already {what} here", where=str(target), hint=hint)
    if data is None:
        paths: Paths = {role: (path,) for role, path in fetch(recipe, progress=progress).items()}
    else:
        paths = _find_files(recipe, raw_folder(data))
    sums = _check_sums(recipe, paths)
    # Keyed by path: a file may have several roles.
    raw_files = {
        path: {
            "name": path.name,
            "sha256": sums[path],
            "official": _is_official(recipe, file, path, sums[path]),
            "standing": _standing(recipe, file, path, sums[path]),
        }
        for role, file in recipe.files.items()
        for path in paths[role]
    }
    attrs = {
        "title": recipe.title,
        "kind": recipe.kind,
        "citation": recipe.citation,
        "licence": recipe.licence,
        "recipe": recipe.text,
        "raw_files": json.dumps(list(raw_files.values())),
        "samples": json.dumps({name: sample.model_dump() for name, sample in recipe.samples.items()}),
        "synthetic": int(recipe.synthetic),
        "sigcube_version": __version__,
    }
    tables = {
        role: Table(paths[role][0], file.columns, file.format, file.extension, paths[role][1:])
        for role, file in recipe.files.items()
    }
    options = {} if recipe.frame is None else {"frame": recipe.frame}
    cube = READERS[recipe.reader].read(tables, cuts=recipe.cuts, **options)
    if isinstance(cube, xr.Dataset):
        return save_cube(cube.assign_attrs(attrs), target, overwrite=overwrite)
    return stream_cube(cube, target, attrs=attrs, overwrite=overwrite)


def check_files(
    recipe: Recipe | str | Path, folder: str | Path, *, tell: Callable[[str], None] | None = None
) -> dict[str, Path]:
    """Find the files of a recipe in a folder and its subfolders, and check them as `ingest` does.

    Parameters
    ----------
    recipe : Recipe, str or path-like
        The dataset, or what `load_recipe` takes.
    folder : path-like
        The folder; a file without an address may lie beside the recipe instead.
    tell : callable, optional
        Called with a line about each file that is taken, but not known to be the official one.

    Returns
    -------
    dict of str to Path
        The files, by role; the first where there are several.

    Raises
    ------
    RawFilesMissing
        If one is missing.
    DataError
        If one is found twice with different content, is empty or has the wrong checksum.
    """
    recipe = load_recipe(recipe)
    paths = _find_files(recipe, raw_folder(folder))
    sums = _check_sums(recipe, paths)
    if tell is not None:
        # A file may have several roles.
        for note in dict.fromkeys(_unverified(recipe, paths, sums)):
            tell(note)
    return {role: found[0] for role, found in paths.items()}


def raw_folder(given: str | Path) -> Path:
    """Return the path of a folder of raw files that a user names.

    Raises
    ------
    DataError
        If it is no folder.
    SpecError
        If it can be no path.
    """
    folder = path_of(given, what="raw files")
    if not folder.is_dir():
        raise DataError("this is not a folder", where=str(folder))
    return folder


def _find_files(recipe: Recipe, folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the files of each role; of copies of one file, the first."""
    below = _files_below(folder)
    there: dict[str, tuple[Path, ...]] = {}
    faults = []
    for role, file in recipe.files.items():
        copies: dict[str, list[Path]] = {}
        for path in _candidates(file, recipe, below):
            copies.setdefault(path.name, []).append(path)
        if not copies:
            wanted = f"{file.name} or {file.parts}" if file.parts else file.name
            by_hand = f"in this folder; from {recipe.source_of(file)}"
            place = by_hand if recipe.is_shipped else "in this folder, or beside the recipe"
            faults.append(Fault(f"{wanted} is missing", expected=file.url or place))
        for name, paths in copies.items():
            if len(paths) > 1 and len({_sha256(path) for path in paths}) > 1:
                what, found = f"{name} is there several times, with different content", ", ".join(map(str, paths))
                faults.append(Fault(what, found=found, expected="one"))
        there[role] = tuple(paths[0] for paths in copies.values())
    if faults:
        kind = DataError if all(there.values()) else RawFilesMissing
        raise error_from(kind, faults, what="the raw files are not to be found", where=str(folder))
    return there


def _files_below(folder: Path) -> list[Path]:
    """List the files of a folder and all below it."""
    found: list[Path] = []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names]
        if len(found) > _MOST_FILES:
            raise DataError(
                "this folder has too many files to look for the raw ones in",
                where=str(folder),
                found=f"more than {_MOST_FILES:,}",
                hint="name the folder that holds them",
            )
    return found


def _candidates(file: RawFile, recipe: Recipe, below: Sequence[Path]) -> list[Path]:
    for pattern in (escape(file.name), file.parts):
        found = [path for path in below if path.match(pattern) and path.is_file()] if pattern else []
        if found:
            return sorted(found, key=lambda path: (path.name, path))
    beside = recipe.folder / file.name
    return [beside] if not file.url and beside.is_file() else []


def _check_sums(recipe: Recipe, paths: Paths) -> dict[Path, str]:
    """Return the checksums of all files; a wrong one is an error, and so is an empty file that should not be."""
    sums = {path: _sha256(path) for found in paths.values() for path in found}
    each = (_fault(file, path, sums[path]) for role, file in recipe.files.items() for path in paths[role])
    faults = [fault for fault in each if fault is not None]
    if faults:
        what, hint = "a raw file is not the official one", "the file is truncated or altered: fetch it again"
        raise error_from(DataError, faults, what=what, where=f"recipe {recipe.name}", hint=hint)
    return sums


def _fault(file: RawFile, path: Path, found: str) -> Fault | None:
    """Return what is wrong with a file of some checksum, whatever its content."""
    if not file.sha256 or found == file.sha256:
        return None
    size = path.stat().st_size
    if not size:
        return Fault("it is empty", str(path), "0 bytes", file.checksum)
    if file.verify == "always":
        return Fault("wrong checksum", str(path), f"sha256 {found}, {size} bytes", file.checksum)
    return None


def _unverified(recipe: Recipe, paths: Paths, sums: Mapping[Path, str]) -> Iterator[str]:
    """Yield a line about the files of each role that are not known to be the official ones."""
    for role, file in recipe.files.items():
        others = [path for path in paths[role] if not _is_official(recipe, file, path, sums[path])]
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            why = (
                "its checksum is not that of the official file"
                if file.sha256
                else "its recipe has no checksum to compare"
            )
            yield f"{others[0]}{more} (unverified): {why}"


def _is_official(recipe: Recipe, file: RawFile, path: Path, found: str) -> bool:
    """Whether a file is known to be the official one: by its checksum, or because it came with sigcube."""
    if file.sha256:
        return found == file.sha256
    return recipe.is_shipped and path.parent.resolve() == recipe.folder.resolve()


def _standing(recipe: Recipe, file: RawFile, path: Path, found: str) -> str:
    """Say what is known of a file: that it is official, that nothing vouches for it, or that it is a user's own."""
    if _is_official(recipe, file, path, found):
        return "official"
    if file.sha256:
        return "unverified"
    own = not recipe.is_shipped and not file.url and not file.source
    return f"{'your own' if own else 'unverified'}, no checksum"


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError("a raw file cannot be read", where=str(path), found=str(error)) from None
