"""What a way of computing a number declares: its keys in a row, and its function."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import xarray as xr
from pydantic import BaseModel, ConfigDict

__all__ = ["Context", "Evaluate", "Found", "Keys", "Quantity"]


@dataclass(frozen=True)
class Found:
    """A value, and what it rests on.

    Attributes
    ----------
    value : float
        In the quantity's own unit.
    datasets : Mapping
        The fingerprint of each cube that was used, by dataset.
    spec : str
        A sweep or fit that gives the value, as TOML that can be saved and run; empty where there is none.
    command : str
        What runs it.
    details : Mapping
        What else a reader should know.
    quantities : frozenset of str
        The names of the quantities that it is made of; the ledger fills in a reading's own.
    """

    value: float
    datasets: Mapping[str, str] = field(default_factory=dict)
    spec: str = ""
    command: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    quantities: frozenset[str] = frozenset()


class Keys(BaseModel):
    """The keys of a reading that belong to its quantity; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: How long it takes, about, in seconds: what takes longest begins first.
    effort: ClassVar[float] = 1.0

    def uses(self) -> tuple[str, ...]:
        """Return the datasets that are needed."""
        dataset = getattr(self, "dataset", None)
        return (dataset,) if isinstance(dataset, str) else ()

    def company(self) -> Hashable:
        """Return what readings have in common that one process should evaluate: they share compiled loops, say."""
        return (type(self).__name__, *self.uses())

    def linked(self) -> tuple[Any, ...]:
        """Return the readings, and the ids of claims, that the value is made of."""
        return ()


class Context(Protocol):
    """What an evaluator may ask for."""

    def cube(self, dataset: str) -> xr.Dataset:
        """Open a dataset's cube, once a process."""

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Make something, or return what was made under that key before in this process."""

    def linked(self, link: Any) -> Found:
        """Return what a linked reading or claim came to, scaled."""


# Keys of any one quantity come in, which its registry entry knows.
Evaluate = Callable[[Any, Context], "Found | float"]


@dataclass(frozen=True)
class Quantity:
    """One way of computing a number: the model of its keys, and the function of these and of a context."""

    keys: type[Keys]
    evaluate: Evaluate
