"""The ledger as a whole: a changed digit changes a verdict, equal work is done once, what is missing is named."""

import gc
from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from sigcube.claims import Claim, Entry, Outcome, Verdict, counting, evaluate_claims, judge, read_claims
from sigcube.claims.counting import basis
from sigcube.claims.cubes import Cubes, missing_files
from sigcube.claims.judging import judge_tables
from sigcube.claims.ledger_text import verdict_text
from sigcube.claims.quantities import swept as sweeps_module
from sigcube.claims.quantities.base import Found
from sigcube.cube import save_cube
from sigcube.errors import DataError
from sigcube.recipes import load_recipe
from tests.claims.rows import claim_of, row
from tests.readers.cds_files import CdsFiles
from tests.readers.dynpop_files import write_dynpop

SWEEP = {"quantity": "sweep", "dataset": "sparc", "kernel": "sigma", "sample": "unflagged", "take": "rms_mean"}


@pytest.fixture
def cubes(tmp_path: Path, mock_cube: object) -> Path:
    """A folder with a synthetic survey under the name of a dataset."""
    save_cube(mock_cube, tmp_path / "cubes" / "sparc.zarr")
    return tmp_path / "cubes"


def values(entry: Entry) -> list[float | None]:
    return [entry.value(place) for place in range(len(entry.outcomes))]


def found(*each: float | None) -> list[Outcome]:
    """Outcomes of a model with these values; None for a file that is missing."""
    return [
        Outcome("missing", message="no file") if v is None else Outcome("found", Found(v, uses_model=True))
        for v in each
    ]


def reading(stated: bool, **more: object) -> dict[str, object]:
    return {"quantity": "expression", "formula": "1", "stated": stated, **more}


JUDGED = [
    ([True], [17.751], Verdict.REPRODUCES, 0, "the text's digits"),
    ([True], [17.74], Verdict.DIFFERS, 0, "other digits"),
    ([True, False], [17.5, 17.75], Verdict.CONVENTION, 1, "another reading has them"),
    ([True, False], [17.75, 17.75], Verdict.REPRODUCES, 0, "the text goes first"),
    ([True, True], [17.5, 17.75], Verdict.REPRODUCES, 1, "the text states both"),
    ([True, False], [17.5, 17.7], Verdict.DIFFERS, 0, "neither has; the text's is told"),
    ([True], [None], Verdict.CANNOT, None, "a file is missing"),
    ([True, False], [None, 17.5], Verdict.CANNOT, None, "another reading's digits say nothing of the text's"),
    ([True, False], [None, 17.75], Verdict.CONVENTION, 1, "but if they are those printed they do"),
    ([True, False], [17.5, None], Verdict.DIFFERS, 0, "what is missing is not the text's"),
    ([False, False], [17.5, 17.7], Verdict.DIFFERS, 1, "the text states none: the nearest stands for them"),
    ([True], [float("nan")], Verdict.DIFFERS, 0, "no number is not the number"),
]


@pytest.mark.parametrize(("stated", "given", "verdict", "decisive", "reason"), JUDGED, ids=[j[4] for j in JUDGED])
def test_a_verdict_follows_from_what_the_readings_give(
    stated: Sequence[bool], given: Sequence[float | None], verdict: Verdict, decisive: int | None, reason: str
) -> None:
    entry = judge(claim_of(*map(reading, stated), published="17.75"), found(*given))
    assert (entry.verdict, entry.decisive) == (verdict, decisive), reason


AGAINST = {"against": "§1: its words"}
STANCES = [
    ([reading(True), reading(False, **AGAINST)], [17.5, 17.75], Verdict.AGAINST, 1, "the text says otherwise"),
    ([reading(False, **AGAINST), reading(False)], [17.75, 17.75], Verdict.CONVENTION, 1, "silence goes before it"),
    ([reading(False, **AGAINST), reading(False)], [17.7, 17.6], Verdict.DIFFERS, 1, "and is told of the two"),
    ([reading(True, consistency="identity")], [17.75], Verdict.CONSISTENT, 0, "it comes out by construction"),
    ([reading(True, consistency="identity")], [17.5], Verdict.DIFFERS, 0, "or does not, which is a finding"),
    ([reading(True), reading(False, consistency="limit")], [17.5, 17.75], Verdict.CONSISTENT, 1, "a limit"),
]


@pytest.mark.parametrize(("readings", "given", "verdict", "decisive", "reason"), STANCES, ids=[s[4] for s in STANCES])
def test_a_verdict_tells_whose_reading_it_is(
    readings: Sequence[dict[str, object]], given: Sequence[float], verdict: Verdict, decisive: int, reason: str
) -> None:
    entry = judge(claim_of(*readings, published="17.75"), found(*given))
    assert (entry.verdict, entry.decisive) == (verdict, decisive), reason


def test_arithmetic_of_printed_numbers_and_an_order_of_magnitude_are_no_reproduction() -> None:
    claims = [
        claim_of({"quantity": "expression", "formula": "2 * x", "inputs": {"x": "2.0 (§9)"}}, published="4.0"),
        claim_of({"quantity": "boost", "kernel": "newton", "at": {"g_bar": 1e-10}}, published="~10⁰", id="a.order"),
        claim_of(
            {"quantity": "boost", "kernel": "newton", "at": {"g_bar": 1e-10}},
            published="positive",
            meaning="> 0",
            id="a.word",
        ),
        claim_of({"quantity": "boost", "kernel": "newton", "at": {"g_bar": 1e-10}}, published="< 2", id="a.bound"),
        claim_of({"quantity": "boost", "kernel": "newton", "at": {"g_bar": 1e-10}}, published="~1", id="a.about"),
    ]
    entries = evaluate_claims(claims)
    assert [entry.verdict for entry in entries] == [Verdict.CONSISTENT] * 5
    assert verdict_text(entries[3]) == "consistent: the bound holds, no digit"
    assert verdict_text(entries[4]) == "consistent: near enough for a ~, no digit"
    assert judge(claim_of(reading(False), published="~18"), found(17.5)).verdict is Verdict.CONVENTION


def test_a_bound_that_is_broken_differs_and_one_that_only_goes_against_the_text_is_told() -> None:
    assert judge(claim_of(reading(True), published="< 2"), found(3.0)).verdict is Verdict.DIFFERS
    against = judge(claim_of(reading(True), {**reading(False), **AGAINST}, published="< 2"), found(3.0, 1.0))
    assert against.verdict is Verdict.AGAINST


def test_a_bound_in_a_table_stays_what_it_is() -> None:
    whole = judge_tables([of_table(0, "1.0", 1.2, 1.0), of_table(1, "< 5", 3.0, 2.0)])
    assert [entry.verdict for entry in whole] == [Verdict.CONVENTION, Verdict.CONSISTENT]
    none = judge_tables([of_table(0, "1.0", 1.2, 1.3), of_table(1, "< 5", 3.0, 2.0)])
    assert [entry.verdict for entry in none] == [Verdict.DIFFERS, Verdict.CONSISTENT]


def test_what_rounded_inputs_allow_counts_as_found() -> None:
    keys = {"quantity": "expression", "formula": "100 * (1 - a / b)", "inputs": {"a": "27.6 (§4.2)", "b": "30.3"}}
    claim = claim_of(keys, published="9.0", unit="%")
    (entry,) = evaluate_claims([claim])
    outcome = entry.outcomes[0].found
    assert outcome is not None
    # (1 − 27.65/30.25) and (1 − 27.55/30.35)
    assert outcome.ends == pytest.approx((8.5950, 9.2257), abs=1e-4)
    assert outcome.value == pytest.approx(8.9109, abs=1e-4)
    assert entry.verdict is Verdict.CONSISTENT
    (other,) = evaluate_claims([claim.model_copy(update={"published": "9.4"})])
    assert other.verdict is Verdict.DIFFERS
    assert outcome.details["a"] == "27.6 (§4.2)"


def test_one_digit_lets_nothing_pass_where_a_row_says_how_near_is_near() -> None:
    claim = claim_of(reading(True), published="4", tolerance=0.05)
    assert judge(claim, found(3.76)).verdict is Verdict.DIFFERS
    assert judge(claim, found(3.98)).verdict is Verdict.REPRODUCES


@pytest.mark.parametrize(
    ("published", "given", "tried", "chance", "verdict"),
    [
        # 0.2 wide in 1.05: two readings hit with 1 − (1 − 0.19)² without a reason
        ("1.0–1.1", [1.0, 2.0], 1, 0.3447, Verdict.CONVENTION),
        ("1.0–1.1", [1.0, 2.0], 9, 0.8791, Verdict.CHANCE),
        ("1.0–1.9", [1.0, 2.0], 1, 0.9977, Verdict.CHANCE),
        # three digits are no accident, unless any value of a wide range has them
        ("1.00", [1.0, 1.01], 1, 0.8889, Verdict.CONVENTION),
        ("1.00–1.90", [1.0, 2.0], 1, 0.9911, Verdict.CHANCE),
    ],
)
def test_a_hit_that_is_likely_anyhow_is_told(
    published: str, given: Sequence[float], tried: int, chance: float, verdict: Verdict
) -> None:
    claim = claim_of(reading(False, tried=tried), reading(False), published=published)
    entry = judge(claim, found(*given))
    assert entry.chance == pytest.approx(chance, abs=1e-4)
    assert entry.verdict is verdict


def test_one_value_alone_has_no_spread() -> None:
    assert judge(claim_of(reading(True), published="1.0"), found(1.0)).chance is None


def test_an_order_of_magnitude_has_no_spread() -> None:
    # 10⁻⁶⁶ would be "likely" between 10⁻⁸⁷ and 10⁻⁶⁶
    assert judge(claim_of(reading(False), reading(False), published="≈ 10⁻⁶⁶"), found(5e-88, 1e-92)).chance is None


def of_table(number: int, published: str, *given: float) -> Entry:
    """A row of a table: the text's reading, and one of a convention."""
    readings = [reading(True), {"quantity": "expression", "formula": "1", "convention": "one_solar_mass"}]
    return judge(claim_of(*readings, published=published, id=f"a.n{number}", table="§9"), found(*given))


def test_a_table_that_comes_out_whole_under_one_reading_is_of_that_reading() -> None:
    entries = [of_table(0, "1.0", 1.2, 1.0), of_table(1, "2.0", 2.0, 2.0), of_table(2, "3.0", 3.3, 3.0)]
    assert entries[1].verdict is Verdict.REPRODUCES
    judged = judge_tables(entries)
    assert [entry.verdict for entry in judged] == [Verdict.CONVENTION] * 3
    assert (
        judged[1].jointly == "it gives all 3 rows of §9; the text's reading gives 1 of them, this one too, by accident"
    )


def test_a_reading_that_fails_in_most_of_its_table_hits_by_chance() -> None:
    entries = [of_table(0, "1.0", 1.0, 1.2), of_table(1, "2.0", 2.5, 2.2), of_table(2, "3.0", 3.3, 3.2)]
    judged = judge_tables(entries)
    assert [entry.verdict for entry in judged] == [Verdict.CHANCE, Verdict.DIFFERS, Verdict.DIFFERS]
    assert judged[0].jointly == "its reading gives 1 of the 3 rows of §9"


def test_the_text_goes_first_where_its_reading_gives_the_whole_table() -> None:
    judged = judge_tables([of_table(0, "1.0", 1.0, 1.0), of_table(1, "2.0", 2.0, 2.0)])
    assert [entry.verdict for entry in judged] == [Verdict.REPRODUCES] * 2


def test_a_number_has_one_verdict_wherever_it_is_printed() -> None:
    # Coarser digits would be hit by chance alone.
    rows = (
        'paper = "cmsi"\n[[claim]]\nid = "a.one"\nwhere = "§1"\nstatement = "fine"\npublished = "1.230"\n'
        '[[claim.reading]]\nquantity = "boost"\nkernel = "newton"\nat = { g_bar = 1e-10 }\nscale = 1.2301\n'
        "[[claim.reading]]\nscale = 1.6\n"
        '[[claim]]\nid = "a.two"\nwhere = "§2"\nstatement = "coarse"\npublished = "1"\nrepeats = "a.one"\n'
    )
    claims = read_claims(rows)
    assert [entry.verdict for entry in evaluate_claims(claims)] == [Verdict.CONVENTION] * 2
    (alone,) = evaluate_claims(claims[1:], among=claims)
    assert alone.verdict is Verdict.CONVENTION
    numbers = counting.distinct(evaluate_claims(claims))
    assert [entry.claim.id for entry in numbers] == ["a.one"]


def test_what_rests_on_data_and_a_model_leads_differences_first() -> None:
    of_data = Found(1.0, {"sparc": "0123"}, uses_model=True)
    cases = [("2.0", True), ("1.0", True), ("1.0", False)]
    entries = [
        judge(claim_of(reading(stated), published=published, id=f"a.n{i}"), [Outcome("found", of_data)])
        for i, (published, stated) in enumerate(cases)
    ]
    untested = judge(claim_of(reading(True), id="a.missing"), found(None))
    assert counting.lead([*entries, untested]) == (
        "3 distinct printed results rest on data and a model: 1 differs, 1 under a convention that the text does not "
        "state, 1 as stated; 1 more number cannot be tested, for want of a file or a value"
    )
    assert counting.by_basis(entries) == {"data and a model": counting.counts(entries)}
    (use,) = counting.uses(entries)
    assert (use.applied, use.gives, use.alone) == (("a.n2",), ("a.n2",), True)


def test_the_nearest_reading_is_named_beside_the_texts() -> None:
    entry = judge(claim_of(reading(True), reading(False), published="17.75"), found(17.5, 17.8))
    assert (entry.decisive, entry.nearest) == (0, 1)


@pytest.mark.parametrize(("value", "verdict"), [("17.75", Verdict.AGREES), ("17.48", Verdict.CONTRADICTS)])
def test_two_printed_numbers_are_held_against_each_other(value: str, verdict: Verdict) -> None:
    claim = claim_of({"quantity": "printed", "value": value, "where": "§9"}, published="17.75")
    (entry,) = evaluate_claims([claim])
    assert entry.verdict is verdict


@pytest.mark.slow
def test_changing_a_published_digit_changes_the_verdict_through_the_whole_pipeline(cubes: Path) -> None:
    def verdict(published: str) -> Verdict | None:
        (entry,) = evaluate_claims([claim_of(SWEEP, published=published)], cubes=cubes)
        return entry.verdict

    (entry,) = evaluate_claims([claim_of(SWEEP, published="1")], cubes=cubes)
    text = f"{entry.value():.3f}"
    assert verdict(text) is Verdict.REPRODUCES
    for place, digit in enumerate(text):
        if digit.isdigit():
            other = f"{text[:place]}{(int(digit) + 1) % 10}{text[place + 1 :]}"
            assert verdict(other) is Verdict.DIFFERS


@pytest.mark.slow
def test_equal_sweeps_run_once_and_labels_alone_ask_for_another(cubes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []

    class Counted(sweeps_module.Sweep):
        def compute(self) -> object:
            ran.append(self)
            return super().compute()

    monkeypatch.setattr(sweeps_module, "Sweep", Counted)
    claims = [
        claim_of(SWEEP, {**SWEEP, "take": "scatter_v"}, published="1", id="a.one"),
        claim_of({**SWEEP, "scale": 10.0}, published="2", id="a.two"),
        claim_of({**SWEEP, "settings": {"A": 1.5}}, published="3", id="a.three"),
    ]
    entries = evaluate_claims(claims, cubes=cubes)
    assert len(ran) == 2
    assert entries[1].value() == pytest.approx(10.0 * values(entries[0])[0])
    assert entries[2].value() != values(entries[0])[0]


@pytest.mark.slow
def test_several_processes_find_the_same_values(cubes: Path) -> None:
    claims = [
        claim_of(SWEEP, {**SWEEP, "settings": {"window": "none"}}, published="1", id="a.one"),
        claim_of({"quantity": "expression", "formula": "x + 1", "let": {"x": "a.one"}}, published="1", id="a.two"),
        claim_of({"quantity": "sweep", "dataset": "absent", "kernel": "sigma", "take": "rms_mean"}, id="a.three"),
    ]
    told: list[tuple[int, int]] = []
    there = evaluate_claims(
        claims, cubes=cubes, workers=2, on_progress=lambda done, total, _: told.append((done, total))
    )
    here = evaluate_claims(claims, cubes=cubes)
    assert [values(entry) for entry in there] == [values(entry) for entry in here]
    assert [entry.failures for entry in there] == [entry.failures for entry in here]
    assert told[-1] == (3, 3)


def test_what_is_composed_follows_its_parts_scaled() -> None:
    claims = [
        claim_of({"quantity": "expression", "formula": "2", "scale": 100.0}, id="a.one"),
        claim_of(
            {"quantity": "expression", "formula": "x / y", "let": {"x": "a.one", "y": 4}}, id="a.two", published="50"
        ),
        claim_of(
            {"quantity": "expression", "formula": "x", "let": {"x": {"quantity": "expression", "formula": "7"}}},
            id="a.three",
            published="7",
        ),
    ]
    entries = evaluate_claims(claims)
    assert [entry.value() for entry in entries] == [200.0, 50.0, 7.0]
    (alone,) = evaluate_claims(claims[1:2], among=claims)
    assert alone.verdict is Verdict.CONSISTENT


@pytest.mark.parametrize(
    ("link", "told"),
    [("a.onee", "there is no claim 'a.onee' where: let do: did you mean 'a.one'?"), ("a.one / fist", "mean 'first'?")],
)
def test_a_link_to_nothing_fails_with_the_nearest(link: str, told: str) -> None:
    one = claim_of({"quantity": "expression", "name": "first", "formula": "1"})
    two = claim_of({"quantity": "expression", "formula": "x", "let": {"x": link}}, id="a.two")
    (entry,) = evaluate_claims([two], among=[one, two])
    assert told in entry.failures[0]


def test_claims_made_of_one_another_in_a_circle_fail_and_are_named() -> None:
    claims = [
        claim_of({"quantity": "expression", "formula": "x", "let": {"x": "a.two"}}, id="a.one"),
        claim_of({"quantity": "expression", "formula": "x", "let": {"x": "a.one"}}, id="a.two"),
    ]
    for entry in evaluate_claims(claims):
        assert entry.verdict is None
        assert "in a circle" in entry.failures[0]


@pytest.mark.slow
def test_a_failure_is_no_verdict_and_the_others_go_on(cubes: Path) -> None:
    claims = [
        claim_of({**SWEEP, "settings": {"AA": 1.0}}, id="a.one"),
        claim_of(SWEEP, id="a.two", published="1"),
        claim_of({"quantity": "expression", "formula": "x", "let": {"x": "a.one"}}, id="a.three"),
    ]
    entries = evaluate_claims(claims, cubes=cubes)
    assert [entry.verdict for entry in entries] == [None, Verdict.DIFFERS, None]
    assert "no parameter or choice 'AA'" in entries[0].failures[0]
    assert entries[0].failures[0].startswith("a.one, as stated: ")


COUNT_FOX = {"quantity": "cube", "dataset": "fox2022", "statistic": "systems"}
COUNT_MANGA = {"quantity": "populations", "dataset": "manga_dynpop", "take": "n_group", "sample": "once"}


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No downloads of earlier days."""
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_missing_file_is_named_and_the_claim_is_tested_once_it_is_there(no_cache: Path) -> None:
    claim = claim_of(COUNT_FOX, published="3")
    data = no_cache / "data"
    data.mkdir()
    (before,) = evaluate_claims([claim], cubes=no_cache / "cubes", data=data)
    assert before.verdict is Verdict.CANNOT
    assert before.outcomes[0].message.startswith("needs table1.dat and ReadMe of fox2022 (from Fox")
    CdsFiles().write(data)
    (after,) = evaluate_claims([claim], cubes=no_cache / "cubes", data=data)
    assert (after.verdict, after.value()) == (Verdict.REPRODUCES, 3.0)
    assert set(after.outcomes[0].found.datasets) == {"fox2022"}


def test_files_that_were_fetched_before_are_used(no_cache: Path) -> None:
    (no_cache / "cache" / "fox2022").mkdir(parents=True)
    CdsFiles().write(no_cache / "cache" / "fox2022")
    (entry,) = evaluate_claims([claim_of(COUNT_FOX, published="3")], cubes=no_cache / "cubes")
    assert entry.verdict is Verdict.REPRODUCES


def test_of_several_files_those_that_are_missing_are_named(no_cache: Path) -> None:
    recipe = load_recipe("manga_dynpop")
    data = no_cache / "data"
    data.mkdir()
    write_dynpop(data / recipe.files["galaxies"].name)
    (entry,) = evaluate_claims([claim_of(COUNT_MANGA, published="2")], cubes=no_cache / "cubes", data=data)
    assert entry.verdict is Verdict.CANNOT
    assert entry.outcomes[0].message.startswith("needs bevacqua2022_counter_rotating.tsv of manga_dynpop")
    assert "SDSSDR17" not in missing_files(recipe, data).partition(" (")[0]


def test_a_wrong_file_is_a_failure_not_a_missing_one(no_cache: Path) -> None:
    data = no_cache / "data"
    data.mkdir()
    (data / "table1.dat").write_text("nonsense\n")
    (data / "ReadMe").write_text("nonsense\n")
    (entry,) = evaluate_claims([claim_of(COUNT_FOX)], cubes=no_cache / "cubes", data=data)
    assert entry.verdict is None
    assert "table1.dat" in entry.failures[0] or "ReadMe" in entry.failures[0]


def test_what_lies_beside_its_recipe_needs_no_data(no_cache: Path) -> None:
    place = Cubes(no_cache / "cubes")
    assert place.make("landmarks")
    assert not place.make("landmarks")
    assert place.open("landmarks") is place.open("landmarks")


def test_a_folder_of_raw_files_that_is_none_is_refused_at_once(no_cache: Path) -> None:
    with pytest.raises(DataError, match=r"this is not a folder\n  where: .*nowhere"):
        evaluate_claims([claim_of(COUNT_FOX)], cubes=no_cache / "cubes", data=no_cache / "nowhere")


def test_rows_read_as_text_are_those_built_here() -> None:
    claim = claim_of(SWEEP, published="17.75")
    assert read_claims(row(SWEEP, published="17.75")) == (claim,)
    assert isinstance(claim, Claim)


@pytest.mark.parametrize("formula", ["1e999", "1e999 - 1e999"])
def test_what_is_no_finite_number_is_a_failure_and_no_finding(formula: str, tmp_path: Path) -> None:
    (judged,) = evaluate_claims([claim_of({"quantity": "expression", "formula": formula})], cubes=tmp_path)
    assert judged.verdict is None
    assert "no number to compare" in judged.failures[0]


CUBE = {"quantity": "cube", "dataset": "sparc", "statistic": "systems"}
NUMBER = {"quantity": "expression", "formula": "2 * x"}
BASED: list[tuple[dict[str, Any], str]] = [
    (SWEEP, "data and a model"),
    (CUBE, "data alone"),
    ({**NUMBER, "let": {"x": CUBE}}, "data alone"),
    ({**NUMBER, "let": {"x": SWEEP}}, "data and a model"),
    ({"quantity": "lensing", "function": "slip", "boost": 2.0}, "a model alone"),
    ({**NUMBER, "let": {"x": 1.0}}, "arithmetic of printed numbers"),
    ({"quantity": "assumption", "because": "put in"}, "nothing: it is put in"),
    ({"quantity": "printed", "value": "2", "where": "§2"}, "another printed number"),
    ({**CUBE, "dataset": "fox2022"}, "nothing: a file or a value is missing"),
    ({**NUMBER, "formula": "1 / 0"}, "nothing: a failure"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "expected"), BASED, ids=[f"{b[0]['quantity']}-{b[1]}" for b in BASED])
def test_what_a_value_rests_on_follows_from_what_computed_it(
    keys: dict[str, object], expected: str, cubes: Path
) -> None:
    (judged,) = evaluate_claims([claim_of(keys)], cubes=cubes)
    assert basis(judged) == expected


@pytest.mark.slow
def test_an_interrupted_ledger_ends_its_processes_at_once(tmp_path: Path) -> None:
    at = [{"g_bar": g, "r": 8.0} for g in (1e-11, 1e-10, 1e-9)]
    # Each kernel's terms are computed by themselves: three batches.
    rows = [
        {"quantity": "boost", "kernel": kernel, "at": point}
        for kernel, point in zip(("newton", "mond", "sigma"), at, strict=True)
    ]
    claims = [claim_of(keys, id=f"a.{keys['kernel']}") for keys in rows]

    def interrupt(_done: int, _all: int, _what: str) -> None:
        assert active_children()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_claims(claims, cubes=tmp_path, workers=2, on_progress=interrupt)
    gc.collect()
    assert active_children() == []
