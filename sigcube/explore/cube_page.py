"""A page for a cube: what is in it, and the plot a person would want; and a page that leads to those of many."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import xarray as xr

from sigcube.cube import KINDS, Summary, inspect_cube
from sigcube.cube.inspection import describe_counts, describe_file
from sigcube.cube.storage import open_lazily
from sigcube.errors import DataError
from sigcube.explore.density import density_cards
from sigcube.explore.histograms import histogram_cards
from sigcube.explore.landmark_plot import landmark_cards
from sigcube.explore.page import Card, CardTable, write_page
from sigcube.explore.profiles import profile_cards
from sigcube.explore.rotation import rotation_cards
from sigcube.explore.style import plain_number, pretty_unit
from sigcube.recipes import load_recipe, recipe_names
from sigcube.wording import in_one_line, plural

__all__ = ["cube_page", "folder_pages", "index_page"]

# More raw files than this are told by their number.
_MOST_FILES = 4
#: The plots of each kind of cube; of a kind that has none of its own, histograms.
PLOTS: Mapping[str, Callable[[xr.Dataset], list[Card]]] = MappingProxyType(
    {
        "galaxy": rotation_cards,
        "star": density_cards,
        "cluster": profile_cards,
        "landmark": landmark_cards,
    }
)


def cube_page(path: str | Path, out: str | Path) -> Summary:
    """Write an HTML page about a cube; it opens without a server or a network.

    Parameters
    ----------
    path : path-like
        A cube.
    out : path-like
        The file to write.

    Raises
    ------
    DataError
        If there is no cube, or it is damaged.
    StoreError
        If the page cannot be written.
    """
    summary = inspect_cube(path)
    plots = PLOTS.get(summary.kind, histogram_cards)(open_lazily(Path(path)))
    cards = [*plots, _about(summary), _samples(summary), _flags(summary), _ranges(summary)]
    write_page(
        out,
        cards,
        title=summary.title,
        subtitle=f"{describe_counts(summary.kind, summary.counts)}. {_sentence(KINDS[summary.kind].title)}",
        notes={"cube": str(path), "fingerprint": summary.fingerprint},
        synthetic=summary.synthetic,
    )
    return summary


def folder_pages(cubes: Path, out: Path, *, tell: Callable[[str], object], tell_fault: Callable[[str], object]) -> int:
    """Write a page for each cube of a folder, and ``index.html``, which leads to them; return how many failed.

    Parameters
    ----------
    cubes, out : Path
        Where the cubes are, and where the pages go.
    tell, tell_fault : callable
        Take a line for each page, and for each cube that has none.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    if not cubes.is_dir():
        hint = "name the folder with --cubes, or make a cube first: sigcube ingest"
        raise DataError("there is no folder of cubes here", where=str(cubes), hint=hint)
    summaries, failed = {}, 0
    for path in sorted(cubes.glob("*.zarr")):
        page = out / f"{path.stem}.html"
        try:
            summaries[page.name] = cube_page(path, page)
            tell(str(page))
        except DataError as error:
            failed += 1
            tell_fault(f"{path}: failed: {in_one_line(error)}")
    missing = {name: load_recipe(name).title for name in recipe_names() if not (cubes / f"{name}.zarr").exists()}
    index_page(summaries, missing, out / "index.html")
    return failed


def index_page(summaries: Mapping[str, Summary], missing: Mapping[str, str], out: str | Path) -> Path:
    """Write an HTML page that leads to the pages of cubes.

    Parameters
    ----------
    summaries : Mapping
        What each cube holds, by the address of its page.
    missing : Mapping
        The titles of datasets without a cube here, by name.
    out : path-like
        The file to write.
    """
    rows = [
        (
            (Path(address).stem, address),
            f"{each.title}: {describe_counts(each.kind, each.counts)}",
            f"{each.citation}. {each.licence}",
        )
        for address, each in summaries.items()
    ]
    head = ("cube", "what it holds", "citation and licence")
    cards = [Card("Here", "Each name leads to a page.", None, table=CardTable(head, rows), full=True)]
    if missing:
        text = "Datasets without a cube in this folder, and the command that makes it."
        table = CardTable(
            ("dataset", "what it is", "made by"),
            [(name, title, f"sigcube ingest {name}") for name, title in missing.items()],
        )
        cards.append(Card("Not here yet", text, None, table=table, full=True))
    holds = f"{plural(len(summaries), 'cube')} in this folder."
    return write_page(out, cards, title="Cubes", subtitle=holds, notes={}, synthetic=False)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _pairs(rows: Sequence[tuple[str, str]]) -> CardTable:
    return CardTable(("", ""), rows)


def _about(summary: Summary) -> Card:
    rows = [
        ("citation", summary.citation),
        ("licence", summary.licence),
        ("kind", summary.kind),
        ("holds", describe_counts(summary.kind, summary.counts)),
        *_raw_files(summary.raw_files),
    ]
    return Card("About the data", "", None, table=_pairs(rows))


def _raw_files(files: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Name a few files, or say how many there are."""
    if len(files) <= _MOST_FILES:
        return [("raw file", describe_file(file)) for file in files]
    official = sum(bool(file["official"]) for file in files)
    return [
        ("raw files", f"{len(files)}: {files[0]['name']} … {files[-1]['name']}"),
        ("", f"{official} official, {len(files) - official} unverified"),
    ]


def _samples(summary: Summary) -> Card:
    rows = [(name, f"{kept.systems:,}", f"{kept.points:,}", kept.description) for name, kept in summary.samples.items()]
    head = ("sample", ">systems", ">points", "what it keeps")
    return Card("Samples", "Named selections on the flags.", None, table=CardTable(head, rows), wide=True)


def _flags(summary: Summary) -> Card:
    kind = KINDS[summary.kind]
    rows = []
    for name, meanings in summary.flags.items():
        variable = kind.variable(name)
        notes = dict(zip(variable.flags, variable.flag_notes, strict=True))
        noun = "point" if kind.padded and name == kind.point_flag else variable.dims[0]
        rows += [(meaning, plural(n, noun), notes[meaning]) for meaning, n in meanings.items()]
    table = CardTable(("flag", ">set for", "where"), rows)
    return Card("Flags", "Why a sample may leave something out; nothing is dropped.", None, table=table, full=True)


def _ranges(summary: Summary) -> Card:
    rows = []
    for each in summary.ranges:
        ends = ("–" if end is None else plain_number(end) for end in (each.smallest, each.median, each.largest))
        unit = f" [{pretty_unit(each.unit)}]" if each.unit else ""
        rows.append((each.name, f"{each.long_name}{unit}", *ends, f"{each.missing:,}"))
    head = ("variable", "meaning", ">smallest", ">median", ">largest", ">missing")
    return Card("Numbers", "The range of every variable.", None, table=CardTable(head, rows), full=True)
