"""The ledger's page: what is in it, and that it sorts, filters and opens in a real browser without a network."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from sigcube.claims import Claim, Entry, Outcome, judge
from sigcube.claims.quantities.base import Found
from sigcube.claims.row_files import shipped_conventions
from sigcube.errors import StoreError
from sigcube.explore.ledger_page import claims_page
from tests.browser import Shoot
from tests.claims.rows import claim_of

SPEC = 'cube = "cubes/sparc.zarr"\nkernel = "sigma" # <&>\n'


def entry(claim: Claim, *values: float | str) -> Entry:
    """Judge a claim by values; a text stands for a file that is missing, or for a failure."""
    outcomes = [
        Outcome("found", Found(value, {"sparc": "0123abc"}, SPEC, "sigcube sweep SPEC.toml"))
        if isinstance(value, float)
        else Outcome("failed" if value.startswith("!") else "missing", message=value)
        for value in values
    ]
    return judge(claim, outcomes)


def one(name: str = "as stated") -> dict[str, object]:
    return {"quantity": "expression", "formula": "1", "name": name}


@pytest.fixture
def entries() -> Sequence[Entry]:
    """One claim of each verdict."""
    return [
        entry(claim_of(one(), id="b.reproduces", published="17.15"), 17.154),
        entry(claim_of(one(), one("disc <peak>"), id="a.convention", published="17.48"), 17.5, 17.48),
        entry(claim_of(one(), id="d.differs", published="2.0"), 3.0),
        entry(claim_of(one(), id="c.cannot", published="42"), "needs table1.dat of fox2022 (from the CDS)"),
        entry(claim_of(one(), id="e.zero", published="0.0"), 0.2),
        entry(claim_of({"quantity": "assumption", "because": "put in"}, id="f.assumed", published="c"), float("nan")),
        entry(
            claim_of({"quantity": "printed", "value": "1.5", "where": "§9"}, id="g.contradicts", published="1.4"), 1.5
        ),
        entry(claim_of(one(), id="h.failed"), "! no kernel"),
    ]


@pytest.fixture
def page(entries: Sequence[Entry], tmp_path: Path) -> Path:
    return claims_page(entries, tmp_path / "claims.html")


def test_the_page_holds_every_claim_with_its_evidence_and_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'<tbody id="([a-z.]+)"', text) == [
        *("b.reproduces", "a.convention", "d.differs", "c.cannot", "e.zero", "f.assumed", "g.contradicts", "h.failed")
    ]
    assert "disc &lt;peak&gt;" in text
    assert "<peak>" not in text
    assert text.count("kernel = &#34;sigma&#34; # &lt;&amp;&gt;") == 7
    assert "needs table1.dat of fox2022" in text
    assert "0123abc" in text
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", text) == []
    assert "@import" not in text


def test_a_reading_and_the_list_of_conventions_name_the_scripts_that_have_it(tmp_path: Path) -> None:
    sources = shipped_conventions()["authors_search"].sources
    claim = claim_of(one(), {**one(), "name": "", "convention": "authors_search"}, published="17.48")
    text = claims_page([entry(claim, 17.5, 17.48)], tmp_path / "claims.html").read_text(encoding="utf-8")
    assert f"<dt>authors&#39; scripts</dt><dd>{'; '.join(sources)}</dd>" in text
    assert f"in the authors' scripts: {'; '.join(sources)}</span>" in text


def test_each_verdict_has_a_sign_of_its_own_besides_its_colour(page: Path) -> None:
    signs = re.findall(r'<i aria-hidden="true">(.)</i>', page.read_text(encoding="utf-8"))
    assert signs == ["✓", "≈", "✗", "?", "✗", "∘", "≠", "!"]


def test_the_page_of_a_row_without_any_value_is_written(tmp_path: Path) -> None:
    page = claims_page([entry(claim_of(one()), float("nan"))], tmp_path / "claims.html")
    assert 'data-verdict="differs"' in page.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_told(entries: Sequence[Entry], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        claims_page(entries, tmp_path / "file" / "claims.html")


SCRIPT = """
const order = () => [...document.querySelectorAll("#ledger tbody")].filter((row) => !row.hidden).map((row) => row.id);
const say = (name, value) => console.log("SAID " + JSON.stringify([name, value]) + " END");
const head = (key) => document.querySelector(`[data-key=${key}]`);
say("asked", performance.getEntriesByType("resource").map((each) => each.name));
head("id").click(); say("id up", order());
head("id").click(); say("id down", order());
say("aria", head("id").closest("th").getAttribute("aria-sort"));
head("deviation").click(); say("deviation", order());
head("found").focus(); document.activeElement.click(); say("found", order());
const row = document.getElementById("a.convention");
const button = row.querySelector(".id");
say("closed", [row.querySelector(".evidence").hidden, button.getAttribute("aria-expanded")]);
row.querySelector("tr.row td").click();
const seen = row.querySelector("pre").offsetHeight > 10;
say("open", [row.querySelector(".evidence").hidden, button.getAttribute("aria-expanded"), seen]);
button.click(); say("closed again", row.querySelector(".evidence").hidden);
document.querySelector(".chip.differs").click(); say("differs", order());
document.querySelector(".chip.cannot").click(); say("or cannot", order());
document.querySelector(".chip.differs").click(); document.querySelector(".chip.cannot").click();
const find = document.getElementById("text");
find.value = "PEAK disc"; find.dispatchEvent(new Event("input")); say("found by text", order());
say("told", document.getElementById("shown").textContent);
find.value = ""; find.dispatchEvent(new Event("input"));
location.hash = "#d.differs";
addEventListener("hashchange", () => say("linked", document.getElementById("d.differs").classList.contains("open")));
say("wide", document.documentElement.scrollWidth <= innerWidth);
"""


def said(console: str) -> dict[str, object]:
    return dict(json.loads(each.replace('\\"', '"')) for each in re.findall(r"SAID (.*?) END", console))


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 700])
def test_the_page_sorts_filters_and_opens_in_a_browser(page: Path, shoot: Shoot, width: int) -> None:
    console, picture = shoot(page, SCRIPT, size=(width, 1500))
    told = said(console)
    assert told["asked"] == []
    names = [
        "a.convention",
        "b.reproduces",
        "c.cannot",
        "d.differs",
        "e.zero",
        "f.assumed",
        "g.contradicts",
        "h.failed",
    ]
    assert told["id up"] == names
    assert told["id down"] == names[::-1]
    assert told["aria"] == "descending"
    # Those without a deviation are last.
    assert told["deviation"][:4] == ["a.convention", "b.reproduces", "e.zero", "d.differs"]
    assert told["found"][:5] == ["e.zero", "g.contradicts", "d.differs", "b.reproduces", "a.convention"]
    assert told["closed"] == [True, "false"]
    assert told["open"] == [False, "true", True]
    assert told["closed again"] is True
    assert sorted(told["differs"]) == ["d.differs", "e.zero"]
    assert sorted(told["or cannot"]) == ["c.cannot", "d.differs", "e.zero"]
    assert told["found by text"] == ["a.convention"]
    assert told["told"] == "1 of 8 shown"
    assert told["linked"] is True
    assert told["wide"] is True
    assert "Uncaught" not in console
    assert len({tuple(pixel) for pixel in picture[::7, ::7].reshape(-1, 3)}) > 20
