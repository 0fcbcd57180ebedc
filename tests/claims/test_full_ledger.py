"""The whole ledger, from the raw files to the page, in one go."""

from collections import Counter
from pathlib import Path

import pytest

from sigcube.claims import Entry, Verdict, evaluate_claims, load_claims
from sigcube.explore.claims import claims_page

# A hundred models are compiled, and three pairs of models fitted to every galaxy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def entries(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Entry, ...]:
    """Every claim that comes with sigcube, judged: no cube is there before."""
    folder = tmp_path_factory.mktemp("ledger")
    return evaluate_claims(load_claims(), cubes=folder / "cubes", data=shared_data, workers=2)


def test_nothing_fails(entries: tuple[Entry, ...]) -> None:
    assert [failure for entry in entries for failure in entry.failures] == []


def test_what_cannot_be_tested_names_a_file(entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        if entry.verdict is Verdict.CANNOT:
            messages = [outcome.message for outcome in entry.outcomes if outcome.kind == "missing"]
            assert messages
            assert all(message.startswith("needs ") for message in messages)


def test_most_claims_are_computed(entries: tuple[Entry, ...]) -> None:
    counts = Counter(entry.verdict for entry in entries)
    assert counts[Verdict.REPRODUCES] >= 100
    assert counts[Verdict.ASSUMED] + counts[Verdict.CANNOT] < 0.25 * len(entries)


def test_each_value_of_a_dataset_has_its_fingerprint(entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        for reading, outcome in zip(entry.claim.reading, entry.outcomes, strict=True):
            if outcome.found is not None and reading.keys.uses():
                assert set(outcome.found.datasets) >= set(reading.keys.uses()), entry.claim.id


def test_the_page_of_all_is_written(entries: tuple[Entry, ...], tmp_path: Path) -> None:
    page = claims_page(entries, tmp_path / "claims.html")
    text = page.read_text(encoding="utf-8")
    assert all(f'<tbody id="{entry.claim.id}"' in text for entry in entries)
