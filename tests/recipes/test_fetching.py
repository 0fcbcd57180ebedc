import hashlib
import multiprocessing
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sigcube.errors import FetchError
from sigcube.recipes import Recipe, cache_folder, fetch, load_recipe

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """A server with one path for each way of going wrong."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        name = self.path.strip("/").replace("-", "_")
        getattr(self, f"serve_{name}")()

    def _send(self, content: bytes, *, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def serve_good(self) -> None:
        self._send(CONTENT)

    def serve_slow(self) -> None:
        self._send(CONTENT[:1000], length=len(CONTENT))
        time.sleep(0.3)
        self.wfile.write(CONTENT[1000:])

    def serve_other(self) -> None:
        self._send(b"<html>The page has moved</html>")

    def serve_break_off(self) -> None:
        self._send(CONTENT[:1000], length=len(CONTENT))

    def serve_unsaid_length(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def serve_moved(self) -> None:
        self.send_response(301)
        self.send_header("Location", "/good")
        self.end_headers()

    def serve_loop(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/loop")
        self.end_headers()

    def serve_missing(self) -> None:
        self.send_error(404)

    def serve_broken(self) -> None:
        self.send_error(500)

    def serve_silent(self) -> None:
        time.sleep(1.0)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests want."""

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _recipe(url: str) -> Recipe:
    recipe = load_recipe("sparc")
    file = recipe.files["curves"].model_copy(update={"name": "a.bin", "url": url, "sha256": SHA, "size": len(CONTENT)})
    return recipe.model_copy(update={"files": {"curves": file}})


def _files(folder: Path) -> list[str]:
    return sorted(
        str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file() or ".partial" in each.name
    )


@pytest.mark.parametrize("path", ["good", "moved", "slow", "unsaid-length"])
def test_a_file_is_fetched_once(path: str, server: Server, tmp_path: Path) -> None:
    recipe = _recipe(server.address(path))
    paths = fetch(recipe, cache=tmp_path, progress=False)
    assert paths == {"curves": tmp_path / "sparc" / "a.bin"}
    assert paths["curves"].read_bytes() == CONTENT
    asked = len(server.asked)
    assert fetch(recipe, cache=tmp_path, progress=False) == paths
    assert len(server.asked) == asked
    assert _files(tmp_path) == ["sparc/a.bin"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "missing",
            r"a.bin could not be downloaded\n  where: http://127.0.0.1:\d+/missing\n  found: 404(.*\n)*  do: .*--data",
        ),
        ("broken", r"could not be downloaded\n.*/broken\n  found: 500"),
        ("loop", r"could not be downloaded\n.*/loop\n  found: the server redirects in a loop"),
        ("break-off", r"could not be downloaded\n.*/break-off\n  found: the connection broke off"),
        ("silent", r"could not be downloaded\n.*/silent\n  found: the server did not answer in time"),
        (
            "other",
            rf"arrived with the wrong checksum\n.*/other\n  found: .*, 31 bytes\n  expected: sha256 {SHA}, 512000",
        ),
    ],
)
def test_a_failed_download_is_one_clear_error_and_keeps_nothing(
    path: str, message: str, server: Server, tmp_path: Path
) -> None:
    # Only the server that says nothing is to be given up soon: on a busy machine, the others may take their time.
    with pytest.raises(FetchError, match=message):
        fetch(_recipe(server.address(path)), cache=tmp_path, progress=False, timeout=0.3 if path == "silent" else 30)
    assert _files(tmp_path) == []
    # And the next attempt, at a server that is well again, does not stumble over it.
    fetch(_recipe(server.address("good")), cache=tmp_path, progress=False)
    assert _files(tmp_path) == ["sparc/a.bin"]


def test_no_server(tmp_path: Path) -> None:
    with Server() as gone:
        url = gone.address("good")
    with pytest.raises(FetchError, match=r"could not be downloaded\n.*\n  found: no connection"):
        fetch(_recipe(url), cache=tmp_path, progress=False)


def test_a_spoilt_file_in_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "sparc").mkdir()
    (tmp_path / "sparc" / "a.bin").write_bytes(CONTENT[:-1])
    assert fetch(_recipe(server.address("good")), cache=tmp_path, progress=False)["curves"].read_bytes() == CONTENT


def test_a_spoilt_file_stays_if_no_better_one_arrives(server: Server, tmp_path: Path) -> None:
    (tmp_path / "sparc").mkdir()
    (tmp_path / "sparc" / "a.bin").write_bytes(b"spoilt")
    with pytest.raises(FetchError, match="404"):
        fetch(_recipe(server.address("missing")), cache=tmp_path, progress=False)
    assert _files(tmp_path) == ["sparc/a.bin"]


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "sparc").write_text("a file where the folder should be")
    with pytest.raises(FetchError, match=r"a.bin could not be kept\n  where: .*sparc"):
        fetch(_recipe(server.address("good")), cache=tmp_path, progress=False)


def _fetch_elsewhere(url: str, cache: Path) -> None:
    fetch(_recipe(url), cache=cache, progress=False)


def test_processes_that_fetch_at_once_do_not_harm_each_other(server: Server, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fetch_elsewhere, args=(server.address("slow"), tmp_path)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert _files(tmp_path) == ["sparc/a.bin"]
    assert (tmp_path / "sparc" / "a.bin").read_bytes() == CONTENT


def test_progress_is_lines_where_there_is_no_terminal(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(_recipe(server.address("good")), cache=tmp_path)
    captured = capsys.readouterr()
    assert captured.err == f"fetching a.bin from {server.address('good')}\n"
    assert captured.out == ""


@pytest.mark.parametrize("path", ["good", "unsaid-length"])
def test_progress_is_a_bar_on_a_terminal(
    path: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fetch(_recipe(server.address(path)), cache=tmp_path)
    shown = capsys.readouterr().err
    assert "a.bin" in shown
    assert ("512.0/512.0 kB" in shown) == (path == "good")


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server
) -> None:
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    assert fetch(_recipe(server.address("good")), progress=False)["curves"] == tmp_path / "here" / "sparc" / "a.bin"
    monkeypatch.delenv("SIGCUBE_CACHE")
    assert "sigcube" in cache_folder().parts
