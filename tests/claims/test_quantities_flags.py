"""Systems counted by their flags."""

import numpy as np
import pytest
import xarray as xr

from sigcube.claims.quantities.from_data import UnflaggedKeys, unflagged
from sigcube.errors import SpecError
from tests.claims.rows import OneCube


@pytest.fixture(scope="module")
def context(mock_cube: xr.Dataset) -> OneCube:
    """Of 40 galaxies the second has a flag at one point, and the fourth two points."""
    flag, points = mock_cube["point_flag"].copy(deep=True), mock_cube["n_points"].copy(deep=True)
    masks = dict(zip(flag.attrs["flag_meanings"].split(), flag.attrs["flag_masks"], strict=True))
    flag[:] = flag & np.uint8(masks["padding"])
    flag[1, 0] = np.uint8(masks["negative_vbar"])
    points[3] = 2
    return OneCube(mock_cube.assign(point_flag=flag, n_points=points))


@pytest.mark.parametrize(
    ("flags", "least", "count"),
    [
        ([], 0, 40),  # nothing asked
        (["negative_vbar"], 0, 39),  # one point is enough
        (["negative_vbar"], 3, 38),  # and so are too few of them
        (["nonpositive_radius"], 3, 39),  # other flags are not asked about
    ],
)
def test_count(context: OneCube, flags: list[str], least: int, count: int) -> None:
    assert unflagged(UnflaggedKeys(dataset="sparc", flags=flags, least_points=least), context).value == count


def test_the_flagged_are_named(context: OneCube, mock_cube: xr.Dataset) -> None:
    found = unflagged(UnflaggedKeys(dataset="sparc", flags=["negative_vbar"]), context)
    assert found.details["flagged"] == str(mock_cube["galaxy"].values[1])


def test_an_unknown_flag_is_refused(context: OneCube) -> None:
    with pytest.raises(SpecError, match=r"there is no flag 'negative_vbr'(.|\n)*negative_vbar"):
        unflagged(UnflaggedKeys(dataset="sparc", flags=["negative_vbr"]), context)
