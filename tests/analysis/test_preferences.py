"""Preferences under four error models: against sums done by hand, and sweeps done one by one."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import sigcube
from sigcube import analysis
from sigcube.analysis import preference_study
from sigcube.analysis.preference_file import StudyFile, read_study_file
from sigcube.claims import Claim
from sigcube.errors import SpecError
from sigcube.sweep import Sweep

AMPLITUDES, LENGTHS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0), (0.5, 1.0, 2.0, 4.0, 8.0)
PRIOR = {
    "correlation_amplitude": sigcube.log_uniform(1.0, 16.0),
    "correlation_length": sigcube.log_uniform(0.5, 8.0),
}
PAIR = [{"first": "a", "second": "b"}]

STUDY = """
cube = "mock.zarr"
sample = "unflagged"
correlation_amplitude = { geomspace = [1.0, 16.0, 5], prior = "log_uniform:1,16" }
correlation_length = { geomspace = [1.0, 16.0, 5], prior = "log_uniform:1,16" }

[nuisances]
upsilon_disk = { geomspace = [0.25, 1.0, 13], prior = "lognormal:0.5,0.1" }
distance_shift = { linspace = [-3.0, 3.0, 13], prior = "normal:0,1" }
inclination_shift = { linspace = [-3.0, 3.0, 13], prior = "normal:0,1" }

[models]
mond.kernel = "mond"
survival = { kernel = "survival", fixed = { upsilon_disk = 0.6 } }
fitted.kernel = "mond"
fitted.free.a0 = { geomspace = [0.6e-10, 2.4e-10, 9], prior = "log_uniform:0.6e-10,2.4e-10" }

[[comparison]]
first = "mond"
second = "survival"
where = "§1"
published = "2 : 1"
claims = ["a.b"]

[[comparison]]
first = "fitted"
second = "mond"
free = "best"
"""


def likelihoods(values: np.ndarray) -> xr.Dataset:
    """What a study has of two models, given ln L over (model, nuisances, galaxy, amplitude, length)."""
    dims = ("model", "nuisances", "galaxy", "correlation_amplitude", "correlation_length")
    content = {
        "loglike": (dims, values),
        "loglike_best": (dims, values + 1.0),
        "quadrature_error": (dims[:3], np.full(values.shape[:3], 0.25)),
        "treatment": (dims[:2], np.full(values.shape[:2], "held", dtype=object)),
    }
    coords = {
        "model": np.array(["a", "b"], dtype=object),
        "nuisances": np.array(["held", "marginalised"], dtype=object),
        "galaxy": np.array([f"g{i}" for i in range(values.shape[2])], dtype=object),
        "correlation_amplitude": list(AMPLITUDES),
        "correlation_length": list(LENGTHS),
    }
    return xr.Dataset(content, coords)


def random_likelihoods(seed: int, systems: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return likelihoods(rng.normal(0.0, 6.0, (2, 2, systems, len(AMPLITUDES), len(LENGTHS))))


def write_study(folder: Path, text: str = STUDY) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
@given(seed=st.integers(0, 1000), systems=st.integers(2, 9))
def test_counts_and_sums_are_those_of_the_differences(seed: int, systems: int) -> None:
    data = random_likelihoods(seed, systems)
    found = analysis.preferences(data, PAIR, prior=PRIOR).isel(comparison=0)
    # White errors are those at amplitude 0, and every length is the same there.
    loglike = data["loglike"].values
    white = loglike[0, :, :, 0, 0] - loglike[1, :, :, 0, 0]
    np.testing.assert_array_equal(found["difference"].sel(points="white").values, white)
    for i, nuisances in enumerate(("held", "marginalised")):
        # The one amplitude and length are where both models together are largest.
        together = loglike[:, i].sum(axis=(0, 1))
        a, length = np.unravel_index(together.argmax(), together.shape)
        one = found.sel(nuisances=nuisances)
        assert (one["best_amplitude"].item(), one["best_length"].item()) == (AMPLITUDES[a], LENGTHS[length])
        common = one["difference"].sel(points="common").values
        np.testing.assert_array_equal(common, loglike[0, i, :, a, length] - loglike[1, i, :, a, length])
        for points in ("white", "correlated", "common"):
            here, each = one.sel(points=points), one["difference"].sel(points=points).values.tolist()
            assert here["wins_first"] == sum(d > 0 for d in each)
            assert here["wins_second"] == sum(d < 0 for d in each)
            assert here["beyond_first"] == sum(d > 5 for d in each)
            assert here["beyond_second"] == sum(d < -5 for d in each)
            mean = math.fsum(each) / systems
            error = math.sqrt(systems * math.fsum((d - mean) ** 2 for d in each) / (systems - 1))
            assert here["total_difference"].item() == pytest.approx(mean * systems, abs=1e-9)
            assert here["total_error"].item() == pytest.approx(error)
            preferred = "neither" if abs(mean * systems) <= 2 * error else "first" if mean > 0 else "second"
            assert here["preferred"] == preferred


@pytest.mark.slow
@given(seed=st.integers(0, 1000))
def test_exchanged_models_have_the_opposite_differences(seed: int) -> None:
    data = random_likelihoods(seed, 5)
    there, back = (
        analysis.preferences(data, [{"first": one, "second": two}], prior=PRIOR) for one, two in ("ab", "ba")
    )
    np.testing.assert_array_equal(there["difference"].values, -back["difference"].values)
    np.testing.assert_array_equal(there["wins_first"].values, back["wins_second"].values)
    np.testing.assert_array_equal(there["sign_p"].values, back["sign_p"].values)


def test_the_mean_over_correlated_errors_is_an_integral_over_their_prior() -> None:
    # L = 1 + log₂(a) + 3 log₂(ℓ) has the mean 1 + 2 + 3, log₂ being uniform from 0 to 4 and from −1 to 3.
    a, length = np.meshgrid(AMPLITUDES[1:], LENGTHS, indexing="ij")
    values = np.zeros((2, 2, 3, len(AMPLITUDES), len(LENGTHS)))
    values[0, :, :, 1:, :] = np.log(1.0 + np.log2(a) + 3.0 * (1.0 + np.log2(length)) - 3.0 + 3.0)
    # The amplitude of white errors is no part of it.
    values[:, :, :, 0, :] = 100.0
    found = analysis.preferences(likelihoods(values), PAIR, prior=PRIOR)["difference"].sel(points="correlated")
    np.testing.assert_allclose(found.values, math.log(1.0 + 2.0 + 6.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("wins", "p"),
    [
        # Of 5 tosses of a coin all are alike in 2 of 32 cases; 4 or more in 12 of 32; 3 : 2 is the most even.
        ([5, 0], 2 / 32),
        ([4, 1], 12 / 32),
        ([3, 2], 1.0),
    ],
)
def test_the_sign_test_counts_tosses_of_a_coin(wins: list[int], p: float) -> None:
    values = np.zeros((2, 2, 5, len(AMPLITUDES), len(LENGTHS)))
    values[0] = np.repeat([1.0, -1.0], wins)[None, :, None, None]
    found = analysis.preferences(likelihoods(values), PAIR, prior=PRIOR)
    np.testing.assert_allclose(found["sign_p"].values, p)


def test_best_fits_are_compared_where_they_are_asked_for() -> None:
    data = random_likelihoods(1, 4)
    data["loglike_best"][0] += 3.0
    plain, best = (
        analysis.preferences(data, [{**PAIR[0], "free": free}], prior=PRIOR) for free in ("integrated", "best")
    )
    np.testing.assert_allclose(best["difference"].values, plain["difference"].values + 3.0)
    assert best["name"].item() == "a : b"


@pytest.mark.parametrize(
    ("change", "comparison", "message"),
    [
        (lambda data: data, {"first": "a", "second": "c"}, "there is no model 'c'"),
        (lambda data: data.isel(correlation_amplitude=slice(1, None)), PAIR[0], "there are no white errors"),
        (lambda data: data.isel(galaxy=[0]), PAIR[0], "preferences are counted over systems"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: Any, comparison: Mapping[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        analysis.preferences(change(random_likelihoods(1, 3)), [comparison], prior=PRIOR)


def with_errors(cube: xr.Dataset) -> xr.Dataset:
    """Four galaxies with errors of the distance, 10 %, and of the inclination, 4°."""
    few = cube.isel(galaxy=slice(0, 4))
    e_distance = (0.1 * few.distance).assign_attrs(units="Mpc", long_name="error of the distance", source="a test")
    attrs = {"units": "deg", "long_name": "error of the inclination", "source": "a test"}
    return few.assign(e_distance=e_distance, e_inclination=(0.0 * few.distance + 4.0).assign_attrs(attrs))


@pytest.fixture(scope="module")
def few(mock_cube: xr.Dataset) -> xr.Dataset:
    return with_errors(mock_cube)


@pytest.fixture(scope="module")
def study(few: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> analysis.PreferenceStudy:
    return analysis.PreferenceStudy.from_toml(write_study(tmp_path_factory.mktemp("study")), cube=few)


@pytest.fixture(scope="module")
def found(study: analysis.PreferenceStudy) -> xr.Dataset:
    return study.likelihoods()


def loglike(few: xr.Dataset, errors: Mapping[str, Any] | None, **how: Any) -> xr.Dataset:
    sweep = Sweep(few, sample="unflagged", metrics=["loglike"], keep=["galaxy"], dtype="float64", errors=errors, **how)
    return sweep.compute()


@pytest.mark.slow
def test_held_and_white_is_ln_l_of_a_plain_sweep(few: xr.Dataset, found: xr.Dataset) -> None:
    for model, fixed in (("mond", {}), ("survival", {"upsilon_disk": 0.6})):
        plain = loglike(few, None, kernel=model, fixed=fixed)["loglike"]
        here = found["loglike"].sel(model=model, nuisances="held").isel(correlation_amplitude=0)
        for length in range(here.sizes["correlation_length"]):
            np.testing.assert_allclose(here.isel(correlation_length=length).values, plain.values, rtol=1e-12)


@pytest.mark.slow
def test_nuisances_of_a_model_that_scales_are_in_closed_form(few: xr.Dataset, found: xr.Dataset) -> None:
    errors = {"distance": True, "inclination": True, "correlation": "radius"}
    fixed = {"correlation_amplitude": 4.0, "correlation_length": 2.0}
    axes = {"upsilon_disk": sigcube.geomspace(0.25, 1.0, 13)}
    result = loglike(few, errors, kernel="mond", fixed=fixed, axes=axes)
    expected = analysis.marginalise(result, {"upsilon_disk": sigcube.lognormal(0.5, 0.1)})["loglike"]
    place = {"model": "mond", "nuisances": "marginalised", **fixed}
    np.testing.assert_allclose(found["loglike"].sel(place).values, expected.values, rtol=1e-12)
    said = found["treatment"].sel(model="mond", nuisances="marginalised").item()
    assert said == "distance in closed form, inclination in closed form, upsilon_disk on 13 values"


@pytest.mark.slow
def test_a_model_with_a_length_of_its_own_gets_an_axis_of_distances(few: xr.Dataset, found: xr.Dataset) -> None:
    errors = {"inclination": True, "correlation": "radius"}
    fixed = {"correlation_amplitude": 4.0, "correlation_length": 2.0}
    # A nuisance takes the place of what the model holds otherwise, Υ_disk = 0.6.
    axes = {"upsilon_disk": sigcube.geomspace(0.25, 1.0, 13), "distance_shift": sigcube.linspace(-3.0, 3.0, 13)}
    priors = {"upsilon_disk": sigcube.lognormal(0.5, 0.1), "distance_shift": sigcube.normal(0.0, 1.0)}
    expected = analysis.marginalise(loglike(few, errors, kernel="survival", fixed=fixed, axes=axes), priors)["loglike"]
    place = {"model": "survival", "nuisances": "marginalised", **fixed}
    np.testing.assert_allclose(found["loglike"].sel(place).values, expected.values, rtol=1e-12)
    # So does what it is compared with, although that would scale.
    expected = analysis.marginalise(loglike(few, errors, kernel="mond", fixed=fixed, axes=axes), priors)["loglike"]
    place["model"] = "mond (distance on an axis)"
    np.testing.assert_allclose(found["loglike"].sel(place).values, expected.values, rtol=1e-12)
    said = found["treatment"].sel(model="survival", nuisances="marginalised").item()
    assert said == "inclination in closed form, upsilon_disk on 13 values, distance_shift on 13 values"


@pytest.mark.slow
def test_a_free_parameter_is_integrated_and_at_its_best(few: xr.Dataset, found: xr.Dataset) -> None:
    axes = {"a0": sigcube.geomspace(0.6e-10, 2.4e-10, 9)}
    result = loglike(few, None, kernel="mond", axes=axes)
    here = found.sel(model="fitted", nuisances="held").isel(correlation_amplitude=0, correlation_length=0)
    best = result["loglike"].max("a0").values
    np.testing.assert_allclose(here["loglike_best"].values, best, rtol=1e-12)
    mean = analysis.marginalise(result, {"a0": sigcube.log_uniform(0.6e-10, 2.4e-10)})["loglike"].values
    np.testing.assert_allclose(here["loglike"].values, mean, rtol=1e-12)
    assert (mean < best).all()
    held = found["quadrature_error"].sel(nuisances="held")
    assert (held.sel(model="fitted") > 0).any()
    assert (held.sel(model="mond") == 0).all()


@pytest.mark.slow
def test_parts_make_no_difference(
    few: xr.Dataset, found: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loops over parts are others, and compiled anew: those of one comparison are enough.
    first, second = (STUDY.index("[[comparison]]"), STUDY.rindex("[[comparison]]"))
    path = write_study(tmp_path, STUDY[:first] + STUDY[second:])
    # 4 systems, 13 values of Υ and 9 of a0: three lengths at a time, then two; of mond, all lengths of one amplitude.
    monkeypatch.setattr(preference_study, "_MOST_VALUES", 4 * 13 * 9 * 3)
    told: list[tuple[str, int, int]] = []
    study = analysis.PreferenceStudy.from_toml(path, cube=few)
    parts = study.likelihoods(on_progress=lambda *each: told.append(each))
    xr.testing.assert_identical(parts, found.sel(model=["fitted", "mond"]))
    assert told == [("models", i, 2) for i in (1, 2)]


@pytest.mark.slow
def test_a_study_in_one_call(study: analysis.PreferenceStudy, found: xr.Dataset) -> None:
    done = study.run()
    prior = {name: sigcube.log_uniform(1.0, 16.0) for name in ("correlation_amplitude", "correlation_length")}
    pairs = [
        {"first": "mond (distance on an axis)", "second": "survival", "name": "mond : survival"},
        {"first": "fitted", "second": "mond", "name": "fitted : mond, best fits", "free": "best"},
    ]
    expected = analysis.preferences(found, pairs, prior=prior)
    xr.testing.assert_identical(
        done.drop_vars(["where", "published", "claims"]), expected.drop_vars(["where", "published", "claims"])
    )
    assert done["where"].values.tolist() == ["§1", ""]
    assert done["claims"].values.tolist() == ["a.b", ""]
    # A best fit is no worse than what it was fitted beside.
    assert (done["difference"].isel(comparison=1).sel(nuisances="held", points="white") >= -0.05).all()
    assert done.attrs["synthetic"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('second = "survival"', 'second = "surviva"', "names a model 'surviva'; did you mean 'survival'"),
        ('second = "survival"', 'second = "mond"', "'mond' is compared with itself"),
        (', prior = "normal:0,1" }\ninc', " }\ninc", "the axis has no prior\n  where: .*nuisances.distance_shift"),
        ("distance_shift", "distance_shif", "nuisances lack 'distance_shift'"),
        ("normal:0,1", "normal:0", "this is no prior"),
        ('free = "best"', 'free = "worst"', "key 'comparison.1.free' is wrong"),
        ('where = "§1"', 'wher = "§1"', "unknown key 'comparison.0.wher'"),
        ('mond.kernel = "mond"', 'mond = { kernel = "mond", nuisances = { a0 = {} } }', "a nuisance 'a0'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in STUDY
    with pytest.raises(SpecError, match=message):
        read_study_file(write_study(tmp_path, STUDY.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("geomspace = [1.0, 16.0, 5]", "linspace = [0.0, 16.0, 5]", "white ones are always there"),
        ("geomspace = [1.0, 16.0, 5]", "steps = [1.0, 16.0, 5]", "unknown key 'steps'"),
    ],
)
def test_a_wrong_axis_is_refused(tmp_path: Path, few: xr.Dataset, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        analysis.PreferenceStudy.from_toml(write_study(tmp_path, STUDY.replace(old, new, 1)), cube=few)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('mond.kernel = "mond"', 'mond.kernel = "mont"', r"no kernel 'mont'[^\n]*\n  where: models.mond"),
        ("fixed = { upsilon_disk = 0.6 }", "fixed = { r_9 = 1 }", r"'r_9'[^\n]*\n  where: models.survival"),
    ],
)
def test_an_error_names_its_model(tmp_path: Path, few: xr.Dataset, old: str, new: str, message: str) -> None:
    study = analysis.PreferenceStudy.from_toml(write_study(tmp_path, STUDY.replace(old, new, 1)), cube=few)
    with pytest.raises(SpecError, match=message):
        study.likelihoods()


@pytest.fixture(scope="module")
def papers() -> StudyFile:
    return read_study_file("papers")


def test_the_papers_study_names_rows_of_the_ledger(papers: StudyFile, shipped_claims: tuple[Claim, ...]) -> None:
    known = {claim.id for claim in shipped_claims}
    named = [claim for each in papers.comparison for claim in each.claims]
    assert named
    assert [claim for claim in named if claim not in known] == []
    compared = {name for each in papers.comparison for name in (each.first, each.second)}
    assert compared == set(papers.models)


@pytest.mark.slow
def test_every_model_of_the_papers_study_can_be_planned(papers: StudyFile, sparc_cube: xr.Dataset) -> None:
    for model in papers.models.values():
        axes = {name: [float(table.get("linspace", table.get("geomspace"))[0])] for name, table in model.free.items()}
        common = {"sample": papers.sample, "where": papers.where, "metrics": ["loglike"], "keep": ["galaxy"]}
        sweep = Sweep(sparc_cube, kernel=model.kernel, fixed=model.fixed, axes=axes, **common)
        assert (sweep.packed.n_systems, sweep.packed.n_points) == (171, 3371)
