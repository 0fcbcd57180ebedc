from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.cube import fingerprint
from sigcube.cube.fingerprints import RunningFingerprint
from tests.strategies import galaxy_cubes


@given(ds=galaxy_cubes(), data=st.data())
def test_it_does_not_matter_how_the_rows_are_divided(ds: xr.Dataset, data: st.DataObject) -> None:
    running = RunningFingerprint()
    n = ds.sizes["galaxy"]
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=3))})
    for start, stop in pairwise(cuts):
        for name in data.draw(st.permutations(sorted(map(str, ds.variables)))):
            running.add(name, ds.variables[name][start:stop])
    assert running.hexdigest() == fingerprint(ds)


def test_rows_that_are_digested_in_several_slabs(monkeypatch: pytest.MonkeyPatch, mock_cube: xr.Dataset) -> None:
    whole = fingerprint(mock_cube)
    monkeypatch.setattr("sigcube.cube.fingerprints._SLAB", 7)
    assert fingerprint(mock_cube) == whole


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # the same bytes under another shape, type or order of names
        (xr.Dataset({"x": ("a", [1.0, 2.0])}), xr.Dataset({"x": (("a", "b"), [[1.0, 2.0]])})),
        (xr.Dataset({"x": ("a", [0])}), xr.Dataset({"x": ("a", [0.0])})),
        (xr.Dataset({"x": ("a", [1.0]), "y": ("a", [2.0])}), xr.Dataset({"x": ("a", [2.0]), "y": ("a", [1.0])})),
        # a line break that moves between items
        (xr.Dataset({"x": ("a", ["p\nq", "r"])}), xr.Dataset({"x": ("a", ["p", "q\nr"])})),
        (xr.Dataset({"x": 1.0}), xr.Dataset({"x": ("a", [1.0])})),
    ],
)
def test_what_differs_has_another_fingerprint(one: xr.Dataset, other: xr.Dataset) -> None:
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one.copy(deep=True))


def test_byte_order_is_no_content() -> None:
    big = xr.Dataset({"x": ("a", np.arange(3.0).astype(">f8"))})
    assert fingerprint(big) == fingerprint(xr.Dataset({"x": ("a", np.arange(3.0))}))
