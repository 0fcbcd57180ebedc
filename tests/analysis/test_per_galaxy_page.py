"""The page on files of others says what comes out: its Python and its row of the ledger are run on the real data."""

import doctest
import re
from pathlib import Path

import pytest

from sigcube.claims import evaluate_claims, load_claims

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "per_galaxy.md").read_text(encoding="utf-8")
# What somebody else may have written: one galaxy that both have, and one that the cut leaves out.
THEIRS = "galaxy,rms\nCamB,15.35\nNGC7814,20.0\n"


@pytest.mark.page
@pytest.mark.slow
def test_the_page_shows_what_comes_out(sparc_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    (tmp_path / "theirs.csv").write_text(THEIRS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    python = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(python, {}, "per_galaxy.md", "docs/how-to/per_galaxy.md", 0)
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0
    (row,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.toml").write_text(row, encoding="utf-8")
    (entry,) = evaluate_claims(load_claims([tmp_path / "mine.toml"]), cubes=tmp_path / "cubes")
    assert entry.outcomes[0].found is not None
    assert f"{entry.outcomes[0].found.value:.2f}" == entry.claim.published
