import ftplib
import hashlib
import multiprocessing
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sigcube.errors import FetchError
from sigcube.recipes import Recipe, cache_folder, fetch, load_recipe
from sigcube.recipes.downloading import CHUNK

CONTENT = bytes(range(256)) * 2000
# What arrives is written in pieces, and the last one of a download that breaks off is lost.
HALF = 4 * CHUNK
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

    def serve_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        # Until its client hangs up.
        while True:
            self.wfile.write(CONTENT)

    def serve_moved(self) -> None:
        self.send_response(301)
        self.send_header("Location", "/good")
        self.end_headers()

    def serve_loop(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/loop")
        self.end_headers()

    def _serve_ranges(self, most: int, *, lie: int = 0) -> None:
        """Send at most so many bytes from the place that was asked for, and break off; or from another place."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.server.ranges.append(start)  # type: ignore[attr-defined]
        if asked and start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {start + lie}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + most])

    def serve_whole_by_range(self) -> None:
        self._serve_ranges(len(CONTENT))

    def serve_half_by_range(self) -> None:
        self._serve_ranges(HALF)

    def serve_little_by_range(self) -> None:
        self._serve_ranges(CHUNK)

    def serve_elsewhere(self) -> None:
        self._serve_ranges(len(CONTENT), lie=7)

    def serve_first_half_then_nothing(self) -> None:
        self._serve_ranges(0 if "Range" in self.headers else HALF)

    def serve_hang(self) -> None:
        """Send half and then nothing, for its client to be killed meanwhile."""
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:HALF])
        time.sleep(20)

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
        self.ranges: list[int] = []

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
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


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


def test_a_server_that_never_stops_is_cut_off(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"more arrives than can be taken\n.*/endless\n  found: over 512,000 bytes"):
        fetch(_recipe(server.address("endless")), cache=tmp_path, progress=False)
    assert _files(tmp_path) == []


def test_a_download_of_unknown_length_leaves_the_disk_room(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(server.address("endless"))
    files = {"curves": recipe.files["curves"].model_copy(update={"size": None})}
    monkeypatch.setattr("sigcube.recipes.downloading.free_space", lambda path: (1 << 30) + 1000)
    with pytest.raises(FetchError, match=r"found: over 1,000 bytes\n  expected: less, as a gigabyte"):
        fetch(recipe.model_copy(update={"files": files}), cache=tmp_path, progress=False)
    assert _files(tmp_path) == []


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


@pytest.mark.slow
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


PART = f"sparc/.a.bin.{SHA}.part"


def _left(folder: Path, content: bytes, *, owner: str = "") -> None:
    """Put there what an earlier attempt left."""
    part = folder / (PART.replace(".part", f".{owner}.part") if owner else PART)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "left", "ranges"),
    [
        ("whole-by-range", CONTENT[:100], [100]),  # the rest
        ("half-by-range", b"", [0, HALF]),  # breaks off in the middle: the rest at once
        ("half-by-range", CONTENT[:HALF], [HALF]),
        ("whole-by-range", CONTENT, []),  # all of it had arrived
        ("whole-by-range", CONTENT[:-1] + b"x", [len(CONTENT), 0]),  # as long, and wrong: anew
        ("whole-by-range", CONTENT + b"x", [len(CONTENT) + 1, 0]),  # too long
        ("whole-by-range", b"spoilt", [6, 0]),  # what was left was wrong
        ("elsewhere", CONTENT[:100], [100, 0]),  # a server that sends another place
    ],
)
def test_a_download_goes_on_where_it_broke_off(
    path: str, left: bytes, ranges: list[int], server: Server, tmp_path: Path
) -> None:
    if left:
        _left(tmp_path, left)
    assert fetch(_recipe(server.address(path)), cache=tmp_path, progress=False)["curves"].read_bytes() == CONTENT
    assert server.ranges == ranges
    assert _files(tmp_path) == ["sparc/a.bin"]


@pytest.mark.parametrize("path", ["good", "unsaid-length", "moved"])
def test_a_server_that_cannot_go_on_sends_all_of_it_again(path: str, server: Server, tmp_path: Path) -> None:
    _left(tmp_path, CONTENT[:100])
    assert fetch(_recipe(server.address(path)), cache=tmp_path, progress=False)["curves"].read_bytes() == CONTENT
    assert _files(tmp_path) == ["sparc/a.bin"]


def test_what_arrived_is_kept_hidden_for_the_next_attempt(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        FetchError, match=r"the connection broke off(.*\n)*  do: .* the 262144 bytes that arrived are kept"
    ):
        fetch(_recipe(server.address("first-half-then-nothing")), cache=tmp_path, progress=False)
    assert _files(tmp_path) == [PART]
    # The server is gone for a while, and that loses nothing.
    with pytest.raises(FetchError, match="500"):
        fetch(_recipe(server.address("broken")), cache=tmp_path, progress=False)
    assert (tmp_path / PART).read_bytes() == CONTENT[:HALF]
    server.ranges.clear()
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [HALF]
    assert _files(tmp_path) == ["sparc/a.bin"]


def test_attempts_come_to_an_end(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(FetchError, match="the connection broke off") if len(server.ranges) < 5 else nullcontext():
            fetch(_recipe(server.address("little-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [CHUNK * i for i in range(8)]


def test_a_part_of_another_file_is_left_alone(server: Server, tmp_path: Path) -> None:
    other = tmp_path / PART.replace(SHA, "0" * 64)
    other.parent.mkdir()
    other.write_bytes(b"another edition")
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [0]
    assert other.read_bytes() == b"another edition"


@pytest.mark.slow
def test_what_a_process_that_was_killed_left_is_taken_over(server: Server, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_fetch_elsewhere, args=(server.address("hang"), tmp_path))
    process.start()
    deadline = time.monotonic() + 60
    while not any(each.stat().st_size == HALF for each in tmp_path.rglob("*.part")):
        assert time.monotonic() < deadline
        assert process.is_alive()
        time.sleep(0.05)
    # While it lives, nobody else touches its part.
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path / "other", progress=False)
    assert len(list((tmp_path / "sparc").glob(f".a.bin.{SHA}.*.{process.pid}.*.part"))) == 1
    process.kill()
    process.join(30)
    server.ranges.clear()
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [HALF]
    assert _files(tmp_path / "sparc") == ["a.bin"]


@pytest.mark.parametrize(
    ("owner", "taken"),
    [
        (f"{socket.gethostname()}.{os.getpid()}.0a0a0a0a", False),  # a process that lives
        (f"{socket.gethostname()}.999999999.0a0a0a0a", True),  # one that does not
        ("elsewhere.999999999.0a0a0a0a", False),  # one of another machine, which may live
        (f"{socket.gethostname()}.me.0a0a0a0a", False),  # not a name of ours
    ],
    ids=["alive", "dead", "elsewhere", "not ours"],
)
def test_only_what_belongs_to_nobody_is_taken_over(owner: str, taken: bool, server: Server, tmp_path: Path) -> None:
    _left(tmp_path, CONTENT[:100], owner=owner)
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [100 if taken else 0]
    assert len(_files(tmp_path)) == (1 if taken else 2)


def test_a_process_with_the_number_of_one_that_is_gone_does_not_own_its_part(server: Server, tmp_path: Path) -> None:
    _left(tmp_path, CONTENT[:100], owner=f"{socket.gethostname()}.{os.getpid()}.0a0a0a0a")
    os.utime(next(tmp_path.rglob("*.part")), (1e9, 1e9))
    fetch(_recipe(server.address("whole-by-range")), cache=tmp_path, progress=False)
    assert server.ranges == [100]


@pytest.mark.slow
def test_processes_that_find_one_part_do_not_harm_each_other(server: Server, tmp_path: Path) -> None:
    _left(tmp_path, CONTENT[:100])
    context = multiprocessing.get_context("spawn")
    address = server.address("half-by-range")
    processes = [context.Process(target=_fetch_elsewhere, args=(address, tmp_path)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert server.ranges.count(100) <= 1
    assert (tmp_path / "sparc" / "a.bin").read_bytes() == CONTENT
    assert _files(tmp_path) == ["sparc/a.bin"]


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


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://example.org/a.bin", ftplib.error_perm("550 no such file")),
        ("ftp://example.org/a.bin", ConnectionRefusedError(111, "refused")),
        ("doi:10.5281/zenodo.1/a.bin", ValueError("no such repository")),
    ],
)
def test_what_other_protocols_raise_is_one_clear_error(
    url: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise error

    for name in ("FTPDownloader", "DOIDownloader"):
        monkeypatch.setattr(f"pooch.downloaders.{name}.__call__", broken)
    with pytest.raises(FetchError, match=rf"a.bin could not be downloaded\n  where: {url}\n  found: .*(such|refused)"):
        fetch(_recipe(url), cache=tmp_path, progress=False)
    assert _files(tmp_path) == []
