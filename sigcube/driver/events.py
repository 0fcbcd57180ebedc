"""Events of a run, and its progress."""

from dataclasses import dataclass

from sigcube.store import JournalEntry

__all__ = ["Event", "Progress"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    blocks : int
        Blocks that this run set out to do.
    done, failed, killed : int
        How many of them ended each way.
    in_flight : int
        Blocks on the cluster now.
    threads : int
        Threads of the cluster now.
    points : int
        Grid points computed in this run.
    seconds : float
        Time [s] since the run began.
    warm : tuple of (int, float)
        Blocks that had ended, and `seconds`, when the first one did: until then workers compile.
    """

    blocks: int
    done: int = 0
    failed: int = 0
    killed: int = 0
    in_flight: int = 0
    threads: int = 0
    points: int = 0
    seconds: float = 0.0
    warm: tuple[int, float] = (0, 0.0)

    @property
    def ended(self) -> int:
        """Blocks that ended in any way."""
        return self.done + self.failed + self.killed

    @property
    def seconds_left(self) -> float | None:
        """Time [s] until the end, at the pace since the first blocks ended; None before there is one."""
        blocks, seconds = self.ended - self.warm[0], self.seconds - self.warm[1]
        return (self.blocks - self.ended) * seconds / blocks if blocks else None


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a progress display may want to say.

    Parameters
    ----------
    kind : str
        ``started`` (its text is the address of the dashboard), ``done``, ``failed``, ``killed``, ``suspect`` (a worker
        died with the block, which will be tried alone), ``refused`` (a worker that gets no block, for the reason in its
        text), ``waiting`` (the cluster has no worker), ``workers`` (their number changed) or ``finished``.
    progress : Progress
        Counts at this moment.
    entry : JournalEntry, optional
        The journalled end of the block that the event is about.
    text : str
        More to say, for people.
    """

    kind: str
    progress: Progress
    entry: JournalEntry | None = None
    text: str = ""
