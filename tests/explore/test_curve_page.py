"""The page of a specification curve: its dots, marks and tables are those of the answers, and a browser draws it."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from bokeh.models import GlyphRenderer

from sigcube import Sweep
from sigcube.analysis import null_curve, robustness, specification_curve
from sigcube.errors import StoreError
from sigcube.explore import Card, curve_page
from tests.browser import Shoot
from tests.results import kept_result

AXES = {"nu": ["rar", "simple", "standard"], "gas": ["signed", "unsigned"], "a0": list(np.linspace(1e-13, 2e-10, 15))}
ROLES = {"arbitrary": ["nu", "gas"], "physical": ["a0"]}


@pytest.fixture(scope="module")
def sweep(mock_cube: xr.Dataset) -> Sweep:
    cube = mock_cube.isel(galaxy=slice(0, 9))
    given = {"sample": "unflagged", "kernel": "mond", "axes": AXES, "reference": "newton", "keep": ["galaxy"]}
    return Sweep(cube, roles=ROLES, **given)


def cards_of(monkeypatch: pytest.MonkeyPatch, *asked: Any, **options: Any) -> tuple[list[Card], dict[str, Any]]:
    """The cards that a page would have, and what else stands on it."""
    found: list[Any] = []

    def keep(path: Path, cards: list[Card], **rest: Any) -> Path:
        found.extend([cards, rest])
        return path

    # The package has the function by the name of its module.
    monkeypatch.setattr(import_module("sigcube.explore.curve_page"), "write_page", keep)
    curve_page(*asked, **options)
    return found[0], found[1]


def columns(card: Card) -> list[dict[str, Any]]:
    return [dict(each.data_source.data) for each in card.figures[0].select({"type": GlyphRenderer})]


@pytest.mark.slow
def test_what_the_page_holds_is_what_was_answered(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    result = sweep.compute()
    curve = specification_curve(result.win_rate, threshold=0.3, over=["nu", "gas", "a0"])
    every = robustness(result.win_rate, threshold=0.3)
    null = null_curve(result, threshold=0.3, over=["nu", "gas", "a0"], n=19, sweep=sweep)
    cards, rest = cards_of(monkeypatch, curve, "p.html", result=result, every=every, null=null)
    dots = [each for each in columns(cards[0]) if "value" in each]
    drawn = {int(rank): value for each in dots for rank, value in zip(each["rank"], each["value"], strict=True)}
    assert [drawn[rank] for rank in sorted(drawn)] == curve.value.values.tolist()
    band = next(each for each in columns(cards[0]) if "low" in each)
    np.testing.assert_array_equal(band["high"], null.high)
    (marks,) = columns(cards[1])
    # A mark for each axis below each specification; a₀ has more values than rows.
    assert len(marks["x"]) == 3 * curve.sizes["specification"]
    ticks = cards[1].figures[0].yaxis[0].major_label_overrides
    assert {"rar", "signed", "nu:", "gas:", "a0:"} <= set(ticks.values())
    rows = {height: text for height, text in ticks.items()}
    nu = dict(zip(marks["x"][: len(drawn)], marks["y"][: len(drawn)], strict=True))
    labels = result.nu.values[curve.choice.sel(axis="nu").values]
    assert [rows[nu[rank]] for rank in sorted(drawn)] == labels.tolist()
    tables = {card.title: card.table for card in cards if card.table}
    assert tables["Which choice decides"].rows[0][0] == every.axis.values[int(every.moves.argmax("axis"))]
    assert [row[1] for row in tables["One role at a time"].rows] == ["6", "15", "90"]
    assert len(tables["Against the null"].rows) == 3
    assert rest["notes"]["specifications over"] == curve.attrs["over"]
    assert rest["synthetic"]


def test_without_a_statement_the_page_shows_means(monkeypatch: pytest.MonkeyPatch) -> None:
    result = kept_result()
    curve = specification_curve(result.rms_mean)
    cards, _ = cards_of(monkeypatch, curve, "p.html", result=result)
    assert [card.title for card in cards] == [
        "Every specification",
        "Its choices",
        "Which choice decides",
        "Each choice",
    ]
    row = next(row for row in cards[3].table.rows if row[0] == "window: power")
    assert float(str(row[-1])) == pytest.approx(float(result.rms_mean.sel(window="power").mean()), rel=1e-3)


def test_what_a_model_does_not_use_is_any(monkeypatch: pytest.MonkeyPatch) -> None:
    result = kept_result()
    curve = specification_curve(result.rms_mean)
    cards, _ = cards_of(monkeypatch, curve, "p.html", result=result)
    rows = cards[1].figures[0].yaxis[0].major_label_overrides
    (marks,) = columns(cards[1])
    n = curve.sizes["specification"]
    told = np.array([rows[height] for height in marks["y"]]).reshape(3, n)
    # Under `geometric` k makes no difference.
    np.testing.assert_array_equal(told[0] == "geometric", told[1] == "any")
    assert (told == "any").sum() == 4


def test_without_choices_there_is_no_card_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept_result().isel(window=0, k=0, A=0)
    cards, _ = cards_of(monkeypatch, specification_curve(one.rms_mean), "p.html", result=one)
    assert [card.title for card in cards] == ["Every specification"]
    # Too many values for a table of each.
    line = xr.DataArray(np.arange(20.0), dims="x", coords={"x": np.arange(20.0)}, name="rms")
    cards, _ = cards_of(monkeypatch, specification_curve(line), "p.html", result=line.to_dataset())
    assert [card.title for card in cards] == ["Every specification", "Its choices", "Which choice decides"]


def test_of_many_specifications_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).uniform(size=(50, 60))
    array = xr.DataArray(values, dims=("x", "y"), name="win_rate", attrs={"best": "largest"})
    curve = specification_curve(array, threshold=0.5)
    cards, _ = cards_of(monkeypatch, curve, "p.html", result=array.to_dataset())
    assert "1,500 are drawn, evenly spaced" in cards[0].text
    assert sum(len(each["value"]) for each in columns(cards[0])) == 1500
    # The last is the worst of all.
    assert min(min(each["value"]) for each in columns(cards[0])) == values.min()


def test_a_page_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = kept_result()
    with pytest.raises(StoreError, match="the page cannot be written"):
        curve_page(specification_curve(result.rms_mean), tmp_path / "file" / "p.html", result=result)


def test_it_says_how_many_have_no_value_and_what_a_column_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    result = kept_result()
    result["rms_mean"] = result.rms_mean.where(result.k > result.k[0])
    cards, _ = cards_of(monkeypatch, specification_curve(result.rms_mean, threshold=10.0), "p.html", result=result)
    assert "more have no finite value." in cards[0].text
    table = cards[3].table
    assert table is not None
    assert table.head[-1] == ">share"
    assert {str(row[-1])[-1] for row in table.rows} == {"%", "–"}
    whole = cards_of(monkeypatch, specification_curve(kept_result().rms_mean), "p.html", result=kept_result())[0]
    assert "finite" not in whole[0].text


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1280])
def test_a_browser_draws_it(width: int, tmp_path: Path, shoot: Shoot) -> None:
    result = kept_result()
    page = curve_page(specification_curve(result.rms_mean, threshold=10.0), tmp_path / "p.html", result=result)
    script = "addEventListener('load', () => console.log('wide', document.documentElement.scrollWidth, innerWidth));"
    console, picture = shoot(page, script, size=(width, 1500))
    assert "ERROR" not in console
    assert f"wide {width} {width}" in console
    for colour in ((0, 114, 178), (154, 165, 177)):
        assert (picture.reshape(-1, 3) == colour).all(axis=1).sum() > 50


def test_a_printed_page_has_whole_tables_and_figures_that_fit(tmp_path: Path) -> None:
    page = curve_page(specification_curve(kept_result().rms_mean), tmp_path / "p.html", result=kept_result())
    text = page.read_text(encoding="utf-8")
    style = text[text.index("@media print") : text.index("@container")]
    for rule in (".table { overflow: visible", ".figures > div { display: inline-block", "zoom: var(--scale"):
        assert rule in style
    assert 'addEventListener("beforeprint"' in text


@pytest.mark.browser
def test_before_print_figures_are_scaled_to_the_page(tmp_path: Path, shoot: Shoot) -> None:
    page = curve_page(specification_curve(kept_result().rms_mean), tmp_path / "p.html", result=kept_result())
    script = """addEventListener("load", () => setTimeout(() => {
      dispatchEvent(new Event("beforeprint"));
      for (const each of document.querySelectorAll(".figures > div")) {
        const [width, scale] = ["--width", "--scale"].map((name) => parseFloat(each.style.getPropertyValue(name)));
        console.log("printed", Math.round(width * scale), width > 1000);
      }
    }, 1000));"""
    console, _ = shoot(page, script, size=(1280, 900))
    assert console.count("printed 680 true") == 2
