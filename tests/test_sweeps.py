"""The specs that are shipped can be planned on the real cube, and hold what the papers' sections ask for."""

from pathlib import Path

import pytest

from sigcube.errors import SpecError
from sigcube.spec import read_spec_file
from sigcube.sweep import Sweep

SPECS = sorted((Path(__file__).resolve().parents[1] / "sweeps").glob("*.toml"))


@pytest.fixture
def here(sparc_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory in which the specs find their cube."""
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / "sparc.zarr").symlink_to(sparc_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_can_be_planned(path: Path) -> None:
    plan = Sweep.from_toml(path).plan(probe=False)
    assert len(plan.systems) == 171
    assert plan.spec.grid.size >= plan.points_computed > 0
    assert path.stem.startswith("si")


@pytest.mark.usefixtures("here")
def test_the_coherence_scale_is_not_computed_along_the_other_windows_axis() -> None:
    plan = Sweep.from_toml(SPECS[0].with_name("si13_coherence_scale.toml")).plan(probe=False)
    assert plan.points_computed == 2 * (50 + 56) * 101
    k_xi = next(axis for axis in plan.spec.grid.axes if axis.name == "k_xi")
    for quoted in (0.24, 0.47):
        assert min(abs(value - quoted) for value in k_xi.values if isinstance(value, float)) < 1e-12


@pytest.mark.usefixtures("here")
def test_a_shipped_spec_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SPECS
    for path in SPECS:
        assert read_spec_file(path.stem) == read_spec_file(path)
    # A file of one's own with that name goes first.
    Path("si14_sensitivity").write_text('cube = "mine"\nkernel = "mond"\naxes = {}\n')
    assert read_spec_file("si14_sensitivity").cube == "mine"
    with pytest.raises(SpecError, match=r"cannot be read\n(.|\n)*did you mean 'si13_local_window'\?"):
        read_spec_file("si13_locl_window")
