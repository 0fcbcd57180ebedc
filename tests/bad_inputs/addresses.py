"""Addresses at which nothing can be, or at which there is something else; and places that take nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sigcube import Fit, open_cube, open_result, verify
from sigcube.cube import inspect_cube, save_cube
from sigcube.fits.fit_spec import read_fit_file
from sigcube.plan.spec_file import read_spec_file
from sigcube.recipes import check_files, fetch, ingest, load_recipe
from sigcube.rerun import rerun
from sigcube.store import status
from tests.bad_inputs.cases import Case, Room, survey, sweep
from tests.bad_inputs.recipes import CSV, RECIPE

__all__ = ["ADDRESSES"]

Open = Callable[[Path], object]


def swept(path: Path) -> object:
    return sweep(keep=["galaxy"]).run(path, workers=0)


def fitted(path: Path) -> object:
    return Fit(survey(), kernel="sigma", free={"A": [0.0, 1.0]}).run(path, overwrite=True)


def ingested(path: Path) -> object:
    return ingest(load_recipe("landmarks"), out=path, overwrite=True)


def saved(path: Path) -> object:
    return save_cube(survey(), path, overwrite=True)


READ: dict[str, Open] = {
    "open_cube": open_cube,
    "inspect_cube": inspect_cube,
    "open_result": open_result,
    "status": status,
    "verify": verify,
    "rerun": rerun,
}
WRITE: dict[str, Open] = {"run": swept, "fit": fitted, "ingest": ingested, "save_cube": saved}
OTHERS: dict[str, Open] = {
    "load_recipe": lambda path: load_recipe(path if path.suffix else f"{path}.toml"),
    "check_files": lambda path: check_files(load_recipe("sparc"), path),
    "fetch": lambda path: fetch(load_recipe("landmarks"), cache=path),
    "read_spec_file": read_spec_file,
    "read_fit_file": read_fit_file,
}


def loop(room: Room) -> Path:
    """A link that leads to itself."""
    room.path("loop.toml").symlink_to("loop.toml")
    return room.folder / "loop.toml"


# Where nothing can be.
NOWHERE: list[tuple[str, Callable[[Room], Path]]] = [
    ("a name without an end", lambda room: room.folder / ("x" * 300)),
    ("a path without an end", lambda room: room.folder / ("x/" * 3000)),
    ("a name with a NUL", lambda room: room.folder / "a\0b"),
    ("a name of half a letter", lambda room: room.folder / "\ud800"),
    ("a link in a circle", loop),
]
CUBE, RESULT, FIT = "this is a cube, not ", "this is a result of a sweep, not ", "this is a result of a fit, not "
A_FILE, A_FOLDER, NOTHING = "  found: a file", "  found: a folder", "there is nothing here"
# What is there, and what those say who look for something else.
THERE: list[tuple[str, Callable[[Room], Path], dict[str, str]]] = [
    (
        "a cube",
        lambda room: room.cube,
        {
            **dict.fromkeys(("open_result", "status", "verify", "rerun", "run"), CUBE + "a result of a sweep"),
            "fit": "what is here is not a fit, so it is not overwritten",
        },
    ),
    (
        "a result",
        lambda room: room.stores / "result.zarr",
        {
            **dict.fromkeys(("open_cube", "inspect_cube"), RESULT + "a cube\n  where: "),
            **dict.fromkeys(("save_cube", "ingest"), "what is here is not a cube, so it is not overwritten"),
            "fit": "what is here is not a fit, so it is not overwritten",
        },
    ),
    (
        "a fit",
        lambda room: room.stores / "fit.zarr",
        {
            **dict.fromkeys(("open_cube", "inspect_cube"), FIT + "a cube\n  where: "),
            **dict.fromkeys(("status", "verify", "rerun", "run"), FIT + "a result of a sweep"),
            **dict.fromkeys(("save_cube", "ingest"), "what is here is not a cube, so it is not overwritten"),
        },
    ),
    (
        "a file",
        lambda room: room.write("dear"),
        {
            **dict.fromkeys((*READ, "run"), A_FILE),
            **dict.fromkeys(("fit", "ingest", "save_cube"), "so it is not overwritten"),
            "check_files": "this is not a folder",
            "read_spec_file": "is not TOML",
        },
    ),
    (
        "an empty folder",
        lambda room: room.make("folder"),
        {
            **dict.fromkeys((*READ, "run"), A_FOLDER),
            **dict.fromkeys(("fit", "ingest", "save_cube"), "so it is not overwritten"),
            "check_files": "the raw files are not to be found",
            **dict.fromkeys(("read_spec_file", "read_fit_file"), "Is a directory"),
        },
    ),
    (
        "nothing",
        lambda room: room.folder / "absent",
        {
            **dict.fromkeys(("open_cube", "inspect_cube"), "there is no cube here"),
            **dict.fromkeys(("open_result", "status", "verify", "rerun"), NOTHING),
            "check_files": "this is not a folder",
            "load_recipe": "there is no recipe here",
            **dict.fromkeys(("read_spec_file", "read_fit_file"), "or give the path of a file"),
        },
    ),
    (
        "a link to nothing",
        lambda room: link(room, "absent"),
        {
            **dict.fromkeys(("open_cube", "inspect_cube"), "there is no cube here"),
            **dict.fromkeys(("open_result", "status", "verify", "rerun"), NOTHING),
        },
    ),
    (
        "the root",
        lambda room: Path("/"),
        {
            **dict.fromkeys((*READ, "run"), A_FOLDER),
            **dict.fromkeys(("ingest", "save_cube"), "do: choose another path"),
            "fit": "so it is not overwritten",
        },
    ),
    (
        "the folder that one is in",
        lambda room: Path("."),
        {
            **dict.fromkeys((*READ, "run"), A_FOLDER),
            **dict.fromkeys(("ingest", "save_cube"), "do: choose another path"),
            "fit": "so it is not overwritten",
        },
    ),
    (
        "the folder above it",
        lambda room: Path(".."),
        {
            **dict.fromkeys((*READ, "run"), A_FOLDER),
            **dict.fromkeys(("ingest", "save_cube"), "do: choose another path"),
            "fit": "so it is not overwritten",
        },
    ),
    (
        "a place below a file",
        lambda room: room.write("dear") / "below",
        {"run": "", "fit": "", "ingest": "", "save_cube": "", "status": NOTHING, "open_cube": "there is no cube here"},
    ),
    (
        "a device",
        lambda room: Path(os.devnull),
        {
            **dict.fromkeys((*READ, "run"), A_FILE),
            **dict.fromkeys(("fit", "ingest", "save_cube"), "not overwritten"),
            "read_spec_file": "key 'cube' is missing",
        },
    ),
]
EVERY = {**READ, **WRITE, **OTHERS}


def link(room: Room, target: str) -> Path:
    room.path("link").symlink_to(target)
    return room.folder / "link"


def at(open_it: Open, place: Callable[[Room], Path]) -> Callable[[Room], object]:
    return lambda room: open_it(place(room))


@contextmanager
def closed(folder: Path) -> Iterator[Path]:
    """Give a folder that may not be looked into, nor written to; the superuser, who may, is somebody else meanwhile."""
    folder.mkdir()
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(2**16 - 2)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def below_closed(open_it: Open) -> Callable[[Room], object]:
    def act(room: Room) -> object:
        with closed(room.path("closed")) as folder:
            return open_it(folder / "x.zarr")

    return act


def crewed(workers: int) -> Callable[[Room], object]:
    return lambda room: sweep().run(room.folder / "out.zarr", workers=workers)


def beside(room: Room) -> object:
    """A recipe whose table is a folder."""
    room.make("mine.csv")
    return ingest(load_recipe(room.write(RECIPE)), data=room.folder, out=room.folder / "out.zarr")


def two_tables(room: Room) -> object:
    """A folder with two tables of one name."""
    room.write(CSV, "mine.csv")
    (room.make("other") / "mine.csv").write_text(CSV.replace("100", "101"), encoding="utf-8")
    return ingest(load_recipe(room.write(RECIPE)), data=room.folder, out=room.folder / "out.zarr")


ADDRESSES: tuple[Case, ...] = (
    *(
        Case(f"{name}: {reason}", "this cannot be the path of ", at(open_it, place))
        for reason, place in NOWHERE
        for name, open_it in EVERY.items()
    ),
    *(
        Case(f"{name}: {reason}", said, at(EVERY[name], place))
        for reason, place, sayings in THERE
        for name, said in sayings.items()
    ),
    *(
        Case(f"{name}: a place in a closed folder", "Permission denied", below_closed(open_it))
        for name, open_it in EVERY.items()
        # What it loads first, nobody else may be able to.
        if name != "fetch"
    ),
    *(Case(f"run: {workers} workers", "this is no number of workers", crewed(workers)) for workers in (-1, 10**11)),
    Case("a folder for a table", "mine.csv is missing", beside),
    Case("two tables of one name", "with different content", two_tables),
)
