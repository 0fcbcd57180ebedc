"""Plans and states as text: what they say, and that they say it only where it holds."""

from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr

from sigcube.cli.tables import describe_status
from sigcube.engine import Engine
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option
from sigcube.plan.plan import plan_record
from sigcube.plan.values import PointStatus
from sigcube.store import Holder, JournalEntry, StoreStatus
from sigcube.sweep import Sweep

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
        ({"invalid": 12}, "invalid   12 grid points where the model is not finite"),
    ],
)
def test_a_state_in_words(change: dict[str, object], said: str) -> None:
    assert said in describe_status(replace(STATUS, **change)) + "\n"  # type: ignore[arg-type]
