"""Every input that cannot be ends in one clear error, and leaves nothing behind."""

from pathlib import Path

import pytest

from sigcube.errors import SigcubeError
from tests.bad_inputs import CASES, Case, Room
from tests.bad_inputs.cases import make_stores


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stores(tmp_path_factory.mktemp("stores"))


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_a_bad_input_is_one_clear_error(case: Case, stores: Path, tmp_path: Path) -> None:
    room = Room(tmp_path, stores)
    with pytest.raises(SigcubeError) as caught:
        case.act(room)
    error, text = caught.value, str(caught.value)
    assert case.said in text
    # What is wrong, and at least one of: where, what was found, what would be right, what to do.
    assert any((error.where, error.found, error.expected, error.hint))
    assert len(text) < 20_000
    assert all(each.isprintable() or each == "\n" for each in text)
    assert room.left() == []
