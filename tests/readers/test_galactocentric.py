import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.readers.galactocentric import COORDINATES, ERRORS, MEASURED, GalacticFrame, Transform
from tests.readers.astropy_stars import astropy_way

SUN = GalacticFrame()


def some_stars(n: int, seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "ra": rng.uniform(0.0, 360.0, n),
        "dec": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n))),
        "parallax": np.exp(rng.normal(0.0, 1.0, n)),
        "pm_ra": rng.normal(0.0, 20.0, n),
        "pm_dec": rng.normal(0.0, 20.0, n),
        "radial_velocity": rng.normal(0.0, 60.0, n),
        "e_parallax": np.exp(rng.normal(-4.0, 0.3, n)),
        "e_pm_ra": np.exp(rng.normal(-1.0, 0.3, n)),
        "e_pm_dec": np.exp(rng.normal(-1.0, 0.3, n)),
        "e_radial_velocity": np.exp(rng.normal(0.0, 0.5, n)),
    }


@pytest.mark.slow
@given(
    r_sun=st.floats(6.0, 10.0),
    z_sun=st.floats(-0.1, 0.1),
    v_sun=st.tuples(st.floats(-50, 50), st.floats(150, 300), st.floats(-50, 50)),
    seed=st.integers(0, 100),
)
def test_it_is_what_astropy_makes_of_it(
    r_sun: float, z_sun: float, v_sun: tuple[float, float, float], seed: int
) -> None:
    frame = GalacticFrame(r_sun=r_sun, z_sun=z_sun, v_sun=v_sun)
    stars = some_stars(50, seed)
    found, expected = Transform(frame)(stars), astropy_way(stars, frame)
    for name in COORDINATES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9, err_msg=name)


#: A star beside the Sun, one towards the centre, one towards the rotation (l = 90°), one towards the north pole.
PLACES = {
    "Sun": (266.4051, -28.936175, 1e6),
    "centre": (266.4051, -28.936175, 0.5),
    "rotation": (318.0043, 48.3296, 0.5),
    "north": (192.8595, 27.1283, 0.5),
}


def at(place: str, **motion: float) -> dict[str, float]:
    ra, dec, parallax = PLACES[place]
    still = dict.fromkeys(("pm_ra", "pm_dec", "radial_velocity"), 0.0)
    star = {**still, "ra": ra, "dec": dec, "parallax": parallax, **motion}
    found = Transform(SUN)({name: np.array([value]) for name, value in star.items()})
    return {name: float(values[0]) for name, values in found.items()}


def test_the_sun_itself() -> None:
    found = at("Sun")
    # 8.178 kpc from the centre, and 20.8 pc above the plane.
    assert found["r"] == pytest.approx(np.sqrt(8.178**2 - 0.0208**2), abs=1e-5)
    assert (found["phi"], found["height"]) == (pytest.approx(0.0, abs=1e-6), pytest.approx(0.0208, abs=1e-5))
    assert [found[name] for name in ("v_r", "v_phi", "v_z")] == pytest.approx([-11.1, 247.3, 7.25], abs=1e-4)


@pytest.mark.parametrize(
    ("place", "motion", "name", "expected"),
    [
        # two kpc nearer to the centre, and moving on towards it
        ("centre", {}, "r", 6.178),
        ("centre", {"radial_velocity": 30.0}, "v_r", -11.1 - 30.0),
        # ahead of the Sun, which is where φ grows
        ("rotation", {}, "phi", np.degrees(np.arctan2(2.0, 8.178))),
        ("rotation", {}, "r", np.hypot(2.0, 8.178)),
        ("north", {}, "height", 2.0208),
        ("north", {"radial_velocity": 30.0}, "v_z", 37.25),
    ],
)
def test_signs(place: str, motion: dict[str, float], name: str, expected: float) -> None:
    # The centre is not quite where galactic coordinates have it, and the plane is tilted by the height of the Sun.
    assert at(place, **motion)[name] == pytest.approx(expected, rel=2e-3, abs=0.02)


def test_a_star_that_runs_ahead_of_the_sun_turns_faster() -> None:
    assert at("rotation", radial_velocity=20.0)["v_phi"] > at("rotation")["v_phi"] + 15.0


@pytest.mark.slow
@pytest.mark.parametrize("star", range(4))
def test_errors_are_the_scatter_of_a_thousand_skies(star: int) -> None:
    stars = {name: values[star : star + 1] for name, values in some_stars(4, seed=11).items()}
    stars["e_parallax"] = 0.01 * stars["parallax"]
    transform = Transform(SUN)
    told = transform(stars)
    rng = np.random.default_rng(star)
    draws = {name: np.repeat(values, 200_000) for name, values in stars.items()}
    for error in ERRORS:
        draws[error[2:]] = draws[error[2:]] + rng.normal(size=200_000) * stars[error]
    skies = transform(draws)
    for name in (*COORDINATES, "distance"):
        # A part in a hundred of distance leaves the second order at a few parts in a thousand.
        assert told[f"e_{name}"][0] == pytest.approx(np.std(skies[name]), rel=0.02), name


@pytest.mark.parametrize("name", MEASURED)
def test_what_is_missing_leaves_nothing_that_looks_like_a_value(name: str) -> None:
    stars = some_stars(3)
    stars[name][1] = np.nan
    found = Transform(SUN)(stars)
    velocities = [found[each] for each in ("v_r", "v_phi", "v_z")]
    assert np.isfinite(np.stack(velocities)).tolist() == [[True, False, True]] * 3


@pytest.mark.parametrize("parallax", [0.0, -1.5, np.nan])
def test_without_a_positive_parallax_there_is_no_distance(parallax: float) -> None:
    stars = some_stars(2)
    stars["parallax"][0] = parallax
    found = Transform(SUN)(stars)
    assert np.isnan(found["distance"][0])
    assert not np.isfinite(found["r"][0])
    assert np.isfinite(found["r"][1])


def test_without_errors_there_are_none() -> None:
    stars = {name: some_stars(2)[name] for name in MEASURED}
    assert not [name for name in Transform(SUN)(stars) if name.startswith("e_")]
