"""How far two models are apart, point by point, with no data between them."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from pydantic import Field

from sigcube.claims.quantities.at_points import term_values
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.reductions import reduce
from sigcube.cube import select
from sigcube.errors import SpecError

__all__ = ["VERSUS", "VersusKeys"]


class VersusKeys(Keys):
    """A statistic of the relative difference of two models over the points of a sample.

    Attributes
    ----------
    dataset, sample : str
        The points.
    kernel, settings, term
        The model, and its term: ``predicted``, ``boost`` …
    reference : dict
        The other model, as in a sweep: its ``kernel`` and its settings.
    statistic, within, percentile
        See `sigcube.claims.quantities.reductions.reduce`.
    """

    dataset: str
    kernel: str
    reference: dict[str, str | float]
    sample: str = "all"
    settings: dict[str, str | float] = Field(default={})
    term: str = "predicted"
    statistic: str = "median"
    within: list[float] | None = None
    percentile: float = 50.0


def versus(keys: VersusKeys, context: Context) -> Found:
    """Compute the term of both, and reduce their relative differences."""
    other = dict(keys.reference)
    name = other.pop("kernel", None)
    if not isinstance(name, str):
        raise SpecError("the reference names no kernel", where="reference", found=repr(keys.reference))
    whole = context.cube(keys.dataset)
    cube = select(whole, sample=keys.sample)
    ratio = term_values(keys.kernel, cube, keys.term, keys.settings) / term_values(name, cube, keys.term, other)
    value = reduce(np.abs(ratio.values - 1.0), keys.statistic, within=keys.within, percentile=keys.percentile)
    marks = {keys.dataset: str(whole.attrs["fingerprint"])}
    return Found(value, marks, details={"term": keys.term, "points": str(int(np.isfinite(ratio.values).sum()))})


VERSUS: Mapping[str, Quantity] = MappingProxyType({"versus": Quantity(VersusKeys, versus)})
