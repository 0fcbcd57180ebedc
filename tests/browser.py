"""A real browser, without a window and without a network."""

import base64
import hashlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["BROWSER", "Live", "Shoot", "open_page"]

BROWSER = shutil.which("chromium")
Shoot = Callable[..., tuple[str, np.ndarray]]

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
# A window is at least so wide; a page that shall be narrower, as on a phone, is shown in a frame.
_NARROWEST = 500
_FRAME = '<body style="margin: 0"><iframe src="page.html" width="{}" height="{}" style="border: 0; display: block">'


def open_page(
    page: Path, script: str = "", *, size: tuple[int, int] = (1480, 1500), seconds: int = 10
) -> tuple[str, np.ndarray]:
    """Open a page in Chromium, with a script after all others: its console lines, and its picture.

    Of the page's own time, ``seconds`` pass; what waits takes none of ours.
    """
    assert BROWSER is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, _, after = page.read_text(encoding="utf-8").rpartition("</body>")
        # The page lets no scripts run but its own, and this one.
        allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        before = before.replace("script-src ", f"script-src 'sha256-{allowed}' ", 1)
        (folder / "page.html").write_text(f"{before}<script>{script}</script></body>{after}", encoding="utf-8")
        (folder / "frame.html").write_text(_FRAME.format(*size), encoding="utf-8")
        options = [
            *("--headless", *OPTIONS, "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND"),
            *("--enable-logging=stderr", f"--virtual-time-budget={1000 * seconds}"),
            *(f"--user-data-dir={folder / 'user'}", f"--window-size={max(size[0], _NARROWEST)},{size[1]}"),
            f"--screenshot={folder / 'page.png'}",
        ]
        first = "frame.html" if size[0] < _NARROWEST else "page.html"
        done = subprocess.run(
            [BROWSER, *options, (folder / first).as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        with Image.open(folder / "page.png") as image:
            return console, np.asarray(image.convert("RGB"))[:, : size[0]]


class Live:
    """A page in a browser that stays open: it is driven by the DevTools protocol, over a pipe.

    Parameters
    ----------
    folder : Path
        Where the browser keeps what it needs.
    size : tuple of int
        Of the window.
    """

    def __init__(self, folder: Path, *, size: tuple[int, int] = (1480, 1000)) -> None:
        assert BROWSER is not None
        options = ["--headless=new", *OPTIONS, "--remote-debugging-pipe", "--hide-scrollbars"]
        options += [f"--user-data-dir={folder / 'user'}", f"--window-size={size[0]},{size[1]}", "about:blank"]
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()

        def place() -> None:
            # The browser reads from 3 and writes to 4.
            low, high = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self._process = subprocess.Popen(
            [BROWSER, *options], preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._out, self._in, self._rest, self._number = ours_out, ours_in, b"", 0
        self.console: list[str] = []
        self._session = ""
        (target,) = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.call("Browser.close")
        os.close(self._out)
        self._process.wait(timeout=20)
        os.close(self._in)

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol; what the page says meanwhile is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._hear(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], 60)
            assert ready, "the browser does not answer"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def _hear(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(each.get("value", each.get("description"))) for each in params["args"]))
        elif event.get("method") == "Runtime.exceptionThrown":
            self.console.append(json.dumps(params["exceptionDetails"])[:2000])
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.console.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def goto(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def eval(self, code: str) -> Any:
        """Return the value of an expression, awaited."""
        found = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, *, seconds: float = 30) -> Any:
        """Wait until an expression is true, and return its value."""
        end = time.monotonic() + seconds
        while not (found := self.eval(condition)):
            assert time.monotonic() < end, f"not within {seconds} s: {condition}; {self.console}"
            time.sleep(0.02)
        return found

    def mouse(self, kind: str, x: float, y: float, *, held: bool = False) -> None:
        """Send ``pressed``, ``moved`` or ``released`` at a place of the window."""
        pressed = {"button": "left", "buttons": 1} if held or kind != "moved" else {}
        count = {"clickCount": 1} if kind != "moved" else {}
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind.capitalize()}", x=x, y=y, **pressed, **count)

    def click(self, x: float, y: float) -> None:
        for kind in ("moved", "pressed", "released"):
            self.mouse(kind, x, y)

    def key(self, name: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13, "ArrowUp": 38, "ArrowDown": 40}[name]
            text = {"text": "\r"} if name == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **text)

    def settle(self, *, quiet: float = 0.15) -> None:
        """Wait until the page has drawn what arrived, and nothing more arrives."""
        frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        before = None
        while before != (now := self.eval("window.Bokeh ? location.href : ''")):
            before = now
            time.sleep(quiet)
            self.eval(frames)

    @property
    def pid(self) -> int:
        """The number of the browser's process."""
        return self._process.pid

    def picture(self, path: Path, *, full: bool = True) -> None:
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(found["data"]))
