"""The explorer as a picture: ``python -m tests.explorer_picture RESULT`` rewrites ``docs/how-to/explorer.png``.

RESULT is that of `sigcube sweep si13_coherence_scale` on SPARC, with its cube beside it or in ``cubes/``.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.browser import Live

PICTURE = Path(__file__).parents[1] / "docs" / "how-to" / "explorer.png"


def draw(result: str, path: Path) -> None:
    """Open a result in the explorer, and write what its first screen shows."""
    command = [sys.executable, "-m", "sigcube", "explore", result, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None
            with tempfile.TemporaryDirectory() as folder, Live(Path(folder), size=(1480, 1040)) as page:
                page.goto(address[0])
                page.wait("window.Bokeh && Bokeh.documents.length > 0", seconds=120)
                time.sleep(8)
                page.settle(quiet=1.0)
                page.picture(Path(folder) / "page.png", full=False)
                with Image.open(Path(folder) / "page.png") as image:
                    # Few colours: a quarter of the bytes, and no difference to see.
                    image.convert("RGB").quantize(128).save(path, optimize=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    draw(sys.argv[1], PICTURE)
