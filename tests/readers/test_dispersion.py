from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.errors import DataError
from sigcube.readers.stars import Dispersion


def some_stars(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    r = rng.uniform(3.0, 17.0, n)
    return r, rng.normal(0.0, 60.0 - 3.0 * r)


def test_each_bin_has_the_standard_deviation_of_its_stars() -> None:
    r, v_r = some_stars(5000)
    dispersion = Dispersion((4.0, 16.0), width=0.5, more_than=30)
    dispersion.add(r, v_r)
    assert dispersion.centres[[0, 1, -1]].tolist() == [4.25, 4.75, 15.75]
    for low, value, count in zip(np.arange(4.0, 16.0, 0.5), dispersion.values, dispersion.counts, strict=True):
        inside = (r >= low) & (r < low + 0.5)
        assert count == inside.sum()
        assert value == pytest.approx(np.std(v_r[inside], ddof=1), rel=1e-12)


@given(cuts=st.lists(st.integers(0, 500), max_size=5), seed=st.integers(0, 50))
def test_chunks_change_no_bit(cuts: list[int], seed: int) -> None:
    r, v_r = some_stars(500, seed)
    whole, parts = (Dispersion((4.0, 16.0), width=1.0, more_than=10) for _ in range(2))
    whole.add(r, v_r)
    edges = [0, *sorted(cuts), 500]
    for start, stop in pairwise(edges):
        parts.add(r[start:stop], v_r[start:stop])
    assert parts.values.tobytes() == whole.values.tobytes()


def test_it_is_interpolated_between_filled_bins_and_constant_beyond_them() -> None:
    dispersion = Dispersion((0.0, 4.0), width=1.0, more_than=2)
    # two bins of three stars, with one of two between them that does not count
    r = np.array([0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 2.5, 2.5])
    v_r = np.array([-1.0, 0.0, 1.0, 90.0, -90.0, -3.0, 0.0, 3.0])
    dispersion.add(r, v_r)
    assert dispersion.filled.tolist() == [True, False, True, False]
    assert dispersion(np.array([0.0, 0.5, 1.5, 2.0, 2.5, 9.0])) == pytest.approx([1.0, 1.0, 2.0, 2.5, 3.0, 3.0])
    assert np.isnan(dispersion(np.array([np.nan]))[0])


@pytest.mark.parametrize(
    ("radius", "inside"),
    [(4.0, True), (np.nextafter(4.0, 0.0), False), (np.nextafter(16.0, 0.0), True), (16.0, False), (np.nan, False)],
)
def test_the_edges(radius: float, inside: bool) -> None:
    dispersion = Dispersion((4.0, 16.0), width=0.5, more_than=1)
    dispersion.add(np.array([radius]), np.array([1.0]))
    assert dispersion.counts.sum() == inside


def test_a_star_without_a_radius_has_no_dispersion_even_of_a_single_bin() -> None:
    dispersion = Dispersion((0.0, 4.0), width=4.0, more_than=1)
    dispersion.add(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    assert dispersion(np.array([3.0, np.nan])) == pytest.approx([np.sqrt(2.0), np.nan], nan_ok=True)


def test_too_few_stars_are_told() -> None:
    dispersion = Dispersion((4.0, 16.0), width=0.5, more_than=30)
    dispersion.add(*some_stars(100))
    with pytest.raises(
        DataError, match=r"too few stars .*\n  where: R from 4 to 16 kpc.*\n  found: at most \d+ in a bin"
    ):
        dispersion(np.array([8.0]))
