"""The server of the explorer: only on this machine, and only for those who know the token in its address."""

import logging
import secrets
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sigcube.errors import SigcubeError, SpecError
from sigcube.explore.explorer.explorer import Explorer
from sigcube.explore.explorer.follow import follow
from sigcube.explore.explorer.state import ExplorerState
from sigcube.explore.explorer.turns import Later
from sigcube.explore.style import script

if TYPE_CHECKING:
    from bokeh.server.server import Server

__all__ = ["serve_explorer"]

# Time after the last change [ms] at which the dots and the list of systems are drawn.
_PAUSE = 200
# Time [ms] after which a page that has not drawn a change is no longer awaited.
_LONGEST = 2000
_HOST = "127.0.0.1"
# Of Bokeh alone: its own page would hold addresses of whatever else the process has loaded, such as Panel's components.
# No text of a result is in it; those come over the socket, into models. The two scripts of Bokeh, numbers of models and
# where the socket is, get the word by which the policy knows them; no other script could know it.
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sigcube explorer</title>
<link rel="icon" href="data:,">
<style>body { margin: 0; }</style>
{% for name in ("bokeh", "bokeh-widgets", "bokeh-tables") %}
<script src="static/js/{{ name }}.min.js"></script>
{% endfor %}
<script nonce="{{ nonce }}">{{ painting }}</script>
<script nonce="{{ nonce }}">{{ keys }}</script>
</head>
<body>
{% for root in doc.roots %}
<div id="{{ root.elementid }}" data-root-id="{{ root.id }}" style="display: contents;"></div>
{% endfor %}
{{ plot_script | replace("<script", '<script nonce="' + nonce + '"', 2) }}
</body>
</html>
"""
# Bokeh compiles the code of callbacks, and styles what it makes.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'nonce-{}'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; img-src 'self' data: blob:; connect-src 'self' ws://{}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve_explorer(explorer: Explorer, *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve the explorer until the process is interrupted.

    Parameters
    ----------
    explorer : Explorer
        What to show; each page that is opened has a view of its own.
    port : int
        Where to listen; 0 for any port that is free.
    ready : callable
        Takes the address, once it answers.

    Raises
    ------
    SpecError
        If the port is taken.
    """
    import asyncio

    from tornado.ioloop import IOLoop

    # Closed pages and refused addresses are no news.
    for name in ("bokeh.server.views.ws", "tornado.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    asyncio.set_event_loop(asyncio.new_event_loop())
    loop = IOLoop.current()
    caught: list[int] = []

    def end(number: int) -> None:
        caught.append(number)
        loop.stop()

    server, address = make_server(explorer, port=port)
    explorer.prepare()
    handlers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    own: Any = loop.asyncio_loop
    try:
        for number in handlers:
            # An exception that a signal raises anywhere may get lost in a callback, and the server would go on.
            own.add_signal_handler(number, end, number)
        server.start()
        loop.add_callback(ready, address)
        loop.start()
    finally:
        for number, handler in handlers.items():
            own.remove_signal_handler(number)
            signal.signal(number, handler)
        server.stop()
    for number in caught[:1]:
        signal.raise_signal(number)


def make_server(explorer: Explorer, *, port: int) -> "tuple[Server, str]":
    """Return a server that is not started yet, and the address of its page."""
    from bokeh.application import Application
    from bokeh.application.handlers.function import FunctionHandler
    from bokeh.server.server import Server
    from tornado.ioloop import IOLoop
    from tornado.web import OutputTransform, RequestHandler

    token = secrets.token_urlsafe(24)
    # One at a time: many at once would each take longer.
    writer = ThreadPoolExecutor(1, thread_name_prefix="sigcube-explorer-export")

    def make_page(document: Any) -> None:
        request = document.session_context.request
        scripts = {name: script(f"explorer/{name}.js") for name in ("painting", "keys")}
        document.template_variables.update(nonce=request.nonce, **scripts)
        _fill(explorer, document, _query(request.arguments))

    class Forbidden(RequestHandler):  # type: ignore[misc]
        """Anything outside the token's path does not exist for those who do not know it."""

        def prepare(self) -> None:
            self.set_status(403)
            self.finish("the address of an explorer has a token, which is missing here\n")

    class Export(RequestHandler):  # type: ignore[misc]
        """The view as one file."""

        async def get(self) -> None:
            try:
                state = ExplorerState.from_query(self.request.query, explorer.offer, explorer.start)
                # The pages go on meanwhile.
                content = await IOLoop.current().run_in_executor(writer, _export, explorer, state)
            except SigcubeError as error:
                self.set_status(400)
                self.set_header("Content-Type", "text/plain; charset=utf-8")
                self.finish(f"{error}\n")
                return
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.set_header("Content-Disposition", 'attachment; filename="explorer.html"')
            self.finish(content)

    class Guard(OutputTransform):  # type: ignore[misc]
        """Headers of every answer: only scripts of the page run, and nothing is fetched from elsewhere."""

        def __init__(self, request: Any) -> None:
            # Made before anything of the answer is; the page finds it at its request.
            self._nonce = request.nonce = secrets.token_urlsafe(18)

        def transform_first_chunk(self, status_code: int, headers: Any, chunk: bytes, finishing: bool) -> Any:
            headers["Content-Security-Policy"] = _POLICY.format(self._nonce, f"{_HOST}:{server.port}")
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            return status_code, headers, chunk

    try:
        server = Server(
            {"/": Application(FunctionHandler(make_page))},
            address=_HOST,
            port=port,
            prefix=f"/{token}",
            allow_websocket_origin=[_HOST],
            extra_patterns=[(r"/export\.html", Export)],
            default_handler_class=Forbidden,
            transforms=[Guard],
            # Only numbers travel over this machine's own network.
            websocket_compression_level=None,
        )
    except OSError as error:
        raise SpecError("this port cannot be listened on", where="--port", found=f"{port}: {error.strerror}") from None
    return server, f"http://{_HOST}:{server.port}/{token}/"


def _export(explorer: Explorer, state: ExplorerState) -> bytes:
    with tempfile.TemporaryDirectory(prefix="sigcube-") as folder:
        return explorer.save(Path(folder, "page.html"), state=state).read_bytes()


def _query(arguments: dict[str, list[bytes]]) -> str:
    return urlencode([(key, value) for key, values in arguments.items() for value in values])


def _fill(explorer: Explorer, document: Any, query: str) -> None:
    """Put a page into the document of a session."""
    from jinja2 import Template

    failure, state = "", explorer.start
    try:
        state = ExplorerState.from_query(query, explorer.offer, explorer.start)
    except SpecError as error:
        failure = str(error)

    def after(pause: int) -> Later:
        waiting: list[Any] = []

        def call(then: Callable[[], None]) -> None:
            def run() -> None:
                waiting.clear()
                then()

            for each in waiting:
                document.remove_timeout_callback(each)
            waiting[:] = [document.add_timeout_callback(run, pause)]

        return call

    later = document.add_next_tick_callback
    pauses = {"calm": after(_PAUSE), "overdue": after(_LONGEST)}
    page = explorer.page(state=state, served=True, later=later, **pauses, failure=failure)
    document.template = Template(_PAGE)
    document.add_root(page.root)
    follow(page, document.add_periodic_callback)
    page.go_live()
