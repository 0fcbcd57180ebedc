"""The verb of the ledger: its table, its explanation, its exit code; what it explains can be run."""

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr

from sigcube.claims import evaluate_claims
from sigcube.claims.ledger_text import (
    choose_claims,
    deviation_text,
    entry_record,
    explain,
    find_verdict,
    trials_text,
    verdict_text,
)
from sigcube.claims.row_files import shipped_conventions
from sigcube.cli import ExitCode
from sigcube.errors import SpecError
from tests.calling import call
from tests.claims.rows import claim_of, row

SWEEP = {
    "quantity": "sweep",
    "dataset": "sparc",
    "kernel": "sigma",
    "sample": "unflagged",
    "settings": {"A": 1.5, "window": "none"},
    "reference": {"kernel": "mond", "nu": "rar"},
    "take": "rms_mean",
}
MISSING = {"quantity": "cube", "dataset": "fox2022", "statistic": "systems"}
BOOST = {"quantity": "boost", "kernel": "sigma", "at": {"g_bar": 9.599e-13}}


@pytest.fixture
def folder(tmp_path: Path, mock_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a synthetic survey, and rows: one of a sweep, one that lacks its file, one of arithmetic."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGCUBE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(mock_path, tmp_path / "cubes" / "sparc.zarr")
    others = [
        row(MISSING, id="clusters.count"),
        row({"quantity": "expression", "formula": "2"}, id="sparc.two", published="2"),
    ]
    text = row(SWEEP, id="sparc.rms", published="12.3") + "".join(other.partition("\n\n")[2] for other in others)
    (tmp_path / "rows.toml").write_text(text, encoding="utf-8")
    return tmp_path


def claims(*words: str) -> str:
    result = call("claims", *words, "--file", "rows.toml", "--workers", "1")
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_the_table_says_every_verdict_and_counts_them() -> None:
    output = claims()
    assert "1 consistent" in output
    assert "1 differs" in output
    assert "1 cannot be tested" in output
    assert "1 distinct printed result rests on data and a model: 1 differs" in " ".join(output.split())
    assert "needs table1.dat and ReadMe of fox2022" in " ".join(output.split())
    assert output.rstrip().splitlines()[-1].startswith("all 3 distinct numbers: ")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_an_id_its_beginning_a_paper_and_a_verdict_choose() -> None:
    assert [each["id"] for each in json.loads(claims("sparc", "--json"))] == ["sparc.rms", "sparc.two"]
    assert [each["id"] for each in json.loads(claims("sparc.two", "--json"))] == ["sparc.two"]
    assert [each["id"] for each in json.loads(claims("--verdict", "cannot", "--json"))] == ["clusters.count"]
    assert len(json.loads(claims("--paper", "cmsi", "--json"))) == 3
    record = json.loads(claims("sparc.rms", "--json"))[0]
    assert record["verdict"] == "differs"
    assert record["readings"][0]["keys"]["settings"] == {"A": 1.5, "window": "none"}


def test_what_is_not_there_is_refused_with_the_nearest(folder: Path) -> None:
    del folder
    for words, told in (
        (["sparc.rm"], "did you mean 'sparc.rms'"),
        (["--verdict", "difers"], "did you mean 'differs'"),
        (["--paper", "cmi"], "did you mean 'cmsi'"),
    ):
        result = call("claims", *words, "--file", "rows.toml")
        assert result.exit_code == ExitCode.USAGE
        assert told in " ".join(result.stderr.split())
    with pytest.raises(SpecError, match="ids begin with: b"):
        choose_claims([claim_of(SWEEP, id="b.c")], wanted="zzz")
    with pytest.raises(SpecError, match="valid: against"):
        find_verdict("x")
    assert find_verdict("convention") == find_verdict("reproduces under a convention the text does not state")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_the_spec_that_is_explained_gives_the_value_when_it_is_run() -> None:
    told = json.loads(claims("sparc.rms", "--json"))[0]["readings"][0]
    output = claims("sparc.rms", "--explain")
    for line in told["spec"].splitlines():
        assert line in output
    Path("SPEC.toml").write_text(told["spec"], encoding="utf-8")
    assert told["command"] == "sigcube sweep SPEC.toml"
    assert f"{told['value']:.10g}" in output
    result = call("sweep", "SPEC.toml", "--workers", "1")
    assert result.exit_code == 0, result.output
    made = xr.open_zarr("cubes/results/SPEC.zarr")
    assert float(made.rms_mean.values.ravel()[0]) == told["value"]
    assert made.attrs["cube_fingerprint"] == told["datasets"]["sparc"]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_failure_of_an_evaluation_exits_with_one_and_names_all() -> None:
    bad = [row({**SWEEP, "kernel": kernel}, id=f"a.{kernel}") for kernel in ("one", "two")]
    Path("bad.toml").write_text(bad[0] + bad[1].partition("\n\n")[2], encoding="utf-8")
    result = call("claims", "--file", "bad.toml", "--workers", "1")
    assert result.exit_code == ExitCode.REFUSED
    assert "evaluation failed: a.one, as stated: there is no kernel 'one'" in result.stderr
    assert "evaluation failed: a.two" in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_as_many_processes_start_as_the_process_may_use_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("dask.system.CPU_COUNT", 2)
    monkeypatch.setattr("sigcube.claims.evaluate_claims", lambda *_, workers, **__: asked.append(workers) or ())
    assert call("claims", "--file", "rows.toml").exit_code == 0
    assert call("claims", "sparc.two", "--file", "rows.toml").exit_code == 0
    assert asked == [2, 1]


@pytest.mark.usefixtures("folder")
def test_rows_of_ones_own_may_link_to_those_that_come_with_sigcube() -> None:
    same = {"quantity": "expression", "formula": "a", "let": {"a": "amplitude.unified.cluster"}}
    Path("linked.toml").write_text(row(same, id="own.same", published="8.45"), encoding="utf-8")
    result = call("claims", "--file", "linked.toml", "--workers", "1", "--json")
    assert result.exit_code == 0, result.stderr
    assert [each["verdict"] for each in json.loads(result.stdout)] == ["reproduces"]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_the_command_of_a_boost_gives_its_value() -> None:
    Path("boost.toml").write_text(row(BOOST), encoding="utf-8")
    result = call("claims", "--file", "boost.toml", "--workers", "1", "--json")
    reading = json.loads(result.stdout)[0]["readings"][0]
    lines = reading["command"].split("; ")
    namespace: dict[str, object] = {}
    exec("; ".join(lines[:-1]), namespace)
    (value,) = eval(lines[-1], namespace).values
    assert float(value) == reading["value"]


@pytest.mark.parametrize(("formula", "told"), [("1e-9", "−100 %"), ("2 * 1.104", "+10 %"), ("2.06", "+3 %")])
def test_a_deviation_is_written_without_a_power_of_ten(formula: str, told: str) -> None:
    claim = claim_of({"quantity": "expression", "formula": formula}, published="2.000")
    (entry,) = evaluate_claims([claim])
    assert deviation_text(entry, 0) == told


def test_what_gives_the_digits_is_told_with_what_stands_against_it() -> None:
    boost = {"quantity": "boost", "kernel": "newton", "at": {"g_bar": 1e-10}}
    told = [
        (
            {"against": "§2: its words"},
            "against the text: reading 1; the text says §2: its words; a reading of this number",
        ),
        ({"stated": False, "tried": 28}, "the text does not state: reading 1; chosen for its digits among 28"),
        ({"convention": "root_3"}, "against the text: A = √3; the text says SI §2: All results in this paper"),
    ]
    for more, words in told:
        (entry,) = evaluate_claims([claim_of({**boost, **more}, published="1.00")])
        assert words in verdict_text(entry)
    (entry,) = evaluate_claims([claim_of({**boost, "consistency": "limit"}, published="1.00")])
    assert verdict_text(entry) == "consistent: a limit"
    assert trials_text(entry) == "1 reading tried"
    (entry,) = evaluate_claims([claim_of(boost, {**boost, "scale": 3.0}, published="1.00")])
    assert trials_text(entry) == "2 readings tried; by chance one of them has the printed digits in less than 1 %"


def test_a_reading_tells_what_its_convention_is_and_which_scripts_have_it() -> None:
    known = shipped_conventions()["untabled_dispersion"]
    (entry,) = evaluate_claims([claim_of({**BOOST, "convention": "untabled_dispersion"})])
    assert f"    authors' scripts  {known.sources[0]}\n" in explain(entry)
    assert f"    which is          {known.note}\n" in explain(entry)
    (record,) = entry_record(entry)["readings"]
    assert (record["sources"], record["note"]) == (known.sources, known.note)
    (entry,) = evaluate_claims([claim_of(BOOST)])
    assert "authors' scripts" not in explain(entry)


def test_an_order_of_magnitude_and_a_large_factor_are_told_as_such() -> None:
    for published, formula, told in (
        ("~10⁻⁵", "3e-11", "−5.5 powers of ten"),
        ("< 1e-14", "2.4e-12", "a factor of 240"),
        ("≪ 1e-10", "0.76", "a factor of 8e+10"),
    ):
        (entry,) = evaluate_claims([claim_of({"quantity": "expression", "formula": formula}, published=published)])
        assert deviation_text(entry, 0) == told
