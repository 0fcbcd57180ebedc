"""Downloads that continue where they broke off, also in another process.

pooch brings FTP, DOIs and the checksums, but its retries start again at the first byte, and throw away what has
arrived: a large file over a connection that breaks off would never be complete. In ``tests/recipes/test_fetching.py``,
``test_a_download_goes_on_where_it_broke_off``, ``test_what_arrived_is_kept_hidden_for_the_next_attempt`` and
``test_what_a_process_that_was_killed_left_is_taken_over`` show what is added here.
"""

import ftplib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from sigcube.errors import FetchError
from sigcube.files import free_space
from sigcube.processes import is_abandoned, owner_tag

__all__ = ["CHUNK", "Bar", "download", "partial_file", "size_of"]

#: Bytes written at a time.
CHUNK = 1 << 16
# What a download of unknown length leaves free of a disk [bytes].
_LEFT_FREE = 1 << 30
# Attempts in a row, of which each must have brought something.
_ATTEMPTS = 5


class Bar:
    """A progress bar of rich, in the form that pooch asks for."""

    def __init__(self, name: str, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    @property
    def total(self) -> int:
        """Bytes to arrive; 0 if the server does not say."""
        return int(self._progress.tasks[self._task].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, step: int) -> None:
        """Add bytes that arrived."""
        self._progress.update(self._task, advance=step)

    def reset(self) -> None:
        """Start again."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """End."""
        self._progress.stop_task(self._task)


@contextmanager
def partial_file(path: Path, key: str) -> Iterator[Path]:
    """Give a hidden file beside `path` to download into, with what an earlier attempt left in it.

    No other process writes it. What is in it at the end waits for the next attempt, unless it was moved or removed.
    `key` is the checksum of the file, or another name of its content, as the next attempt must ask for the same.
    """
    stem = f".{path.name}.{key}"
    free, own = path.with_name(f"{stem}.part"), path.with_name(f"{stem}.{owner_tag()}.part")
    abandoned = [
        part
        for part in path.parent.glob(f"{escape(stem)}.*.part")
        if is_abandoned(part, part.name.removeprefix(f"{stem}.").removesuffix(".part"))
    ]
    for part in sorted([free, *abandoned], key=size_of, reverse=True):
        # Of several processes that try, one renames it.
        with suppress(FileNotFoundError):
            part.rename(own)
            break
    try:
        yield own
    finally:
        if size_of(own) > size_of(free):
            os.replace(own, free)
        else:
            own.unlink(missing_ok=True)


def size_of(part: Path) -> int:
    """Return how many bytes have arrived."""
    return part.stat().st_size if part.is_file() else 0


def download(url: str, part: Path, *, size: int | None = None, bar: Bar | None, timeout: float) -> None:
    """Download a file; over HTTP, what is in `part` already is taken for its beginning, and the rest is added.

    `size` is its length in bytes, where it is known, and `timeout` the time to wait for a server that does not
    answer [s].

    Raises
    ------
    FetchError
        If more arrives than the file has, or than the disk has room for. Nothing stays.
    requests.RequestException
        If it cannot be had. What has arrived stays if the server can send the rest alone.
    """
    import requests
    from pooch.downloaders import DOIDownloader, FTPDownloader

    others: dict[str, Any] = {"ftp": FTPDownloader, "doi": DOIDownloader}
    if (other := others.get(url.partition(":")[0])) is not None:
        try:
            other(progressbar=bar or False, chunk_size=CHUNK, timeout=timeout)(url, str(part), None)
        except requests.RequestException:
            raise
        except (ftplib.Error, OSError, EOFError, ValueError) as error:
            raise requests.RequestException(str(error)) from error
        return
    for attempt in range(1, _ATTEMPTS + 1):
        before = size_of(part)
        try:
            _download_rest(url, part, size, bar, timeout)
            return
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if attempt == _ATTEMPTS or size_of(part) <= before:
                raise


def _download_rest(url: str, part: Path, size: int | None, bar: Bar | None, timeout: float) -> None:
    import requests

    had = size_of(part)
    # Uncompressed: a position in what was sent must be one in the file.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {had}-")
        if had and (response.status_code == 416 or (response.status_code == 206 and not continues)):
            # The file has no such rest, or the server sends another part of it.
            part.unlink()
            _download_rest(url, part, size, bar, timeout)
            return
        response.raise_for_status()
        start = had if response.status_code == 206 else 0
        if bar is not None:
            length = int(response.headers.get("Content-Length", 0))
            bar.reset()
            bar.total = start + length if length else 0
            bar.update(start)
        most = _most(part, start, size)
        try:
            with part.open("ab" if start else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    if file.tell() + len(chunk) > most:
                        part.unlink()
                        expected = f"{size:,} bytes" if size else "less, as a gigabyte of the disk is to stay free"
                        raise FetchError(
                            "more arrives than can be taken", where=url, found=f"over {most:,} bytes", expected=expected
                        )
                    file.write(chunk)
                    if bar is not None:
                        bar.update(len(chunk))
        except requests.RequestException:
            if not (start or response.headers.get("Accept-Ranges") == "bytes"):
                part.unlink()
            raise
        if bar is not None:
            bar.close()


def _most(part: Path, start: int, size: int | None) -> float:
    """Return how long a file may become: as long as it is known to be, else as there is room."""
    if size is not None:
        return size
    free = free_space(part)
    return float("inf") if free is None else start + max(0, free - _LEFT_FREE)
