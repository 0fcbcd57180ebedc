"""The server of the explorer, asked within one process: what its answers allow, and that it answers meanwhile."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from sigcube.explore.explorer import Explorer
from sigcube.explore.explorer import server as server_module
from sigcube.explore.explorer.server import make_server

# Panel takes seconds to import, and a page of it about one to build.
pytestmark = pytest.mark.slow

INJECTED = "<script>window.hacked = 1</script><script nonce=''>window.hacked = 2</script>"


def ask(explorer: Explorer, questions: Callable[[Callable[[str], Awaitable[HTTPResponse]]], Awaitable[Any]]) -> Any:
    """Serve an explorer while questions are put to it."""

    async def served() -> Any:
        server, address = make_server(explorer, port=0)
        server.start()
        try:
            return await questions(lambda path: AsyncHTTPClient().fetch(address + path, raise_error=False))
        finally:
            server.stop()

    return asyncio.run(served())


@pytest.fixture(scope="module")
def explorer(explored: Path) -> Explorer:
    return Explorer(explored)


def test_the_policy_allows_no_script_that_came_into_the_page(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_PAGE", server_module._PAGE.replace("<body>", f"<body>{INJECTED}"))

    async def questions(get: Callable[[str], Awaitable[HTTPResponse]]) -> list[HTTPResponse]:
        return [await get(""), await get("")]

    nonces = []
    for found in ask(explorer, questions):
        body, policy = found.body.decode(), found.headers["Content-Security-Policy"]
        allowed = re.search("script-src ([^;]*);", policy)[1].split()
        nonce = re.fullmatch("'nonce-([A-Za-z0-9_-]{24})'", allowed[-1])[1]
        assert allowed[:-1] == ["'self'", "'unsafe-eval'"]
        inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", body)
        # The two of the page, those that were put in, then the two of Bokeh.
        assert [f'nonce="{nonce}"' in each for each in inline] == [True, True, False, False, True, True]
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_a_saved_view_brings_no_script_of_its_own_into_the_policy(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(path: Path, **_: Any) -> Path:
        path.write_text(INJECTED, encoding="utf-8")
        return path

    monkeypatch.setattr(explorer, "save", save)

    async def questions(get: Callable[[str], Awaitable[HTTPResponse]]) -> HTTPResponse:
        return await get("export.html")

    found = ask(explorer, questions)
    assert found.body.decode() == INJECTED
    assert "sha256-" not in found.headers["Content-Security-Policy"]


def test_pages_are_answered_while_a_view_is_saved(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = threading.Event(), threading.Event()

    def save(path: Path, **_: Any) -> Path:
        begun.set()
        assert end.wait(20), "nothing was answered meanwhile"
        path.write_text("saved", encoding="utf-8")
        return path

    monkeypatch.setattr(explorer, "save", save)

    async def questions(get: Callable[[str], Awaitable[HTTPResponse]]) -> tuple[HTTPResponse, HTTPResponse]:
        saved = asyncio.ensure_future(get("export.html"))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        page = await get("?metric=nothing")
        end.set()
        return page, await saved

    page, saved = ask(explorer, questions)
    assert (page.code, saved.code, saved.body) == (200, 200, b"saved")
