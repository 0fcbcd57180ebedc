"""The specs that are shipped can be planned on the real cube, and hold what the papers' sections ask for."""

from pathlib import Path

import pytest

from sigcube.errors import SpecError
from sigcube.recipes import ingest, load_recipe
from sigcube.spec import read_spec_file
from sigcube.sweep import Sweep

SPECS = sorted((Path(__file__).resolve().parents[1] / "sweeps").glob("*.toml"))


# How many systems and points the sample of each dataset has.
SIZES = {
    "sparc": (171, 3373),
    "gaia": (1, 143_443),
    "clash": (20, 84),
    "literature_clusters": (12, 12),
    "landmarks": (21, 21),
}


@pytest.fixture(scope="module")
def cubes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the specs find their cubes."""
    folder = tmp_path_factory.mktemp("work")
    for name in SIZES:
        ingest(load_recipe(name), data=shared_data, out=folder / "cubes" / f"{name}.zarr", progress=False)
    return folder


@pytest.fixture
def here(cubes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That folder as the current one."""
    monkeypatch.chdir(cubes)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_can_be_planned(path: Path) -> None:
    plan = Sweep.from_toml(path).plan(probe=False)
    dataset = Path(read_spec_file(path).cube).stem
    assert (len(plan.systems), plan.n_points) == SIZES[dataset]
    assert plan.spec.grid.size >= plan.points_computed > 0
    assert path.stem.startswith(("si", "main", "clash"))


@pytest.mark.usefixtures("here")
def test_the_coherence_scale_is_not_computed_along_the_other_windows_axis() -> None:
    plan = Sweep.from_toml(SPECS[0].with_name("si13_coherence_scale.toml")).plan(probe=False)
    assert plan.points_computed == 2 * (50 + 56) * 101
    k_xi = next(axis for axis in plan.spec.grid.axes if axis.name == "k_xi")
    for quoted in (0.24, 0.47):
        assert min(abs(value - quoted) for value in k_xi.values if isinstance(value, float)) < 1e-12


@pytest.mark.usefixtures("here")
def test_a_shipped_spec_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert SPECS
    for path in SPECS:
        assert read_spec_file(path.stem) == read_spec_file(path)
    # A file of one's own with that name goes first.
    monkeypatch.chdir(tmp_path)
    Path("si14_sensitivity").write_text('cube = "mine"\nkernel = "mond"\naxes = {}\n')
    assert read_spec_file("si14_sensitivity").cube == "mine"
    with pytest.raises(SpecError, match=r"cannot be read\n(.|\n)*did you mean 'si13_local_window'\?"):
        read_spec_file("si13_locl_window")
