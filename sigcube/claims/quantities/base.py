"""What all quantities share: the keys of their rows, their inputs, and their results."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from sigcube.claims.quantities.reductions import reduce
from sigcube.cube import KINDS, kind_of, samples, select
from sigcube.errors import SpecError, did_you_mean

__all__ = [
    "Context",
    "Found",
    "Keys",
    "ModelKeys",
    "Quantity",
    "ReducedKeys",
    "SampleKeys",
    "Settings",
    "joined_specs",
    "linked_value",
    "sample_text",
    "system_text",
]

Settings = dict[str, str | float]
# A dataset of what the papers put in for single objects, which is no data to test them with, and of what is observed
# of some of these, which is.
_PRINTED_DATA = "landmarks"


@dataclass(frozen=True)
class Found:
    """A value, and what it rests on."""

    #: In the quantity's own unit.
    value: float
    #: The fingerprint of each cube that linked values rest on, by dataset; the ledger adds the quantity's own.
    datasets: Mapping[str, str] = field(default_factory=dict)
    #: A sweep or fit that gives the value, as TOML that can be saved and run; empty where there is none.
    spec: str = ""
    #: The command that runs it, or computes the value in another way.
    command: str = ""
    #: Anything else a reader should know.
    details: Mapping[str, str] = field(default_factory=dict)
    #: Whether a model is behind a linked value; the ledger adds whether the quantity uses one.
    uses_model: bool = False
    #: Whether it compares a model with what is observed, as a sweep and a fit do.
    compares: bool = False
    #: The least and the largest value that the printed inputs allow, where their digits leave a choice.
    ends: tuple[float, float] | None = None

    @property
    def measured_data(self) -> bool:
        """Whether measurements are behind it: of the landmarks only where it compares with what is observed of them."""
        return self.compares or bool(set(self.datasets) - {_PRINTED_DATA})


class Keys(BaseModel):
    """The keys of a reading that belong to its quantity; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: About how long it takes, in seconds: the longest computations start first.
    seconds: ClassVar[float] = 1.0

    def datasets(self) -> tuple[str, ...]:
        """Return the datasets that are needed."""
        dataset = getattr(self, "dataset", None)
        return (dataset,) if isinstance(dataset, str) else ()

    def batch(self) -> Hashable:
        """Return what readings have in common that should be computed in one process, to compile their loop once."""
        return (type(self).__name__, *self.datasets())

    def linked(self) -> tuple[Any, ...]:
        """Return the readings, and the ids of claims, that the value is made of."""
        return ()


def sample_text(cube: xr.Dataset, dataset: str, sample: str, condition: str | None = None) -> str:
    """Name a sample of a dataset, and the condition if there is one, and say what the sample is."""
    text = f"{sample} of {dataset}" + (f" where {condition}" if condition else "")
    return text if sample == "all" else f"{text}, {samples(cube)[sample].description}"


# What is put into a model of a system that is one point, and what is observed of a cluster.
_SHOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"landmark": ("m_bar", "r", "g_bar", "g_ext", "z", "D"), "cluster": ("m_bar", "r", "g_bar", "m_obs")}
)


def system_text(cube: xr.Dataset, system: str) -> str:
    """Name a system; of a landmark or a cluster with what it puts into a model, and where that comes from."""
    kind = kind_of(cube).name
    dim = str(kind_of(cube).system_dim)
    if kind not in _SHOWN or system not in cube[dim].values:
        return system
    row = cube.sel({dim: system}).squeeze()
    # A path length enters where mass is three-dimensional.
    names = [*_SHOWN[kind], *(["L"] if kind == "landmark" and row["D"] else [])]
    values = {name: float(row[name]) for name in names if name in row and not row[name].ndim}
    units = {name: row[name].attrs.get("units", "") for name in values} if kind == "cluster" else {}
    told = [
        f"{name} = {value:.6g} {units.get(name, '')}".strip()
        for name, value in values.items()
        if value and np.isfinite(value)
    ]
    if kind == "landmark":
        return f"{system} ({', '.join(told)}; {row['reference'].item()})"
    return f"{system} ({', '.join(told)})" if told else system


class SampleKeys(Keys):
    """Keys that name a dataset, and a sample of it."""

    dataset: str
    sample: str = "all"
    #: A condition, as ``where`` of a sweep: ``"r > 2 and inclination > 40"``. (A row's ``where`` is its place.)
    condition: str | None = None

    def selected(self, context: "Context") -> xr.Dataset:
        """Return the sample, or the part that meets the condition."""
        return select(context.cube(self.dataset), sample=self.sample, where=self.condition)

    def sample_text(self, context: "Context") -> str:
        """Name the sample, its dataset, and the condition if there is one, and say what the sample is."""
        return sample_text(context.cube(self.dataset), self.dataset, self.sample, self.condition)


class ModelKeys(SampleKeys):
    """Keys that name a sample, and a model: a kernel, and the settings that are not its defaults."""

    kernel: str
    settings: Settings = Field(default={})


class ReducedKeys(Keys):
    """Keys that make one value of several."""

    #: The system whose value is taken.
    system: str | None = None
    #: How several values become one: see `sigcube.claims.quantities.reductions.reduce`.
    statistic: str | None = None
    within: list[float] | None = None
    percentile: float = 50.0

    def of_system(self, values: xr.DataArray) -> xr.DataArray:
        """Return the values of the system, or all of them if none is named."""
        if self.system is None:
            return values
        dims = [dim for dim in values.dims if dim in {kind.system_dim for kind in KINDS.values()}]
        if not dims:
            raise SpecError("there is no value of each system here", where="system", found=self.system)
        names = [str(name) for name in values[dims[0]].values]
        if self.system not in names:
            hint = did_you_mean(self.system, names)
            raise SpecError(f"there is no {dims[0]} {self.system!r} here", where="system", hint=hint)
        return values.isel({dims[0]: names.index(self.system)})

    def reduced(self, values: xr.DataArray, name: str, *, hint: str = "name a system, or a statistic") -> float:
        """Return the statistic of the values, or the only one; refuse several without a statistic."""
        if self.statistic is not None:
            return reduce(values.values, self.statistic, within=self.within, percentile=self.percentile)
        if values.size != 1:
            raise SpecError(f"{name} has {values.size} values here", where="statistic", hint=hint)
        return float(values.values.ravel()[0])

    def statistic_text(self) -> str:
        """Write the statistic with its percentile or its ends."""
        rank = f" {self.percentile:g}" if self.statistic == "percentile" else ""
        ends = f" within {self.within[0]:g} to {self.within[1]:g}" if self.within else ""
        name = {"std": "std with N", "std_sample": "std with N − 1"}.get(str(self.statistic), self.statistic)
        return f"{name}{rank}{ends}"


class Context(Protocol):
    """What a quantity may use while it is computed."""

    def cube(self, dataset: str) -> xr.Dataset:
        """Open a dataset's cube, once per process."""

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Make something, or return what was made under that key before in this process."""

    def linked(self, link: Any, /) -> Found:
        """Return the outcome of a linked reading or claim, scaled."""


@dataclass(frozen=True)
class Quantity:
    """A way to compute a number."""

    #: The keys that a row gives it.
    keys: type[Keys]
    #: What computes it, from these keys and a context.
    evaluate: Callable[[Any, Context], Found | float]
    #: Whether its value is that of a model: data alone, and arithmetic alone, are evidence of another kind.
    uses_model: bool = False
    #: Whether it has a value. What has none may stand for a published text that is no number.
    numeric: bool = True


def linked_value(link: Any, context: Context) -> Found:
    """Return a number as it is, and the outcome of any other link."""
    return Found(float(link)) if isinstance(link, int | float) else context.linked(link)


def joined_specs(specs: list[str]) -> str:
    """Return the only spec, or all of them in sequence, each to be saved by itself."""
    unique = list(dict.fromkeys(filter(None, specs)))
    if len(unique) <= 1:
        return "".join(unique)
    return "\n".join(f"# {i} of {len(unique)}, each a file of its own\n{spec}" for i, spec in enumerate(unique, 1))
