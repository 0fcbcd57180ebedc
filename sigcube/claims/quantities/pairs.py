"""Numbers of two models side by side, system by system, over systems chosen by name or by a variable of the cube."""

import json
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from sigcube.claims.as_toml import toml_text
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.from_data import variable_of
from sigcube.cube import kind_of
from sigcube.errors import SpecError, did_you_mean
from sigcube.sweep import Sweep

__all__ = ["PAIRS", "PairedKeys"]

FloatArray = npt.NDArray[np.float64]


class PairedKeys(Keys):
    """A metric of each system under a model and under another.

    Attributes
    ----------
    dataset, sample, kernel, settings
        As for ``sweep``.
    reference : dict
        The other model: its kernel, and its settings.
    metric : str
        What both are measured by; less is better.
    take : {"wins", "difference"}
        The share of systems where the model's metric is the smaller, or the mean of how much larger it is.
    systems : list of str
        These alone.
    where : dict
        These alone whose variable is within two ends, both included: ``{ hubble_type = [0, 3] }``.
    """

    dataset: str
    kernel: str
    reference: dict[str, str | float]
    sample: str = "all"
    settings: dict[str, str | float] = Field(default_factory=dict)
    metric: str = "rms"
    take: Literal["wins", "difference"] = "wins"
    systems: list[str] = Field(default_factory=list)
    where: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_model_to_compare_with(self) -> "PairedKeys":
        if "kernel" not in self.reference:
            raise ValueError("the reference needs a kernel")
        return self

    def company(self) -> Hashable:
        """Return what shares loops."""
        return ("paired", self.dataset, self.sample, self.kernel)


def paired(keys: PairedKeys, context: Context) -> Found:
    """Compare the two models over the systems that are wanted."""
    cube = context.cube(keys.dataset)
    dim = str(kind_of(cube).system_dim)
    other = {name: value for name, value in keys.reference.items() if name != "kernel"}
    requests = (
        _request(keys, keys.kernel, keys.settings, dim),
        _request(keys, str(keys.reference["kernel"]), other, dim),
    )
    results = [_swept(cube, keys.dataset, request, context) for request in requests]
    names = _wanted(keys, cube, [str(name) for name in results[0][dim].values])
    ours, theirs = (result[keys.metric].sel({dim: names}).values.reshape(len(names)) for result in results)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if not both.any():
        raise SpecError("there is no system to compare", where="systems", found=", ".join(names) or "none")
    file = {"cube": f"cubes/{keys.dataset}.zarr"}
    specs = "\n".join(
        f"# {i} of 2, each a file of its own\n{toml_text({**file, **each})}" for i, each in enumerate(requests, 1)
    )
    shown = {"systems": str(int(both.sum())), "take": f"{keys.take} of {keys.metric}"}
    marks = {keys.dataset: str(results[0].attrs["cube_fingerprint"])}
    return Found(_compare(keys.take, ours[both], theirs[both]), marks, specs, "sigcube sweep SPEC.toml", shown)


def _request(keys: PairedKeys, kernel: str, settings: Mapping[str, str | float], dim: str) -> dict[str, Any]:
    return {
        "sample": keys.sample,
        "kernel": kernel,
        "metrics": [keys.metric],
        "keep": [dim],
        "dtype": "float64",
        "parameters": dict(settings),
        "axes": {"constants": ["paper"]},
    }


def _swept(cube: xr.Dataset, dataset: str, request: Mapping[str, Any], context: Context) -> xr.Dataset:
    """Sweep one model, once for all rows that ask for it."""
    key = json.dumps(["paired", dataset, request], sort_keys=True)
    result: xr.Dataset = context.once(key, lambda: Sweep(cube, **request).compute())
    return result


def _compare(take: str, ours: FloatArray, theirs: FloatArray) -> float:
    return float((ours < theirs).mean() if take == "wins" else (ours - theirs).mean())


def _wanted(keys: PairedKeys, cube: xr.Dataset, there: list[str]) -> list[str]:
    """Return the names of the systems that a row is about, in the order of the cube."""
    dim = str(kind_of(cube).system_dim)
    if unknown := [name for name in keys.systems if name not in there]:
        raise SpecError(f"there is no {dim} {unknown[0]!r} here", where="systems", hint=did_you_mean(unknown[0], there))
    names = [name for name in there if not keys.systems or name in keys.systems]
    for variable, (low, high) in keys.where.items():
        values = variable_of(cube, variable).sel({dim: names}).values
        names = [name for name, value in zip(names, values, strict=True) if low <= value <= high]
    return names


PAIRS: Mapping[str, Quantity] = MappingProxyType({"paired": Quantity(PairedKeys, paired)})
