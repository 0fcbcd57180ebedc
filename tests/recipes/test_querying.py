import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from sigcube.cli.catalogue import unexpected_counts
from sigcube.cube import open_cube
from sigcube.errors import FetchError
from sigcube.readers.stars import StarCuts
from sigcube.recipes import Recipe, fetch, ingest, load_recipe, querying
from sigcube.recipes.querying import ask
from tests.readers.mock_stars import mock_stars

LABELS = ["a", "b"]


class Archive(ThreadingHTTPServer):
    """A TAP service that works on one job, in the way that the test asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = b"a,b\n1,2\n"
        self.phases = ["QUEUED", "EXECUTING", "COMPLETED"]
        self.takes = 303
        self.cut = 0
        self.asked: list[tuple[str, str]] = []
        self.question: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/tap"


class Handler(BaseHTTPRequestHandler):
    server: Archive

    def _send(self, status: int, content: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.asked.append(("POST", self.path))
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.question = {name: values[0] for name, values in parse_qs(body).items()}
        if self.server.takes == 303:
            # The standard allows an address without a host.
            self._send(303, b"", Location="/tap/async/job1")
        else:
            self._send(self.server.takes, b"<html><b>Unknown</b> table gaia_sauce</html>")

    def do_GET(self) -> None:
        self.server.asked.append(("GET", self.path))
        if self.path == "/tap/async/job1/phase":
            phases = self.server.phases
            self._send(200, (phases.pop(0) if len(phases) > 1 else phases[0]).encode() + b"\n")
        elif self.path == "/tap/async/job1/error":
            self._send(200, b"<VOTABLE><INFO>out of\n memory</INFO></VOTABLE>")
        elif self.path == "/tap/async/job1/results/result":
            answer, asked = self.server.answer, self.headers.get("Range")
            if asked:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                rest = {"Content-Range": f"bytes {start}-{len(answer) - 1}/{len(answer)}"}
                self._send(206, answer[start:], **rest)
            else:
                self._send(200, answer[: len(answer) - self.server.cut], length=len(answer))
        else:
            self._send(404, b"")

    def do_DELETE(self) -> None:
        self.server.asked.append(("DELETE", self.path))
        self._send(303, b"", Location="/tap/async")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def quickly(archive: Archive, path: Path, **rest: Any) -> None:
    ask(archive.url, "SELECT a, b FROM t", path, **{"labels": LABELS, "first_wait": 0.01, "timeout": 60.0, **rest})


def test_an_answer_is_kept(archive: Archive, tmp_path: Path) -> None:
    quickly(archive, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"a,b\n1,2\n"
    assert archive.question == {
        "REQUEST": "doQuery",
        "LANG": "ADQL",
        "FORMAT": "csv",
        "PHASE": "RUN",
        "QUERY": "SELECT a, b FROM t",
    }
    # Three looks at the phase, one at the result, and the job is handed back.
    assert [verb for verb, _ in archive.asked] == ["POST", "GET", "GET", "GET", "GET", "DELETE"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("set_up", "message"),
    [
        ({"takes": 400}, r"does not take the query\n  where: .*/tap/async\n  found: 400 .*: Unknown table gaia_sauce"),
        ({"takes": 500}, r"does not take the query\n.*\n  found: 500"),
        ({"phases": ["EXECUTING", "ERROR"]}, r"failed at the query\n.*\n  found: phase ERROR: out of memory"),
        ({"phases": ["ABORTED"]}, r"failed at the query\n.*\n  found: phase ABORTED"),
        ({"phases": ["QUEUED"]}, r"not done with the query\n.*\n  found: phase QUEUED after 0.05 s"),
        ({"answer": b"a,c\n1,2\n"}, r"the answer lacks column b\n.*\n  found: a,c\n  expected: a,b"),
        ({"answer": b"<html>maintenance</html>\n"}, "the answer lacks column a, b"),
        ({"answer": b""}, "the answer lacks column a, b"),
        ({"answer": b"a,b\n1,2\n3"}, "the answer breaks off"),
    ],
)
def test_what_goes_wrong_is_told_and_nothing_is_kept(
    set_up: dict[str, Any], message: str, archive: Archive, tmp_path: Path
) -> None:
    for name, value in set_up.items():
        setattr(archive, name, value)
    # Only the job that never ends is to be given up soon: on a busy machine, the others may take their time.
    patience = 0.05 if archive.phases == ["QUEUED"] else 60.0
    with pytest.raises(FetchError, match=message):
        quickly(archive, tmp_path / "t.csv", patience=patience)
    assert list(tmp_path.iterdir()) == []
    assert archive.takes != 303 or archive.asked[-1][0] == "DELETE"


def test_what_is_left_of_another_answer_is_not_continued(archive: Archive, tmp_path: Path) -> None:
    with querying.partial_file(tmp_path / "t.csv", querying._key(archive.url, "SELECT a, b FROM t")) as part:
        part.write_bytes(b"a,b\n9")
    quickly(archive, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == archive.answer
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


@pytest.fixture
def recipe(archive: Archive) -> Recipe:
    """The recipe of Gaia, with this archive."""
    gaia = load_recipe("gaia")
    file = gaia.files["stars"].model_copy(update={"url": archive.url})
    return gaia.model_copy(update={"files": {"stars": file}, "cuts": StarCuts(min_stars=1)})


@pytest.mark.slow
def test_stars_are_fetched_once_and_ingested(
    archive: Archive, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "cache"))
    # Without the line that says so, as an archive answers.
    _, _, answer = mock_stars(tmp_path / "stars.csv", n_stars=200, seed=1).read_bytes().partition(b"\n")
    archive.answer = answer
    cube = open_cube(ingest(recipe, out=tmp_path / "cube.zarr", progress=False))
    assert cube.sizes["star"] == 200
    # Nobody knows beforehand how many stars an archive finds.
    assert unexpected_counts(recipe, tmp_path / "cube.zarr") == ""
    assert "gaiadr3.gaia_source" in archive.question["QUERY"]
    (file,) = json.loads(cube.attrs["raw_files"])
    assert (file["name"], file["official"]) == ("gaia_dr3.csv", False)
    archive.asked.clear()
    again = open_cube(ingest(recipe, out=tmp_path / "again.zarr", progress=False))
    assert archive.asked == []
    assert again.attrs["fingerprint"] == cube.attrs["fingerprint"]


@pytest.mark.slow
def test_another_question_is_asked_anew(archive: Archive, recipe: Recipe, tmp_path: Path) -> None:
    archive.answer = mock_stars(tmp_path / "s.csv", n_stars=5, seed=1).read_bytes().partition(b"\n")[2]
    one = fetch(recipe, cache=tmp_path / "cache", progress=False)["stars"]
    file = recipe.files["stars"].model_copy(update={"query": "SELECT TOP 5 * FROM gaiadr3.gaia_source"})
    other = fetch(recipe.model_copy(update={"files": {"stars": file}}), cache=tmp_path / "cache", progress=False)
    assert one != other["stars"]
    assert archive.question["QUERY"].startswith("SELECT TOP 5")


@pytest.mark.slow
def test_a_download_that_breaks_off_leaves_nothing(archive: Archive, recipe: Recipe, tmp_path: Path) -> None:
    archive.answer, archive.cut = b"x" * 1000, 500
    with pytest.raises(FetchError, match=r"gaia_dr3.csv could not be downloaded\n(.*\n)*  do: try again later"):
        fetch(recipe, cache=tmp_path, progress=False)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_archive_that_is_away(recipe: Recipe, tmp_path: Path) -> None:
    file = recipe.files["stars"].model_copy(update={"url": "http://127.0.0.1:9/tap"})
    with pytest.raises(FetchError, match=r"gaia_dr3.csv could not be downloaded\n.*\n  found: no connection"):
        fetch(recipe.model_copy(update={"files": {"stars": file}}), cache=tmp_path, progress=False)
