"""Each bad input in a process of its own, under limits: ``python -m tests.bad_inputs`` prints what they took.

A child may take so much processor time, and so much memory beside what it is forked with: the kernel refuses more.
Packing a raw file, and copying a store, counts as well.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from sigcube.errors import SigcubeError
from tests.bad_inputs import CASES, Case, Room
from tests.bad_inputs.cases import make_stores

MEBIBYTE = 2**20
SHOWN = 10


@dataclass(frozen=True)
class Outcome:
    """How a case ended, the processor time [s] that it took, and the memory [MiB]."""

    case: Case
    said: str
    seconds: float
    mebibytes: float

    @property
    def is_right(self) -> bool:
        return self.said == "one clear error"


def try_alone(case: Case, room: Room, *, seconds: int, mebibytes: int) -> Outcome:
    """Try a case in a child."""
    mine, theirs = os.pipe()
    if not (child := os.fork()):
        there = psutil.Process().memory_info()
        most = there.vms + mebibytes * MEBIBYTE
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        said = _try(case, room)
        # In units that are the kernel's own: KiB on Linux.
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - there.rss / MEBIBYTE
        os.write(theirs, json.dumps([said, max(0.0, grown)]).encode())
        os._exit(0)
    os.close(theirs)
    with open(mine, "rb") as answer:
        told = answer.read()
    _, status, usage = os.wait4(child, 0)
    ended = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "ended without a word"
    said, grown = json.loads(told) if told else (ended, float(mebibytes))
    return Outcome(case, said, usage.ru_utime + usage.ru_stime, grown)


def _try(case: Case, room: Room) -> str:
    try:
        case.act(room)
    except SigcubeError as error:
        return "one clear error" if case.said in str(error) else f"another error: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    return "no error"


def main() -> int:
    """Try all cases, and print a table; the exit code is 1 if one ends in another way, or breaks a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=500)
    chosen = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="sigcube-bad-inputs-") as scratch:
        stores = make_stores(Path(scratch))
        for place, case in enumerate(CASES):
            folder = Path(scratch, str(place))
            folder.mkdir()
            room = Room(folder, stores)
            outcomes.append(try_alone(case, room, seconds=chosen.seconds, mebibytes=chosen.mebibytes))
    wrong = [each for each in outcomes if not each.is_right]
    print(
        f"{len(outcomes)} bad inputs, {len(outcomes) - len(wrong)} with one clear error, each in a process of its own"
    )
    print(f"within {chosen.seconds} s of processor time, and {chosen.mebibytes} MiB beside what it began with\n")
    print("| the longest | s | MiB |\n| --- | ---: | ---: |")
    by_time = sorted(outcomes, key=lambda each: each.seconds, reverse=True)
    by_memory = sorted(outcomes, key=lambda each: each.mebibytes, reverse=True)
    for each in dict.fromkeys([*by_time[:SHOWN], *by_memory[:SHOWN]]):
        print(f"| {each.case.reason} | {each.seconds:.2f} | {each.mebibytes:.0f} |")
    for each in wrong:
        print(f"\n{each.case.reason}: {each.said}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
