"""Kills of the processes of real sweeps: ``python -m tests.kills [--trials N]`` prints a table of how they ended."""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sigcube.cube import save_cube
from sigcube.errors import StoreError
from sigcube.plan.values import PointStatus
from sigcube.readers.mock import mock_survey
from sigcube.store import read_journal, status

__all__ = [
    "SIGNALS",
    "VICTIMS",
    "Outcome",
    "Project",
    "compare",
    "count_written",
    "done",
    "kill_once",
    "make_project",
    "run_to_end",
]

SPEC = """
cube = "survey.zarr"
sample = "unflagged"
kernel = "sigma"
metrics = ["rms"]
keep = ["galaxy"]
[axes]
window = ["none", "geometric"]
xi_scale = { linspace = [0.05, 1.0, 24] }
g_dagger = { geomspace = [5e-11, 2e-10, 16] }
A = { linspace = [0.2, 3.0, 40] }
"""

# Every interpreter reads this as it starts: the blocks of these sweeps take some milliseconds each.
SMALL_BLOCKS = """
import sys
if "resource_tracker" not in str(sys.orig_argv):
    import sigcube.plan.layout
    sigcube.plan.layout._SMALLEST_BLOCK_EVALUATIONS = 2**14
    sigcube.plan.layout._FEWEST_BLOCKS = 200
"""

#: Seconds in which whatever is killed, or has lost those it works with, must be gone.
PATIENCE = 120.0

# Of one trial, until one was still computing when its moment came.
_MOST_RUNS = 5

VICTIMS = ("the command", "a worker", "all workers", "what workers are forked from", "the scheduler", "all at once")
SIGNALS: dict[str, tuple[signal.Signals, ...]] = {
    "KILL": (signal.SIGKILL,),
    "TERM": (signal.SIGTERM,),
    "INT": (signal.SIGINT,),
    "STOP, CONT": (signal.SIGSTOP, signal.SIGCONT),
    "STOP, KILL": (signal.SIGSTOP, signal.SIGKILL),
}


@dataclass(frozen=True)
class Project:
    """A folder as a user has it, with a spec and its cube, and what an unbroken run of the command writes.

    Parameters
    ----------
    folder : Path
        Where commands run.
    command : sequence of str
        Words after ``sigcube``, but for ``--out`` and its value.
    start : Path, optional
        A store that is there before the first run, as for a command that extends one.
    """

    folder: Path
    command: Sequence[str]
    start: Path | None = None

    @property
    def whole(self) -> Path:
        return self.folder / "whole.zarr"

    def begin(self, out: Path) -> None:
        """Put there what is there before the first run."""
        if self.start is not None:
            shutil.copytree(self.start, out)

    def run(self, out: Path, *options: str, mark: str = "") -> "subprocess.Popen[str]":
        """Start the command that a user types, in a process group of its own."""
        path = [str(self.folder), *(each for each in sys.path if each)]
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "sigcube", *self.command, "--out", str(out), *options],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "SIGCUBE_KILLS": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def files(self, out: Path) -> dict[str, bytes]:
        """Everything in a store but its journal and its lock: attributes, coordinates, inputs, values."""
        paths = (path for path in out.rglob("*") if path.is_file())
        names = {path.relative_to(out).as_posix(): path for path in paths}
        own = ("journal/blocks.jsonl", "journal/lock.")
        return {name: path.read_bytes() for name, path in names.items() if not name.startswith(own)}


def make_project(folder: Path, *options: str, smaller: str = "") -> Project:
    """Make a survey and a spec, and run the sweep undisturbed; first that of a smaller spec, if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    save_cube(mock_survey(n_galaxies=40, seed=20), folder / "survey.zarr")
    (folder / "spec.toml").write_text(SPEC)
    (folder / "smaller.toml").write_text(smaller)
    (folder / "sitecustomize.py").write_text(SMALL_BLOCKS)
    start = folder / "start.zarr" if smaller else None
    if start is not None:
        assert run_to_end(Project(folder, ["sweep", "smaller.toml"]), start, "--workers", "0") == ""
    project = Project(folder, ["sweep", "spec.toml", *options], start)
    project.begin(project.whole)
    assert run_to_end(project, project.whole, "--workers", "0") == ""
    assert status(project.whole).done >= 200
    return project


@dataclass
class Outcome:
    """What became of one trial.

    Parameters
    ----------
    code : int
        Exit code of the command whose processes were killed; minus the signal if one ended it.
    faults : list of str
        Wrong, redone or left behind: what must not be.
    """

    code: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, kind: str, found: object) -> None:
        if found:
            self.faults.append(f"{kind}: {found}")


class _EndedBeforeError(Exception):
    """The command had ended before its moment came: on a busy machine nobody may look for a while."""


def kill_once(project: Project, out: Path, rng: random.Random, *, workers: int, victim: str, how: str) -> Outcome:
    """Run a sweep, send signals to its processes at a random moment while it computes, and run it again to its end.

    A run that ended before its moment is no trial: another one takes its place.
    """
    for _ in range(_MOST_RUNS):
        with contextlib.suppress(_EndedBeforeError):
            return _kill(project, out, rng, workers=workers, victim=victim, how=how)
        shutil.rmtree(out)
    raise AssertionError(f"{_MOST_RUNS} runs had ended before the kill")


def _kill(project: Project, out: Path, rng: random.Random, *, workers: int, victim: str, how: str) -> Outcome:
    project.begin(out)
    mark, outcome = uuid.uuid4().hex, Outcome()
    try:
        with project.run(out, "--workers", str(workers), mark=mark) as process:
            try:
                _wait_for_moment(project, out, process, rng)
                before = done(out)
                _send(SIGNALS[how], _choose(process.pid, victim, rng), rng)
                text, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                text, _ = process.communicate()
                outcome.note("hung", text)
            finally:
                process.kill()
        outcome.code = process.returncode
        outcome.note("a traceback", text if "Traceback" in text else "")
        outcome.note("still running", _wait_for_end(mark))
        if process.returncode != 0:
            outcome.note("not resumed", run_to_end(project, out, "--workers", str(workers), mark=mark))
            outcome.note("still running", _wait_for_end(mark))
        outcome.faults += compare(project, out, before)
    finally:
        for left in _marked(mark):
            with contextlib.suppress(psutil.Error):
                left.kill()
    return outcome


def _wait_for_moment(project: Project, out: Path, process: "subprocess.Popen[str]", rng: random.Random) -> None:
    """Return at a random moment after the first journalled block and before the last."""
    first, last = (count_written(each) if each else 0 for each in (project.start, project.whole))
    # Some blocks are left, so that none is the last when the signal arrives.
    moment = rng.randrange(first + 1, last - (last - first) // 10)
    begun = len(done(project.start)) if project.start else 0
    _until(lambda: process.poll() is not None or (count_written(out) >= moment and len(done(out)) > begun), "a moment")
    # Within a block, or while one is written.
    time.sleep(rng.uniform(0.0, 0.02))
    if process.poll() is not None:
        raise _EndedBeforeError


def count_written(out: Path) -> int:
    """Count the chunks of the status, the last that a block writes; none where there is no store yet."""
    try:
        # Not its metadata, which are there before the lock of a run is.
        return sum(name != "zarr.json" and "partial" not in name for name in os.listdir(out / "status"))
    except FileNotFoundError:
        return 0


def done(out: Path) -> frozenset[int]:
    """Return the blocks that the journal has as done."""
    try:
        return read_journal(out / "journal").blocks(PointStatus.DONE)
    except StoreError:
        return frozenset()


def _choose(command: int, victim: str, rng: random.Random) -> list[psutil.Process]:
    whole = psutil.Process(command)
    if victim == "the command":
        return [whole]
    family = whole.children(recursive=True)
    if victim == "the scheduler":
        return [each for each in family if each.ppid() == command]
    if victim == "all at once":
        return rng.sample([whole, *family], len(family) + 1)
    forking = {each.pid for each in family if "multiprocessing.forkserver" in " ".join(each.cmdline())}
    if victim == "what workers are forked from":
        return [each for each in family if each.pid in forking and each.ppid() not in forking]
    # Where nothing can be forked they are started alone.
    workers = [each for each in family if each.ppid() in forking or "spawn_main" in " ".join(each.cmdline())]
    assert workers, "a cluster without workers"
    return workers if victim == "all workers" else [rng.choice(workers)]


def _send(signals: Sequence[signal.Signals], victims: Sequence[psutil.Process], rng: random.Random) -> None:
    for number, each in enumerate(signals):
        if number:
            time.sleep(rng.uniform(0.05, 2.0))
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(each)


def run_to_end(project: Project, out: Path, *options: str, mark: str = "") -> str:
    """Run the command again; return what it says if it fails."""
    with project.run(out, *options, mark=mark) as process:
        try:
            text, _ = process.communicate(timeout=600)
        finally:
            process.kill()
    return "" if process.returncode == 0 and "Traceback" not in text else f"{process.returncode}, {text}"


def compare(project: Project, out: Path, before: frozenset[int] = frozenset()) -> list[str]:
    """Say how a finished store differs from that of an unbroken run; `before` was journalled when it was killed."""
    outcome = Outcome()
    expected, found = project.files(project.whole), project.files(out)
    outcome.note("wrong", [name for name in expected if found.get(name) != expected[name]])
    outcome.note("left", sorted(found.keys() - expected.keys()))
    outcome.note("left", [path.name for path in out.parent.iterdir() if "partial" in path.name])
    entries = [line for line in (out / "journal" / "blocks.jsonl").read_text().splitlines() if '"block"' in line]
    blocks = Counter(json.loads(line)["block"] for line in entries if '"kind": "block"' in line)
    outcome.note("redone", [block for block, times in blocks.items() if times > 1])
    outcome.note("lost", sorted(before - done(out)))
    state = status(out)
    outcome.note("unfinished", "" if (state.done, state.holder) == (state.blocks, None) else repr(state))
    return outcome.faults


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SIGCUBE_KILLS") == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _wait_for_end(mark: str) -> list[str]:
    """Wait until no process of a run is left; return those that stay."""
    with contextlib.suppress(TimeoutError):
        _until(lambda: not any(_marked(mark)), "the end of all processes")
    return [" ".join(each.cmdline())[:200] for each in _marked(mark)]


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.01)


def main() -> None:
    """Kill processes of a sweep with two workers, or without, many times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial, to go on where a run stopped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="victims whose names contain this")
    parser.add_argument(
        "--option", action="append", default=[], help="of `sigcube sweep`, such as --option=--fail-fast"
    )
    parser.add_argument(
        "--smaller", type=Path, help="a spec whose result is there before, for a command that extends it"
    )
    chosen = parser.parse_args()
    # A shell lets its jobs in the background ignore Ctrl-C, and so all their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ways = [(2, victim) for victim in VICTIMS] + 3 * [(0, "the command")]
    cases = [(workers, victim, how) for workers, victim in ways for how in SIGNALS if chosen.only in victim]
    found: dict[str, list[tuple[str, Outcome]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="sigcube-kills-") as scratch:
        smaller = chosen.smaller.read_text() if chosen.smaller else ""
        project = make_project(Path(scratch, "project"), *chosen.option, smaller=smaller)
        # Ctrl-C ends the trials early: the table is of those that were finished.
        with contextlib.suppress(KeyboardInterrupt):
            for trial in range(chosen.first, chosen.first + chosen.trials):
                workers, victim, how = cases[trial % len(cases)]
                folder = Path(scratch, f"trial{trial}")
                folder.mkdir()
                rng, began = random.Random(f"{chosen.seed} {trial}"), time.monotonic()
                outcome = kill_once(project, folder / "out.zarr", rng, workers=workers, victim=victim, how=how)
                name = victim if workers else "the command, without a cluster"
                found[name].append((how, outcome))
                took = time.monotonic() - began
                print(f"{trial}: {name}, {how}: {outcome.code}, {took:.1f} s", file=sys.stderr, flush=True)
                for fault in outcome.faults:
                    print(f"    {fault}", file=sys.stderr, flush=True)
                shutil.rmtree(folder)
    _print_table(found)
    sys.exit(any(outcome.faults for outcomes in found.values() for _, outcome in outcomes))


def _print_table(found: dict[str, list[tuple[str, Outcome]]]) -> None:
    heads = ["victim", "trials", "went on", "resumed", "wrong", "redone", "left", *SIGNALS]
    print(f"| {' | '.join(heads)} |\n| --- |{' ---: |' * (len(heads) - 1)}")
    for victim, outcomes in found.items():
        kinds = Counter(fault.split(":")[0] for _, outcome in outcomes for fault in outcome.faults)
        went_on = sum(outcome.code == 0 for _, outcome in outcomes)
        codes = {how: Counter(outcome.code for each, outcome in outcomes if each == how) for how in SIGNALS}
        wrong = sum(kinds.values()) - kinds["redone"] - kinds["left"] - kinds["still running"]
        counts = [len(outcomes), went_on, len(outcomes) - went_on, wrong, kinds["redone"]]
        ends = [" or ".join(str(code) for code, _ in codes[how].most_common()) for how in SIGNALS]
        row = [victim, *map(str, [*counts, kinds["left"] + kinds["still running"]]), *ends]
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
