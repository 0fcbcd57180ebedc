"""The specs that are shipped can be planned on real cubes, give numbers, and hold what the papers' sections print."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import open_cube, select
from sigcube.errors import SpecError
from sigcube.model.evaluate import evaluate_model
from sigcube.model.frames import variables_of
from sigcube.model.model import Model
from sigcube.plan.joint import read_joint_file
from sigcube.plan.spec import MODEL, Spec
from sigcube.plan.spec_file import SpecFile, read_spec_file
from sigcube.plan.values import PointStatus
from sigcube.readers.stars import StarCuts
from sigcube.recipes import ingest, load_recipe
from sigcube.sweep import JointSweep, Sweep
from tests.readers.cds_files import CdsFiles

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[1] / "sweeps"
# Specs of fits have no axes; they have tests of their own.
TEXTS = {path: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.toml"))}
JOINT = [path for path, text in TEXTS.items() if "[[data]]" in text]
SPECS = [path for path, text in TEXTS.items() if "[axes]" in text and path not in JOINT]

FAMILIES = ("si", "main", "clash", "cmsi", "likelihood", "mass_coherence", "microphysics", "multiverse")

# How many are left of it by a spec's own condition.
CUT = {"likelihood_rar_cut": (143, 2688), "likelihood_rar_mnr": (143, 2688)}

# How many systems and points the sample of each dataset has.
SIZES = {
    "sparc": (171, 3373),
    "gaia": (1, 143_443),
    "clash": (20, 84),
    "literature_clusters": (12, 12),
    "landmarks": (21, 21),
    "eilers2019": (1, 38),
    # Not to be had without asking for them: files in their formats, which the fixture writes.
    "fox2022": (1, 1),
    "eilers_cross_match": (1, 40),
}


@dataclass(frozen=True)
class Printed:
    """The values that a section prints for what a spec sweeps."""

    spec: str
    axes: Mapping[str, list[float] | list[str]]

    def __str__(self) -> str:
        return self.spec


PRINTED = [
    # Main §2.11, table: A_0, L_0, n; L ≈ 600 kpc for clusters
    Printed("main211_bulge_amplitude", {"A_0": [1.173], "L_0": [0.40], "n": [0.27]}),
    Printed("main211_cluster_amplitude", {"A_0": [1.173], "L_0": [0.40], "n": [0.27], "L": [600.0]}),
    # Main §2.12.1: A_0 = 1.173 and 1.6; §2.8.5: √e; table: L = 1.55 kpc, and ≈ 1.5 in the text
    Printed("main2121_path_length_discs", {"A_0": [1.173, 1.6, 1.649], "L": [1.5, 1.55]}),
    Printed("main2121_path_length_clusters", {"A_0": [1.173, 1.6, 1.649], "L": [400.0]}),
    # Main §2.10: g† ≈ 9.60e-11 m/s²; §2.7: A = √3 ≈ 1.73
    Printed(
        "main213_acceleration_scale", {"g_dagger": [9.60e-11], "A": [1.173, 1.733], "window": ["geometric", "none"]}
    ),
    # Main §2.14.1: the Galaxy's field ≈ 2.2e-10 m/s²; SI §4a, test 12: 1e-10
    Printed("main2141_external_field", {"g_ext": [0.0, 1e-10, 2.2e-10], "A": [1.173]}),
    # Main §2.8.5, table, and §2.11: the amplitudes of clusters
    Printed("main28_cluster_amplitudes", {"A": [4.44, 7.15, 8.0, 8.45], "constants": ["paper", "codata"]}),
    # Main §3.3: asymmetric drift; §2.6: ξ ≈ 0.159 R_d
    Printed("main33_cross_match", {"drift": ["asymmetric"], "xi_scale": [0.159], "A": [1.173]}),
    # Main §3.5: Υ = 0.5 and 0.7
    Printed("main35_mass_to_light", {"upsilon_disk": [0.5], "upsilon_bulge": [0.7], "A": [1.173]}),
    # Main §3.6: a_0 = 1.2e-10 m/s², ν = 1/(1 − e^{−√x})
    Printed("main36_mond", {"a0": [1.2e-10], "nu": ["rar"], "upsilon_disk": [0.5], "upsilon_bulge": [0.7]}),
    # Main §4.2: V_bar × 1.16
    Printed("main42_baryons_of_the_galaxy", {"v_bar_scaling": [1.16], "A": [1.173]}),
    Printed("main42_mond_stars", {"a0": [1.2e-10], "v_bar_scaling": [1.16]}),
    Printed("main42_rotation_curve", {"xi_scale": [0.159], "A": [1.173]}),
    # Main §4.3: A ≈ 8.45
    Printed("main43_fox_clusters", {"A": [8.45], "g_dagger": [9.60e-11]}),
    Printed("main43_literature_clusters", {"A": [8.0]}),
    Printed("main43_mond_clusters", {"a0": [1.2e-10], "nu": ["rar"]}),
    # Main §5.2: counter-rotating 0, 25, 50, 100 %; coherence 1.0, 0.9, 0.7, 0.5; σ_v/v_c and σ_v of the table
    Printed("main52_coherence", {"coherence": [1.0, 0.75, 0.5, 0.0, 0.9, 0.7]}),
    Printed("main52_dispersion", {"sigma_over_vc": [0.0, 0.1, 0.2, 0.3]}),
    Printed("main52_dispersion_local", {"sigma_v": [0.0, 20.0, 40.0, 60.0], "xi_scale": [0.159]}),
    Printed("si4_landmarks_mond", {"a0": [1.2e-10], "nu": ["rar"]}),
    # SI §8.2, table: z = 0, 1, 2
    Printed("si8_redshift", {"z": [0.0, 1.0, 2.0], "omega_m": [0.3]}),
    # SI §9b, table: r_char, α, β, A = √3 ≈ 1.73
    Printed("si9b_survival", {"r_0": [20.0], "alpha": [0.1], "beta": [0.3], "A": [1.73], "upsilon_disk": [0.5, 1.0]}),
    # SI §13.2 and §13.3: k = 0.24 and 0.47
    Printed("si13_dynamical_scale", {"k_xi": [0.24, 0.47], "g_dagger": [9.60e-11]}),
    Printed("si13_coherence_scale", {"k_xi": [0.24, 0.47], "window": ["geometric", "dynamical"]}),
    # SI §13.5, table
    Printed("si13_local_window", {"sigma_v": [15.0, 20.0, 25.0, 30.0]}),
    Printed("si13_local_dispersion", {"sigma_v": [15.0, 20.0, 25.0, 30.0], "A": [1.173]}),
    # SI §14, tables
    Printed("si14_sensitivity", {"k": [1.0, 0.5], "A": [1.0, 1.173, 1.5]}),
    Printed("si14_readings", {"k": [1.0, 0.5], "A": [1.0, 1.173, 1.5], "g_dagger": [9.60e-11]}),
    Printed("si14_cluster_ratio", {"A_0": [1.0, 1.173, 1.5], "g_dagger": [9.60e-11]}),
    # SI §15.1: the bounds of the fits
    Printed("si15_amplitude_and_scale", {"A": [0.01, 5.0], "xi": [0.1, 50.0]}),
    Printed("si15_halos", {"log_m200": [6.0, 14.0], "c": [1.0, 50.0]}),
    # CMSI, table of parameters; n of the boxed formula
    Printed("cmsi_parameters", {"chi_0": [800.0], "gamma": [1.5], "alpha": [0.55], "l_0": [2.2], "epsilon": [0.5]}),
    Printed("cmsi_profile", {"chi_0": [800.0], "n": [2.0], "sigma_ref": [50.0]}),
    Printed("cmsi_readings", {"chi_0": [800.0], "l_0": [2.2], "form": ["boxed"]}),
    # Mass coherence, models 1 and 2: the fitted parameters
    Printed("mass_coherence_roughness", {"K_0": [0.774], "gamma": [0.1]}),
    Printed("mass_coherence_mass", {"K_max": [19.58], "psi_0": [7.34e-8], "delta": [0.136], "reff_factor": [1.33]}),
    Printed("mass_coherence_readings", {"K_max": [19.58], "l_0": [5.0], "mass": ["dynamical", "baryonic"]}),
    Printed("mass_coherence_velocity", {"K_max": [10.38], "psi_0": [9.80e-3], "delta": [2.04], "v_ref": [125.5]}),
    Printed("mass_coherence_unified", {"K_0": [0.774], "K_max": [19.58], "combination": ["sum"]}),
    # The text names the functional form; its numbers are those of the code that it was fitted by.
    Printed(
        "mass_coherence_functional",
        {"F_0": [10.02], "sigma_ref": [14.8], "a_sigma": [0.10], "r_ref": [12.3], "a_r": [0.31]},
    ),
    # Microphysics, model 1; models 2 and 3 print no value: those of their code
    Printed("microphysics_roughness", {"K_0": [0.774], "gamma": [0.1]}),
    Printed("microphysics_pairing", {"A": [1.0], "sigma_c": [25.0], "gamma": [2.0], "l_pair": [5.0], "p": [1.0]}),
    Printed("microphysics_resonance", {"alpha": [2.0], "lambda_cut": [2000.0], "beta_Q": [1.0], "A": [1.0]}),
    Printed("microphysics_burr", {"l_0": [5.0], "p": [0.757], "n": [0.5], "A": [1.0]}),
]


@pytest.fixture(scope="module")
def cubes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the specs find their cubes."""
    folder = tmp_path_factory.mktemp("work")
    raw = tmp_path_factory.mktemp("raw")
    CdsFiles().write(raw)
    _write_cross_match(raw)
    recipes = {name: load_recipe(name) for name in SIZES}
    recipes["eilers_cross_match"] = recipes["eilers_cross_match"].model_copy(update={"cuts": StarCuts(min_stars=1)})
    for name, recipe in recipes.items():
        data = raw if name in ("fox2022", "eilers_cross_match") else shared_data
        ingest(recipe, data=data, out=folder / "cubes" / f"{name}.zarr", progress=False)
    return folder


def _write_cross_match(folder: Path) -> None:
    stars = (f"{i},{8.0 + 0.1 * i},0.1,{10.0 * (-1) ** i},{-220.0 - i},5.0" for i in range(40))
    (folder / "eilers_apogee_6d_disk.csv").write_text("source_id,R_gal,z_gal,v_R,v_phi,v_z\n" + "\n".join(stars) + "\n")


@pytest.fixture
def here(cubes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That folder as the current one."""
    monkeypatch.chdir(cubes)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_can_be_planned(path: Path) -> None:
    plan = Sweep.from_toml(path).plan(probe=False)
    file = read_spec_file(path)
    assert (len(plan.systems), plan.n_points) == CUT.get(path.stem, SIZES[Path(file.cube).stem])
    assert plan.spec.grid.size >= plan.points_computed > 0
    assert path.stem.startswith(FAMILIES)
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert file.title


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_gives_numbers_at_its_corners(path: Path) -> None:
    file = read_spec_file(path)
    ends = _ends(file)
    spec = ends.plan(probe=False).spec
    if file.errors is None and file.models == {}:
        for predicted, points in _predictions(file, spec):
            assert np.isfinite(predicted.values[points.broadcast_like(predicted).values]).all()
        return
    result = ends.compute()
    assert (result["status"] == PointStatus.DONE).all()
    for name in file.metrics:
        summary = name if name in result and not file.keep else f"{name}_mean"
        values = result.get(summary, result.get(name))
        assert values is not None
        assert values.size
        assert np.isfinite(values).all(), name


def _predictions(file: SpecFile, spec: Spec) -> Iterator[tuple[xr.DataArray, xr.DataArray]]:
    """Yield what the model predicts at the corners, once for each of its labels, and which points of the cube count.

    Term by term, as arrays: these terms are compiled for other tests too, where a loop would be for this spec alone.
    That loops give the same bits is tested for every label of every kernel.
    """
    cube = select(open_cube(file.cube), sample=file.sample, where=file.where)
    axes = {axis.name: axis for axis in spec.grid.axes}
    numbers = {name: xr.DataArray(axis.array, dims="corner") for name, axis in axes.items() if not axis.is_label}
    texts = {name: axis.values for name, axis in axes.items() if axis.is_label}
    for labels in zip(*texts.values(), strict=True) if texts else [()]:
        model = spec.model.with_settings(dict(zip(texts, labels, strict=True)))
        used = model.graph(("predicted",), variables=variables_of(cube)).parameters
        values = {name: value for name, value in {**model.values, **numbers}.items() if name in used}
        own = Model(model.kernel, model.frame, {**model.labels, **values})
        yield evaluate_model(own, cube, "predicted"), cube["r"].notnull()


def _ends(file: SpecFile) -> Sweep:
    """Return a shipped sweep at the corners of its grid, and over each of its labels once.

    All numbers vary along one dimension and all labels along another. As a product of their axes, these few points
    would take several times as long to compile: nested loops, and each combination of labels.
    """
    grid = Sweep(**file.model_dump()).plan(probe=False).spec.grid
    numbers = [axis for axis in grid.axes if not axis.is_label]
    ends = {axis.dim: dict.fromkeys((0, len(axis.values) - 1)) for axis in numbers}
    corners = [dict(zip(ends, corner, strict=True)) for corner in itertools.product(*ends.values())]
    axes = {axis.name: ("corner", [axis.values[corner[axis.dim]] for corner in corners]) for axis in numbers}
    # The names of several models are an axis of the sweep's own.
    texts = [axis for axis in grid.axes if axis.is_label and axis.name != MODEL]
    labels = max((len(axis.values) for axis in texts), default=0)
    for axis in texts:
        axes[axis.name] = "reading", list(itertools.islice(itertools.cycle(axis.values), labels))
    return Sweep(**{**file.model_dump(), "axes": axes, "roles": {}})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", JOINT, ids=lambda path: path.stem)
def test_a_shipped_joint_spec_can_be_planned(path: Path) -> None:
    joint = JointSweep.from_toml(path)
    file = read_joint_file(path)
    for table in file.data:
        plan = joint.leaves[table.name].plan(probe=False)
        assert (len(plan.systems), plan.n_points) == SIZES[Path(table.cube).stem]
        # What a leaf lacks, its kind of cube does not have.
        assert {axis.name for axis in plan.spec.grid.axes} == {
            name for name in file.axes if name in {**plan.spec.model.parameters, **plan.spec.model.choices}
        }
    assert TEXTS[path].startswith("# ")
    assert file.title


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("printed", PRINTED, ids=str)
def test_the_papers_own_values_are_on_the_axes(printed: Printed) -> None:
    axes = {axis.name: axis for axis in Sweep.from_toml(printed.spec).plan(probe=False).spec.grid.axes}
    for name, values in printed.axes.items():
        for value in values:
            assert any(
                given == value if isinstance(value, str) else given == pytest.approx(value, rel=1e-9, abs=1e-30)
                for given in axes[name].values
            ), (name, value)


@pytest.mark.usefixtures("here")
def test_the_coherence_scale_is_not_computed_along_the_other_windows_axis() -> None:
    plan = Sweep.from_toml(SPECS[0].with_name("si13_coherence_scale.toml")).plan(probe=False)
    assert plan.points_computed == 2 * (50 + 56) * 101


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
