"""A sweep from its spec to its result: what is written, opened, taken up again, made again, refused."""

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from distributed import Client

import sigcube
from sigcube.cube import KINDS, fingerprint, open_cube, save_cube, select
from sigcube.driver import Event
from sigcube.driver.block_task import run_block
from sigcube.driver.cluster import connect
from sigcube.engine import Engine
from sigcube.errors import ClusterError, DataError, SigcubeError, SpecError, StoreError, StoreMismatch
from sigcube.kernels import Reduction
from sigcube.plan.values import Block, PointStatus
from sigcube.rerun import rerun
from sigcube.store import JournalEntry, open_or_create, read_journal
from sigcube.store.result import open_result
from sigcube.sweep import Sweep
from sigcube.verification import verify
from tests.driver.cluster_helpers import StockCluster
from tests.own_kernels import FRAGILE
from tests.synthetic_cubes import synthetic_cube

AXES = {
    "window": ["geometric", "power"],
    "k": [0.5, 1.0, 2.0],
    "xi_scale": sigcube.linspace(0.05, 1, 6),
    "A": sigcube.linspace(0.2, 3, 20),
}


def sweep_of(cube: xr.Dataset, **changes: object) -> Sweep:
    options = {
        "kernel": "sigma",
        "sample": "unflagged",
        "axes": AXES,
        "metrics": ["rms", "chi2_red", "scatter_v"],
        "reference": "mond",
        "keep": ["galaxy"],
    }
    return Sweep(cube, **{**options, **changes})


def largest(v_obs: "np.ndarray") -> float:
    """The largest V_obs of a system, in 100 km/s."""
    return v_obs.max() / 100.0


def same_bits(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.data_vars) == set(other.data_vars)
    for name in one.data_vars:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name


@pytest.fixture(scope="module")
def result_path(mock_cube: xr.Dataset, local_client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "first.zarr"
    sweep_of(mock_cube).run(path, client=local_client)
    return path


@pytest.mark.slow
def test_compute_gives_the_labelled_grid(mock_cube: xr.Dataset) -> None:
    result = sweep_of(mock_cube).compute()
    assert dict(result.rms.sizes) == {"galaxy": 40, "window": 2, "k": 3, "xi_scale": 6, "A": 20}
    assert result.rms_mean.dims == ("window", "k", "xi_scale", "A")
    assert (result.status == 1).all()
    np.testing.assert_allclose(result.rms_mean, result.rms.astype(float).mean("galaxy"), rtol=1e-6)


@pytest.mark.slow
def test_values_repeat_along_an_axis_that_the_label_does_not_use(mock_cube: xr.Dataset) -> None:
    result = sweep_of(mock_cube).compute()
    geometric, power = result.rms_mean.sel(window="geometric"), result.rms_mean.sel(window="power")
    assert (geometric == geometric.isel(k=0)).all()
    assert not (power == power.isel(k=0)).all()
    # k = 1 makes the power window the geometric one; pow rounds once more.
    np.testing.assert_allclose(power.sel(k=1.0), geometric.sel(k=1.0), rtol=1e-12)
    assert result.k.attrs["comment"].startswith("computed for window=power; elsewhere")


@pytest.mark.slow
def test_predictions_agree_with_the_kernel_called_by_hand(mock_cube: xr.Dataset) -> None:
    at = {"window": "geometric", "xi_scale": AXES["xi_scale"][2], "A": AXES["A"][7]}
    by_hand = sigcube.kernels["sigma"].predict(mock_cube, **at) - mock_cube.v_obs
    expected = np.sqrt((by_hand.where(mock_cube.point_flag == 0) ** 2).mean("radius"))
    found = sweep_of(mock_cube, dtype="float64").compute().rms.sel(at).isel(k=0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.slow
def test_axes_that_share_a_dimension_vary_together(mock_cube: xr.Dataset) -> None:
    axes = {
        "A": ("case", [0.5, 1.0, 2.0]),
        "xi_scale": ("case", [0.1, 0.2, 0.3]),
        "window": ("reading", ["none", "power"]),
    }
    result = sweep_of(mock_cube, axes=axes).compute()
    whole = sweep_of(
        mock_cube, axes={"window": ["none", "power"], "xi_scale": [0.1, 0.2, 0.3], "A": [0.5, 1.0, 2.0]}
    ).compute()
    assert result.rms_mean.dims == ("case", "reading")
    for case in range(3):
        for reading in range(2):
            expected = whole.rms_mean.isel(window=reading, xi_scale=case, A=case)
            assert float(result.rms_mean.isel(case=case, reading=reading)) == float(expected)


@pytest.mark.cluster
def test_a_run_on_processes_has_the_bits_of_one_computed_here(mock_cube: xr.Dataset, result_path: Path) -> None:
    same_bits(open_result(result_path), sweep_of(mock_cube).compute())


@pytest.mark.cluster
def test_a_small_run_needs_no_cluster_and_has_its_journal_and_bits(
    mock_cube: xr.Dataset, result_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr("sigcube.driver.cluster.connect", refuse)
    same_bits(sweep_of(mock_cube).run(tmp_path / "here.zarr"), open_result(result_path))
    digests = [
        {index: entry.digest for index, entry in read_journal(path / "journal").entries.items()}
        for path in (tmp_path / "here.zarr", result_path)
    ]
    assert digests[0] == digests[1]
    with pytest.raises(AssertionError, match="a cluster was started"):
        sweep_of(mock_cube).run(tmp_path / "asked.zarr", workers=1)
    with pytest.raises(SpecError, match=r"runs in one place\n  where: workers\n  found: scheduler and workers"):
        sweep_of(mock_cube).run(tmp_path / "two.zarr", workers=0, scheduler="tcp://127.0.0.1:1")
    # What is large goes to a cluster, unless this process is asked for.
    monkeypatch.setattr("sigcube.sweep.sweep.MOST_IN_THIS_PROCESS", 1000)
    with pytest.raises(AssertionError, match="a cluster was started"):
        sweep_of(mock_cube).run(tmp_path / "large.zarr")
    same_bits(sweep_of(mock_cube).run(tmp_path / "large.zarr", workers=0), open_result(result_path))


@pytest.mark.cluster
def test_plain_xarray_opens_the_result_with_units_and_labels(result_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = xr.open_zarr(result_path)
    assert result.rms_mean.sel(window="geometric").isel(k=0).attrs["units"] == "km/s"
    assert all("long_name" in variable.attrs for variable in result.variables.values())
    # A pure number has none.
    assert all(variable.attrs.get("units", "1") for variable in result.variables.values())
    assert result["rms_mean"].attrs["units"] == "km/s"
    assert result.attrs["synthetic"] == 1
    assert "synthetic" in result.attrs["title"].lower()
    assert json.loads(result.attrs["spec"])["kernel"] == "sigma"


@pytest.mark.cluster
def test_a_finished_sweep_runs_nothing_again(mock_cube: xr.Dataset, local_client: Client, result_path: Path) -> None:
    before = (result_path / "journal" / "blocks.jsonl").read_bytes()
    events: list[str] = []
    sweep_of(mock_cube).run(result_path, client=local_client, on_event=lambda event: events.append(event.kind))
    assert not events
    assert read_journal(result_path / "journal").entries
    assert (result_path / "journal" / "blocks.jsonl").read_bytes() == before


@pytest.mark.cluster
def test_rerun_makes_the_same_bits(local_client: Client, result_path: Path) -> None:
    report = rerun(result_path, client=local_client)
    assert report.identical
    assert report.complete
    assert report.compared == len(read_journal(result_path / "journal").entries)
    same_bits(open_result(report.path), open_result(result_path))
    with pytest.raises(SpecError, match="made again already"):
        rerun(result_path, client=local_client)


@pytest.mark.cluster
def test_rerun_of_a_kernel_of_ones_own(mock_cube: xr.Dataset, local_client: Client, tmp_path: Path) -> None:
    Sweep(mock_cube, kernel=FRAGILE, axes={"A": [0.0, 1.0]}, sample="unflagged").run(
        tmp_path / "own.zarr", client=local_client
    )
    with pytest.raises(SpecError, match="the sweep has a kernel that sigcube does not: 'fragile'"):
        rerun(tmp_path / "own.zarr", client=local_client)
    assert rerun(tmp_path / "own.zarr", own_kernels={"fragile": FRAGILE}, client=local_client).identical


@pytest.mark.slow
def test_rerun_says_which_part_could_be_compared(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    axes = {"A": [0.0, 2.0], "b": sigcube.linspace(0, 1, 60_000)}
    Sweep(mock_cube, kernel=FRAGILE, axes=axes, sample="unflagged").run(tmp_path / "own.zarr", workers=0)
    report = rerun(tmp_path / "own.zarr", own_kernels={"fragile": FRAGILE}, workers=0)
    # Those at A = 2 fail in both.
    assert 0 < report.compared < report.blocks
    assert report.identical
    assert not report.complete


def test_rerun_with_an_own_kernel_that_was_edited_since(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    def edited(A: float, b: float) -> float:
        return 1.0 + 2.0 * A * b

    Sweep(mock_cube, kernel=FRAGILE, axes={"A": [0.0, 1.0]}, sample="unflagged").run(tmp_path / "own.zarr", workers=0)
    other = replace(FRAGILE, terms={"boost": edited})
    with pytest.raises(StoreMismatch, match=r"kernel source(.|\n)*do: give the kernel and metrics that made it"):
        rerun(tmp_path / "own.zarr", own_kernels={"fragile": other}, workers=0)


def test_rerun_into_the_result_of_another_sweep(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    for name, values in (("one", [0.5, 0.6]), ("other", [0.5, 0.7])):
        axes = {"upsilon_disk": values}
        Sweep(mock_cube, kernel="newton", axes=axes, sample="unflagged").run(tmp_path / f"{name}.zarr", workers=0)
    # Nothing there is to be removed for it.
    with pytest.raises(
        SpecError, match=r"the result of another sweep is there(.|\n)*axis(.|\n)*do: give another path$"
    ):
        rerun(tmp_path / "one.zarr", tmp_path / "other.zarr", workers=0)


def test_a_result_is_not_compared_with_itself(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"a result is not compared with itself\n  where: .*r.zarr"):
        rerun(tmp_path / "r.zarr", tmp_path / "." / "r.zarr")


def test_where_there_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(SpecError, match="what is here is not a result of a sweep or a result of a fit"):
            open_result(path)
    with pytest.raises(
        StoreError, match=r"there is nothing here\n  where: /.*gone.zarr\n  expected: a result of a sweep or"
    ):
        open_result(tmp_path / "gone.zarr")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {**AXES, "A": sigcube.linspace(0.2, 3.1, 20)}}, "axis A differ"),  # other values
        ({"metrics": ["rms"]}, "metrics differ"),  # fewer metrics
        ({"fixed": {"upsilon_disk": 0.6}}, "fixed differ"),  # a value held fixed
        ({"dtype": "float64"}, "dtype differ"),  # other bits on disk
        ({"reference": {"kernel": "mond", "nu": "simple"}}, "reference differ"),
    ],
)
@pytest.mark.cluster
def test_a_store_of_another_spec_is_refused(
    mock_cube: xr.Dataset, result_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(StoreMismatch, match=message):
        sweep_of(mock_cube, **changes).run(result_path)


@pytest.mark.cluster
def test_a_store_of_other_data_is_refused(mock_cube: xr.Dataset, result_path: Path) -> None:
    changed = mock_cube.copy(deep=True)
    changed.v_obs.values[:, 3] += 1e-9
    with pytest.raises(StoreMismatch, match="another sweep: data v_obs differ"):
        sweep_of(changed).run(result_path)


@pytest.mark.cluster
def test_blocks_that_raise_or_kill_are_recorded_and_the_rest_completes(
    mock_cube: xr.Dataset, local_client: Client, tmp_path: Path
) -> None:
    axes = {"A": [0.0, 1.0, 2.0, 3.0], "b": sigcube.linspace(0, 1, 60_000)}
    result = Sweep(mock_cube, sample="unflagged", kernel=FRAGILE, axes=axes).run(
        tmp_path / "fragile.zarr", client=local_client
    )
    statuses = {a: set(np.unique(result.status.sel(A=a))) for a in axes["A"]}
    assert statuses == {0.0: {1}, 1.0: {1}, 2.0: {3}, 3.0: {4}}
    errors = [
        entry.error for entry in read_journal(tmp_path / "fragile.zarr" / "journal").entries.values() if entry.error
    ]
    assert any("A = 2 is more than this model bears" in error for error in errors)
    assert np.isnan(result.rms_mean.sel(A=[2.0, 3.0])).all()
    assert np.isfinite(result.rms_mean.sel(A=[0.0, 1.0])).all()


@pytest.mark.cluster
def test_a_worker_with_another_engine_is_refused_by_name_and_others_do_its_blocks(
    mock_cube: xr.Dataset, result_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigcube.driver.loop.REFUSAL_TIMEOUT", 300.0)
    shutil.copytree(Path(sigcube.__file__).parent, tmp_path / "other" / "sigcube")
    with open(tmp_path / "other" / "sigcube" / "chunks.py", "a") as source:
        source.write("# A comment will do.\n")
    cluster = StockCluster(tmp_path / "cluster", workers=0)
    cluster.add_worker(path=[str(tmp_path / "other")])
    refused = []

    def watch(event: Event) -> None:
        if event.kind == "refused":
            refused.append(event.text)
            cluster.add_worker()

    try:
        with connect(cluster.address) as client:
            client.wait_for_workers(1, timeout=300)
            (other,) = client.nthreads()
            result = sweep_of(mock_cube).run(tmp_path / "r.zarr", client=client, on_event=watch)
    finally:
        cluster.close()
    assert refused == [f"{other}: would compute something else, found {tmp_path / 'r.zarr'}, another engine"]
    same_bits(result, open_result(result_path))


@pytest.mark.cluster
def test_a_payload_that_cannot_be_read_is_no_fault_of_the_block(result_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"cannot read the sweep(.|\n)*UnpicklingError"):
        run_block(str(result_path), 0, b"not a pickle")


@pytest.mark.cluster
def test_fail_fast_stops_and_names_the_block(mock_cube: xr.Dataset, local_client: Client, tmp_path: Path) -> None:
    sweep = Sweep(mock_cube, kernel=FRAGILE, axes={"A": [2.0, 1.0], "b": sigcube.linspace(0, 1, 60_000)})
    with pytest.raises(SigcubeError, match=r"block \d+ failed, and the run stops as asked\n +where: A = 2"):
        sweep.run(tmp_path / "fast.zarr", client=local_client, fail_fast=True)


@pytest.mark.parametrize("reference", ['reference = "mond"', '[reference]\nkernel = "mond"'])
def test_a_spec_file_says_the_same_as_python(mock_cube: xr.Dataset, tmp_path: Path, reference: str) -> None:
    sigcube.cube.save_cube(mock_cube, tmp_path / "mock.zarr")
    spec = tmp_path / "sweep.toml"
    spec.write_text(
        f"""
        cube = "{tmp_path / "mock.zarr"}"
        kernel = "sigma"
        sample = "unflagged"
        metrics = ["rms", "chi2_red", "scatter_v"]
        keep = ["galaxy"]
        {reference}
        [axes]
        window = ["geometric", "power"]
        k = {{ values = [0.5, 1.0, 2.0] }}
        xi_scale = {{ linspace = [0.05, 1, 6] }}
        A = {{ linspace = [0.2, 3, 20] }}
        """
    )
    assert Sweep.from_toml(spec).plan(probe=False).identity == sweep_of(mock_cube).plan(probe=False).identity


@pytest.mark.slow
def test_a_plan_warns_of_points_without_a_prediction(mock_cube: xr.Dataset) -> None:
    # Near some centres the gas pulls outwards: V_bar² < 0, and so flagged.
    assert "not finite" in repr(sweep_of(mock_cube, sample="all").plan())
    assert "not finite" not in repr(sweep_of(mock_cube).plan())


def test_a_result_too_large_for_memory_is_refused(mock_cube: xr.Dataset) -> None:
    axes = {"xi_scale": sigcube.linspace(0.01, 1, 20_000), "A": sigcube.linspace(0, 3, 20_000)}
    with pytest.raises(SpecError, match=r"too large to hold in memory(.|\n)*use run\(path\)"):
        sweep_of(mock_cube, axes=axes).compute()


def test_a_cube_without_what_the_kernel_needs_names_it(mock_cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="sigma needs 'v_bul', which the cube does not have"):
        sweep_of(mock_cube.drop_vars("v_bul"))


def test_a_result_states_the_sample_as_it_is(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    cube = open_cube(save_cube(mock_cube, tmp_path / "cube.zarr"))
    plan = sweep_of(cube, where="inclination > 60", error_floor="5 %").plan(probe=False)
    n = int((cube.inclination > 60).sum())
    said = {name: plan.attrs[name] for name in ("sample", "where", "error_floor", "n_systems", "n_points")}
    assert said == {
        "sample": "unflagged",
        "where": "inclination > 60",
        "error_floor": "5 % of v_obs",
        "n_systems": n,
        "n_points": plan.n_points,
    }
    title = plan.attrs["title"]
    assert f"; sample unflagged where inclination > 60: {n} galaxies, {plan.n_points:,} points" in title
    assert "where inclination > 60" in repr(plan)
    assert "changed in memory" not in title
    edited = sweep_of(cube.isel(galaxy=[1, 2]), where=cube.inclination[1:3] > 0).plan(probe=False).attrs
    assert edited["cube"] == f"{cube.attrs['title']}, changed in memory"
    assert ", changed in memory; sample unflagged where (a mask given in Python): 2 galaxies" in edited["title"]
    assert sweep_of(cube, title="mine").plan(probe=False).attrs["title"] == "mine"


@pytest.mark.slow
def test_what_the_cube_knows_of_its_systems_lies_beside_their_values(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    texts = xr.DataArray(np.array(["Xy", ""] * 20, dtype=object), dims="galaxy", attrs=mock_cube.v_flat.attrs)
    cube = mock_cube.assign(references=texts, quality=mock_cube.n_points.assign_attrs(mock_cube.v_flat.attrs))
    options = {"axes": {"A": [1.0, 2.0], "z": ("distance", [0.0, 0.5])}, "where": "inclination > 60"}
    sweep = sweep_of(cube, metrics=["rms"], reference=None, **options)
    result = sweep.run(tmp_path / "r.zarr", workers=0)
    chosen = cube.sel(galaxy=result.galaxy.values)
    for name in ("inclination", "quality", "r_disk", "references"):
        np.testing.assert_array_equal(result[name], chosen[name])
        assert result[name].dims == ("galaxy",)
        assert {key: result[name].attrs[key] for key in ("units", "source")}.items() <= chosen[name].attrs.items()
    assert result.quality.dtype == np.int64
    # The number of points that the sweep saw, not of those in the cube.
    np.testing.assert_array_equal(result.n_points, np.diff(sweep.packed.offsets))
    # A dimension of the grid has a name of its own.
    assert "distance" not in result.coords
    xr.testing.assert_identical(sweep.compute(), result.load())
    again = Sweep.from_result(tmp_path / "r.zarr")
    xr.testing.assert_identical(again.compute(), result)
    other = sweep_of(cube.assign(r_hi=cube.r_hi * 2), metrics=["rms"], reference=None, **options)
    with pytest.raises(StoreMismatch, match="made by another sweep: data properties differ"):
        other.run(tmp_path / "r.zarr", workers=0)
    # Without values of systems there is nothing for them to lie beside.
    assert "inclination" not in sweep_of(cube, metrics=["rms"], reference=None, **options, keep=[]).compute().coords


@pytest.mark.slow
@pytest.mark.parametrize("floor", [30.0, "20 %"])
def test_a_condition_on_errors_speaks_of_those_in_the_cube(mock_cube: xr.Dataset, floor: object) -> None:
    options = {"metrics": ["chi2"], "reference": None, "dtype": "float64"}
    typical = float(mock_cube.e_v_obs.median())
    condition = f"e_v_obs < {typical}"
    plain = sweep_of(mock_cube, where=condition, **options)
    floored = sweep_of(mock_cube, where=condition, error_floor=floor, **options)
    by_mask = sweep_of(mock_cube, where=mock_cube.e_v_obs < typical, error_floor=floor, **options)
    assert 0 < plain.packed.n_points == floored.packed.n_points
    least = 30.0 if floor == 30.0 else 0.2 * np.abs(plain.packed.points["v_obs"])
    expected = np.maximum(plain.packed.points["e_v_obs"], least)
    assert np.array_equal(floored.packed.points["e_v_obs"], expected)
    assert np.array_equal(by_mask.packed.points["e_v_obs"], expected)


def test_a_cube_of_populations_has_no_model() -> None:
    with pytest.raises(DataError, match="no model predicts anything for a population cube"):
        sigcube.Sweep(synthetic_cube(KINDS["population"]), kernel="mond", axes={"a0": [1e-10, 2e-10]})


@pytest.mark.parametrize(
    ("given", "least"),
    [
        (3.0, lambda cube: 3.0),
        ("5 %", lambda cube: 0.05 * cube.v_obs),
    ],
)
@pytest.mark.slow
def test_errors_are_at_least_the_floor(mock_cube: xr.Dataset, given: object, least: Any) -> None:
    options = {"axes": {"A": [1.0, 2.0]}, "metrics": ["chi2"], "reference": None, "dtype": "float64"}
    changed = mock_cube.assign(e_v_obs=np.maximum(mock_cube.e_v_obs, least(mock_cube)))
    floored, by_hand = sweep_of(mock_cube, error_floor=given, **options), sweep_of(changed, **options)
    same_bits(floored.compute(), by_hand.compute())
    unknown = mock_cube.assign(e_v_obs=mock_cube.e_v_obs.where(mock_cube.galaxy != "SYN00001"))
    assert np.isnan(sweep_of(unknown, error_floor=given, **options).packed.points["e_v_obs"]).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"error_floor": 0}, "this is no floor of errors\n  where: error_floor\n  found: 0"),
        ({"error_floor": "3 km/s"}, "this is no floor of errors"),
        ({"error_floor": "nan"}, "this is no floor of errors"),
        ({"error_floor": True}, "this is no floor of errors"),
        ({"error_floor": 3.0, "metrics": ["rms"]}, "nothing here uses the errors of the data"),
        ({"where": "inclinaton > 3"}, "the cube has no variable 'inclinaton'\n  where: where"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(mock_cube: xr.Dataset, given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        sweep_of(mock_cube, **given)


@pytest.mark.slow
def test_another_selection_is_another_sweep(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    options = {"axes": {"A": [1.0, 2.0]}, "metrics": ["chi2"], "reference": None}
    first = sweep_of(mock_cube, where="inclination > 60", error_floor=1.0, **options)
    result = first.run(tmp_path / "r.zarr", workers=0)
    assert result.sizes["galaxy"] == result.attrs["n_systems"]
    again = Sweep.from_result(tmp_path / "r.zarr").plan(probe=False)
    assert again.attrs == result.attrs
    assert again.identity == first.plan(probe=False).identity
    for change, part in (({"where": "inclination > 75"}, "where"), ({"error_floor": 2.0}, "error_floor")):
        other = {"where": "inclination > 60", "error_floor": 1.0, **change}
        with pytest.raises(StoreMismatch, match=rf"made by another sweep: {part}, .*data e_v_obs.* differ"):
            sweep_of(mock_cube, **other, **options).run(tmp_path / "r.zarr", workers=0)
    # A mask leaves no text that would tell, but other data.
    with pytest.raises(StoreMismatch, match="data systems"):
        sweep_of(mock_cube, where=mock_cube.inclination > 75, **options).run(tmp_path / "r.zarr", workers=0)


# Models with terms of whole systems, and what is compared.
WHOLE = [
    ("sigma", {"window": "dynamical", "scale_length": "catalogue"}, "r > 6"),
    ("sigma", {"window": "dynamical", "scale_length": "catalogue"}, "e_v_obs / v_obs < 0.1"),
    ("roughness", {}, "r < 5"),
    ("roughness", {"exposure": "mean", "velocity": "baryonic"}, "r < 5"),
    ("mass_coherence", {}, "r < 5"),
    ("mass_coherence", {}, "inclination > 60 and e_v_obs / v_obs < 0.1"),
    ("velocity_coherence", {}, "r < 5"),
    ("functional", {}, "r < 5"),
    ("unified", {}, "r < 5"),
    ("cmsi", {"dispersion": "flat"}, "r < 5"),
    ("pairing", {"dispersion": "flat"}, "r < 5"),
    ("resonance", {"dispersion": "flat"}, "r < 5"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "labels", "where"), WHOLE)
def test_a_condition_on_points_changes_what_is_compared_and_not_the_model(
    mock_cube: xr.Dataset, tmp_path: Path, kernel: str, labels: dict[str, str], where: str
) -> None:
    whole, kept = (select(mock_cube, sample="unflagged", where=each) for each in (None, where))
    residual = sigcube.kernels[kernel].predict(whole, **labels).sel(galaxy=kept.galaxy) - kept.v_obs
    expected = np.sqrt((residual**2).mean("radius"))
    options = {"kernel": kernel, "fixed": labels, "axes": {}, "where": where, "metrics": ["rms"], "reference": None}
    sweep = sweep_of(mock_cube, dtype="float64", **options)
    found = sweep.compute()
    np.testing.assert_allclose(found.rms, expected, rtol=1e-11)
    np.testing.assert_array_equal(found.n_points, kept.v_obs.notnull().sum("radius"))
    path = tmp_path / "r.zarr"
    same_bits(sweep.run(path, workers=0).load(), found)
    same_bits(Sweep.from_result(path).compute(), found)
    assert Sweep.from_result(path).plan(probe=False).identity == sweep.plan(probe=False).identity
    report = verify(path, sample=1)
    assert (report.sound, report.recomputed) == (True, 1)


def test_what_a_condition_leaves_out_may_be_of_any_value_where_no_term_of_whole_systems_takes_it(
    mock_cube: xr.Dataset,
) -> None:
    cube = mock_cube.copy(deep=True)
    cube["e_v_obs"][0, 0] = -1.0
    options = {
        "kernel": "sigma",
        "fixed": {"window": "dynamical"},
        "axes": {},
        "where": "e_v_obs > 0",
        "reference": None,
    }
    assert np.isfinite(sweep_of(cube, metrics=["chi2_red"], **options).compute().chi2_red_mean)


def test_the_table_of_models_with_terms_of_whole_systems_has_them_all() -> None:
    def names(kernel: sigcube.Kernel) -> Iterator[str]:
        options = (option for choice in kernel.choices for option in choice.options.values())
        terms = chain(kernel.terms.values(), *(option.defines.values() for option in options))
        if any(isinstance(term, Reduction) for term in terms):
            yield kernel.name

    assert {row[0] for row in WHOLE} == {name for kernel in sigcube.kernels.values() for name in names(kernel)}


@pytest.mark.slow
def test_an_interrupted_sweep_under_a_condition_on_points_resumes_with_the_same_model(
    mock_cube: xr.Dataset, tmp_path: Path
) -> None:
    axes = {"exposure": ["median", "mean"], "K_0": [0.5, 1.0]}
    options = {"kernel": "roughness", "axes": axes, "reference": "mass_coherence"}
    sweep = sweep_of(mock_cube, where="r < 5", **options)
    path = tmp_path / "r.zarr"
    plan = sweep.plan(probe=False)
    assert len(plan.blocks) == 2
    assert {"data whole offsets", "data whole v_obs"} <= plan.identity.keys()
    with open_or_create(path, plan=plan, inputs=sweep.packed) as store:
        # As a worker does, which reads the data from the store.
        written = run_block(str(path), 0, b"")()
        store.record(JournalEntry(block=0, status=PointStatus.DONE, **asdict(written)))
    same_bits(sweep.run(path, workers=0).load(), sweep.compute())
    of_systems = sweep_of(mock_cube, where="inclination > 40", **options).plan(probe=False)
    assert "data whole offsets" not in of_systems.identity


@pytest.mark.slow
def test_a_reduction_of_ones_own_goes_over_whole_systems(mock_cube: xr.Dataset) -> None:
    own = sigcube.Kernel(
        name="own", title="Own", source="a test", terms={"boost": "fastest", "fastest": Reduction(largest)}
    )
    found = sweep_of(mock_cube, kernel=own, axes={}, where="r < 5", dtype="float64", reference=None).compute()
    whole = select(mock_cube, sample="unflagged")
    kept = whole.where(whole.r < 5).sel(galaxy=found.galaxy)
    residual = own.predict(whole).sel(galaxy=found.galaxy) - kept.v_obs
    np.testing.assert_allclose(found.rms, np.sqrt((residual**2).mean("radius")), rtol=1e-12)


@pytest.mark.slow
def test_a_sweep_without_axes_is_one_point(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    one = sweep_of(mock_cube, axes={}, fixed={"A": 1.5})
    result = one.run(tmp_path / "r.zarr", workers=0)
    assert result.rms.dims == ("galaxy",)
    assert result.rms_mean.dims == result.status.dims == ()
    same_bits(result.load(), one.compute())
    # The same value as that point has on an axis.
    same_bits(result, sweep_of(mock_cube, axes={"A": [1.0, 1.5]}).compute().isel(A=1))
    report = verify(tmp_path / "r.zarr", sample=1)
    assert (report.sound, report.recomputed) == (True, 1)
    # Taken up again: there is nothing to do.
    same_bits(result, one.run(tmp_path / "r.zarr", workers=0).load())


def test_something_else_than_a_result_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"x": ("a", [1.0])}).to_zarr(tmp_path / "other.zarr", consolidated=False)
    with pytest.raises(SpecError, match="not a result of a sweep"):
        Sweep.from_result(tmp_path / "other.zarr")


@pytest.mark.slow
def test_a_block_of_a_dead_sweep_is_not_written_into_its_successor(
    mock_cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.zarr"

    def begin(**axes: list[float]) -> None:
        one = sweep_of(mock_cube, axes=axes)
        open_or_create(path, plan=one._plan, inputs=one._packed).close()

    def replaced_meanwhile(engine: Engine, block: Block) -> dict[str, np.ndarray]:
        shutil.rmtree(path)
        begin(A=[3.0, 4.0])
        return evaluate(engine, block)

    begin(A=[1.0, 2.0])
    evaluate = Engine.evaluate
    monkeypatch.setattr(Engine, "evaluate", replaced_meanwhile)
    with pytest.raises(StoreError, match=r"the store was replaced while a block was computed\n  where: .*r.zarr"):
        run_block(str(path), 0, b"")()
    assert not open_result(path).status.values.any()


def test_a_result_names_the_content_that_it_saw_not_what_the_cube_says(mock_cube: xr.Dataset, tmp_path: Path) -> None:
    cube = open_cube(save_cube(mock_cube, tmp_path / "cube.zarr"))
    attrs = sweep_of(cube).plan(probe=False).attrs
    assert attrs["cube_fingerprint"] == cube.attrs["fingerprint"]
    changed = cube.assign(v_obs=cube.v_obs.copy(data=cube.v_obs.values * 1.5))
    assert sweep_of(changed).plan(probe=False).attrs["cube_fingerprint"] == fingerprint(changed)
    assert fingerprint(changed) != cube.attrs["fingerprint"]


@pytest.mark.slow
def test_a_run_tells_how_far_it_is_when_asked_to(
    mock_cube: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(mock_cube, kernel="sigma", axes={"A": [1.0, 2.0]})
    seen: list[str] = []
    sweep.run(tmp_path / "quiet.zarr", workers=0)
    assert capsys.readouterr().err == ""
    sweep.run(tmp_path / "told.zarr", workers=0, progress=True, on_event=lambda event: seen.append(event.kind))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("0/1 blocks")
    assert "1/1 blocks" in lines[-1]
    assert seen[-1] == "finished"
