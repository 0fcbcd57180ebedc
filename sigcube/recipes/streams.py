"""Downloads over HTTP that go on where they broke off, where the server can do that."""

import re
from pathlib import Path
from typing import Any, Protocol

from sigcube.recipes.parts import size_of

__all__ = ["CHUNK", "Bar", "stream"]

CHUNK = 1 << 16
# Attempts in a row, each of which must bring something.
_ATTEMPTS = 5


class Bar(Protocol):
    """A progress bar, in the shape that pooch asks for too."""

    total: int

    def update(self, step: int) -> None:
        """Add bytes that arrived."""

    def reset(self) -> None:
        """Begin anew."""

    def close(self) -> None:
        """End."""


def stream(url: str, part: Path, *, bar: Bar | None, timeout: float) -> None:
    """Download a file over HTTP, or what is missing of it.

    Parameters
    ----------
    url : str
        Its address.
    part : Path
        Where to write; what is there already is taken for the beginning of the file.
    bar : Bar, optional
        Where to tell how far it is.
    timeout : float
        Seconds to wait for a server that says nothing.

    Raises
    ------
    requests.RequestException
        If it cannot be had. Nothing stays of a file whose rest the server could not send alone.
    """
    import requests

    for attempt in range(1, _ATTEMPTS + 1):
        before = size_of(part)
        try:
            _once(url, part, bar=bar, timeout=timeout)
            return
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if attempt == _ATTEMPTS or size_of(part) <= before:
                raise


def _once(url: str, part: Path, *, bar: Bar | None, timeout: float) -> None:
    import requests

    had = size_of(part)
    # Bytes as they are: a place in a file that is compressed on the way has no meaning in the file itself.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if had and (response.status_code == 416 or (response.status_code == 206 and _start(response) != had)):
            part.unlink()
            _once(url, part, bar=bar, timeout=timeout)
            return
        response.raise_for_status()
        continued = response.status_code == 206
        try:
            _write(response, part, had if continued else 0, bar)
        except requests.RequestException:
            if not (continued or response.headers.get("Accept-Ranges") == "bytes"):
                part.unlink()
            raise


def _start(response: Any) -> int | None:
    """Return the place in the file at which a partial answer begins."""
    said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(said[1]) if said else None


def _write(response: Any, part: Path, start: int, bar: Bar | None) -> None:
    if bar is not None:
        length = int(response.headers.get("Content-Length", 0))
        bar.reset()
        bar.total = start + length if length else 0
        bar.update(start)
    with part.open("ab" if start else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            if bar is not None:
                bar.update(len(chunk))
    if bar is not None:
        bar.close()
