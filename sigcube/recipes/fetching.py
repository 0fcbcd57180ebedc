"""Downloads: checked before they get their name, kept in a cache, safe against other processes that do the same."""

import ftplib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sigcube.errors import FetchError, RawFilesMissing
from sigcube.files import cache_folder
from sigcube.recipes.parts import part_of, size_of
from sigcube.recipes.querying import answer_path, ask
from sigcube.recipes.recipe import RawFile, Recipe
from sigcube.recipes.streams import CHUNK, Bar, stream

__all__ = ["fetch"]

_TIMEOUT = 30.0


def fetch(
    recipe: Recipe, *, cache: str | Path | None = None, progress: bool = True, timeout: float = _TIMEOUT
) -> dict[str, Path]:
    """Download the files of a recipe that are not in the cache yet; those that lie beside it are there already.

    Parameters
    ----------
    recipe : Recipe
        The dataset.
    cache : path-like, optional
        Where to keep the files, instead of `cache_folder`.
    progress : bool
        Whether to tell on standard error: a bar on a terminal, lines elsewhere.
    timeout : float
        Seconds to wait for a server that says nothing.

    Returns
    -------
    dict of str to Path
        The files, by role; each that was downloaded has the checksum of the recipe.

    Raises
    ------
    RawFilesMissing
        If a file without an address does not lie beside the recipe.
    FetchError
        If a file cannot be had, or is not the one that the recipe means. The cache never holds an unchecked file.
        What arrived of it waits hidden for the next attempt, where the server can go on from there.
    """
    folder = (Path(cache) if cache is not None else cache_folder()) / recipe.name
    return {
        role: _fetch_file(file, folder, progress=progress, timeout=timeout) if file.url else _beside(file, recipe)
        for role, file in recipe.files.items()
    }


def _beside(file: RawFile, recipe: Recipe) -> Path:
    path = recipe.folder / file.name
    if not path.is_file():
        hint = f"put it there, or name its folder with --data; source: {recipe.citation}"
        what = f"{file.name} has no address to fetch it from, and does not lie beside the recipe"
        raise RawFilesMissing(what, where=str(path), hint=hint)
    return path


def _fetch_answer(file: RawFile, folder: Path, *, progress: bool, timeout: float) -> Path:
    """Ask an archive, once for each query."""
    import requests

    path = answer_path(folder, file.name, url=file.url, query=file.query)
    if path.is_file():
        return path
    labels = [column.label for column in file.columns if column.label]
    try:
        with _bar(file, progress) as bar:
            ask(file.url, file.query, path, labels=labels, bar=bar, timeout=timeout)
    except requests.RequestException as error:
        raise _could_not(file, error, 0) from error
    except OSError as error:
        raise FetchError(f"{file.name} could not be kept", where=str(folder), found=str(error)) from error
    return path


def _fetch_file(file: RawFile, folder: Path, *, progress: bool, timeout: float) -> Path:
    import requests

    if file.query:
        return _fetch_answer(file, folder, progress=progress, timeout=timeout)
    path = folder / file.name
    if path.is_file() and _sha256(path) == file.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part_of(path, file.sha256) as part:
            try:
                _complete(file, part, progress=progress, timeout=timeout)
            except requests.RequestException as error:
                raise _could_not(file, error, size_of(part)) from error
            os.replace(part, path)
    except OSError as error:
        raise FetchError(f"{file.name} could not be kept", where=str(folder), found=str(error)) from error
    return path


def _complete(file: RawFile, part: Path, *, progress: bool, timeout: float) -> None:
    """Download what is missing of a file, and make sure that it is the right one."""
    continued = size_of(part) > 0
    if not (continued and _sha256(part) == file.sha256):
        _download(file, part, progress=progress, timeout=timeout)
        if continued and _sha256(part) != file.sha256:
            # What an earlier attempt left may be to blame.
            part.unlink()
            _download(file, part, progress=progress, timeout=timeout)
    _check(file, part)


def _download(file: RawFile, part: Path, *, progress: bool, timeout: float) -> None:
    import requests
    from pooch.downloaders import DOIDownloader, FTPDownloader

    kinds: dict[str, Any] = {"ftp": FTPDownloader, "doi": DOIDownloader}
    kind = kinds.get(file.url.partition(":")[0])
    with _bar(file, progress) as bar:
        if kind is None:
            stream(file.url, part, bar=bar, timeout=timeout)
            return
        try:
            kind(progressbar=bar or False, chunk_size=CHUNK, timeout=timeout)(file.url, str(part), None)
        except requests.RequestException:
            raise
        except (ftplib.Error, OSError, EOFError, ValueError) as error:
            # What FTP and the services behind a DOI raise is told as what HTTP does.
            raise requests.RequestException(str(error)) from error


def _check(file: RawFile, part: Path) -> None:
    found = _sha256(part)
    if found != file.sha256:
        size = size_of(part)
        part.unlink()
        raise FetchError(
            f"{file.name} arrived with the wrong checksum",
            where=file.url,
            found=f"sha256 {found}, {size} bytes",
            expected=f"sha256 {file.sha256}" + (f", {file.size} bytes" if file.size else ""),
            hint="the download broke off, or the file has been replaced; nothing was kept",
        )


def _sha256(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path)))


def _could_not(file: RawFile, error: Exception, arrived: int) -> FetchError:
    again = f"try again later: the {arrived} bytes that arrived are kept" if arrived else "try again later"
    return FetchError(
        f"{file.name} could not be downloaded",
        where=file.url,
        found=_in_words(error),
        hint=f"{again}; or get the file by another way and name its folder with --data",
    )


def _in_words(error: Exception) -> str:
    import requests

    words = {
        requests.Timeout: "the server did not answer in time",
        requests.TooManyRedirects: "the server redirects in a loop",
        requests.exceptions.ChunkedEncodingError: "the connection broke off",
        requests.ConnectionError: "no connection",
    }
    said = next((text for kind, text in words.items() if isinstance(error, kind)), "")
    return f"{said} ({error})" if said else str(error)


class _RichBar:
    """A bar of rich in the shape that pooch asks for."""

    def __init__(self, name: str, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    @property
    def total(self) -> int:
        return int(self._progress.tasks[self._task].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        # Zero stands for a server that does not say.
        self._progress.update(self._task, total=size or None)

    def update(self, step: int) -> None:
        self._progress.update(self._task, advance=step)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.stop_task(self._task)


@contextmanager
def _bar(file: RawFile, progress: bool) -> Iterator[Bar | None]:
    if progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            yield _RichBar(file.name, shown)
        return
    if progress:
        print(f"fetching {file.name} from {file.url}", file=sys.stderr)
    yield None
