"""Interrupts that do not get lost: Python drops an exception that a signal raises within a destructor."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["keep_interrupts"]

Handler = Callable[[int, FrameType | None], object]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def keep_interrupts() -> Iterator[Callable[[], None]]:
    """Yield a function that raises what a signal's handler raised, or would have, where Python drops exceptions.

    Dask's futures talk to their cluster as they are deleted, so that a Ctrl-C at that moment would be printed as
    ignored, and the run would go on. Call the function from time to time. Elsewhere handlers work as they did; only the
    main thread has any.
    """
    lost: list[int] = []
    before: dict[int, Handler] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        lost[:] = [number]
        if not _in_destructor(frame):
            before[number](number, frame)
            # It raised nothing, and has done what it does.
            lost.clear()

    def raise_lost() -> None:
        if lost:
            number = lost.pop()
            before[number](number, None)

    if threading.current_thread() is threading.main_thread():
        found = {int(number): signal.getsignal(number) for number in _SIGNALS}
        before |= {number: handler for number, handler in found.items() if callable(handler)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield raise_lost
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_destructor(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
