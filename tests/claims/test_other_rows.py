"""The rows of CMSI, mass coherence and microphysics: each can be evaluated, and what must come out does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.claims import Claim, Entry, load_claims
from sigcube.claims.quantities.missing_factor import MissingFactorKeys, missing_factor
from sigcube.claims.rows import parse_reading
from sigcube.claims.verdicts import Verdict
from sigcube.errors import SpecError
from tests.claims.rows import OneCube

FOLDER = Path(__file__).resolve().parents[2] / "sweeps" / "claims"
PAPERS = ("cmsi", "mass_coherence", "microphysics")

CONVENTION, DIFFERS = Verdict.CONVENTION, Verdict.DIFFERS
AGAINST, CHANCE, CONSISTENT = Verdict.AGAINST, Verdict.CHANCE, Verdict.CONSISTENT
CANNOT, ASSUMED = Verdict.CANNOT, Verdict.ASSUMED
AGREES, CONTRADICTS = Verdict.AGREES, Verdict.CONTRADICTS

# Why each row must come out so.
EXPECTED = [
    # arithmetic of what the text gives
    ("cmsi.speed_squared.galaxy", CONSISTENT),
    ("cmsi.speed_squared.saturn", CONSISTENT),
    ("cmsi.exponent.phase_coherence", CONSISTENT),
    ("cmsi.synthetic.change", CONSISTENT),
    # the table names no velocity: 3e-7 is of 164 km/s, and one digit holds for 150 to 177
    ("cmsi.speed_squared.galaxy_at_8_kpc", CHANCE),
    # the box gives 8e-13: what is printed is roughness at Σ_s = 1e-10, the least that the authors' script allows
    ("cmsi.saturn.deviation", AGAINST),
    ("cmsi.saturn.deviation_rounded", AGAINST),
    # the box gives 1.0007: what is printed is roughness at Σ_s = Σ_ref, and at the cap
    ("cmsi.milky_way.least_factor", AGAINST),
    ("cmsi.milky_way.largest_factor", AGAINST),
    # 150 √2.29 = 227, 175 √2.29 = 265
    ("cmsi.milky_way.lower_velocity", DIFFERS),
    ("cmsi.milky_way.upper_velocity", DIFFERS),
    # the synthetic galaxy of the script that the text names: the RMS falls by roughness alone, not as the box has it
    ("cmsi.synthetic.rms_before", CONVENTION),
    ("cmsi.synthetic.rms_after", AGAINST),
    # F runs from 1.47 to 2.02 over the disc, with the RMS: one reading gives all three
    ("cmsi.synthetic.least_factor", AGAINST),
    ("cmsi.synthetic.largest_factor", AGAINST),
    ("cmsi.parameter.chi_0", ASSUMED),
    # 3.56e-4 · 10.1 · 0.265: a thousandth, where the table says significant
    ("cmsi.parameter.chi_0.product", AGAINST),
    # √(1e-10/50) is 1.4e-6
    ("cmsi.source.saturn", CONSISTENT),
    # 10 % here, 9 % in the mass-coherence notes: 1 over the mean F is 9.3 %
    ("cmsi.share.roughness", CONVENTION),
    # F as its authors computed it, which the notes do not say; a dynamical mass, where they say baryonic
    *((f"mass_coherence.mass.{number}", AGAINST) for number in ("rms", "correlation")),
    *((f"mass_coherence.{model}.rms", CONVENTION) for model in ("velocity", "functional")),
    *((f"mass_coherence.{model}.correlation", CONVENTION) for model in ("velocity", "functional")),
    ("mass_coherence.mass.galaxies", CONVENTION),
    ("mass_coherence.velocity.f_max", CONVENTION),
    ("mass_coherence.share.roughness", CONVENTION),
    # what the share of roughness leaves of the whole
    ("mass_coherence.share.missing", CONSISTENT),
    # of 157,343 stars and of a flat tail fitted to them, which no dataset and no kernel has
    *((f"microphysics.benchmark.{number}", CANNOT) for number in ("stars_bias_sigma", "stars_bias_mond")),
    ("microphysics.benchmark.stars_scatter", CANNOT),
    # where the search of the authors' scripts ends, from their seed; of a dynamical mass in model 1
    *((f"mass_coherence.mass.{number}", AGAINST) for number in ("k_max", "psi_0", "gamma", "r_eff_factor")),
    *((f"mass_coherence.velocity.{number}", CONVENTION) for number in ("psi_0", "delta", "v_ref")),
    ("mass_coherence.comparison.worse_rms", CONSISTENT),
    ("mass_coherence.comparison.worse_correlation", CONSISTENT),
    # F falls with σ_v, as the text says
    ("mass_coherence.dispersion.correlation", CONSISTENT),
    # and grows with Ψ
    ("mass_coherence.mass.correlation_with_depth", CONSISTENT),
    # more massive galaxies have less F
    ("mass_coherence.mass.correlation_with_mass", DIFFERS),
    # 0.225 of model 1; the line names no model
    ("mass_coherence.statistics.correlation", Verdict.AGREES),
    # four are listed of either model, if three can be told apart
    ("mass_coherence.statistics.parameters", AGREES),
    # no place prints the product
    ("mass_coherence.total", ASSUMED),
    ("cmsi.share.missing", CONSISTENT),
    # the three candidates miss the bar of 0.10 dex
    *((f"microphysics.{model}.scatter", DIFFERS) for model in ("roughness", "pairing", "resonance")),
    # K of a system knows no radius; R/ℓ is 1e-9 at 1 AU, and no text squares it; resonance is far from any wave of
    # the script
    ("microphysics.roughness.earth", DIFFERS),
    ("microphysics.pairing.earth", CONSISTENT),
    ("microphysics.resonance.earth", AGAINST),
    # of an older kernel, and of hold-outs, that nobody described
    ("microphysics.benchmark.scatter", CANNOT),
    ("microphysics.benchmark.clusters_error", CANNOT),
    ("microphysics.benchmark.einstein_coverage", CANNOT),
]

AUTHORS = "F as its authors computed it"
UNTABLED = "with σ_v = 25 km/s for the galaxies that the table of dispersions lacks"
SEARCH = "the search of its authors, seed"
# What is found for the numbers that matter: by row and reading.
FOUND = [
    ("cmsi.saturn.deviation", "boxed, source factor of 1e-6, σ_v = v", 8.33e-13),
    ("cmsi.saturn.deviation", "boxed, Σ_s = 1e-10 Msun/pc², σ_v = 1 km/s", 7.6e-12),
    ("cmsi.saturn.deviation", "times 1 + K_rough, Σ_s = 1e-10 Msun/pc², σ_v = 1 km/s", 9.108e-7),
    # the script's own test profile: 1.7 where 1.6 is printed, and 227 km/s where 225 is
    ("cmsi.milky_way.least_factor", "times 1 + K_rough, the test profile of the script at 20 kpc", 1.69112),
    ("cmsi.milky_way.largest_factor", "times 1 + K_rough, the test profile of the script at 2.5 kpc", 2.29093),
    ("cmsi.milky_way.lower_velocity", "times 1 + K_rough, the test profile of the script at 0.5 kpc", 227.316),
    # 174.278 √2.2946: where the source factor leaves its cap of 2
    (
        "cmsi.milky_way.upper_velocity",
        "times 1 + K_rough, the test profile of the script at 12.5 kpc, where it is largest",
        263.997,
    ),
    ("cmsi.synthetic.rms_before", "the synthetic galaxy of the script, V_bar alone", 52.9358),
    ("cmsi.synthetic.rms_after", "the synthetic galaxy of the script, boxed", 52.9319),
    ("cmsi.synthetic.rms_after", "the synthetic galaxy of the script, times 1 + K_rough", 28.8349),
    ("cmsi.synthetic.least_factor", "the synthetic galaxy of the script, times 1 + K_rough", 1.47228),
    ("cmsi.synthetic.largest_factor", "the synthetic galaxy of the script, times 1 + K_rough", 2.01516),
    ("cmsi.parameter.chi_0.product", "boxed, 8 kpc, Σ_s = 50", 5.4859e-4),
    # 1/τ = v/R + σ^1.5/R, as the notes have it, with v = 29.8 km/s: Ξ = v/(2π (v + σ^1.5))
    ("microphysics.roughness.earth", "σ_v = 1 km/s", 0.64193),
    ("microphysics.roughness.earth", "σ_v = 10 km/s, β = 1.5", 0.59910),
    ("mass_coherence.mass.rms", f"{AUTHORS}; M = V_flat² R_max/G, R_d = R_max", 11.0504),
    ("mass_coherence.mass.correlation", f"{AUTHORS}; M = V_flat² R_max/G, R_d = R_max", 0.22517),
    ("mass_coherence.mass.rms", f"{AUTHORS}; mass of stars and gas, R_d of the SPARC table", 11.9135),
    ("mass_coherence.velocity.rms", AUTHORS, 11.1976),
    ("mass_coherence.velocity.correlation", AUTHORS, 0.061394),
    ("mass_coherence.functional.rms", f"{AUTHORS}; R_d = R_max", 10.2784),
    ("mass_coherence.functional.correlation", f"{AUTHORS}; R_d = R_max", 0.40514),
    ("mass_coherence.mass.galaxies", AUTHORS, 158.0),
    # what the authors' script prints as 9.3 %; with 0.15 V_flat for all 167 galaxies it is 9.466 %
    ("mass_coherence.share.roughness", f"{AUTHORS}; {UNTABLED}", 9.30659),
    # from other seeds the search ends elsewhere
    ("mass_coherence.velocity.v_ref", f"{SEARCH} 0", 104.020),
    ("mass_coherence.velocity.v_ref", f"{SEARCH} 1", 194.913),
    ("mass_coherence.mass.k_max", f"{SEARCH} 0", 17.5615),
    ("mass_coherence.mass.r_eff_factor", f"{SEARCH} 1", 1.04489),
]
# What the authors' own files of results hold, with all digits. A search takes the same way or another: that by mass
# ends at K_max = 18.8 where galaxies whose F_model rounds to zero stay in its loss.
SEARCHED = {
    "mass_coherence.mass.k_max": 19.57930398546255,
    "mass_coherence.mass.psi_0": 7.341069194443235e-08,
    "mass_coherence.mass.gamma": 0.13612408466986414,
    "mass_coherence.mass.r_eff_factor": 1.3328646874660774,
    "mass_coherence.velocity.f_max": 10.376199873912048,
    "mass_coherence.velocity.psi_0": 0.009799570836517885,
    "mass_coherence.velocity.delta": 2.0351262444313627,
    "mass_coherence.velocity.v_ref": 125.49586813616462,
}


@pytest.fixture(scope="module")
def claims() -> tuple[Claim, ...]:
    """The rows of the three papers."""
    return load_claims([FOLDER / f"{paper}.toml" for paper in PAPERS])


@pytest.mark.slow
def test_the_rows_are_of_the_three_papers(claims: tuple[Claim, ...]) -> None:
    assert len(claims) >= 70
    assert {claim.paper for claim in claims} == set(PAPERS)
    assert all(claim.id.startswith(claim.paper) for claim in claims)


@pytest.mark.parametrize(("row", "verdict"), EXPECTED, ids=[row for row, _ in EXPECTED])
def test_verdict(ledger: Mapping[str, Entry], row: str, verdict: Verdict) -> None:
    assert ledger[row].verdict is verdict


@pytest.mark.parametrize(("row", "reading", "value"), FOUND, ids=[f"{row}, {name}" for row, name, _ in FOUND])
def test_what_is_found(ledger: Mapping[str, Entry], row: str, reading: str, value: float) -> None:
    entry = ledger[row]
    outcome = entry.outcomes[[each.name for each in entry.claim.reading].index(reading)]
    assert outcome.found is not None
    assert outcome.found.value == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(("row", "value"), SEARCHED.items())
def test_the_search_of_the_authors_ends_where_theirs_did(ledger: Mapping[str, Entry], row: str, value: float) -> None:
    entry = ledger[row]
    assert entry.decisive is not None
    assert "authors_search" in entry.claim.reading[entry.decisive].conventions
    assert entry.jointly.startswith("it gives all 4 rows of ")
    # The last step follows a slope that is flat in all but one direction.
    assert entry.value() == pytest.approx(value, rel=1e-6)


def test_the_words_of_another_paper_do_not_make_a_reading_go_against_the_notes(claims: tuple[Claim, ...]) -> None:
    quotes = [
        r.quote for claim in claims if claim.paper == "microphysics" for r in claim.reading if r.stance == "against"
    ]
    assert quotes
    assert not [quote for quote in quotes if quote.startswith(("main ", "SI "))]


def test_a_printed_candidate_scatter_is_met_by_none(ledger: Mapping[str, Entry]) -> None:
    for model in ("roughness", "pairing", "resonance"):
        outcomes = ledger[f"microphysics.{model}.scatter"].outcomes
        of_accelerations = [
            o.found.value for o in outcomes if o.found and o.found.details["take"].startswith("scatter_g")
        ]
        assert min(of_accelerations) > 0.15


def test_resonance_at_the_earth_rests_on_the_shortest_wave(ledger: Mapping[str, Entry]) -> None:
    r = 4.8477e-9

    def k_from(shortest: float, quality: float, *, points: int = 200_001) -> float:
        wave = np.geomspace(shortest, 1e4, points)
        orbit = wave / (2.0 * np.pi * r)
        resonance = quality**2 / (quality**2 + (orbit - 1.0 / orbit) ** 2)
        values = wave**-2 * np.exp(-wave / 2000.0) * resonance / (1.0 + (wave / r) ** 2)
        # A sum, as in the authors' script; of 256 points it is 14 % off.
        return float(values.sum() * np.log(wave[1] / wave[0]))

    entry = ledger["microphysics.resonance.earth"]
    floors = (1e-6 / (2.0 * np.pi * r)) ** 2 * (1e-3 / r) ** 2
    assert entry.value(0) == pytest.approx(k_from(0.1, 29.78, points=256) * floors, rel=0.01)
    assert entry.value(1) == pytest.approx(k_from(0.1, 2.978, points=256) * floors, rel=0.01)
    assert "K is 5e14 at σ_v = 1 km/s and 3.5e14 at 10" in entry.claim.note
    assert k_from(1e-8, 29.78) == pytest.approx(5e14, rel=0.05)
    assert k_from(1e-8, 2.978) == pytest.approx(3.5e14, rel=0.05)


@pytest.mark.slow
def test_the_missing_factor_is_that_of_a_loop_over_galaxies(sparc_cube: xr.Dataset) -> None:
    factors, velocities = [], []
    for i in range(sparc_cube.sizes["galaxy"]):
        one = sparc_cube.isel(galaxy=i)
        kept = np.isfinite(one["r"].values)
        r, v = one["r"].values[kept], one["v_obs"].values[kept]
        v_bar = np.sqrt(sum(one[name].values[kept] ** 2 for name in ("v_gas", "v_disk", "v_bul")))
        excess = v**2 / v_bar**2 - 1.0
        if r.size < 6 or not (excess > 0.0).any():
            continue
        amplitude = excess[excess > 0.0].mean() / (1.0 - (1.0 + (r / 5.0) ** 0.757) ** -0.5).mean()
        flat = np.median(v[-10:])
        exposure = np.mean(v_bar / (2.0 * np.pi * (0.15 * flat) ** 1.5))
        factors.append(amplitude / (0.774 * exposure**0.1))
        velocities.append(flat)
    factor, flat = np.array(factors), np.array(velocities)
    model = 10.38 * (1.0 - np.exp(-(((flat / 125.5) ** 2 / 9.80e-3) ** 2.04)))
    expected = {
        "number": 158.0,
        "share": 1.0 / factor.mean(),
        "share_mean": (1.0 / factor).mean(),
        "rms": np.sqrt(np.mean((model - factor) ** 2)),
        "correlation": np.corrcoef(model, factor)[0, 1],
    }
    held = OneCube(sparc_cube)
    for take, value in expected.items():
        keys = MissingFactorKeys(kernel="velocity_coherence", take=take)
        assert missing_factor(keys, held).value == pytest.approx(value, rel=1e-9)
    details = missing_factor(MissingFactorKeys(kernel="functional", take="rms"), held).details
    assert "F = F₀ (σ_ref/σ_v)^a (R_ref/R_d)^b" in details["formulas"]
    assert "scale_length outermost" in details["labels"]
    assert details["parameters"] == "F₀ = 10.02, σ_ref = 14.8 km/s, a = 0.1, R_ref = 12.3 kpc, b = 0.31"


@pytest.mark.slow
def test_a_search_ends_at_another_velocity_and_the_same_rms_from_another_seed(sparc_cube: xr.Dataset) -> None:
    ends = {"K_max": (1.0, 50.0), "psi_0": (1e-3, 1.0), "delta": (0.1, 3.0), "v_ref": (50.0, 500.0)}
    held = OneCube(sparc_cube)

    def found(seed: int, take: str) -> float:
        keys = MissingFactorKeys(kernel="velocity_coherence", take=take, fit=ends, seed=seed)
        return missing_factor(keys, held).value

    assert found(42, "rms") == pytest.approx(found(1, "rms"), rel=1e-4)
    assert abs(found(42, "v_ref") - found(1, "v_ref")) > 20.0
    assert found(42, "K_max") == pytest.approx(10.38, abs=0.01)


@pytest.mark.slow
def test_a_factor_of_the_effective_radius_is_one_of_the_depth(sparc_cube: xr.Dataset) -> None:
    held = OneCube(sparc_cube)

    def found(factor: float, psi_0: float) -> float:
        # Held within a hair: a search with nowhere to go.
        ends = {"psi_0": (psi_0, psi_0 * (1 + 1e-12)), "reff_factor": (factor, factor * (1 + 1e-12))}
        keys = MissingFactorKeys(kernel="mass_coherence", take="rms", fit=ends)
        return missing_factor(keys, held).value

    printed = missing_factor(MissingFactorKeys(kernel="mass_coherence", take="rms"), held).value
    assert found(1.33, 7.34e-8) == pytest.approx(printed, rel=1e-9)
    assert found(2.66, 7.34e-8 / 8.0) == pytest.approx(printed, rel=1e-9)
    assert found(2.66, 7.34e-8) != pytest.approx(printed, rel=1e-3)


@pytest.mark.slow
def test_galaxies_with_few_rows_may_have_a_dispersion_of_their_own(sparc_cube: xr.Dataset) -> None:
    held = OneCube(sparc_cube)

    def share(**keys: object) -> float:
        return missing_factor(MissingFactorKeys(kernel="mass_coherence", take="share", **keys), held).value

    plain = share(least_points=4)
    assert share(least_points=4, few_points_dispersion=25.0) < plain
    # None has fewer than four rows, and all have fewer than a thousand: F goes as σ_v^0.15.
    assert share(least_points=4, few_points_dispersion=25.0, few_points=4) == plain
    of_all = [share(few_points_dispersion=sigma, few_points=1000) for sigma in (25.0, 50.0)]
    assert of_all[0] / of_all[1] == pytest.approx(2.0**0.15, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"take": "rmse"}, r"there is no 'rmse' to take, did you mean 'rms'"),
        ({"fit": {"K_mx": [1.0, 2.0]}}, r"'K_mx' cannot be fitted, did you mean 'K_max'"),
        ({"least_points": 0}, "least_points"),
        ({"few_points_dispersion": 0.0}, "few_points_dispersion"),
        ({"few_points": 0}, "few_points"),
        ({"fit": {"reff_facto": [1.0, 5.0]}}, r"'reff_facto' cannot be fitted, did you mean 'reff_factor'"),
    ],
)
def test_a_wrong_reading_of_the_missing_factor_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_reading({"quantity": "missing_factor", "kernel": "mass_coherence", **change})
