"""Queries to archives in ADQL, by the Table Access Protocol (IVOA TAP 1.1, with UWS 1.1 for the job)."""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from sigcube.errors import FetchError
from sigcube.recipes.downloading import Bar, download, partial_file, size_of

__all__ = ["answer_path", "ask"]

_LONGEST_WAIT = 10.0
_OVER = ("COMPLETED", "ERROR", "ABORTED", "ARCHIVED")


def answer_path(folder: Path, name: str, *, url: str, query: str) -> Path:
    """Return where the answer to a query is kept; another query has another path."""
    return folder / _key(url, query)[:16] / name


def ask(
    url: str,
    query: str,
    path: Path,
    *,
    labels: Sequence[str],
    bar: Bar | None = None,
    timeout: float = 30.0,
    patience: float = 3600.0,
    first_wait: float = 0.5,
) -> None:
    """Send a query in ADQL to the TAP service at `url`, and save the answer as CSV, whole or not at all.

    The answer has no known checksum. What can be checked is: it has the columns `labels`, and it ends with a line.
    `timeout` is the time to wait for a server that does not answer, `patience` that to wait for the archive to finish
    the job, and `first_wait` that until its phase is first asked for [s]; the waits then grow.

    Raises
    ------
    FetchError
        If the archive refuses the query, fails at it or takes too long, or if its answer is not such a table.
    requests.RequestException
        If it cannot be reached, or the download breaks off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _job(url, query, timeout) as job:
        _await(job, timeout, patience, first_wait)
        with partial_file(path, _key(url, query)) as part:
            # Every job computes its answer again: the rest of one does not fit the beginning of another.
            part.unlink(missing_ok=True)
            try:
                download(f"{job}/results/result", part, bar=bar, timeout=timeout)
                _check(part, labels, url)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)


def _key(url: str, query: str) -> str:
    return hashlib.sha256(f"{url}\n{query}".encode()).hexdigest()


@contextmanager
def _job(url: str, query: str, timeout: float) -> Iterator[str]:
    """Start a job, and give its address; the job is deleted in the end."""
    import requests

    service = f"{url.rstrip('/')}/async"
    question = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "PHASE": "RUN", "QUERY": query}
    response = requests.post(service, data=question, timeout=timeout, allow_redirects=False)
    if response.status_code not in (201, 302, 303) or "Location" not in response.headers:
        found = f"{response.status_code} {response.reason}: {_text_of(response.text)}"
        raise FetchError("the archive does not take the query", where=service, found=found, hint="look at the query")
    job = urljoin(service, response.headers["Location"]).rstrip("/")
    try:
        yield job
    finally:
        with suppress(requests.RequestException):
            requests.delete(job, timeout=timeout, allow_redirects=False)


def _await(job: str, timeout: float, patience: float, wait: float) -> None:
    deadline = time.monotonic() + patience
    while (phase := _get(f"{job}/phase", timeout).text.strip()) not in _OVER:
        if time.monotonic() + wait > deadline:
            raise FetchError(
                "the archive is not done with the query",
                where=job,
                found=f"phase {phase} after {patience:g} s",
                hint="try again later, or get the file by another way and name its folder with --data",
            )
        time.sleep(wait)
        wait = min(1.5 * wait, _LONGEST_WAIT)
    if phase != "COMPLETED":
        found = f"phase {phase}: {_text_of(_get(f'{job}/error', timeout).text)}"
        raise FetchError("the archive failed at the query", where=job, found=found, hint="look at the query")


def _get(url: str, timeout: float) -> Any:
    import requests

    response = requests.get(url, timeout=timeout)
    response.raise_for_status()
    return response


def _text_of(text: str) -> str:
    """Return the text of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:300] or "nothing more"


def _check(part: Path, labels: Sequence[str], url: str) -> None:
    """Refuse an answer that is not a whole table with the right columns."""
    with part.open("rb") as file:
        header = file.readline().decode("utf-8", "replace").strip()
        file.seek(max(0, size_of(part) - 1))
        ended = file.read() == b"\n"
    found = [label.strip().strip('"') for label in header.split(",")]
    missing = [label for label in labels if label not in found]
    if missing or not ended:
        what = f"the answer lacks column {', '.join(missing)}" if missing else "the answer breaks off"
        raise FetchError(what, where=url, found=header[:200], expected=",".join(labels), hint="nothing was kept")
