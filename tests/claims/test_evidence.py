"""What a row tells of its values: whether data are behind them, which constants enter, what its trials are worth."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import xarray as xr

from sigcube.claims import Entry, Outcome, Verdict, evaluate_claims, judge
from sigcube.claims.counting import basis
from sigcube.claims.judging import judge_tables
from sigcube.claims.ledger_text import entry_record, evidence, trials_text, verdict_text
from sigcube.claims.quantities.base import Found, ReducedKeys
from sigcube.claims.quantities.missing_factor import MissingFactorKeys, missing_factor
from sigcube.claims.quantities.model_text import model_text
from tests.claims.rows import OneCube, claim_of

FORNAX = {
    "quantity": "sweep",
    "dataset": "landmarks",
    "sample": "observed",
    "kernel": "newton",
    "take": "ratio",
    "system": "Fornax",
}
EXPRESSION = {"quantity": "expression", "formula": "1"}


def entry_of(tmp_path: Path, **reading: object) -> Entry:
    (entry,) = evaluate_claims([claim_of(reading)], cubes=tmp_path)
    return entry


@pytest.mark.slow
def test_a_model_beside_what_is_observed_rests_on_data_also_where_a_program_lists_it(tmp_path: Path) -> None:
    assert basis(entry_of(tmp_path, **FORNAX)) == "data and a model"
    half = {"quantity": "expression", "formula": "a / 2", "let": {"a": FORNAX}}
    assert basis(entry_of(tmp_path, **half)) == "data and a model"
    at_it = {"quantity": "boost", "dataset": "landmarks", "kernel": "sigma", "system": "Fornax"}
    assert basis(entry_of(tmp_path, **at_it)) == "a model alone"


def test_the_ledgers_own_ratios_to_what_is_observed_of_landmarks_rest_on_data(
    ledger: dict[str, Entry],
) -> None:
    of_data = ("si.dwarfs.ratio.sigma", "si.dwarfs.ratio.mond", "si.bullet.mond", "clusters.literature_ratio.abell_383")
    assert {basis(ledger[name]) for name in of_data} == {"data and a model"}
    # Over the baryons that are put in, at velocities that are chosen.
    of_none = ("si.bullet.sigma", "si.tully_fisher.mass")
    assert {basis(ledger[name]) for name in of_none} == {"a model alone"}


def test_a_prediction_written_as_a_formula_rests_on_the_model(ledger: Mapping[str, Entry]) -> None:
    rows = [name for name in ledger if name.startswith("wide_binaries.velocity_")]
    assert len(rows) == 6
    assert {basis(ledger[name]) for name in rows} == {"a model alone"}


def test_a_formula_tells_the_constants_that_it_names(tmp_path: Path) -> None:
    def told(**reading: object) -> str:
        found = entry_of(tmp_path, quantity="expression", **reading).outcomes[0].found
        assert found is not None
        return found.details["constants"]

    assert told(formula="g_dagger * a / a", let={"a": 2.0}) == "g_dagger = 9.59892e-11 m/s2 (c H0/(4√π), main §2.10)"
    assert told(formula="pi * c / AU") == "c = 2.998e+08 m/s (SI §2), AU = 1.496e+11 m (printed nowhere)"
    # What the row itself gives is no constant.
    assert told(formula="c + G", let={"c": 1.0}, inputs={"G": "2.0"}) == ""


def test_a_kernel_tells_the_constants_behind_its_terms() -> None:
    galaxy = model_text("newton", {}, kind="galaxy", term="g_bar")
    assert galaxy["constants"] == "kpc = 3.086e+19 m (SI §2)"
    unrounded = model_text("newton", {"constants": "codata"}, kind="galaxy", term="g_bar")
    assert unrounded["constants"] == "kpc = 3.08568e+19 m (CODATA 2018, IAU 2015)"
    assert model_text("newton", {}, kind="galaxy")["constants"] == ""


@pytest.mark.slow
def test_a_fit_of_the_missing_factor_tells_its_formula(sparc_cube: xr.Dataset) -> None:
    keys = MissingFactorKeys(kernel="mass_coherence", take="delta", fit={"delta": (0.1, 3.0)})
    details = missing_factor(keys, OneCube(sparc_cube)).details
    assert "F = F_max [1 − exp(−(Ψ/Ψ₀)^δ)]" in details["formulas"]
    assert "c = 2.998e+08 m/s (SI §2)" in details["constants"]
    # What is fitted has no one value.
    assert "δ = " not in details["parameters"]
    assert "Ψ₀ = " in details["parameters"]


def test_a_standard_deviation_says_which() -> None:
    names = ("std", "std_sample", "mean")
    assert [ReducedKeys(statistic=name).statistic_text() for name in names] == ["std with N", "std with N − 1", "mean"]


def found(*each: float | None) -> list[Outcome]:
    """Outcomes of a model with these values; None for a file that is missing."""
    return [
        Outcome("missing", message="no file") if v is None else Outcome("found", Found(v, uses_model=True))
        for v in each
    ]


def judged(*given: float | None, published: str, **first: object) -> Entry:
    readings = [{**EXPRESSION, "stated": False, **first}, *[{**EXPRESSION, "stated": False}] * (len(given) - 1)]
    return judge(claim_of(*readings, published=published), found(*given))


def test_what_is_not_computed_is_not_tried() -> None:
    entry = judged(1.0, None, 2.0, None, published="1.0", tried=5)
    assert trials_text(entry).startswith("6 readings tried, 2 more not computed, for want of a file or a value; by ")
    # 0.1 wide in 1.05
    assert entry.chance == pytest.approx(1.0 - (1.0 - 0.1 / 1.05) ** 6, abs=1e-9)
    assert [entry_record(entry)[name] for name in ("tried", "untried")] == [6, 2]
    assert ("formula", "1") in evidence(entry, 1)


def test_a_likely_hit_says_why_it_does_not_count_as_chance() -> None:
    digits = judged(1.0, 1.01, published="1.00")
    assert digits.verdict is Verdict.CONVENTION
    assert trials_text(digits).endswith("in 89 %, which does not count: three digits or more are printed")
    words = judged(1.0, 1.5, published="1.0–1.9", stated=True)
    assert words.verdict is Verdict.REPRODUCES
    assert trials_text(words).endswith(", which does not count: it is the text's own reading")
    assert judged(1.0, 2.0, published="1.0–1.9").spared == ""
    assert judged(1.0, 2.0, published="1.00").spared == ""


def test_a_reading_that_gives_a_whole_table_elsewhere_is_named() -> None:
    shared = {**EXPRESSION, "convention": "root_3"}

    def row(number: int, published: str, *given: float, table: str = "§9") -> Entry:
        readings = [{**EXPRESSION, "stated": False}, shared]
        return judge(claim_of(*readings, published=published, id=f"a.n{number}", table=table), found(*given))

    alone = row(2, "4", 3.0, 4.0, table="")
    assert alone.verdict is Verdict.CHANCE
    rows = [row(0, "1.00", 1.2, 1.0), row(1, "2.00", 2.2, 2.0)]
    *_, entry = judge_tables([*rows, alone])
    assert entry.verdict is Verdict.AGAINST
    assert verdict_text(entry).endswith("; its reading gives all 2 rows of §9")
    assert trials_text(entry).endswith(", which does not count: a table decides")


def test_no_chance_is_told_where_no_reading_has_the_digits() -> None:
    entry = judged(1.0, 2.0, published="1.5")
    assert entry.chance is not None
    assert trials_text(entry) == "2 readings tried"
