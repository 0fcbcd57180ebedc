"""Models at any place within the range of a grid, evaluated by the engine of sweeps and never interpolated.

A held parameter is an argument of the compiled loop, so that a new value needs no compilation.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import Packed
from sigcube.engine import Engine, evaluate_sums
from sigcube.engine.finish import finish_systems
from sigcube.engine.points import PointTerms
from sigcube.errors import DataError
from sigcube.explore.explorer.state import Place
from sigcube.model.graph import Level, Variables
from sigcube.model.metrics import METRICS, sums_of
from sigcube.model.model import BoundModel, Model
from sigcube.plan.grid import Axis, Grid
from sigcube.plan.plan import Plan, make_plan
from sigcube.plan.spec import MODEL
from sigcube.plan.values import Section
from sigcube.sweep import Sweep

__all__ = ["WIN_RATE", "LiveModels"]

FloatArray = npt.NDArray[np.float64]

# The summary that compares with the reference.
WIN_RATE = "win_rate"
# Terms that curves show besides the observation, if the model has them.
_POINT_TERMS = ("predicted", "v_bar", "g_bar")


@dataclass(frozen=True)
class LiveModels:
    """The models of a sweep at any place.

    A place names a value or a label of each axis of the sweep's grid.

    Attributes
    ----------
    plan : Plan
        The plan of the sweep.
    packed : Packed
        The sample of the sweep.
    """

    plan: Plan
    packed: Packed

    @classmethod
    def of(cls, sweep: Sweep) -> "LiveModels":
        """Take plan and sample from a sweep."""
        return cls(sweep.plan(probe=False), sweep.packed)

    def at(self, place: Place) -> xr.Dataset:
        """Return what a sweep of this one point would give: every summary, the metrics of each system, the status."""
        return self._evaluate(place, {}, keep_systems=self.plan.system_dim is not None)

    def over(self, place: Place, axes: Mapping[str, FloatArray], summary: str) -> xr.Dataset:
        """Return a summary and its status over some axes of numbers, with the others at a place."""
        return self._evaluate(place, axes, keep_systems=False, summary=summary)

    def points(self, place: Place) -> dict[str, FloatArray]:
        """Return terms of the model at every point of the packed sample.

        These are ``predicted``, ``v_bar`` and ``g_bar`` if the model has them, and ``reference``, the reference's
        prediction.
        """
        section = self.section_at(place)
        graph, names = self._graphs[section.index]
        values = dict(self._model(section).inputs(graph)) | dict(section.model.fixed)
        swept = {name for name, _ in section.model.swept}
        values |= {name: float(place[name]) for name in swept}
        fixed = tuple((name, float(value)) for name, value in values.items())
        found = dict(zip(names, self._terms(BoundModel(graph, fixed, ()), graph.targets), strict=True))
        if section.reference is not None and self.plan.spec.reference is not None:
            bound = _held(section.reference, place, {})
            target = self.plan.spec.reference.name_behind("predicted")
            found["reference"] = self._terms(bound, (target,))[0]
        return found

    def reference_rms(self, place: Place) -> FloatArray | None:
        """Return the RMS of each system under the reference, shape ``(n_systems,)``; None without such a comparison."""
        reference = self.section_at(place).reference
        if reference is None or self.plan.spec.compared.name != "rms":
            return None
        sums = evaluate_sums(_held(reference, place, {}), self.packed, {})
        counts = np.diff(self.packed.offsets).astype(np.float64)
        rms: FloatArray = finish_systems(METRICS["rms"], counts, (sums["residual_sq"][:, np.newaxis],))[:, 0]
        return rms

    def section_at(self, place: Place) -> Section:
        """Return the part of the grid that has the labels of a place."""
        return self._sections[tuple(place[name] for name in self._label_names)]

    def uses(self, place: Place, name: str) -> bool:
        """Whether a place's model depends on an axis of numbers."""
        model = self.section_at(place).model
        return any(name == each for each, _ in model.swept)

    def observed_name(self, place: Place) -> str:
        """Return the variable of the cube that the model is compared with."""
        return self._model(self.section_at(place)).name_behind("observed")

    def error_name(self, place: Place) -> str:
        """Return the variable of the cube that has its error."""
        return self._model(self.section_at(place)).name_behind("error")

    @cached_property
    def _label_names(self) -> tuple[str, ...]:
        grid = self.plan.spec.grid
        return tuple(axis.name for axis in grid.axes if axis.dim in grid.label_dims)

    @cached_property
    def _sections(self) -> dict[tuple[float | str, ...], Section]:
        grid = self.plan.spec.grid
        axes = [(axis, grid.label_dims.index(axis.dim)) for axis in grid.axes if axis.dim in grid.label_dims]
        return {
            tuple(axis.values[position[at]] for axis, at in axes): section
            for section in self.plan.sections
            for position in section.positions
        }

    def _model(self, section: Section) -> Model:
        """Return the model of a section with its labels, as the spec has it."""
        models = self.plan.spec.models
        model = models[section.labels.get(MODEL, next(iter(models)))]
        return model.with_settings({name: label for name, label in section.labels.items() if name != MODEL})

    @cached_property
    def _graphs(self) -> dict[int, tuple[Any, tuple[str, ...]]]:
        """The graph of point terms of each section's model, and their names."""
        variables = Variables(frozenset(self.packed.points), frozenset(self.packed.per_system))
        found = {}
        for section in self.plan.sections:
            model, names = self._model(section), []
            for name in _POINT_TERMS:
                with suppress(DataError):
                    graph = model.graph((name,), variables=variables)
                    of_points = {each.name for each in graph.nodes if each.level is Level.POINT} | {*graph.points}
                    names += [name] if graph.targets[0] in of_points else []
            found[section.index] = model.graph(names, variables=variables), tuple(names)
        return found

    def _terms(self, model: BoundModel, names: Sequence[str]) -> list[FloatArray]:
        terms = PointTerms(model, self.packed, tuple(names))
        none = np.empty(0)
        return list(np.concatenate([terms(none, system) for system in range(self.packed.n_systems)], axis=1))

    def _evaluate(
        self, place: Place, axes: Mapping[str, FloatArray], *, keep_systems: bool, summary: str | None = None
    ) -> xr.Dataset:
        """Plan and run a sweep along some axes, with all others held at a place, for one summary or all."""
        section, grid, spec = self.section_at(place), self.plan.spec.grid, self.plan.spec
        swept = {axis.name: axis.dim for axis in grid.axes if axis.name in axes}
        model, reference = section.model, section.reference
        if summary is not None:
            reference = reference if summary == WIN_RATE else None
            metrics = tuple(each for each in spec.metrics if summary in (each.name, *each.summary_names))
            metrics = (spec.compared,) if summary == WIN_RATE else metrics
            spec = replace(spec, metrics=metrics, reference=spec.reference if reference else None)
            model = replace(model, graph=model.graph.only(*sums_of(metrics)))
        held = replace(
            section,
            index=0,
            positions=((),),
            model=_held(model, place, swept),
            reference=None if reference is None else _held(reference, place, swept),
        )
        own = Grid(tuple(Axis(name, dim, tuple(axes[name].tolist())) for name, dim in swept.items()))
        plan = make_plan(
            replace(spec, grid=own, keep_systems=keep_systems, dtype="float64"),
            (held,),
            systems=self.packed.systems,
            n_points=self.packed.n_points,
        )
        engine = Engine(plan, self.packed)
        arrays = {each.name: np.empty(each.shape, dtype=each.dtype) for each in plan.variables}
        for block in plan.blocks:
            values = engine.evaluate(block)
            for region in block.regions:
                for name, array in arrays.items():
                    target: Any = (..., *region)
                    array[target] = values[name]
        coords: dict[str, Any] = {name: (dim, axes[name]) for name, dim in swept.items()}
        if keep_systems and self.plan.system_dim is not None:
            coords[self.plan.system_dim] = np.array(self.packed.systems, dtype=object)
        return xr.Dataset({v.name: (v.dims, arrays[v.name], dict(v.attrs)) for v in plan.variables}, coords)


def _held(model: BoundModel, place: Place, swept: Mapping[str, str]) -> BoundModel:
    """Return a model that varies only along some of its axes, with the others held at a place."""
    held = {name: float(place[name]) for name, _ in model.swept if name not in swept}
    along = tuple((name, swept[name]) for name, _ in model.swept if name in swept)
    return replace(model, fixed=tuple({**dict(model.fixed), **held}.items()), swept=along)
