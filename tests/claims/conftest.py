"""The ledger, judged once for all tests that ask about its rows."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sigcube.claims import Entry, evaluate_claims, load_claims


@pytest.fixture(scope="session")
def ledger(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Entry]:
    """Every claim that comes with sigcube, judged, by its id: no cube is there before."""
    folder = tmp_path_factory.mktemp("ledger")
    entries = evaluate_claims(load_claims(), cubes=folder / "cubes", data=shared_data, workers=2)
    return {entry.claim.id: entry for entry in entries}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the ledger: a hundred models are compiled, and pairs of models fitted to every galaxy."""
    for item in items:
        if "ledger" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(1500))
