"""The explorer on a result of a hundred million points: from the mouse to the drawn frame, in a browser.

``python -m tests.benchmarks.bench_explorer [CUBE] [--quick]`` runs this benchmark alone.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import xarray as xr

import sigcube
from tests.benchmarks.bench_questions import write_result
from tests.benchmarks.harness import Part, table
from tests.browser import BROWSER, Live

__all__ = ["run"]

# Set when a change of the page has been drawn: two frames after the curves of all systems got new values.
_WATCH = """
(() => {
  window.took = []; window.since = 0; window.drawn = false;
  for (const kind of ["pointerup", "pointermove"]) {
    document.addEventListener(kind, (e) => { if (!window.since) window.since = e.timeStamp; }, true);
  }
  const curves = Bokeh.documents[0].get_model_by_name("curves");
  curves.properties.data.change.connect(() => {
    const since = window.since;
    if (!since) return;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      window.took.push(performance.now() - since); window.since = 0; window.drawn = true;
    }));
  });
})()
"""
_MAP = """
(() => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("map")), box = view.frame.bbox;
  const {left, top} = view.canvas_view.el.getBoundingClientRect();
  return [left + box.left, top + box.top, box.width, box.height];
})()
"""
_HANDLES = """
(() => {
  const within = (e) => [e, ...(e.shadowRoot ? deep(e.shadowRoot) : [])];
  const deep = (root) => [...root.querySelectorAll("*")].flatMap(within);
  const found = deep(document).filter((e) => e.classList.contains("noUi-handle"));
  return found.map((e) => e.getBoundingClientRect()).map(({left, top}) => [left + 7, top + 7]);
})()
"""
_HEAD = ["", "drawn", "median ms", "95 % within ms", "CPU ms of the server", "CPU ms of the browser"]
# Clicks that follow sooner are double clicks.
_APART = 0.35


def run(cube: xr.Dataset, folder: Path, *, quick: bool) -> tuple[list[Part], dict[str, float]]:
    """Open a page, click, drag and slide; return the report and the figures for the summary."""
    if BROWSER is None:
        return [], {}
    n = 30 if quick else 100
    store = folder / "explored.zarr"
    write_result(cube, store, n)
    with _served(store) as (address, server), tempfile.TemporaryDirectory() as own, Live(Path(own)) as browser:
        first = _first_view(browser, address)
        again = _first_view(browser, address)
        found, used = {}, {}
        for name, act in _ACTS.items():
            before = _cpu(server), _cpu(browser.pid)
            found[name] = act(browser)
            each = max(1, len(found[name]))
            used[name] = [
                (now - then) / each * 1000 for now, then in zip((_cpu(server), _cpu(browser.pid)), before, strict=True)
            ]
    rows = [[name, "1", f"{taken * 1000:.0f}", "", "", ""] for name, taken in (("first view", first), ("again", again))]
    rows += [
        [name, str(len(ms)), f"{statistics.median(ms):.0f}", f"{_p95(ms):.0f}", *(f"{cpu:.0f}" for cpu in used[name])]
        for name, ms in found.items()
    ]
    text = (
        f"A result of {n**4:,} grid points, 171 galaxies with 3,373 points. From the event of the pointer to the "
        "second frame after the curves of all galaxies have changed, in Chromium without a window and without a GPU; "
        "server and browser share the cores. CPU times are for each drawn change, and depend less on other load."
    )
    part = Part("Explorer", [text, "", *table(_HEAD, rows)])
    return [part], {f"explorer, {name}: ms, 95 % within": _p95(ms) for name, ms in found.items()}


@contextmanager
def _served(store: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "sigcube", "explore", str(store), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("explore it: ").strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _cpu(pid: int) -> float:
    """Return the CPU time [s] of a process and those that it started."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _first_view(browser: Live, address: str) -> float:
    """Return the time [s] until every figure is drawn."""
    browser.goto("about:blank")
    start = time.perf_counter()
    browser.goto(address)
    browser.wait("window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents[0].is_idle", seconds=120)
    taken = time.perf_counter() - start
    time.sleep(1.0)
    browser.eval(_WATCH)
    return taken


def _click(browser: Live) -> list[float]:
    left, top, width, height = browser.eval(_MAP)
    rng = np.random.default_rng(1)
    browser.eval("window.took = []")
    for x, y in rng.uniform(0.05, 0.95, (25, 2)):
        at = left + x * width, top + y * height
        browser.mouse("moved", *at)
        browser.eval("window.since = 0; window.drawn = false")
        browser.mouse("pressed", *at)
        browser.mouse("released", *at)
        browser.wait("window.drawn")
        time.sleep(_APART)
    return [float(each) for each in browser.eval("window.took")]


def _drag(browser: Live) -> list[float]:
    left, top, width, height = browser.eval(_MAP)
    return _dragged(browser, left + 5, top + height / 2, [(width - 10) * i / 120 for i in range(1, 121)])


def _slide(browser: Live) -> list[float]:
    # Of the four axes that are not on the map.
    x, y = browser.eval(_HANDLES)[2]
    there, back = [*range(0, 80, 2)], [*range(80, -80, -2)]
    return _dragged(browser, x, y, [*there, *back])


def _dragged(browser: Live, x: float, y: float, steps: list[float]) -> list[float]:
    browser.mouse("moved", x, y)
    browser.eval("window.took = []; window.since = 0")
    browser.mouse("pressed", x, y)
    for step in steps:
        browser.mouse("moved", x + step, y, held=True)
        time.sleep(0.03)
    browser.mouse("released", x + steps[-1], y)
    time.sleep(1.0)
    return [float(each) for each in browser.eval("window.took")]


_ACTS: dict[str, Callable[[Live], list[float]]] = {
    "click on the map": _click,
    "drag on the map": _drag,
    "drag of a slider, map computed between grid points": _slide,
}


def _p95(times: list[float]) -> float:
    return float(np.percentile(times, 95))


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__)
    PARSER.add_argument("cube", type=Path, nargs="?", default=Path("cubes/sparc.zarr"))
    PARSER.add_argument("--quick", action="store_true")
    CHOSEN = PARSER.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigcube-bench-") as scratch:
        PARTS, _ = run(sigcube.open_cube(CHOSEN.cube), Path(scratch), quick=CHOSEN.quick)
    print("\n".join(line for part in PARTS for line in part.lines))
