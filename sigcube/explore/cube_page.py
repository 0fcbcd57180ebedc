"""A page about a cube: its figures and what it holds; and a page that leads to those of a folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import xarray as xr

from sigcube.cube import KINDS, Summary, inspect_cube
from sigcube.cube.inspection import describe_counts, describe_file
from sigcube.cube.storage import open_lazily
from sigcube.errors import DataError, SpecError
from sigcube.explore import style
from sigcube.explore.cluster_plots import profile_cards
from sigcube.explore.galaxy_plots import rotation_cards
from sigcube.explore.histograms import histogram_cards
from sigcube.explore.landmark_plots import landmark_cards
from sigcube.explore.page import Card, CardTable, Link, write_page
from sigcube.explore.star_plots import density_cards
from sigcube.recipes import load_recipe, recipe_names
from sigcube.wording import in_one_line, plural

__all__ = ["cube_page", "flag_table", "folder_pages", "index_page", "sample_table"]

# With more raw files than this, the page gives only their number.
_MOST_FILES = 4
#: The figures of each kind of cube; other kinds get histograms.
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
    kind = KINDS[summary.kind].title
    selections, reasons = "Named selections on the flags.", "Why a sample may leave something out; nothing is dropped."
    write_page(
        out,
        [
            *plots,
            Card("About the data", table=_about(summary)),
            Card("Samples", selections, table=sample_table(summary), wide=True),
            Card("Flags", reasons, table=flag_table(summary), full=True),
            Card("Numbers", "The range of every variable.", table=_range_table(summary), full=True),
        ],
        title=summary.title,
        subtitle=f"{describe_counts(summary.kind, summary.counts)}. {kind[0].upper()}{kind[1:]}.",
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
        Called with a line for each page, and for each cube without one.

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
        except (DataError, SpecError) as error:
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
            Link(Path(address).stem, address),
            f"{each.title}: {describe_counts(each.kind, each.counts)}",
            f"{each.citation}. {each.licence}",
        )
        for address, each in summaries.items()
    ]
    head = ("cube", "what it holds", "citation and licence")
    cards = [Card("Here", "Each name leads to a page.", table=CardTable(head, rows), full=True)]
    if missing:
        text = "Datasets without a cube in this folder, and the command that makes it."
        table = CardTable(
            ("dataset", "what it is", "made by"),
            [(name, title, f"sigcube ingest {name}") for name, title in missing.items()],
        )
        cards.append(Card("Not here yet", text, table=table, full=True))
    holds = f"{plural(len(summaries), 'cube')} in this folder."
    return write_page(out, cards, title="Cubes", subtitle=holds, notes={}, synthetic=False)


def _about(summary: Summary) -> CardTable:
    files = summary.raw_files
    if len(files) <= _MOST_FILES:
        raw = [("raw file", describe_file(file)) for file in files]
    else:
        official = sum(bool(file["official"]) for file in files)
        raw = [
            ("raw files", f"{len(files)}: {files[0]['name']} … {files[-1]['name']}"),
            ("", f"{official} official, {len(files) - official} unverified"),
        ]
    rows = [
        ("citation", summary.citation),
        ("licence", summary.licence),
        ("kind", summary.kind),
        ("holds", describe_counts(summary.kind, summary.counts)),
    ]
    return CardTable(("", ""), [*rows, *raw])


def sample_table(summary: Summary) -> CardTable:
    """Return how many systems and points each sample of a cube keeps."""
    rows = [(name, f"{kept.systems:,}", f"{kept.points:,}", kept.description) for name, kept in summary.samples.items()]
    return CardTable(("sample", ">systems", ">points", "what it keeps"), rows)


def flag_table(summary: Summary) -> CardTable:
    """Return for how many systems or points each flag of a cube is set."""
    kind = KINDS[summary.kind]
    rows = []
    for name, meanings in summary.flags.items():
        variable = kind.variable(name)
        notes = dict(zip(variable.flags, variable.flag_notes, strict=True))
        noun = "point" if kind.padded and name == kind.point_flag else variable.dims[0]
        rows += [(meaning, plural(n, noun), notes[meaning]) for meaning, n in meanings.items()]
    return CardTable(("flag", ">set for", "where"), rows)


def _range_table(summary: Summary) -> CardTable:
    rows = []
    for each in summary.ranges:
        ends = ("–" if end is None else style.plain_number(end) for end in (each.smallest, each.median, each.largest))
        rows.append((each.name, style.with_unit(each.long_name, each.unit), *ends, f"{each.missing:,}"))
    return CardTable(("variable", "meaning", ">smallest", ">median", ">largest", ">missing"), rows)
