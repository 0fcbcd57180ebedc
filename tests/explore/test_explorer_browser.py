"""The explorer in a real browser: it is loaded, pointed at, dragged and reloaded, while a sweep runs beside it."""

import http.client
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import KINDS
from sigcube.explore.explorer import Explorer
from sigcube.sweep import Sweep
from tests.browser import BROWSER, Live
from tests.explore.conftest import AXES
from tests.explore.test_hostile import EVIL, hostile_result, poison
from tests.synthetic_cubes import synthetic_cube

pytestmark = pytest.mark.browser

READY = "window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents[0].is_idle"
# What the tests look for, also in shadows; the place of a figure's frame; a column of a source.
HELPERS = """
window.within = (e) => [e, ...(e.shadowRoot ? deep(e.shadowRoot) : [])];
window.deep = (root) => [...root.querySelectorAll("*")].flatMap(within);
// The last one: of a figure that was replaced the browser keeps the models for a while.
window.named = (name) => [...Bokeh.documents[0]._all_models.values()].findLast((m) => m.name === name) ?? null;
window.frameOf = (model) => {
  const view = Bokeh.index.find_one(model), box = view.frame.bbox;
  const {left, top} = view.canvas_view.el.getBoundingClientRect();
  return [left + box.left, top + box.top, box.width, box.height];
};
window.said = () => deep(document).filter((e) => e.localName === "div" && !e.children.length).map((e) => e.textContent);
true
"""


# In a process of its own, as the command is: what else the tests have loaded, such as Panel, changes Bokeh's server.
SERVE = """
import pickle, sys
from sigcube.explore.explorer import Explorer
from sigcube.explore.explorer.server import serve_explorer

given = pickle.load(sys.stdin.buffer)
serve_explorer(Explorer(*given), ready=lambda address: print(address, "panel" in sys.modules, flush=True))
"""


@contextmanager
def serving(*given: Any) -> Iterator[str]:
    """Serve an explorer of a result, and a cube; yield its address."""
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pickle.dump(given, process.stdin)
        process.stdin.close()
        address, panel = process.stdout.readline().decode().split()
        try:
            assert panel == "False"
            yield address
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    if BROWSER is None:
        if os.environ.get("SIGCUBE_REQUIRE_ALL") == "1":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with Live(tmp_path_factory.mktemp("browser"), size=(1480, 1700)) as live:
        yield live


@pytest.fixture(scope="module")
def explorer(explored: Path) -> Explorer:
    return Explorer(explored)


@pytest.fixture(scope="module")
def address(explored: Path) -> Iterator[str]:
    with serving(explored) as found:
        yield found


def load(browser: Live, address: str) -> None:
    browser.console.clear()
    browser.goto("about:blank")
    browser.goto(address)
    browser.wait(READY)
    browser.eval(HELPERS)


def view(browser: Live) -> dict[str, str]:
    """What the address says."""
    return dict(parse_qsl(urlsplit(browser.eval("location.href")).query))


def wait_for(browser: Live, key: str, value: str) -> None:
    browser.wait(f"new URL(location.href).searchParams.getAll({key!r}).includes({value!r})")


def curve(browser: Live, column: str) -> np.ndarray:
    """Return a column of the figure of one system, as the browser holds it."""
    return np.array(browser.eval(f"[...named('one').data[{column!r}]]"))


def wanted_curve(explorer: Explorer, shown: dict[str, str], system: str) -> np.ndarray:
    """Return what the engine gives at the place that an address says."""
    place = {name: shown[f"a.{name}"] if name == "window" else float(shown[f"a.{name}"]) for name in AXES}
    live = explorer.data.live
    assert live is not None
    i = live.packed.systems.index(system)
    return live.points(place)["predicted"][live.packed.offsets[i] : live.packed.offsets[i + 1]]


def choose(browser: Live, menu: int, option: int) -> None:
    """Choose an option of a menu: the summary, the horizontal axis, the vertical axis."""
    code = f"""(() => {{
      const select = deep(document).filter((e) => e.localName === "select")[{menu}];
      select.selectedIndex = {option}; select.dispatchEvent(new Event("change"));
    }})()"""
    browser.eval(code)


def test_a_view_is_changed_in_every_way(browser: Live, address: str, explorer: Explorer) -> None:
    load(browser, address)
    system = explorer.data.systems[7]
    # A galaxy is searched.
    spot = "(() => { const q = deep(document).find((e) => e.placeholder?.startsWith('search')).getBoundingClientRect();"
    browser.click(*browser.eval(f"{spot} return [q.left + 20, q.top + 10]; }})()"))
    browser.call("Input.insertText", text=system)
    browser.key("Enter")
    wait_for(browser, "system", system)
    # A click on the map.
    left, top, width, height = browser.eval("frameOf(named('map'))")
    before = view(browser)
    browser.click(left + 0.7 * width, top + 0.4 * height)
    browser.wait(f"new URL(location.href).searchParams.get('a.A') !== {before['a.A']!r}")
    shown = view(browser)
    assert curve(browser, "a") == pytest.approx(wanted_curve(explorer, shown, system), rel=1e-6)
    assert float(shown["a.A"]) not in AXES["A"]
    # A slider is dragged.
    handles = "deep(document).filter((e) => e.classList.contains('noUi-handle')).map((e) => e.getBoundingClientRect())"
    x, y = browser.eval(f"(({{left, top}}) => [left + 7, top + 7])({handles}[0])")
    browser.mouse("moved", x, y)
    browser.mouse("pressed", x, y)
    for step in range(1, 8):
        browser.mouse("moved", x + 6 * step, y, held=True)
    browser.mouse("released", x + 42, y)
    browser.wait(f"new URL(location.href).searchParams.get('a.k') !== {shown['a.k']!r}")
    browser.settle()
    shown = view(browser)
    assert float(shown["a.k"]) not in AXES["k"]
    assert curve(browser, "a") == pytest.approx(wanted_curve(explorer, shown, system), rel=1e-6)
    assert browser.eval("said().some((text) => text.includes('Computed for this page, between grid points'))")
    # Another summary, and other axes.
    choose(browser, 0, list(explorer.offer.metrics).index("win_rate"))
    wait_for(browser, "metric", "win_rate")
    choose(browser, 1, list(explorer.offer.numeric).index("k"))
    wait_for(browser, "x", "k")
    browser.settle()
    assert browser.eval("named('map').below[0].axis_label").startswith("k")
    image = browser.eval(
        "[...named('map').renderers.filter((r) => r.glyph.type === 'Image')[1].data_source.data.image[0]]"
    )
    state = explorer.start.from_query(urlsplit(browser.eval("location.href")).query, explorer.offer, explorer.start)
    assert state.metric == "win_rate"
    assert image[0] == pytest.approx(explorer.data.map_values(state, explorer.offer).values[0, 0], rel=1e-6)
    # Galaxies are picked by a box on their scatter.
    left, top, width, height = browser.eval("frameOf(named('scatter'))")
    browser.mouse("moved", left + 2, top + 2)
    browser.mouse("pressed", left + 2, top + 2)
    for share in (0.3, 0.6, 0.98):
        browser.mouse("moved", left + share * width, top + share * height, held=True)
    browser.mouse("released", left + 0.98 * width, top + 0.98 * height)
    every = len(explorer.data.systems)
    browser.wait(f"new URL(location.href).searchParams.getAll('system').length > {every // 2}")
    browser.settle()
    # The address is the view: loaded again, it is the same.
    link, before_reload = browser.eval("location.href"), curve(browser, "a")
    assert browser.console == []
    load(browser, link)
    assert browser.eval("named('systems').selected.indices.length") > every // 2
    assert curve(browser, "a") == pytest.approx(before_reload, rel=0)
    assert browser.console == []


# Counts what a drag has Bokeh do; the places of A in the order in which the page is told of them.
COUNT = """
(() => {
  const whole = [...Bokeh.documents[0]._all_models.values()].find(
    (m) => m.type === "Figure" && m.renderers.some((r) => r.data_source === named("curves")));
  const {canvas_view} = Bokeh.index.find_one(whole);
  window.count = {below: 0, above: 0}; window.told = []; window.most = 0;
  for (const [name, layer] of [["below", canvas_view.primary], ["above", canvas_view.overlays]]) {
    const prepare = layer.prepare;
    layer.prepare = function () { window.count[name] += 1; return prepare.call(layer); };
  }
  window.samples = () => deep(canvas_view.el).filter((e) => e.localName === "canvas");
  window.first = samples();
  const marks = named("map").renderers.find((r) => r.level === "overlay").data_source;
  marks.properties.data.change.connect(() => told.push(marks.data.x[0]));
  const turns = named("turns");
  turns.properties.data.change.connect(() => {
    window.most = Math.max(most, turns.data.sent[0] - turns.data.drawn[0]);
  });
})()
"""
TIPS = "deep(document).filter((e) => e.classList.contains('bk-Tooltip')).length"


def test_a_drag_draws_the_newest_place_and_paints_what_changes_alone(browser: Live, address: str) -> None:
    load(browser, address)
    left, top, width, height = browser.eval("frameOf(named('map'))")
    first, y = left + 5, top + height / 2
    # What is below the pointer is said, until a button is held.
    browser.mouse("moved", first, y)
    browser.wait(f"{TIPS} > 0")
    browser.settle(quiet=0.6)
    browser.eval(COUNT)
    browser.mouse("pressed", first, y)
    steps = 40
    for step in range(1, steps + 1):
        browser.mouse("moved", first + (width - 10) * step / steps, y, held=True)
    browser.wait(f"{TIPS} === 0")
    browser.wait("told.length > 1 && named('turns').data.sent[0] === named('turns').data.drawn[0]")
    browser.mouse("released", left + width - 5, y)
    browser.settle(quiet=0.6)
    name = view(browser)["x"]
    # The end of the drag is drawn, and the address comes to say so; on a busy machine it may come a while later.
    place = f"Number(new URL(location.href).searchParams.get('a.{name}'))"
    browser.wait(f"Math.abs({place} / told.at(-1) - 1) < 1e-6")
    # No place is drawn after one that is farther along, and one change at a time.
    told = browser.eval("told")
    assert told == sorted(told)
    assert told[-1] > AXES[name][-1] * 0.9
    assert browser.eval("most") == 1
    # Axes, grid, legend and what is measured stay as they are painted.
    count = browser.eval("count")
    assert count["below"] == 0
    assert count["above"] > 1
    assert browser.eval("samples().every((e, i) => e === first[i])")
    assert browser.console == []


def listed(browser: Live) -> list[list[str]]:
    """Return the rows of the list of systems, as they are shown."""
    found = browser.eval("""deep(document).filter((e) => e.classList.contains("slick-row")).map((row) =>
      [row.style.top, ...[...row.children].map((cell) => cell.textContent)])""")
    rows = {row[1]: row[1:] for row in found if row[1].startswith("SYN")}
    return [rows[name] for name in sorted(rows)]


def test_the_list_and_the_legend_follow_the_models(browser: Live, survey: xr.Dataset, tmp_path: Path) -> None:
    """Without a reference there is nothing to compare A with before there is a model B."""
    axes = {"A": [0.5, 1.0, 1.5, 2.0], "xi_scale": [0.1, 0.2, 0.3]}
    sweep = Sweep(survey, kernel="sigma", sample="unflagged", axes=axes, dtype="float64", keep=["galaxy"])
    result = sweep.run(tmp_path / "out.zarr", workers=0)
    pressed = "((word) => { const e = deep(document).find((e) => e.localName === 'button' && e.textContent === word);"
    pressed += " const q = e.getBoundingClientRect(); return [q.left + q.width / 2, q.top + q.height / 2]; })"
    place = "(([x, y, w, h]) => [x + {} * w, y + {} * h])(frameOf(named('map')))"
    legend = "[...Bokeh.documents[0]._all_models.values()].filter((m) => m.type === 'LegendItem' && m.visible)"
    legend = f"{legend}.map((m) => m.label.value).filter((text) => text.startsWith('A, '))"

    def expected(**at: float) -> list[str]:
        rms = result["rms"].sel(**at, method="nearest")
        return [f"{value:.2f}" for value in rms.values]

    with serving(tmp_path / "out.zarr") as address:
        load(browser, address)
        browser.settle()
        before = listed(browser)
        assert all(len(row) == 2 for row in before)
        assert browser.eval(legend) == []
        browser.click(*browser.eval(f"{pressed}('grid points')"))
        # The middle of a cell: A = 1.5, ξ = 0.2.
        browser.click(*browser.eval(place.format(0.667, 0.5)))
        browser.settle(quiet=1.0)
        rows = listed(browser)
        names = [row[0] for row in rows]
        assert [row[1] for row in rows] == expected(A=1.5, xi_scale=0.2)[: len(rows)]
        assert rows != before
        browser.click(*browser.eval(f"{pressed}('B')"))
        browser.settle(quiet=1.0)
        browser.click(*browser.eval(place.format(0.333, 0.5)))
        browser.settle(quiet=1.0)
        rows = listed(browser)
        assert [row[0] for row in rows] == names
        assert [row[1] for row in rows] == expected(A=1.5, xi_scale=0.2)[: len(rows)]
        assert [row[2] for row in rows] == expected(A=1.0, xi_scale=0.2)[: len(rows)]
        assert sorted(browser.eval(legend)) == ["A, nearer", "A, not nearer"]
        assert browser.console == []
        browser.goto("about:blank")


# Whether what has the focus is in a table.
IN_TABLE = """(() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  return e.closest(".bk-data-table") !== null;
})()"""


def test_tab_passes_the_list_and_arrows_pick_in_it(browser: Live, address: str, explorer: Explorer) -> None:
    systems = explorer.data.systems
    load(browser, address)
    browser.settle()
    before = browser.eval("location.href")
    browser.eval("deep(document).find((e) => e.placeholder?.startsWith('search')).focus()")
    presses = 0
    while not browser.eval(IN_TABLE):
        assert presses < 6
        browser.key("Tab")
        presses += 1
    browser.key("Tab")
    browser.settle()
    assert not browser.eval(IN_TABLE)
    assert browser.eval("location.href") == before
    # Back to it: the first arrow starts at the top, and the next ones go on.
    browser.eval("deep(document).find((e) => e.placeholder?.startsWith('search')).focus()")
    for _ in range(presses):
        browser.key("Tab")
    for wanted in systems[:3]:
        browser.key("ArrowDown")
        wait_for(browser, "system", wanted)
    browser.key("ArrowUp")
    wait_for(browser, "system", systems[1])
    browser.settle()
    # With a row picked, Tab leaves as well, and keeps it.
    for _ in range(2):
        browser.key("Tab")
    browser.settle()
    assert not browser.eval(IN_TABLE)
    assert view(browser)["system"] == systems[1]
    assert browser.console == []


def test_the_address_is_in_the_address_alone(browser: Live, address: str) -> None:
    load(browser, address)
    browser.click(*browser.eval("(([x, y, w, h]) => [x + 0.3 * w, y + 0.3 * h])(frameOf(named('map')))"))
    browser.wait("location.search.includes('a.A')")
    shown = "deep(document).filter((e) => e.textContent.startsWith('metric=') && e.getClientRects().length)"
    assert browser.eval(f"{shown}.length") == 0


@pytest.mark.parametrize("width", [400, 900, 1300])
def test_figures_have_room_and_nothing_reaches_past_the_edge(width: int, browser: Live, address: str) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=1700, deviceScaleFactor=1, mobile=False)
    try:
        load(browser, f"{address}?tab=Profiles")
        browser.settle(quiet=0.6)
        figures = "[...Bokeh.documents[0]._all_models.values()].filter((m) => m.type === 'Figure')"
        widths = browser.eval(f"{figures}.filter((m) => Bokeh.index.find_one(m)).map((m) => frameOf(m)[2])")
        # The map, one galaxy and its residuals, all galaxies, the relation, the scatter, and three profiles.
        assert len(widths) == 9
        assert min(widths) > 160
        edges = "deep(document).filter((e) => e.localName === 'button').map((e) => e.getBoundingClientRect().right)"
        assert max(browser.eval(edges)) < width
        assert browser.eval("document.documentElement.scrollWidth") == width
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1480, height=1700, deviceScaleFactor=1, mobile=False)


def test_what_an_address_cannot_be_is_said(browser: Live, address: str) -> None:
    load(browser, f"{address}?metric=nothing")
    assert browser.eval("said().some((text) => text.includes(\"there is no metric 'nothing'\"))")
    assert browser.console == []


def test_a_running_sweep_fills_in(browser: Live, half: Path, explored_sweep: sigcube.Sweep) -> None:
    with serving(half) as found:
        load(browser, f"{found}?a.window=power&theme=dark")
        assert browser.eval("said().some((text) => text.includes('Not computed yet: 100%'))")
        assert browser.eval("said().some((text) => text.includes('1 of 2 blocks are done'))")
        explored_sweep.run(half, workers=0)
        browser.wait("!said().some((text) => text.includes('Not computed yet'))", seconds=20)
        # A map may be drawn from more than the journal held when the text was made; the next look follows in its time.
        browser.wait("!said().some((text) => text.includes('1 of 2 blocks are done'))", seconds=20)
        assert browser.console == []
        browser.goto("about:blank")


def answer(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", path, headers=headers)
    with closing(connection), connection.getresponse() as found:
        return found.status, dict(found.getheaders()), found.read() if found.status != 101 else b""


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_without_the_token_there_is_nothing(address: str) -> None:
    token = urlsplit(address).path
    assert len(token) > 30
    for path in (
        "/",
        "/ws",
        "/static/js/bokeh.min.js",
        "/export.html",
        f"/{'x' * 32}/",
        token.rstrip("/") + "x/",
        "//",
    ):
        assert answer(address, path)[0] == 403, path
        assert answer(address, path, **WEBSOCKET)[0] == 403, path
    assert answer(address, token)[0] == 200
    # A page of another origin that knew the token could not open the socket all the same.
    assert answer(address, f"{token}ws", Origin="http://elsewhere.example", **WEBSOCKET)[0] == 403
    assert urlsplit(address).hostname == "127.0.0.1"


def test_a_page_runs_its_own_scripts_alone(address: str) -> None:
    _, headers, body = answer(address, urlsplit(address).path)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in policy["script-src"]
    assert "sha256-" not in policy["script-src"]
    assert headers["Referrer-Policy"] == "no-referrer"
    # No address of elsewhere: what the page needs comes from this server.
    assert b"cdn." not in body
    assert b"https://" not in body


def test_the_view_is_saved_by_a_link(address: str, explorer: Explorer) -> None:
    path = urlsplit(address).path
    status, headers, body = answer(address, f"{path}export.html?{explorer.start.at(A=1.2345).to_query()}")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Disposition"].startswith("attachment")
    assert b"A = 1.2345" in body
    status, _, body = answer(address, f"{path}export.html?metric=nothing")
    assert (status, body.splitlines()[0]) == (400, b"there is no metric 'nothing'")


def hostile_galaxies() -> tuple[xr.Dataset, xr.Dataset]:
    cube = poison(synthetic_cube(KINDS["galaxy"], systems=6, points=8), names=False)
    # The fingerprint is of what was there before the texts were changed.
    cube = cube.assign_attrs({name: value for name, value in cube.attrs.items() if name != "fingerprint"})
    sweep = Sweep(
        cube, kernel="newton", axes={"upsilon_disk": [0.3, 0.5, 0.7], "gas": ["signed", "unsigned"]}, title=EVIL
    )
    return sweep.compute(), cube


@pytest.mark.parametrize("what", ["names and texts of a result", "galaxies and variables of a cube"])
def test_no_text_of_a_file_becomes_an_element_or_runs(what: str, browser: Live) -> None:
    given = (hostile_result(),) if what.startswith("names") else hostile_galaxies()
    explorer = Explorer(*given)
    with serving(*given) as found:
        load(browser, found)
        for tab in (*explorer.offer.tabs[1:], explorer.offer.tabs[0]):
            code = f"named('tabs').active = {list(explorer.offer.tabs).index(tab)}"
            browser.eval(code)
            wait_for(browser, "tab", tab)
            browser.settle()
            check_hostile(browser)
        # Whatever can be pointed at.
        for name in ("map", "scatter"):
            if browser.eval(f"named({name!r}) !== null"):
                left, top, width, height = browser.eval(f"frameOf(named({name!r}))")
                for share in (0.2, 0.5, 0.8):
                    browser.mouse("moved", left + share * width, top + share * height)
                    browser.settle()
                    check_hostile(browser)
        if explorer.data.systems:
            browser.eval("named('systems').selected.indices = [1, 2]")
            wait_for(browser, "system", explorer.data.systems[1])
            browser.settle()
            check_hostile(browser)
        assert [line for line in browser.console if "canary" not in line] == []
        browser.goto("about:blank")


def check_hostile(browser: Live) -> None:
    found = browser.eval("""({
      hacked: window.hacked ?? null,
      made: deep(document).filter((e) => ["u-canary", "img", "u-c"].includes(e.localName)).length,
      shown: deep(document).filter((e) => !e.children.length && e.textContent.includes("<u-canary>")).length,
    })""")
    assert (found["hacked"], found["made"]) == (None, 0)
    assert found["shown"] > 3, json.dumps(found)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_serves_until_it_is_told_to_end(sent: signal.Signals, code: int, explored: Path) -> None:
    command = [sys.executable, "-m", "sigcube", "explore", str(explored), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("explore it: http://127.0.0.1:"), line
    address = line.removeprefix("explore it: ").strip()
    assert answer(address, "/")[0] == 403
    time.sleep(0.1)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (code, "the explorer is closed\n")
