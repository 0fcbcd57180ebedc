from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import xarray as xr
from hypothesis import given

from sigcube.cube import KINDS, flag_masks, refuse_unusable, validate
from sigcube.errors import DataError
from tests.strategies import galaxy_cubes

Change = Callable[[xr.Dataset], xr.Dataset]

FIELD = {"units": "m/s2", "long_name": "field", "source": "made up"}


def _attrs(name: str, **changes: object) -> Change:
    def change(ds: xr.Dataset) -> xr.Dataset:
        ds = ds.copy()
        ds[name].attrs.update(changes)
        return ds

    return change


def _at(name: str, value: float, *, point: int = 0) -> Change:
    def change(ds: xr.Dataset) -> xr.Dataset:
        ds = ds.copy(deep=True)
        ds[name].values[1, point] = value
        return ds

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "a field below none": (
        lambda ds: ds.assign(g_environment=("galaxy", np.where(ds.galaxy == "SYN00002", -1e-12, 0.0), FIELD)),
        "out of range\n.*variable 'g_environment', SYN00002\n  found: -1e-12\n  expected: at least 0",
    ),
    "no kind": (lambda ds: ds.drop_attrs(deep=False), "this dataset is not a sigcube cube"),
    "unknown kind": (
        lambda ds: ds.assign_attrs(kind="galaxi"),
        r"no kind of cube 'galaxi'\n(.*\n)*  do: did you mean 'galaxy'\?",
    ),
    "no licence": (
        lambda ds: ds.assign_attrs(licence=None),
        "missing, or not a text\n.*attribute 'licence'\n  found: None",
    ),
    "synthetic": (
        lambda ds: ds.assign_attrs(synthetic="yes"),
        "neither 0 nor 1\n.*attribute 'synthetic'\n  found: 'yes'",
    ),
    "a title that hides it": (
        lambda ds: ds.assign_attrs(title="SPARC"),
        "the title of synthetic data must say so\n.*\n  found: 'SPARC'",
    ),
    "samples that are no JSON": (lambda ds: ds.assign_attrs(samples="{"), "not a JSON object\n.*attribute 'samples'"),
    "a sample on no flag": (
        lambda ds: ds.assign_attrs(samples='{"s": {"description": "", "point_flags_excluded": ["negativ"]}}'),
        "not a flag\n.*sample 's', point_flags_excluded\n  found: 'negativ'\n  expected: padding, ",
    ),
    "a sample that is a number": (
        lambda ds: ds.assign_attrs(samples='{"s": 3}'),
        "no sample\n.*sample 's'\n  found: 3\n  expected: a table with a description",
    ),
    "a sample without a description": (lambda ds: ds.assign_attrs(samples='{"s": {}}'), "no sample\n.*sample 's'"),
    "a sample with a key that is none": (
        lambda ds: ds.assign_attrs(samples='{"s": {"description": "", "typo": ["padding"]}}'),
        "unknown\n.*sample 's'\n  found: typo\n  expected: description, ",
    ),
    "a sample whose flags are one text": (
        lambda ds: ds.assign_attrs(samples='{"s": {"description": "", "point_flags_excluded": "padding"}}'),
        "cube: not a list of flags\n.*sample 's', point_flags_excluded\n  found: 'padding'",
    ),
    "a sample whose flags are null": (
        lambda ds: ds.assign_attrs(samples='{"s": {"description": "", "system_flags_excluded": null}}'),
        "not a list of flags\n.*sample 's', system_flags_excluded\n  found: None",
    ),
    "one galaxy alone": (
        lambda ds: ds.isel(galaxy=0),
        r"the cube has lost its dimension 'galaxy'\n  where: synthetic.*\n  do: select by a list, .*\.sel\(galaxy=\[",
    ),
    "a name that is a path": (lambda ds: ds.assign({"M/L": ds.distance}), "takes for a path\n.*variable 'M/L'"),
    "a name that is the folder above": (lambda ds: ds.assign({"..": ds.distance}), "takes for a path\n.*'..'"),
    "an attribute of a file that was not decoded": (
        _attrs("v_gas", scale_factor=0.1),
        "change what they read\n.*variable 'v_gas', scale_factor\n  found: 0.1\n  expected: none of this name",
    ),
    "names of coordinates": (_attrs("v_gas", coordinates="r"), "change what they read\n.*'v_gas', coordinates"),
    "no names": (lambda ds: ds.drop_vars("galaxy"), "missing\n.*coordinate 'galaxy'"),
    "a name twice": (lambda ds: ds.isel(galaxy=[0, 1, 1]), "named twice\n.*coordinate 'galaxy'\n  found: 'SYN00002'"),
    "an empty name": (
        lambda ds: ds.assign_coords(galaxy=["", *ds.galaxy.values[1:]]),
        "empty name\n.*coordinate 'galaxy'",
    ),
    "no systems": (lambda ds: ds.isel(galaxy=[]), "no systems\n"),
    "a variable missing": (lambda ds: ds.drop_vars("v_gas"), "missing\n.*variable 'v_gas'"),
    "dimensions": (
        lambda ds: ds.assign(f_bulge=ds.r.assign_attrs(units="")),
        "wrong dimensions\n.*variable 'f_bulge'\n.*galaxy.*radius",
    ),
    "type": (
        lambda ds: ds.assign(r=ds.r.astype("float32")),
        "wrong type\n.*variable 'r'\n  found: float32\n  expected: float64",
    ),
    "meanings": (
        _attrs("point_flag", flag_meanings="a b"),
        "wrong flag_meanings\n.*variable 'point_flag'\n  found: 'a b'",
    ),
    "no source": (_attrs("r", source=None), "no source\n.*variable 'r'"),
    "no units where there is one": (
        lambda ds: ds.assign(r=ds.r.copy().drop_attrs().assign_attrs(long_name="r", source="s")),
        "wrong units\n.*variable 'r'\n  found: ''\n  expected: 'kpc'",
    ),
    "no units on a variable of the user's own": (
        lambda ds: ds.assign(mine=ds.r.assign_attrs(units=None)),
        "astropy does not know its units\n.*variable 'mine'\n  found: None",
    ),
    "unit astropy does not know": (
        _attrs("r", units="kiloparsecs!"),
        "astropy does not know its units\n.*variable 'r'",
    ),
    "unit": (_attrs("r", units="pc"), "wrong units\n.*variable 'r'\n  found: 'pc'\n  expected: 'kpc'"),
    "more points than places": (
        lambda ds: ds.assign(n_points=ds.n_points + 100),
        "out of range\n.*variable 'n_points'",
    ),
    "padding": (
        lambda ds: ds.assign(point_flag=ds.point_flag & 254),
        "the padding bit does not match .*\n.*variable 'point_flag', SYN",
    ),
    "NaN in a point": (_at("v_obs", np.nan), "NaN or infinite in a point.*\n.*variable 'v_obs', SYN00002, point 0$"),
    "infinite": (_at("v_gas", np.inf), "NaN or infinite in a point.*\n.*variable 'v_gas', SYN00002"),
    "a value in the padding": (_at("v_obs", 1.0, point=-1), "or a value in the padding\n.*variable 'v_obs', SYN00002"),
    "negative error": (
        _at("e_v_obs", -1.0),
        "out of range\n.*variable 'e_v_obs', SYN00002, point 0\n  found: -1\n  expected: at least 0",
    ),
    "radius": (_at("r", 1e9), "does not increase\n.*variable 'r', SYN00002, point 0"),
    "an unknown bit": (
        lambda ds: ds.assign(system_flag=ds.system_flag | 128),
        "a bit without a meaning\n.*variable 'system_flag'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CHANGES)
def test_each_fault_is_told(case: str, mock_cube: xr.Dataset) -> None:
    change, message = CHANGES[case]
    with xr.set_options(keep_attrs=True):
        changed = change(mock_cube)
    with pytest.raises(DataError, match=message):
        validate(changed)


def test_all_faults_are_told_at_once(mock_cube: xr.Dataset) -> None:
    broken = mock_cube.drop_vars(["r", "v_obs"]).assign_attrs(citation=3)
    with pytest.raises(DataError, match=r"this is not a valid galaxy cube: 3 faults") as caught:
        validate(broken)
    for said in (
        "attribute 'citation': missing, or not a text, found 3",
        "variable 'r': missing",
        "variable 'v_obs': missing",
    ):
        assert said in str(caught.value)


@given(ds=galaxy_cubes())
def test_what_readers_make_is_valid(ds: xr.Dataset) -> None:
    validate(ds)


def test_a_user_may_add_variables(mock_cube: xr.Dataset) -> None:
    attrs = {"long_name": "mine", "source": "me"}
    for unit in ({"units": "kpc2"}, {"units": ""}, {}):
        validate(mock_cube.assign(mine=xr.Variable("galaxy", np.ones(40), attrs | unit)))


def test_labels_of_pure_numbers_have_no_brackets(mock_cube: xr.Dataset) -> None:
    assert "units" not in mock_cube.galaxy.attrs
    assert {variable.attrs.get("units", "none") for variable in mock_cube.variables.values()} >= {"none", "kpc"}
    assert "" not in {variable.attrs.get("units", "none") for variable in mock_cube.variables.values()}


def test_every_declared_unit_is_astropys() -> None:
    from astropy.units import Unit

    for kind in KINDS.values():
        for variable in kind.variables:
            Unit(variable.unit)
            assert set(variable.dims) <= set(kind.dims)


def test_flag_masks_are_the_declared_bits(mock_cube: xr.Dataset) -> None:
    assert flag_masks(mock_cube.point_flag) == {
        "padding": 1,
        "nonpositive_radius": 2,
        "nonpositive_v_obs": 4,
        "negative_vbar": 8,
    }
    assert flag_masks(mock_cube.system_flag) == {"too_few_rows": 1, "too_few_points": 2}


@pytest.mark.parametrize(
    ("field", "attrs", "said"),
    [
        (1e-12, {"units": "m/s2"}, ""),
        (1e-12, {"units": "1e-3 km/s2"}, ""),  # the same unit, spelt otherwise
        (1e-12, {}, ""),  # taken as it is declared
        (np.nan, {"units": "m/s2"}, ""),  # not measured: who needs it says so
        (0.01, {"units": "1.2e-10 m/s2"}, "wrong units\n.*'g_environment'\n  found: '1.2e-10 m/s2'"),
        (1e-12, {"units": "furlong"}, "astropy does not know its units"),
        (-1e-12, {"units": "m/s2"}, "out of range\n.*'g_environment'\n  found: -1e-12\n  expected: at least 0"),
        (np.inf, {"units": "m/s2"}, "infinite\n.*'g_environment'"),
    ],
)
def test_what_a_model_needs_of_a_cube_in_memory(
    field: float, attrs: dict[str, str], said: str, mock_cube: xr.Dataset
) -> None:
    given = mock_cube.assign(g_environment=("galaxy", np.full(mock_cube.sizes["galaxy"], field), attrs))
    values = {"g_environment": given.g_environment.values, "r": given.r.values.ravel()}
    with pytest.raises(DataError, match=said) if said else nullcontext():
        refuse_unusable(given, values)
