"""Downloads: checked before they get their name, kept in a cache, safe against other processes that do the same."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sigcube.errors import FetchError, RawFilesMissing
from sigcube.recipes.model import RawFile, Recipe

__all__ = ["cache_folder", "fetch"]

_TIMEOUT = 30.0
_CHUNK = 1 << 16


def cache_folder() -> Path:
    """Return where downloads are kept: the environment's ``SIGCUBE_CACHE``, else the system's folder for caches."""
    import pooch

    return Path(os.environ.get("SIGCUBE_CACHE") or pooch.os_cache("sigcube"))


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
    """
    folder = (Path(cache) if cache is not None else cache_folder()) / recipe.name
    return {
        role: _fetch_file(file, folder, progress=progress, timeout=timeout) if file.url else _beside(file, recipe)
        for role, file in recipe.files.items()
    }


def _beside(file: RawFile, recipe: Recipe) -> Path:
    path = recipe.folder / file.name
    if not path.is_file():
        hint = "put it there, or name its folder with --data"
        raise RawFilesMissing(f"{file.name} does not lie beside the recipe", where=str(path), hint=hint)
    return path


def _fetch_file(file: RawFile, folder: Path, *, progress: bool, timeout: float) -> Path:
    import pooch
    import requests

    path = folder / file.name
    if path.is_file() and pooch.file_hash(str(path)) == file.sha256:
        return path
    by_hand = "try again later, or get the file by another way and name its folder with --data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", suffix=".partial", dir=folder) as draft:
            arrived = Path(draft) / file.name
            _download(file, arrived, progress=progress, timeout=timeout)
            _check(file, arrived)
            os.replace(arrived, path)
    except requests.RequestException as error:
        what = f"{file.name} could not be downloaded"
        raise FetchError(what, where=file.url, found=_in_words(error), hint=by_hand) from error
    except OSError as error:
        raise FetchError(f"{file.name} could not be kept", where=str(folder), found=str(error)) from error
    return path


def _download(file: RawFile, path: Path, *, progress: bool, timeout: float) -> None:
    from pooch.downloaders import DOIDownloader, FTPDownloader, HTTPDownloader

    kinds: dict[str, Any] = {"ftp": FTPDownloader, "doi": DOIDownloader}
    with _bar(file, progress) as bar:
        kind = kinds.get(file.url.partition(":")[0], HTTPDownloader)
        kind(progressbar=bar, chunk_size=_CHUNK, timeout=timeout)(file.url, str(path), None)


def _check(file: RawFile, path: Path) -> None:
    import pooch

    found = pooch.file_hash(str(path))
    if found != file.sha256:
        expected = f"{file.sha256}" + (f", {file.size} bytes" if file.size else "")
        raise FetchError(
            f"{file.name} arrived with the wrong checksum",
            where=file.url,
            found=f"sha256 {found}, {path.stat().st_size} bytes",
            expected=f"sha256 {expected}",
            hint="the download broke off, or the file has been replaced; nothing was kept",
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


class _Bar(Protocol):
    """What pooch asks of a progress bar."""

    total: int

    def update(self, step: int) -> None: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


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
def _bar(file: RawFile, progress: bool) -> Iterator["_Bar | bool"]:
    if progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            yield _RichBar(file.name, shown)
        return
    if progress:
        print(f"fetching {file.name} from {file.url}", file=sys.stderr)
    yield False
