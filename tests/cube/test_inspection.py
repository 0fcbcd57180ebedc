"""Looks through cubes: what they count, for every kind, and that nothing damaged passes."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import KINDS, Counts, Kind, count_cube, inspect_cube, pack, sample_names, save_cube, summarise
from sigcube.cube import inspection as module
from sigcube.errors import DataError
from tests.synthetic_cubes import synthetic_cube


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.mark.slow
def test_samples_keep_what_packing_them_gives(kind: Kind, tmp_path: Path) -> None:
    cube = synthetic_cube(kind)
    summary = inspect_cube(save_cube(cube, tmp_path / "a.zarr"))
    assert tuple(summary.samples) == sample_names(cube) == ("all", "unflagged")
    for name, kept in summary.samples.items():
        packed = pack(cube, sample=name, variables=[])
        assert (kept.systems, kept.points) == (packed.n_systems, packed.n_points)
    assert summary.samples["unflagged"].points < summary.samples["all"].points
    assert summary.samples["unflagged"].description == "what has no flag"
    everything = Counts(summary.samples["all"].systems, summary.samples["all"].points)
    assert summary.counts == everything == count_cube(tmp_path / "a.zarr")


def test_flags_are_counted_without_padding(kind: Kind) -> None:
    cube = synthetic_cube(kind)
    flags = summarise(cube).flags
    assert list(flags) == list(kind.flags)
    for name, meanings in flags.items():
        expected = [meaning for meaning in kind.variable(name).flags if meaning != "padding"]
        assert list(meanings) == expected
        assert meanings[expected[-1]] == 1
        assert sum(meanings.values()) == 1


@pytest.mark.slow
def test_ranges_are_those_of_the_points_that_are_there(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = synthetic_cube(kind, systems=40, points=7)
    cube[kind.measured[0]].data.reshape(-1)[3] = np.nan
    whole = {each.name: each for each in summarise(cube).ranges}
    for name, each in whole.items():
        values = cube[name].values[np.isfinite(cube[name].values)]
        assert (each.smallest, each.largest) == (values.min(), values.max())
        assert each.median == np.median(values)
        assert each.values == values.size
        assert each.unit == kind.variable(name).unit
    places = int(cube["n_points"].sum()) if kind.padded else cube.sizes[kind.dims[0]]
    first = whole[kind.measured[0]]
    assert first.values + first.missing == places
    assert first.missing == 1 or kind.padded
    # Read in small parts, everything is the same.
    monkeypatch.setattr(module, "_SLAB", 9)
    assert {each.name: each for each in summarise(cube).ranges} == whole


def test_a_variable_may_have_its_dimensions_in_the_other_order() -> None:
    cube = synthetic_cube(KINDS["galaxy"])
    turned = cube.assign(v_obs=cube["v_obs"].transpose())
    assert summarise(turned).ranges == summarise(cube).ranges


def test_flags_identifiers_and_texts_have_no_range() -> None:
    names = {each.name for kind in KINDS.values() for each in summarise(synthetic_cube(kind)).ranges}
    assert names.isdisjoint({"point_flag", "system_flag", "source_id", "references", "unit"})
    assert {"v_obs", "v_phi", "g_bar", "newton", "n_points"} <= names


def test_a_variable_without_any_number_has_no_range() -> None:
    cube = synthetic_cube(KINDS["galaxy"])
    cube["v_flat"][:] = np.nan
    (flat,) = (each for each in summarise(cube).ranges if each.name == "v_flat")
    assert (flat.values, flat.missing) == (0, 6)
    assert (flat.smallest, flat.median, flat.largest) == (None, None, None)


def test_the_median_of_many_is_that_of_evenly_spaced_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    cube = synthetic_cube(KINDS["star"], points=1000)
    monkeypatch.setattr(module, "_MEDIAN_OF", 300)
    monkeypatch.setattr(module, "_SLAB", 37)
    (radius,) = (each for each in summarise(cube).ranges if each.name == "r")
    assert radius.median == np.median(cube.r.values[::4])
    assert (radius.smallest, radius.largest) == (cube.r.values.min(), cube.r.values.max())


def test_a_cube_is_read_a_variable_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_cube(synthetic_cube(KINDS["star"], points=3000), tmp_path / "a.zarr")
    monkeypatch.setattr(module, "_SLAB", 1000)
    longest = 0
    lazily = module.open_lazily

    def watched(path: Path) -> xr.Dataset:
        nonlocal longest
        ds = lazily(path)
        assert not any(variable._in_memory for variable in ds.variables.values())
        return ds

    def parts(array: xr.DataArray) -> object:
        nonlocal longest
        for part in real_parts(array):
            longest = max(longest, part.size)
            assert not array.variable._in_memory, "what was read is not kept"
            yield part

    real_parts = module._parts
    monkeypatch.setattr(module, "open_lazily", watched)
    monkeypatch.setattr(module, "_parts", parts)
    inspect_cube(tmp_path / "a.zarr")
    assert longest == 1000


@pytest.mark.slow
def test_what_is_damaged_does_not_pass(kind: Kind, tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(kind), tmp_path / "a.zarr")
    chunk = next(each for each in (path / kind.measured[0] / "c").rglob("*") if each.is_file())
    chunk.write_bytes(b"not a chunk")
    with pytest.raises(DataError, match=r"this is not a readable cube\n  where: .*a\.zarr"):
        inspect_cube(path)


@pytest.mark.slow
def test_what_was_altered_does_not_pass(kind: Kind, tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(kind), tmp_path / "a.zarr")
    altered = synthetic_cube(kind, seed=2)
    altered[[kind.measured[0]]].drop_vars(list(altered.coords)).drop_attrs().to_zarr(
        path, mode="r+", consolidated=False
    )
    with pytest.raises(DataError, match=r"a\.zarr"):
        inspect_cube(path)


def test_no_cube(tmp_path: Path) -> None:
    for look in (inspect_cube, count_cube):
        with pytest.raises(DataError, match="there is no cube here"):
            look(tmp_path / "a.zarr")
