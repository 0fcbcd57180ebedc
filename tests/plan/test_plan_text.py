"""Plans and states as text: what they say, and that they say it only where it holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube.analysis import best
from sigcube.cli.tables import describe_status
from sigcube.cube.kinds import LANDMARK
from sigcube.engine import Engine
from sigcube.errors import SpecError
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option
from sigcube.plan.plan import plan_record
from sigcube.plan.values import PointStatus
from sigcube.store import Holder, JournalEntry, StoreStatus
from sigcube.sweep import Sweep
from tests.synthetic_cubes import synthetic_cube

AXES = {"window": ["geometric", "none"], "xi_scale": [0.1, 0.2, 0.3], "A": [0.5, 1.0]}
STATUS = StoreStatus(
    blocks=10,
    done=4,
    failed=0,
    killed=0,
    todo=6,
    points=1000,
    points_done=400,
    invalid=0,
    evaluations_per_second=2.5e8,
    seconds_left=None,
    heartbeat=None,
    holder=None,
    errors=(),
)


def test_a_plan_says_what_it_computes_and_what_it_repeats(mock_cube: xr.Dataset) -> None:
    text = repr(Sweep(mock_cube, kernel="sigma", axes=AXES, sample="unflagged", reference="mond").plan(probe=False))
    assert text.startswith("Plan of a sweep of sigma (Σ-Gravity)\n")
    assert "window 2 × xi_scale 3 × A 2 = 12 grid points" in text
    assert "8 grid points in 2 readings of the model; 4 repeat them" in text
    assert "window=geometric: 6 over xi_scale × A" in text
    assert "window=none: 2 over A, repeated along xi_scale" in text
    assert "win_rate against mond" in text
    assert "not probed" in text


def test_labels_that_make_no_difference_stand_together(mock_cube: xr.Dataset) -> None:
    axes = {"window": ["none", "geometric"], "scale_length": ["third_point", "disk_peak"], "A": [1.0, 2.0]}
    text = repr(Sweep(mock_cube, kernel="sigma", axes=axes, sample="unflagged").plan(probe=False))
    assert "window=none, scale_length=third_point|disk_peak: 2 over A" in text


def test_a_plain_grid_needs_no_list_of_readings(mock_cube: xr.Dataset) -> None:
    sweep = Sweep(mock_cube, kernel="sigma", axes={"A": [0.5, 1.0]}, sample="unflagged", keep=["galaxy"])
    text = repr(sweep.plan(probe=False))
    assert "2 grid points in 1 reading of the model\n" in text
    assert "everywhere" not in text
    assert "each galaxy's as float32" in text


def test_one_reading_is_named_where_an_axis_of_labels_chose_it(mock_cube: xr.Dataset) -> None:
    axes = {"window": ["power"], "k": [0.5, 1.0]}
    text = repr(Sweep(mock_cube, kernel="sigma", axes=axes, sample="unflagged").plan(probe=False))
    assert "window=power: 2 over k" in text


@pytest.mark.slow
def test_memory_is_that_of_the_arrays_of_the_largest_block(mock_cube: xr.Dataset) -> None:
    # More systems than a file holds: a block has the values of all of them.
    sweep = Sweep(mock_cube, kernel="sigma", axes=AXES, sample="unflagged", keep=["galaxy"])
    plan = sweep.plan(probe=False)
    arrays = [Engine(plan, sweep._packed).evaluate(block) for block in plan.blocks]
    assert plan_record(plan)["bytes_largest_block"] == max(sum(a.nbytes for a in each.values()) for each in arrays)


def test_a_probed_plan_says_how_long(mock_cube: xr.Dataset) -> None:
    plan = Sweep(mock_cube, kernel="newton", axes={"upsilon_disk": [0.4, 0.5]}, sample="unflagged").plan(probe=False)
    probed = replace(plan, seconds_per_evaluation=1e-9)
    assert "(1 G evaluations/s)" in repr(probed)
    assert plan_record(probed)["seconds_one_core"] == pytest.approx(2e-9 * plan.n_points)
    assert plan_record(plan)["seconds_one_core"] is None


def test_a_probed_plan_says_how_long_its_loops_take_to_compile(mock_cube: xr.Dataset) -> None:
    axes = {"window": ["power", "geometric", "none"], "A": [1.0, 2.0]}
    plan = Sweep(mock_cube, kernel="sigma", axes=axes, sample="unflagged").plan(probe=False)
    probed = replace(plan, seconds_per_evaluation=1e-9, seconds_to_compile=25.0)
    assert "and the compiling of 3 loops, once: about 1 min 15 s on one core" in repr(probed)
    assert plan_record(probed)["seconds_to_compile"] == 75.0
    # Their code may be on disk already, as that of the probe was.
    assert repr(replace(plan, seconds_per_evaluation=1e-9)).endswith("and the compiling of 3 loops, once")
    assert plan_record(plan)["seconds_to_compile"] is None


@pytest.mark.slow
def test_a_probe_times_the_compiling_of_what_is_not_on_disk(
    mock_cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boost(x: float) -> float:
        # Of this test alone: no other has compiled it in this process.
        return 1.0 + 0.123456789 * x

    choice = Choice("of", "r", {name: Option({"x": name}, "", "") for name in ("r", "v_gas")}, "")
    own = Kernel("own", "own", "this test", {"boost": boost}, choices=(choice,))
    axes = {"of": ["r", "v_gas"], "upsilon_disk": [0.4, 0.5]}
    monkeypatch.setenv("SIGCUBE_COMPILED", str(tmp_path))
    plans = [Sweep(mock_cube, kernel=own, axes=axes, sample="unflagged").plan() for _ in range(2)]
    assert [plan.seconds_to_compile is not None for plan in plans] == [True, False]


def test_a_plan_says_which_points_lack_an_error_and_what_to_do(mock_cube: xr.Dataset) -> None:
    cube = mock_cube.copy(deep=True)
    cube["e_v_obs"][2, :2] = np.nan
    cube["e_v_obs"][5, 1] = np.nan
    names = ", ".join(cube["galaxy"].values[[2, 5]])
    first = f"no e_v_obs at 3 points of 2 galaxies ({names})"
    both = Sweep(cube, kernel="newton", metrics=["rms", "chi2"], error_floor="5 %").plan(probe=False)
    assert both.origin["lacking"] == (
        f"{first}, which chi2 needs: where = 'e_v_obs > 0' leaves them out, or do without chi2"
    )
    assert f"  caution   {first}" in repr(both)
    assert plan_record(both)["lacking"] == both.origin["lacking"]
    alone = Sweep(cube, kernel="newton", metrics=["chi2", "loglike"]).plan(probe=False)
    assert alone.origin["lacking"].endswith("leaves them out, or choose metrics without errors, such as rms")
    for sweep in (
        Sweep(cube, kernel="newton", metrics=["rms"]),
        Sweep(cube, kernel="newton", metrics=["rms", "chi2"], where="e_v_obs > 0"),
    ):
        assert "lacking" not in sweep.plan(probe=False).origin


def test_a_result_says_what_its_points_lack(mock_cube: xr.Dataset) -> None:
    cube = mock_cube.copy(deep=True)
    cube["e_v_obs"][2, :2] = np.nan
    result = Sweep(cube, kernel="newton", metrics=["rms", "chi2"], axes={"upsilon_disk": [0.4, 0.5]}).compute()
    assert result.attrs["lacking"].startswith("no e_v_obs at 2 points of 1 galaxy")
    with pytest.raises(SpecError, match=r"no grid point has a finite chi2_mean(.|\n)*where = 'e_v_obs > 0'"):
        best(result, by="chi2_mean")


def test_a_sample_of_one_point_each_names_the_systems_alone() -> None:
    cube = synthetic_cube(LANDMARK)
    cube["e_observed"][1:3] = np.nan
    found = Sweep(cube, sample="all", kernel="newton", metrics=["ratio", "loglike"]).plan(probe=False)
    names = ", ".join(map(str, cube["landmark"].values[1:3]))
    assert str(found.origin["lacking"]).startswith(f"no e_observed for 2 of 6 landmarks ({names}), which loglike needs")


HOLDER = Holder(host="node7", machine="m", pid=4711, started=0.0, since=0.0, token="t", released=False, heartbeat=0.0)
FAILURE = JournalEntry(block=3, status=PointStatus.FAILED, error="ValueError: no")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "state     stopped with 6 blocks to do; the same sweep command resumes it"),
        ({}, "blocks    4 of 10 done (40%)"),
        ({"done": 10, "todo": 0}, "state     complete"),
        ({"done": 10, "todo": 0}, "blocks    10 of 10 done\n"),
        ({"holder": HOLDER, "seconds_left": 75.0}, "running on node7, process 4711, about 1 min 15 s left"),
        ({"holder": HOLDER}, "running on node7, process 4711"),
        (
            {"failed": 1, "todo": 0, "errors": (FAILURE,)},
            "complete but for the failures; --retry-failed tries them again",
        ),
        ({"failed": 1, "errors": (FAILURE,)}, "block 3 failed: ValueError: no"),
        ({"failed": 7, "errors": (FAILURE,) * 7}, "and 2 more; --json shows all"),
        ({"invalid": 12}, "invalid   12 grid points where not every metric is finite"),
    ],
)
def test_a_state_in_words(change: dict[str, object], said: str) -> None:
    assert said in describe_status(replace(STATUS, **change)) + "\n"  # type: ignore[arg-type]
