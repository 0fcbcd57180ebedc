"""Datasets and cubes as tables for a terminal: which there are, and what each holds."""

import posixpath
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from sigcube.cube import KINDS, Counts, Range, Summary, count_cube
from sigcube.cube.inspection import describe_counts, describe_file
from sigcube.errors import DataError, RawFilesMissing, SigcubeError
from sigcube.recipes import Recipe, load_recipe, recipe_names
from sigcube.wording import in_one_line

__all__ = [
    "cube_record",
    "cube_tables",
    "dataset_records",
    "dataset_tables",
    "each_dataset",
    "fault_record",
    "unexpected_counts",
]

# Narrower terminals have the long texts in a table of their own.
_WIDE = 150


def dataset_records(folder: str | Path = "cubes") -> list[dict[str, Any]]:
    """Return what is known about each dataset that sigcube has a recipe of, as JSON-able values.

    Parameters
    ----------
    folder : path-like
        Where the cubes are.
    """
    return [_dataset_record(load_recipe(name), Path(folder)) for name in recipe_names()]


def _dataset_record(recipe: Recipe, folder: Path) -> dict[str, Any]:
    path = folder / f"{recipe.name}.zarr"
    state, counts = _look(path)
    if counts is None and recipe.contents is not None:
        counts = Counts(recipe.contents.systems, recipe.contents.points)
    return {
        "name": recipe.name,
        "title": recipe.title,
        "kind": recipe.kind,
        "systems": counts.systems if counts else None,
        "points": counts.points if counts else None,
        "citation": recipe.citation,
        "licence": recipe.licence,
        "origin": _origin(recipe),
        "files": [{"name": file.name, "url": file.url or None} for file in recipe.files.values()],
        "cube": str(path),
        "state": state,
    }


def _look(path: Path) -> tuple[str, Counts | None]:
    """Tell whether a cube is there, and count what is in it."""
    if not path.exists():
        return "absent", None
    try:
        return "present", count_cube(path)
    except DataError:
        return "unreadable", None


def _origin(recipe: Recipe) -> str:
    """Say where the raw files come from: the folder of their addresses, or the recipe's own."""
    folders = {_folder(file.url) if file.url else _beside(recipe, file.name) for file in recipe.files.values()}
    return ", ".join(sorted(folders))


def _folder(url: str) -> str:
    return url if url.startswith("doi:") else posixpath.dirname(url)


def _beside(recipe: Recipe, name: str) -> str:
    return "shipped with sigcube" if (recipe.folder / name).is_file() else "given by hand, with --data"


def dataset_tables(records: Sequence[dict[str, Any]], *, width: int) -> list[Table]:
    """Return `dataset_records` as a table, or as two that fit in fewer columns."""
    wide = width >= _WIDE
    short, long = _table("", *_SHORT, *(_LONG if wide else ())), _table("", "name", ", ".join(_LONG))
    for record in records:
        cells = [record["name"], record["kind"], _count(record["systems"]), _count(record["points"])]
        cells.append(_STATES[record["state"]])
        texts = [escape(record[name]) for name in ("citation", "licence", "origin")]
        short.add_row(*cells, *(texts if wide else ()))
        long.add_row(record["name"], "\n".join(texts))
    return [short] if wide else [short, long]


_SHORT = ("name", "kind", ">systems", ">points", "cube here")
_LONG = ("citation", "licence", "raw files from")
_STATES = {"present": "yes", "absent": "no", "unreadable": "broken"}


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def each_dataset(do: Callable[[str], None], *, tell: Callable[[str], object]) -> int:
    """Do something for every dataset, and return for how many it failed; raw files that are not there are no failure.

    Parameters
    ----------
    do : callable
        Takes the name of a dataset.
    tell : callable
        Takes a line: which dataset it is at, and why one cannot be had.
    """
    failed, names = 0, recipe_names()
    for place, name in enumerate(names, 1):
        tell(f"{place}/{len(names)} {name}")
        try:
            do(name)
        except RawFilesMissing as error:
            tell(f"{name}: skipped: {in_one_line(error)}")
        except SigcubeError as error:
            failed += 1
            tell(f"{name}: failed: {in_one_line(error)}")
    return failed


def cube_record(path: str | Path, summary: Summary) -> dict[str, Any]:
    """Return what a cube holds as JSON-able values."""
    return {"cube": str(path), "valid": True, **asdict(summary)}


def fault_record(path: str | Path, error: SigcubeError) -> dict[str, Any]:
    """Return what is wrong with a cube as JSON-able values."""
    told = {"what": error.what, "where": error.where, "found": error.found, "expected": error.expected}
    return {"cube": str(path), "valid": False, "error": {**told, "do": error.hint}}


def cube_tables(path: str | Path, summary: Summary) -> list[Table]:
    """Return what a cube holds as tables: about it, flags, samples, and the range of every number."""
    return [_about(path, summary), _flag_table(summary), _sample_table(summary), _range_table(summary.ranges)]


def _about(path: str | Path, summary: Summary) -> Table:
    table = Table(
        title=f"{path}: a valid {summary.kind} cube",
        box=None,
        show_header=False,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in (
        ("title", summary.title),
        ("holds", describe_counts(summary.kind, summary.counts)),
        ("citation", summary.citation),
        ("licence", summary.licence),
        ("raw files", "\n".join(map(describe_file, summary.raw_files)) or "none"),
        ("fingerprint", summary.fingerprint),
    ):
        table.add_row(name, escape(text))
    return table


def unexpected_counts(recipe: Recipe, path: str | Path) -> str:
    """Say that a cube holds another number of systems or points than its recipe expects; empty if it does not."""
    found = count_cube(path)
    if recipe.contents is None or found == Counts(recipe.contents.systems, recipe.contents.points):
        return ""
    expected = describe_counts(recipe.kind, Counts(recipe.contents.systems, recipe.contents.points))
    return f"{recipe.name}: holds {describe_counts(recipe.kind, found)}; the recipe expects {expected}"


def _flag_table(summary: Summary) -> Table:
    kind = KINDS[summary.kind]
    table = _table("Flags: set for how many", "flag", ">number", "of", "set where")
    for name, meanings in summary.flags.items():
        variable = kind.variable(name)
        notes = dict(zip(variable.flags, variable.flag_notes, strict=True))
        noun = f"{variable.dims[0]}s" if name == kind.system_flag or not kind.padded else "points"
        for meaning, number in meanings.items():
            table.add_row(meaning, f"{number:,}", noun.replace("ys", "ies"), notes[meaning])
    return table


def _sample_table(summary: Summary) -> Table:
    table = _table("Samples", "sample", ">systems", ">points", "what it keeps")
    for name, kept in summary.samples.items():
        table.add_row(name, f"{kept.systems:,}", f"{kept.points:,}", escape(kept.description))
    return table


def _range_table(ranges: Iterable[Range]) -> Table:
    table = _table("Ranges", "variable", "unit", ">smallest", ">median", ">largest", ">missing")
    for each in ranges:
        ends = ("–" if end is None else f"{end:.4g}" for end in (each.smallest, each.median, each.largest))
        table.add_row(each.name, each.unit or "–", *ends, f"{each.missing:,}")
    return table


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; a column that begins with > has its numbers to the right."""
    table = Table(
        title=title or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    return table
