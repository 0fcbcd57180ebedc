"""Joint sweeps: each dataset's result is that of a sweep of its own; resumed, extended, verified, shown by commands."""

import json
import re
import shutil
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import xarray as xr

from sigcube import JointSweep, Sweep, open_joint, open_result
from sigcube.analysis import tradeoff
from sigcube.cli import ExitCode
from sigcube.errors import SigcubeError, SpecError, StoreError, StoreInUse, StoreMismatch
from sigcube.explore import store_page
from sigcube.recipes import ingest, load_recipe
from sigcube.store import joint as store_joint
from sigcube.store import journal_folder
from sigcube.store.joint import open_or_create_joint, refresh_joint, results_in
from sigcube.store.lock import Lock
from tests.calling import call
from tests.damage import same_bits

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

AXES = {"A_0": [0.5, 1.0, 2.0], "upsilon_disk": [0.4, 0.5]}
SPEC = """
title = "both"
kernel = "sigma"
[fixed]
amplitude = "unified"
window = "none"
[roles]
physical = ["A_0"]
nuisance = ["upsilon_disk"]
[axes]
A_0 = [0.5, 1.0, 2.0]
upsilon_disk = [0.4, 0.5]
[[data]]
name = "discs"
cube = "discs.zarr"
sample = "unflagged"
keep = ["galaxy"]
reference = { kernel = "mond" }
[[data]]
name = "landmarks"
cube = "landmarks.zarr"
sample = "observed"
metrics = ["ratio", "scatter"]
"""


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest(load_recipe("landmarks"), out=tmp_path_factory.mktemp("cubes") / "landmarks.zarr")


@pytest.fixture
def data(mock_cube: xr.Dataset, landmarks: Path) -> dict[str, dict[str, Any]]:
    return {
        "discs": {"cube": mock_cube.isel(galaxy=slice(0, 8)), "sample": "unflagged", "keep": ["galaxy"]},
        "landmarks": {"cube": landmarks, "sample": "observed", "metrics": ["ratio"]},
    }


@pytest.fixture(scope="module")
def begun(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joint result of one dataset."""
    path = tmp_path_factory.mktemp("joint") / "j.zarr"
    discs = {"cube": mock_cube.isel(galaxy=slice(0, 8)), "sample": "unflagged", "keep": ["galaxy"]}
    joint({"discs": discs}).run(path, workers=0)
    return path


def joint(data: dict[str, Any], **options: Any) -> JointSweep:
    fixed = {"amplitude": "unified", "window": "none"}
    return JointSweep(data, **{"kernel": "sigma", "axes": AXES, "fixed": fixed, **options})


def test_each_dataset_has_the_result_of_a_sweep_of_its_own(data: dict[str, Any], tmp_path: Path) -> None:
    begun: list[str] = []
    tree = joint(data).run(tmp_path / "j.zarr", workers=0, on_leaf=lambda name, _: begun.append(name))
    assert begun == ["discs", "landmarks"] == list(tree.children)
    fixed = {"amplitude": "unified", "window": "none"}
    # A landmark has no mass-to-light ratio: its result lacks the axis along which its values would repeat.
    alone = Sweep(**data["landmarks"], kernel="sigma", axes={"A_0": AXES["A_0"]}, fixed=fixed)
    same_bits(tree["landmarks"].to_dataset().load(), alone.compute())
    same_bits(
        tree["discs"].to_dataset().load(), Sweep(**data["discs"], kernel="sigma", axes=AXES, fixed=fixed).compute()
    )
    assert tree["discs/rms_mean"].dims == ("A_0", "upsilon_disk")
    assert tradeoff(tree, x="discs/rms_mean", y="landmarks/ratio_mean").sizes["point"] >= 1
    # Plain xarray opens the whole and any part.
    with xr.open_datatree(tmp_path / "j.zarr", engine="zarr") as plain:
        assert plain.attrs["datasets"] == ["discs", "landmarks"]
        assert plain["discs/rms"].identical(xr.open_zarr(tmp_path / "j.zarr" / "discs").rms)
    xr.testing.assert_identical(open_result(tmp_path / "j.zarr" / "discs").load(), tree["discs"].to_dataset().load())


def test_what_was_left_goes_on_and_nothing_is_computed_twice(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "j.zarr"

    def stop(name: str, _: Sweep) -> None:
        if name == "landmarks":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        joint(data).run(path, workers=0, on_leaf=stop)
    assert list(open_joint(path).children) == ["discs"]
    with xr.open_datatree(path, engine="zarr") as plain:
        assert list(plain.children) == ["discs"]
    before = (path / "discs" / "journal" / "blocks.jsonl").read_bytes()
    tree = joint(data).run(path, workers=0)
    assert list(tree.children) == ["discs", "landmarks"]
    assert (path / "discs" / "journal" / "blocks.jsonl").read_bytes() == before
    with Lock(journal_folder(path / "landmarks")), pytest.raises(StoreInUse):
        joint(data).run(path, workers=0)


def test_datasets_and_values_of_axes_are_added_and_none_is_lost(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "j.zarr"
    joint({"discs": data["discs"]}).run(path, workers=0)
    joint(data).run(path, workers=0)
    assert list(results_in(path)) == ["discs", "landmarks"]
    with pytest.raises(StoreMismatch, match="holds a dataset that the sweep has not: landmarks"):
        joint({"discs": data["discs"]}).run(path, workers=0)
    more = {**AXES, "A_0": [0.5, 1.0, 1.5, 2.0]}
    with pytest.raises(StoreMismatch, match="holds a part of this sweep"):
        joint(data, axes=more).run(path, workers=0)
    tree = joint(data, axes=more).run(path, workers=0, extend=True)
    with xr.open_datatree(path, engine="zarr") as plain:
        assert sorted(plain["discs"].A_0.values.tolist()) == more["A_0"]
    assert tree["landmarks/ratio_mean"].A_0.values.tolist() == more["A_0"] == tree["discs/rms"].A_0.values.tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {"A_0": [1.0], "upsilon_disc": [0.5]}}, "no dataset .* has .* 'upsilon_disc'.*upsilon_disk"),
        ({"axes": {"A_0": [-1.0, 1.0]}}, "data.discs, axes.A_0"),
        ({"fixed": {"amplitude": "unified", "windw": "none"}}, "no dataset .* has .* 'windw'"),
        ({"roles": {"physical": ["A_0"], "nuisanc": ["upsilon_disk"]}}, "there is no role 'nuisanc'"),
        ({"sample": "all"}, "'sample' is of each dataset"),
        ({"sampl": "all"}, "a joint sweep has no key 'sampl'"),
        ({"axis": {"A_0": [1.0]}}, "a joint sweep has no key 'axis'.*'axes'"),
        # In a dataset, they would be lost to those that all share.
        *(
            ({"of_discs": {key: value}}, f"{key!r} is shared by all datasets.*data.discs, {key}")
            for key, value in {
                "kernel": "mond",
                "models": {"a": "mond"},
                "axes": {"A_0": [9.0]},
                "roles": {"physical": []},
                "title": "discs",
            }.items()
        ),
        ({"of_discs": {"sampel": "all"}}, "a dataset has no key 'sampel'.*'sample'"),
        ({"of_discs": {"bogus": 1}}, "a dataset has no key 'bogus'"),
        ({"of_discs": {3: 1}}, "a dataset has no key 3"),
        ({"of_discs": {"fixed": ["a"]}}, "fixed must be a table.*data.discs, fixed"),
        *(({key: ["a"]}, f"{key} must be a table") for key in ("fixed", "axes", "roles", "models")),
        ({"roles": {"physical": ["A_0", "A_00"]}}, "'A_00' has a role, and is no axis.*roles.physical.*'A_0'"),
        ({"roles": {"physical": ["amplitude"]}}, "'amplitude' has a role, and is no axis"),
        ({"roles": {"arbitrary": ["model"]}}, "'model' has a role, and is no axis"),
        ({"roles": {"physical": "A_0"}}, "data.discs, roles.physical"),
        ({"roles": {"physical": [[]]}}, "data.discs, roles.physical"),
        ({"of_discs": {"metrics": 3}}, "metrics must be a list"),
        ({"data": {}}, "a joint sweep has datasets"),
        ({"data": {"a b": {"cube": "x"}}}, "a dataset cannot be called so"),
        ({"data": {"../up": {"cube": "x"}}}, "a dataset cannot be called so"),
        ({"data": {"one": {"sample": "all"}}}, "a dataset needs a cube"),
        # An axis that a kind of cube has, and that its model does not use under the labels given.
        ({"axes": {"A_0": [1.0], "xi_scale": [0.1, 0.2]}}, "data.discs, axes.xi_scale.*"),
    ],
)
def test_what_cannot_be_is_refused_at_once(data: dict[str, Any], change: dict[str, Any], words: str) -> None:
    change = {**change}
    own = change.pop("of_discs", {})
    with pytest.raises(SpecError) as caught:
        joint(**{"data": {**data, "discs": {**data["discs"], **own}}, **change})
    assert re.search(words, str(caught.value), flags=re.DOTALL), caught.value


def test_a_dataset_that_another_run_adds_meanwhile_stays_named(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "j.zarr"

    def stop(name: str, _: Sweep) -> None:
        if name == "discs":
            raise KeyboardInterrupt

    def add(_: str, __: Sweep) -> None:
        with pytest.raises(KeyboardInterrupt):
            joint({"landmarks": data["landmarks"], "discs": data["discs"]}).run(path, workers=0, on_leaf=stop)

    tree = joint({"discs": data["discs"]}).run(path, workers=0, on_leaf=add)
    assert list(tree.children) == ["discs", "landmarks"] == list(results_in(path))
    with xr.open_datatree(path, engine="zarr") as plain:
        assert sorted(plain.children) == ["discs", "landmarks"]


def test_the_list_of_datasets_is_written_by_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j.zarr"
    open_or_create_joint(path, names=["one"], title=None)
    write = store_joint.write_file

    def write_late(file: Path, content: bytes) -> None:
        # Another run that has read the list by now may not write it before this one did.
        monkeypatch.setattr(store_joint, "write_file", write)
        other.start()
        other.join(0.3)
        write(file, content)

    other = Thread(target=lambda: refresh_joint(path, names=["one", "other"], title=None))
    monkeypatch.setattr(store_joint, "write_file", write_late)
    refresh_joint(path, names=["one", "two"], title=None)
    other.join()
    assert list(results_in(path)) == ["one", "two", "other"]
    monkeypatch.setattr(store_joint, "_PATIENCE", 0.0)
    with Lock(journal_folder(path)), pytest.raises(StoreInUse):
        refresh_joint(path, names=["last"], title=None)


def test_two_runs_that_make_the_folder_at_once_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j.zarr"
    make = store_joint.make_folder

    def make_late(folder: Path) -> None:
        monkeypatch.setattr(store_joint, "make_folder", make)
        open_or_create_joint(path, names=["one"], title=None)
        make(folder)

    monkeypatch.setattr(store_joint, "make_folder", make_late)
    open_or_create_joint(path, names=["one", "two"], title=None)
    assert list(results_in(path)) == ["one", "two"]


DAMAGE = ["", "[]", "null", "{}", "7", "[" * 100_000, '{"consolidated_metadata": null}', '{"zarr_format": 3}']


@pytest.mark.parametrize("content", DAMAGE, ids=lambda text: text[:30] or "empty")
def test_a_damaged_dataset_is_refused_by_its_own_run_and_by_no_other(
    begun: Path, data: dict[str, Any], tmp_path: Path, content: str
) -> None:
    path = Path(shutil.copytree(begun, tmp_path / "j.zarr"))
    sound = (path / "discs" / "zarr.json").read_bytes()
    (path / "discs" / "zarr.json").write_text(content)
    with pytest.raises(SigcubeError):
        joint({"discs": data["discs"]}).run(path, workers=0)
    with pytest.raises(SigcubeError):
        open_joint(path)
    with xr.open_datatree(path, engine="zarr") as plain:
        assert not plain.children
    # Put back, it is repeated in the group again.
    (path / "discs" / "zarr.json").write_bytes(sound)
    joint({"discs": data["discs"]}).run(path, workers=0)
    with xr.open_datatree(path, engine="zarr") as plain:
        assert "rms" in plain["discs"]


def test_metadata_that_cannot_be_written_again_are_not_repeated(begun: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(begun, tmp_path / "j.zarr"))
    store = json.loads((path / "discs" / "zarr.json").read_bytes())
    for depth in range(100, 3000, 100):
        text = json.dumps({**store, "attributes": "DEEP"}).replace('"DEEP"', '{"a":' * depth + "1" + "}" * depth)
        (path / "discs" / "zarr.json").write_text(text)
        refresh_joint(path, names=["discs"], title=None)
        assert list(results_in(path)) == ["discs"]


@pytest.mark.parametrize(
    "content", [*DAMAGE, '{"attributes": {"kind": "joint", "datasets": "ab"}}'], ids=lambda t: t[:50]
)
def test_a_damaged_list_of_datasets_is_one_error(
    begun: Path, data: dict[str, Any], tmp_path: Path, content: str
) -> None:
    path = Path(shutil.copytree(begun, tmp_path / "j.zarr"))
    (path / "zarr.json").write_text(content)
    for ask in (open_joint, results_in, joint({"discs": data["discs"]}).run):
        with pytest.raises(StoreError, match="the joint result is damaged"):
            ask(path)


def test_an_extension_without_new_blocks_is_told_to_plain_xarray(
    begun: Path, data: dict[str, Any], tmp_path: Path
) -> None:
    path = Path(shutil.copytree(begun, tmp_path / "j.zarr"))
    changed = joint({"discs": data["discs"]}, roles={"physical": ["A_0"]})
    changed.run(path, workers=0, extend=True)
    assert open_joint(path)["discs"].A_0.attrs["role"] == "physical"
    with xr.open_datatree(path, engine="zarr") as plain:
        assert plain["discs"].A_0.attrs["role"] == "physical"


def test_the_models_of_a_joint_sweep_are_an_axis_that_has_a_role(data: dict[str, Any]) -> None:
    models = {"one": {"kernel": "sigma"}, "other": {"kernel": "sigma", "fixed": {"amplitude": "unified"}}}
    sweep = joint(data, kernel=None, models=models, fixed={"window": "none"}, roles={"arbitrary": ["model"]})
    assert [leaf.plan(probe=False).spec.roles for leaf in sweep.leaves.values()] == [{"model": "arbitrary"}] * 2


@pytest.mark.parametrize(
    ("options", "large", "terminal", "shown", "reason"),
    [
        ({}, True, True, True, "a long run on a terminal tells how far it is"),
        ({}, False, True, False, "a small one does not"),
        ({}, True, False, False, "nobody watches a file"),
        ({"on_event": print}, True, True, False, "the caller tells"),
        ({"progress": False}, True, True, False, "not wanted"),
        ({"progress": True}, False, False, True, "asked for"),
    ],
)
def test_a_joint_run_tells_how_far_it_is_as_a_single_one_does(
    data: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, Any],
    large: bool,
    terminal: bool,
    shown: bool,
    reason: str,
) -> None:
    for module in ("joint", "sweep"):
        monkeypatch.setattr(f"sigcube.sweep.{module}.MOST_IN_THIS_PROCESS", 1 if large else 2**60)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    joint(data).run(tmp_path / "j.zarr", workers=0, **options)
    told = capsys.readouterr().err
    assert ("landmarks (2 of 2): " in told) is shown, reason
    Sweep(**data["landmarks"], kernel="sigma").run(tmp_path / "s.zarr", workers=0, **options)
    assert bool(capsys.readouterr().err) is shown, reason


def test_what_is_no_joint_result_says_what_it_is(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "j.zarr"
    joint(data).run(path, workers=0)
    with pytest.raises(SpecError, match="this is a joint result") as caught:
        open_result(path)
    assert "open_joint" in str(caught.value.hint)
    with pytest.raises(SpecError, match="this is a result of a sweep"):
        open_joint(path / "discs")
    with pytest.raises(SpecError, match="this is a result of a sweep"):
        joint(data).run(path / "discs", workers=0)
    with pytest.raises(SpecError, match="nothing here to show") as caught:
        store_page(path, tmp_path / "page.html")
    assert caught.value.hint == f"name one of them: {path / 'discs'}, {path / 'landmarks'}"
    root = path / "zarr.json"
    root.write_text(root.read_text().replace('"discs"', '"../discs"'))
    with pytest.raises(StoreError, match="the joint result is damaged"):
        open_joint(path)


def test_commands_take_all_datasets(
    mock_cube: xr.Dataset, landmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sigcube.cube import save_cube

    monkeypatch.chdir(tmp_path)
    save_cube(mock_cube.isel(galaxy=slice(0, 8)), tmp_path / "discs.zarr")
    shutil.copytree(landmarks, tmp_path / "landmarks.zarr")
    Path("both.toml").write_text(SPEC)

    def ask(*words: str, code: int = 0) -> str:
        done = call(*words)
        assert done.exit_code == code, done.output
        return done.output

    assert "landmarks: Plan of a sweep of sigma" in ask("plan", "both.toml")
    assert json.loads(ask("plan", "both.toml", "--json"))["landmarks"]["grid"] == {"A_0": 3}
    shown = ask("sweep", "both.toml", "--out", "b.zarr", "--workers", "0")
    assert "discs (1 of 2): " in shown
    assert "landmarks: best ratio_mean" in shown
    assert "open_joint('b.zarr')" in shown
    assert open_joint("b.zarr")["discs/rms_mean"].A_0.attrs["role"] == "physical"
    assert ask("status", "b.zarr").count("state     complete") == 2
    assert ask("verify", "b.zarr", "--sample", "1").count("sound") == 2
    assert ask("rerun", "b.zarr", "--workers", "0").count(" 0 differ") == 2
    shutil.rmtree("b.zarr/landmarks")
    assert "not begun" in ask("status", "b.zarr")
    assert json.loads(ask("status", "b.zarr", "--json"))["landmarks"] is None
    assert "landmarks: not begun" in ask("verify", "b.zarr")
    ask("sweep", "both.toml", "--out", "b.zarr", "--workers", "0")
    told = json.loads(ask("tradeoff", "b.zarr", "discs/rms_mean", "landmarks/ratio_mean", "--json"))
    assert [row["place"] for row in told["places"]] == ["best_x", "best_y", "compromise"]
    assert "tension" in ask("tradeoff", "b.zarr", "discs/rms_mean", "landmarks/ratio_mean")
    values = next(Path("b.zarr/discs/rms").glob("c*"))
    values.write_bytes(values.read_bytes()[:-1] + b"!")
    assert "damaged" in ask("verify", "b.zarr", code=ExitCode.DIFFERENT)
    assert "joint sweep has" not in ask("plan", "both.toml", "--where", "inclination > 40", code=ExitCode.USAGE)
    Path("twice.toml").write_text(SPEC.replace('"landmarks"', '"discs"', 1))
    assert "two datasets are called 'discs'" in ask("plan", "twice.toml", code=ExitCode.USAGE)
    Path("bad.toml").write_text(SPEC.replace("sample", "sampel", 1))
    assert "did you mean 'sample'" in ask("plan", "bad.toml", code=ExitCode.USAGE)
