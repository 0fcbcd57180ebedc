import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given

from sigcube.cube import open_cube, pack, sample_names, samples, save_cube, select
from sigcube.errors import DataError, SpecError
from tests.strategies import galaxy_cubes


@pytest.mark.slow
def test_samples_of_a_cube(sparc_cube: xr.Dataset) -> None:
    assert sample_names(sparc_cube) == ("all", "paper171")
    assert samples(sparc_cube)["paper171"].system_flags_excluded == ("too_few_rows", "too_few_points")
    assert samples(sparc_cube)["all"].point_flags_excluded == ()


@given(ds=galaxy_cubes())
def test_everything_packed_is_every_point_in_order(ds: xr.Dataset) -> None:
    packed = pack(ds, variables=["r", "v_gas", "r_disk", "n_points"])
    assert packed.systems == tuple(ds.galaxy.values)
    assert np.diff(packed.offsets).tolist() == ds.n_points.values.tolist()
    assert packed.per_system["n_points"].dtype == np.float64
    for index in range(packed.n_systems):
        mine = slice(*packed.offsets[index : index + 2])
        expected = ds.v_gas.values[index, : int(ds.n_points[index])]
        np.testing.assert_array_equal(packed.points["v_gas"][mine], expected)


def test_a_cube_without_systems_holds_none(mock_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="sample 'all' holds no system"):
        pack(mock_cube.isel(galaxy=slice(0, 0)), sample="all", variables=["r"])


def test_a_system_that_was_selected_twice_is_refused(mock_cube: xr.Dataset) -> None:
    twice = mock_cube.isel(galaxy=[1, 1, 0])
    with pytest.raises(
        DataError, match=f"named twice\n  where: .*, coordinate 'galaxy'\n  found: '{twice.galaxy.values[0]}'"
    ):
        pack(twice, sample="all", variables=["r"])


@pytest.mark.parametrize("chunks", [{}, None], ids=["in chunks", "when used"])
def test_a_cube_that_xarray_opened_is_packed_alike(
    chunks: dict[str, int] | None, mock_cube: xr.Dataset, tmp_path: Path
) -> None:
    """Its texts have another type there."""
    kind = np.where(mock_cube.n_points > 12, "deep", "shallow").astype(object)
    named = mock_cube.assign(survey=("galaxy", kind, {"long_name": "survey", "source": "synthetic"}))
    path = save_cube(named, tmp_path / "cube.zarr")
    plain, opened = (pack(ds, variables=["r"]) for ds in (xr.open_zarr(path, chunks=chunks), open_cube(path)))
    assert plain.systems == opened.systems
    assert plain.properties["survey"].dtype.kind == "U"
    assert {"deep", "shallow"} == {*plain.properties["survey"].values.tolist()}
    for name, each in opened.properties.items():
        xr.testing.assert_identical(plain.properties[name], each)


@pytest.mark.slow
@given(ds=galaxy_cubes())
def test_packing_a_sample_is_packing_what_it_selects(ds: xr.Dataset) -> None:
    good = (ds.point_flag.values == 0) & (ds.system_flag.values == 0)[:, np.newaxis]
    if not good.any():
        with pytest.raises(DataError, match="sample 'clean' holds no system"):
            pack(ds, sample="clean", variables=["r"])
        return
    packed = pack(ds, sample="clean", variables=["r", "f_bulge"])
    chosen = select(ds, sample="clean")
    np.testing.assert_array_equal(packed.points["r"], ds.r.values[good])
    np.testing.assert_array_equal(chosen.r.values[chosen.r.notnull().values], packed.points["r"])
    np.testing.assert_array_equal(chosen.f_bulge.values, packed.per_system["f_bulge"])
    assert packed.systems == tuple(chosen.galaxy.values)
    assert packed.n_points == good.sum()


def test_a_system_without_a_point_left_is_left_out(mock_cube: xr.Dataset) -> None:
    ds = mock_cube.copy(deep=True)
    ds.point_flag.values[3] |= 8
    ds.attrs["samples"] = json.dumps({"s": {"description": "", "point_flags_excluded": ["negative_vbar"]}})
    assert "SYN00004" not in pack(ds, sample="s", variables=["r"]).systems
    assert "SYN00004" not in select(ds, sample="s").galaxy


@pytest.mark.slow
def test_a_condition_a_mask_and_a_masked_cube_keep_the_same(sparc_cube: xr.Dataset) -> None:
    steep = sparc_cube.inclination > 40
    ways = [
        pack(sparc_cube, sample="paper171", where="inclination > 40", variables=["r", "r_disk"]),
        pack(sparc_cube, sample="paper171", where=steep, variables=["r", "r_disk"]),
        pack(sparc_cube.where(steep), sample="paper171", variables=["r", "r_disk"]),
        pack(sparc_cube.where(steep, drop=True), sample="paper171", variables=["r", "r_disk"]),
    ]
    kept = [name for name in pack(sparc_cube, sample="paper171", variables=[]).systems if steep.sel(galaxy=name)]
    for packed in ways:
        assert packed.systems == tuple(kept)
        np.testing.assert_array_equal(packed.points["r"], ways[0].points["r"])
        np.testing.assert_array_equal(packed.per_system["r_disk"], ways[0].per_system["r_disk"])


def test_a_condition_on_points_leaves_out_systems_without_any(sparc_cube: xr.Dataset) -> None:
    far = sparc_cube.r > 10
    one, other = (pack(sparc_cube, sample="paper171", where=each, variables=["r"]) for each in ("r > 10", far))
    np.testing.assert_array_equal(one.points["r"], other.points["r"])
    assert one.points["r"].min() > 10
    assert "DDO064" not in one.systems
    chosen = select(sparc_cube, sample="paper171", where="10 < r")
    assert one.systems == tuple(chosen.galaxy.values)
    assert int(chosen.r.notnull().sum()) == one.n_points


def test_a_condition_on_points_leaves_whole_systems_beside_them_if_they_are_asked_for(sparc_cube: xr.Dataset) -> None:
    of = {"sample": "paper171", "variables": ["r", "v_obs", "r_disk"]}
    every, far = pack(sparc_cube, **of), pack(sparc_cube, where="r > 10", whole=True, **of)
    assert far.narrowed_from is not None
    assert far.whole.points.keys() == {"r", "v_obs"}
    assert pack(sparc_cube, where="r > 10", **of).narrowed_from is None
    for i, name in enumerate(far.systems):
        own = slice(*every.offsets[every.systems.index(name) :][:2])
        kept, whole = (slice(*each.offsets[i : i + 2]) for each in (far, far.whole))
        for variable in ("r", "v_obs"):
            np.testing.assert_array_equal(far.whole.points[variable][whole], every.points[variable][own])
        np.testing.assert_array_equal(far.points["r"][kept], far.whole.points["r"][whole][-(kept.stop - kept.start) :])
    some = far.part(3, 6)
    assert some.systems == far.systems[3:6]
    np.testing.assert_array_equal(some.whole.points["r"], far.whole.points["r"][slice(*far.whole.offsets[[3, 6]])])
    np.testing.assert_array_equal(np.diff(some.whole.offsets), np.diff(far.whole.offsets)[3:6])


@pytest.mark.parametrize("where", [None, "inclination > 40"])
def test_without_a_condition_on_points_there_is_no_second_copy_of_them(
    sparc_cube: xr.Dataset, where: str | None
) -> None:
    packed = pack(sparc_cube, sample="paper171", where=where, variables=["r"], whole=True)
    assert packed.narrowed_from is None
    assert packed.whole.offsets is packed.offsets
    assert packed.whole.points is packed.points
    assert packed.part(1, 3).narrowed_from is None


def test_what_is_no_selection_is_refused(sparc_cube: xr.Dataset) -> None:
    steep = sparc_cube.inclination > 40
    refused = [
        (
            {"sample": steep},
            SpecError,
            r"a sample is a name\n  where: sample\n(.|\n)*give a mask or a condition as where",
        ),
        ({"where": steep.values}, SpecError, "a condition, or a mask of the cube's systems or points"),
        ({"where": sparc_cube.inclination}, SpecError, r"found: float64 over \('galaxy',\)"),
        ({"where": steep[:3]}, SpecError, "the mask is not of this cube's systems"),
        ({"where": "inclination > 400"}, DataError, "sample 'all' holds no system where inclination > 400"),
        ({"where": steep & False}, DataError, "sample 'all' holds no system under this mask"),
    ]
    for how, error, message in refused:
        with pytest.raises(error, match=message):
            pack(sparc_cube, variables=["r"], **how)
    with pytest.raises(DataError, match=r"spread over their points(.|\n)*give the condition to the sweep"):
        pack(sparc_cube.where(sparc_cube.r > 2), variables=["r"])


def test_selecting_keeps_labels(sparc_cube: xr.Dataset) -> None:
    chosen = select(sparc_cube, sample="paper171")
    assert chosen.attrs == sparc_cube.attrs
    assert chosen.v_obs.attrs == sparc_cube.v_obs.attrs
    assert chosen.point_flag.dtype == np.uint8


def test_transposed_cubes_pack_alike(mock_cube: xr.Dataset) -> None:
    straight, turned = (pack(ds, sample="unflagged", variables=["r"]) for ds in (mock_cube, mock_cube.transpose()))
    np.testing.assert_array_equal(straight.points["r"], turned.points["r"])


def test_its_repr_fits_a_line(sparc_cube: xr.Dataset) -> None:
    packed = pack(sparc_cube, sample="paper171", variables=["r", "v_flat"])
    assert repr(packed) == "Packed(171 systems, 3373 points: r, v_flat)"


def test_misspelt_names(mock_cube: xr.Dataset) -> None:
    with pytest.raises(SpecError, match=r"the cube has no sample 'unflaged'\n.*\n  do: did you mean 'unflagged'\?"):
        pack(mock_cube, sample="unflaged", variables=["r"])
    with pytest.raises(SpecError, match=r"no sample 'paper171'\n.*\n  do: valid: all, unflagged"):
        select(mock_cube, sample="paper171")
    with pytest.raises(
        DataError, match=r"no numeric variable 'v_gass', 'sigma_v'\n.*\n  do: did you mean 'v_gas'\? valid: "
    ):
        pack(mock_cube, variables=["r", "v_gass", "sigma_v"])


def test_text_cannot_be_packed(sparc_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="the cube has no numeric variable 'references'"):
        pack(sparc_cube, variables=["references"])
