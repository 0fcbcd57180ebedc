"""Interrupts: raised where they arrive, and later where Python would drop them."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from sigcube.driver.interrupts import keep_interrupts


class Deleted:
    """Something whose destructor is interrupted."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def __del__(self) -> None:
        self.call()


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def unraisable() -> Iterator[Any]:
    with mock.patch("sys.unraisablehook") as hook:
        yield hook


def test_an_interrupt_is_raised_where_it_arrives() -> None:
    with keep_interrupts() as raise_lost:
        raise_lost()
        with pytest.raises(KeyboardInterrupt):
            interrupt()


@pytest.mark.parametrize("call", [interrupt, lambda: [interrupt() for _ in range(1)]], ids=["in it", "below it"])
def test_in_a_destructor_it_is_raised_later_and_nothing_is_printed(call: Callable[[], object], unraisable: Any) -> None:
    with keep_interrupts() as raise_lost:
        Deleted(call)
        with pytest.raises(KeyboardInterrupt):
            raise_lost()
    assert not unraisable.called


def test_it_is_raised_once(unraisable: Any) -> None:
    with keep_interrupts() as raise_lost:
        Deleted(interrupt)
        with pytest.raises(KeyboardInterrupt):
            raise_lost()
        raise_lost()


def test_what_another_callback_drops_is_raised_later() -> None:
    with keep_interrupts() as raise_lost:
        # As a callback of a weak reference does.
        with suppress(KeyboardInterrupt):
            interrupt()
        with pytest.raises(KeyboardInterrupt):
            raise_lost()


def test_a_handler_that_raises_nothing_is_called_once() -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: called.append(number))
    try:
        with keep_interrupts() as raise_lost:
            signal.raise_signal(signal.SIGTERM)
            raise_lost()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert called == [signal.SIGTERM]


def test_handlers_are_those_from_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with keep_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before[0]
        # Ignored or left to the system: nothing is in Python's hands.
        assert signal.getsignal(signal.SIGTERM) is before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_threads_have_no_handlers() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with keep_interrupts() as raise_lost:
            raise_lost()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
