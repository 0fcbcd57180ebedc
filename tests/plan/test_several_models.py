"""Several models in one sweep: a dimension of their names, each model along the axes that it has."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.errors import SpecError
from sigcube.kernels import KERNELS, Kernel, Parameter
from sigcube.plan.joint import read_joint_file
from sigcube.plan.spec import make_spec, spec_from_record, spec_to_record
from sigcube.plan.spec_file import read_spec_file
from sigcube.sweep import Sweep
from sigcube.verification import verify

MODELS: dict[str, Any] = {
    "mond": "mond",
    "disc": {"kernel": "sigma", "fixed": {"scale_length": "disk_peak"}},
    "flat": {"kernel": KERNELS["sigma"], "fixed": {"window": "none", "A": 1.1}},
}
AXES = {"upsilon_disk": [0.4, 0.5, 0.6], "A": [0.5, 1.0], "window": ["geometric", "power"]}
COMMON: dict[str, Any] = {
    "metrics": ["rms", "scatter_g"],
    "reference": "newton",
    "keep": ["galaxy"],
    "dtype": "float64",
}


def sweep(cube: xr.Dataset, **changes: Any) -> Sweep:
    return Sweep(cube, **{"sample": "unflagged", "models": MODELS, "axes": AXES, **COMMON, **changes})


@pytest.mark.slow
def test_each_model_is_as_in_a_sweep_of_its_own(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    several = sweep(mock_cube, fixed={"k": 2.0, "upsilon_bulge": 0.6})
    result = several.run(tmp_path / "r.zarr", workers=0).load()
    assert result.rms.dims == ("galaxy", "model", "upsilon_disk", "A", "window")
    fixed = {"upsilon_bulge": 0.6}
    alone = {
        "mond": {"kernel": "mond", "axes": {"upsilon_disk": AXES["upsilon_disk"]}, "fixed": fixed},
        "disc": {"kernel": "sigma", "axes": AXES, "fixed": {**fixed, "k": 2.0, "scale_length": "disk_peak"}},
        "flat": {"kernel": "sigma", "axes": {"upsilon_disk": AXES["upsilon_disk"]},
                 "fixed": {**fixed, "window": "none", "A": 1.1}},
    }  # fmt: skip
    for name, spec in alone.items():
        one = Sweep(mock_cube, sample="unflagged", **COMMON, **spec).compute()
        for variable in one.data_vars:
            mine = result[variable].sel(model=name)
            # Along an axis that the model does not have, its values repeat.
            whole, _ = xr.broadcast(one[variable], mine)
            np.testing.assert_array_equal(mine.transpose(*whole.dims), whole, err_msg=f"{name} {variable}")
    report = verify(tmp_path / "r.zarr", sample=4)
    assert (report.sound, report.recomputed) == (True, 4)


def test_a_plan_says_what_each_model_computes(mock_cube: xr.Dataset) -> None:
    plan = sweep(mock_cube).plan(probe=False)
    assert plan.dims == {"model": 3, "upsilon_disk": 3, "A": 2, "window": 2}
    assert plan.points_computed == 3 + 12 + 3
    text = repr(plan)
    assert "Plan of a sweep of mond, disc, flat (MOND, algebraic, Σ-Gravity)" in text
    assert "model=mond, window=geometric|power: 3 over upsilon_disk, repeated along A" in text
    comment = plan.coords["A"][2]["comment"]
    assert comment.startswith("computed for model=disc; elsewhere")
    assert plan.attrs["title"].startswith("MOND, algebraic, Σ-Gravity over ")
    assert plan.coords["model"][1].tolist() == list(MODELS)
    # What is fixed in one of them alone is not so for the result.
    assert {"window", "scale_length"}.isdisjoint({*plan.coords} - {*AXES})
    assert float(sweep(mock_cube, fixed={"z": 0.5}).plan(probe=False).coords["z"][1]) == 0.5


def test_an_axis_along_the_models_gives_each_its_own_value(mock_cube: xr.Dataset) -> None:
    models = {"one": "sigma", "other": "sigma"}
    plan = sweep(mock_cube, models=models, axes={"A": ("model", [1.0, 2.0])}).plan(probe=False)
    assert plan.dims == {"model": 2}
    assert [dict(section.model.fixed)["A"] for section in plan.sections] == [1.0, 2.0]


def test_models_make_the_record_and_the_identity(mock_cube: xr.Dataset) -> None:
    spec = make_spec(kind="galaxy", models=MODELS, axes=AXES, fixed={"z": 0.5}, **COMMON)
    text = json.dumps(spec_to_record(spec))
    assert spec_from_record(json.loads(text)) == spec
    assert spec.models["flat"].settings == {"window": "none", "A": 1.1, "z": 0.5}
    other = {**MODELS, "flat": {"kernel": "sigma", "fixed": {"window": "none", "A": 1.2}}}
    plans = [sweep(mock_cube, models=models).plan(probe=False).identity for models in (MODELS, other)]
    assert [key for key in plans[0] if plans[0][key] != plans[1][key]] == ["models"]


def _own(unit: str, name: str = "own") -> Kernel:
    parameter = Parameter("A", "A", 1.0, unit, (0.0, 9.0), "fitted", "a test", "amplitude")
    return Kernel(name=name, title="own", source="a test", terms={"boost": lambda A: 1.0 + A}, parameters=(parameter,))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kernel": "sigma"}, "a sweep needs either a kernel or several models"),
    ({"models": {}}, "a sweep needs either a kernel or several models"),
    ({"models": ["mond"]}, "models must be a table of names and values"),
    ({"models": {"a": {"fixed": {}}}}, "model 'a' is neither a kernel nor a table of kernel and fixed"),
    ({"models": {"a": {"kernel": "mond", "A": 1.0}}}, "model 'a' is neither a kernel nor a table"),
    ({"models": {"a": "mondd"}}, "there is no kernel 'mondd'"),
    ({"models": {"a": {"kernel": "mond", "fixed": {"A": 1.0}}}}, "mond has no parameter or choice 'A'\n  where"),
    ({"axes": {"model": ["mond"]}}, "an axis 'model' is there already: the names of the models"),
    ({"axes": {"B": [1.0]}}, "mond and disc and flat have no parameter or choice 'B'\n  where: axes"),
    ({"fixed": {"B": 1.0}}, "mond and disc and flat have no parameter or choice 'B'\n  where: fixed"),
    ({"fixed": {"a0": 1e-10}, "axes": {"a0": [1e-10]}}, "'a0' is both an axis and held fixed"),
    # one model has it, but not under its labels
    ({"fixed": {"xi": 1.0}, "axes": {}}, "no reading of mond, disc, flat in this sweep uses 'xi'"),
    (
        {"models": {**MODELS, "flat": {"kernel": "sigma", "fixed": {"window": "none", "xi_scale": 0.3}}}},
        "uses 'xi_scale'\n  where: models.flat.fixed.xi_scale",
    ),
    ({"models": {"a": _own("kpc"), "b": "sigma"}, "axes": {"A": [1.0]}}, "two models give 'A' in different units"),
    ({"models": {"a": _own(""), "b": _own("")}, "axes": {"A": [1.0]}}, "two kernels are called 'own'"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_models_that_cannot_be_are_refused(mock_cube: xr.Dataset, given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        sweep(mock_cube, **given)


def test_a_file_names_models_and_what_is_given_besides_replaces_what_they_hold_fixed(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(
        'cube = "c"\n[models]\nmond = "mond"\nflat = { kernel = "sigma", fixed = { window = "none", A = 1.1 } }\n'
        "[fixed]\nz = 0.5\n[axes]\nupsilon_disk = [0.4, 0.6]\n",
        encoding="utf-8",
    )
    read = read_spec_file(file).changed({"A": 2.0, "upsilon_disk": 0.5})
    assert read.models == {"mond": "mond", "flat": {"kernel": "sigma", "fixed": {"window": "none"}}}
    assert (read.axes, read.fixed) == ({}, {"z": 0.5, "A": 2.0, "upsilon_disk": 0.5})
    made = make_spec(kind="galaxy", models=read.models, axes=read.axes, fixed=read.fixed)
    assert made.models["flat"].settings["A"] == 2.0
    assert "A" not in made.models["mond"].settings


def test_what_is_given_besides_a_joint_file_replaces_what_models_and_datasets_hold_fixed(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(
        '[models]\nmond = "mond"\nflat = { kernel = "sigma", fixed = { window = "none", A = 1.1 } }\n'
        '[[data]]\nname = "one"\ncube = "c"\nfixed = { A = 1.2, D = 3.0 }\n',
        encoding="utf-8",
    )
    read = read_joint_file(file).changed({"A": 2.0})
    assert read.models == {"mond": "mond", "flat": {"kernel": "sigma", "fixed": {"window": "none"}}}
    assert (read.data[0].fixed, read.fixed) == ({"D": 3.0}, {"A": 2.0})
