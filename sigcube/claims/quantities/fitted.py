"""Numbers that a fit gives: of the best models of each system, and of two models that are compared."""

import json
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis import bootstrap_win_rate, wins
from sigcube.claims.as_toml import toml_text
from sigcube.claims.quantities.base import Context, Found, Quantity, ReducedKeys
from sigcube.claims.quantities.model_text import model_text
from sigcube.cube import kind_of
from sigcube.errors import SpecError, did_you_mean
from sigcube.fits import Fit
from sigcube.fits.fit_spec import read_fit_file

__all__ = ["QUANTITIES"]

# What is taken of two models: the function that compares them, and the attribute of its result.
_COMPARED: Mapping[str, tuple[Callable[..., Any], str]] = {
    **{name: (wins, name) for name in ("first_wins", "second_wins", "ties", "rate")},
    "bootstrap_rate": (bootstrap_win_rate, "rate"),
    "bootstrap_error": (bootstrap_win_rate, "standard_error"),
    "bootstrap_low": (bootstrap_win_rate, "low"),
    "bootstrap_high": (bootstrap_win_rate, "high"),
}


class FitKeys(ReducedKeys):
    """A fit of models to a sample, and what to take of its result."""

    seconds: ClassVar[float] = 20.0

    #: A variable of the result; or of two models ``first_wins``, ``second_wins``, ``ties``, ``rate``, and the
    #: bootstrap's ``bootstrap_rate``, ``bootstrap_error`` (one standard deviation), ``bootstrap_low`` and
    #: ``bootstrap_high`` (95 %).
    take: str
    #: A fit that comes with sigcube, such as ``si15_per_galaxy``.
    spec: str | None = None
    #: Or a fit as in its file: ``models`` is a table of ``kernel``, ``free`` and ``fixed`` by name.
    dataset: str | None = None
    sample: str = "all"
    #: Only what meets it, as ``where`` of a fit.
    condition: str | None = None
    scope: Literal["system", "sample"] = "system"
    objective: Literal["chi2", "rms"] = "chi2"
    metrics: list[str] = Field(default=[])
    models: dict[str, dict[str, Any]] = Field(default={})
    #: The model whose values are taken, and one by whose values each is divided.
    model: str | None = None
    over: str | None = None
    #: The two models that are compared: see `sigcube.analysis.wins`.
    first: str = ""
    second: str = ""
    by: str = "chi2_red"
    margin: float = 0.0
    relative: float = 0.0

    @model_validator(mode="after")
    def _one_fit(self) -> "FitKeys":
        if (self.spec is None) == (self.dataset is None):
            raise ValueError("give either a spec that comes with sigcube, or a dataset and models")
        if self.spec is not None:
            # Its name is checked with the row: before any row is computed, `datasets` and `batch` read the file.
            try:
                read_fit_file(self.spec)
            except SpecError as error:
                raise ValueError("; ".join(filter(None, (error.what, error.found, error.hint)))) from None
        if self.dataset is not None and not self.models:
            raise ValueError("a fit needs models")
        if self.take in _COMPARED and not (self.first and self.second):
            raise ValueError(f"{self.take} needs the names of two models, first and second")
        return self

    def datasets(self) -> tuple[str, ...]:
        """Return the dataset, which a spec names by its cube."""
        return (self.dataset or Path(read_fit_file(str(self.spec)).cube).stem,)

    def batch(self) -> Hashable:
        """Keep what needs the same fit together."""
        return ("fit", json.dumps(_request(self), sort_keys=True))


def fit(keys: FitKeys, context: Context) -> Found:
    """Run the fit, once for all readings that ask for the same, and take a value of it."""
    (dataset,) = keys.datasets()
    request = _request(keys)
    result = context.once(keys.batch(), lambda: Fit(context.cube(dataset), **request).run())
    if keys.take in _COMPARED:
        details = {"take": f"{keys.take} of {keys.first} against {keys.second} by {keys.by}"}
        compare, attribute = _COMPARED[keys.take]
        tie = keys.model_dump(include={"by", "margin", "relative"})
        value = float(getattr(compare(result, keys.first, keys.second, **tie), attribute))
    else:
        values = _of_model(result, keys.take, keys.model)
        words = [*([f"{keys.statistic} of"] if keys.statistic else []), keys.take]
        words += [f"of {each}" for each in (keys.model, keys.system) if each]
        if keys.over is not None:
            values = values / _of_model(result, keys.take, keys.over)
            words.append(f"over that of {keys.over}")
        details = {"take": " ".join(words)}
        value = keys.reduced(keys.of_system(values), keys.take, hint="name a model, a system or a statistic")
    details |= _fitted_text(keys, request, kind_of(context.cube(dataset)).name)
    command = f"sigcube fit {keys.spec}" if keys.spec else "sigcube fit SPEC.toml"
    return Found(value, spec=_file(dataset, request), command=command, details=details, compares=True)


def _fitted_text(keys: FitKeys, request: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Say what was made least, over what, and by which models."""
    losses = {"chi2": "χ² = Σ (Δ/σ)², σ of velocities at least 0.1 km/s", "rms": "√ of the mean of Δ²"}
    over = "each system by itself" if request["scope"] == "system" else "all systems together"
    told = {"loss": f"{losses[request['objective']]}; {over}", "sample": str(request["sample"])}
    if "chi2_red" in (keys.take, keys.by if keys.take in _COMPARED else ""):
        told["chi2_red"] = "χ²/(N − k), of N points and k free parameters"
    asked = [each for each in (keys.model, keys.over, keys.first, keys.second) if each] or list(request["models"])
    for name in dict.fromkeys(asked):
        model = request["models"].get(name, {})
        if "kernel" in model:
            free = ", ".join(f"{key} {_ends(axis)}" for key, axis in model.get("free", {}).items())
            words = model_text(model["kernel"], model.get("fixed", {}), kind=kind, free=model.get("free", {}))
            told |= {f"{name}, free": free, **{f"{name}, {key}": text for key, text in words.items()}}
    return told


def _ends(axis: Any) -> str:
    """Say between which values a parameter was free."""
    ends = next(iter(axis.values()))[:2] if isinstance(axis, Mapping) else (axis[0], axis[-1])
    return f"{ends[0]:g} to {ends[-1]:g}"


def _request(keys: FitKeys) -> dict[str, Any]:
    """Return the arguments of the fit, always in the same form."""
    given = keys.model_dump() if keys.spec is None else read_fit_file(keys.spec).arguments()
    where = given.get("where") if keys.condition is None else keys.condition
    return {**{key: given[key] for key in ("sample", "scope", "objective", "metrics", "models")}, "where": where}


def _file(dataset: str, request: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in request.items() if key != "models" and value is not None}
    text = toml_text({"cube": f"cubes/{dataset}.zarr", **plain})
    models = [toml_text({"name": name, **model}) for name, model in request["models"].items()]
    tables = [model.replace("\n[", "\n[model.") for model in models]
    return text + "".join(f"\n[[model]]\n{table}" for table in tables)


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


QUANTITIES = {"fit": Quantity(FitKeys, fit, uses_model=True)}
