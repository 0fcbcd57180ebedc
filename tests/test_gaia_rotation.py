"""Gaia's disc stars turn as Eilers+ 2019 say: the page of it is current, and so is its picture."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from sigcube.cube import open_cube
from sigcube.recipes import ingest, load_recipe
from tests.gaia_rotation import BETWEEN, PAGE, PICTURE, WITHIN, disc, draw, page, rotation

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def curve(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    out = tmp_path_factory.mktemp("cubes") / "eilers2019.zarr"
    return open_cube(ingest(load_recipe("eilers2019"), data=shared_data, out=out))


def test_the_median_rotation_is_the_curve_less_the_drift(gaia_cube: xr.Dataset, curve: xr.Dataset) -> None:
    found = rotation(disc(gaia_cube), curve)
    between = (found.r > BETWEEN[0]) & (found.r < BETWEEN[1])
    assert between.sum() == 8
    assert found.stars[between].min() > 1000
    assert np.abs(found.difference[between]).max() < WITHIN


def test_the_drift_matters(gaia_cube: xr.Dataset, curve: xr.Dataset) -> None:
    found = rotation(disc(gaia_cube), curve)
    assert (found.drift > 1.5).all()
    # Were the sign of v_φ, the Sun's motion or the side of the drift wrong, it would show.
    assert np.abs(-found.median - found.expected).min() > 400
    assert np.abs(found.median - 247.3 - found.expected).min() > 200


@pytest.mark.page
def test_the_page_is_current(gaia_cube: xr.Dataset, curve: xr.Dataset) -> None:
    assert page(gaia_cube, curve) == PAGE.read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.usefixtures("shoot")
def test_the_picture_can_be_drawn_again(gaia_cube: xr.Dataset, curve: xr.Dataset, tmp_path: Path) -> None:
    draw(gaia_cube, curve, tmp_path / "again.png")
    with Image.open(tmp_path / "again.png") as again, Image.open(PICTURE) as there:
        assert again.size == there.size
        ours, theirs = (np.asarray(image.convert("RGB")) for image in (again, there))
    # The density has many shades, the curve is orange, the medians are dark.
    for picture in (ours, theirs):
        flat = picture.reshape(-1, 3)
        assert len(np.unique(flat, axis=0)) > 50
        assert (flat == (213, 94, 0)).all(axis=1).sum() > 500
