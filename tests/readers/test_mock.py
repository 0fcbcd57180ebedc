from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from sigcube.cube import fingerprint, open_cube, pack, save_cube, validate
from sigcube.errors import SpecError
from sigcube.readers.mock import freeman_sq, mock_survey

POINT_VARIABLES = ["r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul"]


def test_the_same_seed_gives_the_same_bits() -> None:
    one, same, other = (fingerprint(mock_survey(n_galaxies=30, seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@given(seed=st.integers(0, 2**32), n=st.integers(1, 40))
def test_every_survey_is_a_valid_cube(seed: int, n: int) -> None:
    ds = mock_survey(n_galaxies=n, seed=seed)
    validate(ds)
    assert ds.sizes["galaxy"] == n
    assert ds.n_points.min() >= 5
    assert ds.n_points.max() <= 60


@given(seed=st.integers(0, 2**32))
def test_without_noise_velocities_are_the_models(seed: int) -> None:
    ds = mock_survey(
        n_galaxies=10, seed=seed, noise=0.0, boost=lambda r, g, r_d: 1.0 + r / (r + r_d) + 1e-10 / g, truth="a test"
    )
    packed = pack(ds, sample="unflagged", variables=[*POINT_VARIABLES, "r_disk"])
    p = packed.points
    v_bar_sq = p["v_gas"] * np.abs(p["v_gas"]) + 0.5 * p["v_disk"] ** 2 + 0.7 * p["v_bul"] ** 2
    g = v_bar_sq * 1e6 / (p["r"] * 3.086e19)
    r_d = np.repeat(packed.per_system["r_disk"], np.diff(packed.offsets))
    expected = v_bar_sq * (1.0 + p["r"] / (p["r"] + r_d) + 1e-10 / g)
    np.testing.assert_allclose(p["v_obs"] ** 2, expected, rtol=1e-9)


def test_the_noise_is_as_large_as_the_errors_say() -> None:
    still = pack(mock_survey(n_galaxies=500, seed=5, noise=0.0), variables=POINT_VARIABLES).points
    noisy = pack(mock_survey(n_galaxies=500, seed=5), variables=POINT_VARIABLES).points
    pulls = (noisy["v_obs"] - still["v_obs"]) / noisy["e_v_obs"]
    # 9,000 points: the mean is good to 0.011, the spread to 0.0075; four of those.
    assert abs(pulls.mean()) < 0.045
    assert abs(pulls.std() - 1.0) < 0.03


def test_a_survey_looks_like_galaxies(mock_cube: xr.Dataset) -> None:
    ds = mock_survey(n_galaxies=1000, seed=3)
    fastest = ds.v_disk_max.values
    assert np.percentile(fastest, 1) > 3
    assert np.percentile(fastest, 99) < 600
    # as in SPARC: 18 % with a bulge, 27 % with gas that pulls outwards somewhere
    assert 0.05 < float((ds.v_bul_max > 0).mean()) < 0.3
    assert 0.1 < float((ds.v_gas < 0).any("radius").mean()) < 0.5
    assert float(np.corrcoef(np.log(ds.luminosity), np.log(ds.r_disk))[0, 1]) > 0.5


def test_synthetic_data_say_so(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    ds = open_cube(save_cube(mock_cube, tmp_path / "mock.zarr"))
    assert ds.attrs["synthetic"] == 1
    assert "synthetic" in ds.attrs["title"]
    assert ds.attrs["true_model"] == "newton"
    assert all(str(name).startswith("SYN") for name in ds.galaxy.values)
    assert all("synthetic" in ds[name].attrs["source"] for name in POINT_VARIABLES)


@pytest.mark.slow
def test_a_large_survey() -> None:
    ds = mock_survey(n_galaxies=20_000, seed=1)
    assert ds.sizes["galaxy"] == 20_000
    assert ds.galaxy.values[-1] == "SYN20000"
    assert len(set(ds.galaxy.values)) == 20_000


def test_a_freeman_disc_peaks_at_two_point_two_scale_lengths() -> None:
    r = np.linspace(0.1, 10, 10_000)
    v_sq = freeman_sq(r, np.full_like(r, 1e10), np.ones_like(r))
    # Freeman 1970: the peak is at 2.15 R_d.
    assert r[np.argmax(v_sq)] == pytest.approx(2.15, abs=0.01)
    assert np.isfinite(v_sq).all()


@pytest.mark.parametrize("r", [0.3, 1.0, 2.5, 8.0])
def test_a_freeman_disc_is_the_integral_over_its_surface_density(r: float) -> None:
    # By Hankel transform (Toomre 1963, ApJ 138, 385): V² = 2π G Σ0 r ∫ k J1(kr) (1 + k²)^(-3/2) dk, R_d = 1.
    from scipy.special import j1

    integral, _ = quad(lambda k: k * j1(k * r) * (1 + k * k) ** -1.5, 0, 400, limit=2000)
    unit = 4.30091e-6 * 1e10
    (v_sq,) = freeman_sq(np.array([r]), np.array([1e10]), np.ones(1))
    assert v_sq == pytest.approx(unit * r * integral, rel=2e-3)


def test_far_from_a_disc_it_is_a_point_mass() -> None:
    (v_sq,) = freeman_sq(np.array([200.0]), np.array([1e10]), np.ones(1))
    # The quadrupole of the disc leaves 9 R_d² / 2 r² of it.
    assert v_sq == pytest.approx(4.30091e-6 * 1e10 / 200.0, rel=5e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_galaxies": 0}, r"a survey needs galaxies\n  where: n_galaxies\n  found: 0"),
        ({"n_galaxies": "5"}, r"a survey needs galaxies\n  where: n_galaxies\n  found: '5'"),
        ({"n_galaxies": 1.5}, r"found: 1.5\n  expected: a whole number"),
        ({"seed": -1}, r"this is no seed of random numbers\n  where: seed\n  found: -1"),
        ({"seed": None}, r"this is no seed of random numbers\n  where: seed\n  found: None"),
        ({"noise": "x"}, r"the noise cannot be negative\n  where: noise\n  found: 'x'"),
        ({"points": 5}, r"least and greatest number of points\n  where: points\n  found: 5"),
        ({"points": (5,)}, r"least and greatest number of points"),
        ({"points": ("5", "9")}, r"least and greatest number of points"),
        ({"noise": -1.0}, r"the noise cannot be negative\n  where: noise"),
        ({"noise": float("nan")}, r"the noise cannot be negative\n  where: noise\n  found: nan"),
        ({"points": (9, 5)}, r"least and greatest number of points\n  where: points\n  found: \(9, 5\)"),
        ({"boost": lambda r, g, r_d: -r}, r"the boost is not positive and finite\n  where: boost"),
        ({"boost": lambda r, g, r_d: r * np.nan}, r"the boost is not positive and finite"),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        mock_survey(**{"n_galaxies": 5, "seed": 1, **arguments})  # type: ignore[arg-type]
