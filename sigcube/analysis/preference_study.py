"""ln L of each system under several models, for white and correlated errors, nuisances held and marginalised."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about
from sigcube.analysis.nuisances import marginalise
from sigcube.analysis.preference_file import SHIFTS, StudyFile, StudyModel, axis_of, prior_of, read_study_file
from sigcube.analysis.preferences import AMPLITUDE, LENGTH, preferences
from sigcube.analysis.priors import Prior
from sigcube.cube import kind_of, open_cube
from sigcube.errors import SpecError
from sigcube.model.error_model import Errors
from sigcube.plan.grid import make_grid
from sigcube.sweep import Sweep

__all__ = ["PreferenceStudy"]

FloatArray = npt.NDArray[np.float64]

#: Called with what is counted, how many are done, and their total.
OnProgress = Callable[[str, int, int], None]

# The most values of systems that one sweep holds in memory: 0.25 GB.
_MOST_VALUES = 2**25

_TREATMENTS = ("held", "marginalised")
# Attributes of the data that are copied from the result of a sweep.
_KEPT = ("cube", "sample", "where", "citation", "synthetic", "cube_fingerprint")


@dataclass(frozen=True)
class _Found:
    """The likelihoods of a model under one treatment of nuisances, over (system, amplitude, length)."""

    loglike: FloatArray
    loglike_best: FloatArray
    quadrature_error: FloatArray
    systems: npt.NDArray[Any]
    attrs: Mapping[str, Any]
    treatment: str


@dataclass(frozen=True)
class _Prepared:
    """A model under one treatment of nuisances, planned."""

    model: StudyModel
    #: Errors of whole systems that are integrated in closed form; then the axes and priors of everything else.
    closed: tuple[str, ...]
    grid: Mapping[str, Any]
    priors: Mapping[str, Prior]
    free: Mapping[str, Prior]
    n_systems: int


class PreferenceStudy:
    """Comparisons of models on the same systems under four error models.

    The errors of points are white or correlated (see `sigcube.Errors`); the distance, the inclination and other
    nuisances of each system are held at their quoted values, or marginalised. Where a model scales with distance and
    inclination, both are integrated in closed form. A model with a length of its own gets an axis for what it does not
    scale with, and so does the model it is compared with: far from the data the two ways differ, because an axis has
    ends.

    Parameters
    ----------
    file : StudyFile
        The study.
    cube : Dataset or path, optional
        The data, in place of those that the file names.

    Examples
    --------
    >>> PreferenceStudy.from_toml("papers", cube="cubes/sparc.zarr").run()    # doctest: +SKIP
    """

    def __init__(self, file: StudyFile, *, cube: xr.Dataset | str | Path | None = None) -> None:
        self.file = file
        source = file.cube if cube is None else cube
        self._cube = source if isinstance(source, xr.Dataset) else open_cube(source)
        self._dim = str(kind_of(self._cube).system_dim)
        axes = {name: axis_of(name, table) for name, table in self._correlation.items()}
        grid = {axis.name: axis.array for axis in make_grid(axes).axes}
        self._all_amplitudes, self._lengths = np.array([0.0, *grid[AMPLITUDE]]), grid[LENGTH]
        for name, values in grid.items():
            if not (values > 0.0).all():
                what = "errors are correlated with an amplitude and a length above zero; white ones are always there"
                raise SpecError(what, where=name, found=str(values.min()))

    @classmethod
    def from_toml(cls, path: str | Path, *, cube: xr.Dataset | str | Path | None = None) -> Self:
        """Read a study from its TOML file, or a shipped one by name."""
        return cls(read_study_file(path), cube=cube)

    @property
    def _correlation(self) -> dict[str, dict[str, Any]]:
        return {AMPLITUDE: self.file.correlation_amplitude, LENGTH: self.file.correlation_length}

    def run(self, *, on_progress: OnProgress | None = None) -> xr.Dataset:
        """Evaluate all models in this process and compare them; see `sigcube.analysis.preferences`.

        Raises
        ------
        SpecError, DataError
            When a model cannot be evaluated on the data.
        """
        priors = {name: prior_of(table, where=name) for name, table in self._correlation.items()}
        likelihoods = self.likelihoods(on_progress=on_progress)
        return preferences(likelihoods, self._entries[1], prior=priors)

    def likelihoods(self, *, on_progress: OnProgress | None = None) -> xr.Dataset:
        """Evaluate all models in this process.

        Returns
        -------
        Dataset
            ``loglike`` over model, ``nuisances`` ("held", "marginalised"), system, and amplitude and length of
            correlated errors; parameters of each system are integrated over their priors. The first amplitude is 0:
            white errors. A model that is compared in two ways appears twice. ``loglike_best`` is the same with free
            parameters at their best values instead. ``quadrature_error`` is the change of ln L with every second value
            of the integrated axes, under white errors. ``treatment`` says in words how nuisances were integrated.
        """
        entries, _ = self._entries
        prepared = [[self._prepare(*entry, treatment) for treatment in _TREATMENTS] for entry in entries.values()]
        found: list[list[_Found]] = []
        held: dict[str, _Found] = {}
        for (name, _), (as_quoted, marginalised) in zip(entries.values(), prepared, strict=True):
            if name not in held:
                held[name] = self._evaluate(as_quoted)
            found.append([held[name], self._evaluate(marginalised)])
            if on_progress is not None:
                on_progress("models", len(found), len(prepared))
        first = found[0][0]
        over = ("model", "nuisances", self._dim)
        content = {
            "loglike": ((*over, AMPLITUDE, LENGTH), "ln L, parameters of each system integrated over their priors"),
            "loglike_best": ((*over, AMPLITUDE, LENGTH), "ln L, free parameters of each system at their best"),
            "quadrature_error": (over, "change of ln L with every second value of each axis, under white errors"),
            "treatment": (over[:2], "how nuisances were integrated"),
        }
        variables = {}
        for name, (dims, text) in content.items():
            values = np.array([[getattr(one, name) for one in row] for row in found])
            variables[name] = dims, values if values.dtype.kind == "f" else values.astype(object), about(text)
        coords = {
            "model": np.array([*entries], dtype=object),
            "nuisances": np.array(_TREATMENTS, dtype=object),
            self._dim: first.systems,
            AMPLITUDE: (AMPLITUDE, self._all_amplitudes, about("amplitude of correlated errors", "km/s")),
            LENGTH: (LENGTH, self._lengths, about("length of correlated errors")),
        }
        kept = {key: first.attrs[key] for key in _KEPT if key in first.attrs}
        return xr.Dataset(variables, coords, {"title": self.file.title, **kept})

    @cached_property
    def _entries(self) -> tuple[dict[str, tuple[str, tuple[str, ...]]], list[dict[str, Any]]]:
        """The models and their errors in closed form, by a name for both, and the comparisons between these."""
        possible = {name: self._closed(name) for name in self.file.models}
        entries: dict[str, tuple[str, tuple[str, ...]]] = {}
        comparisons = []
        for each in self.file.comparison:
            both = tuple(name for name in possible[each.first] if name in possible[each.second])
            names = {}
            for side in ("first", "second"):
                model = getattr(each, side)
                on_axes = [name for name in possible[model] if name not in both]
                names[side] = f"{model} ({' and '.join(on_axes)} on an axis)" if on_axes else model
                entries[names[side]] = model, both
            best = ", best fits" if each.free == "best" else ""
            comparisons.append({**each.model_dump(), **names, "name": f"{each.first} : {each.second}{best}"})
        return entries, comparisons

    def _prepare(self, name: str, possible: tuple[str, ...], treatment: str) -> _Prepared:
        """Plan a model, so that anything invalid is refused before the first run."""
        model = self.file.models[name]
        closed, axes = ((), {}) if treatment == "held" else (possible, self._nuisances(model, possible))
        with _in_model(name):
            grid = {axis: axis_of(axis, table) for axis, table in {**axes, **model.free}.items()}
            whole = {AMPLITUDE: self._all_amplitudes, LENGTH: self._lengths}
            n_systems = self._sweep(model, {**whole, **grid}, closed).packed.n_systems
        priors = {axis: prior_of(table, where=f"nuisances.{axis}") for axis, table in axes.items()}
        free = {axis: prior_of(table, where=f"free.{axis}") for axis, table in model.free.items()}
        return _Prepared(model, closed, grid, priors, free, n_systems)

    def _evaluate(self, this: _Prepared) -> _Found:
        """Return ln L of a model at each amplitude and length."""
        n_points = make_grid(this.grid).size
        out = np.empty((2, this.n_systems, self._all_amplitudes.size, self._lengths.size))
        error = np.zeros(this.n_systems)
        for at in _parts(*out.shape[2:], this.n_systems * n_points):
            here = {AMPLITUDE: self._all_amplitudes[at[0]], LENGTH: self._lengths[at[1]]}
            result = self._sweep(this.model, {**here, **this.grid}, this.closed).compute()
            out[:, :, at[0], at[1]] = _reduced(result, this.priors, this.free)
            if at[0].start == at[1].start == 0 and this.grid:
                white = result.isel({AMPLITUDE: [0], LENGTH: [0]})
                error = marginalise(white, {**this.priors, **this.free})["marginalised_error"].values
        words = [f"{name} in closed form" for name in this.closed]
        words += [f"{name} on {make_grid({name: this.grid[name]}).size} values" for name in this.priors]
        return _Found(
            loglike=out[0],
            loglike_best=out[1],
            quadrature_error=error,
            systems=result[self._dim].values.astype(object),
            attrs=result.attrs,
            treatment=", ".join(words) or "held",
        )

    def _nuisances(self, model: StudyModel, closed: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return the axes of nuisances that are not integrated in closed form."""
        without = {SHIFTS[each] for each in closed}
        every = {**self.file.nuisances, **model.nuisances}
        return {name: table for name, table in every.items() if name not in without}

    def _closed(self, name: str) -> tuple[str, ...]:
        """Return which errors of whole systems a model can have integrated in closed form."""
        model, closed = self.file.models[name], [*SHIFTS]
        while True:
            tables = {**self._nuisances(model, closed), **model.free}
            grid = {axis: axis_of(axis, table) for axis, table in tables.items()}
            try:
                with _in_model(name):
                    self._sweep(model, {AMPLITUDE: [1.0], LENGTH: [1.0], **grid}, closed)
            except SpecError as error:
                # Only the plan tells what a model does not scale with.
                refused = [each for each in closed if error.where == f"models.{name}.errors.{each}"]
                if not refused:
                    raise
                closed.remove(refused[0])
            else:
                return tuple(closed)

    def _sweep(self, model: StudyModel, axes: Mapping[str, Any], closed: Collection[str]) -> Sweep:
        whole = {name: name in closed for name in SHIFTS}
        return Sweep(
            self._cube,
            kernel=model.kernel,
            # A marginalised nuisance replaces the value at which a model holds it.
            fixed={name: value for name, value in model.fixed.items() if name not in axes},
            axes=axes,
            sample=self.file.sample,
            where=self.file.where,
            error_floor=self.file.error_floor,
            metrics=["loglike"],
            keep=[self._dim],
            dtype="float64",
            errors=Errors(
                distance=whole["distance"], inclination=whole["inclination"], correlation=self.file.correlation
            ),
        )


@contextmanager
def _in_model(name: str) -> Iterator[None]:
    """Add the model's name to the errors of its sweep."""
    try:
        yield
    except SpecError as error:
        raise error.at(".".join(filter(None, ("models", name, error.where)))) from None


def _parts(n_amplitudes: int, n_lengths: int, n_each: int) -> Iterator[tuple[slice, slice]]:
    """Yield parts of the amplitudes and lengths that fit into memory: the whole, if it does."""
    if n_amplitudes * n_lengths * n_each <= _MOST_VALUES:
        yield slice(0, n_amplitudes), slice(0, n_lengths)
        return
    # Parts of one shape share their compiled loops.
    most = max(1, _MOST_VALUES // n_each)
    n_parts = -(-n_lengths // most)
    ends = [round(i * n_lengths / n_parts) for i in range(n_parts + 1)]
    for i in range(n_amplitudes):
        for start, stop in pairwise(ends):
            yield slice(i, i + 1), slice(start, stop)


def _reduced(
    result: xr.Dataset, priors: Mapping[str, Prior], free: Mapping[str, Prior]
) -> tuple[FloatArray, FloatArray]:
    """Return ln L with free parameters integrated, and at their best; shape ``(system, amplitude, length)``."""
    own = marginalise(result, priors) if priors else result
    loglike = own["loglike"]
    order = (next(str(dim) for dim in loglike.dims if dim not in {AMPLITUDE, LENGTH, *free}), AMPLITUDE, LENGTH)
    integrated = marginalise(own, free)["loglike"] if free else loglike
    best = loglike.max(list(free))
    return integrated.transpose(*order).values, best.transpose(*order).values
