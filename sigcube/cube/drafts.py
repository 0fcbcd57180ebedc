"""Stores that appear whole or not at all: written beside their place, then renamed."""

import glob
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from sigcube.cube.kinds import KINDS
from sigcube.errors import DataError
from sigcube.files import make_folder, sync, sync_all

__all__ = ["drafting", "interrupted"]

# Others, such as the store of a sweep, keep drafts of other names.
_DRAFT = re.compile(r"(?P<host>.+)\.(?P<pid>\d+)\.[^.]+\.partial")


@contextmanager
def drafting(
    path: Path, *, overwrite: bool, what: str = "cube", replaces: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Give a path to write a Zarr store at; when all is well in the end, it takes the place of ``path``.

    ``what`` is written; with ``overwrite`` it may replace what ``replaces`` says is one, by default a cube.

    Raises
    ------
    DataError
        If there is something at ``path`` and ``overwrite`` is false, or if the disk does not take it.
    """
    try:
        make_folder(path.parent)
        _tidy(path)
        _refuse_existing(path, overwrite, what, replaces or _is_cube)
        with tempfile.TemporaryDirectory(prefix=_prefix(path), suffix=".partial", dir=path.parent) as folder:
            draft = Path(folder) / "next"
            yield draft
            sync_all(draft)
            _replace(Path(folder), path, overwrite)
    except OSError as error:
        raise DataError(f"the {what} could not be saved", where=str(path), found=str(error)) from error


def interrupted(path: Path) -> Path | None:
    """Return where a store is that an interrupted save moved aside, if there is one."""
    return next((folder / "previous" for folder in _unfinished(path) if (folder / "previous").exists()), None)


def _replace(folder: Path, path: Path, overwrite: bool) -> None:
    """Put ``folder/next`` at ``path``; what was there goes to ``folder/previous``, and back if that fails."""
    previous = folder / "previous"
    try:
        if overwrite and path.exists():
            path.rename(previous)
        (folder / "next").rename(path)
    except BaseException:
        # An interrupt too: the folder is about to be removed, with what was there in it.
        if previous.exists() and not path.exists():
            previous.rename(path)
        raise
    sync(path.parent)


def _refuse_existing(path: Path, overwrite: bool, what: str, replaces: Callable[[Path], bool]) -> None:
    if path.exists() and not overwrite:
        raise DataError(
            "there is already something here",
            where=str(path),
            hint="ask for it to be overwritten, or choose another path",
        )
    if path.exists() and not replaces(path):
        raise DataError(
            f"what is here is not a {what}, so it is not overwritten", where=str(path), hint="choose another path"
        )


def _is_cube(path: Path) -> bool:
    """Whether a folder says that it is a cube: a result has a kind too, and no fingerprint of its own."""
    try:
        attrs = json.loads((path / "zarr.json").read_bytes())["attributes"]
        return attrs["kind"] in KINDS and "fingerprint" in attrs
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _prefix(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}.{os.getpid()}."


def _unfinished(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.partial"))


def _tidy(path: Path) -> None:
    """Clear up after saves whose process is gone, first putting back a cube that one of them had moved aside."""
    for folder in _unfinished(path):
        draft = _DRAFT.fullmatch(folder.name.removeprefix(f".{path.name}."))
        if draft is None or draft["host"] != socket.gethostname() or psutil.pid_exists(int(draft["pid"])):
            continue
        if (folder / "previous").exists() and not path.exists():
            (folder / "previous").rename(path)
        shutil.rmtree(folder, ignore_errors=True)
