"""Specs: from what users write, to the record in a result, and back to the last bit."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.errors import SpecError
from sigcube.kernels import KERNELS
from sigcube.model.metrics import METRICS
from sigcube.plan.grid import geomspace, linspace
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record
from sigcube.plan.spec_file import SpecFile, read_spec_file

LABELS = {"window": ["geometric", "none", "local"], "scale_length": ["third_point", "disk_peak"]}


def spec(**given: Any) -> Any:
    return make_spec(**{"kernel": "sigma", "kind": "galaxy", "axes": {"A": [1.0, 2.0]}, **given})


_values = st.floats(0.0, 100.0)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """What a user may write: axes of numbers and labels, together and apart, values held fixed, a reference."""
    axes: dict[str, Any] = {"A": draw(st.lists(_values, min_size=1, max_size=4, unique=True))}
    if draw(st.booleans()):
        axes["window"] = draw(st.lists(st.sampled_from(LABELS["window"]), min_size=1, unique=True))
    if draw(st.booleans()):
        pairs = draw(st.lists(st.tuples(_values, st.sampled_from(LABELS["scale_length"])), min_size=1, max_size=3))
        axes["k"], axes["scale_length"] = (("case", list(column)) for column in zip(*pairs, strict=True))
    reference = draw(st.sampled_from([None, "mond", "newton", KERNELS["mond"], {"kernel": "mond", "nu": "simple"}]))
    return {
        "axes": axes,
        "fixed": draw(st.dictionaries(st.sampled_from(["z", "g_ext", "upsilon_disk"]), _values)),
        "metrics": ["rms", *draw(st.lists(st.sampled_from(["bias", "chi2_red", "scatter_g"]), unique=True))],
        "reference": {**reference, "a0": draw(_values)} if isinstance(reference, dict) else reference,
        "keep": draw(st.sampled_from([[], ["galaxy"], ("galaxy",)])),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "n_fitted": draw(st.integers(0, 3)),
    }


@given(request=requests())
def test_a_record_is_the_spec_to_the_last_bit(request: dict[str, Any]) -> None:
    made = spec(**request)
    text = json.dumps(spec_to_record(made))
    back = spec_from_record(json.loads(text))
    assert back == made
    assert json.dumps(spec_to_record(back)) == text
    for one, other in zip(made.grid.axes, back.grid.axes, strict=True):
        assert one.array.tolist() == other.array.tolist()


def test_a_record_of_an_earlier_version_is_read() -> None:
    made = spec(axes={"A": [1.0, 2.0]}, fixed={"z": 0.5}, n_fitted=2)
    former = spec_to_record(made)
    former |= {"parameters": former.pop("fixed"), "fitted": former.pop("n_fitted")}
    assert spec_from_record(former) == made


def test_numpy_scalars_are_the_numbers_that_they_are() -> None:
    made = spec(
        fixed={"xi_scale": np.float32(0.1), "z": np.int64(1)},
        reference={"kernel": "mond", "a0": np.float64(1e-10)},
    )
    assert made.model.settings == {"xi_scale": float(np.float32(0.1)), "z": 1}
    assert spec_from_record(json.loads(json.dumps(spec_to_record(made)))) == made


def test_a_reference_goes_with_the_record_of_the_rms() -> None:
    assert spec(metrics=[METRICS["rms"]], reference="mond") == spec(metrics=["rms"], reference="mond")


TABLES = [
    # the forms of a file
    ({"linspace": [0, 1, 3]}, ("A", (0.0, 0.5, 1.0))),
    ({"linspace": [2, 1, 2]}, ("A", (2.0, 1.0))),
    ({"geomspace": [1.0, 100.0, 3]}, ("A", geomspace(1, 100, 3))),
    ({"values": [3, 1]}, ("A", (3.0, 1.0))),
    # along a dimension of another name
    ({"linspace": [0, 1, 2], "dim": "case"}, ("case", (0.0, 1.0))),
    ({"values": [1, 1], "dim": "case"}, ("case", (1.0, 1.0))),
    # and what Python gives as well
    ([1.0, 2.0], ("A", (1.0, 2.0))),
    (linspace(0, 1, 2), ("A", (0.0, 1.0))),
]


@pytest.mark.parametrize(("given", "axis"), TABLES, ids=[str(row[0]) for row in TABLES])
def test_axes_as_tables(given: Any, axis: tuple[str, tuple[float, ...]]) -> None:
    (found,) = spec(axes={"A": given}).grid.axes
    assert (found.dim, found.values) == axis


REFUSED = [
    # axes in table form
    ({"axes": {"A": {"linspce": [0, 1, 3]}}}, "unknown key 'linspce'\n  where: axes.A\n  do: did you mean 'linspace'?"),
    ({"axes": {"A": {}}}, "an axis is given in exactly one form\n  where: axes.A\n  found: none"),
    ({"axes": {"A": {"linspace": [0, 1, 3], "values": [1]}}}, "an axis is given in exactly one form"),
    ({"axes": {"A": {"linspace": [0, 1]}}}, "linspace needs [start, stop, number]\n  where: axes.A\n  found: [0, 1]"),
    ({"axes": {"A": {"linspace": [0, 1, 0]}}}, "expected: a whole number of values, above zero"),
    ({"axes": {"A": {"linspace": [0, 1, 2.0]}}}, "expected: a whole number of values, above zero"),
    ({"axes": {"A": {"linspace": [0, 1, True]}}}, "expected: a whole number of values, above zero"),
    ({"axes": {"A": {"linspace": ["a", 1, 3]}}}, "expected: finite numbers as ends"),
    ({"axes": {"A": {"linspace": [0, float("inf"), 3]}}}, "where: axes.A\n  found: 0, inf, 3\n  expected: finite"),
    ({"axes": {"A": {"linspace": [True, 1, 3]}}}, "expected: finite numbers as ends"),
    ({"axes": {"A": {"geomspace": [0, 1, 3]}}}, "expected: both ends above zero"),
    ({"axes": {"A": {"geomspace": [-4, -1, 3]}}}, "expected: both ends above zero"),
    ({"axes": {"A": {"values": 3}}}, "axis 'A' must be a list of values\n  where: axes.A\n  found: 3"),
    ({"axes": {"A": {"values": "none"}}}, "axis 'A' must be a list of values"),
    ({"axes": {"A": {"values": [1], "dim": 3}}}, "a dimension needs a name\n  where: axes.A\n  found: 3"),
    ({"axes": ["A"]}, "axes must be a table of names and values\n  where: axes\n  found: ['A']"),
    ({"axes": {3: [1.0]}}, "axes must be a table of names and values\n  where: axes\n  found: {3: [1.0]}"),
    ({"fixed": ["z"]}, "fixed must be a table of names and values\n  where: fixed\n  found: ['z']"),
    # values held fixed
    ({"fixed": {"z": [1.0, 2.0]}}, "z is held fixed at one value\n  where: fixed.z\n  found: [1.0, 2.0]"),
    ({"fixed": {"window": ["none"]}}, "window is held fixed at one value"),
    # the reference
    ({"reference": "mnd"}, "there is no kernel 'mnd'\n  do: did you mean 'mond'?"),
    ({"reference": 3}, "a reference is a kernel, or a table with one\n  where: reference\n  found: 3"),
    ({"reference": {"kernel": 3}}, "there is no kernel 3\n  do: valid: burr, cmsi"),
    ({"reference": {"nu": "rar"}}, "a reference needs a kernel\n  where: reference\n  found: nu"),
    ({"reference": {"kernel": "mond", "a0": [1e-10]}}, "a0 is held fixed at one value\n  where: reference.a0"),
    ({"reference": "mond", "metrics": ["bias"]}, "a reference is compared by RMS or by ln L\n  where: metrics"),
    # the rest
    ({"kernel": "sgma"}, "there is no kernel 'sgma'\n  do: did you mean 'sigma'?"),
    ({"kernel": None}, "a sweep needs either a kernel or several models\n  where: kernel\n  do: valid: burr"),
    ({"kernel": ["sigma"]}, "there is no kernel ['sigma']\n"),
    ({"metrics": None}, "metrics must be a list\n  where: metrics\n  found: None"),
    ({"metrics": [["rms"]]}, "metrics must be a list\n  where: metrics\n  found: [['rms']]"),
    ({"metrics": [3]}, "there is no metric 3\n  where: metrics"),
    ({"keep": True}, "keep must be a list\n  where: keep\n  found: True"),
    ({"keep": [3]}, "there is no dimension 3 to keep\n  where: keep"),
    ({"metrics": "rms"}, "metrics must be a list\n  where: metrics\n  found: 'rms'\n  expected: ['rms']"),
    ({"metrics": ["rsm"]}, "there is no metric 'rsm'\n  where: metrics\n  do: did you mean 'rms'?"),
    ({"keep": "galaxy"}, "keep must be a list\n  where: keep\n  found: 'galaxy'\n  expected: ['galaxy']"),
    ({"keep": ["galaxies"]}, "there is no dimension 'galaxies' to keep\n  where: keep\n  do: did you mean 'galaxy'?"),
    ({"dtype": "f4"}, "dtype must be float32 or float64\n  where: dtype\n  found: 'f4'"),
    ({"n_fitted": 1.5}, "the number of fitted parameters is a whole number\n  where: n_fitted\n  found: 1.5"),
    ({"n_fitted": True}, "the number of fitted parameters is a whole number"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        spec(**given)


# Files


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_its_keys(tmp_path: Path) -> None:
    text = 'cube = "c.zarr"\nkernel = "sigma"\n[axes]\nA = { linspace = [0, 1, 3] }\n[reference]\nkernel = "mond"\n'
    file = read_spec_file(write(tmp_path, text))
    assert file == SpecFile(
        cube="c.zarr", kernel="sigma", axes={"A": {"linspace": [0, 1, 3]}}, reference={"kernel": "mond"}
    )
    assert (file.sample, file.metrics, file.keep, file.dtype, file.n_fitted) == ("all", ["rms"], [], "float32", 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cube = ", "the sweep's file is not TOML\n  where: .*sweep.toml\n  found: Invalid value"),
        # an unknown key explains a missing one, and is told first
        ('cub = "c"\nkernel = "sigma"\n[axes]\n', "unknown key 'cub'\n  where: .*\n  do: did you mean 'cube'?"),
        ('kernel = "sigma"\n', "key 'cube' is missing\n  where: .*sweep.toml\n  do: add it"),
        (
            'cube = 3\nkernel = "sigma"\n[axes]\n',
            "key 'cube' is wrong\n  where: .*\n  found: 3\n  expected: a text",
        ),
        ('cube = "c"\nkernel = "s"\ndtype = "f2"\n[axes]\n', "key 'dtype' is wrong\n  where: .*\n  found: 'f2'"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_spec_file(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"the sweep's file cannot be read\n  where: .*gone.toml\n  found: No such"):
        read_spec_file(tmp_path / "gone.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"the sweep's file is not TOML\n  where: .*binary.toml"):
        read_spec_file(tmp_path / "binary.toml")


def test_roles_of_axes_are_recorded_and_leave_with_an_axis_that_is_held(tmp_path: Path) -> None:
    text = """
        cube = "c.zarr"
        kernel = "sigma"
        [roles]
        arbitrary = ["window"]
        nuisance = ["upsilon_disk", "A"]
        [axes]
        window = ["geometric", "none"]
        upsilon_disk = [0.5, 0.6]
        A = [1.0, 2.0]
    """
    file = read_spec_file(write(tmp_path, text))
    made = spec(axes=file.axes, roles=file.roles)
    assert made.roles == {"window": "arbitrary", "upsilon_disk": "nuisance", "A": "nuisance"}
    assert spec_from_record(json.loads(json.dumps(spec_to_record(made)))) == made
    assert file.changed({"A": 1.0}).roles == {"arbitrary": ["window"], "nuisance": ["upsilon_disk"]}
    # A spec without roles has the record that it always had.
    assert "roles" not in spec_to_record(spec())


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"arbitary": ["A"]}, "there is no role 'arbitary'.*did you mean 'arbitrary'"),
        ({"physical": ["B"]}, "'B' has a role, and is no axis.*valid: A, k, xi_scale"),
        ({"physical": ["A"], "nuisance": ["A"]}, "axis 'A' has two roles"),
        ({"physical": "A"}, "roles.physical must be a list"),
        ({"physical": ["k"]}, "'k' and 'xi_scale' vary together, and have one role"),
        (["A"], "roles must be a table"),
    ],
)
def test_roles_that_cannot_be_are_refused(roles: Any, words: str) -> None:
    axes = {"A": [1.0, 2.0], "k": ("case", [1.0, 2.0]), "xi_scale": ("case", [0.1, 0.2])}
    with pytest.raises(SpecError) as caught:
        spec(axes=axes, roles=roles)
    assert re.search(words, str(caught.value), flags=re.DOTALL)
