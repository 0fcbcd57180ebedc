import threading
import time
from collections.abc import Iterator

import pytest

from sigcube.cube.streaming import prefetch


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "sigcube-pieces"]


def test_pieces_arrive_in_order_and_the_thread_ends() -> None:
    with prefetch(range(100)) as arriving:
        assert list(arriving) == list(range(100))
    assert threads() == []


def test_what_is_raised_there_is_raised_here_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("line 2 is wrong")

    seen = []
    with pytest.raises(ValueError, match="line 2 is wrong"), prefetch(broken()) as arriving:
        seen.extend(arriving)
    assert threads() == []


def test_pieces_are_made_in_advance_but_only_a_few() -> None:
    made = []

    def pieces() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with prefetch(pieces()) as arriving:
        assert next(arriving) == 0
        deadline = time.monotonic() + 10.0
        while len(made) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        # One that was asked for, one that waits, and one that is to wait.
        assert made == [0, 1, 2]


def test_a_fault_of_the_taker_stops_the_thread_and_those_within() -> None:
    closed = []

    def within() -> Iterator[int]:
        try:
            with prefetch(iter(range(10**9))) as arriving:
                yield from arriving
        finally:
            closed.append(True)

    def take_one() -> None:
        with prefetch(within()) as arriving:
            next(arriving)
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        take_one()
    assert closed == [True]
    assert threads() == []
