"""Kernels, datasets and states of stores as records, for JSON and for tables."""

import posixpath
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sigcube.constants import PAPER
from sigcube.cube import Counts, count_cube
from sigcube.cube.inspection import describe_counts
from sigcube.errors import SigcubeError
from sigcube.kernels import KERNELS, find
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRICS
from sigcube.model.model import CONSTANTS_CHOICE
from sigcube.recipes import Recipe, load_recipe, recipe_names
from sigcube.store import StoreStatus

__all__ = ["dataset_records", "kernel_records", "metric_records", "origin", "status_record", "unexpected_counts"]


def kernel_records(name: str | None = None) -> list[dict[str, Any]]:
    """Return one kernel, or all, as JSON-able values."""
    shared = [parameter for frame in FRAMES.values() for parameter in frame.parameters]
    return [
        {
            "name": kernel.name,
            "title": kernel.title,
            "source": kernel.source,
            "parameters": [{**asdict(each), "default": each.value(PAPER)} for each in (*kernel.parameters, *shared)],
            "choices": [
                {
                    "name": choice.name,
                    "description": choice.description,
                    "default": choice.default,
                    "labels": {
                        label: {"source": option.source, "description": option.description}
                        for label, option in choice.options.items()
                    },
                }
                for choice in (*kernel.choices, CONSTANTS_CHOICE)
            ],
        }
        for kernel in (KERNELS.values() if name is None else [find(name)])
    ]


def metric_records() -> list[dict[str, Any]]:
    """Return each metric as JSON-able values; the unit None stands for that of what is observed."""
    return [
        {
            "name": each.name,
            "meaning": each.long_name,
            "scope": each.scope,
            "unit": each.unit,
            "best": each.best,
            "summaries": list(each.summaries) if each.scope == "system" else [],
        }
        for each in METRICS.values()
    ]


def dataset_records(folder: str | Path = "cubes") -> list[dict[str, Any]]:
    """Return each dataset that sigcube has a recipe of as JSON-able values.

    A cube in the folder is counted; a dataset without one has the counts that its recipe expects.
    """
    records = []
    for recipe in map(load_recipe, recipe_names()):
        path = Path(folder) / f"{recipe.name}.zarr"
        state, counts = "absent", _expected(recipe)
        if path.exists():
            try:
                state, counts = "present", count_cube(path)
            except SigcubeError:
                state = "unreadable"
        records.append(
            {
                "name": recipe.name,
                "title": recipe.title,
                "kind": recipe.kind,
                "systems": counts.systems if counts else None,
                "points": counts.points if counts else None,
                "citation": recipe.citation,
                "licence": recipe.licence,
                "origin": origin(recipe),
                "files": [{"name": file.name, "url": file.url or None} for file in recipe.files.values()],
                "cube": str(path),
                "state": state,
            }
        )
    return records


def _expected(recipe: Recipe) -> Counts | None:
    return None if recipe.contents is None else Counts(recipe.contents.systems, recipe.contents.points)


def origin(recipe: Recipe) -> str:
    """Say where the raw files come from: the folders of their addresses, the recipe's own folder, or the user."""
    folders = set()
    for file in recipe.files.values():
        if not file.url:
            folders.add(
                "shipped with sigcube" if (recipe.folder / file.name).is_file() else "given by hand, with --data"
            )
        else:
            folders.add(file.url if file.url.startswith("doi:") else posixpath.dirname(file.url))
    return ", ".join(sorted(folders))


def unexpected_counts(recipe: Recipe, path: str | Path) -> str:
    """Say that a cube holds another number of systems or points than its recipe expects; empty if it does not."""
    found, expected = count_cube(path), _expected(recipe)
    if expected is None or found == expected:
        return ""
    counts = [describe_counts(recipe.kind, each) for each in (found, expected)]
    return f"{recipe.name}: holds {counts[0]}; the recipe expects {counts[1]}"


def status_record(status: StoreStatus) -> dict[str, Any]:
    """Return the state of a store as JSON-able values."""
    errors = [{**asdict(entry), "status": entry.status.word} for entry in status.errors]
    return {**asdict(status), "errors": errors}
