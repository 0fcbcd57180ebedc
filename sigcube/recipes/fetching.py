"""The raw files of a recipe: downloaded once, checked before they get their name, safe against other processes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sigcube.errors import FetchError, RawFilesMissing
from sigcube.files import cache_folder, path_of
from sigcube.recipes.downloading import Bar, download, partial_file, size_of
from sigcube.recipes.querying import answer_path, ask
from sigcube.recipes.recipe import RawFile, Recipe, load_recipe

__all__ = ["fetch"]


def fetch(
    recipe: Recipe | str | Path, *, cache: str | Path | None = None, progress: bool = True, timeout: float = 30.0
) -> dict[str, Path]:
    """Download the files of a recipe that are not in the cache; files without an address lie beside the recipe.

    Parameters
    ----------
    recipe : Recipe, str or path-like
        The dataset, or what `load_recipe` takes.
    cache : path-like, optional
        Where to keep the files, instead of `cache_folder`.
    progress : bool
        Whether to report on standard error: a bar on a terminal, lines elsewhere.
    timeout : float
        Seconds to wait for a server that does not answer.

    Returns
    -------
    dict of str to Path
        The files by role. Those downloaded have the checksum of the recipe.

    Raises
    ------
    RawFilesMissing
        If files without an address are not beside the recipe; the others were downloaded.
    FetchError
        If a file cannot be downloaded, or is not the one that the recipe means. The cache never holds an unchecked
        file; a partial one stays hidden for the next attempt if the server can send the rest.
    """
    import requests

    recipe = load_recipe(recipe)
    folder = (path_of(cache, what="a cache") if cache is not None else cache_folder()) / recipe.name
    paths: dict[str, Path] = {}
    for role, file in recipe.files.items():
        if not file.url:
            paths[role] = recipe.folder / file.name
            continue
        try:
            paths[role] = (_fetch_answer if file.query else _fetch_file)(file, folder, progress, timeout)
        except requests.RequestException as error:
            raise _download_failed(file, error, 0) from error
        except OSError as error:
            raise FetchError(f"{file.name} could not be kept", where=str(folder), found=str(error)) from error
    _refuse_lacking(recipe, folder)
    return paths


def _refuse_lacking(recipe: Recipe, folder: Path) -> None:
    """Refuse a recipe with files to be got by hand that are not there; `folder` has what was downloaded."""
    lacking = [each for each in recipe.files.values() if not (each.url or (recipe.folder / each.name).is_file())]
    if not lacking:
        return
    names = tuple(dict.fromkeys(file.name for file in lacking))
    has, it, does = ("has", "it", "does") if len(names) == 1 else ("have", "them", "do")
    what = f"{' and '.join(names)} {has} no address to fetch {it} from"
    source = "; ".join(dict.fromkeys(map(recipe.source_of, lacking)))
    if not recipe.is_shipped:
        raise RawFilesMissing(
            f"{what}, and {does} not lie beside the recipe",
            where=str(recipe.folder / names[0]),
            hint=f"put {it} there, or name the folder with --data; source: {source}",
        )
    others = any(file.url for file in recipe.files.values())
    place = f"into {folder}, where the other files are" if others else "into a folder"
    command = f"sigcube ingest {recipe.name} --data DIR"
    raise RawFilesMissing(
        what,
        where=f"recipe {recipe.name}",
        hint=f"get {it} by hand {place}, and name that folder: `{command}`, in Python data=DIR; source: {source}",
    )


def _fetch_answer(file: RawFile, folder: Path, progress: bool, timeout: float) -> Path:
    path = answer_path(folder, file.name, url=file.url, query=file.query)
    if not path.is_file():
        labels = [column.label for column in file.columns if column.label]
        with _bar(file, progress) as bar:
            ask(file.url, file.query, path, labels=labels, bar=bar, timeout=timeout)
    return path


def _fetch_file(file: RawFile, folder: Path, progress: bool, timeout: float) -> Path:
    import pooch
    import requests

    def is_right(path: Path) -> bool:
        return path.is_file() and pooch.file_hash(str(path)) == file.sha256

    path = folder / file.name
    if is_right(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with partial_file(path, file.sha256) as part, _bar(file, progress) as bar:
        continued = size_of(part) > 0
        try:
            if not is_right(part):
                download(file.url, part, size=file.size, bar=bar, timeout=timeout)
            if continued and not is_right(part):
                # What an earlier attempt left may be to blame.
                part.unlink()
                download(file.url, part, size=file.size, bar=bar, timeout=timeout)
        except requests.RequestException as error:
            raise _download_failed(file, error, size_of(part)) from error
        if not is_right(part):
            found = f"sha256 {pooch.file_hash(str(part))}, {size_of(part)} bytes"
            part.unlink()
            raise FetchError(
                f"{file.name} arrived with the wrong checksum",
                where=file.url,
                found=found,
                expected=file.checksum,
                hint="the download broke off, or the file has been replaced; nothing was kept",
            )
        os.replace(part, path)
    return path


def _download_failed(file: RawFile, error: Exception, arrived: int) -> FetchError:
    import requests

    words = {
        requests.Timeout: "the server did not answer in time",
        requests.TooManyRedirects: "the server redirects in a loop",
        requests.exceptions.ChunkedEncodingError: "the connection broke off",
        requests.ConnectionError: "no connection",
    }
    said = next((text for kind, text in words.items() if isinstance(error, kind)), "")
    again = f"try again later: the {arrived} bytes that arrived are kept" if arrived else "try again later"
    return FetchError(
        f"{file.name} could not be downloaded",
        where=file.url,
        found=f"{said} ({error})" if said else str(error),
        hint=f"{again}; or get the file by another way and name its folder with --data",
    )


@contextmanager
def _bar(file: RawFile, progress: bool) -> Iterator[Bar | None]:
    if progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            yield Bar(file.name, shown)
        return
    if progress:
        print(f"fetching {file.name} from {file.url}", file=sys.stderr)
    yield None
