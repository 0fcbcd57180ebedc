"""A page with a map of a summary over two axes of a result, and switches for every label and every other summary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from sigcube.explore.page import Card, write_page
from sigcube.explore.panel import map_cards
from sigcube.explore.states import map_states, pick_axes, pick_values

__all__ = ["Mark", "map_page"]


@dataclass(frozen=True)
class Mark:
    """A point to show on a map: what it is called, its axes' values, and labels, if it belongs to some of them only."""

    name: str
    at: Mapping[str, Any] = field(default_factory=dict)


def map_page(
    result: xr.Dataset,
    path: str | Path,
    *,
    x: str,
    y: str,
    value: str = "rms_mean",
    mark: Mark | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    cards: Sequence[Card] = (),
) -> Path:
    """Write an HTML page with a map of a result; it opens without a server or a network.

    Parameters
    ----------
    result : xarray.Dataset
        A result of a sweep, or a selection from one.
    path : path
        The file to write.
    x, y : str
        The axes to the right and upwards, numeric. Labels become switches; other numeric axes stand at the best point
        of each combination of labels.
    value : str
        The summary that is shown first; a menu offers the others.
    mark : Mark, optional
        A point to show, such as the true model of a mock survey.
    title, subtitle : str, optional
        The heading, and a sentence below it.
    cards : sequence of Card
        Further panels.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    SpecError
        For an axis or a summary that the result does not have, or that no map can show.
    StoreError
        When the page cannot be written.
    """
    axes = pick_axes(result, x, y)
    states = map_states(result, pick_values(result, value, axes), axes)
    at = {} if mark is None else mark.at
    return write_page(
        path,
        [*map_cards(result, axes, states, mark_name=mark.name if mark else None, mark_at=at), *cards],
        title=title or str(result.attrs.get("title", "Result of a sweep")),
        subtitle=subtitle or "",
        notes=_notes(result),
        synthetic=bool(int(result.attrs.get("synthetic", 0))),
    )


def _notes(result: xr.Dataset) -> dict[str, str]:
    """Say where the numbers come from, as far as the result tells."""
    notes = {name: str(result.attrs[name]) for name in ("cube", "sample", "citation") if result.attrs.get(name)}
    spec = json.loads(result.attrs.get("spec", "{}"))
    fixed = ", ".join(f"{name} = {value}" for name, value in spec.get("parameters", {}).items())
    versions = json.loads(result.attrs.get("versions", "{}"))
    said = {
        "kernel": spec.get("kernel", ""),
        "held fixed": fixed,
        "made by": f"sigcube {versions['sigcube']}" if "sigcube" in versions else "",
    }
    return {**notes, **{name: text for name, text in said.items() if text}}
