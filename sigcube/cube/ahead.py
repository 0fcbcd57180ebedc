"""Work that is done while other work waits for the disk or the other way round."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ["ahead"]

_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class _End:
    """No more pieces, for what reason."""

    error: BaseException | None


@contextmanager
def ahead(pieces: Iterable[_Piece]) -> Iterator[Iterator[_Piece]]:
    """Let pieces be made in a thread of their own, one or two ahead of those that are asked for.

    What is raised there is raised again here; a thread whose pieces nobody asks for any more is stopped.

    Examples
    --------
    >>> with ahead(range(3)) as arriving:
    ...     list(arriving)
    [0, 1, 2]
    """
    waiting: Queue[_Piece | _End] = Queue(maxsize=1)
    stopped = Event()

    def give(piece: _Piece | _End) -> None:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put(piece, timeout=0.1)
                return

    def make() -> None:
        try:
            for piece in pieces:
                give(piece)
                if stopped.is_set():
                    return
            give(_End(None))
        except BaseException as error:
            # Whatever it is, it is raised again where the pieces are asked for.
            give(_End(error))
        finally:
            # What a generator holds, such as a thread of its own, is let go here and now.
            if isinstance(pieces, Generator):
                pieces.close()

    def arriving() -> Iterator[_Piece]:
        while not isinstance(piece := waiting.get(), _End):
            yield piece
        if piece.error is not None:
            raise piece.error

    thread = Thread(target=make, name="sigcube-pieces", daemon=True)
    thread.start()
    try:
        yield arriving()
    finally:
        stopped.set()
        thread.join()
