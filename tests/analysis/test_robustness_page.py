"""The page on robustness says what comes out: its Python is run on the real data."""

import doctest
import re
from pathlib import Path

import pytest

from sigcube.sweep import Sweep

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "robustness.md").read_text(encoding="utf-8")


@pytest.mark.page
@pytest.mark.slow
def test_the_page_shows_what_comes_out_for_si14(
    sparc_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    monkeypatch.chdir(tmp_path)
    result = Sweep.from_toml("si14_readings").run("cubes/results/si14_readings.zarr", workers=0)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "robustness.md", "docs/robustness.md", 0)
    assert len(test.examples) > 8
    assert doctest.DocTestRunner().run(test).failed == 0
    canonical = {"scale_length": "third_point", "gas": "signed", "constants": "paper", "g_dagger": 9.6e-11}
    rms = result.rms_mean.sel(canonical | {"k": 1.0, "upsilon_disk": 0.5, "upsilon_bulge": 0.7})
    assert ", ".join(f"{value:.2f}" for value in rms.values) + " km/s" in PAGE
