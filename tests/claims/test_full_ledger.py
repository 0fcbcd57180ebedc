"""The whole ledger, from the raw files to the page, in one go."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from sigcube.claims import Entry, Verdict, evaluate_claims
from sigcube.explore.ledger_page import claims_page
from tests.readers.cds_files import CdsFiles
from tests.readers.dynpop_files import vizier_text, write_dynpop

# What rests on data, fits and hold-outs that the texts do not describe.
UNPUBLISHED = {
    *(f"microphysics.benchmark.{name}" for name in ("scatter", "stars_bias_sigma", "stars_bias_mond", "stars_scatter")),
    "microphysics.benchmark.clusters_error",
    "microphysics.benchmark.einstein_coverage",
    "amplitude.elliptical.observed",
    "counter_rotation.mond",
    "sparc.path_length.ellipticals",
    "si.xi.k.calibrated",
    *(f"derivation.correlation.{name}" for name in ("galaxies", "clusters", "rate", "redshift", "gas")),
}


def test_nothing_fails(ledger: Mapping[str, Entry]) -> None:
    assert [failure for entry in ledger.values() for failure in entry.failures] == []


def test_what_cannot_be_tested_names_a_file(ledger: Mapping[str, Entry]) -> None:
    for entry in ledger.values():
        if entry.verdict is Verdict.CANNOT:
            messages = [outcome.message for outcome in entry.outcomes if outcome.kind == "missing"]
            assert messages
            assert all(message.startswith("needs ") for message in messages)


def test_most_claims_are_computed(ledger: Mapping[str, Entry]) -> None:
    counts = Counter(entry.verdict for entry in ledger.values())
    assert counts[Verdict.CONSISTENT] >= 100
    assert counts[Verdict.ASSUMED] + counts[Verdict.CANNOT] < 0.25 * len(ledger)


def test_each_value_of_a_dataset_has_its_fingerprint(ledger: Mapping[str, Entry]) -> None:
    for entry in ledger.values():
        for reading, outcome in zip(entry.claim.reading, entry.outcomes, strict=True):
            if outcome.found is not None and reading.keys.datasets():
                assert set(outcome.found.datasets) >= set(reading.keys.datasets()), entry.claim.id


# What tells how a value came about: a formula, those of a model, or what was counted or compared.
TOLD = ("formula", "formulas", "F", "counted", "variable", "test", "flagged", "boost", "take", "systems", "method")


def test_each_value_says_how_it_came_about_and_not_by_itself(ledger: Mapping[str, Entry]) -> None:
    for entry in ledger.values():
        for reading, outcome in zip(entry.claim.reading, entry.outcomes, strict=True):
            if outcome.found is not None and reading.numeric:
                found = outcome.found
                assert "--explain" not in found.command, entry.claim.id
                told = any(key in found.details for key in TOLD)
                assert told or found.command.startswith(("sigcube kernels", "from sigcube import field")), (
                    entry.claim.id
                )


def test_a_fit_says_what_was_least_and_over_what(ledger: Mapping[str, Entry]) -> None:
    found = ledger["si.fits.chi2_red.mean.sigma"].outcomes[0].found
    assert found is not None
    assert found.details["loss"] == "χ² = Σ (Δ/σ)², σ of velocities at least 0.1 km/s; each system by itself"
    assert found.details["sample"] == "paper171"
    assert found.details["sigma, free"] == "A 0.01 to 5, xi 0.1 to 50"
    assert found.details["chi2_red"] == "χ²/(N − k), of N points and k free parameters"
    assert "A = " not in found.details["sigma, parameters"]


def test_a_landmark_says_what_it_puts_in_and_from_where(ledger: Mapping[str, Entry]) -> None:
    found = ledger["si.external_field.sigma"].outcomes[0].found
    assert found is not None
    assert found.details["formula"] == "inside / alone"
    assert "g_bar = 1e-11, g_ext = 1e-10; SI §4a test 12" in found.details["inside, system"]
    assert "√(g†/g) · g†/(g†+g)" in found.details["inside, formulas"]


def test_a_single_point_says_what_it_puts_in_and_what_is_observed(ledger: Mapping[str, Entry]) -> None:
    cluster = ledger["clusters.literature_ratio.abell_383"].outcomes[0].found
    binary = ledger["wide_binaries.g.au_5000"].outcomes[0].found
    assert cluster is not None
    assert binary is not None
    assert cluster.details["system"].startswith("Abell 383 (m_bar = 4.5e+12 solMass, r = 200 kpc, ")
    assert cluster.details["system"].endswith(", m_obs = 6.5e+13 solMass)")
    assert binary.details["system"].startswith("binary 5000 AU (m_bar = 1, r = 2.42385e-05, ")


def test_a_count_and_a_comparison_name_the_sample(ledger: Mapping[str, Entry]) -> None:
    count = ledger["sparc.count.sample"].outcomes[2].found
    versus = ledger["comparison.rotation_curves"].outcomes[1].found
    assert count is not None
    assert versus is not None
    assert count.details["sample"].startswith("paper171 of sparc, the papers' 171 galaxies")
    assert "select(sigcube.open_cube('cubes/sparc.zarr'), sample='paper171')" in versus.command
    assert "compute(cube, 'predicted', scale_length='third_point', A=1.7320508075688772) / " in versus.command


def test_the_page_of_all_is_written(ledger: Mapping[str, Entry], tmp_path: Path) -> None:
    page = claims_page(tuple(ledger.values()), tmp_path / "claims.html")
    text = page.read_text(encoding="utf-8")
    assert all(f'<tbody id="{entry.claim.id}"' in text for entry in ledger.values())


@pytest.fixture(scope="module")
def supplied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of the names and formats of those that are missing: not those."""
    folder = tmp_path_factory.mktemp("supplied")
    clusters = CdsFiles()
    clusters.rows += [clusters.row(f"Stand-in {i}", 0.3, "yes", 5.0 + i, 110.0 + 20.0 * i) for i in range(4)]
    clusters.write(folder)
    stars = [
        f"{i},{4.0 + 0.015 * i:.3f},{0.4 * (-1) ** i},{30.0 * (-1) ** (i // 2)},{-225.0 + 0.01 * i},5.0"
        for i in range(800)
    ]
    (folder / "eilers_apogee_6d_disk.csv").write_text("source_id,R_gal,z_gal,v_R,v_phi,v_z\n" + "\n".join(stars) + "\n")
    write_dynpop(folder / "SDSSDR17_MaNGA_JAM.fits")
    (folder / "bevacqua2022_counter_rotating.tsv").write_text(vizier_text())
    return folder


def test_rows_test_themselves_once_their_file_is_supplied(
    ledger: Mapping[str, Entry], supplied: Path, tmp_path: Path
) -> None:
    claims = [entry.claim for entry in ledger.values()]
    untested = [claim for claim in claims if ledger[claim.id].verdict is Verdict.CANNOT]
    judged = evaluate_claims(untested, cubes=tmp_path, data=supplied, among=claims)
    assert [failure for entry in judged for failure in entry.failures] == []
    assert {entry.claim.id for entry in judged if entry.verdict is Verdict.CANNOT} <= UNPUBLISHED
