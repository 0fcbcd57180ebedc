"""A real browser, without a window and without a network."""

import base64
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["BROWSER", "Shoot", "open_page"]

BROWSER = shutil.which("chromium")
Shoot = Callable[..., tuple[str, np.ndarray]]

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
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
            *(
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--enable-logging=stderr",
                f"--virtual-time-budget={1000 * seconds}",
            ),
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
