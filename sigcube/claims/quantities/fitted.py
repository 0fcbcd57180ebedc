"""Numbers that a fit gives: of the best models of each system, and of two models held against each other."""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis import bootstrap_win_rate, wins
from sigcube.claims.as_toml import toml_text
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.reductions import reduce
from sigcube.errors import SpecError, did_you_mean
from sigcube.fits import Fit
from sigcube.fits.fit_spec import read_fit_file

__all__ = ["FITS", "FitKeys"]

_WINS = ("first_wins", "second_wins", "ties", "rate")
_BOOTSTRAP = ("bootstrap_rate", "bootstrap_error", "bootstrap_low", "bootstrap_high")


class FitKeys(Keys):
    """A fit of models to a sample, and what to take of its result.

    Attributes
    ----------
    spec : str or None
        A fit that comes with sigcube, such as ``si15_per_galaxy``; or else
    dataset, sample, scope, objective, metrics, models
        as in a fit's file: ``models`` is a table of ``kernel``, ``parameters`` and ``settings`` by name.
    take : str
        A variable of the result; or of two models ``first_wins``, ``second_wins``, ``ties``, ``rate``, and the
        bootstrap's ``bootstrap_rate``, ``bootstrap_error`` (one standard deviation), ``bootstrap_low`` and
        ``bootstrap_high`` (95 %).
    model, over : str or None
        The model whose values are taken, and one by whose values each is divided.
    first, second, by, margin, relative
        The two models that are compared: see `sigcube.analysis.wins`.
    system, statistic, within, percentile
        How several values become one.
    """

    effort: ClassVar[float] = 20.0

    take: str
    spec: str | None = None
    dataset: str | None = None
    sample: str = "all"
    scope: Literal["system", "sample"] = "system"
    objective: Literal["chi2", "rms"] = "chi2"
    metrics: list[str] = Field(default=[])
    models: dict[str, dict[str, Any]] = Field(default={})
    model: str | None = None
    over: str | None = None
    first: str = ""
    second: str = ""
    by: str = "chi2_red"
    margin: float = 0.0
    relative: float = 0.0
    system: str | None = None
    statistic: str | None = None
    within: list[float] | None = None
    percentile: float = 50.0

    @model_validator(mode="after")
    def _one_fit(self) -> "FitKeys":
        if (self.spec is None) == (self.dataset is None):
            raise ValueError("give either a spec that comes with sigcube, or a dataset and models")
        if self.dataset is not None and not self.models:
            raise ValueError("a fit needs models")
        if self.take in (*_WINS, *_BOOTSTRAP) and not (self.first and self.second):
            raise ValueError(f"{self.take} needs the names of two models, first and second")
        return self

    def uses(self) -> tuple[str, ...]:
        """Return the dataset, which a spec names by its cube."""
        return (self.dataset or Path(read_fit_file(str(self.spec)).cube).stem,)

    def company(self) -> Hashable:
        """Keep what needs the same fit together."""
        return ("fit", json.dumps(_request(self), sort_keys=True))


def fit(keys: FitKeys, context: Context) -> Found:
    """Run the fit, once for all readings that ask for the same, and take a value of it."""
    (dataset,) = keys.uses()
    cube = context.cube(dataset)
    request = _request(keys)
    result = context.once(keys.company(), lambda: Fit(cube, **request).run())
    command = f"sigcube fit {keys.spec}" if keys.spec else "sigcube fit SPEC.toml"
    marks = {dataset: str(cube.attrs["fingerprint"])}
    return Found(_take(keys, result), marks, _file(dataset, request), command, {"take": _in_words(keys)})


def _request(keys: FitKeys) -> dict[str, Any]:
    """Return the arguments of the fit, always in the same form."""
    if keys.spec is None:
        plain = {"sample": keys.sample, "scope": keys.scope, "objective": keys.objective, "metrics": keys.metrics}
        return {**plain, "models": keys.models}
    file = read_fit_file(keys.spec)
    return {
        **file.model_dump(include={"sample", "scope", "objective", "metrics"}),
        "models": {str(each.name or each.kernel): each.model_dump(exclude={"name"}) for each in file.model},
    }


def _file(dataset: str, request: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in request.items() if key != "models"}
    text = toml_text({"cube": f"cubes/{dataset}.zarr", **plain})
    models = [toml_text({"name": name, **model}) for name, model in request["models"].items()]
    tables = [model.replace("\n[", "\n[model.") for model in models]
    return text + "".join(f"\n[[model]]\n{table}" for table in tables)


def _take(keys: FitKeys, result: xr.Dataset) -> float:
    """Find the value that a reading means."""
    if keys.take in _WINS:
        return float(getattr(wins(result, keys.first, keys.second, **_tie(keys)), keys.take))
    if keys.take in _BOOTSTRAP:
        rate = bootstrap_win_rate(result, keys.first, keys.second, **_tie(keys))
        name = {"bootstrap_error": "standard_error"}.get(keys.take, keys.take.removeprefix("bootstrap_"))
        return float(getattr(rate, name))
    values = _of_model(result, keys.take, keys.model)
    if keys.over is not None:
        values = values / _of_model(result, keys.take, keys.over)
    if keys.system is not None:
        values = _of_system(values, keys.system)
    if keys.statistic is not None:
        return reduce(values.values, keys.statistic, within=keys.within, percentile=keys.percentile)
    if values.size != 1:
        hint = "name a model, a system or a statistic"
        raise SpecError(f"{keys.take} has {values.size} values here", where="take", hint=hint)
    return float(values.values.ravel()[0])


def _tie(keys: FitKeys) -> dict[str, Any]:
    """Return by what two models are compared, and what is a tie."""
    return {"by": keys.by, "margin": keys.margin, "relative": keys.relative}


def _of_model(result: xr.Dataset, name: str, model: str | None) -> xr.DataArray:
    known = [str(each) for each in result.data_vars]
    if name not in known:
        raise SpecError(f"the fit has no {name!r}", where="take", hint=did_you_mean(name, known))
    values = result[name]
    if model is None or "model" not in values.dims:
        return values
    models = [str(each) for each in result["model"].values]
    if model not in models:
        raise SpecError(f"the fit has no model {model!r}", where="model", hint=did_you_mean(model, models))
    return values.isel(model=models.index(model))


def _of_system(values: xr.DataArray, system: str) -> xr.DataArray:
    dims = [dim for dim in values.dims if dim != "model"]
    names = [str(name) for name in values[dims[0]].values] if dims else []
    if system not in names:
        raise SpecError(f"there is no system {system!r} here", where="system", hint=did_you_mean(system, names))
    return values.isel({dims[0]: names.index(system)})


def _in_words(keys: FitKeys) -> str:
    """Say what of the result is taken."""
    if keys.take in (*_WINS, *_BOOTSTRAP):
        return f"{keys.take} of {keys.first} against {keys.second} by {keys.by}"
    parts = [f"{keys.statistic} of"] if keys.statistic else []
    parts.append(keys.take)
    parts += [f"of {each}" for each in (keys.model, keys.system) if each]
    parts += [f"over that of {keys.over}"] if keys.over else []
    return " ".join(parts)


FITS: Mapping[str, Quantity] = MappingProxyType({"fit": Quantity(FitKeys, fit)})
