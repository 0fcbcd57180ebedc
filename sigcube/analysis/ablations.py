"""What each label is worth: one choice at a time is changed from a baseline, and compared system by system."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, summary_of
from sigcube.analysis.labelled import about, axes_along, find_position, is_label, label_dims, random_numbers
from sigcube.analysis.lacking import caution_of_unfinished
from sigcube.analysis.roles import Names, role_of, treatment_of
from sigcube.analysis.system_values import system_values
from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.sweep import Sweep
from sigcube.wording import number

__all__ = ["ablation", "holm"]

FloatArray = npt.NDArray[np.float64]

# Each column of a change: its description, and whether it has the unit of the metric.
_COLUMNS = {
    "value": ("mean over systems", True),
    "difference": ("mean difference from the baseline", True),
    "low": ("lower end of the interval of the difference", True),
    "high": ("upper end of the interval of the difference", True),
    "p_value": ("p of the signed-rank test", False),
    "p_adjusted": ("p, adjusted for the number of comparisons (Holm)", False),
    "better": ("systems that are nearer to the best than under the baseline", False),
    "worse": ("systems that are farther from it", False),
    "n_systems": ("systems with both values", False),
}


def ablation(
    result: xr.Dataset,
    *,
    baseline: Mapping[str, Any] | None = None,
    by: str = "rms",
    over: Names | None = None,
    profiled: Names | None = None,
    n_resamples: int = 9999,
    confidence: float = 0.95,
    seed: int = 0,
    sweep: Sweep | None = None,
) -> xr.Dataset:
    """Change one label at a time from a baseline, and compare each system with itself.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``.
    baseline : Mapping, optional
        Labels and values of axes, of which one is changed at a time. Along axes that it does not name, the baseline is
        at the best remaining point.
    by : str
        A metric of systems, whose mean is compared, or ``win_rate``.
    over : str or sequence of str, optional
        The axes whose values are compared with that of the baseline, by name or role: by default the arbitrary ones, or
        all axes of labels if no axis has a role.
    profiled : str or sequence of str, optional
        The axes that are optimised again under each label, by name or role, unless the baseline names them: by default
        nuisances. Other axes stay at the baseline.
    n_resamples, confidence, seed : int, float, int
        For the interval, from a bootstrap over systems (`scipy.stats.bootstrap`, percentile).
    sweep : Sweep, optional
        As for `sigcube.analysis.reselect`.

    Returns
    -------
    Dataset
        Over ``change``, which ``axis`` and ``label`` name: the ``value`` of the mean; ``difference``, the mean of the
        systems' differences from the baseline, and ``low`` and ``high`` of its interval; ``p_value`` of the signed-rank
        test (Wilcoxon 1945), and ``p_adjusted`` for the number of comparisons (Holm 1979), the attribute
        ``n_compared``; how many systems are ``better`` and ``worse``, of ``n_systems`` with both values. ``baseline``
        is the mean there, and the other coordinates are its place. Attributes say which axes were compared, ``over``,
        which stayed, ``held``, and which were chosen again, ``profiled``.

    Raises
    ------
    SpecError
        For a baseline outside the grid, an unknown axis, a grid without labels, values that were not kept, a baseline
        without a finite value, and a summary that is not a mean over systems.
    """
    if by.endswith("_median"):
        hint = f"by={by.removesuffix('_median')!r}"
        raise SpecError("systems are compared by means of their values, not by medians", where="by", hint=hint)
    given: object = baseline
    if not isinstance(given, Mapping | None):
        expected = "a table such as {'window': 'none'}"
        raise SpecError("a baseline names its axes", where="baseline", found=shown(given), expected=expected)
    of = system_values(result, by, sweep=sweep)
    fixed: dict[str, int] = {}
    for name, value in (baseline or {}).items():
        dim, index = find_position(of.array, name, value, where="baseline")
        if fixed.setdefault(dim, index) != index:
            raise SpecError(f"{name} does not have this value there", where=f"baseline.{name}", found=str(value))
    if over is None and not any(role_of(of.array, dim) for dim in of.grid):
        over = label_dims(of.array)
    how = treatment_of(of.array, over=over, profiled=profiled) if over is None or list(over) else None
    if how is None or not any(of.grid[dim] > 1 for dim in how.over):
        several = [dim for dim, n in of.grid.items() if n > 1]
        hint = did_you_mean("", several) if several else "every axis has one value: sweep several labels"
        raise SpecError("there are no labels to compare", where="over", hint=hint)
    compared, free = how.over, [dim for dim in how.profiled if dim not in fixed]
    summary = summary_of(result, of.summary)
    start = _best_with(summary, fixed)
    if start is None:
        raise SpecError("no point of the baseline has a finite value", where="baseline", found=of.summary)
    ours = of.at(start)
    rows: list[dict[str, Any]] = []
    for dim in compared:
        pinned = {each: index for each, index in start.items() if each not in free}
        for index in (i for i in range(of.grid[dim]) if i != start[dim]):
            place = _best_with(summary, pinned | {dim: index}) if free else {**start, dim: index}
            theirs = np.full_like(ours, np.nan) if place is None else of.at(place)
            row = _compared(theirs - ours, n_resamples=n_resamples, confidence=confidence, seed=seed)
            both = np.isfinite(ours) & np.isfinite(theirs)
            before, after = of.far(ours[both]), of.far(theirs[both])
            row |= {"better": int((after < before).sum()), "worse": int((after > before).sum())}
            rows.append({**_named(of.array, dim, index), "value": float(of.summarise(theirs[:, np.newaxis])[0]), **row})
    for row, adjusted in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_adjusted"] = adjusted
    units = str(of.attrs.get("units", ""))
    there = of.array.coords.to_dataset().drop_dims(of.dim, errors="ignore").isel(start, missing_dims="ignore")
    labels = {key: ("change", np.array([row[key] for row in rows], dtype=object)) for key in ("axis", "label")}
    answer = xr.Dataset(coords={**there.coords, **labels})
    for name, (text, in_units) in _COLUMNS.items():
        answer[name] = "change", np.array([row[name] for row in rows]), about(text, units if in_units else "")
    answer["baseline"] = (), float(of.summarise(ours[:, np.newaxis])[0]), about(f"{of.summary} of the baseline", units)
    words = {
        "over": ", ".join(compared),
        "held": ", ".join(dim for dim in of.grid if dim not in (*compared, *free)) or "nothing",
        "profiled": ", ".join(free) or "nothing",
    }
    asked = {"by": of.summary, "n_compared": len(rows), "confidence": confidence, "seed": seed}
    return answer.assign_attrs({**asked, **words, **caution_of_unfinished(result)})


def _best_with(summary: xr.DataArray, fixed: Mapping[str, int]) -> dict[str, int] | None:
    """Return the best point of a summary among those at fixed places of some dimensions."""
    found = best_index(summary.isel(fixed))
    return None if found is None else {str(dim): {**fixed, **found}[str(dim)] for dim in summary.dims}


def _named(array: xr.DataArray, dim: str, index: int) -> dict[str, str]:
    """Name a place on a dimension: by its axis of labels, if it has one, and its label or value."""
    names = axes_along(array, dim)
    name = next((each for each in names if is_label(array[each])), names[0] if names else dim)
    return {"axis": name, "label": number(array[name].values[index]) if names else str(index)}


def _compared(differences: FloatArray, *, n_resamples: int, confidence: float, seed: int) -> dict[str, float]:
    """Return the mean difference of systems, its interval and the p-value of there being none."""
    from scipy.stats import bootstrap, wilcoxon

    d = differences[np.isfinite(differences)]
    mean = float(d.mean()) if d.size else np.nan
    low, high, p = np.nan, np.nan, np.nan
    if d.size > 1:
        low = high = mean
        p = 1.0
        # If all are equal, the interval has no width, about which scipy warns.
        if np.ptp(d) > 0.0:
            rng, level = random_numbers(seed), confidence
            found = bootstrap(
                (d,), np.mean, n_resamples=n_resamples, confidence_level=level, method="percentile", rng=rng
            )
            low, high = (float(end) for end in found.confidence_interval)
        if d.any():
            p = float(wilcoxon(d).pvalue)
    return {"difference": mean, "low": low, "high": high, "p_value": p, "n_systems": d.size}


def holm(p_values: list[float]) -> FloatArray:
    """Adjust p-values for their number (Holm 1979), leaving out NaN."""
    p = np.array(p_values)
    order, m = np.argsort(p), int(np.isfinite(p).sum())
    adjusted = np.full(p.size, np.nan)
    adjusted[order[:m]] = np.minimum(np.maximum.accumulate(p[order[:m]] * np.arange(m, 0, -1)), 1.0)
    return adjusted
