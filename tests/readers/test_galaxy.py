import numpy as np
import pytest
import xarray as xr
from hypothesis import given

from sigcube.cube import KINDS
from sigcube.readers.assembly import pad
from sigcube.readers.galaxy import GalaxyCuts, derive
from tests.strategies import galaxy_cubes


def _one(
    r: list[float],
    *,
    v_disk: list[float],
    v_obs: list[float] | None = None,
    v_gas: list[float] | None = None,
    v_bul: float = 0.0,
) -> xr.Dataset:
    n = len(r)
    points = {
        "r": np.array(r),
        "v_obs": np.array(v_obs or [10.0] * n),
        "e_v_obs": np.ones(n),
        "v_gas": np.array(v_gas or [1.0] * n),
        "v_disk": np.array(v_disk),
        "v_bul": np.full(n, v_bul),
    }
    sources = dict.fromkeys([*points, "r_disk"], "a test")
    ds = pad(KINDS["galaxy"], ["G"], [n], points=points, systems={"r_disk": [3.0]}, sources=sources)
    return derive(ds, cuts=GalaxyCuts()).isel(galaxy=0)


SIX = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("r", "v_disk", "third_point", "disk_peak"),
    [
        # N = 6: R[2]; the disc peaks inside
        (SIX, [1, 2, 9, 3, 2, 1], 3.0, 3.0),
        # the disc peaks at the first point: R_max / 3
        (SIX, [9, 8, 7, 6, 5, 4], 3.0, 2.0),
        # no disc: R_max / 3
        (SIX, [0, 0, 0, 0, 0, 0], 3.0, 2.0),
        # a disc that pulls outwards counts by its size
        (SIX, [1, -9, 3, 3, 2, 1], 3.0, 2.0),
        # of equal peaks the first
        (SIX, [1, 5, 5, 5, 5, 5], 3.0, 2.0),
        # N = 3: R[1]
        ([1.0, 2.0, 3.0], [1, 2, 3], 2.0, 3.0),
        # N = 2: the index is 0, so R[-1] / 2
        ([1.0, 2.0], [1, 2], 1.0, 2.0),
        # N = 1
        ([5.0], [1], 2.5, 5.0 / 3.0),
    ],
)
def test_scale_lengths(r: list[float], v_disk: list[float], third_point: float, disk_peak: float) -> None:
    one = _one(r, v_disk=v_disk)
    assert one.scale_length_third_point == third_point
    assert one.scale_length_disk_peak == disk_peak
    assert one.scale_length_outermost == r[-1]
    assert one.scale_length_catalogue == 3.0


def test_scale_lengths_are_over_the_kept_points() -> None:
    # The first two points have no positive V_bar²; of the remaining four the second is R[4 // 3].
    one = _one(SIX, v_disk=[0, 0, 1, 9, 2, 1], v_gas=[-5, -5, 1, 1, 1, 1])
    assert one.point_flag.values.tolist() == [8, 8, 0, 0, 0, 0]
    assert one.scale_length_third_point == 4.0
    assert one.scale_length_disk_peak == 4.0
    assert one.v_gas_max == 1.0


def test_flags() -> None:
    one = _one([-1.0, 0.0, 1.0, 2.0], v_disk=[1, 1, 0, 1], v_obs=[1, 1, 1, -2], v_gas=[1, 1, -1, 1])
    assert one.point_flag.values.tolist() == [2, 2, 8, 4]
    # too few rows, and too few points
    assert one.system_flag == 3
    assert np.isnan(
        [one.scale_length_third_point, one.scale_length_disk_peak, one.scale_length_outermost, one.f_bulge]
    ).all()


def test_the_share_of_the_bulge_takes_velocities_unscaled() -> None:
    assert _one(SIX, v_disk=[2] * 6, v_gas=[-1] * 6, v_bul=3.0).f_bulge == pytest.approx(9 / (1 + 4 + 9), rel=1e-15)


@pytest.mark.slow
@given(ds=galaxy_cubes())
def test_what_is_derived_agrees_with_a_plain_loop(ds: xr.Dataset) -> None:
    for index in range(ds.sizes["galaxy"]):
        one = ds.isel(galaxy=index)
        kept = one.point_flag.values == 0
        r, disk = one.r.values[kept], np.abs(one.v_disk.values[kept])
        if not r.size:
            assert np.isnan(one.scale_length_outermost)
            continue
        third, peak = r.size // 3, int(np.argmax(disk))
        assert one.scale_length_outermost == r[-1]
        assert one.scale_length_third_point == (r[third] if third else r[-1] / 2)
        assert one.scale_length_disk_peak == (r[peak] if peak else r[-1] / 3)
        assert one.v_disk_max == disk.max()
