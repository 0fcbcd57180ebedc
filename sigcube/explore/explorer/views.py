"""What the figures of the explorer show, as arrays: one model at every point, system by system, or of all stars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.state import ExplorerOffer, Place
from sigcube.wording import plural

__all__ = [
    "PlaceValues",
    "SampleView",
    "curve_columns",
    "overlay_columns",
    "picked_columns",
    "place_values",
    "relation_columns",
    "sample_view",
    "scatter_axis",
    "system_columns",
    "wins_text",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# More points make figures slow, and a screen does not tell them apart: some systems are drawn, or some points.
_MOST_POINTS = 30_000
# Of more stars, some are taken for medians, evenly spaced; a bin of fewer says little.
_MOST_IN_BINS = 400_000
_BINS = 48
_FEWEST = 50
_CELLS = (110, 120)
# A positive quantity whose largest value is this many times its smallest is shown by its logarithm.
_WIDE = 50


@dataclass(frozen=True)
class PlaceValues:
    """A model at one place.

    Attributes
    ----------
    summaries : Mapping
        Each summary.
    rms : ndarray, shape (n_systems,), or None
        Of each system.
    points : Mapping
        Terms at every point of the sample, see `LiveModels.points`.
    on_grid : bool
        Whether the place is a grid point.
    """

    summaries: Mapping[str, float]
    rms: FloatArray | None
    points: Mapping[str, FloatArray]
    on_grid: bool


@dataclass(frozen=True)
class SampleView:
    """The points that figures show, and what is measured there; all arrays are over the points of the sample.

    Attributes
    ----------
    kind, unit : str
        The kind of cube; the unit of what is observed.
    offsets : ndarray
        The points of system i are ``offsets[i]:offsets[i + 1]``.
    r, observed, error : ndarray or None
        Radius [kpc], what is observed and its error; None for what is not known.
    parts : Mapping
        What the baryons contribute at each point, by the variable of the cube, as far as it is known.
    drawn : ndarray of int
        The points that figures of all systems show, −1 between two systems.
    """

    kind: str
    unit: str
    offsets: IntArray
    r: FloatArray | None
    observed: FloatArray
    error: FloatArray | None
    parts: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def is_one(self) -> bool:
        """Whether the points are of one system, as the stars of the Milky Way are: then curves are medians of many."""
        return self.kind == "star"

    @cached_property
    def bins(self) -> tuple[FloatArray, list[IntArray]]:
        """Middles of bins along the radius [kpc] that hold enough points, and the points in each."""
        every = max(1, -(-int(self.offsets[-1]) // _MOST_IN_BINS))
        at = np.arange(0, int(self.offsets[-1]), every)
        r = np.arange(at.size, dtype=float) if self.r is None else self.r[at]
        low, high = np.percentile(r, [0.5, 99.5])
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
        order = np.argsort(r, kind="stable")
        parts = np.split(at[order], np.searchsorted(r[order], edges))[1:-1]
        kept = [i for i, part in enumerate(parts) if part.size >= min(_FEWEST, at.size)]
        return (edges[1:] + edges[:-1])[kept] / 2, [parts[i] for i in kept]

    def medians(self, values: FloatArray) -> FloatArray:
        """Return the median of values in each bin."""
        return np.array([np.median(values[part]) for part in self.bins[1]])

    def density(self) -> tuple[FloatArray, tuple[float, float], tuple[float, float]]:
        """Count points in cells of radius and of what is observed; return the ends of both as well."""
        middles, parts = self.bins
        every = np.concatenate(parts) if parts else np.arange(0)
        r = np.arange(self.observed.size, dtype=float) if self.r is None else self.r
        ends = np.percentile(self.observed[every], [0.3, 99.7])
        across = float(middles.min()), float(middles.max())
        up = float(ends[0]), float(ends[1])
        counts = np.histogram2d(self.observed[every], r[every], bins=_CELLS, range=(up, across))[0]
        return counts, across, up

    @cached_property
    def drawn(self) -> IntArray:
        """The points that figures of all systems show, −1 between two systems."""
        every = max(1, -(-int(self.offsets[-1]) // _MOST_POINTS))
        if self.offsets.size == 2:
            return np.arange(0, int(self.offsets[-1]), every)
        ranges = zip(self.offsets[:-1:every].tolist(), self.offsets[1::every].tolist(), strict=True)
        return np.concatenate([np.append(np.arange(start, stop), -1) for start, stop in ranges])

    @cached_property
    def of_system(self) -> IntArray:
        """Index of the system of each point that is drawn."""
        found: IntArray = np.searchsorted(self.offsets, self.drawn, side="right") - 1
        return found

    def spread(self, values: FloatArray) -> npt.NDArray[np.float32]:
        """Return values at the points that are drawn, NaN between systems."""
        with np.errstate(over="ignore"):
            return np.where(self.drawn >= 0, values[self.drawn], np.nan).astype(np.float32)

    @property
    def along(self) -> FloatArray:
        """Radius of each point [kpc], or its number where there is none."""
        return np.arange(1.0, self.observed.size + 1) if self.r is None else self.r

    def accelerations(self, values: FloatArray, points: Mapping[str, FloatArray]) -> FloatArray:
        """Return the accelerations [m/s²] of what is observed or predicted, by what the baryons give."""
        g_bar: FloatArray = points["g_bar"]
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == "galaxy":
                found: FloatArray = g_bar * (values / points["v_bar"]) ** 2
                return found
            if self.unit == "solMass":
                return np.asarray(g_bar * values / self.parts["m_bar"])
        return values

    def has_relation(self, points: Mapping[str, FloatArray]) -> bool:
        """Whether there are accelerations of what is observed and of the baryons."""
        if "g_bar" not in points or self.kind not in ("galaxy", "cluster"):
            return False
        return "v_bar" in points if self.kind == "galaxy" else self.unit != "solMass" or "m_bar" in self.parts


def sample_view(data: ExplorerData, offer: ExplorerOffer, place: Place) -> SampleView | None:
    """Return the points of a result's sample; None where the models behind it are not known."""
    if data.live is None:
        return None
    whole, points = data.whole_place(place, offer), data.live.packed.points
    return SampleView(
        kind=data.kind,
        unit=data.live.plan.spec.model.unit,
        offsets=data.live.packed.offsets,
        r=points.get("r"),
        observed=points[data.live.observed_name(whole)],
        error=points.get(data.live.error_name(whole)),
        parts={name: points[name] for name in ("v_gas", "v_disk", "v_bul", "m_bar") if name in points},
    )


def place_values(data: ExplorerData, offer: ExplorerOffer, place: Place) -> PlaceValues:
    """Evaluate the model of a place; at a grid point this gives what the result holds there."""
    found, points = data.values_at(place, offer), data.points_at(place, offer)
    summaries = {name: float(found[name]) for name in data.metrics}
    rms = None
    if data.systems:
        rms = found["rms"].values if "rms" in found else _rms_of(data, offer, place, points["predicted"])
    return PlaceValues(summaries, rms, points, offer.is_on_grid(place))


def _rms_of(data: ExplorerData, offer: ExplorerOffer, place: Place, predicted: FloatArray) -> FloatArray:
    """Return the RMS of each system where it is not among the metrics of the sweep."""
    view = sample_view(data, offer, place)
    assert view is not None
    squares = np.add.reduceat((predicted - view.observed) ** 2, view.offsets[:-1])
    return np.asarray(np.sqrt(squares / np.diff(view.offsets)))


def curve_columns(
    view: SampleView, a: PlaceValues, b: PlaceValues | None, system: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the columns of one system's curve."""
    if view.is_one:
        return _median_columns(view, a, b)
    own = slice(int(view.offsets[system]), int(view.offsets[system + 1]))
    observed = view.observed[own]
    nothing = np.full(observed.shape, np.nan)
    error = nothing if view.error is None else view.error[own]
    predicted = {"a": a.points["predicted"], "reference": a.points.get("reference")}
    predicted["b"] = None if b is None else b.points["predicted"]
    columns = {name: nothing if values is None else values[own] for name, values in predicted.items()}
    residuals = {f"{name}_residual": values - observed for name, values in columns.items()}
    parts = {name: a.points[name][own] if name in a.points else nothing for name in ("v_bar",)}
    parts |= {name: values[own] for name, values in view.parts.items()}
    for name in ("v_gas", "v_disk", "v_bul", "m_bar"):
        parts.setdefault(name, nothing)
    r = np.arange(1.0, observed.size + 1) if view.r is None else view.r[own]
    ends = {"low": observed - error, "high": observed + error}
    columns = {"r": r, "observed": observed, **ends, "error_low": -error, "error_high": error, **columns, **parts}
    return {name: np.asarray(values, dtype=np.float32) for name, values in {**columns, **residuals}.items()}


def _median_columns(view: SampleView, a: PlaceValues, b: PlaceValues | None) -> dict[str, npt.NDArray[np.float32]]:
    """Return the columns of a curve of medians in bins; the bar holds 68 per cent of the points."""
    middles, parts = view.bins
    observed, nothing = view.medians(view.observed), np.full(middles.shape, np.nan)
    low, high = (np.array([np.percentile(view.observed[part], end) for part in parts]) for end in (16, 84))
    given = {"a": a.points["predicted"], "b": None if b is None else b.points["predicted"]}
    given |= {"reference": a.points.get("reference"), "v_bar": a.points.get("v_bar")}
    columns = {name: nothing if values is None else view.medians(values) for name, values in given.items()}
    residuals = {f"{name}_residual": columns[name] - observed for name in ("a", "b", "reference")}
    ends = {"low": low, "high": high, "error_low": nothing, "error_high": nothing}
    empty = dict.fromkeys(("v_gas", "v_disk", "v_bul", "m_bar"), nothing)
    found = {"r": middles, "observed": observed, **ends, **columns, **residuals, **empty}
    return {name: np.asarray(values, dtype=np.float32) for name, values in found.items()}


def overlay_columns(view: SampleView, a: PlaceValues, against: FloatArray | None) -> dict[str, Any]:
    """Return the curves of all systems, those that win against others apart from those that lose."""
    predicted = view.spread(a.points["predicted"])
    wins = np.ones(predicted.shape, dtype=bool)
    if against is not None and a.rms is not None:
        with np.errstate(invalid="ignore"):
            wins = (a.rms < against)[view.of_system]
    nan = np.float32(np.nan)
    return {"won": np.where(wins, predicted, nan), "lost": np.where(wins, nan, predicted)}


def picked_columns(view: SampleView, a: PlaceValues, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return the curves of the systems picked, measured and predicted, NaN between two of them."""
    here = chosen[view.of_system] & (view.drawn >= 0)
    kept = here | np.insert(here[:-1], 0, False)
    columns = {"r": view.along, "observed": view.observed, "model": a.points["predicted"]}
    return {name: view.spread(values)[kept] for name, values in columns.items()}


def relation_columns(view: SampleView, a: PlaceValues, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return log₁₀ of the accelerations [m/s²]: of baryons, observed, predicted; and those of the systems picked."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, model = (
            np.log10(each)
            for each in (
                a.points["g_bar"],
                view.accelerations(view.observed, a.points),
                view.accelerations(a.points["predicted"], a.points),
            )
        )
    picked = np.where(chosen[view.of_system], view.spread(y), np.float32(np.nan))
    return {"x": view.spread(x), "observed": view.spread(y), "model": view.spread(model), "picked": picked}


def system_columns(
    data: ExplorerData, a: PlaceValues, b: PlaceValues | None, reference: FloatArray | None
) -> dict[str, FloatArray]:
    """Return what a scatter of systems can show, over the systems: the columns that the data's offer names."""
    nothing = np.full(len(data.systems), np.nan)
    found = {"rms_a": a.rms, "rms_b": None if b is None else b.rms, "rms_reference": reference}
    columns = {name: nothing if values is None else values for name, values in found.items()}
    against = reference if reference is not None else None if b is None else b.rms
    columns["difference"] = nothing if against is None or a.rms is None else a.rms - against
    return {**columns, **data.columns}


def scatter_axis(name: str, values: FloatArray) -> tuple[FloatArray, bool]:
    """Return a column as a scatter shows it, and whether these are logarithms: of what is wide, and of every RMS."""
    finite = values[np.isfinite(values)]
    wide = finite.size and finite.min() > 0 and (name.startswith("rms") or finite.max() > _WIDE * finite.min())
    return (np.log10(values), True) if wide else (values, False)


def wins_text(a: PlaceValues, against: FloatArray | None, name: str, system: str) -> str:
    """Say how many systems a model wins."""
    if against is None or a.rms is None:
        return ""
    known = np.isfinite(a.rms) & np.isfinite(against)
    won = int((a.rms[known] < against[known]).sum())
    return f"A has the smaller RMS in {won:,} of {plural(int(known.sum()), system)} against {name}."
