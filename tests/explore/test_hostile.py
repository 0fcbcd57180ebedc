"""Files from elsewhere: no text of theirs becomes markup or a script of a page, and none can fetch anything."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from bokeh.models import (
    CheckboxGroup,
    DataTable,
    Div,
    HoverTool,
    HTMLTemplateFormatter,
    Paragraph,
    Select,
    Slider,
    TableColumn,
    TextInput,
    Tooltip,
)
from bokeh.models.dom import HTML
from bokeh.plotting import figure

from sigcube.analysis import compare, posterior, preferences, robustness, specification_curve
from sigcube.claims import Claim, judge
from sigcube.claims.quantities.base import Found
from sigcube.cube import KINDS, save_cube
from sigcube.explore import (
    Card,
    CardTable,
    Mark,
    comparison_page,
    cube_page,
    curve_page,
    fit_page,
    index_page,
    page,
    posterior_page,
    preferences_page,
    result_page,
    write_page,
)
from sigcube.explore.galaxy_plots import comparison_cards
from sigcube.explore.ledger_page import claims_page
from sigcube.explore.page import Link
from sigcube.kernels import KERNELS
from tests.analysis.test_preferences import PRIOR, random_likelihoods
from tests.browser import Shoot
from tests.explore.test_claims_page import entry, one
from tests.results import small_fit, small_result
from tests.synthetic_cubes import synthetic_cube

# Every kind of page is made from hostile files, and hvPlot takes seconds to import.
pytestmark = pytest.mark.slow

# An element that nothing else makes; scripts of all sorts; what Bokeh and MathJax take for placeholders and formulas;
# and characters that end strings and scripts.
EVIL = (
    "<u-canary>x</u-canary><img src=x onerror='window.hacked=1'><script>window.hacked=1</script></script><!--"
    "\"'`>&lt;${window.hacked=1}{{7*7}}$$\\href{javascript:window.hacked=1}{x}$$@{name}{safe}@name$x\u2028"
)


# What can be the name of a folder too.
EVIL_NAME = "own<u-canary><img src=x onerror=window.hacked=1>"


def evil(name: object) -> str:
    return f"{name}{EVIL}"


def poison(data: xr.Dataset, *, names: bool = True) -> xr.Dataset:
    """Put the canary into every text: attributes, values and, where no schema forbids it, names."""
    kept = {"best", "kind", "flag_meanings", "recipe", "samples", "raw_files", "sigcube_version", "synthetic", "units"}

    def attrs(own: Mapping[str, Any]) -> dict[str, Any]:
        texts = {key: evil(value) for key, value in own.items() if isinstance(value, str) and key not in kept}
        units = {"units": evil(own.get("units", ""))} if names else {}
        return {**own, **texts, **units}

    def variable(own: xr.Variable) -> xr.Variable:
        values = np.vectorize(evil, otypes=[object])(own.values) if own.dtype.kind == "O" else own.values
        return xr.Variable(own.dims, values, attrs(own.attrs))

    texts = {key: value if key in kept else evil(value) for key, value in data.attrs.items()}
    content = {name: variable(own) for name, own in data.variables.items()}
    changed = xr.Dataset(content, attrs={**texts, "citation": evil("citation"), "title": evil("synthetic")})
    changed = changed.set_coords(list(data.coords))
    if not names:
        unflagged = json.loads(data.attrs["samples"])["unflagged"]
        samples = {evil("sample"): {**unflagged, "description": evil("about")}}
        raw = [{"name": evil("file"), "sha256": "0" * 64, "official": False}]
        own = changed.variables[next(name for name, each in changed.data_vars.items() if each.dtype == np.float64)]
        changed[EVIL_NAME] = own.copy(deep=True)
        return changed.assign_attrs(samples=json.dumps(samples), raw_files=json.dumps(raw))
    given = {*data.dims, *data.variables} - {"status", "model", "parameter"}
    return changed.rename({name: evil(name) for name in given}).assign_attrs(
        spec=json.dumps({"kernel": evil("kernel"), "parameters": {evil("fixed"): evil("value")}}),
        versions=json.dumps({"sigcube": evil("version")}),
    )


def hostile_result() -> xr.Dataset:
    return poison(small_result())


def hostile_fit() -> xr.Dataset:
    fit = poison(small_fit())
    return fit.rename({evil(f"{name}_error"): f"{evil(name)}_error" for name in ("A", "xi", "c")})


def hostile_claim() -> Any:
    reading = {**one(), "name": evil("reading")}
    (claim,) = [judged.claim for judged in [entry(_claim(reading), 2.0)]]
    changed = claim.model_copy(
        update={
            "statement": evil("statement"),
            "where": evil("where"),
            "note": evil("note"),
            "unit": evil("unit"),
            "source": claim.source.model_copy(update={"name": evil("paper"), "title": evil("title")}),
        }
    )
    found = Found(2.0, {evil("data"): evil("mark")}, evil("spec"), evil("again"))
    return judge(changed, [type(entry(claim, 2.0).outcomes[0])("found", found)])


def _claim(reading: Mapping[str, Any]) -> Claim:
    from tests.claims.rows import claim_of

    return claim_of(reading, id="a.one", published="1.0")


def cube_of(kind: str) -> Callable[[Path], object]:
    def write(page: Path) -> object:
        points = 400 if kind == "star" else 8
        cube = poison(synthetic_cube(KINDS[kind], systems=6, points=points), names=False)
        return cube_page(save_cube(cube, page.with_suffix(".zarr")), page)

    return write


def page_of_comparison(page: Path) -> object:
    cube = poison(synthetic_cube(KINDS["galaxy"], points=8), names=False)
    models = {name: KERNELS["newton"].predict(cube) * k for k, name in enumerate("abc", 1)}
    cards = comparison_cards(
        cube, {evil(name): each for name, each in models.items()}, best=evil("a"), against=evil("b")
    )
    table = CardTable((evil("head"), evil(">number")), [(Link(evil("link"), f"javascript:{EVIL}"), evil("cell"))])
    cards.append(Card(evil("card"), evil("text"), table=table))
    notes = {evil("note"): evil("said")}
    return write_page(page, cards, title=evil("t"), subtitle=evil("s"), notes=notes, synthetic=True)


def page_of_index(page: Path) -> object:
    cube = poison(synthetic_cube(KINDS["landmark"]), names=False)
    summary = cube_page(save_cube(cube, page.with_suffix(".zarr")), page)
    return index_page({f"javascript:{EVIL}.html": summary}, {evil("missing"): evil("dataset")}, page)


def page_of_map(page: Path) -> object:
    x, y = evil("xi_scale"), evil("A")
    mark = Mark(evil("mark"), {x: 0.2, y: 1.1})
    return result_page(hostile_result(), page, x=x, y=y, value=evil("rms_mean"), mark=mark, subtitle=evil("subtitle"))


def page_of_curve(page: Path) -> object:
    result = hostile_result().isel({evil("xi_scale"): slice(3), evil("A"): slice(3)})
    curve = specification_curve(result[evil("rms_mean")], threshold=11.0)
    every = robustness(result[evil("rms_mean")], threshold=11.0)
    return curve_page(curve, page, result=result, every=every)


def page_of_posterior(page: Path) -> object:
    by, rng = evil("rms_mean"), np.random.default_rng(1)
    result = hostile_result().isel({evil("xi_scale"): slice(6), evil("A"): slice(6), evil("window"): slice(1, 3)})
    drawn = result.assign({by: (-result[by]).assign_attrs(best="largest")})
    names = [evil(f"galaxy{i}") for i in range(3)]
    galaxies = xr.Dataset({"elpd": ("galaxy", rng.normal(size=3))}, {"galaxy": np.array(names, dtype=object)})
    left_out = galaxies.assign(lpd=galaxies.elpd, effective=galaxies.elpd, elpd_loo=1.0, se=1.0, p_loo=1.0)
    return posterior_page(posterior(drawn, by=by, pairs=True), page, left_out=left_out)


def page_of_models(page: Path) -> object:
    names, rng = [evil(f"galaxy{i}") for i in range(3)], np.random.default_rng(1)
    coords = {"galaxy": np.array(names, dtype=object), evil("A"): [0.0, 1.0, 2.0]}
    models = {
        evil(f"model{i}"): xr.Dataset({"loglike": (("galaxy", evil("A")), rng.normal(size=(3, 3)))}, coords)
        for i in range(2)
    }
    return comparison_page(compare(models), page)


def page_of_preferences(page: Path) -> object:
    data = random_likelihoods(1, 3)
    data = data.assign_coords(model=np.array([evil("first"), evil("second")], dtype=object))
    data["treatment"] = data["treatment"].copy(data=np.full((2, 2), evil("treatment"), dtype=object))
    texts = {key: evil(key) for key in ("where", "published", "name")}
    pair = {"first": evil("first"), "second": evil("second"), "claims": [evil("claim")], **texts}
    found = preferences(data.assign_attrs(title=evil("title"), sample=evil("sample")), [pair], prior=PRIOR)
    return preferences_page(found, page)


def page_of_many_labels(page: Path) -> object:
    labels = xr.DataArray(np.arange(500), dims=evil("window"))
    result = hostile_result().isel({evil("k"): 1, evil("window"): labels % 3, evil("A"): slice(5)})
    names = np.array([evil(i) for i in range(500)], dtype=object)
    return result_page(result.assign_coords({evil("window"): names}), page)


WRITERS: Mapping[str, Callable[[Path], object]] = {
    **{kind: cube_of(kind) for kind in KINDS},
    "comparison": page_of_comparison,
    "index": page_of_index,
    "map": page_of_map,
    "curve": page_of_curve,
    "posterior": page_of_posterior,
    "models": page_of_models,
    "preferences": page_of_preferences,
    "line": lambda page: result_page(hostile_result().isel({evil("k"): 1, evil("A"): 3}), page),
    "labels": lambda page: result_page(hostile_result().isel({evil("k"): 1, evil("A"): 3, evil("xi_scale"): 2}), page),
    "many labels": page_of_many_labels,
    "fit": lambda page: fit_page(hostile_fit(), page),
    "fit of a sample": lambda page: fit_page(hostile_fit().isel({evil("galaxy"): 0}), page),
    "ledger": lambda page: claims_page([hostile_claim()], page),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, write in WRITERS.items():
        found[name] = folder / f"{name.replace(' ', '_')}.html"
        write(found[name])
    return found


class Elements(HTMLParser):
    """The elements of a page, and its texts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def policy_of(page: Elements) -> str:
    return next(str(attrs["content"]) for tag, attrs in page.elements if tag == "meta" and "http-equiv" in attrs)


# Of each page some of the texts that have to be on it, so that it is known that they were.
SHOWN = {
    "galaxy": ["synthetic", "S0", "sample", "about", "file", "citation", "own", "galactocentric radius"],
    "star": ["synthetic", "sample", "about", "file", "own"],
    "cluster": ["synthetic", "S0", "sample", "file", "own"],
    "landmark": ["S0", "text", "sample", "about"],
    "population": ["sample", "own"],
    "halo": ["sample", "own", "file"],
    "comparison": ["S0", "a", "b", "head", "&gt;number", "link", "cell", "card", "text", "note", "said", "t", "s"],
    "index": ["synthetic", "missing", "dataset", "citation"],
    "map": ["subtitle", "xi_scale", "window", "k", "A", "power", "exponent", "rms_mean", "win_rate", "mark", "kernel"],
    "curve": ["window", "power", "A", "rms_mean", "RMS residual, mean over systems", "synthetic"],
    "line": ["xi_scale", "window", "power", "rms_mean", "fixed", "value", "version", "km/s"],
    "labels": ["window", "power", "rms_mean", "amplitude"],
    "many labels": ["window", "0", "499"],
    "posterior": ["xi_scale", "A", "window", "power", "rms_mean", "galaxy0"],
    "models": ["model0", "model1", "galaxy0"],
    "preferences": ["name", "published", "where", "claim", "treatment", "first", "title", "sample"],
    "fit": ["A", "xi", "sigma", "nfw", "G0", "chi2", "best xi", "kpc"],
    "fit of a sample": ["A", "xi", "sigma", "best xi"],
    "ledger": ["statement", "where", "note", "title", "reading", "data", "mark", "spec", "again"],
}


@pytest.mark.parametrize("name", WRITERS)
def test_texts_of_a_file_are_text(name: str, pages: Mapping[str, Path]) -> None:
    page = Elements(pages[name])
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"u-canary", "img", "iframe", "object", "embed", "base", "form"}
    for tag, attrs in page.elements:
        assert not [key for key in attrs if key.startswith("on")], tag
        assert not re.match(r"\s*(?!data:)\w+:", attrs.get("href") or "")
        assert EVIL not in str(attrs.get("style")) + str(attrs.get("class"))
    # In scripts they are JSON within a string of JavaScript, escaped once more.
    html = unescape(pages[name].read_text(encoding="utf-8"))
    assert [word for word in SHOWN[name] if f"{unescape(word)}<u-c" not in html] == []
    assert html.count("window.hacked") > len(SHOWN[name])


@pytest.mark.parametrize("name", WRITERS)
def test_a_page_allows_its_own_scripts_alone_and_fetches_nothing(name: str, pages: Mapping[str, Path]) -> None:
    html = pages[name].read_text(encoding="utf-8")
    policy = dict(part.strip().split(" ", 1) for part in policy_of(Elements(pages[name])).split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    own = [f"'{_source(script)}'" for script in re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)]
    assert policy["script-src"].split() == (["'unsafe-eval'", *own] if own else ["'none'"])
    assert html.index("Content-Security-Policy") < html.index("<script>" if own else "<body>")


def _source(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


# Chooses everything that can be chosen, points at what is drawn, and looks at every element, in shadows too.
EXERCISE = """
setTimeout(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const below = (e) => [e, ...(e.shadowRoot ? deep(e.shadowRoot) : [])];
  const deep = (root) => [...root.querySelectorAll("*")].flatMap(below);
  const models = window.Bokeh && Bokeh.documents.length ? [...Bokeh.documents[0]._all_models.values()] : [];
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const row of document.querySelectorAll("tr.row")) row.click();
  const tips = new Set();
  for (const hover of models.filter((model) => model.type === "HoverTool")) {
    for (const view of hover.renderers.map((each) => Bokeh.index.find_one(each))) {
      const area = view.parent.canvas_view.events_el, {left, top, width, height} = area.getBoundingClientRect();
      const {sx, sy} = view.glyph, middle = [[width / 2, height / 3]];
      const places = view.model.glyph.type === "Image" ? middle : [...sx.slice(0, 4)].map((x, i) => [x, sy[i]]);
      for (const [x, y] of places) {
        const at = {clientX: left + x, clientY: top + y, bubbles: true, isPrimary: true, pointerType: "mouse"};
        area.dispatchEvent(new PointerEvent("pointermove", at));
        await wait(100);
        const shown = deep(document).filter((each) => each.classList.contains("bk-tooltip-content"));
        for (const each of shown) tips.add(each.textContent);
      }
    }
  }
  for (const model of models) {
    const some = model.type === "Select" ? model.options.slice(0, 20) : [];
    for (const [value] of some) { model.value = value; await wait(2); }
    if (model.type === "RadioButtonGroup") for (const i of model.labels.keys()) { model.active = i; await wait(2); }
    if (model.type === "Slider") for (const end of [model.start, model.end]) { model.value = end; await wait(2); }
  }
  const every = deep(document);
  const bare = (each) => each.children.length === 0 && each.textContent.includes("<u-c");
  console.log("SAID " + JSON.stringify({
    page: NAME, hacked: window.hacked ?? null, shown: every.filter(bare).length,
    width: document.documentElement.scrollWidth, tips: [...tips].length,
    hostile_tips: [...tips].filter((each) => each.includes("<u-c")).length,
    made: every.filter((each) => ["u-canary", "img", "u-c"].includes(each.localName)).length,
  }) + " END");
}, 8000);
"""


def frame(html: str, name: str, folder: Path) -> str:
    """Write a page with the script that uses it; return the frame that shows it."""
    script = EXERCISE.replace("NAME", json.dumps(name))
    before, _, after = html.rpartition("</body>")
    file = folder / f"{name.replace(' ', '_')}.html"
    allowed = before.replace("script-src ", f"script-src '{_source(script)}' ", 1)
    file.write_text(f"{allowed}<script>{script}</script></body>{after}", encoding="utf-8")
    # Beside each other, those outside of the window would not be drawn.
    return f'<iframe src="{file.as_uri()}" width="400" height="3000" style="position: absolute; top: 0"></iframe>'


@pytest.mark.browser
def test_no_text_of_a_file_becomes_an_element_or_runs(pages: Mapping[str, Path], tmp_path: Path, shoot: Shoot) -> None:
    """Texts have to be text even without the policy; and the policy has to stop what is not text."""
    whole = {name: page.read_text(encoding="utf-8") for name, page in pages.items()}
    bare = {name: re.sub(r"<meta http-equiv[^>]*>", "", html) for name, html in whole.items()}
    bare["unescaped"] = bare["labels"].replace("</main>", f"{EVIL}--></main>")
    bare["unescaped but for the policy"] = whole["labels"].replace("</main>", f"{EVIL}--></main>")
    (tmp_path / "all.html").write_text("".join(frame(html, name, tmp_path) for name, html in bare.items()))
    console, _ = shoot(tmp_path / "all.html", size=(500, 3000), seconds=60)
    said = {each["page"]: each for each in map(json.loads, re.findall(r"SAID (.*?) END", console))}
    assert said.keys() == bare.keys(), console
    control, stopped = said.pop("unescaped"), said.pop("unescaped but for the policy")
    assert (control["hacked"], control["made"]) == (1, 2), "the canary sings"
    assert (stopped["hacked"], stopped["made"]) == (None, 2)
    for name, seen in said.items():
        assert (seen["hacked"], seen["made"]) == (None, 0), name
        assert seen["shown"] > 5, name
        # However long the texts are, and however narrow the page is.
        assert seen["width"] == 400, name
    hovered = {name: (seen["tips"] > 0, seen["hostile_tips"] > 0) for name, seen in said.items() if seen["tips"]}
    named = dict.fromkeys(
        (
            *("galaxy", "cluster", "landmark", "comparison", "map", "curve", "many labels", "fit"),
            *("posterior", "models", "preferences"),
        ),
        (True, True),
    )
    assert hovered == {**named, "star": (True, False)}
    assert not re.search(r"Uncaught|error:", console)


@pytest.mark.parametrize(
    "model",
    [
        Div(text="a"),
        Paragraph(text="a"),
        CheckboxGroup(labels=["a"]),
        TextInput(title="a"),
        DataTable(columns=[TableColumn(field="a", title="<b>a</b>")]),
        DataTable(columns=[TableColumn(field="a", formatter=HTMLTemplateFormatter())]),
        Select(title="a", options=["b"]),
        Slider(start=0, end=1, value=0, tooltips=False, title="a"),
        Slider(start=0, end=1, value=0, title=""),
        Tooltip(content=HTML(html="a")),
        HoverTool(tooltips="<b>@name</b>"),
        HoverTool(tooltips=[("a", "<b>@name</b>")]),
        HoverTool(tooltips=[("a", "@name{safe}")]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_page_takes_no_model_that_makes_markup_of_texts(model: Any, tmp_path: Path) -> None:
    shown = model
    if isinstance(model, HoverTool):
        shown = figure(tools=[model])
    with pytest.raises(TypeError, match="could make markup of a text"):
        write_page(tmp_path / "a.html", [Card("a", figures=[shown])], title="", subtitle="", notes={}, synthetic=False)
    assert list(tmp_path.iterdir()) == []


def test_no_template_says_that_a_value_is_safe() -> None:
    package = Path(page.__file__).parent
    templates = {file.name: file.read_text(encoding="utf-8") for file in package.glob("*.html")}
    scripts = {file.name: file.read_text(encoding="utf-8") for file in package.glob("*.js")}
    modules = {file.name: file.read_text(encoding="utf-8") for file in package.glob("*.py")}
    assert len(templates) == 2
    assert len(scripts) > 5
    assert [name for name, text in templates.items() if re.search(r"\|\s*safe|autoescape", text)] == []
    unsafe = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    assert [name for name, text in (scripts | modules).items() if re.search(unsafe, text)] == []
    assert [name for name, text in modules.items() if re.search(r"Markup\(|__html__|markupsafe", text)] == ["page.py"]


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    result = small_result().isel(k=0, xi_scale=0, A=1).assign_attrs(title="half \ud800 of it")
    assert "<title>half ? of it" in result_page(result, tmp_path / "a.html").read_text(encoding="utf-8")
    drawn = small_result().rename(window="half \ud800")
    assert "half " in result_page(drawn, tmp_path / "b.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "attrs", [{"spec": "[1]", "versions": "{"}, {"spec": 3}, {"spec": '{"parameters": 3}'}, {"synthetic": "perhaps"}]
)
def test_attributes_that_are_not_as_sigcube_writes_them_are_no_fault(attrs: dict[str, Any], tmp_path: Path) -> None:
    result_page(small_result().isel(k=0, xi_scale=0).assign_attrs(attrs), tmp_path / "a.html")
    assert (tmp_path / "a.html").is_file()
